/*
 * Networks and blocks of many families: what folding leaves, that it is the
 * same function, and that both are what torch computes in float64.
 */
#include <stdio.h>
#include <string.h>

#include "fixture.h"
#include "suites.h"

#define FAMILIES "tests/families/"

/* A line of index.txt, which says what the fields are. */
typedef struct Family {
    char model[48], input[48];
    int conv, bn, add, mul;
    double tolerance;
} Family;

static Family families[64];
static int family_count;

static void families_load(void)
{
    FILE *file = fopen(FAMILIES "index.txt", "r");
    char line[256];
    if (!file)
        return;
    while (fgets(line, sizeof line, file)) {
        Family *f = &families[family_count];
        if (line[0] != '#' && family_count < 64 &&
            sscanf(line, "%47s %47s %d %d %d %d %lf", f->model, f->input,
                   &f->conv, &f->bn, &f->add, &f->mul, &f->tolerance) == 7)
            family_count++;
    }
    fclose(file);
}

static Model *load(Arena *arena, const Family *family)
{
    return fixture_load(arena,
                        arena_printf(arena, FAMILIES "%s.onnx", family->model));
}

static void check_left(const Family *family, const Model *model, Op op,
                       int expected)
{
    int left = fixture_count(model, op, true);
    ck_assert_msg(left == expected, "%s: %d %s, not %d", family->model, left,
                  op_name(op), expected);
}

START_TEST(the_index_is_there)
{
    ck_assert_int_gt(family_count, 30);
}
END_TEST

START_TEST(nothing_foldable_is_left)
{
    const Family *family = &families[_i];
    Arena *arena = arena_new(0);
    Model *model = load(arena, family);
    ck_assert_uint_gt(fixture_fold(model).fold_count, 0);
    check_left(family, model, OP_Conv, family->conv);
    check_left(family, model, OP_BatchNormalization, family->bn);
    check_left(family, model, OP_Add, family->add);
    check_left(family, model, OP_Mul, family->mul);
    ck_assert_uint_eq(fixture_fold(model).fold_count, 0);
    arena_free(arena);
}
END_TEST

/* A constant of several numbers along one axis. */
static const Tensor *axis_constant(const Graph *graph, const Value *value)
{
    const Tensor *tensor = value ? value_constant(graph, value) : NULL;
    int long_axes = 0;
    for (int i = 0; tensor && i < tensor->rank; i++)
        long_axes += tensor->dims[i] > 1;
    return long_axes == 1 && dtype_is_real(tensor->type) ? tensor : NULL;
}

/* What a reparameterization is expected to remove: normalizations, and scales
 * and shifts along an axis, but for the biases that MatMul cannot have. */
static bool must_be_listed(const Graph *graph, const Node *node)
{
    if (node->op == OP_BatchNormalization)
        return true;
    if (node->op != OP_Mul && node->op != OP_Add && node->op != OP_Sub &&
        node->op != OP_Div)
        return false;
    for (int i = 0; i < 2; i++) {
        const Value *other = node->inputs[1 - i];
        if (axis_constant(graph, node->inputs[i]) &&
            !value_constant(graph, other))
            return node->op != OP_Add || !other->producer ||
                   other->producer->op != OP_MatMul;
    }
    return false;
}

static bool is_listed(const FoldReport *report, const Node *node)
{
    const char *title = node->name[0] ? node->name : node->outputs[0]->name;
    for (size_t i = 0; i < report->refusal_count; i++)
        if (strcmp(report->refusals[i].node, title) == 0 &&
            strcmp(report->refusals[i].op, node->op_type) == 0)
            return true;
    return false;
}

START_TEST(what_is_left_has_a_reason)
{
    const Family *family = &families[_i];
    Arena *arena = arena_new(0);
    Model *model = load(arena, family);
    FoldReport report = fixture_fold(model);
    for (size_t i = 0; i < model->graph->node_count; i++) {
        const Node *node = model->graph->nodes[i];
        if (must_be_listed(model->graph, node))
            ck_assert_msg(is_listed(&report, node),
                          "%s: %s \"%s\" is left, and nothing said",
                          family->model, node->op_type, node->name);
    }
    arena_free(arena);
}
END_TEST

START_TEST(the_function_is_the_same)
{
    const Family *family = &families[_i];
    Arena *arena = arena_new(0);
    Model *before = load(arena, family), *after = load(arena, family);
    fixture_fold(after);
    DType type = before->graph->inputs[0]->fact.type;
    Array *input = fixture_array(
        arena, arena_printf(arena, "tests/%s", family->input), type);
    Array *torch = fixture_array(
        arena, arena_printf(arena, FAMILIES "%s.npy", family->model), type);
    Array **first = fixture_run(arena, before, input);
    Array **second = fixture_run(arena, after, input);
    double algebra = fixture_difference(first[0], second[0]);
    double foreign = fixture_difference(torch, first[0]);
    ck_assert_msg(algebra < 1e-12, "%s: off by %g", family->model, algebra);
    ck_assert_msg(foreign < family->tolerance, "%s: off torch by %g",
                  family->model, foreign);
    arena_free(arena);
}
END_TEST

Suite *suite_families(void)
{
    families_load();
    Suite *suite = suite_create("families");
    TCase *tcase = tcase_create("families");
    tcase_add_test(tcase, the_index_is_there);
    tcase_add_loop_test(tcase, nothing_foldable_is_left, 0, family_count);
    tcase_add_loop_test(tcase, what_is_left_has_a_reason, 0, family_count);
    tcase_add_loop_test(tcase, the_function_is_the_same, 0, family_count);
    suite_add_tcase(suite, tcase);
    return suite;
}
