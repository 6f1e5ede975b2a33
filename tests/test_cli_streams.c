/* What goes to which stream, and where a name on the command line leads. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive.h"
#include "cli.h"
#include "proto.h"
#include "suites.h"

#define TRAIN cli_fixture("micro.ts-preserve.onnx")

/* A line of a shell in the test's folder, in which $repfold is the program. */
static int shell(const char *line)
{
    char *whole;
    ck_assert_int_gt(asprintf(&whole, "repfold='%s' model='%s'; cd '%s'; %s",
                              cli_built("repfold"), TRAIN, cli_path("."), line),
                     0);
    cli_command("/bin/sh", (const char *const[]){"-c", whole, NULL});
    free(whole);
    return cli.status;
}

/* ---- Standard output ---- */

/* The array and nothing else. */
START_TEST(test_an_output_takes_standard_output)
{
    static const char *const run[] = {
        "run",      NULL, "--input-shape", "image:1,3,64,64", "--output",
        "logits=-", NULL};
    const char *piped[sizeof run / sizeof *run],
        *filed[sizeof run / sizeof *run];
    memcpy(piped, run, sizeof run);
    memcpy(filed, run, sizeof run);
    piped[1] = filed[1] = TRAIN;
    filed[5] = "logits=file.npy";
    ck_assert_int_eq(cli_run_with(NULL, "piped.npy", piped), 0);
    ck_assert_ptr_nonnull(strstr(cli.err, "ran in "));
    ck_assert_int_eq(cli_run(filed), 0);
    ck_assert_str_eq(cli.err, "");
    ck_assert(cli_same("piped.npy", "file.npy"));
}
END_TEST

/* It is standard output by its other name as well: what is there already is
 * not replaced. */
START_TEST(test_dev_stdout)
{
    ck_assert_int_eq(
        shell("$repfold inspect $model --json /dev/stdout >log 2>text"), 0);
    char *log = cli_text("log"), *text = cli_text("text");
    ck_assert_int_eq(log[0], '{');
    ck_assert_ptr_nonnull(strstr(text, "producer"));
    free(log);
    free(text);
    ck_assert_int_eq(shell("echo first >log; "
                           "$repfold inspect -q $model --json /dev/stdout "
                           ">>log"),
                     0);
    log = cli_text("log");
    ck_assert_int_eq(strncmp(log, "first\n{", 7), 0);
    free(log);
}
END_TEST

/* What a shell puts in place of >(command). */
START_TEST(test_a_pipe_by_its_number)
{
    ck_assert_int_eq(shell("{ $repfold convert -q $model -o /dev/fd/3 "
                           "--json /dev/fd/4 4>&1 >/dev/null 3>&5 | "
                           "cat >report; } 5>&1 | cat >deploy.onnx"),
                     0);
    ck_assert_int_eq(REPFOLD("convert", "-q", TRAIN, "-o", "own.onnx"), 0);
    ck_assert(cli_same("deploy.onnx", "own.onnx"));
    char *report = cli_text("report");
    ck_assert_ptr_nonnull(strstr(report, "\"ok\": true"));
    free(report);
}
END_TEST

/* Inputs may come that way as well; this one is larger than a pipe. */
START_TEST(test_inputs_from_pipes)
{
    static const char line[] =
        "double=${model%/*}/mini.ts-preserve-f64.onnx; "
        "array=${model%/*}/in64.npy; "
        "$repfold run $double --input image=$array --output logits=file.npy && "
        "cat $array | $repfold run $double --input image=/dev/stdin "
        "--output logits=pipe.npy && "
        "cat $model | $repfold verify -q --samples 1 /dev/stdin $model";
    ck_assert_msg(shell(line) == 0, "%s", cli.err);
    ck_assert(cli_same("file.npy", "pipe.npy"));
}
END_TEST

/* An array's name may look like a folder's. */
START_TEST(test_an_array_with_a_slash)
{
    static uint8_t bytes[ARCHIVE_BYTES];
    Archive archive;
    size_t size;
    char *npy = cli_read(cli_fixture("in64.npy"), &size);
    archive_start(&archive, bytes);
    archive_add(&archive, "stem/image.npy", npy, size, true);
    archive_end(&archive);
    ck_assert_int_eq(mkdir(cli_path("data"), 0777), 0);
    cli_write("data/a.npz", archive.bytes, archive.size);
    free(npy);
    ck_assert_msg(shell("$repfold run ${model%/*}/mini.ts-preserve-f64.onnx "
                        "--input image=data/a.npz:stem/image") == 0,
                  "%s", cli.err);
    ck_assert_int_eq(shell("$repfold run ${model%/*}/mini.ts-preserve-f64.onnx "
                           "--input image=data/a.npz:stem/image --json "
                           "data/a.npz"),
                     2);
    ck_assert_ptr_nonnull(strstr(cli.err, "[same-file]"));
}
END_TEST

/* Colour is for the stream that the text goes to. */
START_TEST(test_no_colour_into_a_file)
{
    char *line;
    if (access("/usr/bin/script", X_OK) < 0) {
        puts("cli_streams: no colour into a file: skipped, there is no script");
        return;
    }
    ck_assert_int_gt(asprintf(&line,
                              "TERM=xterm '%s' verify '%s' '%s' --samples 1 "
                              "--json - 2>'%s'",
                              cli_built("repfold"), TRAIN, TRAIN,
                              cli_path("text")),
                     0);
    cli_command("/usr/bin/script",
                (const char *const[]){"-qec", line, "/dev/null", NULL});
    free(line);
    ck_assert_int_eq(cli.status, 0);
    char *text = cli_text("text");
    ck_assert_ptr_nonnull(strstr(text, "verdict  equivalent"));
    free(text);
}
END_TEST

/* ---- Names ---- */

/* Folders are called so by what partitions data: the sandbox must not take
 * another folder for the file's. */
START_TEST(test_a_path_may_hold_an_equals_sign)
{
    ck_assert_int_eq(mkdir(cli_path("day=1"), 0777), 0);
    ck_assert_int_eq(mkdir(cli_path("day=2"), 0777), 0);
    ck_assert_int_eq(shell("$repfold run $model --input-shape image:1,3,64,64 "
                           "--output logits=day=1/y.npy"),
                     0);
    ck_assert(cli_exists("day=1/y.npy"));
    ck_assert_int_eq(
        shell("cp ${model%/*}/in64.npy day=2/x.npy; "
              "double=${model%/*}/mini.ts-preserve-f64.onnx; $repfold verify "
              "-q $double $double --samples 1 --input image=day=2/x.npy"),
        0);
    ck_assert_int_eq(shell("$repfold run -q $model --input image=day=2/x.npy "
                           "--output logits=day=2/x.npy"),
                     2);
    ck_assert_ptr_nonnull(strstr(cli.err, "[same-file]"));
    ck_assert_int_eq(shell("$repfold run -q $model --input image=day=2/x.npy "
                           "--output logits=none=1/y.npy"),
                     2);
    ck_assert_ptr_nonnull(strstr(cli.err, "folder none=1: No such file"));
}
END_TEST

/* As from a variable of a script that is not set. */
START_TEST(test_an_empty_argument)
{
    REPFOLD("convert", "", "-o", "x.onnx");
    cli_assert_trouble("usage", "an argument is empty");
    REPFOLD("verify", TRAIN, "");
    cli_assert_trouble("usage", "an argument is empty");
    REPFOLD("lint", "--", "");
    cli_assert_trouble("usage", "an argument is empty");
}
END_TEST

/* An input of float32[1,3,SIZE,SIZE]. */
static void add_symbolic_input(Proto *graph, const char *size)
{
    Proto shape = {.size = 0}, tensor = {.size = 0}, type = {.size = 0};
    Proto input = {.size = 0};
    for (int i = 0; i < 4; i++) {
        Proto dim = {.size = 0};
        if (i < 2)
            proto_int(&dim, 1, i == 0 ? 1 : 3);
        else
            proto_text(&dim, 2, size);
        proto_message(&shape, 1, &dim);
    }
    proto_int(&tensor, 1, 1);
    proto_message(&tensor, 2, &shape);
    proto_message(&type, 1, &tensor);
    proto_text(&input, 1, "x");
    proto_message(&input, 2, &type);
    proto_message(graph, 11, &input);
}

/* A symbolic size is a name from the file, and cannot drive the terminal. */
START_TEST(test_sizes_are_escaped)
{
    static const int64_t kernel[] = {4, 3, 1, 1}, shape[] = {1, 4, 8, 8};
    static const float weights[12] = {1};
    Proto graph = {.size = 0}, model = {.size = 0};
    proto_node(&graph, "Conv", "x w", "y");
    add_symbolic_input(&graph, "h\033[31mred");
    proto_weight(&graph, "w", 4, kernel, weights);
    proto_output(&graph, "y", 4, shape);
    proto_model(&model, &graph);
    cli_write("h.onnx", model.bytes, model.size);
    ck_assert_int_eq(REPFOLD("inspect", "h.onnx"), 0);
    ck_assert_ptr_nonnull(strstr(cli.out, "\nstages "));
    ck_assert_ptr_nonnull(strstr(cli.out, "h\\x1b[31mredxh\\x1b[31mred"));
    ck_assert_ptr_null(strchr(cli.out, '\033'));
}
END_TEST

Suite *suite_cli_streams(void)
{
    Suite *suite = suite_create("cli_streams");
    TCase *tc = tcase_create("streams");
    tcase_add_checked_fixture(tc, cli_setup, cli_teardown);
    tcase_add_test(tc, test_an_output_takes_standard_output);
    tcase_add_test(tc, test_dev_stdout);
    tcase_add_test(tc, test_a_pipe_by_its_number);
    tcase_add_test(tc, test_inputs_from_pipes);
    tcase_add_test(tc, test_an_array_with_a_slash);
    tcase_add_test(tc, test_no_colour_into_a_file);
    tcase_add_test(tc, test_a_path_may_hold_an_equals_sign);
    tcase_add_test(tc, test_an_empty_argument);
    tcase_add_test(tc, test_sizes_are_escaped);
    suite_add_tcase(suite, tc);
    return suite;
}
