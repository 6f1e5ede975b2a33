/*
 * If with a condition that is known: the branch that runs takes its place
 * (C0), so that what is inside can fold with what is outside.
 *
 * requires: uses, constants.  breaks: uses, shapes.
 */
#include "fold/emit.h"
#include "fold/pass.h"

/* A node can be copied into another scope when all it has is understood and it
 * holds no scope of its own, whose names would have to follow. */
static bool node_is_portable(const Node *node)
{
    for (int i = 0; i < node->attr_count; i++) {
        AttrType type = node->attrs[i].type;
        if (node->attrs[i].reference ||
            !(type == ATTR_FLOAT || type == ATTR_INT || type == ATTR_STRING ||
              type == ATTR_TENSOR || type == ATTR_FLOATS || type == ATTR_INTS ||
              type == ATTR_STRINGS))
            return false;
    }
    return true;
}

/* The branch that always runs, or NULL. */
static Graph *branch_taken(const Fold *fold, const Node *node)
{
    const Value *value = node_input(node, 0);
    const Tensor *condition =
        value ? value_constant(fold->graph, value) : NULL;
    int64_t holds;
    if (!condition || condition->count != 1 ||
        !dtype_is_integer(condition->type))
        return NULL;
    tensor_read_i64(condition, 0, 1, &holds);
    const Attr *attr = node_attr(node, holds ? "then_branch" : "else_branch");
    return attr ? attr->graph : NULL;
}

static bool branch_fits(const Node *node, const Graph *branch)
{
    if (branch->input_count ||
        branch->output_count != (size_t)node->output_count)
        return false;
    for (size_t i = 0; i < branch->node_count; i++)
        if (!node_is_portable(branch->nodes[i]))
            return false;
    return true;
}

/* What a value of the branch is outside: `inside` leads from its name. */
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
    Value **out =
        arena_array(fold->scratch, (size_t)count + 1, sizeof *out);
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
    emission_add(fold, emission, copy);
}

/* A result that nothing in the branch computes, or that it gives twice. */
static void copy_result(Fold *fold, Emission *emission, Value *from, Value *to)
{
    emission_add(fold, emission,
                 node_new(fold->graph, OP_Identity, "", &from, 1, &to, 1));
}

static void inline_branch(Fold *fold, Node *node, const Graph *branch)
{
    Map *inside = map_new(fold->scratch);
    Emission emission = {.place = node};
    for (int i = 0; i < node->output_count; i++) {
        const Value *result = branch->outputs[i];
        if (node->outputs[i] && result->producer &&
            !map_get(inside, result->name))
            map_put(inside, result->name, node->outputs[i]);
    }
    for (size_t i = 0; i < branch->node_count; i++)
        copy_node(fold, &emission, inside, branch->nodes[i]);
    for (int i = 0; i < node->output_count; i++) {
        Value *result = value_outside(fold, inside, branch->outputs[i]);
        if (node->outputs[i] && result != node->outputs[i])
            copy_result(fold, &emission, result, node->outputs[i]);
    }
    const Node *consumed[1] = {node};
    fold_record(fold, &emission, RULE_BIT(RULE_C0), consumed, 1, 0, 0);
    emission_place(fold, &emission);
}

int rule_inline(Fold *fold, Err *err)
{
    (void)err;
    if (!(fold->enabled & RULE_BIT(RULE_C0)))
        return 0;
    for (size_t i = 0; i < fold->graph->node_count; i++) {
        Node *node = fold->graph->nodes[i];
        if (node->op != OP_If || node->removed || fold_is_done(fold))
            continue;
        const Graph *branch = branch_taken(fold, node);
        if (branch && branch_fits(node, branch))
            inline_branch(fold, node, branch);
    }
    return 0;
}
