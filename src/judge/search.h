/* A search for the ways to read two regions in which they are the same. */
#ifndef REPFOLD_JUDGE_SEARCH_H
#define REPFOLD_JUDGE_SEARCH_H

#include "judge/region.h"

/* True when there is one: the original's sum is *a then, and *bounds are what
 * rounding changes of it. Otherwise the proof says why the first try failed. */
bool readings_try(Region *region, Regions *regions, Sum **a, double **bounds);

#endif
