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

/* How many rows may be stored as whole vectors: what these write beyond a
 * narrow row is overwritten by the next rows, as far as there are. */
static inline int64_t L(whole_rows)(int64_t rows, int64_t columns)
{
    if (columns >= L(LANES))
        return rows;
    int64_t end = rows * columns - L(LANES);
    return end >= 0 ? end / columns + 1 : 0;
}

/* A row that is narrower than a vector. */
TARGET static inline void L(store_part)(const REAL *from, int64_t columns,
                                        REAL *out)
{
    enum { HALF = L(LANES) / 2 };
    if (columns < HALF) {
        for (int64_t i = 0; i < columns; i++)
            out[i] = from[i];
        return;
    }
    memcpy(out, from, HALF * sizeof *out);
    memcpy(out + columns - HALF, from + columns - HALF, HALF * sizeof *out);
}

/* Stores `rows` rows of a strip, of which `whole` as whole vectors. */
TARGET static inline __attribute__((always_inline)) void L(store_strip)(
    const L(Vector) * sum, REAL least, int64_t rows, int64_t whole, REAL *out,
    int64_t columns)
{
    L(Vector) kept[PANEL_ROWS];
    if (whole >= PANEL_ROWS) {
        UNROLL for (int i = 0; i < PANEL_ROWS; i++)
            *(L(Vector) *)(out + i * columns) = L(raise)(sum[i], least);
        return;
    }
    UNROLL for (int i = 0; i < PANEL_ROWS; i++) kept[i] =
        L(raise)(sum[i], least);
    for (int i = 0; i < PANEL_ROWS && i < rows; i++, out += columns)
        if (i < whole)
            *(L(Vector) *)out = kept[i];
        else
            L(store_part)((const REAL *)&kept[i], columns, out);
}

/* Where a strip begins: what is left at the end of rows or columns is computed
 * together with what comes before it. */
static inline int64_t L(strip_begin)(int64_t at, int64_t size, int64_t count)
{
    return at + size <= count || at == 0 ? at : count - size;
}

/* Computes each strip with what is given, from `from` into `sum`. A number less
 * zero is itself in every element, which a sum with zero is not. */
#define STRIPS(strip, ...)                                                     \
    {                                                                          \
        const Strip s = *(strip);                                              \
        const REAL *weight = s.weight;                                         \
        const REAL start = s.start ? *(const REAL *)s.start : 0;               \
        const REAL least = (REAL)s.least;                                      \
        const int64_t down = s.stride * s.from_step;                           \
        const int64_t whole = L(whole_rows)(s.rows, s.columns);                \
        for (int64_t top = 0; top < s.rows; top += PANEL_ROWS)                 \
            for (int64_t left = 0; left < s.columns;                           \
                 left += L(LANES)) {                                           \
                int64_t y = L(strip_begin)(top, PANEL_ROWS, s.rows);           \
                int64_t x = L(strip_begin)(left, L(LANES), s.columns);         \
                const REAL *from = (const REAL *)s.from + y * down + x;        \
                L(Vector) sum[PANEL_ROWS];                                     \
                UNROLL for (int i = 0; i < PANEL_ROWS; i++) sum[i] =           \
                    start - (L(Vector)){0};                                    \
                __VA_ARGS__                                                    \
                L(store_strip)(sum, least, s.rows - y, whole - y,              \
                               (REAL *)s.out + y * s.columns + x, s.columns);  \
            }                                                                  \
    }

/* Any taps. */
TARGET static void L(strip_any)(const Strip *strip)
{
    STRIPS(strip, for (int64_t t = 0; t < s.height * s.width; t++) {
        const REAL *at = from + s.offsets[t];
        UNROLL for (int i = 0; i < PANEL_ROWS; i++) sum[i] +=
            weight[t] * *(const L(Vector) *)(at + i * down);
    })
}

/* A column of a kernel `high` rows high: what it sees of a row of the input is
 * loaded once for all outputs that see it. */
#define ADD_COLUMN(high, stride_, tap, at)                                     \
    UNROLL for (int r = 0; r < (PANEL_ROWS - 1) * stride_ + high; r++)         \
    {                                                                          \
        L(Vector) seen = *(const L(Vector) *)((at) + r * s.from_step);         \
        KEEP(seen);                                                            \
        UNROLL for (int k = 0; k < high; k++)                                  \
        {                                                                      \
            int i = (r - k) / stride_;                                         \
            if (r >= k && i * stride_ == r - k && i < PANEL_ROWS)              \
                sum[i] += tap[k] * seen;                                       \
        }                                                                      \
    }
#define STRIP(high, stride_)                                                   \
    TARGET static void L(strip_##high##_##stride_)(const Strip *strip)         \
    {                                                                          \
        STRIPS(strip, for (int64_t t = 0; t < s.width; t++) {                  \
            L(Vector) tap[high];                                               \
            UNROLL for (int k = 0; k < high; k++) tap[k] =                     \
                weight[k * s.width + t] - (L(Vector)){0};                      \
            ADD_COLUMN(high, stride_, tap, from + s.offsets[t])                \
        })                                                                     \
    }
/* All taps of a kernel of 3 by 3 stay in registers. */
#define STRIP_3X3(stride_)                                                     \
    TARGET static void L(strip_3x3_##stride_)(const Strip *strip)              \
    {                                                                          \
        L(Vector) taps[3][3];                                                  \
        UNROLL for (int t = 0; t < 3; t++) UNROLL for (int k = 0; k < 3; k++)  \
            taps[t][k] =                                                       \
                ((const REAL *)strip->weight)[k * 3 + t] - (L(Vector)){0};     \
        STRIPS(strip, (void)weight; UNROLL for (int t = 0; t < 3; t++) {       \
            ADD_COLUMN(3, stride_, taps[t], from + s.offsets[t])               \
        })                                                                     \
    }

STRIP(3, 1)
STRIP(5, 1)
STRIP(7, 1)
STRIP(3, 2)
STRIP(5, 2)
STRIP(7, 2)
STRIP_3X3(1)
STRIP_3X3(2)

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
    .run_3x3 = {L(strip_3x3_1), L(strip_3x3_2)},
    .spread = L(spread),
    .spread_pairs = L(spread_pairs),
    .gather = L(gather),
};

#undef STRIP
#undef STRIPS
#undef STRIP_3X3
#undef ADD_COLUMN
