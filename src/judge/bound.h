/*
 * Running error analysis (Wilkinson 1963; Higham, Accuracy and Stability, 3.3)
 * in double: with every value goes, for each element, a bound on what rounding
 * can have made of it.  A node adds to what comes in with its inputs
 *
 *     rounding + (K + 3) 2^-53
 *
 * times the magnitude S = sum |w x| + |b| of what it sums up, K products long
 * (Jeannerod and Rump 2013): `rounding` is what one operation on parameters
 * costs where they are stored.  A linear node passes an error on through the
 * absolute values of its coefficients, another by its Lipschitz constant.
 *
 * For an operator without a rule (normalisations, those that are not
 * continuous) there is no rigorous bound: the largest relative error of its
 * inputs, times 64, is taken for that of its outputs.
 */
#ifndef REPFOLD_JUDGE_BOUND_H
#define REPFOLD_JUDGE_BOUND_H

#include "exec/exec.h"

/* A value in double, and the bound on its error: of its shape, NULL where it
 * is exact. One that is stored may be below the normal numbers of its type:
 * then rounding it cost as much as rounding the least of those. */
typedef struct Bounded {
    Array *value, *error;
    bool is_stored;
} Bounded;

typedef struct BoundCall {
    Arena *arena; /* for the results */
    const Node *node;
    const ExecOptions *options; /* in double */
    double rounding;
    const Bounded *inputs; /* one for each of the node's, all NULL if absent */
    Array *const *outputs; /* their values; NULL where nobody reads them */
    Arena *scratch;        /* set by bound_node */
} BoundCall;

/* The errors of the outputs; integers and bools are taken for exact. */
int bound_node(BoundCall *call, Array **errors, Err *err);

#endif
