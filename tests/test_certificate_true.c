/*
 * Certificates of folds that are right and hard to see: something that is added
 * went two ways, operators are of two kinds, or nothing is known of a shape.
 */
#include <string.h>

#include "base/random.h"
#include "composing.h"
#include "folding.h"
#include "judge/certify.h"
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

/* ---- Shapes ---- */

/* Nothing is known of the input's shape, and both convolutions keep it. */
static void joined_without_a_shape(Bench *b)
{
    Value *x = bench_image(b, 1, 5), *y = graph_fresh_value(b->graph, "y");
    bench_add(b, node_new(b->graph, OP_OTHER, "thing", &x, 1, &y, 1));
    Node *thing = y->producer;
    thing->op_type = "Thing";
    thing->domain = "com.example";
    Value *parts[2];
    int64_t ones[4] = {1, 1, 1, 1};
    for (int i = 0; i < 2; i++) {
        int64_t dims[4] = {1, 1, 3, 3};
        Value *inputs[2] = {y, bench_constant(b, 4, dims)};
        Value *conv = parts[i] = graph_fresh_value(b->graph, "conv");
        Node *node =
            node_new(b->graph, OP_Conv, conv->name, inputs, 2, &conv, 1);
        node_set_ints(node, "pads", ones, 4);
        bench_add(b, node);
    }
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

static const struct {
    const char *name, *enable;
    Build *build;
    size_t nodes; /* that are left */
} folds[] = {
    {"shifts that part in a product", "C12", shifts_part_in_a_product, 5},
    {"more of them", "C12", more_shifts_part_in_a_product, 5},
    {"shifts that part beside a difference", NULL,
     shifts_part_beside_a_difference, 8},
    {"a transposed convolution beside its image", "C12",
     pointwise_of_transposed, 1},
    {"the same, joined", "C12,C19", pointwise_of_transposed_joined, 1},
    {"joined convolutions of unknown shape", "C19", joined_without_a_shape, 2},
};
enum { FOLDS = sizeof folds / sizeof *folds };

START_TEST(right_folds_are_certified)
{
    Arena *arena = arena_new(0);
    Model *a = build_model(arena, folds[_i].build, false);
    Model *b = build_model(arena, folds[_i].build, false);
    rp_fold_options options = {.enable = folds[_i].enable};
    FoldReport report = {0};
    rp_certificates_info info;
    rp_certify_options certify = {.threads = 1};
    Err err = {0};
    ck_assert_int_eq(model_fold(b, &options, &report, &err), 0);
    ck_assert_int_eq(certify_models(arena, a, b, &certify, &info, &err), 0);
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
    suite_add_tcase(suite, tcase);
    return suite;
}
