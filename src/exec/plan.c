#include "exec/plan.h"

#include <string.h>

#include "base/random.h"

/* A function that calls another twice, which calls a third twice, and so on,
 * must not make a short file into an endless plan. */
enum { STEPS_MOST = 4 * 1000 * 1000, DEPTH_MOST = 64 };

/* Constants up to this many elements are loaded for good; larger ones that
 * cannot be used as they lie in the file are there only while they are needed.
 */
enum { SMALL = 1024 };

static int plan_graph(Exec *exec, Err *err);

/* ---- Slots ---- */

static int slot_add(Exec *exec, const char *name)
{
    exec->slots = arena_grow(exec->arena, exec->slots, &exec->slot_capacity,
                             exec->slot_count + 1, sizeof *exec->slots);
    exec->slots[exec->slot_count] = (Slot){.name = name};
    return (int)exec->slot_count++;
}

/* Slots are noted as their numbers and 1, for in what is empty there is 0. */
static int own_slot(Exec *exec, const Value *value)
{
    int *note = &exec->own[value->index];
    if (*note == 0) {
        *note = slot_add(exec, value->name) + 1;
        if (value->is_initializer)
            exec->slots[*note - 1].tensor = value->tensor;
    }
    return *note - 1;
}

static int captured_slot(Exec *exec, const char *name)
{
    uintptr_t note = (uintptr_t)map_get(exec->others, name);
    if (note > 0)
        return (int)note - 1;
    int slot = slot_add(exec, name);
    map_put(exec->others, name, (void *)(uintptr_t)(slot + 1));
    exec->captured =
        arena_grow(exec->arena, exec->captured, &exec->captured_capacity,
                   exec->captured_count + 1, sizeof *exec->captured);
    exec->captured[exec->captured_count++] = slot;
    return slot;
}

/* The slot of the value of that name, made when there is none yet. A name that
 * is not of this graph is of the enclosing one. */
static int plan_slot(Exec *exec, const char *name, Err *err)
{
    const Value *value = map_get(exec->graph->values, name);
    if (value && !value->outer)
        return own_slot(exec, value);
    if (!exec->parent)
        return err_set(err, ERR_UNDEFINED_VALUE, "no value is called \"%s\"",
                       name);
    return captured_slot(exec, name);
}

/* True where a node reads numbers of the program: a size that is off by a
 * rounding is another size, and so is what becomes an integer. */
static bool reads_structure(const Node *node, int input)
{
    switch (node->op) {
    case OP_QLinearConv:
    case OP_QLinearMatMul:
    case OP_QuantizeLinear:
    case OP_Range:
        return true;
    case OP_Cast:
        return dtype_is_integer((DType)node_int(node, "to", DT_UNDEFINED));
    case OP_Resize:
    case OP_Upsample:
    case OP_Pow:
    case OP_RoiAlign:
        return input > 0;
    case OP_NonMaxSuppression:
        return input > 1;
    default:
        return false;
    }
}

static int read_slot(Exec *exec, const char *name, Err *err)
{
    int slot = plan_slot(exec, name, err);
    if (slot >= 0)
        exec->slots[slot].reads++;
    return slot;
}

/* ---- Functions ---- */

const Node *plan_resolve(Arena *arena, const Node *node, const Node *caller)
{
    if (!node_is_parametric(node))
        return node;
    Node *copy = arena_alloc(arena, sizeof *copy);
    *copy = *node;
    copy->attrs =
        arena_array(arena, (size_t)node->attr_count, sizeof *copy->attrs);
    copy->attr_count = 0;
    for (int i = 0; i < node->attr_count; i++) {
        const Attr *attr = &node->attrs[i];
        const Attr *given = attr->reference && caller
                                ? node_attr(caller, attr->reference)
                                : attr;
        if (!given || given->reference)
            continue; /* not given: as if it were not written */
        copy->attrs[copy->attr_count] = *given;
        copy->attrs[copy->attr_count++].name = attr->name;
    }
    return copy;
}

/* True for an input of a function that its call leaves out; graphs in the
 * function's body see it too. */
static bool is_absent(const Exec *exec, const char *name)
{
    for (; exec; exec = exec->parent) {
        const Value *value = map_get(exec->graph->values, name);
        if (value && !value->outer)
            return exec->absent && map_get(exec->absent, name);
    }
    return false;
}

/* The node without those inputs. */
static const Node *leave_out(const Exec *exec, const Node *node)
{
    Node *copy = NULL;
    for (int i = 0; i < node->input_count; i++) {
        if (!node->inputs[i] || !is_absent(exec, node->inputs[i]->name))
            continue;
        if (!copy) {
            size_t size = (size_t)node->input_count * sizeof(Value *);
            copy = arena_alloc(exec->arena, sizeof *copy);
            *copy = *node;
            copy->inputs = arena_alloc(exec->arena, size);
            memcpy(copy->inputs, node->inputs, size);
        }
        copy->inputs[i] = NULL;
    }
    return copy ? copy : node;
}

/* ---- Steps ---- */

static int nest(Exec *exec, Step *step, const char *name, const Graph *graph,
                bool is_function, Err *err)
{
    if (exec->plan->depth >= DEPTH_MOST)
        return err_set(err, ERR_TOO_DEEP,
                       "graphs and functions are nested more than %d deep",
                       DEPTH_MOST);
    Exec *inner = arena_alloc(exec->arena, sizeof *inner);
    *inner = (Exec){.arena = exec->arena,
                    .graph = graph,
                    .options = exec->options,
                    .buffers = exec->buffers,
                    .parent = is_function ? NULL : exec,
                    .caller = is_function ? step->node : exec->caller,
                    .plan = exec->plan};
    /* The node stands for what is inside of it. */
    inner->options.probe = NULL;
    inner->options.timing = NULL;
    inner->options.lends = false;
    exec->plan->depth++;
    TRY(plan_graph(inner, err));
    exec->plan->depth--;
    Nested *nested = &step->nested[step->nested_count++];
    *nested = (Nested){.name = name, .exec = inner};
    nested->captures = arena_array(exec->arena, inner->captured_count,
                                   sizeof *nested->captures);
    for (size_t i = 0; i < inner->captured_count; i++) {
        const char *captured = inner->slots[inner->captured[i]].name;
        nested->captures[i] = read_slot(exec, captured, err);
        if (nested->captures[i] < 0)
            return -1;
        if (inner->slots[inner->captured[i]].is_structure)
            exec->slots[nested->captures[i]].is_structure = true;
    }
    return 0;
}

int plan_refuse(Arena *arena, const Node *node, Err *err)
{
    bool is_onnx = is_onnx_domain(node->domain);
    Op op = is_onnx ? op_find(node->op_type) : OP_OTHER;
    OpRange range = op_range(op);
    long long opset = (long long)graph_opset(node->graph);
    const char *who = arena_printf(arena, "%s: operator %s of domain %s",
                                   node_text(arena, node), node->op_type,
                                   is_onnx ? "ai.onnx" : node->domain);
    if (op_exists(op, opset))
        return err_set(err, ERR_UNSUPPORTED_OPERATOR,
                       "%s (opset %lld) is not supported", who, opset);
    if (opset < range.since)
        return err_set(err, ERR_UNSUPPORTED_OPERATOR,
                       "%s exists from opset %d on, but opset %lld is imported",
                       who, range.since, opset);
    return err_set(err, ERR_UNSUPPORTED_OPERATOR,
                   "%s exists up to opset %d, but opset %lld is imported", who,
                   range.until, opset);
}

static int plan_nested(Exec *exec, Step *step, Err *err)
{
    const Node *node = step->node;
    const Function *function = node_function(node);
    step->nested = arena_array(exec->arena, (size_t)node->attr_count + 1,
                               sizeof *step->nested);
    if (function) {
        step->calls_function = true;
        return nest(exec, step, function->name, function->body, true, err);
    }
    if (node->op != OP_If && node->op != OP_Loop && node->op != OP_Scan)
        return plan_refuse(exec->arena, node, err);
    for (int i = 0; i < node->attr_count; i++) {
        Graph *body = attr_graph(&node->attrs[i]);
        if (body)
            TRY(nest(exec, step, node->attrs[i].name, body, false, err));
    }
    return 0;
}

/* A Constant that holds a tensor needs no step. */
static bool plan_constant(Exec *exec, const Step *step)
{
    const Attr *value = node_attr(step->node, "value");
    Tensor *tensor = value ? attr_tensor(value) : NULL;
    if (step->node->op != OP_Constant || !tensor || step->outputs[0] < 0)
        return false;
    exec->slots[step->outputs[0]].tensor = tensor;
    return true;
}

static int plan_step(Exec *exec, const Node *node, Err *err)
{
    Arena *arena = exec->arena;
    if (++exec->plan->steps > STEPS_MOST)
        return err_set(err, ERR_BUDGET, "it calls functions without end");
    node = leave_out(exec, plan_resolve(arena, node, exec->caller));
    Step step = {.node = node};
    step.kernel = kernel_find(node->op);
    step.inputs = arena_array(arena, (size_t)node->input_count, sizeof(int));
    step.outputs = arena_array(arena, (size_t)node->output_count, sizeof(int));
    for (int i = 0; i < node->input_count; i++) {
        step.inputs[i] = -1;
        if (node->inputs[i] &&
            (step.inputs[i] = read_slot(exec, node->inputs[i]->name, err)) < 0)
            return -1;
        if (step.inputs[i] >= 0 && reads_structure(node, i))
            exec->slots[step.inputs[i]].is_structure = true;
    }
    for (int i = 0; i < node->output_count; i++) {
        step.outputs[i] = -1;
        if (node->outputs[i] && (step.outputs[i] = plan_slot(
                                     exec, node->outputs[i]->name, err)) < 0)
            return -1;
    }
    if (!step.kernel)
        TRY(plan_nested(exec, &step, err));
    if (!plan_constant(exec, &step))
        exec->steps[exec->step_count++] = step;
    return 0;
}

/* ---- Graphs ---- */

/* A call may leave out the last inputs, or any by an empty name. */
static void find_absent(Exec *exec)
{
    const Graph *graph = exec->graph;
    const Node *call = exec->parent ? NULL : exec->caller;
    for (size_t i = 0; call && i < graph->input_count; i++) {
        if ((int)i < call->input_count && call->inputs[i])
            continue;
        if (!exec->absent)
            exec->absent = map_new(exec->arena);
        map_put(exec->absent, graph->inputs[i]->name, graph->inputs[i]);
    }
}

static int plan_ports(Exec *exec, Err *err)
{
    const Graph *graph = exec->graph;
    find_absent(exec);
    exec->inputs = arena_array(exec->arena, graph->input_count, sizeof(int));
    exec->outputs = arena_array(exec->arena, graph->output_count, sizeof(int));
    for (size_t i = 0; i < graph->input_count; i++) {
        if (graph->inputs[i]->is_initializer)
            continue;
        int slot = -1;
        if (!is_absent(exec, graph->inputs[i]->name) &&
            (slot = plan_slot(exec, graph->inputs[i]->name, err)) < 0)
            return -1;
        exec->inputs[exec->input_count++] = slot;
    }
    for (size_t i = 0; i < graph->output_count; i++) {
        int slot = read_slot(exec, graph->outputs[i]->name, err);
        if (slot < 0)
            return -1;
        exec->outputs[exec->output_count++] = slot;
    }
    return 0;
}

/* Every stored parameter has a stream of its own. */
static void set_noise(const Exec *exec, size_t index)
{
    Slot *slot = &exec->slots[index];
    bool is_parameter = dtype_is_real(slot->tensor->type) &&
                        slot->tensor->rank > 0 && !slot->is_structure;
    if (exec->options.perturb && is_parameter)
        slot->noise = random_stream(exec->options.perturb, index) | 1;
}

static void load_constant(Exec *exec, Slot *slot)
{
    const Tensor *tensor = slot->tensor;
    Precision precision = exec->options.precision;
    /* A perturbed one must not be mapped: it would change the file's. */
    if (!slot->noise && array_can_map(tensor, precision)) {
        slot->held = (void *)(uintptr_t)tensor->data;
    } else if (tensor->count <= SMALL) {
        Array array = slot_array(slot);
        array.data =
            arena_array(exec->arena, (size_t)array.count,
                        storage_size(array_storage(array.type, precision)));
        slot_load(slot, &exec->options, &array);
        slot->held = array.data;
    }
}

static int load_constants(Exec *exec, Err *err)
{
    for (size_t i = 0; i < exec->slot_count; i++) {
        Slot *slot = &exec->slots[i];
        const Tensor *tensor = slot->tensor;
        if (!tensor || slot->reads == 0)
            continue;
        if (!tensor_is_readable(tensor))
            return err_set(err, ERR_UNSUPPORTED_TYPE,
                           "tensor \"%s\" of type %s cannot be computed with",
                           slot->name, dtype_name(tensor->type));
        set_noise(exec, i);
        load_constant(exec, slot);
    }
    return 0;
}

static bool reads_shape_alone(const Node *node)
{
    return node->op == OP_Shape || node->op == OP_Size;
}

static bool any_slot(const int *slots, int count, const bool *set)
{
    bool any = false;
    for (int i = 0; i < count; i++)
        any = any || (slots[i] >= 0 && set[slots[i]]);
    return any;
}

static void mark_slots(const int *slots, int count, bool *set)
{
    for (int i = 0; i < count; i++)
        if (slots[i] >= 0)
            set[slots[i]] = true;
}

/* Which values follow from the data, not from constants and shapes alone. */
static const bool *find_data(const Exec *exec, Arena *scratch)
{
    bool *data = arena_array(scratch, exec->slot_count + 1, sizeof *data);
    mark_slots(exec->inputs, (int)exec->input_count, data);
    for (size_t i = 0; i < exec->captured_count; i++)
        data[exec->captured[i]] = true;
    for (size_t i = 0; i < exec->step_count; i++) {
        const Step *step = &exec->steps[i];
        const Node *node = step->node;
        if (step->nested_count > 0 ||
            (!reads_shape_alone(node) &&
             any_slot(step->inputs, node->input_count, data)))
            mark_slots(step->outputs, node->output_count, data);
    }
    return data;
}

/* What a size or an exponent is computed from is structure too: exporters join
 * the scales of a Resize out of pieces. Data are not, whatever reads them. */
static void spread_structure(Exec *exec)
{
    Arena *scratch = arena_child(exec->arena);
    const bool *data = find_data(exec, scratch);
    for (size_t i = exec->step_count; i-- > 0;) {
        const Step *step = &exec->steps[i];
        bool is_structure = false;
        for (int k = 0; k < step->node->output_count; k++)
            is_structure = is_structure ||
                           (step->outputs[k] >= 0 && !data[step->outputs[k]] &&
                            exec->slots[step->outputs[k]].is_structure);
        if (!is_structure || reads_shape_alone(step->node))
            continue;
        for (int k = 0; k < step->node->input_count; k++)
            if (step->inputs[k] >= 0)
                exec->slots[step->inputs[k]].is_structure = true;
    }
    arena_free(scratch);
}

static int plan_graph(Exec *exec, Err *err)
{
    const Graph *graph = exec->graph;
    exec->own = arena_array(exec->arena, graph->scope_count, sizeof *exec->own);
    exec->others = map_new(exec->arena);
    exec->steps =
        arena_array(exec->arena, graph->node_count, sizeof *exec->steps);
    TRY(plan_ports(exec, err));
    for (size_t i = 0; i < graph->node_count; i++)
        if (!graph->nodes[i]->removed)
            TRY(plan_step(exec, graph->nodes[i], err));
    if (exec->options.perturb)
        spread_structure(exec);
    TRY(load_constants(exec, err));
    return exec->options.runs_often ? plan_prepare(exec, err) : 0;
}

int exec_new(Arena *arena, const Graph *graph, const ExecOptions *options,
             Exec **out, Err *err)
{
    Exec *exec = arena_alloc(arena, sizeof *exec);
    exec->arena = arena;
    exec->graph = graph;
    exec->options = *options;
    exec->buffers = buffers_new(arena);
    exec->plan = arena_alloc(arena, sizeof *exec->plan);
    *out = exec;
    return plan_graph(exec, err);
}

bool exec_supports(const Node *node)
{
    return kernel_find(node->op) != NULL;
}
