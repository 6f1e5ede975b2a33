#include <stdio.h>
#include <string.h>

#include "converter.h"

/* What is open during a conversion. */
typedef struct Job {
    const Options *options;
    const char *input, *output;
    rp_model *original; /* NULL with --no-verify, unless looked at */
    rp_model *opened;   /* what the file was opened as */
    rp_model *model;    /* the folded one: that, or a copy with less folded */
    rp_verdict *verdict;
    Images images; /* to verify on */
    Certified certified;
    Report report;
    Progress progress;
    rp_error error;
} Job;

static int job_trouble(Job *job)
{
    progress_end(&job->progress);
    return trouble(job->options, &job->error);
}

/* Counts what there is, unless nobody will be told. */
static int summarize(Job *job, const rp_summary **summary)
{
    if (job->options->quiet && !reports_wanted(job->options))
        return 0;
    return rp_summarize(job->model, summary, &job->error);
}

static int fold(Job *job)
{
    rp_fold_options options = fold_options(job->options, &job->progress);
    if (summarize(job, &job->report.before) < 0 ||
        rp_fold(job->model, &options, &job->error) < 0 ||
        summarize(job, &job->report.after) < 0)
        return job_trouble(job);
    job->report.folded = job->model;
    return 0;
}

/* Every fold's certificate; what has none that holds is undone. */
static int prove(Job *job)
{
    const Options *options = job->options;
    progress_show(&job->progress, "certify", -1);
    rp_certify_options seed = {.seed = options->seed,
                               .threads = (int)options->threads,
                               .histogram = options->html != NULL};
    if (certify(job->original, &job->model,
                fold_options(options, &job->progress), &seed, &job->certified,
                &job->error) < 0)
        return job_trouble(job);
    job->report.certified = &job->certified;
    job->report.folded = job->model;
    if (job->certified.replaced && summarize(job, &job->report.after) < 0)
        return job_trouble(job);
    return 0;
}

/* What is written is what was read. */
static bool is_unchanged(const Job *job)
{
    char before[RP_DIGEST_SIZE], after[RP_DIGEST_SIZE];
    rp_error ignored = {0};
    return rp_digest(job->original, before, &ignored) == 0 &&
           rp_digest(job->model, after, &ignored) == 0 &&
           strcmp(before, after) == 0;
}

static bool is_inconclusive(const rp_verdict_info *verdict)
{
    return strcmp(verdict->verdict, "inconclusive") == 0;
}

/* There is no verdict. Where the models are the same file nobody needs one. */
static bool is_excused(Job *job, const char *why)
{
    Report *report = &job->report;
    if (!is_unchanged(job))
        return false;
    report->verdict = NULL;
    report->unchanged = true;
    snprintf(report->not_verified, sizeof report->not_verified,
             "nothing changed, and %s", why);
    return true;
}

/* The models cannot be run: what is already quantized, or optimized for one
 * runtime, is left as it is. */
static int excuse(Job *job)
{
    rp_error *error = &job->error;
    char why[sizeof error->message + sizeof "it cannot be run: "];
    if (strcmp(error->code, "unsupported-operator") != 0 &&
        strcmp(error->code, "unsupported-type") != 0)
        return job_trouble(job);
    snprintf(why, sizeof why, "it cannot be run: %s", error->message);
    if (is_excused(job, why)) {
        *error = (rp_error){0};
        return 0;
    }
    size_t length = strlen(error->message);
    snprintf(error->message + length, sizeof error->message - length,
             "; --no-run converts on certificates alone");
    return job_trouble(job);
}

/* --no-run: what every certificate proves needs no sample. */
static int certify_alone(Job *job)
{
    int status = prove(job);
    snprintf(job->report.not_verified, sizeof job->report.not_verified,
             "neither model was run; the certificates are the proof");
    return status;
}

/* Certifies, runs, and does both again without a fold that a run finds wrong.
 */
static int verify(Job *job)
{
    const Options *options = job->options;
    if (options->no_verify)
        return 0;
    job->original = rp_reopen(job->model, &job->error);
    if (job->original && options->no_run)
        return certify_alone(job);
    if (!job->original || images_load(options, job->original, &job->progress,
                                      &job->images, &job->error) < 0)
        return job_trouble(job);
    job->report.images = &job->images;
    rp_verify_options how =
        verify_options(options, &job->images, &job->progress);
    for (int undone = 1; undone;) {
        int status = prove(job);
        if (status != 0)
            return status;
        keep_memory();
        rp_verdict_free(job->verdict);
        job->verdict = rp_verify(job->original, job->model, &how, &job->error);
        if (!job->verdict)
            return excuse(job);
        job->report.verdict = rp_verdict_get(job->verdict);
        if (is_inconclusive(job->report.verdict) &&
            is_excused(job, "running it decides nothing"))
            return 0;
        undone = undo_fault(job->original, &job->model,
                            fold_options(options, &job->progress),
                            job->report.verdict, &job->certified, &job->error);
        if (undone < 0)
            return job_trouble(job);
    }
    return 0;
}

/* Why the result must not be written, which is also the exit status; NULL: it
 * may be. */
static const char *find_objection(const Job *job)
{
    const rp_verdict_info *verdict = job->report.verdict;
    size_t folds;
    rp_folds(job->model, &folds);
    if (job->options->require_change && folds == 0)
        return "nothing could be folded";
    if (verdict && is_inconclusive(verdict))
        return "whether the result is the same function is not known";
    if (verdict && strcmp(verdict->verdict, "equivalent") != 0)
        return "the result is not the same function";
    if (job->certified.info && !certificates_suffice(job->certified.info))
        return "what changed is not all certified";
    return NULL;
}

static int save(Job *job)
{
    rp_save_options options = save_options(job->options);
    job->report.objection = find_objection(job);
    job->report.ok = !job->report.objection;
    if (!job->report.ok)
        return 0;
    progress_show(&job->progress, "write", -1);
    if (rp_save(job->model, job->output, &options, &job->error) < 0)
        return job_trouble(job);
    job->report.output = job->output;
    job->report.output_data = rp_saved_data(job->model);
    if (!report_moves_weights(job->options, job->report.after) &&
        report_digest(job->options, job->model, job->report.output_digest,
                      &job->error) < 0)
        return job_trouble(job);
    return 0;
}

/* What only the page and --bench need: the original beside the result. */
static int look(Job *job)
{
    const Options *options = job->options;
    if (!options->html && !options->bench)
        return 0;
    progress_show(&job->progress, "report", -1);
    if (!job->original)
        job->original = rp_reopen(job->model, &job->error);
    if (!job->original || report_bench(options, &job->report, job->original,
                                       job->model, &job->error) < 0)
        return job_trouble(job);
    if (options->html &&
        report_look(&job->report, job->original, job->model, &job->error) < 0)
        return job_trouble(job);
    return 0;
}

static int tell(Job *job)
{
    int looked = look(job);
    if (looked != 0)
        return looked;
    progress_end(&job->progress);
    if (!job->options->quiet)
        text_convert(job->options, report_stream(job->options), &job->report);
    /* What was undone is a fault of ours that somebody should look at. */
    job->report.ok = job->report.ok && job->certified.undone_count == 0;
    int status = reports_write(job->options, &job->report);
    return status ? status : job->report.ok ? YES : NO;
}

/* --dump-after: the graph instead of a file. */
static int dump(Job *job)
{
    rp_fold_options options = fold_options(job->options, &job->progress);
    const char *text;
    if (rp_fold(job->model, &options, &job->error) < 0 ||
        rp_dump(job->model, 0, &text, &job->error) < 0)
        return job_trouble(job);
    progress_end(&job->progress);
    fputs(text, stdout);
    return YES;
}

/* What goes for a checkpoint alone, and what does not go for one. */
static int check_checkpoint(Job *job)
{
    const Options *options = job->options;
    bool imported = rp_imported(job->opened) != NULL;
    if (imported && options->in_place)
        return trouble_say(options, "usage", job->input,
                           "a checkpoint cannot be replaced by a model; give "
                           "--output FILE");
    if (!imported && (options->key || options->variant || options->size ||
                      options->dense || options->dynamic || options->dtype))
        return trouble_say(options, "usage", job->input,
                           "is a model; --key, --variant, --size, --dense, "
                           "--dynamic and --dtype are for checkpoints");
    return 0;
}

static int convert(Job *job)
{
    progress_start(&job->progress, job->options);
    job->opened = open_model(job->options, job->input, &job->error);
    if (!job->opened)
        return job_trouble(job);
    job->model = job->opened;
    int wrong = check_checkpoint(job);
    if (wrong)
        return wrong;
    if (job->options->dump_after)
        return dump(job);
    job->report.command = "convert";
    job->report.input = job->input;
    report_source(job->options, job->opened, job->report.input_digest);
    int status = fold(job);
    if (status == 0)
        status = verify(job);
    if (status == 0)
        status = save(job);
    return status ? status : tell(job);
}

/* What would be passed over in silence. */
static int check_idle(const Options *options)
{
    if (options->dump_after &&
        (reports_wanted(options) || options->bench || options->github))
        return trouble_say(options, "usage", "",
                           "--dump-after prints the graph alone, and makes no "
                           "report");
    if ((options->no_verify || options->no_run) &&
        (options->inputs.count || options->data_dirs.count || options->images ||
         options->samples))
        return trouble_say(options, "usage", "",
                           "--no-run and --no-verify run nothing, so --input, "
                           "--data, --images and --samples do not go with "
                           "them");
    return 0;
}

static int check_output(Job *job)
{
    const Options *options = job->options;
    if (options->dump_after)
        return 0;
    if (options->in_place && options->output)
        return trouble_say(options, "usage", "",
                           "--in-place and --output exclude each other");
    job->output = options->in_place ? job->input : options->output;
    if (!job->output)
        return trouble_say(options, "usage", "",
                           "where to? give --output FILE or --in-place");
    if (options->in_place && strcmp(job->input, "-") == 0)
        return trouble_say(options, "usage", "",
                           "standard input cannot be replaced");
    return output_check(options, job->output);
}

static void fill_outcome(const Job *job, int status, Outcome *outcome)
{
    const Report *report = &job->report;
    if (status == NO)
        snprintf(outcome->message, sizeof outcome->message, "%s",
                 report->objection
                     ? report->objection
                     : "a fold was wrong and undone; the rest is written");
    if (report->before && report->after) {
        outcome->nodes_before = report->before->nodes;
        outcome->nodes_after = report->after->nodes;
    }
    if (report->folded) {
        rp_folds(report->folded, &outcome->folds);
        rp_refusals(report->folded, &outcome->left);
    }
    outcome->written = report->output != NULL;
    memcpy(outcome->input_digest, report->input_digest, RP_DIGEST_SIZE);
    memcpy(outcome->output_digest, report->output_digest, RP_DIGEST_SIZE);
    snprintf(outcome->verdict, sizeof outcome->verdict, "%s",
             report->verdict ? report->verdict->verdict : "");
}

/* One model; `outcome` may be NULL. */
static int convert_one(const Options *options, Outcome *outcome)
{
    Job job = {.options = options, .input = options->files.items[0]};
    int status = check_output(&job);
    if (status == 0)
        status = convert(&job);
    progress_end_any();
    if (outcome)
        fill_outcome(&job, status, outcome);
    rp_diff_free(job.report.compared);
    rp_verdict_free(job.verdict);
    certified_free(&job.certified);
    images_free(&job.images);
    rp_close(job.original);
    if (job.model != job.opened)
        rp_close(job.model);
    rp_close(job.opened);
    return status;
}

static int run(const Options *options)
{
    if (images_check(options) != 0 || check_idle(options) != 0)
        return TROUBLE;
    if (options->output_dir)
        return batch_run(options, convert_one);
    if (options->files.count > 1)
        return trouble_say(options, "usage", "",
                           "several models need --output-dir DIR");
    if (options->jobs)
        return trouble_say(options, "usage", "", "--jobs needs --output-dir");
    return convert_one(options, NULL);
}

const Verb verb_convert = {
    .name = "convert",
    .bit = VERB_CONVERT,
    .min_files = 1,
    .max_files = SIZE_MAX,
    .arguments = "IN.onnx -o OUT.onnx | IN.onnx ... --output-dir DIR",
    .summary = "fold what is exactly foldable, verify, write",
    .text =
        "Folds every BatchNormalization, parallel branch, identity and layer "
        "scale that\n"
        "is exactly foldable into one kernel, compares the result with the "
        "original in\n"
        "float64, and writes it only when the two are the same function. "
        "Where nothing\n"
        "can be folded, the output is the input byte for byte.\n"
        "\n"
        "  repfold convert train.onnx -o deploy.onnx\n"
        "  repfold convert train.onnx -o deploy.onnx -v --json report.json\n"
        "  repfold convert dyn.onnx -o deploy.onnx "
        "--input-shape x:1,3,384,512\n"
        "  repfold convert train.onnx -o deploy.onnx --stop-after 12\n"
        "  repfold convert train/*.onnx --output-dir deploy --jobs 4\n"
        "\n"
        "Exit status: 0 written; 1 not equivalent, or --require-change and "
        "nothing to\n"
        "fold: nothing is written; 1 also when a wrong fold was undone, and "
        "the "
        "rest is\n"
        "written; 2 trouble. Of several models the worst.",
    .run = run,
};
