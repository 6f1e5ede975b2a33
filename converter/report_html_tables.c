/* The page's tables: folds, what was left, the verification, the models. */
#include "html.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* ---- Folds ---- */

/* What a rule is, as a hint. */
static const char *rule_text(const char *rule, size_t length)
{
    size_t count;
    const rp_rule *rules = rp_rules(&count);
    for (size_t i = 0; i < count; i++)
        if (strlen(rules[i].name) == length &&
            strncmp(rules[i].name, rule, length) == 0)
            return rules[i].text;
    return "";
}

static void print_rules(Page *page, const char *rules)
{
    while (*rules) {
        size_t length = strcspn(rules, ",");
        html_print(page, "<span class=\"chip\" title=\"%s\">%.*s</span>",
                   rule_text(rules, length), (int)length, rules);
        rules += length + (rules[length] == ',');
    }
}

/* The nodes that went into a fold: links to their places in the graph where
 * that shows them. */
static void print_parts(Page *page, const rp_fold_record *fold, size_t node)
{
    const rp_node_info *nodes = page->report->nodes_a;
    bool present = node < page->report->node_count_b;
    size_t begin = present ? page->first[node] : 0;
    size_t end = present ? page->first[node + 1] : 0;
    html_print(page, "<ul class=\"parts\">\n");
    for (size_t i = begin; i < end; i++) {
        size_t a = page->merged[i].a;
        html_print(page, "<li><a href=\"#a%zu\">", a);
        html_text(page, nodes[a].op);
        html_print(page, "</a> <code>");
        html_text(page, nodes[a].name);
        html_print(page, "</code></li>\n");
    }
    for (size_t i = 0; begin == end && i < fold->consumed_count; i++) {
        html_print(page, "<li><code>");
        html_text(page, fold->consumed[i]);
        html_print(page, "</code></li>\n");
    }
    html_print(page, "</ul>\n");
}

static void print_proof(Page *page, const rp_certificate *certificate)
{
    if (!certificate)
        return;
    html_print(page, "<p class=\"small soft\">");
    for (size_t i = 0; i < certificate->precondition_count; i++) {
        html_print(page, "<span class=\"chip\">");
        html_text(page, certificate->preconditions[i]);
        html_print(page, "</span>");
    }
    html_print(page,
               "<br>%" PRIu64 " stored numbers checked, residue %" PRIu64
               " modulo 2<sup>61</sup>&minus;1, %d square root%s</p>\n",
               certificate->weights, certificate->residue,
               certificate->square_roots,
               plural((size_t)certificate->square_roots));
}

/* Two cells: does it hold, with the largest rounding; and the bound. */
static void print_certificate(Page *page, const rp_certificate *certificate)
{
    if (certificate && certificate->holds) {
        html_print(page,
                   "<td class=\"cert\"><span class=\"good\">holds</span>, %s "
                   "ulp</td><td "
                   "class=\"n\">%s</td>",
                   format_number(certificate->rounding),
                   format_number(certificate->bound));
        return;
    }
    html_print(page, "<td class=\"%s\" colspan=\"2\">",
               certificate ? "bad" : "soft");
    if (certificate)
        html_text(page, certificate->why ? certificate->why : "does not hold");
    else
        html_print(page, "%s",
                   !page->report->certified ? "not verified"
                                            : "within a later fold");
    html_print(page, "</td>");
}

static void print_fold(Page *page, const rp_fold_record *fold)
{
    size_t node = page->node_of[fold->number - 1];
    bool present = node < page->report->node_count_b;
    const rp_certificate *certificate =
        present ? report_certificate(page->report, fold->output) : NULL;
    html_print(page,
               "<tr id=\"fold-%d\" data-row data-g=\"%zu\"><td class=\"n\">%d"
               "</td><td class=\"name\"><details><summary><code>",
               fold->number, node, fold->number);
    html_text(page, fold->node);
    html_print(page, "</code> ");
    print_rules(page, fold->rules);
    html_print(page, "</summary>\n");
    print_parts(page, fold, node);
    if (fold->static_size)
        html_print(page, "<p class=\"small\">It is exact for this image size "
                         "only.</p>\n");
    print_proof(page, certificate);
    if (present)
        html_print(page,
                   "<p class=\"small\"><a href=\"#b%zu\">Show it in the "
                   "graph</a></p>",
                   node);
    html_print(page,
               "</details></td><td class=\"n\">%zu</td><td class=\"n\">%s "
               "&rarr; %s</td><td class=\"n\">%s &rarr; %s</td>",
               fold->consumed_count, format_large(fold->macs_before),
               format_large(fold->macs_after),
               format_large((double)fold->parameters_before),
               format_large((double)fold->parameters_after));
    print_certificate(page, certificate);
    html_print(page, "</tr>\n");
}

static void print_undone(Page *page)
{
    const Certified *certified = page->report->certified;
    for (size_t i = 0; certified && i < certified->undone_count; i++) {
        html_print(page, "<p class=\"bad\">Fold #%d was undone: ",
                   certified->undone[i].number);
        html_text(page,
                  certified->undone[i].why ? certified->undone[i].why : "");
        html_print(page, "</p>\n");
    }
}

void html_folds(Page *page)
{
    size_t count, left;
    const rp_fold_record *folds = rp_folds(page->report->folded, &count);
    rp_refusals(page->report->folded, &left);
    html_print(page,
               "<section id=\"folds\"><h2>Folds</h2>\n<p class=\"soft\">Each "
               "row is one kernel and what it took the place of. A certificate "
               "says, from the two models alone, that the kernel is the same "
               "map; the bound is on the rounding of its worst channel while "
               "all it reads is within &plusmn;1.</p>\n");
    print_undone(page);
    html_print(page,
               "<div class=\"tools\"><input id=\"search\" type=\"search\" "
               "placeholder=\"Search folds and sites ( / )\" aria-label=\""
               "Search folds and sites\"><span id=\"found\" class=\"soft "
               "small\" role=\"status\"></span></div>\n");
    if (count > 0)
        html_print(page,
                   "<div class=\"scroll\"><table><thead><tr><th "
                   "class=\"n\">#</th><th>Kernel</th><th class=\"n\">Nodes"
                   "</th><th class=\"n\">MACs</th><th class=\"n\">Parameters"
                   "</th><th>Certificate</th><th class=\"n\">Bound</th></tr>"
                   "</thead><tbody>\n");
    for (size_t i = 0; i < count; i++)
        print_fold(page, &folds[i]);
    html_print(page, "%s</section>\n",
               count > 0  ? "</tbody></table></div>\n"
               : left > 0 ? "<p>Nothing could be folded.</p>"
                          : "<p>There was nothing to fold.</p>");
}

/* ---- What was left ---- */

static void print_site(Page *page, const rp_refusal *refusal)
{
    html_print(page, "<li data-row>");
    html_text(page, refusal->op);
    html_print(page, " <code>");
    html_text(page, refusal->node);
    html_print(page, "</code>");
    if (*refusal->fact) {
        html_print(page, ": ");
        html_text(page, refusal->fact);
    }
    html_print(page, " <span hidden>%s</span></li>\n", refusal->reason);
}

static void print_reason(Page *page, const char *reason, size_t sites,
                         const rp_refusal *refusals, size_t count)
{
    bool first = true;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(refusals[i].reason, reason) != 0)
            continue;
        if (first) {
            html_print(page,
                       "<div class=\"reason\"><p><span class=\"chip\">%s"
                       "</span> ",
                       reason);
            html_text(page, refusals[i].advice);
            html_print(page,
                       ".</p>\n<details%s><summary>%zu site%s</summary><ul>\n",
                       sites <= 5 ? " open" : "", sites, plural(sites));
        }
        first = false;
        print_site(page, &refusals[i]);
    }
    html_print(page, "</ul></details></div>\n");
}

void html_refusals(Page *page)
{
    size_t count;
    const rp_refusal *refusals = rp_refusals(page->report->folded, &count);
    Tally tally = {.size = 0};
    for (size_t i = 0; i < count; i++)
        tally_add(&tally, refusals[i].reason, strlen(refusals[i].reason));
    html_print(page, "<section id=\"left\"><h2>Left alone</h2>\n<p "
                     "class=\"soft\">Sites that cannot be folded, or must not "
                     "be, by reason; the fact is what blocks that one.</p>\n");
    for (size_t i = 0; i < tally.size; i++)
        print_reason(page, tally.names[i], tally.counts[i], refusals, count);
    html_print(page, count > 0 ? "</section>\n"
                               : "<p>Nothing was left.</p></section>\n");
}

/* ---- The verification ---- */

static void print_outputs(Page *page, const rp_verdict_info *info)
{
    html_print(page,
               "<div class=\"scroll\"><table><thead><tr><th>Output</th>"
               "<th></th><th class=\"n\">max |y|</th><th class=\"n\">Algebra"
               "</th><th class=\"n\">Weights</th><th class=\"n\">Noise floor"
               "</th><th class=\"n\">Ratio</th><th class=\"n\">Execution 1"
               "</th><th class=\"n\">Execution 2</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < info->output_count; i++) {
        const rp_output_verdict *output = &info->outputs[i];
        html_print(page, "<tr><td><code>");
        html_text(page, output->name);
        html_print(page,
                   "</code></td><td class=\"%s\">%s</td><td class=\"n\">%s"
                   "</td><td class=\"n\">%s</td>",
                   output->equivalent ? "good" : "bad",
                   output->equivalent     ? "same"
                   : output->inconclusive ? "inconclusive"
                                          : "differs",
                   format_number(output->max_abs),
                   format_number(output->algebra));
        html_print(page,
                   "<td class=\"n\">%s</td><td class=\"n\">%s</td><td "
                   "class=\"n\">%s</td>",
                   format_number(output->weights),
                   format_number(output->noise_floor),
                   format_number(output->ratio));
        html_print(page,
                   "<td class=\"n\">%s</td><td class=\"n\">%s</td></tr>\n",
                   format_number(output->execution_a),
                   format_number(output->execution_b));
    }
    html_print(page, "</tbody></table></div>\n");
}

static void print_segment(Page *page, const rp_segment_verdict *segment)
{
    html_print(page, "<tr><td class=\"path\"><code>");
    html_text(page, segment->output);
    html_print(page, "</code></td><td class=\"path\"><code>");
    html_text(page, segment->node_b);
    html_print(page,
               "</code></td><td class=\"n\">%s</td><td class=\"n\">%s</td>"
               "<td class=\"n\">%s</td></tr>\n",
               format_number(segment->difference),
               format_number(segment->bound), format_number(segment->ratio));
}

static void print_segments(Page *page, const rp_verdict_info *info)
{
    html_print(page,
               "<h3>Segments</h3>\n<p class=\"soft\">Both networks are cut "
               "where they hold values of the same meaning, and each piece is "
               "compared under a rigorous rounding bound: %zu compared, %zu of "
               "the same nodes, %zu left out. %s</p>\n",
               info->segments, info->segments_same, info->segments_left_out,
               info->fault_count ? "These exceed it:"
               : info->worst     ? "The one that comes closest to it:"
                                 : "");
    if (!info->fault_count && !info->worst)
        return;
    html_print(page, "<div class=\"scroll\"><table><thead><tr><th>Value</th>"
                     "<th>Node</th><th class=\"n\">Difference</th><th "
                     "class=\"n\">Bound</th><th class=\"n\">Ratio</th></tr>"
                     "</thead><tbody>\n");
    for (size_t i = 0; i < info->fault_count; i++)
        print_segment(page, &info->faults[i]);
    if (info->fault_count == 0)
        print_segment(page, info->worst);
    html_print(page, "</tbody></table></div>\n");
}

/* How much of what changed is proved. */
static void print_certified(Page *page)
{
    const Certified *certified = page->report->certified;
    size_t hold = 0;
    if (!certified)
        return;
    for (size_t i = 0; i < certified->info->count; i++)
        hold += certified->info->certificates[i].holds != 0;
    html_print(page,
               "<p class=\"soft\">Certificates, from the two models alone: %zu "
               "of %zu changed values hold%s",
               hold, certified->info->count,
               certified->info->why ? "; " : ", and nothing else differs.");
    if (certified->info->why)
        html_text(page, certified->info->why);
    html_print(page, "</p>\n");
}

void html_verification(Page *page)
{
    const rp_verdict_info *info = page->report->verdict;
    html_print(page,
               "<section id=\"verification\"><h2>Verification</h2>\n<p "
               "class=\"soft\">%d sample%s, seed %" PRIu64
               ", %d rounding%s of each weight allowed for. All numbers are "
               "the largest difference divided by the "
               "largest output.</p>\n",
               info->samples, plural((size_t)info->samples), info->seed,
               info->roundings, plural((size_t)info->roundings));
    print_outputs(page, info);
    print_certified(page);
    print_segments(page, info);
    html_print(page, "</section>\n");
}

/* ---- The models ---- */

static void print_tensors(Page *page, const char *what,
                          const rp_tensor_info *tensors, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        html_print(page, "<dt>%s</dt><dd><code>", what);
        html_text(page, tensors[i].name);
        html_print(page, "</code> %s", tensors[i].type);
        for (int k = 0; k < tensors[i].rank; k++) {
            html_print(page, k ? " &times; " : " ");
            html_text(page, tensors[i].dims[k]);
        }
        html_print(page, "</dd>\n");
    }
}

static void print_model(Page *page, const rp_summary *summary)
{
    html_print(page, "<dl class=\"files\"><dt>producer</dt><dd>");
    html_text(page, *summary->producer ? summary->producer : "unknown");
    html_print(page,
               "</dd><dt>format</dt><dd>opset %" PRId64 ", IR %" PRId64
               "</dd>\n",
               summary->opset, summary->ir_version);
    print_tensors(page, "input", summary->inputs, summary->input_count);
    print_tensors(page, "output", summary->outputs, summary->output_count);
    html_print(page, "<dt>blocks</dt><dd>");
    Tally tally = {.size = 0};
    for (size_t i = 0; i < summary->block_count; i++)
        tally_add(&tally, summary->blocks[i].kind,
                  strlen(summary->blocks[i].kind));
    for (size_t i = 0; i < tally.size; i++)
        html_print(page, "<span class=\"chip\">%s %zu</span>", tally.names[i],
                   tally.counts[i]);
    html_print(page, "%s</dd></dl>\n",
               summary->block_count ? "" : "none recognised");
}

void html_details(Page *page)
{
    html_print(page, "<section id=\"details\"><h2>Details</h2>\n"
                     "<h3>Before</h3>\n");
    print_model(page, page->report->before);
    html_print(page, "<h3>After</h3>\n");
    print_model(page, page->report->after);
    html_print(page, "</section>\n");
}
