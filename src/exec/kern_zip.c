/*
 * Operators that combine two inputs, or a list of them, element by element
 * with broadcasting.
 */
#include <math.h>
#include <string.h>

#include "exec/chain.h"
#include "exec/kernel.h"
#include "exec/simd.h"
#include "exec/walk.h"

/* Three loops, since a loop over a constant step is one a compiler can widen.
 */
#define ZIP_LOOPS(in_type, out_type, expression)                               \
    const in_type *x = left, *y = right;                                       \
    out_type *z = out;                                                         \
    if (left_step && right_step) {                                             \
        LOOP for (int64_t i = 0; i < count; i++)                               \
        {                                                                      \
            in_type a = x[i], b = y[i];                                        \
            z[i] = expression;                                                 \
        }                                                                      \
    } else if (left_step) {                                                    \
        in_type b = y[0];                                                      \
        LOOP for (int64_t i = 0; i < count; i++)                               \
        {                                                                      \
            in_type a = x[i];                                                  \
            z[i] = expression;                                                 \
        }                                                                      \
    } else {                                                                   \
        in_type a = x[0];                                                      \
        LOOP for (int64_t i = 0; i < count; i++)                               \
        {                                                                      \
            in_type b = y[i * right_step];                                     \
            z[i] = expression;                                                 \
        }                                                                      \
    }

#include "exec/real_f32.h"

#include "exec/kern_zip.inc.c"

#include "exec/real_f64.h"

#include "exec/kern_zip.inc.c"

/* Integers. Sums and products wrap, which unsigned arithmetic does by right. */
#define ZIP_INT(name, type, expression)                                        \
    static void name(const void *left, int64_t left_step, const void *right,   \
                     int64_t right_step, void *out, int64_t count)             \
    {                                                                          \
        ZIP_LOOPS(type, type, expression)                                      \
    }
#define COMPARE_INT(name, expression)                                          \
    static void name##_i64(const void *left, int64_t left_step,                \
                           const void *right, int64_t right_step, void *out,   \
                           int64_t count)                                      \
    {                                                                          \
        ZIP_LOOPS(int64_t, int64_t, expression)                                \
    }                                                                          \
    static void name##_u64(const void *left, int64_t left_step,                \
                           const void *right, int64_t right_step, void *out,   \
                           int64_t count)                                      \
    {                                                                          \
        ZIP_LOOPS(uint64_t, int64_t, expression)                               \
    }

/* Integer division truncates; by zero it gives 0, as numpy's does. */
static int64_t divide_signed(int64_t a, int64_t b)
{
    if (b == 0)
        return 0;
    return b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b;
}

/* Mod with fmod=0: the sign of the divisor. */
static int64_t floored_remainder(int64_t a, int64_t b)
{
    if (b == 0 || b == -1)
        return 0;
    int64_t rest = a % b;
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

static int64_t truncated_remainder(int64_t a, int64_t b)
{
    return b == 0 || b == -1 ? 0 : a % b;
}

/* A negative power of an integer is 0, but for 1 and -1. */
static int64_t integer_power(int64_t base, int64_t exponent)
{
    if (exponent < 0 && base != 1 && base != -1)
        return 0;
    uint64_t result = 1, square = (uint64_t)base;
    uint64_t left = exponent < 0 ? (uint64_t)exponent & 1 : (uint64_t)exponent;
    for (; left > 0; left >>= 1) {
        if (left & 1)
            result *= square;
        square *= square;
    }
    return (int64_t)result;
}

ZIP_INT(add_i64, uint64_t, a + b)
ZIP_INT(subtract_i64, uint64_t, a - b)
ZIP_INT(multiply_i64, uint64_t, a *b)
ZIP_INT(divide_i64, int64_t, divide_signed(a, b))
ZIP_INT(divide_u64, uint64_t, b == 0 ? 0 : a / b)
ZIP_INT(maximum_i64, int64_t, a > b ? a : b)
ZIP_INT(maximum_u64, uint64_t, a > b ? a : b)
ZIP_INT(minimum_i64, int64_t, a < b ? a : b)
ZIP_INT(minimum_u64, uint64_t, a < b ? a : b)
ZIP_INT(power_i64, int64_t, integer_power(a, b))
ZIP_INT(floored_i64, int64_t, floored_remainder(a, b))
ZIP_INT(truncated_i64, int64_t, truncated_remainder(a, b))
ZIP_INT(floored_u64, uint64_t, b == 0 ? 0 : a % b)
ZIP_INT(prelu_i64, int64_t, a < 0 ? (int64_t)((uint64_t)a * (uint64_t)b) : a)
ZIP_INT(and_i64, int64_t, a &b)
ZIP_INT(or_i64, int64_t, a | b)
ZIP_INT(xor_i64, int64_t, a ^ b)
COMPARE_INT(equal, a == b)
COMPARE_INT(less, a < b)
COMPARE_INT(less_or_equal, a <= b)
COMPARE_INT(greater, a > b)
COMPARE_INT(greater_or_equal, a >= b)

/* The copies of an operator, by how the elements are held. */
typedef struct ZipRows {
    ZipRow *f32, *f64, *i64, *u64;
} ZipRows;

#define SAME(name)                                                             \
    {                                                                          \
        name##_f32, name##_f64, name##_i64, name##_i64                         \
    }
#define OWN_U64(name)                                                          \
    {                                                                          \
        name##_f32, name##_f64, name##_i64, name##_u64                         \
    }
#define INTEGER(name)                                                          \
    {                                                                          \
        NULL, NULL, name, name                                                 \
    }

static const ZipRows zips[OP_COUNT] = {
    [OP_Add] = SAME(add),
    [OP_Sub] = SAME(subtract),
    [OP_Mul] = SAME(multiply),
    [OP_Div] = OWN_U64(divide),
    [OP_Sum] = SAME(add),
    [OP_Mean] = SAME(add),
    [OP_Max] = OWN_U64(maximum),
    [OP_Min] = OWN_U64(minimum),
    [OP_Pow] = SAME(power),
    [OP_PRelu] = SAME(prelu),
    [OP_And] = INTEGER(and_i64),
    [OP_Or] = INTEGER(or_i64),
    [OP_Xor] = INTEGER(xor_i64),
    [OP_Equal] = OWN_U64(equal),
    [OP_Less] = OWN_U64(less),
    [OP_LessOrEqual] = OWN_U64(less_or_equal),
    [OP_Greater] = OWN_U64(greater),
    [OP_GreaterOrEqual] = OWN_U64(greater_or_equal),
};
/* Of reals from opset 28 on. */
static const ZipRows floored_mod = OWN_U64(floored);
static const ZipRows floored_mod_old = {NULL, NULL, floored_i64, floored_u64};
static const ZipRows truncated_mod = {remainder_of_f32, remainder_of_f64,
                                      truncated_i64, floored_u64};

typedef struct Zip {
    Walk walk;
    ZipRow *row;
    const char *left, *right;
    char *out;
    size_t size, out_size;
    DType wrap; /* DT_UNDEFINED when results are in range anyway */
} Zip;

static void zip_row(void *context, int64_t position, const int64_t *offsets,
                    int64_t count)
{
    const Zip *zip = context;
    char *out = zip->out + (size_t)position * zip->out_size;
    zip->row(zip->left + (size_t)offsets[0] * zip->size,
             walk_step(&zip->walk, 0),
             zip->right + (size_t)offsets[1] * zip->size,
             walk_step(&zip->walk, 1), out, count);
    if (zip->wrap != DT_UNDEFINED)
        for (int64_t i = 0; i < count; i++)
            ((int64_t *)(void *)out)[i] =
                integer_wrap(zip->wrap, ((int64_t *)(void *)out)[i]);
}

static void zip_piece(void *context, int worker, int64_t begin, int64_t end)
{
    (void)worker;
    walk_run(&((Zip *)context)->walk, begin, end, zip_row, context);
}

static ZipRow *pick_row(const ZipRows *rows, Storage storage, DType type)
{
    if (storage == STORAGE_F32)
        return rows->f32;
    if (storage == STORAGE_F64)
        return rows->f64;
    return type == DT_UINT64 ? rows->u64 : rows->i64;
}

/* out = left (op) right, broadcast to out's shape. */
static int zip_arrays(KernelCall *call, const ZipRows *rows, const Array *left,
                      const Array *right, const Array *out, Err *err)
{
    Storage storage = kernel_storage(call, left);
    Zip zip = {.row = pick_row(rows, storage, left->type),
               .left = left->data,
               .right = right->data,
               .out = out->data,
               .size = storage_size(storage),
               .out_size = storage_size(kernel_storage(call, out)),
               .wrap = integer_is_narrow(out->type) && out->type != DT_BOOL
                           ? out->type
                           : DT_UNDEFINED};
    if (!zip.row)
        return err_set(err, ERR_UNSUPPORTED_TYPE, "it is not defined on %s",
                       dtype_name(left->type));
    walk_init(&zip.walk, out->rank, out->dims);
    if (walk_broadcast(&zip.walk, left) < 0 ||
        walk_broadcast(&zip.walk, right) < 0)
        return err_set(err, ERR_BAD_SHAPE, "its inputs do not broadcast");
    walk_ready(&zip.walk);
    pool_run(call->pool, out->count, GRAIN, zip_piece, &zip);
    return 0;
}

/* Opset 6 and older: with broadcast=1 the second input's shape stands at
 * `axis` of the first one's, or at its end. */
static int align_old(const KernelCall *call, const Array *left, Array *right,
                     Err *err)
{
    if (call->opset >= 7 || !node_int(call->node, "broadcast", 0))
        return 0;
    int64_t axis = node_int(call->node, "axis", left->rank - right->rank);
    if (axis < 0)
        axis += left->rank;
    if (axis < 0 || axis + right->rank > left->rank)
        return err_set(err, ERR_BAD_ATTRIBUTE, "axis is out of range");
    for (int i = (int)axis + right->rank; i < left->rank; i++)
        right->dims[right->rank++] = 1;
    return 0;
}

/* PRelu (7 and newer): slope broadcasts to X from the right. In opset 6 and
 * older it is one value for each channel, axis 1. */
static void align_slope(const KernelCall *call, const Array *x, Array *slope)
{
    if (call->opset < 7 && slope->rank == 1 && x->rank > 2)
        for (int i = 2; i < x->rank; i++)
            slope->dims[slope->rank++] = 1;
}

/* The inner loops of an operator of two inputs, and the second one's shape. */
static int find_zip(const KernelCall *call, const ZipRows **rows, Array *right,
                    Err *err)
{
    Op op = call->node->op;
    *rows = &zips[op];
    *right = *call->inputs[1];
    if (op == OP_Mod)
        *rows = node_int(call->node, "fmod", 0) ? &truncated_mod
                : call->opset < 28              ? &floored_mod_old
                                                : &floored_mod;
    else if (op == OP_PRelu)
        align_slope(call, call->inputs[0], right);
    else
        return align_old(call, call->inputs[0], right, err);
    return 0;
}

int kernel_zip(KernelCall *call, Err *err)
{
    const ZipRows *rows;
    Array right;
    TRY(find_zip(call, &rows, &right, err));
    return zip_arrays(call, rows, call->inputs[0], &right, call->outputs[0],
                      err);
}

/* True for x to the power of one number, 2: a product is exact to the last bit,
 * and quick. What is computed in a chain has no data yet. */
static bool is_square(const KernelCall *call)
{
    const Array *exponent = call->inputs[1];
    return call->node->op == OP_Pow && dtype_is_real(call->inputs[0]->type) &&
           exponent->data && exponent->count == 1 &&
           kernel_real(call, exponent, 0) == 2;
}

static void add_row(Chain *chain, const ZipRows *rows, const Array *left,
                    const Array *right)
{
    ZipRow *row = pick_row(rows, chain->storage, DT_UNDEFINED);
    if (!row)
        chain->misfit = true;
    else if (rows == &zips[OP_Add] || rows == &zips[OP_Sum])
        chain_sum(chain, row, left, right);
    else
        chain_zip(chain, row, left, right);
}

int chain_add_zip(const KernelCall *call, Chain *chain, Err *err)
{
    const ZipRows *rows;
    Array right;
    TRY(find_zip(call, &rows, &right, err));
    if (is_square(call))
        add_row(chain, &zips[OP_Mul], call->inputs[0], call->inputs[0]);
    else
        add_row(chain, rows, call->inputs[0], &right);
    return 0;
}

/* The array with its elements in another type: Pow's exponent may differ. */
static const Array *in_type_of(KernelCall *call, const Array *array,
                               const Array *like)
{
    Storage storage = kernel_storage(call, like);
    if (kernel_storage(call, array) == storage)
        return array;
    Array *copy = array_new(call->arena, like->type, array->rank, array->dims,
                            call->precision);
    for (int64_t i = 0; i < array->count; i++)
        array_put(copy, call->precision, i, kernel_real(call, array, i));
    return copy;
}

/* Pow: the result has the type of the base. An integer base to a real power
 * is computed in double and truncated. */
int kernel_pow(KernelCall *call, Err *err)
{
    const Array *base = call->inputs[0];
    Array exponent = *call->inputs[1];
    TRY(align_old(call, base, &exponent, err));
    Array *out = call->outputs[0];
    if (is_square(call))
        return zip_arrays(call, &zips[OP_Mul], base, base, out, err);
    if (kernel_storage(call, base) != STORAGE_I64 ||
        kernel_storage(call, &exponent) == STORAGE_I64)
        return zip_arrays(call, &zips[OP_Pow], base,
                          in_type_of(call, &exponent, base), out, err);
    Array *power =
        array_new(call->arena, DT_DOUBLE, out->rank, out->dims, PRECISION_F64);
    KernelCall wide = *call;
    wide.precision = PRECISION_F64;
    Array like = {.type = DT_DOUBLE};
    Array *real = array_new(call->arena, DT_DOUBLE, exponent.rank,
                            exponent.dims, PRECISION_F64);
    array_to_f64(&exponent, call->precision, 0, exponent.count, real->data);
    TRY(zip_arrays(&wide, &zips[OP_Pow], in_type_of(&wide, base, &like), real,
                   power, err));
    for (int64_t i = 0; i < out->count; i++)
        array_put(out, PRECISION_F64, i, ((double *)power->data)[i]);
    return 0;
}

/* Sum, Max and Min in a chain; a lone input is its own maximum. */
int chain_add_zip_all(const KernelCall *call, Chain *chain, Err *err)
{
    Op op = call->input_count > 1 ? call->node->op : OP_Max;
    (void)err;
    add_row(chain, &zips[op], call->inputs[0],
            call->inputs[call->input_count > 1 ? 1 : 0]);
    for (int i = 2; i < call->input_count; i++)
        add_row(chain, &zips[op], NULL, call->inputs[i]);
    return 0;
}

/* Sum, Max, Min, Mean: any number of inputs, taken from the left. A lone one
 * is combined with its own maximum, which changes nothing. */
int kernel_zip_all(KernelCall *call, Err *err)
{
    Op op = call->node->op;
    const Array *left = call->inputs[0];
    Array *out = call->outputs[0];
    if (call->input_count == 1)
        return zip_arrays(call, &zips[OP_Max], left, left, out, err);
    for (int i = 1; i < call->input_count; i++) {
        TRY(zip_arrays(call, &zips[op], left, call->inputs[i], out, err));
        left = out;
    }
    for (int64_t i = 0; op == OP_Mean && i < out->count; i++)
        array_put(out, call->precision, i,
                  kernel_real(call, out, i) / call->input_count);
    return 0;
}

typedef struct Choice {
    Walk walk;
    const int64_t *condition;
    const char *yes, *no;
    char *out;
    size_t size;
} Choice;

/* Both sides are read, so that nothing waits for the condition. */
#define CHOOSE(type)                                                           \
    do {                                                                       \
        const type *x = (const type *)choice->yes + offsets[1];                \
        const type *y = (const type *)choice->no + offsets[2];                 \
        type *z = (type *)choice->out + position;                              \
        if (steps[0] == 1 && steps[1] == 1 && steps[2] == 1)                   \
            LOOP for (int64_t i = 0; i < count; i++)                           \
            {                                                                  \
                type a = x[i], b = y[i];                                       \
                z[i] = c[i] != 0 ? a : b;                                      \
            }                                                                  \
        else                                                                   \
            for (int64_t i = 0; i < count; i++) {                              \
                type a = x[i * steps[1]], b = y[i * steps[2]];                 \
                z[i] = c[i * steps[0]] != 0 ? a : b;                           \
            }                                                                  \
    } while (0)

SIMD static void choose_row(void *context, int64_t position,
                            const int64_t *offsets, int64_t count)
{
    const Choice *choice = context;
    const int64_t *c = choice->condition + offsets[0];
    int64_t steps[3];
    for (int k = 0; k < 3; k++)
        steps[k] = walk_step(&choice->walk, k);
    if (choice->size == sizeof(uint32_t))
        CHOOSE(uint32_t);
    else
        CHOOSE(uint64_t);
}

static void choose_piece(void *context, int worker, int64_t begin, int64_t end)
{
    (void)worker;
    walk_run(&((Choice *)context)->walk, begin, end, choose_row, context);
}

/* Where: elements of X where the condition holds, else of Y. */
int kernel_where(KernelCall *call, Err *err)
{
    const Array *out = call->outputs[0];
    Choice choice = {.condition = call->inputs[0]->data,
                     .yes = call->inputs[1]->data,
                     .no = call->inputs[2]->data,
                     .out = out->data,
                     .size = storage_size(kernel_storage(call, out))};
    walk_init(&choice.walk, out->rank, out->dims);
    for (int i = 0; i < 3; i++)
        if (walk_broadcast(&choice.walk, call->inputs[i]) < 0)
            return err_set(err, ERR_BAD_SHAPE, "its inputs do not broadcast");
    walk_ready(&choice.walk);
    pool_run(call->pool, out->count, GRAIN, choose_piece, &choice);
    return 0;
}
