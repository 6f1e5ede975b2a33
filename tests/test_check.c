/* graph_check: each broken promise is found, and named. */
#include <string.h>

#include "graph/graph.h"
#include "suites.h"

static Arena *arena;
static Graph *graph;
static Value *x, *y, *z; /* z = Neg(y), y = Relu(x) */

static void setup(void)
{
    arena = arena_new(0);
    Model *model = model_new(arena);
    model->ir_version = 8;
    graph = model->graph = graph_new(model, NULL);
    x = graph_value(graph, "x");
    y = graph_value(graph, "y");
    z = graph_value(graph, "z");
    graph_add_input(graph, x);
    graph_add_node(graph, node_new(graph, OP_Relu, "relu", &x, 1, &y, 1));
    graph_add_node(graph, node_new(graph, OP_Neg, "neg", &y, 1, &z, 1));
    graph_add_output(graph, z);
    graph_fill_uses(graph);
}

static void teardown(void)
{
    arena_free(arena);
}

static void check_fails(ErrCode code, const char *names)
{
    Err err = {0};
    ck_assert_int_eq(graph_check(graph, &err), -1);
    ck_assert_str_eq(err_name(err.code), err_name(code));
    ck_assert_msg(strstr(err.message, names) != NULL, "%s", err.message);
}

START_TEST(a_sound_graph_passes)
{
    Err err = {0};
    ck_assert_int_eq(graph_check(graph, &err), 0);
    ck_assert_int_eq(err.code, ERR_OK);
}
END_TEST

START_TEST(an_undefined_value_is_found)
{
    graph->nodes[0]->inputs[0] = graph_value(graph, "nowhere");
    check_fails(ERR_UNDEFINED_VALUE, "Relu node \"relu\": \"nowhere\"");
}
END_TEST

START_TEST(an_operator_of_another_opset_is_found)
{
    graph->model->opset = 19;
    graph->nodes[0]->op = OP_Gelu;
    check_fails(ERR_INTERNAL, "opset 19 has no such operator");
    graph->opset = 20;
    ck_assert_int_eq(graph_check(graph, &(Err){0}), 0);
}
END_TEST

START_TEST(an_undefined_output_is_found)
{
    graph_add_output(graph, graph_value(graph, "nowhere"));
    check_fails(ERR_UNDEFINED_VALUE, "\"nowhere\"");
}
END_TEST

START_TEST(a_value_of_a_removed_node_is_undefined)
{
    graph_replace_node(graph, y->producer, NULL, 0);
    graph_fill_uses(graph);
    check_fails(ERR_UNDEFINED_VALUE, "Neg node \"neg\": \"y\"");
}
END_TEST

START_TEST(reading_before_defining_is_found)
{
    graph->nodes[0]->inputs[0] = z;
    check_fails(ERR_CYCLE, "Relu node \"relu\": \"z\"");
}
END_TEST

START_TEST(reading_its_own_value_is_found)
{
    graph->nodes[0]->inputs[0] = y;
    check_fails(ERR_CYCLE, "Relu node \"relu\": \"y\"");
}
END_TEST

START_TEST(defining_twice_is_found)
{
    graph_add_node(graph, node_new(graph, OP_Abs, "again", &x, 1, &y, 1));
    check_fails(ERR_DUPLICATE_NAME, "\"y\"");
}
END_TEST

START_TEST(defining_an_input_is_found)
{
    graph->nodes[1]->outputs[0] = x;
    x->producer = graph->nodes[1];
    check_fails(ERR_DUPLICATE_NAME, "\"x\"");
}
END_TEST

START_TEST(listing_twice_is_found)
{
    graph_add_input(graph, x);
    check_fails(ERR_DUPLICATE_NAME, "input");
}
END_TEST

START_TEST(arity_is_checked)
{
    Node *node = graph->nodes[0];
    node->input_count = 0;
    check_fails(ERR_INVALID_MODEL, "Relu node \"relu\": cannot have 0 inputs");
    node->input_count = 1;
    node->inputs[0] = NULL;
    check_fails(ERR_INVALID_MODEL, "Relu node \"relu\"");
    node->inputs[0] = x;
    node->output_count = 2;
    check_fails(ERR_INVALID_MODEL, "2 outputs");
}
END_TEST

/* A name of another operator's attribute is no better than any other. */
START_TEST(attributes_are_checked)
{
    Node *relu = graph->nodes[0];
    Err err = {0};
    node_set_int(relu, "__of_the_writer", 1);
    ck_assert_int_eq(graph_check(graph, &err), 0);
    node_set_int(relu, "consumed_inputs", 1);
    check_fails(ERR_BAD_ATTRIBUTE, "Relu node \"relu\": attribute "
                                   "\"consumed_inputs\" is of another type "
                                   "than that of Relu");
    node_set_ints(relu, "consumed_inputs", NULL, 0);
    ck_assert_int_eq(graph_check(graph, &err), 0);
    node_set_float(relu, "alpha", 0.1f);
    check_fails(ERR_BAD_ATTRIBUTE,
                "attribute \"alpha\": Relu has none of that");
    relu->op = OP_OTHER;
    ck_assert_int_eq(graph_check(graph, &err), 0);
}
END_TEST

START_TEST(an_operator_we_do_not_know_has_any_arity)
{
    Err err = {0};
    graph->nodes[0]->op = OP_OTHER;
    graph->nodes[0]->input_count = 0;
    ck_assert_int_eq(graph_check(graph, &err), 0);
}
END_TEST

START_TEST(a_tensor_must_be_of_the_known_type_and_shape)
{
    void *data;
    int64_t two = 2;
    Value *w = graph_add_initializer(
        graph, "w", tensor_alloc(arena, DT_FLOAT, 1, &two, &data));
    Err err = {0};
    ck_assert_int_eq(graph_check(graph, &err), 0);
    w->fact.type = DT_DOUBLE;
    check_fails(ERR_BAD_TENSOR, "\"w\"");
    w->fact.type = DT_FLOAT;
    w->fact.dims = (Dim[]){3};
    check_fails(ERR_BAD_TENSOR, "\"w\"");
    w->fact.rank = 0;
    check_fails(ERR_BAD_TENSOR, "\"w\"");
}
END_TEST

START_TEST(a_gap_that_was_not_closed_is_found)
{
    graph_replace_node(graph, graph->nodes[1], NULL, 0);
    check_fails(ERR_INTERNAL, "neg");
}
END_TEST

/* A subgraph held by a node after `index`, that reads `name`. */
static void add_if(const char *name)
{
    Graph *branch = graph_new(graph->model, graph);
    Value *in = graph_read_value(branch, name);
    Value *inside = graph_value(branch, "inside");
    graph_add_node(branch, node_new(branch, OP_Abs, "abs", &in, 1, &inside, 1));
    graph_add_output(branch, inside);
    Value *out = graph_value(graph, "out");
    Node *node = node_new(graph, OP_If, "if", &x, 1, &out, 1);
    node->attrs = arena_alloc(arena, sizeof(Attr));
    node->attrs[0] = (Attr){"then_branch", .type = ATTR_GRAPH, .graph = branch};
    node->attr_count = 1;
    graph_add_node(graph, node);
}

START_TEST(a_subgraph_may_read_what_came_before_its_holder)
{
    Err err = {0};
    add_if("y");
    graph_fill_uses(graph);
    ck_assert_int_eq(graph_check(graph, &err), 0);
}
END_TEST

START_TEST(a_subgraph_may_not_read_what_comes_after_its_holder)
{
    Value *late = graph_value(graph, "late");
    add_if("late");
    graph_add_node(graph, node_new(graph, OP_Exp, "exp", &x, 1, &late, 1));
    graph_fill_uses(graph);
    check_fails(ERR_CYCLE, "Abs node \"abs\": \"late\"");
}
END_TEST

START_TEST(a_subgraph_may_not_read_what_is_gone)
{
    add_if("y");
    graph->nodes[1]->inputs[0] = x;
    graph_replace_node(graph, y->producer, NULL, 0);
    graph_fill_uses(graph);
    check_fails(ERR_UNDEFINED_VALUE, "Abs node \"abs\": \"y\"");
}
END_TEST

START_TEST(control_characters_do_not_reach_the_terminal)
{
    graph->nodes[0]->inputs[0] = graph_value(graph, "a\x1b[31mb\n");
    check_fails(ERR_UNDEFINED_VALUE, "\"a\\x1b[31mb\\x0a\"");
}
END_TEST

Suite *suite_check(void)
{
    Suite *suite = suite_create("check");
    TCase *tcase = tcase_create("check");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_sound_graph_passes);
    tcase_add_test(tcase, an_undefined_value_is_found);
    tcase_add_test(tcase, an_operator_of_another_opset_is_found);
    tcase_add_test(tcase, an_undefined_output_is_found);
    tcase_add_test(tcase, a_value_of_a_removed_node_is_undefined);
    tcase_add_test(tcase, reading_before_defining_is_found);
    tcase_add_test(tcase, reading_its_own_value_is_found);
    tcase_add_test(tcase, defining_twice_is_found);
    tcase_add_test(tcase, defining_an_input_is_found);
    tcase_add_test(tcase, listing_twice_is_found);
    tcase_add_test(tcase, arity_is_checked);
    tcase_add_test(tcase, attributes_are_checked);
    tcase_add_test(tcase, an_operator_we_do_not_know_has_any_arity);
    tcase_add_test(tcase, a_tensor_must_be_of_the_known_type_and_shape);
    tcase_add_test(tcase, a_gap_that_was_not_closed_is_found);
    tcase_add_test(tcase, a_subgraph_may_read_what_came_before_its_holder);
    tcase_add_test(tcase, a_subgraph_may_not_read_what_comes_after_its_holder);
    tcase_add_test(tcase, a_subgraph_may_not_read_what_is_gone);
    tcase_add_test(tcase, control_characters_do_not_reach_the_terminal);
    suite_add_tcase(suite, tcase);
    return suite;
}
