#include "judge/merge.h"

#include <math.h>
#include <string.h>

#include "judge/rows.h"

/* ---- Which part goes where ---- */

/* Where the taps of a part land in the whole; false when they are not all on
 * its lattice. */
static bool lattice_place(const Operator *part, const Operator *whole,
                          int64_t *taps)
{
    int64_t count = operator_taps(part), offsets[SPACE_MAX];
    for (int64_t t = 0; t < count; t++) {
        operator_offsets(part, t, offsets);
        int64_t at = 0;
        for (int i = 0; i < SPACE_MAX; i++) {
            const Lattice *axis = &whole->axes[i];
            int64_t from = offsets[i] + axis->begin;
            if (from < 0 || from % axis->dilation ||
                from / axis->dilation >= axis->taps)
                return false;
            at = at * axis->taps + from / axis->dilation;
        }
        taps[t] = at;
    }
    return true;
}

/* An operator in dense form has no layout: it is read in that of the whole. */
static const Operator *laid_out(Region *region, const Operator *linear,
                                const Operator *whole)
{
    if (!linear->dense)
        return linear;
    Operator *copy = arena_alloc(region->arena, sizeof *copy);
    *copy = *linear;
    copy->rows_are_outputs = whole->rows_are_outputs;
    return copy;
}

/* Puts a part into an operator; false when it does not fit. */
static bool merge_add(Region *region, Merge *merge, const Operator *linear,
                      const Part *part)
{
    const Operator *whole = merge->whole;
    int64_t count = operator_taps(linear);
    linear = laid_out(region, linear, whole);
    if (linear->group % whole->group ||
        linear->rows_are_outputs != whole->rows_are_outputs ||
        linear->inputs != whole->inputs || linear->outputs != whole->outputs)
        return false;
    int64_t *taps = arena_array(region->arena, (size_t)count, sizeof *taps);
    if (!lattice_place(linear, whole, taps))
        return false;
    Summand *summand = &merge->summands[merge->count++];
    *summand = (Summand){.linear = linear,
                         .out = part->out,
                         .in = part->in,
                         .taps = taps,
                         .tap_count = count,
                         .fills = count == operator_taps(whole)};
    for (int64_t t = 0; t < count; t++)
        summand->fills &= taps[t] == t;
    if (merge->factor.size) {
        Coefs inverse = coefs_uniform(region->arena, 1 / merge->factor.real[0]);
        inverse.exact[0] = residue_inverse(merge->factor.exact[0]);
        summand->out = coefs_multiply(region->arena, summand->out, inverse);
    }
    merge->steps += part->steps + linear->roundings;
    region_rely(region, FACT_LATTICE);
    if (linear->group != whole->group)
        region_rely(region, FACT_GROUPS);
    return true;
}

/* All operators of the converted sum. */
typedef struct Merges {
    Merge *items;
    int count;
} Merges;

static bool merges_make(Region *region, const Sum *a, const Sum *b, Merges *out)
{
    out->items =
        arena_array(region->arena, (size_t)b->count + 1, sizeof *out->items);
    for (int i = 0; i < b->count; i++) {
        const Part *part = &b->parts[i];
        if (!part->linear)
            continue;
        if (!coefs_are_uniform(part->in) || !coefs_are_uniform(part->out) ||
            part->linear->dense) {
            region->proof->why = arena_printf(
                region->proof->arena, "\"%s\" is scaled by what is not folded",
                part->linear->node->outputs[0]->name);
            return false;
        }
        Merge *merge = &out->items[out->count++];
        size_t outputs = (size_t)part->linear->outputs;
        *merge = (Merge){.whole = part->linear, .part = part};
        merge->factor = coefs_multiply(region->arena, part->in, part->out);
        if (merge->factor.size)
            merge->factor.size = 1;
        merge->summands = arena_array(region->arena, (size_t)a->count,
                                      sizeof *merge->summands);
        merge->y = arena_array(region->arena, outputs, sizeof *merge->y);
        merge->bound =
            arena_array(region->arena, outputs, sizeof *merge->bound);
    }
    return true;
}

/* Joined operators: one of them is some of the outputs of the whole. */
static bool merges_add_among(Region *region, Merges *merges, const Part *part)
{
    const Place *slot = &region->places[part->place];
    if (slot->kind != PLACE_SLOT ||
        region->places[slot->inner].kind != PLACE_LINEAR)
        return false;
    const Place *own = &region->places[slot->inner];
    for (int i = 0; i < merges->count; i++) {
        Merge *merge = &merges->items[i];
        const Place *whole = &region->places[merge->part->place];
        OperatorClass class = own->class;
        class.outputs = whole->class.outputs;
        if (whole->kind != PLACE_LINEAR || whole->inner != own->inner ||
            !classes_agree(&class, &whole->class))
            continue;
        Part spread = *part;
        spread.out =
            coefs_spread(region->arena, part->out, part->start, class.outputs);
        const Operator *among =
            operator_among(region, part->linear, part->start, class.outputs);
        if (merge_add(region, merge, among, &spread))
            return true;
    }
    return false;
}

/* Takes back what was last added. */
static void merge_drop(Merge *merge, int steps)
{
    merge->count--;
    merge->steps = steps;
}

/* The operator that the part went into: of the same class on the same place. Of
 * several it is the one whose weights are most like the part's. */
static bool merges_add_operator(Region *region, Merges *merges,
                                const Part *part)
{
    Merge *best = NULL;
    int best_steps = 0;
    double most = 0;
    for (int i = 0; i < merges->count; i++) {
        Merge *merge = &merges->items[i];
        int steps = merge->steps;
        if (merge->part->place != part->place ||
            merge->part->start != part->start ||
            !merge_add(region, merge, part->linear, part))
            continue;
        double likeness = merges->count > 1 ? merge_likeness(region, merge) : 0;
        if (best && likeness <= most) {
            merge_drop(merge, steps);
            continue;
        }
        if (best)
            merge_drop(best, best_steps);
        best = merge;
        best_steps = steps;
        most = likeness;
    }
    if (!best && merges_add_among(region, merges, part))
        return true;
    if (!best)
        region->proof->why = arena_printf(
            region->proof->arena,
            "no operator of the converted model has room for \"%s\"",
            part->linear->node->outputs[0]->name);
    return best != NULL;
}

/* An identity, or an average pool, on `place` as an operator like `whole` on
 * `inner`; NULL when it is none. */
static const Operator *place_as_operator(Region *region, int place,
                                         const Place *whole,
                                         const Operator *like)
{
    Operator *linear = arena_alloc(region->arena, sizeof *linear);
    const Place *own = &region->places[place];
    if (like->kind != OPERATOR_CONV || like->inputs != like->outputs)
        return NULL;
    if (place == whole->inner) {
        *linear = (Operator){.kind = OPERATOR_CONV,
                             .node = like->node,
                             .uniform = 1,
                             .uniform_exact = 1,
                             .rows_are_outputs = true,
                             .spatial = like->spatial,
                             .alpha = 1,
                             .beta = 1};
        linear->outputs = linear->inputs = linear->group = like->inputs;
        for (int i = 0; i < SPACE_MAX; i++) {
            linear->axes[i] = (Lattice){1, 1, 1, 0, 0};
            if (like->axes[i].stride != 1)
                return NULL;
        }
        return linear;
    }
    if (!own->pool || own->inner != whole->inner)
        return NULL;
    region_rely(region, FACT_DIVISOR);
    const Known *input = scope_known(own->scope, own->node->inputs[0]);
    OperatorClass class = operator_class(own->pool, &input->fact);
    return classes_agree(&class, &whole->class) ? own->pool : NULL;
}

static bool merges_add_place(Region *region, Merges *merges, const Part *part)
{
    Merge *best = NULL;
    int best_steps = 0;
    double most = 0;
    for (int i = 0; i < merges->count; i++) {
        Merge *merge = &merges->items[i];
        const Place *whole = &region->places[merge->part->place];
        int steps = merge->steps;
        if (whole->kind != PLACE_LINEAR || merge->part->start != part->start)
            continue;
        const Operator *linear =
            place_as_operator(region, part->place, whole, merge->whole);
        if (!linear || !merge_add(region, merge, linear, part))
            continue;
        double likeness = merges->count > 1 ? merge_likeness(region, merge) : 0;
        if (best && likeness <= most) {
            merge_drop(merge, steps);
            continue;
        }
        if (best)
            merge_drop(best, best_steps);
        best = merge;
        best_steps = steps;
        most = likeness;
    }
    if (!best)
        region->proof->why =
            "what passes unchanged in the original does not in the converted "
            "model";
    return best != NULL;
}

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

/* Places that both sums have go with the same numbers; what only the original
 * has went into an operator. */
static bool merges_add_places(Region *region, Merges *merges, Sum *a, Sum *b)
{
    size_t count = (size_t)(a->count > b->count ? a->count : b->count);
    bool *left_a = arena_array(region->arena, count + 1, sizeof *left_a);
    bool *left_b = arena_array(region->arena, count + 1, sizeof *left_b);
    memset(left_a, 1, count);
    memset(left_b, 1, count);
    for (int i = 0; i < a->count; i++) {
        Part part = a->parts[i];
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
        if (!coefs_are_zero(in_a) && !merges_add_place(region, merges, &part))
            return false;
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
    sum_widen(region, a, b->axis, b->width);
    sum_widen(region, b, a->axis, a->width);
    if (a->axis != b->axis || a->width != b->width ||
        !shapes_agree(region, a, b)) {
        region->proof->why = "the shapes differ";
        return false;
    }
    if (!merges_make(region, a, b, &merges))
        return false;
    for (int i = 0; i < a->count; i++)
        if (a->parts[i].linear &&
            !merges_add_operator(region, &merges, &a->parts[i]))
            return false;
    if (!merges_add_places(region, &merges, a, b))
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
    bool contracts = !place->node || place->node->op == OP_Relu ||
                     place->node->op == OP_MaxPool;
    int64_t width = a->width > b->width ? a->width : b->width;
    double *own = arena_array(region->arena, (size_t)width, sizeof *own);
    region->proof = &inner;
    bool agree = sums_compare(region, a, b, own);
    region->proof = outer;
    agree = agree && (contracts || inner.rounding == 0);
    if (!agree) {
        region->obstacle = inner.why;
        return false;
    }
    outer->weights += inner.weights;
    if (inner.rounding > outer->rounding)
        outer->rounding = inner.rounding;
    if (contracts)
        *bound = own;
    return true;
}
