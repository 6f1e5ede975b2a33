#include "fold/compose.h"

#include <math.h>

/* Larger attributes would overflow their products; beyond that many products
 * of weights nobody waits for the result. */
enum { NUMBER_MAX = 1 << 16, ELEMENTS_MAX = 1 << 24 };
static const double WORK_MAX = 4e9;

/* ---- Fitness ---- */

static bool is_matrix(const Linear *linear)
{
    return linear->kind == LINEAR_GEMM || linear->kind == LINEAR_MATMUL;
}

/* One tap on every axis, and none of the input is padded. */
static bool is_pointwise(const Linear *linear)
{
    for (int i = 0; i < linear->spatial; i++)
        if (linear->axes[i].taps != 1 || linear->axes[i].begin ||
            linear->axes[i].end)
            return false;
    return true;
}

static bool has_stride(const Linear *linear)
{
    for (int i = 0; i < linear->spatial; i++)
        if (linear->axes[i].stride != 1)
            return true;
    return false;
}

bool is_composable(const Linear *first, const Linear *second)
{
    if (first->is_virtual)
        return false;
    if (is_matrix(first) || is_matrix(second))
        return is_matrix(first) && is_matrix(second);
    if (first->kind == LINEAR_CONV_TRANSPOSE)
        return second->kind == LINEAR_CONV && is_pointwise(second);
    return second->kind == LINEAR_CONV || is_pointwise(first);
}

/* Whether the second reads zeros where the first would have given something
 * else: its padding. A pointwise first operator without bias gives zero there,
 * too. */
static Reason border_obstacle(Fold *fold, const Linear *first,
                              const Linear *second, const char **fact)
{
    bool shifts = !vec_all_equal(first->bias, 0, 0);
    *fact = "a bias before a transposed convolution";
    if (second->kind == LINEAR_CONV_TRANSPOSE)
        return shifts ? REASON_PAD_SHIFT : REASON_NONE;
    for (int i = 0; i < second->spatial; i++) {
        const Axis *axis = &second->axes[i], *before = &first->axes[i];
        if (!axis->begin && !axis->end)
            continue;
        if (shifts || before->taps != 1 || before->begin || before->end) {
            *fact = arena_printf(
                fold->scratch, "pads %lld,%lld on axis %d %s",
                (long long)axis->begin, (long long)axis->end, 2 + i,
                shifts ? "after a bias" : "after a kernel that reaches there");
            return REASON_PAD_SHIFT;
        }
    }
    return REASON_NONE;
}

static Reason pair_obstacle(Fold *fold, const Linear *first,
                            const Linear *second, const char **fact)
{
    *fact = second->input->name;
    if (first->spatial != second->spatial || first->type != second->type ||
        first->kernel->out_channels != second->kernel->in_channels)
        return REASON_CHANNELS;
    if (second->kind == LINEAR_GEMM && node_int(second->node, "transA", 0))
        return REASON_WRONG_AXIS;
    if ((first->kind == LINEAR_CONV_TRANSPOSE && has_stride(second)) ||
        (second->kind == LINEAR_CONV_TRANSPOSE && has_stride(first)))
        return REASON_STRIDE;
    return border_obstacle(fold, first, second, fact);
}

/* ---- Taps ---- */

/* Where taps t1 and t2 of one axis meet: offset + step1 t1 + step2 t2. */
typedef struct Meeting {
    int64_t offset, step1, step2;
} Meeting;

static bool axis_is_small(const Axis *axis)
{
    return axis->taps <= NUMBER_MAX && axis->stride <= NUMBER_MAX &&
           axis->dilation <= NUMBER_MAX && axis->begin <= NUMBER_MAX &&
           axis->end <= NUMBER_MAX;
}

/* Tap t2 of the second reads the first's taps, shifted by s1 times its offset.
 * The union of these for the first two and the last t2 has the lattice of all,
 * as the others lie at equal steps between. */
static bool axis_compose(const Axis *first, const Axis *second, Axis *out,
                         Meeting *meeting)
{
    if (!axis_is_small(first) || !axis_is_small(second))
        return false;
    int64_t slack = axis_slack(first) + first->stride * axis_slack(second);
    int64_t taps[3] = {0, second->taps > 1, second->taps - 1};
    Axis parts[3];
    const Axis *list[3];
    for (int i = 0; i < 3; i++) {
        int64_t shift =
            first->stride * (second->dilation * taps[i] - second->begin);
        parts[i] = *first;
        parts[i].stride = first->stride * second->stride;
        parts[i].begin = first->begin - shift;
        parts[i].end =
            slack + first->dilation * (first->taps - 1) - parts[i].begin;
        list[i] = &parts[i];
    }
    if (!axis_union(list, 3, false, out))
        return false;
    axis_place(&parts[0], out, &meeting->offset, &meeting->step1);
    meeting->step2 =
        second->taps > 1 ? first->stride * second->dilation / out->dilation : 0;
    return true;
}

/* Of a transposed convolution the taps stay as they are: the other has one. */
static bool axes_compose(const Linear *first, const Linear *second,
                         Linear *like, Meeting *meetings)
{
    for (int i = 0; i < AXES_MAX; i++) {
        meetings[i] = (Meeting){0, 1, 1};
        if (like->kind == LINEAR_CONV &&
            !axis_compose(&first->axes[i], &second->axes[i], &like->axes[i],
                          &meetings[i]))
            return false;
    }
    return true;
}

/* Where each combination of one operator's taps adds to the place of a pair,
 * as an index into the composed taps. */
static int64_t *tap_places(Fold *fold, const Linear *linear,
                           const Linear *whole, const Meeting *meetings,
                           bool is_first)
{
    const Axis *axes = linear->axes, *all = whole->axes;
    int64_t count = axes[0].taps * axes[1].taps * axes[2].taps;
    int64_t *places = arena_array(fold->scratch, (size_t)count, sizeof *places);
    for (int64_t t = 0; t < count; t++) {
        int64_t index[AXES_MAX] = {t / axes[2].taps / axes[1].taps,
                                   t / axes[2].taps % axes[1].taps,
                                   t % axes[2].taps};
        for (int i = 0; i < AXES_MAX; i++) {
            int64_t at = is_first
                             ? meetings[i].offset + meetings[i].step1 * index[i]
                             : meetings[i].step2 * index[i];
            places[t] = places[t] * all[i].taps + at;
        }
    }
    return places;
}

/* ---- Weights ---- */

/* All elements of a kernel, in blocks of channels. */
typedef struct Dense {
    double *at;
    int64_t outs, ins, taps; /* of a block */
    int64_t by_block, by_out, by_in;
} Dense;

static Dense dense_shape(const Kernel *kernel)
{
    Dense dense = {.outs = kernel->out_channels / kernel->group,
                   .ins = kernel->in_channels / kernel->group,
                   .taps = kernel->taps[0] * kernel->taps[1] * kernel->taps[2]};
    bool out_first = kernel->layout == LAYOUT_OUT_IN;
    dense.by_block = dense.outs * dense.ins * dense.taps;
    dense.by_out = out_first ? dense.ins * dense.taps : dense.taps;
    dense.by_in = out_first ? dense.taps : dense.outs * dense.taps;
    return dense;
}

/* The kernel in coarser groups. */
static const Kernel *regrouped(Fold *fold, const Kernel *kernel, int64_t group)
{
    Placement place = {{0, 0, 0}, {1, 1, 1}};
    return kernel_sum(fold->scratch, &kernel, &place, 1, group, kernel->taps);
}

static Dense dense_read(Fold *fold, const Kernel *kernel)
{
    Dense dense = dense_shape(kernel);
    int64_t count = kernel_elements(kernel);
    dense.at = arena_array(fold->scratch, (size_t)count, sizeof *dense.at);
    kernel->formula.read(&kernel->formula, 0, count, dense.at);
    return dense;
}

/* Adds the products of all taps of two cells to the composed cell. */
static void cell_add(const double *w1, const int64_t *place1, int64_t count1,
                     const double *w2, const int64_t *place2, int64_t count2,
                     double *out)
{
    for (int64_t t2 = 0; t2 < count2; t2++)
        for (int64_t t1 = 0; t1 < count1; t1++)
            out[place1[t1] + place2[t2]] += w1[t1] * w2[t2];
}

static void dense_multiply(const Dense *first, const int64_t *place1,
                           const Dense *second, const int64_t *place2,
                           int64_t group, Dense *out)
{
    for (int64_t b = 0; b < group; b++)
        for (int64_t o = 0; o < out->outs; o++)
            for (int64_t m = 0; m < first->outs; m++) {
                const double *w2 = second->at + b * second->by_block +
                                   o * second->by_out + m * second->by_in;
                const double *w1 =
                    first->at + b * first->by_block + m * first->by_out;
                double *w = out->at + b * out->by_block + o * out->by_out;
                for (int64_t c = 0; c < out->ins; c++)
                    cell_add(w1 + c * first->by_in, place1, first->taps, w2,
                             place2, second->taps, w + c * out->by_in);
            }
}

/* The composed kernel's shape; its elements are still to be computed. */
static Kernel kernel_frame(const Linear *first, const Linear *second,
                           const Linear *like)
{
    Kernel frame = {.layout = like->kernel->layout,
                    .out_channels = second->kernel->out_channels,
                    .in_channels = first->kernel->in_channels,
                    .group = gcd(first->kernel->group, second->kernel->group)};
    for (int i = 0; i < AXES_MAX; i++)
        frame.taps[i] = like->axes[i].taps;
    return frame;
}

/* What both operators' factors come to that the composed one has not. */
static double outside_factor(const Linear *first, const Linear *second,
                             const Linear *like)
{
    const Linear *other = like->node == first->node ? second : first;
    return (double)node_float(other->node, "alpha", 1.0f);
}

static const Kernel *kernel_compose(Fold *fold, const Linear *first,
                                    const Linear *second, const Linear *like,
                                    const Kernel *frame,
                                    const Meeting *meetings)
{
    int64_t group = frame->group, count = kernel_elements(frame);
    Dense one = dense_read(fold, regrouped(fold, first->kernel, group));
    Dense two = dense_read(fold, regrouped(fold, second->kernel, group));
    Dense out = dense_shape(frame);
    out.at = arena_array(fold->arena, (size_t)count, sizeof *out.at);
    dense_multiply(&one, tap_places(fold, first, like, meetings, true), &two,
                   tap_places(fold, second, like, meetings, false), group,
                   &out);
    double factor = outside_factor(first, second, like);
    for (int64_t i = 0; factor != 1 && i < count; i++)
        out.at[i] *= factor;
    Tensor *tensor =
        tensor_from_doubles(fold->arena, like->type, 1, &count, out.at);
    return kernel_from_tensor(fold->arena, tensor, frame->layout,
                              frame->out_channels, frame->in_channels, group,
                              frame->taps);
}

static Vec bias_compose(Fold *fold, const Linear *first, const Linear *second)
{
    if (vec_all_equal(first->bias, 0, 0))
        return second->bias;
    double alpha = (double)node_float(second->node, "alpha", 1.0f);
    Vec shift = kernel_apply_shift(fold->scratch, second->kernel, first->bias);
    shift =
        vec_multiply(fold->scratch, vec_uniform(fold->scratch, alpha), shift);
    return vec_add(fold->scratch, second->bias, shift);
}

/* ---- Cost ---- */

/* How often the kernel is applied, 0 where that is not known: a transposed
 * convolution to each element it reads, any other for each it gives. */
static double positions(const Fold *fold, const Linear *linear)
{
    const Value *value = linear->kind == LINEAR_CONV_TRANSPOSE
                             ? linear->input
                             : linear->node->outputs[0];
    double count = 1;
    for (int i = 0; i < linear->spatial; i++) {
        int64_t size;
        if (value->fact.rank < 3 + i ||
            !dim_is_known(fold->model->symbols, value->fact.dims[2 + i], &size))
            return 0;
        count *= (double)size;
    }
    return count;
}

/* Parameters that go when the operator does. */
static double parameters(const Linear *linear)
{
    double count = 0;
    for (int slot = 1; slot < 3; slot++) {
        const Value *value = node_input(linear->node, slot);
        if (value && value->tensor && value->use_count == 1)
            count += (double)value->tensor->count;
    }
    return linear->kind == LINEAR_MATMUL ? count + (double)linear->bias.size
                                         : count;
}

static Reason cost_obstacle(Fold *fold, const Linear *first,
                            const Linear *second, const Kernel *frame,
                            Composition *out, const char **fact)
{
    double one = positions(fold, first), two = positions(fold, second);
    if (one == 0 || two == 0)
        one = two = 1;
    double all =
        out->like.node == first->node && first->kind == LINEAR_CONV_TRANSPOSE
            ? one
            : two;
    out->macs_before =
        (linear_macs(first) * one + linear_macs(second) * two) / all;
    out->macs_after = (double)kernel_elements(frame);
    double before = parameters(first) + parameters(second);
    double after = out->macs_after + (double)out->bias.size;
    if (out->macs_after <= out->macs_before && after <= before)
        return REASON_NONE;
    *fact = arena_printf(fold->scratch,
                         "MACs %.0f to %.0f, parameters %.0f to %.0f",
                         out->macs_before, out->macs_after, before, after);
    return REASON_COST;
}

/* Elements of a kernel in that many groups; in double, where nothing
 * overflows. */
static double dense_count(const Kernel *kernel, int64_t group)
{
    double count =
        (double)kernel->out_channels * (double)(kernel->in_channels / group);
    for (int i = 0; i < AXES_MAX; i++)
        count *= (double)kernel->taps[i];
    return count;
}

/* Elements, also of what regrouping fills with zeros, and products. */
static bool is_affordable(const Linear *first, const Linear *second,
                          const Kernel *frame)
{
    double one = dense_count(first->kernel, frame->group);
    double two = dense_count(second->kernel, frame->group);
    return one <= ELEMENTS_MAX && two <= ELEMENTS_MAX &&
           dense_count(frame, frame->group) <= ELEMENTS_MAX &&
           one * two / (double)first->kernel->out_channels <= WORK_MAX;
}

/* A transposed convolution's or a Gemm's attributes must be kept; of two
 * convolutions either would do, but a pool has no weight to be like. */
static Linear composed_like(const Linear *first, const Linear *second)
{
    bool keep_first = first->kind == LINEAR_CONV_TRANSPOSE ||
                      first->kind == LINEAR_GEMM || second->is_virtual;
    Linear like = keep_first ? *first : *second;
    like.input = first->input;
    like.static_size = first->static_size || second->static_size;
    return like;
}

Reason compose(Fold *fold, const Linear *first, const Linear *second,
               bool at_any_cost, Composition *out, const char **fact)
{
    Meeting meetings[AXES_MAX];
    Reason reason = pair_obstacle(fold, first, second, fact);
    if (reason)
        return reason;
    *out = (Composition){.like = composed_like(first, second)};
    *fact = second->input->name;
    if (!axes_compose(first, second, &out->like, meetings))
        return REASON_BUDGET;
    Kernel frame = kernel_frame(first, second, &out->like);
    if (!is_affordable(first, second, &frame))
        return REASON_BUDGET;
    out->bias = bias_compose(fold, first, second);
    reason = cost_obstacle(fold, first, second, &frame, out, fact);
    if (reason && !at_any_cost)
        return reason;
    out->kernel =
        kernel_compose(fold, first, second, &out->like, &frame, meetings);
    return numbers_obstacle(fold, out->kernel, out->bias, out->like.type, fact);
}
