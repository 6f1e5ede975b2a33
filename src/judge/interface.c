#include "judge/interface.h"

#include <string.h>

#include "judge/input.h"

typedef struct Values {
    const char *what; /* "input" or "output" */
    const Value *const *items;
    size_t count;
    Map *index; /* from name to item */
} Values;

static Values values_of(Arena *arena, const char *what,
                        const Value *const *items, size_t count)
{
    Values values = {what, items, count, map_new(arena)};
    for (size_t i = 0; i < count; i++)
        map_put(values.index, items[i]->name, (void *)(uintptr_t)&items[i]);
    return values;
}

static const Value *values_find(const Values *values, const char *name)
{
    const Value *const *item = map_get(values->index, name);
    return item ? *item : NULL;
}

static const char *type_difference(Arena *arena, const char *what,
                                   const Value *a, const Value *b)
{
    DType left = a->fact.type, right = b->fact.type;
    if (left == right || !left || !right)
        return NULL;
    return arena_printf(arena,
                        "%s \"%s\" is %s in the first model and %s in the "
                        "second",
                        what, a->name, dtype_name(left), dtype_name(right));
}

/* Only of what is given to a model: what a file says of the shape it gives
 * back may be wrong, and running shows that. */
static const char *shape_difference(Arena *arena, const char *what,
                                    const Value *a, const Value *b)
{
    const Fact *left = &a->fact, *right = &b->fact;
    if (a->producer || b->producer || left->rank < 0 || right->rank < 0)
        return NULL;
    if (left->rank != right->rank)
        return arena_printf(arena,
                            "%s \"%s\" has rank %d in the first model "
                            "and %d in the second",
                            what, a->name, left->rank, right->rank);
    for (int i = 0; i < left->rank; i++)
        if (left->dims[i] >= 0 && right->dims[i] >= 0 &&
            left->dims[i] != right->dims[i])
            return arena_printf(
                arena,
                "axis %d of %s \"%s\" is %lld in the first model and "
                "%lld in the second",
                i, what, a->name, (long long)left->dims[i],
                (long long)right->dims[i]);
    return NULL;
}

/* The i-th of `has` has no partner; by position it may have one. */
static const char *missing(Arena *arena, const char *which, const Values *has,
                           const Values *lacks, size_t i)
{
    const char *name = has->items[i]->name;
    if (has->count == lacks->count)
        return arena_printf(arena,
                            "the %s model has no %s \"%s\", but \"%s\" in its "
                            "place; --by-position (rp_rename) pairs them so",
                            which, has->what, name, lacks->items[i]->name);
    return arena_printf(arena, "the %s model has no %s \"%s\"", which,
                        has->what, name);
}

static const char *values_difference(Arena *arena, const Values *a,
                                     const Values *b)
{
    for (size_t i = 0; i < a->count; i++) {
        const Value *other = values_find(b, a->items[i]->name);
        if (!other)
            return missing(arena, "second", a, b, i);
        const char *difference =
            type_difference(arena, a->what, a->items[i], other);
        if (!difference)
            difference = shape_difference(arena, a->what, a->items[i], other);
        if (difference)
            return difference;
    }
    for (size_t i = 0; i < b->count; i++)
        if (!values_find(a, b->items[i]->name))
            return missing(arena, "first", b, a, i);
    return a->count == b->count
               ? NULL
               : arena_printf(arena, "the models have %zu and %zu %ss",
                              a->count, b->count, a->what);
}

static Values free_inputs(Arena *arena, const Graph *graph)
{
    const Value **items;
    int count = graph_free_inputs(arena, graph, &items);
    return values_of(arena, "input", items, (size_t)count);
}

static Values outputs_of(Arena *arena, const Graph *graph)
{
    return values_of(arena, "output", (const Value *const *)graph->outputs,
                     graph->output_count);
}

/* ---- By position ---- */

static int rename_one(Graph *graph, Value *value, const char *name, Err *err)
{
    const Value *holder = graph_find_value(graph, name);
    if (strcmp(value->name, name) == 0)
        return 0;
    if (value->is_captured || (holder && holder->is_captured))
        return err_set(err, ERR_BAD_INPUT,
                       "\"%s\" cannot be called \"%s\" as in the first model: "
                       "a subgraph reads it by its name",
                       value->name, name);
    graph_swap_name(graph, value, arena_strdup(graph->arena, name));
    return 0;
}

/* Values of the graph, found again since those of a list are constant. */
static int rename_all(Graph *graph, const Values *values, const Values *like,
                      Err *err)
{
    for (size_t i = 0; i < values->count; i++)
        TRY(rename_one(graph, graph_find_value(graph, values->items[i]->name),
                       like->items[i]->name, err));
    return 0;
}

int interface_rename(Model *b, const Model *a, Err *err)
{
    Arena *arena = b->graph->arena;
    Values ins_a = free_inputs(arena, a->graph);
    Values ins_b = free_inputs(arena, b->graph);
    Values outs_a = outputs_of(arena, a->graph);
    Values outs_b = outputs_of(arena, b->graph);
    if (ins_a.count != ins_b.count || outs_a.count != outs_b.count)
        return 0;
    graph_fill_uses(b->graph);
    TRY(rename_all(b->graph, &ins_b, &ins_a, err));
    return rename_all(b->graph, &outs_b, &outs_a, err);
}

/* ---- By name ---- */

const char *interface_difference(Arena *arena, const Model *a, const Model *b)
{
    Values left = free_inputs(arena, a->graph);
    Values right = free_inputs(arena, b->graph);
    const char *difference = values_difference(arena, &left, &right);
    if (difference)
        return difference;
    left = outputs_of(arena, a->graph);
    right = outputs_of(arena, b->graph);
    return values_difference(arena, &left, &right);
}

int *interface_order(Arena *arena, const Value *const *a, const Value *const *b,
                     size_t count)
{
    Values values = values_of(arena, "", b, count);
    int *order = arena_array(arena, count, sizeof *order);
    for (size_t i = 0; i < count; i++) {
        const Value *const *item = map_get(values.index, a[i]->name);
        order[i] = (int)(item - b);
    }
    return order;
}
