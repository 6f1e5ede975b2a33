/* The noise floor: that chance does not decide. */
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

Suite *suite_noise(void)
{
    Suite *suite = suite_create("noise");
    TCase *tc = tcase_create("noise");
    tcase_add_test(tc, one_number_is_not_different_by_chance);
    tcase_add_test(tc, one_number_may_be_wrong);
    suite_add_tcase(suite, tc);
    return suite;
}
