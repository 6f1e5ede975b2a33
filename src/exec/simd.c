#include "exec/simd.h"

#include <stdbool.h>

static bool machine_has(SimdLevel level)
{
    switch (level) {
#if defined(__x86_64__)
    case SIMD_AVX512:
        return __builtin_cpu_supports("avx512f") &&
               __builtin_cpu_supports("fma");
    case SIMD_AVX2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#elif defined(__aarch64__)
    case SIMD_NEON:
        return true;
#endif
    default:
        return level == SIMD_PLAIN;
    }
}

SimdLevel simd_level(SimdLevel wanted)
{
    int level = wanted == SIMD_BEST ? SIMD_AVX512 : (int)wanted;
    while (!machine_has((SimdLevel)level))
        level--;
    return (SimdLevel)level;
}
