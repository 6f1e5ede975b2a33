/* Fuzz targets: models and arrays. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "exec/npy.h"
#include "readers.h"
#include "repfold.h"

enum { BUDGET = 256 << 20 };

/* A refusal says why. */
static void check_error(const rp_error *error)
{
    if (!error->code || !error->message[0] || strchr(error->message, '\n'))
        abort();
}

static rp_model *open_bytes(const void *bytes, size_t size)
{
    rp_error error = {0};
    rp_open_options options = {.max_memory = BUDGET};
    rp_model *model = rp_open_memory(bytes, size, "fuzz", &options, &error);
    if (!model)
        check_error(&error);
    return model;
}

int fuzz_model(const uint8_t *bytes, size_t size)
{
    rp_error error = {0};
    const rp_summary *summary;
    const char *text;
    rp_model *model = open_bytes(bytes, size);
    if (model && rp_summarize(model, &summary, &error) < 0)
        check_error(&error);
    if (model && rp_dump(model, 0, &text, &error) < 0)
        check_error(&error);
    rp_close(model);
    return 0;
}

/* What is written can be read, and nothing in it is left to fold. */
static void check_written(rp_model *model)
{
    rp_error error = {0};
    const void *written, *again;
    size_t size, size_again;
    if (rp_save_memory(model, &written, &size, &error) < 0) {
        check_error(&error);
        return;
    }
    rp_model *second = open_bytes(written, size);
    if (!second)
        abort();
    if (rp_fold(second, NULL, &error) == 0 &&
        rp_save_memory(second, &again, &size_again, &error) == 0 &&
        (size_again != size || memcmp(again, written, size) != 0))
        abort();
    rp_close(second);
}

int fuzz_fold(const uint8_t *bytes, size_t size)
{
    rp_error error = {0};
    rp_model *model = open_bytes(bytes, size);
    if (model && rp_fold(model, NULL, &error) == 0)
        check_written(model);
    else if (model)
        check_error(&error);
    rp_close(model);
    return 0;
}

int fuzz_run(const uint8_t *bytes, size_t size)
{
    rp_error error = {0};
    const rp_bench_info *info;
    rp_bench_options options = {.runs = 1, .threads = 1, .f64 = 1};
    rp_model *model = open_bytes(bytes, size);
    if (model && rp_bench(model, &options, &info, &error) < 0)
        check_error(&error);
    rp_close(model);
    return 0;
}

static int swallow(Sink *sink, const void *bytes, size_t size, Err *err)
{
    (void)sink, (void)bytes, (void)size, (void)err;
    return 0;
}

static void read_npy(Arena *arena, const char *path)
{
    Tensor *tensor;
    Array *array;
    Sink sink = {swallow};
    Err err = {0};
    if (!ARENA_GUARD(arena)) {
        arena_unguard(arena);
        return;
    }
    if (npy_read(arena, path, &tensor, &err) < 0) {
        if (err.code == ERR_OK || !err.message[0])
            abort();
    } else if (array_from_tensor(arena, tensor, PRECISION_F64, false, &array,
                                 &err) < 0 ||
               npy_write(arena, array, PRECISION_F64, &sink, &err) < 0) {
        abort();
    }
    arena_unguard(arena);
}

int fuzz_npy(const uint8_t *bytes, size_t size)
{
    char path[32];
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    Arena *arena = arena_new(BUDGET);
    read_npy(arena, path);
    arena_free(arena);
    close(fd);
    return 0;
}
