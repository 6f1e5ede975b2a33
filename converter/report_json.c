/* Reports for machines; report.schema.json says what they hold. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "converter.h"

/* ---- Building ----
 *
 * Jansson answers -1 when it is out of memory, and accepts NULL values as
 * such failures; one flag gathers them all.
 */

static bool failed;

static void put(json_t *object, const char *key, json_t *value)
{
    failed |= json_object_set_new(object, key, value) < 0;
}

static void append(json_t *array, json_t *value)
{
    failed |= json_array_append_new(array, value) < 0;
}

/* A name from a file need not be UTF-8; JSON must be. */
static json_t *text(const char *string)
{
    json_t *value = json_string(string ? string : "");
    if (value)
        return value;
    char *safe = strdup(string);
    for (char *c = safe; c && *c; c++)
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    value = safe ? json_string(safe) : NULL;
    free(safe);
    return value;
}

/* JSON has neither NaN nor infinity: null is "not known or not finite". */
static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *count(uint64_t value)
{
    return json_integer((json_int_t)value);
}

/* ---- Parts ---- */

static json_t *tensors_json(const rp_tensor_info *tensors, size_t size)
{
    json_t *array = json_array();
    for (size_t i = 0; i < size; i++) {
        json_t *object = json_object();
        put(object, "name", text(tensors[i].name));
        put(object, "type", text(tensors[i].type));
        json_t *dims = tensors[i].rank < 0 ? json_null() : json_array();
        for (int k = 0; k < tensors[i].rank; k++)
            append(dims, text(tensors[i].dims[k]));
        put(object, "shape", dims);
        append(array, object);
    }
    return array;
}

static json_t *stages_json(const rp_summary *summary)
{
    json_t *array = json_array();
    for (size_t i = 0; i < summary->stage_count; i++) {
        const rp_stage_info *stage = &summary->stages[i];
        json_t *object = json_object();
        put(object, "size", text(stage->size));
        put(object, "channels", text(stage->channels));
        put(object, "nodes", count(stage->nodes));
        put(object, "convs", count(stage->convs));
        put(object, "parameters", count(stage->parameters));
        put(object, "macs", number(stage->macs));
        append(array, object);
    }
    return array;
}

static json_t *blocks_json(const rp_summary *summary)
{
    json_t *array = json_array();
    for (size_t i = 0; i < summary->block_count; i++) {
        json_t *object = json_object();
        put(object, "kind", text(summary->blocks[i].kind));
        put(object, "where", text(summary->blocks[i].where));
        put(object, "nodes", count(summary->blocks[i].nodes));
        append(array, object);
    }
    return array;
}

static json_t *summary_json(const rp_summary *summary)
{
    json_t *object = json_object(), *ops = json_object();
    for (size_t i = 0; i < summary->op_count; i++) {
        json_t *name = text(summary->ops[i].op);
        put(ops, json_string_value(name), count(summary->ops[i].count));
        json_decref(name);
    }
    put(object, "producer", text(summary->producer));
    put(object, "ir_version", json_integer(summary->ir_version));
    put(object, "opset", json_integer(summary->opset));
    put(object, "nodes", count(summary->nodes));
    put(object, "parameters", count(summary->parameters));
    put(object, "weight_bytes", count(summary->weight_bytes));
    put(object, "file_bytes", count(summary->file_bytes));
    put(object, "macs", number(summary->macs));
    put(object, "macs_are_exact", json_boolean(summary->macs_are_exact));
    put(object, "operators", ops);
    put(object, "inputs", tensors_json(summary->inputs, summary->input_count));
    put(object, "outputs",
        tensors_json(summary->outputs, summary->output_count));
    put(object, "stages", stages_json(summary));
    put(object, "blocks", blocks_json(summary));
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
            append(consumed, text(folds[i].consumed[k]));
        put(object, "number", json_integer(folds[i].number));
        put(object, "rules", text(folds[i].rules));
        put(object, "node", text(folds[i].node));
        put(object, "output", text(folds[i].output));
        put(object, "consumed", consumed);
        put(object, "macs_before", number(folds[i].macs_before));
        put(object, "macs_after", number(folds[i].macs_after));
        put(object, "parameters_before", count(folds[i].parameters_before));
        put(object, "parameters_after", count(folds[i].parameters_after));
        put(object, "subnormals", count(folds[i].subnormals));
        append(array, object);
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
        put(object, "reason", text(refusals[i].reason));
        put(object, "node", text(refusals[i].node));
        put(object, "op", text(refusals[i].op));
        put(object, "fact", text(refusals[i].fact));
        put(object, "advice", text(refusals[i].advice));
        append(array, object);
    }
    return array;
}

/* ---- Certificates ---- */

static json_t *texts_json(const char *const *texts, size_t size)
{
    json_t *array = json_array();
    for (size_t i = 0; i < size; i++)
        append(array, text(texts[i]));
    return array;
}

static json_t *certificate_json(const rp_certificate *certificate)
{
    json_t *object = json_object(), *bounds = json_array();
    for (size_t i = 0; i < certificate->channels; i++)
        append(bounds, number(certificate->bounds[i]));
    put(object, "output", text(certificate->output));
    put(object, "node", text(certificate->node));
    put(object, "holds", json_boolean(certificate->holds));
    put(object, "why", text(certificate->why));
    put(object, "consumed",
        texts_json(certificate->consumed, certificate->consumed_count));
    put(object, "produced",
        texts_json(certificate->produced, certificate->produced_count));
    put(object, "preconditions",
        texts_json(certificate->preconditions,
                   certificate->precondition_count));
    put(object, "weights", count(certificate->weights));
    put(object, "residue", count(certificate->residue));
    put(object, "square_roots", json_integer(certificate->square_roots));
    put(object, "rounding", number(certificate->rounding));
    put(object, "bound", number(certificate->bound));
    put(object, "bounds", bounds);
    return object;
}

static json_t *certificates_json(const Certified *certified)
{
    const rp_certificates_info *info = certified->info;
    json_t *object = json_object(), *list = json_array();
    json_t *undone = json_array();
    for (size_t i = 0; i < info->count; i++)
        append(list, certificate_json(&info->certificates[i]));
    for (size_t i = 0; i < certified->undone_count; i++) {
        json_t *fold = json_object();
        put(fold, "number", json_integer(certified->undone[i].number));
        put(fold, "output", text(certified->undone[i].output));
        put(fold, "why", text(certified->undone[i].why));
        append(undone, fold);
    }
    put(object, "hold", json_boolean(info->hold));
    put(object, "seed", count(info->seed));
    put(object, "nodes_same", count(info->nodes_same));
    put(object, "nodes_certified", count(info->nodes_certified));
    put(object, "list", list);
    put(object, "undone", undone);
    return object;
}

/* ---- The verdict ---- */

static json_t *output_json(const rp_output_verdict *output)
{
    json_t *object = json_object();
    put(object, "name", text(output->name));
    put(object, "equivalent", json_boolean(output->equivalent));
    put(object, "max_abs", number(output->max_abs));
    put(object, "algebra", number(output->algebra));
    put(object, "weights", number(output->weights));
    put(object, "execution_a", number(output->execution_a));
    put(object, "execution_b", number(output->execution_b));
    put(object, "noise_floor", number(output->noise_floor));
    put(object, "ratio", number(output->ratio));
    return object;
}

static json_t *segment_json(const rp_segment_verdict *segment)
{
    if (!segment)
        return json_null();
    json_t *object = json_object();
    put(object, "output", text(segment->output));
    put(object, "node_a", text(segment->node_a));
    put(object, "node_b", text(segment->node_b));
    put(object, "difference", number(segment->difference));
    put(object, "bound", number(segment->bound));
    put(object, "ratio", number(segment->ratio));
    return object;
}

/* The verdict's keys go into `object`: verify has them at its top. */
static void put_verdict(json_t *object, const rp_verdict_info *info)
{
    json_t *outputs = json_array(), *segments = json_object();
    json_t *faults = json_array();
    for (size_t i = 0; i < info->output_count; i++)
        append(outputs, output_json(&info->outputs[i]));
    for (size_t i = 0; i < info->fault_count; i++)
        append(faults, segment_json(&info->faults[i]));
    put(segments, "compared", count(info->segments));
    put(segments, "same", count(info->segments_same));
    put(segments, "left_out", count(info->segments_left_out));
    put(segments, "worst", segment_json(info->worst));
    put(segments, "faults", faults);
    put(object, "verdict", text(info->verdict));
    put(object, "why", text(info->why));
    put(object, "seed", count(info->seed));
    put(object, "samples", json_integer(info->samples));
    put(object, "outputs", outputs);
    put(object, "segments", segments);
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

static json_t *begin(const char *command)
{
    json_t *root = json_object();
    failed = !root;
    put(root, "repfold", text(rp_version()));
    put(root, "command", text(command));
    return root;
}

static int finish(const Options *options, json_t *root)
{
    size_t flags = JSON_INDENT(2) | JSON_REAL_PRECISION(17);
    char *bytes = failed ? NULL : json_dumps(root, flags);
    json_decref(root);
    if (!bytes)
        return trouble_say(options, "memory", options->json,
                           "the report: out of memory");
    size_t size = strlen(bytes);
    bytes[size] = '\n'; /* in place of the NUL: the size is known */
    int status = bytes_save(options->json, bytes, size + 1);
    free(bytes);
    if (status < 0)
        return trouble_say(options, "io", options->json, "the report: %s",
                           strerror(errno));
    return 0;
}

int json_report(const Options *options, const Report *report)
{
    if (!options->json)
        return 0;
    json_t *root = begin(report->command);
    put(root, "ok", json_boolean(report->ok));
    put(root, "input", text(report->input));
    if (report->other)
        put(root, "other", text(report->other));
    if (strcmp(report->command, "convert") == 0)
        put(root, "output",
            report->output ? text(report->output) : json_null());
    if (report->before)
        put(root, report->after ? "before" : "model",
            summary_json(report->before));
    if (report->after)
        put(root, "after", summary_json(report->after));
    if (report->folded) {
        put(root, "folds", folds_json(report->folded));
        put(root, "refusals", refusals_json(report->folded));
    }
    if (report->certified)
        put(root, "certificates", certificates_json(report->certified));
    if (report->other)
        put_verdict(root, report->verdict);
    else if (report->after)
        put(root, "verification", verification_json(report->verdict));
    return finish(options, root);
}

int json_run(const Options *options, const rp_run_result *result)
{
    if (!options->json)
        return 0;
    json_t *root = begin("run");
    put(root, "ok", json_boolean(!options->data_dir || result->matched));
    put(root, "input", text(options->files.items[0]));
    put(root, "seconds", number(result->seconds));
    if (options->data_dir) {
        put(root, "matched", json_boolean(result->matched));
        put(root, "mismatch", text(result->mismatch));
    }
    return finish(options, root);
}

int json_bench(const Options *options, const rp_bench_info *info)
{
    if (!options->json)
        return 0;
    json_t *root = begin("bench"), *operators = json_array();
    for (size_t i = 0; i < info->operator_count; i++) {
        json_t *object = json_object();
        put(object, "op", text(info->operators[i].op));
        put(object, "count", count(info->operators[i].count));
        put(object, "median_ms", number(info->operators[i].median_ms));
        append(operators, object);
    }
    put(root, "ok", json_true());
    put(root, "input", text(options->files.items[0]));
    put(root, "median_ms", number(info->median_ms));
    put(root, "min_ms", number(info->min_ms));
    put(root, "macs_per_s", number(info->macs_per_s));
    put(root, "operators", operators);
    return finish(options, root);
}

void json_error(const char *path, const rp_error *error)
{
    json_t *root = json_object(), *object = json_object();
    failed = false;
    put(object, "code", text(error->code));
    put(object, "where", text(error->where));
    put(object, "message", text(error->message));
    put(root, "error", object);
    char *bytes = failed ? NULL : json_dumps(root, JSON_INDENT(2));
    json_decref(root);
    if (!bytes)
        return;
    size_t size = strlen(bytes);
    bytes[size] = '\n';
    bytes_save(path, bytes, size + 1);
    free(bytes);
}
