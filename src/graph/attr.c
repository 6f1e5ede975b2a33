#include <string.h>

#include "graph/graph.h"

Tensor *attr_tensor(const Attr *attr)
{
    return attr->type == ATTR_TENSOR ? attr->tensor : NULL;
}

Graph *const *attr_graphs(const Attr *attr, size_t *count)
{
    *count = 0;
    if (attr->type == ATTR_GRAPHS)
        *count = attr->count;
    else if (attr->type == ATTR_GRAPH && attr->graph)
        *count = 1;
    return *count == 0                ? NULL
           : attr->type == ATTR_GRAPH ? &attr->graph
                                      : attr->graphs;
}

Graph *attr_graph(const Attr *attr)
{
    return attr && attr->type == ATTR_GRAPH ? attr->graph : NULL;
}

bool node_has_graphs(const Node *node)
{
    size_t count = 0;
    for (int i = 0; i < node->attr_count && count == 0; i++)
        attr_graphs(&node->attrs[i], &count);
    return count > 0;
}

bool node_is_parametric(const Node *node)
{
    for (int i = 0; i < node->attr_count; i++)
        if (node->attrs[i].reference)
            return true;
    return false;
}

const Attr *node_attr(const Node *node, const char *name)
{
    for (int i = 0; i < node->attr_count; i++)
        if (strcmp(node->attrs[i].name, name) == 0)
            return &node->attrs[i];
    return NULL;
}

/* The attribute, when it holds a value of that type. */
static const Attr *attr_of_type(const Node *node, const char *name,
                                AttrType type)
{
    const Attr *attr = node_attr(node, name);
    return attr && attr->type == type && !attr->reference ? attr : NULL;
}

int64_t node_int(const Node *node, const char *name, int64_t fallback)
{
    const Attr *attr = attr_of_type(node, name, ATTR_INT);
    return attr ? attr->i : fallback;
}

float node_float(const Node *node, const char *name, float fallback)
{
    const Attr *attr = attr_of_type(node, name, ATTR_FLOAT);
    return attr ? attr->f : fallback;
}

int64_t node_ints(const Node *node, const char *name, const int64_t **values)
{
    const Attr *attr = attr_of_type(node, name, ATTR_INTS);
    if (!attr)
        return -1;
    *values = attr->ints;
    return (int64_t)attr->count;
}

bool node_string_is(const Node *node, const char *name, const char *text)
{
    const Attr *attr = attr_of_type(node, name, ATTR_STRING);
    return attr && attr->s.size == strlen(text) &&
           memcmp(attr->s.bytes, text, attr->s.size) == 0;
}

int node_upsample_scales(const Node *node, double scales[RANK_MAX])
{
    const Attr *list = attr_of_type(node, "scales", ATTR_FLOATS);
    if (list && list->count <= RANK_MAX) {
        for (size_t i = 0; i < list->count; i++)
            scales[i] = (double)list->floats[i];
        return (int)list->count;
    }
    const Attr *height = attr_of_type(node, "height_scale", ATTR_FLOAT);
    const Attr *width = attr_of_type(node, "width_scale", ATTR_FLOAT);
    if (list || !height || !width)
        return -1;
    scales[0] = scales[1] = 1;
    scales[2] = (double)height->f;
    scales[3] = (double)width->f;
    return 4;
}

/* Room for one more: a convolution has five or six. */
static void attrs_extend(Node *node)
{
    enum { FEW = 6 };
    int count = node->attr_count;
    if (count < node->attr_capacity)
        return;
    node->attr_capacity = count < FEW ? FEW : 2 * count;
    Attr *larger = arena_array(node->graph->arena, (size_t)node->attr_capacity,
                               sizeof *larger);
    if (count > 0)
        memcpy(larger, node->attrs, (size_t)count * sizeof *larger);
    node->attrs = larger;
}

/* The place of the attribute to set, empty but for its name. */
static Attr *attr_slot(Node *node, const char *name, AttrType type)
{
    Attr *attr = (Attr *)node_attr(node, name);
    if (!attr) {
        attrs_extend(node);
        attr = &node->attrs[node->attr_count++];
    }
    *attr = (Attr){.name = name, .type = type};
    return attr;
}

void node_set_int(Node *node, const char *name, int64_t value)
{
    attr_slot(node, name, ATTR_INT)->i = value;
}

void node_set_float(Node *node, const char *name, float value)
{
    attr_slot(node, name, ATTR_FLOAT)->f = value;
}

void node_set_ints(Node *node, const char *name, const int64_t *values,
                   size_t count)
{
    int64_t *copy = arena_array(node->graph->arena, count, sizeof *copy);
    if (count > 0)
        memcpy(copy, values, count * sizeof *copy);
    Attr *attr = attr_slot(node, name, ATTR_INTS);
    attr->ints = copy;
    attr->count = count;
}

void node_set_string(Node *node, const char *name, const char *value)
{
    size_t size = strlen(value);
    const char *copy = arena_strndup(node->graph->arena, value, size);
    attr_slot(node, name, ATTR_STRING)->s = (Span){(const uint8_t *)copy, size};
}

void node_set_tensor(Node *node, const char *name, Tensor *tensor)
{
    attr_slot(node, name, ATTR_TENSOR)->tensor = tensor;
}
