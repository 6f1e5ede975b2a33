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
    /* It may only be taken through nodes that move elements: channels are in
     * other places, or only some are read, or it came through a sum. */
    bool moves_only;
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
/* From the first input to an output. */
Reason sight_forward(const Fold *fold, const Node *node, int output,
                     Sight *sight);

/* ---- sight_meet.c: where several values meet ---- */

/* Concat, or Add, Sub and Sum of what is computed. */
bool node_meets(const Fold *fold, const Node *node);
/* What maps of a meeting's inputs, NULL where an input has none, are of its
 * output: Concat has each along its own channels; a sum has their one scale, if
 * all have it, and all shifts. */
Reason sight_meet(const Fold *fold, const Node *node,
                  const Sight *const *sights, Sight *out);
/* Each input of a Concat has a part of the numbers. */
bool sight_back_concat(const Fold *fold, const Node *node, int slot,
                       Sight *sight);

#endif
