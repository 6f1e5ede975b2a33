/*
 * Hostile models, row by row: one line and exit status 2, nothing written, in
 * bounded time and memory; or a result.
 */
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
    if (row->code)
        cli_assert_trouble(row->code, row->said ? row->said : "");
    ck_assert_msg(row->code || cli.status == 0, "status %d: %s", cli.status,
                  cli.err);
    ck_assert_msg(cli.seconds < SECONDS_MAX, "%g s", cli.seconds);
    ck_assert_msg(cli.peak < MEMORY_MAX, "%zu bytes", cli.peak);
}

START_TEST(a_bad_model_is_refused)
{
    const HostileRow *row = &hostile_models().rows[_i];
    write_row(row);
    REPFOLD("convert", "bad.onnx", "-o", "out.onnx", "--no-verify");
    check_answer(row);
    ck_assert_int_eq(cli_exists("out.onnx"), !row->code);
}
END_TEST

/* Nothing in them is to fold: they are converted to themselves or refused. */
START_TEST(a_bad_node_is_not_run)
{
    const HostileRow *row = &hostile_runs().rows[_i];
    write_row(row);
    REPFOLD("bench", "bad.onnx", "--runs", "1");
    check_answer(row);
    int status =
        REPFOLD("convert", "bad.onnx", "-o", "out.onnx", "--no-verify");
    ck_assert_int_eq(status == 0 || status == 2, 1);
    ck_assert(status == 2 || cli_same("bad.onnx", "out.onnx"));
}
END_TEST

Suite *suite_hostile(void)
{
    Suite *suite = suite_create("hostile");
    TCase *tc = tcase_create("hostile");
    tcase_add_checked_fixture(tc, cli_setup, cli_teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, a_bad_model_is_refused, 0,
                        (int)hostile_models().count);
    tcase_add_loop_test(tc, a_bad_node_is_not_run, 0,
                        (int)hostile_runs().count);
    suite_add_tcase(suite, tc);
    return suite;
}
