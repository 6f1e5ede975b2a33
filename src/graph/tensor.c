#include "graph/tensor.h"

#include <math.h>
#include <string.h>

#include "base/half.h"

/* ORDER DType */
static const struct {
    const char *name;
    size_t size;
} dtypes[DT_COUNT] = {
    [DT_UNDEFINED] = {"undefined", 0},
    [DT_FLOAT] = {"float32", 4},
    [DT_UINT8] = {"uint8", 1},
    [DT_INT8] = {"int8", 1},
    [DT_UINT16] = {"uint16", 2},
    [DT_INT16] = {"int16", 2},
    [DT_INT32] = {"int32", 4},
    [DT_INT64] = {"int64", 8},
    [DT_STRING] = {"string", 0},
    [DT_BOOL] = {"bool", 1},
    [DT_FLOAT16] = {"float16", 2},
    [DT_DOUBLE] = {"float64", 8},
    [DT_UINT32] = {"uint32", 4},
    [DT_UINT64] = {"uint64", 8},
    [DT_COMPLEX64] = {"complex64", 8},
    [DT_COMPLEX128] = {"complex128", 16},
    [DT_BFLOAT16] = {"bfloat16", 2},
    [DT_FLOAT8E4M3FN] = {"float8e4m3fn", 1},
    [DT_FLOAT8E4M3FNUZ] = {"float8e4m3fnuz", 1},
    [DT_FLOAT8E5M2] = {"float8e5m2", 1},
    [DT_FLOAT8E5M2FNUZ] = {"float8e5m2fnuz", 1},
    [DT_UINT4] = {"uint4", 0},
    [DT_INT4] = {"int4", 0},
    [DT_FLOAT4E2M1] = {"float4e2m1", 0},
    [DT_FLOAT8E8M0] = {"float8e8m0", 1},
    [DT_UINT2] = {"uint2", 0},
    [DT_INT2] = {"int2", 0},
};

const char *dtype_name(DType type)
{
    return (unsigned)type < DT_COUNT ? dtypes[type].name : "undefined";
}

DType dtype_named(const char *name)
{
    for (int type = 0; type < DT_COUNT; type++)
        if (dtypes[type].name && strcmp(dtypes[type].name, name) == 0)
            return (DType)type;
    return DT_UNDEFINED;
}

size_t dtype_size(DType type)
{
    return (unsigned)type < DT_COUNT ? dtypes[type].size : 0;
}

bool dtype_is_real(DType type)
{
    return type == DT_FLOAT || type == DT_DOUBLE || type == DT_FLOAT16 ||
           type == DT_BFLOAT16;
}

bool dtype_is_integer(DType type)
{
    return (type >= DT_UINT8 && type <= DT_INT64) || type == DT_BOOL ||
           type == DT_UINT32 || type == DT_UINT64;
}

IntegerRange dtype_range(DType type)
{
    switch (type) {
    case DT_INT8:
        return (IntegerRange){INT8_MIN, INT8_MAX};
    case DT_UINT8:
        return (IntegerRange){0, UINT8_MAX};
    case DT_INT16:
        return (IntegerRange){INT16_MIN, INT16_MAX};
    case DT_UINT16:
        return (IntegerRange){0, UINT16_MAX};
    case DT_INT32:
        return (IntegerRange){INT32_MIN, INT32_MAX};
    case DT_UINT32:
        return (IntegerRange){0, UINT32_MAX};
    case DT_INT64:
        return (IntegerRange){INT64_MIN, INT64_MAX};
    case DT_UINT64:
        return (IntegerRange){0, INT64_MAX};
    case DT_BOOL:
        return (IntegerRange){0, 1};
    default:
        return (IntegerRange){0, 0};
    }
}

double dtype_roundoff(DType type)
{
    switch (type) {
    case DT_FLOAT:
        return 0x1p-24;
    case DT_FLOAT16:
        return 0x1p-11;
    case DT_BFLOAT16:
        return 0x1p-8;
    default:
        return 0x1p-53;
    }
}

double dtype_least_normal(DType type)
{
    switch (type) {
    case DT_FLOAT:
    case DT_BFLOAT16:
        return 0x1p-126;
    case DT_FLOAT16:
        return 0x1p-14;
    default:
        return 0x1p-1022;
    }
}

double dtype_round(DType type, double value)
{
    switch (type) {
    case DT_FLOAT:
        return (double)(float)value;
    case DT_FLOAT16:
        return half_to_double(half_from_double(value));
    case DT_BFLOAT16:
        return bfloat_to_double(bfloat_from_double(value));
    default:
        return value;
    }
}

bool dtype_holds(DType type, const double *values, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (dtype_round(type, values[i]) != values[i])
            return false;
    return true;
}

/* The product of the dims; -1 when one is negative or it overflows. */
static int64_t dims_count(int rank, const int64_t *dims)
{
    int64_t count = 1;
    for (int i = 0; i < rank; i++)
        if (dims[i] < 0)
            return -1;
    /* A zero anywhere makes the tensor empty, however big the others are. */
    for (int i = 0; i < rank; i++)
        if (dims[i] == 0)
            return 0;
    for (int i = 0; i < rank; i++)
        if (__builtin_mul_overflow(count, dims[i], &count))
            return -1;
    return count;
}

/* The dims stand behind it, in the same piece of memory. */
static Tensor *tensor_make(Arena *arena, DType type, int rank,
                           const int64_t *dims, int64_t count)
{
    size_t size = (size_t)rank * sizeof *dims;
    Tensor *tensor = arena_alloc(arena, sizeof *tensor + size);
    int64_t *own = (int64_t *)(tensor + 1);
    if (size > 0)
        memcpy(own, dims, size);
    *tensor = (Tensor){.type = type, .rank = rank, .dims = own, .count = count};
    return tensor;
}

int tensor_new(Arena *arena, DType type, int rank, const int64_t *dims,
               const void *data, size_t data_size, Tensor **out, Err *err)
{
    if (rank < 0 || rank > RANK_MAX)
        return err_set(err, ERR_BAD_TENSOR, "rank %d is beyond the limit of %d",
                       rank, RANK_MAX);
    int64_t count = dims_count(rank, dims);
    if (count < 0)
        return err_set(err, ERR_BAD_TENSOR,
                       "dims are negative or their product overflows");
    size_t need;
    if (__builtin_mul_overflow((size_t)count, dtype_size(type), &need))
        return err_set(err, ERR_BAD_TENSOR, "its size in bytes overflows");
    if (data_size != need)
        return err_set(err, ERR_BAD_TENSOR,
                       "%zu bytes of data where its type %s and dims need %zu",
                       data_size, dtype_name(type), need);
    *out = tensor_make(arena, type, rank, dims, count);
    (*out)->data = data;
    (*out)->data_size = data_size;
    return 0;
}

Tensor *tensor_alloc(Arena *arena, DType type, int rank, const int64_t *dims,
                     void **data)
{
    int64_t count = dims_count(rank, dims);
    Tensor *tensor = tensor_make(arena, type, rank, dims, count);
    tensor->data_size = (size_t)count * dtype_size(type);
    *data = arena_array(arena, (size_t)count, dtype_size(type));
    tensor->data = *data;
    return tensor;
}

Tensor *tensor_from_formula(Arena *arena, DType type, int rank,
                            const int64_t *dims, const TensorFormula *formula)
{
    Tensor *tensor =
        tensor_make(arena, type, rank, dims, dims_count(rank, dims));
    tensor->formula = formula;
    tensor->inexact = true; /* unless it is known to be exact */
    return tensor;
}

bool tensor_is_readable(const Tensor *tensor)
{
    return (dtype_is_real(tensor->type) || dtype_is_integer(tensor->type)) &&
           (tensor->data || tensor->formula || tensor->count == 0);
}

/* Reads packed little-endian elements of one C type, every step-th one, at any
 * alignment. */
#define READ_AS(ctype, convert)                                                \
    for (int64_t i = 0; i < count; i++) {                                      \
        ctype element;                                                         \
        memcpy(&element, bytes + (size_t)(i * step) * sizeof element,          \
               sizeof element);                                                \
        out[i] = convert(element);                                             \
    }                                                                          \
    break

/* Inlined, so that a step of 1 makes loops that can be widened. */
static inline void read_f64(const Tensor *tensor, int64_t first, int64_t step,
                            int64_t count, double *out)
{
    const char *bytes =
        (const char *)tensor->data + (size_t)first * dtype_size(tensor->type);
    switch (tensor->type) {
    case DT_FLOAT:
        READ_AS(float, (double));
    case DT_DOUBLE:
        READ_AS(double, );
    case DT_FLOAT16:
        READ_AS(uint16_t, half_to_double);
    case DT_BFLOAT16:
        READ_AS(uint16_t, bfloat_to_double);
    case DT_INT8:
        READ_AS(int8_t, );
    case DT_BOOL: /* any byte but 0 is true */
        READ_AS(uint8_t, !!);
    case DT_UINT8:
        READ_AS(uint8_t, );
    case DT_INT16:
        READ_AS(int16_t, );
    case DT_UINT16:
        READ_AS(uint16_t, );
    case DT_INT32:
        READ_AS(int32_t, );
    case DT_UINT32:
        READ_AS(uint32_t, );
    case DT_INT64:
        READ_AS(int64_t, (double));
    case DT_UINT64:
        READ_AS(uint64_t, (double));
    default:
        memset(out, 0, (size_t)count * sizeof *out);
    }
}

void tensor_read_f64(const Tensor *tensor, int64_t first, int64_t count,
                     double *out)
{
    if (count <= 0) /* also when there is no data to point into */
        return;
    if (tensor->formula)
        tensor->formula->read(tensor->formula, first, count, out);
    else
        read_f64(tensor, first, 1, count, out);
}

void tensor_read_f64_step(const Tensor *tensor, int64_t first, int64_t step,
                          int64_t count, double *out)
{
    if (!tensor->formula && count > 0)
        read_f64(tensor, first, step, count, out);
    for (int64_t i = 0; tensor->formula && i < count; i++)
        tensor->formula->read(tensor->formula, first + i * step, 1, out + i);
}

void tensor_read_i64(const Tensor *tensor, int64_t first, int64_t count,
                     int64_t *out)
{
    const int64_t step = 1;
    if (count <= 0)
        return;
    const char *bytes =
        (const char *)tensor->data + (size_t)first * dtype_size(tensor->type);
    switch (tensor->type) {
    case DT_INT8:
        READ_AS(int8_t, );
    case DT_BOOL: /* any byte but 0 is true */
        READ_AS(uint8_t, !!);
    case DT_UINT8:
        READ_AS(uint8_t, );
    case DT_INT16:
        READ_AS(int16_t, );
    case DT_UINT16:
        READ_AS(uint16_t, );
    case DT_INT32:
        READ_AS(int32_t, );
    case DT_UINT32:
        READ_AS(uint32_t, );
    case DT_INT64:
        READ_AS(int64_t, );
    case DT_UINT64:
        READ_AS(uint64_t, (int64_t));
    default:
        memset(out, 0, (size_t)count * sizeof *out);
    }
}

void tensor_store_f64(DType type, const double *values, int64_t count,
                      void *out)
{
    float *floats = out;
    uint16_t *halves = out;
    switch (type) {
    case DT_FLOAT:
        for (int64_t i = 0; i < count; i++)
            floats[i] = (float)values[i];
        break;
    case DT_FLOAT16:
        for (int64_t i = 0; i < count; i++)
            halves[i] = half_from_double(values[i]);
        break;
    case DT_BFLOAT16:
        for (int64_t i = 0; i < count; i++)
            halves[i] = bfloat_from_double(values[i]);
        break;
    default:
        memcpy(out, values, (size_t)count * sizeof *values);
    }
}

void tensor_read_stored(const Tensor *tensor, int64_t first, int64_t count,
                        void *out)
{
    enum { PIECE = 512 };
    size_t size = dtype_size(tensor->type);
    if (count <= 0)
        return;
    if (!tensor->formula) {
        memcpy(out, (const char *)tensor->data + (size_t)first * size,
               (size_t)count * size);
        return;
    }
    double piece[PIECE];
    for (int64_t done = 0; done < count; done += PIECE) {
        int64_t now = count - done < PIECE ? count - done : PIECE;
        tensor_read_f64(tensor, first + done, now, piece);
        tensor_store_f64(tensor->type, piece, now,
                         (char *)out + (size_t)done * size);
    }
}
