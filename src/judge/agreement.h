/* Whether two classifiers say the same. */
#ifndef REPFOLD_JUDGE_AGREEMENT_H
#define REPFOLD_JUDGE_AGREEMENT_H

#include "exec/exec.h"
#include "repfold.h"

/* Adds the rows of one sample, in double, of one type and shape; an output that
 * is not a classifier's adds none. */
void agreement_measure(rp_agreement *agreement, const Array *array,
                       const Array *truth);

#endif
