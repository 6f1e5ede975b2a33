/*
 * Shape functions of what reads an input at given places.
 */
#include <string.h>

#include "graph/infer.h"

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
