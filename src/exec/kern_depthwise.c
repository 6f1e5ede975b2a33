/* Convolution of single channels. */
#include <string.h>

#include "exec/conv.h"
#include "exec/simd.h"

enum {
    VECTOR_BYTES = 32,
    BLOCK = 8,                /* vectors that are summed at once */
    SPREAD_BYTES = 256 * 1024 /* of a plane at once */
};

typedef struct Depthwise {
    const Conv *conv;
    const Window *window;
    int64_t phase_size, row_size; /* of a spread plane, in elements */
    int64_t *offsets;             /* of each kernel position in it */
    int64_t band, bands;          /* output rows at once */
} Depthwise;

#include "exec/real_f32.h"

#include "exec/kern_depthwise.inc.c"

#include "exec/real_f64.h"

#include "exec/kern_depthwise.inc.c"

static int64_t at_most(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static void depthwise_piece(void *context, int worker, int64_t begin,
                            int64_t end)
{
    const Depthwise *d = context;
    for (int64_t unit = begin; unit < end; unit++) {
        int64_t first = unit % d->bands * d->band;
        int64_t count = at_most(d->band, d->window->out[1] - first);
        void *spread = conv_scratch(d->conv, worker);
        if (d->conv->precision == PRECISION_F32)
            depthwise_band_f32(d->conv, d, unit / d->bands, first, count,
                               spread);
        else
            depthwise_band_f64(d->conv, d, unit / d->bands, first, count,
                               spread);
        int64_t channels = d->conv->group_out;
        int64_t channel = unit / d->bands * channels;
        for (int64_t m = channel; m < channel + channels; m++)
            epilogue_run(d->conv->epilogue, worker,
                         m * d->window->out_size + first * d->window->out[2],
                         count * d->window->out[2]);
    }
}

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

void conv_run_depthwise(KernelCall *call, Conv *conv)
{
    const Window *w = &conv->window;
    int64_t lanes = conv->precision == PRECISION_F32 ? LANES_f32 : LANES_f64;
    Depthwise d = {.conv = conv, .window = w};
    d.phase_size = divide_up(w->out[2], lanes) * lanes +
                   (w->kernel[2] - 1) * w->dilation[2] / w->stride[2];
    d.row_size = d.phase_size * w->stride[2];
    set_offsets(call, &d);
    int64_t size = (int64_t)conv->size;
    int64_t halo = (w->kernel[1] - 1) * w->dilation[1] + 1;
    int64_t fitting = SPREAD_BYTES / (size * d.row_size) - halo;
    d.band = at_most(fitting / w->stride[1] + 1, w->out[1]);
    if (d.band < 1)
        d.band = 1;
    d.bands = divide_up(w->out[1], d.band);
    conv_make_scratch(call, conv, 0, (d.band - 1) * w->stride[1] + halo,
                      d.row_size);
    pool_run(call->pool, conv->images * conv->groups * d.bands, 1,
             depthwise_piece, &d);
}
