#include "base/mem.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/machine.h"

enum { CHUNK_SIZE = 64 * 1024, ALIGNMENT = 16, BLOCK_ALIGNMENT = 64 };

/* A growing array of more bytes is a block, for it leaves one behind each time
 * that it is moved. */
enum { GROWN_MOST = CHUNK_SIZE };

/* About what the system's allocator takes for itself, to align so. */
enum { ALLOCATOR_COST = 64 };

/* Small objects are carved from chunks; a block has a header of its own. */
typedef struct Chunk {
    struct Chunk *next;
    size_t used, size, pad;
} Chunk;

typedef struct Block {
    struct Block *next, *previous;
    Arena *arena;
    size_t size;
    size_t pad[4];
} Block;

_Static_assert(sizeof(Block) == BLOCK_ALIGNMENT, "a block stays aligned");
_Static_assert(sizeof(Chunk) % ALIGNMENT == 0, "objects stay aligned");

typedef struct Deferred {
    struct Deferred *next;
    void (*undo)(void *object);
    void *object;
} Deferred;

/* What a tree of arenas shares. */
typedef struct Root {
    size_t budget; /* what was asked for; 0 for none */
    size_t most, bytes, peak;
    int over_budget, guarded;
    jmp_buf jump;
} Root;

struct Arena {
    Root *root;
    Arena *parent, *child, *next, *previous;
    Chunk *chunk;
    Block *block;
    Deferred *deferred;
};

static size_t fail_countdown;

void mem_fail_at(size_t n)
{
    fail_countdown = n;
}

static int fail_now(void)
{
    return fail_countdown > 0 && --fail_countdown == 0;
}

/* Only what must be aligned is: what glibc has freed of aligned memory it
 * hardly gives out again, for it looks for more than it gave. */
static void *raw_alloc(size_t size, size_t alignment)
{
    if (fail_now())
        return NULL;
    if (alignment <= ALIGNMENT)
        return malloc(size);
    size_t rounded = (size + alignment - 1) & ~(alignment - 1);
    return rounded < size ? NULL : aligned_alloc(alignment, rounded);
}

/* What one allocation may still have of so many bytes. */
static size_t bytes_left(const Root *root, size_t most)
{
    size_t used = root->bytes + ALLOCATOR_COST;
    return used < most ? most - used : 0;
}

static void *out_of_memory(Arena *arena, int over_budget)
{
    arena->root->over_budget = over_budget;
    if (arena->root->guarded)
        longjmp(arena->root->jump, 1);
    return NULL;
}

/* More than there can be is more than any budget. */
static void *beyond_any(Arena *arena)
{
    return out_of_memory(arena, 1);
}

/* Memory counted against the budget; NULL only where no guard is set. */
static void *counted_alloc(Arena *arena, size_t size, size_t alignment)
{
    Root *root = arena->root;
    if (!arena_fits(arena, size))
        return out_of_memory(arena, 1);
    void *memory = raw_alloc(size, alignment);
    if (!memory)
        return out_of_memory(arena, 0);
    root->bytes += size + ALLOCATOR_COST;
    if (root->bytes > root->peak)
        root->peak = root->bytes;
    return memory;
}

static void counted_free(Arena *arena, void *memory, size_t size)
{
    arena->root->bytes -= size + ALLOCATOR_COST;
    free(memory);
}

/* What any file may make us take: three quarters of what there is. */
static size_t machine_most(void)
{
    return machine_memory() / 4 * 3;
}

Arena *arena_new(size_t budget)
{
    Arena *arena = raw_alloc(sizeof *arena, ALIGNMENT);
    Root *root = raw_alloc(sizeof *root, ALIGNMENT);
    if (!arena || !root) {
        free(arena);
        free(root);
        return NULL;
    }
    *root = (Root){.budget = budget, .most = budget ? budget : machine_most()};
    *arena = (Arena){.root = root};
    return arena;
}

Arena *arena_child(Arena *parent)
{
    Arena *arena = counted_alloc(parent, sizeof *arena, ALIGNMENT);
    *arena = (Arena){.root = parent->root, .parent = parent};
    arena->next = parent->child;
    if (arena->next)
        arena->next->previous = arena;
    parent->child = arena;
    return arena;
}

static void arena_unlink(Arena *arena)
{
    if (arena->previous)
        arena->previous->next = arena->next;
    else
        arena->parent->child = arena->next;
    if (arena->next)
        arena->next->previous = arena->previous;
}

/* Frees all but the chunk in use, if it is an ordinary one and to be kept. */
static void chunks_free(Arena *arena, bool keeps_one)
{
    Chunk *chunk = arena->chunk, *next;
    arena->chunk = NULL;
    if (keeps_one && chunk && chunk->size == CHUNK_SIZE) {
        next = chunk->next;
        chunk->next = NULL;
        chunk->used = 0;
        arena->chunk = chunk;
        chunk = next;
    }
    for (; chunk; chunk = next) {
        next = chunk->next;
        counted_free(arena, chunk, sizeof *chunk + chunk->size);
    }
}

static void arena_empty(Arena *arena, bool keeps_chunk)
{
    while (arena->child)
        arena_free(arena->child);
    for (Deferred *d = arena->deferred; d; d = d->next)
        d->undo(d->object);
    arena->deferred = NULL;
    while (arena->block)
        arena_release(arena->block + 1);
    chunks_free(arena, keeps_chunk);
}

void arena_clear(Arena *arena)
{
    arena_empty(arena, true);
}

void arena_free(Arena *arena)
{
    if (!arena)
        return;
    arena_empty(arena, false);
    if (arena->parent) {
        arena_unlink(arena);
        counted_free(arena, arena, sizeof *arena);
    } else {
        free(arena->root);
        free(arena);
    }
}

static Chunk *chunk_add(Arena *arena, size_t size)
{
    Chunk *chunk = counted_alloc(arena, sizeof *chunk + size, ALIGNMENT);
    if (!chunk)
        return NULL;
    *chunk = (Chunk){.size = size};
    /* A chunk made for one large object goes behind the one in use. */
    if (arena->chunk && size > CHUNK_SIZE) {
        chunk->next = arena->chunk->next;
        arena->chunk->next = chunk;
    } else {
        chunk->next = arena->chunk;
        arena->chunk = chunk;
    }
    return chunk;
}

void *arena_alloc(Arena *arena, size_t size)
{
    size_t rounded = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (rounded < size || rounded > SIZE_MAX / 2)
        return out_of_memory(arena, 0);
    Chunk *chunk = arena->chunk;
    if (!chunk || chunk->size - chunk->used < rounded)
        chunk = chunk_add(arena, rounded > CHUNK_SIZE ? rounded : CHUNK_SIZE);
    if (!chunk)
        return NULL;
    char *memory = (char *)(chunk + 1) + chunk->used;
    chunk->used += rounded;
    return memset(memory, 0, rounded);
}

static int multiply_overflows(size_t a, size_t b, size_t *product)
{
    return __builtin_mul_overflow(a, b, product);
}

void *arena_array(Arena *arena, size_t count, size_t size)
{
    size_t bytes;
    if (multiply_overflows(count, size, &bytes))
        return beyond_any(arena);
    return arena_alloc(arena, bytes);
}

void *arena_block(Arena *arena, size_t count, size_t size)
{
    size_t bytes;
    if (multiply_overflows(count, size, &bytes) ||
        bytes > SIZE_MAX / 2 - sizeof(Block))
        return beyond_any(arena);
    Block *block = counted_alloc(arena, sizeof *block + bytes, BLOCK_ALIGNMENT);
    if (!block)
        return NULL;
    *block = (Block){.arena = arena, .size = bytes, .next = arena->block};
    if (block->next)
        block->next->previous = block;
    arena->block = block;
    return block + 1;
}

void arena_prefer_large_pages(void *block, size_t size)
{
#ifdef MADV_HUGEPAGE
    enum { LARGE = 2 * 1024 * 1024 };
    uintptr_t begin = ((uintptr_t)block + LARGE - 1) / LARGE * LARGE;
    uintptr_t end = ((uintptr_t)block + size) / LARGE * LARGE;
    /* It is a wish: what comes of it does not matter. */
    if (block && begin < end)
        (void)madvise((void *)begin, end - begin, MADV_HUGEPAGE);
#else
    (void)block, (void)size;
#endif
}

void arena_release(void *memory)
{
    if (!memory)
        return;
    Block *block = (Block *)memory - 1;
    Arena *arena = block->arena;
    if (block->previous)
        block->previous->next = block->next;
    else
        arena->block = block->next;
    if (block->next)
        block->next->previous = block->previous;
    counted_free(arena, block, sizeof *block + block->size);
}

void *arena_grow(Arena *arena, void *array, size_t *capacity, size_t need,
                 size_t size)
{
    if (need <= *capacity)
        return array;
    size_t larger = *capacity < 4 ? 8 : *capacity * 2;
    if (larger < need)
        larger = need;
    size_t held = *capacity * size;
    bool is_block = larger > GROWN_MOST / size;
    void *grown = is_block ? arena_block(arena, larger, size)
                           : arena_array(arena, larger, size);
    if (array)
        memcpy(grown, array, held);
    if (is_block)
        memset((char *)grown + held, 0, larger * size - held);
    if (held > GROWN_MOST)
        arena_release(array);
    *capacity = larger;
    return grown;
}

char *arena_strndup(Arena *arena, const char *text, size_t length)
{
    char *copy = arena_alloc(arena, length + 1);
    memcpy(copy, text, length);
    return copy;
}

char *arena_strdup(Arena *arena, const char *text)
{
    return arena_strndup(arena, text, strlen(text));
}

char *arena_printf(Arena *arena, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *text = arena_alloc(arena, length < 0 ? 1 : (size_t)length + 1);
    if (length > 0)
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

void arena_defer(Arena *arena, void (*undo)(void *object), void *object)
{
    Deferred *deferred = arena_alloc(arena, sizeof *deferred);
    *deferred = (Deferred){arena->deferred, undo, object};
    arena->deferred = deferred;
}

size_t arena_bytes(const Arena *arena)
{
    return arena->root->bytes;
}

size_t arena_peak(const Arena *arena)
{
    return arena->root->peak;
}

size_t arena_room(const Arena *arena)
{
    const Root *root = arena->root;
    return root->budget ? bytes_left(root, root->budget) : SIZE_MAX;
}

int arena_fits(const Arena *arena, size_t size)
{
    const Root *root = arena->root;
    return size <= bytes_left(root, root->most);
}

void arena_bound(Arena *arena, size_t most)
{
    Root *root = arena->root;
    size_t machine = machine_most();
    if (root->budget == 0)
        root->most = most > 0 && most < machine ? most : machine;
}

int arena_over_budget(const Arena *arena)
{
    return arena->root->over_budget;
}

jmp_buf *arena_jump(Arena *arena)
{
    arena->root->guarded = 1;
    return &arena->root->jump;
}

void arena_unguard(Arena *arena)
{
    arena->root->guarded = 0;
}
