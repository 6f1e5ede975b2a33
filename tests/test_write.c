/* Writing: what did not change is written as it was, byte for byte. */
#include <stdio.h>
#include <string.h>

#include "models.h"
#include "suites.h"

static const int64_t two[] = {2};

/* ---- Unchanged ---- */

static void write_fixture(const char *path)
{
    Model *model;
    Err err = {0};
    int status = model_read_file(arena, path, NULL, &model, &err);
    ck_assert_msg(status == 0, "%s", err.message);
    check_same_bytes(model_bytes(model), model->file);
    /* Written part by part it is the same. */
    model->graph->changed = true;
    check_same_bytes(model_bytes(model), model->file);
}

START_TEST(fixtures_come_out_byte_for_byte)
{
    for_each_fixture(write_fixture);
}
END_TEST

START_TEST(unusual_encodings_come_out_byte_for_byte)
{
    Proto graph, file;
    small_graph(&graph);
    proto_model(&file, &graph);
    /* A doc string whose length has a byte more than it needs. */
    put_raw(&file, "\x32\x82\x00ok", 5);
    Model *model = model_of(&file);
    check_same_bytes(model_bytes(model), model->file);
    model->graph->changed = true;
    check_same_bytes(model_bytes(model), model->file);
}
END_TEST

/* ---- A changed graph ---- */

/* Puts a new node in the place of the named one, which reads the same. */
static Node *replace(Graph *graph, const char *name, Op op)
{
    Node *old = find_node(graph, name);
    Node *fresh = node_new(graph, op, "new", old->inputs, old->input_count,
                           old->outputs, old->output_count);
    graph_replace_node(graph, old, &fresh, 1);
    graph_sweep(graph);
    return fresh;
}

/* A node with a name, and fields that nobody knows. */
static void named_node(Proto *graph, const char *op, const char *name,
                       const char *input, const char *output)
{
    Proto node = {.size = 0};
    proto_text(&node, 1, input);
    proto_text(&node, 2, output);
    proto_text(&node, 3, name);
    proto_text(&node, 4, op);
    proto_text(&node, 6, "a doc string");
    proto_text(&node, 777, name);
    proto_message(graph, 1, &node);
}

/* x -> first -> second -> third -> y, strange fields between. */
static void chain(Proto *graph)
{
    *graph = (Proto){.size = 0};
    proto_int(graph, 999, 1);
    named_node(graph, "Abs", "first", "x", "a");
    proto_text(graph, 2, "the graph");
    named_node(graph, "Relu", "second", "a", "b");
    named_node(graph, "Neg", "third", "b", "y");
    proto_text(graph, 998, "two");
    proto_input(graph, "x", 1, two);
    proto_output(graph, "y", 1, two);
}

/* True when the bytes hold that message whole. */
static bool holds(Span bytes, const Proto *message)
{
    return memmem(bytes.bytes, bytes.size, message->bytes, message->size);
}

START_TEST(untouched_nodes_keep_their_bytes)
{
    Proto graph, first = {.size = 0}, second = first, third = first,
                 known = first;
    chain(&graph);
    Model *model = model_of_graph(&graph);
    Node *fresh = replace(model->graph, "second", OP_Sigmoid);
    fresh->origin = "second";
    fresh->rule = "C7";
    Span bytes = model_bytes(model);
    named_node(&first, "Abs", "first", "x", "a");
    named_node(&second, "Relu", "second", "a", "b");
    named_node(&third, "Neg", "third", "b", "y");
    ck_assert(holds(bytes, &first));
    ck_assert(!holds(bytes, &second));
    ck_assert(holds(bytes, &third));
    proto_int(&known, 999, 1);
    ck_assert(holds(bytes, &known));
    const Graph *again = model_again(model)->graph;
    ck_assert_str_eq(again->name, "the graph");
    ck_assert_uint_eq(again->node_count, 3);
    ck_assert_int_eq(again->nodes[1]->op, OP_Sigmoid);
    ck_assert_str_eq(again->nodes[1]->name, "new");
}
END_TEST

START_TEST(new_nodes_tell_where_they_come_from)
{
    Proto graph, from = {.size = 0}, rule = from;
    chain(&graph);
    Model *model = model_of_graph(&graph);
    Node *fresh = replace(model->graph, "second", OP_Sigmoid);
    fresh->origin = "first+second";
    fresh->rule = "C1,C4";
    proto_text(&from, 1, "repfold.from");
    proto_text(&from, 2, "first+second");
    proto_text(&rule, 1, "repfold.rule");
    proto_text(&rule, 2, "C1,C4");
    Span bytes = model_bytes(model);
    ck_assert(holds(bytes, &from));
    ck_assert(holds(bytes, &rule));
}
END_TEST

START_TEST(edited_nodes_keep_all_but_their_names)
{
    Proto graph, third = {.size = 0};
    chain(&graph);
    Model *model = model_of_graph(&graph);
    Graph *main = model->graph;
    node_replace_input(find_node(main, "third"), find_value(main, "b"),
                       find_value(main, "a"));
    named_node(&third, "Neg", "third", "a", "y");
    ck_assert(holds(model_bytes(model), &third));
    ck_assert_uint_eq(graph_sweep(main), 1);
    ck_assert_uint_eq(model_again(model)->graph->node_count, 2);
}
END_TEST

/* A model that was changed but not compacted is written in order as well. */
START_TEST(nodes_come_in_order)
{
    Proto graph;
    chain(&graph);
    Model *model = model_of_graph(&graph);
    Graph *main = model->graph;
    Node *old = find_node(main, "second");
    Value *middle = graph_fresh_value(main, "b");
    Node *pair[] = {
        node_new(main, OP_Exp, "one", old->inputs, 1, &middle, 1),
        node_new(main, OP_Log, "two", &middle, 1, old->outputs, 1),
    };
    graph_replace_node(main, old, pair, 2);
    static const char *const names[] = {"first", "one", "two", "third"};
    const Graph *again = model_again(model)->graph;
    ck_assert_uint_eq(again->node_count, 4);
    for (size_t i = 0; i < 4; i++)
        ck_assert_str_eq(again->nodes[i]->name, names[i]);
}
END_TEST

static void put_value_info(Proto *graph, const char *name)
{
    Proto value = {.size = 0};
    proto_text(&value, 1, name);
    proto_message(graph, 13, &value);
}

static void put_annotation(Proto *graph, const char *name)
{
    Proto annotation = {.size = 0};
    proto_text(&annotation, 1, name);
    proto_message(graph, 14, &annotation);
}

START_TEST(what_is_gone_leaves_no_trace)
{
    Proto graph, lost = {.size = 0}, kept = lost, quantised = lost;
    chain(&graph);
    put_value_info(&graph, "a");
    put_value_info(&graph, "b");
    put_annotation(&graph, "a");
    put_annotation(&graph, "b");
    Model *model = model_of_graph(&graph);
    Graph *main = model->graph;
    node_replace_input(find_node(main, "third"), find_value(main, "b"),
                       find_value(main, "a"));
    graph_sweep(main);
    Span bytes = model_bytes(model);
    put_value_info(&lost, "b");
    put_value_info(&kept, "a");
    ck_assert(!holds(bytes, &lost));
    ck_assert(holds(bytes, &kept));
    put_annotation(&quantised, "b");
    ck_assert(!holds(bytes, &quantised));
}
END_TEST

START_TEST(sharding_goes_with_the_value)
{
    Proto spec_a = {.size = 0}, spec_x = spec_a, devices = spec_a,
          node = spec_a, graph = spec_a;
    proto_text(&spec_a, 1, "a");
    proto_text(&spec_x, 1, "y");
    proto_text(&devices, 1, "config");
    proto_message(&devices, 2, &spec_a);
    proto_message(&devices, 2, &spec_x);
    proto_node(&graph, "Abs", "x", "a");
    proto_text(&node, 1, "a");
    proto_text(&node, 2, "y");
    proto_text(&node, 3, "sharded");
    proto_text(&node, 4, "Relu");
    proto_message(&node, 10, &devices);
    proto_message(&graph, 1, &node);
    proto_input(&graph, "x", 1, two);
    proto_output(&graph, "y", 1, two);
    Model *model = model_of_graph(&graph);
    Graph *main = model->graph;
    node_replace_input(find_node(main, "sharded"), find_value(main, "a"),
                       find_value(main, "x"));
    Span bytes = model_bytes(model);
    Proto gone = {.size = 0}, there = gone;
    proto_message(&gone, 2, &spec_a);
    proto_message(&there, 2, &spec_x);
    ck_assert(!holds(bytes, &gone));
    ck_assert(holds(bytes, &there));
}
END_TEST

/* ---- Initializers ---- */

static Tensor *floats(const float *values)
{
    void *data;
    Tensor *tensor = tensor_alloc(arena, DT_FLOAT, 1, two, &data);
    memcpy(data, values, 2 * sizeof *values);
    return tensor;
}

/* Gives the Add of small_graph a new second operand. */
static Value *new_weight(Model *model, Tensor *tensor)
{
    Graph *graph = model->graph;
    Value *fresh = graph_add_initializer(graph, "w", tensor);
    node_replace_input(graph->nodes[0], graph->nodes[0]->inputs[1], fresh);
    graph_sweep(graph);
    return fresh;
}

START_TEST(initializers_come_and_go)
{
    Proto graph;
    small_graph(&graph);
    Model *model = model_of_graph(&graph);
    const char *name = new_weight(model, floats((const float[]){7, 8}))->name;
    const Graph *again = model_again(model)->graph;
    ck_assert_uint_eq(again->initializer_count, 1);
    ck_assert_uint_eq(again->input_count, 1);
    ck_assert_str_eq(again->initializers[0]->name, name);
    double values[2];
    tensor_read_f64(again->initializers[0]->tensor, 0, 2, values);
    ck_assert(values[0] == 7 && values[1] == 8);
}
END_TEST

START_TEST(a_replaced_tensor_is_written_not_the_old_one)
{
    Proto graph;
    small_graph(&graph);
    Model *model = model_of_graph(&graph);
    graph_set_initializer(model->graph, find_value(model->graph, "w"),
                          floats((const float[]){5, 6}));
    model->graph->changed = true;
    const Graph *again = model_again(model)->graph;
    double values[2];
    tensor_read_f64(find_initializer(again, "w")->tensor, 0, 2, values);
    ck_assert(values[0] == 5 && values[1] == 6);
}
END_TEST

START_TEST(a_tensor_of_the_file_can_have_another_name)
{
    Proto graph = {.size = 0}, tensor = graph;
    proto_int(&tensor, 1, 2);
    proto_int(&tensor, 2, DT_STRING);
    proto_text(&tensor, 6, "left");
    proto_text(&tensor, 8, "old_name");
    proto_text(&tensor, 6, "right");
    proto_message(&graph, 5, &tensor);
    proto_node(&graph, "Identity", "old_name", "y");
    proto_output(&graph, "y", 1, two);
    Model *model = model_of_graph(&graph);
    Graph *main = model->graph;
    Value *y = find_value(main, "y");
    graph_replace_node(main, main->nodes[0], NULL, 0);
    graph_set_initializer(main, y, main->initializers[0]->tensor);
    graph_sweep(main);
    const Graph *again = model_again(model)->graph;
    ck_assert_uint_eq(again->initializer_count, 1);
    ck_assert_str_eq(again->initializers[0]->name, "y");
    ck_assert_int_eq(again->initializers[0]->tensor->count, 2);
    ck_assert_int_eq(again->initializers[0]->tensor->type, DT_STRING);
}
END_TEST

START_TEST(ir_3_lists_initializers_among_the_inputs)
{
    Proto graph, file = {.size = 0}, import = file;
    small_graph(&graph);
    proto_input(&graph, "w", 1, two);
    proto_int(&import, 2, 8);
    proto_int(&file, 1, 3);
    proto_message(&file, 7, &graph);
    proto_message(&file, 8, &import);
    Model *model = model_of(&file);
    const char *name = new_weight(model, floats((const float[]){7, 8}))->name;
    const Graph *again = model_again(model)->graph;
    ck_assert_uint_eq(again->initializer_count, 1);
    ck_assert_uint_eq(again->input_count, 2);
    ck_assert_str_eq(again->inputs[0]->name, "x");
    ck_assert_str_eq(again->inputs[1]->name, name);
    ck_assert_int_eq(again->inputs[1]->fact.type, DT_FLOAT);
    ck_assert_int_eq(again->inputs[1]->fact.dims[0], 2);
}
END_TEST

START_TEST(sparse_initializers_stay_as_they_are)
{
    Proto graph, values = {.size = 0}, sparse = values, field = values,
                 indices = values;
    chain(&graph);
    proto_int(&values, 1, 1);
    proto_int(&values, 2, DT_FLOAT);
    proto_text(&values, 8, "sparse");
    proto_bytes(&values, 9, "1234", 4);
    proto_int(&indices, 1, 1);
    proto_int(&indices, 2, DT_INT64);
    proto_int(&indices, 7, 3);
    proto_message(&sparse, 1, &values);
    proto_message(&sparse, 2, &indices);
    proto_int(&sparse, 3, 4);
    proto_message(&graph, 15, &sparse);
    Model *model = model_of_graph(&graph);
    replace(model->graph, "second", OP_Sigmoid);
    proto_message(&field, 15, &sparse);
    ck_assert(holds(model_bytes(model), &field));
    ck_assert_uint_eq(model_again(model)->graph->initializer_count, 1);
}
END_TEST

/* ---- Subgraphs and functions ---- */

START_TEST(a_changed_subgraph_is_written)
{
    Proto graph, branch = {.size = 0}, doc = branch;
    proto_node(&branch, "Relu", "x", "r");
    proto_text(&branch, 10, "of the branch");
    proto_output(&branch, "r", 1, two);
    if_graph(&graph, &branch);
    Model *model = model_of_graph(&graph);
    Graph *inner = node_attr(model->graph->nodes[0], "else_branch")->graph;
    Node *old = inner->nodes[0];
    Node *fresh =
        node_new(inner, OP_Abs, "new", old->inputs, 1, old->outputs, 1);
    graph_replace_node(inner, old, &fresh, 1);
    Span bytes = model_bytes(model);
    proto_text(&doc, 10, "of the branch");
    ck_assert(holds(bytes, &doc));
    const Node *node = model_again(model)->graph->nodes[0];
    ck_assert_str_eq(node->name, "the/node");
    ck_assert_int_eq(node_attr(node, "then_branch")->graph->nodes[0]->op,
                     OP_Relu);
    ck_assert_int_eq(node_attr(node, "else_branch")->graph->nodes[0]->op,
                     OP_Abs);
}
END_TEST

START_TEST(a_new_initializer_of_a_subgraph_is_an_input_up_to_ir_3)
{
    for (int64_t version = 3; version < 5; version++) {
        Proto graph, branch = {.size = 0};
        proto_node(&branch, "Relu", "x", "r");
        proto_output(&branch, "r", 1, two);
        if_graph(&graph, &branch);
        Model *model = model_of_graph(&graph);
        Graph *inner = node_attr(model->graph->nodes[0], "else_branch")->graph;
        Node *old = inner->nodes[0];
        void *data;
        Tensor *tensor = tensor_alloc(arena, DT_FLOAT, 1, two, &data);
        model->ir_version = version;
        Value *inputs[2] = {old->inputs[0],
                            graph_add_initializer(inner, "w", tensor)};
        Node *fresh =
            node_new(inner, OP_Add, "new", inputs, 2, old->outputs, 1);
        graph_replace_node(inner, old, &fresh, 1);
        const Node *node = model_again(model)->graph->nodes[0];
        const Graph *again = node_attr(node, "else_branch")->graph;
        ck_assert_uint_eq(again->initializer_count, 1);
        ck_assert_uint_eq(again->input_count, version < 4);
    }
}
END_TEST

START_TEST(a_changed_function_is_written)
{
    Proto graph, file;
    small_graph(&graph);
    proto_model(&file, &graph);
    put_function(&file, "local", "f", "Elu");
    put_function(&file, "local", "g", "Elu");
    Model *model = model_of(&file);
    Graph *body = model->functions[1].body;
    Node *old = body->nodes[0];
    Node *fresh = node_new(body, OP_Abs, "", old->inputs, 1, old->outputs, 1);
    graph_replace_node(body, old, &fresh, 1);
    const Model *again = model_again(model);
    ck_assert_int_eq(again->functions[0].body->nodes[0]->op, OP_Elu);
    ck_assert_int_eq(again->functions[1].body->nodes[0]->op, OP_Abs);
    ck_assert_str_eq(again->functions[1].domain, "local");
}
END_TEST

START_TEST(a_clone_keeps_attributes_we_cannot_set)
{
    Proto extra = {.size = 0}, graph, attr = extra, kept = extra;
    proto_text(&attr, 1, "__shape_of");
    proto_bytes(&attr, 14, "", 0); /* a type */
    proto_int(&attr, 20, ATTR_TYPE_PROTO);
    proto_message(&extra, 5, &attr);
    node_graph(&graph, "Relu", &extra);
    Model *model = model_of_graph(&graph);
    Node *old = model->graph->nodes[0];
    Node *clone = node_clone(old, old->inputs, old->outputs);
    graph_replace_node(model->graph, old, &clone, 1);
    proto_message(&kept, 5, &attr);
    ck_assert(holds(model_bytes(model), &kept));
}
END_TEST

START_TEST(an_attribute_can_take_another_name)
{
    Proto extra = {.size = 0}, graph;
    put_int(&extra, "__of_the_call", 5);
    node_graph(&graph, "Relu", &extra);
    Model *model = model_of_graph(&graph);
    Node *old = model->graph->nodes[0];
    Node *clone = node_clone(old, old->inputs, old->outputs);
    clone->attrs[0].name = "__of_the_body";
    graph_replace_node(model->graph, old, &clone, 1);
    const Node *node = model_again(model)->graph->nodes[0];
    ck_assert_int_eq(node->attr_count, 1);
    ck_assert_int_eq(node_int(node, "__of_the_body", 0), 5);
}
END_TEST

Suite *suite_write(void)
{
    Suite *suite = suite_create("write");
    TCase *tcase = tcase_create("write");
    tcase_add_checked_fixture(tcase, models_setup, models_teardown);
    tcase_add_test(tcase, fixtures_come_out_byte_for_byte);
    tcase_add_test(tcase, unusual_encodings_come_out_byte_for_byte);
    tcase_add_test(tcase, untouched_nodes_keep_their_bytes);
    tcase_add_test(tcase, new_nodes_tell_where_they_come_from);
    tcase_add_test(tcase, edited_nodes_keep_all_but_their_names);
    tcase_add_test(tcase, nodes_come_in_order);
    tcase_add_test(tcase, what_is_gone_leaves_no_trace);
    tcase_add_test(tcase, sharding_goes_with_the_value);
    tcase_add_test(tcase, initializers_come_and_go);
    tcase_add_test(tcase, a_replaced_tensor_is_written_not_the_old_one);
    tcase_add_test(tcase, a_tensor_of_the_file_can_have_another_name);
    tcase_add_test(tcase, ir_3_lists_initializers_among_the_inputs);
    tcase_add_test(tcase, sparse_initializers_stay_as_they_are);
    tcase_add_test(tcase, a_changed_subgraph_is_written);
    tcase_add_test(tcase,
                   a_new_initializer_of_a_subgraph_is_an_input_up_to_ir_3);
    tcase_add_test(tcase, a_changed_function_is_written);
    tcase_add_test(tcase, a_clone_keeps_attributes_we_cannot_set);
    tcase_add_test(tcase, an_attribute_can_take_another_name);
    suite_add_tcase(suite, tcase);
    return suite;
}
