/*
 * Shape functions of what reads an input between its elements.
 */
#include <math.h>
#include <string.h>

#include "graph/infer.h"

/* ---- Resize ---- */

/* floor(size * scale), in float as ONNX computes it. */
static Dim scaled_size(const InferCall *call, Dim size, double scale)
{
    double inverse = 1 / scale;
    if (size >= 0) {
        double exact = floor((double)((float)size * (float)scale));
        if (exact >= 0 && exact < 0x1p62)
            return (Dim)exact;
    } else if (scale >= 1 && scale == floor(scale) && scale < INT32_MAX) {
        return infer_dim(call, DIM_MUL, size, (Dim)scale);
    } else if (inverse == floor(inverse) && inverse < INT32_MAX) {
        return infer_dim(call, DIM_DIV, size, (Dim)inverse);
    }
    return dim_size_unknown(call->symbols);
}

/* Scales are the second input of Resize-10 and Upsample-9, the third of
 * Resize-11, and an attribute of Upsample-7. */
static int resize_scales(const InferCall *call, double *scales)
{
    bool old = call->node->op == OP_Upsample || call->opset < 11;
    int count = infer_reals(call, old ? 1 : 2, RANK_MAX, scales);
    return count >= 0 ? count : node_upsample_scales(call->node, scales);
}

/* Resize-18's axes; all of them without the attribute. */
static int resize_axes(const InferCall *call, int rank, int axes[RANK_MAX],
                       int *count, Err *err)
{
    const int64_t *values = NULL;
    int64_t given = node_ints(call->node, "axes", &values);
    bool seen[RANK_MAX] = {false};
    *count = given < 0 ? rank : (int)(given > rank ? rank + 1 : given);
    if (*count > rank)
        return infer_fail(call, err, ERR_BAD_ATTRIBUTE,
                          "axes has more entries than the rank %d", rank);
    for (int i = 0; i < *count; i++) {
        TRY(infer_axis(call, given < 0 ? i : values[i], rank, &axes[i], err));
        if (seen[axes[i]])
            return infer_fail(call, err, ERR_BAD_ATTRIBUTE,
                              "axis %d is given twice", axes[i]);
        seen[axes[i]] = true;
    }
    return 0;
}

typedef struct Resize {
    int axes[RANK_MAX], count;
    double scales[RANK_MAX];
    int scale_count; /* 0 or -1 when they are not given or not known */
    IntList sizes;
} Resize;

/* keep_aspect_ratio_policy of Resize-18: one scale for all axes, the smallest
 * or the largest that the sizes ask for. */
static int resize_keep_ratio(const InferCall *call, const Fact *in,
                             const Resize *resize, Dim *dims)
{
    bool larger =
        node_string_is(call->node, "keep_aspect_ratio_policy", "not_smaller");
    if (!larger &&
        !node_string_is(call->node, "keep_aspect_ratio_policy", "not_larger"))
        return 0;
    double best = larger ? 0 : HUGE_VAL;
    bool known = true;
    for (int i = 0; i < resize->count; i++) {
        Dim from = in->dims[resize->axes[i]], to = resize->sizes.items[i];
        known &= from > 0 && to >= 0;
        double scale = (double)to / (double)from;
        if (larger ? scale > best : scale < best)
            best = scale;
    }
    for (int i = 0; i < resize->count; i++) {
        Dim *dim = &dims[resize->axes[i]];
        double size = floor(best * (double)*dim + 0.5);
        *dim = known && size < 0x1p62 ? (Dim)size
                                      : dim_size_unknown(call->symbols);
    }
    return 1;
}

static void resize_to_sizes(const InferCall *call, const Fact *in,
                            const Resize *resize, Dim *dims)
{
    if (resize_keep_ratio(call, in, resize, dims))
        return;
    for (int i = 0; i < resize->count; i++)
        dims[resize->axes[i]] = resize->sizes.items[i];
}

/* With tf_crop_and_resize the scaled size is that of the region: roi holds
 * all starts and then all ends. */
static int resize_region(const InferCall *call, Resize *resize)
{
    double roi[2 * RANK_MAX];
    if (!node_string_is(call->node, "coordinate_transformation_mode",
                        "tf_crop_and_resize"))
        return 1;
    if (infer_reals(call, 1, 2 * RANK_MAX, roi) != 2 * resize->count)
        return 0;
    for (int i = 0; i < resize->count; i++)
        resize->scales[i] *= roi[resize->count + i] - roi[i];
    return 1;
}

static int resize_by_scales(const InferCall *call, Resize *resize, Dim *dims,
                            Err *err)
{
    for (int i = 0; i < resize->count; i++)
        if (!(resize->scales[i] > 0))
            return infer_fail(call, err, ERR_BAD_ATTRIBUTE, "its scale is %g",
                              resize->scales[i]);
    bool known = resize_region(call, resize);
    for (int i = 0; i < resize->count; i++) {
        Dim *dim = &dims[resize->axes[i]];
        *dim = known ? scaled_size(call, *dim, resize->scales[i])
                     : dim_size_unknown(call->symbols);
    }
    return 0;
}

int infer_resize(InferCall *call, Err *err)
{
    const Fact *in = infer_in(call, 0);
    Resize resize = {.sizes = {NULL, -1}};
    Dim *dims = infer_copy(call, infer_out(call, 0), in);
    if (in->rank < 0)
        return 0;
    TRY(resize_axes(call, in->rank, resize.axes, &resize.count, err));
    resize.scale_count = resize_scales(call, resize.scales);
    if (infer_has(call, 3))
        resize.sizes = infer_ints(call, 3);
    int given =
        resize.sizes.count > 0 ? resize.sizes.count : resize.scale_count;
    if (given > 0 && given != resize.count)
        return infer_fail(call, err, ERR_BAD_SHAPE,
                          "it has %d sizes or scales for %d axes", given,
                          resize.count);
    if (given > 0 && resize.sizes.count > 0) {
        resize_to_sizes(call, in, &resize, dims);
        return 0;
    }
    if (given > 0)
        return resize_by_scales(call, &resize, dims, err);
    for (int i = 0; i < resize.count; i++)
        dims[resize.axes[i]] = dim_size_unknown(call->symbols);
    return 0;
}

/* ---- At given places ---- */

/* GridSample: (N, C, spatial...) read at (N, places..., spatial rank). */
int infer_gridsample(InferCall *call, Err *err)
{
    const Fact *in = infer_in(call, 0), *grid = infer_in(call, 1);
    Fact *out = infer_out(call, 0);
    out->type = in->type;
    if (in->rank < 0 || grid->rank < 0)
        return 0;
    int last = grid->rank - 1;
    if (in->rank < 3 || grid->rank != in->rank ||
        (grid->dims[last] >= 0 && grid->dims[last] != in->rank - 2))
        return infer_fail(call, err, ERR_BAD_SHAPE, "a grid %s does not fit %s",
                          infer_text(call, grid), infer_text(call, in));
    Dim dims[RANK_MAX] = {0, in->dims[1]};
    TRY(infer_same(call, in->dims[0], grid->dims[0], "batch size", &dims[0],
                   err));
    memcpy(dims + 2, grid->dims + 1, (size_t)(last - 1) * sizeof *dims);
    infer_set(call, out, in->type, in->rank, dims);
    return 0;
}

/* RoiAlign-10: (N, C, H, W) pooled within each of (regions, 4) to one size. */
int infer_roialign(InferCall *call, Err *err)
{
    const Fact *in = infer_in(call, 0), *regions = infer_in(call, 1);
    const Fact *images = infer_in(call, 2);
    int64_t height, width;
    TRY(infer_int_attr(call, "output_height", 1, 1, &height, err));
    TRY(infer_int_attr(call, "output_width", 1, 1, &width, err));
    if ((in->rank >= 0 && in->rank != 4) ||
        (regions->rank >= 0 && regions->rank != 2) ||
        (images->rank >= 0 && images->rank != 1))
        return infer_fail(call, err, ERR_BAD_SHAPE,
                          "regions %s of images %s do not fit %s",
                          infer_text(call, regions), infer_text(call, images),
                          infer_text(call, in));
    Dim dims[4] = {infer_axis_size(call, regions, 0),
                   infer_axis_size(call, in, 1), height, width};
    if (images->rank == 1)
        TRY(infer_same(call, dims[0], images->dims[0],
                       "regions and their images differ in number", &dims[0],
                       err));
    infer_set(call, infer_out(call, 0), in->type, 4, dims);
    return 0;
}
