/* Certificates as a user meets them: in convert, and in verify. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "suites.h"

#define TRAIN "micro.ts-preserve.onnx"
/* A folded weight of it. */
#define WEIGHT "stem.0.conv_kxk.0.conv.weight_1"

static void convert(void)
{
    ck_assert_int_eq(REPFOLD("convert", cli_fixture(TRAIN), "-o", "out.onnx",
                             "--json", "report.json"),
                     0);
}

static int verify(const char *report)
{
    return REPFOLD("verify", cli_fixture(TRAIN), "out.onnx", "--certificate",
                   report, "--samples", "1");
}

/* Replaces the first `from` of the report by as long a `to`. */
static void edit_report(const char *from, const char *to)
{
    size_t size;
    char *text = cli_read("report.json", &size);
    char *place = strstr(text, from);
    ck_assert_ptr_nonnull(place);
    ck_assert_uint_eq(strlen(from), strlen(to));
    memcpy(place, to, strlen(to));
    cli_write("edited.json", text, size);
    free(text);
}

/* Adds `units` in the last place to element 0 of the weight: its name is
 * followed by raw_data, field 9, whose length is a varint. */
static void move_weight(int units)
{
    size_t size;
    char *bytes = cli_read("out.onnx", &size);
    char *at = memmem(bytes, size, "B\x1f" WEIGHT "\x4a", sizeof WEIGHT + 2);
    ck_assert_ptr_nonnull(at);
    at += sizeof WEIGHT + 2;
    while (*at++ & 0x80)
        ;
    uint32_t element;
    memcpy(&element, at, sizeof element);
    element += (uint32_t)units;
    memcpy(at, &element, sizeof element);
    cli_write("out.onnx", bytes, size);
    free(bytes);
}

START_TEST(test_every_change_is_certified)
{
    convert();
    ck_assert_ptr_nonnull(strstr(cli.out, " changed values certified: exact"));
    ck_assert_ptr_null(strstr(cli.out, "undone"));
    ck_assert_int_eq(verify("report.json"), 0);
    ck_assert_ptr_nonnull(strstr(cli.out, "every certificate holds"));
}
END_TEST

START_TEST(test_an_edited_number_is_found)
{
    static const char *const edits[][3] = {
        {"\"rounding\": 0.4", "\"rounding\": 0.3", ": rounding"},
        {"\"square_roots\": ", "\"square_rootz\": ", NULL},
        {"\"holds\": true", "\"holds\": null", ": holds"},
    };
    convert();
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        edit_report(edits[i][0], edits[i][1]);
        int status = verify("edited.json");
        ck_assert_int_eq(status, edits[i][2] ? 1 : 0);
        if (edits[i][2])
            ck_assert_ptr_nonnull(strstr(cli.out, edits[i][2]));
    }
}
END_TEST

/* Two units are more than half a unit beside the exact weight, and far less
 * than what any run shows. */
START_TEST(test_a_weight_two_units_off_is_found)
{
    convert();
    move_weight(2);
    ck_assert_int_eq(verify("report.json"), 1);
    ck_assert_ptr_nonnull(strstr(cli.out, "is not what the fold gives"));
    ck_assert_ptr_nonnull(strstr(cli.out, "verdict  equivalent"));
}
END_TEST

START_TEST(test_a_report_without_certificates_is_trouble)
{
    convert();
    cli_write("empty.json", "{}", 2);
    verify("empty.json");
    cli_assert_trouble("bad-input", "certificates");
    cli_write("broken.json", "{", 1);
    verify("broken.json");
    cli_assert_trouble("bad-input", "broken.json: line ");
    verify("absent.json");
    cli_assert_trouble("bad-input", "absent.json: ");
}
END_TEST

/* Its border's sizes are computed, so no certificate knows them; running both
 * networks has to do. */
START_TEST(test_what_has_no_certificate_yet_is_kept)
{
    ck_assert_int_eq(REPFOLD("convert", cli_source("tests/families/dbb.onnx"),
                             "-o", "out.onnx"),
                     0);
    ck_assert_ptr_nonnull(strstr(cli.out, "C13"));
    ck_assert_ptr_null(strstr(cli.out, "undone"));
    ck_assert_ptr_nonnull(strstr(cli.out, "verdict  equivalent"));
}
END_TEST

/* The program with one wrong fold planted: see PLANTED in the Makefile. */
START_TEST(test_a_wrong_fold_is_undone)
{
    const char *arguments[] = {"convert", cli_fixture(TRAIN), "-o", "out.onnx",
                               NULL};
    ck_assert_int_eq(cli_program("repfold-planted", arguments), 1);
    ck_assert_ptr_nonnull(strstr(cli.out, "undone   fold #3 at "));
    ck_assert_ptr_nonnull(strstr(cli.out, "verdict  equivalent"));
    ck_assert(cli_exists("out.onnx"));
    ck_assert_int_eq(REPFOLD("verify", cli_fixture(TRAIN), "out.onnx"), 0);
}
END_TEST

Suite *suite_cli_proof(void)
{
    Suite *suite = suite_create("cli_proof");
    TCase *tc = tcase_create("proof");
    tcase_add_checked_fixture(tc, cli_setup, cli_teardown);
    tcase_add_test(tc, test_every_change_is_certified);
    tcase_add_test(tc, test_an_edited_number_is_found);
    tcase_add_test(tc, test_a_weight_two_units_off_is_found);
    tcase_add_test(tc, test_a_report_without_certificates_is_trouble);
    tcase_add_test(tc, test_what_has_no_certificate_yet_is_kept);
    tcase_add_test(tc, test_a_wrong_fold_is_undone);
    suite_add_tcase(suite, tc);
    return suite;
}
