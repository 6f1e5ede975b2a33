/* The noise floor: that chance does not decide. */
#include <math.h>

#include "base/random.h"
#include "judging.h"
#include "net.h"
#include "suites.h"

/* x * w * g, or where g is 1 x * w, in float32. */
static const Model *product(Arena *arena, double w, double g)
{
    int64_t dims[4] = {1, 1, 1, 1}, one = 1;
    Net net = toy_new(arena);
    toy_input(&net, "x", DT_FLOAT, 4, dims);
    toy_weight(&net, "w", DT_FLOAT, 4, dims, &w);
    toy_node(&net, OP_Conv, "x w", g == 1 ? "y" : "a");
    if (g != 1) {
        toy_weight(&net, "g", DT_FLOAT, 1, &one, &g);
        toy_node(&net, OP_Mul, "a g", "y");
    }
    toy_output(&net, "y", DT_FLOAT);
    return toy_finish(&net);
}

/* One number decides all: what moves it by chance may move it very little, and
 * for each seed it does so in some sample or other. */
static void check_products(double off, const char *verdict)
{
    enum { SEEDS = 100 };
    const double w = (double)1.7f, g = (double)0.6f;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        Arena *arena = arena_new(0);
        rp_verdict_info info =
            judge_pair(arena, product(arena, w, g),
                       product(arena, (double)(float)(w * g * (1 + off)), 1),
                       false, (rp_verify_options){.seed = seed});
        check_verdict(&info, verdict);
        arena_free(arena);
    }
}

START_TEST(one_number_is_not_different_by_chance)
{
    check_products(0, "equivalent");
}
END_TEST

START_TEST(one_number_may_be_wrong)
{
    check_products(1e-5, "different");
}
END_TEST

/* ---- What jumps ---- */

enum { SIZE = 24, CHANNELS = 4, TAPS = 9 };

static void add_weights(Net *net, const char *name, int rank,
                        const int64_t *dims, uint64_t seed, double *values)
{
    int64_t count = 1;
    for (int i = 0; i < rank; i++)
        count *= dims[i];
    for (int64_t i = 0; i < count; i++)
        values[i] = (double)(float)random_normal(seed, (uint64_t)i);
    toy_weight(net, name, DT_FLOAT, rank, dims, values);
}

/* As a model is that was read and not changed: nothing is known of its values.
 */
static const Model *forget_types(Model *model)
{
    for (size_t i = 0; i < model->graph->node_count; i++) {
        Value *value = model->graph->nodes[i]->outputs[0];
        if (!value->is_output)
            value->fact = FACT_UNKNOWN;
    }
    return model;
}

/* A convolution with a factor for each channel, apart or folded, whose result
 * is rounded to steps of 1/8; the mean of those is the output. */
static const Model *stepped(Arena *arena, uint64_t seed, bool folded,
                            double off)
{
    int64_t image[4] = {1, 1, SIZE, SIZE}, kernel[4] = {CHANNELS, 1, 3, 3};
    int64_t factors[3] = {CHANNELS, 1, 1};
    double weight[CHANNELS * TAPS], factor[CHANNELS], step = 0.125;
    Net net = toy_new(arena);
    toy_input(&net, "x", DT_FLOAT, 4, image);
    add_weights(&net, "w", 4, kernel, seed, weight);
    add_weights(&net, "g", 3, factors, ~seed, factor);
    for (int i = 0; i < CHANNELS * TAPS; i++)
        weight[i] = (double)(float)(weight[i] * factor[i / TAPS] * (1 + off));
    toy_weight(&net, "folded", DT_FLOAT, 4, kernel, weight);
    toy_weight(&net, "step", DT_FLOAT, 0, NULL, &step);
    toy_node(&net, OP_Conv, folded ? "x folded" : "x w", folded ? "b" : "a");
    if (!folded)
        toy_node(&net, OP_Mul, "a g", "b");
    toy_node(&net, OP_QuantizeLinear, "b step", "q");
    toy_node(&net, OP_DequantizeLinear, "q step", "d");
    toy_node(&net, OP_GlobalAveragePool, "d", "y");
    toy_output(&net, "y", DT_FLOAT);
    return forget_types(toy_finish(&net));
}

/* The other model takes a number over an edge in one seed of three or so. */
static void check_steps(int seeds, double off, const char *verdict)
{
    for (int seed = 1; seed <= seeds; seed++) {
        Arena *arena = arena_new(0);
        uint64_t stream = random_stream(3, (uint64_t)seed);
        rp_verdict_info info =
            judge_pair(arena, stepped(arena, stream, false, 0),
                       stepped(arena, stream, true, off), false,
                       (rp_verify_options){.seed = stream >> 1 | 1});
        check_verdict(&info, verdict);
        arena_free(arena);
    }
}

START_TEST(a_step_is_not_different_by_chance)
{
    check_steps(150, 0, "equivalent");
}
END_TEST

START_TEST(a_step_may_be_wrong)
{
    check_steps(20, 1e-3, "different");
}
END_TEST

/* ---- Integers ---- */

enum { TOKENS = 4096, CLASSES = 8 };

/* The arg max of x w + b with a large b, before or after a factor: the classes
 * of some tokens are as near to each other as the rounding of b. */
static const Model *classes(Arena *arena, bool merged, double error)
{
    int64_t dims[2] = {TOKENS, CLASSES}, weight[2] = {CLASSES, CLASSES};
    int64_t one = 1;
    double w[CLASSES * CLASSES], b[CLASSES], g = (double)0.6f;
    for (int i = 0; i < CLASSES * CLASSES; i++)
        w[i] = (double)(float)sin(i) * (merged ? g : 1);
    for (int i = 0; i < CLASSES; i++)
        b[i] = (double)(float)(200000.1 + 0.01 * i) * (merged ? g : 1);
    b[0] += error;
    Net net = toy_new(arena);
    toy_input(&net, "x", DT_FLOAT, 2, dims);
    toy_weight(&net, "w", DT_FLOAT, 2, weight, w);
    toy_weight(&net, "b", DT_FLOAT, 1, weight, b);
    toy_node(&net, OP_MatMul, "x w", "product");
    toy_node(&net, OP_Add, "product b", merged ? "scores" : "sum");
    if (!merged) {
        toy_weight(&net, "g", DT_FLOAT, 1, &one, &g);
        toy_node(&net, OP_Mul, "sum g", "scores");
    }
    node_set_int(toy_node(&net, OP_ArgMax, "scores", "y"), "axis", 1);
    toy_output(&net, "y", DT_INT64);
    return toy_finish(&net);
}

START_TEST(integers_may_change_as_rounding_changes_them)
{
    Arena *arena = arena_new(0);
    const Model *a = classes(arena, false, 0);
    for (int samples = 1; samples <= 4; samples += 3) {
        rp_verify_options options = {.samples = samples};
        rp_verdict_info info =
            judge_pair(arena, a, classes(arena, true, 0), false, options);
        check_verdict(&info, "equivalent");
        ck_assert(info.outputs[0].weights > 0);
        ck_assert(info.outputs[0].ratio <= 2);
        info = judge_pair(arena, a, classes(arena, true, 1), false, options);
        check_verdict(&info, "different");
        check_words(&info, "of its elements");
    }
    arena_free(arena);
}
END_TEST

Suite *suite_noise(void)
{
    Suite *suite = suite_create("noise");
    TCase *tc = tcase_create("noise");
    tcase_add_test(tc, one_number_is_not_different_by_chance);
    tcase_add_test(tc, one_number_may_be_wrong);
    tcase_add_test(tc, a_step_is_not_different_by_chance);
    tcase_add_test(tc, a_step_may_be_wrong);
    tcase_add_test(tc, integers_may_change_as_rounding_changes_them);
    suite_add_tcase(suite, tc);
    return suite;
}
