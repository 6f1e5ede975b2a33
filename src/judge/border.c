/*
 * Borders.  A few nodes may put a number for each channel around a value, as
 * Concat, or Pad and ScatterND, do.  Where the value is what a pointwise
 * convolution gives, and the number is what that gives for zero, the whole is
 * the convolution with padding (Ding et al. 2021, Diverse Branch Block).
 */
#include <math.h>
#include <string.h>

#include "judge/sum_parts.h"

enum { NODES_MAX = 32, ELEMENTS_MAX = 1 << 24 };

typedef struct Border {
    Known *nodes[NODES_MAX]; /* each after what it reads */
    int count;
    Known *inside;
    int64_t begin[SPACE_MAX], end[SPACE_MAX];
    double *around; /* by channel */
} Border;

/* Operators that only put elements in other places. */
static bool only_places(const Node *node)
{
    switch (node->op) {
    case OP_Pad:
        return !node_attr(node, "mode") ||
               node_string_is(node, "mode", "constant");
    case OP_ScatterND:
        return !node_attr(node, "reduction") ||
               node_string_is(node, "reduction", "none");
    case OP_Concat:
    case OP_Slice:
    case OP_Where:
    case OP_Identity:
        return true;
    default:
        return false;
    }
}

static bool border_has(const Border *border, const Known *known)
{
    for (int i = 0; i < border->count; i++)
        if (border->nodes[i] == known)
            return true;
    return false;
}

/* The recursion is bounded by NODES_MAX: nodes come in before what they read,
 * and in order of completion. */
static bool border_find(Known *known, Border *border, int depth)
{
    if (!known || known->constant || border_has(border, known))
        return true;
    if (!known->node || !only_places(known->node) ||
        known->node->output_count != 1) {
        bool first = !border->inside || border->inside == known;
        border->inside = known;
        return first;
    }
    if (depth == NODES_MAX)
        return false;
    for (int i = 0; i < known->node->input_count; i++)
        if (!border_find(scope_known(known->scope, known->node->inputs[i]),
                         border, depth + 1))
            return false;
    if (border->count == NODES_MAX)
        return false;
    border->nodes[border->count++] = known;
    return true;
}

/* ---- Evaluation ---- */

/* The inside with numbers that tell places apart, and no weights. */
static Array *tagged(Region *region, const Fact *fact, double sign)
{
    Array *array = array_new(region->arena, fact->type, fact->rank, fact->dims,
                             PRECISION_F64);
    for (int64_t i = 0; i < array->count; i++)
        ((double *)array->data)[i] = sign * (0x1p40 + (double)i);
    return array;
}

static Array *constant_array(Region *region, const Constant *constant)
{
    Err ignored = {0};
    Array *array;
    if (constant->tensor)
        return array_from_tensor(region->arena, constant->tensor, PRECISION_F64,
                                 false, &array, &ignored) < 0
                   ? NULL
                   : array;
    array = array_new(region->arena, constant->type, constant->rank,
                      constant->dims, PRECISION_F64);
    memcpy(array->data, constant->array->data,
           (size_t)constant->count * sizeof(double));
    return array;
}

static Array *border_run(Region *region, const Border *border, Array *inside)
{
    Array *made[NODES_MAX];
    for (int i = 0; i < border->count; i++) {
        const Known *known = border->nodes[i];
        const Node *node = known->node;
        Err ignored = {0};
        Array **inputs = arena_array(
            region->arena, (size_t)node->input_count + 1, sizeof *inputs);
        for (int k = 0; k < node->input_count; k++) {
            Known *input = scope_known(known->scope, node->inputs[k]);
            if (!input)
                continue;
            if (input->constant)
                inputs[k] = constant_array(region, input->constant);
            else if (input == border->inside)
                inputs[k] = inside;
            for (int n = 0; !inputs[k] && n < i; n++)
                if (border->nodes[n] == input)
                    inputs[k] = made[n];
            if (!inputs[k])
                return NULL;
        }
        if (!exec_supports(node) ||
            exec_node(region->arena, node, known->scope->exec, inputs, &made[i],
                      &ignored) < 0)
            return NULL;
    }
    return made[border->count - 1];
}

/* Where an element of the whole is from: its place inside, -1 for the border,
 * -2 for neither. */
static int64_t place_of(double one, double other, int64_t count)
{
    double place = one - 0x1p40;
    if (one == other)
        return -1;
    return place >= 0 && place < (double)count && other == -one ? (int64_t)place
                                                                : -2;
}

/* The inside must be whole and shifted, the border one number in a channel. */
static bool whole_read(const Array *inside, const Array *one,
                       const Array *other, Border *border, bool *known)
{
    const double *first = one->data, *second = other->data;
    int64_t found = 0;
    for (int64_t at = 0; at < one->count; at++) {
        int64_t place = place_of(first[at], second[at], inside->count);
        int64_t rest = at, from = place, index[RANK_MAX], own[RANK_MAX];
        for (int i = one->rank; i-- > 0;) {
            index[i] = rest % one->dims[i];
            rest /= one->dims[i];
            own[i] = place < 0 ? 0 : from % inside->dims[i];
            from /= inside->dims[i];
        }
        if (place == -2)
            return false;
        if (place == -1) {
            int64_t c = index[1];
            if (known[c] && border->around[c] != first[at])
                return false;
            border->around[c] = first[at];
            known[c] = true;
            continue;
        }
        for (int i = 0; i < one->rank; i++) {
            int64_t shift = index[i] - own[i];
            if (i < 2 ? shift != 0 : found && shift != border->begin[i - 2])
                return false;
            if (i >= 2)
                border->begin[i - 2] = shift;
        }
        found++;
    }
    return found == inside->count;
}

static bool border_read(Region *region, const Known *output, Border *border)
{
    const Fact *fact = &border->inside->fact;
    int64_t inside_count, whole_count;
    Symbols *symbols = output->scope->symbols;
    if (fact->rank < 3 || fact->rank > SPACE_MAX + 2 ||
        output->fact.rank != fact->rank || !dtype_is_real(fact->type) ||
        !fact_is_static(symbols, fact, &inside_count) ||
        !fact_is_static(symbols, &output->fact, &whole_count) ||
        inside_count == 0 || whole_count > ELEMENTS_MAX ||
        output->fact.dims[1] != fact->dims[1])
        return false;
    Array *inside = tagged(region, fact, 1);
    Array *one = border_run(region, border, inside);
    Array *other = border_run(region, border, tagged(region, fact, -1));
    if (!one || !other || one->count != whole_count ||
        other->count != whole_count || one->rank != fact->rank)
        return false;
    size_t channels = (size_t)fact->dims[1];
    bool *known = arena_array(region->arena, channels, sizeof *known);
    border->around =
        arena_array(region->arena, channels, sizeof *border->around);
    if (!whole_read(inside, one, other, border, known))
        return false;
    for (int i = 2; i < fact->rank; i++)
        border->end[i - 2] =
            one->dims[i] - inside->dims[i] - border->begin[i - 2];
    return true;
}

/* ---- The convolution with padding ---- */

/* Is the border what the sum gives for zeros, as far as double tells? */
static bool border_continues(const Border *border, const Sum *sum)
{
    for (int64_t c = 0; c < border->inside->fact.dims[1]; c++) {
        double should = coefs_real(sum->bias, c, 0);
        int64_t at = sum->bias.size > 1 ? c : 0;
        double size = sum->bias.size ? sum->bias_size[at] : 0;
        double noise = (sum->bias_steps + 16) * 0x1p-52 * size;
        if (!(fabs(border->around[c] - should) <= noise) || isinf(noise))
            return false;
    }
    return true;
}

static const Operator *padded(Region *region, const Operator *linear,
                              const Border *border)
{
    Operator *copy = arena_alloc(region->arena, sizeof *copy);
    if (operator_is_far(linear))
        return NULL;
    *copy = *linear;
    for (int i = 0; i < copy->spatial; i++) {
        Lattice *axis = &copy->axes[i];
        if (!axis_gives_zeros(axis, border->begin[i], border->end[i]))
            return NULL;
        axis->begin += axis->stride * border->begin[i];
        axis->end += axis->stride * border->end[i];
    }
    return linear->kind == OPERATOR_CONV ? copy : NULL;
}

/* The same, in any size, for an explicit padding with zeros. */
static bool border_of_pad(const Known *output, Border *border)
{
    int64_t amounts[2 * SPACE_MAX];
    int spatial;
    if (output->node->op != OP_Pad ||
        !pad_read(output->scope, output->node, amounts, &spatial))
        return false;
    for (int i = 0; i < spatial; i++) {
        border->begin[i] = amounts[i];
        border->end[i] = amounts[SPACE_MAX + i];
    }
    border->inside = scope_known(output->scope, output->node->inputs[0]);
    return border->inside && !border->inside->constant;
}

static bool border_is_around(Region *region, Known *output, Border *border,
                             const Sum **inside)
{
    bool is_pad = border_of_pad(output, border);
    if (!is_pad && (!only_places(output->node) ||
                    !border_find(output, border, 0) || !border->inside))
        return false;
    if (border->inside->stamp != region->stamp ||
        region_reading(region, output, 1u << READ_COMPOSED) != READ_COMPOSED)
        return false;
    *inside = region_plain_sum(region, border->inside);
    if (!*inside || (*inside)->axis > 1 || (*inside)->axis == 0 ||
        (*inside)->broadcasts)
        return false;
    return is_pad ? bias_is_zero(*inside)
                  : border_read(region, output, border) &&
                        border_continues(border, *inside);
}

Sum *take_border(Region *region, Known *output)
{
    Border border = {0};
    const Sum *inside;
    if (!border_is_around(region, output, &border, &inside))
        return NULL;
    Sum *sum = sum_copy(region, inside, output);
    int64_t around[2 * SPACE_MAX];
    for (int i = 0; i < SPACE_MAX; i++) {
        around[i] = border.begin[i];
        around[SPACE_MAX + i] = border.end[i];
    }
    for (int64_t c = 0; sum->value && c < sum->width; c++)
        sum->value[c] =
            residue_subtract(sum->value[c], parts_value(region, sum, c));
    for (int i = 0; i < sum->count; i++) {
        Part *part = &sum->parts[i];
        const Place *place = &region->places[part->place];
        if (part->length || part->rows ||
            (part->linear && place->kind != PLACE_LINEAR))
            return NULL;
        if (!part->linear) {
            part->place =
                place_padded(region, part->place, border.inside, around);
            continue;
        }
        part->linear = padded(region, part->linear, &border);
        if (!part->linear)
            return NULL;
        part->place =
            place_linear(region, part->linear, part->shape, place->inner);
    }
    for (int64_t c = 0; sum->value && c < sum->width; c++)
        sum->value[c] = residue_add(sum->value[c], parts_value(region, sum, c));
    region_rely(region, FACT_BORDER);
    return sum;
}
