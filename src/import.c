#include "import.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/input.h"
#include "onnx/onnx.h"

/* More than any format's first words. */
enum { HEAD_BYTES = 64 };

/* True when the file begins like a checkpoint. */
static bool begins_like_one(const char *path)
{
    uint8_t head[HEAD_BYTES];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    ssize_t size = fd < 0 ? -1 : pread(fd, head, sizeof head, 0);
    if (fd >= 0)
        close(fd);
    return size > 0 && checkpoint_is(head, (size_t)size);
}

int import_look(Arena *arena, const char *path, bool always, Span *bytes,
                Err *err)
{
    struct stat status;
    InputFile file;
    *bytes = (Span){0};
    /* A pipe must be opened but once: its writer would take the first reader's
     * end for the end. */
    if (!always && strcmp(path, "-") != 0 &&
        (stat(path, &status) < 0 ||
         (S_ISREG(status.st_mode) && !begins_like_one(path))))
        return 0;
    TRY(input_open(arena, path, INT_MAX, &file, err));
    *bytes = file.bytes;
    return 0;
}

static ZooList list_tensors(Arena *arena, const Checkpoint *checkpoint)
{
    ZooTensor *tensors =
        arena_array(arena, checkpoint->count + 1, sizeof *tensors);
    for (size_t i = 0; i < checkpoint->count; i++) {
        const CheckpointTensor *tensor = &checkpoint->tensors[i];
        tensors[i] = (ZooTensor){tensor->name, tensor->rank, tensor->dims};
    }
    return (ZooList){tensors, checkpoint->count};
}

static const char *copy_text(Arena *arena, const char *text)
{
    return text ? arena_strdup(arena, text) : NULL;
}

/* What a copy of the model is made with again; it is told of nothing. */
static void keep_options(rp_model *model, const rp_import_options *options)
{
    Arena *arena = model->arena;
    rp_import_options *kept = arena_alloc(arena, sizeof *kept);
    *kept = *options;
    kept->key = copy_text(arena, options->key);
    kept->variant = copy_text(arena, options->variant);
    kept->dtype = copy_text(arena, options->dtype);
    kept->mismatch = NULL;
    model->options.import = kept;
}

static int build(rp_model *model, const Checkpoint *checkpoint,
                 const rp_import_options *options, Err *err)
{
    Arena *arena = model->arena;
    rp_import_info *info = arena_alloc(arena, sizeof *info);
    ZooMatch match = {0};
    ZooList list = list_tensors(arena, checkpoint);
    rp_sample_options shape = {
        .size = options->size,
        .dense = options->dense,
        .dynamic = options->dynamic,
        .dtype = options->dtype ? options->dtype : weights_type(checkpoint)};
    TRY(zoo_match(arena, &list, options->variant, &match, err));
    CheckpointWeights *weights =
        weights_from_checkpoint(arena, checkpoint, &match, options);
    TRY(zoo_build_match(arena, &match, &shape, weights_source(weights),
                        &model->model, err));
    size_t unused = weights_find_extra(weights, options->dense);
    TRY(weights_check(weights, err));
    *info = (rp_import_info){.format = checkpoint->format,
                             .key = copy_text(arena, checkpoint->key),
                             .variant = match.variant,
                             .deploy = match.deploy,
                             .tensors = checkpoint->count - unused,
                             .unused = unused};
    model->imported = info;
    return 0;
}

int import_model(rp_model *model, Span bytes, const rp_import_options *options,
                 Err *err)
{
    static const rp_import_options defaults;
    /* Weights stay views of its tensors. */
    Checkpoint *checkpoint = arena_alloc(model->arena, sizeof *checkpoint);
    options = options ? options : &defaults;
    keep_options(model, options);
    model->checkpoint = bytes;
    arena_bound(model->arena, memory_bound(bytes.size));
    TRY(checkpoint_read(model->arena, bytes.bytes, bytes.size,
                        model->options.import->key, checkpoint, err));
    TRY(build(model, checkpoint, options, err));
    arena_bound(model->arena, 0);
    model->model->path = model->path;
    return 0;
}
