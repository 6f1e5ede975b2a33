/*
 * The blocks that reparameterizable networks are made of, in training form or,
 * where the net says so, in deploy form, and in the node order of the
 * exporter.  Each takes the scope of its module.
 *
 * MobileOne: Vasu et al. 2022, arXiv 2206.04040.  RepMixer, ConvFFN and patch
 * embedding: FastViT, Vasu et al. 2023, arXiv 2303.14189.  Large kernels: Ding
 * et al. 2022, arXiv 2203.06717.  Positional encoding: Chu et al. 2021, arXiv
 * 2102.10882.
 */
#ifndef REPFOLD_ZOO_BLOCK_H
#define REPFOLD_ZOO_BLOCK_H

#include "zoo/net.h"

/* A square kernel, padded so that stride 1 keeps the size. */
typedef struct ConvShape {
    int64_t out_channels, groups;
    int kernel, stride;
} ConvShape;

Feature block_conv(Net *net, Scope scope, Feature x, ConvShape shape,
                   bool bias);
Feature block_batch_norm(Net *net, Scope scope, Feature x);
/* Children "conv", without bias, and "bn". */
Feature block_conv_bn(Net *net, Scope scope, Feature x, ConvShape shape);
/* What reparameterization makes of the branches of a module. */
Feature block_reparam_conv(Net *net, Scope scope, Feature x, ConvShape shape);
Feature block_relu(Net *net, Scope scope, Feature x);
Feature block_gelu(Net *net, Scope scope, Feature x);
/* x * sigmoid(fc2(relu(fc1(mean of x)))). */
Feature block_squeeze_excite(Net *net, Scope scope, Feature x, int64_t reduced);
/* x * gamma. */
Feature block_layer_scale(Net *net, Scope scope, Feature x);
/* a + b; the sum is called `output` unless that is NULL. */
Feature block_residual(Net *net, Scope scope, Feature a, Feature b,
                       const char *output);

/* act(se(identity + scale + kxk.0 + ...)), of which identity is there where
 * the shape does not change and scale where the kernel is larger than 1. */
typedef struct MobileOne {
    ConvShape conv;
    int branches; /* kxk */
    bool no_scale_branch;
    int64_t se_channels; /* 0: no squeeze and excitation */
    bool gelu;
} MobileOne;
Feature block_mobileone(Net *net, Scope scope, Feature x,
                        const MobileOne *block);

/* Depthwise 7x7 and 3x3 of stride 2, then pointwise. */
Feature block_patch_embedding(Net *net, Scope scope, Feature x,
                              int64_t channels);
/* x + gamma * (mixer(x) - norm(x)). */
Feature block_rep_mixer(Net *net, Scope scope, Feature x);
/* fc2(gelu(fc1(bn(depthwise 7x7)))). */
Feature block_conv_ffn(Net *net, Scope scope, Feature x, int64_t hidden);
/* x + depthwise(x). */
Feature block_positional_encoding(Net *net, Scope scope, Feature x, int kernel);
/* fc(mean of x); makes the value `output`. */
Value *block_classifier(Net *net, Scope scope, Feature x, int64_t classes,
                        const char *output);

/* Multi-head self-attention over the positions; in attention.c. */
enum { HEAD_CHANNELS = 32 };
Feature block_attention(Net *net, Scope scope, Feature x);

#endif
