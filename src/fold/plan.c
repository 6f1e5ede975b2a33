#include "fold/plan.h"

#include <string.h>

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
 * output size follows from the slack in the same way.) */
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

/* An identity has no node. */
static bool pads_follow_output(const Node *node)
{
    return node &&
           (node_attr(node, "output_shape") || node_attr(node, "auto_pad"));
}

/* Attributes that a merged operator has only once. A transposed convolution
 * whose pads follow from an output size cannot be placed on a lattice. */
static bool same_attributes(const Linear *a, const Linear *b)
{
    if (a->kind == LINEAR_GEMM)
        return node_float(a->node, "alpha", 1.0f) ==
                   node_float(b->node, "alpha", 1.0f) &&
               node_int(a->node, "transA", 0) == node_int(b->node, "transA", 0);
    return a->kind != LINEAR_CONV_TRANSPOSE ||
           (!pads_follow_output(a->node) && !pads_follow_output(b->node));
}

/* Pads that follow from the size are the same for the same reach, and nothing
 * else is known of them. */
static Reason pads_obstacle(const Linear *a, const Linear *b)
{
    for (int i = 0; i < a->spatial; i++)
        if (a->axes[i].begin != b->axes[i].begin ||
            a->axes[i].end != b->axes[i].end ||
            axis_slack(&a->axes[i]) != axis_slack(&b->axes[i]))
            return REASON_SAME_PAD_SYMBOLIC;
    return REASON_NONE;
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
    if (lead->kernel->in_channels != linear->kernel->in_channels ||
        lead->type != linear->type)
        return REASON_CHANNELS;
    if (lead->kernel->out_channels != linear->kernel->out_channels)
        return linear->is_virtual ? REASON_CHANNELS : REASON_BROADCAST;
    for (int i = 0; i < lead->spatial; i++) {
        if (lead->axes[i].stride != linear->axes[i].stride)
            return REASON_STRIDE;
        if (!same_output(fold, lead, linear, i) && !lead->pads_follow &&
            !linear->pads_follow)
            return REASON_SLACK_DIFFERS;
    }
    return lead->pads_follow || linear->pads_follow
               ? pads_obstacle(lead, linear)
               : REASON_NONE;
}

/* Adds the branch to the cluster when it fits and does not raise the cost. */
static Reason cluster_join(const Fold *fold, Cluster *cluster, int index,
                           const Linear *linear, const char **fact)
{
    Reason reason = join_obstacle(fold, &cluster->lead, linear);
    *fact = arena_printf(fold->scratch, "beside %s",
                         node_title(cluster->lead.node));
    if (reason)
        return reason;
    Linear lead = cluster->lead;
    for (int i = 0; i < lead.spatial; i++) {
        const Axis *axes[2] = {&cluster->lead.axes[i], &linear->axes[i]};
        if (!axis_union(axes, 2, lead.kind == LINEAR_CONV_TRANSPOSE,
                        &lead.axes[i]))
            return REASON_BUDGET;
    }
    int64_t group = gcd(cluster->group, linear->kernel->group);
    double apart =
        cluster_macs(&cluster->lead, cluster->group) + linear_macs(linear);
    double merged = cluster_macs(&lead, group);
    if (merged > apart && !fold->options->allow_cost) {
        *fact = arena_printf(fold->scratch, "MACs %.0f to %.0f, %s", apart,
                             merged, *fact);
        return group == cluster->group || group == linear->kernel->group
                   ? REASON_COST
                   : REASON_GROUPS;
    }
    for (int i = 0; i < lead.spatial; i++)
        lead.static_size |=
            axis_slack(&cluster->lead.axes[i]) != axis_slack(&linear->axes[i]);
    lead.static_size |= linear->static_size;
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
        cluster->lead = *branch->linear;
        cluster->group = branch->linear->kernel->group;
    }
}

/* A linear operator that can lead a cluster. */
static bool is_operator(const Branch *branch)
{
    return branch->kind == BRANCH_LINEAR && !branch->linear->is_virtual;
}

/* Tries the branch, described by `linear`, on the clusters over its base. What
 * stands in the way of an identity is noted at the sum. */
static bool join_any(Fold *fold, Plan *plan, int index, const Linear *linear)
{
    const Node *node = linear->node ? linear->node : plan->form->node;
    const Linear *other = NULL;
    for (int i = 0; i < plan->count; i++) {
        Cluster *cluster = &plan->clusters[i];
        const char *fact;
        if (!is_operator(&plan->form->branches[cluster->members[0]]))
            continue;
        if (value_behind(fold, cluster->lead.input) !=
            value_behind(fold, linear->input)) {
            other = &cluster->lead;
            continue;
        }
        Reason reason = cluster_join(fold, cluster, index, linear, &fact);
        if (!reason)
            return true;
        fold_note(fold, node, reason, fact);
    }
    if (other && !linear->is_virtual)
        fold_note(fold, node, REASON_DIFFERENT_INPUT,
                  arena_printf(fold->scratch, "reads %s, and %s reads %s",
                               linear->input->name, node_title(other->node),
                               other->input->name));
    return false;
}

/* As `linear`, or what reads a crop as what reads the whole, the branch joins
 * what is there. */
static bool place_branch(Fold *fold, Plan *plan, int index,
                         const Linear *linear)
{
    Branch *branch = &plan->form->branches[index];
    Linear whole;
    if (linear_uncrop(fold, linear, &whole) &&
        join_any(fold, plan, index, &whole))
        linear = &whole;
    else if (!join_any(fold, plan, index, linear))
        return false;
    if (branch->linear != linear)
        branch->linear = linear_copy(fold->scratch, linear);
    return true;
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
                (next < 0 || linear_macs(form->branches[i].linear) >
                                 linear_macs(form->branches[next].linear)))
                next = i;
        if (next < 0)
            return;
        placed[next] = true;
        if (!place_branch(fold, plan, next, form->branches[next].linear))
            cluster_start(plan, next);
    }
}

/* The operator that an identity may join: over the same base, if there is
 * one. */
static const Linear *plan_lead(const Fold *fold, const Plan *plan,
                               const Branch *identity)
{
    const Linear *lead = NULL;
    for (int i = 0; i < plan->count; i++) {
        const Linear *own = &plan->clusters[i].lead;
        if (own->node && (!lead || value_behind(fold, own->input) ==
                                       value_behind(fold, identity->value)))
            lead = own;
    }
    return lead;
}

/* How the branch may join the operator: an identity as one, too; NULL when it
 * may not. */
static const Linear *branch_beside(Fold *fold, const Branch *branch,
                                   const Linear *lead, Linear *identity)
{
    if (branch->kind == BRANCH_IDENTITY)
        return linear_identity(fold, branch->value, lead->kind, lead->type,
                               identity)
                   ? identity
                   : NULL;
    return branch->kind == BRANCH_LINEAR && branch->linear->is_virtual
               ? branch->linear
               : NULL;
}

static void cluster_rest(Fold *fold, Plan *plan)
{
    Form *form = plan->form;
    for (int i = 0; i < form->count; i++) {
        Branch *branch = &form->branches[i];
        if (is_operator(branch))
            continue;
        Linear identity;
        const Linear *lead = plan_lead(fold, plan, branch), *linear = NULL;
        if (lead && (form->axis < 0 || form->axis == 1))
            linear = branch_beside(fold, branch, lead, &identity);
        if (!linear || !place_branch(fold, plan, i, linear))
            cluster_start(plan, i);
    }
}

/* ---- Plans ---- */

static bool is_affected(const Branch *branch)
{
    return branch->scale.size || branch->shift.size ||
           (branch->kind == BRANCH_LINEAR &&
            (branch->linear->pad || branch->linear->weight_is_computed ||
             branch->linear->bias_is_computed));
}

/* What a cluster's bias will be: sum of scale * bias + shift. */
Vec cluster_bias(Fold *fold, const Plan *plan, const Cluster *cluster)
{
    Vec bias = VEC_NONE;
    for (int i = 0; i < cluster->count; i++) {
        const Branch *branch = &plan->form->branches[cluster->members[i]];
        Vec own =
            branch->kind == BRANCH_LINEAR ? branch->linear->bias : VEC_NONE;
        own = vec_scale(fold->scratch, branch->scale, own);
        own = vec_add(fold->scratch, own, branch->shift);
        bias = vec_add(fold->scratch, bias, own);
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
        (branch->kind == BRANCH_LINEAR && branch->linear->is_virtual))
        return true;
    return !is_affected(branch);
}

Plan plan_behind(Fold *fold, const Plan *plan, const Branch *branch, int i)
{
    Form *inner = form_behind(fold, plan->form, branch, i);
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
        else if (branch->linear->is_virtual)
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
            plan->macs_before += linear_macs(member->linear);
    }
    if (branch->kind == BRANCH_VIA) {
        plan->nodes++;
        for (int i = 0; i < branch->inner_count; i++) {
            Plan behind = plan_behind(fold, plan, branch, i);
            plan->nodes += behind.nodes;
            plan->macs_before += behind.macs_before;
            plan->macs_after += behind.macs_after;
            plan->static_size |= behind.static_size;
            if (behind.nodes == 0)
                return false;
        }
        return true;
    }
    plan->static_size |= cluster->lead.static_size;
    plan->nodes +=
        linear_node_count(&cluster->lead, cluster_bias(fold, plan, cluster));
    plan->macs_after += cluster_macs(&cluster->lead, cluster->group);
    return true;
}

/* Planning says of branches what they are beside others. The form stays as it
 * is: other parts of a Split may lead to it. */
static Form *form_copy(Fold *fold, const Form *form)
{
    Form *copy = arena_alloc(fold->scratch, sizeof *copy);
    size_t count = (size_t)form->count;
    *copy = *form;
    copy->branches = arena_array(fold->scratch, count, sizeof *copy->branches);
    memcpy(copy->branches, form->branches, count * sizeof *copy->branches);
    return copy;
}

Plan plan_make(Fold *fold, Form *form)
{
    Plan plan = {.form = form_copy(fold, form), .rules = form->rules};
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
        parts[i] = kernel_scale(fold->scratch, branch->linear->kernel,
                                branch->scale, VEC_NONE);
        for (int a = 0; a < AXES_MAX; a++)
            axis_place(&branch->linear->axes[a], &cluster->lead.axes[a],
                       &places[i].offset[a], &places[i].step[a]);
    }
    return kernel_sum(fold->scratch, parts, places, cluster->count,
                      cluster->group, taps);
}

const Kernel *cluster_kernel(Fold *fold, const Plan *plan,
                             const Cluster *cluster)
{
    const Branch *branch = &plan->form->branches[cluster->members[0]];
    if (cluster->count > 1)
        return merged_kernel(fold, plan, cluster);
    return branch->scale.size || branch->linear->weight_is_computed
               ? kernel_scale(fold->scratch, branch->linear->kernel,
                              branch->scale, VEC_NONE)
               : branch->linear->kernel;
}

/* Weights that do not fit their type stop the plan before anything is made. */
Reason plan_obstacle(Fold *fold, const Plan *plan, const char **fact)
{
    for (int i = 0; i < plan->count; i++) {
        const Cluster *cluster = &plan->clusters[i];
        const Branch *branch = &plan->form->branches[cluster->members[0]];
        if (cluster_is_alias(plan, cluster))
            continue;
        Reason reason = REASON_NONE;
        for (int k = 0; !reason && k < branch->inner_count; k++) {
            Plan behind = plan_behind(fold, plan, branch, k);
            reason = plan_obstacle(fold, &behind, fact);
        }
        if (branch->kind == BRANCH_LINEAR)
            reason = numbers_obstacle(fold, cluster_kernel(fold, plan, cluster),
                                      cluster_bias(fold, plan, cluster),
                                      cluster->lead.type, fact);
        if (reason)
            return reason;
    }
    return REASON_NONE;
}
