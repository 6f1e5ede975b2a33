/*
 * The algebra of folding, in double and without any graph.
 *
 * Per-channel affine maps  A(x)[c] = a[c] x + b[c]  and, for convolutions, the
 * lattice of tap offsets that decides which branches can share one kernel.
 */
#ifndef REPFOLD_FOLD_AFFINE_H
#define REPFOLD_FOLD_AFFINE_H

#include <stdbool.h>

#include "base/mem.h"

/* A vector over channels. Size 0 stands for "nothing" (factor 1, summand 0),
 * size 1 for the same number in every channel. Never changed once made. */
typedef struct Vec {
    int64_t size;
    const double *at;
} Vec;

#define VEC_NONE ((Vec){0, NULL})

Vec vec_new(Arena *arena, int64_t size, const double *values);
Vec vec_uniform(Arena *arena, double value);
Vec vec_copy(Arena *arena, Vec vec);
/* The element of channel c; `nothing` for VEC_NONE. */
double vec_get(Vec vec, int64_t c, double nothing);
Vec vec_multiply(Arena *arena, Vec a, Vec b);
Vec vec_add(Arena *arena, Vec a, Vec b);
/* a * x + b where x is a summand: VEC_NONE counts as 0. */
Vec vec_scale(Arena *arena, Vec factor, Vec x);
/* Elements [start, start + length); a uniform vector is its own slice. */
Vec vec_slice(Vec vec, int64_t start, int64_t length);
bool vec_all_equal(Vec vec, double value, double nothing);
bool vec_is_finite(Vec vec);
/* Each element `times` times in a row: channels that were flattened together
 * with what follows them. */
Vec vec_repeat(Arena *arena, Vec vec, int64_t times);

/*
 * One spatial axis of a convolution. Its taps read the input at
 * stride * q + D with the offsets D = { dilation * t - begin }.
 */
typedef struct Axis {
    int64_t taps, stride, dilation, begin, end;
} Axis;

enum { AXES_MAX = 3 };

/* The end slack r = end - max(D). The output size is
 * floor((input + r - 1) / stride) + 1 and depends on nothing else. */
int64_t axis_slack(const Axis *axis);
int64_t axis_output(const Axis *axis, int64_t input);

/* The smallest axis on whose lattice the taps of all `count` axes lie; strides
 * and slacks must be equal. Where the operator has output padding, that is
 * negative padding at the end. False when a number overflows. */
bool axis_union(const Axis *const *axes, int count, bool has_output_padding,
                Axis *out);
/* Where tap t of `part` lands in `whole`: offset + step * t. */
void axis_place(const Axis *part, const Axis *whole, int64_t *offset,
                int64_t *step);

int64_t gcd(int64_t a, int64_t b);

#endif
