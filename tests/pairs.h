/* What the pairs of models are built of that certificates tell apart. */
#ifndef REPFOLD_TESTS_PAIRS_H
#define REPFOLD_TESTS_PAIRS_H

#include "folding.h"

enum { CHANNELS = 4 };

/* An image of CHANNELS channels, 6 by 6 or of a size that is not known. */
Value *pair_image(Bench *b, bool sized);
/* A convolution of CHANNELS channels with numbers of its own times a factor,
 * that is still to be added. */
Node *pair_conv(Bench *b, Value *x, uint64_t seed, double factor, int64_t size);
/* One of 3x3, with that padding on all sides. */
Node *pair_padded(Bench *b, Value *x, int64_t pad);
Value *pair_done(Bench *b, Node *node);
Value *pair_point(Bench *b, Value *x, uint64_t seed, double factor);
Value *pair_scaled(Bench *b, Value *x, double factor);
/* Both models call it so. What it reads must be the same without rounding. */
void pair_end(Bench *b, Value *x);

#endif
