/* A sink that compresses into another (RFC 1952), the same bytes always: no
 * time, no name. */
#ifndef REPFOLD_ONNX_GZIP_H
#define REPFOLD_ONNX_GZIP_H

#include "onnx/onnx.h"

typedef struct Gzip Gzip;

int gzip_start(Arena *arena, Sink *to, Gzip **out, Err *err);
Sink *gzip_sink(Gzip *gzip);
/* Writes what is left. */
int gzip_end(Gzip *gzip, Err *err);

#endif
