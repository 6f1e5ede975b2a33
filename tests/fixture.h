/* Models in files below tests/: read, folded, run and compared. */
#ifndef REPFOLD_TESTS_FIXTURE_H
#define REPFOLD_TESTS_FIXTURE_H

#include "exec/exec.h"
#include "fold/fold.h"

Model *fixture_load(Arena *arena, const char *path);
FoldReport fixture_fold(Model *model);
/* Nodes of an operator on real numbers, or on integers. */
int fixture_count(const Model *model, Op op, bool real);
/* The numbers of an .npy file, for an input or output of the type. */
Array *fixture_array(Arena *arena, const char *path, DType type);
/* The outputs, in float64 with weights that folding did not round. */
Array **fixture_run(Arena *arena, const Model *model, Array *input);
/* max |a - b| / max |a| */
double fixture_difference(const Array *a, const Array *b);

#endif
