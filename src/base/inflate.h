/*
 * Compressed data (RFC 1951, RFC 1952), by zlib with an arena for memory, and
 * the bound on what it may become: a few bytes can stand for a thousand times
 * as many.
 */
#ifndef REPFOLD_BASE_INFLATE_H
#define REPFOLD_BASE_INFLATE_H

#include "base/err.h"
#include "base/mem.h"

/* What `packed` bytes may become: all that the arena's budget has left, or
 * without a budget 8 times as much and at least 32 MiB. */
size_t inflate_limit(const Arena *arena, size_t packed);
/* The error of what would become more. */
int inflate_refuse(size_t limit, Err *err);

/* A raw stream that fills `out` exactly. */
int inflate_raw(Arena *arena, const void *packed, size_t packed_size, void *out,
                size_t size, Err *err);

/* A gzip file, of one member or several; the bytes are a block of the arena. */
int inflate_gzip(Arena *arena, const void *packed, size_t packed_size,
                 void **out, size_t *size, Err *err);

/* For a z_stream whose opaque pointer is an arena. */
void *zlib_alloc(void *arena, unsigned count, unsigned size);
void zlib_free(void *arena, void *memory);

/* CRC-32, as both formats have it, of what came before and these bytes; it
 * begins as 0. */
uint32_t crc_add(uint32_t crc, const void *bytes, size_t size);

#endif
