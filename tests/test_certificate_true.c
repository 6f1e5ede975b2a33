/*
 * Certificates of folds that are right and hard to see: something that is added
 * went two ways, operators are of two kinds, or nothing is known of a shape.
 */
#include <string.h>

#include "base/random.h"
#include "blocks.h"
#include "composing.h"
#include "folding.h"
#include "suites.h"

/* ---- What is added ---- */

static Value *matrix(Bench *b, Value *x, int64_t ins, int64_t outs)
{
    int64_t dims[2] = {ins, outs};
    return bench_binary(b, OP_MatMul, x, bench_constant(b, 2, dims));
}

static Value *shifted(Bench *b, Value *x, int64_t width)
{
    return bench_binary(b, OP_Add, x, bench_constant(b, 1, &width));
}

/* The first shift stays in what the two products become, the later ones go on
 * to both readers. */
static void shifts_part(Bench *b, bool shift_twice)
{
    int64_t first[2] = {4, 6}, width = 6, last[2] = {2, 5};
    Value *inputs[3] = {bench_input(b, 2, (int64_t[]){3, 4}),
                        bench_constant(b, 2, first),
                        bench_constant(b, 1, &width)};
    Value *y = matrix(b, bench_node(b, OP_Gemm, inputs, 3), 6, 2);
    if (shift_twice)
        y = shifted(b, y, 2);
    y = bench_batchnorm(b, y, 2);
    Value *more[2] = {y, bench_constant(b, 2, last)};
    bench_output(b, bench_binary(b, OP_Add, shifted(b, matrix(b, y, 2, 5), 5),
                                 bench_node(b, OP_Gemm, more, 2)));
}

static void shifts_part_in_a_product(Bench *b)
{
    shifts_part(b, false);
}

static void more_shifts_part_in_a_product(Bench *b)
{
    shifts_part(b, true);
}

static Value *shaped(Bench *b, Value *x, int rank, const int64_t *dims)
{
    Value *inputs[2] = {x, bench_ints(b, rank, dims)};
    return bench_node(b, OP_Reshape, inputs, 2);
}

/* What the first product adds stays before the difference, what the
 * normalization adds goes through two products. */
static void shifts_part_beside_a_difference(Bench *b)
{
    const int64_t tokens[3] = {2, 6, 1}, rows[2] = {12, 1};
    double divisor = 0.7;
    Value *x = bench_input(b, 3, tokens), *other = bench_input(b, 3, tokens);
    Value *y = shifted(b, matrix(b, x, 1, 1), 1);
    y = bench_binary(b, OP_Sub, y, other);
    y = bench_binary(b, OP_Div, y, bench_numbers(b, 0, NULL, &divisor));
    y = bench_unary(b, OP_Identity, y);
    y = shaped(b, bench_batchnorm(b, shaped(b, y, 2, rows), 1), 3, tokens);
    bench_output(b, shifted(b, matrix(b, matrix(b, y, 1, 8), 8, 2), 2));
}

/* A normalization of one channel, across those of the product, whose weight is
 * computed: it goes on to the second product, behind two reshapes. */
static void one_channel_across_others(Bench *b)
{
    const int64_t tokens[3] = {6, 1, 3}, rows[2] = {6, 3};
    const double divisor = 0.7;
    Value *x = bench_input(b, 3, (int64_t[]){6, 1, 4});
    Value *weight =
        bench_binary(b, OP_Div, bench_constant(b, 2, (int64_t[]){4, 3}),
                     bench_numbers(b, 0, NULL, &divisor));
    Value *y = bench_binary(b, OP_MatMul, x, weight);
    y = bench_batchnorm(b, shifted(b, y, 3), 1);
    y = shaped(b, shaped(b, y, 2, rows), 3, tokens);
    bench_output(b, matrix(b, y, 3, 2));
}

/* A product that is normalized in rows of another number, so that it is a place
 * in both graphs, and subtracted: both have it with the other sign as well. */
static void negated_in_both(Bench *b)
{
    const int64_t rows[2] = {-1, 1}, tokens[3] = {3, 6, 1}, flat[2] = {18, 1};
    Value *x = bench_input(b, 3, (int64_t[]){-1, 6, 3});
    fact_set(b->arena, &x->fact, DT_FLOAT, 3, x->fact.dims)[0] =
        dim_named(b->model->symbols, "batch");
    const double divisor = 0.7;
    Value *weight =
        bench_binary(b, OP_Div, bench_constant(b, 3, (int64_t[]){1, 3, 1}),
                     bench_numbers(b, 0, NULL, &divisor));
    Value *first = bench_binary(b, OP_MatMul, x, weight);
    Value *y = shaped(b, matrix(b, x, 3, 1), 2, rows);
    y = shaped(b, bench_batchnorm(b, y, 1), 3, tokens);
    y = bench_binary(b, OP_Add, first, y);
    y = bench_binary(b, OP_Sub, bench_constant(b, 2, (int64_t[]){1, 1}), y);
    y = shaped(b, shaped(b, y, 2, flat), 3, tokens);
    y = bench_binary(b, OP_MatMul, y,
                     bench_constant(b, 3, (int64_t[]){1, 1, 8}));
    bench_output(b, shifted(b, y, 8));
}

/* ---- Shapes ---- */

/* Nothing is known of its shape. */
static Value *some_image(Bench *b)
{
    Value *x = bench_image(b, 1, 5), *y = graph_fresh_value(b->graph, "y");
    bench_add(b, node_new(b->graph, OP_OTHER, "thing", &x, 1, &y, 1));
    Node *thing = y->producer;
    thing->op_type = "Thing";
    thing->domain = "com.example";
    return y;
}

static Value *conv_of_one_channel(Bench *b, Value *x, int64_t outputs)
{
    int64_t dims[4] = {outputs, 1, 3, 3}, ones[4] = {1, 1, 1, 1};
    Value *inputs[2] = {x, bench_constant(b, 4, dims)};
    Value *y = graph_fresh_value(b->graph, "conv");
    Node *node = node_new(b->graph, OP_Conv, y->name, inputs, 2, &y, 1);
    node_set_ints(node, "pads", ones, 4);
    bench_add(b, node);
    return y;
}

/* Both convolutions keep it. */
static void joined_without_a_shape(Bench *b)
{
    Value *y = some_image(b);
    Value *parts[2] = {conv_of_one_channel(b, y, 1),
                       conv_of_one_channel(b, y, 1)};
    bench_output(b, bench_concat(b, parts, 2, 1));
}

/* A transposed convolution, and the image beside it. */
static Value *transposed_beside_its_image(Bench *b)
{
    int64_t dims[4] = {2, 2, 3, 3}, pads[4] = {1, 2, 1, 0};
    Value *x = bench_image(b, 2, 4);
    Value *inputs[2] = {x, bench_constant(b, 4, dims)};
    Value *y = graph_fresh_value(b->graph, "transposed");
    Node *node =
        node_new(b->graph, OP_ConvTranspose, y->name, inputs, 2, &y, 1);
    node_set_ints(node, "pads", pads, 4);
    bench_add(b, node);
    return bench_binary(b, OP_Add, y, x);
}

/* A pointwise convolution is composed to both summands: one is transposed
 * then, the other pointwise, of fewer channels than the image has. */
static void pointwise_of_transposed(Bench *b)
{
    Value *y = transposed_beside_its_image(b);
    bench_output(b, bench_conv(b, y, (ConvShape){.out = 1}));
}

/* And each may be joined to others. */
static void pointwise_of_transposed_joined(Bench *b)
{
    Value *y = transposed_beside_its_image(b);
    Value *parts[2] = {bench_conv(b, y, (ConvShape){.out = 1}),
                       bench_conv(b, y, (ConvShape){.out = 1})};
    bench_output(b, bench_concat(b, parts, 2, 1));
}

/* What is asked for its shape is gone, and the sum's is not known before
 * folding: a crop of a symbolic size. */
static void shape_of_a_sum(Bench *b)
{
    const int64_t ones[2] = {1, 1}, ends[2] = {-1, -1}, axes[2] = {2, 3};
    Value *x = bench_input(b, 4, (int64_t[]){1, 2, -1, -1});
    Value *conv = bench_conv(b, x, (ConvShape){.kernel = 3});
    Value *inputs[4] = {x, bench_ints(b, 2, ones), bench_ints(b, 2, ends),
                        bench_ints(b, 2, axes)};
    Value *inner = bench_conv(b, bench_node(b, OP_Slice, inputs, 4), DW(2, 1));
    Value *sum = bench_binary(b, OP_Add, bench_batchnorm(b, conv, 2), inner);
    bench_output(b, bench_unary(b, OP_Shape, conv));
    bench_output(b, bench_unary(b, OP_Relu, sum));
}

/* Two images of which one may be broadcast to the other, added and scaled; the
 * scale goes on, and who asks for the shape asks before it. */
static void shape_before_a_scale(Bench *b)
{
    const int64_t dims[4] = {1, 2, -1, -1};
    Value *sum = bench_binary(b, OP_Add, bench_input(b, 4, dims),
                              bench_input(b, 4, dims));
    Value *y = bench_binary(b, OP_Mul, sum, bench_channel_scale(b, 2));
    bench_output(b, bench_unary(b, OP_Shape, y));
    bench_output(b, bench_conv(b, y, DW(2, 1)));
}

/* The file says of the result what follows of nothing else. */
static void shape_before_what_is_said(Bench *b, Value *conv, int64_t batch)
{
    Value *y = bench_binary(b, OP_Mul, conv, bench_channel_scale(b, 2));
    y = bench_binary(b, OP_Sub, bench_channel_scale(b, 2), y);
    fact_set(b->arena, &y->fact, DT_FLOAT, 4, (Dim[]){batch, 2, 5, 5});
    bench_output(b, bench_unary(b, OP_Shape, conv));
    bench_output(b, bench_unary(b, OP_Relu, y));
}

static void shape_that_is_said(Bench *b)
{
    Value *x = bench_input(b, 4, (int64_t[]){-1, 2, -1, -1});
    shape_before_what_is_said(b, bench_conv(b, x, (ConvShape){.out = 2}), 1);
}

static void shape_that_is_said_in_part(Bench *b)
{
    shape_before_what_is_said(b, conv_of_one_channel(b, some_image(b), 2),
                              dim_named(b->model->symbols, "batch"));
}

/* ---- What goes where ---- */

/* Both kernels could hold the image, which is zero in nearly all channels. */
static void channel_in_one_of_two_kernels(Bench *b)
{
    int64_t dims[3] = {7, 1, 1};
    double scale[7] = {0, 0, 1};
    ConvShape wide = {.kernel = 3, .pad = 2, .dilation = 2, .group = 7};
    Value *x = bench_image(b, 7, 6);
    Value *narrow = bench_conv(b, x, DW(7, 3));
    Value *sum = bench_binary(b, OP_Add, narrow, bench_conv(b, x, wide));
    Value *some = bench_binary(b, OP_Mul, x, bench_numbers(b, 3, dims, scale));
    sum = bench_binary(b, OP_Add, sum, some);
    bench_output(b, bench_binary(b, OP_Mul, sum, bench_channel_scale(b, 7)));
}

static Value *positive(Bench *b, Value *x)
{
    int64_t dims[3] = {2, 1, 1};
    double scale[2] = {0.75, 3};
    return bench_binary(b, OP_Mul, x, bench_numbers(b, 3, dims, scale));
}

/* A scale goes through a Relu of a sum, which has no numbers, into two more. */
static void scale_through_a_sum(Bench *b)
{
    Value *x = bench_image(b, 2, 5), *parts[2];
    for (int i = 0; i < 2; i++)
        parts[i] = bench_unary(b, OP_Relu, bench_conv(b, x, SAME(1)));
    Value *sum = bench_binary(b, OP_Add, parts[0], parts[1]);
    bench_output(b, positive(b, bench_unary(b, OP_Relu, sum)));
}

/* Scales through a pool that counts its padding, where there is a bias. */
static void scales_through_a_padded_pool(Bench *b)
{
    int64_t size[2] = {2, 1}, pads[4] = {0, 0, 1, 0}, dims[3] = {2, 1, 1};
    double scale[2] = {0.5, -0.25};
    ConvShape shape = {.group = 2, .bias = true};
    Value *x = bench_conv(b, bench_image(b, 2, 6), shape);
    Value *y = graph_fresh_value(b->graph, "pool");
    Node *pool = node_new(b->graph, OP_AveragePool, "pool", &x, 1, &y, 1);
    node_set_ints(pool, "kernel_shape", size, 2);
    node_set_ints(pool, "pads", pads, 4);
    node_set_int(pool, "count_include_pad", 1);
    bench_add(b, pool);
    y = bench_binary(b, OP_Mul, y, bench_numbers(b, 3, dims, scale));
    bench_output(b, positive(b, bench_unary(b, OP_Relu, y)));
}

/* A normalization goes on through Concat, as others read what it reads; and
 * that has lost its shift. */
static void shared_before_a_join(Bench *b)
{
    const int64_t order[3] = {0, 2, 1}, dims[4] = {2, 3, 2, 4};
    const int64_t along[4] = {1, 3, 1, 1};
    Value *x = matrix(b, bench_input(b, 3, (int64_t[]){2, 8, 3}), 3, 3);
    Value *y = graph_fresh_value(b->graph, "turned");
    Node *turn = node_new(b->graph, OP_Transpose, "turn", &x, 1, &y, 1);
    node_set_ints(turn, "perm", order, 3);
    bench_add(b, turn);
    y = shaped(b, y, 4, dims);
    y = bench_binary(b, OP_Add, y, bench_constant(b, 4, along));
    y = bench_binary(b, OP_Sub, bench_constant(b, 4, along), y);
    Value *parts[2] = {bench_batchnorm(b, y, 3),
                       bench_conv(b, y, (ConvShape){.out = 2})};
    Value *joined = bench_concat(b, parts, 2, 1);
    bench_output(b, bench_conv(b, joined, (ConvShape){.group = 5}));
}

/* A residual joins its kernel before both are reshaped and scaled. */
static void residual_reshaped(Bench *b)
{
    const int64_t apart[4] = {2, 2, 2, 20}, whole[4] = {2, 4, 5, 4};
    Value *x = bench_input(b, 4, whole);
    Value *y = bench_binary(b, OP_Add, bench_conv(b, x, SAME(3)), x);
    y = shaped(b, shaped(b, y, 4, apart), 4, whole);
    bench_output(b, bench_batchnorm(b, y, 4));
}

/* A crop, and behind it two convolutions that become one, with padding. */
static void composed_behind_a_crop(Bench *b)
{
    const int64_t start = 1, end = 4, axis = 3;
    Value *inputs[4] = {positive(b, bench_image(b, 2, 5)),
                        bench_ints(b, 1, &start), bench_ints(b, 1, &end),
                        bench_ints(b, 1, &axis)};
    Value *y = bench_conv(b, bench_node(b, OP_Slice, inputs, 4), DW(2, 1));
    bench_output(b, bench_conv(b, y, SAME(3)));
}

/* An identity joins a kernel that is one of two side by side. */
static void residual_beside_another(Bench *b)
{
    Value *x = bench_image(b, 2, 5);
    Value *parts[2] = {bench_binary(b, OP_Add, bench_conv(b, x, DW(2, 3)), x),
                       bench_conv(b, x, SAME(1))};
    Value *joined = bench_concat(b, parts, 2, 1);
    bench_output(b, bench_batchnorm(b, joined, 4));
}

/* Of three rows of one channel the first and the last have the same numbers. */
static void equal_rows(Bench *b)
{
    const int64_t dims[4] = {1, 2, 1, 1};
    Value *x = bench_image(b, 2, 4), *weight = bench_constant(b, 4, dims);
    Value *parts[3] = {
        bench_binary(b, OP_Conv, x, weight),
        bench_binary(b, OP_Conv, bench_image(b, 2, 4), weight),
        bench_binary(b, OP_Conv, x, weight),
    };
    bench_output(b, bench_batchnorm(b, bench_concat(b, parts, 3, 2), 1));
}

/* What is added before a sum goes on behind it, in part (C16). */
static void shift_of_one_summand(Bench *b)
{
    int64_t dims[2] = {3, 4};
    Value *x = bench_input(b, 2, dims);
    Value *y = shifted(b, matrix(b, bench_input(b, 2, dims), 4, 4), 4);
    y = bench_binary(b, OP_Sub, y, shifted(b, x, 4));
    Value *more[2] = {y, bench_constant(b, 2, (int64_t[]){4, 5})};
    bench_output(b, bench_node(b, OP_Gemm, more, 2));
}

/* What is added behind a padding is everywhere. */
static void shift_behind_a_padding(Bench *b)
{
    const int64_t pads[8] = {0, 0, 1, 1, 0, 0, 1, 1};
    Value *inputs[2] = {bench_image(b, 2, 5), bench_ints(b, 8, pads)};
    Value *y = bench_batchnorm(b, bench_node(b, OP_Pad, inputs, 2), 2);
    bench_output(b, bench_conv(b, y, (ConvShape){.kernel = 3}));
}

/* Some channels of a residual, which joins its kernel, then a scale. */
static void some_of_a_residual(Bench *b)
{
    const int64_t start = 1, end = 4, axis = 1;
    Value *x = bench_image(b, 4, 5);
    Value *sum = bench_binary(b, OP_Sub, bench_conv(b, x, SAME(3)), x);
    Value *inputs[4] = {sum, bench_ints(b, 1, &start), bench_ints(b, 1, &end),
                        bench_ints(b, 1, &axis)};
    Value *some = bench_node(b, OP_Slice, inputs, 4);
    bench_output(b, bench_batchnorm(b, some, 3));
}

static const struct {
    const char *name, *enable;
    Build *build;
    size_t nodes; /* that are left */
} folds[] = {
    {"shifts that part in a product", "C12", shifts_part_in_a_product, 5},
    {"more of them", "C12", more_shifts_part_in_a_product, 5},
    {"shifts that part beside a difference", NULL,
     shifts_part_beside_a_difference, 8},
    {"one channel across others", NULL, one_channel_across_others, 5},
    {"what is negated in both", "C16", negated_in_both, 10},
    {"the shape of a sum of unknown shape", NULL, shape_of_a_sum, 3},
    {"the shape of a scaled sum of unknown shape", NULL, shape_before_a_scale,
     3},
    {"a shape that is said of the result alone", NULL, shape_that_is_said, 3},
    {"a shape that is said of it in part", NULL, shape_that_is_said_in_part, 4},
    {"one channel in one of two kernels", NULL, channel_in_one_of_two_kernels,
     3},
    {"a scale through a sum", NULL, scale_through_a_sum, 6},
    {"scales through a padded pool", NULL, scales_through_a_padded_pool, 3},
    {"a residual beside another kernel", NULL, residual_beside_another, 3},
    {"equal rows of one channel", NULL, equal_rows, 4},
    {"the shift of one summand", "C16", shift_of_one_summand, 3},
    {"a shift behind a padding", NULL, shift_behind_a_padding, 1},
    {"some channels of a residual", NULL, some_of_a_residual, 2},
    {"operators composed behind a crop", "C12", composed_behind_a_crop, 2},
    {"a residual that is reshaped", NULL, residual_reshaped, 3},
    {"what is shared before a join", NULL, shared_before_a_join, 6},
    {"a transposed convolution beside its image", "C12",
     pointwise_of_transposed, 1},
    {"the same, joined", "C12,C19", pointwise_of_transposed_joined, 1},
    {"joined convolutions of unknown shape", "C19", joined_without_a_shape, 2},
};
enum { FOLDS = sizeof folds / sizeof *folds };

/* Weights that are standardized in many steps, as nfnet's are in the graph: in
 * all they take more than any budget, but no two are needed at once. */
static void weights_in_many_steps(Bench *b)
{
    enum { LAYERS = 5, STEPS = 28, WIDTH = 1024 };
    Value *x = bench_image(b, WIDTH, 1);
    for (int i = 0; i < LAYERS; i++) {
        Value *weight = bench_constant(b, 4, (int64_t[]){WIDTH, WIDTH, 1, 1});
        for (int k = 0; k < STEPS; k++) {
            double factor = k % 2 ? 0.75 : 1.25;
            weight = bench_binary(b, OP_Mul, weight,
                                  bench_numbers(b, 0, NULL, &factor));
        }
        x = bench_unary(b, OP_Relu, bench_binary(b, OP_Conv, x, weight));
    }
    bench_output(b, x);
}

START_TEST(weights_may_take_many_steps)
{
    enum { BUDGET = 400 * 1000 * 1000 };
    Arena *arena = arena_new(BUDGET);
    Model *a = build_model(arena, weights_in_many_steps, false);
    Model *b = build_model(arena, weights_in_many_steps, false);
    rp_fold_options options = {0};
    FoldReport report = {0};
    Err err = {0};
    ck_assert_int_eq(model_fold(b, &options, &report, &err), 0);
    ck_assert_uint_eq(report.fold_count, 5);
    ck_assert_uint_eq(b->graph->node_count, 10);
    rp_certificates_info info = certify(arena, a, b);
    ck_assert_msg(info.hold, "%s", info.why);
    ck_assert_uint_eq(info.count, 5);
    arena_free(arena);
}
END_TEST

START_TEST(right_folds_are_certified)
{
    Arena *arena = arena_new(0);
    Model *a = build_model(arena, folds[_i].build, false);
    Model *b = build_model(arena, folds[_i].build, false);
    rp_fold_options options = {.enable = folds[_i].enable};
    FoldReport report = {0};
    Err err = {0};
    ck_assert_int_eq(model_fold(b, &options, &report, &err), 0);
    rp_certificates_info info = certify(arena, a, b);
    ck_assert_msg(info.hold, "%s: %s", folds[_i].name, info.why);
    ck_assert_uint_eq(b->graph->node_count, folds[_i].nodes);
    arena_free(arena);
}
END_TEST

Suite *suite_certificate_true(void)
{
    Suite *suite = suite_create("certificate_true");
    TCase *tcase = tcase_create("certificate_true");
    tcase_add_loop_test(tcase, right_folds_are_certified, 0, FOLDS);
    tcase_add_test(tcase, weights_may_take_many_steps);
    suite_add_tcase(suite, tcase);
    return suite;
}
