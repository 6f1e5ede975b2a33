/* Running one node: shapes, memory, kernel. */
#include <string.h>

#include "exec/nested.h"
#include "exec/schedule.h"

/* What inference is told of an array. */
static void describe(Arena *arena, const Array *array, Precision precision,
                     Fact *fact, const Tensor **tensor)
{
    *fact = array_fact(array);
    if (array->rank > 1 || !array->data)
        return;
    /* A shape, a list of axes, sizes or scales. */
    Tensor *view = arena_alloc(arena, sizeof *view);
    Storage storage = array_storage(array->type, precision);
    *view = (Tensor){.type = storage == STORAGE_F32   ? DT_FLOAT
                             : storage == STORAGE_F64 ? DT_DOUBLE
                                                      : DT_INT64,
                     .rank = array->rank,
                     .dims = array->dims,
                     .count = array->count,
                     .data = array->data,
                     .data_size = (size_t)array->count * storage_size(storage)};
    *tensor = view;
}

static int take_fact(const StepCall *call, int output, const Fact *fact,
                     Err *err)
{
    bool known = fact->rank >= 0 && fact->type != DT_UNDEFINED;
    for (int i = 0; known && i < fact->rank; i++)
        known = fact->dims[i] >= 0;
    if (!known)
        return err_set(err, ERR_BAD_SHAPE,
                       "%s: the shape of output %d does not follow from its "
                       "inputs",
                       node_text(call->arena, call->step->node), output);
    if (!dtype_is_real(fact->type) && !dtype_is_integer(fact->type))
        return err_set(err, ERR_UNSUPPORTED_TYPE,
                       "%s: output %d of type %s cannot be computed with",
                       node_text(call->arena, call->step->node), output,
                       dtype_name(fact->type));
    array_set_shape(call->outputs[output], fact->type, fact->rank, fact->dims);
    return 0;
}

/* Takes the outputs' shapes from the schedule; false when it does not know
 * them, or an input is not as expected, or may be a list of sizes. */
static bool take_known(const StepCall *call)
{
    const Step *step = call->step;
    const Schedule *schedule = call->schedule;
    if (!schedule)
        return false;
    for (int i = 0; i < step->node->input_count; i++) {
        const Array *in = call->inputs[i];
        int slot = step->inputs[i];
        if (in && ((in->rank < 2 && !schedule_is_constant(schedule, slot)) ||
                   !schedule_agrees(schedule, slot, in)))
            return false;
    }
    for (int i = 0; i < step->node->output_count; i++)
        if (call->outputs[i] &&
            (step->outputs[i] < 0 ||
             !schedule_shape(schedule, step->outputs[i], call->outputs[i])))
            return false;
    return true;
}

/* Gives the outputs types and shapes. */
static int shape_outputs(const StepCall *call, Err *err)
{
    if (take_known(call))
        return 0;
    const Node *node = call->step->node;
    size_t inputs = (size_t)node->input_count;
    Fact *facts = arena_array(call->arena, inputs, sizeof *facts);
    const Fact **seen = arena_array(call->arena, inputs, sizeof *seen);
    const Tensor **tensors = arena_array(call->arena, inputs, sizeof *tensors);
    Fact *found =
        arena_array(call->arena, (size_t)node->output_count, sizeof *found);
    for (size_t i = 0; i < inputs; i++) {
        if (!call->inputs[i])
            continue;
        seen[i] = &facts[i];
        describe(call->arena, call->inputs[i], call->options->precision,
                 &facts[i], &tensors[i]);
    }
    InferCall infer = {.node = node,
                       .opset = graph_opset(node->graph),
                       .arena = call->arena,
                       .symbols = symbols_new(call->arena),
                       .inputs = seen,
                       .tensors = tensors,
                       .outputs = found};
    TRY(infer_node(&infer, err));
    for (int i = 0; i < node->output_count; i++)
        if (call->outputs[i])
            TRY(take_fact(call, i, &found[i], err));
    return 0;
}

/* The place that the schedule has for an output, or NULL. */
static void *find_place(const StepCall *call, int output, size_t size)
{
    int slot = call->step->outputs ? call->step->outputs[output] : -1;
    return call->is_placed ? schedule_place(call->schedule, slot, size) : NULL;
}

/* The input whose memory output 0 can have, or -1: any for a view, and for a
 * kernel that works in place the one in whose place the output is to be, or
 * one that nobody reads again. */
static int find_taken(const StepCall *call, const void *place)
{
    const Array *out = call->outputs[0];
    Precision precision = call->options->precision;
    Storage storage = array_storage(out->type, precision);
    if (call->step->kernel->flags & KERNEL_VIEW)
        return 0;
    if (!(call->step->kernel->flags & KERNEL_INPLACE))
        return -1;
    for (int i = 0; i < call->step->node->input_count; i++) {
        const Array *in = call->inputs[i];
        if (in && (place ? in->data == place : call->spare[i]) &&
            in->count == out->count &&
            array_storage(in->type, precision) == storage)
            return i;
    }
    return -1;
}

/* Gives an output memory: that of an input, its place, or a buffer. */
static int allocate_output(StepCall *call, int output, Err *err)
{
    Array *out = call->outputs[output];
    size_t size =
        storage_size(array_storage(out->type, call->options->precision));
    size_t bytes;
    bool fits = !__builtin_mul_overflow((size_t)out->count, size, &bytes);
    void *place = fits ? find_place(call, output, bytes) : NULL;
    if (output == 0)
        call->taken = find_taken(call, place);
    if (output > 0 || call->taken < 0) {
        out->data = place
                        ? place
                        : buffers_take(call->buffers, (size_t)out->count, size);
        return 0;
    }
    if (out->count != call->inputs[call->taken]->count)
        return err_set(
            err, ERR_BAD_SHAPE, "%s: its input does not have %lld elements",
            node_text(call->arena, call->step->node), (long long)out->count);
    out->data = call->inputs[call->taken]->data;
    return 0;
}

/* Gives the outputs memory; returns whether there is anything to compute. */
static int allocate_outputs(StepCall *call, bool *anything, Err *err)
{
    *anything = false;
    for (int i = 0; i < call->step->node->output_count; i++)
        if (call->outputs[i]) {
            *anything = *anything || call->outputs[i]->count > 0;
            TRY(allocate_output(call, i, err));
        }
    return 0;
}

int step_run(StepCall *call, Err *err)
{
    const Step *step = call->step;
    const Node *node = step->node;
    call->taken = -1;
    if (!step->kernel)
        return step_run_nested(call, err);
    KernelCall kernel = {.node = node,
                         .opset = graph_opset(node->graph),
                         .precision = call->options->precision,
                         .level = simd_level(call->options->level),
                         .input_count = node->input_count,
                         .output_count = node->output_count,
                         .inputs = call->inputs,
                         .outputs = call->outputs,
                         .pool = call->options->pool,
                         .arena = call->arena,
                         .spare = &call->spare_memory,
                         .buffers = call->buffers,
                         .prepared = step->prepared,
                         .epilogue = call->epilogue,
                         .beside = call->beside,
                         .beside_count = call->beside_count};
    bool anything = true;
    for (int i = 0; i < call->beside_count; i++)
        call->beside[i].spare = kernel.spare;
    if (kernel_check(&kernel, step->kernel, err) < 0)
        return err_prefix(err, "%s", node_text(call->arena, node));
    if (!(step->kernel->flags & KERNEL_SIZES)) {
        TRY(shape_outputs(call, err));
        TRY(allocate_outputs(call, &anything, err));
    }
    if (!anything || !step->kernel->run)
        return 0;
    if (step->kernel->run(&kernel, err) < 0)
        return err_prefix(err, "%s", node_text(call->arena, node));
    return 0;
}
