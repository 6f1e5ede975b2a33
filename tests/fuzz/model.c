#include "model.h"

#include <string.h>

#include "onnx/onnx.h"
#include "onnx/pack.h"

Model *fuzz_read(Arena *arena, Span file, Err *err)
{
    ReadOptions limits = {0};
    Model *model = NULL;
    if (model_read_memory(arena, file.bytes, file.size, "fuzz.onnx", &limits,
                          &model, err) < 0)
        return NULL;
    graph_fill_uses(model->graph);
    return model;
}

typedef struct Buffer {
    Sink sink; /* first, so that a sink leads back here */
    Arena *arena;
    uint8_t *bytes;
    size_t size, capacity;
} Buffer;

static int buffer_write(Sink *self, const void *bytes, size_t size, Err *err)
{
    Buffer *buffer = (Buffer *)self;
    (void)err;
    buffer->bytes = arena_grow(buffer->arena, buffer->bytes, &buffer->capacity,
                               buffer->size + size, 1);
    if (size)
        memcpy(buffer->bytes + buffer->size, bytes, size);
    buffer->size += size;
    return 0;
}

int fuzz_write(Arena *arena, const Model *model, Span *file, Err *err)
{
    Buffer buffer = {.sink = {buffer_write}, .arena = arena};
    TRY(model_write(model, &buffer.sink, err));
    *file = (Span){buffer.bytes, buffer.size};
    return 0;
}

/* Recursion is as deep as the generator nests subgraphs. */
static void detach_graph(Graph *graph)
{
    graph->source = (Span){0};
    for (size_t i = 0; i < graph->node_count; i++) {
        Node *node = graph->nodes[i];
        node->source = (Span){0};
        for (int k = 0; k < node->attr_count; k++) {
            node->attrs[k].source = (Span){0};
            if (attr_graph(&node->attrs[k]))
                detach_graph(node->attrs[k].graph);
        }
    }
}

void fuzz_detach(Model *model)
{
    model->file = (Span){0};
    detach_graph(model->graph);
}

/* A field of bytes of a protobuf message. */
static void put_field(Buffer *buffer, unsigned field, const void *bytes,
                      size_t size)
{
    uint64_t varints[2] = {(uint64_t)field << 3 | 2, size};
    for (int i = 0; i < 2; i++)
        do {
            uint8_t byte = varints[i] & 0x7f;
            varints[i] >>= 7;
            byte |= varints[i] ? 0x80 : 0;
            buffer_write(&buffer->sink, &byte, 1, NULL);
        } while (varints[i]);
    buffer_write(&buffer->sink, bytes, size, NULL);
}

static void put_text(Buffer *buffer, unsigned field, const char *text)
{
    put_field(buffer, field, text, strlen(text));
}

int fuzz_pack(Arena *arena, const Model *model, Span *file, Err *err)
{
    enum { FUNCTIONS = 25 };
    Buffer buffer = {.sink = {buffer_write}, .arena = arena};
    TRY(model_write(model, &buffer.sink, err));
    for (size_t i = 0; i < model->function_count; i++)
        put_field(&buffer, FUNCTIONS, model->functions[i].source.bytes,
                  model->functions[i].source.size);
    *file = (Span){buffer.bytes, buffer.size};
    return 0;
}

/* The pieces of a rope in a row. */
static void put_rope(Buffer *buffer, unsigned field, const Rope *rope)
{
    Buffer inner = {.sink = {buffer_write}, .arena = buffer->arena};
    for (const Piece *piece = rope->first; piece; piece = piece->next)
        buffer_write(&inner.sink, piece->bytes, piece->size, NULL);
    put_field(buffer, field, inner.bytes, inner.size);
}

Span fuzz_function(Arena *arena, const Graph *body, const char *domain)
{
    enum { NAME = 1, INPUT = 4, OUTPUT = 5, NODE = 7, OPSET = 9, DOMAIN = 10 };
    uint8_t opset[] = {2 << 3, (uint8_t)body->model->opset};
    Buffer function = {.sink = {buffer_write}, .arena = arena};
    Err err = {0};
    Writer writer = {.arena = arena, .model = body->model, .err = &err};
    put_text(&function, NAME, body->name);
    for (size_t i = 0; i < body->input_count; i++)
        put_text(&function, INPUT, body->inputs[i]->name);
    for (size_t i = 0; i < body->output_count; i++)
        put_text(&function, OUTPUT, body->outputs[i]->name);
    for (size_t i = 0; i < body->node_count; i++) {
        Rope node = pack_node(&writer, body->nodes[i]);
        put_rope(&function, NODE, &node);
    }
    put_field(&function, OPSET, opset, sizeof opset);
    put_text(&function, DOMAIN, domain);
    return (Span){function.bytes, function.size};
}

Span fuzz_namesake(Arena *arena, const char *domain)
{
    enum { NAME = 1, INPUT = 4, OUTPUT = 5, NODE = 7, OPSET = 9, DOMAIN = 10 };
    static const char *const inputs[] = {"x", "s", "b", "m", "v"};
    static const uint8_t opset[] = {2 << 3, 13};
    Buffer function = {.sink = {buffer_write}, .arena = arena};
    Buffer node = function;
    put_text(&node, 1, "x");
    put_text(&node, 2, "y");
    put_text(&node, 4, "Neg");
    put_text(&function, NAME, "BatchNormalization");
    for (int i = 0; i < 5; i++)
        put_text(&function, INPUT, inputs[i]);
    put_text(&function, OUTPUT, "y");
    put_field(&function, NODE, node.bytes, node.size);
    put_field(&function, OPSET, opset, sizeof opset);
    put_text(&function, DOMAIN, domain);
    return (Span){function.bytes, function.size};
}
