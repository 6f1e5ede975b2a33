/*
 * Shape inference: the driver, and what the shape functions share.
 */
#include "graph/infer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "graph/dump.h"

static const Fact unknown_fact = {.rank = -1, .int_count = -1};

/* ORDER Op */
static InferFunction *const functions[OP_COUNT] = {
    [OP_OTHER] = infer_opaque,
#define OP(name, min_in, max_in, max_out, since, until, infer, attrs)          \
    [OP_##name] = infer_##infer,
#include "graph/op.def"
#undef OP
};

int infer_opaque(InferCall *call, Err *err)
{
    (void)call;
    (void)err;
    return 0;
}

int infer_node(InferCall *call, Err *err)
{
    for (int i = 0; i < call->node->output_count; i++)
        call->outputs[i] = FACT_UNKNOWN;
    if (node_is_parametric(call->node))
        return 0;
    return functions[call->node->op](call, err);
}

int infer_fail(const InferCall *call, Err *err, ErrCode code,
               const char *format, ...)
{
    char message[sizeof err->message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return err_set(err, code, "%s: %s", node_text(call->arena, call->node),
                   message);
}

/* ---- Inputs ---- */

bool infer_has(const InferCall *call, int slot)
{
    return node_input(call->node, slot) != NULL;
}

const Fact *infer_in(const InferCall *call, int slot)
{
    return infer_has(call, slot) && call->inputs[slot] ? call->inputs[slot]
                                                       : &unknown_fact;
}

DType infer_either_type(const InferCall *call)
{
    DType type = infer_in(call, 0)->type;
    return type != DT_UNDEFINED ? type : infer_in(call, 1)->type;
}

const Tensor *infer_tensor(const InferCall *call, int slot)
{
    return infer_has(call, slot) && call->tensors ? call->tensors[slot] : NULL;
}

/* Whether its elements are worth tracking. */
static bool tensor_is_int_list(const Tensor *tensor)
{
    return tensor->rank <= 1 && tensor->count <= FACT_INTS_MAX &&
           dtype_is_integer(tensor->type) && !tensor->formula &&
           tensor_is_readable(tensor);
}

static Dim *dims_of_tensor(Arena *arena, Symbols *symbols, const Tensor *tensor)
{
    int64_t values[FACT_INTS_MAX];
    Dim *dims = arena_array(arena, (size_t)tensor->count, sizeof *dims);
    tensor_read_i64(tensor, 0, tensor->count, values);
    for (int64_t i = 0; i < tensor->count; i++) {
        bool too_large = tensor->type == DT_UINT64 && values[i] < 0;
        dims[i] =
            too_large ? dim_unknown(symbols) : dim_number(symbols, values[i]);
    }
    return dims;
}

void fact_of_tensor(Arena *arena, Symbols *symbols, const Tensor *tensor,
                    Fact *out)
{
    *out = fact_of(tensor->type, tensor->rank, tensor->dims);
    if (tensor_is_int_list(tensor)) {
        out->ints = dims_of_tensor(arena, symbols, tensor);
        out->int_count = (int)tensor->count;
    }
}

IntList infer_ints(const InferCall *call, int slot)
{
    const Fact *fact = infer_in(call, slot);
    if (fact->int_count >= 0)
        return (IntList){fact->ints, fact->int_count};
    const Tensor *tensor = infer_tensor(call, slot);
    if (!tensor || !tensor_is_int_list(tensor))
        return (IntList){NULL, -1};
    return (IntList){dims_of_tensor(call->arena, call->symbols, tensor),
                     (int)tensor->count};
}

int infer_reals(const InferCall *call, int slot, int max, double *out)
{
    const Tensor *tensor = infer_tensor(call, slot);
    if (!tensor || !tensor_is_readable(tensor) || tensor->count > max ||
        tensor->inexact)
        return -1;
    tensor_read_f64(tensor, 0, tensor->count, out);
    return (int)tensor->count;
}

IntList infer_list(const InferCall *call, int slot, const char *attribute)
{
    if (infer_has(call, slot))
        return infer_ints(call, slot);
    const int64_t *values = NULL;
    int64_t count = node_ints(call->node, attribute, &values);
    if (count <= 0)
        return (IntList){NULL, 0};
    if (count > FACT_INTS_MAX)
        return (IntList){NULL, -1};
    Dim *items = arena_array(call->arena, (size_t)count, sizeof *items);
    for (int64_t i = 0; i < count; i++)
        items[i] = dim_number(call->symbols, values[i]);
    return (IntList){items, (int)count};
}

int infer_axis(const InferCall *call, int64_t axis, int rank, int *out,
               Err *err)
{
    if (axis < -rank || axis >= rank)
        return infer_fail(call, err, ERR_BAD_ATTRIBUTE,
                          "axis %lld is out of range for rank %d",
                          (long long)axis, rank);
    *out = (int)(axis < 0 ? axis + rank : axis);
    return 0;
}

int infer_axes(const InferCall *call, IntList list, int rank,
               bool set[RANK_MAX], Err *err)
{
    memset(set, 0, RANK_MAX * sizeof *set);
    for (int i = 0; i < list.count; i++) {
        int64_t number;
        int axis = 0;
        if (!dim_is_known(call->symbols, list.items[i], &number))
            return 0;
        TRY(infer_axis(call, number, rank, &axis, err));
        if (set[axis])
            return infer_fail(call, err, ERR_BAD_ATTRIBUTE,
                              "axis %d is given twice", axis);
        set[axis] = true;
    }
    return list.count >= 0;
}

int infer_int_attr(const InferCall *call, const char *name, int64_t fallback,
                   int64_t least, int64_t *out, Err *err)
{
    *out = node_int(call->node, name, fallback);
    if (*out < least || *out > INT32_MAX)
        return infer_fail(call, err, ERR_BAD_ATTRIBUTE,
                          "%s is %lld, which is not possible", name,
                          (long long)*out);
    return 0;
}

int infer_type_attr(const InferCall *call, const char *name, DType fallback,
                    DType *out, Err *err)
{
    int64_t type = node_int(call->node, name, fallback);
    if (type < 0 || type >= DT_COUNT)
        return infer_fail(call, err, ERR_BAD_ATTRIBUTE, "%s %lld is not a type",
                          name, (long long)type);
    *out = (DType)type;
    return 0;
}

/* ---- Outputs ---- */

Fact *infer_out(InferCall *call, int slot)
{
    if (slot < call->node->output_count)
        return &call->outputs[slot];
    Fact *nobody = arena_alloc(call->arena, sizeof *nobody);
    *nobody = FACT_UNKNOWN;
    return nobody;
}

Dim *infer_set(const InferCall *call, Fact *out, DType type, int rank,
               const Dim *dims)
{
    out->type = type;
    if (rank < 0 || rank > RANK_MAX)
        return NULL;
    return fact_set(call->arena, out, type, rank, dims);
}

Dim *infer_copy(const InferCall *call, Fact *out, const Fact *in)
{
    return infer_set(call, out, in->type, in->rank, in->dims);
}

void infer_follow(const InferCall *call, Fact *out, IntList list)
{
    if (!dtype_is_integer(out->type) || list.count < 0 ||
        list.count > FACT_INTS_MAX)
        return;
    if (out->rank == 1 && out->dims[0] < 0)
        infer_set(call, out, out->type, 1, &(Dim){list.count});
    if (out->rank == 1 ? out->dims[0] != list.count
                       : out->rank != 0 || list.count != 1)
        return;
    out->ints = list.items;
    out->int_count = list.count;
}

IntList infer_map(InferCall *call, DType type, IntList a, IntList b,
                  InferElement *element)
{
    bool fits = a.count == b.count || a.count == 1 || b.count == 1;
    if (a.count < 0 || b.count < 0 || !fits || !dtype_is_integer(type))
        return (IntList){NULL, -1};
    int count = a.count == 1 ? b.count : a.count;
    Dim *items = arena_array(call->arena, (size_t)count, sizeof *items);
    for (int i = 0; i < count; i++)
        items[i] = infer_fit(call, type,
                             element(call, a.items[a.count == 1 ? 0 : i],
                                     b.items[b.count == 1 ? 0 : i]));
    return (IntList){items, count};
}

/* ---- Dims ---- */

Dim infer_dim(const InferCall *call, DimOp op, Dim a, Dim b)
{
    return dim_combine(call->symbols, op, a, b);
}

Dim infer_axis_size(const InferCall *call, const Fact *fact, int axis)
{
    return fact->rank < 0 ? dim_size_unknown(call->symbols) : fact->dims[axis];
}

const char *infer_text(const InferCall *call, const Fact *fact)
{
    Text text = {.arena = call->arena};
    text_fact(&text, call->symbols, fact);
    return text.bytes;
}

Dim infer_product(const InferCall *call, const Dim *dims, int first, int last)
{
    Dim product = 1;
    for (int i = first; i < last; i++)
        product = infer_dim(call, DIM_MUL, product, dims[i]);
    return product;
}

int infer_same(const InferCall *call, Dim a, Dim b, const char *what, Dim *out,
               Err *err)
{
    /* A number says more than a symbol. */
    *out = a >= 0 || b < 0 ? a : b;
    if (a >= 0 && b >= 0 && a != b)
        return infer_fail(call, err, ERR_BAD_SHAPE, "%s: %lld is not %lld",
                          what, (long long)a, (long long)b);
    return 0;
}

/* Size 1 gives way. Of two symbols either may be 1. */
static int broadcast_dim(const InferCall *call, Dim a, Dim b, Dim *out)
{
    if (a == b || b == 1)
        *out = a;
    else if (a == 1)
        *out = b;
    else if (a >= 0 && b >= 0)
        return -1;
    else if (a >= 0 || b >= 0)
        *out = a >= 0 ? a : b;
    else
        *out = dim_size_unknown(call->symbols);
    return 0;
}

int infer_broadcast(const InferCall *call, const Fact *a, const Fact *b,
                    Fact *out, Err *err)
{
    if (a->rank < 0 || b->rank < 0) {
        out->rank = -1;
        return 0;
    }
    Dim dims[RANK_MAX];
    int rank = a->rank > b->rank ? a->rank : b->rank;
    for (int i = 1; i <= rank; i++) {
        Dim left = i <= a->rank ? a->dims[a->rank - i] : 1;
        Dim right = i <= b->rank ? b->dims[b->rank - i] : 1;
        if (broadcast_dim(call, left, right, &dims[rank - i]) < 0)
            return infer_fail(call, err, ERR_BAD_SHAPE,
                              "shapes %s and %s do not broadcast",
                              infer_text(call, a), infer_text(call, b));
    }
    infer_set(call, out, out->type, rank, dims);
    return 0;
}

Dim infer_fit(const InferCall *call, DType type, Dim dim)
{
    IntegerRange range = dtype_range(type);
    int64_t value;
    if (!dim_is_known(call->symbols, dim, &value) ||
        (value >= range.least && value <= range.most))
        return dim;
    return dim_unknown(call->symbols);
}

/* ---- The graph ---- */

/* What inference found, completed by what was known before: by the file's
 * value_info, or by an earlier inference. Where both know, inference wins:
 * exporters write wrong value_info. The unknown of another value says which
 * sizes are equal; one made for this node, of which `count` symbols know
 * nothing, says less than what stood there. */
static Dim dim_merge(const Symbols *symbols, size_t count, Dim found,
                     Dim before)
{
    bool says_less =
        dim_is_unknown(symbols, found) &&
        (dim_is_later(found, count) || !dim_is_unknown(symbols, before));
    return says_less ? before : found;
}

/* Dims that stay as they are need no place of their own again, however often
 * they are inferred. */
static void fact_merge(Graph *graph, size_t count, const Fact *found,
                       Fact *fact)
{
    Dim dims[RANK_MAX];
    bool same = found->rank == fact->rank, changed = !same;
    if (found->type != DT_UNDEFINED)
        fact->type = found->type;
    fact->ints = found->ints;
    fact->int_count = found->int_count;
    for (int i = 0; i < found->rank; i++) {
        dims[i] = same ? dim_merge(graph->model->symbols, count, found->dims[i],
                                   fact->dims[i])
                       : found->dims[i];
        changed |= same && dims[i] != fact->dims[i];
    }
    if (found->rank >= 0 && changed)
        fact_set(graph->arena, fact, fact->type, found->rank, dims);
}

/* What is known of the input of a node, through whatever scopes it comes. */
static const Fact *fact_of_input(const Value *value)
{
    while (value->outer)
        value = value->outer;
    return &value->fact;
}

/* Room for the facts of one node, reused for all. */
typedef struct CallRoom {
    const Fact **inputs;
    const Tensor **tensors;
    Fact *outputs;
    size_t input_capacity, tensor_capacity, output_capacity;
} CallRoom;

static int infer_in_graph(Graph *graph, Node *node, CallRoom *room, Err *err)
{
    Arena *arena = graph->facts;
    size_t inputs = (size_t)node->input_count;
    size_t outputs = (size_t)node->output_count;
    room->inputs = arena_grow(arena, room->inputs, &room->input_capacity,
                              inputs, sizeof *room->inputs);
    room->tensors = arena_grow(arena, room->tensors, &room->tensor_capacity,
                               inputs, sizeof *room->tensors);
    room->outputs = arena_grow(arena, room->outputs, &room->output_capacity,
                               outputs, sizeof *room->outputs);
    for (size_t i = 0; i < inputs; i++) {
        const Value *value = node->inputs[i];
        room->inputs[i] = value ? fact_of_input(value) : NULL;
        room->tensors[i] = value ? value_constant(graph, value) : NULL;
    }
    InferCall call = {.node = node,
                      .opset = graph_opset(graph),
                      .arena = arena,
                      .symbols = graph->model->symbols,
                      .inputs = room->inputs,
                      .tensors = room->tensors,
                      .outputs = room->outputs};
    size_t count = symbols_count(call.symbols);
    TRY(infer_node(&call, err));
    for (size_t i = 0; i < outputs; i++) {
        Value *value = node->outputs[i];
        if (value)
            fact_merge(graph, count, &room->outputs[i], &value->fact);
    }
    return 0;
}

/* Constants are known from the start, and nothing else of an earlier
 * inference but types and sizes. */
static void infer_begin(Graph *graph)
{
    arena_free(graph->facts);
    graph->facts = arena_child(graph->arena);
    for (size_t i = 0; i < graph->scope_count; i++) {
        Value *value = graph->scope[i];
        const Tensor *tensor = value_constant(graph, value);
        value->fact.ints = NULL;
        value->fact.int_count = -1;
        if (tensor && !value->outer)
            fact_of_tensor(graph->facts, graph->model->symbols, tensor,
                           &value->fact);
    }
}

int graph_infer(Graph *graph, Err *err)
{
    CallRoom room = {0};
    infer_begin(graph);
    for (size_t i = 0; i < graph->node_count; i++)
        if (!graph->nodes[i]->removed)
            TRY(infer_in_graph(graph, graph->nodes[i], &room, err));
    return 0;
}
