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

/* What the strip says is read before anything is stored, which could change
 * it for all that the compiler knows. */
TARGET static inline __attribute__((always_inline)) void L(store_strip)(
    const Strip *strip, const L(Vector) * sum)
{
    REAL *out = strip->out, least = (REAL)strip->least;
    int64_t out_step = strip->out_step;
    int rows = strip->rows, columns = strip->columns;
    int whole = columns == L(LANES) ? rows : strip->whole;
    L(Vector) now[PANEL_ROWS];
    UNROLL for (int i = 0; i < PANEL_ROWS; i++) now[i] =
        L(raise)(sum[i], least);
    if (whole >= PANEL_ROWS) {
        UNROLL for (int i = 0; i < PANEL_ROWS; i++)
            *(L(Vector) *)(out + i * out_step) = now[i];
        return;
    }
    L(Vector) kept[PANEL_ROWS];
    UNROLL for (int i = 0; i < PANEL_ROWS; i++) kept[i] = now[i];
    for (int i = 0; i < rows; i++, out += out_step)
        if (i < whole)
            *(L(Vector) *)out = kept[i];
        else
            memcpy(out, &kept[i], (size_t)columns * sizeof *out);
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

/* -1 for elements below `count`, else 0. */
TARGET static inline L(Bits) L(kept)(int64_t count)
{
    L(Bits) kept;
    for (int i = 0; i < L(LANES); i++)
        kept[i] = i < count ? -1 : 0;
    return kept;
}

TARGET static void L(spread)(const void *from_, int64_t from_step, int64_t rows,
                             int64_t columns, void *to_, int64_t to_step)
{
    const REAL *from = from_;
    REAL *to = to_;
    int64_t whole = columns / L(LANES) * L(LANES);
    L(Bits) kept = L(kept)(columns - whole);
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
    int64_t last = (columns - 1) / (2 * L(LANES)) * (2 * L(LANES));
    L(Bits) low = L(kept)(columns - last);
    L(Bits) high = L(kept)(columns - last - L(LANES));
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t i = 0; i <= last; i += 2 * L(LANES)) {
            L(Vector) a = *(const L(Vector) *)(from + i);
            L(Vector) b = *(const L(Vector) *)(from + i + L(LANES));
            if (i == last) {
                a = (L(Vector))((L(Bits))a & low);
                b = (L(Vector))((L(Bits))b & high);
            }
            *(L(Vector) *)(even + i / 2) = UNZIP_EVEN(a, b);
            *(L(Vector) *)(odd + i / 2) = UNZIP_ODD(a, b);
        }
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
