/* Calls of a model's own functions: which one, and with what attributes. And
 * what bodies take and give. */
#include <stdio.h>
#include <string.h>

#include "models.h"
#include "suites.h"

enum { ATTRIBUTE_PROTO = 11, OVERLOAD = 13, NODE_OVERLOAD = 8 };

static void put_float(Proto *message, int field, const char *name, float value)
{
    Proto attr = {.size = 0};
    proto_text(&attr, 1, name);
    proto_fixed32(&attr, 2, value);
    proto_int(&attr, 20, ATTR_FLOAT);
    proto_message(message, field, &attr);
}

/* local.F(x) = Elu<alpha=slope>(x), with more fields of it. */
static void put_elu(Proto *file, const Proto *extra)
{
    Proto function = {.size = 0}, node = function, attr = function;
    proto_text(&attr, 1, "alpha");
    proto_text(&attr, 21, "slope");
    proto_int(&attr, 20, ATTR_FLOAT);
    proto_text(&node, 1, "x");
    proto_text(&node, 2, "y");
    proto_text(&node, 4, "Elu");
    proto_message(&node, 5, &attr);
    proto_text(&function, 1, "F");
    proto_text(&function, 4, "x");
    proto_text(&function, 5, "y");
    proto_message(&function, 7, &node);
    proto_text(&function, 10, "local");
    put_raw(&function, extra->bytes, extra->size);
    proto_message(file, 25, &function);
}

/* y = local.F(x), with more fields of the call and of the function. */
static void call_elu(Proto *file, const Proto *call, const Proto *function)
{
    Proto extra = *call, graph;
    proto_text(&extra, 7, "local");
    node_graph(&graph, "F", &extra);
    proto_model(file, &graph);
    put_elu(file, function);
}

START_TEST(a_call_takes_the_functions_defaults)
{
    Proto file, call = {.size = 0}, function = call;
    put_float(&function, ATTRIBUTE_PROTO, "slope", 5);
    call_elu(&file, &call, &function);
    const Model *model = model_of(&file);
    const Node *node = model->graph->nodes[0];
    ck_assert(node_float(node, "slope", 0) == 5.0f);
    check_same_bytes(model_bytes(model), model->file);

    put_float(&call, 5, "slope", 3);
    call_elu(&file, &call, &function);
    node = model_of(&file)->graph->nodes[0];
    ck_assert_int_eq(node->attr_count, 1);
    ck_assert(node_float(node, "slope", 0) == 3.0f);
}
END_TEST

/* What is written anew of a call is what stood there. */
START_TEST(defaults_are_not_written)
{
    Proto file, call = {.size = 0}, function = call;
    put_float(&function, ATTRIBUTE_PROTO, "slope", 5);
    call_elu(&file, &call, &function);
    Model *model = model_of(&file);
    model->graph->nodes[0]->edited = true;
    check_same_bytes(model_bytes(model), model->file);
}
END_TEST

START_TEST(a_call_gives_what_the_function_takes)
{
    Proto file, call = {.size = 0}, function = call;
    put_int(&call, "slope", 3);
    call_elu(&file, &call, &function);
    check_refused(
        &file, ERR_BAD_ATTRIBUTE,
        "F node \"the/node\": attribute \"slope\" is not of the type");
    call = (Proto){.size = 0};
    put_int(&call, "something else", 3);
    call_elu(&file, &call, &function);
    model_of(&file);
}
END_TEST

/* A default of another type is as wrong as a call's. */
START_TEST(defaults_are_what_the_function_takes)
{
    Proto file, call = {.size = 0}, function = call, attr = call;
    proto_text(&attr, 1, "slope");
    proto_int(&attr, 3, 5);
    proto_int(&attr, 20, ATTR_INT);
    proto_message(&function, ATTRIBUTE_PROTO, &attr);
    call_elu(&file, &call, &function);
    check_refused(&file, ERR_BAD_ATTRIBUTE, "\"slope\" is not of the type");
    function = (Proto){.size = 0};
    proto_int(&attr, 20, ATTR_FLOAT);
    proto_message(&function, ATTRIBUTE_PROTO, &attr);
    call_elu(&file, &call, &function);
    check_refused(&file, ERR_MALFORMED, "field type is there twice");
}
END_TEST

START_TEST(one_attribute_has_one_type)
{
    Proto file, call = {.size = 0}, function = call, node = call, attr = call;
    proto_text(&attr, 1, "axis");
    proto_text(&attr, 21, "slope");
    proto_int(&attr, 20, ATTR_INT);
    proto_text(&node, 1, "x");
    proto_text(&node, 2, "z");
    proto_text(&node, 4, "Softmax");
    proto_message(&node, 5, &attr);
    proto_message(&function, 7, &node);
    call_elu(&file, &call, &function);
    check_refused(
        &file, ERR_BAD_ATTRIBUTE,
        "function \"F\": attribute \"slope\" is referred to as one of "
        "two types");
}
END_TEST

START_TEST(an_attribute_may_be_referred_to_twice)
{
    Proto file, call = {.size = 0}, function = call, node = call, attr = call;
    proto_text(&attr, 1, "alpha");
    proto_text(&attr, 21, "slope");
    proto_int(&attr, 20, ATTR_FLOAT);
    proto_text(&node, 1, "x");
    proto_text(&node, 2, "z");
    proto_text(&node, 4, "LeakyRelu");
    proto_message(&node, 5, &attr);
    proto_message(&function, 7, &node);
    call_elu(&file, &call, &function);
    ck_assert_uint_eq(model_of(&file)->functions[0].body->node_count, 2);
}
END_TEST

START_TEST(only_functions_have_attributes_to_refer_to)
{
    Proto extra = {.size = 0}, attr = extra, graph;
    proto_text(&attr, 1, "alpha");
    proto_text(&attr, 21, "slope");
    proto_int(&attr, 20, ATTR_FLOAT);
    proto_message(&extra, 5, &attr);
    node_graph(&graph, "Elu", &extra);
    check_graph_refused(&graph, ERR_BAD_ATTRIBUTE,
                        "attribute \"alpha\": refers to the attribute "
                        "\"slope\" of a function, and is in none");
}
END_TEST

/* One of a name may call another, which is no cycle. */
START_TEST(overloads_are_not_told_apart)
{
    Proto file, call = {.size = 0}, function = call, node = call;
    proto_text(&call, NODE_OVERLOAD, "two");
    call_elu(&file, &call, &function);
    ck_assert_ptr_nonnull(node_function(model_of(&file)->graph->nodes[0]));
    proto_text(&node, 1, "x");
    proto_text(&node, 2, "z");
    proto_text(&node, 4, "F");
    proto_text(&node, 7, "local");
    proto_message(&function, 7, &node);
    proto_text(&function, OVERLOAD, "two");
    put_elu(&file, &function);
    const Model *model = model_of(&file);
    ck_assert_ptr_null(node_function(model->graph->nodes[0]));
    put_elu(&file, &function);
    check_refused(&file, ERR_DUPLICATE_NAME, "\"F\" is there twice");
}
END_TEST

/* The model need not import what only its functions use. */
START_TEST(a_function_may_import_what_the_model_does_not)
{
    Proto file = {.size = 0}, import = file, extra = file, function = file,
          graph;
    proto_text(&extra, 7, "local");
    node_graph(&graph, "F", &extra);
    proto_text(&import, 1, "local");
    proto_int(&import, 2, 1);
    proto_int(&file, 1, 8);
    proto_message(&file, 7, &graph);
    proto_message(&file, 8, &import);
    Proto bare = file;
    put_elu(&bare, &function);
    check_refused(&bare, ERR_INVALID_MODEL, "imports no opset of ONNX");
    import = (Proto){.size = 0};
    proto_text(&import, 1, "");
    proto_int(&import, 2, 17);
    proto_message(&function, 9, &import);
    put_elu(&file, &function);
    const Model *model = model_of(&file);
    ck_assert_int_eq(model->functions[0].body->nodes[0]->op, OP_Elu);
}
END_TEST

/* local.F0(x) calls F1, and that F2; the last is Identity. */
static void call_in_a_row(Proto *file, int functions)
{
    Proto extra = {.size = 0}, graph;
    char name[16], next[16];
    proto_text(&extra, 7, "local");
    node_graph(&graph, "F0", &extra);
    proto_model(file, &graph);
    for (int i = 0; i < functions; i++) {
        Proto function = {.size = 0}, node = function;
        bool is_last = i + 1 == functions;
        snprintf(name, sizeof name, "F%d", i);
        snprintf(next, sizeof next, "F%d", i + 1);
        proto_text(&node, 1, "x");
        proto_text(&node, 2, "y");
        proto_text(&node, 4, is_last ? "Identity" : next);
        if (!is_last)
            proto_text(&node, 7, "local");
        proto_text(&function, 1, name);
        proto_text(&function, 4, "x");
        proto_text(&function, 5, "y");
        proto_message(&function, 7, &node);
        proto_text(&function, 10, "local");
        proto_message(file, 25, &function);
    }
}

START_TEST(a_hundred_calls_may_be_in_one_another)
{
    Proto file;
    call_in_a_row(&file, 100);
    ck_assert_uint_eq(model_of(&file)->function_count, 100);
    call_in_a_row(&file, 101);
    check_refused(&file, ERR_TOO_DEEP, "more than 100 that call one another");
}
END_TEST

/* ---- Bodies ---- */

static const struct Taking {
    const char *op;
    int inputs, outputs;           /* of the node */
    int body_inputs, body_outputs; /* of its body */
    const char *refused;           /* or NULL */
} takings[] = {
    {"If", 1, 1, 0, 1, NULL},
    {"If", 1, 2, 0, 1, "then_branch gives 1 values instead of 2"},
    {"If", 1, 1, 0, 2, "then_branch gives 2 values instead of 1"},
    {"If", 1, 1, 1, 1, "then_branch takes 1 values instead of 0"},
    /* An iteration and a condition, then what is carried. */
    {"Loop", 3, 1, 3, 2, NULL},
    {"Loop", 3, 1, 3, 1, "body gives 1 values instead of 2"},
    {"Loop", 3, 1, 4, 2, "body takes 4 values instead of 3"},
    {"Loop", 3, 1, 3, 3, NULL}, /* one is not named */
    {"Loop", 2, 1, 2, 2, NULL},
    {"Loop", 2, 1, 3, 2, "body takes 3 values instead of 2"},
    {"Loop", 1, 1, 2, 2, NULL}, /* the condition is left out */
    {"Loop", 1, 1, 3, 2, "body takes 3 values instead of 2"},
    {"Scan", 2, 1, 2, 1, NULL},
    {"Scan", 2, 1, 3, 1, "body takes 3 values instead of 2"},
    {"Scan", 2, 2, 2, 1, "body gives 1 values instead of 2"},
};

static void put_names(Proto *node, int field, const char *stem, int count)
{
    char name[16];
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof name, "%s%d", stem, i);
        proto_text(node, field, name);
    }
}

/* Each output is a number that the body has. */
static void put_body(Proto *node, const char *name, const struct Taking *taking)
{
    static const float one = 1;
    Proto body = {.size = 0};
    char text[16];
    for (int i = 0; i < taking->body_inputs; i++) {
        snprintf(text, sizeof text, "in%d", i);
        proto_input(&body, text, 0, NULL);
    }
    for (int i = 0; i < taking->body_outputs; i++) {
        char made[16];
        snprintf(text, sizeof text, "one%d", i);
        snprintf(made, sizeof made, "out%d", i);
        proto_weight(&body, text, 0, NULL, &one);
        proto_node(&body, "Identity", text, made);
        proto_output(&body, made, 0, NULL);
    }
    put_attribute(node, name, 6, body.bytes, body.size, ATTR_GRAPH);
}

START_TEST(a_body_takes_and_gives_what_its_node_does)
{
    const struct Taking *taking = &takings[_i];
    const int64_t dims[1] = {2};
    bool is_if = strcmp(taking->op, "If") == 0;
    Proto graph = {.size = 0}, node = graph;
    put_names(&node, 1, "x", taking->inputs);
    put_names(&node, 2, "y", taking->outputs);
    proto_text(&node, 4, taking->op);
    put_body(&node, is_if ? "then_branch" : "body", taking);
    if (is_if)
        put_body(&node, "else_branch", taking);
    if (strcmp(taking->op, "Scan") == 0)
        put_int(&node, "num_scan_inputs", 1);
    proto_message(&graph, 1, &node);
    for (int i = 0; i < taking->inputs; i++) {
        char name[16];
        snprintf(name, sizeof name, "x%d", i);
        proto_input(&graph, name, 1, dims);
    }
    proto_output(&graph, "y0", 1, dims);
    if (taking->refused)
        check_graph_refused(&graph, ERR_INVALID_MODEL, taking->refused);
    else
        ck_assert_uint_eq(model_of_graph(&graph)->graph->node_count, 1);
}
END_TEST

Suite *suite_nesting(void)
{
    Suite *suite = suite_create("nesting");
    TCase *tcase = tcase_create("nesting");
    tcase_add_checked_fixture(tcase, models_setup, models_teardown);
    tcase_add_test(tcase, a_call_takes_the_functions_defaults);
    tcase_add_test(tcase, defaults_are_not_written);
    tcase_add_test(tcase, a_call_gives_what_the_function_takes);
    tcase_add_test(tcase, defaults_are_what_the_function_takes);
    tcase_add_test(tcase, one_attribute_has_one_type);
    tcase_add_test(tcase, only_functions_have_attributes_to_refer_to);
    tcase_add_test(tcase, overloads_are_not_told_apart);
    tcase_add_test(tcase, a_function_may_import_what_the_model_does_not);
    tcase_add_test(tcase, an_attribute_may_be_referred_to_twice);
    tcase_add_test(tcase, a_hundred_calls_may_be_in_one_another);
    tcase_add_loop_test(tcase, a_body_takes_and_gives_what_its_node_does, 0,
                        sizeof takings / sizeof *takings);
    suite_add_tcase(suite, tcase);
    return suite;
}
