/*
 * ONNX files to graphs and back: the only folder that sees protobuf.
 */
#ifndef REPFOLD_ONNX_ONNX_H
#define REPFOLD_ONNX_ONNX_H

#include "graph/graph.h"

typedef struct ReadLimits {
    size_t max_depth; /* of nested messages; 0 for 100 */
} ReadLimits;

/* Maps the file (a pipe is read to its end; "-" is standard input) and builds
 * the graph. Weights are views into the map, which the arena owns. */
int model_read_file(Arena *arena, const char *path, const ReadLimits *limits,
                    Model **out, Err *err);
/* The same from memory that outlives the arena. */
int model_read_memory(Arena *arena, const void *bytes, size_t size,
                      const char *name, const ReadLimits *limits, Model **out,
                      Err *err);

/* Where a model is written to, piece by piece. */
typedef struct Sink {
    int (*write)(struct Sink *self, const void *bytes, size_t size, Err *err);
} Sink;

/* Serialises. A model that did not change is its file, byte for byte;
 * otherwise unchanged parts are their original bytes and weights go straight
 * from the map or, for a formula, through a small buffer. */
int model_write(const Model *model, Sink *sink, Err *err);
/* The size model_write will produce. */
int model_written_size(const Model *model, size_t *size, Err *err);

/* Writes a file that is whole or absent: temporary file in the same folder,
 * fsync, rename, fsync of the folder. `input_path` (or NULL) is a file that
 * the output must not be, unless `in_place`. "-" is standard output; a FIFO or
 * device is written as a stream and never replaced. */
typedef struct SaveOptions {
    const char *input_path;
    bool in_place;
} SaveOptions;
int model_save(const Model *model, const char *path, const SaveOptions *options,
               Err *err);
/* The same for ready bytes: reports, .npy. */
int file_save(Arena *arena, const char *path, const void *bytes, size_t size,
              Err *err);

/* One serialised TensorProto (input_0.pb of an ONNX backend test) to a
 * tensor, with its name. */
int tensor_read_file(Arena *arena, const char *path, Tensor **out,
                     const char **name, Err *err);

#endif
