/* Hostile files, as bytes and as sizes: one line, exit status 2, no output, in
 * bounded time and memory. Numbers are those of hostile/README.md. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "hostile/big.h"
#include "hostile/text.h"
#include "suites.h"

#define SECONDS_MAX 10
/* Sixteen times the file and this; the program itself takes some of it. */
#define MEMORY_MAX ((size_t)64 << 20)

static void check_bounds(size_t size)
{
    ck_assert_msg(cli.seconds < SECONDS_MAX, "%g s", cli.seconds);
    ck_assert_msg(CLI_IS_SANITIZED || cli.peak < 16 * size + MEMORY_MAX,
                  "%zu bytes for %zu", cli.peak, size);
}

/* Tries to convert it over an output that is there. */
static void check_refused(const Bytes *file, const char *code)
{
    cli_write("bad.onnx", file->bytes, file->size);
    cli_write("out.onnx", "old", 3);
    REPFOLD("convert", "bad.onnx", "-o", "out.onnx", "--json", "report.json");
    cli_assert_trouble(code, "bad.onnx");
    cli_assert_json_code("report.json", code);
    size_t size;
    char *old = cli_read("out.onnx", &size);
    ck_assert_str_eq(old, "old");
    free(old);
    ck_assert_int_eq(cli_count(), 3);
    check_bounds(file->size);
}

/* ---- 1 to 6, 12: no model, or cut off ---- */

static const struct {
    int number;
    const char *bytes;
    size_t size;
    const char *code;
} others[] = {
    {1, "", 0, "not-onnx"},
    {2, "#!/bin/sh\necho hello\n", 21, "not-onnx"},
    {2, "\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16, "not-onnx"},
    {2,
     "\x7f"
     "ELF\2\1\1\0\0\0\0\0",
     12, "not-onnx"},
    {2, "PK\3\4\24\0\0\0\0\0", 10, "not-onnx"},
    {2, "\x1f\x8b\x08\0\0\0\0\0", 8, "truncated"},
    {2, "\x1f\x8b\x08\xff\0\0\0\0\0\0\0", 11, "bad-archive"},
    {2, "\x1c\0\0\0TFL3\0\0\0\0", 12, "not-onnx"},
    {11, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12, "malformed"},
    {11, "\x00\x08", 2, "malformed"},
    {11, "\xff\xff\xff\xff\x7f\x08", 6, "malformed"},
    {11, "\x0b\x08", 2, "malformed"},
    {11, "\x0c\x08", 2, "malformed"},
    {11, "\x0e\x08", 2, "malformed"},
    {12, "\x3a\x7f\x08", 3, "truncated"},
    {12, "\x3a\xff\xff\xff\xff\x0f\x08", 7, "truncated"},
    {12, "\x3a\xff\xff\xff\xff\x07\x08", 7, "truncated"},
    {12, "\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x08", 12, "truncated"},
};

enum { OTHERS = sizeof others / sizeof *others };

START_TEST(what_is_no_model_is_refused)
{
    Bytes file = {0};
    bytes_put(&file, others[_i].bytes, others[_i].size);
    check_refused(&file, others[_i].code);
    bytes_free(&file);
}
END_TEST

START_TEST(two_models_in_one_file_are_refused) /* 5 */
{
    Proto model;
    Bytes file = {0};
    text_model(&model, "x: f32[2]; y = Relu(x); -> y");
    bytes_put(&file, model.bytes, model.size);
    bytes_put(&file, model.bytes, model.size);
    check_refused(&file, "malformed");
    bytes_free(&file);
}
END_TEST

START_TEST(a_file_beyond_the_format_is_refused_by_its_size) /* 6 */
{
    int fd = open(cli_path("bad.onnx"), O_WRONLY | O_CREAT, 0666);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, (off_t)3 << 30), 0);
    ck_assert_int_eq(close(fd), 0);
    REPFOLD("convert", "bad.onnx", "-o", "out.onnx");
    cli_assert_trouble("budget", "bad.onnx");
    ck_assert_int_eq(cli_count(), 1);
    check_bounds(0);
}
END_TEST

/* ---- 7 to 10, 56: more than it seems ---- */

START_TEST(nesting_is_bounded) /* 7, 8 */
{
    static void (*const deep[])(Bytes *, size_t) = {big_deep_type,
                                                    big_deep_graph};
    for (size_t i = 0; i < 2; i++) {
        Bytes file = {0};
        deep[i](&file, 3000);
        check_refused(&file, "too-deep");
        bytes_free(&file);
    }
}
END_TEST

START_TEST(two_bytes_a_piece_are_bounded) /* 9 */
{
    enum { NODE = 1, INITIALIZER = 5, INPUT = 11, COUNT = 4000000 };
    static const int fields[] = {NODE, INITIALIZER, INPUT};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        Bytes file = {0};
        big_empty(&file, fields[i], COUNT);
        check_refused(&file, "invalid-model");
        bytes_free(&file);
    }
    Bytes file = {0};
    big_attributes(&file, COUNT);
    check_refused(&file, "budget");
    bytes_free(&file);
}
END_TEST

START_TEST(a_graph_comes_once) /* 10 */
{
    Bytes file = {0};
    big_graphs(&file, 100000);
    check_refused(&file, "malformed");
    bytes_free(&file);
}
END_TEST

/* The user may allow what is not done unasked. */
static void check_converts(void (*make)(Bytes *, size_t), size_t count)
{
    Bytes file = {0};
    make(&file, count);
    cli_write("big.onnx", file.bytes, file.size);
    REPFOLD("convert", "big.onnx", "-o", "out.onnx", "--no-verify",
            "--max-memory", "2G");
    ck_assert_msg(cli.status == 0, "%s", cli.err);
    ck_assert(cli_same("big.onnx", "out.onnx"));
    ck_assert_msg(cli.seconds < SECONDS_MAX, "%g s", cli.seconds);
    bytes_free(&file);
}

START_TEST(long_and_wide_graphs_take_no_more_than_their_length) /* 56 */
{
    check_converts(big_chain, 300000);
    check_converts(big_inputs, 1000000);
}
END_TEST

/* ---- 16, 17: names ---- */

static const char *const names[] = {
    "%n%s%x%n",
    "../../etc/passwd",
    "\x1b[2J\x1b]0;title\a",
    "\r\n\t\b",
    "\xc2\x9b"
    "31m",
    "${HOME}`id`",
    "",
};

START_TEST(names_drive_nothing)
{
    Proto model, graph = {.size = 0};
    static const int64_t two[] = {2};
    proto_node(&graph, "Relu", "x", "y");
    proto_input(&graph, "x", 1, two);
    proto_output(&graph, names[_i], 1, two);
    proto_model(&model, &graph);
    cli_write("bad.onnx", model.bytes, model.size);
    REPFOLD("convert", "bad.onnx", "-o", "out.onnx");
    ck_assert_int_eq(cli.status, 2);
    for (const char *c = cli.err; c[1]; c++)
        ck_assert_msg((unsigned char)*c >= ' ' && (unsigned char)*c != 0x7f,
                      "a control character: %s", cli.err);
    ck_assert_int_eq(cli_count(), 1);
}
END_TEST

START_TEST(a_name_of_a_megabyte_is_cut_in_messages)
{
    Bytes node = {0}, graph = {0}, file = {0}, name = {0};
    for (int i = 0; i < 1 << 20; i++)
        bytes_put(&name, "n", 1);
    bytes_field(&node, 1, name.bytes, name.size);
    bytes_field(&node, 2, "y", 1);
    bytes_field(&node, 4, "Relu", 4);
    bytes_field(&graph, 1, node.bytes, node.size);
    bytes_model(&file, &graph);
    check_refused(&file, "undefined-value");
    ck_assert_uint_lt(strlen(cli.err), 1000);
    ck_assert_ptr_nonnull(strstr(cli.err, "nn...\", which is no input"));
    bytes_field(&node, 3, name.bytes, name.size);
    bytes_free(&graph);
    bytes_free(&file);
    graph = file = (Bytes){0};
    bytes_field(&graph, 1, node.bytes, node.size);
    bytes_model(&file, &graph);
    check_refused(&file, "undefined-value");
    ck_assert_ptr_nonnull(strstr(cli.err, "Relu node \"nn"));
    ck_assert_ptr_nonnull(strstr(cli.err, "which is no input"));
    bytes_free(&node);
    bytes_free(&graph);
    bytes_free(&file);
    bytes_free(&name);
}
END_TEST

/* ---- 3, 4: damage, on the road that a user takes ---- */

static void check_survives(const Proto *model, size_t size)
{
    cli_write("bad.onnx", model->bytes, size);
    REPFOLD("convert", "bad.onnx", "-o", "out.onnx", "--samples", "1");
    ck_assert_msg(cli.status >= 0 && cli.status <= 2, "status %d: %s",
                  cli.status, cli.err);
    ck_assert(cli.status != 0 || cli_exists("out.onnx"));
    ck_assert(cli.status == 0 || !cli_exists("out.onnx"));
    unlink(cli_path("out.onnx"));
}

/* In steps; test_read_damage.c has every bit of the reader's part. */
START_TEST(damage_is_refused_or_converted)
{
    Proto model;
    text_model(&model, "x: f32[1,2,4,4]; w = f32[2,2,1,1]; s = f32[2];"
                       "c = Conv(x, w); y = BatchNormalization(c, s, s, s, s);"
                       "-> y");
    for (size_t size = 0; size < model.size; size += 7)
        check_survives(&model, size);
    for (size_t bit = 0; bit < 8 * model.size; bit += 23) {
        model.bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        check_survives(&model, model.size);
        model.bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
}
END_TEST

Suite *suite_hostile_files(void)
{
    Suite *suite = suite_create("hostile_files");
    TCase *tc = tcase_create("hostile_files");
    tcase_add_checked_fixture(tc, cli_setup, cli_teardown);
    tcase_add_loop_test(tc, what_is_no_model_is_refused, 0, OTHERS);
    tcase_add_test(tc, two_models_in_one_file_are_refused);
    tcase_add_test(tc, a_file_beyond_the_format_is_refused_by_its_size);
    tcase_add_test(tc, nesting_is_bounded);
    tcase_add_test(tc, two_bytes_a_piece_are_bounded);
    tcase_add_test(tc, a_graph_comes_once);
    tcase_add_test(tc, long_and_wide_graphs_take_no_more_than_their_length);
    tcase_add_loop_test(tc, names_drive_nothing, 0,
                        sizeof names / sizeof *names);
    tcase_add_test(tc, a_name_of_a_megabyte_is_cut_in_messages);
    tcase_add_test(tc, damage_is_refused_or_converted);
    suite_add_tcase(suite, tc);
    return suite;
}
