/*
 * Matrix products of our own, c = a b, for every matrix product, attention and
 * convolution with few output channels.
 *
 * The micro-kernel holds a few rows by a few vectors of c in registers and
 * goes along the depth: for each step it loads vectors of a row of b and
 * multiplies them by numbers of a.  So a is packed in panels of `rows` rows,
 * the numbers of one step beside each other; b is read in rows of a panel or
 * of a block.  The depth is cut into blocks whose panels stay in the cache, as
 * in Goto and van de Geijn, "Anatomy of High-Performance Matrix
 * Multiplication", ACM TOMS 34(3), 2008.
 *
 * Each element of c is a sum over the depth in order, begun anew for each
 * block of the depth, whose sums are then added in order.  Blocks depend on
 * the depth alone, so that a result depends neither on tiles nor on threads.
 * No term passes more than depth + 1 roundings, fused or not, so the error is
 * that of a sum in any order: Higham, "Accuracy and Stability of Numerical
 * Algorithms", section 3.1.
 */
#ifndef REPFOLD_EXEC_GEMM_H
#define REPFOLD_EXEC_GEMM_H

#include "exec/kernel.h"
#include "exec/simd.h"

/* c = a b for one panel of each, or that added to c. b_step and c_step are
 * from row to row. Row i begins with start[i] where that is given. */
typedef void GemmMicro(const void *a, const void *b, int64_t b_step,
                       int64_t depth, void *c, int64_t c_step,
                       const void *start, bool adds);

enum { GEMM_ROW_SIZES = 4, GEMM_VECTORS = 3 };

/* The micro-kernels of one level and precision: for 1, 2, 4 ... `rows` rows
 * and for 1 to GEMM_VECTORS vectors. */
typedef struct GemmSet {
    bool is_f32;
    int rows, lanes; /* of a panel of a; elements of a vector */
    GemmMicro *run[GEMM_ROW_SIZES][GEMM_VECTORS];
} GemmSet;

const GemmSet *gemm_set(Precision precision, SimdLevel level);

/* Elements anywhere in memory, row_step and column_step apart. */
typedef struct Matrix {
    const void *data;
    int64_t row_step, column_step;
} Matrix;

/* Writes rows [row, row + rows) and columns [column, column + columns) of a
 * matrix that is computed: an im2col of which only blocks exist. */
typedef struct GemmBlock {
    int64_t row, rows, column, columns;
} GemmBlock;
typedef void GemmFill(const void *source, const GemmBlock *block, void *to,
                      int64_t to_step);

typedef struct Gemm {
    const GemmSet *set;
    int64_t rows, columns, depth;
    /* Each operand is packed, or a matrix that tiles pack; b may also be
     * filled. */
    const void *a_packed, *b_packed;
    Matrix a, b;
    GemmFill *fill;
    const void *source;
    double alpha;      /* what a is multiplied by where a tile packs it */
    const void *start; /* of each row, or NULL */
    bool adds;         /* to what c holds */
    void *c;
    int64_t c_step;
    const Epilogue *epilogue;
    int64_t c_first; /* where c begins in the epilogue's output */
    /* Tiles, set by gemm_plan: how many, and the largest. */
    int64_t row_count, column_count, row_size, column_size, column_unit;
    size_t scratch_size;
} Gemm;

/* Chooses tiles of one of `batch` products of this shape, and what scratch a
 * worker needs for one. */
void gemm_plan(Gemm *gemm, int64_t batch, int threads);
/* Computes tile `index` of row_count * column_count. */
void gemm_tile(const Gemm *gemm, int64_t index, int worker, void *scratch);
/* Computes all of them. */
void gemm_alone(const Gemm *gemm, int worker, void *scratch);

/* Packing for good; the sizes are in elements. */
int64_t gemm_packed_a(const GemmSet *set, int64_t rows, int64_t depth);
int64_t gemm_packed_b(const GemmSet *set, int64_t depth, int64_t columns);
void gemm_pack_a(Pool *pool, const GemmSet *set, const Matrix *a, int64_t rows,
                 int64_t depth, void *to);
void gemm_pack_b(Pool *pool, const GemmSet *set, const Matrix *b, int64_t depth,
                 int64_t columns, void *to);

#endif
