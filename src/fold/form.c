#include "fold/form.h"

#include <string.h>

#include "fold/compose.h"

static Form *form_new(Fold *fold, Value *value, Node *node, int parts,
                      int branches)
{
    Form *form = arena_alloc(fold->scratch, sizeof *form);
    form->value = value;
    form->node = node;
    form->axis = -1;
    form->part_count = parts;
    form->parts =
        arena_array(fold->scratch, (size_t)parts + 1, sizeof *form->parts);
    form->count = branches;
    form->branches =
        arena_array(fold->scratch, (size_t)branches, sizeof *form->branches);
    return form;
}

static void form_count_nodes(Form *form)
{
    form->nodes = node_size(form->node);
    for (int k = 0; k < form->part_count; k++)
        form->nodes = nodes_sum(form->nodes, form->parts[k]->nodes);
}

static Form *form_leaf(Fold *fold, Value *value)
{
    Form *form = form_new(fold, value, NULL, 0, 1);
    form->branches[0] = (Branch){.kind = BRANCH_IDENTITY,
                                 .value = value,
                                 .alias = value,
                                 .alias_sign = 1};
    return form;
}

bool form_absorbs(const Form *form)
{
    for (int i = 0; i < form->count; i++)
        if (form->branches[i].kind == BRANCH_IDENTITY ||
            (form->branches[i].kind == BRANCH_LINEAR &&
             form->branches[i].linear->is_virtual))
            return false;
    return true;
}

static bool branch_takes(Fold *fold, const Branch *branch, const Sight *sight);

/* A summand of lower rank has its axes elsewhere in the sum. */
static bool is_aligned(const Form *form, const Branch *branch)
{
    const Linear *linear = branch->linear;
    int rank = branch->value->fact.rank;
    if (branch->kind == BRANCH_LINEAR)
        rank = linear->spatial ? linear->spatial + 2 : linear->channel_axis + 1;
    return branch->kind == BRANCH_IDENTITY || form->count == 1 ||
           form->value->fact.rank < 0 || rank == form->value->fact.rank;
}

/* True when all branches take such vectors along that axis of the form's value.
 * Only what is linear behind movers is asked in depth, MOVES_MAX at most. */
static bool form_takes(Fold *fold, const Form *form, const Sight *sight)
{
    if (sight->axis >= 0 && form->axis >= 0 &&
        (sight->axis != form->axis || sight->more != form->more))
        return false;
    bool nothing = sight->axis < 0 && !sight->scale.size && !sight->shift.size;
    for (int i = 0; i < form->count; i++)
        if (!branch_takes(fold, &form->branches[i], sight) ||
            (!nothing && !is_aligned(form, &form->branches[i])))
            return false;
    return true;
}

static bool branch_takes(Fold *fold, const Branch *branch, const Sight *sight)
{
    int64_t size = sight->scale.size > sight->shift.size ? sight->scale.size
                                                         : sight->shift.size;
    if (branch->kind == BRANCH_IDENTITY || (sight->axis < 0 && size == 0))
        return true;
    if (branch->kind == BRANCH_LINEAR)
        return sight->axis < 0 ||
               (branch->linear->channel_axis == sight->axis && !sight->more &&
                (size <= 1 || branch->linear->kernel->out_channels == size));
    if (!sight_commutes(branch->mover, sight))
        return false;
    for (int i = 0; i < branch->inner_count; i++) {
        Sight own = *sight;
        if (!sight_back(fold, branch->mover, i, branch->output, &own) ||
            !form_takes(fold, branch->inner[i], &own))
            return false;
    }
    return true;
}

Form *form_behind(Fold *fold, const Form *form, const Branch *branch, int i)
{
    Sight own = {.scale = branch->scale,
                 .shift = branch->shift,
                 .axis = form->axis,
                 .more = form->more};
    return sight_back(fold, branch->mover, i, branch->output, &own)
               ? form_scaled(fold, branch->inner[i], &own)
               : NULL;
}

/* True when all branches have their channels along one axis of the value, or
 * along the same two. */
static bool form_has_channels(Fold *fold, const Form *form)
{
    Sight sight = SIGHT_NOTHING;
    for (sight.more = 0; sight.more < 2; sight.more++)
        for (sight.axis = 0; sight.axis + sight.more < form->value->fact.rank;
             sight.axis++)
            if (form_takes(fold, form, &sight))
                return true;
    return false;
}

Form *form_scaled(Fold *fold, Form *part, const Sight *sight)
{
    if (!form_takes(fold, part, sight))
        return NULL;
    Form *form = form_new(fold, part->value, part->node, 1, part->count);
    form->parts[0] = part;
    form->axis = sight->axis >= 0 ? sight->axis : part->axis;
    form->more = sight->axis >= 0 ? sight->more : part->more;
    form->rules = part->rules;
    form->moves = part->moves;
    int holder = 0; /* the branch that takes the shift */
    for (int i = part->count - 1; i >= 0; i--)
        if (part->branches[i].kind != BRANCH_IDENTITY)
            holder = i;
    bool negation = vec_all_equal(sight->scale, -1, 1);
    for (int i = 0; i < part->count; i++) {
        Branch *branch = &form->branches[i];
        *branch = part->branches[i];
        branch->scale =
            vec_multiply(fold->scratch, sight->scale, branch->scale);
        branch->shift = vec_scale(fold->scratch, sight->scale, branch->shift);
        if (negation)
            branch->alias_sign = -branch->alias_sign;
        else if (sight->scale.size)
            branch->alias = NULL;
        if (i == holder && sight->shift.size) {
            branch->shift = vec_add(fold->scratch, branch->shift, sight->shift);
            branch->alias = NULL;
        }
    }
    return form;
}

/* ---- Building, node by node ---- */

static bool is_asked_for_its_shape(const Value *value)
{
    for (int i = 0; i < value->use_count; i++)
        if (use_is_value_free(&value->uses[i]))
            return true;
    return false;
}

static bool dims_differ(const Fact *a, const Fact *b)
{
    return a->rank < 0 || a->rank != b->rank ||
           memcmp(a->dims, b->dims, (size_t)a->rank * sizeof *a->dims) != 0;
}

/* Summands that may be broadcast leave no term that has the sum's shape, and a
 * sum may be larger than the summand that is asked for its shape. */
static bool may_broadcast(const Form *form)
{
    const Value *value = form->value;
    for (int i = 1; i < form->count; i++)
        if (dims_differ(&form->branches[i].value->fact,
                        &form->branches[0].value->fact))
            return true;
    for (int i = 0; i < value->use_count; i++) {
        const Node *reader = value->uses[i].node;
        if (reader &&
            (reader->op == OP_Add || reader->op == OP_Sub ||
             reader->op == OP_Sum) &&
            dims_differ(&reader->outputs[0]->fact, &value->fact))
            return true;
    }
    return false;
}

/* The form of what a node of the graph gives, or NULL. */
static Form *form_of(const Fold *fold, Form **forms, const Value *value)
{
    const Node *producer = value->producer;
    Form *form = producer && producer->graph == fold->graph
                     ? forms[producer->index]
                     : NULL;
    if (form && form->siblings)
        return form->siblings[value->output];
    return form && producer->outputs[0] == value ? form : NULL;
}

/* The form of a value for a reader that would absorb it, or a leaf. Of an
 * affine reader it is noted why; a sum may well have leaves. */
static Form *form_take(Fold *fold, Form **forms, Value *value,
                       const Node *reader)
{
    Form *form = form_of(fold, forms, value);
    Obstacle obstacle = {REASON_NONE, value->name};
    if (!form)
        obstacle = producer_obstacle(fold, value);
    else
        obstacle.reason =
            form->nodes < NODES_MAX ? use_obstacle(value) : REASON_TOO_LONG;
    if (!obstacle.reason && is_asked_for_its_shape(value) &&
        may_broadcast(form))
        obstacle.reason = REASON_BROADCAST;
    if (!obstacle.reason)
        return form;
    /* Were it the only reader, it still could not go into an identity. */
    if (form && !form_absorbs(form))
        obstacle.reason = REASON_NONLINEAR;
    if (reader)
        fold_note(fold, reader, obstacle.reason, obstacle.fact);
    return form_leaf(fold, value);
}

static RuleSet affine_rules(const Node *node, const AffineMap *map,
                            const Form *part)
{
    RuleSet rules = 0;
    if (node->op == OP_Mul && !map->shift.size)
        rules |= RULE_BIT(RULE_C11);
    for (int i = 0; i < part->count; i++) {
        const Branch *branch = &part->branches[i];
        if (branch->kind == BRANCH_VIA)
            rules |= RULE_BIT(branch->mover->op == OP_Concat   ? RULE_C17
                              : node_moves_only(branch->mover) ? RULE_C10
                                                               : RULE_C14);
        else if (branch->kind == BRANCH_IDENTITY)
            rules |= part->node ? RULE_BIT(RULE_C17) : 0;
        else if (branch->linear->kind == LINEAR_CONV)
            rules |= RULE_BIT(RULE_C1);
        else if (branch->linear->kind == LINEAR_CONV_TRANSPOSE)
            rules |= RULE_BIT(RULE_C2);
        else
            rules |= RULE_BIT(RULE_C3);
    }
    return rules;
}

static Form *build_affine(Fold *fold, Form **forms, Node *node)
{
    AffineMap map;
    const char *fact = NULL;
    Reason reason = affine_read(fold, node, &map, &fact);
    if (!reason && fold->island[node->index]) {
        const Form *form = form_take(fold, forms, map.input, node);
        reason = form_absorbs(form) ? REASON_ISLAND : REASON_NONLINEAR;
    }
    if (reason) {
        if (reason != REASON_NONLINEAR)
            fold_note(fold, node, reason, fact);
        return NULL;
    }
    Sight sight = {.scale = map.scale, .shift = map.shift, .axis = map.axis};
    Form *part = form_take(fold, forms, map.input, node);
    Form *form = form_scaled(fold, part, &sight);
    if (!form) {
        const Branch *first = &part->branches[0];
        bool stopped =
            first->kind == BRANCH_VIA && !sight_commutes(first->mover, &sight);
        bool twice = first->kind == BRANCH_VIA && first->mover->op == OP_Gather;
        fold_note(fold, node,
                  stopped ? REASON_NONLINEAR
                  : twice ? REASON_MULTI_USE /* a channel is */
                          : REASON_WRONG_AXIS,
                  map.input->name);
        part = form_leaf(fold, map.input);
        form = form_scaled(fold, part, &sight);
    }
    part->taken = true;
    form->rules |= affine_rules(node, &map, part);
    form->value = node->outputs[0];
    form->node = node;
    if (form->count == 1) {
        form->branches[0].alias = form->value;
        form->branches[0].alias_sign = 1;
    }
    return form;
}

static Form *build_linear(Fold *fold, Node *node)
{
    Linear *linear, read;
    const char *fact = NULL;
    Reason reason = linear_read(fold, node, &read, &fact);
    if (reason) {
        if (reason != REASON_NONLINEAR)
            fold_note(fold, node, reason, fact);
        return NULL;
    }
    linear = linear_copy(fold->scratch, &read);
    linear_take_pad(fold, linear);
    Form *form = form_new(fold, node->outputs[0], node, 0, 1);
    if (linear->is_virtual && !linear->pad && pool_see_through(fold, linear))
        form->rules |= RULE_BIT(RULE_C13);
    if (linear->pad)
        form->rules |= RULE_BIT(RULE_C18);
    if (linear->weight_is_computed || linear->bias_is_computed)
        form->rules |= RULE_BIT(RULE_C0);
    if (linear->is_virtual)
        form->rules |= RULE_BIT(RULE_C6);
    form->branches[0] = (Branch){.kind = BRANCH_LINEAR,
                                 .linear = linear,
                                 .value = form->value,
                                 .alias = form->value,
                                 .alias_sign = 1};
    return form;
}

/* An affine map of a value, which others read as well: exporters make one node
 * of normalizations of one value that are the same. Each reader may have a map
 * of its own. */
static Form *form_shared(const Fold *fold, Form **forms, const Value *value)
{
    Form *form = form_of(fold, forms, value);
    bool maps = form && form->node && form->part_count == 1 &&
                form->count == 1 && !form->parts[0]->node &&
                form->branches[0].kind == BRANCH_IDENTITY &&
                form->branches[0].value != value;
    return maps && use_obstacle(value) == REASON_MULTI_USE &&
                   !is_asked_for_its_shape(value)
               ? form
               : NULL;
}

/* True when a part has an operator that reads the value. */
static bool part_reads(const Fold *fold, const Form *part, Value *value)
{
    for (int i = 0; i < part->count; i++) {
        const Branch *branch = &part->branches[i];
        if (branch->kind == BRANCH_LINEAR && !branch->linear->is_virtual &&
            value_behind(fold, branch->linear->input) ==
                value_behind(fold, value))
            return true;
    }
    return false;
}

/* The parts that are what an affine map of another value gives become that map
 * where an operator beside them reads the other value, and none this one. */
static void sum_share(const Fold *fold, Form **forms, Form **parts, int count,
                      int *axis)
{
    for (int k = 0; k < count; k++) {
        Form *shared =
            parts[k]->node ? NULL : form_shared(fold, forms, parts[k]->value);
        bool beside = false, over = false;
        for (int i = 0; shared && i < count; i++) {
            beside |= part_reads(fold, parts[i], shared->branches[0].value);
            over |= part_reads(fold, parts[i], shared->value);
        }
        if (!beside || over ||
            (shared->axis >= 0 && *axis >= 0 && shared->axis != *axis))
            continue;
        *axis = shared->axis >= 0 ? shared->axis : *axis;
        parts[k] = shared;
    }
}

/* The parts of a sum. What would make the form too large, or has its vectors
 * along another axis, stays a leaf. Returns the number of branches, 0 when a
 * summand is constant or absent. */
static int sum_parts(Fold *fold, Form **forms, Node *node, Form **parts,
                     int *axis)
{
    int count = 0, nodes = 0;
    *axis = -1;
    for (int k = 0; k < node->input_count; k++) {
        Value *value = node->inputs[k];
        if (!value || value_constant(fold->graph, value))
            return 0;
        Form *part = form_take(fold, forms, value, NULL);
        int room = BRANCHES_MAX - count - (node->input_count - 1 - k);
        if (part->count > room || nodes_sum(nodes, part->nodes) > NODES_MAX ||
            (part->axis >= 0 && *axis >= 0 && part->axis != *axis))
            part = form_leaf(fold, value);
        *axis = part->axis >= 0 ? part->axis : *axis;
        count += part->count;
        nodes = nodes_sum(nodes, part->nodes);
        parts[k] = part;
    }
    sum_share(fold, forms, parts, node->input_count, axis);
    return count <= BRANCHES_MAX ? count : 0;
}

static void branch_negate(Fold *fold, Branch *branch)
{
    Vec minus = vec_uniform(fold->scratch, -1);
    branch->scale = vec_multiply(fold->scratch, minus, branch->scale);
    branch->shift = vec_scale(fold->scratch, minus, branch->shift);
    branch->alias_sign = -branch->alias_sign;
}

static Form *build_sum(Fold *fold, Form **forms, Node *node)
{
    if (!dtype_is_real(node->outputs[0]->fact.type))
        return NULL;
    Form *parts[BRANCHES_MAX];
    int axis, count = node->input_count > BRANCHES_MAX
                          ? 0
                          : sum_parts(fold, forms, node, parts, &axis);
    if (!count)
        return NULL;
    Form *form =
        form_new(fold, node->outputs[0], node, node->input_count, count);
    form->axis = axis;
    Branch *branch = form->branches;
    for (int k = 0; k < node->input_count; k++) {
        form->parts[k] = parts[k];
        form->rules |= parts[k]->rules;
        if (form->moves < parts[k]->moves)
            form->moves = parts[k]->moves;
        parts[k]->taken = true;
        for (int i = 0; i < parts[k]->count; i++, branch++) {
            *branch = parts[k]->branches[i];
            branch->part = k;
            if (node->op == OP_Sub && k == 1)
                branch_negate(fold, branch);
        }
    }
    return form;
}

/* Identity and Dropout: the same branches under another name. */
static Form *build_same(Fold *fold, Form **forms, Node *node, Value *input)
{
    Form *part = form_take(fold, forms, input, NULL);
    Form *form = form_scaled(fold, part, &SIGHT_NOTHING);
    part->taken = true;
    form->value = node->outputs[0];
    form->node = node;
    return form;
}

/* The form of a mover's input, when all behind it is linear. */
static Form *move_part(Fold *fold, Form **forms, Value *input)
{
    Form *part =
        input && !use_obstacle(input) ? form_of(fold, forms, input) : NULL;
    return part && part->moves < MOVES_MAX && part->nodes < NODES_MAX &&
                   form_absorbs(part)
               ? part
               : NULL;
}

/* What a mover gives in one output, as a branch. */
static Form *form_via(Fold *fold, Node *mover, int output, int count)
{
    Value *value = mover->outputs[output];
    Form *form = form_new(fold, value, mover, count, 1);
    form->branches[0] = (Branch){.kind = BRANCH_VIA,
                                 .inner = form->parts,
                                 .inner_count = count,
                                 .mover = mover,
                                 .output = output,
                                 .value = value,
                                 .alias = value,
                                 .alias_sign = 1};
    return form;
}

static void form_add_part(Form *form, int k, Form *part)
{
    form->parts[k] = part;
    form->rules |= part->rules;
    if (form->moves <= part->moves)
        form->moves = part->moves + 1;
}

/* Why no part of a Split has channels of its own: they are lost before it, or
 * it is along another axis and all parts have the same. */
static Reason split_obstacle(Fold *fold, const Form *part, const Node *split)
{
    Sight sight = SIGHT_NOTHING;
    int64_t axis = node_int(split, "axis", 0);
    sight.axis = (int)(axis < 0 ? axis + part->value->fact.rank : axis);
    return form_takes(fold, part, &sight) ? REASON_NONLINEAR : REASON_MULTI_USE;
}

/* A Split along the channels: maps of one part change what the operators before
 * it give there, and nothing in the others. */
static Form *build_split(Fold *fold, Form **forms, Node *node)
{
    Value *input = node->inputs[0];
    Form *part = move_part(fold, forms, input);
    size_t count = (size_t)node->output_count;
    if (!node_commutes(fold, node) || count > BRANCHES_MAX)
        return NULL;
    if (!part) {
        if (use_obstacle(input))
            fold_note(fold, node, use_obstacle(input), input->name);
        return NULL;
    }
    Form **siblings = arena_array(fold->scratch, count, sizeof *siblings);
    for (int i = 0; i < node->output_count; i++) {
        if (!node->outputs[i])
            continue;
        siblings[i] = form_via(fold, node, i, 1);
        form_add_part(siblings[i], 0, part);
        if (form_has_channels(fold, siblings[i]))
            continue;
        fold_note(fold, node, split_obstacle(fold, part, node), input->name);
        return NULL;
    }
    siblings[0]->siblings = siblings;
    part->taken = true;
    return siblings[0];
}

/* An operator that affine maps commute with (C10, C14, and C17 for Concat):
 * looked through when all behind it is linear and the channels stay
 * together. */
static Form *build_move(Fold *fold, Form **forms, Node *node)
{
    Value *input = node_input(node, 0);
    if (!input || value_constant(fold->graph, input))
        return NULL;
    if (node_keeps_value(fold, node))
        return build_same(fold, forms, node, input);
    if (node->op == OP_Split && node->output_count > 1)
        return build_split(fold, forms, node);
    int count = node->op == OP_Concat ? node->input_count : 1;
    if (!node_commutes(fold, node) || count > BRANCHES_MAX)
        return NULL;
    Form *form = form_via(fold, node, 0, count);
    for (int k = 0; k < count; k++) {
        Form *part = move_part(fold, forms, node->inputs[k]);
        if (!part)
            return NULL;
        form_add_part(form, k, part);
    }
    if (!form_has_channels(fold, form))
        return NULL;
    for (int k = 0; k < count; k++)
        form->parts[k]->taken = true;
    return form;
}

static bool is_binary_sum(const Fold *fold, const Node *node)
{
    if (node->op == OP_Sum)
        return node->input_count > 1;
    if (node_int(node, "broadcast", 0)) /* ONNX Add-6: by an attribute */
        return false;
    return (node->op == OP_Add || node->op == OP_Sub) && node->inputs[0] &&
           node->inputs[1] && !value_constant(fold->graph, node->inputs[0]) &&
           !value_constant(fold->graph, node->inputs[1]);
}

static Form *form_build(Fold *fold, Form **forms, Node *node)
{
    if (is_binary_sum(fold, node))
        return build_sum(fold, forms, node);
    bool is_pool = node->op == OP_AveragePool || node->op == OP_MaxPool;
    /* No other branch reads what a pool reads. */
    Form *form = is_pool ? build_move(fold, forms, node) : NULL;
    form = form ? form : build_linear(fold, node);
    form = form ? form : build_affine(fold, forms, node);
    return form ? form : build_move(fold, forms, node);
}

Form **forms_build(Fold *fold)
{
    Graph *graph = fold->graph;
    Form **forms =
        arena_array(fold->scratch, graph->node_count + 1, sizeof *forms);
    for (size_t i = 0; i < graph->node_count; i++) {
        Node *node = graph->nodes[i];
        if (node->removed || node->op == OP_OTHER || !node->outputs[0] ||
            node->outputs[0]->tensor)
            continue;
        forms[i] = form_build(fold, forms, node);
        if (forms[i])
            form_count_nodes(forms[i]);
    }
    return forms;
}
