/* Folding: the table of passes and its driver. */
#ifndef REPFOLD_FOLD_FOLD_H
#define REPFOLD_FOLD_FOLD_H

#include "base/pool.h"
#include "graph/graph.h"
#include "repfold.h"

/* What was done to a model, in its arena. */
typedef struct FoldReport {
    rp_fold_record *folds;
    size_t fold_count, fold_capacity;
    rp_refusal *refusals;
    size_t refusal_count, refusal_capacity;
} FoldReport;

/* Folds the model in place. */
int model_fold(Model *model, const rp_fold_options *options, FoldReport *report,
               Err *err);

#endif
