/* What is read as an affine map along the channels, and what only looks so. */
#include <string.h>

#include "composing.h"
#include "suites.h"

/* Folds without running: some of these cannot be run. */
static void check_reason(Build *build, const char *op, const char *reason)
{
    static const rp_fold_options defaults;
    Arena *arena = arena_new(0);
    Model *model = build_model(arena, build, false);
    FoldReport report = {0};
    Err err = {0};
    ck_assert_int_eq(model_fold(model, &defaults, &report, &err), 0);
    ck_assert_uint_eq(report.fold_count, 0);
    bool given = false;
    for (size_t i = 0; i < report.refusal_count; i++)
        given |= strcmp(report.refusals[i].op, op) == 0 &&
                 strcmp(report.refusals[i].reason, reason) == 0;
    ck_assert_msg(given == (reason[0] != '\0'), "%s %s", op, reason);
    arena_free(arena);
}

/* A value of which nothing is known. */
static Value *mystery(Bench *b, Value *x)
{
    Value *y = graph_fresh_value(b->graph, "y");
    Node *node = node_new(b->graph, OP_OTHER, "mystery", &x, 1, &y, 1);
    node->op_type = "Mystery";
    node->domain = "local";
    graph_add_node(b->graph, node);
    return y;
}

/* ---- Normalizations ---- */

static Node *norm_behind_conv(Bench *b)
{
    build_conv_bn(b);
    return b->graph->nodes[1];
}

static void build_no_spread(Bench *b)
{
    Node *norm = norm_behind_conv(b);
    node_set_float(norm, "epsilon", 0);
    ((float *)norm->inputs[4]->tensor->data)[3] = 0;
}

/* One number is not one for each channel here. */
static void build_short_mean(Bench *b)
{
    const int64_t one[1] = {1};
    Value *y = bench_batchnorm(b, mystery(b, bench_image(b, 3, 5)), 3);
    y->producer->inputs[3] = bench_constant(b, 1, one);
    bench_output(b, y);
}

static void side_output(Bench *b, bool read)
{
    Node *norm = norm_behind_conv(b);
    Value *outputs[2] = {norm->outputs[0], graph_fresh_value(b->graph, "mean")};
    Node *two =
        node_new(b->graph, norm->op, norm->name, norm->inputs, 5, outputs, 2);
    graph_replace_node(b->graph, norm, &two, 1);
    if (read)
        bench_output(b, bench_unary(b, OP_Relu, outputs[1]));
    else
        bench_output(b, outputs[1]);
}

static void build_side_output(Bench *b)
{
    side_output(b, false);
}

static void build_side_output_read(Bench *b)
{
    side_output(b, true);
}

START_TEST(a_normalization_has_all_its_numbers)
{
    check_reason(build_no_spread, "BatchNormalization", "bad-variance");
    check_reason(build_short_mean, "BatchNormalization", "channels");
    check_reason(build_side_output, "BatchNormalization", "bn-side-output");
    check_reason(build_side_output_read, "BatchNormalization",
                 "bn-side-output");
}
END_TEST

/* ---- Arithmetic ---- */

/* An operator on what a convolution gives and a number for each channel. */
static void operate(Bench *b, Op op, bool number_first)
{
    const double numbers[3] = {1, 2, 4};
    const int64_t dims[3] = {3, 1, 1};
    Value *x = bench_conv(b, bench_image(b, 3, 5), SAME(3));
    Value *number = bench_numbers(b, 3, dims, numbers);
    x = number_first ? bench_binary(b, op, number, x)
                     : bench_binary(b, op, x, number);
    bench_output(b, bench_unary(b, OP_Relu, x));
}

static void build_times(Bench *b)
{
    operate(b, OP_Mul, true);
}

static void build_divided(Bench *b)
{
    operate(b, OP_Div, false);
}

static void build_divisor(Bench *b)
{
    operate(b, OP_Div, true);
}

static void build_less(Bench *b)
{
    operate(b, OP_Sub, false);
}

static void build_lessened(Bench *b)
{
    operate(b, OP_Sub, true);
}

START_TEST(a_number_may_be_on_either_side_but_of_a_fraction)
{
    check_folds(build_times, 1, 1);
    check_folds(build_divided, 1, 1);
    check_folds(build_less, 1, 1);
    check_folds(build_lessened, 1, 1);
    Folded folded = fold_model(build_divisor, NULL);
    ck_assert_uint_eq(folded.report.fold_count, 0);
    folded_free(&folded);
}
END_TEST

/* The number over x is not x over the number. */
static void fraction(Bench *b, bool number_first)
{
    double two = 2;
    Value *x = bench_image(b, 3, 5), *number = bench_numbers(b, 0, NULL, &two);
    bench_end(b, OP_Sigmoid,
              number_first ? bench_binary(b, OP_Div, number, x)
                           : bench_binary(b, OP_Div, x, number));
}

static void build_number_over(Bench *b)
{
    fraction(b, true);
}

static void build_over_number(Bench *b)
{
    fraction(b, false);
}

static void build_half(Bench *b)
{
    double half = 0.5;
    bench_end(b, OP_Sigmoid,
              bench_binary(b, OP_Mul, bench_image(b, 3, 5),
                           bench_numbers(b, 0, NULL, &half)));
}

START_TEST(a_fraction_is_certified_by_its_denominator)
{
    check_certified("x / 2", build_over_number, build_half, true);
    check_certified("2 / x", build_number_over, build_half, false);
}
END_TEST

/* ---- Where the numbers lie ---- */

static void build_unknown_rank(Bench *b)
{
    Value *x = mystery(b, bench_image(b, 3, 5));
    bench_output(b, bench_binary(b, OP_Add, x, bench_channel_scale(b, 3)));
}

/* Of opset 6 the first axis of the numbers is the one that is named, here that
 * of the channels; from the right it would be that of the columns, of which
 * there are as many. */
static void build_named_axis(Bench *b)
{
    const int64_t four[1] = {4};
    b->model->opset = 6;
    Value *x = bench_conv(b, bench_image(b, 4, 4), SAME(3));
    Value *inputs[2] = {x, bench_constant(b, 1, four)};
    Value *y = graph_fresh_value(b->graph, "y");
    Node *node = node_new(b->graph, OP_Mul, "mul", inputs, 2, &y, 1);
    node_set_int(node, "broadcast", 1);
    node_set_int(node, "axis", 1);
    bench_add(b, node);
    bench_output(b, bench_unary(b, OP_Relu, y));
}

START_TEST(numbers_lie_where_the_opset_says)
{
    check_reason(build_unknown_rank, "Add", "shape-unknown");
    check_reason(build_named_axis, "Mul", "broadcast");
}
END_TEST

Suite *suite_site_affine(void)
{
    Suite *suite = suite_create("site_affine");
    TCase *tcase = tcase_create("site_affine");
    tcase_add_test(tcase, a_normalization_has_all_its_numbers);
    tcase_add_test(tcase, a_number_may_be_on_either_side_but_of_a_fraction);
    tcase_add_test(tcase, a_fraction_is_certified_by_its_denominator);
    tcase_add_test(tcase, numbers_lie_where_the_opset_says);
    suite_add_tcase(suite, tcase);
    return suite;
}
