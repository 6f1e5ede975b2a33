/*
 * Real exports, every exporter mode: what folding leaves, that it is the same
 * function, and that both are what torch computes in float64.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "exec/exec.h"
#include "exec/npy.h"
#include "fold/fold.h"
#include "onnx/onnx.h"
#include "suites.h"

#define FIXTURES "tests/fixtures/"

/* A line of index.txt, which says what the fields are. */
typedef struct Fixture {
    char file[96], input[96], outputs[96], flag[16];
    int count, conv, bn, sub, mul, imul;
    double tolerance;
} Fixture;

static Fixture fixtures[256];
static int fixture_count;

static void fixtures_load(void)
{
    FILE *file = fopen(FIXTURES "index.txt", "r");
    char line[512];
    if (!file)
        return;
    while (fgets(line, sizeof line, file)) {
        Fixture *f = &fixtures[fixture_count];
        if (line[0] != '#' && fixture_count < 256 &&
            sscanf(line, "%95s %95s %95s %d %d %d %d %d %d %lf %15s", f->file,
                   f->input, f->outputs, &f->count, &f->conv, &f->bn, &f->sub,
                   &f->mul, &f->imul, &f->tolerance, f->flag) == 11)
            fixture_count++;
    }
    fclose(file);
}

static const rp_fold_options options = {.threads = 1};

static Model *load(Arena *arena, const Fixture *fixture)
{
    Model *model;
    Err err = {0};
    const char *path = arena_printf(arena, FIXTURES "%s", fixture->file);
    ck_assert_msg(model_read_file(arena, path, NULL, &model, &err) == 0, "%s",
                  err.message);
    model->assume_inference = strcmp(fixture->flag, "training") == 0;
    return model;
}

static FoldReport fold(Model *model)
{
    FoldReport report = {0};
    Err err = {0};
    ck_assert_msg(model_fold(model, &options, &report, &err) == 0, "%s",
                  err.message);
    return report;
}

/* Nodes of an operator on real numbers, or on integers. */
static int count_real(const Model *model, Op op, bool real)
{
    int count = 0;
    for (size_t i = 0; i < model->graph->node_count; i++) {
        const Node *node = model->graph->nodes[i];
        count += node->op == op &&
                 dtype_is_real(node->outputs[0]->fact.type) == real;
    }
    return count;
}

static Array *read_array(Arena *arena, const char *name, DType type)
{
    Tensor *tensor;
    Array *array;
    Err err = {0};
    const char *path = arena_printf(arena, FIXTURES "%s", name);
    ck_assert_msg(npy_read(arena, path, &tensor, &err) == 0, "%s", err.message);
    ck_assert_int_eq(
        array_from_tensor(arena, tensor, PRECISION_F64, true, &array, &err), 0);
    array->type = type;
    return array;
}

static Array **run(Arena *arena, const Model *model, Array *input)
{
    ExecOptions exact = {.precision = PRECISION_F64, .exact = true};
    Array **outputs =
        arena_array(arena, model->graph->output_count, sizeof *outputs);
    Exec *exec;
    Err err = {0};
    ck_assert_msg(exec_new(arena, model->graph, &exact, &exec, &err) == 0, "%s",
                  err.message);
    ck_assert_msg(exec_run(exec, arena, &input, outputs, &err) == 0, "%s",
                  err.message);
    return outputs;
}

static double difference(const Array *a, const Array *b)
{
    const double *x = a->data, *y = b->data;
    double largest = 0, most = 0;
    ck_assert_int_eq(a->count, b->count);
    ck_assert_int_gt(a->count, 0);
    for (int64_t i = 0; i < a->count; i++) {
        ck_assert(isfinite(x[i]) && isfinite(y[i]));
        largest = fmax(largest, fabs(x[i]));
        most = fmax(most, fabs(x[i] - y[i]));
    }
    ck_assert_double_gt(largest, 0);
    return most / largest;
}

START_TEST(the_index_is_there)
{
    ck_assert_int_gt(fixture_count, 40);
}
END_TEST

START_TEST(nothing_foldable_is_left)
{
    const Fixture *f = &fixtures[_i];
    Arena *arena = arena_new(0);
    Model *model = load(arena, f);
    fold(model);
    ck_assert_msg(count_real(model, OP_BatchNormalization, true) == f->bn,
                  "%s: %d BatchNormalization", f->file,
                  count_real(model, OP_BatchNormalization, true));
    ck_assert_msg(count_real(model, OP_Conv, true) == f->conv,
                  "%s: %d Conv, not %d", f->file,
                  count_real(model, OP_Conv, true), f->conv);
    ck_assert_msg(count_real(model, OP_Sub, true) == f->sub, "%s: %d Sub",
                  f->file, count_real(model, OP_Sub, true));
    ck_assert_msg(count_real(model, OP_Mul, true) == f->mul,
                  "%s: %d Mul, not %d", f->file,
                  count_real(model, OP_Mul, true), f->mul);
    ck_assert_int_le(count_real(model, OP_Mul, false), f->imul);
    ck_assert_uint_eq(fold(model).fold_count, 0);
    arena_free(arena);
}
END_TEST

START_TEST(the_function_is_the_same)
{
    const Fixture *f = &fixtures[_i];
    Arena *arena = arena_new(0);
    Model *before = load(arena, f), *after = load(arena, f);
    fold(after);
    DType type = before->graph->inputs[0]->fact.type;
    Array *input = read_array(arena, f->input, type);
    Array **first = run(arena, before, input);
    Array **second = run(arena, after, input);
    for (int k = 0; k < f->count; k++) {
        const char *name = arena_printf(arena, "%s%d.npy", f->outputs, k);
        Array *torch = read_array(arena, name, type);
        double algebra = difference(first[k], second[k]);
        double foreign = difference(torch, first[k]);
        ck_assert_msg(algebra < 1e-12, "%s: output %d off by %g", f->file, k,
                      algebra);
        ck_assert_msg(foreign < f->tolerance, "%s: output %d off torch by %g",
                      f->file, k, foreign);
    }
    arena_free(arena);
}
END_TEST

START_TEST(training_mode_is_refused_site_by_site)
{
    const Fixture *f = &fixtures[_i];
    if (strcmp(f->flag, "training") != 0)
        return;
    Arena *arena = arena_new(0);
    Model *model = load(arena, f);
    model->assume_inference = false;
    FoldReport report = fold(model);
    int sites = count_real(model, OP_BatchNormalization, true), refused = 0;
    ck_assert_int_gt(sites, 0);
    for (size_t i = 0; i < report.refusal_count; i++)
        refused += strcmp(report.refusals[i].reason, "training-mode") == 0;
    ck_assert_int_eq(refused, sites);
    arena_free(arena);
}
END_TEST

Suite *suite_fixtures(void)
{
    fixtures_load();
    Suite *suite = suite_create("fixtures");
    TCase *tcase = tcase_create("fixtures");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, the_index_is_there);
    tcase_add_loop_test(tcase, nothing_foldable_is_left, 0, fixture_count);
    tcase_add_loop_test(tcase, the_function_is_the_same, 0, fixture_count);
    tcase_add_loop_test(tcase, training_mode_is_refused_site_by_site, 0,
                        fixture_count);
    suite_add_tcase(suite, tcase);
    return suite;
}
