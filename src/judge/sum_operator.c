/* Sums behind linear operators: Conv, ConvTranspose, Gemm, MatMul, pools. */
#include "judge/sum_parts.h"
#include <math.h>
#include <string.h>

/* ---- Operators ---- */

/* Pad's amounts on all axes, as far as it lists them; 0 when not known. */
static int64_t amounts_read(Scope *scope, const Node *node, int64_t *amounts)
{
    int64_t given[2 * RANK_MAX], axes[RANK_MAX];
    const int64_t *pads = given;
    const Known *list = scope_known(scope, node_input(node, 1));
    const Known *named = scope_known(scope, node_input(node, 3));
    int64_t rank = scope_known(scope, node->inputs[0])->fact.rank;
    int64_t count = list ? constant_ints(list->constant, 2 * RANK_MAX, given)
                         : node_ints(node, "pads", &pads);
    int64_t known =
        named ? constant_ints(named->constant, RANK_MAX, axes) : count / 2;
    if (rank < 0 && !named)
        rank = known;
    if (rank < 0 || rank > RANK_MAX || known < 0 || known > rank ||
        count != 2 * known || (!named && known != rank))
        return 0;
    memset(amounts, 0, 2 * (size_t)rank * sizeof *amounts);
    for (int64_t i = 0; i < known; i++) {
        int64_t axis = !named ? i : axes[i] < 0 ? axes[i] + rank : axes[i];
        if (axis < 0 || axis >= rank)
            return 0;
        amounts[axis] = pads[i];
        amounts[rank + axis] = pads[known + i];
    }
    return 2 * rank;
}

/* ONNX Pad with zeros, on spatial axes only: their amounts, begin and end. */
bool pad_read(Scope *scope, const Node *node, int64_t *amounts, int *spatial)
{
    int64_t pads[2 * RANK_MAX];
    const Known *fill = scope_known(scope, node_input(node, 2));
    int64_t count = amounts_read(scope, node, pads);
    if ((node_attr(node, "mode") &&
         !node_string_is(node, "mode", "constant")) ||
        node_float(node, "value", 0.0f) != 0.0f || count < 6 ||
        count > 2 * (SPACE_MAX + 2) || count % 2)
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

/* A crop is less padding, where there is none. */
static bool take_crop(Operator *linear, const int64_t *amounts)
{
    for (int i = 0; i < linear->spatial; i++)
        if ((amounts[i] && linear->axes[i].begin > 0) ||
            (amounts[SPACE_MAX + i] && linear->axes[i].end > 0))
            return false;
    for (int i = 0; i < linear->spatial; i++) {
        linear->axes[i].begin -= amounts[i];
        linear->axes[i].end -= amounts[SPACE_MAX + i];
    }
    return true;
}

static void take_padding(Operator *linear, const int64_t *amounts)
{
    for (int i = 0; i < linear->spatial; i++) {
        linear->axes[i].begin += amounts[i];
        linear->axes[i].end += amounts[SPACE_MAX + i];
    }
}

const Fact *place_inside(const Place *place)
{
    return place->kind == PLACE_PADDED
               ? &place->base->fact
               : &scope_known(place->scope, place->node->inputs[0])->fact;
}

bool pad_taken(const Region *region, int place, Operator *linear)
{
    const Place *pad = &region->places[place];
    int64_t amounts[2 * SPACE_MAX];
    int spatial;
    if (pad->kind == PLACE_PADDED && !operator_is_far(linear)) {
        take_padding(linear, pad->around);
        return true;
    }
    if (pad->kind != PLACE_MOVE || pad->node->op != OP_Pad ||
        operator_is_far(linear) ||
        !pad_read(pad->scope, pad->node, amounts, &spatial) ||
        spatial != linear->spatial)
        return false;
    take_padding(linear, amounts);
    return true;
}

/* True when one node has made all the parts' places. */
static bool all_moved(const Region *region, const Sum *input, const int *places)
{
    const Place *first = &region->places[places[0]];
    bool same = input->count > 0 && !input->broadcasts &&
                (first->kind == PLACE_MOVE || first->kind == PLACE_PADDED);
    for (int i = 0; same && i < input->count; i++) {
        const Place *own = &region->places[places[i]];
        same = !input->parts[i].linear && !input->parts[i].length &&
               own->kind == first->kind && own->node == first->node &&
               memcmp(own->around, first->around, sizeof own->around) == 0;
    }
    return same;
}

/* A crop may also stay in front of an operator that another is composed to. */
static bool crop_taken(Region *region, const Place *crop, Operator *linear)
{
    int64_t amounts[2 * SPACE_MAX];
    return crop->node &&
           crop_read(crop->scope, crop->node, linear->spatial, amounts) &&
           region_choice(region,
                         scope_known(crop->scope, crop->node->outputs[0]),
                         1u << READ_APART) != READ_APART &&
           take_crop(linear, amounts);
}

/* Takes explicit paddings and crops in front of the operator into its own. */
static const Fact *absorb_pads(Region *region, const Sum *input,
                               Operator *linear, int *places)
{
    const Fact *fact = input->fact;
    for (int i = 0; i < input->count; i++)
        places[i] = input->parts[i].place;
    for (;;) {
        const Place *pad = &region->places[places[0]];
        if (linear->kind != OPERATOR_CONV || operator_is_far(linear) ||
            !all_moved(region, input, places))
            return fact;
        if (!pad_taken(region, places[0], linear) &&
            !crop_taken(region, pad, linear))
            return fact;
        fact = place_inside(pad);
        for (int i = 0; i < input->count; i++)
            places[i] = region->places[places[i]].inner;
        if (pad->kind == PLACE_PADDED || pad->node->op == OP_Pad)
            region_rely(region, FACT_ZERO_PADS);
    }
}

/* What a part gives in each channel at a tap of the operator that reads it. */
static void part_values(Region *region, const Part *part, int place,
                        const int64_t *offsets, int64_t channels, Residue *out)
{
    if (part->linear) {
        /* The operator is directly on a place: others are not composed. */
        const Place *own = &region->places[part->place];
        memset(out, 0, (size_t)channels * sizeof *out);
        if (own->kind == PLACE_SLOT)
            own = &region->places[own->inner];
        operator_evaluate(region, part->linear, own->inner, part->in, offsets,
                          out + part->start);
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
                /* Beside a slot there is nothing to scale. */
                if (!own[c])
                    continue;
                Residue term = residue_multiply(
                    coefs_exact(part->out, c - part->start, 1), own[c]);
                x[c * taps + t] = residue_add(x[c * taps + t], term);
            }
        }
    }
    return x;
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

/* True for what an operator gave, or gave for some of the channels. */
static bool is_given(const Region *region, const Part *part)
{
    const Place *place = &region->places[part->place];
    if (part->linear && place->kind == PLACE_SLOT)
        place = &region->places[place->inner];
    return part->linear && place->kind == PLACE_LINEAR;
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
        const Operator *first = from->linear;
        Coefs between = from->out;
        if (!is_given(region, from))
            return false;
        const Place *own = &region->places[from->place];
        if (own->kind == PLACE_SLOT) {
            first = operator_among(region, first, from->start, linear->inputs);
            between = coefs_spread(region->arena, between, from->start,
                                   linear->inputs);
            own = &region->places[own->inner];
        }
        place = own->inner;
        out->linear =
            first ? operator_compose(region, first, between, linear) : NULL;
        if (!out->linear)
            return false;
        out->in = from->in;
        region_rely(region, FACT_COMPOSED);
    }
    out->place = place_linear(region, out->linear, shape, place);
    return true;
}

/* A pool is one only where another operator is to take it in. */
static bool operator_find(Region *region, const Known *output, Operator *out)
{
    Scope *scope = output->scope;
    return operator_read(region, scope, output->node, out) ||
           (operator_read_pool(scope, output->node, out) &&
            region_reading(region, output, 1u << READ_COMPOSED) ==
                READ_COMPOSED);
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
    bool shifts = !bias_is_zero(input);
    if (shifts) {
        sum_make_bias(region, sum);
        sum->bias_steps =
            input->bias_steps + 2 +
            (int)(linear->inputs / linear->group * operator_taps(linear));
        sum->bias_sources = 2; /* it is no stored number */
    }
    if (region->is_original || shifts)
        operator_apply(region, linear,
                       operator_input(region, input, linear, places), input,
                       sum);
    operator_add_bias(region, linear, sum);
    return sum;
}

/* True when the numbers of the input lie along the operator's channels, and
 * what is added to it does not meet padding. */
static bool operator_takes(const Sum *input, const Operator *linear)
{
    return (input->axis < 0 || (input->axis == linear->input_axis &&
                                input->rank == input->fact->rank &&
                                input->width == linear->inputs)) &&
           (bias_is_zero(input) || !operator_is_padded(linear));
}

/* What operators gave, as another one reads it. The converted graph stores what
 * it adds there, so it is held against the original's; but part of that may
 * have gone on to what reads the sum. */
static Sum *given_read(Region *region, Known *known, Sum *input, bool apart)
{
    bool shifted = !bias_is_zero(input);
    unsigned possible = !apart << READ_COMPOSED | shifted << READ_WHOLE |
                        1 << READ_SHARED | shifted << READ_SHARED_WHOLE;
    if (!region->is_original && shifted &&
        region_choice(region, known_root(known), 1u << READ_APART) !=
            READ_APART)
        return sum_as_whole(region, known, input);
    switch (region_reading(region, known_root(known), possible)) {
    case READ_COMPOSED:
        return input;
    case READ_WHOLE:
    case READ_SHARED_WHOLE:
        return sum_as_whole(region, known, input);
    default:
        return sum_as_place(region, known, input);
    }
}

/* What an operator reads, as places that it can be linear in. */
static Sum *operator_reads(Region *region, Known *known, const Operator *linear)
{
    Sum *input = region_plain_sum(region, known);
    if (!input)
        return NULL;
    if (!sum_settles(region, input) ||
        region_reading(region, known_root(known), 1u << READ_SCALED) !=
            READ_SCALED)
        sum_settle(region, input);
    if (input->axis >= 0 && input->width == 1 &&
        (linear->inputs > 1 || input->axis != linear->input_axis))
        input = sum_as_uniform(region, known, input);
    if (!operator_takes(input, linear))
        return sum_as_whole(region, known, input);
    bool given = false, apart = input->broadcasts;
    for (int i = 0; i < input->count; i++) {
        const Part *part = &input->parts[i];
        given |= is_given(region, part);
        apart |= (part->linear || part->length) && !is_given(region, part);
    }
    if (!bias_is_zero(input))
        region_rely(region, FACT_UNPADDED);
    return given || apart ? given_read(region, known, input, apart) : input;
}

Sum *take_operator(Region *region, Known *output)
{
    Operator *linear = arena_alloc(region->arena, sizeof *linear);
    if (!operator_find(region, output, linear))
        return NULL;
    const Sum *input = operator_reads(
        region, scope_known(output->scope, output->node->inputs[0]), linear);
    if (!input)
        return NULL;
    int *places =
        arena_array(region->arena, (size_t)input->count + 1, sizeof *places);
    /* What is added to the input is added around it as well. */
    const Fact *shape = absorb_pads(region, input, linear, places);
    Part *parts =
        arena_array(region->arena, (size_t)input->count + 1, sizeof *parts);
    for (int i = 0; i < input->count; i++) {
        const Part *part = &input->parts[i];
        if (!part_through(region, linear, part->linear ? part->shape : shape,
                          part, places[i], &parts[i]))
            return NULL;
    }
    if (!bias_is_zero(input)) /* once for the operator */
        parts[0].shift = input->bias;
    Sum *sum = sum_of_operator(region, output, linear, input, places);
    memcpy(sum->parts, parts, (size_t)input->count * sizeof *parts);
    return sum;
}
