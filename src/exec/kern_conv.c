/*
 * Conv.
 *
 * y[n, m, o] = bias[m] + sum over c, k of w[m, c, k] * x[n, c, o * stride +
 * k * dilation - pad], within each group.
 *
 * A kernel over one channel (depthwise) has loops of its own, and so has one
 * with many output channels (direct).  What is left is a matrix product of the
 * weights and an im2col, of which never more than a tile exists; for a 1x1
 * kernel that is the input as it stands.
 */
#include <string.h>

#include "exec/conv.h"
#include "exec/integer.h"
#include "exec/spread.h"

/* What an im2col is made of: the channels of one group of one image. */
typedef struct Unfold {
    const Conv *conv;
    int64_t plane;        /* the first of them */
    const Spread *spread; /* of a window in two dimensions */
    void *scratch;
} Unfold;

typedef struct Dense {
    Conv conv;
    Gemm product; /* of one group of one image */
    Spread spread;
    int64_t panels_size; /* of the weights of one group, in elements */
} Dense;

/* The weights in panels, group by group. */
typedef struct ConvPanels {
    Prepared prepared;
    void *data;
} ConvPanels;

#include "exec/real_f32.h"

#include "exec/kern_conv.inc.c"

#include "exec/real_f64.h"

#include "exec/kern_conv.inc.c"

/* Rows of an im2col, channel by channel. */
static void unfold_spread(const void *source, const GemmBlock *block, void *to,
                          int64_t to_step)
{
    const Unfold *unfold = source;
    const Spread *s = unfold->spread;
    const Conv *conv = unfold->conv;
    const Window *w = &conv->window;
    int64_t first = block->column / w->out[2];
    int64_t last = (block->column + block->columns - 1) / w->out[2];
    int64_t end = block->row + block->rows;
    Gather gather = {.from_step = s->row_size * w->stride[1],
                     .width = w->out[2],
                     .first = block->column % w->out[2],
                     .columns = block->columns,
                     .to = to};
    for (int64_t k = block->row; k < end;) {
        int64_t channel = k / w->kernel_size, tap = k % w->kernel_size;
        spread_band(s, unfold->plane + channel, first, last - first + 1,
                    unfold->scratch);
        for (; tap < w->kernel_size && k < end; tap++, k++) {
            gather.from = conv_at(conv, unfold->scratch, s->offsets[tap]);
            s->set->gather(&gather);
            gather.to = conv_at(conv, gather.to, to_step);
        }
    }
}

const void *conv_packed(const KernelCall *call)
{
    const ConvPanels *panels = (const ConvPanels *)call->prepared;
    return panels ? panels->data : NULL;
}

static void dense_piece(void *context, int worker, int64_t begin, int64_t end)
{
    const Dense *dense = context;
    const Conv *conv = &dense->conv;
    const Window *w = &conv->window;
    int64_t tiles = dense->product.row_count * dense->product.column_count;
    char *scratch = conv_scratch(conv, worker);
    size_t used = dense->product.scratch_size;
    memset(scratch + used, 0, conv->scratch_size - used);
    for (int64_t unit = begin; unit < end; unit++) {
        int64_t plane = unit / tiles, group = plane % conv->groups;
        Unfold unfold = {conv, plane * conv->group_in, &dense->spread,
                         scratch + used};
        Gemm product = dense->product;
        product.source = &unfold;
        product.b.data = conv_at(conv, conv->in, unfold.plane * w->in_size);
        if (product.a_packed)
            product.a_packed =
                conv_at(conv, product.a_packed, group * dense->panels_size);
        else
            product.a.data = conv_at(conv, conv->weight,
                                     group * conv->group_out * product.depth);
        if (conv->bias)
            product.start = conv_at(conv, conv->bias, group * conv->group_out);
        product.c_first = plane * conv->group_out * w->out_size;
        product.c = conv_at(conv, conv->out, product.c_first);
        gemm_tile(&product, unit % tiles, worker, scratch);
    }
}

void *conv_pack_weights(const KernelCall *call, const GemmSet *set,
                        const Array *weight, int64_t groups)
{
    int64_t rows = weight->dims[0] / groups;
    int64_t depth = dims_product(weight->dims, 1, weight->rank);
    size_t size = storage_size(kernel_storage(call, weight));
    size_t group = (size_t)gemm_packed_a(set, rows, depth) * size;
    char *panels = kernel_scratch(call, (size_t)groups, group);
    for (int64_t i = 0; i < groups; i++) {
        const char *from = weight->data;
        Matrix a = {from + (size_t)(i * rows * depth) * size, depth, 1};
        gemm_pack_a(call->pool, set, &a, rows, depth,
                    panels + (size_t)i * group);
    }
    return panels;
}

static bool window_is_flat(const Window *w)
{
    return w->kernel[0] == 1 && w->in[0] == 1 && w->out[0] == 1 &&
           w->pad[0] == 0;
}

/* How b comes about, and what scratch that takes. */
static void plan_fill(KernelCall *call, Dense *dense)
{
    Conv *conv = &dense->conv;
    const Window *w = &conv->window;
    Gemm *product = &dense->product;
    int64_t rows = 0;
    if (window_is_flat(w) && product->columns > 0) {
        spread_make(call, conv, depthwise_set(call->precision, call->level),
                    &dense->spread);
        product->fill = unfold_spread;
        /* A tile may begin and end within a row. */
        rows = (product->column_size + 2 * w->out[2] - 2) / w->out[2];
        rows = spread_rows(&dense->spread, at_most(rows, w->out[1])) + 1;
    } else {
        product->fill =
            call->precision == PRECISION_F32 ? unfold_f32 : unfold_f64;
    }
    conv_make_scratch(call, conv, product->scratch_size, rows,
                      dense->spread.row_size);
}

static void run_dense(KernelCall *call, Dense *dense)
{
    Conv *conv = &dense->conv;
    const Window *w = &conv->window;
    Gemm *product = &dense->product;
    void *packed = NULL;
    *product = (Gemm){
        .set = gemm_set(call->precision, call->level),
        .rows = conv->group_out,
        .columns = w->out_size,
        .depth = conv->group_in * w->kernel_size,
        .a = {.row_step = conv->group_in * w->kernel_size, .column_step = 1},
        .b = {.row_step = w->in_size, .column_step = 1},
        .a_packed = conv_packed(call),
        .alpha = 1,
        .c_step = w->out_size,
        .epilogue = conv->epilogue};
    if (!product->a_packed &&
        (size_t)call->inputs[1]->count * conv->size <= PACKED_BYTES)
        product->a_packed = packed = conv_pack_weights(
            call, product->set, call->inputs[1], conv->groups);
    dense->panels_size =
        gemm_packed_a(product->set, product->rows, product->depth);
    gemm_plan(product, conv->images * conv->groups, pool_threads(call->pool));
    if (window_is_pointwise(w))
        conv_make_scratch(call, conv, product->scratch_size, 0, 0);
    else
        plan_fill(call, dense);
    pool_run(call->pool,
             conv->images * conv->groups * product->row_count *
                 product->column_count,
             1, dense_piece, dense);
}

static bool is_depthwise(const Conv *conv)
{
    return conv->group_in == 1 && window_is_flat(&conv->window);
}

int kernel_conv(KernelCall *call, Err *err)
{
    int count = 1 + call->beside_count;
    Conv *convs = arena_array(call->arena, (size_t)count, sizeof *convs);
    for (int i = 0; i < count; i++)
        TRY(conv_make(conv_call(call, i), false, &convs[i], err));
    if (is_depthwise(convs)) {
        conv_run_depthwise(call, convs, count);
    } else if (conv_is_direct(call, call->inputs[1], convs->groups)) {
        conv_run_direct(call, convs, count);
    } else {
        Dense dense = {.conv = *convs};
        run_dense(call, &dense);
    }
    return 0;
}

/* Both are depthwise, or both direct. */
bool conv_goes_beside(const KernelCall *call, const KernelCall *other)
{
    Conv a, b;
    Err ignored = {0};
    if (conv_make(call, false, &a, &ignored) < 0 ||
        conv_make(other, false, &b, &ignored) < 0 || a.groups != b.groups ||
        is_depthwise(&a) != is_depthwise(&b))
        return false;
    return is_depthwise(&a) ||
           (conv_is_direct(call, call->inputs[1], a.groups) &&
            conv_is_direct(other, other->inputs[1], b.groups));
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
    panels->data =
        conv_is_direct(call, weight, groups)
            ? conv_pack_direct(call, weight, groups)
            : conv_pack_weights(call, gemm_set(call->precision, call->level),
                                weight, groups);
    *out = &panels->prepared;
    return 0;
}
