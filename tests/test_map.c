/* Maps from strings to pointers. */
#include "base/map.h"
#include "suites.h"

static Arena *arena;
static Map *map;

static void setup(void)
{
    arena = arena_new(0);
    map = map_new(arena);
}

static void teardown(void)
{
    arena_free(arena);
}

START_TEST(an_empty_map_has_nothing)
{
    ck_assert_ptr_null(map_get(map, ""));
    ck_assert_ptr_null(map_get(map, "x"));
}
END_TEST

START_TEST(values_are_found_by_equal_keys)
{
    int one, two;
    char key[] = "key";
    map_put(map, "key", &one);
    map_put(map, "", &two);
    ck_assert_ptr_eq(map_get(map, key), &one);
    ck_assert_ptr_eq(map_get(map, ""), &two);
    ck_assert_ptr_null(map_get(map, "keys"));
}
END_TEST

START_TEST(putting_again_replaces_and_null_removes)
{
    int one, two;
    map_put(map, "key", &one);
    map_put(map, "key", &two);
    ck_assert_ptr_eq(map_get(map, "key"), &two);
    map_put(map, "key", NULL);
    ck_assert_ptr_null(map_get(map, "key"));
    map_put(map, "key", &one);
    ck_assert_ptr_eq(map_get(map, "key"), &one);
}
END_TEST

/* Keys of every length, so that the hash meets every rest of a word. */
START_TEST(many_keys_of_many_lengths)
{
    enum { COUNT = 20000 };
    static char *keys[COUNT];
    for (int i = 0; i < COUNT; i++) {
        keys[i] = arena_printf(arena, "%0*d", 1 + i % 40, i);
        map_put(map, keys[i], keys[i]);
    }
    for (int i = 0; i < COUNT; i++) {
        const char *found = map_get(map, keys[i]);
        ck_assert_ptr_nonnull(found);
        ck_assert_str_eq(found, keys[i]);
    }
}
END_TEST

START_TEST(removed_keys_do_not_hide_others)
{
    enum { COUNT = 1000 };
    static char *keys[COUNT];
    for (int i = 0; i < COUNT; i++) {
        keys[i] = arena_printf(arena, "key %d", i);
        map_put(map, keys[i], keys[i]);
    }
    for (int i = 0; i < COUNT; i += 2)
        map_put(map, keys[i], NULL);
    for (int i = 0; i < COUNT; i++)
        ck_assert_ptr_eq(map_get(map, keys[i]), i % 2 ? keys[i] : NULL);
}
END_TEST

Suite *suite_map(void)
{
    Suite *suite = suite_create("map");
    TCase *tcase = tcase_create("map");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, an_empty_map_has_nothing);
    tcase_add_test(tcase, values_are_found_by_equal_keys);
    tcase_add_test(tcase, putting_again_replaces_and_null_removes);
    tcase_add_test(tcase, many_keys_of_many_lengths);
    tcase_add_test(tcase, removed_keys_do_not_hide_others);
    suite_add_tcase(suite, tcase);
    return suite;
}
