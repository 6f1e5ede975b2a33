#include "onnx/write.h"

#include <limits.h>

#include "onnx/pack.h"

/* What the file will be. */
static int model_rope(Arena *arena, const Model *model, const DataPlan *plan,
                      Rope *rope, Err *err)
{
    Err fault = {0};
    Writer writer = {arena, model, plan, &fault};
    *rope = model->file.bytes ? rewrite_model(&writer) : pack_model(&writer);
    if (fault.code != ERR_OK)
        return err_set(err, fault.code, "%s", fault.message);
    return 0;
}

bool write_changes(const Model *model, const DataPlan *plan)
{
    Writer writer = {.model = model, .plan = plan};
    return model_is_dirty(&writer);
}

/* ---- Pieces ---- */

/* What has been read from mapped files stays in memory until it is let go of:
 * done so often, it hardly shows. */
enum { AT_ONCE = 16 << 20, RELEASE_AFTER = 64 << 20 };

typedef struct Writing {
    Arena *arena;
    const Model *model;
    Sink *sink;
    size_t unreleased;
} Writing;

static int put(Writing *writing, const void *bytes, size_t size, Err *err)
{
    TRY(writing->sink->write(writing->sink, bytes, size, err));
    writing->unreleased += size;
    if (writing->unreleased >= RELEASE_AFTER) {
        model_let_go(writing->model);
        writing->unreleased = 0;
    }
    return 0;
}

static int put_span(Writing *writing, Span span, Err *err)
{
    for (size_t done = 0, now; done < span.size; done += now) {
        now = span.size - done < AT_ONCE ? span.size - done : AT_ONCE;
        TRY(put(writing, span.bytes + done, now, err));
    }
    return 0;
}

/* Elements that are computed go through a buffer. */
static int put_computed(Writing *writing, const Tensor *tensor, Err *err)
{
    enum { ELEMENTS = 1 << 16 };
    size_t size = dtype_size(tensor->type);
    int64_t most = tensor->count < ELEMENTS ? tensor->count : ELEMENTS;
    void *buffer = arena_block(writing->arena, (size_t)most, size);
    int status = 0;
    for (int64_t done = 0, now; done < tensor->count && status == 0;
         done += now) {
        now = tensor->count - done < most ? tensor->count - done : most;
        tensor_read_stored(tensor, done, now, buffer);
        status = put(writing, buffer, (size_t)now * size, err);
    }
    arena_release(buffer);
    return status;
}

static Writing start(const Model *model, Sink *sink)
{
    return (Writing){
        .arena = arena_child(model->arena), .model = model, .sink = sink};
}

/* ---- Files ---- */

int write_model(const Model *model, const DataPlan *plan, Sink *sink, Err *err)
{
    Writing writing = start(model, sink);
    Rope rope;
    int status = model_rope(writing.arena, model, plan, &rope, err);
    for (const Piece *piece = rope.first; piece && status == 0;
         piece = piece->next)
        status =
            piece->kind == PIECE_TENSOR
                ? put_computed(&writing, piece->tensor, err)
                : put_span(&writing, (Span){piece->bytes, piece->size}, err);
    arena_free(writing.arena);
    return status;
}

int write_size(const Model *model, const DataPlan *plan, size_t *size, Err *err)
{
    Arena *arena = arena_child(model->arena);
    Rope rope;
    int status = model_rope(arena, model, plan, &rope, err);
    *size = rope.size;
    arena_free(arena);
    return status;
}

static int put_padding(Writing *writing, uint64_t size, Err *err)
{
    static const uint8_t zeros[4096];
    for (uint64_t now; size > 0; size -= now) {
        now = size < sizeof zeros ? size : sizeof zeros;
        TRY(put(writing, zeros, now, err));
    }
    return 0;
}

static int put_places(Writing *writing, const DataPlan *plan, Err *err)
{
    uint64_t at = 0;
    for (size_t i = 0; i < plan->count; i++) {
        const DataPlace *place = &plan->places[i];
        const Tensor *tensor = place->tensor;
        if (place->is_copy)
            continue;
        TRY(put_padding(writing, place->offset - at, err));
        TRY(tensor->formula
                ? put_computed(writing, tensor, err)
                : put_span(writing, (Span){tensor->data, place->size}, err));
        at = place->offset + place->size;
    }
    return 0;
}

int write_data(const Model *model, const DataPlan *plan, Sink *sink, Err *err)
{
    Writing writing = start(model, sink);
    int status = put_places(&writing, plan, err);
    arena_free(writing.arena);
    return status;
}

int write_mapped(const Model *model, Span bytes, Sink *sink, Err *err)
{
    Writing writing = start(model, sink);
    int status = put_span(&writing, bytes, err);
    arena_free(writing.arena);
    return status;
}

/* ---- Models in one file ---- */

/* NULL when there is nothing to move in. */
static const DataPlan *one_file(const Model *model)
{
    static const DataPlan inside;
    return data_external_count(model) > 0 ? &inside : NULL;
}

int model_write(const Model *model, Sink *sink, Err *err)
{
    return write_model(model, one_file(model), sink, err);
}

int model_check_size(size_t size, Err *err)
{
    if (size <= INT_MAX)
        return 0;
    return err_set(err, ERR_BUDGET,
                   "the model would take %zu bytes, and a file of this format "
                   "holds %d at most: write its data beside it, which "
                   "--external-data auto does",
                   size, INT_MAX);
}

int model_written_size(const Model *model, size_t *size, Err *err)
{
    return write_size(model, one_file(model), size, err);
}
