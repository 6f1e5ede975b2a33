/* Writing a model that no file was read for. */
#include <string.h>

#include "models.h"
#include "suites.h"

static const int64_t two_by_three[] = {2, 3};

/* Element i is 1/(i+1): rounded when it is written. */
static void read_fractions(const TensorFormula *self, int64_t first,
                           int64_t count, double *out)
{
    (void)self;
    for (int64_t i = 0; i < count; i++)
        out[i] = 1.0 / (double)(first + i + 1);
}

static const TensorFormula fractions = {read_fractions};

static Model *new_model(void)
{
    Model *model = model_new(arena);
    model->ir_version = 9;
    model->opset = 19;
    model->producer_name = "a test";
    model->graph = graph_new(model, NULL);
    model->graph->name = "built";
    return model;
}

static Value *new_input(Model *model, const char *name, Dim first)
{
    Value *x = graph_value(model->graph, name);
    fact_set(arena, &x->fact, DT_FLOAT16, 2, (Dim[]){first, 3});
    graph_add_input(model->graph, x);
    return x;
}

START_TEST(a_model_without_a_file_is_whole)
{
    Model *model = new_model();
    Graph *graph = model->graph;
    Value *inputs[] = {
        new_input(model, "x", dim_named(model->symbols, "batch")),
        graph_add_initializer(graph, "w",
                              tensor_from_formula(arena, DT_FLOAT16, 2,
                                                  two_by_three, &fractions)),
    };
    Value *y = graph_value(graph, "y");
    graph_add_node(graph, node_new(graph, OP_Add, "sum", inputs, 2, &y, 1));
    graph_add_output(graph, y);
    const Model *again = model_again(model);
    ck_assert_int_eq(again->ir_version, 9);
    ck_assert_int_eq(again->opset, 19);
    ck_assert_str_eq(again->producer_name, "a test");
    ck_assert_str_eq(again->graph->name, "built");
    ck_assert_str_eq(again->graph->nodes[0]->name, "sum");
    const Fact *fact = &again->graph->inputs[0]->fact;
    ck_assert_int_eq(fact->type, DT_FLOAT16);
    ck_assert_str_eq(dim_text(arena, again->symbols, fact->dims[0]), "batch");
    ck_assert_int_eq(fact->dims[1], 3);
    double values[6];
    const Tensor *w = again->graph->initializers[0]->tensor;
    tensor_read_f64(w, 0, 6, values);
    ck_assert(values[0] == 1 && values[1] == 0.5);
    ck_assert(values[2] == 0x1.554p-2); /* 1/3 rounded once to float16 */
}
END_TEST

START_TEST(unknown_shapes_stay_unknown)
{
    Model *model = new_model();
    Value *x = new_input(model, "x", dim_unknown(model->symbols));
    Value *z = graph_value(model->graph, "z");
    z->fact.type = DT_INT64;
    graph_add_input(model->graph, z);
    Value *scalar = graph_value(model->graph, "scalar");
    fact_set(arena, &scalar->fact, DT_BOOL, 0, NULL);
    graph_add_input(model->graph, scalar);
    graph_add_output(model->graph, x);
    const Model *again = model_again(model);
    ck_assert(
        dim_is_unknown(again->symbols, again->graph->inputs[0]->fact.dims[0]));
    ck_assert_int_eq(again->graph->inputs[1]->fact.rank, -1);
    ck_assert_int_eq(again->graph->inputs[1]->fact.type, DT_INT64);
    ck_assert_int_eq(again->graph->inputs[2]->fact.rank, 0);
}
END_TEST

START_TEST(attributes_of_every_kind_are_written)
{
    Model *model = new_model();
    Graph *graph = model->graph;
    Value *y = graph_value(graph, "y");
    Node *node = node_new(graph, OP_OTHER, "n", NULL, 0, &y, 1);
    node->op_type = "Custom";
    node->domain = "com.example";
    node_set_int(node, "i", INT64_MIN);
    node_set_float(node, "f", -0.1f);
    node_set_ints(node, "ints", (const int64_t[]){-1, 0, 1}, 3);
    node_set_ints(node, "none", NULL, 0);
    node_set_string(node, "s", "caf\xc3\xa9");
    void *data;
    Tensor *tensor = tensor_alloc(arena, DT_INT8, 2, two_by_three, &data);
    memcpy(data, "abcdef", 6);
    node_set_tensor(node, "t", tensor);
    graph_add_node(graph, node);
    graph_add_output(graph, y);
    const Node *again = model_again(model)->graph->nodes[0];
    const int64_t *ints;
    ck_assert_str_eq(again->op_type, "Custom");
    ck_assert_str_eq(again->domain, "com.example");
    ck_assert_int_eq(again->attr_count, 6);
    ck_assert_int_eq(node_int(again, "i", 0), INT64_MIN);
    ck_assert(node_float(again, "f", 0) == -0.1f);
    ck_assert_int_eq(node_ints(again, "ints", &ints), 3);
    ck_assert_int_eq(ints[0], -1);
    ck_assert_int_eq(node_ints(again, "none", &ints), 0);
    ck_assert(node_string_is(again, "s", "caf\xc3\xa9"));
    const Tensor *t = node_attr(again, "t")->tensor;
    ck_assert_int_eq(t->dims[1], 3);
    ck_assert_mem_eq(t->data, "abcdef", 6);
}
END_TEST

START_TEST(a_big_formula_is_written_in_pieces)
{
    enum { COUNT = 200001 };
    static const int64_t dims[] = {COUNT};
    Model *model = new_model();
    Value *w = graph_add_initializer(
        model->graph, "w",
        tensor_from_formula(arena, DT_FLOAT, 1, dims, &fractions));
    graph_add_output(model->graph, w);
    const Graph *again = model_again(model)->graph;
    double last;
    tensor_read_f64(again->initializers[0]->tensor, COUNT - 1, 1, &last);
    ck_assert(last == (double)(float)(1.0 / COUNT));
}
END_TEST

START_TEST(absent_inputs_are_empty_names)
{
    Model *model = new_model();
    Value *x = new_input(model, "x", 2);
    Value *inputs[] = {x, NULL, x}, *y = graph_value(model->graph, "y");
    graph_add_node(model->graph,
                   node_new(model->graph, OP_Clip, "", inputs, 3, &y, 1));
    graph_add_output(model->graph, y);
    const Node *node = model_again(model)->graph->nodes[0];
    ck_assert_int_eq(node->input_count, 3);
    ck_assert_ptr_null(node->inputs[1]);
}
END_TEST

START_TEST(a_model_beyond_the_format_is_refused)
{
    static const int64_t dims[] = {(int64_t)1 << 29};
    Model *model = new_model();
    Value *w = graph_add_initializer(
        model->graph, "w",
        tensor_from_formula(arena, DT_FLOAT, 1, dims, &fractions));
    graph_add_output(model->graph, w);
    size_t size;
    Err err = {0};
    ck_assert_int_eq(model_written_size(model, &size, &err), 0);
    ck_assert_uint_gt(size, (size_t)1 << 31);
    ck_assert_int_eq(model_check_size(size, &err), -1);
    ck_assert_int_eq(err.code, ERR_BUDGET);
    ck_assert_ptr_nonnull(strstr(err.message, "2147483647"));
}
END_TEST

START_TEST(a_tensor_without_data_cannot_be_written)
{
    Model *model = new_model();
    Tensor nothing = {.type = DT_FLOAT, .rank = 0, .count = 1};
    Value *w = graph_add_initializer(model->graph, "hollow", &nothing);
    graph_add_output(model->graph, w);
    size_t size;
    Err err = {0};
    ck_assert_int_eq(model_written_size(model, &size, &err), -1);
    ck_assert_int_eq(err.code, ERR_UNSUPPORTED_TYPE);
    ck_assert_ptr_nonnull(strstr(err.message, "\"hollow\""));
}
END_TEST

static int refuse(Sink *sink, const void *bytes, size_t size, Err *err)
{
    (void)sink;
    (void)bytes;
    (void)size;
    return err_set(err, ERR_IO, "the sink is full");
}

START_TEST(a_sink_that_fails_ends_the_writing)
{
    Model *model = new_model();
    graph_add_output(model->graph, new_input(model, "x", 2));
    Sink sink = {refuse};
    Err err = {0};
    ck_assert_int_eq(model_write(model, &sink, &err), -1);
    ck_assert_str_eq(err.message, "the sink is full");
}
END_TEST

Suite *suite_pack(void)
{
    Suite *suite = suite_create("pack");
    TCase *tcase = tcase_create("pack");
    tcase_add_checked_fixture(tcase, models_setup, models_teardown);
    tcase_add_test(tcase, a_model_without_a_file_is_whole);
    tcase_add_test(tcase, unknown_shapes_stay_unknown);
    tcase_add_test(tcase, attributes_of_every_kind_are_written);
    tcase_add_test(tcase, a_big_formula_is_written_in_pieces);
    tcase_add_test(tcase, absent_inputs_are_empty_names);
    tcase_add_test(tcase, a_model_beyond_the_format_is_refused);
    tcase_add_test(tcase, a_tensor_without_data_cannot_be_written);
    tcase_add_test(tcase, a_sink_that_fails_ends_the_writing);
    suite_add_tcase(suite, tcase);
    return suite;
}
