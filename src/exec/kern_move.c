/* Operators that only move elements. */
#include <string.h>

#include "exec/integer.h"
#include "exec/move.h"

static size_t element_size(const KernelCall *call)
{
    return storage_size(kernel_storage(call, call->inputs[0]));
}

/* Transpose: axis i of the output is axis perm[i] of the input; without perm
 * the axes are reversed. */
int kernel_transpose(KernelCall *call, Err *err)
{
    const Array *in = call->inputs[0], *out = call->outputs[0];
    const int64_t *perm = NULL;
    int64_t count = node_ints(call->node, "perm", &perm);
    if (count >= 0 && count != in->rank)
        return err_set(err, ERR_BAD_ATTRIBUTE,
                       "perm does not have the input's rank %d", in->rank);
    Strided all = strided_all(in), from = {.data = in->data};
    for (int i = 0; i < in->rank; i++) {
        int axis = in->rank - 1 - i;
        if (count >= 0)
            TRY(kernel_axis(perm[i], in->rank, &axis, err));
        from.strides[i] = all.strides[axis];
    }
    Strided to = strided_all(out);
    move_block(call, element_size(call), out->rank, out->dims, &from, &to);
    return 0;
}

/* Slice: attributes starts, ends and axes up to opset 9; from 10 on inputs,
 * with steps. The output's shape says where it ends. */
int kernel_slice(KernelCall *call, Err *err)
{
    const Array *in = call->inputs[0], *out = call->outputs[0];
    const int64_t *starts, *axes, *steps;
    int64_t start_count, axis_count, step_count;
    kernel_ints(call, "starts", 1, &starts, &start_count);
    kernel_ints(call, "axes", 3, &axes, &axis_count);
    kernel_ints(call, "steps", 4, &steps, &step_count);
    if ((axis_count >= 0 && axis_count != start_count) ||
        (step_count >= 0 && step_count != start_count) ||
        start_count > in->rank)
        return err_set(err, ERR_BAD_SHAPE,
                       "starts, axes and steps differ in length");
    Strided from = strided_all(in), to = strided_all(out);
    for (int64_t k = 0; k < start_count; k++) {
        int axis;
        TRY(kernel_axis(axis_count < 0 ? k : axes[k], in->rank, &axis, err));
        int64_t step = step_count < 0 ? 1 : steps[k];
        int64_t size = in->dims[axis];
        int64_t start = starts[k] < 0 ? starts[k] + size : starts[k];
        int64_t most = step < 0 ? size - 1 : size;
        start = start < 0 ? 0 : start > most ? most : start;
        if (out->dims[axis] == 0)
            return 0;
        from.data += start * from.strides[axis] * (int64_t)element_size(call);
        from.strides[axis] *= step;
    }
    move_block(call, element_size(call), out->rank, out->dims, &from, &to);
    return 0;
}

/* Expand: numpy's broadcasting. */
int kernel_expand(KernelCall *call, Err *err)
{
    const Array *in = call->inputs[0], *out = call->outputs[0];
    Strided all = strided_all(in), from = {.data = in->data};
    Strided to = strided_all(out);
    int shift = out->rank - in->rank;
    for (int i = 0; i < in->rank; i++) {
        if (in->dims[i] == 1)
            continue;
        if (shift + i < 0 || in->dims[i] != out->dims[shift + i])
            return err_set(err, ERR_BAD_SHAPE, "its input does not broadcast");
        from.strides[shift + i] = all.strides[i];
    }
    move_block(call, element_size(call), out->rank, out->dims, &from, &to);
    return 0;
}

/* Concat: along `axis`, which opset 3 and older leave out for 1. */
int kernel_concat(KernelCall *call, Err *err)
{
    const Array *out = call->outputs[0];
    size_t size = storage_size(kernel_storage(call, out));
    Strided to = strided_all(out);
    int axis;
    TRY(kernel_axis(node_int(call->node, "axis", 1), out->rank, &axis, err));
    int64_t room = out->dims[axis];
    for (int k = 0; k < call->input_count; k++) {
        const Array *in = call->inputs[k];
        if (in->rank != out->rank || in->dims[axis] > room)
            return err_set(err, ERR_BAD_SHAPE, "its inputs differ in shape");
        for (int i = 0; i < in->rank; i++)
            if (i != axis && in->dims[i] != out->dims[i])
                return err_set(err, ERR_BAD_SHAPE,
                               "its inputs differ in shape");
        Strided from = strided_all(in);
        move_block(call, size, in->rank, in->dims, &from, &to);
        to.data += in->dims[axis] * to.strides[axis] * (int64_t)size;
        room -= in->dims[axis];
    }
    return 0;
}

/* Split: the reverse. The outputs' shapes say how much each takes; one that
 * nobody reads has none, and the split list must tell. */
int kernel_split(KernelCall *call, Err *err)
{
    const Array *in = call->inputs[0];
    const int64_t *sizes;
    int64_t count;
    kernel_ints(call, "split", 1, &sizes, &count);
    int axis;
    TRY(kernel_axis(node_int(call->node, "axis", 0), in->rank, &axis, err));
    int64_t parts = node_int(call->node, "num_outputs", call->output_count);
    int64_t equal = parts > 0 ? (in->dims[axis] + parts - 1) / parts : 0;
    Strided from = strided_all(in);
    int64_t left = in->dims[axis];
    for (int k = 0; k < call->output_count; k++) {
        int64_t size = k < count ? sizes[k] : equal < left ? equal : left;
        const Array *out = call->outputs[k];
        if (size < 0 || size > left || (out && out->dims[axis] != size))
            return err_set(err, ERR_BAD_SHAPE,
                           "the split does not fit the axis");
        if (out) {
            Strided to = strided_all(out);
            move_block(call, element_size(call), out->rank, out->dims, &from,
                       &to);
        }
        from.data += size * from.strides[axis] * (int64_t)element_size(call);
        left -= size;
    }
    return 0;
}

/* Tile: an axis of the output is (repeat, element). Opset 5 and older tile one
 * axis, given with the count as scalars. */
int kernel_tile(KernelCall *call, Err *err)
{
    const Array *in = call->inputs[0], *out = call->outputs[0];
    int64_t dims[2 * RANK_MAX];
    Strided all = strided_all(in), to_all = strided_all(out);
    Strided from = {.data = all.data}, to = {.data = to_all.data};
    (void)err;
    for (int i = 0; i < in->rank; i++) {
        dims[2 * i] = in->dims[i] ? out->dims[i] / in->dims[i] : 0;
        dims[2 * i + 1] = in->dims[i];
        from.strides[2 * i + 1] = all.strides[i];
        to.strides[2 * i] = to_all.strides[i] * in->dims[i];
        to.strides[2 * i + 1] = to_all.strides[i];
    }
    move_block(call, element_size(call), 2 * in->rank, dims, &from, &to);
    return 0;
}

/* Where Pad takes element i of an axis from that it makes longer. */
static int64_t pad_source(const char *mode, int64_t i, int64_t size)
{
    if (mode[0] == 'e')
        return i < 0 ? 0 : i >= size ? size - 1 : i;
    if (mode[0] == 'w')
        return ((i % size) + size) % size;
    if (size == 1)
        return 0;
    int64_t period = 2 * (size - 1);
    i = ((i % period) + period) % period;
    return i < size ? i : period - i;
}

static const char *pad_mode(const Node *node)
{
    static const char *const modes[] = {"constant", "edge", "reflect", "wrap"};
    if (!node_attr(node, "mode"))
        return modes[0];
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (node_string_is(node, "mode", modes[i]))
            return modes[i];
    return NULL;
}

/* The pads of all axes, at their begins and ends. Opset 1 calls the attribute
 * paddings. */
static int read_pads(const KernelCall *call, int64_t (*out)[2], Err *err)
{
    int rank = call->inputs[0]->rank;
    const int64_t *pads, *axes;
    int64_t count, axis_count;
    kernel_ints(call, call->opset < 2 ? "paddings" : "pads", 1, &pads, &count);
    kernel_ints(call, "", 3, &axes, &axis_count);
    int64_t expected = 2 * (axis_count < 0 ? rank : axis_count);
    if (count != expected)
        return err_set(err, ERR_BAD_SHAPE, "it has %lld pads instead of %lld",
                       (long long)count, (long long)expected);
    for (int i = 0; i < rank; i++)
        out[i][0] = out[i][1] = 0;
    for (int64_t k = 0; k < count / 2; k++) {
        int axis;
        TRY(kernel_axis(axis_count < 0 ? k : axes[k], rank, &axis, err));
        out[axis][0] = pads[k];
        out[axis][1] = pads[count / 2 + k];
    }
    return 0;
}

/* Where the elements of one axis come from; -1 is the constant. Negative pads
 * take away before others look at what there is. */
static int fill_table(const char *mode, int64_t size, const int64_t *pads,
                      int64_t *table, int64_t length, Err *err)
{
    int64_t first = -clamp(pads[0], -size, 0);
    int64_t left = size - first + clamp(pads[1], -size, 0);
    bool is_constant = mode[0] == 'c';
    if (!is_constant && left <= 0)
        return err_set(err, ERR_BAD_SHAPE, "it pads an empty axis");
    for (int64_t j = 0; j < length; j++) {
        int64_t i = j - at_least(pads[0], 0);
        if (!is_constant)
            table[j] = first + pad_source(mode, i, left);
        else
            table[j] = i < 0 || i >= left ? -1 : first + i;
    }
    return 0;
}

/* Pad: pads are an attribute up to opset 10, an input from 11 on. */
int kernel_pad(KernelCall *call, Err *err)
{
    const Array *in = call->inputs[0], *out = call->outputs[0];
    const Array *constant = kernel_input(call, 2);
    const char *mode = pad_mode(call->node);
    int64_t pads[RANK_MAX][2], *tables[RANK_MAX];
    if (!mode)
        return err_set(err, ERR_BAD_ATTRIBUTE, "its mode is unknown");
    TRY(read_pads(call, pads, err));
    for (int i = 0; i < in->rank; i++) {
        tables[i] =
            arena_block(call->arena, (size_t)out->dims[i], sizeof *tables[i]);
        TRY(fill_table(mode, in->dims[i], pads[i], tables[i], out->dims[i],
                       err));
    }
    float value_f32 = node_float(call->node, "value", 0);
    double value_f64 = (double)value_f32;
    int64_t value_i64 = integer_from_real(DT_INT64, value_f64);
    Storage storage = kernel_storage(call, in);
    const void *filler = storage == STORAGE_F32   ? (void *)&value_f32
                         : storage == STORAGE_F64 ? (void *)&value_f64
                                                  : (void *)&value_i64;
    if (constant && constant->count == 1)
        filler = constant->data;
    move_by_tables(call, in, out, tables, filler);
    return 0;
}

/* DepthToSpace and SpaceToDepth: the same six axes in another order. With
 * mode CRD the channels of the deep side are (c, row, column), else (row,
 * column, c). */
static int move_blocks(KernelCall *call, bool to_space, Err *err)
{
    const Array *in = call->inputs[0], *out = call->outputs[0];
    const Array *deep = to_space ? in : out, *wide = to_space ? out : in;
    int64_t b = node_int(call->node, "blocksize", 0);
    if (in->rank != 4 || b <= 0 || deep->dims[1] != wide->dims[1] * b * b)
        return err_set(err, ERR_BAD_SHAPE,
                       "blocks of %lld do not fit its input", (long long)b);
    bool column_major = to_space && node_string_is(call->node, "mode", "CRD");
    Strided d = strided_all(deep), w = strided_all(wide);
    int64_t channel = d.strides[1], row = w.strides[2], column = w.strides[3];
    int64_t c = wide->dims[1];
    /* N, C, H, row in its block, W, column in its block. */
    const int64_t dims[] = {deep->dims[0], c, deep->dims[2], b,
                            deep->dims[3], b};
    Strided deep_view = {
        .data = d.data,
        .strides = {d.strides[0], column_major ? b * b * channel : channel,
                    d.strides[2], (column_major ? b : b * c) * channel,
                    d.strides[3], (column_major ? 1 : c) * channel}};
    Strided wide_view = {.data = w.data,
                         .strides = {w.strides[0], w.strides[1], b * row, row,
                                     b * column, column}};
    move_block(call, element_size(call), 6, dims,
               to_space ? &deep_view : &wide_view,
               to_space ? &wide_view : &deep_view);
    return 0;
}

int kernel_depth_to_space(KernelCall *call, Err *err)
{
    return move_blocks(call, true, err);
}

int kernel_space_to_depth(KernelCall *call, Err *err)
{
    return move_blocks(call, false, err);
}

/* ReverseSequence: of each sequence in the batch the first steps, as many as
 * are said, the other way round. */
int kernel_reverse_sequence(KernelCall *call, Err *err)
{
    const Array *in = call->inputs[0], *lengths = call->inputs[1];
    const Array *out = call->outputs[0];
    int64_t batch_axis = node_int(call->node, "batch_axis", 1);
    int64_t time_axis = node_int(call->node, "time_axis", 0);
    if (in->rank < 2 || (batch_axis != 0 && time_axis != 0) ||
        batch_axis + time_axis != 1)
        return err_set(err, ERR_BAD_ATTRIBUTE,
                       "batch and time are not its first two axes");
    int64_t batch = in->dims[batch_axis], time = in->dims[time_axis];
    if (lengths->rank != 1 || lengths->count != batch)
        return err_set(err, ERR_BAD_SHAPE,
                       "it has %lld lengths for %lld "
                       "sequences",
                       (long long)lengths->count, (long long)batch);
    size_t run =
        (size_t)dims_product(in->dims, 2, in->rank) * element_size(call);
    for (int64_t i = 0; i < batch * time; i++) {
        int64_t sequence = batch_axis ? i % batch : i / time;
        int64_t at = batch_axis ? i / batch : i % time;
        int64_t step = batch_axis ? batch : 1;
        int64_t length = kernel_int(call, lengths, sequence);
        if (length < 0 || length > time)
            return err_set(err, ERR_BAD_SHAPE,
                           "a sequence has %lld of %lld steps",
                           (long long)length, (long long)time);
        int64_t from = at < length ? i + (length - 1 - 2 * at) * step : i;
        memcpy((char *)out->data + (size_t)i * run,
               (const char *)in->data + (size_t)from * run, run);
    }
    return 0;
}
