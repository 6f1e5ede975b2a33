/*
 * Networks with the habits of real exporters (tests/real/habits.py tells
 * which): they run as in onnxruntime, fold, and are verified without being
 * told any size.
 */
#include "fixture.h"
#include "judging.h"
#include "suites.h"

#define HABITS "tests/real/"

static const struct {
    const char *name;
    size_t kernels; /* that BatchNormalizations and branches go into */
} networks[] = {{"detector", 4}, {"recogniser", 2}, {"heads", 4}, {"neck", 4}};

enum { NETWORKS = sizeof networks / sizeof *networks };

static Model *load(Arena *arena, int network)
{
    return fixture_load(
        arena, arena_printf(arena, HABITS "%s.onnx", networks[network].name));
}

START_TEST(output_is_onnxruntimes)
{
    Arena *arena = arena_new(0);
    const char *name = networks[_i].name;
    Array *input = fixture_array(
        arena, arena_printf(arena, HABITS "%s.in.npy", name), DT_FLOAT);
    Array *expected = fixture_array(
        arena, arena_printf(arena, HABITS "%s.out.npy", name), DT_FLOAT);
    Array **found = fixture_run(arena, load(arena, _i), input);
    double apart = fixture_difference(expected, found[0]);
    ck_assert_msg(apart < 1e-6, "%s: off by %g", name, apart);
    arena_free(arena);
}
END_TEST

START_TEST(folds_are_verified_at_sizes_that_are_found)
{
    Arena *arena = arena_new(0);
    Model *before = load(arena, _i), *after = load(arena, _i);
    ck_assert_uint_eq(fixture_fold(after).fold_count, networks[_i].kernels);
    ck_assert_int_eq(fixture_count(after, OP_BatchNormalization, true), 0);
    rp_verdict_info info =
        judge_pair(arena, before, after, true, (rp_verify_options){0});
    check_verdict(&info, "equivalent");
    ck_assert_uint_eq(info.segments, networks[_i].kernels);
    ck_assert(info.outputs[0].algebra < 1e-13);
    arena_free(arena);
}
END_TEST

Suite *suite_habits(void)
{
    Suite *suite = suite_create("habits");
    TCase *tc = tcase_create("habits");
    tcase_add_loop_test(tc, output_is_onnxruntimes, 0, NETWORKS);
    tcase_add_loop_test(tc, folds_are_verified_at_sizes_that_are_found, 0,
                        NETWORKS);
    suite_add_tcase(suite, tc);
    return suite;
}
