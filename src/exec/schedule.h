/*
 * What a plan is for inputs of certain shapes: the shapes of its values as far
 * as they follow, and the groups of steps that run as one.  Made at the first
 * run, and again when the inputs' shapes change.  Private to exec/.
 */
#ifndef REPFOLD_EXEC_SCHEDULE_H
#define REPFOLD_EXEC_SCHEDULE_H

#include "exec/plan.h"

/* Steps that run as one, when the last one's turn comes: a chain of
 * elementwise steps over one shape, perhaps behind a kernel whose epilogue it
 * is, and kernels beside that one. Nobody else reads what is computed in
 * between. */
typedef struct Group {
    const int *steps;         /* in the plan's order */
    const Node *const *nodes; /* of the steps */
    const int *registers;     /* where each leaves its result: see chain.h */
    int count;                /* 1: a step by itself */
    int kernels;              /* the first steps, which are not elementwise */
    Spare spare; /* the schedule's memory that no value has meanwhile */
} Group;

typedef struct Schedule {
    const Exec *exec;
    Arena *arena;
    Array *shapes; /* it is made for: of inputs, then of captured values */
    const struct Known **known; /* shapes of slots; NULL for constants, and
                                   where it is not known */
    Group *groups;
    size_t group_count;
    /* Where values lie whose sizes are known: see place.c. Only of a plan that
     * is in no other one. */
    char *memory;
    size_t size;
    size_t live;   /* of the values that are alive together, at most */
    char **places; /* of slots; NULL for a buffer */
    size_t *room;
} Schedule;

/* The schedule for these inputs, which the plan keeps. */
Schedule *schedule_for(Exec *exec, Array *const *inputs,
                       Array *const *captured);
/* known.c: finds shapes, before anything else is done. */
void schedule_infer(Schedule *schedule, Arena *temporary, Array *const *inputs,
                    Array *const *captured);
/* The shape of a slot; false where it is not known to the last number. */
bool schedule_shape(const Schedule *schedule, int slot, Array *shape);
/* True for a slot that holds the same elements in every run. */
bool schedule_is_constant(const Schedule *schedule, int slot);
/* True when an array has the shape that the slot should have. */
bool schedule_agrees(const Schedule *schedule, int slot, const Array *array);

/* place.c */
void schedule_place_values(Schedule *schedule, Arena *temporary);
/* The place of a slot's value of that size, NULL where it has none. */
void *schedule_place(const Schedule *schedule, int slot, size_t size);
/* True for memory of the schedule, which no buffer owns. */
bool schedule_owns(const Schedule *schedule, const void *data);

#endif
