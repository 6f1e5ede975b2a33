/* Which backend test cases the executor is meant to pass. */
#ifndef REPFOLD_TESTS_CONFORMANCE_SCOPE_H
#define REPFOLD_TESTS_CONFORMANCE_SCOPE_H

#include "cases.h"

/* Looks into the model of a case: its operators, and why it is not in scope. */
void scope_of_case(Arena *arena, Case *test);

#endif
