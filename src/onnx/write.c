#include <limits.h>

#include "onnx/onnx.h"
#include "onnx/pack.h"

/* What the file will be. */
static int model_rope(Arena *arena, const Model *model, Rope *rope, Err *err)
{
    Err fault = {0};
    Writer writer = {arena, model, &fault};
    *rope = model->file.bytes ? rewrite_model(&writer) : pack_model(&writer);
    if (fault.code != ERR_OK)
        return err_set(err, fault.code, "%s", fault.message);
    if (rope->size > INT_MAX)
        return err_set(err, ERR_BUDGET,
                       "the model would take %zu bytes, and a file of this "
                       "format holds %d at most",
                       rope->size, INT_MAX);
    return 0;
}

/* Elements that are computed go through a buffer. */
static int write_elements(Arena *arena, const Tensor *tensor, Sink *sink,
                          Err *err)
{
    enum { AT_ONCE = 1 << 16 };
    size_t size = dtype_size(tensor->type);
    int64_t most = tensor->count < AT_ONCE ? tensor->count : AT_ONCE;
    void *buffer = arena_block(arena, (size_t)most, size);
    int status = 0;
    for (int64_t done = 0, now; done < tensor->count && status == 0;
         done += now) {
        now = tensor->count - done < most ? tensor->count - done : most;
        tensor_read_stored(tensor, done, now, buffer);
        status = sink->write(sink, buffer, (size_t)now * size, err);
    }
    arena_release(arena, buffer);
    return status;
}

static int write_piece(Arena *arena, const Piece *piece, Sink *sink, Err *err)
{
    return piece->bytes ? sink->write(sink, piece->bytes, piece->size, err)
                        : write_elements(arena, piece->tensor, sink, err);
}

int model_write(const Model *model, Sink *sink, Err *err)
{
    Arena *arena = arena_child(model->arena);
    Rope rope;
    int status = model_rope(arena, model, &rope, err);
    for (const Piece *piece = rope.first; piece && status == 0;
         piece = piece->next)
        status = write_piece(arena, piece, sink, err);
    arena_free(arena);
    return status;
}

int model_written_size(const Model *model, size_t *size, Err *err)
{
    Arena *arena = arena_child(model->arena);
    Rope rope;
    int status = model_rope(arena, model, &rope, err);
    *size = rope.size;
    arena_free(arena);
    return status;
}
