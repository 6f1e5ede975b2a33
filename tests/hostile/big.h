/* Files that cost their reader more than their writer. */
#ifndef REPFOLD_TESTS_HOSTILE_BIG_H
#define REPFOLD_TESTS_HOSTILE_BIG_H

#include <stddef.h>

typedef struct Bytes {
    unsigned char *bytes;
    size_t size, capacity;
} Bytes;

void bytes_put(Bytes *to, const void *bytes, size_t size);
void bytes_free(Bytes *bytes);
/* A field of a message: its tag, its length, its bytes. */
void bytes_field(Bytes *to, int field, const void *bytes, size_t size);
/* A model of IR 8, opset 17 with that GraphProto. */
void bytes_model(Bytes *file, const Bytes *graph);

/* `count` times two bytes: an empty message in that field of the graph. */
void big_empty(Bytes *file, int field, size_t count);
/* A node with that many empty attributes, and with that many inputs. */
void big_attributes(Bytes *file, size_t count);
void big_inputs(Bytes *file, size_t count);
/* Relu after Relu. */
void big_chain(Bytes *file, size_t count);
/* The graph, so many times. */
void big_graphs(Bytes *file, size_t count);
/* A type, and a graph, inside one another. */
void big_deep_type(Bytes *file, size_t depth);
void big_deep_graph(Bytes *file, size_t depth);

#endif
