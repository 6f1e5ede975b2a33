/* How far outputs may be apart, and what a model costs. */
#ifndef REPFOLD_TESTS_FUZZ_MEASURE_H
#define REPFOLD_TESTS_FUZZ_MEASURE_H

#include "model.h"

/* Turns the model into its absolute twin; its inputs must be made absolute as
 * well. */
void bound_twin(Model *model);
/* More roundings than lie on any way through the model. */
double bound_roundings(const Model *model);

/* What a model costs: nodes, weights and biases by reader,
 * multiply-accumulates; NaN where a size is symbolic. */
typedef struct Cost {
    size_t nodes;
    double weights, biases, macs;
} Cost;
Cost cost_of(const Model *model);

#endif
