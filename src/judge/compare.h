/*
 * The one comparison of arrays, with one policy: type and shape agree; NaN
 * equals only NaN; an infinity equals only itself, whatever the tolerance;
 * integers are equal or not; reals differ by no more than the tolerance.
 */
#ifndef REPFOLD_JUDGE_COMPARE_H
#define REPFOLD_JUDGE_COMPARE_H

#include "exec/exec.h"

/* An array and how it is held. */
typedef struct Operand {
    const Array *array;
    Precision precision;
} Operand;

typedef struct Tolerance {
    double rtol, atol;    /* |a - b| <= atol + rtol * |b| */
    const double *bounds; /* in place of both, one for each element; or NULL */
} Tolerance;

typedef enum CompareResult {
    COMPARE_EQUAL, /* within the tolerance everywhere */
    COMPARE_ABSENT,
    COMPARE_TYPE,
    COMPARE_SHAPE,
    COMPARE_VALUES
} CompareResult;

/* Where elements are compared, `count` is how many: 0 only where the shape
 * says so, and a caller for whom that proves nothing must look at it. */
typedef struct Comparison {
    CompareResult result;
    int64_t count, wrong;
    int64_t first;      /* wrong element; -1 where none is */
    int64_t worst;      /* element of max_ratio; -1 where none differs */
    double max_abs;     /* infinite where NaN or infinity met anything else */
    double max_ulp;     /* |a - b| in units of b's last place */
    double max_ratio;   /* |a - b| / tolerance */
    double magnitude;   /* largest finite |b| */
    double moved;       /* the same of the elements that differ */
    int64_t not_finite; /* NaN and infinities in b */
} Comparison;

/* Compares `a`, what was computed, with `b`, what was expected. */
void compare_arrays(Operand a, Operand b, const Tolerance *tolerance,
                    Comparison *out);

/* What is wrong, in words; "equal" where nothing is. */
const char *compare_text(Arena *arena, const Comparison *comparison, Operand a,
                         Operand b);

#endif
