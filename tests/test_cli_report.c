/* The JSON reports are what converter/report.schema.json says. */
#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"
#include "cli.h"
#include "folding.h"
#include "models.h"
#include "schema.h"
#include "suites.h"

static json_int_t operators(const json_t *report, const char *model,
                            const char *op)
{
    const json_t *ops =
        json_object_get(json_object_get(report, model), "operators");
    ck_assert_ptr_nonnull(ops);
    return json_integer_value(json_object_get(ops, op));
}

#define TRAIN cli_fixture("mini.ts-preserve-features.onnx")

START_TEST(test_convert)
{
    ck_assert_int_eq(
        REPFOLD("convert", "-q", TRAIN, "-o", "out.onnx", "--json", "-"), 0);
    json_t *report = schema_printed();
    ck_assert(json_is_true(json_object_get(report, "ok")));
    ck_assert_int_eq(operators(report, "before", "BatchNormalization"), 35);
    ck_assert_int_eq(operators(report, "after", "BatchNormalization"), 0);
    ck_assert_int_eq(operators(report, "after", "Conv"), 25);
    ck_assert_uint_gt(json_array_size(json_object_get(report, "folds")), 0);
    json_t *verdict = json_object_get(report, "verification");
    ck_assert_str_eq(json_string_value(json_object_get(verdict, "verdict")),
                     "equivalent");
    json_t *outputs = json_object_get(verdict, "outputs");
    ck_assert_uint_eq(json_array_size(outputs), 4);
    for (size_t i = 0; i < 4; i++) {
        json_t *output = json_array_get(outputs, i);
        double algebra = json_real_value(json_object_get(output, "algebra"));
        double ratio = json_real_value(json_object_get(output, "ratio"));
        ck_assert(json_is_real(json_object_get(output, "algebra")));
        ck_assert(algebra >= 0 && algebra < 1e-12);
        ck_assert(ratio > 0 && ratio <= 2);
    }
    json_decref(report);
}
END_TEST

/* A model that is not written although it is equivalent. */
START_TEST(test_a_refusal_to_write)
{
    REPFOLD("convert", "-q", cli_fixture("micro.ts-preserve.onnx"), "-o",
            "once.onnx");
    ck_assert_int_eq(REPFOLD("convert", "-q", "once.onnx", "-o", "two.onnx",
                             "--require-change", "--json", "r.json", "--junit",
                             "r.xml", "--html", "r.html"),
                     1);
    json_t *report = schema_load("r.json");
    ck_assert(schema_accepts(report));
    ck_assert(json_is_false(json_object_get(report, "ok")));
    ck_assert_str_eq(json_string_value(json_object_get(report, "why")),
                     "nothing could be folded");
    json_decref(report);
    char *xml = cli_text("r.xml"), *page = cli_text("r.html");
    ck_assert_int_eq(cli_occurrences(xml, "<failure message=\"nothing could"),
                     1);
    ck_assert_ptr_nonnull(strstr(page, ">Not written</h1>"));
    ck_assert_ptr_nonnull(strstr(page, "Nothing was written: nothing could"));
    free(xml);
    free(page);
}
END_TEST

/* The digest under that key is the file's, as sha256sum gives it. */
static void assert_digest(const json_t *report, const char *key,
                          const char *file)
{
    char text[SHA256_TEXT];
    size_t size;
    char *bytes = cli_read(file, &size);
    Sha256 sha;
    sha256_start(&sha);
    sha256_add(&sha, bytes, size);
    sha256_text(&sha, text);
    free(bytes);
    const char *told = json_string_value(json_object_get(report, key));
    ck_assert_ptr_nonnull(told);
    ck_assert_str_eq(told, text);
}

START_TEST(test_digests_of_a_checkpoint)
{
    static const char *const commands[] = {"convert", "import"};
    char *checkpoint = strdup(cli_fixture("checkpoints/micro-ema.pth"));
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(REPFOLD(commands[i], "-q", checkpoint, "-o",
                                 "out.onnx", "--json", "r.json"),
                         0);
        json_t *report = schema_load("r.json");
        ck_assert(schema_accepts(report));
        assert_digest(report, "input_sha256", checkpoint);
        assert_digest(report, "output_sha256", "out.onnx");
        json_decref(report);
    }
    free(checkpoint);
}
END_TEST

START_TEST(test_import_and_sample)
{
    ck_assert_int_eq(REPFOLD("import", cli_fixture("checkpoints/micro-ema.pth"),
                             "-o", "in.onnx", "--json", "-"),
                     0);
    json_t *report = schema_printed();
    ck_assert(schema_accepts(report));
    ck_assert_str_eq(json_string_value(json_object_get(report, "format")),
                     "PyTorch");
    ck_assert_ptr_nonnull(strstr(cli.err, "tensors, "));
    json_decref(report);
    ck_assert_int_eq(REPFOLD("sample", "repvgg_a0", "--width-mult", "0.125",
                             "--size", "32", "-o", "s.onnx", "--json",
                             "s.json"),
                     0);
    report = schema_load("s.json");
    ck_assert(schema_accepts(report));
    assert_digest(report, "output_sha256", "s.onnx");
    json_decref(report);
    /* What goes beside is not in the digest. */
    ck_assert_int_eq(REPFOLD("sample", "repvgg_a0", "--width-mult", "0.125",
                             "--size", "32", "-o", "s.onnx", "--json", "s.json",
                             "--external-data", "always"),
                     0);
    report = schema_load("s.json");
    ck_assert(schema_accepts(report));
    ck_assert_ptr_null(json_object_get(report, "output_sha256"));
    ck_assert(
        cli_exists(json_string_value(json_object_get(report, "output_data"))));
    json_decref(report);
    REPFOLD("import", "absent.pth", "-o", "x.onnx", "--json", "e.json");
    cli_assert_json_code("e.json", "io");
}
END_TEST

/* Kernels of 4 and of 1 pixel with a stride of 2: their outputs are as large
 * where the size is even. */
static void build_even(Bench *b)
{
    Value *x = bench_image(b, 2, 8);
    ConvShape large = {.kernel = 4, .stride = 2, .pad = 1},
              small = {.stride = 2};
    bench_output(b, bench_binary(b, OP_Add, bench_conv(b, x, large),
                                 bench_conv(b, x, small)));
}

START_TEST(test_folds_for_one_size_are_marked)
{
    models_setup();
    Span file = model_bytes(build_model(arena, build_even, false));
    cli_write("even.onnx", file.bytes, file.size);
    models_teardown();
    ck_assert_int_eq(REPFOLD("convert", "-v", "even.onnx", "-o", "out.onnx",
                             "--json", "even.json", "--html", "even.html"),
                     0);
    ck_assert_ptr_nonnull(strstr(cli.out, "; exact for this image size only"));
    size_t size;
    char *page = cli_read("even.html", &size);
    ck_assert_ptr_nonnull(strstr(page, "exact for this image size only"));
    free(page);
    json_t *report = schema_load("even.json");
    ck_assert(schema_accepts(report));
    const json_t *fold = json_array_get(json_object_get(report, "folds"), 0);
    ck_assert(json_is_true(json_object_get(fold, "static_size")));
    json_decref(report);
}
END_TEST

START_TEST(test_convert_without_verification)
{
    ck_assert_int_eq(REPFOLD("convert", TRAIN, "-o", "out.onnx", "--no-verify",
                             "--json", "report.json"),
                     0);
    json_t *report = schema_load("report.json");
    ck_assert(schema_accepts(report));
    ck_assert(json_is_null(json_object_get(report, "verification")));
    ck_assert_ptr_null(json_object_get(report, "not_verified"));
    ck_assert_ptr_null(json_object_get(report, "output_data"));
    ck_assert_int_eq(cli_count(), 2);
    json_decref(report);
}
END_TEST

START_TEST(test_verify)
{
    ck_assert_int_eq(REPFOLD("verify", "-q", TRAIN, TRAIN, "--json", "-"), 0);
    json_t *report = schema_printed();
    ck_assert_str_eq(json_string_value(json_object_get(report, "verdict")),
                     "equivalent");
    ck_assert_int_eq(json_integer_value(json_object_get(report, "seed")), 1);
    json_decref(report);
}
END_TEST

/* The sine of what is large: the last bits of the factors say where it is. */
static void build_steep(Bench *b)
{
    const int64_t dims[2] = {1, 8};
    double factors[8];
    for (int i = 0; i < 8; i++)
        factors[i] = 0x1p22 * (1 + i / 8.0);
    Value *x = bench_binary(b, OP_Mul, bench_input(b, 2, dims),
                            bench_numbers(b, 2, dims, factors));
    bench_output(b, bench_unary(b, OP_Sin, x));
}

START_TEST(test_verify_that_can_tell_nothing)
{
    models_setup();
    Span file = model_bytes(build_model(arena, build_steep, false));
    cli_write("steep.onnx", file.bytes, file.size);
    models_teardown();
    ck_assert_int_eq(REPFOLD("verify", "steep.onnx", "steep.onnx", "--json",
                             "v.json", "--html", "v.html"),
                     1);
    ck_assert_ptr_nonnull(strstr(cli.out, "<- inconclusive"));
    ck_assert_ptr_null(strstr(cli.out, "<- differs"));
    json_t *report = schema_load("v.json");
    ck_assert(schema_accepts(report));
    const json_t *outputs = json_object_get(report, "outputs");
    const json_t *output = json_array_get(outputs, 0);
    ck_assert(json_is_true(json_object_get(output, "inconclusive")));
    ck_assert(json_is_false(json_object_get(output, "equivalent")));
    json_decref(report);
    size_t size;
    char *page = cli_read("v.html", &size);
    ck_assert_ptr_nonnull(strstr(page, ">inconclusive<"));
    free(page);
}
END_TEST

START_TEST(test_lint)
{
    ck_assert_int_eq(REPFOLD("lint", TRAIN, "--json", "-"), 1);
    json_t *report = schema_printed();
    ck_assert(json_is_false(json_object_get(report, "ok")));
    json_decref(report);
}
END_TEST

START_TEST(test_inspect)
{
    ck_assert_int_eq(REPFOLD("inspect", TRAIN, "--json", "-"), 0);
    json_t *report = schema_printed();
    json_t *model = json_object_get(report, "model");
    ck_assert_int_eq(json_integer_value(json_object_get(model, "opset")), 17);
    ck_assert_uint_eq(json_array_size(json_object_get(model, "outputs")), 4);
    ck_assert(json_is_true(json_object_get(model, "macs_are_exact")));
    ck_assert(json_real_value(json_object_get(model, "macs")) > 1e4);
    json_decref(report);
}
END_TEST

START_TEST(test_bench)
{
    ck_assert_int_eq(REPFOLD("bench", TRAIN, "--runs", "3", "--json", "-"), 0);
    json_t *report = schema_printed();
    double median = json_real_value(json_object_get(report, "median_ms"));
    double least = json_real_value(json_object_get(report, "min_ms"));
    ck_assert(least > 0 && median >= least);
    json_decref(report);
}
END_TEST

START_TEST(test_convert_with_times)
{
    ck_assert_int_eq(REPFOLD("convert", "-q", TRAIN, "-o", "out.onnx",
                             "--bench", "--no-verify", "--json", "-"),
                     0);
    json_t *report = schema_printed();
    json_t *bench = json_object_get(report, "bench");
    json_t *after = json_object_get(bench, "after");
    ck_assert(json_real_value(json_object_get(after, "median_ms")) > 0);
    json_decref(report);
}
END_TEST

START_TEST(test_doctor)
{
    ck_assert_int_eq(REPFOLD("doctor", "-q", "--json", "-"), 0);
    json_decref(schema_printed());
}
END_TEST

START_TEST(test_trouble)
{
    ck_assert_int_eq(REPFOLD("lint", "absent.onnx", "--json", "-"), 2);
    json_decref(schema_printed());
}
END_TEST

/* The validator itself must be able to say no. */
START_TEST(test_schema_refuses_other_objects)
{
    static const char *const wrong[] = {
        "{}",
        "[]",
        "{\"error\": {\"code\": \"io\", \"where\": \"\"}}",
        "{\"error\": {\"code\": 1, \"where\": \"\", \"message\": \"\"}}",
        "{\"repfold\": \"1\", \"command\": \"lint\", \"ok\": true, \"input\": "
        "\"\", \"folds\": [{}], \"refusals\": []}",
        "{\"repfold\": \"1\", \"command\": \"lint\", \"ok\": true, \"input\": "
        "\"\", \"folds\": [], \"refusals\": [], \"more\": 1}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        json_t *value = json_loads(wrong[i], 0, NULL);
        ck_assert_ptr_nonnull(value);
        ck_assert_msg(!schema_accepts(value), "taken: %s", wrong[i]);
        json_decref(value);
    }
}
END_TEST

Suite *suite_cli_report(void)
{
    Suite *suite = suite_create("cli_report");
    TCase *tc = tcase_create("report");
    tcase_add_checked_fixture(tc, schema_setup, schema_teardown);
    tcase_add_test(tc, test_convert);
    tcase_add_test(tc, test_a_refusal_to_write);
    tcase_add_test(tc, test_digests_of_a_checkpoint);
    tcase_add_test(tc, test_import_and_sample);
    tcase_add_test(tc, test_folds_for_one_size_are_marked);
    tcase_add_test(tc, test_convert_without_verification);
    tcase_add_test(tc, test_verify);
    tcase_add_test(tc, test_verify_that_can_tell_nothing);
    tcase_add_test(tc, test_lint);
    tcase_add_test(tc, test_inspect);
    tcase_add_test(tc, test_bench);
    tcase_add_test(tc, test_convert_with_times);
    tcase_add_test(tc, test_doctor);
    tcase_add_test(tc, test_trouble);
    tcase_add_test(tc, test_schema_refuses_other_objects);
    suite_add_tcase(suite, tc);
    return suite;
}
