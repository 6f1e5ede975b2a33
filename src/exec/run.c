#include <string.h>
#include <time.h>

#include "exec/run.h"
#include "graph/dump.h"

/* ---- Holders ---- */

void run_keep(Run *run, int slot, const Array *array, bool owned)
{
    Holder *holder = &run->holders[slot];
    if (run->free && !holder->array) {
        holder->array = run->free;
        run->free = run->free->data;
    }
    if (!holder->array)
        holder->array = arena_alloc(run->arena, sizeof *holder->array);
    *holder->array = *array;
    holder->owned = owned;
}

static void drop(Run *run, int slot)
{
    Holder *holder = &run->holders[slot];
    if (!holder->array)
        return;
    if (holder->owned)
        buffers_drop(run->exec->buffers, holder->array->data);
    holder->array->data = run->free;
    run->free = holder->array;
    holder->array = NULL;
}

/* One read less; the last one lets go. */
static void read_done(Run *run, int slot)
{
    if (--run->holders[slot].left == 0)
        drop(run, slot);
}

typedef struct Load {
    const Slot *slot;
    const ExecOptions *options;
    const Array *array;
} Load;

static void load_piece(void *context, int worker, int64_t begin, int64_t end)
{
    const Load *load = context;
    const Slot *slot = load->slot;
    Precision precision = load->options->precision;
    (void)worker;
    array_load(load->array, slot->tensor, precision, load->options->exact,
               begin, end - begin);
    double scale = load->options->perturb_scale;
    Noise noise = {slot->noise,
                   dtype_roundoff(load->array->type) * (scale > 0 ? scale : 1)};
    if (slot->noise)
        array_perturb(load->array, precision, noise, begin, end - begin);
}

Array slot_array(const Slot *slot)
{
    Array array;
    array_set_shape(&array, slot->tensor->type, slot->tensor->rank,
                    slot->tensor->dims);
    array.data = slot->held;
    return array;
}

void slot_load(const Slot *slot, const ExecOptions *options, const Array *array)
{
    Load load = {slot, options, array};
    pool_run(options->pool, array->count, GRAIN, load_piece, &load);
}

/* How often this step reads the slot. */
static int reads_of(const Step *step, int slot)
{
    int reads = 0;
    for (int i = 0; i < step->node->input_count; i++)
        reads += step->inputs[i] == slot;
    return reads;
}

/* True when nobody needs the slot once the group that runs now is done. */
static bool is_for_now(const Run *run, int slot)
{
    int reads = 0;
    for (int at = 0; run->group && at < run->group->count; at++) {
        const Step *step = &run->exec->steps[run->group->steps[at]];
        reads += reads_of(step, slot);
        if (step->kernel && step->kernel->flags & KERNEL_VIEW)
            return false;
    }
    return reads == run->holders[slot].left;
}

/* Memory for a constant: what is spare where it is for now. */
static void *constant_memory(Run *run, int slot, const Array *array,
                             bool *owned)
{
    size_t count = (size_t)array->count;
    size_t size =
        storage_size(array_storage(array->type, run->exec->options.precision));
    void *memory =
        is_for_now(run, slot) ? spare_take(&run->spare, count, size) : NULL;
    *owned = memory == NULL;
    return memory ? memory : buffers_take(run->exec->buffers, count, size);
}

static void load(Run *run, int slot, const Slot *known)
{
    Array array = slot_array(known);
    bool owned = false;
    if (!known->held) {
        array.data = constant_memory(run, slot, &array, &owned);
        slot_load(known, &run->exec->options, &array);
    }
    run_keep(run, slot, &array, owned);
}

/* The value of a slot; a constant, or an input that is still to be read, is
 * loaded the first time. */
static int hold(Run *run, int slot, Array **out, Err *err)
{
    Slot known = run->exec->slots[slot];
    Holder *holder = &run->holders[slot];
    const ExecInput *given = holder->given;
    if (given)
        known.tensor = given->tensor;
    if (!holder->array && !known.tensor)
        return err_set(err, ERR_UNDEFINED_VALUE,
                       "value \"%s\" is read before it is computed",
                       known.name);
    if (!holder->array) {
        load(run, slot, &known);
        if (given)
            arena_free(given->arena);
    }
    *out = holder->array;
    return 0;
}

/* ---- Steps ---- */

static bool is_spare(const Run *run, const Step *step, int slot)
{
    const Holder *holder = &run->holders[slot];
    return holder->owned && holder->left == reads_of(step, slot) &&
           buffers_alone(holder->array->data);
}

int run_input(Run *run, const Step *step, int i, Array **out, Err *err)
{
    int slot = step->inputs[i];
    *out = NULL;
    if (slot < 0)
        return 0;
    if (!step->prepared || !(step->prepared->replaced >> i & 1))
        return hold(run, slot, out, err);
    /* Its elements are where the kernel has put them. */
    const Tensor *tensor = run->exec->slots[slot].tensor;
    *out = arena_alloc(run->temporary, sizeof **out);
    array_set_shape(*out, tensor->type, tensor->rank, tensor->dims);
    return 0;
}

static int gather_inputs(Run *run, const Step *step, StepCall *call, Err *err)
{
    size_t count = (size_t)step->node->input_count;
    Array **inputs = arena_array(call->arena, count, sizeof *inputs);
    bool *spare = arena_array(call->arena, count, sizeof *spare);
    for (size_t i = 0; i < count; i++) {
        TRY(run_input(run, step, (int)i, &inputs[i], err));
        spare[i] = inputs[i] && inputs[i]->data && step->kernel &&
                   is_spare(run, step, step->inputs[i]);
    }
    call->inputs = inputs;
    call->spare = spare;
    Array ***captured =
        arena_array(call->arena, (size_t)step->nested_count, sizeof *captured);
    for (int n = 0; n < step->nested_count; n++) {
        const Nested *nested = &step->nested[n];
        size_t captures = nested->exec->captured_count;
        captured[n] = arena_array(call->arena, captures, sizeof **captured);
        for (size_t i = 0; i < captures; i++)
            TRY(hold(run, nested->captures[i], &captured[n][i], err));
    }
    call->captured = (Array *const *const *)captured;
    return 0;
}

/* Output 0 is always computed, another only when somebody reads it. */
static void gather_outputs(const Run *run, const Step *step, StepCall *call)
{
    int count = step->node->output_count;
    call->outputs =
        arena_array(call->arena, (size_t)count, sizeof *call->outputs);
    for (int i = 0; i < count; i++)
        if (i == 0 ||
            (step->outputs[i] >= 0 && run->holders[step->outputs[i]].left > 0))
            call->outputs[i] = arena_alloc(call->arena, sizeof(Array));
}

/* Shows the outputs to the probe and hands them to their slots, which now hold
 * the buffers. What a step that failed has made is let go in the end. */
static int keep_outputs(Run *run, const Step *step, const StepCall *call,
                        int result, Err *err)
{
    const ExecOptions *options = &run->exec->options;
    for (int i = 0; i < step->node->output_count; i++) {
        const Array *out = call->outputs[i];
        if (!out || !out->data)
            continue;
        bool owned = !schedule_owns(run->schedule, out->data);
        if (i == 0 && call->taken >= 0) {
            owned = run->holders[step->inputs[call->taken]].owned;
            if (owned)
                buffers_share(out->data);
        }
        if (options->probe && result == 0)
            result =
                options->probe(options->probe_context, step->node, i, out, err);
        int slot = step->outputs[i];
        if (slot >= 0 && run->holders[slot].left > 0) {
            run_keep(run, slot, out, owned);
        } else if (owned) {
            buffers_drop(run->exec->buffers, out->data);
        }
    }
    return result;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

int run_gather(Run *run, const Step *step, StepCall *call, Err *err)
{
    *call = (StepCall){.step = step,
                       .options = &run->exec->options,
                       .schedule = run->schedule,
                       .arena = run->temporary,
                       .buffers = run->exec->buffers,
                       .taken = -1};
    TRY(gather_inputs(run, step, call, err));
    gather_outputs(run, step, call);
    call->spare_memory = run->spare;
    return 0;
}

void run_read(Run *run, const Step *step)
{
    for (int i = 0; i < step->node->input_count; i++)
        if (step->inputs[i] >= 0)
            read_done(run, step->inputs[i]);
    for (int n = 0; n < step->nested_count; n++)
        for (size_t i = 0; i < step->nested[n].exec->captured_count; i++)
            read_done(run, step->nested[n].captures[i]);
}

int run_step(Run *run, const Step *step, bool is_placed, Err *err)
{
    StepCall call;
    TRY(run_gather(run, step, &call, err));
    call.is_placed = is_placed;
    int result = step_run(&call, err);
    result = keep_outputs(run, step, &call, result, err);
    run_read(run, step);
    return result;
}

/* ---- Graphs ---- */

static int run_groups(Run *run, Err *err)
{
    const ExecOptions *options = &run->exec->options;
    for (size_t i = 0; i < run->schedule->group_count; i++) {
        const Group *group = &run->schedule->groups[i];
        double start = options->timing ? now() : 0;
        run->group = group;
        run->spare = group->spare;
        run->temporary = arena_child(run->arena);
        int result =
            group->count > 1
                ? run_group(run, group, err)
                : run_step(run, &run->exec->steps[group->steps[0]], true, err);
        if (arena_bytes(run->arena) > run->most_bytes)
            run->most_bytes = arena_bytes(run->arena);
        arena_free(run->temporary);
        TRY(result);
        if (options->timing)
            options->timing(options->timing_context, group->nodes, group->count,
                            now() - start);
    }
    return 0;
}

/* A buffer that is let go keeps its elements until another is taken. */
static int give_outputs(Run *run, Arena *arena, const PlanData *data, Err *err)
{
    const Exec *exec = run->exec;
    for (size_t i = 0; i < exec->output_count; i++) {
        Array *value;
        TRY(hold(run, exec->outputs[i], &value, err));
        if (exec->options.lends) {
            data->outputs[i] = arena_alloc(arena, sizeof *value);
            *data->outputs[i] = *value;
            continue;
        }
        data->outputs[i] = array_copy(arena, value, exec->options.precision);
        read_done(run, exec->outputs[i]);
    }
    return 0;
}

/* The first run makes the schedule, later ones find it. */
static void note_memory(Exec *exec, size_t peak)
{
    ExecMemory *memory = &exec->memory;
    memory->peak = peak > memory->peak ? peak : memory->peak;
    if (exec->schedule->live > memory->live)
        memory->live = exec->schedule->live;
}

ExecMemory exec_memory(const Exec *exec)
{
    return exec->memory;
}

static void take_inputs(Run *run, const PlanData *data)
{
    const Exec *exec = run->exec;
    for (size_t i = 0; i < exec->slot_count; i++)
        run->holders[i].left = exec->slots[i].reads;
    for (size_t i = 0; i < exec->input_count; i++) {
        int slot = exec->inputs[i];
        if (slot >= 0 && data->tensors && !data->inputs[i]->data)
            run->holders[slot].given = &data->tensors[i];
        else if (slot >= 0)
            run_keep(run, slot, data->inputs[i], false);
    }
    for (size_t i = 0; i < exec->captured_count; i++)
        run_keep(run, exec->captured[i], data->captured[i], false);
}

int plan_run(Exec *exec, Arena *arena, const PlanData *data, Err *err)
{
    size_t before = arena_bytes(arena);
    Run run = {.exec = exec,
               .schedule = schedule_for(exec, data->inputs, data->captured),
               .arena = arena_child(arena)};
    run.holders = arena_array(run.arena, exec->slot_count, sizeof *run.holders);
    take_inputs(&run, data);
    int result = run_groups(&run, err);
    note_memory(exec, run.most_bytes > before ? run.most_bytes - before : 0);
    if (result == 0)
        result = give_outputs(&run, arena, data, err);
    for (size_t i = 0; i < exec->slot_count; i++)
        drop(&run, (int)i);
    arena_free(run.arena);
    return result;
}

/* The declared type and shape must allow the array. */
static int check_input(Arena *arena, const Symbols *symbols, const Value *value,
                       const Array *array, Err *err)
{
    const Fact *wanted = &value->fact;
    bool fits = (wanted->rank < 0 || wanted->rank == array->rank) &&
                (wanted->type == DT_UNDEFINED || wanted->type == array->type);
    for (int i = 0; fits && i < wanted->rank; i++)
        fits = wanted->dims[i] < 0 || wanted->dims[i] == array->dims[i];
    if (fits)
        return 0;
    Fact given = array_fact(array);
    Text text = {.arena = arena};
    text_escaped(&text, value->name);
    text_printf(&text, "\" is ");
    text_fact(&text, symbols, &given);
    text_printf(&text, " where the model wants ");
    text_fact(&text, symbols, wanted);
    return err_set(err, ERR_BAD_INPUT, "input \"%s", text.bytes);
}

static int run_checked(Exec *exec, Arena *arena, const PlanData *data, Err *err)
{
    size_t given = 0;
    exec->plan->runs = 0;
    for (size_t i = 0; i < exec->graph->input_count; i++)
        if (!exec->graph->inputs[i]->is_initializer)
            TRY(check_input(arena, exec->graph->model->symbols,
                            exec->graph->inputs[i], data->inputs[given++],
                            err));
    return plan_run(exec, arena, data, err);
}

int exec_run(Exec *exec, Arena *arena, Array *const *inputs, Array **outputs,
             Err *err)
{
    PlanData data = {.inputs = inputs, .outputs = outputs};
    return run_checked(exec, arena, &data, err);
}

int exec_run_tensors(Exec *exec, Arena *arena, const ExecInput *inputs,
                     Array **outputs, Err *err)
{
    Precision precision = exec->options.precision;
    Array **arrays = arena_array(arena, exec->input_count + 1, sizeof *arrays);
    for (size_t i = 0; i < exec->input_count; i++) {
        const Tensor *tensor = inputs[i].tensor;
        arrays[i] = arena_alloc(arena, sizeof *arrays[i]);
        if (array_can_map(tensor, precision) || !tensor_is_readable(tensor))
            TRY(array_from_tensor(arena, tensor, precision, false, &arrays[i],
                                  err));
        else
            array_set_shape(arrays[i], tensor->type, tensor->rank,
                            tensor->dims);
    }
    PlanData data = {.inputs = arrays, .tensors = inputs, .outputs = outputs};
    return run_checked(exec, arena, &data, err);
}

int exec_node(Arena *arena, const Node *node, const ExecOptions *options,
              Array *const *inputs, Array **outputs, Err *err)
{
    Step step = {.node = node, .kernel = kernel_find(node->op)};
    if (!step.kernel)
        return plan_refuse(arena, node, err);
    Arena *temporary = arena_child(arena);
    StepCall call = {.step = &step,
                     .options = options,
                     .arena = temporary,
                     .buffers = buffers_new(arena),
                     .inputs = inputs,
                     .outputs = outputs};
    call.spare = arena_array(temporary, (size_t)node->input_count, 1);
    for (int i = 0; i < node->output_count; i++)
        outputs[i] = i == 0 || node->outputs[i]
                         ? arena_alloc(arena, sizeof *outputs[i])
                         : NULL;
    int result = step_run(&call, err);
    if (result == 0 && call.taken >= 0)
        outputs[0] = array_copy(arena, outputs[0], options->precision);
    arena_free(temporary);
    return result;
}
