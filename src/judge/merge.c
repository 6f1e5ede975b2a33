#include "judge/merge.h"

#include <math.h>
#include <string.h>

#include "judge/assign.h"

/* ---- Sums ---- */

/* Both are one place itself, in the same channels. */
static bool is_same_place(const Part *a, const Part *b)
{
    return !a->linear && !b->linear && a->place == b->place &&
           a->start == b->start;
}

/* True when one of the sum's first parts is that place. */
static bool has_place(const Sum *sum, int count, const Part *like)
{
    for (int i = 0; i < count; i++)
        if (is_same_place(&sum->parts[i], like))
            return true;
    return false;
}

static Coefs coefs_sum(Region *region, Coefs a, Coefs b)
{
    return a.size ? coefs_add(region->arena, a, b) : b;
}

/* The numbers with which a place itself goes into a sum; size 0 where it does
 * not. Their magnitudes are added to `sizes`. */
static Coefs place_total(Region *region, const Sum *sum, const Part *like,
                         Coefs *sizes)
{
    Coefs total = {0};
    for (int i = 0; i < sum->count; i++) {
        const Part *part = &sum->parts[i];
        if (!is_same_place(part, like))
            continue;
        Coefs own =
            part->out.size ? part->out : coefs_uniform(region->arena, 1);
        total = coefs_sum(region, total, own);
        *sizes = coefs_sum(region, *sizes, coefs_absolute(region->arena, own));
    }
    return total;
}

/* What of the original's parts that are one place must be in operators, less
 * what the converted sum has of the place: as one part, or each by itself,
 * since several operators may have taken one. Returns how many. */
static int place_to_assign(Region *region, const Sum *a, const Sum *b,
                           const Part *like, bool apart, Part *out)
{
    Coefs sizes = {0}, kept = place_total(region, b, like, &sizes);
    Coefs minus = kept.size ? coefs_multiply(region->arena, kept,
                                             coefs_uniform(region->arena, -1))
                            : kept;
    Coefs total = place_total(region, a, like, &sizes);
    if (kept.size)
        total = coefs_add(region->arena, total, minus);
    if (coefs_cancel(total, sizes))
        return 0;
    int count = 0;
    for (int i = 0; apart && i < a->count; i++)
        if (is_same_place(&a->parts[i], like))
            out[count++] = a->parts[i];
    if (!apart || kept.size) {
        out[count] = *like;
        out[count++].out = apart ? minus : total;
    }
    return count;
}

/* What of the original's sum must be in operators: what operators give, and
 * places that the converted sum does not have with the same numbers. Of these
 * there is one more for each place at most. */
static Part *parts_to_assign(Region *region, const Sum *a, const Sum *b,
                             bool apart, int *count)
{
    Part *out =
        arena_array(region->arena, 2 * (size_t)a->count + 1, sizeof *out);
    *count = 0;
    for (int i = 0; i < a->count; i++) {
        const Part *part = &a->parts[i];
        if (part->linear)
            out[(*count)++] = *part;
        else if (!has_place(a, i, part))
            *count += place_to_assign(region, a, b, part, apart, out + *count);
    }
    for (int i = 0; i < b->count; i++) {
        if (b->parts[i].linear || has_place(a, a->count, &b->parts[i]))
            continue;
        region->proof->why = "the converted model adds what the original "
                             "does not";
        return NULL;
    }
    return out;
}

void rounding_take(rp_rounding_info *info, double ulps, bool counts)
{
    info->largest = fmax(info->largest, ulps);
    if (!counts)
        return;
    double bin = 2 * ulps * RP_ROUNDING_BINS;
    info->bins[bin < RP_ROUNDING_BINS ? (int)bin : RP_ROUNDING_BINS - 1]++;
    info->count++;
}

void rounding_add(rp_rounding_info *info, const rp_rounding_info *more)
{
    info->largest = fmax(info->largest, more->largest);
    info->count += more->count;
    for (int i = 0; i < RP_ROUNDING_BINS; i++)
        info->bins[i] += more->bins[i];
}

/* What rounding of the weights has made of each channel's bias. */
static Drift *biases_drift(Region *region, const Sum *b, const Merges *merges)
{
    Drift *drifts =
        arena_array(region->arena, (size_t)b->width, sizeof *drifts);
    for (int i = 0; i < merges->count; i++) {
        const Merge *merge = &merges->items[i];
        double factor = coefs_real(merge->part->out, 0, 1);
        for (int64_t c = 0; c < part_width(merge->part); c++) {
            Drift *drift = &drifts[merge->part->start + c];
            const Drift *own = &merge->drifts[part_row(merge->part, c)];
            drift->away += factor * own->away;
            drift->noise += fabs(factor) * own->noise;
        }
    }
    return drifts;
}

/* The stored biases are rounded once; what rounding of weights does to what is
 * added before them is known, and comes off. */
static bool biases_agree(Region *region, const Sum *a, const Sum *b,
                         const Merges *merges, double *bound)
{
    const Drift *drifts = biases_drift(region, b, merges);
    for (int64_t c = 0; c < a->width; c++) {
        double expected = coefs_real(a->bias, c, 0);
        double away = coefs_real(b->bias, c, 0) - expected;
        double own = fabs(away - drifts[c].away);
        double size = (a->bias.size ? a->bias_size[c] : 0) +
                      (b->bias.size ? b->bias_size[c] : 0);
        double noise = (a->bias_steps + b->bias_steps + 4) * 0x1p-52 * size +
                       drifts[c].noise;
        double half = b->bias.size ? b->bias_slack[c] : 0;
        if (b->bias_sources == 1 && b->bias_type)
            half = half_ulp(b->bias_type, expected);
        if (!(own <= half + noise) || isinf(noise)) {
            region->proof->why = arena_printf(
                region->proof->arena,
                "the bias of channel %lld differs by %.3g", (long long)c, own);
            return false;
        }
        if (half > 0)
            rounding_take(&region->proof->rounding, own / (2 * half),
                          region->counts);
        bound[c] += fabs(away) + noise;
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
        for (int64_t c = 0; c < part_width(merge->part); c++) {
            Residue *to = &total[merge->part->start + c];
            Residue y = merge->y[part_row(merge->part, c)];
            *to = residue_add(*to, residue_multiply(factor, y));
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
        for (int64_t c = 0; c < part_width(merge->part); c++)
            bound[merge->part->start + c] +=
                fabs(coefs_real(merge->factor, 0, 1)) *
                merge->bound[part_row(merge->part, c)];
    }
    for (int i = 0; i < b->count; i++) {
        const Part *part = &b->parts[i];
        int64_t length = part->length ? part->length : b->width;
        double own = part->linear ? 0 : place_bound(region, part->place);
        for (int64_t c = 0; c < length; c++)
            bound[part->start + c] += fabs(coefs_real(part->out, c, 1)) * own;
    }
}

static bool merges_agree(Region *region, const Sum *a, const Sum *b, bool apart,
                         Merges *merges)
{
    int count;
    *merges = (Merges){0};
    const Part *parts = parts_to_assign(region, a, b, apart, &count);
    if (!parts || !merges_make(region, count, b, merges) ||
        !merges_assign(region, merges, parts, count))
        return false;
    for (int i = 0; i < merges->count; i++)
        if (!merge_run(region, &merges->items[i]))
            return false;
    return true;
}

/* Parts apart need not be one operator's, and what cancels in their total is
 * allowed for. What is said of a failure is of the simpler try. */
static bool merges_find(Region *region, const Sum *a, const Sum *b,
                        Merges *merges)
{
    Proof before = *region->proof;
    if (merges_agree(region, a, b, false, merges))
        return true;
    Proof failure = *region->proof;
    *region->proof = before;
    if (merges->count > 0 && merges_agree(region, a, b, true, merges))
        return true;
    *region->proof = failure;
    return false;
}

bool sums_compare(Region *region, Sum *a, Sum *b, double *bound)
{
    Merges merges;
    sum_widen(region, a, b->axis, b->rank, b->width);
    sum_widen(region, b, a->axis, a->rank, a->width);
    if (!axes_agree(a, b) || a->width != b->width ||
        !shapes_agree(region, a, b)) {
        region->proof->why = "the shapes differ";
        return false;
    }
    if (!merges_find(region, a, b, &merges))
        return false;
    if (!biases_agree(region, a, b, &merges, bound) ||
        (a->value && !values_agree(region, a, b, &merges)))
        return false;
    bounds_add(region, b, &merges, bound);
    return true;
}

static bool sum_is_rounded(const Region *region, const Sum *sum)
{
    for (int i = 0; i < sum->count; i++)
        if (place_is_rounded(region, sum->parts[i].place))
            return true;
    return false;
}

bool sums_match(Region *region, const Place *place, Sum *a, Sum *b,
                Match *match)
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
    bool rounded = inner.rounding.largest > 0 || sum_is_rounded(region, b);
    agree = agree && ((is_bound && isfinite(gain)) || !rounded);
    if (!agree) {
        region->obstacle = inner.why;
        return false;
    }
    outer->weights += inner.weights;
    rounding_add(&outer->rounding, &inner.rounding);
    for (int64_t c = 0; is_bound && c < width; c++)
        own[c] = own[c] > 0 ? gain * own[c] : 0;
    if (is_bound)
        match->bound = own;
    match->is_rounded |= rounded;
    return true;
}
