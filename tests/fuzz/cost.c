#include <math.h>

#include "measure.h"

/* The product of dims [first, rank); NaN where one is not known. */
static double elements(const Model *model, const Value *value, int first)
{
    double product = 1;
    if (value && value->fact.rank < 0)
        return (double)NAN;
    for (int i = first; value && i < value->fact.rank; i++) {
        int64_t size;
        if (!dim_is_known(model->symbols, value->fact.dims[i], &size))
            return (double)NAN;
        product *= (double)size;
    }
    return product;
}

/* Computed from constants alone. Recursion is as deep as the generator makes
 * such chains. */
static bool is_constant(const Value *value)
{
    const Node *node = value->producer;
    bool constant = node ? node->op != OP_OTHER : value->tensor != NULL;
    for (int i = 0; node && constant && i < node->input_count; i++)
        constant = !node->inputs[i] || is_constant(node->inputs[i]);
    return constant;
}

static bool is_affine(const Node *node)
{
    return node->op == OP_Mul || node->op == OP_Add || node->op == OP_Sub ||
           node->op == OP_Div || node->op == OP_Sum || node->op == OP_Neg ||
           node->op == OP_BatchNormalization;
}

static double window_size(const Node *node)
{
    const int64_t *taps;
    int64_t count = node_ints(node, "kernel_shape", &taps);
    double product = 1;
    for (int64_t i = 0; i < count; i++)
        product *= (double)taps[i];
    return product;
}

/* The largest extent is no less than the number of channels. */
static double channels_at_most(const Model *model, const Value *value)
{
    double most = elements(model, value, 0);
    for (int i = 0; !isnan(most) && i < value->fact.rank; i++)
        most = fmax(i ? most : 1, (double)value->fact.dims[i]);
    return most;
}

/* How many summands could be identities, which may have to become weights. n
 * of them are n - 1 additions of two. */
static int node_identities(const Node *node)
{
    int count = 0;
    for (int i = 0; is_affine(node) && i < node->input_count; i++)
        count += node->inputs[i] && !is_constant(node->inputs[i]);
    return 2 * (count > 1 ? count - 1 : 0);
}

/* A pool's weights are as many as its taps. */
static double node_weights(const Model *model, const Node *node)
{
    double channels = channels_at_most(model, node->outputs[0]);
    switch (node->op) {
    case OP_AveragePool:
    case OP_MaxPool:
        return channels * window_size(node);
    case OP_Conv:
    case OP_ConvTranspose:
    case OP_Gemm:
    case OP_MatMul:
        return elements(model, node->inputs[1], 0);
    default:
        return channels * node_identities(node);
    }
}

/* Biases, and what may become one: a bound. */
static double node_biases(const Model *model, const Node *node)
{
    const Value *bias = node_input(node, 2);
    if (is_affine(node))
        return channels_at_most(model, node->outputs[0]);
    return bias && (node->op == OP_Conv || node->op == OP_ConvTranspose)
               ? elements(model, bias, 0)
               : 0;
}

static double node_macs(const Model *model, const Node *node)
{
    const Value *x = node->inputs[0], *w = node_input(node, 1);
    double out = elements(model, node->outputs[0], 0), inner;
    switch (node->op) {
    case OP_Conv:
        return out * elements(model, w, 1);
    case OP_ConvTranspose:
        return elements(model, x, 0) * elements(model, w, 1);
    case OP_Gemm:
        inner = elements(model, x, 1);
        if (node_int(node, "transA", 0))
            inner = elements(model, x, 0) / inner;
        return out * inner;
    case OP_MatMul:
        return out * elements(model, x, x->fact.rank - 1);
    case OP_AveragePool:
    case OP_MaxPool:
        return out * window_size(node);
    default:
        return out * node_identities(node);
    }
}

/* Recursion is as deep as the generator nests subgraphs. */
static void graph_cost(const Graph *graph, Cost *cost)
{
    cost->nodes += graph->node_count;
    for (size_t i = 0; i < graph->node_count; i++) {
        const Node *node = graph->nodes[i];
        for (int k = 0; k < node->attr_count; k++)
            if (attr_graph(&node->attrs[k]))
                graph_cost(node->attrs[k].graph, cost);
        if (node->op == OP_OTHER || !node_input(node, 0) ||
            is_constant(node->outputs[0]))
            continue;
        cost->weights += node_weights(graph->model, node);
        cost->biases += node_biases(graph->model, node);
        cost->macs += node_macs(graph->model, node);
    }
}

Cost cost_of(const Model *model)
{
    Cost cost = {0};
    graph_cost(model->graph, &cost);
    for (size_t i = 0; i < model->function_count; i++)
        graph_cost(model->functions[i].body, &cost);
    return cost;
}
