/* The im2col of a convolution for one real type: see kern_conv.c. */

/* What a kernel position sees of output positions [x, x + count) of one row.
 * `line` is the input's row, `from` where the first of them looks. */
SIMD static void R(unfold_line)(const Window *w, const REAL *line,
                                int64_t from, int64_t count, REAL *to)
{
    int64_t stride = w->stride[2], first = 0, last = count;
    if (from < 0)
        first = smaller((-from + stride - 1) / stride, count);
    if (from + (count - 1) * stride >= w->in[2])
        last = larger((w->in[2] - from + stride - 1) / stride, first);
    for (int64_t i = 0; i < first; i++)
        to[i] = 0;
    if (stride == 1)
        LOOP for (int64_t i = first; i < last; i++)
            to[i] = line[from + i];
    else if (stride == 2)
        LOOP for (int64_t i = first; i < last; i++)
            to[i] = line[from + 2 * i];
    else
        LOOP for (int64_t i = first; i < last; i++)
            to[i] = line[from + i * stride];
    for (int64_t i = last; i < count; i++)
        to[i] = 0;
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
        now = smaller(w->out[2] - x, count - done);
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

/* The same where the output is as wide and high as the input and all strides
 * are 1: the plane itself, moved; then zeros at the border columns. */
static void R(unfold_moved)(const Window *w, const REAL *plane,
                            const int64_t tap[WINDOW_AXES], int64_t first,
                            int64_t count, REAL *to)
{
    int64_t width = w->in[2], move = tap[1] * width + tap[2];
    int64_t from = larger(0, smaller(count, -move - first));
    int64_t last = larger(from, smaller(count, w->in_size - move - first));
    memset(to, 0, (size_t)from * sizeof *to);
    memcpy(to + from, plane + first + move + from,
           (size_t)(last - from) * sizeof *to);
    memset(to + last, 0, (size_t)(count - last) * sizeof *to);
    int64_t outside = smaller(width, larger(tap[2], -tap[2]));
    int64_t border = tap[2] < 0 ? 0 : width - outside;
    for (int64_t row = first / width * width; row < first + count && outside;
         row += width) {
        int64_t begin = larger(0, row + border - first);
        int64_t end = smaller(count, row + border + outside - first);
        for (int64_t i = begin; i < end; i++)
            to[i] = 0;
    }
}

static void R(unfold)(const void *source, const GemmBlock *block, void *to_,
                      int64_t to_step)
{
    const Unfold *unfold = source;
    const Window *w = unfold->window;
    REAL *to = to_;
    for (int64_t k = block->row; k < block->row + block->rows; k++) {
        const REAL *plane =
            (const REAL *)unfold->in + k / w->kernel_size * w->in_size;
        int64_t tap[WINDOW_AXES], rest = k % w->kernel_size;
        for (int i = WINDOW_AXES - 1; i >= 0; i--) {
            tap[i] = rest % w->kernel[i] * w->dilation[i] - w->pad[i];
            rest /= w->kernel[i];
        }
        (unfold->moves ? R(unfold_moved)
                       : R(unfold_row))(w, plane, tap, block->column,
                                        block->columns, to);
        to += to_step;
    }
}
