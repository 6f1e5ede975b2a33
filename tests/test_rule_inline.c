/* Bodies: of If, and of model-local functions. */
#include "blocks.h"
#include "suites.h"

/* conv + BatchNormalization over a captured value, in both branches of an If.
 */
static Graph *build_branch(Bench *outer, Value *captured)
{
    Bench b = *outer;
    b.graph = graph_new(outer->model, outer->graph);
    Value *x = graph_read_value(b.graph, captured->name);
    x->fact = captured->fact;
    bench_output(&b, conv_bn(&b, x, SAME(3)));
    outer->random = b.random;
    return b.graph;
}

static void build_if_on(Bench *b, Value *condition)
{
    Value *x = bench_unary(b, OP_Relu, bench_image(b, 2, 5));
    Value *y = graph_fresh_value(b->graph, "y");
    Node *node = node_new(b->graph, OP_If, "if", &condition, 1, &y, 1);
    node->attrs = arena_array(b->arena, 2, sizeof *node->attrs);
    node->attr_count = 2;
    node->attrs[0] = (Attr){
        .name = "then_branch", .type = ATTR_GRAPH, .graph = build_branch(b, x)};
    node->attrs[1] = (Attr){
        .name = "else_branch", .type = ATTR_GRAPH, .graph = build_branch(b, x)};
    graph_add_node(b->graph, node);
    bench_output(b, y);
}

static void build_if(Bench *b)
{
    build_if_on(b, sometimes(b));
}

static void build_known_if(Bench *b)
{
    build_if_on(b, always(b));
}

START_TEST(a_branch_that_always_runs_takes_its_place)
{
    Folded folded = fold_model(build_known_if, NULL);
    ck_assert_double_lt(folded.difference, 1e-13);
    ck_assert_uint_eq(count_ops(folded.after, OP_If), 0);
    ck_assert_uint_eq(folded.after->graph->node_count, 2);
    ck_assert_str_eq(folded.report.folds[0].rules, "C0");
    ck_assert_str_eq(folded.report.folds[1].rules, "C1");
    folded_free(&folded);
}
END_TEST

static void build_known_if_of_ir_3(Bench *b)
{
    b->model->ir_version = 3;
    build_known_if(b);
}

/* ---- Which branch, and what it may hold ---- */

static Value *constant_condition(Bench *b, DType type, int rank)
{
    const int64_t dims[1] = {2};
    void *data;
    Tensor *tensor = tensor_alloc(b->arena, type, rank, dims, &data);
    tensor_store_f64(type, (const double[]){1, 1}, tensor->count, data);
    return graph_add_initializer(b->graph, "condition", tensor);
}

typedef void Filling(Bench *inside, Value *x);

/* y = If(condition), with both branches filled so. */
static void build_filled(Bench *b, Value *condition, Filling *fill)
{
    Value *x = bench_unary(b, OP_Relu, bench_image(b, 2, 5));
    Value *y = graph_fresh_value(b->graph, "y");
    Node *node = node_new(b->graph, OP_If, "if", &condition, 1, &y, 1);
    node->attrs = arena_array(b->arena, 2, sizeof *node->attrs);
    node->attr_count = 2;
    for (int i = 0; i < 2; i++) {
        Bench inside = *b;
        inside.graph = graph_new(b->model, b->graph);
        Value *captured = graph_read_value(inside.graph, x->name);
        captured->fact = x->fact;
        fill(&inside, captured);
        node->attrs[i] = (Attr){.name = i ? "else_branch" : "then_branch",
                                .type = ATTR_GRAPH,
                                .graph = inside.graph};
    }
    graph_add_node(b->graph, node);
    bench_output(b, y);
}

static void fill_negated(Bench *b, Value *x)
{
    bench_output(b, bench_unary(b, OP_Neg, x));
}

/* What nothing in the branch computes. */
static void fill_captured(Bench *b, Value *x)
{
    bench_output(b, x);
}

/* One more result than anybody takes. */
static void fill_twice(Bench *b, Value *x)
{
    fill_negated(b, x);
    bench_output(b, b->graph->outputs[0]);
}

/* An operator that nobody knows, with an attribute of that type. */
static AttrType attr_type;

static void fill_unknown(Bench *b, Value *x)
{
    static const int64_t ints[1] = {1};
    static const float floats[1] = {1};
    static const Span text = {(const uint8_t *)"text", 4};
    Value *y = graph_fresh_value(b->graph, "unknown");
    Node *node = node_new(b->graph, OP_OTHER, "unknown", &x, 1, &y, 1);
    node->op_type = "Unknown";
    node->domain = "local";
    node->attrs = arena_array(b->arena, 1, sizeof *node->attrs);
    node->attr_count = 1;
    node->attrs[0] = (Attr){.name = "a", .type = attr_type, .count = 1};
    Attr *attr = &node->attrs[0];
    if (attr_type == ATTR_INTS)
        attr->ints = (int64_t *)(uintptr_t)ints;
    else if (attr_type == ATTR_FLOATS)
        attr->floats = (float *)(uintptr_t)floats;
    else if (attr_type == ATTR_STRINGS)
        attr->strings = (Span *)(uintptr_t)&text;
    else if (attr_type == ATTR_STRING)
        attr->s = text;
    graph_add_node(b->graph, node);
    y->fact = x->fact;
    bench_output(b, y);
}

static void build_captured_result(Bench *b)
{
    build_filled(b, always(b), fill_captured);
}

static void build_two_results(Bench *b)
{
    build_filled(b, always(b), fill_twice);
}

static void build_unknown(Bench *b)
{
    build_filled(b, always(b), fill_unknown);
}

static void build_number_for_a_condition(Bench *b)
{
    build_filled(b, constant_condition(b, DT_FLOAT, 0), fill_negated);
}

static void build_two_conditions(Bench *b)
{
    build_filled(b, constant_condition(b, DT_BOOL, 1), fill_negated);
}

/* How many nodes If there are after folding. */
static size_t ifs_left(Build *build, const rp_fold_options *options)
{
    static const rp_fold_options defaults;
    Arena *arena = arena_new(0);
    Model *model = build_model(arena, build, false);
    FoldReport report = {0};
    Err err = {0};
    int failed =
        model_fold(model, options ? options : &defaults, &report, &err);
    ck_assert_msg(failed == 0, "%s", err.message);
    size_t count = count_ops(model, OP_If);
    ck_assert_uint_eq(report.fold_count, !count);
    arena_free(arena);
    return count;
}

START_TEST(what_a_branch_gives_need_not_be_computed_there)
{
    Folded folded = fold_model(build_captured_result, NULL);
    ck_assert_double_eq(folded.difference, 0);
    ck_assert_uint_eq(count_ops(folded.after, OP_If), 0);
    folded_free(&folded);
}
END_TEST

START_TEST(only_a_branch_that_can_be_copied_is)
{
    static const AttrType types[] = {ATTR_FLOAT,  ATTR_INT,  ATTR_STRING,
                                     ATTR_FLOATS, ATTR_INTS, ATTR_STRINGS};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        attr_type = types[i];
        ck_assert_uint_eq(ifs_left(build_unknown, NULL), 0);
    }
    attr_type = ATTR_SPARSE_TENSOR;
    ck_assert_uint_eq(ifs_left(build_unknown, NULL), 1);
    ck_assert_uint_eq(ifs_left(build_two_results, NULL), 1);
}
END_TEST

START_TEST(only_a_condition_takes_a_branch)
{
    const rp_fold_options skip = {.skip = "C0"};
    ck_assert_uint_eq(ifs_left(build_number_for_a_condition, NULL), 1);
    ck_assert_uint_eq(ifs_left(build_two_conditions, NULL), 1);
    ck_assert_uint_eq(ifs_left(build_captured_result, &skip), 1);
}
END_TEST

START_TEST(initializers_that_are_inputs_are_none_of_a_branch)
{
    Arena *arena = arena_new(0);
    Model *model = build_model(arena, build_known_if_of_ir_3, false);
    static const rp_fold_options defaults;
    FoldReport report = {0};
    Err err = {0};
    ck_assert_int_eq(model_fold(model, &defaults, &report, &err), 0);
    ck_assert_uint_eq(count_ops(model, OP_If), 0);
    ck_assert_uint_eq(count_ops(model, OP_Conv), 1);
    arena_free(arena);
}
END_TEST

START_TEST(subgraphs_fold_on_their_own)
{
    Folded folded = fold_model(build_if, NULL);
    ck_assert_double_lt(folded.difference, 1e-13);
    ck_assert_uint_eq(folded.report.fold_count, 2);
    const Node *node = only_node(&folded, OP_If);
    for (int i = 0; i < 2; i++)
        ck_assert_uint_eq(node->attrs[i].graph->node_count, 1);
    folded_free(&folded);
}
END_TEST

/* ---- Loops ---- */

static void set_body(Node *node, Graph *body)
{
    node_set_int(node, "body", 0);
    Attr *attr = &node->attrs[node->attr_count - 1];
    attr->type = ATTR_GRAPH;
    attr->graph = body;
}

static Value *body_input(Bench *b, const char *name, Fact fact)
{
    Value *value = graph_fresh_value(b->graph, name);
    value->fact = fact;
    graph_add_input(b->graph, value);
    return value;
}

/* state + BN(conv(state)) + conv(captured): the branches on the state become
 * one kernel, the weight of the other, which is outside, is not edited. */
static Value *loop_step(Bench *b, Value *state, Value *captured, Value *weight)
{
    Value *x = graph_read_value(b->graph, captured->name);
    Value *w = graph_read_value(b->graph, weight->name);
    x->fact = captured->fact;
    Value *inputs[2] = {x, w};
    Value *other = bench_node(b, OP_Conv, inputs, 2);
    other = bench_binary(b, OP_Mul, other, bench_channel_scale(b, 2));
    Value *sum = bench_binary(b, OP_Add, state, conv_bn(b, state, SAME(3)));
    return bench_binary(b, OP_Add, sum, other);
}

static void build_loop(Bench *b)
{
    int64_t dims[4] = {2, 2, 1, 1}, two[1] = {2};
    Value *x = bench_image(b, 2, 5);
    Value *captured = bench_unary(b, OP_Relu, x);
    Value *weight = bench_constant(b, 4, dims);
    Value *count = bench_ints(b, 1, two);
    count = bench_binary(b, OP_Reshape, count, bench_ints(b, 0, NULL));
    Bench inside = *b;
    inside.graph = graph_new(b->model, b->graph);
    body_input(&inside, "i", FACT_UNKNOWN);
    Value *go = body_input(&inside, "go", FACT_UNKNOWN);
    Value *state = body_input(&inside, "state", x->fact);
    bench_output(&inside, bench_unary(&inside, OP_Identity, go));
    bench_output(&inside, loop_step(&inside, state, captured, weight));
    b->random = inside.random;
    Value *inputs[3] = {count, always(b), x};
    Value *y = graph_fresh_value(b->graph, "y");
    Node *node = node_new(b->graph, OP_Loop, "loop", inputs, 3, &y, 1);
    set_body(node, inside.graph);
    graph_add_node(b->graph, node);
    bench_output(b, y);
}

/* Over the first axis; the state is the image. */
static void build_scan(Bench *b)
{
    int64_t dims[4] = {2, 2, 1, 1}, three[1] = {3};
    Value *x = bench_image(b, 2, 5), *weight = bench_constant(b, 4, dims);
    Value *captured = bench_unary(b, OP_Relu, x);
    Value *list = bench_input(b, 1, three);
    Bench inside = *b;
    inside.graph = graph_new(b->model, b->graph);
    Value *state = body_input(&inside, "state", x->fact);
    Value *number = body_input(&inside, "number", list->fact);
    fact_set(b->arena, &number->fact, number->fact.type, 0, NULL);
    bench_output(&inside, loop_step(&inside, state, captured, weight));
    bench_output(&inside, bench_unary(&inside, OP_Neg, number));
    b->random = inside.random;
    Value *inputs[2] = {x, list};
    Value *outputs[2] = {graph_fresh_value(b->graph, "y"),
                         graph_fresh_value(b->graph, "numbers")};
    Node *node = node_new(b->graph, OP_Scan, "scan", inputs, 2, outputs, 2);
    node_set_int(node, "num_scan_inputs", 1);
    set_body(node, inside.graph);
    graph_add_node(b->graph, node);
    bench_output(b, outputs[0]);
    bench_output(b, outputs[1]);
}

static void check_body(Build *build, Op op)
{
    Folded folded = fold_model(build, NULL);
    ck_assert_double_lt(folded.difference, 1e-13);
    const Graph *body = node_attr(only_node(&folded, op), "body")->graph;
    size_t convs = 0, adds = 0;
    for (size_t i = 0; i < body->node_count; i++) {
        convs += body->nodes[i]->op == OP_Conv;
        adds += body->nodes[i]->op == OP_Add;
    }
    ck_assert_uint_eq(body->node_count, 4);
    ck_assert_uint_eq(convs, 2);
    ck_assert_uint_eq(adds, 1);
    folded_free(&folded);
}

START_TEST(bodies_of_loops_fold_on_their_own)
{
    check_body(build_loop, OP_Loop);
    check_body(build_scan, OP_Scan);
}
END_TEST

/* ---- Functions ---- */

static Value *constant_node(Bench *b, Tensor *tensor)
{
    Value *value = graph_fresh_value(b->graph, "c");
    Node *node = node_new(b->graph, OP_Constant, "c", NULL, 0, &value, 1);
    node_set_tensor(node, "value", tensor);
    graph_add_node(b->graph, node);
    return value;
}

/* Over three channels; `outside` makes the tensors. */
static Value *constant_batchnorm(Bench *b, Bench *outside, Value *x)
{
    int64_t three[1] = {3};
    double numbers[3] = {1.5, 2.5, 0.5};
    Value *inputs[5] = {x};
    for (int i = 1; i < 5; i++)
        inputs[i] =
            constant_node(b, bench_numbers(outside, 1, three, numbers)->tensor);
    return bench_node(b, OP_BatchNormalization, inputs, 5);
}

/* A body has no initializers: its constants are nodes. */
START_TEST(function_bodies_fold_with_constant_nodes)
{
    static const rp_fold_options defaults;
    Arena *arena = arena_new(0);
    Model *model = build_model(arena, build_conv_bn, false);
    Bench b = {.arena = arena, .model = model, .random = 9}, outside = b;
    outside.graph = model->graph;
    b.graph = graph_new(model, NULL);
    int64_t dims[4] = {3, 2, 3, 3};
    Value *inputs[2] = {bench_image(&b, 2, 6), NULL};
    inputs[1] = constant_node(&b, bench_constant(&outside, 4, dims)->tensor);
    Value *y = bench_node(&b, OP_Conv, inputs, 2);
    bench_output(&b, constant_batchnorm(&b, &outside, y));
    Function function = {.name = "f", .domain = "local", .body = b.graph};
    model->functions = &function;
    model->function_count = 1;
    model_list_functions(model);
    FoldReport report = {0};
    Err err = {0};
    ck_assert_msg(model_fold(model, &defaults, &report, &err) == 0, "%s",
                  err.message);
    ck_assert_uint_eq(report.fold_count, 2);
    ck_assert_uint_eq(b.graph->initializer_count, 0);
    ck_assert_uint_eq(b.graph->node_count, 3); /* two constants, one conv */
    arena_free(arena);
}
END_TEST

/* conv, then a call of a function that normalizes, whose epsilon is the
 * call's. */
static void build_calls(Bench *b, int calls)
{
    Bench inside = *b;
    inside.graph = graph_new(b->model, NULL);
    Value *x = graph_fresh_value(inside.graph, "v");
    x->fact = FACT_UNKNOWN;
    graph_add_input(inside.graph, x);
    Value *out = constant_batchnorm(&inside, b, x);
    bench_output(&inside, out);
    Attr *attr = &out->producer->attrs[0];
    out->producer->attrs = attr = arena_alloc(b->arena, sizeof *attr);
    out->producer->attr_count = 1;
    *attr = (Attr){.name = "epsilon", .type = ATTR_FLOAT, .reference = "small"};
    Function *function = arena_alloc(b->arena, sizeof *function);
    inside.graph->opset = 17;
    *function = (Function){
        .name = "Normalize", .domain = "local", .body = inside.graph};
    b->model->functions = function;
    b->model->function_count = 1;
    model_list_functions(b->model);
    b->random = inside.random;
    for (int i = 0; i < calls; i++) {
        Value *y = bench_conv(b, bench_image(b, 2, 5),
                              (ConvShape){.out = 3, .kernel = 3});
        out = graph_fresh_value(b->graph, "called");
        out->fact = y->fact;
        Node *call = node_new(b->graph, OP_OTHER, "call", &y, 1, &out, 1);
        call->op_type = "Normalize";
        call->domain = "local";
        node_set_float(call, "small", 0.25f);
        graph_add_node(b->graph, call);
        bench_output(b, out);
    }
}

static void build_one_call(Bench *b)
{
    build_calls(b, 1);
}

static void build_two_calls(Bench *b)
{
    build_calls(b, 2);
}

START_TEST(a_function_called_once_can_take_its_place)
{
    rp_fold_options options = {.inline_functions = 1};
    Folded folded = fold_model(build_one_call, &options);
    ck_assert_double_lt(folded.difference, 1e-13);
    ck_assert_uint_eq(folded.after->graph->node_count, 1);
    folded_free(&folded);
    folded = fold_model(build_one_call, NULL);
    ck_assert_uint_eq(folded.report.fold_count, 0);
    folded_free(&folded);
    folded = fold_model(build_two_calls, &options);
    ck_assert_uint_eq(folded.report.fold_count, 0);
    folded_free(&folded);
}
END_TEST

Suite *suite_rule_inline(void)
{
    Suite *suite = suite_create("rule_inline");
    TCase *tcase = tcase_create("rule_inline");
    tcase_add_test(tcase, a_branch_that_always_runs_takes_its_place);
    tcase_add_test(tcase, initializers_that_are_inputs_are_none_of_a_branch);
    tcase_add_test(tcase, subgraphs_fold_on_their_own);
    tcase_add_test(tcase, bodies_of_loops_fold_on_their_own);
    tcase_add_test(tcase, function_bodies_fold_with_constant_nodes);
    tcase_add_test(tcase, a_function_called_once_can_take_its_place);
    tcase_add_test(tcase, what_a_branch_gives_need_not_be_computed_there);
    tcase_add_test(tcase, only_a_branch_that_can_be_copied_is);
    tcase_add_test(tcase, only_a_condition_takes_a_branch);
    suite_add_tcase(suite, tcase);
    return suite;
}
