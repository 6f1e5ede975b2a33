/* The public API, as a program would use it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "models.h"
#include "proto.h"
#include "repfold.h"
#include "suites.h"

#define TRAIN "micro.ts-preserve.onnx"

static rp_error error;

static void setup(void)
{
    cli_setup();
    error = (rp_error){0};
}

static rp_model *open_fixture(const char *name)
{
    rp_model *model = rp_open(cli_fixture(name), NULL, &error);
    ck_assert_msg(model, "%s: %s", error.where, error.message);
    return model;
}

START_TEST(test_version)
{
    ck_assert_str_eq(rp_version(), RP_VERSION);
}
END_TEST

START_TEST(test_errors_are_told)
{
    ck_assert_ptr_null(rp_open("absent.onnx", NULL, &error));
    ck_assert_str_eq(error.code, "io");
    ck_assert_str_eq(error.where, "absent.onnx");
    ck_assert_ptr_null(strchr(error.message, '\n'));
    /* Nobody has to listen. */
    ck_assert_ptr_null(rp_open("absent.onnx", NULL, NULL));
    ck_assert_ptr_null(rp_open_memory("rubbish", 7, "here", NULL, &error));
    ck_assert_str_eq(error.where, "here");
    ck_assert_str_eq(error.code, "not-onnx");
    ck_assert_ptr_null(rp_open_memory(NULL, 0, NULL, NULL, &error));
    rp_close(NULL);
    rp_verdict_free(NULL);
}
END_TEST

START_TEST(test_untouched_model_is_the_same_bytes)
{
    size_t size;
    const void *bytes;
    rp_model *model = open_fixture(TRAIN);
    ck_assert_int_eq(rp_save_memory(model, &bytes, &size, &error), 0);
    cli_write("copy.onnx", bytes, size);
    ck_assert(cli_same("copy.onnx", cli_fixture(TRAIN)));
    rp_close(model);
}
END_TEST

START_TEST(test_fold_verify_save)
{
    size_t folds, refusals;
    const rp_summary *before, *after;
    rp_model *model = open_fixture(TRAIN);
    ck_assert_int_eq(rp_summarize(model, &before, &error), 0);
    ck_assert_int_eq(rp_fold(model, NULL, &error), 0);
    ck_assert_int_eq(rp_summarize(model, &after, &error), 0);
    const rp_fold_record *records = rp_folds(model, &folds);
    rp_refusals(model, &refusals);
    ck_assert_uint_gt(folds, 0);
    ck_assert_int_eq(records[0].number, 1);
    ck_assert_uint_gt(records[0].consumed_count, 0);
    ck_assert_uint_eq(rp_summary_op(before, "BatchNormalization"), 40);
    ck_assert_uint_eq(rp_summary_op(after, "BatchNormalization"), 0);
    ck_assert(after->macs < before->macs);
    ck_assert_uint_lt(after->parameters, before->parameters);

    rp_model *original = rp_reopen(model, &error);
    rp_verdict *verdict = rp_verify(original, model, NULL, &error);
    ck_assert_msg(verdict, "%s", error.message);
    const rp_verdict_info *info = rp_verdict_get(verdict);
    ck_assert_str_eq(info->verdict, "equivalent");
    ck_assert_uint_eq(info->output_count, 1);
    ck_assert(info->outputs[0].algebra < 1e-12);
    ck_assert(info->outputs[0].ratio <= 2);
    rp_verdict_free(verdict);
    rp_close(original);

    ck_assert_int_eq(rp_save(model, cli_path("out.onnx"), NULL, &error), 0);
    ck_assert_uint_gt(after->file_bytes, 0);
    size_t size;
    char *bytes = cli_read("out.onnx", &size);
    ck_assert_uint_eq(size, after->file_bytes);
    free(bytes);
    rp_close(model);
}
END_TEST

/* Only a model and its own copy have a known algebra. */
START_TEST(test_algebra_needs_the_same_origin)
{
    rp_model *a = open_fixture(TRAIN), *b = open_fixture(TRAIN);
    ck_assert_int_eq(rp_fold(b, NULL, &error), 0);
    rp_verdict *verdict = rp_verify(a, b, NULL, &error);
    ck_assert_msg(verdict, "%s", error.message);
    const rp_verdict_info *info = rp_verdict_get(verdict);
    ck_assert_str_eq(info->verdict, "equivalent");
    ck_assert(isnan(info->outputs[0].algebra));
    rp_verdict_free(verdict);
    rp_close(a);
    rp_close(b);
}
END_TEST

/* A name of an input that the file does not know. */
START_TEST(test_renamed_models_do_not_fold)
{
    rp_model *a = open_fixture(TRAIN), *b = open_fixture(TRAIN);
    ck_assert_int_eq(rp_rename(b, a, &error), 0);
    ck_assert_int_eq(rp_fold(b, NULL, &error), -1);
    ck_assert_str_eq(error.code, "usage");
    ck_assert_int_eq(rp_fold(a, NULL, &error), 0);
    ck_assert_int_eq(rp_rename(a, b, &error), -1);
    ck_assert_str_eq(error.code, "usage");
    rp_close(a);
    rp_close(b);
}
END_TEST

/* A floor of too few runs would call some of them different. */
static void verify_folded(const char *path)
{
    if (strstr(path, "training"))
        return;
    rp_model *model = rp_open(path, NULL, &error);
    ck_assert_msg(model, "%s: %s", path, error.message);
    rp_model *original = rp_reopen(model, &error);
    ck_assert_int_eq(rp_fold(model, NULL, &error), 0);
    rp_verdict *verdict = rp_verify(original, model, NULL, &error);
    ck_assert_msg(verdict, "%s: %s", path, error.message);
    const rp_verdict_info *info = rp_verdict_get(verdict);
    ck_assert_msg(strcmp(info->verdict, "equivalent") == 0, "%s: %s", path,
                  info->why);
    rp_verdict_free(verdict);
    rp_close(original);
    rp_close(model);
}

START_TEST(test_every_folded_fixture_verifies)
{
    for_each_fixture(verify_folded);
}
END_TEST

START_TEST(test_refusals_have_reasons)
{
    size_t count;
    rp_model *model = open_fixture("mini.ts-training.onnx");
    ck_assert_int_eq(rp_fold(model, NULL, &error), 0);
    const rp_refusal *refusals = rp_refusals(model, &count);
    int training = 0;
    for (size_t i = 0; i < count; i++) {
        ck_assert(refusals[i].reason && refusals[i].node && refusals[i].op);
        ck_assert(refusals[i].fact && refusals[i].advice);
        training += strcmp(refusals[i].op, "BatchNormalization") == 0 &&
                    strcmp(refusals[i].reason, "training-mode") == 0;
    }
    ck_assert_int_eq(training, 37);
    rp_close(model);
}
END_TEST

static int refuse(void *context, const char *phase, double done)
{
    (void)phase;
    ck_assert(done >= 0 && done <= 1);
    return ++*(int *)context;
}

START_TEST(test_progress_cancels)
{
    int calls = 0;
    rp_fold_options options = {.progress = refuse, .progress_context = &calls};
    rp_model *model = open_fixture(TRAIN);
    ck_assert_int_eq(rp_fold(model, &options, &error), -1);
    ck_assert_int_eq(calls, 1);
    /* What failed half-way can only be closed. */
    ck_assert_int_eq(rp_save(model, cli_path("out.onnx"), NULL, &error), -1);
    ck_assert_str_eq(error.code, "usage");
    ck_assert(!cli_exists("out.onnx"));
    rp_close(model);
}
END_TEST

START_TEST(test_budget)
{
    rp_open_options options = {.max_memory = 4096};
    ck_assert_ptr_null(rp_open(cli_fixture(TRAIN), &options, &error));
    ck_assert_str_eq(error.code, "budget");
    options.max_memory = 100 << 20;
    rp_model *model = rp_open(cli_fixture(TRAIN), &options, &error);
    ck_assert_ptr_nonnull(model);
    ck_assert_int_eq(rp_fold(model, NULL, &error), 0);
    rp_close(model);
}
END_TEST

/* Whatever the allocation that fails, the work ends in an error or is done. */
START_TEST(test_every_budget_ends_well)
{
    int finished = 0;
    for (size_t budget = 8 << 10; !finished; budget += budget / 4) {
        rp_open_options options = {.max_memory = budget};
        error = (rp_error){0};
        rp_model *model = rp_open(cli_fixture(TRAIN), &options, &error);
        rp_model *original = model ? rp_reopen(model, &error) : NULL;
        rp_verdict *verdict = NULL;
        if (original && rp_fold(model, NULL, &error) == 0)
            verdict = rp_verify(original, model, NULL, &error);
        finished = verdict != NULL;
        if (!finished)
            ck_assert_str_eq(error.code, "budget");
        ck_assert_uint_lt(budget, (size_t)1 << 30);
        rp_verdict_free(verdict);
        rp_close(original);
        rp_close(model);
    }
}
END_TEST

static void check_over_budget(const void *result)
{
    ck_assert_ptr_null(result);
    ck_assert_str_eq(error.code, "budget");
    error = (rp_error){0};
}

/* What two models hold together counts, and each alone is just small enough. */
START_TEST(test_budget_of_two_models)
{
    rp_model *a = NULL;
    rp_open_options options = {.max_memory = 16 << 10};
    while (!(a = rp_open(cli_fixture(TRAIN), &options, &error)))
        options.max_memory += options.max_memory / 16;
    rp_model *b = rp_open(cli_fixture(TRAIN), &options, &error);
    ck_assert_ptr_nonnull(b);
    error = (rp_error){0};
    check_over_budget(rp_verify(a, b, NULL, &error));
    check_over_budget(rp_certify(a, b, NULL, &error));
    check_over_budget(rp_diff_make(a, b, &error));
    rp_close(b);
    rp_close(a);
}
END_TEST

START_TEST(test_dump)
{
    const char *text;
    rp_model *model = open_fixture(TRAIN);
    ck_assert_int_eq(rp_dump(model, 0, &text, &error), 0);
    ck_assert_ptr_nonnull(strstr(text, "BatchNormalization"));
    ck_assert_int_eq(rp_dump(model, 1, &text, &error), 0);
    ck_assert_ptr_nonnull(strstr(text, "digraph"));
    rp_close(model);
}
END_TEST

START_TEST(test_samples_are_models)
{
    const char *const *variants = rp_sample_variants();
    int count = 0;
    for (; variants[count]; count++) {
        /* MA36's channels are multiples of 19, the others' of 8. */
        bool is_ma36 = strcmp(variants[count], "fastvit_ma36") == 0;
        rp_sample_options options = {.variant = variants[count],
                                     .width_mult = is_ma36 ? 2 / 19.0 : 0.125,
                                     .size = 64,
                                     .classes = 10};
        const rp_summary *summary;
        rp_model *model = rp_sample(&options, &error);
        ck_assert_msg(model, "%s", error.message);
        ck_assert_int_eq(rp_fold(model, NULL, &error), 0);
        ck_assert_int_eq(rp_summarize(model, &summary, &error), 0);
        ck_assert_uint_eq(rp_summary_op(summary, "BatchNormalization"), 0);
        ck_assert_uint_eq(rp_summary_op(summary, "Sub"), 0);
        /* It has no bytes yet. */
        ck_assert_ptr_null(rp_reopen(model, &error));
        rp_close(model);
    }
    ck_assert_int_eq(count, 23);
}
END_TEST

/* ---- Summaries ---- */

static rp_model *open_graph(const Proto *graph)
{
    static Proto model;
    proto_model(&model, graph);
    rp_model *opened =
        rp_open_memory(model.bytes, model.size, "model", NULL, &error);
    ck_assert_msg(opened, "%s", error.message);
    return opened;
}

START_TEST(test_macs_and_stages)
{
    static const int64_t image[] = {1, 2, 8, 6}, kernel[] = {4, 2, 3, 3};
    static const float weights[72];
    const rp_summary *summary;
    Proto graph = {.size = 0};
    proto_node(&graph, "Conv", "x w", "c");
    proto_node(&graph, "Relu", "c", "y");
    proto_input(&graph, "x", 4, image);
    proto_output(&graph, "y", 0, NULL);
    proto_weight(&graph, "w", 4, kernel, weights);
    rp_model *model = open_graph(&graph);
    ck_assert_int_eq(rp_summarize(model, &summary, &error), 0);
    ck_assert(summary->macs_are_exact);
    /* Without pads 8x6 becomes 6x4; 2*3*3 taps for each of 4 channels. */
    ck_assert(summary->macs == 4 * 6 * 4 * 18);
    ck_assert_uint_eq(summary->parameters, 72);
    ck_assert_uint_eq(summary->weight_bytes, 288);
    ck_assert_uint_eq(summary->stage_count, 1);
    ck_assert_str_eq(summary->stages[0].size, "6x4");
    ck_assert_str_eq(summary->stages[0].channels, "4");
    ck_assert_uint_eq(summary->stages[0].nodes, 2);
    ck_assert_uint_eq(summary->stages[0].convs, 1);
    ck_assert_uint_eq(summary->block_count, 0);
    rp_close(model);
}
END_TEST

static size_t blocks_of_kind(const rp_summary *summary, const char *kind)
{
    size_t count = 0;
    for (size_t i = 0; i < summary->block_count; i++)
        count += strcmp(summary->blocks[i].kind, kind) == 0;
    return count;
}

/* The paper's depths: SA12 has 2, 2, 6 RepMixer blocks and 2 of attention. */
START_TEST(test_blocks_of_fastvit)
{
    static const char *const variants[] = {"fastvit_sa12", "fastvit_t8"};
    static const size_t expected[][6] = {
        /* RepMixer, attention, CPE, ConvFFN, SE, large-kernel */
        {10, 2, 1, 12, 1, 3},
        {10, 0, 0, 10, 1, 3},
    };
    static const char *const kinds[] = {
        "RepMixer", "attention", "CPE", "ConvFFN", "SE", "large-kernel"};
    rp_sample_options options = {
        .variant = variants[_i], .width_mult = 0.25, .size = 64, .classes = 10};
    const rp_summary *summary;
    rp_model *model = rp_sample(&options, &error);
    ck_assert_msg(model, "%s", error.message);
    ck_assert_int_eq(rp_summarize(model, &summary, &error), 0);
    for (int i = 0; i < 6; i++)
        ck_assert_msg(blocks_of_kind(summary, kinds[i]) == expected[_i][i],
                      "%s: %zu %s, not %zu", variants[_i],
                      blocks_of_kind(summary, kinds[i]), kinds[i],
                      expected[_i][i]);
    rp_close(model);
}
END_TEST

Suite *suite_repfold(void)
{
    Suite *suite = suite_create("repfold");
    TCase *tc = tcase_create("api");
    tcase_add_checked_fixture(tc, setup, cli_teardown);
    tcase_add_test(tc, test_version);
    tcase_add_test(tc, test_errors_are_told);
    tcase_add_test(tc, test_untouched_model_is_the_same_bytes);
    tcase_add_test(tc, test_fold_verify_save);
    tcase_add_test(tc, test_algebra_needs_the_same_origin);
    tcase_add_test(tc, test_renamed_models_do_not_fold);
    tcase_add_test(tc, test_every_folded_fixture_verifies);
    tcase_add_test(tc, test_refusals_have_reasons);
    tcase_add_test(tc, test_progress_cancels);
    tcase_add_test(tc, test_budget);
    tcase_add_test(tc, test_every_budget_ends_well);
    tcase_add_test(tc, test_budget_of_two_models);
    tcase_add_test(tc, test_dump);
    tcase_add_test(tc, test_samples_are_models);
    tcase_add_test(tc, test_macs_and_stages);
    tcase_add_loop_test(tc, test_blocks_of_fastvit, 0, 2);
    suite_add_tcase(suite, tc);
    return suite;
}
