/* Linear operators in a row become one (C12). */
#include "composing.h"
#include "suites.h"

static const rp_fold_options compose = {.enable = "C12"};
static const rp_fold_options costly = {.enable = "C12", .allow_cost = 1};

static void build_pointwise(Bench *b)
{
    Value *y = bench_conv(b, bench_image(b, 4, 5),
                          (ConvShape){.out = 6, .bias = true});
    bench_output(b, bench_conv(b, y, (ConvShape){.out = 3, .bias = true}));
}

START_TEST(two_pointwise_convolutions_are_one)
{
    check_composes(build_pointwise, &compose, "C12", 1, 1);
}
END_TEST

START_TEST(composition_is_off_by_default)
{
    Folded folded = fold_model(build_pointwise, NULL);
    ck_assert_uint_eq(folded.report.fold_count, 0);
    ck_assert_uint_eq(folded.report.refusal_count, 0);
    folded_free(&folded);
}
END_TEST

/* Offsets { D1 + s1 D2 } = { -1, 1, 3 } + 2 { 0, 3, 6 }: eight places, from -1
 * to 15 in steps of two, stride 6. */
static void build_strides(Bench *b)
{
    Value *y = bench_conv(b, bench_image(b, 2, 23),
                          (ConvShape){.out = 4,
                                      .kernel = 3,
                                      .pad = 1,
                                      .dilation = 2,
                                      .stride = 2,
                                      .bias = true});
    bench_output(b, bench_conv(b, y,
                               (ConvShape){.out = 2,
                                           .kernel = 3,
                                           .dilation = 3,
                                           .stride = 3,
                                           .bias = true}));
}

START_TEST(strides_multiply_and_offsets_add)
{
    check_composes(build_strides, &costly, "C12", 1, 1);
    Folded folded = fold_model(build_strides, &costly);
    const Node *conv = only_node(&folded, OP_Conv);
    ck_assert_int_eq(ints_of(conv, "strides")[0], 6);
    ck_assert_int_eq(ints_of(conv, "dilations")[0], 2);
    ck_assert_int_eq(ints_of(conv, "kernel_shape")[0], 9);
    ck_assert_int_eq(ints_of(conv, "pads")[0], 1);
    folded_free(&folded);
}
END_TEST

static void build_groups(Bench *b)
{
    Value *y = bench_conv(b, bench_image(b, 12, 6),
                          (ConvShape){.out = 12, .group = 6, .bias = true});
    bench_output(
        b, bench_conv(b, y, (ConvShape){.out = 8, .kernel = 2, .group = 4}));
}

START_TEST(groups_become_the_coarser_that_both_nest_in)
{
    check_composes(build_groups, &costly, "C12", 1, 1);
    Folded folded = fold_model(build_groups, &costly);
    ck_assert_int_eq(node_int(only_node(&folded, OP_Conv), "group", 1), 2);
    folded_free(&folded);
}
END_TEST

static void build_padded_second(Bench *b)
{
    Value *y =
        bench_conv(b, bench_image(b, 4, 9), (ConvShape){.stride = 2, .out = 4});
    bench_output(
        b, bench_conv(b, y, (ConvShape){.kernel = 3, .pad = 1, .bias = true}));
}

START_TEST(padding_may_follow_a_pointwise_kernel_without_bias)
{
    check_composes(build_padded_second, &compose, "C12", 1, 1);
}
END_TEST

/* A kernel along one axis, then one along the other. */
static Value *bench_line(Bench *b, Value *x, int64_t height, int64_t width)
{
    int64_t dims[4] = {x->fact.dims[1], x->fact.dims[1], height, width};
    int64_t pads[4] = {height / 2, width / 2, height / 2, width / 2};
    Value *inputs[2] = {x, bench_constant(b, 4, dims)};
    Value *y = graph_fresh_value(b->graph, "line");
    Node *node = node_new(b->graph, OP_Conv, "line", inputs, 2, &y, 1);
    node_set_ints(node, "pads", pads, 4);
    graph_add_node(b->graph, node);
    Err err = {0};
    ck_assert_int_eq(graph_infer(b->graph, &err), 0);
    return y;
}

static void build_separable(Bench *b)
{
    Value *y = bench_line(b, bench_image(b, 2, 7), 1, 5);
    bench_output(b, bench_line(b, y, 5, 1));
}

START_TEST(lines_compose_to_a_square)
{
    check_stays(build_separable, &compose, "cost", "MACs 40 to 100");
    check_composes(build_separable, &costly, "C12", 1, 1);
}
END_TEST

static Value *bench_transposed(Bench *b, Value *x, int64_t out, int64_t group)
{
    int64_t dims[4] = {x->fact.dims[1], out / group, 4, 4};
    int64_t twos[2] = {2, 2}, pads[4] = {1, 1, 1, 1};
    Value *inputs[3] = {x, bench_constant(b, 4, dims),
                        bench_constant(b, 1, &out)};
    Value *y = graph_fresh_value(b->graph, "up");
    Node *node = node_new(b->graph, OP_ConvTranspose, "up", inputs, 3, &y, 1);
    node_set_ints(node, "strides", twos, 2);
    node_set_ints(node, "pads", pads, 4);
    node_set_int(node, "group", group);
    graph_add_node(b->graph, node);
    Err err = {0};
    ck_assert_int_eq(graph_infer(b->graph, &err), 0);
    return y;
}

static void build_before_transposed(Bench *b)
{
    Value *y = bench_conv(b, bench_image(b, 4, 5), (ConvShape){.out = 8});
    bench_output(b, bench_transposed(b, y, 6, 2));
}

static void build_after_transposed(Bench *b)
{
    Value *y = bench_transposed(b, bench_image(b, 4, 5), 6, 2);
    bench_output(
        b, bench_conv(b, y, (ConvShape){.out = 4, .group = 2, .bias = true}));
}

START_TEST(transposed_convolutions_take_pointwise_ones)
{
    check_composes(build_before_transposed, &costly, "C12", 1, 1);
    check_composes(build_after_transposed, &costly, "C12", 1, 1);
}
END_TEST

static Value *bench_gemm(Bench *b, Value *x, int64_t out, float alpha,
                         bool transposed)
{
    int64_t in = x->fact.dims[1];
    int64_t dims[2] = {transposed ? out : in, transposed ? in : out};
    Value *inputs[3] = {x, bench_constant(b, 2, dims),
                        bench_constant(b, 1, &out)};
    Value *y = graph_fresh_value(b->graph, "gemm");
    Node *node = node_new(b->graph, OP_Gemm, "gemm", inputs, 3, &y, 1);
    node_set_float(node, "alpha", alpha);
    node_set_int(node, "transB", transposed);
    graph_add_node(b->graph, node);
    Err err = {0};
    ck_assert_int_eq(graph_infer(b->graph, &err), 0);
    return y;
}

static void build_gemms(Bench *b)
{
    int64_t dims[2] = {3, 5};
    Value *y = bench_gemm(b, bench_input(b, 2, dims), 6, 2, true);
    bench_output(b, bench_gemm(b, y, 4, 0.5f, false));
}

static void build_matmuls(Bench *b)
{
    int64_t dims[3] = {2, 3, 5}, first[2] = {5, 6}, second[2] = {6, 4};
    int64_t six[1] = {6};
    Value *y = bench_input(b, 3, dims);
    y = bench_binary(b, OP_MatMul, y, bench_constant(b, 2, first));
    y = bench_binary(b, OP_Add, bench_constant(b, 1, six), y);
    bench_output(b,
                 bench_binary(b, OP_MatMul, y, bench_constant(b, 2, second)));
}

static void build_matmul_gemm(Bench *b)
{
    int64_t dims[2] = {3, 5}, first[2] = {5, 6};
    Value *y = bench_binary(b, OP_MatMul, bench_input(b, 2, dims),
                            bench_constant(b, 2, first));
    bench_output(b, bench_gemm(b, y, 4, 3, true));
}

START_TEST(matrices_multiply)
{
    check_composes(build_gemms, &compose, "C12", 0, 1);
    check_composes(build_matmuls, &compose, "C12", 0, 2);
    check_composes(build_matmul_gemm, &compose, "C12", 0, 1);
}
END_TEST

static void build_chain(Bench *b)
{
    Value *y = bench_image(b, 3, 4);
    for (int i = 0; i < 5; i++)
        y = bench_conv(b, y, (ConvShape){.bias = true});
    bench_output(b, y);
}

START_TEST(a_chain_becomes_one)
{
    Folded folded = fold_model(build_chain, &compose);
    ck_assert_double_lt(folded.difference, 1e-13);
    ck_assert_uint_eq(folded.after->graph->node_count, 1);
    folded_free(&folded);
}
END_TEST

static void build_bias_then_padded(Bench *b)
{
    Value *y = bench_conv(b, bench_image(b, 4, 5), (ConvShape){.bias = true});
    bench_output(b, bench_conv(b, y, SAME(3)));
}

static void build_two_padded(Bench *b)
{
    Value *y = bench_conv(b, bench_image(b, 4, 5), SAME(3));
    bench_output(b, bench_conv(b, y, SAME(3)));
}

static void build_bias_then_transposed(Bench *b)
{
    Value *y = bench_conv(b, bench_image(b, 4, 5), (ConvShape){.bias = true});
    bench_output(b, bench_transposed(b, y, 4, 1));
}

static void build_strided_then_transposed(Bench *b)
{
    Value *y = bench_conv(b, bench_image(b, 4, 5), (ConvShape){.stride = 2});
    bench_output(b, bench_transposed(b, y, 4, 1));
}

static void build_bottleneck(Bench *b)
{
    Value *y = bench_conv(b, bench_image(b, 8, 5), (ConvShape){.out = 2});
    bench_output(b, bench_conv(b, y, (ConvShape){.out = 8}));
}

static void build_read_twice(Bench *b)
{
    Value *y = bench_conv(b, bench_image(b, 4, 5), SAME(1));
    bench_output(b, bench_unary(b, OP_Relu, y));
    bench_output(b, bench_conv(b, y, SAME(1)));
}

static void build_shape_read(Bench *b)
{
    build_pointwise(b);
    bench_output(b, bench_unary(b, OP_Shape, b->graph->nodes[1]->inputs[0]));
}

static void build_middle_output(Bench *b)
{
    build_pointwise(b);
    bench_output(b, b->graph->nodes[1]->inputs[0]);
}

START_TEST(compositions_that_are_not_exact_or_not_cheap_stay)
{
    static const struct {
        Build *build;
        const char *reason, *fact;
    } rows[] = {
        {build_bias_then_padded, "pad-shift", "pads 1,1 on axis 2 after"},
        {build_two_padded, "pad-shift", "after a kernel that reaches there"},
        {build_bias_then_transposed, "pad-shift", "transposed"},
        {build_strided_then_transposed, "stride", "conv"},
        {build_bottleneck, "cost", "MACs 32 to 64, parameters 32 to 64"},
        {build_read_twice, "multi-use", "conv"},
        {build_middle_output, "graph-output", "conv"},
    };
    check_stays(rows[_i].build, &compose, rows[_i].reason, rows[_i].fact);
}
END_TEST

/* One weight a channel, but all pairs of channels in one group. */
static void build_wide(Bench *b)
{
    int64_t channels = 20000;
    Value *y = bench_image(b, channels, 1);
    y = bench_conv(b, y, (ConvShape){.group = channels});
    bench_output(b, bench_conv(b, y, (ConvShape){.out = 1}));
}

START_TEST(what_regrouping_would_blow_up_is_refused)
{
    check_stays(build_wide, &compose, "budget", "conv");
}
END_TEST

/* Its size would be read off a tensor of other channels. */
START_TEST(who_reads_the_shape_between_keeps_both)
{
    Arena *arena = arena_new(0);
    Model *model = build_model(arena, build_shape_read, false);
    FoldReport report = {0};
    Err err = {0};
    ck_assert_int_eq(model_fold(model, &compose, &report, &err), 0);
    ck_assert_uint_eq(report.fold_count, 0);
    ck_assert_str_eq(report.refusals[0].reason, "multi-use");
    arena_free(arena);
}
END_TEST

static void build_transposed_gemm(Bench *b)
{
    int64_t dims[2] = {5, 5};
    Value *y = bench_gemm(b, bench_input(b, 2, dims), 5, 1, false);
    y = bench_gemm(b, y, 4, 1, true);
    node_set_int(y->producer, "transA", 1);
    bench_output(b, y);
}

START_TEST(a_transposed_operand_is_no_row)
{
    check_stays(build_transposed_gemm, &compose, "wrong-axis", "gemm");
}
END_TEST

Suite *suite_rule_compose(void)
{
    Suite *suite = suite_create("rule_compose");
    TCase *tcase = tcase_create("rule_compose");
    tcase_add_test(tcase, two_pointwise_convolutions_are_one);
    tcase_add_test(tcase, composition_is_off_by_default);
    tcase_add_test(tcase, strides_multiply_and_offsets_add);
    tcase_add_test(tcase, groups_become_the_coarser_that_both_nest_in);
    tcase_add_test(tcase, padding_may_follow_a_pointwise_kernel_without_bias);
    tcase_add_test(tcase, lines_compose_to_a_square);
    tcase_add_test(tcase, transposed_convolutions_take_pointwise_ones);
    tcase_add_test(tcase, matrices_multiply);
    tcase_add_test(tcase, a_chain_becomes_one);
    tcase_add_loop_test(
        tcase, compositions_that_are_not_exact_or_not_cheap_stay, 0, 7);
    tcase_add_test(tcase, what_regrouping_would_blow_up_is_refused);
    tcase_add_test(tcase, who_reads_the_shape_between_keeps_both);
    tcase_add_test(tcase, a_transposed_operand_is_no_row);
    suite_add_tcase(suite, tcase);
    return suite;
}
