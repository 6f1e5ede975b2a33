/*
 * Are two sums the same map?  Each operator of the converted graph must hold,
 * rounded once, what the parts of the original's sum add up to on its lattice.
 */
#ifndef REPFOLD_JUDGE_MERGE_H
#define REPFOLD_JUDGE_MERGE_H

#include "judge/sum.h"
#include "repfold.h"

/* What comparing sums has found. */
typedef struct Proof {
    Arena *arena;     /* for `why` */
    const char *why;  /* what is wrong, or NULL */
    uint64_t weights; /* numbers of the converted graph that were compared */
    rp_rounding_info rounding; /* of those, in ulp of the stored type */
} Proof;

/* Takes a number's distance from the exact one, in units in the last place. */
void rounding_take(rp_rounding_info *info, double ulps, bool counts);
void rounding_add(rp_rounding_info *info, const rp_rounding_info *more);

/* Compares the sum of the original with that of the converted graph; `bound`
 * has a number for each channel, to which what differs for |x| <= 1 at every
 * place is added. On failure the region's proof says why. */
bool sums_compare(Region *region, Sum *a, Sum *b, double *bound);

/* How nearly a place of the converted graph is the original's. */
typedef struct Match {
    const double *bound; /* by channel, what rounding changes; or NULL */
    bool is_rounded;     /* some weight that went into it is */
} Match;

/* The same for what an opaque node reads: it must be equal without rounding,
 * or the node must be one that does not increase differences. */
bool sums_match(Region *region, const Place *place, Sum *a, Sum *b,
                Match *match);

/* Tells an opaque place of another one that it is. */
void place_raise(Region *region, Place *place, const Match *match);

#endif
