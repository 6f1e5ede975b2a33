/*
 * Both models in float32: before everything else on the first sample, which
 * shows where they can be cut and what they cost; and the second one on every
 * other sample. A difference of numbers decides nothing in float32, but what
 * overflows, or has another shape there, where the original does not, is
 * another function to whoever runs it. So is what is beyond float16 in the
 * second model alone, where values are of that type: float32 shows it.
 */
#ifndef REPFOLD_JUDGE_SURVEY_H
#define REPFOLD_JUDGE_SURVEY_H

#include "judge/numbers.h"

/* What it takes, in runs in double. */
double survey_runs(const Numbers *numbers);
/* The first sample: fills `survey`, `products`, the cut points, and `broken`
 * where only the second model does not run. */
int survey_run(Numbers *numbers, Err *err);
/* What float32 does to a model on it, once its outputs in double are known. */
void survey_measure(Numbers *numbers, bool is_b, Array *const *exact);
/* Both models on it; what is wrong is in `broken`. */
void survey_compare(Numbers *numbers);
/* The second one on all others, whose outputs in double are alike. */
int survey_others(Numbers *numbers, Err *err);

#endif
