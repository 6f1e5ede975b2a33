/*
 * Segments: both graphs are cut at the values they share, each piece of b is
 * fed what a computed, and what it makes of that is compared with what a made.
 *
 * Everything is in double, on one sample. Along with each value goes the bound
 * of bound.h, in both graphs; an element may differ by the sum of the two.
 * Pieces whose nodes are the same bit for bit need not run.
 *
 * While a runs, what b needs of it is copied and b follows as soon as it can,
 * so that only what lies between the two is ever held.
 */
#ifndef REPFOLD_JUDGE_SEGMENT_H
#define REPFOLD_JUDGE_SEGMENT_H

#include "judge/shared.h"
#include "repfold.h"

typedef struct SegmentJob {
    SharedSet *shared;                        /* settled */
    Array *const *inputs_a, *const *inputs_b; /* in the order exec_run takes */
    /* What one operation on parameters costs, relatively, where they are
     * stored: see bound.h. */
    double rounding_a, rounding_b;
    Pool *pool;
    /* Non-zero cancels. May be NULL. */
    int (*progress)(void *context, double done);
    void *progress_context;
} SegmentJob;

typedef struct SegmentResult {
    size_t compared;
    size_t same;     /* computed by the same node from the same values */
    size_t left_out; /* a name with two meanings, or beyond any bound */
    const rp_segment_verdict *worst; /* NULL where none was compared */
    rp_segment_verdict *faults;      /* in b's order */
    size_t fault_count, fault_capacity;
} SegmentResult;

int segments_compare(Arena *arena, const SegmentJob *job, SegmentResult *out,
                     Err *err);

#endif
