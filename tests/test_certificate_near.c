/*
 * Certificates: pairs of models that are the same but for a border, or for
 * numbers that are out of the ordinary.
 */
#include <math.h>

#include "folding.h"
#include "pairs.h"
#include "suites.h"

/* ---- Borders ---- */

/* A kernel of 3x3 and one of 1x1, both with such pads: where the small one
 * lies in the large one follows from the size as well. */
static void two_same(Bench *b, bool merged)
{
    const int64_t strides[2] = {2, 2};
    Value *x = pair_image(b, false);
    Node *node = pair_conv(b, x, 1, 1, 3);
    node_set_string(node, "auto_pad", "SAME_UPPER");
    node_set_ints(node, "strides", strides, 2);
    Node *small = pair_conv(b, x, 2, 1, 1);
    node_set_string(small, "auto_pad", "SAME_UPPER");
    node_set_ints(small, "strides", strides, 2);
    if (!merged) {
        pair_end(b, bench_binary(b, OP_Add, pair_done(b, node),
                                 pair_done(b, small)));
        return;
    }
    double large[CHANNELS * CHANNELS * 9], point[CHANNELS * CHANNELS];
    const Tensor *from = node->inputs[1]->tensor;
    tensor_read_f64(from, 0, from->count, large);
    tensor_read_f64(small->inputs[1]->tensor, 0, CHANNELS * CHANNELS, point);
    for (int i = 0; i < CHANNELS * CHANNELS; i++)
        large[i * 9] += point[i];
    node->inputs[1] = bench_numbers(b, 4, from->dims, large);
    pair_end(b, pair_done(b, node));
}

static void same_beside_same(Bench *b)
{
    two_same(b, false);
}

static void same_in_same(Bench *b)
{
    two_same(b, true);
}

/* All but a pixel on each side. */
static Value *inner(Bench *b, Value *x)
{
    const int64_t ones[2] = {1, 1}, ends[2] = {-1, -1}, axes[2] = {2, 3};
    Value *inputs[4] = {x, bench_ints(b, 2, ones), bench_ints(b, 2, ends),
                        bench_ints(b, 2, axes)};
    return bench_node(b, OP_Slice, inputs, 4);
}

static Value *with_zeros(Bench *b, Value *x, const int64_t *pads)
{
    return bench_binary(b, OP_Pad, x, bench_ints(b, 8, pads));
}

/* What a crop leaves is padded with zeros, not with what it left out: by the
 * operator that reads it, or before. */
static void cropped(Bench *b, bool crops, int64_t pad)
{
    Value *x = pair_image(b, true);
    x = crops ? inner(b, x) : x;
    pair_end(b, pair_done(b, pair_padded(b, x, pad)));
}

static void bordered(Bench *b, bool crops)
{
    const int64_t pads[8] = {0, 0, 1, 1, 0, 0, 1, 1};
    Value *x = pair_image(b, true);
    x = crops ? with_zeros(b, inner(b, x), pads) : x;
    pair_end(b, pair_point(b, x, 1, 1));
}

static void zeros_for_a_border(Bench *b)
{
    bordered(b, true);
}

static void the_border_itself(Bench *b)
{
    bordered(b, false);
}

/* A pool of one element with padding around it. */
static void pooled(Bench *b, Op op)
{
    const int64_t ones[4] = {1, 1, 1, 1};
    Value *x = pair_image(b, true), *y = graph_fresh_value(b->graph, "pooled");
    Node *node = node_new(b->graph, op, "pool", &x, 1, &y, 1);
    node_set_ints(node, "kernel_shape", ones, 2);
    node_set_ints(node, "pads", ones, 4);
    if (op == OP_AveragePool)
        node_set_int(node, "count_include_pad", 1);
    pair_end(b, bench_binary(b, OP_Add, pair_done(b, node),
                             pair_done(b, pair_padded(b, x, 2))));
}

static void largest_of_one(Bench *b)
{
    pooled(b, OP_MaxPool);
}

static void average_of_one(Bench *b)
{
    pooled(b, OP_AveragePool);
}

static void cropped_and_padded(Bench *b)
{
    cropped(b, true, 1);
}

static void as_if_uncropped(Bench *b)
{
    cropped(b, false, 0);
}

/* Averages with three rows and columns of zeros after the image: where they are
 * the pool's own, it leaves out windows that begin in them. */
static void windows_beyond(Bench *b, bool own)
{
    const int64_t pads[8] = {0, 0, 0, 0, 0, 0, 3, 3};
    const int64_t threes[2] = {3, 3}, amounts[4] = {0, 0, 3, 3};
    Value *x = pair_image(b, true);
    x = own ? x : with_zeros(b, x, pads);
    Value *y = graph_fresh_value(b->graph, "pooled");
    Node *node = node_new(b->graph, OP_AveragePool, "pool", &x, 1, &y, 1);
    node_set_ints(node, "kernel_shape", threes, 2);
    node_set_int(node, "ceil_mode", 1);
    node_set_int(node, "count_include_pad", 1);
    if (own)
        node_set_ints(node, "pads", amounts, 4);
    pair_end(b, pair_done(b, node));
}

static void windows_in_zeros(Bench *b)
{
    windows_beyond(b, false);
}

static void windows_left_out(Bench *b)
{
    windows_beyond(b, true);
}

/* A pool that overhangs its input by a pixel, unless zeros follow. */
static void overhanging(Bench *b, bool zeros)
{
    const int64_t pads[8] = {0, 0, 0, 0, 0, 0, 1, 1};
    const int64_t ones[2] = {1, 1}, twos[2] = {2, 2};
    Value *x = pair_image(b, true);
    x = zeros ? with_zeros(b, x, pads) : x;
    Value *y = graph_fresh_value(b->graph, "pooled");
    Node *node = node_new(b->graph, OP_AveragePool, "pool", &x, 1, &y, 1);
    node_set_ints(node, "kernel_shape", ones, 2);
    node_set_ints(node, "strides", twos, 2);
    node_set_int(node, "ceil_mode", 1);
    pair_end(b, pair_done(b, node));
}

static void zeros_follow(Bench *b)
{
    overhanging(b, true);
}

static void nothing_follows(Bench *b)
{
    overhanging(b, false);
}

static void typed(Bench *b, DType type)
{
    Value *x = pair_image(b, true);
    b->type = type;
    pair_end(b, pair_point(b, x, 1, 1));
}

static void weight_of_its_type(Bench *b)
{
    typed(b, DT_FLOAT);
}

static void weight_of_another(Bench *b)
{
    typed(b, DT_DOUBLE);
}

/* ---- Rounding ---- */

/* What rounding a weight makes of it goes on, through a Sigmoid inside, and no
 * bound says how far. */
static void rounded_inside(Bench *b, bool folded)
{
    const double factor = (double)0.1f;
    Value *x = pair_point(b, pair_image(b, true), 1, folded ? factor : 1);
    x = bench_unary(b, OP_Relu, folded ? x : pair_scaled(b, x, factor));
    x = bench_unary(b, OP_Sigmoid, pair_point(b, x, 2, 1));
    bench_end(b, OP_Relu, pair_point(b, x, 3, 1));
}

static void scaled_inside(Bench *b)
{
    rounded_inside(b, false);
}

static void folded_inside(Bench *b)
{
    rounded_inside(b, true);
}

/* ---- Numbers beyond all others ---- */

static void biased(Bench *b, double bias)
{
    double biases[CHANNELS] = {1, 2, 3, bias};
    int64_t dims[1] = {CHANNELS};
    Node *node = pair_conv(b, pair_image(b, true), 1, 1, 1);
    Value *inputs[3] = {node->inputs[0], node->inputs[1],
                        bench_numbers(b, 1, dims, biases)};
    bench_end(b, OP_Relu, bench_node(b, OP_Conv, inputs, 3));
}

static void finite_bias(Bench *b)
{
    biased(b, 4);
}

static void infinite_bias(Bench *b)
{
    biased(b, (double)INFINITY);
}

/* In float64: their product is no number of it. */
static void huge_twice(Bench *b)
{
    b->type = DT_DOUBLE;
    bench_end(
        b, OP_Relu,
        pair_scaled(b, pair_point(b, pair_image(b, true), 1, 1e200), 1e200));
}

static void not_huge(Bench *b)
{
    b->type = DT_DOUBLE;
    bench_end(b, OP_Relu, pair_point(b, pair_image(b, true), 1, 1));
}

/* ---- Numbers that the field takes for others ---- */

/* Modulo 2^61 - 1 this is 1. */
static const double turn = 0x1p61;

static void image_by_a_turn(Bench *b)
{
    pair_end(b, pair_scaled(b, pair_image(b, true), turn));
}

static void image_by_one(Bench *b)
{
    pair_end(b, pair_scaled(b, pair_image(b, true), 1));
}

static Value *added(Bench *b, Value *x, double number)
{
    int64_t dims[1] = {1};
    return bench_binary(b, OP_Add, x, bench_numbers(b, 1, dims, &number));
}

/* What is added is 0 there, and may not meet a padding. */
static void a_turn_less_one(Bench *b)
{
    Value *x = added(b, added(b, pair_image(b, true), turn), -1);
    pair_end(b, pair_done(b, pair_padded(b, x, 1)));
}

static void nothing_added(Bench *b)
{
    pair_end(b, pair_done(b, pair_padded(b, pair_image(b, true), 1)));
}

/* ---- The pairs ---- */

static const struct {
    const char *name;
    Build *original, *converted;
    bool holds;
} pairs[] = {
    {"a crop before a padding", cropped_and_padded, as_if_uncropped, false},
    {"zeros for a border", zeros_for_a_border, the_border_itself, false},
    {"what is around a maximum", largest_of_one, average_of_one, false},
    {"SAME pads of two kernels", same_beside_same, same_in_same, false},
    {"windows beyond the image", windows_in_zeros, windows_left_out, false},
    {"what a pool has taken in", zeros_follow, nothing_follows, false},
    {"rounding before a Sigmoid inside", scaled_inside, folded_inside, false},
    {"the same without any", folded_inside, folded_inside, true},
    {"a weight of another type", weight_of_its_type, weight_of_another, false},
    {"an infinite bias", finite_bias, infinite_bias, false},
    {"weights that double does not hold", huge_twice, not_huge, false},
    {"a factor of 2^61", image_by_a_turn, image_by_one, false},
    {"2^61 less 1 before a padding", a_turn_less_one, nothing_added, false},
};
enum { PAIRS = sizeof pairs / sizeof *pairs };

START_TEST(nearly_the_same_is_not_certified)
{
    check_certified(pairs[_i].name, pairs[_i].original, pairs[_i].converted,
                    pairs[_i].holds);
}
END_TEST

/* A tenth before Relu, which a weight may take, and a factor after it. */
static void tenth(Bench *b, bool folded)
{
    const double factor = (double)0.1f;
    Value *x = pair_point(b, pair_image(b, true), 1, folded ? factor : 1);
    x = bench_unary(b, OP_Relu, folded ? x : pair_scaled(b, x, factor));
    bench_end(b, OP_Relu, pair_point(b, pair_scaled(b, x, 3), 2, 1));
}

static void tenth_apart(Bench *b)
{
    tenth(b, false);
}

static void tenth_within(Bench *b)
{
    tenth(b, true);
}

/* What a weight is rounded by is multiplied by all that follows. */
START_TEST(bounds_go_through_scales)
{
    Arena *arena = arena_new(0);
    Model *a = build_model(arena, tenth_apart, false);
    Model *b = build_converted(arena, tenth_within);
    rp_certificates_info info = certify(arena, a, b);
    ck_assert_msg(info.hold, "%s", info.why);
    ck_assert_double_gt(info.certificates[0].bound, 1e-8);
    ck_assert_double_lt(info.certificates[0].bound, 1e-5);
    arena_free(arena);
}
END_TEST

Suite *suite_certificate_near(void)
{
    Suite *suite = suite_create("certificate_near");
    TCase *tcase = tcase_create("certificate_near");
    tcase_add_loop_test(tcase, nearly_the_same_is_not_certified, 0, PAIRS);
    tcase_add_test(tcase, bounds_go_through_scales);
    suite_add_tcase(suite, tcase);
    return suite;
}
