#include "exec/move.h"

#include <stdlib.h>
#include <string.h>

#include "exec/integer.h"
#include "exec/simd.h"
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

/* ---- Turning ---- */

/*
 * What lies side by side along one axis in the source and along another one in
 * the destination goes tile by tile: all of a cache line is used while it is
 * there.
 */
enum { TILE = 16, STEP = 4 };

typedef struct Turn {
    Walk walk; /* over the other axes, then tiles; operands as of Move */
    const char *from;
    char *to;
    size_t size;
    int64_t rows, columns; /* contiguous in the source; in the destination */
    int64_t from_step;     /* from column to column */
    int64_t to_step;       /* from row to row */
    int64_t tiles;         /* of the rows */
} Turn;

typedef uint32_t Four
    __attribute__((vector_size(16), aligned(sizeof(uint32_t)), may_alias));
typedef uint64_t Two
    __attribute__((vector_size(16), aligned(sizeof(uint64_t)), may_alias));

/* STEP columns of STEP elements become rows. */
static inline void turn_square_u32(const uint32_t *from, int64_t from_step,
                                   uint32_t *to, int64_t to_step)
{
    Four a = *(const Four *)from, b = *(const Four *)(from + from_step);
    Four c = *(const Four *)(from + 2 * from_step);
    Four d = *(const Four *)(from + 3 * from_step);
    Four ab = __builtin_shufflevector(a, b, 0, 4, 1, 5);
    Four cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
    *(Four *)to = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
    *(Four *)(to + to_step) = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
    ab = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    cd = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    *(Four *)(to + 2 * to_step) = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
    *(Four *)(to + 3 * to_step) = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
}

static inline void turn_square_u64(const uint64_t *from, int64_t from_step,
                                   uint64_t *to, int64_t to_step)
{
    for (int64_t i = 0; i < STEP; i += 2)
        for (int64_t k = 0; k < STEP; k += 2) {
            const uint64_t *x = from + k * from_step + i;
            uint64_t *y = to + i * to_step + k;
            Two a = *(const Two *)x, b = *(const Two *)(x + from_step);
            *(Two *)y = __builtin_shufflevector(a, b, 0, 2);
            *(Two *)(y + to_step) = __builtin_shufflevector(a, b, 1, 3);
        }
}

/* Up to TILE rows, in squares, and what is left of them. */
#define TURN_TILE(type, name, turn_square)                                     \
    static void name(const Turn *turn, const type *from, type *to,             \
                     int64_t rows)                                             \
    {                                                                          \
        const int64_t step = turn->from_step, to_step = turn->to_step;         \
        int64_t whole = turn->columns / STEP * STEP;                           \
        int64_t full = rows / STEP * STEP;                                     \
        for (int64_t k = 0; k < whole; k += STEP)                              \
            for (int64_t i = 0; i < full; i += STEP)                           \
                turn_square(from + k * step + i, step, to + i * to_step + k,   \
                            to_step);                                          \
        for (int64_t k = 0; k < turn->columns; k++)                            \
            for (int64_t i = k < whole ? full : 0; i < rows; i++)              \
                to[i * to_step + k] = from[k * step + i];                      \
    }
TURN_TILE(uint32_t, turn_tile_u32, turn_square_u32)
TURN_TILE(uint64_t, turn_tile_u64, turn_square_u64)
#undef TURN_TILE

static void turn_tiles(void *context, int64_t position, const int64_t *offsets,
                       int64_t count)
{
    const Turn *turn = context;
    const char *from = turn->from + offsets[0] * (int64_t)turn->size;
    char *to = turn->to + offsets[1] * (int64_t)turn->size;
    for (int64_t i = 0; i < count; i++) {
        int64_t first = (position + i) % turn->tiles * TILE;
        int64_t rows = at_most(turn->rows - first, TILE);
        if (turn->size == sizeof(uint32_t))
            turn_tile_u32(turn, (const void *)from, (void *)to, rows);
        else
            turn_tile_u64(turn, (const void *)from, (void *)to, rows);
        from += walk_step(&turn->walk, 0) * (int64_t)turn->size;
        to += walk_step(&turn->walk, 1) * (int64_t)turn->size;
    }
}

static void turn_piece(void *context, int worker, int64_t begin, int64_t end)
{
    (void)worker;
    walk_run(&((Turn *)context)->walk, begin, end, turn_tiles, context);
}

/* Makes a walk by the rows' axis and the last one of the tiles. */
static void turn_block(KernelCall *call, const Move *move, int axis)
{
    const Walk *w = &move->walk;
    int last = w->rank - 1;
    Turn turn = {.walk = *w,
                 .from = move->from,
                 .to = move->to,
                 .size = move->size,
                 .rows = w->dims[axis],
                 .columns = w->dims[last],
                 .from_step = w->strides[0][last],
                 .to_step = w->strides[1][axis],
                 .tiles = divide_up(w->dims[axis], TILE)};
    turn.walk.dims[axis] = 1;
    turn.walk.dims[last] = turn.tiles;
    turn.walk.strides[0][last] = TILE;
    turn.walk.strides[1][last] = TILE * turn.to_step;
    walk_ready(&turn.walk);
    int64_t tiles = turn.tiles * (w->rows / turn.rows);
    pool_run(call->pool, tiles, 1 + GRAIN / (TILE * turn.columns), turn_piece,
             &turn);
}

/* The axis, not the last one, along which the source is contiguous where the
 * destination is so along the last one, and tiles fit; -1 for none. */
static int find_turned(const Walk *w)
{
    int last = w->rank - 1;
    if (w->strides[1][last] != 1 || w->strides[0][last] == 1 ||
        w->dims[last] < STEP)
        return -1;
    for (int i = 0; i < last; i++)
        if (w->strides[0][i] == 1 && w->dims[i] >= STEP)
            return i;
    return -1;
}

/* ---- Blocks ---- */

static int64_t spread_of(const Walk *w, int axis)
{
    return llabs(w->strides[0][axis]) + llabs(w->strides[1][axis]);
}

/* Makes short rows long: the order does not matter, so that another axis may
 * be the last one. */
static void lengthen_rows(Walk *w)
{
    enum { SHORT = 8 };
    int last = w->rank - 1, best = last;
    if (w->length >= SHORT)
        return;
    for (int i = 0; i < last; i++)
        if (w->dims[i] >= SHORT &&
            (best == last || spread_of(w, i) < spread_of(w, best)))
            best = i;
    walk_swap(w, best, last);
}

void move_block(KernelCall *call, size_t size, int rank, const int64_t *dims,
                const Strided *from, const Strided *to)
{
    Move move = {.from = from->data, .to = to->data, .size = size};
    int64_t count = dims_product(dims, 0, rank);
    if (count == 0)
        return;
    walk_init(&move.walk, rank, dims);
    walk_add(&move.walk, from->strides);
    walk_add(&move.walk, to->strides);
    walk_ready(&move.walk);
    int turned = find_turned(&move.walk);
    if (turned >= 0) {
        turn_block(call, &move, turned);
        return;
    }
    lengthen_rows(&move.walk);
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
    /* A part of a row, the longest, for which the source has one element after
     * the other, each so often. */
    int64_t run, run_end, repeat;
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
        for (int64_t i = begin; i < end; i++)                                  \
            target[i] = table[i] < 0 ? other : source[table[i]];               \
    } while (0)

/* Elements [begin, end) of a row. */
static void lookup_part(const Lookup *lookup, const char *from, char *to,
                        int64_t begin, int64_t end)
{
    const int64_t *table = lookup->tables[lookup->to->rank - 1];
    if (lookup->size == sizeof(uint32_t))
        LOOK_UP(uint32_t);
    else
        LOOK_UP(uint64_t);
}

#define REPEAT(type)                                                           \
    do {                                                                       \
        const type *source = (const void *)from;                               \
        type *target = (void *)to;                                             \
        if (repeat == 2)                                                       \
            LOOP for (int64_t i = 0; i < count; i++)                           \
            {                                                                  \
                target[2 * i] = target[2 * i + 1] = source[i];                 \
            }                                                                  \
        else                                                                   \
            for (int64_t i = 0; i < count; i++)                                \
                for (int64_t k = 0; k < repeat; k++)                           \
                    target[i * repeat + k] = source[i];                        \
    } while (0)

SIMD static void repeat_each(const char *from, char *to, int64_t count,
                             int64_t repeat, size_t size)
{
    if (repeat == 1)
        memcpy(to, from, (size_t)count * size);
    else if (size == sizeof(uint32_t))
        REPEAT(uint32_t);
    else
        REPEAT(uint64_t);
}

/* One row; `from` is NULL where all of it is filler. */
static void lookup_row(const Lookup *lookup, const char *from, char *to)
{
    int last = lookup->to->rank - 1;
    int64_t count = lookup->to->dims[last];
    size_t size = lookup->size;
    for (int64_t i = 0; !from && i < count; i++)
        memcpy(to + (size_t)i * size, lookup->filler, size);
    if (!from)
        return;
    int64_t run = lookup->run;
    int64_t each = (lookup->run_end - run) / lookup->repeat;
    lookup_part(lookup, from, to, 0, run);
    if (each > 0)
        repeat_each(from + (size_t)lookup->tables[last][run] * size,
                    to + (size_t)run * size, each, lookup->repeat, size);
    lookup_part(lookup, from, to, run + each * lookup->repeat, count);
}

/* The next part may begin with the last element of the one before. */
static void find_run(Lookup *lookup)
{
    const int64_t *table = lookup->tables[lookup->to->rank - 1];
    int64_t count = lookup->to->dims[lookup->to->rank - 1];
    lookup->repeat = 1;
    for (int64_t first = 0, end = 0; end < count;
         first = at_least(end - 1, first + 1)) {
        int64_t repeat = 1;
        while (first + repeat < count && table[first + repeat] == table[first])
            repeat++;
        end = first + repeat;
        while (end < count && table[first] >= 0 &&
               table[end] == table[first] + (end - first) / repeat)
            end++;
        if (table[first] >= 0 && end - first > lookup->run_end - lookup->run) {
            lookup->run = first;
            lookup->run_end = end;
            lookup->repeat = repeat;
        }
    }
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
    find_run(&lookup);
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
