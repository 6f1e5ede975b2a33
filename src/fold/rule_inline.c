/*
 * If with a condition that is known: the branch that runs takes its place
 * (C0), so that what is inside can fold with what is outside. With
 * --inline-functions a model-local function that is called once does, too.
 *
 * requires: uses, constants.  breaks: uses, shapes.
 */
#include <string.h>

#include "fold/emit.h"
#include "fold/pass.h"

/* A node can be copied into another scope when all it has is understood and it
 * holds no scope of its own, whose names would have to follow. In a function
 * an attribute may be the call's, which must give it. */
static bool node_is_portable(const Node *node, const Node *call)
{
    for (int i = 0; i < node->attr_count; i++) {
        const char *reference = node->attrs[i].reference;
        AttrType type = node->attrs[i].type;
        if (reference && !node_attr(call, reference))
            return false;
        if (!(type == ATTR_FLOAT || type == ATTR_INT || type == ATTR_STRING ||
              type == ATTR_TENSOR || type == ATTR_FLOATS || type == ATTR_INTS ||
              type == ATTR_STRINGS))
            return false;
    }
    return true;
}

static bool body_is_portable(const Graph *body, const Node *call)
{
    for (size_t i = 0; i < body->node_count; i++)
        if (!node_is_portable(body->nodes[i], call))
            return false;
    return body->output_count == (size_t)call->output_count;
}

/* Up to IR 3 initializers are listed as inputs. */
static bool has_inputs(const Graph *body)
{
    for (size_t i = 0; i < body->input_count; i++)
        if (!body->inputs[i]->is_initializer)
            return true;
    return false;
}

/* The branch that always runs, or NULL. */
static Graph *branch_taken(const Fold *fold, const Node *node)
{
    const Value *value = node_input(node, 0);
    const Tensor *condition = value ? value_constant(fold->graph, value) : NULL;
    int64_t holds;
    if (!condition || condition->count != 1 ||
        !dtype_is_integer(condition->type))
        return NULL;
    tensor_read_i64(condition, 0, 1, &holds);
    return attr_graph(node_attr(node, holds ? "then_branch" : "else_branch"));
}

/* What a value of the body is outside: `inside` leads from its name. */
static Value *value_outside(Fold *fold, Map *inside, Value *value)
{
    if (!value)
        return NULL;
    Value *known = map_get(inside, value->name);
    if (known)
        return known;
    if (value->outer)
        known = graph_read_value(fold->graph, value->outer->name);
    else if (value->is_initializer)
        known = graph_add_initializer(fold->graph, value->name, value->tensor);
    else
        known = emission_value(fold, value);
    map_put(inside, value->name, known);
    return known;
}

static Value **values_outside(Fold *fold, Map *inside, Value *const *values,
                              int count)
{
    Value **out = arena_array(fold->scratch, (size_t)count + 1, sizeof *out);
    for (int i = 0; i < count; i++)
        out[i] = value_outside(fold, inside, values[i]);
    return out;
}

static void copy_node(Fold *fold, Emission *emission, Map *inside, Node *node)
{
    Value **inputs =
        values_outside(fold, inside, node->inputs, node->input_count);
    Value **outputs =
        values_outside(fold, inside, node->outputs, node->output_count);
    Node *copy = node_clone(node, inputs, outputs);
    copy->graph = fold->graph;
    for (int i = 0; i < copy->attr_count; i++) {
        Attr *attr = &copy->attrs[i];
        if (!attr->reference)
            continue;
        const char *name = attr->name;
        *attr = *node_attr(emission->place, attr->reference);
        attr->name = name;
    }
    emission_add(fold, emission, copy);
}

/* A result that nothing in the body computes, or that it gives twice. */
static void copy_result(Fold *fold, Emission *emission, Value *from, Value *to)
{
    emission_add(fold, emission,
                 node_new(fold->graph, OP_Identity, "", &from, 1, &to, 1));
}

/* The body's nodes take the place of `node`. `inside` knows its inputs. */
static void inline_body(Fold *fold, Node *node, const Graph *body, Map *inside)
{
    Emission emission = {.place = node};
    for (int i = 0; i < node->output_count; i++) {
        const Value *result = body->outputs[i];
        if (node->outputs[i] && result->producer &&
            !map_get(inside, result->name))
            map_put(inside, result->name, node->outputs[i]);
    }
    for (size_t i = 0; i < body->node_count; i++)
        copy_node(fold, &emission, inside, body->nodes[i]);
    for (int i = 0; i < node->output_count; i++) {
        Value *result = value_outside(fold, inside, body->outputs[i]);
        if (node->outputs[i] && result != node->outputs[i])
            copy_result(fold, &emission, result, node->outputs[i]);
    }
    const Node *consumed[1] = {node};
    fold_record(fold, &emission,
                &(Account){.rules = RULE_BIT(RULE_C0),
                           .consumed = consumed,
                           .consumed_count = 1});
    emission_place(fold, &emission);
}

/* ---- Functions ---- */

static void count_calls(const Graph *graph, const Function *function,
                        int *calls)
{
    for (size_t i = 0; i < graph->node_count; i++) {
        const Node *node = graph->nodes[i];
        *calls += !node->removed && node_function(node) == function;
        for (int k = 0; k < node->attr_count; k++) {
            /* Subgraphs nest as deep as the reader allows. */
            const Graph *body = attr_graph(&node->attrs[k]);
            if (body)
                count_calls(body, function, calls);
        }
    }
}

static bool is_called_once(const Model *model, const Function *function)
{
    int calls = 0;
    count_calls(model->graph, function, &calls);
    for (size_t i = 0; i < model->function_count; i++)
        count_calls(model->functions[i].body, function, &calls);
    return calls == 1;
}

/* Puts the function in place of its call, when that is the only one and the
 * body means the same operators as the model does. */
static void inline_function(Fold *fold, Node *node)
{
    const Model *model = fold->model;
    const Function *function = node_function(node);
    if (!function || function->body == fold->graph ||
        graph_opset(function->body) != graph_opset(fold->graph) ||
        node->input_count > (int)function->body->input_count ||
        !body_is_portable(function->body, node) ||
        !is_called_once(model, function))
        return;
    for (size_t i = 0; i < function->body->input_count; i++)
        if (!node_input(node, (int)i))
            return;
    Map *inside = map_new(fold->scratch);
    for (int i = 0; i < node->input_count; i++)
        map_put(inside, function->body->inputs[i]->name, node->inputs[i]);
    inline_body(fold, node, function->body, inside);
}

int rule_inline(Fold *fold, Err *err)
{
    (void)err;
    if (!(fold->enabled & RULE_BIT(RULE_C0)))
        return 0;
    for (size_t i = 0; i < fold->graph->node_count; i++) {
        Node *node = fold->graph->nodes[i];
        if (node->removed || fold_is_done(fold))
            continue;
        const Graph *branch =
            node->op == OP_If ? branch_taken(fold, node) : NULL;
        if (branch && !has_inputs(branch) && body_is_portable(branch, node))
            inline_body(fold, node, branch, map_new(fold->scratch));
        else if (node->op == OP_OTHER && fold->options->inline_functions)
            inline_function(fold, node);
    }
    return 0;
}
