/* Affine maps of sums, and what they are read from: BatchNormalization and
 * arithmetic with constants. */
#include "judge/sum_parts.h"
#include <math.h>
#include <string.h>

/* ---- Affine maps ---- */

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

/* NULL when the numbers lie along different axes. */
Sum *sum_map(Region *region, const Sum *from, const Known *known,
             const Affine *map)
{
    if (from->axis >= 0 && map->axis >= 0 &&
        (from->axis != map->axis || from->rank != from->fact->rank ||
         from->width != map->width))
        return NULL;
    Sum *sum = sum_copy(region, from, known);
    sum_widen(region, sum, map->axis, from->fact->rank, map->width);
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
    return sum;
}

/* ---- Reading affine maps ---- */

static bool batchnorm_infers(Scope *scope, const Node *node)
{
    const Model *model = scope->graph->model;
    int64_t opset = graph_opset(scope->graph);
    bool training = opset >= 14 ? node_int(node, "training_mode", 0) != 0
                                : opset < 7 && !node_int(node, "is_test", 0);
    for (int i = 1; opset < 14 && i < node->output_count; i++)
        training |= node->outputs[i] != NULL;
    return (!training || model->assume_inference) &&
           (opset >= 9 || node_int(node, "spatial", 1));
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
        region->scales = residue_add(
            region->scales,
            residue_multiply(
                parts[0].exact[c],
                residue_random(region->seed + 2, region->scale_count++)));
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
        graph_opset(scope->graph) < 7 ||
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

/* Folding leaves a scale for what reads the sum where that has summands that
 * are no operator's, something added or a scale that cannot go along, or other
 * readers. */
static void note_scaled(Region *region, Known *known, const Sum *input,
                        const Affine *map)
{
    int given = 0;
    bool scaled = false;
    for (int i = 0; i < input->count; i++) {
        given += input->parts[i].linear != NULL;
        scaled |= !coefs_are_ones(input->parts[i].out);
    }
    bool mixed = given > 0 && given < input->count;
    bool apart = given == 0 && (scaled || !bias_is_zero(input));
    bool crossed = map->axis >= 0 && input->axis >= 0 && /* of one channel */
                   map->axis != input->axis;
    bool shared = given == input->count && (known->readers > 1 || crossed);
    if (mixed || (map->scale.size && (apart || shared)))
        region_reading(region, known_root(known),
                       1u << READ_SHARED | 1u << READ_SHARED_WHOLE);
}

/* What an operator added before another one was composed to it stays in the
 * merged operator, though the map's own shift went on to what reads it. */
static Sum *composed_read(Region *region, Known *known, Sum *input,
                          const Affine *map)
{
    bool composed = input->count > 0 && map->shift.size && !bias_is_zero(input);
    for (int i = 0; i < input->count; i++)
        composed &= input->parts[i].linear && input->parts[i].linear->dense;
    return composed && region_reading(region, known_root(known),
                                      1u << READ_WHOLE) == READ_WHOLE
               ? sum_as_whole(region, known, input)
               : input;
}

Sum *take_affine(Region *region, const Known *output)
{
    Affine map;
    if (!affine_read(region, output->scope, output->node, &map))
        return NULL;
    Sum *input = region_plain_sum(region, map.input);
    note_scaled(region, map.input, input, &map);
    input = composed_read(region, map.input, input, &map);
    if (input->axis >= 0 && input->width == 1 && map.axis >= 0 &&
        (map.width > 1 || map.axis != input->axis))
        input = sum_as_uniform(region, map.input, input);
    if (map.width == 1 && input->axis >= 0 && map.axis != input->axis)
        map.axis = -1; /* one channel is the same along any axis */
    return sum_map(region, input, output, &map);
}
