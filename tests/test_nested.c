/* Running nodes that hold graphs: If, Loop, Scan, calls of functions. */
#include <string.h>

#include "net_run.h"
#include "suites.h"

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

/* ---- If and Loop ---- */

/* A branch: its output is x, of the enclosing graph, through `op`. */
static Graph *branch(Op op)
{
    Net inner = net;
    inner.graph = graph_new(net.model, net.graph);
    Value *x = graph_find_value(inner.graph, "x");
    Value *z = graph_value(inner.graph, "z");
    graph_add_node(inner.graph,
                   node_new(inner.graph, op, "inner", &x, 1, &z, 1));
    graph_add_output(inner.graph, z);
    return inner.graph;
}

static void set_graph(Node *node, const char *name, Graph *graph)
{
    node_set_int(node, name, 0);
    Attr *attr = &node->attrs[node->attr_count - 1];
    attr->type = ATTR_GRAPH;
    attr->graph = graph;
}

START_TEST(an_if_takes_one_branch_and_what_it_captures)
{
    toy_input(&net, "x", DT_FLOAT, 1, (const int64_t[]){2});
    toy_input(&net, "c", DT_BOOL, 0, NULL);
    toy_output(&net, "y", DT_FLOAT);
    Node *node = toy_node(&net, OP_If, "c", "t");
    set_graph(node, "then_branch", branch(OP_Neg));
    set_graph(node, "else_branch", branch(OP_Abs));
    toy_node(&net, OP_Add, "t x", "y");
    Exec *exec = toy_plan(&net, (ExecOptions){0});
    Array *inputs[] = {toy_array(arena, 2, 1),
                       array_new(arena, DT_BOOL, 0, NULL, PRECISION_F64)};
    for (int64_t yes = 0; yes <= 1; yes++) {
        Array *output;
        *(int64_t *)inputs[1]->data = yes;
        ck_assert_msg(exec_run(exec, arena, inputs, &output, &err) == 0, "%s",
                      err.message);
        ck_assert_double_eq(((double *)output->data)[1], yes ? 0 : 4);
    }
}
END_TEST

/* Three times s = s + x, with x of the enclosing graph; all s are kept. */
static void loop_of(int64_t trips)
{
    toy_input(&net, "x", DT_FLOAT, 1, (const int64_t[]){2});
    Graph *body = graph_new(net.model, net.graph);
    Value *in[3], *out[3];
    static const char *const inputs[] = {"i", "go", "s"};
    static const char *const outputs[] = {"go_on", "sum", "kept"};
    for (int i = 0; i < 3; i++) {
        graph_add_input(body, in[i] = graph_value(body, inputs[i]));
        graph_add_output(body, out[i] = graph_value(body, outputs[i]));
    }
    Value *both[] = {in[2], graph_find_value(body, "x")};
    graph_add_node(body,
                   node_new(body, OP_Identity, "a", &in[1], 1, &out[0], 1));
    graph_add_node(body, node_new(body, OP_Add, "b", both, 2, &out[1], 1));
    graph_add_node(body,
                   node_new(body, OP_Identity, "c", &out[1], 1, &out[2], 1));
    toy_weight(&net, "trips", DT_INT64, 0, NULL, &(double){(double)trips});
    Value *from[] = {graph_value(net.graph, "trips"), NULL,
                     graph_value(net.graph, "x")};
    Value *to[] = {graph_value(net.graph, "y"), graph_value(net.graph, "z")};
    Node *node = node_new(net.graph, OP_Loop, "loop", from, 3, to, 2);
    set_graph(node, "body", body);
    graph_add_node(net.graph, node);
    graph_add_output(net.graph, to[0]);
    graph_add_output(net.graph, to[1]);
}

START_TEST(a_loop_carries_values_and_keeps_scans)
{
    loop_of(3);
    Array *x = toy_array(arena, 2, 1), *outputs[2];
    ck_assert_msg(exec_run(toy_plan(&net, (ExecOptions){0}), arena, &x, outputs,
                           &err) == 0,
                  "%s", err.message);
    ck_assert_double_eq(((double *)outputs[0]->data)[1], 8);
    ck_assert_int_eq(outputs[1]->rank, 2);
    ck_assert_int_eq(outputs[1]->dims[0], 3);
    for (int i = 0; i < 6; i++)
        ck_assert_double_eq(((double *)outputs[1]->data)[i],
                            (2 + i / 2) * (1 + i % 2));
}
END_TEST

START_TEST(a_loop_that_never_ran_has_no_scans)
{
    loop_of(0);
    Array *x = toy_array(arena, 2, 1), *outputs[2];
    ck_assert_int_eq(
        exec_run(toy_plan(&net, (ExecOptions){0}), arena, &x, outputs, &err),
        -1);
    ck_assert_int_eq(err.code, ERR_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(err.message, "\"loop\""));
}
END_TEST

/* ---- Scan ---- */

static Array *matrix(int64_t rows, int64_t columns)
{
    Array *array = array_new(arena, DT_FLOAT, 2, (int64_t[]){rows, columns},
                             PRECISION_F64);
    for (int64_t i = 0; i < array->count; i++)
        ((double *)array->data)[i] = (double)(i + 1);
    return array;
}

static const char *const lengths_start_x[] = {"lengths", "start", "x"};

/* s = s + slice, all s are kept. */
static Node *scan_of(int count, const char *const *names)
{
    Graph *body = graph_new(net.model, net.graph);
    Value *in[2] = {graph_value(body, "s"), graph_value(body, "slice")};
    Value *out[2] = {graph_value(body, "sum"), graph_value(body, "kept")};
    for (int i = 0; i < 2; i++) {
        graph_add_input(body, in[i]);
        graph_add_output(body, out[i]);
    }
    graph_add_node(body, node_new(body, OP_Add, "a", in, 2, &out[0], 1));
    graph_add_node(body,
                   node_new(body, OP_Identity, "b", &out[0], 1, &out[1], 1));
    Value *from[3];
    Value *to[] = {graph_value(net.graph, "last"),
                   graph_value(net.graph, "all")};
    for (int i = 0; i < count; i++)
        from[i] = graph_value(net.graph, names[i]);
    Node *node = node_new(net.graph, OP_Scan, "scan", from, count, to, 2);
    set_graph(node, "body", body);
    node_set_int(node, "num_scan_inputs", 1);
    graph_add_node(net.graph, node);
    graph_add_output(net.graph, to[0]);
    graph_add_output(net.graph, to[1]);
    return node;
}

static void check_values(const Array *array, int64_t count,
                         const double *wanted)
{
    ck_assert_int_eq(array->count, count);
    for (int64_t i = 0; i < count; i++)
        ck_assert_double_eq(((const double *)array->data)[i], wanted[i]);
}

START_TEST(a_scan_runs_along_the_first_axis)
{
    Array *inputs[] = {toy_array(arena, 2, 0), matrix(3, 2)}, *outputs[2];
    toy_input(&net, "start", DT_FLOAT, 1, (const int64_t[]){2});
    toy_input(&net, "x", DT_FLOAT, 2, (const int64_t[]){3, 2});
    scan_of(2, lengths_start_x + 1);
    ck_assert_int_eq(exec_run(toy_plan(&net, (ExecOptions){0}), arena, inputs,
                              outputs, &err),
                     0);
    check_values(outputs[0], 2, (const double[]){9, 13});
    check_values(outputs[1], 6, (const double[]){1, 3, 4, 7, 9, 13});
}
END_TEST

/* Columns, from the last to the first; what is kept becomes columns too. */
START_TEST(a_scan_takes_other_axes_and_goes_backwards)
{
    Array *inputs[] = {toy_array(arena, 2, 0), matrix(2, 3)}, *outputs[2];
    toy_input(&net, "start", DT_FLOAT, 1, (const int64_t[]){2});
    toy_input(&net, "x", DT_FLOAT, 2, (const int64_t[]){2, 3});
    Node *node = scan_of(2, lengths_start_x + 1);
    node_set_ints(node, "scan_input_axes", (const int64_t[]){-1}, 1);
    node_set_ints(node, "scan_input_directions", (const int64_t[]){1}, 1);
    node_set_ints(node, "scan_output_axes", (const int64_t[]){1}, 1);
    ck_assert_int_eq(exec_run(toy_plan(&net, (ExecOptions){0}), arena, inputs,
                              outputs, &err),
                     0);
    check_values(outputs[0], 2, (const double[]){6, 16});
    check_values(outputs[1], 6, (const double[]){3, 5, 6, 7, 12, 16});
    node_set_ints(node, "scan_output_directions", (const int64_t[]){1}, 1);
    ck_assert_int_eq(exec_run(toy_plan(&net, (ExecOptions){0}), arena, inputs,
                              outputs, &err),
                     0);
    check_values(outputs[1], 6, (const double[]){6, 5, 3, 16, 12, 7});
}
END_TEST

/* Two items of a batch, the second of which is one step long. */
START_TEST(an_old_scan_has_a_batch)
{
    Array *start = matrix(2, 1), *outputs[2];
    Array *x = matrix(2, 3);
    net.model->opset = 8;
    toy_weight(&net, "lengths", DT_INT64, 1, (const int64_t[]){2},
               (const double[]){3, 1});
    toy_input(&net, "start", DT_FLOAT, 2, (const int64_t[]){2, 1});
    toy_input(&net, "x", DT_FLOAT, 3, (const int64_t[]){2, 3, 1});
    scan_of(3, lengths_start_x);
    x->rank = 3;
    x->dims[2] = 1;
    Array *inputs[] = {start, x};
    ck_assert_int_eq(exec_run(toy_plan(&net, (ExecOptions){0}), arena, inputs,
                              outputs, &err),
                     0);
    check_values(outputs[0], 2, (const double[]){7, 6});
    check_values(outputs[1], 6, (const double[]){2, 4, 7, 6, 0, 0});
}
END_TEST

static void check_scan_refused(Array *x, ErrCode code)
{
    Array *inputs[] = {toy_array(arena, 2, 0), x}, *outputs[2];
    err = (Err){0};
    ck_assert_int_eq(exec_run(toy_plan(&net, (ExecOptions){0}), arena, inputs,
                              outputs, &err),
                     -1);
    ck_assert_int_eq(err.code, code);
    ck_assert_ptr_nonnull(strstr(err.message, "\"scan\""));
}

START_TEST(a_scan_that_does_not_fit_is_refused)
{
    toy_input(&net, "start", DT_FLOAT, 1, (const int64_t[]){2});
    toy_input(&net, "x", DT_FLOAT, 2, (const int64_t[]){-1, 2});
    Node *node = scan_of(2, lengths_start_x + 1);
    check_scan_refused(matrix(0, 2), ERR_BAD_INPUT);
    node_set_ints(node, "scan_input_axes", (const int64_t[]){2}, 1);
    check_scan_refused(matrix(3, 2), ERR_BAD_ATTRIBUTE);
    node_set_int(node, "num_scan_inputs", 3);
    check_scan_refused(matrix(3, 2), ERR_INVALID_MODEL);
}
END_TEST

/* ---- Functions ---- */

/* Scale(x) = x * factor, the factor an attribute of the caller. */
static void define_scale(void)
{
    Graph *body = graph_new(net.model, NULL);
    Value *in = graph_value(body, "in"), *out = graph_value(body, "out");
    Value *factor = graph_value(body, "factor");
    Value *both[] = {in, factor};
    graph_add_input(body, in);
    graph_add_output(body, out);
    Node *constant = node_new(body, OP_Constant, "k", NULL, 0, &factor, 1);
    node_set_float(constant, "value_float", 0);
    constant->attrs[0].reference = "factor";
    graph_add_node(body, constant);
    graph_add_node(body, node_new(body, OP_Mul, "m", both, 2, &out, 1));
    static Function function;
    function = (Function){.name = "Scale", .domain = "local", .body = body};
    net.model->functions = &function;
    net.model->function_count = 1;
    model_list_functions(net.model);
}

static Node *call_scale(const char *input, const char *output)
{
    Node *node = toy_node(&net, OP_OTHER, input, output);
    node->op_type = "Scale";
    node->domain = "local";
    return node;
}

START_TEST(a_function_takes_its_callers_attributes)
{
    define_scale();
    toy_line(&net, 2);
    node_set_float(call_scale("x", "a"), "factor", 3);
    node_set_float(call_scale("a", "y"), "factor", 5);
    ck_assert_double_eq(toy_run(&net, toy_plan(&net, (ExecOptions){0}),
                                toy_array(arena, 2, 1))[1],
                        30);
}
END_TEST

START_TEST(a_function_that_calls_itself_is_refused)
{
    define_scale();
    toy_line(&net, 2);
    call_scale("x", "y");
    Graph *body = net.model->functions[0].body;
    body->nodes[1]->op = OP_OTHER;
    body->nodes[1]->op_type = "Scale";
    body->nodes[1]->domain = "local";
    Exec *exec;
    ExecOptions options = {.precision = PRECISION_F64};
    ck_assert_int_eq(exec_new(arena, net.graph, &options, &exec, &err), -1);
    ck_assert_int_eq(err.code, ERR_TOO_DEEP);
}
END_TEST

/* Up to opset 12 Softmax saw a matrix, here of one row. */
START_TEST(a_function_means_its_own_opset)
{
    static Function function;
    int64_t dims[3] = {1, 2, 2};
    Graph *body = graph_new(net.model, NULL);
    Value *in = graph_value(body, "in"), *out = graph_value(body, "out");
    graph_add_input(body, in);
    graph_add_node(body, node_new(body, OP_Softmax, "s", &in, 1, &out, 1));
    graph_add_output(body, out);
    function = (Function){.name = "Share", .domain = "local", .body = body};
    net.model->functions = &function;
    net.model->function_count = 1;
    model_list_functions(net.model);
    toy_input(&net, "x", DT_FLOAT, 3, dims);
    toy_output(&net, "y", DT_FLOAT);
    Node *node = toy_node(&net, OP_OTHER, "x", "y");
    node->op_type = "Share";
    node->domain = "local";
    for (int i = 0; i < 2; i++) {
        Array *x = array_new(arena, DT_FLOAT, 3, dims, PRECISION_F64);
        memset(x->data, 0, 4 * sizeof(double));
        body->opset = i ? 12 : 0;
        ck_assert_double_eq(
            toy_run(&net, toy_plan(&net, (ExecOptions){0}), x)[3],
            i ? 0.25 : 0.5);
    }
}
END_TEST

/* Bound(x, low, high) = Clip(x, low, high), of which a call gives what it
 * will; it is inside an If, which captures them. */
static void define_bound(void)
{
    static const char *const names[] = {"x", "low", "high"};
    static Function function;
    Graph *body = graph_new(net.model, NULL);
    Value *in[3], *out;
    Value *one = graph_value(body, "one"), *yes = graph_value(body, "yes");
    for (int i = 0; i < 3; i++)
        graph_add_input(body, in[i] = graph_value(body, names[i]));
    graph_add_output(body, out = graph_value(body, "out"));
    Graph *inner = graph_new(net.model, body);
    Value *clipped = graph_value(inner, "clipped");
    for (int i = 0; i < 3; i++)
        in[i] = graph_find_value(inner, names[i]);
    graph_add_node(inner, node_new(inner, OP_Clip, "c", in, 3, &clipped, 1));
    graph_add_output(inner, clipped);
    Node *constant = node_new(body, OP_Constant, "k", NULL, 0, &one, 1);
    node_set_float(constant, "value_float", 1);
    Node *cast = node_new(body, OP_Cast, "b", &one, 1, &yes, 1);
    node_set_int(cast, "to", DT_BOOL);
    Node *node = node_new(body, OP_If, "i", &yes, 1, &out, 1);
    set_graph(node, "then_branch", inner);
    graph_add_node(body, constant);
    graph_add_node(body, cast);
    graph_add_node(body, node);
    function = (Function){.name = "Bound", .domain = "local", .body = body};
    net.model->functions = &function;
    net.model->function_count = 1;
    model_list_functions(net.model);
}

static void check_bound(bool low, bool high, const double *wanted)
{
    net = toy_new(arena);
    define_bound();
    toy_line(&net, 3);
    toy_weight(&net, "two", DT_FLOAT, 0, NULL, &(double){2});
    Value *two = graph_value(net.graph, "two");
    Value *in[] = {graph_value(net.graph, "x"), low ? two : NULL,
                   high ? two : NULL};
    Value *y = graph_value(net.graph, "y");
    /* What is left out at the end is not written at all. */
    Node *node =
        node_new(net.graph, OP_OTHER, "call", in, high ? 3 : 1 + low, &y, 1);
    node->op_type = "Bound";
    node->domain = "local";
    graph_add_node(net.graph, node);
    const double *values =
        toy_run(&net, toy_plan(&net, (ExecOptions){0}), toy_array(arena, 3, 1));
    for (int i = 0; i < 3; i++)
        ck_assert_double_eq(values[i], wanted[i]);
}

START_TEST(a_call_may_leave_inputs_out)
{
    check_bound(false, false, (const double[]){1, 2, 3});
    check_bound(true, false, (const double[]){2, 2, 3});
    check_bound(false, true, (const double[]){1, 2, 2});
    check_bound(true, true, (const double[]){2, 2, 2});
}
END_TEST

Suite *suite_nested(void)
{
    Suite *suite = suite_create("nested");
    TCase *tcase = tcase_create("nested");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, an_if_takes_one_branch_and_what_it_captures);
    tcase_add_test(tcase, a_loop_carries_values_and_keeps_scans);
    tcase_add_test(tcase, a_loop_that_never_ran_has_no_scans);
    tcase_add_test(tcase, a_function_takes_its_callers_attributes);
    tcase_add_test(tcase, a_function_that_calls_itself_is_refused);
    tcase_add_test(tcase, a_scan_runs_along_the_first_axis);
    tcase_add_test(tcase, a_scan_takes_other_axes_and_goes_backwards);
    tcase_add_test(tcase, an_old_scan_has_a_batch);
    tcase_add_test(tcase, a_scan_that_does_not_fit_is_refused);
    tcase_add_test(tcase, a_function_means_its_own_opset);
    tcase_add_test(tcase, a_call_may_leave_inputs_out);
    suite_add_tcase(suite, tcase);
    return suite;
}
