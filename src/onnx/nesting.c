/* Graphs in nodes, and functions that call functions. */
#include <string.h>

#include "onnx/read.h"
#include "onnx/wire.h"

/* ---- Bodies ---- */

/* Up to IR 3 an initializer is listed as an input too. */
static size_t inputs_taken(const Graph *graph)
{
    size_t count = 0;
    for (size_t i = 0; i < graph->input_count; i++)
        count += !graph->inputs[i]->is_initializer;
    return count;
}

static int check_body(const Node *node, const char *name, size_t inputs,
                      size_t outputs, Err *err)
{
    const Graph *body = attr_graph(node_attr(node, name));
    if (!body)
        return err_set(err, ERR_BAD_ATTRIBUTE, "has no %s", name);
    if (body->output_count < outputs ||
        (node->op == OP_If && body->output_count > outputs))
        return err_set(err, ERR_INVALID_MODEL,
                       "its %s gives %zu values instead of %zu", name,
                       body->output_count, outputs);
    if (inputs_taken(body) > inputs)
        return err_set(err, ERR_INVALID_MODEL,
                       "its %s takes %zu values instead of %zu", name,
                       inputs_taken(body), inputs);
    return 0;
}

int check_bodies(const Node *node, Err *err)
{
    size_t inputs = (size_t)node->input_count;
    size_t outputs = (size_t)node->output_count;
    switch (node->op) {
    case OP_If:
        TRY(check_body(node, "then_branch", 0, outputs, err));
        return check_body(node, "else_branch", 0, outputs, err);
    case OP_Loop:
        /* The body also takes the iteration and gives whether to go on; the
         * bound and the condition, which may be left out, are no inputs of
         * its own. */
        inputs = inputs < 2 ? 2 : inputs;
        return check_body(node, "body", inputs, outputs + 1, err);
    case OP_Scan:
        return check_body(node, "body", inputs, outputs, err);
    default:
        return 0;
    }
}

/* ---- Calls ---- */

enum { CALLS_MAX = 100, NODES_MAX = 10 * 1000 * 1000 };

/* What a graph becomes with every call written out. */
typedef struct Extent {
    uint64_t nodes;
    int height; /* of calls within calls */
} Extent;

typedef struct Calls {
    Reader *reader;
    Extent *functions; /* 0 nodes: not yet known */
    Map **references;  /* what the body refers to by name, see refers_to */
    bool *active;      /* being measured now */
    int depth;
} Calls;

static int add_nodes(Calls *calls, const Graph *graph, Extent *extent);

static int measure_function(Calls *calls, const Function *function,
                            Extent *extent)
{
    size_t at = (size_t)(function - calls->reader->model->functions);
    Extent *own = &calls->functions[at];
    if (calls->active[at])
        return err_set(calls->reader->err, ERR_CYCLE,
                       "the function %s calls itself",
                       name_text(calls->reader->arena, function->name));
    if (own->nodes == 0 && calls->depth <= CALLS_MAX) {
        calls->active[at] = true;
        calls->depth++;
        *own = (Extent){1, 1};
        TRY(add_nodes(calls, function->body, own));
        calls->depth--;
        calls->active[at] = false;
    }
    if (calls->depth + own->height > CALLS_MAX)
        return err_set(calls->reader->err, ERR_TOO_DEEP,
                       "the function %s is one of more than %d that call one "
                       "another",
                       name_text(calls->reader->arena, function->name),
                       CALLS_MAX);
    extent->nodes += own->nodes;
    if (extent->height <= own->height)
        extent->height = own->height + 1;
    return 0;
}

static int add_attrs(Calls *calls, const Node *node, Extent *extent)
{
    for (int i = 0; i < node->attr_count; i++) {
        size_t count;
        Graph *const *graphs = attr_graphs(&node->attrs[i], &count);
        for (size_t k = 0; k < count; k++)
            TRY(add_nodes(calls, graphs[k], extent));
    }
    return 0;
}

static const Function *called(const Reader *reader, const Node *node)
{
    enum { OVERLOAD = 8 };
    if (node->op != OP_OTHER || reader->model->function_count == 0)
        return NULL;
    return map_get(
        reader->functions,
        function_key(reader->arena, node->domain, node->op_type,
                     wire_string(reader->arena, node->source, OVERLOAD)));
}

/* ---- What calls give ---- */

/* Enters the attributes of the graph's nodes that refer to some of the
 * function's, by what they refer to. */
static int list_references(Reader *reader, const Graph *graph, Map *references);

static int list_reference(Reader *reader, const Attr *attr, Map *references)
{
    size_t count;
    Graph *const *graphs = attr_graphs(attr, &count);
    for (size_t i = 0; i < count; i++)
        TRY(list_references(reader, graphs[i], references));
    if (!attr->reference)
        return 0;
    const Attr *other = map_get(references, attr->reference);
    if (other && other->type != attr->type)
        return err_set(reader->err, ERR_BAD_ATTRIBUTE,
                       "attribute %s is referred to as one of two types",
                       name_text(reader->arena, attr->reference));
    map_put(references, attr->reference, (void *)attr);
    return 0;
}

static int list_references(Reader *reader, const Graph *graph, Map *references)
{
    for (size_t i = 0; i < graph->node_count; i++)
        for (int k = 0; k < graph->nodes[i]->attr_count; k++)
            TRY(list_reference(reader, &graph->nodes[i]->attrs[k], references));
    return 0;
}

/* What the function's body refers to; NULL with the fault set. */
static const Map *refers_to(Calls *calls, const Function *function)
{
    Reader *reader = calls->reader;
    Map **known = &calls->references[function - reader->model->functions];
    if (*known)
        return *known;
    Map *references = map_new(reader->arena);
    if (list_references(reader, function->body, references) < 0) {
        err_prefix(reader->err, "function %s",
                   name_text(reader->arena, function->name));
        return NULL;
    }
    return *known = references;
}

/* Gives the node the attributes of the function that it has not. They are not
 * written: the function still has them. */
static void add_defaults(Arena *arena, Node *node, const Function *function)
{
    if (function->default_count == 0)
        return;
    size_t count = (size_t)node->attr_count;
    Map *given = map_new(arena);
    Attr *all =
        arena_array(arena, count + function->default_count, sizeof *all);
    for (size_t i = 0; i < count; i++) {
        all[i] = node->attrs[i];
        map_put(given, all[i].name, &all[i]);
    }
    for (size_t i = 0; i < function->default_count; i++)
        if (!map_get(given, function->defaults[i].name))
            all[count++] = function->defaults[i];
    node->attrs = all;
    node->attr_count = (int)count;
}

/* An attribute of another type would be taken for what it is not. */
static int complete_call(Calls *calls, Node *node, const Function *function)
{
    Reader *reader = calls->reader;
    const Map *references = refers_to(calls, function);
    if (!references)
        return -1;
    add_defaults(reader->arena, node, function);
    for (int i = 0; i < node->attr_count; i++) {
        const Attr *given = &node->attrs[i];
        const Attr *taken = map_get(references, given->name);
        if (taken && taken->type != given->type)
            return err_set(reader->err, ERR_BAD_ATTRIBUTE,
                           "%s: attribute %s is not of the type that the "
                           "function takes",
                           node_text(reader->arena, node),
                           name_text(reader->arena, given->name));
    }
    return 0;
}

/* ---- All of them ---- */

/* Bounded at every step, so that no sum overflows. */
static int add_nodes(Calls *calls, const Graph *graph, Extent *extent)
{
    for (size_t i = 0; i < graph->node_count; i++) {
        Node *node = graph->nodes[i];
        const Function *function = called(calls->reader, node);
        extent->nodes++;
        if (function) {
            TRY(complete_call(calls, node, function));
            TRY(measure_function(calls, function, extent));
        }
        TRY(add_attrs(calls, node, extent));
        if (extent->nodes > NODES_MAX)
            return err_set(calls->reader->err, ERR_BUDGET,
                           "with its functions written out the model has more "
                           "than %d nodes",
                           NODES_MAX);
    }
    return 0;
}

int check_calls(Reader *reader)
{
    const Model *model = reader->model;
    size_t count = model->function_count;
    if (count == 0)
        return 0;
    Calls calls = {
        .reader = reader,
        .functions = arena_array(reader->arena, count, sizeof(Extent)),
        .references = arena_array(reader->arena, count, sizeof(Map *)),
        .active = arena_array(reader->arena, count, sizeof(bool)),
    };
    for (size_t i = 0; i < count; i++) {
        Extent alone = {0};
        TRY(measure_function(&calls, &model->functions[i], &alone));
    }
    Extent whole = {0};
    return add_nodes(&calls, model->graph, &whole);
}
