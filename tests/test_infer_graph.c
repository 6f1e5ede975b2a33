/* Shape inference over whole graphs: what flows from node to node. */
#include "graph/graph.h"
#include "suites.h"

static Arena *arena;
static Graph *graph;

static void setup(void)
{
    arena = arena_new(0);
    graph = graph_new(model_new(arena), NULL);
    graph->model->ir_version = 8;
    graph->model->opset = 20;
}

static void teardown(void)
{
    arena_free(arena);
}

static Value *input(const char *name, int rank, const Dim *dims)
{
    Value *value = graph_value(graph, name);
    fact_set(arena, &value->fact, DT_FLOAT, rank, dims);
    graph_add_input(graph, value);
    return value;
}

static Value *apply(Op op, const char *name, Value *a, Value *b)
{
    Value *out = graph_value(graph, name);
    graph_add_node(graph, node_new(graph, op, name, (Value *[]){a, b},
                                   b ? 2 : 1, &out, 1));
    return out;
}

static Value *ints(const char *name, int64_t count, const int64_t *items)
{
    void *data;
    Tensor *tensor = tensor_alloc(arena, DT_INT64, 1, &count, &data);
    for (int64_t i = 0; i < count; i++)
        ((int64_t *)data)[i] = items[i];
    return graph_add_initializer(graph, name, tensor);
}

/* Attention flattens the image and builds it up again from Shape. */
START_TEST(shapes_flow_from_shape_to_reshape)
{
    Symbols *symbols = graph->model->symbols;
    Dim n = dim_named(symbols, "N"), h = dim_named(symbols, "H"),
        w = dim_named(symbols, "W");
    Value *x = input("x", 4, (Dim[]){n, 8, h, w});
    Value *shape = apply(OP_Shape, "shape", x, NULL);
    Value *flat =
        apply(OP_Reshape, "flat", x, ints("to", 3, (int64_t[]){0, 0, -1}));
    Value *back = apply(OP_Reshape, "back", flat, shape);
    Err err = {0};
    ck_assert_int_eq(graph_infer(graph, &err), 0);
    ck_assert_int_eq(flat->fact.dims[2], dim_combine(symbols, DIM_MUL, w, h));
    ck_assert_int_eq(back->fact.rank, 4);
    ck_assert_int_eq(back->fact.dims[0], n);
    ck_assert_int_eq(back->fact.dims[2], h);
    ck_assert_int_eq(back->fact.dims[3], w);
}
END_TEST

START_TEST(value_info_fills_only_what_inference_cannot_know)
{
    Value *x = input("x", 2, (Dim[]){2, 3});
    Value *opaque = apply(OP_OTHER, "opaque", x, NULL);
    Value *known = apply(OP_Relu, "known", x, NULL);
    fact_set(arena, &opaque->fact, DT_FLOAT, 1, (Dim[]){7});
    known->fact = opaque->fact;
    Err err = {0};
    ck_assert_int_eq(graph_infer(graph, &err), 0);
    ck_assert_int_eq(opaque->fact.dims[0], 7);
    ck_assert_int_eq(known->fact.rank, 2);
    ck_assert_int_eq(known->fact.dims[1], 3);
}
END_TEST

/* What one value's size is may say more, once nodes are gone, than the unknown
 * that stood there: it is the size of another value. */
START_TEST(an_unknown_that_is_another_values_size_is_kept)
{
    Symbols *symbols = graph->model->symbols;
    Value *x = input("x", 1, (Dim[]){dim_size_unknown(symbols)});
    Value *y = apply(OP_Relu, "y", x, NULL);
    fact_set(arena, &y->fact, DT_FLOAT, 1, (Dim[]){dim_size_unknown(symbols)});
    Err err = {0};
    ck_assert_int_eq(graph_infer(graph, &err), 0);
    ck_assert_int_eq(y->fact.dims[0], x->fact.dims[0]);
}
END_TEST

START_TEST(a_pad_of_nothing_leaves_an_unknown_size_as_it_is)
{
    Dim size = dim_size_unknown(graph->model->symbols);
    Value *x = input("x", 2, (Dim[]){size, size});
    Value *y = apply(OP_Pad, "y", x, ints("pads", 4, (int64_t[]){-1, 0, 1, 1}));
    Err err = {0};
    ck_assert_int_eq(graph_infer(graph, &err), 0);
    ck_assert_int_eq(y->fact.dims[0], size);
    ck_assert_int_eq(y->fact.dims[1],
                     dim_combine(graph->model->symbols, DIM_ADD, size, 1));
}
END_TEST

START_TEST(inferring_again_changes_nothing)
{
    Value *x = input("x", 1, (Dim[]){4});
    Value *places = apply(OP_NonZero, "places", x, NULL);
    Err err = {0};
    ck_assert_int_eq(graph_infer(graph, &err), 0);
    Dim first = places->fact.dims[1];
    ck_assert(dim_is_unknown(graph->model->symbols, first));
    ck_assert_int_eq(graph_infer(graph, &err), 0);
    ck_assert_int_eq(places->fact.dims[1], first);
}
END_TEST

START_TEST(an_overridable_shape_is_not_taken_for_known)
{
    Value *x = input("x", 1, (Dim[]){6});
    Value *to = ints("to", 2, (int64_t[]){2, 3});
    graph_add_input(graph, to);
    Value *y = apply(OP_Reshape, "y", x, to);
    Err err = {0};
    ck_assert_int_eq(graph_infer(graph, &err), 0);
    ck_assert_int_eq(y->fact.rank, 2);
    ck_assert_int_lt(y->fact.dims[0], 0);
    graph->model->freeze_initializers = true;
    ck_assert_int_eq(graph_infer(graph, &err), 0);
    ck_assert_int_eq(y->fact.dims[0], 2);
}
END_TEST

START_TEST(an_error_names_the_node)
{
    Value *x = input("x", 2, (Dim[]){2, 3});
    Value *y = input("y", 1, (Dim[]){2});
    apply(OP_Add, "stem/add", x, y);
    Err err = {0};
    ck_assert_int_eq(graph_infer(graph, &err), -1);
    ck_assert_str_eq(err.message,
                     "Add node \"stem/add\": shapes float32[2,3] and "
                     "float32[2] do not broadcast");
}
END_TEST

START_TEST(a_hundred_thousand_nodes_are_no_trouble)
{
    Value *x = input("x", 1, (Dim[]){dim_named(graph->model->symbols, "N")});
    for (int i = 0; i < 100000; i++) {
        Value *out = graph_fresh_value(graph, "v");
        graph_add_node(
            graph, node_new(graph, OP_Add, "", (Value *[]){x, x}, 2, &out, 1));
        x = out;
    }
    Err err = {0};
    ck_assert_int_eq(graph_infer(graph, &err), 0);
    ck_assert_int_eq(x->fact.rank, 1);
}
END_TEST

Suite *suite_infer_graph(void)
{
    Suite *suite = suite_create("infer_graph");
    TCase *whole = tcase_create("graph");
    tcase_add_checked_fixture(whole, setup, teardown);
    tcase_add_test(whole, shapes_flow_from_shape_to_reshape);
    tcase_add_test(whole, value_info_fills_only_what_inference_cannot_know);
    tcase_add_test(whole, an_unknown_that_is_another_values_size_is_kept);
    tcase_add_test(whole, a_pad_of_nothing_leaves_an_unknown_size_as_it_is);
    tcase_add_test(whole, inferring_again_changes_nothing);
    tcase_add_test(whole, an_overridable_shape_is_not_taken_for_known);
    tcase_add_test(whole, an_error_names_the_node);
    tcase_add_test(whole, a_hundred_thousand_nodes_are_no_trouble);
    suite_add_tcase(suite, whole);
    return suite;
}
