/*
 * Bad input: one line on standard error, exit status 2, nothing written, and
 * what was there before is as it was.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "proto.h"
#include "suites.h"

#define GOOD "micro.ts-preserve.onnx"

static const int64_t four[] = {1, 4};

/* Tries to convert bad.onnx over an output that is there. */
static void assert_refused(const char *code, const char *text)
{
    cli_write("out.onnx", "old", 3);
    REPFOLD("convert", "bad.onnx", "-o", "out.onnx");
    cli_assert_trouble(code, text);
    size_t size;
    char *old = cli_read("out.onnx", &size);
    ck_assert_str_eq(old, "old");
    free(old);
    ck_assert_int_eq(cli_count(), 2);
}

static void write_model(const Proto *graph)
{
    Proto model;
    proto_model(&model, graph);
    cli_write("bad.onnx", model.bytes, model.size);
}

START_TEST(test_missing_file)
{
    cli_write("out.onnx", "old", 3);
    REPFOLD("convert", "absent.onnx", "-o", "out.onnx");
    cli_assert_trouble("io", "absent.onnx: ");
    ck_assert_int_eq(cli_count(), 1);
}
END_TEST

/* Few files can be open: it works, or says so. */
START_TEST(test_few_descriptors)
{
    static const char *const commands[] = {
        "inspect good.onnx",
        "convert -q --no-verify good.onnx -o out.onnx --json out.json",
        "convert -q --no-verify --external-data always good.onnx -o ext.onnx",
        "verify good.onnx good.onnx --samples 1",
        "inspect ext.onnx",
        "convert -q --no-verify ext.onnx -o far/out.onnx",
        "run good.onnx --input-shape image:1,3,64,64",
    };
    if (CLI_IS_SANITIZED) {
        puts("test_few_descriptors: skipped: sanitizers need some themselves");
        return;
    }
    size_t size;
    char *bytes = cli_read(cli_fixture(GOOD), &size);
    ck_assert_ptr_nonnull(bytes);
    cli_write("good.onnx", bytes, size);
    free(bytes);
    ck_assert_int_eq(mkdir(cli_path("far"), 0777), 0);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        for (int most = 4; most <= 12; most += 1 + (most > 8)) {
            char line[256];
            snprintf(line, sizeof line,
                     "exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- && ulimit -n %d "
                     "&& exec '%s' %s",
                     most, cli_built("repfold"), commands[i]);
            int status =
                cli_command("/bin/sh", (const char *const[]){"-c", line, NULL});
            ck_assert_msg(status == 0 || status == 2, "%s: %d", line, status);
            if (status == 2)
                cli_assert_trouble("io", "Too many open files");
            if (most == 12)
                ck_assert_msg(status == 0, "%s: %s", line, cli.err);
        }
}
END_TEST

/* What is wrong is told, however long the path is. */
START_TEST(test_long_path)
{
    char path[700] = "";
    for (int i = 0; i < 3; i++) {
        memset(path + strlen(path), 'd', 200);
        ck_assert_int_eq(mkdir(cli_path(path), 0777), 0);
        strcat(path, "/");
    }
    strcat(path, "bad.onnx");
    cli_write(path, "#!/bin/sh\necho hello, world\n", 28);
    REPFOLD("inspect", path);
    cli_assert_trouble("not-onnx", "d/ddd");
    ck_assert_ptr_nonnull(
        strstr(cli.err, "d: not an ONNX model: looks like a text file ["));
    ck_assert_int_eq(cli_occurrences(cli.err, "not an ONNX model"), 1);
}
END_TEST

START_TEST(test_input_is_a_folder)
{
    ck_assert_int_eq(mkdir(cli_path("bad.onnx"), 0777), 0);
    assert_refused("io", "bad.onnx");
}
END_TEST

START_TEST(test_empty_file)
{
    cli_write("bad.onnx", "", 0);
    assert_refused("not-onnx", "bad.onnx");
}
END_TEST

START_TEST(test_not_onnx)
{
    cli_write("bad.onnx", "#!/bin/sh\necho hello, world\n", 28);
    assert_refused("not-onnx", "bad.onnx");
}
END_TEST

/* At any length. */
START_TEST(test_truncated)
{
    size_t size;
    char *bytes = cli_read(cli_fixture(GOOD), &size);
    ck_assert_ptr_nonnull(bytes);
    cli_write("bad.onnx", bytes, size * (size_t)(_i + 1) / 8);
    free(bytes);
    assert_refused("truncated", "bad.onnx");
}
END_TEST

START_TEST(test_cycle)
{
    Proto graph = {.size = 0};
    proto_node(&graph, "Add", "x b", "a");
    proto_node(&graph, "Relu", "a", "b");
    proto_input(&graph, "x", 2, four);
    proto_output(&graph, "b", 2, four);
    write_model(&graph);
    assert_refused("cycle", "bad.onnx");
}
END_TEST

START_TEST(test_missing_initializer)
{
    Proto graph = {.size = 0};
    proto_node(&graph, "Add", "x weight", "y");
    proto_input(&graph, "x", 2, four);
    proto_output(&graph, "y", 2, four);
    write_model(&graph);
    assert_refused("undefined-value", "weight");
}
END_TEST

/* A name from a file cannot drive the terminal. */
START_TEST(test_names_are_escaped)
{
    Proto graph = {.size = 0};
    proto_node(&graph, "Add", "x \033[2Jboo\n\302\233", "y");
    proto_input(&graph, "x", 2, four);
    proto_output(&graph, "y", 2, four);
    write_model(&graph);
    assert_refused("undefined-value", "boo");
    for (const char *c = cli.err; c[1]; c++)
        ck_assert_msg((unsigned char)*c >= ' ', "a control character: %s",
                      cli.err);
    ck_assert_ptr_null(strstr(cli.err, "\302\233"));
}
END_TEST

static void write_unknown_operator(void)
{
    Proto graph = {.size = 0};
    proto_node(&graph, "Frobnicate", "x", "y");
    proto_input(&graph, "x", 2, four);
    proto_output(&graph, "y", 2, four);
    write_model(&graph);
}

START_TEST(test_unknown_operator_cannot_run)
{
    write_unknown_operator();
    REPFOLD("bench", "bad.onnx");
    cli_assert_trouble("unsupported-operator", "Frobnicate");
}
END_TEST

/* The line names the file that cannot be run, whichever it is. */
START_TEST(test_the_file_that_cannot_run_is_named)
{
    Proto graph = {.size = 0}, good = {.size = 0};
    proto_node(&graph, "Relu", "x", "y");
    proto_input(&graph, "x", 2, four);
    proto_output(&graph, "y", 2, four);
    proto_model(&good, &graph);
    cli_write("good.onnx", good.bytes, good.size);
    write_unknown_operator();
    REPFOLD("verify", "bad.onnx", "good.onnx");
    cli_assert_trouble("unsupported-operator", "repfold: bad.onnx: the first");
    REPFOLD("verify", "good.onnx", "bad.onnx");
    cli_assert_trouble("unsupported-operator", "repfold: bad.onnx: the second");
}
END_TEST

/* Convert has no reason to understand it, and where nothing changes there is
 * nothing to verify. */
START_TEST(test_unknown_operator_passes_through)
{
    write_unknown_operator();
    ck_assert_int_eq(
        REPFOLD("convert", "bad.onnx", "-o", "out.onnx", "--no-verify"), 0);
    ck_assert(cli_same("bad.onnx", "out.onnx"));
    ck_assert_int_eq(REPFOLD("convert", "bad.onnx", "-o", "same.onnx", "--json",
                             "report.json"),
                     0);
    ck_assert(cli_same("bad.onnx", "same.onnx"));
    char *report = cli_text("report.json");
    ck_assert_ptr_nonnull(strstr(report, "\"not_verified\""));
    free(report);
    ck_assert_ptr_nonnull(strstr(cli.out, "verdict  not needed"));
    ck_assert_ptr_nonnull(strstr(cli.out, "Frobnicate"));
}
END_TEST

/* What was folded must be run. */
START_TEST(test_unknown_operator_after_a_fold)
{
    static const int64_t image[] = {1, 1, 2, 2}, weight[] = {1, 1, 1, 1};
    Proto graph = {.size = 0};
    proto_node(&graph, "Conv", "x w", "a");
    proto_node(&graph, "Mul", "a s", "b");
    proto_node(&graph, "Frobnicate", "b", "y");
    proto_input(&graph, "x", 4, image);
    proto_weight(&graph, "w", 4, weight, (float[]){2});
    proto_weight(&graph, "s", 4, weight, (float[]){3});
    proto_output(&graph, "y", 4, image);
    write_model(&graph);
    REPFOLD("convert", "bad.onnx", "-o", "out.onnx");
    cli_assert_trouble("unsupported-operator", "--no-run");
    ck_assert_int_eq(
        REPFOLD("convert", "bad.onnx", "-o", "out.onnx", "--no-verify"), 0);
    ck_assert(!cli_same("bad.onnx", "out.onnx"));
    ck_assert_int_eq(
        REPFOLD("convert", "bad.onnx", "-o", "proved.onnx", "--no-run"), 0);
    ck_assert(cli_same("out.onnx", "proved.onnx"));
    ck_assert_ptr_nonnull(strstr(cli.out, "1 of 1 changed values certified"));
    ck_assert_ptr_nonnull(strstr(cli.out, "verdict  none\n  neither"));
    REPFOLD("convert", "bad.onnx", "-o", "out.onnx", "--no-run", "--samples",
            "2");
    cli_assert_trouble("usage", "--no-run and --no-verify run nothing");
}
END_TEST

START_TEST(test_output_is_a_folder)
{
    ck_assert_int_eq(mkdir(cli_path("out.onnx"), 0777), 0);
    REPFOLD("convert", cli_fixture(GOOD), "-o", "out.onnx");
    cli_assert_trouble("io", "out.onnx: is a folder");
}
END_TEST

START_TEST(test_output_folder_is_missing)
{
    REPFOLD("convert", cli_fixture(GOOD), "-o", "nowhere/out.onnx");
    cli_assert_trouble("io", "nowhere/out.onnx: ");
    ck_assert_int_eq(cli_count(), 0);
    REPFOLD("sample", "fastvit_t8", "-o", "nowhere/out.onnx");
    cli_assert_trouble("io", "nowhere/out.onnx: ");
}
END_TEST

START_TEST(test_device_is_full)
{
    REPFOLD("convert", cli_fixture(GOOD), "-o", "/dev/full", "--no-verify");
    cli_assert_trouble("io", "/dev/full: ");
    struct stat info;
    ck_assert_int_eq(stat("/dev/full", &info), 0);
    ck_assert(S_ISCHR(info.st_mode));
}
END_TEST

START_TEST(test_file_may_not_grow)
{
    struct rlimit old, small;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 16 * 1024;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    REPFOLD("convert", cli_fixture(GOOD), "-o", "out.onnx", "--no-verify");
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
    cli_assert_trouble("io", "out.onnx: ");
    ck_assert_int_eq(cli_count(), 0);
}
END_TEST

static void copy_fixture(const char *name)
{
    size_t size;
    char *bytes = cli_read(cli_fixture(GOOD), &size);
    ck_assert_ptr_nonnull(bytes);
    cli_write(name, bytes, size);
    free(bytes);
}

START_TEST(test_output_is_the_input)
{
    copy_fixture("in.onnx");
    ck_assert_int_eq(link(cli_path("in.onnx"), cli_path("link.onnx")), 0);
    REPFOLD("convert", "in.onnx", "-o", "in.onnx");
    cli_assert_trouble("same-file", "in.onnx");
    REPFOLD("convert", "in.onnx", "-o", "./in.onnx");
    cli_assert_trouble("same-file", "in.onnx");
    REPFOLD("convert", "in.onnx", "-o", "link.onnx");
    cli_assert_trouble("same-file", "link.onnx");
    ck_assert(cli_same("in.onnx", cli_fixture(GOOD)));
    ck_assert_int_eq(cli_count(), 2);
}
END_TEST

/* Neither is there yet, and each is another name of the same place. */
START_TEST(test_two_outputs_are_one_file)
{
    static const char *const others[] = {"out.onnx",
                                         "./out.onnx",
                                         "folder/../out.onnx",
                                         "around/out.onnx",
                                         "around/around/out.onnx",
                                         "dangling"};
    ck_assert_int_eq(mkdir(cli_path("folder"), 0777), 0);
    ck_assert_int_eq(symlink(".", cli_path("around")), 0);
    ck_assert_int_eq(symlink("around/out.onnx", cli_path("dangling")), 0);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        REPFOLD("convert", cli_fixture(GOOD), "-o", "out.onnx", "--no-verify",
                "--html", others[i]);
        cli_assert_trouble("usage", "two outputs would go to the same file");
        REPFOLD("convert", cli_fixture(GOOD), "-o", "out.html", "--no-verify",
                "--json", "out.onnx", "--html", others[i]);
        cli_assert_trouble("usage", "two outputs would go to the same file");
    }
    ck_assert_int_eq(cli_count(), 3);
    ck_assert_int_eq(REPFOLD("convert", cli_fixture(GOOD), "-q", "-o",
                             "out.onnx", "--no-verify", "--html",
                             "folder/out.onnx"),
                     0);
}
END_TEST

START_TEST(test_report_over_the_input)
{
    copy_fixture("in.onnx");
    REPFOLD("lint", "in.onnx", "--json", "in.onnx");
    cli_assert_trouble("same-file", "in.onnx");
    ck_assert(cli_same("in.onnx", cli_fixture(GOOD)));
    REPFOLD("convert", "in.onnx", "-o", "out", "--json", "out");
    cli_assert_trouble("usage", "two outputs would go to the same file");
    REPFOLD("convert", "in.onnx", "-o", "-", "--json", "-");
    ck_assert_int_eq(cli.status, 2);
    ck_assert_int_eq(cli_count(), 1);
}
END_TEST

START_TEST(test_report_cannot_be_written)
{
    REPFOLD("lint", "-q", cli_fixture(GOOD), "--json", "/dev/full");
    cli_assert_trouble("io", "/dev/full: the report: ");
    REPFOLD("lint", "-q", cli_fixture(GOOD), "--json", "nowhere/report.json");
    cli_assert_trouble("io", "nowhere/report.json: folder nowhere: ");
}
END_TEST

START_TEST(test_error_as_json)
{
    ck_assert_int_eq(
        REPFOLD("convert", "absent.onnx", "-o", "out.onnx", "--json", "-"), 2);
    ck_assert_ptr_nonnull(strstr(cli.out, "\"error\""));
    ck_assert_ptr_nonnull(strstr(cli.out, "\"code\": \"io\""));
    ck_assert_ptr_nonnull(strstr(cli.out, "\"where\": \"absent.onnx\""));
    ck_assert_ptr_nonnull(strstr(cli.err, "[io]"));
}
END_TEST

START_TEST(test_memory_budget)
{
    REPFOLD("convert", cli_fixture(GOOD), "-o", "out.onnx", "--max-memory",
            "100k");
    cli_assert_trouble("budget", "--max-memory");
    ck_assert_int_eq(cli_count(), 0);
}
END_TEST

START_TEST(test_unknown_rule_pass_variant)
{
    REPFOLD("convert", cli_fixture(GOOD), "-o", "out.onnx", "--only", "C99");
    cli_assert_trouble("usage", "\"C99\"; there are C0 to C19");
    REPFOLD("convert", cli_fixture(GOOD), "--dump-after", "nothing");
    cli_assert_trouble("usage", "\"nothing\"; there are inline, ");
    REPFOLD("sample", "fastvit_t9", "-o", "out.onnx");
    cli_assert_trouble("usage", "fastvit_t9");
    ck_assert_int_eq(cli_count(), 0);
}
END_TEST

Suite *suite_cli_trouble(void)
{
    Suite *suite = suite_create("cli_trouble");
    TCase *tc = tcase_create("trouble");
    tcase_add_checked_fixture(tc, cli_setup, cli_teardown);
    tcase_add_test(tc, test_missing_file);
    tcase_add_test(tc, test_few_descriptors);
    tcase_add_test(tc, test_long_path);
    tcase_add_test(tc, test_input_is_a_folder);
    tcase_add_test(tc, test_empty_file);
    tcase_add_test(tc, test_not_onnx);
    tcase_add_loop_test(tc, test_truncated, 0, 7);
    tcase_add_test(tc, test_cycle);
    tcase_add_test(tc, test_missing_initializer);
    tcase_add_test(tc, test_names_are_escaped);
    tcase_add_test(tc, test_unknown_operator_cannot_run);
    tcase_add_test(tc, test_the_file_that_cannot_run_is_named);
    tcase_add_test(tc, test_unknown_operator_passes_through);
    tcase_add_test(tc, test_unknown_operator_after_a_fold);
    tcase_add_test(tc, test_output_is_a_folder);
    tcase_add_test(tc, test_output_folder_is_missing);
    tcase_add_test(tc, test_device_is_full);
    tcase_add_test(tc, test_file_may_not_grow);
    tcase_add_test(tc, test_output_is_the_input);
    tcase_add_test(tc, test_two_outputs_are_one_file);
    tcase_add_test(tc, test_report_over_the_input);
    tcase_add_test(tc, test_report_cannot_be_written);
    tcase_add_test(tc, test_error_as_json);
    tcase_add_test(tc, test_memory_budget);
    tcase_add_test(tc, test_unknown_rule_pass_variant);
    suite_add_tcase(suite, tc);
    return suite;
}
