/*
 * Sights: how an affine map looks on the other side of an operator that it
 * commutes with (C9, C10, C14, C17).
 */
#ifndef REPFOLD_FOLD_SIGHT_H
#define REPFOLD_FOLD_SIGHT_H

#include "fold/site.h"

typedef struct Sight {
    Vec scale, shift;
    int axis; /* along which they lie; -1 while uniform */
} Sight;

#define SIGHT_NOTHING ((Sight){VEC_NONE, VEC_NONE, -1})

/* Operators that at least some affine maps commute with: Identity, what only
 * moves elements, averages whose weights sum to 1, and with conditions Relu,
 * its like and MaxPool. */
bool node_commutes(const Fold *fold, const Node *node);
/* Whether this map does. */
bool sight_commutes(const Node *mover, const Sight *sight);

/* From the node's output to one of its inputs; false when the map is none along
 * one axis there. */
bool sight_back(const Fold *fold, const Node *node, int slot, Sight *sight);
/* From an input to an output. */
Reason sight_forward(const Fold *fold, const Node *node, int slot, int output,
                     Sight *sight);

#endif
