/* The page's plots, as SVG. */
#include "html.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    WIDTH = 520,
    HEIGHT = 200,
    LEFT = 52,
    RIGHT = 12,
    ABOVE = 12,
    BELOW = 34
};

static const double plot_width = WIDTH - LEFT - RIGHT;
static const double plot_height = HEIGHT - ABOVE - BELOW;

static void open_plot(Page *page, const char *label, int height)
{
    html_print(page,
               "<svg class=\"plot\" viewBox=\"0 0 %d %d\" role=\"img\" "
               "aria-label=\"%s\">",
               WIDTH, height, label);
}

static void print_label(Page *page, double x, double y, const char *anchor,
                        const char *text)
{
    html_print(page, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>",
               x, y, anchor, text);
}

/* ---- Error per output channel ---- */

enum { BARS_MAX = 400 };

/* Powers of ten around all that is shown. */
typedef struct Decades {
    int low, high;
} Decades;

static double decade_y(Decades decades, double value)
{
    double place = value > 0 ? log10(value) - decades.low : 0;
    double span = decades.high - decades.low;
    return ABOVE + plot_height * (1 - fmin(fmax(place / span, 0), 1));
}

static Decades decades_of(const rp_output_verdict *output)
{
    double floor_at = output->noise_floor, most = 2 * floor_at;
    double least = floor_at > 0 ? floor_at : HUGE_VAL;
    for (size_t i = 0; i < output->channels; i++) {
        double error = output->channel_errors[i];
        if (error > 0 && isfinite(error))
            least = fmin(least, error);
        if (isfinite(error))
            most = fmax(most, error);
    }
    if (!(most > 0))
        most = 1e-16;
    if (!(least <= most))
        least = most / 10;
    Decades decades = {(int)floor(log10(least)), (int)ceil(log10(most))};
    if (decades.high - decades.low > 12)
        decades.low = decades.high - 12;
    if (decades.high == decades.low)
        decades.low--;
    return decades;
}

static void print_decades(Page *page, Decades decades)
{
    int step = (decades.high - decades.low + 3) / 4;
    for (int i = decades.low; i <= decades.high; i += step ? step : 1) {
        char text[16];
        double y = decade_y(decades, pow(10, i));
        snprintf(text, sizeof text, "1e%d", i);
        html_print(page, "<path class=\"grid\" d=\"M%d %.1fH%d\"/>", LEFT, y,
                   WIDTH - RIGHT);
        print_label(page, LEFT - 6, y + 4, "end", text);
    }
}

/* Each stem is the largest of the channels that share its place. */
static void print_stems(Page *page, const rp_output_verdict *output,
                        Decades decades)
{
    size_t bars = output->channels < BARS_MAX ? output->channels : BARS_MAX;
    double pitch = plot_width / (double)bars;
    html_print(page, "<path class=\"stem\" stroke-width=\"%.2f\" d=\"",
               fmin(fmax(0.75 * pitch, 0.8), 18));
    for (size_t bar = 0; bar < bars; bar++) {
        size_t begin = bar * output->channels / bars;
        size_t end = (bar + 1) * output->channels / bars;
        double error = 0;
        for (size_t i = begin; i < end; i++)
            error = fmax(error, output->channel_errors[i]);
        if (error > 0)
            html_print(page, "M%.1f %.1fV%.1f",
                       LEFT + pitch * ((double)bar + 0.5), ABOVE + plot_height,
                       decade_y(decades, error));
    }
    html_print(page, "\"/>");
}

static void print_channels(Page *page, const rp_output_verdict *output)
{
    Decades decades = decades_of(output);
    char text[48];
    html_print(page, "<figure><figcaption><b>Error by channel</b> of output "
                     "<code>");
    html_text(page, output->name);
    html_print(page, "</code>: the largest difference in float64 over max |y|"
                     "</figcaption>");
    open_plot(page, "error by output channel", HEIGHT);
    print_decades(page, decades);
    print_stems(page, output, decades);
    if (output->noise_floor > 0) {
        double y = decade_y(decades, output->noise_floor);
        html_print(page,
                   "<path class=\"mark\" d=\"M%d %.1fH%d\"/><text "
                   "class=\"marktext\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">"
                   "noise floor</text>",
                   LEFT, y, WIDTH - RIGHT, WIDTH - RIGHT, y - 4);
    }
    print_label(page, LEFT, HEIGHT - 16, "start", "0");
    snprintf(text, sizeof text, "%zu", output->channels - 1);
    print_label(page, WIDTH - RIGHT, HEIGHT - 16, "end", text);
    print_label(page, LEFT + plot_width / 2, HEIGHT - 4, "middle", "channel");
    html_print(page, "</svg></figure>\n");
}

/* ---- Rounding of the folded weights ---- */

static void print_rounding(Page *page, const rp_rounding_info *info)
{
    double most = 2.0 / RP_ROUNDING_BINS;
    const double pitch = plot_width / RP_ROUNDING_BINS;
    for (int i = 0; i < RP_ROUNDING_BINS; i++)
        most = fmax(most, (double)info->bins[i] / (double)info->count);
    html_print(page,
               "<figure><figcaption><b>Rounding of %s folded weights</b>: how "
               "far what is stored is from the exact fold, in units in the "
               "last place (ulp). To nearest it is spread evenly up to one "
               "half; the largest here is %s.</figcaption>",
               format_large((double)info->count), format_number(info->largest));
    open_plot(page, "histogram of weight rounding", HEIGHT);
    for (int i = 0; i <= 2; i++) {
        char text[16];
        double y = ABOVE + plot_height * (1 - i / 2.0);
        snprintf(text, sizeof text, "%.1f %%", 100 * most * i / 2);
        html_print(page, "<path class=\"grid\" d=\"M%d %.1fH%d\"/>", LEFT, y,
                   WIDTH - RIGHT);
        print_label(page, LEFT - 6, y + 4, "end", text);
    }
    for (int i = 0; i < RP_ROUNDING_BINS; i++) {
        double share = (double)info->bins[i] / (double)info->count;
        double height = plot_height * share / most;
        html_print(page,
                   "<rect class=\"fill\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
                   "height=\"%.1f\"/>",
                   LEFT + pitch * i + 1, ABOVE + plot_height - height,
                   pitch - 2, height);
    }
    print_label(page, LEFT, HEIGHT - 16, "middle", "0");
    print_label(page, LEFT + plot_width / 2, HEIGHT - 16, "middle", "&frac14;");
    print_label(page, WIDTH - RIGHT, HEIGHT - 16, "end", "&frac12; ulp");
    html_print(page, "</svg></figure>\n");
}

/* ---- Time per operator ---- */

enum { BENCH_ROWS = 12, BENCH_ROW = 30, GROUPS_MAX = 64 };

/* The operators whose name begins alike: a node runs together with the
 * elementwise ones behind it, as "Conv+Relu". */
typedef struct Group {
    char name[32];
    double before, after; /* ms */
} Group;

typedef struct Groups {
    Group list[GROUPS_MAX];
    size_t count;
} Groups;

/* What finds no place of its own joins the last. */
static Group *group_of(Groups *groups, const char *op)
{
    char name[sizeof groups->list[0].name];
    size_t i = 0;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(op, "+"), op);
    while (i < groups->count && strcmp(groups->list[i].name, name) != 0)
        i++;
    if (i == GROUPS_MAX)
        return &groups->list[GROUPS_MAX - 1];
    if (i == groups->count)
        strcpy(groups->list[groups->count++].name, name);
    return &groups->list[i];
}

static int by_time(const void *x, const void *y)
{
    const Group *a = x, *b = y;
    double s = fmax(a->before, a->after), t = fmax(b->before, b->after);
    return s != t ? (s < t ? 1 : -1) : strcmp(a->name, b->name);
}

static void take_groups(Groups *groups, const rp_bench_info *a,
                        const rp_bench_info *b)
{
    for (size_t i = 0; i < a->operator_count; i++)
        group_of(groups, a->operators[i].op)->before +=
            a->operators[i].median_ms;
    for (size_t i = 0; i < b->operator_count; i++)
        group_of(groups, b->operators[i].op)->after +=
            b->operators[i].median_ms;
    if (groups->count > 1)
        qsort(groups->list, groups->count, sizeof *groups->list, by_time);
}

static void print_time(Page *page, double y, double ms, double most,
                       const char *class)
{
    double left = LEFT + 110, width = (WIDTH - RIGHT - 70 - left) * ms / most;
    html_print(page,
               "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
               "height=\"10\" rx=\"2\"/><text x=\"%.1f\" y=\"%.1f\">%s ms"
               "</text>",
               class, left, y, fmax(width, 0.5), left + width + 5, y + 9,
               format_number(ms));
}

static void print_bench(Page *page, const rp_bench_info *a,
                        const rp_bench_info *b)
{
    Groups groups = {.count = 0};
    take_groups(&groups, a, b);
    size_t rows = groups.count < BENCH_ROWS ? groups.count : BENCH_ROWS;
    double most = fmax(a->median_ms, b->median_ms);
    html_print(page,
               "<figure><figcaption><b>Time by operator</b>, with the "
               "elementwise ones that run with it, in repfold's own float32 "
               "executor: before (grey) and after, %s ms and %s ms in all."
               "</figcaption>",
               format_number(a->median_ms), format_number(b->median_ms));
    open_plot(page, "time by operator before and after",
              (int)(rows + 1) * BENCH_ROW + 6);
    for (size_t i = 0; i <= rows; i++) {
        const Group *group = i ? &groups.list[i - 1] : NULL;
        double y = (double)i * BENCH_ROW + 4;
        html_print(page, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">",
                   LEFT + 104, y + 15);
        html_tail(page, group ? group->name : "in all", 22);
        html_print(page, "</text>");
        print_time(page, y, group ? group->before : a->median_ms, most,
                   "before");
        print_time(page, y + 12, group ? group->after : b->median_ms, most,
                   "fill");
    }
    html_print(page, "</svg></figure>\n");
}

void html_plots(Page *page)
{
    const Report *report = page->report;
    const rp_verdict_info *verdict = report->verdict;
    html_print(page, "<section id=\"plots\"><h2>Plots</h2>\n"
                     "<div class=\"plots\">\n");
    for (size_t i = 0; verdict && i < verdict->output_count; i++)
        if (verdict->outputs[i].channels > 0)
            print_channels(page, &verdict->outputs[i]);
    if (report->certified && report->certified->info->rounding.count > 0)
        print_rounding(page, &report->certified->info->rounding);
    if (report->bench_before && report->bench_after)
        print_bench(page, report->bench_before, report->bench_after);
    html_print(page, "</div>\n");
    if (!report->bench_before)
        html_print(page, "<p class=\"soft small\">With <code>--bench</code>, "
                         "convert and verify also show the time by operator."
                         "</p>\n");
    html_print(page, "</section>\n");
}
