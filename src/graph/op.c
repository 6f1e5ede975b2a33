#include <string.h>

#include "graph/graph.h"

/* ORDER Op: the rows of op.def, which are sorted by name. */
static const struct {
    const char *name;
    OpArity arity;
} ops[OP_COUNT] = {
    [OP_OTHER] = {"", {0, -1, -1}},
#define OP(name, min_in, max_in, max_out, infer)                               \
    [OP_##name] = {#name, {min_in, max_in, max_out}},
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
