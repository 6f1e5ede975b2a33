/*
 * A pointwise convolution, a border around its result, then a convolution
 * (C13): DBB (Ding et al. 2021) pads with what the first gives for zero. So the
 * first may as well read zeros there, and the two are one padded convolution.
 *
 * An affine map, a border with what it gives for zero, then a convolution (C7):
 * there the shift is everywhere, and the convolution may take the map, and pad
 * with zeros what the map read.
 *
 * requires: uses, shapes, constants, islands.  breaks: uses, shapes.
 */
#include <math.h>

#include "fold/border.h"
#include "fold/compose.h"
#include "fold/pass.h"

/* The same real number, but for the rounding of a few operations in double. An
 * exporter that computed the border itself has rounded it to float32. */
static Reason border_differs(Fold *fold, const Border *border, Vec bias,
                             const char **fact)
{
    for (int64_t c = 0; c < border->around.size; c++) {
        double is = border->around.at[c], should = vec_get(bias, c, 0);
        double apart = fabs(is - should), size = fmax(fabs(is), fabs(should));
        if (apart <= 1e-12 * size)
            continue;
        *fact = arena_printf(
            fold->scratch, "in channel %lld %.9g where the bias is %.9g%s",
            (long long)c, is, should,
            apart <= 1e-6 * size ? ", as rounded by the exporter" : "");
        return REASON_BORDER;
    }
    return REASON_NONE;
}

/* The first operator as it reads zeros where the border will be. */
static bool pad_first(Linear *first, const Border *border)
{
    for (int i = 0; i < first->spatial; i++) {
        Axis *axis = &first->axes[i];
        if (axis->taps != 1 || axis->begin || axis->end ||
            __builtin_mul_overflow(axis->stride, border->begin[i],
                                   &axis->begin) ||
            __builtin_mul_overflow(axis->stride, border->end[i], &axis->end))
            return false;
    }
    return true;
}

/* What is inside the border, the border and the node behind it become one. */
static void border_apply(Fold *fold, const Border *border, Node *node,
                         const Composition *made, RuleSet rules)
{
    const Node *consumed[BORDER_NODES_MAX + 2] = {border->inside->producer};
    size_t count = 1;
    for (int i = 0; i < border->count; i++)
        consumed[count++] = border->nodes[i];
    consumed[count++] = node;
    Emission emission = {.place = node};
    emit_linear(fold, &emission, &made->like, made->kernel, made->bias,
                node->outputs[0]);
    fold_record(fold, &emission,
                &(Account){rules, consumed, count, made->macs_before,
                           made->macs_after, made->like.static_size});
    emission_place(fold, &emission);
}

/* Reads a border, and the pointwise convolution inside it as it would be with
 * padding; false when there is nothing of the kind, otherwise `reason` tells
 * whether it continues the convolution. */
static bool site_read(Fold *fold, Node *node, Border *border, Linear *first,
                      Reason *reason, const char **fact)
{
    Value *value = node_input(node, 0);
    if (!value || !border_find(fold, value, border))
        return false;
    Node *before = border->inside->producer;
    if (!before || before->op != OP_Conv || before->graph != fold->graph ||
        linear_read(fold, before, first, fact))
        return false;
    *reason = border_read(fold, value, border, fact);
    if (*reason == REASON_NONLINEAR || !pad_first(first, border))
        return false;
    if (!*reason)
        *reason = border_differs(fold, border, first->bias, fact);
    if (!*reason)
        *reason = border_obstacle(border, value, node);
    return true;
}

/* ---- Affine maps ---- */

/* Reads a border around an affine map; as site_read. */
static bool affine_site_read(Fold *fold, Node *node, Border *border,
                             AffineMap *map, Obstacle *obstacle)
{
    Value *value = node_input(node, 0);
    if (!value || !border_find(fold, value, border))
        return false;
    Node *before = border->inside->producer;
    if (!before || before->graph != fold->graph ||
        affine_read(fold, before, map, &obstacle->fact) ||
        (map->axis >= 0 && map->axis != 1) || vec_all_equal(map->shift, 0, 0))
        return false;
    obstacle->reason = border_read(fold, value, border, &obstacle->fact);
    if (obstacle->reason == REASON_NONLINEAR)
        return false;
    if (!obstacle->reason)
        obstacle->reason =
            border_differs(fold, border, map->shift, &obstacle->fact);
    if (!obstacle->reason)
        obstacle->reason = border_obstacle(border, value, node);
    if (!obstacle->reason && fold->island[before->index])
        obstacle->reason = REASON_ISLAND;
    return true;
}

/* The convolution's own zeros would lie outside of the border. */
static Reason own_pads_obstacle(const Linear *conv)
{
    for (int i = 0; i < conv->spatial; i++)
        if (conv->axes[i].begin || conv->axes[i].end || conv->pads_follow)
            return REASON_PAD_SHIFT;
    return REASON_NONE;
}

/* The convolution as it reads what the map reads, with zeros around that. */
static void affine_compose(Fold *fold, const Border *border,
                           const AffineMap *map, const Linear *conv,
                           Composition *out)
{
    double macs = linear_macs(conv);
    *out = (Composition){.like = *conv,
                         .kernel = conv->kernel,
                         .macs_before = macs,
                         .macs_after = macs};
    out->like.input = map->input;
    for (int i = 0; i < conv->spatial; i++) {
        out->like.axes[i].begin = border->begin[i];
        out->like.axes[i].end = border->end[i];
    }
    out->bias =
        vec_add(fold->scratch, conv->bias,
                kernel_apply_shift(fold->scratch, conv->kernel, map->shift));
    if (map->scale.size)
        out->kernel =
            kernel_scale(fold->scratch, conv->kernel, VEC_NONE, map->scale);
}

static void affine_try(Fold *fold, Node *node)
{
    const RuleSet rules = RULE_BIT(RULE_C7) | RULE_BIT(RULE_C13);
    Border border;
    Linear conv;
    AffineMap map;
    Composition made;
    Obstacle obstacle = {REASON_NONE, ""};
    if (node->removed || linear_read(fold, node, &conv, &obstacle.fact) ||
        conv.is_virtual ||
        !affine_site_read(fold, node, &border, &map, &obstacle))
        return;
    if (!obstacle.reason)
        obstacle.reason = own_pads_obstacle(&conv);
    if (!obstacle.reason) {
        affine_compose(fold, &border, &map, &conv, &made);
        obstacle.reason = numbers_obstacle(fold, made.kernel, made.bias,
                                           conv.type, &obstacle.fact);
    }
    if (!obstacle.reason && (rules & ~fold->enabled))
        obstacle.reason = REASON_DISABLED;
    if (!obstacle.reason && fold_is_undone(fold, node->outputs[0]))
        obstacle.reason = REASON_CERTIFICATE;
    if (obstacle.reason)
        fold_note(fold, node, obstacle.reason, obstacle.fact);
    else
        border_apply(fold, &border, node, &made, rules);
}

/* ---- Pointwise convolutions ---- */

static void border_try(Fold *fold, Node *node)
{
    Border border;
    Linear first, second;
    Composition made;
    Reason reason;
    const char *fact = "";
    if (node->removed || linear_read(fold, node, &second, &fact) ||
        !site_read(fold, node, &border, &first, &reason, &fact))
        return;
    if (!reason)
        reason = compose(fold, &first, &second, fold->options->allow_cost,
                         &made, &fact);
    if (!reason && !(fold->enabled & RULE_BIT(RULE_C13)))
        reason = REASON_DISABLED;
    if (!reason && fold_is_undone(fold, node->outputs[0]))
        reason = REASON_CERTIFICATE;
    if (reason)
        fold_note(fold, node, reason, fact);
    else
        border_apply(fold, &border, node, &made, RULE_BIT(RULE_C13));
}

bool pool_see_through(Fold *fold, Linear *pool)
{
    Border border;
    Linear first;
    Composition made;
    Reason reason;
    const char *fact;
    if (!(fold->enabled & RULE_BIT(RULE_C13)) ||
        !site_read(fold, pool->node, &border, &first, &reason, &fact) ||
        reason || compose(fold, &first, pool, true, &made, &fact))
        return false;
    Node *node = pool->node;
    *pool = made.like;
    pool->node = node;
    pool->kernel = made.kernel;
    pool->bias = made.bias;
    pool->is_virtual = true;
    pool->border_count = border.count + 1;
    pool->border =
        arena_array(fold->scratch, (size_t)pool->border_count, sizeof(Node *));
    for (int i = 0; i < border.count; i++)
        pool->border[i] = border.nodes[i];
    pool->border[border.count] = first.node;
    return true;
}

int rule_border(Fold *fold, Err *err)
{
    (void)err;
    for (size_t i = 0; i < fold->graph->node_count && !fold_is_done(fold);
         i++) {
        Node *node = fold->graph->nodes[i];
        if (node->op != OP_Conv && node->op != OP_AveragePool)
            continue;
        Arena *outer = site_begin(fold);
        border_try(fold, node);
        affine_try(fold, node);
        site_end(fold, outer);
    }
    return 0;
}
