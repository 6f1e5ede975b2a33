/* What models are made of, as far as rounding goes. */
#ifndef REPFOLD_JUDGE_TRAITS_H
#define REPFOLD_JUDGE_TRAITS_H

#include "graph/graph.h"

typedef struct Traits {
    double roundoff; /* of the coarsest parameter */
    double longest;  /* sum of products with a constant weight */
} Traits;

/* The coarser and longer of what is there and what a model has. */
void traits_take(Traits *traits, const Model *model);
/* The length of the sums that a linear node makes with a constant weight; 1
 * for any other. */
double node_sum_length(const Node *node);

#endif
