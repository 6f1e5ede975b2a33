/*
 * Shape functions of operators that only rearrange elements, and of those
 * that make and read shapes.
 */
#include <math.h>
#include <string.h>

#include "graph/infer.h"

/* A size from a followed element: what may be negative is not one. */
static Dim size_of(const InferCall *call, Dim element)
{
    return dim_is_nonnegative(call->symbols, element)
               ? element
               : dim_size_unknown(call->symbols);
}

/* The rank, when the input that is to be the shape has a known length. */
static void unknown_sizes(InferCall *call, int slot, Fact *out)
{
    const Fact *shape = infer_in(call, slot);
    if (shape->rank != 1 || shape->dims[0] < 0 || shape->dims[0] > RANK_MAX)
        return;
    Dim *dims = infer_set(call, out, out->type, (int)shape->dims[0], NULL);
    for (int i = 0; i < out->rank; i++)
        dims[i] = dim_size_unknown(call->symbols);
}

/* ---- Reshape ---- */

typedef struct Reshape {
    Dim dims[RANK_MAX];
    int rank;
    int inferred; /* the place of the -1, or -1 */
} Reshape;

/* One entry: -1 is inferred, 0 copies unless allowzero (Reshape-14). */
static int reshape_entry(InferCall *call, Reshape *shape, int i, Dim entry,
                         Err *err)
{
    const Fact *in = infer_in(call, 0);
    int64_t number;
    bool known = dim_is_known(call->symbols, entry, &number);
    shape->dims[i] = size_of(call, entry);
    if (known && number == -1) {
        if (shape->inferred >= 0)
            return infer_fail(call, err, ERR_BAD_SHAPE,
                              "its shape has -1 twice");
        shape->inferred = i;
        shape->dims[i] = 1;
    } else if (known && number < -1) {
        return infer_fail(call, err, ERR_BAD_SHAPE, "its shape has %lld",
                          (long long)number);
    } else if (entry == 0 && node_int(call->node, "allowzero", 0) == 0) {
        if (in->rank >= 0 && i >= in->rank)
            return infer_fail(call, err, ERR_BAD_SHAPE,
                              "its shape copies size %d of rank %d", i,
                              in->rank);
        shape->dims[i] =
            in->rank >= 0 ? in->dims[i] : dim_size_unknown(call->symbols);
    }
    return 0;
}

/* Fills in the -1, and compares the numbers of elements where known. */
static int reshape_complete(InferCall *call, Reshape *shape, Err *err)
{
    const Fact *in = infer_in(call, 0);
    Dim others = infer_product(call, shape->dims, 0, shape->rank);
    if (in->rank < 0) {
        if (shape->inferred >= 0)
            shape->dims[shape->inferred] = dim_size_unknown(call->symbols);
        return 0;
    }
    Dim all = infer_product(call, in->dims, 0, in->rank);
    bool infers = shape->inferred >= 0, numbers = all >= 0 && others >= 0;
    if (numbers && (infers ? others == 0 || all % others : all != others))
        return infer_fail(call, err, ERR_BAD_SHAPE,
                          "%lld elements do not fit its shape", (long long)all);
    if (infers)
        shape->dims[shape->inferred] =
            size_of(call, infer_dim(call, DIM_DIV, all, others));
    return 0;
}

int infer_reshape(InferCall *call, Err *err)
{
    Fact *out = infer_out(call, 0);
    out->type = infer_in(call, 0)->type;
    IntList list = infer_list(call, 1, "shape");
    if (list.count > RANK_MAX)
        return 0;
    if (list.count < 0) {
        unknown_sizes(call, 1, out);
        return 0;
    }
    Reshape shape = {.rank = list.count, .inferred = -1};
    for (int i = 0; i < list.count; i++)
        TRY(reshape_entry(call, &shape, i, list.items[i], err));
    TRY(reshape_complete(call, &shape, err));
    infer_set(call, out, out->type, shape.rank, shape.dims);
    infer_follow(call, out, infer_ints(call, 0));
    return 0;
}

/* Flatten-9: to two dimensions, cut before `axis`, which may be the rank. */
int infer_flatten(InferCall *call, Err *err)
{
    const Fact *in = infer_in(call, 0);
    Fact *out = infer_out(call, 0);
    out->type = in->type;
    Dim dims[2];
    if (in->rank < 0) {
        dims[0] = dim_size_unknown(call->symbols);
        dims[1] = dim_size_unknown(call->symbols);
    } else {
        int64_t axis = node_int(call->node, "axis", 1);
        int cut = in->rank;
        if (axis != in->rank)
            TRY(infer_axis(call, axis, in->rank, &cut, err));
        dims[0] = infer_product(call, in->dims, 0, cut);
        dims[1] = infer_product(call, in->dims, cut, in->rank);
    }
    infer_set(call, out, in->type, 2, dims);
    return 0;
}

int infer_transpose(InferCall *call, Err *err)
{
    const Fact *in = infer_in(call, 0);
    Fact *out = infer_out(call, 0);
    out->type = in->type;
    if (in->rank < 0)
        return 0;
    const int64_t *perm = NULL;
    int64_t count = node_ints(call->node, "perm", &perm);
    if (count >= 0 && count != in->rank)
        return infer_fail(call, err, ERR_BAD_ATTRIBUTE,
                          "perm has %lld entries for rank %d", (long long)count,
                          in->rank);
    Dim dims[RANK_MAX];
    bool seen[RANK_MAX] = {false};
    for (int i = 0; i < in->rank; i++) {
        int64_t from = count < 0 ? in->rank - 1 - i : perm[i];
        if (from < 0 || from >= in->rank || seen[from])
            return infer_fail(call, err, ERR_BAD_ATTRIBUTE,
                              "perm is not a permutation");
        seen[from] = true;
        dims[i] = in->dims[from];
    }
    infer_set(call, out, in->type, in->rank, dims);
    infer_follow(call, out, infer_ints(call, 0));
    return 0;
}

/* ---- Axes of size one ---- */

/* Without axes every axis of size 1 goes: only when all sizes are known. */
static bool axes_of_size_one(const Fact *in, bool set[RANK_MAX])
{
    for (int i = 0; i < in->rank; i++) {
        if (in->dims[i] < 0)
            return false;
        set[i] = in->dims[i] == 1;
    }
    return true;
}

int infer_squeeze(InferCall *call, Err *err)
{
    const Fact *in = infer_in(call, 0);
    Fact *out = infer_out(call, 0);
    out->type = in->type;
    if (in->rank < 0)
        return 0;
    bool set[RANK_MAX] = {false};
    IntList axes = infer_list(call, 1, "axes");
    int known = infer_axes(call, axes, in->rank, set, err);
    TRY(known);
    bool all = !infer_has(call, 1) && axes.count == 0;
    if (!known || (all && !axes_of_size_one(in, set)))
        return 0;
    Dim dims[RANK_MAX];
    int rank = 0;
    for (int i = 0; i < in->rank; i++) {
        if (!set[i])
            dims[rank++] = in->dims[i];
        else if (in->dims[i] >= 0 && in->dims[i] != 1)
            return infer_fail(call, err, ERR_BAD_SHAPE,
                              "axis %d has size %lld, not 1", i,
                              (long long)in->dims[i]);
    }
    infer_set(call, out, in->type, rank, dims);
    infer_follow(call, out, infer_ints(call, 0));
    return 0;
}

int infer_unsqueeze(InferCall *call, Err *err)
{
    const Fact *in = infer_in(call, 0);
    Fact *out = infer_out(call, 0);
    out->type = in->type;
    IntList axes = infer_list(call, 1, "axes");
    int rank = in->rank + axes.count;
    if (in->rank < 0 || axes.count < 0 || rank > RANK_MAX)
        return 0;
    bool set[RANK_MAX];
    int known = infer_axes(call, axes, rank, set, err);
    TRY(known);
    Dim dims[RANK_MAX];
    for (int i = 0, next = 0; i < rank; i++)
        if (known)
            dims[i] = set[i] ? 1 : in->dims[next++];
        else
            dims[i] = dim_size_unknown(call->symbols);
    infer_set(call, out, in->type, rank, dims);
    infer_follow(call, out, infer_ints(call, 0));
    return 0;
}

/* ---- Shapes as values ---- */

/* An end of Shape-15's range: counted from the back when negative, and cut
 * to the rank. */
static int shape_end(int64_t end, int rank)
{
    if (end < 0)
        end = end < -rank ? 0 : end + rank;
    return (int)(end > rank ? rank : end);
}

int infer_shape(InferCall *call, Err *err)
{
    (void)err;
    const Fact *in = infer_in(call, 0);
    Fact *out = infer_out(call, 0);
    if (in->rank < 0) {
        Dim size = dim_size_unknown(call->symbols);
        infer_set(call, out, DT_INT64, 1, &size);
        return 0;
    }
    int first = shape_end(node_int(call->node, "start", 0), in->rank);
    int last = shape_end(node_int(call->node, "end", INT64_MAX), in->rank);
    int count = last > first ? last - first : 0;
    Dim *items = arena_array(call->arena, (size_t)count, sizeof *items);
    if (count > 0)
        memcpy(items, in->dims + first, (size_t)count * sizeof *items);
    infer_set(call, out, DT_INT64, 1, &(Dim){count});
    infer_follow(call, out, (IntList){items, count});
    return 0;
}

int infer_size(InferCall *call, Err *err)
{
    (void)err;
    const Fact *in = infer_in(call, 0);
    Fact *out = infer_out(call, 0);
    infer_set(call, out, DT_INT64, 0, NULL);
    if (in->rank < 0)
        return 0;
    Dim *item = arena_array(call->arena, 1, sizeof *item);
    *item = infer_product(call, in->dims, 0, in->rank);
    infer_follow(call, out, (IntList){item, 1});
    return 0;
}

/* The types of the attributes that a Constant can have since opset 12. */
static void constant_scalar(InferCall *call, Fact *out)
{
    const Node *node = call->node;
    if (node_attr(node, "value_float"))
        infer_set(call, out, DT_FLOAT, 0, NULL);
    else if (node_attr(node, "value_string"))
        infer_set(call, out, DT_STRING, 0, NULL);
    else if (node_attr(node, "value_int")) {
        Dim *item = arena_array(call->arena, 1, sizeof *item);
        *item = dim_number(call->symbols, node_int(node, "value_int", 0));
        infer_set(call, out, DT_INT64, 0, NULL);
        infer_follow(call, out, (IntList){item, 1});
    }
}

static void constant_list(InferCall *call, Fact *out)
{
    static const struct {
        const char *name;
        DType type;
    } lists[] = {{"value_floats", DT_FLOAT},
                 {"value_ints", DT_INT64},
                 {"value_strings", DT_STRING}};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        const Attr *attr = node_attr(call->node, lists[i].name);
        if (!attr || attr->reference)
            continue;
        Dim size = (Dim)attr->count;
        infer_set(call, out, lists[i].type, 1, &size);
        infer_follow(call, out, infer_list(call, 0, "value_ints"));
    }
}

int infer_constant(InferCall *call, Err *err)
{
    (void)err;
    Fact *out = infer_out(call, 0);
    const Attr *value = node_attr(call->node, "value");
    if (value && attr_tensor(value))
        fact_of_tensor(call->arena, call->symbols, value->tensor, out);
    constant_scalar(call, out);
    constant_list(call, out);
    return 0;
}

/* The elements of a one-dimensional fill, when they are integers. */
static void follow_fill(InferCall *call, Fact *out, const Tensor *value)
{
    if (out->rank > 1 || !dtype_is_integer(out->type) || value->count != 1 ||
        !tensor_is_readable(value))
        return;
    Dim count = out->rank == 1 ? out->dims[0] : 1;
    if (count < 0 || count > FACT_INTS_MAX)
        return;
    int64_t number;
    tensor_read_i64(value, 0, 1, &number);
    Dim *items = arena_array(call->arena, (size_t)count, sizeof *items);
    for (Dim i = 0; i < count; i++)
        items[i] = dim_number(call->symbols, number);
    infer_follow(call, out, (IntList){items, (int)count});
}

/* Sets the dims to the elements of a shape input. A negative one is an
 * error. */
static int dims_from_input(InferCall *call, int slot, Fact *out, Err *err)
{
    IntList list = infer_ints(call, slot);
    if (list.count > RANK_MAX)
        return 0;
    if (list.count < 0) {
        unknown_sizes(call, slot, out);
        return 0;
    }
    Dim *dims = infer_set(call, out, out->type, list.count, NULL);
    for (int i = 0; i < list.count; i++) {
        int64_t number;
        if (dim_is_known(call->symbols, list.items[i], &number) && number < 0)
            return infer_fail(call, err, ERR_BAD_SHAPE, "its shape has %lld",
                              (long long)number);
        dims[i] = size_of(call, list.items[i]);
    }
    return 0;
}

int infer_constantofshape(InferCall *call, Err *err)
{
    Fact *out = infer_out(call, 0);
    const Attr *value = node_attr(call->node, "value");
    const Tensor *tensor = value ? attr_tensor(value) : NULL;
    out->type = tensor ? tensor->type : DT_FLOAT;
    TRY(dims_from_input(call, 0, out, err));
    if (tensor && out->rank >= 0)
        follow_fill(call, out, tensor);
    return 0;
}

int infer_expand(InferCall *call, Err *err)
{
    const Fact *in = infer_in(call, 0);
    Fact *out = infer_out(call, 0), shape = FACT_UNKNOWN;
    out->type = in->type;
    TRY(dims_from_input(call, 1, &shape, err));
    TRY(infer_broadcast(call, in, &shape, out, err));
    IntList list = infer_ints(call, 0);
    bool spreads = list.count == 1 && out->rank == 1 && out->dims[0] >= 0 &&
                   out->dims[0] <= FACT_INTS_MAX;
    if (spreads) {
        int count = (int)out->dims[0];
        Dim *items = arena_array(call->arena, (size_t)count, sizeof *items);
        for (int i = 0; i < count; i++)
            items[i] = list.items[0];
        list = (IntList){items, count};
    }
    if (spreads || (out->rank <= 1 && in->rank == out->rank))
        infer_follow(call, out, list);
    return 0;
}

/* A known element that is a whole number; false where it is none. */
static bool whole_element(const InferCall *call, int slot, int64_t *out)
{
    double number;
    if (infer_reals(call, slot, 1, &number) != 1 || !(fabs(number) < 0x1p53) ||
        number != floor(number))
        return false;
    *out = (int64_t)number;
    return true;
}

/* Tile-1: how often, and along which axis, are numbers of the input's type. */
static int tile_axis(InferCall *call, const Fact *in, Fact *out, Err *err)
{
    int64_t times, axis;
    int at = 0;
    Dim *dims = infer_copy(call, out, in);
    bool known =
        whole_element(call, 1, &times) && whole_element(call, 2, &axis);
    if (known)
        TRY(infer_axis(call, axis, in->rank, &at, err));
    for (int i = 0; i < in->rank; i++)
        if (!known)
            dims[i] = dim_size_unknown(call->symbols);
        else if (i == at)
            dims[i] = infer_dim(call, DIM_MUL, in->dims[i],
                                dim_number(call->symbols, times));
    return 0;
}

int infer_tile(InferCall *call, Err *err)
{
    const Fact *in = infer_in(call, 0);
    Fact *out = infer_out(call, 0), times = FACT_UNKNOWN;
    out->type = in->type;
    if (in->rank < 0)
        return 0;
    if (call->opset < 6)
        return tile_axis(call, in, out, err);
    TRY(dims_from_input(call, 1, &times, err));
    if (times.rank >= 0 && times.rank != in->rank)
        return infer_fail(call, err, ERR_BAD_SHAPE,
                          "it has %d repeats for rank %d", times.rank,
                          in->rank);
    Dim *dims = infer_set(call, out, in->type, in->rank, NULL);
    for (int i = 0; i < in->rank; i++)
        dims[i] = times.rank < 0
                      ? dim_size_unknown(call->symbols)
                      : infer_dim(call, DIM_MUL, in->dims[i], times.dims[i]);
    return 0;
}

/* Range of floats, when all three are known. */
static Dim range_of_reals(InferCall *call)
{
    double ends[3];
    for (int i = 0; i < 3; i++)
        if (infer_reals(call, i, 1, &ends[i]) != 1)
            return dim_size_unknown(call->symbols);
    double count = ceil((ends[1] - ends[0]) / ends[2]);
    if (!(count < (double)INT64_MAX))
        return dim_size_unknown(call->symbols);
    return count > 0 ? (Dim)count : 0;
}

static void follow_range(InferCall *call, Fact *out, Dim start, Dim delta)
{
    if (out->dims[0] < 0 || out->dims[0] > FACT_INTS_MAX)
        return;
    int count = (int)out->dims[0];
    Dim *items = arena_array(call->arena, (size_t)count, sizeof *items);
    for (int i = 0; i < count;
         i++, start = infer_dim(call, DIM_ADD, start, delta))
        items[i] = start;
    infer_follow(call, out, (IntList){items, count});
}

/* Range-11: max(ceil((limit - start) / delta), 0) elements. */
int infer_range(InferCall *call, Err *err)
{
    Fact *out = infer_out(call, 0);
    IntList ends[3];
    Dim count;
    bool integers = true;
    for (int i = 0; i < 3; i++) {
        ends[i] = infer_ints(call, i);
        integers &= ends[i].count == 1;
        if (infer_in(call, i)->type != DT_UNDEFINED)
            out->type = infer_in(call, i)->type;
    }
    if (dtype_is_real(out->type)) {
        count = range_of_reals(call);
    } else if (integers) {
        Dim start = ends[0].items[0], delta = ends[2].items[0];
        if (delta == 0)
            return infer_fail(call, err, ERR_BAD_ATTRIBUTE, "its delta is 0");
        Dim span = infer_dim(call, DIM_SUB, ends[1].items[0], start);
        count =
            infer_dim(call, DIM_MAX, 0, infer_dim(call, DIM_CEIL, span, delta));
    } else {
        count = dim_size_unknown(call->symbols);
    }
    infer_set(call, out, out->type, 1, &count);
    if (integers)
        follow_range(call, out, ends[0].items[0], ends[2].items[0]);
    return 0;
}

int infer_eyelike(InferCall *call, Err *err)
{
    const Fact *in = infer_in(call, 0);
    Fact *out = infer_out(call, 0);
    infer_copy(call, out, in);
    TRY(infer_type_attr(call, "dtype", in->type, &out->type, err));
    if (in->rank >= 0 && in->rank != 2)
        return infer_fail(call, err, ERR_BAD_SHAPE, "its input has rank %d",
                          in->rank);
    return 0;
}
