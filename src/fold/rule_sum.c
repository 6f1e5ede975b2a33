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
#include "fold/pass.h"
#include "fold/plan.h"

/* ---- What a plan consumes ---- */

typedef struct Consumed {
    const Node **nodes;
    size_t count, capacity;
    const Node *shared[BRANCHES_MAX]; /* that others may read as well */
    int shared_count;
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
    Node *chain[CHAIN_MAX];
    if (linear->pad)
        consumed_add(fold, consumed, linear->pad);
    for (int i = 0; i < linear->border_count; i++)
        consumed_add(fold, consumed, linear->border[i]);
    for (int slot = 1; linear->node && slot < 3; slot++) {
        Value *value = node_input(linear->node, slot);
        int count = value ? constant_chain(value, chain) : 0;
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

static bool consumed_has(const Consumed *consumed, const Node *node)
{
    for (size_t i = 0; i < consumed->count; i++)
        if (consumed->nodes[i] == node)
            return true;
    return false;
}

/* What others read as well is consumed when all of them are. */
static void consumed_settle(Fold *fold, Consumed *consumed)
{
    for (int i = 0; i < consumed->shared_count; i++) {
        const Value *value = consumed->shared[i]->outputs[0];
        bool goes = !consumed_has(consumed, consumed->shared[i]);
        for (int k = 0; k < value->use_count; k++)
            goes = goes && consumed_has(consumed, value->uses[k].node);
        if (goes)
            consumed_add(fold, consumed, consumed->shared[i]);
    }
}

static bool is_shared(const Plan *plan, const Form *form)
{
    return form != plan->form && form->value != plan->form->value &&
           use_obstacle(form->value) == REASON_MULTI_USE;
}

/* Walks the form down to what the plan keeps: nodes on the way are consumed.
 * Long chains are walked in a loop; only sums recurse, and they are bounded by
 * BRANCHES_MAX. */
static void consumed_collect(Fold *fold, const Plan *plan, const Form *form,
                             Consumed *consumed)
{
    while (form && form->node && !plan_keeps(plan, form->value)) {
        if (!is_shared(plan, form))
            consumed_add(fold, consumed, form->node);
        else if (consumed->shared_count < BRANCHES_MAX)
            consumed->shared[consumed->shared_count++] = form->node;
        if (form->part_count == 0)
            consumed_add_linear(fold, consumed, form->branches[0].linear);
        for (int k = 1; k < form->part_count; k++)
            consumed_collect(fold, plan, form->parts[k], consumed);
        form = form->part_count ? form->parts[0] : NULL;
    }
}

/* ---- Carrying out ---- */

static void plan_emit(Fold *fold, const Plan *plan, Emission *emission,
                      Value *out);

static void emit_via(Fold *fold, const Plan *plan, const Branch *branch,
                     Emission *emission, Value *out)
{
    const Node *mover = branch->mover;
    Value **inputs =
        arena_array(fold->scratch, (size_t)mover->input_count, sizeof *inputs);
    for (int i = 0; i < mover->input_count; i++) {
        inputs[i] = mover->inputs[i];
        if (i >= branch->inner_count)
            continue;
        Plan behind = plan_behind(fold, plan, branch, i);
        inputs[i] = emission_value(fold, mover->inputs[i]);
        value_free_move(mover->inputs[i], inputs[i]);
        plan_emit(fold, &behind, emission, inputs[i]);
    }
    Value **outputs = arena_array(fold->scratch, (size_t)mover->output_count,
                                  sizeof *outputs);
    for (int i = 0; i < mover->output_count; i++)
        outputs[i] = i == branch->output ? out : mover->outputs[i];
    emission->place = branch->mover;
    emission_add(fold, emission, node_clone(branch->mover, inputs, outputs));
}

/* Where the first of its members stands: all that any of them reads is there,
 * and nobody yet who reads a member's shape. */
static Node *cluster_place(const Plan *plan, const Cluster *cluster)
{
    Node *first = NULL;
    for (int i = 0; i < cluster->count; i++) {
        const Branch *branch = &plan->form->branches[cluster->members[i]];
        Node *node =
            branch->kind == BRANCH_LINEAR ? branch->linear->node : NULL;
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
        lead.input = value_behind(fold, lead.input);
    emission->place = cluster_place(plan, cluster);
    emit_linear(fold, emission, &lead, cluster_kernel(fold, plan, cluster),
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
 * first branch went into, or from what that is an identity of: the term may
 * stand further on. `offset` is the index of that branch. */
static void shape_readers_move(const Plan *plan, const Form *form, int offset,
                               Value *const *terms)
{
    while (form->node && !plan_keeps(plan, form->value)) {
        const Branch *first = &form->branches[0];
        if (form->value != plan->form->value)
            value_free_move(form->value,
                            first->kind == BRANCH_IDENTITY
                                ? first->value
                                : terms[branch_cluster(plan, offset)]);
        if (first->kind == BRANCH_VIA && form->count == 1 &&
            first->mover == form->node)
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

/* Adds up what the clusters give, all in the place of the old sum. */
static void emit_total(Fold *fold, const Plan *plan, const int *order,
                       Value *const *terms, Emission *emission, Value *out)
{
    Value *sum = terms[order[0]];
    for (int i = 1; i < plan->count; i++) {
        const Cluster *cluster = &plan->clusters[order[i]];
        const Branch *branch = &plan->form->branches[cluster->members[0]];
        bool minus = cluster_is_alias(plan, cluster) && branch->alias_sign < 0;
        Value *inputs[2] = {sum, terms[order[i]]};
        sum = i + 1 == plan->count ? out
                                   : emission_value(fold, plan->form->value);
        emission_add(fold, emission,
                     node_new(fold->graph, minus ? OP_Sub : OP_Add,
                              plan->form->node->name, inputs, 2, &sum, 1));
    }
}

static void plan_emit(Fold *fold, const Plan *plan, Emission *emission,
                      Value *out)
{
    int order[BRANCHES_MAX];
    Value *terms[BRANCHES_MAX];
    plan_order(plan, order);
    for (int i = 0; i < plan->count; i++) {
        const Cluster *cluster = &plan->clusters[order[i]];
        Value **term = &terms[order[i]];
        if (cluster_is_alias(plan, cluster)) {
            *term = plan->form->branches[cluster->members[0]].alias;
            continue;
        }
        *term =
            plan->count == 1 ? out : emission_value(fold, plan->form->value);
        cluster_emit(fold, plan, cluster, emission, *term);
    }
    emission->place = plan->form->node;
    emit_total(fold, plan, order, terms, emission, out);
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

/* What a Split reads is behind each of its parts: when one has been folded, the
 * others wait for the next round. */
static bool is_stale(const Consumed *consumed)
{
    for (size_t i = 0; i < consumed->count; i++)
        if (consumed->nodes[i]->removed)
            return true;
    return false;
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
                           const Consumed *consumed, const char **fact)
{
    *fact = plan->form->value->name;
    size_t nodes = (size_t)plan->nodes;
    if (nodes > consumed->count ||
        (nodes == consumed->count && !consumed->has_batchnorm))
        return REASON_COST;
    if (plan->rules & ~fold->enabled)
        return REASON_DISABLED;
    if (fold_is_undone(fold, plan->form->value))
        return REASON_CERTIFICATE;
    return plan_obstacle(fold, plan, fact);
}

static bool form_fold(Fold *fold, Form *form)
{
    Plan plan = plan_make(fold, form);
    if (!plan_is_useful(&plan))
        return false;
    Consumed consumed = {0};
    consumed_collect(fold, &plan, form, &consumed);
    consumed_settle(fold, &consumed);
    if (is_stale(&consumed))
        return false;
    const char *fact;
    Reason reason = plan_refusal(fold, &plan, &consumed, &fact);
    if (reason) {
        fold_note(fold, form->node, reason, fact);
        return false;
    }
    Emission emission = {0};
    plan_emit(fold, &plan, &emission, form->value);
    fold_record(fold, &emission,
                &(Account){plan.rules, consumed.nodes, consumed.count,
                           plan.macs_before, plan.macs_after,
                           plan.static_size});
    /* The node that gives the value now goes before another gives it. */
    graph_replace_node(fold->graph, form->node, NULL, 0);
    emission_place(fold, &emission);
    finish_kept(fold, &plan, form);
    return true;
}

/* Folds the form, or failing that its parts. */
static void form_finish(Fold *fold, Form *form)
{
    while (form && form->node && !form->tried) {
        form->tried = true;
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
    for (size_t i = 0; i < fold->graph->node_count; i++) {
        if (!forms[i] || forms[i]->taken)
            continue;
        Arena *outer = site_begin(fold);
        form_finish(fold, forms[i]);
        site_end(fold, outer);
    }
    return 0;
}
