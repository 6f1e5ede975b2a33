/* Forward folds: affine maps into the linear operators that read them. */
#include <string.h>

#include "blocks.h"
#include "composing.h"
#include "suites.h"

/* An affine map with nothing linear before it. */
static Value *normalized(Bench *b, int64_t channels, int64_t size)
{
    Value *x = bench_unary(b, OP_Relu, bench_image(b, channels, size));
    return bench_batchnorm(b, x, channels);
}

static void build_into_pointwise(Bench *b)
{
    Value *y = normalized(b, 4, 5);
    y = bench_conv(b, y, (ConvShape){.out = 6, .bias = true});
    bench_output(b, bench_unary(b, OP_Relu, y));
}

START_TEST(batchnorm_goes_into_a_pointwise_convolution)
{
    check_folds(build_into_pointwise, 1, 2);
}
END_TEST

static void build_into_grouped(Bench *b)
{
    Value *y = normalized(b, 6, 7);
    y = bench_conv(b, y,
                   (ConvShape){.out = 4, .kernel = 3, .stride = 2, .group = 2});
    bench_output(b, y);
}

START_TEST(unpadded_kernels_take_scale_and_shift)
{
    check_folds(build_into_grouped, 1, 1);
}
END_TEST

static void build_scale_only(Bench *b)
{
    Value *x = bench_unary(b, OP_Relu, bench_image(b, 4, 5));
    x = bench_binary(b, OP_Mul, x, bench_channel_scale(b, 4));
    bench_output(b, bench_conv(b, x, (ConvShape){.kernel = 3, .pad = 1}));
}

START_TEST(scale_alone_is_exact_for_any_padding)
{
    check_folds(build_scale_only, 1, 1);
}
END_TEST

static void build_two_readers(Bench *b)
{
    Value *y = normalized(b, 4, 5);
    bench_output(b, bench_conv(b, y, (ConvShape){.out = 3}));
    bench_output(b, bench_conv(b, y, (ConvShape){.out = 2, .bias = true}));
}

START_TEST(all_readers_take_it)
{
    check_folds(build_two_readers, 2, 1);
}
END_TEST

/* The entrance of an attention block: normalize, flatten, channels last. */
static Value *tokens(Bench *b, Value *y)
{
    int64_t shape[3] = {1, 6, 16}, perm[3] = {0, 2, 1};
    y = bench_binary(b, OP_Reshape, y, bench_ints(b, 3, shape));
    Value *t = graph_fresh_value(b->graph, "t");
    Node *node = node_new(b->graph, OP_Transpose, "t", &y, 1, &t, 1);
    node_set_ints(node, "perm", perm, 3);
    graph_add_node(b->graph, node);
    Err err = {0};
    ck_assert_int_eq(graph_infer(b->graph, &err), 0);
    return t;
}

static void build_attention(Bench *b)
{
    int64_t w[2] = {6, 18};
    Value *y = normalized(b, 6, 4);
    bench_output(b, bench_unary(b, OP_Shape, y));
    y = tokens(b, y);
    bench_output(b, bench_binary(b, OP_MatMul, y, bench_constant(b, 2, w)));
}

static void build_attention_only(Bench *b)
{
    int64_t w[2] = {6, 18};
    Value *y = tokens(b, normalized(b, 6, 4));
    bench_output(b, bench_binary(b, OP_MatMul, y, bench_constant(b, 2, w)));
}

START_TEST(channels_are_followed_through_shape_operators)
{
    check_folds(build_attention_only, 0, 5);
    Folded folded = fold_model(build_attention_only, NULL);
    ck_assert_uint_eq(count_ops(folded.after, OP_BatchNormalization), 0);
    ck_assert_str_eq(folded.report.folds[0].rules, "C9");
    folded_free(&folded);
}
END_TEST

/* Exporters read the batch size off the normalized tensor. */
START_TEST(who_reads_only_the_shape_reads_it_elsewhere)
{
    static const rp_fold_options defaults;
    Arena *arena = arena_new(0);
    Model *model = build_model(arena, build_attention, false);
    FoldReport report = {0};
    Err err = {0};
    ck_assert_int_eq(model_fold(model, &defaults, &report, &err), 0);
    ck_assert_uint_eq(count_ops(model, OP_BatchNormalization), 0);
    ck_assert_uint_eq(count_ops(model, OP_Shape), 1);
    arena_free(arena);
}
END_TEST

static void build_existing_bias(Bench *b)
{
    int64_t w[2] = {6, 5}, c[1] = {5};
    Value *y = tokens(b, normalized(b, 6, 4));
    y = bench_binary(b, OP_MatMul, y, bench_constant(b, 2, w));
    bench_output(b, bench_binary(b, OP_Add, bench_constant(b, 1, c), y));
}

START_TEST(an_existing_bias_takes_the_shift)
{
    check_folds(build_existing_bias, 0, 5);
}
END_TEST

/* The shape of the product is read, before the bias is added. */
static void build_bias_and_shape(Bench *b)
{
    int64_t w[2] = {6, 5}, c[1] = {5};
    Value *y = tokens(b, normalized(b, 6, 4));
    y = bench_binary(b, OP_MatMul, y, bench_constant(b, 2, w));
    Value *shape = bench_unary(b, OP_Shape, y);
    y = bench_binary(b, OP_Add, bench_constant(b, 1, c), y);
    y = bench_unary(b, OP_Relu, y);
    bench_output(b, bench_binary(b, OP_Reshape, y, shape));
}

START_TEST(the_shape_of_the_product_is_that_of_the_sum)
{
    check_folds(build_bias_and_shape, 0, 8);
}
END_TEST

static void build_flatten(Bench *b)
{
    int64_t w[2] = {12, 5}, c[1] = {5};
    Value *y = bench_unary(b, OP_Flatten, normalized(b, 3, 2));
    Value *inputs[3] = {y, bench_constant(b, 2, w), bench_constant(b, 1, c)};
    bench_output(b, bench_node(b, OP_Gemm, inputs, 3));
}

START_TEST(flattened_channels_repeat)
{
    check_folds(build_flatten, 0, 3);
}
END_TEST

/* Queries read the tokens, keys and values an average of them: NextViT. */
static void build_tree(Bench *b)
{
    int64_t w[2] = {6, 5};
    Value *y = normalized(b, 6, 4);
    Value *pooled = bench_unary(b, OP_GlobalAveragePool, y);
    bench_output(b, bench_conv(b, pooled, (ConvShape){.out = 4}));
    Value *t = tokens(b, y);
    bench_output(b, bench_binary(b, OP_MatMul, t, bench_constant(b, 2, w)));
    bench_output(b, bench_binary(b, OP_MatMul, t, bench_constant(b, 2, w)));
}

START_TEST(every_way_may_branch)
{
    Folded folded = fold_model(build_tree, NULL);
    ck_assert_double_lt(folded.difference, 1e-13);
    ck_assert_uint_eq(count_ops(folded.after, OP_BatchNormalization), 0);
    ck_assert_uint_eq(folded.report.fold_count, 1);
    ck_assert_str_eq(folded.report.folds[0].rules, "C9,C14");
    folded_free(&folded);
}
END_TEST

static void build_concat(Bench *b)
{
    Value *x = bench_unary(b, OP_Relu, bench_image(b, 3, 5));
    Value *inputs[2] = {x, bench_binary(b, OP_Mul, bench_channel_scale(b, 3),
                                        bench_unary(b, OP_Relu, x))};
    Value *y = graph_fresh_value(b->graph, "joined");
    Node *node = node_new(b->graph, OP_Concat, "joined", inputs, 2, &y, 1);
    node_set_int(node, "axis", 1);
    graph_add_node(b->graph, node);
    Err err = {0};
    ck_assert_int_eq(graph_infer(b->graph, &err), 0);
    bench_output(
        b, bench_conv(b, y, (ConvShape){.out = 2, .kernel = 3, .pad = 1}));
}

START_TEST(concat_spreads_a_map_over_its_slice)
{
    check_folds(build_concat, 1, 3);
}
END_TEST

/* ---- Ways that meet ---- */

static void join(Bench *b, Value *one, Value *other, int axis)
{
    Value *parts[2] = {one, other};
    Value *y = bench_concat(b, parts, 2, axis);
    bench_output(b, bench_conv(b, y, (ConvShape){.out = 3}));
}

/* The same beside itself, along the channels and below itself. */
static void build_joined_twice(Bench *b)
{
    Value *y = normalized(b, 4, 5);
    join(b, y, y, 1);
}

static void build_below_itself(Bench *b)
{
    Value *y = normalized(b, 4, 5);
    join(b, y, y, 2);
}

/* Below another, which has no such map. */
static void build_below_another(Bench *b)
{
    join(b, normalized(b, 4, 5), bench_image(b, 4, 5), 2);
}

/* An image beside itself, with rows for columns: their scale is one, and their
 * shifts add up, or to nothing. */
static void build_sum_of_readers(Bench *b, Op op)
{
    const int64_t order[4] = {0, 1, 3, 2};
    Value *y = normalized(b, 4, 5), *turned = graph_fresh_value(b->graph, "t");
    Node *node = node_new(b->graph, OP_Transpose, "turn", &y, 1, &turned, 1);
    node_set_ints(node, "perm", order, 4);
    bench_add(b, node);
    bench_output(b, bench_conv(b, bench_binary(b, op, turned, y),
                               (ConvShape){.out = 3}));
}

static void build_difference(Bench *b)
{
    build_sum_of_readers(b, OP_Sub);
}

static void build_total(Bench *b)
{
    build_sum_of_readers(b, OP_Add);
}

/* PoolFormer's mixer (Yu et al. 2022): an average less what it averages. What
 * is added before both goes, what they are scaled by stays. */
static void build_mixer(Bench *b)
{
    int64_t size[2] = {3, 3}, pads[4] = {1, 1, 1, 1};
    Value *x = bench_unary(b, OP_Sigmoid, bench_image(b, 4, 5));
    x = bench_binary(b, OP_Mul, x, bench_channel_scale(b, 4));
    x = bench_binary(b, OP_Add, x, bench_channel_scale(b, 4));
    Value *pool = graph_fresh_value(b->graph, "pool");
    Node *node = node_new(b->graph, OP_AveragePool, "pool", &x, 1, &pool, 1);
    node_set_ints(node, "kernel_shape", size, 2);
    node_set_ints(node, "pads", pads, 4);
    bench_add(b, node);
    bench_output(b,
                 bench_unary(b, OP_Sigmoid, bench_binary(b, OP_Sub, pool, x)));
}

/* The same with one more reader of the shift. */
static void build_mixer_read_twice(Bench *b)
{
    build_mixer(b);
    const Graph *graph = b->graph;
    for (size_t i = 0; i < graph->node_count; i++)
        if (graph->nodes[i]->op == OP_Add)
            bench_output(b,
                         bench_unary(b, OP_Relu, graph->nodes[i]->outputs[0]));
}

START_TEST(shifts_of_a_difference_go)
{
    Folded folded = fold_model(build_mixer, NULL);
    ck_assert_double_lt(folded.difference, 1e-13);
    ck_assert_uint_eq(folded.report.fold_count, 1);
    ck_assert_str_eq(folded.report.folds[0].rules, "C14");
    ck_assert_uint_eq(count_ops(folded.after, OP_Add), 0);
    ck_assert_uint_eq(count_ops(folded.after, OP_Mul), 1);
    folded_free(&folded);
    check_refuses(build_mixer_read_twice, "nonlinear");
}
END_TEST

/* One mean beside all pixels. */
static void build_broadcast(Bench *b)
{
    Value *y = normalized(b, 4, 5);
    Value *mean = bench_unary(b, OP_GlobalAveragePool, y);
    bench_output(b, bench_conv(b, bench_binary(b, OP_Sub, y, mean),
                               (ConvShape){.out = 3}));
}

START_TEST(ways_may_meet)
{
    check_folds(build_joined_twice, 1, 2);
    check_folds(build_below_itself, 1, 2);
    check_folds(build_difference, 1, 3);
    check_folds(build_total, 1, 3);
    check_refuses(build_below_another, "wrong-axis");
    check_refuses(build_broadcast, "wrong-axis");
}
END_TEST

/* Global response normalization (Woo et al. 2023, ConvNeXt V2): x + gamma (x n)
 * + beta, and then a projection. */
static void build_response_norm(Bench *b)
{
    Value *x = bench_unary(b, OP_Relu, bench_image(b, 4, 5));
    Value *n = bench_unary(b, OP_GlobalMaxPool, x);
    Value *y = bench_binary(b, OP_Mul, bench_binary(b, OP_Mul, x, n),
                            bench_channel_scale(b, 4));
    y = bench_binary(b, OP_Add, y, bench_channel_scale(b, 4));
    y = bench_binary(b, OP_Add, x, y);
    bench_output(b, bench_conv(b, y, (ConvShape){.out = 3}));
}

/* A scale of one summand is no scale of the sum. */
static void build_scaled_summand(Bench *b)
{
    Value *x = bench_unary(b, OP_Relu, bench_image(b, 4, 5));
    Value *y = bench_batchnorm(b, bench_unary(b, OP_Sigmoid, x), 4);
    bench_output(
        b, bench_conv(b, bench_binary(b, OP_Add, x, y), (ConvShape){.out = 3}));
}

START_TEST(a_shift_of_one_summand_is_one_of_the_sum)
{
    static const rp_fold_options enabled = {.enable = "C16"};
    Folded folded = fold_exactly_with(build_response_norm, &enabled);
    ck_assert_uint_eq(folded.report.fold_count, 1);
    ck_assert_str_eq(folded.report.folds[0].rules, "C9,C14,C16");
    ck_assert_uint_eq(count_ops(folded.after, OP_Add), 1);
    folded_free(&folded);
    check_refuses(build_response_norm, "nonlinear");
    check_stays(build_scaled_summand, &enabled, "nonlinear", "");
}
END_TEST

/* ---- Refusals ---- */

static void build_shift_into_padded(Bench *b)
{
    Value *y = normalized(b, 4, 5);
    bench_output(b, bench_conv(b, y, (ConvShape){.kernel = 3, .pad = 1}));
}

static void build_one_reader_refuses(Bench *b)
{
    Value *y = normalized(b, 4, 5);
    bench_output(b, bench_conv(b, y, (ConvShape){.out = 3}));
    bench_output(b, bench_conv(b, y, (ConvShape){.kernel = 3, .pad = 1}));
}

START_TEST(a_shift_before_padding_is_refused)
{
    check_refuses(build_shift_into_padded, "pad-shift");
    check_refuses(build_one_reader_refuses, "pad-shift");
    Folded folded = fold_model(build_shift_into_padded, NULL);
    const char *fact = folded.report.refusals[0].fact;
    ck_assert_msg(strncmp(fact, "pads 1,1,1,1 and shift up to ", 29) == 0, "%s",
                  fact);
    folded_free(&folded);
}
END_TEST

START_TEST(an_activation_is_left_whole)
{
    check_refuses(build_gelu, "island");
}
END_TEST

Suite *suite_rule_forward(void)
{
    Suite *suite = suite_create("rule_forward");
    TCase *tcase = tcase_create("rule_forward");
    tcase_add_test(tcase, batchnorm_goes_into_a_pointwise_convolution);
    tcase_add_test(tcase, unpadded_kernels_take_scale_and_shift);
    tcase_add_test(tcase, scale_alone_is_exact_for_any_padding);
    tcase_add_test(tcase, all_readers_take_it);
    tcase_add_test(tcase, channels_are_followed_through_shape_operators);
    tcase_add_test(tcase, who_reads_only_the_shape_reads_it_elsewhere);
    tcase_add_test(tcase, an_existing_bias_takes_the_shift);
    tcase_add_test(tcase, the_shape_of_the_product_is_that_of_the_sum);
    tcase_add_test(tcase, flattened_channels_repeat);
    tcase_add_test(tcase, every_way_may_branch);
    tcase_add_test(tcase, concat_spreads_a_map_over_its_slice);
    tcase_add_test(tcase, ways_may_meet);
    tcase_add_test(tcase, shifts_of_a_difference_go);
    tcase_add_test(tcase, a_shift_of_one_summand_is_one_of_the_sum);
    tcase_add_test(tcase, a_shift_before_padding_is_refused);
    tcase_add_test(tcase, an_activation_is_left_whole);
    suite_add_tcase(suite, tcase);
    return suite;
}
