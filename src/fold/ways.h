/*
 * Ways: how an affine map gets from a value into all linear operators that read
 * it, directly or through operators that it commutes with.
 */
#ifndef REPFOLD_FOLD_WAYS_H
#define REPFOLD_FOLD_WAYS_H

#include "fold/emit.h"
#include "fold/form.h"
#include "fold/sight.h"

/* A value that has the map in it: what the map gives, or a node on the way. */
typedef struct Spot {
    const Value *value;
    Sight sight;
    int depth;   /* nodes on the way to it */
    Value *made; /* the same without the map, once there is one */
} Spot;

/* A linear operator at the end of a way. */
typedef struct Target {
    int spot; /* that it reads */
    Linear linear;
    Node *adder;          /* an Add after MatMul that holds its bias, or NULL */
    Vec scale, shift;     /* by input channel of the linear operator */
    const Kernel *kernel; /* what the operator becomes */
    Vec bias;
} Target;

/* All ways from the map: every reader must end in a linear operator, or meet
 * others in a sum where nothing is left of it. Ways may meet in a Concat or a
 * sum and go on. */
typedef struct Ways {
    Spot spots[BRANCHES_MAX];
    Node *steps[BRANCHES_MAX]; /* on the ways, in the graph's order */
    Target targets[BRANCHES_MAX];
    Node *open[BRANCHES_MAX]; /* readers that are still to be looked at */
    int spot_count, step_count, target_count, open_count;
    bool joins_others; /* a sum has summands without the map */
    const char *fact;  /* what stands in the way */
} Ways;

/* Finds them; or a reason, with the fact in `ways->fact`. */
Reason ways_find(Fold *fold, Ways *ways, const Value *value,
                 const Sight *sight);
/* The value that the last operator of all will give. */
const Value *ways_last(const Ways *ways);
/* The rules that taking the map along them is. */
RuleSet ways_rules(const Ways *ways);

/* Nodes on the ways and at their ends: at most WAYS_NODES_MAX. */
enum { WAYS_NODES_MAX = 3 * BRANCHES_MAX };
/* What taking the map along them is reported with. `consumed` has the map's
 * node, and room for those on the ways behind it. */
Account ways_account(const Ways *ways, const Node **consumed);
/* Adds the operators that have taken the map; they read `input`. */
void ways_emit(Fold *fold, Ways *ways, Value *input, Emission *emission);

#endif
