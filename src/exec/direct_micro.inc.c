/* Convolution without an im2col, for one level and real type: see level.h. */

/* Stores one vector of channels at `positions` positions, channel by channel.
 * Each round moves the next bit of a position from the vector's number to the
 * lowest bit of the element's: it is a perfect shuffle of all elements. */
TARGET static inline __attribute__((always_inline)) void L(store_channels)(
    const L(Vector) * at, int positions, REAL least, REAL *out,
    int64_t out_step, int64_t channels)
{
    L(Vector) now[PANEL_ROWS], next[PANEL_ROWS];
    UNROLL for (int i = 0; i < PANEL_ROWS; i++) now[i] =
        L(raise)(at[i < positions ? i : 0], least);
    UNROLL for (int round = 1; round < PANEL_ROWS; round *= 2)
    {
        UNROLL for (int i = 0; i < PANEL_ROWS / 2; i++)
        {
            next[2 * i] = ZIP_LOW(now[i], now[i + PANEL_ROWS / 2]);
            next[2 * i + 1] = ZIP_HIGH(now[i], now[i + PANEL_ROWS / 2]);
        }
        UNROLL for (int i = 0; i < PANEL_ROWS; i++) now[i] = next[i];
    }
    const REAL *row = (const REAL *)now;
    UNROLL for (int i = 0; i < L(LANES); i++)
    {
        if (i >= channels)
            return;
        memcpy(out + i * out_step, row + i * PANEL_ROWS,
               (size_t)positions * sizeof *out);
    }
}

#define DIRECT(p, n)                                                           \
    TARGET static void L(direct_##p##x##n)(const DirectTile *tile)             \
    {                                                                          \
        const REAL *weight = tile->weight, *start = tile->start;               \
        const char *ahead = tile->ahead;                                       \
        L(Vector) sum[n][p];                                                   \
        UNROLL for (int j = 0; j < n; j++) UNROLL for (int i = 0; i < p; i++)  \
            sum[j][i] = *(const L(Vector) *)(start + j * L(LANES));            \
        for (int64_t k = 0; k < tile->steps; k++, weight += n * L(LANES)) {    \
            const REAL *from = (const REAL *)tile->from + tile->offsets[k];    \
            L(Vector) row[n];                                                  \
            __builtin_prefetch(ahead);                                         \
            ahead += tile->ahead_step;                                         \
            UNROLL for (int j = 0; j < n; j++) row[j] =                        \
                *(const L(Vector) *)(weight + j * L(LANES));                   \
            UNROLL for (int i = 0; i < p; i++)                                 \
            {                                                                  \
                L(Vector) seen = from[i] - (L(Vector)){0};                     \
                KEEP(seen);                                                    \
                UNROLL for (int j = 0; j < n; j++) sum[j][i] += row[j] * seen; \
            }                                                                  \
        }                                                                      \
        UNROLL for (int j = 0; j < n; j++) L(store_channels)(                  \
            sum[j], p, (REAL)tile->least,                                      \
            (REAL *)tile->out + j * L(LANES) * tile->out_step,                 \
            tile->out_step, tile->channels - j * L(LANES));                    \
    }
#define DIRECTS(p) DIRECT(p, 2) DIRECT(p, 3)
#define DIRECTS_OF(p)                                                          \
    {                                                                          \
        L(direct_##p##x2), L(direct_##p##x3)                                   \
    }

DIRECTS(1)
DIRECTS(2)
DIRECTS(3)
DIRECTS(4)
#if PANEL_ROWS == 8
DIRECTS(5)
DIRECTS(6)
DIRECTS(7)
DIRECTS(8)
#endif

enum { L(ROWS) = PANEL_ROWS < L(LANES) ? PANEL_ROWS : L(LANES) };

/* Channels that are not wanted have weights, too. */
#define ACROSS(n)                                                              \
    TARGET static void L(across_##n)(const DirectTile *tile)                   \
    {                                                                          \
        const DirectTile t = *tile;                                            \
        const REAL *start = t.start, *first = t.weight, least = (REAL)t.least; \
        const char *ahead = t.ahead;                                           \
        for (int64_t c = 0; c < t.channels; c += L(ROWS)) {                    \
            const REAL *weight = first + c;                                    \
            REAL *out = (REAL *)t.out + c * t.out_step;                        \
            L(Vector) sum[L(ROWS)][n];                                         \
            UNROLL for (int i = 0; i < L(ROWS); i++)                           \
            {                                                                  \
                UNROLL for (int j = 0; j < n; j++) sum[i][j] =                 \
                    start[c + i] - (L(Vector)){0};                             \
            }                                                                  \
            for (int64_t k = 0; k < t.steps; k++) {                            \
                const REAL *from = (const REAL *)t.from + t.offsets[k];        \
                L(Vector) row[n];                                              \
                __builtin_prefetch(ahead);                                     \
                ahead += t.ahead_step;                                         \
                UNROLL for (int j = 0; j < n; j++) row[j] =                    \
                    *(const L(Vector) *)(from + j * L(LANES));                 \
                UNROLL for (int i = 0; i < L(ROWS); i++)                       \
                {                                                              \
                    L(Vector) one = weight[i] - (L(Vector)){0};                \
                    KEEP(one);                                                 \
                    UNROLL for (int j = 0; j < n; j++) sum[i][j] +=            \
                        one * row[j];                                          \
                }                                                              \
                weight += t.weight_step;                                       \
            }                                                                  \
            UNROLL for (int i = 0; i < L(ROWS); i++)                           \
            {                                                                  \
                if (c + i >= t.channels)                                       \
                    return;                                                    \
                UNROLL for (int j = 0; j < n; j++)                             \
                    *(L(Vector) *)(out + i * t.out_step + j * L(LANES)) =      \
                    L(raise)(sum[i][j], least);                                \
            }                                                                  \
        }                                                                      \
    }

ACROSS(1)
ACROSS(2)
ACROSS(3)

const DirectSet L(direct) = {.positions = PANEL_ROWS,
                             .lanes = L(LANES),
                             .run_across = {L(across_1), L(across_2),
                                            L(across_3)},
                             .run = {
                                 DIRECTS_OF(1),
                                 DIRECTS_OF(2),
                                 DIRECTS_OF(3),
                                 DIRECTS_OF(4),
#if PANEL_ROWS == 8
                                 DIRECTS_OF(5),
                                 DIRECTS_OF(6),
                                 DIRECTS_OF(7),
                                 DIRECTS_OF(8),
#endif
                             }};

#undef DIRECT
#undef DIRECTS
#undef DIRECTS_OF
#undef ACROSS
