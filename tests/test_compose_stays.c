/* What stands between two linear operators, or what they are, when they are not
 * composed (C12). */
#include "composing.h"
#include "suites.h"

static const rp_fold_options alone = {.only = "C12", .allow_cost = 1};

static void check_kept(Build *build, const rp_fold_options *options)
{
    Folded folded = fold_model(build, options);
    ck_assert_uint_eq(folded.report.fold_count, 0);
    folded_free(&folded);
}

static Value *product(Bench *b, Value *x, int64_t outs)
{
    const int64_t dims[2] = {x->fact.dims[x->fact.rank - 1], outs};
    return bench_binary(b, OP_MatMul, x, bench_constant(b, 2, dims));
}

static Value *tokens(Bench *b)
{
    return bench_input(b, 3, (int64_t[]){1, 4, 4});
}

/* Two products, and between them a sum with a constant of that shape. */
static void sum_between(Bench *b, Value *x, int rank, const int64_t *dims)
{
    x = product(b, x, 4);
    x = bench_binary(b, OP_Add, x, bench_constant(b, rank, dims));
    bench_output(b, product(b, x, 4));
}

static void build_one_number_added(Bench *b)
{
    sum_between(b, tokens(b), 0, NULL);
}

static void build_channels_added(Bench *b)
{
    sum_between(b, tokens(b), 1, (int64_t[]){4});
}

/* As many tokens as channels. */
static void build_tokens_added(Bench *b)
{
    sum_between(b, tokens(b), 2, (int64_t[]){4, 1});
}

static void build_rows_added(Bench *b)
{
    sum_between(b, bench_input(b, 2, (int64_t[]){4, 4}), 2, (int64_t[]){4, 1});
}

START_TEST(only_a_bias_is_added_between)
{
    check_composes(build_one_number_added, &alone, "C12", 0, 2);
    check_composes(build_channels_added, &alone, "C12", 0, 2);
    check_kept(build_tokens_added, &alone);
    check_kept(build_rows_added, &alone);
}
END_TEST

/* ---- Readers ---- */

static void build_product_read(Bench *b)
{
    build_channels_added(b);
    bench_output(b, bench_unary(b, OP_Relu, b->graph->nodes[0]->outputs[0]));
}

static void build_sum_read(Bench *b)
{
    build_channels_added(b);
    bench_output(b, bench_unary(b, OP_Relu, b->graph->nodes[1]->outputs[0]));
}

START_TEST(what_others_read_stays)
{
    check_stays(build_product_read, &alone, "multi-use", "");
    check_stays(build_sum_read, &alone, "multi-use", "");
}
END_TEST

/* ---- Operators ---- */

/* Only a product's bias is another node; a convolution has its own. */
static void build_convolution_and_sum(Bench *b)
{
    Value *x = bench_conv(b, bench_image(b, 4, 5), (ConvShape){.bias = true});
    x = bench_binary(b, OP_Add, x, bench_channel_scale(b, 4));
    bench_output(b, bench_conv(b, x, (ConvShape){0}));
}

static Value *transposed(Bench *b, Value *x)
{
    const int64_t dims[4] = {4, 4, 3, 3};
    return bench_binary(b, OP_ConvTranspose, x, bench_constant(b, 4, dims));
}

static void build_wide_then_transposed(Bench *b)
{
    Value *x = bench_conv(b, bench_image(b, 4, 5), (ConvShape){.kernel = 3});
    bench_output(b, transposed(b, x));
}

static void build_transposed_then_wide(Bench *b)
{
    Value *x = transposed(b, bench_image(b, 4, 5));
    bench_output(b, bench_conv(b, x, (ConvShape){.kernel = 3}));
}

static void build_transposed_then_padded(Bench *b)
{
    Value *x = transposed(b, bench_image(b, 4, 5));
    bench_output(b, bench_conv(b, x, (ConvShape){.pad = 1}));
}

static Value *pooled(Bench *b, Value *x)
{
    const int64_t taps[2] = {2, 2};
    Value *y = graph_fresh_value(b->graph, "pool");
    Node *node = node_new(b->graph, OP_AveragePool, "pool", &x, 1, &y, 1);
    node_set_ints(node, "kernel_shape", taps, 2);
    bench_add(b, node);
    return y;
}

static void build_pool_then_convolution(Bench *b)
{
    Value *x = pooled(b, bench_image(b, 4, 5));
    bench_output(b, bench_conv(b, x, (ConvShape){0}));
}

static void build_convolution_then_pool(Bench *b)
{
    Value *x = bench_conv(b, bench_image(b, 4, 5), (ConvShape){0});
    bench_output(b, pooled(b, x));
}

START_TEST(other_operators_stay)
{
    static Build *const builds[] = {
        build_convolution_and_sum,   build_wide_then_transposed,
        build_transposed_then_wide,  build_transposed_then_padded,
        build_pool_then_convolution, build_convolution_then_pool,
    };
    check_kept(builds[_i], &alone);
}
END_TEST

Suite *suite_compose_stays(void)
{
    Suite *suite = suite_create("compose_stays");
    TCase *tcase = tcase_create("compose_stays");
    tcase_add_test(tcase, only_a_bias_is_added_between);
    tcase_add_test(tcase, what_others_read_stays);
    tcase_add_loop_test(tcase, other_operators_stay, 0, 6);
    suite_add_tcase(suite, tcase);
    return suite;
}
