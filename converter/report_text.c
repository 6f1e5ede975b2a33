/* Reports for people. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "converter.h"

#define BOLD color(stream, "\033[1m")
#define GREEN color(stream, "\033[1;32m")
#define RED color(stream, "\033[1;31m")
#define PLAIN color(stream, "\033[0m")

/* ---- Tallies: "C1 70, C4 31" ---- */

void tally_add(Tally *tally, const char *name, size_t length)
{
    size_t i = 0;
    if (length >= TALLY_NAME)
        length = TALLY_NAME - 1;
    while (i < tally->size && (strncmp(tally->names[i], name, length) != 0 ||
                               tally->names[i][length] != '\0'))
        i++;
    if (i == TALLY_MAX)
        return;
    if (i == tally->size) {
        memcpy(tally->names[i], name, length);
        tally->size++;
    }
    tally->counts[i]++;
}

/* Most frequent first; there are a dozen at most. */
static void tally_print(FILE *stream, Tally *tally)
{
    for (size_t shown = 0; shown < tally->size; shown++) {
        size_t best = 0;
        for (size_t i = 1; i < tally->size; i++)
            if (tally->counts[i] > tally->counts[best])
                best = i;
        fprintf(stream, "%s%s %zu", shown ? ", " : "", tally->names[best],
                tally->counts[best]);
        tally->counts[best] = 0;
    }
}

static void print_fold_tally(FILE *stream, const rp_fold_record *folds,
                             size_t count)
{
    Tally tally = {.size = 0};
    for (size_t i = 0; i < count; i++)
        for (const char *rule = folds[i].rules; *rule;) {
            size_t length = strcspn(rule, ",");
            tally_add(&tally, rule, length);
            rule += length + (rule[length] == ',');
        }
    tally_print(stream, &tally);
}

/* ---- Folds and refusals one by one ---- */

static void print_fold(FILE *stream, const rp_fold_record *fold, bool names)
{
    fprintf(stream, "  #%d %s ", fold->number, fold->rules);
    print_escaped(stream, fold->node);
    fprintf(stream, " <- %zu node%s", fold->consumed_count,
            plural(fold->consumed_count));
    for (size_t i = 0; names && i < fold->consumed_count; i++) {
        fputs(i ? ", " : ": ", stream);
        print_escaped(stream, fold->consumed[i]);
    }
    fputc('\n', stream);
    if (!names)
        return;
    fprintf(stream, "     multiply-accumulates at a place %s -> %s",
            format_large(fold->macs_before), format_large(fold->macs_after));
    fprintf(stream, ", parameters %s -> %s",
            format_large((double)fold->parameters_before),
            format_large((double)fold->parameters_after));
    if (fold->subnormals)
        fprintf(stream, "; warning: %s weights are subnormal",
                format_large((double)fold->subnormals));
    if (fold->static_size)
        fputs("; exact for this image size only", stream);
    fputc('\n', stream);
}

static void print_folds(FILE *stream, const rp_model *model, bool each)
{
    size_t count, left;
    const rp_fold_record *folds = rp_folds(model, &count);
    rp_refusals(model, &left);
    if (count > 0) {
        fprintf(stream, "folds    %zu merged node%s: ", count, plural(count));
        print_fold_tally(stream, folds, count);
        fputc('\n', stream);
    } else {
        fprintf(stream, "folds    none%s\n",
                left > 0 ? "" : ": there is nothing to fold");
    }
    for (size_t i = 0; each && i < count; i++)
        print_fold(stream, &folds[i], true);
}

/* The advice of one reason, and with `each` the sites it is for. */
static void print_reason(FILE *stream, const char *reason,
                         const rp_refusal *refusals, size_t count, bool each)
{
    bool first = true;
    for (size_t i = 0; i < count && (first || each); i++) {
        if (strcmp(refusals[i].reason, reason) != 0)
            continue;
        if (first)
            fprintf(stream, "  %s: %s\n", reason, refusals[i].advice);
        first = false;
        if (!each)
            continue;
        fputs("    ", stream);
        print_escaped(stream, refusals[i].op);
        fputc(' ', stream);
        print_escaped(stream, refusals[i].node);
        fputs(*refusals[i].fact ? ": " : "", stream);
        print_escaped(stream, refusals[i].fact);
        fputc('\n', stream);
    }
}

/* Where more was left than folded, why is what to tell. */
static void print_refusals(FILE *stream, const rp_model *model, bool each)
{
    size_t count, folds;
    const rp_refusal *refusals = rp_refusals(model, &count);
    Tally tally = {.size = 0};
    rp_folds(model, &folds);
    if (count == 0)
        return;
    for (size_t i = 0; i < count; i++)
        tally_add(&tally, refusals[i].reason, strlen(refusals[i].reason));
    fprintf(stream, "left     %zu site%s: ", count, plural(count));
    tally_print(stream, &tally);
    fputs(each ? "\n" : "; -v tells where and why\n", stream);
    for (size_t i = 0; (each || count > folds) && i < tally.size; i++)
        print_reason(stream, tally.names[i], refusals, count, each);
}

/* ---- Before and after ---- */

static void print_row(FILE *stream, const char *name, const char *before,
                      const char *after)
{
    fprintf(stream, "  %-20s %12s %12s\n", name, before, after);
}

static void print_table(FILE *stream, const rp_summary *before,
                        const rp_summary *after)
{
    static const char *const ops[] = {"Conv", "BatchNormalization", "Add",
                                      "Mul", "Sub"};
    fprintf(stream, "%s", BOLD);
    print_row(stream, "", "before", "after");
    fprintf(stream, "%s", PLAIN);
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        print_row(stream, ops[i], format_count(rp_summary_op(before, ops[i])),
                  format_count(rp_summary_op(after, ops[i])));
    print_row(stream, "nodes", format_count(before->nodes),
              format_count(after->nodes));
    print_row(stream, "parameters", format_large((double)before->parameters),
              format_large((double)after->parameters));
    print_row(stream, "MACs", format_large(before->macs),
              format_large(after->macs));
    print_row(stream, "bytes", format_bytes(before->file_bytes),
              format_bytes(after->file_bytes));
    if (!after->macs_are_exact)
        fputs("  (sizes that are not known count as 1 in the MACs)\n", stream);
}

/* ---- The verdict ---- */

/* How many of the user's images the verdict is about. */
static void print_images(FILE *stream, const Images *images)
{
    if (images && images->count > 0)
        fprintf(stream, "images   %zu of %zu in the folder\n", images->count,
                images->found);
}

void text_agreement(FILE *stream, const rp_agreement *agreement)
{
    fprintf(stream,
            "top-1 in %" PRIu64 ", top-5 in %" PRIu64 " of %" PRIu64
            "; largest logit change %s",
            agreement->top1, agreement->top5, agreement->rows,
            format_number(agreement->change));
}

static void print_output(FILE *stream, const rp_output_verdict *output)
{
    fputs("  output ", stream);
    print_escaped(stream, output->name);
    fprintf(stream, ": max |y| %s%s\n", format_number(output->max_abs),
            output->equivalent     ? ""
            : output->inconclusive ? "  <- inconclusive"
                                   : "  <- differs");
    if (!isnan(output->algebra))
        fprintf(stream, "    algebra    %-9s the folding itself, unrounded\n",
                format_number(output->algebra));
    fprintf(stream,
            "    weights    %-9s as stored; the noise floor is %s, ratio %s\n",
            format_number(output->weights), format_number(output->noise_floor),
            format_number(output->ratio));
    if (!isnan(output->execution_a))
        fprintf(stream,
                "    execution  %-9s float32 of the first, %s of the second\n",
                format_number(output->execution_a),
                format_number(output->execution_b));
    if (output->agreement.rows > 0) {
        fputs("    agreement  ", stream);
        text_agreement(stream, &output->agreement);
        fputc('\n', stream);
    }
}

static void print_fault(FILE *stream, const rp_segment_verdict *segment)
{
    fputs("  fault at ", stream);
    print_escaped(stream, segment->output);
    fputs("\n    node ", stream);
    print_escaped(stream, segment->node_b);
    fprintf(stream, "\n    difference %s, %s of the rounding bound\n",
            format_number(segment->difference), format_number(segment->ratio));
}

static void print_segments(FILE *stream, const rp_verdict_info *info)
{
    enum { FAULTS_SHOWN = 8 };
    for (size_t i = 0; i < info->fault_count && i < FAULTS_SHOWN; i++)
        print_fault(stream, &info->faults[i]);
    if (info->fault_count > FAULTS_SHOWN)
        fprintf(stream, "  and %zu more faults\n",
                info->fault_count - FAULTS_SHOWN);
    fprintf(stream, "  segments: %zu compared, %zu of the same nodes",
            info->segments, info->segments_same);
    if (info->segments_left_out > 0)
        fprintf(stream, ", %zu left out", info->segments_left_out);
    if (info->worst && info->fault_count == 0) {
        fprintf(stream, "\n  the worst has %s of its rounding bound, at\n    ",
                format_number(info->worst->ratio));
        print_escaped(stream, info->worst->output);
    }
    fputc('\n', stream);
}

static void print_verdict(FILE *stream, const rp_verdict_info *info)
{
    bool good = strcmp(info->verdict, "equivalent") == 0;
    fprintf(stream, "verdict  %s%s%s", good ? GREEN : RED, info->verdict,
            PLAIN);
    if (info->samples > 0)
        fprintf(stream, " (%d sample%s, seed %" PRIu64, info->samples,
                plural((size_t)info->samples), info->seed);
    if (info->samples > 0 && info->roundings > 1)
        fprintf(stream, ", %d roundings", info->roundings);
    fputs(info->samples > 0 ? ")\n" : "\n", stream);
    if (!good && info->why) {
        fputs("  ", stream);
        print_words(stream, 2, info->why);
    }
    for (size_t i = 0; i < info->output_count; i++)
        print_output(stream, &info->outputs[i]);
    if (info->samples > 0)
        print_segments(stream, info);
}

/* ---- Commands ---- */

/* ---- Certificates ---- */

static void print_certificate(FILE *stream, const rp_certificate *certificate)
{
    fputs("  ", stream);
    print_escaped(stream, certificate->output);
    if (certificate->holds) {
        fprintf(stream, ": rounding %s ulp, bound %s\n",
                format_number(certificate->rounding),
                format_number(certificate->bound));
        return;
    }
    fputs(": ", stream);
    print_escaped(stream, certificate->why);
    fputc('\n', stream);
}

/* What the certificates say: how many hold, the largest rounding of a stored
 * number, and what was undone. */
static void print_certificates(FILE *stream, const Certified *certified,
                               bool each)
{
    const rp_certificates_info *info = certified->info;
    double rounding = 0;
    size_t hold = 0;
    for (size_t i = 0; i < info->count; i++) {
        const rp_certificate *certificate = &info->certificates[i];
        hold += certificate->holds != 0;
        if (certificate->holds && certificate->rounding > rounding)
            rounding = certificate->rounding;
    }
    fprintf(stream, "proof    %zu of %zu changed values certified", hold,
            info->count);
    if (hold > 0)
        fprintf(stream, ": exact modulo 2^61-1, stored within %s ulp",
                format_number(rounding));
    fputc('\n', stream);
    for (size_t i = 0; i < info->count; i++)
        if (each || !info->certificates[i].holds)
            print_certificate(stream, &info->certificates[i]);
    for (size_t i = 0; i < certified->undone_count; i++) {
        fprintf(stream, "undone   fold #%d at ", certified->undone[i].number);
        print_escaped(stream, certified->undone[i].output);
        fputs(": ", stream);
        const char *why = certified->undone[i].why;
        print_escaped(stream, why ? why : "");
        fputc('\n', stream);
    }
}

static void print_bench(FILE *stream, const Report *report)
{
    if (report->bench_before && report->bench_after)
        fprintf(stream, "time     %s ms -> %s ms, median in float32\n",
                format_number(report->bench_before->median_ms),
                format_number(report->bench_after->median_ms));
}

void text_convert(const Options *options, FILE *stream, const Report *report)
{
    print_table(stream, report->before, report->after);
    print_folds(stream, report->folded, options->verbose);
    print_refusals(stream, report->folded, options->verbose);
    if (report->certified)
        print_certificates(stream, report->certified, options->verbose);
    if (report->verdict) {
        print_images(stream, report->images);
        print_verdict(stream, report->verdict);
    }
    if (report->not_verified[0]) {
        fprintf(stream, "verdict  %s\n  ",
                report->unchanged ? "not needed" : "none");
        print_words(stream, 2, report->not_verified);
    }
    print_bench(stream, report);
    if (report->output) {
        fputs("wrote    ", stream);
        print_escaped(stream, report->output);
        if (report->output_data) {
            fputs(", its weights in ", stream);
            print_escaped(stream, report->output_data);
        }
        fputc('\n', stream);
    } else {
        fprintf(stream, "nothing was written: %s\n", report->objection);
    }
}

void text_proof(FILE *stream, const char *proof)
{
    fputs("proof    ", stream);
    print_escaped(stream, *proof ? proof
                                 : "every certificate holds, and the report "
                                   "says the same");
    fputc('\n', stream);
}

void text_verify(FILE *stream, const Report *report)
{
    print_images(stream, report->images);
    print_verdict(stream, report->verdict);
    print_bench(stream, report);
}

void text_lint(const Options *options, FILE *stream, const Report *report)
{
    size_t count;
    const rp_fold_record *folds = rp_folds(report->folded, &count);
    print_escaped(stream, report->input);
    if (count > 0)
        fprintf(stream, ": %zu kernel%s can be folded\n", count, plural(count));
    else if (report->strict_left > 0)
        fputs(": nothing can be folded as it was exported\n", stream);
    else
        fputs(": nothing is left to fold\n", stream);
    for (size_t i = 0; i < count; i++)
        print_fold(stream, &folds[i], options->verbose);
    print_refusals(stream, report->folded, true);
}

/* ---- inspect ---- */

static void print_tensors(FILE *stream, const char *what,
                          const rp_tensor_info *tensors, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        fprintf(stream, "%-9s", what);
        print_escaped(stream, tensors[i].name);
        fprintf(stream, " %s", *tensors[i].type ? tensors[i].type : "?");
        fputs(tensors[i].rank < 0 ? " of unknown shape" : "[", stream);
        for (int k = 0; k < tensors[i].rank; k++) {
            fputs(k ? "," : "", stream);
            print_escaped(stream, tensors[i].dims[k]);
        }
        fputs(tensors[i].rank < 0 ? "\n" : "]\n", stream);
    }
}

/* A list with commas, broken before the margin. */
static void print_ops(FILE *stream, const rp_summary *summary)
{
    enum { INDENT = 9, MARGIN = 79 };
    int column = INDENT;
    fprintf(stream, "%-*s", INDENT, "nodes");
    for (size_t i = 0; i < summary->op_count; i++) {
        const rp_op_count *op = &summary->ops[i];
        const char *count = format_count(op->count);
        bool last = i + 1 == summary->op_count;
        int width = (int)(strlen(op->op) + strlen(count)) + 1 + !last;
        if (column + width > MARGIN && column > INDENT) {
            fprintf(stream, "\n%*s", INDENT, "");
            column = INDENT;
        }
        fputs(column > INDENT ? " " : "", stream);
        print_escaped(stream, op->op);
        fprintf(stream, " %s%s", count, last ? "" : ",");
        column += width + 1;
    }
    fputc('\n', stream);
}

/* As printf's %*s, of a name from a file. */
static void print_cell(FILE *stream, const char *text, int width)
{
    int blanks = abs(width) - (int)strlen(text);
    if (width > 0)
        fprintf(stream, "%*s", blanks > 0 ? blanks : 0, "");
    print_escaped(stream, text);
    if (width < 0)
        fprintf(stream, "%*s", blanks > 0 ? blanks : 0, "");
}

static void print_stages(FILE *stream, const rp_summary *summary)
{
    if (summary->stage_count == 0)
        return;
    fprintf(stream, "%s%-9s%-20s %8s %6s %6s %12s %10s%s\n", BOLD, "stages",
            "size", "channels", "nodes", "Conv", "parameters", "MACs", PLAIN);
    for (size_t i = 0; i < summary->stage_count; i++) {
        const rp_stage_info *stage = &summary->stages[i];
        fprintf(stream, "%9s", "");
        print_cell(stream, stage->size, -20);
        fputc(' ', stream);
        print_cell(stream, stage->channels, 8);
        fprintf(stream, " %6zu %6zu %12s %10s\n", stage->nodes, stage->convs,
                format_large((double)stage->parameters),
                format_large(stage->macs));
    }
}

static void print_blocks(FILE *stream, const rp_summary *summary)
{
    Tally tally = {.size = 0};
    for (size_t i = 0; i < summary->block_count; i++)
        tally_add(&tally, summary->blocks[i].kind,
                  strlen(summary->blocks[i].kind));
    fputs("blocks   ", stream);
    if (summary->block_count == 0)
        fputs("none recognised", stream);
    tally_print(stream, &tally);
    fputc('\n', stream);
}

void text_inspect(FILE *stream, const rp_summary *summary)
{
    fputs("model    ", stream);
    print_escaped(stream, summary->path);
    fprintf(stream, ", %s\n", format_bytes(summary->file_bytes));
    fputs("producer ", stream);
    print_escaped(stream, *summary->producer ? summary->producer : "unknown");
    fprintf(stream, ", opset %" PRId64 ", IR %" PRId64 "\n", summary->opset,
            summary->ir_version);
    print_tensors(stream, "input", summary->inputs, summary->input_count);
    print_tensors(stream, "output", summary->outputs, summary->output_count);
    fprintf(stream, "size     %s parameters in %s, %s MACs%s, %zu nodes\n",
            format_large((double)summary->parameters),
            format_bytes(summary->weight_bytes), format_large(summary->macs),
            summary->macs_are_exact ? "" : " (unknown sizes counted as 1)",
            summary->nodes);
    print_ops(stream, summary);
    print_blocks(stream, summary);
    print_stages(stream, summary);
}
