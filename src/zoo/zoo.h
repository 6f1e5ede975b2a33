/* Architectures as data. One description makes the graph; weights come from a
 * source: a seed, or a checkpoint. */
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

/* ---- Checkpoints ---- */

/* A tensor of a checkpoint, whatever its names are like. */
typedef struct ZooTensor {
    const char *name;
    int rank;
    const int64_t *dims;
} ZooTensor;

typedef struct ZooList {
    const ZooTensor *tensors;
    size_t count;
} ZooList;

/* What network the tensors are of. */
typedef struct ZooMatch {
    const char *variant; /* "fastvit_sa12", or "FastViT" of other widths */
    const struct Architecture *architecture;
    const void *description;
    /* Of each tensor: its name as a WeightSource is asked for it, or NULL
     * where it belongs to no network of the architecture. */
    const char **names;
    bool deploy;     /* its branches are merged */
    int64_t classes; /* 0: there is no classifier */
} ZooMatch;

/* Recognises the network by names and shapes, or takes the variant as given.
 */
int zoo_match(Arena *arena, const ZooList *list, const char *variant,
              ZooMatch *out, Err *err);

/* Builds its graph. Of the options those that the match does not tell are
 * used: size, dense, dynamic and dtype. */
int zoo_build_match(Arena *arena, const ZooMatch *match,
                    const rp_sample_options *options, WeightSource *weights,
                    Model **out, Err *err);

/* True where a classifier's tensor of that name is not needed for the
 * feature maps alone. */
bool zoo_only_classifies(const ZooMatch *match, const char *name);

#endif
