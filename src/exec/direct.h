/* The inner loops of convolution without an im2col. */
#ifndef REPFOLD_EXEC_DIRECT_H
#define REPFOLD_EXEC_DIRECT_H

#include "exec/kernel.h"

enum { DIRECT_LEAST = 2, DIRECT_MOST = 3 }; /* vectors of output channels */

/*
 * Some positions beside each other of some output channels:
 * out[channel][i] = start[channel] + sum over the steps k of
 * weight[k][channel] * from[offsets[k] + i], raised to `least`.
 */
typedef struct DirectTile {
    const void *from;
    const int64_t *offsets;
    int64_t steps;
    const void *weight, *start; /* of whole vectors */
    int64_t weight_step;        /* from step to step */
    const char *ahead;          /* what is fetched meanwhile, */
    int64_t ahead_step;         /* so many bytes a step */
    double least;               /* what outputs are raised to */
    void *out;
    int64_t out_step; /* from channel to channel */
    int64_t channels; /* that are wanted */
} DirectTile;
typedef void DirectRun(const DirectTile *tile);

enum { DIRECT_POSITIONS = 8 };

typedef struct DirectSet {
    int positions, lanes; /* of a tile, at most; elements of a vector */
    /* For 1 to `positions` positions, DIRECT_LEAST to DIRECT_MOST vectors of
     * channels, which are a step's weights. */
    DirectRun *run[DIRECT_POSITIONS][DIRECT_MOST - DIRECT_LEAST + 1];
    /* For 1 to DIRECT_MOST vectors of positions: the same sums, with less to do
     * in the end. */
    DirectRun *run_across[DIRECT_MOST];
} DirectSet;

const DirectSet *direct_set(Precision precision, SimdLevel level);

#endif
