/* Operators that take elements, which affine maps commute with, too. */
#include "blocks.h"

/* Slice along one axis: lists as inputs, before opset 10 as attributes. */
static Value *slice(Gen *gen, Value *x, int axis, int64_t start, int64_t end,
                    int64_t step)
{
    int64_t named = gen_chance(gen, 50) ? axis : axis - x->fact.rank;
    bool listed = gen->model->opset >= 10;
    if (!listed) {
        Node *node = gen_node(gen, OP_Slice, &x, 1);
        node_set_ints(node, "starts", &start, 1);
        node_set_ints(node, "ends", &end, 1);
        node_set_ints(node, "axes", &named, 1);
        return gen_done(gen, node);
    }
    Value *inputs[5] = {x, gen_ints(gen, 1, &start), gen_ints(gen, 1, &end),
                        gen_ints(gen, 1, &named), gen_ints(gen, 1, &step)};
    return gen_done(gen, gen_node(gen, OP_Slice, inputs, step == 1 ? 4 : 5));
}

/* Some channels, or some rows; now and then backwards. */
static Value *taken_slice(Gen *gen, Value *x)
{
    int axis = (int)gen_range(gen, 1, x->fact.rank - 1);
    int64_t length = x->fact.dims[axis];
    if (gen->model->opset >= 10 && gen_chance(gen, 30))
        return slice(gen, x, axis, -1, INT64_MIN + 1, -gen_range(gen, 1, 2));
    int64_t start = gen_range(gen, 0, length - 1);
    int64_t end = gen_range(gen, start + 1, length);
    return slice(gen, x, axis, gen_chance(gen, 50) ? start : start - length,
                 end == length && gen_chance(gen, 50) ? INT64_MAX : end, 1);
}

static Value *taken_list(Gen *gen, Value *x)
{
    int64_t list[8];
    int axis = gen_chance(gen, 70) ? 1 : 2;
    int count = (int)gen_range(gen, 1, 4);
    for (int i = 0; i < count; i++)
        list[i] = gen_range(gen, 0, x->fact.dims[axis] - 1);
    Value *inputs[2] = {x, gen_ints(gen, count, list)};
    Node *node = gen_node(gen, OP_Gather, inputs, 2);
    node_set_int(node, "axis", axis);
    return gen_done(gen, node);
}

static Value *leaky(Gen *gen, Value *x)
{
    static const float slopes[3] = {0.5f, -0.25f, 2.0f};
    if (gen_chance(gen, 40)) {
        Value *inputs[2] = {x, gen_along(gen, x, 1, false, NUMBERS_SCALE)};
        return gen_done(gen, gen_node(gen, OP_PRelu, inputs, 2));
    }
    Node *node = gen_node(gen, OP_LeakyRelu, &x, 1);
    node_set_float(node, "alpha", slopes[gen_pick(gen, 3)]);
    return gen_done(gen, node);
}

/* Both parts are read. */
static Value *taken_part(Gen *gen, Value *x)
{
    int axis = gen_chance(gen, 70) ? 1 : 2;
    int64_t length = x->fact.dims[axis];
    if (length < 2)
        return leaky(gen, x);
    int64_t parts[2] = {gen_range(gen, 1, length - 1), 0};
    parts[1] = length - parts[0];
    bool listed = gen->model->opset >= 13;
    Value *inputs[2] = {x, listed ? gen_ints(gen, 2, parts) : NULL};
    Value *outputs[2] = {graph_fresh_value(gen->graph, "part"),
                         graph_fresh_value(gen->graph, "part")};
    Node *node =
        node_new(gen->graph, OP_Split, "", inputs, listed ? 2 : 1, outputs, 2);
    node_set_int(node, "axis", axis);
    if (!listed)
        node_set_ints(node, "split", parts, 2);
    graph_add_node(gen->graph, node);
    gen_done(gen, node);
    int kept = gen_pick(gen, 2);
    Value *other = gen_pointwise(gen, outputs[1 - kept], 2);
    graph_add_output(gen->graph, gen_unary(gen, OP_Relu, other));
    return outputs[kept];
}

/* Blocks of two by two pixels as channels, or the other way round. */
static Value *taken_blocks(Gen *gen, Value *x)
{
    const int64_t *dims = x->fact.dims;
    if (x->fact.rank != 4)
        return taken_list(gen, x);
    bool divides = dims[1] % 4 == 0;
    if (!divides && (dims[2] % 2 || dims[3] % 2))
        return taken_slice(gen, x);
    Node *node =
        gen_node(gen, divides ? OP_DepthToSpace : OP_SpaceToDepth, &x, 1);
    node_set_int(node, "blocksize", 2);
    if (divides && gen->model->opset >= 11)
        node_set_string(node, "mode", gen_chance(gen, 50) ? "CRD" : "DCR");
    return gen_done(gen, node);
}

static Value *expanded(Gen *gen, Value *x)
{
    int64_t dims[RANK_MAX];
    int rank = x->fact.rank;
    if (!op_exists(OP_Expand, gen->model->opset))
        return leaky(gen, x);
    for (int i = 0; i < rank; i++)
        dims[i] = i == 1 || x->fact.dims[i] > 1 ? 1 : gen_range(gen, 1, 2);
    Value *inputs[2] = {x, gen_ints(gen, rank, dims)};
    return gen_done(gen, gen_node(gen, OP_Expand, inputs, 2));
}

Value *gen_taken(Gen *gen, Value *x)
{
    static Value *(*const takers[])(Gen *, Value *) = {
        taken_slice,  taken_slice, taken_list, taken_part,
        taken_blocks, expanded,    leaky,      leaky,
    };
    return takers[gen_pick(gen, sizeof takers / sizeof *takers)](gen, x);
}

/* Rows and columns without the first and the last `by`. */
static Value *cropped(Gen *gen, Value *x, int64_t by)
{
    for (int axis = 2; axis < x->fact.rank; axis++) {
        int64_t end = gen_chance(gen, 50) ? -by : x->fact.dims[axis] - by;
        x = slice(gen, x, axis, by, end, 1);
    }
    return x;
}

/* A kernel without padding, and one tap or a scale on what is cropped to its
 * size. What is composed (C12) through a crop has no certificate: nothing
 * linear stands before it. */
Value *gen_crop_region(Gen *gen, Value *x)
{
    x = gen_unary(gen, OP_Relu, x);
    Target target = {gen_range(gen, 1, 3), {1, 1, 1}, {-2, -2, -2}};
    for (int i = 2; i < x->fact.rank; i++)
        if (x->fact.dims[i] < 4)
            return gen_pointwise(gen, x, target.out);
    Window window = {{3, 3, 3}, {1, 1, 1}, {0, 0, 0}, {0, 0, 0}};
    Value *sum = gen_affines(gen, gen_conv(gen, x, &target, &window), 1, 1);
    Value *inner = cropped(gen, x, 1);
    target.slack[0] = target.slack[1] = target.slack[2] = 0;
    Value *other = gen_pointwise(gen, inner, target.out);
    if (target.out == x->fact.dims[1] && gen_chance(gen, 50))
        other = gen_affine(gen, inner, 1);
    return gen_affines(gen, gen_binary(gen, OP_Add, sum, other), 1, 1);
}
