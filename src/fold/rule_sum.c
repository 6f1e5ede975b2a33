/*
 * Backward folds: what stands behind linear operators goes into them, and
 * branches over one tensor become one kernel (C1-C6, C8, C10, C11, C14,
 * C15, C17, C18).
 *
 * requires: uses, shapes, constants, islands.  breaks: uses, shapes.
 *
 * 1. Every value around sums and scalings gets its linear form (form.h).
 * 2. A form that no larger one took is planned: branches are clustered by base
 *    and lattice; the plan says what would remain.
 * 3. A plan that leaves only values that exist, and fewer nodes, is carried
 *    out; otherwise its parts are tried one by one.
 */
#include "fold/emit.h"
#include "fold/form.h"
#include "fold/pass.h"

/* Branches that become one operator. */
typedef struct Cluster {
    int members[BRANCHES_MAX];
    int count;
    Linear lead; /* its axes are the union's; its node the largest member's */
    int64_t group;
} Cluster;

typedef struct Plan {
    Form *form;
    Cluster *clusters;
    int count;
    bool changed; /* something is absorbed or merged */
    bool crosses; /* branches of different summands are merged */
    int nodes;    /* that carrying it out adds */
    double macs_before, macs_after;
    RuleSet rules;
} Plan;

/* ---- Clusters ---- */

static double cluster_macs(const Linear *lead, int64_t group)
{
    double macs = (double)lead->kernel->out_channels *
                  (double)(lead->kernel->in_channels / group);
    for (int i = 0; i < lead->spatial; i++)
        macs *= (double)lead->axes[i].taps;
    return macs;
}

/* Equal slack makes equal outputs for every input size; different slack may
 * still do so for the one size that is known. (Of a transposed convolution the
 * output size follows from slack and output_padding in the same way.) */
static bool same_output(const Fold *fold, const Linear *a, const Linear *b,
                        int i)
{
    int64_t size;
    if (axis_slack(&a->axes[i]) == axis_slack(&b->axes[i]))
        return true;
    return a->kind == LINEAR_CONV && dim_is_known(fold->model->symbols, a->input->fact.dims[2 + i],
                        &size) &&
           axis_output(&a->axes[i], size) == axis_output(&b->axes[i], size);
}

/* Attributes that a merged operator has only once. A transposed convolution
 * whose pads follow from an output size cannot be placed on a lattice. */
static bool same_attributes(const Linear *a, const Linear *b)
{
    if (a->kind == LINEAR_GEMM)
        return node_float(a->node, "alpha", 1.0f) ==
                   node_float(b->node, "alpha", 1.0f) &&
               node_int(a->node, "transA", 0) == node_int(b->node, "transA", 0);
    if (a->kind != LINEAR_CONV_TRANSPOSE)
        return true;
    const int64_t *first, *second;
    int64_t count = node_ints(a->node, "output_padding", &first);
    if (count != node_ints(b->node, "output_padding", &second) ||
        node_attr(a->node, "output_shape") ||
        node_attr(b->node, "output_shape") || node_attr(a->node, "auto_pad") ||
        node_attr(b->node, "auto_pad"))
        return false;
    for (int64_t i = 0; i < count; i++)
        if (first[i] != second[i])
            return false;
    return true;
}

static Reason join_obstacle(const Fold *fold, const Linear *lead,
                            const Linear *linear)
{
    if (lead->kind != linear->kind ||
        lead->kernel->layout != linear->kernel->layout)
        return REASON_DIFFERENT_INPUT;
    if (!same_attributes(lead, linear))
        return REASON_SLACK_DIFFERS;
    if (lead->spatial != linear->spatial)
        return REASON_BROADCAST;
    if (lead->kernel->out_channels != linear->kernel->out_channels ||
        lead->kernel->in_channels != linear->kernel->in_channels ||
        lead->type != linear->type)
        return REASON_CHANNELS;
    for (int i = 0; i < lead->spatial; i++) {
        if (lead->axes[i].stride != linear->axes[i].stride)
            return REASON_STRIDE;
        if (!same_output(fold, lead, linear, i))
            return REASON_SLACK_DIFFERS;
    }
    return REASON_NONE;
}

/* Adds the branch to the cluster when it fits and does not raise the cost. */
static Reason cluster_join(const Fold *fold, Cluster *cluster, int index,
                           const Linear *linear)
{
    Reason reason = join_obstacle(fold, &cluster->lead, linear);
    if (reason)
        return reason;
    Linear lead = cluster->lead;
    for (int i = 0; i < lead.spatial; i++) {
        const Axis *axes[2] = {&cluster->lead.axes[i], &linear->axes[i]};
        if (!axis_union(axes, 2, &lead.axes[i]))
            return REASON_BUDGET;
    }
    int64_t group = gcd(cluster->group, linear->kernel->group);
    double apart = cluster_macs(&cluster->lead, cluster->group) +
                   linear_macs(linear);
    if (cluster_macs(&lead, group) > apart && !fold->options->allow_cost)
        return REASON_COST;
    cluster->lead = lead;
    cluster->group = group;
    cluster->members[cluster->count++] = index;
    return REASON_NONE;
}

static void cluster_start(Plan *plan, int index)
{
    Cluster *cluster = &plan->clusters[plan->count++];
    const Branch *branch = &plan->form->branches[index];
    *cluster = (Cluster){.members = {index}, .count = 1};
    if (branch->kind == BRANCH_LINEAR) {
        cluster->lead = branch->linear;
        cluster->group = branch->linear.kernel->group;
    }
}

/* A linear operator that can lead a cluster. */
static bool is_operator(const Branch *branch)
{
    return branch->kind == BRANCH_LINEAR && !branch->linear.is_virtual;
}

/* Tries the branch, described by `linear`, on the clusters over its base. */
static bool place_branch(Fold *fold, Plan *plan, int index,
                         const Linear *linear)
{
    const Branch *branch = &plan->form->branches[index];
    for (int i = 0; i < plan->count; i++) {
        Cluster *cluster = &plan->clusters[i];
        if (!is_operator(&plan->form->branches[cluster->members[0]]) ||
            value_behind(cluster->lead.input) != value_behind(linear->input))
            continue;
        Reason reason = cluster_join(fold, cluster, index, linear);
        if (!reason)
            return true;
        if (branch->linear.node)
            fold_note(fold, branch->linear.node, reason, linear->input->name);
    }
    return false;
}

/* The largest kernels come first: what joins a dense kernel is free, and would
 * not be the other way round. */
static void cluster_operators(Fold *fold, Plan *plan)
{
    Form *form = plan->form;
    bool placed[BRANCHES_MAX] = {false};
    for (;;) {
        int next = -1;
        for (int i = 0; i < form->count; i++)
            if (!placed[i] && is_operator(&form->branches[i]) &&
                (next < 0 || linear_macs(&form->branches[i].linear) >
                                 linear_macs(&form->branches[next].linear)))
                next = i;
        if (next < 0)
            return;
        placed[next] = true;
        if (!place_branch(fold, plan, next, &form->branches[next].linear))
            cluster_start(plan, next);
    }
}

/* The element type that a virtual branch has to join. */
static DType plan_type(const Plan *plan)
{
    for (int i = 0; i < plan->count; i++)
        if (plan->clusters[i].lead.node)
            return plan->clusters[i].lead.type;
    return DT_UNDEFINED;
}

static void cluster_rest(Fold *fold, Plan *plan)
{
    Form *form = plan->form;
    DType type = plan_type(plan);
    for (int i = 0; i < form->count; i++) {
        Branch *branch = &form->branches[i];
        if (is_operator(branch))
            continue;
        Linear linear;
        bool joins = type != DT_UNDEFINED && (form->axis < 0 || form->axis == 1);
        if (branch->kind == BRANCH_IDENTITY)
            joins = joins && linear_identity(fold, branch->value, type,
                                             &linear);
        else if (branch->kind == BRANCH_LINEAR && branch->linear.is_virtual)
            linear = branch->linear;
        else
            joins = false;
        if (joins && place_branch(fold, plan, i, &linear)) {
            if (branch->kind == BRANCH_IDENTITY)
                branch->linear = linear;
            continue;
        }
        cluster_start(plan, i);
    }
}

/* ---- Plans ---- */

static bool is_affected(const Branch *branch)
{
    return branch->scale.size || branch->shift.size ||
           (branch->kind == BRANCH_LINEAR &&
            (branch->linear.pad || branch->linear.weight_is_computed ||
             branch->linear.bias_is_computed));
}

/* What a cluster's bias will be: sum of scale * bias + shift. */
static Vec cluster_bias(Fold *fold, const Plan *plan, const Cluster *cluster)
{
    Vec bias = VEC_NONE;
    for (int i = 0; i < cluster->count; i++) {
        const Branch *branch = &plan->form->branches[cluster->members[i]];
        Vec own = branch->kind == BRANCH_LINEAR ? branch->linear.bias
                                                : VEC_NONE;
        own = vec_scale(fold->arena, branch->scale, own);
        own = vec_add(fold->arena, own, branch->shift);
        bias = vec_add(fold->arena, bias, own);
    }
    /* Exporters compute zeros for an absent bias. */
    const Linear *lead = &cluster->lead;
    if (lead->bias_is_computed && vec_all_equal(bias, 0, 0))
        return VEC_NONE;
    return bias;
}

/* True when the cluster is left as a value that exists already. */
static bool cluster_is_alias(const Plan *plan, const Cluster *cluster)
{
    const Branch *branch = &plan->form->branches[cluster->members[0]];
    if (cluster->count > 1)
        return false;
    if (branch->kind == BRANCH_IDENTITY ||
        (branch->kind == BRANCH_LINEAR && branch->linear.is_virtual))
        return true;
    return !is_affected(branch);
}

static Plan plan_make(Fold *fold, Form *form);

/* The plan for the i-th form behind a mover, with the branch's scale and shift
 * absorbed. */
static Plan plan_behind(Fold *fold, const Plan *plan, const Branch *branch,
                        int i)
{
    Form *inner = form_behind(fold, branch, i, branch->scale, branch->shift,
                              plan->form->axis);
    return inner ? plan_make(fold, inner) : (Plan){.form = plan->form};
}

static RuleSet cluster_rules(const Plan *plan, const Cluster *cluster)
{
    RuleSet rules = 0;
    int operators = 0;
    for (int i = 0; cluster->count > 1 && i < cluster->count; i++) {
        const Branch *branch = &plan->form->branches[cluster->members[i]];
        operators += is_operator(branch);
        if (branch->kind == BRANCH_IDENTITY)
            rules |= RULE_BIT(RULE_C5);
        else if (branch->linear.is_virtual)
            rules |= RULE_BIT(RULE_C6);
    }
    if (operators < 2)
        return rules;
    switch (cluster->lead.kind) {
    case LINEAR_CONV:
        return rules | RULE_BIT(RULE_C4);
    case LINEAR_CONV_TRANSPOSE:
        return rules | RULE_BIT(RULE_C8);
    default:
        return rules | RULE_BIT(RULE_C15);
    }
}

/* Adds one cluster to the plan's account; false when it cannot be left so. */
static bool plan_count(Fold *fold, Plan *plan, const Cluster *cluster)
{
    const Branch *branch = &plan->form->branches[cluster->members[0]];
    if (cluster_is_alias(plan, cluster))
        return branch->alias != NULL;
    plan->changed = true;
    plan->rules |= cluster_rules(plan, cluster);
    for (int i = 0; i < cluster->count; i++) {
        const Branch *member = &plan->form->branches[cluster->members[i]];
        if (member->part != branch->part)
            plan->crosses = true;
        if (member->kind == BRANCH_LINEAR)
            plan->macs_before += linear_macs(&member->linear);
    }
    if (branch->kind == BRANCH_VIA) {
        plan->nodes++;
        for (int i = 0; i < branch->inner_count; i++) {
            Plan behind = plan_behind(fold, plan, branch, i);
            plan->nodes += behind.nodes;
            plan->macs_before += behind.macs_before;
            plan->macs_after += behind.macs_after;
            if (behind.nodes == 0)
                return false;
        }
        return true;
    }
    plan->nodes += linear_node_count(&cluster->lead,
                                     cluster_bias(fold, plan, cluster));
    plan->macs_after += cluster_macs(&cluster->lead, cluster->group);
    return true;
}

/* Clusters the branches and counts what would remain. A plan that cannot be
 * carried out has 0 nodes. */
static Plan plan_make(Fold *fold, Form *form)
{
    Plan plan = {.form = form, .rules = form->rules};
    plan.clusters = arena_array(fold->scratch, (size_t)form->count,
                                sizeof *plan.clusters);
    cluster_operators(fold, &plan);
    cluster_rest(fold, &plan);
    int positive = 0;
    for (int i = 0; i < plan.count; i++) {
        const Branch *branch = &form->branches[plan.clusters[i].members[0]];
        positive += !cluster_is_alias(&plan, &plan.clusters[i]) ||
                    branch->alias_sign > 0;
        if (!plan_count(fold, &plan, &plan.clusters[i])) {
            plan.nodes = 0;
            return plan;
        }
    }
    plan.nodes = positive ? plan.nodes + plan.count - 1 : 0;
    return plan;
}

/* ---- What a plan consumes ---- */

typedef struct Consumed {
    const Node **nodes;
    size_t count, capacity;
    bool has_batchnorm;
} Consumed;

static void consumed_add(Fold *fold, Consumed *consumed, const Node *node)
{
    consumed->nodes =
        arena_grow(fold->scratch, consumed->nodes, &consumed->capacity,
                   consumed->count + 1, sizeof *consumed->nodes);
    consumed->nodes[consumed->count++] = node;
    consumed->has_batchnorm |= node->op == OP_BatchNormalization;
}

/* What belongs to a linear operator besides its node. */
static void consumed_add_linear(Fold *fold, Consumed *consumed,
                                const Linear *linear)
{
    enum { CHAIN_MAX = 32 };
    Node *chain[CHAIN_MAX];
    if (linear->pad)
        consumed_add(fold, consumed, linear->pad);
    for (int slot = 1; linear->node && slot < 3; slot++) {
        Value *value = node_input(linear->node, slot);
        int count = value ? constant_chain(value, chain, CHAIN_MAX) : 0;
        for (int i = 0; i < count; i++)
            consumed_add(fold, consumed, chain[i]);
    }
}

static bool plan_keeps(const Plan *plan, const Value *value)
{
    for (int i = 0; i < plan->count; i++) {
        const Cluster *cluster = &plan->clusters[i];
        if (cluster_is_alias(plan, cluster) &&
            plan->form->branches[cluster->members[0]].alias == value)
            return true;
    }
    return false;
}

/* Walks the form down to what the plan keeps: nodes on the way are consumed.
 * Long chains are walked in a loop; only sums recurse, and they are bounded by
 * BRANCHES_MAX. */
static void consumed_collect(Fold *fold, const Plan *plan, const Form *form,
                             Consumed *consumed)
{
    while (form && form->node && !plan_keeps(plan, form->value)) {
        consumed_add(fold, consumed, form->node);
        if (form->part_count == 0)
            consumed_add_linear(fold, consumed, &form->branches[0].linear);
        for (int k = 1; k < form->part_count; k++)
            consumed_collect(fold, plan, form->parts[k], consumed);
        form = form->part_count ? form->parts[0] : NULL;
    }
}

/* ---- Carrying out ---- */

static Kernel *cluster_kernel(Fold *fold, const Plan *plan,
                              const Cluster *cluster)
{
    const Kernel *parts[BRANCHES_MAX];
    Placement places[BRANCHES_MAX];
    int64_t taps[AXES_MAX];
    for (int a = 0; a < AXES_MAX; a++)
        taps[a] = cluster->lead.axes[a].taps;
    for (int i = 0; i < cluster->count; i++) {
        const Branch *branch = &plan->form->branches[cluster->members[i]];
        parts[i] = kernel_scale(fold->arena, branch->linear.kernel,
                                branch->scale, VEC_NONE);
        for (int a = 0; a < AXES_MAX; a++)
            axis_place(&branch->linear.axes[a], &cluster->lead.axes[a],
                       &places[i].offset[a], &places[i].step[a]);
    }
    return kernel_sum(fold->arena, parts, places, cluster->count,
                      cluster->group, taps);
}

static const Kernel *final_kernel(Fold *fold, const Plan *plan,
                                  const Cluster *cluster)
{
    const Branch *branch = &plan->form->branches[cluster->members[0]];
    if (cluster->count > 1)
        return cluster_kernel(fold, plan, cluster);
    return branch->scale.size || branch->linear.weight_is_computed
               ? kernel_scale(fold->arena, branch->linear.kernel,
                              branch->scale, VEC_NONE)
               : branch->linear.kernel;
}

/* Weights that do not fit their type stop the plan before anything is made. */
static Reason plan_obstacle(Fold *fold, const Plan *plan)
{
    for (int i = 0; i < plan->count; i++) {
        const Cluster *cluster = &plan->clusters[i];
        const Branch *branch = &plan->form->branches[cluster->members[0]];
        if (cluster_is_alias(plan, cluster))
            continue;
        Reason reason = REASON_NONE;
        for (int k = 0; !reason && k < branch->inner_count; k++) {
            Plan behind = plan_behind(fold, plan, branch, k);
            reason = plan_obstacle(fold, &behind);
        }
        if (branch->kind == BRANCH_LINEAR) {
            DType type = cluster->lead.type;
            reason = kernel_obstacle(final_kernel(fold, plan, cluster), type);
            if (!reason)
                reason = vec_obstacle(cluster_bias(fold, plan, cluster), type);
        }
        if (reason)
            return reason;
    }
    return REASON_NONE;
}

static void plan_emit(Fold *fold, const Plan *plan, Emission *emission,
                      Value *out);

static void emit_via(Fold *fold, const Plan *plan, const Branch *branch,
                     Emission *emission, Value *out)
{
    const Node *mover = branch->mover;
    Value **inputs = arena_array(fold->scratch, (size_t)mover->input_count,
                                 sizeof *inputs);
    for (int i = 0; i < mover->input_count; i++) {
        inputs[i] = mover->inputs[i];
        if (i >= branch->inner_count)
            continue;
        Plan behind = plan_behind(fold, plan, branch, i);
        inputs[i] = emission_value(fold, mover->inputs[i]);
        value_free_move(mover->inputs[i], inputs[i]);
        plan_emit(fold, &behind, emission, inputs[i]);
    }
    emission->place = branch->mover;
    emission_add(fold, emission, node_clone(branch->mover, inputs, &out));
}

/* Where the first of its members stands: all that any of them reads is there,
 * and nobody yet who reads a member's shape. */
static Node *cluster_place(const Plan *plan, const Cluster *cluster)
{
    Node *first = NULL;
    for (int i = 0; i < cluster->count; i++) {
        const Branch *branch = &plan->form->branches[cluster->members[i]];
        Node *node = branch->kind == BRANCH_LINEAR ? branch->linear.node : NULL;
        if (node && (!first || node->index < first->index))
            first = node;
    }
    return first;
}

static void cluster_emit(Fold *fold, const Plan *plan, const Cluster *cluster,
                         Emission *emission, Value *out)
{
    const Branch *branch = &plan->form->branches[cluster->members[0]];
    if (branch->kind == BRANCH_VIA) {
        emit_via(fold, plan, branch, emission, out);
        return;
    }
    Linear lead = cluster->lead;
    if (cluster->count > 1)
        lead.input = value_behind(lead.input);
    emission->place = cluster_place(plan, cluster);
    emit_linear(fold, emission, &lead, final_kernel(fold, plan, cluster),
                cluster_bias(fold, plan, cluster), out);
}

/* The summands in order of their first branches, a positive one in front. */
static void plan_order(const Plan *plan, int *order)
{
    for (int i = 0; i < plan->count; i++) {
        int at = i;
        while (at > 0 && plan->clusters[order[at - 1]].members[0] >
                             plan->clusters[i].members[0]) {
            order[at] = order[at - 1];
            at--;
        }
        order[at] = i;
    }
    for (int i = 0; i < plan->count; i++) {
        const Cluster *cluster = &plan->clusters[order[i]];
        if (cluster_is_alias(plan, cluster) &&
            plan->form->branches[cluster->members[0]].alias_sign < 0)
            continue;
        int first = order[i];
        order[i] = order[0];
        order[0] = first;
        return;
    }
}

/* The cluster that holds a branch. */
static int branch_cluster(const Plan *plan, int index)
{
    for (int i = 0; i < plan->count; i++)
        for (int k = 0; k < plan->clusters[i].count; k++)
            if (plan->clusters[i].members[k] == index)
                return i;
    return 0;
}

/* Whoever reads the shape of a consumed value reads it from the term that its
 * first branch went into. `offset` is the index of that branch. */
static void shape_readers_move(const Plan *plan, const Form *form, int offset,
                               Value *const *terms)
{
    while (form->node && !plan_keeps(plan, form->value)) {
        if (form->value != plan->form->value)
            value_free_move(form->value, terms[branch_cluster(plan, offset)]);
        if (form->branches[0].kind == BRANCH_VIA && form->count == 1 &&
            form->branches[0].mover == form->node)
            return; /* behind the mover shapes differ */
        int at = offset;
        for (int k = 1; k < form->part_count; k++) {
            at += form->parts[k - 1]->count;
            shape_readers_move(plan, form->parts[k], at, terms);
        }
        if (form->part_count == 0)
            return;
        form = form->parts[0];
    }
}

static void plan_emit(Fold *fold, const Plan *plan, Emission *emission,
                      Value *out)
{
    int order[BRANCHES_MAX];
    Value *terms[BRANCHES_MAX];
    plan_order(plan, order);
    Value *sum = NULL;
    for (int i = 0; i < plan->count; i++) {
        const Cluster *cluster = &plan->clusters[order[i]];
        const Branch *branch = &plan->form->branches[cluster->members[0]];
        bool alias = cluster_is_alias(plan, cluster), last;
        last = i + 1 == plan->count;
        Value *term = alias ? branch->alias
                      : plan->count == 1
                          ? out
                          : emission_value(fold, plan->form->value);
        if (!alias)
            cluster_emit(fold, plan, cluster, emission, term);
        terms[order[i]] = term;
        if (sum) {
            Op op = alias && branch->alias_sign < 0 ? OP_Sub : OP_Add;
            Value *inputs[2] = {sum, term};
            Value *total =
                last ? out : emission_value(fold, plan->form->value);
            emission->place = plan->form->node;
            emission_add(fold, emission,
                         node_new(fold->graph, op, plan->form->node->name,
                                  inputs, 2, &total, 1));
            term = total;
        }
        sum = term;
    }
    shape_readers_move(plan, plan->form, 0, terms);
}

static void form_finish(Fold *fold, Form *form);

/* Forms below what was kept are still to be folded on their own. */
static void finish_kept(Fold *fold, const Plan *plan, Form *form)
{
    while (form && form->node) {
        if (plan_keeps(plan, form->value)) {
            form_finish(fold, form);
            return;
        }
        for (int k = 1; k < form->part_count; k++)
            finish_kept(fold, plan, form->parts[k]);
        form = form->part_count ? form->parts[0] : NULL;
    }
}

static bool plan_is_sum(const Plan *plan)
{
    Op op = plan->form->node->op;
    return op == OP_Sum ||
           (plan->form->part_count == 2 && (op == OP_Add || op == OP_Sub));
}

/* True when carrying the plan out is worth a look. A sum none of whose
 * summands merge is better folded summand by summand. */
static bool plan_is_useful(const Plan *plan)
{
    return plan->changed && plan->nodes > 0 &&
           (!plan_is_sum(plan) || plan->crosses);
}

/* Why the plan is not carried out; REASON_NONE when it should be. */
static Reason plan_refusal(Fold *fold, const Plan *plan,
                           const Consumed *consumed)
{
    size_t nodes = (size_t)plan->nodes;
    if (nodes > consumed->count ||
        (nodes == consumed->count && !consumed->has_batchnorm))
        return REASON_COST;
    if (plan->rules & ~fold->enabled)
        return REASON_DISABLED;
    if (fold_is_undone(fold, plan->form->value))
        return REASON_CERTIFICATE;
    return plan_obstacle(fold, plan);
}

static bool form_fold(Fold *fold, Form *form)
{
    Plan plan = plan_make(fold, form);
    if (!plan_is_useful(&plan))
        return false;
    Consumed consumed = {0};
    consumed_collect(fold, &plan, form, &consumed);
    Reason reason = plan_refusal(fold, &plan, &consumed);
    if (reason) {
        fold_note(fold, form->node, reason, form->value->name);
        return false;
    }
    Emission emission = {0};
    plan_emit(fold, &plan, &emission, form->value);
    fold_record(fold, &emission, plan.rules, consumed.nodes, consumed.count,
                plan.macs_before, plan.macs_after);
    /* The node that gives the value now goes before another gives it. */
    graph_replace_node(fold->graph, form->node, NULL, 0);
    emission_place(fold, &emission);
    finish_kept(fold, &plan, form);
    return true;
}

/* Folds the form, or failing that its parts. */
static void form_finish(Fold *fold, Form *form)
{
    while (form && form->node) {
        if (fold_is_done(fold) || form_fold(fold, form))
            return;
        for (int k = 1; k < form->part_count; k++)
            form_finish(fold, form->parts[k]);
        form = form->part_count ? form->parts[0] : NULL;
    }
}

int rule_sum(Fold *fold, Err *err)
{
    (void)err;
    Form **forms = forms_build(fold);
    for (size_t i = 0; i < fold->graph->node_count; i++)
        if (forms[i] && !forms[i]->taken)
            form_finish(fold, forms[i]);
    return 0;
}
