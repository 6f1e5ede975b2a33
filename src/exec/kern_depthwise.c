/*
 * Convolution over single channels, from spread planes, a band of rows at once.
 */
#include <string.h>

#include "exec/integer.h"
#include "exec/level.h"
#include "exec/spread.h"

enum {
    SPREAD_BYTES = 32 * 1024, /* of a plane at once */
    PIECES_EACH = 4,          /* of work, for each thread */
    TOGETHER = 1024, /* elements for the epilogue, if planes are small */
    LINE = 64
};

typedef struct Depthwise {
    const Conv *conv;
    Spread spread;
    StripRun *run;
    int source;  /* the first one whose window sees the plane alike */
    size_t made; /* where, in a worker's scratch, what it computes is, unless it
                    has an output */
} Depthwise;

/* A kernel and those beside, which go band by band together. */
typedef struct Bands {
    Depthwise *items;
    int count;
    int64_t band, bands; /* output rows at once */
    int64_t together;    /* elements, at least, for the epilogue */
} Bands;

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

/* One output channel of a band. */
static void run_channel(const Depthwise *d, int64_t channel, const void *spread,
                        void *out, int64_t rows)
{
    const Conv *conv = d->conv;
    const Window *w = &conv->window;
    Strip strip = {
        .from = spread,
        .from_step = d->spread.row_size,
        .weight = conv_at(conv, conv->weight, channel * w->kernel_size),
        .start = conv->bias ? conv_at(conv, conv->bias, channel) : NULL,
        .offsets = d->spread.offsets,
        .height = w->kernel[1],
        .width = w->kernel[2],
        .stride = w->stride[1],
        .least = conv->least,
        .out = out,
        .rows = rows,
        .columns = w->out[2]};
    d->run(&strip);
}

/* What the epilogue has not seen yet: contiguous elements of the output. */
typedef struct Pending {
    int64_t first, count;
} Pending;

/* Output channel m of one band of an input channel. */
static void run_band(const Bands *b, int worker, int64_t unit, int64_t m,
                     Pending *pending)
{
    const Conv *lead = b->items->conv;
    const Window *w = &lead->window;
    int64_t plane = unit / b->bands, first = unit % b->bands * b->band;
    int64_t count = at_most(b->band, w->out[1] - first);
    int64_t at =
        (plane * lead->group_out + m) * w->out_size + first * w->out[2];
    if (pending->count == 0)
        pending->first = at;
    for (int i = 0; i < b->count; i++) {
        const Depthwise *d = &b->items[i];
        char *scratch = conv_scratch(d->conv, worker);
        void *spread = conv_scratch(b->items[d->source].conv, worker);
        void *out = d->conv->out
                        ? conv_at(d->conv, d->conv->out, at)
                        : conv_at(d->conv, scratch + d->made, pending->count);
        if (m == 0 && d->source == i)
            spread_band(&d->spread, plane, first, count, spread);
        run_channel(d, plane % lead->groups * lead->group_out + m, spread, out,
                    count);
    }
    pending->count += count * w->out[2];
}

static void finish(const Bands *b, int worker, Pending *pending)
{
    const Epilogue *epilogue = b->items->conv->epilogue;
    const void *beside[BESIDE_MOST];
    for (int i = 1; i < b->count; i++)
        beside[i - 1] =
            (char *)conv_scratch(b->items[i].conv, worker) + b->items[i].made;
    if (epilogue)
        epilogue->run(epilogue->context, worker, pending->first, pending->count,
                      beside);
    pending->count = 0;
}

static void depthwise_piece(void *context, int worker, int64_t begin,
                            int64_t end)
{
    const Bands *b = context;
    int64_t channels = b->items->conv->group_out;
    Pending pending = {0, 0};
    for (int i = 0; i < b->count; i++)
        memset(conv_scratch(b->items[i].conv, worker), 0, b->items[i].made);
    for (int64_t unit = begin; unit < end; unit++)
        for (int64_t m = 0; m < channels; m++) {
            run_band(b, worker, unit, m, &pending);
            if (pending.count >= b->together)
                finish(b, worker, &pending);
        }
    if (pending.count > 0)
        finish(b, worker, &pending);
}

/* ---- All of them ---- */

/* How each kernel goes, and bands that all have room for. */
static void plan_kernels(KernelCall *call, const Conv *convs, Bands *b)
{
    const Window *w = &convs->window;
    for (int i = 0; i < b->count; i++) {
        Depthwise *d = &b->items[i];
        const DepthwiseSet *set = choose_set(&convs[i]);
        d->conv = &convs[i];
        d->run = choose_run(set, &convs[i].window);
        spread_make(call, d->conv, set, &d->spread);
        while (memcmp(&convs[d->source].window, &convs[i].window, sizeof *w))
            d->source++;
        int64_t fitting =
            SPREAD_BYTES / ((int64_t)convs[i].size * d->spread.row_size) -
            spread_rows(&d->spread, 1);
        int64_t strips = clamp(fitting / convs[i].window.stride[1] / set->rows,
                               1, divide_up(w->out[1], set->rows));
        b->band =
            i == 0 ? strips * set->rows : at_most(b->band, strips * set->rows);
    }
    b->bands = divide_up(w->out[1], b->band);
    b->together = convs->group_out > 1 && b->bands > 1 ? 1 : TOGETHER;
}

static void make_scratch(KernelCall *call, Conv *convs, Bands *b)
{
    int64_t most = b->together + b->band * convs->window.out[2];
    for (int i = 0; i < b->count; i++) {
        Depthwise *d = &b->items[i];
        size_t made = 0;
        if (!convs[i].out)
            made =
                (size_t)divide_up(most * (int64_t)convs[i].size, LINE) * LINE;
        d->spread.steady = b->bands == 1;
        conv_make_scratch(call, &convs[i], made,
                          spread_rows(&d->spread, b->band), d->spread.row_size);
        d->made = convs[i].scratch_size - made;
    }
}

void conv_run_depthwise(KernelCall *call, Conv *convs, int count)
{
    Bands b = {.count = count,
               .items =
                   arena_array(call->arena, (size_t)count, sizeof *b.items)};
    conv_take_relu(convs);
    plan_kernels(call, convs, &b);
    make_scratch(call, convs, &b);
    int64_t units = convs->images * convs->groups * b.bands;
    int threads = pool_threads(call->pool);
    pool_run(call->pool, units,
             threads > 1 ? divide_up(units, (int64_t)threads * PIECES_EACH)
                         : units,
             depthwise_piece, &b);
}
