/* float16 and bfloat16: every bit pattern, and rounding once. */
#include <math.h>
#include <string.h>

#include "base/half.h"
#include "suites.h"

START_TEST(known_float16_values)
{
    ck_assert_double_eq(half_to_double(0x3c00), 1);
    ck_assert_double_eq(half_to_double(0xc000), -2);
    ck_assert_double_eq(half_to_double(0x7bff), 65504);
    ck_assert_double_eq(half_to_double(0x0001), 0x1p-24);
    ck_assert_double_eq(half_to_double(0x0400), 0x1p-14);
    ck_assert(isinf(half_to_double(0x7c00)));
    ck_assert(isnan(half_to_double(0x7e00)));
}
END_TEST

START_TEST(known_bfloat16_values)
{
    ck_assert_double_eq(bfloat_to_double(0x3f80), 1);
    ck_assert_double_eq(bfloat_to_double(0xc000), -2);
    ck_assert_double_eq(bfloat_to_double(0x0001), 0x1p-133);
    ck_assert(isinf(bfloat_to_double(0xff80)));
}
END_TEST

/* A NaN comes back quiet, everything else bit for bit. */
static uint16_t quiet(uint16_t bits, uint16_t infinity, uint16_t bit)
{
    return (bits & 0x7fff) > infinity ? (uint16_t)(bits | bit) : bits;
}

START_TEST(every_pattern_comes_back)
{
    for (unsigned i = 0; i <= UINT16_MAX; i++) {
        uint16_t bits = (uint16_t)i;
        ck_assert_uint_eq(half_from_double(half_to_double(bits)),
                          quiet(bits, 0x7c00, 0x200));
        ck_assert_uint_eq(bfloat_from_double(bfloat_to_double(bits)),
                          quiet(bits, 0x7f80, 0x40));
    }
}
END_TEST

/* Between neighbours: below the middle down, above it up, ties to even. */
START_TEST(rounding_is_to_nearest_even)
{
    for (uint16_t bits = 0; bits < 0x7bff; bits++) {
        double low = half_to_double(bits);
        double high = half_to_double((uint16_t)(bits + 1));
        double middle = (low + high) / 2;
        uint16_t even = (uint16_t)(bits + (bits & 1));
        ck_assert_uint_eq(half_from_double(middle), even);
        ck_assert_uint_eq(half_from_double(nextafter(middle, 0)), bits);
        ck_assert_uint_eq(half_from_double(nextafter(middle, HUGE_VAL)),
                          bits + 1);
        ck_assert_uint_eq(half_from_double(-middle), even | 0x8000);
    }
}
END_TEST

/* Through float 1 + 2^-11 + 2^-30 would first fall onto the tie. */
START_TEST(rounding_happens_once)
{
    ck_assert_uint_eq(half_from_double(1 + 0x1p-11 + 0x1p-30), 0x3c01);
    ck_assert_uint_eq(half_from_double(1 + 0x1p-11), 0x3c00);
    ck_assert_uint_eq(bfloat_from_double(1 + 0x1p-8 + 0x1p-40), 0x3f81);
}
END_TEST

START_TEST(overflow_is_infinity_and_underflow_zero)
{
    ck_assert_uint_eq(half_from_double(65519.99), 0x7bff);
    ck_assert_uint_eq(half_from_double(65520), 0x7c00);
    ck_assert_uint_eq(half_from_double(-1e300), 0xfc00);
    ck_assert_uint_eq(half_from_double(0x1p-25), 0);
    ck_assert_uint_eq(half_from_double(nextafter(0x1p-25, 1)), 1);
    ck_assert_uint_eq(half_from_double(-0.0), 0x8000);
    ck_assert_uint_eq(half_from_double(5e-324), 0);
    ck_assert_uint_eq(bfloat_from_double(1e39), 0x7f80);
}
END_TEST

START_TEST(nan_stays_nan_with_its_top_payload)
{
    uint64_t wide = 0x7ff4800000000000; /* signalling */
    double nan;
    memcpy(&nan, &wide, sizeof nan);
    ck_assert_uint_eq(half_from_double(nan), 0x7f20);
    ck_assert_uint_eq(bfloat_from_double((double)NAN) & 0x7fc0, 0x7fc0);
}
END_TEST

Suite *suite_half(void)
{
    Suite *suite = suite_create("half");
    TCase *tcase = tcase_create("half");
    tcase_add_test(tcase, known_float16_values);
    tcase_add_test(tcase, known_bfloat16_values);
    tcase_add_test(tcase, every_pattern_comes_back);
    tcase_add_test(tcase, rounding_is_to_nearest_even);
    tcase_add_test(tcase, rounding_happens_once);
    tcase_add_test(tcase, overflow_is_infinity_and_underflow_zero);
    tcase_add_test(tcase, nan_stays_nan_with_its_top_payload);
    suite_add_tcase(suite, tcase);
    return suite;
}
