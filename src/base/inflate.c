#include "base/inflate.h"

#include <limits.h>
#include <string.h>
#include <zlib.h>

enum { RATIO = 8, ALWAYS_ALLOWED = 32 << 20, AT_ONCE = 1 << 30 };

size_t inflate_limit(const Arena *arena, size_t packed)
{
    size_t room = arena_room(arena);
    if (room < SIZE_MAX)
        return room;
    size_t limit = packed > SIZE_MAX / RATIO ? SIZE_MAX : packed * RATIO;
    return limit < ALWAYS_ALLOWED ? ALWAYS_ALLOWED : limit;
}

int inflate_refuse(size_t limit, Err *err)
{
    return err_set(err, ERR_BUDGET,
                   "it becomes more than %zu bytes when it is decompressed",
                   limit);
}

void *zlib_alloc(void *arena, unsigned count, unsigned size)
{
    return arena_block(arena, count, size);
}

void zlib_free(void *arena, void *memory)
{
    (void)arena;
    arena_release(memory);
}

/* zlib counts in 32 bits; what is left of either side stays outside. */
typedef struct Inflate {
    z_stream stream;
    const uint8_t *in;
    size_t in_left;
    uint8_t *out;
    size_t out_left;
} Inflate;

static unsigned portion(size_t left)
{
    return left < AT_ONCE ? (unsigned)left : AT_ONCE;
}

/* Goes on until the stream ends, fails, or one side is used up. */
static int inflate_some(Inflate *inflation)
{
    z_stream *stream = &inflation->stream;
    int status = Z_OK;
    while (status == Z_OK) {
        unsigned in = portion(inflation->in_left);
        unsigned out = portion(inflation->out_left);
        stream->next_in = (uint8_t *)(uintptr_t)inflation->in;
        stream->avail_in = in;
        stream->next_out = inflation->out;
        stream->avail_out = out;
        status = inflate(stream, Z_NO_FLUSH);
        inflation->in += in - stream->avail_in;
        inflation->in_left -= in - stream->avail_in;
        inflation->out += out - stream->avail_out;
        inflation->out_left -= out - stream->avail_out;
    }
    return status;
}

static int start(Inflate *inflation, Arena *arena, int window, Err *err)
{
    inflation->stream.zalloc = zlib_alloc;
    inflation->stream.zfree = zlib_free;
    inflation->stream.opaque = arena;
    if (inflateInit2(&inflation->stream, window) != Z_OK)
        return err_set(err, ERR_MEMORY, "out of memory");
    return 0;
}

int inflate_raw(Arena *arena, const void *packed, size_t packed_size, void *out,
                size_t size, Err *err)
{
    /* zlib wants room to see the end of the stream in. */
    uint8_t none;
    Inflate inflation = {.in = packed,
                         .in_left = packed_size,
                         .out = size > 0 ? out : &none,
                         .out_left = size};
    TRY(start(&inflation, arena, -MAX_WBITS, err));
    int status = inflate_some(&inflation);
    inflateEnd(&inflation.stream);
    if (status != Z_STREAM_END || inflation.in_left || inflation.out_left)
        return err_set(err, ERR_BAD_ARCHIVE,
                       "its compressed data are damaged, or do not have the "
                       "size that is stated");
    return 0;
}

/* More room for what comes out, within the limit. */
static int enlarge(Arena *arena, Inflate *inflation, uint8_t **bytes,
                   size_t *capacity, size_t limit, Err *err)
{
    if (*capacity == limit)
        return inflate_refuse(limit, err);
    size_t larger = *capacity > limit / 2 ? limit : *capacity * 2;
    uint8_t *copy = arena_block(arena, larger, 1);
    memcpy(copy, *bytes, *capacity);
    arena_release(*bytes);
    inflation->out = copy + *capacity;
    inflation->out_left = larger - *capacity;
    *bytes = copy;
    *capacity = larger;
    return 0;
}

static int damaged(const Inflate *inflation, int status, Err *err)
{
    if (status == Z_BUF_ERROR && inflation->in_left == 0)
        return err_set(err, ERR_TRUNCATED, "the gzip file is cut off");
    return err_set(err, ERR_BAD_ARCHIVE, "its gzip data are damaged");
}

/* The size of the last member, modulo 2^32, is at its end: mostly all there is.
 */
static size_t first_capacity(const Inflate *inflation, size_t limit)
{
    enum { LEAST = 4096, SIZE_BYTES = 4 };
    uint32_t told = 0;
    if (inflation->in_left >= SIZE_BYTES)
        memcpy(&told, inflation->in + inflation->in_left - SIZE_BYTES,
               SIZE_BYTES);
    size_t guess = told < LEAST ? LEAST : told;
    return guess < limit ? guess : limit;
}

static int inflate_members(Arena *arena, Inflate *inflation, uint8_t **bytes,
                           size_t *size, size_t limit, Err *err)
{
    size_t capacity = first_capacity(inflation, limit);
    *bytes = inflation->out = arena_block(arena, capacity, 1);
    inflation->out_left = capacity;
    for (;;) {
        int status = inflate_some(inflation);
        if (status == Z_STREAM_END && inflation->in_left == 0)
            break;
        if (status == Z_STREAM_END)
            inflateReset(&inflation->stream);
        else if (status == Z_BUF_ERROR && inflation->out_left == 0)
            TRY(enlarge(arena, inflation, bytes, &capacity, limit, err));
        else
            return damaged(inflation, status, err);
    }
    *size = capacity - inflation->out_left;
    return 0;
}

int inflate_gzip(Arena *arena, const void *packed, size_t packed_size,
                 void **out, size_t *size, Err *err)
{
    enum { GZIP = 16 };
    Inflate inflation = {.in = packed, .in_left = packed_size};
    size_t limit = inflate_limit(arena, packed_size);
    uint8_t *bytes = NULL;
    TRY(start(&inflation, arena, GZIP + MAX_WBITS, err));
    int status = inflate_members(arena, &inflation, &bytes, size, limit, err);
    inflateEnd(&inflation.stream);
    *out = bytes;
    return status;
}

uint32_t crc_add(uint32_t crc, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    while (size > 0) {
        unsigned now = portion(size);
        crc = (uint32_t)crc32(crc, at, now);
        at += now;
        size -= now;
    }
    return crc;
}
