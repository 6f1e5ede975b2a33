/*
 * Certificates of what is not folded: nodes, bodies, functions, inputs and
 * outputs must be the same in both models, each in every respect.
 */
#include <string.h>

#include "blocks.h"
#include "suites.h"

/* Which of two models is built, of those that a row differs in. */
static bool other;

static void check_certificates(const Model *a, const Model *b, bool hold)
{
    Arena *arena = arena_new(0);
    rp_certificates_info info = certify(arena, a, b);
    ck_assert_msg(info.hold == hold, "%s", info.why ? info.why : "they hold");
    arena_free(arena);
}

/* Whichever of the two is the original. */
static void check_same(Build *build, bool holds)
{
    Arena *arena = arena_new(0);
    Model *models[2][2];
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < 2; k++) {
            other = k;
            models[i][k] = build_model(arena, build, false);
        }
    for (int k = 0; k < 2; k++) {
        check_certificates(models[0][k], models[1][k], true);
        check_certificates(models[0][k], models[0][!k], holds);
    }
    arena_free(arena);
}

static Value *named(Bench *b, Op op, Value *x, const char *name)
{
    Value *y = graph_value(b->graph, name);
    bench_add(b, node_new(b->graph, op, name, &x, 1, &y, 1));
    return y;
}

/* ---- Inputs and outputs ---- */

static void build_input_type(Bench *b)
{
    b->type = other ? DT_DOUBLE : DT_FLOAT;
    Value *x = bench_image(b, 2, 3);
    bench_output(b, named(b, OP_Relu, x, "end"));
}

/* An input of the name of what the original computes. */
static void build_input_for_a_node(Bench *b)
{
    Value *x = bench_image(b, 2, 3), *middle;
    if (other) {
        middle = graph_value(b->graph, "middle");
        middle->fact = x->fact;
        graph_add_input(b->graph, middle);
    } else {
        middle = named(b, OP_Relu, x, "middle");
    }
    bench_output(b, named(b, OP_Sigmoid, middle, "end"));
}

static void build_output_that_is_an_input(Bench *b)
{
    Value *x = bench_image(b, 2, 3), *y;
    if (other) {
        y = graph_value(b->graph, "end");
        y->fact = x->fact;
        graph_add_input(b->graph, y);
    } else {
        y = named(b, OP_Relu, x, "end");
    }
    bench_output(b, y);
}

static Value *defaulted(Bench *b, double number)
{
    Value *w = bench_numbers(b, 0, NULL, &number);
    graph_add_input(b->graph, w);
    return w;
}

static void build_default(Bench *b)
{
    Value *w = defaulted(b, other ? 2 : 1);
    Value *x = bench_binary(b, OP_Add, bench_image(b, 2, 3), w);
    bench_output(b, named(b, OP_Relu, x, "end"));
}

static void build_default_that_is_gone(Bench *b)
{
    Value *w = defaulted(b, 1);
    if (other) {
        w->tensor = NULL;
        w->is_initializer = false;
        b->graph->initializer_count = 0;
    }
    Value *x = bench_binary(b, OP_Add, bench_image(b, 2, 3), w);
    bench_output(b, named(b, OP_Relu, x, "end"));
}

static void build_output_missing(Bench *b)
{
    Value *x = bench_image(b, 2, 3);
    Value *y = named(b, OP_Relu, x, "end"), *z = named(b, OP_Neg, x, "z");
    bench_output(b, y);
    if (!other)
        bench_output(b, z);
}

static void build_output_more(Bench *b)
{
    Value *x = bench_image(b, 2, 3);
    Value *y = named(b, OP_Relu, x, "end"), *z = named(b, OP_Neg, x, "z");
    bench_output(b, y);
    if (other)
        bench_output(b, z);
}

/* As many, and what was one is still computed. */
static void build_another_output(Bench *b)
{
    Value *x = bench_image(b, 2, 3);
    Value *y = named(b, OP_Relu, x, "end"), *z = named(b, OP_Neg, x, "z");
    bench_output(b, other ? y : z);
}

START_TEST(inputs_and_outputs_are_the_same)
{
    static Build *const builds[] = {
        build_input_type,
        build_input_for_a_node,
        build_output_that_is_an_input,
        build_default,
        build_default_that_is_gone,
        build_output_missing,
        build_output_more,
        build_another_output,
    };
    check_same(builds[_i], false);
}
END_TEST

/* ---- Nodes ---- */

/* What an operator means depends on the opset. */
static void build_opset(Bench *b)
{
    b->model->opset = other ? 13 : 12;
    bench_output(b, named(b, OP_Softmax, bench_image(b, 2, 3), "end"));
}

/* A custom operator, with an attribute in which both may differ. */
static Attr attrs[2];
static const char *types[2], *domains[2];

static void build_custom(Bench *b)
{
    Value *x = bench_image(b, 2, 3), *y = graph_value(b->graph, "end");
    Node *node = node_new(b->graph, OP_OTHER, "end", &x, 1, &y, 1);
    node->op_type = types[other];
    node->domain = domains[other];
    node->attrs = arena_array(b->arena, 1, sizeof *node->attrs);
    node->attrs[0] = attrs[other];
    node->attr_count = attrs[other].name != NULL;
    graph_add_node(b->graph, node);
    bench_output(b, y);
}

static void check_custom(Attr first, Attr second, bool holds)
{
    attrs[0] = first;
    attrs[1] = second;
    for (int i = 0; i < 2; i++) {
        types[i] = "Custom";
        domains[i] = "local";
    }
    check_same(build_custom, holds);
}

#define ATTR(kind, ...) ((Attr){.name = "a", .type = kind, __VA_ARGS__})
static Span span_of(const char *text)
{
    return (Span){(const uint8_t *)text, strlen(text)};
}

START_TEST(attributes_are_the_same)
{
    int64_t ints[2] = {1, 2}, others[2] = {1, 3};
    float floats[2] = {1, 2}, more[2] = {1, 3};
    Span texts[2] = {span_of("a"), span_of("b")};
    Span words[2] = {span_of("a"), span_of("c")};
    Attr one = ATTR(ATTR_INT, .i = 1), named_otherwise = one, referring = one;
    check_custom(one, ATTR(ATTR_INT, .i = 1), true);
    check_custom(one, ATTR(ATTR_INT, .i = 2), false);
    check_custom(one, ATTR(ATTR_FLOAT, .f = 1), false);
    check_custom(one, (Attr){0}, false);
    named_otherwise.name = "b";
    check_custom(one, named_otherwise, false);
    referring.reference = "outer";
    check_custom(one, referring, false);
    check_custom(ATTR(ATTR_FLOAT, .f = 1), ATTR(ATTR_FLOAT, .f = 1.5f), false);
    check_custom(ATTR(ATTR_STRING, .s = texts[0]),
                 ATTR(ATTR_STRING, .s = texts[1]), false);
    check_custom(ATTR(ATTR_INTS, .ints = ints, .count = 2),
                 ATTR(ATTR_INTS, .ints = others, .count = 2), false);
    check_custom(ATTR(ATTR_INTS, .ints = ints, .count = 2),
                 ATTR(ATTR_INTS, .ints = ints, .count = 1), false);
    check_custom(ATTR(ATTR_FLOATS, .floats = floats, .count = 2),
                 ATTR(ATTR_FLOATS, .floats = more, .count = 2), false);
    check_custom(ATTR(ATTR_STRINGS, .strings = texts, .count = 2),
                 ATTR(ATTR_STRINGS, .strings = words, .count = 2), false);
    check_custom(ATTR(ATTR_STRINGS, .strings = texts, .count = 2),
                 ATTR(ATTR_STRINGS, .strings = texts, .count = 2), true);
}
END_TEST

START_TEST(operators_are_the_same)
{
    attrs[0] = attrs[1] = (Attr){0};
    types[0] = domains[0] = types[1] = domains[1] = "Custom";
    check_same(build_custom, true);
    types[1] = "Other";
    check_same(build_custom, false);
    types[1] = "Custom";
    domains[1] = "other";
    check_same(build_custom, false);
    check_same(build_opset, false);
}
END_TEST

/* The parts of a Split in the other order, of equal length. */
static void build_split(Bench *b)
{
    Value *parts[2] = {graph_value(b->graph, other ? "q" : "p"),
                       graph_value(b->graph, other ? "p" : "q")};
    Value *inputs[2] = {bench_image(b, 4, 3),
                        bench_ints(b, 2, (int64_t[]){2, 2})};
    Node *node = node_new(b->graph, OP_Split, "split", inputs, 2, parts, 2);
    node_set_int(node, "axis", 1);
    bench_add(b, node);
    bench_output(b, graph_value(b->graph, "p"));
    bench_output(b, graph_value(b->graph, "q"));
}

static Value *averaged(Bench *b, Value *x)
{
    return bench_unary(b, OP_GlobalAveragePool, x);
}

/* The shape of what is smaller. */
static void build_shape(Bench *b)
{
    Value *x = bench_image(b, 4, 3), *small = averaged(b, x);
    bench_output(b, named(b, OP_Sigmoid, small, "z"));
    bench_output(b, named(b, OP_Shape, other ? small : x, "end"));
}

/* Of what is as large it is the same. */
static void build_shape_alike(Bench *b)
{
    Value *x = bench_input(b, 2, (int64_t[]){-1, 3});
    Value *y = named(b, OP_Relu, x, "z");
    bench_output(b, y);
    bench_output(b, named(b, OP_Shape, other ? y : x, "end"));
}

START_TEST(what_a_node_gives_and_reads_is_the_same)
{
    check_same(build_split, false);
    check_same(build_shape, false);
    check_same(build_shape_alike, true);
}
END_TEST

/* ---- Bodies ---- */

typedef struct Body {
    const char *name; /* of the attribute */
    Op op;            /* that makes what it gives of what it captures */
    int inputs, outputs;
    bool gives_first; /* of two values that it computes */
} Body;

typedef struct Holder {
    const char *type; /* NULL for If */
    Body bodies[2];
    const char *domain;
    bool has_more; /* one more attribute */
} Holder;

static Holder holders[2];

static Graph *body_of(Bench *b, const Body *body, const Value *captured)
{
    Bench inside = *b;
    inside.graph = graph_new(b->model, b->graph);
    for (int i = 0; i < body->inputs; i++) {
        Value *input = graph_fresh_value(inside.graph, "in");
        input->fact = captured->fact;
        graph_add_input(inside.graph, input);
    }
    Value *x = graph_read_value(inside.graph, captured->name);
    x->fact = captured->fact;
    Value *first = bench_unary(&inside, body->op, x);
    Value *second = bench_unary(&inside, OP_Abs, x);
    for (int i = 0; i < body->outputs; i++)
        bench_output(&inside, body->gives_first ? first : second);
    return inside.graph;
}

static void build_holder(Bench *b)
{
    const Holder *holder = &holders[other];
    Value *x = bench_image(b, 2, 3), *y = graph_value(b->graph, "end");
    Value *condition = sometimes(b);
    Node *node = node_new(b->graph, holder->type ? OP_OTHER : OP_If, "end",
                          &condition, 1, &y, 1);
    if (holder->type) {
        node->op_type = holder->type;
        node->domain = holder->domain;
    }
    node->attrs = arena_array(b->arena, 3, sizeof *node->attrs);
    node->attr_count = holder->has_more ? 3 : 2;
    node->attrs[2] = (Attr){.name = "times", .type = ATTR_INT, .i = 2};
    for (int i = 0; i < 2; i++)
        node->attrs[i] = (Attr){.name = holder->bodies[i].name,
                                .type = ATTR_GRAPH,
                                .graph = body_of(b, &holder->bodies[i], x)};
    graph_add_node(b->graph, node);
    bench_output(b, y);
}

static const Body then_branch = {"then_branch", OP_Relu, 0, 1, true};
static const Body else_branch = {"else_branch", OP_Neg, 0, 1, true};

static void check_holders(Holder second, bool holds)
{
    holders[0] = (Holder){.bodies = {then_branch, else_branch}};
    holders[1] = second;
    check_same(build_holder, holds);
}

START_TEST(bodies_are_the_same)
{
    Body negates = then_branch, second = else_branch, takes = else_branch,
         gives = else_branch;
    check_holders((Holder){.bodies = {then_branch, else_branch}}, true);
    negates.op = OP_Neg;
    check_holders((Holder){.bodies = {negates, else_branch}}, false);
    second.gives_first = false;
    check_holders((Holder){.bodies = {then_branch, second}}, false);
    takes.inputs = 1;
    check_holders((Holder){.bodies = {then_branch, takes}}, false);
    gives.outputs = 2;
    check_holders((Holder){.bodies = {then_branch, gives}}, false);
}
END_TEST

/* The branches keep their places, and change their names. */
START_TEST(bodies_are_what_they_were_called)
{
    Body first = then_branch, second = else_branch;
    first.name = else_branch.name;
    second.name = then_branch.name;
    check_holders((Holder){.bodies = {first, second}}, false);
}
END_TEST

START_TEST(what_holds_bodies_is_the_same)
{
    const Holder repeat = {.type = "Repeat",
                           .bodies = {then_branch, else_branch},
                           .domain = "local"};
    holders[0] = holders[1] = repeat;
    check_same(build_holder, true);
    holders[1].type = "Again";
    check_same(build_holder, false);
    holders[1] = repeat;
    holders[1].domain = "elsewhere";
    check_same(build_holder, false);
    holders[1] = repeat;
    holders[1].has_more = true;
    check_same(build_holder, false);
}
END_TEST

/* ---- Functions ---- */

static const char *function_names[2], *function_domains[2];
static int function_opsets[2];
static Op function_ops[2];

/* Nobody calls it; whoever reads the file may. */
static void build_function(Bench *b)
{
    Graph *body = graph_new(b->model, NULL);
    Value *x = graph_fresh_value(body, "v"), *y;
    x->fact = FACT_UNKNOWN;
    graph_add_input(body, x);
    y = graph_fresh_value(body, "w");
    graph_add_node(body, node_new(body, function_ops[other], "", &x, 1, &y, 1));
    graph_add_output(body, y);
    body->opset = function_opsets[other];
    Function *function = arena_alloc(b->arena, sizeof *function);
    *function = (Function){.name = function_names[other],
                           .domain = function_domains[other],
                           .body = body};
    b->model->functions = function;
    b->model->function_count = 1;
    model_list_functions(b->model);
    bench_output(b, named(b, OP_Relu, bench_image(b, 2, 3), "end"));
}

START_TEST(functions_are_the_same)
{
    for (int i = 0; i < 5; i++) {
        for (int k = 0; k < 2; k++) {
            function_domains[k] = i == 4 && k ? "elsewhere" : "local";
            function_names[k] = i == 1 && k ? "G" : "F";
            function_opsets[k] = i == 2 && k ? 18 : 17;
            function_ops[k] = i == 3 && k ? OP_Neg : OP_Abs;
        }
        check_same(build_function, i == 0);
    }
}
END_TEST

Suite *suite_certify(void)
{
    Suite *suite = suite_create("certify");
    TCase *tcase = tcase_create("certify");
    tcase_add_loop_test(tcase, inputs_and_outputs_are_the_same, 0, 8);
    tcase_add_test(tcase, attributes_are_the_same);
    tcase_add_test(tcase, operators_are_the_same);
    tcase_add_test(tcase, what_a_node_gives_and_reads_is_the_same);
    tcase_add_test(tcase, bodies_are_the_same);
    tcase_add_test(tcase, bodies_are_what_they_were_called);
    tcase_add_test(tcase, what_holds_bodies_is_the_same);
    tcase_add_test(tcase, functions_are_the_same);
    suite_add_tcase(suite, tcase);
    return suite;
}
