/* Operators that count positions, or are told them by an input. */
#include <math.h>

#include "oracle.h"

/* An index from the end made one from the start. */
static int64_t wrapped(double index, int64_t size)
{
    return (int64_t)index + (index < 0 ? size : 0);
}

/* y has x's elements in x's order: views, and the first piece of a Split. */
void oracle_same_order(const OracleCall *call)
{
    Grid *y = call->output;
    for (int64_t o = 0; o < y->count; o++) {
        int64_t at[RANK_MAX];
        grid_index(y, o, at);
        y->data[o] = call->node->op == OP_Split ? grid_at(call->inputs[0], at)
                                                : call->inputs[0]->data[o];
    }
}

/* y[i] = x[start + i step] along each axis that is named */
void oracle_slice(const OracleCall *call)
{
    const Grid *x = call->inputs[0], *starts = call->inputs[1];
    const Grid *axes = call->inputs[3], *steps = call->inputs[4];
    Grid *y = call->output;
    for (int64_t o = 0; o < y->count; o++) {
        int64_t at[RANK_MAX];
        grid_index(y, o, at);
        for (int64_t k = 0; k < starts->count; k++) {
            int axis = axes ? (int)wrapped(axes->data[k], x->rank) : (int)k;
            int64_t step = steps ? (int64_t)steps->data[k] : 1;
            int64_t start = wrapped(starts->data[k], x->dims[axis]);
            int64_t last = x->dims[axis] - (step < 0 ? 1 : 0);
            start = start < 0 ? 0 : start > last ? last : start;
            at[axis] = start + at[axis] * step;
        }
        y->data[o] = grid_at(x, at);
    }
}

void oracle_tile(const OracleCall *call)
{
    const Grid *x = call->inputs[0];
    Grid *y = call->output;
    for (int64_t o = 0; o < y->count; o++) {
        int64_t at[RANK_MAX];
        grid_index(y, o, at);
        for (int i = 0; i < y->rank; i++)
            at[i] %= x->dims[i];
        y->data[o] = grid_at(x, at);
    }
}

/* y[n, c, h b + i, w b + j] = x[n, k, h, w] with k = (i b + j) C + c, or in
 * mode CRD c b b + i b + j; C are y's channels. SpaceToDepth is the way back,
 * where k is an index of y. */
void oracle_blocks(const OracleCall *call)
{
    bool to_space = call->node->op == OP_DepthToSpace;
    const Grid *image = to_space ? call->output : call->inputs[0];
    const Grid *deep = to_space ? call->inputs[0] : call->output;
    bool columns_first = node_string_is(call->node, "mode", "CRD");
    int64_t b = node_int(call->node, "blocksize", 1);
    for (int64_t o = 0; o < image->count; o++) {
        int64_t at[RANK_MAX];
        grid_index(image, o, at);
        int64_t place = at[2] % b * b + at[3] % b;
        at[1] = columns_first ? at[1] * b * b + place
                              : place * image->dims[1] + at[1];
        at[2] /= b;
        at[3] /= b;
        int64_t other = grid_position(deep, at);
        call->output->data[to_space ? o : other] =
            call->inputs[0]->data[to_space ? other : o];
    }
}

/* y[i, j, ..] = x[indices[i, j, ..], j, ..], the index in the place of axis */
void oracle_gather_elements(const OracleCall *call)
{
    const Grid *x = call->inputs[0], *indices = call->inputs[1];
    Grid *y = call->output;
    int axis = oracle_axis(call, 0, x->rank);
    for (int64_t o = 0; o < y->count; o++) {
        int64_t at[RANK_MAX];
        grid_index(y, o, at);
        at[axis] = wrapped(indices->data[o], x->dims[axis]);
        y->data[o] = grid_at(x, at);
    }
}

/* The index into x that row `row` of the indices begins, after `batch` axes
 * that both share. */
static void take_row(const Grid *x, const Grid *indices, int64_t row, int batch,
                     int64_t *at)
{
    int64_t width = indices->dims[indices->rank - 1];
    for (int64_t k = 0; k < width; k++)
        at[batch + k] =
            wrapped(indices->data[row * width + k], x->dims[batch + k]);
}

/* y[b, i, r] = x[b, indices[b, i], r]: b are batch_dims axes, r the rest */
void oracle_gather_nd(const OracleCall *call)
{
    const Grid *x = call->inputs[0], *indices = call->inputs[1];
    Grid *y = call->output;
    int batch = (int)node_int(call->node, "batch_dims", 0);
    int width = (int)indices->dims[indices->rank - 1];
    for (int64_t o = 0; o < y->count; o++) {
        int64_t at[RANK_MAX], from[RANK_MAX], row = 0;
        grid_index(y, o, at);
        for (int i = 0; i < indices->rank - 1; i++)
            row = row * indices->dims[i] + at[i];
        for (int i = 0; i < batch; i++)
            from[i] = at[i];
        take_row(x, indices, row, batch, from);
        for (int i = batch + width; i < x->rank; i++)
            from[i] = at[indices->rank - 1 + i - batch - width];
        y->data[o] = grid_at(x, from);
    }
}

static double combine(const OracleCall *call, double old, double update)
{
    if (node_string_is(call->node, "reduction", "add"))
        return old + update;
    if (node_string_is(call->node, "reduction", "mul"))
        return old * update;
    if (node_string_is(call->node, "reduction", "max"))
        return fmax(old, update);
    if (node_string_is(call->node, "reduction", "min"))
        return fmin(old, update);
    return update;
}

static void copy_input(const OracleCall *call)
{
    for (int64_t o = 0; o < call->output->count; o++)
        call->output->data[o] = call->inputs[0]->data[o];
}

/* y = x, then y[indices[i, j, ..], j, ..] combined with updates[i, j, ..] */
void oracle_scatter_elements(const OracleCall *call)
{
    const Grid *indices = call->inputs[1], *updates = call->inputs[2];
    Grid *y = call->output;
    int axis = oracle_axis(call, 0, y->rank);
    copy_input(call);
    for (int64_t u = 0; u < updates->count; u++) {
        int64_t at[RANK_MAX];
        grid_index(updates, u, at);
        at[axis] = wrapped(indices->data[u], y->dims[axis]);
        double *to = &y->data[grid_position(y, at)];
        *to = combine(call, *to, updates->data[u]);
    }
}

/* y = x, then y[indices[i], r] combined with updates[i, r] */
void oracle_scatter_nd(const OracleCall *call)
{
    const Grid *indices = call->inputs[1], *updates = call->inputs[2];
    Grid *y = call->output;
    int width = (int)indices->dims[indices->rank - 1];
    copy_input(call);
    for (int64_t u = 0; u < updates->count; u++) {
        int64_t at[RANK_MAX], to[RANK_MAX], row = 0;
        grid_index(updates, u, at);
        for (int i = 0; i < indices->rank - 1; i++)
            row = row * indices->dims[i] + at[i];
        take_row(y, indices, row, 0, to);
        for (int i = width; i < y->rank; i++)
            to[i] = at[indices->rank - 1 + i - width];
        double *there = &y->data[grid_position(y, to)];
        *there = combine(call, *there, updates->data[u]);
    }
}

/* y[.., d, ..] = on where d is the index, else off; d along the axis */
void oracle_one_hot(const OracleCall *call)
{
    const Grid *indices = call->inputs[0], *values = call->inputs[2];
    Grid *y = call->output;
    int axis = oracle_axis(call, -1, y->rank);
    for (int64_t o = 0; o < y->count; o++) {
        int64_t at[RANK_MAX], own[RANK_MAX];
        grid_index(y, o, at);
        for (int i = 0, k = 0; i < y->rank; i++)
            if (i != axis)
                own[k++] = at[i];
        double index = indices->data[grid_position(indices, own)];
        bool hot = wrapped(index, y->dims[axis]) == at[axis];
        y->data[o] = values->data[hot ? 1 : 0];
    }
}

/* y[i] = sum of x[k] for k up to i, or from i on; without i if exclusive */
void oracle_cum_sum(const OracleCall *call)
{
    const Grid *x = call->inputs[0];
    Grid *y = call->output;
    int axis = (int)wrapped(call->inputs[1]->data[0], x->rank);
    bool reverse = node_int(call->node, "reverse", 0) != 0;
    bool exclusive = node_int(call->node, "exclusive", 0) != 0;
    for (int64_t o = 0; o < y->count; o++) {
        int64_t at[RANK_MAX];
        grid_index(y, o, at);
        int64_t i = at[axis];
        y->data[o] = 0;
        for (int64_t k = 0; k < x->dims[axis]; k++) {
            at[axis] = k;
            if (reverse ? k > i : k < i)
                y->data[o] += grid_at(x, at);
            else if (k == i && !exclusive)
                y->data[o] += grid_at(x, at);
        }
    }
}

/* Does element a of a line come before b, where the line is sorted? */
static bool comes_first(const OracleCall *call, double a, double b)
{
    Op op = call->node->op;
    bool smallest = op == OP_ArgMin ||
                    (op == OP_TopK && node_int(call->node, "largest", 1) == 0);
    return smallest ? a < b : a > b;
}

/* Place of element `index` in the sorted line through `at`; of equal ones the
 * first is first, or with select_last_index the last. */
static int64_t rank_in_line(const OracleCall *call, int axis, int64_t *at,
                            int64_t index)
{
    const Grid *x = call->inputs[0];
    bool last = node_int(call->node, "select_last_index", 0) != 0;
    int64_t before = 0;
    at[axis] = index;
    double own = grid_at(x, at);
    for (int64_t k = 0; k < x->dims[axis]; k++) {
        at[axis] = k;
        double other = grid_at(x, at);
        bool equal_first = own == other && (last ? k > index : k < index);
        before += comes_first(call, other, own) || equal_first;
    }
    return before;
}

/* ArgMax, ArgMin: where the first of the sorted line is. TopK: the k-th of it
 * (the first output). */
void oracle_sorted(const OracleCall *call)
{
    const Grid *x = call->inputs[0];
    Grid *y = call->output;
    bool top = call->node->op == OP_TopK;
    int axis = oracle_axis(call, top ? -1 : 0, x->rank);
    bool keeps = top || node_int(call->node, "keepdims", 1);
    for (int64_t o = 0; o < y->count; o++) {
        int64_t own[RANK_MAX], at[RANK_MAX];
        grid_index(y, o, own);
        for (int i = 0, k = 0; i < x->rank; i++)
            at[i] = i == axis && !keeps ? 0 : own[k++];
        int64_t wanted = at[axis];
        for (int64_t i = 0; i < x->dims[axis]; i++) {
            if (rank_in_line(call, axis, at, i) != wanted)
                continue;
            at[axis] = i;
            y->data[o] = top ? grid_at(x, at) : (double)i;
        }
    }
}

/* Of each matrix what lies on and above diagonal k, or on and below it. */
void oracle_trilu(const OracleCall *call)
{
    const Grid *x = call->inputs[0], *k = call->inputs[1];
    bool upper = node_int(call->node, "upper", 1) != 0;
    int64_t diagonal = k ? (int64_t)k->data[0] : 0;
    for (int64_t o = 0; o < x->count; o++) {
        int64_t at[RANK_MAX];
        grid_index(x, o, at);
        int64_t off = at[x->rank - 1] - at[x->rank - 2];
        bool stays = upper ? off >= diagonal : off <= diagonal;
        call->output->data[o] = stays ? x->data[o] : 0;
    }
}
