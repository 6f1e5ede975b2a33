#include <string.h>

#include "graph/graph.h"

/* ORDER Op: the rows of op.def, which are sorted by name. */
static const struct {
    const char *name;
    OpArity arity;
    OpRange range;
} ops[OP_COUNT] = {
    [OP_OTHER] = {"", {0, -1, -1}, {1, 0}},
#define OP(name, min_in, max_in, max_out, since, until, infer)                 \
    [OP_##name] = {#name, {min_in, max_in, max_out}, {since, until}},
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
