#include "suites.h"

#include <math.h>
#include <string.h>

#include "fixture.h"
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

static rp_verdict_info judge_nets(Shape a, Shape b, bool folded)
{
    return judge_pair(arena, toy_trained(arena, a), toy_folded(arena, b),
                      folded, (rp_verify_options){0});
}

static const Shape PLAIN = {0};

/* ---- Models that are the same ---- */

START_TEST(model_is_equivalent_to_itself)
{
    const Model *model = toy_trained(arena, PLAIN);
    rp_verdict_info info =
        judge_pair(arena, model, model, false, (rp_verify_options){0});
    check_verdict(&info, "equivalent");
    ck_assert_double_eq(info.outputs[0].weights, 0);
    ck_assert_double_eq(info.outputs[0].ratio, 0);
    ck_assert_uint_eq(info.segments, 0);
    ck_assert_uint_gt(info.segments_same, 0);
    ck_assert_ptr_null(info.worst);
}
END_TEST

START_TEST(correct_fold_is_equivalent)
{
    rp_verdict_info info = judge_nets(PLAIN, PLAIN, false);
    check_verdict(&info, "equivalent");
    ck_assert_uint_eq(info.output_count, 1);
    const rp_output_verdict *y = &info.outputs[0];
    ck_assert_str_eq(y->name, "y");
    ck_assert(y->equivalent);
    ck_assert(y->max_abs > 0.1);
    ck_assert(y->weights > 0 && y->weights < 1e-6);
    ck_assert(y->noise_floor > 1e-9 && y->noise_floor < 1e-5);
    ck_assert(y->ratio > 0 && y->ratio <= 2);
    ck_assert(isnan(y->algebra));
    ck_assert(y->execution_a > 0 && y->execution_a < 1e-4);
    ck_assert(y->execution_b > 0 && y->execution_b < 1e-4);
    ck_assert_int_eq(info.samples, 4);
    ck_assert_uint_eq(info.seed, 1);
}
END_TEST

START_TEST(unrounded_weights_sit_at_double_noise)
{
    Shape formulas = {.formulas = true};
    rp_verdict_info info = judge_nets(PLAIN, formulas, true);
    check_verdict(&info, "equivalent");
    ck_assert(info.outputs[0].algebra < 1e-13);
    ck_assert(info.outputs[0].weights > 1e-10);
}
END_TEST

START_TEST(the_roles_may_be_exchanged)
{
    rp_verdict_info info =
        judge_pair(arena, toy_folded(arena, PLAIN), toy_trained(arena, PLAIN),
                   false, (rp_verify_options){0});
    check_verdict(&info, "equivalent");
    ck_assert_uint_ge(info.segments, 3);
}
END_TEST

START_TEST(other_weight_types_have_their_own_floor)
{
    static const struct {
        DType type;
        double least, most;
    } types[] = {{DT_FLOAT16, 1e-5, 1e-1}, {DT_DOUBLE, 0, 1e-13}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        Shape shape = {.type = types[i].type};
        rp_verdict_info info = judge_nets(shape, shape, false);
        check_verdict(&info, "equivalent");
        ck_assert(info.outputs[0].weights >= types[i].least);
        ck_assert(info.outputs[0].weights <= types[i].most);
    }
}
END_TEST

START_TEST(symbolic_sizes_run_in_several)
{
    Shape shape = {.symbolic = true};
    rp_verdict_info info = judge_nets(shape, shape, false);
    check_verdict(&info, "equivalent");
}
END_TEST

START_TEST(same_seed_gives_the_same_verdict)
{
    rp_verdict_info a = judge_nets(PLAIN, PLAIN, false);
    rp_verdict_info b = judge_nets(PLAIN, PLAIN, false);
    rp_verdict_info c =
        judge_pair(arena, toy_trained(arena, PLAIN), toy_folded(arena, PLAIN),
                   false, (rp_verify_options){.seed = 9, .threads = 1});
    ck_assert_double_eq(a.outputs[0].weights, b.outputs[0].weights);
    ck_assert_double_eq(a.outputs[0].noise_floor, b.outputs[0].noise_floor);
    ck_assert_double_eq(a.worst->ratio, b.worst->ratio);
    ck_assert_double_ne(a.outputs[0].weights, c.outputs[0].weights);
    ck_assert_uint_eq(c.seed, 9);
}
END_TEST

START_TEST(parts_may_be_left_out)
{
    rp_verify_options options = {
        .samples = 1, .skip_f32 = 1, .skip_segments = 1, .noise_runs = 1};
    rp_verdict_info info = judge_pair(arena, toy_trained(arena, PLAIN),
                                      toy_folded(arena, PLAIN), false, options);
    check_verdict(&info, "equivalent");
    ck_assert_int_eq(info.samples, 1);
    ck_assert(isnan(info.outputs[0].execution_a));
    ck_assert(isnan(info.outputs[0].execution_b));
    ck_assert_uint_eq(info.segments, 0);
}
END_TEST

/* ---- Faults ---- */

static const struct {
    Fault fault;
    const char *place;
} faults[] = {
    {FAULT_BIAS, "block"},   {FAULT_WEIGHT, "block"}, {FAULT_PAD, "block"},
    {FAULT_BRANCH, "block"}, {FAULT_SCALE, "scaled"},
};

START_TEST(planted_fault_is_caught_by_name)
{
    Shape wrong = {.fault = faults[_i].fault};
    rp_verdict_info info = judge_nets(PLAIN, wrong, false);
    check_verdict(&info, "different");
    ck_assert(!info.outputs[0].equivalent);
    ck_assert_uint_eq(info.fault_count, 1);
    ck_assert_str_eq(info.faults[0].output, faults[_i].place);
    ck_assert_msg(info.faults[0].ratio > 10, "%g", info.faults[0].ratio);
    ck_assert_ptr_nonnull(info.worst);
    ck_assert_str_eq(info.worst->output, faults[_i].place);
    check_words(&info, faults[_i].place);
}
END_TEST

START_TEST(planted_fault_is_caught_in_a_fold_of_ours)
{
    Shape wrong = {.fault = faults[_i].fault, .formulas = true};
    rp_verdict_info info = judge_nets(PLAIN, wrong, true);
    check_verdict(&info, "different");
    ck_assert(info.outputs[0].algebra > 1e-8);
    ck_assert_uint_eq(info.fault_count, 1);
    ck_assert_str_eq(info.faults[0].output, faults[_i].place);
}
END_TEST

/* Its layer scale lets nothing of a branch through that the rounding of the
 * last factor would not hide. */
static const Model *quiet_branch(double weight)
{
    int64_t one[4] = {1, 1, 1, 1}, image[4] = {1, 1, 5, 5};
    double small = 1e-7, gain = 1.3;
    Net net = toy_new(arena);
    toy_input(&net, "x", DT_FLOAT, 4, image);
    toy_weight(&net, "w", DT_FLOAT, 4, one, &weight);
    toy_weight(&net, "small", DT_FLOAT, 4, one, &small);
    toy_weight(&net, "gain", DT_FLOAT, 4, one, &gain);
    toy_node(&net, OP_Conv, "x w", "inner");
    toy_node(&net, OP_Mul, "inner small", "scaled");
    toy_node(&net, OP_Add, "x scaled", "sum");
    toy_node(&net, OP_Mul, "sum gain", "y");
    toy_output(&net, "y", DT_FLOAT);
    return toy_finish(&net);
}

START_TEST(fault_below_the_noise_floor_is_caught_by_its_segment)
{
    rp_verdict_info info =
        judge_pair(arena, quiet_branch(0.7), quiet_branch(0.7 * 1.01), false,
                   (rp_verify_options){0});
    ck_assert(info.outputs[0].equivalent);
    check_verdict(&info, "different");
    ck_assert_uint_eq(info.fault_count, 1);
    ck_assert_str_eq(info.faults[0].output, "inner");
    ck_assert_str_eq(info.faults[0].node_a, "node_inner");
}
END_TEST

/* y = w x - v x with w and v nearly equal: storing either moves y by far more
 * than any fixed tolerance. */
START_TEST(ill_conditioned_model_is_measured_by_its_own_floor)
{
    int64_t dims[2] = {1, 3}, weight[2] = {3, 2};
    double w[6] = {1.1, 2.3, 0.7, -0.4, 1.9, 3.1}, v[6], merged[6];
    for (int i = 0; i < 6; i++) {
        w[i] = (double)(float)w[i];
        v[i] = (double)(float)(w[i] * (1 + 3e-5 * (i + 1)));
    }
    Net a = toy_new(arena);
    toy_input(&a, "x", DT_FLOAT, 2, dims);
    toy_weight(&a, "w", DT_FLOAT, 2, weight, w);
    toy_weight(&a, "v", DT_FLOAT, 2, weight, v);
    toy_node(&a, OP_MatMul, "x w", "wx");
    toy_node(&a, OP_MatMul, "x v", "vx");
    toy_node(&a, OP_Sub, "wx vx", "y");
    toy_output(&a, "y", DT_FLOAT);
    const Model *original = toy_finish(&a);
    for (int k = 0; k < 2; k++) {
        /* As a tool folds that subtracts what it first rounds to an ulp of
         * w; and the same with what is no rounding at all. */
        for (int i = 0; i < 6; i++)
            merged[i] = (w[i] - v[i]) + (k ? 3e-6 : 3e-8) * fabs(w[i]);
        Net b = toy_new(arena);
        toy_input(&b, "x", DT_FLOAT, 2, dims);
        toy_weight(&b, "m", DT_FLOAT, 2, weight, merged);
        toy_node(&b, OP_MatMul, "x m", "y");
        toy_output(&b, "y", DT_FLOAT);
        rp_verdict_info info = judge_pair(arena, original, toy_finish(&b),
                                          false, (rp_verify_options){0});
        check_verdict(&info, k ? "different" : "equivalent");
        ck_assert(info.outputs[0].weights > 1e-4);
    }
}
END_TEST

START_TEST(planted_fault_is_caught_on_one_sample)
{
    Shape wrong = {.fault = faults[_i].fault};
    rp_verdict_info info =
        judge_pair(arena, toy_trained(arena, PLAIN), toy_folded(arena, wrong),
                   false, (rp_verify_options){.samples = 1});
    check_verdict(&info, "different");
    ck_assert_int_eq(info.samples, 1);
    ck_assert_uint_eq(info.fault_count, 1);
    ck_assert_str_eq(info.faults[0].output, faults[_i].place);
}
END_TEST

/* y = x w + sin(1e9 max(x - 50, 0)): chaos, but only for large inputs. */
static const Model *calm_or_chaotic(double error)
{
    int64_t dims[2] = {1, 64};
    double w[64], huge[64], fifty = 50;
    for (int i = 0; i < 64; i++) {
        w[i] = (0.7 + 0.01 * i) * (1 + error);
        huge[i] = 1e9;
    }
    Net net = toy_new(arena);
    toy_input(&net, "x", DT_FLOAT, 2, dims);
    toy_weight(&net, "w", DT_FLOAT, 2, dims, w);
    toy_weight(&net, "huge", DT_FLOAT, 2, dims, huge);
    toy_weight(&net, "fifty", DT_FLOAT, 0, dims, &fifty);
    toy_node(&net, OP_Mul, "x w", "xw");
    toy_node(&net, OP_Sub, "x fifty", "less");
    toy_node(&net, OP_Relu, "less", "beyond");
    toy_node(&net, OP_Mul, "beyond huge", "angle");
    toy_node(&net, OP_Sin, "angle", "chaos");
    toy_node(&net, OP_Add, "xw chaos", "y");
    toy_output(&net, "y", DT_FLOAT);
    return toy_finish(&net);
}

START_TEST(chaos_in_one_sample_hides_nothing_in_another)
{
    rp_verify_options options = {.skip_segments = 1};
    for (int k = 0; k < 2; k++) {
        rp_verdict_info info =
            judge_pair(arena, calm_or_chaotic(0),
                       calm_or_chaotic(k ? 1e-4 : 3e-8), false, options);
        check_verdict(&info, k ? "different" : "equivalent");
        ck_assert(info.outputs[0].weights < 2e-4);
    }
}
END_TEST

/* Of y = x w the floor is the largest |x w r| over the largest |x w|, and with
 * x alike in all elements nearly u, in float32 as in double. */
START_TEST(floor_is_what_its_definition_says)
{
    int64_t dims[2] = {1, 1000};
    double w[1000];
    for (int i = 0; i < 1000; i++)
        w[i] = 0.75 + 1e-4 * i;
    for (int samples = 1; samples <= 2; samples++) {
        Net net = toy_new(arena);
        toy_input(&net, "x", DT_FLOAT, 2, dims);
        toy_weight(&net, "w", DT_FLOAT, 2, dims, w);
        toy_node(&net, OP_Erf, "x", "bounded");
        toy_node(&net, OP_Mul, "bounded w", "y");
        toy_output(&net, "y", DT_FLOAT);
        const Model *model = toy_finish(&net);
        rp_verdict_info info =
            judge_pair(arena, model, model, false,
                       (rp_verify_options){.samples = samples});
        double floor = info.outputs[0].noise_floor;
        ck_assert_msg(floor > 0.8 * 0x1p-24 && floor <= 0x1.01p-24, "%g of u",
                      floor * 0x1p24);
    }
}
END_TEST

/* ---- Originals that cannot be judged ---- */

/* The square root of the input: NaN for half of a normal sample. */
static const Model *root(Op op)
{
    int64_t dims[2] = {1, 8};
    Net net = toy_new(arena);
    toy_input(&net, "x", DT_FLOAT, 2, dims);
    toy_node(&net, op, "x", "y");
    toy_output(&net, "y", DT_FLOAT);
    return toy_finish(&net);
}

START_TEST(original_with_nan_is_inconclusive)
{
    const Model *model = root(OP_Sqrt);
    rp_verdict_info info =
        judge_pair(arena, model, model, false, (rp_verify_options){0});
    check_verdict(&info, "inconclusive");
    check_words(&info, "output \"y\" of the original is not finite on "
                       "sample 0 (mixed)");
}
END_TEST

START_TEST(nan_in_the_second_only_is_a_difference)
{
    rp_verdict_info info = judge_pair(arena, root(OP_Abs), root(OP_Sqrt), false,
                                      (rp_verify_options){0});
    check_verdict(&info, "different");
    check_words(&info, "output \"y\" of the second model on sample 0");
    ck_assert_uint_eq(info.fault_count, 1);
}
END_TEST

/* x^2 with an exponent that is off by a rounding is NaN for a negative x, and
 * a size of 1.9999999 times 5 is 9, also where the scales are joined; 9.999999
 * as an integer is 9. */
START_TEST(sizes_and_exponents_are_not_perturbed)
{
    int64_t image[4] = {1, 1, 5, 5}, one = 1, pair = 2;
    int64_t four = 4;
    double two = 2, outer[2] = {1, 1}, inner[2] = {2, 2};
    double sizes[4] = {1, 1, 10, 10};
    Net net = toy_new(arena);
    toy_input(&net, "x", DT_FLOAT, 4, image);
    toy_weight(&net, "two", DT_FLOAT, 1, &one, &two);
    toy_weight(&net, "gain", DT_FLOAT, 1, &one, &two);
    toy_weight(&net, "outer", DT_FLOAT, 1, &pair, outer);
    toy_weight(&net, "inner", DT_FLOAT, 1, &pair, inner);
    node_set_int(toy_node(&net, OP_Concat, "outer inner", "scales"), "axis", 0);
    toy_node(&net, OP_Pow, "x two", "square");
    toy_node(&net, OP_Mul, "square gain", "much");
    Value *inputs[3] = {graph_value(net.graph, "much"), NULL,
                        graph_value(net.graph, "scales")};
    Value *large = graph_value(net.graph, "large");
    graph_add_node(net.graph, node_new(net.graph, OP_Resize, "resize", inputs,
                                       3, &large, 1));
    toy_weight(&net, "sizes", DT_FLOAT, 1, &four, sizes);
    node_set_int(toy_node(&net, OP_Cast, "sizes", "shape"), "to", DT_INT64);
    toy_node(&net, OP_Expand, "gain shape", "map");
    toy_node(&net, OP_Add, "large map", "y");
    toy_output(&net, "y", DT_FLOAT);
    const Model *model = toy_finish(&net);
    rp_verdict_info info =
        judge_pair(arena, model, model, false, (rp_verify_options){0});
    check_verdict(&info, "equivalent");
    ck_assert(info.outputs[0].noise_floor > 0);
    ck_assert(info.outputs[0].noise_floor < 1e-6);
}
END_TEST

/* Folding evaluates what constants give, unrounded, and leaves the nodes. */
START_TEST(what_folding_knows_is_not_stored)
{
    enum { ROWS = 3, LENGTH = 8 };
    int64_t dims[2] = {ROWS, LENGTH}, length = LENGTH;
    double weights[LENGTH] = {2, 3, 5, 7, 11, 13, 17, 19};
    Model *models[2];
    for (int i = 0; i < 2; i++) {
        Net net = toy_new(arena);
        toy_input(&net, "x", DT_FLOAT, 2, dims);
        toy_weight(&net, "w", DT_FLOAT, 1, &length, weights);
        toy_node(&net, OP_Log, "w", "table");
        Node *choice = toy_node(&net, OP_ArgMax, "x", "choice");
        node_set_int(choice, "axis", 1);
        node_set_int(choice, "keepdims", 0);
        toy_node(&net, OP_Gather, "table choice", "y");
        toy_output(&net, "y", DT_FLOAT);
        models[i] = toy_finish(&net);
    }
    fixture_fold(models[1]);
    ck_assert_ptr_nonnull(graph_find_value(models[1]->graph, "table")->tensor);
    rp_verdict_info info =
        judge_pair(arena, models[0], models[1], false, (rp_verify_options){0});
    check_verdict(&info, "equivalent");
    ck_assert_uint_eq(info.fault_count, 0);
}
END_TEST

/* Nothing is not equal to nothing. */
START_TEST(output_without_elements_is_inconclusive)
{
    int64_t dims[2] = {0, 8};
    Net net = toy_new(arena);
    toy_input(&net, "x", DT_FLOAT, 2, dims);
    toy_node(&net, OP_Relu, "x", "y");
    toy_output(&net, "y", DT_FLOAT);
    const Model *model = toy_finish(&net);
    rp_verdict_info info =
        judge_pair(arena, model, model, false, (rp_verify_options){0});
    check_verdict(&info, "inconclusive");
    check_words(&info, "no elements");
}
END_TEST

/* The sine of 1e9 x moves by more than itself when 1e9 is rounded. */
START_TEST(chaotic_original_is_inconclusive)
{
    int64_t dims[1] = {4};
    double huge[4] = {3e9, 2e9, 1e9, 5e9};
    Net net = toy_new(arena);
    toy_input(&net, "x", DT_FLOAT, 1, dims);
    toy_weight(&net, "huge", DT_FLOAT, 1, dims, huge);
    toy_node(&net, OP_Mul, "x huge", "z");
    toy_node(&net, OP_Sin, "z", "y");
    toy_output(&net, "y", DT_FLOAT);
    const Model *model = toy_finish(&net);
    rp_verdict_info info =
        judge_pair(arena, model, model, false, (rp_verify_options){0});
    check_verdict(&info, "inconclusive");
    check_words(&info, "rounding its own parameters");
    check_words(&info, "--input NAME=FILE.npy");
    check_words(&info, "--no-run");
}
END_TEST

/* ---- Sizes that are not known ---- */

/* Takes only images of that many elements, whatever its input claims. */
static const Model *choosy(double elements)
{
    int64_t image[4] = {1, 1, -1, -1}, two = 2;
    double shape[2] = {1, elements}, scale = 1.5;
    int64_t none = 0;
    Net net = toy_new(arena);
    toy_input(&net, "x", DT_FLOAT, 4, image);
    toy_weight(&net, "shape", DT_INT64, 1, &two, shape);
    toy_weight(&net, "scale", DT_FLOAT, 0, &none, &scale);
    toy_node(&net, OP_Reshape, "x shape", "flat");
    toy_node(&net, OP_Mul, "flat scale", "y");
    toy_output(&net, "y", DT_FLOAT);
    return toy_finish(&net);
}

START_TEST(size_that_a_network_is_made_for_is_found)
{
    static const double elements[] = {64 * 64, 224 * 224, 48 * 320, 640 * 640};
    for (size_t i = 0; i < sizeof elements / sizeof *elements; i++) {
        const Model *model = choosy(elements[i]);
        rp_verdict_info info =
            judge_pair(arena, model, model, false, (rp_verify_options){0});
        check_verdict(&info, "equivalent");
        ck_assert_int_eq(info.samples, 4);
    }
}
END_TEST

START_TEST(size_that_is_not_found_is_asked_for)
{
    const Model *model = choosy(7 * 11 * 13);
    rp_verify_options options = {.threads = 1};
    rp_verdict_info info;
    Err err = {0};
    ck_assert_int_eq(
        judge_models(arena, model, model, false, &options, &info, &err), -1);
    ck_assert_int_eq(err.code, ERR_BAD_SHAPE);
    ck_assert_msg(strstr(err.message, "--input-shape x:1,1,H,W"), "%s",
                  err.message);
    ck_assert_ptr_nonnull(strstr(err.message, "node_flat"));
}
END_TEST

/* ---- Progress ---- */

typedef struct Watch {
    int calls, stop_at;
    double last;
    bool backwards;
} Watch;

static int watch(void *context, const char *phase, double done)
{
    Watch *w = context;
    ck_assert_str_eq(phase, "verify");
    w->backwards |= done < w->last || done > 1;
    w->last = done;
    return ++w->calls == w->stop_at;
}

START_TEST(progress_grows_to_the_end)
{
    Watch w = {0};
    rp_verify_options options = {.progress = watch, .progress_context = &w};
    judge_pair(arena, toy_trained(arena, PLAIN), toy_folded(arena, PLAIN),
               false, options);
    ck_assert_int_gt(w.calls, 10);
    ck_assert(!w.backwards);
    ck_assert(w.last > 0.9);
}
END_TEST

START_TEST(progress_can_cancel_anywhere)
{
    const Model *a = toy_trained(arena, PLAIN), *b = toy_folded(arena, PLAIN);
    Watch all = {0};
    rp_verify_options options = {.progress = watch, .progress_context = &all};
    judge_pair(arena, a, b, false, options);
    for (int stop = 1; stop <= all.calls; stop++) {
        Watch w = {.stop_at = stop};
        rp_verdict_info info;
        Err err = {0};
        options.progress_context = &w;
        ck_assert_int_eq(
            judge_models(arena, a, b, false, &options, &info, &err), -1);
        ck_assert_int_eq(err.code, ERR_USAGE);
        ck_assert_ptr_nonnull(strstr(err.message, "cancelled"));
        ck_assert_int_eq(w.calls, stop);
    }
}
END_TEST

static TCase *same_case(void)
{
    TCase *tc = tcase_create("same");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, model_is_equivalent_to_itself);
    tcase_add_test(tc, correct_fold_is_equivalent);
    tcase_add_test(tc, unrounded_weights_sit_at_double_noise);
    tcase_add_test(tc, the_roles_may_be_exchanged);
    tcase_add_test(tc, other_weight_types_have_their_own_floor);
    tcase_add_test(tc, symbolic_sizes_run_in_several);
    tcase_add_test(tc, size_that_a_network_is_made_for_is_found);
    tcase_add_test(tc, size_that_is_not_found_is_asked_for);
    tcase_add_test(tc, same_seed_gives_the_same_verdict);
    tcase_add_test(tc, parts_may_be_left_out);
    tcase_add_test(tc, progress_grows_to_the_end);
    tcase_add_test(tc, progress_can_cancel_anywhere);
    return tc;
}

static TCase *different_case(void)
{
    const int count = (int)(sizeof faults / sizeof *faults);
    TCase *tc = tcase_create("different");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, planted_fault_is_caught_by_name, 0, count);
    tcase_add_loop_test(tc, planted_fault_is_caught_in_a_fold_of_ours, 0,
                        count);
    tcase_add_loop_test(tc, planted_fault_is_caught_on_one_sample, 0, count);
    tcase_add_test(tc, chaos_in_one_sample_hides_nothing_in_another);
    tcase_add_test(tc, floor_is_what_its_definition_says);
    tcase_add_test(tc, fault_below_the_noise_floor_is_caught_by_its_segment);
    tcase_add_test(tc, ill_conditioned_model_is_measured_by_its_own_floor);
    tcase_add_test(tc, original_with_nan_is_inconclusive);
    tcase_add_test(tc, nan_in_the_second_only_is_a_difference);
    tcase_add_test(tc, sizes_and_exponents_are_not_perturbed);
    tcase_add_test(tc, what_folding_knows_is_not_stored);
    tcase_add_test(tc, output_without_elements_is_inconclusive);
    tcase_add_test(tc, chaotic_original_is_inconclusive);
    return tc;
}

Suite *suite_judge(void)
{
    Suite *suite = suite_create("judge");
    suite_add_tcase(suite, same_case());
    suite_add_tcase(suite, different_case());
    return suite;
}
