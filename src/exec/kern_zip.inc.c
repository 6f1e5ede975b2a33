/* The element functions of kern_zip.c for one real type. */

static inline REAL R(floored_real)(REAL a, REAL b)
{
    REAL rest = M(fmod)(a, b);
    if (rest == 0)
        return M(copysign)(0, b);
    return (rest < 0) != (b < 0) ? rest + b : rest;
}

#define ZIP(name, expression)                                                  \
    SIMD static void R(name)(const void *left, int64_t left_step,              \
                             const void *right, int64_t right_step, void *out, \
                             int64_t count)                                    \
    {                                                                          \
        ZIP_LOOPS(REAL, REAL, expression)                                      \
    }

#define COMPARE(name, expression)                                              \
    SIMD static void R(name)(const void *left, int64_t left_step,              \
                             const void *right, int64_t right_step, void *out, \
                             int64_t count)                                    \
    {                                                                          \
        ZIP_LOOPS(REAL, int64_t, expression)                                   \
    }

ZIP(add, a + b)
ZIP(subtract, a - b)
ZIP(multiply, a * b)
ZIP(divide, a / b)
/* NaN wins, as in numpy's maximum. */
ZIP(maximum, a > b || a != a ? a : b)
ZIP(minimum, a < b || a != a ? a : b)
ZIP(power, M(pow)(a, b))
ZIP(prelu, a < 0 ? a * b : a)
/* Mod with fmod=1: C's, the sign of the dividend. */
ZIP(remainder_of, M(fmod)(a, b))
/* With fmod=0: the sign of the divisor, as numpy's. */
ZIP(floored, R(floored_real)(a, b))

COMPARE(equal, a == b)
COMPARE(less, a < b)
COMPARE(less_or_equal, a <= b)
COMPARE(greater, a > b)
COMPARE(greater_or_equal, a >= b)

#undef ZIP
#undef COMPARE
