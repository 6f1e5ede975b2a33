/* The shapes of a plan's values, as far as they follow from those of its
 * inputs and from constants. */
#include <string.h>

#include "exec/schedule.h"

typedef struct Inferring {
    const Exec *exec;
    Schedule *schedule;
    Arena *temporary;
    Arena *scratch; /* of one step */
    Fact *facts;    /* of slots */
    Symbols *symbols;
} Inferring;

/* A shape that is known to the last number. */
typedef struct Known {
    DType type;
    int rank;
    int64_t dims[];
} Known;

static bool is_known(const Fact *fact)
{
    if (fact->rank < 0 ||
        (!dtype_is_real(fact->type) && !dtype_is_integer(fact->type)))
        return false;
    for (int i = 0; i < fact->rank; i++)
        if (fact->dims[i] < 0)
            return false;
    return true;
}

/* The rest of the facts goes. */
static void keep_known(const Inferring *b)
{
    Arena *arena = b->schedule->arena;
    size_t count = b->exec->slot_count;
    const Known **all = arena_array(arena, count, sizeof *all);
    for (size_t i = 0; i < count; i++) {
        const Fact *fact = &b->facts[i];
        if (b->exec->slots[i].tensor || !is_known(fact))
            continue;
        size_t size = (size_t)fact->rank * sizeof *fact->dims;
        Known *known = arena_alloc(arena, sizeof *known + size);
        known->type = fact->type;
        known->rank = fact->rank;
        memcpy(known->dims, fact->dims, size);
        all[i] = known;
    }
    b->schedule->known = all;
}

bool schedule_shape(const Schedule *schedule, int slot, Array *shape)
{
    const Tensor *tensor = schedule->exec->slots[slot].tensor;
    const Known *known = schedule->known[slot];
    bool is_number = tensor && (dtype_is_real(tensor->type) ||
                                dtype_is_integer(tensor->type));
    if (is_number)
        array_set_shape(shape, tensor->type, tensor->rank, tensor->dims);
    else if (known)
        array_set_shape(shape, known->type, known->rank, known->dims);
    return is_number || known;
}

bool schedule_is_constant(const Schedule *schedule, int slot)
{
    return schedule->exec->slots[slot].tensor != NULL;
}

bool schedule_agrees(const Schedule *schedule, int slot, const Array *array)
{
    Array shape;
    return schedule_shape(schedule, slot, &shape) &&
           array->type == shape.type &&
           array_has_shape(array, shape.rank, shape.dims);
}

/* What follows from the shapes of the inputs and from constants, not from any
 * value. A step that inference refuses fails when it runs. */
static void infer_step(const Inferring *b, const Step *step)
{
    size_t inputs = (size_t)step->node->input_count;
    size_t outputs = (size_t)step->node->output_count;
    const Fact **facts = arena_array(b->scratch, inputs, sizeof *facts);
    const Tensor **tensors = arena_array(b->scratch, inputs, sizeof *tensors);
    Fact *found = arena_array(b->scratch, outputs, sizeof *found);
    for (size_t i = 0; i < inputs; i++) {
        int slot = step->inputs[i];
        facts[i] = slot < 0 ? NULL : &b->facts[slot];
        tensors[i] = slot < 0 ? NULL : b->exec->slots[slot].tensor;
    }
    InferCall call = {.node = step->node,
                      .opset = graph_opset(step->node->graph),
                      .arena = b->temporary,
                      .symbols = b->symbols,
                      .inputs = facts,
                      .tensors = tensors,
                      .outputs = found};
    Err ignored = {0};
    if (!step->kernel || infer_node(&call, &ignored) < 0)
        return;
    for (size_t i = 0; i < outputs; i++) {
        int slot = step->outputs[i];
        if (slot >= 0)
            b->facts[slot] = found[i];
    }
}

/* What the plan itself says of its slots. */
static Fact *facts_of_constants(Arena *arena, const Exec *exec)
{
    Fact *facts = arena_array(arena, exec->slot_count, sizeof *facts);
    for (size_t i = 0; i < exec->slot_count; i++) {
        const Tensor *tensor = exec->slots[i].tensor;
        facts[i] = tensor ? fact_of(tensor->type, tensor->rank, tensor->dims)
                          : FACT_UNKNOWN;
    }
    return facts;
}

/* Facts are temporary: what is kept of them is less. */
void schedule_infer(Schedule *schedule, Arena *temporary, Array *const *inputs,
                    Array *const *captured)
{
    const Exec *exec = schedule->exec;
    Inferring b = {exec,
                   schedule,
                   temporary,
                   arena_child(temporary),
                   facts_of_constants(temporary, exec),
                   symbols_new(temporary)};
    for (size_t i = 0; i < exec->input_count; i++)
        if (exec->inputs[i] >= 0)
            b.facts[exec->inputs[i]] = array_fact(inputs[i]);
    for (size_t i = 0; i < exec->captured_count; i++)
        b.facts[exec->captured[i]] = array_fact(captured[i]);
    for (size_t i = 0; i < exec->step_count; i++) {
        infer_step(&b, &exec->steps[i]);
        arena_clear(b.scratch);
    }
    keep_known(&b);
}
