#include "judge/known.h"

#include <string.h>

#include "graph/infer.h"
#include "judge/same.h"

/* Elements of one computed constant. */
enum { ELEMENTS_MAX = 1 << 26, INTEGERS_MAX = 1 << 10 };

Scope *scope_new(Arena *arena, const Scope *like, const Graph *graph,
                 Scope *parent)
{
    Scope *scope = arena_alloc(arena, sizeof *scope);
    *scope = *like;
    scope->arena = arena;
    scope->graph = graph;
    scope->parent = parent;
    scope->known = map_new(arena);
    scope->casts = map_new(arena);
    return scope;
}

/* ---- Constants ---- */

static Constant *constant_of_tensor(Scope *scope, const Tensor *tensor)
{
    Constant *constant = arena_alloc(scope->arena, sizeof *constant);
    *constant = (Constant){.type = tensor->type,
                           .rank = tensor->rank,
                           .dims = tensor->dims,
                           .count = tensor->count,
                           .tensor = tensor};
    return constant;
}

/* Integers become a tensor, for sizes may follow from them. */
static Constant *constant_of_array(Scope *scope, const Array *array,
                                   Arena *memory)
{
    if (dtype_is_integer(array->type) && array->count <= INTEGERS_MAX)
        return constant_of_tensor(
            scope, array_to_tensor(scope->arena, array, PRECISION_F64));
    Constant *constant = arena_alloc(scope->arena, sizeof *constant);
    *constant = (Constant){.type = array->type,
                           .rank = array->rank,
                           .dims = array->dims,
                           .count = array->count,
                           .array = array,
                           .memory = memory};
    return constant;
}

void constant_read(const Constant *constant, int64_t first, int64_t count,
                   double *out)
{
    enum { PIECE = 512 };
    char stored[PIECE * sizeof(double)];
    if (constant->array) {
        array_to_f64(constant->array, PRECISION_F64, first, count, out);
        return;
    }
    if (!constant->tensor->formula) {
        tensor_read_f64(constant->tensor, first, count, out);
        return;
    }
    Tensor piece = *constant->tensor;
    piece.formula = NULL;
    piece.data = stored;
    for (int64_t done = 0, now; done < count; done += now) {
        now = count - done < PIECE ? count - done : PIECE;
        tensor_read_stored(constant->tensor, first + done, now, stored);
        piece.count = now;
        piece.data_size = (size_t)now * dtype_size(piece.type);
        tensor_read_f64(&piece, 0, now, out + done);
    }
}

int64_t constant_ints(const Constant *constant, int64_t max, int64_t *out)
{
    if (!constant || constant->count > max || !dtype_is_integer(constant->type))
        return -1;
    if (constant->array)
        memcpy(out, constant->array->data,
               (size_t)constant->count * sizeof *out);
    else
        tensor_read_i64(constant->tensor, 0, constant->count, out);
    return constant->count;
}

bool constants_agree(const Constant *a, const Constant *b)
{
    if (a->tensor && b->tensor)
        return tensor_same(a->tensor, b->tensor);
    if (a->type != b->type || a->rank != b->rank ||
        memcmp(a->dims, b->dims, (size_t)a->rank * sizeof *a->dims) != 0)
        return false;
    enum { PIECE = 256 };
    double left[PIECE], right[PIECE];
    for (int64_t done = 0, now; done < a->count; done += now) {
        now = a->count - done < PIECE ? a->count - done : PIECE;
        constant_read(a, done, now, left);
        constant_read(b, done, now, right);
        if (memcmp(left, right, (size_t)now * sizeof *left) != 0)
            return false;
    }
    return true;
}

/* Elements of the initializers, up to a number that no file holds. */
static int64_t elements_held(const Graph *graph)
{
    const int64_t most = (int64_t)1 << 40;
    int64_t held = 0;
    for (size_t i = 0; i < graph->initializer_count && held < most; i++) {
        const Tensor *tensor = graph->initializers[i]->tensor;
        if (tensor)
            held += tensor->count < most ? tensor->count : most;
    }
    return held;
}

int64_t constants_room(const Graph *a, const Graph *b)
{
    enum { LEAST = 1 << 27, FOR_EACH = 64 };
    return LEAST + FOR_EACH * (elements_held(a) + elements_held(b));
}

/* ---- Values ---- */

Known *scope_find(const Scope *scope, const char *name)
{
    return map_get(scope->known, name);
}

/* A fact of the file, in symbols that both models share. */
static Fact fact_translated(Scope *scope, const Fact *from)
{
    const Symbols *own = scope->graph->model->symbols;
    Fact fact = *from;
    bool has_symbols = false;
    fact.ints = NULL;
    fact.int_count = -1;
    for (int i = 0; i < fact.rank; i++)
        has_symbols |= from->dims[i] < 0;
    if (!has_symbols)
        return fact;
    Dim *dims = fact_set(scope->arena, &fact, fact.type, fact.rank, from->dims);
    for (int i = 0; i < fact.rank; i++)
        if (dims[i] < 0)
            dims[i] = dim_is_unknown(own, dims[i])
                          ? dim_size_unknown(scope->symbols)
                          : dim_named(scope->symbols,
                                      dim_text(scope->arena, own, dims[i]));
    return fact;
}

static void known_constant(Known *known, const Constant *constant)
{
    known->constant = constant;
    if (constant->tensor)
        fact_of_tensor(known->scope->arena, known->scope->symbols,
                       constant->tensor, &known->fact);
}

static Known *known_new(Scope *scope, const Value *value)
{
    Known *known = arena_alloc(scope->arena, sizeof *known);
    known->value = value;
    known->scope = scope;
    /* What the converted file says of its values, folding wrote. */
    known->fact = scope->is_original || value->is_input
                      ? fact_translated(scope, &value->fact)
                      : FACT_UNKNOWN;
    map_put(scope->known, value->name, known);
    const Tensor *tensor = value_constant(scope->graph, value);
    /* What folding found to be constant is found anew. */
    if (tensor && value->is_initializer && tensor_is_readable(tensor))
        known_constant(known, constant_of_tensor(scope, tensor));
    return known;
}

Known *scope_known(Scope *scope, const Value *value)
{
    if (!value)
        return NULL;
    for (; value->outer && scope->parent; value = value->outer)
        scope = scope->parent;
    Known *known = map_get(scope->known, value->name);
    return known ? known : known_new(scope, value);
}

static bool pads_nothing(Scope *scope, const Node *node)
{
    int64_t given[2 * RANK_MAX];
    const int64_t *pads = given;
    const Known *list = scope_known(scope, node_input(node, 1));
    int64_t count = list ? constant_ints(list->constant, 2 * RANK_MAX, given)
                         : node_ints(node, "pads", &pads);
    for (int64_t i = 0; i < count; i++)
        if (pads[i] != 0)
            return false;
    return count >= 0;
}

bool node_keeps(Scope *scope, const Node *node)
{
    const Known *read = scope_known(scope, node_input(node, 0));
    const Known *made = scope_known(scope, node_output(node, 0));
    if (!read || !made || node_is_parametric(node))
        return false;
    switch (node->op) {
    case OP_Identity:
        return true;
    case OP_Cast:
        return (int64_t)read->fact.type == node_int(node, "to", DT_UNDEFINED);
    case OP_Reshape:
    case OP_Expand:
        return read->fact.rank >= 0 && facts_agree(&read->fact, &made->fact);
    case OP_Pad:
        return pads_nothing(scope, node);
    case OP_Slice:
        return takes_all(scope, node);
    case OP_Dropout:
        break;
    default:
        return false;
    }
    const Model *model = scope->graph->model;
    const Known *mode = scope_known(scope, node_input(node, 2));
    int64_t training =
        graph_opset(scope->graph) < 7 && !node_int(node, "is_test", 0);
    if (mode && constant_ints(mode->constant, 1, &training) != 1)
        training = 1;
    return !training || model->assume_inference;
}

/* What it is the same as, or NULL for a constant and where that ends. */
static Known *known_source(const Known *known)
{
    if (known->constant)
        return NULL;
    if (known->root)
        return known->root;
    if (known->same)
        return known->same;
    if (known->node && known->output == 0 &&
        node_keeps(known->scope, known->node))
        return scope_known(known->scope, known->node->inputs[0]);
    return NULL;
}

/* The way is not walked twice: it may be as long as the graph. */
Known *known_root(Known *known)
{
    Known *root = known, *next;
    while ((next = known_source(root)) != NULL)
        root = next;
    for (; known != root; known = next) {
        next = known_source(known);
        known->root = root;
    }
    return root;
}

bool facts_agree(const Fact *a, const Fact *b)
{
    return a->rank >= 0 && a->rank == b->rank &&
           memcmp(a->dims, b->dims, (size_t)a->rank * sizeof *a->dims) == 0;
}

static bool input_agrees(Known *a, Known *b)
{
    if (!a || !b)
        return a == b;
    if (a->constant && b->constant)
        return constants_agree(a->constant, b->constant);
    if (a->scope->is_original == b->scope->is_original)
        return known_root(a) == known_root(b);
    return b->twin && known_root(b->twin) == known_root(a);
}

bool inputs_agree(Scope *scope_a, const Node *a, Scope *scope_b, const Node *b,
                  int first)
{
    if (a->input_count != b->input_count)
        return false;
    for (int i = first; i < a->input_count; i++)
        if (!input_agrees(scope_known(scope_a, a->inputs[i]),
                          scope_known(scope_b, b->inputs[i])))
            return false;
    return true;
}

/* ---- Nodes ---- */

/* ONNX Constant holds its value in one of several attributes; most often it is
 * a tensor, which need not be copied. */
static const Constant *constant_held(Scope *scope, const Node *node)
{
    const Attr *attr = node_attr(node, "value");
    return node->op == OP_Constant && attr && attr_tensor(attr) &&
                   tensor_is_readable(attr->tensor)
               ? constant_of_tensor(scope, attr->tensor)
               : NULL;
}

/* What inference knows completely, such as what Shape gives. */
static const Constant *constant_of_fact(Scope *scope, const Fact *fact)
{
    int64_t values[FACT_INTS_MAX], dims[1] = {fact->int_count};
    if (fact->int_count < 0 || fact->rank > 1 || fact->type != DT_INT64)
        return NULL;
    for (int i = 0; i < fact->int_count; i++)
        if (!dim_is_known(scope->symbols, fact->ints[i], &values[i]))
            return NULL;
    void *data;
    Tensor *tensor =
        tensor_alloc(scope->arena, DT_INT64, fact->rank, dims, &data);
    memcpy(data, values, (size_t)tensor->count * sizeof *values);
    return constant_of_tensor(scope, tensor);
}

/* CastLike reads only the type of its second input. */
static bool reads_type(const Node *node, int slot)
{
    return node->op == OP_CastLike && slot == 1;
}

/* Computed numbers that are none of their type: a runtime has others. */
static bool reads_inexact(Scope *scope, const Node *node)
{
    for (int i = 0; i < node->input_count; i++) {
        const Known *input = scope_known(scope, node->inputs[i]);
        if (input && input->constant && input->constant->inexact)
            return true;
    }
    return false;
}

/* True where it matters to what they are compared or rounded. */
static bool node_jumps(Scope *scope, const Node *node)
{
    bool jumps = op_jumps(node->op);
    for (int i = 0; i < node->output_count; i++) {
        const Known *output = scope_known(scope, node->outputs[i]);
        jumps |= output && !dtype_is_real(output->fact.type);
    }
    return jumps;
}

static bool node_is_constant(Scope *scope, const Node *node)
{
    if (node->op == OP_OTHER || !exec_supports(node) || node_has_graphs(node) ||
        node_is_parametric(node) || node_is_quantizer(node))
        return false;
    for (int i = 0; i < node->input_count; i++) {
        const Known *input = scope_known(scope, node->inputs[i]);
        if (input && !input->constant &&
            (!reads_type(node, i) || input->fact.type == DT_UNDEFINED))
            return false;
    }
    return !reads_inexact(scope, node) || !node_jumps(scope, node);
}

/* True when the results are not too large, and there is memory for both sides
 * in double and as much again for what the operator needs. */
static bool node_fits(Scope *scope, const Node *node, int64_t *made)
{
    int64_t needed = 0, count;
    *made = 0;
    for (int i = 0; i < node->input_count; i++) {
        const Known *input = scope_known(scope, node->inputs[i]);
        if (input && input->constant && !reads_type(node, i))
            needed += input->constant->count;
    }
    for (int i = 0; i < node->output_count; i++) {
        const Known *output = scope_known(scope, node->outputs[i]);
        if (!output)
            continue;
        if (!fact_is_static(scope->symbols, &output->fact, &count) ||
            count > ELEMENTS_MAX || count > *scope->room)
            return false;
        *scope->room -= count;
        *made += count;
    }
    return arena_fits(scope->arena,
                      2 * (size_t)(needed + *made) * sizeof(double));
}

static int node_inputs(Scope *scope, Arena *scratch, const Node *node,
                       Array **inputs, Err *err)
{
    for (int i = 0; i < node->input_count; i++) {
        const Known *input = scope_known(scope, node->inputs[i]);
        if (!input)
            continue;
        const Constant *constant = input->constant;
        if (reads_type(node, i)) {
            inputs[i] =
                array_new(scratch, input->fact.type, 0, NULL, PRECISION_F64);
            continue;
        }
        if (constant->tensor) {
            TRY(array_from_tensor(scratch, constant->tensor, PRECISION_F64,
                                  false, &inputs[i], err));
            continue;
        }
        inputs[i] = array_new(scratch, constant->type, constant->rank,
                              constant->dims, PRECISION_F64);
        memcpy(inputs[i]->data, constant->array->data,
               (size_t)constant->count * sizeof(double));
    }
    return 0;
}

/* A node that cannot be evaluated is simply not constant. What it gives has
 * memory of its own where that is worth to be let go of. */
static void node_evaluate(Scope *scope, const Node *node)
{
    enum { OWN_LEAST = 1 << 13 };
    int64_t count;
    if (!node_fits(scope, node, &count))
        return;
    Err ignored = {0};
    Arena *scratch = arena_child(scope->arena);
    Arena *own = node->output_count == 1 && count >= OWN_LEAST
                     ? arena_child(scope->arena)
                     : NULL;
    Arena *arena = own ? own : scope->arena;
    Array **inputs =
        arena_array(scratch, (size_t)node->input_count + 1, sizeof *inputs);
    Array **outputs =
        arena_array(arena, (size_t)node->output_count + 1, sizeof *outputs);
    if (node_inputs(scope, scratch, node, inputs, &ignored) == 0 &&
        exec_node(arena, node, scope->exec, inputs, outputs, &ignored) == 0)
        for (int i = 0; i < node->output_count; i++) {
            if (!node->outputs[i] || !outputs[i])
                continue;
            Constant *made = constant_of_array(scope, outputs[i], own);
            made->inexact =
                dtype_is_real(made->type) &&
                (reads_inexact(scope, node) ||
                 !dtype_holds(made->type, made->array->data, made->count));
            known_constant(scope_known(scope, node->outputs[i]), made);
        }
    arena_free(scratch);
}

/* What a node has read that is constant itself may go when it was the last. */
static void inputs_spend(Scope *scope, const Node *node)
{
    const Known *first = scope_known(scope, node_output(node, 0));
    for (int i = 0; i < node->input_count; i++) {
        Known *input = scope_known(scope, node->inputs[i]);
        if (!input)
            continue;
        input->needed |= !first || !first->constant;
        input->unread--;
        if (input->unread != 0 || input->needed || !input->constant ||
            !input->constant->memory)
            continue;
        arena_free(input->constant->memory);
        input->constant = NULL;
        input->spent = true;
    }
}

/* Bodies are read later, and functions when they are called. */
static void body_needs(Scope *scope, const Node *node)
{
    for (int i = 0; i < node->input_count; i++)
        if (node->inputs[i])
            scope_known(scope, node->inputs[i])->needed = true;
    for (int i = 0; i < node->attr_count; i++) {
        size_t count;
        Graph *const *bodies = attr_graphs(&node->attrs[i], &count);
        for (size_t k = 0; k < count; k++)
            for (size_t n = 0; n < bodies[k]->scope_count; n++)
                if (bodies[k]->scope[n]->outer)
                    scope_known(scope, bodies[k]->scope[n]->outer)->needed =
                        true;
    }
}

void scope_count_readers(Scope *scope)
{
    const Graph *graph = scope->graph;
    for (size_t i = 0; i < graph->output_count; i++)
        scope_known(scope, graph->outputs[i])->needed = true;
    for (size_t i = 0; i < graph->node_count; i++) {
        const Node *node = graph->nodes[i];
        for (int k = 0; k < node->input_count; k++)
            if (node->inputs[k])
                scope_known(scope, node->inputs[k])->unread++;
        if (node->op == OP_OTHER || node_has_graphs(node))
            body_needs(scope, node);
    }
}

static void fact_merge(Scope *scope, const Fact *found, Fact *known)
{
    const Fact before = *known;
    *known = *found;
    if (known->type == DT_UNDEFINED)
        known->type = before.type;
    if (found->rank < 0 && before.rank >= 0) {
        known->rank = before.rank;
        known->dims = before.dims;
    }
    if (found->rank < 0 || found->rank != before.rank)
        return;
    Dim *dims =
        fact_set(scope->arena, known, known->type, found->rank, found->dims);
    for (int i = 0; i < found->rank; i++)
        if (dim_is_unknown(scope->symbols, dims[i]) &&
            !dim_is_unknown(scope->symbols, before.dims[i]))
            dims[i] = before.dims[i];
}

int scope_infer(Scope *scope, const Node *node, Err *err)
{
    Arena *scratch = arena_child(scope->arena);
    size_t inputs = (size_t)node->input_count;
    size_t outputs = (size_t)node->output_count;
    const Fact **facts = arena_array(scratch, inputs + 1, sizeof *facts);
    const Tensor **tensors = arena_array(scratch, inputs + 1, sizeof *tensors);
    Fact *found = arena_array(scratch, outputs + 1, sizeof *found);
    for (size_t i = 0; i < inputs; i++) {
        const Known *input = scope_known(scope, node->inputs[i]);
        facts[i] = input ? &input->fact : NULL;
        tensors[i] = input && input->constant ? input->constant->tensor : NULL;
    }
    InferCall call = {.node = node,
                      .opset = graph_opset(scope->graph),
                      .arena = scope->arena,
                      .symbols = scope->symbols,
                      .inputs = facts,
                      .tensors = tensors,
                      .outputs = found};
    TRY(infer_node(&call, err));
    for (size_t i = 0; i < outputs; i++) {
        Known *output = scope_known(scope, node->outputs[i]);
        if (output)
            fact_merge(scope, &found[i], &output->fact);
    }
    arena_free(scratch);
    return 0;
}

/* Converters to float16 put a Cast of its own before each reader. */
static void find_same_cast(Scope *scope, const Node *node, Known *made)
{
    const Known *read = known_root(scope_known(scope, node->inputs[0]));
    if (made->constant || read->scope != scope)
        return;
    const char *key = arena_printf(
        scope->arena, "%lld %s", (long long)node_int(node, "to", DT_UNDEFINED),
        read->value->name);
    Known *first = map_get(scope->casts, key);
    if (!first)
        map_put(scope->casts, key, made);
    else if (node_same(first->node, node))
        made->same = first;
}

int scope_take(Scope *scope, const Node *node, Err *err)
{
    for (int i = 0; i < node->output_count; i++) {
        Known *output = scope_known(scope, node->outputs[i]);
        if (!output)
            continue;
        output->node = node;
        output->output = i;
    }
    for (int i = 0; i < node->input_count; i++)
        if (node->inputs[i])
            scope_known(scope, node->inputs[i])->readers++;
    TRY(scope_infer(scope, node, err));
    Known *first = scope_known(scope, node_output(node, 0));
    if (!first)
        return 0;
    first->constant = constant_held(scope, node);
    if (!first->constant && node->output_count == 1)
        first->constant = constant_of_fact(scope, &first->fact);
    if (!first->constant && node_is_constant(scope, node))
        node_evaluate(scope, node);
    inputs_spend(scope, node);
    if (node->op == OP_Cast)
        find_same_cast(scope, node, first);
    return body_enter(first, err);
}
