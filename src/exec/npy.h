/* NumPy's .npy files, version 1.0 to 3.0, both byte orders, C and Fortran
 * order. */
#ifndef REPFOLD_EXEC_NPY_H
#define REPFOLD_EXEC_NPY_H

#include "base/sink.h"
#include "exec/exec.h"

int npy_read(Arena *arena, const char *path, Tensor **out, Err *err);
/* The same from the bytes of a file, which must outlive the tensor. */
int npy_parse(Arena *arena, const void *bytes, size_t size, Tensor **out,
              Err *err);
/* Writes an array in its logical type: version 1.0, little-endian, C order. */
int npy_write(Arena *arena, const Array *array, Precision precision, Sink *sink,
              Err *err);

#endif
