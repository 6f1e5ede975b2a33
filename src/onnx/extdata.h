/*
 * External data: elements that are in other files than the model.  A model
 * comes from a stranger, so what it names is opened only beneath its own
 * folder, along no link, and only a regular file that has no other name.
 * Files are mapped, each once, and stay mapped as long as the arena lives.
 */
#ifndef REPFOLD_ONNX_EXTDATA_H
#define REPFOLD_ONNX_EXTDATA_H

#include <sys/stat.h>

#include "graph/graph.h"

/* A data file. */
typedef struct DataFile {
    struct DataFile *next;
    const char *location; /* as the model names it */
    Span bytes;           /* all of it */
    dev_t device;
    ino_t inode;
    bool is_hashed;
    uint8_t digest[20];
} DataFile;

/* The files of a model. */
typedef struct External {
    Arena *arena;
    const char *folder; /* NULL when there is none: a model from memory */
    int folder_fd;      /* -1 until the first file is opened */
    DataFile *files;    /* in the order in which they were opened */
    DataFile **last;
    Map *by_location;
    struct stat model; /* of the model's own file; st_ino is 0 for none */
    Span map;          /* that file where it is mapped */
} External;

/* `folder` may be NULL. */
External *external_new(Arena *arena, const char *folder);

/* The name as a location that every reader takes: what it cannot have becomes
 * "_", and what is beyond `most` bytes goes. */
const char *external_location(Arena *arena, const char *name, size_t most);

/* The elements of a TensorProto that are in a file. How many there must be is
 * for the caller to check. `arena` is for what a message needs. */
int external_find(External *external, Arena *arena, Span tensor, Span *out,
                  Err *err);

/* Lets go of the memory that reading the files has filled; it is read again
 * where it is needed. */
void external_release(const External *external);

/* Bytes of the files that have been opened. */
size_t external_size(const External *external);

/* True for the device and inode of one of the files. */
bool external_is(const External *external, const struct stat *status);

#endif
