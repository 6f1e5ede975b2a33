/* Which reports are wanted, and what several of them need. */
#include <stdlib.h>
#include <string.h>

#include "converter.h"

bool reports_wanted(const Options *options)
{
    return options->digests || options->json || options->junit ||
           options->sarif || options->html;
}

int report_digest(const Options *options, rp_model *model,
                  char digest[RP_DIGEST_SIZE], rp_error *error)
{
    return reports_wanted(options) ? rp_digest(model, digest, error) : 0;
}

void report_source(const Options *options, const rp_model *model,
                   char digest[RP_DIGEST_SIZE])
{
    if (reports_wanted(options))
        rp_digest_source(model, digest);
}

bool report_moves_weights(const Options *options, const rp_summary *written)
{
    const char *external = options->external_data;
    return (external && strcmp(external, "always") == 0) ||
           (written && written->file_bytes > INT32_MAX);
}

bool report_is(const Report *report, const char *command)
{
    return strcmp(report->command, command) == 0;
}

bool report_disproved(const Report *report)
{
    return report->proof && *report->proof;
}

int report_look(Report *report, rp_model *a, rp_model *b, rp_error *error)
{
    if ((!report->before && rp_summarize(a, &report->before, error) < 0) ||
        (!report->after && rp_summarize(b, &report->after, error) < 0))
        return -1;
    report->compared = rp_diff_make(a, b, error);
    if (!report->compared ||
        rp_nodes(a, &report->nodes_a, &report->node_count_a, error) < 0 ||
        rp_nodes(b, &report->nodes_b, &report->node_count_b, error) < 0)
        return -1;
    report->diff = rp_diff_get(report->compared);
    return 0;
}

int report_bench(const Options *options, Report *report, rp_model *a,
                 rp_model *b, rp_error *error)
{
    rp_bench_options how = {
        .threads = (int)options->threads,
        .input_shapes = options->shapes.items,
        .input_shape_count = options->shapes.count,
    };
    if (options->bench &&
        (rp_bench(a, &how, &report->bench_before, error) < 0 ||
         rp_bench(b, &how, &report->bench_after, error) < 0))
        return -1;
    return 0;
}

int report_save(const Options *options, const char *path, FILE *stream,
                char **bytes, size_t *size)
{
    rp_error error = {0};
    int status = 0;
    if (ferror(stream) | fclose(stream))
        status =
            trouble_say(options, "memory", path, "the report: out of memory");
    else if (bytes_save(path, *bytes, *size, &error) < 0)
        status = trouble_say(options, error.code, path, "the report: %s",
                             error.message);
    free(*bytes);
    return status;
}

const rp_certificate *report_certificate(const Report *report,
                                         const char *output)
{
    const rp_certificates_info *info =
        report->certified ? report->certified->info : NULL;
    for (size_t i = 0; info && i < info->count; i++)
        if (strcmp(info->certificates[i].output, output) == 0)
            return &info->certificates[i];
    return NULL;
}

int reports_write(const Options *options, const Report *report)
{
    int status = 0;
    if (options->json)
        status = json_report(options, report);
    if (status == 0 && options->junit)
        status = junit_report(options, report);
    if (status == 0 && options->sarif)
        status = sarif_report(options, report);
    if (status == 0 && options->html)
        status = html_report(options, report);
    if (status == 0 && options->github)
        github_report(report_stream(options), report);
    return status;
}
