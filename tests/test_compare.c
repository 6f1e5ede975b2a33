#include "suites.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "judge/compare.h"

static Arena *arena;

static void setup(void)
{
    arena = arena_new(0);
}

static void teardown(void)
{
    arena_free(arena);
}

static Operand reals(DType type, int64_t count, const double *values)
{
    Array *array = array_new(arena, type, 1, &count, PRECISION_F64);
    for (int64_t i = 0; i < count; i++)
        ((double *)array->data)[i] = values[i];
    return (Operand){array, PRECISION_F64};
}

static Operand integers(DType type, int64_t count, const int64_t *values)
{
    Array *array = array_new(arena, type, 1, &count, PRECISION_F64);
    memcpy(array->data, values, (size_t)count * sizeof *values);
    return (Operand){array, PRECISION_F64};
}

static Comparison compare_one(double a, double b, Tolerance tolerance)
{
    Comparison result;
    compare_arrays(reals(DT_FLOAT, 1, &a), reals(DT_FLOAT, 1, &b), &tolerance,
                   &result);
    return result;
}

static bool equal(double a, double b, double rtol, double atol)
{
    Tolerance tolerance = {.rtol = rtol, .atol = atol};
    return compare_one(a, b, tolerance).result == COMPARE_EQUAL;
}

START_TEST(tolerance_is_atol_plus_rtol_times_expected)
{
    ck_assert(equal(1, 1, 0, 0));
    ck_assert(equal(1.5, 1, 0.25, 0.25));
    ck_assert(!equal(1.51, 1, 0.25, 0.25));
    /* It scales with what is expected, not with what came. */
    ck_assert(equal(1, 2, 0.5, 0));
    ck_assert(!equal(2, 1, 0.5, 0));
    ck_assert(equal(-0.0, 0, 0, 0));
}
END_TEST

START_TEST(nan_equals_only_nan)
{
    ck_assert(equal((double)NAN, (double)NAN, 0, 0));
    ck_assert(!equal((double)NAN, 1, 1e9, 1e9));
    ck_assert(!equal(1, (double)NAN, 1e9, 1e9));
    ck_assert(!equal((double)NAN, HUGE_VAL, 1e9, 1e9));
    ck_assert(!equal(1, (double)NAN, HUGE_VAL, HUGE_VAL));
}
END_TEST

START_TEST(infinity_equals_only_itself)
{
    ck_assert(equal(HUGE_VAL, HUGE_VAL, 0, 0));
    ck_assert(equal(-HUGE_VAL, -HUGE_VAL, 0, 0));
    ck_assert(!equal(HUGE_VAL, -HUGE_VAL, 1, 1));
    /* rtol * infinity must not excuse a finite value. */
    ck_assert(!equal(1, HUGE_VAL, 1e-3, 1e-7));
    ck_assert(!equal(HUGE_VAL, 1, HUGE_VAL, HUGE_VAL));
    ck_assert(!equal(1, HUGE_VAL, HUGE_VAL, HUGE_VAL));
}
END_TEST

START_TEST(tolerance_that_is_no_number_allows_nothing)
{
    ck_assert(!equal(1, 2, (double)NAN, 0));
    ck_assert(!equal(1, 2, 0, -5));
    ck_assert(!equal(DBL_MAX, -DBL_MAX, 1, 0));
}
END_TEST

START_TEST(bounds_count_per_element)
{
    double a[] = {1, 2, 3}, b[] = {1.5, 2, 4}, bounds[] = {0.5, 0, 0.25};
    Tolerance tolerance = {.rtol = 100, .atol = 100, .bounds = bounds};
    Comparison result;
    compare_arrays(reals(DT_FLOAT, 3, a), reals(DT_FLOAT, 3, b), &tolerance,
                   &result);
    ck_assert_int_eq(result.result, COMPARE_VALUES);
    ck_assert_int_eq(result.wrong, 1);
    ck_assert_int_eq(result.first, 2);
    ck_assert_double_eq(result.max_ratio, 4);
    bounds[2] = (double)NAN;
    compare_arrays(reals(DT_FLOAT, 3, a), reals(DT_FLOAT, 3, b), &tolerance,
                   &result);
    ck_assert_int_eq(result.wrong, 1);
    ck_assert(isinf(result.max_ratio));
}
END_TEST

START_TEST(first_and_worst_are_told_apart)
{
    double a[] = {0, 1.1, 5, 2, (double)NAN}, b[] = {0, 1, 2, 2, (double)NAN};
    Tolerance tolerance = {.atol = 0.01};
    Comparison result;
    compare_arrays(reals(DT_FLOAT, 5, a), reals(DT_FLOAT, 5, b), &tolerance,
                   &result);
    ck_assert_int_eq(result.count, 5);
    ck_assert_int_eq(result.wrong, 2);
    ck_assert_int_eq(result.first, 1);
    ck_assert_int_eq(result.worst, 2);
    ck_assert_double_eq(result.max_abs, 3);
    ck_assert_double_eq(result.magnitude, 2);
    ck_assert_int_eq(result.not_finite, 1);
}
END_TEST

START_TEST(long_arrays_are_compared_to_the_end)
{
    static double a[5000], b[5000];
    a[4999] = 1;
    Tolerance tolerance = {0};
    Comparison result;
    compare_arrays(reals(DT_FLOAT, 5000, a), reals(DT_FLOAT, 5000, b),
                   &tolerance, &result);
    ck_assert_int_eq(result.first, 4999);
    ck_assert_int_eq(result.worst, 4999);
}
END_TEST

START_TEST(ulp_is_of_the_type)
{
    static const struct {
        DType type;
        double step;
    } types[] = {{DT_FLOAT, 0x1p-23},
                 {DT_DOUBLE, 0x1p-52},
                 {DT_FLOAT16, 0x1p-10},
                 {DT_BFLOAT16, 0x1p-7}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        double a = 1 + 3 * types[i].step, b = 1;
        Tolerance tolerance = {.atol = 1};
        Comparison result;
        compare_arrays(reals(types[i].type, 1, &a), reals(types[i].type, 1, &b),
                       &tolerance, &result);
        ck_assert_double_eq(result.max_ulp, 3);
    }
}
END_TEST

START_TEST(ulp_near_zero_is_the_smallest_subnormal)
{
    Tolerance tolerance = {.atol = 1};
    ck_assert_double_eq(compare_one(0x1p-149, 0, tolerance).max_ulp, 1);
    ck_assert_double_eq(compare_one(0x1p-148, 0x1p-149, tolerance).max_ulp, 1);
    ck_assert(isinf(compare_one((double)NAN, 0, tolerance).max_ulp));
}
END_TEST

START_TEST(integers_are_equal_or_not)
{
    int64_t a[] = {7, (INT64_C(1) << 53) + 1}, b[] = {7, INT64_C(1) << 53};
    Tolerance generous = {.rtol = 1, .atol = 1e9};
    Comparison result;
    compare_arrays(integers(DT_INT64, 2, a), integers(DT_INT64, 2, b),
                   &generous, &result);
    ck_assert_int_eq(result.result, COMPARE_VALUES);
    ck_assert_int_eq(result.wrong, 1);
    ck_assert_int_eq(result.worst, 1);
    ck_assert_double_eq(result.max_abs, 1);
    b[1] = a[1];
    compare_arrays(integers(DT_INT64, 2, a), integers(DT_INT64, 2, b),
                   &generous, &result);
    ck_assert_int_eq(result.result, COMPARE_EQUAL);
}
END_TEST

START_TEST(type_and_shape_must_agree)
{
    double values[] = {1, 2, 3, 4, 5, 6};
    Tolerance tolerance = {.atol = HUGE_VAL};
    Operand flat = reals(DT_FLOAT, 6, values);
    Operand other = reals(DT_DOUBLE, 6, values);
    Comparison result;
    compare_arrays(other, flat, &tolerance, &result);
    ck_assert_int_eq(result.result, COMPARE_TYPE);
    ck_assert_str_eq(compare_text(arena, &result, other, flat),
                     "type float64 where float32 is expected");
    int64_t dims[] = {2, 3}, turned[] = {3, 2};
    Operand a = {array_new(arena, DT_FLOAT, 2, dims, PRECISION_F64),
                 PRECISION_F64};
    Operand b = {array_new(arena, DT_FLOAT, 2, turned, PRECISION_F64),
                 PRECISION_F64};
    compare_arrays(a, b, &tolerance, &result);
    ck_assert_int_eq(result.result, COMPARE_SHAPE);
    ck_assert_str_eq(compare_text(arena, &result, a, b),
                     "shape [2,3] where [3,2] is expected");
    compare_arrays(a, flat, &tolerance, &result);
    ck_assert_int_eq(result.result, COMPARE_SHAPE);
    ck_assert_int_eq(result.count, 0);
}
END_TEST

START_TEST(empty_is_equal_only_where_both_shapes_say_so)
{
    double value = 1;
    Tolerance tolerance = {.atol = HUGE_VAL};
    Operand empty = reals(DT_FLOAT, 0, NULL), one = reals(DT_FLOAT, 1, &value);
    Comparison result;
    compare_arrays(empty, empty, &tolerance, &result);
    ck_assert_int_eq(result.result, COMPARE_EQUAL);
    ck_assert_int_eq(result.count, 0);
    compare_arrays(empty, one, &tolerance, &result);
    ck_assert_int_eq(result.result, COMPARE_SHAPE);
    int64_t dims[] = {0, 3};
    Operand other = {array_new(arena, DT_FLOAT, 2, dims, PRECISION_F64),
                     PRECISION_F64};
    compare_arrays(empty, other, &tolerance, &result);
    ck_assert_int_eq(result.result, COMPARE_SHAPE);
}
END_TEST

START_TEST(nothing_is_not_equal_to_nothing)
{
    Tolerance tolerance = {.atol = HUGE_VAL};
    Operand none = {NULL, PRECISION_F64};
    Comparison result;
    compare_arrays(none, none, &tolerance, &result);
    ck_assert_int_eq(result.result, COMPARE_ABSENT);
    ck_assert_str_eq(compare_text(arena, &result, none, none),
                     "there is nothing to compare");
}
END_TEST

START_TEST(precisions_may_differ)
{
    int64_t dim = 1;
    Array *single = array_new(arena, DT_FLOAT, 1, &dim, PRECISION_F32);
    *(float *)single->data = 0.1f;
    double value = 0.1;
    Tolerance tolerance = {0};
    Comparison result;
    compare_arrays((Operand){single, PRECISION_F32}, reals(DT_FLOAT, 1, &value),
                   &tolerance, &result);
    ck_assert_double_eq(result.max_abs, fabs((double)0.1f - 0.1));
    ck_assert_double_le(result.max_ulp, 0.5);
}
END_TEST

START_TEST(text_names_both_places)
{
    double a[] = {0, 1.5, 5, 2}, b[] = {0, 1, 2, 2};
    Tolerance tolerance = {0};
    Comparison result;
    Operand left = reals(DT_DOUBLE, 4, a), right = reals(DT_DOUBLE, 4, b);
    compare_arrays(left, right, &tolerance, &result);
    const char *text = compare_text(arena, &result, left, right);
    ck_assert_ptr_nonnull(strstr(text, "2 of 4 elements differ"));
    ck_assert_ptr_nonnull(strstr(text, "first at [1], worst at [1]: 1.5"));
    tolerance.atol = 1;
    compare_arrays(left, right, &tolerance, &result);
    text = compare_text(arena, &result, left, right);
    ck_assert_ptr_nonnull(strstr(text, "worst at [2]: 5 where 2 is expected"));
    tolerance.atol = 3;
    compare_arrays(left, right, &tolerance, &result);
    ck_assert_str_eq(compare_text(arena, &result, left, right), "equal");
}
END_TEST

Suite *suite_compare(void)
{
    Suite *suite = suite_create("compare");
    TCase *tc = tcase_create("compare");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, tolerance_is_atol_plus_rtol_times_expected);
    tcase_add_test(tc, nan_equals_only_nan);
    tcase_add_test(tc, infinity_equals_only_itself);
    tcase_add_test(tc, tolerance_that_is_no_number_allows_nothing);
    tcase_add_test(tc, bounds_count_per_element);
    tcase_add_test(tc, first_and_worst_are_told_apart);
    tcase_add_test(tc, long_arrays_are_compared_to_the_end);
    tcase_add_test(tc, ulp_is_of_the_type);
    tcase_add_test(tc, ulp_near_zero_is_the_smallest_subnormal);
    tcase_add_test(tc, integers_are_equal_or_not);
    tcase_add_test(tc, type_and_shape_must_agree);
    tcase_add_test(tc, empty_is_equal_only_where_both_shapes_say_so);
    tcase_add_test(tc, nothing_is_not_equal_to_nothing);
    tcase_add_test(tc, precisions_may_differ);
    tcase_add_test(tc, text_names_both_places);
    suite_add_tcase(suite, tc);
    return suite;
}
