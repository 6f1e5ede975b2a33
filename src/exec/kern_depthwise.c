/*
 * Convolution over single channels, from spread planes, a band of rows at once.
 */
#include <string.h>

#include "exec/integer.h"
#include "exec/level.h"
#include "exec/spread.h"

enum {
    SPREAD_BYTES = 32 * 1024, /* of a plane at once */
    PIECES_EACH = 4           /* of work, for each thread */
};

typedef struct Depthwise {
    Spread spread;
    StripRun *run;
    int64_t band, bands; /* output rows at once */
} Depthwise;

/* Vectors no wider than a row needs; both levels give the same results. */
static const DepthwiseSet *choose_set(const Conv *conv)
{
    const DepthwiseSet *narrow = depthwise_set(conv->precision, SIMD_AVX2);
    if (conv->level == SIMD_AVX512 && conv->window.out[2] <= narrow->lanes)
        return narrow;
    return depthwise_set(conv->precision, conv->level);
}

static StripRun *choose_run(const DepthwiseSet *set, const Window *w)
{
    int64_t height = w->kernel[1], stride = w->stride[1];
    if (w->dilation[1] != 1 || stride > STRIP_STRIDES || height % 2 == 0 ||
        height < 3 || height > 1 + 2 * STRIP_HEIGHTS)
        return set->any;
    if (height == 3 && w->kernel[2] == 3)
        return set->run_3x3[stride - 1];
    return set->run[height / 2 - 1][stride - 1];
}

/* Every output channel of one band of an input channel. */
static void run_band(const Depthwise *d, int worker, int64_t plane,
                     int64_t band, Strip *strip)
{
    const Conv *conv = d->spread.conv;
    const Window *w = &conv->window;
    void *spread = conv_scratch(conv, worker);
    int64_t first = band * d->band;
    int64_t count = at_most(d->band, w->out[1] - first);
    int64_t weights = plane % conv->groups * conv->group_out;
    spread_band(&d->spread, plane, first, count, spread);
    strip->from = spread;
    strip->rows = count;
    for (int64_t m = 0; m < conv->group_out; m++) {
        int64_t at =
            (plane * conv->group_out + m) * w->out_size + first * w->out[2];
        strip->weight =
            conv_at(conv, conv->weight, (weights + m) * w->kernel_size);
        if (conv->bias)
            strip->start = conv_at(conv, conv->bias, weights + m);
        strip->out = conv_at(conv, conv->out, at);
        d->run(strip);
        epilogue_run(conv->epilogue, worker, at, count * w->out[2]);
    }
}

static void depthwise_piece(void *context, int worker, int64_t begin,
                            int64_t end)
{
    const Depthwise *d = context;
    const Conv *conv = d->spread.conv;
    const Window *w = &conv->window;
    Strip strip = {.from_step = d->spread.row_size,
                   .offsets = d->spread.offsets,
                   .height = w->kernel[1],
                   .width = w->kernel[2],
                   .stride = w->stride[1],
                   .least = conv->least,
                   .columns = w->out[2]};
    memset(conv_scratch(conv, worker), 0, conv->scratch_size);
    for (int64_t unit = begin; unit < end; unit++)
        run_band(d, worker, unit / d->bands, unit % d->bands, &strip);
}

void conv_run_depthwise(KernelCall *call, Conv *conv)
{
    const Window *w = &conv->window;
    const DepthwiseSet *set = choose_set(conv);
    Depthwise d = {.run = choose_run(set, w)};
    conv_take_relu(conv);
    spread_make(call, conv, set, &d.spread);
    int64_t row_size = d.spread.row_size;
    int64_t fitting = SPREAD_BYTES / ((int64_t)conv->size * row_size) -
                      spread_rows(&d.spread, 1);
    int64_t strips = clamp(fitting / w->stride[1] / set->rows, 1,
                           divide_up(w->out[1], set->rows));
    d.band = strips * set->rows;
    d.bands = divide_up(w->out[1], d.band);
    d.spread.steady = d.bands == 1;
    conv_make_scratch(call, conv, 0, spread_rows(&d.spread, d.band), row_size);
    int64_t units = conv->images * conv->groups * d.bands;
    int threads = pool_threads(call->pool);
    pool_run(call->pool, units,
             threads > 1 ? divide_up(units, (int64_t)threads * PIECES_EACH)
                         : units,
             depthwise_piece, &d);
}
