/* Reading nodes: attributes, operators, subgraphs, functions. */
#include <string.h>

#include "models.h"
#include "suites.h"

static const int64_t two[] = {2};

START_TEST(attributes_have_their_types)
{
    Proto extra = {.size = 0}, graph, attr = extra;
    put_int(&extra, "i", -5);
    put_attribute(&extra, "s", 4, "a\0b", 3, ATTR_STRING);
    put_attribute(&extra, "packed", 8, "\x01\x80\x01\x03", 4, ATTR_INTS);
    put_attribute(&extra, "floats", 7, "\0\0\x80\x3f\0\0\0\x40", 8,
                  ATTR_FLOATS);
    proto_text(&attr, 1, "one by one");
    proto_int(&attr, 8, 1);
    proto_int(&attr, 8, 128);
    proto_int(&attr, 8, 3);
    proto_int(&attr, 20, ATTR_INTS);
    proto_message(&extra, 5, &attr);
    attr = (Proto){.size = 0};
    proto_text(&attr, 1, "f");
    put_raw(&attr, "\x15\0\0\x20\x40", 5);
    proto_int(&attr, 20, ATTR_FLOAT);
    proto_message(&extra, 5, &attr);
    put_attribute(&extra, "strings", 9, "only", 4, ATTR_STRINGS);
    node_graph(&graph, "Custom", &extra);
    const Node *node = model_of_graph(&graph)->graph->nodes[0];
    const int64_t *ints, *single;
    ck_assert_int_eq(node_int(node, "i", 0), -5);
    ck_assert(node_float(node, "f", 0) == 2.5f);
    const Attr *s = node_attr(node, "s");
    ck_assert_uint_eq(s->s.size, 3);
    ck_assert_mem_eq(s->s.bytes, "a\0b", 3);
    ck_assert_int_eq(node_ints(node, "packed", &ints), 3);
    ck_assert_int_eq(node_ints(node, "one by one", &single), 3);
    ck_assert_int_eq(ints[1], 128);
    ck_assert_mem_eq(ints, single, 3 * sizeof *ints);
    ck_assert(node_attr(node, "floats")->floats[1] == 2.0f);
    ck_assert_uint_eq(node_attr(node, "strings")->strings[0].size, 4);
}
END_TEST

START_TEST(a_number_left_out_is_zero)
{
    Proto extra = {.size = 0}, attr = extra, graph;
    proto_text(&attr, 1, "axis");
    proto_int(&attr, 20, ATTR_INT);
    proto_message(&extra, 5, &attr);
    node_graph(&graph, "Flatten", &extra);
    const Node *node = model_of_graph(&graph)->graph->nodes[0];
    ck_assert_int_eq(node_int(node, "axis", 7), 0);
}
END_TEST

static void check_attribute_refused(const Proto *extra, const char *text)
{
    Proto graph;
    node_graph(&graph, "Relu", extra);
    check_graph_refused(&graph, ERR_BAD_ATTRIBUTE, "Relu node \"the/node\"");
    check_graph_refused(&graph, ERR_BAD_ATTRIBUTE, text);
}

START_TEST(wrong_attributes_are_named)
{
    Proto extra = {.size = 0}, attr = extra;
    put_int(&extra, "axis", 1);
    put_int(&extra, "axis", 2);
    check_attribute_refused(&extra, "attribute \"axis\" is there twice");
    extra = (Proto){.size = 0};
    put_attribute(&extra, "axis", 4, "1", 1, ATTR_INT);
    check_attribute_refused(&extra, "attribute \"axis\": holds a value of");
    extra = (Proto){.size = 0};
    put_attribute(&extra, "axis", 4, "1", 1, 99);
    check_attribute_refused(&extra, "the unknown type 99");
    extra = (Proto){.size = 0};
    put_attribute(&extra, "axis", 4, "1", 1, 0);
    check_attribute_refused(&extra, "the unknown type 0");
    extra = (Proto){.size = 0};
    put_int(&extra, "", 1);
    check_attribute_refused(&extra, "has an empty name");
    extra = (Proto){.size = 0};
    proto_text(&attr, 1, "value");
    proto_int(&attr, 20, ATTR_TENSOR);
    proto_message(&extra, 5, &attr);
    check_attribute_refused(&extra, "attribute \"value\": holds no value");
    extra = (Proto){.size = 0};
    put_attribute(&extra, "kernel_shape", 8, "\3\3", 2, ATTR_INTS);
    check_attribute_refused(&extra,
                            "attribute \"kernel_shape\": Relu has none");
    extra = (Proto){.size = 0};
    put_int(&extra, "consumed_inputs", 0);
    check_attribute_refused(&extra, "\"consumed_inputs\" is of another type");
}
END_TEST

/* ONNX's checker leaves names with two underlines to the writer. */
START_TEST(attributes_of_the_writer_stay)
{
    Proto extra = {.size = 0}, graph;
    put_int(&extra, "__layout", 1);
    node_graph(&graph, "Relu", &extra);
    const Node *node = model_of_graph(&graph)->graph->nodes[0];
    ck_assert_int_eq(node->op, OP_Relu);
    ck_assert_int_eq(node_int(node, "__layout", 0), 1);
}
END_TEST

START_TEST(operators_have_their_arity)
{
    static const struct {
        const char *op, *inputs, *outputs, *text;
    } cases[] = {
        {"Conv", "x", "y", "cannot have 1 inputs"},
        {"Conv", "x x x x", "y", "cannot have 4 inputs"},
        {"Relu", "x", "y z", "cannot have 2 outputs"},
        {"Conv", "x  x", "y", "lacks its input 1"},
        {"Custom", "", "", "no inputs and no outputs"},
        {"", "x", "y", "has no operator"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Proto graph = {.size = 0};
        proto_input(&graph, "x", 1, two);
        proto_node(&graph, cases[i].op, cases[i].inputs, cases[i].outputs);
        check_graph_refused(&graph, ERR_INVALID_MODEL, cases[i].text);
    }
}
END_TEST

static Node *node_of_domain(const char *domain)
{
    Proto extra = {.size = 0}, graph;
    proto_text(&extra, 7, domain);
    node_graph(&graph, "Relu", &extra);
    return model_of_graph(&graph)->graph->nodes[0];
}

START_TEST(operators_of_other_domains_are_opaque)
{
    ck_assert_int_eq(node_of_domain("")->op, OP_Relu);
    ck_assert_int_eq(node_of_domain("ai.onnx")->op, OP_Relu);
    ck_assert_int_eq(node_of_domain("com.example")->op, OP_OTHER);
    ck_assert_str_eq(node_of_domain("com.example")->op_type, "Relu");
}
END_TEST

/* ---- Subgraphs and functions ---- */

START_TEST(subgraphs_read_outer_values)
{
    Proto graph, branch = {.size = 0};
    proto_node(&branch, "Relu", "x", "r");
    proto_output(&branch, "r", 1, two);
    if_graph(&graph, &branch);
    const Model *model = model_of_graph(&graph);
    const Node *node = model->graph->nodes[0];
    const Graph *then_branch = node_attr(node, "then_branch")->graph;
    ck_assert_ptr_eq(then_branch->parent, model->graph);
    const Value *x = then_branch->nodes[0]->inputs[0];
    ck_assert_ptr_eq(x->outer, find_value(model->graph, "x"));
    ck_assert(find_value(model->graph, "x")->is_captured);
    ck_assert_ptr_ne(find_value(then_branch, "r"),
                     find_value(node_attr(node, "else_branch")->graph, "r"));
}
END_TEST

START_TEST(subgraphs_keep_to_single_assignment)
{
    Proto graph, branch = {.size = 0};
    proto_node(&branch, "Relu", "x", "x");
    if_graph(&graph, &branch);
    check_graph_refused(&graph, ERR_DUPLICATE_NAME, "produces \"x\"");
    branch = (Proto){.size = 0};
    proto_output(&branch, "x", 1, two);
    if_graph(&graph, &branch);
    check_graph_refused(&graph, ERR_UNDEFINED_VALUE,
                        "attribute \"then_branch\": nothing produces");
}
END_TEST

START_TEST(subgraphs_cannot_read_what_their_node_makes)
{
    Proto graph, branch = {.size = 0};
    proto_node(&branch, "Relu", "y", "r");
    proto_output(&branch, "r", 1, two);
    if_graph(&graph, &branch);
    check_graph_refused(&graph, ERR_CYCLE, "cycle through If node");
    branch = (Proto){.size = 0};
    proto_bytes(&branch, 12, "", 0); /* an output without a name */
    proto_node(&branch, "Relu", "later", "r");
    if_graph(&graph, &branch);
    proto_node(&graph, "Relu", "x", "later");
    check_graph_refused(&graph, ERR_INVALID_MODEL, "reads \"later\" before");
}
END_TEST

START_TEST(operators_that_the_opset_lacks_are_opaque)
{
    Proto graph, extra = {.size = 0};
    node_graph(&graph, "Gelu", &extra);
    const Node *node = model_of_graph(&graph)->graph->nodes[0];
    ck_assert_int_eq(node->op, OP_OTHER);
    ck_assert_str_eq(node->op_type, "Gelu");
    node_graph(&graph, "LayerNormalization", &extra);
    check_graph_refused(&graph, ERR_INVALID_MODEL, "cannot have 1 inputs");
}
END_TEST

/* F(x) = Gelu(x), by that opset; the model is of opset 17. */
static void gelu_function(Proto *file, int64_t opset)
{
    Proto graph, function = {.size = 0}, node = function, import = function;
    small_graph(&graph);
    proto_model(file, &graph);
    proto_text(&node, 1, "x");
    proto_text(&node, 2, "y");
    proto_text(&node, 4, "Gelu");
    proto_text(&import, 1, "ai.onnx");
    proto_int(&import, 2, (uint64_t)opset);
    proto_text(&function, 1, "F");
    proto_text(&function, 4, "x");
    proto_text(&function, 5, "y");
    proto_message(&function, 7, &node);
    proto_message(&function, 9, &import);
    proto_text(&function, 10, "local");
    proto_message(file, 25, &function);
}

START_TEST(a_function_has_the_operators_of_its_own_opset)
{
    Proto file;
    gelu_function(&file, 20);
    const Graph *body = model_of(&file)->functions[0].body;
    ck_assert_int_eq(graph_opset(body), 20);
    ck_assert_int_eq(body->nodes[0]->op, OP_Gelu);
    gelu_function(&file, 18);
    ck_assert_int_eq(model_of(&file)->functions[0].body->nodes[0]->op,
                     OP_OTHER);
    gelu_function(&file, 29);
    check_refused(&file, ERR_TOO_NEW, "function \"F\": opset 29 is newer");
}
END_TEST

START_TEST(functions_go_before_operators)
{
    Proto graph, file;
    small_graph(&graph);
    proto_model(&file, &graph);
    put_function(&file, "ai.onnx", "Relu", "Elu");
    put_function(&file, "other", "Add", "Selu");
    const Model *model = model_of(&file);
    ck_assert_int_eq(model->graph->nodes[0]->op, OP_Add);
    ck_assert_int_eq(model->graph->nodes[1]->op, OP_OTHER);
    ck_assert_uint_eq(model->function_count, 2);
    const Function *function = &model->functions[0];
    ck_assert_str_eq(function->name, "Relu");
    ck_assert_uint_eq(function->body->node_count, 1);
    ck_assert_ptr_eq(function->body->outputs[0]->producer,
                     function->body->nodes[0]);
    const Attr *alpha = node_attr(function->body->nodes[0], "alpha");
    ck_assert_str_eq(alpha->reference, "slope");
    put_function(&file, "", "Relu", "Elu");
    check_refused(&file, ERR_DUPLICATE_NAME, "the function \"Relu\"");
}
END_TEST

Suite *suite_read_node(void)
{
    Suite *suite = suite_create("read_node");
    TCase *tcase = tcase_create("read_node");
    tcase_add_checked_fixture(tcase, models_setup, models_teardown);
    tcase_add_test(tcase, attributes_have_their_types);
    tcase_add_test(tcase, a_number_left_out_is_zero);
    tcase_add_test(tcase, wrong_attributes_are_named);
    tcase_add_test(tcase, attributes_of_the_writer_stay);
    tcase_add_test(tcase, operators_have_their_arity);
    tcase_add_test(tcase, operators_of_other_domains_are_opaque);
    tcase_add_test(tcase, subgraphs_read_outer_values);
    tcase_add_test(tcase, subgraphs_keep_to_single_assignment);
    tcase_add_test(tcase, subgraphs_cannot_read_what_their_node_makes);
    tcase_add_test(tcase, operators_that_the_opset_lacks_are_opaque);
    tcase_add_test(tcase, a_function_has_the_operators_of_its_own_opset);
    tcase_add_test(tcase, functions_go_before_operators);
    suite_add_tcase(suite, tcase);
    return suite;
}
