/* Zip archives and gzip files: what archivers write is read, and what lies
 * about itself is refused. */
#include <string.h>

#include "archive.h"
#include "base/inflate.h"
#include "base/zip.h"
#include "suites.h"

static Arena *arena;
static Archive archive;
static const char text[] = "a text that is there twice, a text that is there";

static void setup(void)
{
    arena = arena_new(0);
    archive_start(&archive, arena_block(arena, ARCHIVE_BYTES, 1));
}

static void teardown(void)
{
    arena_free(arena);
}

static void add_two(void)
{
    archive_add(&archive, "stored", text, sizeof text, false);
    archive_add(&archive, "folder/deflated", text, sizeof text, true);
    archive_end(&archive);
}

static Zip *open_ok(void)
{
    Zip *zip;
    Err err = {0};
    ck_assert_msg(zip_open(arena, archive.bytes, archive.size, &zip, &err) == 0,
                  "%s", err.message);
    return zip;
}

static void check_content(Zip *zip, const char *name, const void *data,
                          size_t size)
{
    Err err = {0};
    const void *content;
    const ZipEntry *entry = zip_find(zip, name);
    ck_assert_ptr_nonnull(entry);
    ck_assert_uint_eq(entry->size, size);
    ck_assert_msg(zip_read(arena, zip, entry, &content, &err) == 0, "%s",
                  err.message);
    if (size > 0)
        ck_assert_mem_eq(content, data, size);
}

static void check_two(void)
{
    Zip *zip = open_ok();
    ck_assert_uint_eq(zip->count, 2);
    ck_assert_str_eq(zip->entries[0].name, "stored");
    check_content(zip, "stored", text, sizeof text);
    check_content(zip, "folder/deflated", text, sizeof text);
    ck_assert_ptr_null(zip_find(zip, "deflated"));
}

START_TEST(stored_and_deflated_entries_are_read)
{
    add_two();
    ck_assert(zip_is(archive.bytes, archive.size));
    check_two();
}
END_TEST

START_TEST(zip64_is_read)
{
    archive.zip64 = true;
    add_two();
    check_two();
}
END_TEST

START_TEST(sizes_may_come_behind_the_data)
{
    add_two();
    for (int i = 0; i < 2; i++) {
        archive_set(&archive, archive.local[i] + 6, 2, 8);
        archive_set(&archive, archive.local[i] + 18, 8, 0);
        archive_set(&archive, archive.central[i] + 8, 2, 8);
    }
    check_two();
}
END_TEST

START_TEST(a_comment_may_follow)
{
    add_two();
    archive_set(&archive, archive.end + 20, 2, 7);
    memcpy(archive.bytes + archive.size, "comment", 7);
    archive.size += 7;
    check_two();
}
END_TEST

START_TEST(empty_archives_and_entries_are_read)
{
    archive_end(&archive);
    ck_assert_uint_eq(open_ok()->count, 0);
    archive_start(&archive, archive.bytes);
    archive_add(&archive, "stored", "", 0, false);
    archive_add(&archive, "deflated", "", 0, true);
    archive_end(&archive);
    check_content(open_ok(), "stored", "", 0);
    check_content(open_ok(), "deflated", "", 0);
}
END_TEST

/* Reading the archive or its second entry fails. */
static void check_fails(ErrCode code, const char *why)
{
    Zip *zip;
    Err err = {0};
    const void *content;
    int status = zip_open(arena, archive.bytes, archive.size, &zip, &err);
    if (status == 0)
        status = zip_read(arena, zip, &zip->entries[1], &content, &err);
    ck_assert_msg(status == -1, "not refused: %s", why);
    ck_assert_int_eq(err.code, code);
    ck_assert_msg(strstr(err.message, why) != NULL, "%s", err.message);
}

/* One number of the archive is another. */
typedef struct Damage {
    enum { LOCAL, CENTRAL, END } record; /* of the second entry */
    size_t place;
    int width;
    uint64_t value;
    const char *why;
} Damage;

static void check_damage(const Damage *damage)
{
    size_t place = damage->record == LOCAL     ? archive.local[1]
                   : damage->record == CENTRAL ? archive.central[1]
                                               : archive.end;
    archive_set(&archive, place + damage->place, damage->width, damage->value);
    check_fails(ERR_BAD_ARCHIVE, damage->why);
}

static const Damage damages[] = {
    {LOCAL, 0, 4, 0, "not where its directory says"},
    {LOCAL, 6, 2, 2, "not what its directory says"},
    {LOCAL, 8, 2, 0, "not what its directory says"},
    {LOCAL, 18, 4, 3, "not what its directory says"},
    {LOCAL, 22, 4, 0, "not what its directory says"},
    {LOCAL, 26, 2, 2, "not what its directory says"},
    {LOCAL, 26, 2, 0xffff, "not where its directory says"},
    {LOCAL, 28, 2, 0xffff, "not where its directory says"},
    {LOCAL, 30, 1, 'F', "not what its directory says"},
    {LOCAL, 46, 4, 0, "damaged, or do not have the size"},
    {CENTRAL, 0, 4, 0, "its directory is not one"},
    {CENTRAL, 8, 2, 1, "encrypted"},
    {CENTRAL, 8, 2, 1 << 13, "encrypted"},
    {CENTRAL, 10, 2, 14, "method 14"},
    {CENTRAL, 10, 2, 0, "two sizes"},
    {CENTRAL, 16, 4, 7, "checksum"},
    {CENTRAL, 20, 4, UINT32_MAX, "no zip64 sizes"},
    {CENTRAL, 20, 4, 1 << 20, "not where its directory says"},
    {CENTRAL, 24, 4, UINT32_MAX, "no zip64 sizes"},
    {CENTRAL, 28, 2, 0, "no name"},
    {CENTRAL, 28, 2, 0xffff, "its directory is not one"},
    {CENTRAL, 34, 2, 1, "one part of several"},
    {CENTRAL, 42, 4, 0, "not what its directory says"},
    {CENTRAL, 42, 4, 1 << 20, "behind its directory"},
    {CENTRAL, 46, 4, 0x2f2e2e, "no name"},
    {CENTRAL, 46, 1, '/', "no name"},
    {CENTRAL, 48, 1, 0, "no name"},
    {END, 0, 4, 0, "no end record"},
    {END, 4, 2, 1, "one part of several"},
    {END, 8, 2, 1, "one part of several"},
    {END, 8, 4, 0x10001, "more entries than it says"},
    {END, 8, 4, 0x30003, "too small for its entries"},
    {END, 8, 4, 0xffffffff, "too small for its entries"},
    {END, 12, 4, 1, "not in front of its end"},
    {END, 16, 4, UINT32_MAX, "not in front of its end"},
    {END, 20, 2, 1, "no end record"},
};

START_TEST(damage_is_found)
{
    add_two();
    check_damage(&damages[_i]);
}
END_TEST

/* In front of the end record of an archive with zip64. */
static const struct {
    size_t before;
    int width;
    uint64_t value;
    const char *why;
} damages64[] = {
    {76, 4, 0, "no zip64 record"},     {72, 8, 1, "no zip64 record"},
    {60, 4, 1, "one part of several"}, {52, 8, 1, "contradict"},
    {44, 8, 3, "contradict"},          {36, 8, 9, "contradict"},
    {28, 8, 9, "not in front"},        {12, 8, UINT64_MAX, "not inside"},
    {12, 8, 0, "no zip64 record"},     {4, 4, 2, "one part of several"},
};

START_TEST(zip64_does_not_lie)
{
    archive.zip64 = true;
    add_two();
    archive_set(&archive, archive.end - damages64[_i].before,
                damages64[_i].width, damages64[_i].value);
    check_fails(ERR_BAD_ARCHIVE, damages64[_i].why);
}
END_TEST

START_TEST(entries_have_names_of_their_own)
{
    archive_add(&archive, "x", text, sizeof text, false);
    archive_add(&archive, "x", text, sizeof text, true);
    archive_end(&archive);
    check_fails(ERR_BAD_ARCHIVE, "the same name");
}
END_TEST

static const char *const bad_names[] = {"../a.npy", "/a.npy", "a/../../b", "..",
                                        ""};

START_TEST(names_do_not_climb)
{
    archive_add(&archive, "x", text, sizeof text, false);
    archive_add(&archive, bad_names[_i], text, sizeof text, true);
    archive_end(&archive);
    check_fails(ERR_BAD_ARCHIVE, "no name");
}
END_TEST

/* Both entries of the directory name the same data, or one lies in the
 * other. */
START_TEST(entries_do_not_overlap)
{
    uint8_t inner[ARCHIVE_BYTES];
    Archive small;
    archive_start(&small, inner);
    archive_add(&small, "x", text, sizeof text, false);
    archive_add(&archive, "o", inner, small.size, false);
    archive_add(&archive, "x", text, sizeof text, false);
    archive_end(&archive);
    archive_set(&archive, archive.central[1] + 42, 4, 31);
    check_fails(ERR_BAD_ARCHIVE, "overlap");
}
END_TEST

START_TEST(no_truncation_is_read)
{
    add_two();
    for (size_t size = 0; size < archive.size; size++) {
        Zip *zip;
        Err err = {0};
        uint8_t *copy = arena_block(arena, size, 1);
        memcpy(copy, archive.bytes, size);
        ck_assert_int_eq(zip_open(arena, copy, size, &zip, &err), -1);
        ck_assert_int_eq(err.code, ERR_BAD_ARCHIVE);
        arena_release(copy);
    }
}
END_TEST

/* Whatever single bit is wrong: read or refused, and the right text where the
 * entry is read. */
START_TEST(no_flipped_bit_goes_unseen_in_data)
{
    add_two();
    for (size_t bit = 0; bit < archive.size * 8; bit++) {
        Zip *zip;
        Err err = {0};
        const void *content;
        archive.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (zip_open(arena, archive.bytes, archive.size, &zip, &err) == 0)
            for (size_t i = 0; i < zip->count; i++)
                if (zip_read(arena, zip, &zip->entries[i], &content, &err) == 0)
                    ck_assert_mem_eq(content, text, sizeof text);
        archive.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    check_two();
}
END_TEST

/* ---- Bombs ---- */

START_TEST(what_becomes_too_much_is_refused)
{
    enum { MUCH = 1 << 25 };
    add_two();
    archive_set(&archive, archive.local[1] + 22, 4, MUCH + 1);
    archive_set(&archive, archive.central[1] + 24, 4, MUCH + 1);
    check_fails(ERR_BUDGET, "more than 33554432 bytes");
}
END_TEST

START_TEST(all_entries_together_are_bounded)
{
    enum { SIZE = 1 << 24 };
    Err err = {0};
    const void *content;
    void *zeros = arena_alloc(arena, SIZE);
    for (int i = 0; i < 3; i++)
        archive_add(&archive,
                    i == 0   ? "a"
                    : i == 1 ? "b"
                             : "c",
                    zeros, SIZE, true);
    archive_end(&archive);
    Zip *zip = open_ok();
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(zip_read(arena, zip, &zip->entries[i], &content, &err),
                         0);
    ck_assert_int_eq(zip_read(arena, zip, &zip->entries[2], &content, &err),
                     -1);
    ck_assert_int_eq(err.code, ERR_BUDGET);
}
END_TEST

/* ---- gzip ---- */

static int unpack(const uint8_t *packed, size_t packed_size, void **out,
                  size_t *size, Err *err)
{
    *err = (Err){0};
    return inflate_gzip(arena, packed, packed_size, out, size, err);
}

START_TEST(gzip_is_unpacked)
{
    uint8_t packed[256];
    size_t first = gzip_pack(text, sizeof text, packed, sizeof packed);
    size_t second = gzip_pack("more", 4, packed + first, sizeof packed - first);
    void *out;
    size_t size;
    Err err;
    ck_assert_int_eq(unpack(packed, first, &out, &size, &err), 0);
    ck_assert_uint_eq(size, sizeof text);
    ck_assert_mem_eq(out, text, size);
    ck_assert_int_eq(unpack(packed, first + second, &out, &size, &err), 0);
    ck_assert_uint_eq(size, sizeof text + 4);
    ck_assert_mem_eq((char *)out + sizeof text, "more", 4);
}
END_TEST

START_TEST(gzip_of_any_size_is_unpacked)
{
    enum { SIZE = 300000 };
    static uint8_t data[SIZE], packed[SIZE + 4096];
    for (size_t i = 0; i < SIZE; i++)
        data[i] = (uint8_t)(i * i >> 7);
    for (size_t size = 1; size <= SIZE; size = size * 5 / 4 + 1) {
        size_t taken = gzip_pack(data, size, packed, sizeof packed), got;
        void *out;
        Err err;
        ck_assert_int_eq(unpack(packed, taken, &out, &got, &err), 0);
        ck_assert_uint_eq(got, size);
        ck_assert_mem_eq(out, data, size);
        arena_release(out);
    }
}
END_TEST

START_TEST(damaged_gzip_is_refused)
{
    uint8_t packed[256];
    void *out;
    size_t got, size = gzip_pack(text, sizeof text, packed, sizeof packed);
    Err err;
    for (size_t part = 0; part < size; part++) {
        ck_assert_int_eq(unpack(packed, part, &out, &got, &err), -1);
        ck_assert_int_eq(err.code, ERR_TRUNCATED);
    }
    /* All but the flags, time and system in the header is checked. */
    for (size_t i = 10; i < size; i++) {
        packed[i] ^= 1;
        ck_assert_int_eq(unpack(packed, size, &out, &got, &err), -1);
        packed[i] ^= 1;
    }
    packed[size] = 'x';
    ck_assert_int_eq(unpack(packed, size + 1, &out, &got, &err), -1);
}
END_TEST

START_TEST(a_gzip_bomb_is_refused)
{
    enum { SIZE = 33 << 20 };
    static uint8_t packed[1 << 17];
    void *zeros = arena_alloc(arena, SIZE), *out;
    size_t got, size = gzip_pack(zeros, SIZE, packed, sizeof packed);
    Err err;
    ck_assert_int_eq(unpack(packed, size, &out, &got, &err), -1);
    ck_assert_int_eq(err.code, ERR_BUDGET);
    ck_assert_ptr_nonnull(strstr(err.message, "more than 33554432 bytes"));
}
END_TEST

Suite *suite_zip(void)
{
    Suite *suite = suite_create("zip");
    TCase *tcase = tcase_create("zip");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, stored_and_deflated_entries_are_read);
    tcase_add_test(tcase, zip64_is_read);
    tcase_add_test(tcase, sizes_may_come_behind_the_data);
    tcase_add_test(tcase, a_comment_may_follow);
    tcase_add_test(tcase, empty_archives_and_entries_are_read);
    tcase_add_loop_test(tcase, damage_is_found, 0,
                        sizeof damages / sizeof *damages);
    tcase_add_loop_test(tcase, zip64_does_not_lie, 0,
                        sizeof damages64 / sizeof *damages64);
    tcase_add_test(tcase, entries_have_names_of_their_own);
    tcase_add_loop_test(tcase, names_do_not_climb, 0,
                        sizeof bad_names / sizeof *bad_names);
    tcase_add_test(tcase, entries_do_not_overlap);
    tcase_add_test(tcase, no_truncation_is_read);
    tcase_add_test(tcase, no_flipped_bit_goes_unseen_in_data);
    tcase_add_test(tcase, what_becomes_too_much_is_refused);
    tcase_add_test(tcase, all_entries_together_are_bounded);
    tcase_add_test(tcase, gzip_is_unpacked);
    tcase_add_test(tcase, gzip_of_any_size_is_unpacked);
    tcase_add_test(tcase, damaged_gzip_is_refused);
    tcase_add_test(tcase, a_gzip_bomb_is_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
