/* What the outputs of a row see, for one type: see Taps in kern_pool.c. */

/* Blocks of outputs, which stay in registers. The last one may begin before
 * the one ahead of it ends. */
#define FOLD_BLOCKS(SUM, step, term)                                           \
    for (int64_t i = 0; i < taps->outputs; i += BLOCK) {                       \
        SUM block[BLOCK];                                                      \
        i = at_most(i, taps->outputs - BLOCK);                                 \
        for (int64_t n = 0; n < BLOCK; n++)                                    \
            block[n] = start;                                                  \
        for (int64_t r = 0; r < row_count; r++)                                \
            for (int64_t k = 0; k < taps->count; k++) {                        \
                const REAL *from = rows[r] + taps->list[k].shift + i * (step); \
                HIDE(from);                                                    \
                LOOP for (int64_t n = 0; n < BLOCK; n++)                       \
                {                                                              \
                    const REAL x = from[n * (step)];                           \
                    term(block[n], x);                                         \
                }                                                              \
            }                                                                  \
        memcpy(to + i, block, sizeof block);                                   \
    }

#define FOLD_SINGLY(SUM, term)                                                 \
    for (int64_t i = 0; i < taps->outputs; i++) {                              \
        SUM sum = start;                                                       \
        for (int64_t r = 0; r < row_count; r++)                                \
            for (int64_t k = 0; k < taps->count; k++) {                        \
                const Tap *tap = &taps->list[k];                               \
                if (i >= tap->begin && i < tap->end)                           \
                    term(sum, rows[r][tap->shift + i * taps->stride]);         \
            }                                                                  \
        to[i] = sum;                                                           \
    }

/* to[i] = the terms of all that output i sees in any of the rows. */
#define FOLD_TAPS(name, SUM, term)                                             \
    SIMD static void R(name)(const Taps *taps, const REAL *const *rows,        \
                             int64_t row_count, SUM start, SUM *to)            \
    {                                                                          \
        if (taps->is_wide && taps->stride == 1)                                \
            FOLD_BLOCKS(SUM, 1, term)                                          \
        else if (taps->is_wide && taps->stride == 2)                           \
            FOLD_BLOCKS(SUM, 2, term)                                          \
        else                                                                   \
            FOLD_SINGLY(SUM, term)                                             \
    }

#define ADD(sum, x) sum += (double)(x)
#define RAISE(most, x) most = (x) > most ? (x) : most
FOLD_TAPS(sum_taps, double, ADD)
FOLD_TAPS(most_taps, REAL, RAISE)

#undef ADD
#undef RAISE
#undef FOLD_TAPS
#undef FOLD_SINGLY
#undef FOLD_BLOCKS
