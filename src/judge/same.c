#include "judge/same.h"

#include <string.h>

bool tensor_same(const Tensor *a, const Tensor *b)
{
    if (a == b)
        return true;
    if (a->type != b->type || a->rank != b->rank || a->formula || b->formula ||
        a->data_size != b->data_size ||
        memcmp(a->dims, b->dims, (size_t)a->rank * sizeof *a->dims) != 0)
        return false;
    if (a->data_size == 0 || a->data == b->data)
        return a->data_size == 0 || a->data;
    return a->data && b->data && memcmp(a->data, b->data, a->data_size) == 0;
}

static bool span_same(Span a, Span b)
{
    return a.size == b.size &&
           (a.size == 0 || memcmp(a.bytes, b.bytes, a.size) == 0);
}

static bool list_same(const Attr *a, const Attr *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; a->type == ATTR_STRINGS && i < a->count; i++)
        if (!span_same(a->strings[i], b->strings[i]))
            return false;
    if (a->count == 0 || a->type == ATTR_STRINGS)
        return true;
    return a->type == ATTR_INTS
               ? memcmp(a->ints, b->ints, a->count * sizeof *a->ints) == 0
               : memcmp(a->floats, b->floats, a->count * sizeof *a->floats) ==
                     0;
}

static bool attr_same(const Attr *a, const Attr *b)
{
    if (a->type != b->type || strcmp(a->name, b->name) != 0)
        return false;
    switch (a->type) {
    case ATTR_FLOAT:
        return memcmp(&a->f, &b->f, sizeof a->f) == 0;
    case ATTR_INT:
        return a->i == b->i;
    case ATTR_STRING:
        return span_same(a->s, b->s);
    case ATTR_TENSOR:
        return a->tensor && b->tensor && tensor_same(a->tensor, b->tensor);
    case ATTR_FLOATS:
    case ATTR_INTS:
    case ATTR_STRINGS:
        return list_same(a, b);
    default:
        return false;
    }
}

/* Attributes in another order only cost a comparison of values. */
bool node_same(const Node *a, const Node *b)
{
    if (a->graph->model->opset != b->graph->model->opset)
        return false;
    if (a->op != b->op || strcmp(a->op_type, b->op_type) != 0 ||
        strcmp(a->domain, b->domain) != 0 || a->attr_count != b->attr_count ||
        a->input_count != b->input_count || a->output_count != b->output_count)
        return false;
    for (int i = 0; i < a->attr_count; i++)
        if (!attr_same(&a->attrs[i], &b->attrs[i]))
            return false;
    return true;
}

bool constant_same(const Cell *a, const Cell *b)
{
    const Tensor *left = a->value->tensor, *right = b->value->tensor;
    if (left && right)
        return tensor_same(left, right);
    return !left && !right && node_same(a->value->producer, b->value->producer);
}
