/* Integer inputs that are looked up in tables: tokens, positions, classes. */
#ifndef REPFOLD_JUDGE_INDICES_H
#define REPFOLD_JUDGE_INDICES_H

#include "graph/graph.h"

/* How many entries the smallest table has into which the elements of an input
 * of two models are indices; 0 where they are none, or it is not known. */
int64_t index_count(const Value *a, const Value *b);

#endif
