/* What is left alone, and why; and the options that leave more alone. */
#include <string.h>

#include "blocks.h"
#include "suites.h"

/* The convolution's result is read inside the If: it cannot be scaled. */
static void build_captured(Bench *b)
{
    Value *x = bench_conv(b, bench_image(b, 2, 5), SAME(3));
    bench_output(b, bench_batchnorm(b, x, 2));
    Value *condition = sometimes(b);
    Value *y = graph_fresh_value(b->graph, "y");
    Node *node = node_new(b->graph, OP_If, "if", &condition, 1, &y, 1);
    node->attrs = arena_array(b->arena, 2, sizeof *node->attrs);
    node->attr_count = 2;
    for (int i = 0; i < 2; i++) {
        Graph *body = graph_new(b->model, b->graph);
        Value *inner = graph_read_value(body, x->name);
        Value *out = graph_fresh_value(body, "out");
        graph_add_node(body, node_new(body, OP_Relu, "r", &inner, 1, &out, 1));
        graph_add_output(body, out);
        node->attrs[i] = (Attr){.name = i ? "else_branch" : "then_branch",
                                .type = ATTR_GRAPH,
                                .graph = body};
    }
    graph_add_node(b->graph, node);
    bench_output(b, y);
}

static void build_multi_use(Bench *b)
{
    Value *y = bench_conv(b, bench_image(b, 2, 5), SAME(3));
    bench_output(b, bench_batchnorm(b, y, 2));
    bench_output(b, bench_unary(b, OP_Relu, y));
}

static void build_graph_output(Bench *b)
{
    Value *y = bench_conv(b, bench_image(b, 2, 5), SAME(3));
    bench_output(b, y);
    bench_output(b, bench_batchnorm(b, y, 2));
}

/* Width equals the number of channels: the trap that OnnxSlim falls into. */
static void build_wrong_axis(Bench *b)
{
    int64_t dims[1] = {5};
    Value *y = bench_conv(b, bench_image(b, 5, 5), SAME(3));
    bench_output(b, bench_binary(b, OP_Mul, y, bench_constant(b, 1, dims)));
}

static void build_broadcast(Bench *b)
{
    Value *y = bench_conv(b, bench_image(b, 3, 5), (ConvShape){.out = 1});
    bench_output(b, bench_binary(b, OP_Mul, y, bench_channel_scale(b, 4)));
}

static void build_training(Bench *b)
{
    build_conv_bn(b);
    Node *bn = b->graph->nodes[1];
    node_set_int(bn, "training_mode", 1);
}

static void build_bad_variance(Bench *b)
{
    build_conv_bn(b);
    Node *bn = b->graph->nodes[1];
    ((float *)bn->inputs[4]->tensor->data)[3] = -1.0f;
}

static void build_dynamic_weight(Bench *b)
{
    int64_t dims[4] = {4, 2, 3, 3};
    Value *weight = bench_input(b, 4, dims);
    Value *y = bench_binary(b, OP_Conv, bench_image(b, 2, 5), weight);
    bench_output(b, bench_batchnorm(b, y, 4));
}

static void build_overridable(Bench *b)
{
    build_conv_bn(b);
    graph_add_input(b->graph, b->graph->nodes[0]->inputs[1]);
}

static void build_stride_differs(Bench *b)
{
    Value *x = bench_image(b, 2, 1);
    Value *other =
        bench_conv(b, x, (ConvShape){.kernel = 3, .pad = 1, .stride = 2});
    bench_output(b, bench_binary(b, OP_Add, bench_conv(b, x, SAME(3)), other));
}

static void build_slack_differs(Bench *b)
{
    int64_t dims[4] = {1, 2, -1, -1};
    Value *x = bench_input(b, 4, dims);
    Value *large =
        bench_conv(b, x, (ConvShape){.kernel = 4, .pad = 1, .stride = 2});
    Value *small = bench_conv(b, x, (ConvShape){.kernel = 1, .stride = 2});
    bench_output(b, bench_binary(b, OP_Add, large, small));
}

static void build_costly(Bench *b)
{
    Value *x = bench_image(b, 8, 5);
    bench_output(b, bench_binary(b, OP_Add, bench_conv(b, x, SAME(1)),
                                 bench_conv(b, x, DW(8, 3))));
}

static void build_nonlinear(Bench *b)
{
    Value *y = bench_conv(b, bench_image(b, 3, 5), SAME(3));
    y = bench_unary(b, OP_Relu, y);
    y = bench_batchnorm(b, y, 3);
    bench_output(b, bench_unary(b, OP_Relu, y));
}

static void build_reflect(Bench *b)
{
    build_pad_conv(b);
    node_set_string(b->graph->nodes[1], "mode", "reflect");
    b->graph->nodes[3]->op = OP_Relu;
    b->graph->nodes[3]->input_count = 1;
}

static void build_pool_exclude(Bench *b)
{
    build_pool_branch(b);
    node_set_int(b->graph->nodes[0], "count_include_pad", 0);
}

/* Weights below 1 in float16, and a normalization that only multiplies them by
 * `scale`: its mean is 0. */
static void build_half(Bench *b, double scale, double variance)
{
    int64_t two[1] = {2};
    double gamma[2] = {scale, scale}, zero[2] = {0, 0};
    double spread[2] = {variance, variance};
    b->type = DT_FLOAT16;
    Value *inputs[5] = {
        bench_conv(b, bench_image(b, 2, 4), SAME(3)),
        bench_numbers(b, 1, two, gamma), bench_numbers(b, 1, two, zero),
        bench_numbers(b, 1, two, zero), bench_numbers(b, 1, two, spread)};
    bench_output(b, bench_node(b, OP_BatchNormalization, inputs, 5));
}

/* 60000 / sqrt(1/16) is 240000. */
static void build_half_overflow(Bench *b)
{
    build_half(b, 60000, 0x1p-4);
}

static void build_half_tiny(Bench *b)
{
    build_half(b, 0x1p-14, 1);
}

static void build_half_plain(Bench *b)
{
    build_half(b, 1.5, 1);
}

START_TEST(float16_stays_and_loses_no_more_than_it_must)
{
    Folded folded = fold_model(build_half_plain, NULL);
    const Node *conv = only_node(&folded, OP_Conv);
    ck_assert_int_eq(conv->inputs[1]->tensor->type, DT_FLOAT16);
    ck_assert_double_lt(folded.difference, 1e-13); /* before rounding */
    ck_assert_uint_eq(folded.report.folds[0].subnormals, 0);
    folded_free(&folded);
    folded = fold_model(build_half_tiny, NULL);
    ck_assert_uint_gt(folded.report.folds[0].subnormals, 20);
    folded_free(&folded);
}
END_TEST

START_TEST(refusals_name_their_reason)
{
    static const struct {
        Build *build;
        const char *reason;
    } rows[] = {
        {build_multi_use, "multi-use"},
        {build_graph_output, "graph-output"},
        {build_captured, "subgraph-capture"},
        {build_wrong_axis, "wrong-axis"},
        {build_broadcast, "broadcast"},
        {build_dynamic_weight, "dynamic-weight"},
        {build_overridable, "overridable-initializer"},
        {build_stride_differs, "stride"},
        {build_slack_differs, "slack-differs"},
        {build_costly, "cost"},
        {build_nonlinear, "nonlinear"},
        {build_pool_exclude, "exclude-pad"},
        {build_half_overflow, "f16-overflow"},
    };
    check_refuses(rows[_i].build, rows[_i].reason);
}
END_TEST

/* These cannot be run to the end in inference terms; only the fold is looked
 * at. */
static void check_untouched(Build *build, const char *reason)
{
    static const rp_fold_options defaults;
    Arena *arena = arena_new(0);
    Model *model = build_model(arena, build, false);
    FoldReport report = {0};
    Err err = {0};
    ck_assert_int_eq(model_fold(model, &defaults, &report, &err), 0);
    ck_assert_uint_eq(report.fold_count, 0);
    ck_assert(!model->graph->changed);
    ck_assert_uint_eq(report.refusal_count, 1);
    ck_assert_str_eq(report.refusals[0].reason, reason);
    arena_free(arena);
}

START_TEST(what_is_not_inference_is_refused)
{
    check_untouched(build_training, "training-mode");
    check_untouched(build_bad_variance, "bad-variance");
    check_untouched(build_reflect, "pad-mode");
}
END_TEST

START_TEST(training_mode_folds_when_inference_is_assumed)
{
    rp_fold_options options = {.assume_inference = 1};
    Arena *arena = arena_new(0);
    Model *model = build_model(arena, build_training, false);
    FoldReport report = {0};
    Err err = {0};
    ck_assert_int_eq(model_fold(model, &options, &report, &err), 0);
    ck_assert_uint_eq(report.fold_count, 1);
    arena_free(arena);
}
END_TEST

/* ---- Options ---- */

START_TEST(only_and_skip_choose_rules)
{
    rp_fold_options only = {.only = "C1"}, skip = {.skip = "C5"};
    Folded folded = fold_model(build_repvgg, &only);
    ck_assert_uint_eq(count_ops(folded.after, OP_Conv), 2);
    ck_assert_uint_eq(count_ops(folded.after, OP_BatchNormalization), 1);
    folded_free(&folded);
    folded = fold_model(build_repvgg, &skip);
    ck_assert_uint_eq(count_ops(folded.after, OP_Conv), 1);
    ck_assert_uint_eq(count_ops(folded.after, OP_BatchNormalization), 1);
    ck_assert_double_lt(folded.difference, 1e-13);
    folded_free(&folded);
}
END_TEST

START_TEST(unknown_rule_is_an_error)
{
    rp_fold_options options = {.only = "C1,C99"};
    Arena *arena = arena_new(0);
    Model *model = model_new(arena);
    model->graph = graph_new(model, NULL);
    FoldReport report = {0};
    Err err = {0};
    ck_assert_int_eq(model_fold(model, &options, &report, &err), -1);
    ck_assert_int_eq(err.code, ERR_USAGE);
    ck_assert(strstr(err.message, "C99") != NULL);
    arena_free(arena);
}
END_TEST

START_TEST(stop_after_counts_folds)
{
    rp_fold_options options = {.stop_after = 1};
    Folded folded = fold_model(build_shared_weight, &options);
    ck_assert_uint_eq(folded.report.fold_count, 1);
    ck_assert_uint_eq(count_ops(folded.after, OP_BatchNormalization), 1);
    folded_free(&folded);
}
END_TEST

START_TEST(a_fold_can_be_left_out_by_its_output)
{
    Folded all = fold_model(build_shared_weight, NULL);
    const char *undo[1] = {all.report.folds[0].output};
    rp_fold_options options = {.undo = undo, .undo_count = 1};
    Folded folded = fold_model(build_shared_weight, &options);
    ck_assert_uint_eq(folded.report.fold_count, all.report.fold_count - 1);
    ck_assert_str_eq(folded.report.folds[0].output, all.report.folds[1].output);
    ck_assert_str_eq(folded.report.refusals[0].reason, "certificate");
    folded_free(&folded);
    folded_free(&all);
}
END_TEST

START_TEST(cost_can_be_allowed)
{
    rp_fold_options options = {.allow_cost = 1};
    Folded folded = fold_model(build_costly, &options);
    ck_assert_uint_eq(count_ops(folded.after, OP_Conv), 1);
    ck_assert_double_lt(folded.difference, 1e-13);
    folded_free(&folded);
}
END_TEST

Suite *suite_refusal(void)
{
    Suite *suite = suite_create("refusal");
    TCase *tcase = tcase_create("refusal");
    tcase_add_test(tcase, float16_stays_and_loses_no_more_than_it_must);
    tcase_add_loop_test(tcase, refusals_name_their_reason, 0, 13);
    tcase_add_test(tcase, what_is_not_inference_is_refused);
    tcase_add_test(tcase, training_mode_folds_when_inference_is_assumed);
    tcase_add_test(tcase, only_and_skip_choose_rules);
    tcase_add_test(tcase, unknown_rule_is_an_error);
    tcase_add_test(tcase, stop_after_counts_folds);
    tcase_add_test(tcase, a_fold_can_be_left_out_by_its_output);
    tcase_add_test(tcase, cost_can_be_allowed);
    suite_add_tcase(suite, tcase);
    return suite;
}
