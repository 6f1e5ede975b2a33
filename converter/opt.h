/* The command line: one table, read by the parser and by --help. */
#ifndef REPFOLD_OPT_H
#define REPFOLD_OPT_H

#include "converter.h"

/* Reads the arguments after the verb. 0, or -1 and `error` set. */
int opt_parse(const Verb *verb, int argc, char **argv, Options *options,
              rp_error *error);
void opt_free(Options *options);
/* The options of a verb, as --help lists them. */
void opt_help(const Verb *verb);
/* The word that was probably meant, or NULL when none is near. */
const char *opt_nearest(const char *word, const char *const *candidates,
                        size_t count);

#endif
