/* Interpolation: a weighted sum of neighbours. */
#ifndef REPFOLD_EXEC_TAP_H
#define REPFOLD_EXEC_TAP_H

#include <stdint.h>

/* One neighbour: where it lies in a channel, and what it counts. */
typedef struct Tap {
    int64_t offset;
    double weight;
} Tap;

/* Of two axes. */
enum { PLANE_TAPS = 4 };

/* The neighbours in a plane whose rows have `width` elements, of two on each
 * axis. */
static inline void taps_cross(const Tap y[2], const Tap x[2], int64_t width,
                              Tap *taps)
{
    for (int t = 0; t < PLANE_TAPS; t++)
        taps[t] = (Tap){y[t / 2].offset * width + x[t % 2].offset,
                        y[t / 2].weight * x[t % 2].weight};
}

#endif
