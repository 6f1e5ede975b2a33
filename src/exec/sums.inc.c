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

/* The largest element, of which a NaN need not be one; minus infinity of
 * none. */
SIMD static inline REAL R(largest_of)(const REAL *x, int64_t count)
{
    REAL most[MAXIMA], largest = -(REAL)INFINITY;
    int64_t i = 0;
    for (int k = 0; k < MAXIMA; k++)
        most[k] = largest;
    for (; i + MAXIMA <= count; i += MAXIMA)
        LOOP for (int k = 0; k < MAXIMA; k++)
        {
            most[k] = x[i + k] > most[k] ? x[i + k] : most[k];
        }
    for (int k = 0; k < MAXIMA; k++)
        largest = most[k] > largest ? most[k] : largest;
    for (; i < count; i++)
        largest = x[i] > largest ? x[i] : largest;
    return largest;
}
