/* Spreading for one real type: see spread.c. */

/* Columns of one input row, sorted by column modulo stride: `to` holds what
 * the first kernel column sees, then what the next one does, and so on. */
static void R(spread_line)(const Spread *s, const void *line_, void *to_)
{
    const Window *w = &s->conv->window;
    const REAL *line = line_;
    REAL *to = to_;
    int64_t stride = w->stride[2];
    for (int64_t phase = 0; phase < stride; phase++, to += s->phase_size) {
        int64_t from = phase - w->pad[2];
        int64_t first = from < 0 ? divide_up(-from, stride) : 0;
        int64_t last = from < w->in[2] ? divide_up(w->in[2] - from, stride) : 0;
        if (last > s->phase_size)
            last = s->phase_size;
        for (int64_t i = first; i < last; i++)
            to[i] = line[from + stride * i];
    }
}
