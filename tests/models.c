#include "models.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

Arena *arena;

void models_setup(void)
{
    arena = arena_new(0);
}

void models_teardown(void)
{
    arena_free(arena);
}

Model *model_of(const Proto *file)
{
    Model *model;
    Err err = {0};
    uint8_t *copy = arena_alloc(arena, file->size);
    memcpy(copy, file->bytes, file->size);
    int status = model_read_memory(arena, copy, file->size, "test.onnx", NULL,
                                   &model, &err);
    ck_assert_msg(status == 0, "%s: %s", err_name(err.code), err.message);
    return model;
}

Model *model_of_graph(const Proto *graph)
{
    Proto file;
    proto_model(&file, graph);
    return model_of(&file);
}

void check_refused(const Proto *file, ErrCode code, const char *text)
{
    Model *model;
    Err err = {0};
    int status = model_read_memory(arena, file->bytes, file->size, "test.onnx",
                                   NULL, &model, &err);
    ck_assert_int_eq(status, -1);
    ck_assert_msg(err.code == code, "%s, not %s: %s", err_name(err.code),
                  err_name(code), err.message);
    ck_assert_str_eq(err.file, "test.onnx");
    ck_assert_msg(strstr(err.message, text) != NULL, "%s", err.message);
}

void check_graph_refused(const Proto *graph, ErrCode code, const char *text)
{
    Proto file;
    proto_model(&file, graph);
    check_refused(&file, code, text);
}

typedef struct MemorySink {
    Sink sink;
    uint8_t *bytes;
    size_t size, capacity;
} MemorySink;

static int memory_write(Sink *sink, const void *bytes, size_t size, Err *err)
{
    (void)err;
    MemorySink *memory = (MemorySink *)sink;
    ck_assert_uint_le(memory->size + size, memory->capacity);
    memcpy(memory->bytes + memory->size, bytes, size);
    memory->size += size;
    return 0;
}

Span model_bytes(const Model *model)
{
    MemorySink memory = {.sink = {memory_write}};
    Err err = {0};
    int status = model_written_size(model, &memory.capacity, &err);
    ck_assert_msg(status == 0, "%s", err.message);
    memory.bytes = arena_alloc(arena, memory.capacity);
    status = model_write(model, &memory.sink, &err);
    ck_assert_msg(status == 0, "%s", err.message);
    ck_assert_uint_eq(memory.size, memory.capacity);
    return (Span){memory.bytes, memory.size};
}

Model *model_again(const Model *model)
{
    Model *again;
    Err err = {0};
    Span bytes = model_bytes(model);
    int status = model_read_memory(arena, bytes.bytes, bytes.size, "again.onnx",
                                   NULL, &again, &err);
    ck_assert_msg(status == 0, "%s", err.message);
    return again;
}

void check_same_bytes(Span a, Span b)
{
    ck_assert_uint_eq(a.size, b.size);
    ck_assert_mem_eq(a.bytes, b.bytes, a.size);
}

void for_each_fixture(void (*run)(const char *path))
{
    DIR *folder = opendir("tests/fixtures");
    ck_assert_ptr_nonnull(folder);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        const char *dot = strrchr(entry->d_name, '.');
        if (!dot || strcmp(dot, ".onnx") != 0)
            continue;
        char path[512];
        snprintf(path, sizeof path, "tests/fixtures/%s", entry->d_name);
        run(path);
        count++;
    }
    closedir(folder);
    ck_assert_int_gt(count, 0);
}

/* ---- Parts of a file ---- */

static const int64_t two[] = {2};

void put_raw(Proto *message, const void *bytes, size_t size)
{
    memcpy(message->bytes + message->size, bytes, size);
    message->size += size;
}

/* y = Relu(Add(x, w)) */
void small_graph(Proto *graph)
{
    static const float values[] = {1, 2};
    *graph = (Proto){.size = 0};
    proto_node(graph, "Add", "x w", "a");
    proto_node(graph, "Relu", "a", "y");
    proto_weight(graph, "w", 1, two, values);
    proto_input(graph, "x", 1, two);
    proto_output(graph, "y", 1, two);
}

void put_attribute(Proto *node, const char *name, int field, const void *bytes,
                   size_t size, int type)
{
    Proto attr = {.size = 0};
    proto_text(&attr, 1, name);
    proto_bytes(&attr, field, bytes, size);
    proto_int(&attr, 20, (uint64_t)type);
    proto_message(node, 5, &attr);
}

void put_int(Proto *node, const char *name, int64_t value)
{
    Proto attr = {.size = 0};
    proto_text(&attr, 1, name);
    proto_int(&attr, 3, (uint64_t)value);
    proto_int(&attr, 20, ATTR_INT);
    proto_message(node, 5, &attr);
}

/* A graph of one node, y = op(x), with the attributes in `extra`. */
void node_graph(Proto *graph, const char *op, const Proto *extra)
{
    Proto node = {.size = 0};
    proto_text(&node, 1, "x");
    proto_text(&node, 2, "y");
    proto_text(&node, 3, "the/node");
    proto_text(&node, 4, op);
    put_raw(&node, extra->bytes, extra->size);
    *graph = (Proto){.size = 0};
    proto_message(graph, 1, &node);
    proto_input(graph, "x", 1, two);
    proto_output(graph, "y", 1, two);
}

/* y = If(c) with this graph as both branches. */
void if_graph(Proto *graph, const Proto *branch)
{
    Proto extra = {.size = 0};
    put_attribute(&extra, "then_branch", 6, branch->bytes, branch->size,
                  ATTR_GRAPH);
    put_attribute(&extra, "else_branch", 6, branch->bytes, branch->size,
                  ATTR_GRAPH);
    node_graph(graph, "If", &extra);
}

/* A function of one node: domain.name(x) -> (y). */
void put_function(Proto *file, const char *domain, const char *name,
                  const char *op)
{
    Proto function = {.size = 0}, node = function;
    proto_text(&function, 1, name);
    proto_text(&function, 4, "x");
    proto_text(&function, 5, "y");
    proto_text(&node, 1, "x");
    proto_text(&node, 2, "y");
    proto_text(&node, 4, op);
    Proto attr = {.size = 0};
    proto_text(&attr, 1, "alpha");
    proto_text(&attr, 21, "slope");
    proto_int(&attr, 20, ATTR_FLOAT);
    proto_message(&node, 5, &attr);
    proto_message(&function, 7, &node);
    proto_text(&function, 10, domain);
    proto_message(file, 25, &function);
}

/* ---- Parts of a graph ---- */

Node *find_node(const Graph *graph, const char *name)
{
    for (size_t i = 0; i < graph->node_count; i++)
        if (strcmp(graph->nodes[i]->name, name) == 0)
            return graph->nodes[i];
    return NULL;
}

Value *find_value(const Graph *graph, const char *name)
{
    return map_get(graph->values, name);
}

Value *find_initializer(const Graph *graph, const char *name)
{
    for (size_t i = 0; i < graph->initializer_count; i++)
        if (strcmp(graph->initializers[i]->name, name) == 0)
            return graph->initializers[i];
    return NULL;
}
