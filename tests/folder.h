/* A folder of a test's own, and files in it. */
#ifndef REPFOLD_TESTS_FOLDER_H
#define REPFOLD_TESTS_FOLDER_H

#include "models.h"

/* A checked fixture: the folder, and the arena of models.h. */
void folder_setup(void);
void folder_teardown(void);

/* The folder, and the path of a file in it. */
const char *in_folder(const char *name);
void put_bytes(const char *path, const void *bytes, size_t size);
void put_file(const char *path, const char *text);
Span get_file(const char *path);
/* The file holds just that. */
void check_file(const char *path, const char *text);
/* How many files the folder holds, hidden ones too. */
int count_files(void);
/* How many files the process has open. */
int count_open(void);

#endif
