/* Are two nodes, two constants, the same, bit for bit? */
#ifndef REPFOLD_JUDGE_SAME_H
#define REPFOLD_JUDGE_SAME_H

#include "judge/track.h"

/* Type, shape and elements as stored. */
bool tensor_same(const Tensor *a, const Tensor *b);
/* An attribute that holds a graph is the same as no other. */
bool attr_same(const Attr *a, const Attr *b);
/* Operator, attributes and number of values; one that holds a graph is the
 * same as no other. */
bool node_same(const Node *a, const Node *b);
/* Of two constant cells. */
bool constant_same(const Cell *a, const Cell *b);

#endif
