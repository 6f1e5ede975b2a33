/* What differs of two models besides nodes and weights, in words. */
#include <string.h>

#include "diff.h"

typedef struct Notes {
    Arena *arena;
    const char **lines;
    size_t count, capacity;
} Notes;

static void note(Notes *notes, const char *line)
{
    notes->lines = arena_grow(notes->arena, notes->lines, &notes->capacity,
                              notes->count + 1, sizeof *notes->lines);
    notes->lines[notes->count++] = line;
}

static void note_values(const Differ *differ, Notes *notes, const char *what,
                        Value *const *a, size_t count_a, Value *const *b,
                        size_t count_b)
{
    if (count_a != count_b)
        note(notes, arena_printf(notes->arena, "%zu %ss, not %zu", count_b,
                                 what, count_a));
    for (size_t i = 0; i < count_a && i < count_b; i++) {
        const char *x = fact_text(notes->arena, differ->model_a, a[i]);
        const char *y = fact_text(notes->arena, differ->model_b, b[i]);
        if (strcmp(a[i]->name, b[i]->name) != 0)
            note(notes, arena_printf(notes->arena, "%s %zu is %s, not %s", what,
                                     i, b[i]->name, a[i]->name));
        if (strcmp(x, y) != 0)
            note(notes, arena_printf(notes->arena, "%s %s is %s, not %s", what,
                                     b[i]->name, y, x));
    }
}

static const Function *function_find(const Model *model, const Function *named)
{
    for (size_t i = 0; i < model->function_count; i++)
        if (strcmp(model->functions[i].name, named->name) == 0 &&
            strcmp(model->functions[i].domain, named->domain) == 0)
            return &model->functions[i];
    return NULL;
}

/* Functions are held byte against byte: defaults of attributes, which no graph
 * shows, are a part of them. */
static void note_functions(const Differ *differ, Notes *notes)
{
    const Model *a = differ->model_a, *b = differ->model_b;
    if (a->function_count != b->function_count)
        note(notes, arena_printf(notes->arena, "%zu functions, not %zu",
                                 b->function_count, a->function_count));
    for (size_t i = 0; i < a->function_count; i++) {
        const Function *old = &a->functions[i], *new = function_find(b, old);
        if (!new || !span_same(new->source, old->source) ||
            new->body->changed != old->body->changed)
            note(notes,
                 arena_printf(notes->arena, "function %s.%s is %s", old->domain,
                              old->name, new ? "another" : "gone"));
    }
}

/* Of domains that both import; one that nobody uses may be gone. */
static void note_opsets(const Differ *differ, Notes *notes)
{
    const Model *a = differ->model_a, *b = differ->model_b;
    if (a->opset != b->opset)
        note(notes, arena_printf(notes->arena, "opset %lld, not %lld",
                                 (long long)b->opset, (long long)a->opset));
    for (size_t i = 0; i < a->import_count; i++)
        for (size_t k = 0; k < b->import_count; k++) {
            const OpsetImport *x = &a->imports[i], *y = &b->imports[k];
            if (strcmp(x->domain, y->domain) == 0 && x->version != y->version &&
                !is_onnx_domain(x->domain))
                note(notes,
                     arena_printf(notes->arena, "opset %lld of %s, not %lld",
                                  (long long)y->version, y->domain,
                                  (long long)x->version));
        }
}

void diff_notes(const Differ *differ, rp_diff_info *info)
{
    const Graph *a = differ->a.graph, *b = differ->b.graph;
    Notes notes = {.arena = differ->arena};
    note_opsets(differ, &notes);
    note_values(differ, &notes, "input", a->inputs, a->input_count, b->inputs,
                b->input_count);
    note_values(differ, &notes, "output", a->outputs, a->output_count,
                b->outputs, b->output_count);
    note_functions(differ, &notes);
    info->notes = notes.lines;
    info->note_count = notes.count;
}
