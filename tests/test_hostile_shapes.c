/*
 * Whatever the shape of a file, it is answered in the time and the memory that
 * its size allows: 10 s and sixteen times the size with 64 MB for 64 MB.
 */
#include <stdio.h>
#include <string.h>

#include "arrays.h"
#include "cli.h"
#include "hostile/shapes.h"
#include "hostile/text.h"
#include "suites.h"

#define MEGABYTE ((size_t)1 << 20)

/* In proportion, and what a loaded machine may take to start. */
static double seconds_allowed(size_t size)
{
    return 10 * (double)size / (64 * (double)MEGABYTE) + 0.5;
}

/* `size` is that of all files that the program has read. */
static void check_answer(const Shape *shape, const char *command, size_t size)
{
    ck_assert_msg(cli.status >= 0 && cli.status <= 2, "%s, %s: status %d: %s",
                  command, shape->name, cli.status, cli.err);
    if (cli.status == 2)
        ck_assert_msg(strncmp(cli.err, "repfold: ", 9) == 0 &&
                          strchr(cli.err, '\n') == strrchr(cli.err, '\n'),
                      "%s, %s: %s", command, shape->name, cli.err);
    ck_assert_msg(CLI_IS_SANITIZED || cli.seconds < seconds_allowed(size),
                  "%s, %s: %g s", command, shape->name, cli.seconds);
    ck_assert_msg(CLI_IS_SANITIZED || cli.peak < 16 * size + 64 * MEGABYTE,
                  "%s, %s: %zu bytes for %zu", command, shape->name, cli.peak,
                  size);
}

static size_t write_shape(const Shape *shape, size_t size)
{
    Bytes file;
    shape_make(shape, size, &file);
    size = file.size;
    cli_write("bad.onnx", file.bytes, file.size);
    cli_write("w", "\0\0\0", 4);
    bytes_free(&file);
    return size;
}

START_TEST(any_shape_is_converted_or_refused_within_bounds)
{
    const Shape *shape = &hostile_shapes().list[_i];
    size_t size = write_shape(shape, MEGABYTE);
    REPFOLD("convert", "bad.onnx", "-o", "out.onnx", "--no-verify");
    check_answer(shape, "convert", size);
}
END_TEST

/* What does not run the model. */
START_TEST(any_shape_is_told_of_within_bounds)
{
    const Shape *shape = &hostile_shapes().list[_i];
    size_t size = write_shape(shape, MEGABYTE / 8);
    REPFOLD("inspect", "bad.onnx", "--json", "report.json");
    check_answer(shape, "inspect", size);
    REPFOLD("lint", "bad.onnx", "--json", "report.json");
    check_answer(shape, "lint", size);
    REPFOLD("diff", "bad.onnx", "bad.onnx");
    check_answer(shape, "diff", 2 * size);
    REPFOLD("convert", "bad.onnx", "-o", "out.onnx", "--no-verify", "--json",
            "report.json", "--html", "report.html");
    check_answer(shape, "convert with reports", size);
}
END_TEST

/* What runs it holds values too, which may be larger than the file is; here
 * they are small. */
START_TEST(any_shape_is_run_within_bounds)
{
    const Shape *shape = &hostile_shapes().list[_i];
    size_t size = write_shape(shape, MEGABYTE / 8);
    REPFOLD("verify", "bad.onnx", "bad.onnx");
    check_answer(shape, "verify", 2 * size);
    REPFOLD("convert", "bad.onnx", "-o", "out.onnx");
    check_answer(shape, "convert with certificates and a verdict", size);
}
END_TEST

/* Certificates look back along chains: each place is passed once. */
START_TEST(a_chain_of_what_keeps_its_value_is_certified_in_time)
{
    const Shapes shapes = hostile_shapes();
    size_t chosen = 0;
    while (strcmp(shapes.list[chosen].name, "shapes of shapes") != 0)
        chosen++;
    write_shape(&shapes.list[chosen], MEGABYTE);
    ck_assert_int_eq(REPFOLD("convert", "bad.onnx", "-o", "out.onnx"), 0);
    ck_assert_ptr_nonnull(strstr(cli.out, "equivalent"));
    ck_assert_msg(CLI_IS_SANITIZED || cli.seconds < 10, "%g s", cli.seconds);
}
END_TEST

/* Sixteen million bytes that one number stands for are not held. */
START_TEST(one_number_everywhere_takes_no_memory)
{
    Proto file;
    text_model(&file,
               "x: f32[1,256,8,8]; n = i64[4](256,256,8,8); s = f32[256];"
               "w = ConstantOfShape<value=f32[1](2.0)>(n); c = Conv(x, w);"
               "y = BatchNormalization(c, s, s, s, s); -> y");
    cli_write("in.onnx", file.bytes, file.size);
    ck_assert_int_eq(
        REPFOLD("convert", "in.onnx", "-o", "out.onnx", "--no-verify"), 0);
    ck_assert_ptr_nonnull(strstr(cli.out, "C1 1"));
    ck_assert_msg(CLI_IS_SANITIZED || cli.peak < 32 * MEGABYTE, "%zu bytes",
                  cli.peak);
}
END_TEST

/* A byte is held as an int64: of those there is one copy for each value that is
 * alive, and none of what comes in or goes out. */
static const struct {
    const char *body;
    size_t values;
} byte_runs[] = {
    {"y = Identity(x)", 1},
    {"a = Flatten(x); y = Identity(a)", 1},
    {"y = Transpose(x)", 2},
    {"a = Cast<to=7>(x); b = Neg(a); y = Cast<to=2>(b)", 2},
};

START_TEST(bytes_are_run_in_the_memory_of_live_values)
{
    Arena *arena = arena_new(0);
    const int64_t dims[] = {8, 1024, 1024};
    void *data;
    const void *bytes;
    size_t size;
    Err err = {0};
    Proto file;
    char text[128];
    Tensor *tensor = tensor_alloc(arena, DT_UINT8, 3, dims, &data);
    memset(data, 7, tensor->data_size);
    ck_assert_int_eq(npy_bytes(arena, tensor, &bytes, &size, &err), 0);
    cli_write("x.npy", bytes, size);
    arena_free(arena);
    snprintf(text, sizeof text, "x: u8[8,1024,1024]; %s; -> y",
             byte_runs[_i].body);
    text_model(&file, text);
    cli_write("in.onnx", file.bytes, file.size);
    ck_assert_int_eq(
        REPFOLD("run", "in.onnx", "--input", "x=x.npy", "--output", "y=y.npy"),
        0);
    size_t most = (8 * byte_runs[_i].values + 1) * size + 16 * MEGABYTE;
    ck_assert_msg(CLI_IS_SANITIZED || cli.peak < most, "%s: %zu bytes",
                  byte_runs[_i].body, cli.peak);
}
END_TEST

Suite *suite_hostile_shapes(void)
{
    Suite *suite = suite_create("hostile_shapes");
    TCase *tc = tcase_create("hostile_shapes");
    tcase_add_checked_fixture(tc, cli_setup, cli_teardown);
    tcase_set_timeout(tc, 60);
    int count = (int)hostile_shapes().count;
    tcase_add_loop_test(tc, any_shape_is_converted_or_refused_within_bounds, 0,
                        count);
    tcase_add_loop_test(tc, any_shape_is_told_of_within_bounds, 0, count);
    tcase_add_loop_test(tc, any_shape_is_run_within_bounds, 0, count);
    tcase_add_test(tc, a_chain_of_what_keeps_its_value_is_certified_in_time);
    tcase_add_test(tc, one_number_everywhere_takes_no_memory);
    tcase_add_loop_test(tc, bytes_are_run_in_the_memory_of_live_values, 0,
                        sizeof byte_runs / sizeof *byte_runs);
    suite_add_tcase(suite, tc);
    return suite;
}
