#include <string.h>

#include "graph/graph.h"

/* An attribute that an operator has; a list ends with one without a name. */
typedef struct OpAttr {
    const char *name;
    AttrType type;
} OpAttr;

#define NONE
#define FLOAT(name) {#name, ATTR_FLOAT},
#define FLOATS(name) {#name, ATTR_FLOATS},
#define INT(name) {#name, ATTR_INT},
#define INTS(name) {#name, ATTR_INTS},
#define STRING(name) {#name, ATTR_STRING},
#define STRINGS(name) {#name, ATTR_STRINGS},
#define TENSOR(name) {#name, ATTR_TENSOR},
#define SPARSE_TENSOR(name) {#name, ATTR_SPARSE_TENSOR},
#define GRAPH(name) {#name, ATTR_GRAPH},
#define OP(name, min_in, max_in, max_out, since, until, infer, attrs)          \
    static const OpAttr attrs_of_##name[] = {attrs{NULL, ATTR_UNDEFINED}};
#include "graph/op.def"
#undef OP

/* ORDER Op: the rows of op.def, which are sorted by name. */
static const struct {
    const char *name;
    OpArity arity;
    OpRange range;
    const OpAttr *attrs;
} ops[OP_COUNT] = {
    [OP_OTHER] = {"", {0, -1, -1}, {1, 0}, NULL},
#define OP(name, min_in, max_in, max_out, since, until, infer, attrs)          \
    [OP_##name] = {                                                            \
        #name, {min_in, max_in, max_out}, {since, until}, attrs_of_##name},
#include "graph/op.def"
#undef OP
};

Op op_find(const char *name)
{
    int low = OP_OTHER + 1, high = OP_COUNT;
    while (low < high) {
        int middle = low + (high - low) / 2;
        int order = strcmp(name, ops[middle].name);
        if (order == 0)
            return (Op)middle;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return OP_OTHER;
}

const char *op_name(Op op)
{
    return ops[op].name;
}

OpArity op_arity(Op op)
{
    return ops[op].arity;
}

OpRange op_range(Op op)
{
    return ops[op].range;
}

bool op_exists(Op op, int64_t opset)
{
    OpRange range = ops[op].range;
    return opset == 0 ||
           (opset >= range.since && (range.until == 0 || opset <= range.until));
}

uint32_t op_attr_types(Op op, const char *name)
{
    uint32_t types = 0;
    for (const OpAttr *attr = ops[op].attrs; attr && attr->name; attr++)
        if (strcmp(attr->name, name) == 0)
            types |= (uint32_t)1 << attr->type;
    return types;
}

bool op_jumps(Op op)
{
    switch (op) {
    case OP_Ceil:
    case OP_Floor:
    case OP_Hardmax:
    case OP_Mod:
    case OP_Range:
    case OP_Round:
    case OP_Shrink:
    case OP_Sign:
    case OP_ThresholdedRelu:
    case OP_TopK:
        return true;
    default:
        return false;
    }
}

bool is_onnx_domain(const char *domain)
{
    return !domain[0] || strcmp(domain, "ai.onnx") == 0;
}
