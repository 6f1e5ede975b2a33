/*
 * A file that is whole or absent.  It is written under no name at all
 * (O_TMPFILE) or a temporary one in the folder of the target, synced, renamed
 * over the target, and the folder is synced: whatever happens, and whenever,
 * the target is the old file or the new one.  Files that belong together are
 * first all written and synced, then named, and the most important one last,
 * when the names of the others are synced too.
 */
#ifndef REPFOLD_ONNX_OUTPUT_H
#define REPFOLD_ONNX_OUTPUT_H

#include <sys/stat.h>

#include "onnx/onnx.h"

enum { OUTPUT_NAME_LIMIT = 255 };

typedef struct Output {
    Sink sink; /* first: the sink is the output */
    Arena *arena;
    char *folder, *name;
    /* Folders that were made for it, below that of the first output: the path
     * of the last one, and how much of it is that of the first. NULL when there
     * are none, or they are to stay. */
    const struct Output *first;
    char *made;
    size_t made_from;
    struct stat old; /* of the target, when `exists` */
    bool exists, is_stream;
    bool is_fresh;     /* must not replace anything */
    bool ends_in_hole; /* the last bytes are zeros that were left out */
    int folder_fd, fd; /* -1 when not open */
    int lock_fd;       /* keeps others from taking the file for a left-over */
    char temp[OUTPUT_NAME_LIMIT + 1]; /* "" while the file has no name */
    int slot;      /* of the table that a signal handler reads; -1: none */
    bool is_named; /* a fresh file has its name, until all have theirs */
    off_t written;
    uint8_t *buffer;
    size_t buffered;
} Output;

/* "-" is standard output. Undone with the arena unless it is published. */
int output_open(Arena *arena, const char *path, const SaveOptions *options,
                Output **out, Err *err);
/* Another file, in the folder of the first or one below it, which is made
 * where it is not there. It gets its name before it is published, and then
 * replaces nothing. */
int output_open_beside(const Output *first, const char *folder, Output **out,
                       Err *err);
/* A full disk is better found before the work than after it. */
int output_reserve(Output *output, uint64_t size, Err *err);
/* All that must be on the disk before the file has its name. */
int output_complete(Output *output, Err *err);
/* Gives the files their names, in that order. */
int output_publish(Output *const *outputs, size_t count, Err *err);

#endif
