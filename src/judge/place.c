/* Places: the tensors that the parts of sums are linear in. */
#include <math.h>
#include <string.h>

#include "judge/merge.h"
#include "judge/same.h"
#include "judge/sum_parts.h"

static int place_add(Region *region, const Place *place)
{
    region->places =
        arena_grow(region->arena, region->places, &region->place_capacity,
                   (size_t)region->place_count + 1, sizeof *region->places);
    region->places[region->place_count] = *place;
    region->places[region->place_count].shape = region->place_count;
    return region->place_count++;
}

int place_base(Region *region, Known *known)
{
    known = known_root(known->scope->is_original ? known
                       : known->twin             ? known->twin
                                                 : known);
    for (int i = 0; i < region->place_count; i++)
        if (region->places[i].kind == PLACE_BASE &&
            region->places[i].base == known)
            return i;
    return place_add(region, &(Place){.kind = PLACE_BASE, .base = known});
}

int place_slot(Region *region, int inner, int axis, int64_t start,
               int64_t length, int shape)
{
    for (int i = 0; i < region->place_count; i++) {
        const Place *place = &region->places[i];
        if (place->kind == PLACE_SLOT && place->inner == inner &&
            place->axis == axis && place->start == start &&
            place->length == length && place->shape == shape)
            return i;
    }
    int made = place_add(region, &(Place){.kind = PLACE_SLOT,
                                          .inner = inner,
                                          .axis = axis,
                                          .start = start,
                                          .length = length});
    region->places[made].shape = shape;
    return made;
}

int place_padded(Region *region, int inner, const Known *inside,
                 const int64_t *around)
{
    Place padded = {.kind = PLACE_PADDED, .inner = inner, .base = inside};
    memcpy(padded.around, around, sizeof padded.around);
    for (int i = 0; i < region->place_count; i++) {
        const Place *place = &region->places[i];
        if (place->kind == PLACE_PADDED && place->inner == inner &&
            memcmp(place->around, around, sizeof place->around) == 0)
            return i;
    }
    return place_add(region, &padded);
}

static int place_of_class(Region *region, const OperatorClass *class, int inner)
{
    for (int i = 0; i < region->place_count; i++) {
        const Place *place = &region->places[i];
        if (place->kind == PLACE_LINEAR && place->inner == inner &&
            classes_agree(&place->class, class))
            return i;
    }
    int made = place_add(
        region,
        &(Place){.kind = PLACE_LINEAR, .inner = inner, .class = *class});
    if (class->keeps_sizes && class->inputs == class->outputs)
        region->places[made].shape = region->places[inner].shape;
    return made;
}

/* Operators of one class side by side are as large as one of them that has the
 * outputs of all. */
static int joined_shape(Region *region, const Place *place, int shape)
{
    const Place *first = &region->places[place->joined[0]];
    OperatorClass class = first->class;
    for (int i = 1; i < place->count; i++) {
        const Place *more = &region->places[place->joined[i]];
        OperatorClass own = more->class;
        own.outputs = class.outputs;
        if (more->kind != PLACE_LINEAR || more->inner != first->inner ||
            !classes_agree(&own, &class))
            return shape;
        class.outputs += more->class.outputs;
    }
    return first->kind == PLACE_LINEAR && place->axis == class.input_axis
               ? region->places[place_of_class(region, &class, first->inner)]
                     .shape
               : shape;
}

int place_join(Region *region, const int *joined, int count, int axis)
{
    size_t bytes = (size_t)count * sizeof *joined;
    for (int i = 0; i < region->place_count; i++) {
        const Place *place = &region->places[i];
        if (place->kind == PLACE_JOIN && place->axis == axis &&
            place->count == count && memcmp(place->joined, joined, bytes) == 0)
            return i;
    }
    Place place = {.kind = PLACE_JOIN, .axis = axis, .count = count};
    place.joined =
        arena_array(region->arena, (size_t)count, sizeof *place.joined);
    memcpy(place.joined, joined, bytes);
    int made = place_add(region, &place);
    int shape = joined_shape(region, &place, made);
    region->places[made].shape = shape;
    return made;
}

/* Two nodes that do the same to their first input. */
static bool does_same(const Place *place, Scope *scope, const Node *node)
{
    if (place->node == node)
        return true;
    return node_same(place->node, node) &&
           inputs_agree(place->scope, place->node, scope, node, 1);
}

/* The same average of the same place, whatever nodes it is written with. */
static bool pools_agree(const Operator *a, const Operator *b)
{
    bool agree = a->spatial == b->spatial && a->outputs == b->outputs &&
                 a->uniform_exact == b->uniform_exact;
    for (int i = 0; agree && i < a->spatial; i++)
        agree = memcmp(&a->axes[i], &b->axes[i], sizeof a->axes[i]) == 0;
    return agree;
}

/* The pool of `like` on another place. */
static int place_of_pool(Region *region, const Place *like, int inner)
{
    for (int i = 0; i < region->place_count; i++) {
        const Place *place = &region->places[i];
        if (place->pool && place->inner == inner &&
            pools_agree(place->pool, like->pool))
            return i;
    }
    Place own = *like;
    own.inner = inner;
    int shape = region->places[place_of_class(region, &own.class, inner)].shape;
    int made = place_add(region, &own);
    region->places[made].shape = shape;
    return made;
}

/* A pool takes the zeros that nodes put around its image for its own padding
 * (ONNX Pad). */
static int place_pool(Region *region, Scope *scope, const Node *node, int inner,
                      const Operator *read)
{
    Operator *pool = arena_alloc(region->arena, sizeof *pool);
    *pool = *read;
    const Fact *input = &scope_known(scope, node->inputs[0])->fact;
    while (node->op != OP_Slice && pad_taken(region, inner, pool)) {
        input = place_inside(&region->places[inner]);
        inner = region->places[inner].inner;
        region_rely(region, FACT_ZERO_PADS);
    }
    Place like = {.kind = PLACE_MOVE,
                  .node = node,
                  .scope = scope,
                  .class = operator_class(pool, input),
                  .pool = pool};
    return place_of_pool(region, &like, inner);
}

int place_moved_alike(Region *region, int like, int inner)
{
    const Place own = region->places[like];
    return own.pool
               ? place_of_pool(region, &own, inner)
               : place_move(region, own.scope, own.node, own.output, inner);
}

int place_move(Region *region, Scope *scope, const Node *node, int output,
               int inner)
{
    Operator pool;
    if (output == 0 && operator_read_pool(scope, node, &pool))
        return place_pool(region, scope, node, inner, &pool);
    for (int i = 0; i < region->place_count; i++) {
        const Place *place = &region->places[i];
        if (place->kind == PLACE_MOVE && !place->pool &&
            place->inner == inner && place->output == output &&
            does_same(place, scope, node))
            return i;
    }
    return place_add(region, &(Place){.kind = PLACE_MOVE,
                                      .inner = inner,
                                      .node = node,
                                      .scope = scope,
                                      .output = output});
}

bool places_move_alike(const Region *region, int *a, int *b)
{
    const Place *one = &region->places[*a], *other = &region->places[*b];
    if (one->kind != PLACE_MOVE || other->kind != PLACE_MOVE ||
        one->output != other->output || !one->pool != !other->pool)
        return false;
    /* A pool has taken in paddings that its node does not show. */
    if (one->pool ? !pools_agree(one->pool, other->pool)
                  : !does_same(one, other->scope, other->node))
        return false;
    *a = one->inner;
    *b = other->inner;
    return true;
}

/* What a pool gives there: its taps read the other place at their offsets. */
static Residue pool_value(const Region *region, const Place *place,
                          int64_t channel, const int64_t *offsets)
{
    static const int64_t here[SPACE_MAX];
    const Operator *pool = place->pool;
    int64_t own[SPACE_MAX];
    Residue total = 0;
    for (int64_t t = 0; t < operator_taps(pool); t++) {
        operator_offsets(pool, t, own);
        for (int i = 0; i < SPACE_MAX; i++)
            own[i] += pool->axes[i].stride * (offsets ? offsets : here)[i];
        /* Pools are nested as deep as a region has nodes: a few. */
        total =
            residue_add(total, place_value(region, place->inner, channel, own));
    }
    return residue_multiply(total, pool->uniform_exact);
}

Residue place_value(const Region *region, int place, int64_t channel,
                    const int64_t *offsets)
{
    while (region->places[place].kind == PLACE_SLOT ||
           region->places[place].from) {
        if (region->places[place].from)
            channel = region->places[place].from[channel];
        place = region->places[place].inner;
    }
    if (region->places[place].pool)
        return pool_value(region, &region->places[place], channel, offsets);
    uint64_t stream = random_stream(region->seed, (uint64_t)place);
    uint64_t index = 0;
    for (int i = 0; offsets && i < SPACE_MAX; i++)
        index = index << 21 ^ (uint64_t)offsets[i];
    return residue_random(random_bits(stream, (uint64_t)channel), index);
}

bool classes_agree(const OperatorClass *a, const OperatorClass *b)
{
    if (a->kind != b->kind || a->spatial != b->spatial ||
        a->inputs != b->inputs || a->outputs != b->outputs ||
        a->input_axis != b->input_axis)
        return false;
    for (int i = 0; i < a->spatial; i++)
        if (a->stride[i] != b->stride[i] || a->extent[i] != b->extent[i] ||
            a->is_sized[i] != b->is_sized[i] || a->far[i] != b->far[i])
            return false;
    return true;
}

int place_linear(Region *region, const Operator *linear, const Fact *shape,
                 int inner)
{
    OperatorClass class = operator_class(linear, shape);
    return place_of_class(region, &class, inner);
}

/* The same but for scale and bias, which are not part of the place. */
static bool norms_same(const Node *a, const Node *b)
{
    bool same = a->op == b->op && a->attr_count == b->attr_count &&
                graph_opset(a->graph) == graph_opset(b->graph);
    for (int i = 0; same && i < a->attr_count; i++)
        same = attr_same(&a->attrs[i], &b->attrs[i]);
    return same;
}

static bool sums_agree(Region *region, const Place *place, Scope *scope,
                       const Node *node, Sum **sums, Match *match)
{
    if (place->node == node && node)
        return true;
    if (place->scope == scope || !place->node != !node)
        return false;
    if (!node)
        return sums_match(region, place, place->sums[0], sums[0], match);
    if (is_norm(node))
        return norms_same(place->node, node) &&
               sums_match(region, place, place->sums[0], sums[0], match);
    if (place->count != node->input_count || !node_same(place->node, node))
        return false;
    for (int i = 0; i < place->count; i++) {
        if (place->sums[i] && sums[i]) {
            if (!sums_match(region, place, place->sums[i], sums[i], match))
                return false;
            continue;
        }
        const Known *a = scope_known(place->scope, place->node->inputs[i]);
        const Known *b = scope_known(scope, node->inputs[i]);
        if (!a != !b || (a && (!a->constant || !b->constant ||
                               !constants_agree(a->constant, b->constant))))
            return false;
    }
    return true;
}

/* Several nodes of the converted graph may be the same one of the original. */
void place_raise(Region *region, Place *place, const Match *match)
{
    const double *bound = match->bound;
    place->is_rounded |= match->is_rounded;
    if (!place->bound || !bound) {
        place->bound = place->bound ? place->bound : bound;
        return;
    }
    int64_t width = place->sums[0]->width;
    double *larger = arena_array(region->arena, (size_t)width, sizeof *larger);
    for (int64_t c = 0; c < width; c++)
        larger[c] = fmax(place->bound[c], bound[c]);
    place->bound = larger;
}

/* Averages and moves do not enlarge differences; weights of a cubic Resize add
 * up to less than 4 in magnitude. */
double place_bound(const Region *region, int place)
{
    double largest = 0, factor = 1;
    const Place *own = &region->places[place];
    while (own->kind == PLACE_MOVE || own->kind == PLACE_SLOT ||
           own->kind == PLACE_PADDED) {
        if (own->kind == PLACE_MOVE)
            factor *= mover_gain(own->scope, own->node);
        own = &region->places[own->inner];
    }
    if (own->kind == PLACE_OPAQUE && own->bound)
        for (int64_t c = 0; c < own->sums[0]->width; c++)
            largest = fmax(largest, own->bound[c]);
    /* Joins are nested as deep as a region has nodes: a few. */
    for (int i = 0; own->kind == PLACE_JOIN && i < own->count; i++)
        largest = fmax(largest, place_bound(region, own->joined[i]));
    return largest > 0 ? factor * largest : 0;
}

bool place_is_rounded(const Region *region, int place)
{
    const Place *own = &region->places[place];
    while (own->kind == PLACE_MOVE || own->kind == PLACE_SLOT ||
           own->kind == PLACE_PADDED || own->kind == PLACE_LINEAR)
        own = &region->places[own->inner];
    bool rounded = own->is_rounded;
    for (int i = 0; own->kind == PLACE_JOIN && i < own->count; i++)
        rounded |= place_is_rounded(region, own->joined[i]);
    return rounded;
}

/* What is left of equal places: the first that no other has taken and no scale
 * went into, for both graphs have them in one order; then the last that no
 * other has taken, and the last of all. */
static bool is_better(const Place *place, const Place *than)
{
    if (!than)
        return true;
    if (place->taken != than->taken)
        return than->taken;
    if (place->is_scaled != than->is_scaled)
        return than->is_scaled;
    return place->taken || place->is_scaled;
}

/* The place of the original that the sums of the converted graph are; -1 where
 * there is none. */
static int opaque_find(Region *region, Scope *scope, const Node *node,
                       Sum **sums, int output)
{
    Place *found = NULL;
    for (int i = 0; i < region->place_count; i++) {
        /* Comparing sums adds no places. */
        Place *place = &region->places[i];
        Match match = {0};
        if (place->kind != PLACE_OPAQUE || place->output != output ||
            !is_better(place, found) ||
            !sums_agree(region, place, scope, node, sums, &match))
            continue;
        place_raise(region, place, &match);
        found = place;
    }
    if (!found)
        return -1;
    found->taken = true;
    return (int)(found - region->places);
}

int place_of_original(Region *region, Scope *scope, Sum **sum)
{
    return opaque_find(region, scope, NULL, sum, 0);
}

int place_opaque(Region *region, Scope *scope, const Node *node, Sum **sums,
                 int output)
{
    for (int i = 0; i < region->place_count; i++)
        if (region->places[i].kind == PLACE_OPAQUE &&
            region->places[i].output == output &&
            region->places[i].sums == sums)
            return i;
    int found = region->is_original
                    ? -1
                    : opaque_find(region, scope, node, sums, output);
    return found >= 0
               ? found
               : place_add(region,
                           &(Place){.kind = PLACE_OPAQUE,
                                    .node = node,
                                    .scope = scope,
                                    .sums = sums,
                                    .count = node ? node->input_count : 1,
                                    .output = output});
}

/* ---- Where channels go ---- */

static Dim product(Symbols *symbols, const Fact *fact, int first, int last)
{
    Dim out = 1;
    for (int i = first; i < last; i++)
        out = dim_combine(symbols, DIM_MUL, out, fact->dims[i]);
    return out;
}

static int transposed_axis(const Node *node, int rank, int axis)
{
    const int64_t *order;
    int64_t count = node_ints(node, "perm", &order);
    if (count < 0)
        return rank - 1 - axis;
    for (int i = 0; count == rank && i < rank; i++)
        if (order[i] == axis)
            return i;
    return -1;
}

/* ReduceMean: without keepdims, axes that go make later ones move up. */
static int reduced_axis(Scope *scope, const Node *node, int rank, int axis)
{
    int64_t axes[RANK_MAX];
    const int64_t *given = axes;
    const Known *list = scope_known(scope, node_input(node, 1));
    int64_t count = list ? constant_ints(list->constant, RANK_MAX, axes)
                         : node_ints(node, "axes", &given);
    int target = axis;
    if (count < 1)
        return -1;
    for (int64_t i = 0; i < count; i++) {
        int64_t gone = given[i] < 0 ? given[i] + rank : given[i];
        if (gone == axis)
            return -1;
        target -= gone < axis && !node_int(node, "keepdims", 1);
    }
    return target;
}

/* Row-major order: an axis stays whole when as many elements stand before it;
 * or it takes in all that follows it. Of several axes of size 1 one that stays
 * in its place is what an operator reads there. */
static int reshaped_axis(Scope *scope, const Fact *in, const Fact *out,
                         int axis, int64_t *repeat)
{
    Symbols *symbols = scope->symbols;
    Dim before = product(symbols, in, 0, axis);
    int found = -1;
    for (int i = 0; i < out->rank; i++)
        if ((found < 0 || i == axis) && out->dims[i] == in->dims[axis] &&
            product(symbols, out, 0, i) == before)
            found = i;
    if (found >= 0)
        return found;
    int last = out->rank - 1;
    int64_t trailing, own;
    Dim rest = product(symbols, in, axis + 1, in->rank);
    if (last < 0 || !dim_is_known(symbols, rest, &trailing) || trailing < 1 ||
        !dim_is_known(symbols, in->dims[axis], &own) ||
        product(symbols, out, 0, last) != before ||
        out->dims[last] != dim_combine(symbols, DIM_MUL, in->dims[axis], rest))
        return -1;
    *repeat = trailing;
    return last;
}

/* As many elements stand before the numbers, and in them and before; axes of
 * size 1 in front of them are left out. */
static bool span_reshaped(Scope *scope, const Fact *in, const Fact *out,
                          const Sum *input, Route *route)
{
    Symbols *symbols = scope->symbols;
    int end = input->axis + input->more + 1;
    if (in->rank < end)
        return false;
    Dim before = product(symbols, in, 0, input->axis);
    Dim within = product(symbols, in, 0, end);
    for (int i = out->rank; i-- > 0;)
        for (int more = 0; more < 2 && i + more < out->rank; more++)
            if (product(symbols, out, 0, i) == before &&
                product(symbols, out, 0, i + more + 1) == within) {
                route->axis = i;
                route->more = more;
                return true;
            }
    return false;
}

/* Rows and columns of numbers change places. */
static bool span_transposed(Region *region, const Known *output,
                            const Sum *input, Route *route)
{
    const Node *node = output->node;
    Scope *scope = output->scope;
    const Fact *in = &scope_known(scope, node->inputs[0])->fact;
    int64_t columns;
    int one = transposed_axis(node, in->rank, input->axis);
    int other = transposed_axis(node, in->rank, input->axis + 1);
    if (input->more != 1 || in->rank <= input->axis + 1 || one < 0 ||
        other < 0 || (one - other != 1 && other - one != 1) ||
        !dim_is_known(scope->symbols, in->dims[input->axis + 1], &columns) ||
        columns < 1 || input->width % columns)
        return false;
    route->axis = one < other ? one : other;
    route->more = 1;
    if (one < other)
        return true;
    int64_t rows = input->width / columns;
    channels_new(region->arena, input->width, 1, &route->channels);
    for (int64_t c = 0; c < input->width; c++)
        route->channels.from[c] = c % rows * columns + c / rows;
    return true;
}

bool span_forward(Region *region, const Known *output, const Sum *input,
                  Route *route)
{
    const Fact *in = &scope_known(output->scope, output->node->inputs[0])->fact;
    if (output->node->op == OP_Reshape)
        return span_reshaped(output->scope, in, &output->fact, input, route);
    return output->node->op == OP_Transpose &&
           span_transposed(region, output, input, route);
}

int axis_forward(Scope *scope, const Node *node, int axis, int64_t *repeat)
{
    const Fact *in = &scope_known(scope, node->inputs[0])->fact;
    const Fact *out = &scope_known(scope, node->outputs[0])->fact;
    *repeat = 1;
    if (axis < 0 || in->rank <= axis || out->rank < 0)
        return -1;
    switch (node->op) {
    case OP_Transpose:
        return transposed_axis(node, in->rank, axis);
    case OP_ReduceMean:
        return reduced_axis(scope, node, in->rank, axis);
    case OP_Reshape:
    case OP_Flatten:
    case OP_Squeeze:
    case OP_Unsqueeze:
        return reshaped_axis(scope, in, out, axis, repeat);
    default:
        return axis_kept(scope, node, axis);
    }
}
