/*
 * Shape functions of convolution, pooling and normalisation.
 */
#include "graph/infer.h"

enum { SPATIAL_MAX = RANK_MAX - 2 };

typedef enum AutoPad { PAD_EXPLICIT, PAD_SAME, PAD_VALID } AutoPad;

/* The attributes that windows share, one entry for each spatial axis. */
typedef struct Window {
    int spatial;
    Dim kernel[SPATIAL_MAX];
    int64_t stride[SPATIAL_MAX], dilation[SPATIAL_MAX];
    int64_t begin[SPATIAL_MAX], end[SPATIAL_MAX]; /* pads */
    AutoPad auto_pad;
    bool ceil_mode;
} Window;

/* A list attribute with `count` entries in [least, INT32_MAX]. */
static int list_attr(const InferCall *call, const char *name, int64_t fallback,
                     int64_t least, int count, int64_t *out, Err *err)
{
    const int64_t *values = NULL;
    int64_t given = node_ints(call->node, name, &values);
    if (given >= 0 && given != count)
        return infer_fail(call, err, ERR_BAD_ATTRIBUTE,
                          "%s has %lld entries instead of %d", name,
                          (long long)given, count);
    for (int i = 0; i < count; i++) {
        out[i] = given < 0 ? fallback : values[i];
        if (out[i] < least || out[i] > INT32_MAX)
            return infer_fail(call, err, ERR_BAD_ATTRIBUTE,
                              "%s has %lld, which is not possible", name,
                              (long long)out[i]);
    }
    return 0;
}

static int read_auto_pad(const InferCall *call, AutoPad *out, Err *err)
{
    const Node *node = call->node;
    *out = PAD_EXPLICIT;
    if (node_string_is(node, "auto_pad", "SAME_UPPER") ||
        node_string_is(node, "auto_pad", "SAME_LOWER"))
        *out = PAD_SAME;
    else if (node_string_is(node, "auto_pad", "VALID"))
        *out = PAD_VALID;
    else if (node_attr(node, "auto_pad") &&
             !node_string_is(node, "auto_pad", "NOTSET") &&
             !node_string_is(node, "auto_pad", ""))
        return infer_fail(call, err, ERR_BAD_ATTRIBUTE,
                          "auto_pad is not one of NOTSET, SAME_UPPER, "
                          "SAME_LOWER, VALID");
    return 0;
}

/* The sizes of the kernel: the attribute's, and where there is a weight (its
 * last `spatial` sizes) both must agree. */
static int read_kernel(const InferCall *call, Window *window,
                       const Fact *weight, Err *err)
{
    int64_t sizes[SPATIAL_MAX];
    bool given = node_attr(call->node, "kernel_shape") != NULL;
    if (!given && !weight)
        return infer_fail(call, err, ERR_BAD_ATTRIBUTE,
                          "it has no kernel_shape");
    if (given)
        TRY(list_attr(call, "kernel_shape", 1, 1, window->spatial, sizes, err));
    for (int i = 0; i < window->spatial; i++) {
        Dim size = weight && weight->rank >= 0
                       ? weight->dims[weight->rank - window->spatial + i]
                       : -1;
        window->kernel[i] = given ? sizes[i] : size;
        if (given && size >= 0)
            TRY(infer_same(call, sizes[i], size,
                           "kernel_shape and weight differ", &window->kernel[i],
                           err));
        if (!given && !(weight && weight->rank >= 0))
            window->kernel[i] = dim_size_unknown(call->symbols);
        if (window->kernel[i] == 0)
            return infer_fail(call, err, ERR_BAD_SHAPE,
                              "its kernel has a size of 0");
    }
    return 0;
}

static int read_window(const InferCall *call, Window *window, int spatial,
                       const Fact *weight, Err *err)
{
    int64_t pads[2 * SPATIAL_MAX];
    window->spatial = spatial;
    TRY(read_kernel(call, window, weight, err));
    TRY(list_attr(call, "strides", 1, 1, spatial, window->stride, err));
    TRY(list_attr(call, "dilations", 1, 1, spatial, window->dilation, err));
    TRY(list_attr(call, "pads", 0, 0, 2 * spatial, pads, err));
    TRY(read_auto_pad(call, &window->auto_pad, err));
    for (int i = 0; i < spatial; i++) {
        bool padded = window->auto_pad == PAD_EXPLICIT;
        window->begin[i] = padded ? pads[i] : 0;
        window->end[i] = padded ? pads[spatial + i] : 0;
    }
    window->ceil_mode = node_int(call->node, "ceil_mode", 0) != 0;
    return 0;
}

/* Conv-11 and pooling: floor((in + pads - dilation*(kernel-1) - 1) / stride)
 * + 1. The slack is summed first, so that equal slack gives the same Dim. With
 * ceil_mode a window that would start in the end padding is left out: no more
 * windows than strides that begin in the input and its begin padding. */
static int window_size(const InferCall *call, const Window *window, int i,
                       Dim in, Dim *out, Err *err)
{
    Symbols *symbols = call->symbols;
    int64_t stride = window->stride[i];
    if (window->auto_pad == PAD_SAME) {
        *out = infer_dim(call, DIM_CEIL, in, stride);
        return 0;
    }
    Dim reach = infer_dim(call, DIM_MUL, window->dilation[i],
                          infer_dim(call, DIM_SUB, window->kernel[i], 1));
    Dim pads = dim_number(symbols, window->begin[i] + window->end[i] - 1);
    Dim slack = infer_dim(call, DIM_SUB, pads, reach);
    Dim room = infer_dim(call, DIM_ADD, in, slack);
    int64_t number;
    if (dim_is_known(symbols, room, &number) && number < 0)
        return infer_fail(call, err, ERR_BAD_SHAPE,
                          "its kernel is larger than the padded input, "
                          "whose size is %lld",
                          (long long)in);
    Dim steps =
        infer_dim(call, window->ceil_mode ? DIM_CEIL : DIM_DIV, room, stride);
    *out = infer_dim(call, DIM_ADD, steps, 1);
    if (window->ceil_mode) {
        Dim most = infer_dim(call, DIM_ADD, in, window->begin[i]);
        *out = infer_dim(call, DIM_MIN, *out,
                         infer_dim(call, DIM_CEIL, most, stride));
    }
    return 0;
}

/* The rank of input and weight must agree and leave room for spatial axes. */
static int conv_rank(const InferCall *call, const Fact *in, const Fact *weight,
                     int *rank, Err *err)
{
    *rank = in->rank >= 0 ? in->rank : weight->rank;
    if (*rank >= 0 && *rank < 3)
        return infer_fail(call, err, ERR_BAD_SHAPE,
                          "its input or weight has rank %d", *rank);
    if (in->rank >= 0 && weight->rank >= 0 && in->rank != weight->rank)
        return infer_fail(call, err, ERR_BAD_SHAPE,
                          "input %s and weight %s differ in rank",
                          infer_text(call, in), infer_text(call, weight));
    return 0;
}

/* The bias, when there is one, has one element for each channel. */
static int check_bias(const InferCall *call, int slot, Dim channels, Err *err)
{
    const Fact *bias = infer_in(call, slot);
    Dim same;
    if (bias->rank < 0)
        return 0;
    if (bias->rank != 1)
        return infer_fail(call, err, ERR_BAD_SHAPE, "its bias has rank %d",
                          bias->rank);
    return infer_same(call, bias->dims[0], channels,
                      "bias and output channels differ", &same, err);
}

static int check_group(const InferCall *call, Dim channels, int64_t group,
                       Err *err)
{
    if (channels >= 0 && channels % group != 0)
        return infer_fail(call, err, ERR_BAD_SHAPE,
                          "%lld channels do not divide into %lld groups",
                          (long long)channels, (long long)group);
    return 0;
}

/* Weight of Conv: [out, in/group, kernel...]. */
static int conv_channels(const InferCall *call, const Fact *in,
                         const Fact *weight, int64_t group, Dim *out, Err *err)
{
    if (weight->rank < 0) {
        *out = dim_size_unknown(call->symbols);
        return 0;
    }
    Dim same;
    Dim needs = infer_dim(call, DIM_MUL, weight->dims[1], group);
    *out = weight->dims[0];
    TRY(check_group(call, *out, group, err));
    if (in->rank >= 0)
        TRY(infer_same(call, in->dims[1], needs,
                       "input channels and weight differ", &same, err));
    return 0;
}

/* Weight of ConvTranspose: [in, out/group, kernel...]. */
static int transposed_channels(const InferCall *call, const Fact *in,
                               const Fact *weight, int64_t group, Dim *out,
                               Err *err)
{
    if (weight->rank < 0) {
        *out = dim_size_unknown(call->symbols);
        return 0;
    }
    Dim same;
    *out = infer_dim(call, DIM_MUL, weight->dims[1], group);
    TRY(check_group(call, weight->dims[0], group, err));
    if (in->rank >= 0)
        TRY(infer_same(call, in->dims[1], weight->dims[0],
                       "input channels and weight differ", &same, err));
    return check_bias(call, 2, *out, err);
}

int infer_convolution(InferCall *call, int input, int kernel, int bias,
                      Err *err)
{
    const Fact *in = infer_in(call, input), *weight = infer_in(call, kernel);
    Fact *out = infer_out(call, 0);
    Dim dims[RANK_MAX];
    Window window;
    int rank;
    int64_t group;
    TRY(infer_int_attr(call, "group", 1, 1, &group, err));
    TRY(conv_rank(call, in, weight, &rank, err));
    if (rank < 0)
        return 0;
    TRY(read_window(call, &window, rank - 2, weight, err));
    dims[0] = infer_axis_size(call, in, 0);
    TRY(conv_channels(call, in, weight, group, &dims[1], err));
    if (weight->rank >= 0 && bias >= 0)
        TRY(check_bias(call, bias, dims[1], err));
    for (int i = 0; i < window.spatial; i++)
        TRY(window_size(call, &window, i, infer_axis_size(call, in, 2 + i),
                        &dims[2 + i], err));
    infer_set(call, out, out->type, rank, dims);
    return 0;
}

int infer_conv(InferCall *call, Err *err)
{
    infer_out(call, 0)->type = infer_either_type(call);
    return infer_convolution(call, 0, 1, 2, err);
}

int infer_deformconv(InferCall *call, Err *err)
{
    infer_out(call, 0)->type = infer_either_type(call);
    return infer_convolution(call, 0, 1, 3, err);
}

/* Sizes that are given as elements: none is below `least`. */
static int check_sizes(const InferCall *call, IntList sizes, int64_t least,
                       Err *err)
{
    int64_t number;
    for (int i = 0; i < sizes.count; i++)
        if (dim_is_known(call->symbols, sizes.items[i], &number) &&
            number < least)
            return infer_fail(call, err, ERR_BAD_SHAPE, "a size of it is %lld",
                              (long long)number);
    return 0;
}

/* Col2Im-18: (N, C * block, blocks) becomes (N, C, image). */
int infer_col2im(InferCall *call, Err *err)
{
    const Fact *in = infer_in(call, 0);
    IntList image = infer_ints(call, 1), block = infer_ints(call, 2);
    Dim dims[RANK_MAX];
    infer_out(call, 0)->type = in->type;
    if (in->rank >= 0 && in->rank != 3)
        return infer_fail(call, err, ERR_BAD_SHAPE, "its input has rank %d",
                          in->rank);
    if (image.count < 0 || block.count < 0)
        return 0;
    if (image.count != block.count || image.count > SPATIAL_MAX)
        return infer_fail(call, err, ERR_BAD_SHAPE,
                          "its image has %d axes and its block %d", image.count,
                          block.count);
    TRY(check_sizes(call, image, 0, err));
    TRY(check_sizes(call, block, 1, err));
    dims[0] = infer_axis_size(call, in, 0);
    dims[1] = infer_dim(call, DIM_DIV, infer_axis_size(call, in, 1),
                        infer_product(call, block.items, 0, block.count));
    for (int i = 0; i < image.count; i++)
        dims[2 + i] = image.items[i];
    infer_set(call, infer_out(call, 0), in->type, 2 + image.count, dims);
    return 0;
}

/* ConvTranspose-11: stride*(in-1) + output_padding + dilation*(kernel-1) + 1
 * - pads; with auto_pad SAME the input's size times the stride. */
static int transposed_size(const InferCall *call, const Window *window, int i,
                           int64_t extra, Dim in, Dim *out, Err *err)
{
    int64_t stride = window->stride[i], number;
    *out = infer_dim(call, DIM_MUL, in, stride);
    if (window->auto_pad == PAD_SAME)
        return 0;
    Dim reach = infer_dim(call, DIM_MUL, window->dilation[i],
                          infer_dim(call, DIM_SUB, window->kernel[i], 1));
    Dim rest = dim_number(call->symbols, extra + 1 - stride - window->begin[i] -
                                             window->end[i]);
    *out =
        infer_dim(call, DIM_ADD, *out, infer_dim(call, DIM_ADD, reach, rest));
    if (dim_is_known(call->symbols, *out, &number) && number < 0)
        return infer_fail(call, err, ERR_BAD_SHAPE,
                          "its pads leave a size of %lld", (long long)number);
    return 0;
}

int infer_convtranspose(InferCall *call, Err *err)
{
    const Fact *in = infer_in(call, 0), *weight = infer_in(call, 1);
    Fact *out = infer_out(call, 0);
    Dim dims[RANK_MAX];
    Window window;
    int rank;
    int64_t group, extra[SPATIAL_MAX], sizes[SPATIAL_MAX];
    out->type = in->type != DT_UNDEFINED ? in->type : weight->type;
    TRY(infer_int_attr(call, "group", 1, 1, &group, err));
    TRY(conv_rank(call, in, weight, &rank, err));
    if (rank < 0)
        return 0;
    TRY(read_window(call, &window, rank - 2, weight, err));
    TRY(list_attr(call, "output_padding", 0, 0, rank - 2, extra, err));
    bool given = node_attr(call->node, "output_shape") != NULL;
    if (given)
        TRY(list_attr(call, "output_shape", 1, 0, rank - 2, sizes, err));
    dims[0] = infer_axis_size(call, in, 0);
    TRY(transposed_channels(call, in, weight, group, &dims[1], err));
    for (int i = 0; i < window.spatial; i++)
        if (given)
            dims[2 + i] = sizes[i];
        else
            TRY(transposed_size(call, &window, i, extra[i],
                                infer_axis_size(call, in, 2 + i), &dims[2 + i],
                                err));
    infer_set(call, out, out->type, rank, dims);
    return 0;
}

/* MaxPool's second output are int64 indices. */
int infer_pool(InferCall *call, Err *err)
{
    const Fact *in = infer_in(call, 0);
    Fact *out = infer_out(call, 0), *indices = infer_out(call, 1);
    Window window;
    Dim *dims = infer_copy(call, out, in);
    indices->type = DT_INT64;
    if (in->rank < 0)
        return 0;
    if (in->rank < 3)
        return infer_fail(call, err, ERR_BAD_SHAPE, "its input has rank %d",
                          in->rank);
    TRY(read_window(call, &window, in->rank - 2, NULL, err));
    for (int i = 0; i < window.spatial; i++)
        TRY(window_size(call, &window, i, in->dims[2 + i], &dims[2 + i], err));
    infer_set(call, indices, DT_INT64, in->rank, dims);
    return 0;
}

int infer_globalpool(InferCall *call, Err *err)
{
    const Fact *in = infer_in(call, 0);
    Fact *out = infer_out(call, 0);
    Dim *dims = infer_copy(call, out, in);
    if (in->rank >= 0 && in->rank < 2)
        return infer_fail(call, err, ERR_BAD_SHAPE, "its input has rank %d",
                          in->rank);
    for (int i = 2; i < in->rank; i++)
        dims[i] = 1;
    return 0;
}

/* ---- Normalisation ---- */

/* Inputs `first` to `last` are one number for each channel. */
static int check_channels(const InferCall *call, int first, int last,
                          Dim channels, Err *err)
{
    for (int i = first; i <= last; i++) {
        const Fact *fact = infer_in(call, i);
        Dim same;
        if (fact->rank < 0)
            continue;
        if (fact->rank != 1)
            return infer_fail(call, err, ERR_BAD_SHAPE,
                              "its input %d has rank %d", i, fact->rank);
        TRY(infer_same(call, fact->dims[0], channels,
                       "parameters and channels differ", &same, err));
    }
    return 0;
}

/* Axis 1 holds the channels; an input of rank 1 has a single one. */
static Dim channels_of(const InferCall *call, const Fact *in)
{
    if (in->rank == 0 || in->rank == 1)
        return 1;
    return infer_axis_size(call, in, 1);
}

int infer_batchnorm(InferCall *call, Err *err)
{
    const Fact *in = infer_in(call, 0);
    Dim channels = channels_of(call, in);
    infer_copy(call, infer_out(call, 0), in);
    /* Until opset 8 spatial=0 gave every position its own parameters. */
    if (node_int(call->node, "spatial", 1) != 0)
        TRY(check_channels(call, 1, 4, channels, err));
    /* Training mode also gives statistics, of the type of the mean. */
    for (int i = 1; i < call->node->output_count; i++)
        infer_set(call, infer_out(call, i), infer_in(call, 3)->type, 1,
                  &channels);
    return 0;
}

int infer_instancenorm(InferCall *call, Err *err)
{
    const Fact *in = infer_in(call, 0);
    infer_copy(call, infer_out(call, 0), in);
    return check_channels(call, 1, 2, channels_of(call, in), err);
}

/* Scale and bias are per group in opset 18, per channel since 21. */
int infer_groupnorm(InferCall *call, Err *err)
{
    const Fact *in = infer_in(call, 0);
    int64_t groups;
    infer_copy(call, infer_out(call, 0), in);
    TRY(infer_int_attr(call, "num_groups", 0, 1, &groups, err));
    Dim channels = channels_of(call, in);
    TRY(check_group(call, channels, groups, err));
    return check_channels(call, 1, 2, call->opset < 21 ? groups : channels,
                          err);
}

/* LayerNormalization-17: mean and inverse deviation keep the axes before
 * `axis` and have size 1 from there on. */
int infer_layernorm(InferCall *call, Err *err)
{
    const Fact *in = infer_in(call, 0);
    Fact statistics = FACT_UNKNOWN;
    Dim *dims = infer_copy(call, &statistics, in);
    DType type;
    int axis;
    infer_copy(call, infer_out(call, 0), in);
    TRY(infer_type_attr(call, "stash_type", DT_FLOAT, &type, err));
    if (in->rank >= 0) {
        TRY(infer_axis(call, node_int(call->node, "axis", -1), in->rank, &axis,
                       err));
        for (int i = axis; i < in->rank; i++)
            dims[i] = 1;
    }
    for (int i = 1; i < call->node->output_count; i++)
        infer_set(call, infer_out(call, i), type, in->rank, dims);
    return 0;
}
