#include <math.h>
#include <string.h>

#include "converter.h"

/* ---- The report for people ---- */

static void print_change(FILE *stream, rp_change change, const char *a,
                         const char *b)
{
    fprintf(stream, "  %-8s ", rp_change_name(change));
    print_escaped(stream, a ? a : b);
    if (a && b && strcmp(a, b) != 0) {
        fputs(" -> ", stream);
        print_escaped(stream, b);
    }
}

static void print_node(FILE *stream, const Report *report,
                       const rp_node_match *match)
{
    const rp_node_info *a =
        match->a == SIZE_MAX ? NULL : &report->nodes_a[match->a];
    const rp_node_info *b =
        match->b == SIZE_MAX ? NULL : &report->nodes_b[match->b];
    print_change(stream, match->change, a ? a->name : NULL, b ? b->name : NULL);
    fputs("  ", stream);
    print_escaped(stream, a ? a->op : b->op);
    if (a && b && strcmp(a->op, b->op) != 0) {
        fputs(" -> ", stream);
        print_escaped(stream, b->op);
    }
    if (match->detail)
        fprintf(stream, ": %s", match->detail);
    fputc('\n', stream);
}

/* How much of everything became what. */
typedef struct Counts {
    size_t nodes[RP_NEW + 1], initializers[RP_NEW + 1];
    size_t not_same;
} Counts;

static Counts count_changes(const rp_diff_info *diff)
{
    Counts counts = {.not_same = 0};
    for (size_t i = 0; i < diff->node_count; i++) {
        counts.nodes[diff->nodes[i].change]++;
        counts.not_same += diff->nodes[i].change != RP_SAME;
    }
    for (size_t i = 0; i < diff->initializer_count; i++) {
        counts.initializers[diff->initializers[i].change]++;
        counts.not_same += diff->initializers[i].change != RP_SAME;
    }
    return counts;
}

static void print_counts(FILE *stream, const char *what, const size_t *counts)
{
    bool none = true;
    fprintf(stream, "%-12s", what);
    for (rp_change change = RP_SAME; change <= RP_NEW; change++)
        if (counts[change] > 0) {
            fprintf(stream, " %s %zu", rp_change_name(change), counts[change]);
            none = false;
        }
    fputs(none ? " none\n" : "\n", stream);
}

static void print_nodes(FILE *stream, const Report *report, bool each)
{
    const rp_diff_info *diff = report->diff;
    for (size_t i = 0; each && i < diff->node_count; i++)
        if (diff->nodes[i].change != RP_SAME)
            print_node(stream, report, &diff->nodes[i]);
}

static void print_initializers(FILE *stream, const rp_diff_info *diff,
                               bool each)
{
    for (size_t i = 0; each && i < diff->initializer_count; i++) {
        const rp_name_match *match = &diff->initializers[i];
        if (match->change == RP_SAME)
            continue;
        print_change(stream, match->change, match->a, match->b);
        if (match->change == RP_CHANGED)
            fprintf(stream, "  %s",
                    isnan(match->difference)
                        ? "another shape or type"
                        : format_number(match->difference));
        fputc('\n', stream);
    }
}

/* Operators whose number differs. */
static void print_operators(FILE *stream, const rp_summary *a,
                            const rp_summary *b)
{
    for (size_t i = 0; i < a->op_count; i++) {
        size_t after = rp_summary_op(b, a->ops[i].op);
        if (after == a->ops[i].count)
            continue;
        fputs("  ", stream);
        print_escaped(stream, a->ops[i].op);
        fprintf(stream, " %zu -> %zu\n", a->ops[i].count, after);
    }
    for (size_t i = 0; i < b->op_count; i++)
        if (rp_summary_op(a, b->ops[i].op) == 0) {
            fputs("  ", stream);
            print_escaped(stream, b->ops[i].op);
            fprintf(stream, " 0 -> %zu\n", b->ops[i].count);
        }
}

static void text_diff(const Options *options, FILE *stream,
                      const Report *report)
{
    enum { FEW = 8 };
    const rp_diff_info *diff = report->diff;
    Counts counts = count_changes(diff);
    bool each = options->verbose || counts.not_same <= FEW;
    if (diff->same) {
        fprintf(stream, "the same nodes, names and weights%s\n",
                strcmp(report->input_digest, report->other_digest) == 0
                    ? ""
                    : "; the files differ in other bytes");
        return;
    }
    for (size_t i = 0; i < diff->note_count; i++) {
        fputs("interface    ", stream);
        print_escaped(stream, diff->notes[i]);
        fputc('\n', stream);
    }
    print_counts(stream, "nodes", counts.nodes);
    print_nodes(stream, report, each);
    print_operators(stream, report->before, report->after);
    print_counts(stream, "initializers", counts.initializers);
    print_initializers(stream, diff, each);
    if (!each)
        fputs("-v names them; --json has the map from old names to new\n",
              stream);
}

/* ---- The command ---- */

static int tell(const Options *options, Report *report)
{
    progress_end_any();
    report->ok = report->diff->same;
    if (!options->quiet)
        text_diff(options, report_stream(options), report);
    int status = reports_write(options, report);
    return status ? status : report->ok ? YES : NO;
}

static int run(const Options *options)
{
    rp_error error = {0};
    rp_model *b = NULL, *a = NULL;
    Report report = {.command = "diff",
                     .input = options->files.items[0],
                     .other = options->files.items[1]};
    Progress progress;
    int status;
    progress_start(&progress, options);
    if ((a = open_model(options, report.input, &error)) &&
        (b = open_model(options, report.other, &error)) &&
        report_look(&report, a, b, &error) == 0) {
        rp_digest_source(a, report.input_digest);
        rp_digest_source(b, report.other_digest);
        status = tell(options, &report);
    } else {
        status = trouble(options, &error);
    }
    rp_diff_free(report.compared);
    rp_close(b);
    rp_close(a);
    return status;
}

const Verb verb_diff = {
    .name = "diff",
    .bit = VERB_DIFF,
    .min_files = 2,
    .max_files = 2,
    .arguments = "A.onnx B.onnx [OPTION ...]",
    .summary = "what changed between two models",
    .text =
        "Tells which nodes, initializers and values of B are which of A: the "
        "same,\n"
        "renamed, changed, merged into another, gone or new. Nothing is run: "
        "whether\n"
        "both compute the same function, verify tells. The JSON report has "
        "the map from\n"
        "A's names to B's, for quantizers and profilers that keep data by "
        "name.\n"
        "\n"
        "  repfold diff train.onnx deploy.onnx -v\n"
        "  repfold diff train.onnx deploy.onnx -q --json - | jq "
        ".names.initializers\n"
        "\n"
        "Exit status: 0 the same nodes, names and weights; 1 not; 2 trouble.",
    .run = run,
};
