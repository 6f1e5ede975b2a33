/* What the tests of composition share: see composing.c. */
#ifndef REPFOLD_TESTS_COMPOSING_H
#define REPFOLD_TESTS_COMPOSING_H

#include "blocks.h"

/* The model folds by `rules` alone into nodes of which `convs` are Conv or
 * ConvTranspose, and is the same function, exactly so for integers. */
void check_composes(Build *build, const rp_fold_options *options,
                    const char *rules, size_t convs, size_t nodes);
/* Nothing folds, and `reason` is given; the fact contains `fact`. */
void check_stays(Build *build, const rp_fold_options *options,
                 const char *reason, const char *fact);

/* An attribute that is there. */
const int64_t *ints_of(const Node *node, const char *name);
Value *bench_concat(Bench *b, Value *const *parts, int count, int axis);
/* The average of two convolutions side by side, which C19 makes one. */
Build build_joined_average;

#endif
