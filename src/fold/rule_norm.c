/*
 * The scale and bias of a normalization go into all linear operators that read
 * it (C16); ONNX LayerNormalization needs a scale, and gets ones. On demand
 * only: the node itself stays.
 *
 * requires: uses, shapes, constants, islands.  breaks: uses, shapes.
 */
#include "fold/pass.h"
#include "fold/ways.h"

/* Scale and bias along the last axis, the only one that is normalized. */
static Reason norm_read(Fold *fold, const Node *node, Sight *sight,
                        const char **fact)
{
    Value *scale = node_input(node, 1), *bias = node_input(node, 2);
    int rank = node->outputs[0]->fact.rank;
    int64_t axis = node_int(node, "axis", -1);
    *fact = scale ? scale->name : "";
    if (!scale || !constant_vec(fold, scale, &sight->scale))
        return scale ? constant_obstacle(fold, scale) : REASON_DYNAMIC_WEIGHT;
    if (bias && !constant_vec(fold, bias, &sight->shift)) {
        *fact = bias->name;
        return constant_obstacle(fold, bias);
    }
    if (rank < 1)
        return REASON_SHAPE_UNKNOWN;
    sight->axis = rank - 1;
    if ((axis != -1 && axis != rank - 1) ||
        value_constant(fold->graph, scale)->rank != 1)
        return REASON_WRONG_AXIS;
    return vec_is_finite(sight->scale) && vec_is_finite(sight->shift)
               ? REASON_NONE
               : REASON_NOT_FINITE;
}

/* The same normalization with ones for a scale and without bias. */
static Value *norm_emit(Fold *fold, Node *node, int64_t size, Emission *all)
{
    Value **outputs =
        arena_array(fold->scratch, (size_t)node->output_count, sizeof *outputs);
    for (int i = 0; i < node->output_count; i++)
        outputs[i] = node->outputs[i];
    outputs[0] = emission_value(fold, node->outputs[0]);
    all->place = node;
    Vec ones = vec_uniform(fold->scratch, 1);
    DType type = value_constant(fold->graph, node->inputs[1])->type;
    Value *inputs[2] = {node->inputs[0],
                        emit_vec(fold, all, ones, size, type, "ones")};
    Node *plain = node_new(fold->graph, node->op, node->name, inputs, 2,
                           outputs, node->output_count);
    const Node *copy = node_clone(node, node->inputs, outputs);
    plain->attrs = copy->attrs;
    plain->attr_count = copy->attr_count;
    emission_add(fold, all, plain);
    return outputs[0];
}

static void norm_apply(Fold *fold, Node *node, int64_t size, Ways *ways)
{
    const Node *consumed[WAYS_NODES_MAX + 1] = {node};
    Account account = ways_account(ways, consumed);
    account.rules = RULE_BIT(RULE_C16);
    Emission all = {0};
    Value *plain = norm_emit(fold, node, size, &all);
    ways_emit(fold, ways, plain, &all);
    value_free_move(node->outputs[0], plain);
    emission_place(fold, &all);
    fold_record(fold, &all, &account);
}

static void norm_try(Fold *fold, Node *node, Ways *ways)
{
    Sight sight = SIGHT_NOTHING;
    const char *fact = "";
    if (node->removed || node_is_parametric(node) || !node->outputs[0])
        return;
    Reason reason = norm_read(fold, node, &sight, &fact);
    if (!reason && vec_all_equal(sight.scale, 1, 1) &&
        vec_all_equal(sight.shift, 0, 0))
        return;
    if (!reason) {
        reason = ways_find(fold, ways, node->outputs[0], &sight);
        fact = ways->fact;
    }
    if (!reason && fold_is_undone(fold, ways_last(ways)))
        reason = REASON_CERTIFICATE;
    if (reason)
        fold_note(fold, node, reason, fact);
    else
        norm_apply(fold, node, sight.scale.size, ways);
}

int rule_norm(Fold *fold, Err *err)
{
    (void)err;
    Graph *graph = fold->graph;
    Ways *ways = arena_alloc(fold->scratch, sizeof *ways);
    if (!(fold->enabled & RULE_BIT(RULE_C16)))
        return 0;
    for (size_t i = 0; i < graph->node_count && !fold_is_done(fold); i++)
        if (graph->nodes[i]->op == OP_LayerNormalization ||
            graph->nodes[i]->op == OP_RMSNormalization)
            norm_try(fold, graph->nodes[i], ways);
    return 0;
}
