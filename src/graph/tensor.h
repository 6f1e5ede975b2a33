/*
 * Element types and constant tensors.  A tensor's elements come from memory
 * (often straight from the mapped file, so at any alignment) or from a
 * formula, which computes them in double when they are asked for.
 */
#ifndef REPFOLD_GRAPH_TENSOR_H
#define REPFOLD_GRAPH_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"

/* A tensor of higher rank is passed through but never looked into. */
enum { RANK_MAX = 16 };

/* ONNX TensorProto.DataType. */
typedef enum DType {
    DT_UNDEFINED = 0,
    DT_FLOAT = 1,
    DT_UINT8 = 2,
    DT_INT8 = 3,
    DT_UINT16 = 4,
    DT_INT16 = 5,
    DT_INT32 = 6,
    DT_INT64 = 7,
    DT_STRING = 8,
    DT_BOOL = 9,
    DT_FLOAT16 = 10,
    DT_DOUBLE = 11,
    DT_UINT32 = 12,
    DT_UINT64 = 13,
    DT_COMPLEX64 = 14,
    DT_COMPLEX128 = 15,
    DT_BFLOAT16 = 16,
    DT_FLOAT8E4M3FN = 17,
    DT_FLOAT8E4M3FNUZ = 18,
    DT_FLOAT8E5M2 = 19,
    DT_FLOAT8E5M2FNUZ = 20,
    DT_UINT4 = 21,
    DT_INT4 = 22,
    DT_FLOAT4E2M1 = 23,
    DT_FLOAT8E8M0 = 24,
    DT_UINT2 = 25,
    DT_INT2 = 26,
    DT_COUNT
} DType;

/* "float32", "int64", ...: numpy's names. */
const char *dtype_name(DType type);
/* The type of that name, or DT_UNDEFINED. */
DType dtype_named(const char *name);
/* Bytes of an element; 0 for strings and types below a byte. */
size_t dtype_size(DType type);
/* float16, bfloat16, float32 or float64: what a weight can be. */
bool dtype_is_real(DType type);
/* An integer type of 8 to 64 bits or bool. */
bool dtype_is_integer(DType type);
/* The least and the largest number of an integer type; of uint64 only those
 * that int64 has. */
typedef struct IntegerRange {
    int64_t least, most;
} IntegerRange;
IntegerRange dtype_range(DType type);
/* Unit roundoff u of a real type: 2^-24 for float32. */
double dtype_roundoff(DType type);
/* The smallest positive number that has that roundoff: 2^-126 for float32. */
double dtype_least_normal(DType type);

/* The number of that real type that is nearest. */
double dtype_round(DType type, double value);
/* True for numbers of that real type, all of them. */
bool dtype_holds(DType type, const double *values, int64_t count);

/* Elements that are computed when they are read. */
typedef struct TensorFormula {
    /* Writes elements [first, first + count) of the tensor, in row-major
     * order, unrounded. Must be pure and callable from several threads. */
    void (*read)(const struct TensorFormula *self, int64_t first, int64_t count,
                 double *out);
} TensorFormula;

typedef struct Tensor {
    DType type;
    int rank;
    const int64_t *dims; /* as many as its rank: there are many tensors */
    int64_t count;       /* product of dims */
    const void *data; /* as ONNX's raw_data holds it: little-endian, packed */
    size_t data_size; /* bytes at `data` */
    bool is_external; /* `data` is in another file than the model */
    const TensorFormula *formula; /* NULL where there is `data` */
    /* A number of the formula, or on the way there, is none of its type: who
     * computes in that type gets others, a little apart. */
    bool inexact;
    /* The TensorProto it was read from, in the file; NULL for a new one. */
    const uint8_t *source;
    size_t source_size;
} Tensor;

/* A tensor over `data`, which is not copied. dims are checked: not negative,
 * product in int64, and data_size exactly right. */
int tensor_new(Arena *arena, DType type, int rank, const int64_t *dims,
               const void *data, size_t data_size, Tensor **out, Err *err);

/* A tensor over zeroed memory of its own, for the caller to fill. */
Tensor *tensor_alloc(Arena *arena, DType type, int rank, const int64_t *dims,
                     void **data);

Tensor *tensor_from_formula(Arena *arena, DType type, int rank,
                            const int64_t *dims, const TensorFormula *formula);

/* True when the elements can be read at all (a type we know, with data). */
bool tensor_is_readable(const Tensor *tensor);

/* Elements [first, first + count) as double; a formula's are unrounded.
 * int64 beyond 2^53 lose precision: use tensor_read_i64 for indices. */
void tensor_read_f64(const Tensor *tensor, int64_t first, int64_t count,
                     double *out);
/* Elements first, first + step, ..., count of them: a column of a matrix. */
void tensor_read_f64_step(const Tensor *tensor, int64_t first, int64_t step,
                          int64_t count, double *out);
void tensor_read_i64(const Tensor *tensor, int64_t first, int64_t count,
                     int64_t *out);

/* Rounds doubles once to the real type and stores them packed. */
void tensor_store_f64(DType type, const double *values, int64_t count,
                      void *out);

/* Elements [first, first+count) as they are stored in a file: copied, or a
 * formula's values rounded once. `out` holds count * dtype_size bytes. */
void tensor_read_stored(const Tensor *tensor, int64_t first, int64_t count,
                        void *out);

#endif
