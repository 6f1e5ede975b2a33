/*
 * The two graphs of a stage side by side, as two columns of nodes from top to
 * bottom.  A node of the second stands in the row of the node of the first
 * whose value it computes, and a ribbon leads to it from all that it took the
 * place of.  Values run in lanes, as branches do in a history of commits.
 */
#include "layout.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROW = 22,
    LANE = 13,
    LABEL = 350, /* width of a node's text */
    GAP = 96,    /* for the ribbons */
    TOP = 34,
    STAGES_MAX = 64,
    STRIP_MAX = 4000
};

/* ---- Kinds ---- */

static const struct {
    const char *class, *title, *ops;
} kinds[] = {
    {"conv", "convolution", " Conv ConvTranspose ConvInteger QLinearConv "},
    {"matrix", "matrix product",
     " Gemm MatMul Einsum Attention MatMulInteger QLinearMatMul "},
    {"norm", "normalization",
     " BatchNormalization LayerNormalization GroupNormalization "
     "InstanceNormalization RMSNormalization LpNormalization LRN "},
    {"scale", "sum or scale", " Add Sub Mul Div Sum Neg Sqrt Reciprocal "},
    {"act", "activation",
     " Relu Gelu Erf Sigmoid HardSigmoid HardSwish LeakyRelu PRelu Clip Tanh "
     "Softmax LogSoftmax Elu Selu Celu Mish Softplus Exp Pow Swish Silu "},
    {"pool", "pooling or mean",
     " AveragePool MaxPool GlobalAveragePool GlobalMaxPool ReduceMean "
     "ReduceSum ReduceMax LpPool "},
    {"shape", "shape",
     " Reshape Transpose Flatten Concat Split Slice Squeeze Unsqueeze Shape "
     "Gather Expand Pad Tile Cast CastLike Identity Resize Constant "
     "ConstantOfShape Range Size "},
    {"other", "other", ""}};

enum { KIND_COUNT = sizeof kinds / sizeof *kinds };

const char *html_kind(const char *op)
{
    char word[64];
    int length = snprintf(word, sizeof word, " %s ", op);
    for (size_t i = 0; length < (int)sizeof word && i < KIND_COUNT; i++)
        if (strstr(kinds[i].ops, word))
            return kinds[i].class;
    return "other";
}

static void print_legend(Page *page)
{
    html_print(page, "<ul class=\"legend\">\n");
    for (size_t i = 0; i < KIND_COUNT; i++)
        html_print(page,
                   "<li><svg viewBox=\"0 0 10 10\" aria-hidden=\"true\"><rect "
                   "class=\"k k-%s\" width=\"10\" height=\"10\" rx=\"2\"/>"
                   "</svg>%s</li>\n",
                   kinds[i].class, kinds[i].title);
    html_print(page, "</ul>\n");
}

/* ---- The whole network in two strips ---- */

static size_t count_drawn(const rp_node_info *nodes, size_t count)
{
    size_t drawn = 0;
    for (size_t i = 0; i < count; i++)
        drawn += node_is_drawn(&nodes[i]);
    return drawn;
}

static void print_strip(Page *page, const char *title,
                        const rp_node_info *nodes, size_t count, size_t width)
{
    size_t at = 0;
    html_print(page,
               "<span class=\"soft small\">%s</span><svg class=\"strip\" "
               "viewBox=\"0 0 %zu 10\" preserveAspectRatio=\"none\" "
               "role=\"img\" aria-label=\"%zu nodes in order, by kind\">",
               title, width, count_drawn(nodes, count));
    for (size_t i = 0; i < count; i++)
        if (node_is_drawn(&nodes[i]))
            html_print(page,
                       "<rect class=\"k k-%s\" x=\"%zu\" width=\".86\" "
                       "height=\"10\"/>",
                       html_kind(nodes[i].op), at++);
    html_print(page, "</svg>\n");
}

static void print_strips(Page *page)
{
    const Report *report = page->report;
    size_t a = count_drawn(report->nodes_a, report->node_count_a);
    size_t b = count_drawn(report->nodes_b, report->node_count_b);
    size_t width = a > b ? a : b;
    if (width == 0 || width > STRIP_MAX)
        return;
    html_print(page, "<div class=\"strips\">\n");
    print_strip(page, "before", report->nodes_a, report->node_count_a, width);
    print_strip(page, "after", report->nodes_b, report->node_count_b, width);
    html_print(page, "</div>\n");
}

/* Both, and what leads from one to the other. */
typedef struct Drawing {
    Page *page;
    Column a, b;
    size_t *partner;     /* of b's nodes in a; SIZE_MAX: none */
    const char **blocks; /* by node of a: the kind of block that ends there */
    int rows;
    double left_b; /* where b's lanes begin */
    double right_a, begin_b;
} Drawing;

/* ---- Drawing ---- */

static double row_y(int row)
{
    return TOP + ROW * row + ROW / 2.0;
}

static double lane_x(double left, int lane)
{
    return left + LANE * lane + LANE / 2.0;
}

static void print_edges(const Drawing *drawing, const Column *column,
                        double left)
{
    Page *page = drawing->page;
    double bottom = TOP + ROW * drawing->rows + 6;
    html_print(page, "<g class=\"edges\">");
    for (size_t i = 0; i < column->size; i++) {
        size_t index = column->order[i];
        const rp_node_info *node = &column->nodes[index];
        double y = row_y(column->row[index]);
        double x = lane_x(left, column->lane[index]);
        for (size_t k = 0; k < node->source_count; k++) {
            size_t source = node->sources[k];
            if (column->lane[source] < 0)
                continue;
            double x0 = lane_x(left, column->lane[source]);
            double y0 =
                column->row[source] < 0 ? TOP - 8 : row_y(column->row[source]);
            html_print(
                page,
                "<path class=\"edge\" d=\"M%g %gV%gC%g %g %g %g %g %g\"/>", x0,
                y0, y - 15, x0, y - 4, x, y - 11, x, y);
        }
        if (column->last[index] >= ROWS_MAX)
            html_print(page, "<path class=\"edge\" d=\"M%g %gV%g\"/>", x, y,
                       bottom);
    }
    html_print(page, "</g>\n");
}

/* Whether a segment that ends here differs by more than rounding explains. */
static bool is_faulty(const Page *page, const rp_node_info *node)
{
    const rp_verdict_info *verdict = page->report->verdict;
    for (size_t i = 0; verdict && i < verdict->fault_count; i++)
        if (strcmp(verdict->faults[i].output, node->output) == 0)
            return true;
    return false;
}

/* Opens what a node's parts are in: a link to its fold where it has one. */
static void open_node(const Drawing *drawing, char side, size_t index,
                      size_t group)
{
    Page *page = drawing->page;
    const rp_fold_record *fold =
        group == SIZE_MAX ? NULL : page->fold_of[group];
    const rp_node_info *node =
        side == 'a' ? &drawing->a.nodes[index] : &drawing->b.nodes[index];
    html_print(page, "<g id=\"%c%zu\" class=\"k-%s%s\"", side, index,
               html_kind(node->op),
               side == 'b' && is_faulty(page, node) ? " fault" : "");
    if (group != SIZE_MAX)
        html_print(page, " data-g=\"%zu\"", group);
    html_print(page, "><title>");
    html_text(page, node->op);
    html_print(page, " ");
    html_text(page, node->name);
    html_print(page, "</title>");
    if (fold)
        html_print(page, "<a href=\"#fold-%d\">", fold->number);
}

static void print_node(const Drawing *drawing, const Column *column,
                       double left, size_t index)
{
    const char *block = column == &drawing->a ? drawing->blocks[index] : NULL;
    Page *page = drawing->page;
    const rp_node_info *node = &column->nodes[index];
    double y = row_y(column->row[index]);
    double text = left + LANE * column->lanes + 8;
    size_t letters = strlen(node->op);
    double width = 6.7 * (double)(letters > 26 ? 26 : letters) + 12;
    html_print(page,
               "<circle class=\"dot\" cx=\"%g\" cy=\"%g\" r=\"4.5\"/><rect "
               "class=\"box\" x=\"%g\" y=\"%g\" width=\"%.1f\" height=\"17\" "
               "rx=\"4\"/><text x=\"%g\" y=\"%g\">",
               lane_x(left, column->lane[index]), y, text, y - 8.5, width,
               text + 6, y + 4);
    html_tail(page, node->op, 25);
    html_print(page, "</text><text class=\"dim\" x=\"%.1f\" y=\"%g\">",
               text + width + 7, y + 4);
    html_text(page, node->detail);
    double used = width + 7 + 6.7 * (double)strlen(node->detail);
    double room = (LABEL - used) / 6.7 - 2;
    if (block)
        room -= (double)strlen(block) + 2;
    if (*node->detail)
        html_print(page, " ");
    if (room >= 6)
        html_tail(page, node->name, (size_t)room);
    html_print(page, "</text>");
    if (block)
        html_print(page, "<text class=\"block\" x=\"%g\" y=\"%g\">%s</text>",
                   left + LANE * column->lanes + LABEL - 2, y + 4, block);
}

/* One band from consecutive rows of a to a node of b. */
static void print_ribbon(const Drawing *drawing, size_t group, int first,
                         int last, double y, bool odd)
{
    double x0 = lane_x(0, drawing->a.lanes) + 2, x1 = drawing->right_a;
    double x2 = drawing->begin_b, middle = (x1 + x2) / 2;
    double top = row_y(first) - 10, bottom = row_y(last) + 10;
    html_print(drawing->page,
               "<path class=\"ribbon%s\" data-g=\"%zu\" d=\"M%g %gH%gC%g %g %g "
               "%g %g %gV%gC%g %g %g %g %g %gH%gZ\"/>",
               odd ? " odd" : "", group, x0, top, x1, middle, top, middle,
               y - 9, x2, y - 9, y + 9, middle, y + 9, middle, bottom, x1,
               bottom, x0);
}

static void print_ribbons(const Drawing *drawing)
{
    Page *page = drawing->page;
    const Column *b = &drawing->b;
    bool odd = false;
    for (size_t i = 0; i < b->size; i++) {
        size_t node = b->order[i], end = page->first[node + 1];
        if (page->first[node] == end)
            continue;
        odd = !odd;
        for (size_t at = page->first[node]; at < end;) {
            int first = drawing->a.row[page->merged[at].a], last = first;
            while (++at < end && drawing->a.row[page->merged[at].a] == last + 1)
                last++;
            if (first >= 0)
                print_ribbon(drawing, node, first, last, row_y(b->row[node]),
                             odd);
        }
    }
}

/* Where nothing was merged, a line says that the two are one. */
static void print_ties(const Drawing *drawing)
{
    const Column *b = &drawing->b;
    for (size_t i = 0; i < b->size; i++) {
        size_t node = b->order[i], partner = drawing->partner[node];
        const Page *page = drawing->page;
        if (partner == SIZE_MAX || drawing->a.row[partner] < 0 ||
            page->first[node] != page->first[node + 1])
            continue;
        html_print(drawing->page, "<path class=\"tie\" d=\"M%g %gL%g %g\"/>",
                   drawing->right_a, row_y(drawing->a.row[partner]),
                   drawing->begin_b, row_y(b->row[node]));
    }
}

/* What each node of a went into, SIZE_MAX where it did not. */
static void print_nodes_a(const Drawing *drawing, const size_t *into)
{
    for (size_t i = 0; i < drawing->a.size; i++) {
        size_t index = drawing->a.order[i];
        open_node(drawing, 'a', index, into[index]);
        print_node(drawing, &drawing->a, 0, index);
        bool linked =
            into[index] != SIZE_MAX && drawing->page->fold_of[into[index]];
        html_print(drawing->page, "%s</g>\n", linked ? "</a>" : "");
    }
}

static void print_nodes_b(const Drawing *drawing)
{
    const Page *page = drawing->page;
    for (size_t i = 0; i < drawing->b.size; i++) {
        size_t index = drawing->b.order[i];
        bool merged = page->first[index] != page->first[index + 1];
        size_t group = merged ? index : SIZE_MAX;
        open_node(drawing, 'b', index, group);
        print_node(drawing, &drawing->b, drawing->left_b, index);
        html_print(drawing->page, "%s</g>\n",
                   merged && page->fold_of[index] ? "</a>" : "");
    }
}

static void print_stage(Drawing *drawing, const size_t *into)
{
    Page *page = drawing->page;
    drawing->right_a = LANE * drawing->a.lanes + LABEL;
    drawing->begin_b = drawing->right_a + GAP;
    drawing->left_b = drawing->begin_b + 4;
    double width = drawing->left_b + LANE * drawing->b.lanes + LABEL + 8;
    html_print(page,
               "<div class=\"scroll\"><svg class=\"graph\" width=\"%g\" "
               "height=\"%d\" viewBox=\"0 0 %g %d\" role=\"group\" "
               "aria-label=\"the stage before and after\">\n",
               width, TOP + ROW * drawing->rows + 12, width,
               TOP + ROW * drawing->rows + 12);
    html_print(page,
               "<text class=\"head\" x=\"4\" y=\"14\">before: %zu nodes</text>"
               "<text class=\"head\" x=\"%g\" y=\"14\">after: %zu nodes</text>",
               drawing->a.size, drawing->left_b + 4, drawing->b.size);
    print_ties(drawing);
    print_ribbons(drawing);
    print_edges(drawing, &drawing->a, 0);
    print_edges(drawing, &drawing->b, drawing->left_b);
    print_nodes_a(drawing, into);
    print_nodes_b(drawing);
    html_print(page, "</svg></div>\n");
}

/* ---- Stages ---- */

/* What stands before the first stage belongs to it; a node of b is drawn where
 * its partner is. */
static void find_stages(Drawing *drawing)
{
    const rp_diff_info *diff = drawing->page->report->diff;
    Column *a = &drawing->a, *b = &drawing->b;
    for (size_t i = 0; i < a->count; i++)
        a->stage[i] = a->nodes[i].stage < 0 ? 0 : a->nodes[i].stage;
    for (size_t i = 0; i < b->count; i++) {
        b->stage[i] = b->nodes[i].stage < 0 ? 0 : b->nodes[i].stage;
        drawing->partner[i] = SIZE_MAX;
    }
    for (size_t i = 0; i < diff->node_count; i++) {
        const rp_node_match *match = &diff->nodes[i];
        if (match->a == SIZE_MAX || match->b == SIZE_MAX)
            continue;
        /* Of all that were merged the last, in graph order, is the end. */
        drawing->partner[match->b] = match->a;
        b->stage[match->b] = a->stage[match->a];
    }
}

/* Blocks come in the order of the nodes that they end with. */
static void find_blocks(Drawing *drawing)
{
    const rp_summary *before = drawing->page->report->before;
    for (size_t i = 0, block = 0;
         i < drawing->a.count && block < before->block_count; i++)
        while (block < before->block_count &&
               strcmp(before->blocks[block].where, drawing->a.nodes[i].name) ==
                   0)
            drawing->blocks[i] = before->blocks[block++].kind;
}

static void print_stage_head(Page *page, const Drawing *drawing, int stage,
                             bool open)
{
    const rp_summary *before = page->report->before;
    html_print(page, "<details class=\"stage\"%s><summary>Stage %d ",
               open ? " open" : "", stage + 1);
    if ((size_t)stage < before->stage_count) {
        html_print(page, "<span>&middot; ");
        html_text(page, before->stages[stage].size);
        html_print(page, " &middot; ");
        html_text(page, before->stages[stage].channels);
        html_print(page, " channels</span> ");
    }
    html_print(page, "<span>&middot; %zu &rarr; %zu nodes</span></summary>\n",
               drawing->a.size, drawing->b.size);
}

static bool draw_stage(Drawing *drawing, int stage, const size_t *into)
{
    Page *page = drawing->page;
    drawing->rows = rows_in_order(&drawing->a, stage);
    if (!rows_beside(&drawing->b, &drawing->a, drawing->partner, stage,
                     &drawing->rows))
        return false;
    if (drawing->a.size + drawing->b.size == 0)
        return true;
    print_stage_head(page, drawing, stage, stage == 0);
    if (drawing->rows > ROWS_MAX) {
        html_print(page, "<p>Too many nodes to draw; <code>repfold diff -v"
                         "</code> lists them.</p></details>\n");
        return true;
    }
    find_lanes(&drawing->a, stage);
    find_lanes(&drawing->b, stage);
    print_stage(drawing, into);
    html_print(page, "</details>\n");
    return true;
}

static void draw_stages(Drawing *drawing)
{
    Page *page = drawing->page;
    size_t stages = page->report->before->stage_count;
    size_t *into = calloc(drawing->a.count + 1, sizeof *into);
    bool done = into != NULL;
    for (size_t i = 0; into && i < drawing->a.count; i++)
        into[i] = SIZE_MAX;
    for (size_t i = 0; into && i < page->merged_count; i++)
        into[page->merged[i].a] = page->merged[i].b;
    if (stages == 0)
        stages = 1;
    for (size_t i = 0; done && i < stages && i < STAGES_MAX; i++)
        done = draw_stage(drawing, (int)i, into);
    if (!done)
        html_print(page, "<p>There was no memory for the drawing.</p>\n");
    if (stages > STAGES_MAX)
        html_print(page, "<p>And %zu more stages.</p>\n", stages - STAGES_MAX);
    free(into);
}

void html_graph(Page *page)
{
    const Report *report = page->report;
    Drawing drawing = {.page = page};
    html_print(page,
               "<section id=\"graph\"><h2>Graph</h2>\n<p class=\"soft\">Left "
               "the network before, right after; ribbons lead from the nodes "
               "that were merged to the one that computes them all. Constants "
               "are not drawn.</p>\n");
    print_legend(page);
    print_strips(page);
    drawing.partner = calloc(report->node_count_b + 1, sizeof(size_t));
    bool made = column_make(&drawing.a, report->nodes_a, report->node_count_a) &
                column_make(&drawing.b, report->nodes_b, report->node_count_b);
    drawing.blocks = calloc(report->node_count_a + 1, sizeof(char *));
    if (made && drawing.partner && drawing.blocks) {
        find_blocks(&drawing);
        find_stages(&drawing);
        draw_stages(&drawing);
    } else {
        html_print(page, "<p>There was no memory for the drawing.</p>\n");
    }
    free(drawing.partner);
    free(drawing.blocks);
    column_free(&drawing.a);
    column_free(&drawing.b);
    html_print(page, "</section>\n");
}
