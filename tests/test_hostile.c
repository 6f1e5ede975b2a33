/*
 * Hostile models, row by row: one line and exit status 2, nothing written, in
 * bounded time and memory; or a result.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "hostile/rows.h"
#include "hostile/text.h"
#include "suites.h"

/* Of every row: more than enough on a loaded machine. */
#define SECONDS_MAX 10
#define MEMORY_MAX (256 << 20)

static void write_row(const HostileRow *row)
{
    Proto file;
    text_model(&file, row->text);
    cli_write("bad.onnx", file.bytes, file.size);
}

static void check_answer(const HostileRow *row)
{
    if (row->code) {
        cli_assert_trouble(row->code, row->said ? row->said : "");
        cli_assert_json_code("report.json", row->code);
    }
    ck_assert_msg(row->code || cli.status == 0, "status %d: %s", cli.status,
                  cli.err);
    ck_assert_msg(cli.seconds < SECONDS_MAX, "%g s", cli.seconds);
    ck_assert_msg(CLI_IS_SANITIZED || cli.peak < MEMORY_MAX, "%zu bytes",
                  cli.peak);
}

START_TEST(a_bad_model_is_refused)
{
    const HostileRow *row = &hostile_models().rows[_i];
    write_row(row);
    REPFOLD("convert", "bad.onnx", "-o", "out.onnx", "--no-verify", "--json",
            "report.json");
    check_answer(row);
    ck_assert_int_eq(cli_exists("out.onnx"), !row->code);
}
END_TEST

/* Nothing in them is to fold: they are converted to themselves or refused. */
START_TEST(a_bad_node_is_not_run)
{
    const HostileRow *row = &hostile_runs().rows[_i];
    write_row(row);
    REPFOLD("bench", "bad.onnx", "--runs", "1", "--json", "report.json");
    check_answer(row);
    int status =
        REPFOLD("convert", "bad.onnx", "-o", "out.onnx", "--no-verify");
    ck_assert_int_eq(status == 0 || status == 2, 1);
    ck_assert(status == 2 || cli_same("bad.onnx", "out.onnx"));
}
END_TEST

/* ---- 52: functions ---- */

/* d.F0 is a node; each other function calls the one before it so many times. */
static void write_functions(int count, int calls)
{
    static char text[1 << 16];
    int at = snprintf(text, sizeof text,
                      "opset 17; opset d 1;"
                      "fn d.F0(a) -> (b) { b = Relu(a) }");
    for (int i = 1; i < count; i++) {
        at +=
            snprintf(text + at, sizeof text - (size_t)at,
                     "fn d.F%d(a) -> (v%d) { v1 = d.F%d(a);", i, calls, i - 1);
        for (int k = 1; k < calls; k++)
            at += snprintf(text + at, sizeof text - (size_t)at,
                           "v%d = d.F%d(v%d);", k + 1, i - 1, k);
        at += snprintf(text + at, sizeof text - (size_t)at, "}");
    }
    snprintf(text + at, sizeof text - (size_t)at,
             "x: f32[2]; y = d.F%d(x); -> y", count - 1);
    Proto file;
    text_model(&file, text);
    cli_write("bad.onnx", file.bytes, file.size);
}

START_TEST(functions_that_double_end_by_their_number)
{
    write_functions(30, 2);
    REPFOLD("convert", "bad.onnx", "-o", "out.onnx");
    cli_assert_trouble("budget", "10000000 nodes");
    /* What is within bounds runs. */
    write_functions(11, 2);
    ck_assert_int_eq(REPFOLD("bench", "bad.onnx", "--runs", "1"), 0);
}
END_TEST

START_TEST(functions_in_a_row_end_by_their_depth)
{
    write_functions(110, 1);
    REPFOLD("convert", "bad.onnx", "-o", "out.onnx");
    cli_assert_trouble("too-deep", "call one another");
    write_functions(60, 1);
    ck_assert_int_eq(REPFOLD("bench", "bad.onnx", "--runs", "1"), 0);
}
END_TEST

/* ---- 51: graphs in graphs ---- */

START_TEST(branches_in_branches)
{
    char text[1 << 12] = "y0 = Neg(x); -> y0";
    for (int i = 1; i <= 20; i++) {
        char inner[1 << 12];
        strcpy(inner, text);
        int size =
            snprintf(text, sizeof text,
                     "y%d = If<then_branch={%s}, else_branch={e%d = Abs(x);"
                     "-> e%d}>(c); -> y%d",
                     i, inner, i, i, i);
        ck_assert_int_lt(size, (int)sizeof text);
    }
    char whole[1 << 13];
    snprintf(whole, sizeof whole, "c: bool[]; x: f32[2]; %s", text);
    Proto file;
    text_model(&file, whole);
    cli_write("bad.onnx", file.bytes, file.size);
    ck_assert_int_eq(REPFOLD("bench", "bad.onnx", "--runs", "1"), 0);
    ck_assert_msg(cli.seconds < SECONDS_MAX, "%g s", cli.seconds);
}
END_TEST

/* ---- 65: the command line ---- */

static const struct {
    const char *arguments[6];
    const char *said;
} lines[] = {
    {{"convert", "bad.onnx", "--frobnicate"}, "--frobnicate"},
    {{"convert", "bad.onnx", "-o"}, "-o"},
    {{"convert", "bad.onnx", "-o", ""}, "-o"},
    {{"convert", "bad.onnx", "-o", "a", "--output=b"}, "--output"},
    {{"convert", "bad.onnx", "-o", "a", "--threads", "-0"}, "--threads"},
    {{"convert", "bad.onnx", "-o", "a", "--threads", " 3"}, "--threads"},
    {{"convert", "bad.onnx", "-o", "a", "--threads", "0x2"}, "--threads"},
    {{"verify", "bad.onnx", "bad.onnx", "--samples", "18446744073709551617"},
     "--samples"},
    {{"convert", "bad.onnx", "-o", "a", "--max-memory", "1e400"},
     "--max-memory"},
    {{"convert", "bad.onnx", "-o", "a", "--max-memory", "99999999999G"},
     "--max-memory"},
    {{"sample", "fastvit_t8", "--width-mult", "nan", "-o", "a"},
     "--width-mult"},
    {{"sample", "fastvit_t8", "--width-mult", "1e400", "-o", "a"},
     "--width-mult"},
    {{"convert", "a", "b", "-o", "c", "--in-place"}, ""},
    {{"convert", "--"}, ""},
};

enum { LINES = sizeof lines / sizeof *lines };

START_TEST(a_bad_command_line_is_refused)
{
    const char *arguments[7] = {NULL};
    memcpy(arguments, lines[_i].arguments, sizeof lines[_i].arguments);
    cli_run(arguments);
    cli_assert_trouble("usage", lines[_i].said);
    ck_assert_int_eq(cli_count(), 0);
}
END_TEST

START_TEST(an_argument_may_be_a_megabyte)
{
    size_t size = 100 * 1024; /* the system allows no more in one */
    char *text = malloc(size + 1);
    memset(text, 'n', size);
    text[size] = '\0';
    REPFOLD("convert", text, "-o", "out.onnx");
    cli_assert_trouble("io", "");
    REPFOLD(text);
    cli_assert_trouble("usage", "");
    free(text);
}
END_TEST

START_TEST(two_dashes_end_the_options)
{
    Proto file;
    text_model(&file, "x: f32[2]; y = Relu(x); -> y");
    cli_write("-x", file.bytes, file.size);
    ck_assert_int_eq(REPFOLD("inspect", "--", "-x"), 0);
}
END_TEST

/* ---- The list ---- */

enum { ROWS = 66 };

/* "1, 2" or "21 to 28" */
static void mark_numbers(const char *text, const char *end, bool *held)
{
    long last = 0;
    for (bool is_range = false; text < end; text++) {
        is_range |= strncmp(text, "to ", 3) == 0;
        if (*text < '0' || *text > '9')
            continue;
        char *behind;
        long number = strtol(text, &behind, 10);
        ck_assert_int_le(number, ROWS);
        for (long i = is_range ? last + 1 : number; i <= number; i++)
            held[i] = true;
        last = number;
        is_range = false;
        text = behind - 1;
    }
}

static void check_files_exist(const char *text, const char *end)
{
    while (text < end) {
        size_t length = strcspn(text, ", |");
        char path[256];
        if (length == 0) {
            text++;
            continue;
        }
        snprintf(path, sizeof path, "tests/%s%.*s",
                 strncmp(text, "rows_", 5) == 0 ? "hostile/" : "", (int)length,
                 text);
        ck_assert_msg(cli_exists(cli_source(path)), "%s is not there", path);
        text += length;
    }
}

START_TEST(the_list_of_inputs_is_true)
{
    bool held[ROWS + 1] = {false};
    char *list = cli_text(cli_source("tests/hostile/README.md"));
    for (char *line = strtok(list, "\n"); line; line = strtok(NULL, "\n")) {
        if (line[0] != '|' || line[2] < '0' || line[2] > '9')
            continue;
        char *input = strchr(line + 1, '|'), *files = strchr(input + 1, '|');
        mark_numbers(line + 1, input, held);
        check_files_exist(files, files + strlen(files));
    }
    for (int i = 1; i <= ROWS; i++)
        ck_assert_msg(held[i], "nothing holds number %d", i);
    free(list);
}
END_TEST

Suite *suite_hostile(void)
{
    Suite *suite = suite_create("hostile");
    TCase *tc = tcase_create("hostile");
    tcase_add_checked_fixture(tc, cli_setup, cli_teardown);
    tcase_add_loop_test(tc, a_bad_model_is_refused, 0,
                        (int)hostile_models().count);
    tcase_add_loop_test(tc, a_bad_node_is_not_run, 0,
                        (int)hostile_runs().count);
    tcase_add_test(tc, functions_that_double_end_by_their_number);
    tcase_add_test(tc, functions_in_a_row_end_by_their_depth);
    tcase_add_test(tc, branches_in_branches);
    tcase_add_loop_test(tc, a_bad_command_line_is_refused, 0, LINES);
    tcase_add_test(tc, an_argument_may_be_a_megabyte);
    tcase_add_test(tc, two_dashes_end_the_options);
    tcase_add_test(tc, the_list_of_inputs_is_true);
    suite_add_tcase(suite, tc);
    return suite;
}
