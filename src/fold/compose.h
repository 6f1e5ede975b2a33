/*
 * Composition (C12): two linear operators in a row are one,
 *
 *     W[o, c, t1 + s1 t2] = sum over m of  W2[o, m, t2] * W1[m, c, t1]
 *     b = b2 + sum over m and t of  W2[o, m, t] * b1[m]
 *
 * on the lattice of tap offsets { D1 + s1 D2 } with stride s1 s2 and end slack
 * r1 + s1 r2.
 */
#ifndef REPFOLD_FOLD_COMPOSE_H
#define REPFOLD_FOLD_COMPOSE_H

#include "fold/emit.h"

typedef struct Composition {
    Linear like; /* for emit_linear: reads what the first operator reads */
    const Kernel *kernel;
    Vec bias;
    double macs_before, macs_after; /* for each position of the result */
} Composition;

/* True for two operators that composing is defined for; either may still be
 * unfit. */
bool is_composable(const Linear *first, const Linear *second);

/* The second after the first, whose output nothing else reads. A reason, with
 * the fact, when that is not one operator or, unless `at_any_cost`, would cost
 * more. */
Reason compose(Fold *fold, const Linear *first, const Linear *second,
               bool at_any_cost, Composition *out, const char **fact);

/* A pool behind a border around a pointwise convolution, as one operator on
 * what the convolution reads (C13); false when it is none. By itself that would
 * cost more, so it stays virtual: a branch that may join a larger kernel. */
bool pool_see_through(Fold *fold, Linear *pool);

#endif
