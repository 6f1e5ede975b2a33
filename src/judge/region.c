#include "judge/region.h"
#include "judge/sum_parts.h"

#include <string.h>

/* Values in a region; those of real networks have a few dozen. */
enum { REGION_MAX = 1 << 14 };

/* A walk back in depth, without recursion. */
typedef struct Visit {
    Known *known;
    int next; /* input to look at */
} Visit;

typedef struct Walk {
    Region *region;
    Visit *stack;
    size_t depth, stack_capacity;
    Known **found;
    size_t count, capacity;
} Walk;

/* ---- Walking ---- */

/* Operators that the algebra looks through. */
static bool is_algebra(const Node *node)
{
    switch (node->op) {
    case OP_Add:
    case OP_Sub:
    case OP_Sum:
    case OP_Mul:
    case OP_Div:
    case OP_Neg:
    case OP_BatchNormalization:
    case OP_Conv:
    case OP_ConvTranspose:
    case OP_Gemm:
    case OP_MatMul:
    case OP_Concat:
    case OP_Pad:
    case OP_ScatterND:
    case OP_Slice:
    case OP_Where:
    case OP_AveragePool:
    case OP_MaxPool:
    case OP_GlobalAveragePool:
    case OP_ReduceMean:
    case OP_Relu:
    case OP_LeakyRelu:
    case OP_PRelu:
    case OP_Expand:
    case OP_Gather:
    case OP_Split:
    case OP_DepthToSpace:
    case OP_SpaceToDepth:
    case OP_Resize:
    case OP_Transpose:
    case OP_Reshape:
    case OP_Flatten:
    case OP_Squeeze:
    case OP_Unsqueeze:
    case OP_Identity:
    case OP_Cast:
    case OP_Dropout:
        return true;
    default:
        return false;
    }
}

static bool is_leaf(const Region *region, const Known *known)
{
    if (!known->scope->is_original)
        return known->twin || (!known->node && !known->same);
    if (known->same)
        return known->stop == region->stamp;
    return !known->node || known->stop == region->stamp ||
           (known->twin && !is_algebra(known->node));
}

static void walk_enter(Walk *walk, Known *known, bool is_end)
{
    Region *region = walk->region;
    if (!known || known->constant || known->stamp == region->stamp)
        return;
    known->stamp = region->stamp;
    if (!is_end && is_leaf(region, known)) {
        Known *root = known_root(
            known->twin && !known->scope->is_original ? known->twin : known);
        if (root->scope->is_original && !known->scope->is_original)
            root->stop = region->stamp;
        return;
    }
    walk->stack = arena_grow(region->arena, walk->stack, &walk->stack_capacity,
                             walk->depth + 1, sizeof *walk->stack);
    walk->stack[walk->depth++] = (Visit){known, 0};
}

static Known *walk_next(const Visit *visit)
{
    const Known *known = visit->known;
    if (known->same)
        return visit->next == 0 ? known->same : NULL;
    return scope_known(known->scope, known->node->inputs[visit->next]);
}

static void walk_back(Walk *walk, Known *end)
{
    Region *region = walk->region;
    walk_enter(walk, end, true);
    while (walk->depth > 0) {
        Visit *visit = &walk->stack[walk->depth - 1];
        int inputs = visit->known->same ? 1 : visit->known->node->input_count;
        if (visit->next < inputs) {
            Known *next = walk_next(visit);
            visit->next++;
            walk_enter(walk, next, false);
            continue;
        }
        walk->found = arena_grow(region->arena, walk->found, &walk->capacity,
                                 walk->count + 1, sizeof *walk->found);
        walk->found[walk->count++] = visit->known;
        walk->depth--;
        if (walk->count > REGION_MAX)
            return;
    }
}

bool regions_find(Region *region, Known *a, Known *b, Regions *out)
{
    *out = (Regions){0};
    Walk converted = {.region = region}, original = {.region = region};
    walk_back(&converted, b);
    walk_back(&original, a);
    if (converted.count > REGION_MAX || original.count > REGION_MAX)
        return false;
    out->original = original.found;
    out->original_count = original.count;
    out->converted = converted.found;
    out->converted_count = converted.count;
    return original.count && converted.count;
}

Sum *regions_read(Region *region, Known *const *values, size_t count,
                  bool is_original)
{
    region->is_original = is_original;
    for (size_t i = 0; i < count; i++) {
        if (values[i]->same)
            region_set(region, values[i], region_sum(region, values[i]->same));
        else
            region_take(region, values[i]);
    }
    sum_settle(region, values[count - 1]->sum);
    return values[count - 1]->sum;
}
