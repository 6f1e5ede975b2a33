#include "suites.h"

#include <math.h>
#include <string.h>

#include "judge/segment.h"
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

/* ---- Running both models ---- */

static Array *random_like(const Value *value)
{
    int64_t dims[RANK_MAX];
    for (int i = 0; i < value->fact.rank; i++)
        dims[i] = value->fact.dims[i] < 0 ? 7 : value->fact.dims[i];
    Array *array = array_new(arena, value->fact.type, value->fact.rank, dims,
                             PRECISION_F64);
    for (int64_t i = 0; i < array->count; i++)
        ((double *)array->data)[i] = sin(1.7 * (double)i + 0.3);
    return array;
}

typedef struct See {
    SharedSet *set;
    bool is_b;
} See;

static int see(void *context, const Node *node, int output, const Array *array,
               Err *err)
{
    See *s = context;
    (void)err;
    if (s->is_b)
        shared_see_b(s->set, node->outputs[output], array);
    else
        shared_see_a(arena, s->set, node->outputs[output], array);
    return 0;
}

static void run_whole(SharedSet *set, const Model *model, bool is_b,
                      Array *const *inputs)
{
    See s = {set, is_b};
    ExecOptions options = {
        .precision = PRECISION_F64, .probe = see, .probe_context = &s};
    Exec *exec;
    Array *outputs[8];
    Err err = {0};
    ck_assert_msg(exec_new(arena, model->graph, &options, &exec, &err) == 0,
                  "%s", err.message);
    ck_assert_msg(exec_run(exec, arena, inputs, outputs, &err) == 0, "%s",
                  err.message);
}

static SharedSet *last_shared;

static SegmentResult compare(const Model *a, const Model *b, double rounding)
{
    Array *inputs[4];
    for (size_t i = 0, k = 0; i < a->graph->input_count; i++)
        if (!a->graph->inputs[i]->is_initializer)
            inputs[k++] = random_like(a->graph->inputs[i]);
    SharedSet *set = last_shared =
        shared_new(arena, a->graph, b->graph, PRECISION_F64);
    run_whole(set, a, false, inputs);
    run_whole(set, b, true, inputs);
    shared_settle(set);
    SegmentJob job = {.shared = set,
                      .inputs_a = inputs,
                      .inputs_b = inputs,
                      .rounding_a = rounding,
                      .rounding_b = rounding};
    SegmentResult result;
    Err err = {0};
    ck_assert_msg(segments_compare(arena, &job, &result, &err) == 0, "%s",
                  err.message);
    return result;
}

static const double F32 = 0x1p-24;

/* ---- The network of net.h ---- */

START_TEST(changed_segments_are_compared_and_the_others_counted)
{
    SegmentResult result = compare(toy_trained(arena, (Shape){0}),
                                   toy_folded(arena, (Shape){0}), F32);
    /* stem, block, scaled are made anew; act, mixed, pooled, flat, y not. */
    ck_assert_uint_eq(result.compared, 3);
    ck_assert_uint_eq(result.same, 5);
    ck_assert_uint_eq(result.left_out, 0);
    ck_assert_uint_eq(result.fault_count, 0);
    ck_assert_ptr_nonnull(result.worst);
    ck_assert(result.worst->ratio > 0 && result.worst->ratio < 1);
}
END_TEST

/* The bound is not just safe: rounding uses a good part of it. */
START_TEST(bound_is_not_far_from_what_rounding_does)
{
    SegmentResult result = compare(toy_trained(arena, (Shape){0}),
                                   toy_folded(arena, (Shape){0}), F32);
    ck_assert(result.worst->ratio > 1e-3);
}
END_TEST

/* With no rounding allowed, that of the weights is a fault. */
START_TEST(bound_without_rounding_finds_the_rounding)
{
    SegmentResult result = compare(toy_trained(arena, (Shape){0}),
                                   toy_folded(arena, (Shape){0}), 0);
    ck_assert_uint_eq(result.fault_count, 3);
    Shape exact = {.type = DT_DOUBLE};
    result =
        compare(toy_trained(arena, exact), toy_folded(arena, exact), 0x1p-53);
    ck_assert_uint_eq(result.fault_count, 0);
    ck_assert_uint_eq(result.compared, 3);
}
END_TEST

START_TEST(several_faults_are_listed_in_order)
{
    Shape one = {.fault = FAULT_SCALE};
    const Model *b = toy_folded(arena, one);
    /* And the stem's first weight. */
    Value *weight = graph_value(b->graph, "s_w");
    float *values = (float *)(uintptr_t)weight->tensor->data;
    values[0] *= 1.01f;
    SegmentResult result = compare(toy_trained(arena, (Shape){0}), b, F32);
    ck_assert_uint_eq(result.fault_count, 2);
    ck_assert_str_eq(result.faults[0].output, "stem");
    ck_assert_str_eq(result.faults[0].node_a, "node_stem");
    ck_assert_str_eq(result.faults[1].output, "scaled");
    ck_assert(result.faults[0].bound < result.faults[0].difference);
}
END_TEST

/* x * w * factor -> y, or x times the product, which is below float32's normal
 * numbers and so stored with few digits. */
static const Model *tiny_product(bool merged, double error)
{
    int64_t dims[2] = {1, 4}, one = 4;
    double w[4] = {1e-20, 3e-20, 7e-21, 2e-23}, factor[4], product[4];
    for (int i = 0; i < 4; i++) {
        w[i] = (double)(float)w[i];
        factor[i] = (double)3.3e-20f;
        product[i] = (double)(float)(w[i] * factor[i] * (1 + error));
    }
    Net net = toy_new(arena);
    toy_input(&net, "x", DT_FLOAT, 2, dims);
    toy_weight(&net, "w", DT_FLOAT, 1, &one, merged ? product : w);
    toy_weight(&net, "factor", DT_FLOAT, 1, &one, factor);
    toy_node(&net, OP_Mul, "x w", merged ? "y" : "t");
    if (!merged)
        toy_node(&net, OP_Mul, "t factor", "y");
    toy_output(&net, "y", DT_FLOAT);
    return toy_finish(&net);
}

START_TEST(bound_knows_that_subnormal_weights_have_few_digits)
{
    const Model *exact = tiny_product(false, 0);
    SegmentResult result = compare(exact, tiny_product(true, 0), F32);
    ck_assert_uint_eq(result.compared, 1);
    ck_assert_uint_eq(result.fault_count, 0);
    ck_assert(result.worst->ratio > 0.1);
    ck_assert_double_eq_tol(result.worst->difference / result.worst->bound,
                            result.worst->ratio, 1e-12);
    result = compare(exact, tiny_product(true, 1e-4), F32);
    ck_assert_uint_eq(result.fault_count, 1);
}
END_TEST

/* ---- Names with two meanings ---- */

/* x -> conv "t" -> times 3 -> "u" -> Relu -> y: in the second model the factor
 * is in the kernel already, so its "t" is three times the first's. */
static const Model *early_or_late(bool early, double error)
{
    int64_t dims[4] = {1, 1, 5, 5}, one[4] = {1, 1, 1, 1};
    double weight = early ? 3 * 0.75 + error : 0.75, factor = 3;
    Net net = toy_new(arena);
    toy_input(&net, "x", DT_FLOAT, 4, dims);
    toy_weight(&net, "w", DT_FLOAT, 4, one, &weight);
    toy_weight(&net, "factor", DT_FLOAT, 2, one, &factor);
    double shape[2] = {1, 25};
    int64_t two = 2;
    toy_weight(&net, "shape", DT_INT64, 1, &two, shape);
    toy_node(&net, OP_Conv, "x w", "t");
    toy_node(&net, OP_Reshape, "t shape", early ? "u" : "flat");
    if (!early)
        toy_node(&net, OP_Mul, "flat factor", "u");
    toy_node(&net, OP_Relu, "u", "y");
    toy_output(&net, "y", DT_FLOAT);
    return toy_finish(&net);
}

START_TEST(name_with_two_meanings_is_no_cut)
{
    SegmentResult result =
        compare(early_or_late(false, 0), early_or_late(true, 0), F32);
    ck_assert_uint_eq(result.left_out, 1);
    ck_assert_uint_eq(result.fault_count, 0);
    ck_assert_uint_eq(result.compared, 1);
    ck_assert_str_eq(result.worst->output, "u");
}
END_TEST

START_TEST(fault_is_found_behind_a_name_with_two_meanings)
{
    SegmentResult result =
        compare(early_or_late(false, 0), early_or_late(true, 1e-3), F32);
    ck_assert_uint_eq(result.fault_count, 1);
    ck_assert_str_eq(result.faults[0].output, "u");
}
END_TEST

/* x w -> "t", + b -> "u", Relu -> y: in the second model a little of b is added
 * before "t" already, which is near the first one's, and less of it after. */
static const Model *shifted_early(double early, double error)
{
    int64_t dims[2] = {3, 4}, weight[2] = {4, 2}, width = 2;
    double w[8] = {1.5, -2, 0.5, 3, 1.25, 0.75, -1, 2}, first[2], rest[2];
    for (int i = 0; i < 2; i++) {
        first[i] = early;
        rest[i] = 0.5 - early + error;
    }
    Net net = toy_new(arena);
    toy_input(&net, "x", DT_FLOAT, 2, dims);
    toy_weight(&net, "w", DT_FLOAT, 2, weight, w);
    toy_weight(&net, "first", DT_FLOAT, 1, &width, first);
    toy_weight(&net, "rest", DT_FLOAT, 1, &width, rest);
    toy_node(&net, OP_MatMul, "x w", early > 0 ? "product" : "t");
    if (early > 0)
        toy_node(&net, OP_Add, "product first", "t");
    toy_node(&net, OP_Add, "t rest", "u");
    toy_node(&net, OP_Relu, "u", "y");
    toy_output(&net, "y", DT_FLOAT);
    return toy_finish(&net);
}

START_TEST(near_meanings_are_told_by_what_makes_them_good)
{
    const double early = 0x1p-6;
    SegmentResult result =
        compare(shifted_early(0, 0), shifted_early(early, 0), F32);
    ck_assert_uint_eq(result.fault_count, 0);
    ck_assert_uint_eq(result.left_out, 1);
    ck_assert_uint_eq(result.compared, 1);
    ck_assert_str_eq(result.worst->output, "u");
    result = compare(shifted_early(0, 0), shifted_early(early, 1e-3), F32);
    ck_assert_uint_eq(result.fault_count, 2);
    ck_assert_str_eq(result.faults[0].output, "t");
}
END_TEST

START_TEST(name_with_two_shapes_is_no_cut)
{
    const Model *models[2];
    int64_t dims[4] = {1, 2, 3, 4};
    for (int i = 0; i < 2; i++) {
        Net net = toy_new(arena);
        toy_input(&net, "x", DT_FLOAT, 4, dims);
        toy_node(&net, OP_Transpose, "x", i ? "other" : "t");
        toy_node(&net, OP_Relu, i ? "x" : "t", i ? "t" : "r");
        toy_node(&net, i ? OP_Identity : OP_Transpose, i ? "t" : "r", "y");
        toy_output(&net, "y", DT_FLOAT);
        models[i] = toy_finish(&net);
    }
    SegmentResult result = compare(models[0], models[1], F32);
    ck_assert_uint_eq(result.left_out, 1);
    ck_assert_uint_eq(result.fault_count, 0);
    ck_assert_uint_eq(result.compared, 1);
}
END_TEST

/* ---- Bounds through other operators ---- */

/* An operator on "t", which rounding has touched, on |t|, called "p", or on
 * what Relu leaves of it, called "r", of whose zeros Log has no bound. */
typedef struct Chain {
    Op op;
    const char *inputs;
} Chain;

/* The names of the second model's values are others, so that only y is
 * shared. */
static const char *renamed(const char *inputs, bool second)
{
    char *names = arena_strdup(arena, inputs), *rest = NULL;
    const char *out = "";
    for (char *name = strtok_r(names, " ", &rest); name;
         name = strtok_r(NULL, " ", &rest)) {
        bool touched = strlen(name) == 1 && strchr("tpr", name[0]);
        out = arena_printf(arena, "%s %s%s", out, name,
                           touched && second ? "2" : "");
    }
    return out;
}

/* x * w -> t, |t| -> p, the operator -> y. The second model's w is one unit in
 * the last place larger, or wrong by `error`. */
static const Model *chain(const Chain *link, bool second, double error)
{
    int64_t dims[4] = {1, 2, 4, 4}, scale[3] = {2, 1, 1}, none = 0, two = 2;
    double w[2] = {1.2345678, 0.7654321}, power = 2, low = -0.5, high = 0.75;
    double flat[2] = {1, 32};
    for (int i = 0; second && i < 2; i++)
        w[i] = (double)nextafterf((float)w[i], 2) * (1 + error);
    Net net = toy_new(arena);
    net.model->opset = 20; /* has Gelu */
    toy_input(&net, "x", DT_FLOAT, 4, dims);
    toy_weight(&net, "w", DT_FLOAT, 3, scale, w);
    toy_weight(&net, "power", DT_FLOAT, 0, &none, &power);
    toy_weight(&net, "low", DT_FLOAT, 0, &none, &low);
    toy_weight(&net, "high", DT_FLOAT, 0, &none, &high);
    toy_weight(&net, "flat", DT_INT64, 1, &two, flat);
    toy_node(&net, OP_Mul, "x w", second ? "t2" : "t");
    toy_node(&net, OP_Abs, second ? "t2" : "t", second ? "p2" : "p");
    toy_node(&net, OP_Relu, second ? "t2" : "t", second ? "r2" : "r");
    Node *node = toy_node(&net, link->op, renamed(link->inputs, second), "y");
    int64_t window[2] = {2, 2};
    if (link->op == OP_MaxPool || link->op == OP_AveragePool)
        node_set_ints(node, "kernel_shape", window, 2);
    if (link->op == OP_Concat)
        node_set_int(node, "axis", 1);
    toy_output(&net, "y", DT_FLOAT);
    return toy_finish(&net);
}

static const Chain chains[] = {
    {OP_Relu, "t"},          {OP_Sigmoid, "t"},
    {OP_Tanh, "t"},          {OP_Erf, "t"},
    {OP_HardSwish, "t"},     {OP_LeakyRelu, "t"},
    {OP_Elu, "t"},           {OP_Softplus, "t"},
    {OP_Exp, "t"},           {OP_Sqrt, "p"},
    {OP_Log, "p"},           {OP_Log, "r"},
    {OP_Reciprocal, "p"},    {OP_Pow, "t power"},
    {OP_Clip, "t low high"}, {OP_Add, "t x"},
    {OP_Sub, "x t"},         {OP_Mul, "t t"},
    {OP_Mul, "x t"},         {OP_Div, "t x"},
    {OP_Div, "x t"},         {OP_Max, "t x"},
    {OP_Min, "t x"},         {OP_MatMul, "t t"},
    {OP_MatMul, "x t"},      {OP_Neg, "t"},
    {OP_Reshape, "t flat"},  {OP_Transpose, "t"},
    {OP_Concat, "t x"},      {OP_Softmax, "t"},
    {OP_LogSoftmax, "t"},    {OP_MaxPool, "t"},
    {OP_AveragePool, "t"},   {OP_GlobalAveragePool, "t"},
    {OP_GlobalMaxPool, "t"}, {OP_ReduceMean, "t"},
    {OP_ReduceSum, "t"},     {OP_ReduceMax, "t"},
    {OP_Gelu, "t"},          {OP_Mish, "t"},
    {OP_Cos, "t"},
};

START_TEST(bound_goes_through_an_operator)
{
    const Chain *link = &chains[_i];
    SegmentResult result =
        compare(chain(link, false, 0), chain(link, true, 0), 0x1p-23);
    ck_assert_msg(result.compared == 1 && result.fault_count == 0,
                  "%s: %zu compared, ratio %g", op_name(link->op),
                  result.compared, result.worst ? result.worst->ratio : -1);
    /* A relative error of 1e-3 is thousands of bounds at t; no operator may
     * blow the bound up so far that it is not seen. */
    result = compare(chain(link, false, 0), chain(link, true, 1e-3), 0x1p-23);
    ck_assert_msg(result.fault_count == 1, "%s: ratio %g", op_name(link->op),
                  result.worst ? result.worst->ratio : -1);
}
END_TEST

/* ---- What cannot be bounded ---- */

START_TEST(bound_that_allows_anything_is_left_out)
{
    Chain link = {OP_Relu, "t"};
    SegmentResult result =
        compare(chain(&link, false, 0), chain(&link, true, 1e-3), 2);
    ck_assert_uint_eq(result.compared, 0);
    ck_assert_uint_eq(result.left_out, 1);
    ck_assert_ptr_null(result.worst);
}
END_TEST

/* x w, and beside it a constant; only y is shared. */
static const Model *beside_a_constant(bool second)
{
    int64_t dims[2] = {1, 4}, none = 0;
    double w[4] = {1, 2, 3, 4 + 1e-6 * second}, large = 1e30;
    Net net = toy_new(arena);
    toy_input(&net, "x", DT_FLOAT, 2, dims);
    toy_weight(&net, "w", DT_FLOAT, 2, dims, w);
    toy_weight(&net, "large", DT_FLOAT, 0, &none, &large);
    toy_weight(&net, "shape", DT_INT64, 1, (int64_t[]){2}, (double[]){1, 1});
    toy_node(&net, OP_Mul, "x w", second ? "p" : "product");
    toy_node(&net, OP_Expand, "large shape", second ? "c" : "constant");
    node_set_int(
        toy_node(&net, OP_Concat, second ? "p c" : "product constant", "y"),
        "axis", 1);
    toy_output(&net, "y", DT_FLOAT);
    return toy_finish(&net);
}

START_TEST(exact_constant_says_nothing_of_the_rest)
{
    SegmentResult result =
        compare(beside_a_constant(false), beside_a_constant(true), 2);
    ck_assert_uint_eq(result.left_out, 1);
    result = compare(beside_a_constant(false), beside_a_constant(true), F32);
    ck_assert_uint_eq(result.fault_count, 1);
}
END_TEST

/* Without a shared name on the way, the bound doubles with every layer and
 * outgrows a double; what follows must not take that for exact. */
START_TEST(bound_that_overflows_is_left_out)
{
    enum { LAYERS = 1200 };
    int64_t dims[2] = {1, 2}, square[2] = {2, 2};
    double rotation[4] = {0.8, 0.6, -0.6, 0.8};
    const Model *models[2];
    for (int m = 0; m < 2; m++) {
        Net net = toy_new(arena);
        toy_input(&net, "x", DT_FLOAT, 2, dims);
        toy_weight(&net, "w", DT_FLOAT, 2, square, rotation);
        const char *last = "x";
        for (int i = 0; i < LAYERS; i++) {
            const char *next = arena_printf(arena, "%c%d", m ? 'b' : 'a', i);
            toy_node(&net, OP_MatMul, arena_printf(arena, "%s w", last), next);
            last = next;
        }
        toy_node(&net, OP_Flatten, last, m ? "g" : "f");
        toy_node(&net, OP_Neg, m ? "g" : "f", "y");
        toy_output(&net, "y", DT_FLOAT);
        models[m] = toy_finish(&net);
    }
    SegmentResult result = compare(models[0], models[1], F32);
    ck_assert_uint_eq(result.compared, 0);
    ck_assert_uint_eq(result.left_out, 1);
}
END_TEST

START_TEST(same_model_has_nothing_to_compare)
{
    const Model *model = toy_trained(arena, (Shape){0});
    SegmentResult result = compare(model, model, F32);
    ck_assert_uint_eq(result.compared, 0);
    ck_assert_uint_eq(result.same, 16);
    ck_assert_ptr_null(result.worst);
}
END_TEST

/* What is copied between the two runs is freed as they go on. */
START_TEST(memory_does_not_grow_with_depth)
{
    enum { SHORT = 10, LONG = 200 };
    int64_t dims[4] = {1, 8, 64, 64}, one[4] = {8, 8, 1, 1};
    double weights[64];
    size_t peaks[2];
    for (int i = 0; i < 64; i++)
        weights[i] = i % 9 == 0 ? 1 : 0.01;
    for (int k = 0; k < 2; k++) {
        Arena *outer = arena;
        arena = arena_new(0);
        const Model *models[2];
        for (int m = 0; m < 2; m++) {
            Net net = toy_new(arena);
            toy_input(&net, "v0", DT_FLOAT, 4, dims);
            weights[1] += m ? 1e-9 : 0;
            toy_weight(&net, "w", DT_FLOAT, 4, one, weights);
            int layers = k ? LONG : SHORT;
            for (int i = 0; i < layers; i++)
                toy_node(&net, OP_Conv, arena_printf(arena, "v%d w", i),
                         i + 1 == layers ? "y"
                                         : arena_printf(arena, "v%d", i + 1));
            toy_output(&net, "y", DT_FLOAT);
            models[m] = toy_finish(&net);
        }
        weights[1] -= 1e-9;
        SegmentResult result = compare(models[0], models[1], F32);
        ck_assert_uint_eq(result.fault_count, 0);
        ck_assert_uint_eq(result.compared, k ? LONG : SHORT);
        peaks[k] = arena_peak(arena);
        arena_free(arena);
        arena = outer;
    }
    ck_assert_uint_lt(peaks[1], peaks[0] + (8u << 20));
}
END_TEST

Suite *suite_segment(void)
{
    Suite *suite = suite_create("segment");
    TCase *tc = tcase_create("segment");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, changed_segments_are_compared_and_the_others_counted);
    tcase_add_test(tc, bound_is_not_far_from_what_rounding_does);
    tcase_add_test(tc, bound_without_rounding_finds_the_rounding);
    tcase_add_test(tc, several_faults_are_listed_in_order);
    tcase_add_test(tc, bound_knows_that_subnormal_weights_have_few_digits);
    tcase_add_test(tc, name_with_two_meanings_is_no_cut);
    tcase_add_test(tc, fault_is_found_behind_a_name_with_two_meanings);
    tcase_add_test(tc, near_meanings_are_told_by_what_makes_them_good);
    tcase_add_test(tc, name_with_two_shapes_is_no_cut);
    tcase_add_loop_test(tc, bound_goes_through_an_operator, 0,
                        (int)(sizeof chains / sizeof *chains));
    tcase_add_test(tc, bound_that_allows_anything_is_left_out);
    tcase_add_test(tc, exact_constant_says_nothing_of_the_rest);
    tcase_add_test(tc, bound_that_overflows_is_left_out);
    tcase_add_test(tc, same_model_has_nothing_to_compare);
    tcase_add_test(tc, memory_does_not_grow_with_depth);
    suite_add_tcase(suite, tc);
    return suite;
}
