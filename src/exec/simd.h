/*
 * How the compiler is asked for wide loops.  SIMD compiles a function once
 * for each instruction set and picks at load time; no set changes a result,
 * since contraction is off and no sum is reordered.  LOOP says that a loop's
 * iterations do not depend on each other although its pointers may be equal.
 *
 * Products of matrices, convolutions and the error function choose by level
 * instead: those above SIMD_PLAIN fuse a multiplication and an addition into
 * one rounding, so that results may differ between them in the last places.
 * Within a level they are the same on every machine.
 */
#ifndef REPFOLD_EXEC_SIMD_H
#define REPFOLD_EXEC_SIMD_H

#include <stdint.h> /* which says whether this is glibc */

/* Sanitizers are not yet set up when the choice is made. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define REPFOLD_PLAIN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define REPFOLD_PLAIN
#endif
#endif

#if defined(__x86_64__) && defined(__GLIBC__) && !defined(REPFOLD_PLAIN)
#define SIMD __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define SIMD
#endif

/* A compiler would load a vector again for each of its uses; this keeps it. */
#if defined(__x86_64__)
#define KEEP(vector) __asm__("" : "+v"(vector))
#elif defined(__aarch64__)
#define KEEP(vector) __asm__("" : "+w"(vector))
#else
#define KEEP(vector) ((void)0)
#endif

/* A compiler that sees where a pointer goes may run two rounds of the loop
 * around a wide one at once, and then widen neither. */
#define HIDE(pointer) __asm__ volatile("" : "+r"(pointer))

typedef enum SimdLevel {
    SIMD_BEST, /* as a wish: whatever the machine has */
    SIMD_PLAIN,
    SIMD_NEON,
    SIMD_AVX2,
    SIMD_AVX512
} SimdLevel;

/* The level to work with: the wanted one, or the best below that the machine
 * has. */
SimdLevel simd_level(SimdLevel wanted);

#ifdef __clang__
/* A loop that calls libm stays as it is, which is not worth a warning. */
#pragma clang diagnostic ignored "-Wpass-failed"
#define LOOP _Pragma("clang loop vectorize(assume_safety)")
#define UNROLL _Pragma("unroll")
#else
#define LOOP _Pragma("GCC ivdep")
#define UNROLL                                                                 \
    _Pragma("GCC unroll 64") /* wholly, so that arrays may vanish              \
                              */
#endif

#endif
