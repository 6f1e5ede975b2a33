/*
 * Runs the built program as a user would, each test in a folder of its own.
 */
#ifndef REPFOLD_TESTS_CLI_H
#define REPFOLD_TESTS_CLI_H

#include <stdbool.h>
#include <stddef.h>

/* A sanitizer's own memory and time are more than the program's, and so is the
 * time of who counts the lines, whose program has no sandbox. */
#if defined(__SANITIZE_ADDRESS__) || defined(REPFOLD_NO_SANDBOX)
enum { CLI_IS_SANITIZED = true };
#else
enum { CLI_IS_SANITIZED = false };
#endif

/* Of the last run. */
typedef struct Cli {
    int status;     /* exit status; 128 + N when signal N ended it */
    double seconds; /* of processor time, whatever else is running */
    size_t peak;    /* bytes of memory at most */
    char out[1 << 20];
    char err[1 << 14];
} Cli;
extern Cli cli;

/* A checked fixture: the folder, and what is in it, are gone afterwards. */
void cli_setup(void);
void cli_teardown(void);

/* Runs it in the folder; the arguments end with NULL. */
int cli_run(const char *const *arguments);
#define REPFOLD(...) cli_run((const char *const[]){__VA_ARGS__, NULL})
/* The same with standard input and output from and to files; NULL is neither.
 */
int cli_run_with(const char *input, const char *output,
                 const char *const *arguments);
/* The same on a terminal, where standard output and error are one. */
int cli_run_terminal(const char *const *arguments);
/* Any program of the build folder: "samples/verify_memory". */
int cli_program(const char *program, const char *const *arguments);
/* Any other program, by its path. */
int cli_command(const char *path, const char *const *arguments);

/* The path of a file of tests/fixtures, and of any file of the repository;
 * good until it is called eight times more. */
const char *cli_fixture(const char *name);
const char *cli_source(const char *path);
/* The same of a file in the build folder, where the running tests lie. */
const char *cli_built(const char *name);

/* Files in the folder. */
const char *cli_path(const char *name);
void cli_write(const char *name, const void *bytes, size_t size);
/* The bytes, with a NUL behind; the caller frees them. NULL when absent. */
char *cli_read(const char *name, size_t *size);
/* The same of a file that must be there and hold no NUL. */
char *cli_text(const char *name);
/* How often one text is in another. */
int cli_occurrences(const char *text, const char *what);
bool cli_exists(const char *name);
bool cli_same(const char *a, const char *b);
/* How many entries the folder has. */
int cli_count(void);

/* The last run ended with that status, wrote nothing to standard output and
 * one line to standard error, which holds `text` and the code. */
void cli_assert_trouble(const char *code, const char *text);
/* The report holds an error of that code and nothing else. */
void cli_assert_json_code(const char *report, const char *code);

#endif
