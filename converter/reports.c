/* Which reports are wanted, and what several of them need. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "converter.h"

/* Those that are files, in the order they are written in. */
static const struct {
    const char *option;
    size_t path; /* where in Options */
    int (*write)(const Options *options, const Report *report);
    void (*tell)(FILE *stream, const rp_error *error);
} kinds[REPORT_MAX] = {
    {"--json", offsetof(Options, json), json_report, json_trouble},
    {"--junit", offsetof(Options, junit), junit_report, junit_trouble},
    {"--sarif", offsetof(Options, sarif), sarif_report, sarif_trouble},
    {"--html", offsetof(Options, html), html_report, html_trouble},
};

static const char **path_of(Options *options, size_t kind)
{
    return (const char **)((char *)options + kinds[kind].path);
}

static const char *path_in(const Options *options, size_t kind)
{
    return *path_of((Options *)options, kind);
}

size_t reports_list(const Options *options, const char *paths[REPORT_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < REPORT_MAX; i++)
        if (path_in(options, i))
            paths[count++] = path_in(options, i);
    return count;
}

bool reports_wanted(const Options *options)
{
    const char *paths[REPORT_MAX];
    return options->digests || reports_list(options, paths) > 0;
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

bool report_blames_export(const rp_refusal *refusal)
{
    return strcmp(refusal->reason, "training-mode") == 0 ||
           strcmp(refusal->reason, "bn-side-output") == 0 ||
           strcmp(refusal->reason, "overridable-initializer") == 0;
}

size_t report_strict_left(const Options *options, const rp_model *model)
{
    size_t count, left = 0;
    const rp_refusal *refusals = rp_refusals(model, &count);
    for (size_t i = 0; options->strict && i < count; i++)
        left += report_blames_export(&refusals[i]);
    return left;
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

/* Standard output comes last: what is there cannot be taken back. */
int reports_write(const Options *options, const Report *report)
{
    int status = 0;
    for (int printed = 0; printed < 2; printed++)
        for (size_t i = 0; i < REPORT_MAX && status == 0; i++) {
            const char *path = path_in(options, i);
            if (path && is_stdout(path) == printed)
                status = kinds[i].write(options, report);
        }
    if (status == 0 && options->github)
        github_report(report_stream(options), report);
    return status;
}

/* ---- Trouble ---- */

void reports_only_printed(Options *options)
{
    for (size_t i = 0; i < REPORT_MAX; i++)
        if (path_in(options, i) && !is_stdout(path_in(options, i)))
            *path_of(options, i) = NULL;
}

/* What the option is given at that place; "" where it is another one. */
static const char *value_at(const char *option, char *const *at)
{
    size_t length = strlen(option);
    if (strncmp(*at, option, length) != 0)
        return "";
    if ((*at)[length] == '=')
        return *at + length + 1;
    return (*at)[length] == '\0' && at[1] ? at[1] : "";
}

static bool is_printed(const char *option, char *const *argv)
{
    for (; *argv; argv++) {
        const char *path = value_at(option, argv);
        if (is_stdout(path) || strcmp(path, "/dev/stdout") == 0)
            return true;
    }
    return false;
}

void reports_as_given(Options *options, char *const *argv)
{
    for (size_t i = 0; i < REPORT_MAX; i++)
        *path_of(options, i) = is_printed(kinds[i].option, argv) ? "-" : NULL;
}

/* Not over the file that the error is about. */
static bool may_tell(const char *path, const rp_error *error)
{
    return path && (is_stdout(path) ||
                    strncmp(path, error->where, sizeof error->where - 1) != 0);
}

static void tell_one(size_t kind, const char *path, const rp_error *error)
{
    char *bytes = NULL;
    size_t size = 0;
    rp_error unheard = {0};
    FILE *stream = open_memstream(&bytes, &size);
    if (!stream)
        return;
    kinds[kind].tell(stream, error);
    if (!(ferror(stream) | fclose(stream)))
        bytes_save(path, bytes, size, &unheard);
    free(bytes);
}

/* Of a command line that asks for two on standard output the first is there. */
void reports_tell(const Options *options, const rp_error *error)
{
    bool printed = false;
    for (size_t i = 0; i < REPORT_MAX; i++) {
        const char *path = path_in(options, i);
        if (!may_tell(path, error) || (printed && is_stdout(path)))
            continue;
        printed |= is_stdout(path);
        tell_one(i, path, error);
    }
    if (options->github)
        github_trouble(report_stream(options), error);
}
