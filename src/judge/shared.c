#include "judge/shared.h"

#include <math.h>
#include <string.h>

#include "judge/same.h"

/* Elements of a sketch: at most, at least, and of all together. */
enum { SKETCH_MOST = 1024, SKETCH_LEAST = 16, SKETCH_ALL = 1 << 21 };
static const double FAR_APART = 0.1, RECOVERED = 1.0 / 64;

SharedSet *shared_new(Arena *arena, const Graph *a, const Graph *b,
                      Precision precision)
{
    SharedSet *set = arena_alloc(arena, sizeof *set);
    set->precision = precision;
    set->a = track_new(arena, a);
    set->b = track_new(arena, b);
    size_t capacity = 0;
    for (size_t i = 0; i < set->b->step_count; i++)
        capacity += (size_t)set->b->steps[i].node->output_count;
    set->items = arena_array(arena, capacity, sizeof *set->items);
    for (size_t i = 0; i < set->b->step_count; i++) {
        Step *step = &set->b->steps[i];
        for (int k = 0; k < step->node->output_count; k++) {
            Cell *here = step->outputs[k];
            Cell *there = here ? track_cell(set->a, here->value->name) : NULL;
            if (!there || !there->step || there->is_constant ||
                here->is_constant)
                continue;
            Shared *shared = &set->items[set->count++];
            *shared = (Shared){.a = there, .b = here, .distance = -1};
            here->shared = there->shared = shared;
        }
    }
    set->sketch = SKETCH_ALL / (int64_t)(set->count + 1);
    if (set->sketch > SKETCH_MOST)
        set->sketch = SKETCH_MOST;
    if (set->sketch < SKETCH_LEAST)
        set->sketch = SKETCH_LEAST;
    return set;
}

/* Elements of a sketch lie an odd number apart, so that in rows of even length
 * they do not all come from the same columns. */
static int64_t sketch_stride(const SharedSet *set, int64_t count)
{
    return count <= set->sketch ? 1 : count / set->sketch | 1;
}

static double element(const SharedSet *set, const Array *array, int64_t index)
{
    double value;
    array_to_f64(array, set->precision, index, 1, &value);
    return value;
}

void shared_see_a(Arena *arena, SharedSet *set, const Value *value,
                  const Array *array)
{
    Cell *cell = track_cell(set->a, value->name);
    if (!cell || !cell->shared || cell->value != value)
        return;
    Shared *shared = cell->shared;
    fact_set(arena, &shared->seen, array->type, array->rank, array->dims);
    int64_t stride = sketch_stride(set, array->count);
    size_t length = (size_t)((array->count + stride - 1) / stride);
    shared->sketch = arena_array(arena, length + 1, sizeof *shared->sketch);
    for (size_t i = 0; i < length; i++)
        shared->sketch[i] = element(set, array, (int64_t)i * stride);
}

static double distance(const SharedSet *set, const Shared *shared,
                       const Array *array)
{
    double apart = 0, size = 0;
    int64_t stride = sketch_stride(set, array->count);
    for (int64_t i = 0, at = 0; at < array->count; i++, at += stride) {
        double a = shared->sketch[i], b = element(set, array, at);
        if (a == b || (isnan(a) && isnan(b)))
            a = b = isfinite(a) ? a : 0;
        apart += (a - b) * (a - b);
        size += a * a + b * b;
    }
    double ratio = apart == 0 ? 0 : sqrt(apart / size);
    return isfinite(ratio) ? ratio : 1;
}

void shared_see_b(SharedSet *set, const Value *value, const Array *array)
{
    Cell *cell = track_cell(set->b, value->name);
    if (!cell || !cell->shared || cell->value != value || !cell->shared->sketch)
        return;
    Shared *shared = cell->shared;
    const Fact *seen = &shared->seen;
    shared->same_shape = seen->type == array->type &&
                         seen->rank == array->rank &&
                         memcmp(seen->dims, array->dims,
                                (size_t)array->rank * sizeof *seen->dims) == 0;
    shared->distance = shared->same_shape ? distance(set, shared, array) : 1;
}

/* How far apart a value is, or what comes of it: whichever is less. */
static double cell_remains(const Cell *cell)
{
    const Shared *shared = cell->shared;
    bool is_real = shared && dtype_is_real(shared->seen.type);
    if (!is_real || shared->distance < 0)
        return cell->value->is_output ? 1 : cell->after;
    return cell->value->is_output ? shared->distance
                                  : fmin(shared->distance, cell->after);
}

/* Fills `after`, backwards through b: of several consumers the worst counts,
 * since a shape, or a sigmoid that is saturated, hides every difference. */
static void find_recoveries(const Track *track)
{
    for (size_t i = track->step_count; i-- > 0;) {
        const Step *step = &track->steps[i];
        double remains = 0;
        for (int k = 0; k < step->node->output_count; k++)
            if (step->outputs[k])
                remains = fmax(remains, cell_remains(step->outputs[k]));
        for (int k = 0; k < step->node->input_count; k++)
            if (step->inputs[k])
                step->inputs[k]->after = fmax(step->inputs[k]->after, remains);
    }
}

static bool has_other_meaning(const Shared *shared)
{
    if (!shared->same_shape)
        return true;
    return !shared->b->value->is_output && shared->distance > FAR_APART &&
           shared->b->after < shared->distance * RECOVERED;
}

static bool same_input(const Cell *a, const Cell *b)
{
    if (!a || !b)
        return a == b;
    if (a->is_constant || b->is_constant)
        return a->is_constant && b->is_constant && constant_same(a, b);
    if (!a->step && !b->step)
        return strcmp(a->value->name, b->value->name) == 0;
    return b->shared && b->shared->is_cut && b->shared->a == a;
}

/* The same node on the same values. */
static bool same_step(const Step *a, const Step *b, bool same_functions)
{
    if (!node_same(a->node, b->node) ||
        (!same_functions && node_function(a->node)))
        return false;
    for (int i = 0; i < a->node->input_count; i++)
        if (!same_input(a->inputs[i], b->inputs[i]))
            return false;
    return true;
}

static void find_changed(SharedSet *set)
{
    bool same = functions_same(set->a->graph->model, set->b->graph->model);
    for (size_t i = 0; i < set->count; i++) {
        Shared *shared = &set->items[i];
        shared->is_changed = shared->is_cut &&
                             !same_step(shared->a->step, shared->b->step, same);
    }
}

void shared_settle(SharedSet *set)
{
    find_recoveries(set->b);
    for (size_t i = 0; i < set->count; i++) {
        Shared *shared = &set->items[i];
        bool seen = shared->distance >= 0;
        shared->is_cut = seen && !has_other_meaning(shared);
        if (seen && !shared->is_cut)
            set->other_meaning++;
    }
    find_changed(set);
}

/* The faulty segment that a step belongs to, or NULL. */
static Shared *faulty_end(const Step *step)
{
    Shared *end = NULL;
    for (int k = 0; k < step->node->output_count; k++) {
        const Cell *cell = step->outputs[k];
        if (cell && cell->shared && cell->shared->is_faulty)
            end = cell->shared;
        else if (cell && cell->end)
            end = cell->end;
    }
    return end;
}

/* A segment's values, backwards from its end as far as the next cut. */
static void spread_ends(Track *track)
{
    for (size_t i = track->step_count; i-- > 0;) {
        Step *step = &track->steps[i];
        Shared *end = faulty_end(step);
        for (int k = 0; end && k < step->node->input_count; k++) {
            Cell *cell = step->inputs[k];
            if (cell && !(cell->shared && cell->shared->is_cut))
                cell->end = end;
        }
    }
}

bool shared_cut_within(SharedSet *set)
{
    bool any = false;
    spread_ends(set->b);
    for (size_t i = 0; i < set->count; i++) {
        Shared *shared = &set->items[i];
        Shared *end = shared->b->end;
        if (!end || !shared->same_shape)
            continue;
        end->is_wide = shared->is_cut = any = true;
        set->other_meaning--;
    }
    find_changed(set);
    return any;
}

/* What the models give stays compared. */
static void mark_joined(const Step *step)
{
    for (int k = 0; k < step->node->input_count; k++) {
        const Cell *cell = step->inputs[k];
        Shared *shared = cell ? cell->shared : NULL;
        if (shared && shared->is_cut && shared->is_faulty &&
            !cell->value->is_output)
            shared->is_joined = true;
    }
}

size_t shared_join(SharedSet *set)
{
    size_t count = 0;
    spread_ends(set->b);
    for (size_t i = 0; i < set->b->step_count; i++)
        if (faulty_end(&set->b->steps[i]))
            mark_joined(&set->b->steps[i]);
    for (size_t i = 0; i < set->count; i++) {
        Shared *shared = &set->items[i];
        shared->was_faulty = shared->is_faulty;
        count += shared->is_joined;
        if (shared->is_joined)
            shared->is_cut = false;
    }
    set->other_meaning += count;
    find_changed(set);
    return count;
}

void shared_part(SharedSet *set)
{
    for (size_t i = 0; i < set->count; i++) {
        Shared *shared = &set->items[i];
        shared->is_faulty = shared->was_faulty;
        set->other_meaning -= shared->is_joined;
        if (shared->is_joined)
            shared->is_cut = true;
        shared->is_joined = false;
    }
    find_changed(set);
}

void shared_reset(SharedSet *set)
{
    track_reset(set->a);
    track_reset(set->b);
    for (size_t i = 0; i < set->count; i++)
        set->items[i].is_faulty = false;
}
