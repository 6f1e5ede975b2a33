/* .npz files: arrays by name, and what is wrong with an archive. */
#include <stdlib.h>
#include <string.h>

#include "archive.h"
#include "arrays.h"
#include "exec/npy.h"
#include "exec/npz.h"
#include "folder.h"
#include "suites.h"

static Archive archive;
static const char *path;

static void setup(void)
{
    folder_setup();
    path = in_folder("a.npz");
    archive_start(&archive, arena_block(arena, ARCHIVE_BYTES, 1));
}

/* An array of that many elements: first, first + 1, ... */
static void add_array(const char *name, int64_t count, float first,
                      bool deflate)
{
    void *data;
    const void *bytes;
    size_t size;
    Err err = {0};
    Tensor *tensor = tensor_alloc(arena, DT_FLOAT, 1, &count, &data);
    for (int64_t i = 0; i < count; i++)
        ((float *)data)[i] = first + (float)i;
    ck_assert_int_eq(npy_bytes(arena, tensor, &bytes, &size, &err), 0);
    archive_add(&archive, name, bytes, size, deflate);
}

static void put_archive(void)
{
    archive_end(&archive);
    put_bytes(path, archive.bytes, archive.size);
}

static void check_array(const char *from, int64_t count, double first)
{
    Tensor *tensor;
    Err err = {0};
    double value;
    ck_assert_msg(array_read(arena, from, &tensor, &err) == 0, "%s",
                  err.message);
    ck_assert_int_eq(tensor->count, count);
    tensor_read_f64(tensor, count - 1, 1, &value);
    ck_assert(value == first + (double)count - 1);
}

static void check_bad(const char *from, ErrCode code, const char *why)
{
    Tensor *tensor;
    Err err = {0};
    ck_assert_int_eq(array_read(arena, from, &tensor, &err), -1);
    ck_assert_msg(err.code == code, "%s", err.message);
    ck_assert_msg(strncmp(err.file, path, strlen(path)) == 0, "%s", err.file);
    ck_assert_msg(strstr(err.message, why) != NULL, "%s", err.message);
}

static const char *with_name(const char *name)
{
    return arena_printf(arena, "%s:%s", path, name);
}

START_TEST(arrays_are_found_by_name)
{
    archive.zip64 = _i == 1;
    add_array("x.npy", 3, 5, false);
    add_array("deep/y.npy", 1000, 7, true);
    add_array("z", 1, 9, true);
    put_archive();
    check_array(with_name("x"), 3, 5);
    check_array(with_name("x.npy"), 3, 5);
    check_array(with_name("deep/y"), 1000, 7);
    check_array(with_name("z"), 1, 9);
    check_bad(with_name("y"), ERR_BAD_NPY, "no array of that name");
    check_bad(with_name(""), ERR_BAD_NPY, "no array of that name");
    check_bad(path, ERR_BAD_NPY, "has 3 arrays: say which");
}
END_TEST

START_TEST(an_array_alone_needs_no_name)
{
    add_array("x.npy", 3, 5, true);
    put_archive();
    check_array(path, 3, 5);
    /* The last .npz: counts, since folders may have such names. */
    ck_assert_int_eq(
        system(arena_printf(arena, "mkdir %s && cp %s %s/b.npz",
                            in_folder("c.npz:d"), path, in_folder("c.npz:d"))),
        0);
    check_array(in_folder("c.npz:d/b.npz:x"), 3, 5);
}
END_TEST

typedef struct Visits {
    NpzVisit visit;
    char names[64];
} Visits;

static int note_array(NpzVisit *visit, const char *name, Tensor *tensor,
                      Err *err)
{
    char *names = ((Visits *)visit)->names;
    ck_assert_int_gt(tensor->count, 0);
    strcat(strcat(names, name), " ");
    return strcmp(name, "stop") == 0 ? err_set(err, ERR_BAD_INPUT, "stop") : 0;
}

START_TEST(all_arrays_are_visited_in_order)
{
    Visits visits = {{note_array}, ""};
    Err err = {0};
    add_array("b.npy", 1, 0, true);
    add_array("a.npy", 1, 0, false);
    put_archive();
    ck_assert(npz_is(path) && !npz_is(with_name("a")) && !npz_is("npz"));
    ck_assert_int_eq(npz_visit(arena, path, &visits.visit, &err), 0);
    ck_assert_str_eq(visits.names, "b a ");
    archive_start(&archive, archive.bytes);
    add_array("stop.npy", 1, 0, true);
    add_array("a.npy", 1, 0, false);
    put_archive();
    ck_assert_int_eq(npz_visit(arena, path, &visits.visit, &err), -1);
    ck_assert_str_eq(visits.names, "b a stop ");
    ck_assert_str_eq(err.message, "stop");
    ck_assert_str_eq(err.file, with_name("stop"));
}
END_TEST

START_TEST(what_is_wrong_is_told)
{
    put_file(path, "PK");
    check_bad(path, ERR_BAD_ARCHIVE, "no end record");
    check_bad(in_folder("a.npz:x"), ERR_BAD_ARCHIVE, "no end record");
    archive_add(&archive, "x.npy", "not an array", 12, true);
    put_archive();
    check_bad(path, ERR_BAD_NPY, "not a .npy file");
    archive_start(&archive, archive.bytes);
    add_array("x.npy", 3, 5, true);
    put_archive();
    archive_set(&archive, archive.central[0] + 16, 4, 1);
    put_bytes(path, archive.bytes, archive.size);
    check_bad(path, ERR_BAD_ARCHIVE, "checksum");
    Tensor *tensor;
    Err err = {0};
    ck_assert_int_eq(array_read(arena, in_folder("no.npz"), &tensor, &err), -1);
    ck_assert_int_eq(err.code, ERR_IO);
}
END_TEST

/* A big array of zeros in a small file. */
START_TEST(an_array_may_not_become_too_much)
{
    enum { MUCH = (33 << 20) / 4 };
    int64_t count = MUCH;
    void *data;
    const void *bytes;
    size_t size;
    Err err = {0};
    Tensor *tensor = tensor_alloc(arena, DT_FLOAT, 1, &count, &data);
    ck_assert_int_eq(npy_bytes(arena, tensor, &bytes, &size, &err), 0);
    archive_add(&archive, "x.npy", bytes, size, true);
    put_archive();
    check_bad(path, ERR_BUDGET, "more than 33554432 bytes");
}
END_TEST

Suite *suite_npz(void)
{
    Suite *suite = suite_create("npz");
    TCase *tcase = tcase_create("npz");
    tcase_add_checked_fixture(tcase, setup, folder_teardown);
    tcase_add_loop_test(tcase, arrays_are_found_by_name, 0, 2);
    tcase_add_test(tcase, an_array_alone_needs_no_name);
    tcase_add_test(tcase, all_arrays_are_visited_in_order);
    tcase_add_test(tcase, what_is_wrong_is_told);
    tcase_add_test(tcase, an_array_may_not_become_too_much);
    suite_add_tcase(suite, tcase);
    return suite;
}
