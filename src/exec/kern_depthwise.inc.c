/* Depthwise convolution for one real type: see kern_depthwise.c. */

/* A vector that may lie anywhere. */
typedef REAL R(Lanes) __attribute__((vector_size(VECTOR_BYTES),
                                     aligned(sizeof(REAL)), may_alias));

enum { R(LANES) = VECTOR_BYTES / sizeof(REAL) };

/* Copies the rows that `count` output rows from `first` on see, with their
 * borders, column by column sorted by column modulo stride, so that what a
 * kernel position sees is contiguous for any stride. */
static void R(spread_plane)(const Depthwise *d, const REAL *plane,
                            int64_t first, int64_t count, REAL *to)
{
    const Window *w = d->window;
    int64_t rows = (count - 1) * w->stride[1] +
                   (w->kernel[1] - 1) * w->dilation[1] + 1;
    memset(to, 0, (size_t)(rows * d->row_size) * sizeof *to);
    for (int64_t r = 0; r < rows; r++) {
        int64_t y = first * w->stride[1] - w->pad[1] + r;
        if (y < 0 || y >= w->in[1])
            continue;
        const REAL *line = plane + y * w->in[2];
        for (int64_t phase = 0; phase < w->stride[2]; phase++) {
            REAL *row = to + r * d->row_size + phase * d->phase_size;
            int64_t i = 0, x = phase - w->pad[2];
            for (; i < d->phase_size && x < 0; i++)
                x += w->stride[2];
            for (; i < d->phase_size && x < w->in[2]; i++, x += w->stride[2])
                row[i] = line[x];
        }
    }
}

/* Sums the taps for BLOCK vectors of output positions at once: as many
 * independent sums as hide the latency of an addition. */
SIMD static void R(sum_taps)(const REAL *const *from, const int64_t *offsets,
                             const REAL *weight, int64_t taps, REAL bias,
                             R(Lanes) * sums)
{
    R(Lanes) sum[BLOCK];
    for (int i = 0; i < BLOCK; i++)
        sum[i] = (R(Lanes)){0} + bias;
    for (int64_t t = 0; t < taps; t++)
        for (int i = 0; i < BLOCK; i++)
            sum[i] += *(const R(Lanes) *)(from[i] + offsets[t]) * weight[t];
    for (int i = 0; i < BLOCK; i++)
        sums[i] = sum[i];
}

/* One channel's output rows [first, first + count) from a spread plane. */
static void R(depthwise_rows)(const Depthwise *d, const REAL *spread,
                              const REAL *weight, REAL bias, int64_t count,
                              REAL *out)
{
    const Window *w = d->window;
    int64_t per_row = (w->out[2] + R(LANES) - 1) / R(LANES);
    int64_t vectors = count * per_row;
    R(Lanes) sums[BLOCK];
    const REAL *from[BLOCK];
    for (int64_t v = 0; v < vectors; v += BLOCK) {
        for (int i = 0; i < BLOCK; i++) {
            int64_t at = v + i < vectors ? v + i : vectors - 1;
            from[i] = spread +
                      at / per_row * w->stride[1] * d->row_size +
                      at % per_row * R(LANES);
        }
        R(sum_taps)(from, d->offsets, weight, w->kernel_size, bias, sums);
        for (int64_t i = 0; i < BLOCK && v + i < vectors; i++) {
            int64_t x = (v + i) % per_row * R(LANES);
            int64_t n = w->out[2] - x < R(LANES) ? w->out[2] - x : R(LANES);
            memcpy(out + (v + i) / per_row * w->out[2] + x, &sums[i],
                   (size_t)n * sizeof *out);
        }
    }
}

/* One band of rows of one input channel, for every output channel made of it.
 */
static void R(depthwise_band)(const Conv *conv, const Depthwise *d,
                              int64_t plane, int64_t first, int64_t count,
                              REAL *spread)
{
    const Window *w = d->window;
    R(spread_plane)(d, (const REAL *)conv->in + plane * w->in_size, first,
                    count, spread);
    const REAL *bias = conv->bias;
    for (int64_t m = 0; m < conv->group_out; m++) {
        int64_t channel = plane % conv->groups * conv->group_out + m;
        REAL *out = (REAL *)conv->out +
                    (plane * conv->group_out + m) * w->out_size +
                    first * w->out[2];
        R(depthwise_rows)(d, spread,
                          (const REAL *)conv->weight +
                              channel * w->kernel_size,
                          bias ? bias[channel] : 0, count, out);
    }
}
