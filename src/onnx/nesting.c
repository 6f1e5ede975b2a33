/* Graphs in nodes, and functions that call functions. */
#include <string.h>

#include "onnx/read.h"

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
    if (node->op != OP_OTHER)
        return NULL;
    return map_get(reader->functions,
                   function_key(reader->arena, node->domain, node->op_type));
}

/* Bounded at every step, so that no sum overflows. */
static int add_nodes(Calls *calls, const Graph *graph, Extent *extent)
{
    for (size_t i = 0; i < graph->node_count; i++) {
        const Node *node = graph->nodes[i];
        const Function *function = called(calls->reader, node);
        extent->nodes++;
        if (function)
            TRY(measure_function(calls, function, extent));
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
        .active = arena_array(reader->arena, count, sizeof(bool)),
    };
    for (size_t i = 0; i < count; i++) {
        Extent alone = {0};
        TRY(measure_function(&calls, &model->functions[i], &alone));
    }
    Extent whole = {0};
    return add_nodes(&calls, model->graph, &whole);
}
