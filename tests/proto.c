#include "proto.h"

#include <check.h>
#include <string.h>

static void put(Proto *message, const void *bytes, size_t size)
{
    ck_assert_uint_le(message->size + size, sizeof message->bytes);
    memcpy(message->bytes + message->size, bytes, size);
    message->size += size;
}

static void put_varint(Proto *message, uint64_t value)
{
    do {
        unsigned char byte = value & 0x7f;
        value >>= 7;
        if (value)
            byte |= 0x80;
        put(message, &byte, 1);
    } while (value);
}

void proto_int(Proto *message, int field, uint64_t value)
{
    put_varint(message, (uint64_t)field << 3);
    put_varint(message, value);
}

void proto_fixed32(Proto *message, int field, float value)
{
    put_varint(message, (uint64_t)field << 3 | 5);
    put(message, &value, sizeof value);
}

void proto_bytes(Proto *message, int field, const void *bytes, size_t size)
{
    put_varint(message, (uint64_t)field << 3 | 2);
    put_varint(message, size);
    put(message, bytes, size);
}

void proto_text(Proto *message, int field, const char *text)
{
    proto_bytes(message, field, text, strlen(text));
}

void proto_message(Proto *message, int field, const Proto *inner)
{
    proto_bytes(message, field, inner->bytes, inner->size);
}

/* ---- Parts of a model; the numbers are onnx.proto's ---- */

enum { FLOAT = 1 };

static void put_names(Proto *node, int field, const char *names)
{
    while (*names) {
        size_t length = strcspn(names, " ");
        proto_bytes(node, field, names, length);
        names += length + (names[length] == ' ');
    }
}

void proto_node(Proto *graph, const char *op, const char *inputs,
                const char *outputs)
{
    Proto node = {.size = 0};
    put_names(&node, 1, inputs);
    put_names(&node, 2, outputs);
    proto_text(&node, 4, op);
    proto_message(graph, 1, &node);
}

typedef struct Shape {
    int type, rank;
    const int64_t *dims;
} Shape;

static void put_value(Proto *graph, int field, const char *name, Shape of)
{
    Proto value = {.size = 0}, type = value, tensor = value, shape = value;
    for (int i = 0; i < of.rank; i++) {
        Proto dim = {.size = 0};
        proto_int(&dim, 1, (uint64_t)of.dims[i]);
        proto_message(&shape, 1, &dim);
    }
    proto_int(&tensor, 1, (uint64_t)of.type);
    proto_message(&tensor, 2, &shape);
    proto_message(&type, 1, &tensor);
    proto_text(&value, 1, name);
    proto_message(&value, 2, &type);
    proto_message(graph, field, &value);
}

void proto_typed_input(Proto *graph, const char *name, int type, int rank,
                       const int64_t *dims)
{
    put_value(graph, 11, name, (Shape){type, rank, dims});
}

void proto_input(Proto *graph, const char *name, int rank, const int64_t *dims)
{
    proto_typed_input(graph, name, FLOAT, rank, dims);
}

void proto_output(Proto *graph, const char *name, int rank, const int64_t *dims)
{
    put_value(graph, 12, name, (Shape){FLOAT, rank, dims});
}

void proto_weight(Proto *graph, const char *name, int rank, const int64_t *dims,
                  const float *values)
{
    Proto tensor = {.size = 0};
    size_t count = 1;
    for (int i = 0; i < rank; i++) {
        proto_int(&tensor, 1, (uint64_t)dims[i]);
        count *= (size_t)dims[i];
    }
    proto_int(&tensor, 2, FLOAT);
    proto_text(&tensor, 8, name);
    proto_bytes(&tensor, 9, values, count * sizeof *values);
    proto_message(graph, 5, &tensor);
}

void proto_model(Proto *model, const Proto *graph)
{
    Proto opset = {.size = 0};
    proto_int(&opset, 2, 17);
    *model = (Proto){.size = 0};
    proto_int(model, 1, 8);
    proto_text(model, 2, "test");
    proto_message(model, 7, graph);
    proto_message(model, 8, &opset);
}
