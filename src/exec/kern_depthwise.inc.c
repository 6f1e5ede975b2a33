/* Depthwise convolution for one real type: see kern_depthwise.c. */

/* Columns of one input row, sorted by column modulo stride: `to` holds what
 * the first kernel column sees, then what the next one does, and so on. */
SIMD static void R(spread_line)(const Depthwise *d, const REAL *line, REAL *to)
{
    const Window *w = d->window;
    int64_t stride = w->stride[2];
    for (int64_t phase = 0; phase < stride; phase++, to += d->phase_size) {
        int64_t from = phase - w->pad[2];
        int64_t first = from < 0 ? divide_up(-from, stride) : 0;
        int64_t last = from < w->in[2] ? divide_up(w->in[2] - from, stride) : 0;
        if (last > d->phase_size)
            last = d->phase_size;
        if (stride == 2)
            LOOP for (int64_t i = first; i < last; i++)
                to[i] = line[from + 2 * i];
        else
            LOOP for (int64_t i = first; i < last; i++)
                to[i] = line[from + stride * i];
    }
}
