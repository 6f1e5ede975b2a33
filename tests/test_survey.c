/* What float32 tells of two models that are alike in float64. */
#include "suites.h"

#include "judging.h"
#include "net.h"

static Arena *arena;

static void setup(void)
{
    arena = arena_new(0);
}

static void teardown(void)
{
    arena_free(arena);
}

/* The softmax of scale x; as a formula it overflows where an x is large. */
static const Model *softmax(DType type, double scale, bool is_formula)
{
    int64_t dims[2] = {1, 10}, none = 0, one = 1;
    double axis = 1;
    Net net = toy_new(arena);
    toy_input(&net, "x", type, 2, dims);
    toy_weight(&net, "scale", type, 0, &none, &scale);
    toy_node(&net, OP_Mul, "x scale", "logits");
    if (is_formula) {
        toy_weight(&net, "axis", DT_INT64, 1, &one, &axis);
        toy_node(&net, OP_Exp, "logits", "exp");
        toy_node(&net, OP_ReduceSum, "exp axis", "sum");
        toy_node(&net, OP_Div, "exp sum", "y");
    } else {
        node_set_int(toy_node(&net, OP_Softmax, "logits", "y"), "axis", 1);
    }
    toy_output(&net, "y", type);
    return toy_finish(&net);
}

static rp_verdict_info judge(const Model *a, const Model *b, int samples)
{
    return judge_pair(arena, a, b, false,
                      (rp_verify_options){.samples = samples});
}

START_TEST(overflow_in_float32_is_a_difference)
{
    /* On the first sample; with 1, on the fourth, which is large. */
    static const double scales[] = {100, 1};
    for (int i = 0; i < 2; i++) {
        int samples = i ? 4 : 1;
        const Model *a = softmax(DT_FLOAT, scales[i], false);
        const Model *b = softmax(DT_FLOAT, scales[i], true);
        rp_verdict_info info = judge(a, b, samples);
        check_verdict(&info, "different");
        check_words(&info, i ? "sample 3" : "sample 0");
        check_words(&info, "is not finite in float32");
        info = judge(b, b, samples);
        check_verdict(&info, "equivalent");
        info = judge(b, a, samples);
        check_verdict(&info, "equivalent");
    }
}
END_TEST

START_TEST(models_of_float64_need_not_run_in_float32)
{
    rp_verdict_info info =
        judge(softmax(DT_DOUBLE, 1, false), softmax(DT_DOUBLE, 1, true), 4);
    check_verdict(&info, "equivalent");
}
END_TEST

/* Its size is that of the input, and where it is computed 4 (2^24 + 1 - 2^24),
 * which float32 makes 0: "as before", which is 1. */
static const Model *sized(bool is_computed)
{
    int64_t dims[2] = {1, 4}, one = 1;
    double big = 0x1p24, unit = 1, four = 4;
    Net net = toy_new(arena);
    toy_input(&net, "x", DT_FLOAT, 2, dims);
    if (is_computed) {
        toy_weight(&net, "big", DT_FLOAT, 1, &one, &big);
        toy_weight(&net, "unit", DT_FLOAT, 1, &one, &unit);
        toy_weight(&net, "four", DT_FLOAT, 1, &one, &four);
        toy_node(&net, OP_Add, "big unit", "sum");
        toy_node(&net, OP_Sub, "sum big", "one");
        toy_node(&net, OP_Mul, "one four", "count");
        node_set_int(toy_node(&net, OP_Cast, "count", "shape"), "to", DT_INT64);
    } else {
        toy_weight(&net, "shape", DT_INT64, 1, &one, &four);
    }
    toy_node(&net, OP_Reshape, "x shape", "y");
    toy_output(&net, "y", DT_FLOAT);
    return toy_finish(&net);
}

START_TEST(model_that_fails_in_float32_is_different)
{
    rp_verdict_info info = judge(sized(false), sized(true), 4);
    check_verdict(&info, "different");
    check_words(&info, "the second model, on sample 0 (mixed): in float32");
}
END_TEST

/* (x g + x g) / 4 in float16, each half divided by itself or their sum. */
static const Model *halves(double gain, bool is_late)
{
    int64_t dims[2] = {1, 8}, one = 1;
    double quarter = 0.25;
    Net net = toy_new(arena);
    toy_input(&net, "x", DT_FLOAT16, 2, dims);
    toy_weight(&net, "gain", DT_FLOAT16, 1, &one, &gain);
    toy_weight(&net, "quarter", DT_FLOAT16, 1, &one, &quarter);
    toy_node(&net, OP_Mul, "x gain", "half");
    if (is_late) {
        toy_node(&net, OP_Add, "half half", "sum");
        toy_node(&net, OP_Mul, "sum quarter", "y");
    } else {
        toy_node(&net, OP_Mul, "half quarter", "part");
        toy_node(&net, OP_Add, "part part", "y");
    }
    toy_output(&net, "y", DT_FLOAT16);
    return toy_finish(&net);
}

START_TEST(overflow_in_float16_is_a_difference)
{
    rp_verdict_info info = judge(halves(32768, false), halves(32768, true), 1);
    check_verdict(&info, "different");
    check_words(&info, "\"sum\" of the second model is beyond float16");
    /* Below, and above in both. */
    info = judge(halves(1024, false), halves(1024, true), 1);
    check_verdict(&info, "equivalent");
    info = judge(halves(65504, true), halves(65504, false), 1);
    check_verdict(&info, "equivalent");
}
END_TEST

Suite *suite_survey(void)
{
    Suite *suite = suite_create("survey");
    TCase *tc = tcase_create("survey");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, overflow_in_float32_is_a_difference);
    tcase_add_test(tc, models_of_float64_need_not_run_in_float32);
    tcase_add_test(tc, model_that_fails_in_float32_is_different);
    tcase_add_test(tc, overflow_in_float16_is_a_difference);
    suite_add_tcase(suite, tc);
    return suite;
}
