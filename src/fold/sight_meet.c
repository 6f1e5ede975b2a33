/* Maps where several values meet: side by side, or in a sum. */
#include "fold/sight.h"

static bool vecs_equal(Vec a, Vec b, double nothing)
{
    int64_t size = a.size > b.size ? a.size : b.size;
    for (int64_t c = 0; c < size; c++)
        if (vec_get(a, c, nothing) != vec_get(b, c, nothing))
            return false;
    return true;
}

/* The one map that all inputs have; NULL where they have not. */
static const Sight *common_sight(const Node *node, const Sight *const *sights)
{
    const Sight *first = sights[0];
    for (int i = 0; i < node->input_count; i++) {
        const Sight *own = sights[i];
        if (!own || own->axis != first->axis || own->more != first->more ||
            !vecs_equal(own->scale, first->scale, 1) ||
            !vecs_equal(own->shift, first->shift, 0))
            return NULL;
    }
    return first;
}

/* ---- Concat ---- */

/* Where the slot's channels start, and how many there are. */
static bool concat_range(const Fold *fold, const Node *node, int slot, int axis,
                         int64_t *start, int64_t *length)
{
    int rank = node->outputs[0]->fact.rank;
    *start = *length = 0;
    for (int i = 0; i <= slot; i++) {
        const Fact *fact = &node->inputs[i]->fact;
        *start += *length;
        if (fact->rank != rank ||
            !dim_is_known(fold->model->symbols, fact->dims[axis], length))
            return false;
    }
    return true;
}

static int concat_axis(const Node *node)
{
    int rank = node->outputs[0]->fact.rank;
    int64_t axis = node_int(node, "axis", 1);
    axis += axis < 0 ? rank : 0;
    return axis < 0 || axis >= rank ? -1 : (int)axis;
}

/* Nothing happens to the channels of inputs without a map. */
static Reason concat_forward(const Fold *fold, const Node *node,
                             const Sight *const *sights, Sight *out)
{
    int axis = concat_axis(node);
    int64_t whole, start, length;
    const Sight *common = common_sight(node, sights);
    if (common && common->axis != axis) {
        *out = *common;
        return REASON_NONE;
    }
    if (axis < 0 || !dim_is_known(fold->model->symbols,
                                  node->outputs[0]->fact.dims[axis], &whole))
        return REASON_SHAPE_UNKNOWN;
    double *scale = arena_array(fold->scratch, (size_t)whole, sizeof *scale);
    double *shift = arena_array(fold->scratch, (size_t)whole, sizeof *shift);
    for (int64_t c = 0; c < whole; c++)
        scale[c] = 1;
    *out = (Sight){.axis = axis};
    for (int i = 0; i < node->input_count; i++) {
        const Sight *own = sights[i];
        if (!own)
            continue;
        if (own->moves_only)
            return REASON_NONLINEAR;
        if (own->more || (own->axis >= 0 && own->axis != axis))
            return REASON_WRONG_AXIS; /* others have no such map */
        if (!concat_range(fold, node, i, axis, &start, &length))
            return REASON_SHAPE_UNKNOWN;
        for (int64_t c = 0; c < length; c++) {
            scale[start + c] = vec_get(own->scale, c, 1);
            shift[start + c] = vec_get(own->shift, c, 0);
        }
        if (own->scale.size)
            out->scale = (Vec){whole, scale};
        if (own->shift.size)
            out->shift = (Vec){whole, shift};
    }
    return REASON_NONE;
}

bool sight_back_concat(const Fold *fold, const Node *node, int slot,
                       Sight *sight)
{
    int64_t start, length;
    if (sight->more)
        return false;
    if (sight->axis != concat_axis(node))
        return true;
    if (!concat_range(fold, node, slot, sight->axis, &start, &length))
        return false;
    sight->scale = vec_slice(sight->scale, start, length);
    sight->shift = vec_slice(sight->shift, start, length);
    return true;
}

/* ---- Sums ---- */

static bool is_sum(const Fold *fold, const Node *node)
{
    if (node->op != OP_Add && node->op != OP_Sub && node->op != OP_Sum)
        return false;
    for (int i = 0; i < node->input_count; i++)
        if (!node->inputs[i] || value_constant(fold->graph, node->inputs[i]))
            return false;
    return dtype_is_real(node->outputs[0]->fact.type);
}

/* Nothing is broadcast, as far as sizes are known. */
static bool summand_fits(const Node *node, int slot, const Sight *sight)
{
    const Fact *in = &node->inputs[slot]->fact, *out = &node->outputs[0]->fact;
    bool fits = in->rank >= 0 && in->rank == out->rank && !sight->more;
    for (int i = 0; fits && i < in->rank; i++)
        fits = in->dims[i] == out->dims[i];
    return fits;
}

/* a x + b + a y + c is a (x + y) + (b + c), and x + b + y is x + y + b. */
static Reason sum_forward(const Fold *fold, const Node *node,
                          const Sight *const *sights, Sight *out)
{
    const Sight *first = NULL;
    bool all = true;
    for (int i = 0; i < node->input_count; i++) {
        all &= sights[i] != NULL;
        first = first ? first : sights[i];
    }
    *out = (Sight){.scale = first->scale, .axis = -1};
    for (int i = 0; i < node->input_count; i++) {
        const Sight *own = sights[i];
        if (!own)
            continue;
        if (!summand_fits(node, i, own) ||
            (out->axis >= 0 && own->axis >= 0 && own->axis != out->axis))
            return REASON_WRONG_AXIS;
        if (all ? !vecs_equal(own->scale, first->scale, 1)
                : !vec_all_equal(own->scale, 1, 1))
            return REASON_NONLINEAR;
        double sign = node->op == OP_Sub && i == 1 ? -1 : 1;
        Vec shift = vec_scale(fold->scratch, vec_uniform(fold->scratch, sign),
                              own->shift);
        out->shift = vec_add(fold->scratch, out->shift, shift);
        out->axis = own->axis >= 0 ? own->axis : out->axis;
    }
    if (!all)
        out->scale = VEC_NONE;
    out->moves_only = true;
    return REASON_NONE;
}

bool node_meets(const Fold *fold, const Node *node)
{
    return node->op == OP_Concat || is_sum(fold, node);
}

Reason sight_meet(const Fold *fold, const Node *node,
                  const Sight *const *sights, Sight *out)
{
    return node->op == OP_Concat ? concat_forward(fold, node, sights, out)
                                 : sum_forward(fold, node, sights, out);
}
