/*
 * DeformConv (Dai et al., "Deformable Convolutional Networks", 2017; Zhu et
 * al., "Deformable ConvNets v2", 2019): a convolution in two dimensions whose
 * taps are moved, each at each position by an offset of its own, interpolated
 * from four neighbours, and multiplied by a mask.
 *
 * The samples for a row of positions make an im2col, which is then multiplied
 * by the weights, as in kern_conv.c.
 */
#include <math.h>

#include "exec/conv.h"
#include "exec/tap.h"

typedef struct Deform {
    Conv conv;
    int64_t channels, offset_groups;
    const void *offset, *mask; /* mask is NULL for 1 */
    Gemm product;              /* of one group, for a row of positions */
    int64_t panels_size;       /* of the weights of one group, in elements */
} Deform;

/* A tap for a row of positions: where it is at the first of them if it is not
 * moved, and which elements belong to it. */
typedef struct MovedTap {
    double y, x;
    int64_t in, offset, mask;
} MovedTap;

/* The two neighbours on an axis; what lies outside counts nothing. */
static void axis_taps(double at, int64_t size, Tap taps[2])
{
    taps[0] = taps[1] = (Tap){0, 0};
    if (!(at > -1 && at < (double)size))
        return;
    for (int i = 0; i < 2; i++) {
        int64_t index = (int64_t)floor(at) + i;
        if (index >= 0 && index < size)
            taps[i] = (Tap){index, 1 - fabs(at - (double)index)};
    }
}

#include "exec/real_f32.h"

#include "exec/kern_deform.inc.c"

#include "exec/real_f64.h"

#include "exec/kern_deform.inc.c"

/* Where a tap of the kernel is from a position, on one axis. */
static double tap_at(const Window *w, int axis, int64_t position, int64_t tap)
{
    return (double)(position * w->stride[axis] - w->pad[axis] +
                    tap * w->dilation[axis]);
}

/* The im2col of all channels at a row of positions: rows are channels, and in
 * each its taps. */
static void sample_row(const Deform *d, int64_t image, int64_t row,
                       void *columns)
{
    const Window *w = &d->conv.window;
    int64_t shared = d->channels / d->offset_groups, taps = w->kernel_size;
    for (int64_t k = 0; k < d->offset_groups * taps; k++) {
        int64_t channel = k / taps * shared, tap = k % taps;
        int64_t plane = (image * d->offset_groups * taps + k) * w->out_size;
        MovedTap moved = {
            .y = tap_at(w, 1, row, tap / w->kernel[2]),
            .x = tap_at(w, 2, 0, tap % w->kernel[2]),
            .in = (image * d->channels + channel) * w->in_size,
            .offset = 2 * plane + row * w->out[2],
            .mask = plane + row * w->out[2],
        };
        void *to =
            conv_at(&d->conv, columns, (channel * taps + tap) * w->out[2]);
        if (d->conv.precision == PRECISION_F32)
            sample_tap_f32(d, &moved, to);
        else
            sample_tap_f64(d, &moved, to);
    }
}

static void deform_piece(void *context, int worker, int64_t begin, int64_t end)
{
    const Deform *d = context;
    const Conv *conv = &d->conv;
    const Window *w = &conv->window;
    int64_t outputs = conv->groups * conv->group_out;
    char *scratch = conv_scratch(conv, worker);
    char *columns = scratch + d->product.scratch_size;
    for (int64_t unit = begin; unit < end; unit++) {
        int64_t image = unit / w->out[1], row = unit % w->out[1];
        sample_row(d, image, row, columns);
        for (int64_t group = 0; group < conv->groups; group++) {
            int64_t output = group * conv->group_out;
            Gemm product = d->product;
            product.a_packed =
                conv_at(conv, product.a_packed, group * d->panels_size);
            product.b.data =
                conv_at(conv, columns, group * product.depth * w->out[2]);
            if (conv->bias)
                product.start = conv_at(conv, conv->bias, output);
            product.c = conv_at(conv, conv->out,
                                (image * outputs + output) * w->out_size +
                                    row * w->out[2]);
            gemm_alone(&product, worker, scratch);
        }
    }
}

/* Offsets (and the mask) hold so many numbers for each tap at each position. */
static bool fits(const Deform *d, const Array *array, int64_t numbers)
{
    const Window *w = &d->conv.window;
    const int64_t dims[4] = {d->conv.images,
                             d->offset_groups * w->kernel_size * numbers,
                             w->out[1], w->out[2]};
    return array_has_shape(array, 4, dims);
}

static int deform_read(KernelCall *call, Deform *d, Err *err)
{
    const Array *mask = kernel_input(call, 4);
    Array *operands[3] = {call->inputs[0], call->inputs[1], NULL};
    KernelCall plain = *call;
    if (call->input_count > 3)
        operands[2] = call->inputs[3];
    plain.inputs = operands;
    plain.input_count = 3;
    if (operands[0]->rank != 4)
        return err_set(err, ERR_UNSUPPORTED_OPERATOR,
                       "its input has rank %d; 4 is supported",
                       operands[0]->rank);
    TRY(conv_make(&plain, false, &d->conv, err));
    d->channels = operands[0]->dims[1];
    d->offset_groups = node_int(call->node, "offset_group", 1);
    d->offset = call->inputs[2]->data;
    d->mask = mask ? mask->data : NULL;
    if (d->offset_groups < 1 || d->channels % d->offset_groups ||
        !fits(d, call->inputs[2], 2) || (mask && !fits(d, mask, 1)))
        return err_set(err, ERR_BAD_SHAPE,
                       "its offsets or mask do not fit its channels");
    return 0;
}

int kernel_deform_conv(KernelCall *call, Err *err)
{
    Deform d;
    TRY(deform_read(call, &d, err));
    Conv *conv = &d.conv;
    int64_t depth = conv->group_in * conv->window.kernel_size;
    int64_t width = conv->window.out[2];
    d.product = (Gemm){.set = gemm_set(call->precision, call->level),
                       .rows = conv->group_out,
                       .columns = width,
                       .depth = depth,
                       .b = {.row_step = width, .column_step = 1},
                       .alpha = 1,
                       .c_step = conv->window.out_size};
    d.product.a_packed =
        conv_pack_weights(call, d.product.set, call->inputs[1], conv->groups);
    d.panels_size = gemm_packed_a(d.product.set, conv->group_out, depth);
    gemm_plan(&d.product, 1, 1);
    conv_make_scratch(call, conv, d.product.scratch_size, depth * conv->groups,
                      width);
    pool_run(call->pool, conv->images * conv->window.out[1], 1, deform_piece,
             &d);
    return 0;
}
