/* Operators that make an array out of attributes, shapes or a few numbers. */
#include <math.h>
#include <string.h>

#include "exec/integer.h"
#include "exec/move.h"

/* The tensor of a Constant in any of its numeric forms. */
static int constant_tensor(KernelCall *call, Tensor **out, Err *err)
{
    const Node *node = call->node;
    const Attr *attr = node->attr_count == 1 ? &node->attrs[0] : NULL;
    for (int i = 0; i < node->attr_count; i++)
        if (strncmp(node->attrs[i].name, "value", 5) == 0)
            attr = &node->attrs[i];
    if (!attr)
        return err_set(err, ERR_BAD_ATTRIBUTE, "it has no value");
    const void *data;
    bool is_list = attr->type == ATTR_FLOATS || attr->type == ATTR_INTS;
    int64_t count = is_list ? (int64_t)attr->count : 1;
    bool is_real = attr->type == ATTR_FLOATS || attr->type == ATTR_FLOAT;
    switch (attr->type) {
    case ATTR_TENSOR:
        *out = attr->tensor;
        return 0;
    case ATTR_FLOAT:
        data = &attr->f;
        break;
    case ATTR_INT:
        data = &attr->i;
        break;
    case ATTR_FLOATS:
        data = attr->floats;
        break;
    case ATTR_INTS:
        data = attr->ints;
        break;
    default:
        return err_set(err, ERR_UNSUPPORTED_TYPE,
                       "its value is sparse or a string");
    }
    DType type = is_real ? DT_FLOAT : DT_INT64;
    return tensor_new(call->arena, type, is_list, &count, data,
                      (size_t)count * dtype_size(type), out, err);
}

int kernel_constant(KernelCall *call, Err *err)
{
    Tensor *tensor;
    TRY(constant_tensor(call, &tensor, err));
    if (!tensor_is_readable(tensor))
        return err_set(err, ERR_UNSUPPORTED_TYPE,
                       "tensors of type %s cannot be computed with",
                       dtype_name(tensor->type));
    TRY(kernel_make_output(call, 0, tensor->type, tensor->rank, tensor->dims,
                           err));
    array_load(call->outputs[0], tensor, call->precision, false, 0,
               tensor->count);
    return 0;
}

/* ConstantOfShape: all one value, float 0 where it is absent. */
int kernel_constant_of_shape(KernelCall *call, Err *err)
{
    const Attr *value = node_attr(call->node, "value");
    double zero = 0;
    const void *element = &zero;
    Array *one;
    const Tensor *tensor = value ? attr_tensor(value) : NULL;
    if (tensor) {
        TRY(array_from_tensor(call->arena, tensor, call->precision, false, &one,
                              err));
        if (one->count != 1)
            return err_set(err, ERR_BAD_ATTRIBUTE,
                           "its value is not one element");
        element = one->data;
    }
    move_fill(call, call->outputs[0], element);
    return 0;
}

/* Shape: from opset 15 on, of the axes in [start, end) only. */
int kernel_shape(KernelCall *call, Err *err)
{
    const Array *in = call->inputs[0], *out = call->outputs[0];
    int64_t start = node_int(call->node, "start", 0);
    start += start < 0 ? in->rank : 0;
    start = start < 0 ? 0 : start > in->rank ? in->rank : start;
    if (start + out->count > in->rank)
        return err_set(err, ERR_BAD_ATTRIBUTE, "its end is out of range");
    memcpy(out->data, in->dims + start, (size_t)out->count * sizeof(int64_t));
    return 0;
}

int kernel_size(KernelCall *call, Err *err)
{
    (void)err;
    *(int64_t *)call->outputs[0]->data = call->inputs[0]->count;
    return 0;
}

/* How many elements come before the end. The distance of two integers may be
 * more than an int64. */
static double range_count(const KernelCall *call)
{
    const Array *const *ends = (const Array *const *)call->inputs;
    if (kernel_storage(call, ends[0]) != STORAGE_I64) {
        double from = kernel_real(call, ends[0], 0);
        double span = kernel_real(call, ends[1], 0) - from;
        return ceil(span / kernel_real(call, ends[2], 0));
    }
    int64_t from = kernel_int(call, ends[0], 0);
    int64_t to = kernel_int(call, ends[1], 0);
    int64_t step = kernel_int(call, ends[2], 0);
    uint64_t span = (uint64_t)to - (uint64_t)from, size = (uint64_t)step;
    if (step == 0)
        return INFINITY;
    if (step > 0 ? from >= to : from <= to)
        return 0;
    if (step < 0) {
        span = 0 - span;
        size = 0 - size;
    }
    return (double)((span - 1) / size + 1);
}

/* Range: start + i * delta, which in integers is exact. */
int kernel_range(KernelCall *call, Err *err)
{
    for (int i = 0; i < 3; i++)
        if (call->inputs[i]->count != 1)
            return err_set(err, ERR_BAD_SHAPE, "its inputs are not scalars");
    const Array *start = call->inputs[0], *delta = call->inputs[2];
    enum { MOST = INT32_MAX };
    double from = kernel_real(call, start, 0);
    double step = kernel_real(call, delta, 0);
    double count = range_count(call);
    if (!(count <= MOST))
        return err_set(err, ERR_BAD_INPUT, "it has no end within %d elements",
                       MOST);
    int64_t dims[] = {count > 0 ? (int64_t)count : 0};
    TRY(kernel_make_output(call, 0, start->type, 1, dims, err));
    const Array *out = call->outputs[0];
    bool is_integer = kernel_storage(call, out) == STORAGE_I64;
    for (int64_t i = 0; i < out->count; i++)
        if (is_integer)
            ((int64_t *)out->data)[i] =
                (int64_t)((uint64_t)kernel_int(call, start, 0) +
                          (uint64_t)i * (uint64_t)kernel_int(call, delta, 0));
        else
            array_put(out, call->precision, i, from + (double)i * step);
    return 0;
}

/* EyeLike: ones on the k-th diagonal. */
int kernel_eye_like(KernelCall *call, Err *err)
{
    const Array *out = call->outputs[0];
    if (out->rank != 2)
        return err_set(err, ERR_BAD_SHAPE, "its input is not a matrix");
    int64_t k = node_int(call->node, "k", 0);
    move_fill(call, out, &(int64_t){0});
    for (int64_t i = 0; i < out->dims[0]; i++)
        if (i + k >= 0 && i + k < out->dims[1])
            array_put(out, call->precision, i * out->dims[1] + i + k, 1);
    return 0;
}

typedef struct Triangle {
    const char *in;
    char *out;
    int64_t rows, columns, shift;
    size_t size; /* of an element */
    bool upper;
} Triangle;

/* Row i keeps what is from column i + shift on, or up to there. */
static void triangle_piece(void *context, int worker, int64_t begin,
                           int64_t end)
{
    const Triangle *t = context;
    (void)worker;
    for (int64_t row = begin; row < end; row++) {
        int64_t edge = row % t->rows + t->shift + (t->upper ? 0 : 1);
        size_t cut = (size_t)clamp(edge, 0, t->columns) * t->size;
        size_t all = (size_t)t->columns * t->size, start = (size_t)row * all;
        size_t first = t->upper ? cut : 0, last = t->upper ? all : cut;
        memcpy(t->out + start + first, t->in + start + first, last - first);
        memset(t->out + start, 0, first);
        memset(t->out + start + last, 0, all - last);
    }
}

/* Trilu: keeps what is on one side of the k-th diagonal. */
int kernel_trilu(KernelCall *call, Err *err)
{
    const Array *in = call->inputs[0], *out = call->outputs[0];
    const Array *shift = kernel_input(call, 1);
    if (in->rank < 2)
        return err_set(err, ERR_BAD_SHAPE, "its input has rank %d", in->rank);
    int64_t k = shift && shift->count == 1 ? kernel_int(call, shift, 0) : 0;
    Triangle t = {.in = in->data,
                  .out = out->data,
                  .rows = in->dims[in->rank - 2],
                  .columns = in->dims[in->rank - 1],
                  .size = storage_size(kernel_storage(call, in)),
                  .upper = node_int(call->node, "upper", 1) != 0};
    t.shift = clamp(k, -t.rows, t.columns);
    pool_run(call->pool, in->count / t.columns, 1 + GRAIN / t.columns,
             triangle_piece, &t);
    return 0;
}

/* Dropout: nothing is dropped in inference; a random choice cannot be
 * compared with anything. */
int kernel_dropout(KernelCall *call, Err *err)
{
    const Array *in = call->inputs[0], *mask = kernel_output(call, 1);
    const Array *ratio = kernel_input(call, 1), *mode = kernel_input(call, 2);
    bool training = mode && mode->count == 1 && kernel_int(call, mode, 0);
    bool drops = !ratio || ratio->count != 1 || kernel_real(call, ratio, 0) > 0;
    if (training && drops && !call->node->graph->model->assume_inference)
        return err_set(err, ERR_UNSUPPORTED_OPERATOR,
                       "Dropout in training mode is random");
    size_t size = storage_size(kernel_storage(call, in));
    if (call->outputs[0]->data != in->data)
        memcpy(call->outputs[0]->data, in->data, (size_t)in->count * size);
    for (int64_t i = 0; mask && i < mask->count; i++)
        array_put(mask, call->precision, i, 1);
    return 0;
}
