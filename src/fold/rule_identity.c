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
    return (node->op == OP_Pad || node->op == OP_Slice) &&
           node_input(node, 0) && !node->outputs[0]->tensor &&
           node_keeps_value(fold, node);
}

static Reason identity_obstacle(const Fold *fold, const Value *made)
{
    if (made->is_output)
        return REASON_GRAPH_OUTPUT;
    if (made->is_captured)
        return REASON_SUBGRAPH_CAPTURE;
    for (int i = 0; i < made->use_count; i++)
        if (fold_is_undone(fold, made->uses[i].node->outputs[0]))
            return REASON_CERTIFICATE;
    return REASON_NONE;
}

/* True when the reader can be made again with another input now: in this round
 * nothing else has changed it. */
static bool is_ready(const Node *reader)
{
    return !reader->removed && reader->output_count > 0 && reader->outputs[0] &&
           !node_has_graphs(reader);
}

static void reader_emit(Fold *fold, Emission *emission, Node *reader,
                        const Value *made, Value *kept)
{
    Value **inputs =
        arena_array(fold->scratch, (size_t)reader->input_count, sizeof *inputs);
    for (int i = 0; i < reader->input_count; i++)
        inputs[i] = reader->inputs[i] == made ? kept : reader->inputs[i];
    emission->place = reader;
    emission_add(fold, emission, node_clone(reader, inputs, reader->outputs));
}

static void identity_apply(Fold *fold, Node *node)
{
    const Value *made = node->outputs[0];
    const Node *last = NULL, *consumed[1] = {node};
    Emission emission = {0};
    /* The uses of one node follow each other. */
    for (int i = 0; i < made->use_count; i++)
        if (made->uses[i].node != last) {
            last = made->uses[i].node;
            reader_emit(fold, &emission, made->uses[i].node, made,
                        node->inputs[0]);
        }
    fold_record(fold, &emission,
                &(Account){.rules = RULE_BIT(RULE_C0),
                           .consumed = consumed,
                           .consumed_count = 1});
    emission_place(fold, &emission);
}

static void identity_try(Fold *fold, Node *node)
{
    const Value *made = node->outputs[0];
    bool ready = made->use_count > 0 || made->is_output;
    for (int i = 0; i < made->use_count; i++)
        ready = ready && (!made->uses[i].node || is_ready(made->uses[i].node));
    if (!ready)
        return;
    Reason reason = identity_obstacle(fold, made);
    if (reason)
        fold_note(fold, node, reason, made->name);
    else
        identity_apply(fold, node);
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
        if (!node->removed && node->output_count > 0 && node->outputs[0] &&
            is_identity(fold, node))
            identity_try(fold, node);
        site_end(fold, outer);
    }
    return 0;
}
