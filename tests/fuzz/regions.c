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

/* A pool that keeps the number of axes; sizes stay at least 1. */
static Value *move_pool(Gen *gen, Value *x, Op op)
{
    int64_t taps[SPATIAL_MAX], ones[SPATIAL_MAX];
    int spatial = x->fact.rank - 2;
    for (int i = 0; i < spatial; i++) {
        taps[i] = x->fact.dims[2 + i] >= 2 ? gen_range(gen, 1, 2) : 1;
        ones[i] = gen_range(gen, 1, 2);
    }
    Node *node = gen_node(gen, op, &x, 1);
    node_set_ints(node, "kernel_shape", taps, (size_t)spatial);
    node_set_ints(node, "strides", ones, (size_t)spatial);
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

static Value *move_concat(Gen *gen, Value *x, Value *base)
{
    Target target = {1, {1, 1, 1}, {0, 0, 0}};
    for (int i = 2; i < x->fact.rank; i++)
        if (x->fact.dims[i] != base->fact.dims[i])
            base = x;
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
    Value *list = graph_add_initializer(gen->graph, "scales", scales);
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

static Value *move_once(Gen *gen, Value *x, Value *base)
{
    switch (gen_pick(gen, 9)) {
    case 0:
        return gen_unary(gen, OP_Relu, x);
    case 1:
        return move_pool(gen, x, OP_MaxPool);
    case 2:
    case 3:
        if (!gen->integers) /* the number of taps may be 2 by 1 and the like */
            return move_pool(gen, x, OP_AveragePool);
        return move_pool(gen, x, OP_MaxPool);
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
