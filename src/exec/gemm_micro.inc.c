/* The micro-kernels of one level for one real type: see level.h. */

/* A vector that may lie anywhere. */
typedef REAL L(Vector) __attribute__((vector_size(VECTOR_BYTES),
                                      aligned(sizeof(REAL)), may_alias));

enum { L(LANES) = VECTOR_BYTES / sizeof(REAL) };

#define MICRO(m, n)                                                            \
    TARGET static void L(product_##m##x##n)(                                   \
        const void *a_panel, const void *b_panel, int64_t b_step,              \
        int64_t depth, void *c_tile, int64_t c_step, const void *start,        \
        bool adds)                                                             \
    {                                                                          \
        const REAL *a = a_panel, *b = b_panel, *begin = start;                 \
        REAL *c = c_tile;                                                      \
        L(Vector) sum[m][n];                                                   \
        for (int i = 0; i < m; i++)                                            \
            for (int j = 0; j < n; j++)                                        \
                sum[i][j] = (begin ? begin[i] : 0) - (L(Vector)){0};           \
        for (; depth > 0; depth--, a += PANEL_ROWS, b += b_step) {             \
            L(Vector) row[n];                                                  \
            __builtin_prefetch(a + AHEAD * PANEL_ROWS);                        \
            for (int j = 0; j < n; j++)                                        \
                row[j] = *(const L(Vector) *)(b + j * L(LANES));               \
            for (int i = 0; i < m; i++)                                        \
                for (int j = 0; j < n; j++)                                    \
                    sum[i][j] += a[i] * row[j];                                \
        }                                                                      \
        for (int i = 0; i < m; i++)                                            \
            for (int j = 0; j < n; j++) {                                      \
                L(Vector) *to = (L(Vector) *)(c + i * c_step + j * L(LANES));  \
                if (adds)                                                      \
                    sum[i][j] += *to;                                          \
                *to = sum[i][j];                                               \
            }                                                                  \
    }
#define MICROS(m)                                                              \
    MICRO(m, 1)                                                                \
    MICRO(m, 2)                                                                \
    MICRO(m, 3)
#define ROW_OF(m)                                                              \
    {                                                                          \
        L(product_##m##x1), L(product_##m##x2), L(product_##m##x3)             \
    }

MICROS(1)
MICROS(2)
MICROS(4)
#if PANEL_ROWS == 8
MICROS(8)
#endif

const GemmSet L(gemm) = {.is_f32 = sizeof(REAL) == sizeof(float),
                         .rows = PANEL_ROWS,
                         .lanes = L(LANES),
                         .run = {
                             ROW_OF(1),
                             ROW_OF(2),
                             ROW_OF(4),
#if PANEL_ROWS == 8
                             ROW_OF(8),
#endif
                         }};

#undef MICRO
#undef MICROS
#undef ROW_OF
