/* Reports for machines; report.schema.json says what they hold. */
#include "json.h"

#include <stdlib.h>
#include <string.h>

/* ---- Parts ---- */

static json_t *tensors_json(const rp_tensor_info *tensors, size_t size)
{
    json_t *array = json_array();
    for (size_t i = 0; i < size; i++) {
        json_t *object = json_object();
        json_put(object, "name", json_text(tensors[i].name));
        json_put(object, "type", json_text(tensors[i].type));
        json_t *dims = tensors[i].rank < 0 ? json_null() : json_array();
        for (int k = 0; k < tensors[i].rank; k++)
            json_append(dims, json_text(tensors[i].dims[k]));
        json_put(object, "shape", dims);
        json_append(array, object);
    }
    return array;
}

static json_t *stages_json(const rp_summary *summary)
{
    json_t *array = json_array();
    for (size_t i = 0; i < summary->stage_count; i++) {
        const rp_stage_info *stage = &summary->stages[i];
        json_t *object = json_object();
        json_put(object, "size", json_text(stage->size));
        json_put(object, "channels", json_text(stage->channels));
        json_put(object, "nodes", json_count(stage->nodes));
        json_put(object, "convs", json_count(stage->convs));
        json_put(object, "parameters", json_count(stage->parameters));
        json_put(object, "macs", json_finite(stage->macs));
        json_append(array, object);
    }
    return array;
}

static json_t *blocks_json(const rp_summary *summary)
{
    json_t *array = json_array();
    for (size_t i = 0; i < summary->block_count; i++) {
        json_t *object = json_object();
        json_put(object, "kind", json_text(summary->blocks[i].kind));
        json_put(object, "where", json_text(summary->blocks[i].where));
        json_put(object, "nodes", json_count(summary->blocks[i].nodes));
        json_append(array, object);
    }
    return array;
}

json_t *json_summary(const rp_summary *summary)
{
    json_t *object = json_object(), *ops = json_object();
    for (size_t i = 0; i < summary->op_count; i++) {
        json_t *name = json_text(summary->ops[i].op);
        json_put(ops, json_string_value(name),
                 json_count(summary->ops[i].count));
        json_decref(name);
    }
    json_put(object, "producer", json_text(summary->producer));
    json_put(object, "ir_version", json_integer(summary->ir_version));
    json_put(object, "opset", json_integer(summary->opset));
    json_put(object, "nodes", json_count(summary->nodes));
    json_put(object, "parameters", json_count(summary->parameters));
    json_put(object, "weight_bytes", json_count(summary->weight_bytes));
    json_put(object, "file_bytes", json_count(summary->file_bytes));
    json_put(object, "macs", json_finite(summary->macs));
    json_put(object, "macs_are_exact", json_boolean(summary->macs_are_exact));
    json_put(object, "operators", ops);
    json_put(object, "inputs",
             tensors_json(summary->inputs, summary->input_count));
    json_put(object, "outputs",
             tensors_json(summary->outputs, summary->output_count));
    json_put(object, "stages", stages_json(summary));
    json_put(object, "blocks", blocks_json(summary));
    return object;
}

static json_t *folds_json(const rp_model *model)
{
    size_t size;
    const rp_fold_record *folds = rp_folds(model, &size);
    json_t *array = json_array();
    for (size_t i = 0; i < size; i++) {
        json_t *object = json_object(), *consumed = json_array();
        for (size_t k = 0; k < folds[i].consumed_count; k++)
            json_append(consumed, json_text(folds[i].consumed[k]));
        json_put(object, "number", json_integer(folds[i].number));
        json_put(object, "rules", json_text(folds[i].rules));
        json_put(object, "node", json_text(folds[i].node));
        json_put(object, "output", json_text(folds[i].output));
        json_put(object, "consumed", consumed);
        json_put(object, "macs_before", json_finite(folds[i].macs_before));
        json_put(object, "macs_after", json_finite(folds[i].macs_after));
        json_put(object, "parameters_before",
                 json_count(folds[i].parameters_before));
        json_put(object, "parameters_after",
                 json_count(folds[i].parameters_after));
        json_put(object, "subnormals", json_count(folds[i].subnormals));
        json_put(object, "static_size", json_boolean(folds[i].static_size));
        json_append(array, object);
    }
    return array;
}

static json_t *refusals_json(const rp_model *model)
{
    size_t size;
    const rp_refusal *refusals = rp_refusals(model, &size);
    json_t *array = json_array();
    for (size_t i = 0; i < size; i++) {
        json_t *object = json_object();
        json_put(object, "reason", json_text(refusals[i].reason));
        json_put(object, "node", json_text(refusals[i].node));
        json_put(object, "op", json_text(refusals[i].op));
        json_put(object, "fact", json_text(refusals[i].fact));
        json_put(object, "advice", json_text(refusals[i].advice));
        json_append(array, object);
    }
    return array;
}

/* ---- Certificates ---- */

static json_t *texts_json(const char *const *texts, size_t size)
{
    json_t *array = json_array();
    for (size_t i = 0; i < size; i++)
        json_append(array, json_text(texts[i]));
    return array;
}

static json_t *certificate_json(const rp_certificate *certificate)
{
    json_t *object = json_object(), *bounds = json_array();
    for (size_t i = 0; i < certificate->channels; i++)
        json_append(bounds, json_finite(certificate->bounds[i]));
    json_put(object, "output", json_text(certificate->output));
    json_put(object, "node", json_text(certificate->node));
    json_put(object, "holds", json_boolean(certificate->holds));
    json_put(object, "why", json_text(certificate->why));
    json_put(object, "consumed",
             texts_json(certificate->consumed, certificate->consumed_count));
    json_put(object, "produced",
             texts_json(certificate->produced, certificate->produced_count));
    json_put(object, "preconditions",
             texts_json(certificate->preconditions,
                        certificate->precondition_count));
    json_put(object, "weights", json_count(certificate->weights));
    json_put(object, "residue", json_count(certificate->residue));
    json_put(object, "square_roots", json_integer(certificate->square_roots));
    json_put(object, "scales", json_count(certificate->scales));
    json_put(object, "rounding", json_finite(certificate->rounding));
    json_put(object, "bound", json_finite(certificate->bound));
    json_put(object, "bounds", bounds);
    return object;
}

json_t *json_certificates(const Certified *certified)
{
    const rp_certificates_info *info = certified->info;
    json_t *object = json_object(), *list = json_array();
    json_t *undone = json_array();
    for (size_t i = 0; i < info->count; i++)
        json_append(list, certificate_json(&info->certificates[i]));
    for (size_t i = 0; i < certified->undone_count; i++) {
        json_t *fold = json_object();
        json_put(fold, "number", json_integer(certified->undone[i].number));
        json_put(fold, "output", json_text(certified->undone[i].output));
        json_put(fold, "why", json_text(certified->undone[i].why));
        json_append(undone, fold);
    }
    json_put(object, "hold", json_boolean(info->hold));
    json_put(object, "seed", json_count(info->seed));
    json_put(object, "nodes_same", json_count(info->nodes_same));
    json_put(object, "nodes_certified", json_count(info->nodes_certified));
    json_put(object, "list", list);
    json_put(object, "undone", undone);
    return object;
}

/* ---- The verdict ---- */

static json_t *agreement_json(const rp_agreement *agreement)
{
    json_t *object = json_object();
    json_put(object, "rows", json_count(agreement->rows));
    json_put(object, "top1", json_count(agreement->top1));
    json_put(object, "top5", json_count(agreement->top5));
    json_put(object, "change", json_finite(agreement->change));
    return object;
}

static json_t *output_json(const rp_output_verdict *output)
{
    json_t *object = json_object();
    json_put(object, "name", json_text(output->name));
    json_put(object, "equivalent", json_boolean(output->equivalent));
    if (output->inconclusive)
        json_put(object, "inconclusive", json_true());
    json_put(object, "max_abs", json_finite(output->max_abs));
    json_put(object, "algebra", json_finite(output->algebra));
    json_put(object, "weights", json_finite(output->weights));
    json_put(object, "execution_a", json_finite(output->execution_a));
    json_put(object, "execution_b", json_finite(output->execution_b));
    json_put(object, "noise_floor", json_finite(output->noise_floor));
    json_put(object, "ratio", json_finite(output->ratio));
    if (output->agreement.rows > 0)
        json_put(object, "agreement", agreement_json(&output->agreement));
    return object;
}

static json_t *segment_json(const rp_segment_verdict *segment)
{
    if (!segment)
        return json_null();
    json_t *object = json_object();
    json_put(object, "output", json_text(segment->output));
    json_put(object, "node_a", json_text(segment->node_a));
    json_put(object, "node_b", json_text(segment->node_b));
    json_put(object, "difference", json_finite(segment->difference));
    json_put(object, "bound", json_finite(segment->bound));
    json_put(object, "ratio", json_finite(segment->ratio));
    return object;
}

/* The verdict's keys go into `object`: verify has them at its top. */
static void put_verdict(json_t *object, const rp_verdict_info *info)
{
    json_t *outputs = json_array(), *segments = json_object();
    json_t *faults = json_array();
    for (size_t i = 0; i < info->output_count; i++)
        json_append(outputs, output_json(&info->outputs[i]));
    for (size_t i = 0; i < info->fault_count; i++)
        json_append(faults, segment_json(&info->faults[i]));
    json_put(segments, "compared", json_count(info->segments));
    json_put(segments, "same", json_count(info->segments_same));
    json_put(segments, "left_out", json_count(info->segments_left_out));
    json_put(segments, "worst", segment_json(info->worst));
    json_put(segments, "faults", faults);
    json_put(object, "verdict", json_text(info->verdict));
    json_put(object, "why", json_text(info->why));
    json_put(object, "seed", json_count(info->seed));
    json_put(object, "roundings", json_integer(info->roundings));
    json_put(object, "samples", json_integer(info->samples));
    json_put(object, "outputs", outputs);
    json_put(object, "segments", segments);
}

static json_t *verification_json(const rp_verdict_info *info)
{
    if (!info)
        return json_null();
    json_t *object = json_object();
    put_verdict(object, info);
    return object;
}

/* ---- Whole reports ---- */

/* A file's name, null where there is none, and its digest. */
static void put_file(json_t *root, const char *key, const char *path,
                     const char *digest)
{
    char digest_key[32];
    snprintf(digest_key, sizeof digest_key, "%s_sha256", key);
    json_put(root, key, path ? json_text(path) : json_null());
    if (digest[0])
        json_put(root, digest_key, json_text(digest));
}

static json_t *bench_json(const rp_bench_info *info)
{
    json_t *root = json_object(), *operators = json_array();
    for (size_t i = 0; i < info->operator_count; i++) {
        json_t *object = json_object();
        json_put(object, "op", json_text(info->operators[i].op));
        json_put(object, "count", json_count(info->operators[i].count));
        json_put(object, "median_ms",
                 json_finite(info->operators[i].median_ms));
        json_append(operators, object);
    }
    json_put(root, "median_ms", json_finite(info->median_ms));
    json_put(root, "min_ms", json_finite(info->min_ms));
    json_put(root, "macs_per_s", json_finite(info->macs_per_s));
    json_put(root, "live_bytes", json_count(info->live_bytes));
    json_put(root, "peak_bytes", json_count(info->peak_bytes));
    json_put(root, "operators", operators);
    return root;
}

static void put_bench(json_t *root, const Report *report)
{
    if (!report->bench_before)
        return;
    json_t *bench = json_object();
    json_put(bench, "before", bench_json(report->bench_before));
    json_put(bench, "after", bench_json(report->bench_after));
    json_put(root, "bench", bench);
}

static void put_convert(json_t *root, const Report *report)
{
    if (report->objection)
        json_put(root, "why", json_text(report->objection));
    put_file(root, "output", report->output, report->output_digest);
    if (report->output_data)
        json_put(root, "output_data", json_text(report->output_data));
    json_put(root, "before", json_summary(report->before));
    json_put(root, "after", json_summary(report->after));
    json_put(root, "verification", verification_json(report->verdict));
    if (report->not_verified[0])
        json_put(root, "not_verified", json_text(report->not_verified));
    if (report->certified)
        json_put(root, "certificates", json_certificates(report->certified));
    put_bench(root, report);
}

static void put_verify(json_t *root, const Options *options,
                       const Report *report)
{
    put_verdict(root, report->verdict);
    if (report->proof) {
        json_t *proof = json_object();
        json_put(proof, "holds", json_boolean(!report_disproved(report)));
        json_put(proof, "why", json_text(report->proof));
        json_put(root, "proof", proof);
    }
    put_bench(root, report);
    if (report->merged)
        json_put(root, "shards", json_count(report->merged));
    if (!options->shard_count)
        return;
    json_t *shard = json_object();
    json_put(shard, "index", json_count(options->shard_index + 1));
    json_put(shard, "count", json_count(options->shard_count));
    json_put(root, "shard", shard);
}

int json_report(const Options *options, const Report *report)
{
    json_t *root = json_begin(report->command);
    json_put(root, "ok", json_boolean(report->ok));
    put_file(root, "input", report->input, report->input_digest);
    if (report->other)
        put_file(root, "other", report->other, report->other_digest);
    if (report_is(report, "convert"))
        put_convert(root, report);
    else if (report_is(report, "diff"))
        json_put_diff(root, report);
    else if (report->verdict)
        put_verify(root, options, report);
    else if (!report->folded)
        json_put(root, "model", json_summary(report->before));
    if (report->folded) {
        json_put(root, "folds", folds_json(report->folded));
        json_put(root, "refusals", refusals_json(report->folded));
    }
    return json_finish(options, options->json, root);
}

int json_run(const Options *options, const rp_run_result *result)
{
    if (!options->json)
        return 0;
    json_t *root = json_begin("run");
    json_put(root, "ok", json_boolean(!options->data_dir || result->matched));
    json_put(root, "input", json_text(options->files.items[0]));
    json_put(root, "seconds", json_finite(result->seconds));
    if (options->data_dir) {
        json_put(root, "matched", json_boolean(result->matched));
        json_put(root, "mismatch", json_text(result->mismatch));
    }
    return json_finish(options, options->json, root);
}

static void put_import(json_t *root, const Options *options,
                       const rp_model *model, const rp_import_info *info)
{
    char digest[RP_DIGEST_SIZE];
    rp_digest_source(model, digest);
    put_file(root, "input", options->files.items[0], digest);
    json_put(root, "format", json_text(info->format));
    json_put(root, "key", json_text(info->key));
    json_put(root, "variant", json_text(info->variant));
    json_put(root, "deploy", json_boolean(info->deploy));
    json_put(root, "tensors", json_count(info->tensors));
    json_put(root, "unused", json_count(info->unused));
}

int json_made(const Options *options, rp_model *model)
{
    char digest[RP_DIGEST_SIZE] = "";
    const rp_import_info *info = rp_imported(model);
    const rp_summary *summary;
    rp_error error = {0};
    if (!options->json)
        return 0;
    if (rp_summarize(model, &summary, &error) < 0 ||
        (!report_moves_weights(options, summary) &&
         rp_digest(model, digest, &error) < 0))
        return trouble(options, &error);
    json_t *root = json_begin(info ? "import" : "sample");
    json_put(root, "ok", json_true());
    if (info)
        put_import(root, options, model, info);
    else
        json_put(root, "variant", json_text(options->files.items[0]));
    put_file(root, "output", options->output, digest);
    if (rp_saved_data(model))
        json_put(root, "output_data", json_text(rp_saved_data(model)));
    return json_finish(options, options->json, root);
}

int json_bench(const Options *options, const char *digest,
               const rp_bench_info *info)
{
    if (!options->json)
        return 0;
    json_t *root = json_begin("bench"), *measured = bench_json(info);
    json_put(root, "ok", json_true());
    put_file(root, "input", options->files.items[0], digest);
    json_merge(root, measured);
    return json_finish(options, options->json, root);
}
