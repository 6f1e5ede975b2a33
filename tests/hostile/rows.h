/*
 * Bad input, one row each, numbered as in the list of hostile inputs that the
 * folder's README gives.  Every row names the code that is expected; one
 * without a code is accepted, and what it gives is still checked.
 */
#ifndef REPFOLD_TESTS_HOSTILE_ROWS_H
#define REPFOLD_TESTS_HOSTILE_ROWS_H

#include <stddef.h>

typedef struct HostileRow {
    int number;
    const char *name;
    const char *text; /* the model, see text.h */
    const char *code; /* NULL: accepted */
    const char *said; /* part of the line; NULL: any */
} HostileRow;

typedef struct HostileRows {
    const HostileRow *rows;
    size_t count;
} HostileRows;

/* Refused by convert, which writes nothing. */
HostileRows hostile_models(void);
/* Converted or refused; run refuses them with that code. */
HostileRows hostile_runs(void);

#endif
