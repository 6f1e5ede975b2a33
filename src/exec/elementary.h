/*
 * exp, expm1, log, log1p, tanh, erf, sin, cos and the logistic function as
 * straight lines of arithmetic, which a compiler can do for many elements at
 * once.
 *
 * Errors stay below, in units of the last place: exp 1, expm1 2.5, log 1,
 * log1p 2, tanh 2.5, erf 2.5, sin and cos 1, logistic 2.5;
 * tests/test_elementary.c measures them.
 *
 * Polynomials interpolate at Chebyshev nodes, computed with 50 digits.
 */
#ifndef REPFOLD_EXEC_ELEMENTARY_H
#define REPFOLD_EXEC_ELEMENTARY_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* A polynomial, its coefficients from the lowest: by Horner's rule, without a
 * loop, since loops inside a loop are not widened. */
#define P1(x, a) (a)
#define P2(x, a, ...) MULTIPLY_ADD(x, P1(x, __VA_ARGS__), a)
#define P3(x, a, ...) MULTIPLY_ADD(x, P2(x, __VA_ARGS__), a)
#define P4(x, a, ...) MULTIPLY_ADD(x, P3(x, __VA_ARGS__), a)
#define P5(x, a, ...) MULTIPLY_ADD(x, P4(x, __VA_ARGS__), a)
#define P6(x, a, ...) MULTIPLY_ADD(x, P5(x, __VA_ARGS__), a)
#define P7(x, a, ...) MULTIPLY_ADD(x, P6(x, __VA_ARGS__), a)
#define P8(x, a, ...) MULTIPLY_ADD(x, P7(x, __VA_ARGS__), a)
#define P9(x, a, ...) MULTIPLY_ADD(x, P8(x, __VA_ARGS__), a)
#define P10(x, a, ...) MULTIPLY_ADD(x, P9(x, __VA_ARGS__), a)
#define P11(x, a, ...) MULTIPLY_ADD(x, P10(x, __VA_ARGS__), a)
#define P12(x, a, ...) MULTIPLY_ADD(x, P11(x, __VA_ARGS__), a)
#define P13(x, a, ...) MULTIPLY_ADD(x, P12(x, __VA_ARGS__), a)
#define P14(x, a, ...) MULTIPLY_ADD(x, P13(x, __VA_ARGS__), a)
#define P15(x, a, ...) MULTIPLY_ADD(x, P14(x, __VA_ARGS__), a)
#define P16(x, a, ...) MULTIPLY_ADD(x, P15(x, __VA_ARGS__), a)
#define P17(x, a, ...) MULTIPLY_ADD(x, P16(x, __VA_ARGS__), a)
#define P18(x, a, ...) MULTIPLY_ADD(x, P17(x, __VA_ARGS__), a)

/* (e^r - 1 - r) / r^2 for |r| <= log(2) / 2 */
#define EXP_TAIL_f32(x)                                                        \
    P6(x, 0x1p-1f, 0x1.555556p-3f, 0x1.5554eap-5f, 0x1.1110ep-7f,              \
       0x1.6d4324p-10f, 0x1.a124f2p-13f)
#define EXP_TAIL_f64(x)                                                        \
    P10(x, 0x1.0000000000001p-1, 0x1.5555555555556p-3, 0x1.5555555553d63p-5,   \
        0x1.11111111109b3p-7, 0x1.6c16c1788bd90p-10, 0x1.a01a01a7c41d5p-13,    \
        0x1.a019b90d2ae7ap-16, 0x1.71de0dae63bb3p-19, 0x1.289185613a3d6p-22,   \
        0x1.af38a9b0ec855p-26)

/* (log((1 + s) / (1 - s)) - 2 s) / s^3 in s^2, for |s| <= (sqrt(2) - 1)^2 */
#define LOG_TAIL_f32(x) P3(x, 0x1.55555cp-1f, 0x1.997c08p-2f, 0x1.2eeb7p-2f)
#define LOG_TAIL_f64(x)                                                        \
    P7(x, 0x1.5555555555558p-1, 0x1.9999999995239p-2, 0x1.2492492e019e7p-2,    \
       0x1.c71c62d303d93p-3, 0x1.7462b965a5265p-3, 0x1.39fdd1ac407aap-3,       \
       0x1.2b5e9a4a9eaa5p-3)
/* sqrt(1/2), from where on twice as much are the numbers whose log is taken;
 * the least normal number, the largest one, and what makes every smaller one
 * normal */
#define ROOT_HALF_f32 0x1.6a09e6p-1f
#define ROOT_HALF_f64 0x1.6a09e667f3bcdp-1
#define LEAST_f32 0x1p-126f
#define LEAST_f64 0x1p-1022
#define MOST_f32 0x1.fffffep+127f
#define MOST_f64 0x1.fffffffffffffp+1023
#define RAISE_f32 32
#define RAISE_f64 64
#define RAISED_f32 0x1p+32f
#define RAISED_f64 0x1p+64

/* erf(x) / x in x^2, for |x| <= 0.75 */
#define ERF_NEAR_f32(x)                                                        \
    P6(x, 0x1.20dd74p+0f, -0x1.81273ap-2f, 0x1.ce2ae2p-4f, -0x1.b7aaap-6f,     \
       0x1.4f3d08p-8f, -0x1.623bfp-11f)
#define ERF_NEAR_f64(x)                                                        \
    P11(x, 0x1.20dd750429b6dp+0, -0x1.812746b0379e0p-2, 0x1.ce2f21a0424c3p-4,  \
        -0x1.b82ce31257412p-6, 0x1.565bcd03657c0p-8, -0x1.c02db1220cfe6p-11,   \
        0x1.f9a2afa3a8f86p-14, -0x1.f4c5debf1228ap-17, 0x1.b90ecd4aeec12p-20,  \
        -0x1.564f71bbc0d35p-23, 0x1.8a312cb07e6ccp-27)

/* exp(x^2) erfc(x) in (x - k) / (x + k), for x from 0.75 to where erfc is less
 * than half a unit of 1: 4 with k = 2, and 6 with k = 3 */
#define ERF_FAR_f32(x)                                                         \
    P8(x, 0x1.058672p-2f, -0x1.b57036p-2f, 0x1.eeea7ep-3f, -0x1.437ed6p-4f,    \
       0x1.e9349ep-9f, 0x1.ca4526p-8f, -0x1.b709d4p-11f, -0x1.ea02d2p-11f)
#define ERF_FAR_f64(x)                                                         \
    P18(x, 0x1.6e9827d229d2dp-3, -0x1.4e102b9cf8513p-2, 0x1.f6ff204105972p-3,  \
        -0x1.336ffbef08b8cp-3, 0x1.258b13b017c93p-4, -0x1.8fa58eb5cebddp-6,    \
        0x1.17c838ee4fea9p-8, 0x1.73101e4703467p-11, -0x1.39084c6a377efp-11,   \
        0x1.7ba13e07b1628p-15, 0x1.0cac61b5d143bp-14, -0x1.af8f48e847414p-17,  \
        -0x1.0bcb0cfaf08d0p-17, 0x1.1cf4b94a124f9p-19, 0x1.5519aa1685874p-20,  \
        -0x1.2edcb2a823b3dp-22, -0x1.2475f729355c3p-22,                        \
        -0x1.9100681673dc7p-25)
#define ERF_CENTER_f32 2
#define ERF_CENTER_f64 3
#define ERF_END_f32 4
#define ERF_END_f64 6

/* (sin(x) / x - 1) / x^2 and (cos(x) - 1 + x^2 / 2) / x^4 in x^2, for |x| <=
 * pi / 4 */
#define SIN_TAIL(x)                                                            \
    P6(x, -0x1.5555555555555p-3, 0x1.1111111110bb1p-7, -0x1.a01a019e8357dp-13, \
       0x1.71de37961e4c6p-19, -0x1.ae600a926c89ap-26, 0x1.5e0af186af739p-33)
#define COS_TAIL(x)                                                            \
    P6(x, 0x1.5555555555555p-5, -0x1.6c16c16c16966p-10, 0x1.a01a019f4e867p-16, \
       -0x1.27e4fa17a41b4p-22, 0x1.1eeb68b109173p-29, -0x1.907d7aebd5e3dp-37)
#define TWO_OVER_PI 0x1.45f306dc9c883p-1
/* pi / 2 in three parts; a multiple below 2^20 of the first two is exact. */
#define HALF_PI_HIGH 0x1.921fb544p+0
#define HALF_PI_MIDDLE 0x1.0b4611a6p-34
#define HALF_PI_LOW 0x1.3198a2e037073p-69
/* Beyond it there are more multiples. */
#define CIRCULAR_MOST 0x1p20

#define LOG2_E_f32 0x1.715476p+0f
#define LOG2_E_f64 0x1.71547652b82fep+0
/* log(2) in two parts; a multiple of the first is exact. */
#define LN2_HIGH_f32 0x1.62e4p-1f
#define LN2_HIGH_f64 0x1.62e42feep-1
#define LN2_LOW_f32 0x1.7f7d1cp-20f
#define LN2_LOW_f64 0x1.a39ef35793c76p-33
/* Added to a number it leaves no room for a fraction: the last bits are the
 * nearest integer. */
#define ROUNDER_f32 0x1.8p23f
#define ROUNDER_f64 0x1.8p52
/* Below the first e^x is 0, above the second it is infinite. */
#define EXP_LOW_f32 -104
#define EXP_HIGH_f32 89
#define EXP_LOW_f64 -746
#define EXP_HIGH_f64 710
/* Beyond it e^-x is nothing beside 1. */
#define FADED_f32 18
#define FADED_f64 40

typedef uint32_t Bits_f32;
typedef uint64_t Bits_f64;
#define FRACTION_f32 23
#define FRACTION_f64 52
#define BIAS_f32 127
#define BIAS_f64 1023

/* Each function rounds every operation; `fast_erf_fused` and its like round a
 * product and a sum once, for machines that can. F names a function of the
 * copy. */
#define MULTIPLY_ADD(x, b, a) ((a) + (x) * (b))
#define F(name) R(name)
#define INLINE static inline
#include "exec/real_f32.h"

#include "exec/elementary.inc.c"

#include "exec/real_f64.h"

#include "exec/elementary.inc.c"

/* sin(x + turns * pi / 2) for |x| of at most CIRCULAR_MOST: x = n pi / 2 + r,
 * as fdlibm's, and what r lost. float32 is computed in double too. */
static inline double circular(double x, uint64_t turns)
{
    const double rounder = ROUNDER_f64;
    double rounded = rounder + x * TWO_OVER_PI, n = rounded - rounder;
    uint64_t bits, origin;
    memcpy(&bits, &rounded, sizeof bits);
    memcpy(&origin, &rounder, sizeof origin);
    turns += bits - origin;
    double high = x - n * HALF_PI_HIGH, middle = n * HALF_PI_MIDDLE;
    double most = high - middle, back = most - high;
    double rest = high - (most - back) - (middle + back) - n * HALF_PI_LOW;
    double r = most + rest, lost = rest - (r - most);
    double square = r * r, half = 0.5 * square, near = 1 - half;
    double sine = r + (r * (square * SIN_TAIL(square)) + lost * near);
    double tail = square * square * COS_TAIL(square) - r * lost;
    double cosine = near + (1 - near - half + tail);
    double result = turns & 1 ? cosine : sine;
    return turns & 2 ? -result : result;
}

#undef MULTIPLY_ADD
#undef F
#undef INLINE
#define MULTIPLY_ADD(x, b, a) M(__builtin_fma)(x, b, a)
#define F(name) R(name##_fused)
/* By itself, not known to be for such a machine, it would call libm. */
#define INLINE static inline __attribute__((always_inline))
#include "exec/real_f32.h"

#include "exec/elementary.inc.c"

#include "exec/real_f64.h"

#include "exec/elementary.inc.c"

#endif
