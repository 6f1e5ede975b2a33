/* Regions that look foldable, and readers in the way. Each is a line of what
 * must be refused, or must be folded in spite of appearances. */
#include <math.h>

#include "blocks.h"

static int spatial_of(const Value *x)
{
    return x->fact.rank - 2;
}

static Target same_target(const Value *x)
{
    return (Target){x->fact.dims[1], {1, 1, 1}, {0, 0, 0}};
}

static Value *same_conv(Gen *gen, Value *x)
{
    Target target = same_target(x);
    return gen_any_conv(gen, x, &target);
}

static void add_output(Gen *gen, Value *value)
{
    if (!value->is_output)
        graph_add_output(gen->graph, value);
}

/* ---- Normalizations ---- */

/* In training the statistics are the batch's, which also come out: before
 * opset 14 that alone says that it is training. */
static Value *training_batchnorm(Gen *gen, Value *x)
{
    Value *conv = same_conv(gen, x);
    Value *y = gen_batchnorm(gen, conv);
    Node *node = y->producer;
    bool flagged = gen->model->opset >= 14;
    int sides = flagged ? (gen_chance(gen, 50) ? 2 : 0) : 4;
    Value **outputs =
        arena_array(gen->arena, 1 + (size_t)sides, sizeof *outputs);
    outputs[0] = y;
    for (int i = 1; i <= sides; i++)
        outputs[i] = graph_fresh_value(gen->graph, "statistic");
    node->outputs = outputs;
    node->output_count = 1 + sides;
    for (int i = 1; i <= sides; i++) {
        outputs[i]->producer = node;
        outputs[i]->output = i;
    }
    if (flagged)
        node_set_int(node, "training_mode", 1);
    if (sides && gen_chance(gen, 30))
        add_output(gen, outputs[1]);
    return gen_done(gen, node);
}

/* A parameter that is NaN or infinite, or a variance below zero. */
static Value *broken_batchnorm(Gen *gen, Value *x)
{
    Value *y = gen_batchnorm(gen, same_conv(gen, x));
    Node *node = y->producer;
    int64_t channels = x->fact.dims[1];
    double *numbers =
        arena_array(gen->arena, (size_t)channels, sizeof *numbers);
    for (int64_t c = 0; c < channels; c++)
        numbers[c] = 4 - (double)node_float(node, "epsilon", 0);
    static const double broken[] = {(double)NAN, (double)INFINITY, -1};
    int which = gen_pick(gen, 3);
    numbers[gen_pick(gen, (int)channels)] = broken[which];
    int slot = which == 2 ? 4 : 1 + gen_pick(gen, 4);
    node->inputs[slot] =
        gen_tensor(gen, gen->type, NUMBERS_WEIGHT, 1, &channels, numbers);
    return gen_done(gen, node);
}

/* The shift does not go through padding. */
static Value *batchnorm_before_padding(Gen *gen, Value *x)
{
    Target target = same_target(x);
    Window window = gen_window(gen, &target, spatial_of(x), 3);
    for (int i = 0; i < spatial_of(x); i++) {
        window.taps[i] = 3;
        window.dilation[i] = window.begin[i] = window.end[i] = 1;
    }
    return gen_conv(gen, gen_batchnorm(gen, x), &target, &window);
}

/* ---- Constants that do not lie along the channels ---- */

/* Right-aligned, as numpy does it: along the last axis, not the channels. */
static Value *wrong_axis(Gen *gen, Value *x)
{
    int64_t last = x->fact.dims[x->fact.rank - 1];
    Target target = same_target(x);
    target.out = last <= 8 ? last : 1;
    Value *y = gen_any_conv(gen, x, &target);
    Value *k = gen_constant(gen, NUMBERS_SCALE, 1, &last);
    return gen_binary(gen, gen_chance(gen, 50) ? OP_Mul : OP_Add, y, k);
}

/* The same before the operator, where sizes and channels are alike. */
static Value *wrong_axis_before(Gen *gen, Value *x)
{
    Value *y = gen_affine(gen, x, x->fact.rank - 1);
    return gen_pointwise(gen, y, x->fact.dims[1]);
}

/* Along all axes but the batch. */
static Value *whole_constant(Gen *gen, Value *x)
{
    Value *y = same_conv(gen, x);
    Value *k =
        gen_constant(gen, NUMBERS_SCALE, y->fact.rank - 1, y->fact.dims + 1);
    return gen_binary(gen, gen_chance(gen, 50) ? OP_Mul : OP_Sub, y, k);
}

/* A constant of higher rank changes the rank of what comes out. */
static Value *higher_rank(Gen *gen, Value *x)
{
    Value *y = same_conv(gen, x);
    int64_t dims[RANK_MAX];
    int rank = y->fact.rank + 1;
    for (int i = 0; i < rank; i++)
        dims[i] = i == 2 ? y->fact.dims[1] : 1;
    Value *k = gen_constant(gen, NUMBERS_SCALE, rank, dims);
    add_output(gen, gen_binary(gen, OP_Mul, y, k));
    return x;
}

static Value *overridable(Gen *gen, Value *x)
{
    Value *y = same_conv(gen, x);
    int64_t channels = y->fact.dims[1], dims[RANK_MAX] = {channels};
    for (int i = 1; i < y->fact.rank - 1; i++)
        dims[i] = 1;
    Value *k =
        gen_tensor(gen, gen->type, NUMBERS_SCALE, y->fact.rank - 1, dims, NULL);
    if (!k->is_input)
        graph_add_input(gen->graph, k);
    return gen_binary(gen, OP_Mul, y, k);
}

/* Scales that overflow float16 when they are multiplied together, unless a
 * later one takes them back. */
static Value *large_scales(Gen *gen, Value *x)
{
    Value *y = same_conv(gen, x);
    y = gen_binary(gen, OP_Mul, y, gen_scalar(gen, 4096));
    y = gen_binary(gen, OP_Mul, y, gen_scalar(gen, 4096));
    y = gen_batchnorm(gen, y);
    return gen_chance(gen, 50)
               ? y
               : gen_binary(gen, OP_Div, y, gen_scalar(gen, 4096));
}

/* ---- Operands that are computed ---- */

static Value *dynamic_weight(Gen *gen, Value *x)
{
    int64_t dims[2 + SPATIAL_MAX] = {x->fact.dims[1], x->fact.dims[1], 1, 1, 1};
    Value *weight = gen_input(gen, gen->type, x->fact.rank, dims);
    if (gen_chance(gen, 50))
        weight = gen_affine(gen, weight, 0);
    Value *inputs[2] = {x, weight};
    Value *y = gen_done(gen, gen_node(gen, OP_Conv, inputs, 2));
    return gen_affines(gen, y, 1, 2);
}

static Value *dynamic_scale(Gen *gen, Value *x)
{
    int64_t dims[RANK_MAX] = {1, x->fact.dims[1]};
    for (int i = 2; i < x->fact.rank; i++)
        dims[i] = 1;
    Value *k = gen_input(gen, gen->type, x->fact.rank, dims);
    return gen_binary(gen, OP_Mul, same_conv(gen, x), k);
}

/* Two activations multiplied, as in a gate. */
static Value *gate(Gen *gen, Value *x)
{
    Value *a = gen_affines(gen, same_conv(gen, x), 1, 2);
    Value *b = gen_affines(gen, same_conv(gen, x), 1, 2);
    if (!gen->integers && gen_chance(gen, 60))
        b = gen_unary(gen, OP_Sigmoid, b);
    return gen_binary(gen, OP_Mul, a, b);
}

/* ---- Sums ---- */

/* The divisor of the pool varies at the border. */
static Value *exclusive_pool(Gen *gen, Value *x)
{
    int64_t taps[SPATIAL_MAX], pads[2 * SPATIAL_MAX];
    int spatial = spatial_of(x);
    for (int i = 0; i < spatial; i++) {
        taps[i] = 2;
        pads[i] = 1;
        pads[spatial + i] = 0;
    }
    Node *node = gen_node(gen, OP_AveragePool, &x, 1);
    node_set_ints(node, "kernel_shape", taps, (size_t)spatial);
    node_set_ints(node, "pads", pads, 2 * (size_t)spatial);
    Value *pool = gen_done(gen, node);
    return gen_binary(gen, OP_Add, same_conv(gen, x), pool);
}

/* The last window hangs over the end, where the size has it so. */
static Value *ceiling_pool(Gen *gen, Value *x)
{
    int64_t twos[SPATIAL_MAX] = {2, 2, 2};
    Target target = {x->fact.dims[1], {2, 2, 2}, {0, 0, 0}};
    for (int i = 0; i < spatial_of(x); i++)
        target.slack[i] = x->fact.dims[2 + i] % 2 ? 0 : -1;
    Node *node = gen_node(gen, OP_AveragePool, &x, 1);
    node_set_ints(node, "kernel_shape", twos, (size_t)spatial_of(x));
    node_set_ints(node, "strides", twos, (size_t)spatial_of(x));
    node_set_int(node, "ceil_mode", 1);
    if (gen_chance(gen, 50))
        node_set_int(node, "count_include_pad", 1);
    Value *pool = gen_done(gen, node);
    return gen_binary(gen, OP_Add, gen_any_conv(gen, x, &target), pool);
}

/* Equal sizes come out by chance: stride 2, slacks that differ by 1. */
static Value *other_slack(Gen *gen, Value *x)
{
    Target target = {x->fact.dims[1], {2, 2, 2}, {0, 0, 0}};
    Value *a = gen_any_conv(gen, x, &target);
    for (int i = 0; i < spatial_of(x); i++)
        target.slack[i] = x->fact.dims[2 + i] % 2 ? 1 : -1;
    Value *b = gen_any_conv(gen, x, &target);
    return gen_binary(gen, OP_Add, a, b);
}

/* One channel against several. */
static Value *broadcast_channels(Gen *gen, Value *x)
{
    Target target = same_target(x);
    Value *a = gen_any_conv(gen, x, &target);
    target.out = 1;
    Value *b = gen_affines(gen, gen_any_conv(gen, x, &target), 1, 1);
    return gen_affines(gen, gen_binary(gen, OP_Add, a, b), 1, 1);
}

/* One position against many: the valid convolution covers all of x. */
static Value *broadcast_positions(Gen *gen, Value *x)
{
    Target target = same_target(x);
    Value *a = gen_any_conv(gen, x, &target);
    for (int i = 0; i < spatial_of(x); i++)
        target.slack[i] = 1 - x->fact.dims[2 + i];
    Value *b = gen_any_conv(gen, x, &target);
    return gen_affines(gen, gen_binary(gen, OP_Add, a, b), 1, 1);
}

/* The same size by another stride: 2, and 1 with a kernel that eats the rest.
 */
static Value *other_stride(Gen *gen, Value *x)
{
    Target target = {x->fact.dims[1], {2, 2, 2}, {0, 0, 0}};
    Value *a = gen_any_conv(gen, x, &target);
    for (int i = 0; i < spatial_of(x); i++) {
        target.stride[i] = 1;
        target.slack[i] = a->fact.dims[2 + i] - x->fact.dims[2 + i];
    }
    return gen_binary(gen, OP_Add, a, gen_any_conv(gen, x, &target));
}

/* A maximum is no linear branch. */
static Value *maximum_branch(Gen *gen, Value *x)
{
    int64_t taps[SPATIAL_MAX], pads[2 * SPATIAL_MAX];
    int spatial = spatial_of(x);
    for (int i = 0; i < spatial; i++) {
        taps[i] = 3;
        pads[i] = pads[spatial + i] = 1;
    }
    Node *node = gen_node(gen, OP_MaxPool, &x, 1);
    node_set_ints(node, "kernel_shape", taps, (size_t)spatial);
    node_set_ints(node, "pads", pads, 2 * (size_t)spatial);
    Value *pool = gen_affines(gen, gen_done(gen, node), 1, 1);
    return gen_binary(gen, OP_Sub, same_conv(gen, x), pool);
}

/* A convolution of a constant is a constant. */
static Value *constant_data(Gen *gen, Value *x)
{
    int64_t dims[RANK_MAX];
    for (int i = 0; i < x->fact.rank; i++)
        dims[i] = i ? x->fact.dims[i] : 1;
    Value *data = gen_constant(gen, NUMBERS_WEIGHT, x->fact.rank, dims);
    data = gen_affines(gen, same_conv(gen, data), 1, 2);
    return gen_binary(gen, OP_Add, data, same_conv(gen, x));
}

static Value *nonlinear_branch(Gen *gen, Value *x)
{
    Value *a = gen_affines(gen, same_conv(gen, x), 1, 1);
    Value *b = gen_unary(gen, OP_Relu, same_conv(gen, x));
    b = gen_affines(gen, b, 1, 1);
    return gen_affines(gen, gen_binary(gen, OP_Add, a, b), 1, 1);
}

static Value *twice(Gen *gen, Value *x)
{
    Value *y = gen_affines(gen, same_conv(gen, x), 1, 2);
    return gen_binary(gen, gen_chance(gen, 70) ? OP_Add : OP_Mul, y, y);
}

/* ---- Other paddings ---- */

static Value *other_padding(Gen *gen, Value *x)
{
    static const char *const modes[] = {"reflect", "edge", "constant"};
    int64_t pads[2 * RANK_MAX] = {0};
    int rank = x->fact.rank;
    const char *mode = modes[gen_pick(gen, 3)];
    for (int i = 2; i < rank; i++)
        pads[i] = pads[rank + i] = 1;
    if (mode == modes[2]) /* crops at the end */
        pads[2 * rank - 1] = -1;
    Value *y = gen_pad(gen, x, pads, mode);
    Target target = same_target(x);
    for (int i = 0; i < spatial_of(x); i++)
        target.slack[i] = 0;
    return gen_affines(gen, gen_any_conv(gen, y, &target), 1, 1);
}

Value *gen_trap(Gen *gen, Value *x)
{
    static Value *(*const traps[])(Gen *, Value *) = {
        training_batchnorm,
        broken_batchnorm,
        batchnorm_before_padding,
        wrong_axis,
        wrong_axis_before,
        whole_constant,
        higher_rank,
        overridable,
        large_scales,
        dynamic_weight,
        dynamic_scale,
        gate,
        exclusive_pool,
        other_slack,
        broadcast_channels,
        other_stride,
        broadcast_positions,
        nonlinear_branch,
        maximum_branch,
        twice,
        other_padding,
        constant_data,
        gen_namesake,
        gen_function,
        gen_captured,
        ceiling_pool,
    };
    int count = (int)(sizeof traps / sizeof *traps);
    /* ceil_mode came with opset 10. */
    int which = gen_pick(gen, gen->model->opset >= 10 ? count : count - 1);
    for (int i = 2; i < x->fact.rank; i++)
        if (x->fact.dims[i] < 3)
            return x;
    return traps[which](gen, x);
}
