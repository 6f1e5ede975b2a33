/*
 * Reductions over a set of axes, and the global pools, which are some.  Sums
 * of reals are held in double, whatever the precision; integers wrap.
 */
#include <math.h>
#include <string.h>

#include "exec/integer.h"
#include "exec/kernel.h"
#include "exec/sums.h"
#include "exec/walk.h"

typedef enum Fold {
    FOLD_SUM,
    FOLD_ABSOLUTE,
    FOLD_SQUARE,
    FOLD_PRODUCT,
    FOLD_MOST,
    FOLD_LEAST,
    FOLD_EXPONENTIAL
} Fold;

/* Outputs that are computed at once, and sums of one output. */
enum { LINES = 256, LANES = 32 };

typedef struct Reducing {
    Walk kept, reduced; /* operand 0 is the input */
    const void *in;
    void *out;
    Op op; /* a Reduce operator */
    Storage storage;
    DType type;
    int64_t reduced_count;
    bool is_one; /* outputs come one by one: what is reduced has no gaps */
    /* Of what is being computed. */
    Fold fold;
    int64_t origin, lanes;
    double sums_f32[LINES], sums_f64[LINES], most[LINES];
    int64_t sums_i64[LINES];
} Reducing;

/* What the maximum and the minimum of nothing are. */
static double least_f64(const Reducing *r)
{
    (void)r;
    return -HUGE_VAL;
}

static double greatest_f64(const Reducing *r)
{
    (void)r;
    return HUGE_VAL;
}

static int64_t least_i64(const Reducing *r)
{
    int bits = 8 * (int)dtype_size(r->type);
    bool is_signed = r->type == DT_INT8 || r->type == DT_INT16 ||
                     r->type == DT_INT32 || r->type == DT_INT64;
    return is_signed ? INT64_MIN >> (64 - bits) : 0;
}

static int64_t greatest_i64(const Reducing *r)
{
    /* The complement of the least, in the bits of the type. */
    return integer_wrap(r->type, ~least_i64(r));
}

static double finish_f64(const Reducing *r, double sum, double most)
{
    switch (r->op) {
    case OP_ReduceMean:
        return sum / (double)r->reduced_count;
    case OP_ReduceL2:
        return sqrt(sum);
    case OP_ReduceLogSum:
        return log(sum);
    case OP_ReduceLogSumExp:
        return log(sum) + most;
    default:
        return sum;
    }
}

static int64_t finish_i64(const Reducing *r, int64_t sum, double most)
{
    (void)most;
    if (r->op != OP_ReduceMean)
        return integer_wrap(r->type, sum);
    if (r->reduced_count == 0)
        return 0;
    if (r->type == DT_UINT64)
        return (int64_t)((uint64_t)sum / (uint64_t)r->reduced_count);
    return sum / r->reduced_count;
}

static Fold fold_of(Op op)
{
    switch (op) {
    case OP_ReduceL1:
        return FOLD_ABSOLUTE;
    case OP_ReduceL2:
    case OP_ReduceSumSquare:
        return FOLD_SQUARE;
    case OP_ReduceProd:
        return FOLD_PRODUCT;
    case OP_ReduceMax:
        return FOLD_MOST;
    case OP_ReduceMin:
        return FOLD_LEAST;
    default:
        return FOLD_SUM;
    }
}

#define SUM double
#define ADD(a, b) ((a) + (b))
#define MULTIPLY(a, b) ((a) * (b))
#define NEGATE(a) (-(a))
#define LESS(a, b) ((a) < (b))
#define IS_NAN(a) ((a) != (a))
/* Both real types are summed alike. */
#define least_f32 least_f64
#define greatest_f32 greatest_f64
#define finish_f32 finish_f64
#include "exec/real_f32.h"

#include "exec/kern_reduce.inc.c"

#include "exec/real_f64.h"

#include "exec/kern_reduce.inc.c"

#undef SUM
#undef ADD
#undef MULTIPLY
#undef NEGATE
#undef LESS
#undef IS_NAN
#define IS_NAN(a) false
#define SUM int64_t
#define ADD(a, b) ((int64_t)((uint64_t)(a) + (uint64_t)(b)))
#define MULTIPLY(a, b) ((int64_t)((uint64_t)(a) * (uint64_t)(b)))
#define NEGATE(a) ((int64_t)(0 - (uint64_t)(a)))
#define LESS(a, b)                                                             \
    (r->type == DT_UINT64 ? (uint64_t)(a) < (uint64_t)(b) : (a) < (b))
#include "exec/real_i64.h"

static int64_t sum_of_i64(const int64_t *x, int64_t count)
{
    uint64_t sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (uint64_t)x[i];
    return (int64_t)sum;
}

#include "exec/kern_reduce.inc.c"

static void reduce_piece(void *context, int worker, int64_t begin, int64_t end)
{
    Reducing r = *(const Reducing *)context;
    (void)worker;
    walk_run(&r.kept, begin, end,
             r.storage == STORAGE_F32   ? reduce_row_f32
             : r.storage == STORAGE_F64 ? reduce_row_f64
                                        : reduce_row_i64,
             &r);
}

/* Sorts the input's axes into those that stay and those that go. */
static void split_axes(const Array *in, const bool *chosen, Reducing *r)
{
    int64_t strides[RANK_MAX], dims[2][RANK_MAX], steps[2][RANK_MAX];
    int ranks[2] = {0, 0};
    dims_strides(in->rank, in->dims, strides);
    for (int i = 0; i < in->rank; i++) {
        int side = chosen[i];
        dims[side][ranks[side]] = in->dims[i];
        steps[side][ranks[side]++] = strides[i];
    }
    walk_init(&r->kept, ranks[0], dims[0]);
    walk_add(&r->kept, steps[0]);
    walk_ready(&r->kept);
    walk_init(&r->reduced, ranks[1], dims[1]);
    walk_add(&r->reduced, steps[1]);
    walk_ready(&r->reduced);
    r->reduced_count = dims_product(dims[1], 0, ranks[1]);
    r->is_one = walk_step(&r->reduced, 0) == 1;
}

static void reduce_axes(const KernelCall *call, Op op, const bool *chosen)
{
    const Array *in = call->inputs[0], *out = call->outputs[0];
    Reducing r = {.in = in->data,
                  .out = out->data,
                  .op = op,
                  .storage = kernel_storage(call, in),
                  .type = in->type};
    split_axes(in, chosen, &r);
    int64_t grain = 1 + GRAIN / (r.reduced_count > 0 ? r.reduced_count : 1);
    pool_run(call->pool, out->count, grain, reduce_piece, &r);
}

/* Roots and logarithms of integers are taken in double. */
static void reduce_in_double(KernelCall *call, const bool *chosen)
{
    const Array *in = call->inputs[0], *out = call->outputs[0];
    Array *from =
        array_new(call->arena, DT_DOUBLE, in->rank, in->dims, PRECISION_F64);
    Array *to =
        array_new(call->arena, DT_DOUBLE, out->rank, out->dims, PRECISION_F64);
    KernelCall real = *call;
    real.precision = PRECISION_F64;
    real.inputs = &from;
    real.outputs = &to;
    array_to_f64(in, call->precision, 0, in->count, from->data);
    reduce_axes(&real, call->node->op, chosen);
    for (int64_t i = 0; i < out->count; i++)
        array_put(out, call->precision, i, ((const double *)to->data)[i]);
}

/* ReduceSum and its kin: axes are an attribute or an input, by opset; without
 * any all are reduced. */
int kernel_reduce(KernelCall *call, Err *err)
{
    const Array *in = call->inputs[0];
    Op op = call->node->op;
    bool chosen[RANK_MAX];
    int64_t count;
    TRY(kernel_axes(call, 1, in->rank, chosen, &count, err));
    if (count <= 0 && !node_int(call->node, "noop_with_empty_axes", 0))
        for (int i = 0; i < in->rank; i++)
            chosen[i] = true;
    if (!dtype_is_real(in->type) &&
        (op == OP_ReduceL2 || op == OP_ReduceLogSum ||
         op == OP_ReduceLogSumExp))
        reduce_in_double(call, chosen);
    else
        reduce_axes(call, op, chosen);
    return 0;
}

/* GlobalAveragePool and GlobalMaxPool: over all spatial axes. */
int kernel_global_pool(KernelCall *call, Err *err)
{
    const Array *in = call->inputs[0];
    bool chosen[RANK_MAX];
    if (in->rank < 2)
        return err_set(err, ERR_BAD_SHAPE, "its input has rank %d", in->rank);
    for (int i = 0; i < in->rank; i++)
        chosen[i] = i >= 2;
    reduce_axes(
        call, call->node->op == OP_GlobalMaxPool ? OP_ReduceMax : OP_ReduceMean,
        chosen);
    return 0;
}
