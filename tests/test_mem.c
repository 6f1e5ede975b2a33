/* Arenas: alignment, budgets, unwinding, and what is undone at the end. */
#include <string.h>

#include "base/mem.h"
#include "suites.h"

static Arena *arena;

static void setup(void)
{
    arena = arena_new(0);
}

static void teardown(void)
{
    mem_fail_at(0);
    arena_free(arena);
}

START_TEST(small_objects_are_zero_and_aligned)
{
    static const char zero[300];
    for (size_t size = 0; size < sizeof zero; size += 7) {
        char *memory = arena_alloc(arena, size);
        ck_assert_ptr_nonnull(memory);
        ck_assert_uint_eq((uintptr_t)memory % 16, 0);
        ck_assert_int_eq(memcmp(memory, zero, size), 0);
        memset(memory, 0xff, size);
    }
}
END_TEST

START_TEST(objects_do_not_overlap)
{
    enum { COUNT = 2000 };
    static unsigned char *objects[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        objects[i] = arena_alloc(arena, i + 1);
        memset(objects[i], (int)(i % 251), i + 1);
    }
    size_t damaged = 0;
    for (size_t i = 0; i < COUNT; i++)
        for (size_t j = 0; j <= i; j++)
            damaged += objects[i][j] != i % 251;
    ck_assert_uint_eq(damaged, 0);
}
END_TEST

START_TEST(an_object_larger_than_a_chunk_fits)
{
    size_t size = 1000 * 1000;
    char *large = arena_alloc(arena, size);
    memset(large, 1, size);
    char *small = arena_alloc(arena, 8);
    ck_assert(small + 8 <= large || small >= large + size);
}
END_TEST

START_TEST(blocks_are_aligned_and_given_back)
{
    size_t before = arena_bytes(arena);
    char *a = arena_block(arena, 1000, 8), *b = arena_block(arena, 5, 1);
    ck_assert_uint_eq((uintptr_t)a % 64, 0);
    ck_assert_uint_eq((uintptr_t)b % 64, 0);
    ck_assert_uint_ge(arena_bytes(arena), before + 8005);
    arena_release(a);
    arena_release(NULL);
    arena_release(b);
    ck_assert_uint_eq(arena_bytes(arena), before);
    ck_assert_uint_ge(arena_peak(arena), before + 8005);
}
END_TEST

/* With large pages or without, it is the same memory. */
START_TEST(a_wish_for_large_pages_changes_nothing)
{
    enum { SIZE = 9 * 1024 * 1024 };
    char *block = arena_block(arena, SIZE, 1);
    memset(block, 1, SIZE / 2);
    arena_prefer_large_pages(block, SIZE);
    memset(block + SIZE / 2, 1, SIZE - SIZE / 2);
    for (size_t i = 0; i < SIZE; i++)
        if (block[i] != 1)
            ck_abort_msg("byte %zu is lost", i);
    arena_prefer_large_pages(block, 100);
    arena_prefer_large_pages(NULL, SIZE);
    ck_assert_int_eq(block[0], 1);
}
END_TEST

START_TEST(a_size_that_overflows_is_beyond_any_budget)
{
    ck_assert_ptr_null(arena_array(arena, SIZE_MAX / 2, 4));
    ck_assert_ptr_null(arena_block(arena, SIZE_MAX / 2, 4));
    ck_assert_ptr_null(arena_alloc(arena, SIZE_MAX));
    ck_assert_ptr_null(arena_block(arena, SIZE_MAX - 10, 1));
    ck_assert(arena_over_budget(arena));
}
END_TEST

START_TEST(growing_keeps_elements_and_zeroes_the_rest)
{
    size_t capacity = 0;
    int *array = NULL;
    for (int i = 0; i < 1000; i++) {
        array = arena_grow(arena, array, &capacity, (size_t)i + 1, sizeof(int));
        ck_assert_int_eq(array[i], 0);
        array[i] = i;
    }
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(array[i], i);
    ck_assert_ptr_eq(arena_grow(arena, array, &capacity, 10, sizeof(int)),
                     array);
}
END_TEST

/* A long array that moves gives back the place where it was. */
START_TEST(growing_leaves_no_more_than_as_much_behind)
{
    enum { COUNT = 1000 * 1000 };
    size_t capacity = 0;
    int *array = NULL;
    for (int i = 0; i < COUNT; i++) {
        array = arena_grow(arena, array, &capacity, (size_t)i + 1, sizeof(int));
        ck_assert_int_eq(array[i], 0);
        array[i] = i;
    }
    for (int i = 0; i < COUNT; i++)
        ck_assert_int_eq(array[i], i);
    ck_assert_uint_lt(arena_bytes(arena), capacity * sizeof(int) + 300 * 1000);
    ck_assert_uint_ge(arena_bytes(arena), capacity * sizeof(int));
}
END_TEST

START_TEST(strings)
{
    ck_assert_str_eq(arena_strdup(arena, "name"), "name");
    ck_assert_str_eq(arena_strndup(arena, "name", 2), "na");
    ck_assert_str_eq(arena_printf(arena, "%s_%d", "x", 12), "x_12");
    char *text = arena_printf(arena, "%5000d", 1);
    ck_assert_uint_eq(strlen(text), 5000);
}
END_TEST

START_TEST(a_budget_bounds_the_whole_tree)
{
    Arena *bounded = arena_new(1000 * 1000);
    Arena *child = arena_child(bounded);
    ck_assert_uint_lt(arena_room(bounded), 1000 * 1000);
    ck_assert(arena_fits(bounded, arena_room(bounded)));
    ck_assert(!arena_fits(bounded, 1000 * 1000));
    ck_assert_ptr_nonnull(arena_block(child, 900 * 1000, 1));
    ck_assert_ptr_null(arena_block(bounded, 200 * 1000, 1));
    ck_assert(arena_over_budget(bounded));
    arena_free(child);
    ck_assert_ptr_nonnull(arena_block(bounded, 900 * 1000, 1));
    arena_free(bounded);
    ck_assert_uint_eq(arena_room(arena), SIZE_MAX);
    ck_assert(!arena_fits(arena, SIZE_MAX));
}
END_TEST

/* What the undo functions leave behind. */
static char trace[16];

static void note(void *object)
{
    strcat(trace, object);
}

START_TEST(what_was_deferred_runs_newest_first)
{
    trace[0] = '\0';
    Arena *parent = arena_child(arena), *child = arena_child(parent);
    arena_defer(parent, note, "a");
    arena_defer(child, note, "c");
    arena_defer(parent, note, "b");
    arena_free(parent);
    ck_assert_str_eq(trace, "cba");
}
END_TEST

START_TEST(children_are_freed_in_any_order)
{
    size_t before = arena_bytes(arena);
    Arena *a = arena_child(arena), *b = arena_child(arena),
          *c = arena_child(arena);
    arena_alloc(a, 10);
    arena_alloc(b, 10);
    arena_block(c, 10, 10);
    arena_free(b);
    arena_free(a);
    arena_free(c);
    ck_assert_uint_eq(arena_bytes(arena), before);
    arena_free(NULL);
}
END_TEST

/* Allocates in a function of its own, as the library does below a guard. */
static int guarded_work(Arena *work, int count)
{
    if (!ARENA_GUARD(work))
        return -1;
    for (int i = 0; i < count; i++) {
        char *memory = arena_block(arena_child(work), 1000, 1);
        memory[0] = arena_strdup(work, "x")[0];
    }
    arena_unguard(work);
    return 0;
}

START_TEST(under_a_guard_every_failing_allocation_unwinds)
{
    int failures = 0;
    for (size_t n = 1; n < 100; n++) {
        Arena *work = arena_new(0);
        mem_fail_at(n);
        int result = guarded_work(work, 8);
        mem_fail_at(0);
        arena_free(work);
        if (result == 0)
            break;
        failures++;
    }
    /* A child, a chunk of it or of the root, a block: 17 allocations. */
    ck_assert_int_ge(failures, 16);
    ck_assert_int_lt(failures, 99);
}
END_TEST

START_TEST(under_a_guard_the_budget_unwinds)
{
    Arena *work = arena_new(300 * 1000);
    ck_assert_int_eq(guarded_work(work, 1000), -1);
    ck_assert(arena_over_budget(work));
    arena_free(work);
}
END_TEST

START_TEST(without_a_guard_failure_is_null)
{
    mem_fail_at(1);
    ck_assert_ptr_null(arena_block(arena, 10, 1));
    ck_assert_ptr_nonnull(arena_block(arena, 10, 1));
    mem_fail_at(2);
    ck_assert_ptr_null(arena_new(0));
}
END_TEST

Suite *suite_mem(void)
{
    Suite *suite = suite_create("mem");
    TCase *tcase = tcase_create("mem");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, small_objects_are_zero_and_aligned);
    tcase_add_test(tcase, objects_do_not_overlap);
    tcase_add_test(tcase, an_object_larger_than_a_chunk_fits);
    tcase_add_test(tcase, blocks_are_aligned_and_given_back);
    tcase_add_test(tcase, a_wish_for_large_pages_changes_nothing);
    tcase_add_test(tcase, a_size_that_overflows_is_beyond_any_budget);
    tcase_add_test(tcase, growing_keeps_elements_and_zeroes_the_rest);
    tcase_add_test(tcase, growing_leaves_no_more_than_as_much_behind);
    tcase_add_test(tcase, strings);
    tcase_add_test(tcase, a_budget_bounds_the_whole_tree);
    tcase_add_test(tcase, what_was_deferred_runs_newest_first);
    tcase_add_test(tcase, children_are_freed_in_any_order);
    tcase_add_test(tcase, under_a_guard_every_failing_allocation_unwinds);
    tcase_add_test(tcase, under_a_guard_the_budget_unwinds);
    tcase_add_test(tcase, without_a_guard_failure_is_null);
    suite_add_tcase(suite, tcase);
    return suite;
}
