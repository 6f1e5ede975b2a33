/* Explicit padding in front of a convolution or a pool (C18). */
#include <string.h>

#include "fold/site.h"

/* The amounts that inputs give: of all axes, or from opset 18 of those that
 * another input lists. */
static Reason pad_amounts_read(const Fold *fold, const Node *pad, int rank,
                               int64_t *amounts)
{
    Value *list = node_input(pad, 1), *named = node_input(pad, 3);
    const Tensor *given = value_constant(fold->graph, list);
    const Tensor *axes = named ? value_constant(fold->graph, named) : NULL;
    int64_t count = rank, axis, found[2 * RANK_MAX];
    if (!given || (named && !axes))
        return constant_obstacle(fold, given ? named : list);
    if (axes)
        count = axes->count;
    if ((axes && pad->inputs[0]->fact.rank != rank) || count > rank ||
        given->count != 2 * count)
        return REASON_SHAPE_UNKNOWN;
    tensor_read_i64(given, 0, 2 * count, found);
    memset(amounts, 0, 2 * (size_t)rank * sizeof *amounts);
    for (int64_t i = 0; i < count; i++) {
        axis = i;
        if (axes)
            tensor_read_i64(axes, i, 1, &axis);
        axis += axis < 0 ? rank : 0;
        if (axis < 0 || axis >= rank)
            return REASON_SHAPE_UNKNOWN;
        amounts[axis] = found[i];
        amounts[rank + axis] = found[count + i];
    }
    return REASON_NONE;
}

/* Pad's amounts for the spatial axes, when it only adds zeros there. ONNX Pad:
 * an attribute before opset 11, then inputs. */
static Reason pad_read(Fold *fold, const Node *pad, int rank, int64_t *amounts)
{
    Value *list = node_input(pad, 1), *value = node_input(pad, 2);
    Vec number = VEC_NONE;
    const int64_t *attribute;
    int64_t given[2 * RANK_MAX], count = node_ints(pad, "pads", &attribute);
    if (node_attr(pad, "mode") && !node_string_is(pad, "mode", "constant"))
        return REASON_PAD_MODE;
    if (value &&
        (!constant_vec(fold, value, &number) || !vec_all_equal(number, 0, 0)))
        return REASON_PAD_MODE;
    if (node_float(pad, "value", 0.0f) != 0.0f)
        return REASON_PAD_MODE;
    if (list) {
        Reason reason = pad_amounts_read(fold, pad, rank, given);
        if (reason)
            return reason;
        count = 2 * rank;
        attribute = given;
    }
    if (count != 2 * rank)
        return REASON_SHAPE_UNKNOWN;
    for (int i = 0; i < 2 * rank; i++) {
        if (attribute[i] < 0 || attribute[i] >= 1 << 24 ||
            (i % rank < 2 && attribute[i] != 0))
            return REASON_PAD_MODE;
        amounts[i] = attribute[i];
    }
    return REASON_NONE;
}

void linear_take_pad(Fold *fold, Linear *linear)
{
    Node *pad = linear->input->producer;
    int rank = linear->spatial + 2;
    int64_t amounts[2 * RANK_MAX];
    if (linear->kind != LINEAR_CONV || !pad || pad->op != OP_Pad ||
        pad->graph != fold->graph || !node_input(pad, 0) ||
        node_is_parametric(pad) || !(fold->enabled & RULE_BIT(RULE_C18)))
        return;
    Reason reason = use_obstacle(linear->input);
    if (!reason && linear->pads_follow)
        reason = REASON_SAME_PAD_SYMBOLIC;
    if (!reason)
        reason = pad_read(fold, pad, rank, amounts);
    if (reason) {
        fold_note(fold, pad, reason, linear->input->name);
        return;
    }
    for (int i = 0; i < linear->spatial; i++) {
        linear->axes[i].begin += amounts[2 + i];
        linear->axes[i].end += amounts[rank + 2 + i];
    }
    linear->input = pad->inputs[0];
    linear->pad = pad;
}
