/*
 * Running the graphs inside a node.  Private to exec/.
 */
#ifndef REPFOLD_EXEC_NESTED_H
#define REPFOLD_EXEC_NESTED_H

#include "exec/plan.h"

/* Runs a step that has nested graphs: If, Loop, Scan, a function's call. */
int step_run_nested(StepCall *call, Err *err);
/* scan.c */
int run_scan(StepCall *call, Err *err);

/* Which of the step's graphs is the attribute's of that name. */
int nested_find(const StepCall *call, const char *name, int *out, Err *err);
/* Runs one; its outputs are in `arena`. NULL on error. */
Array **nested_run(StepCall *call, int which, Arena *arena,
                   Array *const *inputs, Err *err);
/* Makes what a nested graph computed an output of the node. */
void nested_give(StepCall *call, int output, const Array *value);
/* The error where node and graph do not have the inputs or outputs to fit. */
int nested_misfit(const StepCall *call, Err *err);

#endif
