/* Moving elements: type-blind, by the size of an element. */
#ifndef REPFOLD_EXEC_MOVE_H
#define REPFOLD_EXEC_MOVE_H

#include "exec/kernel.h"

/* A block of elements seen through strides. */
typedef struct Strided {
    char *data;                    /* of the element at index 0 */
    int64_t strides[2 * RANK_MAX]; /* in elements */
} Strided;

/* Copies a block of that shape from one place to another; no element of `to`
 * is written twice. */
void move_block(KernelCall *call, size_t size, int rank, const int64_t *dims,
                const Strided *from, const Strided *to);

/* Fills an array from another through a table for each axis: element
 * (i, j, ...) is the source's (table[0][i], table[1][j], ...), or `filler`
 * where an entry is -1. */
void move_by_tables(KernelCall *call, const Array *from, const Array *to,
                    int64_t *const *tables, const void *filler);

/* `to` is all one element. */
void move_fill(KernelCall *call, const Array *to, const void *element);

/* The whole of an array. */
Strided strided_all(const Array *array);

#endif
