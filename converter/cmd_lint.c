#include <string.h>

#include "converter.h"

static int tell(const Options *options, Report *report)
{
    size_t left;
    rp_folds(report->folded, &left);
    report->strict_left = report_strict_left(options, report->folded);
    report->ok = left + report->strict_left == 0;
    if (!options->quiet)
        text_lint(options, report_stream(options), report);
    int status = reports_write(options, report);
    return status ? status : report->ok ? YES : NO;
}

/* The page shows the model beside what it would become. */
static int look(Report *report, rp_model *model, rp_model **original,
                rp_error *error)
{
    *original = rp_reopen(model, error);
    return *original ? report_look(report, *original, model, error) : -1;
}

static int lint(const Options *options, const char *path)
{
    rp_error error = {0};
    Progress progress;
    progress_start(&progress, options);
    rp_fold_options fold = fold_options(options, &progress);
    rp_model *model = open_model(options, path, &error);
    rp_model *original = NULL;
    Report report = {.command = "lint", .input = path, .folded = model};
    if (model)
        report_source(options, model, report.input_digest);
    int failed = !model || rp_fold(model, &fold, &error) < 0 ||
                 (options->html && look(&report, model, &original, &error) < 0);
    progress_end(&progress);
    int status = failed ? trouble(options, &error) : tell(options, &report);
    rp_diff_free(report.compared);
    rp_close(original);
    rp_close(model);
    return status;
}

/* One that is in trouble does not hide the others: the worst counts. */
static int run(const Options *options)
{
    int worst = YES;
    if (options->files.count > 1 && reports_wanted(options))
        return trouble_say(options, "usage", "",
                           "a report is of one model: give one, or no --json, "
                           "--html, --junit and --sarif");
    for (size_t i = 0; i < options->files.count; i++) {
        int status = lint(options, options->files.items[i]);
        worst = status > worst ? status : worst;
    }
    return worst;
}

const Verb verb_lint = {
    .name = "lint",
    .bit = VERB_LINT,
    .min_files = 1,
    .max_files = SIZE_MAX,
    .arguments = "IN.onnx ... [OPTION ...]",
    .summary = "list foldable sites that are left, for a CI job",
    .text =
        "Folds the model in memory and writes nothing: lists each kernel that "
        "convert\n"
        "would merge, and each site that cannot be folded with the reason, "
        "the fact that\n"
        "blocks it and what can be done. The manual lists all reasons.\n"
        "\n"
        "  repfold lint model.onnx\n"
        "  repfold lint --strict model.onnx\n"
        "  if ! repfold lint -q models/*.onnx; then echo unfused; fi\n"
        "\n"
        "Exit status: 0 nothing is left to fold; 1 something is; 2 trouble; of "
        "several\n"
        "models the worst.",
    .run = run,
};
