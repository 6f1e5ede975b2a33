/* Which level's inner loops are used. */
#include "exec/level.h"

#define PICK(name, level) (f32 ? &name##_f32_##level : &name##_f64_##level)

const GemmSet *gemm_set(Precision precision, SimdLevel level)
{
    bool f32 = precision == PRECISION_F32;
    switch (level) {
#if defined(__x86_64__)
    case SIMD_AVX512:
        return PICK(gemm, avx512);
    case SIMD_AVX2:
        return PICK(gemm, avx2);
#elif defined(__aarch64__)
    case SIMD_NEON:
        return PICK(gemm, neon);
#endif
    default:
        return PICK(gemm, plain);
    }
}

const DepthwiseSet *depthwise_set(Precision precision, SimdLevel level)
{
    bool f32 = precision == PRECISION_F32;
    switch (level) {
#if defined(__x86_64__)
    case SIMD_AVX512:
        return PICK(depthwise, avx512);
    case SIMD_AVX2:
        return PICK(depthwise, avx2);
#elif defined(__aarch64__)
    case SIMD_NEON:
        return PICK(depthwise, neon);
#endif
    default:
        return PICK(depthwise, plain);
    }
}

const DirectSet *direct_set(Precision precision, SimdLevel level)
{
    bool f32 = precision == PRECISION_F32;
    switch (level) {
#if defined(__x86_64__)
    case SIMD_AVX512:
        return PICK(direct, avx512);
    case SIMD_AVX2:
        return PICK(direct, avx2);
#elif defined(__aarch64__)
    case SIMD_NEON:
        return PICK(direct, neon);
#endif
    default:
        return PICK(direct, plain);
    }
}
