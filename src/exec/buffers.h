/*
 * The memory of values whose sizes only a run tells, and of constants that are
 * loaded for it; others have their places: see place.c.  A buffer is counted: a
 * reshaped value shares its source's.  One that nobody holds is kept for the
 * next value of about its size, but all buffers together never hold more than
 * the values that were alive together needed.
 */
#ifndef REPFOLD_EXEC_BUFFERS_H
#define REPFOLD_EXEC_BUFFERS_H

#include "base/mem.h"

typedef struct Buffers Buffers;

Buffers *buffers_new(Arena *arena);
/* A buffer, 64-byte aligned, held once. */
void *buffers_take(Buffers *buffers, size_t count, size_t size);
void buffers_share(void *data);
/* True when the caller is the only one to hold it. */
int buffers_alone(const void *data);
void buffers_drop(Buffers *buffers, void *data);

#endif
