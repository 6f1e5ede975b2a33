/* Matrix products. */
#include "oracle.h"

/* y[..,i,j] = sum over k of a[..,i,k] * b[..,k,j]; numpy's rule for vectors. */
void oracle_matmul(const OracleCall *call)
{
    Grid a = *call->inputs[0], b = *call->inputs[1], y = *call->output;
    if (b.rank == 1) {
        b.dims[b.rank++] = 1;
        y.dims[y.rank++] = 1;
    }
    if (a.rank == 1) {
        a.dims[1] = a.dims[0];
        a.dims[0] = 1;
        a.rank = 2;
        y.dims[y.rank] = y.dims[y.rank - 1];
        y.dims[y.rank++ - 1] = 1;
    }
    int64_t depth = a.dims[a.rank - 1];
    for (int64_t o = 0; o < y.count; o++) {
        int64_t left[RANK_MAX], right[RANK_MAX];
        y.data[o] = 0;
        for (int64_t k = 0; k < depth; k++) {
            grid_index(&y, o, left);
            grid_index(&y, o, right);
            left[y.rank - 1] = k;
            right[y.rank - 2] = k;
            y.data[o] +=
                grid_spread(&a, y.rank, left) * grid_spread(&b, y.rank, right);
        }
    }
}

/* y = alpha * a' * b' + beta * c */
void oracle_gemm(const OracleCall *call)
{
    const Grid *a = call->inputs[0], *b = call->inputs[1];
    const Grid *c = call->inputs[2];
    Grid *y = call->output;
    bool transposes_a = node_int(call->node, "transA", 0);
    bool transposes_b = node_int(call->node, "transB", 0);
    double alpha = (double)node_float(call->node, "alpha", 1);
    double beta = (double)node_float(call->node, "beta", 1);
    for (int64_t o = 0; o < y->count; o++) {
        int64_t at[RANK_MAX];
        double sum = 0;
        grid_index(y, o, at);
        for (int64_t k = 0; k < a->dims[transposes_a ? 0 : 1]; k++) {
            int64_t left[] = {transposes_a ? k : at[0],
                              transposes_a ? at[0] : k};
            int64_t right[] = {transposes_b ? at[1] : k,
                               transposes_b ? k : at[1]};
            sum += grid_at(a, left) * grid_at(b, right);
        }
        y->data[o] = alpha * sum + (c ? beta * grid_spread(c, 2, at) : 0);
    }
}
