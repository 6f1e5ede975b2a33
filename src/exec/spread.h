/*
 * Planes made ready for convolution.
 *
 * The rows of a plane that some output rows see are copied with their borders,
 * and column by column sorted modulo the stride, so that what a kernel
 * position sees is contiguous for any stride, and no inner loop knows of
 * borders.  For a window in at most two dimensions.
 */
#ifndef REPFOLD_EXEC_SPREAD_H
#define REPFOLD_EXEC_SPREAD_H

#include "exec/conv.h"
#include "exec/depthwise.h"

typedef struct Spread {
    const Conv *conv;
    const DepthwiseSet *set;
    bool fits;   /* a row of the input, with the padding before it */
    bool steady; /* what is outside of the plane is always in the same place */
    int64_t phase_size, row_size; /* in elements */
    int64_t *offsets;             /* of each kernel position */
} Spread;

/* The layout; `offsets` are in call->arena. */
void spread_make(const KernelCall *call, const Conv *conv,
                 const DepthwiseSet *set, Spread *out);
/* How many rows `count` output rows see. */
int64_t spread_rows(const Spread *spread, int64_t count);
/* Spreads what output rows [first, first + count) see of a plane. What is
 * outside of the plane's columns, and where `steady` of its rows, must be zeros
 * already and stays so from one plane to the next. */
void spread_band(const Spread *spread, int64_t plane, int64_t first,
                 int64_t count, void *to);

#endif
