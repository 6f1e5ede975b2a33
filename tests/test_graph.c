/* Graphs: values and names, attributes, uses, replacing and sweeping. */
#include <string.h>

#include "graph/graph.h"
#include "suites.h"

static Arena *arena;
static Model *model;
static Graph *graph;
static Value *x; /* the input */

static void setup(void)
{
    arena = arena_new(0);
    model = model_new(arena);
    model->ir_version = 8;
    graph = model->graph = graph_new(model, NULL);
    x = graph_value(graph, "x");
    graph_add_input(graph, x);
}

static void teardown(void)
{
    arena_free(arena);
}

static Node *new_node(Graph *in, Op op, Value *a, Value *b, const char *name)
{
    Value *out = graph_value(in, name);
    return node_new(in, op, name, (Value *[]){a, b}, b ? 2 : 1, &out, 1);
}

/* Adds a node and returns what it produces, which is called like it. */
static Value *add(Op op, Value *a, Value *b, const char *name)
{
    Node *node = new_node(graph, op, a, b, name);
    graph_add_node(graph, node);
    return node->outputs[0];
}

static Value *initializer(const char *name)
{
    void *data;
    int64_t one = 1;
    Tensor *tensor = tensor_alloc(arena, DT_FLOAT, 1, &one, &data);
    return graph_add_initializer(graph, name, tensor);
}

/* The names of the nodes in order, joined. */
static const char *order(void)
{
    const char *text = "";
    for (size_t i = 0; i < graph->node_count; i++)
        if (!graph->nodes[i]->removed)
            text = arena_printf(arena, "%s%s%s", text, i ? " " : "",
                                graph->nodes[i]->name);
    return text;
}

/* ---- Values and names ---- */

START_TEST(a_name_is_one_value_in_its_scope)
{
    ck_assert_ptr_eq(graph_value(graph, "x"), x);
    ck_assert_ptr_eq(graph_find_value(graph, "x"), x);
    ck_assert_ptr_null(graph_find_value(graph, "y"));
    ck_assert_int_eq(x->fact.rank, -1);
}
END_TEST

START_TEST(a_subgraph_sees_the_enclosing_scope)
{
    Graph *inner = graph_new(model, graph);
    Graph *innermost = graph_new(model, inner);
    Value *local = graph_value(inner, "local");
    ck_assert_ptr_eq(graph_find_value(innermost, "x"), x);
    ck_assert_ptr_eq(graph_find_value(innermost, "local"), local);
    ck_assert_ptr_null(graph_find_value(graph, "local"));
    Value *stand_in = graph_read_value(innermost, "x");
    ck_assert_ptr_ne(stand_in, x);
    ck_assert_ptr_eq(stand_in->outer, x);
    ck_assert_ptr_eq(graph_read_value(innermost, "x"), stand_in);
    ck_assert_ptr_null(graph_read_value(innermost, "nowhere"));
    ck_assert_ptr_eq(graph_read_value(graph, "x"), x);
}
END_TEST

START_TEST(fresh_names_are_free_in_every_scope)
{
    Graph *inner = graph_new(model, graph);
    Graph *function = graph_new(model, NULL);
    graph_value(inner, "w_1");
    graph_value(function, "w_2");
    graph_value(graph, "w");
    ck_assert_str_eq(graph_fresh_value(graph, "w")->name, "w_3");
    ck_assert_str_eq(graph_fresh_value(graph, "w")->name, "w_4");
    ck_assert_str_eq(graph_fresh_value(graph, "new")->name, "new");
    ck_assert_str_eq(graph_fresh_value(inner, "new")->name, "new_1");
}
END_TEST

START_TEST(many_fresh_names_of_one_stem_are_quick)
{
    for (int i = 0; i < 100000; i++)
        graph_fresh_value(graph, "w");
    ck_assert_ptr_nonnull(graph_find_value(graph, "w_99999"));
}
END_TEST

START_TEST(an_initializer_has_the_fact_of_its_tensor)
{
    Value *w = initializer("w");
    ck_assert(w->is_initializer);
    ck_assert_int_eq(w->fact.type, DT_FLOAT);
    ck_assert_int_eq(w->fact.rank, 1);
    ck_assert_int_eq(w->fact.dims[0], 1);
    graph_set_initializer(graph, w, w->tensor);
    ck_assert_uint_eq(graph->initializer_count, 1);
}
END_TEST

/* Up to IR 3 every initializer had to be an input as well. */
START_TEST(an_old_model_lists_initializers_as_inputs)
{
    initializer("w");
    ck_assert_uint_eq(graph->input_count, 1);
    model->ir_version = 3;
    ck_assert(initializer("v")->is_input);
    ck_assert_uint_eq(graph->input_count, 2);
}
END_TEST

START_TEST(what_counts_as_constant)
{
    Value *w = initializer("w");
    ck_assert_ptr_eq(value_constant(graph, w), w->tensor);
    ck_assert_ptr_null(value_constant(graph, x));
    graph_add_input(graph, w);
    ck_assert(value_is_overridable(graph, w));
    ck_assert_ptr_null(value_constant(graph, w));
    model->freeze_initializers = true;
    ck_assert_ptr_eq(value_constant(graph, w), w->tensor);
    model->freeze_initializers = false;
    model->ir_version = 3;
    ck_assert_ptr_eq(value_constant(graph, w), w->tensor);
    w->is_mutable = true;
    ck_assert_ptr_null(value_constant(graph, w));
}
END_TEST

START_TEST(a_captured_constant_is_constant_inside)
{
    Value *w = initializer("w");
    Graph *inner = graph_new(model, graph);
    Value *stand_in = graph_read_value(inner, "w");
    ck_assert_ptr_eq(value_constant(inner, stand_in), w->tensor);
    graph_add_input(graph, w);
    ck_assert_ptr_null(value_constant(inner, stand_in));
}
END_TEST

/* ---- Attributes ---- */

START_TEST(attributes_are_set_read_and_replaced)
{
    Node *node = new_node(graph, OP_Conv, x, NULL, "y");
    const int64_t *ints;
    ck_assert_ptr_null(node_attr(node, "group"));
    ck_assert_int_eq(node_int(node, "group", 7), 7);
    node_set_int(node, "group", 2);
    node_set_int(node, "group", 3);
    node_set_float(node, "epsilon", 0.5f);
    node_set_ints(node, "pads", (int64_t[]){1, 2}, 2);
    node_set_ints(node, "none", NULL, 0);
    node_set_string(node, "mode", "SAME");
    ck_assert_int_eq(node->attr_count, 5);
    ck_assert_int_eq(node_int(node, "group", 7), 3);
    ck_assert(node_float(node, "epsilon", 0) == 0.5f);
    ck_assert_int_eq(node_ints(node, "pads", &ints), 2);
    ck_assert_int_eq(ints[1], 2);
    ck_assert_int_eq(node_ints(node, "none", &ints), 0);
    ck_assert_int_eq(node_ints(node, "missing", &ints), -1);
    ck_assert(node_string_is(node, "mode", "SAME"));
    ck_assert(!node_string_is(node, "mode", "SAM"));
    ck_assert(!node_string_is(node, "mode", "SAME_UPPER"));
    ck_assert(!node_string_is(node, "missing", ""));
}
END_TEST

START_TEST(an_attribute_of_another_type_counts_as_absent)
{
    Node *node = new_node(graph, OP_Conv, x, NULL, "y");
    const int64_t *ints;
    node_set_float(node, "group", 2);
    ck_assert_int_eq(node_int(node, "group", 1), 1);
    ck_assert_int_eq(node_ints(node, "group", &ints), -1);
    ck_assert(!node_string_is(node, "group", ""));
    node_set_int(node, "axis", 3);
    node->attrs[1].reference = "axis_of_the_function";
    ck_assert_int_eq(node_int(node, "axis", 1), 1);
}
END_TEST

START_TEST(a_clone_has_attributes_of_its_own)
{
    Node *node = new_node(graph, OP_Softmax, x, NULL, "y");
    Value *z = graph_value(graph, "z");
    node_set_int(node, "axis", 1);
    Node *clone = node_clone(node, &x, &z);
    node_set_int(clone, "axis", 2);
    ck_assert_int_eq(node_int(node, "axis", 0), 1);
    ck_assert_int_eq(node_int(clone, "axis", 0), 2);
    ck_assert_str_eq(clone->op_type, "Softmax");
    ck_assert_ptr_eq(clone->outputs[0], z);
    ck_assert_ptr_null(node_input(clone, 1));
    ck_assert_ptr_null(node_output(clone, 1));
}
END_TEST

/* ---- Uses ---- */

START_TEST(a_use_is_a_node_and_a_slot)
{
    Value *y = add(OP_Relu, x, NULL, "y");
    Value *z = add(OP_Add, y, y, "z");
    graph_add_output(graph, z);
    graph_add_output(graph, y);
    graph_fill_uses(graph);
    ck_assert_int_eq(x->use_count, 1);
    ck_assert_int_eq(y->use_count, 3);
    ck_assert_ptr_eq(y->uses[0].node, z->producer);
    ck_assert_int_eq(y->uses[0].slot, 0);
    ck_assert_int_eq(y->uses[1].slot, 1);
    ck_assert_ptr_null(y->uses[2].node);
    ck_assert_int_eq(y->uses[2].slot, 1);
    ck_assert_int_eq(z->use_count, 1);
    ck_assert_uint_eq(z->producer->index, 1);
    graph_fill_uses(graph);
    ck_assert_int_eq(y->use_count, 3);
}
END_TEST

/* An If whose branch reads `read` by name, two levels down if `deep`. */
static Node *add_if(Value *read, bool deep, const char *name)
{
    Graph *branch = graph_new(model, graph);
    Graph *inner = deep ? graph_new(model, branch) : branch;
    Value *stand_in = graph_read_value(inner, read->name);
    const char *inside = arena_printf(arena, "%s_inside", name);
    Node *reader = new_node(inner, OP_Neg, stand_in, NULL, inside);
    graph_add_node(inner, reader);
    graph_add_output(inner, reader->outputs[0]);
    if (deep) {
        Node *holder = new_node(branch, OP_If, graph_read_value(branch, "x"),
                                NULL, arena_printf(arena, "%s_mid", name));
        holder->attrs = arena_alloc(arena, sizeof(Attr));
        holder->attrs[0] =
            (Attr){"then_branch", .type = ATTR_GRAPH, .graph = inner};
        holder->attr_count = 1;
        graph_add_node(branch, holder);
        graph_add_output(branch, holder->outputs[0]);
    }
    Node *node = new_node(graph, OP_If, x, NULL, name);
    node->attrs = arena_alloc(arena, sizeof(Attr));
    node->attrs[0] = (Attr){"then_branch", .type = ATTR_GRAPH, .graph = branch};
    node->attr_count = 1;
    graph_add_node(graph, node);
    return node;
}

START_TEST(a_capture_is_a_use_by_the_node_that_holds_the_subgraph)
{
    Value *y = add(OP_Relu, x, NULL, "y");
    Node *holder = add_if(y, _i, "if");
    graph_add_output(graph, holder->outputs[0]);
    graph_fill_uses(graph);
    ck_assert_int_eq(y->use_count, 1);
    ck_assert_ptr_eq(y->uses[0].node, holder);
    ck_assert_int_eq(y->uses[0].slot, -1);
    ck_assert(y->is_captured);
    ck_assert_uint_eq(graph_sweep(graph), 0);
}
END_TEST

START_TEST(a_capture_ends_with_its_holder)
{
    Value *y = add(OP_Relu, x, NULL, "y");
    Node *holder = add_if(y, _i, "if");
    Value *out = add(OP_Neg, holder->outputs[0], NULL, "out");
    graph_add_output(graph, out);
    graph_fill_uses(graph);
    Node *fresh = node_new(graph, OP_Abs, "abs", &x, 1, &out, 1);
    graph_replace_node(graph, out->producer, &fresh, 1);
    ck_assert_uint_eq(graph_sweep(graph), 2);
    ck_assert_str_eq(order(), "abs");
    ck_assert(!y->is_captured);
}
END_TEST

/* ---- Editing ---- */

START_TEST(a_new_node_takes_the_place_and_the_value)
{
    Value *a = add(OP_Relu, x, NULL, "a");
    Value *b = add(OP_Neg, a, NULL, "b");
    Value *c = add(OP_Abs, b, NULL, "c");
    graph_add_output(graph, c);
    graph_fill_uses(graph);
    Node *old = b->producer;
    Node *fresh = node_new(graph, OP_Exp, "new", &a, 1, &b, 1);
    graph_replace_node(graph, old, &fresh, 1);
    ck_assert(old->removed);
    ck_assert_ptr_eq(b->producer, fresh);
    ck_assert_ptr_eq(c->producer->inputs[0], b);
    ck_assert_str_eq(order(), "a new c");
    ck_assert(graph->changed);
}
END_TEST

/* Replaced by several, one of which is replaced again, before any refill. */
START_TEST(replacing_nests)
{
    Value *a = add(OP_Relu, x, NULL, "a");
    Value *b = add(OP_Neg, a, NULL, "b");
    graph_add_output(graph, add(OP_Abs, b, NULL, "c"));
    graph_fill_uses(graph);
    Node *first[3], *second[2];
    first[0] = new_node(graph, OP_Exp, a, NULL, "p");
    first[1] = new_node(graph, OP_Exp, first[0]->outputs[0], NULL, "q");
    first[2] = node_new(graph, OP_Exp, "r", first[1]->outputs, 1, &b, 1);
    graph_replace_node(graph, b->producer, first, 3);
    second[0] = new_node(graph, OP_Log, first[0]->outputs[0], NULL, "s");
    second[1] = node_new(graph, OP_Log, "t", second[0]->outputs, 1,
                         first[1]->outputs, 1);
    graph_replace_node(graph, first[1], second, 2);
    Node *last = node_new(graph, OP_Sin, "u", first[1]->outputs, 1, &b, 1);
    graph_replace_node(graph, first[2], &last, 1);
    ck_assert_str_eq(order(), "a u c");
    graph_fill_uses(graph);
    ck_assert_str_eq(order(), "a p s t u c");
    for (size_t i = 0; i < graph->node_count; i++)
        ck_assert_uint_eq(graph->nodes[i]->index, i);
    Err err = {0};
    ck_assert_int_eq(graph_check(graph, &err), 0);
}
END_TEST

START_TEST(replacing_by_nothing_leaves_a_gap_that_closes)
{
    Value *a = add(OP_Relu, x, NULL, "a");
    Value *b = add(OP_Constant, NULL, NULL, "b");
    graph_add_output(graph, add(OP_Add, a, b, "c"));
    graph_fill_uses(graph);
    graph_replace_node(graph, b->producer, NULL, 0);
    void *data;
    Tensor *tensor = tensor_alloc(arena, DT_FLOAT, 0, NULL, &data);
    graph_set_initializer(graph, b, tensor);
    ck_assert_ptr_null(b->producer);
    ck_assert_str_eq(order(), "a c");
    graph_fill_uses(graph);
    ck_assert_uint_eq(graph->node_count, 2);
    Err err = {0};
    ck_assert_int_eq(graph_check(graph, &err), 0);
}
END_TEST

START_TEST(replacing_an_input_marks_the_node_as_edited)
{
    Value *a = add(OP_Relu, x, NULL, "a");
    Value *b = add(OP_Add, a, a, "b");
    node_replace_input(b->producer, x, a);
    ck_assert(!b->producer->edited);
    ck_assert(!graph->changed);
    node_replace_input(b->producer, a, x);
    ck_assert_ptr_eq(b->producer->inputs[0], x);
    ck_assert_ptr_eq(b->producer->inputs[1], x);
    ck_assert(b->producer->edited);
    ck_assert(graph->changed);
}
END_TEST

START_TEST(a_changed_subgraph_changes_its_parents)
{
    Node *holder = add_if(x, false, "if");
    Graph *branch = holder->attrs[0].graph;
    graph_fill_uses(graph);
    graph_replace_node(branch, branch->nodes[0], NULL, 0);
    ck_assert(branch->changed);
    ck_assert(graph->changed);
}
END_TEST

/* ---- Sweeping ---- */

START_TEST(sweeping_drops_what_died_by_editing)
{
    Value *w = initializer("w");
    Value *a = add(OP_Mul, x, w, "a");
    Value *b = add(OP_Neg, a, NULL, "b");
    Value *c = add(OP_Abs, b, NULL, "c");
    graph_add_output(graph, c);
    graph_fill_uses(graph);
    Node *fresh = node_new(graph, OP_Exp, "new", &x, 1, &c, 1);
    graph_replace_node(graph, c->producer, &fresh, 1);
    ck_assert_uint_eq(graph_sweep(graph), 2);
    ck_assert_str_eq(order(), "new");
    ck_assert_uint_eq(graph->initializer_count, 0);
    ck_assert(!w->is_initializer);
    ck_assert_int_eq(x->use_count, 1);
}
END_TEST

START_TEST(what_was_dead_in_the_file_stays)
{
    Value *w = initializer("unread");
    Value *v = initializer("read_by_the_dead");
    add(OP_Mul, add(OP_Relu, x, NULL, "a"), v, "dead");
    graph_add_output(graph, add(OP_Abs, x, NULL, "c"));
    graph->changed = false;
    graph_fill_uses(graph);
    ck_assert_uint_eq(graph_sweep(graph), 0);
    ck_assert_str_eq(order(), "a dead c");
    ck_assert(w->is_initializer);
    ck_assert(v->is_initializer);
    ck_assert(!graph->changed);
}
END_TEST

START_TEST(an_unread_initializer_leaves_the_inputs_too)
{
    Value *w = initializer("w");
    Value *v = initializer("v");
    graph_add_input(graph, w);
    graph_add_input(graph, v);
    Value *a = add(OP_Mul, x, w, "a");
    graph_add_output(graph, add(OP_Mul, a, v, "b"));
    graph_fill_uses(graph);
    node_replace_input(a->producer, w, x);
    graph_sweep(graph);
    /* A caller may override it: it stays. */
    ck_assert_uint_eq(graph->input_count, 3);
    ck_assert_uint_eq(graph->initializer_count, 2);
    model->ir_version = 3;
    graph_sweep(graph);
    ck_assert_uint_eq(graph->input_count, 2);
    ck_assert_ptr_eq(graph->inputs[1], v);
    ck_assert_uint_eq(graph->initializer_count, 1);
}
END_TEST

START_TEST(an_unread_input_of_the_model_stays)
{
    Value *a = add(OP_Relu, x, NULL, "a");
    graph_add_output(graph, a);
    graph_fill_uses(graph);
    Value *w = initializer("w");
    Node *fresh = node_new(graph, OP_Neg, "new", &w, 1, &a, 1);
    graph_replace_node(graph, a->producer, &fresh, 1);
    graph_sweep(graph);
    ck_assert_uint_eq(graph->input_count, 1);
    ck_assert_uint_eq(graph->initializer_count, 1);
}
END_TEST

/* 100,000 nodes, each replaced by two, all at once: linear, or the test's
 * time runs out. */
START_TEST(a_hundred_thousand_replacements_are_quick)
{
    enum { COUNT = 100000 };
    Value *value = x;
    for (int i = 0; i < COUNT; i++) {
        Value *out = graph_fresh_value(graph, "v");
        graph_add_node(graph, node_new(graph, OP_Relu, "", &value, 1, &out, 1));
        value = out;
    }
    graph_add_output(graph, value);
    graph_fill_uses(graph);
    for (size_t i = 0; i < graph->node_count; i++) {
        Node *old = graph->nodes[i], *fresh[2];
        Value *middle = graph_fresh_value(graph, "m");
        fresh[0] = node_new(graph, OP_Abs, "", old->inputs, 1, &middle, 1);
        fresh[1] = node_new(graph, OP_Neg, "", &middle, 1, old->outputs, 1);
        graph_replace_node(graph, old, fresh, 2);
    }
    ck_assert_uint_eq(graph_sweep(graph), 0);
    ck_assert_uint_eq(graph->node_count, 2 * COUNT);
    Err err = {0};
    ck_assert_int_eq(graph_check(graph, &err), 0);
    Node *last = node_new(graph, OP_Exp, "", &x, 1, &value, 1);
    graph_replace_node(graph, value->producer, &last, 1);
    ck_assert_uint_eq(graph_sweep(graph), 2 * COUNT - 1);
}
END_TEST

static TCase *editing_tests(void)
{
    TCase *tcase = tcase_create("editing");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_new_node_takes_the_place_and_the_value);
    tcase_add_test(tcase, replacing_nests);
    tcase_add_test(tcase, replacing_by_nothing_leaves_a_gap_that_closes);
    tcase_add_test(tcase, replacing_an_input_marks_the_node_as_edited);
    tcase_add_test(tcase, a_changed_subgraph_changes_its_parents);
    tcase_add_test(tcase, sweeping_drops_what_died_by_editing);
    tcase_add_test(tcase, what_was_dead_in_the_file_stays);
    tcase_add_test(tcase, an_unread_initializer_leaves_the_inputs_too);
    tcase_add_test(tcase, an_unread_input_of_the_model_stays);
    tcase_add_test(tcase, a_hundred_thousand_replacements_are_quick);
    return tcase;
}

Suite *suite_graph(void)
{
    Suite *suite = suite_create("graph");
    TCase *tcase = tcase_create("graph");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_name_is_one_value_in_its_scope);
    tcase_add_test(tcase, a_subgraph_sees_the_enclosing_scope);
    tcase_add_test(tcase, fresh_names_are_free_in_every_scope);
    tcase_add_test(tcase, many_fresh_names_of_one_stem_are_quick);
    tcase_add_test(tcase, an_initializer_has_the_fact_of_its_tensor);
    tcase_add_test(tcase, an_old_model_lists_initializers_as_inputs);
    tcase_add_test(tcase, what_counts_as_constant);
    tcase_add_test(tcase, a_captured_constant_is_constant_inside);
    tcase_add_test(tcase, attributes_are_set_read_and_replaced);
    tcase_add_test(tcase, an_attribute_of_another_type_counts_as_absent);
    tcase_add_test(tcase, a_clone_has_attributes_of_its_own);
    tcase_add_test(tcase, a_use_is_a_node_and_a_slot);
    tcase_add_loop_test(
        tcase, a_capture_is_a_use_by_the_node_that_holds_the_subgraph, 0, 2);
    tcase_add_loop_test(tcase, a_capture_ends_with_its_holder, 0, 2);
    suite_add_tcase(suite, tcase);
    suite_add_tcase(suite, editing_tests());
    return suite;
}
