/* The sums of sums.h for one real type. */

/* Eight elements that may lie anywhere. */
typedef REAL R(Eight) __attribute__((vector_size(SUMS * sizeof(REAL)),
                                     aligned(sizeof(REAL)), may_alias));

SIMD static inline double R(sum_of)(const REAL *x, int64_t count)
{
    Sums sums = {0};
    double rest = 0;
    int64_t i = 0;
    for (; i + SUMS <= count; i += SUMS)
        sums += __builtin_convertvector(*(const R(Eight) *)(x + i), Sums);
    for (; i < count; i++)
        rest += (double)x[i];
    return SUMS_TOTAL(sums) + rest;
}

/* The sum of (x - center)^2. */
SIMD static inline double R(squares_of)(const REAL *x, int64_t count,
                                        double center)
{
    Sums sums = {0};
    double rest = 0;
    int64_t i = 0;
    for (; i + SUMS <= count; i += SUMS) {
        Sums off = __builtin_convertvector(*(const R(Eight) *)(x + i), Sums) -
                   center;
        sums += off * off;
    }
    for (; i < count; i++)
        rest += ((double)x[i] - center) * ((double)x[i] - center);
    return SUMS_TOTAL(sums) + rest;
}
