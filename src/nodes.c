/* rp_nodes: the main graph, node by node. */
#include <string.h>

#include "api.h"

typedef struct NodesWork {
    rp_model *model;
    rp_node_info *nodes;
    size_t count;
} NodesWork;

/* Kernel and channels of a weight, as far as they are known. */
static const char *detail_of(Arena *arena, const Node *node)
{
    const Value *weight = node_input(node, 1);
    const Fact *fact = weight ? &weight->fact : NULL;
    bool conv = node->op == OP_Conv || node->op == OP_ConvTranspose;
    if (!fact || fact->rank < 2 ||
        (!conv && node->op != OP_Gemm && node->op != OP_MatMul) ||
        !weight->tensor)
        return "";
    long long first = (long long)weight->tensor->dims[0];
    long long second = (long long)weight->tensor->dims[1];
    if (!conv)
        return arena_printf(arena, "%lld x %lld", first, second);
    long long group = (long long)node_int(node, "group", 1);
    const char *kernel = "";
    for (int i = 2; i < weight->tensor->rank; i++)
        kernel = arena_printf(arena, "%s%s%lld", kernel, i > 2 ? "x" : "",
                              (long long)weight->tensor->dims[i]);
    bool forward = node->op == OP_Conv;
    return arena_printf(arena, "%s %lld->%lld%s", kernel,
                        forward ? second * group : first,
                        forward ? first : second * group,
                        group == 1                  ? ""
                        : forward && group == first ? " depthwise"
                                                    : " grouped");
}

/* `reader` tells which node has listed each node last, plus 1. */
static void list_sources(Arena *arena, const Node *node, size_t *reader,
                         rp_node_info *info)
{
    size_t *sources =
        arena_array(arena, (size_t)node->input_count + 1, sizeof *sources);
    for (int i = 0; i < node->input_count; i++) {
        const Node *source = node->inputs[i] ? node->inputs[i]->producer : NULL;
        if (!source || reader[source->index] == node->index + 1)
            continue;
        reader[source->index] = node->index + 1;
        sources[info->source_count++] = source->index;
    }
    info->sources = sources;
}

static int nodes_work(void *context, Err *err)
{
    NodesWork *work = context;
    Arena *arena = work->model->arena;
    Graph *graph = work->model->model->graph;
    const rp_stage_info *stages;
    TRY(graph_infer(graph, err));
    graph_fill_uses(graph);
    int *of_node = arena_array(arena, graph->node_count, sizeof *of_node);
    stages_find(arena, graph, &stages, of_node);
    work->count = graph->node_count;
    work->nodes = arena_array(arena, work->count + 1, sizeof *work->nodes);
    size_t *reader = arena_array(arena, work->count + 1, sizeof *reader);
    for (size_t i = 0; i < work->count; i++) {
        const Node *node = graph->nodes[i];
        const Value *output = node_output(node, 0);
        rp_node_info *info = &work->nodes[i];
        info->output = output ? output->name : "";
        info->name = node->name[0] ? node->name : info->output;
        info->op = op_qualified(arena, node);
        info->detail = detail_of(arena, node);
        info->stage = of_node[i];
        list_sources(arena, node, reader, info);
    }
    return 0;
}

int rp_nodes(rp_model *model, const rp_node_info **nodes, size_t *count,
             rp_error *error)
{
    NodesWork work = {.model = model};
    int status = api_on_model(model, nodes_work, &work, model->path, error);
    *nodes = status < 0 ? NULL : work.nodes;
    *count = status < 0 ? 0 : work.count;
    return status;
}
