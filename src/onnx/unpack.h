/*
 * protobuf-c, fed one element of a file at a time, with an arena for memory.
 * Tensors and graphs inside the element are not unpacked: what comes out is an
 * empty message that knows where in the file the real one is, so no weight is
 * ever copied and a graph is read by the same code at every depth.
 */
#ifndef REPFOLD_ONNX_UNPACK_H
#define REPFOLD_ONNX_UNPACK_H

#include "graph/graph.h"
#include "onnx.pb-c.h"

/* Bytes that scan.h has accepted, as a message of that type; NULL (with err
 * set) only when protobuf-c and the scan disagree. Belongs to the arena. */
void *unpack(Arena *arena, const ProtobufCMessageDescriptor *type, Span bytes,
             Err *err);

/* Where the real bytes are of a TensorProto or GraphProto inside what unpack
 * returned. */
Span unpack_place(const ProtobufCMessage *message);

#endif
