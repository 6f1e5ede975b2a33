#include "blocks.h"

/* With integers, variance + epsilon is 4 and nothing rounds; the numbers are
 * those that float16 holds as well. */
#define EPSILON 0x1p-8

/* BatchNormalization-15: x may be of another type than the parameters. */
static DType parameter_type(Gen *gen)
{
    return gen->model->opset >= 15 && gen->type == DT_FLOAT16 &&
                   gen_chance(gen, 30)
               ? DT_FLOAT
               : gen->type;
}

Value *gen_batchnorm(Gen *gen, Value *x)
{
    static const Numbers kinds[4] = {NUMBERS_SCALE, NUMBERS_WEIGHT,
                                     NUMBERS_WEIGHT, NUMBERS_POSITIVE};
    int64_t channels = x->fact.dims[1];
    DType type = parameter_type(gen);
    double *variance =
        arena_array(gen->arena, (size_t)channels, sizeof *variance);
    for (int64_t c = 0; c < channels; c++)
        variance[c] = 4 - EPSILON;
    Value *inputs[5] = {x};
    for (int i = 0; i < 4; i++)
        inputs[1 + i] =
            i < 3 && type == gen->type
                ? gen_constant(gen, kinds[i], 1, &channels)
                : gen_tensor(gen, type, kinds[i], 1, &channels,
                             i == 3 && gen->integers ? variance : NULL);
    Node *node = gen_node(gen, OP_BatchNormalization, inputs, 5);
    node_set_float(node, "epsilon", (float)EPSILON);
    if (gen_chance(gen, 30))
        node_set_float(node, "momentum", 0.9f);
    if (gen->model->opset >= 14 && gen_chance(gen, 50))
        node_set_int(node, "training_mode", 0);
    return gen_done(gen, node);
}

/* x op k or k op x. */
static Value *binary_either(Gen *gen, Op op, Value *x, Value *k)
{
    return gen_chance(gen, 50) ? gen_binary(gen, op, x, k)
                               : gen_binary(gen, op, k, x);
}

/* sqrt(variance + epsilon), computed in the graph. */
static Value *deviation(Gen *gen, const Value *x, int axis)
{
    int64_t dims[RANK_MAX];
    int rank = x->fact.rank - axis;
    for (int i = 0; i < rank; i++)
        dims[i] = i ? 1 : x->fact.dims[axis];
    double *three = arena_array(gen->arena, (size_t)dims[0], sizeof *three);
    for (int64_t c = 0; c < dims[0]; c++)
        three[c] = 3;
    Value *variance = gen_tensor(gen, gen->type, NUMBERS_POSITIVE, rank, dims,
                                 gen->integers ? three : NULL);
    Value *epsilon = gen_scalar(gen, gen->integers ? 1 : 1e-3);
    return gen_unary(gen, OP_Sqrt,
                     binary_either(gen, OP_Add, variance, epsilon));
}

/* (x - m) / sqrt(v + e) * g + b, in any association. */
static Value *decomposed_batchnorm(Gen *gen, Value *x, int axis)
{
    Value *mean = gen_along(gen, x, axis, false, NUMBERS_WEIGHT);
    Value *gamma = gen_along(gen, x, axis, false, NUMBERS_SCALE);
    Value *beta = gen_along(gen, x, axis, false, NUMBERS_WEIGHT);
    Value *root = deviation(gen, x, axis), *scale, *y;
    switch (gen_pick(gen, 4)) {
    case 0: /* (x - m) / r * g + b */
        y = gen_binary(gen, OP_Div, gen_binary(gen, OP_Sub, x, mean), root);
        y = binary_either(gen, OP_Mul, y, gamma);
        break;
    case 1: /* (x - m) * (g / r) + b */
        scale = gen_binary(gen, OP_Div, gamma, root);
        y = binary_either(gen, OP_Mul, gen_binary(gen, OP_Sub, x, mean), scale);
        break;
    case 2: /* (m - x) * -(g * 1/r) + b */
        scale =
            gen_binary(gen, OP_Mul, gamma, gen_unary(gen, OP_Reciprocal, root));
        scale = gen_unary(gen, OP_Neg, scale);
        y = binary_either(gen, OP_Mul, gen_binary(gen, OP_Sub, mean, x), scale);
        break;
    default: /* x * s + (b - m * s) */
        scale = gen_binary(gen, OP_Div, gamma, root);
        y = binary_either(gen, OP_Mul, x, scale);
        beta = gen_binary(gen, OP_Sub, beta,
                          binary_either(gen, OP_Mul, mean, scale));
    }
    return binary_either(gen, OP_Add, y, beta);
}

/* y = x under another name. */
static Value *same_value(Gen *gen, Value *x)
{
    return gen_unary(gen, gen_chance(gen, 70) ? OP_Identity : OP_Dropout, x);
}

Value *gen_affine(Gen *gen, Value *x, int axis)
{
    bool uniform = gen_chance(gen, 25);
    Value *k;
    switch (gen_pick(gen, 12)) {
    case 0:
    case 1:
        return binary_either(gen, OP_Mul, x,
                             gen_along(gen, x, axis, uniform, NUMBERS_SCALE));
    case 2:
    case 3:
        return binary_either(gen, OP_Add, x,
                             gen_along(gen, x, axis, uniform, NUMBERS_WEIGHT));
    case 4:
        return binary_either(gen, OP_Sub, x,
                             gen_along(gen, x, axis, uniform, NUMBERS_WEIGHT));
    case 5:
        k = gen_along(gen, x, axis, uniform, NUMBERS_DIVISOR);
        return gen_binary(gen, OP_Div, x, k);
    case 6:
        return gen_unary(gen, OP_Neg, x);
    case 7:
        return decomposed_batchnorm(gen, x, axis);
    case 8:
        return same_value(gen, x);
    default:
        return axis == 1 ? gen_batchnorm(gen, x)
                         : decomposed_batchnorm(gen, x, axis);
    }
}

Value *gen_affines(Gen *gen, Value *x, int axis, int most)
{
    for (int left = gen_pick(gen, most + 1); left > 0; left--)
        x = gen_affine(gen, x, axis);
    return x;
}
