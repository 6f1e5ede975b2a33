/* Convolution and pooling. */
#include <math.h>
#include <stdbool.h>

#include "oracle.h"

/* Position o of spatial axis i sees o * stride + k * dilation - begin. */
typedef struct Axis {
    int64_t stride, dilation, begin, end; /* pads before and after */
} Axis;

/* auto_pad: SAME_UPPER puts the odd element at the end, SAME_LOWER in front. */
static void axes_of(const OracleCall *call, const int64_t *kernel, Axis *axes)
{
    const Grid *x = call->inputs[0], *y = call->output;
    bool upper = node_string_is(call->node, "auto_pad", "SAME_UPPER");
    bool lower = node_string_is(call->node, "auto_pad", "SAME_LOWER");
    int spatial = x->rank - 2;
    for (int i = 0; i < spatial; i++) {
        Axis *axis = &axes[2 + i];
        axis->stride = oracle_int(call, "strides", i, 1);
        axis->dilation = oracle_int(call, "dilations", i, 1);
        axis->begin = oracle_int(call, "pads", i, 0);
        axis->end = oracle_int(call, "pads", spatial + i, 0);
        int64_t total = (y->dims[2 + i] - 1) * axis->stride +
                        (kernel[i] - 1) * axis->dilation + 1 - x->dims[2 + i];
        total = total > 0 ? total : 0;
        if (upper || lower) {
            axis->begin = upper ? total / 2 : total - total / 2;
            axis->end = total - axis->begin;
        }
    }
}

/* y[n,m,o] = b[m] + sum over c, k of
 *     w[m,c,k] * x[n, group * channels + c, o * stride + k * dilation - pad] */
void oracle_conv(const OracleCall *call)
{
    const Grid *x = call->inputs[0], *w = call->inputs[1];
    const Grid *b = call->inputs[2];
    Grid *y = call->output;
    Axis axes[RANK_MAX];
    axes_of(call, w->dims + 2, axes);
    int64_t per_group = y->dims[1] / node_int(call->node, "group", 1);
    int64_t taps = w->dims[0] ? w->count / w->dims[0] : 0;
    for (int64_t o = 0; o < y->count; o++) {
        int64_t at[RANK_MAX], tap[RANK_MAX], from[RANK_MAX];
        grid_index(y, o, at);
        double sum = b ? b->data[at[1]] : 0;
        for (int64_t k = 0; k < taps; k++) {
            grid_index(w, at[1] * taps + k, tap);
            from[0] = at[0];
            from[1] = at[1] / per_group * w->dims[1] + tap[1];
            for (int i = 2; i < x->rank; i++)
                from[i] = at[i] * axes[i].stride + tap[i] * axes[i].dilation -
                          axes[i].begin;
            sum += grid_at(w, tap) * grid_at(x, from);
        }
        y->data[o] = sum;
    }
}

/* y[n,m, i * stride + k * dilation - pad] += w[c,m,k] * x[n,c,i] */
void oracle_conv_transpose(const OracleCall *call)
{
    const Grid *x = call->inputs[0], *w = call->inputs[1];
    const Grid *b = call->inputs[2];
    Grid *y = call->output;
    Axis axes[RANK_MAX];
    axes_of(call, w->dims + 2, axes);
    int64_t per_group = x->dims[1] / node_int(call->node, "group", 1);
    int64_t at[RANK_MAX], tap[RANK_MAX], to[RANK_MAX];
    for (int64_t o = 0; o < y->count; o++) {
        grid_index(y, o, to);
        y->data[o] = b ? b->data[to[1]] : 0;
    }
    for (int64_t i = 0; i < x->count; i++)
        for (int64_t k = 0; k < w->count / w->dims[0]; k++) {
            grid_index(x, i, at);
            grid_index(w, at[1] * (w->count / w->dims[0]) + k, tap);
            to[0] = at[0];
            to[1] = at[1] / per_group * w->dims[1] + tap[1];
            bool inside = true;
            for (int j = 2; j < x->rank; j++) {
                to[j] = at[j] * axes[j].stride + tap[j] * axes[j].dilation -
                        axes[j].begin;
                inside = inside && to[j] >= 0 && to[j] < y->dims[j];
            }
            if (inside)
                y->data[grid_position(y, to)] += x->data[i] * grid_at(w, tap);
        }
}

/* The maximum, or the mean, of what a window sees; count_include_pad counts
 * the padding, but not what lies beyond it with ceil_mode. */
void oracle_pool(const OracleCall *call)
{
    const Grid *x = call->inputs[0];
    Grid *y = call->output, kernel = {.rank = x->rank, .count = 1};
    bool counts_pads = node_int(call->node, "count_include_pad", 0);
    Axis axes[RANK_MAX];
    for (int i = 0; i < x->rank; i++) {
        kernel.dims[i] = i < 2 ? 1 : oracle_int(call, "kernel_shape", i - 2, 1);
        kernel.count *= kernel.dims[i];
    }
    axes_of(call, kernel.dims + 2, axes);
    for (int64_t o = 0; o < y->count; o++) {
        int64_t at[RANK_MAX], tap[RANK_MAX];
        double most = -HUGE_VAL, sum = 0, seen = 0;
        for (int64_t k = 0; k < kernel.count; k++) {
            bool inside = true, padded = true;
            grid_index(y, o, at);
            grid_index(&kernel, k, tap);
            for (int i = 2; i < x->rank; i++) {
                at[i] = at[i] * axes[i].stride + tap[i] * axes[i].dilation -
                        axes[i].begin;
                inside = inside && at[i] >= 0 && at[i] < x->dims[i];
                padded = padded && at[i] < x->dims[i] + axes[i].end;
            }
            if (inside) {
                sum += grid_at(x, at);
                most = fmax(most, grid_at(x, at));
            }
            seen += counts_pads ? padded : inside;
        }
        y->data[o] = call->node->op == OP_MaxPool ? most : sum / seen;
    }
}

/* ---- Taps that are moved ---- */

/* x at a fractional place of a plane: its neighbours by their distance, zeros
 * outside. */
static double between(const Grid *x, const int64_t *plane, double row,
                      double column)
{
    double sum = 0;
    for (int64_t i = 0; i < x->dims[2]; i++)
        for (int64_t j = 0; j < x->dims[3]; j++)
            sum += fmax(0, 1 - fabs(row - (double)i)) *
                   fmax(0, 1 - fabs(column - (double)j)) *
                   grid_at(x, (int64_t[]){plane[0], plane[1], i, j});
    return sum;
}

/* As oracle_conv, with x between its elements: moved by the offsets of the tap
 * at that position, and times its mask. */
void oracle_deform_conv(const OracleCall *call)
{
    const Grid *x = call->inputs[0], *w = call->inputs[1];
    const Grid *offsets = call->inputs[2], *b = call->inputs[3];
    const Grid *mask = call->inputs[4];
    Grid *y = call->output;
    Axis axes[RANK_MAX];
    axes_of(call, w->dims + 2, axes);
    int64_t per_group = y->dims[1] / node_int(call->node, "group", 1);
    int64_t shared = x->dims[1] / node_int(call->node, "offset_group", 1);
    int64_t area = w->dims[2] * w->dims[3], taps = area * w->dims[1];
    for (int64_t o = 0; o < y->count; o++) {
        int64_t at[RANK_MAX], tap[RANK_MAX];
        grid_index(y, o, at);
        y->data[o] = b ? b->data[at[1]] : 0;
        for (int64_t k = 0; k < taps; k++) {
            grid_index(w, at[1] * taps + k, tap);
            int64_t from[2] = {at[0], at[1] / per_group * w->dims[1] + tap[1]};
            int64_t part = from[1] / shared * area + k % area;
            double place[2];
            for (int i = 0; i < 2; i++)
                place[i] = (double)(at[2 + i] * axes[2 + i].stride +
                                    tap[2 + i] * axes[2 + i].dilation -
                                    axes[2 + i].begin) +
                           grid_at(offsets, (int64_t[]){at[0], 2 * part + i,
                                                        at[2], at[3]});
            double factor =
                mask ? grid_at(mask, (int64_t[]){at[0], part, at[2], at[3]})
                     : 1;
            y->data[o] +=
                grid_at(w, tap) * factor * between(x, from, place[0], place[1]);
        }
    }
}

/* How many blocks begin on an axis of the padded image. */
static int64_t blocks_of(const OracleCall *call, int i)
{
    int spatial = call->output->rank - 2;
    int64_t block = (int64_t)call->inputs[2]->data[i];
    int64_t room = call->output->dims[2 + i] + oracle_int(call, "pads", i, 0) +
                   oracle_int(call, "pads", spatial + i, 0) -
                   oracle_int(call, "dilations", i, 1) * (block - 1) - 1;
    return room / oracle_int(call, "strides", i, 1) + 1;
}

/* y[n, c, p] = sum over all blocks b and places t in one of
 * x[n, (c, t), b] where p = b * stride + t * dilation - pad. */
void oracle_col2im(const OracleCall *call)
{
    const Grid *x = call->inputs[0], *block = call->inputs[2];
    Grid *y = call->output;
    int64_t area = x->dims[1] / y->dims[1];
    for (int64_t o = 0; o < y->count; o++)
        y->data[o] = 0;
    for (int64_t i = 0; i < x->count; i++) {
        int64_t from[RANK_MAX], to[RANK_MAX];
        grid_index(x, i, from);
        int64_t tap = from[1] % area, number = from[2];
        bool inside = true;
        to[0] = from[0];
        to[1] = from[1] / area;
        for (int k = y->rank - 3; k >= 0; k--) {
            int64_t size = (int64_t)block->data[k], blocks = blocks_of(call, k);
            int64_t at = number % blocks * oracle_int(call, "strides", k, 1) +
                         tap % size * oracle_int(call, "dilations", k, 1) -
                         oracle_int(call, "pads", k, 0);
            inside = inside && at >= 0 && at < y->dims[2 + k];
            to[2 + k] = at;
            number /= blocks;
            tap /= size;
        }
        if (inside)
            y->data[grid_position(y, to)] += x->data[i];
    }
}
