/* Sums behind nodes that affine maps commute with: movers, averages,
 * normalizations. */
#include "judge/sum_parts.h"
#include <math.h>
#include <string.h>

/* ---- Nodes that affine maps commute with ---- */

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
    Operator pool;
    switch (node->op) {
    case OP_Transpose:
    case OP_Reshape:
    case OP_Flatten:
    case OP_Squeeze:
    case OP_Unsqueeze:
    case OP_Expand:
    case OP_Gather:
    case OP_Slice:
    case OP_Split:
    case OP_DepthToSpace:
    case OP_SpaceToDepth:
    case OP_GlobalAveragePool:
    case OP_ReduceMean:
        return true;
    case OP_AveragePool:
        return !shifted || !pool_is_padded(node) ||
               !node_int(node, "count_include_pad", 0);
    case OP_MaxPool: /* over one element */
        return operator_read_pool(scope, node, &pool);
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
    if (!is_homogeneous(node) || input->count != 1 || input->parts[0].linear ||
        input->parts[0].length || !coefs_are_positive(input->parts[0].out))
        return false;
    if (node->op != OP_MaxPool && !bias_is_zero(input))
        return false;
    if (input->parts[0].out.size)
        region_rely(region, FACT_POSITIVE);
    return true;
}

/* The same numbers in both channels. */
static bool channels_agree(const Sum *sum, int64_t a, int64_t b)
{
    if (!bias_agrees(sum, a, sum, b))
        return false;
    for (int i = 0; i < sum->count; i++)
        if (!coefs_agree(sum->parts[i].out, a, sum->parts[i].out, b))
            return false;
    return true;
}

bool is_of_places(const Sum *sum)
{
    for (int i = 0; i < sum->count; i++)
        if (sum->parts[i].linear || sum->parts[i].length)
            return false;
    return true;
}

/* Numbers that meet must be equal. */
static bool channels_fit(const Sum *from, const Channels *channels)
{
    for (int64_t i = 0; i < channels->width * channels->ways; i++) {
        int64_t first = channels->from[i - i % channels->ways];
        if (channels->from[i] >= from->width ||
            !channels_agree(from, first, channels->from[i]))
            return false;
    }
    return true;
}

static Coefs coefs_taken(Arena *arena, Coefs coefs, const Channels *channels)
{
    if (coefs.size <= 1)
        return coefs;
    Coefs out = coefs_new(arena, channels->width);
    for (int64_t c = 0; c < channels->width; c++) {
        int64_t own = channels->from[c * channels->ways];
        out.real[c] = coefs.real[own];
        out.exact[c] = coefs.exact[own];
    }
    return out;
}

/* Some outputs of an operator, or all of them in another order. */
static void rows_take(Arena *arena, Part *part, const Channels *channels)
{
    int64_t *rows = arena_array(arena, (size_t)channels->width, sizeof *rows);
    for (int64_t c = 0; c < channels->width; c++)
        rows[c] = part_row(part, channels->from[c]);
    part->rows = rows;
    part->row_count = channels->width;
}

/* The sum in the channels that are taken; the value is still to be made. */
static Sum *sum_taken(Region *region, const Sum *from, const Known *known,
                      const Channels *channels)
{
    Sum *sum = sum_new(region, known, from->count);
    Part *parts = sum->parts;
    *sum = *from;
    sum->fact = &known->fact;
    sum->parts = parts;
    sum->width = channels->width;
    sum->as_place = sum->as_whole = 0;
    sum->bias = (Coefs){0};
    if (from->bias.size)
        sum_make_bias(region, sum);
    sum->value =
        arena_array(region->arena, (size_t)sum->width, sizeof *sum->value);
    for (int64_t c = 0; c < sum->width; c++) {
        int64_t own = channels->from[c * channels->ways];
        sum->value[c] = from->value[own];
        if (!from->bias.size)
            continue;
        sum->bias.real[c] = from->bias.real[own];
        sum->bias.exact[c] = from->bias.exact[own];
        sum->bias_size[c] = from->bias_size[own];
        sum->bias_slack[c] = from->bias_slack[own];
    }
    for (int i = 0; i < sum->count; i++) {
        parts[i] = from->parts[i];
        parts[i].out = coefs_taken(region->arena, parts[i].out, channels);
        if (parts[i].linear)
            rows_take(region->arena, &parts[i], channels);
    }
    return sum;
}

/* Where the sum's numbers go, and which of them are taken; false when they are
 * no longer side by side. */
static bool route_find(Region *region, const Known *output, const Sum *input,
                       Route *route)
{
    const Node *node = output->node;
    int64_t repeat = 1;
    *route = (Route){.axis = input->axis};
    if (input->axis < 0)
        return true;
    if (input->rank != input->fact->rank)
        return false;
    if (input->more)
        return span_forward(region, output, input, route);
    if (channels_take(region, output->scope, node, output->output, input->axis,
                      &route->channels))
        return true;
    route->channels = (Channels){0};
    route->axis = axis_forward(output->scope, node, input->axis, &repeat);
    if (repeat > 1)
        channels_repeat(region->arena, input->width, repeat, &route->channels);
    return route->axis >= 0 || span_forward(region, output, input, route);
}

/* True when the parts can be taken apart by channels as they are: that is what
 * folding goes back through. */
static bool may_take(const Node *node, const Sum *sum)
{
    bool whole = node->op == OP_Slice || node->op == OP_Gather ||
                 node->op == OP_Split || node->op == OP_Transpose;
    for (int i = 0; i < sum->count; i++)
        whole &= sum->parts[i].length == 0;
    return whole || is_of_places(sum);
}

/* What operators gave beside what passes: both may be in one of them. */
static bool is_mixed(const Sum *sum)
{
    int given = 0;
    for (int i = 0; i < sum->count; i++)
        given += sum->parts[i].linear != NULL;
    return given > 0 && given < sum->count;
}

/* What operators of the converted graph gave, where the original has it as a
 * place because there it was mixed, or because its scale stayed outside. */
static Sum *as_there(Region *region, Known *read, Sum *input)
{
    Sum *sum = sum_as_original(region, read, input);
    const Place *place = &region->places[sum->parts[0].place];
    return sum != input && (place->closed || is_mixed(place->sums[0])) ? sum
                                                                       : input;
}

/* As others may read it, or part by part. What operators gave beside what
 * passes may have had something added before folding, or only in the converted
 * graph. */
static Sum *as_read(Region *region, Known *read, Sum *input)
{
    if (is_mixed(input) && !input->broadcasts &&
        region_reading(region, known_root(read), 1u << READ_COMPOSED) ==
            READ_COMPOSED)
        return input;
    return is_mixed(input) && !bias_is_zero(input) &&
                   region_choice(region, known_root(read), 1u << READ_WHOLE) ==
                       READ_WHOLE
               ? sum_as_whole(region, read, input)
               : sum_as_place(region, read, input);
}

/* A crop, or zeros around an image, which may be a pool's own as well. */
static bool may_be_pooled(Scope *scope, const Node *node)
{
    int64_t amounts[2 * SPACE_MAX];
    int rank = scope_known(scope, node->inputs[0])->fact.rank;
    return node->op == OP_Pad ||
           (node->op == OP_AveragePool && pool_is_padded(node)) ||
           (node->op == OP_Slice &&
            (rank < 3 || rank > SPACE_MAX + 2 ||
             crop_read(scope, node, rank - 2, amounts)));
}

/* What the node reads, as a sum that it can move part by part, and how; NULL
 * where there is none. */
static Sum *move_reads(Region *region, const Known *output, Known *read,
                       Route *route)
{
    const Node *node = output->node;
    bool moves_axes = node->op == OP_Reshape || node->op == OP_Transpose;
    Sum *input =
        moves_axes ? region_sum(region, read) : region_plain_sum(region, read);
    if (!bias_is_zero(input) && !moves(output->scope, node, true) &&
        moves(output->scope, node, false))
        input = sum_as_whole(region, read, input);
    else if (is_homogeneous(node) && !moves_positive(region, node, input))
        input = node->op == OP_MaxPool ? sum_as_place(region, read, input)
                                       : sum_as_whole(region, read, input);
    else if (input->broadcasts || is_mixed(input) ||
             (may_be_pooled(output->scope, node) && !is_of_places(input)))
        input = as_read(region, read, input);
    else if (!region->is_original && !is_of_places(input))
        input = as_there(region, read, input);
    if (!moves(output->scope, node, !bias_is_zero(input)) &&
        !moves_positive(region, node, input))
        return NULL;
    if (!route_find(region, output, input, route)) {
        *route = (Route){.axis = -1};
        return input->width == 1 ? sum_as_uniform(region, read, input) : NULL;
    }
    const Channels *channels = &route->channels;
    if (channels->width && !may_take(node, input))
        input = sum_as_place(region, read, input);
    return channels->width && !channels_fit(input, channels) ? NULL : input;
}

/* Which channels of its inner place a place has whose number is that one's:
 * what takes channels, and what moves all that passes beside operators, so that
 * it is what they read; NULL for others. */
static const int64_t *channels_from(Region *region, const Node *node,
                                    const Sum *input, const Channels *channels)
{
    bool takes =
        node->op == OP_Slice || node->op == OP_Gather || node->op == OP_Split;
    bool moves = is_mixed(input) && input->axis >= 0 &&
                 (node->op == OP_Reshape || node->op == OP_Transpose);
    if (channels->width)
        return (takes || moves) && channels->ways == 1 ? channels->from : NULL;
    if (!moves)
        return NULL;
    Channels all;
    channels_repeat(region->arena, input->width, 1, &all);
    return all.from;
}

Sum *take_move(Region *region, Known *output)
{
    const Node *node = output->node;
    Known *read = scope_known(output->scope, node_input(node, 0));
    Route route = {.axis = -1};
    if (!read || read->constant ||
        (output->output != 0 && node->op != OP_Split))
        return NULL;
    if (node_keeps(output->scope, node))
        return region_sum(region, read);
    const Sum *input = move_reads(region, output, read, &route);
    if (!input)
        return NULL;
    const Channels *channels = &route.channels;
    Sum *sum = channels->width ? sum_taken(region, input, output, channels)
                               : sum_copy(region, input, output);
    sum->axis = route.axis;
    sum->more = route.more;
    sum->rank = output->fact.rank;
    region_rely(region, FACT_COMMUTES);
    for (int64_t c = 0; sum->value && c < sum->width; c++) {
        int64_t own = channels->width ? channels->from[c * channels->ways] : c;
        sum->value[c] =
            residue_subtract(sum->value[c], parts_value(region, input, own));
    }
    const int64_t *from = channels_from(region, node, input, channels);
    for (int i = 0; i < sum->count; i++) {
        int place = place_move(region, output->scope, node, output->output,
                               sum->parts[i].place);
        if (from)
            region->places[place].from = from;
        sum->parts[i].place = place;
    }
    for (int64_t c = 0; sum->value && c < sum->width; c++)
        sum->value[c] = residue_add(sum->value[c], parts_value(region, sum, c));
    return sum;
}

/* ---- Normalizations ---- */

bool is_norm(const Node *node)
{
    return node->op == OP_LayerNormalization || node->op == OP_RMSNormalization;
}

/* A normalization with ones for a scale, then the scale and the bias. */
Sum *take_norm(Region *region, Known *output)
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
    sum_settle(region, sums[0]);
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
