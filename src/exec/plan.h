/*
 * A graph made ready to run: what is known before any input comes.  Private
 * to exec/.
 */
#ifndef REPFOLD_EXEC_PLAN_H
#define REPFOLD_EXEC_PLAN_H

#include "exec/kernel.h"

/* A value: where it comes from, and how often it is read. */
typedef struct Slot {
    const char *name;
    const Tensor *tensor; /* of a constant */
    void *held;        /* its elements where they are there for good; else they
                          are loaded when they are needed */
    uint64_t noise;    /* not 0: the seed it is perturbed with */
    int reads;         /* by nodes, nested graphs, and as a graph output */
    bool is_structure; /* some node reads it as sizes or an exponent */
} Slot;

/* A graph inside a node: a branch, a loop body, a function. */
typedef struct Nested {
    const char *name; /* of the attribute */
    struct Exec *exec;
    int *captures; /* our slots, for each of its captured ones */
} Nested;

typedef struct Step {
    const Node *node;
    const Kernel *kernel;  /* NULL where there are nested graphs */
    int *inputs, *outputs; /* slots; -1 where absent */
    Nested *nested;
    int nested_count;
    bool calls_function;
    Prepared *prepared; /* NULL where the kernel has nothing prepared */
} Step;

/* What a plan shares with all that are nested in it. */
typedef struct Plan {
    size_t steps; /* planned so far */
    int depth;
    uint64_t runs; /* of nested graphs, in this run */
} Plan;

struct Exec {
    Arena *arena;
    const Graph *graph;
    ExecOptions options;
    Buffers *buffers;
    struct Exec *parent; /* of an enclosing graph; NULL for a function */
    const Node *caller;  /* of a function: the node that gives attributes */
    Map *absent;         /* of a function: inputs that it is not given */
    Plan *plan;
    int *own;    /* of the graph's values by their index: see plan_slot */
    Map *others; /* of values of enclosing graphs by their names */
    Slot *slots;
    size_t slot_count, slot_capacity;
    Step *steps;
    size_t step_count;
    int *inputs, *outputs; /* slots; -1 for an input that is not given */
    size_t input_count, output_count;
    int *captured; /* slots that hold values of the enclosing graph */
    size_t captured_count, captured_capacity;
    struct Schedule *schedule; /* of the last run; NULL before the first */
    ExecMemory memory;
};

/* What goes in and comes out of a plan. Inputs and captured values are lent;
 * outputs are in `arena`. */
typedef struct PlanData {
    Array *const *inputs; /* without data where it is to be read of: */
    const ExecInput *tensors;
    Array *const *captured;
    Array **outputs;
} PlanData;
int plan_run(Exec *exec, Arena *arena, const PlanData *data, Err *err);

/* Says that nothing runs the node: which operator, of which domain and opset,
 * and at which opsets there is one. */
int plan_refuse(Arena *arena, const Node *node, Err *err);

/* The node of a function's body as its caller makes it: attributes that refer
 * to the caller's are replaced by those. */
const Node *plan_resolve(Arena *arena, const Node *node, const Node *caller);

/* One step on given inputs. */
typedef struct StepCall {
    const Step *step;
    const struct Schedule *schedule; /* what shapes to expect; NULL for none */
    Spare spare_memory;              /* for what the kernel needs */
    bool is_placed; /* outputs have the places that the schedule gives them */
    const ExecOptions *options;
    Arena *arena; /* temporary */
    Buffers *buffers;
    Array *const *inputs;
    Array *const *const *captured; /* for each nested graph */
    const bool *spare;             /* inputs whose memory an output may take */
    const Epilogue *epilogue;      /* only for a kernel that runs it */
    KernelCall *beside;            /* see KernelCall */
    int beside_count;
    Array **outputs; /* in: NULL where not wanted; out: what it computed */
    int taken;       /* out: the input whose data output 0 has, or -1 */
} StepCall;
int step_run(StepCall *call, Err *err);

/* The shape of a constant, and its elements where they are held. */
Array slot_array(const Slot *slot);
/* Loads a constant into the array's memory, perturbed where the options say
 * so. */
void slot_load(const Slot *slot, const ExecOptions *options,
               const Array *array);

/* Lets kernels prepare their constant inputs. */
int plan_prepare(Exec *exec, Err *err);

#endif
