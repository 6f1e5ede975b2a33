/* Differences of an output by channel, for a reader who looks for the one. */
#ifndef REPFOLD_JUDGE_CHANNELS_H
#define REPFOLD_JUDGE_CHANNELS_H

#include "exec/exec.h"

typedef struct Channels {
    double *errors; /* largest |difference| / max |y|, by index of axis 1 */
    size_t count;
} Channels;

/* Raises each channel's number to that of two arrays of doubles of one shape;
 * `scale` is max |y|. An array of rank 1 has its channels on axis 0; one
 * without axes, or with another number of channels than before, or with more
 * than a reader can look at, has none. */
void channels_measure(Arena *arena, Channels *channels, const Array *array,
                      const Array *truth, double scale);

#endif
