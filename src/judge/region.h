/*
 * The regions of two graphs that end at one value, from there back to values
 * that both are known to compute.
 */
#ifndef REPFOLD_JUDGE_REGION_H
#define REPFOLD_JUDGE_REGION_H

#include "judge/merge.h"

/* Values whose nodes are in a region, each after what it is computed from. */
typedef struct Regions {
    Known **original, **converted;
    size_t original_count, converted_count;
} Regions;

/* Finds both; false when they are too large to look at. */
bool regions_find(Region *region, Known *a, Known *b, Regions *out);
/* Reads a graph's region and gives the sum of the value it ends at. */
Sum *regions_read(Region *region, Known *const *values, size_t count,
                  bool is_original);

#endif
