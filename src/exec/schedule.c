#include "exec/schedule.h"

#include <string.h>

#include "exec/chain.h"

/* More would not fit a chain's rows. */
enum { MEMBERS = 20 };

/* A region that grows from its last step backwards. */
typedef struct Region {
    int steps[MEMBERS]; /* the newest at the end */
    int count;
    int kernels[1 + BESIDE_MOST]; /* whose epilogue it is, and those beside */
    int kernel_count;
    int frontier; /* from this step on to the last one it has them all */
    Array shape;
} Region;

typedef struct Builder {
    Exec *exec;
    Schedule *schedule;
    Arena *temporary;
    int *producer;     /* the step of a slot, -1 for none */
    int *reads;        /* of a slot, by the region */
    int *reads_of;     /* which region the count is of */
    bool *taken;       /* steps that are in a region */
    const Group **end; /* the region that ends with a step */
    int region;        /* counts them */
} Builder;

/* ---- Groups ---- */

/* True when one output, of this shape, is all that a step computes. */
static bool computes(const Builder *b, const Step *step, const Array *shape)
{
    Array own;
    for (int i = 1; i < step->node->output_count; i++)
        if (step->outputs[i] >= 0 && b->exec->slots[step->outputs[i]].reads > 0)
            return false;
    return step->outputs[0] >= 0 &&
           schedule_shape(b->schedule, step->outputs[0], &own) &&
           dtype_is_real(own.type) && own.count > 1 &&
           array_has_shape(&own, shape->rank, shape->dims);
}

/* True for an input that is read element by element; others are numbers. */
static bool reads_elements(const Step *step, int input)
{
    return input == 0 || step->kernel->chain == chain_add_zip ||
           step->kernel->chain == chain_add_zip_all;
}

static bool is_elementwise(const Builder *b, const Step *step,
                           const Array *shape)
{
    if (!step->kernel || !step->kernel->chain || !computes(b, step, shape))
        return false;
    for (int i = 0; i < step->node->input_count; i++) {
        Array in;
        if (step->inputs[i] >= 0 && reads_elements(step, i) &&
            (!schedule_shape(b->schedule, step->inputs[i], &in) ||
             !chain_takes(shape, &in)))
            return false;
    }
    return true;
}

/* Inputs of a step that joins keep their memory until the region runs, in
 * place of its output: when there are several, it joins only with nothing in
 * between. A constant that is loaded for its reader alone would have to stay
 * beside others. */
static bool may_join(const Builder *b, const Region *region, int index)
{
    const Step *step = &b->exec->steps[index];
    int kept = 0;
    for (int i = 0; i < step->node->input_count; i++) {
        Array in;
        if (step->inputs[i] < 0 ||
            !schedule_shape(b->schedule, step->inputs[i], &in) ||
            in.count < region->shape.count)
            continue;
        const Slot *slot = &b->exec->slots[step->inputs[i]];
        if (slot->tensor && !slot->held)
            return false;
        kept += !slot->tensor;
    }
    return kept <= 1 || index + 1 >= region->frontier;
}

static bool contains(const Region *region, int index)
{
    for (int at = 0; at < region->count; at++)
        if (region->steps[at] == index)
            return true;
    return false;
}

static void join(Builder *b, Region *region, int index)
{
    const Step *step = &b->exec->steps[index];
    b->taken[index] = true;
    region->steps[region->count++] = index;
    while (contains(region, region->frontier - 1))
        region->frontier--;
    for (int i = 0; i < step->node->input_count; i++) {
        int slot = step->inputs[i];
        if (slot < 0 || !reads_elements(step, i))
            continue;
        if (b->reads_of[slot] != b->region)
            b->reads[slot] = 0;
        b->reads_of[slot] = b->region;
        b->reads[slot]++;
    }
}

/* The step that computes the slot, if only the region reads it; else -1. */
static int sole_producer(const Builder *b, int slot)
{
    if (slot < 0 || b->reads_of[slot] != b->region ||
        b->reads[slot] != b->exec->slots[slot].reads)
        return -1;
    int index = b->producer[slot];
    return index < 0 || b->taken[index] ? -1 : index;
}

/* Takes in what the region alone reads, until nothing more joins. */
static void grow(Builder *b, Region *region)
{
    for (int at = 0; at < region->count; at++) {
        const Step *step = &b->exec->steps[region->steps[at]];
        for (int i = step->node->input_count - 1; i >= 0; i--) {
            int index = sole_producer(b, step->inputs[i]);
            if (index >= 0 && region->count < MEMBERS &&
                is_elementwise(b, &b->exec->steps[index], &region->shape) &&
                may_join(b, region, index))
                join(b, region, index);
        }
    }
}

/* The last step before the region that can take it as its epilogue. */
static void find_kernel(Builder *b, Region *region)
{
    int found = -1;
    for (int at = 0; at < region->count; at++) {
        const Step *step = &b->exec->steps[region->steps[at]];
        for (int i = 0; i < step->node->input_count; i++) {
            int index = sole_producer(b, step->inputs[i]);
            const Step *before = &b->exec->steps[index < 0 ? 0 : index];
            if (index > found && before->kernel &&
                before->kernel->flags & KERNEL_EPILOGUE &&
                computes(b, before, &region->shape))
                found = index;
        }
    }
    if (found < 0)
        return;
    region->kernels[region->kernel_count++] = found;
    b->taken[found] = true;
}

/* ---- Kernels beside ---- */

/* Steps that compute a value out of the input of the region's kernel, which
 * is there until the region runs: nothing else must be kept for them. */
typedef struct Branch {
    int steps[MEMBERS], count;
    int kernels[BESIDE_MOST], kernel_count;
} Branch;

/* What a kernel can tell of a step before it runs. */
static bool describe_call(const Builder *b, const Step *step, KernelCall *call)
{
    Arena *arena = b->temporary;
    size_t count = (size_t)step->node->input_count;
    Array **inputs = arena_array(arena, count, sizeof *inputs);
    Array **outputs = arena_array(arena, 1, sizeof *outputs);
    outputs[0] = arena_alloc(arena, sizeof *outputs[0]);
    for (size_t i = 0; i < count; i++) {
        if (step->inputs[i] < 0)
            continue;
        inputs[i] = arena_alloc(arena, sizeof *inputs[i]);
        if (!schedule_shape(b->schedule, step->inputs[i], inputs[i]))
            return false;
    }
    *call = (KernelCall){.node = step->node,
                         .opset = graph_opset(step->node->graph),
                         .precision = b->exec->options.precision,
                         .level = simd_level(b->exec->options.level),
                         .input_count = step->node->input_count,
                         .output_count = 1,
                         .inputs = inputs,
                         .outputs = outputs};
    return schedule_shape(b->schedule, step->outputs[0], outputs[0]);
}

static bool goes_beside(const Builder *b, const Region *region,
                        const Step *step)
{
    const Step *first = &b->exec->steps[region->kernels[0]];
    KernelCall call, other;
    return step->kernel && step->kernel == first->kernel &&
           step->kernel->beside && step->inputs[0] == first->inputs[0] &&
           computes(b, step, &region->shape) &&
           describe_call(b, first, &call) && describe_call(b, step, &other) &&
           step->kernel->beside(&call, &other);
}

/* Follows the branch that ends with a slot; false when something else would
 * have to be kept. */
static bool follow(const Builder *b, const Region *region, int slot,
                   Branch *branch)
{
    const Exec *exec = b->exec;
    Array shape;
    int index = slot < 0 ? -1 : b->producer[slot];
    const Step *first = &exec->steps[region->kernels[0]];
    if (slot < 0 || slot == first->inputs[0] ||
        (schedule_shape(b->schedule, slot, &shape) &&
         shape.count < region->shape.count))
        return true;
    if (index < 0 || b->taken[index] || exec->slots[slot].reads != 1)
        return false;
    const Step *step = &exec->steps[index];
    if (goes_beside(b, region, step)) {
        if (region->kernel_count + branch->kernel_count > BESIDE_MOST)
            return false;
        branch->kernels[branch->kernel_count++] = index;
        return true;
    }
    if (!is_elementwise(b, step, &region->shape) ||
        region->count + branch->count == MEMBERS)
        return false;
    branch->steps[branch->count++] = index;
    for (int i = 0; i < step->node->input_count; i++)
        if (!follow(b, region, step->inputs[i], branch))
            return false;
    return true;
}

/* Takes in all branches that begin with kernels beside the region's. */
static void add_branches(Builder *b, Region *region)
{
    for (int at = 0; region->kernel_count > 0 && at < region->count; at++) {
        const Step *step = &b->exec->steps[region->steps[at]];
        for (int i = 0; i < step->node->input_count; i++) {
            Branch branch = {.count = 0};
            if (sole_producer(b, step->inputs[i]) < 0 ||
                !follow(b, region, step->inputs[i], &branch) ||
                branch.kernel_count == 0)
                continue;
            for (int k = 0; k < branch.count; k++)
                join(b, region, branch.steps[k]);
            for (int k = 0; k < branch.kernel_count; k++) {
                region->kernels[region->kernel_count++] = branch.kernels[k];
                b->taken[branch.kernels[k]] = true;
            }
        }
    }
}

/* ---- Groups of regions ---- */

static void sort(int *items, int count)
{
    for (int i = 1; i < count; i++)
        for (int k = i; k > 0 && items[k] < items[k - 1]; k--) {
            int kept = items[k];
            items[k] = items[k - 1];
            items[k - 1] = kept;
        }
}

/* The last of the group's steps that reads what one of them computes. */
static int last_reader(const Builder *b, const int *steps, int count, int at)
{
    int slot = b->exec->steps[steps[at]].outputs[0], last = at;
    for (int k = at + 1; k < count; k++) {
        const Step *step = &b->exec->steps[steps[k]];
        for (int i = 0; i < step->node->input_count; i++)
            if (step->inputs[i] == slot)
                last = k;
    }
    return last;
}

/* Gives every step but a kernel a register that nobody needs meanwhile; false
 * when there are not enough. */
static bool give_registers(const Builder *b, const Group *group, int *registers)
{
    int busy_until[CHAIN_REGISTERS];
    for (int r = 0; r < CHAIN_REGISTERS; r++)
        busy_until[r] = -1;
    for (int at = group->kernels; at < group->count; at++) {
        int r = 0;
        while (r < CHAIN_REGISTERS && busy_until[r] >= at)
            r++;
        if (r == CHAIN_REGISTERS)
            return false;
        busy_until[r] = last_reader(b, group->steps, group->count, at);
        registers[at] = r;
    }
    return true;
}

static void set_taken(Builder *b, const Region *region, bool taken)
{
    for (int i = 0; i < region->count; i++)
        b->taken[region->steps[i]] = taken;
    for (int i = 0; i < region->kernel_count; i++)
        b->taken[region->kernels[i]] = taken;
}

static const Node **nodes_of(const Builder *b, const int *steps, int count)
{
    const Node **nodes =
        arena_array(b->schedule->arena, (size_t)count, sizeof *nodes);
    for (int i = 0; i < count; i++)
        nodes[i] = b->exec->steps[steps[i]].node;
    return nodes;
}

/* The region's kernels, then its steps in their order. Where the registers do
 * not suffice there is no group, and the steps are free again. */
static bool end_region(Builder *b, Region *region)
{
    Arena *arena = b->schedule->arena;
    int kernels = region->kernel_count, last = region->steps[0];
    size_t count = (size_t)(region->count + kernels);
    int *steps = arena_array(arena, count, sizeof *steps);
    int *registers = arena_array(arena, count, sizeof *registers);
    memcpy(steps, region->kernels, (size_t)kernels * sizeof *steps);
    memcpy(steps + kernels, region->steps,
           (size_t)region->count * sizeof *steps);
    sort(steps + kernels, region->count);
    Group *group = arena_alloc(arena, sizeof *group);
    *group = (Group){.steps = steps,
                     .nodes = nodes_of(b, steps, (int)count),
                     .registers = registers,
                     .count = (int)count,
                     .kernels = kernels};
    bool fits = count > 1 && give_registers(b, group, registers);
    if (fits)
        b->end[last] = group;
    else
        set_taken(b, region, false);
    return fits;
}

static void find_regions(Builder *b)
{
    for (int i = (int)b->exec->step_count - 1; i >= 0; i--) {
        const Step *step = &b->exec->steps[i];
        Region region = {.frontier = i + 1};
        if (b->taken[i] || step->node->output_count == 0 ||
            step->outputs[0] < 0 ||
            !schedule_shape(b->schedule, step->outputs[0], &region.shape) ||
            !is_elementwise(b, step, &region.shape))
            continue;
        b->region++;
        join(b, &region, i);
        grow(b, &region);
        find_kernel(b, &region);
        Region plain = region;
        add_branches(b, &region);
        if (!end_region(b, &region) &&
            region.kernel_count > plain.kernel_count) {
            set_taken(b, &plain, true);
            end_region(b, &plain);
        }
    }
}

static void make_groups(Builder *b)
{
    Schedule *schedule = b->schedule;
    size_t count = b->exec->step_count;
    schedule->groups = arena_array(schedule->arena, count, sizeof(Group));
    int *singles = arena_array(schedule->arena, count, sizeof *singles);
    for (size_t i = 0; i < count; i++) {
        singles[i] = (int)i;
        if (b->end[i])
            schedule->groups[schedule->group_count++] = *b->end[i];
        else if (!b->taken[i])
            schedule->groups[schedule->group_count++] =
                (Group){.steps = &singles[i],
                        .nodes = &b->exec->steps[i].node,
                        .count = 1};
    }
}

/* ---- Schedules ---- */

static bool is_for(const Schedule *schedule, const Exec *exec,
                   Array *const *inputs, Array *const *captured)
{
    for (size_t i = 0; i < exec->input_count + exec->captured_count; i++) {
        const Array *known = &schedule->shapes[i];
        const Array *given =
            i < exec->input_count ? inputs[i] : captured[i - exec->input_count];
        bool is_given = i >= exec->input_count || exec->inputs[i] >= 0;
        if (is_given && (given->type != known->type ||
                         !array_has_shape(known, given->rank, given->dims)))
            return false;
    }
    return true;
}

static void keep_shapes(Schedule *schedule, const Exec *exec,
                        Array *const *inputs, Array *const *captured)
{
    size_t count = exec->input_count + exec->captured_count;
    schedule->shapes = arena_array(schedule->arena, count, sizeof(Array));
    for (size_t i = 0; i < exec->input_count; i++)
        if (exec->inputs[i] >= 0)
            schedule->shapes[i] = *inputs[i];
    for (size_t i = 0; i < exec->captured_count; i++)
        schedule->shapes[exec->input_count + i] = *captured[i];
}

static void builder_init(Builder *b)
{
    Arena *arena = b->temporary;
    size_t slots = b->exec->slot_count, steps = b->exec->step_count;
    b->producer = arena_array(arena, slots, sizeof *b->producer);
    b->reads = arena_array(arena, slots, sizeof *b->reads);
    b->reads_of = arena_array(arena, slots, sizeof *b->reads_of);
    b->taken = arena_array(arena, steps, sizeof *b->taken);
    b->end = arena_array(arena, steps, sizeof *b->end);
    for (size_t i = 0; i < slots; i++)
        b->producer[i] = -1;
    for (size_t i = 0; i < steps; i++) {
        const Step *step = &b->exec->steps[i];
        for (int k = 0; k < step->node->output_count; k++)
            if (step->outputs[k] >= 0)
                b->producer[step->outputs[k]] = (int)i;
    }
}

Schedule *schedule_for(Exec *exec, Array *const *inputs, Array *const *captured)
{
    if (exec->schedule && is_for(exec->schedule, exec, inputs, captured))
        return exec->schedule;
    if (exec->schedule)
        arena_free(exec->schedule->arena);
    Arena *arena = arena_child(exec->arena), *temporary = arena_child(arena);
    Schedule *schedule = arena_alloc(arena, sizeof *schedule);
    exec->schedule = NULL;
    schedule->exec = exec;
    schedule->arena = arena;
    Builder b = {.exec = exec, .schedule = schedule, .temporary = temporary};
    builder_init(&b);
    keep_shapes(schedule, exec, inputs, captured);
    schedule_infer(schedule, temporary, inputs, captured);
    /* A probe wants to see every value. */
    if (!exec->options.probe)
        find_regions(&b);
    make_groups(&b);
    if (!exec->parent && !exec->caller)
        schedule_place_values(schedule, temporary);
    arena_free(temporary);
    exec->schedule = schedule;
    return schedule;
}
