/* What the files that compare models share. */
#ifndef REPFOLD_DIFF_H
#define REPFOLD_DIFF_H

#include "api.h"

/* One of the two models. */
typedef struct Side {
    Graph *graph;
    size_t *partner; /* of each node, in the other; NO_NODE where it has none */
    Map *producers;  /* nodes by the names of their first outputs */
} Side;

#define NO_NODE SIZE_MAX

typedef struct Differ {
    Arena *arena;
    const Model *model_a, *model_b;
    Side a, b;
    Map *counterparts; /* values of b by the names of a's */
    /* Of a's nodes: that the partner computes the same value follows from what
     * reads it; does not follow from anything. */
    bool *vouched, *doubtful;
    rp_node_match *matches;
    size_t match_count, match_capacity;
    rp_name_match *initializers;
    size_t initializer_count, initializer_capacity;
} Differ;

/* A value's type and shape. */
const char *fact_text(Arena *arena, const Model *model, const Value *value);
/* What makes a node what it is, but for the values it reads. */
const char *node_attributes(Arena *arena, const Node *node);
/* The tensor's type, shape and elements. */
const char *tensor_digest(Arena *arena, const Tensor *tensor);

/* The node's attributes in the order of their names. */
const Attr **attrs_sorted(Arena *arena, const Node *node);
/* True when the attributes hold the same. */
bool attrs_agree(Arena *arena, const Attr *a, const Attr *b);
/* True when y is what b has for x of a: for a weight one of its shape. */
bool values_agree(const Differ *differ, const Value *x, const Value *y);
/* How b differs from its partner a of the same operator, in words, or NULL:
 * "epsilon 1e-05 -> 0.001, input 0 x -> y". */
const char *node_difference(const Differ *differ, const Node *a, const Node *b);

/* True when both read the same weights, element for element. */
bool weights_agree(const Node *a, const Node *b);

/* Which initializer is which; the nodes are matched. */
void diff_initializers(Differ *differ);

/* Inputs, outputs, opsets and functions. */
void diff_notes(const Differ *differ, rp_diff_info *info);

#endif
