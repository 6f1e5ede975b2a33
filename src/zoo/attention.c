/* Self-attention with all the shape arithmetic that the exporter writes. */
#include "zoo/block.h"

/* A dimension: a number, or where the batch is a symbol the value of a node
 * that finds it at run time. */
typedef struct Extent {
    int64_t number;
    Value *value;
} Extent;

typedef struct Extents {
    Extent batch, channels, height, width, positions, heads;
} Extents;

static Value *transpose(Net *net, Scope scope, Value *x, const int64_t *perm,
                        size_t rank)
{
    Node *node = net_node(net, scope, OP_Transpose, &x, 1, 1);
    node_set_ints(node, "perm", perm, rank);
    return node->outputs[0];
}

static Value *reshape(Net *net, Scope scope, Value *x, Value *shape)
{
    Node *node = net_node(net, scope, OP_Reshape, (Value *[]){x, shape}, 2, 1);
    node_set_int(node, "allowzero", 0);
    return node->outputs[0];
}

static Value *concat(Net *net, Scope scope, Value *const *parts, int count)
{
    Node *node = net_node(net, scope, OP_Concat, parts, count, 1);
    node_set_int(node, "axis", 0);
    return node->outputs[0];
}

static Extent measure_axis(Net *net, Scope scope, Value *x, int64_t axis)
{
    Value *shape = net_unary(net, scope, OP_Shape, x);
    Value *index = net_int(net, scope, axis);
    Node *gather =
        net_node(net, scope, OP_Gather, (Value *[]){shape, index}, 2, 1);
    node_set_int(gather, "axis", 0);
    return (Extent){0, gather->outputs[0]};
}

static Extents measure(Net *net, Scope scope, Feature x)
{
    Extents e = {.batch = {1, NULL},
                 .channels = {x.channels, NULL},
                 .height = {x.size, NULL},
                 .width = {x.size, NULL},
                 .positions = {x.size * x.size, NULL},
                 .heads = {x.channels / HEAD_CHANNELS, NULL}};
    if (!net->options.dynamic)
        return e;
    e.batch = measure_axis(net, scope, x.value, 0);
    e.channels = measure_axis(net, scope, x.value, 1);
    e.height = measure_axis(net, scope, x.value, 2);
    e.width = measure_axis(net, scope, x.value, 3);
    e.positions.value =
        net_binary(net, scope, OP_Mul, e.height.value, e.width.value);
    return e;
}

/* The shape vector: one Constant where every extent is a number, which is so
 * where the first, the batch, is; otherwise joined at run time. The axes of
 * Unsqueeze belong to no module. */
static Value *shape_of(Net *net, Scope scope, const Extent *extents, int count)
{
    int64_t numbers[5];
    Value *parts[5];
    for (int i = 0; i < count; i++)
        numbers[i] = extents[i].number;
    if (!extents[0].value)
        return net_ints(net, scope, numbers, count);
    for (int i = 0; i < count; i++) {
        if (!extents[i].value) {
            parts[i] = net_ints(net, scope, numbers + i, 1);
            continue;
        }
        Value *axes = net_ints(net, scope_root(), (int64_t[]){0}, 1);
        parts[i] = net_binary(net, scope, OP_Unsqueeze, extents[i].value, axes);
    }
    return concat(net, scope, parts, count);
}

/* [batch, channels, height, width] to [batch, positions, channels]. */
static Value *to_positions(Net *net, Scope scope, Value *x)
{
    Value *shape = net_unary(net, scope, OP_Shape, x);
    Value *axes = net_ints(net, scope, (int64_t[]){0}, 1);
    Value *starts = net_ints(net, scope, (int64_t[]){0}, 1);
    Value *ends = net_ints(net, scope, (int64_t[]){2}, 1);
    Value *slice[] = {shape, starts, ends, axes};
    Value *kept = net_node(net, scope, OP_Slice, slice, 4, 1)->outputs[0];
    Value *rest = net_ints(net, scope, (int64_t[]){-1}, 1);
    shape = concat(net, scope, (Value *[]){kept, rest}, 2);
    x = reshape(net, scope, x, shape);
    return transpose(net, scope, x, (int64_t[]){0, 2, 1}, 3);
}

static Value *linear(Net *net, Scope scope, Value *x, int64_t in, int64_t out)
{
    Value *weight = net_param_transposed(net, scope, "weight", out, in);
    return net_binary(net, scope, OP_MatMul, x, weight);
}

/* [batch, positions, 3 * channels] to queries, keys and values, each
 * [batch, heads, positions, HEAD_CHANNELS]. */
static void split_heads(Net *net, Scope scope, Value *x, const Extents *e,
                        Value *parts[3])
{
    Extent extents[] = {
        e->batch, e->positions, {3, NULL}, e->heads, {HEAD_CHANNELS, NULL}};
    x = reshape(net, scope, x, shape_of(net, scope, extents, 5));
    x = transpose(net, scope, x, (int64_t[]){2, 0, 3, 1, 4}, 5);
    Value *sizes = net_ints(net, scope, (int64_t[]){1, 1, 1}, 3);
    Node *split = net_node(net, scope, OP_Split, (Value *[]){x, sizes}, 2, 3);
    node_set_int(split, "axis", 0);
    for (int i = 0; i < 3; i++) {
        Value *axes = net_ints(net, scope, (int64_t[]){0}, 1);
        parts[i] = net_binary(net, scope, OP_Squeeze, split->outputs[i], axes);
    }
}

static Value *cast(Net *net, Scope scope, Value *x, DType type)
{
    Node *node = net_node(net, scope, OP_Cast, &x, 1, 1);
    node_set_int(node, "to", type);
    return node->outputs[0];
}

/* 1 / sqrt(the last dimension of x), a vector of one. The reciprocal of a
 * float16 is taken in float32. */
static Value *scale_of(Net *net, Scope scope, Value *x)
{
    DType type = net->options.type;
    DType wide = type == DT_FLOAT16 ? DT_FLOAT : type;
    Value *shape = net_unary(net, scope, OP_Shape, x);
    Value *starts = net_ints(net, scope, (int64_t[]){-1}, 1);
    Value *ends = net_ints(net, scope, (int64_t[]){INT64_MAX}, 1);
    Value *slice[] = {shape, starts, ends};
    Value *last = net_node(net, scope, OP_Slice, slice, 3, 1)->outputs[0];
    Value *root = cast(net, scope, last, type);
    root = net_unary(net, scope, OP_Sqrt, root);
    Value *one = net_real(net, scope, wide, 1, 1);
    if (wide != type)
        root = cast(net, scope, root, wide);
    Value *scale = net_binary(net, scope, OP_Div, one, root);
    return cast(net, scope, scale, type);
}

/* softmax(q k^T * scale) v, with the root of the scale on either factor. */
static Value *dot_product(Net *net, Scope scope, Value *const parts[3])
{
    Value *q = parts[0], *k = parts[1], *v = parts[2];
    Value *scale = scale_of(net, scope, q);
    k = transpose(net, scope, k, (int64_t[]){0, 1, 3, 2}, 4);
    Value *root = net_unary(net, scope, OP_Sqrt, scale);
    q = net_binary(net, scope, OP_Mul, q, root);
    root = net_unary(net, scope, OP_Sqrt, scale);
    k = net_binary(net, scope, OP_Mul, k, root);
    Value *scores = net_binary(net, scope, OP_MatMul, q, k);
    Node *softmax = net_node(net, scope, OP_Softmax, &scores, 1, 1);
    node_set_int(softmax, "axis", -1);
    return net_binary(net, scope, OP_MatMul, softmax->outputs[0], v);
}

/* Scaled dot-product attention: Vaswani et al. 2017, arXiv 1706.03762. */
Feature block_attention(Net *net, Scope scope, Feature x)
{
    int64_t channels = x.channels;
    Extents e = measure(net, scope, x);
    Value *parts[3];
    Value *y = to_positions(net, scope, x.value);
    y = linear(net, scope_child(net, scope, "qkv"), y, channels, 3 * channels);
    split_heads(net, scope, y, &e, parts);
    y = dot_product(net, scope, parts);
    y = transpose(net, scope, y, (int64_t[]){0, 2, 1, 3}, 4);
    Extent joined[] = {e.batch, e.positions, e.channels};
    y = reshape(net, scope, y, shape_of(net, scope, joined, 3));

    Scope proj = scope_child(net, scope, "proj");
    y = linear(net, proj, y, channels, channels);
    Value *bias = net_param(net, proj, "bias", 1, &channels);
    y = net_binary(net, proj, OP_Add, bias, y);
    y = transpose(net, scope, y, (int64_t[]){0, 2, 1}, 3);
    Extent map[] = {e.batch, e.channels, e.height, e.width};
    y = reshape(net, scope, y, shape_of(net, scope, map, 4));
    return (Feature){y, channels, x.size};
}
