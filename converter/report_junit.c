/*
 * JUnit's XML, as GitLab, Jenkins and GitHub read it: one test case for each
 * fold and one for each output.  Without times: the same work gives the same
 * file.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "converter.h"

typedef enum Result { PASSED, FAILED, SKIPPED, ERROR, RESULTS } Result;

/* The element that says so. */
static const char *const elements[RESULTS] = {
    [FAILED] = "failure", [SKIPPED] = "skipped", [ERROR] = "error"};

/* A case is written when it is known how it went; suites need counts first,
 * so a suite is walked twice: to count, then to print. */
typedef struct Junit {
    FILE *stream; /* NULL while counting */
    size_t cases, counts[RESULTS];
} Junit;

typedef struct Case {
    const char *class, *name;
    Result result;
    const char *message;             /* why it did not pass */
    const char *code;                /* of an error, else NULL */
    const rp_output_verdict *output; /* whose numbers are told; or NULL */
} Case;

static void print_numbers(FILE *stream, const rp_output_verdict *output)
{
    fprintf(stream,
            "      <system-out>weights %s of max |y|, noise floor %s, ratio %s",
            format_number(output->weights), format_number(output->noise_floor),
            format_number(output->ratio));
    if (output->agreement.rows > 0) {
        fputs("\nagreement: ", stream);
        text_agreement(stream, &output->agreement);
    }
    fputs("</system-out>\n", stream);
}

static void print_reason(FILE *stream, const Case *test)
{
    fprintf(stream, "      <%s ", elements[test->result]);
    if (test->code) {
        fputs("type=\"", stream);
        print_markup(stream, test->code);
        fputs("\" ", stream);
    }
    fputs("message=\"", stream);
    print_markup(stream, test->message ? test->message : "");
    fputs("\"/>\n", stream);
}

static void put_case(Junit *junit, const Case *test)
{
    junit->cases++;
    junit->counts[test->result]++;
    if (!junit->stream)
        return;
    fprintf(junit->stream, "    <testcase classname=\"repfold.%s\" name=\"",
            test->class);
    print_markup(junit->stream, test->name);
    if (test->result == PASSED && !test->output) {
        fputs("\"/>\n", junit->stream);
        return;
    }
    fputs("\">\n", junit->stream);
    if (test->result != PASSED)
        print_reason(junit->stream, test);
    if (test->output)
        print_numbers(junit->stream, test->output);
    fputs("    </testcase>\n", junit->stream);
}

static void add_case(Junit *junit, const char *class, const char *name,
                     Result result, const char *message)
{
    put_case(junit, &(Case){class, name, result, message, NULL, NULL});
}

static void add_error(Junit *junit, const char *class, const char *name,
                      const char *code, const char *message)
{
    put_case(junit, &(Case){class, name, ERROR, message, code, NULL});
}

/* ---- Cases ---- */

/* A fold whose value another fold has taken in is proved with that one. */
static void add_fold(Junit *junit, const Report *report,
                     const rp_fold_record *fold)
{
    const rp_certificate *certificate =
        report_certificate(report, fold->output);
    char name[640];
    snprintf(name, sizeof name, "#%d %s %.500s", fold->number, fold->rules,
             fold->node);
    if (!report->certified)
        add_case(junit, "fold", name, SKIPPED, "not verified");
    else if (!certificate)
        add_case(junit, "fold", name, PASSED, NULL);
    else
        add_case(junit, "fold", name, certificate->holds ? PASSED : FAILED,
                 certificate->why);
}

static void add_left(Junit *junit, const rp_fold_record *fold)
{
    char message[128];
    snprintf(message, sizeof message,
             "%zu node%s can be folded into one; run repfold convert",
             fold->consumed_count, plural(fold->consumed_count));
    add_case(junit, "fold", fold->node, FAILED, message);
}

static void add_folds(Junit *junit, const Report *report)
{
    size_t count, refused;
    bool is_lint = report_is(report, "lint");
    const rp_fold_record *folds = rp_folds(report->folded, &count);
    const rp_refusal *refusals = rp_refusals(report->folded, &refused);
    for (size_t i = 0; i < count; i++)
        if (is_lint)
            add_left(junit, &folds[i]);
        else
            add_fold(junit, report, &folds[i]);
    for (size_t i = 0; report->certified && i < report->certified->undone_count;
         i++)
        add_case(junit, "fold", report->certified->undone[i].output, FAILED,
                 report->certified->undone[i].why);
    for (size_t i = 0; is_lint && i < refused; i++)
        add_case(junit, refusals[i].reason, refusals[i].node,
                 report->strict_left > 0 && report_blames_export(&refusals[i])
                     ? FAILED
                     : SKIPPED,
                 refusals[i].advice);
    if (is_lint && count + refused == 0)
        add_case(junit, "lint", report->input, PASSED, NULL);
}

static void add_outputs(Junit *junit, const rp_verdict_info *verdict)
{
    bool good = strcmp(verdict->verdict, "equivalent") == 0;
    for (size_t i = 0; i < verdict->output_count; i++) {
        const rp_output_verdict *output = &verdict->outputs[i];
        put_case(junit, &(Case){"output", output->name,
                                output->equivalent ? PASSED : FAILED,
                                verdict->why, NULL, output});
    }
    for (size_t i = 0; i < verdict->fault_count; i++)
        add_case(junit, "segment", verdict->faults[i].output, FAILED,
                 "the segment differs by more than rounding explains");
    if (!good || verdict->output_count == 0)
        add_case(junit, "verdict", verdict->verdict, good ? PASSED : FAILED,
                 verdict->why);
}

/* ---- Suites ---- */

typedef void Fill(Junit *junit, const void *context);

static void fill_folds(Junit *junit, const void *context)
{
    const Report *report = context;
    if (report->folded)
        add_folds(junit, report);
}

static void fill_outputs(Junit *junit, const void *context)
{
    const Report *report = context;
    if (report->objection)
        add_case(junit, "convert", "written", FAILED, report->objection);
    if (report->proof)
        add_case(junit, "proof", "certificates",
                 report_disproved(report) ? FAILED : PASSED, report->proof);
    if (report->verdict)
        add_outputs(junit, report->verdict);
}

static void print_property(FILE *stream, const char *name, const char *value)
{
    if (!value || !*value)
        return;
    fprintf(stream, "      <property name=\"%s\" value=\"", name);
    print_markup(stream, value);
    fputs("\"/>\n", stream);
}

/* Not a suite without a case. */
static void print_suite(FILE *stream, const char *name, Fill *fill,
                        const void *context, const Report *report)
{
    Junit count = {0}, print = {.stream = stream};
    fill(&count, context);
    if (count.cases == 0)
        return;
    fprintf(stream,
            "  <testsuite name=\"%s\" tests=\"%zu\" failures=\"%zu\" "
            "skipped=\"%zu\" errors=\"%zu\">\n    <properties>\n",
            name, count.cases, count.counts[FAILED], count.counts[SKIPPED],
            count.counts[ERROR]);
    print_property(stream, "repfold", rp_version());
    print_property(stream, "input", report->input);
    print_property(stream, "input_sha256", report->input_digest);
    print_property(stream, "other", report->other);
    print_property(stream, "other_sha256", report->other_digest);
    print_property(stream, "output", report->output);
    print_property(stream, "output_sha256", report->output_digest);
    fputs("    </properties>\n", stream);
    fill(&print, context);
    fputs("  </testsuite>\n", stream);
}

typedef struct Models {
    const JunitCase *cases;
    size_t count;
} Models;

static void fill_models(Junit *junit, const void *context)
{
    const Models *models = context;
    for (size_t i = 0; i < models->count; i++) {
        const JunitCase *model = &models->cases[i];
        if (model->code)
            add_error(junit, "model", model->name, model->code, model->failure);
        else
            add_case(junit, "model", model->name,
                     model->failure ? FAILED : PASSED, model->failure);
    }
}

static const char opening[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                              "<testsuites name=\"repfold\">\n",
                  closing[] = "</testsuites>\n";

/* The report's two suites, or that of the models. */
static int write_suites(const Options *options, const Report *report,
                        const Models *models)
{
    char *bytes = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&bytes, &size);
    if (!stream)
        return trouble_say(options, "memory", options->junit, "out of memory");
    fputs(opening, stream);
    if (models) {
        print_suite(stream, "models", fill_models, models, report);
    } else {
        print_suite(stream, "folds", fill_folds, report, report);
        print_suite(stream, "outputs", fill_outputs, report, report);
    }
    fputs(closing, stream);
    return report_save(options, options->junit, stream, &bytes, &size);
}

int junit_report(const Options *options, const Report *report)
{
    return write_suites(options, report, NULL);
}

int junit_models(const Options *options, const JunitCase *cases, size_t count)
{
    const Report none = {.command = "convert"};
    return write_suites(options, &none, &(Models){cases, count});
}

static void fill_trouble(Junit *junit, const void *context)
{
    const rp_error *error = context;
    add_error(junit, "trouble", *error->where ? error->where : "repfold",
              error->code, error->message);
}

void junit_trouble(FILE *stream, const rp_error *error)
{
    fputs(opening, stream);
    print_suite(stream, "trouble", fill_trouble, error, &(Report){0});
    fputs(closing, stream);
}
