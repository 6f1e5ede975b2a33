/*
 * An average pool that stands alone takes the zeros that a Pad puts around its
 * image (C18). In a sum the convolution that it becomes has taken them already.
 *
 * requires: uses, shapes, constants.  breaks: uses, shapes.
 *
 * Exact where the pool divides by one number everywhere: what Pad added were
 * elements to it, so from then on it counts padding (count_include_pad, ONNX
 * AveragePool-7), and it must not have had any that it left out, nor windows
 * that hang over the end (ceil_mode).
 */
#include "fold/emit.h"
#include "fold/pass.h"

/* ONNX Runtime among others wants each pad smaller than the kernel. */
static bool pads_are_narrow(const Linear *pool)
{
    for (int i = 0; i < pool->spatial; i++)
        if (pool->axes[i].begin >= pool->axes[i].taps ||
            pool->axes[i].end >= pool->axes[i].taps)
            return false;
    return true;
}

static Reason pool_obstacle(const Fold *fold, const Linear *pool)
{
    const Node *node = pool->node;
    if (pool->pad->outputs[0]->use_count > 1) /* others read its shape */
        return REASON_MULTI_USE;
    if (!pads_are_narrow(pool))
        return REASON_PAD_WIDTH;
    return fold_is_undone(fold, node->outputs[0]) ? REASON_CERTIFICATE
                                                  : REASON_NONE;
}

static void pool_apply(Fold *fold, const Linear *pool)
{
    Node *old = pool->node;
    const Node *consumed[2] = {pool->pad, old};
    Value *input = pool->input;
    Node *node = node_clone(old, &input, old->outputs);
    int64_t pads[2 * AXES_MAX];
    for (int i = 0; i < pool->spatial; i++) {
        pads[i] = pool->axes[i].begin;
        pads[pool->spatial + i] = pool->axes[i].end;
    }
    if (node_attr(node, "auto_pad"))
        node_set_string(node, "auto_pad", "NOTSET");
    node_set_int(node, "count_include_pad", 1);
    node_set_ints(node, "pads", pads, 2 * (size_t)pool->spatial);
    Emission emission = {.place = old};
    emission_add(fold, &emission, node);
    fold_record(fold, &emission,
                &(Account){.rules = RULE_BIT(RULE_C18),
                           .consumed = consumed,
                           .consumed_count = 2,
                           .static_size = pool->static_size});
    emission_place(fold, &emission);
}

static void pool_try(Fold *fold, Node *node)
{
    Linear pool;
    const char *fact = "";
    if (linear_read(fold, node, &pool, &fact))
        return;
    linear_take_pad(fold, &pool);
    if (!pool.pad)
        return;
    Reason reason = pool_obstacle(fold, &pool);
    if (reason)
        fold_note(fold, pool.pad, reason, pool.pad->outputs[0]->name);
    else
        pool_apply(fold, &pool);
}

int rule_pad(Fold *fold, Err *err)
{
    (void)err;
    Graph *graph = fold->graph;
    if (!(fold->enabled & RULE_BIT(RULE_C18)) || graph_opset(graph) < 7)
        return 0;
    for (size_t i = 0; i < graph->node_count && !fold_is_done(fold); i++) {
        Arena *outer = site_begin(fold);
        if (graph->nodes[i]->op == OP_AveragePool && !graph->nodes[i]->removed)
            pool_try(fold, graph->nodes[i]);
        site_end(fold, outer);
    }
    return 0;
}
