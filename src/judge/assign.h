#ifndef REPFOLD_JUDGE_ASSIGN_H
#define REPFOLD_JUDGE_ASSIGN_H

#include "judge/rows.h"

/* All operators of the converted sum. */
typedef struct Merges {
    Merge *items;
    int count;
} Merges;

/* Operators that can take so many parts; false, and the region's proof says
 * why, when the converted sum scales one by more than a number. */
bool merges_make(Region *region, int parts, const Sum *b, Merges *out);

/* Finds for each part of the original's sum the operator that it went into. */
bool merges_assign(Region *region, Merges *merges, const Part *parts,
                   int count);

#endif
