/*
 * report merge: the reports of verify's shards become the one that a
 * verification on all of their samples gives.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

typedef struct Merge {
    const Options *options;
    size_t count; /* of reports; their files begin at 1 */
    json_t **roots;
    json_t *first; /* whose shard is 1 */
    rp_verdict_info info;
    rp_output_verdict *outputs;
    rp_segment_verdict *faults; /* and the worst, behind them */
    const char *proof;          /* as in Report */
} Merge;

/* ---- Reading ---- */

static const char *path_of(const Merge *merge, size_t index)
{
    return merge->options->files.items[index + 1];
}

static int bad_report(const Merge *merge, size_t index, const char *what)
{
    return trouble_say(merge->options, "bad-input", path_of(merge, index), "%s",
                       what);
}

static const char *text_at(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

/* null is "not known or not finite". */
static double number_at(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static json_int_t count_at(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static json_int_t shard_at(const json_t *root, const char *key)
{
    return count_at(json_object_get(root, "shard"), key);
}

/* What must be the same in all. */
static bool same_whole(const json_t *a, const json_t *b)
{
    static const char *const keys[] = {"repfold", "input_sha256",
                                       "other_sha256", "seed", "roundings"};
    const json_t *x = json_object_get(a, "outputs");
    const json_t *y = json_object_get(b, "outputs");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!json_equal(json_object_get(a, keys[i]),
                        json_object_get(b, keys[i])))
            return false;
    return shard_at(a, "count") == shard_at(b, "count") &&
           json_array_size(x) == json_array_size(y);
}

/* "different" speaks louder than "inconclusive"; -1: no verdict. */
static int rank(const char *verdict)
{
    static const char *const verdicts[] = {"equivalent", "inconclusive",
                                           "different"};
    for (int i = 0; i < 3; i++)
        if (strcmp(verdict, verdicts[i]) == 0)
            return i;
    return -1;
}

/* So many that their sum is a number all the same. */
enum { SAMPLES_MAX = 100000 };

static int check_report(Merge *merge, size_t index)
{
    const json_t *root = merge->roots[index];
    const json_t *error = json_object_get(root, "error");
    json_int_t shard = shard_at(root, "index");
    if (error)
        return trouble_say(merge->options, "bad-input", path_of(merge, index),
                           "the shard was in trouble: %.200s: %.200s",
                           text_at(error, "where"), text_at(error, "message"));
    json_int_t samples = count_at(root, "samples");
    if (strcmp(text_at(root, "command"), "verify") != 0 || shard < 1 ||
        !json_is_array(json_object_get(root, "outputs")) || samples < 0 ||
        samples > SAMPLES_MAX || rank(text_at(root, "verdict")) < 0)
        return bad_report(merge, index,
                          "is not the report of a shard: write it with "
                          "'repfold verify --shard K/N --json FILE'");
    if (!same_whole(root, merge->roots[0]))
        return bad_report(
            merge, index,
            "is of other models, another seed, other roundings or "
            "another number of shards than the first");
    for (size_t i = 0; i < index; i++)
        if (shard_at(merge->roots[i], "index") == shard)
            return bad_report(merge, index, "is of a shard that is there");
    if (shard == 1)
        merge->first = merge->roots[index];
    return 0;
}

static int load_reports(Merge *merge)
{
    for (size_t i = 0; i < merge->count; i++) {
        merge->roots[i] = json_read(merge->options, path_of(merge, i));
        if (!merge->roots[i])
            return TROUBLE;
        int status = check_report(merge, i);
        if (status != 0)
            return status;
    }
    json_int_t count = shard_at(merge->roots[0], "count");
    if ((json_int_t)merge->count == count && merge->first)
        return 0;
    return trouble_say(merge->options, "bad-input", "",
                       "%zu of %lld shards are given; give all of them",
                       merge->count, (long long)count);
}

/* ---- Merging ---- */

/* What is not known, or not finite, in one is not in all. */
static double larger(double a, double b)
{
    return isnan(a) || isnan(b) ? (double)NAN : fmax(a, b);
}

static uint64_t natural_at(const json_t *object, const char *key)
{
    json_int_t count = count_at(object, key);
    return count > 0 ? (uint64_t)count : 0;
}

/* Every shard has data of its own. */
static void merge_agreement(rp_agreement *agreement, const json_t *from)
{
    if (!from)
        return;
    agreement->rows += natural_at(from, "rows");
    agreement->top1 += natural_at(from, "top1");
    agreement->top5 += natural_at(from, "top5");
    agreement->change = larger(agreement->change, number_at(from, "change"));
}

/* As in one verification: of the samples the one that speaks most against the
 * output is told, and float32 is measured on the first. */
static void merge_output(rp_output_verdict *output, const json_t *from,
                         bool is_first)
{
    bool equivalent = json_is_true(json_object_get(from, "equivalent"));
    double ratio = number_at(from, "ratio");
    bool worse =
        !output->name || (output->equivalent && !equivalent) ||
        (output->equivalent == equivalent && !(ratio <= output->ratio));
    output->max_abs = larger(output->max_abs, number_at(from, "max_abs"));
    merge_agreement(&output->agreement, json_object_get(from, "agreement"));
    if (worse) {
        output->algebra = number_at(from, "algebra");
        output->weights = number_at(from, "weights");
        output->noise_floor = number_at(from, "noise_floor");
        output->ratio = ratio;
        output->equivalent = equivalent;
        output->inconclusive =
            json_is_true(json_object_get(from, "inconclusive"));
    }
    if (is_first) {
        output->execution_a = number_at(from, "execution_a");
        output->execution_b = number_at(from, "execution_b");
    }
    output->name = text_at(from, "name");
}

static void merge_outputs(Merge *merge, const json_t *root)
{
    const json_t *list = json_object_get(root, "outputs");
    for (size_t i = 0; i < merge->info.output_count; i++)
        merge_output(&merge->outputs[i], json_array_get(list, i),
                     root == merge->first);
}

static rp_segment_verdict segment_of(const json_t *from)
{
    return (rp_segment_verdict){.output = text_at(from, "output"),
                                .node_a = text_at(from, "node_a"),
                                .node_b = text_at(from, "node_b"),
                                .difference = number_at(from, "difference"),
                                .bound = number_at(from, "bound"),
                                .ratio = number_at(from, "ratio")};
}

/* A fault that several shards have found is one; the largest is told. */
static void merge_fault(Merge *merge, rp_segment_verdict fault)
{
    size_t i = 0;
    while (i < merge->info.fault_count &&
           strcmp(merge->faults[i].output, fault.output) != 0)
        i++;
    if (i == merge->info.fault_count)
        merge->faults[merge->info.fault_count++] = fault;
    else if (!(merge->faults[i].ratio >= fault.ratio))
        merge->faults[i] = fault;
}

static void take_larger(size_t *to, const json_t *object, const char *key)
{
    size_t value = (size_t)count_at(object, key);
    if (value > *to)
        *to = value;
}

static void merge_segments(Merge *merge, const json_t *root,
                           rp_segment_verdict *worst)
{
    const json_t *segments = json_object_get(root, "segments");
    const json_t *faults = json_object_get(segments, "faults");
    const json_t *from = json_object_get(segments, "worst");
    for (size_t i = 0; i < json_array_size(faults); i++)
        merge_fault(merge, segment_of(json_array_get(faults, i)));
    take_larger(&merge->info.segments, segments, "compared");
    take_larger(&merge->info.segments_same, segments, "same");
    take_larger(&merge->info.segments_left_out, segments, "left_out");
    if (!json_is_object(from))
        return;
    rp_segment_verdict found = segment_of(from);
    if (!merge->info.worst || !(worst->ratio >= found.ratio))
        *worst = found;
    merge->info.worst = worst;
}

static void merge_verdict(rp_verdict_info *info, const json_t *root)
{
    const char *verdict = text_at(root, "verdict");
    info->samples += (int)count_at(root, "samples");
    if (info->verdict && rank(verdict) <= rank(info->verdict))
        return;
    info->verdict = verdict;
    info->why = text_at(root, "why");
}

/* What one shard finds does not hold. */
static void merge_proof(Merge *merge, const json_t *root)
{
    const json_t *proof = json_object_get(root, "proof");
    if (proof && !(merge->proof && *merge->proof))
        merge->proof = json_is_true(json_object_get(proof, "holds"))
                           ? ""
                           : text_at(proof, "why");
}

static size_t count_faults(const Merge *merge)
{
    size_t count = 0;
    for (size_t i = 0; i < merge->count; i++)
        count += json_array_size(json_object_get(
            json_object_get(merge->roots[i], "segments"), "faults"));
    return count;
}

static bool merge_make(Merge *merge)
{
    size_t outputs = json_array_size(json_object_get(merge->first, "outputs"));
    size_t faults = count_faults(merge);
    merge->outputs = calloc(outputs + 1, sizeof *merge->outputs);
    merge->faults = calloc(faults + 1, sizeof *merge->faults);
    if (!merge->outputs || !merge->faults)
        return false;
    for (size_t i = 0; i < outputs; i++)
        merge->outputs[i].equivalent = 1;
    merge->info.outputs = merge->outputs;
    merge->info.output_count = outputs;
    merge->info.faults = merge->faults;
    merge->info.seed = (uint64_t)count_at(merge->first, "seed");
    merge->info.roundings = (int)count_at(merge->first, "roundings");
    for (size_t i = 0; i < merge->count; i++) {
        merge_outputs(merge, merge->roots[i]);
        merge_segments(merge, merge->roots[i], &merge->faults[faults]);
        merge_verdict(&merge->info, merge->roots[i]);
        merge_proof(merge, merge->roots[i]);
    }
    return true;
}

static int tell(const Merge *merge)
{
    const Options *options = merge->options;
    Report report = {.command = "verify",
                     .input = text_at(merge->first, "input"),
                     .other = text_at(merge->first, "other"),
                     .verdict = &merge->info,
                     .proof = merge->proof,
                     .merged = (unsigned)merge->count};
    report.ok = rank(merge->info.verdict) == 0 && !report_disproved(&report);
    snprintf(report.input_digest, sizeof report.input_digest, "%s",
             text_at(merge->first, "input_sha256"));
    snprintf(report.other_digest, sizeof report.other_digest, "%s",
             text_at(merge->first, "other_sha256"));
    if (!options->quiet && report.proof)
        text_proof(report_stream(options), report.proof);
    if (!options->quiet)
        text_verify(report_stream(options), &report);
    int status = reports_write(options, &report);
    return status ? status : report.ok ? YES : NO;
}

static int run(const Options *options)
{
    Merge merge = {.options = options, .count = options->files.count - 1};
    if (strcmp(options->files.items[0], "merge") != 0)
        return trouble_say(options, "usage", "",
                           "'%s' is nothing to do with reports; did you mean "
                           "'repfold report merge'?",
                           options->files.items[0]);
    merge.roots = calloc(merge.count, sizeof *merge.roots);
    int status;
    if (!merge.roots)
        status = trouble_say(options, "memory", "", "out of memory");
    else
        status = load_reports(&merge);
    if (status == 0)
        status = merge_make(&merge)
                     ? tell(&merge)
                     : trouble_say(options, "memory", "", "out of memory");
    for (size_t i = 0; merge.roots && i < merge.count; i++)
        json_decref(merge.roots[i]);
    free(merge.roots);
    free(merge.outputs);
    free(merge.faults);
    return status;
}

const Verb verb_report = {
    .name = "report",
    .bit = VERB_REPORT,
    .min_files = 2,
    .max_files = SIZE_MAX,
    .arguments = "merge SHARD.json ... [OPTION ...]",
    .summary = "put the reports of verify's shards together",
    .text =
        "Reads the JSON reports of 'repfold verify --shard K/N', which must be "
        "all N of\n"
        "them, of the same models and seed, and tells what a verification on "
        "all of\n"
        "their samples tells.\n"
        "\n"
        "  parallel repfold verify a.onnx b.onnx --samples 64 --shard {}/4 \\\n"
        "      -q --json {}.json ::: 1 2 3 4\n"
        "  repfold report merge 1.json 2.json 3.json 4.json --json all.json\n"
        "\n"
        "Exit status: 0 equivalent; 1 different or inconclusive; 2 trouble.",
    .run = run,
};
