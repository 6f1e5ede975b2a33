/* rp_diff_make: what became of each node and each name. */
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "external.h"
#include "models.h"
#include "net.h"
#include "repfold.h"
#include "suites.h"

static rp_error error;
static rp_model *a, *b;
static const rp_node_info *nodes_a, *nodes_b;
static rp_diff *made;

static rp_model *opened(const Model *model)
{
    Span bytes = model_bytes(model);
    rp_model *copy =
        rp_open_memory(bytes.bytes, bytes.size, "test.onnx", NULL, &error);
    ck_assert_msg(copy, "%s", error.message);
    return copy;
}

static const rp_diff_info *diff_of(const Model *x, const Model *y)
{
    size_t count;
    a = opened(x);
    b = opened(y);
    made = rp_diff_make(a, b, &error);
    ck_assert_msg(made, "%s", error.message);
    ck_assert_int_eq(rp_nodes(a, &nodes_a, &count, &error), 0);
    ck_assert_int_eq(rp_nodes(b, &nodes_b, &count, &error), 0);
    return rp_diff_get(made);
}

static void teardown_diff(void)
{
    rp_diff_free(made);
    rp_close(a);
    rp_close(b);
    made = NULL;
    a = b = NULL;
}

static void teardown(void)
{
    teardown_diff();
    models_teardown();
}

static void teardown_folder(void)
{
    teardown_diff();
    folder_teardown();
}

static size_t count_nodes(const rp_diff_info *diff, rp_change change)
{
    size_t count = 0;
    for (size_t i = 0; i < diff->node_count; i++)
        count += diff->nodes[i].change == change;
    return count;
}

static size_t count_weights(const rp_diff_info *diff, rp_change change)
{
    size_t count = 0;
    for (size_t i = 0; i < diff->initializer_count; i++)
        count += diff->initializers[i].change == change;
    return count;
}

static const rp_name_match *name_of(const rp_name_match *matches, size_t count,
                                    const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (matches[i].a && strcmp(matches[i].a, name) == 0)
            return &matches[i];
    ck_abort_msg("no %s", name);
}

START_TEST(test_same)
{
    Shape shape = {0};
    const rp_diff_info *diff =
        diff_of(toy_trained(arena, shape), toy_trained(arena, shape));
    ck_assert(diff->same);
    ck_assert_uint_eq(count_nodes(diff, RP_SAME), diff->node_count);
    ck_assert_uint_gt(diff->node_count, 10);
    ck_assert_uint_eq(count_weights(diff, RP_SAME), diff->initializer_count);
    ck_assert_uint_eq(diff->note_count, 0);
}
END_TEST

/* The node of b that a's node of that output was merged into. */
static const char *merged_into(const rp_diff_info *diff, const char *output)
{
    for (size_t i = 0; i < diff->node_count; i++)
        if (diff->nodes[i].change == RP_MERGED &&
            strcmp(nodes_a[diff->nodes[i].a].output, output) == 0)
            return nodes_b[diff->nodes[i].b].output;
    return "";
}

START_TEST(test_merged)
{
    Shape shape = {0};
    Model *trained = toy_trained(arena, shape);
    const rp_diff_info *diff = diff_of(trained, toy_folded(arena, shape));
    size_t gone = 0;
    ck_assert(!diff->same);
    ck_assert_str_eq(merged_into(diff, "stem"), "stem");
    ck_assert_str_eq(merged_into(diff, "block"), "block");
    ck_assert_str_eq(merged_into(diff, "scaled"), "scaled");
    ck_assert_str_eq(merged_into(diff, "act"), "");
    for (size_t i = 0; i < diff->node_count; i++) {
        const rp_node_match *match = &diff->nodes[i];
        const char *op = match->a == SIZE_MAX ? "" : nodes_a[match->a].op;
        if (strcmp(op, "BatchNormalization") == 0)
            ck_assert_int_eq(match->change, RP_MERGED);
        gone += match->change == RP_GONE || match->change == RP_NEW;
    }
    ck_assert_uint_eq(gone, 0);
    /* Values that both have keep their names, those inside are gone. */
    ck_assert_str_eq(name_of(diff->values, diff->value_count, "block")->b,
                     "block");
    ck_assert_uint_gt(count_weights(diff, RP_MERGED), 8);
}
END_TEST

START_TEST(test_weight)
{
    Shape shape = {0}, other = {.fault = FAULT_BIAS};
    const rp_diff_info *diff =
        diff_of(toy_folded(arena, shape), toy_folded(arena, other));
    ck_assert(!diff->same);
    ck_assert_uint_eq(count_nodes(diff, RP_SAME), diff->node_count);
    ck_assert_uint_eq(count_weights(diff, RP_CHANGED), 1);
    for (size_t i = 0; i < diff->initializer_count; i++)
        if (diff->initializers[i].change == RP_CHANGED)
            ck_assert_double_eq_tol(diff->initializers[i].difference, 1e-3,
                                    1e-6);
}
END_TEST

/* In which words the node of that output changed; NULL when it did not. */
static const char *detail_of(const rp_diff_info *diff, const char *output)
{
    for (size_t i = 0; i < diff->node_count; i++)
        if (diff->nodes[i].a != SIZE_MAX &&
            strcmp(nodes_a[diff->nodes[i].a].output, output) == 0)
            return diff->nodes[i].detail;
    ck_abort_msg("no %s", output);
}

START_TEST(test_attribute)
{
    Shape shape = {0}, other = {.fault = FAULT_PAD};
    const rp_diff_info *diff =
        diff_of(toy_folded(arena, shape), toy_folded(arena, other));
    ck_assert(!diff->same);
    ck_assert_uint_eq(count_nodes(diff, RP_CHANGED), 1);
    ck_assert_str_eq(detail_of(diff, "block"), "pads [1,1,1,1] -> [0,1,2,1]");
    ck_assert_ptr_null(detail_of(diff, "stem"));
    ck_assert_uint_eq(count_weights(diff, RP_SAME), diff->initializer_count);
}
END_TEST

/* y = Flatten(Concat(inputs)), of x, z and a weight w; with an axis or not. */
static Model *joined(const char *inputs, int64_t rows, bool has_axis)
{
    int64_t dims[2] = {2, 3}, weight[2] = {rows, 3};
    double values[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    Net net = toy_new(arena);
    toy_input(&net, "x", DT_FLOAT, 2, dims);
    toy_input(&net, "z", DT_FLOAT, 2, dims);
    toy_weight(&net, "w", DT_FLOAT, 2, weight, values);
    node_set_int(toy_node(&net, OP_Concat, inputs, "h"), "axis", 0);
    Node *flatten = toy_node(&net, OP_Flatten, "h", "y");
    if (has_axis)
        node_set_int(flatten, "axis", 0);
    toy_output(&net, "y", DT_FLOAT);
    return toy_finish(&net);
}

START_TEST(test_details_of_inputs)
{
    const rp_diff_info *diff =
        diff_of(joined("x z w", 2, false), joined("z x w", 3, true));
    ck_assert_str_eq(detail_of(diff, "h"),
                     "input 0 x -> z, input 1 z -> x, "
                     "input 2 float32[2,3] -> float32[3,3]");
    ck_assert_str_eq(detail_of(diff, "y"), "axis default -> 0");
}
END_TEST

/* An operator of nobody's with that many attributes, all of that value. */
static Model *with_attributes(int count, int64_t value)
{
    int64_t dims[1] = {2};
    Net net = toy_new(arena);
    toy_input(&net, "x", DT_FLOAT, 1, dims);
    Node *node = toy_node(&net, OP_OTHER, "x", "y");
    node->op_type = "Own";
    node->domain = "own";
    for (int i = 0; i < count; i++)
        node_set_int(node, arena_printf(arena, "a%02d", i), value);
    toy_output(&net, "y", DT_FLOAT);
    return toy_finish(&net);
}

START_TEST(test_details_are_few)
{
    const rp_diff_info *diff =
        diff_of(with_attributes(10, 1), with_attributes(11, 2));
    ck_assert_str_eq(detail_of(diff, "y"),
                     "a00 1 -> 2, a01 1 -> 2, a02 1 -> 2, a03 1 -> 2, "
                     "a04 1 -> 2, a05 1 -> 2, a06 1 -> 2, a07 1 -> 2 and 3 "
                     "more");
}
END_TEST

/* Gives everything but inputs and outputs another name. */
static Model *renamed(Model *model)
{
    Graph *graph = model->graph;
    for (size_t i = 0; i < graph->scope_count; i++) {
        Value *value = graph->scope[i];
        if (!value->is_input && !value->is_output)
            value->name = arena_printf(arena, "other%zu", i);
    }
    for (size_t i = 0; i < graph->node_count; i++)
        graph->nodes[i]->name = arena_printf(arena, "node%zu", i);
    return model;
}

START_TEST(test_renamed)
{
    Shape shape = {0};
    const rp_diff_info *diff =
        diff_of(toy_trained(arena, shape), renamed(toy_trained(arena, shape)));
    ck_assert(!diff->same);
    ck_assert_uint_eq(count_nodes(diff, RP_RENAMED), diff->node_count);
    ck_assert_uint_eq(count_weights(diff, RP_RENAMED), diff->initializer_count);
    const rp_name_match *match =
        name_of(diff->values, diff->value_count, "block");
    ck_assert_int_eq(match->change, RP_RENAMED);
    ck_assert_int_eq(strncmp(match->b, "other", 5), 0);
}
END_TEST

/* Merging is found without a single name, too. */
START_TEST(test_merged_and_renamed)
{
    Shape shape = {0};
    const rp_diff_info *diff =
        diff_of(toy_trained(arena, shape), renamed(toy_folded(arena, shape)));
    ck_assert_str_ne(merged_into(diff, "block"), "");
    ck_assert_str_eq(merged_into(diff, "act"), "");
    for (size_t i = 0; i < diff->node_count; i++)
        if (diff->nodes[i].change == RP_MERGED)
            ck_assert_str_eq(nodes_b[diff->nodes[i].b].op, "Conv");
}
END_TEST

START_TEST(test_interface)
{
    Shape shape = {0}, other = {.symbolic = true};
    const rp_diff_info *diff =
        diff_of(toy_folded(arena, shape), toy_folded(arena, other));
    ck_assert(!diff->same);
    ck_assert_uint_ge(diff->note_count, 1);
    ck_assert_ptr_nonnull(strstr(diff->notes[0], "input"));
}
END_TEST

/* The notes' only line. */
static const char *only_note(const rp_diff_info *diff)
{
    ck_assert(!diff->same);
    ck_assert_uint_eq(diff->note_count, 1);
    return diff->notes[0];
}

static const Model *model_with_function(const char *name, const char *op)
{
    Proto graph, file;
    small_graph(&graph);
    proto_model(&file, &graph);
    put_function(&file, "own", name, op);
    return model_of(&file);
}

START_TEST(test_functions)
{
    const Model *model = model_with_function("f", "LeakyRelu");
    ck_assert(diff_of(model, model_with_function("f", "LeakyRelu"))->same);
    teardown_diff();
    ck_assert_str_eq(only_note(diff_of(model, model_with_function("f", "Elu"))),
                     "function own.f is another");
    teardown_diff();
    ck_assert_str_eq(
        only_note(diff_of(model, model_with_function("g", "LeakyRelu"))),
        "function own.f is gone");
}
END_TEST

/* y = -conv(x, w), a function whose body folding changes. */
static const Model *model_with_foldable_function(void)
{
    static const char *const nodes[][3] = {
        {"Constant", "", "w"}, {"Conv", "x w", "conv"}, {"Neg", "conv", "y"}};
    const int64_t ones[3] = {1, 1, 1};
    const float weight = 2;
    Proto graph, file, body = {.size = 0}, import = body, value = body;
    small_graph(&graph);
    proto_model(&file, &graph);
    proto_text(&value, 1, "value");
    proto_weight(&value, "w", 3, ones, &weight);
    proto_int(&value, 20, ATTR_TENSOR);
    proto_text(&body, 1, "f");
    proto_text(&body, 4, "x");
    proto_text(&body, 5, "y");
    for (int i = 0; i < 3; i++) {
        Proto node = {.size = 0};
        char *names = arena_strdup(arena, nodes[i][1]), *rest = NULL;
        for (char *name = strtok_r(names, " ", &rest); name;
             name = strtok_r(NULL, " ", &rest))
            proto_text(&node, 1, name);
        proto_text(&node, 2, nodes[i][2]);
        proto_text(&node, 4, nodes[i][0]);
        if (i == 0)
            proto_message(&node, 5, &value);
        proto_message(&body, 7, &node);
    }
    proto_int(&import, 2, 17);
    proto_message(&body, 9, &import);
    proto_text(&body, 10, "own");
    proto_message(&file, 25, &body);
    return model_of(&file);
}

/* Its body is not that of the file any more. */
START_TEST(test_function_that_was_folded)
{
    const Model *model = model_with_foldable_function();
    a = opened(model);
    b = opened(model);
    ck_assert_int_eq(rp_fold(b, NULL, &error), 0);
    made = rp_diff_make(a, b, &error);
    ck_assert_msg(made, "%s", error.message);
    ck_assert_str_eq(only_note(rp_diff_get(made)), "function own.f is another");
}
END_TEST

/* y = If(...), either branch being weight - x or x - weight, with that weight,
 * or what is added to it. */
static const Model *model_with_branch(const char *operands, float weight,
                                      const char *result)
{
    Proto branch = {.size = 0}, graph;
    const float weights[2] = {weight, 0};
    const int64_t two = 2;
    proto_node(&branch, "Sub", operands, "difference");
    proto_node(&branch, "Add", "difference w", "sum");
    proto_weight(&branch, "w", 1, &two, weights);
    proto_output(&branch, result, 1, &two);
    if_graph(&graph, &branch);
    return model_of_graph(&graph);
}

START_TEST(test_bodies)
{
    const Model *model = model_with_branch("x w", 1, "sum");
    const Model *others[] = {model_with_branch("w x", 1, "sum"),
                             model_with_branch("x w", 2, "sum"),
                             model_with_branch("x w", 1, "difference")};
    ck_assert(diff_of(model, model_with_branch("x w", 1, "sum"))->same);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        teardown_diff();
        const rp_diff_info *diff = diff_of(model, others[i]);
        ck_assert(!diff->same);
        ck_assert_uint_eq(count_nodes(diff, RP_CHANGED), 1);
    }
}
END_TEST

/* ---- What is hard to see ---- */

/* x w w v; with `swapped`, x w v v. */
static const Model *three_factors(bool swapped)
{
    int64_t dims[2] = {1, 2};
    double w[2] = {2, 3}, v[2] = {4, 5};
    Net net = toy_new(arena);
    toy_input(&net, "x", DT_FLOAT, 2, dims);
    toy_weight(&net, "w", DT_FLOAT, 2, dims, w);
    toy_weight(&net, "v", DT_FLOAT, 2, dims, v);
    toy_node(&net, OP_Mul, "x w", "first");
    toy_node(&net, OP_Mul, swapped ? "first v" : "first w", "second");
    toy_node(&net, OP_Mul, "second v", "y");
    toy_output(&net, "y", DT_FLOAT);
    return toy_finish(&net);
}

/* Both weights are in both models, under their names. */
START_TEST(test_weight_of_another_node)
{
    const rp_diff_info *diff =
        diff_of(three_factors(false), three_factors(true));
    ck_assert(!diff->same);
    ck_assert_uint_eq(count_weights(diff, RP_SAME), 2);
    ck_assert_uint_eq(count_nodes(diff, RP_CHANGED), 1);
    ck_assert_str_eq(diff->nodes[1].detail, "input 1 w -> v");
    teardown_diff();
    ck_assert(diff_of(three_factors(true), three_factors(true))->same);
}
END_TEST

static const Model *dropout(int outputs)
{
    Net net = toy_new(arena);
    Value *x = toy_input(&net, "x", DT_FLOAT, 1, (const int64_t[]){2});
    Value *outs[2] = {toy_output(&net, "y", DT_FLOAT),
                      graph_value(net.graph, "mask")};
    graph_add_node(net.graph, node_new(net.graph, OP_Dropout, "drop", &x, 1,
                                       outs, outputs));
    return toy_finish(&net);
}

START_TEST(test_output_that_nobody_reads)
{
    const rp_diff_info *diff = diff_of(dropout(1), dropout(2));
    ck_assert(!diff->same);
    ck_assert_uint_eq(count_nodes(diff, RP_CHANGED), 1);
}
END_TEST

static const Model *model_of_opset(uint64_t version)
{
    Proto graph, file, import = {.size = 0};
    small_graph(&graph);
    proto_model(&file, &graph);
    proto_text(&import, 1, "own");
    proto_int(&import, 2, version);
    proto_message(&file, 8, &import);
    return model_of(&file);
}

START_TEST(test_opset_of_another_domain)
{
    ck_assert_str_eq(only_note(diff_of(model_of_opset(1), model_of_opset(2))),
                     "opset 2 of own, not 1");
}
END_TEST

/* With one attribute, or two that are written alike. */
static const Model *model_with_attributes(bool both)
{
    Proto graph, extra = {.size = 0};
    if (both) {
        put_int(&extra, "a", 1);
        put_int(&extra, "b", 2);
    } else {
        put_int(&extra, "a.2=1;b", 2);
    }
    proto_text(&extra, 7, "own");
    node_graph(&graph, "Thing", &extra);
    Proto file, import = {.size = 0};
    proto_model(&file, &graph);
    proto_text(&import, 1, "own");
    proto_int(&import, 2, 1);
    proto_message(&file, 8, &import);
    return model_of(&file);
}

START_TEST(test_attributes_that_look_alike)
{
    ck_assert(
        !diff_of(model_with_attributes(true), model_with_attributes(false))
             ->same);
}
END_TEST

/* Its w, of eight bits each, lies in that folder. */
static rp_model *model_of_bytes(const char *folder, char byte)
{
    enum { FLOAT8E4M3FN = 17 };
    const int64_t two[1] = {2};
    const char bytes[2] = {byte, byte};
    Proto graph = {.size = 0}, file, w;
    external_tensor(&w, "w", 2, &(Entries){.location = "w.bin"});
    ck_assert_int_eq(w.bytes[3], DT_FLOAT);
    w.bytes[3] = FLOAT8E4M3FN;
    proto_node(&graph, "Relu", "x", "y");
    proto_message(&graph, 5, &w);
    proto_input(&graph, "x", 1, two);
    proto_output(&graph, "y", 1, two);
    proto_model(&file, &graph);
    ck_assert_int_eq(mkdir(in_folder(folder), 0700), 0);
    put_bytes(in_folder(arena_printf(arena, "%s/w.bin", folder)), bytes, 2);
    rp_open_options options = {.data_dir = in_folder(folder)};
    rp_model *model =
        rp_open_memory(file.bytes, file.size, "test.onnx", &options, &error);
    ck_assert_msg(model, "%s", error.message);
    return model;
}

/* The messages are the same, what they refer to is not. */
START_TEST(test_outside_weights_of_unknown_type)
{
    a = model_of_bytes("one", 1);
    b = model_of_bytes("two", 2);
    made = rp_diff_make(a, b, &error);
    ck_assert_msg(made, "%s", error.message);
    ck_assert(!rp_diff_get(made)->same);
}
END_TEST

/* ---- Nodes ---- */

START_TEST(test_nodes)
{
    Shape shape = {0};
    size_t count, reads = 0;
    a = opened(toy_trained(arena, shape));
    ck_assert_int_eq(rp_nodes(a, &nodes_a, &count, &error), 0);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < nodes_a[i].source_count; k++) {
            ck_assert_uint_lt(nodes_a[i].sources[k], i);
            reads++;
        }
    ck_assert_uint_ge(reads, count - 1);
    ck_assert_str_eq(nodes_a[0].op, "Conv");
    ck_assert_ptr_nonnull(strstr(nodes_a[0].detail, "3x3"));
    ck_assert_int_eq(nodes_a[0].stage, 0);
}
END_TEST

Suite *suite_diff(void)
{
    Suite *suite = suite_create("diff");
    TCase *tc = tcase_create("diff");
    tcase_add_checked_fixture(tc, models_setup, teardown);
    tcase_add_test(tc, test_same);
    tcase_add_test(tc, test_merged);
    tcase_add_test(tc, test_weight);
    tcase_add_test(tc, test_attribute);
    tcase_add_test(tc, test_details_of_inputs);
    tcase_add_test(tc, test_details_are_few);
    tcase_add_test(tc, test_renamed);
    tcase_add_test(tc, test_merged_and_renamed);
    tcase_add_test(tc, test_interface);
    tcase_add_test(tc, test_functions);
    tcase_add_test(tc, test_function_that_was_folded);
    tcase_add_test(tc, test_bodies);
    tcase_add_test(tc, test_weight_of_another_node);
    tcase_add_test(tc, test_output_that_nobody_reads);
    tcase_add_test(tc, test_opset_of_another_domain);
    tcase_add_test(tc, test_attributes_that_look_alike);
    tcase_add_test(tc, test_nodes);
    suite_add_tcase(suite, tc);
    TCase *files = tcase_create("files");
    tcase_add_checked_fixture(files, folder_setup, teardown_folder);
    tcase_add_test(files, test_outside_weights_of_unknown_type);
    suite_add_tcase(suite, files);
    return suite;
}
