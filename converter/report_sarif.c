/*
 * SARIF 2.1.0 (OASIS), for GitHub's code scanning and the like: what `lint`
 * finds.  A model has no lines, so a finding is at the file's first and names
 * the node as its logical location.
 */
#include "json.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* RFC 3986: what is not unreserved, or a slash, is written as its bytes. */
static json_t *uri_json(const char *path)
{
    size_t size = 3 * strlen(path) + 1;
    char *uri = malloc(size), *to = uri;
    for (const char *c = path; uri && *c; c++) {
        bool plain = isalnum((unsigned char)*c) || strchr("-._~/", *c);
        to += snprintf(to, size - (size_t)(to - uri), plain ? "%c" : "%%%02X",
                       (unsigned char)*c);
    }
    json_t *value = uri ? json_string(*path ? uri : "-") : NULL;
    free(uri);
    return value;
}

static json_t *message_json(const char *text)
{
    json_t *object = json_object();
    json_put(object, "text", json_text(text));
    return object;
}

static json_t *location_json(const char *path, const char *node)
{
    json_t *location = json_object(), *physical = json_object();
    json_t *artifact = json_object(), *region = json_object();
    json_put(artifact, "uri", uri_json(path));
    json_put(artifact, "index", json_integer(0));
    json_put(region, "startLine", json_integer(1));
    json_put(physical, "artifactLocation", artifact);
    json_put(physical, "region", region);
    json_put(location, "physicalLocation", physical);
    if (*node) {
        json_t *logical = json_object(), *logicals = json_array();
        json_put(logical, "fullyQualifiedName", json_text(node));
        json_put(logical, "kind", json_text("object"));
        json_append(logicals, logical);
        json_put(location, "logicalLocations", logicals);
    }
    return location;
}

static json_t *result_json(const Report *report, const char *rule,
                           const char *level, const char *node,
                           const char *text)
{
    json_t *result = json_object(), *locations = json_array();
    json_t *prints = json_object();
    char print[600];
    snprintf(print, sizeof print, "%s:%.500s", rule, node);
    json_append(locations, location_json(report->input, node));
    json_put(prints, "repfold/v1", json_text(print));
    json_put(result, "ruleId", json_text(rule));
    json_put(result, "level", json_text(level));
    json_put(result, "message", message_json(text));
    json_put(result, "locations", locations);
    json_put(result, "partialFingerprints", prints);
    return result;
}

static json_t *results_json(const Report *report)
{
    json_t *array = json_array();
    char text[1200];
    size_t count;
    const rp_fold_record *folds = rp_folds(report->folded, &count);
    for (size_t i = 0; i < count; i++) {
        snprintf(text, sizeof text,
                 "%zu node%s can be folded into one by %s, at %.500s. Run "
                 "'repfold convert'.",
                 folds[i].consumed_count, plural(folds[i].consumed_count),
                 folds[i].rules, folds[i].node);
        json_append(array, result_json(report, "foldable", "warning",
                                       folds[i].node, text));
    }
    const rp_refusal *refusals = rp_refusals(report->folded, &count);
    for (size_t i = 0; i < count; i++) {
        const rp_refusal *refusal = &refusals[i];
        snprintf(text, sizeof text,
                 "%.80s %.400s cannot be folded: %s%s%.300s.", refusal->op,
                 refusal->node, refusal->advice, *refusal->fact ? "; " : "",
                 refusal->fact);
        const char *level =
            report->strict_left > 0 && report_blames_export(refusal) ? "warning"
                                                                     : "note";
        json_append(array, result_json(report, refusal->reason, level,
                                       refusal->node, text));
    }
    return array;
}

static void add_rule(json_t *rules, const char *id, const char *text)
{
    json_t *rule = json_object();
    for (size_t i = 0; i < json_array_size(rules); i++)
        if (strcmp(json_string_value(
                       json_object_get(json_array_get(rules, i), "id")),
                   id) == 0) {
            json_decref(rule);
            return;
        }
    json_put(rule, "id", json_text(id));
    json_put(rule, "shortDescription", message_json(text));
    json_append(rules, rule);
}

static json_t *rules_json(const Report *report)
{
    json_t *rules = json_array();
    size_t count;
    const rp_refusal *refusals = rp_refusals(report->folded, &count);
    add_rule(rules, "foldable", "nodes that one kernel computes as well");
    for (size_t i = 0; i < count; i++)
        add_rule(rules, refusals[i].reason, refusals[i].advice);
    return rules;
}

static json_t *tool_json(json_t *rules)
{
    json_t *tool = json_object(), *driver = json_object();
    json_put(driver, "name", json_text("repfold"));
    json_put(driver, "semanticVersion", json_text(rp_version()));
    json_put(driver, "rules", rules);
    json_put(tool, "driver", driver);
    return tool;
}

static json_t *artifacts_json(const Report *report)
{
    json_t *array = json_array(), *artifact = json_object();
    json_t *location = json_object(), *hashes = json_object();
    json_put(location, "uri", uri_json(report->input));
    if (report->input_digest[0]) {
        json_put(hashes, "sha-256", json_text(report->input_digest));
        json_put(artifact, "hashes", hashes);
    } else {
        json_decref(hashes);
    }
    json_put(artifact, "location", location);
    json_append(array, artifact);
    return array;
}

static json_t *invocations_json(bool succeeded)
{
    json_t *array = json_array(), *invocation = json_object();
    json_put(invocation, "executionSuccessful", json_boolean(succeeded));
    json_append(array, invocation);
    return array;
}

/* All of it; rules and results become its own. */
static void put_run(json_t *root, const Report *report, bool succeeded,
                    json_t *rules, json_t *results)
{
    json_t *runs = json_array(), *run = json_object();
    json_put(root, "$schema",
             json_text("https://json.schemastore.org/sarif-2.1.0.json"));
    json_put(root, "version", json_text("2.1.0"));
    json_put(run, "tool", tool_json(rules));
    json_put(run, "invocations", invocations_json(succeeded));
    json_put(run, "artifacts", artifacts_json(report));
    json_put(run, "results", results);
    json_append(runs, run);
    json_put(root, "runs", runs);
}

int sarif_report(const Options *options, const Report *report)
{
    json_t *root = json_start();
    put_run(root, report, true, rules_json(report), results_json(report));
    return json_finish(options, options->sarif, root);
}

/* A finding of its own: without any, those of before would count as mended. */
void sarif_trouble(FILE *stream, const rp_error *error)
{
    const Report report = {.input = error->where};
    json_t *root = json_start(), *rules = json_array(), *results = json_array();
    add_rule(rules, error->code, "repfold could not do its work");
    json_append(results,
                result_json(&report, error->code, "error", "", error->message));
    put_run(root, &report, false, rules, results);
    json_print(stream, root);
}
