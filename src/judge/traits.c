#include "judge/traits.h"

#include <math.h>

static void take_parameter(Traits *traits, const Tensor *tensor)
{
    if (tensor && tensor->rank > 0 && dtype_is_real(tensor->type))
        traits->roundoff = fmax(traits->roundoff, dtype_roundoff(tensor->type));
}

double node_sum_length(const Node *node)
{
    const Value *value = node_input(node, 1);
    while (value && value->outer)
        value = value->outer;
    const Tensor *weight = value ? value->tensor : NULL;
    int axis;
    if (!weight || weight->rank < 2 || weight->count == 0)
        return 1;
    if (node->op == OP_Conv)
        axis = 0;
    else if (node->op == OP_ConvTranspose)
        axis = 1;
    else if (node->op == OP_MatMul)
        axis = weight->rank - 1;
    else if (node->op == OP_Gemm)
        axis = node_int(node, "transB", 0) ? 0 : 1;
    else
        return 1;
    return (double)weight->count / (double)weight->dims[axis];
}

/* Also of the graphs that its nodes hold. */
static void take_graph(Traits *traits, const Graph *graph)
{
    for (size_t i = 0; i < graph->initializer_count; i++)
        take_parameter(traits, graph->initializers[i]->tensor);
    for (size_t i = 0; i < graph->node_count; i++) {
        const Node *node = graph->nodes[i];
        const Attr *value =
            node->op == OP_Constant ? node_attr(node, "value") : NULL;
        if (value && value->type == ATTR_TENSOR)
            take_parameter(traits, value->tensor);
        traits->longest = fmax(traits->longest, node_sum_length(node));
        for (int k = 0; k < node->attr_count; k++) {
            size_t count;
            Graph *const *held = attr_graphs(&node->attrs[k], &count);
            for (size_t g = 0; g < count; g++)
                take_graph(traits, held[g]);
        }
    }
}

void traits_take(Traits *traits, const Model *model)
{
    take_graph(traits, model->graph);
    for (size_t i = 0; i < model->function_count; i++)
        take_graph(traits, model->functions[i].body);
}
