/* Files of arrays, in memory. */
#ifndef REPFOLD_TESTS_ARRAYS_H
#define REPFOLD_TESTS_ARRAYS_H

#include "graph/tensor.h"

/* The bytes of a .npy file that holds the tensor. */
int npy_bytes(Arena *arena, const Tensor *tensor, const void **bytes,
              size_t *size, Err *err);

#endif
