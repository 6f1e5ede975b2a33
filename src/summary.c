/* What a model is: counts, sizes, stages. */
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "onnx/onnx.h"

/* ---- Multiply-accumulates ---- */

static double dim_or_one(const Symbols *symbols, Dim dim, bool *exact)
{
    int64_t value;
    if (dim_is_known(symbols, dim, &value))
        return (double)value;
    *exact = false;
    return 1;
}

/* The product of dimensions first .. rank-1; 1 when the rank is unknown. */
static double fact_count(const Symbols *symbols, const Fact *fact, int first,
                         bool *exact)
{
    double product = 1;
    if (fact->rank < 0)
        *exact = false;
    for (int i = first; i < fact->rank; i++)
        product *= dim_or_one(symbols, fact->dims[i], exact);
    return product;
}

/* A kernel's elements but for its first axis: of Conv (Cin/group, kernel), of
 * ConvTranspose (Cout/group, kernel). */
static double kernel_taps(const Symbols *symbols, const Node *node, bool *exact)
{
    const Value *weight = node_input(node, 1);
    return weight ? fact_count(symbols, &weight->fact, 1, exact) : 0;
}

double node_macs(const Symbols *symbols, const Node *node, bool *exact)
{
    const Value *x = node_input(node, 0), *y = node_output(node, 0);
    if (!x || !y)
        return 0;
    switch (node->op) {
    case OP_Conv:
        return fact_count(symbols, &y->fact, 0, exact) *
               kernel_taps(symbols, node, exact);
    case OP_ConvTranspose:
        return fact_count(symbols, &x->fact, 0, exact) *
               kernel_taps(symbols, node, exact);
    case OP_Gemm:
    case OP_MatMul: {
        int inner = x->fact.rank - 1;
        if (node->op == OP_Gemm && node_int(node, "transA", 0))
            inner = 0;
        if (inner < 0) {
            *exact = false;
            return 0;
        }
        return fact_count(symbols, &y->fact, 0, exact) *
               dim_or_one(symbols, x->fact.dims[inner], exact);
    }
    default:
        return 0;
    }
}

/* ---- Operators ---- */

typedef struct Census {
    Arena *arena;
    Map *seen;
    rp_op_count **counts;
    size_t count, capacity;
    size_t nodes;
} Census;

const char *op_qualified(Arena *arena, const Node *node)
{
    if (node->domain[0] == '\0' || strcmp(node->domain, "ai.onnx") == 0)
        return node->op_type;
    return arena_printf(arena, "%s.%s", node->domain, node->op_type);
}

static void census_add(Census *census, const Node *node)
{
    const char *name = op_qualified(census->arena, node);
    rp_op_count *entry = map_get(census->seen, name);
    if (!entry) {
        entry = arena_alloc(census->arena, sizeof *entry);
        entry->op = name;
        map_put(census->seen, name, entry);
        census->counts =
            arena_grow(census->arena, census->counts, &census->capacity,
                       census->count + 1, sizeof(rp_op_count *));
        census->counts[census->count++] = entry;
    }
    entry->count++;
    census->nodes++;
}

/* Subgraphs are counted as well; how deep they nest is bounded on reading. */
static void census_walk(Census *census, const Graph *graph)
{
    for (size_t i = 0; i < graph->node_count; i++) {
        const Node *node = graph->nodes[i];
        census_add(census, node);
        for (int k = 0; k < node->attr_count; k++) {
            size_t count;
            Graph *const *graphs = attr_graphs(&node->attrs[k], &count);
            for (size_t g = 0; g < count; g++)
                census_walk(census, graphs[g]);
        }
    }
}

static int by_frequency(const void *a, const void *b)
{
    const rp_op_count *x = a, *y = b;
    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return strcmp(x->op, y->op);
}

static void summarize_ops(Arena *arena, const Graph *graph, rp_summary *summary)
{
    Census census = {.arena = arena, .seen = map_new(arena)};
    census_walk(&census, graph);
    rp_op_count *ops = arena_array(arena, census.count, sizeof *ops);
    for (size_t i = 0; i < census.count; i++)
        ops[i] = *census.counts[i];
    if (census.count > 1)
        qsort(ops, census.count, sizeof *ops, by_frequency);
    summary->nodes = census.nodes;
    summary->ops = ops;
    summary->op_count = census.count;
}

size_t rp_summary_op(const rp_summary *summary, const char *op)
{
    for (size_t i = 0; i < summary->op_count; i++)
        if (strcmp(summary->ops[i].op, op) == 0)
            return summary->ops[i].count;
    return 0;
}

/* ---- Inputs and outputs ---- */

static rp_tensor_info describe_value(Arena *arena, const Symbols *symbols,
                                     const Value *value)
{
    const Fact *fact = &value->fact;
    rp_tensor_info info = {
        .name = value->name,
        .type = fact->type == DT_UNDEFINED ? "" : dtype_name(fact->type),
        .rank = fact->rank,
    };
    if (fact->rank > 0) {
        const char **dims =
            arena_array(arena, (size_t)fact->rank, sizeof *dims);
        for (int i = 0; i < fact->rank; i++)
            dims[i] = dim_text(arena, symbols, fact->dims[i]);
        info.dims = dims;
    }
    return info;
}

static void summarize_values(Arena *arena, const Graph *graph,
                             rp_summary *summary)
{
    const Symbols *symbols = graph->model->symbols;
    rp_tensor_info *inputs =
        arena_array(arena, graph->input_count, sizeof *inputs);
    for (size_t i = 0; i < graph->input_count; i++)
        if (!graph->inputs[i]->is_initializer)
            inputs[summary->input_count++] =
                describe_value(arena, symbols, graph->inputs[i]);
    rp_tensor_info *outputs =
        arena_array(arena, graph->output_count, sizeof *outputs);
    for (size_t i = 0; i < graph->output_count; i++)
        outputs[summary->output_count++] =
            describe_value(arena, symbols, graph->outputs[i]);
    summary->inputs = inputs;
    summary->outputs = outputs;
}

static void summarize_weights(const Graph *graph, rp_summary *summary)
{
    for (size_t i = 0; i < graph->initializer_count; i++) {
        const Tensor *tensor = graph->initializers[i]->tensor;
        if (!tensor)
            continue;
        summary->parameters += (uint64_t)tensor->count;
        summary->weight_bytes +=
            (uint64_t)tensor->count * dtype_size(tensor->type);
    }
}

/* ---- Stages ---- */

typedef struct Stage {
    rp_stage_info info;
    int place; /* in the list */
} Stage;

typedef struct StageList {
    Arena *arena;
    const Symbols *symbols;
    Map *by_size;
    Map *counted; /* initializers that already belong to a stage */
    Stage **stages;
    size_t count, capacity;
    Stage *current;
} StageList;

static Stage *stage_of_size(StageList *list, const char *size)
{
    Stage *stage = map_get(list->by_size, size);
    if (stage)
        return stage;
    stage = arena_alloc(list->arena, sizeof *stage);
    *stage = (Stage){{.size = size, .channels = ""}, (int)list->count};
    map_put(list->by_size, size, stage);
    list->stages = arena_grow(list->arena, list->stages, &list->capacity,
                              list->count + 1, sizeof(Stage *));
    list->stages[list->count++] = stage;
    return stage;
}

/* "64x64", or NULL where the node tells nothing about where the network is:
 * only convolutions do, and a 1x1 map is a gate or a head, not a stage. */
static const char *spatial_size(const StageList *list, const Node *node)
{
    const Value *y = node_output(node, 0);
    if ((node->op != OP_Conv && node->op != OP_ConvTranspose) || !y ||
        y->fact.rank < 3)
        return NULL;
    const char *size = "";
    bool gate = true;
    for (int i = 2; i < y->fact.rank; i++) {
        Dim dim = y->fact.dims[i];
        gate = gate && dim == 1;
        size = arena_printf(list->arena, "%s%s%s", size, i > 2 ? "x" : "",
                            dim_text(list->arena, list->symbols, dim));
    }
    return gate ? NULL : size;
}

static uint64_t own_parameters(StageList *list, const Node *node)
{
    uint64_t total = 0;
    for (int i = 0; i < node->input_count; i++) {
        Value *value = node->inputs[i];
        if (!value || !value->is_initializer || !value->tensor ||
            map_get(list->counted, value->name))
            continue;
        map_put(list->counted, value->name, value);
        total += (uint64_t)value->tensor->count;
    }
    return total;
}

static void stage_add(StageList *list, const Node *node)
{
    const char *size = spatial_size(list, node);
    if (size) {
        list->current = stage_of_size(list, size);
        list->current->info.convs++;
        list->current->info.channels = dim_text(
            list->arena, list->symbols, node_output(node, 0)->fact.dims[1]);
    }
    if (!list->current)
        return;
    bool exact = true;
    rp_stage_info *info = &list->current->info;
    info->nodes++;
    info->parameters += own_parameters(list, node);
    info->macs += node_macs(list->symbols, node, &exact);
}

size_t stages_find(Arena *arena, const Graph *graph,
                   const rp_stage_info **stages, int *of_node)
{
    StageList list = {
        .arena = arena,
        .symbols = graph->model->symbols,
        .by_size = map_new(arena),
        .counted = map_new(arena),
    };
    for (size_t i = 0; i < graph->node_count; i++) {
        stage_add(&list, graph->nodes[i]);
        of_node[i] = list.current ? list.current->place : -1;
    }
    rp_stage_info *found = arena_array(arena, list.count, sizeof *found);
    for (size_t i = 0; i < list.count; i++)
        found[i] = list.stages[i]->info;
    *stages = found;
    return list.count;
}

static void summarize_stages(Arena *arena, const Graph *graph,
                             rp_summary *summary)
{
    int *of_node = arena_array(arena, graph->node_count, sizeof *of_node);
    summary->stage_count = stages_find(arena, graph, &summary->stages, of_node);
}

/* ---- All of it ---- */

typedef struct SummaryWork {
    rp_model *model;
    rp_summary *summary;
} SummaryWork;

static void summarize_macs(const Graph *graph, rp_summary *summary)
{
    bool exact = true;
    for (size_t i = 0; i < graph->node_count; i++)
        summary->macs +=
            node_macs(graph->model->symbols, graph->nodes[i], &exact);
    summary->macs_are_exact = exact;
}

static const char *producer_text(Arena *arena, const Model *model)
{
    const char *name = model->producer_name ? model->producer_name : "";
    const char *version =
        model->producer_version ? model->producer_version : "";
    return arena_printf(arena, "%s%s%s", name, *name && *version ? " " : "",
                        version);
}

static int summary_work(void *context, Err *err)
{
    SummaryWork *work = context;
    Arena *arena = work->model->arena;
    Model *model = work->model->model;
    Graph *graph = model->graph;
    rp_summary *summary = arena_alloc(arena, sizeof *summary);
    size_t bytes;
    TRY(graph_infer(graph, err));
    TRY(model_written_size(model, &bytes, err));
    summary->path = work->model->path;
    summary->producer = producer_text(arena, model);
    summary->ir_version = model->ir_version;
    summary->opset = model->opset;
    summary->file_bytes = bytes;
    summarize_ops(arena, graph, summary);
    summarize_values(arena, graph, summary);
    summarize_weights(graph, summary);
    summarize_macs(graph, summary);
    summarize_stages(arena, graph, summary);
    blocks_find(arena, graph, &summary->blocks, &summary->block_count);
    work->summary = summary;
    return 0;
}

int rp_summarize(rp_model *model, const rp_summary **summary, rp_error *error)
{
    SummaryWork work = {.model = model};
    int status = api_on_model(model, summary_work, &work, model->path, error);
    *summary = status < 0 ? NULL : work.summary;
    return status;
}
