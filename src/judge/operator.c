/* Linear operators as certificates see them. */
#include <math.h>

#include "judge/sum.h"

/* Below this sums and products of a few attributes stay in int64. */
enum { ATTRIBUTE_MAX = 1 << 24, FAR_AWAY = 1 << 25 };

static bool read_list(const Node *node, const char *name, int count,
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

/* Pads that follow from a size that is not known are the same where everything
 * they follow from is: the taps lie where no others are, and how far they reach
 * is left in the slack, for the pads follow from that too. */
static void pad_far(Lattice *axis, int64_t by)
{
    axis->begin = FAR_AWAY + by;
    axis->end = FAR_AWAY + by;
}

static bool is_far(const Lattice *axis)
{
    return axis->begin >= FAR_AWAY;
}

bool operator_is_far(const Operator *linear)
{
    bool far = false;
    for (int i = 0; i < linear->spatial; i++)
        far |= is_far(&linear->axes[i]);
    return far;
}

/* ONNX Conv-11, auto_pad: SAME makes ceil(size / stride) outputs, with the odd
 * one at the end (UPPER) or at the beginning. */
static void pad_same(const Scope *scope, const Fact *input, int i, bool upper,
                     Lattice *axis)
{
    int64_t total = axis->dilation * (axis->taps - 1), size;
    if (axis->stride > 1) {
        if (input->rank < i + 3 ||
            !dim_is_known(scope->symbols, input->dims[i + 2], &size)) {
            pad_far(axis, upper);
            return;
        }
        int64_t steps = (size + axis->stride - 1) / axis->stride - 1;
        total += steps * axis->stride + 1 - size;
        total = total > 0 ? total : 0;
    }
    axis->begin = upper ? total / 2 : total - total / 2;
    axis->end = total - axis->begin;
}

static bool read_axes(const Scope *scope, const Node *node, const Fact *input,
                      const int64_t *taps, Operator *out)
{
    int n = out->spatial;
    int64_t strides[SPACE_MAX], dilations[SPACE_MAX], pads[2 * SPACE_MAX];
    int64_t kernel[SPACE_MAX];
    if (!read_list(node, "strides", n, 1, 1, strides) ||
        !read_list(node, "dilations", n, 1, 1, dilations) ||
        !read_list(node, "pads", 2 * n, 0, 0, pads) ||
        !read_list(node, "kernel_shape", n, 0, 0, kernel))
        return false;
    bool valid = node_string_is(node, "auto_pad", "VALID");
    bool upper = node_string_is(node, "auto_pad", "SAME_UPPER");
    bool same = upper || node_string_is(node, "auto_pad", "SAME_LOWER");
    for (int i = 0; i < n; i++) {
        if (taps[i] < 1 || taps[i] > ATTRIBUTE_MAX ||
            (kernel[i] && kernel[i] != taps[i]))
            return false;
        out->axes[i] = (Lattice){taps[i], strides[i], dilations[i],
                                 valid ? 0 : pads[i], valid ? 0 : pads[n + i]};
        if (same)
            pad_same(scope, input, i, upper, &out->axes[i]);
    }
    return true;
}

/* ONNX ConvTranspose-11: with SAME or an output's size the pads follow from
 * that and the input's. */
static bool pads_from_output(const Node *node, Operator *out)
{
    int64_t size[SPACE_MAX];
    if (!read_list(node, "output_shape", out->spatial, 0, 0, size))
        return false;
    bool upper = node_string_is(node, "auto_pad", "SAME_UPPER");
    bool same = upper || node_string_is(node, "auto_pad", "SAME_LOWER");
    for (int i = 0; i < out->spatial; i++)
        if (same || size[i])
            pad_far(&out->axes[i], 4 * size[i] + 2 * same + upper);
    return true;
}

static bool read_conv(const Scope *scope, const Fact *input, Operator *out)
{
    const Constant *weight = out->weight;
    const Node *node = out->node;
    bool transposed = out->kind == OPERATOR_CONV_TRANSPOSE;
    out->spatial = weight->rank - 2;
    out->group = node_int(node, "group", 1);
    if (out->spatial < 1 || out->spatial > SPACE_MAX || out->group < 1 ||
        out->group > weight->dims[0] || weight->dims[0] % out->group ||
        !read_axes(scope, node, input, weight->dims + 2, out))
        return false;
    if (transposed && !pads_from_output(node, out))
        return false;
    int64_t first = weight->dims[0], second = weight->dims[1] * out->group;
    out->rows_are_outputs = !transposed;
    out->outputs = transposed ? second : first;
    out->inputs = transposed ? first : second;
    out->input_axis = out->output_axis = 1;
    /* What is added at the end makes the output larger, as less padding
     * would. */
    int64_t extra[SPACE_MAX];
    if (!read_list(node, "output_padding", out->spatial, 0, 0, extra))
        return false;
    for (int i = 0; transposed && i < out->spatial; i++)
        out->axes[i].end -= extra[i];
    return true;
}

static bool read_gemm(const Scope *scope, const Fact *input, Operator *out)
{
    (void)scope, (void)input;
    const Constant *weight = out->weight;
    if (weight->rank != 2)
        return false;
    bool transposed = node_int(out->node, "transB", 0) != 0;
    out->rows_are_outputs = transposed;
    out->outputs = weight->dims[transposed ? 0 : 1];
    out->inputs = weight->dims[transposed ? 1 : 0];
    out->alpha = (double)node_float(out->node, "alpha", 1.0f);
    out->beta = (double)node_float(out->node, "beta", 1.0f);
    out->input_axis = node_int(out->node, "transA", 0) ? 0 : 1;
    out->output_axis = 1;
    return true;
}

static bool read_matmul(const Scope *scope, const Fact *input, Operator *out)
{
    (void)scope;
    const Constant *weight = out->weight;
    int rank = weight->rank;
    if (rank < 2 || input->rank < rank)
        return false;
    for (int i = 0; i < rank - 2; i++)
        if (weight->dims[i] != 1)
            return false;
    out->outputs = weight->dims[rank - 1];
    out->inputs = weight->dims[rank - 2];
    out->input_axis = out->output_axis = input->rank - 1;
    return true;
}

/* A bias over the output channels; Gemm's may have fewer axes or be one
 * number, but not one for each row. */
static bool read_bias(Scope *scope, Operator *out)
{
    const Known *known = scope_known(scope, node_input(out->node, 2));
    if (!known || out->kind == OPERATOR_MATMUL)
        return true;
    const Constant *bias = out->bias = known->constant;
    if (!bias || !dtype_is_real(bias->type))
        return false;
    if (out->kind == OPERATOR_GEMM && bias->count == 1)
        return true;
    return bias->count == out->outputs && bias->rank > 0 &&
           bias->dims[bias->rank - 1] == out->outputs;
}

static void operator_init(Operator *out, const Node *node, OperatorKind kind)
{
    *out = (Operator){
        .kind = kind, .node = node, .group = 1, .alpha = 1, .beta = 1};
    for (int i = 0; i < SPACE_MAX; i++)
        out->axes[i] = (Lattice){1, 1, 1, 0, 0};
}

/* ONNX has no operator for operands of two types, though numbers may agree. */
static bool is_of_type(const Constant *constant, const Known *input)
{
    return input->fact.type == DT_UNDEFINED ||
           input->fact.type == constant->type;
}

bool operator_read(Region *region, Scope *scope, const Node *node,
                   Operator *out)
{
    static const struct {
        Op op;
        OperatorKind kind;
        bool (*read)(const Scope *scope, const Fact *input, Operator *out);
    } kinds[] = {
        {OP_Conv, OPERATOR_CONV, read_conv},
        {OP_ConvTranspose, OPERATOR_CONV_TRANSPOSE, read_conv},
        {OP_Gemm, OPERATOR_GEMM, read_gemm},
        {OP_MatMul, OPERATOR_MATMUL, read_matmul},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (node->op != kinds[i].op)
            continue;
        const Known *input = scope_known(scope, node_input(node, 0));
        const Known *weight = scope_known(scope, node_input(node, 1));
        if (!input || input->constant || !weight || !weight->constant ||
            weight->constant->count == 0 ||
            !dtype_is_real(weight->constant->type) ||
            !is_of_type(weight->constant, input))
            return false;
        operator_init(out, node, kinds[i].kind);
        out->weight = weight->constant;
        if (out->weight->array)
            region_rely(region, FACT_COMPUTED);
        return kinds[i].read(scope, &input->fact, out) && read_bias(scope, out);
    }
    return false;
}

static int64_t last_offset(const Lattice *axis)
{
    return axis->dilation * (axis->taps - 1) - axis->begin;
}

/* ONNX AveragePool: padding counts or there is none. What MaxPool has around
 * its image is no zero. With ceil_mode, no window may hang over the padded
 * input; one that begins beyond the image is left out, whatever is padded. */
static bool divisor_is_one_number(const Scope *scope, const Node *node,
                                  const Fact *input, const Operator *pool)
{
    bool counts = node->op == OP_AveragePool &&
                  node_int(node, "count_include_pad", 0) != 0;
    for (int i = 0; i < pool->spatial; i++) {
        const Lattice *axis = &pool->axes[i];
        int64_t size;
        if (!counts && (axis->begin || axis->end))
            return false;
        if (!node_int(node, "ceil_mode", 0))
            continue;
        if (axis->end > axis->dilation * (axis->taps - 1) ||
            (axis->stride > 1 &&
             (!dim_is_known(scope->symbols, input->dims[2 + i], &size) ||
              (size + axis->end - last_offset(axis) - 1) % axis->stride)))
            return false;
    }
    return true;
}

/* A crop as one tap that lies farther inside. */
static bool read_crop(Scope *scope, const Node *node, Operator *out)
{
    const Fact *input = &scope_known(scope, node->inputs[0])->fact;
    int64_t amounts[2 * SPACE_MAX], channels;
    if (input->rank < 3 || input->rank > SPACE_MAX + 2 ||
        !dim_is_known(scope->symbols, input->dims[1], &channels) ||
        !crop_read(scope, node, input->rank - 2, amounts))
        return false;
    operator_init(out, node, OPERATOR_CONV);
    out->spatial = input->rank - 2;
    out->rows_are_outputs = true;
    out->outputs = out->inputs = out->group = channels;
    out->input_axis = out->output_axis = 1;
    out->uniform = 1;
    out->uniform_exact = 1;
    for (int i = 0; i < out->spatial; i++)
        out->axes[i] = (Lattice){1, 1, 1, -amounts[i], -amounts[SPACE_MAX + i]};
    return true;
}

bool operator_read_pool(Scope *scope, const Node *node, Operator *out)
{
    const Known *input = scope_known(scope, node_input(node, 0));
    const int64_t *taps;
    int64_t count = node_ints(node, "kernel_shape", &taps), channels;
    if (node->op == OP_Slice)
        return read_crop(scope, node, out);
    if ((node->op != OP_AveragePool && node->op != OP_MaxPool) ||
        node_output(node, 1) || count < 1 || count > SPACE_MAX ||
        input->fact.rank != count + 2 ||
        !dim_is_known(scope->symbols, input->fact.dims[1], &channels))
        return false;
    operator_init(out, node, OPERATOR_CONV);
    out->spatial = (int)count;
    if (!read_axes(scope, node, &input->fact, taps, out) ||
        !divisor_is_one_number(scope, node, &input->fact, out))
        return false;
    out->rows_are_outputs = true;
    out->outputs = out->inputs = out->group = channels;
    out->input_axis = out->output_axis = 1;
    int64_t number = operator_taps(out);
    out->uniform = 1 / (double)number;
    out->uniform_exact = residue_inverse(residue_of((double)number));
    return node->op == OP_AveragePool || number == 1;
}

OperatorClass operator_class(const Operator *linear, const Fact *input)
{
    /* A Gemm and a MatMul may be the same map. */
    OperatorClass class = {
        .kind = linear->kind == OPERATOR_MATMUL ? OPERATOR_GEMM : linear->kind,
        .spatial = linear->spatial,
        .inputs = linear->inputs,
        .outputs = linear->outputs,
        .input_axis = linear->input_axis,
        .keeps_sizes = linear->input_axis == linear->output_axis};
    for (int i = 0; i < linear->spatial; i++) {
        const Lattice *axis = &linear->axes[i];
        class.stride[i] = axis->stride;
        class.far[i] = is_far(axis) ? axis->begin : 0;
        class.extent[i] = axis->end - last_offset(axis);
        class.keeps_sizes &= axis->stride == 1 && class.extent[i] == 0;
        if (linear->kind != OPERATOR_CONV || input->rank < i + 3 ||
            input->dims[2 + i] < 0)
            continue;
        int64_t reach = input->dims[2 + i] + class.extent[i] - 1;
        class.is_sized[i] = true;
        class.extent[i] = reach < 0 ? 0 : reach / axis->stride + 1;
    }
    return class;
}

bool operator_is_padded(const Operator *linear)
{
    for (int i = 0; i < linear->spatial; i++)
        if (linear->axes[i].begin > 0 || linear->axes[i].end > 0)
            return true;
    return linear->kind == OPERATOR_CONV_TRANSPOSE;
}

int64_t operator_taps(const Operator *linear)
{
    int64_t taps = 1;
    for (int i = 0; i < SPACE_MAX; i++)
        taps *= linear->axes[i].taps;
    return taps;
}

void operator_offsets(const Operator *linear, int64_t tap, int64_t *offsets)
{
    for (int i = SPACE_MAX; i-- > 0; tap /= linear->axes[i].taps) {
        const Lattice *axis = &linear->axes[i];
        offsets[i] = axis->dilation * (tap % axis->taps) - axis->begin;
    }
}

int64_t operator_rows(const Operator *linear)
{
    return linear->rows_are_outputs ? linear->outputs : linear->inputs;
}

int64_t operator_columns(const Operator *linear)
{
    return (linear->rows_are_outputs ? linear->inputs : linear->outputs) /
           linear->group;
}

/* ---- Applying ---- */

typedef struct Application {
    const Operator *linear;
    const Residue *x;
    const Sum *input; /* what is added to it becomes the sum's bias */
    Sum *sum;
    Coefs shift;
    int64_t width; /* of a row */
    double *rows;  /* one for each worker */
} Application;

/* What is added to the input in a channel, times a weight, is added to an
 * output: with it go the magnitudes and the rounding that it stands for. */
static void shift_add(const Application *job, int64_t output, int64_t channel,
                      double weight, Residue exact)
{
    Sum *sum = job->sum;
    int64_t at = job->shift.size == 1 ? 0 : channel;
    sum->bias.real[output] += weight * job->shift.real[at];
    sum->bias_size[output] += fabs(weight) * job->input->bias_size[at];
    sum->bias_slack[output] += fabs(weight) * job->input->bias_slack[at];
    sum->bias.exact[output] = residue_add(
        sum->bias.exact[output], residue_multiply(exact, job->shift.exact[at]));
}

/* A row of outputs: one sum. */
static void apply_output(const Application *job, int64_t row,
                         const double *weights)
{
    const Operator *linear = job->linear;
    int64_t taps = operator_taps(linear), columns = operator_columns(linear);
    int64_t first = row / (linear->outputs / linear->group) * columns;
    const Residue *x = job->x + first * taps;
    Wide sum = 0;
    for (int64_t i = 0; i < job->width; i++) {
        sum += (Wide)residue_of(weights[i]) * x[i];
        if (i % 32 == 31)
            sum = residue_reduce(sum);
    }
    Residue alpha = residue_of(linear->alpha);
    job->sum->value[row] = residue_add(
        job->sum->value[row], residue_multiply(alpha, residue_reduce(sum)));
    for (int64_t i = 0; job->shift.size && i < job->width; i++)
        shift_add(job, row, first + i / taps, linear->alpha * weights[i],
                  residue_multiply(alpha, residue_of(weights[i])));
}

/* A row of inputs: a summand for each output. */
static void apply_input(const Application *job, int64_t row,
                        const double *weights)
{
    const Operator *linear = job->linear;
    int64_t taps = operator_taps(linear), columns = operator_columns(linear);
    int64_t first = row / (linear->inputs / linear->group) * columns;
    Residue alpha = residue_of(linear->alpha);
    for (int64_t i = 0; i < job->width; i++) {
        int64_t output = taps == 1 ? first + i : first + i / taps;
        Residue weight = residue_of(weights[i]);
        if (linear->alpha != 1)
            weight = residue_multiply(weight, alpha);
        const Residue x = job->x[row * taps + (taps == 1 ? 0 : i % taps)];
        job->sum->value[output] =
            residue_add(job->sum->value[output], residue_multiply(weight, x));
        if (job->shift.size)
            shift_add(job, output, row, linear->alpha * weights[i], weight);
    }
}

static void apply_rows(void *context, int worker, int64_t begin, int64_t end)
{
    const Application *job = context;
    double *weights = job->rows + worker * job->width;
    for (int64_t row = begin; row < end; row++) {
        constant_read(job->linear->weight, row * job->width, job->width,
                      weights);
        if (job->linear->rows_are_outputs)
            apply_output(job, row, weights);
        else
            apply_input(job, row, weights);
    }
}

/* The same for a pool, which has no weight. */
static void apply_pool(const Application *job)
{
    const Operator *pool = job->linear;
    int64_t taps = operator_taps(pool);
    for (int64_t c = 0; c < pool->outputs; c++) {
        Residue sum = 0;
        for (int64_t t = 0; t < taps; t++)
            sum = residue_add(sum, job->x[c * taps + t]);
        job->sum->value[c] = residue_add(
            job->sum->value[c], residue_multiply(sum, pool->uniform_exact));
        if (job->shift.size)
            shift_add(job, c, c, 1, 1); /* its weights add up to 1 */
    }
}

void operator_apply(Region *region, const Operator *linear, const Residue *x,
                    const Sum *input, Sum *sum)
{
    int64_t rows = operator_rows(linear);
    Application job = {.linear = linear, .x = x, .input = input, .sum = sum};
    if (!bias_is_zero(input))
        job.shift = input->bias;
    if (!linear->weight) {
        apply_pool(&job);
        return;
    }
    job.width = operator_columns(linear) * operator_taps(linear);
    job.rows = arena_block(region->arena,
                           (size_t)(job.width * pool_threads(region->pool)),
                           sizeof(double));
    /* Rows of inputs all add to the same sums. */
    int64_t grain = linear->rows_are_outputs ? 8192 / job.width + 1 : rows;
    pool_run(region->pool, rows, grain, apply_rows, &job);
    arena_release(job.rows);
}
