/* Certificates: the proof that one model folds into another. */
#ifndef REPFOLD_JUDGE_CERTIFY_H
#define REPFOLD_JUDGE_CERTIFY_H

#include "graph/graph.h"
#include "repfold.h"

/* The result, names and all, belongs to the arena. */
int certify_models(Arena *arena, const Model *a, const Model *b,
                   const rp_certify_options *options, rp_certificates_info *out,
                   Err *err);

#endif
