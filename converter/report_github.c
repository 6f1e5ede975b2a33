/*
 * Workflow commands: lines that GitHub Actions shows at the file they name
 * (docs.github.com, "Workflow commands for GitHub Actions").  It shows ten of a
 * kind for one step, so more are counted instead.
 */
#include <string.h>

#include "converter.h"

enum { SHOWN_MAX = 9 };

/* In a property ':' and ',' mean something as well. */
static void print_value(FILE *stream, const char *text, bool property)
{
    bool plain;
    for (size_t step; *text; text += step) {
        step = name_step(text, &plain);
        if (*text == '%' || (property && (*text == ':' || *text == ',')))
            fprintf(stream, "%%%02X", *text);
        else if (plain)
            fwrite(text, 1, step, stream);
        else
            fputc('?', stream);
    }
}

static void annotate(FILE *stream, const char *kind, const char *path,
                     const char *title, const char *text)
{
    fprintf(stream, "::%s ", kind);
    if (*path) {
        fputs("file=", stream);
        print_value(stream, path, true);
        fputc(',', stream);
    }
    fputs("title=", stream);
    print_value(stream, title, true);
    fputs("::", stream);
    print_value(stream, text, false);
    fputc('\n', stream);
}

static void annotate_lint(FILE *stream, const Report *report)
{
    char text[1200];
    size_t count;
    const rp_fold_record *folds = rp_folds(report->folded, &count);
    for (size_t i = 0; i < count && i < SHOWN_MAX; i++) {
        snprintf(text, sizeof text,
                 "%zu node%s can be folded into one by %s, at %.500s",
                 folds[i].consumed_count, plural(folds[i].consumed_count),
                 folds[i].rules, folds[i].node);
        annotate(stream, "warning", report->input, "unfused", text);
    }
    snprintf(text, sizeof text,
             "%zu kernel%s can be folded; run 'repfold convert'", count,
             plural(count));
    if (count > 0)
        annotate(stream, "error", report->input, "unfused model", text);
    snprintf(text, sizeof text,
             "%zu site%s cannot be folded as the model was exported; see "
             "'repfold lint'",
             report->strict_left, plural(report->strict_left));
    if (report->strict_left > 0)
        annotate(stream, "error", report->input, "unfused model", text);
}

static void annotate_verdict(FILE *stream, const Report *report)
{
    const rp_verdict_info *verdict = report->verdict;
    const char *path = report->other ? report->other : report->input;
    if (report_disproved(report))
        annotate(stream, "error", path, "proof", report->proof);
    if (strcmp(verdict->verdict, "equivalent") == 0)
        annotate(stream, "notice", path, "repfold", "equivalent");
    else
        annotate(stream, "error", path, verdict->verdict,
                 verdict->why ? verdict->why : "");
}

static void annotate_convert(FILE *stream, const Report *report)
{
    const Certified *certified = report->certified;
    for (size_t i = 0; certified && i < certified->undone_count; i++)
        annotate(stream, "error", report->input, "a fold was undone",
                 certified->undone[i].why ? certified->undone[i].why : "");
    if (report->objection)
        annotate(stream, "error", report->input, "nothing was written",
                 report->objection);
}

void github_report(FILE *stream, const Report *report)
{
    if (report_is(report, "diff"))
        annotate(stream, report->ok ? "notice" : "warning", report->other,
                 "repfold", report->ok ? "the same" : "the models differ");
    else if (report_is(report, "lint"))
        annotate_lint(stream, report);
    else if (report->verdict)
        annotate_verdict(stream, report);
    if (report_is(report, "convert"))
        annotate_convert(stream, report);
}

void github_trouble(FILE *stream, const rp_error *error)
{
    annotate(stream, "error", error->where, error->code, error->message);
}
