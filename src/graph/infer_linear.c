/*
 * Shape functions of products and reductions.
 */
#include <string.h>

#include "graph/infer.h"

/* MatMul-1 follows numpy: a vector is a row on the left and a column on the
 * right, and that axis goes again; the axes before the last two broadcast. */
int infer_matrix_product(InferCall *call, int first, int second, Err *err)
{
    const Fact *a = infer_in(call, first), *b = infer_in(call, second);
    Fact *out = infer_out(call, 0);
    if (a->rank < 0 || b->rank < 0)
        return 0;
    if (a->rank == 0 || b->rank == 0)
        return infer_fail(call, err, ERR_BAD_SHAPE, "one input is a scalar");
    Fact left = *a, right = *b;
    left.rank = a->rank > 2 ? a->rank - 2 : 0;
    right.rank = b->rank > 2 ? b->rank - 2 : 0;
    Dim inner = b->rank > 1 ? b->dims[b->rank - 2] : b->dims[0];
    TRY(infer_same(call, a->dims[a->rank - 1], inner, "inner sizes differ",
                   &inner, err));
    TRY(infer_broadcast(call, &left, &right, out, err));
    Dim dims[RANK_MAX];
    int rank = out->rank;
    for (int i = 0; i < rank; i++)
        dims[i] = out->dims[i];
    if (a->rank > 1)
        dims[rank++] = a->dims[a->rank - 2];
    if (b->rank > 1)
        dims[rank++] = b->dims[b->rank - 1];
    infer_set(call, out, out->type, rank, dims);
    return 0;
}

int infer_matmul(InferCall *call, Err *err)
{
    infer_out(call, 0)->type = infer_either_type(call);
    return infer_matrix_product(call, 0, 1, err);
}

/* The third input spreads over the result, and does not enlarge it. */
static int check_addend(const InferCall *call, const Fact *out, Err *err)
{
    const Fact *c = infer_in(call, 2);
    Fact sum = FACT_UNKNOWN;
    TRY(infer_broadcast(call, c, out, &sum, err));
    bool fits = c->rank <= out->rank;
    for (int i = 0; i < sum.rank && fits; i++)
        fits = out->dims[i] < 0 || sum.dims[i] == out->dims[i];
    if (!fits)
        return infer_fail(call, err, ERR_BAD_SHAPE,
                          "%s does not spread over %s", infer_text(call, c),
                          infer_text(call, out));
    return 0;
}

int infer_gemm(InferCall *call, Err *err)
{
    const Fact *a = infer_in(call, 0), *b = infer_in(call, 1);
    Fact *out = infer_out(call, 0);
    int turn_a = node_int(call->node, "transA", 0) != 0;
    int turn_b = node_int(call->node, "transB", 0) != 0;
    Dim inner;
    if ((a->rank >= 0 && a->rank != 2) || (b->rank >= 0 && b->rank != 2))
        return infer_fail(call, err, ERR_BAD_SHAPE,
                          "inputs %s and %s are not two matrices",
                          infer_text(call, a), infer_text(call, b));
    Dim dims[2] = {infer_axis_size(call, a, turn_a),
                   infer_axis_size(call, b, !turn_b)};
    if (a->rank == 2 && b->rank == 2)
        TRY(infer_same(call, a->dims[!turn_a], b->dims[turn_b],
                       "inner sizes differ", &inner, err));
    infer_set(call, out, infer_either_type(call), 2, dims);
    return check_addend(call, out, err);
}

/* The heads, length and width of keys or values: (batch, heads, length, width)
 * or (batch, length, heads * width). */
static int cached(InferCall *call, int slot, int past, int output, Err *err)
{
    const Fact *in = infer_in(call, slot), *before = infer_in(call, past);
    int64_t heads;
    if (in->rank != 3 && in->rank != 4)
        return 0;
    Dim dims[4] = {in->dims[0], in->dims[1], in->dims[2], in->dims[3]};
    if (in->rank == 3) {
        TRY(infer_int_attr(call, "kv_num_heads", 1, 1, &heads, err));
        dims[1] = heads;
        dims[2] = in->dims[1];
        dims[3] = infer_dim(call, DIM_DIV, in->dims[2], heads);
    }
    if (infer_has(call, past))
        dims[2] = infer_dim(call, DIM_ADD,
                            before->rank == 4 ? before->dims[2]
                                              : dim_size_unknown(call->symbols),
                            dims[2]);
    infer_set(call, infer_out(call, output), in->type, 4, dims);
    return 0;
}

/* Attention-25: (batch, heads, length, width), or with rank 3 (batch, length,
 * heads * width), where the output has the length of the queries and the width
 * of the values. The further outputs are all keys, all values, and the scores.
 */
int infer_attention(InferCall *call, Err *err)
{
    const Fact *q = infer_in(call, 0), *v = infer_in(call, 2);
    const Fact *keys = infer_out(call, 1);
    Fact *out = infer_out(call, 0);
    Dim *dims = infer_copy(call, out, q);
    if (q->rank < 0 || v->rank != q->rank) {
        out->rank = -1;
        return 0;
    }
    if (q->rank != 3 && q->rank != 4)
        return infer_fail(call, err, ERR_BAD_SHAPE,
                          "queries %s have neither rank 3 nor 4",
                          infer_text(call, q));
    int64_t heads = 1, shared = 1;
    if (q->rank == 3) {
        TRY(infer_int_attr(call, "q_num_heads", 1, 1, &heads, err));
        TRY(infer_int_attr(call, "kv_num_heads", 1, 1, &shared, err));
    }
    Dim width = infer_dim(call, DIM_DIV, v->dims[v->rank - 1], shared);
    dims[out->rank - 1] = infer_dim(call, DIM_MUL, width, heads);
    TRY(cached(call, 1, 4, 1, err));
    TRY(cached(call, 2, 5, 2, err));
    if (keys->rank < 0)
        return 0;
    Dim scores[4] = {q->dims[0], q->rank == 4 ? q->dims[1] : (Dim)heads,
                     q->dims[q->rank - 2], keys->dims[2]};
    infer_set(call, infer_out(call, 3), q->type, 4, scores);
    return 0;
}

/* ---- Reductions ---- */

/* Sums, products and extrema of followed elements. */
static Dim fold_element(const InferCall *call, Dim a, Dim b)
{
    switch (call->node->op) {
    case OP_ReduceSum:
        return infer_dim(call, DIM_ADD, a, b);
    case OP_ReduceProd:
        return infer_dim(call, DIM_MUL, a, b);
    case OP_ReduceMin:
        return infer_dim(call, DIM_MIN, a, b);
    case OP_ReduceMax:
        return infer_dim(call, DIM_MAX, a, b);
    default:
        return dim_unknown(call->symbols);
    }
}

static void reduce_follow(InferCall *call, Fact *out)
{
    IntList list = infer_ints(call, 0);
    if (list.count < 1)
        return;
    Dim *item = arena_array(call->arena, 1, sizeof *item);
    *item = list.items[0];
    for (int i = 1; i < list.count; i++)
        *item = fold_element(call, *item, list.items[i]);
    *item = infer_fit(call, out->type, *item);
    infer_follow(call, out, (IntList){item, 1});
}

/* Axes are an attribute, or an input since ReduceSum-13 and the rest's 18.
 * None means all, unless noop_with_empty_axes. */
int infer_reduce(InferCall *call, Err *err)
{
    const Fact *in = infer_in(call, 0);
    Fact *out = infer_out(call, 0);
    bool keeps = node_int(call->node, "keepdims", 1) != 0;
    bool set[RANK_MAX];
    out->type = in->type;
    if (in->rank < 0)
        return 0;
    IntList axes = infer_list(call, 1, "axes");
    int known = infer_axes(call, axes, in->rank, set, err);
    TRY(known);
    bool all =
        axes.count == 0 && node_int(call->node, "noop_with_empty_axes", 0) == 0;
    if (!known && !keeps)
        return 0;
    Dim dims[RANK_MAX];
    int rank = 0;
    for (int i = 0; i < in->rank; i++)
        if (!known)
            dims[rank++] = dim_size_unknown(call->symbols);
        else if (!all && !set[i])
            dims[rank++] = in->dims[i];
        else if (keeps)
            dims[rank++] = 1;
    infer_set(call, out, in->type, rank, dims);
    if (all || (known && in->rank == 1 && set[0]))
        reduce_follow(call, out);
    return 0;
}

int infer_arg(InferCall *call, Err *err)
{
    const Fact *in = infer_in(call, 0);
    Fact *out = infer_out(call, 0);
    bool keeps = node_int(call->node, "keepdims", 1) != 0;
    int axis, rank = 0;
    Dim dims[RANK_MAX];
    out->type = DT_INT64;
    if (in->rank < 0)
        return 0;
    TRY(infer_axis(call, node_int(call->node, "axis", 0), in->rank, &axis,
                   err));
    for (int i = 0; i < in->rank; i++)
        if (i != axis)
            dims[rank++] = in->dims[i];
        else if (keeps)
            dims[rank++] = 1;
    infer_set(call, out, DT_INT64, rank, dims);
    return 0;
}

/* The number is an attribute before TopK-10. */
int infer_topk(InferCall *call, Err *err)
{
    const Fact *in = infer_in(call, 0);
    Fact *values = infer_out(call, 0), *indices = infer_out(call, 1);
    Dim *dims = infer_copy(call, values, in);
    indices->type = DT_INT64;
    if (in->rank < 0)
        return 0;
    int axis;
    TRY(infer_axis(call, node_int(call->node, "axis", -1), in->rank, &axis,
                   err));
    Dim count;
    IntList list = infer_has(call, 1) ? infer_ints(call, 1) : (IntList){0};
    int64_t most = in->dims[axis] >= 0 ? in->dims[axis] : INT64_MAX, number;
    if (!infer_has(call, 1))
        count = dim_number(call->symbols, node_int(call->node, "k", -1));
    else if (list.count == 1 && !dim_is_unknown(call->symbols, list.items[0]))
        count = list.items[0];
    else
        count = dim_size_unknown(call->symbols);
    if (dim_is_known(call->symbols, count, &number) &&
        (number < 0 || number > most))
        return infer_fail(call, err, ERR_BAD_ATTRIBUTE,
                          "k is %lld, which is not possible",
                          (long long)number);
    dims[axis] = count;
    infer_set(call, indices, DT_INT64, in->rank, dims);
    return 0;
}

/* ---- Operators along an axis that keep the shape ---- */

int infer_along_axis(InferCall *call, Err *err)
{
    const Fact *in = infer_in(call, 0);
    /* Softmax had 1 as default until 12, where axis could be the rank. */
    Op op = call->node->op;
    bool softmax = op == OP_Softmax || op == OP_LogSoftmax || op == OP_Hardmax;
    bool flattens = softmax && call->opset > 0 && call->opset < 13;
    int64_t axis = node_int(call->node, "axis", flattens ? 1 : -1);
    int unused;
    infer_copy(call, infer_out(call, 0), in);
    if (in->rank <= 0 || (flattens && axis == in->rank))
        return 0;
    return infer_axis(call, axis, in->rank, &unused, err);
}

int infer_cumsum(InferCall *call, Err *err)
{
    const Fact *in = infer_in(call, 0);
    IntList axis = infer_ints(call, 1);
    bool set[RANK_MAX];
    infer_copy(call, infer_out(call, 0), in);
    if (in->rank < 0)
        return 0;
    TRY(infer_axes(call, axis, in->rank, set, err));
    return 0;
}

/* PRelu's slope spreads over the input; before PRelu-7 it could be one
 * number for each channel. */
int infer_prelu(InferCall *call, Err *err)
{
    const Fact *in = infer_in(call, 0);
    infer_copy(call, infer_out(call, 0), in);
    Fact sum = FACT_UNKNOWN;
    if (call->opset > 0 && call->opset < 7)
        return 0;
    return infer_broadcast(call, in, infer_in(call, 1), &sum, err);
}
