/*
 * Operators that normalise: batch, instance, group, layer and RMS
 * normalization, Softmax, LogSoftmax, LpNormalization and LRN.
 */
#include <math.h>
#include <string.h>

#include "exec/chain.h"
#include "exec/elementary.h"
#include "exec/move.h"
#include "exec/simd.h"
#include "exec/sums.h"

/* Blocks of `size` elements, each with moments of its own:
 *     y = (x - mean) / sqrt(variance + epsilon) * scale + bias
 * Element i of block b takes scale[b % modulus * base_step + i / per]. */
typedef struct Normal {
    const void *in, *scale, *bias;
    void *out, *mean, *inverse; /* the latter two NULL when not wanted */
    int64_t size, modulus, base_step, per;
    double epsilon;
    bool centers; /* false: RMS, no mean is taken */
    bool is_f32;
} Normal;

/* So many lines at once. */
enum { LINES_MOST = 64 };

/* Lines along one axis: (outer, count, inner). */
typedef struct Lines {
    const void *in;
    void *out;
    int64_t count, inner, p;
    Op op;
    bool is_f32;
} Lines;

typedef struct Response {
    const void *in;
    void *out;
    int64_t channels, inner, size;
    double alpha, beta, bias;
    bool is_f32;
} Response;

#include "exec/real_f32.h"

#include "exec/kern_norm.inc.c"

#include "exec/real_f64.h"

#include "exec/kern_norm.inc.c"

static bool is_f32(const KernelCall *call)
{
    return call->precision == PRECISION_F32;
}

/* How many units of that many elements make a piece of work. */
static int64_t grain_of(int64_t elements)
{
    return 1 + GRAIN / (elements > 0 ? elements : 1);
}

/* ---- BatchNormalization ---- */

/* y = (x - mean) * scale + bias, with numbers for each channel in the
 * precision that is computed in: what constants are prepared as. */
typedef struct Affine {
    Prepared prepared;
    Channels channels; /* whose inner size is the input's */
} Affine;

typedef struct BatchNorm {
    const Array *in;
    const Array *out;
    double *mean, *variance, *scale, *bias; /* of each channel */
    Channels affine;
    int64_t channels, inner;
    bool is_f32;
} BatchNorm;

static AffineRow *affine_row(const BatchNorm *b)
{
    return b->is_f32 ? scale_channels_f32 : scale_channels_f64;
}

static void batch_norm_piece(void *context, int worker, int64_t begin,
                             int64_t end)
{
    const BatchNorm *b = context;
    size_t at = (size_t)begin * (b->is_f32 ? sizeof(float) : sizeof(double));
    (void)worker;
    affine_row(b)((const char *)b->in->data + at, NULL,
                  (char *)b->out->data + at, end - begin, &b->affine,
                  channels_find(&b->affine, begin));
}

/* The sum over a channel, or of the squares of x - center. */
static double channel_moment(const BatchNorm *b, int64_t channel, double center,
                             bool squared)
{
    double sum = 0;
    int64_t step = b->channels * b->inner;
    for (int64_t at = channel * b->inner; at < b->in->count; at += step) {
        const float *f32 = (const float *)b->in->data + at;
        const double *f64 = (const double *)b->in->data + at;
        if (b->is_f32)
            sum += squared ? squares_of_f32(f32, b->inner, center)
                           : sum_of_f32(f32, b->inner);
        else
            sum += squared ? squares_of_f64(f64, b->inner, center)
                           : sum_of_f64(f64, b->inner);
    }
    return sum;
}

static void put_output(const KernelCall *call, int slot, int64_t index,
                       double value)
{
    const Array *output = kernel_output(call, slot);
    if (output)
        array_put(output, call->precision, index, value);
}

/* training_mode: the batch's own moments replace the given ones, which are
 * returned moved towards them. Opset 13 and older return the batch's own as
 * well. */
static void use_batch_moments(const KernelCall *call, BatchNorm *b)
{
    double *variance = b->variance;
    double momentum = (double)node_float(call->node, "momentum", 0.9f);
    int64_t count = b->channels > 0 ? b->in->count / b->channels : 0;
    for (int64_t c = 0; c < b->channels; c++) {
        double mean = channel_moment(b, c, 0, false) / (double)count;
        double spread = channel_moment(b, c, mean, true) / (double)count;
        put_output(call, 1, c, b->mean[c] * momentum + mean * (1 - momentum));
        put_output(call, 2, c,
                   variance[c] * momentum + spread * (1 - momentum));
        put_output(call, 3, c, mean);
        put_output(call, 4, c, spread);
        b->mean[c] = mean;
        variance[c] = spread;
    }
}

/* Taken as in inference: the running moments stay as they are given. */
static void keep_moments(const KernelCall *call, const BatchNorm *b)
{
    for (int output = 1; output <= 4; output++)
        for (int64_t c = 0; c < b->channels; c++)
            put_output(call, output, c,
                       output % 2 ? b->mean[c] : b->variance[c]);
}

/* Up to opset 13 the further outputs say that it is training. */
static bool is_training(const KernelCall *call)
{
    if (call->node->graph->model->assume_inference)
        return false;
    if (call->opset >= 14)
        return node_int(call->node, "training_mode", 0) != 0;
    for (int i = 1; i < call->output_count; i++)
        if (call->outputs[i])
            return true;
    return false;
}

/* The axes that have parameters of their own: the channels, and with spatial=0
 * (opset 8 and older) every element of an image. */
static void channel_axes(const KernelCall *call, int *first, int *end)
{
    int rank = call->inputs[0]->rank;
    *first = rank > 1 ? 1 : rank;
    *end = rank;
    if (node_int(call->node, "spatial", 1))
        *end = *first + (rank > 1);
}

/* The parameters in double. */
static int read_parameters(const KernelCall *call, BatchNorm *b, Err *err)
{
    double **parts[4] = {&b->scale, &b->bias, &b->mean, &b->variance};
    for (int i = 0; i < 4; i++) {
        const Array *part = call->inputs[1 + i];
        if (part->count != b->channels)
            return err_set(err, ERR_BAD_SHAPE,
                           "input %d does not have one element for each of "
                           "%lld channels",
                           1 + i, (long long)b->channels);
        *parts[i] =
            arena_block(call->arena, (size_t)b->channels, sizeof(double));
        array_to_f64(part, call->precision, 0, b->channels, *parts[i]);
    }
    return 0;
}

static const void *store_channels(const KernelCall *call, const double *values,
                                  int64_t count)
{
    Array *array =
        array_new(call->arena, DT_DOUBLE, 1, &count, call->precision);
    for (int64_t i = 0; i < count; i++)
        array_put(array, call->precision, i, values[i]);
    return array->data;
}

static Affine *make_affine(const KernelCall *call, const BatchNorm *b)
{
    Affine *affine = arena_alloc(call->arena, sizeof *affine);
    double epsilon = (double)node_float(call->node, "epsilon", 1e-5f);
    for (int64_t c = 0; c < b->channels; c++)
        b->scale[c] /= sqrt(b->variance[c] + epsilon);
    affine->channels =
        (Channels){.mean = store_channels(call, b->mean, b->channels),
                   .scale = store_channels(call, b->scale, b->channels),
                   .bias = store_channels(call, b->bias, b->channels),
                   .count = b->channels};
    return affine;
}

/* BatchNormalization: y = (x - mean) * scale / sqrt(var + epsilon) + bias. */
static int batch_norm_make(const KernelCall *call, BatchNorm *b, Err *err)
{
    int first, end;
    *b = (BatchNorm){.in = call->inputs[0], .is_f32 = is_f32(call)};
    channel_axes(call, &first, &end);
    b->channels = dims_product(b->in->dims, first, end);
    b->inner = dims_product(b->in->dims, end, b->in->rank);
    const Affine *prepared = (const Affine *)call->prepared;
    if (!prepared || prepared->channels.count != b->channels) {
        TRY(read_parameters(call, b, err));
        if (is_training(call))
            use_batch_moments(call, b);
        else
            keep_moments(call, b);
        prepared = make_affine(call, b);
    }
    b->affine = prepared->channels;
    b->affine.inner = b->inner;
    return 0;
}

int kernel_batch_norm(KernelCall *call, Err *err)
{
    BatchNorm b;
    TRY(batch_norm_make(call, &b, err));
    b.out = call->outputs[0];
    if (b.out && b.out->count > 0)
        pool_run(call->pool, b.out->count, GRAIN, batch_norm_piece, &b);
    return 0;
}

/* Parameters that are constants make the same numbers in every run; those
 * arrays stay, in case that the channels are not as many. */
int prepare_batch_norm(const KernelCall *call, Prepared **out, Err *err)
{
    BatchNorm b = {.channels = -1};
    if (is_training(call) || call->node->output_count > 1)
        return 0;
    for (int i = 1; i <= 4; i++) {
        if (!kernel_input(call, i) ||
            (i > 1 && call->inputs[i]->count != call->inputs[1]->count))
            return 0;
        b.channels = call->inputs[i]->count;
    }
    TRY(read_parameters(call, &b, err));
    *out = &make_affine(call, &b)->prepared;
    return 0;
}

int chain_add_batch_norm(const KernelCall *call, Chain *chain, Err *err)
{
    BatchNorm b;
    if (is_training(call)) {
        chain->misfit = true;
        return 0;
    }
    TRY(batch_norm_make(call, &b, err));
    chain_affine(chain, affine_row(&b), &b.affine, call->inputs[0]);
    return 0;
}

/* ---- Moments of blocks ---- */

static void normal_piece(void *context, int worker, int64_t begin, int64_t end)
{
    const Normal *normal = context;
    (void)worker;
    for (int64_t block = begin; block < end; block++)
        if (normal->is_f32)
            normal_block_f32(normal, block);
        else
            normal_block_f64(normal, block);
}

/* As many numbers that change nothing when they are added. */
static const void *no_bias(const KernelCall *call, const Array *scale)
{
    Array *array = array_new(call->arena, scale->type, scale->rank, scale->dims,
                             call->precision);
    for (int64_t i = 0; i < array->count; i++)
        array_put(array, call->precision, i, -0.0);
    return array->data;
}

static int run_normal(KernelCall *call, Normal *normal, int64_t wanted,
                      Err *err)
{
    const Array *in = call->inputs[0], *scale = call->inputs[1];
    const Array *bias = kernel_input(call, 2);
    if (scale->count != wanted || (bias && bias->count != wanted))
        return err_set(err, ERR_BAD_SHAPE,
                       "its scale or bias does not have %lld elements",
                       (long long)wanted);
    normal->in = in->data;
    normal->out = call->outputs[0]->data;
    normal->scale = scale->data;
    normal->bias = bias ? bias->data : no_bias(call, scale);
    normal->epsilon = (double)node_float(call->node, "epsilon", 1e-5f);
    normal->is_f32 = is_f32(call);
    if (in->count > 0)
        pool_run(call->pool, in->count / normal->size, grain_of(normal->size),
                 normal_piece, normal);
    return 0;
}

static int need_channels(const Array *in, Err *err)
{
    if (in->rank < 2)
        return err_set(err, ERR_BAD_SHAPE, "its input has rank %d", in->rank);
    return 0;
}

int kernel_instance_norm(KernelCall *call, Err *err)
{
    const Array *in = call->inputs[0];
    TRY(need_channels(in, err));
    Normal normal = {.size = dims_product(in->dims, 2, in->rank),
                     .modulus = in->dims[1],
                     .base_step = 1,
                     .centers = true};
    normal.per = normal.size;
    return run_normal(call, &normal, in->dims[1], err);
}

/* GroupNormalization: opset 20 and older scale by group, newer by channel. */
int kernel_group_norm(KernelCall *call, Err *err)
{
    const Array *in = call->inputs[0];
    TRY(need_channels(in, err));
    int64_t groups = node_int(call->node, "num_groups", 0);
    if (groups < 1 || in->dims[1] % groups)
        return err_set(err, ERR_BAD_ATTRIBUTE,
                       "num_groups %lld does not divide its channels",
                       (long long)groups);
    int64_t inner = dims_product(in->dims, 2, in->rank);
    int64_t channels = in->dims[1] / groups;
    bool by_group = call->opset < 21;
    Normal normal = {.size = channels * inner,
                     .modulus = groups,
                     .base_step = by_group ? 1 : channels,
                     .per = by_group ? channels * inner : inner,
                     .centers = true};
    return run_normal(call, &normal, by_group ? groups : in->dims[1], err);
}

/* A parameter in the shape of the normalised axes. */
static int spread_parameter(KernelCall *call, int slot, int axis, Array **out,
                            Err *err)
{
    const Array *in = call->inputs[0], *given = call->inputs[slot];
    int rank = in->rank - axis, extra = given->rank - rank;
    if (extra > 0 && dims_product(given->dims, 0, extra) != 1)
        return err_set(err, ERR_BAD_SHAPE,
                       "a parameter varies beyond the normalised axes");
    *out = array_new(call->arena, given->type, rank, in->dims + axis,
                     call->precision);
    Strided all = strided_all(given), from = {.data = all.data};
    for (int i = extra > 0 ? extra : 0; i < given->rank; i++) {
        if (given->dims[i] == 1)
            continue;
        if (given->dims[i] != in->dims[axis + i - extra])
            return err_set(err, ERR_BAD_SHAPE,
                           "a parameter does not broadcast to its input");
        from.strides[i - extra] = all.strides[i];
    }
    Strided to = strided_all(*out);
    move_block(call, storage_size(kernel_storage(call, given)), rank,
               (*out)->dims, &from, &to);
    return 0;
}

/* LayerNormalization and RMSNormalization: over all axes from `axis` on. */
int kernel_layer_norm(KernelCall *call, Err *err)
{
    const Array *in = call->inputs[0];
    int axis;
    TRY(kernel_axis(node_int(call->node, "axis", -1), in->rank, &axis, err));
    Normal normal = {.size = dims_product(in->dims, axis, in->rank),
                     .modulus = 1,
                     .per = 1,
                     .centers = call->node->op == OP_LayerNormalization};
    Array *inputs[3] = {call->inputs[0], NULL, NULL};
    for (int slot = 1; slot < call->input_count; slot++)
        if (call->inputs[slot])
            TRY(spread_parameter(call, slot, axis, &inputs[slot], err));
    const Array *mean = kernel_output(call, 1);
    const Array *inverse = kernel_output(call, 2);
    normal.mean = mean ? mean->data : NULL;
    normal.inverse = inverse ? inverse->data : NULL;
    KernelCall spread = *call;
    spread.inputs = inputs;
    return run_normal(&spread, &normal, normal.size, err);
}

/* ---- Lines along an axis ---- */

static void lines_piece(void *context, int worker, int64_t begin, int64_t end)
{
    const Lines *lines = context;
    (void)worker;
    for (int64_t line = begin; line < end;)
        line += lines->is_f32 ? run_lines_f32(lines, line, end)
                              : run_lines_f64(lines, line, end);
}

/* Softmax, LogSoftmax and LpNormalization. Up to opset 12 the softmaxes see
 * all axes from `axis` on as one, and `axis` is 1 where it is absent. */
int kernel_lines(KernelCall *call, Err *err)
{
    const Array *in = call->inputs[0];
    Lines lines = {.in = in->data,
                   .out = call->outputs[0]->data,
                   .p = node_int(call->node, "p", 2),
                   .op = call->node->op,
                   .is_f32 = is_f32(call)};
    bool flattens = call->opset < 13 && lines.op != OP_LpNormalization;
    int axis;
    if (lines.p != 1 && lines.p != 2)
        return err_set(err, ERR_BAD_ATTRIBUTE, "p is %lld, not 1 or 2",
                       (long long)lines.p);
    int64_t given = node_int(call->node, "axis", flattens ? 1 : -1);
    if (flattens && given == in->rank)
        axis = in->rank;
    else
        TRY(kernel_axis(given, in->rank, &axis, err));
    int end = flattens || axis == in->rank ? in->rank : axis + 1;
    lines.count = dims_product(in->dims, axis, end);
    lines.inner = dims_product(in->dims, end, in->rank);
    if (in->count > 0)
        pool_run(call->pool, in->count / lines.count, grain_of(lines.count),
                 lines_piece, &lines);
    return 0;
}

/* ---- LRN ---- */

static void response_piece(void *context, int worker, int64_t begin,
                           int64_t end)
{
    const Response *response = context;
    (void)worker;
    for (int64_t plane = begin; plane < end; plane++)
        if (response->is_f32)
            respond_f32(response, plane);
        else
            respond_f64(response, plane);
}

int kernel_lrn(KernelCall *call, Err *err)
{
    const Array *in = call->inputs[0];
    TRY(need_channels(in, err));
    Response response = {.in = in->data,
                         .out = call->outputs[0]->data,
                         .channels = in->dims[1],
                         .inner = dims_product(in->dims, 2, in->rank),
                         .size = node_int(call->node, "size", 1),
                         .alpha =
                             (double)node_float(call->node, "alpha", 1e-4f),
                         .beta = (double)node_float(call->node, "beta", 0.75f),
                         .bias = (double)node_float(call->node, "bias", 1),
                         .is_f32 = is_f32(call)};
    if (response.size < 1 || response.size > INT32_MAX)
        return err_set(err, ERR_BAD_ATTRIBUTE, "its size is %lld",
                       (long long)response.size);
    pool_run(call->pool, in->dims[0] * in->dims[1], 1, response_piece,
             &response);
    return 0;
}
