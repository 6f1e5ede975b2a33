/*
 * The inner loops of each level (see simd.h), and how a file makes one: it
 * defines LEVEL, TARGET, VECTOR_BYTES and PANEL_ROWS, the rows of c, of a strip
 * or the positions that fit into registers, and includes level.inc.c.
 */
#ifndef REPFOLD_EXEC_LEVEL_H
#define REPFOLD_EXEC_LEVEL_H

#include "exec/depthwise.h"
#include "exec/direct.h"
#include "exec/gemm.h"

#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
/* A name of one level and real type: product_f32_avx2. */
#define L(name) JOIN(R(name), LEVEL)

/* Numbers of a are fetched so many steps before they are needed: a panel that
 * comes from memory would be waited for at each page. */
enum { AHEAD = 64 };

#define DECLARE_LEVEL(level)                                                   \
    extern const GemmSet gemm_f32_##level, gemm_f64_##level;                   \
    extern const DepthwiseSet depthwise_f32_##level, depthwise_f64_##level;    \
    extern const DirectSet direct_f32_##level, direct_f64_##level;

DECLARE_LEVEL(plain)
#if defined(__x86_64__)
DECLARE_LEVEL(avx2)
DECLARE_LEVEL(avx512)
#elif defined(__aarch64__)
DECLARE_LEVEL(neon)
#endif

#endif
