/* A file's bytes: mapped where that can be, else read to the end. */
#ifndef REPFOLD_BASE_INPUT_H
#define REPFOLD_BASE_INPUT_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/span.h"

typedef struct InputFile {
    Span bytes;         /* belong to the arena */
    bool is_mapped;     /* else they were read, or decompressed */
    struct stat status; /* of the file */
} InputFile;

/* Of at most so many bytes; "-" is standard input. */
int input_open(Arena *arena, const char *path, size_t most, InputFile *out,
               Err *err);

#endif
