#include "fold/sight.h"

/* ---- What commutes ---- */

/* An average over elements of the tensor only: padding is left out of it. */
static bool pool_averages(const Node *node)
{
    const int64_t *pads;
    int64_t count = node_ints(node, "pads", &pads);
    bool padded = node_attr(node, "auto_pad") != NULL;
    for (int64_t i = 0; i < count; i++)
        padded |= pads[i] != 0;
    return !padded || !node_int(node, "count_include_pad", 0);
}

/* Interpolation weights sum to 1, unless what lies outside is extrapolated. */
static bool resize_averages(const Node *node)
{
    return !node_string_is(node, "coordinate_transformation_mode",
                           "tf_crop_and_resize");
}

/* f(a x) = a f(x) for a > 0. */
static bool is_homogeneous(const Node *node)
{
    return node->op == OP_Relu || node->op == OP_LeakyRelu ||
           node->op == OP_PRelu;
}

bool node_commutes(const Fold *fold, const Node *node)
{
    if (node_is_parametric(node))
        return false;
    switch (node->op) {
    case OP_GlobalAveragePool:
    case OP_ReduceMean:
    case OP_Concat:
    case OP_Expand:
    case OP_Gather:
    case OP_Slice:
    case OP_DepthToSpace:
    case OP_SpaceToDepth:
        return true;
    case OP_Split:
        return node_output(node, 0) != NULL;
    case OP_MaxPool:
        return node_output(node, 1) == NULL;
    case OP_AveragePool:
        return true;
    case OP_Resize:
        return resize_averages(node);
    default:
        return is_homogeneous(node) || node_moves_only(node) ||
               node_keeps_value(fold, node);
    }
}

/* Nodes that only take or place elements. */
static bool only_places(const Node *node)
{
    return node_moves_only(node) || node->op == OP_Slice ||
           node->op == OP_Gather || node->op == OP_Split;
}

/* max(a x + b) = a max(x) + b for a > 0. Channels that have moved are followed
 * through nodes that only move them. */
bool sight_commutes(const Node *mover, const Sight *sight)
{
    if (sight->moves_only && !only_places(mover))
        return false;
    if (mover->op == OP_AveragePool)
        return pool_averages(mover) || vec_all_equal(sight->shift, 0, 0);
    if (!is_homogeneous(mover) && mover->op != OP_MaxPool)
        return true;
    for (int64_t i = 0; i < sight->scale.size; i++)
        if (!(sight->scale.at[i] > 0))
            return false;
    return mover->op == OP_MaxPool || vec_all_equal(sight->shift, 0, 0);
}

/* ---- Routes: where single channels go ---- */

/* Pairs of a channel of the input and the channel of the output that holds it,
 * or elements of it. */
typedef struct Route {
    int64_t ins, outs, count;
    int64_t *in, *out;
} Route;

static bool channel_counts(const Fold *fold, const Node *node, int output,
                           int axis, Route *route)
{
    const Fact *in = &node->inputs[0]->fact;
    const Fact *out = &node->outputs[output]->fact;
    const Symbols *symbols = fold->model->symbols;
    if (in->rank <= axis || out->rank <= axis ||
        !dim_is_known(symbols, in->dims[axis], &route->ins) ||
        !dim_is_known(symbols, out->dims[axis], &route->outs))
        return false;
    route->count = route->ins > route->outs ? route->ins : route->outs;
    route->in =
        arena_array(fold->scratch, (size_t)route->count, sizeof(int64_t));
    route->out =
        arena_array(fold->scratch, (size_t)route->count, sizeof(int64_t));
    return true;
}

/* Output channel c holds input channel start + step * c. */
static bool route_range(Route *route, int64_t start, int64_t step)
{
    route->count = route->outs;
    for (int64_t c = 0; c < route->outs; c++) {
        route->in[c] = start + step * c;
        route->out[c] = c;
        if (route->in[c] < 0 || route->in[c] >= route->ins)
            return false;
    }
    return true;
}

/* Where a Slice along one axis of that length starts; an axis that it leaves
 * alone starts at 0. */
static bool slice_start(const Fold *fold, const Node *node, int axis,
                        int64_t length, int64_t *start, int64_t *step)
{
    Cut cut;
    if (!cut_read(fold, node, axis, &cut))
        return false;
    int64_t last = cut.step < 0 ? length - 1 : length;
    *step = cut.step;
    *start = cut.start < 0 ? cut.start + length : cut.start;
    *start = *start < 0 ? 0 : *start > last ? last : *start;
    return true;
}

static bool route_slice(const Fold *fold, const Node *node, int axis,
                        Route *route)
{
    int64_t start, step;
    return slice_start(fold, node, axis, route->ins, &start, &step) &&
           route_range(route, start, step);
}

static bool route_gather(const Fold *fold, const Node *node, Route *route)
{
    const Tensor *tensor = value_constant(fold->graph, node->inputs[1]);
    if (!tensor || tensor->rank != 1 || tensor->count != route->outs)
        return false;
    route->count = route->outs;
    for (int64_t c = 0; c < route->outs; c++) {
        tensor_read_i64(tensor, c, 1, &route->in[c]);
        route->in[c] += route->in[c] < 0 ? route->ins : 0;
        route->out[c] = c;
        if (route->in[c] < 0 || route->in[c] >= route->ins)
            return false;
    }
    return true;
}

static bool route_split(const Fold *fold, const Node *node, int output,
                        int axis, Route *route)
{
    int64_t start = 0, length;
    for (int i = 0; i < output; i++) {
        const Value *before = node_output(node, i);
        if (!before || before->fact.rank <= axis ||
            !dim_is_known(fold->model->symbols, before->fact.dims[axis],
                          &length))
            return false;
        start += length;
    }
    return route_range(route, start, 1);
}

/* Blocks of pixels become channels, (block, channel), or channels pixels; there
 * the other order is possible, too. ONNX SpaceToDepth-13, DepthToSpace-13. */
static bool route_blocks(const Node *node, Route *route)
{
    bool to_depth = node->op == OP_SpaceToDepth;
    bool outer = node_string_is(node, "mode", "CRD");
    int64_t few = to_depth ? route->ins : route->outs;
    for (int64_t c = 0; c < route->count; c++) {
        int64_t other = outer ? c / (route->count / few) : c % few;
        route->in[c] = to_depth ? other : c;
        route->out[c] = to_depth ? c : other;
    }
    return few > 0 && route->count % few == 0;
}

/* The axis of a node that takes elements from along it; -1 for other nodes. */
static int taken_axis(const Node *node)
{
    int rank = node->inputs[0]->fact.rank;
    int64_t axis = -1;
    if (node->op == OP_Gather || node->op == OP_Split)
        axis = node_int(node, "axis", 0);
    else if (node->op == OP_DepthToSpace || node->op == OP_SpaceToDepth)
        axis = 1;
    else
        return -1;
    return (int)(axis < 0 ? axis + rank : axis);
}

/* A route where the node does not keep the channels as they are. */
static bool route_find(const Fold *fold, const Node *node, int output, int axis,
                       Route *route)
{
    if (!channel_counts(fold, node, output, axis, route))
        return false;
    switch (node->op) {
    case OP_Slice:
        return route_slice(fold, node, axis, route);
    case OP_Gather:
        return route_gather(fold, node, route);
    case OP_Split:
        return route_split(fold, node, output, axis, route);
    default:
        return route_blocks(node, route);
    }
}

/* False when an output channel would hold different numbers. */
static bool vec_route(const Fold *fold, const Route *route, Vec *vec)
{
    if (vec->size <= 1)
        return true;
    if (vec->size != route->ins)
        return false;
    size_t count = (size_t)route->outs;
    double *out = arena_array(fold->scratch, count, sizeof *out);
    bool *known = arena_array(fold->scratch, count, sizeof *known);
    for (int64_t i = 0; i < route->count; i++) {
        int64_t to = route->out[i];
        double number = vec->at[route->in[i]];
        if (known[to] && out[to] != number)
            return false;
        out[to] = number;
        known[to] = true;
    }
    *vec = (Vec){route->outs, out};
    return true;
}

/* The way back; false when an input channel would need different numbers. Those
 * that go nowhere get `nothing`. */
static bool vec_unroute(const Fold *fold, const Route *route, double nothing,
                        Vec *vec)
{
    if (!vec->size)
        return true;
    size_t count = (size_t)route->ins;
    double *in = arena_array(fold->scratch, count, sizeof *in);
    bool *known = arena_array(fold->scratch, count, sizeof *known);
    for (int64_t i = 0; i < route->ins; i++)
        in[i] = nothing;
    for (int64_t i = 0; i < route->count; i++) {
        int64_t from = route->in[i];
        double number = vec_get(*vec, route->out[i], nothing);
        if (known[from] && in[from] != number)
            return false;
        in[from] = number;
        known[from] = true;
    }
    *vec = (Vec){route->ins, in};
    return true;
}

/* ---- Channels along two axes ---- */

static Dim axes_product(Symbols *symbols, const Fact *fact, int end)
{
    Dim product = 1;
    for (int i = 0; i < end; i++)
        product = dim_combine(symbols, DIM_MUL, product, fact->dims[i]);
    return product;
}

/* Reshape cuts channels into two axes, or joins these: as many elements stand
 * before them and, in them and before, up to their end. Axes of size 1 in front
 * are left out. */
static bool span_reshape(const Fold *fold, const Fact *from, const Fact *to,
                         Sight *sight)
{
    Symbols *symbols = fold->model->symbols;
    if (from->rank <= sight->axis + sight->more)
        return false;
    Dim before = axes_product(symbols, from, sight->axis);
    Dim within = axes_product(symbols, from, sight->axis + sight->more + 1);
    for (int i = to->rank; i-- > 0;) {
        if (axes_product(symbols, to, i) != before)
            continue;
        for (int more = 0; more < 2 && i + more < to->rank; more++) {
            if (axes_product(symbols, to, i + more + 1) != within)
                continue;
            sight->axis = i;
            sight->more = more;
            return true;
        }
    }
    return false;
}

/* Numbers along two axes, rows of `columns`, when the axes change places. */
static Vec vec_transpose(const Fold *fold, Vec vec, int64_t columns)
{
    if (vec.size <= 1)
        return vec;
    int64_t rows = vec.size / columns;
    double *out = arena_array(fold->scratch, (size_t)vec.size, sizeof *out);
    for (int64_t i = 0; i < vec.size; i++)
        out[i % columns * rows + i / columns] = vec.at[i];
    return (Vec){vec.size, out};
}

/* Transpose of two axes that channels lie along; `from` is where they are. */
static bool span_transpose(const Fold *fold, const Node *node, bool back,
                           const Fact *from, Sight *sight)
{
    int64_t repeat, columns;
    int first = sight->axis, second = first + sight->more;
    int one = back ? affine_axis_back(fold, node, first)
                   : affine_axis_forward(fold, node, first, &repeat);
    int other = back ? affine_axis_back(fold, node, second)
                     : affine_axis_forward(fold, node, second, &repeat);
    if (one < 0 || other < 0 || from->rank <= second ||
        !dim_is_known(fold->model->symbols, from->dims[second], &columns) ||
        columns < 1 || (one - other != 1 && other - one != 1))
        return false;
    sight->axis = one < other ? one : other;
    if (one < other)
        return true;
    sight->scale = vec_transpose(fold, sight->scale, columns);
    sight->shift = vec_transpose(fold, sight->shift, columns);
    sight->moves_only = true;
    return true;
}

/* Where single axes do not lead. */
static bool span_move(const Fold *fold, const Node *node, bool back,
                      Sight *sight)
{
    const Fact *in = &node->inputs[0]->fact, *out = &node->outputs[0]->fact;
    const Fact *from = back ? out : in, *to = back ? in : out;
    if (node->op == OP_Reshape)
        return span_reshape(fold, from, to, sight);
    return node->op == OP_Transpose && sight->more == 1 &&
           span_transpose(fold, node, back, from, sight);
}

/* ---- Through a node ---- */

/* Whether the node only takes channels as a whole along other axes. */
static bool leaves_axis(const Fold *fold, const Node *node, int axis)
{
    int64_t start, step, before, after;
    if (node->op != OP_Slice)
        return taken_axis(node) != axis;
    const Fact *in = &node->inputs[0]->fact, *out = &node->outputs[0]->fact;
    const Symbols *symbols = fold->model->symbols;
    return in->rank > axis && out->rank > axis &&
           dim_is_known(symbols, in->dims[axis], &before) &&
           dim_is_known(symbols, out->dims[axis], &after) && before == after &&
           slice_start(fold, node, axis, before, &start, &step) && step == 1;
}

/* Some of the channels, where others may have readers of their own. */
static bool taken_back(const Fold *fold, const Node *node, int output, int axis,
                       Sight *sight)
{
    Route route;
    bool nothing = !sight->scale.size && !sight->shift.size;
    if (node->op != OP_Slice && node->op != OP_Gather && node->op != OP_Split)
        return false;
    /* Whether it could go back is asked of every node: of many channels too. */
    if (!nothing && (!route_find(fold, node, output, axis, &route) ||
                     !vec_unroute(fold, &route, 1, &sight->scale) ||
                     !vec_unroute(fold, &route, 0, &sight->shift)))
        return false;
    sight->axis = axis;
    sight->moves_only = true;
    return true;
}

bool sight_back(const Fold *fold, const Node *node, int slot, int output,
                Sight *sight)
{
    bool splits = node->op == OP_Split && node->output_count > 1;
    if (node->op == OP_Concat)
        return sight_back_concat(fold, node, slot, sight);
    if (sight->axis < 0 && !splits)
        return true;
    int axis = sight->axis < 0 ? taken_axis(node)
               : sight->more   ? -1
                               : affine_axis_back(fold, node, sight->axis);
    if (axis < 0)
        return sight->axis >= 0 && span_move(fold, node, true, sight);
    if (!leaves_axis(fold, node, axis))
        return taken_back(fold, node, output, axis, sight);
    sight->axis = axis;
    return !splits && (!sight->moves_only || node_moves_only(node));
}

Reason sight_forward(const Fold *fold, const Node *node, int output,
                     Sight *sight)
{
    int64_t repeat;
    Route route;
    if (sight->axis < 0)
        return REASON_NONE;
    if (sight->more)
        return span_move(fold, node, false, sight) ? REASON_NONE
                                                   : REASON_SHAPE_UNKNOWN;
    if (!leaves_axis(fold, node, sight->axis))
        return route_find(fold, node, output, sight->axis, &route) &&
                       vec_route(fold, &route, &sight->scale) &&
                       vec_route(fold, &route, &sight->shift)
                   ? REASON_NONE
                   : REASON_SHAPE_UNKNOWN;
    int axis = affine_axis_forward(fold, node, sight->axis, &repeat);
    if (axis < 0)
        return span_move(fold, node, false, sight) ? REASON_NONE
                                                   : REASON_SHAPE_UNKNOWN;
    sight->axis = axis;
    sight->scale = vec_repeat(fold->scratch, sight->scale, repeat);
    sight->shift = vec_repeat(fold->scratch, sight->shift, repeat);
    return REASON_NONE;
}
