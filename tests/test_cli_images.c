/* --images: verification on the user's own pictures. */
#include <png.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "imaging.h"
#include "proto.h"
#include "schema.h"
#include "suites.h"

/* The mean of each channel, times `green` for the second, is its logit. */
static void write_classifier(const char *name, float green)
{
    static const int64_t image[] = {1, 3, 4, 4}, logits[] = {1, 3},
                         scale[] = {1, 3, 1, 1};
    float weights[] = {1, green, 1};
    Proto graph = {.size = 0}, model;
    proto_node(&graph, "Mul", "x w", "scaled");
    proto_node(&graph, "GlobalAveragePool", "scaled", "mean");
    proto_node(&graph, "Flatten", "mean", "y");
    proto_input(&graph, "x", 4, image);
    proto_output(&graph, "y", 2, logits);
    proto_weight(&graph, "w", 4, scale, weights);
    proto_model(&model, &graph);
    cli_write(name, model.bytes, model.size);
}

/* Bytes, channels last, two images at once: a logit for each row of an image,
 * the mean of its numbers, which the second channel's counts `green` times. */
static void write_bytes_classifier(const char *name, int type, float green)
{
    static const int64_t image[] = {2, 4, 4, 3}, logits[] = {2, 4},
                         scale[] = {3}, one[] = {1};
    float weights[] = {1, green, 1}, unit = 1;
    Proto graph = {.size = 0}, model;
    proto_node(&graph, "CastLike", "x one", "real");
    proto_node(&graph, "Mul", "real w", "scaled");
    proto_node(&graph, "GlobalAveragePool", "scaled", "mean");
    proto_node(&graph, "Flatten", "mean", "y");
    proto_typed_input(&graph, "x", type, 4, image);
    proto_output(&graph, "y", 2, logits);
    proto_weight(&graph, "w", 1, scale, weights);
    proto_weight(&graph, "one", 1, one, &unit);
    proto_model(&model, &graph);
    cli_write(name, model.bytes, model.size);
}

static void write_image(const char *name, bool is_jpeg, const uint8_t *color)
{
    static Bytes bytes;
    uint8_t pixels[64 * 3];
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = color[i % 3];
    if (is_jpeg)
        jpeg_make(&bytes, 3, 8, 8, pixels);
    else
        png_make(&bytes, 8, PNG_COLOR_TYPE_RGB, 8, 8, pixels);
    cli_write(name, bytes.data, bytes.size);
}

/* Red, nearly green, blue, and what is no image. */
static void setup(void)
{
    schema_setup();
    write_classifier("a.onnx", 1);
    write_classifier("b.onnx", 1.2f);
    ck_assert_int_eq(mkdir(cli_path("in"), 0777), 0);
    write_image("in/1.png", false, (uint8_t[]){200, 10, 10});
    write_image("in/2.PNG", false, (uint8_t[]){100, 95, 0});
    write_image("in/3.jpeg", true, (uint8_t[]){0, 0, 50});
    cli_write("in/labels.txt", "0 1 2\n", 6);
}

#define BARE "--images", "in", "--mean", "0,0,0", "--std=1,1,1"

START_TEST(test_the_same_classifier_agrees)
{
    ck_assert_int_eq(REPFOLD("verify", "a.onnx", "a.onnx", BARE), 0);
    ck_assert_ptr_nonnull(strstr(cli.out, "images   3 of 3 in the folder\n"));
    ck_assert_ptr_nonnull(
        strstr(cli.out, "agreement  top-1 in 3, top-5 in 3 of 3; largest "
                        "logit change 0\n"));
    ck_assert_int_eq(
        REPFOLD("verify", "a.onnx", "a.onnx", BARE, "--max-images", "2"), 0);
    ck_assert_ptr_nonnull(strstr(cli.out, "images   2 of 3 in the folder\n"));
    ck_assert_ptr_nonnull(strstr(cli.out, "top-1 in 2, top-5 in 2 of 2"));
}
END_TEST

/* 1.2 * 95 is more than 100, and 0.2 * 95 / 255 is 0.0745. */
START_TEST(test_another_classifier_says_something_else)
{
    ck_assert_int_eq(
        REPFOLD("verify", "a.onnx", "b.onnx", BARE, "--json", "r.json"), 1);
    ck_assert_ptr_nonnull(strstr(cli.out,
                                 "top-1 in 2, top-5 in 3 of 3; largest logit "
                                 "change 0.0745\n"));
    json_t *report = schema_load("r.json");
    ck_assert(schema_accepts(report));
    const json_t *output =
        json_array_get(json_object_get(report, "outputs"), 0);
    const json_t *agreement = json_object_get(output, "agreement");
    ck_assert_int_eq(json_integer_value(json_object_get(agreement, "rows")), 3);
    ck_assert_int_eq(json_integer_value(json_object_get(agreement, "top1")), 2);
    json_decref(report);
    ck_assert_int_eq(REPFOLD("verify", "a.onnx", "b.onnx"), 1);
    ck_assert_ptr_null(strstr(cli.out, "agreement"));
}
END_TEST

START_TEST(test_reports_tell_the_agreement)
{
    ck_assert_int_eq(REPFOLD("verify", "a.onnx", "b.onnx", BARE, "--max-images",
                             "2", "--html", "r.html", "--junit", "r.xml"),
                     1);
    char *page = cli_text("r.html"), *junit = cli_text("r.xml");
    ck_assert_ptr_nonnull(strstr(page, "<h2>agreement</h2><p class=\"value\">1 "
                                       "<small>of 2 rows</small></p><p>have"));
    ck_assert_ptr_nonnull(strstr(page, "the same largest class, and 2 the same "
                                       "five. The largest change of a logit "
                                       "is <b>0.0745</b>."));
    ck_assert_ptr_nonnull(strstr(page, "On 2 of the 3 images"));
    ck_assert_ptr_nonnull(strstr(junit,
                                 "\nagreement: top-1 in 1, top-5 in 2 of "
                                 "2; largest logit change 0.0745<"));
    free(junit);
    free(page);
    REPFOLD("verify", "a.onnx", "b.onnx", "--html", "r.html");
    page = cli_text("r.html");
    ck_assert_ptr_null(strstr(page, "<h2>agreement"));
    free(page);
}
END_TEST

START_TEST(test_shards_of_images_are_put_together)
{
    REPFOLD("verify", "a.onnx", "b.onnx", BARE, "--shard", "1/2", "--json",
            "1.json");
    ck_assert_ptr_nonnull(strstr(cli.out, "top-1 in 2, top-5 in 2 of 2"));
    REPFOLD("verify", "a.onnx", "b.onnx", BARE, "--shard", "2/2", "--json",
            "2.json");
    ck_assert_ptr_nonnull(strstr(cli.out, "top-1 in 0, top-5 in 1 of 1"));
    ck_assert_int_eq(REPFOLD("report", "merge", "1.json", "2.json"), 1);
    ck_assert_ptr_nonnull(strstr(cli.out,
                                 "top-1 in 2, top-5 in 3 of 3; largest logit "
                                 "change 0.0745\n"));
}
END_TEST

START_TEST(test_a_conversion_is_verified_on_images)
{
    ck_assert_int_eq(REPFOLD("convert", cli_fixture("micro.ts-preserve.onnx"),
                             "-o", "out.onnx", "--images", "in", "--crop-pct",
                             "0.9", "--interpolation", "bilinear", "--json",
                             "r.json"),
                     0);
    ck_assert_ptr_nonnull(strstr(cli.out, "images   3 of 3 in the folder\n"));
    ck_assert_ptr_nonnull(
        strstr(cli.out, "agreement  top-1 in 3, top-5 in 3 of 3;"));
    json_t *report = schema_load("r.json");
    ck_assert(schema_accepts(report));
    json_decref(report);
}
END_TEST

/* A size that the model leaves open must be given. */
START_TEST(test_an_open_size)
{
    const char *open = cli_fixture("micro.ts-preserve-dynsize.onnx");
    REPFOLD("verify", open, open, "--images", "in");
    cli_assert_trouble("usage", "--input-size 3,H,W");
    ck_assert_int_eq(REPFOLD("verify", open, open, "--images", "in",
                             "--input-size", "3,32,64"),
                     0);
    ck_assert_ptr_nonnull(strstr(cli.out, "top-1 in 3, top-5 in 3 of 3"));
    REPFOLD("verify", "a.onnx", "a.onnx", "--images", "in", "--input-size",
            "3,8,8");
    cli_assert_trouble("bad-input", "axis 2 of input \"x\" is 4, not 8");
}
END_TEST

/* 0.2 * 95 / 3 is 6.33, in bytes. The third image fills no batch. */
START_TEST(test_bytes_channels_last_in_batches)
{
    enum { UINT8 = 2, INT8 = 3 };
    write_bytes_classifier("c.onnx", UINT8, 1);
    write_bytes_classifier("d.onnx", UINT8, 1.2f);
    ck_assert_int_eq(REPFOLD("verify", "c.onnx", "d.onnx", "--images", "in"),
                     1);
    ck_assert_ptr_nonnull(strstr(cli.out, "images   2 of 3 in the folder\n"));
    ck_assert_ptr_nonnull(strstr(cli.out, "of 2; largest logit change 6.33\n"));
    REPFOLD("verify", "c.onnx", "c.onnx", "--images", "in", "--max-images",
            "1");
    cli_assert_trouble("bad-input", "the model takes 2 images at once");
    REPFOLD("verify", "c.onnx", "c.onnx", BARE);
    cli_assert_trouble("usage", "takes bytes, which --mean and --std");
    write_bytes_classifier("c.onnx", INT8, 1);
    REPFOLD("verify", "c.onnx", "c.onnx", "--images", "in");
    cli_assert_trouble("bad-input", "takes neither real numbers nor bytes");
}
END_TEST

START_TEST(test_folders_that_are_refused)
{
    static Bytes bytes;
    uint8_t cmyk[64 * 4] = {0};
    ck_assert_int_eq(mkdir(cli_path("none"), 0777), 0);
    REPFOLD("verify", "a.onnx", "a.onnx", "--images", "none");
    cli_assert_trouble("bad-input", "none: no .png, .jpg or .jpeg file");
    cli_write("none/a.txt", "a", 1);
    REPFOLD("verify", "a.onnx", "a.onnx", "--images", "none");
    cli_assert_trouble("bad-input", "none: no .png, .jpg or .jpeg file");
    REPFOLD("verify", "a.onnx", "a.onnx", "--images", "absent");
    cli_assert_trouble("io", "absent: No such file");
    REPFOLD("verify", "a.onnx", "a.onnx", "--images", "a.onnx");
    cli_assert_trouble("io", "a.onnx: Not a directory");
    jpeg_make(&bytes, 4, 8, 8, cmyk);
    cli_write("in/4.jpg", bytes.data, bytes.size);
    REPFOLD("convert", "a.onnx", "-o", "out.onnx", "--images", "in");
    cli_assert_trouble("bad-input", "in/4.jpg: JPEG in CMYK");
    ck_assert(!cli_exists("out.onnx"));
    cli_write("in/0.png", "not a PNG", 9);
    REPFOLD("verify", "a.onnx", "a.onnx", "--images", "in");
    cli_assert_trouble("bad-input", "in/0.png: neither PNG nor JPEG");
    ck_assert_int_eq(unlink(cli_path("in/0.png")), 0);
    ck_assert_int_eq(mkfifo(cli_path("in/0.png"), 0666), 0);
    REPFOLD("verify", "a.onnx", "a.onnx", "--images", "in");
    cli_assert_trouble("bad-input", "in/0.png: is not a file");
}
END_TEST

START_TEST(test_options_that_are_refused)
{
    static const char *const wrong[][2] = {
        {"--crop-pct", "1.5"},     {"--crop-pct", "0.001"},
        {"--input-size", "3,4"},   {"--input-size", "1,4,4"},
        {"--input-size", "3,0,4"}, {"--input-size", "3,4,99999"},
        {"--mean", "0.5"},         {"--mean", "1,2,x"},
        {"--mean", "nan,0,0"},     {"--std", "0,1,1"},
        {"--std", "1,1,1,1"},      {"--interpolation", "area"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        REPFOLD("verify", "a.onnx", "a.onnx", "--images", "in", wrong[i][0],
                wrong[i][1]);
        cli_assert_trouble("usage", wrong[i][0]);
    }
    REPFOLD("convert", "a.onnx", "-o", "b.onnx", "--crop-pct", "0.9");
    cli_assert_trouble("usage", "need --images DIR");
}
END_TEST

Suite *suite_cli_images(void)
{
    Suite *suite = suite_create("cli_images");
    TCase *tc = tcase_create("images");
    tcase_add_checked_fixture(tc, setup, schema_teardown);
    tcase_add_test(tc, test_the_same_classifier_agrees);
    tcase_add_test(tc, test_another_classifier_says_something_else);
    tcase_add_test(tc, test_reports_tell_the_agreement);
    tcase_add_test(tc, test_shards_of_images_are_put_together);
    tcase_add_test(tc, test_a_conversion_is_verified_on_images);
    tcase_add_test(tc, test_an_open_size);
    tcase_add_test(tc, test_bytes_channels_last_in_batches);
    tcase_add_test(tc, test_folders_that_are_refused);
    tcase_add_test(tc, test_options_that_are_refused);
    suite_add_tcase(suite, tc);
    return suite;
}
