/* What the weights of two models have in common, and the text of attributes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"
#include "diff.h"
#include "graph/dump.h"

enum { PIECE = 512, ELEMENT_MAX = 16 };

/* ---- Texts ---- */

/* Of a tensor whose elements cannot be read: its message, or what it has
 * outside of it. */
static Span tensor_bytes(const Tensor *tensor)
{
    return tensor->source && !tensor->is_external
               ? (Span){tensor->source, tensor->source_size}
               : (Span){tensor->data, tensor->data_size};
}

const char *tensor_digest(Arena *arena, const Tensor *tensor)
{
    uint8_t piece[PIECE * ELEMENT_MAX];
    char digest[SHA256_TEXT];
    size_t size = dtype_size(tensor->type);
    Sha256 sha;
    sha256_start(&sha);
    sha256_add(&sha, &tensor->type, sizeof tensor->type);
    sha256_add(&sha, tensor->dims, (size_t)tensor->rank * sizeof(int64_t));
    if (size == 0 || !tensor_is_readable(tensor)) {
        Span bytes = tensor_bytes(tensor);
        sha256_add(&sha, bytes.bytes, bytes.size);
    }
    for (int64_t done = 0;
         size > 0 && tensor_is_readable(tensor) && done < tensor->count;
         done += PIECE) {
        int64_t now =
            tensor->count - done < PIECE ? tensor->count - done : PIECE;
        tensor_read_stored(tensor, done, now, piece);
        sha256_add(&sha, piece, (size_t)now * size);
    }
    sha256_text(&sha, digest);
    return arena_strdup(arena, digest);
}

static void text_span(Text *text, Span span)
{
    text_printf(text, "%zu:", span.size);
    for (size_t i = 0; i < span.size; i++)
        text_printf(text, "%02x", span.bytes[i]);
}

static void text_attr(Text *text, const Attr *attr);

/* With its length, so that no name can look like two. */
static void text_name(Text *text, char mark, const char *name)
{
    text_printf(text, " %c%zu:%s", mark, strlen(name), name);
}

static void text_names(Text *text, char mark, Value *const *values,
                       size_t count)
{
    for (size_t i = 0; i < count; i++)
        text_name(text, mark, values[i] ? values[i]->name : "");
}

/* A body, with its own names: they cannot be told from outside. */
static void text_graph(Text *text, const Graph *graph)
{
    text_printf(text, "{");
    text_names(text, '<', graph->inputs, graph->input_count);
    for (size_t i = 0; i < graph->node_count; i++) {
        const Node *node = graph->nodes[i];
        if (node->removed)
            continue;
        text_printf(text, "{%s", node_attributes(text->arena, node));
        text_names(text, '<', node->inputs, (size_t)node->input_count);
        text_names(text, '>', node->outputs, (size_t)node->output_count);
        text_printf(text, "}");
    }
    for (size_t i = 0; i < graph->initializer_count; i++)
        if (graph->initializers[i]->tensor) {
            text_name(text, '=', graph->initializers[i]->name);
            text_printf(
                text, "=%s",
                tensor_digest(text->arena, graph->initializers[i]->tensor));
        }
    text_names(text, '>', graph->outputs, graph->output_count);
    text_printf(text, "}");
}

static void text_attr_list(Text *text, const Attr *attr)
{
    for (size_t i = 0; i < attr->count; i++) {
        if (attr->type == ATTR_FLOATS)
            text_printf(text, " %a", (double)attr->floats[i]);
        else if (attr->type == ATTR_INTS)
            text_printf(text, " %lld", (long long)attr->ints[i]);
        else if (attr->type == ATTR_STRINGS)
            text_span(text, attr->strings[i]);
        else if (attr->type == ATTR_GRAPHS)
            text_graph(text, attr->graphs[i]);
    }
}

static void text_attr(Text *text, const Attr *attr)
{
    text_name(text, ';', attr->name);
    text_printf(text, ".%d=", attr->type);
    if (attr->reference)
        text_name(text, '@', attr->reference);
    else if (attr->type == ATTR_FLOAT)
        text_printf(text, "%a", (double)attr->f);
    else if (attr->type == ATTR_INT)
        text_printf(text, "%lld", (long long)attr->i);
    else if (attr->type == ATTR_STRING)
        text_span(text, attr->s);
    else if (attr_tensor(attr))
        text_printf(text, "%s", tensor_digest(text->arena, attr->tensor));
    else if (attr_graph(attr))
        text_graph(text, attr->graph);
    else if (attr->type == ATTR_FLOATS || attr->type == ATTR_INTS ||
             attr->type == ATTR_STRINGS || attr->type == ATTR_GRAPHS)
        text_attr_list(text, attr);
    else
        text_span(text, attr->source);
}

bool attrs_agree(Arena *arena, const Attr *a, const Attr *b)
{
    Text x = {.arena = arena}, y = {.arena = arena};
    text_attr(&x, a);
    text_attr(&y, b);
    return strcmp(x.bytes, y.bytes) == 0;
}

static int by_name(const void *a, const void *b)
{
    const Attr *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

const Attr **attrs_sorted(Arena *arena, const Node *node)
{
    size_t count = (size_t)node->attr_count;
    const Attr **sorted = arena_array(arena, count + 1, sizeof *sorted);
    for (size_t i = 0; i < count; i++)
        sorted[i] = &node->attrs[i];
    if (count > 1)
        qsort(sorted, count, sizeof *sorted, by_name);
    return sorted;
}

const char *node_attributes(Arena *arena, const Node *node)
{
    Text text = {.arena = arena};
    const Attr **sorted = attrs_sorted(arena, node);
    text_name(&text, ' ', node->domain);
    text_name(&text, ' ', node->op_type);
    for (int i = 0; i < node->attr_count; i++)
        text_attr(&text, sorted[i]);
    return text.bytes;
}

/* ---- Elements ---- */

static bool shapes_agree(const Tensor *a, const Tensor *b)
{
    return a->type == b->type && a->rank == b->rank &&
           memcmp(a->dims, b->dims, (size_t)a->rank * sizeof *a->dims) == 0;
}

/* Clears *same, and raises *away to the largest difference; NaN against a
 * number is infinitely far. */
static void compare_piece(const Tensor *a, const Tensor *b, int64_t first,
                          int64_t count, double *away)
{
    double x[PIECE], y[PIECE];
    tensor_read_f64(a, first, count, x);
    tensor_read_f64(b, first, count, y);
    for (int64_t i = 0; i < count; i++) {
        double apart = fabs(x[i] - y[i]);
        if (x[i] == y[i] || (isnan(x[i]) && isnan(y[i])))
            continue;
        *away = isnan(apart) ? HUGE_VAL : fmax(*away, apart);
    }
}

/* The largest difference of two tensors; NaN where they cannot be compared. */
static double tensors_apart(const Tensor *a, const Tensor *b, bool *same)
{
    uint8_t x[PIECE * ELEMENT_MAX], y[PIECE * ELEMENT_MAX];
    size_t size = dtype_size(a->type);
    double away = 0;
    *same = false;
    if (!shapes_agree(a, b))
        return (double)NAN;
    if (size == 0 || !tensor_is_readable(a) || !tensor_is_readable(b)) {
        Span left = tensor_bytes(a), right = tensor_bytes(b);
        *same = left.bytes && right.bytes && span_same(left, right);
        return *same ? 0 : (double)NAN;
    }
    *same = true;
    for (int64_t done = 0; done < a->count; done += PIECE) {
        int64_t now = a->count - done < PIECE ? a->count - done : PIECE;
        tensor_read_stored(a, done, now, x);
        tensor_read_stored(b, done, now, y);
        if (memcmp(x, y, (size_t)now * size) == 0)
            continue;
        *same = false;
        compare_piece(a, b, done, now, &away);
    }
    return away;
}

/* ---- Which is which ---- */

typedef struct Weights {
    Differ *differ;
    Map *of_a;  /* by the names of a: what b has for it, or itself */
    Map *named; /* initializers of b that an entry names */
} Weights;

static bool is_weight(const Value *value)
{
    return value && value->is_initializer && value->tensor;
}

static void entry_add(Weights *weights, const Value *a, const Value *b,
                      rp_change change, double difference)
{
    Differ *differ = weights->differ;
    differ->initializers = arena_grow(
        differ->arena, differ->initializers, &differ->initializer_capacity,
        differ->initializer_count + 1, sizeof *differ->initializers);
    differ->initializers[differ->initializer_count++] = (rp_name_match){
        change, a ? a->name : NULL, b ? b->name : NULL, difference};
    if (a)
        map_put(weights->of_a, a->name, (void *)(uintptr_t)(b ? b : a));
    if (b)
        map_put(weights->named, b->name, (void *)(uintptr_t)b);
}

static void entry_compare(Weights *weights, const Value *a, const Value *b)
{
    bool same;
    if (!is_weight(a) || !is_weight(b) || map_get(weights->of_a, a->name))
        return;
    double away = tensors_apart(a->tensor, b->tensor, &same);
    rp_change change = !same                           ? RP_CHANGED
                       : strcmp(a->name, b->name) == 0 ? RP_SAME
                                                       : RP_RENAMED;
    entry_add(weights, a, b, change, away);
}

bool weights_agree(const Node *a, const Node *b)
{
    for (int i = 0; i < a->input_count; i++) {
        const Value *x = a->inputs[i], *y = node_input(b, i);
        bool same = true;
        if (is_weight(x) && is_weight(y))
            tensors_apart(x->tensor, y->tensor, &same);
        if (!same || is_weight(x) != is_weight(y))
            return false;
    }
    return true;
}

/* Partners read the same kind of weight in the same slot. */
static void weights_of_partners(Weights *weights)
{
    const Differ *differ = weights->differ;
    for (size_t i = 0; i < differ->match_count; i++) {
        const rp_node_match *match = &differ->matches[i];
        if (match->change != RP_SAME && match->change != RP_RENAMED &&
            match->change != RP_CHANGED)
            continue;
        const Node *a = differ->a.graph->nodes[match->a];
        const Node *b = differ->b.graph->nodes[match->b];
        for (int k = 0; k < a->input_count && a->op == b->op; k++)
            if (is_weight(a->inputs[k]) && is_weight(node_input(b, k)) &&
                shapes_agree(a->inputs[k]->tensor, b->inputs[k]->tensor))
                entry_compare(weights, a->inputs[k], b->inputs[k]);
    }
}

/* What both models hold under one name. */
static void weights_by_name(Weights *weights)
{
    const Differ *differ = weights->differ;
    Map *others = map_new(differ->arena);
    const Graph *a = differ->a.graph, *b = differ->b.graph;
    for (size_t i = 0; i < b->initializer_count; i++)
        map_put(others, b->initializers[i]->name, b->initializers[i]);
    for (size_t i = 0; i < a->initializer_count; i++)
        entry_compare(weights, a->initializers[i],
                      map_get(others, a->initializers[i]->name));
}

/* What both hold, whatever it is called. */
static void weights_by_content(Weights *weights)
{
    const Differ *differ = weights->differ;
    Map *others = map_new(differ->arena);
    const Graph *a = differ->a.graph, *b = differ->b.graph;
    for (size_t i = 0; i < b->initializer_count; i++) {
        Value *value = b->initializers[i];
        if (is_weight(value) && !map_get(weights->named, value->name))
            map_put(others, tensor_digest(differ->arena, value->tensor), value);
    }
    for (size_t i = 0; i < a->initializer_count; i++) {
        const Value *value = a->initializers[i];
        if (is_weight(value) && !map_get(weights->of_a, value->name))
            entry_compare(
                weights, value,
                map_get(others, tensor_digest(differ->arena, value->tensor)));
    }
}

/* The first weight that the node reads. */
static const Value *weight_of(const Node *node)
{
    for (int i = 0; i < node->input_count; i++)
        if (is_weight(node->inputs[i]))
            return node->inputs[i];
    return NULL;
}

static void weights_of_merged(Weights *weights)
{
    const Differ *differ = weights->differ;
    for (size_t i = 0; i < differ->match_count; i++) {
        const rp_node_match *match = &differ->matches[i];
        if (match->change != RP_MERGED)
            continue;
        const Node *a = differ->a.graph->nodes[match->a];
        const Value *into = weight_of(differ->b.graph->nodes[match->b]);
        for (int k = 0; k < a->input_count; k++)
            if (into && is_weight(a->inputs[k]) &&
                !map_get(weights->of_a, a->inputs[k]->name))
                entry_add(weights, a->inputs[k], into, RP_MERGED, (double)NAN);
    }
}

static void weights_of_one(Weights *weights)
{
    const Graph *a = weights->differ->a.graph, *b = weights->differ->b.graph;
    for (size_t i = 0; i < a->initializer_count; i++)
        if (is_weight(a->initializers[i]) &&
            !map_get(weights->of_a, a->initializers[i]->name))
            entry_add(weights, a->initializers[i], NULL, RP_GONE, (double)NAN);
    for (size_t i = 0; i < b->initializer_count; i++)
        if (is_weight(b->initializers[i]) &&
            !map_get(weights->named, b->initializers[i]->name))
            entry_add(weights, NULL, b->initializers[i], RP_NEW, (double)NAN);
}

static const char *weight_detail(Arena *arena, int input, const Value *a,
                                 const Value *b)
{
    Text text = {.arena = arena};
    text_printf(&text, "input %d ", input);
    text_escaped(&text, a->name);
    text_printf(&text, " -> ");
    text_escaped(&text, b->name);
    return text.bytes;
}

/* A weight is compared with one of b. Partners that read another one in its
 * place, with other elements, are not the same. */
static void partners_check(const Weights *weights)
{
    const Differ *differ = weights->differ;
    for (size_t i = 0; i < differ->match_count; i++) {
        rp_node_match *match = &differ->matches[i];
        if (match->change != RP_SAME && match->change != RP_RENAMED)
            continue;
        const Node *a = differ->a.graph->nodes[match->a];
        const Node *b = differ->b.graph->nodes[match->b];
        for (int k = 0; k < a->input_count; k++) {
            const Value *own = a->inputs[k], *other = node_input(b, k);
            bool same = true;
            if (is_weight(own) && is_weight(other) &&
                map_get(weights->of_a, own->name) != other)
                tensors_apart(own->tensor, other->tensor, &same);
            if (same)
                continue;
            match->change = RP_CHANGED;
            match->detail = weight_detail(differ->arena, k, own, other);
        }
    }
}

void diff_initializers(Differ *differ)
{
    Weights weights = {.differ = differ,
                       .of_a = map_new(differ->arena),
                       .named = map_new(differ->arena)};
    weights_of_partners(&weights);
    weights_by_name(&weights);
    weights_by_content(&weights);
    weights_of_merged(&weights);
    weights_of_one(&weights);
    partners_check(&weights);
}
