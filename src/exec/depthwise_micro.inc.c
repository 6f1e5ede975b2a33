/* Convolution over one channel, for one level and real type: see level.h. */

typedef BITS L(Bits) __attribute__((vector_size(VECTOR_BYTES)));

/* x < least ? least : x, element by element. */
TARGET static inline __attribute__((always_inline)) L(Vector)
    L(raise)(L(Vector) x, REAL least)
{
    L(Vector) all = least - (L(Vector)){0};
    L(Bits) below = x < all;
    return (L(Vector))(((L(Bits))all & below) | ((L(Bits))x & ~below));
}

TARGET static inline __attribute__((always_inline)) void L(store_strip)(
    const Strip *strip, const L(Vector) * sum)
{
    REAL *out = strip->out;
    int whole = strip->columns == L(LANES) ? strip->rows : strip->whole;
    UNROLL for (int i = 0; i < PANEL_ROWS; i++)
    {
        if (i >= strip->rows)
            return;
        L(Vector) now = L(raise)(sum[i], (REAL)strip->least);
        if (i < whole)
            *(L(Vector) *)out = now;
        else
            memcpy(out, &now, (size_t)strip->columns * sizeof *out);
        out += strip->out_step;
    }
}

/* A number less zero is itself in every element, which a sum with zero is not.
 * Any taps. */
TARGET static void L(strip_any)(const Strip *strip)
{
    const REAL *weight = strip->weight, *from = strip->from;
    int64_t step = strip->stride * strip->from_step;
    REAL start = strip->start ? *(const REAL *)strip->start : 0;
    L(Vector) sum[PANEL_ROWS];
    UNROLL for (int i = 0; i < PANEL_ROWS; i++) sum[i] =
        start - (L(Vector)){0};
    for (int64_t t = 0; t < strip->height * strip->width; t++) {
        const REAL *at = from + strip->offsets[t];
        UNROLL for (int i = 0; i < PANEL_ROWS; i++) sum[i] +=
            weight[t] * *(const L(Vector) *)(at + i * step);
    }
    L(store_strip)(strip, sum);
}

/* A kernel `high` rows high: what one column of it sees of a row of the input
 * is loaded once for all outputs that see it. */
#define STRIP(high, stride_)                                                   \
    TARGET static void L(strip_##high##_##stride_)(const Strip *strip)         \
    {                                                                          \
        const REAL *weight = strip->weight;                                    \
        REAL start = strip->start ? *(const REAL *)strip->start : 0;           \
        L(Vector) sum[PANEL_ROWS], tap[high];                                  \
        UNROLL for (int i = 0; i < PANEL_ROWS; i++) sum[i] =                   \
            start - (L(Vector)){0};                                            \
        for (int64_t t = 0; t < strip->width; t++) {                           \
            const REAL *at = (const REAL *)strip->from + strip->offsets[t];    \
            UNROLL for (int k = 0; k < high; k++) tap[k] =                     \
                weight[k * strip->width + t] - (L(Vector)){0};                 \
            UNROLL for (int r = 0; r < (PANEL_ROWS - 1) * stride_ + high;      \
                        r++, at += strip->from_step)                           \
            {                                                                  \
                L(Vector) seen = *(const L(Vector) *)at;                       \
                KEEP(seen);                                                    \
                UNROLL for (int k = 0; k < high; k++)                          \
                {                                                              \
                    int i = (r - k) / stride_;                                 \
                    if (r >= k && i * stride_ == r - k && i < PANEL_ROWS)      \
                        sum[i] += tap[k] * seen;                               \
                }                                                              \
            }                                                                  \
        }                                                                      \
        L(store_strip)(strip, sum);                                            \
    }

STRIP(3, 1)
STRIP(5, 1)
STRIP(7, 1)
STRIP(3, 2)
STRIP(5, 2)
STRIP(7, 2)

TARGET static void L(spread)(const void *from_, int64_t from_step, int64_t rows,
                             int64_t columns, void *to_, int64_t to_step)
{
    const REAL *from = from_;
    REAL *to = to_;
    int64_t whole = columns / L(LANES) * L(LANES);
    L(Bits) kept;
    for (int i = 0; i < L(LANES); i++)
        kept[i] = i < columns - whole ? -1 : 0;
    for (int64_t r = 0; r < rows; r++, from += from_step, to += to_step) {
        for (int64_t i = 0; i < whole; i += L(LANES))
            *(L(Vector) *)(to + i) = *(const L(Vector) *)(from + i);
        if (whole < columns)
            *(L(Vector) *)(to + whole) = (L(Vector))(
                (L(Bits)) * (const L(Vector) *)(from + whole) & kept);
    }
}

TARGET static void L(spread_pairs)(const void *from_, int64_t from_step,
                                   int64_t rows, int64_t columns, void *even_,
                                   void *odd_, int64_t to_step)
{
    const REAL *from = from_;
    REAL *even = even_, *odd = odd_;
    for (int64_t r = 0; r < rows; r++) {
        LOOP for (int64_t i = 0; i < columns / 2; i++)
        {
            even[i] = from[2 * i];
            odd[i] = from[2 * i + 1];
        }
        if (columns % 2)
            even[columns / 2] = from[columns - 1];
        from += from_step;
        even += to_step;
        odd += to_step;
    }
}

TARGET static void L(gather)(const Gather *gather)
{
    const REAL *row = gather->from;
    REAL *to = gather->to;
    int64_t x = gather->first, left = gather->columns;
    for (; left > 0; row += gather->from_step, x = 0) {
        int64_t now = gather->width - x < left ? gather->width - x : left;
        for (int64_t i = 0; i < now; i += L(LANES))
            *(L(Vector) *)(to + i) = *(const L(Vector) *)(row + x + i);
        to += now;
        left -= now;
    }
}

const DepthwiseSet L(depthwise) = {
    .rows = PANEL_ROWS,
    .lanes = L(LANES),
    .any = L(strip_any),
    .run = {{L(strip_3_1), L(strip_3_2)},
            {L(strip_5_1), L(strip_5_2)},
            {L(strip_7_1), L(strip_7_2)}},
    .spread = L(spread),
    .spread_pairs = L(spread_pairs),
    .gather = L(gather),
};

#undef STRIP
