/*
 * RoiAlign (He, Gkioxari, Dollar and Girshick, "Mask R-CNN", section 3): each
 * region is cut into bins, and a bin is the mean, or the maximum, of samples
 * on a grid in it, each interpolated from its four neighbours.
 */
#include <math.h>

#include "exec/integer.h"
#include "exec/kernel.h"
#include "exec/tap.h"

typedef struct Pooling {
    const void *in;
    void *out;
    int64_t channels, size[2]; /* height and width of the input, */
    int64_t in_size, out_size; /* all of both, */
    int64_t bins[2];           /* and of the output */
    bool is_max;
    double shift, scale; /* from a region's coordinates to the input's */
    bool at_least_one;   /* no region is smaller than a pixel */
    int64_t grid;        /* samples of a bin along an axis; 0: by its size */
    const struct Region *regions;
    Storage storage;
} Pooling;

typedef struct Region {
    int64_t image;
    double start[2], bin[2]; /* y and x, in pixels */
    int64_t grid[2];
} Region;

/* The two neighbours on an axis. What lies more than a pixel outside counts
 * nothing, what is nearer is at the border. */
static void axis_taps(double at, int64_t size, Tap taps[2])
{
    taps[0] = taps[1] = (Tap){0, 0};
    if (!(at >= -1 && at <= (double)size))
        return;
    at = fmin(fmax(at, 0), (double)(size - 1));
    int64_t low = (int64_t)at;
    double part = at - (double)low;
    taps[0] = (Tap){low, 1 - part};
    taps[1] = (Tap){at_most(low + 1, size - 1), part};
}

static void sample_taps(const Pooling *p, const Region *region, int64_t bin,
                        int64_t sample, Tap *taps)
{
    const int64_t bins[2] = {bin / p->bins[1], bin % p->bins[1]};
    const int64_t samples[2] = {sample / region->grid[1],
                                sample % region->grid[1]};
    Tap along[2][2];
    for (int axis = 0; axis < 2; axis++) {
        double inside =
            ((double)samples[axis] + 0.5) / (double)region->grid[axis];
        axis_taps(region->start[axis] +
                      ((double)bins[axis] + inside) * region->bin[axis],
                  p->size[axis], along[axis]);
    }
    taps_cross(along[0], along[1], p->size[1], taps);
}

#include "exec/real_f32.h"

#include "exec/kern_region.inc.c"

#include "exec/real_f64.h"

#include "exec/kern_region.inc.c"

static void pool_piece(void *context, int worker, int64_t begin, int64_t end)
{
    const Pooling *p = context;
    (void)worker;
    for (int64_t i = begin; i < end; i++) {
        int64_t number = i / p->out_size, bin = i % p->out_size;
        const Region *region = &p->regions[number];
        int64_t first = number * p->channels * p->out_size + bin;
        if (p->storage == STORAGE_F32)
            pool_bin_f32(p, region, bin, (float *)p->out + first);
        else
            pool_bin_f64(p, region, bin, (double *)p->out + first);
    }
}

/* Two corners, x before y, become the bins of each axis and their samples. */
static int region_read(const KernelCall *call, const Pooling *p, int64_t number,
                       Region *region, Err *err)
{
    static const double SAMPLES_MOST = 1024;
    int64_t images = call->inputs[0]->dims[0];
    region->image = kernel_int(call, call->inputs[2], number);
    if (region->image < 0 || region->image >= images)
        return err_set(err, ERR_BAD_INDEX, "a region is of image %lld of %lld",
                       (long long)region->image, (long long)images);
    double corners[4];
    array_to_f64(call->inputs[1], call->precision, 4 * number, 4, corners);
    for (int axis = 0; axis < 2; axis++) {
        double first = corners[1 - axis] * p->scale - p->shift;
        double size = corners[3 - axis] * p->scale - p->shift - first;
        if (p->at_least_one)
            size = fmax(size, 1);
        region->start[axis] = first;
        region->bin[axis] = size / (double)p->bins[axis];
        double grid = p->grid ? (double)p->grid : ceil(region->bin[axis]);
        if (!(grid <= SAMPLES_MOST))
            return err_set(err, ERR_BAD_SHAPE,
                           "a bin of a region has %g samples", grid);
        region->grid[axis] = grid > 0 ? (int64_t)grid : 0;
    }
    return 0;
}

static int pooling_read(const KernelCall *call, Pooling *p, Err *err)
{
    static const char *const modes[] = {"avg", "max"};
    static const char *const shifts[] = {"half_pixel", "output_half_pixel"};
    const Node *node = call->node;
    const char *mode = kernel_text(node, "mode", modes, 2);
    const char *shift =
        kernel_text(node, "coordinate_transformation_mode", shifts, 2);
    const Array *regions = call->inputs[1];
    if (!mode || !shift)
        return err_set(err, ERR_BAD_ATTRIBUTE, "one of its modes is unknown");
    if (regions->dims[1] != 4 || call->inputs[2]->count != regions->dims[0])
        return err_set(err, ERR_BAD_SHAPE,
                       "its regions are not one rectangle each");
    /* Opset 10 knew no shift. */
    bool is_old = call->opset > 0 && call->opset < 16;
    bool is_shifted = shift == shifts[0] && !is_old;
    p->is_max = mode == modes[1];
    p->shift = is_shifted ? 0.5 : 0;
    p->at_least_one = !is_shifted;
    p->scale = (double)node_float(node, "spatial_scale", 1);
    p->grid = at_least(node_int(node, "sampling_ratio", 0), 0);
    Region *all =
        arena_array(call->arena, (size_t)regions->dims[0], sizeof *all);
    for (int64_t i = 0; i < regions->dims[0]; i++)
        TRY(region_read(call, p, i, &all[i], err));
    p->regions = all;
    return 0;
}

int kernel_roi_align(KernelCall *call, Err *err)
{
    const Array *in = call->inputs[0], *out = call->outputs[0];
    Pooling p = {.in = in->data,
                 .out = out->data,
                 .channels = in->dims[1],
                 .size = {in->dims[2], in->dims[3]},
                 .in_size = in->dims[2] * in->dims[3],
                 .out_size = out->dims[2] * out->dims[3],
                 .bins = {out->dims[2], out->dims[3]},
                 .storage = kernel_storage(call, out)};
    if (p.in_size == 0)
        return err_set(err, ERR_BAD_SHAPE, "its input is empty");
    TRY(pooling_read(call, &p, err));
    pool_run(call->pool, out->dims[0] * p.out_size,
             1 + GRAIN / (16 * p.channels), pool_piece, &p);
    return 0;
}
