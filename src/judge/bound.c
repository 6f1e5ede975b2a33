#include "judge/bound.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Elements that a thread takes at a time. */
enum { PIECE = 16 * 1024 };
static const double F64_ROUNDOFF = 0x1p-53;
/* The relative error of an output over that of the inputs, where nothing
 * better is known. */
static const double WEAK_CONDITION = 64;

static bool is_real(const Array *array)
{
    return array && dtype_is_real(array->type);
}

static Array *array_like(Arena *arena, const Array *array)
{
    return array_new(arena, array->type, array->rank, array->dims,
                     PRECISION_F64);
}

static double array_max(const Array *array)
{
    const double *values = array->data;
    double largest = 0;
    for (int64_t i = 0; i < array->count; i++)
        largest = fmax(largest, fabs(values[i]));
    return largest;
}

typedef struct Blend {
    double scale, least;
    const double *value, *error;
    double *to;
} Blend;

static void blend_piece(void *context, int worker, int64_t begin, int64_t end)
{
    const Blend *job = context;
    (void)worker;
    for (int64_t i = begin; i < end; i++) {
        double size = fabs(job->value[i]);
        job->to[i] = size <= DBL_MAX ? job->scale * (size + job->least) : 0;
    }
    for (int64_t i = begin; job->error && i < end; i++)
        job->to[i] += job->error[i];
}

/* scale |value| + error, with a NULL error for none; a stored value counts
 * with the least normal number more. An infinite one is not rounded. */
static Array *blend(const BoundCall *call, Arena *arena, double scale,
                    Bounded in)
{
    Array *out = array_like(arena, in.value);
    Blend job = {.scale = scale,
                 .least = in.is_stored ? dtype_least_normal(in.value->type) : 0,
                 .value = in.value->data,
                 .error = in.error ? in.error->data : NULL,
                 .to = out->data};
    pool_run(call->options->pool, out->count, PIECE, blend_piece, &job);
    return out;
}

static Array *magnitude(BoundCall *call, int slot)
{
    return blend(call, call->scratch, 1,
                 (Bounded){.value = call->inputs[slot].value});
}

static void make_absolute(Array *array)
{
    double *values = array->data;
    for (int64_t i = 0; i < array->count; i++)
        values[i] = fabs(values[i]);
}

/* The new error together with the one that is there. */
static void add_to(Array *sum, const Array *term)
{
    double *to = sum->data;
    const double *from = term->data;
    for (int64_t i = 0; i < sum->count; i++)
        to[i] += from[i];
}

/* Runs the node on errors. A number that it puts in itself, an older Pad or a
 * Resize beyond the image, has none. */
static int run_errors(BoundCall *call, Array *const *inputs, Array **outputs,
                      Err *err)
{
    Node node = *call->node;
    size_t count = (size_t)node.attr_count;
    node.attrs = arena_array(call->scratch, count, sizeof *node.attrs);
    node.attr_count = 0;
    for (size_t i = 0; i < count; i++) {
        const Attr *attr = &call->node->attrs[i];
        if (strcmp(attr->name, "value") != 0 &&
            strcmp(attr->name, "extrapolation_value") != 0)
            node.attrs[node.attr_count++] = *attr;
    }
    return exec_node(call->arena, &node, call->options, inputs, outputs, err);
}

/* Runs an operator in place of the node's own, on its attributes. */
static int run_as(BoundCall *call, Op op, Array *const *inputs, Array **outputs,
                  Err *err)
{
    Node node = *call->node;
    node.op = op;
    node.op_type = op_name(op);
    return exec_node(call->arena, &node, call->options, inputs, outputs, err);
}

/* ONNX Softmax-13, and Softmax-11, which takes all axes from that one on. */
static double softmax_length(const Node *node, const Array *x)
{
    bool early = graph_opset(node->graph) < 13;
    int64_t axis = node_int(node, "axis", early ? 1 : -1);
    axis += axis < 0 ? x->rank : 0;
    double length = 1;
    for (int64_t i = axis < 0 ? 0 : axis; i < (early ? x->rank : axis + 1); i++)
        length *= (double)x->dims[i];
    return length;
}

/* The longest sum the node makes. */
static double sum_length(const BoundCall *call)
{
    const Array *x = call->inputs[0].value, *y = call->outputs[0];
    const int64_t *kernel;
    double length = 1;
    switch (call->node->op) {
    case OP_Conv:
        return (double)call->inputs[1].value->count /
               (double)call->inputs[1].value->dims[0];
    case OP_ConvTranspose:
        return (double)call->inputs[1].value->count /
               (double)call->inputs[1].value->dims[1];
    case OP_MatMul:
        return (double)x->dims[x->rank - 1];
    case OP_Softmax:
    case OP_LogSoftmax:
        return softmax_length(call->node, x);
    case OP_Gemm:
        return (double)x->dims[node_int(call->node, "transA", 0) ? 0 : 1];
    case OP_AveragePool:
        for (int64_t i = node_ints(call->node, "kernel_shape", &kernel); i > 0;)
            length *= (double)kernel[--i];
        return length;
    case OP_Einsum:
        return (double)x->count;
    case OP_RoiAlign: /* its kernel refuses more samples of a bin */
        return 4.0 * 1024 * 1024;
    default:
        return y && y->count && x ? ceil((double)x->count / (double)y->count)
                                  : 1;
    }
}

static double rounding_of(const BoundCall *call)
{
    return call->rounding + (sum_length(call) + 3) * F64_ROUNDOFF;
}

/* Whatever the operator, see bound.h. */
static int bound_weak(BoundCall *call, Array **errors, Err *err)
{
    (void)err;
    double relative = rounding_of(call);
    for (int i = 0; i < call->node->input_count; i++) {
        Bounded in = call->inputs[i];
        if (in.error)
            relative =
                fmax(relative, array_max(in.error) / array_max(in.value));
    }
    for (int i = 0; i < call->node->output_count; i++) {
        if (!is_real(call->outputs[i]))
            continue;
        errors[i] = array_like(call->arena, call->outputs[i]);
        double bound = WEAK_CONDITION * relative * array_max(call->outputs[i]);
        double *to = errors[i]->data;
        for (int64_t k = 0; k < errors[i]->count; k++)
            to[k] = bound;
    }
    return 0;
}

/* Elements are moved, and their errors with them. What a Pad or a Where puts
 * between them is exact or has an error of its own. */
static int bound_move(BoundCall *call, Array **errors, Err *err)
{
    int count = call->node->input_count;
    Array **inputs = arena_array(call->scratch, (size_t)count, sizeof *inputs);
    bool exact = true;
    for (int i = 0; i < count; i++) {
        Bounded in = call->inputs[i];
        exact &= !in.error;
        inputs[i] = is_real(in.value) && !in.error
                        ? blend(call, call->scratch, 0, in)
                    : in.error ? in.error
                               : in.value;
    }
    return exact ? 0 : run_errors(call, inputs, errors, err);
}

/* y = f(x) with coefficients that are not negative: what f makes of
 * |error| + rounding |x|. Sizes, scales and axes stay. */
static int bound_positive(BoundCall *call, Array **errors, Err *err)
{
    int count = call->node->input_count;
    Array **inputs = arena_array(call->scratch, (size_t)count, sizeof *inputs);
    for (int i = 1; i < count; i++)
        inputs[i] = call->inputs[i].value;
    inputs[0] = blend(call, call->scratch, rounding_of(call), call->inputs[0]);
    return run_errors(call, inputs, errors, err);
}

static int bound_resize(BoundCall *call, Array **errors, Err *err)
{
    return node_string_is(call->node, "mode", "cubic")
               ? bound_weak(call, errors, err)
               : bound_positive(call, errors, err);
}

/* RoiAlign in both modes, where the regions are exact. */
static int bound_region(BoundCall *call, Array **errors, Err *err)
{
    return call->inputs[1].error ? bound_weak(call, errors, err)
                                 : bound_positive(call, errors, err);
}

/* (x - zero) * scale, where only the scale is not exact. */
static int bound_dequantize(BoundCall *call, Array **errors, Err *err)
{
    Array *inputs[3] = {call->inputs[0].value, call->inputs[1].error, NULL};
    Array *more = NULL;
    errors[0] = blend(call, call->arena, rounding_of(call),
                      (Bounded){.value = call->outputs[0]});
    if (!inputs[1])
        return 0;
    if (call->node->input_count > 2)
        inputs[2] = call->inputs[2].value;
    TRY(exec_node(call->arena, call->node, call->options, inputs, &more, err));
    make_absolute(more);
    add_to(errors[0], more);
    return 0;
}

/* x * w + b, two factors: |x|, |w| and their errors e, f give
 *
 *     (e + t |x|) * (|w| + f) + |x| * f + t |b| + (error of b). */
static int bound_product(BoundCall *call, Array **errors, Err *err)
{
    Arena *scratch = call->scratch;
    Bounded x = call->inputs[0], w = call->inputs[1];
    double t = rounding_of(call);
    Array *inputs[3] = {blend(call, scratch, t, x), blend(call, scratch, 1, w),
                        NULL};
    if (call->node->input_count > 2 && call->inputs[2].value)
        inputs[2] = blend(call, scratch, t, call->inputs[2]);
    TRY(exec_node(call->arena, call->node, call->options, inputs, errors, err));
    if (!w.error)
        return 0;
    Array *more = NULL;
    inputs[0] = magnitude(call, 0);
    inputs[1] = w.error;
    if (inputs[2])
        inputs[2] = blend(call, scratch, 0, (Bounded){.value = inputs[2]});
    TRY(exec_node(call->arena, call->node, call->options, inputs, &more, err));
    add_to(errors[0], more);
    return 0;
}

static int bound_gemm(BoundCall *call, Array **errors, Err *err)
{
    bool negative = node_float(call->node, "alpha", 1) < 0 ||
                    node_float(call->node, "beta", 1) < 0;
    return negative ? bound_weak(call, errors, err)
                    : bound_product(call, errors, err);
}

static int bound_einsum(BoundCall *call, Array **errors, Err *err)
{
    return call->node->input_count == 2 ? bound_product(call, errors, err)
                                        : bound_weak(call, errors, err);
}

/* The same operator on all terms, a difference as a sum. */
static int bound_sum(BoundCall *call, Array **errors, Err *err)
{
    Op op = call->node->op == OP_Sub ? OP_Add : call->node->op;
    int count = call->node->input_count;
    Array **inputs = arena_array(call->scratch, (size_t)count, sizeof *inputs);
    for (int i = 0; i < count; i++)
        inputs[i] =
            blend(call, call->scratch, rounding_of(call), call->inputs[i]);
    return run_as(call, op, inputs, errors, err);
}

/* |max(x, y) - max(x', y')| is at most the larger error; so with min. */
static int bound_max(BoundCall *call, Array **errors, Err *err)
{
    Op op = call->node->op == OP_Min         ? OP_Max
            : call->node->op == OP_ReduceMin ? OP_ReduceMax
                                             : call->node->op;
    int count = call->node->input_count;
    Array **inputs = arena_array(call->scratch, (size_t)count, sizeof *inputs);
    for (int i = 0; i < count; i++)
        inputs[i] = is_real(call->inputs[i].value)
                        ? blend(call, call->scratch, 0, call->inputs[i])
                        : call->inputs[i].value;
    return run_as(call, op, inputs, errors, err);
}

/* x / y with an error f of y: with r = |y| - f, which bounds |y'| from below,
 * (e + t |x|) / r + |x| f / (r |y|). */
static int bound_quotient(BoundCall *call, Array **errors, Err *err)
{
    Bounded y = call->inputs[1];
    Array *top = blend(call, call->scratch, rounding_of(call), call->inputs[0]);
    Array *bottom = magnitude(call, 1);
    Array *inputs[2] = {top, bottom};
    if (!y.error)
        return run_as(call, OP_Div, inputs, errors, err);
    Array *steep = array_like(call->scratch, y.value);
    double *r = bottom->data, *s = steep->data;
    const double *f = y.error->data;
    for (int64_t i = 0; i < bottom->count; i++) {
        double size = r[i];
        r[i] = fmax(size - f[i], 0);
        s[i] = r[i] * size / f[i];
    }
    TRY(run_as(call, OP_Div, inputs, errors, err));
    Array *more = NULL;
    inputs[0] = magnitude(call, 0);
    inputs[1] = steep;
    TRY(run_as(call, OP_Div, inputs, &more, err));
    add_to(errors[0], more);
    return 0;
}

/* Inference form: s (x - mean) + b with s = scale / sqrt(var + epsilon), which
 * takes three roundings, and its products one more. */
static int bound_batchnorm(BoundCall *call, Array **errors, Err *err)
{
    bool trains = node_int(call->node, "training_mode", 0) != 0 &&
                  !call->node->graph->model->assume_inference;
    for (int i = 1; i < 5; i++)
        if (call->inputs[i].error || trains)
            return bound_weak(call, errors, err);
    const double *scale = call->inputs[1].value->data;
    const double *bias = call->inputs[2].value->data;
    const double *mean = call->inputs[3].value->data;
    const double *var = call->inputs[4].value->data;
    double epsilon = (double)node_float(call->node, "epsilon", 1e-5f);
    double t = 4 * rounding_of(call);
    errors[0] = blend(call, call->arena, t, call->inputs[0]);
    const Array *x = call->inputs[0].value;
    int64_t channels = call->inputs[1].value->count;
    int64_t plane =
        x->count && x->rank > 1 ? x->count / (x->dims[0] * channels) : 1;
    double *to = errors[0]->data;
    for (int64_t i = 0; i < x->count; i++) {
        int64_t c = i / plane % channels;
        double s = fabs(scale[c]) / sqrt(var[c] + epsilon);
        to[i] = s * (to[i] + t * fabs(mean[c])) + t * fabs(bias[c]);
    }
    return 0;
}

/* The Lipschitz constant of an elementwise function. */
static double lipschitz(const BoundCall *call)
{
    const Node *node = call->node;
    switch (node->op) {
    case OP_Sigmoid:
        return 0.25;
    case OP_Erf:
        return 1.1284; /* 2 / sqrt(pi) */
    case OP_Gelu:
        return 1.13;
    case OP_Swish:
    case OP_Mish:
        return 1.1;
    case OP_HardSwish:
        return 1.5;
    case OP_HardSigmoid:
        return fabs((double)node_float(node, "alpha", 0.2f));
    case OP_LeakyRelu:
        return fmax(1, fabs((double)node_float(node, "alpha", 0.01f)));
    case OP_Elu:
        return fmax(1, fabs((double)node_float(node, "alpha", 1)));
    case OP_Selu:
        return fabs((double)node_float(node, "gamma", 1.0507f)) *
               fmax(1, fabs((double)node_float(node, "alpha", 1.67326f)));
    case OP_PRelu:
        return fmax(1, array_max(call->inputs[1].value));
    default:
        return 1;
    }
}

static int bound_lipschitz(BoundCall *call, Array **errors, Err *err)
{
    Bounded in = call->inputs[0];
    for (int i = 1; i < call->node->input_count; i++)
        if (call->inputs[i].error)
            return bound_weak(call, errors, err);
    double constant = lipschitz(call), t = 8 * F64_ROUNDOFF;
    errors[0] =
        blend(call, call->arena, t, (Bounded){.value = call->outputs[0]});
    double *to = errors[0]->data;
    const double *error = in.error ? in.error->data : NULL;
    for (int64_t i = 0; error && i < errors[0]->count; i++)
        to[i] += constant * error[i];
    return 0;
}

/* Elementwise functions that steepen: how far f can move within e of x, where
 * y = f(x). */
static double steep_move(Op op, double exponent, double x, double y, double e)
{
    switch (op) {
    case OP_Exp:
        return y * expm1(e);
    case OP_Log:
        return e < x ? e / (x - e) : HUGE_VAL;
    case OP_Sqrt:
        return e == 0 ? 0 : fmin(e / y, sqrt(e));
    case OP_Reciprocal:
        return e < fabs(x) ? e / (fabs(x) * (fabs(x) - e)) : HUGE_VAL;
    default: /* Pow: the mean value theorem */
        return exponent * pow(fabs(x) + e, exponent - 1) * e;
    }
}

static int bound_steep(BoundCall *call, Array **errors, Err *err)
{
    double exponent = 1;
    if (call->node->op == OP_Pow) {
        Bounded power = call->inputs[1];
        if (power.error || power.value->count != 1 || !is_real(power.value))
            return bound_weak(call, errors, err);
        exponent = *(const double *)power.value->data;
        if (!(exponent >= 1))
            return bound_weak(call, errors, err);
    }
    double t = 8 * F64_ROUNDOFF;
    Bounded in = call->inputs[0];
    errors[0] =
        blend(call, call->arena, t, (Bounded){.value = call->outputs[0]});
    double *to = errors[0]->data;
    const double *x = in.value->data, *y = call->outputs[0]->data;
    const double *error = in.error ? in.error->data : NULL;
    for (int64_t i = 0; error && i < errors[0]->count; i++)
        to[i] += steep_move(call->node->op, exponent, x[i], y[i], error[i]);
    return 0;
}

/* In the maximum norm softmax has the constant 1/2, its logarithm 2. As many
 * exponentials are added up as the axis has elements, and before opset 13 those
 * after it; the logarithm makes of that relative error an absolute one. */
static int bound_softmax(BoundCall *call, Array **errors, Err *err)
{
    (void)err;
    bool is_log = call->node->op == OP_LogSoftmax;
    const Array *error = call->inputs[0].error;
    double most = error ? (is_log ? 2 : 0.5) * array_max(error) : 0;
    double t = rounding_of(call);
    if (is_log)
        most += t;
    errors[0] =
        blend(call, call->arena, t, (Bounded){.value = call->outputs[0]});
    double *to = errors[0]->data;
    for (int64_t i = 0; i < errors[0]->count; i++)
        to[i] += most;
    return 0;
}

static int (*const rules[OP_COUNT])(BoundCall *, Array **, Err *) = {
    [OP_Abs] = bound_lipschitz,
    [OP_Add] = bound_sum,
    [OP_Asinh] = bound_lipschitz,
    [OP_Atan] = bound_lipschitz,
    [OP_AveragePool] = bound_positive,
    [OP_BatchNormalization] = bound_batchnorm,
    [OP_Cast] = bound_move,
    [OP_CastLike] = bound_move,
    [OP_Celu] = bound_lipschitz,
    [OP_Clip] = bound_lipschitz,
    [OP_Col2Im] = bound_positive,
    [OP_Compress] = bound_move,
    [OP_Concat] = bound_move,
    [OP_Conv] = bound_product,
    [OP_ConvTranspose] = bound_product,
    [OP_Cos] = bound_lipschitz,
    [OP_DepthToSpace] = bound_move,
    [OP_DequantizeLinear] = bound_dequantize,
    [OP_Div] = bound_quotient,
    [OP_Dropout] = bound_move,
    [OP_Einsum] = bound_einsum,
    [OP_Elu] = bound_lipschitz,
    [OP_Erf] = bound_lipschitz,
    [OP_Exp] = bound_steep,
    [OP_Expand] = bound_move,
    [OP_Flatten] = bound_move,
    [OP_Gather] = bound_move,
    [OP_GatherElements] = bound_move,
    [OP_GatherND] = bound_move,
    [OP_Gelu] = bound_lipschitz,
    [OP_Gemm] = bound_gemm,
    [OP_GlobalAveragePool] = bound_positive,
    [OP_GlobalMaxPool] = bound_max,
    [OP_HardSigmoid] = bound_lipschitz,
    [OP_HardSwish] = bound_lipschitz,
    [OP_Identity] = bound_move,
    [OP_LeakyRelu] = bound_lipschitz,
    [OP_Log] = bound_steep,
    [OP_LogSoftmax] = bound_softmax,
    [OP_MatMul] = bound_product,
    [OP_Max] = bound_max,
    [OP_MaxPool] = bound_max,
    [OP_Mean] = bound_sum,
    [OP_Min] = bound_max,
    [OP_Mish] = bound_lipschitz,
    [OP_Mul] = bound_product,
    [OP_Neg] = bound_lipschitz,
    [OP_PRelu] = bound_lipschitz,
    [OP_Pad] = bound_move,
    [OP_Pow] = bound_steep,
    [OP_Reciprocal] = bound_steep,
    [OP_ReduceL1] = bound_positive,
    [OP_ReduceMax] = bound_max,
    [OP_ReduceMean] = bound_positive,
    [OP_ReduceMin] = bound_max,
    [OP_ReduceSum] = bound_positive,
    [OP_Relu] = bound_lipschitz,
    [OP_Reshape] = bound_move,
    [OP_Resize] = bound_resize,
    [OP_ReverseSequence] = bound_move,
    [OP_RoiAlign] = bound_region,
    [OP_Selu] = bound_lipschitz,
    [OP_Sigmoid] = bound_lipschitz,
    [OP_Sin] = bound_lipschitz,
    [OP_Slice] = bound_move,
    [OP_Softmax] = bound_softmax,
    [OP_Softplus] = bound_lipschitz,
    [OP_Softsign] = bound_lipschitz,
    [OP_SpaceToDepth] = bound_move,
    [OP_Split] = bound_move,
    [OP_Sqrt] = bound_steep,
    [OP_Squeeze] = bound_move,
    [OP_Sub] = bound_sum,
    [OP_Sum] = bound_sum,
    [OP_Swish] = bound_lipschitz,
    [OP_Tanh] = bound_lipschitz,
    [OP_Tile] = bound_move,
    [OP_Transpose] = bound_move,
    [OP_Trilu] = bound_move,
    [OP_Unsqueeze] = bound_move,
    [OP_Upsample] = bound_resize,
    [OP_Where] = bound_move,
};

int bound_node(BoundCall *call, Array **errors, Err *err)
{
    for (int i = 0; i < call->node->output_count; i++)
        errors[i] = NULL;
    call->scratch = arena_child(call->arena);
    bool gives_reals = false;
    for (int i = 0; i < call->node->output_count; i++)
        gives_reals |= is_real(call->outputs[i]);
    bool has_rule = rules[call->node->op] && gives_reals;
    int status = has_rule ? rules[call->node->op](call, errors, err)
                          : bound_weak(call, errors, err);
    for (int i = 0; i < call->node->output_count; i++)
        if (!is_real(call->outputs[i]))
            errors[i] = NULL;
    arena_free(call->scratch);
    return status;
}
