/* What kernels make of constants when a plan is made. */
#include "exec/plan.h"

/* The constant of a slot, loaded for now where the plan does not hold it; NULL
 * for a value. */
static Array *load_for_now(Exec *exec, int index, Arena *arena)
{
    const Slot *slot = index < 0 ? NULL : &exec->slots[index];
    if (!slot || !slot->tensor)
        return NULL;
    Array *array = arena_alloc(arena, sizeof *array);
    *array = slot_array(slot);
    if (!slot->held) {
        Storage storage = array_storage(array->type, exec->options.precision);
        array->data =
            arena_block(arena, (size_t)array->count, storage_size(storage));
        slot_load(slot, &exec->options, array);
    }
    return array;
}

static int prepare_step(Exec *exec, Step *step, Spare *spare, Arena *temporary,
                        Err *err)
{
    const Node *node = step->node;
    Array **inputs =
        arena_array(temporary, (size_t)node->input_count, sizeof *inputs);
    for (int i = 0; i < node->input_count; i++)
        inputs[i] = load_for_now(exec, step->inputs[i], temporary);
    KernelCall call = {.node = node,
                       .opset = graph_opset(node->graph),
                       .precision = exec->options.precision,
                       .level = simd_level(exec->options.level),
                       .input_count = node->input_count,
                       .inputs = inputs,
                       .pool = exec->options.pool,
                       .arena = exec->arena,
                       .spare = spare,
                       .buffers = exec->buffers};
    if (step->kernel->prepare(&call, &step->prepared, err) < 0)
        return err_prefix(err, "%s", node_text(temporary, node));
    return 0;
}

/* What kernels prepare lies in the order in which it is read, so that a kernel
 * that fetches ahead comes to what the next one needs. It takes about as much
 * as the constants do; what does not fit lies elsewhere. */
static Spare make_room(Exec *exec)
{
    size_t size = 0;
    Storage real = array_storage(DT_FLOAT, exec->options.precision);
    for (size_t i = 0; i < exec->step_count; i++) {
        const Step *step = &exec->steps[i];
        if (!step->kernel || !step->kernel->prepare)
            continue;
        for (int k = 0; k < step->node->input_count; k++)
            if (step->inputs[k] >= 0 && exec->slots[step->inputs[k]].tensor)
                size += (size_t)exec->slots[step->inputs[k]].tensor->count *
                        storage_size(real);
    }
    size += size / 8;
    Spare spare = {arena_block(exec->arena, size, 1), size};
    arena_prefer_large_pages(spare.memory, size);
    return spare;
}

int plan_prepare(Exec *exec, Err *err)
{
    Spare spare = make_room(exec);
    for (size_t i = 0; i < exec->step_count; i++) {
        Step *step = &exec->steps[i];
        if (!step->kernel || !step->kernel->prepare)
            continue;
        Arena *temporary = arena_child(exec->arena);
        int result = prepare_step(exec, step, &spare, temporary, err);
        arena_free(temporary);
        TRY(result);
    }
    return 0;
}
