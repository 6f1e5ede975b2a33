/*
 * One operator of the converted graph, held against what the parts of the
 * original's sum add up to on its lattice: row by row, so that no more than a
 * row of numbers is ever computed.
 */
#ifndef REPFOLD_JUDGE_ROWS_H
#define REPFOLD_JUDGE_ROWS_H

#include "judge/merge.h"

/* A part, and where it lands. */
typedef struct Summand {
    const Operator *linear;
    Coefs out, in;
    const int64_t *taps; /* where each of its taps is in the whole */
    int64_t tap_count;
    bool fills; /* its taps are the whole's */
} Summand;

/* What rounding the weight makes of the shift that it reads, which is in the
 * bias of the sum; and how far that may be off, in double. */
typedef struct Drift {
    double away, noise;
} Drift;

struct Bench;

typedef struct Merge {
    const Operator *whole;
    const Part *part; /* that the whole is in the converted sum */
    bool *is_read;    /* by output channel, where only some are; or NULL */
    Coefs factor;     /* with which it goes into the sum, or none */
    Summand *summands;
    int count;
    Residue *y;    /* by output channel: what the exact kernel makes of x */
    double *bound; /* by output channel */
    Drift *drifts; /* by output channel; all 0 where the part has no shift */
    int steps;     /* roundings in double on the way to each number */
    /* While it runs: */
    const Residue *x;
    double inside; /* by which the place may differ, from rounding before it */
    double noise;  /* of double, relative to the sum of magnitudes */
    DType type;
    int64_t width; /* of a row */
    bool counts;   /* roundings, for a histogram */
    struct Bench *benches;
} Merge;

/* Fills y, bound and drifts; false, and the region's proof says why, when a
 * stored number is not what it should be. */
bool merge_run(Region *region, Merge *merge);

/* Whether so many rows, spread over all, are what they should be. */
bool merge_fits(Region *region, Merge *merge, int rows);

#endif
