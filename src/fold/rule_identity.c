/*
 * A Pad of nothing and a Slice of everything go: what reads them reads what
 * they read (C0). Exporters leave them behind where a size turned out to fit.
 *
 * requires: uses, shapes, constants.  breaks: uses.
 *
 * Exact where the amounts are constant and all 0, and where starts, ends and
 * steps are constant and leave no element out; of an axis whose size is not
 * known only an end beyond any size is. A value that has a name outside, as an
 * output or for a body, stays.
 */
#include "fold/emit.h"
#include "fold/pass.h"

static bool is_identity(const Fold *fold, const Node *node)
{
    return node && !node->removed && node->graph == fold->graph &&
           (node->op == OP_Pad || node->op == OP_Slice) &&
           node_input(node, 0) && node_output(node, 0) &&
           !node->outputs[0]->tensor && node_keeps_value(fold, node);
}

/* Why it must stay: a node with bodies is not made again. All readers are
 * looked at for each of them, so there may not be too many. */
static Reason identity_obstacle(const Fold *fold, const Value *made)
{
    enum { READERS_MAX = 1 << 10 };
    if (made->is_output)
        return REASON_GRAPH_OUTPUT;
    if (made->is_captured)
        return REASON_SUBGRAPH_CAPTURE;
    if (made->use_count > READERS_MAX)
        return REASON_BUDGET;
    for (int i = 0; i < made->use_count; i++) {
        const Node *reader = made->uses[i].node;
        if (node_has_graphs(reader) || !node_output(reader, 0))
            return REASON_SUBGRAPH_CAPTURE;
        if (fold_is_undone(fold, reader->outputs[0]))
            return REASON_CERTIFICATE;
    }
    return REASON_NONE;
}

/* The value behind such nodes, which are added to those that go. */
static Value *value_kept(const Fold *fold, Value *value, const Node **gone,
                         size_t *count, size_t most)
{
    while (value && *count < most && is_identity(fold, value->producer) &&
           !identity_obstacle(fold, value)) {
        gone[(*count)++] = value->producer;
        value = value->producer->inputs[0];
    }
    return value;
}

/* One reader, with all its inputs at once. */
static void reader_try(Fold *fold, Node *reader)
{
    enum { GONE_MAX = 256 };
    const Node *gone[GONE_MAX];
    size_t count = 0;
    Value **inputs = arena_array(fold->scratch, (size_t)reader->input_count + 1,
                                 sizeof *inputs);
    for (int i = 0; i < reader->input_count; i++)
        inputs[i] = value_kept(fold, reader->inputs[i], gone, &count, GONE_MAX);
    if (count == 0)
        return;
    Emission emission = {.place = reader};
    emission_add(fold, &emission, node_clone(reader, inputs, reader->outputs));
    fold_record(fold, &emission,
                &(Account){.rules = RULE_BIT(RULE_C0),
                           .consumed = gone,
                           .consumed_count = count});
    emission_place(fold, &emission);
}

int rule_identity(Fold *fold, Err *err)
{
    (void)err;
    Graph *graph = fold->graph;
    if (!(fold->enabled & RULE_BIT(RULE_C0)))
        return 0;
    for (size_t i = 0; i < graph->node_count && !fold_is_done(fold); i++) {
        Node *node = graph->nodes[i];
        Arena *outer = site_begin(fold);
        bool is_one = is_identity(fold, node);
        Reason reason =
            is_one ? identity_obstacle(fold, node->outputs[0]) : REASON_NONE;
        if (reason)
            fold_note(fold, node, reason, node->outputs[0]->name);
        if (reason || !is_one)
            reader_try(fold, node);
        site_end(fold, outer);
    }
    return 0;
}
