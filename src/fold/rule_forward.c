/*
 * Forward folds: an affine map goes into all linear operators that read it,
 * directly (C7) or through operators that it commutes with (C9, C14). Where its
 * ways meet in a sum it goes on if all summands have one scale; on demand (C16)
 * a shift alone goes on with summands that have no map, as of GRN's beta.
 *
 * requires: uses, shapes, constants, islands.  breaks: uses, shapes.
 *
 * The scale is exact for any padding, since zero stays zero. The shift is
 * exact only where nothing is padded: there it adds sum W[o,c,t] shift[c] to
 * the bias, but a padded zero would not have been shifted.
 */
#include "fold/pass.h"
#include "fold/ways.h"

/* BatchNormalization is worth an Add; anything else must save a node. */
static bool is_worth_it(const Node *node, const Ways *ways)
{
    int before = 1, after = 0;
    for (int i = 0; i < ways->target_count; i++) {
        const Target *target = &ways->targets[i];
        before += target->adder ? 2 : 1;
        after += linear_node_count(&target->linear, target->bias);
    }
    return after < before || node->op == OP_BatchNormalization;
}

static void forward_apply(Fold *fold, Node *node, const AffineMap *map,
                          Ways *ways)
{
    const Node *consumed[WAYS_NODES_MAX + 1] = {node};
    Account account = ways_account(ways, consumed);
    Emission all = {0};
    ways_emit(fold, ways, map->input, &all);
    emission_place(fold, &all);
    value_free_move(node->outputs[0], map->input);
    fold_record(fold, &all, &account);
}

static void forward_try(Fold *fold, Node *node, Ways *ways)
{
    AffineMap map;
    const char *fact = NULL;
    if (node->removed || node->op == OP_OTHER || !node->outputs[0] ||
        node->outputs[0]->tensor || affine_read(fold, node, &map, &fact))
        return;
    Sight sight = {.scale = map.scale, .shift = map.shift, .axis = map.axis};
    Reason reason = ways_find(fold, ways, node->outputs[0], &sight);
    if (!reason && !is_worth_it(node, ways))
        reason = REASON_COST;
    if (!reason && (ways_rules(ways) & ~fold->enabled))
        reason = REASON_DISABLED;
    if (!reason && fold->island[node->index])
        reason = REASON_ISLAND;
    if (!reason && fold_is_undone(fold, ways_last(ways)))
        reason = REASON_CERTIFICATE;
    if (reason)
        fold_note(fold, node, reason, ways->fact);
    else
        forward_apply(fold, node, &map, ways);
}

/* Uses are as of the start of the pass: nodes that it makes wait for the next
 * round, and so does whatever would lead through one that is gone. */
int rule_forward(Fold *fold, Err *err)
{
    (void)err;
    Graph *graph = fold->graph;
    size_t count = graph->node_count;
    Ways *ways = arena_alloc(fold->scratch, sizeof *ways);
    Node **nodes = arena_array(fold->scratch, count + 1, sizeof *nodes);
    for (size_t i = 0; i < count; i++)
        nodes[i] = graph->nodes[i];
    for (size_t i = 0; i < count && !fold_is_done(fold); i++) {
        Arena *outer = site_begin(fold);
        forward_try(fold, nodes[i], ways);
        site_end(fold, outer);
    }
    return 0;
}
