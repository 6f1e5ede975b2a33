/* Matrix products. */
#include <string.h>

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

/* Where a term's axes are among all letters' places: axes of size 1 at 0. */
static void einsum_index(const Grid *grid, const char *term,
                         const char *letters, const int64_t *places,
                         int64_t *index)
{
    for (int i = 0; i < grid->rank; i++)
        index[i] =
            grid->dims[i] == 1 ? 0 : places[strchr(letters, term[i]) - letters];
}

/* y[output's letters] = sum over all other letters of the product of the
 * inputs, each at its own letters. Letters, commas and an arrow only. */
void oracle_einsum(const OracleCall *call)
{
    const Span *equation = &node_attr(call->node, "equation")->s;
    char text[100] = "", letters[RANK_MAX + 1] = "", *terms[9];
    memcpy(text, equation->bytes, equation->size);
    int count = 0, inputs = call->input_count;
    for (char *term = strtok(text, ",->"); term; term = strtok(NULL, ",->"))
        terms[count++] = term;
    if (count == inputs)
        terms[count] = ""; /* the output is a scalar */
    Grid space = {.count = 1};
    for (int k = 0; k < inputs; k++)
        for (int i = 0; i < call->inputs[k]->rank; i++) {
            if (!strchr(letters, terms[k][i])) {
                letters[space.rank] = terms[k][i];
                space.dims[space.rank++] = 1;
            }
            int64_t *dim = &space.dims[strchr(letters, terms[k][i]) - letters];
            if (*dim == 1)
                *dim = call->inputs[k]->dims[i];
        }
    for (int i = 0; i < space.rank; i++)
        space.count *= space.dims[i];
    memset(call->output->data, 0, (size_t)call->output->count * sizeof(double));
    for (int64_t position = 0; position < space.count; position++) {
        int64_t places[RANK_MAX], index[RANK_MAX];
        double product = 1;
        grid_index(&space, position, places);
        for (int k = 0; k < inputs; k++) {
            einsum_index(call->inputs[k], terms[k], letters, places, index);
            product *= grid_at(call->inputs[k], index);
        }
        einsum_index(call->output, terms[inputs], letters, places, index);
        call->output->data[grid_position(call->output, index)] += product;
    }
}
