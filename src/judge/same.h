/* Are two nodes, two constants, the same, bit for bit? */
#ifndef REPFOLD_JUDGE_SAME_H
#define REPFOLD_JUDGE_SAME_H

#include "judge/track.h"

/* Type, shape and elements as stored. */
bool tensor_same(const Tensor *a, const Tensor *b);
/* An attribute that holds a graph is the same as no other. */
bool attr_same(const Attr *a, const Attr *b);
/* Operator, attributes and number of values; one that holds a graph is the
 * same as no other. What the functions of the models are is not looked at. */
bool node_same(const Node *a, const Node *b);
/* Both models have the same functions, value by value; one with a node that
 * holds a graph is the same as no other. */
bool functions_same(const Model *a, const Model *b);
/* Of two constant cells. */
bool constant_same(const Cell *a, const Cell *b);

#endif
