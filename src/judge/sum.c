/* Reading the nodes of a region, one after the other. */
#include "judge/sum.h"

#include <math.h>
#include <string.h>

/* ---- Sums ---- */

static Sum *sum_new(Region *region, const Known *known, int parts)
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

static Sum *sum_of_place(Region *region, const Known *known, int place)
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

static void sum_make_bias(Region *region, Sum *sum)
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
static Residue parts_value(const Region *region, const Sum *sum, int64_t c)
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

static Sum *sum_copy(Region *region, const Sum *from, const Known *known)
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

/* ---- Affine maps ---- */

/* y = (x - center) * scale + shift. */
typedef struct Affine {
    Known *input;
    int axis;
    int64_t width;
    Coefs center, scale, shift;
    DType stored; /* the type of a shift that a file holds as it is */
    int steps;
} Affine;

static void bias_map(Sum *sum, const Affine *map)
{
    for (int64_t c = 0; c < sum->width; c++) {
        double scale = coefs_real(map->scale, c, 1);
        double away = scale * coefs_real(map->center, c, 0);
        double shift = coefs_real(map->shift, c, 0);
        Residue exact = residue_subtract(sum->bias.exact[c],
                                         coefs_exact(map->center, c, 0));
        exact = residue_multiply(exact, coefs_exact(map->scale, c, 1));
        sum->bias.exact[c] = residue_add(exact, coefs_exact(map->shift, c, 0));
        sum->bias.real[c] = scale * sum->bias.real[c] + (shift - away);
        sum->bias_size[c] =
            fabs(scale) * sum->bias_size[c] + fabs(shift) + fabs(away);
        sum->bias_slack[c] = fabs(scale) * sum->bias_slack[c] +
                             (shift != 0 ? half_ulp(map->stored, shift) : 0);
    }
}

static void value_map(Sum *sum, const Affine *map)
{
    for (int64_t c = 0; sum->value && c < sum->width; c++) {
        Residue x =
            residue_subtract(sum->value[c], coefs_exact(map->center, c, 0));
        x = residue_multiply(x, coefs_exact(map->scale, c, 1));
        sum->value[c] = residue_add(x, coefs_exact(map->shift, c, 0));
    }
}

static bool is_homogeneous(const Place *place)
{
    return place->kind == PLACE_OPAQUE && place->node &&
           (place->node->op == OP_Relu || place->node->op == OP_MaxPool);
}

static Sum *sum_map(Region *region, const Sum *from, const Known *known,
                    const Affine *map);

/* s relu(x) = relu(s x) for s > 0, and so for a maximum: the scale goes inside,
 * where an operator may take it. */
static void scale_inside(Region *region, Sum *sum)
{
    for (int i = 0; i < sum->count; i++) {
        Part *part = &sum->parts[i];
        const Place place = region->places[part->place];
        if (!is_homogeneous(&place) || part->length || !part->out.size ||
            !coefs_are_positive(part->out))
            continue;
        Sum *inner = place.sums[0], **sums;
        Affine scaling = {.axis = part->out.size > 1 ? sum->axis : -1,
                          .width = sum->width,
                          .scale = part->out,
                          .steps = part->steps};
        if (inner->axis >= 0 && scaling.axis >= 0 && inner->axis != sum->axis)
            continue;
        region_rely(region, FACT_POSITIVE);
        sums = arena_array(region->arena, (size_t)place.count, sizeof *sums);
        memcpy(sums, place.sums, (size_t)place.count * sizeof *sums);
        Known shape = {.fact = *inner->fact};
        sums[0] = sum_map(region, inner, &shape, &scaling);
        sums[0]->fact = inner->fact;
        int old = part->place;
        part->place =
            place_opaque(region, place.scope, place.node, sums, place.output);
        for (int64_t c = 0; sum->value && c < sum->width; c++) {
            Residue before =
                residue_multiply(coefs_exact(part->out, c, 1),
                                 place_value(region, old, c, NULL));
            Residue after = place_value(region, part->place, c, NULL);
            sum->value[c] =
                residue_add(sum->value[c], residue_subtract(after, before));
        }
        part->out = (Coefs){0};
    }
}

/* NULL when the numbers lie along different axes. */
static Sum *sum_map(Region *region, const Sum *from, const Known *known,
                    const Affine *map)
{
    if (from->axis >= 0 && map->axis >= 0 &&
        (from->axis != map->axis || from->width != map->width))
        return NULL;
    Sum *sum = sum_copy(region, from, known);
    sum_widen(region, sum, map->axis, map->width);
    if (map->shift.size || map->center.size)
        sum_make_bias(region, sum);
    if (sum->bias.size) {
        bias_map(sum, map);
        sum->bias_steps += map->steps;
    }
    sum->bias_sources += map->shift.size > 0;
    if (map->shift.size)
        sum->bias_type = map->scale.size ? DT_UNDEFINED : map->stored;
    value_map(sum, map);
    for (int i = 0; map->scale.size && i < sum->count; i++) {
        Part *part = &sum->parts[i];
        Coefs own = part->length
                        ? coefs_slice(map->scale, part->start, part->length)
                        : map->scale;
        part->out = coefs_multiply(region->arena, part->out, own);
        part->steps += map->steps;
    }
    scale_inside(region, sum);
    return sum;
}

/* ---- Reading affine maps ---- */

static bool batchnorm_infers(Scope *scope, const Node *node)
{
    const Model *model = scope->graph->model;
    bool training = model->opset >= 14
                        ? node_int(node, "training_mode", 0) != 0
                        : model->opset < 7 && !node_int(node, "is_test", 0);
    for (int i = 1; model->opset < 14 && i < node->output_count; i++)
        training |= node->outputs[i] != NULL;
    return (!training || model->assume_inference) &&
           (model->opset >= 9 || node_int(node, "spatial", 1));
}

/* BatchNormalization-15: (x - mean) / sqrt(var + epsilon) * gamma + beta. The
 * factor gamma / sqrt(var + epsilon) is the one number that is irrational: what
 * it is in double stands for it from here on. */
static bool read_batchnorm(Region *region, Scope *scope, const Node *node,
                           Affine *out)
{
    Coefs parts[4];
    if (!batchnorm_infers(scope, node) || node->input_count != 5)
        return false;
    for (int i = 0; i < 4; i++) {
        const Known *known = scope_known(scope, node->inputs[1 + i]);
        if (!known || !known->constant || known->constant->count == 0 ||
            !dtype_is_real(known->constant->type))
            return false;
        if (known->constant->array)
            region_rely(region, FACT_COMPUTED);
        parts[i] = coefs_of_constant(region->arena, known->constant);
        if (parts[i].size != parts[0].size)
            return false;
    }
    double epsilon = (double)node_float(node, "epsilon", 1e-5f);
    for (int64_t c = 0; c < parts[0].size; c++) {
        double spread = parts[3].real[c] + epsilon;
        if (!(spread > 0) || isinf(spread))
            return false;
        double scale = parts[0].real[c] / sqrt(spread);
        parts[0].real[c] = scale;
        parts[0].exact[c] = residue_of(scale);
    }
    region->square_roots++;
    region_rely(region, FACT_INFERENCE);
    out->axis = 1;
    out->width = parts[0].size;
    out->scale = parts[0];
    out->shift = parts[1];
    out->center = parts[2];
    out->stored = scope_known(scope, node->inputs[2])->constant->type;
    out->steps = 4;
    return true;
}

/* The one axis of a value of that rank that a constant lies along when it is
 * broadcast from the right; -1 for a single number. */
static bool constant_axis(const Constant *constant, int rank, int *axis)
{
    *axis = -1;
    for (int i = 0; i < constant->rank; i++) {
        if (constant->dims[i] == 1)
            continue;
        if (*axis >= 0)
            return false;
        *axis = i + rank - constant->rank;
    }
    return constant->rank <= (rank < 0 ? 0 : rank);
}

static bool operand_fits(Scope *scope, const Known *input,
                         const Constant *constant, Affine *out)
{
    int64_t length;
    if (!dtype_is_real(constant->type) || constant->count == 0 ||
        scope->graph->model->opset < 7 ||
        !constant_axis(constant, input->fact.rank, &out->axis))
        return false;
    out->width = constant->count;
    return out->axis < 0 ||
           (dim_is_known(scope->symbols, input->fact.dims[out->axis],
                         &length) &&
            length == constant->count);
}

static bool reciprocal(Coefs coefs)
{
    for (int64_t i = 0; i < coefs.size; i++) {
        if (coefs.real[i] == 0)
            return false;
        coefs.exact[i] = residue_inverse(coefs.exact[i]);
        coefs.real[i] = 1 / coefs.real[i];
    }
    return true;
}

static void negate(Coefs coefs)
{
    for (int64_t i = 0; i < coefs.size; i++) {
        coefs.exact[i] = residue_negate(coefs.exact[i]);
        coefs.real[i] = -coefs.real[i];
    }
}

static bool read_binary(Region *region, Scope *scope, const Node *node,
                        Affine *out)
{
    Known *a = scope_known(scope, node_input(node, 0));
    Known *b = scope_known(scope, node_input(node, 1));
    if (!a || !b || !a->constant == !b->constant)
        return false;
    const Constant *constant = a->constant ? a->constant : b->constant;
    out->input = a->constant ? b : a;
    if (!operand_fits(scope, out->input, constant, out))
        return false;
    if (constant->array)
        region_rely(region, FACT_COMPUTED);
    Coefs numbers = coefs_of_constant(region->arena, constant);
    out->stored = constant->type;
    out->steps = 1;
    switch (node->op) {
    case OP_Mul:
        out->scale = numbers;
        return true;
    case OP_Div:
        out->scale = numbers;
        return !a->constant && reciprocal(numbers);
    case OP_Sub:
        if (a->constant)
            out->scale = coefs_uniform(region->arena, -1);
        else
            negate(numbers);
        out->shift = numbers;
        return true;
    default:
        out->shift = numbers;
        return true;
    }
}

static bool coefs_are_finite(Coefs coefs)
{
    for (int64_t i = 0; i < coefs.size; i++)
        if (!isfinite(coefs.real[i]))
            return false;
    return true;
}

static bool affine_read(Region *region, Scope *scope, const Node *node,
                        Affine *out)
{
    *out = (Affine){.input = scope_known(scope, node_input(node, 0)),
                    .axis = -1,
                    .width = 1};
    bool found = false;
    if (!out->input)
        return false;
    if (node->op == OP_BatchNormalization)
        found = read_batchnorm(region, scope, node, out);
    else if (node->op == OP_Add || node->op == OP_Sub || node->op == OP_Mul ||
             node->op == OP_Div)
        found = read_binary(region, scope, node, out);
    else if (node->op == OP_Neg && dtype_is_real(out->input->fact.type)) {
        out->scale = coefs_uniform(region->arena, -1);
        found = true;
    }
    return found && !out->input->constant && coefs_are_finite(out->scale) &&
           coefs_are_finite(out->shift) && coefs_are_finite(out->center);
}

static Sum *take_affine(Region *region, const Known *output)
{
    Affine map;
    if (!affine_read(region, output->scope, output->node, &map))
        return NULL;
    return sum_map(region, region_sum(region, map.input), output, &map);
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

/* ---- Operators ---- */

/* ONNX Pad with zeros, on spatial axes only: their amounts, begin and end. */
static bool pad_read(Scope *scope, const Node *node, int64_t *amounts,
                     int *spatial)
{
    int64_t given[2 * RANK_MAX];
    const int64_t *pads = given;
    const Known *list = scope_known(scope, node_input(node, 1));
    const Known *fill = scope_known(scope, node_input(node, 2));
    int64_t count = list ? constant_ints(list->constant, 2 * RANK_MAX, given)
                         : node_ints(node, "pads", &pads);
    if ((node_attr(node, "mode") &&
         !node_string_is(node, "mode", "constant")) ||
        node_float(node, "value", 0.0f) != 0.0f || node_input(node, 3) ||
        count < 6 || count > 2 * (SPACE_MAX + 2) || count % 2)
        return false;
    if (fill) {
        double value;
        if (!fill->constant || fill->constant->count != 1)
            return false;
        constant_read(fill->constant, 0, 1, &value);
        if (value != 0)
            return false;
    }
    int rank = (int)count / 2;
    *spatial = rank - 2;
    for (int i = 0; i < 2 * rank; i++) {
        if (pads[i] < 0 || pads[i] > 1 << 24 || (i % rank < 2 && pads[i]))
            return false;
        if (i % rank >= 2)
            amounts[i / rank * SPACE_MAX + i % rank - 2] = pads[i];
    }
    return true;
}

/* Takes explicit paddings in front of the operator into its own. */
static const Fact *absorb_pads(Region *region, const Sum *input,
                               Operator *linear, int *places)
{
    const Fact *fact = input->fact;
    for (int i = 0; i < input->count; i++)
        places[i] = input->parts[i].place;
    for (;;) {
        const Place *pad = &region->places[places[0]];
        int64_t amounts[2 * SPACE_MAX];
        int spatial;
        if (linear->kind != OPERATOR_CONV || pad->kind != PLACE_MOVE ||
            pad->node->op != OP_Pad || input->count != 1 ||
            !pad_read(pad->scope, pad->node, amounts, &spatial) ||
            spatial != linear->spatial)
            return fact;
        for (int i = 0; i < spatial; i++) {
            linear->axes[i].begin += amounts[i];
            linear->axes[i].end += amounts[SPACE_MAX + i];
        }
        fact = &scope_known(pad->scope, pad->node->inputs[0])->fact;
        places[0] = pad->inner;
        region_rely(region, FACT_ZERO_PADS);
    }
}

/* What a part gives in each channel at a tap of the operator that reads it. */
static void part_values(Region *region, const Part *part, int place,
                        const int64_t *offsets, int64_t channels, Residue *out)
{
    if (part->linear) {
        /* The operator is directly on a place: others are not composed. */
        operator_evaluate(region, part->linear,
                          region->places[part->place].inner, part->in, offsets,
                          out);
        return;
    }
    for (int64_t c = 0; c < channels; c++)
        out[c] = place_value(region, place, c, offsets);
}

/* What the operator's input is at each channel and tap. */
static Residue *operator_input(Region *region, const Sum *input,
                               const Operator *linear, const int *places)
{
    int64_t taps = operator_taps(linear), offsets[SPACE_MAX];
    size_t channels = (size_t)linear->inputs;
    Residue *x = arena_array(region->arena, channels * (size_t)taps, sizeof *x);
    Residue *own = arena_array(region->arena, channels, sizeof *own);
    for (int64_t i = 0; i < linear->inputs * taps; i++)
        x[i] = coefs_exact(input->bias, i / taps, 0);
    for (int64_t t = 0; t < taps; t++) {
        operator_offsets(linear, t, offsets);
        for (int k = 0; k < input->count; k++) {
            const Part *part = &input->parts[k];
            part_values(region, part, places[k], offsets, linear->inputs, own);
            for (int64_t c = 0; c < linear->inputs; c++) {
                Residue term =
                    residue_multiply(coefs_exact(part->out, c, 1), own[c]);
                x[c * taps + t] = residue_add(x[c * taps + t], term);
            }
        }
    }
    return x;
}

static bool operator_takes(Region *region, const Sum *input,
                           const Operator *linear)
{
    if (!input || (input->axis >= 0 && (input->axis != linear->input_axis ||
                                        input->width != linear->inputs)))
        return false;
    if (coefs_are_zero(input->bias))
        return true;
    region_rely(region, FACT_UNPADDED);
    if (operator_is_padded(linear)) {
        region->obstacle = linear->node->outputs[0]->name;
        return false;
    }
    return true;
}

static void operator_add_bias(Region *region, const Operator *linear, Sum *sum)
{
    if (!linear->bias)
        return;
    sum_make_bias(region, sum);
    Coefs bias = coefs_of_constant(region->arena, linear->bias);
    Residue beta = residue_of(linear->beta);
    for (int64_t c = 0; c < sum->width; c++) {
        double own = linear->beta * coefs_real(bias, c, 0);
        Residue exact = residue_multiply(beta, coefs_exact(bias, c, 0));
        sum->bias.real[c] += own;
        sum->bias.exact[c] = residue_add(sum->bias.exact[c], exact);
        sum->bias_size[c] += fabs(own);
        sum->bias_slack[c] +=
            fabs(linear->beta) *
            half_ulp(linear->bias->type, coefs_real(bias, c, 0));
        sum->value[c] = residue_add(sum->value[c], exact);
    }
    sum->bias_type = linear->beta == 1 ? linear->bias->type : DT_UNDEFINED;
    sum->bias_sources++;
    sum->bias_steps++;
}

/* The part of the sum that a part of the input becomes; false when it cannot be
 * said with one operator. */
static bool part_through(Region *region, const Operator *linear,
                         const Fact *shape, const Part *from, int place,
                         Part *out)
{
    Coefs alpha = linear->alpha == 1
                      ? (Coefs){0}
                      : coefs_uniform(region->arena, linear->alpha);
    *out = (Part){.linear = linear,
                  .in = from->out,
                  .out = alpha,
                  .steps = from->steps + 1,
                  .shape = shape};
    if (from->linear) {
        out->linear = operator_compose(region, from->linear, from->out, linear);
        if (!out->linear)
            return false;
        place = region->places[from->place].inner;
        out->in = from->in;
        region_rely(region, FACT_COMPOSED);
    }
    OperatorClass class = operator_class(out->linear, shape);
    out->place = place_linear(region, &class, place);
    return true;
}

static bool operator_find(Region *region, Known *output, Operator *out)
{
    Scope *scope = output->scope;
    if (operator_read(region, scope, output->node, out))
        return true;
    return region->composes && output->node->op == OP_AveragePool &&
           operator_read_pool(scope, output->node, out);
}

static Sum *sum_of_operator(Region *region, const Known *output,
                            const Operator *linear, const Sum *input,
                            const int *places)
{
    Sum *sum = sum_new(region, output, input->count);
    sum->axis = linear->output_axis;
    sum->width = linear->outputs;
    sum->value =
        arena_array(region->arena, (size_t)sum->width, sizeof *sum->value);
    Coefs shift = coefs_are_zero(input->bias) ? (Coefs){0} : input->bias;
    if (shift.size) {
        sum_make_bias(region, sum);
        sum->bias_steps =
            input->bias_steps + 2 +
            (int)(linear->inputs / linear->group * operator_taps(linear));
        sum->bias_sources = 2; /* it is no stored number */
    }
    if (region->is_original || shift.size)
        operator_apply(region, linear,
                       operator_input(region, input, linear, places),
                       sum->value, shift, sum->bias, sum->bias_size);
    operator_add_bias(region, linear, sum);
    return sum;
}

/* A sum of what operators gave, but for its bias, as one place. */
static Sum *sum_as_place(Region *region, Known *known, const Sum *input)
{
    Sum **bare = arena_array(region->arena, 1, sizeof *bare);
    bare[0] = sum_copy(region, input, known);
    bare[0]->bias = (Coefs){0};
    for (int64_t c = 0; bare[0]->value && c < input->width; c++)
        bare[0]->value[c] =
            residue_subtract(bare[0]->value[c], coefs_exact(input->bias, c, 0));
    bare[0]->bias_sources = bare[0]->bias_steps = 0;
    int place = place_opaque(region, known->scope, NULL, bare, 0);
    Sum *sum = sum_copy(region, input, known);
    sum->parts = arena_array(region->arena, 1, sizeof *sum->parts);
    sum->parts[0].place = place;
    sum->count = 1;
    for (int64_t c = 0; sum->value && c < sum->width; c++)
        sum->value[c] = residue_add(parts_value(region, sum, c),
                                    coefs_exact(sum->bias, c, 0));
    return sum;
}

/* What an operator reads, as places that it can be linear in. */
static const Sum *operator_reads(Region *region, Known *known)
{
    const Sum *input = region_sum(region, known);
    bool given = false, apart = false;
    for (int i = 0; input && i < input->count; i++) {
        const Part *part = &input->parts[i];
        bool direct = region->places[part->place].kind == PLACE_LINEAR;
        given |= part->linear != NULL;
        apart |= part->length > 0 || (part->linear && !direct);
        region->may_compose |= part->linear && direct;
    }
    return apart || (given && !region->composes)
               ? sum_as_place(region, known, input)
               : input;
}

static Sum *take_operator(Region *region, Known *output)
{
    Operator *linear = arena_alloc(region->arena, sizeof *linear);
    if (!operator_find(region, output, linear))
        return NULL;
    const Sum *input = operator_reads(
        region, scope_known(output->scope, output->node->inputs[0]));
    if (!operator_takes(region, input, linear))
        return NULL;
    int *places =
        arena_array(region->arena, (size_t)input->count + 1, sizeof *places);
    const Fact *shape = absorb_pads(region, input, linear, places);
    if (!coefs_are_zero(input->bias) && operator_is_padded(linear))
        return NULL;
    Part *parts =
        arena_array(region->arena, (size_t)input->count + 1, sizeof *parts);
    for (int i = 0; i < input->count; i++) {
        const Part *part = &input->parts[i];
        if (!part_through(region, linear, part->linear ? part->shape : shape,
                          part, places[i], &parts[i]))
            return NULL;
    }
    Sum *sum = sum_of_operator(region, output, linear, input, places);
    memcpy(sum->parts, parts, (size_t)input->count * sizeof *parts);
    return sum;
}

/* ---- Nodes that affine maps commute with ---- */

static bool keeps_value(Scope *scope, const Node *node)
{
    if (node->op == OP_Identity)
        return true;
    if (node->op != OP_Dropout)
        return false;
    const Model *model = scope->graph->model;
    const Known *mode = scope_known(scope, node_input(node, 2));
    int64_t training = model->opset < 7 && !node_int(node, "is_test", 0);
    if (mode && constant_ints(mode->constant, 1, &training) != 1)
        training = 1;
    return !training || model->assume_inference;
}

static bool pool_is_padded(const Node *node)
{
    const int64_t *pads;
    int64_t count = node_ints(node, "pads", &pads);
    bool padded = node_attr(node, "auto_pad") &&
                  !node_string_is(node, "auto_pad", "NOTSET") &&
                  !node_string_is(node, "auto_pad", "VALID");
    for (int64_t i = 0; i < count; i++)
        padded |= pads[i] != 0;
    return padded;
}

/* Whether M(a x + b) = a M(x) + b, or without b. */
static bool moves(Scope *scope, const Node *node, bool shifted)
{
    int64_t amounts[2 * SPACE_MAX];
    int spatial;
    switch (node->op) {
    case OP_Transpose:
    case OP_Reshape:
    case OP_Flatten:
    case OP_Squeeze:
    case OP_Unsqueeze:
    case OP_GlobalAveragePool:
    case OP_ReduceMean:
        return true;
    case OP_AveragePool:
        return !shifted || !pool_is_padded(node) ||
               !node_int(node, "count_include_pad", 0);
    case OP_Resize:
        return !node_string_is(node, "coordinate_transformation_mode",
                               "tf_crop_and_resize");
    case OP_Pad:
        return !shifted && pad_read(scope, node, amounts, &spatial);
    default:
        return false;
    }
}

/* max(a x + b) = a max(x) + b, relu(a x) = a relu(x), for a > 0 and where it is
 * one place that is scaled. */
static bool moves_positive(Region *region, const Node *node, const Sum *input)
{
    if ((node->op != OP_Relu && node->op != OP_MaxPool) ||
        node->output_count != 1 || input->count != 1 ||
        input->parts[0].linear || input->parts[0].length ||
        !coefs_are_positive(input->parts[0].out))
        return false;
    if (node->op == OP_Relu && !coefs_are_zero(input->bias))
        return false;
    if (input->parts[0].out.size)
        region_rely(region, FACT_POSITIVE);
    return true;
}

static Sum *sum_repeat(Region *region, const Sum *from, const Known *known,
                       int64_t times)
{
    Sum *sum = sum_new(region, known, from->count);
    Part *parts = sum->parts;
    *sum = *from;
    sum->fact = &known->fact;
    sum->parts = parts;
    sum->width = from->width * times;
    sum->bias = (Coefs){0};
    if (from->bias.size)
        sum_make_bias(region, sum);
    sum->value =
        arena_array(region->arena, (size_t)sum->width, sizeof *sum->value);
    for (int64_t c = 0; c < sum->width; c++) {
        sum->value[c] = from->value[c / times];
        if (!from->bias.size)
            continue;
        sum->bias.real[c] = from->bias.real[c / times];
        sum->bias.exact[c] = from->bias.exact[c / times];
        sum->bias_size[c] = from->bias_size[c / times];
        sum->bias_slack[c] = from->bias_slack[c / times];
    }
    for (int i = 0; i < sum->count; i++) {
        parts[i] = from->parts[i];
        parts[i].out = coefs_repeat(region->arena, parts[i].out, times);
    }
    return sum;
}

static Sum *take_move(Region *region, Known *output)
{
    const Node *node = output->node;
    const Sum *input =
        region_sum(region, scope_known(output->scope, node_input(node, 0)));
    if (!input || output->output != 0)
        return NULL;
    if (keeps_value(output->scope, node))
        return sum_copy(region, input, output);
    bool shifted = !coefs_are_zero(input->bias);
    int64_t repeat = 1;
    int axis = input->axis < 0
                   ? -1
                   : axis_forward(output->scope, node, input->axis, &repeat);
    if ((!moves(output->scope, node, shifted) &&
         !moves_positive(region, node, input)) ||
        (input->axis >= 0 && axis < 0))
        return NULL;
    for (int i = 0; repeat > 1 && i < input->count; i++)
        if (input->parts[i].linear || input->parts[i].length)
            return NULL;
    Sum *sum = repeat > 1 ? sum_repeat(region, input, output, repeat)
                          : sum_copy(region, input, output);
    sum->axis = axis;
    region_rely(region, FACT_COMMUTES);
    for (int64_t c = 0; sum->value && c < sum->width; c++)
        sum->value[c] = residue_subtract(
            sum->value[c], parts_value(region, input, c / repeat));
    for (int i = 0; i < sum->count; i++)
        sum->parts[i].place =
            place_move(region, output->scope, node, sum->parts[i].place);
    for (int64_t c = 0; sum->value && c < sum->width; c++)
        sum->value[c] = residue_add(sum->value[c], parts_value(region, sum, c));
    return sum;
}

/* ---- Concat ---- */

typedef struct Pieces {
    Sum **sums;
    int64_t *lengths; /* along the axis */
    int count, axis, parts;
    int64_t total;
    bool plain;  /* each is one place */
    bool scaled; /* some have numbers */
} Pieces;

static bool pieces_read(Region *region, const Known *output, Pieces *out)
{
    const Node *node = output->node;
    int rank = output->fact.rank;
    int64_t axis = node_int(node, "axis", 1);
    size_t count = (size_t)node->input_count;
    axis += axis < 0 ? rank : 0;
    if (node->op != OP_Concat || axis < 0 || axis >= rank)
        return false;
    *out =
        (Pieces){.count = node->input_count, .axis = (int)axis, .plain = true};
    out->sums = arena_array(region->arena, count, sizeof *out->sums);
    out->lengths = arena_array(region->arena, count, sizeof *out->lengths);
    for (int i = 0; i < out->count; i++) {
        Known *input = scope_known(output->scope, node->inputs[i]);
        Sum *sum = out->sums[i] = region_sum(region, input);
        if (!sum || (sum->axis >= 0 && sum->axis != axis) ||
            input->fact.rank != rank ||
            !dim_is_known(output->scope->symbols, input->fact.dims[axis],
                          &out->lengths[i]))
            return false;
        out->total += out->lengths[i];
        out->parts += sum->count;
        out->plain &=
            sum->count == 1 && !sum->parts[0].linear && !sum->parts[0].length;
        out->scaled |= sum->bias.size > 0;
        for (int k = 0; k < sum->count; k++)
            out->scaled |= sum->parts[k].out.size > 0;
    }
    return true;
}

static void join_bias(Sum *sum, const Sum *piece, int64_t start, int64_t length)
{
    for (int64_t c = 0; piece->bias.size && c < length; c++) {
        sum->bias.real[start + c] = coefs_real(piece->bias, c, 0);
        sum->bias.exact[start + c] = coefs_exact(piece->bias, c, 0);
        int64_t at = piece->bias.size == 1 ? 0 : c;
        sum->bias_size[start + c] = piece->bias_size[at];
        sum->bias_slack[start + c] = piece->bias_slack[at];
    }
}

/* Places side by side are a place. */
static Sum *join_places(Region *region, const Known *output,
                        const Pieces *pieces)
{
    int *joined =
        arena_array(region->arena, (size_t)pieces->count, sizeof *joined);
    Sum *sum = sum_new(region, output, 1);
    Part *part = &sum->parts[0];
    for (int i = 0; i < pieces->count; i++)
        joined[i] = pieces->sums[i]->parts[0].place;
    part->place = place_join(region, joined, pieces->count, pieces->axis);
    if (!pieces->scaled)
        return sum;
    sum->axis = pieces->axis;
    sum->width = pieces->total;
    part->out = coefs_new(region->arena, pieces->total);
    sum_make_bias(region, sum);
    for (int64_t i = 0, start = 0; i < pieces->count;
         start += pieces->lengths[i++]) {
        const Sum *piece = pieces->sums[i];
        for (int64_t c = 0; c < pieces->lengths[i]; c++) {
            part->out.real[start + c] = coefs_real(piece->parts[0].out, c, 1);
            part->out.exact[start + c] = coefs_exact(piece->parts[0].out, c, 1);
        }
        if (part->steps < piece->parts[0].steps)
            part->steps = piece->parts[0].steps;
        join_bias(sum, piece, start, pieces->lengths[i]);
        sum->bias_steps += piece->bias_steps;
    }
    sum->value =
        arena_array(region->arena, (size_t)sum->width, sizeof *sum->value);
    for (int64_t c = 0; c < sum->width; c++)
        sum->value[c] =
            residue_add(parts_value(region, sum, c), sum->bias.exact[c]);
    return sum;
}

/* What operators give goes each into a slot of its own. */
static Sum *join_slots(Region *region, const Known *output,
                       const Pieces *pieces)
{
    Sum *sum = sum_new(region, output, pieces->parts);
    sum->axis = pieces->axis;
    sum->width = pieces->total;
    sum->value =
        arena_array(region->arena, (size_t)sum->width, sizeof *sum->value);
    sum_make_bias(region, sum);
    Part *part = sum->parts;
    for (int64_t i = 0, start = 0; i < pieces->count;
         start += pieces->lengths[i++]) {
        Sum *piece = pieces->sums[i];
        int64_t length = pieces->lengths[i];
        sum_widen(region, piece, pieces->axis, length);
        if (piece->width != length)
            return NULL;
        Residue *value = sum->value + start;
        for (int64_t c = 0; c < length; c++)
            value[c] = residue_subtract(piece->value[c],
                                        parts_value(region, piece, c));
        for (int k = 0; k < piece->count; k++, part++) {
            *part = piece->parts[k];
            if (!part->length)
                part->length = length;
            part->start += start;
            part->place =
                place_slot(region, part->place, pieces->axis, start, length);
        }
        join_bias(sum, piece, start, length);
        if (sum->bias_sources < piece->bias_sources)
            sum->bias_sources = piece->bias_sources;
        sum->bias_steps += piece->bias_steps;
    }
    for (int64_t c = 0; c < sum->width; c++)
        sum->value[c] = residue_add(sum->value[c], parts_value(region, sum, c));
    return sum;
}

static Sum *take_concat(Region *region, const Known *output)
{
    Pieces pieces;
    if (!pieces_read(region, output, &pieces))
        return NULL;
    region_rely(region, FACT_COMMUTES);
    return pieces.plain ? join_places(region, output, &pieces)
                        : join_slots(region, output, &pieces);
}

/* ---- Normalizations ---- */

bool is_norm(const Node *node)
{
    return node->op == OP_LayerNormalization || node->op == OP_RMSNormalization;
}

/* A normalization with ones for a scale, then the scale and the bias. */
static Sum *take_norm(Region *region, Known *output)
{
    const Node *node = output->node;
    Scope *scope = output->scope;
    int rank = output->fact.rank;
    int64_t axis = node_int(node, "axis", -1);
    const Known *scale = scope_known(scope, node_input(node, 1));
    const Known *bias = scope_known(scope, node_input(node, 2));
    if (!is_norm(node) || output->output != 0 || rank < 1 || !scale ||
        (axis != -1 && axis != rank - 1) || !scale->constant ||
        scale->constant->rank != 1 || (bias && !bias->constant) ||
        (bias && bias->constant->count != scale->constant->count))
        return NULL;
    Sum **sums = arena_array(region->arena, 1, sizeof *sums);
    sums[0] = region_sum(region, scope_known(scope, node_input(node, 0)));
    if (!sums[0])
        return NULL;
    int place = place_opaque(region, scope, node, sums, 0);
    Affine map = {.axis = rank - 1,
                  .width = scale->constant->count,
                  .scale = coefs_of_constant(region->arena, scale->constant),
                  .stored = scale->constant->type,
                  .steps = 1};
    if (bias)
        map.shift = coefs_of_constant(region->arena, bias->constant);
    return sum_map(region, sum_of_place(region, output, place), output, &map);
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
