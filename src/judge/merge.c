#include "judge/merge.h"

#include <math.h>
#include <string.h>

#include "judge/assign.h"

/* ---- Sums ---- */

/* The numbers with which a place itself goes into a sum; size 0 where it does
 * not. Clears what it takes from `left`. */
static Coefs place_total(Region *region, const Sum *sum, const Part *like,
                         bool *left)
{
    Coefs total = {0};
    for (int i = 0; i < sum->count; i++) {
        const Part *part = &sum->parts[i];
        if (!left[i] || part->linear || part->place != like->place ||
            part->start != like->start)
            continue;
        left[i] = false;
        Coefs own =
            part->out.size ? part->out : coefs_uniform(region->arena, 1);
        total = total.size ? coefs_add(region->arena, total, own) : own;
    }
    return total;
}

/* What of the original's sum must be in operators: what operators give, and
 * places that the converted sum does not have with the same numbers. */
static bool parts_to_assign(Region *region, Sum *a, Sum *b, Part *out,
                            int *count)
{
    size_t most = (size_t)(a->count > b->count ? a->count : b->count);
    bool *left_a = arena_array(region->arena, most + 1, sizeof *left_a);
    bool *left_b = arena_array(region->arena, most + 1, sizeof *left_b);
    memset(left_a, 1, most);
    memset(left_b, 1, most);
    *count = 0;
    for (int i = 0; i < a->count; i++) {
        Part part = a->parts[i];
        if (part.linear)
            out[(*count)++] = part;
        if (part.linear || !left_a[i])
            continue;
        Coefs in_a = place_total(region, a, &part, left_a);
        Coefs in_b = place_total(region, b, &part, left_b);
        int64_t width = part.length ? part.length : a->width;
        if (in_b.size && coefs_agree(in_a, in_b, width))
            continue;
        if (in_b.size)
            in_a = coefs_add(region->arena, in_a,
                             coefs_multiply(region->arena, in_b,
                                            coefs_uniform(region->arena, -1)));
        part.out = in_a;
        if (!coefs_are_zero(in_a))
            out[(*count)++] = part;
    }
    for (int i = 0; i < b->count; i++) {
        if (b->parts[i].linear || !left_b[i])
            continue;
        region->proof->why = "the converted model adds what the original "
                             "does not";
        return false;
    }
    return true;
}

static bool biases_agree(Region *region, const Sum *a, const Sum *b,
                         double *bound)
{
    for (int64_t c = 0; c < a->width; c++) {
        double expected = coefs_real(a->bias, c, 0);
        double away = fabs(coefs_real(b->bias, c, 0) - expected);
        double size = (a->bias.size ? a->bias_size[c] : 0) +
                      (b->bias.size ? b->bias_size[c] : 0);
        double noise = (a->bias_steps + b->bias_steps + 4) * 0x1p-52 * size;
        double half = b->bias.size ? b->bias_slack[c] : 0;
        if (b->bias_sources == 1 && b->bias_type)
            half = half_ulp(b->bias_type, expected);
        if (!(away <= half + noise)) {
            region->proof->why = arena_printf(
                region->proof->arena,
                "the bias of channel %lld differs by %.3g", (long long)c, away);
            return false;
        }
        if (half > 0 && away > 2 * half * region->proof->rounding)
            region->proof->rounding = away / (2 * half);
        bound[c] += away + noise;
    }
    region->proof->weights += (uint64_t)b->bias.size;
    return true;
}

/* The parts give for the random input what the nodes gave. */
static bool values_agree(Region *region, const Sum *a, const Sum *b,
                         const Merges *merges)
{
    Residue *total =
        arena_array(region->arena, (size_t)a->width, sizeof *total);
    for (int64_t c = 0; c < a->width; c++)
        total[c] = coefs_exact(a->bias, c, 0);
    for (int i = 0; i < merges->count; i++) {
        const Merge *merge = &merges->items[i];
        Residue factor = coefs_exact(merge->factor, 0, 1);
        for (int64_t c = 0; c < merge->whole->outputs; c++) {
            Residue *to = &total[merge->part->start + c];
            *to = residue_add(*to, residue_multiply(factor, merge->y[c]));
        }
    }
    for (int i = 0; i < b->count; i++) {
        const Part *part = &b->parts[i];
        int64_t length = part->length ? part->length : b->width;
        for (int64_t c = 0; !part->linear && c < length; c++) {
            Residue *to = &total[part->start + c];
            Residue x = place_value(region, part->place, c, NULL);
            *to = residue_add(
                *to, residue_multiply(coefs_exact(part->out, c, 1), x));
        }
    }
    for (int64_t c = 0; c < a->width; c++) {
        if (total[c] == a->value[c])
            continue;
        region->proof->why = arena_printf(
            region->proof->arena,
            "channel %lld: the merged map is not the composition of its parts",
            (long long)c);
        return false;
    }
    return true;
}

static void bounds_add(Region *region, const Sum *b, const Merges *merges,
                       double *bound)
{
    for (int i = 0; i < merges->count; i++) {
        const Merge *merge = &merges->items[i];
        for (int64_t c = 0; c < merge->whole->outputs; c++)
            bound[merge->part->start + c] +=
                fabs(coefs_real(merge->factor, 0, 1)) * merge->bound[c];
    }
    for (int i = 0; i < b->count; i++) {
        const Part *part = &b->parts[i];
        int64_t length = part->length ? part->length : b->width;
        double own = part->linear ? 0 : place_bound(region, part->place);
        for (int64_t c = 0; c < length; c++)
            bound[part->start + c] += fabs(coefs_real(part->out, c, 1)) * own;
    }
}

bool sums_compare(Region *region, Sum *a, Sum *b, double *bound)
{
    Merges merges = {0};
    sum_widen(region, a, b->axis, b->rank, b->width);
    sum_widen(region, b, a->axis, a->rank, a->width);
    if (!axes_agree(a, b) || !shapes_agree(region, a, b)) {
        region->proof->why = "the shapes differ";
        return false;
    }
    int count;
    Part *parts =
        arena_array(region->arena, (size_t)a->count + 1, sizeof *parts);
    if (!parts_to_assign(region, a, b, parts, &count) ||
        !merges_make(region, count, b, &merges) ||
        !merges_assign(region, &merges, parts, count))
        return false;
    for (int i = 0; i < merges.count; i++)
        if (!merge_run(region, &merges.items[i]))
            return false;
    if (!biases_agree(region, a, b, bound) ||
        (a->value && !values_agree(region, a, b, &merges)))
        return false;
    bounds_add(region, b, &merges, bound);
    return true;
}

bool sums_match(Region *region, const Place *place, Sum *a, Sum *b,
                const double **bound)
{
    Proof *outer = region->proof, inner = {.arena = outer->arena};
    bool is_bound = !place->node || is_homogeneous(place->node) ||
                    place->node->op == OP_AveragePool;
    double gain = place->node ? mover_gain(place->scope, place->node) : 1;
    int64_t width = a->width > b->width ? a->width : b->width;
    double *own = arena_array(region->arena, (size_t)width, sizeof *own);
    region->proof = &inner;
    bool agree = sums_compare(region, a, b, own);
    region->proof = outer;
    agree = agree && ((is_bound && isfinite(gain)) || inner.rounding == 0);
    if (!agree) {
        region->obstacle = inner.why;
        return false;
    }
    outer->weights += inner.weights;
    if (inner.rounding > outer->rounding)
        outer->rounding = inner.rounding;
    for (int64_t c = 0; is_bound && c < width; c++)
        own[c] = own[c] > 0 ? gain * own[c] : 0;
    if (is_bound)
        *bound = own;
    return true;
}
