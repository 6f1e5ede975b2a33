/* A file's bytes: mapped where that can be, else read to the end. */
#ifndef REPFOLD_ONNX_INPUT_H
#define REPFOLD_ONNX_INPUT_H

#include <sys/stat.h>

#include "graph/graph.h"

typedef struct InputFile {
    Span bytes;         /* belong to the arena */
    bool is_mapped;     /* else they were read, or decompressed */
    struct stat status; /* of the file */
} InputFile;

/* "-" is standard input. */
int input_open(Arena *arena, const char *path, InputFile *out, Err *err);

#endif
