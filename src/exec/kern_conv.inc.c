/* Convolution for one real type: see kern_conv.c. */

/* A vector that may lie anywhere. */
typedef REAL R(Lanes) __attribute__((vector_size(VECTOR_BYTES),
                                     aligned(sizeof(REAL)), may_alias));

enum { R(LANES) = VECTOR_BYTES / sizeof(REAL) };

/* ---- Dense: im2col and GEMM ---- */

/* One row of im2col: what one kernel position of one channel sees from output
 * positions [first, first + count). */
static void R(unfold_row)(const Window *w, const REAL *plane,
                          const int64_t tap[WINDOW_AXES], int64_t first,
                          int64_t count, REAL *to)
{
    int64_t x = first % w->out[2], row = first / w->out[2];
    for (int64_t done = 0, now; done < count; done += now, x = 0, row++) {
        now = w->out[2] - x < count - done ? w->out[2] - x : count - done;
        int64_t z = row / w->out[1] * w->stride[0] +
                    tap[0] * w->dilation[0] - w->pad[0];
        int64_t y = row % w->out[1] * w->stride[1] +
                    tap[1] * w->dilation[1] - w->pad[1];
        int64_t from = x * w->stride[2] + tap[2] * w->dilation[2] - w->pad[2];
        bool outside = z < 0 || z >= w->in[0] || y < 0 || y >= w->in[1];
        const REAL *line = plane + (z * w->in[1] + y) * w->in[2];
        if (outside)
            memset(to + done, 0, (size_t)now * sizeof *to);
        for (int64_t i = 0; i < now && !outside; i++) {
            int64_t at = from + i * w->stride[2];
            to[done + i] = at < 0 || at >= w->in[2] ? 0 : line[at];
        }
    }
}

static void R(unfold)(const Conv *conv, const REAL *group, int64_t first,
                      int64_t count, REAL *to)
{
    const Window *w = &conv->window;
    for (int64_t c = 0; c < conv->group_in; c++) {
        int64_t tap[WINDOW_AXES];
        for (tap[0] = 0; tap[0] < w->kernel[0]; tap[0]++)
            for (tap[1] = 0; tap[1] < w->kernel[1]; tap[1]++)
                for (tap[2] = 0; tap[2] < w->kernel[2]; tap[2]++) {
                    R(unfold_row)(w, group + c * w->in_size, tap, first, count,
                                  to);
                    to += count;
                }
    }
}

/* One tile: channels [channel, channel + channels) of one group of one image
 * at positions [first, first + count). */
static void R(conv_tile)(const Conv *conv, const Tile *tile, REAL *scratch)
{
    const Window *w = &conv->window;
    int64_t depth = conv->group_in * w->kernel_size;
    int64_t out_channel = tile->group * conv->group_out + tile->channel;
    const REAL *weight = (const REAL *)conv->weight + out_channel * depth;
    const REAL *group =
        (const REAL *)conv->in +
        (tile->image * conv->groups + tile->group) * conv->group_in *
            w->in_size;
    REAL *out = (REAL *)conv->out +
                (tile->image * conv->groups * conv->group_out + out_channel) *
                    w->out_size +
                tile->first;
    const REAL *bias = conv->bias;
    for (int64_t m = 0; m < tile->channels; m++)
        for (int64_t i = 0; i < tile->count; i++)
            out[m * w->out_size + i] = bias ? bias[out_channel + m] : 0;
    const REAL *columns = group + tile->first;
    int64_t columns_step = w->in_size;
    if (!conv->is_pointwise) {
        R(unfold)(conv, group, tile->first, tile->count, scratch);
        columns = scratch;
        columns_step = tile->count;
    }
    BLAS(gemm)(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)tile->channels,
               (int)tile->count, (int)depth, 1, weight, (int)depth, columns,
               (int)columns_step, 1, out, (int)w->out_size);
}

/* ---- Depthwise ---- */

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

/* ---- ConvTranspose ---- */

/* One output channel: every input position times the kernel, added where it
 * falls. `products` is kernel positions by input positions. */
static void R(transposed_channel)(const Conv *conv, int64_t image,
                                  int64_t channel, REAL *products)
{
    const Window *w = &conv->window;
    int64_t group = channel / conv->group_out;
    int64_t width = conv->group_out * w->kernel_size;
    const REAL *weight = (const REAL *)conv->weight +
                         group * conv->group_in * width +
                         channel % conv->group_out * w->kernel_size;
    const REAL *in = (const REAL *)conv->in +
                     (image * conv->groups + group) * conv->group_in *
                         w->in_size;
    REAL *out = (REAL *)conv->out +
                (image * conv->groups * conv->group_out + channel) *
                    w->out_size;
    BLAS(gemm)(CblasRowMajor, CblasTrans, CblasNoTrans, (int)w->kernel_size,
               (int)w->in_size, (int)conv->group_in, 1, weight, (int)width, in,
               (int)w->in_size, 0, products, (int)w->in_size);
    REAL bias = conv->bias ? ((const REAL *)conv->bias)[channel] : 0;
    for (int64_t i = 0; i < w->out_size; i++)
        out[i] = bias;
    int64_t at[WINDOW_AXES];
    for (int64_t t = 0; t < w->kernel_size; t++)
        for (int64_t p = 0; p < w->in_size; p++)
            if (window_hits(w, t, p, at))
                out[(at[0] * w->out[1] + at[1]) * w->out[2] + at[2]] +=
                    products[t * w->in_size + p];
}
