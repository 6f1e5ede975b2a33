/* Sums of what Concat puts side by side. */
#include "judge/sum_parts.h"

typedef struct Pieces {
    Sum **sums;
    int64_t *lengths; /* along the axis */
    int count, axis, parts;
    int64_t total;
    bool plain;  /* each is one place */
    bool scaled; /* some have numbers */
    bool sized;  /* their lengths are known */
    bool across; /* along another axis, or the same everywhere */
} Pieces;

/* What the original reads as one place, because others read it too, may be so
 * in the converted graph. */
static Sum *piece_as_read(Region *region, Known *known, Sum *sum)
{
    return !region->is_original && !is_of_places(sum) && known->readers > 1 &&
                   region_choice(region, known, 1u << READ_WHOLE) == READ_WHOLE
               ? sum_as_whole(region, known, sum)
               : sum;
}

static bool pieces_read(Region *region, const Known *output, Pieces *out)
{
    const Node *node = output->node;
    int rank = output->fact.rank;
    int64_t axis = node_int(node, "axis", 1);
    size_t count = (size_t)node->input_count;
    axis += axis < 0 ? rank : 0;
    if (node->op != OP_Concat || axis < 0 || axis >= rank)
        return false;
    *out = (Pieces){.count = node->input_count,
                    .axis = (int)axis,
                    .plain = true,
                    .sized = true};
    out->sums = arena_array(region->arena, count, sizeof *out->sums);
    out->lengths = arena_array(region->arena, count, sizeof *out->lengths);
    for (int i = 0; i < out->count; i++) {
        Known *input = scope_known(output->scope, node->inputs[i]);
        Sum *sum = region_plain_sum(region, input);
        if (sum && sum->broadcasts)
            sum = sum_as_place(region, input, sum);
        else if (sum)
            sum = piece_as_read(region, input, sum);
        out->sums[i] = sum;
        if (!sum || input->fact.rank != rank)
            return false;
        out->sized &= dim_is_known(output->scope->symbols,
                                   input->fact.dims[axis], &out->lengths[i]);
        out->across |= sum->axis != axis;
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
static int pieces_place(Region *region, const Pieces *pieces)
{
    int *joined =
        arena_array(region->arena, (size_t)pieces->count, sizeof *joined);
    for (int i = 0; i < pieces->count; i++)
        joined[i] = pieces->sums[i]->parts[0].place;
    return place_join(region, joined, pieces->count, pieces->axis);
}

static Sum *join_places(Region *region, const Known *output,
                        const Pieces *pieces)
{
    Sum *sum = sum_new(region, output, 1);
    Part *part = &sum->parts[0];
    part->place = pieces_place(region, pieces);
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

/* A place as large as all of them side by side. */
static int pieces_shape(Region *region, const Pieces *pieces)
{
    int *shapes =
        arena_array(region->arena, (size_t)pieces->count, sizeof *shapes);
    int joined = pieces_place(region, pieces);
    if (region->places[joined].shape != joined) /* of one operator */
        return region->places[joined].shape;
    for (int i = 0; i < pieces->count; i++)
        shapes[i] = region->places[pieces->sums[i]->parts[0].place].shape;
    joined = place_join(region, shapes, pieces->count, pieces->axis);
    return region->places[joined].shape;
}

/* What operators give goes each into a slot of its own. */
static Sum *join_slots(Region *region, const Known *output,
                       const Pieces *pieces)
{
    Sum *sum = sum_new(region, output, pieces->parts);
    int shape = pieces_shape(region, pieces);
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
        sum_widen(region, piece, pieces->axis, piece->fact->rank, length);
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
            part->place = place_slot(region, part->place, pieces->axis, start,
                                     length, shape);
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

/* All numbers that differ by channel lie along the axis. */
static bool pieces_fit(const Pieces *pieces)
{
    for (int i = 0; i < pieces->count; i++)
        if (pieces->sums[i]->axis >= 0 && pieces->sums[i]->axis != pieces->axis)
            return false;
    return true;
}

/* All pieces have the same numbers along another axis, or everywhere. */
static bool pieces_alike(const Pieces *pieces)
{
    const Sum *first = pieces->sums[0];
    if (!pieces->plain)
        return false;
    for (int i = 0; i < pieces->count; i++) {
        const Sum *own = pieces->sums[i];
        if (own->axis != first->axis || own->more != first->more ||
            own->width != first->width)
            return false;
        for (int64_t c = 0; c < first->width; c++)
            if (!bias_agrees(own, c, first, c) ||
                !coefs_agree(own->parts[0].out, c, first->parts[0].out, c))
                return false;
    }
    return true;
}

/* They have them side by side as well. */
static Sum *join_alike(Region *region, const Known *output,
                       const Pieces *pieces)
{
    Sum *sum = sum_copy(region, pieces->sums[0], output);
    sum->parts[0].place = pieces_place(region, pieces);
    for (int64_t c = 0; sum->value && c < sum->width; c++)
        sum->value[c] = residue_add(parts_value(region, sum, c),
                                    coefs_exact(sum->bias, c, 0));
    return sum;
}

/* True when the first piece adds something, along no other axis than theirs. */
static bool first_adds(const Pieces *pieces)
{
    const Sum *first = pieces->sums[0];
    for (int i = 0; i < pieces->count; i++) {
        const Sum *own = pieces->sums[i];
        if (own->more || (own->axis >= 0 && own->rank != own->fact->rank) ||
            (own->axis >= 0 && first->axis >= 0 &&
             (own->axis != first->axis || own->width != first->width)))
            return false;
    }
    return !bias_is_zero(first);
}

/* The piece less what the first one adds. */
static Sum *piece_less(Region *region, const Known *input, const Sum *piece,
                       const Sum *first)
{
    Sum *sum = sum_copy(region, piece, input);
    sum_widen(region, sum, first->axis, first->rank, first->width);
    sum_make_bias(region, sum);
    for (int64_t c = 0; c < sum->width; c++) {
        Residue exact = coefs_exact(first->bias, c, 0);
        int64_t at = first->bias.size == 1 ? 0 : c;
        sum->bias.real[c] -= coefs_real(first->bias, c, 0);
        sum->bias.exact[c] = residue_subtract(sum->bias.exact[c], exact);
        sum->bias_size[c] += first->bias_size[at];
        sum->bias_slack[c] += first->bias_slack[at];
        if (sum->value)
            sum->value[c] = residue_subtract(sum->value[c], exact);
    }
    sum->bias_sources = 2; /* it is no stored number */
    sum->bias_steps += first->bias_steps + 1;
    return sum;
}

/* Along another axis than the numbers each piece is a place with what it has of
 * them. What the first adds is taken out of all, where something that is added
 * behind the node is as well: folding adds that to each. */
static Sum *join_across(Region *region, const Known *output,
                        const Pieces *pieces)
{
    const Sum *first = pieces->sums[0];
    bool adds = first_adds(pieces);
    int *joined =
        arena_array(region->arena, (size_t)pieces->count, sizeof *joined);
    for (int i = 0; i < pieces->count; i++) {
        Known *input = scope_known(output->scope, output->node->inputs[i]);
        Sum *own = pieces->sums[i];
        if (adds)
            own = piece_less(region, input, own, first);
        joined[i] = sum_as_whole(region, input, own)->parts[0].place;
    }
    int place = place_join(region, joined, pieces->count, pieces->axis);
    Sum *sum = sum_of_place(region, output, place);
    if (!adds)
        return sum;
    sum_widen(region, sum, first->axis, first->rank, first->width);
    sum_make_bias(region, sum);
    join_bias(sum, first, 0, first->width);
    sum->bias_sources = first->bias_sources;
    sum->bias_type = first->bias_type;
    sum->bias_steps = first->bias_steps;
    for (int64_t c = 0; sum->value && c < sum->width; c++)
        sum->value[c] = residue_add(sum->value[c], sum->bias.exact[c]);
    return sum;
}

Sum *take_concat(Region *region, const Known *output)
{
    Pieces pieces;
    if (!pieces_read(region, output, &pieces))
        return NULL;
    bool alike = pieces.across && pieces_alike(&pieces);
    bool bare = pieces.plain && !pieces.scaled;
    region_rely(region, FACT_COMMUTES);
    if (alike)
        return join_alike(region, output, &pieces);
    if (!bare && !(pieces.sized && pieces_fit(&pieces)))
        return join_across(region, output, &pieces);
    return pieces.plain ? join_places(region, output, &pieces)
                        : join_slots(region, output, &pieces);
}
