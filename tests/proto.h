/* Small models, byte by byte, so that they may also be wrong ones. */
#ifndef REPFOLD_TESTS_PROTO_H
#define REPFOLD_TESTS_PROTO_H

#include <stddef.h>
#include <stdint.h>

/* A protobuf message being written. */
typedef struct Proto {
    size_t size;
    unsigned char bytes[16384];
} Proto;

void proto_int(Proto *message, int field, uint64_t value);
/* A float. */
void proto_fixed32(Proto *message, int field, float value);
void proto_bytes(Proto *message, int field, const void *bytes, size_t size);
void proto_text(Proto *message, int field, const char *text);
void proto_message(Proto *message, int field, const Proto *inner);

/* Parts of a GraphProto. Lists of names are separated by blanks. */
void proto_node(Proto *graph, const char *op, const char *inputs,
                const char *outputs);
/* An input of a type by its number, and of float32. */
void proto_typed_input(Proto *graph, const char *name, int type, int rank,
                       const int64_t *dims);
void proto_input(Proto *graph, const char *name, int rank, const int64_t *dims);
void proto_output(Proto *graph, const char *name, int rank,
                  const int64_t *dims);
void proto_weight(Proto *graph, const char *name, int rank, const int64_t *dims,
                  const float *values);
/* The ModelProto of a graph, IR 8, opset 17. */
void proto_model(Proto *model, const Proto *graph);

#endif
