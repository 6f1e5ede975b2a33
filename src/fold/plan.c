#include "fold/plan.h"

#include "fold/emit.h"

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
    return a->kind == LINEAR_CONV && a->input->fact.rank > 2 + i &&
           dim_is_known(fold->model->symbols, a->input->fact.dims[2 + i],
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
    double apart =
        cluster_macs(&cluster->lead, cluster->group) + linear_macs(linear);
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
        bool joins =
            type != DT_UNDEFINED && (form->axis < 0 || form->axis == 1);
        if (branch->kind == BRANCH_IDENTITY)
            joins =
                joins && linear_identity(fold, branch->value, type, &linear);
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
Vec cluster_bias(Fold *fold, const Plan *plan, const Cluster *cluster)
{
    Vec bias = VEC_NONE;
    for (int i = 0; i < cluster->count; i++) {
        const Branch *branch = &plan->form->branches[cluster->members[i]];
        Vec own =
            branch->kind == BRANCH_LINEAR ? branch->linear.bias : VEC_NONE;
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

bool cluster_is_alias(const Plan *plan, const Cluster *cluster)
{
    const Branch *branch = &plan->form->branches[cluster->members[0]];
    if (cluster->count > 1)
        return false;
    if (branch->kind == BRANCH_IDENTITY ||
        (branch->kind == BRANCH_LINEAR && branch->linear.is_virtual))
        return true;
    return !is_affected(branch);
}

Plan plan_behind(Fold *fold, const Plan *plan, const Branch *branch, int i)
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
    plan->nodes +=
        linear_node_count(&cluster->lead, cluster_bias(fold, plan, cluster));
    plan->macs_after += cluster_macs(&cluster->lead, cluster->group);
    return true;
}

Plan plan_make(Fold *fold, Form *form)
{
    Plan plan = {.form = form, .rules = form->rules};
    plan.clusters =
        arena_array(fold->scratch, (size_t)form->count, sizeof *plan.clusters);
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

/* ---- What an operator becomes ---- */

static Kernel *merged_kernel(Fold *fold, const Plan *plan,
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

const Kernel *cluster_kernel(Fold *fold, const Plan *plan,
                             const Cluster *cluster)
{
    const Branch *branch = &plan->form->branches[cluster->members[0]];
    if (cluster->count > 1)
        return merged_kernel(fold, plan, cluster);
    return branch->scale.size || branch->linear.weight_is_computed
               ? kernel_scale(fold->arena, branch->linear.kernel, branch->scale,
                              VEC_NONE)
               : branch->linear.kernel;
}

/* Weights that do not fit their type stop the plan before anything is made. */
Reason plan_obstacle(Fold *fold, const Plan *plan)
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
            reason = kernel_obstacle(cluster_kernel(fold, plan, cluster), type);
            if (!reason)
                reason = vec_obstacle(cluster_bias(fold, plan, cluster), type);
        }
        if (reason)
            return reason;
    }
    return REASON_NONE;
}
