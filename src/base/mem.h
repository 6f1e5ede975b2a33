/*
 * Memory.  Everything a model needs lives in an Arena and goes in one call.
 * mem.c is the only file that calls malloc.
 *
 * Under a guard an allocation never returns NULL.  When memory or the budget
 * runs out it unwinds to the guard that the public entry point set
 * (ARENA_GUARD), as Lua does, so that no caller carries a branch that only a
 * fault test would run.  (Without a guard, as in a unit test, it is NULL.)
 * What must be undone then (maps, descriptors, temporary files) is registered
 * with arena_defer.  Worker threads must not allocate: take scratch first.
 */
#ifndef REPFOLD_BASE_MEM_H
#define REPFOLD_BASE_MEM_H

#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Arena Arena;

/* A root arena; NULL when even that cannot be had.  `budget` bounds the bytes
 * of it and all its children; 0 is three quarters of machine_memory. */
Arena *arena_new(size_t budget);

/* A child shares its parent's guard and budget and is freed with it, or
 * before, by arena_free. */
Arena *arena_child(Arena *parent);

/* Frees the arena, its children and its blocks, and runs what was deferred,
 * newest first.  NULL is allowed. */
void arena_free(Arena *arena);

/* Empties the arena as arena_free does, to be filled again: for scratch. */
void arena_clear(Arena *arena);

/* Zeroed memory, aligned for any scalar. */
void *arena_alloc(Arena *arena, size_t size);
/* The same for count * size bytes; an overflow is out of memory. */
void *arena_array(Arena *arena, size_t count, size_t size);
/* Big memory, 64-byte aligned, not zeroed, that can be given back early. */
void *arena_block(Arena *arena, size_t count, size_t size);
/* Asks the system for large pages where it can, of a block that is read over
 * and over. */
void arena_prefer_large_pages(void *block, size_t size);
/* Gives a block back to the arena that it is of.  NULL is allowed. */
void arena_release(void *block);

/* Makes room for `need` elements in a growing array, which nothing else gives
 * capacity; *capacity is in and out.  The elements beyond the old capacity are
 * zero; the old array may be gone. */
void *arena_grow(Arena *arena, void *array, size_t *capacity, size_t need,
                 size_t size);

char *arena_strdup(Arena *arena, const char *text);
char *arena_strndup(Arena *arena, const char *text, size_t length);
char *arena_printf(Arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Runs undo(object) when the arena is freed. */
void arena_defer(Arena *arena, void (*undo)(void *object), void *object);

/* Bytes held now and at most so far, by the whole tree the arena is in. */
size_t arena_bytes(const Arena *arena);
size_t arena_peak(const Arena *arena);

/* Bytes that may still be allocated; SIZE_MAX where no budget was asked for. */
size_t arena_room(const Arena *arena);

/* True while so much more may be allocated, by the budget or else by what the
 * machine has. */
int arena_fits(const Arena *arena, size_t size);

/* Where no budget was asked for the tree may hold no more than this, or 0: than
 * the machine allows. */
void arena_bound(Arena *arena, size_t most);

/* Why the last allocation failed: true for the budget, false for the system.
 */
int arena_over_budget(const Arena *arena);

/* The place to unwind to.  Use only through ARENA_GUARD, in a function that
 * stays active while the guard is in force and clears it before returning:
 *
 *     if (!ARENA_GUARD(arena)) return err_set(err, ERR_MEMORY, ...);
 *     ... work ...
 *     arena_unguard(arena);
 */
jmp_buf *arena_jump(Arena *arena);
void arena_unguard(Arena *arena);
#define ARENA_GUARD(arena) (setjmp(*arena_jump(arena)) == 0)

/* Fault injection: the n-th allocation from now fails, 0 switches it off. */
void mem_fail_at(size_t n);

#endif
