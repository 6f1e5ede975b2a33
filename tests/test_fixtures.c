/*
 * Real exports, every exporter mode: what folding leaves, that it is the same
 * function, and that both are what torch computes in float64.
 */
#include <stdio.h>
#include <string.h>

#include "fixture.h"
#include "suites.h"

#define FIXTURES "tests/fixtures/"

/* A line of index.txt, which says what the fields are. */
typedef struct Fixture {
    char file[96], input[96], outputs[96], flag[16];
    int count, conv, bn, sub, mul, imul;
    double tolerance;
} Fixture;

static Fixture fixtures[256];
static int fixtures_found;

static void fixtures_load(void)
{
    FILE *file = fopen(FIXTURES "index.txt", "r");
    char line[512];
    if (!file)
        return;
    while (fgets(line, sizeof line, file)) {
        Fixture *f = &fixtures[fixtures_found];
        if (line[0] != '#' && fixtures_found < 256 &&
            sscanf(line, "%95s %95s %95s %d %d %d %d %d %d %lf %15s", f->file,
                   f->input, f->outputs, &f->count, &f->conv, &f->bn, &f->sub,
                   &f->mul, &f->imul, &f->tolerance, f->flag) == 11)
            fixtures_found++;
    }
    fclose(file);
}

static Model *load(Arena *arena, const Fixture *fixture)
{
    Model *model =
        fixture_load(arena, arena_printf(arena, FIXTURES "%s", fixture->file));
    model->assume_inference = strcmp(fixture->flag, "training") == 0;
    return model;
}

static Array *read_array(Arena *arena, const char *name, DType type)
{
    return fixture_array(arena, arena_printf(arena, FIXTURES "%s", name), type);
}

START_TEST(the_index_is_there)
{
    ck_assert_int_gt(fixtures_found, 40);
}
END_TEST

START_TEST(nothing_foldable_is_left)
{
    const Fixture *f = &fixtures[_i];
    Arena *arena = arena_new(0);
    Model *model = load(arena, f);
    fixture_fold(model);
    ck_assert_msg(fixture_count(model, OP_BatchNormalization, true) == f->bn,
                  "%s: %d BatchNormalization", f->file,
                  fixture_count(model, OP_BatchNormalization, true));
    ck_assert_msg(fixture_count(model, OP_Conv, true) == f->conv,
                  "%s: %d Conv, not %d", f->file,
                  fixture_count(model, OP_Conv, true), f->conv);
    ck_assert_msg(fixture_count(model, OP_Sub, true) == f->sub, "%s: %d Sub",
                  f->file, fixture_count(model, OP_Sub, true));
    ck_assert_msg(fixture_count(model, OP_Mul, true) == f->mul,
                  "%s: %d Mul, not %d", f->file,
                  fixture_count(model, OP_Mul, true), f->mul);
    ck_assert_int_le(fixture_count(model, OP_Mul, false), f->imul);
    ck_assert_uint_eq(fixture_fold(model).fold_count, 0);
    arena_free(arena);
}
END_TEST

START_TEST(the_function_is_the_same)
{
    const Fixture *f = &fixtures[_i];
    Arena *arena = arena_new(0);
    Model *before = load(arena, f), *after = load(arena, f);
    fixture_fold(after);
    DType type = before->graph->inputs[0]->fact.type;
    Array *input = read_array(arena, f->input, type);
    Array **first = fixture_run(arena, before, input);
    Array **second = fixture_run(arena, after, input);
    for (int k = 0; k < f->count; k++) {
        const char *name = arena_printf(arena, "%s%d.npy", f->outputs, k);
        Array *torch = read_array(arena, name, type);
        double algebra = fixture_difference(first[k], second[k]);
        double foreign = fixture_difference(torch, first[k]);
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
    FoldReport report = fixture_fold(model);
    int sites = fixture_count(model, OP_BatchNormalization, true), refused = 0;
    ck_assert_int_gt(sites, 0);
    for (size_t i = 0; i < report.refusal_count; i++)
        refused += strcmp(report.refusals[i].op, "BatchNormalization") == 0 &&
                   strcmp(report.refusals[i].reason, "training-mode") == 0;
    ck_assert_int_eq(refused, sites);
    arena_free(arena);
}
END_TEST

Suite *suite_fixtures(void)
{
    fixtures_load();
    Suite *suite = suite_create("fixtures");
    TCase *tcase = tcase_create("fixtures");
    tcase_add_test(tcase, the_index_is_there);
    tcase_add_loop_test(tcase, nothing_foldable_is_left, 0, fixtures_found);
    tcase_add_loop_test(tcase, the_function_is_the_same, 0, fixtures_found);
    tcase_add_loop_test(tcase, training_mode_is_refused_site_by_site, 0,
                        fixtures_found);
    suite_add_tcase(suite, tcase);
    return suite;
}
