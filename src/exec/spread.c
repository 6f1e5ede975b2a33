#include "exec/spread.h"

#include <string.h>

#include "exec/integer.h"

#include "exec/real_f32.h"

#include "exec/spread.inc.c"

#include "exec/real_f64.h"

#include "exec/spread.inc.c"

/* Where even and odd columns go with a stride of 2: the padding shifts both,
 * and exchanges them where it is odd. */
static int64_t pair_place(const Spread *s, int64_t odd)
{
    int64_t at = s->conv->window.pad[2] + odd;
    return at % 2 * s->phase_size + at / 2;
}

/* Columns that the set's copies take at once, 0 where they do not do it. */
static int64_t copied_together(const Spread *s)
{
    int64_t stride = s->conv->window.stride[2];
    return s->fits && stride <= 2 ? stride * s->set->lanes : 0;
}

/* Rows into the middle of a border. The set's copies read whole vectors, which
 * after the last plane are not there: `left` elements are. Returns how many
 * rows were copied. */
static int64_t copy_rows(const Spread *s, const void *from, int64_t count,
                         int64_t left, void *to)
{
    const Window *w = &s->conv->window;
    int64_t width = w->in[2], together = copied_together(s), rows = count;
    if (together == 0 || width == 0)
        return 0;
    int64_t safe = left - (round_up(width, together) - width);
    if (safe < count * width)
        rows = safe > 0 ? safe / width : 0;
    if (w->stride[2] == 1)
        s->set->spread(from, width, rows, width,
                       conv_at(s->conv, to, w->pad[2]), s->row_size);
    else
        s->set->spread_pairs(
            from, width, rows, width, conv_at(s->conv, to, pair_place(s, 0)),
            conv_at(s->conv, to, pair_place(s, 1)), s->row_size);
    return rows;
}

/* Rows [first, first + count) of a plane, of which all are inside. */
static void spread_inside(const Spread *s, int64_t plane, int64_t first,
                          int64_t count, void *to)
{
    const Conv *conv = s->conv;
    const Window *w = &conv->window;
    int64_t planes = conv->images * conv->groups * conv->group_in;
    int64_t begin = plane * w->in_size + first * w->in[2];
    const void *from = conv_at(conv, conv->in, begin);
    int64_t done = copy_rows(s, from, count, planes * w->in_size - begin, to);
    for (int64_t r = done; r < count; r++)
        (conv->precision == PRECISION_F32 ? spread_line_f32 : spread_line_f64)(
            s, conv_at(conv, from, r * w->in[2]),
            conv_at(conv, to, r * s->row_size));
}

int64_t spread_rows(const Spread *s, int64_t count)
{
    const Window *w = &s->conv->window;
    return (count - 1) * w->stride[1] + (w->kernel[1] - 1) * w->dilation[1] + 1;
}

void spread_band(const Spread *s, int64_t plane, int64_t first, int64_t count,
                 void *to)
{
    const Window *w = &s->conv->window;
    int64_t rows = spread_rows(s, count);
    int64_t top = first * w->stride[1] - w->pad[1];
    int64_t begin = clamp(-top, 0, rows);
    int64_t end = clamp(w->in[1] - top, begin, rows);
    size_t row = (size_t)s->row_size * s->conv->size;
    if (!s->steady) {
        memset(to, 0, (size_t)begin * row);
        memset((char *)to + (size_t)end * row, 0, (size_t)(rows - end) * row);
    }
    spread_inside(s, plane, top + begin, end - begin,
                  (char *)to + (size_t)begin * row);
}

/* A row holds what every vector of outputs sees, and wherever there is padding
 * rather than the opposite, all of the input's row. */
static void set_row_size(Spread *s)
{
    const Window *w = &s->conv->window;
    int64_t lanes = s->set->lanes, stride = w->stride[2];
    s->fits = w->pad[2] >= 0;
    int64_t together = at_least(copied_together(s), 1);
    int64_t copied = w->pad[2] + round_up(w->in[2], together);
    s->phase_size = (w->out[2] > lanes ? w->out[2] : lanes) +
                    (w->kernel[2] - 1) * w->dilation[2] / stride;
    if (s->fits && s->phase_size < divide_up(copied, stride))
        s->phase_size = divide_up(copied, stride);
    s->row_size = s->phase_size * stride;
}

void spread_make(const KernelCall *call, const Conv *conv,
                 const DepthwiseSet *set, Spread *out)
{
    const Window *w = &conv->window;
    *out = (Spread){.conv = conv, .set = set};
    set_row_size(out);
    out->offsets =
        arena_array(call->arena, (size_t)w->kernel_size, sizeof *out->offsets);
    for (int64_t t = 0; t < w->kernel_size; t++) {
        int64_t row = t / w->kernel[2] * w->dilation[1];
        int64_t column = t % w->kernel[2] * w->dilation[2];
        out->offsets[t] = row * out->row_size +
                          column % w->stride[2] * out->phase_size +
                          column / w->stride[2];
    }
}
