/*
 * Sums of contiguous reals in double.  Eight sums run side by side and are
 * added up in the end, in that order on every machine.  And the largest of
 * them.
 */
#ifndef REPFOLD_EXEC_SUMS_H
#define REPFOLD_EXEC_SUMS_H

#include <math.h>

#include "exec/simd.h"

enum { SUMS = 8, MAXIMA = 16 };

typedef double Sums __attribute__((vector_size(SUMS * sizeof(double))));

/* The lanes, halved three times. */
#define SUMS_TOTAL(s)                                                          \
    (((s)[0] + (s)[4] + ((s)[2] + (s)[6])) +                                   \
     ((s)[1] + (s)[5] + ((s)[3] + (s)[7])))

#include "exec/real_f32.h"

#include "exec/sums.inc.c"

#include "exec/real_f64.h"

#include "exec/sums.inc.c"

#endif
