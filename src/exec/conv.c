#include "exec/conv.h"

#include <math.h>

int conv_make(const KernelCall *call, bool transposed, Conv *conv, Err *err)
{
    const Array *in = call->inputs[0], *weight = call->inputs[1];
    const Array *bias = kernel_input(call, 2), *out = call->outputs[0];
    if (in->rank < 3 || weight->rank != in->rank || out->rank != in->rank)
        return err_set(err, ERR_BAD_SHAPE,
                       "input of rank %d and weight of rank %d do not fit",
                       in->rank, weight->rank);
    *conv = (Conv){.in = in->data,
                   .weight = weight->data,
                   .bias = bias ? bias->data : NULL,
                   .out = out->data,
                   .images = in->dims[0],
                   .groups = node_int(call->node, "group", 1),
                   .size = storage_size(kernel_storage(call, in)),
                   .level = call->level,
                   .precision = call->precision,
                   .epilogue = call->epilogue,
                   .least = -INFINITY};
    int64_t channels = in->dims[1], outputs = out->dims[1];
    if (conv->groups < 1 || channels % conv->groups || outputs % conv->groups)
        return err_set(err, ERR_BAD_SHAPE,
                       "%lld groups do not divide its channels",
                       (long long)conv->groups);
    conv->group_in = channels / conv->groups;
    conv->group_out = outputs / conv->groups;
    bool fits =
        transposed
            ? weight->dims[0] == channels && weight->dims[1] == conv->group_out
            : weight->dims[0] == outputs && weight->dims[1] == conv->group_in;
    if (!fits || (bias && (bias->rank != 1 || bias->dims[0] != outputs)))
        return err_set(err, ERR_BAD_SHAPE,
                       "its weight or bias does not fit its channels");
    return window_make(call, in, out, weight->dims + 2, transposed,
                       &conv->window, err);
}

void conv_take_relu(Conv *conv)
{
    if (!conv->epilogue || !conv->epilogue->is_relu)
        return;
    conv->epilogue = NULL;
    conv->least = 0;
}

void conv_make_scratch(KernelCall *call, Conv *conv, size_t bytes, int64_t rows,
                       int64_t columns)
{
    size_t workers = (size_t)pool_threads(call->pool), area;
    if (__builtin_mul_overflow((size_t)rows * conv->size, (size_t)columns,
                               &area) ||
        area > SIZE_MAX / 4)
        area = SIZE_MAX / 4; /* beyond reason is out of memory */
    /* A vector beyond may be read, and written. */
    conv->scratch_size = (bytes + area + 63) / 64 * 64 + 64;
    conv->scratch = kernel_scratch(call, workers, conv->scratch_size);
}

void *conv_scratch(const Conv *conv, int worker)
{
    return conv->scratch + (size_t)worker * conv->scratch_size;
}
