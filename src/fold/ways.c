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

/* Where on the ways a value is, and what the map is there. */
typedef struct Spot {
    Sight sight;
    int step, output; /* that give the value; step -1 is the map itself */
    int depth;
} Spot;

static Reason target_add(Fold *fold, Ways *ways, Node *node, const Spot *spot)
{
    if (ways->target_count == BRANCHES_MAX)
        return REASON_BUDGET;
    Target *target = &ways->targets[ways->target_count++];
    *target = (Target){.step = spot->step,
                       .output = spot->output,
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

static Reason ways_from(Fold *fold, Ways *ways, const Value *value,
                        const Spot *spot);

/* Follows what a node that the map commutes with gives. The recursion is
 * bounded by MOVES_MAX. */
static Reason step_follow(Fold *fold, Ways *ways, const Use *use,
                          const Spot *spot)
{
    Node *node = use->node;
    if (ways->step_count == BRANCHES_MAX || spot->depth == MOVES_MAX)
        return REASON_BUDGET;
    int own = ways->step_count++;
    ways->steps[own] = (Step){.mover = node,
                              .slot = use->slot,
                              .parent = spot->step,
                              .output = spot->output};
    Reason reason = REASON_NONE;
    for (int i = 0; !reason && i < node->output_count; i++) {
        Spot behind = {spot->sight, own, i, spot->depth + 1};
        const Value *value = node->outputs[i];
        if (!value || (i > 0 && value->use_count == 0 && !value->is_output))
            continue;
        ways->fact = value->name;
        reason = sight_forward(fold, node, use->slot, i, &behind.sight);
        if (!reason)
            reason = ways_from(fold, ways, value, &behind);
    }
    return reason;
}

static Reason way_follow(Fold *fold, Ways *ways, const Use *use,
                         const Spot *spot)
{
    Node *node = use->node;
    if (node_is_quantizer(node))
        return REASON_QUANTIZED;
    if (!node || node->removed || (use->slot != 0 && node->op != OP_Concat))
        return REASON_NONLINEAR;
    return node_commutes(fold, node) && sight_commutes(node, &spot->sight)
               ? step_follow(fold, ways, use, spot)
               : target_add(fold, ways, node, spot);
}

/* Follows every reader of the elements of a value. */
static Reason ways_from(Fold *fold, Ways *ways, const Value *value,
                        const Spot *spot)
{
    if (value->is_output)
        return REASON_GRAPH_OUTPUT;
    if (value->is_captured)
        return REASON_SUBGRAPH_CAPTURE;
    int readers = 0;
    for (int i = 0; i < value->use_count; i++) {
        if (use_is_value_free(&value->uses[i]))
            continue;
        readers++;
        Reason reason = way_follow(fold, ways, &value->uses[i], spot);
        if (reason)
            return reason;
    }
    return readers ? REASON_NONE : REASON_NONLINEAR;
}

Reason ways_find(Fold *fold, Ways *ways, const Value *value, const Sight *sight)
{
    Spot spot = {.sight = *sight, .step = -1};
    ways->step_count = ways->target_count = 0;
    ways->fact = "";
    return ways_from(fold, ways, value, &spot);
}

/* ---- Carrying out ---- */

/* What a step gives now; without step what the map read. */
static Value *step_made(const Ways *ways, int step, int output, Value *input)
{
    return step < 0 ? input : ways->steps[step].made[output];
}

/* The nodes on the way work on another tensor now, so what they give gets
 * another name. Steps come after their parents. */
static void steps_apply(Fold *fold, Ways *ways, Value *input, Emission *all)
{
    for (int i = 0; i < ways->step_count; i++) {
        Step *step = &ways->steps[i];
        Node *mover = step->mover;
        Value **inputs = arena_array(fold->scratch, (size_t)mover->input_count,
                                     sizeof *inputs);
        step->made = arena_array(fold->scratch, (size_t)mover->output_count,
                                 sizeof *step->made);
        for (int k = 0; k < mover->input_count; k++)
            inputs[k] = mover->inputs[k];
        inputs[step->slot] = step_made(ways, step->parent, step->output, input);
        for (int k = 0; k < mover->output_count; k++)
            if (mover->outputs[k] && (k == 0 || mover->op == OP_Split))
                step->made[k] = emission_value(fold, mover->outputs[k]);
        all->place = mover;
        emission_add(fold, all, node_clone(mover, inputs, step->made));
        for (int k = 0; k < mover->output_count; k++)
            if (step->made[k])
                value_free_move(mover->outputs[k], step->made[k]);
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
                         Value *input, Emission *all)
{
    Linear linear = target->linear;
    Value *out = target_last(target)->outputs[0];
    linear.input = step_made(ways, target->step, target->output, input);
    all->place = linear.node;
    emit_linear(fold, all, &linear, target->kernel, target->bias, out);
    if (!target->adder)
        return;
    value_free_move(linear.node->outputs[0], out);
    graph_replace_node(fold->graph, target->adder, NULL, 0);
}

const Value *ways_last(const Ways *ways)
{
    return target_last(&ways->targets[ways->target_count - 1])->outputs[0];
}

RuleSet ways_rules(const Ways *ways)
{
    RuleSet rules = 0;
    for (int i = 0; i < ways->target_count; i++)
        rules |= RULE_BIT(ways->targets[i].step < 0 ? RULE_C7 : RULE_C9);
    for (int i = 0; i < ways->step_count; i++)
        if (!node_moves_only(ways->steps[i].mover))
            rules |= RULE_BIT(RULE_C14);
    return rules;
}

Account ways_account(const Ways *ways, const Node **consumed)
{
    Account account = {.rules = ways_rules(ways), .consumed = consumed};
    size_t count = 1; /* the map's node */
    for (int i = 0; i < ways->step_count; i++)
        consumed[count++] = ways->steps[i].mover;
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
    steps_apply(fold, ways, input, emission);
    for (int i = 0; i < ways->target_count; i++)
        target_apply(fold, ways, &ways->targets[i], input, emission);
}
