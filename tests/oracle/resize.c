/* Resampling. */
#include <math.h>

#include "oracle.h"

/* Where position i of the output lies in the input. The width of an output that
 * is aligned at its corners is not rounded. */
static double source(const OracleCall *call, double i, double scale, double in,
                     double out)
{
    const Node *node = call->node;
    const char *name = "coordinate_transformation_mode";
    if (node_string_is(node, name, "asymmetric"))
        return i / scale;
    if (node_string_is(node, name, "align_corners"))
        return scale * in == 1 ? 0 : i * (in - 1) / (scale * in - 1);
    if (node_string_is(node, name, "pytorch_half_pixel") && out <= 1)
        return 0;
    return (i + 0.5) / scale - 0.5;
}

static double nearest(const OracleCall *call, double x)
{
    const Node *node = call->node;
    if (node_string_is(node, "nearest_mode", "floor"))
        return floor(x);
    if (node_string_is(node, "nearest_mode", "ceil"))
        return ceil(x);
    if (node_string_is(node, "nearest_mode", "round_prefer_ceil"))
        return floor(x + 0.5);
    return ceil(x - 0.5);
}

/* Keys' cubic convolution (Keys 1981) with a = -0.75, at distance d. */
static double cubic(double d)
{
    const double a = -0.75;
    d = fabs(d);
    if (d <= 1)
        return ((a + 2) * d - (a + 3)) * d * d + 1;
    return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

/* How much of input k is in output i, along one axis. */
static double share(const OracleCall *call, int64_t i, int64_t k, double scale,
                    const int64_t sizes[2])
{
    double x =
        source(call, (double)i, scale, (double)sizes[0], (double)sizes[1]);
    bool is_cubic = node_string_is(call->node, "mode", "cubic");
    bool is_linear = node_string_is(call->node, "mode", "linear");
    double sum = 0, first = floor(x) - 1;
    if (!is_cubic && !is_linear)
        return fmin(fmax(nearest(call, x), 0), (double)(sizes[0] - 1)) ==
               (double)k;
    for (double t = first; t < first + 4; t++) {
        double near = fmin(fmax(t, 0), (double)(sizes[0] - 1));
        double weight = is_cubic ? cubic(x - t) : fmax(0, 1 - fabs(x - t));
        sum += near == (double)k ? weight : 0;
    }
    return sum;
}

/* y[i, j, ..] = sum over all k, l, .. of x[k, l, ..] times the share of k in
 * i, of l in j, .. */
void oracle_resize(const OracleCall *call)
{
    const Grid *x = call->inputs[0], *scales = call->inputs[2];
    Grid *y = call->output;
    for (int64_t o = 0; o < y->count; o++) {
        y->data[o] = 0;
        for (int64_t k = 0; k < x->count; k++) {
            int64_t at[RANK_MAX], from[RANK_MAX];
            double part = x->data[k];
            grid_index(y, o, at);
            grid_index(x, k, from);
            for (int i = 0; i < x->rank; i++) {
                int64_t sizes[2] = {x->dims[i], y->dims[i]};
                double scale = scales ? scales->data[i]
                                      : (double)sizes[1] / (double)sizes[0];
                part *= share(call, at[i], from[i], scale, sizes);
            }
            y->data[o] += part;
        }
    }
}

/* ---- GridSample ---- */

typedef struct Rim {
    double low, high; /* where coordinates are mirrored */
    double last;      /* the last element */
    bool zeros, border;
} Rim;

static double inside(const Rim *rim, double x)
{
    if (rim->border)
        return fmin(fmax(x, 0), rim->last);
    if (rim->high <= rim->low)
        return rim->low;
    while (x < rim->low || x > rim->high)
        x = 2 * (x < rim->low ? rim->low : rim->high) - x;
    return x;
}

/* How much of input k is in what a grid's coordinate names, along one axis. */
static double grid_share(const OracleCall *call, double at, double k,
                         double size)
{
    const Node *node = call->node;
    bool corners = node_int(node, "align_corners", 0) != 0;
    bool is_nearest = node_string_is(node, "mode", "nearest");
    bool is_cubic = node_string_is(node, "mode", "cubic");
    double half = corners ? 0 : 0.5, sum = 0;
    Rim rim = {.low = -half,
               .high = size - 1 + half,
               .last = size - 1,
               .zeros = !node_attr(node, "padding_mode") ||
                        node_string_is(node, "padding_mode", "zeros"),
               .border = node_string_is(node, "padding_mode", "border")};
    double x = (at + 1) / 2 * (rim.high - rim.low) + rim.low;
    if (is_nearest)
        x = rint(x);
    if (!rim.zeros && (x < rim.low || x > rim.high))
        x = inside(&rim, x);
    for (double t = floor(x) - 1; t < floor(x) + 3; t++) {
        double weight = is_nearest ? t == x
                        : is_cubic ? cubic(x - t)
                                   : fmax(0, 1 - fabs(x - t));
        bool beside = t < 0 || t > rim.last;
        double from = beside && !rim.zeros ? trunc(inside(&rim, t)) : t;
        sum += from == k ? weight : 0;
    }
    return sum;
}

/* y[n, c, p..] = sum over all k.. of x[n, c, k..] times the share of each k at
 * the place that the grid gives for p.., last axis first. */
void oracle_grid_sample(const OracleCall *call)
{
    const Grid *x = call->inputs[0], *grid = call->inputs[1];
    Grid *y = call->output;
    int spatial = x->rank - 2;
    for (int64_t o = 0; o < y->count; o++) {
        y->data[o] = 0;
        for (int64_t k = 0; k < x->count; k++) {
            int64_t at[RANK_MAX], from[RANK_MAX], place[RANK_MAX];
            double part = x->data[k];
            grid_index(y, o, at);
            grid_index(x, k, from);
            if (at[0] != from[0] || at[1] != from[1])
                continue;
            place[0] = at[0];
            for (int i = 0; i < spatial; i++)
                place[1 + i] = at[2 + i];
            for (int i = 0; i < spatial; i++) {
                place[1 + spatial] = spatial - 1 - i;
                part *= grid_share(call, grid_at(grid, place),
                                   (double)from[2 + i], (double)x->dims[2 + i]);
            }
            y->data[o] += part;
        }
    }
}

/* ---- RoiAlign ---- */

/* How much of pixel k is in a sample at that place of an axis. */
static double pixel_share(double at, double k, double size)
{
    if (at < -1 || at > size)
        return 0;
    return fmax(0, 1 - fabs(fmin(fmax(at, 0), size - 1) - k));
}

/* Samples of a bin along an axis, the share of pixel k in all of them. */
static double bin_share(const OracleCall *call, const double *region, int axis,
                        int64_t bin, double k)
{
    double scale = (double)node_float(call->node, "spatial_scale", 1);
    bool shifted = call->opset >= 16 &&
                   !node_string_is(call->node, "coordinate_transformation_mode",
                                   "output_half_pixel");
    double first = region[1 - axis] * scale - (shifted ? 0.5 : 0);
    double size = (region[3 - axis] - region[1 - axis]) * scale, sum = 0;
    if (!shifted)
        size = fmax(size, 1);
    size /= (double)call->output->dims[2 + axis];
    double samples = (double)node_int(call->node, "sampling_ratio", 0);
    if (samples == 0)
        samples = ceil(size);
    for (double i = 0.5; i < samples; i++)
        sum += pixel_share(first + ((double)bin + i / samples) * size, k,
                           (double)call->inputs[0]->dims[2 + axis]);
    return samples > 0 ? sum / samples : 0;
}

/* y[r, c, i, j] = sum over all k, l of x[image of r, c, k, l] times the shares
 * of k in i and of l in j: the mean of the samples. */
void oracle_roi_align(const OracleCall *call)
{
    const Grid *x = call->inputs[0];
    Grid *y = call->output;
    for (int64_t o = 0; o < y->count; o++) {
        int64_t at[RANK_MAX];
        grid_index(y, o, at);
        const double *region = call->inputs[1]->data + 4 * at[0];
        int64_t image = (int64_t)call->inputs[2]->data[at[0]];
        y->data[o] = 0;
        for (int64_t k = 0; k < x->dims[2]; k++)
            for (int64_t l = 0; l < x->dims[3]; l++)
                y->data[o] += grid_at(x, (int64_t[]){image, at[1], k, l}) *
                              bin_share(call, region, 0, at[2], (double)k) *
                              bin_share(call, region, 1, at[3], (double)l);
    }
}
