/* Affine maps along the channels: BatchNormalization and its like. */
#include <math.h>

#include "fold/site.h"

/* BatchNormalization-15 in inference: scale = gamma / sqrt(var + epsilon),
 * shift = beta - scale * mean. */
static Reason batchnorm_vectors(Fold *fold, const Node *node, AffineMap *out,
                                const char **fact)
{
    Vec parts[4]; /* gamma, beta, mean, variance */
    for (int i = 0; i < 4; i++) {
        Value *value = node_input(node, 1 + i);
        if (!value || !constant_vec(fold, value, &parts[i])) {
            *fact = value ? value->name : "";
            return value ? constant_obstacle(fold, value)
                         : REASON_DYNAMIC_WEIGHT;
        }
        if (parts[i].size != parts[0].size || parts[0].size == 0)
            return REASON_CHANNELS;
    }
    double epsilon = (double)node_float(node, "epsilon", 1e-5f);
    int64_t size = parts[0].size;
    double *scale = arena_array(fold->scratch, (size_t)size, sizeof *scale);
    double *shift = arena_array(fold->scratch, (size_t)size, sizeof *shift);
    for (int64_t c = 0; c < size; c++) {
        double spread = parts[3].at[c] + epsilon;
        if (!(spread > 0) || isinf(spread)) {
            *fact = arena_printf(fold->scratch, "variance %g in channel %lld",
                                 parts[3].at[c], (long long)c);
            return REASON_BAD_VARIANCE;
        }
        scale[c] = parts[0].at[c] / sqrt(spread);
        shift[c] = parts[1].at[c] - scale[c] * parts[2].at[c];
    }
    out->scale = (Vec){size, scale};
    out->shift = (Vec){size, shift};
    return REASON_NONE;
}

static Reason batchnorm_read(Fold *fold, const Node *node, AffineMap *out,
                             const char **fact)
{
    int64_t opset = graph_opset(fold->graph);
    out->axis = 1;
    if (opset < 9 && node_int(node, "spatial", 1) == 0)
        return REASON_WRONG_AXIS;
    for (int i = 1; i < node->output_count; i++) {
        Value *side = node_output(node, i);
        if (side && (side->use_count || side->is_output))
            return REASON_BN_SIDE_OUTPUT;
    }
    if (node_trains(fold, node) && !fold->model->assume_inference)
        return REASON_TRAINING_MODE;
    if (out->input->fact.rank >= 0 && out->input->fact.rank < 2)
        return REASON_WRONG_AXIS;
    return batchnorm_vectors(fold, node, out, fact);
}

/* The axis of a tensor of rank `rank` along which a constant lies that is
 * broadcast against it from the right; -1 for a single number. False when it
 * lies along several. */
static bool constant_axis(const Tensor *constant, int rank, int *axis)
{
    *axis = -1;
    for (int i = 0; i < constant->rank; i++) {
        if (constant->dims[i] == 1)
            continue;
        if (*axis >= 0)
            return false;
        *axis = i + rank - constant->rank;
    }
    return true;
}

/* One operand of the binary node is constant: which, and is it along an axis
 * of the other that really has that length? */
static Reason operand_read(Fold *fold, const Node *node, AffineMap *out,
                           int *constant_slot, Vec *vec, const char **fact)
{
    Value *a = node_input(node, 0), *b = node_input(node, 1);
    if (!a || !b)
        return REASON_NONLINEAR;
    const Tensor *left = value_constant(fold->graph, a);
    const Tensor *right = value_constant(fold->graph, b);
    if (!left == !right)
        return REASON_NONLINEAR;
    *constant_slot = left ? 0 : 1;
    const Tensor *constant = left ? left : right;
    out->input = left ? b : a;
    const Fact *input = &out->input->fact;
    if (!dtype_is_real(constant->type))
        return REASON_NONLINEAR;
    if (input->rank < 0)
        return REASON_SHAPE_UNKNOWN;
    if (constant->count == 0 || graph_opset(fold->graph) < 7 ||
        constant->rank > input->rank)
        return REASON_BROADCAST;
    if (!constant_axis(constant, input->rank, &out->axis)) {
        *fact = "the constant lies along several axes";
        return REASON_WRONG_AXIS;
    }
    int64_t length;
    if (out->axis >= 0 &&
        (!dim_is_known(fold->model->symbols, input->dims[out->axis], &length) ||
         length != constant->count)) {
        *fact = arena_printf(fold->scratch, "%lld numbers along axis %d",
                             (long long)constant->count, out->axis);
        return REASON_BROADCAST;
    }
    constant_vec(fold, left ? a : b, vec);
    return REASON_NONE;
}

static Vec vec_map(Fold *fold, Vec vec, double numerator, double factor)
{
    double *out = arena_array(fold->scratch, (size_t)vec.size, sizeof *out);
    for (int64_t i = 0; i < vec.size; i++)
        out[i] = numerator != 0 ? numerator / vec.at[i] : factor * vec.at[i];
    return (Vec){vec.size, out};
}

static Reason binary_read(Fold *fold, const Node *node, AffineMap *out,
                          const char **fact)
{
    int slot = 0;
    Vec vec = VEC_NONE;
    Reason reason = operand_read(fold, node, out, &slot, &vec, fact);
    if (reason)
        return reason;
    switch (node->op) {
    case OP_Mul:
        out->scale = vec;
        return REASON_NONE;
    case OP_Add:
        out->shift = vec;
        return REASON_NONE;
    case OP_Sub: /* T - k, or k - T */
        out->shift = slot == 1 ? vec_map(fold, vec, 0, -1) : vec;
        if (slot == 0)
            out->scale = vec_uniform(fold->scratch, -1);
        return REASON_NONE;
    default: /* Div: T / k is T times the reciprocal; k / T is not linear */
        if (slot == 0)
            return REASON_NONLINEAR;
        out->scale = vec_map(fold, vec, 1, 0);
        return REASON_NONE;
    }
}

Reason affine_read(Fold *fold, Node *node, AffineMap *out, const char **fact)
{
    *out = (AffineMap){.input = node_input(node, 0), .axis = -1};
    *fact = NULL;
    Reason reason = REASON_NONLINEAR;
    if (!out->input || node_is_parametric(node))
        return reason;
    switch (node->op) {
    case OP_BatchNormalization:
        reason = batchnorm_read(fold, node, out, fact);
        break;
    case OP_Mul:
    case OP_Add:
    case OP_Sub:
    case OP_Div:
        reason = binary_read(fold, node, out, fact);
        break;
    case OP_Neg:
        out->scale = vec_uniform(fold->scratch, -1);
        return dtype_is_real(out->input->fact.type) ? REASON_NONE
                                                    : REASON_NONLINEAR;
    default:
        return reason;
    }
    if (!reason && (!vec_is_finite(out->scale) || !vec_is_finite(out->shift)))
        return REASON_NOT_FINITE;
    return reason;
}
