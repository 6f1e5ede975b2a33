/*
 * The table of passes and their driver.
 *
 * Before each pass uses, shapes, constants and islands are found anew, if the
 * graph has changed; after it what has become dead goes and every invariant is
 * checked. The table is run until a whole round folds nothing: the order is
 * that of the catalogue of folds, backward before forward, so that a map is not
 * taken forward which a merge of branches needs.
 */
#include "fold/pass.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(Fold *fold, Err *err);
} passes[] = {
    {"inline", rule_inline},   {"identity", rule_identity},
    {"sum", rule_sum},         {"border", rule_border},
    {"pad", rule_pad},         {"forward", rule_forward},
    {"norm", rule_norm},       {"stack", rule_stack},
    {"compose", rule_compose},
};

/* Each round must fold at least one site, and each fold removes a node; the
 * bound is for a rule that is wrong. */
enum { ROUNDS_MAX = 64 };

/* What a subgraph captures is what it is outside. */
static void facts_from_outside(Graph *graph)
{
    for (size_t i = 0; i < graph->scope_count; i++)
        if (graph->scope[i]->outer)
            graph->scope[i]->fact = graph->scope[i]->outer->fact;
}

/* What is known stays known until something is folded; uses are filled when it
 * is. */
static int pass_prepare(Fold *fold, Err *err)
{
    if (fold->is_stale) {
        facts_from_outside(fold->graph);
        TRY(graph_infer(fold->graph, err));
        bool found;
        TRY(constants_evaluate(fold, &found, err));
        /* Shapes may follow from constants that were only now evaluated. */
        if (found)
            TRY(graph_infer(fold->graph, err));
    }
    fold->is_stale = false;
    islands_mark(fold);
    return 0;
}

static int pass_finish(Fold *fold, const char *name, Err *err)
{
    const Graph *whole = fold->graph;
    if (!fold->is_stale)
        return 0;
    graph_sweep(fold->graph);
    fold->work += fold->whole_size;
    while (whole->parent)
        whole = whole->parent;
    if (graph_check(whole, err) < 0)
        return err_prefix(err, "after pass \"%s\"", name);
    return 0;
}

static int pass_run(Fold *fold, size_t index, Err *err)
{
    Arena *outer = site_begin(fold);
    TRY(pass_prepare(fold, err));
    TRY(passes[index].run(fold, err));
    TRY(pass_finish(fold, passes[index].name, err));
    site_end(fold, outer);
    return 0;
}

static int progress(const Fold *fold, int round, Err *err)
{
    const rp_fold_options *options = fold->options;
    if (!options->progress ||
        !options->progress(options->progress_context, "fold",
                           1 - 1.0 / (2 << (round < 8 ? round : 8))))
        return 0;
    return err_set(err, ERR_USAGE, "cancelled");
}

/* Runs the table until nothing changes. */
static int rounds_run(Fold *fold, Err *err)
{
    const char *last = fold->options->stop_after_pass;
    for (int round = 0; round < ROUNDS_MAX; round++) {
        size_t before = fold->report->fold_count;
        arena_clear(fold->notes);
        fold->obstacles = map_new(fold->notes);
        TRY(progress(fold, round, err));
        for (size_t i = 0; i < sizeof passes / sizeof *passes; i++) {
            TRY(pass_run(fold, i, err));
            if (last && strcmp(passes[i].name, last) == 0)
                return 0;
        }
        if (fold->report->fold_count == before || fold_is_done(fold))
            return 0;
    }
    return 0;
}

static int rules_enabled(const rp_fold_options *options, RuleSet *enabled,
                         Err *err)
{
    RuleSet skipped = 0, added = 0;
    *enabled = 0;
    for (int rule = 0; rule < RULE_COUNT; rule++)
        *enabled |= rules_all[rule].on_demand ? 0 : RULE_BIT(rule);
    if (options->only)
        TRY(rules_parse(options->only, enabled, err));
    if (options->enable)
        TRY(rules_parse(options->enable, &added, err));
    if (options->skip)
        TRY(rules_parse(options->skip, &skipped, err));
    *enabled = (*enabled | added) & ~skipped;
    return 0;
}

static int pass_name_check(const char *name, Err *err)
{
    char names[128];
    size_t length = 0;
    if (!name)
        return 0;
    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++) {
        if (strcmp(passes[i].name, name) == 0)
            return 0;
        length += (size_t)snprintf(names + length, sizeof names - length,
                                   "%s%s", i ? ", " : "", passes[i].name);
    }
    return err_set(err, ERR_USAGE, "no pass is called \"%s\"; there are %s",
                   name, names);
}

/* The graphs of a model, outer ones before those inside them: folding may have
 * inlined some of these by then. */
typedef struct GraphList {
    Graph **graphs;
    size_t count, capacity;
} GraphList;

static void list_add(Arena *arena, GraphList *list, Graph *graph)
{
    list->graphs = arena_grow(arena, list->graphs, &list->capacity,
                              list->count + 1, sizeof(Graph *));
    list->graphs[list->count++] = graph;
}

static void list_bodies(Arena *arena, GraphList *list, const Node *node)
{
    for (int i = 0; i < node->attr_count; i++) {
        size_t count;
        Graph *const *graphs = attr_graphs(&node->attrs[i], &count);
        for (size_t k = 0; k < count; k++)
            list_add(arena, list, graphs[k]);
    }
}

/* After a fold in a body the uses of all graphs are found anew. What bodies in
 * their thousands take that way is bounded: the rest of them is left alone. */
enum { WORK_MAX = 50 * 1000 * 1000 };

static size_t graph_size(const Graph *graph);

/* The node and all that is inside it. */
static size_t node_size(const Node *node)
{
    size_t size = 1, count;
    for (int i = 0; i < node->attr_count; i++) {
        Graph *const *graphs = attr_graphs(&node->attrs[i], &count);
        for (size_t k = 0; k < count; k++)
            size += graph_size(graphs[k]);
    }
    return size;
}

/* Recursion is as deep as subgraphs nest, which the reader bounds. */
static size_t graph_size(const Graph *graph)
{
    size_t size = 0;
    for (size_t i = 0; i < graph->node_count; i++)
        size += node_size(graph->nodes[i]);
    return size;
}

/* One graph by itself; its subgraphs have their own turn. */
static int graph_fold(Fold *fold, Graph *graph, Err *err)
{
    fold->graph = graph;
    fold->is_stale = true;
    fold->gives_up = graph->parent && fold->work > WORK_MAX;
    if (!graph->parent) {
        fold->whole_size += graph_size(graph);
        graph_fill_uses(graph);
    }
    if (fold->gives_up)
        fold->obstacles = map_new(fold->notes);
    else
        TRY(rounds_run(fold, err));
    Arena *outer = site_begin(fold);
    TRY(pass_prepare(fold, err));
    TRY(refusals_list(fold, err));
    site_end(fold, outer);
    if (fold->model->assume_inference)
        inference_settle(fold);
    return 0;
}

int model_fold(Model *model, const rp_fold_options *options, FoldReport *report,
               Err *err)
{
    Fold fold = {.arena = model->arena,
                 .scratch = arena_child(model->arena),
                 .notes = arena_child(model->arena),
                 .model = model,
                 .options = options,
                 .report = report};
    TRY(pass_name_check(options->stop_after_pass, err));
    TRY(rules_enabled(options, &fold.enabled, err));
    if (options->assume_inference)
        model->assume_inference = true;
    GraphList list = {0};
    list_add(fold.scratch, &list, model->graph);
    for (size_t i = 0; i < model->function_count; i++)
        list_add(fold.scratch, &list, model->functions[i].body);
    for (size_t i = 0; i < list.count; i++) {
        TRY(graph_fold(&fold, list.graphs[i], err));
        for (size_t k = 0; k < list.graphs[i]->node_count; k++)
            list_bodies(fold.scratch, &list, list.graphs[i]->nodes[k]);
    }
    arena_free(fold.scratch);
    arena_free(fold.notes);
    return 0;
}
