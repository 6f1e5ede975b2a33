#include "judge/same.h"

#include <string.h>

/* Elements as a file would hold them, a formula's rounded. */
static bool elements_same(const Tensor *a, const Tensor *b)
{
    enum { PIECE = 512 };
    char left[PIECE * sizeof(double)], right[PIECE * sizeof(double)];
    for (int64_t done = 0, now; done < a->count; done += now) {
        now = a->count - done < PIECE ? a->count - done : PIECE;
        tensor_read_stored(a, done, now, left);
        tensor_read_stored(b, done, now, right);
        if (memcmp(left, right, (size_t)now * dtype_size(a->type)) != 0)
            return false;
    }
    return true;
}

bool tensor_same(const Tensor *a, const Tensor *b)
{
    if (a == b)
        return true;
    if (a->type != b->type || a->rank != b->rank ||
        memcmp(a->dims, b->dims, (size_t)a->rank * sizeof *a->dims) != 0)
        return false;
    bool is_mapped = a->data && b->data && !a->formula && !b->formula;
    return (is_mapped && a->data == b->data) ||
           (tensor_is_readable(a) && tensor_is_readable(b) &&
            elements_same(a, b));
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

bool attr_same(const Attr *a, const Attr *b)
{
    const char *left = a->reference ? a->reference : "";
    const char *right = b->reference ? b->reference : "";
    if (a->type != b->type || strcmp(a->name, b->name) != 0 ||
        strcmp(left, right) != 0)
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
    if (graph_opset(a->graph) != graph_opset(b->graph))
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

static bool names_same(Value *const *a, Value *const *b, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!a[i] != !b[i] || (a[i] && strcmp(a[i]->name, b[i]->name) != 0))
            return false;
    return true;
}

static bool bodies_same(const Graph *a, const Graph *b)
{
    if (graph_opset(a) != graph_opset(b) || a->node_count != b->node_count ||
        a->input_count != b->input_count ||
        a->output_count != b->output_count ||
        !names_same(a->inputs, b->inputs, a->input_count) ||
        !names_same(a->outputs, b->outputs, a->output_count))
        return false;
    for (size_t i = 0; i < a->node_count; i++) {
        const Node *left = a->nodes[i], *right = b->nodes[i];
        if (!node_same(left, right) ||
            !names_same(left->inputs, right->inputs,
                        (size_t)left->input_count) ||
            !names_same(left->outputs, right->outputs,
                        (size_t)left->output_count))
            return false;
    }
    return true;
}

static bool defaults_same(const Function *a, const Function *b)
{
    if (a->default_count != b->default_count)
        return false;
    for (size_t i = 0; i < a->default_count; i++)
        if (!attr_same(&a->defaults[i], &b->defaults[i]))
            return false;
    return true;
}

bool functions_same(const Model *a, const Model *b)
{
    if (a == b)
        return true;
    if (a->function_count != b->function_count)
        return false;
    for (size_t i = 0; i < a->function_count; i++) {
        const Function *left = &a->functions[i], *right = &b->functions[i];
        if (strcmp(left->name, right->name) != 0 ||
            strcmp(left->domain, right->domain) != 0 ||
            !defaults_same(left, right) ||
            !bodies_same(left->body, right->body))
            return false;
    }
    return true;
}

static const Tensor *cell_tensor(const Cell *cell)
{
    if (cell->value->tensor)
        return cell->value->tensor;
    const Attr *value = node_attr(cell->value->producer, "value");
    return value && value->type == ATTR_TENSOR ? value->tensor : NULL;
}

bool constant_same(const Cell *a, const Cell *b)
{
    const Tensor *left = cell_tensor(a), *right = cell_tensor(b);
    if (left && right)
        return tensor_same(left, right);
    return !left && !right && node_same(a->value->producer, b->value->producer);
}
