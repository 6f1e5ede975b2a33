/*
 * Attributes that a call gives to the nodes of its function: in the body
 * nothing is known of such a node, neither its shape nor its value.
 */
#include "blocks.h"
#include "suites.h"

/* ---- Functions ---- */

static Value *held(Bench *b, Bench *outside, int rank, const int64_t *dims)
{
    Value *value = graph_fresh_value(b->graph, "c");
    Node *node = node_new(b->graph, OP_Constant, "c", NULL, 0, &value, 1);
    node_set_tensor(node, "value", bench_constant(outside, rank, dims)->tensor);
    bench_add(b, node);
    return value;
}

/* A node with one attribute, "given" by the call. */
static Value *parametric(Bench *b, Op op, Value *x, const char *name,
                         AttrType type)
{
    Value *y = graph_fresh_value(b->graph, "p");
    Node *node = node_new(b->graph, op, "p", &x, x != NULL, &y, 1);
    node_set_int(node, name, 0);
    node->attrs[0].type = type;
    node->attrs[0].reference = "given";
    bench_add(b, node);
    return y;
}

typedef Value *Body(Bench *b, Bench *outside, Value *x);

/* The call of a function of an image of three channels with that body. */
static Node *call_of(Bench *b, Body *body)
{
    Bench inside = *b;
    inside.graph = graph_new(b->model, NULL);
    inside.graph->opset = b->model->opset;
    Value *x = graph_fresh_value(inside.graph, "v");
    x->fact = FACT_UNKNOWN;
    graph_add_input(inside.graph, x);
    bench_output(&inside, body(&inside, b, x));
    Function *function = arena_alloc(b->arena, sizeof *function);
    *function =
        (Function){.name = "F", .domain = "local", .body = inside.graph};
    b->model->functions = function;
    b->model->function_count = 1;
    model_list_functions(b->model);
    Value *image = bench_image(b, 3, 4);
    Value *y = graph_fresh_value(b->graph, "called");
    Node *call = node_new(b->graph, OP_OTHER, "call", &image, 1, &y, 1);
    call->op_type = "F";
    call->domain = "local";
    graph_add_node(b->graph, call);
    y->fact = image->fact;
    bench_output(b, y);
    return call;
}

/* A convolution whose scale would fold into it. */
static Value *scaled(Bench *b, Bench *outside, Value *x, Value *weight)
{
    Value *y = bench_binary(b, OP_Conv, x, weight);
    return bench_binary(b, OP_Mul, y,
                        held(b, outside, 3, (int64_t[]){3, 1, 1}));
}

static Value *leaky_body(Bench *b, Bench *outside, Value *x)
{
    Value *weight = held(b, outside, 4, (int64_t[]){3, 3, 1, 1});
    weight = parametric(b, OP_LeakyRelu, weight, "alpha", ATTR_FLOAT);
    return scaled(b, outside, x, weight);
}

static void build_leaky(Bench *b)
{
    node_set_float(call_of(b, leaky_body), "given", 0.5f);
}

static Value *transposed_body(Bench *b, Bench *outside, Value *x)
{
    Value *weight = held(b, outside, 4, (int64_t[]){3, 3, 1, 1});
    weight = parametric(b, OP_Transpose, weight, "perm", ATTR_INTS);
    return scaled(b, outside, x, weight);
}

static void build_transposed(Bench *b)
{
    const int64_t order[4] = {1, 0, 2, 3};
    node_set_ints(call_of(b, transposed_body), "given", order, 4);
}

/* The factor is the call's, and no constant of the body's. */
static Value *factor_body(Bench *b, Bench *outside, Value *x)
{
    Value *weight = held(b, outside, 4, (int64_t[]){3, 3, 1, 1});
    Value *y = bench_binary(b, OP_Conv, x, weight);
    Value *factor = parametric(b, OP_Constant, NULL, "value_float", ATTR_FLOAT);
    return bench_binary(b, OP_Mul, y, factor);
}

static void build_factor(Bench *b)
{
    node_set_float(call_of(b, factor_body), "given", 2.5f);
}

/* To which type, only the call tells. */
static Value *cast_body(Bench *b, Bench *outside, Value *x)
{
    Value *weight = held(b, outside, 4, (int64_t[]){3, 3, 1, 1});
    Value *y = bench_binary(b, OP_Conv, x, weight);
    y = parametric(b, OP_Cast, y, "to", ATTR_INT);
    y = parametric(b, OP_Cast, y, "to", ATTR_INT);
    Value *inputs[5] = {y};
    for (int i = 1; i < 5; i++)
        inputs[i] = held(b, outside, 1, (int64_t[]){3});
    return bench_node(b, OP_BatchNormalization, inputs, 5);
}

static void build_cast(Bench *b)
{
    node_set_int(call_of(b, cast_body), "given", DT_FLOAT);
}

static Build *const builds[] = {build_leaky, build_transposed, build_factor};
enum { BUILDS = sizeof builds / sizeof *builds };

START_TEST(nothing_is_known_of_them)
{
    Folded folded = fold_model(builds[_i], NULL);
    ck_assert_uint_eq(folded.report.fold_count, 0);
    ck_assert_double_eq(folded.difference, 0);
    folded_free(&folded);
}
END_TEST

START_TEST(what_a_call_gives_is_known_where_it_stands)
{
    rp_fold_options options = {.inline_functions = 1};
    Folded folded = fold_model(builds[_i], &options);
    ck_assert_double_lt(folded.difference, 1e-13);
    ck_assert_uint_eq(count_ops(folded.after, OP_Conv), 1);
    ck_assert_uint_eq(count_ops(folded.after, OP_Mul), 0);
    folded_free(&folded);
}
END_TEST

START_TEST(a_cast_to_any_type_is_none_to_the_same)
{
    static const rp_fold_options defaults;
    Arena *arena = arena_new(0);
    Model *model = build_model(arena, build_cast, false);
    FoldReport report = {0};
    Err err = {0};
    ck_assert_int_eq(model_fold(model, &defaults, &report, &err), 0);
    ck_assert_uint_eq(report.fold_count, 0);
    arena_free(arena);
}
END_TEST

/* ---- Nodes without inputs ---- */

static void build_random(Bench *b)
{
    Value *noise = graph_fresh_value(b->graph, "noise");
    Node *node = node_new(b->graph, OP_OTHER, "random", NULL, 0, &noise, 1);
    node->op_type = "RandomUniform";
    node->domain = "";
    graph_add_node(b->graph, node);
    noise->fact = bench_image(b, 3, 4)->fact;
    Value *x = bench_binary(b, OP_Add, bench_image(b, 3, 4), noise);
    bench_output(b, conv_bn(b, bench_unary(b, OP_Relu, x),
                            (ConvShape){.out = 3, .kernel = 1}));
}

START_TEST(what_reads_nothing_has_a_certificate_behind_it)
{
    static const rp_fold_options defaults;
    Arena *arena = arena_new(0);
    Model *a = build_model(arena, build_random, false);
    Model *b = build_model(arena, build_random, false);
    FoldReport report = {0};
    Err err = {0};
    ck_assert_int_eq(model_fold(b, &defaults, &report, &err), 0);
    ck_assert_uint_eq(report.fold_count, 1);
    rp_certificates_info info = certify(arena, a, b);
    ck_assert_msg(info.hold, "%s", info.why);
    arena_free(arena);
}
END_TEST

Suite *suite_parametric(void)
{
    Suite *suite = suite_create("parametric");
    TCase *tcase = tcase_create("parametric");
    tcase_add_loop_test(tcase, nothing_is_known_of_them, 0, BUILDS);
    tcase_add_loop_test(tcase, what_a_call_gives_is_known_where_it_stands, 0,
                        BUILDS);
    tcase_add_test(tcase, a_cast_to_any_type_is_none_to_the_same);
    tcase_add_test(tcase, what_reads_nothing_has_a_certificate_behind_it);
    suite_add_tcase(suite, tcase);
    return suite;
}
