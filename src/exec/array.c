#include "exec/array.h"

#include <math.h>
#include <string.h>

#include "base/random.h"

Storage array_storage(DType type, Precision precision)
{
    if (!dtype_is_real(type))
        return STORAGE_I64;
    return precision == PRECISION_F32 ? STORAGE_F32 : STORAGE_F64;
}

size_t storage_size(Storage storage)
{
    return storage == STORAGE_F32 ? sizeof(float) : sizeof(double);
}

void array_set_shape(Array *array, DType type, int rank, const int64_t *dims)
{
    *array = (Array){.type = type, .rank = rank};
    array->count = 1;
    for (int i = 0; i < rank; i++) {
        array->dims[i] = dims[i];
        /* Callers' sizes come from checked shapes; an absurd one becomes a
         * count that no allocation can meet. */
        if (__builtin_mul_overflow(array->count, dims[i], &array->count))
            array->count = INT64_MAX;
    }
    for (int i = 0; i < rank; i++)
        if (dims[i] == 0)
            array->count = 0;
}

Array *array_new(Arena *arena, DType type, int rank, const int64_t *dims,
                 Precision precision)
{
    Array *array = arena_alloc(arena, sizeof *array);
    array_set_shape(array, type, rank, dims);
    array->data = arena_block(arena, (size_t)array->count,
                              storage_size(array_storage(type, precision)));
    return array;
}

/* The real type whose tensors hold elements as they are computed with. */
static DType held_type(Precision precision)
{
    return precision == PRECISION_F32 ? DT_FLOAT : DT_DOUBLE;
}

Fact array_fact(const Array *array)
{
    return fact_of(array->type, array->rank, array->dims);
}

bool array_has_shape(const Array *array, int rank, const int64_t *dims)
{
    return array->rank == rank &&
           memcmp(array->dims, dims, (size_t)rank * sizeof *dims) == 0;
}

bool array_can_map(const Tensor *tensor, Precision precision)
{
    if (!tensor->data ||
        (tensor->type != held_type(precision) && tensor->type != DT_INT64))
        return false;
    return (uintptr_t)tensor->data % dtype_size(tensor->type) == 0;
}

enum { PIECE = 1024 };

/* A formula's values, rounded as a file would hold them. */
static void read_rounded(const Tensor *tensor, int64_t first, int64_t count,
                         double *out)
{
    char stored[PIECE * sizeof(double)];
    tensor_read_stored(tensor, first, count, stored);
    Tensor view = {.type = tensor->type,
                   .count = count,
                   .data = stored,
                   .data_size = (size_t)count * dtype_size(tensor->type)};
    tensor_read_f64(&view, 0, count, out);
}

void array_load(const Array *array, const Tensor *tensor, Precision precision,
                bool exact, int64_t first, int64_t count)
{
    Storage storage = array_storage(array->type, precision);
    if (storage == STORAGE_I64) {
        tensor_read_i64(tensor, first, count, (int64_t *)array->data + first);
        return;
    }
    if (tensor->data && tensor->type == held_type(precision)) {
        size_t size = storage_size(storage);
        memcpy((char *)array->data + (size_t)first * size,
               (const char *)tensor->data + (size_t)first * size,
               (size_t)count * size);
        return;
    }
    double piece[PIECE];
    for (int64_t now; count > 0; first += now, count -= now) {
        now = count < PIECE ? count : PIECE;
        double *out =
            storage == STORAGE_F64 ? (double *)array->data + first : piece;
        if (tensor->formula && !exact)
            read_rounded(tensor, first, now, out);
        else
            tensor_read_f64(tensor, first, now, out);
        if (storage == STORAGE_F32)
            for (int64_t i = 0; i < now; i++)
                ((float *)array->data)[first + i] = (float)piece[i];
    }
}

void array_perturb(const Array *array, Precision precision, Noise noise,
                   int64_t first, int64_t count)
{
    for (int64_t i = first; i < first + count; i++) {
        double unit = random_unit(noise.seed, (uint64_t)i);
        double factor = 1 + noise.size * (2 * unit - 1);
        if (precision == PRECISION_F64)
            ((double *)array->data)[i] *= factor;
        else
            ((float *)array->data)[i] *= (float)factor;
    }
}

int array_from_tensor(Arena *arena, const Tensor *tensor, Precision precision,
                      bool exact, Array **out, Err *err)
{
    if (!tensor_is_readable(tensor))
        return err_set(err, ERR_UNSUPPORTED_TYPE,
                       "tensors of type %s cannot be computed with",
                       dtype_name(tensor->type));
    if (!array_can_map(tensor, precision)) {
        *out = array_new(arena, tensor->type, tensor->rank, tensor->dims,
                         precision);
        array_load(*out, tensor, precision, exact, 0, tensor->count);
        return 0;
    }
    *out = arena_alloc(arena, sizeof **out);
    array_set_shape(*out, tensor->type, tensor->rank, tensor->dims);
    (*out)->data = (void *)(uintptr_t)tensor->data;
    return 0;
}

void array_to_f64(const Array *array, Precision precision, int64_t first,
                  int64_t count, double *out)
{
    switch (array_storage(array->type, precision)) {
    case STORAGE_F32:
        for (int64_t i = 0; i < count; i++)
            out[i] = (double)((const float *)array->data)[first + i];
        break;
    case STORAGE_F64:
        memcpy(out, (const double *)array->data + first,
               (size_t)count * sizeof *out);
        break;
    case STORAGE_I64:
        for (int64_t i = 0; i < count; i++)
            out[i] = integer_to_real(array->type,
                                     ((const int64_t *)array->data)[first + i]);
        break;
    }
}

/* Integers are held in the range of their type, so their low bytes are they.
 */
static void store_integers(DType type, const int64_t *values, int64_t count,
                           char *out)
{
    size_t size = dtype_size(type);
    for (int64_t i = 0; i < count; i++) {
        uint64_t bits = (uint64_t)values[i];
        for (size_t k = 0; k < size; k++)
            *out++ = (char)(bits >> 8 * k & 0xff);
    }
}

void array_store(const Array *array, Precision precision, int64_t first,
                 int64_t count, void *out)
{
    double piece[PIECE];
    size_t size = dtype_size(array->type);
    if (!dtype_is_real(array->type)) {
        store_integers(array->type, (const int64_t *)array->data + first, count,
                       out);
        return;
    }
    for (int64_t done = 0, now; done < count; done += now) {
        now = count - done < PIECE ? count - done : PIECE;
        array_to_f64(array, precision, first + done, now, piece);
        tensor_store_f64(array->type, piece, now,
                         (char *)out + (size_t)done * size);
    }
}

Tensor *array_to_tensor(Arena *arena, const Array *array, Precision precision)
{
    void *data;
    Tensor *tensor =
        tensor_alloc(arena, array->type, array->rank, array->dims, &data);
    array_store(array, precision, 0, array->count, data);
    return tensor;
}

Array *array_copy(Arena *arena, const Array *array, Precision precision)
{
    Array *copy =
        array_new(arena, array->type, array->rank, array->dims, precision);
    size_t size = storage_size(array_storage(array->type, precision));
    memcpy(copy->data, array->data, (size_t)array->count * size);
    return copy;
}

void array_put(const Array *array, Precision precision, int64_t index,
               double value)
{
    switch (array_storage(array->type, precision)) {
    case STORAGE_F32:
        ((float *)array->data)[index] = (float)value;
        break;
    case STORAGE_F64:
        ((double *)array->data)[index] = value;
        break;
    case STORAGE_I64:
        ((int64_t *)array->data)[index] = integer_from_real(array->type, value);
        break;
    }
}

bool integer_is_narrow(DType type)
{
    return dtype_is_integer(type) && type != DT_INT64 && type != DT_UINT64;
}

int64_t integer_wrap(DType type, int64_t value)
{
    switch (type) {
    case DT_INT8:
        return (int8_t)value;
    case DT_UINT8:
        return (uint8_t)value;
    case DT_INT16:
        return (int16_t)value;
    case DT_UINT16:
        return (uint16_t)value;
    case DT_INT32:
        return (int32_t)value;
    case DT_UINT32:
        return (uint32_t)value;
    case DT_BOOL:
        return value != 0;
    default:
        return value;
    }
}

double integer_to_real(DType type, int64_t value)
{
    return type == DT_UINT64 ? (double)(uint64_t)value : (double)value;
}

int64_t integer_from_real(DType type, double value)
{
    if (type == DT_BOOL)
        return value != 0;
    if (isnan(value))
        return 0;
    if (type == DT_UINT64 && value >= 0x1p63)
        return (int64_t)(value < 0x1p64 ? (uint64_t)value : UINT64_MAX);
    if (value >= 0x1p63)
        return integer_wrap(type, INT64_MAX);
    if (value < -0x1p63)
        return integer_wrap(type, INT64_MIN);
    return integer_wrap(type, (int64_t)value);
}

/* Sizes of empty arrays may be absurd: their product wraps, and is not used.
 */
static int64_t multiply(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a * (uint64_t)b);
}

int64_t dims_product(const int64_t *dims, int from, int to)
{
    int64_t product = 1;
    for (int i = from; i < to; i++)
        product = multiply(product, dims[i]);
    return product;
}

void dims_strides(int rank, const int64_t *dims, int64_t *strides)
{
    int64_t stride = 1;
    for (int i = rank - 1; i >= 0; i--) {
        strides[i] = stride;
        stride = multiply(stride, dims[i]);
    }
}
