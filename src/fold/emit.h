/* Making the nodes that replace a fold's. */
#ifndef REPFOLD_FOLD_EMIT_H
#define REPFOLD_FOLD_EMIT_H

#include "fold/site.h"

/* What becomes one node is made of so many of the file's at most: half of what
 * the judge looks at to certify it. */
enum { NODES_MAX = 1 << 13 };

/* How many of the file's nodes it is made of; a sum of such numbers, which is
 * no more than it takes to be above NODES_MAX. */
int node_size(const Node *node);
int nodes_sum(int a, int b);

/* The nodes of one fold until they are put in place, each with the consumed
 * node in whose place it will stand. There its inputs exist already, and so
 * readers of a shape further on can read it from what is new. */
typedef struct Emission {
    Node **nodes, **places;
    size_t count, capacity, place_capacity;
    Node *place; /* for the nodes that are added next */
} Emission;

void emission_add(Fold *fold, Emission *emission, Node *node);
/* Puts all nodes in place. */
void emission_place(Fold *fold, const Emission *emission);

/* A value like `like` with a fresh name. */
Value *emission_value(Fold *fold, const Value *like);

/* A constant vector of `size` elements, rounded once when it is stored. */
Value *emit_vec(Fold *fold, Emission *emission, Vec vec, int64_t size,
                DType type, const char *stem);

/* The nodes that compute kernel * input + bias in the manner of `like`, whose
 * attributes they take, into `out`. A weight that did not change (kernel ==
 * like->kernel) is the same initializer. Returns how many nodes it adds. */
int emit_linear(Fold *fold, Emission *emission, const Linear *like,
                const Kernel *kernel, Vec bias, Value *out);
/* How many nodes emit_linear would add. */
int linear_node_count(const Linear *like, Vec bias);

/* NOT_FINITE, F16_OVERFLOW or F16_UNDERFLOW, and the number, when a folded
 * weight or bias does not fit its type. */
Reason numbers_obstacle(Fold *fold, const Kernel *kernel, Vec bias, DType type,
                        const char **fact);

/* What a fold is reported with. */
typedef struct Account {
    RuleSet rules;
    const Node *const *consumed; /* that went into the emitted nodes */
    size_t consumed_count;
    double macs_before, macs_after;
    bool static_size; /* it holds for the image size of the file alone */
} Account;

void fold_record(Fold *fold, const Emission *emission, const Account *account);

#endif
