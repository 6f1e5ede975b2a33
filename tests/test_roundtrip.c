/* What nothing is done to comes out byte for byte, whoever wrote it. */
#include <stdio.h>
#include <string.h>

#include "models.h"
#include "roundtrip/check.h"
#include "suites.h"

#define DEBIAN "/usr/share/libonnx-testdata"

/* What the package holds: fewer would be a test that fell away. */
enum { MODELS_LEAST = 1000 };

START_TEST(debians_test_data)
{
    RoundTrips trips = {0};
    if (!roundtrip_folder(DEBIAN, &trips)) {
        printf("roundtrip: left out, libonnx-testdata is not installed\n");
        return;
    }
    ck_assert_uint_ge(trips.models, MODELS_LEAST);
    ck_assert_uint_eq(trips.same, trips.models);
}
END_TEST

/* Copied, and written part by part. */
static void check_same(const Proto *file)
{
    Model *model = model_of(file);
    Span bytes = {file->bytes, file->size};
    check_same_bytes(model_bytes(model), bytes);
    roundtrip_touch(model->graph);
    for (size_t i = 0; i < model->function_count; i++)
        roundtrip_touch(model->functions[i].body);
    check_same_bytes(model_bytes(model), bytes);
}

START_TEST(every_version_is_kept)
{
    enum { IR_OLDEST = 3, IR_NEWEST = 14, OPSET_NEWEST = 28 };
    for (uint64_t ir = IR_OLDEST; ir <= IR_NEWEST; ir++)
        for (uint64_t version = 1; version <= OPSET_NEWEST; version++) {
            Proto graph, file = {.size = 0}, opset = file;
            small_graph(&graph);
            if (ir < 4)
                proto_input(&graph, "w", 1, (const int64_t[]){2});
            proto_int(&opset, 2, version);
            proto_int(&file, 1, ir);
            proto_message(&file, 7, &graph);
            proto_message(&file, 8, &opset);
            check_same(&file);
        }
}
END_TEST

/* ---- Fields that nobody knows ---- */

static void put_unknown(Proto *message)
{
    proto_text(message, 100, "of the future");
    proto_int(message, 536870911, 7);
}

/* A message in a message, with such fields in both. */
static void nest(Proto *outer, int field, Proto *inner)
{
    put_unknown(inner);
    proto_message(outer, field, inner);
}

static void put_type(Proto *value)
{
    Proto dim = {.size = 0}, shape = dim, tensor = dim, type = dim;
    proto_text(&dim, 2, "n");
    nest(&shape, 1, &dim);
    proto_int(&tensor, 1, DT_FLOAT);
    nest(&tensor, 2, &shape);
    nest(&type, 1, &tensor);
    nest(value, 2, &type);
}

static void put_value(Proto *graph, int field, const char *name)
{
    Proto value = {.size = 0};
    proto_text(&value, 1, name);
    put_type(&value);
    nest(graph, field, &value);
}

static void put_entry(Proto *message, int field)
{
    Proto entry = {.size = 0};
    proto_text(&entry, 1, "key");
    proto_text(&entry, 2, "value");
    nest(message, field, &entry);
}

static void put_tensor(Proto *message, int field, const char *name)
{
    Proto tensor = {.size = 0};
    proto_int(&tensor, 1, 1);
    proto_int(&tensor, 2, DT_FLOAT);
    proto_text(&tensor, 8, name);
    proto_bytes(&tensor, 9, "\0\0\x80?", 4);
    put_entry(&tensor, 16);
    nest(message, field, &tensor);
}

static void put_node(Proto *graph, int field, const char *op, const char *from,
                     const char *to, const Proto *body)
{
    Proto node = {.size = 0}, attr = node, copy;
    proto_text(&node, 1, from);
    proto_text(&node, 2, to);
    proto_text(&node, 4, op);
    proto_text(&node, 7, body ? "" : "custom");
    proto_text(&attr, 1, "then_branch");
    if (body) {
        copy = *body;
        nest(&attr, 6, &copy);
    } else {
        put_tensor(&attr, 5, "t");
    }
    proto_int(&attr, 20, body ? ATTR_GRAPH : ATTR_TENSOR);
    nest(&node, 5, &attr);
    put_entry(&node, 9);
    nest(graph, field, &node);
}

/* y = Any(w), and all that may be said of them. */
static void put_graph_parts(Proto *graph, const char *w, const char *y)
{
    put_node(graph, 1, "Any", w, y, NULL);
    put_entry(graph, 16);
    put_tensor(graph, 5, w);
    put_value(graph, 13, y);
    put_value(graph, 12, y);
}

START_TEST(unknown_fields_are_kept_at_every_level)
{
    Proto branch = {.size = 0}, graph = branch, file = branch, opset = branch,
          function = branch;
    proto_text(&branch, 2, "branch");
    put_graph_parts(&branch, "v", "u");
    proto_text(&graph, 2, "graph");
    put_value(&graph, 11, "x");
    put_node(&graph, 1, "Loopy", "x", "z", &branch);
    put_graph_parts(&graph, "w", "y");
    put_unknown(&file);
    proto_int(&file, 1, 9);
    proto_int(&opset, 2, 17);
    nest(&file, 8, &opset);
    proto_text(&function, 1, "f");
    proto_text(&function, 4, "a");
    proto_text(&function, 5, "b");
    put_node(&function, 7, "Any", "a", "b", NULL);
    proto_text(&function, 10, "custom");
    nest(&file, 25, &function);
    nest(&file, 7, &graph);
    put_entry(&file, 14);
    check_same(&file);
}
END_TEST

/* ---- Forms that some writers have ---- */

/* Numbers in one array, one by one, or both. */
START_TEST(packed_and_unpacked_forms_are_kept)
{
    for (int form = 0; form < 3; form++) {
        Proto graph = {.size = 0}, file, tensor = graph, extra = graph,
              attr = graph;
        if (form == 0)
            proto_bytes(&tensor, 1, "\3", 1);
        else
            proto_int(&tensor, 1, 3);
        proto_int(&tensor, 2, DT_INT64);
        proto_text(&tensor, 8, "w");
        if (form != 1)
            proto_bytes(&tensor, 7, "\1\2", form == 0 ? 2 : 1);
        for (int i = 0; i < (form == 0 ? 0 : form == 1 ? 3 : 2); i++)
            proto_int(&tensor, 7, (uint64_t)i);
        if (form == 0)
            proto_int(&tensor, 7, 5);
        proto_text(&attr, 1, "axes");
        proto_bytes(&attr, 8, "\1\2", 2);
        proto_int(&attr, 8, 3);
        proto_int(&attr, 20, ATTR_INTS);
        proto_message(&extra, 5, &attr);
        node_graph(&graph, "Custom", &extra);
        proto_message(&graph, 5, &tensor);
        proto_model(&file, &graph);
        const Tensor *w = find_initializer(model_of(&file)->graph, "w")->tensor;
        ck_assert_int_eq(w->count, 3);
        check_same(&file);
    }
}
END_TEST

/* Paddle writes sizes that it does not know as -1. */
START_TEST(a_dim_of_minus_one_is_kept)
{
    static const int64_t dims[] = {-1, 3};
    Proto graph = {.size = 0}, file;
    proto_node(&graph, "Relu", "x", "y");
    proto_input(&graph, "x", 2, dims);
    proto_output(&graph, "y", 2, dims);
    proto_model(&file, &graph);
    const Model *model = model_of(&file);
    const Fact *fact = &find_value(model->graph, "x")->fact;
    ck_assert_int_eq(fact->rank, 2);
    ck_assert(dim_is_unknown(model->symbols, fact->dims[0]));
    check_same(&file);
}
END_TEST

Suite *suite_roundtrip(void)
{
    Suite *suite = suite_create("roundtrip");
    TCase *tcase = tcase_create("roundtrip");
    tcase_add_checked_fixture(tcase, models_setup, models_teardown);
    tcase_add_test(tcase, debians_test_data);
    tcase_add_test(tcase, every_version_is_kept);
    tcase_add_test(tcase, unknown_fields_are_kept_at_every_level);
    tcase_add_test(tcase, packed_and_unpacked_forms_are_kept);
    tcase_add_test(tcase, a_dim_of_minus_one_is_kept);
    suite_add_tcase(suite, tcase);
    return suite;
}
