/*
 * Convolution over single channels.
 *
 * The rows of a plane that some output rows see are copied into a spread
 * plane: with their borders, and column by column sorted modulo the stride, so
 * that what a kernel position sees is contiguous for any stride and no inner
 * loop knows of borders.  Outputs are computed in strips, one vector wide and
 * as many rows high as there are registers.
 */
#include <string.h>

#include "exec/conv.h"
#include "exec/level.h"

enum {
    SPREAD_BYTES = 32 * 1024, /* of a plane at once */
    PIECES_EACH = 4           /* of work, for each thread */
};

typedef struct Depthwise {
    const Conv *conv;
    const Window *window;
    const DepthwiseSet *set;
    StripRun *run;
    int64_t phase_size, row_size; /* of a spread plane, in elements */
    bool copies;                  /* the rows of the input as they are */
    int64_t *offsets;             /* of each kernel position in it */
    int64_t band, bands;          /* output rows at once */
} Depthwise;

static int64_t at_most(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t clamp(int64_t x, int64_t low, int64_t high)
{
    return x < low ? low : x > high ? high : x;
}

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

#include "exec/real_f32.h"

#include "exec/kern_depthwise.inc.c"

#include "exec/real_f64.h"

#include "exec/kern_depthwise.inc.c"

/* Vectors no wider than a row, where the machine has such. */
static const DepthwiseSet *choose_set(const Conv *conv)
{
    bool f32 = conv->precision == PRECISION_F32;
    const DepthwiseSet *set = f32 ? &depthwise_f32_plain : &depthwise_f64_plain;
#if defined(__x86_64__)
    int64_t width = conv->window.out[2];
    if (conv->level >= SIMD_AVX2)
        set = f32 ? &depthwise_f32_avx2 : &depthwise_f64_avx2;
    if (conv->level >= SIMD_AVX512 && width > set->lanes)
        set = f32 ? &depthwise_f32_avx512 : &depthwise_f64_avx512;
#elif defined(__aarch64__)
    if (conv->level >= SIMD_NEON)
        set = f32 ? &depthwise_f32_neon : &depthwise_f64_neon;
#endif
    return set;
}

static StripRun *choose_run(const DepthwiseSet *set, const Window *w)
{
    int64_t height = w->kernel[1], stride = w->stride[1];
    if (w->dilation[1] != 1 || stride > STRIP_STRIDES || height % 2 == 0 ||
        height < 3 || height > 1 + 2 * STRIP_HEIGHTS)
        return set->any;
    return set->run[height / 2 - 1][stride - 1];
}

/* ---- Spreading ---- */

static void spread_line(const Depthwise *d, const char *line, void *to)
{
    if (d->conv->precision == PRECISION_F32)
        spread_line_f32(d, (const float *)(const void *)line, to);
    else
        spread_line_f64(d, (const double *)(const void *)line, to);
}

/* Rows [first, first + count) of a plane, of which all are inside. The set's
 * copy may read a vector less one element beyond a row, which is not there
 * after the last plane. */
static void spread_inside(const Depthwise *d, int64_t plane, int64_t first,
                          int64_t count, void *to)
{
    const Conv *conv = d->conv;
    const Window *w = d->window;
    int64_t planes = conv->images * conv->groups;
    int64_t begin = plane * w->in_size + first * w->in[2];
    int64_t after = planes * w->in_size - begin - (d->set->lanes - 1);
    int64_t fast = after > 0 ? at_most(after / w->in[2], count) : 0;
    if (!d->copies)
        fast = 0;
    d->set->spread(conv_at(conv, conv->in, begin), w->in[2], fast, w->in[2],
                   conv_at(conv, to, w->pad[2]), d->row_size);
    for (int64_t r = fast; r < count; r++)
        spread_line(d, conv_at(conv, conv->in, begin + r * w->in[2]),
                    conv_at(conv, to, r * d->row_size));
}

/* What `count` output rows from `first` on see. Columns outside of the plane
 * are zeros from the start. */
static void spread_band(const Depthwise *d, int64_t plane, int64_t first,
                        int64_t count, void *to)
{
    const Window *w = d->window;
    int64_t rows =
        (count - 1) * w->stride[1] + (w->kernel[1] - 1) * w->dilation[1] + 1;
    int64_t top = first * w->stride[1] - w->pad[1];
    int64_t begin = clamp(-top, 0, rows);
    int64_t end = clamp(w->in[1] - top, begin, rows);
    size_t row = (size_t)d->row_size * d->conv->size;
    memset(to, 0, (size_t)begin * row);
    memset((char *)to + (size_t)end * row, 0, (size_t)(rows - end) * row);
    spread_inside(d, plane, top + begin, end - begin,
                  (char *)to + (size_t)begin * row);
}

/* ---- Strips ---- */

/* One output channel of a band. What a whole vector writes beyond a narrow row
 * is overwritten by the next rows, as far as the band has such. */
static void run_strips(const Depthwise *d, const void *spread, int64_t channel,
                       void *out, int64_t count)
{
    const Conv *conv = d->conv;
    const Window *w = d->window;
    const DepthwiseSet *set = d->set;
    int64_t width = w->out[2], lanes = set->lanes;
    int64_t whole =
        width >= lanes ? count : (count * width - lanes) / width + 1;
    Strip strip = {
        .weight = conv_at(conv, conv->weight, channel * w->kernel_size),
        .start = conv->bias ? conv_at(conv, conv->bias, channel) : NULL,
        .from_step = d->row_size,
        .offsets = d->offsets,
        .height = w->kernel[1],
        .width = w->kernel[2],
        .stride = w->stride[1],
        .out_step = width,
        .columns = (int)at_most(lanes, width)};
    for (int64_t i = 0; i < count; i += set->rows) {
        strip.rows = (int)at_most(set->rows, count - i);
        strip.whole =
            count * width >= lanes ? (int)clamp(whole - i, 0, set->rows) : 0;
        for (int64_t j = 0; j < width; j += lanes) {
            int64_t x = j + lanes <= width || j == 0 ? j : width - lanes;
            strip.from =
                conv_at(conv, spread, i * w->stride[1] * d->row_size + x);
            strip.out = conv_at(conv, out, i * width + x);
            d->run(&strip);
        }
    }
}

static void depthwise_piece(void *context, int worker, int64_t begin,
                            int64_t end)
{
    const Depthwise *d = context;
    const Conv *conv = d->conv;
    const Window *w = d->window;
    void *spread = conv_scratch(conv, worker);
    memset(spread, 0, conv->scratch_size);
    for (int64_t unit = begin; unit < end; unit++) {
        int64_t plane = unit / d->bands, first = unit % d->bands * d->band;
        int64_t count = at_most(d->band, w->out[1] - first);
        spread_band(d, plane, first, count, spread);
        for (int64_t m = 0; m < conv->group_out; m++) {
            int64_t channel = plane * conv->group_out + m;
            int64_t at = channel * w->out_size + first * w->out[2];
            run_strips(d, spread, channel % (conv->groups * conv->group_out),
                       conv_at(conv, conv->out, at), count);
            epilogue_run(conv->epilogue, worker, at, count * w->out[2]);
        }
    }
}

/* ---- Layout ---- */

/* Where each kernel position looks in a spread plane. */
static void set_offsets(KernelCall *call, Depthwise *d)
{
    const Window *w = d->window;
    d->offsets =
        arena_array(call->arena, (size_t)w->kernel_size, sizeof *d->offsets);
    for (int64_t t = 0; t < w->kernel_size; t++) {
        int64_t row = t / w->kernel[2] * w->dilation[1];
        int64_t column = t % w->kernel[2] * w->dilation[2];
        d->offsets[t] = row * d->row_size +
                        column % w->stride[2] * d->phase_size +
                        column / w->stride[2];
    }
}

/* A row holds what every strip of outputs sees. Where it is a copy of the
 * input's row with a border, all of that. */
static void set_row_size(Depthwise *d)
{
    const Window *w = d->window;
    int64_t lanes = d->set->lanes;
    d->copies = w->stride[2] == 1 && w->pad[2] >= 0;
    d->phase_size = (w->out[2] > lanes ? w->out[2] : lanes) +
                    (w->kernel[2] - 1) * w->dilation[2] / w->stride[2];
    int64_t copied = w->pad[2] + divide_up(w->in[2], lanes) * lanes;
    if (d->copies && d->phase_size < copied)
        d->phase_size = copied;
    d->row_size = d->phase_size * w->stride[2];
}

void conv_run_depthwise(KernelCall *call, Conv *conv)
{
    const Window *w = &conv->window;
    Depthwise d = {.conv = conv, .window = w, .set = choose_set(conv)};
    d.run = choose_run(d.set, w);
    set_row_size(&d);
    set_offsets(call, &d);
    int64_t halo = (w->kernel[1] - 1) * w->dilation[1] + 1;
    int64_t fitting = SPREAD_BYTES / ((int64_t)conv->size * d.row_size) - halo;
    int64_t strips = clamp(fitting / w->stride[1] / d.set->rows, 1,
                           divide_up(w->out[1], d.set->rows));
    d.band = strips * d.set->rows;
    d.bands = divide_up(w->out[1], d.band);
    conv_make_scratch(call, conv, 0, (d.band - 1) * w->stride[1] + halo,
                      d.row_size);
    int64_t units = conv->images * conv->groups * d.bands;
    int threads = pool_threads(call->pool);
    pool_run(call->pool, units,
             threads > 1 ? divide_up(units, (int64_t)threads * PIECES_EACH)
                         : units,
             depthwise_piece, &d);
}
