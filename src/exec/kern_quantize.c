/*
 * QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear.
 *
 *     QuantizeLinear      y = saturate(round(x / scale) + zero)
 *     DequantizeLinear    y = (x - zero) * scale
 *
 * A tie rounds to the even neighbour.  There is one scale and zero point for
 * all, one for each position on an axis (opset 13), or one for each block of
 * positions there (opset 21).  Integers of a type of 8 to 32 bits only.
 */
#include "exec/kernel.h"
#include "exec/quantize.h"

typedef struct Quantization {
    const void *in;
    void *out;
    bool in_is_real;
    const void *scale;
    const int64_t *zero; /* NULL for 0 */
    /* The input is seen as rows of `inner` elements; `size` of them make an
     * axis, which has blocks of `block` rows, or 0 where it has none. */
    int64_t inner, size, block;
    int64_t step; /* from the scale of an element to that of the next */
    IntegerRange range;
    Storage storage; /* of the scale */
    bool to_integers;
} Quantization;

typedef struct Row {
    int64_t first, count; /* elements */
    int64_t scale;        /* that of the first */
} Row;

#include "exec/real_f32.h"

#include "exec/kern_quantize.inc.c"

#include "exec/real_f64.h"

#include "exec/kern_quantize.inc.c"

static int64_t scale_index(const Quantization *q, int64_t row, int64_t column)
{
    int64_t at = row % q->size;
    if (q->block == 0)
        return at + column * q->step;
    int64_t blocks = divide_up(q->size, q->block);
    return (row / q->size * blocks + at / q->block) * q->inner + column;
}

static void quantize_piece(void *context, int worker, int64_t begin,
                           int64_t end)
{
    const Quantization *q = context;
    bool is_f32 = q->storage == STORAGE_F32;
    (void)worker;
    for (int64_t first = begin, count; first < end; first += count) {
        int64_t row = first / q->inner, column = first % q->inner;
        count = at_most(q->inner - column, end - first);
        Row part = {first, count, scale_index(q, row, column)};
        if (q->to_integers && is_f32)
            quantize_row_f32(q, &part);
        else if (q->to_integers)
            quantize_row_f64(q, &part);
        else if (is_f32)
            dequantize_row_f32(q, &part);
        else
            dequantize_row_f64(q, &part);
    }
}

static bool is_blocked(const Array *x, const Array *scale, int axis,
                       int64_t block)
{
    bool fits = block > 0 && block <= INT32_MAX && scale->rank == x->rank;
    for (int i = 0; fits && i < x->rank; i++)
        fits = scale->dims[i] ==
               (i == axis ? divide_up(x->dims[i], block) : x->dims[i]);
    return fits;
}

/* How the scales lie, by the shapes of x and of them. */
static int find_scales(const KernelCall *call, const Array *x,
                       const Array *scale, Quantization *q, Err *err)
{
    int64_t block = node_int(call->node, "block_size", 0);
    int axis;
    *q = (Quantization){.inner = x->count, .size = 1, .scale = scale->data};
    if (scale->rank == 0 ||
        (block == 0 && scale->rank == 1 && scale->count == 1))
        return 0;
    TRY(kernel_axis(node_int(call->node, "axis", 1), x->rank, &axis, err));
    q->size = x->dims[axis];
    q->inner = dims_product(x->dims, axis + 1, x->rank);
    if (is_blocked(x, scale, axis, block)) {
        q->block = block;
        q->step = 1;
        return 0;
    }
    if (block != 0 || scale->rank != 1 || scale->count != q->size)
        return err_set(err, ERR_BAD_SHAPE,
                       "its scale has not one element, nor one for each of "
                       "the axis or of its blocks");
    if (q->inner == 1) { /* one row, in which each has its own */
        q->inner = q->size;
        q->size = q->step = 1;
    }
    return 0;
}

static int find_zeros(const KernelCall *call, const Array *scale, DType type,
                      Quantization *q, Err *err)
{
    const Array *zero = kernel_input(call, 2);
    q->range = dtype_range(type);
    if (!integer_is_narrow(type))
        return err_set(err, ERR_UNSUPPORTED_TYPE, "it quantizes to %s",
                       dtype_name(type));
    if (!zero)
        return 0;
    q->zero = zero->data;
    bool fits = zero->count == 1
                    ? scale->count == 1
                    : array_has_shape(zero, scale->rank, scale->dims);
    if (zero->type != type || !fits)
        return err_set(err, ERR_BAD_SHAPE,
                       "its zero point is not like what it is added to");
    return 0;
}

static int run(KernelCall *call, bool to_integers, Err *err)
{
    const Array *in = call->inputs[0], *out = call->outputs[0];
    const Array *scale = call->inputs[1];
    Quantization q;
    TRY(find_scales(call, in, scale, &q, err));
    TRY(find_zeros(call, scale, to_integers ? out->type : in->type, &q, err));
    q.in = in->data;
    q.out = out->data;
    q.in_is_real = dtype_is_real(in->type);
    q.storage = kernel_storage(call, scale);
    q.to_integers = to_integers;
    pool_run(call->pool, out->count, GRAIN, quantize_piece, &q);
    return 0;
}

int kernel_quantize(KernelCall *call, Err *err)
{
    return run(call, true, err);
}

int kernel_dequantize(KernelCall *call, Err *err)
{
    return run(call, false, err);
}

/* DynamicQuantizeLinear: the scale and the zero point come from the input. */
int kernel_dynamic_quantize(KernelCall *call, Err *err)
{
    const Array *in = call->inputs[0], *out = call->outputs[0];
    float scale_f32;
    double scale_f64;
    int64_t zero = 0;
    Quantization q = {.in = in->data,
                      .out = out->data,
                      .in_is_real = true,
                      .zero = &zero,
                      .inner = in->count,
                      .size = 1,
                      .range = dtype_range(out->type),
                      .storage = kernel_storage(call, in),
                      .to_integers = true};
    (void)err;
    if (q.storage == STORAGE_F32) {
        choose_scale_f32(in, q.range, &scale_f32, &zero);
        scale_f64 = (double)scale_f32;
        q.scale = &scale_f32;
    } else {
        choose_scale_f64(in, q.range, &scale_f64, &zero);
        q.scale = &scale_f64;
    }
    pool_run(call->pool, out->count, GRAIN, quantize_piece, &q);
    if (kernel_output(call, 1))
        array_put(call->outputs[1], call->precision, 0, scale_f64);
    if (kernel_output(call, 2))
        *(int64_t *)call->outputs[2]->data = zero;
    return 0;
}
