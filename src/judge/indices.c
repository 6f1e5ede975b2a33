#include "judge/indices.h"

/* Nodes between an input and a table at most; there is hardly ever more than a
 * Cast and an Unsqueeze. */
enum { DEPTH = 8 };

/* The size of the axis along which a Gather reads; 0 where it is not known. */
static int64_t table_size(const Node *gather)
{
    const Value *data = node_input(gather, 0);
    const Tensor *tensor = data ? value_constant(gather->graph, data) : NULL;
    int64_t axis = node_int(gather, "axis", 0);
    int rank = tensor ? tensor->rank : data ? data->fact.rank : -1;
    if (axis < 0)
        axis += rank;
    if (axis < 0 || axis >= rank)
        return 0;
    int64_t size = tensor ? tensor->dims[axis] : data->fact.dims[axis];
    return size > 0 ? size : 0;
}

/* Hands on the elements of its first input, in whatever shape. */
static bool hands_on(const Node *node)
{
    switch (node->op) {
    case OP_Cast:
    case OP_Flatten:
    case OP_Identity:
    case OP_Reshape:
    case OP_Slice:
    case OP_Squeeze:
    case OP_Transpose:
    case OP_Unsqueeze:
        return true;
    default:
        return false;
    }
}

/* Of two, the smaller that is known. */
static int64_t smaller(int64_t a, int64_t b)
{
    return a == 0 || (b > 0 && b < a) ? b : a;
}

static int64_t count_within(const Value *value, int depth)
{
    int64_t count = 0;
    for (int i = 0; i < value->use_count; i++) {
        const Node *node = value->uses[i].node;
        int slot = value->uses[i].slot;
        if (node && node->op == OP_Gather && slot == 1)
            count = smaller(count, table_size(node));
        else if (node && slot == 0 && depth > 0 && hands_on(node) &&
                 node_output(node, 0))
            count =
                smaller(count, count_within(node_output(node, 0), depth - 1));
    }
    return count;
}

int64_t index_count(const Value *a, const Value *b)
{
    return smaller(count_within(a, DEPTH), count_within(b, DEPTH));
}
