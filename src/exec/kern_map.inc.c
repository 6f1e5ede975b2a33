/*
 * The element functions of kern_map.c for one real type.
 *
 * Errors stay below, in units of the last place: sigmoid, tanh, softplus and
 * swish 2.5, elu with its alpha of 1 2, mish 4.5; and in units of the last
 * place of x, since their results vanish beside it: gelu 2 in both forms,
 * hard_swish 1.5; tests/test_kern_map.c measures them.
 */

#define MAP(name, expression) MAP_TO(REAL, name, expression)
#define MAP_TO(out_type, name, expression)                                     \
    SIMD static void R(name)(const void *in, void *out, int64_t count,         \
                             const MapNumbers *numbers)                        \
    {                                                                          \
        const REAL *from = in;                                                 \
        out_type *to = out;                                                    \
        const REAL alpha = (REAL)numbers->alpha, beta = (REAL)numbers->beta;   \
        (void)alpha, (void)beta;                                               \
        LOOP for (int64_t i = 0; i < count; i++)                               \
        {                                                                      \
            REAL x = from[i];                                                  \
            to[i] = expression;                                                \
        }                                                                      \
    }

/* log(1 + exp(x)) without overflow */
static inline REAL R(log_one_plus_exp)(REAL x)
{
    return (x > 0 ? x : 0) + R(fast_log1p)(R(fast_exp)(-M(fabs)(x)));
}

/* Where the bounds cross, the upper one wins. */
static inline REAL R(clamp)(REAL x, REAL low, REAL high)
{
    REAL raised = x < low ? low : x;
    return raised > high ? high : raised;
}

MAP(absolute, M(fabs)(x))
MAP(negate, -x)
MAP(sign, x != x ? x : (REAL)((x > 0) - (x < 0)))
MAP(reciprocal, 1 / x)
MAP(square_root, M(sqrt)(x))
MAP(exponential, R(fast_exp)(x))
MAP(logarithm, R(fast_log)(x))

/* Many at once, then those by themselves that are too large for that, which
 * are read before they may be overwritten. */
#define CIRCULAR(name, function, turns)                                        \
    SIMD static void R(name)(const void *in, void *out, int64_t count,         \
                             const MapNumbers *numbers)                        \
    {                                                                          \
        enum { PART = 64 };                                                    \
        REAL x[PART];                                                          \
        (void)numbers;                                                         \
        for (int64_t at = 0, now; at < count; at += now) {                     \
            REAL *y = (REAL *)out + at;                                        \
            now = count - at < PART ? count - at : PART;                       \
            memcpy(x, (const REAL *)in + at, (size_t)now * sizeof *x);         \
            LOOP for (int64_t i = 0; i < now; i++)                             \
            {                                                                  \
                y[i] = (REAL)circular((double)x[i], turns);                    \
            }                                                                  \
            for (int64_t i = 0; i < now; i++)                                  \
                if (!(M(fabs)(x[i]) <= (REAL)CIRCULAR_MOST))                   \
                    y[i] = M(function)(x[i]);                                  \
        }                                                                      \
    }
CIRCULAR(sine, sin, 0)
CIRCULAR(cosine, cos, 1)
#undef CIRCULAR

MAP(tangent, M(tan)(x))
MAP(arc_sine, M(asin)(x))
MAP(arc_cosine, M(acos)(x))
MAP(arc_tangent, M(atan)(x))
MAP(hyperbolic_sine, M(sinh)(x))
MAP(hyperbolic_cosine, M(cosh)(x))
MAP(inverse_hyperbolic_sine, M(asinh)(x))
MAP(inverse_hyperbolic_cosine, M(acosh)(x))
MAP(inverse_hyperbolic_tangent, M(atanh)(x))
MAP(hyperbolic_tangent, R(fast_tanh)(x))
MAP(error_function, R(fast_erf)(x))
MAP(ceiling, M(ceil)(x))
MAP(floor_of, M(floor)(x))
MAP(round_to_even, M(rint)(x))
MAP(relu, x < 0 ? 0 : x)
MAP(leaky_relu, x < 0 ? alpha * x : x)
MAP(thresholded_relu, x > alpha ? x : 0)
MAP(shrink, x < -alpha ? x + beta : x > alpha ? x - beta : 0)
MAP(elu, x < 0 ? alpha * R(fast_expm1)(x) : x)
MAP(celu, x < 0 ? alpha * R(fast_expm1)(x / alpha) : x)
MAP(selu, beta * (x < 0 ? alpha * R(fast_expm1)(x) : x))
MAP(sigmoid, R(fast_logistic)(x))
MAP(hard_sigmoid, R(clamp)(alpha * x + beta, 0, 1))
MAP(hard_swish, x * R(clamp)(x / 6 + (REAL)0.5, 0, 1))
MAP(swish, x * R(fast_logistic)(alpha * x))
MAP(softplus, R(log_one_plus_exp)(x))
MAP(softsign, x / (1 + M(fabs)(x)))
MAP(mish, x * R(fast_tanh)(R(log_one_plus_exp)(x)))
/* alpha is sqrt(1/2), or with approximate="tanh" sqrt(2/pi) */
MAP(gelu, x * (REAL)0.5 * (1 + R(fast_erf)(x * alpha)))
MAP(gelu_tanh, x * (REAL)0.5 *
                   (1 + R(fast_tanh)(alpha *
                                     (x + (REAL)0.044715 * x * x * x))))
MAP(clip, R(clamp)(x, alpha, beta))
MAP_TO(int64_t, is_nan, x != x)
/* alpha and beta say whether the negative and the positive one count. */
MAP_TO(int64_t, is_inf,
       (x > 0 ? beta : alpha) != 0 && x - x != 0 && x == x)

/* The error function is most of what a GELU costs. */
#if defined(__x86_64__)
#define ERF_FUSED(level, isa)                                                  \
    __attribute__((target(isa))) static void R(error_function_##level)(        \
        const void *in, void *out, int64_t count, const MapNumbers *numbers)   \
    {                                                                          \
        const REAL *from = in;                                                 \
        REAL *to = out;                                                        \
        (void)numbers;                                                         \
        LOOP for (int64_t i = 0; i < count; i++)                               \
        {                                                                      \
            to[i] = R(fast_erf_fused)(from[i]);                                \
        }                                                                      \
    }
ERF_FUSED(avx2, "avx2,fma")
ERF_FUSED(avx512, "avx512f,fma")
#undef ERF_FUSED
#endif

#undef MAP
#undef MAP_TO
