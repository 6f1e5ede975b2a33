/* Operators one after the other, and operators of part of the outputs. */
#include <math.h>

#include "judge/sum.h"

/* More products than that nobody waits for. */
static const double PRODUCTS_MAX = 4e9;
enum { DENSE_MAX = 1 << 26 };

static int64_t greatest_common(int64_t a, int64_t b)
{
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a < 0 ? -a : a;
}

/* ---- Elements, whatever the layout ---- */

int64_t dense_index(const Operator *linear, int64_t output, int64_t input)
{
    int64_t ins = linear->inputs / linear->group;
    int64_t outs = linear->outputs / linear->group;
    int64_t own = input - output / outs * ins;
    return own < 0 || own >= ins ? -1
                                 : (output * ins + own) * operator_taps(linear);
}

static Dense *dense_new(Region *region, const Operator *linear)
{
    int64_t count = linear->outputs * (linear->inputs / linear->group) *
                    operator_taps(linear);
    Dense *dense = arena_alloc(region->arena, sizeof *dense);
    dense->count = count;
    dense->real = arena_array(region->arena, (size_t)count, sizeof(double));
    dense->size = arena_array(region->arena, (size_t)count, sizeof(double));
    dense->exact = arena_array(region->arena, (size_t)count, sizeof(Residue));
    return dense;
}

static void dense_set(Dense *dense, int64_t at, double real, Residue exact)
{
    dense->real[at] = real;
    dense->size[at] = fabs(real);
    dense->exact[at] = exact;
}

const Dense *operator_dense(Region *region, const Operator *linear)
{
    if (linear->dense)
        return linear->dense;
    Dense *dense = dense_new(region, linear);
    for (int64_t i = 0; !linear->weight && i < dense->count; i++)
        dense_set(dense, i, linear->uniform, linear->uniform_exact);
    if (!linear->weight)
        return dense;
    int64_t taps = operator_taps(linear), columns = operator_columns(linear);
    int64_t rows = operator_rows(linear), width = columns * taps;
    double *row = arena_block(region->arena, (size_t)width, sizeof *row);
    for (int64_t r = 0; r < rows; r++) {
        int64_t first = r / (rows / linear->group) * columns;
        constant_read(linear->weight, r * width, width, row);
        for (int64_t i = 0; i < width; i++) {
            int64_t across = first + i / taps;
            int64_t at = linear->rows_are_outputs
                             ? dense_index(linear, r, across)
                             : dense_index(linear, across, r);
            dense_set(dense, at + i % taps, row[i], residue_of(row[i]));
        }
    }
    arena_release(row);
    return dense;
}

/* ---- Composition ---- */

static bool is_matrix(const Operator *linear)
{
    return linear->kind == OPERATOR_GEMM || linear->kind == OPERATOR_MATMUL;
}

bool operator_is_pointwise(const Operator *linear)
{
    for (int i = 0; i < linear->spatial; i++)
        if (linear->axes[i].taps != 1 || linear->axes[i].begin ||
            linear->axes[i].end || linear->axes[i].stride != 1)
            return false;
    return true;
}

bool axis_gives_zeros(const Lattice *axis, int64_t begin, int64_t end)
{
    if (begin <= 0 && end <= 0)
        return true;
    return axis->taps == 1 && (begin <= 0 || axis->begin >= 0) &&
           (end <= 0 || axis->end >= 0);
}

/* The second must not read zeros where the first would give something else.
 * (That there is no bias is seen to by who composes.) */
static bool may_compose(const Operator *first, const Operator *second)
{
    if (operator_is_far(first) || operator_is_far(second) ||
        first->spatial != second->spatial || first->outputs != second->inputs ||
        is_matrix(first) != is_matrix(second))
        return false;
    if (is_matrix(first))
        return first->output_axis == second->input_axis;
    if (first->kind == OPERATOR_CONV_TRANSPOSE ||
        second->kind == OPERATOR_CONV_TRANSPOSE)
        return first->kind == OPERATOR_CONV_TRANSPOSE
                   ? second->kind == OPERATOR_CONV &&
                         operator_is_pointwise(second)
                   : operator_is_pointwise(first);
    for (int i = 0; i < second->spatial; i++) {
        const Lattice *own = &second->axes[i];
        if (!axis_gives_zeros(&first->axes[i], own->begin, own->end))
            return false;
    }
    return true;
}

/* Tap t2 of the second reads what taps t1 of the first read, s1 times its
 * offset further on. */
static bool axis_compose(const Lattice *first, const Lattice *second,
                         Lattice *out)
{
    int64_t reach1 = first->dilation * (first->taps - 1);
    int64_t reach2 = second->dilation * (second->taps - 1);
    int64_t low = -first->begin - first->stride * second->begin;
    int64_t high = low + reach1 + first->stride * reach2;
    int64_t slack1 = first->end - (reach1 - first->begin);
    int64_t slack2 = second->end - (reach2 - second->begin);
    int64_t step =
        greatest_common(reach1 ? first->dilation : 0,
                        reach2 ? first->stride * second->dilation : 0);
    *out = (Lattice){.stride = first->stride * second->stride,
                     .dilation = step ? step : 1,
                     .begin = -low,
                     .end = slack1 + first->stride * slack2 + high};
    out->taps = (high - low) / out->dilation + 1;
    return out->taps < DENSE_MAX;
}

static bool frame_compose(const Operator *first, const Operator *second,
                          Operator *out)
{
    *out = first->kind == OPERATOR_CONV_TRANSPOSE ? *first : *second;
    out->node = second->node;
    out->weight = out->bias = NULL;
    out->rows_are_outputs = true;
    out->inputs = first->inputs;
    out->outputs = second->outputs;
    out->group = greatest_common(first->group, second->group);
    out->input_axis = first->input_axis;
    out->output_axis = second->output_axis;
    out->alpha = 1;
    double count = (double)out->outputs * (double)(out->inputs / out->group);
    for (int i = 0; i < out->spatial; i++) {
        if (out->kind == OPERATOR_CONV &&
            !axis_compose(&first->axes[i], &second->axes[i], &out->axes[i]))
            return false;
        count *= (double)out->axes[i].taps;
    }
    return count < DENSE_MAX && count * (double)first->outputs < PRODUCTS_MAX;
}

/* Where taps t1 and t2 meet. */
static int64_t tap_of(const Operator *first, int64_t t1, const Operator *second,
                      int64_t t2, const Operator *out)
{
    int64_t one[SPACE_MAX], two[SPACE_MAX], at = 0;
    operator_offsets(first, t1, one);
    operator_offsets(second, t2, two);
    for (int i = 0; i < SPACE_MAX; i++) {
        const Lattice *axis = &out->axes[i];
        int64_t stride =
            first->kind == OPERATOR_CONV ? first->axes[i].stride : 1;
        int64_t offset = one[i] + stride * two[i];
        at = at * axis->taps + (offset + axis->begin) / axis->dilation;
    }
    return at;
}

typedef struct Composing {
    const Operator *first, *second, *whole;
    const Dense *one, *two;
    Dense *out;
    Coefs between;
    const int64_t *taps; /* [t2][t1] */
    int64_t count1, count2;
} Composing;

/* All paths from an input over the middle channel to the output. */
static void compose_cell(const Composing *job, int64_t output, int64_t middle,
                         int64_t input)
{
    int64_t at1 = dense_index(job->first, middle, input);
    int64_t at2 = dense_index(job->second, output, middle);
    int64_t at = dense_index(job->whole, output, input);
    if (at1 < 0 || at2 < 0)
        return;
    Dense *out = job->out;
    for (int64_t t2 = 0; t2 < job->count2; t2++) {
        double factor =
            job->two->real[at2 + t2] * coefs_real(job->between, middle, 1);
        double size = job->two->size[at2 + t2] *
                      fabs(coefs_real(job->between, middle, 1));
        Residue exact = residue_multiply(job->two->exact[at2 + t2],
                                         coefs_exact(job->between, middle, 1));
        for (int64_t t1 = 0; t1 < job->count1; t1++) {
            int64_t to = at + job->taps[t2 * job->count1 + t1];
            out->real[to] += factor * job->one->real[at1 + t1];
            out->size[to] += size * job->one->size[at1 + t1];
            out->exact[to] =
                residue_add(out->exact[to],
                            residue_multiply(exact, job->one->exact[at1 + t1]));
        }
    }
}

static void compose_all(const Composing *job)
{
    const Operator *whole = job->whole;
    int64_t outs = whole->outputs / whole->group;
    int64_t ins = whole->inputs / whole->group;
    int64_t middles = job->first->outputs / whole->group;
    for (int64_t output = 0; output < whole->outputs; output++) {
        int64_t group = output / outs;
        for (int64_t m = group * middles; m < (group + 1) * middles; m++)
            for (int64_t i = group * ins; i < (group + 1) * ins; i++)
                compose_cell(job, output, m, i);
    }
}

const Operator *operator_compose(Region *region, const Operator *first,
                                 Coefs between, const Operator *second)
{
    Operator *whole = arena_alloc(region->arena, sizeof *whole);
    if (!may_compose(first, second) || !frame_compose(first, second, whole))
        return NULL;
    Composing job = {.first = first,
                     .second = second,
                     .whole = whole,
                     .one = operator_dense(region, first),
                     .two = operator_dense(region, second),
                     .between = between,
                     .count1 = operator_taps(first),
                     .count2 = operator_taps(second)};
    int64_t *taps = arena_array(
        region->arena, (size_t)(job.count1 * job.count2), sizeof *taps);
    for (int64_t i = 0; i < job.count1 * job.count2; i++)
        taps[i] = tap_of(first, i % job.count1, second, i / job.count1, whole);
    job.taps = taps;
    whole->dense = job.out = dense_new(region, whole);
    compose_all(&job);
    /* As many products are added to an element as there are channels between
     * and pairs of taps that meet. */
    int64_t meet = job.count1 < job.count2 ? job.count1 : job.count2;
    whole->roundings = first->roundings + second->roundings + 3 +
                       (int)(first->outputs / whole->group * meet);
    return whole;
}

/* ---- Part of the outputs ---- */

const Operator *operator_among(Region *region, const Operator *linear,
                               int64_t start, int64_t outputs)
{
    int64_t taps = operator_taps(linear);
    if ((double)outputs * (double)linear->inputs * (double)taps >= DENSE_MAX)
        return NULL;
    Operator *whole = arena_alloc(region->arena, sizeof *whole);
    const Dense *part = operator_dense(region, linear);
    *whole = *linear;
    whole->weight = NULL;
    whole->rows_are_outputs = true;
    whole->outputs = outputs;
    whole->group = 1;
    Dense *dense = dense_new(region, whole);
    whole->dense = dense;
    for (int64_t o = 0; o < linear->outputs; o++)
        for (int64_t i = 0; i < linear->inputs; i++) {
            int64_t from = dense_index(linear, o, i);
            int64_t to = dense_index(whole, start + o, i);
            for (int64_t t = 0; from >= 0 && t < taps; t++) {
                dense->real[to + t] = part->real[from + t];
                dense->size[to + t] = part->size[from + t];
                dense->exact[to + t] = part->exact[from + t];
            }
        }
    return whole;
}

/* ---- Evaluation ---- */

void operator_evaluate(Region *region, const Operator *linear, int place,
                       Coefs in, const int64_t *at, Residue *y)
{
    const Dense *dense = operator_dense(region, linear);
    int64_t taps = operator_taps(linear), own[SPACE_MAX];
    int64_t ins = linear->inputs / linear->group;
    int64_t outs = linear->outputs / linear->group;
    Residue *x =
        arena_array(region->arena, (size_t)(linear->inputs * taps), sizeof *x);
    for (int64_t i = 0; i < linear->inputs * taps; i++) {
        operator_offsets(linear, i % taps, own);
        for (int k = 0; at && k < SPACE_MAX; k++)
            own[k] +=
                at[k] *
                (linear->kind == OPERATOR_CONV ? linear->axes[k].stride : 1);
        x[i] = residue_multiply(coefs_exact(in, i / taps, 1),
                                place_value(region, place, i / taps, own));
    }
    for (int64_t o = 0; o < linear->outputs; o++) {
        Residue total = 0;
        const Residue *from = x + o / outs * ins * taps;
        const Residue *weights = dense->exact + o * ins * taps;
        for (int64_t i = 0; i < ins * taps; i++)
            total = residue_add(total, residue_multiply(weights[i], from[i]));
        y[o] = total;
    }
}
