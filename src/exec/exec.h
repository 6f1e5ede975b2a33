/*
 * The reference executor.  It evaluates a graph in one precision: every real
 * type (float16 to float64) is held as that precision, every integer and bool
 * as int64; the logical ONNX type is kept beside, integer results wrap to it.
 * It never writes to the graph.
 */
#ifndef REPFOLD_EXEC_EXEC_H
#define REPFOLD_EXEC_EXEC_H

#include "base/pool.h"
#include "exec/simd.h"
#include "graph/graph.h"

typedef enum Precision { PRECISION_F32, PRECISION_F64 } Precision;

/* A run-time tensor. */
typedef struct Array {
    DType type; /* logical type */
    int rank;
    int64_t dims[RANK_MAX];
    int64_t count;
    void *data; /* float, double or int64_t, row-major */
} Array;

/* How the elements are held for that type in that precision. */
typedef enum Storage { STORAGE_F32, STORAGE_F64, STORAGE_I64 } Storage;
Storage array_storage(DType type, Precision precision);

Array *array_new(Arena *arena, DType type, int rank, const int64_t *dims,
                 Precision precision);
/* The elements of a tensor; `exact` takes a formula's values unrounded,
 * otherwise they are rounded to the tensor's type first. */
int array_from_tensor(Arena *arena, const Tensor *tensor, Precision precision,
                      bool exact, Array **out, Err *err);
/* The elements as double, whatever the storage. */
void array_to_f64(const Array *array, Precision precision, int64_t first,
                  int64_t count, double *out);
/* A tensor in the array's logical type, rounded once. */
Tensor *array_to_tensor(Arena *arena, const Array *array, Precision precision);

typedef struct ExecOptions {
    Precision precision;
    bool exact;      /* weights of folded nodes unrounded: the algebra */
    Pool *pool;      /* NULL for one thread */
    SimdLevel level; /* SIMD_PLAIN for the same bits on every machine */
    /* The plan runs often: constants are packed for it once, in memory of its
     * own beside the model's. */
    bool runs_often;
    /* Outputs are no copies: they lie where they were computed, perhaps in an
     * input, and last until the next run. */
    bool lends;
    /* Not 0: a seed. Every stored parameter is multiplied by 1 + r, r uniform
     * in [-u, u], u the roundoff of its type: what storing it once more may
     * do. Scalars (rank 0) are literals of the program, not parameters, and
     * stay; so do the sizes, exponents and limits that Resize, Upsample, Pow,
     * Range, NonMaxSuppression and RoiAlign read, what is cast or quantized to
     * an integer and the scale of that, and the constants that those are
     * computed from. r is larger by the scale, where there is one. */
    uint64_t perturb;
    double perturb_scale; /* 0 for 1 */
    /* Called with every value a node of the graph produces (not of one nested
     * in it), before its buffer may be reused; NULL for none. The array is
     * only lent. */
    int (*probe)(void *context, const Node *node, int output,
                 const Array *array, Err *err);
    void *probe_context;
    /* Called after each node, or nodes that run as one, with the seconds that
     * took; NULL for none. */
    void (*timing)(void *context, const Node *const *nodes, int count,
                   double seconds);
    void *timing_context;
} ExecOptions;

typedef struct Exec Exec;

/* Plans a graph: checks that there is a kernel for every node (else
 * ERR_UNSUPPORTED_OPERATOR naming operator, domain and opset), loads the
 * constants, finds each buffer's last use. Belongs to the arena. */
int exec_new(Arena *arena, const Graph *graph, const ExecOptions *options,
             Exec **out, Err *err);
/* Runs it. `inputs` are in the order of the graph's inputs that are not
 * initializers, of the right type and a fitting shape; outputs are made in
 * `arena`, in the order of the graph's outputs. May be called again and
 * again. */
int exec_run(Exec *exec, Arena *arena, Array *const *inputs, Array **outputs,
             Err *err);

/* An input as it was read. It is converted when it is first needed; then its
 * arena, which holds nothing else, is freed. NULL for one that stays. */
typedef struct ExecInput {
    const Tensor *tensor;
    Arena *arena;
} ExecInput;
/* Runs it on tensors. An input's elements are let go once they are read for
 * the last time. */
int exec_run_tensors(Exec *exec, Arena *arena, const ExecInput *inputs,
                     Array **outputs, Err *err);

/* What runs took so far, in bytes: the values of known sizes that were alive
 * together, at most; and all that was held beside the plan, its constants and
 * what is prepared of them, and the outputs. */
typedef struct ExecMemory {
    size_t live, peak;
} ExecMemory;
ExecMemory exec_memory(const Exec *exec);

/* Evaluates one node on given inputs (NULL where absent): how the folder
 * evaluates constants and the judge evaluates segments. */
int exec_node(Arena *arena, const Node *node, const ExecOptions *options,
              Array *const *inputs, Array **outputs, Err *err);

/* True when exec_node can evaluate the node: nodes that hold graphs, and calls
 * of local functions, only a plan can. */
bool exec_supports(const Node *node);

#endif
