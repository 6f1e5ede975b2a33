/* Pooling for one type: see kern_pool.c. */

static void R(max_window)(const Pooling *pool, const REAL *plane,
                          int64_t first[WINDOW_AXES],
                          int64_t last[WINDOW_AXES],
                          const int64_t *origin, REAL *out, int64_t *index)
{
    const Window *w = &pool->window;
    *out = pool->is_integer ? (REAL)pool->least : (REAL)-INFINITY;
    *index = 0;
    bool found = false;
    int64_t k[WINDOW_AXES];
    for (k[0] = first[0]; k[0] < last[0]; k[0]++)
        for (k[1] = first[1]; k[1] < last[1]; k[1]++)
            for (k[2] = first[2]; k[2] < last[2]; k[2]++) {
                int64_t at[WINDOW_AXES];
                for (int i = 0; i < WINDOW_AXES; i++)
                    at[i] = origin[i] + k[i] * w->dilation[i];
                REAL value =
                    plane[(at[0] * w->in[1] + at[1]) * w->in[2] + at[2]];
                if (found && !(value > *out))
                    continue;
                found = true;
                *out = value;
                *index = pool->column_major
                             ? (at[2] * w->in[1] + at[1]) * w->in[0] + at[0]
                             : (at[0] * w->in[1] + at[1]) * w->in[2] + at[2];
            }
}

static void R(mean_window)(const Pooling *pool, const REAL *plane,
                           int64_t first[WINDOW_AXES],
                           int64_t last[WINDOW_AXES], const int64_t *origin,
                           int64_t counted, REAL *out)
{
    const Window *w = &pool->window;
    double sum = 0;
    for (int64_t z = first[0]; z < last[0]; z++)
        for (int64_t y = first[1]; y < last[1]; y++)
            for (int64_t x = first[2]; x < last[2]; x++)
                sum += (double)plane[((origin[0] + z * w->dilation[0]) *
                                          w->in[1] +
                                      origin[1] + y * w->dilation[1]) *
                                         w->in[2] +
                                     origin[2] + x * w->dilation[2]];
    *out = (REAL)(sum / (double)counted);
}

static SIMD void R(add_row)(const REAL *in, int64_t stride, int64_t count,
                            double *sum)
{
    if (stride == 1)
        LOOP
        for (int64_t i = 0; i < count; i++)
            sum[i] += (double)in[i];
    else
        for (int64_t i = 0; i < count; i++)
            sum[i] += (double)in[i * stride];
}

/* Means side by side whose windows leave the input nowhere along the last
 * axis: output `o` and the `count` - 1 behind it. The terms of each are added
 * in the order of mean_window. */
static void R(mean_row)(const Pooling *pool, const REAL *plane, int64_t o,
                        int64_t count, REAL *out)
{
    const Window *w = &pool->window;
    double sum[ROW_MOST] = {0};
    int64_t first[WINDOW_AXES], last[WINDOW_AXES], origin[WINDOW_AXES];
    int64_t counted = place_window(pool, o, first, last, origin);
    for (int64_t z = first[0]; z < last[0]; z++)
        for (int64_t y = first[1]; y < last[1]; y++)
            for (int64_t x = 0; x < w->kernel[2]; x++)
                R(add_row)(plane +
                               ((origin[0] + z * w->dilation[0]) * w->in[1] +
                                origin[1] + y * w->dilation[1]) *
                                   w->in[2] +
                               origin[2] + x * w->dilation[2],
                           w->stride[2], count, sum);
    for (int64_t i = 0; i < count; i++)
        out[i] = (REAL)(sum[i] / (double)counted);
}

static void R(mean_plane)(const Pooling *pool, const REAL *in, REAL *out)
{
    const Window *w = &pool->window;
    int64_t first[WINDOW_AXES], last[WINDOW_AXES], origin[WINDOW_AXES], begin,
        end;
    inner_columns(w, &begin, &end);
    for (int64_t o = 0; o < w->out_size;) {
        int64_t x = o % w->out[2];
        int64_t count = x >= begin && x < end ? end - x : 1;
        if (count > ROW_MOST)
            count = ROW_MOST;
        if (x >= begin && x < end) {
            R(mean_row)(pool, in, o, count, out + o);
        } else {
            int64_t counted = place_window(pool, o, first, last, origin);
            R(mean_window)(pool, in, first, last, origin, counted, out + o);
        }
        o += count;
    }
}

static void R(pool_plane)(const Pooling *pool, int64_t plane)
{
    const Window *w = &pool->window;
    const REAL *in = (const REAL *)pool->in + plane * w->in_size;
    REAL *out = (REAL *)pool->out + plane * w->out_size;
    int64_t first[WINDOW_AXES], last[WINDOW_AXES], origin[WINDOW_AXES], index;
    if (pool->is_mean) {
        R(mean_plane)(pool, in, out);
        return;
    }
    for (int64_t o = 0; o < w->out_size; o++) {
        place_window(pool, o, first, last, origin);
        R(max_window)(pool, in, first, last, origin, out + o, &index);
        if (pool->indices)
            pool->indices[plane * w->out_size + o] =
                plane * w->in_size + index;
    }
}
