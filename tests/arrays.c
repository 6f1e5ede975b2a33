#include "arrays.h"

#include <check.h>
#include <string.h>

#include "exec/npy.h"

enum { HEADER_ROOM = 1024 };

typedef struct Collected {
    Sink sink; /* first: the sink is the Collected */
    char *bytes;
    size_t size, room;
} Collected;

static int collect(Sink *sink, const void *bytes, size_t size, Err *err)
{
    Collected *self = (Collected *)sink;
    (void)err;
    ck_assert_uint_le(size, self->room - self->size);
    memcpy(self->bytes + self->size, bytes, size);
    self->size += size;
    return 0;
}

int npy_bytes(Arena *arena, const Tensor *tensor, const void **bytes,
              size_t *size, Err *err)
{
    Array *array;
    Collected file = {.sink = {collect},
                      .room = tensor->data_size + HEADER_ROOM};
    file.bytes = arena_block(arena, file.room, 1);
    TRY(array_from_tensor(arena, tensor, PRECISION_F64, false, &array, err));
    TRY(npy_write(arena, array, PRECISION_F64, &file.sink, err));
    *bytes = file.bytes;
    *size = file.size;
    return 0;
}
