/* What exec/ needs to know of arrays beyond exec.h. */
#ifndef REPFOLD_EXEC_ARRAY_H
#define REPFOLD_EXEC_ARRAY_H

#include "exec/exec.h"

/* The bytes of an element as it is held. */
size_t storage_size(Storage storage);

/* Type, shape and count; no data yet. */
void array_set_shape(Array *array, DType type, int rank, const int64_t *dims);
/* What inference is told of it; the dims are the array's. */
Fact array_fact(const Array *array);
bool array_has_shape(const Array *array, int rank, const int64_t *dims);
/* True when the tensor's memory can be used as it is. */
bool array_can_map(const Tensor *tensor, Precision precision);
/* Fills elements [first, first + count) from a readable tensor. */
void array_load(const Array *array, const Tensor *tensor, Precision precision,
                bool exact, int64_t first, int64_t count);
/* Elements [first, first + count) in the logical type, rounded once, as a file
 * holds them. */
void array_store(const Array *array, Precision precision, int64_t first,
                 int64_t count, void *out);
typedef struct Noise {
    uint64_t seed;
    double size;
} Noise;

/* Multiplies elements [first, first + count) by 1 + r, r uniform in [-size,
 * size]. */
void array_perturb(const Array *array, Precision precision, Noise noise,
                   int64_t first, int64_t count);

/* A copy, data and all. */
Array *array_copy(Arena *arena, const Array *array, Precision precision);
/* Stores a number, converted to what the array holds. */
void array_put(const Array *array, Precision precision, int64_t index,
               double value);

/* True for integer types that int64 arithmetic can leave. */
bool integer_is_narrow(DType type);
/* Wraps an integer to its type, as two's complement does; bool is 0 or 1. */
int64_t integer_wrap(DType type, int64_t value);

double integer_to_real(DType type, int64_t value);
/* Truncates towards zero, then wraps; NaN is 0; bool is whether it is not 0. */
int64_t integer_from_real(DType type, double value);

/* The product of dims[from] .. dims[to - 1]. */
int64_t dims_product(const int64_t *dims, int from, int to);
/* The row-major strides of an array of that shape, in elements. */
void dims_strides(int rank, const int64_t *dims, int64_t *strides);

#endif
