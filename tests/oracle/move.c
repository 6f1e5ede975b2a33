/* Moving elements. */
#include "oracle.h"

/* y[i0, i1, ..] = x at index perm[k] set to ik */
void oracle_transpose(const OracleCall *call)
{
    const Grid *x = call->inputs[0];
    Grid *y = call->output;
    for (int64_t o = 0; o < y->count; o++) {
        int64_t at[RANK_MAX], from[RANK_MAX];
        grid_index(y, o, at);
        for (int i = 0; i < y->rank; i++)
            from[oracle_int(call, "perm", i, y->rank - 1 - i)] = at[i];
        y->data[o] = grid_at(x, from);
    }
}

void oracle_expand(const OracleCall *call)
{
    Grid *y = call->output;
    for (int64_t o = 0; o < y->count; o++) {
        int64_t at[RANK_MAX];
        grid_index(y, o, at);
        y->data[o] = grid_spread(call->inputs[0], y->rank, at);
    }
}

void oracle_concat(const OracleCall *call)
{
    Grid *y = call->output;
    int axis = oracle_axis(call, 1, y->rank);
    for (int64_t o = 0; o < y->count; o++) {
        int64_t at[RANK_MAX];
        int k = 0;
        grid_index(y, o, at);
        for (; at[axis] >= call->inputs[k]->dims[axis]; k++)
            at[axis] -= call->inputs[k]->dims[axis];
        y->data[o] = grid_at(call->inputs[k], at);
    }
}

/* Where an index that left the axis comes back: reflect turns round at the
 * border element, edge stays on it, wrap enters from the other side. */
static int64_t come_back(const Node *node, int64_t i, int64_t size)
{
    if (node_string_is(node, "mode", "edge"))
        return i < 0 ? 0 : i >= size ? size - 1 : i;
    if (node_string_is(node, "mode", "wrap"))
        return (i + 100 * size) % size;
    if (node_string_is(node, "mode", "reflect"))
        while (i < 0 || i >= size)
            i = i < 0 ? -i : 2 * (size - 1) - i;
    return i;
}

/* Negative pads take elements away; then the others are added. */
void oracle_pad(const OracleCall *call)
{
    const Grid *x = call->inputs[0], *pads = call->inputs[1];
    Grid *y = call->output;
    for (int64_t o = 0; o < y->count; o++) {
        int64_t at[RANK_MAX];
        bool outside = false;
        grid_index(y, o, at);
        for (int i = 0; i < y->rank; i++) {
            int64_t before = (int64_t)pads->data[i];
            int64_t after = (int64_t)pads->data[y->rank + i];
            int64_t first = before < 0 ? -before : 0;
            int64_t left = x->dims[i] - first + (after < 0 ? after : 0);
            int64_t in = come_back(call->node, at[i] - before - first, left);
            outside = outside || in < 0 || in >= left;
            at[i] = first + in;
        }
        double filler = call->inputs[2] ? call->inputs[2]->data[0] : 0;
        y->data[o] = outside ? filler : grid_at(x, at);
    }
}

/* y[.., indices, ..] = x[.., i, ..] along the axis */
void oracle_gather(const OracleCall *call)
{
    const Grid *x = call->inputs[0], *indices = call->inputs[1];
    Grid *y = call->output;
    int axis = oracle_axis(call, 0, x->rank);
    for (int64_t o = 0; o < y->count; o++) {
        int64_t at[RANK_MAX], from[RANK_MAX];
        grid_index(y, o, at);
        for (int i = 0; i < axis; i++)
            from[i] = at[i];
        from[axis] = (int64_t)indices->data[grid_position(indices, at + axis)];
        from[axis] += from[axis] < 0 ? x->dims[axis] : 0;
        for (int i = axis + 1; i < x->rank; i++)
            from[i] = at[i - 1 + indices->rank];
        y->data[o] = grid_at(x, from);
    }
}
