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
    /* Axes that follow, and that they lie along as well, in row-major order:
     * where channels are cut into groups of groups (channel shuffle). */
    int more;
    bool has_moved; /* channels are in other places, or only some are read */
} Sight;

#define SIGHT_NOTHING ((Sight){.axis = -1})

/* Operators that at least some affine maps commute with: Identity, what only
 * moves elements, averages whose weights sum to 1, and with conditions Relu,
 * its like and MaxPool. */
bool node_commutes(const Fold *fold, const Node *node);
/* Whether this map does. */
bool sight_commutes(const Node *mover, const Sight *sight);

/* From one of the node's outputs to one of its inputs; false when the map is
 * none along the channels there. Of channels that the output does not have it
 * leaves alone what they hold: others may read them. */
bool sight_back(const Fold *fold, const Node *node, int slot, int output,
                Sight *sight);
/* From an input to an output. */
Reason sight_forward(const Fold *fold, const Node *node, int slot, int output,
                     Sight *sight);

#endif
