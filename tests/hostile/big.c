#include "big.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Numbers of fields. */
enum {
    MODEL_IR = 1,
    MODEL_GRAPH = 7,
    MODEL_IMPORT = 8,
    GRAPH_NODE = 1,
    GRAPH_NAME = 2,
    GRAPH_INPUT = 11,
    GRAPH_OUTPUT = 12,
    GRAPH_INFO = 13,
    NODE_INPUT = 1,
    NODE_OUTPUT = 2,
    NODE_TYPE = 4,
    NODE_ATTRIBUTE = 5,
    ATTRIBUTE_NAME = 1,
    ATTRIBUTE_GRAPH = 6,
    INFO_NAME = 1,
    INFO_TYPE = 2,
    TYPE_SEQUENCE = 4,
    SEQUENCE_ELEMENT = 1
};

void bytes_put(Bytes *to, const void *bytes, size_t size)
{
    if (to->size + size > to->capacity) {
        to->capacity = 2 * (to->size + size);
        to->bytes = realloc(to->bytes, to->capacity);
        ck_assert_ptr_nonnull(to->bytes);
    }
    if (size > 0)
        memcpy(to->bytes + to->size, bytes, size);
    to->size += size;
}

void bytes_free(Bytes *bytes)
{
    free(bytes->bytes);
    *bytes = (Bytes){0};
}

static void put_varint(Bytes *to, size_t value)
{
    do {
        unsigned char byte = (unsigned char)(value & 0x7f);
        value >>= 7;
        byte |= value ? 0x80 : 0;
        bytes_put(to, &byte, 1);
    } while (value);
}

void bytes_field(Bytes *to, int field, const void *bytes, size_t size)
{
    put_varint(to, (size_t)field << 3 | 2);
    put_varint(to, size);
    bytes_put(to, bytes, size);
}

static void put_text(Bytes *to, int field, const char *text)
{
    bytes_field(to, field, text, strlen(text));
}

static void put_message(Bytes *to, int field, Bytes *message)
{
    bytes_field(to, field, message->bytes, message->size);
    bytes_free(message);
}

static void put_head(Bytes *file)
{
    bytes_put(file, "\x08\x08", 2);
    bytes_field(file, MODEL_IMPORT, "\x10\x11", 2);
}

void bytes_model(Bytes *file, const Bytes *graph)
{
    put_head(file);
    bytes_field(file, MODEL_GRAPH, graph->bytes, graph->size);
}

static void put_model(Bytes *file, Bytes *graph)
{
    bytes_model(file, graph);
    bytes_free(graph);
}

static void put_info(Bytes *graph, int field, const char *name)
{
    Bytes info = {0};
    put_text(&info, INFO_NAME, name);
    put_message(graph, field, &info);
}

static void put_relu(Bytes *graph, const char *from, const char *to)
{
    Bytes node = {0};
    put_text(&node, NODE_INPUT, from);
    put_text(&node, NODE_OUTPUT, to);
    put_text(&node, NODE_TYPE, "Relu");
    put_message(graph, GRAPH_NODE, &node);
}

/* y = Relu(x) */
static void put_small(Bytes *graph)
{
    put_text(graph, GRAPH_NAME, "big");
    put_relu(graph, "x", "y");
    put_info(graph, GRAPH_INPUT, "x");
    put_info(graph, GRAPH_OUTPUT, "y");
}

void big_empty(Bytes *file, int field, size_t count)
{
    Bytes graph = {0};
    for (size_t i = 0; i < count; i++)
        bytes_field(&graph, field, NULL, 0);
    put_small(&graph);
    put_model(file, &graph);
}

static void put_wide(Bytes *file, int field, const char *entry, size_t count)
{
    Bytes graph = {0}, node = {0};
    for (size_t i = 0; i < count; i++)
        put_text(&node, field, entry);
    put_text(&node, NODE_OUTPUT, "y");
    put_text(&node, NODE_TYPE, "Sum");
    put_message(&graph, GRAPH_NODE, &node);
    put_info(&graph, GRAPH_INPUT, "x");
    put_info(&graph, GRAPH_OUTPUT, "y");
    put_model(file, &graph);
}

void big_attributes(Bytes *file, size_t count)
{
    put_wide(file, NODE_ATTRIBUTE, "", count);
}

void big_inputs(Bytes *file, size_t count)
{
    put_wide(file, NODE_INPUT, "x", count);
}

void big_chain(Bytes *file, size_t count)
{
    Bytes graph = {0};
    char from[32], to[32];
    for (size_t i = 0; i < count; i++) {
        snprintf(from, sizeof from, "v%zu", i);
        snprintf(to, sizeof to, "v%zu", i + 1);
        put_relu(&graph, from, to);
    }
    put_info(&graph, GRAPH_INPUT, "v0");
    put_info(&graph, GRAPH_OUTPUT, to);
    put_model(file, &graph);
}

void big_graphs(Bytes *file, size_t count)
{
    Bytes graph = {0};
    put_small(&graph);
    put_head(file);
    for (size_t i = 0; i < count; i++)
        bytes_field(file, MODEL_GRAPH, graph.bytes, graph.size);
    bytes_free(&graph);
}

void big_deep_type(Bytes *file, size_t depth)
{
    Bytes graph = {0}, type = {0}, info = {0};
    for (size_t i = 0; i < depth; i++) {
        Bytes sequence = {0}, outer = {0};
        put_message(&sequence, SEQUENCE_ELEMENT, &type);
        put_message(&outer, TYPE_SEQUENCE, &sequence);
        type = outer;
    }
    put_small(&graph);
    put_text(&info, INFO_NAME, "deep");
    put_message(&info, INFO_TYPE, &type);
    put_message(&graph, GRAPH_INFO, &info);
    put_model(file, &graph);
}

void big_deep_graph(Bytes *file, size_t depth)
{
    Bytes graph = {0};
    put_small(&graph);
    for (size_t i = 0; i < depth; i++) {
        Bytes attribute = {0}, node = {0}, outer = {0};
        put_text(&attribute, ATTRIBUTE_NAME, "then_branch");
        bytes_put(&attribute, "\xa0\x01\x05", 3); /* type: a graph */
        put_message(&attribute, ATTRIBUTE_GRAPH, &graph);
        put_text(&node, NODE_INPUT, "x");
        put_text(&node, NODE_OUTPUT, "y");
        put_text(&node, NODE_TYPE, "If");
        put_message(&node, NODE_ATTRIBUTE, &attribute);
        put_message(&outer, GRAPH_NODE, &node);
        graph = outer;
    }
    put_model(file, &graph);
}
