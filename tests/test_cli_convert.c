/* convert, lint, inspect and sample on real exports. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "suites.h"

#define SMALL "micro.ts-preserve.onnx"
#define TRAINING "mini.ts-training.onnx"

/* The number behind a word of the report, in the given column. */
static int report_count(const char *row, int column)
{
    const char *line = strstr(cli.out, row);
    int before, after;
    ck_assert_msg(line, "no row \"%s\" in: %s", row, cli.out);
    ck_assert_int_eq(sscanf(line + strlen(row), "%d %d", &before, &after), 2);
    return column == 0 ? before : after;
}

START_TEST(test_convert_writes_and_reports)
{
    ck_assert_int_eq(REPFOLD("convert", cli_fixture(SMALL), "-o", "out.onnx"),
                     0);
    ck_assert_str_eq(cli.err, "");
    ck_assert(cli_exists("out.onnx"));
    ck_assert_int_eq(cli_count(), 1);
    ck_assert_int_eq(report_count("  BatchNormalization", 0), 40);
    ck_assert_int_eq(report_count("  BatchNormalization", 1), 0);
    ck_assert_int_eq(report_count("  Sub", 1), 0);
    ck_assert_ptr_nonnull(strstr(cli.out, "verdict  equivalent"));
    ck_assert_ptr_nonnull(strstr(cli.out, "algebra "));
    ck_assert_ptr_nonnull(strstr(cli.out, "weights "));
    ck_assert_ptr_nonnull(strstr(cli.out, "execution "));
    ck_assert_ptr_nonnull(strstr(cli.out, "wrote    out.onnx"));
    int lines = 0;
    for (const char *c = cli.out; *c; c++)
        lines += *c == '\n';
    ck_assert_int_le(lines, 24); /* one screen */
}
END_TEST

START_TEST(test_convert_takes_its_result_as_it_is)
{
    ck_assert_int_eq(
        REPFOLD("convert", "-q", cli_fixture(SMALL), "-o", "once.onnx"), 0);
    ck_assert_str_eq(cli.out, "");
    ck_assert_int_eq(REPFOLD("convert", "once.onnx", "-o", "twice.onnx"), 0);
    ck_assert_ptr_nonnull(strstr(cli.out, "folds    none\n"));
    ck_assert(cli_same("once.onnx", "twice.onnx"));
}
END_TEST

START_TEST(test_same_bytes_whatever_the_threads)
{
    ck_assert_int_eq(REPFOLD("convert", "-q", cli_fixture(SMALL), "-o",
                             "one.onnx", "--threads", "1"),
                     0);
    ck_assert_int_eq(REPFOLD("convert", "-q", cli_fixture(SMALL), "-o",
                             "two.onnx", "--threads", "2"),
                     0);
    ck_assert(cli_same("one.onnx", "two.onnx"));
}
END_TEST

START_TEST(test_require_change)
{
    ck_assert_int_eq(REPFOLD("convert", "-q", cli_fixture(SMALL), "-o",
                             "once.onnx", "--require-change"),
                     0);
    ck_assert_int_eq(
        REPFOLD("convert", "once.onnx", "-o", "twice.onnx", "--require-change"),
        1);
    ck_assert_ptr_nonnull(strstr(cli.out, "nothing was written"));
    ck_assert(!cli_exists("twice.onnx"));
}
END_TEST

START_TEST(test_in_place)
{
    ck_assert_int_eq(REPFOLD("convert", "-q", cli_fixture(SMALL), "-o",
                             "out.onnx", "--no-verify"),
                     0);
    size_t size;
    char *bytes = cli_read(cli_fixture(SMALL), &size);
    cli_write("model.onnx", bytes, size);
    free(bytes);
    ck_assert_int_eq(
        REPFOLD("convert", "-q", "model.onnx", "--in-place", "--no-verify"), 0);
    ck_assert(cli_same("model.onnx", "out.onnx"));
    ck_assert_int_eq(cli_count(), 2);
}
END_TEST

/* The model goes through pipes, the report does not mix with it. */
START_TEST(test_standard_input_and_output)
{
    ck_assert_int_eq(
        REPFOLD("convert", "-q", cli_fixture(SMALL), "-o", "out.onnx"), 0);
    int status =
        cli_run_with(cli_fixture(SMALL), "piped.onnx",
                     (const char *const[]){"convert", "-", "-o", "-", NULL});
    ck_assert_int_eq(status, 0);
    ck_assert(cli_same("out.onnx", "piped.onnx"));
    ck_assert_ptr_nonnull(strstr(cli.err, "verdict  equivalent"));
}
END_TEST

START_TEST(test_verbose_lists_folds_and_refusals)
{
    ck_assert_int_eq(REPFOLD("convert", "-v", "--no-verify",
                             cli_fixture(TRAINING), "-o", "out.onnx"),
                     0);
    ck_assert_ptr_nonnull(strstr(cli.out, "training-mode: "));
    ck_assert_ptr_nonnull(strstr(cli.out, "--assume-inference"));
    ck_assert_ptr_null(strstr(cli.out, "verdict"));
}
END_TEST

/* Who exported in training mode sees at once what to do. */
START_TEST(test_why_most_was_left)
{
    ck_assert_int_eq(REPFOLD("convert", "--no-verify", cli_fixture(TRAINING),
                             "-o", "out.onnx"),
                     0);
    ck_assert_ptr_nonnull(strstr(cli.out, "-v tells where"));
    ck_assert_int_eq(cli_occurrences(cli.out, "--assume-inference"), 1);
    ck_assert_int_eq(cli_occurrences(cli.out, "    BatchNormalization "), 0);
}
END_TEST

START_TEST(test_assume_inference)
{
    ck_assert_int_eq(REPFOLD("convert", "-v", "--assume-inference",
                             cli_fixture(TRAINING), "-o", "out.onnx"),
                     0);
    ck_assert_int_eq(report_count("  BatchNormalization", 1), 0);
    ck_assert_ptr_nonnull(strstr(cli.out, "  #1 C"));
    ck_assert_ptr_nonnull(strstr(cli.out, "verdict  equivalent"));
}
END_TEST

START_TEST(test_rules_and_stop_after)
{
    ck_assert_int_eq(REPFOLD("convert", cli_fixture(SMALL), "-o", "a.onnx",
                             "--stop-after", "3"),
                     0);
    ck_assert_ptr_nonnull(strstr(cli.out, "folds    3 merged nodes: "));
    ck_assert_int_eq(REPFOLD("convert", cli_fixture(SMALL), "-o", "b.onnx",
                             "--skip", "C1,C4", "--no-verify", "-v"),
                     0);
    ck_assert_ptr_null(strstr(cli.out, " C1,"));
    ck_assert_int_gt(report_count("  BatchNormalization", 1), 0);
}
END_TEST

START_TEST(test_dump_after_writes_nothing)
{
    ck_assert_int_eq(
        REPFOLD("convert", cli_fixture(SMALL), "--dump-after", "sum"), 0);
    ck_assert_ptr_nonnull(strstr(cli.out, "Conv"));
    ck_assert_ptr_nonnull(strstr(cli.out, "logits"));
    ck_assert_int_eq(cli_count(), 0);
}
END_TEST

START_TEST(test_lint)
{
    ck_assert_int_eq(REPFOLD("lint", cli_fixture(SMALL)), 1);
    ck_assert_ptr_nonnull(strstr(cli.out, "can be folded\n  #1 "));
    ck_assert_int_eq(
        REPFOLD("convert", "-q", cli_fixture(SMALL), "-o", "out.onnx"), 0);
    ck_assert_int_eq(REPFOLD("lint", "out.onnx"), 0);
    ck_assert_ptr_nonnull(strstr(cli.out, "nothing is left to fold"));
    ck_assert_int_eq(REPFOLD("lint", "-q", "out.onnx"), 0);
    ck_assert_str_eq(cli.out, "");
    ck_assert_int_eq(cli_count(), 1);
}
END_TEST

/* In training mode nothing can be folded, and yet it is not the deploy form. */
START_TEST(test_strict_lint)
{
    const char *training = cli_fixture(TRAINING);
    REPFOLD("convert", "-q", training, "-o", "left.onnx", "--no-verify");
    ck_assert_int_eq(REPFOLD("lint", "left.onnx"), 0);
    ck_assert_ptr_nonnull(strstr(cli.out, "nothing is left to fold"));
    ck_assert_int_eq(REPFOLD("lint", "left.onnx", "--strict", "--github"), 1);
    ck_assert_ptr_nonnull(strstr(cli.out, "nothing can be folded as it was"));
    ck_assert_ptr_nonnull(strstr(cli.out, "44 sites cannot be folded as"));
    REPFOLD("lint", "-q", "left.onnx", "--strict", "--junit", "-");
    ck_assert_int_eq(cli_occurrences(cli.out, "<failure "), 44);
    REPFOLD("lint", "-q", "left.onnx", "--strict", "--sarif", "-");
    ck_assert_int_eq(cli_occurrences(cli.out, "\"level\": \"warning\""), 44);
    ck_assert_int_eq(
        REPFOLD("lint", "left.onnx", "--strict", "-q", "--assume-inference"),
        1);
    ck_assert_int_eq(
        REPFOLD("convert", "-q", cli_fixture(SMALL), "-o", "out.onnx"), 0);
    ck_assert_int_eq(REPFOLD("lint", "out.onnx", "--strict"), 0);
}
END_TEST

/* Each is told, whatever became of those before it. */
START_TEST(test_lint_of_several)
{
    REPFOLD("convert", "-q", cli_fixture(SMALL), "-o", "out.onnx");
    ck_assert_int_eq(REPFOLD("lint", "out.onnx", "out.onnx"), 0);
    ck_assert_int_eq(cli_occurrences(cli.out, "nothing is left to fold"), 2);
    ck_assert_int_eq(REPFOLD("lint", cli_fixture(SMALL), "out.onnx"), 1);
    ck_assert_int_eq(cli_occurrences(cli.out, "nothing is left to fold"), 1);
    ck_assert_int_eq(REPFOLD("lint", "absent.onnx", "out.onnx"), 2);
    ck_assert_int_eq(cli_occurrences(cli.out, "nothing is left to fold"), 1);
    ck_assert_ptr_nonnull(strstr(cli.err, "absent.onnx"));
    REPFOLD("lint", "out.onnx", "out.onnx", "--sarif", "s.json");
    cli_assert_trouble("usage", "a report is of one model");
}
END_TEST

START_TEST(test_inspect)
{
    ck_assert_int_eq(
        REPFOLD("inspect", cli_fixture("mini.ts-preserve-dynbatch.onnx")), 0);
    ck_assert_ptr_nonnull(
        strstr(cli.out, "input    image float32[batch,3,64,64]\n"));
    ck_assert_ptr_nonnull(
        strstr(cli.out, "output   logits float32[batch,10]\n"));
    ck_assert_ptr_nonnull(strstr(cli.out, "opset 17"));
    ck_assert_ptr_nonnull(strstr(cli.out, "RepMixer"));
    ck_assert_ptr_nonnull(strstr(cli.out, "attention"));
    ck_assert_ptr_nonnull(strstr(cli.out, "16x16"));
}
END_TEST

START_TEST(test_colour_on_a_terminal_only)
{
    const char *const real[] = {"convert", cli_fixture(SMALL), "-o", "out.onnx",
                                NULL};
    setenv("TERM", "xterm", 1);
    unsetenv("NO_COLOR");
    ck_assert_int_eq(cli_run_terminal(real), 0);
    ck_assert_ptr_nonnull(strstr(cli.out, "\033[1;32mequivalent\033[0m"));
    setenv("NO_COLOR", "1", 1);
    ck_assert_int_eq(cli_run_terminal(real), 0);
    unsetenv("NO_COLOR");
    ck_assert_ptr_null(strstr(cli.out, "\033[1;32m"));
    ck_assert_int_eq(cli_run(real), 0);
    ck_assert_ptr_null(strchr(cli.out, '\033'));
    ck_assert_str_eq(cli.err, "");
}
END_TEST

/* Work of more than a second: many samples of a full-size network. */
START_TEST(test_progress_on_a_terminal_only)
{
    const char *const arguments[] = {"verify",    "a.onnx", "a.onnx",
                                     "--samples", "24",     "--threads",
                                     "1",         NULL};
    REPFOLD("sample", "fastvit_t8", "-o", "a.onnx");
    setenv("TERM", "xterm", 1);
    setenv("NO_COLOR", "1", 1);
    ck_assert_int_eq(cli_run_terminal(arguments), 0);
    unsetenv("NO_COLOR");
    const char *shown = strstr(cli.out, "\r\033[Kverify ");
    ck_assert_msg(shown, "nothing is shown: %s", cli.out);
    ck_assert_ptr_nonnull(strstr(shown, " %"));
    ck_assert_ptr_nonnull(strstr(shown, " left"));
    /* It is gone before the report. */
    const char *last = shown;
    for (const char *at = shown; (at = strstr(at, "\r\033[K")); at++)
        last = at;
    ck_assert_msg(strncmp(last, "\r\033[Kverdict", 11) == 0, "%s", last);
    ck_assert_int_eq(cli_run(arguments), 0);
    ck_assert_str_eq(cli.err, "");
    ck_assert_ptr_null(strchr(cli.out, '\r'));
}
END_TEST

START_TEST(test_quiet_on_a_terminal)
{
    const char *const arguments[] = {"verify",    "a.onnx", "a.onnx",
                                     "--samples", "10",     "-q",
                                     "--threads", "1",      NULL};
    REPFOLD("sample", "fastvit_t8", "-o", "a.onnx");
    ck_assert_int_eq(cli_run_terminal(arguments), 0);
    ck_assert_str_eq(cli.out, "");
}
END_TEST

START_TEST(test_sample_is_the_same_for_the_same_seed)
{
    ck_assert_int_eq(REPFOLD("sample", "fastvit_t8", "-o", "a.onnx",
                             "--width-mult", "0.125", "--size", "64",
                             "--classes", "10"),
                     0);
    ck_assert_int_eq(REPFOLD("sample", "fastvit_t8", "-o", "b.onnx",
                             "--width-mult", "0.125", "--size", "64",
                             "--classes", "10", "--seed", "1"),
                     0);
    ck_assert_int_eq(REPFOLD("sample", "fastvit_t8", "-o", "c.onnx",
                             "--width-mult", "0.125", "--size", "64",
                             "--classes", "10", "--seed", "2"),
                     0);
    ck_assert(cli_same("a.onnx", "b.onnx"));
    ck_assert(!cli_same("a.onnx", "c.onnx"));
    ck_assert_int_eq(REPFOLD("convert", "a.onnx", "-o", "out.onnx"), 0);
    ck_assert_int_eq(report_count("  BatchNormalization", 1), 0);
}
END_TEST

Suite *suite_cli_convert(void)
{
    Suite *suite = suite_create("cli_convert");
    TCase *tc = tcase_create("convert");
    tcase_add_checked_fixture(tc, cli_setup, cli_teardown);
    tcase_add_test(tc, test_convert_writes_and_reports);
    tcase_add_test(tc, test_convert_takes_its_result_as_it_is);
    tcase_add_test(tc, test_same_bytes_whatever_the_threads);
    tcase_add_test(tc, test_require_change);
    tcase_add_test(tc, test_in_place);
    tcase_add_test(tc, test_standard_input_and_output);
    tcase_add_test(tc, test_verbose_lists_folds_and_refusals);
    tcase_add_test(tc, test_why_most_was_left);
    tcase_add_test(tc, test_assume_inference);
    tcase_add_test(tc, test_rules_and_stop_after);
    tcase_add_test(tc, test_dump_after_writes_nothing);
    tcase_add_test(tc, test_lint);
    tcase_add_test(tc, test_lint_of_several);
    tcase_add_test(tc, test_strict_lint);
    tcase_add_test(tc, test_inspect);
    tcase_add_test(tc, test_colour_on_a_terminal_only);
    tcase_add_test(tc, test_progress_on_a_terminal_only);
    tcase_add_test(tc, test_quiet_on_a_terminal);
    tcase_add_test(tc, test_sample_is_the_same_for_the_same_seed);
    suite_add_tcase(suite, tc);
    return suite;
}
