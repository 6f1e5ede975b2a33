/* The table of passes. Each changes the graph and records each fold it makes.
 */
#ifndef REPFOLD_FOLD_PASS_H
#define REPFOLD_FOLD_PASS_H

#include "fold/site.h"

/* Branches that always run take the place of their If. */
int rule_inline(Fold *fold, Err *err);
/* What pads nothing or takes everything goes. */
int rule_identity(Fold *fold, Err *err);
/* Backward: affine maps into linear operators before them, branches into one
 * kernel. */
int rule_sum(Fold *fold, Err *err);
/* Forward: affine maps into linear operators after them. */
int rule_forward(Fold *fold, Err *err);
/* A border that continues the operator before it goes into the one behind. */
int rule_border(Fold *fold, Err *err);
/* Zeros around an image go into the pool behind. */
int rule_pad(Fold *fold, Err *err);
/* On demand: scale and bias of a normalization into what reads it. */
int rule_norm(Fold *fold, Err *err);
/* On demand: linear operators in a row. */
int rule_compose(Fold *fold, Err *err);
/* On demand: parallel convolutions whose results are joined. */
int rule_stack(Fold *fold, Err *err);
/* Writes as inference what is in training mode still. */
void inference_settle(Fold *fold);
/* Lists what was left alone, and why. */
int refusals_list(Fold *fold, Err *err);

#endif
