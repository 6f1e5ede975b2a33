#include "exec/buffers.h"

/* SEARCH bounds the work of a graph that frees very many buffers. */
enum { HEADER = 64, SLACK = 4, UNIT = 256, SEARCH = 64 };

typedef struct Buffer {
    struct Buffer *next; /* in the list of free ones */
    size_t size;
    int holders;
} Buffer;

_Static_assert(sizeof(Buffer) <= HEADER, "a buffer stays aligned");

struct Buffers {
    Arena *arena;
    Buffer *free; /* the one given back last comes first: it is warm */
    size_t in_use, most_in_use, idle; /* bytes */
};

Buffers *buffers_new(Arena *arena)
{
    Buffers *buffers = arena_alloc(arena, sizeof *buffers);
    buffers->arena = arena;
    return buffers;
}

static Buffer *buffer_of(const void *data)
{
    return (Buffer *)((char *)(uintptr_t)data - HEADER);
}

/* A free buffer that wastes at most a quarter of itself, taken off the list.
 * The first that fits is good enough. */
static Buffer *find_free(Buffers *buffers, size_t size)
{
    int looked = 0;
    for (Buffer **link = &buffers->free; *link && looked < SEARCH;
         link = &(*link)->next, looked++) {
        Buffer *buffer = *link;
        if (buffer->size >= size && buffer->size - size <= size / SLACK) {
            *link = buffer->next;
            buffers->idle -= buffer->size;
            return buffer;
        }
    }
    return NULL;
}

/* Gives free buffers back until `size` more bytes stay within what was in use
 * at once, or would be now. */
static void make_room(Buffers *buffers, size_t size)
{
    size_t need = buffers->in_use + size;
    size_t limit = need > buffers->most_in_use ? need : buffers->most_in_use;
    while (buffers->free && need + buffers->idle > limit) {
        Buffer *buffer = buffers->free;
        buffers->free = buffer->next;
        buffers->idle -= buffer->size;
        arena_release(buffer);
    }
}

void *buffers_take(Buffers *buffers, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) ||
        bytes > SIZE_MAX / 2 - HEADER - UNIT)
        return arena_block(buffers->arena, SIZE_MAX, 2); /* out of memory */
    bytes = (bytes + UNIT - 1) / UNIT * UNIT;
    Buffer *buffer = find_free(buffers, bytes);
    if (!buffer) {
        make_room(buffers, bytes);
        buffer = arena_block(buffers->arena, HEADER + bytes, 1);
        *buffer = (Buffer){.size = bytes};
    }
    buffer->next = NULL;
    buffer->holders = 1;
    buffers->in_use += buffer->size;
    if (buffers->in_use > buffers->most_in_use)
        buffers->most_in_use = buffers->in_use;
    return (char *)buffer + HEADER;
}

void buffers_share(void *data)
{
    buffer_of(data)->holders++;
}

int buffers_alone(const void *data)
{
    return buffer_of(data)->holders == 1;
}

void buffers_drop(Buffers *buffers, void *data)
{
    Buffer *buffer = buffer_of(data);
    if (--buffer->holders > 0)
        return;
    buffers->in_use -= buffer->size;
    buffers->idle += buffer->size;
    buffer->next = buffers->free;
    buffers->free = buffer;
}
