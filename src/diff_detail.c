/* What makes one node another, in words for a person. */
#include <string.h>

#include "diff.h"
#include "graph/dump.h"

/* "epsilon 1e-05 -> 0.001", behind what is there. */
static void put_change(Text *text, const char *what, const char *from,
                       const char *to)
{
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

static void put_attributes(Text *text, const Node *a, const Node *b)
{
    for (int i = 0; i < a->attr_count; i++) {
        const Attr *attr = &a->attrs[i], *other = node_attr(b, attr->name);
        if (!other || !attrs_agree(text->arena, attr, other))
            put_change(text, attr->name, attr_words(text->arena, attr),
                       attr_words(text->arena, other));
    }
    for (int i = 0; i < b->attr_count; i++)
        if (!node_attr(a, b->attrs[i].name))
            put_change(text, b->attrs[i].name, attr_words(text->arena, NULL),
                       attr_words(text->arena, &b->attrs[i]));
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

static void put_inputs(Text *text, const Differ *differ, const Node *a,
                       const Node *b)
{
    int count =
        a->input_count > b->input_count ? a->input_count : b->input_count;
    for (int i = 0; i < count; i++) {
        const Value *x = node_input(a, i), *y = node_input(b, i);
        if (values_agree(differ, x, y))
            continue;
        put_change(text, arena_printf(text->arena, "input %d", i),
                   input_words(text->arena, differ->model_a, x),
                   input_words(text->arena, differ->model_b, y));
    }
}

const char *node_difference(const Differ *differ, const Node *a, const Node *b)
{
    Text text = {.arena = differ->arena};
    if (a->op != b->op || strcmp(a->op_type, b->op_type) != 0)
        return NULL;
    put_attributes(&text, a, b);
    put_inputs(&text, differ, a, b);
    return text.bytes;
}
