/* Nodes that take or move elements, and where channels go there. */
#include <math.h>
#include <string.h>

#include "judge/sum.h"

/* ---- Axes that stay ---- */

static int named_axis(Scope *scope, const Node *node)
{
    int rank = scope_known(scope, node->inputs[0])->fact.rank;
    int64_t axis = node_int(node, "axis", 0);
    return (int)(axis < 0 ? axis + rank : axis);
}

/* A list of Slice: an input, or before opset 10 an attribute; -1 for none, -2
 * where it is not known. */
static int64_t slice_list(Scope *scope, const Node *node, int slot,
                          const char *name, int64_t *out)
{
    const int64_t *given;
    const Known *list = scope_known(scope, node_input(node, slot));
    if (list) {
        int64_t count = constant_ints(list->constant, RANK_MAX, out);
        return count < 0 ? -2 : count;
    }
    int64_t count = node_ints(node, name, &given);
    if (count > RANK_MAX)
        return -2;
    for (int64_t i = 0; i < count; i++)
        out[i] = given[i];
    return count;
}

/* ONNX Slice-13: whether the axis is cut, and where and by which steps. */
typedef struct Cut {
    bool cuts;
    int64_t start, end, step;
} Cut;

static bool cut_read(Scope *scope, const Node *node, int axis, Cut *cut)
{
    int64_t starts[RANK_MAX], ends[RANK_MAX], axes[RANK_MAX], steps[RANK_MAX];
    int64_t count = slice_list(scope, node, 1, "starts", starts);
    int64_t ended = slice_list(scope, node, 2, "ends", ends);
    int64_t named = slice_list(scope, node, 3, "axes", axes);
    int64_t stepped = slice_list(scope, node, 4, "steps", steps);
    int rank = scope_known(scope, node->inputs[0])->fact.rank;
    *cut = (Cut){.end = INT64_MAX, .step = 1};
    if (count < 0 || ended != count || (named != -1 && named != count) ||
        (stepped != -1 && stepped != count))
        return false;
    for (int64_t i = 0; i < count; i++) {
        int64_t own = named < 0 ? i : axes[i] < 0 ? axes[i] + rank : axes[i];
        if (own == axis)
            *cut = (Cut){true, starts[i], ends[i], stepped < 0 ? 1 : steps[i]};
    }
    return true;
}

/* A Slice that leaves an axis as it is, whatever it says. */
static bool is_uncut(Scope *scope, const Node *node, int axis)
{
    Cut cut;
    int64_t before, after;
    const Fact *in = &scope_known(scope, node->inputs[0])->fact;
    const Fact *out = &scope_known(scope, node->outputs[0])->fact;
    if (!cut_read(scope, node, axis, &cut))
        return false;
    return !cut.cuts ||
           (cut.step == 1 && out->rank > axis &&
            dim_is_known(scope->symbols, in->dims[axis], &before) &&
            dim_is_known(scope->symbols, out->dims[axis], &after) &&
            before == after);
}

/* Where the axis is among those that a Resize changes, its scale must be 1, and
 * its elements must be read where they are; other axes it leaves alone. An
 * equal size may come from another scale. ONNX Resize-19. */
static bool is_unresized(Scope *scope, const Node *node, int axis)
{
    static const char coordinates[] = "coordinate_transformation_mode";
    const Known *in = scope_known(scope, node->inputs[0]);
    const Known *out = scope_known(scope, node->outputs[0]);
    const Known *sizes = scope_known(scope, node_input(node, 3));
    bool early = graph_opset(scope->graph) < 11;
    const Known *scales = scope_known(scope, node_input(node, early ? 1 : 2));
    const int64_t *axes = NULL;
    int64_t count = node_ints(node, "axes", &axes), place = axis;
    if (count >= 0)
        for (place = 0; place < count; place++)
            if (axes[place] == axis || axes[place] == axis - in->fact.rank)
                break;
    if (count >= 0 && place == count)
        return true;
    bool by_half = node_string_is(node, coordinates, "tf_half_pixel_for_nn");
    bool up = node_string_is(node, "nearest_mode", "ceil") ||
              node_string_is(node, "nearest_mode", "round_prefer_ceil");
    bool mixes =
        node_attr(node, "mode") && !node_string_is(node, "mode", "nearest");
    if (by_half && (up || mixes))
        return false;
    if (sizes)
        return in->fact.rank > axis && out->fact.rank > axis &&
               in->fact.dims[axis] == out->fact.dims[axis] &&
               !node_string_is(node, "keep_aspect_ratio_policy",
                               "not_larger") &&
               !node_string_is(node, "keep_aspect_ratio_policy", "not_smaller");
    double scale = 0;
    if (scales && scales->constant && place < scales->constant->count)
        constant_read(scales->constant, place, 1, &scale);
    return scale == 1;
}

int axis_kept(Scope *scope, const Node *node, int axis)
{
    const Fact *in = &scope_known(scope, node->inputs[0])->fact;
    const Fact *out = &scope_known(scope, node->outputs[0])->fact;
    int more = out->rank - in->rank, own;
    switch (node->op) {
    case OP_Relu:
    case OP_LeakyRelu:
    case OP_PRelu:
        return axis;
    case OP_Slice:
        return is_uncut(scope, node, axis) ? axis : -1;
    case OP_Split:
        return named_axis(scope, node) == axis ? -1 : axis;
    case OP_Expand: /* may put axes in front */
        return more >= 0 && in->dims[axis] == out->dims[axis + more]
                   ? axis + more
                   : -1;
    case OP_Gather: /* the indices' axes stand for one */
        own = named_axis(scope, node);
        return axis == own ? -1 : axis < own ? axis : axis + more;
    case OP_DepthToSpace:
    case OP_SpaceToDepth:
        return axis == 0 ? 0 : -1;
    case OP_Resize:
        return axis < 2 && is_unresized(scope, node, axis) ? axis : -1;
    default: /* over the spatial axes, which follow the channels */
        return axis < 2 ? axis : -1;
    }
}

/* ---- Crops ---- */

/* What is cut off an axis before and after what stays. */
static bool axis_crop(Scope *scope, const Node *node, int axis, int64_t *before,
                      int64_t *after)
{
    Cut cut;
    int64_t size;
    const Fact *in = &scope_known(scope, node->inputs[0])->fact;
    if (!cut_read(scope, node, axis, &cut) || cut.step != 1)
        return false;
    bool sized = dim_is_known(scope->symbols, in->dims[axis], &size);
    bool to_end = cut.end >= INT32_MAX || (sized && cut.end >= size);
    if (!to_end && !sized && cut.end >= 0)
        return false;
    *before = sized && cut.start < 0 ? cut.start + size : cut.start;
    *after = to_end ? 0 : sized && cut.end >= 0 ? size - cut.end : -cut.end;
    return *before >= 0 && *after >= 0 && *before <= 1 << 24 &&
           *after <= 1 << 24;
}

bool takes_all(Scope *scope, const Node *node)
{
    int64_t before = 0, after = 0;
    int rank = scope_known(scope, node->inputs[0])->fact.rank;
    for (int i = 0; i < rank; i++)
        if (!axis_crop(scope, node, i, &before, &after) || before || after)
            return false;
    return rank > 0;
}

bool crop_read(Scope *scope, const Node *node, int spatial, int64_t *amounts)
{
    const Fact *in = &scope_known(scope, node->inputs[0])->fact;
    if (node->op != OP_Slice || in->rank != spatial + 2)
        return false;
    for (int i = 0; i < in->rank; i++) {
        int64_t before, after;
        if (!axis_crop(scope, node, i, &before, &after) ||
            (i < 2 && (before || after)))
            return false;
        if (i >= 2) {
            amounts[i - 2] = before;
            amounts[SPACE_MAX + i - 2] = after;
        }
    }
    return true;
}

/* ---- Channels that are taken ---- */

void channels_new(Arena *arena, int64_t width, int64_t ways, Channels *out)
{
    *out = (Channels){.width = width, .ways = ways};
    out->from = arena_array(arena, (size_t)(width * ways), sizeof *out->from);
}

void channels_repeat(Arena *arena, int64_t width, int64_t times, Channels *out)
{
    channels_new(arena, width * times, 1, out);
    for (int64_t c = 0; c < out->width; c++)
        out->from[c] = c / times;
}

static bool take_range(int64_t start, int64_t step, Channels *out)
{
    for (int64_t c = 0; c < out->width; c++)
        out->from[c] = start + step * c;
    return true;
}

static bool take_slice(Scope *scope, const Node *node, int axis, int64_t ins,
                       Channels *out)
{
    Cut cut;
    if (is_uncut(scope, node, axis) || !cut_read(scope, node, axis, &cut))
        return false;
    int64_t first = cut.start < 0 ? cut.start + ins : cut.start;
    int64_t last = cut.step < 0 ? ins - 1 : ins;
    first = first < 0 ? 0 : first > last ? last : first;
    return take_range(first, cut.step, out);
}

static bool take_listed(Scope *scope, const Node *node, int64_t ins,
                        Channels *out)
{
    const Known *list = scope_known(scope, node_input(node, 1));
    if (!list || !list->constant || list->constant->rank != 1 ||
        constant_ints(list->constant, out->width, out->from) != out->width)
        return false;
    for (int64_t c = 0; c < out->width; c++)
        out->from[c] += out->from[c] < 0 ? ins : 0;
    return true;
}

static bool take_split(Scope *scope, const Node *node, int output, int axis,
                       Channels *out)
{
    int64_t start = 0, length;
    for (int i = 0; i < output; i++) {
        const Known *before = scope_known(scope, node_output(node, i));
        if (!before || before->fact.rank <= axis ||
            !dim_is_known(scope->symbols, before->fact.dims[axis], &length))
            return false;
        start += length;
    }
    return take_range(start, 1, out);
}

/* ONNX DepthToSpace-13: channels (block, channel), or with CRD the other way
 * round, become pixels; ONNX SpaceToDepth-13 is the first, backwards. */
static bool take_blocks(Arena *arena, const Node *node, int64_t ins,
                        Channels *out)
{
    int64_t width = out->width;
    if (node->op == OP_SpaceToDepth) {
        for (int64_t c = 0; c < width; c++)
            out->from[c] = c % ins;
        return width % ins == 0;
    }
    if (width < 1 || ins % width)
        return false;
    bool outer = node_string_is(node, "mode", "CRD");
    channels_new(arena, width, ins / width, out);
    for (int64_t i = 0; i < ins; i++) {
        int64_t c = i / width, j = i % width;
        if (outer)
            out->from[i] = i;
        else
            out->from[j * out->ways + c] = i;
    }
    return true;
}

bool channels_take(Region *region, Scope *scope, const Node *node, int output,
                   int axis, Channels *out)
{
    const Fact *in = &scope_known(scope, node->inputs[0])->fact;
    const Known *made = scope_known(scope, node_output(node, output));
    int64_t ins, outs;
    bool taken = false;
    if (!made || in->rank <= axis || made->fact.rank <= axis ||
        !dim_is_known(scope->symbols, in->dims[axis], &ins) ||
        !dim_is_known(scope->symbols, made->fact.dims[axis], &outs) ||
        ins < 1 || outs < 1)
        return false;
    channels_new(region->arena, outs, 1, out);
    if (node->op == OP_Slice)
        taken = take_slice(scope, node, axis, ins, out);
    else if (node->op == OP_Gather && named_axis(scope, node) == axis)
        taken = take_listed(scope, node, ins, out);
    else if (node->op == OP_Split && named_axis(scope, node) == axis)
        taken = take_split(scope, node, output, axis, out);
    else if ((node->op == OP_DepthToSpace || node->op == OP_SpaceToDepth) &&
             axis == 1)
        taken = take_blocks(region->arena, node, ins, out);
    for (int64_t i = 0; taken && i < out->width * out->ways; i++)
        taken = out->from[i] >= 0 && out->from[i] < ins;
    return taken;
}

/* ---- Bounds ---- */

bool is_scaling(const Node *node, Coefs scale)
{
    return (node->op == OP_AveragePool && node->output_count == 1) ||
           (is_homogeneous(node) && coefs_are_positive(scale));
}

bool is_homogeneous(const Node *node)
{
    return node->output_count == 1 &&
           (node->op == OP_Relu || node->op == OP_LeakyRelu ||
            node->op == OP_PRelu || node->op == OP_MaxPool);
}

double mover_gain(Scope *scope, const Node *node)
{
    double gain = 1, slope;
    if (node->op == OP_LeakyRelu)
        return fmax(1, fabs((double)node_float(node, "alpha", 0.01f)));
    if (node->op == OP_Resize) /* cubic */
        return 4;
    if (node->op != OP_PRelu)
        return 1;
    const Known *slopes = scope_known(scope, node_input(node, 1));
    if (!slopes || !slopes->constant)
        return INFINITY;
    for (int64_t i = 0; i < slopes->constant->count; i++) {
        constant_read(slopes->constant, i, 1, &slope);
        gain = fmax(gain, fabs(slope));
    }
    return gain;
}
