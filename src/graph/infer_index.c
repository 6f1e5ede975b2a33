/*
 * Shape functions of operators that cut, join and pick.
 */
#include <string.h>

#include "graph/infer.h"

/* ---- Concat and Split ---- */

/* All elements of all inputs, in order. */
static IntList concat_ints(InferCall *call)
{
    Dim *items = arena_array(call->arena, FACT_INTS_MAX, sizeof *items);
    int count = 0;
    for (int i = 0; i < call->node->input_count; i++) {
        IntList list = infer_ints(call, i);
        if (list.count < 0 || count + list.count > FACT_INTS_MAX)
            return (IntList){NULL, -1};
        if (list.count > 0)
            memcpy(items + count, list.items,
                   (size_t)list.count * sizeof *items);
        count += list.count;
    }
    return (IntList){items, count};
}

static int concat_next(InferCall *call, const Fact *in, Dim *dims, int axis,
                       Err *err)
{
    int rank = infer_in(call, 0)->rank;
    if (in->rank != rank)
        return infer_fail(call, err, ERR_BAD_SHAPE,
                          "its inputs have ranks %d and %d", rank, in->rank);
    for (int i = 0; i < in->rank; i++)
        if (i == axis)
            dims[i] = infer_dim(call, DIM_ADD, dims[i], in->dims[i]);
        else
            TRY(infer_same(call, dims[i], in->dims[i],
                           "sizes of its inputs differ", &dims[i], err));
    return 0;
}

/* The axis is required since Concat-4, and was 1 by default before. */
int infer_concat(InferCall *call, Err *err)
{
    Fact *out = infer_out(call, 0), sum = FACT_UNKNOWN;
    Dim *dims = NULL;
    for (int i = 0; i < call->node->input_count; i++)
        if (infer_in(call, i)->type != DT_UNDEFINED)
            out->type = infer_in(call, i)->type;
    int axis = 0;
    for (int i = 0; i < call->node->input_count; i++) {
        const Fact *in = infer_in(call, i);
        if (in->rank < 0)
            return 0;
        if (i > 0) {
            TRY(concat_next(call, in, dims, axis, err));
            continue;
        }
        dims = infer_copy(call, &sum, in);
        TRY(infer_axis(call, node_int(call->node, "axis", 1), in->rank, &axis,
                       err));
    }
    infer_set(call, out, out->type, infer_in(call, 0)->rank, dims);
    infer_follow(call, out, concat_ints(call));
    return 0;
}

/* The size of output i of a Split into equal parts: since Split-18 the last
 * may be smaller, before all had to be equal. */
static int split_equally(InferCall *call, Dim whole, int64_t parts, int i,
                         Dim *size, Err *err)
{
    if (call->opset >= 18) {
        Dim chunk = infer_dim(call, DIM_CEIL, whole, parts);
        Dim before = infer_dim(call, DIM_MUL, chunk, parts - 1);
        Dim last = infer_dim(call, DIM_SUB, whole, before);
        *size = i < parts - 1 ? chunk : infer_dim(call, DIM_MAX, last, 0);
        return 0;
    }
    if (whole >= 0 && whole % parts != 0)
        return infer_fail(call, err, ERR_BAD_SHAPE,
                          "size %lld does not split into %lld equal parts",
                          (long long)whole, (long long)parts);
    *size = infer_dim(call, DIM_DIV, whole, parts);
    return 0;
}

static int split_sizes_check(InferCall *call, IntList sizes, Dim whole,
                             Err *err)
{
    if (sizes.count != call->node->output_count)
        return infer_fail(call, err, ERR_BAD_SHAPE,
                          "it has %d sizes for %d outputs", sizes.count,
                          call->node->output_count);
    Dim sum = 0;
    for (int i = 0; i < sizes.count; i++) {
        int64_t size;
        if (dim_is_known(call->symbols, sizes.items[i], &size) && size < 0)
            return infer_fail(call, err, ERR_BAD_SHAPE, "its sizes have %lld",
                              (long long)size);
        sum = infer_dim(call, DIM_ADD, sum, sizes.items[i]);
    }
    return infer_same(call, sum, whole, "the sum of its sizes", &sum, err);
}

/* The elements of output i, when the sizes are numbers. */
static void split_follow(InferCall *call, Fact *out, int first)
{
    IntList list = infer_ints(call, 0);
    if (out->rank != 1 || out->dims[0] < 0 || list.count < 0 || first < 0 ||
        first + out->dims[0] > list.count)
        return;
    infer_follow(call, out, (IntList){list.items + first, (int)out->dims[0]});
}

int infer_split(InferCall *call, Err *err)
{
    const Fact *in = infer_in(call, 0);
    int axis, count = call->node->output_count;
    for (int i = 0; i < count; i++)
        call->outputs[i].type = in->type;
    if (in->rank < 0 || count == 0)
        return 0;
    TRY(infer_axis(call, node_int(call->node, "axis", 0), in->rank, &axis,
                   err));
    IntList sizes = infer_list(call, 1, "split");
    bool equal = sizes.count == 0 && !infer_has(call, 1);
    int64_t parts;
    TRY(infer_int_attr(call, "num_outputs", count, 1, &parts, err));
    if (parts != count)
        return infer_fail(call, err, ERR_BAD_ATTRIBUTE,
                          "num_outputs is %lld, but it has %d outputs",
                          (long long)parts, count);
    if (!equal && sizes.count >= 0)
        TRY(split_sizes_check(call, sizes, in->dims[axis], err));
    Dim first = 0;
    for (int i = 0; i < count; i++) {
        Fact *out = &call->outputs[i];
        Dim size = 0;
        if (equal)
            TRY(split_equally(call, in->dims[axis], parts, i, &size, err));
        else
            size = sizes.count >= 0 ? sizes.items[i]
                                    : dim_size_unknown(call->symbols);
        infer_copy(call, out, in)[axis] = size;
        split_follow(call, out,
                     first >= 0 && first <= FACT_INTS_MAX ? (int)first : -1);
        first = infer_dim(call, DIM_ADD, first, size);
    }
    return 0;
}

/* ---- Slice ---- */

/* What a Slice does to one axis. */
typedef struct Cut {
    Dim start, end;
    int64_t step; /* 0 when not known */
} Cut;

/* A position as Slice means it, in [least, most]: negative ones count from
 * the back, and 32 bits full of ones mean the end. */
static Dim cut_position(const InferCall *call, Dim position, Dim size,
                        Dim least, Dim most)
{
    int64_t number;
    if (dim_is_known(call->symbols, position, &number)) {
        if (number >= INT32_MAX)
            return most;
        if (number < 0 && number <= INT32_MIN)
            return least;
        if (number < 0)
            position = infer_dim(call, DIM_ADD, size, position);
    } else if (!dim_is_nonnegative(call->symbols, position)) {
        return dim_unknown(call->symbols);
    }
    if (position == most)
        return most;
    return infer_dim(call, DIM_MAX, least,
                     infer_dim(call, DIM_MIN, position, most));
}

/* Slice-10: forwards, both ends lie in [0, size]; backwards, the start lies
 * in [0, size-1] and the end in [-1, size-1]. */
static Dim cut_size(const InferCall *call, Cut *cut, Dim size)
{
    if (size == 0)
        return 0;
    if (cut->step == 0)
        return dim_size_unknown(call->symbols);
    Symbols *symbols = call->symbols;
    Dim step = dim_number(symbols, cut->step), minus = dim_number(symbols, -1);
    Dim last = infer_dim(call, DIM_SUB, size, 1);
    if (cut->step > 0) {
        cut->start = cut_position(call, cut->start, size, 0, size);
        cut->end = cut_position(call, cut->end, size, 0, size);
    } else {
        cut->start = cut_position(call, cut->start, size, 0, last);
        cut->end = cut_position(call, cut->end, size, minus, last);
    }
    if (dim_is_unknown(symbols, cut->start) ||
        dim_is_unknown(symbols, cut->end))
        return dim_size_unknown(symbols);
    Dim span = infer_dim(call, DIM_SUB, cut->end, cut->start);
    return infer_dim(call, DIM_MAX, 0, infer_dim(call, DIM_CEIL, span, step));
}

/* Element i of a Slice input, or a fallback where the input is absent. */
static Dim slice_item(const InferCall *call, IntList list, int i,
                      int64_t fallback)
{
    if (list.count == 0)
        return dim_number(call->symbols, fallback);
    if (i >= list.count)
        return dim_unknown(call->symbols);
    return list.items[i];
}

static void slice_follow(InferCall *call, Fact *out, const Cut *cut)
{
    IntList list = infer_ints(call, 0);
    Dim count = out->rank == 1 ? out->dims[0] : -1;
    if (count < 0 || list.count < 0)
        return;
    /* Of nothing the start and the step may be any numbers. */
    bool inside = count == 0;
    if (cut->start >= 0 && cut->start < list.count && count > 0) {
        Dim last = cut->start + (count - 1) * cut->step;
        inside = last >= 0 && last < list.count;
    }
    if (!inside)
        return;
    Dim *items = arena_array(call->arena, (size_t)count, sizeof *items);
    for (Dim i = 0; i < count; i++)
        items[i] = list.items[cut->start + i * cut->step];
    infer_follow(call, out, (IntList){items, (int)count});
}

typedef struct SliceLists {
    IntList starts, ends, axes, steps;
    int count; /* of axes that are cut, -1 when not known */
} SliceLists;

/* Before Slice-10 starts, ends and axes are attributes and steps are 1. */
static int slice_lists(InferCall *call, SliceLists *lists, Err *err)
{
    lists->starts = infer_list(call, 1, "starts");
    lists->ends = infer_list(call, 2, "ends");
    lists->axes = infer_list(call, 3, "axes");
    lists->steps = infer_has(call, 4) ? infer_ints(call, 4) : (IntList){0};
    lists->count = lists->axes.count;
    if (lists->count == 0)
        lists->count =
            lists->starts.count >= 0 ? lists->starts.count : lists->ends.count;
    const IntList *all[] = {&lists->starts, &lists->ends, &lists->steps};
    for (int i = 0; i < 3 && lists->count >= 0; i++)
        if (all[i]->count > 0 && all[i]->count != lists->count)
            return infer_fail(call, err, ERR_BAD_SHAPE,
                              "its starts, ends, axes and steps differ in "
                              "length");
    return 0;
}

/* Cuts one axis; 0 when it is not known which. */
static int slice_axis(InferCall *call, const SliceLists *lists, int i, Cut *cut,
                      Dim *dims, Err *err)
{
    int64_t number;
    int axis, rank = infer_in(call, 0)->rank;
    if (!dim_is_known(call->symbols, slice_item(call, lists->axes, i, i),
                      &number))
        return 0;
    TRY(infer_axis(call, number, rank, &axis, err));
    cut->start = slice_item(call, lists->starts, i, 0);
    cut->end = slice_item(call, lists->ends, i, 0);
    Dim step = slice_item(call, lists->steps, i, 1);
    if (step == 0)
        return infer_fail(call, err, ERR_BAD_ATTRIBUTE, "its step is 0");
    if (!dim_is_known(call->symbols, step, &cut->step))
        cut->step = 0;
    dims[axis] = cut_size(call, cut, dims[axis]);
    return 1;
}

/* Keeps the rank only. */
static void forget_sizes(InferCall *call, Dim *dims, int rank)
{
    for (int i = 0; i < rank; i++)
        dims[i] = dim_size_unknown(call->symbols);
}

int infer_slice(InferCall *call, Err *err)
{
    Fact *out = infer_out(call, 0);
    SliceLists lists;
    Cut cut = {0, 0, 1};
    Dim *dims = infer_copy(call, out, infer_in(call, 0));
    TRY(slice_lists(call, &lists, err));
    if (lists.count < 0)
        forget_sizes(call, dims, out->rank);
    for (int i = 0; out->rank >= 0 && i < lists.count; i++) {
        int known = slice_axis(call, &lists, i, &cut, dims, err);
        TRY(known);
        if (!known) {
            forget_sizes(call, dims, out->rank);
            return 0;
        }
    }
    if (lists.count == 1)
        slice_follow(call, out, &cut);
    return 0;
}

/* ---- Gather and its like ---- */

/* Picks the elements that known indices name. */
static int gather_ints(InferCall *call, IntList *out, Err *err)
{
    IntList data = infer_ints(call, 0), indices = infer_ints(call, 1);
    *out = (IntList){NULL, -1};
    if (data.count < 0 || indices.count < 0)
        return 0;
    Dim *items = arena_array(call->arena, (size_t)indices.count, sizeof *items);
    for (int i = 0; i < indices.count; i++) {
        int64_t index;
        if (!dim_is_known(call->symbols, indices.items[i], &index)) {
            items[i] = dim_unknown(call->symbols);
            continue;
        }
        if (index < -data.count || index >= data.count)
            return infer_fail(call, err, ERR_BAD_INDEX,
                              "index %lld is out of range for size %d",
                              (long long)index, data.count);
        items[i] = data.items[index < 0 ? index + data.count : index];
    }
    *out = (IntList){items, indices.count};
    return 0;
}

int infer_gather(InferCall *call, Err *err)
{
    const Fact *data = infer_in(call, 0), *indices = infer_in(call, 1);
    Fact *out = infer_out(call, 0);
    out->type = data->type;
    if (data->rank < 0 || indices->rank < 0 ||
        data->rank + indices->rank - 1 > RANK_MAX)
        return 0;
    int axis, rank = 0;
    TRY(infer_axis(call, node_int(call->node, "axis", 0), data->rank, &axis,
                   err));
    Dim dims[RANK_MAX];
    for (int i = 0; i < axis; i++)
        dims[rank++] = data->dims[i];
    for (int i = 0; i < indices->rank; i++)
        dims[rank++] = indices->dims[i];
    for (int i = axis + 1; i < data->rank; i++)
        dims[rank++] = data->dims[i];
    infer_set(call, out, data->type, rank, dims);
    if (data->rank == 1) {
        IntList list;
        TRY(gather_ints(call, &list, err));
        infer_follow(call, out, list);
    }
    return 0;
}

int infer_gatherelements(InferCall *call, Err *err)
{
    const Fact *data = infer_in(call, 0), *indices = infer_in(call, 1);
    int axis;
    infer_set(call, infer_out(call, 0), data->type, indices->rank,
              indices->dims);
    if (data->rank < 0 || indices->rank < 0)
        return 0;
    if (data->rank != indices->rank)
        return infer_fail(call, err, ERR_BAD_SHAPE,
                          "data of rank %d, indices of rank %d", data->rank,
                          indices->rank);
    return infer_axis(call, node_int(call->node, "axis", 0), data->rank, &axis,
                      err);
}

/* GatherND-12: indices.shape[:-1] + data.shape[batch_dims + K:], where K is
 * the last size of indices. */
int infer_gathernd(InferCall *call, Err *err)
{
    const Fact *data = infer_in(call, 0), *indices = infer_in(call, 1);
    Fact *out = infer_out(call, 0);
    out->type = data->type;
    if (data->rank < 0 || indices->rank < 1 ||
        indices->dims[indices->rank - 1] < 0)
        return 0;
    int64_t batch = node_int(call->node, "batch_dims", 0);
    Dim tuple = indices->dims[indices->rank - 1];
    if (batch < 0 || batch >= indices->rank || batch >= data->rank ||
        tuple > data->rank - batch)
        return infer_fail(call, err, ERR_BAD_SHAPE,
                          "indices %s do not fit data of rank %d",
                          infer_text(call, indices), data->rank);
    Dim dims[2 * RANK_MAX];
    int rank = 0;
    for (int i = 0; i < indices->rank - 1; i++)
        dims[rank++] = indices->dims[i];
    for (int i = (int)(batch + tuple); i < data->rank; i++)
        dims[rank++] = data->dims[i];
    infer_set(call, out, data->type, rank, dims);
    return 0;
}

/* ScatterElements, at first Scatter, and ScatterND write into a copy of their
 * first input. */
int infer_scatter(InferCall *call, Err *err)
{
    const Fact *data = infer_in(call, 0);
    int axis;
    infer_copy(call, infer_out(call, 0), data);
    if (data->rank < 0 || call->node->op == OP_ScatterND)
        return 0;
    return infer_axis(call, node_int(call->node, "axis", 0), data->rank, &axis,
                      err);
}

/* As many rows as the input has axes; how many columns only running shows. */
int infer_nonzero(InferCall *call, Err *err)
{
    (void)err;
    const Fact *in = infer_in(call, 0);
    Dim dims[2] = {in->rank < 0    ? dim_size_unknown(call->symbols)
                   : in->rank == 0 ? 1
                                   : in->rank,
                   dim_size_unknown(call->symbols)};
    infer_set(call, infer_out(call, 0), DT_INT64, 2, dims);
    return 0;
}

/* Compress-9: how much is chosen only running shows. Without an axis the input
 * is flattened. */
int infer_compress(InferCall *call, Err *err)
{
    const Fact *in = infer_in(call, 0);
    Fact *out = infer_out(call, 0);
    Dim size = dim_size_unknown(call->symbols);
    int axis;
    out->type = in->type;
    if (!node_attr(call->node, "axis"))
        infer_set(call, out, in->type, 1, &size);
    else if (in->rank >= 0) {
        TRY(infer_axis(call, node_int(call->node, "axis", 0), in->rank, &axis,
                       err));
        infer_copy(call, out, in)[axis] = size;
    }
    return 0;
}

/* NonMaxSuppression: image, class and box of each that is chosen. */
int infer_suppression(InferCall *call, Err *err)
{
    (void)err;
    Dim dims[2] = {dim_size_unknown(call->symbols), 3};
    infer_set(call, infer_out(call, 0), DT_INT64, 2, dims);
    return 0;
}

/* The depth becomes a new axis; since OneHot-11 it can be counted back. */
int infer_onehot(InferCall *call, Err *err)
{
    const Fact *indices = infer_in(call, 0);
    Fact *out = infer_out(call, 0);
    out->type = infer_in(call, 2)->type;
    if (indices->rank < 0 || indices->rank == RANK_MAX)
        return 0;
    int axis, rank = indices->rank + 1;
    TRY(infer_axis(call, node_int(call->node, "axis", -1), rank, &axis, err));
    IntList list = infer_ints(call, 1);
    Dim depth;
    double real;
    if (list.count == 1 && dim_is_nonnegative(call->symbols, list.items[0]))
        depth = list.items[0];
    else if (infer_reals(call, 1, 1, &real) == 1 && real >= 0 &&
             real < INT32_MAX)
        depth = (Dim)real;
    else
        depth = dim_size_unknown(call->symbols);
    Dim dims[RANK_MAX];
    for (int i = 0, next = 0; i < rank; i++)
        dims[i] = i == axis ? depth : indices->dims[next++];
    infer_set(call, out, out->type, rank, dims);
    return 0;
}

/* ---- Pad ---- */

static int pad_axis(InferCall *call, Dim *dim, Dim before, Dim after, Err *err)
{
    Dim sum = infer_dim(call, DIM_ADD, before, after);
    int64_t number;
    *dim = infer_dim(call, DIM_ADD, *dim, sum);
    if (dim_is_known(call->symbols, *dim, &number) && number < 0)
        return infer_fail(call, err, ERR_BAD_SHAPE,
                          "its pads leave a size of %lld", (long long)number);
    if (dim_is_unknown(call->symbols, *dim) &&
        !dim_is_nonnegative(call->symbols, *dim))
        *dim = dim_size_unknown(call->symbols);
    return 0;
}

/* Pad-1 has `paddings`, Pad-2 `pads`, Pad-11 an input, Pad-18 axes too. */
int infer_pad(InferCall *call, Err *err)
{
    const Fact *in = infer_in(call, 0);
    Fact *out = infer_out(call, 0);
    Dim *dims = infer_copy(call, out, in);
    if (in->rank < 0)
        return 0;
    bool old = node_attr(call->node, "paddings") != NULL;
    IntList pads = infer_list(call, 1, old ? "paddings" : "pads");
    IntList axes =
        infer_has(call, 3) ? infer_ints(call, 3) : (IntList){NULL, in->rank};
    if (pads.count < 0 || axes.count < 0) {
        forget_sizes(call, dims, in->rank);
        return 0;
    }
    if (pads.count != 2 * axes.count)
        return infer_fail(call, err, ERR_BAD_SHAPE,
                          "it has %d pads for %d axes", pads.count, axes.count);
    for (int i = 0; i < axes.count; i++) {
        int64_t number = i;
        int axis;
        if (axes.items &&
            !dim_is_known(call->symbols, axes.items[i], &number)) {
            forget_sizes(call, dims, in->rank);
            return 0;
        }
        TRY(infer_axis(call, number, in->rank, &axis, err));
        TRY(pad_axis(call, &dims[axis], pads.items[i],
                     pads.items[axes.count + i], err));
    }
    return 0;
}

/* ---- Between depth and space ---- */

static int depth_and_space(InferCall *call, bool to_space, Err *err)
{
    const Fact *in = infer_in(call, 0);
    Fact *out = infer_out(call, 0);
    int64_t block;
    Dim *dims = infer_copy(call, out, in);
    TRY(infer_int_attr(call, "blocksize", 0, 1, &block, err));
    if (in->rank < 0)
        return 0;
    if (in->rank != 4)
        return infer_fail(call, err, ERR_BAD_SHAPE, "its input has rank %d",
                          in->rank);
    for (int i = 1; i < 4; i++) {
        int64_t factor = i == 1 ? block * block : block;
        bool grows = (i > 1) == to_space;
        if (!grows && in->dims[i] >= 0 && in->dims[i] % factor != 0)
            return infer_fail(call, err, ERR_BAD_SHAPE,
                              "size %lld is not a multiple of %lld",
                              (long long)in->dims[i], (long long)factor);
        dims[i] =
            infer_dim(call, grows ? DIM_MUL : DIM_DIV, in->dims[i], factor);
    }
    return 0;
}

int infer_depthtospace(InferCall *call, Err *err)
{
    return depth_and_space(call, true, err);
}

int infer_spacetodepth(InferCall *call, Err *err)
{
    return depth_and_space(call, false, err);
}
