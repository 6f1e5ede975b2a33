/* The algebra of folding: vectors over channels and the lattice of taps. */
#include <stdlib.h>

#include "fold/affine.h"
#include "suites.h"

static Arena *arena;

static void setup(void)
{
    arena = arena_new(0);
}

static void teardown(void)
{
    arena_free(arena);
}

START_TEST(nothing_is_factor_one_and_summand_zero)
{
    double two[2] = {2, 3};
    Vec vec = vec_new(arena, 2, two);
    ck_assert_double_eq(vec_get(VEC_NONE, 7, 1), 1);
    ck_assert_double_eq(vec_get(vec_multiply(arena, VEC_NONE, vec), 1, 1), 3);
    ck_assert_double_eq(vec_get(vec_add(arena, vec, VEC_NONE), 0, 0), 2);
    ck_assert_int_eq(vec_scale(arena, vec, VEC_NONE).size, 0);
}
END_TEST

START_TEST(uniform_spreads_over_channels)
{
    double three[3] = {1, 2, 3};
    Vec vec =
        vec_multiply(arena, vec_uniform(arena, 10), vec_new(arena, 3, three));
    ck_assert_int_eq(vec.size, 3);
    ck_assert_double_eq(vec.at[2], 30);
}
END_TEST

START_TEST(repeat_follows_flattening)
{
    double two[2] = {5, 6};
    Vec vec = vec_repeat(arena, vec_new(arena, 2, two), 3);
    ck_assert_int_eq(vec.size, 6);
    ck_assert_double_eq(vec.at[2], 5);
    ck_assert_double_eq(vec.at[3], 6);
}
END_TEST

/* Brute force: the offsets of every part are offsets of the union, at the
 * places axis_place names. */
static void check_union(const Axis *parts, int count)
{
    const Axis *pointers[4];
    Axis whole;
    for (int i = 0; i < count; i++)
        pointers[i] = &parts[i];
    ck_assert(axis_union(pointers, count, false, &whole));
    ck_assert_int_ge(whole.begin, 0);
    ck_assert_int_ge(whole.end, 0);
    ck_assert_int_eq(axis_slack(&whole), axis_slack(&parts[0]));
    for (int i = 0; i < count; i++) {
        int64_t offset, step;
        axis_place(&parts[i], &whole, &offset, &step);
        for (int64_t t = 0; t < parts[i].taps; t++) {
            int64_t at = offset + step * t;
            ck_assert_int_ge(at, 0);
            ck_assert_int_lt(at, whole.taps);
            ck_assert_int_eq(whole.dilation * at - whole.begin,
                             parts[i].dilation * t - parts[i].begin);
        }
    }
}

START_TEST(union_of_symmetric_kernels_is_the_larger)
{
    Axis parts[] = {{7, 1, 1, 3, 3}, {3, 1, 1, 1, 1}, {1, 1, 1, 0, 0}};
    const Axis *pointers[] = {&parts[0], &parts[1], &parts[2]};
    Axis whole;
    check_union(parts, 3);
    ck_assert(axis_union(pointers, 3, false, &whole));
    ck_assert_int_eq(whole.taps, 7);
    ck_assert_int_eq(whole.dilation, 1);
}
END_TEST

/* SAME_UPPER with stride 2 pads 0,1: the 1x1 lands on tap 0, not the centre. */
START_TEST(small_kernel_is_not_always_central)
{
    Axis large = {3, 2, 1, 0, 1}, small = {1, 2, 1, 0, 0}, whole;
    const Axis *pointers[] = {&large, &small};
    int64_t offset, step;
    /* Slack -1 against 0: these two do not always give the same size. */
    ck_assert_int_ne(axis_slack(&large), axis_slack(&small));
    ck_assert(axis_union(pointers, 2, false, &whole));
    axis_place(&small, &whole, &offset, &step);
    ck_assert_int_eq(offset, 0);
}
END_TEST

START_TEST(dilated_branches_share_a_lattice)
{
    Axis parts[] = {{13, 1, 1, 6, 6}, {5, 1, 3, 6, 6}, {3, 1, 4, 4, 4}};
    check_union(parts, 3);
    Axis sparse[] = {{3, 1, 2, 2, 2}, {3, 1, 4, 4, 4}};
    const Axis *pointers[] = {&sparse[0], &sparse[1]};
    Axis whole;
    check_union(sparse, 2);
    ck_assert(axis_union(pointers, 2, false, &whole));
    ck_assert_int_eq(whole.dilation, 2);
    ck_assert_int_eq(whole.taps, 5);
}
END_TEST

START_TEST(random_axes_always_fit_their_union)
{
    srand(7);
    for (int round = 0; round < 2000; round++) {
        Axis parts[4];
        int count = 1 + rand() % 4;
        int64_t slack = rand() % 7 - 3, stride = 1 + rand() % 3;
        for (int i = 0; i < count; i++) {
            Axis *axis = &parts[i];
            *axis = (Axis){1 + rand() % 7, stride, 1 + rand() % 4, 0, 0};
            axis->begin = rand() % 12;
            axis->end = slack + axis->dilation * (axis->taps - 1) - axis->begin;
            if (axis->end < 0) { /* negative pads do not exist */
                axis->begin += axis->end;
                axis->end = 0;
            }
            if (axis->begin < 0 || axis_slack(axis) != slack)
                *axis = i ? parts[0] : (Axis){1, stride, 1, 0, slack = 0};
        }
        check_union(parts, count);
    }
}
END_TEST

START_TEST(output_size_follows_slack_alone)
{
    for (int64_t taps = 1; taps < 6; taps++)
        for (int64_t stride = 1; stride < 4; stride++)
            for (int64_t size = 12; size < 20; size++) {
                Axis axis = {taps, stride, 2, 1, 2};
                int64_t windows = (size + 3 - 2 * (taps - 1) - 1) / stride + 1;
                ck_assert_int_eq(axis_output(&axis, size), windows);
            }
}
END_TEST

Suite *suite_affine(void)
{
    Suite *suite = suite_create("affine");
    TCase *tcase = tcase_create("affine");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, nothing_is_factor_one_and_summand_zero);
    tcase_add_test(tcase, uniform_spreads_over_channels);
    tcase_add_test(tcase, repeat_follows_flattening);
    tcase_add_test(tcase, union_of_symmetric_kernels_is_the_larger);
    tcase_add_test(tcase, small_kernel_is_not_always_central);
    tcase_add_test(tcase, dilated_branches_share_a_lattice);
    tcase_add_test(tcase, random_axes_always_fit_their_union);
    tcase_add_test(tcase, output_size_follows_slack_alone);
    suite_add_tcase(suite, tcase);
    return suite;
}
