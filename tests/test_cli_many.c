/* Many models: --output-dir, shards of a verification and their merging. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"
#include "schema.h"
#include "suites.h"

#define TRAIN cli_fixture("micro.ts-preserve.onnx")

/* Copies of one model under these names, in a folder of their own. */
static void write_models(const char *const *names, size_t count)
{
    size_t size;
    char *bytes = cli_read(TRAIN, &size);
    ck_assert_int_eq(mkdir(cli_path("in"), 0777), 0);
    for (size_t i = 0; i < count; i++)
        cli_write(names[i], bytes, size);
    free(bytes);
}

static const char *const names[] = {"in/a.onnx", "in/b.onnx", "in/c.onnx"};

START_TEST(test_batch)
{
    write_models(names, 3);
    ck_assert_int_eq(REPFOLD("convert", names[0], names[1], names[2],
                             "--output-dir", "out", "--jobs", "2", "--json",
                             "r.json"),
                     0);
    ck_assert_str_eq(cli.err, "");
    ck_assert_ptr_nonnull(strstr(cli.out, "\n3 models: 3 ok, 0 not, 0 in "
                                          "trouble\n"));
    /* In the order of the command line, whichever was done first. */
    const char *a = strstr(cli.out, "ok      in/a.onnx -> out/a.onnx: ");
    const char *b = strstr(cli.out, "ok      in/b.onnx -> out/b.onnx: ");
    const char *c = strstr(cli.out, "ok      in/c.onnx -> out/c.onnx: ");
    ck_assert(a && b && c && a < b && b < c);
    REPFOLD("convert", "-q", TRAIN, "-o", "one.onnx");
    ck_assert(cli_same("out/a.onnx", "one.onnx"));
    ck_assert(cli_same("out/c.onnx", "one.onnx"));
    json_t *report = schema_load("r.json");
    ck_assert(schema_accepts(report));
    ck_assert(json_is_true(json_object_get(report, "ok")));
    ck_assert_uint_eq(json_array_size(json_object_get(report, "files")), 3);
    json_decref(report);
}
END_TEST

/* One that fails does not stop the rest, and the worst is what is said. */
START_TEST(test_failure_does_not_stop_the_rest)
{
    write_models(names, 3);
    cli_write("in/b.onnx", "rubbish", 7);
    ck_assert_int_eq(REPFOLD("convert", names[0], names[1], names[2],
                             "--output-dir", "out", "--jobs", "1", "--json",
                             "r.json", "--junit", "r.xml"),
                     2);
    ck_assert_ptr_nonnull(strstr(cli.err, "in/b.onnx: "));
    ck_assert_ptr_nonnull(strstr(cli.err, "[not-onnx]\n"));
    ck_assert_ptr_nonnull(strstr(cli.out, "3 models: 2 ok, 0 not, 1 in"));
    ck_assert(cli_exists("out/a.onnx") && cli_exists("out/c.onnx"));
    ck_assert(!cli_exists("out/b.onnx"));
    json_t *report = schema_load("r.json");
    ck_assert(schema_accepts(report));
    json_t *file = json_array_get(json_object_get(report, "files"), 1);
    ck_assert_int_eq(json_integer_value(json_object_get(file, "status")), 2);
    ck_assert_str_eq(json_string_value(json_object_get(
                         json_object_get(file, "error"), "code")),
                     "not-onnx");
    json_decref(report);
    size_t size;
    char *xml = cli_read("r.xml", &size);
    ck_assert_ptr_nonnull(
        strstr(xml, "tests=\"3\" failures=\"0\" skipped=\"0\" errors=\"1\""));
    ck_assert_ptr_nonnull(strstr(xml, "<error type=\"not-onnx\" message="));
    free(xml);
}
END_TEST

/* No answer is worse than yes, and trouble worse than no. */
START_TEST(test_worst_status)
{
    write_models(names, 2);
    REPFOLD("convert", "-q", TRAIN, "-o", "in/b.onnx");
    ck_assert_int_eq(REPFOLD("convert", "-q", names[0], names[1],
                             "--output-dir", "out", "--require-change"),
                     1);
    ck_assert_str_eq(cli.out, "");
    ck_assert(cli_exists("out/a.onnx") && !cli_exists("out/b.onnx"));
}
END_TEST

/* A model that is equivalent and not written says why in every report. */
START_TEST(test_why_not)
{
    write_models(names, 1);
    REPFOLD("convert", "-q", TRAIN, "-o", "in/b.onnx");
    ck_assert_int_eq(REPFOLD("convert", names[1], "--output-dir", "out",
                             "--require-change", "--json", "r.json", "--junit",
                             "r.xml"),
                     1);
    ck_assert_ptr_nonnull(strstr(cli.out, "; nothing could be folded\n"));
    json_t *report = schema_load("r.json");
    ck_assert(schema_accepts(report));
    const json_t *file = json_array_get(json_object_get(report, "files"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(file, "why")),
                     "nothing could be folded");
    json_decref(report);
    char *xml = cli_text("r.xml");
    ck_assert_ptr_nonnull(
        strstr(xml, "<failure message=\"nothing could be folded\""));
    free(xml);
}
END_TEST

/* Standard output is the report's alone, whoever annotates. */
START_TEST(test_annotations_beside_a_report)
{
    write_models(names, 2);
    ck_assert_int_eq(REPFOLD("convert", names[0], names[1], "--output-dir",
                             "out", "--github", "--json", "-"),
                     0);
    json_t *report = schema_printed();
    ck_assert(schema_accepts(report));
    json_decref(report);
    ck_assert_int_eq(cli_occurrences(cli.err, "::notice file="), 2);
}
END_TEST

/* What is written is a model, whatever the input was. */
START_TEST(test_checkpoints_become_models)
{
    const char *checkpoint = cli_fixture("checkpoints/micro-ema.pth");
    ck_assert_int_eq(
        REPFOLD("convert", "-q", checkpoint, "--output-dir", "out"), 0);
    ck_assert(cli_exists("out/micro-ema.onnx"));
    ck_assert_int_eq(mkdir(cli_path("in"), 0777), 0);
    cli_write("in/x.pth.tar", "x", 1);
    cli_write("in/x.onnx", "x", 1);
    REPFOLD("convert", "in/x.pth.tar", "in/x.onnx", "--output-dir", "out");
    cli_assert_trouble("usage", "out/x.onnx: two of the models");
}
END_TEST

START_TEST(test_batch_usage)
{
    write_models(names, 3);
    REPFOLD("convert", names[0], names[1]);
    cli_assert_trouble("usage", "several models need --output-dir");
    REPFOLD("convert", names[0], "-o", "x.onnx", "--jobs", "2");
    cli_assert_trouble("usage", "--jobs needs --output-dir");
    REPFOLD("convert", names[0], "--output-dir", "out", "-o", "x.onnx");
    cli_assert_trouble("usage", "--output-dir excludes");
    REPFOLD("convert", names[0], names[0], "--output-dir", "out");
    cli_assert_trouble("usage", "two of the models");
    REPFOLD("convert", names[0], "--output-dir", "out", "--html", "x.html");
    cli_assert_trouble("usage", "take one model");
    REPFOLD("convert", names[0], "--output-dir", "out", "-v");
    cli_assert_trouble("usage", "--verbose take one model");
    REPFOLD("convert", names[0], "--output-dir", "in/a.onnx");
    cli_assert_trouble("io", "is not a folder");
    REPFOLD("convert", names[0], "--output-dir", "out", "--json", names[0]);
    cli_assert_trouble("same-file", "would be overwritten");
    REPFOLD("convert", "-", "--output-dir", "out");
    cli_assert_trouble("usage", "standard input");
    /* An input is never what is written. */
    ck_assert_int_eq(REPFOLD("convert", names[0], "--output-dir", "in"), 2);
    ck_assert(cli_same(names[0], TRAIN));
}
END_TEST

/* Who ends a conversion of many ends each of them. */
START_TEST(test_what_it_began_ends_with_it)
{
    const char *program = cli_built("repfold");
    int status;
    ck_assert_int_eq(mkfifo(cli_path("in.onnx"), 0600), 0);
    fflush(NULL);
    pid_t batch = fork();
    if (batch == 0) {
        if (chdir(cli_path(".")) == 0)
            execl(program, program, "convert", "-q", "in.onnx", "--output-dir",
                  "out", (char *)NULL);
        _exit(9);
    }
    /* Somebody reads. */
    struct pollfd reader = {.fd = open(cli_path("in.onnx"), O_WRONLY)};
    ck_assert_int_ge(reader.fd, 0);
    ck_assert_int_eq(poll(&reader, 1, 0), 0);
    ck_assert_int_eq(kill(batch, SIGKILL), 0);
    ck_assert_int_eq(waitpid(batch, &status, 0), batch);
    ck_assert_int_eq(poll(&reader, 1, 60000), 1);
    ck_assert(reader.revents & POLLERR);
    close(reader.fd);
}
END_TEST

/* ---- Shards ---- */

static void verify_shard(const char *shard, const char *report)
{
    ck_assert_int_eq(REPFOLD("verify", "-q", TRAIN, "out.onnx", "--samples",
                             "8", "--shard", shard, "--json", report),
                     0);
    json_t *root = schema_load(report);
    ck_assert(schema_accepts(root));
    ck_assert_int_eq(json_integer_value(json_object_get(root, "samples")), 4);
    json_decref(root);
}

static double output_number(const json_t *report, const char *key)
{
    const json_t *output =
        json_array_get(json_object_get(report, "outputs"), 0);
    const json_t *number = json_object_get(output, key);
    ck_assert_msg(json_is_number(number), "no number %s", key);
    return json_number_value(number);
}

START_TEST(test_shards_merge_into_the_whole)
{
    REPFOLD("convert", "-q", TRAIN, "-o", "out.onnx");
    verify_shard("1/2", "1.json");
    verify_shard("2/2", "2.json");
    ck_assert_int_eq(
        REPFOLD("report", "merge", "2.json", "1.json", "--json", "m.json"), 0);
    ck_assert_ptr_nonnull(strstr(cli.out, "equivalent"));
    ck_assert_ptr_nonnull(strstr(cli.out, "8 samples"));
    ck_assert_int_eq(REPFOLD("verify", "-q", TRAIN, "out.onnx", "--samples",
                             "8", "--json", "w.json"),
                     0);
    json_t *merged = schema_load("m.json"), *whole = schema_load("w.json");
    ck_assert(schema_accepts(merged));
    ck_assert_int_eq(json_integer_value(json_object_get(merged, "shards")), 2);
    /* What does not depend on which noise was drawn is the same. */
    static const char *const keys[] = {"samples",      "verdict",
                                       "input_sha256", "other_sha256",
                                       "seed",         "roundings"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        ck_assert_msg(json_equal(json_object_get(merged, keys[i]),
                                 json_object_get(whole, keys[i])),
                      "%s", keys[i]);
    ck_assert_double_eq(output_number(merged, "max_abs"),
                        output_number(whole, "max_abs"));
    ck_assert_double_eq(output_number(merged, "execution_a"),
                        output_number(whole, "execution_a"));
    ck_assert(output_number(merged, "weights") > 0);
    json_decref(merged);
    json_decref(whole);
}
END_TEST

START_TEST(test_a_shard_that_differs)
{
    REPFOLD("sample", "fastvit_t8", "--width-mult", "0.125", "--size", "64",
            "-o", "a.onnx", "-q");
    REPFOLD("sample", "fastvit_t8", "--width-mult", "0.125", "--size", "64",
            "-o", "b.onnx", "-q", "--seed", "2");
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(REPFOLD("verify", "-q", "a.onnx", "b.onnx",
                                 "--samples", "4", "--shard", i ? "2/2" : "1/2",
                                 "--json", i ? "2.json" : "1.json"),
                         1);
    ck_assert_int_eq(
        REPFOLD("report", "merge", "1.json", "2.json", "--junit", "r.xml"), 1);
    ck_assert_ptr_nonnull(strstr(cli.out, "different"));
    size_t size;
    char *xml = cli_read("r.xml", &size);
    ck_assert_ptr_nonnull(strstr(xml, "<failure"));
    free(xml);
}
END_TEST

/* What one shard's proof finds is found by all together. */
START_TEST(test_a_shard_that_is_disproved)
{
    REPFOLD("convert", "-q", TRAIN, "-o", "out.onnx", "--json", "r.json");
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(REPFOLD("verify", "-q", TRAIN, "out.onnx", "--samples",
                                 "4", "--shard", i ? "2/2" : "1/2",
                                 "--certificate", "r.json", "--json",
                                 i ? "2.json" : "1.json"),
                         0);
    ck_assert_int_eq(REPFOLD("report", "merge", "1.json", "2.json"), 0);
    ck_assert_ptr_nonnull(strstr(cli.out, "every certificate holds"));
    json_t *second = schema_load("2.json");
    json_t *proof = json_object_get(second, "proof");
    json_object_set_new(proof, "holds", json_false());
    json_object_set_new(proof, "why", json_string("a moved pad"));
    ck_assert_int_eq(json_dump_file(second, cli_path("2.json"), 0), 0);
    json_decref(second);
    ck_assert_int_eq(
        REPFOLD("report", "merge", "1.json", "2.json", "--json", "m.json"), 1);
    ck_assert_ptr_nonnull(strstr(cli.out, "a moved pad"));
    json_t *merged = schema_load("m.json");
    ck_assert(schema_accepts(merged));
    ck_assert(json_is_false(json_object_get(merged, "ok")));
    json_decref(merged);
}
END_TEST

START_TEST(test_shard_usage)
{
    static const char *const bad[] = {"0/2",   "3/2",  "1/0",  "1", "a/b",
                                      "1/2/3", "-1/2", "1/2x", ""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        REPFOLD("verify", TRAIN, TRAIN, "--samples", "4", "--shard", bad[i]);
        cli_assert_trouble("usage", "--shard must be K/N");
    }
    REPFOLD("verify", TRAIN, TRAIN, "--shard", "1/2");
    cli_assert_trouble("usage", "--shard needs --samples");
    REPFOLD("verify", TRAIN, TRAIN, "--samples", "4", "--shard", "3/3");
    cli_assert_trouble("usage", "shard 3 of 3 has no sample");
}
END_TEST

START_TEST(test_merge_usage)
{
    REPFOLD("convert", "-q", TRAIN, "-o", "out.onnx");
    verify_shard("1/2", "1.json");
    verify_shard("2/2", "2.json");
    REPFOLD("verify", "-q", TRAIN, TRAIN, "--samples", "4", "--json", "w.json");
    REPFOLD("verify", "-q", TRAIN, TRAIN, "--samples", "8", "--shard", "2/2",
            "--json", "other.json");
    REPFOLD("report", "merge", "1.json");
    cli_assert_trouble("bad-input", "1 of 2 shards are given");
    REPFOLD("report", "merge", "1.json", "1.json");
    cli_assert_trouble("bad-input", "is of a shard that is there");
    REPFOLD("report", "merge", "1.json", "w.json");
    cli_assert_trouble("bad-input", "is not the report of a shard");
    REPFOLD("report", "merge", "1.json", "other.json");
    cli_assert_trouble("bad-input", "is of other models");
    REPFOLD("verify", "-q", TRAIN, "out.onnx", "--samples", "8", "--shard",
            "2/2", "--roundings", "2", "--json", "other.json");
    REPFOLD("report", "merge", "1.json", "other.json");
    cli_assert_trouble("bad-input", "other roundings");
    REPFOLD("verify", "-q", TRAIN, "absent.onnx", "--samples", "4", "--shard",
            "2/2", "--json", "trouble.json");
    REPFOLD("report", "merge", "1.json", "trouble.json");
    cli_assert_trouble("bad-input",
                       "trouble.json: the shard was in trouble: absent.onnx: ");
    REPFOLD("report", "merge", "1.json", "absent.json");
    cli_assert_trouble("io", "absent.json: cannot open it");
    /* What a report says goes to a terminal: it is one of three words. */
    json_t *forged = schema_load("1.json");
    json_object_set_new(forged, "verdict", json_string("\033[32mequivalent"));
    ck_assert_int_eq(json_dump_file(forged, cli_path("forged.json"), 0), 0);
    json_decref(forged);
    REPFOLD("report", "merge", "forged.json", "2.json");
    cli_assert_trouble("bad-input", "is not the report of a shard");
    REPFOLD("report", "mege", "1.json");
    cli_assert_trouble("usage", "did you mean 'repfold report merge'?");
}
END_TEST

Suite *suite_cli_many(void)
{
    Suite *suite = suite_create("cli_many");
    TCase *tc = tcase_create("many");
    tcase_add_checked_fixture(tc, schema_setup, schema_teardown);
    tcase_add_test(tc, test_batch);
    tcase_add_test(tc, test_failure_does_not_stop_the_rest);
    tcase_add_test(tc, test_worst_status);
    tcase_add_test(tc, test_why_not);
    tcase_add_test(tc, test_annotations_beside_a_report);
    tcase_add_test(tc, test_checkpoints_become_models);
    tcase_add_test(tc, test_batch_usage);
    tcase_add_test(tc, test_what_it_began_ends_with_it);
    tcase_add_test(tc, test_shards_merge_into_the_whole);
    tcase_add_test(tc, test_a_shard_that_differs);
    tcase_add_test(tc, test_a_shard_that_is_disproved);
    tcase_add_test(tc, test_shard_usage);
    tcase_add_test(tc, test_merge_usage);
    suite_add_tcase(suite, tc);
    return suite;
}
