/* Regions of images: what stands between two nonlinearities. */
#include "blocks.h"

static int64_t channels_of(const Value *x)
{
    return x->fact.dims[1];
}

/* A value of the same shape that no fold may take for x. */
static Value *another(Gen *gen, Value *x)
{
    return gen_chance(gen, 15) ? gen_unary(gen, OP_Relu, x) : NULL;
}

Value *gen_sum_region(Gen *gen, Value *x)
{
    Target target = gen_target(gen, x, gen_chance(gen, 60));
    Value *other = another(gen, x);
    if (gen_chance(gen, 15))
        x = gen_affine(gen, x, 1);
    int depth = (int)gen_range(gen, 1, 3);
    x = gen_tree(gen, x, other, &target, depth);
    return gen_affines(gen, x, 1, 2);
}

Value *gen_chain_region(Gen *gen, Value *x)
{
    for (int left = (int)gen_range(gen, 1, 2); left > 0; left--) {
        x = gen_affines(gen, x, 1, 1);
        Target target = gen_target(gen, x, false);
        x = gen_chance(gen, 12) ? gen_transposed(gen, x)
                                : gen_any_conv(gen, x, &target);
        x = gen_affines(gen, x, 1, 3);
    }
    return x;
}

/* All readers are convolutions, most of them unpadded. */
Value *gen_forward_region(Gen *gen, Value *x)
{
    Value *mapped = gen_affine(gen, x, 1);
    Target target = gen_target(gen, x, true);
    Value *sum = NULL;
    for (int left = (int)gen_range(gen, 1, 3); left > 0; left--) {
        Value *branch = gen_chance(gen, 70)
                            ? gen_pointwise(gen, mapped, target.out)
                            : gen_any_conv(gen, mapped, &target);
        if (gen_chance(gen, 40)) /* cannot be merged with the others */
            branch = gen_unary(gen, OP_Relu, branch);
        sum = sum ? gen_binary(gen, OP_Add, sum, branch) : branch;
    }
    return sum;
}

/* ---- Operators that affine maps commute with ---- */

/* Zeros on one side of each axis. */
static Value *move_pad(Gen *gen, Value *x)
{
    int64_t pads[2 * RANK_MAX] = {0};
    for (int i = 2; i < x->fact.rank; i++)
        pads[gen_chance(gen, 50) ? i : x->fact.rank + i] = 1;
    return gen_pad(gen, x, pads, "constant");
}

/* A pool that keeps the number of axes; sizes stay at least 1. Of an average,
 * padding may be counted, which a shift does not go through, or left out. */
static Value *move_pool(Gen *gen, Value *x, Op op)
{
    int64_t taps[SPATIAL_MAX], strides[SPATIAL_MAX];
    int64_t pads[2 * SPATIAL_MAX] = {0};
    int spatial = x->fact.rank - 2;
    bool padded = gen_chance(gen, 25);
    if (op == OP_AveragePool && gen_chance(gen, 30))
        x = move_pad(gen, x);
    for (int i = 0; i < spatial; i++) {
        taps[i] = x->fact.dims[2 + i] >= 2 ? gen_range(gen, 1, 2) : 1;
        strides[i] = gen_range(gen, 1, 2);
        pads[padded && gen_chance(gen, 50) ? i : spatial + i] =
            padded ? taps[i] - 1 : 0;
    }
    Node *node = gen_node(gen, op, &x, 1);
    node_set_ints(node, "kernel_shape", taps, (size_t)spatial);
    node_set_ints(node, "strides", strides, (size_t)spatial);
    if (padded)
        node_set_ints(node, "pads", pads, 2 * (size_t)spatial);
    if (padded && op == OP_AveragePool && gen_chance(gen, 50))
        node_set_int(node, "count_include_pad", 1);
    if (gen->model->opset >= 10 && gen_chance(gen, 15))
        node_set_int(node, "ceil_mode", 1);
    return gen_done(gen, node);
}

/* The mean over all positions. With integers their number must be a power of
 * two; where it is not, the maximum. */
static Value *move_global(Gen *gen, Value *x)
{
    int64_t count = 1, axes[SPATIAL_MAX];
    int spatial = x->fact.rank - 2;
    for (int i = 0; i < spatial; i++) {
        count *= x->fact.dims[2 + i];
        axes[i] = gen_chance(gen, 50) ? 2 + i : i - spatial;
    }
    if (gen->integers && (count & (count - 1)))
        return gen_unary(gen, OP_GlobalMaxPool, x);
    if (gen_chance(gen, 50))
        return gen_unary(gen, OP_GlobalAveragePool, x);
    bool listed = gen->model->opset >= 18;
    Value *inputs[2] = {x, listed ? gen_ints(gen, spatial, axes) : NULL};
    Node *node = gen_node(gen, OP_ReduceMean, inputs, listed ? 2 : 1);
    if (!listed)
        node_set_ints(node, "axes", axes, (size_t)spatial);
    return gen_done(gen, node);
}

/* The same sizes, but for the channels. */
static bool are_alike(const Value *x, const Value *y)
{
    bool alike = x->fact.rank == y->fact.rank;
    for (int i = 0; alike && i < x->fact.rank; i++)
        alike = i == 1 || x->fact.dims[i] == y->fact.dims[i];
    return alike;
}

/* Along the rows: the same again, or what has not been mapped. */
static Value *move_rows(Gen *gen, Value *x, Value *base)
{
    bool fits = are_alike(x, base) && channels_of(x) == channels_of(base);
    Value *inputs[2] = {x, fits && gen_chance(gen, 50) ? base : x};
    Node *node = gen_node(gen, OP_Concat, inputs, 2);
    node_set_int(node, "axis", 2);
    return gen_done(gen, node);
}

/* A sum of the same with itself, or with what has not been mapped. */
static Value *move_met(Gen *gen, Value *x, Value *base)
{
    bool fits = are_alike(x, base) && channels_of(x) == channels_of(base);
    Value *other = fits && gen_chance(gen, 50) ? base : x;
    other = gen_unary(gen, gen_chance(gen, 50) ? OP_Relu : OP_Identity, other);
    return gen_binary(gen, gen_chance(gen, 50) ? OP_Add : OP_Sub, x, other);
}

static Value *move_concat(Gen *gen, Value *x, Value *base)
{
    Target target = {1, {1, 1, 1}, {0, 0, 0}};
    bool fits = are_alike(x, base);
    if (gen_chance(gen, 30) && x->fact.dims[2] < 6)
        return move_rows(gen, x, base);
    base = fits ? base : x;
    target.out = gen_range(gen, 1, 4);
    Value *inputs[2] = {x, gen_any_conv(gen, base, &target)};
    Node *node = gen_node(gen, OP_Concat, inputs, 2);
    node_set_int(node, "axis", gen_chance(gen, 50) ? 1 : 1 - x->fact.rank);
    return gen_done(gen, node);
}

/* Nearest, twice as large. Resize-11 takes an unused region of interest. */
static Value *move_resize(Gen *gen, Value *x)
{
    static const float two[2 + SPATIAL_MAX] = {1, 1, 2, 2, 2};
    int64_t rank = x->fact.rank;
    void *data;
    Tensor *scales = tensor_alloc(gen->arena, DT_FLOAT, 1, &rank, &data);
    for (int i = 0; i < rank; i++)
        ((float *)data)[i] = two[i];
    Value *list = gen_stored(gen, "scales", scales);
    Value *inputs[3] = {x, NULL, list};
    if (gen->model->opset < 13)
        inputs[1] =
            gen_tensor(gen, DT_FLOAT, NUMBERS_WEIGHT, 1, (int64_t[]){0}, NULL);
    return gen_done(gen, gen_node(gen, OP_Resize, inputs, 3));
}

static Value *move_swapped(Gen *gen, Value *x)
{
    int64_t perm[2 + SPATIAL_MAX] = {0, 1, 2, 3, 4};
    perm[2] = x->fact.rank - 1;
    perm[x->fact.rank - 1] = 2;
    return gen_transpose(gen, x, perm);
}

/* Positions in one axis, or an axis more. */
static Value *move_reshaped(Gen *gen, Value *x)
{
    int64_t dims[RANK_MAX];
    int rank = x->fact.rank;
    for (int i = 0; i < rank; i++)
        dims[i] = x->fact.dims[i];
    if (rank > 3)
        return gen_reshape(gen, x, 3, (int64_t[]){dims[0], dims[1], -1});
    dims[3] = dims[2] % 2 ? 1 : 2;
    dims[2] /= dims[3];
    return gen_reshape(gen, x, 4, dims);
}

/* ShuffleNet's: channels change places. */
static Value *move_shuffled(Gen *gen, Value *x)
{
    static const int64_t perm[4] = {0, 2, 1, 3};
    int64_t dims[RANK_MAX];
    int rank = x->fact.rank;
    for (int i = 0; i < rank; i++)
        dims[i] = x->fact.dims[i];
    int64_t two = dims[1] % 2 ? 1 : 2;
    int64_t split[4] = {dims[0], two, dims[1] / two, -1};
    Value *y = gen_transpose(gen, gen_reshape(gen, x, 4, split), perm);
    return gen_reshape(gen, y, rank, dims);
}

static Value *move_once(Gen *gen, Value *x, Value *base)
{
    switch (gen_pick(gen, 16)) {
    case 0:
        return gen_unary(gen, OP_Relu, x);
    case 1:
        return move_pool(gen, x, OP_MaxPool);
    case 2:
    case 3:
        return move_pool(gen, x, OP_AveragePool);
    case 4:
        return move_global(gen, x);
    case 5:
        return move_concat(gen, x, base);
    case 6:
        if (gen->model->opset >= 11 && x->fact.dims[2] < 8)
            return move_resize(gen, x);
        return gen_unary(gen, OP_Identity, x);
    case 7:
        return move_swapped(gen, x);
    case 8:
        return move_reshaped(gen, x);
    case 9:
        return move_shuffled(gen, x);
    case 10:
    case 11:
    case 12:
    case 13:
        return gen_taken(gen, x);
    case 14:
        return move_met(gen, x, base);
    default:
        return gen_unary(gen, OP_Identity, x);
    }
}

Value *gen_moving_region(Gen *gen, Value *x)
{
    Value *base = x;
    bool forward = gen_chance(gen, 50);
    if (forward)
        x = gen_affine(gen, x, 1);
    else {
        Target target = gen_target(gen, x, gen_chance(gen, 50));
        x = gen_affines(gen, gen_any_conv(gen, x, &target), 1, 1);
    }
    for (int left = (int)gen_range(gen, 1, 2); left > 0; left--)
        x = move_once(gen, x, base);
    if (!forward)
        return gen_affine(gen, x, 1);
    Target target = gen_target(gen, x, false);
    return gen_chance(gen, 60) ? gen_pointwise(gen, x, channels_of(x))
                               : gen_any_conv(gen, x, &target);
}

/* Convolutions of one tensor, side by side, or one below the other; also behind
 * activations. */
Value *gen_stack_region(Gen *gen, Value *x)
{
    Target target = gen_target(gen, x, false);
    Window window = gen_window(gen, &target, x->fact.rank - 2, 3);
    Value *parts[3];
    int count = (int)gen_range(gen, 2, 3);
    bool below = gen_chance(gen, 25), acts = gen_chance(gen, 25);
    for (int i = 0; i < count; i++) {
        if (!below || i == 0)
            target.out = gen_range(gen, 1, 3);
        parts[i] = gen_conv(gen, x, &target, &window);
        parts[i] = gen_affines(gen, parts[i], 1, 1);
        if (acts && gen_chance(gen, 50))
            parts[i] = gen_unary(gen, OP_Relu, parts[i]);
    }
    if (gen_chance(gen, 15)) /* one is read elsewhere, too */
        graph_add_output(gen->graph, gen_unary(gen, OP_Relu, parts[0]));
    Node *node = gen_node(gen, OP_Concat, parts, count);
    node_set_int(node, "axis", below ? 2 : 1);
    return gen_affines(gen, gen_done(gen, node), 1, 2);
}

/* ---- Borders ---- */

/* All positions but the outermost. */
static Value *inside_mask(Gen *gen, const Value *x)
{
    int64_t dims[RANK_MAX] = {1, 1};
    int rank = x->fact.rank;
    for (int i = 2; i < rank; i++)
        dims[i] = x->fact.dims[i];
    void *data;
    Tensor *mask = tensor_alloc(gen->arena, DT_BOOL, rank, dims, &data);
    for (int64_t at = 0; at < mask->count; at++) {
        bool inside = true;
        int64_t rest = at;
        for (int i = rank - 1; i >= 2; i--) {
            int64_t place = rest % dims[i];
            rest /= dims[i];
            inside &= place > 0 && place < dims[i] - 1;
        }
        ((uint8_t *)data)[at] = inside;
    }
    return gen_stored(gen, "mask", mask);
}

/* DBB: 1x1 with a bias, or only that, around it the bias, then 3x3. Now and
 * then it is another number: then the border is real. */
Value *gen_border_region(Gen *gen, Value *x)
{
    int rank = x->fact.rank;
    int64_t channels = channels_of(x), dims[RANK_MAX] = {channels, channels};
    int64_t around[RANK_MAX], pads[2 * RANK_MAX] = {0};
    for (int i = 0; i < rank; i++) {
        dims[i] = i < 2 ? channels : 1;
        around[i] = i == 1 ? channels : 1;
        pads[i] = pads[rank + i] = i >= 2;
    }
    Value *bias = gen_tensor(gen, gen->type, NUMBERS_WEIGHT, 1, dims, NULL);
    Value *inputs[3] = {x, gen_constant(gen, NUMBERS_WEIGHT, rank, dims), bias};
    Value *y =
        gen_chance(gen, 30)
            ? gen_binary(gen, OP_Add, x, gen_reshape(gen, bias, rank, around))
            : gen_done(gen, gen_node(gen, OP_Conv, inputs, 3));
    if (gen_chance(gen, 30)) {
        y = gen_unary(gen, OP_Neg, y);
        bias = gen_unary(gen, OP_Neg, bias);
    }
    if (gen_chance(gen, 20))
        bias = gen_tensor(gen, gen->type, NUMBERS_WEIGHT, 1, dims, NULL);
    y = gen_pad(gen, y, pads, "constant");
    Value *parts[3] = {inside_mask(gen, y), y,
                       gen_reshape(gen, bias, rank, around)};
    if (gen->model->opset >= 9)
        y = gen_done(gen, gen_node(gen, OP_Where, parts, 3));
    Target target = {channels, {1, 1, 1}, {-2, -2, -2}};
    return gen_affines(gen, gen_any_conv(gen, y, &target), 1, 2);
}

/* ---- Islands ---- */

/* x / 2 * (1 + erf(x / sqrt(2))), in one of its associations. */
static Value *gelu(Gen *gen, Value *x)
{
    Value *erf = gen_binary(gen, OP_Div, x, gen_scalar(gen, 1.4142135));
    erf = gen_unary(gen, OP_Erf, erf);
    erf = gen_binary(gen, OP_Add, erf, gen_scalar(gen, 1));
    Value *half = gen_scalar(gen, 0.5);
    if (gen_chance(gen, 50))
        return gen_binary(gen, OP_Mul, gen_binary(gen, OP_Mul, x, erf), half);
    return gen_binary(gen, OP_Mul, x, gen_binary(gen, OP_Mul, erf, half));
}

/* Over the last axis, now and then the last two. */
static Value *layer_norm(Gen *gen, Value *x)
{
    int rank = x->fact.rank, axes = gen_chance(gen, 80) ? 1 : 2;
    const int64_t *dims = x->fact.dims + rank - axes;
    Value *inputs[3] = {x, gen_constant(gen, NUMBERS_SCALE, axes, dims),
                        gen_constant(gen, NUMBERS_WEIGHT, axes, dims)};
    Node *node = gen_node(gen, OP_LayerNormalization, inputs, 3);
    if (axes > 1 || gen_chance(gen, 30))
        node_set_int(node, "axis", gen_chance(gen, 50) ? -axes : rank - axes);
    Value *y = gen_done(gen, node);
    int64_t square[2] = {dims[axes - 1], dims[axes - 1]};
    return gen_binary(gen, OP_MatMul, y,
                      gen_constant(gen, NUMBERS_WEIGHT, 2, square));
}

Value *gen_island_region(Gen *gen, Value *x)
{
    Target target = gen_target(gen, x, true);
    x = gen_affines(gen, gen_any_conv(gen, x, &target), 1, 2);
    if (gen->integers)
        x = gen_unary(gen, OP_Relu, x);
    else if (gen->model->opset >= 17 && gen_chance(gen, 40))
        x = layer_norm(gen, x);
    else if (gen->model->opset >= 9 && gen_chance(gen, 60))
        x = gelu(gen, x);
    else
        x = gen_binary(gen, OP_Mul, x, gen_unary(gen, OP_Sigmoid, x));
    x = gen_affines(gen, x, 1, 1);
    return gen_affines(gen, gen_any_conv(gen, x, &target), 1, 1);
}
