/*
 * Conv.
 *
 * y[n, m, o] = bias[m] + sum over c, k of w[m, c, k] * x[n, c, o * stride +
 * k * dilation - pad], within each group.
 *
 * A dense kernel is a matrix product of the weights and an im2col, of which
 * never more than a tile exists; for a 1x1 kernel that is the input as it
 * stands.  A kernel over one channel (depthwise) has loops of its own.
 */
#include <string.h>

#include "exec/conv.h"
#include "exec/simd.h"

/* What an im2col is made of: the channels of one group of one image. */
typedef struct Unfold {
    const Window *window;
    bool moves; /* each of its rows is a plane, moved */
    const void *in;
} Unfold;

typedef struct Dense {
    Conv conv;
    Gemm product; /* of one group of one image */
    Unfold unfold;
    int64_t panels_size; /* of the weights of one group, in elements */
} Dense;

/* The weights in panels, group by group. */
typedef struct ConvPanels {
    Prepared prepared;
    void *data;
} ConvPanels;

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

#include "exec/real_f32.h"

#include "exec/kern_conv.inc.c"

#include "exec/real_f64.h"

#include "exec/kern_conv.inc.c"

static void dense_piece(void *context, int worker, int64_t begin, int64_t end)
{
    const Dense *dense = context;
    const Conv *conv = &dense->conv;
    const Window *w = &conv->window;
    int64_t tiles = dense->product.row_count * dense->product.column_count;
    for (int64_t unit = begin; unit < end; unit++) {
        int64_t plane = unit / tiles, group = plane % conv->groups;
        Unfold unfold = dense->unfold;
        Gemm product = dense->product;
        unfold.in =
            conv_at(conv, conv->in, plane * conv->group_in * w->in_size);
        product.source = &unfold;
        product.b.data = unfold.in;
        product.a_packed =
            conv_at(conv, product.a_packed, group * dense->panels_size);
        if (conv->bias)
            product.start = conv_at(conv, conv->bias, group * conv->group_out);
        product.c_first = plane * conv->group_out * w->out_size;
        product.c = conv_at(conv, conv->out, product.c_first);
        gemm_tile(&product, unit % tiles, worker, conv_scratch(conv, worker));
    }
}

/* All groups' weights in panels. */
static void *pack_weights(const KernelCall *call, const GemmSet *set,
                          const Array *weight, int64_t groups)
{
    int64_t rows = weight->dims[0] / groups;
    int64_t depth = dims_product(weight->dims, 1, weight->rank);
    size_t size = storage_size(kernel_storage(call, weight));
    size_t group = (size_t)gemm_packed_a(set, rows, depth) * size;
    char *panels = arena_block(call->arena, (size_t)groups, group);
    for (int64_t i = 0; i < groups; i++) {
        const char *from = weight->data;
        Matrix a = {from + (size_t)(i * rows * depth) * size, depth, 1};
        gemm_pack_a(call->pool, set, &a, rows, depth,
                    panels + (size_t)i * group);
    }
    return panels;
}

static bool window_is_pointwise(const Window *w)
{
    for (int i = 0; i < WINDOW_AXES; i++)
        if (w->kernel[i] != 1 || w->stride[i] != 1 || w->pad[i] != 0 ||
            w->in[i] != w->out[i])
            return false;
    return true;
}

static bool window_is_flat(const Window *w)
{
    return w->kernel[0] == 1 && w->in[0] == 1 && w->out[0] == 1 &&
           w->pad[0] == 0;
}

static bool window_moves(const Window *w)
{
    return window_is_flat(w) && w->stride[1] == 1 && w->stride[2] == 1 &&
           w->in[1] == w->out[1] && w->in[2] == w->out[2];
}

static void run_dense(KernelCall *call, Dense *dense)
{
    Conv *conv = &dense->conv;
    const Window *w = &conv->window;
    const ConvPanels *panels = (const ConvPanels *)call->prepared;
    Gemm *product = &dense->product;
    void *packed = NULL;
    dense->unfold = (Unfold){.window = w, .moves = window_moves(w)};
    *product = (Gemm){.set = gemm_set(call->precision, call->level),
                      .rows = conv->group_out,
                      .columns = w->out_size,
                      .depth = conv->group_in * w->kernel_size,
                      .b = {.row_step = w->in_size, .column_step = 1},
                      .c_step = w->out_size,
                      .epilogue = conv->epilogue};
    if (!window_is_pointwise(w))
        product->fill =
            call->precision == PRECISION_F32 ? unfold_f32 : unfold_f64;
    if (!panels)
        packed =
            pack_weights(call, product->set, call->inputs[1], conv->groups);
    product->a_packed = panels ? panels->data : packed;
    dense->panels_size =
        gemm_packed_a(product->set, product->rows, product->depth);
    gemm_plan(product, conv->images * conv->groups, pool_threads(call->pool));
    conv_make_scratch(call, conv, product->scratch_size, 0, 0);
    pool_run(call->pool,
             conv->images * conv->groups * product->row_count *
                 product->column_count,
             1, dense_piece, dense);
    arena_release(call->arena, packed);
}

int kernel_conv(KernelCall *call, Err *err)
{
    Dense dense = {.panels_size = 0};
    Conv *conv = &dense.conv;
    TRY(conv_make(call, false, conv, err));
    if (conv->group_in == 1 && window_is_flat(&conv->window))
        conv_run_depthwise(call, conv);
    else
        run_dense(call, &dense);
    return 0;
}

/* Weights over one channel stay as they are: they may be depthwise. What does
 * not fit is left to the run, which says so. */
int prepare_conv(const KernelCall *call, Prepared **out, Err *err)
{
    const Array *weight = kernel_input(call, 1);
    int64_t groups = node_int(call->node, "group", 1);
    (void)err;
    if (!weight || weight->rank < 3 || weight->dims[1] == 1 || groups < 1 ||
        weight->dims[0] % groups)
        return 0;
    ConvPanels *panels = arena_alloc(call->arena, sizeof *panels);
    panels->prepared.replaced = 1 << 1;
    panels->data = pack_weights(call, gemm_set(call->precision, call->level),
                                weight, groups);
    *out = &panels->prepared;
    return 0;
}
