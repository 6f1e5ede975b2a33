/* Rounding to integers of few bits. */
#ifndef REPFOLD_EXEC_QUANTIZE_H
#define REPFOLD_EXEC_QUANTIZE_H

#include <math.h>

#include "exec/integer.h"
#include "graph/tensor.h"

/* A whole number, plus the zero point, as the nearest of the range, which is
 * one of at most 32 bits. What is no number counts as 0. */
static inline int64_t saturate(double whole, int64_t zero, IntegerRange range)
{
    /* Out of range, whatever the zero point. */
    static const double FAR_OUT = 0x1p34;
    if (isnan(whole))
        whole = 0;
    int64_t number = (int64_t)fmin(fmax(whole, -FAR_OUT), FAR_OUT);
    return clamp(number + zero, range.least, range.most);
}

#endif
