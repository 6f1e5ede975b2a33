/*
 * What a kernel is given, and the table of all kernels.  A kernel computes one
 * node: its inputs are checked against the types in the table, its outputs
 * have the shapes that graph/infer found, and their memory.
 */
#ifndef REPFOLD_EXEC_KERNEL_H
#define REPFOLD_EXEC_KERNEL_H

#include "exec/array.h"
#include "exec/buffers.h"
#include "exec/simd.h"

/*
 * What a kernel makes of its constant inputs for all runs of a plan, in the
 * plan's precision: weights in the order in which its inner loop reads them.
 * It is the first member of the kernel's own struct.
 */
typedef struct Prepared {
    unsigned replaced; /* bit i: it stands for the elements of input i, whose
                          array comes with its shape but without data */
} Prepared;

/*
 * Elementwise work on output 0 of another kernel, done where the values have
 * just been computed and are in the cache: a residual that is added, an
 * activation, a whole chain.  A kernel with KERNEL_EPILOGUE calls `run` once
 * for every element of output 0, in pieces [first, first + count) that are
 * final, contiguous and small enough for the cache, from any worker.  A piece
 * may end anywhere.  What `run` does to an element must not depend on the
 * pieces; then the result has the same bits as if it ran after the kernel.
 * It must not read elements of the output outside of its piece, and nothing
 * it reads may lie in the output's memory, which the kernel uses for sums that
 * are not complete.
 */
typedef struct Epilogue {
    /* beside[i]: the same elements of the output of call i beside, see there;
     * NULL where there is none */
    void (*run)(void *context, int worker, int64_t first, int64_t count,
                const void *const *beside);
    void *context;
    /* All it does is Relu: the kernel may raise its values to 0 instead. */
    bool is_relu;
} Epilogue;
typedef struct Chain Chain;

/* Memory that nothing else needs for now. */
typedef struct Spare {
    char *memory;
    size_t size;
} Spare;

typedef struct KernelCall {
    const Node *node;
    int64_t opset;
    Precision precision;
    SimdLevel level;
    int input_count, output_count;
    Array *const *inputs; /* NULL where absent */
    Array **outputs;      /* NULL where nobody reads it */
    Pool *pool;
    Arena *arena;             /* for what the kernel needs while it runs */
    Spare *spare;             /* what kernel_scratch takes first, or NULL */
    Buffers *buffers;         /* where outputs come from */
    const Prepared *prepared; /* NULL where there is none */
    const Epilogue *epilogue; /* NULL for none; see KERNEL_EPILOGUE */
    /* Calls of the same operator on the same input 0 whose outputs the
     * epilogue alone reads. They are computed piece by piece along with this
     * one's and come with a shape, but without data. */
    struct KernelCall *beside;
    int beside_count;
} KernelCall;
enum { BESIDE_MOST = 7 };

typedef int KernelRun(KernelCall *call, Err *err);
/* Called when a plan is made that runs often. `call` has the constant inputs,
 * NULL for all others, no outputs, and the plan's arena; a kernel that gains
 * nothing leaves *out alone. Without it the kernel must run too. */
typedef int KernelPrepare(const KernelCall *call, Prepared **out, Err *err);
/* Adds the rows of an elementwise node to a chain: see chain.h. Inputs that
 * are computed in the chain come without data. */
typedef int KernelChain(const KernelCall *call, Chain *chain, Err *err);
/* True when the other call can be computed beside: the inputs, of which the
 * first is the same, and the outputs, of one shape, come without data. */
typedef bool KernelBeside(const KernelCall *call, const KernelCall *other);

enum {
    KERNEL_VIEW = 1,    /* output 0 holds the elements of input 0 as they are:
                           there is nothing to run */
    KERNEL_INPLACE = 2, /* element i of output 0 depends on element i alone of
                           each input of its shape, so it may overwrite one */
    KERNEL_SIZES = 4,   /* the shapes depend on data: it makes its outputs */
    KERNEL_EPILOGUE = 8 /* runs call->epilogue on its output */
};

typedef struct Kernel {
    KernelRun *run;
    /* A letter for each input, the last one standing for all that follow:
     *   T any type        R real           N real or integer, not bool
     *   I integer         B bool           . anything
     * T, R and N inputs must agree in type; in lower case they need not. */
    const char *types;
    unsigned flags;
    KernelPrepare *prepare; /* NULL for most */
    KernelChain *chain;     /* NULL where it is not elementwise */
    KernelBeside *beside;   /* NULL where nothing is */
} Kernel;

/* The kernel of an operator, or NULL. */
const Kernel *kernel_find(Op op);
/* Input `slot`, or NULL. */
const Array *kernel_input(const KernelCall *call, int slot);
Array *kernel_output(const KernelCall *call, int slot);
/* Checks arity and types of the inputs. */
int kernel_check(const KernelCall *call, const Kernel *kernel, Err *err);
/* Gives output `slot` its shape and memory: for KERNEL_SIZES. Nothing happens
 * for an output that nobody reads. */
int kernel_make_output(KernelCall *call, int slot, DType type, int rank,
                       const int64_t *dims, Err *err);
/* A piece of it, 64-byte aligned; NULL when it does not fit. */
void *spare_take(Spare *spare, size_t count, size_t size);
/* Memory for the kernel while it runs, 64-byte aligned, not zeroed. */
void *kernel_scratch(const KernelCall *call, size_t count, size_t size);
Storage kernel_storage(const KernelCall *call, const Array *array);

static inline void epilogue_run(const Epilogue *epilogue, int worker,
                                int64_t first, int64_t count)
{
    if (epilogue)
        epilogue->run(epilogue->context, worker, first, count, NULL);
}

/* Which of `texts` a string attribute is, the first where it is absent; NULL
 * for any other. */
const char *kernel_text(const Node *node, const char *name,
                        const char *const *texts, size_t count);
/* Elements of a small tensor, whatever its storage. */
double kernel_real(const KernelCall *call, const Array *array, int64_t index);
int64_t kernel_int(const KernelCall *call, const Array *array, int64_t index);
/* Makes an axis of -rank .. rank-1 positive; an error outside of that. */
int kernel_axis(int64_t axis, int rank, int *out, Err *err);
/* The attribute, or where it is absent the input: what axes, splits, pads and
 * the like are, depending on the opset. count is -1 when there is neither. */
void kernel_ints(const KernelCall *call, const char *attribute, int slot,
                 const int64_t **values, int64_t *count);
/* A set of axes by kernel_ints, without doubles. */
int kernel_axes(const KernelCall *call, int slot, int rank, bool *chosen,
                int64_t *count, Err *err);

/* How many elements a piece of simple work should have: big enough to be worth
 * a thread, small enough to stay in the cache. */
enum { GRAIN = 16 * 1024 };

/* ---- The kernels, by file ---- */

/* kern_map.c */
KernelRun kernel_map, kernel_cast;
KernelChain chain_add_map;
/* kern_zip.c */
KernelRun kernel_zip, kernel_pow, kernel_zip_all, kernel_where;
KernelChain chain_add_zip, chain_add_zip_all;
/* kern_move.c */
KernelRun kernel_transpose, kernel_slice, kernel_expand, kernel_concat,
    kernel_split, kernel_tile, kernel_pad, kernel_depth_to_space,
    kernel_space_to_depth, kernel_reverse_sequence;
/* kern_gather.c */
KernelRun kernel_gather, kernel_gather_elements, kernel_scatter_elements,
    kernel_gather_nd, kernel_scatter_nd, kernel_one_hot, kernel_compress;
/* kern_select.c */
KernelRun kernel_arg, kernel_top_k, kernel_non_zero, kernel_cum_sum;
/* kern_make.c */
KernelRun kernel_constant, kernel_constant_of_shape, kernel_shape, kernel_size,
    kernel_range, kernel_eye_like, kernel_trilu, kernel_dropout;
/* kern_reduce.c */
KernelRun kernel_reduce, kernel_global_pool;
/* kern_norm.c */
KernelPrepare prepare_batch_norm;
KernelChain chain_add_batch_norm;
KernelRun kernel_batch_norm, kernel_instance_norm, kernel_group_norm,
    kernel_layer_norm, kernel_lines, kernel_lrn;
/* kern_pool.c */
KernelRun kernel_max_pool, kernel_average_pool;
/* kern_conv.c */
KernelRun kernel_conv;
KernelPrepare prepare_conv;
KernelBeside conv_goes_beside;
/* kern_deform.c */
KernelRun kernel_deform_conv;
/* kern_col2im.c */
KernelRun kernel_col2im;
/* kern_transposed.c */
KernelRun kernel_conv_transpose;
/* kern_attention.c */
KernelRun kernel_attention;
/* kern_matmul.c */
KernelRun kernel_matmul, kernel_gemm;
KernelPrepare prepare_matmul;
/* kern_einsum.c */
KernelRun kernel_einsum;
/* kern_resize.c */
KernelRun kernel_resize, kernel_upsample;
/* kern_suppress.c */
KernelRun kernel_non_max_suppression;
/* kern_sample.c */
KernelRun kernel_grid_sample;
/* kern_region.c */
KernelRun kernel_roi_align;
/* kern_quantize.c */
KernelRun kernel_quantize, kernel_dequantize, kernel_dynamic_quantize;
/* kern_integer.c */
KernelRun kernel_conv_integer, kernel_matmul_integer, kernel_qlinear_conv,
    kernel_qlinear_matmul;
/* kern_recurrent.c */
KernelRun kernel_lstm, kernel_gru, kernel_rnn;

#endif
