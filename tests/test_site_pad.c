/* Zeros that a Pad puts in front of a convolution, and what else a Pad puts
 * there, which the convolution must not take for zeros of its own. */
#include <string.h>

#include "composing.h"
#include "suites.h"

typedef struct Padding {
    const char *mode;
    double value;
    int64_t amounts[8];
    const int64_t *axes; /* of as many amounts, to begin with and to end with */
    int axis_count;
    bool dynamic_axes, dynamic_amounts;
    const char *reason; /* NULL where it is taken */
} Padding;

static const int64_t rows_columns[2] = {2, 3}, from_the_end[2] = {-1, -2};
static const int64_t all[4] = {0, 1, 2, 3};

static const Padding rows[] = {
    {.amounts = {0, 0, 1, 2, 0, 0, 3, 0}},
    {.mode = "constant", .amounts = {0, 0, 1, 1, 0, 0, 1, 1}},
    {.amounts = {1, 2, 3, 0}, .axes = rows_columns, .axis_count = 2},
    {.amounts = {2, 1, 0, 3}, .axes = from_the_end, .axis_count = 2},
    {.mode = "edge", .amounts = {0, 0, 1, 1, 0, 0, 1, 1}, .reason = "pad-mode"},
    {.value = 1, .amounts = {0, 0, 1, 1, 0, 0, 1, 1}, .reason = "pad-mode"},
    {.amounts = {0, 0, -1, 1, 0, 0, 1, 1}, .reason = "pad-mode"},
    {.amounts = {0, 0, 1, 1, 0, 0, 1, -1}, .reason = "pad-mode"},
    {.amounts = {0, 1, 1, 1, 0, 0, 1, 1}, .reason = "pad-mode"},
    {.amounts = {0, 0, 1, 1, 0, 1, 1, 1}, .reason = "pad-mode"},
    {.amounts = {1, 0, 1, 1, 0, 0, 1, 1}, .reason = "pad-mode"},
    {.amounts = {0, 0, 1, 1, 0, 0, 1, 1},
     .dynamic_amounts = true,
     .reason = "dynamic-weight"},
    {.amounts = {0, 0, 1, 1, 0, 0, 1, 1},
     .axes = all,
     .axis_count = 4,
     .dynamic_axes = true,
     .reason = "dynamic-weight"},
};
static const Padding *row;

static Value *ints(Bench *b, int64_t count, const int64_t *numbers,
                   bool dynamic)
{
    if (!dynamic)
        return bench_ints(b, count, numbers);
    Value *value = bench_input(b, 1, &count);
    value->fact.type = DT_INT64;
    return value;
}

static Value *padded(Bench *b, Value *x)
{
    b->model->opset = 19;
    int64_t count = row->axes ? 2 * row->axis_count : 8;
    Value *inputs[4] = {
        x, ints(b, count, row->amounts, row->dynamic_amounts),
        bench_numbers(b, 0, NULL, &row->value),
        row->axes ? ints(b, row->axis_count, row->axes, row->dynamic_axes)
                  : NULL};
    Value *y = graph_fresh_value(b->graph, "padded");
    Node *node =
        node_new(b->graph, OP_Pad, "pad", inputs, row->axes ? 4 : 3, &y, 1);
    if (row->mode)
        node_set_string(node, "mode", row->mode);
    bench_add(b, node);
    return y;
}

static void build_padded(Bench *b)
{
    int64_t more = row->axes ? 0 : row->amounts[1] + row->amounts[5];
    const int64_t dims[4] = {2, 3 + more, 3, 3};
    Value *x = padded(b, bench_image(b, 3, 6));
    bench_end(b, OP_Relu,
              bench_binary(b, OP_Conv, x, bench_constant(b, 4, dims)));
}

/* As if the convolution had taken what is around rows and columns. */
static void build_taken(Bench *b)
{
    const int64_t dims[4] = {2, 3, 3, 3};
    int64_t pads[4] = {0};
    int count = row->axes ? row->axis_count : 4;
    b->model->opset = 19;
    for (int i = 0; i < 2 * count; i++) {
        int64_t axis = row->axes ? row->axes[i % count] : i % count;
        axis += axis < 0 ? 4 : 0;
        if (axis >= 2 && row->amounts[i] > 0)
            pads[axis - 2 + i / count * 2] = row->amounts[i];
    }
    Value *y = bench_binary(b, OP_Conv, bench_image(b, 3, 6),
                            bench_constant(b, 4, dims));
    node_set_ints(y->producer, "pads", pads, 4);
    y->fact = FACT_UNKNOWN;
    bench_end(b, OP_Relu, y);
}

START_TEST(only_zeros_around_the_image_are_certified)
{
    row = &rows[_i];
    check_certified(row->reason ? row->reason : "zeros", build_padded,
                    build_taken, !row->reason);
}
END_TEST

static void check_left(void)
{
    static const rp_fold_options defaults;
    Arena *arena = arena_new(0);
    Model *model = build_model(arena, build_padded, false);
    FoldReport report = {0};
    Err err = {0};
    ck_assert_int_eq(model_fold(model, &defaults, &report, &err), 0);
    ck_assert_uint_eq(report.fold_count, 0);
    ck_assert_uint_eq(report.refusal_count, 1);
    ck_assert_str_eq(report.refusals[0].op, "Pad");
    ck_assert_str_eq(report.refusals[0].reason, row->reason);
    arena_free(arena);
}

START_TEST(only_zeros_around_the_image_are_taken)
{
    row = &rows[_i];
    if (row->reason)
        check_left();
    else
        check_folds(build_padded, 1, 1);
}
END_TEST

/* ---- Before opset 11 ---- */

static void early(Bench *b, double value)
{
    const int64_t pads[8] = {0, 0, 1, 1, 0, 0, 1, 1};
    b->model->opset = 10;
    Value *x = bench_image(b, 3, 6), *y = graph_fresh_value(b->graph, "padded");
    Node *node = node_new(b->graph, OP_Pad, "pad", &x, 1, &y, 1);
    node_set_ints(node, "pads", pads, 8);
    node_set_float(node, "value", (float)value);
    bench_add(b, node);
    y = bench_conv(b, y, (ConvShape){.kernel = 3});
    bench_output(b, bench_unary(b, OP_Relu, y));
}

static void build_early_zeros(Bench *b)
{
    early(b, 0);
}

static void build_early_ones(Bench *b)
{
    early(b, 1);
}

START_TEST(attributes_say_so_up_to_opset_10)
{
    check_folds(build_early_zeros, 1, 1);
    check_refuses(build_early_ones, "pad-mode");
}
END_TEST

/* ---- Who takes them ---- */

static void build_transposed(Bench *b)
{
    const int64_t dims[4] = {3, 2, 3, 3}, pads[8] = {0, 0, 1, 1, 0, 0, 1, 1};
    Value *x = bench_image(b, 3, 6);
    x = bench_binary(b, OP_Pad, x, bench_ints(b, 8, pads));
    x = bench_binary(b, OP_ConvTranspose, x, bench_constant(b, 4, dims));
    bench_output(b, bench_batchnorm(b, x, 2));
}

/* Pads that follow from a size that nobody knows are others afterwards. */
static void build_same(Bench *b)
{
    const int64_t dims[4] = {1, 3, -1, -1}, pads[8] = {0, 0, 1, 1, 0, 0, 1, 1};
    Value *x = bench_input(b, 4, dims);
    x = bench_binary(b, OP_Pad, x, bench_ints(b, 8, pads));
    x = bench_conv(b, x, (ConvShape){.kernel = 3, .stride = 2});
    node_set_string(x->producer, "auto_pad", "SAME_UPPER");
    bench_output(b, bench_unary(b, OP_Relu, x));
}

START_TEST(only_a_convolution_of_known_pads_takes_them)
{
    check_folds(build_transposed, 0, 2);
    check_refuses(build_same, "same-pad-symbolic");
}
END_TEST

START_TEST(other_rules_go_on_without_them)
{
    const rp_fold_options skip = {.skip = "C18"};
    Folded folded = fold_model(build_pad_conv, &skip);
    ck_assert_uint_eq(folded.report.fold_count, 1);
    ck_assert_str_eq(folded.report.folds[0].rules, "C1");
    ck_assert_uint_eq(count_ops(folded.after, OP_Pad), 1);
    folded_free(&folded);
}
END_TEST

Suite *suite_site_pad(void)
{
    Suite *suite = suite_create("site_pad");
    TCase *tcase = tcase_create("site_pad");
    tcase_add_loop_test(tcase, only_zeros_around_the_image_are_taken, 0,
                        sizeof rows / sizeof *rows);
    tcase_add_loop_test(tcase, only_zeros_around_the_image_are_certified, 0,
                        sizeof rows / sizeof *rows);
    tcase_add_test(tcase, attributes_say_so_up_to_opset_10);
    tcase_add_test(tcase, only_a_convolution_of_known_pads_takes_them);
    tcase_add_test(tcase, other_rules_go_on_without_them);
    suite_add_tcase(suite, tcase);
    return suite;
}
