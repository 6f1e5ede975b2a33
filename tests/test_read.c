/* Reading: what a file says is what the graph says, or an error that tells
 * where the file is wrong. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "models.h"
#include "suites.h"

static const int64_t two[] = {2};

/* ---- Graphs ---- */

START_TEST(a_graph_is_what_the_file_says)
{
    Proto file;
    small_graph(&file);
    const Model *model = model_of_graph(&file);
    const Graph *graph = model->graph;
    ck_assert_int_eq(model->ir_version, 8);
    ck_assert_int_eq(model->opset, 17);
    ck_assert_str_eq(model->producer_name, "test");
    ck_assert_uint_eq(graph->node_count, 2);
    const Node *add = graph->nodes[0], *relu = graph->nodes[1];
    ck_assert_int_eq(add->op, OP_Add);
    ck_assert_str_eq(add->inputs[0]->name, "x");
    ck_assert_ptr_eq(add->inputs[1], graph->initializers[0]);
    ck_assert_ptr_eq(relu->inputs[0], add->outputs[0]);
    ck_assert_ptr_eq(relu->inputs[0]->producer, add);
    ck_assert_ptr_eq(graph->outputs[0], relu->outputs[0]);
    ck_assert(graph->inputs[0]->is_input);
    ck_assert_int_eq(graph->inputs[0]->fact.type, DT_FLOAT);
    ck_assert_int_eq(graph->inputs[0]->fact.rank, 1);
    ck_assert_int_eq(add->outputs[0]->use_count, 1);
    ck_assert(!graph->changed);
    Err err = {0};
    ck_assert_int_eq(graph_check(graph, &err), 0);
}
END_TEST

START_TEST(weights_stay_where_they_are)
{
    Proto file;
    small_graph(&file);
    const Model *model = model_of_graph(&file);
    const Tensor *w = find_initializer(model->graph, "w")->tensor;
    const uint8_t *data = w->data;
    ck_assert(data > model->file.bytes);
    ck_assert(data < model->file.bytes + model->file.size);
    double values[2];
    tensor_read_f64(w, 0, 2, values);
    ck_assert(values[0] == 1 && values[1] == 2);
}
END_TEST

static void read_fixture(const char *path)
{
    Model *model;
    Err err = {0};
    int status = model_read_file(arena, path, NULL, &model, &err);
    ck_assert_msg(status == 0, "%s", err.message);
    status = graph_check(model->graph, &err);
    ck_assert_msg(status == 0, "%s: %s", path, err.message);
}

START_TEST(fixtures_are_read)
{
    for_each_fixture(read_fixture);
}
END_TEST

/* Adds a value_info or input whose only dim is this Dimension. */
static void put_dim(Proto *graph, const char *name, const Proto *dim)
{
    Proto value = {.size = 0}, type = value, tensor = value, shape = value;
    proto_message(&shape, 1, dim);
    proto_int(&tensor, 1, DT_FLOAT);
    proto_message(&tensor, 2, &shape);
    proto_message(&type, 1, &tensor);
    proto_text(&value, 1, name);
    proto_message(&value, 2, &type);
    proto_message(graph, 11, &value);
}

START_TEST(dims_are_numbers_names_or_unknown)
{
    Proto graph = {.size = 0}, three = graph, batch = graph, none = graph,
          minus = graph, empty = graph, value = graph;
    proto_int(&three, 1, 3);
    proto_text(&batch, 2, "batch");
    proto_int(&minus, 1, (uint64_t)-1);
    proto_text(&empty, 2, "");
    put_dim(&graph, "three", &three);
    put_dim(&graph, "batch", &batch);
    put_dim(&graph, "batch too", &batch);
    put_dim(&graph, "none", &none);
    put_dim(&graph, "minus", &minus);
    put_dim(&graph, "empty", &empty);
    proto_text(&value, 1, "no type");
    proto_message(&graph, 11, &value);
    const Model *model = model_of_graph(&graph);
    Dim dims[6];
    for (int i = 0; i < 6; i++)
        dims[i] = model->graph->inputs[i]->fact.dims[0];
    ck_assert_int_eq(dims[0], 3);
    ck_assert_int_eq(dims[1], dims[2]);
    ck_assert_str_eq(dim_text(arena, model->symbols, dims[1]), "batch");
    for (int i = 3; i < 6; i++) {
        ck_assert(dim_is_unknown(model->symbols, dims[i]));
        ck_assert_int_ne(dims[i], dims[3 + (i - 2) % 3]);
    }
    ck_assert_int_eq(model->graph->inputs[6]->fact.rank, -1);
}
END_TEST

START_TEST(no_shape_is_not_a_scalar)
{
    Proto graph = {.size = 0}, value = graph, type = graph, tensor = graph;
    proto_int(&tensor, 1, DT_FLOAT);
    proto_message(&type, 1, &tensor);
    proto_text(&value, 1, "x");
    proto_message(&value, 2, &type);
    proto_message(&graph, 11, &value);
    proto_input(&graph, "scalar", 0, NULL);
    const Model *model = model_of_graph(&graph);
    ck_assert_int_eq(model->graph->inputs[0]->fact.rank, -1);
    ck_assert_int_eq(model->graph->inputs[0]->fact.type, DT_FLOAT);
    ck_assert_int_eq(model->graph->inputs[1]->fact.rank, 0);
}
END_TEST

/* ---- Order and names ---- */

START_TEST(an_undefined_value_is_named)
{
    Proto graph = {.size = 0};
    proto_node(&graph, "Add", "x missing.weight", "y");
    proto_input(&graph, "x", 1, two);
    check_graph_refused(&graph, ERR_UNDEFINED_VALUE,
                        "Add node producing \"y\": reads \"missing.weight\"");
}
END_TEST

START_TEST(a_cycle_is_named)
{
    Proto graph = {.size = 0};
    proto_input(&graph, "x", 1, two);
    proto_node(&graph, "Add", "x b", "a");
    proto_node(&graph, "Relu", "a", "b");
    check_graph_refused(&graph, ERR_CYCLE, "cycle through");
    graph = (Proto){.size = 0};
    proto_node(&graph, "Relu", "a", "a");
    check_graph_refused(&graph, ERR_CYCLE,
                        "cycle through Relu node producing \"a\"");
    graph = (Proto){.size = 0};
    proto_input(&graph, "x", 1, two);
    proto_node(&graph, "Add", "x late", "y");
    proto_node(&graph, "Abs", "x", "late");
    proto_node(&graph, "Add", "late b", "a");
    proto_node(&graph, "Relu", "a", "b");
    check_graph_refused(&graph, ERR_CYCLE, "cycle through");
}
END_TEST

/* As float16 converters leave it, which append their Casts. */
START_TEST(nodes_may_come_in_any_order)
{
    Proto graph = {.size = 0};
    proto_input(&graph, "x", 1, two);
    proto_node(&graph, "Neg", "x", "first");
    proto_node(&graph, "Add", "b c", "y");
    proto_node(&graph, "Relu", "a", "b");
    proto_node(&graph, "Exp", "first", "d");
    proto_node(&graph, "Abs", "x", "a");
    proto_node(&graph, "Add", "a d", "c");
    proto_output(&graph, "y", 1, two);
    const Graph *read = model_of_graph(&graph)->graph;
    static const char *const order[] = {"first", "a", "b", "d", "c", "y"};
    ck_assert_uint_eq(read->node_count, 6);
    for (size_t i = 0; i < 6; i++)
        ck_assert_str_eq(read->nodes[i]->outputs[0]->name, order[i]);
}
END_TEST

START_TEST(disorder_hides_no_other_fault)
{
    Proto graph = {.size = 0};
    proto_input(&graph, "x", 1, two);
    proto_node(&graph, "Relu", "a", "b");
    proto_node(&graph, "Add", "x missing", "a");
    check_graph_refused(&graph, ERR_UNDEFINED_VALUE, "reads \"missing\"");
    graph = (Proto){.size = 0};
    proto_input(&graph, "x", 1, two);
    proto_node(&graph, "Relu", "a", "b");
    proto_node(&graph, "Abs", "x", "a");
    proto_node(&graph, "Neg", "x", "a");
    check_graph_refused(&graph, ERR_DUPLICATE_NAME, "produces \"a\"");
}
END_TEST

START_TEST(a_long_cycle_takes_no_stack)
{
    enum { COUNT = 500 };
    Proto graph = {.size = 0};
    for (int i = 0; i < COUNT; i++) {
        char from[16], to[16];
        snprintf(from, sizeof from, "v%d", (i + COUNT - 1) % COUNT);
        snprintf(to, sizeof to, "v%d", i);
        proto_node(&graph, "Relu", from, to);
    }
    check_graph_refused(&graph, ERR_CYCLE, "reads \"v499\"");
}
END_TEST

START_TEST(names_are_defined_once)
{
    Proto graph;
    small_graph(&graph);
    proto_input(&graph, "x", 1, two);
    check_graph_refused(&graph, ERR_DUPLICATE_NAME,
                        "the input \"x\" is there twice");
    small_graph(&graph);
    proto_weight(&graph, "w", 1, two, (const float[]){0, 0});
    check_graph_refused(&graph, ERR_DUPLICATE_NAME,
                        "the initializer \"w\" is there twice");
    static const char *const taken[] = {"x", "w", "y"};
    for (int i = 0; i < 3; i++) {
        small_graph(&graph);
        proto_node(&graph, "Abs", "x", taken[i]);
        check_graph_refused(&graph, ERR_DUPLICATE_NAME, taken[i]);
    }
}
END_TEST

START_TEST(names_are_not_empty)
{
    Proto graph = {.size = 0};
    proto_input(&graph, "", 1, two);
    check_graph_refused(&graph, ERR_INVALID_MODEL, "the input has no name");
    graph = (Proto){.size = 0};
    proto_weight(&graph, "", 1, two, (const float[]){0, 0});
    check_graph_refused(&graph, ERR_INVALID_MODEL,
                        "the initializer has no name");
}
END_TEST

START_TEST(an_output_must_come_from_somewhere)
{
    Proto graph;
    small_graph(&graph);
    proto_output(&graph, "z", 1, two);
    check_graph_refused(&graph, ERR_UNDEFINED_VALUE, "the output \"z\"");
}
END_TEST

START_TEST(outputs_may_be_inputs_initializers_and_twice)
{
    Proto graph;
    small_graph(&graph);
    proto_output(&graph, "x", 1, two);
    proto_output(&graph, "w", 1, two);
    proto_output(&graph, "y", 1, two);
    const Model *model = model_of_graph(&graph);
    ck_assert_uint_eq(model->graph->output_count, 4);
    ck_assert_ptr_eq(model->graph->outputs[0], model->graph->outputs[3]);
}
END_TEST

START_TEST(an_initializer_may_be_the_default_of_an_input)
{
    Proto graph;
    small_graph(&graph);
    proto_input(&graph, "w", 1, two);
    Model *model = model_of_graph(&graph);
    const Value *w = find_initializer(model->graph, "w");
    ck_assert(w->is_input && w->is_initializer);
    ck_assert(value_is_overridable(model->graph, w));
}
END_TEST

START_TEST(optional_inputs_and_outputs_may_be_left_out)
{
    Proto graph = {.size = 0}, clip = graph;
    proto_input(&graph, "x", 1, two);
    proto_input(&graph, "high", 0, NULL);
    proto_text(&clip, 1, "x");
    proto_text(&clip, 1, "");
    proto_text(&clip, 1, "high");
    proto_text(&clip, 2, "y");
    proto_text(&clip, 4, "Clip");
    proto_message(&graph, 1, &clip);
    const Node *node = model_of_graph(&graph)->graph->nodes[0];
    ck_assert_int_eq(node->input_count, 3);
    ck_assert_ptr_null(node->inputs[1]);
    ck_assert_str_eq(node->inputs[2]->name, "high");
}
END_TEST

START_TEST(names_are_escaped_in_messages)
{
    Proto graph = {.size = 0};
    proto_node(&graph, "Relu", "\x1b[31mred%n%s", "y");
    check_graph_refused(&graph, ERR_UNDEFINED_VALUE, "\\x1b[31mred%n%s");
    char name[4000];
    memset(name, 'n', sizeof name);
    graph = (Proto){.size = 0};
    Proto node = {.size = 0};
    proto_bytes(&node, 1, name, sizeof name);
    proto_text(&node, 4, "Relu");
    proto_text(&node, 2, "y");
    proto_message(&graph, 1, &node);
    check_graph_refused(&graph, ERR_UNDEFINED_VALUE, "nnn...\", which is no");
}
END_TEST

/* ---- Versions ---- */

/* A model of that IR version that imports one version of a domain. */
static void versions(Proto *file, int64_t ir, const char *domain, int64_t opset)
{
    Proto graph, import = {.size = 0};
    small_graph(&graph);
    proto_text(&import, 1, domain);
    proto_int(&import, 2, (uint64_t)opset);
    *file = (Proto){.size = 0};
    proto_int(file, 1, (uint64_t)ir);
    proto_message(file, 7, &graph);
    proto_message(file, 8, &import);
}

START_TEST(versions_that_are_known_are_read)
{
    Proto file;
    for (int64_t ir = 3; ir <= 14; ir++) {
        versions(&file, ir, "", 7 + ir);
        ck_assert_int_eq(model_of(&file)->ir_version, ir);
    }
    versions(&file, 14, "ai.onnx", 28);
    ck_assert_int_eq(model_of(&file)->opset, 28);
}
END_TEST

START_TEST(newer_versions_are_refused_as_such)
{
    static const struct {
        int64_t ir, opset;
        ErrCode code;
        const char *text;
    } cases[] = {
        {15, 17, ERR_TOO_NEW, "IR version 15 is newer"},
        {(int64_t)1 << 62, 17, ERR_TOO_NEW, "is newer"},
        {0, 17, ERR_INVALID_MODEL, "IR version"},
        {-1, 17, ERR_INVALID_MODEL, "IR version"},
        {8, 29, ERR_TOO_NEW, "opset 29 is newer"},
        {8, 0, ERR_INVALID_MODEL, "impossible version 0"},
        {8, -1, ERR_INVALID_MODEL, "impossible version -1"},
        {8, (int64_t)1 << 31, ERR_INVALID_MODEL, "impossible version"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Proto file;
        versions(&file, cases[i].ir, "", cases[i].opset);
        check_refused(&file, cases[i].code, cases[i].text);
    }
}
END_TEST

START_TEST(a_model_imports_one_opset)
{
    Proto file, import = {.size = 0}, graph;
    versions(&file, 8, "ai.onnx.ml", 3);
    check_refused(&file, ERR_INVALID_MODEL, "imports no opset of ONNX");
    versions(&file, 8, "", 17);
    proto_text(&import, 1, "ai.onnx");
    proto_int(&import, 2, 18);
    proto_message(&file, 8, &import);
    check_refused(&file, ERR_INVALID_MODEL, "both opset 17 and opset 18");
    small_graph(&graph);
    file = (Proto){.size = 0};
    proto_int(&file, 1, 8);
    proto_message(&file, 7, &graph);
    check_refused(&file, ERR_INVALID_MODEL, "imports no opset");
}
END_TEST

START_TEST(a_model_has_a_graph)
{
    Proto file = {.size = 0};
    proto_text(&file, 2, "some other protobuf");
    check_refused(&file, ERR_NOT_ONNX, "it has no graph");
    proto_int(&file, 1, 8);
    check_refused(&file, ERR_INVALID_MODEL, "it has no graph");
}
END_TEST

/* ---- What is not constant ---- */

START_TEST(what_training_updates_is_mutable)
{
    Proto graph, file, training = {.size = 0}, binding = training;
    small_graph(&graph);
    proto_model(&file, &graph);
    proto_text(&binding, 1, "w");
    proto_text(&binding, 2, "new_w");
    proto_message(&training, 4, &binding);
    proto_message(&file, 20, &training);
    const Model *model = model_of(&file);
    ck_assert(find_value(model->graph, "w")->is_mutable);
    ck_assert(!find_value(model->graph, "x")->is_mutable);
    ck_assert_ptr_null(
        value_constant(model->graph, find_value(model->graph, "w")));
}
END_TEST

START_TEST(what_is_quantised_is_mutable)
{
    Proto graph, annotation = {.size = 0}, entry = annotation;
    small_graph(&graph);
    proto_text(&annotation, 1, "a");
    proto_text(&entry, 1, "SCALE_TENSOR");
    proto_text(&entry, 2, "w");
    proto_message(&annotation, 2, &entry);
    proto_message(&graph, 14, &annotation);
    const Model *model = model_of_graph(&graph);
    ck_assert(find_value(model->graph, "a")->is_mutable);
    ck_assert(find_value(model->graph, "w")->is_mutable);
    ck_assert(!find_value(model->graph, "y")->is_mutable);
}
END_TEST

/* ---- Files ---- */

START_TEST(files_that_cannot_be_read_say_why)
{
    static const struct {
        const char *path, *why;
    } cases[] = {
        {"tests/no-such-file.onnx", "No such file"},
        {"tests", "is a directory"},
        {"/dev/null", "is empty"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Model *model;
        Err err = {0};
        ck_assert_int_eq(
            model_read_file(arena, cases[i].path, NULL, &model, &err), -1);
        ck_assert_str_eq(err.file, cases[i].path);
        ck_assert_msg(strstr(err.message, cases[i].why) != NULL, "%s",
                      err.message);
    }
}
END_TEST

START_TEST(a_pipe_is_read_to_its_end)
{
    Proto graph, file;
    int ends[2];
    char path[32];
    small_graph(&graph);
    proto_model(&file, &graph);
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(write(ends[1], file.bytes, file.size), (ssize_t)file.size);
    close(ends[1]);
    snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
    Model *model;
    Err err = {0};
    ck_assert_int_eq(model_read_file(arena, path, NULL, &model, &err), 0);
    ck_assert_uint_eq(model->graph->node_count, 2);
    ck_assert_uint_eq(model->file.size, file.size);
    close(ends[0]);
}
END_TEST

Suite *suite_read(void)
{
    Suite *suite = suite_create("read");
    TCase *tcase = tcase_create("read");
    tcase_add_checked_fixture(tcase, models_setup, models_teardown);
    tcase_add_test(tcase, a_graph_is_what_the_file_says);
    tcase_add_test(tcase, weights_stay_where_they_are);
    tcase_add_test(tcase, fixtures_are_read);
    tcase_add_test(tcase, dims_are_numbers_names_or_unknown);
    tcase_add_test(tcase, no_shape_is_not_a_scalar);
    tcase_add_test(tcase, an_undefined_value_is_named);
    tcase_add_test(tcase, a_cycle_is_named);
    tcase_add_test(tcase, nodes_may_come_in_any_order);
    tcase_add_test(tcase, disorder_hides_no_other_fault);
    tcase_add_test(tcase, a_long_cycle_takes_no_stack);
    tcase_add_test(tcase, names_are_defined_once);
    tcase_add_test(tcase, names_are_not_empty);
    tcase_add_test(tcase, an_output_must_come_from_somewhere);
    tcase_add_test(tcase, outputs_may_be_inputs_initializers_and_twice);
    tcase_add_test(tcase, an_initializer_may_be_the_default_of_an_input);
    tcase_add_test(tcase, optional_inputs_and_outputs_may_be_left_out);
    tcase_add_test(tcase, names_are_escaped_in_messages);
    tcase_add_test(tcase, versions_that_are_known_are_read);
    tcase_add_test(tcase, newer_versions_are_refused_as_such);
    tcase_add_test(tcase, a_model_imports_one_opset);
    tcase_add_test(tcase, a_model_has_a_graph);
    tcase_add_test(tcase, what_training_updates_is_mutable);
    tcase_add_test(tcase, what_is_quantised_is_mutable);
    tcase_add_test(tcase, files_that_cannot_be_read_say_why);
    tcase_add_test(tcase, a_pipe_is_read_to_its_end);
    suite_add_tcase(suite, tcase);
    return suite;
}
