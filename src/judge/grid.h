/* The numbers that a real type holds, and how far they are apart. */
#ifndef REPFOLD_JUDGE_GRID_H
#define REPFOLD_JUDGE_GRID_H

#include <math.h>
#include <string.h>

#include "graph/tensor.h"

typedef struct Grid {
    int digits; /* of the significand */
    int least;  /* exponent of the least number above 0 */
} Grid;

static inline Grid grid_of(DType type)
{
    switch (type) {
    case DT_FLOAT16:
        return (Grid){11, -24};
    case DT_BFLOAT16:
        return (Grid){8, -133};
    case DT_DOUBLE:
        return (Grid){53, -1074};
    default:
        return (Grid){24, -149};
    }
}

/* The distance from |value| to the next number: one unit in the last place. */
static inline double grid_ulp(Grid grid, double value)
{
    enum { BIAS = 1023 }; /* of a double's exponent */
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    int power = (int)(bits >> 52 & 0x7ff) + 1 - grid.digits;
    if (power < grid.least + BIAS)
        power = grid.least + BIAS;
    if (power < 1)
        return ldexp(1, power - BIAS);
    bits = (uint64_t)power << 52;
    memcpy(&value, &bits, sizeof value);
    return value;
}

#endif
