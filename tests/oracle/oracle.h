/*
 * The oracle: every operator once more, as obvious loops in double, with the
 * formula in the comment and nothing in common with src/exec.  The fast
 * kernels are tested against it on many shapes.
 */
#ifndef REPFOLD_TESTS_ORACLE_ORACLE_H
#define REPFOLD_TESTS_ORACLE_ORACLE_H

#include "graph/graph.h"

/* A tensor of doubles, row-major. */
typedef struct Grid {
    int rank;
    int64_t dims[RANK_MAX];
    int64_t count;
    double *data;
} Grid;

typedef struct OracleCall {
    const Node *node;
    int64_t opset;
    int input_count;
    const Grid *inputs[9]; /* NULL where absent */
    Grid *output;          /* its shape is given */
} OracleCall;

typedef void Oracle(const OracleCall *call);

/* NULL where the oracle does not know the operator. */
Oracle *oracle_find(Op op);

/* Index tuples: the tuple of a row-major position, and back. */
void grid_index(const Grid *grid, int64_t position, int64_t *index);
int64_t grid_position(const Grid *grid, const int64_t *index);
/* The element at an index; 0 outside. */
double grid_at(const Grid *grid, const int64_t *index);
/* The element that broadcasting puts at an index of a shape of rank `rank`. */
double grid_spread(const Grid *grid, int rank, const int64_t *index);
/* Entry i of a list attribute, or the fallback. */
int64_t oracle_int(const OracleCall *call, const char *name, int i,
                   int64_t fallback);
/* An axis attribute made non-negative. */
int oracle_axis(const OracleCall *call, int64_t fallback, int rank);

Oracle oracle_conv, oracle_conv_transpose, oracle_pool;
Oracle oracle_matmul, oracle_gemm, oracle_einsum;
Oracle oracle_map, oracle_zip, oracle_where;
Oracle oracle_softmax, oracle_batch_norm, oracle_block_norm;
Oracle oracle_reduce, oracle_transpose, oracle_expand, oracle_concat;
Oracle oracle_pad, oracle_gather;
Oracle oracle_same_order, oracle_slice, oracle_tile, oracle_blocks;
Oracle oracle_gather_elements, oracle_gather_nd;
Oracle oracle_scatter_elements, oracle_scatter_nd, oracle_one_hot;
Oracle oracle_cum_sum, oracle_sorted, oracle_trilu;
Oracle oracle_lrn, oracle_lp_norm, oracle_global_pool;
Oracle oracle_resize, oracle_grid_sample, oracle_clip;
Oracle oracle_roi_align, oracle_recurrent;
Oracle oracle_deform_conv, oracle_col2im;

#endif
