/*
 * A graph while it runs: what its slots hold.  Private to exec/.
 */
#ifndef REPFOLD_EXEC_RUN_H
#define REPFOLD_EXEC_RUN_H

#include "exec/schedule.h"

typedef struct Holder {
    Array *array;           /* NULL where there is nothing now */
    const ExecInput *given; /* of an input that is to be read, or NULL */
    bool owned; /* its data is a buffer that it holds; else it is lent */
    int left;   /* reads to come */
} Holder;

typedef struct Run {
    Exec *exec;
    const Schedule *schedule;
    const Group *group; /* that runs now */
    Spare spare;        /* what is left of the group's */
    Arena *arena;       /* of what lives until the run ends */
    Arena *temporary;   /* of what the steps of one group need */
    Holder *holders;    /* of slots */
    Array *free;       /* arrays of holders that let go, linked by their data */
    size_t most_bytes; /* of the whole tree of arenas */
} Run;

/* Input i of a step; a constant is loaded the first time. NULL where absent. */
int run_input(Run *run, const Step *step, int i, Array **out, Err *err);
/* A call of the step with all its inputs, and the outputs that are wanted. */
int run_gather(Run *run, const Step *step, StepCall *call, Err *err);
/* Makes a slot hold an array, whose buffer it owns or not. */
void run_keep(Run *run, int slot, const Array *array, bool owned);
/* The step has read its inputs. */
void run_read(Run *run, const Step *step);
/* One step by itself, its outputs in their places or in buffers. */
int run_step(Run *run, const Step *step, bool is_placed, Err *err);

/* fuse.c: several steps as one. */
int run_group(Run *run, const Group *group, Err *err);

#endif
