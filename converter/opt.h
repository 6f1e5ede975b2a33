/* The command line: one table, read by the parser, by --help and by what
 * shells complete. */
#ifndef REPFOLD_OPT_H
#define REPFOLD_OPT_H

#include "converter.h"

typedef enum Kind {
    FLAG,
    TEXT,
    CHOICE, /* one of the words in `argument`, separated by | */
    LIST,
    NUMBER, /* a decimal integer up to `limit` */
    SIZE,   /* bytes, with k, M or G for powers of 1024 */
    REAL    /* a positive, finite decimal */
} Kind;

typedef struct Option {
    const char *name;
    char letter; /* 0 for none */
    Kind kind;
    size_t offset; /* in Options */
    unsigned verbs;
    uint64_t limit;
    const char *argument;
    const char *help;
} Option;

/* All options; which are a verb's, their `verbs` tell. */
const Option *opt_list(size_t *count);
/* Reads the arguments after the verb. 0, or -1 and `error` set. */
int opt_parse(const Verb *verb, int argc, char **argv, Options *options,
              rp_error *error);
void opt_free(Options *options);
/* The options of a verb, as --help lists them. */
void opt_help(const Verb *verb);
/* The word that was probably meant, or NULL when none is near. */
const char *opt_nearest(const char *word, const char *const *candidates,
                        size_t count);

/* ---- completions.c ---- */

/* Prints what that shell completes; false where it is none that is known. */
bool completions_print(const char *shell, const Verb *const *verbs,
                       size_t count);

#endif
