#include "suites.h"

#include <stdio.h>
#include <string.h>

#include "judge/interface.h"
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

/* ---- Interfaces ---- */

/* One Identity with names, types and sizes to choose. */
static const Model *identity(const char *input, const char *output, DType type,
                             int rank, int64_t last)
{
    int64_t dims[4] = {1, 1, 1, 1};
    dims[rank - 1] = last;
    Net net = toy_new(arena);
    toy_input(&net, input, type, rank, dims);
    toy_node(&net, OP_Identity, input, output);
    toy_output(&net, output, type);
    return toy_finish(&net);
}

START_TEST(interfaces_that_differ_are_named)
{
    const Model *base = identity("x", "y", DT_FLOAT, 2, 4);
    const struct {
        const Model *other;
        const char *words;
    } cases[] = {
        {identity("z", "y", DT_FLOAT, 2, 4),
         "no input \"x\", but \"z\" in its place; --by-position"},
        {identity("x", "z", DT_FLOAT, 2, 4),
         "the second model has no output \"y\""},
        {identity("x", "y", DT_DOUBLE, 2, 4),
         "input \"x\" is float32 in the first model and float64"},
        {identity("x", "y", DT_FLOAT, 3, 4),
         "input \"x\" has rank 2 in the first model and 3"},
        {identity("x", "y", DT_FLOAT, 2, 5),
         "axis 1 of input \"x\" is 4 in the first model and 5"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rp_verdict_info info = judge_pair(arena, base, cases[i].other, false,
                                          (rp_verify_options){0});
        check_verdict(&info, "different");
        check_words(&info, cases[i].words);
    }
}
END_TEST

/* A file may say a shape that its output does not have. */
START_TEST(what_is_said_of_an_output_is_not_believed)
{
    const Model *a = identity("x", "y", DT_FLOAT, 2, 4);
    const Model *b = identity("x", "y", DT_FLOAT, 2, 4);
    b->graph->outputs[0]->fact = fact_of(DT_FLOAT, 1, (Dim[]){9});
    rp_verdict_info info =
        judge_pair(arena, a, b, false, (rp_verify_options){0});
    check_verdict(&info, "equivalent");
}
END_TEST

static const Model *two_inputs(const char *first, const char *second)
{
    int64_t dims[1] = {6};
    Net net = toy_new(arena);
    toy_input(&net, first, DT_FLOAT, 1, dims);
    toy_input(&net, second, DT_FLOAT, 1, dims);
    toy_node(&net, OP_Sub, "p q", "y");
    toy_node(&net, OP_Mul, "p q", "z");
    toy_output(&net, strcmp(first, "p") == 0 ? "y" : "z", DT_FLOAT);
    toy_output(&net, strcmp(first, "p") == 0 ? "z" : "y", DT_FLOAT);
    return toy_finish(&net);
}

START_TEST(inputs_and_outputs_go_by_name_not_by_order)
{
    rp_verdict_info info =
        judge_pair(arena, two_inputs("p", "q"), two_inputs("q", "p"), false,
                   (rp_verify_options){0});
    check_verdict(&info, "equivalent");
    ck_assert_double_eq(info.outputs[0].weights, 0);
    ck_assert_double_eq(info.outputs[1].weights, 0);
}
END_TEST

/* As two_inputs, with every name given; y = first - second, z = product. */
static Model *named(const char *first, const char *second, const char *y,
                    const char *z)
{
    int64_t dims[1] = {6};
    char both[32];
    snprintf(both, sizeof both, "%s %s", first, second);
    Net net = toy_new(arena);
    toy_input(&net, first, DT_FLOAT, 1, dims);
    toy_input(&net, second, DT_FLOAT, 1, dims);
    toy_node(&net, OP_Sub, both, y);
    toy_node(&net, OP_Mul, both, z);
    toy_output(&net, y, DT_FLOAT);
    toy_output(&net, z, DT_FLOAT);
    return toy_finish(&net);
}

/* Also where the names of one are those of others in the second. */
START_TEST(by_position_names_do_not_matter)
{
    const Model *a = named("p", "q", "y", "z");
    Model *others[] = {named("a", "b", "c", "d"), named("q", "p", "z", "y"),
                       named("z", "y", "q", "p"), named("q", "y", "z", "p")};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        Err err = {0};
        ck_assert_int_eq(interface_rename(others[i], a, &err), 0);
        rp_verdict_info info =
            judge_pair(arena, a, others[i], false, (rp_verify_options){0});
        check_verdict(&info, "equivalent");
        ck_assert_uint_eq(info.segments_same, 2);
    }
    Model *swapped = named("q", "p", "y", "z");
    rp_verdict_info info =
        judge_pair(arena, a, swapped, false, (rp_verify_options){0});
    check_verdict(&info, "different");
}
END_TEST

START_TEST(by_position_wants_as_many)
{
    const Model *a = identity("x", "y", DT_FLOAT, 1, 6);
    Model *b = named("p", "q", "y", "z");
    Err err = {0};
    ck_assert_int_eq(interface_rename(b, a, &err), 0);
    rp_verdict_info info =
        judge_pair(arena, a, b, false, (rp_verify_options){0});
    check_verdict(&info, "different");
    check_words(&info, "the second model has no input \"x\"");
    ck_assert_ptr_null(strstr(info.why, "position"));
}
END_TEST

START_TEST(extra_output_is_a_difference)
{
    const Model *a = identity("p", "y", DT_FLOAT, 1, 6);
    int64_t dims[1] = {6};
    Net net = toy_new(arena);
    toy_input(&net, "p", DT_FLOAT, 1, dims);
    toy_node(&net, OP_Identity, "p", "y");
    toy_node(&net, OP_Neg, "p", "z");
    toy_output(&net, "y", DT_FLOAT);
    toy_output(&net, "z", DT_FLOAT);
    rp_verdict_info info =
        judge_pair(arena, a, toy_finish(&net), false, (rp_verify_options){0});
    check_verdict(&info, "different");
    check_words(&info, "the first model has no output \"z\"");
}
END_TEST

/* ---- Weights of other types ---- */

/* y = x * w in that type, of and to float32. */
static const Model *scaled(DType type)
{
    int64_t dims[1] = {3};
    double values[3] = {0.1, 0.7, -1.3};
    Net net = toy_new(arena);
    toy_input(&net, "x", DT_FLOAT, 1, dims);
    toy_weight(&net, "w", type, 1, dims, values);
    node_set_int(toy_node(&net, OP_Cast, "x", "h"), "to", type);
    toy_node(&net, OP_Mul, "h w", "p");
    node_set_int(toy_node(&net, OP_Cast, "p", "y"), "to", DT_FLOAT);
    toy_output(&net, "y", DT_FLOAT);
    return toy_finish(&net);
}

START_TEST(coarser_weights_come_first)
{
    rp_verify_options options = {0};
    const Model *fine = scaled(DT_FLOAT), *coarse = scaled(DT_FLOAT16);
    rp_verdict_info info = judge_pair(arena, coarse, fine, false, options);
    check_verdict(&info, "equivalent");
    info = judge_pair(arena, fine, coarse, false, options);
    check_verdict(&info, "different");
    check_words(&info, "weights are of a coarser type: given first");
    info = judge_pair(arena, fine, scaled(DT_DOUBLE), false, options);
    ck_assert_ptr_null(strstr(info.why ? info.why : "", "coarser"));
}
END_TEST

/* y = x w w ... w with 16 weights, each its own, and values of that name. */
static const Model *product(const char *stem, double weight)
{
    enum { FACTORS = 16, SIZE = 6 };
    int64_t dims[1] = {SIZE};
    double values[SIZE];
    Net net = toy_new(arena);
    toy_input(&net, "x", DT_FLOAT, 1, dims);
    for (int i = 0; i < SIZE; i++)
        values[i] = weight;
    const char *last = "x";
    for (int i = 0; i < FACTORS; i++) {
        const char *factor = arena_printf(arena, "w%d", i);
        const char *to =
            i + 1 < FACTORS ? arena_printf(arena, "%s%d", stem, i) : "y";
        toy_weight(&net, factor, DT_FLOAT, 1, dims, values);
        toy_node(&net, OP_Mul, arena_printf(arena, "%s %s", last, factor), to);
        last = to;
    }
    toy_output(&net, "y", DT_FLOAT);
    return toy_finish(&net);
}

/* All weights off by one rounding in the same direction are not what rounding
 * each once by chance gives. */
START_TEST(weights_may_have_been_rounded_more_often)
{
    const Model *a = product("a", 1), *b = product("b", 1 - 0x1p-24);
    rp_verdict_info info =
        judge_pair(arena, a, b, false, (rp_verify_options){0});
    check_verdict(&info, "different");
    ck_assert_int_eq(info.roundings, 1);
    check_words(&info, "--roundings 4 allows for that");
    info = judge_pair(arena, a, b, false, (rp_verify_options){.roundings = 4});
    check_verdict(&info, "equivalent");
    ck_assert_int_eq(info.roundings, 4);
    info = judge_pair(arena, a, product("b", 1 - 0x1p-17), false,
                      (rp_verify_options){.roundings = 4});
    check_verdict(&info, "different");
    ck_assert_ptr_null(strstr(info.why, "--roundings"));
}
END_TEST

/* ---- Integer outputs ---- */

static const Model *arg_max(double second)
{
    int64_t dims[2] = {1, 3}, weight[1] = {3};
    double w[3] = {1, second, 0.5};
    Net net = toy_new(arena);
    toy_input(&net, "x", DT_FLOAT, 2, dims);
    toy_weight(&net, "w", DT_FLOAT, 1, weight, w);
    toy_node(&net, OP_Mul, "x w", "scores");
    node_set_int(toy_node(&net, OP_ArgMax, "scores", "y"), "axis", 1);
    toy_output(&net, "y", DT_INT64);
    return toy_finish(&net);
}

START_TEST(integer_outputs_must_be_equal)
{
    rp_verify_options options = {.samples = 8};
    rp_verdict_info info =
        judge_pair(arena, arg_max(2), arg_max(2.0000001), false, options);
    ck_assert(info.outputs[0].equivalent);
    info = judge_pair(arena, arg_max(2), arg_max(-2), false, options);
    check_verdict(&info, "different");
    ck_assert(!info.outputs[0].equivalent);
    check_words(&info, "output \"y\" differs by 1 of its elements");
}
END_TEST

/* ---- Models that do not run ---- */

START_TEST(second_model_that_fails_is_different)
{
    int64_t dims[2] = {1, -1}, good = 1, bad = 5;
    double values[6] = {1, 2, 3, 4, 5, 6};
    const Model *models[2];
    for (int i = 0; i < 2; i++) {
        Net net = toy_new(arena);
        toy_input(&net, "x", DT_FLOAT, 2, dims);
        toy_weight(&net, "w", DT_FLOAT, 1, i ? &bad : &good, values);
        toy_node(&net, OP_Add, "x w", "y");
        toy_output(&net, "y", DT_FLOAT);
        models[i] = toy_finish(&net);
    }
    const char *shapes[] = {"x:1,6"};
    rp_verify_options options = {.input_shapes = shapes,
                                 .input_shape_count = 1};
    rp_verdict_info info =
        judge_pair(arena, models[0], models[1], false, options);
    check_verdict(&info, "different");
    check_words(&info, "the second model, on sample 0");
    check_words(&info, "node_y");
}
END_TEST

/* A size that the original does not take is not asked of either. */
START_TEST(odd_sizes_are_only_tried)
{
    int64_t dims[4] = {1, 1, -1, 1}, shape[1] = {2};
    double halves[2] = {2, -1};
    const Model *models[2];
    for (int i = 0; i < 2; i++) {
        Net net = toy_new(arena);
        toy_input(&net, "x", DT_FLOAT, 4, dims);
        toy_weight(&net, "halves", DT_INT64, 1, shape, halves);
        toy_node(&net, OP_Reshape, "x halves", "y");
        toy_output(&net, "y", DT_FLOAT);
        models[i] = toy_finish(&net);
    }
    rp_verdict_info info =
        judge_pair(arena, models[0], models[1], false, (rp_verify_options){0});
    check_verdict(&info, "equivalent");
}
END_TEST

START_TEST(operator_without_a_kernel_is_trouble)
{
    int64_t dims[1] = {4};
    Net net = toy_new(arena);
    toy_input(&net, "x", DT_FLOAT, 1, dims);
    Node *node = toy_node(&net, OP_OTHER, "x", "y");
    node->op_type = "Mystery";
    toy_output(&net, "y", DT_FLOAT);
    const Model *model = toy_finish(&net);
    rp_verdict_info info;
    rp_verify_options options = {0};
    Err err = {0};
    ck_assert_int_eq(
        judge_models(arena, model, model, false, &options, &info, &err), -1);
    ck_assert_int_eq(err.code, ERR_UNSUPPORTED_OPERATOR);
    ck_assert_ptr_nonnull(strstr(err.message, "Mystery"));
}
END_TEST

Suite *suite_interface(void)
{
    Suite *suite = suite_create("interface");
    TCase *tc = tcase_create("interface");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, interfaces_that_differ_are_named);
    tcase_add_test(tc, what_is_said_of_an_output_is_not_believed);
    tcase_add_test(tc, inputs_and_outputs_go_by_name_not_by_order);
    tcase_add_test(tc, by_position_names_do_not_matter);
    tcase_add_test(tc, by_position_wants_as_many);
    tcase_add_test(tc, extra_output_is_a_difference);
    tcase_add_test(tc, coarser_weights_come_first);
    tcase_add_test(tc, weights_may_have_been_rounded_more_often);
    tcase_add_test(tc, integer_outputs_must_be_equal);
    tcase_add_test(tc, second_model_that_fails_is_different);
    tcase_add_test(tc, odd_sizes_are_only_tried);
    tcase_add_test(tc, operator_without_a_kernel_is_trouble);
    suite_add_tcase(suite, tc);
    return suite;
}
