/* The scale and the bias of a normalization go into what reads it (C16). */
#include <math.h>

#include "composing.h"
#include "suites.h"

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

/* Numbers that overflow in what reads them, or are none. */
static void build_norm_not_finite(Bench *b, int slot)
{
    Value *y = bench_norm(b, bench_tokens(b), false);
    ((float *)y->producer->inputs[slot]->tensor->data)[2] = NAN;
    bench_output(b, bench_matmul(b, y, 5));
}

static void build_norm_without_scale(Bench *b)
{
    build_norm_not_finite(b, 1);
}

static void build_norm_without_shift(Bench *b)
{
    build_norm_not_finite(b, 2);
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

/* Its last axis by its number, ones, and what is left to fold of that. */
static void norm_of_ones(Bench *b, double scale, double shift)
{
    const int64_t six[1] = {6};
    double scales[6], shifts[6];
    for (int i = 0; i < 6; i++) {
        scales[i] = scale;
        shifts[i] = shift;
    }
    Value *inputs[3] = {bench_tokens(b), bench_numbers(b, 1, six, scales),
                        bench_numbers(b, 1, six, shifts)};
    Value *y = bench_node(b, OP_LayerNormalization, inputs, 3);
    node_set_int(y->producer, "axis", 2);
    bench_output(b, bench_matmul(b, y, 5));
}

static void build_only_a_shift(Bench *b)
{
    norm_of_ones(b, 1, 2);
}

static void build_only_a_scale(Bench *b)
{
    norm_of_ones(b, 2, 0);
}

static void build_plain(Bench *b)
{
    norm_of_ones(b, 1, 0);
}

START_TEST(either_of_scale_and_shift_is_enough)
{
    Folded folded = fold_model(build_only_a_shift, &norms);
    ck_assert_double_lt(folded.difference, 1e-12);
    ck_assert_uint_eq(folded.report.fold_count, 1);
    folded_free(&folded);
    folded = fold_model(build_only_a_scale, &norms);
    ck_assert_double_lt(folded.difference, 1e-12);
    ck_assert_uint_eq(folded.report.fold_count, 1);
    folded_free(&folded);
    folded = fold_model(build_plain, &norms);
    ck_assert_uint_eq(folded.report.fold_count, 0);
    folded_free(&folded);
}
END_TEST

/* Nothing of it is run: it gives no numbers. */
static void check_not_finite(Build *build)
{
    Arena *arena = arena_new(0);
    Model *model = build_model(arena, build, false);
    FoldReport report = {0};
    Err err = {0};
    ck_assert_int_eq(model_fold(model, &norms, &report, &err), 0);
    ck_assert_uint_eq(report.fold_count, 0);
    ck_assert_str_eq(report.refusals[0].reason, "not-finite");
    arena_free(arena);
}

START_TEST(numbers_that_are_none_stay)
{
    check_not_finite(build_norm_without_scale);
    check_not_finite(build_norm_without_shift);
}
END_TEST

Suite *suite_rule_norm(void)
{
    Suite *suite = suite_create("rule_norm");
    TCase *tcase = tcase_create("rule_norm");
    tcase_add_test(tcase, scale_and_bias_of_a_normalization_go_forward);
    tcase_add_test(tcase, normalizations_that_others_read_keep_their_scale);
    tcase_add_test(tcase, either_of_scale_and_shift_is_enough);
    tcase_add_test(tcase, numbers_that_are_none_stay);
    suite_add_tcase(suite, tcase);
    return suite;
}
