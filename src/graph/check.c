/*
 * The graph's promises, checked.  In time linear in the graph: it runs after
 * every pass.
 */
#include <string.h>

#include "graph/dump.h"
#include "graph/graph.h"

/* A graph on the way down from the root, and the node that holds it. */
typedef struct Scope {
    const Graph *graph;
    const Node *holder;
    const struct Scope *up;
} Scope;

static int fail_node(const Graph *graph, const Node *node, ErrCode code,
                     const char *what, const Value *value, Err *err)
{
    return err_set(err, code, "%s: %s %s", node_text(graph->arena, node),
                   name_text(graph->arena, value->name), what);
}

/* True when the node stands where its index says. */
static bool node_is_placed(const Graph *graph, const Node *node)
{
    return !node->removed && node->graph == graph &&
           node->index < graph->node_count && graph->nodes[node->index] == node;
}

/* A value that `node` of the scope may read: an input, an initializer, or
 * what an earlier node produces. A NULL node is the end of the graph. */
static int check_defined(const Graph *graph, const Node *node,
                         const Value *value, const Node *reader, Err *err)
{
    const Node *producer = value->producer;
    if (value->is_input || value->is_initializer)
        return 0;
    if (!producer || !node_is_placed(graph, producer))
        return fail_node(graph, reader, ERR_UNDEFINED_VALUE,
                         "is read, but nothing defines it", value, err);
    if (node && producer->index >= node->index)
        return fail_node(graph, reader, ERR_CYCLE,
                         "is read before it is defined", value, err);
    return 0;
}

/* A captured value must be defined before the node that holds the subgraph. */
static int check_read(const Scope *scope, const Node *node, const Value *value,
                      const Node *reader, Err *err)
{
    while (value->outer) {
        const char *name = value->outer->name;
        for (value = value->outer; scope->up; scope = scope->up)
            if (map_get(scope->up->graph->values, name) == value)
                break;
        if (!scope->up)
            return fail_node(scope->graph, reader, ERR_UNDEFINED_VALUE,
                             "is read from outside, but not there", value, err);
        node = scope->holder;
        scope = scope->up;
    }
    return check_defined(scope->graph, node, value, reader, err);
}

/* Of a recurrent layer only the last state may be wanted. */
static bool op_needs_output(Op op)
{
    return op != OP_LSTM && op != OP_GRU && op != OP_RNN;
}

int node_check_arity(const Node *node, Err *err)
{
    OpArity arity = op_arity(node->op);
    int in = node->input_count, out = node->output_count;
    if (in == 0 && out == 0)
        return err_set(err, ERR_INVALID_MODEL, "has no inputs and no outputs");
    if (in < arity.min_inputs ||
        (arity.max_inputs >= 0 && in > arity.max_inputs))
        return err_set(err, ERR_INVALID_MODEL, "cannot have %d inputs", in);
    if (arity.max_outputs >= 0 && out > arity.max_outputs)
        return err_set(err, ERR_INVALID_MODEL, "cannot have %d outputs", out);
    for (int i = 0; i < arity.min_inputs; i++)
        if (!node->inputs[i])
            return err_set(err, ERR_INVALID_MODEL, "lacks its input %d", i);
    if (node->op != OP_OTHER &&
        (out == 0 || (op_needs_output(node->op) && !node->outputs[0])))
        return err_set(err, ERR_INVALID_MODEL, "lacks its output 0");
    return 0;
}

int node_check_attrs(const Node *node, Err *err)
{
    for (int i = 0; node->op != OP_OTHER && i < node->attr_count; i++) {
        const Attr *attr = &node->attrs[i];
        uint32_t types = op_attr_types(node->op, attr->name);
        if (types >> attr->type & 1 || strncmp(attr->name, "__", 2) == 0)
            continue;
        return err_set(err, ERR_BAD_ATTRIBUTE,
                       types ? "attribute %s is of another type than that of %s"
                             : "attribute %s: %s has none of that name",
                       name_text(node->graph->arena, attr->name),
                       op_name(node->op));
    }
    return 0;
}

/* What is in op.def of an operator. */
static int check_table(const Graph *graph, const Node *node, Err *err)
{
    return node_check_arity(node, err) < 0 || node_check_attrs(node, err) < 0
               ? err_prefix(err, "%s", node_text(graph->arena, node))
               : 0;
}

/* What the opset does not have is opaque. */
static int check_opset(const Graph *graph, const Node *node, Err *err)
{
    int64_t opset = graph_opset(graph);
    if (!op_exists(node->op, opset))
        return err_set(err, ERR_INTERNAL, "%s: opset %lld has no such operator",
                       node_text(graph->arena, node), (long long)opset);
    return 0;
}

static int check_output(const Graph *graph, const Node *node, int slot,
                        Err *err)
{
    const Value *value = node->outputs[slot];
    if (map_get(graph->values, value->name) != value)
        return fail_node(graph, node, ERR_INTERNAL, "is not of this graph",
                         value, err);
    if (value->is_input || value->is_initializer || value->outer ||
        value->producer != node || value->output != slot)
        return fail_node(graph, node, ERR_DUPLICATE_NAME, "is defined twice",
                         value, err);
    return 0;
}

static int check_graph(const Scope *scope, Err *err);

static int check_subgraphs(const Scope *scope, const Node *node, Err *err)
{
    for (int i = 0; i < node->attr_count; i++) {
        size_t count;
        Graph *const *graphs = attr_graphs(&node->attrs[i], &count);
        for (size_t k = 0; k < count; k++)
            TRY(check_graph(&(Scope){graphs[k], node, scope}, err));
    }
    return 0;
}

static int check_node(const Scope *scope, const Node *node, Err *err)
{
    const Graph *graph = scope->graph;
    if (!node_is_placed(graph, node) || node->before)
        return err_set(err, ERR_INTERNAL, "%s: not in its place",
                       node_text(graph->arena, node));
    TRY(check_table(graph, node, err));
    TRY(check_opset(graph, node, err));
    for (int i = 0; i < node->input_count; i++)
        if (node->inputs[i])
            TRY(check_read(scope, node, node->inputs[i], node, err));
    for (int i = 0; i < node->output_count; i++)
        if (node->outputs[i])
            TRY(check_output(graph, node, i, err));
    return check_subgraphs(scope, node, err);
}

/* A tensor and what is known of its value are of one type and shape. */
static int check_tensor(const Graph *graph, const Value *value, Err *err)
{
    const Tensor *tensor = value_constant(graph, value);
    const Fact *fact = &value->fact;
    if (!tensor || value->outer)
        return 0;
    bool same = (fact->type == DT_UNDEFINED || fact->type == tensor->type) &&
                (fact->rank < 0 || fact->rank == tensor->rank);
    for (int i = 0; i < fact->rank && same; i++)
        same = fact->dims[i] < 0 || fact->dims[i] == tensor->dims[i];
    if (!same)
        return err_set(err, ERR_BAD_TENSOR,
                       "%s: its tensor is not of its type and shape",
                       name_text(graph->arena, value->name));
    return 0;
}

/* No name is listed twice: as many values carry the flag as are listed. */
static int check_lists(const Graph *graph, Err *err)
{
    size_t inputs = 0, initializers = 0;
    for (size_t i = 0; i < graph->scope_count; i++) {
        const Value *value = graph->scope[i];
        inputs += value->is_input;
        initializers += value->is_initializer;
        TRY(check_tensor(graph, value, err));
    }
    if (inputs != graph->input_count)
        return err_set(err, ERR_DUPLICATE_NAME, "graph %s lists an input twice",
                       name_text(graph->arena, graph->name));
    if (initializers != graph->initializer_count)
        return err_set(err, ERR_DUPLICATE_NAME,
                       "graph %s lists an initializer twice",
                       name_text(graph->arena, graph->name));
    return 0;
}

/* Recursion is as deep as subgraphs nest, which the reader bounds. */
static int check_graph(const Scope *scope, Err *err)
{
    const Graph *graph = scope->graph;
    TRY(check_lists(graph, err));
    for (size_t i = 0; i < graph->node_count; i++)
        TRY(check_node(scope, graph->nodes[i], err));
    for (size_t i = 0; i < graph->output_count; i++) {
        const Value *value = graph->outputs[i];
        bool defined =
            value->is_input || value->is_initializer ||
            (value->producer && node_is_placed(graph, value->producer));
        if (!defined)
            return err_set(err, ERR_UNDEFINED_VALUE,
                           "output %s is not defined by its graph",
                           name_text(graph->arena, value->name));
    }
    return 0;
}

int graph_check(const Graph *graph, Err *err)
{
    return check_graph(&(Scope){graph, NULL, NULL}, err);
}
