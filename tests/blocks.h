/* Blocks that several tests of folding build: see blocks.c. */
#ifndef REPFOLD_TESTS_BLOCKS_H
#define REPFOLD_TESTS_BLOCKS_H

#include "folding.h"

#define DW(channels, k)                                                        \
    ((ConvShape){.kernel = (k), .pad = (k) / 2, .group = (channels)})
#define SAME(k) ((ConvShape){.kernel = (k), .pad = (k) / 2})

Value *conv_bn(Bench *b, Value *x, ConvShape shape);
/* A condition that holds, and one that an input decides (and that holds when
 * the test runs). */
Value *always(Bench *b);
Value *sometimes(Bench *b);
/* An If whose branches read the value by name, each for a Relu. */
Value *read_in_branches(Bench *b, Value *x);

Build build_conv_bn, build_shared_weight, build_repvgg, build_pool_branch,
    build_pad_conv, build_training, build_costly, build_half_plain,
    build_half_tiny, build_half_overflow, build_half_vanishing, build_gelu;

#endif
