#include "fold/ways.h"

#include <math.h>

static const char *pads_text(Fold *fold, const Linear *linear, Vec shift)
{
    double largest = 0;
    for (int64_t i = 0; i < shift.size; i++)
        largest = fmax(largest, fabs(shift.at[i]));
    if (linear->kind == LINEAR_CONV_TRANSPOSE)
        return arena_printf(fold->scratch,
                            "transposed convolution and shift up to %.2g",
                            largest);
    if (linear->pads_follow)
        return arena_printf(fold->scratch, "auto_pad and shift up to %.2g",
                            largest);
    const char *pads = "";
    for (int i = 0; i < 2 * linear->spatial; i++) {
        const Axis *axis = &linear->axes[i % linear->spatial];
        pads = arena_printf(
            fold->scratch, "%s%s%lld", pads, i ? "," : "",
            (long long)(i < linear->spatial ? axis->begin : axis->end));
    }
    return arena_printf(fold->scratch, "pads %s and shift up to %.2g", pads,
                        largest);
}

static bool is_padded(const Linear *linear)
{
    for (int i = 0; i < linear->spatial; i++)
        if (linear->axes[i].begin || linear->axes[i].end)
            return true;
    return linear->kind == LINEAR_CONV_TRANSPOSE;
}

/* Whether the operator takes scale and shift along `axis` of its input. */
static Reason target_check(Fold *fold, Target *target, int axis,
                           const char **fact)
{
    const Linear *linear = &target->linear;
    int wanted =
        linear->kind == LINEAR_MATMUL ? linear->input->fact.rank - 1 : 1;
    int64_t channels = linear->kernel->in_channels;
    *fact = linear->node->name;
    if (linear->is_virtual)
        return REASON_NONLINEAR;
    if (linear->kind == LINEAR_GEMM && node_int(linear->node, "transA", 0))
        return REASON_WRONG_AXIS;
    if ((axis >= 0 && axis != wanted) ||
        (target->scale.size > 1 && target->scale.size != channels) ||
        (target->shift.size > 1 && target->shift.size != channels))
        return REASON_WRONG_AXIS;
    if (is_padded(linear) && !vec_all_equal(target->shift, 0, 0)) {
        *fact = pads_text(fold, linear, target->shift);
        return REASON_PAD_SHIFT;
    }
    return REASON_NONE;
}

/* A constant Add along the last axis right after a MatMul. */
static void find_adder(Fold *fold, Target *target)
{
    const Value *product = target->linear.node->outputs[0];
    AffineMap map;
    const char *fact;
    Reason reason;
    const Use *use = only_data_use(product, &reason);
    if (target->linear.kind != LINEAR_MATMUL || !use)
        return;
    Node *reader = use->node;
    if (reader->op != OP_Add || affine_read(fold, reader, &map, &fact) ||
        (map.axis >= 0 && map.axis != target->linear.channel_axis))
        return;
    target->adder = reader;
    target->linear.bias = map.shift;
}

/* What the operator becomes; a reason when that does not fit its type. */
static Reason target_compute(Fold *fold, Target *target, const char **fact)
{
    const Linear *linear = &target->linear;
    target->kernel = linear->kernel;
    target->bias = linear->bias;
    if (target->scale.size)
        target->kernel = kernel_scale(fold->scratch, linear->kernel, VEC_NONE,
                                      target->scale);
    if (!vec_all_equal(target->shift, 0, 0)) {
        Vec shifted =
            kernel_apply_shift(fold->scratch, linear->kernel, target->shift);
        double alpha = (double)node_float(linear->node, "alpha", 1.0f);
        shifted = vec_multiply(fold->scratch, vec_uniform(fold->scratch, alpha),
                               shifted);
        target->bias = vec_add(fold->scratch, linear->bias, shifted);
    }
    return numbers_obstacle(fold, target->kernel, target->bias, linear->type,
                            fact);
}

static Spot *spot_of(Ways *ways, const Value *value)
{
    for (int i = 0; value && i < ways->spot_count; i++)
        if (ways->spots[i].value == value)
            return &ways->spots[i];
    return NULL;
}

static Reason target_add(Fold *fold, Ways *ways, Node *node, const Spot *spot)
{
    if (ways->target_count == BRANCHES_MAX)
        return REASON_BUDGET;
    Target *target = &ways->targets[ways->target_count++];
    *target = (Target){.spot = (int)(spot - ways->spots),
                       .scale = spot->sight.scale,
                       .shift = spot->sight.shift};
    Reason reason = linear_read(fold, node, &target->linear, &ways->fact);
    if (!reason)
        reason = spot->sight.more ? REASON_WRONG_AXIS
                                  : target_check(fold, target, spot->sight.axis,
                                                 &ways->fact);
    if (reason)
        return reason;
    find_adder(fold, target);
    return target_compute(fold, target, &ways->fact);
}

/* A node that is to be looked at, once. */
static Reason open_add(Ways *ways, Node *node)
{
    for (int i = 0; i < ways->open_count; i++)
        if (ways->open[i] == node)
            return REASON_NONE;
    if (ways->open_count == BRANCHES_MAX)
        return REASON_BUDGET;
    ways->open[ways->open_count++] = node;
    return REASON_NONE;
}

/* The first in the graph's order: all that it reads has been found. */
static Node *open_take(Ways *ways)
{
    int first = 0;
    for (int i = 1; i < ways->open_count; i++)
        if (ways->open[i]->index < ways->open[first]->index)
            first = i;
    Node *node = ways->open[first];
    ways->open[first] = ways->open[--ways->open_count];
    return node;
}

/* A value that has the map in it, and every reader of its elements. */
static Reason spot_add(Ways *ways, const Value *value, const Sight *sight,
                       int depth)
{
    ways->fact = value->name;
    if (value->is_output)
        return REASON_GRAPH_OUTPUT;
    if (value->is_captured)
        return REASON_SUBGRAPH_CAPTURE;
    if (ways->spot_count == BRANCHES_MAX || depth > MOVES_MAX)
        return REASON_BUDGET;
    ways->spots[ways->spot_count++] = (Spot){value, *sight, depth, NULL};
    int readers = 0;
    for (int i = 0; i < value->use_count; i++) {
        const Use *use = &value->uses[i];
        if (use_is_value_free(use))
            continue;
        readers++;
        if (!use->node || use->node->removed)
            return REASON_NONLINEAR;
        Reason reason = open_add(ways, use->node);
        if (reason)
            return reason;
    }
    return readers ? REASON_NONE : REASON_NONLINEAR;
}

static Reason step_add(Ways *ways, Node *node)
{
    if (ways->step_count == BRANCHES_MAX)
        return REASON_BUDGET;
    ways->steps[ways->step_count++] = node;
    return REASON_NONE;
}

/* What a node that the map commutes with gives. */
static Reason step_follow(Fold *fold, Ways *ways, Node *node, const Spot *spot)
{
    Reason reason = step_add(ways, node);
    for (int i = 0; !reason && i < node->output_count; i++) {
        const Value *value = node->outputs[i];
        Sight sight = spot->sight;
        if (!value || (i > 0 && value->use_count == 0 && !value->is_output))
            continue;
        ways->fact = value->name;
        reason = sight_forward(fold, node, i, &sight);
        if (!reason)
            reason = spot_add(ways, value, &sight, spot->depth + 1);
    }
    return reason;
}

/* What a node gives where ways meet, or one meets others. */
static Reason meeting_follow(Fold *fold, Ways *ways, Node *node)
{
    Sight sight;
    int depth = 0;
    const Sight **sights =
        arena_array(fold->scratch, (size_t)node->input_count, sizeof *sights);
    for (int i = 0; i < node->input_count; i++) {
        const Spot *spot = spot_of(ways, node->inputs[i]);
        if (spot && spot->depth > depth)
            depth = spot->depth;
        sights[i] = spot ? &spot->sight : NULL;
        ways->joins_others |= !spot && node->op != OP_Concat;
    }
    ways->fact = node->outputs[0]->name;
    if (ways->joins_others && !(fold->enabled & RULE_BIT(RULE_C16)))
        return REASON_NONLINEAR;
    Reason reason = step_add(ways, node);
    if (!reason)
        reason = sight_meet(fold, node, sights, &sight);
    if (reason ||
        (vec_all_equal(sight.scale, 1, 1) && vec_all_equal(sight.shift, 0, 0)))
        return reason; /* or nothing is left of the map: the ways end here */
    return spot_add(ways, node->outputs[0], &sight, depth + 1);
}

static Reason node_follow(Fold *fold, Ways *ways, Node *node)
{
    if (node_is_quantizer(node))
        return REASON_QUANTIZED;
    if (!node_is_parametric(node) && node_meets(fold, node))
        return meeting_follow(fold, ways, node);
    for (int i = 1; i < node->input_count; i++)
        if (spot_of(ways, node->inputs[i]))
            return REASON_NONLINEAR;
    const Spot *spot = spot_of(ways, node->inputs[0]);
    return node_commutes(fold, node) && sight_commutes(node, &spot->sight)
               ? step_follow(fold, ways, node, spot)
               : target_add(fold, ways, node, spot);
}

Reason ways_find(Fold *fold, Ways *ways, const Value *value, const Sight *sight)
{
    ways->spot_count = ways->step_count = 0;
    ways->target_count = ways->open_count = 0;
    ways->joins_others = false;
    Reason reason = spot_add(ways, value, sight, 0);
    while (!reason && ways->open_count > 0)
        reason = node_follow(fold, ways, open_take(ways));
    return reason;
}

/* ---- Carrying out ---- */

/* The nodes on the way work on other tensors now, so what they give gets
 * another name, but for where the ways end in a sum. */
static void steps_apply(Fold *fold, Ways *ways, Emission *all)
{
    for (int i = 0; i < ways->step_count; i++) {
        Node *mover = ways->steps[i];
        Value **inputs = arena_array(fold->scratch, (size_t)mover->input_count,
                                     sizeof *inputs);
        Value **made = arena_array(fold->scratch, (size_t)mover->output_count,
                                   sizeof *made);
        for (int k = 0; k < mover->input_count; k++) {
            const Spot *spot = spot_of(ways, mover->inputs[k]);
            inputs[k] = spot ? spot->made : mover->inputs[k];
        }
        for (int k = 0; k < mover->output_count; k++) {
            Spot *spot = spot_of(ways, mover->outputs[k]);
            if (spot || (mover->outputs[k] && mover->op == OP_Split))
                made[k] = emission_value(fold, mover->outputs[k]);
            else if (k == 0)
                made[k] = mover->outputs[k];
            if (spot)
                spot->made = made[k];
        }
        all->place = mover;
        emission_add(fold, all, node_clone(mover, inputs, made));
        for (int k = 0; k < mover->output_count; k++)
            if (made[k] && made[k] != mover->outputs[k])
                value_free_move(mover->outputs[k], made[k]);
    }
}

/* The node whose output the operator will produce. */
static Node *target_last(const Target *target)
{
    return target->adder ? target->adder : target->linear.node;
}

/* Both nodes stand where the operator stood, so that who reads the shape of its
 * product can read that of the result. */
static void target_apply(Fold *fold, const Ways *ways, const Target *target,
                         Emission *all)
{
    Linear linear = target->linear;
    Value *out = target_last(target)->outputs[0];
    linear.input = ways->spots[target->spot].made;
    all->place = linear.node;
    emit_linear(fold, all, &linear, target->kernel, target->bias, out);
    if (!target->adder)
        return;
    value_free_move(linear.node->outputs[0], out);
    graph_replace_node(fold->graph, target->adder, NULL, 0);
}

const Value *ways_last(const Ways *ways)
{
    if (ways->target_count == 0)
        return ways->steps[ways->step_count - 1]->outputs[0];
    return target_last(&ways->targets[ways->target_count - 1])->outputs[0];
}

RuleSet ways_rules(const Ways *ways)
{
    RuleSet rules = 0;
    for (int i = 0; i < ways->target_count; i++)
        rules |= RULE_BIT(ways->targets[i].spot ? RULE_C9 : RULE_C7);
    for (int i = 0; i < ways->step_count; i++)
        if (!node_moves_only(ways->steps[i]))
            rules |= RULE_BIT(RULE_C14);
    if (ways->joins_others)
        rules |= RULE_BIT(RULE_C16);
    return rules;
}

Account ways_account(const Ways *ways, const Node **consumed)
{
    Account account = {.rules = ways_rules(ways), .consumed = consumed};
    size_t count = 1; /* the map's node */
    for (int i = 0; i < ways->step_count; i++)
        consumed[count++] = ways->steps[i];
    for (int i = 0; i < ways->target_count; i++) {
        const Target *target = &ways->targets[i];
        consumed[count++] = target->linear.node;
        if (target->adder)
            consumed[count++] = target->adder;
        account.macs_before += linear_macs(&target->linear);
        account.static_size |= target->linear.static_size;
    }
    account.macs_after = account.macs_before;
    account.consumed_count = count;
    return account;
}

void ways_emit(Fold *fold, Ways *ways, Value *input, Emission *emission)
{
    ways->spots[0].made = input;
    steps_apply(fold, ways, emission);
    for (int i = 0; i < ways->target_count; i++)
        target_apply(fold, ways, &ways->targets[i], emission);
}
