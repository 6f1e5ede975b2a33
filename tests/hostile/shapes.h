/*
 * Files of any size that are one thing over and over: whatever a file can hold
 * many of, with names as short as they can be.
 */
#ifndef REPFOLD_TESTS_HOSTILE_SHAPES_H
#define REPFOLD_TESTS_HOSTILE_SHAPES_H

#include "big.h"

typedef struct Shape {
    const char *name;
    /* Adds the i-th of what there are many of. */
    void (*item)(Bytes *many, size_t i);
    /* Makes the model around `count` of them. */
    void (*model)(Bytes *file, Bytes *many, size_t count);
} Shape;

typedef struct Shapes {
    const Shape *list;
    size_t count;
} Shapes;

Shapes hostile_shapes(void);

/* The shape's file, of about that size. */
void shape_make(const Shape *shape, size_t size, Bytes *file);

#endif
