#include "fold/border.h"

#include "exec/exec.h"

/* Elements of the value with its border. */
enum { ELEMENTS_MAX = 1 << 24 };

/* ---- The nodes ---- */

/* Operators whose output holds only elements of their inputs, in places that
 * do not depend on these elements. */
static bool only_places(const Node *node)
{
    if (node_is_parametric(node))
        return false;
    switch (node->op) {
    case OP_Pad:
        return !node_attr(node, "mode") ||
               node_string_is(node, "mode", "constant");
    case OP_ScatterND:
        return !node_attr(node, "reduction") ||
               node_string_is(node, "reduction", "none");
    case OP_Concat:
    case OP_Slice:
    case OP_Where:
    case OP_Identity:
        return true;
    default:
        return false;
    }
}

static bool border_has(const Border *border, const Node *node)
{
    for (int i = 0; i < border->count; i++)
        if (border->nodes[i] == node)
            return true;
    return false;
}

/* Keeps the nodes sorted by where they stand. */
static void border_add(Border *border, Node *node)
{
    int at = border->count++;
    for (; at > 0 && border->nodes[at - 1]->index > node->index; at--)
        border->nodes[at] = border->nodes[at - 1];
    border->nodes[at] = node;
}

bool border_find(Fold *fold, Value *value, Border *border)
{
    Value *open[4 * BORDER_NODES_MAX];
    int count = 0;
    border->count = 0;
    border->inside = NULL;
    open[count++] = value;
    while (count > 0) {
        Value *next = open[--count];
        Node *node = next->producer;
        if (value_constant(fold->graph, next) ||
            (node && border_has(border, node)))
            continue;
        if (!node || node->graph != fold->graph || !only_places(node)) {
            if (border->inside && border->inside != next)
                return false;
            border->inside = next;
            continue;
        }
        if (border->count == BORDER_NODES_MAX || !exec_supports(node))
            return false;
        border_add(border, node);
        for (int i = 0; i < node->input_count; i++) {
            if (count == 4 * BORDER_NODES_MAX)
                return false;
            if (node->inputs[i])
                open[count++] = node->inputs[i];
        }
    }
    return border->count > 0 && border->inside;
}

/* True when a node's results are read for their shapes only, or known. What
 * was dead in the file stays, and so it counts as a reader. */
static bool is_idle(const Node *node)
{
    if (node->keep_dead)
        return false;
    for (int i = 0; i < node->output_count; i++) {
        const Value *value = node->outputs[i];
        if (!value || value->tensor)
            continue;
        if (value->is_output || value->is_captured)
            return false;
        for (int k = 0; k < value->use_count; k++)
            if (!use_is_value_free(&value->uses[k]))
                return false;
    }
    return true;
}

static Reason readers_obstacle(const Border *border, const Value *value,
                               const Node *reader)
{
    if (value->is_output)
        return REASON_GRAPH_OUTPUT;
    if (value->is_captured)
        return REASON_SUBGRAPH_CAPTURE;
    for (int i = 0; i < value->use_count; i++) {
        const Use *use = &value->uses[i];
        if (use->node != reader && !border_has(border, use->node) &&
            !use_is_value_free(use) && !is_idle(use->node))
            return REASON_MULTI_USE;
    }
    return REASON_NONE;
}

Reason border_obstacle(const Border *border, const Value *value,
                       const Node *reader)
{
    Reason reason = readers_obstacle(border, border->inside, NULL);
    for (int i = 0; !reason && i < border->count; i++) {
        const Value *made = border->nodes[i]->outputs[0];
        reason = readers_obstacle(border, made, made == value ? reader : NULL);
    }
    return reason;
}

/* ---- Evaluation ---- */

static Array *input_array(Fold *fold, const Border *border, Array *inside,
                          Array *const *made, const Value *value)
{
    Array *array = NULL;
    Err ignored = {0};
    for (int i = 0; i < border->count; i++)
        if (border->nodes[i]->outputs[0] == value)
            return made[i];
    const Tensor *tensor = value_constant(fold->graph, value);
    if (!tensor)
        return inside;
    if (!tensor_is_readable(tensor) ||
        array_from_tensor(fold->scratch, tensor, PRECISION_F64, true, &array,
                          &ignored) < 0)
        return NULL;
    return array;
}

/* The value with its border when `inside` is what it is around; NULL when that
 * cannot be evaluated. */
static Array *border_run(Fold *fold, const Border *border, const Value *value,
                         Array *inside)
{
    ExecOptions options = {
        .precision = PRECISION_F64, .exact = true, .level = SIMD_PLAIN};
    Array *made[BORDER_NODES_MAX], *inputs[BORDER_NODES_MAX];
    Err ignored = {0};
    for (int i = 0; i < border->count; i++) {
        const Node *node = border->nodes[i];
        if (node->input_count > BORDER_NODES_MAX || node->output_count != 1)
            return NULL;
        for (int k = 0; k < node->input_count; k++) {
            inputs[k] = node->inputs[k] ? input_array(fold, border, inside,
                                                      made, node->inputs[k])
                                        : NULL;
            if (node->inputs[k] && !inputs[k])
                return NULL;
        }
        if (exec_node(fold->scratch, node, &options, inputs, &made[i],
                      &ignored) < 0)
            return NULL;
        if (node->outputs[0] == value)
            return made[i];
    }
    return NULL;
}

/* Numbers that tell places apart, and no weights: start + sign * place. */
static Array *tagged(Fold *fold, const Fact *fact, double start, double sign)
{
    int64_t dims[RANK_MAX];
    for (int i = 0; i < fact->rank; i++)
        dim_is_known(fold->model->symbols, fact->dims[i], &dims[i]);
    Array *array =
        array_new(fold->scratch, fact->type, fact->rank, dims, PRECISION_F64);
    for (int64_t i = 0; i < array->count; i++)
        ((double *)array->data)[i] = start + sign * (double)i;
    return array;
}

/* Where the first tag is: the widths before; what is left are those after. */
static bool widths_find(const Array *inside, const Array *whole, Border *border)
{
    const double *in = inside->data, *out = whole->data;
    int64_t at = 0;
    while (at < whole->count && out[at] != in[0])
        at++;
    if (at == whole->count)
        return false;
    for (int i = whole->rank; i-- > 2;) {
        border->begin[i - 2] = at % whole->dims[i];
        border->end[i - 2] =
            whole->dims[i] - inside->dims[i] - border->begin[i - 2];
        at /= whole->dims[i];
        if (border->end[i - 2] < 0)
            return false;
    }
    return at == 0 && whole->dims[0] == inside->dims[0] &&
           whole->dims[1] == inside->dims[1];
}

/* The place inside of a place in the whole, or -1 for the border. */
static int64_t place_inside(const Array *inside, const Array *whole,
                            const Border *border, int64_t at)
{
    int64_t index[RANK_MAX], place = 0;
    for (int i = whole->rank; i-- > 0; at /= whole->dims[i])
        index[i] = at % whole->dims[i] - (i < 2 ? 0 : border->begin[i - 2]);
    for (int i = 0; i < whole->rank; i++) {
        if (index[i] < 0 || index[i] >= inside->dims[i])
            return -1;
        place = place * inside->dims[i] + index[i];
    }
    return place;
}

/* Whether the whole is the inside in its place and, around it, the same number
 * in all of a channel: the first run finds them, the second must agree. */
static Reason whole_check(const Array *inside, const Array *whole,
                          const Border *border, double *around, bool *known)
{
    const double *in = inside->data, *out = whole->data;
    int64_t plane = 1, channels = whole->dims[1];
    for (int i = 2; i < whole->rank; i++)
        plane *= whole->dims[i];
    for (int64_t at = 0; at < whole->count; at++) {
        int64_t place = place_inside(inside, whole, border, at);
        int64_t c = at / plane % channels;
        if (place >= 0 && out[at] != in[place])
            return REASON_NONLINEAR;
        if (place >= 0)
            continue;
        if (known[c] && around[c] != out[at])
            return REASON_BORDER;
        around[c] = out[at];
        known[c] = true;
    }
    return REASON_NONE;
}

/* A border has no other channels, and is along at least one axis. */
static bool may_be_border(const Fact *inside, const Fact *whole)
{
    bool differs = false;
    for (int i = 2; i < inside->rank; i++)
        differs |= inside->dims[i] != whole->dims[i];
    return inside->rank == whole->rank && inside->rank > 2 && differs &&
           inside->dims[1] == whole->dims[1];
}

static bool is_evaluable(const Fold *fold, const Border *border,
                         const Value *value)
{
    int64_t inside, whole;
    const Fact *fact = &border->inside->fact;
    return fact->rank <= AXES_MAX + 2 && dtype_is_real(fact->type) &&
           fact_is_static(fold->model->symbols, fact, &inside) &&
           fact_is_static(fold->model->symbols, &value->fact, &whole) &&
           inside > 0 && whole <= ELEMENTS_MAX;
}

/* What it finds is in the arena `outer`. */
static Reason border_evaluate(Fold *fold, Arena *outer, const Value *value,
                              Border *border)
{
    Array *inside[2], *whole[2];
    for (int run = 0; run < 2; run++) {
        inside[run] = tagged(fold, &border->inside->fact,
                             run ? -0x1p42 : 0x1p41, run ? -1 : 1);
        whole[run] = border_run(fold, border, value, inside[run]);
        if (!whole[run] || whole[run]->rank != inside[run]->rank)
            return REASON_NONLINEAR;
    }
    if (!widths_find(inside[0], whole[0], border))
        return REASON_NONLINEAR;
    size_t channels = (size_t)inside[0]->dims[1];
    double *around = arena_array(outer, channels, sizeof *around);
    bool *known = arena_array(fold->scratch, channels, sizeof *known);
    for (int run = 0; run < 2; run++) {
        Reason reason =
            whole_check(inside[run], whole[run], border, around, known);
        if (reason)
            return reason;
    }
    border->around = (Vec){(int64_t)channels, around};
    return known[0] ? REASON_NONE : REASON_NONLINEAR;
}

Reason border_read(Fold *fold, const Value *value, Border *border,
                   const char **fact)
{
    *fact = value->name;
    if (!may_be_border(&border->inside->fact, &value->fact))
        return REASON_NONLINEAR;
    if (!is_evaluable(fold, border, value))
        return REASON_SHAPE_UNKNOWN;
    Arena *outer = site_begin(fold);
    Reason reason = border_evaluate(fold, outer, value, border);
    site_end(fold, outer);
    return reason;
}
