/*
 * Who reads what.  Uses are recomputed in one walk over the whole tree of
 * graphs, never maintained.
 */
#include <string.h>

#include "graph/graph.h"

/* A graph on the way down from the root, and the node that holds it. */
typedef struct Scope {
    Graph *graph;
    Node *holder;
    const struct Scope *up;
} Scope;

typedef void Visit(Value *value, Node *node, int slot);

/* A captured value is also read in each enclosing scope that has it, by the
 * node there that holds the subgraph. */
static void walk_read(const Scope *scope, Value *value, Node *node, int slot,
                      Visit *visit)
{
    visit(value, node, slot);
    for (; value->outer; value = value->outer) {
        const char *name = value->outer->name;
        while (scope->up &&
               map_get(scope->up->graph->values, name) != value->outer)
            scope = scope->up;
        if (!scope->up)
            return;
        value->outer->is_captured = true;
        visit(value->outer, scope->holder, -1);
        scope = scope->up;
    }
}

static void walk_graph(const Scope *scope, Visit *visit);

/* Recursion is as deep as subgraphs nest, which the reader bounds. */
static void walk_node(const Scope *scope, Node *node, Visit *visit)
{
    for (int i = 0; i < node->input_count; i++)
        if (node->inputs[i])
            walk_read(scope, node->inputs[i], node, i, visit);
    for (int i = 0; i < node->attr_count; i++) {
        size_t count;
        Graph *const *graphs = attr_graphs(&node->attrs[i], &count);
        for (size_t k = 0; k < count; k++)
            walk_graph(&(Scope){graphs[k], node, scope}, visit);
    }
}

static void walk_graph(const Scope *scope, Visit *visit)
{
    Graph *graph = scope->graph;
    for (size_t i = 0; i < graph->node_count; i++)
        walk_node(scope, graph->nodes[i], visit);
    for (size_t i = 0; i < graph->output_count; i++)
        walk_read(scope, graph->outputs[i], NULL, (int)i, visit);
}

static void for_each_subgraph(Graph *graph, void (*act)(Graph *graph))
{
    for (size_t i = 0; i < graph->node_count; i++)
        for (int j = 0; j < graph->nodes[i]->attr_count; j++) {
            size_t count;
            Graph *const *graphs =
                attr_graphs(&graph->nodes[i]->attrs[j], &count);
            for (size_t k = 0; k < count; k++)
                act(graphs[k]);
        }
}

/* Gives every node a place of its own. */
static void nodes_compact(Graph *graph)
{
    size_t count = 0;
    for (size_t i = 0; i < graph->node_count; i++)
        for (Node *node = graph->nodes[i]; node; node = node->before)
            count += !node->removed;
    graph->node_capacity = 0;
    Node **nodes = arena_grow(graph->arena, NULL, &graph->node_capacity, count,
                              sizeof(Node *));
    size_t end = count;
    for (size_t i = graph->node_count; i-- > 0;)
        for (Node *node = graph->nodes[i], *before; node; node = before) {
            before = node->before;
            node->before = node->after = NULL;
            if (!node->removed)
                nodes[--end] = node;
        }
    graph->nodes = nodes;
    graph->node_count = count;
}

static bool nodes_need_compacting(const Graph *graph)
{
    for (size_t i = 0; i < graph->node_count; i++)
        if (graph->nodes[i]->removed || graph->nodes[i]->before)
            return true;
    return false;
}

/* Forgets all uses and numbers the nodes. */
static void uses_clear(Graph *graph)
{
    if (nodes_need_compacting(graph))
        nodes_compact(graph);
    for (size_t i = 0; i < graph->node_count; i++)
        graph->nodes[i]->index = i;
    for (size_t i = 0; i < graph->scope_count; i++) {
        Value *value = graph->scope[i];
        value->uses = NULL;
        value->use_count = 0;
        value->is_captured = false;
    }
    for_each_subgraph(graph, uses_clear);
}

/* Cuts one array into a piece for each value, counted before. */
static void uses_allot(Graph *graph)
{
    size_t total = 0;
    for (size_t i = 0; i < graph->scope_count; i++)
        total += (size_t)graph->scope[i]->use_count;
    arena_release(graph->uses);
    graph->uses = arena_block(graph->arena, total, sizeof(Use));
    Use *next = graph->uses;
    for (size_t i = 0; i < graph->scope_count; i++) {
        Value *value = graph->scope[i];
        value->uses = next;
        next += value->use_count;
        value->use_count = 0;
    }
    for_each_subgraph(graph, uses_allot);
}

static void use_count(Value *value, Node *node, int slot)
{
    (void)node;
    (void)slot;
    value->use_count++;
}

static void use_uncount(Value *value, Node *node, int slot)
{
    (void)node;
    (void)slot;
    value->use_count--;
}

static void use_record(Value *value, Node *node, int slot)
{
    value->uses[value->use_count++] = (Use){node, slot};
}

static bool node_is_dead(const Node *node)
{
    for (int i = 0; i < node->output_count; i++)
        if (node->outputs[i] && node->outputs[i]->use_count > 0)
            return false;
    return true;
}

/* What is dead before the first edit was dead in the file, and stays. */
static void note_dead(Graph *graph)
{
    if (!graph->filled) {
        for (size_t i = 0; i < graph->node_count; i++)
            graph->nodes[i]->keep_dead = node_is_dead(graph->nodes[i]);
        for (size_t i = 0; i < graph->initializer_count; i++) {
            Value *value = graph->initializers[i];
            value->keep_dead = value->use_count == 0;
        }
        graph->filled = true;
    }
    for_each_subgraph(graph, note_dead);
}

static Graph *graph_root(Graph *graph)
{
    while (graph->parent)
        graph = graph->parent;
    return graph;
}

void graph_fill_uses(Graph *graph)
{
    Scope root = {graph_root(graph), NULL, NULL};
    uses_clear(root.graph);
    walk_graph(&root, use_count);
    uses_allot(root.graph);
    walk_graph(&root, use_record);
    note_dead(root.graph);
}

/* An initializer whose last reader went by editing. */
static bool is_unread(const Graph *graph, const Value *value)
{
    return value->is_initializer && value->use_count == 0 &&
           !value->keep_dead && !value_is_overridable(graph, value);
}

static void inputs_sweep(Graph *graph)
{
    size_t kept = 0;
    for (size_t i = 0; i < graph->input_count; i++)
        if (!is_unread(graph, graph->inputs[i]))
            graph->inputs[kept++] = graph->inputs[i];
    graph->input_count = kept;
}

static void initializers_sweep(Graph *graph)
{
    size_t kept = 0;
    for (size_t i = 0; i < graph->initializer_count; i++) {
        Value *value = graph->initializers[i];
        if (is_unread(graph, value))
            value->is_initializer = value->is_input = false;
        else
            graph->initializers[kept++] = value;
    }
    if (kept != graph->initializer_count)
        graph->changed = true;
    graph->initializer_count = kept;
}

size_t graph_sweep(Graph *graph)
{
    size_t dropped = 0;
    Scope scope = {graph, NULL, NULL};
    graph_fill_uses(graph);
    /* Consumers come last, so one pass backwards finds whole dead chains. */
    for (size_t i = graph->node_count; i-- > 0;) {
        Node *node = graph->nodes[i];
        if (node->keep_dead || !node_is_dead(node))
            continue;
        walk_node(&scope, node, use_uncount);
        node->removed = true;
        dropped++;
    }
    if (dropped > 0) {
        graph->changed = true;
        graph_fill_uses(graph);
    }
    inputs_sweep(graph);
    initializers_sweep(graph);
    return dropped;
}
