/* Pooling for one type: see kern_pool.c. */

/* True for a value that is larger; the first of equal ones stays, and the
 * first NaN. */
static inline bool R(beats)(REAL value, REAL most)
{
    REAL same = value, kept = most;
    return value > most || (value != same && most == kept);
}

/* What a window holds of nothing. */
static REAL R(start)(const Pooling *pool)
{
    if (pool->is_mean)
        return 0;
    return pool->is_integer ? (REAL)pool->least : (REAL)-INFINITY;
}

/* The maximum of one window, and where it is. */
static void R(max_window)(const Pooling *pool, const REAL *plane,
                          const Place *p, REAL *out, int64_t *index)
{
    const Window *w = &pool->window;
    bool found = false;
    int64_t k[WINDOW_AXES];
    *out = R(start)(pool);
    *index = 0;
    for (k[0] = p->first[0]; k[0] < p->last[0]; k[0]++)
        for (k[1] = p->first[1]; k[1] < p->last[1]; k[1]++)
            for (k[2] = p->first[2]; k[2] < p->last[2]; k[2]++) {
                int64_t at[WINDOW_AXES];
                for (int i = 0; i < WINDOW_AXES; i++)
                    at[i] = p->origin[i] + k[i] * w->dilation[i];
                REAL value =
                    plane[(at[0] * w->in[1] + at[1]) * w->in[2] + at[2]];
                if (found && !R(beats)(value, *out))
                    continue;
                found = true;
                *out = value;
                *index = pool->column_major
                             ? (at[2] * w->in[1] + at[1]) * w->in[0] + at[0]
                             : (at[0] * w->in[1] + at[1]) * w->in[2] + at[2];
            }
}

/* A maximum of none of them needs one comparison for each element. */
SIMD static bool R(has_nan)(const REAL *x, int64_t count)
{
    int any = 0;
    LOOP for (int64_t i = 0; i < count; i++)
    {
        const REAL same = x[i];
        any |= x[i] != same;
    }
    return any != 0;
}

static void R(fold_taps)(const Pooling *pool, const Taps *taps,
                         const void *rows, int64_t count, void *to)
{
    if (pool->is_mean)
        R(sum_taps)(taps, rows, count, 0, to);
    else
        R(most_taps)(taps, rows, count, R(start)(pool), to);
}

/* A line with nothing around it. */
static const REAL *R(pad_line)(const Pooling *pool, const REAL *line, REAL *to)
{
    int64_t width = pool->window.in[2], end = pool->before + width;
    const REAL start = R(start)(pool);
    if (pool->length == 0)
        return line;
    for (int64_t i = 0; i < pool->before; i++)
        to[i] = start;
    memcpy(to + pool->before, line, (size_t)width * sizeof *to);
    for (int64_t i = end; i < pool->length; i++)
        to[i] = start;
    return to + pool->before;
}

/* Makes the lines that a row of outputs sees, unless they are there. */
static void R(make_lines)(const Pooling *pool, const REAL *plane,
                          const Place *p, Lines *lines)
{
    const Window *w = &pool->window;
    if (p->first[0] >= p->last[0] || p->first[1] >= p->last[1])
        return;
    int64_t end = 1 + line_of(w, p, p->last[0] - 1, p->last[1] - 1);
    /* With gaps in the window a later row may see an earlier line. */
    if (w->in[0] == 1 && w->dilation[1] == 1)
        lines->done =
            at_least(lines->done, line_of(w, p, p->first[0], p->first[1]));
    for (; lines->done < end; lines->done++) {
        const REAL *line =
            R(pad_line)(pool, plane + lines->done * w->in[2],
                        (REAL *)(void *)lines->padded);
        R(fold_taps)(pool, &pool->taps, &line, 1,
                     line_at(pool, lines, lines->done));
    }
}

/* A row of outputs from the lines that they see. */
static void R(pool_row)(const Pooling *pool, const REAL *plane, const Place *p,
                        Lines *lines, REAL *out)
{
    const Window *w = &pool->window;
    bool fits = !pool->is_mean && pool->taps.outputs == w->out[2];
    void *to = fits ? out : (void *)lines->sums;
    int64_t count = 0;
    if (pool->ring > 0)
        R(make_lines)(pool, plane, p, lines);
    for (int64_t z = p->first[0]; z < p->last[0]; z++)
        for (int64_t y = p->first[1]; y < p->last[1]; y++) {
            int64_t line = line_of(w, p, z, y);
            lines->rows[count++] = pool->ring > 0
                                       ? line_at(pool, lines, line)
                                       : (void *)(plane + line * w->in[2]);
        }
    if (pool->ring == 0)
        R(fold_taps)(pool, &pool->taps, lines->rows, count, to);
    else if (pool->is_mean)
        sum_taps_f64(&pool->made, (const void *)lines->rows, count, 0, to);
    else
        R(fold_taps)(pool, &pool->made, lines->rows, count, to);
    if (!fits && !pool->is_mean)
        memcpy(out, to, (size_t)w->out[2] * sizeof *out);
}

/* A product with the inverse, in double, is as good as a quotient that is
 * rounded to float32, but not as one that stays a double. */
SIMD static void R(divide_row)(const Pooling *pool, const double *sums,
                               double counted, REAL *out)
{
    const double *counts = pool->counts[2], *inverse = pool->inverse;
    const double scale = 1 / counted;
    LOOP for (int64_t i = 0; i < pool->window.out[2]; i++)
    {
        out[i] = REAL_BYTES == 4 ? (REAL)(sums[i] * (scale * inverse[i]))
                                 : (REAL)(sums[i] / (counted * counts[i]));
    }
}

/* With the indices of the maxima. */
static void R(index_row)(const Pooling *pool, const REAL *plane, Place *place,
                         REAL *out, int64_t *indices, int64_t base)
{
    for (int64_t i = 0; i < pool->window.out[2]; i++) {
        int64_t index;
        place_axis(&pool->window, 2, i, place);
        R(max_window)(pool, plane, place, out + i, &index);
        if (indices)
            indices[i] = base + index;
    }
}

static void R(pool_plane)(const Pooling *pool, int64_t plane, Lines *lines)
{
    const Window *w = &pool->window;
    int64_t from = plane * w->in_size, to = plane * w->out_size;
    const REAL *in = (const REAL *)pool->in + from;
    Place place;
    bool alone = !pool->lines ||
                 (!pool->is_mean && R(has_nan)(in, w->in_size));
    lines->done = 0;
    for (int64_t z = 0; z < w->out[0]; z++)
        for (int64_t y = 0; y < w->out[1]; y++, to += w->out[2]) {
            REAL *out = (REAL *)pool->out + to;
            place_axis(w, 0, z, &place);
            place_axis(w, 1, y, &place);
            if (alone) {
                R(index_row)(pool, in, &place, out,
                             pool->indices ? pool->indices + to : NULL, from);
                continue;
            }
            R(pool_row)(pool, in, &place, lines, out);
            if (pool->is_mean)
                R(divide_row)(pool, lines->sums,
                              pool->counts[0][z] * pool->counts[1][y], out);
        }
}
