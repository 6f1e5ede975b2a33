/* import, and convert straight from a checkpoint. */
#include <stdlib.h>
#include <string.h>

#include "archive.h"
#include "cli.h"
#include "pickling.h"
#include "suites.h"

#define CHECKPOINT "checkpoints/micro-ema.pth"
#define DENSE "checkpoints/mini-features-f16.safetensors"

START_TEST(test_import_says_what_it_found)
{
    ck_assert_int_eq(REPFOLD("import", cli_fixture(CHECKPOINT), "--size", "64",
                             "-o", "train.onnx"),
                     0);
    ck_assert_str_eq(cli.out, "PyTorch, state_dict_ema: FastViT, 218 tensors, "
                              "40 not used\n");
    ck_assert_str_eq(cli.err, "");
    ck_assert_int_eq(REPFOLD("inspect", "train.onnx"), 0);
    ck_assert_ptr_nonnull(strstr(cli.out, "image float32[1,3,64,64]"));
}
END_TEST

START_TEST(test_import_to_standard_output)
{
    ck_assert_int_eq(
        cli_run_with(cli_fixture(CHECKPOINT), "train.onnx",
                     (const char *const[]){"import", "-", "-o", "-", NULL}),
        0);
    ck_assert_ptr_nonnull(strstr(cli.err, "218 tensors"));
    ck_assert_int_eq(
        REPFOLD("import", "-q", cli_fixture(CHECKPOINT), "-o", "again.onnx"),
        0);
    ck_assert_str_eq(cli.out, "");
    ck_assert(cli_same("train.onnx", "again.onnx"));
}
END_TEST

START_TEST(test_weights_beside_the_model)
{
    const char *from = cli_fixture(CHECKPOINT);
    ck_assert_int_eq(REPFOLD("import", from, "-q", "-o", "one.onnx"), 0);
    ck_assert_int_eq(REPFOLD("import", from, "-q", "-o", "two.onnx",
                             "--external-data", "always"),
                     0);
    ck_assert_int_eq(cli_count(), 3);
    ck_assert_int_eq(REPFOLD("convert", "-q", "two.onnx", "-o", "back.onnx",
                             "--external-data", "never"),
                     0);
    ck_assert_int_eq(REPFOLD("verify", "one.onnx", "back.onnx"), 0);
}
END_TEST

START_TEST(test_convert_does_both_steps)
{
    ck_assert_int_eq(REPFOLD("convert", cli_fixture(CHECKPOINT), "--size", "64",
                             "-o", "both.onnx"),
                     0);
    ck_assert_ptr_nonnull(strstr(cli.out, "verdict  equivalent"));
    ck_assert_int_eq(REPFOLD("import", "-q", cli_fixture(CHECKPOINT), "--size",
                             "64", "-o", "train.onnx"),
                     0);
    ck_assert_int_eq(REPFOLD("convert", "-q", "train.onnx", "-o", "steps.onnx"),
                     0);
    ck_assert(cli_same("both.onnx", "steps.onnx"));
    ck_assert_int_eq(REPFOLD("lint", "-q", cli_fixture(CHECKPOINT)), 1);
    ck_assert_int_eq(REPFOLD("lint", "-q", "both.onnx"), 0);
}
END_TEST

START_TEST(test_dense_and_half_precision)
{
    ck_assert_int_eq(REPFOLD("import", cli_fixture(DENSE), "-o", "x.onnx"), 2);
    cli_assert_trouble("bad-weights", "no classifier");
    ck_assert_int_eq(REPFOLD("convert", cli_fixture(DENSE), "--dense", "--size",
                             "64", "--dynamic", "-o", "dense.onnx"),
                     0);
    ck_assert_int_eq(REPFOLD("inspect", "dense.onnx"), 0);
    ck_assert_ptr_nonnull(strstr(cli.out, "feature3"));
    ck_assert_ptr_nonnull(strstr(cli.out, "float16"));
    ck_assert_ptr_nonnull(strstr(cli.out, "batch"));
}
END_TEST

START_TEST(test_verbose_lists_what_does_not_fit)
{
    const char *const wrong[] = {"import",    cli_fixture(CHECKPOINT),
                                 "--variant", "fastvit_t8",
                                 "-o",        "x.onnx",
                                 NULL};
    ck_assert_int_eq(cli_run(wrong), 2);
    cli_assert_trouble("bad-weights", "not those of fastvit_t8");
    ck_assert(!cli_exists("x.onnx"));
    ck_assert_int_eq(REPFOLD("import", "-v", cli_fixture(CHECKPOINT),
                             "--variant", "fastvit_t8", "-o", "x.onnx"),
                     2);
    ck_assert_ptr_nonnull(
        strstr(cli.err, "\nmissing: stages.0.blocks.1.layer_scale.gamma, "
                        "48x1x1\n"));
}
END_TEST

START_TEST(test_a_key_that_is_not_there)
{
    ck_assert_int_eq(REPFOLD("import", cli_fixture(CHECKPOINT), "--key", "net",
                             "-o", "x.onnx"),
                     2);
    cli_assert_trouble("bad-checkpoint", "state_dict, state_dict_ema");
}
END_TEST

START_TEST(test_what_is_no_checkpoint)
{
    ck_assert_int_eq(REPFOLD("import", cli_fixture("micro.ts-preserve.onnx"),
                             "-o", "x.onnx"),
                     2);
    cli_assert_trouble("bad-checkpoint", "neither a PyTorch checkpoint");
    ck_assert_int_eq(REPFOLD("import", "absent.pth", "-o", "x.onnx"), 2);
    cli_assert_trouble("io", "absent.pth");
    ck_assert_int_eq(REPFOLD("import", cli_fixture(CHECKPOINT)), 2);
    cli_assert_trouble("usage", "--output");
}
END_TEST

START_TEST(test_a_checkpoint_stays_what_it_is)
{
    ck_assert_int_eq(REPFOLD("convert", "--in-place", cli_fixture(CHECKPOINT)),
                     2);
    cli_assert_trouble("usage", "cannot be replaced by a model");
    ck_assert_int_eq(REPFOLD("convert", cli_fixture("micro.ts-preserve.onnx"),
                             "--size", "64", "-o", "x.onnx"),
                     2);
    cli_assert_trouble("usage", "are for checkpoints");
}
END_TEST

/* A pickle that would run a command is a line and status 2, for every
 * command. */
START_TEST(test_nothing_is_executed)
{
    static const char *const verbs[] = {"import", "convert", "lint", "inspect"};
    static uint8_t bytes[ARCHIVE_BYTES];
    Archive archive;
    Pickling pickle = {.size = 0};
    pickle_ops(&pickle, "\x80\x02"
                        "cos\nsystem\nX\x0c\0\0\0touch danger\x85R.");
    archive_start(&archive, bytes);
    archive_add(&archive, "x/data.pkl", pickle.bytes, pickle.size, false);
    archive_end(&archive);
    cli_write("evil.pth", archive.bytes, archive.size);
    const char *const *output = (const char *const[]){"-o", "x.onnx"};
    if (_i < 2)
        REPFOLD(verbs[_i], "evil.pth", output[0], output[1]);
    else
        REPFOLD(verbs[_i], "evil.pth");
    ck_assert_int_eq(cli.status, 2);
    cli_assert_trouble("bad-checkpoint", "os.system");
    ck_assert_int_eq(cli_count(), 1);
}
END_TEST

Suite *suite_cli_import(void)
{
    Suite *suite = suite_create("cli_import");
    TCase *tcase = tcase_create("import");
    tcase_add_checked_fixture(tcase, cli_setup, cli_teardown);
    tcase_add_test(tcase, test_import_says_what_it_found);
    tcase_add_test(tcase, test_import_to_standard_output);
    tcase_add_test(tcase, test_weights_beside_the_model);
    tcase_add_test(tcase, test_convert_does_both_steps);
    tcase_add_test(tcase, test_dense_and_half_precision);
    tcase_add_test(tcase, test_verbose_lists_what_does_not_fit);
    tcase_add_test(tcase, test_a_key_that_is_not_there);
    tcase_add_test(tcase, test_what_is_no_checkpoint);
    tcase_add_test(tcase, test_a_checkpoint_stays_what_it_is);
    tcase_add_loop_test(tcase, test_nothing_is_executed, 0, 4);
    suite_add_tcase(suite, tcase);
    return suite;
}
