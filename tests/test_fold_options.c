/* Options that leave more alone, or less; and what is reported of float16. */
#include <string.h>

#include "blocks.h"
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
    suite_add_tcase(suite, tcase);
    return suite;
}
