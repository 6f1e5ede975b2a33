/*
 * Why not: every site that is left, with its reason.
 *
 * requires: uses, shapes, and the notes of a round in which nothing folded.
 */
#include "fold/pass.h"

static const Obstacle *noted(const Fold *fold, const Node *node)
{
    const Value *value = node ? node_output(node, 0) : NULL;
    return value ? map_get(fold->obstacles, value->name) : NULL;
}

static bool follows_linear(const Node *node)
{
    for (int i = 0; i < node->input_count; i++) {
        const Node *producer =
            node->inputs[i] ? node->inputs[i]->producer : NULL;
        if (producer &&
            (producer->op == OP_Conv || producer->op == OP_ConvTranspose ||
             producer->op == OP_Gemm || producer->op == OP_MatMul))
            return true;
    }
    return false;
}

static bool is_specific(Reason reason)
{
    return reason != REASON_NONE && reason != REASON_NONLINEAR;
}

/* A scale or shift by channel, and one by a single number that a linear
 * operator could have taken; or a sum of branches that did not merge. */
static bool is_arithmetic_site(Fold *fold, Node *node, Reason reason)
{
    AffineMap map;
    const char *fact;
    bool is_off_axis =
        reason == REASON_BROADCAST || reason == REASON_WRONG_AXIS;
    if (reason == REASON_ISLAND || (is_off_axis && follows_linear(node)))
        return true;
    if (fold->island[node->index])
        return false;
    Reason obstacle = affine_read(fold, node, &map, &fact);
    if (obstacle == REASON_NONE || obstacle == REASON_NOT_FINITE)
        return map.axis >= 0 || is_specific(reason);
    return (node->op == OP_Add || node->op == OP_Sub || node->op == OP_Sum) &&
           is_specific(reason);
}

/* A site is what a reparameterization would have removed: a normalization, a
 * scale or shift by channel, or anything a pass found a specific reason for.
 * A single number with nothing linear on either side is no site. */
static bool is_site(Fold *fold, Node *node, const Obstacle *obstacle)
{
    if (node->op == OP_BatchNormalization)
        return true;
    Reason reason = obstacle ? obstacle->reason : REASON_NONE;
    switch (node->op) {
    case OP_Mul:
    case OP_Add:
    case OP_Sub:
    case OP_Div:
    case OP_Sum:
        return is_arithmetic_site(fold, node, reason);
    case OP_Gemm:
    case OP_MatMul: /* where composing them was asked for: not attention */
        return (fold->enabled & RULE_BIT(RULE_C12)) && is_specific(reason) &&
               reason != REASON_DYNAMIC_WEIGHT;
    case OP_Conv:
    case OP_ConvTranspose:
    case OP_LayerNormalization:
    case OP_RMSNormalization:
    case OP_AveragePool:
    case OP_Pad:
        return is_specific(reason);
    default:
        return false;
    }
}

/* MatMul and its bias are one linear operator in two nodes. */
static bool is_matmul_bias(const Fold *fold, const Node *node)
{
    if (node->op != OP_Add)
        return false;
    for (int i = 0; i < 2; i++) {
        const Value *value = node->inputs[i];
        const Node *producer = value ? value->producer : NULL;
        if (producer && producer->op == OP_MatMul && value->use_count == 1 &&
            value_constant(fold->graph, node->inputs[1 - i]))
            return true;
    }
    return false;
}

static void refusal_add(Fold *fold, const Node *node, Obstacle obstacle)
{
    FoldReport *report = fold->report;
    report->refusals =
        arena_grow(fold->arena, report->refusals, &report->refusal_capacity,
                   report->refusal_count + 1, sizeof *report->refusals);
    report->refusals[report->refusal_count++] = (rp_refusal){
        .reason = reason_code(obstacle.reason),
        .node = node_title(node),
        .op = node->op_type,
        .fact = arena_strdup(fold->arena, obstacle.fact),
        .advice = reason_advice(obstacle.reason),
    };
}

/* The domain's operators that only share a name with ONNX's are opaque, and a
 * reader may wonder. So may be ONNX's own, where the opset lacks them. */
static bool is_namesake(const Node *node)
{
    Op op = op_find(node->op_type);
    bool lacks = is_onnx_domain(node->domain) &&
                 !op_exists(op, graph_opset(node->graph));
    return node->op == OP_OTHER && op != OP_OTHER && !lacks;
}

int refusals_list(Fold *fold, Err *err)
{
    (void)err;
    Graph *graph = fold->graph;
    for (size_t i = 0; i < graph->node_count; i++) {
        Node *node = graph->nodes[i];
        const Obstacle *obstacle = noted(fold, node);
        if (node->output_count == 0 || !node->outputs[0])
            continue;
        if (is_namesake(node)) {
            refusal_add(fold, node,
                        (Obstacle){REASON_FOREIGN_DOMAIN, node->domain});
            continue;
        }
        if (!is_site(fold, node, obstacle) || is_matmul_bias(fold, node))
            continue;
        Obstacle shown =
            obstacle ? *obstacle : (Obstacle){REASON_NONLINEAR, ""};
        if (fold->gives_up)
            shown = (Obstacle){REASON_BUDGET, "one of too many bodies"};
        refusal_add(fold, node, shown);
    }
    return 0;
}
