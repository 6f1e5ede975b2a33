/* Operators that map one input element by element. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "exec/chain.h"
#include "exec/elementary.h"
#include "exec/kernel.h"
#include "exec/simd.h"

#include "exec/real_f32.h"

#include "exec/kern_map.inc.c"

#include "exec/real_f64.h"

#include "exec/kern_map.inc.c"

#define MAP_INT(name, type, expression)                                        \
    static void name(const void *in, void *out, int64_t count,                 \
                     const MapNumbers *numbers)                                \
    {                                                                          \
        const type *from = in;                                                 \
        type *to = out;                                                        \
        (void)numbers;                                                         \
        LOOP for (int64_t i = 0; i < count; i++)                               \
        {                                                                      \
            type x = from[i];                                                  \
            to[i] = expression;                                                \
        }                                                                      \
    }

static int64_t clamp_i64(int64_t x, int64_t low, int64_t high)
{
    x = x < low ? low : x;
    return x > high ? high : x;
}

static uint64_t clamp_u64(uint64_t x, uint64_t low, uint64_t high)
{
    x = x < low ? low : x;
    return x > high ? high : x;
}

MAP_INT(absolute_i64, int64_t, x < 0 ? (int64_t)(0 - (uint64_t)x) : x)
MAP_INT(negate_i64, uint64_t, 0 - x)
MAP_INT(sign_i64, int64_t, (x > 0) - (x < 0))
MAP_INT(relu_i64, int64_t, x < 0 ? 0 : x)
MAP_INT(not_i64, int64_t, x == 0)
MAP_INT(clip_i64, int64_t, clamp_i64(x, numbers->low, numbers->high))
MAP_INT(error_function_i64, int64_t, (int64_t)erf((double)x))
MAP_INT(same_u64, uint64_t, x)
MAP_INT(error_function_u64, uint64_t, (uint64_t)erf((double)x))
MAP_INT(sign_u64, uint64_t, x > 0)
MAP_INT(clip_u64, uint64_t,
        clamp_u64(x, (uint64_t)numbers->low, (uint64_t)numbers->high))

/* An operator's copies, by how the elements are held, and what its attributes
 * are where they are absent. */
typedef struct MapRows {
    MapRow *f32, *f64, *i64, *u64;
    float alpha, beta;
} MapRows;

#define REALS(name) .f32 = name##_f32, .f64 = name##_f64
#define INTS(name) .i64 = name##_i64, .u64 = name##_u64

static const MapRows maps[OP_COUNT] = {
    [OP_Abs] = {REALS(absolute), .i64 = absolute_i64, .u64 = same_u64},
    [OP_Neg] = {REALS(negate), .i64 = negate_i64, .u64 = negate_i64},
    [OP_Sign] = {REALS(sign), INTS(sign)},
    [OP_Reciprocal] = {REALS(reciprocal)},
    [OP_Sqrt] = {REALS(square_root)},
    [OP_Exp] = {REALS(exponential)},
    [OP_Log] = {REALS(logarithm)},
    [OP_Sin] = {REALS(sine)},
    [OP_Cos] = {REALS(cosine)},
    [OP_Tan] = {REALS(tangent)},
    [OP_Asin] = {REALS(arc_sine)},
    [OP_Acos] = {REALS(arc_cosine)},
    [OP_Atan] = {REALS(arc_tangent)},
    [OP_Sinh] = {REALS(hyperbolic_sine)},
    [OP_Cosh] = {REALS(hyperbolic_cosine)},
    [OP_Asinh] = {REALS(inverse_hyperbolic_sine)},
    [OP_Acosh] = {REALS(inverse_hyperbolic_cosine)},
    [OP_Atanh] = {REALS(inverse_hyperbolic_tangent)},
    [OP_Tanh] = {REALS(hyperbolic_tangent)},
    [OP_Erf] = {REALS(error_function), INTS(error_function)},
    [OP_Ceil] = {REALS(ceiling)},
    [OP_Floor] = {REALS(floor_of)},
    [OP_Round] = {REALS(round_to_even)},
    [OP_Relu] = {REALS(relu), .i64 = relu_i64, .u64 = same_u64},
    [OP_LeakyRelu] = {REALS(leaky_relu), .alpha = 0.01f},
    [OP_ThresholdedRelu] = {REALS(thresholded_relu), .alpha = 1},
    [OP_Shrink] = {REALS(shrink), .alpha = 0.5f},
    [OP_Elu] = {REALS(elu), .alpha = 1},
    [OP_Celu] = {REALS(celu), .alpha = 1},
    [OP_Selu] = {REALS(selu), .alpha = 1.67326319217681884765625f,
                 .beta = 1.05070102214813232421875f},
    [OP_Sigmoid] = {REALS(sigmoid)},
    [OP_HardSigmoid] = {REALS(hard_sigmoid), .alpha = 0.2f, .beta = 0.5f},
    [OP_HardSwish] = {REALS(hard_swish)},
    [OP_Swish] = {REALS(swish), .alpha = 1},
    [OP_Softplus] = {REALS(softplus)},
    [OP_Softsign] = {REALS(softsign)},
    [OP_Mish] = {REALS(mish)},
    [OP_Gelu] = {REALS(gelu)},
    [OP_Clip] = {REALS(clip), INTS(clip)},
    [OP_Not] = {.i64 = not_i64},
    [OP_IsNaN] = {REALS(is_nan)},
    [OP_IsInf] = {REALS(is_inf)},
};
/* By level. The plain one gives the same bits on every machine. */
static const MapRows erf_rows[] = {
    [SIMD_PLAIN] = {REALS(error_function)},
#if defined(__x86_64__)
    [SIMD_AVX2] = {REALS(error_function_avx2)},
    [SIMD_AVX512] = {REALS(error_function_avx512)},
#endif
};
enum { LEVELS = sizeof erf_rows / sizeof *erf_rows };
static const MapRows gelu_tanh_rows = {REALS(gelu_tanh)};

typedef struct Map {
    MapRow *row;
    const MapNumbers *numbers;
    const char *in;
    char *out;
    size_t in_size, out_size;
    DType wrap;
} Map;

static void map_piece(void *context, int worker, int64_t begin, int64_t end)
{
    const Map *map = context;
    char *out = map->out + (size_t)begin * map->out_size;
    (void)worker;
    map->row(map->in + (size_t)begin * map->in_size, out, end - begin,
             map->numbers);
    if (map->wrap == DT_UNDEFINED)
        return;
    int64_t *integers = (int64_t *)(void *)out;
    for (int64_t i = 0; i < end - begin; i++)
        integers[i] = integer_wrap(map->wrap, integers[i]);
}

static MapRow *pick_row(const MapRows *rows, Storage storage, DType type)
{
    if (storage == STORAGE_F32)
        return rows->f32;
    if (storage == STORAGE_F64)
        return rows->f64;
    return type == DT_UINT64 ? rows->u64 : rows->i64;
}

/* Clip: bounds are attributes up to opset 10, inputs from 11 on. */
static int clip_numbers(const KernelCall *call, MapNumbers *numbers, Err *err)
{
    const Array *x = call->inputs[0];
    const Array *low = kernel_input(call, 1), *high = kernel_input(call, 2);
    *numbers =
        (MapNumbers){.alpha = (double)node_float(call->node, "min", -INFINITY),
                     .beta = (double)node_float(call->node, "max", INFINITY),
                     .low = x->type == DT_UINT64 ? 0 : INT64_MIN,
                     .high = x->type == DT_UINT64 ? -1 : INT64_MAX};
    if ((low && low->count != 1) || (high && high->count != 1))
        return err_set(err, ERR_BAD_SHAPE, "a bound is not a scalar");
    if (low) {
        numbers->alpha = kernel_real(call, low, 0);
        numbers->low = kernel_int(call, low, 0);
    }
    if (high) {
        numbers->beta = kernel_real(call, high, 0);
        numbers->high = kernel_int(call, high, 0);
    }
    return 0;
}

/* The inner loop of an operator, and the numbers it takes. */
static int find_map(const KernelCall *call, MapRow **row, MapNumbers *numbers,
                    Err *err)
{
    const Node *node = call->node;
    const Array *in = call->inputs[0];
    const MapRows *rows = &maps[node->op];
    *numbers = (MapNumbers){.alpha = 0};
    if (node->op == OP_Erf && (size_t)call->level < LEVELS &&
        erf_rows[call->level].f32)
        rows = &erf_rows[call->level];
    if (node->op == OP_Clip) {
        TRY(clip_numbers(call, numbers, err));
    } else if (node->op == OP_Gelu) {
        bool tanh_form = node_string_is(node, "approximate", "tanh");
        rows = tanh_form ? &gelu_tanh_rows : rows;
        numbers->alpha = (tanh_form ? 2 / sqrt(M_PI) : 1) * M_SQRT1_2;
    } else if (node->op == OP_IsInf) {
        numbers->alpha = (double)node_int(node, "detect_negative", 1);
        numbers->beta = (double)node_int(node, "detect_positive", 1);
    } else {
        bool shrinks = node->op == OP_Shrink;
        const char *alpha = shrinks ? "lambd" : "alpha";
        const char *beta = shrinks               ? "bias"
                           : node->op == OP_Selu ? "gamma"
                                                 : "beta";
        numbers->alpha = (double)node_float(node, alpha, rows->alpha);
        numbers->beta = (double)node_float(node, beta, rows->beta);
    }
    *row = pick_row(rows, kernel_storage(call, in), in->type);
    if (!*row)
        return err_set(err, ERR_UNSUPPORTED_TYPE, "it is not defined on %s",
                       dtype_name(in->type));
    return 0;
}

MapRow *map_row(Op op, Precision precision, MapNumbers *numbers)
{
    const MapRows *rows = &maps[op];
    *numbers =
        (MapNumbers){.alpha = (double)rows->alpha, .beta = (double)rows->beta};
    return precision == PRECISION_F32 ? rows->f32 : rows->f64;
}

int kernel_map(KernelCall *call, Err *err)
{
    const Array *in = call->inputs[0], *out = call->outputs[0];
    MapNumbers numbers;
    Map map = {.numbers = &numbers,
               .in = in->data,
               .out = out->data,
               .in_size = storage_size(kernel_storage(call, in)),
               .out_size = storage_size(kernel_storage(call, out)),
               .wrap = integer_is_narrow(out->type) ? out->type : DT_UNDEFINED};
    TRY(find_map(call, &map.row, &numbers, err));
    pool_run(call->pool, out->count, GRAIN, map_piece, &map);
    return 0;
}

int chain_add_map(const KernelCall *call, Chain *chain, Err *err)
{
    MapRow *row;
    MapNumbers numbers;
    TRY(find_map(call, &row, &numbers, err));
    chain_map(chain, row, &numbers, call->inputs[0]);
    return 0;
}

typedef struct Cast {
    const Array *in, *out;
    Storage from, to;
} Cast;

#define CAST(to_type, from_type, expression)                                   \
    do {                                                                       \
        const from_type *in = cast->in->data;                                  \
        to_type *out = cast->out->data;                                        \
        LOOP for (int64_t i = begin; i < end; i++)                             \
        {                                                                      \
            from_type x = in[i];                                               \
            out[i] = (to_type)(expression);                                    \
        }                                                                      \
    } while (0)

/* As integer_from_real, at once for what is most common. */
static inline int64_t truncated(DType type, double x)
{
    return type == DT_INT64 && fabs(x) < 0x1p63 ? (int64_t)x
                                                : integer_from_real(type, x);
}

static void cast_to_integers(const Cast *cast, int64_t begin, int64_t end)
{
    const DType type = cast->out->type;
    if (cast->from == STORAGE_F32)
        CAST(int64_t, float, truncated(type, (double)x));
    else if (cast->from == STORAGE_F64)
        CAST(int64_t, double, truncated(type, x));
    else
        CAST(int64_t, int64_t, integer_wrap(type, x));
}

SIMD static void cast_to_reals(const Cast *cast, int64_t begin, int64_t end)
{
    bool is_unsigned = cast->in->type == DT_UINT64;
    if (cast->to == STORAGE_F32 && is_unsigned)
        CAST(float, uint64_t, x);
    else if (cast->to == STORAGE_F32)
        CAST(float, int64_t, x);
    else if (is_unsigned)
        CAST(double, uint64_t, x);
    else
        CAST(double, int64_t, x);
}
#undef CAST

static void cast_piece(void *context, int worker, int64_t begin, int64_t end)
{
    const Cast *cast = context;
    (void)worker;
    if (cast->to == STORAGE_I64)
        cast_to_integers(cast, begin, end);
    else
        cast_to_reals(cast, begin, end);
}

/* Cast and CastLike. Real types are all held alike, so that between them only
 * the logical type changes. */
int kernel_cast(KernelCall *call, Err *err)
{
    Cast cast = {.in = call->inputs[0], .out = call->outputs[0]};
    cast.from = kernel_storage(call, cast.in);
    cast.to = kernel_storage(call, cast.out);
    if (!dtype_is_real(cast.out->type) && !dtype_is_integer(cast.out->type))
        return err_set(err, ERR_UNSUPPORTED_TYPE, "it casts to %s",
                       dtype_name(cast.out->type));
    if (cast.from == cast.to && cast.to != STORAGE_I64) {
        if (cast.out->data != cast.in->data)
            memcpy(cast.out->data, cast.in->data,
                   (size_t)cast.in->count * storage_size(cast.from));
        return 0;
    }
    pool_run(call->pool, cast.out->count, GRAIN, cast_piece, &cast);
    return 0;
}
