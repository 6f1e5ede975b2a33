/* Fuzz targets: what stands beside a model, or around it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../converter/image.h"
#include "base/inflate.h"
#include "exec/npz.h"
#include "graph/graph.h"
#include "readers.h"
#include "repfold.h"

enum { BUDGET = 256 << 20 };

#define CORPUS "tests/fuzz/corpus"

static void check_error(const rp_error *error)
{
    if (!error->code || !error->message[0] || strchr(error->message, '\n'))
        abort();
}

int fuzz_image(const uint8_t *bytes, size_t size)
{
    static const ImageConfig config = {.width = 8,
                                       .height = 8,
                                       .crop_pct = 0.9,
                                       .interpolation = INTERPOLATION_BICUBIC,
                                       .std = {1, 1, 1}};
    float input[3 * 8 * 8];
    char why[IMAGE_WHY] = "";
    Image image = {0};
    if (image_decode(bytes, size, &image, why) == 0) {
        /* A picture of one line would become one of millions. */
        if (image.width < 64 * image.height && image.height < 64 * image.width)
            image_prepare(&image, &config, input);
        free(image.rgb);
    } else if (!why[0]) {
        abort();
    }
    return 0;
}

/* The last element of every array must be there to read. */
static int read_array(NpzVisit *self, const char *name, Tensor *tensor,
                      Err *err)
{
    (void)self;
    (void)err;
    double last;
    if (!name[0])
        abort();
    if (tensor->count > 0 && tensor_is_readable(tensor))
        tensor_read_f64(tensor, tensor->count - 1, 1, &last);
    return 0;
}

static int read_npz(Arena *arena, const char *path, Err *err)
{
    NpzVisit visit = {read_array};
    return npz_visit(arena, path, &visit, err);
}

/* In memory that a guard protects; a refusal says why. */
static void guarded(const char *path,
                    int (*work)(Arena *arena, const char *path, Err *err))
{
    Arena *arena = arena_new(BUDGET);
    Err err = {0};
    if (ARENA_GUARD(arena) && work(arena, path, &err) < 0 &&
        (err.code == ERR_OK || !err.message[0]))
        abort();
    arena_unguard(arena);
    arena_free(arena);
}

int fuzz_npz(const uint8_t *bytes, size_t size)
{
    char path[32];
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    guarded(path, read_npz);
    close(fd);
    return 0;
}

static Span packed;

static int unpack(Arena *arena, const char *path, Err *err)
{
    (void)path;
    void *out;
    size_t size;
    return inflate_gzip(arena, packed.bytes, packed.size, &out, &size, err);
}

int fuzz_gzip(const uint8_t *bytes, size_t size)
{
    packed = (Span){bytes, size};
    guarded("", unpack);
    return fuzz_model(bytes, size);
}

static rp_model *open_beside(const void *bytes, size_t size, const char *folder)
{
    rp_error error = {0};
    rp_open_options options = {.max_memory = BUDGET, .data_dir = folder};
    rp_model *model = rp_open_memory(bytes, size, "fuzz", &options, &error);
    if (!model)
        check_error(&error);
    return model;
}

int fuzz_external(const uint8_t *bytes, size_t size)
{
    rp_error error = {0};
    const void *written;
    size_t written_size;
    rp_model *model = open_beside(bytes, size, CORPUS);
    if (model && (rp_fold(model, NULL, &error) < 0 ||
                  rp_save_memory(model, &written, &written_size, &error) < 0))
        check_error(&error);
    else if (model) {
        /* All is inside now. */
        rp_model *again = open_beside(written, written_size, NULL);
        if (!again)
            abort();
        rp_close(again);
    }
    rp_close(model);
    return 0;
}

int fuzz_diff(const uint8_t *bytes, size_t size)
{
    rp_error error = {0};
    rp_open_options options = {.max_memory = BUDGET};
    rp_model *model = open_beside(bytes, size, NULL);
    rp_model *other = rp_open(CORPUS "/block.onnx", &options, &error);
    if (!other)
        abort();
    for (int i = 0; model && i < 3; i++) {
        rp_diff *diff = rp_diff_make(i == 1 ? other : model,
                                     i == 2 ? other : model, &error);
        if (!diff)
            check_error(&error);
        else if (i == 0 && !rp_diff_get(diff)->same)
            abort();
        rp_diff_free(diff);
    }
    rp_close(model);
    rp_close(other);
    return 0;
}
