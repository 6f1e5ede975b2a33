/* One model, planned for one kind of run, on samples. */
#ifndef REPFOLD_JUDGE_TRIAL_H
#define REPFOLD_JUDGE_TRIAL_H

#include "judge/compare.h"
#include "judge/numbers.h"

/* What a run in float32 costs, in runs in double. */
#define TRIAL_F32_RUN 0.5

typedef struct Trial {
    Numbers *numbers;
    Arena *arena;
    bool is_b;
    ExecOptions options;
    Exec *exec;
} Trial;

int trial_open(Numbers *numbers, bool is_b, const ExecOptions *options,
               Trial *out, Err *err);
/* Runs a sample; the outputs come in the original's order and are the
 * arena's. */
int trial_run(Trial *trial, int sample, Arena *arena, Array **outputs,
              Err *err);
void trial_close(Trial *trial);

/* Raises the number of each output of a sample to its largest difference from
 * the original, as numbers_relative says, and what is known of the elements
 * that are not the same in all runs. Returns the first output that cannot be
 * compared at all, with its comparison, or -1. */
int trial_measure(const Trial *trial, int sample, Array *const *outputs,
                  double *numbers, Comparison *fault);
/* Runs a sample and measures it. */
int trial_once(Trial *trial, int sample, double *numbers, Err *err);

/* |difference| / max |y| of an output in a sample, from its comparison with
 * the original's. One in which all of it is zero is measured by the others. Of
 * integers: the part of the elements that differ. */
double numbers_relative(const Numbers *numbers, int sample, size_t output,
                        const Comparison *comparison);
/* True for what says nothing about a model: it is no reason to try another
 * input, or to call two models different. */
bool is_trouble(const Err *err);

#endif
