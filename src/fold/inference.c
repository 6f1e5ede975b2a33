/*
 * What was taken for inference is written as inference: as it was, a runtime
 * would normalize by the batch, and drop at random.  Only where a side output
 * is read the node stays.
 *
 * requires: uses. breaks: uses.
 * ONNX BatchNormalization-1, -7, -9, -14; Dropout-1, -7, -12.
 */
#include "fold/pass.h"

static bool has_read_side_output(const Node *node)
{
    for (int i = 1; i < node->output_count; i++) {
        const Value *side = node->outputs[i];
        if (side && (side->use_count > 0 || side->is_output))
            return true;
    }
    return false;
}

/* The same operator without what makes it train: an attribute, side outputs, or
 * Dropout's third input. */
static Node *inference_form(Graph *graph, const Node *node)
{
    int most = node->op == OP_Dropout ? 2 : 5;
    int count = node->input_count < most ? node->input_count : most;
    Node *form = node_new(graph, node->op, node->name, node->inputs, count,
                          node->outputs, 1);
    const Attr *epsilon = node_attr(node, "epsilon");
    if (epsilon)
        node_set_float(form, "epsilon", epsilon->f);
    if (node_int(node, "spatial", 1) == 0)
        node_set_int(form, "spatial", 0);
    if (graph_opset(graph) < 7)
        node_set_int(form, "is_test", 1);
    return form;
}

void inference_settle(Fold *fold)
{
    Graph *graph = fold->graph;
    bool found = false;
    for (size_t i = 0; i < graph->node_count; i++) {
        Node *node = graph->nodes[i];
        if (!node_trains(fold, node) || has_read_side_output(node))
            continue;
        Node *form = inference_form(graph, node);
        graph_replace_node(graph, node, &form, 1);
        found = true;
    }
    if (found)
        graph_sweep(graph);
}
