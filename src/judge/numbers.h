/*
 * The runs of a verification, and the numbers they give for each output of
 * each sample. judge.c tells which runs there are, and why no more.
 *
 * One plan is held at a time, so memory is one set of weights, the largest
 * activations, and the original's outputs.
 */
#ifndef REPFOLD_JUDGE_NUMBERS_H
#define REPFOLD_JUDGE_NUMBERS_H

#include "judge/agreement.h"
#include "judge/channels.h"
#include "judge/input.h"
#include "judge/segment.h"
#include "judge/traits.h"

typedef struct Numbers {
    Arena *arena;
    const Model *a, *b;
    const rp_verify_options *options;
    bool folded;
    Traits traits; /* of both models together */
    int roundings; /* of each parameter, which its roundoff counts */
    InputPlan plan;
    int samples, noise_runs;
    Tensor ***inputs;   /* of each sample, once it is needed */
    OddSizes *odd;      /* what each odd sample has of its sizes */
    int *order_inputs;  /* for each slot, b's input */
    int *order_outputs; /* for each output of a, b's */
    size_t output_count;
    double products;   /* that the original sums up in the first sample */
    Array **survey[2]; /* both models' outputs of it in float32 */
    /* And the first value of type float16 that is beyond that there. */
    const Value *beyond[2];
    Array ***truth;     /* the original's outputs, of each sample */
    double *magnitudes; /* largest |y|, see numbers_at */
    double *moved;      /* of elements not the same in all runs */
    int64_t *elements;  /* of the truth, of each output in all samples */
    /* What rp_output_verdict calls so, of each sample, see numbers_at. */
    double *algebra, *weights, *noise_floor;
    /* And of each output. */
    double *max_abs, *execution_a, *execution_b;
    Channels *channels; /* of each output, what `weights` is largest over */
    rp_agreement *agreements; /* of each output, on the user's data */
    SharedSet *shared;        /* settled, after the survey */
    bool cuts_known;          /* both models ran in it */
    SegmentResult segments;   /* of the first sample, under b's bound alone */
    Pool *pool;
    double runs, runs_done; /* in double, since it began */
    double told;            /* of all progress, when it began anew */
    /* The output and the sample where the original is not finite. */
    const char *not_finite;
    /* Why b gives no numbers: it does not run, or gives another type, shape
     * or NaN, be it in float32; and the sample. */
    const char *broken;
    int broken_sample;
} Numbers;

/* Prepares everything; the interfaces agree. */
int numbers_init(Numbers *numbers, Err *err);
/* Runs all but the segments that are suspected. Stops early, without error,
 * where not_finite or broken says why. */
int numbers_run(Numbers *numbers, Err *err);
/* The inputs of a sample in the order that a or b takes them. */
int numbers_inputs(const Numbers *numbers, Arena *arena, int sample, bool for_b,
                   Precision precision, Array ***out, Err *err);
/* What to compare in the segments of a sample. */
int numbers_segment_job(const Numbers *numbers, int sample, SegmentJob *out,
                        Err *err);
/* Says which of the models failed, 1 or 2, and on what; -1. */
int numbers_blame(const Numbers *numbers, int model, int sample, Err *err);
/* b is broken, says the numbers' arena. */
void numbers_break(Numbers *numbers, int sample, const char *why);
const char *numbers_output_name(const Numbers *numbers, size_t output);
/* Tells how far it is; a failure when the user has cancelled. */
int numbers_progress(const Numbers *numbers, double runs, Err *err);

/* The number of an output in a sample. */
static inline double *numbers_at(const Numbers *numbers, double *table,
                                 int sample, size_t output)
{
    return &table[(size_t)sample * numbers->output_count + output];
}

#endif
