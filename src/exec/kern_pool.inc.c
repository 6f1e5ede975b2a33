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

static void R(pool_plane)(const Pooling *pool, int64_t plane)
{
    const Window *w = &pool->window;
    const REAL *in = (const REAL *)pool->in + plane * w->in_size;
    REAL *out = (REAL *)pool->out + plane * w->out_size;
    int64_t first[WINDOW_AXES], last[WINDOW_AXES], origin[WINDOW_AXES], index;
    for (int64_t o = 0; o < w->out_size; o++) {
        int64_t counted = place_window(pool, o, first, last, origin);
        if (pool->is_mean) {
            R(mean_window)(pool, in, first, last, origin, counted, out + o);
            continue;
        }
        R(max_window)(pool, in, first, last, origin, out + o, &index);
        if (pool->indices)
            pool->indices[plane * w->out_size + o] =
                plane * w->in_size + index;
    }
}
