#include "onnx/gzip.h"

#include <zlib.h>

#include "base/inflate.h"

enum { BUFFER_SIZE = 256 * 1024, AT_ONCE = 1 << 30, UNKNOWN_SYSTEM = 255 };

struct Gzip {
    Sink sink; /* first: the sink is the Gzip */
    Sink *to;
    z_stream stream;
    gz_header header;
    uint8_t *buffer;
};

/* Compresses what the stream has at hand. */
static int run(Gzip *gzip, int flush, Err *err)
{
    z_stream *stream = &gzip->stream;
    do {
        stream->next_out = gzip->buffer;
        stream->avail_out = BUFFER_SIZE;
        if (deflate(stream, flush) == Z_STREAM_ERROR)
            return err_set(err, ERR_INTERNAL, "zlib fails");
        TRY(gzip->to->write(gzip->to, gzip->buffer,
                            BUFFER_SIZE - stream->avail_out, err));
    } while (stream->avail_out == 0);
    return 0;
}

static int gzip_write(Sink *sink, const void *bytes, size_t size, Err *err)
{
    Gzip *gzip = (Gzip *)sink;
    const uint8_t *at = bytes;
    while (size > 0) {
        unsigned now = size < AT_ONCE ? (unsigned)size : AT_ONCE;
        gzip->stream.next_in = (uint8_t *)(uintptr_t)at;
        gzip->stream.avail_in = now;
        TRY(run(gzip, Z_NO_FLUSH, err));
        at += now;
        size -= now;
    }
    return 0;
}

int gzip_start(Arena *arena, Sink *to, Gzip **out, Err *err)
{
    enum { GZIP = 16, MEMORY = 8 };
    Gzip *gzip = *out = arena_alloc(arena, sizeof *gzip);
    *gzip = (Gzip){
        .sink = {gzip_write},
        .to = to,
        .stream = {.zalloc = zlib_alloc, .zfree = zlib_free, .opaque = arena},
        .header = {.os = UNKNOWN_SYSTEM},
        .buffer = arena_block(arena, BUFFER_SIZE, 1),
    };
    if (deflateInit2(&gzip->stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED,
                     GZIP + MAX_WBITS, MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
        return err_set(err, ERR_MEMORY, "out of memory");
    deflateSetHeader(&gzip->stream, &gzip->header);
    return 0;
}

Sink *gzip_sink(Gzip *gzip)
{
    return &gzip->sink;
}

int gzip_end(Gzip *gzip, Err *err)
{
    int status = run(gzip, Z_FINISH, err);
    deflateEnd(&gzip->stream);
    return status;
}
