/* Options that leave more alone, or less; and what is reported of float16. */
#include <stdio.h>
#include <string.h>

#include "composing.h"
#include "suites.h"

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

/* ---- What a fold may cost ---- */

static Value *shifted(Bench *b, Value *x)
{
    return bench_binary(b, OP_Add, x, bench_constant(b, 0, NULL));
}

static void build_one_shift(Bench *b)
{
    Value *x = bench_image(b, 2, 6);
    bench_output(
        b, shifted(b, bench_conv(b, x, (ConvShape){.out = 8, .kernel = 3})));
}

static void build_shifted_product(Bench *b)
{
    int64_t dims[3] = {1, 3, 4}, weight[2] = {4, 6};
    Value *x = bench_input(b, 3, dims);
    bench_output(b, shifted(b, bench_binary(b, OP_MatMul, x,
                                            bench_constant(b, 2, weight))));
}

/* One number becomes a bias of eight where a node goes; where none goes, as
 * MatMul has no bias of its own, it stays one number. */
START_TEST(a_bias_is_added_for_a_node)
{
    Folded folded = fold_exactly(build_one_shift);
    const rp_fold_record *fold = &folded.report.folds[0];
    ck_assert_uint_eq(folded.report.fold_count, 1);
    ck_assert_uint_eq(folded.after->graph->node_count, 1);
    ck_assert_uint_eq(fold->parameters_before, 8 * 2 * 9 + 1);
    ck_assert_uint_eq(fold->parameters_after, 8 * 2 * 9 + 8);
    ck_assert_double_eq(fold->macs_after, fold->macs_before);
    folded_free(&folded);
    folded = fold_exactly(build_shifted_product);
    ck_assert_uint_eq(folded.report.fold_count, 0);
    folded_free(&folded);
}
END_TEST

/* A layer scale in bfloat16, which reaches as far as float32. */
static void build_brain(Bench *b, double scale)
{
    int64_t dims[3] = {2, 1, 1};
    double numbers[2] = {scale, scale};
    b->type = DT_BFLOAT16;
    Value *y = bench_conv(b, bench_image(b, 2, 4), SAME(3));
    y = bench_binary(b, OP_Mul, y, bench_numbers(b, 3, dims, numbers));
    bench_output(
        b, bench_binary(b, OP_Mul, y, bench_numbers(b, 3, dims, numbers)));
}

static void build_brain_plain(Bench *b)
{
    build_brain(b, 1.5);
}

static void build_brain_tiny(Bench *b)
{
    build_brain(b, 0x1p-65);
}

static void build_brain_overflow(Bench *b)
{
    build_brain(b, 0x1p70);
}

START_TEST(bfloat16_stays_and_overflows_later)
{
    Folded folded = fold_model(build_brain_plain, NULL);
    const Node *conv = only_node(&folded, OP_Conv);
    ck_assert_int_eq(conv->inputs[1]->tensor->type, DT_BFLOAT16);
    ck_assert_uint_eq(folded.after->graph->node_count, 1);
    ck_assert_double_lt(folded.difference, 1e-13); /* before rounding */
    folded_free(&folded);
    folded = fold_model(build_brain_tiny, NULL);
    ck_assert_uint_gt(folded.report.folds[0].subnormals, 20);
    folded_free(&folded);
    folded = fold_model(build_brain_overflow, NULL);
    ck_assert_uint_eq(count_ops(folded.after, OP_Mul), 1);
    ck_assert_str_eq(folded.report.refusals[0].reason, "f16-overflow");
    folded_free(&folded);
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

/* BatchNormalization behind Relu, then Dropout, both in training mode; the
 * normalization is read twice, so nothing takes it. */
static void build_left_training(Bench *b)
{
    Value *x = bench_unary(b, OP_Relu, bench_image(b, 2, 4));
    Value *y = bench_batchnorm(b, x, 2);
    node_set_int(y->producer, "training_mode", 1);
    bench_output(b, y);
    bench_output(b,
                 bench_node(b, OP_Dropout, (Value *[]){y, NULL, always(b)}, 3));
}

/* A runtime would normalize by the batch and drop at random. */
START_TEST(what_is_left_in_training_mode_is_written_as_inference)
{
    for (int assumed = 0; assumed < 2; assumed++) {
        rp_fold_options options = {.assume_inference = assumed};
        Arena *arena = arena_new(0);
        Model *model = build_model(arena, build_left_training, false);
        FoldReport report = {0};
        Err err = {0};
        ck_assert_int_eq(model_fold(model, &options, &report, &err), 0);
        ck_assert_uint_eq(report.fold_count, 0);
        ck_assert_uint_eq(count_ops(model, OP_BatchNormalization), 1);
        ck_assert_uint_eq(count_ops(model, OP_Dropout), 1);
        for (size_t i = 0; i < model->graph->node_count; i++) {
            const Node *node = model->graph->nodes[i];
            ck_assert_int_eq(node_attr(node, "training_mode") != NULL,
                             !assumed && node->op == OP_BatchNormalization);
            ck_assert_int_eq(node_input(node, 2) != NULL,
                             node->op == OP_BatchNormalization ||
                                 (!assumed && node->op == OP_Dropout));
        }
        arena_free(arena);
    }
}
END_TEST

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

/* ---- Leaving out ---- */

static Value *mapped(Bench *b)
{
    Value *x = bench_unary(b, OP_Relu, bench_image(b, 4, 6));
    return bench_batchnorm(b, x, 4);
}

static void build_forward(Bench *b)
{
    bench_output(b, bench_conv(b, mapped(b), (ConvShape){.out = 3}));
}

static void build_through_relu(Bench *b)
{
    double two = 2;
    Value *x = bench_unary(b, OP_Sigmoid, bench_image(b, 4, 6));
    x = bench_binary(b, OP_Mul, x, bench_numbers(b, 0, NULL, &two));
    x = bench_unary(b, OP_Relu, x);
    bench_output(b, bench_conv(b, x, (ConvShape){.out = 3}));
}

static void build_idle_pad(Bench *b)
{
    const int64_t pads[8] = {0};
    Value *x = bench_image(b, 4, 6);
    x = bench_binary(b, OP_Pad, x, bench_ints(b, 8, pads));
    bench_output(b, bench_unary(b, OP_Relu, x));
}

static void build_padded_average(Bench *b)
{
    const int64_t pads[8] = {0, 0, 1, 1, 0, 0, 1, 1}, taps[2] = {2, 2};
    Value *x = bench_image(b, 4, 6), *y = graph_fresh_value(b->graph, "pool");
    x = bench_binary(b, OP_Pad, x, bench_ints(b, 8, pads));
    Node *node = node_new(b->graph, OP_AveragePool, "pool", &x, 1, &y, 1);
    node_set_ints(node, "kernel_shape", taps, 2);
    bench_add(b, node);
    bench_output(b, y);
}

/* Around the 3 that is added there is as much. */
static void build_padded_shift(Bench *b)
{
    const int64_t pads[8] = {0, 0, 1, 1, 0, 0, 1, 1};
    double by = 3;
    Value *x = bench_unary(b, OP_Relu, bench_image(b, 4, 6));
    Value *inputs[3] = {
        bench_binary(b, OP_Add, x, bench_numbers(b, 0, NULL, &by)),
        bench_ints(b, 8, pads), bench_numbers(b, 0, NULL, &by)};
    x = bench_node(b, OP_Pad, inputs, 3);
    bench_output(b, bench_conv(b, x, (ConvShape){.kernel = 3}));
}

/* The same around what a convolution gives. */
static void build_padded_bias(Bench *b)
{
    const int64_t pads[8] = {0, 0, 1, 1, 0, 0, 1, 1};
    double by = 3;
    Value *x = bench_conv(b, bench_image(b, 4, 6), (ConvShape){.bias = true});
    for (int i = 0; i < 4; i++)
        ((float *)x->producer->inputs[2]->tensor->data)[i] = 3;
    Value *inputs[3] = {x, bench_ints(b, 8, pads),
                        bench_numbers(b, 0, NULL, &by)};
    x = bench_node(b, OP_Pad, inputs, 3);
    bench_output(b, bench_conv(b, x, (ConvShape){.out = 4, .kernel = 3}));
}

static void build_two_in_a_row(Bench *b)
{
    Value *x = bench_conv(b, bench_image(b, 4, 6), (ConvShape){.out = 8});
    bench_output(b, bench_conv(b, x, (ConvShape){.out = 4}));
}

static void build_norm(Bench *b)
{
    const int64_t dims[2] = {3, 4}, weight[2] = {4, 5}, size[1] = {4};
    Value *inputs[3] = {bench_input(b, 2, dims), bench_constant(b, 1, size),
                        bench_constant(b, 1, size)};
    Value *x = bench_node(b, OP_LayerNormalization, inputs, 3);
    bench_output(b,
                 bench_binary(b, OP_MatMul, x, bench_constant(b, 2, weight)));
}

static const struct {
    Build *build;
    const char *enable, *rules; /* of one fold */
} leaving[] = {
    {build_conv_bn, NULL, "C1"},          {build_repvgg, NULL, "C1,C4,C5"},
    {build_pool_branch, NULL, "C1,C6"},   {build_pad_conv, NULL, "C1,C18"},
    {build_forward, NULL, "C7"},          {build_through_relu, NULL, "C9,C14"},
    {build_idle_pad, NULL, "C0"},         {build_padded_average, NULL, "C18"},
    {build_padded_shift, NULL, "C7,C13"}, {build_padded_bias, NULL, "C13"},
    {build_two_in_a_row, "C12", "C12"},   {build_norm, "C16", "C16"},
    {build_joined_average, "C19", "C19"},
};
enum { LEAVING = sizeof leaving / sizeof *leaving };

static bool refuses(const Folded *folded, const char *reason)
{
    for (size_t i = 0; i < folded->report.refusal_count; i++)
        if (strcmp(folded->report.refusals[i].reason, reason) == 0)
            return true;
    return false;
}

/* As when its certificate did not hold. */
START_TEST(each_fold_can_be_left_out)
{
    rp_fold_options options = {.enable = leaving[_i].enable};
    Folded all = fold_model(leaving[_i].build, &options);
    bool found = false;
    for (size_t i = 0; i < all.report.fold_count; i++) {
        found |= strcmp(all.report.folds[i].rules, leaving[_i].rules) == 0;
        const char *undo[1] = {all.report.folds[i].output};
        options.undo = undo;
        options.undo_count = 1;
        Folded others = fold_model(leaving[_i].build, &options);
        for (size_t k = 0; k < others.report.fold_count; k++)
            ck_assert_str_ne(others.report.folds[k].output, undo[0]);
        ck_assert(refuses(&others, "certificate"));
        folded_free(&others);
    }
    ck_assert_msg(found, "no fold by %s", leaving[_i].rules);
    folded_free(&all);
}
END_TEST

static bool has_rule(const char *rules, const char *rule, size_t length)
{
    for (; *rules; rules += strcspn(rules, ",") + (strchr(rules, ',') != NULL))
        if (strcspn(rules, ",") == length && strncmp(rules, rule, length) == 0)
            return true;
    return false;
}

START_TEST(each_rule_of_a_fold_can_be_skipped)
{
    const char *rule = leaving[_i].rules;
    for (size_t length; *rule; rule += length + (rule[length] == ',')) {
        length = strcspn(rule, ",");
        char name[8];
        snprintf(name, sizeof name, "%.*s", (int)length, rule);
        rp_fold_options options = {.enable = leaving[_i].enable, .skip = name};
        Folded folded = fold_model(leaving[_i].build, &options);
        for (size_t i = 0; i < folded.report.fold_count; i++)
            ck_assert(!has_rule(folded.report.folds[i].rules, rule, length));
        folded_free(&folded);
    }
}
END_TEST

Suite *suite_fold_options(void)
{
    Suite *suite = suite_create("fold_options");
    TCase *tcase = tcase_create("fold_options");
    tcase_add_test(tcase, a_bias_is_added_for_a_node);
    tcase_add_test(tcase, float16_stays_and_loses_no_more_than_it_must);
    tcase_add_test(tcase, bfloat16_stays_and_overflows_later);
    tcase_add_test(tcase, training_mode_folds_when_inference_is_assumed);
    tcase_add_test(tcase,
                   what_is_left_in_training_mode_is_written_as_inference);
    tcase_add_test(tcase, only_and_skip_choose_rules);
    tcase_add_test(tcase, unknown_rule_is_an_error);
    tcase_add_test(tcase, stop_after_counts_folds);
    tcase_add_test(tcase, a_fold_can_be_left_out_by_its_output);
    tcase_add_test(tcase, cost_can_be_allowed);
    tcase_add_loop_test(tcase, each_fold_can_be_left_out, 0, LEAVING);
    tcase_add_loop_test(tcase, each_rule_of_a_fold_can_be_skipped, 0, LEAVING);
    suite_add_tcase(suite, tcase);
    return suite;
}
