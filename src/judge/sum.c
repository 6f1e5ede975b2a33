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
    sum->rank = known->fact.rank;
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
    if (known->reading != region->reading) {
        known->reading = region->reading;
        int place = place_base(region, known);
        known->sum = sum_of_place(region, region->places[place].base, place);
    }
    return known->sum;
}

Sum *region_plain_sum(Region *region, Known *known)
{
    Sum *sum = region_sum(region, known);
    return sum && sum->more ? sum_as_whole(region, known, sum) : sum;
}

static Joint *joint_find(Region *region, const Known *at)
{
    for (int i = 0; i < region->joint_count; i++)
        if (region->joints[i].at == at)
            return &region->joints[i];
    return NULL;
}

Reading region_choice(Region *region, const Known *at, unsigned possible)
{
    Joint *joint = joint_find(region, at);
    if (!joint && region->joint_count == JOINTS_MAX)
        return READ_PLACE;
    if (!joint) {
        joint = &region->joints[region->joint_count++];
        *joint = (Joint){at, 0, region->preferred};
    }
    joint->possible |= possible | 1u << READ_PLACE;
    /* What is possible for another reader need not be so for this one. */
    return possible >> joint->now & 1 ? joint->now : READ_PLACE;
}

Reading region_reading(Region *region, const Known *at, unsigned possible)
{
    return region->is_original ? region_choice(region, at, possible)
                               : READ_PLACE;
}

void region_set(Region *region, Known *known, Sum *sum)
{
    known->reading = region->reading;
    known->sum = sum;
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
void sum_widen(Region *region, Sum *sum, int axis, int rank, int64_t width)
{
    Coefs bias = sum->bias;
    double size = bias.size ? sum->bias_size[0] : 0;
    double slack = bias.size ? sum->bias_slack[0] : 0;
    if (axis < 0 || sum->axis >= 0)
        return;
    sum->axis = axis;
    sum->rank = rank;
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
    sum->as_place = sum->as_whole = 0;
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

static bool has_shape(const Region *region, const Sum *sum, int shape)
{
    for (int i = 0; i < sum->count; i++)
        if (region->places[sum->parts[i].place].shape == shape)
            return true;
    return false;
}

static bool has_shapes(const Region *region, const Sum *sum, const Sum *of)
{
    for (int i = 0; i < of->count; i++)
        if (!has_shape(region, sum, region->places[of->parts[i].place].shape))
            return false;
    return true;
}

/* Broadcasting is associative, commutative and idempotent: the same set of
 * shapes gives the same one, whatever they are. */
bool shapes_agree(const Region *region, const Sum *a, const Sum *b)
{
    if (a->fact->rank >= 0 && b->fact->rank >= 0 &&
        a->fact->rank != b->fact->rank)
        return false;
    return facts_agree(a->fact, b->fact) ||
           (has_shapes(region, a, b) && has_shapes(region, b, a));
}

bool axes_agree(const Sum *a, const Sum *b)
{
    if (a->more != b->more)
        return false;
    if (a->axis < 0 || b->axis < 0)
        return a->axis < 0 && b->axis < 0;
    return a->width == b->width && a->rank >= 0 && b->rank >= 0
               ? a->rank - a->axis == b->rank - b->axis
               : a->rank == b->rank && a->axis == b->axis;
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

/* The sum with a place for its parts. */
static Sum *sum_put(Region *region, const Sum *from, const Known *known,
                    int place)
{
    Sum *sum = sum_copy(region, from, known);
    sum->parts = arena_array(region->arena, 1, sizeof *sum->parts);
    sum->parts[0].place = place;
    sum->count = 1;
    sum->broadcasts = false;
    for (int64_t c = 0; sum->value && c < sum->width; c++)
        sum->value[c] = residue_add(parts_value(region, sum, c),
                                    coefs_exact(sum->bias, c, 0));
    return sum;
}

Sum *sum_as_place(Region *region, Known *known, Sum *input)
{
    if (!input->as_place) {
        Sum **bare = arena_array(region->arena, 1, sizeof *bare);
        sum_settle(region, input);
        bare[0] = sum_bare(region, input, known);
        input->as_place = 1 + place_opaque(region, known->scope, NULL, bare, 0);
    }
    return sum_put(region, input, known, input->as_place - 1);
}

Sum *sum_as_original(Region *region, Known *known, Sum *input)
{
    Sum *bare = sum_bare(region, input, known);
    int place = place_of_original(region, known->scope, &bare);
    if (place < 0)
        return input;
    return sum_put(region, input, known, place);
}

Sum *sum_as_whole(Region *region, Known *known, Sum *input)
{
    if (!input->as_whole) {
        Sum **whole = arena_array(region->arena, 1, sizeof *whole);
        sum_settle(region, input);
        whole[0] = sum_copy(region, input, known);
        input->as_whole =
            1 + (sum_is_place(input)
                     ? input->parts[0].place
                     : place_opaque(region, known->scope, NULL, whole, 0));
    }
    return sum_of_place(region, known, input->as_whole - 1);
}

Sum *sum_as_uniform(Region *region, Known *known, Sum *input)
{
    Sum *place = sum_as_place(region, known, input);
    place->axis = -1;
    place->value = NULL;
    return place;
}

/* Numbers of which it is not known where they are, counted from the last axis,
 * stay inside a place. */
static Sum *summand_take(Region *region, Known *input)
{
    Sum *own = region_plain_sum(region, input);
    if (!own)
        return NULL;
    if (own->axis < 0 || own->rank >= 0)
        return own;
    return sum_as_whole(region, input, own);
}

static int64_t summands_width(Sum *const *summands, int count)
{
    int64_t width = 1;
    for (int i = 0; i < count; i++)
        if (summands[i] && summands[i]->width > width)
            width = summands[i]->width;
    return width;
}

/* Where the numbers of the summands lie, if that is one axis. A single channel
 * beside several is the same in all of them. */
static bool summands_read(Region *region, const Known *output, Sum **summands,
                          Sum *like)
{
    const Node *node = output->node;
    int rank = output->fact.rank;
    *like = (Sum){.fact = &output->fact, .axis = -1, .rank = -1};
    for (int i = 0; i < node->input_count; i++)
        summands[i] =
            summand_take(region, scope_known(output->scope, node->inputs[i]));
    like->width = summands_width(summands, node->input_count);
    for (int i = 0; i < node->input_count; i++) {
        Sum *own = summands[i];
        if (own && own->axis >= 0 && own->width < like->width)
            own = summands[i] = sum_as_uniform(
                region, scope_known(output->scope, node->inputs[i]), own);
        if (!own || !own->count ||
            (like->axis >= 0 && own->axis >= 0 && !axes_agree(own, like)))
            return false;
        if (own->axis >= 0) {
            like->rank = rank >= 0 ? rank : own->rank;
            like->axis = like->rank - own->rank + own->axis;
        }
        like->count += own->count;
        like->broadcasts |= own->broadcasts;
    }
    return like->count < 1 << 12;
}

static bool summands_broadcast(const Region *region, Sum *const *summands,
                               int count, const Fact *fact)
{
    bool facts = true, shapes = true;
    for (int i = 0; i < count; i++) {
        facts &= facts_agree(summands[i]->fact, fact);
        shapes &= has_shapes(region, summands[0], summands[i]) &&
                  has_shapes(region, summands[i], summands[0]);
    }
    return !facts && !shapes;
}

/* The summands of Add, Sub, Sum: NULL where they cannot be added channel by
 * channel. */
static Sum *take_sum(Region *region, Known *output)
{
    enum { SUMMANDS_MAX = 64 };
    const Node *node = output->node;
    Sum *summands[SUMMANDS_MAX], like;
    int count = node->input_count;
    if (count < 1 || count > SUMMANDS_MAX ||
        (output->fact.type && !dtype_is_real(output->fact.type)) ||
        !summands_read(region, output, summands, &like))
        return NULL;
    Sum *sum = sum_new(region, output, like.count);
    sum->count = 0;
    sum->broadcasts = like.broadcasts ||
                      summands_broadcast(region, summands, count, sum->fact);
    if (!sum->broadcasts)
        region_rely(region, FACT_SHAPES);
    sum_widen(region, sum, like.axis, like.rank, like.width);
    for (int i = 0; i < count; i++) {
        Sum *own = sum_copy(region, summands[i], output);
        sum_widen(region, own, like.axis, like.rank, like.width);
        Affine sign = {.axis = -1, .width = 1};
        if (node->op == OP_Sub && i == 1) {
            sign.scale = coefs_uniform(region->arena, -1);
            own = sum_map(region, own, output, &sign);
        }
        sum_append(region, sum, own);
    }
    return sum;
}

/* ---- Any node ---- */

static Sum *take_opaque(Region *region, const Known *output)
{
    const Node *node = output->node;
    size_t count = (size_t)node->input_count;
    Sum **sums = arena_array(region->arena, count + 1, sizeof *sums);
    for (int i = 0; i < node->input_count; i++) {
        sums[i] =
            region_sum(region, scope_known(output->scope, node->inputs[i]));
        if (sums[i])
            sum_settle(region, sums[i]);
    }
    return sum_of_place(
        region, output,
        place_opaque(region, output->scope, node, sums, output->output));
}

static Sum *share(Region *region, Known *output, Sum *sum, bool whole)
{
    Sum *shared = whole ? sum_as_whole(region, output, sum)
                        : sum_as_place(region, output, sum);
    region->places[shared->parts[0].place].closed = true;
    return shared;
}

static Sum *take_any(Region *region, Known *output)
{
    Op op = output->node->op;
    if (node_is_parametric(output->node))
        return take_opaque(region, output);
    Sum *sum = take_affine(region, output);
    if (!sum)
        sum = take_border(region, output);
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
    return sum ? sum : take_opaque(region, output);
}

void region_take(Region *region, Known *output)
{
    Sum *sum = take_any(region, output);
    const Joint *joint = joint_find(region, output);
    if (joint && (joint->now == READ_SHARED || joint->now == READ_SHARED_WHOLE))
        sum = share(region, output, sum, joint->now == READ_SHARED_WHOLE);
    region_set(region, output, sum);
}
