/*
 * The runs of a verification, and the numbers they give for each output.
 *
 * What is run, in double unless said otherwise (S samples, K noise runs):
 *
 *     the original          on every sample                    S runs
 *     b as stored           on every sample: `weights`         S
 *     b unrounded, if known on every sample: `algebra`         S
 *     the original with its parameters perturbed, run k on sample k mod S, at
 *     least once on each: `noise_floor`                        max(S, K)
 *     and K times more where b differs most, when that is between one and
 *     eight noise floors and so a matter of chance              0 or K
 *     both in float32       on the first sample: `execution`   2
 *     the original and the changed nodes of b, for the segments, on the first
 *     sample, or where b differs most                          about 3
 *
 * One plan is held at a time, so memory is one set of weights, the largest
 * activations, and the original's outputs.
 */
#ifndef REPFOLD_JUDGE_NUMBERS_H
#define REPFOLD_JUDGE_NUMBERS_H

#include "judge/input.h"
#include "judge/shared.h"

typedef struct Numbers {
    Arena *arena;
    const Model *a, *b;
    const rp_verify_options *options;
    bool folded;
    InputPlan plan;
    int samples, noise_runs;
    bool *plain;        /* samples that take the sizes of an even one */
    int *order_inputs;  /* for each slot, b's input */
    int *order_outputs; /* for each output of a, b's */
    size_t output_count;
    Array ***truth;     /* the original's outputs, of each sample */
    double *magnitudes; /* largest |y| of each output in each sample */
    int64_t elements;   /* of it, in all */
    Array **first_b;    /* b's outputs of the first sample */
    /* Of each output: what rp_output_verdict calls so. */
    double *max_abs, *algebra, *weights, *noise_floor;
    double *execution_a, *execution_b;
    int *worst;        /* the sample in which `weights` was largest */
    SharedSet *shared; /* seen in both, not settled */
    Pool *pool;
    double runs, runs_done;
    /* The output and the sample where the original is not finite. */
    const char *not_finite;
    /* Why b gives no numbers: it does not run, or gives another type, shape
     * or NaN. */
    const char *broken;
} Numbers;

/* Prepares everything; the interfaces agree. */
int numbers_init(Numbers *numbers, Err *err);
/* Runs all but the segments. Stops early, without error, where not_finite or
 * broken says why. */
int numbers_run(Numbers *numbers, Err *err);
/* The inputs of a sample in the order that a or b takes them. */
int numbers_inputs(const Numbers *numbers, Arena *arena, int sample, bool for_b,
                   Precision precision, Array ***out, Err *err);
/* Tells how far it is; a failure when the user has cancelled. */
int numbers_progress(const Numbers *numbers, double runs, Err *err);

#endif
