/* Borders that continue the convolution before them. */
#include <math.h>
#include <string.h>

#include "blocks.h"
#include "composing.h"
#include "suites.h"

/* What a normalization gives for zero, computed in the graph. */
static Value *border_of(Bench *b, const Node *bn)
{
    int64_t dims[4] = {1, -1, 1, 1};
    double epsilon[1] = {(double)node_float(bn, "epsilon", 0)};
    Value *spread = bench_binary(b, OP_Add, bn->inputs[4],
                                 bench_numbers(b, 0, NULL, epsilon));
    Value *scale =
        bench_binary(b, OP_Div, bn->inputs[1], bench_unary(b, OP_Sqrt, spread));
    Value *shift = bench_binary(b, OP_Mul, bn->inputs[3], scale);
    shift = bench_binary(b, OP_Sub, bn->inputs[2], shift);
    return bench_binary(b, OP_Reshape, shift, bench_ints(b, 4, dims));
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
    bench_output(
        b,
        bench_conv(b, y, (ConvShape){.kernel = 2, .group = 2, .bias = true}));
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
static void scattered(Bench *b, const char *reduction)
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
    if (reduction)
        node_set_string(y->producer, "reduction", reduction);
    bench_output(b, bench_conv(b, y, (ConvShape){.kernel = 3, .bias = true}));
}

static void build_scattered(Bench *b)
{
    scattered(b, NULL);
}

static void build_scattered_alone(Bench *b)
{
    scattered(b, "none");
}

static void build_scattered_onto(Bench *b)
{
    scattered(b, "mul");
}

static void check_no_border(Build *build)
{
    Folded folded = fold_model(build, NULL);
    ck_assert_uint_eq(folded.report.fold_count, 0);
    folded_free(&folded);
}

START_TEST(a_border_may_be_scattered_over_padding)
{
    check_composes(build_scattered, NULL, "C13", 1, 1);
    check_composes(build_scattered_alone, NULL, "C13", 1, 1);
    check_no_border(build_scattered_onto);
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
    y = bordered(b, y,
                 bench_binary(b, OP_Reshape, bias, bench_ints(b, 4, dims)));
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

static void build_other_border(Bench *b)
{
    int64_t dims[4] = {1, 4, 1, 1};
    Value *y = bench_conv(b, bench_image(b, 4, 8), (ConvShape){.bias = true});
    y = bordered(b, y, bench_constant(b, 4, dims));
    bench_output(b, bench_conv(b, y, (ConvShape){.kernel = 2}));
}

START_TEST(only_a_rounded_border_is_said_to_be_one)
{
    check_border_stays(build_rounded_border, NULL, "border",
                       "as rounded by the exporter");
    Folded folded = fold_model(build_other_border, NULL);
    for (size_t i = 0; i < folded.report.refusal_count; i++)
        ck_assert_ptr_null(strstr(folded.report.refusals[i].fact, "rounded"));
    folded_free(&folded);
}
END_TEST

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

/* Nobody reads the Relu, but it is in the file and stays, and reads y. */
static void build_border_read_by_the_dead(Bench *b)
{
    Value *y = bench_conv(b, bench_image(b, 4, 8), (ConvShape){0});
    bench_unary(b, OP_Relu, y);
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
        {build_border_read_by_the_dead, "multi-use", "joined"},
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

static Value *rows_of(Bench *b, Value *x, int64_t from, int64_t to)
{
    const int64_t axis[1] = {2};
    Value *inputs[4] = {x, bench_ints(b, 1, &from), bench_ints(b, 1, &to),
                        bench_ints(b, 1, axis)};
    return bench_node(b, OP_Slice, inputs, 4);
}

/* Only the second row and the third have changed places. */
static void build_shuffled_rows(Bench *b)
{
    Value *y = bench_conv(b, bench_image(b, 4, 8), (ConvShape){0});
    Value *rows[4] = {rows_of(b, y, 0, 1), rows_of(b, y, 2, 3),
                      rows_of(b, y, 1, 2), rows_of(b, y, 3, 8)};
    y = zero_border(b, bench_concat(b, rows, 4, 2));
    bench_output(b, bench_conv(b, y, (ConvShape){.kernel = 2}));
}

START_TEST(a_mirror_is_no_border)
{
    check_no_border(build_mirrored);
    check_no_border(build_shuffled_rows);
}
END_TEST

/* ---- What is inside ---- */

/* An operator that is given, its bias around what it gives, and a convolution
 * that could take zeros for that. */
static void border_around(Bench *b, Value *y)
{
    const int64_t dims[4] = {1, y->fact.dims[1], 1, 1};
    Value *bias = y->producer->inputs[2];
    y = bordered(b, y,
                 bench_binary(b, OP_Reshape, bias, bench_ints(b, 4, dims)));
    bench_output(b, bench_conv(b, y, (ConvShape){.kernel = 2}));
}

/* Of three taps all but one still reach what is there. */
static void build_wide_inside(Bench *b)
{
    ConvShape shape = {.kernel = 3, .bias = true};
    border_around(b, bench_conv(b, bench_image(b, 4, 8), shape));
}

static void pad_inside(Bench *b, const int64_t *pads)
{
    Value *y = bench_conv(b, bench_image(b, 4, 8), (ConvShape){.bias = true});
    node_set_ints(y->producer, "pads", pads, 4);
    y->fact = FACT_UNKNOWN;
    Err err = {0};
    ck_assert_int_eq(graph_infer(b->graph, &err), 0);
    border_around(b, y);
}

static void build_padded_inside_before(Bench *b)
{
    pad_inside(b, (int64_t[]){1, 1, 0, 0});
}

static void build_padded_inside_behind(Bench *b)
{
    pad_inside(b, (int64_t[]){0, 0, 1, 1});
}

/* Its pads would cut off what zeros add to. */
static void build_transposed_inside(Bench *b)
{
    const int64_t dims[4] = {4, 4, 1, 1};
    Value *inputs[3] = {bench_image(b, 4, 8), bench_constant(b, 4, dims),
                        bench_constant(b, 1, dims)};
    border_around(b, bench_node(b, OP_ConvTranspose, inputs, 3));
}

START_TEST(only_an_unpadded_pointwise_convolution_reads_zeros_instead)
{
    static Build *const builds[] = {
        build_wide_inside, build_padded_inside_before,
        build_padded_inside_behind, build_transposed_inside};
    const rp_fold_options allow = {.allow_cost = 1};
    Folded folded = fold_model(builds[_i], &allow);
    ck_assert_uint_eq(folded.report.fold_count, 0);
    folded_free(&folded);
}
END_TEST

/* ---- Around an affine map ---- */

static void build_normalized_border(Bench *b)
{
    Value *x = bench_unary(b, OP_Relu, bench_image(b, 4, 6));
    Value *y = bench_batchnorm(b, x, 4);
    y = bordered(b, y, border_of(b, y->producer));
    bench_output(
        b, bench_conv(b, y, (ConvShape){.out = 3, .kernel = 3, .bias = true}));
}

/* One number more in each pixel, and around them as much, or `around`. */
static Value *raised(Bench *b, double around)
{
    const int64_t pads[8] = {0, 0, 1, 1, 0, 0, 1, 1};
    double by = 3;
    Value *x = bench_unary(b, OP_Relu, bench_image(b, 4, 6));
    Value *inputs[3] = {
        bench_binary(b, OP_Add, x, bench_numbers(b, 0, NULL, &by)),
        bench_ints(b, 8, pads), bench_numbers(b, 0, NULL, &around)};
    return bench_node(b, OP_Pad, inputs, 3);
}

static void build_padded_by_value(Bench *b)
{
    bench_output(b, bench_conv(b, raised(b, 3), (ConvShape){.kernel = 3}));
}

START_TEST(a_map_goes_behind_its_border)
{
    check_folds(build_normalized_border, 1, 1);
    check_folds(build_padded_by_value, 1, 1);
    Folded folded = fold_model(build_normalized_border, NULL);
    const int64_t *pads = ints_of(only_node(&folded, OP_Conv), "pads");
    ck_assert_str_eq(folded.report.folds[0].rules, "C7,C13");
    ck_assert_int_eq(pads[0], 1);
    ck_assert_int_eq(pads[1], 2);
    ck_assert_int_eq(pads[2], 0);
    folded_free(&folded);
}
END_TEST

static void build_padded_by_another_value(Bench *b)
{
    bench_output(b, bench_conv(b, raised(b, 2), (ConvShape){.kernel = 3}));
}

static void build_padded_twice(Bench *b)
{
    bench_output(b, bench_conv(b, raised(b, 3), SAME(3)));
}

static void build_raised_read_twice(Bench *b)
{
    Value *y = raised(b, 3);
    bench_output(b, bench_unary(b, OP_Relu, y));
    bench_output(b, bench_conv(b, y, (ConvShape){.kernel = 3}));
}

static void build_padded_twice_before(Bench *b)
{
    Value *y = bench_conv(b, raised(b, 3), SAME(3));
    node_set_ints(y->producer, "pads", (int64_t[]){1, 1, 0, 0}, 4);
    y->fact = FACT_UNKNOWN;
    bench_output(b, y);
}

/* A number for each row, or each image, of as many as there are channels, and
 * around them what would be right for channels. */
static void raised_along(Bench *b, int axis)
{
    int64_t sizes[4] = {axis == 0 ? 4 : 1, 4, 4, 4}, dims[4] = {1, 1, 1, 1};
    const int64_t channels[4] = {1, 4, 1, 1};
    const double numbers[4] = {1, 2, 3, 4};
    Value *x = bench_unary(b, OP_Relu, bench_input(b, 4, sizes));
    Value *around = bench_numbers(b, 4, channels, numbers);
    sizes[1] = 4;
    sizes[2] = 1;
    around = bench_binary(b, OP_Expand, around, bench_ints(b, 4, sizes));
    dims[axis] = 4;
    x = bench_binary(b, OP_Add, x, bench_numbers(b, 4, dims, numbers));
    Value *parts[2] = {around, x};
    x = bench_concat(b, parts, 2, 2);
    bench_output(b, bench_conv(b, x, (ConvShape){.kernel = 2}));
}

static void build_rows_raised(Bench *b)
{
    raised_along(b, 2);
}

static void build_images_raised(Bench *b)
{
    raised_along(b, 0);
}

static void build_raised_and_pooled(Bench *b)
{
    bench_output(b, bench_pool(b, raised(b, 3), 2));
}

START_TEST(a_map_before_another_border_stays)
{
    check_refuses(build_padded_by_another_value, "border");
    check_refuses(build_padded_twice, "pad-shift");
    check_refuses(build_padded_twice_before, "pad-shift");
    check_refuses(build_raised_read_twice, "multi-use");
    check_refuses(build_rows_raised, "wrong-axis");
    check_refuses(build_images_raised, "wrong-axis");
    check_refuses(build_raised_and_pooled, "pad-mode");
}
END_TEST

START_TEST(a_map_before_its_border_can_be_left)
{
    Folded all = fold_model(build_padded_by_value, NULL);
    const char *undo[1] = {all.report.folds[0].output};
    const rp_fold_options skip = {.skip = "C7"},
                          leave = {.undo = undo, .undo_count = 1};
    check_border_stays(build_padded_by_value, &skip, "disabled", "");
    check_border_stays(build_padded_by_value, &leave, "certificate", "");
    folded_free(&all);
}
END_TEST

Suite *suite_rule_border(void)
{
    Suite *suite = suite_create("rule_border");
    TCase *tcase = tcase_create("rule_border");
    tcase_add_test(tcase, a_border_of_what_zero_gives_becomes_padding);
    tcase_add_test(tcase, a_border_may_be_scattered_over_padding);
    tcase_add_test(tcase, an_average_behind_a_border_joins_a_sum);
    tcase_add_test(tcase, an_average_behind_a_border_alone_is_cheaper_as_it_is);
    tcase_add_test(tcase, only_a_rounded_border_is_said_to_be_one);
    tcase_add_loop_test(tcase, other_borders_stay, 0, 6);
    tcase_add_test(tcase, a_border_can_be_left_by_option);
    tcase_add_test(tcase, a_mirror_is_no_border);
    tcase_add_test(tcase, a_map_goes_behind_its_border);
    tcase_add_test(tcase, a_map_before_another_border_stays);
    tcase_add_loop_test(
        tcase, only_an_unpadded_pointwise_convolution_reads_zeros_instead, 0,
        4);
    tcase_add_test(tcase, a_map_before_its_border_can_be_left);
    suite_add_tcase(suite, tcase);
    return suite;
}
