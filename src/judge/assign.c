/*
 * Which part of the original's sum went into which operator of the converted
 * graph?  Often only one can hold it. Where several can, the one is looked for
 * that makes them all fit.
 */
#include "judge/assign.h"

#include <limits.h>
#include <string.h>

/* Choices that are tried, and rows that must fit before all are looked at. */
enum { TRIES_MAX = 1 << 12, ROWS_TRIED = 5 };

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

/* What an operator would take of a part. */
typedef struct Candidate {
    Merge *merge;
    Summand summand;
    int steps;
} Candidate;

typedef struct Assignment {
    Candidate *candidates; /* in the order of the operators */
    int count;
    bool taken;
} Assignment;

/* Both are the same outputs of their operators. */
static bool rows_agree(const Part *a, const Part *b)
{
    if (!a->rows || !b->rows)
        return !a->rows && !b->rows;
    return a->row_count == b->row_count &&
           memcmp(a->rows, b->rows, (size_t)a->row_count * sizeof *a->rows) ==
               0;
}

/* The numbers of a part by output of its operator; false where channels that
 * are one output have different ones. */
static bool rows_scale(Region *region, const Part *part, int64_t outputs,
                       Coefs *out)
{
    *out = part->out;
    if (!part->rows || part->out.size <= 1)
        return true;
    Coefs own = coefs_new(region->arena, outputs);
    bool *known = arena_array(region->arena, (size_t)outputs, sizeof *known);
    for (int64_t c = 0; c < part->row_count; c++) {
        int64_t row = part->rows[c];
        if (known[row] && !coefs_agree(own, row, part->out, c))
            return false;
        known[row] = true;
        own.exact[row] = part->out.exact[c];
        own.real[row] = part->out.real[c];
    }
    *out = own;
    return true;
}

/* False where the part does not fit into the operator. */
static bool candidate_make(Region *region, Merge *merge, const Operator *linear,
                           const Part *part, Candidate *out)
{
    const Operator *whole = merge->whole;
    int64_t count = operator_taps(linear);
    Coefs scale;
    linear = laid_out(region, linear, whole);
    if (!rows_agree(part, merge->part) ||
        !rows_scale(region, part, linear->outputs, &scale) ||
        linear->group % whole->group ||
        linear->rows_are_outputs != whole->rows_are_outputs ||
        linear->inputs != whole->inputs || linear->outputs != whole->outputs)
        return false;
    int64_t *taps = arena_array(region->arena, (size_t)count, sizeof *taps);
    if (!lattice_place(linear, whole, taps))
        return false;
    *out =
        (Candidate){.merge = merge, .steps = part->steps + linear->roundings};
    Summand *summand = &out->summand;
    *summand = (Summand){.linear = linear,
                         .out = scale,
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
    if (linear->group != whole->group)
        region_rely(region, FACT_GROUPS);
    return true;
}

static void candidate_add(const Candidate *candidate)
{
    Merge *merge = candidate->merge;
    merge->summands[merge->count++] = candidate->summand;
    merge->steps += candidate->steps;
}

static void candidate_drop(const Candidate *candidate)
{
    candidate->merge->count--;
    candidate->merge->steps -= candidate->steps;
}

/* ---- What a part is as an operator ---- */

/* An identity, or an average pool, on `place` as an operator like `whole` on
 * `inner`; NULL when it is none. */
static const Operator *place_as_operator(Region *region, int place,
                                         const Place *whole,
                                         const Operator *like)
{
    Operator *linear = arena_alloc(region->arena, sizeof *linear);
    const Place *own = &region->places[place];
    if ((like->kind != OPERATOR_CONV &&
         like->kind != OPERATOR_CONV_TRANSPOSE) ||
        like->inputs != like->outputs || own->shape != whole->shape)
        return NULL;
    if (place == whole->inner) {
        *linear = (Operator){.kind = like->kind,
                             .node = like->node,
                             .uniform = 1,
                             .uniform_exact = 1,
                             .rows_are_outputs = like->rows_are_outputs,
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
    if (!own->pool || own->inner != whole->inner || like->kind != OPERATOR_CONV)
        return NULL;
    if (own->node->op == OP_AveragePool)
        region_rely(region, FACT_DIVISOR);
    return classes_agree(&own->class, &whole->class) ? own->pool : NULL;
}

/* A pointwise convolution with a stride of 1 as a transposed one, which it is
 * as well; NULL for any other, or where that is not what the whole is. */
static const Operator *pointwise_as_transposed(Region *region,
                                               const Operator *linear,
                                               const OperatorClass *whole)
{
    if (whole->kind != OPERATOR_CONV_TRANSPOSE || !whole->keeps_sizes ||
        linear->kind != OPERATOR_CONV || !operator_is_pointwise(linear))
        return NULL;
    Operator *copy = arena_alloc(region->arena, sizeof *copy);
    *copy = *linear;
    copy->dense = operator_dense(region, linear);
    copy->kind = OPERATOR_CONV_TRANSPOSE;
    copy->weight = NULL;
    return copy;
}

/* What an operator gave, at `own`, as one like the whole, which may have more
 * outputs. */
static const Operator *given_as_operator(Region *region, const Operator *linear,
                                         const Place *own, const Place *whole)
{
    OperatorClass class = own->class;
    if (own->kind != PLACE_LINEAR || whole->kind != PLACE_LINEAR ||
        whole->inner != own->inner)
        return NULL;
    class.outputs = whole->class.outputs;
    return classes_agree(&class, &whole->class)
               ? linear
               : pointwise_as_transposed(region, linear, &whole->class);
}

/* Joined operators: one of them is some of the outputs of the whole, also
 * behind the same nodes: what moves both moves what they give. */
static const Operator *slot_as_operator(Region *region, Part *part,
                                        int whole_place)
{
    int place = part->place;
    while (places_move_alike(region, &place, &whole_place))
        continue;
    const Place *own = &region->places[place];
    const Place *whole = &region->places[whole_place];
    if (own->kind != PLACE_SLOT)
        return own->class.outputs == whole->class.outputs
                   ? given_as_operator(region, part->linear, own, whole)
                   : NULL;
    const Operator *linear = given_as_operator(
        region, part->linear, &region->places[own->inner], whole);
    if (!linear)
        return NULL;
    int64_t start = part->start, outputs = whole->class.outputs;
    part->out = coefs_spread(region->arena, part->out, start, outputs);
    return operator_among(region, linear, start, outputs);
}

/* What passes beside operators as one like the whole: also behind the same
 * nodes, and in the same slot. */
static const Operator *passed_as_operator(Region *region, Part *part,
                                          const Merge *merge)
{
    int own = part->place, whole = merge->part->place;
    if (merge->part->start != part->start)
        return NULL;
    while (places_move_alike(region, &own, &whole))
        part->rows = merge->part->rows;
    part->row_count = part->rows ? merge->part->row_count : 0;
    const Place *slot = &region->places[own], *other = &region->places[whole];
    if (slot->kind == PLACE_SLOT && other->kind == PLACE_SLOT &&
        slot->axis == other->axis && slot->length == other->length) {
        own = slot->inner;
        whole = other->inner;
    }
    return region->places[whole].kind == PLACE_LINEAR
               ? place_as_operator(region, own, &region->places[whole],
                                   merge->whole)
               : NULL;
}

/* The part as an operator like the whole; NULL when it is none. */
static const Operator *part_as_operator(Region *region, Part *part,
                                        const Merge *merge)
{
    if (part->linear && merge->part->place == part->place &&
        merge->part->start == part->start)
        return part->linear;
    if (!part->linear)
        return passed_as_operator(region, part, merge);
    return part->rows || merge->part->rows
               ? NULL
               : slot_as_operator(region, part, merge->part->place);
}

/* ---- Choosing ---- */

static void assignment_make(Region *region, Merges *merges, const Part *part,
                            Assignment *out)
{
    *out = (Assignment){0};
    out->candidates = arena_array(region->arena, (size_t)merges->count + 1,
                                  sizeof *out->candidates);
    for (int i = 0; i < merges->count; i++) {
        Part own = *part;
        Merge *merge = &merges->items[i];
        const Operator *linear = part_as_operator(region, &own, merge);
        if (linear && candidate_make(region, merge, linear, &own,
                                     &out->candidates[out->count]))
            out->count++;
    }
}

/* A search for the parts of each operator, one operator after the other. */
typedef struct Search {
    Region *region;
    Merges *merges;
    Assignment *open; /* parts that several can take */
    int count;
    int tries;
} Search;

static const Candidate *candidate_of(const Assignment *assignment,
                                     const Merge *merge)
{
    for (int i = 0; i < assignment->count; i++)
        if (assignment->candidates[i].merge == merge)
            return &assignment->candidates[i];
    return NULL;
}

/* Parts that the operator may take, and of these those that no later one can;
 * false where there are too many to try. */
static bool parts_open(const Search *search, const Merge *merge, uint64_t *may,
                       uint64_t *must)
{
    *may = *must = 0;
    for (int i = 0; i < search->count; i++) {
        const Assignment *assignment = &search->open[i];
        if (assignment->taken || !candidate_of(assignment, merge))
            continue;
        if (i >= 64)
            return false;
        *may |= UINT64_C(1) << i;
        if (assignment->candidates[assignment->count - 1].merge == merge)
            *must |= UINT64_C(1) << i;
    }
    return true;
}

static void parts_take(Search *search, Merge *merge, uint64_t parts, bool take)
{
    for (int i = 0; i < search->count && i < 64; i++) {
        if (!(parts >> i & 1))
            continue;
        const Candidate *candidate = candidate_of(&search->open[i], merge);
        search->open[i].taken = take;
        if (take)
            candidate_add(candidate);
        else
            candidate_drop(candidate);
    }
}

/* The rows that were tried may be those in which parts have only zeros. */
static bool all_rows_fit(const Search *search)
{
    for (int i = 0; i < search->merges->count; i++)
        if (!merge_fits(search->region, &search->merges->items[i], INT_MAX))
            return false;
    return true;
}

/* Recursion is as deep as there are operators in a sum. */
static bool search_from(Search *search, int index)
{
    if (index == search->merges->count)
        return all_rows_fit(search);
    Merge *merge = &search->merges->items[index];
    uint64_t may, must;
    if (!parts_open(search, merge, &may, &must))
        return false;
    uint64_t chosen = 0, free = may & ~must;
    do {
        parts_take(search, merge, chosen | must, true);
        if (merge_fits(search->region, merge, ROWS_TRIED) &&
            search_from(search, index + 1))
            return true;
        parts_take(search, merge, chosen | must, false);
        chosen = (chosen - free) & free; /* the next subset */
    } while (chosen && search->tries++ < TRIES_MAX);
    return false;
}

/* Where nothing fits, any choice is as good, for comparing will say what does
 * not. */
static void choose(Region *region, Merges *merges, Assignment *open, int count)
{
    Search search = {
        .region = region, .merges = merges, .open = open, .count = count};
    if (count == 0 || search_from(&search, 0))
        return;
    for (int i = 0; i < count; i++)
        candidate_add(&open[i].candidates[0]);
}

static const char *nobody_takes(const Region *region, const Part *part)
{
    if (!part->linear)
        return "what passes unchanged in the original does not in the "
               "converted model";
    return arena_printf(
        region->proof->arena,
        "no operator of the converted model has room for \"%s\"",
        part->linear->node->outputs[0]->name);
}

bool merges_assign(Region *region, Merges *merges, const Part *parts, int count)
{
    Assignment *open =
        arena_array(region->arena, (size_t)count + 1, sizeof *open);
    int open_count = 0;
    for (int i = 0; i < count; i++) {
        Assignment *assignment = &open[open_count];
        assignment_make(region, merges, &parts[i], assignment);
        if (assignment->count == 0) {
            region->proof->why = nobody_takes(region, &parts[i]);
            return false;
        }
        if (assignment->count == 1)
            candidate_add(&assignment->candidates[0]);
        else
            open_count++;
        region_rely(region, FACT_LATTICE);
    }
    choose(region, merges, open, open_count);
    return true;
}

bool merges_make(Region *region, int parts, const Sum *b, Merges *out)
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
        merge->summands = arena_array(region->arena, (size_t)parts + 1,
                                      sizeof *merge->summands);
        merge->y = arena_array(region->arena, outputs, sizeof *merge->y);
        if (part->rows)
            merge->is_read =
                arena_array(region->arena, outputs, sizeof *merge->is_read);
        for (int64_t c = 0; c < part->row_count; c++)
            merge->is_read[part->rows[c]] = true;
        merge->bound =
            arena_array(region->arena, outputs, sizeof *merge->bound);
        merge->drifts =
            arena_array(region->arena, outputs, sizeof *merge->drifts);
    }
    return true;
}
