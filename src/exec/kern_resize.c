/*
 * Resize and Upsample.  Every mode is separable: along each axis an output
 * element is a weighted sum of a few input elements, found once per axis.
 */
#include <math.h>
#include <string.h>

#include "exec/cubic.h"
#include "exec/move.h"
#include "exec/simd.h"

typedef enum Mode { MODE_NEAREST, MODE_LINEAR, MODE_CUBIC } Mode;

typedef struct Resizing {
    const Node *node;
    Mode mode;
    const char *coordinates, *nearest; /* modes, as text of this file */
    bool antialias, exclude_outside;
    double cubic_a;
    double scale[RANK_MAX], roi[2][RANK_MAX];
} Resizing;

/* Where the elements of one axis come from. */
typedef struct Taps {
    int64_t in, out, count; /* count of taps for each output element */
    int64_t *sources;
    double *weights;
    bool *outside; /* of the region: extrapolated */
} Taps;

typedef struct Resample {
    const void *in;
    void *out;
    const Taps *taps;
    int64_t inner;
    bool is_f32;
} Resample;

#include "exec/real_f32.h"

#include "exec/kern_resize.inc.c"

#include "exec/real_f64.h"

#include "exec/kern_resize.inc.c"

/* ---- Coordinates ---- */

/* The input coordinate of output element x: coordinate_transformation_mode. */
static double input_coordinate(const Resizing *r, int axis, const Taps *taps,
                               int64_t x)
{
    double scale = r->scale[axis];
    double in = (double)taps->in, at = (double)x;
    double out = scale * in; /* before it was rounded to a size */
    if (strcmp(r->coordinates, "asymmetric") == 0)
        return at / scale;
    if (strcmp(r->coordinates, "align_corners") == 0)
        return out == 1 ? 0 : at * (in - 1) / (out - 1);
    if (strcmp(r->coordinates, "tf_half_pixel_for_nn") == 0)
        return (at + 0.5) / scale;
    if (strcmp(r->coordinates, "pytorch_half_pixel") == 0)
        return out > 1 ? (at + 0.5) / scale - 0.5 : 0;
    if (strcmp(r->coordinates, "half_pixel_symmetric") == 0) {
        double adjustment = (double)taps->out / out;
        return in / 2 * (1 - adjustment) + (at + 0.5) / scale - 0.5;
    }
    if (strcmp(r->coordinates, "tf_crop_and_resize") == 0) {
        double begin = r->roi[0][axis], end = r->roi[1][axis];
        return out > 1 ? begin * (in - 1) +
                             at * (end - begin) * (in - 1) / (out - 1)
                       : 0.5 * (begin + end) * (in - 1);
    }
    return (at + 0.5) / scale - 0.5;
}

static int64_t nearest_source(const Resizing *r, double x)
{
    if (strcmp(r->nearest, "floor") == 0)
        return (int64_t)floor(x);
    if (strcmp(r->nearest, "ceil") == 0)
        return (int64_t)ceil(x);
    if (strcmp(r->nearest, "round_prefer_ceil") == 0)
        return (int64_t)floor(x + 0.5);
    return (int64_t)ceil(x - 0.5);
}

static double tap_weight(const Resizing *r, double x)
{
    if (r->mode == MODE_CUBIC)
        return cubic(r->cubic_a, x);
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

static int64_t clamp_index(int64_t index, int64_t size)
{
    return index < 0 ? 0 : index >= size ? size - 1 : index;
}

/* The taps of one output element at input coordinate x; a kernel that
 * antialiases is `stretch` times as wide. */
static void set_taps(const Resizing *r, const Taps *taps, int64_t element,
                     double x, double stretch)
{
    int64_t *sources = taps->sources + element * taps->count;
    double *weights = taps->weights + element * taps->count, sum = 0;
    int64_t first = (int64_t)ceil(x) - taps->count / 2;
    for (int64_t t = 0; t < taps->count; t++) {
        int64_t source = first + t;
        bool outside = source < 0 || source >= taps->in;
        weights[t] = outside && r->exclude_outside
                         ? 0
                         : tap_weight(r, ((double)source - x) / stretch);
        sources[t] = clamp_index(source, taps->in);
        sum += weights[t];
    }
    for (int64_t t = 0; t < taps->count; t++)
        weights[t] /= sum;
}

static int make_taps(KernelCall *call, const Resizing *r, int axis, Taps *taps,
                     Err *err)
{
    double scale = r->scale[axis];
    if (!(scale > 0 && scale < INT32_MAX))
        return err_set(err, ERR_BAD_INPUT, "its scale of axis %d is %g", axis,
                       scale);
    double stretch = r->antialias && scale < 1 ? 1 / scale : 1;
    double reach = (r->mode == MODE_CUBIC ? 2 : 1) * stretch;
    if (reach > INT32_MAX / 4)
        return err_set(err, ERR_BAD_INPUT, "its scale of axis %d is %g", axis,
                       scale);
    taps->count = r->mode == MODE_NEAREST ? 1 : 2 * (int64_t)ceil(reach);
    size_t entries = (size_t)(taps->out * taps->count);
    taps->sources = arena_block(call->arena, entries, sizeof(int64_t));
    taps->weights = arena_block(call->arena, entries, sizeof(double));
    taps->outside = arena_array(call->arena, (size_t)taps->out, sizeof(bool));
    bool crops = strcmp(r->coordinates, "tf_crop_and_resize") == 0;
    for (int64_t i = 0; i < taps->out; i++) {
        double x = input_coordinate(r, axis, taps, i);
        /* Far outside it is all the border's value. */
        x = fmin(fmax(x, -(double)taps->in - reach),
                 2 * (double)taps->in + reach);
        taps->outside[i] = crops && (x < 0 || x > (double)(taps->in - 1));
        if (r->mode == MODE_NEAREST)
            taps->sources[i] = clamp_index(nearest_source(r, x), taps->in);
        else
            set_taps(r, taps, i, x, stretch);
    }
    return 0;
}

/* ---- Attributes and inputs ---- */

static int read_modes(const KernelCall *call, Resizing *r, Err *err)
{
    static const char *const modes[] = {"nearest", "linear", "cubic",
                                        "bilinear"};
    static const char *const coordinates[] = {
        "half_pixel",          "asymmetric",           "align_corners",
        "pytorch_half_pixel",  "half_pixel_symmetric", "tf_crop_and_resize",
        "tf_half_pixel_for_nn"};
    static const char *const nearest[] = {"round_prefer_floor", "floor", "ceil",
                                          "round_prefer_ceil"};
    const char *mode = kernel_text(call->node, "mode", modes, 4);
    r->coordinates = kernel_text(call->node, "coordinate_transformation_mode",
                                 coordinates, 7);
    r->nearest = kernel_text(call->node, "nearest_mode", nearest, 4);
    if (!mode || !r->coordinates || !r->nearest)
        return err_set(err, ERR_BAD_ATTRIBUTE, "one of its modes is unknown");
    r->mode = mode == modes[0]   ? MODE_NEAREST
              : mode == modes[2] ? MODE_CUBIC
                                 : MODE_LINEAR;
    if (call->opset < 11) { /* and Upsample */
        r->coordinates = coordinates[1];
        r->nearest = nearest[1];
    }
    r->antialias = node_int(call->node, "antialias", 0) != 0;
    r->exclude_outside = node_int(call->node, "exclude_outside", 0) != 0;
    r->cubic_a = (double)node_float(call->node, "cubic_coeff_a", -0.75f);
    return 0;
}

/* With keep_aspect_ratio_policy all axes of the list share one scale. */
static void share_scale(const KernelCall *call, Resizing *r, const int *axes,
                        int64_t count, const int64_t *sizes)
{
    bool larger =
        node_string_is(call->node, "keep_aspect_ratio_policy", "not_smaller");
    bool smaller =
        node_string_is(call->node, "keep_aspect_ratio_policy", "not_larger");
    if (!larger && !smaller)
        return;
    double shared = larger ? 0 : HUGE_VAL;
    for (int64_t i = 0; i < count; i++) {
        double scale =
            (double)sizes[i] / (double)call->inputs[0]->dims[axes[i]];
        shared = larger ? fmax(shared, scale) : fmin(shared, scale);
    }
    for (int64_t i = 0; i < count; i++)
        r->scale[axes[i]] = shared;
}

/* Which axes the lists are about: all, or from opset 18 on `axes`. */
static int read_axes(const KernelCall *call, int *axes, int64_t *count,
                     Err *err)
{
    const int64_t *given;
    int rank = call->inputs[0]->rank;
    *count = node_ints(call->node, "axes", &given);
    if (*count > rank)
        return err_set(err, ERR_BAD_ATTRIBUTE, "it has too many axes");
    for (int64_t i = 0; i < *count; i++)
        TRY(kernel_axis(given[i], rank, &axes[i], err));
    if (*count >= 0)
        return 0;
    *count = rank;
    for (int i = 0; i < rank; i++)
        axes[i] = i;
    return 0;
}

static const Array *unless_empty(const Array *array)
{
    return array && array->count > 0 ? array : NULL;
}

static int read_scales(KernelCall *call, Resizing *r, const Array *scales,
                       const Array *sizes, const Array *roi, Err *err)
{
    const Array *in = call->inputs[0], *out = call->outputs[0];
    int axes[RANK_MAX];
    int64_t count;
    TRY(read_axes(call, axes, &count, err));
    if ((scales && scales->count != count) ||
        (sizes && sizes->count != count) || (roi && roi->count != 2 * count))
        return err_set(err, ERR_BAD_SHAPE,
                       "its scales, sizes or region do not fit its axes");
    for (int i = 0; i < in->rank; i++) {
        r->scale[i] = (double)out->dims[i] / (double)in->dims[i];
        r->roi[1][i] = 1;
    }
    for (int64_t i = 0; i < count; i++) {
        if (scales)
            r->scale[axes[i]] = kernel_real(call, scales, i);
        for (int side = 0; roi && side < 2; side++)
            r->roi[side][axes[i]] = kernel_real(call, roi, i + side * count);
    }
    if (sizes)
        share_scale(call, r, axes, count, sizes->data);
    return 0;
}

/* ---- Resampling ---- */

static void line_piece(void *context, int worker, int64_t begin, int64_t end)
{
    const Resample *r = context;
    (void)worker;
    for (int64_t line = begin; line < end; line++)
        if (r->is_f32)
            resample_line_f32(r, line);
        else
            resample_line_f64(r, line);
}

static void row_piece(void *context, int worker, int64_t begin, int64_t end)
{
    const Resample *r = context;
    (void)worker;
    for (int64_t row = begin; row < end; row++)
        if (r->is_f32)
            resample_row_f32(r, row);
        else
            resample_row_f64(r, row);
}

static bool axis_stays(const Taps *taps)
{
    if (taps->in != taps->out)
        return false;
    for (int64_t i = 0; i < taps->out; i++)
        for (int64_t t = 0; t < taps->count; t++) {
            int64_t at = i * taps->count + t;
            if (taps->weights[at] != (taps->sources[at] == i))
                return false;
        }
    return true;
}

/* One axis after the other, the last one into the output. */
static void resample(KernelCall *call, const Taps *taps)
{
    const Array *from = call->inputs[0];
    Array *out = call->outputs[0];
    int rank = out->rank, last = rank - 1;
    while (last >= 0 && axis_stays(&taps[last]))
        last--;
    if (last < 0)
        memcpy(out->data, from->data,
               (size_t)out->count * storage_size(kernel_storage(call, out)));
    for (int axis = 0; axis <= last; axis++) {
        int64_t dims[RANK_MAX];
        if (axis_stays(&taps[axis]))
            continue;
        memcpy(dims, from->dims, sizeof dims);
        dims[axis] = taps[axis].out;
        Array *to = axis == last ? out
                                 : array_new(call->arena, out->type, rank, dims,
                                             call->precision);
        Resample r = {.in = from->data,
                      .out = to->data,
                      .taps = &taps[axis],
                      .inner = dims_product(dims, axis + 1, rank),
                      .is_f32 = call->precision == PRECISION_F32};
        int64_t lines = dims_product(dims, 0, axis);
        if (axis == rank - 1)
            pool_run(call->pool, lines, 1 + GRAIN / taps[axis].out, row_piece,
                     &r);
        else
            pool_run(call->pool, lines * taps[axis].out, 1 + GRAIN / r.inner,
                     line_piece, &r);
        from = to;
    }
}

/* To the nearest number of an integer type, as ONNX's reference does it. */
static double saturate(DType type, double value)
{
    double range = ldexp(1, 8 * (int)dtype_size(type));
    bool is_signed = type != DT_UINT64 && integer_wrap(type, -1) < 0;
    double low = is_signed ? -range / 2 : 0;
    return fmin(fmax(rint(value), low), low + range - 1);
}

/* Integers are interpolated in double. */
static void resample_integers(KernelCall *call, const Taps *taps)
{
    const Array *in = call->inputs[0], *out = call->outputs[0];
    Array *from =
        array_new(call->arena, DT_DOUBLE, in->rank, in->dims, PRECISION_F64);
    Array *to =
        array_new(call->arena, DT_DOUBLE, out->rank, out->dims, PRECISION_F64);
    array_to_f64(in, call->precision, 0, in->count, from->data);
    KernelCall real = *call;
    real.precision = PRECISION_F64;
    real.inputs = &from;
    real.outputs = &to;
    resample(&real, taps);
    for (int64_t i = 0; i < out->count; i++)
        array_put(out, call->precision, i,
                  saturate(out->type, ((const double *)to->data)[i]));
}

/* What lies outside of the region of tf_crop_and_resize. */
static void extrapolate(KernelCall *call, const Taps *taps)
{
    const Array *out = call->outputs[0];
    double value = (double)node_float(call->node, "extrapolation_value", 0);
    for (int64_t i = 0; i < out->count; i++) {
        bool outside = false;
        for (int64_t axis = out->rank - 1, rest = i; axis >= 0; axis--) {
            outside = outside || taps[axis].outside[rest % out->dims[axis]];
            rest /= out->dims[axis];
        }
        if (outside)
            array_put(out, call->precision, i, value);
    }
}

static int resize(KernelCall *call, Resizing *r, const Array *scales,
                  const Array *sizes, const Array *roi, Err *err)
{
    const Array *in = call->inputs[0], *out = call->outputs[0];
    if (in->count == 0)
        return err_set(err, ERR_BAD_SHAPE, "its input is empty");
    TRY(read_modes(call, r, err));
    TRY(read_scales(call, r, scales, sizes, roi, err));
    Taps taps[RANK_MAX];
    int64_t *sources[RANK_MAX];
    for (int i = 0; i < in->rank; i++) {
        taps[i] = (Taps){.in = in->dims[i], .out = out->dims[i]};
        TRY(make_taps(call, r, i, &taps[i], err));
        sources[i] = taps[i].sources;
    }
    bool is_real = dtype_is_real(in->type);
    if (r->mode == MODE_NEAREST) {
        move_by_tables(call, in, out, sources, NULL);
    } else {
        if (is_real)
            resample(call, taps);
        else
            resample_integers(call, taps);
    }
    if (strcmp(r->coordinates, "tf_crop_and_resize") == 0)
        extrapolate(call, taps);
    return 0;
}

/* Resize: (X, scales) in opset 10; (X, roi, scales, sizes) from 11 on. */
int kernel_resize(KernelCall *call, Err *err)
{
    Resizing r = {.node = call->node};
    bool old = call->opset < 11;
    const Array *roi = old ? NULL : kernel_input(call, 1);
    return resize(call, &r, unless_empty(kernel_input(call, old ? 1 : 2)),
                  unless_empty(kernel_input(call, 3)), unless_empty(roi), err);
}

/* Upsample: scales are attributes up to opset 8, an input in 9. */
int kernel_upsample(KernelCall *call, Err *err)
{
    Resizing r = {.node = call->node};
    KernelCall old = *call;
    const Array *scales = unless_empty(kernel_input(call, 1));
    old.opset = 10;
    double attributes[RANK_MAX];
    int count = scales ? -1 : node_upsample_scales(call->node, attributes);
    if (count >= 0) {
        int64_t dims[] = {count};
        Array *given =
            array_new(call->arena, DT_FLOAT, 1, dims, call->precision);
        for (int i = 0; i < count; i++)
            array_put(given, call->precision, i, attributes[i]);
        scales = given;
    }
    return resize(&old, &r, scales, NULL, NULL, err);
}
