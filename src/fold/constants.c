/*
 * Constant evaluation.  It changes nothing in the graph: it only finds out
 * what is constant, so that a file in which nothing folds stays the same.
 *
 * requires: uses, shapes.  fills: value->tensor; of what only nodes read that
 * are constant themselves, the tensor says so and can no longer be read.
 */
#include <string.h>

#include "exec/exec.h"
#include "fold/site.h"

/* Elements of one evaluated constant, and of all of them. */
enum { ELEMENTS_MAX = 1 << 26, ELEMENTS_TOTAL = 1 << 27 };

/* Values of evaluated real constants, kept unrounded. */
typedef struct DoublesFormula {
    TensorFormula formula;
    const double *values;
} DoublesFormula;

static void doubles_read(const TensorFormula *self, int64_t first,
                         int64_t count, double *out)
{
    const double *values = ((const DoublesFormula *)self)->values;
    memcpy(out, values + first, (size_t)count * sizeof *out);
}

Tensor *tensor_from_doubles(Arena *arena, DType type, int rank,
                            const int64_t *dims, const double *values)
{
    DoublesFormula *formula = arena_alloc(arena, sizeof *formula);
    *formula = (DoublesFormula){{doubles_read}, values};
    return tensor_from_formula(arena, type, rank, dims, &formula->formula);
}

/* From so many elements on a constant is a block that can be let go of. */
enum { BLOCK_LEAST = 1 << 12 };

/* `inexact`: something that it is computed from is. */
static Tensor *doubles_tensor(Arena *arena, const Array *array, bool inexact)
{
    size_t count = (size_t)array->count;
    double *values = count < BLOCK_LEAST
                         ? arena_array(arena, count, sizeof *values)
                         : arena_block(arena, count, sizeof *values);
    memcpy(values, array->data, count * sizeof *values);
    Tensor *tensor = tensor_from_doubles(arena, array->type, array->rank,
                                         array->dims, values);
    tensor->inexact =
        inexact || !dtype_holds(array->type, values, array->count);
    return tensor;
}

/* True when all that reads the value is known to be constant, too. */
static bool is_used_up(const Value *value)
{
    for (int i = 0; i < value->use_count; i++) {
        const Node *reader = value->uses[i].node;
        const Value *made = reader ? node_output(reader, 0) : NULL;
        if (!made || !made->tensor)
            return false;
    }
    return !value->is_output && !value->is_captured;
}

/* A weight may be computed in many steps, each as large as it is. What nodes
 * gave that are `fresh` no fold has seen yet. */
static void inputs_let_go(Fold *fold, const Node *node, const bool *fresh)
{
    for (int i = 0; i < node->input_count; i++) {
        const Value *value = node->inputs[i];
        const Node *producer = value ? value->producer : NULL;
        Tensor *tensor =
            producer && producer->graph == fold->graph ? value->tensor : NULL;
        if (!tensor || !fresh[producer->index] || tensor->count < BLOCK_LEAST ||
            !tensor->formula || tensor->formula->read != doubles_read ||
            !is_used_up(value))
            continue;
        const DoublesFormula *doubles = (const DoublesFormula *)tensor->formula;
        arena_release((void *)(uintptr_t)doubles->values);
        tensor->formula = NULL;
    }
}

/* One number in all places, as many as there may be. */
typedef struct UniformFormula {
    TensorFormula formula;
    double value;
} UniformFormula;

static void uniform_read(const TensorFormula *self, int64_t first,
                         int64_t count, double *out)
{
    (void)first;
    for (int64_t i = 0; i < count; i++)
        out[i] = ((const UniformFormula *)self)->value;
}

/* What ConstantOfShape gives takes no memory; NULL where it is none, or not of
 * a known shape and a real type. ONNX ConstantOfShape-9: zeros of float32
 * unless `value` says otherwise. */
static Tensor *tensor_uniform(Fold *fold, const Node *node, int64_t *left)
{
    const Fact *fact = &node->outputs[0]->fact;
    const Attr *attr = node_attr(node, "value");
    const Tensor *value = attr ? attr_tensor(attr) : NULL;
    int64_t count;
    if (node->op != OP_ConstantOfShape || !dtype_is_real(fact->type) ||
        !fact_is_static(fold->model->symbols, fact, &count) ||
        count > ELEMENTS_MAX || count > *left ||
        (attr && (!value || value->count != 1 || !tensor_is_readable(value))))
        return NULL;
    *left -= count;
    UniformFormula *uniform = arena_alloc(fold->arena, sizeof *uniform);
    uniform->formula.read = uniform_read;
    if (value)
        tensor_read_f64(value, 0, 1, &uniform->value);
    Tensor *tensor = tensor_from_formula(fold->arena, fact->type, fact->rank,
                                         fact->dims, &uniform->formula);
    tensor->inexact = false;
    return tensor;
}

/* Marks the nodes whose outputs a fold may want to know: weights, statistics
 * and constant operands, and what computes them. */
static void mark_wanted(const Graph *graph, bool *wanted)
{
    for (size_t i = graph->node_count; i-- > 0;) {
        const Node *node = graph->nodes[i];
        bool parameters = node->op == OP_Conv || node->op == OP_ConvTranspose ||
                          node->op == OP_BatchNormalization ||
                          node->op == OP_Gemm || node->op == OP_MatMul ||
                          node->op == OP_Mul || node->op == OP_Add ||
                          node->op == OP_Sub || node->op == OP_Div ||
                          node->op == OP_Pad || node->op == OP_Dropout ||
                          node->op == OP_If || node->op == OP_AveragePool ||
                          node->op == OP_Slice || node->op == OP_Gather;
        for (int k = 0; (parameters || wanted[i]) && k < node->input_count;
             k++) {
            const Node *producer =
                node->inputs[k] ? node->inputs[k]->producer : NULL;
            if (producer && producer->graph == graph)
                wanted[producer->index] = true;
        }
    }
}

/* A small integer tensor whose every element inference knows, such as what
 * Shape gives: its tensor, or NULL. */
static Tensor *tensor_from_fact(Fold *fold, const Fact *fact)
{
    if (fact->int_count < 0 || fact->rank > 1 || fact->type != DT_INT64)
        return NULL;
    int64_t values[FACT_INTS_MAX], dims[1] = {fact->int_count};
    for (int i = 0; i < fact->int_count; i++)
        if (!dim_is_known(fold->model->symbols, fact->ints[i], &values[i]))
            return NULL;
    void *data;
    Tensor *tensor =
        tensor_alloc(fold->arena, DT_INT64, fact->rank, dims, &data);
    memcpy(data, values, (size_t)tensor->count * sizeof *values);
    return tensor;
}

/* What a runtime computes in float32 need not be what is computed here: where
 * that may be a whole number, or the next one, nothing is known. */
static bool node_is_doubtful(const Fold *fold, const Node *node)
{
    bool inexact = false, jumps = op_jumps(node->op);
    for (int i = 0; i < node->input_count; i++) {
        const Tensor *tensor =
            node->inputs[i] ? value_constant(fold->graph, node->inputs[i])
                            : NULL;
        inexact |= tensor && tensor->inexact;
    }
    for (int i = 0; i < node->output_count; i++)
        jumps |=
            node->outputs[i] && !dtype_is_real(node->outputs[i]->fact.type);
    return inexact && jumps;
}

/* True when all the node reads is constant. CastLike reads only the type of
 * its second input. */
static bool node_is_constant(const Fold *fold, const Node *node)
{
    if (node->op == OP_OTHER || !exec_supports(node) || node_has_graphs(node) ||
        node_is_parametric(node) || node_is_quantizer(node))
        return false;
    for (int i = 0; i < node->input_count; i++) {
        const Value *value = node->inputs[i];
        if (!value)
            continue;
        if (node->op == OP_CastLike && i == 1) {
            if (value->fact.type == DT_UNDEFINED)
                return false;
            continue;
        }
        const Tensor *tensor = value_constant(fold->graph, value);
        if (!tensor || !tensor_is_readable(tensor))
            return false;
    }
    return !node_is_doubtful(fold, node);
}

/* True when there is memory for the results, which are kept, and for all that
 * evaluating takes: both sides in double, the results once more, and as much
 * again for what the operator needs. */
static bool node_fits(const Fold *fold, const Node *node, int64_t *left)
{
    int64_t needed = 0;
    for (int i = 0; i < node->input_count; i++) {
        const Value *value = node->inputs[i];
        const Tensor *tensor =
            value ? value_constant(fold->graph, value) : NULL;
        if (tensor && __builtin_add_overflow(needed, tensor->count, &needed))
            return false;
    }
    for (int i = 0; i < node->output_count; i++) {
        int64_t count;
        if (!node->outputs[i])
            continue;
        if (!fact_is_static(fold->model->symbols, &node->outputs[i]->fact,
                            &count) ||
            count > ELEMENTS_MAX || count > *left)
            return false;
        *left -= count;
        needed += 2 * count;
    }
    return needed < INT64_MAX / 16 &&
           arena_fits(fold->arena, 2 * (size_t)needed * sizeof(double));
}

static int node_evaluate(Fold *fold, Arena *scratch, const Node *node, Err *err)
{
    ExecOptions options = {
        .precision = PRECISION_F64, .exact = true, .level = SIMD_PLAIN};
    Array **inputs =
        arena_array(scratch, (size_t)node->input_count + 1, sizeof *inputs);
    Array **outputs =
        arena_array(scratch, (size_t)node->output_count + 1, sizeof *outputs);
    bool inexact = false;
    for (int i = 0; i < node->input_count; i++) {
        const Value *value = node->inputs[i];
        const Tensor *tensor =
            value ? value_constant(fold->graph, value) : NULL;
        inexact |= tensor && tensor->inexact;
        if (tensor)
            TRY(array_from_tensor(scratch, tensor, PRECISION_F64, true,
                                  &inputs[i], err));
        else if (value)
            inputs[i] =
                array_new(scratch, value->fact.type, 0, NULL, PRECISION_F64);
    }
    TRY(exec_node(scratch, node, &options, inputs, outputs, err));
    for (int i = 0; i < node->output_count; i++) {
        if (!node->outputs[i] || !outputs[i])
            continue;
        node->outputs[i]->tensor =
            dtype_is_real(outputs[i]->type)
                ? doubles_tensor(fold->arena, outputs[i], inexact)
                : array_to_tensor(fold->arena, outputs[i], PRECISION_F64);
    }
    return 0;
}

int constants_evaluate(Fold *fold, bool *found, Err *err)
{
    Graph *graph = fold->graph;
    bool *wanted =
        arena_array(fold->scratch, graph->node_count + 1, sizeof *wanted);
    bool *fresh =
        arena_array(fold->scratch, graph->node_count + 1, sizeof *fresh);
    mark_wanted(graph, wanted);
    int64_t left = ELEMENTS_TOTAL;
    *found = false;
    for (size_t i = 0; i < graph->node_count; i++) {
        Node *node = graph->nodes[i];
        if (!wanted[i] || node->output_count == 0 || !node->outputs[0] ||
            node->outputs[0]->tensor)
            continue;
        Tensor *known = tensor_from_fact(fold, &node->outputs[0]->fact);
        if (!known)
            known = tensor_uniform(fold, node, &left);
        if (known) {
            node->outputs[0]->tensor = known;
            *found = true;
            continue;
        }
        if (!node_is_constant(fold, node) || !node_fits(fold, node, &left))
            continue;
        Arena *scratch = arena_child(fold->scratch);
        /* What cannot be evaluated is simply not constant: a fold that needs
         * it says so. The model itself may still be fine elsewhere. */
        Err ignored = {0};
        int failed = node_evaluate(fold, scratch, node, &ignored);
        arena_free(scratch);
        fresh[i] = failed == 0;
        *found |= fresh[i];
        if (fresh[i])
            inputs_let_go(fold, node, fresh);
        if (failed < 0 && ignored.code == ERR_INTERNAL) {
            *err = ignored;
            return -1;
        }
    }
    return 0;
}

static size_t stored_bytes(const Tensor *tensor)
{
    return (size_t)tensor->count * dtype_size(tensor->type);
}

/* Bytes of an initializer that goes when this reader goes. */
static size_t dying_bytes(const Value *value)
{
    return value->is_initializer && value->tensor && value->use_count == 1
               ? stored_bytes(value->tensor)
               : 0;
}

int constant_chain(const Value *value, Node *nodes[CHAIN_MAX])
{
    /* A scalar or a vector more does no harm. */
    size_t dying = 4096;
    int count = 0;
    const Node *own = value->producer;
    if (!own || !value->tensor || own->op == OP_Constant)
        return 0;
    nodes[count++] = value->producer;
    if (value->use_count != 1 || value->is_output)
        return 0;
    for (int i = 0; i < count; i++) {
        for (int k = 0; k < nodes[i]->input_count; k++) {
            const Value *input = nodes[i]->inputs[k];
            if (!input || !input->tensor)
                continue;
            dying += dying_bytes(input);
            if (input->producer && input->use_count == 1 && count < CHAIN_MAX)
                nodes[count++] = input->producer;
        }
    }
    return stored_bytes(value->tensor) <= dying ? count : 0;
}
