/* Convolutions and pools of every geometry, and trees of them. */
#include <string.h>

#include "blocks.h"

static int spatial_of(const Value *x)
{
    return x->fact.rank - 2;
}

/* The size that a slack gives: floor((input + slack - 1) / stride) + 1. */
static int64_t output_size(int64_t input, int64_t slack, int64_t stride)
{
    return input + slack < 1 ? 0 : (input + slack - 1) / stride + 1;
}

static int64_t random_channels(Gen *gen)
{
    static const int64_t channels[] = {1, 2, 3, 4, 4, 6, 8};
    return channels[gen_pick(gen, 7)];
}

Target gen_target(Gen *gen, const Value *x, bool same)
{
    Target target = {.out = x->fact.dims[1]};
    if (!same && gen_chance(gen, 60))
        target.out = random_channels(gen);
    int64_t stride = same || gen_chance(gen, 60) ? 1 : gen_range(gen, 2, 3);
    int64_t slack = same || gen_chance(gen, 70) ? 0 : gen_range(gen, -3, 2);
    for (int i = 0; i < spatial_of(x); i++) {
        int64_t size = x->fact.dims[2 + i];
        bool own = !same && gen_chance(gen, 15);
        target.stride[i] = own ? gen_range(gen, 1, 2) : stride;
        target.slack[i] = own ? gen_range(gen, -2, 2) : slack;
        if (output_size(size, target.slack[i], target.stride[i]) < 2)
            target.slack[i] = 0;
    }
    return target;
}

/* begin + end = d(k-1) + slack, both not negative. */
Window gen_window(Gen *gen, const Target *target, int spatial, int most_taps)
{
    Window window = {.taps = {0}};
    int64_t taps = gen_chance(gen, 35) ? 1 : gen_range(gen, 1, most_taps);
    int64_t dilation = gen_chance(gen, 75) ? 1 : gen_range(gen, 2, 3);
    for (int i = 0; i < spatial; i++) {
        bool own = gen_chance(gen, 25);
        int64_t k = own ? gen_range(gen, 1, most_taps) : taps;
        int64_t d = own && gen_chance(gen, 20) ? 2 : dilation;
        while (d * (k - 1) + target->slack[i] < 0)
            k++;
        int64_t total = d * (k - 1) + target->slack[i];
        window.taps[i] = k;
        window.dilation[i] = d;
        window.begin[i] =
            gen_chance(gen, 60) ? total / 2 : gen_range(gen, 0, total);
        window.end[i] = total - window.begin[i];
    }
    return window;
}

/* auto_pad where it means the same, otherwise pads. */
static void set_pads(Gen *gen, Node *node, const Target *target,
                     const Window *window, int spatial)
{
    int64_t pads[2 * SPATIAL_MAX], zero = 0;
    bool upper = true, lower = true;
    for (int i = 0; i < spatial; i++) {
        int64_t begin = window->begin[i], end = window->end[i];
        pads[i] = begin;
        pads[spatial + i] = end;
        zero |= begin | end;
        bool same = target->stride[i] == 1 &&
                    begin + end == window->dilation[i] * (window->taps[i] - 1);
        upper &= same && begin == (begin + end) / 2;
        lower &= same && end == (begin + end) / 2;
    }
    bool automatic = gen_chance(gen, 30);
    if (zero == 0 && gen_chance(gen, 30))
        return;
    if (automatic && (upper || lower))
        node_set_string(node, "auto_pad", upper ? "SAME_UPPER" : "SAME_LOWER");
    else if (automatic && zero == 0)
        node_set_string(node, "auto_pad", "VALID");
    else
        node_set_ints(node, "pads", pads, 2 * (size_t)spatial);
}

/* An attribute that may be left out where it says 1 everywhere. */
static void set_axes(Gen *gen, Node *node, const char *name,
                     const int64_t *values, int spatial)
{
    bool all_one = true;
    for (int i = 0; i < spatial; i++)
        all_one &= values[i] == 1;
    if (!all_one || gen_chance(gen, 50))
        node_set_ints(node, name, values, (size_t)spatial);
}

static int64_t common_divisor(int64_t a, int64_t b)
{
    return b ? common_divisor(b, a % b) : a;
}

/* 1, all channels, or something in between that divides both. */
static int64_t random_group(Gen *gen, int64_t in, int64_t out)
{
    int64_t most = common_divisor(in, out);
    if (gen_chance(gen, 35))
        return most;
    int64_t group = gen_range(gen, 1, most);
    return most % group == 0 ? group : 1;
}

/* Some of the padding in a Pad node of its own. */
static Value *pad_before(Gen *gen, Value *x, Window *window)
{
    int rank = x->fact.rank;
    int64_t pads[2 * RANK_MAX] = {0}, total = 0;
    for (int i = 0; i < rank - 2; i++) {
        pads[2 + i] = gen_range(gen, 0, window->begin[i]);
        pads[rank + 2 + i] = gen_range(gen, 0, window->end[i]);
        total += pads[2 + i] + pads[rank + 2 + i];
        window->begin[i] -= pads[2 + i];
        window->end[i] -= pads[rank + 2 + i];
    }
    return total ? gen_pad(gen, x, pads, "constant") : x;
}

Value *gen_conv(Gen *gen, Value *x, const Target *target, const Window *window)
{
    Window own = *window;
    int spatial = spatial_of(x);
    int64_t in = x->fact.dims[1], group = random_group(gen, in, target->out);
    int64_t dims[2 + SPATIAL_MAX] = {target->out, in / group};
    memcpy(dims + 2, own.taps, sizeof own.taps);
    if (gen_chance(gen, 12))
        x = pad_before(gen, x, &own);
    Value *inputs[3] = {x, gen_constant(gen, NUMBERS_WEIGHT, 2 + spatial, dims),
                        NULL};
    int count = gen_chance(gen, 40) ? 3 : 2;
    if (count == 3)
        inputs[2] = gen_constant(gen, NUMBERS_WEIGHT, 1, dims);
    else if (gen_chance(gen, 10))
        count = 3; /* an empty name stands for no bias */
    Node *node = gen_node(gen, OP_Conv, inputs, count);
    set_axes(gen, node, "strides", target->stride, spatial);
    set_axes(gen, node, "dilations", own.dilation, spatial);
    if (gen_chance(gen, 50))
        node_set_ints(node, "kernel_shape", own.taps, (size_t)spatial);
    if (group > 1 || gen_chance(gen, 30))
        node_set_int(node, "group", group);
    set_pads(gen, node, target, &own, spatial);
    return gen_done(gen, node);
}

Value *gen_any_conv(Gen *gen, Value *x, const Target *target)
{
    Window window =
        gen_window(gen, target, spatial_of(x), spatial_of(x) == 3 ? 3 : 5);
    return gen_conv(gen, x, target, &window);
}

Value *gen_pointwise(Gen *gen, Value *x, int64_t out)
{
    Target target = {out, {1, 1, 1}, {0, 0, 0}};
    Window window = gen_window(gen, &target, spatial_of(x), 1);
    return gen_conv(gen, x, &target, &window);
}

Value *gen_average_pool(Gen *gen, Value *x, const Target *target)
{
    int spatial = spatial_of(x);
    Window window = gen_window(gen, target, spatial, 3);
    bool padded = false, dilates = gen->model->opset >= 19;
    for (int i = 0; i < spatial; i++) {
        int64_t *taps = &window.taps[i];
        int64_t *d = &window.dilation[i], slack = target->slack[i];
        *d = dilates ? *d : 1;
        /* 1/k must be exact with integers. */
        while ((gen->integers && (*taps & (*taps - 1))) ||
               *d * (*taps - 1) + slack < 0)
            ++*taps;
        int64_t total = *d * (*taps - 1) + slack;
        window.begin[i] = total / 2;
        window.end[i] = total - total / 2;
        padded |= total > 0;
    }
    Node *node = gen_node(gen, OP_AveragePool, &x, 1);
    node_set_ints(node, "kernel_shape", window.taps, (size_t)spatial);
    set_axes(gen, node, "strides", target->stride, spatial);
    if (dilates)
        set_axes(gen, node, "dilations", window.dilation, spatial);
    if (padded || gen_chance(gen, 30))
        node_set_int(node, "count_include_pad", 1);
    set_pads(gen, node, target, &window, spatial);
    return gen_done(gen, node);
}

/* ---- Transposed convolutions ---- */

/* The attributes of one branch are such that sizes grow by the same e. */
static Value *transposed_branch(Gen *gen, Value *x, int64_t out, int64_t stride,
                                int64_t growth)
{
    int spatial = spatial_of(x);
    int64_t in = x->fact.dims[1], group = random_group(gen, in, out);
    int64_t dims[2 + SPATIAL_MAX] = {in, out / group};
    int64_t strides[SPATIAL_MAX], pads[2 * SPATIAL_MAX], more[SPATIAL_MAX];
    int64_t extra = stride > 1 && gen_chance(gen, 30) ? 1 : 0;
    for (int i = 0; i < spatial; i++) {
        int64_t taps = gen_range(gen, 1, 4);
        while (taps - 1 + extra < growth)
            taps++;
        int64_t total = taps - 1 + extra - growth;
        dims[2 + i] = taps;
        strides[i] = stride;
        more[i] = extra;
        pads[i] = gen_chance(gen, 60) ? total / 2 : gen_range(gen, 0, total);
        pads[spatial + i] = total - pads[i];
    }
    Value *inputs[3] = {x, gen_constant(gen, NUMBERS_WEIGHT, 2 + spatial, dims),
                        NULL};
    int count = gen_chance(gen, 40) ? 3 : 2;
    if (count == 3)
        inputs[2] = gen_constant(gen, NUMBERS_WEIGHT, 1, &out);
    Node *node = gen_node(gen, OP_ConvTranspose, inputs, count);
    node_set_int(node, "group", group);
    set_axes(gen, node, "strides", strides, spatial);
    node_set_ints(node, "pads", pads, 2 * (size_t)spatial);
    if (extra)
        node_set_ints(node, "output_padding", more, (size_t)spatial);
    return gen_done(gen, node);
}

Value *gen_transposed(Gen *gen, Value *x)
{
    return transposed_branch(gen, x, random_channels(gen), gen_range(gen, 1, 2),
                             gen_range(gen, 0, 2));
}

Value *gen_transposed_region(Gen *gen, Value *x)
{
    int64_t out = gen_chance(gen, 50) ? x->fact.dims[1] : random_channels(gen);
    int64_t stride = gen_range(gen, 1, 2), growth = gen_range(gen, 0, 2);
    Value *sum = transposed_branch(gen, x, out, stride, growth);
    sum = gen_affines(gen, sum, 1, 2);
    for (int left = gen_pick(gen, 3); left > 0; left--) {
        Value *branch = transposed_branch(gen, x, out, stride, growth);
        branch = gen_affines(gen, branch, 1, 1);
        sum = gen_binary(gen, OP_Add, sum, branch);
    }
    if (stride == 1 && growth == 0 && out == x->fact.dims[1])
        sum = gen_binary(gen, OP_Add, sum, x);
    return gen_affines(gen, sum, 1, 2);
}

/* ---- Trees ---- */

static bool is_same(const Value *x, const Target *target)
{
    bool same = target->out == x->fact.dims[1];
    for (int i = 0; i < spatial_of(x); i++)
        same &= target->stride[i] == 1 && target->slack[i] == 0;
    return same;
}

/* MaxPool of one element: every stride-th element. */
static Value *strided_identity(Gen *gen, Value *x, const Target *target)
{
    static const int64_t ones[SPATIAL_MAX] = {1, 1, 1};
    Node *node = gen_node(gen, OP_MaxPool, &x, 1);
    node_set_ints(node, "kernel_shape", ones, (size_t)spatial_of(x));
    node_set_ints(node, "strides", target->stride, (size_t)spatial_of(x));
    return gen_done(gen, node);
}

static Value *gen_branch(Gen *gen, Value *x, const Target *target)
{
    bool keeps = target->out == x->fact.dims[1], unpadded = keeps;
    for (int i = 0; i < spatial_of(x); i++)
        unpadded &= target->slack[i] == 0;
    if (gen_chance(gen, 8))
        x = gen_unary(gen, OP_Identity, x);
    if (is_same(x, target) && gen_chance(gen, 25))
        return x;
    if (keeps && gen_chance(gen, 12))
        return gen_average_pool(gen, x, target);
    if (unpadded && gen_chance(gen, 8))
        return strided_identity(gen, x, target);
    if (gen_chance(gen, 5)) /* two in a row, nothing between */
        x = gen_pointwise(gen, x, random_channels(gen));
    return gen_any_conv(gen, x, target);
}

Value *gen_tree(Gen *gen, Value *x, Value *other, const Target *target,
                int depth)
{
    int kind = depth > 0 ? gen_pick(gen, 10) : 9;
    if (kind >= 8) {
        Value *base = other && gen_chance(gen, 15) ? other : x;
        return gen_affines(gen, gen_branch(gen, base, target), 1, 2);
    }
    Value *parts[4];
    int count = kind < 2 ? (int)gen_range(gen, 1, 4) : 2;
    for (int i = 0; i < count; i++)
        parts[i] = gen_tree(gen, x, other, target, depth - 1);
    if (gen_chance(gen, 2)) /* T + T */
        parts[count - 1] = parts[0];
    Op op = kind < 2 ? OP_Sum : kind < 6 ? OP_Add : OP_Sub;
    Value *sum = gen_done(gen, gen_node(gen, op, parts, count));
    return gen_affines(gen, sum, 1, 2);
}
