#include "onnx/read.h"

#include <limits.h>
#include <string.h>

#include "base/inflate.h"
#include "base/input.h"
#include "onnx/extdata.h"
#include "onnx/onnx.h"
#include "onnx/scan.h"
#include "onnx/wire.h"

/* Data can only be written anew where they were found. */
static int check_external(const Reader *reader, size_t count)
{
    if (reader->external_tensors == count)
        return 0;
    return err_set(reader->err, ERR_EXTERNAL_DATA,
                   "%zu tensors have external data where this version does "
                   "not follow them: in training graphs, sparse tensors or "
                   "lists of tensors",
                   count - reader->external_tensors);
}

/* Bytes that gzip has compressed become those they stand for. */
static int decompress(Arena *arena, Span *bytes, External *external, Err *err)
{
    void *larger;
    size_t size;
    if (bytes->size < 2 || memcmp(bytes->bytes, "\x1f\x8b", 2) != 0)
        return 0;
    TRY(inflate_gzip(arena, bytes->bytes, bytes->size, &larger, &size, err));
    external_release(external);
    external->map = (Span){0};
    *bytes = (Span){larger, size};
    return 0;
}

/* Two bytes of a hostile file can take a hundred of memory. So the program is
 * to stay within sixteen times the file and 64 MB, unless the user says
 * otherwise; this is what that leaves besides the file itself, the program and
 * what the allocator wastes. Exports of networks take a tenth of it. */
size_t memory_bound(size_t size)
{
    enum { TIMES = 15, ALWAYS = 50 << 20 };
    return size > SIZE_MAX / TIMES / 2 ? SIZE_MAX / 2 : TIMES * size + ALWAYS;
}

static int read_bytes(Arena *arena, Span bytes, const char *name,
                      const ReadOptions *options, External *external,
                      Model **out, Err *err)
{
    size_t count;
    size_t packed = bytes.size;
    arena_bound(arena, memory_bound(packed));
    TRY(decompress(arena, &bytes, external, err));
    TRY(scan_model(bytes, options->max_depth, &count, err));
    Model *model = model_new(arena);
    model->path = name;
    model->file = bytes;
    model->external = external;
    model->let_go = external_release;
    Reader reader = {.arena = arena,
                     .model = model,
                     .functions = map_new(arena),
                     .words = map_new(arena),
                     .err = err};
    TRY(read_model(&reader));
    model->memory_bound = memory_bound(packed + external_size(external));
    arena_bound(arena, 0);
    *out = model;
    return check_external(&reader, count);
}

static const ReadOptions defaults;

int model_read_memory(Arena *arena, const void *bytes, size_t size,
                      const char *name, const ReadOptions *options, Model **out,
                      Err *err)
{
    options = options ? options : &defaults;
    External *external = options->external
                             ? options->external
                             : external_new(arena, options->data_dir);
    if (read_bytes(arena, (Span){bytes, size}, arena_strdup(arena, name),
                   options, external, out, err) < 0)
        return err_about(err, name);
    return 0;
}

/* The folder that a file is in, or NULL for a stream. */
static const char *folder_of(Arena *arena, const char *path,
                             const InputFile *file)
{
    const char *slash = strrchr(path, '/');
    if (!S_ISREG(file->status.st_mode) || strcmp(path, "-") == 0)
        return NULL;
    return slash ? arena_strndup(arena, path, (size_t)(slash - path) + 1) : ".";
}

static int read_file(Arena *arena, const char *path, const ReadOptions *options,
                     Model **out, Err *err)
{
    InputFile file;
    TRY(input_open(arena, path, INT_MAX, &file, err));
    External *external =
        external_new(arena, options->data_dir ? options->data_dir
                                              : folder_of(arena, path, &file));
    external->model = file.status;
    if (file.is_mapped)
        external->map = file.bytes;
    return read_bytes(arena, file.bytes, arena_strdup(arena, path), options,
                      external, out, err);
}

int model_read_file(Arena *arena, const char *path, const ReadOptions *options,
                    Model **out, Err *err)
{
    if (read_file(arena, path, options ? options : &defaults, out, err) < 0)
        return err_about(err, path);
    return 0;
}

int tensor_read_file(Arena *arena, const char *path, Tensor **out,
                     const char **name, Err *err)
{
    enum { NAME = 8 };
    InputFile file;
    if (input_open(arena, path, INT_MAX, &file, err) < 0 ||
        scan_tensor(file.bytes, err) < 0 ||
        read_tensor(arena, NULL, file.bytes, out, err) < 0)
        return err_about(err, path);
    *name = wire_string(arena, file.bytes, NAME);
    return 0;
}
