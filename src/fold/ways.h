/*
 * Ways: how an affine map gets from a value into all linear operators that read
 * it, directly or through operators that it commutes with.
 */
#ifndef REPFOLD_FOLD_WAYS_H
#define REPFOLD_FOLD_WAYS_H

#include "fold/emit.h"
#include "fold/form.h"
#include "fold/sight.h"

/* An operator on the way that the map commutes with. */
typedef struct Step {
    Node *mover;
    int slot;     /* where it reads the map's output, or another step's */
    int parent;   /* that step, or -1 */
    int output;   /* of the parent, that it reads */
    Value **made; /* what its copy gives, once there is one */
} Step;

/* A linear operator at the end of a way. */
typedef struct Target {
    int step;   /* the last one before it, or -1 */
    int output; /* of that step */
    Linear linear;
    Node *adder;          /* an Add after MatMul that holds its bias, or NULL */
    Vec scale, shift;     /* by input channel of the linear operator */
    const Kernel *kernel; /* what the operator becomes */
    Vec bias;
} Target;

/* All ways from the map: every reader must end in a linear operator. */
typedef struct Ways {
    Step steps[BRANCHES_MAX];
    Target targets[BRANCHES_MAX];
    int step_count, target_count;
    const char *fact; /* what stands in the way */
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
