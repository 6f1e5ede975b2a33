/* The weights of cubic interpolation. */
#ifndef REPFOLD_EXEC_CUBIC_H
#define REPFOLD_EXEC_CUBIC_H

#include <math.h>

/* Keys' cubic convolution (1981), with the free parameter a, at distance x. */
static inline double cubic(double a, double x)
{
    x = fabs(x);
    if (x <= 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    if (x < 2)
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
    return 0;
}

#endif
