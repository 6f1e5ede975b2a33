/*
 * Convolutions of one tensor whose results are joined along the channels become
 * one with all their kernels (C19). On demand only.
 *
 * requires: uses, shapes, constants.  breaks: uses, shapes.
 */
#include "fold/emit.h"
#include "fold/pass.h"

/* The kernels one after another: outputs are the slowest dimension. */
typedef struct StackFormula {
    TensorFormula formula;
    const Kernel **kernels;
    int count;
} StackFormula;

static void stack_read(const TensorFormula *self, int64_t first, int64_t count,
                       double *out)
{
    const StackFormula *stack = (const StackFormula *)self;
    for (int i = 0; i < stack->count && count > 0; i++) {
        const Kernel *kernel = stack->kernels[i];
        int64_t size = kernel_elements(kernel);
        if (first >= size) {
            first -= size;
            continue;
        }
        int64_t now = size - first < count ? size - first : count;
        kernel->formula.read(&kernel->formula, first, now, out);
        out += now;
        count -= now;
        first = 0;
    }
}

static bool axes_are_equal(const Linear *a, const Linear *b)
{
    for (int i = 0; i < AXES_MAX; i++) {
        const Axis *x = &a->axes[i], *y = &b->axes[i];
        if (x->taps != y->taps || x->stride != y->stride ||
            x->dilation != y->dilation || x->begin != y->begin ||
            x->end != y->end)
            return false;
    }
    return true;
}

/* The reason, with the fact, why a convolution is not joined to the first. */
static Reason member_obstacle(const Linear *first, const Linear *member,
                              const char **fact)
{
    const Value *output = member->node->outputs[0];
    Reason reason = sole_use_obstacle(output);
    *fact = output->name;
    if (reason)
        return reason;
    if (member->kernel->group != 1)
        return REASON_GROUPS;
    if (member->type != first->type || member->spatial != first->spatial)
        return REASON_CHANNELS;
    return axes_are_equal(first, member) ? REASON_NONE : REASON_SLACK_DIFFERS;
}

/* Reads the convolutions that a Concat joins; false when it is another kind of
 * Concat, which is nothing to report. */
static bool members_read(Fold *fold, const Node *concat, Linear *members)
{
    const char *fact;
    int rank = concat->outputs[0]->fact.rank;
    int64_t axis = node_int(concat, "axis", 0);
    if (concat->op != OP_Concat || node_is_parametric(concat) ||
        concat->input_count < 2 || rank < 0 || (axis != 1 && axis + rank != 1))
        return false;
    for (int i = 0; i < concat->input_count; i++) {
        Node *node = concat->inputs[i] ? concat->inputs[i]->producer : NULL;
        if (!node || node->op != OP_Conv || node->graph != fold->graph ||
            node->inputs[0] != concat->inputs[0]->producer->inputs[0] ||
            linear_read(fold, node, &members[i], &fact))
            return false;
    }
    return true;
}

static Vec biases_join(Fold *fold, const Linear *members, int count,
                       int64_t channels)
{
    double *bias = arena_array(fold->scratch, (size_t)channels, sizeof *bias);
    bool has_bias = false;
    int64_t at = 0;
    for (int i = 0; i < count; i++) {
        has_bias |= members[i].bias.size > 0;
        for (int64_t c = 0; c < members[i].kernel->out_channels; c++)
            bias[at++] = vec_get(members[i].bias, c, 0);
    }
    return has_bias ? (Vec){channels, bias} : VEC_NONE;
}

static Kernel *kernels_join(Fold *fold, const Linear *members, int count)
{
    StackFormula *stack = arena_alloc(fold->arena, sizeof *stack);
    const Kernel *first = members[0].kernel;
    *stack = (StackFormula){{stack_read}, NULL, count};
    stack->kernels =
        arena_array(fold->arena, (size_t)count, sizeof *stack->kernels);
    int64_t channels = 0, elements = 0;
    for (int i = 0; i < count; i++) {
        stack->kernels[i] = kernel_copy(fold->arena, members[i].kernel);
        channels += members[i].kernel->out_channels;
        elements += kernel_elements(members[i].kernel);
    }
    Tensor *tensor = tensor_from_formula(fold->arena, members[0].type, 1,
                                         &elements, &stack->formula);
    return kernel_from_tensor(fold->arena, tensor, first->layout, channels,
                              first->in_channels, 1, first->taps);
}

static void stack_apply(Fold *fold, Node *concat, const Linear *members)
{
    int count = concat->input_count;
    const Node **consumed =
        arena_array(fold->scratch, (size_t)count + 1, sizeof *consumed);
    double macs = 0;
    bool static_size = false;
    for (int i = 0; i < count; i++) {
        static_size |= members[i].static_size;
        consumed[i] = members[i].node;
        macs += linear_macs(&members[i]);
    }
    consumed[count] = concat;
    Kernel *kernel = kernels_join(fold, members, count);
    Vec bias = biases_join(fold, members, count, kernel->out_channels);
    Emission emission = {.place = concat};
    emit_linear(fold, &emission, &members[0], kernel, bias, concat->outputs[0]);
    fold_record(fold, &emission,
                &(Account){RULE_BIT(RULE_C19), consumed, (size_t)count + 1,
                           macs, macs, static_size});
    emission_place(fold, &emission);
}

static void stack_try(Fold *fold, Node *node)
{
    Reason reason = REASON_NONE;
    const char *fact = "";
    Linear *members = arena_array(fold->scratch, (size_t)node->input_count + 1,
                                  sizeof *members);
    if (!members_read(fold, node, members))
        return;
    for (int i = 0; !reason && i < node->input_count; i++)
        reason = member_obstacle(&members[0], &members[i], &fact);
    if (!reason && fold_is_undone(fold, node->outputs[0]))
        reason = REASON_CERTIFICATE;
    if (reason)
        fold_note(fold, members[0].node, reason, fact);
    else
        stack_apply(fold, node, members);
}

int rule_stack(Fold *fold, Err *err)
{
    (void)err;
    if (!(fold->enabled & RULE_BIT(RULE_C19)))
        return 0;
    for (size_t i = 0; i < fold->graph->node_count && !fold_is_done(fold); i++)
        if (fold->graph->nodes[i]->op == OP_Concat)
            stack_try(fold, fold->graph->nodes[i]);
    return 0;
}
