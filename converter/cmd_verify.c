#include <string.h>

#include "converter.h"

/* What reports show besides the verdict: digests, times; for the page also both
 * graphs, and the roundings of what changed, as its certificates have them. */
static int look(const Options *options, rp_model *a, rp_model *b,
                Report *report, Certified *certified, rp_error *error)
{
    rp_certify_options how = {.seed = options->seed,
                              .threads = (int)options->threads,
                              .histogram = 1};
    report_source(options, a, report->input_digest);
    report_source(options, b, report->other_digest);
    if (report_bench(options, report, a, b, error) < 0)
        return -1;
    if (!options->html)
        return 0;
    certified->certificates = rp_certify(a, b, &how, error);
    if (!certified->certificates)
        return -1;
    certified->info = rp_certificates_get(certified->certificates);
    report->certified = certified;
    return report_look(report, a, b, error);
}

static int tell(const Options *options, Progress *progress, rp_model *a,
                rp_model *b, Report *report)
{
    rp_error error = {0};
    Certified certified = {0};
    report->command = "verify";
    report->input = options->files.items[0];
    report->other = options->files.items[1];
    report->ok = strcmp(report->verdict->verdict, "equivalent") == 0 &&
                 !report_disproved(report);
    int looked = look(options, a, b, report, &certified, &error);
    progress_end(progress);
    int status = TROUBLE;
    if (looked < 0) {
        trouble(options, &error);
    } else {
        if (!options->quiet)
            text_verify(report_stream(options), report);
        status = reports_write(options, report);
    }
    rp_diff_free(report->compared);
    certified_free(&certified);
    return status ? status : report->ok ? YES : NO;
}

enum { SAID = 512 };

/* Certificates first: they say what no run can. 0, or TROUBLE. */
static int prove(const Options *options, Progress *progress, rp_model *a,
                 rp_model *b, char said[SAID])
{
    if (!options->certificate)
        return 0;
    if (proof_check(options, a, b, said, SAID) == TROUBLE)
        return TROUBLE;
    if (options->quiet)
        return 0;
    progress_clear(progress);
    text_proof(report_stream(options), said);
    return 0;
}

static int compare(const Options *options, Progress *progress, rp_model *a,
                   rp_model *b)
{
    rp_error error = {0};
    progress_show(progress, options->certificate ? "certify" : "verify", -1);
    char said[SAID] = "";
    if (prove(options, progress, a, b, said) != 0)
        return TROUBLE;
    Images images;
    rp_verdict *verdict = NULL;
    if (images_load(options, a, progress, &images, &error) == 0) {
        rp_verify_options judge = verify_options(options, &images, progress);
        keep_memory();
        verdict = rp_verify(a, b, &judge, &error);
    }
    int status = TROUBLE;
    if (verdict) {
        Report report = {.verdict = rp_verdict_get(verdict),
                         .images = &images,
                         .proof = options->certificate ? said : NULL};
        progress_show(progress, "report", -1);
        status = tell(options, progress, a, b, &report);
    } else {
        progress_end(progress);
        trouble(options, &error);
    }
    rp_verdict_free(verdict);
    images_free(&images);
    return status;
}

/* --shard K/N. */
static int read_shard(Options *options)
{
    unsigned index, count;
    int end = 0;
    const char *text = options->shard;
    if (!text)
        return 0;
    if (strspn(text, "0123456789/") != strlen(text) ||
        sscanf(text, "%4u/%4u%n", &index, &count, &end) != 2 || text[end] ||
        index < 1 || index > count)
        return trouble_say(options, "usage", "",
                           "--shard must be K/N, the K-th of N parts, not '%s'",
                           text);
    if (!options->samples && !options->inputs.count && !options->images &&
        !options->data_dirs.count)
        return trouble_say(options, "usage", "",
                           "--shard needs --samples, --input, --data or "
                           "--images: the parts must be of the same whole");
    options->shard_index = index - 1;
    options->shard_count = count;
    return 0;
}

static int run(const Options *given)
{
    Options sharded = *given, *options = &sharded;
    if (read_shard(options) != 0 || images_check(options) != 0)
        return TROUBLE;
    rp_error error = {0};
    rp_model *b = NULL, *a = NULL;
    Progress progress;
    int status;
    progress_start(&progress, options);
    if ((a = open_model(options, options->files.items[0], &error)) &&
        (b = open_model(options, options->files.items[1], &error)) &&
        (!options->by_position || rp_rename(b, a, &error) == 0))
        status = compare(options, &progress, a, b);
    else
        status = trouble(options, &error);
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
        "  repfold verify a.onnx b.onnx --images photos --crop-pct 0.9\n"
        "  repfold verify train.onnx deploy.onnx --certificate report.json\n"
        "  repfold verify a.onnx b.onnx --samples 64 --shard 1/4 --json "
        "1.json\n"
        "\n"
        "Exit status: 0 equivalent; 1 different, or inconclusive, as where A "
        "itself gives\n"
        "NaN; 2 trouble.",
    .run = run,
};
