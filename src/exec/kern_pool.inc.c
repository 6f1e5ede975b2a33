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

/* out[i] = term for all i of one tap, whose element `x` is. A stride that is
 * known is one that a compiler can widen. */
#define ALONG(tap, term)                                                       \
    do {                                                                       \
        const REAL *in_ = line;                                                \
        const int64_t shift = (tap).shift, end = (tap).end;                    \
        if (stride == 1)                                                       \
            LOOP for (int64_t i = (tap).begin; i < end; i++)                   \
            {                                                                  \
                REAL x = in_[shift + i];                                       \
                term;                                                          \
            }                                                                  \
        else if (stride == 2)                                                  \
            LOOP for (int64_t i = (tap).begin; i < end; i++)                   \
            {                                                                  \
                REAL x = in_[shift + 2 * i];                                   \
                term;                                                          \
            }                                                                  \
        else                                                                   \
            for (int64_t i = (tap).begin; i < end; i++) {                      \
                REAL x = in_[shift + stride * i];                              \
                term;                                                          \
            }                                                                  \
    } while (0)

/* Line by line of the input, and in each tap by tap: what the outputs of a row
 * see comes in the order of their windows. */
#define EACH_TAP(term)                                                         \
    for (int64_t z = p->first[0]; z < p->last[0]; z++)                         \
        for (int64_t y = p->first[1]; y < p->last[1]; y++) {                   \
            const REAL *line =                                                 \
                plane + ((p->origin[0] + z * w->dilation[0]) * w->in[1] +      \
                         p->origin[1] + y * w->dilation[1]) *                  \
                            w->in[2];                                          \
            for (int64_t k = 0; k < w->kernel[2]; k++)                         \
                ALONG(pool->taps[k], term);                                    \
        }

SIMD static void R(max_row)(const Pooling *pool, const REAL *plane,
                            const Place *p, REAL *out)
{
    const Window *w = &pool->window;
    const int64_t stride = w->stride[2];
    const REAL least = pool->is_integer ? (REAL)pool->least : (REAL)-INFINITY;
    for (int64_t i = 0; i < w->out[2]; i++)
        out[i] = least;
    EACH_TAP(out[i] = R(beats)(x, out[i]) ? x : out[i])
}

SIMD static void R(mean_row)(const Pooling *pool, const REAL *plane,
                             const Place *p, int64_t counted, double *sums,
                             REAL *out)
{
    const Window *w = &pool->window;
    const int64_t stride = w->stride[2];
    for (int64_t i = 0; i < w->out[2]; i++)
        sums[i] = 0;
    EACH_TAP(sums[i] += (double)x)
    for (int64_t i = 0; i < w->out[2]; i++)
        out[i] = (REAL)(sums[i] / (double)(counted * pool->counts[2][i]));
}

#undef ALONG
#undef EACH_TAP

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

static void R(pool_plane)(const Pooling *pool, int64_t plane, double *sums)
{
    const Window *w = &pool->window;
    int64_t from = plane * w->in_size, to = plane * w->out_size;
    const REAL *in = (const REAL *)pool->in + from;
    Place place;
    for (int64_t z = 0; z < w->out[0]; z++)
        for (int64_t y = 0; y < w->out[1]; y++, to += w->out[2]) {
            REAL *out = (REAL *)pool->out + to;
            place_axis(w, 0, z, &place);
            place_axis(w, 1, y, &place);
            if (pool->is_mean)
                R(mean_row)(pool, in, &place,
                            pool->counts[0][z] * pool->counts[1][y], sums, out);
            else if (pool->indices || w->out[2] == 1)
                R(index_row)(pool, in, &place, out,
                             pool->indices ? pool->indices + to : NULL, from);
            else
                R(max_row)(pool, in, &place, out);
        }
}
