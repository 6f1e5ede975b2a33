/*
 * ConvInteger, MatMulInteger, QLinearConv and QLinearMatMul.
 *
 * Each factor is a number of 8 bits less its zero point.  Sums of products of
 * such numbers are made by the kernels of Conv and MatMul in double, which is
 * exact: no sum comes near 2^53.  ConvInteger and MatMulInteger have them as
 * int32, the others as
 *
 *     saturate(round(sum * (scale of x * scale of w / scale of y)) + zero of y)
 */
#include "exec/kernel.h"
#include "exec/quantize.h"

/* A scale or a zero point, or a bias: one number for all elements of what it
 * belongs to, or one for each of `size` positions on an axis, `inner` elements
 * apart. That may begin anew after `outer` elements: for each matrix. */
typedef struct Parameter {
    const Array *array; /* NULL for 0 */
    int64_t inner, size, outer;
} Parameter;

typedef struct Requantization {
    const double *sums;
    int64_t *out;
    Parameter bias, zero;
    Parameter scales[3]; /* of both factors and the output */
    IntegerRange range;
    Storage storage;
} Requantization;

static int64_t index_of(const Parameter *p, int64_t at)
{
    if (p->array->count == 1)
        return 0;
    return (at / p->outer * p->size + at / p->inner % p->size) %
           p->array->count;
}

static int64_t element(const Parameter *p, int64_t at)
{
    return p->array ? ((const int64_t *)p->array->data)[index_of(p, at)] : 0;
}

#include "exec/real_f32.h"

#include "exec/kern_integer.inc.c"

#include "exec/real_f64.h"

#include "exec/kern_integer.inc.c"

/* Sets the array of a parameter of that many elements. */
static int parameter_take(const KernelCall *call, int slot, int64_t elements,
                          Parameter *p, Err *err)
{
    const Array *array = kernel_input(call, slot);
    p->array = array;
    if (!array || array->count == 1 || elements == 0)
        return 0;
    if (array->count != p->size &&
        array->count != elements / p->outer * p->size)
        return err_set(err, ERR_BAD_SHAPE,
                       "input %d has %lld elements, which do not fit", slot,
                       (long long)array->count);
    return 0;
}

/* ---- Factors ---- */

typedef struct Centring {
    const int64_t *from;
    double *to;
    Parameter zero;
} Centring;

static void centre_piece(void *context, int worker, int64_t begin, int64_t end)
{
    const Centring *job = context;
    (void)worker;
    for (int64_t i = begin; i < end; i++)
        job->to[i] = (double)(job->from[i] - element(&job->zero, i));
}

static int check_type(DType type, int slot, Err *err)
{
    if (dtype_size(type) == 1)
        return 0;
    return err_set(err, ERR_UNSUPPORTED_TYPE,
                   "input %d is %s, which it does not take", slot,
                   dtype_name(type));
}

/* A factor without its zero point, which is in that slot. */
static int centre(const KernelCall *call, int slot, int zero_slot,
                  Parameter pattern, Array **out, Err *err)
{
    const Array *in = call->inputs[slot];
    Array *array = arena_alloc(call->arena, sizeof *array);
    TRY(check_type(in->type, slot, err));
    array_set_shape(array, DT_DOUBLE, in->rank, in->dims);
    array->data = kernel_scratch(call, (size_t)in->count, sizeof(double));
    Centring job = {in->data, array->data, pattern};
    TRY(parameter_take(call, zero_slot, in->count, &job.zero, err));
    if (job.zero.array && job.zero.array->type != in->type)
        return err_set(err, ERR_UNSUPPORTED_TYPE, "input %d is %s beside %s",
                       zero_slot, dtype_name(job.zero.array->type),
                       dtype_name(in->type));
    pool_run(call->pool, in->count, GRAIN, centre_piece, &job);
    *out = array;
    return 0;
}

/* ---- Sums ---- */

/* Where an operator has its factors and their zero points. */
typedef struct Slots {
    int x, x_zero, w, w_zero;
} Slots;
static const Slots integer_slots = {0, 2, 1, 3}, linear_slots = {0, 2, 3, 5};

/* Parameters of the left matrix are for its rows, of the right one for its
 * columns. */
static Parameter of_rows(const Array *a)
{
    int64_t depth = a->rank > 0 ? a->dims[a->rank - 1] : 1;
    int64_t rows = a->rank > 1 ? a->dims[a->rank - 2] : 1;
    return (Parameter){.inner = depth, .size = rows, .outer = rows * depth};
}

static Parameter of_columns(const Array *b)
{
    int64_t columns = b->rank > 1 ? b->dims[b->rank - 1] : 1;
    int64_t depth = b->rank > 0 ? b->dims[b->rank > 1 ? b->rank - 2 : 0] : 1;
    return (Parameter){.inner = 1, .size = columns, .outer = columns * depth};
}

static Parameter of_all(const Array *array)
{
    return (Parameter){.inner = 1, .size = 1, .outer = array->count};
}

/* Parameters of channels, on that axis. */
static Parameter of_channels(const Array *array, int axis)
{
    int64_t inner = dims_product(array->dims, axis + 1, array->rank);
    int64_t size = array->dims[axis];
    return (Parameter){.inner = inner, .size = size, .outer = inner * size};
}

/* The sums of products, of the shape of output 0. */
static int sum_products(const KernelCall *call, Slots slots, KernelRun *product,
                        Array *sums, Err *err)
{
    const Array *x = call->inputs[slots.x], *w = call->inputs[slots.w];
    const Array *out = call->outputs[0];
    bool is_conv = product == kernel_conv;
    Array *factors[2], *outputs[1] = {sums};
    TRY(centre(call, slots.x, slots.x_zero, is_conv ? of_all(x) : of_rows(x),
               &factors[0], err));
    TRY(centre(call, slots.w, slots.w_zero,
               is_conv ? of_channels(w, 0) : of_columns(w), &factors[1], err));
    array_set_shape(sums, DT_DOUBLE, out->rank, out->dims);
    sums->data = kernel_scratch(call, (size_t)out->count, sizeof(double));
    KernelCall inner = *call;
    inner.precision = PRECISION_F64;
    inner.input_count = 2;
    inner.inputs = factors;
    inner.output_count = 1;
    inner.outputs = outputs;
    return product(&inner, err);
}

static int run_integer(KernelCall *call, KernelRun *product, Err *err)
{
    Array sums;
    Array *out = call->outputs[0];
    TRY(sum_products(call, integer_slots, product, &sums, err));
    for (int64_t i = 0; i < out->count; i++)
        ((int64_t *)out->data)[i] =
            integer_from_real(DT_INT32, ((const double *)sums.data)[i]);
    return 0;
}

int kernel_conv_integer(KernelCall *call, Err *err)
{
    return run_integer(call, kernel_conv, err);
}

int kernel_matmul_integer(KernelCall *call, Err *err)
{
    return run_integer(call, kernel_matmul, err);
}

/* ---- Quantized again ---- */

static void requantize_piece(void *context, int worker, int64_t begin,
                             int64_t end)
{
    const Requantization *q = context;
    (void)worker;
    for (int64_t i = begin; i < end; i++)
        q->out[i] = q->storage == STORAGE_F32 ? requantize_f32(q, i)
                                              : requantize_f64(q, i);
}

/* Scales of x in slot 1, of w in 4, of y in 6; the zero point of y in 7, and of
 * QLinearConv the bias in 8. */
static int requantize(KernelCall *call, const Array *sums, Requantization *q,
                      Err *err)
{
    static const int scales[] = {1, 4, 6};
    const Array *out = call->outputs[0];
    TRY(check_type(out->type, 7, err));
    for (int i = 0; i < 3; i++)
        TRY(parameter_take(call, scales[i], out->count, &q->scales[i], err));
    TRY(parameter_take(call, 7, out->count, &q->zero, err));
    TRY(parameter_take(call, 8, out->count, &q->bias, err));
    q->sums = sums->data;
    q->out = out->data;
    q->range = dtype_range(out->type);
    q->storage = array_storage(DT_FLOAT, call->precision);
    pool_run(call->pool, out->count, GRAIN, requantize_piece, q);
    return 0;
}

int kernel_qlinear_conv(KernelCall *call, Err *err)
{
    Array sums;
    TRY(sum_products(call, linear_slots, kernel_conv, &sums, err));
    Parameter channels = of_channels(&sums, 1);
    Requantization q = {.bias = channels,
                        .zero = channels,
                        .scales = {channels, channels, channels}};
    return requantize(call, &sums, &q, err);
}

int kernel_qlinear_matmul(KernelCall *call, Err *err)
{
    Array sums;
    TRY(sum_products(call, linear_slots, kernel_matmul, &sums, err));
    Parameter rows = of_rows(&sums), columns = of_columns(&sums);
    Requantization q = {.zero = rows, .scales = {rows, columns, rows}};
    return requantize(call, &sums, &q, err);
}
