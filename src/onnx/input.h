/* A file's bytes: mapped where that can be, else read to the end. */
#ifndef REPFOLD_ONNX_INPUT_H
#define REPFOLD_ONNX_INPUT_H

#include "graph/graph.h"

/* The bytes belong to the arena. "-" is standard input. */
int input_open(Arena *arena, const char *path, Span *out, Err *err);

#endif
