/*
 * Segments: both graphs are cut at the values they share, each piece of b is
 * fed what a computed, and what it makes of that is compared with what a made.
 *
 * Everything is in double, on one sample. Along with each value goes the bound
 * of bound.h; an element may differ by the sum of both graphs' bounds. Pieces
 * whose nodes are the same bit for bit need not run.
 *
 * While a runs, what b needs of it is copied and b follows as soon as it can,
 * so that only what lies between the two is ever held. The run may be anyone's
 * (segments_open): then the bounds of b alone are used, which need nothing but
 * what b's pieces read. What is within them is within both; what is not may
 * still be, and is looked at again by segments_compare.
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

typedef struct Segments Segments;

/* Starts to compare b's pieces with what a run of a in double will be seen to
 * make. NULL where there is nothing to compare. `out` is filled as it goes. */
Segments *segments_open(Arena *arena, const SegmentJob *job,
                        SegmentResult *out);
/* The probe of that run; its context is what segments_open gave. */
int segments_see(void *segments, const Node *node, int output,
                 const Array *array, Err *err);
/* After the run. */
int segments_close(Segments *segments, Err *err);

/* Runs a itself, with the bounds of both. A fault is one in this. */
int segments_compare(Arena *arena, const SegmentJob *job, SegmentResult *out,
                     Err *err);

#endif
