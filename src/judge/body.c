/*
 * What calls of functions and branches of known conditions give: folding puts
 * the body in the node's place, so both graphs are read as if it stood there.
 */
#include <string.h>

#include "judge/known.h"

/* What a node of a body counts as in the room for constants, so that functions
 * that call functions end, and how deep they may call each other. */
enum { ENTERED = 1 << 10, DEPTH_MAX = 32 };

size_t input_from(const Graph *graph, size_t index)
{
    while (index < graph->input_count && graph->inputs[index]->is_initializer)
        index++;
    return index;
}

/* The graph that a node certainly runs, once: a branch, or a function that
 * means the same operators as the model does. */
static const Graph *body_of(Scope *scope, const Node *node)
{
    const Function *function = node_function(node);
    if (function)
        return graph_opset(function->body) == graph_opset(scope->graph) &&
                       (size_t)node->input_count <=
                           function->body->input_count &&
                       (size_t)node->output_count <=
                           function->body->output_count
                   ? function->body
                   : NULL;
    if (node->op != OP_If)
        return NULL;
    const Known *condition = scope_known(scope, node_input(node, 0));
    int64_t holds;
    if (!condition || constant_ints(condition->constant, 1, &holds) != 1)
        return NULL;
    Graph *body =
        attr_graph(node_attr(node, holds ? "then_branch" : "else_branch"));
    return body && input_from(body, 0) == body->input_count &&
                   body->output_count == (size_t)node->output_count
               ? body
               : NULL;
}

/* A node of a function's body with the attributes that its call gives. */
static const Node *node_called(Scope *scope, const Node *node, const Node *call)
{
    if (!node_is_parametric(node))
        return node;
    Node *copy = arena_alloc(scope->arena, sizeof *copy);
    *copy = *node;
    copy->attrs = arena_array(scope->arena, (size_t)node->attr_count,
                              sizeof *copy->attrs);
    for (int i = 0; i < node->attr_count; i++) {
        const Attr *own = &node->attrs[i], *given = NULL;
        if (own->reference)
            given = node_attr(call, own->reference);
        copy->attrs[i] = given ? *given : *own;
        copy->attrs[i].name = own->name;
    }
    return copy;
}

int body_enter(Known *known, Err *err)
{
    Scope *scope = known->scope;
    const Node *node = known->node;
    const Graph *body = body_of(scope, node);
    if (!body || *scope->room < ENTERED || scope->depth == DEPTH_MAX)
        return 0;
    *scope->room -= ENTERED * (int64_t)body->node_count;
    Scope *inside =
        scope_new(scope->arena, scope, body, node->op == OP_If ? scope : NULL);
    inside->depth++;
    for (int i = 0; i < node->input_count && node->op != OP_If; i++) {
        Known *outside = scope_known(scope, node->inputs[i]);
        Known *input = scope_known(inside, body->inputs[i]);
        input->same = outside;
        if (outside) {
            input->fact = outside->fact;
            input->constant = outside->constant;
        }
    }
    for (size_t i = 0; i < body->node_count; i++)
        TRY(scope_take(inside, node_called(inside, body->nodes[i], node), err));
    for (int i = 0; i < node->output_count; i++) {
        Known *given = scope_known(scope, node->outputs[i]);
        if (!given)
            continue;
        given->same = scope_known(inside, body->outputs[i]);
        given->constant = given->same->constant;
        if (given->same->fact.rank >= 0)
            given->fact = given->same->fact;
    }
    return 0;
}
