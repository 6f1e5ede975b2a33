/*
 * From a model that fails to the smallest one that fails in the same way: one
 * edit after the other is tried, and kept where the fault stays.
 */
#include <string.h>

#include "measure.h"

/* Edit number `index` of its kind; false when there is none of that number. */
typedef bool Edit(Model *model, size_t index);

/* ---- Edits ---- */

static bool keep_only(Graph *graph, Value *value)
{
    if (graph->output_count == 1 && graph->outputs[0] == value)
        return false;
    for (size_t i = 0; i < graph->output_count; i++)
        graph->outputs[i]->is_output = false;
    graph->output_count = 0;
    graph_add_output(graph, value);
    return true;
}

/* What the node gives is the only output. */
static bool edit_cut_below(Model *model, size_t index)
{
    Graph *graph = model->graph;
    if (index >= graph->node_count)
        return false;
    Node *node = graph->nodes[index];
    if (node->outputs[0]->fact.type != DT_INT64)
        keep_only(graph, node->outputs[0]);
    return true;
}

static bool edit_drop_output(Model *model, size_t index)
{
    Graph *graph = model->graph;
    if (graph->output_count < 2 || index >= graph->output_count)
        return false;
    graph->outputs[index]->is_output = false;
    graph->output_count--;
    for (size_t i = index; i < graph->output_count; i++)
        graph->outputs[i] = graph->outputs[i + 1];
    return true;
}

static void replace_value(Graph *graph, Value *value, Value *with)
{
    for (int i = 0; i < value->use_count; i++)
        if (value->uses[i].node && value->uses[i].slot >= 0)
            node_replace_input(value->uses[i].node, value, with);
    for (size_t i = 0; i < graph->output_count; i++)
        if (graph->outputs[i] == value) {
            graph->outputs[i] = with;
            value->is_output = false;
            with->is_output = true;
        }
}

/* What the node gives comes from outside instead. */
static bool edit_cut_above(Model *model, size_t index)
{
    Graph *graph = model->graph;
    if (index >= graph->node_count)
        return false;
    Value *value = graph->nodes[graph->node_count - 1 - index]->outputs[0];
    if (value->fact.rank < 0 || value->is_output || value->tensor)
        return true;
    Value *input = graph_fresh_value(graph, "x");
    input->fact = value->fact;
    graph_add_input(graph, input);
    replace_value(graph, value, input);
    return true;
}

static bool same_shape(const Fact *a, const Fact *b)
{
    bool same = a->rank == b->rank && a->type == b->type && a->rank >= 0;
    for (int i = 0; same && i < a->rank; i++)
        same = a->dims[i] == b->dims[i];
    return same;
}

/* One of the inputs in place of what the node makes of it. */
static bool edit_bypass(Model *model, size_t index)
{
    enum { SLOTS = 4 };
    Graph *graph = model->graph;
    size_t at = index / SLOTS;
    if (at >= graph->node_count)
        return false;
    Node *node = graph->nodes[at];
    Value *in = node_input(node, (int)(index % SLOTS));
    Value *out = node->outputs[0];
    bool to_outside = in && !in->producer && out->is_output;
    if (in && !to_outside && same_shape(&in->fact, &out->fact))
        replace_value(graph, out, in);
    return true;
}

static bool edit_drop_attr(Model *model, size_t index)
{
    const Graph *graph = model->graph;
    for (size_t i = 0; i < graph->node_count; i++) {
        Node *node = graph->nodes[i];
        if (index >= (size_t)node->attr_count) {
            index -= (size_t)node->attr_count;
            continue;
        }
        node->attr_count--;
        for (int k = (int)index; k < node->attr_count; k++)
            node->attrs[k] = node->attrs[k + 1];
        return true;
    }
    return false;
}

/* Biases and the like. */
static bool edit_drop_last_input(Model *model, size_t index)
{
    if (index >= model->graph->node_count)
        return false;
    Node *node = model->graph->nodes[index];
    if (node->input_count > 1)
        node->input_count--;
    return true;
}

static bool edit_drop_dead(Model *model, size_t index)
{
    for (size_t i = 0; i < model->graph->node_count; i++)
        model->graph->nodes[i]->keep_dead = false;
    for (size_t i = 0; i < model->graph->initializer_count; i++)
        model->graph->initializers[i]->keep_dead = false;
    return index == 0;
}

static bool edit_drop_name(Model *model, size_t index)
{
    if (index >= model->graph->node_count)
        return false;
    model->graph->nodes[index]->name = "";
    return true;
}

/* ---- Trying them ---- */

static void drop_unread_inputs(Graph *graph)
{
    size_t kept = 0;
    for (size_t i = 0; i < graph->input_count; i++) {
        Value *value = graph->inputs[i];
        bool unread = value->use_count == 0 && !value->is_initializer;
        if (!unread)
            graph->inputs[kept++] = value;
    }
    graph->input_count = kept;
}

/* The edited model's bytes; false when there is no such edit. */
static bool edited(Arena *arena, const FuzzModel *model, Edit *edit,
                   size_t index, FuzzModel *out)
{
    Err err = {0};
    Model *graph = fuzz_read(arena, model->file, &err);
    if (!graph || graph_infer(graph->graph, &err) < 0 || !edit(graph, index))
        return false;
    graph_sweep(graph->graph);
    drop_unread_inputs(graph->graph);
    fuzz_detach(graph);
    *out = *model;
    if (fuzz_pack(arena, graph, &out->file, &err) < 0)
        out->file = model->file;
    return true;
}

static bool fails_alike(Arena *arena, const FuzzModel *model, const char *fault)
{
    const char *detail, *now = fuzz_check(arena, model, NULL, &detail);
    return now && strcmp(now, fault) == 0;
}

static Span span_copy(Arena *arena, Span span)
{
    uint8_t *bytes = arena_alloc(arena, span.size);
    memcpy(bytes, span.bytes, span.size);
    return (Span){bytes, span.size};
}

/* Tries all edits of a kind; true when one was kept. */
static bool shrink_by(Arena *arena, FuzzModel *model, Edit *edit,
                      const char *fault)
{
    bool shrunk = false, more = true;
    for (size_t index = 0; more; index++) {
        Arena *scratch = arena_child(arena);
        FuzzModel smaller;
        more = edited(scratch, model, edit, index, &smaller);
        if (more && smaller.file.size < model->file.size &&
            fails_alike(scratch, &smaller, fault)) {
            model->file = span_copy(arena, smaller.file);
            shrunk = true;
            index--; /* others have moved up */
        }
        arena_free(scratch);
    }
    return shrunk;
}

FuzzModel fuzz_shrink(Arena *arena, const FuzzModel *model)
{
    static Edit *const edits[] = {
        edit_cut_below, edit_drop_output,     edit_drop_dead, edit_cut_above,
        edit_bypass,    edit_drop_last_input, edit_drop_attr, edit_drop_name,
    };
    FuzzModel small = *model;
    const char *detail, *fault = fuzz_check(arena, model, NULL, &detail);
    bool shrunk = fault != NULL;
    while (shrunk) {
        shrunk = false;
        for (size_t i = 0; i < sizeof edits / sizeof *edits; i++)
            shrunk |= shrink_by(arena, &small, edits[i], fault);
    }
    return small;
}
