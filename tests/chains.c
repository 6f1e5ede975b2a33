#include "chains.h"

#include <math.h>
#include <string.h>

#include "base/random.h"
#include "folding.h"

static uint64_t stream, drawn;
static const char *stem; /* of the names of the model's values */

void plan_draw(uint64_t seed)
{
    stream = random_stream(11, seed);
    drawn = 0;
}

int plan_pick(int count)
{
    return (int)(random_bits(stream, drawn++) % (uint64_t)count);
}

/* ---- Plans ---- */

/* An image is most often cropped and padded. */
static Kind random_kind(bool image)
{
    if (image)
        return (Kind)(plan_pick(2) ? plan_pick(BORDER_KINDS)
                                   : CROP + plan_pick(2));
    return (Kind)(BORDER_KINDS + plan_pick(KINDS - BORDER_KINDS));
}

static Step random_step(const Plan *plan)
{
    bool image = plan->channels == 1;
    Step step = {.kind = random_kind(image)};
    bool even = plan_pick(2);
    int turn = plan_pick(CHANNELS);
    for (int i = 0; i < NUMBERS; i++)
        step.n[i] = plan_pick(image ? 3 : 4);
    for (int i = 0; i < CHANNELS; i++) {
        step.scale[i] = plan_pick(5) ? 1 + plan_pick(3) : -1 - plan_pick(3);
        step.scale[i] = even ? step.scale[0] : step.scale[i];
        step.mix[i * CHANNELS + (i + turn) % CHANNELS] = 1 + plan_pick(2);
        step.mix[i * CHANNELS + plan_pick(CHANNELS)] += plan_pick(4) == 0;
    }
    return step;
}

Plan plan_random(int64_t channels)
{
    Plan plan = {.channels = channels, .is_sized = plan_pick(2)};
    plan.branches = plan_pick(3) ? 1 : 2;
    for (int k = 0; k < plan.branches; k++) {
        plan.lengths[k] = 1 + plan_pick(4);
        for (int i = 0; i < plan.lengths[k]; i++)
            plan.steps[k][i] = random_step(&plan);
    }
    return plan;
}

static void step_remove(Plan *plan, int branch, int at)
{
    int rest = --plan->lengths[branch] - at;
    Step *steps = plan->steps[branch];
    memmove(&steps[at], &steps[at + 1], (size_t)rest * sizeof *steps);
}

/* Where its amounts are, begin and end; -1 for what has none. */
static int amounts_at(const Step *step)
{
    switch (step->kind) {
    case CROP:
    case ZEROS:
        return 0;
    case KERNEL:
    case AVERAGE:
    case UPWARD:
        return 3;
    default:
        return -1;
    }
}

/* A crop takes away what a padding adds. */
static bool amounts_merge(const Step *from, Step *into)
{
    int sign = (from->kind == CROP ? -1 : 1) * (into->kind == CROP ? -1 : 1);
    int at = amounts_at(into);
    if (amounts_at(from) != 0 || at < 0)
        return false;
    for (int i = 0; i < 4; i++)
        if (into->n[at + i] + sign * from->n[i] < 0)
            return false;
    for (int i = 0; i < 4; i++)
        into->n[at + i] += sign * from->n[i];
    return true;
}

/* One scale into another, or into the rows or columns of what mixes. */
static bool scale_merges(const Step *from, Step *into, bool before)
{
    if (from->kind == FACTOR && (into->kind == POINT || into->kind == KERNEL)) {
        into->scale[0] *= from->scale[0];
        return true;
    }
    if (from->kind != SCALE && from->kind != DEEP)
        return false;
    if (into->kind == SCALE || into->kind == DEEP) {
        for (int i = 0; i < CHANNELS; i++)
            into->scale[i] *= from->scale[i];
        return true;
    }
    if (into->kind != MIXED)
        return false;
    for (int i = 0; i < CHANNELS * CHANNELS; i++)
        into->mix[i] *= from->scale[before ? i % CHANNELS : i / CHANNELS];
    return true;
}

/* False where these two can be neither merged nor turned. */
static bool steps_merge(Plan *plan, int branch, int i, int j)
{
    Step *one = &plan->steps[branch][i], *other = &plan->steps[branch][j];
    Step kept = *one;
    if (i == j)
        return false;
    if (amounts_merge(one, other) || scale_merges(one, other, i < j) ||
        (one->kind == MAXIMUM && one->n[7] != 1)) {
        step_remove(plan, branch, i);
        return true;
    }
    if (i + 1 != j || plan_pick(4))
        return false;
    *one = *other;
    *other = kept;
    return true;
}

void plan_merge(Plan *plan)
{
    enum { TRIES = 12 };
    int k = plan_pick(plan->branches), length = plan->lengths[k];
    for (int i = 0; length > 1 && i < TRIES; i++)
        if (steps_merge(plan, k, plan_pick(length), plan_pick(length)))
            return;
}

void plan_change(Plan *plan)
{
    int k = plan_pick(plan->branches);
    if (plan->lengths[k] == 0)
        return;
    Step *step = &plan->steps[k][plan_pick(plan->lengths[k])];
    switch (plan_pick(4)) {
    case 0:
        step->n[plan_pick(NUMBERS)] = plan_pick(3);
        break;
    case 1:
        step->scale[plan_pick(CHANNELS)] *= 2;
        break;
    case 2:
        step->mix[plan_pick(CHANNELS * CHANNELS)] += 1;
        break;
    default:
        *step = random_step(plan);
        break;
    }
}

/* ---- Models ---- */

/* A node whose shape need not be possible; that is found out later. */
static Node *node_put(Bench *b, Op op, Value *const *inputs, int count)
{
    Value *y = graph_fresh_value(b->graph, stem);
    Node *node = node_new(b->graph, op, y->name, inputs, count, &y, 1);
    graph_add_node(b->graph, node);
    return node;
}

static Value *unary(Bench *b, Op op, Value *x)
{
    return node_put(b, op, &x, 1)->outputs[0];
}

static Node *binary(Bench *b, Op op, Value *x, Value *y)
{
    return node_put(b, op, (Value *[]){x, y}, 2);
}

static Node *cut(Bench *b, Value *x, int count, const int64_t *bounds,
                 const int64_t *axes)
{
    Value *inputs[4] = {x, bench_ints(b, count, bounds),
                        bench_ints(b, count, bounds + count),
                        bench_ints(b, count, axes)};
    return node_put(b, OP_Slice, inputs, 4);
}

static Value *make_crop(Bench *b, Value *x, const Step *step)
{
    int64_t bounds[4] = {step->n[0], step->n[1],
                         step->n[2] ? -step->n[2] : INT64_MAX,
                         step->n[3] ? -step->n[3] : INT64_MAX};
    return cut(b, x, 2, bounds, (int64_t[]){2, 3})->outputs[0];
}

static Value *make_zeros(Bench *b, Value *x, const Step *step)
{
    const int *n = step->n;
    int64_t pads[8] = {0, 0, n[0], n[1], 0, 0, n[2], n[3]};
    return binary(b, OP_Pad, x, bench_ints(b, 8, pads))->outputs[0];
}

/* Padding and strides, and for a pool its window. */
static void set_window(Node *node, const Step *step, int64_t size, bool pads)
{
    const int *n = step->n;
    int64_t amounts[4] = {n[3], n[4], n[5], n[6]}, sizes[2] = {size, size};
    int64_t strides[2] = {1 + (n[7] == 1), 1 + (n[7] == 1)};
    node_set_ints(node, "kernel_shape", sizes, 2);
    node_set_ints(node, "strides", strides, 2);
    if (pads)
        node_set_ints(node, "pads", amounts, 4);
}

/* A kernel of one number, or of two. */
static Value *kernel(Bench *b, const Step *step, int64_t size)
{
    double numbers[9] = {0};
    int64_t taps = size * size;
    numbers[(step->n[1] * 3 + step->n[2]) % taps] = step->scale[0];
    if (step->n[6] == 2)
        numbers[(step->n[1] + step->n[3] + 1) % taps] += 1;
    return bench_numbers(b, 4, (int64_t[]){1, 1, size, size}, numbers);
}

static Value *make_point(Bench *b, Value *x, const Step *step)
{
    Value *weight = bench_numbers(b, 4, (int64_t[]){1, 1, 1, 1}, step->scale);
    double one = 1;
    Value *inputs[3] = {x, weight, bench_numbers(b, 1, (int64_t[]){1}, &one)};
    return node_put(b, OP_Conv, inputs, step->n[0] ? 2 : 3)->outputs[0];
}

static Value *make_kernel(Bench *b, Value *x, const Step *step)
{
    int64_t size = step->n[0] == 0 ? 1 : 3;
    Node *node = binary(b, OP_Conv, x, kernel(b, step, size));
    bool same = step->n[6] == 1 && step->n[0] == 1;
    set_window(node, step, size, !same);
    if (same)
        node_set_string(node, "auto_pad",
                        step->n[5] ? "SAME_UPPER" : "SAME_LOWER");
    return node->outputs[0];
}

static Value *make_upward(Bench *b, Value *x, const Step *step)
{
    int64_t size = step->n[0] == 0 ? 1 : 3;
    Node *node = binary(b, OP_ConvTranspose, x, kernel(b, step, size));
    set_window(node, step, size, true);
    return node->outputs[0];
}

static Value *make_average(Bench *b, Value *x, const Step *step)
{
    int64_t size = step->n[0] == 2 ? 3 : 1;
    Value *y = unary(b, OP_AveragePool, x);
    set_window(y->producer, step, size, size > 1);
    node_set_int(y->producer, "count_include_pad", step->n[1] > 0);
    node_set_int(y->producer, "ceil_mode", step->n[2] == 2);
    return y;
}

static Value *make_maximum(Bench *b, Value *x, const Step *step)
{
    Value *y = unary(b, OP_MaxPool, x);
    set_window(y->producer, step, 1, false);
    node_set_int(y->producer, "ceil_mode", step->n[2] == 2);
    return y;
}

static Value *make_factor(Bench *b, Value *x, const Step *step)
{
    Value *number = bench_numbers(b, 1, (int64_t[]){1}, step->scale);
    return binary(b, step->n[0] ? OP_Mul : OP_Add, x, number)->outputs[0];
}

static Value *of_channels(Bench *b, const double *numbers)
{
    return bench_numbers(b, 3, (int64_t[]){CHANNELS, 1, 1}, numbers);
}

static Value *make_scale(Bench *b, Value *x, const Step *step)
{
    return binary(b, OP_Mul, x, of_channels(b, step->scale))->outputs[0];
}

static Value *make_shift(Bench *b, Value *x, const Step *step)
{
    Op op = step->n[0] == 0 ? OP_Div : step->n[0] == 1 ? OP_Sub : OP_Add;
    return binary(b, op, x, of_channels(b, step->scale))->outputs[0];
}

static Value *make_mixed(Bench *b, Value *x, const Step *step)
{
    int64_t dims[4] = {CHANNELS, CHANNELS, 1, 1};
    Value *inputs[3] = {x, bench_numbers(b, 4, dims, step->mix),
                        bench_numbers(b, 1, dims, step->scale)};
    return node_put(b, OP_Conv, inputs, step->n[0] ? 2 : 3)->outputs[0];
}

static Value *make_deep(Bench *b, Value *x, const Step *step)
{
    int64_t dims[4] = {CHANNELS, 1, 1, 1};
    Node *node = binary(b, OP_Conv, x, bench_numbers(b, 4, dims, step->scale));
    node_set_int(node, "group", CHANNELS);
    return node->outputs[0];
}

/* In another order, or one of them twice. */
static Value *make_taken(Bench *b, Value *x, const Step *step)
{
    int64_t from[CHANNELS];
    for (int i = 0; i < CHANNELS; i++)
        from[i] = (i * (step->n[0] & 1 ? 3 : 1) + step->n[1]) % CHANNELS;
    if (step->n[2] == 3)
        from[0] = from[1];
    Node *node = binary(b, OP_Gather, x, bench_ints(b, CHANNELS, from));
    node_set_int(node, "axis", 1);
    return node->outputs[0];
}

static Value *make_rectified(Bench *b, Value *x, const Step *step)
{
    double slopes[CHANNELS];
    for (int i = 0; i < CHANNELS; i++)
        slopes[i] = fabs(step->scale[i]) / 4;
    if (step->n[0] == 0)
        return binary(b, OP_PRelu, x, of_channels(b, slopes))->outputs[0];
    return unary(b, step->n[0] == 1 ? OP_LeakyRelu : OP_Relu, x);
}

/* The first ones behind the others, perhaps scaled. */
static Value *make_turned(Bench *b, Value *x, const Step *step)
{
    int64_t axis = 1, at = 1 + step->n[0] % 3;
    int64_t first[2] = {0, at}, rest[2] = {at, CHANNELS};
    Value *parts[2] = {cut(b, x, 1, rest, &axis)->outputs[0],
                       cut(b, x, 1, first, &axis)->outputs[0]};
    if (step->n[2] == 0)
        parts[1] = make_factor(b, parts[1], step);
    Node *node = node_put(b, OP_Concat, parts, 2);
    node_set_int(node, "axis", 1);
    return node->outputs[0];
}

static Value *transposed(Bench *b, Value *x, const int64_t *order, size_t rank)
{
    Value *y = unary(b, OP_Transpose, x);
    node_set_ints(y->producer, "perm", order, rank);
    return y;
}

static Value *make_shuffled(Bench *b, Value *x, const Step *step)
{
    const int64_t apart[5] = {1, 2, 2, 4, 4}, whole[4] = {1, CHANNELS, 4, 4};
    const int64_t order[5] = {0, 2, 1, 3, 4};
    (void)step;
    x = binary(b, OP_Reshape, x, bench_ints(b, 5, apart))->outputs[0];
    x = transposed(b, x, order, 5);
    return binary(b, OP_Reshape, x, bench_ints(b, 4, whole))->outputs[0];
}

/* With the channels on the last axis, and back. */
static Value *make_last(Bench *b, Value *x, const Step *step)
{
    const int64_t there[4] = {0, 2, 3, 1}, back[4] = {0, 3, 1, 2};
    int64_t dims[2] = {CHANNELS, CHANNELS};
    x = transposed(b, x, there, 4);
    x = step->n[0] < 2
            ? binary(b, OP_MatMul, x, bench_numbers(b, 2, dims, step->mix))
                  ->outputs[0]
            : binary(b, OP_Mul, x, bench_numbers(b, 1, dims, step->scale))
                  ->outputs[0];
    return transposed(b, x, back, 4);
}

/* Pixels become channels, and pixels again, of another channel or the same. */
static Value *make_blocks(Bench *b, Value *x, const Step *step)
{
    enum { BLOCKED = 4 * CHANNELS };
    double numbers[BLOCKED];
    for (int i = 0; i < BLOCKED; i++)
        numbers[i] = step->scale[step->n[3] % 2 ? i % CHANNELS : i / CHANNELS];
    x = unary(b, OP_SpaceToDepth, x);
    node_set_int(x->producer, "blocksize", 2);
    if (step->n[2] == 0)
        x = binary(b, OP_Mul, x,
                   bench_numbers(b, 3, (int64_t[]){BLOCKED, 1, 1}, numbers))
                ->outputs[0];
    x = unary(b, OP_DepthToSpace, x);
    node_set_int(x->producer, "blocksize", 2);
    node_set_string(x->producer, "mode", step->n[0] == 0 ? "CRD" : "DCR");
    return x;
}

static Value *make_normal(Bench *b, Value *x, const Step *step)
{
    const double zeros[CHANNELS] = {0}, spread[CHANNELS] = {3, 3, 15, 3};
    int64_t dims[1] = {CHANNELS};
    Value *inputs[5] = {
        x, bench_numbers(b, 1, dims, step->scale),
        bench_numbers(b, 1, dims, step->n[1] ? zeros : step->mix),
        bench_numbers(b, 1, dims, step->n[0] ? zeros : step->scale),
        bench_numbers(b, 1, dims, spread)};
    Node *node = node_put(b, OP_BatchNormalization, inputs, 5);
    node_set_float(node, "epsilon", 1);
    return node->outputs[0];
}

static Value *make_enlarged(Bench *b, Value *x, const Step *step)
{
    static const char *const modes[] = {"cubic", "linear", "nearest",
                                        "nearest"};
    const double scales[4] = {1, 1, 2, 2};
    int64_t two[2] = {2, 2}, four[1] = {4};
    Value *inputs[3] = {x, NULL, bench_numbers(b, 1, four, scales)};
    Node *node = node_put(b, OP_Resize, inputs, 3);
    node_set_string(node, "mode", modes[step->n[0]]);
    x = unary(b, step->n[1] ? OP_AveragePool : OP_MaxPool, node->outputs[0]);
    node_set_ints(x->producer, "kernel_shape", two, 2);
    node_set_ints(x->producer, "strides", two, 2);
    return x;
}

/* ORDER Kind. */
static Value *(*const makers[KINDS])(Bench *, Value *, const Step *) = {
    make_crop,     make_zeros,  make_point,  make_kernel,    make_average,
    make_maximum,  make_factor, make_upward, make_scale,     make_shift,
    make_mixed,    make_deep,   make_taken,  make_rectified, make_turned,
    make_shuffled, make_last,   make_blocks, make_normal,    make_enlarged,
};

static void set_input(Bench *b, const Plan *plan)
{
    int64_t size = plan->channels == 1 ? 9 : 4;
    int64_t dims[4] = {1, plan->channels, size, size};
    Value *x = bench_input(b, 4, dims);
    if (plan->channels == 1 && !plan->is_sized) {
        Dim *own = fact_set(b->arena, &x->fact, DT_FLOAT, 4, x->fact.dims);
        own[2] = dim_named(b->model->symbols, "height");
        own[3] = dim_named(b->model->symbols, "width");
    }
}

Model *plan_model(Arena *arena, const Plan *plan, const char *name)
{
    Bench b = {.arena = arena, .model = model_new(arena)};
    Err err = {0};
    b.model->opset = 19;
    b.graph = b.model->graph = graph_new(b.model, NULL);
    stem = name;
    set_input(&b, plan);
    Value *ends[2];
    for (int k = 0; k < plan->branches; k++) {
        ends[k] = b.graph->inputs[0];
        for (int i = 0; i < plan->lengths[k]; i++) {
            const Step *step = &plan->steps[k][i];
            ends[k] = makers[step->kind](&b, ends[k], step);
        }
    }
    if (plan->branches == 2)
        ends[0] = binary(&b, OP_Add, ends[0], ends[1])->outputs[0];
    Value *end = graph_value(b.graph, "end");
    graph_add_node(b.graph,
                   node_new(b.graph, OP_Sigmoid, "end", ends, 1, &end, 1));
    graph_add_output(b.graph, end);
    return graph_infer(b.graph, &err) == 0 ? b.model : NULL;
}
