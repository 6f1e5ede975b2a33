/* The values of seeded sample inputs; the kinds are told in input.h. */
#ifndef REPFOLD_JUDGE_SAMPLE_H
#define REPFOLD_JUDGE_SAMPLE_H

#include "graph/tensor.h"

/* ORDER SampleKind: the names in sample.c, the table in input.h. */
typedef enum SampleKind {
    SAMPLE_MIXED,
    SAMPLE_ONE_HOT,
    SAMPLE_ALTERNATING,
    SAMPLE_LARGE,
    SAMPLE_CONSTANT,
    SAMPLE_TINY,
    SAMPLE_UNIFORM,
    SAMPLE_SPARSE,
    SAMPLE_KINDS
} SampleKind;

const char *sample_name(SampleKind kind);

typedef struct SampleShape {
    DType type; /* real or integer */
    int rank;
    const int64_t *dims;
    int64_t indices; /* integers are below that; 0 for what input.h says */
} SampleShape;

/* A tensor of that kind and shape. */
Tensor *sample_tensor(Arena *arena, SampleKind kind, const SampleShape *shape,
                      uint64_t seed);

#endif
