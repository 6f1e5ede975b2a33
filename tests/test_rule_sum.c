/* Backward folds: affine maps into operators, branches into one kernel. */
#include <math.h>
#include <string.h>

#include "blocks.h"
#include "suites.h"

/* ---- C1: convolution, then affine ---- */

START_TEST(conv_takes_batchnorm)
{
    check_folds(build_conv_bn, 1, 0);
    Folded folded = fold_model(build_conv_bn, NULL);
    const Node *conv = only_node(&folded, OP_Conv);
    ck_assert_int_eq(conv->input_count, 3);
    ck_assert_str_eq(conv->outputs[0]->name,
                     folded.before->graph->outputs[0]->name);
    ck_assert_str_eq(folded.report.folds[0].rules, "C1");
    ck_assert_uint_eq(folded.report.folds[0].consumed_count, 2);
    folded_free(&folded);
}
END_TEST

static void build_decomposed_bn(Bench *b)
{
    int64_t dims[4] = {1, 4, 1, 1};
    double four[4] = {4, 4, 4, 4};
    Value *y =
        bench_conv(b, bench_image(b, 3, 6), (ConvShape){.out = 4, .kernel = 3});
    y = bench_binary(b, OP_Sub, y, bench_constant(b, 4, dims));
    Value *root = bench_unary(b, OP_Sqrt, bench_numbers(b, 4, dims, four));
    y = bench_binary(b, OP_Div, y, root);
    y = bench_binary(b, OP_Mul, bench_constant(b, 4, dims), y);
    y = bench_binary(b, OP_Add, bench_constant(b, 4, dims), y);
    bench_output(b, y);
}

START_TEST(decomposed_batchnorm_is_one)
{
    check_folds(build_decomposed_bn, 1, 0);
}
END_TEST

static void build_constant_minus_conv(Bench *b)
{
    Value *y = bench_conv(b, bench_image(b, 2, 5), SAME(3));
    y = bench_binary(b, OP_Sub, bench_channel_scale(b, 2), y);
    bench_output(b, bench_unary(b, OP_Neg, y));
}

START_TEST(constant_minus_tensor_negates)
{
    check_folds(build_constant_minus_conv, 1, 0);
}
END_TEST

static void build_shift_only(Bench *b)
{
    Value *y = bench_conv(b, bench_image(b, 2, 5), SAME(3));
    bench_output(b, bench_binary(b, OP_Add, y, bench_channel_scale(b, 2)));
}

START_TEST(shift_alone_keeps_the_weight)
{
    check_folds(build_shift_only, 1, 0);
    Folded folded = fold_model(build_shift_only, NULL);
    const Node *conv = only_node(&folded, OP_Conv);
    const Node *old = folded.before->graph->nodes[0];
    ck_assert_str_eq(conv->inputs[1]->name, old->inputs[1]->name);
    ck_assert_ptr_null(conv->inputs[1]->tensor->formula);
    folded_free(&folded);
}
END_TEST

START_TEST(shared_weight_is_not_edited)
{
    check_folds(build_shared_weight, 2, 1);
}
END_TEST

/* ---- C2, C3: other linear operators ---- */

static void build_transposed(Bench *b)
{
    int64_t dims[4] = {4, 3, 2, 2}, strides[2] = {2, 2};
    Value *inputs[2] = {bench_image(b, 4, 5), bench_constant(b, 4, dims)};
    Value *out = graph_fresh_value(b->graph, "t");
    Node *node = node_new(b->graph, OP_ConvTranspose, "t", inputs, 2, &out, 1);
    node_set_int(node, "group", 2);
    node_set_ints(node, "strides", strides, 2);
    graph_add_node(b->graph, node);
    bench_output(b, bench_batchnorm(b, out, 6));
}

START_TEST(grouped_transposed_convolution_takes_batchnorm)
{
    check_folds(build_transposed, 0, 1);
}
END_TEST

static void build_gemm(Bench *b)
{
    int64_t x[2] = {3, 4}, w[2] = {6, 4}, c[1] = {6};
    Value *inputs[3] = {bench_input(b, 2, x), bench_constant(b, 2, w),
                        bench_constant(b, 1, c)};
    Value *out = graph_fresh_value(b->graph, "g");
    Node *node = node_new(b->graph, OP_Gemm, "g", inputs, 3, &out, 1);
    node_set_int(node, "transB", 1);
    node_set_float(node, "alpha", 0.5f);
    node_set_float(node, "beta", 2.0f);
    graph_add_node(b->graph, node);
    bench_output(b, bench_batchnorm(b, out, 6));
}

START_TEST(gemm_with_alpha_and_beta)
{
    check_folds(build_gemm, 0, 1);
    Folded folded = fold_model(build_gemm, NULL);
    const Node *gemm = only_node(&folded, OP_Gemm);
    ck_assert_double_eq((double)node_float(gemm, "alpha", 1), 0.5);
    ck_assert_double_eq((double)node_float(gemm, "beta", 0), 1);
    folded_free(&folded);
}
END_TEST

/* The projection of an attention block: MatMul, bias, then channels back to
 * axis 1, then the layer scale. */
static void build_projection(Bench *b)
{
    int64_t x[3] = {1, 16, 6}, w[2] = {6, 6}, c[1] = {6};
    int64_t perm[3] = {0, 2, 1}, shape[4] = {1, 6, 4, 4};
    Value *h = bench_input(b, 3, x);
    Value *y = bench_binary(b, OP_MatMul, h, bench_constant(b, 2, w));
    y = bench_binary(b, OP_Add, bench_constant(b, 1, c), y);
    Value *t = graph_fresh_value(b->graph, "t");
    Node *node = node_new(b->graph, OP_Transpose, "t", &y, 1, &t, 1);
    node_set_ints(node, "perm", perm, 3);
    graph_add_node(b->graph, node);
    y = bench_binary(b, OP_Reshape, t, bench_ints(b, 4, shape));
    bench_output(b, bench_binary(b, OP_Mul, y, bench_channel_scale(b, 6)));
}

START_TEST(layer_scale_goes_back_through_shape_operators)
{
    check_folds(build_projection, 0, 4);
    Folded folded = fold_model(build_projection, NULL);
    ck_assert_uint_eq(count_ops(folded.after, OP_Mul), 0);
    ck_assert(strstr(folded.report.folds[0].rules, "C10") != NULL);
    folded_free(&folded);
}
END_TEST

/* As large as what it is computed from, by two nodes. */
static void build_computed_weight(Bench *b)
{
    int64_t x[2] = {2, 64}, w[2] = {64, 64}, c[1] = {64};
    Value *weight = bench_unary(b, OP_Abs, bench_constant(b, 2, w));
    weight = bench_unary(b, OP_Neg, weight);
    Value *y = bench_binary(b, OP_MatMul, bench_input(b, 2, x), weight);
    bench_output(b, bench_binary(b, OP_Sub, y, bench_constant(b, 1, c)));
}

START_TEST(a_computed_weight_is_stored_once)
{
    check_folds(build_computed_weight, 0, 2);
    Folded folded = fold_model(build_computed_weight, NULL);
    ck_assert_uint_eq(folded.report.fold_count, 1);
    ck_assert_str_eq(folded.report.folds[0].rules, "C0,C3");
    folded_free(&folded);
}
END_TEST

/* ---- C4, C5: branches ---- */

START_TEST(repvgg_block_is_one_convolution)
{
    check_folds(build_repvgg, 1, 2);
    Folded folded = fold_model(build_repvgg, NULL);
    ck_assert_uint_eq(folded.report.fold_count, 1);
    ck_assert_str_eq(folded.report.folds[0].rules, "C1,C4,C5");
    folded_free(&folded);
}
END_TEST

/* x + gamma * (mix(x) - norm(x)): FastViT, section 3.1. */
static void build_repmixer(Bench *b)
{
    Value *x = bench_unary(b, OP_Relu, bench_image(b, 6, 7));
    Value *mix = bench_binary(b, OP_Add, bench_batchnorm(b, x, 6),
                              conv_bn(b, x, DW(6, 1)));
    mix = bench_binary(b, OP_Add, mix, conv_bn(b, x, DW(6, 3)));
    Value *y = bench_binary(b, OP_Sub, mix, bench_batchnorm(b, x, 6));
    y = bench_binary(b, OP_Mul, bench_channel_scale(b, 6), y);
    bench_output(b, bench_binary(b, OP_Add, x, y));
}

START_TEST(repmixer_is_one_depthwise_convolution)
{
    check_folds(build_repmixer, 1, 1);
    Folded folded = fold_model(build_repmixer, NULL);
    const Node *conv = only_node(&folded, OP_Conv);
    ck_assert_int_eq(node_int(conv, "group", 1), 6);
    folded_free(&folded);
}
END_TEST

static void build_residual(Bench *b)
{
    Value *x = bench_unary(b, OP_Relu, bench_image(b, 4, 5));
    Value *h = bench_unary(b, OP_Relu, bench_conv(b, x, SAME(1)));
    Value *y = bench_conv(b, h, (ConvShape){.bias = true});
    y = bench_binary(b, OP_Mul, y, bench_channel_scale(b, 4));
    bench_output(b, bench_binary(b, OP_Add, x, y));
}

START_TEST(layer_scale_in_a_residual_branch)
{
    check_folds(build_residual, 2, 3);
}
END_TEST

static void build_positional(Bench *b)
{
    Value *x = bench_unary(b, OP_Relu, bench_image(b, 4, 9));
    Value *y = bench_conv(
        b, x, (ConvShape){.kernel = 7, .pad = 3, .group = 4, .bias = true});
    bench_output(b, bench_binary(b, OP_Add, y, x));
}

START_TEST(residual_goes_into_a_depthwise_convolution)
{
    check_folds(build_positional, 1, 1);
}
END_TEST

static void build_strided(Bench *b)
{
    Value *x = bench_image(b, 4, 9);
    Value *large = conv_bn(
        b, x,
        (ConvShape){.out = 8, .kernel = 7, .pad = 3, .stride = 2, .group = 4});
    Value *small = conv_bn(
        b, x,
        (ConvShape){.out = 8, .kernel = 3, .pad = 1, .stride = 2, .group = 4});
    bench_output(b, bench_binary(b, OP_Add, large, small));
}

START_TEST(large_and_small_kernel_with_stride)
{
    check_folds(build_strided, 1, 0);
}
END_TEST

static void build_one_dimensional(Bench *b)
{
    int64_t dims[3] = {1, 4, -1};
    Value *x = bench_input(b, 3, dims);
    Value *sum =
        bench_binary(b, OP_Add, conv_bn(b, x, SAME(5)), conv_bn(b, x, SAME(3)));
    bench_output(b, bench_binary(b, OP_Add, sum, x));
}

START_TEST(one_dimension_and_a_symbolic_size)
{
    check_folds(build_one_dimensional, 1, 0);
}
END_TEST

static void build_three_dimensional(Bench *b)
{
    int64_t dims[5] = {1, 2, 4, 5, 6};
    Value *x = bench_input(b, 5, dims);
    Value *sum =
        bench_binary(b, OP_Add, conv_bn(b, x, SAME(3)), conv_bn(b, x, SAME(1)));
    bench_output(b, bench_binary(b, OP_Sub, sum, x));
}

START_TEST(three_dimensions_and_a_negative_identity)
{
    check_folds(build_three_dimensional, 1, 0);
}
END_TEST

/* UniRepLKNet: 5x5 d3 and 3x3 d4 lie on the lattice of 13x13. */
static void build_dilated(Bench *b)
{
    Value *x = bench_image(b, 2, 15);
    Value *sum = bench_conv(b, x, DW(2, 13));
    sum = bench_binary(
        b, OP_Add, sum,
        bench_conv(
            b, x,
            (ConvShape){.kernel = 5, .pad = 6, .dilation = 3, .group = 2}));
    sum = bench_binary(
        b, OP_Add, sum,
        bench_conv(
            b, x,
            (ConvShape){.kernel = 3, .pad = 4, .dilation = 4, .group = 2}));
    bench_output(b, sum);
}

START_TEST(dilated_branches_become_one_kernel)
{
    check_folds(build_dilated, 1, 0);
}
END_TEST

static void build_grouped_and_dense(Bench *b)
{
    Value *x = bench_image(b, 6, 5);
    Value *sum =
        bench_binary(b, OP_Add, bench_conv(b, x, (ConvShape){.group = 3}),
                     bench_conv(b, x, SAME(3)));
    bench_output(b, bench_binary(b, OP_Add, sum, bench_conv(b, x, DW(6, 3))));
}

START_TEST(finer_groups_join_a_dense_kernel)
{
    check_folds(build_grouped_and_dense, 1, 0);
}
END_TEST

START_TEST(average_pool_is_a_branch)
{
    Folded folded = fold_model(build_pool_branch, NULL);
    ck_assert_double_lt(folded.difference, 1e-13);
    ck_assert_uint_eq(folded.after->graph->node_count, 1);
    folded_free(&folded);
}
END_TEST

static void build_batchnorm_after_sum(Bench *b)
{
    Value *x = bench_image(b, 4, 6);
    Value *sum = bench_binary(b, OP_Add, bench_conv(b, x, SAME(3)),
                              bench_conv(b, x, SAME(1)));
    bench_output(b, bench_batchnorm(b, sum, 4));
}

START_TEST(batchnorm_after_the_sum)
{
    check_folds(build_batchnorm_after_sum, 1, 0);
}
END_TEST

static void build_four_branches(Bench *b)
{
    Value *x = bench_image(b, 4, 6), *other = bench_unary(b, OP_Relu, x);
    Value *branches[4] = {conv_bn(b, x, SAME(3)), conv_bn(b, other, SAME(1)),
                          bench_batchnorm(b, x, 4), conv_bn(b, x, SAME(1))};
    bench_output(b, bench_node(b, OP_Sum, branches, 4));
}

START_TEST(three_of_four_branches_merge)
{
    check_folds(build_four_branches, 2, 2);
}
END_TEST

/* A normalized residual cannot merge; its BatchNormalization stays whole. */
static void build_kept_identity(Bench *b)
{
    Value *x = bench_image(b, 4, 6), *other = bench_unary(b, OP_Relu, x);
    Value *sum = bench_binary(b, OP_Add, bench_conv(b, x, SAME(3)),
                              bench_batchnorm(b, other, 4));
    bench_output(b, bench_binary(b, OP_Sub, sum, conv_bn(b, x, SAME(1))));
}

START_TEST(what_cannot_merge_stays_whole)
{
    Folded folded = fold_model(build_kept_identity, NULL);
    ck_assert_double_lt(folded.difference, 1e-13);
    ck_assert_uint_eq(count_ops(folded.after, OP_Conv), 1);
    ck_assert_uint_eq(count_ops(folded.after, OP_BatchNormalization), 1);
    ck_assert_uint_eq(count_ops(folded.after, OP_Add), 1);
    ck_assert_uint_eq(folded.after->graph->node_count, 4);
    folded_free(&folded);
}
END_TEST

/* Over three tensors nothing merges, and every convolution keeps its place. */
static void build_three_bases(Bench *b)
{
    Value *x = bench_image(b, 4, 6), *relu = bench_unary(b, OP_Relu, x);
    Value *branches[3] = {conv_bn(b, x, SAME(3)), conv_bn(b, relu, SAME(3)),
                          conv_bn(b, bench_unary(b, OP_Abs, x), SAME(1))};
    Value *sum = bench_node(b, OP_Sum, branches, 3);
    bench_output(b, bench_unary(b, OP_Neg, sum));
}

START_TEST(a_factor_goes_into_branches_that_do_not_merge)
{
    check_folds(build_three_bases, 3, 4);
}
END_TEST

/* A convolution of a constant is a constant, and no operator to fold into. */
static void build_constant_data(Bench *b)
{
    int64_t dims[4] = {1, 4, 6, 6};
    Value *x = bench_image(b, 4, 6);
    Value *y = bench_conv(b, bench_constant(b, 4, dims), SAME(3));
    bench_output(b, bench_binary(b, OP_Mul, y, x));
    bench_output(b, bench_conv(b, bench_constant(b, 4, dims), SAME(3)));
}

START_TEST(a_convolution_of_a_constant_stays)
{
    Folded folded = fold_model(build_constant_data, NULL);
    ck_assert_double_eq(folded.difference, 0);
    ck_assert_uint_eq(folded.report.fold_count, 0);
    ck_assert_uint_eq(count_ops(folded.after, OP_Conv), 2);
    folded_free(&folded);
}
END_TEST

/* An 8-bit float is not read. It must not count as no bias at all. */
static void build_unreadable_bias(Bench *b)
{
    Value *y = bench_conv(b, bench_image(b, 4, 6),
                          (ConvShape){.kernel = 3, .bias = true});
    void *data;
    int64_t count = 4;
    Tensor *bias = tensor_alloc(b->arena, DT_FLOAT8E4M3FN, 1, &count, &data);
    y->producer->inputs[2] = graph_add_initializer(b->graph, "b", bias);
    bench_output(b, bench_batchnorm(b, y, 4));
}

/* The model cannot run; nothing of it folds, for that reason. */
static void check_untouched(Build *build, const char *reason)
{
    Arena *arena = arena_new(0);
    Model *model = build_model(arena, build, false);
    static const rp_fold_options defaults;
    FoldReport report = {0};
    Err err = {0};
    ck_assert_int_eq(model_fold(model, &defaults, &report, &err), 0);
    ck_assert_uint_eq(report.fold_count, 0);
    ck_assert_uint_gt(report.refusal_count, 0);
    ck_assert_str_eq(report.refusals[0].reason, reason);
    arena_free(arena);
}

START_TEST(a_bias_of_another_type_stops_the_fold)
{
    check_untouched(build_unreadable_bias, "quantized");
}
END_TEST

/* 1x1 and 3x3 without padding, of a tensor of which nothing is known: whether
 * the sum broadcasts depends on its size. */
static void build_unknown_input(Bench *b)
{
    Value *x = bench_image(b, 4, 6), *y = graph_fresh_value(b->graph, "y");
    Node *opaque = node_new(b->graph, OP_OTHER, "opaque", &x, 1, &y, 1);
    opaque->op_type = "Opaque";
    opaque->domain = "com.example";
    graph_add_node(b->graph, opaque);
    int64_t small[4] = {4, 4, 1, 1}, large[4] = {4, 4, 3, 3};
    Value *inputs[2] = {y, bench_constant(b, 4, small)};
    Value *first = bench_node(b, OP_Conv, inputs, 2);
    inputs[1] = bench_constant(b, 4, large);
    Value *second = bench_node(b, OP_Conv, inputs, 2);
    bench_output(b, bench_binary(b, OP_Add, first, second));
}

START_TEST(an_unknown_size_is_no_size)
{
    check_untouched(build_unknown_input, "slack-differs");
}
END_TEST

START_TEST(explicit_padding_goes_into_the_convolution)
{
    check_folds(build_pad_conv, 1, 1);
    Folded folded = fold_model(build_pad_conv, NULL);
    const int64_t *pads;
    ck_assert_int_eq(node_ints(only_node(&folded, OP_Conv), "pads", &pads), 4);
    ck_assert_int_eq(pads[1], 2);
    ck_assert_int_eq(pads[2], 3);
    folded_free(&folded);
}
END_TEST

/* Of summands whose sizes are not known neither need have the sum's shape. */
static void build_shape_of_broadcast(Bench *b)
{
    const int64_t dims[4] = {1, 4, -1, -1};
    Value *x = bench_input(b, 4, dims), *y = bench_input(b, 4, dims);
    Value *sum =
        bench_binary(b, OP_Add, bench_conv(b, x, (ConvShape){.out = 4}), y);
    bench_output(b, bench_binary(b, OP_Mul, sum, bench_channel_scale(b, 4)));
    bench_output(b, bench_unary(b, OP_Shape, sum));
}

START_TEST(a_shape_of_a_broadcast_sum_stays)
{
    Folded folded = fold_model(build_shape_of_broadcast, NULL);
    const Node *shape = only_node(&folded, OP_Shape);
    ck_assert_int_eq(shape->inputs[0]->producer->op, OP_Add);
    folded_free(&folded);
}
END_TEST

/* Both summands have the size of what they read, which is not known. */
static void build_shape_beside_pad(Bench *b)
{
    const int64_t dims[4] = {1, 4, -1, -1}, pads[8] = {0};
    ConvShape shape = {.out = 4, .kernel = 3, .pad = 1};
    Value *x = bench_binary(b, OP_Add, bench_input(b, 4, dims),
                            bench_input(b, 4, dims));
    Value *padded = bench_binary(b, OP_Pad, x, bench_ints(b, 8, pads));
    Value *first = bench_conv(b, x, shape);
    Value *second = bench_conv(b, padded, shape);
    bench_output(b, bench_unary(b, OP_Shape, second));
    bench_output(b, bench_binary(b, OP_Add, first, second));
}

START_TEST(a_shape_behind_a_pad_of_nothing_goes_to_the_sum)
{
    check_folds(build_shape_beside_pad, 1, 2);
}
END_TEST

Suite *suite_rule_sum(void)
{
    Suite *suite = suite_create("rule_sum");
    TCase *tcase = tcase_create("rule_sum");
    tcase_add_test(tcase, conv_takes_batchnorm);
    tcase_add_test(tcase, decomposed_batchnorm_is_one);
    tcase_add_test(tcase, constant_minus_tensor_negates);
    tcase_add_test(tcase, shift_alone_keeps_the_weight);
    tcase_add_test(tcase, shared_weight_is_not_edited);
    tcase_add_test(tcase, grouped_transposed_convolution_takes_batchnorm);
    tcase_add_test(tcase, gemm_with_alpha_and_beta);
    tcase_add_test(tcase, a_computed_weight_is_stored_once);
    tcase_add_test(tcase, layer_scale_goes_back_through_shape_operators);
    tcase_add_test(tcase, repvgg_block_is_one_convolution);
    tcase_add_test(tcase, repmixer_is_one_depthwise_convolution);
    tcase_add_test(tcase, layer_scale_in_a_residual_branch);
    tcase_add_test(tcase, residual_goes_into_a_depthwise_convolution);
    tcase_add_test(tcase, large_and_small_kernel_with_stride);
    tcase_add_test(tcase, one_dimension_and_a_symbolic_size);
    tcase_add_test(tcase, three_dimensions_and_a_negative_identity);
    tcase_add_test(tcase, dilated_branches_become_one_kernel);
    tcase_add_test(tcase, finer_groups_join_a_dense_kernel);
    tcase_add_test(tcase, average_pool_is_a_branch);
    tcase_add_test(tcase, batchnorm_after_the_sum);
    tcase_add_test(tcase, three_of_four_branches_merge);
    tcase_add_test(tcase, what_cannot_merge_stays_whole);
    tcase_add_test(tcase, a_factor_goes_into_branches_that_do_not_merge);
    tcase_add_test(tcase, a_convolution_of_a_constant_stays);
    tcase_add_test(tcase, a_bias_of_another_type_stops_the_fold);
    tcase_add_test(tcase, an_unknown_size_is_no_size);
    tcase_add_test(tcase, explicit_padding_goes_into_the_convolution);
    tcase_add_test(tcase, a_shape_of_a_broadcast_sum_stays);
    tcase_add_test(tcase, a_shape_behind_a_pad_of_nothing_goes_to_the_sum);
    suite_add_tcase(suite, tcase);
    return suite;
}
