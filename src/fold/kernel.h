/*
 * A folded weight in normal form: a sum of scaled, regrouped and placed source
 * weights,
 *
 *     W[o, c, t] = sum over terms  out[o] * in[c] * S[o, c', (t - offset)/step]
 *
 * which is computed in double when it is read (written, checked, run) and is
 * stored nowhere. Folding a folded kernel again flattens, so a term's source is
 * always a tensor of the file, and each stored weight is rounded once.
 */
#ifndef REPFOLD_FOLD_KERNEL_H
#define REPFOLD_FOLD_KERNEL_H

#include "fold/affine.h"
#include "graph/tensor.h"

/* How a weight tensor is laid out. */
typedef enum Layout {
    LAYOUT_OUT_IN, /* Conv (O, I/g, taps), Gemm with transB */
    LAYOUT_IN_OUT  /* ConvTranspose (I, O/g, taps), Gemm, MatMul */
} Layout;

typedef struct Term {
    /* NULL stands for a depthwise kernel with the same number, `value`, at all
     * taps: an identity, or an average pool. */
    const Tensor *source;
    double value;
    Vec out, in; /* factors by output channel and by input channel */
    int64_t group;
    int64_t taps[AXES_MAX], offset[AXES_MAX], step[AXES_MAX];
} Term;

typedef struct Kernel {
    TensorFormula formula; /* first, so that a formula leads back here */
    Layout layout;
    int64_t out_channels, in_channels, group;
    int64_t taps[AXES_MAX]; /* 1 beyond the spatial rank */
    Term *terms;
    int term_count;
} Kernel;

/* The kernel that is just that tensor. When the tensor is itself a kernel's,
 * it is that kernel. */
Kernel *kernel_from_tensor(Arena *arena, const Tensor *tensor, Layout layout,
                           int64_t out_channels, int64_t in_channels,
                           int64_t group, const int64_t *taps);
/* The depthwise kernel with `value` at all taps. */
Kernel *kernel_uniform(Arena *arena, int64_t channels, double value,
                       const int64_t *taps);

/* A copy that shares nothing but the sources of the terms. */
Kernel *kernel_copy(Arena *arena, const Kernel *kernel);

/* A copy with factors by output or input channel. */
Kernel *kernel_scale(Arena *arena, const Kernel *kernel, Vec out, Vec in);

/* Where the taps of a part land in the whole, by axis. */
typedef struct Placement {
    int64_t offset[AXES_MAX], step[AXES_MAX];
} Placement;

/* The sum of `count` kernels in `group` groups and `taps`. The parts' groups
 * must be multiples of `group`. */
Kernel *kernel_sum(Arena *arena, const Kernel *const *parts,
                   const Placement *placements, int count, int64_t group,
                   const int64_t *taps);

/* The tensor of the kernel, with the given shape. */
Tensor *kernel_tensor(Arena *arena, const Kernel *kernel, DType type, int rank,
                      const int64_t *dims);
/* The kernel behind a tensor, or NULL. */
const Kernel *kernel_of(const Tensor *tensor);

/* sum over c and t of W[o, c, t] * shift[c], for every o: what a shift before
 * an unpadded operator adds to its bias. */
Vec kernel_apply_shift(Arena *arena, const Kernel *kernel, Vec shift);

int64_t kernel_elements(const Kernel *kernel);
/* The output channel that an element is of. */
int64_t kernel_channel(const Kernel *kernel, int64_t index);

#endif
