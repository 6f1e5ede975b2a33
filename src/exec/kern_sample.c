/*
 * GridSample: reads the input at fractional places that a grid gives, as
 * torch's grid_sample does; one weighted sum of neighbours for each.
 */
#include <math.h>
#include <string.h>

#include "exec/cubic.h"
#include "exec/kernel.h"
#include "exec/tap.h"

typedef enum Mode { MODE_NEAREST, MODE_LINEAR, MODE_CUBIC } Mode;
typedef enum Padding { PADDING_ZEROS, PADDING_BORDER, PADDING_REFLECT } Padding;

/* Neighbours along an axis, and in all. */
enum { AXIS_TAPS = 4, TAPS_MAX = 64 };

typedef struct Sampling {
    Mode mode;
    Padding padding;
    bool align_corners;
    int spatial;
    int64_t size[RANK_MAX]; /* of each spatial axis */
    int64_t channels, in_size, places;
    const void *in, *grid;
    void *out;
    Storage storage;
} Sampling;

/* Mirrors x at both ends until it lies between them. */
static double reflect(double x, double low, double high)
{
    double range = high - low;
    if (x >= low && x <= high)
        return x;
    if (range <= 0)
        return low;
    double beyond = x < low ? low - x : x - high;
    double rest = fmod(beyond, range);
    bool even = fmod(floor(beyond / range), 2) == 0;
    return (x < low) == even ? low + rest : high - rest;
}

/* Half a pixel beyond the outer centres, but for align_corners. */
static double reflect_axis(const Sampling *s, int axis, double x)
{
    double rim = s->align_corners ? 0 : 0.5;
    return reflect(x, -rim, (double)(s->size[axis] - 1) + rim);
}

/* The input coordinate of a grid's element, which is -1 at one end and 1 at the
 * other. What lies far away, or is no number, has no neighbours. */
static double input_coordinate(const Sampling *s, int axis, double at)
{
    double size = (double)s->size[axis], rim = s->align_corners ? 0 : 0.5;
    double x = s->align_corners ? (at + 1) / 2 * (size - 1)
                                : ((at + 1) * size - 1) / 2;
    if (s->mode == MODE_NEAREST)
        x = rint(x);
    if (x < -rim || x > size - 1 + rim) {
        if (s->padding == PADDING_BORDER)
            x = fmin(fmax(x, 0), size - 1);
        else if (s->padding == PADDING_REFLECT)
            x = reflect_axis(s, axis, x);
    }
    return fmin(fmax(x, -AXIS_TAPS), size + AXIS_TAPS);
}

/* Which element a neighbour is; -1 for a zero beside the input. */
static int64_t source_index(const Sampling *s, int axis, int64_t index)
{
    int64_t size = s->size[axis];
    if (index >= 0 && index < size)
        return index;
    if (s->padding == PADDING_ZEROS)
        return -1;
    if (s->padding == PADDING_REFLECT)
        index = (int64_t)reflect_axis(s, axis, (double)index);
    return index < 0 ? 0 : index >= size ? size - 1 : index;
}

static int axis_taps(const Sampling *s, int axis, double at, Tap *taps)
{
    /* Of cubic_coeff_a of Resize there is but one value here. */
    static const double a = -0.75;
    double x = input_coordinate(s, axis, at), first = floor(x);
    int count = s->mode == MODE_NEAREST ? 1 : s->mode == MODE_LINEAR ? 2 : 4;
    if (s->mode == MODE_CUBIC)
        first--;
    for (int i = 0; i < count; i++) {
        double away = fabs(first + i - x);
        taps[i].offset = source_index(s, axis, (int64_t)first + i);
        taps[i].weight = s->mode == MODE_CUBIC ? cubic(a, away) : 1 - away;
    }
    return count;
}

/* The neighbours of a place in all axes, without those that are zero. The grid
 * names the last axis first. */
static int place_taps(const Sampling *s, const double *at, Tap *taps)
{
    int count = 1;
    taps[0] = (Tap){0, 1};
    for (int axis = 0; axis < s->spatial; axis++) {
        Tap along[AXIS_TAPS], all[TAPS_MAX];
        int more = axis_taps(s, axis, at[s->spatial - 1 - axis], along);
        int made = 0;
        for (int i = 0; i < count; i++)
            for (int k = 0; k < more; k++)
                if (along[k].offset >= 0)
                    all[made++] =
                        (Tap){taps[i].offset * s->size[axis] + along[k].offset,
                              taps[i].weight * along[k].weight};
        memcpy(taps, all, (size_t)made * sizeof *all);
        count = made;
    }
    return count;
}

#include "exec/real_f32.h"

#include "exec/kern_sample.inc.c"

#include "exec/real_f64.h"

#include "exec/kern_sample.inc.c"

static void sample_piece(void *context, int worker, int64_t begin, int64_t end)
{
    const Sampling *s = context;
    (void)worker;
    for (int64_t place = begin; place < end; place++)
        if (s->storage == STORAGE_F32)
            sample_place_f32(s, place);
        else
            sample_place_f64(s, place);
}

static int sampling_read(const KernelCall *call, Sampling *s, Err *err)
{
    /* As opset 20 names them, and those before. */
    static const char *const modes[] = {"linear", "bilinear", "nearest",
                                        "cubic", "bicubic"};
    static const char *const paddings[] = {"zeros", "border", "reflection"};
    const char *mode = kernel_text(call->node, "mode", modes, 5);
    const char *padding = kernel_text(call->node, "padding_mode", paddings, 3);
    if (!mode || !padding)
        return err_set(err, ERR_BAD_ATTRIBUTE, "one of its modes is unknown");
    s->mode = mode == modes[2]                       ? MODE_NEAREST
              : mode == modes[0] || mode == modes[1] ? MODE_LINEAR
                                                     : MODE_CUBIC;
    s->padding = padding == paddings[0]   ? PADDING_ZEROS
                 : padding == paddings[1] ? PADDING_BORDER
                                          : PADDING_REFLECT;
    s->align_corners = node_int(call->node, "align_corners", 0) != 0;
    s->spatial = call->inputs[0]->rank - 2;
    if (s->mode == MODE_CUBIC && s->spatial > 3)
        return err_set(err, ERR_BAD_SHAPE, "it is cubic in %d axes",
                       s->spatial);
    return 0;
}

int kernel_grid_sample(KernelCall *call, Err *err)
{
    const Array *in = call->inputs[0], *grid = call->inputs[1];
    Array *out = call->outputs[0];
    Sampling s = {.channels = in->dims[1],
                  .in_size = dims_product(in->dims, 2, in->rank),
                  .places = dims_product(out->dims, 2, out->rank),
                  .in = in->data,
                  .grid = grid->data,
                  .out = out->data,
                  .storage = kernel_storage(call, out)};
    TRY(sampling_read(call, &s, err));
    if (out->count > 0 && s.in_size == 0)
        return err_set(err, ERR_BAD_SHAPE, "its input is empty");
    memcpy(s.size, in->dims + 2, (size_t)s.spatial * sizeof *s.size);
    if (out->count > 0)
        pool_run(call->pool, in->dims[0] * s.places,
                 1 + GRAIN / (AXIS_TAPS * s.channels), sample_piece, &s);
    return 0;
}
