#include "archive.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { RAW = -MAX_WBITS, GZIP = 16 + MAX_WBITS };

/* Not Check's: fuzz targets, which it does not run, use archives as well. */
static void must(bool holds)
{
    if (!holds)
        abort();
}

static void set(uint8_t *at, int width, uint64_t value)
{
    for (int i = 0; i < width; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

void archive_set(Archive *archive, size_t place, int width, uint64_t value)
{
    must(place + (size_t)width <= archive->size);
    set(archive->bytes + place, width, value);
}

static void put(Archive *archive, const void *bytes, size_t size)
{
    must(archive->size + size <= ARCHIVE_BYTES);
    memcpy(archive->bytes + archive->size, bytes, size);
    archive->size += size;
}

static size_t pack(const void *data, size_t size, int format, uint8_t *out,
                   size_t room)
{
    z_stream stream = {.next_in = (uint8_t *)(uintptr_t)data,
                       .avail_in = (unsigned)size,
                       .next_out = out,
                       .avail_out = (unsigned)room};
    must(deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, format, 8,
                      Z_DEFAULT_STRATEGY) == Z_OK);
    must(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    deflateEnd(&stream);
    return stream.total_out;
}

size_t gzip_pack(const void *data, size_t size, uint8_t *out, size_t room)
{
    return pack(data, size, GZIP, out, room);
}

void archive_start(Archive *archive, uint8_t *bytes)
{
    *archive = (Archive){.bytes = bytes};
}

static void add_central(Archive *archive, const uint8_t *local,
                        const char *name, size_t size, size_t packed)
{
    size_t length = strlen(name), place = archive->size;
    uint8_t *central = archive->directory + archive->directory_size;
    uint8_t extra[28] = {1, 0, 24};
    set(central, 4, 0x02014b50);
    set(central + 4, 2, 45);
    memcpy(central + 6, local + 4, 26);
    set(central + 42, 4, archive->zip64 ? UINT32_MAX : place);
    memcpy(central + 46, name, length);
    archive->central[archive->count] = archive->directory_size;
    archive->local[archive->count++] = place;
    archive->directory_size += 46 + length;
    if (!archive->zip64)
        return;
    set(central + 20, 8, UINT64_MAX);
    set(central + 30, 2, sizeof extra);
    set(extra + 4, 8, size);
    set(extra + 12, 8, packed);
    set(extra + 20, 8, place);
    memcpy(central + 46 + length, extra, sizeof extra);
    archive->directory_size += sizeof extra;
}

void archive_add(Archive *archive, const char *name, const void *data,
                 size_t size, bool deflate)
{
    static uint8_t packed[ARCHIVE_BYTES];
    uint8_t local[30] = {0};
    size_t length = strlen(name), taken = size;
    if (deflate)
        taken = pack(data, size, RAW, packed, sizeof packed);
    set(local, 4, 0x04034b50);
    set(local + 4, 2, 20);
    set(local + 8, 2, deflate ? 8 : 0);
    set(local + 14, 4, crc32(0, data, (unsigned)size));
    set(local + 18, 4, taken);
    set(local + 22, 4, size);
    set(local + 26, 2, length);
    add_central(archive, local, name, size, taken);
    put(archive, local, sizeof local);
    put(archive, name, length);
    put(archive, deflate ? packed : data, taken);
}

static void put_end64(Archive *archive, size_t directory)
{
    uint8_t record[56] = {0}, locator[20] = {0};
    size_t place = archive->size;
    set(record, 4, 0x06064b50);
    set(record + 4, 8, sizeof record - 12);
    set(record + 24, 8, archive->count);
    set(record + 32, 8, archive->count);
    set(record + 40, 8, archive->directory_size);
    set(record + 48, 8, directory);
    set(locator, 4, 0x07064b50);
    set(locator + 8, 8, place);
    set(locator + 16, 4, 1);
    put(archive, record, sizeof record);
    put(archive, locator, sizeof locator);
}

void archive_end(Archive *archive)
{
    uint8_t end[22] = {0};
    size_t directory = archive->size;
    for (size_t i = 0; i < archive->count; i++)
        archive->central[i] += directory;
    put(archive, archive->directory, archive->directory_size);
    if (archive->zip64)
        put_end64(archive, directory);
    set(end, 4, 0x06054b50);
    set(end + 8, 2, archive->count);
    set(end + 10, 2, archive->count);
    set(end + 12, 4, archive->directory_size);
    set(end + 16, 4, archive->zip64 ? UINT32_MAX : directory);
    archive->end = archive->size;
    put(archive, end, sizeof end);
}
