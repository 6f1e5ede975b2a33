/* The micro-kernels of each level, and how a file makes one: it defines LEVEL,
 * TARGET, VECTOR_BYTES and PANEL_ROWS and includes gemm_level.inc.c. */
#ifndef REPFOLD_EXEC_GEMM_MICRO_H
#define REPFOLD_EXEC_GEMM_MICRO_H

#include "exec/gemm.h"

#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
/* A name of one level and real type: product_f32_avx2. */
#define L(name) JOIN(R(name), LEVEL)

extern const GemmSet gemm_f32_plain, gemm_f64_plain;
#if defined(__x86_64__)
extern const GemmSet gemm_f32_avx2, gemm_f64_avx2;
extern const GemmSet gemm_f32_avx512, gemm_f64_avx512;
#elif defined(__aarch64__)
extern const GemmSet gemm_f32_neon, gemm_f64_neon;
#endif

#endif
