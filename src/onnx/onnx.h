/*
 * ONNX files to graphs and back: the only folder that sees protobuf.
 */
#ifndef REPFOLD_ONNX_ONNX_H
#define REPFOLD_ONNX_ONNX_H

#include "base/sink.h"
#include "graph/graph.h"

typedef struct ReadOptions {
    size_t max_depth;     /* of nested messages; 0 for 100 */
    const char *data_dir; /* folder of external data; NULL for the model's */
    /* Of a model of the same bytes, which stays open longer; or NULL. */
    struct External *external;
} ReadOptions;

/* The most that reading a file of that size may take, for arena_bound. */
size_t memory_bound(size_t size);

/* Maps the file (a pipe is read to its end; "-" is standard input) and builds
 * the graph. Weights are views into the map, which the arena owns. What is
 * compressed by gzip is decompressed into memory. `options` may be NULL. */
int model_read_file(Arena *arena, const char *path, const ReadOptions *options,
                    Model **out, Err *err);
/* The same from memory that outlives the arena. */
int model_read_memory(Arena *arena, const void *bytes, size_t size,
                      const char *name, const ReadOptions *options, Model **out,
                      Err *err);

/* Serialises, all data inside. A model that did not change and has no external
 * data is its file, byte for byte; otherwise unchanged parts are their original
 * bytes and weights go straight from the map or, for a formula, through a small
 * buffer. */
int model_write(const Model *model, Sink *sink, Err *err);
/* The size of that, which may be more than a file can hold: so the next
 * says. */
int model_written_size(const Model *model, size_t *size, Err *err);
int model_check_size(size_t size, Err *err);

/* Writes a file that is whole or absent: temporary file in the same folder,
 * fsync, rename, fsync of the folder. `input_path` (or NULL) is a file that
 * the output must not be, unless `in_place`. "-" is standard output; a FIFO or
 * device is written as a stream and never replaced. */
typedef enum ExternalData {
    /* As the input has it; beside the model when it would be too big. */
    EXTERNAL_AUTO,
    EXTERNAL_NEVER,
    EXTERNAL_ALWAYS /* of every weight of 1 kB or more */
} ExternalData;

typedef struct SaveOptions {
    const char *input_path;
    bool in_place;
    ExternalData external;
    /* Gets the name of the file beside the model that holds data, in the
     * model's arena, or NULL where there is none; or NULL. */
    const char **data;
} SaveOptions;

/* External data go into the folder of the model, under a name of their own:
 * NAME.CRC.data, after the CRC-32 of the file; never over another file. They
 * are in place before the model is. A model that did not change keeps the
 * names of its data files, which are copied where they are not there yet. What
 * is written to a stream has its data inside, and what is called .gz is
 * compressed. */
int model_save(const Model *model, const char *path, const SaveOptions *options,
               Err *err);
/* Removes the temporary files of this process; for signal handlers. */
void save_cleanup(void);
/* The same as model_save for ready bytes: reports. */
int file_save(Arena *arena, const char *path, const void *bytes, size_t size,
              Err *err);
/* What a file is to hold, made while it is written: .npy. */
typedef struct Content {
    int (*write)(struct Content *self, Sink *sink, Err *err);
    size_t size; /* of all of it; 0 where that is not known */
} Content;
int file_save_content(Arena *arena, const char *path, Content *content,
                      Err *err);

/* One serialised TensorProto (input_0.pb of an ONNX backend test) to a
 * tensor, with its name. */
int tensor_read_file(Arena *arena, const char *path, Tensor **out,
                     const char **name, Err *err);

#endif
