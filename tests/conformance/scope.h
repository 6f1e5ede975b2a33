/* Which backend test cases the executor is meant to pass. */
#ifndef REPFOLD_TESTS_CONFORMANCE_SCOPE_H
#define REPFOLD_TESTS_CONFORMANCE_SCOPE_H

#include "cases.h"

/* The operators that are in scope. */
const char *const *scope_operators(size_t *count);

/* Looks into the model of a case: its operators, and why it is not in scope. */
void scope_of_case(Arena *arena, Case *test);

#endif
