/* The im2col in three dimensions, for one real type: see
 * kern_conv.c. */

/* What a kernel position sees of output positions [x, x + count) of one row.
 * `line` is the input's row, `from` where the first of them looks. */
static void R(unfold_line)(const Window *w, const REAL *line, int64_t from,
                           int64_t count, REAL *to)
{
    for (int64_t i = 0; i < count; i++, from += w->stride[2])
        to[i] = from < 0 || from >= w->in[2] ? 0 : line[from];
}

/* One row of im2col: what one kernel position of one channel sees from output
 * positions [first, first + count). */
static void R(unfold_row)(const Window *w, const REAL *plane,
                          const int64_t tap[WINDOW_AXES], int64_t first,
                          int64_t count, REAL *to)
{
    int64_t x = first % w->out[2], row = first / w->out[2];
    int64_t y = row % w->out[1], z = row / w->out[1];
    for (int64_t done = 0, now; done < count; done += now, x = 0) {
        now = at_most(w->out[2] - x, count - done);
        int64_t in_z = z * w->stride[0] + tap[0];
        int64_t in_y = y * w->stride[1] + tap[1];
        if (in_z < 0 || in_z >= w->in[0] || in_y < 0 || in_y >= w->in[1])
            memset(to + done, 0, (size_t)now * sizeof *to);
        else
            R(unfold_line)(w, plane + (in_z * w->in[1] + in_y) * w->in[2],
                           x * w->stride[2] + tap[2], now, to + done);
        if (++y == w->out[1]) {
            y = 0;
            z++;
        }
    }
}

static void R(unfold)(const void *source, const GemmBlock *block, void *to_,
                      int64_t to_step)
{
    const Unfold *unfold = source;
    const Window *w = &unfold->conv->window;
    REAL *to = to_;
    for (int64_t k = block->row; k < block->row + block->rows; k++) {
        const REAL *plane = (const REAL *)unfold->conv->in +
                            (unfold->plane + k / w->kernel_size) * w->in_size;
        int64_t tap[WINDOW_AXES], rest = k % w->kernel_size;
        for (int i = WINDOW_AXES - 1; i >= 0; i--) {
            tap[i] = rest % w->kernel[i] * w->dilation[i] - w->pad[i];
            rest /= w->kernel[i];
        }
        R(unfold_row)(w, plane, tap, block->column, block->columns, to);
        to += to_step;
    }
}
