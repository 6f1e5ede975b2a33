#include "onnx/dataplan.h"

#include <stdlib.h>

/* Offsets: pages for what a runtime may map, else enough for any type. */
enum { PAGE = 4096, ALIGNMENT = 64, MAPPED_LEAST = 64 * 1024 };

size_t data_size(const Tensor *tensor)
{
    return tensor->formula ? (size_t)tensor->count * dtype_size(tensor->type)
                           : tensor->data_size;
}

/* ---- All tensors of a model, in the order of writing ---- */

typedef struct Visit {
    void (*tensor)(struct Visit *self, const Tensor *tensor,
                   bool is_initializer);
} Visit;

static void visit_graph(Visit *visit, const Graph *graph);

static void visit_node(Visit *visit, const Node *node)
{
    for (int i = 0; i < node->attr_count; i++) {
        const Attr *attr = &node->attrs[i];
        size_t count;
        Graph *const *graphs = attr_graphs(attr, &count);
        if (attr_tensor(attr))
            visit->tensor(visit, attr->tensor, false);
        for (size_t k = 0; k < count; k++)
            visit_graph(visit, graphs[k]);
    }
}

/* Recursion is as deep as subgraphs nest, which the reader bounds. */
static void visit_graph(Visit *visit, const Graph *graph)
{
    for (size_t i = 0; i < graph->initializer_count; i++)
        visit->tensor(visit, graph->initializers[i]->tensor, true);
    for (size_t i = 0; i < graph->node_count; i++)
        for (const Node *node = graph->nodes[i]; node; node = node->before)
            if (!node->removed)
                visit_node(visit, node);
}

static void visit_model(Visit *visit, const Model *model)
{
    visit_graph(visit, model->graph);
    for (size_t i = 0; i < model->function_count; i++)
        if (model->functions[i].body)
            visit_graph(visit, model->functions[i].body);
}

typedef struct Count {
    Visit visit; /* first: the visit is the count */
    size_t all, external;
} Count;

static void count_tensor(Visit *visit, const Tensor *tensor,
                         bool is_initializer)
{
    (void)is_initializer;
    Count *count = (Count *)visit;
    count->all++;
    count->external += tensor->is_external;
}

static Count count_tensors(const Model *model)
{
    Count count = {.visit = {count_tensor}};
    visit_model(&count.visit, model);
    return count;
}

size_t data_external_count(const Model *model)
{
    return count_tensors(model).external;
}

/* ---- Places ---- */

typedef struct Placing {
    Visit visit; /* first: the visit is the placing */
    DataPlan *plan;
    DataChoice choice;
} Placing;

/* Nothing is outside the model that has no elements, and no attribute's tensor
 * that was not: runtimes expect initializers. */
static void place_tensor(Visit *visit, const Tensor *tensor,
                         bool is_initializer)
{
    Placing *placing = (Placing *)visit;
    size_t size = data_size(tensor);
    bool joins = is_initializer && size >= DATA_LEAST &&
                 (placing->choice == DATA_OUTSIDE || !tensor->source);
    if (size > 0 && (tensor->is_external || joins))
        placing->plan->places[placing->plan->count++] =
            (DataPlace){.tensor = tensor, .size = size};
}

/* What tells elements apart: where they are, and how many. */
static const void *key_of(const Tensor *tensor)
{
    return tensor->formula ? (const void *)tensor : tensor->data;
}

static int compare_keys(const Tensor *a, const Tensor *b)
{
    uintptr_t x = (uintptr_t)key_of(a), y = (uintptr_t)key_of(b);
    size_t m = data_size(a), n = data_size(b);
    return x != y ? (x < y ? -1 : 1) : m != n ? (m < n ? -1 : 1) : 0;
}

/* Equal ones in the order of writing. */
static int compare_places(const void *a, const void *b)
{
    const DataPlace *x = *(DataPlace *const *)a, *y = *(DataPlace *const *)b;
    int order = compare_keys(x->tensor, y->tensor);
    return order ? order : x < y ? -1 : x > y;
}

static void sort_places(Arena *arena, DataPlan *plan)
{
    plan->by_data = arena_array(arena, plan->count, sizeof *plan->by_data);
    for (size_t i = 0; i < plan->count; i++)
        plan->by_data[i] = &plan->places[i];
    if (plan->count > 0)
        qsort(plan->by_data, plan->count, sizeof *plan->by_data,
              compare_places);
    for (size_t i = 1; i < plan->count; i++)
        plan->by_data[i]->is_copy = compare_keys(plan->by_data[i - 1]->tensor,
                                                 plan->by_data[i]->tensor) == 0;
}

static void set_offsets(DataPlan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        DataPlace *place = &plan->places[i];
        uint64_t step = place->size >= MAPPED_LEAST ? PAGE : ALIGNMENT;
        if (place->is_copy)
            continue;
        place->offset = (plan->size + step - 1) / step * step;
        plan->size = place->offset + place->size;
    }
    for (size_t i = 1; i < plan->count; i++)
        if (plan->by_data[i]->is_copy)
            plan->by_data[i]->offset = plan->by_data[i - 1]->offset;
}

DataPlan *data_plan(Arena *arena, const Model *model, DataChoice choice)
{
    DataPlan *plan = arena_alloc(arena, sizeof *plan);
    Placing placing = {{place_tensor}, plan, choice};
    if (choice == DATA_INSIDE)
        return plan;
    plan->places =
        arena_array(arena, count_tensors(model).all, sizeof *plan->places);
    visit_model(&placing.visit, model);
    sort_places(arena, plan);
    set_offsets(plan);
    return plan;
}

const DataPlace *data_place(const DataPlan *plan, const Tensor *tensor)
{
    size_t low = 0, high = plan && data_size(tensor) > 0 ? plan->count : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_keys(plan->by_data[middle]->tensor, tensor);
        if (order == 0)
            return plan->by_data[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

bool data_moves(const DataPlan *plan, const Tensor *tensor)
{
    return plan && (tensor->is_external || data_place(plan, tensor));
}
