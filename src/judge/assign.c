/*
 * Which part of the original's sum went into which operator of the converted
 * graph?  Often only one can hold it. Where several can, the one is looked for
 * that makes them all fit.
 */
#include "judge/assign.h"

/* Choices that are tried, and rows that must fit. */
enum { CHOICES_MAX = 1 << 12, ROWS_TRIED = 5 };

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
    Candidate *candidates;
    int count, chosen;
} Assignment;

/* False where the part does not fit into the operator. */
static bool candidate_make(Region *region, Merge *merge, const Operator *linear,
                           const Part *part, Candidate *out)
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
    *out =
        (Candidate){.merge = merge, .steps = part->steps + linear->roundings};
    Summand *summand = &out->summand;
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
    const Known *input = scope_known(own->scope, own->node->inputs[0]);
    OperatorClass class = operator_class(own->pool, &input->fact);
    return classes_agree(&class, &whole->class) ? own->pool : NULL;
}

/* Joined operators: one of them is some of the outputs of the whole. */
static const Operator *slot_as_operator(Region *region, Part *part,
                                        const Place *whole)
{
    const Place *slot = &region->places[part->place];
    if (slot->kind != PLACE_SLOT || whole->kind != PLACE_LINEAR ||
        region->places[slot->inner].kind != PLACE_LINEAR)
        return NULL;
    const Place *own = &region->places[slot->inner];
    OperatorClass class = own->class;
    class.outputs = whole->class.outputs;
    if (whole->inner != own->inner || !classes_agree(&class, &whole->class))
        return NULL;
    int64_t start = part->start;
    part->out = coefs_spread(region->arena, part->out, start, class.outputs);
    return operator_among(region, part->linear, start, class.outputs);
}

/* The part as an operator like the whole; NULL when it is none. */
static const Operator *part_as_operator(Region *region, Part *part,
                                        const Merge *merge)
{
    const Place *whole = &region->places[merge->part->place];
    if (part->linear && merge->part->place == part->place &&
        merge->part->start == part->start)
        return part->linear;
    if (part->linear)
        return slot_as_operator(region, part, whole);
    return whole->kind == PLACE_LINEAR && merge->part->start == part->start
               ? place_as_operator(region, part->place, whole, merge->whole)
               : NULL;
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

static bool all_fit(Region *region, const Merges *merges)
{
    for (int i = 0; i < merges->count; i++)
        if (!merge_fits(region, &merges->items[i], ROWS_TRIED))
            return false;
    return true;
}

/* The next choice, as one counts; false after the last. */
static bool choose_next(Assignment *assignments, int count)
{
    for (int i = 0; i < count; i++) {
        Assignment *assignment = &assignments[i];
        assignment->chosen = (assignment->chosen + 1) % assignment->count;
        if (assignment->chosen)
            return true;
    }
    return false;
}

/* Tries all choices; where none fits, any is as good, for comparing will say
 * what does not. */
static void choose(Region *region, Merges *merges, Assignment *assignments,
                   int count)
{
    for (int tried = 0;; tried++) {
        for (int i = 0; i < count; i++)
            candidate_add(&assignments[i].candidates[assignments[i].chosen]);
        if (count == 0 || tried == CHOICES_MAX || all_fit(region, merges))
            return;
        for (int i = 0; i < count; i++)
            candidate_drop(&assignments[i].candidates[assignments[i].chosen]);
        if (!choose_next(assignments, count))
            tried = CHOICES_MAX - 1;
    }
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
        merge->bound =
            arena_array(region->arena, outputs, sizeof *merge->bound);
    }
    return true;
}
