/*
 * Linear operators in a row become one (C12). On demand only: what training
 * left in two pieces is rarely cheaper in one.
 *
 * requires: uses, shapes, constants.  breaks: uses, shapes.
 */
#include "fold/compose.h"
#include "fold/pass.h"

/* The operator that gives a value, and the Add that holds a MatMul's bias. */
typedef struct Front {
    Linear linear;
    Node *adder;
} Front;

static bool front_read_added(Fold *fold, Node *adder, Front *front)
{
    AffineMap map;
    const char *fact;
    if (affine_read(fold, adder, &map, &fact))
        return false;
    Node *node = map.input->producer;
    if (!node || node->op != OP_MatMul ||
        linear_read(fold, node, &front->linear, &fact) ||
        (map.axis >= 0 && map.axis != front->linear.channel_axis))
        return false;
    front->adder = adder;
    front->linear.bias = map.shift;
    return true;
}

static bool front_read(Fold *fold, const Value *value, Front *front)
{
    const char *fact;
    Node *node = value->producer;
    *front = (Front){0};
    if (!node || node->graph != fold->graph)
        return false;
    return node->op == OP_Add
               ? front_read_added(fold, node, front)
               : linear_read(fold, node, &front->linear, &fact) == REASON_NONE;
}

static Reason front_obstacle(const Front *front, const Value *value)
{
    Reason reason = sole_use_obstacle(value);
    return !reason && front->adder
               ? sole_use_obstacle(front->linear.node->outputs[0])
               : reason;
}

static void front_apply(Fold *fold, const Front *front, Node *second,
                        const Composition *made)
{
    Emission emission = {.place = second};
    const Node *consumed[3] = {front->linear.node, second, front->adder};
    emit_linear(fold, &emission, &made->like, made->kernel, made->bias,
                second->outputs[0]);
    fold_record(fold, &emission,
                &(Account){RULE_BIT(RULE_C12), consumed, front->adder ? 3 : 2,
                           made->macs_before, made->macs_after,
                           made->like.static_size});
    emission_place(fold, &emission);
}

static void compose_try(Fold *fold, Node *node)
{
    Linear second;
    Front front;
    Composition made;
    const char *fact = "";
    if (node->removed || linear_read(fold, node, &second, &fact) ||
        second.is_virtual || !front_read(fold, second.input, &front) ||
        !is_composable(&front.linear, &second))
        return;
    fact = second.input->name;
    Reason reason = front_obstacle(&front, second.input);
    if (!reason)
        reason = compose(fold, &front.linear, &second,
                         fold->options->allow_cost, &made, &fact);
    if (!reason && fold_is_undone(fold, node->outputs[0]))
        reason = REASON_CERTIFICATE;
    if (reason)
        fold_note(fold, node, reason, fact);
    else
        front_apply(fold, &front, node, &made);
}

int rule_compose(Fold *fold, Err *err)
{
    (void)err;
    if (!(fold->enabled & RULE_BIT(RULE_C12)))
        return 0;
    for (size_t i = 0; i < fold->graph->node_count && !fold_is_done(fold);
         i++) {
        Arena *outer = site_begin(fold);
        compose_try(fold, fold->graph->nodes[i]);
        site_end(fold, outer);
    }
    return 0;
}
