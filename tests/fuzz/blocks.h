/* Pieces of random networks. All work on images (N, C, spatial...) unless said
 * otherwise, and give the value they end with. */
#ifndef REPFOLD_TESTS_FUZZ_BLOCKS_H
#define REPFOLD_TESTS_FUZZ_BLOCKS_H

#include "gen.h"

enum { SPATIAL_MAX = 3 };

/* ---- Affine maps, along any axis ---- */

/* A BatchNormalization with random statistics; its axis is 1. */
Value *gen_batchnorm(Gen *gen, Value *x);
/* One affine map along `axis`: a normalization, a scale, a shift ... */
Value *gen_affine(Gen *gen, Value *x, int axis);
/* Up to `most` of them. */
Value *gen_affines(Gen *gen, Value *x, int axis, int most);

/* ---- Convolutions ---- */

/* What the branches of a sum have in common. */
typedef struct Target {
    int64_t out; /* channels */
    int64_t stride[SPATIAL_MAX], slack[SPATIAL_MAX];
} Target;

typedef struct Window {
    int64_t taps[SPATIAL_MAX], dilation[SPATIAL_MAX];
    int64_t begin[SPATIAL_MAX], end[SPATIAL_MAX];
} Window;

/* A random target that the image is large enough for; `same`: every size stays
 * and so do the channels. */
Target gen_target(Gen *gen, const Value *x, bool same);
/* A random window with that target. */
Window gen_window(Gen *gen, const Target *target, int spatial, int most_taps);
Value *gen_conv(Gen *gen, Value *x, const Target *target, const Window *window);
Value *gen_any_conv(Gen *gen, Value *x, const Target *target);
/* A convolution, 1x1 and unpadded. */
Value *gen_pointwise(Gen *gen, Value *x, int64_t out);
/* An average pool whose divisor is the same everywhere. */
Value *gen_average_pool(Gen *gen, Value *x, const Target *target);
Value *gen_transposed(Gen *gen, Value *x);

/* A tree of sums and scalings whose leaves are branches over `x`, and now and
 * then over `other`, of the same shape. */
Value *gen_tree(Gen *gen, Value *x, Value *other, const Target *target,
                int depth);

/* ---- Regions between nonlinearities ---- */

Value *gen_sum_region(Gen *gen, Value *x);
Value *gen_chain_region(Gen *gen, Value *x);
/* An affine map that goes forward into all its readers. */
Value *gen_forward_region(Gen *gen, Value *x);
/* Operators that affine maps commute with, between linear and affine. */
Value *gen_moving_region(Gen *gen, Value *x);
/* One of those that take some elements of an image. */
Value *gen_taken(Gen *gen, Value *x);
/* A sum of kernels on an image and on what is left of it by a crop. */
Value *gen_crop_region(Gen *gen, Value *x);
/* Convolutions whose results are joined. */
Value *gen_stack_region(Gen *gen, Value *x);
/* A border with what a pointwise convolution gives for zero. */
Value *gen_border_region(Gen *gen, Value *x);
/* Activations and normalizations that runtimes fuse, after a convolution. */
Value *gen_island_region(Gen *gen, Value *x);
/* Parallel transposed convolutions. */
Value *gen_transposed_region(Gen *gen, Value *x);
/* Tokens, (T, C) or (B, T, C), and images by way of tokens. */
Value *gen_token_region(Gen *gen, Value *x);
Value *gen_tokens(Gen *gen, Value *image);

/* ---- What must be left alone ---- */

/* A region that looks foldable and is not, or not all of it. */
Value *gen_trap(Gen *gen, Value *x);
/* A function of another domain with the name of an operator. */
Value *gen_namesake(Gen *gen, Value *x);
/* Calls of a local function. */
Value *gen_function(Gen *gen, Value *x);
/* A value that a subgraph reads by name. */
Value *gen_captured(Gen *gen, Value *x);
/* Gives some value inside the region another reader, or makes it an output. */
void gen_expose(Gen *gen);

#endif
