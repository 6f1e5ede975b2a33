/* Where channels go through operators that only move elements. */
#include "fold/site.h"

/* An input says so, opset 12; what cannot be known may be true. */
static bool dropout_trains(const Graph *graph, const Node *node)
{
    Value *mode = node_input(node, 2);
    const Tensor *training = mode ? value_constant(graph, mode) : NULL;
    int64_t flag = mode != NULL;
    if (training && training->count == 1)
        tensor_read_i64(training, 0, 1, &flag);
    return flag != 0;
}

/* An attribute says so, opset 14; before, the mere presence of side outputs. */
static bool batchnorm_trains(int64_t opset, const Node *node)
{
    bool side = false;
    for (int i = 1; i < node->output_count; i++)
        side |= node_output(node, i) != NULL;
    return opset >= 14 ? node_int(node, "training_mode", 0) != 0 : side;
}

bool node_trains(const Fold *fold, const Node *node)
{
    int64_t opset = graph_opset(fold->graph);
    bool known = node->op == OP_BatchNormalization || node->op == OP_Dropout;
    if (known && opset < 7 && !node_int(node, "is_test", 0))
        return true;
    return node->op == OP_BatchNormalization ? batchnorm_trains(opset, node)
           : node->op == OP_Dropout          ? dropout_trains(fold->graph, node)
                                             : false;
}

static bool dropout_is_identity(const Fold *fold, const Node *node)
{
    Value *mask = node_output(node, 1);
    return (fold->model->assume_inference || !node_trains(fold, node)) &&
           (!mask || mask->use_count == 0);
}

/* ---- Slice and Pad ---- */

/* A list of Slice or Pad: an input, or in earlier opsets an attribute. Its
 * length, -1 when there is none, -2 when it is not constant, no integers, or
 * longer than `most`. */
static int64_t list_read(const Fold *fold, const Node *node, int slot,
                         const char *name, int64_t most, int64_t *out)
{
    const int64_t *values;
    const Value *value = node_input(node, slot);
    const Tensor *tensor = value ? value_constant(fold->graph, value) : NULL;
    int64_t count = tensor ? tensor->count : node_ints(node, name, &values);
    if ((value && !tensor) || count > most ||
        (tensor && (!dtype_is_integer(tensor->type) || !tensor->data)))
        return -2;
    for (int64_t i = 0; !tensor && i < count; i++)
        out[i] = values[i];
    if (tensor)
        tensor_read_i64(tensor, 0, count, out);
    return count;
}

/* ONNX Slice-1, Slice-13. */
bool cut_read(const Fold *fold, const Node *node, int axis, Cut *cut)
{
    int64_t starts[RANK_MAX], ends[RANK_MAX], axes[RANK_MAX], steps[RANK_MAX];
    int64_t count = list_read(fold, node, 1, "starts", RANK_MAX, starts);
    int64_t ended = list_read(fold, node, 2, "ends", RANK_MAX, ends);
    int64_t named = list_read(fold, node, 3, "axes", RANK_MAX, axes);
    int64_t stepped = list_read(fold, node, 4, "steps", RANK_MAX, steps);
    int rank = node->inputs[0]->fact.rank;
    *cut = (Cut){0, INT64_MAX, 1};
    if (count < 0 || ended != count || (named != -1 && named != count) ||
        (stepped != -1 && stepped != count))
        return false;
    for (int64_t i = 0; i < count; i++) {
        int64_t own = named < 0 ? i : axes[i] < 0 ? axes[i] + rank : axes[i];
        if (own == axis)
            *cut = (Cut){starts[i], ends[i], stepped < 0 ? 1 : steps[i]};
    }
    return true;
}

/* Every axis from its first element to its last. */
static bool takes_all(const Fold *fold, const Node *node)
{
    const Fact *in = &node->inputs[0]->fact;
    for (int i = 0; i < in->rank; i++) {
        Cut cut;
        int64_t size;
        if (!cut_read(fold, node, i, &cut) || cut.start != 0 || cut.step != 1)
            return false;
        if (!dim_is_known(fold->model->symbols, in->dims[i], &size))
            size = INT32_MAX;
        if (cut.end < size)
            return false;
    }
    return in->rank > 0;
}

/* ONNX Pad-2, Pad-13: in any mode, whatever the axes and the value are. */
static bool pads_nothing(const Fold *fold, const Node *node)
{
    int64_t amounts[2 * RANK_MAX];
    int64_t count = list_read(fold, node, 1, "pads", 2 * RANK_MAX, amounts);
    for (int64_t i = 0; i < count; i++)
        if (amounts[i] != 0)
            return false;
    return count >= 0;
}

/* ---- What stays as it is ---- */

static bool keeps_shape(const Node *node)
{
    const Fact *in = &node->inputs[0]->fact, *out = &node->outputs[0]->fact;
    bool same = in->rank >= 0 && in->rank == out->rank;
    for (int i = 0; same && i < in->rank; i++)
        same = in->dims[i] == out->dims[i];
    return same;
}

bool node_keeps_value(const Fold *fold, const Node *node)
{
    if (node_is_parametric(node))
        return false;
    switch (node->op) {
    case OP_Identity:
        return true;
    case OP_Dropout:
        return dropout_is_identity(fold, node);
    case OP_Cast:
        return (int64_t)node->inputs[0]->fact.type ==
               node_int(node, "to", DT_UNDEFINED);
    case OP_Reshape:
    case OP_Expand:
        return keeps_shape(node);
    case OP_Pad:
        return pads_nothing(fold, node);
    case OP_Slice:
        return takes_all(fold, node);
    default:
        return false;
    }
}

bool node_moves_only(const Node *node)
{
    return node->op == OP_Transpose || node->op == OP_Reshape ||
           node->op == OP_Flatten || node->op == OP_Squeeze ||
           node->op == OP_Unsqueeze;
}

/* Of nearest elements, those that half a pixel further on are still the same;
 * other interpolations would mix neighbours there. ONNX Resize-13. */
static bool resize_stays_in_place(const Node *node)
{
    const char *const mode = "nearest_mode";
    return !node_string_is(node, "coordinate_transformation_mode",
                           "tf_half_pixel_for_nn") ||
           ((!node_attr(node, "mode") ||
             node_string_is(node, "mode", "nearest")) &&
            (!node_attr(node, mode) ||
             node_string_is(node, mode, "round_prefer_floor") ||
             node_string_is(node, mode, "floor")));
}

/* True when a Resize has a scale of 1 along the axis. The same size is not
 * enough: it may be a larger one that was rounded. ONNX Resize-10, Resize-11,
 * Resize-18. */
static bool resize_keeps(const Fold *fold, const Node *node, int axis)
{
    const Fact *in = &node->inputs[0]->fact, *out = &node->outputs[0]->fact;
    const Value *scales =
        node_input(node, graph_opset(node->graph) < 11 ? 1 : 2);
    const Tensor *tensor = scales ? value_constant(fold->graph, scales) : NULL;
    const int64_t *axes = NULL;
    int64_t named = node_ints(node, "axes", &axes), at = named < 0 ? axis : -1;
    double scale = 0;
    for (int64_t i = 0; i < named; i++)
        if (axes[i] == axis || axes[i] + in->rank == axis)
            at = i;
    if (at < 0)
        return true;
    if (!resize_stays_in_place(node))
        return false;
    if (node_input(node, 3)) /* the sizes */
        return in->rank > axis && out->rank > axis &&
               in->dims[axis] == out->dims[axis] &&
               (!node_attr(node, "keep_aspect_ratio_policy") ||
                node_string_is(node, "keep_aspect_ratio_policy", "stretch"));
    if (!tensor || !tensor_is_readable(tensor) || at >= tensor->count)
        return false;
    tensor_read_f64(tensor, at, 1, &scale);
    return scale == 1;
}

/* Where an axis goes through a node that neither reshapes nor reduces, or where
 * it comes from: Expand puts axes in front, Gather has those of its indices in
 * place of one; pools and Resize work on what follows the channels. */
static int kept_axis(const Fold *fold, const Node *node, int axis, bool back)
{
    const Fact *in = &node->inputs[0]->fact, *out = &node->outputs[0]->fact;
    int more = out->rank - in->rank, taken;
    switch (node->op) {
    case OP_Relu:
    case OP_LeakyRelu:
    case OP_PRelu:
    case OP_Identity:
    case OP_Dropout:
    case OP_Slice:
    case OP_Split:
        return axis;
    case OP_Expand:
        axis -= back ? more : 0;
        if (axis < 0 || in->dims[axis] != out->dims[axis + more])
            return -1;
        return back ? axis : axis + more;
    case OP_Gather:
        taken = (int)node_int(node, "axis", 0);
        taken += taken < 0 ? in->rank : 0;
        if (axis < taken)
            return axis;
        if (back)
            return axis <= taken + more ? taken : axis - more;
        return axis + more;
    case OP_Resize:
        return axis < 2 && resize_keeps(fold, node, axis) ? axis : -1;
    default:
        return axis < 2 ? axis : -1;
    }
}

static Dim prefix_product(Symbols *symbols, const Fact *fact, int end)
{
    Dim product = 1;
    for (int i = 0; i < end; i++)
        product = dim_combine(symbols, DIM_MUL, product, fact->dims[i]);
    return product;
}

static int transpose_source(const Node *node, int rank, int axis)
{
    const int64_t *perm;
    int64_t count = node_ints(node, "perm", &perm);
    if (count < 0)
        return rank - 1 - axis;
    return count == rank && perm[axis] >= 0 && perm[axis] < rank
               ? (int)perm[axis]
               : -1;
}

/* True when the reduction goes over the axis; then there is no such axis. */
static bool reduces_axis(const Fold *fold, const Node *node, int axis)
{
    const Fact *in = &node->inputs[0]->fact;
    Value *list = node_input(node, 1);
    const Tensor *tensor = list ? value_constant(fold->graph, list) : NULL;
    const int64_t *attribute;
    int64_t given[RANK_MAX], count = node_ints(node, "axes", &attribute);
    if (list && (!tensor || tensor->count > RANK_MAX))
        return true;
    if (tensor) {
        count = tensor->count;
        tensor_read_i64(tensor, 0, count, given);
        attribute = given;
    }
    for (int64_t i = 0; i < count; i++)
        if (attribute[i] == axis || attribute[i] + in->rank == axis)
            return true;
    return count < 1; /* over all axes, or over none: not worth a thought */
}

/* ReduceMean keeps an axis in place with keepdims, and moves it to the left by
 * the reduced axes before it otherwise. */
static int reduce_target(const Fold *fold, const Node *node, int axis)
{
    if (node->inputs[0]->fact.rank < 0 || reduces_axis(fold, node, axis))
        return -1;
    int target = axis;
    for (int i = 0; !node_int(node, "keepdims", 1) && i < axis; i++)
        target -= reduces_axis(fold, node, i);
    return target;
}

static int reduce_source(const Fold *fold, const Node *node, int axis)
{
    for (int i = 0; i < node->inputs[0]->fact.rank; i++)
        if (reduce_target(fold, node, i) == axis)
            return i;
    return -1;
}

/* In row-major order an axis survives a reshape when as many elements stand
 * before it and it has the same length; -1 when it does not. Of several axes of
 * size 1 it is the one in its place, where others have their channels too. */
static int reshaped_axis(Symbols *symbols, const Fact *from, int axis,
                         const Fact *to)
{
    Dim before = prefix_product(symbols, from, axis);
    int found = -1;
    for (int i = 0; i < to->rank; i++)
        if ((found < 0 || i == axis) && to->dims[i] == from->dims[axis] &&
            prefix_product(symbols, to, i) == before)
            found = i;
    return found;
}

int affine_axis_back(const Fold *fold, const Node *node, int axis)
{
    const Fact *in = &node->inputs[0]->fact, *out = &node->outputs[0]->fact;
    Symbols *symbols = fold->model->symbols;
    if (axis < 0)
        return axis;
    if (in->rank < 0 || out->rank <= axis)
        return -1;
    if (node->op == OP_ReduceMean)
        return reduce_source(fold, node, axis);
    if (!node_moves_only(node))
        return kept_axis(fold, node, axis, true);
    if (node->op == OP_Transpose)
        return transpose_source(node, in->rank, axis);
    return reshaped_axis(symbols, out, axis, in);
}

static int transpose_target(const Node *node, int rank, int axis)
{
    for (int i = 0; i < rank; i++)
        if (transpose_source(node, rank, i) == axis)
            return i;
    return -1;
}

/* The channels may also be merged with what follows them: Flatten makes
 * (N, C, H, W) into (N, C*H*W), where channel c has H*W places in a row. */
int affine_axis_forward(const Fold *fold, const Node *node, int axis,
                        int64_t *repeat)
{
    const Fact *in = &node->inputs[0]->fact, *out = &node->outputs[0]->fact;
    Symbols *symbols = fold->model->symbols;
    *repeat = 1;
    if (axis < 0)
        return axis;
    if (out->rank < 0 || in->rank <= axis)
        return -1;
    if (node->op == OP_ReduceMean)
        return reduce_target(fold, node, axis);
    if (!node_moves_only(node))
        return kept_axis(fold, node, axis, false);
    if (node->op == OP_Transpose)
        return transpose_target(node, in->rank, axis);
    int found = reshaped_axis(symbols, in, axis, out);
    if (found >= 0)
        return found;
    int64_t trailing = 1, whole, part;
    for (int i = axis + 1; i < in->rank; i++)
        if (!dim_is_known(symbols, in->dims[i], &part) || part < 1 ||
            __builtin_mul_overflow(trailing, part, &trailing))
            return -1;
    int last = out->rank - 1;
    if (last < 0 || !dim_is_known(symbols, out->dims[last], &whole) ||
        !dim_is_known(symbols, in->dims[axis], &part) ||
        whole != part * trailing ||
        prefix_product(symbols, out, last) != prefix_product(symbols, in, axis))
        return -1;
    *repeat = trailing;
    return last;
}
