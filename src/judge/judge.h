/* The judge: are two models the same function? */
#ifndef REPFOLD_JUDGE_JUDGE_H
#define REPFOLD_JUDGE_JUDGE_H

#include "graph/graph.h"
#include "repfold.h"

/* `folded` says that b was made from a by model_fold in this process, so its
 * new weights are formulas whose unrounded values the algebra number uses. The
 * result belongs to the arena. */
int judge_models(Arena *arena, const Model *a, const Model *b, bool folded,
                 const rp_verify_options *options, rp_verdict_info *out,
                 Err *err);

#endif
