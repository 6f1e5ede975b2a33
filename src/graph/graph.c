#include "graph/graph.h"

#include <stdio.h>
#include <string.h>

bool span_same(Span a, Span b)
{
    return a.size == b.size &&
           (a.size == 0 || memcmp(a.bytes, b.bytes, a.size) == 0);
}

Model *model_new(Arena *arena)
{
    Model *model = arena_alloc(arena, sizeof *model);
    model->arena = arena;
    model->path = "";
    model->producer_name = model->producer_version = "";
    model->symbols = symbols_new(arena);
    model->names = map_new(arena);
    model->stems = map_new(arena);
    return model;
}

void model_let_go(const Model *model)
{
    if (model->let_go)
        model->let_go(model->external);
}

/* ---- Functions ---- */

/* "ai.onnx" is "". In `room` where it fits there. */
static const char *function_key(Arena *arena, const char *domain,
                                const char *name, char *room, size_t size)
{
    domain = is_onnx_domain(domain) ? "" : domain;
    int length = snprintf(room, size, "%s:%s", domain, name);
    return length >= 0 && (size_t)length < size
               ? room
               : arena_printf(arena, "%s:%s", domain, name);
}

void model_list_functions(Model *model)
{
    model->callable = map_new(model->arena);
    for (size_t i = 0; i < model->function_count; i++) {
        Function *function = &model->functions[i];
        const char *key = function_key(model->arena, function->domain,
                                       function->name, NULL, 0);
        Function *other = map_get(model->callable, key);
        if (other)
            other->is_overloaded = function->is_overloaded = true;
        else
            map_put(model->callable, key, function);
    }
}

const Function *node_function(const Node *node)
{
    char room[256];
    const Model *model = node->graph->model;
    if (node->op != OP_OTHER || !model->callable)
        return NULL;
    const Function *function = map_get(
        model->callable, function_key(model->arena, node->domain, node->op_type,
                                      room, sizeof room));
    return function && !function->is_overloaded ? function : NULL;
}

Graph *graph_new(Model *model, Graph *parent)
{
    Graph *graph = arena_alloc(model->arena, sizeof *graph);
    graph->arena = model->arena;
    graph->model = model;
    graph->parent = parent;
    graph->name = "";
    graph->values = map_new(model->arena);
    return graph;
}

int64_t graph_opset(const Graph *graph)
{
    while (graph->parent)
        graph = graph->parent;
    return graph->opset ? graph->opset : graph->model->opset;
}

bool graph_is_function(const Graph *graph)
{
    return !graph->parent && graph != graph->model->graph;
}

/* In every scope: those of the main graph are in its own map. */
static bool name_is_taken(const Model *model, const char *name)
{
    return (model->graph && map_get(model->graph->values, name)) ||
           map_get(model->names, name);
}

/* How often the name was a stem, of those that were more than once. */
typedef struct Stem {
    unsigned long uses;
} Stem;

static Stem *stem_find(Model *model, const char *name)
{
    Stem *stem = map_get(model->stems, name);
    if (!stem) {
        stem = arena_alloc(model->arena, sizeof *stem);
        map_put(model->stems, arena_strdup(model->arena, name), stem);
    }
    return stem;
}

Value *graph_value(Graph *graph, const char *name)
{
    Value *value = map_get(graph->values, name);
    if (value)
        return value;
    value = arena_alloc(graph->arena, sizeof *value);
    value->name = name;
    value->fact = FACT_UNKNOWN;
    map_put(graph->values, name, value);
    if (graph != graph->model->graph)
        map_put(graph->model->names, name, value);
    graph->scope =
        arena_grow(graph->arena, graph->scope, &graph->scope_capacity,
                   graph->scope_count + 1, sizeof(Value *));
    value->index = (int)graph->scope_count;
    graph->scope[graph->scope_count++] = value;
    return value;
}

Value *graph_find_value(const Graph *graph, const char *name)
{
    for (; graph; graph = graph->parent) {
        Value *value = map_get(graph->values, name);
        if (value)
            return value;
    }
    return NULL;
}

Value *graph_read_value(Graph *graph, const char *name)
{
    Value *value = map_get(graph->values, name);
    if (value)
        return value;
    Value *outer = graph_find_value(graph->parent, name);
    if (!outer)
        return NULL;
    value = graph_value(graph, outer->name);
    value->outer = outer;
    return value;
}

void graph_swap_name(Graph *graph, Value *value, const char *name)
{
    Value *holder = map_get(graph->values, name);
    map_put(graph->values, value->name, holder);
    map_put(graph->values, name, value);
    if (holder)
        holder->name = value->name;
    value->name = name;
}

Value *graph_fresh_value(Graph *graph, const char *stem)
{
    Model *model = graph->model;
    if (!name_is_taken(model, stem))
        return graph_value(graph, arena_strdup(graph->arena, stem));
    char *name = arena_printf(graph->arena, "%s_1", stem);
    while (name_is_taken(model, name))
        name = arena_printf(graph->arena, "%s_%lu", stem,
                            ++stem_find(model, stem)->uses);
    return graph_value(graph, name);
}

/* Appends to one of the graph's lists. */
static void list_add(Arena *arena, Value ***list, size_t *count,
                     size_t *capacity, Value *value)
{
    *list = arena_grow(arena, *list, capacity, *count + 1, sizeof **list);
    (*list)[(*count)++] = value;
}

void graph_add_input(Graph *graph, Value *value)
{
    value->is_input = true;
    list_add(graph->arena, &graph->inputs, &graph->input_count,
             &graph->input_capacity, value);
}

void graph_add_output(Graph *graph, Value *value)
{
    value->is_output = true;
    list_add(graph->arena, &graph->outputs, &graph->output_count,
             &graph->output_capacity, value);
}

void graph_set_initializer(Graph *graph, Value *value, Tensor *tensor)
{
    value->tensor = tensor;
    /* As the default of an input it may be of another shape than others. */
    if (!value->is_input || value->fact.rank < 0)
        value->fact = fact_of(tensor->type, tensor->rank, tensor->dims);
    if (value->is_initializer)
        return;
    value->is_initializer = true;
    list_add(graph->arena, &graph->initializers, &graph->initializer_count,
             &graph->initializer_capacity, value);
}

/* IR 3 and older: "every initializer must also be a graph input". */
static bool initializers_are_inputs(const Graph *graph)
{
    return graph->model->ir_version > 0 && graph->model->ir_version < 4;
}

Value *graph_add_initializer(Graph *graph, const char *stem, Tensor *tensor)
{
    Value *value = graph_fresh_value(graph, stem);
    graph_set_initializer(graph, value, tensor);
    if (initializers_are_inputs(graph))
        graph_add_input(graph, value);
    graph->changed = true;
    return value;
}

static Value **values_copy(Arena *arena, Value *const *values, int count)
{
    Value **copy = arena_array(arena, (size_t)count, sizeof *copy);
    if (count > 0)
        memcpy(copy, values, (size_t)count * sizeof *copy);
    return copy;
}

Node *node_new(Graph *graph, Op op, const char *name, Value *const *inputs,
               int input_count, Value *const *outputs, int output_count)
{
    Node *node = arena_alloc(graph->arena, sizeof *node);
    node->op = op;
    node->name = name ? name : "";
    node->op_type = op_name(op);
    node->domain = "";
    node->graph = graph;
    node->inputs = values_copy(graph->arena, inputs, input_count);
    node->input_count = input_count;
    node->outputs = values_copy(graph->arena, outputs, output_count);
    node->output_count = output_count;
    return node;
}

Node *node_clone(Node *node, Value *const *inputs, Value *const *outputs)
{
    Node *clone = node_new(node->graph, node->op, node->name, inputs,
                           node->input_count, outputs, node->output_count);
    size_t count = (size_t)node->attr_count;
    clone->op_type = node->op_type;
    clone->domain = node->domain;
    clone->attrs = arena_array(node->graph->arena, count, sizeof(Attr));
    if (count > 0)
        memcpy(clone->attrs, node->attrs, count * sizeof(Attr));
    clone->attr_count = node->attr_count;
    return clone;
}

Value *node_input(const Node *node, int slot)
{
    return slot < node->input_count ? node->inputs[slot] : NULL;
}

Value *node_output(const Node *node, int slot)
{
    return slot < node->output_count ? node->outputs[slot] : NULL;
}

bool node_is_quantizer(const Node *node)
{
    static const char *const names[] = {"QuantizeLinear", "DequantizeLinear",
                                        "DynamicQuantizeLinear"};
    bool found = false;
    for (size_t i = 0; node && i < sizeof names / sizeof *names; i++)
        found |= strcmp(node->op_type, names[i]) == 0;
    return found;
}

static void node_claim_outputs(Node *node)
{
    for (int i = 0; i < node->output_count; i++)
        if (node->outputs[i]) {
            node->outputs[i]->producer = node;
            node->outputs[i]->output = i;
        }
}

void graph_add_node(Graph *graph, Node *node)
{
    graph->nodes = arena_grow(graph->arena, graph->nodes, &graph->node_capacity,
                              graph->node_count + 1, sizeof(Node *));
    node->index = graph->node_count;
    graph->nodes[graph->node_count++] = node;
    node_claim_outputs(node);
}

/* A subgraph is part of its parents. */
static void graph_mark_changed(Graph *graph)
{
    for (; graph; graph = graph->parent)
        graph->changed = true;
}

/* Takes the node out of the chain that stands in its place. An empty place
 * keeps showing the removed node. */
static void node_unlink(Graph *graph, Node *node)
{
    if (node->before)
        node->before->after = node->after;
    if (node->after)
        node->after->before = node->before;
    else if (node->before)
        graph->nodes[node->index] = node->before;
    node->before = node->after = NULL;
}

/* Puts `fresh` into the chain, before `node`. */
static void node_link(Node *fresh, Node *node)
{
    fresh->index = node->index;
    fresh->before = node->before;
    fresh->after = node;
    if (node->before)
        node->before->after = fresh;
    node->before = fresh;
}

void graph_replace_node(Graph *graph, Node *old, Node *const *fresh,
                        size_t count)
{
    for (int i = 0; i < old->output_count; i++)
        if (old->outputs[i] && old->outputs[i]->producer == old)
            old->outputs[i]->producer = NULL;
    for (size_t i = 0; i < count; i++) {
        node_link(fresh[i], old);
        node_claim_outputs(fresh[i]);
    }
    node_unlink(graph, old);
    old->removed = true;
    graph_mark_changed(graph);
}

void node_replace_input(Node *node, Value *value, Value *with)
{
    for (int i = 0; i < node->input_count; i++)
        if (node->inputs[i] == value) {
            node->inputs[i] = with;
            node->edited = true;
            graph_mark_changed(node->graph);
        }
}

bool value_is_overridable(const Graph *graph, const Value *value)
{
    return value->is_initializer && value->is_input &&
           graph->model->ir_version >= 4 && !graph->model->freeze_initializers;
}

const Tensor *value_constant(const Graph *graph, const Value *value)
{
    while (value->outer)
        value = value->outer;
    if (value->is_mutable || value_is_overridable(graph, value))
        return NULL;
    return value->tensor;
}
