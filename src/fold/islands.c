/*
 * Islands: chains that runtimes recognise and fuse into one operator.  A
 * constant that belongs to one is never absorbed, or the runtime no longer
 * recognises the rest and the model gets slower.
 */
#include "fold/site.h"

static const Tensor *constant_operand(const Fold *fold, const Node *node,
                                      Value **other)
{
    for (int i = 0; i < 2; i++) {
        Value *value = node_input(node, i);
        const Tensor *tensor =
            value ? value_constant(fold->graph, value) : NULL;
        if (tensor && tensor_is_readable(tensor)) {
            *other = node_input(node, 1 - i);
            return tensor;
        }
    }
    return NULL;
}

/* True for Add, Sub, Mul or Div of one number and something computed. */
static bool is_scalar_node(const Fold *fold, const Node *node)
{
    Value *other;
    if (!node ||
        (node->op != OP_Add && node->op != OP_Sub && node->op != OP_Mul &&
         node->op != OP_Div && node->op != OP_Pow))
        return false;
    const Tensor *tensor = constant_operand(fold, node, &other);
    return tensor && tensor->count == 1;
}

static void mark(Fold *fold, const Node *node)
{
    fold->island[node->index] = true;
}

static const Node *producer_of(const Node *node, int slot)
{
    Value *value = node_input(node, slot);
    return value ? value->producer : NULL;
}

/* True when 1 is added to what the node gives, as GELU does to erf or tanh. */
static bool is_gelu(const Fold *fold, const Node *node)
{
    const Value *value = node_output(node, 0);
    for (int i = 0; value && i < value->use_count; i++) {
        const Node *reader = value->uses[i].node;
        if (reader && reader->op == OP_Add && is_scalar_node(fold, reader))
            return true;
    }
    return false;
}

/* The factor of the argument: x / sqrt(2) before erf, 0.7978 (x + 0.0447 x^3)
 * before tanh, 1.702 x before sigmoid, x + 3 before a clip. Of a sum behind it
 * the scaled summands belong to it as well. */
static void mark_argument(Fold *fold, const Node *node)
{
    if (!node || !is_scalar_node(fold, node))
        return;
    mark(fold, node);
    Value *other = NULL;
    constant_operand(fold, node, &other);
    const Node *sum = other ? other->producer : NULL;
    for (int slot = 0; sum && sum->op == OP_Add && slot < 2; slot++) {
        const Node *summand = producer_of(sum, slot);
        if (summand && summand->op == OP_Mul && is_scalar_node(fold, summand))
            mark(fold, summand);
    }
}

/* What follows erf or tanh: + 1, times x, times 0.5, in any order; 0.5 may
 * also stand before the product, on x. */
static void mark_gelu_tail(Fold *fold, const Node *node, int depth)
{
    const Value *value = node_output(node, 0);
    for (int i = 0; value && depth > 0 && i < value->use_count; i++) {
        const Node *reader = value->uses[i].node;
        if (!reader || (reader->op != OP_Mul && reader->op != OP_Add &&
                        reader->op != OP_Div))
            continue;
        bool scalar = is_scalar_node(fold, reader);
        if (!scalar && reader->op != OP_Mul)
            continue;
        mark(fold, reader);
        for (int slot = 0; !scalar && slot < 2; slot++) {
            const Node *factor = producer_of(reader, slot);
            if (factor && factor->op == OP_Mul && is_scalar_node(fold, factor))
                mark(fold, factor);
        }
        mark_gelu_tail(fold, reader, depth - 1);
    }
}

/* x * clip(x + 3, 0, 6) / 6, with the division before or after the product. */
static void mark_hard_swish(Fold *fold, const Node *clip)
{
    const Node *node = clip;
    for (int step = 0; step < 2; step++) {
        const Value *value = node_output(node, 0);
        if (!value || value->use_count != 1 || !value->uses[0].node)
            return;
        node = value->uses[0].node;
        if (node->op != OP_Mul && node->op != OP_Div)
            return;
        mark(fold, node);
    }
}

/* 1/sqrt(d) on the queries, the keys or their product, before a Softmax. */
static void mark_attention(Fold *fold, const Node *node, int depth)
{
    for (; node && depth > 0; depth--) {
        if (node->op == OP_MatMul) {
            for (int slot = 0; slot < 2; slot++) {
                const Node *operand = producer_of(node, slot);
                if (operand && operand->op == OP_Transpose)
                    operand = producer_of(operand, 0);
                if (operand && is_scalar_node(fold, operand))
                    mark(fold, operand);
            }
            return;
        }
        if (is_scalar_node(fold, node))
            mark(fold, node);
        Value *other = NULL;
        if (node->op != OP_Add && node->op != OP_Mul && node->op != OP_Div &&
            node->op != OP_Cast && node->op != OP_Reshape)
            return;
        const Tensor *constant = constant_operand(fold, node, &other);
        node = constant && other ? other->producer : producer_of(node, 0);
    }
}

/* (x - mean) / sqrt(variance + epsilon) * gamma + beta, and RMSNorm's part of
 * it: from ReduceMean of a square through Sqrt to the last affine node. */
static void mark_normalization(Fold *fold, const Node *root)
{
    const Node *node = root;
    for (int step = 0; step < 5; step++) {
        const Value *value = node_output(node, 0);
        if (!value || value->use_count != 1 || !value->uses[0].node)
            return;
        node = value->uses[0].node;
        if (node->op != OP_Div && node->op != OP_Mul && node->op != OP_Add &&
            node->op != OP_Reciprocal && node->op != OP_Cast)
            return;
        mark(fold, node);
    }
}

static bool is_mean_square(const Fold *fold, const Node *root)
{
    const Node *sum = producer_of(root, 0);
    if (!sum || !is_scalar_node(fold, sum) || sum->op != OP_Add)
        return false;
    Value *other = NULL;
    constant_operand(fold, sum, &other);
    return other && other->producer && other->producer->op == OP_ReduceMean;
}

void islands_mark(Fold *fold)
{
    Graph *graph = fold->graph;
    fold->island =
        arena_array(fold->scratch, graph->node_count + 1, sizeof *fold->island);
    for (size_t i = 0; i < graph->node_count; i++) {
        const Node *node = graph->nodes[i];
        switch (node->op) {
        case OP_Erf:
        case OP_Tanh:
            if (!is_gelu(fold, node))
                break;
            mark_argument(fold, producer_of(node, 0));
            mark_gelu_tail(fold, node, 4);
            break;
        case OP_Sigmoid:
            mark_argument(fold, producer_of(node, 0));
            break;
        case OP_Clip:
            mark_argument(fold, producer_of(node, 0));
            mark_hard_swish(fold, node);
            break;
        case OP_Softmax:
            mark_attention(fold, producer_of(node, 0), 6);
            break;
        case OP_Sqrt:
            if (is_mean_square(fold, node))
                mark_normalization(fold, node);
            break;
        default:
            break;
        }
    }
}
