#include <string.h>

#include "converter.h"

static int tell(const Options *options, const rp_verdict_info *info)
{
    Report report = {
        .command = "verify",
        .input = options->files.items[0],
        .other = options->files.items[1],
        .verdict = info,
        .ok = strcmp(info->verdict, "equivalent") == 0,
    };
    if (!options->quiet)
        text_verify(report_stream(options), &report);
    int status = json_report(options, &report);
    return status ? status : report.ok ? YES : NO;
}

static int run(const Options *options)
{
    rp_error error = {0};
    rp_verdict *verdict = NULL;
    rp_model *b = NULL, *a = NULL;
    Progress progress;
    progress_start(&progress, options);
    rp_verify_options judge = verify_options(options, &progress);
    if ((a = open_model(options, options->files.items[0], &error)) &&
        (b = open_model(options, options->files.items[1], &error)))
        verdict = rp_verify(a, b, &judge, &error);
    progress_end(&progress);
    int status = verdict ? tell(options, rp_verdict_get(verdict))
                         : trouble(options, &error);
    rp_verdict_free(verdict);
    rp_close(b);
    rp_close(a);
    return status;
}

const Verb verb_verify = {
    .name = "verify",
    .bit = VERB_VERIFY,
    .min_files = 2,
    .max_files = 2,
    .arguments = "A.onnx B.onnx [OPTION ...]",
    .summary = "are two models the same function?",
    .text =
        "Runs both models in float64 on the same seeded inputs and compares "
        "the change\n"
        "with the noise floor of A: what storing A's own weights once costs. "
        "Then both\n"
        "are cut at values of the same meaning and compared piece by piece "
        "under a\n"
        "rigorous rounding bound, which names the place of a fault. Works on "
        "any two\n"
        "models with the same inputs and outputs, whoever made them.\n"
        "\n"
        "  repfold verify train.onnx deploy.onnx\n"
        "  repfold verify a.onnx b.onnx --samples 16 --seed 7 --json -\n"
        "  repfold verify a.onnx b.onnx --input image=photo.npy\n"
        "\n"
        "Exit status: 0 equivalent; 1 different, or inconclusive because A "
        "itself gives\n"
        "NaN; 2 trouble.",
    .run = run,
};
