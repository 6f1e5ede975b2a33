/*
 * What certifying knows of the values of two graphs: their shapes, in symbols
 * that both share; the numbers of those that are constant; and which value of
 * the converted graph equals which one of the original.
 */
#ifndef REPFOLD_JUDGE_KNOWN_H
#define REPFOLD_JUDGE_KNOWN_H

#include "exec/exec.h"
#include "graph/graph.h"

/* Numbers that do not depend on the inputs. */
typedef struct Constant {
    DType type;
    int rank;
    const int64_t *dims;
    int64_t count;
    const Tensor *tensor; /* as the file holds them, or */
    const Array *array;   /* as a constant subgraph computes them, in double */
    Arena *memory;        /* of its own, which holds the array; or NULL */
    /* A number on the way is none of its type: computed in that type they are
     * others, a little apart. */
    bool inexact;
} Constant;

struct Sum;

typedef struct Known {
    const Value *value;
    const Node *node; /* that computes it; NULL for an input */
    struct Scope *scope;
    int output;
    Fact fact;                /* of one with a twin, that one's */
    Fact inferred;            /* of one with a twin, what its own node gives */
    const Constant *constant; /* or NULL */
    struct Known *twin;       /* of the converted graph: what it equals in the
                                 original; of the original: the first that does */
    struct Known *same;       /* of a call or an If: what it gives, inside; of
                                 a Cast: what the first one like it gives */
    struct Known *root;       /* that known_root has found, or NULL */
    bool shape_read;          /* a node reads its shape alone */
    int readers;              /* nodes that read it, each as often as it does */
    int unread;   /* readers that are still to come, where they were counted */
    bool needed;  /* a node that is not constant reads it, or a body */
    bool spent;   /* it was constant, and all that reads it is */
    bool covered; /* some certificate is about its node */
    /* While one region is looked at, when `stamp` is that of the region: */
    unsigned stamp, stop;
    /* While it is read, when `reading` is the number of that. */
    unsigned reading;
    struct Sum *sum;
} Known;

/* A graph, or one held by a node or a function of it. */
typedef struct Scope {
    Arena *arena;
    const Graph *graph;
    struct Scope *parent;
    Symbols *symbols; /* of both models */
    Map *known;
    Map *casts; /* the first Cast of each value to each type */
    const ExecOptions *exec;
    int64_t *room; /* elements that constants may still have */
    int depth;     /* of calls and branches that it is inside of */
    bool is_original;
} Scope;

Scope *scope_new(Arena *arena, const Scope *like, const Graph *graph,
                 Scope *parent);
/* What is known of a value that a node of the scope reads; made as a value
 * without producer when it was not there. NULL for NULL. */
Known *scope_known(Scope *scope, const Value *value);
/* The value of that name, or NULL. */
Known *scope_find(const Scope *scope, const char *name);
/* Counts who reads the constants of the graph, which then go when nobody needs
 * them any more; without it they stay. */
void scope_count_readers(Scope *scope);
/* Takes the next node of the graph: its outputs become known. */
int scope_take(Scope *scope, const Node *node, Err *err);
/* Finds the shapes of what it gives, once its inputs' are known. */
int scope_infer(Scope *scope, const Node *node, Err *err);

/* The first input from there on that is no initializer, as those of a body are
 * listed too up to IR version 3; the number of inputs where there is none. */
size_t input_from(const Graph *graph, size_t index);

/* Makes what is inside a call, or inside the branch that a known condition
 * takes, known, and the outputs of `known`'s node the same as the body's; any
 * other node stays as it is. */
int body_enter(Known *known, Err *err);

/* True for a Slice that leaves no element out. */
bool takes_all(Scope *scope, const Node *node);
/* Identity, Dropout in inference, Cast, Reshape and Expand to what it is
 * already, Pad of nothing and Slice of everything. */
bool node_keeps(Scope *scope, const Node *node);
/* The value behind such nodes and calls. */
Known *known_root(Known *known);
/* True when the dims are the same, whatever the symbols stand for. */
bool facts_agree(const Fact *a, const Fact *b);
/* True when each input of `b` is known to equal that of `a`. */
bool inputs_agree(Scope *scope_a, const Node *a, Scope *scope_b, const Node *b,
                  int first);

/* How many elements constants may have that are computed: some, and so many for
 * each that the graphs hold, since weights may be computed in as many steps. */
int64_t constants_room(const Graph *a, const Graph *b);
/* Elements as the file holds them, rounded. */
void constant_read(const Constant *constant, int64_t first, int64_t count,
                   double *out);
/* Integers; -1 when there are more than max, or it is absent. */
int64_t constant_ints(const Constant *constant, int64_t max, int64_t *out);
bool constants_agree(const Constant *a, const Constant *b);

#endif
