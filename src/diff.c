/*
 * rp_diff_make: which node of one model is which of another.
 *
 * 1. Nodes whose first outputs have the same name and shape are partners.
 * 2. Of the rest, in graph order, those are that have the same operator and
 *    attributes and read partners' outputs, and weights of the same shape.
 * 3. Of the rest, from the end, those are whose values partners with the same
 *    operator read in the same slot.
 * 4. Of the rest, those are that have the same operator and name: a fold that
 *    moves a map past them writes them anew. Their values are not the same.
 * 5. What a partner that is not the same computes at once: the nodes before
 *    its original whose values the other model does not have.
 */
#include "diff.h"

#include <string.h>

#include "graph/dump.h"

struct rp_diff {
    Arena *arena;
    rp_diff_info info;
};

const char *rp_change_name(rp_change change)
{
    static const char *const names[] = {"same",   "renamed", "changed",
                                        "merged", "gone",    "new"};
    return names[change];
}

/* ---- Partners ---- */

static Side side_make(Arena *arena, Graph *graph)
{
    Side side = {.graph = graph, .producers = map_new(arena)};
    side.partner =
        arena_array(arena, graph->node_count + 1, sizeof *side.partner);
    for (size_t i = 0; i < graph->node_count; i++) {
        Value *output = node_output(graph->nodes[i], 0);
        side.partner[i] = NO_NODE;
        if (output)
            map_put(side.producers, output->name, graph->nodes[i]);
    }
    return side;
}

static void partners_set(Differ *differ, Node *a, Node *b)
{
    differ->a.partner[a->index] = b->index;
    differ->b.partner[b->index] = a->index;
    for (int i = 0; i < a->output_count; i++)
        if (a->outputs[i] && node_output(b, i))
            map_put(differ->counterparts, a->outputs[i]->name, b->outputs[i]);
}

const char *fact_text(Arena *arena, const Model *model, const Value *value)
{
    Text text = {.arena = arena};
    text_fact(&text, model->symbols, &value->fact);
    return text.bytes;
}

static bool facts_agree(const Differ *differ, const Value *a, const Value *b)
{
    if (a->fact.rank < 0 || b->fact.rank < 0)
        return true;
    return strcmp(fact_text(differ->arena, differ->model_a, a),
                  fact_text(differ->arena, differ->model_b, b)) == 0;
}

static bool reads_from(const Node *node, const Node *source)
{
    for (int i = 0; i < node->input_count; i++)
        if (node->inputs[i] && node->inputs[i]->producer == source)
            return true;
    return false;
}

/* The node that a fold has split in two, MatMul and its bias, of which the
 * second gives what the node gave: the first has its name. */
static Node *split_off(const Map *titles, const Node *node, const Node *second)
{
    Node *first = node->name[0] ? map_get(titles, node->name) : NULL;
    return first && first != second &&
                   strcmp(first->op_type, node->op_type) == 0 &&
                   reads_from(second, first)
               ? first
               : NULL;
}

static void partners_by_name(Differ *differ)
{
    const Graph *a = differ->a.graph, *b = differ->b.graph;
    Map *titles = map_new(differ->arena);
    for (size_t i = 0; i < b->node_count; i++)
        if (b->nodes[i]->name[0])
            map_put(titles, b->nodes[i]->name, b->nodes[i]);
    for (size_t i = 0; i < a->node_count; i++) {
        Node *node = a->nodes[i];
        Value *output = node_output(node, 0);
        Node *other =
            output ? map_get(differ->b.producers, output->name) : NULL;
        if (!other || !node_output(other, 0) ||
            !facts_agree(differ, output, other->outputs[0]))
            continue;
        Node *first = split_off(titles, node, other);
        partners_set(differ, node, first ? first : other);
        map_put(differ->counterparts, output->name, other->outputs[0]);
    }
}

/* Inputs correspond by name, or else by position. */
static void partners_of_inputs(Differ *differ)
{
    const Graph *a = differ->a.graph, *b = differ->b.graph;
    Map *named = map_new(differ->arena);
    for (size_t i = 0; i < b->input_count; i++)
        map_put(named, b->inputs[i]->name, b->inputs[i]);
    for (size_t i = 0; i < a->input_count; i++) {
        Value *found = map_get(named, a->inputs[i]->name);
        if (!found && i < b->input_count)
            found = b->inputs[i];
        if (found)
            map_put(differ->counterparts, a->inputs[i]->name, found);
    }
}

/* What a node is, with the values it reads by their names in b; NULL where one
 * has none there. */
static const char *node_key(const Differ *differ, const Node *node, bool is_a)
{
    const Model *model = is_a ? differ->model_a : differ->model_b;
    Text key = {.arena = differ->arena};
    text_printf(&key, "%s", node_attributes(differ->arena, node));
    for (int i = 0; i < node->input_count; i++) {
        const Value *value = node->inputs[i];
        if (value && value->tensor && !value->producer) {
            text_printf(&key, "|");
            text_fact(&key, model->symbols, &value->fact);
            continue;
        }
        if (value && is_a)
            value = map_get(differ->counterparts, value->name);
        if (node->inputs[i] && !value)
            return NULL;
        text_printf(&key, "|=%s", value ? value->name : "");
    }
    return key.bytes;
}

/* Nodes of one key, in graph order. */
typedef struct Queue {
    Node *node;
    struct Queue *next, *last;
} Queue;

static void queue_add(Arena *arena, Map *queues, const char *key, Node *node)
{
    Queue *entry = arena_alloc(arena, sizeof *entry);
    Queue *first = map_get(queues, key);
    *entry = (Queue){.node = node, .last = entry};
    if (!first) {
        map_put(queues, key, entry);
        return;
    }
    first->last->next = entry;
    first->last = entry;
}

static Node *queue_take(Map *queues, const char *key)
{
    Queue *first = key ? map_get(queues, key) : NULL;
    if (!first)
        return NULL;
    if (first->next)
        first->next->last = first->last;
    map_put(queues, key, first->next);
    return first->node;
}

static void partners_by_place(Differ *differ)
{
    const Graph *a = differ->a.graph, *b = differ->b.graph;
    Map *queues = map_new(differ->arena);
    for (size_t i = 0; i < b->node_count; i++)
        if (differ->b.partner[i] == NO_NODE)
            queue_add(differ->arena, queues,
                      node_key(differ, b->nodes[i], false), b->nodes[i]);
    for (size_t i = 0; i < a->node_count; i++) {
        if (differ->a.partner[i] != NO_NODE)
            continue;
        Node *other = queue_take(queues, node_key(differ, a->nodes[i], true));
        if (other)
            partners_set(differ, a->nodes[i], other);
    }
}

/* Whether the first output has the same name in both. */
static bool has_name(const Differ *differ, const Node *node)
{
    const Value *output = node_output(node, 0);
    const Value *other =
        output ? map_get(differ->counterparts, output->name) : NULL;
    return other && strcmp(other->name, output->name) == 0;
}

/* Partners that do the same read values of the same meaning in each slot,
 * whatever has computed them. */
static void partners_backward(Differ *differ)
{
    const Graph *a = differ->a.graph, *b = differ->b.graph;
    for (size_t i = a->node_count; i-- > 0;) {
        const Node *node = a->nodes[i];
        size_t partner = differ->a.partner[i];
        if (partner == NO_NODE || node->op != b->nodes[partner]->op)
            continue;
        bool vouches = (differ->vouched[i] || has_name(differ, node)) &&
                       weights_agree(node, b->nodes[partner]);
        for (int k = 0; k < node->input_count; k++) {
            const Value *x = node->inputs[k];
            const Value *y = node_input(b->nodes[partner], k);
            if (x && y && x->producer && y->producer &&
                differ->a.partner[x->producer->index] == NO_NODE &&
                differ->b.partner[y->producer->index] == NO_NODE &&
                x->output == 0 && y->output == 0 && facts_agree(differ, x, y)) {
                partners_set(differ, x->producer, y->producer);
                differ->vouched[x->producer->index] = vouches;
            }
        }
    }
}

/* Nodes written anew on their way, under their old names. */
static void partners_by_title(Differ *differ)
{
    const Graph *a = differ->a.graph, *b = differ->b.graph;
    Map *titles = map_new(differ->arena);
    for (size_t i = 0; i < b->node_count; i++)
        if (differ->b.partner[i] == NO_NODE && b->nodes[i]->name[0])
            map_put(titles, b->nodes[i]->name, b->nodes[i]);
    for (size_t i = 0; i < a->node_count; i++) {
        Node *other = map_get(titles, a->nodes[i]->name);
        if (!other || differ->a.partner[i] != NO_NODE ||
            differ->b.partner[other->index] != NO_NODE ||
            strcmp(other->op_type, a->nodes[i]->op_type) != 0)
            continue;
        partners_set(differ, a->nodes[i], other);
    }
}

/* ---- What partners have in common ---- */

bool values_agree(const Differ *differ, const Value *x, const Value *y)
{
    if (!x || !y)
        return !x == !y;
    if (!x->tensor || x->producer)
        return map_get(differ->counterparts, x->name) == y;
    return y->tensor && !y->producer && facts_agree(differ, x, y);
}

static bool inputs_agree(const Differ *differ, const Node *a, const Node *b)
{
    if (a->input_count != b->input_count)
        return false;
    for (int i = 0; i < a->input_count; i++)
        if (!values_agree(differ, a->inputs[i], b->inputs[i]))
            return false;
    return true;
}

/* Which outputs are there can say what a node does: before opset 14 those of
 * BatchNormalization say that it is training. */
static bool outputs_agree(const Node *a, const Node *b)
{
    for (int i = 0; i < a->output_count || i < b->output_count; i++)
        if (!node_output(a, i) != !node_output(b, i))
            return false;
    return true;
}

static bool names_agree(const Node *a, const Node *b)
{
    for (int i = 0; i < a->output_count && i < b->output_count; i++)
        if (a->outputs[i] && b->outputs[i] &&
            strcmp(a->outputs[i]->name, b->outputs[i]->name) != 0)
            return false;
    return strcmp(a->name, b->name) == 0;
}

static void match_add(Differ *differ, rp_change change, size_t a, size_t b)
{
    differ->matches =
        arena_grow(differ->arena, differ->matches, &differ->match_capacity,
                   differ->match_count + 1, sizeof *differ->matches);
    const char *detail =
        change == RP_CHANGED
            ? node_difference(differ, differ->a.graph->nodes[a],
                              differ->b.graph->nodes[b])
            : NULL;
    differ->matches[differ->match_count++] =
        (rp_node_match){change, a, b, detail};
}

static rp_change compare_partners(const Differ *differ, const Node *a,
                                  const Node *b)
{
    const char *x = node_attributes(differ->arena, a);
    const char *y = node_attributes(differ->arena, b);
    if (strcmp(x, y) != 0 || !inputs_agree(differ, a, b) ||
        !outputs_agree(a, b))
        return RP_CHANGED;
    return names_agree(a, b) ? RP_SAME : RP_RENAMED;
}

/* ---- What was merged ----
 *
 * A node may go into several (a scale that moves forward into all that read
 * it); how many are told is bounded, so that this takes linear time.
 */

enum { TARGETS_MAX = 8 };

typedef struct Targets {
    size_t nodes[TARGETS_MAX];
    int count;
} Targets;

static bool target_add(Targets *targets, size_t node)
{
    for (int i = 0; i < targets->count; i++)
        if (targets->nodes[i] == node)
            return false;
    if (targets->count == TARGETS_MAX)
        return false;
    targets->nodes[targets->count++] = node;
    return true;
}

/* Everything gone that `end` is computed from, up to what b has as well. */
static void merged_find(const Differ *differ, Node *end, Targets *targets,
                        Node **pending)
{
    size_t into = differ->a.partner[end->index], depth = 0;
    bool found = false;
    pending[depth++] = end;
    while (depth > 0) {
        const Node *node = pending[--depth];
        for (int i = 0; i < node->input_count; i++) {
            Node *source = node->inputs[i] ? node->inputs[i]->producer : NULL;
            if (!source || source->op == OP_Constant ||
                differ->a.partner[source->index] != NO_NODE ||
                !target_add(&targets[source->index], into))
                continue;
            pending[depth++] = source;
            found = true;
        }
    }
    if (found)
        target_add(&targets[end->index], into);
}

static void matches_list(Differ *differ)
{
    const Graph *a = differ->a.graph, *b = differ->b.graph;
    size_t count = a->node_count + 1;
    Targets *targets = arena_array(differ->arena, count, sizeof *targets);
    Node **pending = arena_array(differ->arena, count, sizeof *pending);
    rp_change *change = arena_array(differ->arena, count, sizeof *change);
    for (size_t i = 0; i < a->node_count; i++) {
        size_t partner = differ->a.partner[i];
        change[i] = RP_GONE;
        if (partner == NO_NODE)
            continue;
        change[i] = compare_partners(differ, a->nodes[i], b->nodes[partner]);
        if (change[i] == RP_CHANGED)
            merged_find(differ, a->nodes[i], targets, pending);
    }
    for (size_t i = 0; i < a->node_count; i++) {
        for (int k = 0; k < targets[i].count; k++)
            match_add(differ, RP_MERGED, i, targets[i].nodes[k]);
        if (targets[i].count == 0)
            match_add(differ, change[i], i, differ->a.partner[i]);
    }
    for (size_t i = 0; i < b->node_count; i++)
        if (differ->b.partner[i] == NO_NODE)
            match_add(differ, RP_NEW, NO_NODE, i);
}

/* ---- Values ---- */

/* A value under another name is the same only if one that is the same is
 * computed from it alike, or what it is computed from is the same. */
static void find_doubts(Differ *differ)
{
    const Graph *a = differ->a.graph, *b = differ->b.graph;
    for (size_t i = 0; i < a->node_count; i++) {
        const Node *node = a->nodes[i];
        size_t partner = differ->a.partner[i];
        bool doubt = partner == NO_NODE;
        if (differ->vouched[i] || doubt || has_name(differ, node))
            continue;
        for (int k = 0; !doubt && k < node->input_count; k++) {
            const Node *source =
                node->inputs[k] ? node->inputs[k]->producer : NULL;
            doubt = source && differ->doubtful[source->index];
        }
        differ->doubtful[i] = doubt ||
                              !inputs_agree(differ, node, b->nodes[partner]) ||
                              !weights_agree(node, b->nodes[partner]);
    }
}

static void values_list(const Differ *differ, rp_diff_info *info)
{
    const Graph *a = differ->a.graph;
    size_t count = 1;
    for (size_t i = 0; i < a->node_count; i++)
        count += (size_t)a->nodes[i]->output_count;
    rp_name_match *values = arena_array(differ->arena, count, sizeof *values);
    for (size_t i = 0; i < a->node_count; i++) {
        const Node *node = a->nodes[i];
        for (int k = 0; k < node->output_count; k++) {
            const char *name = node->outputs[k] ? node->outputs[k]->name : NULL;
            const Value *other =
                name ? map_get(differ->counterparts, name) : NULL;
            if (!name)
                continue;
            bool same = other && strcmp(other->name, name) == 0;
            values[info->value_count++] =
                (rp_name_match){.change = same                  ? RP_SAME
                                          : !other              ? RP_GONE
                                          : differ->doubtful[i] ? RP_CHANGED
                                                                : RP_RENAMED,
                                .a = name,
                                .b = other ? other->name : NULL};
        }
    }
    info->values = values;
}

/* ---- All of it ---- */

static bool nothing_differs(const rp_diff_info *info)
{
    for (size_t i = 0; i < info->node_count; i++)
        if (info->nodes[i].change != RP_SAME)
            return false;
    for (size_t i = 0; i < info->initializer_count; i++)
        if (info->initializers[i].change != RP_SAME)
            return false;
    return info->note_count == 0;
}

typedef struct DiffWork {
    rp_diff *diff;
    rp_model *a, *b;
} DiffWork;

/* What is written into the models themselves; from there on they are read. */
static int prepare_work(void *context, Err *err)
{
    rp_model *model = context;
    TRY(graph_infer(model->model->graph, err));
    graph_fill_uses(model->model->graph);
    return 0;
}

static int diff_work(void *context, Err *err)
{
    (void)err;
    DiffWork *work = context;
    Arena *arena = work->diff->arena;
    rp_diff_info *info = &work->diff->info;
    Differ differ = {.arena = arena,
                     .model_a = work->a->model,
                     .model_b = work->b->model,
                     .a = side_make(arena, work->a->model->graph),
                     .b = side_make(arena, work->b->model->graph),
                     .counterparts = map_new(arena)};
    differ.vouched = arena_array(arena, differ.a.graph->node_count + 1,
                                 sizeof *differ.vouched);
    differ.doubtful = arena_array(arena, differ.a.graph->node_count + 1,
                                  sizeof *differ.doubtful);
    partners_of_inputs(&differ);
    partners_by_name(&differ);
    partners_by_place(&differ);
    partners_backward(&differ);
    partners_by_title(&differ);
    matches_list(&differ);
    diff_initializers(&differ);
    info->nodes = differ.matches;
    info->node_count = differ.match_count;
    info->initializers = differ.initializers;
    info->initializer_count = differ.initializer_count;
    find_doubts(&differ);
    values_list(&differ, info);
    diff_notes(&differ, info);
    info->same = nothing_differs(info);
    return 0;
}

rp_diff *rp_diff_make(rp_model *a, rp_model *b, rp_error *error)
{
    Err err = {0};
    if (api_on_model(a, prepare_work, a, a->path, error) < 0 ||
        api_on_model(b, prepare_work, b, b->path, error) < 0)
        return NULL;
    rp_diff *diff = api_result(api_budget_left(a, b), sizeof *diff);
    DiffWork work = {diff, a, b};
    if (diff && api_bound_left(a) > 0 && api_bound_left(b) > 0)
        arena_bound(diff->arena, api_bound_left(a) + api_bound_left(b));
    if (!diff)
        err_set(&err, b->options.max_memory ? ERR_BUDGET : ERR_MEMORY,
                "no memory is left for a comparison");
    else if (api_guard(diff->arena, diff_work, &work, &err) == 0)
        return diff;
    api_fail(error, &err, b->path);
    rp_diff_free(diff);
    return NULL;
}

const rp_diff_info *rp_diff_get(const rp_diff *diff)
{
    return &diff->info;
}

void rp_diff_free(rp_diff *diff)
{
    if (diff)
        arena_free(diff->arena);
}
