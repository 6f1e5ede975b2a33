/*
 * Col2Im: blocks of an image, which may overlap, are added up where they lie,
 * as torch's fold does.  Each column of the input is one block; its rows are
 * (channel, position in the block).
 */
#include <string.h>

#include "exec/kernel.h"

typedef struct Blocks {
    int axes;
    /* Of each spatial axis: the image, the block, and how many blocks. */
    int64_t image[RANK_MAX], taps[RANK_MAX], count[RANK_MAX];
    int64_t stride[RANK_MAX], dilation[RANK_MAX], pads[2 * RANK_MAX];
    int64_t image_size, tap_count, block_count; /* products */
    const void *in;
    void *out;
    Storage storage;
} Blocks;

/* Where in the image an element of a block lies, -1 in its padding. */
static int64_t image_index(const Blocks *b, int64_t tap, int64_t block)
{
    int64_t index = 0, step = 1;
    for (int i = b->axes - 1; i >= 0; i--) {
        int64_t at = block % b->count[i] * b->stride[i] +
                     tap % b->taps[i] * b->dilation[i] - b->pads[i];
        if (at < 0 || at >= b->image[i])
            return -1;
        index += at * step;
        step *= b->image[i];
        block /= b->count[i];
        tap /= b->taps[i];
    }
    return index;
}

#include "exec/real_f32.h"

#include "exec/kern_col2im.inc.c"

#include "exec/real_f64.h"

#include "exec/kern_col2im.inc.c"

static void blocks_piece(void *context, int worker, int64_t begin, int64_t end)
{
    const Blocks *b = context;
    (void)worker;
    for (int64_t i = begin; i < end; i++)
        if (b->storage == STORAGE_F32)
            add_blocks_f32(b, i);
        else
            add_blocks_f64(b, i);
}

/* An attribute of `count` entries, by default `least`, and none below. */
static int read_list(const KernelCall *call, const char *name, int count,
                     int64_t least, int64_t *out, Err *err)
{
    const int64_t *values = NULL;
    int64_t given = node_ints(call->node, name, &values);
    bool fits = given < 0 || given == count;
    for (int i = 0; i < count && fits; i++) {
        out[i] = given < 0 ? least : values[i];
        fits = out[i] >= least && out[i] <= INT32_MAX;
    }
    return fits ? 0
                : err_set(err, ERR_BAD_ATTRIBUTE, "its %s do not fit", name);
}

/* How many blocks fit on an axis of the padded image. */
static int64_t blocks_on(const Blocks *b, int i)
{
    int64_t reach = b->dilation[i] * (b->taps[i] - 1) + 1;
    int64_t room = b->image[i] + b->pads[i] + b->pads[b->axes + i] - reach;
    return room < 0 ? 0 : room / b->stride[i] + 1;
}

static int blocks_read(const KernelCall *call, Blocks *b, Err *err)
{
    const Array *in = call->inputs[0], *out = call->outputs[0];
    const Array *taps = call->inputs[2];
    b->axes = out->rank - 2;
    TRY(read_list(call, "strides", b->axes, 1, b->stride, err));
    TRY(read_list(call, "dilations", b->axes, 1, b->dilation, err));
    TRY(read_list(call, "pads", 2 * b->axes, 0, b->pads, err));
    if (taps->count != b->axes)
        return err_set(err, ERR_BAD_SHAPE, "its block has %lld axes, not %d",
                       (long long)taps->count, b->axes);
    for (int i = 0; i < b->axes; i++) {
        b->image[i] = out->dims[2 + i];
        b->taps[i] = kernel_int(call, taps, i);
        if (b->taps[i] < 1 || b->taps[i] > INT32_MAX)
            return err_set(err, ERR_BAD_SHAPE, "a size of its block is %lld",
                           (long long)b->taps[i]);
        b->count[i] = blocks_on(b, i);
    }
    b->tap_count = dims_product(b->taps, 0, b->axes);
    b->block_count = dims_product(b->count, 0, b->axes);
    b->image_size = dims_product(b->image, 0, b->axes);
    if (in->dims[1] != out->dims[1] * b->tap_count ||
        in->dims[2] != b->block_count)
        return err_set(err, ERR_BAD_SHAPE,
                       "its image does not have as many blocks");
    return 0;
}

int kernel_col2im(KernelCall *call, Err *err)
{
    const Array *out = call->outputs[0];
    Blocks b = {.in = call->inputs[0]->data,
                .out = out->data,
                .storage = kernel_storage(call, out)};
    TRY(blocks_read(call, &b, err));
    pool_run(call->pool, out->dims[0] * out->dims[1], 1, blocks_piece, &b);
    return 0;
}
