/*
 * Forward folds: an affine map goes into all linear operators that read it,
 * directly (C7) or through operators that it commutes with (C9, C14).
 *
 * requires: uses, shapes, constants, islands.  breaks: uses, shapes.
 *
 * The scale is exact for any padding, since zero stays zero. The shift is
 * exact only where nothing is padded: there it adds sum W[o,c,t] shift[c] to
 * the bias, but a padded zero would not have been shifted.
 */
#include <math.h>

#include "fold/emit.h"
#include "fold/form.h"
#include "fold/pass.h"

/* One reader of the affine map and the way to it. */
typedef struct Target {
    Node *movers[MOVES_MAX];
    int mover_count;
    Linear linear;
    Node *adder; /* an Add after MatMul that holds its bias, or NULL */
    Vec scale, shift; /* by input channel of the linear operator */
    const Kernel *kernel; /* what the operator becomes */
    Vec bias;
} Target;

static const char *pads_text(Fold *fold, const Linear *linear, Vec shift)
{
    double largest = 0;
    for (int64_t i = 0; i < shift.size; i++)
        largest = fmax(largest, fabs(shift.at[i]));
    if (linear->kind == LINEAR_CONV_TRANSPOSE)
        return arena_printf(fold->arena,
                            "transposed convolution and shift up to %.2g",
                            largest);
    const char *pads = "";
    for (int i = 0; i < 2 * linear->spatial; i++) {
        const Axis *axis = &linear->axes[i % linear->spatial];
        pads = arena_printf(fold->arena, "%s%s%lld", pads, i ? "," : "",
                            (long long)(i < linear->spatial ? axis->begin
                                                            : axis->end));
    }
    return arena_printf(fold->arena, "pads %s and shift up to %.2g", pads,
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
    int wanted = linear->kind == LINEAR_MATMUL ? linear->input->fact.rank - 1
                                               : 1;
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

static Reason target_find(Fold *fold, const Use *use, const AffineMap *map,
                          Target *target, const char **fact)
{
    *target = (Target){.scale = map->scale, .shift = map->shift};
    int axis = map->axis;
    for (;;) {
        Node *node = use->node;
        if (!node || use->slot != 0)
            return REASON_NONLINEAR;
        if (node->op == OP_Concat || !node_commutes(fold, node) ||
            !mover_commutes(node, target->scale, target->shift)) {
            Reason reason = linear_read(fold, node, &target->linear, fact);
            if (!reason)
                reason = target_check(fold, target, axis, fact);
            if (!reason)
                find_adder(fold, target);
            return reason;
        }
        if (target->mover_count == MOVES_MAX)
            return REASON_BUDGET;
        target->movers[target->mover_count++] = node;
        int64_t repeat;
        int moved = affine_axis_forward(fold, node, axis, &repeat);
        if (axis >= 0 && moved < 0)
            return REASON_SHAPE_UNKNOWN;
        axis = moved;
        target->scale = vec_repeat(fold->arena, target->scale, repeat);
        target->shift = vec_repeat(fold->arena, target->shift, repeat);
        Reason reason;
        *fact = node->outputs[0]->name;
        use = only_data_use(node->outputs[0], &reason);
        if (!use)
            return reason;
    }
}

/* What the operator becomes; a reason when that does not fit its type. */
static Reason target_compute(Fold *fold, Target *target)
{
    const Linear *linear = &target->linear;
    target->kernel = linear->kernel;
    target->bias = linear->bias;
    if (target->scale.size)
        target->kernel = kernel_scale(fold->arena, linear->kernel, VEC_NONE,
                                      target->scale);
    if (!vec_all_equal(target->shift, 0, 0)) {
        Vec shifted =
            kernel_apply_shift(fold->arena, linear->kernel, target->shift);
        double alpha = (double)node_float(linear->node, "alpha", 1.0f);
        shifted = vec_multiply(fold->arena,
                               vec_uniform(fold->arena, alpha), shifted);
        target->bias = vec_add(fold->arena, linear->bias, shifted);
    }
    Reason reason = kernel_obstacle(target->kernel, linear->type);
    return reason ? reason : vec_obstacle(target->bias, linear->type);
}

/* ---- Carrying out ---- */

/* The moving nodes work on another tensor now, so what they give gets another
 * name. */
static Value *target_move(Fold *fold, const Target *target, Value *input)
{
    for (int i = 0; i < target->mover_count; i++) {
        Node *mover = target->movers[i];
        Value *inputs[RANK_MAX];
        for (int k = 0; k < mover->input_count; k++)
            inputs[k] = mover->inputs[k];
        inputs[0] = input;
        Value *old = mover->outputs[0];
        Value *outputs[2] = {emission_value(fold, old), NULL};
        Node *clone = node_clone(mover, inputs, outputs);
        graph_replace_node(fold->graph, mover, &clone, 1);
        value_free_move(old, outputs[0]);
        input = outputs[0];
    }
    return input;
}

/* The node whose output the operator will produce. */
static Node *target_last(const Target *target)
{
    return target->adder ? target->adder : target->linear.node;
}

static void target_apply(Fold *fold, const Target *target, Value *input,
                         Emission *all)
{
    Linear linear = target->linear;
    linear.input = target_move(fold, target, input);
    Node *last = target_last(target);
    all->place = last;
    emit_linear(fold, all, &linear, target->kernel, target->bias,
                last->outputs[0]);
}

/* Every reader of the map, or the reason why one of them refuses. */
static Reason targets_find(Fold *fold, const Value *value,
                           const AffineMap *map, Target *targets, int *count,
                           const char **fact)
{
    *count = 0;
    if (value->is_output)
        return REASON_GRAPH_OUTPUT;
    if (value->is_captured)
        return REASON_SUBGRAPH_CAPTURE;
    for (int i = 0; i < value->use_count; i++) {
        if (use_is_value_free(&value->uses[i]))
            continue;
        if (*count == BRANCHES_MAX)
            return REASON_BUDGET;
        Target *target = &targets[(*count)++];
        *fact = "";
        Reason reason = target_find(fold, &value->uses[i], map, target, fact);
        if (!reason)
            reason = target_compute(fold, target);
        if (reason)
            return reason;
    }
    return *count ? REASON_NONE : REASON_NONLINEAR;
}

/* BatchNormalization is worth an Add; anything else must save a node. */
static bool is_worth_it(const Node *node, const Target *targets, int count)
{
    int before = 1, after = 0;
    for (int i = 0; i < count; i++) {
        before += targets[i].adder ? 2 : 1;
        after += linear_node_count(&targets[i].linear, targets[i].bias);
    }
    return after < before || node->op == OP_BatchNormalization;
}

static void forward_apply(Fold *fold, Node *node, const AffineMap *map,
                          const Target *targets, int count)
{
    const Node **consumed = arena_array(
        fold->scratch, 1 + 2 * (size_t)count, sizeof *consumed);
    size_t consumed_count = 0;
    double macs = 0;
    RuleSet rules = 0;
    Emission all = {0};
    consumed[consumed_count++] = node;
    for (int i = 0; i < count; i++) {
        consumed[consumed_count++] = targets[i].linear.node;
        if (targets[i].adder)
            consumed[consumed_count++] = targets[i].adder;
        macs += linear_macs(&targets[i].linear);
        rules |= RULE_BIT(targets[i].mover_count ? RULE_C9 : RULE_C7);
        target_apply(fold, &targets[i], map->input, &all);
    }
    emission_place(fold, &all);
    value_free_move(node->outputs[0], map->input);
    fold_record(fold, &all, rules, consumed, consumed_count, macs, macs);
}

static void forward_try(Fold *fold, size_t index, Target *targets)
{
    Node *node = fold->graph->nodes[index];
    AffineMap map;
    const char *fact = NULL;
    int count;
    /* A node that was made in this pass has no index yet. */
    if (node->index != index || affine_read(fold, node, &map, &fact))
        return;
    Reason reason = targets_find(fold, node->outputs[0], &map, targets, &count,
                                 &fact);
    if (!reason && !is_worth_it(node, targets, count))
        reason = REASON_COST;
    RuleSet rules = 0;
    for (int i = 0; !reason && i < count; i++)
        rules |= RULE_BIT(targets[i].mover_count ? RULE_C9 : RULE_C7);
    if (!reason && (rules & ~fold->enabled))
        reason = REASON_DISABLED;
    if (!reason && fold->island[index])
        reason = REASON_ISLAND;
    if (!reason && fold_is_undone(fold, target_last(&targets[count - 1])->outputs[0]))
        reason = REASON_CERTIFICATE;
    if (reason)
        fold_note(fold, node, reason, fact);
    else
        forward_apply(fold, node, &map, targets, count);
}

/* Uses are as of the start of the pass, so a node next to one that was folded
 * waits for the next round. */
int rule_forward(Fold *fold, Err *err)
{
    (void)err;
    Graph *graph = fold->graph;
    Target *targets =
        arena_array(fold->scratch, BRANCHES_MAX, sizeof *targets);
    for (size_t i = 0; i < graph->node_count && !fold_is_done(fold); i++) {
        Node *node = graph->nodes[i];
        if (!node->removed && node->output_count && node->outputs[0] &&
            !node->outputs[0]->tensor)
            forward_try(fold, i, targets);
    }
    return 0;
}
