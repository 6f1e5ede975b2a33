/* Tokens: Gemm, MatMul and what exporters put around them. */
#include "blocks.h"

static int64_t last_of(const Value *x)
{
    return x->fact.dims[x->fact.rank - 1];
}

/* Gemm's C: (N), (1, N), (1), (), (M, 1), (M, N) or, since opset 11, nothing.
 * By row it is no bias. */
static Value *gemm_bias(Gen *gen, int64_t rows, int64_t columns)
{
    int64_t row[2] = {1, columns}, whole[2] = {rows, columns};
    if (gen_chance(gen, 10)) {
        whole[1] = gen_chance(gen, 60) ? 1 : columns;
        return gen_constant(gen, NUMBERS_WEIGHT, 2, whole);
    }
    switch (gen_pick(gen, gen->model->opset >= 11 ? 5 : 4)) {
    case 0:
        return gen_constant(gen, NUMBERS_WEIGHT, 2, row);
    case 1:
        return gen_constant(gen, NUMBERS_WEIGHT, 1, row);
    case 2:
        return gen_constant(gen, NUMBERS_WEIGHT, 0, NULL);
    case 3:
        return gen_constant(gen, NUMBERS_WEIGHT, 1, row + 1);
    default:
        return NULL;
    }
}

static Value *gen_gemm(Gen *gen, Value *x, int64_t columns)
{
    bool turned = gen_chance(gen, 50), input_turned = gen_chance(gen, 8);
    int64_t rows = x->fact.dims[input_turned],
            inner = x->fact.dims[!input_turned];
    int64_t dims[2] = {turned ? columns : inner, turned ? inner : columns};
    Value *inputs[3] = {x, gen_constant(gen, NUMBERS_WEIGHT, 2, dims),
                        gemm_bias(gen, rows, columns)};
    Node *node = gen_node(gen, OP_Gemm, inputs, inputs[2] ? 3 : 2);
    if (input_turned)
        node_set_int(node, "transA", 1);
    if (turned)
        node_set_int(node, "transB", 1);
    if (gen_chance(gen, 30))
        node_set_float(node, "alpha", (float)gen_number(gen, NUMBERS_DIVISOR));
    if (gen_chance(gen, 30))
        node_set_float(node, "beta", (float)gen_number(gen, NUMBERS_DIVISOR));
    return gen_done(gen, node);
}

static Value *gen_matmul(Gen *gen, Value *x, int64_t columns)
{
    int64_t dims[3] = {1, last_of(x), columns};
    bool wide = x->fact.rank > 2 && gen_chance(gen, 15);
    Value *weight =
        gen_constant(gen, NUMBERS_WEIGHT, wide ? 3 : 2, wide ? dims : dims + 1);
    Value *y = gen_binary(gen, OP_MatMul, x, weight);
    if (gen_chance(gen, 50))
        y = gen_binary(
            gen, OP_Add, y,
            gen_along(gen, y, y->fact.rank - 1, false, NUMBERS_WEIGHT));
    return y;
}

static Value *gen_linear(Gen *gen, Value *x, int64_t columns)
{
    if (x->fact.rank == 2 && gen_chance(gen, 60))
        return gen_gemm(gen, x, columns);
    return gen_matmul(gen, x, columns);
}

/* LeViT's LinearNorm: BatchNormalization over flattened tokens. */
static Value *linear_norm(Gen *gen, Value *x)
{
    if (x->fact.rank != 3)
        return gen_batchnorm(gen, x);
    int64_t flat[2] = {-1, last_of(x)};
    int64_t whole[3] = {x->fact.dims[0], x->fact.dims[1], last_of(x)};
    Value *y = gen_batchnorm(gen, gen_reshape(gen, x, 2, flat));
    return gen_reshape(gen, y, 3, whole);
}

static Value *token_affine(Gen *gen, Value *x)
{
    if (gen_chance(gen, 25))
        return linear_norm(gen, x);
    if (gen_chance(gen, 8)) /* along the tokens, not the channels */
        return gen_affine(gen, x, x->fact.rank - 2);
    return gen_affine(gen, x, x->fact.rank - 1);
}

static bool same_shape(const Value *a, const Value *b)
{
    bool same = a->fact.rank == b->fact.rank;
    for (int i = 0; same && i < a->fact.rank; i++)
        same = a->fact.dims[i] == b->fact.dims[i];
    return same;
}

/* Several heads over the same tokens, averaged or just added. */
static Value *token_sum(Gen *gen, Value *x)
{
    bool keeps = gen_chance(gen, 40);
    int64_t columns = keeps ? last_of(x) : gen_range(gen, 1, 6);
    Value *sum = gen_linear(gen, x, columns);
    int count = (int)gen_range(gen, 1, 3);
    keeps = keeps && same_shape(x, sum);
    for (int i = 1; i < count; i++) {
        Value *head = gen_linear(gen, x, columns);
        if (gen_chance(gen, 30))
            head = token_affine(gen, head);
        if (!same_shape(sum, head))
            continue;
        sum = gen_binary(gen, gen_chance(gen, 80) ? OP_Add : OP_Sub, sum, head);
    }
    if (keeps && gen_chance(gen, 50))
        sum = gen_binary(gen, OP_Add, x, sum);
    if (gen_chance(gen, 40))
        sum = gen_binary(gen, OP_Div, sum, gen_scalar(gen, 2));
    return sum;
}

Value *gen_token_region(Gen *gen, Value *x)
{
    if (gen_chance(gen, 40))
        x = token_affine(gen, x);
    x = gen_chance(gen, 40) ? token_sum(gen, x)
                            : gen_linear(gen, x, gen_range(gen, 1, 8));
    if (gen_chance(gen, 15)) /* two in a row */
        x = gen_linear(gen, x, gen_range(gen, 1, 4));
    for (int left = gen_pick(gen, 3); left > 0; left--)
        x = token_affine(gen, x);
    return x;
}

/* ---- From images to tokens and back ---- */

/* (N, C, spatial...) to (N, C, S). */
static Value *merge_positions(Gen *gen, Value *image)
{
    int64_t dims[3] = {image->fact.dims[0], image->fact.dims[1], -1};
    return image->fact.rank == 3 ? image : gen_reshape(gen, image, 3, dims);
}

/* Attention's way: a normalization, tokens, a linear operator, and back with
 * a layer scale on top. */
static Value *token_detour(Gen *gen, Value *image)
{
    static const int64_t swapped[3] = {0, 2, 1};
    int64_t dims[RANK_MAX];
    int rank = image->fact.rank;
    for (int i = 0; i < rank; i++)
        dims[i] = image->fact.dims[i];
    Value *x = gen_affines(gen, image, 1, 1);
    x = gen_transpose(gen, merge_positions(gen, x), swapped);
    dims[1] = gen_chance(gen, 60) ? dims[1] : gen_range(gen, 1, 6);
    x = gen_affines(gen, gen_linear(gen, x, dims[1]), 2, 1);
    x = gen_reshape(gen, gen_transpose(gen, x, swapped), rank, dims);
    x = gen_affines(gen, x, 1, 2);
    if (dims[1] == image->fact.dims[1] && gen_chance(gen, 40))
        x = gen_binary(gen, OP_Add, image, x);
    return x;
}

/* Global average and Flatten, or Flatten alone. */
static Value *flat_head(Gen *gen, Value *image)
{
    Value *x = gen_affines(gen, image, 1, 1);
    int64_t count = 1;
    for (int i = 2; i < x->fact.rank; i++)
        count *= x->fact.dims[i];
    if (count > 40 || gen_chance(gen, 40))
        x = gen_unary(gen,
                      gen->integers && (count & (count - 1))
                          ? OP_GlobalMaxPool
                          : OP_GlobalAveragePool,
                      x);
    if (gen_chance(gen, 60))
        x = gen_unary(gen, OP_Flatten, x);
    else
        x = gen_reshape(gen, x, 2, (int64_t[]){x->fact.dims[0], -1});
    return gen_token_region(gen, x);
}

Value *gen_tokens(Gen *gen, Value *image)
{
    return gen_chance(gen, 70) ? token_detour(gen, image)
                               : flat_head(gen, image);
}
