/*
 * --html: the report as one page that needs nothing else, for a person to open,
 * send and print.
 */
#include "html.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const char style[] =
#include "page.css.inc"
    ;
static const char script[] =
#include "page.js.inc"
    ;

/* ---- Writing ---- */

void html_print(Page *page, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(page->out, format, arguments);
    va_end(arguments);
}

void html_text(Page *page, const char *text)
{
    print_markup(page->out, text);
}

void html_tail(Page *page, const char *text, size_t room)
{
    size_t length = 0;
    bool plain;
    for (const char *c = text; *c; c += name_step(c, &plain))
        length++;
    if (length > room)
        fputs("\xe2\x80\xa6", page->out);
    for (; length > room; length--)
        text += name_step(text, &plain);
    html_text(page, text);
}

/* ---- Which node came from which ---- */

/* Sorts by b, then by a. */
static int by_target(const void *x, const void *y)
{
    const rp_node_match *a = x, *b = y;
    if (a->b != b->b)
        return a->b < b->b ? -1 : 1;
    return (a->a > b->a) - (a->a < b->a);
}

static bool find_merged(Page *page)
{
    const Report *report = page->report;
    const rp_diff_info *diff = report->diff;
    page->merged = calloc(diff->node_count + 1, sizeof *page->merged);
    page->first = calloc(report->node_count_b + 2, sizeof *page->first);
    if (!page->merged || !page->first)
        return false;
    for (size_t i = 0; i < diff->node_count; i++)
        if (diff->nodes[i].change == RP_MERGED)
            page->merged[page->merged_count++] = diff->nodes[i];
    if (page->merged_count > 1)
        qsort(page->merged, page->merged_count, sizeof *page->merged,
              by_target);
    for (size_t b = 0, at = 0; b <= report->node_count_b; b++) {
        page->first[b] = at;
        while (at < page->merged_count && page->merged[at].b == b)
            at++;
    }
    return true;
}

typedef struct Named {
    const char *name;
    const rp_fold_record *fold;
} Named;

/* The later fold first. */
static int by_name(const void *x, const void *y)
{
    const Named *a = x, *b = y;
    int order = strcmp(a->name, b->name);
    if (order != 0 || !a->fold || !b->fold)
        return order;
    return a->fold->number < b->fold->number ? 1 : -1;
}

/* Of several folds with one output the last is what is in the model. */
static bool find_folds(Page *page)
{
    const Report *report = page->report;
    size_t count = 0, kept = 0;
    const rp_fold_record *folds =
        report->folded ? rp_folds(report->folded, &count) : NULL;
    Named *named = calloc(count + 1, sizeof *named);
    page->fold_of = calloc(report->node_count_b + 1, sizeof *page->fold_of);
    page->node_of = calloc(count + 1, sizeof *page->node_of);
    if (!named || !page->fold_of || !page->node_of) {
        free(named);
        return false;
    }
    for (size_t i = 0; i < count; i++)
        page->node_of[i] = SIZE_MAX;
    for (size_t i = count; i-- > 0;)
        named[kept++] = (Named){folds[i].output, &folds[i]};
    if (kept > 1)
        qsort(named, kept, sizeof *named, by_name);
    for (size_t b = 0; b < report->node_count_b; b++) {
        Named key = {report->nodes_b[b].output, NULL};
        const Named *found =
            kept ? bsearch(&key, named, kept, sizeof key, by_name) : NULL;
        while (found && found > named && strcmp(found[-1].name, key.name) == 0)
            found--;
        if (!found)
            continue;
        page->fold_of[b] = found->fold;
        page->node_of[found->fold->number - 1] = b;
    }
    free(named);
    return true;
}

/* ---- The top ---- */

typedef enum Mood { GOOD, BAD, WARN } Mood;

static const char *const moods[] = {"good", "bad", "warn"};

/* A check mark, a cross, an exclamation mark. */
static const char *const icons[] = {
    "M5 12.5l4.5 4.5L19 7.5", "M7 7l10 10M17 7L7 17", "M12 6v8M12 17.5v.5"};

static Mood lint_mood(const Report *report, const char **title)
{
    size_t left;
    rp_folds(report->folded, &left);
    *title = left                  ? "Can be folded"
             : report->strict_left ? "Nothing can be folded as exported"
                                   : "Nothing is left to fold";
    return left + report->strict_left ? WARN : GOOD;
}

static Mood verdict_mood(const Report *report, const char **title)
{
    const char *verdict = report->verdict ? report->verdict->verdict : "";
    bool undone = report->certified && report->certified->undone_count > 0;
    Mood mood = undone ? WARN : GOOD;
    *title = "Equivalent";
    if (strcmp(verdict, "different") == 0)
        *title = "Different", mood = BAD;
    else if (strcmp(verdict, "inconclusive") == 0)
        *title = "Inconclusive", mood = WARN;
    else if (report->objection)
        *title = "Not written", mood = BAD;
    else if (report_disproved(report))
        *title = "Not as certified", mood = BAD;
    else if (report->unchanged)
        *title = "Unchanged";
    else if (report->not_verified[0])
        *title = "Certified";
    else if (!*verdict)
        *title = "Not verified", mood = WARN;
    return mood;
}

static void print_verdict(Page *page)
{
    const Report *report = page->report;
    const char *title;
    Mood mood = report_is(report, "lint") ? lint_mood(report, &title)
                                          : verdict_mood(report, &title);
    html_print(page,
               "<h1 class=\"verdict %s\"><svg viewBox=\"0 0 24 24\" "
               "aria-hidden=\"true\"><circle cx=\"12\" cy=\"12\" r=\"11\" "
               "fill=\"none\" stroke=\"currentColor\" stroke-width=\"2\"/>"
               "<path d=\"%s\" fill=\"none\" stroke=\"currentColor\" "
               "stroke-width=\"2.4\" stroke-linecap=\"round\"/></svg>%s</h1>\n",
               moods[mood], icons[mood], title);
}

static void print_lead(Page *page)
{
    const Report *report = page->report;
    size_t folds = 0, left = 0;
    if (report->folded) {
        rp_folds(report->folded, &folds);
        rp_refusals(report->folded, &left);
    }
    html_print(page, "<p>");
    if (report->folded && folds == 0)
        html_print(page, "Nothing %s folded",
                   report_is(report, "lint") ? "can be" : "was");
    else if (report->folded)
        html_print(page, "%zu kernel%s %s", folds, plural(folds),
                   report_is(report, "lint")
                       ? "can each take the place of several nodes"
                       : "took the place of several nodes each");
    if (report->folded && left > 0)
        html_print(page, "; %zu site%s left alone, each with its reason", left,
                   left == 1 ? " was" : "s were");
    if (report->folded)
        html_print(page, ". ");
    if (report->verdict && report->verdict->why)
        html_text(page, report->verdict->why);
    if (report->not_verified[0]) {
        html_print(page, "There is no verdict: ");
        html_text(page, report->not_verified);
        html_print(page, ".");
    }
    html_print(page, "</p>\n");
    if (report->objection)
        html_print(page, "<p>Nothing was written: %s.</p>\n",
                   report->objection);
    if (report->proof) {
        html_print(page, "<p>Proof: ");
        html_text(page, *report->proof ? report->proof
                                       : "every certificate of the conversion "
                                         "holds");
        html_print(page, ".</p>\n");
    }
}

static void print_file(Page *page, const char *what, const char *path,
                       const char *digest)
{
    if (!path)
        return;
    html_print(page, "<dt>%s</dt><dd>", what);
    html_text(page, path);
    if (*digest)
        html_print(page, " <span class=\"mono small\">sha256 %s</span>",
                   digest);
    html_print(page, "</dd>\n");
}

static void print_files(Page *page)
{
    const Report *report = page->report;
    html_print(page, "<dl class=\"files\">\n");
    print_file(page, report->other ? "first" : "input", report->input,
               report->input_digest);
    print_file(page, "second", report->other, report->other_digest);
    print_file(page, "output", report->output, report->output_digest);
    print_file(page, "weights", report->output_data, "");
    html_print(page, "</dl>\n");
}

/* ---- The three numbers ---- */

void html_ruler(Page *page, double limit, double value, double other)
{
    enum { WIDTH = 260, LEFT = 8, DECADES = 17 };
    const double step = (double)(WIDTH - 2 * LEFT) / DECADES;
    double numbers[] = {limit, value, other}, places[3];
    for (int i = 0; i < 3; i++) {
        double decade = numbers[i] > 0 ? log10(numbers[i]) + DECADES : 0;
        places[i] = LEFT + step * fmin(fmax(decade, 0), DECADES);
    }
    html_print(page,
               "<svg viewBox=\"0 0 %d 34\" role=\"img\" "
               "aria-label=\"logarithmic scale\">",
               WIDTH);
    if (!isnan(limit))
        html_print(page,
                   "<rect class=\"ok\" x=\"%d\" y=\"4\" width=\"%.1f\" "
                   "height=\"12\" rx=\"3\"/><path class=\"floor\" "
                   "d=\"M%.1f 2v16\"/>",
                   LEFT, places[0] - LEFT, places[0]);
    html_print(page, "<path class=\"rule\" d=\"M%d 10h%d\"/>", LEFT,
               WIDTH - 2 * LEFT);
    for (int decade = 1; decade <= DECADES; decade += 4)
        html_print(page,
                   "<path class=\"rule\" d=\"M%.1f 7v6\"/><text x=\"%.1f\" "
                   "y=\"30\" text-anchor=\"middle\">%g</text>",
                   LEFT + step * decade, LEFT + step * decade,
                   pow(10, decade - DECADES));
    if (!isnan(other))
        html_print(page,
                   "<circle class=\"pin2\" cx=\"%.1f\" cy=\"10\" r=\"6.5\"/>",
                   places[2]);
    if (!isnan(value))
        html_print(page,
                   "<circle class=\"pin\" cx=\"%.1f\" cy=\"10\" r=\"4\"/>",
                   places[1]);
    html_print(page, "</svg>");
}

/* The output that speaks most against the models. */
static const rp_output_verdict *worst_output(const rp_verdict_info *verdict)
{
    const rp_output_verdict *worst = NULL;
    for (size_t i = 0; i < verdict->output_count; i++)
        if (!worst || verdict->outputs[i].ratio > worst->ratio)
            worst = &verdict->outputs[i];
    return worst;
}

static void print_card(Page *page, const char *name, double value,
                       const char *unit)
{
    html_print(page,
               "<article class=\"card\"><h2>%s</h2><p class=\"value\">%s "
               "<small>%s</small></p><p>",
               name, isnan(value) ? "&ndash;" : format_number(value),
               isnan(value) ? "not known" : unit);
}

/* What a classifier says of the user's own data. */
static void print_agreement(Page *page, const rp_output_verdict *output)
{
    const rp_agreement *agreement = &output->agreement;
    const Images *images = page->report->images;
    if (agreement->rows == 0)
        return;
    html_print(page,
               "<article class=\"card\"><h2>agreement</h2><p class=\"value\">"
               "%" PRIu64 " <small>of %" PRIu64 " rows</small></p><p>have the "
               "same largest class, and %" PRIu64 " the same five. The "
               "largest change of a logit is <b>%s</b>.",
               agreement->top1, agreement->rows, agreement->top5,
               format_number(agreement->change));
    if (images && images->count > 0)
        html_print(page, " On %zu of the %zu images in the folder.",
                   images->count, images->found);
    html_print(page, "</p></article>\n");
}

static void print_cards(Page *page, const rp_output_verdict *output)
{
    html_print(page, "<div class=\"cards\">\n");
    print_card(page, "algebra", output->algebra, "of max |y|");
    html_print(page, "%s</p>",
               isnan(output->algebra)
                   ? "Known only where the folding itself is: within convert."
                   : "The folding itself, with unrounded weights, in float64: "
                     "nothing but float64's own noise.");
    html_ruler(page, (double)NAN, output->algebra, (double)NAN);
    html_print(page, "</article>\n");
    print_card(page, "weights", output->weights, "of max |y|");
    html_print(page,
               "As stored. The noise floor is %s, what storing the original's "
               "own weights costs; up to twice that is the same function. "
               "Here: <b>%s</b> times.</p>",
               format_number(output->noise_floor),
               format_number(output->ratio));
    html_ruler(page, 2 * output->noise_floor, output->weights, (double)NAN);
    html_print(page, "</article>\n");
    print_card(page, "execution", output->execution_a, "of max |y|");
    html_print(page,
               "Float32 against float64 of the first model (dot), and %s of "
               "the second (ring): what any runtime shows anyhow.</p>",
               format_number(output->execution_b));
    html_ruler(page, (double)NAN, output->execution_a, output->execution_b);
    html_print(page, "</article>\n");
    print_agreement(page, output);
    html_print(page, "</div>\n");
    if (page->report->verdict->output_count > 1) {
        html_print(page, "<p class=\"soft small\">Of output <code>");
        html_text(page, output->name);
        html_print(page, "</code>, the worst of %zu.</p>\n",
                   page->report->verdict->output_count);
    }
}

static void print_top(Page *page)
{
    const rp_verdict_info *verdict = page->report->verdict;
    const rp_output_verdict *output = verdict ? worst_output(verdict) : NULL;
    html_print(
        page,
        "<header><div class=\"wrap\">\n<p class=\"brand\"><b>repfold</b> "
        "%s &middot; %s</p>\n",
        rp_version(), page->report->command);
    print_verdict(page);
    print_lead(page);
    print_files(page);
    if (output)
        print_cards(page, output);
    html_print(page, "</div></header>\n");
}

/* ---- Before and after ---- */

static void print_tile(Page *page, const char *name, const char *before,
                       const char *after, double share)
{
    html_print(
        page,
        "<div><dt>%s</dt><dd>%s &rarr; <b>%s</b><svg viewBox=\"0 0 100 "
        "6\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect "
        "class=\"bar0\" width=\"100\" height=\"6\"/><rect class=\"bar1\" "
        "width=\"%.1f\" height=\"6\"/></svg></dd></div>\n",
        name, before, after, 100 * fmin(fmax(share, 0), 1));
}

static void print_count(Page *page, const char *name, size_t before,
                        size_t after)
{
    print_tile(page, name, format_count(before), format_count(after),
               before ? (double)after / (double)before : 0);
}

static const char *overview_title(const Page *page)
{
    return page->report->other ? "First and second" : "Before and after";
}

static void print_overview(Page *page)
{
    const rp_summary *a = page->report->before, *b = page->report->after;
    static const char *const ops[] = {"Conv", "BatchNormalization", "Add",
                                      "Mul", "Sub"};
    html_print(page,
               "<section id=\"overview\"><h2>%s</h2>\n<dl class=\"tiles\">\n",
               overview_title(page));
    print_count(page, "nodes", a->nodes, b->nodes);
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (rp_summary_op(a, ops[i]) + rp_summary_op(b, ops[i]) > 0)
            print_count(page, ops[i], rp_summary_op(a, ops[i]),
                        rp_summary_op(b, ops[i]));
    print_tile(page, "parameters", format_large((double)a->parameters),
               format_large((double)b->parameters),
               (double)b->parameters /
                   (double)(a->parameters + !a->parameters));
    print_tile(page, "multiply-accumulates", format_large(a->macs),
               format_large(b->macs), a->macs > 0 ? b->macs / a->macs : 0);
    print_tile(
        page, "file", format_bytes(a->file_bytes), format_bytes(b->file_bytes),
        (double)b->file_bytes / (double)(a->file_bytes + !a->file_bytes));
    html_print(page, "</dl>\n</section>\n");
}

/* ---- The page ---- */

static const char opening[] =
    "<!doctype html>\n<html lang=\"en\">\n<head>\n"
    "<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
    "content=\"width=device-width, initial-scale=1\">\n";

static void print_head(Page *page)
{
    const Report *report = page->report;
    html_print(page, "%s", opening);
    /* The nonce is the digest of the input: a name within it cannot know it. */
    html_print(page,
               "<meta http-equiv=\"Content-Security-Policy\" "
               "content=\"default-src 'none'; style-src 'nonce-%s'; "
               "script-src 'nonce-%s'\">\n<title>repfold %s: ",
               report->input_digest, report->input_digest, report->command);
    html_text(page, report->input);
    html_print(page, "</title>\n<style nonce=\"%s\">\n%s</style>\n</head>\n",
               report->input_digest, style);
}

/* Models of different interfaces are not run. */
static bool was_run(const Report *report)
{
    return report->verdict && report->verdict->samples > 0;
}

static void print_nav(Page *page)
{
    static const char *const sections[][2] = {{"overview", "Before and after"},
                                              {"graph", "Graph"},
                                              {"folds", "Folds"},
                                              {"left", "Left alone"},
                                              {"verification", "Verification"},
                                              {"plots", "Plots"},
                                              {"details", "Details"}};
    const Report *report = page->report;
    html_print(page, "<nav aria-label=\"Sections\"><div class=\"wrap\">\n");
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        bool folds = i == 2 || i == 3, judged = i == 4;
        if ((folds && !report->folded) || (judged && !was_run(report)))
            continue;
        html_print(page, "<a href=\"#%s\">%s</a>\n", sections[i][0],
                   i == 0 ? overview_title(page) : sections[i][1]);
    }
    html_print(page, "<button id=\"expand\" type=\"button\" "
                     "aria-pressed=\"false\">Expand all</button>\n"
                     "</div></nav>\n");
}

static void print_body(Page *page)
{
    html_print(page, "<body>\n<a class=\"skip\" href=\"#main\">Skip to the "
                     "content</a>\n");
    print_top(page);
    print_nav(page);
    html_print(page, "<main id=\"main\" class=\"wrap\">\n");
    print_overview(page);
    html_graph(page);
    if (page->report->folded) {
        html_folds(page);
        html_refusals(page);
    }
    if (was_run(page->report))
        html_verification(page);
    html_plots(page);
    html_details(page);
    html_print(
        page,
        "</main>\n<footer class=\"wrap\">Written by repfold %s. The page "
        "needs no network and sends nothing.</footer>\n"
        "<script nonce=\"%s\">\n%s</script>\n</body>\n</html>\n",
        rp_version(), page->report->input_digest, script);
}

int html_report(const Options *options, const Report *report)
{
    Page page = {.options = options, .report = report};
    char *bytes = NULL;
    size_t size = 0;
    int status;
    page.out = open_memstream(&bytes, &size);
    if (page.out && find_merged(&page) && find_folds(&page)) {
        print_head(&page);
        print_body(&page);
        status = report_save(options, options->html, page.out, &bytes, &size);
    } else {
        status = trouble_say(options, "memory", options->html, "out of memory");
        if (page.out)
            fclose(page.out);
        free(bytes);
    }
    free(page.merged);
    free(page.first);
    free(page.fold_of);
    free(page.node_of);
    return status;
}

/* Plain, and without a script; the line that the terminal has. */
void html_trouble(FILE *stream, const rp_error *error)
{
    fprintf(stream,
            "%s<meta name=\"color-scheme\" content=\"light dark\">\n"
            "<meta http-equiv=\"Content-Security-Policy\" "
            "content=\"default-src 'none'\">\n"
            "<title>repfold: trouble</title>\n</head>\n<body>\n"
            "<h1>Trouble</h1>\n<p>",
            opening);
    if (error->where[0]) {
        fputs("<code>", stream);
        print_markup(stream, error->where);
        fputs("</code>: ", stream);
    }
    print_markup(stream, error->message);
    fprintf(stream,
            " [%s]</p>\n<p>There is no report. Written by repfold %s.</p>\n"
            "</body>\n</html>\n",
            error->code, rp_version());
}
