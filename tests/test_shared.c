/* Values of one name in two models. */
#include "suites.h"

#include <math.h>

#include "judge/shared.h"
#include "net.h"

/* y = relu(x), of a size. */
static const Graph *relu(Arena *arena, int64_t size)
{
    Net net = toy_new(arena);
    toy_input(&net, "x", DT_FLOAT, 1, &size);
    toy_node(&net, OP_Relu, "x", "y");
    toy_output(&net, "y", DT_FLOAT);
    return toy_finish(&net)->graph;
}

/* Of the numbers that both models give for y. */
static double distance_of(const double *a, const double *b, int64_t size)
{
    Arena *arena = arena_new(0);
    const Graph *left = relu(arena, size), *right = relu(arena, size);
    SharedSet *set = shared_new(arena, left, right, PRECISION_F64);
    Array array = {.type = DT_FLOAT, .rank = 1, .dims = {size}, .count = size};
    array.data = (void *)(uintptr_t)a;
    shared_see_a(arena, set, left->outputs[0], &array);
    array.data = (void *)(uintptr_t)b;
    shared_see_b(set, right->outputs[0], &array);
    ck_assert_uint_eq(set->count, 1);
    double distance = set->items[0].distance;
    arena_free(arena);
    return distance;
}

START_TEST(what_is_not_finite_in_one_is_far_apart)
{
    const double a[3] = {1, 2, 3};
    const double nan[3] = {1, (double)NAN, 3}, inf[3] = {1, HUGE_VAL, 3};
    ck_assert_double_eq(distance_of(a, a, 3), 0);
    ck_assert_double_eq(distance_of(nan, nan, 3), 0);
    ck_assert_double_eq(distance_of(inf, inf, 3), 0);
    ck_assert_double_eq(distance_of(a, inf, 3), 1);
    ck_assert_double_eq(distance_of(a, nan, 3), 1);
    ck_assert_double_eq(distance_of(nan, a, 3), 1);
}
END_TEST

Suite *suite_shared(void)
{
    Suite *suite = suite_create("shared");
    TCase *tc = tcase_create("shared");
    tcase_add_test(tc, what_is_not_finite_in_one_is_far_apart);
    suite_add_tcase(suite, tc);
    return suite;
}
