/* Do two models take and give the same? */
#ifndef REPFOLD_JUDGE_INTERFACE_H
#define REPFOLD_JUDGE_INTERFACE_H

#include "graph/graph.h"

/* The first difference in words, or NULL: inputs that must be given, by name,
 * type and compatible shape, and outputs by name and type. Their order may
 * differ; a symbolic size agrees with any. */
const char *interface_difference(Arena *arena, const Model *a, const Model *b);

/* Gives the inputs and outputs of b, in their order, the names of a's, where
 * there are as many. Fills b's uses. */
int interface_rename(Model *b, const Model *a, Err *err);

/* For each of a's values, where b has the one of that name; there is one. */
int *interface_order(Arena *arena, const Value *const *a, const Value *const *b,
                     size_t count);

#endif
