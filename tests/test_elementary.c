/* The elementary functions against the C library's in long double, in units of
 * the last place. */
#include <float.h>
#include <math.h>

#include "base/random.h"
#include "exec/elementary.h"
#include "suites.h"

static long double logistic(long double x)
{
    return 1 / (1 + expl(-x));
}

static float sin_f32(float x)
{
    return (float)circular((double)x, 0);
}

static double sin_f64(double x)
{
    return circular(x, 0);
}

static float cos_f32(float x)
{
    return (float)circular((double)x, 1);
}

static double cos_f64(double x)
{
    return circular(x, 1);
}

static const struct {
    const char *name;
    float (*f32)(float);
    double (*f64)(double);
    long double (*exact)(long double);
    double low[2], high[2]; /* of float32 and float64 */
    double most;            /* units of the last place */
} functions[] = {
    {"exp", fast_exp_f32, fast_exp_f64, expl, {-104, -746}, {89, 710}, 1},
    {"expm1",
     fast_expm1_f32,
     fast_expm1_f64,
     expm1l,
     {-40, -60},
     {40, 300},
     2.5},
    {"log", fast_log_f32, fast_log_f64, logl, {0, 0}, {3e38, 1e308}, 1},
    {"log near 1", fast_log_f32, fast_log_f64, logl, {0.5, 0.5}, {2, 2}, 1},
    {"log1p", fast_log1p_f32, fast_log1p_f64, log1pl, {0, 0}, {1, 1}, 2},
    {"tanh", fast_tanh_f32, fast_tanh_f64, tanhl, {-15, -30}, {15, 30}, 2.5},
    {"erf", fast_erf_f32, fast_erf_f64, erfl, {-6, -8}, {6, 8}, 2.5},
    {"erf, fused",
     fast_erf_fused_f32,
     fast_erf_fused_f64,
     erfl,
     {-6, -8},
     {6, 8},
     2.5},
    {"sin", sin_f32, sin_f64, sinl, {-4, -4}, {4, 4}, 1},
    {"sin of much", sin_f32, sin_f64, sinl, {-1e6, -1e6}, {1e6, 1e6}, 1},
    {"cos", cos_f32, cos_f64, cosl, {-4, -4}, {4, 4}, 1},
    {"cos of much", cos_f32, cos_f64, cosl, {-1e6, -1e6}, {1e6, 1e6}, 1},
    {"logistic",
     fast_logistic_f32,
     fast_logistic_f64,
     logistic,
     {-80, -700},
     {80, 700},
     2.5},
};

/* All over the range, and near 0 in all sizes. */
static double sample(int function, int precision, uint64_t i)
{
    double low = functions[function].low[precision];
    double high = functions[function].high[precision];
    double unit = random_unit(5, i);
    if (i % 3)
        return low + (high - low) * unit;
    double sign = i % 2 && low < 0 ? -1 : 1;
    return sign * high * exp2(-60 * unit);
}

/* The distance in units of the last place of the exact result. */
static double distance(long double found, long double exact, int digits,
                       int least)
{
    int exponent;
    frexpl(exact, &exponent);
    exponent -= digits;
    return (double)(fabsl(found - exact) /
                    ldexpl(1, exponent < least ? least : exponent));
}

START_TEST(errors_stay_within_the_stated_bound)
{
    enum { SAMPLES = 200000 };
    double worst[2] = {0, 0};
    for (uint64_t i = 0; i < SAMPLES; i++) {
        float x32 = (float)sample(_i, 0, i);
        long double exact = functions[_i].exact((long double)x32);
        if (exact < (long double)FLT_MAX)
            worst[0] =
                fmax(worst[0], distance((long double)functions[_i].f32(x32),
                                        exact, FLT_MANT_DIG, -149));
        double x64 = sample(_i, 1, i);
        exact = functions[_i].exact((long double)x64);
        if (exact < (long double)DBL_MAX)
            worst[1] =
                fmax(worst[1], distance((long double)functions[_i].f64(x64),
                                        exact, DBL_MANT_DIG, -1074));
    }
    ck_assert_msg(worst[0] <= functions[_i].most, "%s in float32: %g ulp",
                  functions[_i].name, worst[0]);
    ck_assert_msg(worst[1] <= functions[_i].most, "%s in float64: %g ulp",
                  functions[_i].name, worst[1]);
}
END_TEST

static const struct {
    double x, exp, tanh, erf, logistic;
} limits[] = {{HUGE_VAL, HUGE_VAL, 1, 1, 1},
              {-HUGE_VAL, 0, -1, -1, 0},
              {1e30, HUGE_VAL, 1, 1, 1},
              {-1e30, 0, -1, -1, 0},
              {0, 1, 0, 0, 0.5}};

START_TEST(log_at_its_limits)
{
    ck_assert_double_eq(fast_log_f64(HUGE_VAL), HUGE_VAL);
    ck_assert_double_eq(fast_log_f64(0), -HUGE_VAL);
    ck_assert_double_eq(fast_log_f64(-0.0), -HUGE_VAL);
    ck_assert_double_eq(fast_log_f64(1), 0);
    ck_assert(isnan(fast_log_f64(-1)));
    ck_assert(isnan(fast_log_f64(-HUGE_VAL)));
    ck_assert_double_eq_tol(fast_log_f64(0x1p-1074), -1074 * log(2), 1e-12);
    ck_assert_double_eq((double)fast_log_f32((float)HUGE_VAL), HUGE_VAL);
    ck_assert_double_eq((double)fast_log_f32(0), -HUGE_VAL);
    ck_assert_double_eq((double)fast_log_f32(1), 0);
    ck_assert(isnan(fast_log_f32(-1)));
    ck_assert_double_eq_tol((double)fast_log_f32(0x1p-149f), -149 * log(2),
                            1e-5);
}
END_TEST

START_TEST(limits_are_exact)
{
    double x = limits[_i].x;
    ck_assert_double_eq(fast_exp_f64(x), limits[_i].exp);
    ck_assert_double_eq(fast_tanh_f64(x), limits[_i].tanh);
    ck_assert_double_eq(fast_erf_f64(x), limits[_i].erf);
    ck_assert_double_eq(fast_logistic_f64(x), limits[_i].logistic);
    ck_assert_double_eq((double)fast_exp_f32((float)x), limits[_i].exp);
    ck_assert_double_eq((double)fast_tanh_f32((float)x), limits[_i].tanh);
    ck_assert_double_eq((double)fast_erf_f32((float)x), limits[_i].erf);
    ck_assert_double_eq((double)fast_logistic_f32((float)x),
                        limits[_i].logistic);
}
END_TEST

START_TEST(zero_keeps_its_sign)
{
    ck_assert(signbit(fast_tanh_f32(-0.0f)) && signbit(fast_tanh_f64(-0.0)));
    ck_assert(!signbit(fast_tanh_f32(0)) && !signbit(fast_tanh_f64(0)));
    ck_assert(signbit(fast_erf_f32(-0.0f)) && signbit(fast_erf_f64(-0.0)));
}
END_TEST

START_TEST(nan_stays_nan)
{
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        ck_assert(isnan(functions[i].f32(NAN)));
        ck_assert(isnan(functions[i].f64((double)NAN)));
    }
}
END_TEST

Suite *suite_elementary(void)
{
    Suite *suite = suite_create("elementary");
    TCase *tcase = tcase_create("elementary");
    tcase_add_loop_test(tcase, errors_stay_within_the_stated_bound, 0,
                        sizeof functions / sizeof *functions);
    tcase_add_loop_test(tcase, limits_are_exact, 0,
                        sizeof limits / sizeof *limits);
    tcase_add_test(tcase, log_at_its_limits);
    tcase_add_test(tcase, zero_keeps_its_sign);
    tcase_add_test(tcase, nan_stays_nan);
    suite_add_tcase(suite, tcase);
    return suite;
}
