/*
 * Where values lie.  All whose sizes are known before the run share one block
 * of memory: each has its place in it for as long as it is read.  A view lies
 * where its source does, and what is computed in place where its input did.
 * Values whose sizes only the run tells have buffers instead.
 */
#include <stdlib.h>
#include <string.h>

#include "exec/schedule.h"

/* Placing compares every value with every other: longer plans have buffers. */
enum { VALUES_MOST = 4096, ALIGNMENT = 64 };

/* Memory that one slot after another has. */
typedef struct Place {
    size_t size, offset;
    int birth, death; /* groups, both included */
} Place;

typedef struct Placer {
    const Exec *exec;
    Schedule *schedule;
    int *last_read; /* of a slot: a group, -1 for none */
    int *place_of;  /* of a slot, -1 for none */
    Place *places;
    int count;
} Placer;

static const Step *step_of(const Placer *p, const Group *group, int at)
{
    return &p->exec->steps[group->steps[at]];
}

static void find_last_reads(Placer *p)
{
    const Schedule *schedule = p->schedule;
    int end = (int)schedule->group_count;
    for (size_t i = 0; i < p->exec->slot_count; i++)
        p->last_read[i] = p->place_of[i] = -1;
    for (int g = 0; g < end; g++)
        for (int at = 0; at < schedule->groups[g].count; at++) {
            const Step *step = step_of(p, &schedule->groups[g], at);
            for (int i = 0; i < step->node->input_count; i++)
                if (step->inputs[i] >= 0)
                    p->last_read[step->inputs[i]] = g;
            for (int n = 0; n < step->nested_count; n++)
                for (size_t i = 0; i < step->nested[n].exec->captured_count;
                     i++)
                    p->last_read[step->nested[n].captures[i]] = g;
        }
    for (size_t i = 0; i < p->exec->output_count; i++)
        p->last_read[p->exec->outputs[i]] = end;
}

static size_t bytes_of(const Placer *p, const Array *shape)
{
    size_t bytes, size = storage_size(
                      array_storage(shape->type, p->exec->options.precision));
    if (__builtin_mul_overflow((size_t)shape->count, size, &bytes) ||
        bytes > SIZE_MAX >> 16) /* no sum of them overflows */
        return 0;
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* Lets a slot have the place from group g on. */
static void settle(Placer *p, int slot, int place)
{
    p->place_of[slot] = place;
    if (p->last_read[slot] > p->places[place].death)
        p->places[place].death = p->last_read[slot];
}

/* The place of an input of the group that has the shape's elements and that
 * nobody reads after group g; -1 for none. */
static int find_spare(const Placer *p, const Group *group, int g,
                      const Array *shape)
{
    Storage storage = array_storage(shape->type, p->exec->options.precision);
    for (int at = 0; at < group->count; at++) {
        const Step *step = step_of(p, group, at);
        for (int i = 0; i < step->node->input_count; i++) {
            Array in;
            int slot = step->inputs[i];
            if (slot >= 0 && p->place_of[slot] >= 0 &&
                p->places[p->place_of[slot]].death <= g &&
                schedule_shape(p->schedule, slot, &in) &&
                in.count == shape->count &&
                array_storage(in.type, p->exec->options.precision) == storage)
                return p->place_of[slot];
        }
    }
    return -1;
}

static void place_output(Placer *p, const Group *group, int g, int output)
{
    const Step *step = step_of(p, group, group->count - 1);
    int slot = step->outputs[output], place = -1;
    Array shape;
    bool in_place = group->count > 1 ? group->kernels == 0
                                     : step->kernel->flags & KERNEL_INPLACE;
    if (slot < 0 || (output > 0 && p->last_read[slot] < 0) ||
        !schedule_shape(p->schedule, slot, &shape) || shape.count == 0 ||
        bytes_of(p, &shape) == 0)
        return;
    if (step->kernel->flags & KERNEL_VIEW && output == 0) {
        if (step->inputs[0] >= 0 && p->place_of[step->inputs[0]] >= 0)
            settle(p, slot, p->place_of[step->inputs[0]]);
        return;
    }
    if (output == 0 && in_place)
        place = find_spare(p, group, g, &shape);
    if (place < 0 && p->count < VALUES_MOST) {
        place = p->count++;
        p->places[place] = (Place){bytes_of(p, &shape), 0, g, g};
    }
    if (place < 0)
        return;
    settle(p, slot, place);
    if (group->kernels > 0)
        settle(p, step_of(p, group, 0)->outputs[0], place);
}

static void find_places(Placer *p)
{
    for (int g = 0; g < (int)p->schedule->group_count; g++) {
        const Group *group = &p->schedule->groups[g];
        const Step *step = step_of(p, group, group->count - 1);
        if (!step->kernel || step->kernel->flags & KERNEL_SIZES)
            continue;
        for (int i = 0; i < step->node->output_count; i++)
            place_output(p, group, g, i);
    }
}

static int larger_first(const void *a, const void *b)
{
    const Place *x = *(Place *const *)a, *y = *(Place *const *)b;
    if (x->size != y->size)
        return x->size < y->size ? 1 : -1;
    return x->birth - y->birth;
}

static int lower_first(const void *a, const void *b)
{
    const Place *x = *(Place *const *)a, *y = *(Place *const *)b;
    return (x->offset > y->offset) - (x->offset < y->offset);
}

/* The lowest gap that holds the place, between those that are there at the
 * same time. */
static size_t find_gap(Place **set, int count, const Place *place,
                       Place **beside)
{
    int besides = 0;
    size_t offset = 0;
    for (int i = 0; i < count; i++)
        if (set[i]->birth <= place->death && place->birth <= set[i]->death)
            beside[besides++] = set[i];
    qsort(beside, (size_t)besides, sizeof(Place *), lower_first);
    for (int i = 0; i < besides; i++) {
        if (beside[i]->offset >= offset + place->size)
            break;
        size_t end = beside[i]->offset + beside[i]->size;
        offset = end > offset ? end : offset;
    }
    return offset;
}

/* The largest first, each as low as it fits; returns the size of all. */
static size_t set_offsets(Placer *p, Arena *temporary)
{
    size_t count = (size_t)p->count + 1, end = 0;
    Place **order = arena_array(temporary, count, sizeof(Place *));
    Place **beside = arena_array(temporary, count, sizeof(Place *));
    for (int i = 0; i < p->count; i++)
        order[i] = &p->places[i];
    qsort(order, (size_t)p->count, sizeof(Place *), larger_first);
    for (int i = 0; i < p->count; i++) {
        order[i]->offset = find_gap(order, i, order[i], beside);
        if (order[i]->offset + order[i]->size > end)
            end = order[i]->offset + order[i]->size;
    }
    return end;
}

/* The places that are taken during group g, lowest first. */
static int list_taken(const Placer *p, int g, Place **taken)
{
    int count = 0;
    for (int i = 0; i < p->count; i++)
        if (p->places[i].birth <= g && g <= p->places[i].death)
            taken[count++] = &p->places[i];
    qsort(taken, (size_t)count, sizeof *taken, lower_first);
    return count;
}

/* What is alive in each group, and the largest gap between. */
static void survey_groups(Placer *p, Arena *temporary)
{
    Schedule *schedule = p->schedule;
    Place **taken = arena_array(temporary, (size_t)p->count + 1, sizeof *taken);
    for (int g = 0; g < (int)schedule->group_count; g++) {
        Group *group = &schedule->groups[g];
        size_t live = 0, end = 0;
        int count = list_taken(p, g, taken);
        for (int i = 0; i <= count; i++) {
            size_t next = i < count ? taken[i]->offset : schedule->size;
            if (next > end && next - end > group->spare.size)
                group->spare = (Spare){schedule->memory + end, next - end};
            if (i < count) {
                live += taken[i]->size;
                end = next + taken[i]->size;
            }
        }
        schedule->live = live > schedule->live ? live : schedule->live;
    }
}

void schedule_place_values(Schedule *schedule, Arena *temporary)
{
    const Exec *exec = schedule->exec;
    Placer p = {.exec = exec, .schedule = schedule};
    size_t slots = exec->slot_count;
    if (schedule->group_count > VALUES_MOST)
        return;
    p.last_read = arena_array(temporary, slots, sizeof *p.last_read);
    p.place_of = arena_array(temporary, slots, sizeof *p.place_of);
    p.places = arena_array(temporary, VALUES_MOST, sizeof *p.places);
    find_last_reads(&p);
    find_places(&p);
    schedule->size = set_offsets(&p, temporary);
    /* Of what hardly fits, the step that asks for it must tell. */
    if (!arena_fits(schedule->arena, 2 * schedule->size))
        return;
    schedule->memory = arena_block(schedule->arena, schedule->size, 1);
    arena_prefer_large_pages(schedule->memory, schedule->size);
    survey_groups(&p, temporary);
    schedule->places = arena_array(schedule->arena, slots, sizeof(char *));
    schedule->room = arena_array(schedule->arena, slots, sizeof(size_t));
    for (size_t i = 0; i < slots; i++)
        if (p.place_of[i] >= 0) {
            const Place *place = &p.places[p.place_of[i]];
            schedule->places[i] = schedule->memory + place->offset;
            schedule->room[i] = place->size;
        }
}

void *schedule_place(const Schedule *schedule, int slot, size_t size)
{
    if (!schedule || !schedule->places || slot < 0 ||
        size > schedule->room[slot])
        return NULL;
    return schedule->places[slot];
}

bool schedule_owns(const Schedule *schedule, const void *data)
{
    uintptr_t at = (uintptr_t)data, begin = (uintptr_t)schedule->memory;
    return begin && at >= begin && at - begin < schedule->size;
}
