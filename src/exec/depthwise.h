/* The inner loops of convolution over one channel. */
#ifndef REPFOLD_EXEC_DEPTHWISE_H
#define REPFOLD_EXEC_DEPTHWISE_H

#include "exec/kernel.h"

/*
 * Output rows of one channel: out = start + sum over taps of weight * from,
 * taps row by row, raised to `least`.  `from` is where the first tap of the
 * first output looks, in a spread plane: see kern_depthwise.c.  It is done in
 * strips, one vector wide and as many rows high as there are registers, whose
 * rows are all computed.
 */
typedef struct Strip {
    const void *from, *weight, *start; /* start: one number, or NULL */
    int64_t from_step;                 /* from input row to input row */
    const int64_t *offsets;            /* of each tap, from the first one */
    int64_t height, width, stride;     /* of the kernel; from row to row */
    double least;
    void *out;
    int64_t rows, columns;
} Strip;
typedef void StripRun(const Strip *strip);

/* Copies rows; writes zeros up to whole vectors, and may read as far. */
typedef void SpreadRun(const void *from, int64_t from_step, int64_t rows,
                       int64_t columns, void *to, int64_t to_step);
/* Copies rows, even and odd columns apart; writes zeros up to whole vectors of
 * each, and may read as far. */
typedef void SpreadPairsRun(const void *from, int64_t from_step, int64_t rows,
                            int64_t columns, void *even, void *odd,
                            int64_t to_step);

/* Copies columns [first, first + columns) of rows that are `width` wide, as if
 * they lay end to end; may read and write a vector beyond. */
typedef struct Gather {
    const void *from;
    int64_t from_step, width;
    int64_t first, columns;
    void *to;
} Gather;
typedef void GatherRun(const Gather *gather);

enum { STRIP_HEIGHTS = 3, STRIP_STRIDES = 2 };

typedef struct DepthwiseSet {
    int rows, lanes;
    StripRun *any;
    /* Where taps are in adjacent rows: kernels 3, 5 and 7 high, with strides 1
     * and 2. */
    StripRun *run[STRIP_HEIGHTS][STRIP_STRIDES];
    StripRun *run_3x3[STRIP_STRIDES];
    SpreadRun *spread;
    SpreadPairsRun *spread_pairs;
    GatherRun *gather;
} DepthwiseSet;

const DepthwiseSet *depthwise_set(Precision precision, SimdLevel level);

#endif
