/* Reading the nodes of a region, one after the other. */
#include "judge/sum_parts.h"

#include <math.h>
#include <string.h>

/* ---- Sums ---- */

Sum *sum_new(Region *region, const Known *known, int parts)
{
    Sum *sum = arena_alloc(region->arena, sizeof *sum);
    sum->fact = &known->fact;
    sum->axis = -1;
    sum->width = 1;
    sum->count = parts;
    sum->parts =
        arena_array(region->arena, (size_t)parts + 1, sizeof *sum->parts);
    return sum;
}

Sum *sum_of_place(Region *region, const Known *known, int place)
{
    Sum *sum = sum_new(region, known, 1);
    sum->parts[0].place = place;
    return sum;
}

Sum *region_sum(Region *region, Known *known)
{
    if (!known || known->constant)
        return NULL;
    if (known->stamp != region->stamp || !known->sum) {
        known->stamp = region->stamp;
        known->sum = sum_of_place(region, known, place_base(region, known));
    }
    return known->sum;
}

void sum_make_bias(Region *region, Sum *sum)
{
    if (sum->bias.size)
        return;
    size_t width = (size_t)sum->width;
    sum->bias = coefs_new(region->arena, sum->width);
    sum->bias_size = arena_array(region->arena, width, sizeof *sum->bias_size);
    sum->bias_slack =
        arena_array(region->arena, width, sizeof *sum->bias_slack);
}

/* The field's number of the parts that are places themselves. */
Residue parts_value(const Region *region, const Sum *sum, int64_t c)
{
    Residue total = 0;
    for (int i = 0; i < sum->count; i++) {
        const Part *part = &sum->parts[i];
        int64_t own = c - part->start;
        if (part->linear || (part->length && (own < 0 || own >= part->length)))
            continue;
        Residue x = place_value(region, part->place, own, NULL);
        total = residue_add(
            total, residue_multiply(coefs_exact(part->out, own, 1), x));
    }
    return total;
}

/* Numbers that were the same in all channels are given for each. */
void sum_widen(Region *region, Sum *sum, int axis, int64_t width)
{
    Coefs bias = sum->bias;
    double size = bias.size ? sum->bias_size[0] : 0;
    double slack = bias.size ? sum->bias_slack[0] : 0;
    if (axis < 0 || sum->axis >= 0)
        return;
    sum->axis = axis;
    sum->width = width;
    if (bias.size) {
        sum->bias = (Coefs){0};
        sum_make_bias(region, sum);
    }
    sum->value = arena_array(region->arena, (size_t)width, sizeof *sum->value);
    for (int64_t c = 0; c < width; c++) {
        if (bias.size) {
            sum->bias.real[c] = bias.real[0];
            sum->bias.exact[c] = bias.exact[0];
            sum->bias_size[c] = size;
            sum->bias_slack[c] = slack;
        }
        sum->value[c] = residue_add(parts_value(region, sum, c),
                                    coefs_exact(sum->bias, c, 0));
    }
}

Sum *sum_copy(Region *region, const Sum *from, const Known *known)
{
    Sum *sum = sum_new(region, known, from->count);
    Part *parts = sum->parts;
    const Fact *fact = sum->fact;
    *sum = *from;
    sum->parts = parts;
    sum->fact = fact;
    memcpy(parts, from->parts, (size_t)from->count * sizeof *parts);
    if (from->bias.size) {
        sum->bias = (Coefs){0};
        sum_make_bias(region, sum);
        size_t width = (size_t)from->width;
        memcpy(sum->bias.real, from->bias.real, width * sizeof(double));
        memcpy(sum->bias.exact, from->bias.exact, width * sizeof(Residue));
        memcpy(sum->bias_size, from->bias_size, width * sizeof(double));
        memcpy(sum->bias_slack, from->bias_slack, width * sizeof(double));
    }
    if (from->value) {
        size_t width = (size_t)from->width;
        sum->value = arena_array(region->arena, width, sizeof *sum->value);
        memcpy(sum->value, from->value, width * sizeof *sum->value);
    }
    return sum;
}

/* ---- Sums of values ---- */

/* Equal shapes, or results of one class of operators on one place. */
bool shapes_agree(const Region *region, const Sum *a, const Sum *b)
{
    const Place *left = &region->places[a->parts[0].place];
    const Place *right = &region->places[b->parts[0].place];
    if (a->fact->rank >= 0 && b->fact->rank >= 0)
        if (a->fact->rank != b->fact->rank)
            return false;
    return facts_agree(a->fact, b->fact) ||
           (left->kind == PLACE_LINEAR && left == right);
}

static void sum_append(Region *region, Sum *sum, const Sum *more)
{
    memcpy(sum->parts + sum->count, more->parts,
           (size_t)more->count * sizeof *more->parts);
    sum->count += more->count;
    if (more->bias.size)
        sum_make_bias(region, sum);
    for (int64_t c = 0; c < sum->width; c++) {
        if (sum->value)
            sum->value[c] = residue_add(sum->value[c], more->value[c]);
        if (!more->bias.size)
            continue;
        sum->bias.real[c] += more->bias.real[c];
        sum->bias.exact[c] =
            residue_add(sum->bias.exact[c], more->bias.exact[c]);
        sum->bias_size[c] += more->bias_size[c];
        sum->bias_slack[c] += more->bias_slack[c];
    }
    sum->bias_sources += more->bias_sources;
    if (more->bias_sources)
        sum->bias_type = more->bias_type;
    sum->bias_steps += more->bias_steps + 1;
}

/* A sum without its bias. */
static Sum *sum_bare(Region *region, const Sum *from, const Known *known)
{
    Sum *bare = sum_copy(region, from, known);
    bare->bias = (Coefs){0};
    bare->bias_sources = bare->bias_steps = 0;
    for (int64_t c = 0; bare->value && c < bare->width; c++)
        bare->value[c] =
            residue_subtract(bare->value[c], coefs_exact(from->bias, c, 0));
    return bare;
}

Sum *sum_as_place(Region *region, Known *known, Sum *input)
{
    if (!input->as_place) {
        Sum **bare = arena_array(region->arena, 1, sizeof *bare);
        bare[0] = sum_bare(region, input, known);
        input->as_place = 1 + place_opaque(region, known->scope, NULL, bare, 0);
    }
    Sum *sum = sum_copy(region, input, known);
    sum->parts = arena_array(region->arena, 1, sizeof *sum->parts);
    sum->parts[0].place = input->as_place - 1;
    sum->count = 1;
    for (int64_t c = 0; sum->value && c < sum->width; c++)
        sum->value[c] = residue_add(parts_value(region, sum, c),
                                    coefs_exact(sum->bias, c, 0));
    return sum;
}

/* The shape of what a node gives is that of most of what it adds; the rest is
 * broadcast to it, which numbers along an axis survive when the ranks are the
 * same. */
static Sum *summand_take(Region *region, Known *output, Known *input)
{
    Sum *own = region_sum(region, input);
    const Fact *in = &input->fact, *out = &output->fact;
    if (!own || !own->count || out->rank < 0 || in->rank < 0 ||
        facts_agree(in, out))
        return own;
    int64_t length;
    if (own->width == 1 && own->axis >= 0) {
        /* One channel for all of them: its numbers are the same everywhere. */
        own = sum_as_place(region, input, own);
        own->axis = -1;
        own->value = NULL;
    }
    if (in->rank > out->rank ||
        (own->axis >= 0 && (in->rank != out->rank ||
                            !dim_is_known(output->scope->symbols,
                                          out->dims[own->axis], &length) ||
                            length != own->width)))
        return NULL;
    Sum *wide = sum_copy(region, own, output);
    for (int64_t c = 0; wide->value && c < wide->width; c++)
        wide->value[c] =
            residue_subtract(wide->value[c], parts_value(region, wide, c));
    for (int i = 0; i < wide->count; i++)
        wide->parts[i].place = place_wide(region, wide->parts[i].place);
    for (int64_t c = 0; wide->value && c < wide->width; c++)
        wide->value[c] =
            residue_add(wide->value[c], parts_value(region, wide, c));
    return wide;
}

static bool summands_read(Region *region, Known *output, Sum **summands,
                          int *axis, int64_t *width)
{
    const Node *node = output->node;
    int parts = 0;
    *axis = -1;
    *width = 1;
    for (int i = 0; i < node->input_count; i++) {
        Known *input = scope_known(output->scope, node->inputs[i]);
        Sum *own = summands[i] =
            input ? summand_take(region, output, input) : NULL;
        if (!own || !own->count || !shapes_agree(region, own, summands[0]) ||
            (*axis >= 0 && own->axis >= 0 &&
             (own->axis != *axis || own->width != *width)))
            return false;
        *axis = own->axis >= 0 ? own->axis : *axis;
        *width = own->axis >= 0 ? own->width : *width;
        parts += own->count;
    }
    return parts < 1 << 12;
}

/* The summands of Add, Sub, Sum: NULL where they cannot be added channel by
 * channel. */
static Sum *take_sum(Region *region, Known *output)
{
    enum { SUMMANDS_MAX = 64 };
    const Node *node = output->node;
    Sum *summands[SUMMANDS_MAX];
    int axis, count = node->input_count, parts = 0;
    int64_t width;
    if (count < 1 || count > SUMMANDS_MAX ||
        !dtype_is_real(output->fact.type) ||
        !summands_read(region, output, summands, &axis, &width))
        return NULL;
    for (int i = 0; i < count; i++)
        parts += summands[i]->count;
    region_rely(region, FACT_SHAPES);
    Sum *sum = sum_new(region, output, parts);
    sum->count = 0;
    sum_widen(region, sum, axis, width);
    for (int i = 0; i < count; i++) {
        Affine sign = {.axis = axis, .width = width};
        if (node->op == OP_Sub && i == 1)
            sign.scale = coefs_uniform(region->arena, -1);
        sum_append(region, sum, sum_map(region, summands[i], output, &sign));
    }
    return sum;
}

/* ---- Any node ---- */

static Sum *take_opaque(Region *region, Known *output)
{
    const Node *node = output->node;
    size_t count = (size_t)node->input_count;
    Sum **sums = arena_array(region->arena, count + 1, sizeof *sums);
    for (int i = 0; i < node->input_count; i++)
        sums[i] =
            region_sum(region, scope_known(output->scope, node->inputs[i]));
    /* max(x + b) = max(x) + b: what is added stays outside. */
    Affine shift = {.axis = -1, .width = 1};
    if (node->op == OP_MaxPool && sums[0] && sums[0]->bias.size &&
        sums[0]->axis < 2) {
        shift.axis = sums[0]->axis;
        shift.width = sums[0]->width;
        shift.shift = sums[0]->bias;
        Affine back = shift;
        back.shift = coefs_multiply(region->arena, shift.shift,
                                    coefs_uniform(region->arena, -1));
        Known shape = {.fact = *sums[0]->fact};
        const Fact *fact = sums[0]->fact;
        sums[0] = sum_map(region, sums[0], &shape, &back);
        sums[0]->fact = fact;
        sums[0]->bias = (Coefs){0};
    }
    int place = place_opaque(region, output->scope, node, sums, output->output);
    Sum *sum = sum_of_place(region, output, place);
    return shift.shift.size ? sum_map(region, sum, output, &shift) : sum;
}

/* Inside a function that is not called from here nothing is known of an
 * attribute that the call gives. */
static bool is_parametric(const Node *node)
{
    for (int i = 0; i < node->attr_count; i++)
        if (node->attrs[i].reference)
            return true;
    return false;
}

void region_take(Region *region, Known *output)
{
    if (is_parametric(output->node)) {
        output->sum = take_opaque(region, output);
        return;
    }
    Sum bordered, *sum = take_affine(region, output);
    Op op = output->node->op;
    if (!sum && border_take(region, output, &bordered)) {
        sum = sum_copy(region, &bordered, output);
        output->sum = sum;
        return;
    }
    if (!sum)
        sum = take_norm(region, output);
    if (!sum && (op == OP_Add || op == OP_Sub || op == OP_Sum))
        sum = take_sum(region, output);
    if (!sum)
        sum = take_operator(region, output);
    if (!sum)
        sum = take_concat(region, output);
    if (!sum)
        sum = take_move(region, output);
    output->sum = sum ? sum : take_opaque(region, output);
}
