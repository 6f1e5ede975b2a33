/* Operands in the order in which micro-kernels read them. */
#ifndef REPFOLD_EXEC_GEMM_PACK_H
#define REPFOLD_EXEC_GEMM_PACK_H

#include "exec/gemm.h"
#include "exec/integer.h"

static inline size_t gemm_size(const GemmSet *set)
{
    return set->is_f32 ? sizeof(float) : sizeof(double);
}

/* Columns of a panel of b. */
static inline int64_t gemm_width(const GemmSet *set)
{
    return (int64_t)set->lanes * GEMM_VECTORS;
}

/* How much of the depth is done at once: at least 1. */
int64_t gemm_depth(const GemmSet *set, int64_t depth);

/* Rows [row, row + rows) of a, steps [first, first + count) of the depth, in
 * panels; the last one is filled up with zeros. */
void gemm_panels_a(const GemmSet *set, const Matrix *a, double alpha,
                   const GemmBlock *block, void *to);
/* A block of b, to_step from row to row; columns are filled up with zeros to
 * whole vectors. */
void gemm_block_b(const GemmSet *set, const Matrix *b, const GemmBlock *block,
                  void *to, int64_t to_step);
/* The zeros alone. */
void gemm_pad_b(const GemmSet *set, const GemmBlock *block, void *to,
                int64_t to_step);

#endif
