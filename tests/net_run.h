/* Runs a small named model of net.h, with one input and one output, in float64.
 */
#ifndef REPFOLD_TESTS_NET_RUN_H
#define REPFOLD_TESTS_NET_RUN_H

#include "exec/exec.h"
#include "net.h"

/* Declares "x" of that many elements and "y". */
void toy_line(Net *net, int64_t size);
/* first, first + 1, ... */
Array *toy_array(Arena *arena, int64_t count, double first);
Exec *toy_plan(Net *net, ExecOptions options);
const double *toy_run(Net *net, Exec *exec, Array *x);

#endif
