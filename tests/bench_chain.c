/*
 * bench_chain COUNT OUT.onnx: a chain of COUNT residual blocks, each a
 * pointwise convolution, a normalization and an Add, to see that conversion is
 * linear in the size of the model.
 */
#include <stdio.h>
#include <stdlib.h>

#include "graph/graph.h"
#include "onnx/onnx.h"

enum { CHANNELS = 4, SIZE = 4 };

/* Numbers between 0.1 and 0.6, the same in every run. */
static Value *parameter(Graph *graph, const char *stem, int rank)
{
    static uint32_t state = 1;
    const int64_t dims[4] = {CHANNELS, CHANNELS, 1, 1};
    void *data;
    Tensor *tensor = tensor_alloc(graph->arena, DT_FLOAT, rank, dims, &data);
    for (int64_t i = 0; i < tensor->count; i++) {
        state = state * 1664525u + 1013904223u;
        ((float *)data)[i] = 0.1f + (float)(state >> 8) * 0x1p-25f;
    }
    return graph_add_initializer(graph, stem, tensor);
}

static Value *block(Graph *graph, Value *x, long number)
{
    Value *conv[2] = {x, parameter(graph, "weight", 4)};
    Value *norm[5] = {graph_fresh_value(graph, "conv")};
    Value *sum[2] = {graph_fresh_value(graph, "norm"), x};
    Value *out = graph_fresh_value(graph, "sum");
    const char *name = arena_printf(graph->arena, "block%ld", number);
    for (int i = 1; i < 5; i++)
        norm[i] = parameter(graph, "parameter", 1);
    graph_add_node(graph, node_new(graph, OP_Conv, name, conv, 2, &norm[0], 1));
    graph_add_node(graph, node_new(graph, OP_BatchNormalization, name, norm, 5,
                                   &sum[0], 1));
    graph_add_node(graph, node_new(graph, OP_Add, name, sum, 2, &out, 1));
    return out;
}

static Value *image(Arena *arena, Value *value)
{
    const int64_t dims[4] = {1, CHANNELS, SIZE, SIZE};
    fact_set(arena, &value->fact, DT_FLOAT, 4, dims);
    return value;
}

static int write_chain(Arena *arena, long count, const char *path, Err *err)
{
    Model *model = model_new(arena);
    Graph *graph = model->graph = graph_new(model, NULL);
    OpsetImport import = {"", 17};
    SaveOptions options = {0};
    model->ir_version = 8;
    model->opset = import.version;
    model->imports = &import;
    model->import_count = 1;
    Value *x = image(arena, graph_fresh_value(graph, "image"));
    graph_add_input(graph, x);
    for (long i = 0; i < count; i++)
        x = block(graph, x, i);
    graph_add_output(graph, image(arena, x));
    return model_save(model, path, &options, err);
}

int main(int argc, char **argv)
{
    Err err = {0};
    Arena *arena = arena_new(0);
    if (argc != 3 || !arena) {
        fprintf(stderr, "usage: bench_chain COUNT OUT.onnx\n");
        return 2;
    }
    int failed = write_chain(arena, strtol(argv[1], NULL, 10), argv[2], &err);
    if (failed)
        fprintf(stderr, "bench_chain: %s: %s\n", argv[2], err.message);
    arena_free(arena);
    return failed ? 2 : 0;
}
