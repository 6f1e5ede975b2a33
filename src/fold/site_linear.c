/* Linear operators: Conv, ConvTranspose, Gemm, MatMul and average pools. */
#include "fold/site.h"

/* An attribute beyond this is no convolution anybody runs; below it sums and
 * products of a few stay in int64. */
enum { ATTRIBUTE_MAX = 1 << 24, FAR_AWAY = 1 << 25 };

/* One tap everywhere: what an operator without spatial axes has. */
static void axes_init(Linear *linear)
{
    for (int i = 0; i < AXES_MAX; i++)
        linear->axes[i] = (Axis){1, 1, 1, 0, 0};
}

/* The i-th entry of an attribute that lists one number an axis. */
static bool read_axis_attr(const Node *node, const char *name, int count,
                           int64_t fallback, int64_t least, int64_t *out)
{
    const int64_t *values;
    int64_t found = node_ints(node, name, &values);
    if (found >= 0 && found != count)
        return false;
    for (int i = 0; i < count; i++) {
        out[i] = found < 0 ? fallback : values[i];
        if (out[i] < least || out[i] > ATTRIBUTE_MAX)
            return false;
    }
    return true;
}

/* auto_pad SAME_*: with stride 1 the total is d(k-1) for every size; otherwise
 * it follows from the input size. Where that is not known, the taps are put
 * where nothing else is: only kernels of the same reach have the same pads.
 * ONNX Conv-11. */
static void same_pads(const Fold *fold, Linear *linear, bool upper, int index)
{
    Axis *axis = &linear->axes[index];
    const Fact *input = &linear->input->fact;
    int64_t reach = axis->dilation * (axis->taps - 1), total = reach, size;
    if (axis->stride != 1) {
        if (input->rank < index + 3 ||
            !dim_is_known(fold->model->symbols, input->dims[index + 2],
                          &size)) {
            axis->begin = FAR_AWAY + upper;
            axis->end = FAR_AWAY + reach;
            linear->pads_follow = true;
            return;
        }
        linear->static_size = linear->kind == LINEAR_CONV;
        int64_t out = (size + axis->stride - 1) / axis->stride;
        total = (out - 1) * axis->stride + reach + 1 - size;
        total = total < 0 ? 0 : total;
    }
    axis->begin = upper ? total / 2 : total - total / 2;
    axis->end = total - axis->begin;
}

static Reason conv_read_axes(const Fold *fold, Linear *linear,
                             const int64_t *shape)
{
    const Node *node = linear->node;
    int n = linear->spatial;
    int64_t kernel[AXES_MAX], strides[AXES_MAX], dilations[AXES_MAX];
    int64_t pads[2 * AXES_MAX];
    if (!read_axis_attr(node, "strides", n, 1, 1, strides) ||
        !read_axis_attr(node, "dilations", n, 1, 1, dilations) ||
        !read_axis_attr(node, "pads", 2 * n, 0, 0, pads) ||
        !read_axis_attr(node, "kernel_shape", n, 0, 0, kernel))
        return REASON_CHANNELS;
    bool same_upper = node_string_is(node, "auto_pad", "SAME_UPPER");
    bool same_lower = node_string_is(node, "auto_pad", "SAME_LOWER");
    bool valid = node_string_is(node, "auto_pad", "VALID");
    for (int i = 0; i < n; i++) {
        int64_t taps = shape[i];
        if (taps < 1 || taps > ATTRIBUTE_MAX ||
            (kernel[i] != 0 && kernel[i] != taps))
            return REASON_CHANNELS;
        linear->axes[i] = (Axis){taps, strides[i], dilations[i],
                                 valid ? 0 : pads[i], valid ? 0 : pads[n + i]};
        if (same_upper || same_lower)
            same_pads(fold, linear, same_upper, i);
    }
    return REASON_NONE;
}

/* What output_padding adds at the end of a transposed convolution's output is
 * what less padding would leave there. */
static bool output_padding_read(Linear *linear)
{
    int64_t extra[AXES_MAX];
    if (!read_axis_attr(linear->node, "output_padding", linear->spatial, 0, 0,
                        extra))
        return false;
    for (int i = 0; i < linear->spatial; i++)
        linear->axes[i].end -= extra[i];
    return true;
}

static Reason conv_read(Fold *fold, Linear *linear, const Tensor *weight)
{
    const Node *node = linear->node;
    linear->spatial = weight->rank - 2;
    linear->channel_axis = 1;
    if (linear->spatial < 1 || linear->spatial > AXES_MAX)
        return REASON_BUDGET;
    Reason reason = conv_read_axes(fold, linear, weight->dims + 2);
    if (reason)
        return reason;
    int64_t group = node_int(node, "group", 1), taps[AXES_MAX];
    bool transposed = linear->kind == LINEAR_CONV_TRANSPOSE;
    if (transposed && !output_padding_read(linear))
        return REASON_CHANNELS;
    if (group < 1 || weight->dims[0] % group || weight->dims[0] == 0 ||
        weight->dims[1] == 0)
        return REASON_GROUPS;
    int64_t other;
    if (__builtin_mul_overflow(weight->dims[1], group, &other))
        return REASON_GROUPS;
    for (int i = 0; i < AXES_MAX; i++)
        taps[i] = linear->axes[i].taps;
    linear->kernel = kernel_from_tensor(
        fold->scratch, weight, transposed ? LAYOUT_IN_OUT : LAYOUT_OUT_IN,
        transposed ? other : weight->dims[0],
        transposed ? weight->dims[0] : other, group, taps);
    Value *bias = node_input(node, 2);
    if (bias && !constant_vec(fold, bias, &linear->bias))
        return constant_obstacle(fold, bias);
    if (linear->bias.size && linear->bias.size != linear->kernel->out_channels)
        return REASON_CHANNELS;
    return REASON_NONE;
}

static const int64_t no_taps[AXES_MAX] = {1, 1, 1};

/* Gemm's C, times beta, as a vector over the columns: (N), (1, N), (1), () . */
static Reason gemm_read_bias(Fold *fold, Linear *linear, Value *value)
{
    const Tensor *tensor = value_constant(fold->graph, value);
    int64_t columns = linear->kernel->out_channels;
    Vec bias;
    if (!tensor || !constant_vec(fold, value, &bias))
        return constant_obstacle(fold, value);
    if (tensor->count != 1 &&
        (tensor->count != columns || tensor->dims[tensor->rank - 1] != columns))
        return REASON_BROADCAST;
    double beta = (double)node_float(linear->node, "beta", 1.0f);
    double *wide = arena_array(fold->scratch, (size_t)columns, sizeof *wide);
    for (int64_t i = 0; i < columns; i++)
        wide[i] = beta * vec_get(bias, i, 0);
    linear->bias = (Vec){columns, wide};
    return REASON_NONE;
}

static Reason gemm_read(Fold *fold, Linear *linear, const Tensor *weight)
{
    if (weight->rank != 2 || weight->count == 0)
        return REASON_CHANNELS;
    bool transposed = node_int(linear->node, "transB", 0) != 0;
    linear->channel_axis = 1;
    linear->kernel = kernel_from_tensor(
        fold->scratch, weight, transposed ? LAYOUT_OUT_IN : LAYOUT_IN_OUT,
        weight->dims[transposed ? 0 : 1], weight->dims[transposed ? 1 : 0], 1,
        no_taps);
    Value *bias = node_input(linear->node, 2);
    return bias ? gemm_read_bias(fold, linear, bias) : REASON_NONE;
}

/* MatMul with the weight on the right: rank 2, or more with ones in front. */
static Reason matmul_read(Fold *fold, Linear *linear, const Tensor *weight)
{
    int rank = linear->input->fact.rank;
    if (rank < 0)
        return REASON_SHAPE_UNKNOWN;
    if (weight->rank < 2 || rank < weight->rank || weight->count == 0)
        return REASON_CHANNELS;
    for (int i = 0; i < weight->rank - 2; i++)
        if (weight->dims[i] != 1)
            return REASON_BROADCAST;
    linear->channel_axis = rank - 1;
    linear->kernel = kernel_from_tensor(
        fold->scratch, weight, LAYOUT_IN_OUT, weight->dims[weight->rank - 1],
        weight->dims[weight->rank - 2], 1, no_taps);
    return REASON_NONE;
}

/* How much a Slice takes off an axis, before and after, where no more is known
 * of the size than that it leaves something. */
static bool crop_read(const Fold *fold, const Node *node, int axis,
                      int64_t *before, int64_t *after)
{
    Cut cut;
    int64_t size = -1;
    if (!cut_read(fold, node, axis, &cut) || cut.step != 1)
        return false;
    bool sized = dim_is_known(fold->model->symbols,
                              node->inputs[0]->fact.dims[axis], &size);
    if (!sized && cut.end >= 0 && cut.end < INT32_MAX)
        return false;
    if (size >= 0 && cut.end > size)
        cut.end = size;
    if (size >= 0 && cut.end >= 0)
        cut.end -= size;
    *before = cut.start < 0 && size >= 0 ? cut.start + size : cut.start;
    *after = cut.end >= INT32_MAX ? 0 : -cut.end;
    return *before >= 0 && *after >= 0 && *before < ATTRIBUTE_MAX &&
           *after < ATTRIBUTE_MAX;
}

static bool axis_uncrop(Axis *axis, int64_t before, int64_t after)
{
    if ((before && axis->begin > 0) || (after && axis->end > 0))
        return false;
    axis->begin -= before;
    axis->end -= after;
    return true;
}

bool linear_uncrop(Fold *fold, const Linear *linear, Linear *out)
{
    bool cropped = false;
    *out = *linear;
    for (;;) {
        const Node *node = out->input->producer;
        if (out->kind != LINEAR_CONV || out->pads_follow || !node ||
            node->op != OP_Slice || node->graph != fold->graph ||
            node_is_parametric(node) ||
            node->inputs[0]->fact.rank != out->spatial + 2)
            return cropped;
        for (int i = 0; i < out->spatial + 2; i++) {
            int64_t before, after;
            if (!crop_read(fold, node, i, &before, &after) ||
                (i < 2 && (before || after)) ||
                (i >= 2 && !axis_uncrop(&out->axes[i - 2], before, after)))
                return false;
        }
        out->input = node->inputs[0];
        cropped = true;
    }
}

/* ---- Linear operators without a weight ---- */

bool linear_identity(Fold *fold, Value *value, LinearKind kind, DType type,
                     Linear *out)
{
    const Fact *fact = &value->fact;
    int64_t channels;
    if (fact->rank < 3 || fact->rank > AXES_MAX + 2 ||
        !dim_is_known(fold->model->symbols, fact->dims[1], &channels) ||
        channels < 1)
        return false;
    *out = (Linear){.kind = kind,
                    .input = value,
                    .type = type,
                    .spatial = fact->rank - 2,
                    .channel_axis = 1,
                    .is_virtual = true};
    axes_init(out);
    Kernel *kernel = kernel_uniform(fold->scratch, channels, 1, no_taps);
    kernel->layout =
        kind == LINEAR_CONV_TRANSPOSE ? LAYOUT_IN_OUT : LAYOUT_OUT_IN;
    out->kernel = kernel;
    return true;
}

/* ONNX AveragePool: the divisor must be the same everywhere, so padding counts
 * or there is none, and no window may overhang the padded input, as with
 * ceil_mode and steps of more than one pixel it does for some sizes. MaxPool
 * has the least of all numbers around its image, which is no zero. */
static Reason pool_divisor(const Fold *fold, Linear *linear)
{
    const Node *node = linear->node;
    bool is_average = node->op == OP_AveragePool;
    bool include = is_average && node_int(node, "count_include_pad", 0) != 0;
    for (int i = 0; i < linear->spatial; i++) {
        const Axis *axis = &linear->axes[i];
        if (!include && (axis->begin || axis->end))
            return is_average ? REASON_EXCLUDE_PAD : REASON_NONLINEAR;
        int64_t size;
        if (!node_int(node, "ceil_mode", 0))
            continue;
        /* A window that begins beyond the image is left out. */
        if (axis->end > axis->dilation * (axis->taps - 1))
            return REASON_CEIL_OVERHANG;
        if (axis->stride == 1)
            continue;
        linear->static_size = true;
        if (!dim_is_known(fold->model->symbols, linear->input->fact.dims[2 + i],
                          &size) ||
            (size + axis_slack(axis) - 1) % axis->stride != 0)
            return REASON_CEIL_OVERHANG;
    }
    return REASON_NONE;
}

/* A pool as a depthwise convolution with 1/k at every tap. A maximum over one
 * element is that element. */
static Reason pool_read(Fold *fold, Node *node, Linear *out)
{
    const int64_t *shape;
    int64_t count = node_ints(node, "kernel_shape", &shape), taps[AXES_MAX];
    Value *input = node_input(node, 0);
    if (!input || count < 1 || count > AXES_MAX ||
        !linear_identity(fold, input, LINEAR_CONV, input->fact.type, out) ||
        out->spatial != count || node_output(node, 1))
        return REASON_NONLINEAR;
    out->node = node;
    double number = 1;
    for (int i = 0; i < AXES_MAX; i++) {
        taps[i] = i < count ? shape[i] : 1;
        if (taps[i] < 1 || taps[i] > ATTRIBUTE_MAX)
            return REASON_CHANNELS;
        number *= (double)taps[i];
    }
    if (node->op == OP_MaxPool && number > 1)
        return REASON_NONLINEAR;
    Reason reason = conv_read_axes(fold, out, shape);
    if (!reason)
        reason = pool_divisor(fold, out);
    out->kernel = kernel_uniform(fold->scratch, out->kernel->out_channels,
                                 1 / number, taps);
    return reason;
}

Linear *linear_copy(Arena *arena, const Linear *linear)
{
    Linear *copy = arena_alloc(arena, sizeof *copy);
    *copy = *linear;
    return copy;
}

double linear_macs(const Linear *linear)
{
    return linear->is_virtual ? 0 : (double)kernel_elements(linear->kernel);
}

static bool is_computed(const Value *value)
{
    Node *nodes[CHAIN_MAX];
    return value && constant_chain(value, nodes) > 0;
}

Reason linear_read(Fold *fold, Node *node, Linear *out, const char **fact)
{
    static const struct {
        Op op;
        LinearKind kind;
        Reason (*read)(Fold *fold, Linear *linear, const Tensor *weight);
    } kinds[] = {
        {OP_Conv, LINEAR_CONV, conv_read},
        {OP_ConvTranspose, LINEAR_CONV_TRANSPOSE, conv_read},
        {OP_Gemm, LINEAR_GEMM, gemm_read},
        {OP_MatMul, LINEAR_MATMUL, matmul_read},
    };
    if (node_is_parametric(node))
        return REASON_NONLINEAR;
    if (node->op == OP_AveragePool || node->op == OP_MaxPool)
        return pool_read(fold, node, out);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (node->op != kinds[i].op)
            continue;
        *out = (Linear){
            .kind = kinds[i].kind, .node = node, .input = node_input(node, 0)};
        axes_init(out);
        Value *value = node_input(node, 1);
        const Tensor *weight =
            value ? value_constant(fold->graph, value) : NULL;
        if (!out->input || !value)
            return REASON_DYNAMIC_WEIGHT;
        if (value_constant(fold->graph, out->input)) {
            *fact = "the constant is on the left";
            return weight ? REASON_NONLINEAR : REASON_WRONG_AXIS;
        }
        if (!weight) {
            *fact = value->name;
            return constant_obstacle(fold, value);
        }
        if (!tensor_is_readable(weight) || !dtype_is_real(weight->type))
            return REASON_QUANTIZED;
        out->type = weight->type;
        out->weight_is_computed = is_computed(value);
        out->bias_is_computed = is_computed(node_input(node, 2));
        return kinds[i].read(fold, out, weight);
    }
    return REASON_NONLINEAR;
}
