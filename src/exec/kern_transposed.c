/*
 * ConvTranspose: each input position times the kernel is added to the output,
 * y[n, m, i * stride + k * dilation - pad] += w[c, m, k] * x[n, c, i].
 *
 * The products, summed over the input's channels, are a matrix product of the
 * weights of some output channels and the input.
 */
#include "exec/conv.h"

enum { PRODUCT_ROWS = 96 };

typedef struct Transposed {
    Conv conv;
    Gemm product;            /* for some channels of one group */
    int64_t channels, parts; /* at once; how often in a group */
} Transposed;

/* Where kernel position `tap` puts input position `from`; false when that is
 * in the padding. */
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

#include "exec/kern_transposed.inc.c"

#include "exec/real_f64.h"

#include "exec/kern_transposed.inc.c"

static void transposed_piece(void *context, int worker, int64_t begin,
                             int64_t end)
{
    const Transposed *t = context;
    const Conv *conv = &t->conv;
    const Window *w = &conv->window;
    for (int64_t unit = begin; unit < end; unit++) {
        int64_t plane = unit / t->parts, first = unit % t->parts * t->channels;
        int64_t channels = conv->group_out - first;
        if (channels > t->channels)
            channels = t->channels;
        int64_t input = plane % conv->groups * conv->group_in;
        Gemm product = t->product;
        product.rows = channels * w->kernel_size;
        product.a.data =
            conv_at(conv, conv->weight,
                    (input * conv->group_out + first) * w->kernel_size);
        product.b.data =
            conv_at(conv, conv->in, plane * conv->group_in * w->in_size);
        char *scratch = conv_scratch(conv, worker);
        product.c = scratch + product.scratch_size;
        gemm_plan(&product, 1, 1);
        gemm_alone(&product, worker, scratch);
        for (int64_t m = 0; m < channels; m++) {
            int64_t channel = plane * conv->group_out + first + m;
            const void *products =
                conv_at(conv, product.c, m * w->kernel_size * w->in_size);
            if (conv->precision == PRECISION_F32)
                fold_channel_f32(conv, channel, products);
            else
                fold_channel_f64(conv, channel, products);
            epilogue_run(conv->epilogue, worker, channel * w->out_size,
                         w->out_size);
        }
    }
}

int kernel_conv_transpose(KernelCall *call, Err *err)
{
    Transposed t = {.channels = PRODUCT_ROWS};
    Conv *conv = &t.conv;
    const Window *w = &conv->window;
    TRY(conv_make(call, true, conv, err));
    t.channels /= w->kernel_size > 0 ? w->kernel_size : 1;
    if (t.channels < 1)
        t.channels = 1;
    if (t.channels > conv->group_out)
        t.channels = conv->group_out;
    t.parts = (conv->group_out + t.channels - 1) / t.channels;
    t.product = (Gemm){.set = gemm_set(call->precision, call->level),
                       .rows = t.channels * w->kernel_size,
                       .columns = w->in_size,
                       .depth = conv->group_in,
                       .a = {NULL, 1, conv->group_out * w->kernel_size},
                       .b = {NULL, w->in_size, 1},
                       .alpha = 1,
                       .c_step = w->in_size};
    gemm_plan(&t.product, 1, 1);
    conv_make_scratch(call, conv, t.product.scratch_size, t.product.rows,
                      w->in_size);
    pool_run(call->pool, conv->images * conv->groups * t.parts, 1,
             transposed_piece, &t);
    return 0;
}
