/*
 * The pre-scan: one pass over the bytes, without allocation, that leaves
 * nothing for the rest of the reader to trip over.  After it: every length is
 * inside its message, every known field has its wire type, singular fields
 * come once (so that nothing is merged), strings are UTF-8 without NUL, and
 * messages nest no deeper than the limit.
 */
#ifndef REPFOLD_ONNX_SCAN_H
#define REPFOLD_ONNX_SCAN_H

#include "graph/graph.h"

/* Of a ModelProto; *external is how many tensors have external data. `depth` is
 * that of nested messages, 0 for 100, as protobuf has it.  A file that is
 * something else altogether is told by name where that can be guessed: "looks
 * like a PNG image". */
int scan_model(Span bytes, size_t depth, size_t *external, Err *err);
/* Of a single TensorProto. */
int scan_tensor(Span bytes, Err *err);

/* What the bytes look like ("a PNG image"), or NULL. */
const char *scan_guess(Span bytes);

#endif
