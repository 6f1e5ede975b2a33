/* Running graphs: memory, callbacks, what is refused. */
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "net_run.h"
#include "suites.h"
#include "zoo/zoo.h"

static Arena *arena;
static Err err;
static Net net;

static void setup(void)
{
    arena = arena_new(0);
    err = (Err){0};
    net = toy_new(arena);
}

static void teardown(void)
{
    arena_free(arena);
}

/* ---- Memory ---- */

/* The input belongs to the caller, a value that is read twice is not
 * overwritten in between, and one run leaves nothing behind for the next. */
START_TEST(values_live_as_long_as_they_are_read)
{
    toy_line(&net, 3);
    toy_node(&net, OP_Neg, "x", "a");
    toy_node(&net, OP_Abs, "a", "b");
    toy_node(&net, OP_Add, "b a", "c");
    toy_node(&net, OP_Add, "c a", "d");
    toy_node(&net, OP_Mul, "d d", "y");
    toy_finish(&net);
    Exec *exec = toy_plan(&net, (ExecOptions){0});
    Array *x = toy_array(arena, 3, 1);
    for (int again = 0; again < 3; again++) {
        const double *y = toy_run(&net, exec, x);
        for (int i = 0; i < 3; i++) {
            ck_assert_double_eq(((double *)x->data)[i], i + 1);
            ck_assert_double_eq(y[i], (i + 1) * (i + 1));
        }
    }
}
END_TEST

/* A reshaped value shares its source's memory, which must not be overwritten
 * while either is read. */
START_TEST(views_share_and_are_not_overwritten)
{
    toy_line(&net, 4);
    toy_weight(&net, "rows", DT_INT64, 1, &(int64_t){2},
               (const double[]){2, 2});
    toy_weight(&net, "flat", DT_INT64, 1, &(int64_t){1}, (const double[]){4});
    toy_node(&net, OP_Abs, "x", "a");
    toy_node(&net, OP_Reshape, "a rows", "b");
    toy_node(&net, OP_Neg, "b", "c");
    toy_node(&net, OP_Reshape, "c flat", "d");
    toy_node(&net, OP_Add, "a d", "e");
    toy_node(&net, OP_Reshape, "x flat", "f");
    toy_node(&net, OP_Neg, "f", "g");
    toy_node(&net, OP_Add, "e g", "y");
    toy_finish(&net);
    Array *x = toy_array(arena, 4, 1);
    const double *y = toy_run(&net, toy_plan(&net, (ExecOptions){0}), x);
    for (int i = 0; i < 4; i++)
        ck_assert_double_eq(y[i], -(i + 1));
    ck_assert_double_eq(((double *)x->data)[0], 1);
}
END_TEST

START_TEST(an_output_may_be_an_input_or_a_constant)
{
    toy_input(&net, "x", DT_FLOAT, 1, (const int64_t[]){2});
    toy_weight(&net, "w", DT_FLOAT, 1, &(int64_t){2}, (const double[]){7, 8});
    graph_add_output(net.graph, graph_value(net.graph, "x"));
    graph_add_output(net.graph, graph_value(net.graph, "w"));
    toy_finish(&net);
    Array *x = toy_array(arena, 2, 1), *outputs[2];
    ck_assert_int_eq(
        exec_run(toy_plan(&net, (ExecOptions){0}), arena, &x, outputs, &err),
        0);
    ck_assert_ptr_ne(outputs[0]->data, x->data);
    ck_assert_double_eq(((double *)outputs[0]->data)[1], 2);
    ck_assert_double_eq(((double *)outputs[1]->data)[0], 7);
}
END_TEST

/* An input that must be converted is let go when it is, one that is as it
 * should be is used where it lies; either may be an output, and neither is
 * overwritten while it is read. */
START_TEST(what_is_lent_is_not_copied)
{
    enum { SIZE = 100000 };
    const int64_t size = SIZE;
    void *wide, *narrow;
    Array *outputs[4];
    toy_input(&net, "x", DT_DOUBLE, 1, &size);
    toy_input(&net, "n", DT_INT8, 1, &size);
    toy_node(&net, OP_Identity, "n", "m");
    toy_node(&net, OP_Neg, "n", "p");
    toy_node(&net, OP_Neg, "x", "z");
    static const char *const names[] = {"x", "m", "p", "z"};
    for (size_t i = 0; i < 4; i++)
        graph_add_output(net.graph, graph_value(net.graph, names[i]));
    toy_finish(&net);
    Exec *exec = toy_plan(&net, (ExecOptions){.lends = true});
    Arena *own = arena_child(arena);
    ExecInput inputs[] = {
        {tensor_alloc(arena, DT_DOUBLE, 1, &size, &wide), NULL},
        {tensor_alloc(own, DT_INT8, 1, &size, &narrow), own},
    };
    ((double *)wide)[1] = 3;
    ((int8_t *)narrow)[1] = -4;
    size_t before = arena_bytes(arena);
    ck_assert_int_eq(exec_run_tensors(exec, arena, inputs, outputs, &err), 0);
    ck_assert_ptr_eq(outputs[0]->data, wide);
    ck_assert_double_eq(((double *)outputs[0]->data)[1], 3);
    ck_assert_int_eq(((int64_t *)outputs[1]->data)[1], -4);
    ck_assert_int_eq(((int64_t *)outputs[2]->data)[1], 4);
    ck_assert_double_eq(((double *)outputs[3]->data)[1], -3);
    /* n as int64, p and z; n as it came is gone. */
    size_t three = 3 * SIZE * sizeof(double);
    ck_assert_uint_lt(arena_bytes(arena), before + three - SIZE / 2);
}
END_TEST

/* A long chain needs the memory of two values, not of all; and a constant that
 * must be converted is there only while it is read. */
START_TEST(memory_is_that_of_values_alive_together)
{
    enum { SIZE = 100000, LENGTH = 40 };
    double *values = calloc(SIZE, sizeof *values);
    toy_line(&net, SIZE);
    const char *from = "x";
    for (int i = 0; i < LENGTH; i++) {
        const char *to = i + 1 < LENGTH ? arena_printf(arena, "v%d", i) : "y";
        const char *weight = arena_printf(arena, "w%d", i);
        toy_weight(&net, weight, DT_FLOAT, 1, &(int64_t){SIZE}, values);
        toy_node(&net, OP_Add, arena_printf(arena, "%s %s", from, weight), to);
        from = to;
    }
    free(values);
    toy_finish(&net);
    Exec *exec = toy_plan(&net, (ExecOptions){0});
    Array *x = toy_array(arena, SIZE, 1);
    size_t before = arena_bytes(arena);
    toy_run(&net, exec, x);
    /* A value and a weight, and the copy of the output. */
    ck_assert_uint_lt(arena_peak(arena) - before,
                      3 * SIZE * sizeof(double) * 11 / 10);
}
END_TEST

/* In float64 a large float32 weight is converted whenever it is read; a plan
 * that runs often has made of it beforehand what its reader wants. */
START_TEST(a_plan_that_runs_often_has_the_same_results)
{
    enum { SIZE = 40 };
    double values[SIZE * SIZE];
    for (int i = 0; i < SIZE * SIZE; i++)
        values[i] = random_normal(3, (uint64_t)i);
    toy_input(&net, "x", DT_FLOAT, 2, (const int64_t[]){1, SIZE});
    toy_output(&net, "y", DT_FLOAT);
    toy_weight(&net, "w", DT_FLOAT, 2, (const int64_t[]){SIZE, SIZE}, values);
    toy_node(&net, OP_MatMul, "x w", "y");
    toy_finish(&net);
    Array *x = array_new(arena, DT_FLOAT, 2, (const int64_t[]){1, SIZE},
                         PRECISION_F64);
    memcpy(x->data, toy_array(arena, SIZE, 1)->data, SIZE * sizeof(double));
    const double *once = toy_run(&net, toy_plan(&net, (ExecOptions){0}), x);
    Exec *often = toy_plan(&net, (ExecOptions){.runs_often = true});
    for (int i = 0; i < 2; i++)
        ck_assert_mem_eq(toy_run(&net, often, x), once, SIZE * sizeof *once);
}
END_TEST

/* A whole network at its full size: beside the weights, which lie where they
 * are, at most 1.2 times what is alive together. */
START_TEST(memory_is_little_more_than_the_largest_live_set)
{
    Model *model;
    Exec *exec;
    Array *outputs[1];
    rp_sample_options options = {.variant = "fastvit_t8"};
    ck_assert_int_eq(
        zoo_build(arena, &options, weights_from_seed(arena, 1), &model, &err),
        0);
    const Fact *fact = &model->graph->inputs[0]->fact;
    Array *x =
        array_new(arena, DT_FLOAT, fact->rank, fact->dims, PRECISION_F32);
    memset(x->data, 0, (size_t)x->count * sizeof(float));
    ck_assert_int_eq(exec_new(arena, model->graph,
                              &(ExecOptions){.precision = PRECISION_F32}, &exec,
                              &err),
                     0);
    size_t before = arena_bytes(arena);
    ck_assert_int_eq(exec_run(exec, arena, &x, outputs, &err), 0);
    ExecMemory memory = exec_memory(exec);
    /* Three tensors of 48 channels at half the size of the input. */
    ck_assert_uint_gt(memory.live, 48 * 128 * 128 * sizeof(float));
    ck_assert_uint_lt(memory.live, 3 * 48 * 128 * 128 * sizeof(float));
    ck_assert_uint_le(memory.peak, memory.live + memory.live / 5);
    ck_assert_uint_le(arena_peak(arena) - before,
                      memory.live + memory.live / 5);
}
END_TEST

/* ---- Precision and threads ---- */

START_TEST(formulas_are_exact_on_demand)
{
    toy_input(&net, "x", DT_FLOAT, 1, (const int64_t[]){1});
    toy_output(&net, "y", DT_FLOAT);
    toy_formula(&net, "w", 1, (const int64_t[]){1},
                (const double[]){1 + 0x1p-40});
    toy_node(&net, OP_Mul, "x w", "y");
    toy_finish(&net);
    Array *x = toy_array(arena, 1, 1);
    ck_assert_double_eq(
        toy_run(&net, toy_plan(&net, (ExecOptions){.exact = true}), x)[0],
        1 + 0x1p-40);
    ck_assert_double_eq(
        toy_run(&net, toy_plan(&net, (ExecOptions){.exact = false}), x)[0], 1);
}
END_TEST

/* The reparameterizable network of net.h, on any number of threads. */
START_TEST(results_do_not_depend_on_threads)
{
    Model *model = toy_trained(arena, (Shape){0});
    for (int p = PRECISION_F32; p <= PRECISION_F64; p++) {
        const Fact *fact = &model->graph->inputs[0]->fact;
        Array *x =
            array_new(arena, fact->type, fact->rank, fact->dims, (Precision)p);
        Array *outputs[4];
        for (int64_t i = 0; i < x->count; i++)
            if (p == PRECISION_F32)
                ((float *)x->data)[i] = (float)random_normal(3, (uint64_t)i);
            else
                ((double *)x->data)[i] = random_normal(3, (uint64_t)i);
        for (int threads = 1; threads <= 4; threads++) {
            ExecOptions options = {.precision = (Precision)p,
                                   .pool = pool_new(arena, threads)};
            Exec *exec;
            ck_assert_int_eq(
                exec_new(arena, model->graph, &options, &exec, &err), 0);
            ck_assert_int_eq(
                exec_run(exec, arena, &x, &outputs[threads - 1], &err), 0);
            size_t size = p == PRECISION_F32 ? sizeof(float) : sizeof(double);
            ck_assert_int_eq(memcmp(outputs[threads - 1]->data,
                                    outputs[0]->data,
                                    (size_t)outputs[0]->count * size),
                             0);
        }
    }
}
END_TEST

/* ---- Callbacks ---- */

typedef struct Seen {
    int probes, timings;
    double sums[8];
    int fail_at;
} Seen;

static int note_value(void *context, const Node *node, int output,
                      const Array *array, Err *fault)
{
    Seen *seen = context;
    ck_assert_int_eq(output, 0);
    for (int64_t i = 0; i < array->count; i++)
        seen->sums[seen->probes] += ((const double *)array->data)[i];
    seen->probes++;
    if (seen->probes == seen->fail_at)
        return err_set(fault, ERR_INTERNAL, "stopped at %s", node->name);
    return 0;
}

static void note_time(void *context, const Node *const *nodes, int count,
                      double seconds)
{
    Seen *seen = context;
    for (int i = 0; i < count; i++)
        ck_assert_ptr_nonnull(nodes[i]);
    ck_assert_double_ge(seconds, 0);
    seen->timings++;
}

static ExecOptions watched(Seen *seen)
{
    return (ExecOptions){.probe = note_value,
                         .probe_context = seen,
                         .timing = note_time,
                         .timing_context = seen};
}

static void chain_of_three(void)
{
    toy_line(&net, 2);
    toy_node(&net, OP_Neg, "x", "a");
    toy_node(&net, OP_Abs, "a", "b");
    toy_node(&net, OP_Add, "b b", "y");
    toy_finish(&net);
}

START_TEST(the_probe_sees_every_value_before_it_is_overwritten)
{
    Seen seen = {0};
    chain_of_three();
    toy_run(&net, toy_plan(&net, watched(&seen)), toy_array(arena, 2, 1));
    ck_assert_int_eq(seen.probes, 3);
    ck_assert_int_eq(seen.timings, 3);
    ck_assert_double_eq(seen.sums[0], -3);
    ck_assert_double_eq(seen.sums[1], 3);
    ck_assert_double_eq(seen.sums[2], 6);
}
END_TEST

START_TEST(a_probe_that_fails_ends_the_run)
{
    Seen seen = {.fail_at = 2};
    chain_of_three();
    Exec *exec = toy_plan(&net, watched(&seen));
    Array *x = toy_array(arena, 2, 1), *output;
    ck_assert_int_eq(exec_run(exec, arena, &x, &output, &err), -1);
    ck_assert_str_eq(err.message, "stopped at node_b");
    ck_assert_int_eq(seen.probes, 2);
    /* And the plan can be run again. */
    seen = (Seen){0};
    err = (Err){0};
    ck_assert_double_eq(toy_run(&net, exec, x)[1], 4);
}
END_TEST

/* ---- Refusals ---- */

static void check_plan_refused(ErrCode code, const char *text)
{
    Exec *exec;
    ExecOptions options = {.precision = PRECISION_F32};
    ck_assert_int_eq(exec_new(arena, net.graph, &options, &exec, &err), -1);
    ck_assert_int_eq(err.code, code);
    ck_assert_msg(strstr(err.message, text) != NULL, "%s", err.message);
}

START_TEST(an_unknown_operator_is_refused_by_name)
{
    toy_line(&net, 2);
    Node *node = toy_node(&net, OP_OTHER, "x", "y");
    node->op_type = "FancyNorm";
    node->domain = "com.example";
    ck_assert(!exec_supports(node));
    check_plan_refused(ERR_UNSUPPORTED_OPERATOR,
                       "operator FancyNorm of domain com.example (opset 17)");
}
END_TEST

START_TEST(a_node_alone_is_refused_by_name_too)
{
    toy_line(&net, 2);
    Node *node = toy_node(&net, OP_Scan, "x", "y");
    Array *x = toy_array(arena, 2, 1), *output;
    ExecOptions options = {.precision = PRECISION_F64};
    ck_assert_int_eq(exec_node(arena, node, &options, &x, &output, &err), -1);
    ck_assert_int_eq(err.code, ERR_UNSUPPORTED_OPERATOR);
    ck_assert_ptr_nonnull(strstr(err.message, "node_y"));
}
END_TEST

START_TEST(a_value_that_does_not_exist_is_refused)
{
    toy_line(&net, 2);
    toy_node(&net, OP_Add, "x ghost", "y");
    Exec *exec = toy_plan(&net, (ExecOptions){0});
    Array *x = toy_array(arena, 2, 1), *output;
    ck_assert_int_eq(exec_run(exec, arena, &x, &output, &err), -1);
    ck_assert_int_eq(err.code, ERR_UNDEFINED_VALUE);
    ck_assert_ptr_nonnull(strstr(err.message, "ghost"));
}
END_TEST

START_TEST(string_constants_are_refused_by_name)
{
    toy_line(&net, 2);
    static const int64_t one = 1;
    Tensor *text = arena_alloc(arena, sizeof *text);
    *text = (Tensor){.type = DT_STRING, .rank = 1, .dims = &one, .count = 1};
    graph_set_initializer(net.graph, graph_value(net.graph, "label"), text);
    toy_node(&net, OP_Equal, "x label", "y");
    check_plan_refused(ERR_UNSUPPORTED_TYPE, "\"label\"");
}
END_TEST

START_TEST(inputs_of_the_wrong_shape_or_type_are_refused)
{
    toy_line(&net, 2);
    toy_node(&net, OP_Neg, "x", "y");
    toy_finish(&net);
    Exec *exec = toy_plan(&net, (ExecOptions){0});
    Array *x = toy_array(arena, 3, 1), *output;
    ck_assert_int_eq(exec_run(exec, arena, &x, &output, &err), -1);
    ck_assert_int_eq(err.code, ERR_BAD_INPUT);
    ck_assert_str_eq(err.message, "input \"x\" is float32[3] where the model "
                                  "wants float32[2]");
    err = (Err){0};
    x = toy_array(arena, 2, 1);
    x->type = DT_DOUBLE;
    ck_assert_int_eq(exec_run(exec, arena, &x, &output, &err), -1);
    ck_assert_int_eq(err.code, ERR_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(err.message, "float64"));
}
END_TEST

START_TEST(a_kernels_error_names_the_node)
{
    toy_line(&net, 2);
    toy_weight(&net, "i", DT_INT64, 1, &(int64_t){1}, (const double[]){5});
    toy_node(&net, OP_Gather, "x i", "y");
    toy_finish(&net);
    Exec *exec = toy_plan(&net, (ExecOptions){0});
    Array *x = toy_array(arena, 2, 1), *output;
    ck_assert_int_eq(exec_run(exec, arena, &x, &output, &err), -1);
    ck_assert_int_eq(err.code, ERR_BAD_INDEX);
    ck_assert_str_eq(err.message, "Gather node \"node_y\": index 5 is outside "
                                  "of an axis of size 2");
}
END_TEST

/* Every allocation of planning and running fails once: all of them unwind. */
START_TEST(no_memory_unwinds)
{
    chain_of_three();
    bool done = false;
    for (size_t n = 1; !done && n < 1000; n++) {
        Arena *inner = arena_new(0);
        Exec *exec;
        Array *output;
        ExecOptions options = {.precision = PRECISION_F64};
        Array *x = array_new(inner, DT_FLOAT, 1, (int64_t[]){2}, PRECISION_F64);
        memset(x->data, 0, 2 * sizeof(double));
        if (ARENA_GUARD(inner)) {
            mem_fail_at(n);
            done = exec_new(inner, net.graph, &options, &exec, &err) == 0 &&
                   exec_run(exec, inner, &x, &output, &err) == 0;
        }
        mem_fail_at(0);
        arena_free(inner);
    }
    ck_assert(done);
}
END_TEST

Suite *suite_exec(void)
{
    Suite *suite = suite_create("exec");
    TCase *tcase = tcase_create("exec");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, values_live_as_long_as_they_are_read);
    tcase_add_test(tcase, views_share_and_are_not_overwritten);
    tcase_add_test(tcase, an_output_may_be_an_input_or_a_constant);
    tcase_add_test(tcase, what_is_lent_is_not_copied);
    tcase_add_test(tcase, memory_is_that_of_values_alive_together);
    tcase_add_test(tcase, a_plan_that_runs_often_has_the_same_results);
    tcase_add_test(tcase, memory_is_little_more_than_the_largest_live_set);
    tcase_add_test(tcase, formulas_are_exact_on_demand);
    tcase_add_test(tcase, results_do_not_depend_on_threads);
    tcase_add_test(tcase, the_probe_sees_every_value_before_it_is_overwritten);
    tcase_add_test(tcase, a_probe_that_fails_ends_the_run);
    tcase_add_test(tcase, an_unknown_operator_is_refused_by_name);
    tcase_add_test(tcase, a_node_alone_is_refused_by_name_too);
    tcase_add_test(tcase, a_value_that_does_not_exist_is_refused);
    tcase_add_test(tcase, string_constants_are_refused_by_name);
    tcase_add_test(tcase, inputs_of_the_wrong_shape_or_type_are_refused);
    tcase_add_test(tcase, a_kernels_error_names_the_node);
    tcase_add_test(tcase, no_memory_unwinds);
    suite_add_tcase(suite, tcase);
    return suite;
}
