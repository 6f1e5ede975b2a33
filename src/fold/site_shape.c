/* Where channels go through operators that only move elements. */
#include "fold/site.h"

bool node_moves_only(const Fold *fold, const Node *node)
{
    switch (node->op) {
    case OP_Transpose:
    case OP_Reshape:
    case OP_Flatten:
    case OP_Squeeze:
    case OP_Unsqueeze:
    case OP_Identity:
        return true;
    case OP_Dropout: {
        /* In training only when an input, opset 12, or before opset 7 an
         * attribute says so. */
        const Tensor *training = NULL;
        Value *mode = node_input(node, 2);
        int64_t flag = 0;
        if (mode) {
            training = value_constant(fold->graph, mode);
            if (!training || training->count != 1)
                return fold->model->assume_inference;
            tensor_read_i64(training, 0, 1, &flag);
        }
        if (fold->model->opset < 7)
            flag = !node_int(node, "is_test", 0);
        Value *mask = node_output(node, 1);
        return (!flag || fold->model->assume_inference) &&
               (!mask || mask->use_count == 0);
    }
    default:
        return false;
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

static bool node_keeps_shape(const Node *node)
{
    return node->op == OP_Identity || node->op == OP_Dropout;
}

/* In row-major order an axis survives a reshape when as many elements stand
 * before it and it has the same length. */
int shape_axis_back(const Fold *fold, const Node *node, int axis)
{
    const Fact *in = &node->inputs[0]->fact, *out = &node->outputs[0]->fact;
    Symbols *symbols = fold->model->symbols;
    if (axis < 0 || node_keeps_shape(node))
        return axis;
    if (in->rank < 0 || out->rank <= axis)
        return -1;
    if (node->op == OP_Transpose)
        return transpose_source(node, in->rank, axis);
    Dim before = prefix_product(symbols, out, axis);
    for (int i = 0; i < in->rank; i++)
        if (in->dims[i] == out->dims[axis] &&
            prefix_product(symbols, in, i) == before)
            return i;
    return -1;
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
int shape_axis_forward(const Fold *fold, const Node *node, int axis,
                       int64_t *repeat)
{
    const Fact *in = &node->inputs[0]->fact, *out = &node->outputs[0]->fact;
    Symbols *symbols = fold->model->symbols;
    *repeat = 1;
    if (axis < 0 || node_keeps_shape(node))
        return axis;
    if (out->rank < 0 || in->rank <= axis)
        return -1;
    if (node->op == OP_Transpose)
        return transpose_target(node, in->rank, axis);
    Dim before = prefix_product(symbols, in, axis);
    for (int i = 0; i < out->rank; i++)
        if (out->dims[i] == in->dims[axis] &&
            prefix_product(symbols, out, i) == before)
            return i;
    int64_t trailing = 1, whole, part;
    for (int i = axis + 1; i < in->rank; i++)
        if (!dim_is_known(symbols, in->dims[i], &part) || part < 1 ||
            __builtin_mul_overflow(trailing, part, &trailing))
            return -1;
    int last = out->rank - 1;
    if (last < 0 || !dim_is_known(symbols, out->dims[last], &whole) ||
        !dim_is_known(symbols, in->dims[axis], &part) ||
        whole != part * trailing ||
        prefix_product(symbols, out, last) != before)
        return -1;
    *repeat = trailing;
    return last;
}
