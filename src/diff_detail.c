/* What makes one node another, in words for a person. */
#include <string.h>

#include "diff.h"
#include "graph/dump.h"

/* More are not told. */
enum { CHANGES_SHOWN = 8 };

typedef struct Changes {
    Text text;
    int count;
} Changes;

/* "epsilon 1e-05 -> 0.001", behind what is there. */
static void put_change(Changes *changes, const char *what, const char *from,
                       const char *to)
{
    Text *text = &changes->text;
    if (changes->count++ >= CHANGES_SHOWN)
        return;
    text_printf(text, text->length > 0 ? ", " : "");
    text_escaped(text, what);
    if (strcmp(from, to) == 0) /* lists that were cut, graphs */
        text_printf(text, " differs");
    else
        text_printf(text, " %s -> %s", from, to);
}

/* Not written is the default. */
static const char *attr_words(Arena *arena, const Attr *attr)
{
    Text text = {.arena = arena};
    if (!attr)
        return "default";
    text_attr_value(&text, attr);
    return text.bytes;
}

static void put_attribute(Changes *changes, const Attr *a, const Attr *b)
{
    Arena *arena = changes->text.arena;
    if (!a || !b || !attrs_agree(arena, a, b))
        put_change(changes, a ? a->name : b->name, attr_words(arena, a),
                   attr_words(arena, b));
}

/* Both in the order of their names, side by side. */
static void put_attributes(Changes *changes, const Node *a, const Node *b)
{
    const Attr **x = attrs_sorted(changes->text.arena, a);
    const Attr **y = attrs_sorted(changes->text.arena, b);
    int i = 0, k = 0;
    while (i < a->attr_count || k < b->attr_count) {
        int order = i == a->attr_count   ? 1
                    : k == b->attr_count ? -1
                                         : strcmp(x[i]->name, y[k]->name);
        put_attribute(changes, order <= 0 ? x[i++] : NULL,
                      order >= 0 ? y[k++] : NULL);
    }
}

/* Of a weight its type and shape, of what is computed its name; "none" for an
 * input that is left out. */
static const char *input_words(Arena *arena, const Model *model,
                               const Value *value)
{
    Text text = {.arena = arena};
    if (!value)
        return "none";
    if (value->tensor && !value->producer)
        text_fact(&text, model->symbols, &value->fact);
    else
        text_escaped(&text, value->name);
    return text.bytes;
}

static void put_inputs(Changes *changes, const Differ *differ, const Node *a,
                       const Node *b)
{
    Arena *arena = changes->text.arena;
    int count =
        a->input_count > b->input_count ? a->input_count : b->input_count;
    for (int i = 0; i < count; i++) {
        const Value *x = node_input(a, i), *y = node_input(b, i);
        if (!values_agree(differ, x, y))
            put_change(changes, arena_printf(arena, "input %d", i),
                       input_words(arena, differ->model_a, x),
                       input_words(arena, differ->model_b, y));
    }
}

const char *node_difference(const Differ *differ, const Node *a, const Node *b)
{
    Changes changes = {.text = {.arena = differ->arena}};
    if (a->op != b->op || strcmp(a->op_type, b->op_type) != 0)
        return NULL;
    put_attributes(&changes, a, b);
    put_inputs(&changes, differ, a, b);
    if (changes.count > CHANGES_SHOWN)
        text_printf(&changes.text, " and %d more",
                    changes.count - CHANGES_SHOWN);
    return changes.text.bytes;
}
