/*
 * Zip archives (PKWARE's APPNOTE 6.3.10) in memory: PyTorch checkpoints and
 * NumPy's .npz.  The central directory rules, with zip64; every entry must lie
 * in front of it, apart from all others, and say of itself what the directory
 * says of it, so that no two readers can see different archives.  Entries are
 * stored or deflated, not encrypted, in one file.
 */
#ifndef REPFOLD_BASE_ZIP_H
#define REPFOLD_BASE_ZIP_H

#include <stdbool.h>

#include "base/err.h"
#include "base/map.h"

typedef struct ZipEntry {
    const char *name;      /* as it stands; not a path to open */
    const uint8_t *packed; /* its data in the archive */
    size_t packed_size;
    size_t size;    /* once decompressed */
    uint64_t place; /* of its local header, from the start */
    uint32_t crc;
    bool is_deflated;
} ZipEntry;

typedef struct Zip {
    ZipEntry *entries; /* in the directory's order */
    size_t count;
    Map *names;
    size_t limit; /* what all entries together may become */
} Zip;

/* True when the bytes begin like an archive. */
bool zip_is(const void *bytes, size_t size);
/* The bytes must outlive the arena. */
int zip_open(Arena *arena, const void *bytes, size_t size, Zip **out, Err *err);
/* NULL when there is none. */
const ZipEntry *zip_find(const Zip *zip, const char *name);
/* The data of an entry, entry->size bytes, its checksum right: in the archive
 * where they are stored there, else a block of the arena. */
int zip_read(Arena *arena, Zip *zip, const ZipEntry *entry, const void **out,
             Err *err);

#endif
