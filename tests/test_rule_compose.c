/* Composition: linear operators in a row, borders between them, and
 * convolutions side by side. */
#include <math.h>
#include <string.h>

#include "blocks.h"
#include "suites.h"

/* The model folds by `rules` alone into nodes of which `convs` are Conv or
 * ConvTranspose, and is the same function, exactly so for integers. */
static void check_composes(Build *build, const rp_fold_options *options,
                           const char *rules, size_t convs, size_t nodes)
{
    Folded folded = fold_model(build, options);
    ck_assert_uint_eq(folded.report.fold_count, 1);
    ck_assert_str_eq(folded.report.folds[0].rules, rules);
    ck_assert_double_lt(folded.difference, 1e-13);
    ck_assert_uint_eq(count_ops(folded.after, OP_Conv) +
                          count_ops(folded.after, OP_ConvTranspose),
                      convs);
    ck_assert_uint_eq(folded.after->graph->node_count, nodes);
    folded_free(&folded);
    folded = fold_exactly_with(build, options);
    ck_assert_uint_eq(folded.report.fold_count, 1);
    folded_free(&folded);
}

/* Nothing folds, and `reason` is given; the fact contains `fact`. */
static void check_stays(Build *build, const rp_fold_options *options,
                        const char *reason, const char *fact)
{
    Folded folded = fold_model(build, options);
    ck_assert_uint_eq(folded.report.fold_count, 0);
    ck_assert(!folded.after->graph->changed);
    ck_assert_uint_gt(folded.report.refusal_count, 0);
    ck_assert_str_eq(folded.report.refusals[0].reason, reason);
    ck_assert_msg(strstr(folded.report.refusals[0].fact, fact) != NULL, "%s",
                  folded.report.refusals[0].fact);
    folded_free(&folded);
}

static const rp_fold_options compose = {.enable = "C12"};
static const rp_fold_options costly = {.enable = "C12", .allow_cost = 1};

static const int64_t *ints_of(const Node *node, const char *name)
{
    const int64_t *values = NULL;
    ck_assert_int_gt(node_ints(node, name, &values), 0);
    return values;
}

/* ---- C12 ---- */

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
                          (ConvShape){.out = 4, .kernel = 3, .pad = 1,
                                      .dilation = 2, .stride = 2,
                                      .bias = true});
    bench_output(b, bench_conv(b, y, (ConvShape){.out = 2, .kernel = 3,
                                                 .dilation = 3, .stride = 3,
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
    bench_output(b, bench_conv(b, y, (ConvShape){.out = 8, .kernel = 2,
                                                 .group = 4}));
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
    Value *y = bench_conv(b, bench_image(b, 4, 9),
                          (ConvShape){.stride = 2, .out = 4});
    bench_output(b, bench_conv(b, y, (ConvShape){.kernel = 3, .pad = 1,
                                                 .bias = true}));
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
    bench_output(b, bench_conv(b, y, (ConvShape){.out = 4, .group = 2,
                                                 .bias = true}));
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
    bench_output(b, bench_binary(b, OP_MatMul, y,
                                 bench_constant(b, 2, second)));
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
        {build_bias_then_padded, "pad-shift", "pads 1,1 on axis 2 after a bias"},
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

/* ---- C13 ---- */

/* What a normalization gives for zero, computed in the graph. */
static Value *border_of(Bench *b, const Node *bn)
{
    int64_t dims[4] = {1, -1, 1, 1};
    double epsilon[1] = {(double)node_float(bn, "epsilon", 0)};
    Value *spread = bench_binary(b, OP_Add, bn->inputs[4],
                                 bench_numbers(b, 0, NULL, epsilon));
    Value *scale = bench_binary(b, OP_Div, bn->inputs[1],
                                bench_unary(b, OP_Sqrt, spread));
    Value *shift = bench_binary(b, OP_Mul, bn->inputs[3], scale);
    shift = bench_binary(b, OP_Sub, bn->inputs[2], shift);
    return bench_binary(b, OP_Reshape, shift, bench_ints(b, 4, dims));
}

static Value *bench_concat(Bench *b, Value *const *parts, int count, int axis)
{
    Value *y = graph_fresh_value(b->graph, "joined");
    Node *node = node_new(b->graph, OP_Concat, y->name, parts, count, &y, 1);
    node_set_int(node, "axis", axis);
    graph_add_node(b->graph, node);
    Err err = {0};
    ck_assert_int_eq(graph_infer(b->graph, &err), 0);
    return y;
}

static Value *bench_expand(Bench *b, Value *x, int64_t height, int64_t width)
{
    int64_t dims[4] = {1, x->fact.dims[1], height, width};
    return bench_binary(b, OP_Expand, x, bench_ints(b, 4, dims));
}

/* One above, two on the left. */
static Value *bordered(Bench *b, Value *x, Value *border)
{
    int64_t height = x->fact.dims[2], width = x->fact.dims[3];
    Value *rows[2] = {bench_expand(b, border, 1, width), x};
    Value *y = bench_concat(b, rows, 2, 2);
    Value *columns[2] = {bench_expand(b, border, height + 1, 2), y};
    return bench_concat(b, columns, 2, 3);
}

static void build_border(Bench *b)
{
    Value *y = conv_bn(b, bench_image(b, 4, 8),
                       (ConvShape){.out = 4, .stride = 2, .bias = true});
    Node *bn = y->producer, *conv = bn->inputs[0]->producer;
    /* A bias moves what is given for zero, so none. */
    conv->input_count = 2;
    y = bordered(b, y, border_of(b, bn));
    bench_output(b, bench_conv(b, y, (ConvShape){.kernel = 2, .group = 2,
                                                 .bias = true}));
}

/* C1 first, then the border. */
static void check_border(Build *build, const rp_fold_options *options)
{
    Folded folded = fold_model(build, options);
    ck_assert_double_lt(folded.difference, 1e-13);
    ck_assert_uint_eq(folded.report.fold_count, 2);
    ck_assert_str_eq(folded.report.folds[1].rules, "C13");
    ck_assert_uint_eq(folded.after->graph->node_count, 1);
    folded_free(&folded);
    folded = fold_exactly_with(build, options);
    ck_assert_uint_eq(folded.report.fold_count, 2);
    folded_free(&folded);
}

START_TEST(a_border_of_what_zero_gives_becomes_padding)
{
    rp_fold_options options = {.allow_cost = 1};
    check_border(build_border, &options);
    Folded folded = fold_model(build_border, &options);
    const int64_t *pads = ints_of(only_node(&folded, OP_Conv), "pads");
    ck_assert_int_eq(pads[0], 2);
    ck_assert_int_eq(pads[1], 4);
    ck_assert_int_eq(pads[2], 0);
    ck_assert_int_eq(pads[3], 0);
    folded_free(&folded);
}
END_TEST

/* As torch writes it: Pad, then the border is overwritten. */
static void build_scattered(Bench *b)
{
    int64_t dims[3] = {1, 2, 3}, pads[6] = {0, 0, 1, 0, 0, 1};
    Value *x = bench_input(b, 3, dims);
    Value *y = bench_conv(b, x, (ConvShape){.bias = true});
    Value *bias = y->producer->inputs[2];
    y = bench_binary(b, OP_Pad, y, bench_ints(b, 6, pads));
    /* y[0, c, 0] and y[0, c, 4] for both channels */
    int64_t places[12] = {0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 1, 4};
    int64_t four[2] = {4, 3};
    void *data;
    Tensor *tensor = tensor_alloc(b->arena, DT_INT64, 2, four, &data);
    memcpy(data, places, sizeof places);
    Value *where = graph_add_initializer(b->graph, "places", tensor);
    int64_t two[2] = {2, 1}, wide[2] = {2, 2}, flat[1] = {4};
    Value *update = bench_binary(b, OP_Reshape, bias, bench_ints(b, 2, two));
    update = bench_binary(b, OP_Expand, update, bench_ints(b, 2, wide));
    update = bench_binary(b, OP_Reshape, update, bench_ints(b, 1, flat));
    Value *inputs[3] = {y, where, update};
    y = bench_node(b, OP_ScatterND, inputs, 3);
    bench_output(b, bench_conv(b, y, (ConvShape){.kernel = 3, .bias = true}));
}

START_TEST(a_border_may_be_scattered_over_padding)
{
    check_composes(build_scattered, NULL, "C13", 1, 1);
}
END_TEST

static Value *bench_pool(Bench *b, Value *x, int64_t kernel)
{
    int64_t taps[2] = {kernel, kernel};
    Value *y = graph_fresh_value(b->graph, "pool");
    Node *node = node_new(b->graph, OP_AveragePool, "pool", &x, 1, &y, 1);
    node_set_ints(node, "kernel_shape", taps, 2);
    graph_add_node(b->graph, node);
    Err err = {0};
    ck_assert_int_eq(graph_infer(b->graph, &err), 0);
    return y;
}

static Value *bordered_pool(Bench *b, Value *x)
{
    int64_t dims[4] = {1, 4, 1, 1};
    Value *y = bench_conv(b, x, (ConvShape){.bias = true});
    Value *bias = y->producer->inputs[2];
    y = bordered(b, y, bench_binary(b, OP_Reshape, bias,
                                    bench_ints(b, 4, dims)));
    return bench_pool(b, y, 2);
}

/* The branch of DBB that averages, beside one that is padded as much. */
static void build_pool_in_sum(Bench *b)
{
    int64_t pads[4] = {1, 2, 0, 0};
    Value *x = bench_image(b, 4, 8);
    Value *side = graph_fresh_value(b->graph, "side");
    Value *inputs[2] = {x, bench_constant(b, 4, (int64_t[4]){4, 4, 2, 2})};
    Node *node = node_new(b->graph, OP_Conv, "side", inputs, 2, &side, 1);
    node_set_ints(node, "pads", pads, 4);
    graph_add_node(b->graph, node);
    Value *pooled = bench_batchnorm(b, bordered_pool(b, x), 4);
    bench_output(b, bench_binary(b, OP_Add, side, pooled));
}

static void build_pool_alone(Bench *b)
{
    bench_output(b, bordered_pool(b, bench_image(b, 4, 8)));
}

START_TEST(an_average_behind_a_border_joins_a_sum)
{
    check_composes(build_pool_in_sum, NULL, "C1,C6,C13", 1, 1);
}
END_TEST

START_TEST(an_average_behind_a_border_alone_is_cheaper_as_it_is)
{
    rp_fold_options allow = {.allow_cost = 1};
    check_stays(build_pool_alone, NULL, "cost", "MACs 14 to 64");
    check_composes(build_pool_alone, &allow, "C13", 1, 1);
}
END_TEST

/* The same border, but as an exporter that folds constants stores it. */
static void build_rounded_border(Bench *b)
{
    int64_t dims[4] = {1, 4, 1, 1};
    double gives[4];
    Value *y = conv_bn(b, bench_image(b, 4, 8), (ConvShape){.out = 4});
    const Node *bn = y->producer;
    for (int c = 0; c < 4; c++) {
        double p[4];
        for (int i = 0; i < 4; i++)
            p[i] = (double)((const float *)bn->inputs[1 + i]->tensor->data)[c];
        double epsilon = (double)node_float(bn, "epsilon", 0);
        gives[c] = p[1] - p[2] * p[0] / sqrt(p[3] + epsilon);
    }
    y = bordered(b, y, bench_numbers(b, 4, dims, gives));
    bench_output(b, bench_conv(b, y, (ConvShape){.kernel = 2}));
}

/* The refusal that the last convolution of a built border gets. */
static void check_border_stays(Build *build, const rp_fold_options *options,
                               const char *reason, const char *fact)
{
    Folded folded = fold_model(build, options);
    const rp_refusal *given = NULL;
    for (size_t i = 0; i < folded.report.refusal_count; i++)
        if (strcmp(folded.report.refusals[i].op, "Conv") == 0)
            given = &folded.report.refusals[i];
    ck_assert_ptr_nonnull(given);
    ck_assert_str_eq(given->reason, reason);
    ck_assert_msg(strstr(given->fact, fact) != NULL, "%s", given->fact);
    for (size_t i = 0; i < folded.report.fold_count; i++)
        ck_assert_ptr_null(strstr(folded.report.folds[i].rules, "C13"));
    folded_free(&folded);
}

START_TEST(a_rounded_border_is_refused_and_says_so)
{
    check_border_stays(build_rounded_border, NULL, "border",
                       "as rounded by the exporter");
}
END_TEST

static void build_other_border(Bench *b)
{
    int64_t dims[4] = {1, 4, 1, 1};
    Value *y = bench_conv(b, bench_image(b, 4, 8), (ConvShape){.bias = true});
    y = bordered(b, y, bench_constant(b, 4, dims));
    bench_output(b, bench_conv(b, y, (ConvShape){.kernel = 2}));
}

/* The border of a convolution's bias, of which one number is another. */
static void build_varying_border(Bench *b)
{
    int64_t dims[4] = {1, 4, 8, 1};
    Value *y = bench_conv(b, bench_image(b, 4, 8), (ConvShape){.bias = true});
    Value *parts[2] = {bench_constant(b, 4, dims), y};
    y = bench_concat(b, parts, 2, 3);
    bench_output(b, bench_conv(b, y, (ConvShape){.kernel = 2}));
}

/* A convolution without bias gives zero for zero. */
static Value *zero_border(Bench *b, Value *y)
{
    double zeros[4] = {0, 0, 0, 0};
    int64_t dims[4] = {1, 4, 1, 1};
    return bordered(b, y, bench_numbers(b, 4, dims, zeros));
}

static void build_border_then_padded(Bench *b)
{
    double ones[4] = {1, 1, 1, 1};
    int64_t dims[4] = {1, 4, 1, 1};
    Value *y = bench_conv(b, bench_image(b, 4, 8), (ConvShape){.bias = true});
    Value *bias = y->producer->inputs[2];
    for (int c = 0; c < 4; c++)
        ((float *)bias->tensor->data)[c] = 1;
    y = bordered(b, y, bench_numbers(b, 4, dims, ones));
    bench_output(b, bench_conv(b, y, SAME(3)));
}

static void build_border_read_twice(Bench *b)
{
    Value *y = bench_conv(b, bench_image(b, 4, 8), (ConvShape){0});
    bench_output(b, bench_unary(b, OP_Relu, y));
    y = zero_border(b, y);
    bench_output(b, bench_conv(b, y, (ConvShape){.kernel = 2}));
}

static void build_border_is_costly(Bench *b)
{
    Value *y = bench_conv(b, bench_image(b, 16, 8), (ConvShape){.out = 4});
    y = zero_border(b, y);
    bench_output(b, bench_conv(b, y, (ConvShape){.out = 4, .kernel = 2}));
}

START_TEST(other_borders_stay)
{
    static const struct {
        Build *build;
        const char *reason, *fact;
    } rows[] = {
        {build_other_border, "border", "in channel 0"},
        {build_varying_border, "border", "joined"},
        {build_border_then_padded, "pad-shift", "after a bias"},
        {build_border_read_twice, "multi-use", "joined"},
        {build_border_is_costly, "cost", "MACs"},
    };
    check_border_stays(rows[_i].build, NULL, rows[_i].reason, rows[_i].fact);
}
END_TEST

START_TEST(a_border_can_be_left_by_option)
{
    rp_fold_options options = {.skip = "C13", .allow_cost = 1};
    check_border_stays(build_border, &options, "disabled", "");
}
END_TEST

/* What lies inside must be the same in the same places: not mirrored. */
static void build_mirrored(Bench *b)
{
    int64_t last[1] = {-1}, end[1] = {-100}, axis[1] = {3}, step[1] = {-1};
    Value *y = bench_conv(b, bench_image(b, 4, 8), (ConvShape){0});
    Value *inputs[5] = {y, bench_ints(b, 1, last), bench_ints(b, 1, end),
                        bench_ints(b, 1, axis), bench_ints(b, 1, step)};
    y = zero_border(b, bench_node(b, OP_Slice, inputs, 5));
    bench_output(b, bench_conv(b, y, (ConvShape){.kernel = 2}));
}

START_TEST(a_mirror_is_no_border)
{
    Folded folded = fold_model(build_mirrored, NULL);
    ck_assert_uint_eq(folded.report.fold_count, 0);
    folded_free(&folded);
}
END_TEST

/* ---- C16 ---- */

static const rp_fold_options norms = {.enable = "C16"};

static Value *bench_norm(Bench *b, Value *x, bool rms)
{
    const int64_t *dims = x->fact.dims + x->fact.rank - 1;
    Value *inputs[3] = {x, bench_constant(b, 1, dims), NULL};
    if (!rms)
        inputs[2] = bench_constant(b, 1, dims);
    b->model->opset = rms ? 23 : 17;
    return bench_node(b, rms ? OP_RMSNormalization : OP_LayerNormalization,
                      inputs, rms ? 2 : 3);
}

static Value *bench_matmul(Bench *b, Value *x, int64_t out)
{
    int64_t dims[2] = {x->fact.dims[x->fact.rank - 1], out};
    return bench_binary(b, OP_MatMul, x, bench_constant(b, 2, dims));
}

static Value *bench_tokens(Bench *b)
{
    int64_t dims[3] = {2, 3, 6};
    return bench_input(b, 3, dims);
}

static void build_layer_norm(Bench *b)
{
    int64_t four[1] = {4};
    Value *y = bench_norm(b, bench_tokens(b), false);
    bench_output(b, bench_matmul(b, y, 5));
    bench_output(b, bench_binary(b, OP_Add, bench_matmul(b, y, 4),
                                 bench_constant(b, 1, four)));
}

static void build_rms_norm(Bench *b)
{
    Value *y = bench_norm(b, bench_tokens(b), true);
    bench_output(b, bench_matmul(b, y, 5));
}

static void check_norm(Build *build, Op op, size_t nodes)
{
    Folded folded = fold_model(build, &norms);
    ck_assert_double_lt(folded.difference, 1e-13);
    ck_assert_uint_eq(folded.report.fold_count, 1);
    ck_assert_str_eq(folded.report.folds[0].rules, "C16");
    ck_assert_uint_eq(folded.after->graph->node_count, nodes);
    const Node *norm = only_node(&folded, op);
    ck_assert_int_eq(norm->input_count, 2);
    double ones[6];
    tensor_read_f64(norm->inputs[1]->tensor, 0, 6, ones);
    for (int i = 0; i < 6; i++)
        ck_assert_double_eq(ones[i], 1);
    folded_free(&folded);
    folded = fold_model(build, NULL);
    ck_assert_uint_eq(folded.report.fold_count, 0);
    folded_free(&folded);
}

START_TEST(scale_and_bias_of_a_normalization_go_forward)
{
    check_norm(build_layer_norm, OP_LayerNormalization, 5);
    check_norm(build_rms_norm, OP_RMSNormalization, 2);
}
END_TEST

static void build_norm_residual(Bench *b)
{
    Value *y = bench_norm(b, bench_tokens(b), false);
    bench_output(b, bench_binary(b, OP_Add, y, bench_matmul(b, y, 6)));
}

static void build_norm_output(Bench *b)
{
    build_layer_norm(b);
    bench_output(b, b->graph->nodes[0]->outputs[0]);
}

static void build_norm_dynamic(Bench *b)
{
    int64_t six[1] = {6};
    Value *inputs[2] = {bench_tokens(b), bench_input(b, 1, six)};
    Value *y = bench_node(b, OP_LayerNormalization, inputs, 2);
    bench_output(b, bench_matmul(b, y, 5));
}

static void build_norm_two_axes(Bench *b)
{
    int64_t dims[2] = {3, 6};
    Value *inputs[2] = {bench_tokens(b), bench_constant(b, 2, dims)};
    Value *y = bench_node(b, OP_LayerNormalization, inputs, 2);
    node_set_int(y->producer, "axis", 1);
    bench_output(b, bench_matmul(b, y, 5));
}

START_TEST(normalizations_that_others_read_keep_their_scale)
{
    check_stays(build_norm_output, &norms, "graph-output", "");
    check_stays(build_norm_dynamic, &norms, "dynamic-weight", "x");
    check_stays(build_norm_two_axes, &norms, "wrong-axis", "w");
    Folded folded = fold_model(build_norm_residual, &norms);
    ck_assert_uint_eq(folded.report.fold_count, 0);
    folded_free(&folded);
}
END_TEST

/* ---- C19 ---- */

static const rp_fold_options stack = {.enable = "C19"};

static void join_two(Bench *b, ConvShape first, ConvShape second)
{
    Value *x = bench_image(b, 4, 7);
    Value *parts[2] = {bench_conv(b, x, first), bench_conv(b, x, second)};
    bench_output(b, bench_concat(b, parts, 2, 1));
}

static void build_joined(Bench *b)
{
    join_two(b, (ConvShape){.out = 3, .kernel = 3, .pad = 1, .stride = 2},
             (ConvShape){.out = 5, .kernel = 3, .pad = 1, .stride = 2,
                         .bias = true});
}

START_TEST(joined_convolutions_are_one)
{
    check_composes(build_joined, &stack, "C19", 1, 1);
    Folded folded = fold_model(build_joined, NULL);
    ck_assert_uint_eq(folded.report.fold_count, 0);
    folded_free(&folded);
}
END_TEST

static void build_joined_groups(Bench *b)
{
    join_two(b, (ConvShape){.group = 2}, (ConvShape){.group = 2});
}

static void build_joined_kernels(Bench *b)
{
    join_two(b, SAME(1), SAME(3));
}

static void build_joined_read(Bench *b)
{
    join_two(b, SAME(3), SAME(3));
    Value *first = b->graph->nodes[0]->outputs[0];
    bench_output(b, bench_unary(b, OP_Relu, first));
}

START_TEST(convolutions_that_differ_are_not_joined)
{
    check_stays(build_joined_groups, &stack, "groups", "conv");
    check_stays(build_joined_kernels, &stack, "slack-differs", "conv");
    check_stays(build_joined_read, &stack, "multi-use", "conv");
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
    tcase_add_loop_test(tcase,
                        compositions_that_are_not_exact_or_not_cheap_stay, 0,
                        7);
    tcase_add_test(tcase, what_regrouping_would_blow_up_is_refused);
    tcase_add_test(tcase, who_reads_the_shape_between_keeps_both);
    tcase_add_test(tcase, a_border_of_what_zero_gives_becomes_padding);
    tcase_add_test(tcase, a_border_may_be_scattered_over_padding);
    tcase_add_test(tcase, an_average_behind_a_border_joins_a_sum);
    tcase_add_test(tcase,
                   an_average_behind_a_border_alone_is_cheaper_as_it_is);
    tcase_add_test(tcase, a_transposed_operand_is_no_row);
    tcase_add_test(tcase, a_rounded_border_is_refused_and_says_so);
    tcase_add_loop_test(tcase, other_borders_stay, 0, 5);
    tcase_add_test(tcase, a_border_can_be_left_by_option);
    tcase_add_test(tcase, a_mirror_is_no_border);
    tcase_add_test(tcase, scale_and_bias_of_a_normalization_go_forward);
    tcase_add_test(tcase, normalizations_that_others_read_keep_their_scale);
    tcase_add_test(tcase, joined_convolutions_are_one);
    tcase_add_test(tcase, convolutions_that_differ_are_not_joined);
    suite_add_tcase(suite, tcase);
    return suite;
}
