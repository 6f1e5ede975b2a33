/*
 * Scales that go into places: s relu(x) = relu(s x) for s > 0, and s goes into
 * what operators gave, where one of them may have taken it.
 */
#include "judge/merge.h"
#include "judge/sum_parts.h"

#include <math.h>
#include <string.h>

enum { DEPTH_MAX = 16 };

/* Where a number for each channel lies at a place. */
typedef struct Numbers {
    int axis, rank;
    int64_t width;
} Numbers;

static bool numbers_find(const Region *region, int place, Coefs scale,
                         int depth, Numbers *out);

/* Places side by side take a part each; along another axis, each takes all. */
static bool numbers_of_join(const Region *region, const Place *join,
                            Coefs scale, int depth, Numbers *out)
{
    for (int i = 0; i < join->count; i++) {
        Numbers own;
        if (!numbers_find(region, join->joined[i], scale, depth, &own))
            return false;
        bool apart = own.axis == join->axis;
        if (i > 0 && scale.size > 1 &&
            (own.axis != out->axis || own.rank != out->rank ||
             (!apart && own.width != out->width)))
            return false;
        own.width += i > 0 && apart ? out->width : 0;
        *out = own;
    }
    return join->count > 0;
}

/* The numbers of a sum; where it has none of its own, those that all its places
 * can take. */
static bool numbers_of_sum(const Region *region, const Sum *sum, Coefs scale,
                           int depth, Numbers *out)
{
    *out = (Numbers){sum->axis, sum->rank, sum->width};
    if (sum->more)
        return false;
    for (int i = 0; sum->axis < 0 && i < sum->count; i++) {
        Numbers own;
        if (sum->parts[i].linear || sum->broadcasts ||
            !numbers_find(region, sum->parts[i].place, scale, depth, &own) ||
            (i > 0 && (own.axis != out->axis || own.rank != out->rank ||
                       own.width != out->width)))
            return false;
        *out = own;
    }
    return out->axis >= 0;
}

/* False where the scale cannot go inside. */
static bool numbers_find(const Region *region, int place, Coefs scale,
                         int depth, Numbers *out)
{
    const Place *own = &region->places[place];
    int64_t repeat = 1;
    if (depth == DEPTH_MAX || (own->node && is_homogeneous(own->node) &&
                               !own->pool && !is_scaling(own->node, scale)))
        return false;
    switch (own->kind) {
    case PLACE_OPAQUE:
        if (own->closed || (own->node && !is_scaling(own->node, scale)))
            return false;
        return numbers_of_sum(region, own->sums[0], scale, depth + 1, out) ||
               scale.size == 1;
    case PLACE_MOVE:
        if (!numbers_find(region, own->inner, scale, depth + 1, out))
            return false;
        if (out->axis >= 0)
            out->axis = axis_forward(own->scope, own->node, out->axis, &repeat);
        out->rank = scope_known(own->scope, own->node->outputs[0])->fact.rank;
        return scale.size == 1 || (out->axis >= 0 && repeat == 1);
    case PLACE_SLOT:
        return numbers_find(region, own->inner, scale, depth + 1, out) &&
               (scale.size == 1 || out->axis == own->axis);
    case PLACE_JOIN:
        return numbers_of_join(region, own, scale, depth + 1, out);
    default:
        return false;
    }
}

bool sum_is_place(const Sum *sum)
{
    return sum->count == 1 && !sum->parts[0].linear && !sum->parts[0].length &&
           coefs_are_ones(sum->parts[0].out) && bias_is_zero(sum);
}

static bool numbers_agree(Coefs a, Coefs b)
{
    for (int64_t c = 0; c < a.size || c < b.size; c++)
        if (!coefs_agree(a, c, b, c))
            return false;
    return true;
}

/* The same parts of the same places, and the same numbers. */
static bool sums_are_one(const Sum *a, const Sum *b)
{
    bool same = a->axis == b->axis && a->more == b->more &&
                a->rank == b->rank && a->width == b->width &&
                a->count == b->count;
    for (int64_t c = 0; same && c < a->width; c++)
        same = bias_agrees(a, c, b, c);
    for (int i = 0; same && i < a->count; i++) {
        const Part *one = &a->parts[i], *other = &b->parts[i];
        same = one->place == other->place && one->linear == other->linear &&
               one->start == other->start && one->length == other->length &&
               one->rows == other->rows && numbers_agree(one->in, other->in) &&
               numbers_agree(one->out, other->out);
    }
    return same;
}

/* A place of the original, that the converted graph has too, may be scaled
 * there as it is here; -1 where it is not. */
static int opaque_of_original(const Region *region, const Place *like,
                              const Sum *scaled)
{
    for (int i = 0; i < region->place_count; i++) {
        const Place *place = &region->places[i];
        if (place->kind == PLACE_OPAQUE && place->scope == like->scope &&
            place->node == like->node && place->output == like->output &&
            sums_are_one(place->sums[0], scaled))
            return i;
    }
    return -1;
}

static int opaque_scaled(Region *region, const Place *place, Coefs scale,
                         int steps)
{
    size_t count = (size_t)place->count;
    Sum **sums = arena_array(region->arena, count, sizeof *sums);
    Numbers numbers = {.axis = -1};
    memcpy(sums, place->sums, count * sizeof *sums);
    if (scale.size > 1)
        numbers_of_sum(region, sums[0], scale, 0, &numbers);
    Affine scaling = {.axis = numbers.axis,
                      .width = scale.size,
                      .scale = scale,
                      .steps = steps};
    Known shape = {.fact = *sums[0]->fact};
    const Fact *fact = sums[0]->fact;
    sums[0] = sum_map(region, sums[0], &shape, &scaling);
    sums[0]->fact = fact;
    sum_settle(region, sums[0]);
    if (place->node && is_homogeneous(place->node))
        region_rely(region, FACT_POSITIVE);
    if (!place->node && sum_is_place(sums[0]))
        return sums[0]->parts[0].place;
    int found = place->scope->is_original && !region->is_original
                    ? opaque_of_original(region, place, sums[0])
                    : -1;
    if (found >= 0)
        return found;
    return place_opaque(region, place->scope, place->node, sums, place->output);
}

/* What rounding changes at a place is scaled with it. */
static void bound_scale(Region *region, const Place *from, Coefs scale, int to)
{
    Place *scaled = &region->places[to];
    Match match = {.is_rounded = from->is_rounded};
    if (scaled->kind != PLACE_OPAQUE || !from->bound)
        return;
    int64_t width = scaled->sums[0]->width;
    double *bound = arena_array(region->arena, (size_t)width, sizeof *bound);
    for (int64_t c = 0; c < width; c++)
        bound[c] = fabs(coefs_real(scale, c, 1)) *
                   from->bound[from->sums[0]->width == 1 ? 0 : c];
    match.bound = bound;
    place_raise(region, scaled, &match);
}

static int place_scaled(Region *region, int place, Coefs scale, int steps);

static int join_scaled(Region *region, const Place *join, Coefs scale,
                       int steps)
{
    int *joined =
        arena_array(region->arena, (size_t)join->count, sizeof *joined);
    for (int64_t i = 0, start = 0; i < join->count; i++) {
        Numbers numbers = {0};
        Coefs own = scale;
        numbers_find(region, join->joined[i], scale, 0, &numbers);
        if (numbers.axis == join->axis) {
            own = coefs_slice(scale, start, numbers.width);
            start += numbers.width;
        }
        joined[i] = place_scaled(region, join->joined[i], own, steps);
    }
    return place_join(region, joined, join->count, join->axis);
}

/* The place with the scale inside, where numbers_find says that it can be; its
 * shape stays. */
static int place_scaled(Region *region, int place, Coefs scale, int steps)
{
    const Place own = region->places[place];
    int made, before = region->place_count;
    region->places[place].is_scaled = true;
    if (own.kind == PLACE_OPAQUE) {
        made = opaque_scaled(region, &own, scale, steps);
        bound_scale(region, &own, scale, made);
    } else if (own.kind == PLACE_JOIN) {
        made = join_scaled(region, &own, scale, steps);
    } else {
        int inner = place_scaled(region, own.inner, scale, steps);
        made = own.kind == PLACE_MOVE
                   ? place_moved_alike(region, place, inner)
                   : place_slot(region, inner, own.axis, own.start, own.length,
                                own.shape);
    }
    if (made >= before)
        region->places[made].shape = own.shape;
    return made;
}

/* The random input is another one at another place. */
static void value_replace(Region *region, Sum *sum, const Part *part, int place)
{
    int64_t length = part->length ? part->length : sum->width;
    for (int64_t c = 0; sum->value && c < length; c++) {
        Residue before =
            residue_multiply(coefs_exact(part->out, c, 1),
                             place_value(region, part->place, c, NULL));
        Residue after = place_value(region, place, c, NULL);
        Residue *value = &sum->value[part->start + c];
        *value = residue_add(*value, residue_subtract(after, before));
    }
}

/* True when what the part is scaled by can go into its place. */
static bool part_settles(const Region *region, const Sum *sum, const Part *part)
{
    Numbers numbers;
    return !part->linear && part->out.size &&
           numbers_find(region, part->place, part->out, 0, &numbers) &&
           (part->out.size == 1 ||
            (numbers.width == part->out.size && numbers.rank >= 0 &&
             numbers.rank - numbers.axis == sum->rank - sum->axis));
}

bool sum_settles(const Region *region, const Sum *sum)
{
    for (int i = 0; i < sum->count; i++)
        if (!coefs_are_ones(sum->parts[i].out) &&
            part_settles(region, sum, &sum->parts[i]))
            return true;
    return false;
}

void sum_settle(Region *region, Sum *sum)
{
    for (int i = 0; i < sum->count; i++) {
        Part *part = &sum->parts[i];
        if (!part->linear && coefs_are_ones(part->out))
            part->out = (Coefs){0};
        if (!part_settles(region, sum, part))
            continue;
        int place = place_scaled(region, part->place, part->out, part->steps);
        value_replace(region, sum, part, place);
        part->place = place;
        part->out = (Coefs){0};
    }
}
