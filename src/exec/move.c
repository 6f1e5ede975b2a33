#include "exec/move.h"

#include <string.h>

#include "exec/walk.h"

typedef struct Move {
    Walk walk; /* operand 0 is the source, 1 the destination */
    const char *from;
    char *to;
    size_t size;
} Move;

#define COPY_STRIDED(type)                                                     \
    do {                                                                       \
        const type *source = (const void *)from;                               \
        type *target = (void *)to;                                             \
        for (int64_t i = 0; i < count; i++)                                    \
            target[i * to_step] = source[i * from_step];                       \
    } while (0)

static void move_row(void *context, int64_t position, const int64_t *offsets,
                     int64_t count)
{
    const Move *move = context;
    int64_t from_step = walk_step(&move->walk, 0);
    int64_t to_step = walk_step(&move->walk, 1);
    const char *from = move->from + offsets[0] * (int64_t)move->size;
    char *to = move->to + offsets[1] * (int64_t)move->size;
    (void)position;
    if (from_step == 1 && to_step == 1)
        memcpy(to, from, (size_t)count * move->size);
    else if (move->size == sizeof(uint32_t))
        COPY_STRIDED(uint32_t);
    else
        COPY_STRIDED(uint64_t);
}

static void move_piece(void *context, int worker, int64_t begin, int64_t end)
{
    (void)worker;
    walk_run(&((Move *)context)->walk, begin, end, move_row, context);
}

void move_block(KernelCall *call, size_t size, int rank, const int64_t *dims,
                const Strided *from, const Strided *to)
{
    Move move = {.from = from->data, .to = to->data, .size = size};
    walk_init(&move.walk, rank, dims);
    walk_add(&move.walk, from->strides);
    walk_add(&move.walk, to->strides);
    walk_ready(&move.walk);
    int64_t count = dims_product(dims, 0, rank);
    pool_run(call->pool, count, GRAIN, move_piece, &move);
}

Strided strided_all(const Array *array)
{
    Strided all = {.data = array->data};
    dims_strides(array->rank, array->dims, all.strides);
    return all;
}

/* Where one row of the destination comes from. */
typedef struct Lookup {
    const Array *from, *to;
    int64_t *const *tables;
    int64_t strides[RANK_MAX]; /* of the source */
    const char *filler;
    size_t size;
} Lookup;

/* The offset of a row in the source, -1 when all of it is filler. */
static int64_t row_origin(const Lookup *lookup, int64_t row)
{
    int64_t origin = 0;
    for (int i = lookup->to->rank - 2; i >= 0; i--) {
        int64_t entry = lookup->tables[i][row % lookup->to->dims[i]];
        if (entry < 0)
            return -1;
        origin += entry * lookup->strides[i];
        row /= lookup->to->dims[i];
    }
    return origin;
}

#define LOOK_UP(type)                                                          \
    do {                                                                       \
        const type *source = (const void *)from;                               \
        type *target = (void *)to, other;                                      \
        memcpy(&other, lookup->filler, sizeof other);                          \
        for (int64_t i = 0; i < count; i++)                                    \
            target[i] = table[i] < 0 ? other : source[table[i]];               \
    } while (0)

/* One row; `from` is NULL where all of it is filler. */
static void lookup_row(const Lookup *lookup, const char *from, char *to)
{
    int last = lookup->to->rank - 1;
    const int64_t *table = lookup->tables[last];
    int64_t count = lookup->to->dims[last];
    if (!from)
        for (int64_t i = 0; i < count; i++)
            memcpy(to + (size_t)i * lookup->size, lookup->filler, lookup->size);
    else if (lookup->size == sizeof(uint32_t))
        LOOK_UP(uint32_t);
    else
        LOOK_UP(uint64_t);
}

/* A row from the same source as the one before is a copy of it. */
static void lookup_rows(void *context, int worker, int64_t begin, int64_t end)
{
    const Lookup *lookup = context;
    size_t length =
        (size_t)lookup->to->dims[lookup->to->rank - 1] * lookup->size;
    int64_t before = -1;
    (void)worker;
    for (int64_t row = begin; row < end; row++) {
        int64_t origin = row_origin(lookup, row);
        char *to = (char *)lookup->to->data + (size_t)row * length;
        const char *from = lookup->from->data;
        if (origin >= 0 && origin == before)
            memcpy(to, to - length, length);
        else
            lookup_row(lookup,
                       origin < 0 ? NULL : from + (size_t)origin * lookup->size,
                       to);
        before = origin;
    }
}

void move_by_tables(KernelCall *call, const Array *from, const Array *to,
                    int64_t *const *tables, const void *filler)
{
    Lookup lookup = {.from = from,
                     .to = to,
                     .tables = tables,
                     .filler = filler ? filler : from->data,
                     .size = storage_size(kernel_storage(call, to))};
    dims_strides(from->rank, from->dims, lookup.strides);
    if (to->rank == 0) {
        memcpy(to->data, from->data, lookup.size);
        return;
    }
    if (to->count == 0)
        return;
    int64_t rows = dims_product(to->dims, 0, to->rank - 1);
    int64_t length = to->dims[to->rank - 1];
    pool_run(call->pool, rows, 1 + GRAIN / length, lookup_rows, &lookup);
}

void move_fill(KernelCall *call, const Array *to, const void *element)
{
    size_t size = storage_size(kernel_storage(call, to));
    for (int64_t i = 0; i < to->count; i++)
        memcpy((char *)to->data + (size_t)i * size, element, size);
}
