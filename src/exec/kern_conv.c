/*
 * Conv and ConvTranspose.
 *
 * y[n, m, o] = bias[m] + sum over c, k of w[m, c, k] * x[n, c, o * stride +
 * k * dilation - pad], within each group.
 *
 * A 1x1 kernel is a matrix product as it stands.  Any other dense one becomes
 * a product by im2col, of which never more than a tile exists.  A kernel over
 * one channel (depthwise) has loops of its own.
 */
#include <cblas.h>
#include <limits.h>
#include <string.h>

#include "exec/simd.h"
#include "exec/window.h"

enum {
    VECTOR_BYTES = 32,
    BLOCK = 8,               /* vectors that are summed at once */
    TILE_BYTES = 512 * 1024, /* of im2col */
    TILE_LEAST = 64,         /* output positions in a tile */
    TILE_MOST = 1024,
    TILES_WANTED = 8,         /* so that every thread finds one */
    SPREAD_BYTES = 256 * 1024 /* of a depthwise plane at once */
};

typedef struct Conv {
    Window window;
    int64_t images, groups, group_in, group_out; /* channels in a group */
    bool is_pointwise;
    const void *in, *weight, *bias; /* bias is NULL where there is none */
    void *out;
    /* Tiles of one group of one image. */
    int64_t tile_size, tile_count;       /* of positions */
    int64_t channel_size, channel_count; /* of output channels */
    char *scratch;
    size_t scratch_size; /* of one worker */
    const Epilogue *epilogue;
    bool is_f32;
} Conv;

typedef struct Tile {
    int64_t image, group, channel, channels, first, count;
} Tile;

typedef struct Depthwise {
    const Conv *conv;
    const Window *window;
    int64_t phase_size, row_size; /* of a spread plane, in elements */
    int64_t *offsets;             /* of each kernel position in it */
    int64_t band, bands;          /* output rows at once */
} Depthwise;

/* Where kernel position `tap` of a transposed window puts input position
 * `from`; false when that is in the padding. */
static bool window_hits(const Window *w, int64_t tap, int64_t from,
                        int64_t at[WINDOW_AXES])
{
    for (int i = WINDOW_AXES - 1; i >= 0; i--) {
        at[i] = from % w->in[i] * w->stride[i] +
                tap % w->kernel[i] * w->dilation[i] - w->pad[i];
        if (at[i] < 0 || at[i] >= w->out[i])
            return false;
        from /= w->in[i];
        tap /= w->kernel[i];
    }
    return true;
}

#include "exec/real_f32.h"

#include "exec/kern_conv.inc.c"

#include "exec/real_f64.h"

#include "exec/kern_conv.inc.c"

static int64_t at_most(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static void *scratch_of(const Conv *conv, int worker)
{
    return conv->scratch + (size_t)worker * conv->scratch_size;
}

/* rows * columns elements for each worker, in whole cache lines so that workers
 * do not share one. A size beyond reason is out of memory. */
static void make_scratch(KernelCall *call, Conv *conv, int64_t rows,
                         int64_t columns)
{
    size_t size = conv->is_f32 ? sizeof(float) : sizeof(double);
    size_t workers = (size_t)pool_threads(call->pool), bytes;
    if (__builtin_mul_overflow((size_t)rows * size, (size_t)columns, &bytes) ||
        bytes > SIZE_MAX / 2)
        bytes = SIZE_MAX / 2;
    conv->scratch_size = (bytes + 63) / 64 * 64;
    conv->scratch = arena_block(call->arena, workers + 1, conv->scratch_size);
}

static void dense_piece(void *context, int worker, int64_t begin, int64_t end)
{
    const Conv *conv = context;
    for (int64_t unit = begin; unit < end; unit++) {
        int64_t channel_tile = unit % conv->channel_count;
        int64_t rest = unit / conv->channel_count;
        Tile tile = {.first = rest % conv->tile_count * conv->tile_size,
                     .channel = channel_tile * conv->channel_size};
        rest /= conv->tile_count;
        tile.group = rest % conv->groups;
        tile.image = rest / conv->groups;
        tile.count =
            at_most(conv->tile_size, conv->window.out_size - tile.first);
        tile.channels =
            at_most(conv->channel_size, conv->group_out - tile.channel);
        if (conv->is_f32)
            conv_tile_f32(conv, &tile, scratch_of(conv, worker));
        else
            conv_tile_f64(conv, &tile, scratch_of(conv, worker));
        int64_t channel =
            (tile.image * conv->groups + tile.group) * conv->group_out +
            tile.channel;
        for (int64_t m = channel; m < channel + tile.channels; m++)
            epilogue_run(conv->epilogue, worker,
                         m * conv->window.out_size + tile.first, tile.count);
    }
}

/* Tiles depend on the shape alone, so that results do not depend on the
 * number of threads. */
static void choose_tiles(Conv *conv)
{
    int64_t size = conv->is_f32 ? 4 : 8;
    int64_t positions = conv->window.out_size;
    int64_t depth = conv->group_in * conv->window.kernel_size;
    int64_t fitting = TILE_MOST;
    if (!conv->is_pointwise)
        fitting = TILE_BYTES / (size * (depth > 0 ? depth : 1));
    if (fitting < TILE_LEAST)
        fitting = TILE_LEAST;
    conv->tile_size = at_most(at_most(fitting, TILE_MOST), positions);
    conv->tile_count = divide_up(positions, conv->tile_size);
    int64_t tiles = conv->tile_count * conv->groups * conv->images;
    conv->channel_size = conv->group_out;
    if (conv->is_pointwise && tiles < TILES_WANTED) {
        int64_t parts = divide_up(TILES_WANTED, tiles);
        conv->channel_size = divide_up(conv->group_out, parts);
        if (conv->channel_size < 32)
            conv->channel_size = at_most(32, conv->group_out);
    }
    conv->channel_count = divide_up(conv->group_out, conv->channel_size);
}

static void run_dense(KernelCall *call, Conv *conv)
{
    choose_tiles(conv);
    int64_t depth = conv->group_in * conv->window.kernel_size;
    make_scratch(call, conv, conv->is_pointwise ? 0 : depth, conv->tile_size);
    pool_run(call->pool,
             conv->images * conv->groups * conv->tile_count *
                 conv->channel_count,
             1, dense_piece, conv);
}

static void depthwise_piece(void *context, int worker, int64_t begin,
                            int64_t end)
{
    const Depthwise *d = context;
    for (int64_t unit = begin; unit < end; unit++) {
        int64_t first = unit % d->bands * d->band;
        int64_t count = at_most(d->band, d->window->out[1] - first);
        void *spread = scratch_of(d->conv, worker);
        if (d->conv->is_f32)
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

static void run_depthwise(KernelCall *call, Conv *conv)
{
    const Window *w = &conv->window;
    int64_t lanes = conv->is_f32 ? LANES_f32 : LANES_f64;
    Depthwise d = {.conv = conv, .window = w};
    d.phase_size = divide_up(w->out[2], lanes) * lanes +
                   (w->kernel[2] - 1) * w->dilation[2] / w->stride[2];
    d.row_size = d.phase_size * w->stride[2];
    set_offsets(call, &d);
    int64_t size = conv->is_f32 ? 4 : 8;
    int64_t halo = (w->kernel[1] - 1) * w->dilation[1] + 1;
    int64_t fitting = SPREAD_BYTES / (size * d.row_size) - halo;
    d.band = at_most(fitting / w->stride[1] + 1, w->out[1]);
    if (d.band < 1)
        d.band = 1;
    d.bands = divide_up(w->out[1], d.band);
    make_scratch(call, conv, (d.band - 1) * w->stride[1] + halo, d.row_size);
    pool_run(call->pool, conv->images * conv->groups * d.bands, 1,
             depthwise_piece, &d);
}

static void transposed_piece(void *context, int worker, int64_t begin,
                             int64_t end)
{
    const Conv *conv = context;
    int64_t channels = conv->groups * conv->group_out;
    for (int64_t unit = begin; unit < end; unit++)
        if (conv->is_f32)
            transposed_channel_f32(conv, unit / channels, unit % channels,
                                   scratch_of(conv, worker));
        else
            transposed_channel_f64(conv, unit / channels, unit % channels,
                                   scratch_of(conv, worker));
}

/* What Conv and ConvTranspose share. The weight of the latter is (input
 * channels, output channels of a group, kernel ...). */
static int conv_make(KernelCall *call, bool transposed, Conv *conv, Err *err)
{
    const Array *in = call->inputs[0], *weight = call->inputs[1];
    const Array *bias = kernel_input(call, 2), *out = call->outputs[0];
    if (in->rank < 3 || weight->rank != in->rank || out->rank != in->rank)
        return err_set(err, ERR_BAD_SHAPE,
                       "input of rank %d and weight of rank %d do not fit",
                       in->rank, weight->rank);
    *conv = (Conv){.in = in->data,
                   .weight = weight->data,
                   .bias = bias ? bias->data : NULL,
                   .out = out->data,
                   .images = in->dims[0],
                   .groups = node_int(call->node, "group", 1),
                   .epilogue = call->epilogue,
                   .is_f32 = call->precision == PRECISION_F32};
    int64_t channels = in->dims[1], outputs = out->dims[1];
    if (conv->groups < 1 || channels % conv->groups || outputs % conv->groups)
        return err_set(err, ERR_BAD_SHAPE,
                       "%lld groups do not divide its channels",
                       (long long)conv->groups);
    conv->group_in = channels / conv->groups;
    conv->group_out = outputs / conv->groups;
    bool fits =
        transposed
            ? weight->dims[0] == channels && weight->dims[1] == conv->group_out
            : weight->dims[0] == outputs && weight->dims[1] == conv->group_in;
    if (!fits || (bias && (bias->rank != 1 || bias->dims[0] != outputs)))
        return err_set(err, ERR_BAD_SHAPE,
                       "its weight or bias does not fit its channels");
    return window_make(call, in, out, weight->dims + 2, transposed,
                       &conv->window, err);
}

/* The BLAS counts in int. */
static int check_blas(const Conv *conv, Err *err)
{
    const Window *w = &conv->window;
    if (w->in_size > INT_MAX || w->out_size > INT_MAX ||
        conv->group_in > INT_MAX / (w->kernel_size + 1) ||
        conv->group_out > INT_MAX / (w->kernel_size + 1))
        return err_set(err, ERR_BAD_SHAPE, "it is too large to compute");
    return 0;
}

static bool window_is_pointwise(const Window *w)
{
    for (int i = 0; i < WINDOW_AXES; i++)
        if (w->kernel[i] != 1 || w->stride[i] != 1 || w->pad[i] != 0 ||
            w->in[i] != w->out[i])
            return false;
    return true;
}

int kernel_conv(KernelCall *call, Err *err)
{
    Conv conv;
    TRY(conv_make(call, false, &conv, err));
    TRY(check_blas(&conv, err));
    conv.is_pointwise = window_is_pointwise(&conv.window);
    if (conv.group_in == 1 && conv.window.kernel[0] == 1 &&
        conv.window.in[0] == 1 && conv.window.pad[0] == 0 &&
        conv.window.out[0] == 1)
        run_depthwise(call, &conv);
    else
        run_dense(call, &conv);
    return 0;
}

int kernel_conv_transpose(KernelCall *call, Err *err)
{
    Conv conv;
    TRY(conv_make(call, true, &conv, err));
    TRY(check_blas(&conv, err));
    make_scratch(call, &conv, conv.window.kernel_size, conv.window.in_size);
    pool_run(call->pool, conv.images * conv.groups * conv.group_out, 1,
             transposed_piece, &conv);
    return 0;
}
