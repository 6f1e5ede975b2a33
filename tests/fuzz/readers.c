#include "readers.h"

#include <stdlib.h>
#include <string.h>

#include "../archive.h"
#include "checkpoint/checkpoint.h"
#include "repfold.h"

enum {
    BUDGET = 256 << 20,
    STORAGES = 4,
    STORAGE_BYTES = 256,
    PICKLE_MAX = 1 << 19
};

/* Everything that a view shows must be there to read. */
static void read_all(const Checkpoint *checkpoint)
{
    double values[64];
    for (size_t i = 0; i < checkpoint->count; i++) {
        const CheckpointTensor *tensor = &checkpoint->tensors[i];
        if (tensor->element < ELEMENT_F16 || tensor->element > ELEMENT_F64)
            continue;
        int64_t count = tensor->count < 64 ? tensor->count : 64;
        checkpoint_read_f64(tensor, 0, count, values);
        checkpoint_read_f64(tensor, tensor->count - count, count, values);
    }
}

static void read_checkpoint(Arena *arena, const void *bytes, size_t size)
{
    Checkpoint checkpoint;
    Err err = {0};
    if (!ARENA_GUARD(arena)) {
        arena_unguard(arena);
        return;
    }
    if (checkpoint_read(arena, bytes, size, NULL, &checkpoint, &err) == 0)
        read_all(&checkpoint);
    else if (err.code == ERR_OK || err.message[0] == '\0')
        abort();
    arena_unguard(arena);
}

int fuzz_checkpoint(const uint8_t *bytes, size_t size)
{
    Arena *arena = arena_new(BUDGET);
    read_checkpoint(arena, bytes, size);
    arena_free(arena);
    return 0;
}

int fuzz_pickle(const uint8_t *bytes, size_t size)
{
    static uint8_t zip[ARCHIVE_BYTES], storage[STORAGE_BYTES];
    Archive archive;
    char name[] = "a/data/0";
    if (size > PICKLE_MAX)
        return 0;
    archive_start(&archive, zip);
    archive_add(&archive, "a/data.pkl", bytes, size, false);
    for (int i = 0; i < STORAGES; i++) {
        name[sizeof name - 2] = (char)('0' + i);
        archive_add(&archive, name, storage, sizeof storage, false);
    }
    archive_end(&archive);
    return fuzz_checkpoint(archive.bytes, archive.size);
}

int fuzz_import(const uint8_t *bytes, size_t size)
{
    rp_error error = {0};
    rp_open_options options = {.max_memory = BUDGET};
    rp_model *model = rp_open_memory(bytes, size, "fuzz", &options, &error);
    if (!model && (!error.code || !error.message[0]))
        abort();
    rp_close(model);
    return 0;
}
