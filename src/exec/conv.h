/* What the files of convolution share. */
#ifndef REPFOLD_EXEC_CONV_H
#define REPFOLD_EXEC_CONV_H

#include "exec/gemm.h"
#include "exec/window.h"

/* Weights that are not prepared are packed before the run where they are small;
 * otherwise as they are needed, which takes little memory. */
enum { PACKED_BYTES = 1024 * 1024 };

typedef struct Conv {
    Window window;
    int64_t images, groups, group_in, group_out; /* channels in a group */
    const void *in, *weight, *bias; /* bias is NULL where there is none */
    void *out;                      /* NULL of one beside another */
    size_t size;                    /* of an element */
    SimdLevel level;
    Precision precision;
    const Epilogue *epilogue;
    double least; /* what outputs are raised to, see conv_take_relu */
    char *scratch;
    size_t scratch_size; /* of one worker */
} Conv;

/* The weight of a transposed one is (input channels, output channels of a
 * group, kernel ...). */
int conv_make(const KernelCall *call, bool transposed, Conv *conv, Err *err);

/* What a Relu behind the convolution does is left to its inner loops, which
 * raise their results to `least`. */
void conv_take_relu(Conv *conv);

/* Scratch for each worker: so many bytes, and elements in rows and columns; in
 * whole cache lines so that none is shared, and one more, since a vector may
 * go beyond the last element. */
void conv_make_scratch(KernelCall *call, Conv *conv, size_t bytes, int64_t rows,
                       int64_t columns);
void *conv_scratch(const Conv *conv, int worker);

/* Element `index` of an array of the convolution's type. */
static inline void *conv_at(const Conv *conv, const void *data, int64_t index)
{
    return (char *)(uintptr_t)data + (size_t)index * conv->size;
}

/* The call itself, and those beside. */
static inline KernelCall *conv_call(KernelCall *call, int index)
{
    return index == 0 ? call : &call->beside[index - 1];
}

/* The weights of all groups in panels, group by group. */
void *conv_pack_weights(const KernelCall *call, const GemmSet *set,
                        const Array *weight, int64_t groups);

/* Kernels over one channel of their own, in at most two dimensions: that of
 * the call, and those beside. */
void conv_run_depthwise(KernelCall *call, Conv *convs, int count);

/* kern_direct.c: in at most two dimensions, and with so many output channels
 * that they fill vectors. */
bool conv_is_direct(const KernelCall *call, const Array *weight,
                    int64_t groups);
/* The weights in panels, for good or for this call. */
void *conv_pack_direct(const KernelCall *call, const Array *weight,
                       int64_t groups);
/* What prepare_conv has made of the weights; NULL for nothing. */
const void *conv_packed(const KernelCall *call);
/* The call's, and those beside. */
void conv_run_direct(KernelCall *call, Conv *convs, int count);

#endif
