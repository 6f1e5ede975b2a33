/* Activations, normalizations and attention as exporters write them out stay
 * whole between operators that could take their constants. */
#include <string.h>

#include "blocks.h"
#include "suites.h"

static Value *number(Bench *b, double value)
{
    return bench_numbers(b, 0, NULL, &value);
}

static Value *times(Bench *b, Value *x, double factor)
{
    return bench_binary(b, OP_Mul, x, number(b, factor));
}

static Value *plus(Bench *b, Value *x, double summand)
{
    return bench_binary(b, OP_Add, x, number(b, summand));
}

typedef Value *Island(Bench *b, Value *x);

/* 0.5 x (1 + erf(x / sqrt(2))), in the orders of torch's two exporters. */
static Value *gelu(Bench *b, Value *x)
{
    Value *y = bench_binary(b, OP_Div, x, number(b, 1.4142135));
    y = plus(b, bench_unary(b, OP_Erf, y), 1);
    return times(b, bench_binary(b, OP_Mul, x, y), 0.5);
}

static Value *gelu_halved_first(Bench *b, Value *x)
{
    Value *y = bench_unary(b, OP_Erf, times(b, x, 0.70710677));
    return bench_binary(b, OP_Mul, times(b, x, 0.5), plus(b, y, 1));
}

/* 0.5 x (1 + tanh(0.79788 (x + 0.044715 x^3))) */
static Value *gelu_tanh(Bench *b, Value *x)
{
    Value *cube = bench_binary(b, OP_Pow, x, number(b, 3));
    Value *y = bench_binary(b, OP_Add, x, times(b, cube, 0.044715));
    y = plus(b, bench_unary(b, OP_Tanh, times(b, y, 0.7978846)), 1);
    return times(b, bench_binary(b, OP_Mul, x, y), 0.5);
}

/* x sigmoid(1.702 x) */
static Value *silu(Bench *b, Value *x)
{
    Value *gate = bench_unary(b, OP_Sigmoid, times(b, x, 1.702));
    return bench_binary(b, OP_Mul, x, gate);
}

static Value *clipped(Bench *b, Value *x)
{
    Value *inputs[3] = {plus(b, x, 3), number(b, 0), number(b, 6)};
    return bench_node(b, OP_Clip, inputs, 3);
}

static Value *hard_sigmoid(Bench *b, Value *x)
{
    return bench_binary(b, OP_Div, clipped(b, x), number(b, 6));
}

static Value *hard_swish(Bench *b, Value *x)
{
    Value *y = bench_binary(b, OP_Mul, x, clipped(b, x));
    return bench_binary(b, OP_Div, y, number(b, 6));
}

static Value *mean(Bench *b, Value *x)
{
    int64_t axes[1] = {1};
    Value *y = graph_fresh_value(b->graph, "mean");
    Node *node = node_new(b->graph, OP_ReduceMean, "mean", &x, 1, &y, 1);
    node_set_ints(node, "axes", axes, 1);
    bench_add(b, node);
    return y;
}

/* d / sqrt(mean(d^2) + epsilon) * gamma */
static Value *scaled_by_spread(Bench *b, Value *d)
{
    Value *square = bench_binary(b, OP_Pow, d, number(b, 2));
    Value *spread = plus(b, mean(b, square), 1e-3);
    Value *y = bench_binary(b, OP_Div, d, bench_unary(b, OP_Sqrt, spread));
    return bench_binary(b, OP_Mul, y, bench_channel_scale(b, 4));
}

static Value *rms_norm(Bench *b, Value *x)
{
    return scaled_by_spread(b, x);
}

static Value *layer_norm(Bench *b, Value *x)
{
    Value *y = scaled_by_spread(b, bench_binary(b, OP_Sub, x, mean(b, x)));
    return bench_binary(b, OP_Add, y, bench_channel_scale(b, 4));
}

/* softmax(q k / sqrt(d)) v, where q, k and v are the rows of the image. */
static Value *attention(Bench *b, Value *x)
{
    Value *product = bench_binary(b, OP_MatMul, x, x);
    Value *weights = bench_unary(b, OP_Softmax, times(b, product, 0.5));
    return bench_binary(b, OP_MatMul, weights, x);
}

static Value *attention_scaled_first(Bench *b, Value *x)
{
    Value *product = bench_binary(b, OP_MatMul, times(b, x, 0.5), x);
    return bench_binary(b, OP_MatMul, bench_unary(b, OP_Softmax, product), x);
}

static const struct Row {
    Island *island;
    bool listed; /* a constant has a linear operator beside it to itself */
} rows[] = {
    {gelu, true},         {gelu_halved_first, false},
    {gelu_tanh, true},    {silu, false},
    {hard_sigmoid, true}, {hard_swish, true},
    {rms_norm, true},     {layer_norm, true},
    {attention, false},   {attention_scaled_first, false},
};

static Island *island;

static void build_between(Bench *b)
{
    Value *x = bench_conv(b, bench_image(b, 4, 4), SAME(1));
    bench_output(b, bench_conv(b, island(b, x), SAME(1)));
}

/* A normalization before it goes into the convolution, and one behind it into
 * the other. */
static void build_with_norms(Bench *b)
{
    Value *x = conv_bn(b, bench_image(b, 4, 4), SAME(1));
    x = bench_batchnorm(b, island(b, x), 4);
    bench_output(b, bench_conv(b, x, SAME(1)));
}

START_TEST(constants_stay_where_they_are)
{
    island = rows[_i].island;
    Folded folded = fold_model(build_between, NULL);
    ck_assert_uint_eq(folded.report.fold_count, 0);
    ck_assert(!folded.after->graph->changed);
    bool listed = false;
    for (size_t i = 0; i < folded.report.refusal_count; i++)
        listed |= strcmp(folded.report.refusals[i].reason, "island") == 0;
    ck_assert_int_eq(listed, rows[_i].listed);
    folded_free(&folded);
}
END_TEST

START_TEST(what_stands_beside_an_island_folds)
{
    island = rows[_i].island;
    Folded folded = fold_model(build_with_norms, NULL);
    ck_assert_double_lt(folded.difference, 1e-13);
    ck_assert_uint_eq(count_ops(folded.after, OP_BatchNormalization), 0);
    ck_assert_uint_eq(folded.after->graph->node_count + 2,
                      folded.before->graph->node_count);
    folded_free(&folded);
}
END_TEST

Suite *suite_islands(void)
{
    Suite *suite = suite_create("islands");
    TCase *tcase = tcase_create("islands");
    int count = (int)(sizeof rows / sizeof *rows);
    tcase_add_loop_test(tcase, constants_stay_where_they_are, 0, count);
    tcase_add_loop_test(tcase, what_stands_beside_an_island_folds, 0, count);
    suite_add_tcase(suite, tcase);
    return suite;
}
