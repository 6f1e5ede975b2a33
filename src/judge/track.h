/* A graph as the judge walks it: each node with its values, by pointer. */
#ifndef REPFOLD_JUDGE_TRACK_H
#define REPFOLD_JUDGE_TRACK_H

#include "exec/exec.h"
#include "graph/graph.h"

struct Shared;

/* A value of one graph. */
typedef struct Cell {
    const Value *value;
    struct Step *step;     /* that computes it; NULL for an input */
    struct Shared *shared; /* when the other graph has it too */
    bool is_constant;      /* an initializer, a Constant, or known to be one */
    double after;       /* how far apart both models' runs still are in what is
                           computed from it; see shared.h */
    struct Shared *end; /* a faulty segment that it lies inside of */
    /* While segments are compared: */
    Array *array, *error; /* see bound.h; NULL when not held */
    int readers;          /* of the array, that are still to come */
    bool error_read;      /* a bound goes on from this one */
    bool ready;           /* the original has computed it */
    bool missing;         /* it could not be computed or bounded */
} Cell;

/* A node. */
typedef struct Step {
    const Node *node;
    Cell **inputs, **outputs; /* NULL where absent */
    bool needed;              /* some compared segment goes through it */
    Arena *arena;             /* of what it computed, while that is held */
    int held;                 /* outputs that are */
} Step;

typedef struct Track {
    const Graph *graph;
    Step *steps;
    size_t step_count;
    Cell **cells; /* of the graph's values by their index; NULL of others */
} Track;

Track *track_new(Arena *arena, const Graph *graph);
/* The cell of that name, or NULL. */
Cell *track_cell(const Track *track, const char *name);
/* The elements of a constant cell in double, rounded as a file holds them. */
int cell_load(Arena *arena, const Cell *cell, const ExecOptions *options,
              Array **out, Err *err);
/* Forgets what comparing segments left. */
void track_reset(Track *track);
/* The name of a node in reports: its own, or that of its first output. */
const char *step_name(const Step *step);

#endif
