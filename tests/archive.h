/* Zip archives and gzip files, byte by byte, so that they may also be wrong. */
#ifndef REPFOLD_TESTS_ARCHIVE_H
#define REPFOLD_TESTS_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ARCHIVE_ENTRIES = 8, ARCHIVE_BYTES = 1 << 20 };

typedef struct Archive {
    uint8_t *bytes; /* ARCHIVE_BYTES of them */
    size_t size;
    /* Of the records, for tests that damage them. */
    size_t local[ARCHIVE_ENTRIES], central[ARCHIVE_ENTRIES], end;
    size_t count;
    uint8_t directory[4096]; /* until archive_end */
    size_t directory_size;
    bool zip64; /* sizes and places go where zip64 has them */
} Archive;

void archive_start(Archive *archive, uint8_t *bytes);
void archive_add(Archive *archive, const char *name, const void *data,
                 size_t size, bool deflate);
void archive_end(Archive *archive);
/* Overwrites a number of that many bytes. */
void archive_set(Archive *archive, size_t place, int width, uint64_t value);

/* A gzip member; returns its size. */
size_t gzip_pack(const void *data, size_t size, uint8_t *out, size_t room);

#endif
