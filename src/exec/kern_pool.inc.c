/* Pooling for one type: see kern_pool.c. */

/* True for a value that is larger; the first of equal ones stays, and the
 * first NaN. */
static inline bool R(beats)(REAL value, REAL most)
{
    REAL same = value, kept = most;
    return value > most || (value != same && most == kept);
}

/* The maximum of one window, and where it is. */
static void R(max_window)(const Pooling *pool, const REAL *plane,
                          const Place *p, REAL *out, int64_t *index)
{
    const Window *w = &pool->window;
    bool found = false;
    int64_t k[WINDOW_AXES];
    *out = pool->is_integer ? (REAL)pool->least : (REAL)-INFINITY;
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

/* A term for all outputs of a row that see an element `x` in one tap. A stride
 * that is known is one that a compiler can widen. */
#define ALONG(tap, term)                                                       \
    do {                                                                       \
        const int64_t shift = (tap).shift, end = (tap).end;                    \
        if (stride == 1)                                                       \
            LOOP for (int64_t i = (tap).begin; i < end; i++)                   \
            {                                                                  \
                REAL x = line[shift + i];                                      \
                term;                                                          \
            }                                                                  \
        else if (stride == 2)                                                  \
            LOOP for (int64_t i = (tap).begin; i < end; i++)                   \
            {                                                                  \
                REAL x = line[shift + 2 * i];                                  \
                term;                                                          \
            }                                                                  \
        else                                                                   \
            for (int64_t i = (tap).begin; i < end; i++) {                      \
                REAL x = line[shift + stride * i];                             \
                term;                                                          \
            }                                                                  \
    } while (0)

/* What a row of outputs begins with. */
static void R(clear)(const Pooling *pool, void *to)
{
    const REAL least = pool->is_integer ? (REAL)pool->least : (REAL)-INFINITY;
    for (int64_t i = 0; i < pool->window.out[2]; i++)
        if (pool->is_mean)
            ((double *)to)[i] = 0;
        else
            ((REAL *)to)[i] = least;
}

/* Takes in what the windows of a row see of one line of the input. */
SIMD static void R(take_line)(const Pooling *pool, const REAL *line, void *to)
{
    const int64_t stride = pool->window.stride[2];
    double *sum = to;
    REAL *most = to;
    for (int64_t k = 0; k < pool->tap_count; k++)
        if (pool->is_mean)
            ALONG(pool->taps[k], sum[i] += (double)x);
        else
            ALONG(pool->taps[k], most[i] = R(beats)(x, most[i]) ? x : most[i]);
}

#undef ALONG

/* Takes in what has been made of one line. */
SIMD static void R(take_made)(const Pooling *pool, const void *from, void *to)
{
    const int64_t count = pool->window.out[2];
    if (pool->is_mean) {
        const double *part = from;
        double *sum = to;
        LOOP for (int64_t i = 0; i < count; i++)
        {
            sum[i] += part[i];
        }
    } else {
        const REAL *part = from;
        REAL *most = to;
        LOOP for (int64_t i = 0; i < count; i++)
        {
            most[i] = R(beats)(part[i], most[i]) ? part[i] : most[i];
        }
    }
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
        void *made = line_at(pool, lines, lines->done);
        R(clear)(pool, made);
        R(take_line)(pool, plane + lines->done * w->in[2], made);
    }
}

/* A row of outputs from the lines that they see. */
static void R(pool_row)(const Pooling *pool, const REAL *plane, const Place *p,
                        Lines *lines, REAL *out)
{
    const Window *w = &pool->window;
    void *to = pool->is_mean ? (void *)lines->sums : out;
    if (pool->ring > 0)
        R(make_lines)(pool, plane, p, lines);
    R(clear)(pool, to);
    for (int64_t z = p->first[0]; z < p->last[0]; z++)
        for (int64_t y = p->first[1]; y < p->last[1]; y++) {
            int64_t line = line_of(w, p, z, y);
            if (pool->ring > 0)
                R(take_made)(pool, line_at(pool, lines, line), to);
            else
                R(take_line)(pool, plane + line * w->in[2], to);
        }
}

static void R(divide_row)(const Pooling *pool, const double *sums,
                          int64_t counted, REAL *out)
{
    for (int64_t i = 0; i < pool->window.out[2]; i++)
        out[i] = (REAL)(sums[i] / (double)(counted * pool->counts[2][i]));
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
    lines->done = 0;
    for (int64_t z = 0; z < w->out[0]; z++)
        for (int64_t y = 0; y < w->out[1]; y++, to += w->out[2]) {
            REAL *out = (REAL *)pool->out + to;
            place_axis(w, 0, z, &place);
            place_axis(w, 1, y, &place);
            if (!pool->lines) {
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
