/* Normalisation and reduction. */
#include <math.h>
#include <stdbool.h>

#include "oracle.h"

/* exp(x) / sum of exp(x) along the axis, or its logarithm; up to opset 12 all
 * axes from it on are one. */
void oracle_softmax(const OracleCall *call)
{
    const Grid *x = call->inputs[0];
    Grid *y = call->output;
    bool flattens = call->opset < 13;
    int axis = oracle_axis(call, flattens ? 1 : -1, x->rank);
    for (int64_t o = 0; o < y->count; o++) {
        int64_t at[RANK_MAX], other[RANK_MAX];
        double sum = 0;
        grid_index(y, o, at);
        for (int64_t k = 0; k < x->count; k++) {
            bool same_line = true;
            grid_index(x, k, other);
            for (int i = 0; i < x->rank; i++)
                if (flattens ? i < axis : i != axis)
                    same_line = same_line && at[i] == other[i];
            sum += same_line ? exp(x->data[k] - x->data[o]) : 0;
        }
        y->data[o] = call->node->op == OP_Softmax ? 1 / sum : -log(sum);
    }
}

/* y = (x - mean) / sqrt(var + epsilon) * scale + b, of channel axis 1 */
void oracle_batch_norm(const OracleCall *call)
{
    const Grid *x = call->inputs[0];
    double epsilon = (double)node_float(call->node, "epsilon", 1e-5f);
    for (int64_t o = 0; o < x->count; o++) {
        int64_t at[RANK_MAX];
        grid_index(x, o, at);
        int64_t c = x->rank > 1 ? at[1] : 0;
        double part[5];
        for (int k = 1; k < 5; k++)
            part[k] = call->inputs[k]->data[c];
        call->output->data[o] =
            (x->data[o] - part[3]) / sqrt(part[4] + epsilon) * part[1] +
            part[2];
    }
}

/* Do two indices lie in one block, of which the moments are taken? */
static bool same_block(const OracleCall *call, const int64_t *a,
                       const int64_t *b)
{
    const Grid *x = call->inputs[0];
    int64_t groups = x->dims[1];
    if (call->node->op == OP_LayerNormalization ||
        call->node->op == OP_RMSNormalization) {
        for (int i = 0; i < oracle_axis(call, -1, x->rank); i++)
            if (a[i] != b[i])
                return false;
        return true;
    }
    if (call->node->op == OP_GroupNormalization)
        groups = node_int(call->node, "num_groups", 1);
    int64_t size = x->dims[1] / groups;
    return a[0] == b[0] && a[1] / size == b[1] / size;
}

/* The element of scale or bias at an index. */
static double parameter(const OracleCall *call, int slot, const int64_t *at)
{
    const Grid *x = call->inputs[0], *values = call->inputs[slot];
    if (!values)
        return 0;
    if (call->node->op == OP_LayerNormalization ||
        call->node->op == OP_RMSNormalization)
        return grid_spread(values, x->rank, at);
    if (call->node->op == OP_GroupNormalization && call->opset < 21)
        return values->data[at[1] / (x->dims[1] / values->dims[0])];
    return values->data[at[1]];
}

/* y = (x - mean) / sqrt(variance + epsilon) * scale + bias, over a block; RMS
 * takes no mean. */
void oracle_block_norm(const OracleCall *call)
{
    const Grid *x = call->inputs[0];
    double epsilon = (double)node_float(call->node, "epsilon", 1e-5f);
    for (int64_t o = 0; o < x->count; o++) {
        int64_t at[RANK_MAX], other[RANK_MAX];
        double sum = 0, squares = 0, count = 0;
        grid_index(x, o, at);
        for (int pass = 0; pass < 2; pass++) {
            double mean =
                pass && call->node->op != OP_RMSNormalization ? sum / count : 0;
            for (int64_t k = 0; k < x->count; k++) {
                grid_index(x, k, other);
                if (!same_block(call, at, other))
                    continue;
                count += pass == 0;
                sum += pass == 0 ? x->data[k] : 0;
                squares += pass * pow(x->data[k] - mean, 2);
            }
        }
        double mean = call->node->op == OP_RMSNormalization ? 0 : sum / count;
        call->output->data[o] = (x->data[o] - mean) /
                                    sqrt(squares / count + epsilon) *
                                    parameter(call, 1, at) +
                                parameter(call, 2, at);
    }
}

static double start(Op op)
{
    return op == OP_ReduceMax    ? -HUGE_VAL
           : op == OP_ReduceMin  ? HUGE_VAL
           : op == OP_ReduceProd ? 1
                                 : 0;
}

static double take(Op op, double so_far, double x)
{
    switch (op) {
    case OP_ReduceL1:
        return so_far + fabs(x);
    case OP_ReduceL2:
    case OP_ReduceSumSquare:
        return so_far + x * x;
    case OP_ReduceLogSumExp:
        return so_far + exp(x);
    case OP_ReduceMax:
        return fmax(so_far, x);
    case OP_ReduceMin:
        return fmin(so_far, x);
    case OP_ReduceProd:
        return so_far * x;
    default:
        return so_far + x;
    }
}

static double finish(Op op, double so_far, double count)
{
    switch (op) {
    case OP_ReduceL2:
        return sqrt(so_far);
    case OP_ReduceLogSum:
    case OP_ReduceLogSumExp:
        return log(so_far);
    case OP_ReduceMean:
        return so_far / count;
    default:
        return so_far;
    }
}

/* Over the axes of the second input; without any over all, unless
 * noop_with_empty_axes says over none. */
void oracle_reduce(const OracleCall *call)
{
    const Grid *x = call->inputs[0], *axes = call->inputs[1];
    Grid *y = call->output;
    Op op = call->node->op;
    bool given = axes && axes->count > 0;
    bool gone[RANK_MAX];
    for (int i = 0; i < x->rank; i++)
        gone[i] = !given && !node_int(call->node, "noop_with_empty_axes", 0);
    for (int64_t i = 0; given && i < axes->count; i++)
        gone[(int)axes->data[i] + (axes->data[i] < 0 ? x->rank : 0)] = true;
    for (int64_t o = 0; o < y->count; o++) {
        double so_far = start(op), count = 0;
        for (int64_t k = 0; k < x->count; k++) {
            int64_t at[RANK_MAX], place = 0;
            grid_index(x, k, at);
            for (int i = 0; i < x->rank; i++)
                if (!gone[i])
                    place = place * x->dims[i] + at[i];
            if (place != o)
                continue;
            so_far = take(op, so_far, x->data[k]);
            count++;
        }
        y->data[o] = finish(op, so_far, count);
    }
}

/* y = x / (bias + alpha / size * sum of x^2 over `size` channels)^beta, of
 * which floor((size - 1) / 2) come before */
void oracle_lrn(const OracleCall *call)
{
    const Grid *x = call->inputs[0];
    int64_t size = node_int(call->node, "size", 1);
    double alpha = (double)node_float(call->node, "alpha", 1e-4f);
    double beta = (double)node_float(call->node, "beta", 0.75f);
    double bias = (double)node_float(call->node, "bias", 1);
    for (int64_t o = 0; o < x->count; o++) {
        int64_t at[RANK_MAX];
        double sum = 0;
        grid_index(x, o, at);
        at[1] -= (size - 1) / 2;
        for (int64_t k = 0; k < size; k++, at[1]++)
            sum += pow(grid_at(x, at), 2);
        call->output->data[o] =
            x->data[o] / pow(bias + alpha / (double)size * sum, beta);
    }
}

/* y = x / (sum of |x|^p along the axis)^(1/p) */
void oracle_lp_norm(const OracleCall *call)
{
    const Grid *x = call->inputs[0];
    int axis = oracle_axis(call, -1, x->rank);
    double p = (double)node_int(call->node, "p", 2);
    for (int64_t o = 0; o < x->count; o++) {
        int64_t at[RANK_MAX];
        double sum = 0;
        grid_index(x, o, at);
        for (at[axis] = 0; at[axis] < x->dims[axis]; at[axis]++)
            sum += pow(fabs(grid_at(x, at)), p);
        call->output->data[o] = x->data[o] / pow(sum, 1 / p);
    }
}

/* The mean, or the maximum, of each channel. */
void oracle_global_pool(const OracleCall *call)
{
    const Grid *x = call->inputs[0];
    bool is_max = call->node->op == OP_GlobalMaxPool;
    int64_t plane = 1;
    for (int i = 2; i < x->rank; i++)
        plane *= x->dims[i];
    for (int64_t o = 0; o < call->output->count; o++) {
        double sum = 0, most = -HUGE_VAL;
        for (int64_t k = 0; k < plane; k++) {
            sum += x->data[o * plane + k];
            most = fmax(most, x->data[o * plane + k]);
        }
        call->output->data[o] = is_max ? most : sum / (double)plane;
    }
}
