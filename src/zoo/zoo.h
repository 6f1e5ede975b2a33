/* Architectures as data. One description makes the graph; weights come from a
 * source: a seed here, a checkpoint later. */
#ifndef REPFOLD_ZOO_ZOO_H
#define REPFOLD_ZOO_ZOO_H

#include "graph/graph.h"
#include "repfold.h"

/* Where the weights come from: by the parameter's name in the training-form
 * state dict ("stages.0.blocks.1.token_mixer.mixer.conv_kxk.0.bn.weight"). */
typedef struct WeightSource {
    int (*tensor)(struct WeightSource *self, Arena *arena, const char *name,
                  DType type, int rank, const int64_t *dims, Tensor **out,
                  Err *err);
} WeightSource;

/* Names of the variants, ended by NULL. */
extern const char *const zoo_variants[];

/* Builds the training-form graph of a variant. */
int zoo_build(Arena *arena, const rp_sample_options *options,
              WeightSource *weights, Model **out, Err *err);

/* Weights, statistics and scales at random, the same for the same seed. */
WeightSource *weights_from_seed(Arena *arena, uint64_t seed);

#endif
