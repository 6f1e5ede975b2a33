/* Ways of an affine map forward (C7, C9): what may stand at their ends, and
 * what beside a product is its bias. */
#include <string.h>

#include "blocks.h"
#include "suites.h"

static Value *mapped(Bench *b, int64_t channels, int64_t size)
{
    Value *x = bench_unary(b, OP_Relu, bench_image(b, channels, size));
    return bench_batchnorm(b, x, channels);
}

/* ---- Padding ---- */

static void padded(Bench *b, const int64_t *pads)
{
    Value *y = bench_conv(b, mapped(b, 4, 5), (ConvShape){.kernel = 3});
    node_set_ints(y->producer, "pads", pads, 4);
    y->fact = FACT_UNKNOWN;
    bench_output(b, bench_unary(b, OP_Relu, y));
}

static void build_padded_before(Bench *b)
{
    padded(b, (int64_t[]){1, 0, 0, 0});
}

static void build_padded_behind(Bench *b)
{
    padded(b, (int64_t[]){0, 0, 0, 1});
}

START_TEST(a_shift_meets_no_padding_on_any_side)
{
    check_refuses(build_padded_before, "pad-shift");
    check_refuses(build_padded_behind, "pad-shift");
}
END_TEST

/* ---- Axes ---- */

/* Numbers along an axis that is as long as that of the channels. */
static void scaled_along(Bench *b, int axis)
{
    const int64_t sizes[4] = {4, 4, 4, 4};
    int64_t dims[4] = {1, 1, 1, 1};
    dims[axis] = 4;
    Value *x = bench_unary(b, OP_Relu, bench_input(b, 4, sizes));
    x = bench_binary(b, OP_Mul, x, bench_constant(b, 4, dims));
    bench_output(b, bench_conv(b, x, (ConvShape){.out = 3}));
}

static void build_images_scaled(Bench *b)
{
    scaled_along(b, 0);
}

static void build_channels_scaled(Bench *b)
{
    scaled_along(b, 1);
}

static void build_rows_scaled(Bench *b)
{
    scaled_along(b, 2);
}

static void build_columns_scaled(Bench *b)
{
    scaled_along(b, 3);
}

START_TEST(a_convolution_takes_numbers_of_channels)
{
    check_folds(build_channels_scaled, 1, 1);
    check_refuses(build_images_scaled, "wrong-axis");
    check_refuses(build_rows_scaled, "wrong-axis");
    check_refuses(build_columns_scaled, "wrong-axis");
}
END_TEST

/* Of a matrix of four rows and columns. */
static void times_matrix(Bench *b, int64_t transposed)
{
    const int64_t dims[2] = {4, 4};
    Value *x = bench_unary(b, OP_Relu, bench_input(b, 2, dims));
    Value *inputs[2] = {bench_batchnorm(b, x, 4), bench_constant(b, 2, dims)};
    Value *y = bench_node(b, OP_Gemm, inputs, 2);
    node_set_int(y->producer, "transA", transposed);
    bench_output(b, bench_unary(b, OP_Relu, y));
}

static void build_times_matrix(Bench *b)
{
    times_matrix(b, 0);
}

static void build_transposed_times_matrix(Bench *b)
{
    times_matrix(b, 1);
}

START_TEST(columns_of_what_is_transposed_are_rows)
{
    check_folds(build_times_matrix, 0, 3);
    check_refuses(build_transposed_times_matrix, "wrong-axis");
}
END_TEST

/* ---- Beside a product ---- */

/* Tokens of four channels, as many as there are, behind a map; their product,
 * and an operator on it and a constant of that shape. */
static void operate_behind(Bench *b, Op op, int rank, const int64_t *dims)
{
    const int64_t tokens[3] = {1, 4, 4}, weight[2] = {4, 4}, four[1] = {4};
    Value *x = bench_unary(b, OP_Sigmoid, bench_input(b, 3, tokens));
    x = bench_binary(b, OP_Add, x, bench_constant(b, 1, four));
    x = bench_binary(b, OP_MatMul, x, bench_constant(b, 2, weight));
    x = bench_binary(b, op, x, bench_constant(b, rank, dims));
    bench_output(b, bench_unary(b, OP_Sigmoid, x));
}

static void build_bias_behind(Bench *b)
{
    operate_behind(b, OP_Add, 1, (int64_t[]){4});
}

static void build_number_behind(Bench *b)
{
    operate_behind(b, OP_Add, 0, NULL);
}

static void build_tokens_behind(Bench *b)
{
    operate_behind(b, OP_Add, 2, (int64_t[]){4, 1});
}

static void build_scale_behind(Bench *b)
{
    operate_behind(b, OP_Mul, 1, (int64_t[]){4});
}

/* A convolution has its bias in itself. */
static void build_sum_behind_convolution(Bench *b)
{
    Value *x = bench_conv(b, mapped(b, 4, 5), (ConvShape){.bias = true});
    x = bench_binary(b, OP_Add, x, bench_channel_scale(b, 4));
    bench_output(b, bench_unary(b, OP_Relu, x));
}

/* By this rule alone, which takes at most a bias beside the map. */
static void check_map_goes(Build *build, Op op, size_t left, size_t nodes)
{
    const rp_fold_options alone = {.only = "C7"};
    Folded folded = fold_model(build, &alone);
    ck_assert_double_lt(folded.difference, 1e-13);
    ck_assert_uint_eq(folded.report.fold_count, 1);
    ck_assert_uint_eq(count_ops(folded.after, op), left);
    ck_assert_uint_eq(folded.after->graph->node_count, nodes);
    folded_free(&folded);
}

START_TEST(what_is_added_to_channels_is_the_bias)
{
    check_map_goes(build_bias_behind, OP_Add, 1, 4);
    check_map_goes(build_number_behind, OP_Add, 1, 4);
    check_map_goes(build_sum_behind_convolution, OP_Add, 1, 4);
}
END_TEST

/* There is no node to save where the product has no bias yet. */
START_TEST(anything_else_behind_a_product_is_left)
{
    const rp_fold_options alone = {.only = "C7"};
    static Build *const builds[] = {build_tokens_behind, build_scale_behind};
    for (int i = 0; i < 2; i++) {
        Folded folded = fold_model(builds[i], &alone);
        ck_assert_uint_eq(folded.report.fold_count, 0);
        folded_free(&folded);
    }
}
END_TEST

/* ---- Readers ---- */

static void build_read_in_a_body(Bench *b)
{
    Value *x = mapped(b, 4, 5);
    bench_output(b, bench_conv(b, x, (ConvShape){.out = 3}));
    bench_output(b, read_in_branches(b, x));
}

static void build_read_outside(Bench *b)
{
    Value *x = mapped(b, 4, 5);
    bench_output(b, bench_conv(b, x, (ConvShape){.out = 3}));
    bench_output(b, x);
}

START_TEST(a_value_with_a_name_elsewhere_stays)
{
    check_refuses(build_read_in_a_body, "subgraph-capture");
    check_refuses(build_read_outside, "graph-output");
}
END_TEST

Suite *suite_ways(void)
{
    Suite *suite = suite_create("ways");
    TCase *tcase = tcase_create("ways");
    tcase_add_test(tcase, a_shift_meets_no_padding_on_any_side);
    tcase_add_test(tcase, a_convolution_takes_numbers_of_channels);
    tcase_add_test(tcase, columns_of_what_is_transposed_are_rows);
    tcase_add_test(tcase, what_is_added_to_channels_is_the_bias);
    tcase_add_test(tcase, anything_else_behind_a_product_is_left);
    tcase_add_test(tcase, a_value_with_a_name_elsewhere_stays);
    suite_add_tcase(suite, tcase);
    return suite;
}
