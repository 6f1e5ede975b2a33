/* The pre-scan: what it lets through, and how it names what it does not. */
#include <stdio.h>
#include <string.h>

#include "models.h"
#include "onnx/scan.h"
#include "suites.h"

static int scan(const Proto *file, Err *err)
{
    *err = (Err){0};
    size_t external;
    return scan_model((Span){file->bytes, file->size}, 0, &external, err);
}

static void check_scans(const Proto *file)
{
    Err err;
    ck_assert_msg(scan(file, &err) == 0, "%s", err.message);
}

static void check_fails(const Proto *file, ErrCode code, const char *text)
{
    Err err;
    ck_assert_int_eq(scan(file, &err), -1);
    ck_assert_msg(err.code == code, "%s: %s", err_name(err.code), err.message);
    ck_assert_msg(strstr(err.message, text) != NULL, "%s", err.message);
}

static void small_model(Proto *file)
{
    static const int64_t dims[] = {2, 3};
    static const float values[] = {1, 2, 3, 4, 5, 6};
    Proto graph = {.size = 0};
    proto_node(&graph, "Add", "x w", "y");
    proto_weight(&graph, "w", 2, dims, values);
    proto_input(&graph, "x", 2, dims);
    proto_output(&graph, "y", 2, dims);
    proto_model(file, &graph);
}

/* A model that is only a graph, which is only this. */
static void graph_of(Proto *file, int field, const void *bytes, size_t size)
{
    Proto graph = {.size = 0};
    proto_bytes(&graph, field, bytes, size);
    *file = (Proto){.size = 0};
    proto_message(file, 7, &graph);
}

START_TEST(a_model_passes)
{
    Proto file;
    small_model(&file);
    check_scans(&file);
}
END_TEST

START_TEST(an_empty_file_is_no_model)
{
    Proto file = {.size = 0};
    check_fails(&file, ERR_NOT_ONNX, "empty");
}
END_TEST

START_TEST(other_files_are_told_by_name)
{
    static const struct {
        const char *bytes, *what;
    } files[] = {
        {"\x89PNG\r\n\x1a\n", "PNG image"},
        {"\xff\xd8\xff\xe0 JFIF", "JPEG image"},
        {"\x7f"
         "ELF\x02\x01\x01",
         "ELF program"},
        {"\x1f\x8b\x08", "gzip"},
        {"PK\x03\x04\x14", "zip archive"},
        {"\x1c\xff\xff\xff"
         "TFL3",
         "TensorFlow Lite"},
        {"\x93NUMPY\x01", "NumPy"},
        {"<html><body>Not found</body></html>", "text file"},
        {"version https://git-lfs.github.com/spec/v1\n", "text file"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        Proto file = {.size = 0};
        put_raw(&file, files[i].bytes, strlen(files[i].bytes));
        check_fails(&file, ERR_NOT_ONNX, files[i].what);
    }
}
END_TEST

/* Only between two fields can a file be cut without being seen to be. */
START_TEST(a_cut_file_is_cut_or_whole)
{
    Proto file;
    small_model(&file);
    size_t whole = 0, size = file.size;
    for (file.size = 1; file.size < size; file.size++) {
        Err err;
        if (scan(&file, &err) == 0)
            whole++;
        else
            ck_assert_msg(err.code == ERR_TRUNCATED, "%zu: %s", file.size,
                          err.message);
    }
    ck_assert_uint_eq(whole, 3); /* after IR version, producer, graph */
}
END_TEST

START_TEST(a_message_that_overruns_its_parent_is_malformed)
{
    Proto file;
    graph_of(&file, 1,
             "\x0a\x05"
             "abc",
             5); /* a node's input of 5 bytes */
    check_fails(&file, ERR_MALFORMED, "NodeProto");
}
END_TEST

START_TEST(singular_fields_come_once)
{
    Proto file, twice;
    small_model(&file);
    twice = file;
    put_raw(&twice, file.bytes, file.size);
    check_fails(&twice, ERR_MALFORMED, "ir_version is there twice");
    Proto graph = {.size = 0};
    proto_text(&graph, 2, "g");
    twice = (Proto){.size = 0};
    proto_message(&twice, 7, &graph);
    proto_message(&twice, 7, &graph);
    check_fails(&twice, ERR_MALFORMED, "graph is there twice");
}
END_TEST

START_TEST(tags_are_in_range)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *what;
    } tags[] = {
        {"\x00\x00", 2, "field number"},
        {"\xff\xff\xff\xff\x1f\x00", 6, "field number"},
        {"\xff\xff\xff\xff\xff\x0f\x00", 7, "too long"},
        {"\x0b", 1, "cut off"},
        {"\xa3\x06\x00", 3, "wire type"}, /* a group */
        {"\xa4\x06\x00", 3, "wire type"},
        {"\xa6\x06\x00", 3, "wire type"},
        {"\xa7\x06\x00", 3, "wire type"},
    };
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        Proto file = {.size = 0};
        proto_int(&file, 1, 8);
        put_raw(&file, tags[i].bytes, tags[i].size);
        Err err;
        ck_assert_int_eq(scan(&file, &err), -1);
        ck_assert_msg(strstr(err.message, tags[i].what) != NULL, "%s",
                      err.message);
    }
}
END_TEST

START_TEST(numbers_have_ten_bytes_at_most)
{
    Proto file = {.size = 0};
    proto_int(&file, 5, UINT64_MAX);
    ck_assert_uint_eq(file.size, 11);
    check_scans(&file);
    file = (Proto){.size = 0};
    put_raw(&file, "\x28\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 12);
    check_fails(&file, ERR_MALFORMED, "too long");
}
END_TEST

START_TEST(lengths_that_overflow_are_cut_files)
{
    static const uint64_t lengths[] = {100, 0x7fffffff, 0xffffffff,
                                       (uint64_t)1 << 63, UINT64_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        Proto file = {.size = 0};
        proto_int(&file, 7, lengths[i]);
        file.bytes[0] = 7 << 3 | 2;
        check_fails(&file, ERR_TRUNCATED, "a length reaches past the end");
    }
}
END_TEST

START_TEST(known_fields_have_their_wire_type)
{
    Proto file = {.size = 0};
    proto_int(&file, 7, 1); /* the graph */
    check_fails(&file, ERR_MALFORMED, "field graph has the wrong wire type");
    file = (Proto){.size = 0};
    proto_text(&file, 1, "8"); /* the IR version */
    check_fails(&file, ERR_MALFORMED, "ir_version has the wrong wire type");
}
END_TEST

START_TEST(packed_arrays_hold_whole_numbers)
{
    static const struct {
        int field;
        const char *bytes;
        size_t size;
    } arrays[] = {
        {1, "\x02\x83", 2},       /* dims: the second goes on */
        {4, "\0\0\x80\x3f\0", 5}, /* float_data: one and a quarter */
        {10, "\0\0\0\0", 4},      /* double_data: a half */
    };
    for (size_t i = 0; i < 3; i++) {
        Proto tensor = {.size = 0}, file;
        proto_bytes(&tensor, arrays[i].field, arrays[i].bytes, arrays[i].size);
        graph_of(&file, 5, tensor.bytes, tensor.size);
        check_fails(&file, ERR_MALFORMED, "TensorProto: a number is cut off");
    }
}
END_TEST

START_TEST(strings_are_utf8_without_nul)
{
    static const struct {
        const char *bytes;
        size_t size;
        bool good;
    } texts[] = {
        {"caf\xc3\xa9", 5, true},
        {"\xf4\x8f\xbf\xbf", 4, true}, /* U+10FFFF */
        {"a\0b", 3, false},
        {"\xff", 1, false},
        {"\xc3", 1, false},     /* cut */
        {"\xc0\xaf", 2, false}, /* overlong */
        {"\xe0\x80\xaf", 3, false},
        {"\xf0\x80\x80\xaf", 4, false},
        {"\xed\xa0\x80", 3, false},     /* a surrogate */
        {"\xf4\x90\x80\x80", 4, false}, /* beyond U+10FFFF */
        {"\x80", 1, false},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        Proto file;
        graph_of(&file, 2, texts[i].bytes, texts[i].size);
        if (texts[i].good)
            check_scans(&file);
        else
            check_fails(&file, ERR_MALFORMED, "name is not UTF-8");
    }
}
END_TEST

START_TEST(bytes_may_be_anything)
{
    Proto tensor = {.size = 0}, file;
    proto_bytes(&tensor, 9, "\xff\0\x80", 3);
    graph_of(&file, 5, tensor.bytes, tensor.size);
    check_scans(&file);
}
END_TEST

START_TEST(unknown_fields_pass)
{
    Proto graph = {.size = 0}, file = graph;
    proto_int(&graph, 100, 5);
    proto_bytes(&graph, 536870911, "\xff\0", 2);
    put_raw(&graph,
            "\xa1\x06"
            "12345678",
            10); /* field 100, 64 bits */
    put_raw(&graph,
            "\xa5\x06"
            "1234",
            6);
    proto_message(&file, 7, &graph);
    proto_text(&file, 536870911, "the highest number");
    check_scans(&file);
}
END_TEST

/* A chain of messages, each the only field of the one before, written from
 * the inside out. Returns where it starts. */
static uint8_t *nest(uint8_t *end, const uint8_t *tags, size_t tag_count,
                     size_t depth)
{
    uint8_t *at = end;
    for (size_t i = depth; i-- > 0;) {
        uint8_t length[10];
        size_t size = (size_t)(end - at), n = 0;
        for (; size >= 0x80; size >>= 7)
            length[n++] = (uint8_t)(size | 0x80);
        length[n++] = (uint8_t)size;
        at -= n;
        memcpy(at, length, n);
        *--at = tags[i < tag_count ? i : tag_count - 2 + (i - tag_count) % 2];
    }
    return at;
}

/* Model, graph, value, type, sequence, type, sequence, type ... */
static int scan_sequences(size_t depth, size_t limit, Err *err)
{
    static const uint8_t tags[] = {7 << 3 | 2, 11 << 3 | 2, 2 << 3 | 2,
                                   4 << 3 | 2, 1 << 3 | 2};
    size_t room = depth * 11;
    uint8_t *bytes = arena_block(arena, room, 1);
    uint8_t *start = nest(bytes + room, tags, sizeof tags, depth);
    *err = (Err){0};
    size_t external;
    return scan_model((Span){start, (size_t)(bytes + room - start)}, limit,
                      &external, err);
}

START_TEST(nesting_is_bounded)
{
    Err err;
    ck_assert_int_eq(scan_sequences(100, 0, &err), 0);
    ck_assert_int_eq(scan_sequences(101, 0, &err), -1);
    ck_assert_int_eq(err.code, ERR_TOO_DEEP);
    ck_assert_int_eq(scan_sequences(101, 200, &err), 0);
    ck_assert_int_eq(scan_sequences(9000, 0, &err), -1);
    ck_assert_int_eq(err.code, ERR_TOO_DEEP);
    ck_assert_int_eq(scan_sequences(1000000, SIZE_MAX, &err), -1);
    ck_assert_int_eq(err.code, ERR_TOO_DEEP);
}
END_TEST

START_TEST(faults_say_where_they_are)
{
    Proto file;
    small_model(&file);
    size_t end = file.size;
    proto_int(&file, 1, 8);
    char text[64];
    snprintf(text, sizeof text, "byte %zu, in a ModelProto", end);
    check_fails(&file, ERR_MALFORMED, text);
}
END_TEST

Suite *suite_scan(void)
{
    Suite *suite = suite_create("scan");
    TCase *tcase = tcase_create("scan");
    tcase_add_checked_fixture(tcase, models_setup, models_teardown);
    tcase_add_test(tcase, a_model_passes);
    tcase_add_test(tcase, an_empty_file_is_no_model);
    tcase_add_test(tcase, other_files_are_told_by_name);
    tcase_add_test(tcase, a_cut_file_is_cut_or_whole);
    tcase_add_test(tcase, a_message_that_overruns_its_parent_is_malformed);
    tcase_add_test(tcase, singular_fields_come_once);
    tcase_add_test(tcase, tags_are_in_range);
    tcase_add_test(tcase, numbers_have_ten_bytes_at_most);
    tcase_add_test(tcase, lengths_that_overflow_are_cut_files);
    tcase_add_test(tcase, known_fields_have_their_wire_type);
    tcase_add_test(tcase, packed_arrays_hold_whole_numbers);
    tcase_add_test(tcase, strings_are_utf8_without_nul);
    tcase_add_test(tcase, bytes_may_be_anything);
    tcase_add_test(tcase, unknown_fields_pass);
    tcase_add_test(tcase, nesting_is_bounded);
    tcase_add_test(tcase, faults_say_where_they_are);
    suite_add_tcase(suite, tcase);
    return suite;
}
