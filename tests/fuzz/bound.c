/*
 * How far two float64 runs of the same function may be apart.
 *
 * A running error analysis (Wilkinson; Higham, Accuracy and Stability, 3.3):
 * in the model's absolute twin every constant, input, sum and product is
 * replaced by that of absolute values, so each element S of the twin bounds
 * the sum of |products| that went into the element of the original. After N
 * roundings on the way the error is at most N u S, to first order. The folded
 * model's roundings, in computing its weights and with them, are bounded by
 * the same S, since |W1 + W2| <= |W1| + |W2|.
 */
#include <math.h>

#include "measure.h"

static Tensor *absolute_tensor(Arena *arena, const Tensor *tensor)
{
    if (!dtype_is_real(tensor->type) || !tensor_is_readable(tensor))
        return NULL;
    void *data;
    Tensor *out =
        tensor_alloc(arena, tensor->type, tensor->rank, tensor->dims, &data);
    double *values = arena_array(arena, (size_t)tensor->count, sizeof *values);
    tensor_read_f64(tensor, 0, tensor->count, values);
    for (int64_t i = 0; i < tensor->count; i++)
        values[i] = fabs(values[i]);
    tensor_store_f64(tensor->type, values, tensor->count, data);
    return out;
}

static void absolute_attrs(Arena *arena, Node *node)
{
    for (int i = 0; i < node->attr_count; i++) {
        Attr *attr = &node->attrs[i];
        if (attr->type == ATTR_FLOAT)
            attr->f = fabsf(attr->f);
        Tensor *tensor =
            attr_tensor(attr) ? absolute_tensor(arena, attr->tensor) : NULL;
        if (tensor)
            attr->tensor = tensor;
    }
}

/* (x - mean): the mean turns negative. */
static void negate_mean(Graph *graph, Node *node)
{
    Value *outputs[1] = {graph_fresh_value(graph, "mean")};
    Value *inputs[5];
    for (int i = 0; i < 5; i++)
        inputs[i] = node->inputs[i];
    Node *fresh[2];
    fresh[0] = node_new(graph, OP_Neg, "", &inputs[3], 1, outputs, 1);
    inputs[3] = outputs[0];
    fresh[1] = node_clone(node, inputs, node->outputs);
    graph_replace_node(graph, node, fresh, 2);
}

/* An operator with the same Lipschitz constant or more that is monotonous on
 * absolute values; softplus lies above the sigmoid wherever that matters. */
static Op absolute_op(Op op)
{
    switch (op) {
    case OP_Sub:
        return OP_Add;
    case OP_Neg:
        return OP_Abs;
    case OP_Sigmoid:
        return OP_Softplus;
    case OP_Tanh:
    case OP_Erf: /* at most 1.13 x: within the factor that is to spare */
        return OP_Identity;
    default:
        return op;
    }
}

static void absolute_graph(Graph *graph)
{
    for (size_t i = 0; i < graph->initializer_count; i++) {
        Value *value = graph->initializers[i];
        Tensor *tensor = absolute_tensor(graph->arena, value->tensor);
        if (tensor)
            value->tensor = tensor;
    }
    for (size_t i = 0; i < graph->node_count; i++) {
        Node *node = graph->nodes[i];
        absolute_attrs(graph->arena, node);
        for (int k = 0; k < node->attr_count; k++)
            if (attr_graph(&node->attrs[k]))
                absolute_graph(node->attrs[k].graph);
        if (node->op == OP_OTHER)
            continue;
        node->op = absolute_op(node->op);
        node->op_type = op_name(node->op);
        if (node->op == OP_BatchNormalization)
            negate_mean(graph, node);
    }
}

void bound_twin(Model *model)
{
    absolute_graph(model->graph);
    for (size_t i = 0; i < model->function_count; i++) {
        absolute_graph(model->functions[i].body);
        graph_fill_uses(model->functions[i].body);
    }
    graph_fill_uses(model->graph);
}

double bound_roundings(const Model *model)
{
    double count = 0;
    const Graph *graph = model->graph;
    for (size_t i = 0; i < graph->node_count; i++) {
        const Node *node = graph->nodes[i];
        count += 64;
        for (int k = 0; k < node->input_count; k++) {
            const Value *value = node->inputs[k];
            if (value && value->tensor)
                count += (double)value->tensor->count;
        }
        if (node->op == OP_GlobalAveragePool || node->op == OP_ReduceMean ||
            node->op == OP_OTHER || node->op == OP_If)
            count += 4096;
    }
    return count;
}
