#include "graph/dump.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

void text_printf(Text *text, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length >= 0) {
        size_t need = text->length + (size_t)length + 1;
        text->bytes =
            arena_grow(text->arena, text->bytes, &text->capacity, need, 1);
        vsnprintf(text->bytes + text->length, (size_t)length + 1, format,
                  again);
        text->length += (size_t)length;
    }
    va_end(again);
}

/* C1 controls, U+0080 to U+009F, drive terminals as well. */
static bool is_control(const char *text)
{
    unsigned char first = (unsigned char)text[0];
    return first < 0x20 || first == 0x7f ||
           (first == 0xc2 && (unsigned char)text[1] < 0xa0);
}

void text_escaped(Text *text, const char *string)
{
    size_t left = strlen(string), clean = 0;
    while (clean < left) {
        size_t length = utf8_sequence(string + clean, left - clean);
        if (length > 0 && !is_control(string + clean)) {
            clean += length;
            continue;
        }
        text_printf(text, "%.*s\\x%02x", (int)clean, string,
                    (unsigned char)string[clean]);
        string += clean + 1;
        left -= clean + 1;
        clean = 0;
    }
    text_printf(text, "%s", string);
}

/* Quoted, escaped, and cut when it is too long to read. */
static void text_name(Text *text, const char *name)
{
    enum { SHOWN = 120 };
    size_t shown = utf8_cut(name, SHOWN);
    text_printf(text, "\"");
    text_escaped(text, arena_strndup(text->arena, name, shown));
    text_printf(text, name[shown] ? "...\"" : "\"");
}

const char *name_text(Arena *arena, const char *name)
{
    Text text = {.arena = arena};
    text_name(&text, name);
    return text.bytes;
}

/* Of an operator's name: the longest have two dozen letters. */
enum { TYPE_SHOWN = 80 };

const char *node_text(Arena *arena, const Node *node)
{
    Text text = {.arena = arena};
    size_t shown = utf8_cut(node->op_type, TYPE_SHOWN);
    text_escaped(&text, arena_strndup(arena, node->op_type, shown));
    if (node->name[0]) {
        text_printf(&text, " node ");
        text_name(&text, node->name);
    } else if (node_output(node, 0)) {
        text_printf(&text, " node producing ");
        text_name(&text, node->outputs[0]->name);
    } else {
        text_printf(&text, " node without a name");
    }
    return text.bytes;
}

void text_fact(Text *text, const Symbols *symbols, const Fact *fact)
{
    text_printf(text, "%s",
                fact->type == DT_UNDEFINED ? "?" : dtype_name(fact->type));
    if (fact->rank < 0)
        return;
    text_printf(text, "[");
    for (int i = 0; i < fact->rank; i++) {
        text_printf(text, "%s", i > 0 ? "," : "");
        text_escaped(text, dim_text(text->arena, symbols, fact->dims[i]));
    }
    text_printf(text, "]");
}

/* ---- Text ---- */

/* Longer lists of an attribute are cut. */
enum { LIST_SHOWN = 8 };

static void put_indent(Text *text, int depth)
{
    text_printf(text, "%*s", 2 * depth, "");
}

/* "name type[dims]" */
static void put_value(Text *text, const Graph *graph, const Value *value)
{
    if (!value) {
        text_printf(text, "-");
        return;
    }
    text_escaped(text, value->name);
    text_printf(text, " ");
    text_fact(text, graph->model->symbols, &value->fact);
}

static void put_span(Text *text, Span span)
{
    size_t shown = span.size < 64 ? span.size : 64;
    text_printf(text, "\"");
    if (shown > 0)
        text_escaped(
            text, arena_strndup(text->arena, (const char *)span.bytes, shown));
    text_printf(text, shown < span.size ? "...\"" : "\"");
}

static void put_list(Text *text, const Attr *attr)
{
    text_printf(text, "[");
    for (size_t i = 0; i < attr->count && i < LIST_SHOWN; i++) {
        text_printf(text, "%s", i > 0 ? "," : "");
        if (attr->type == ATTR_INTS)
            text_printf(text, "%lld", (long long)attr->ints[i]);
        else if (attr->type == ATTR_FLOATS)
            text_printf(text, "%g", (double)attr->floats[i]);
        else
            put_span(text, attr->strings[i]);
    }
    text_printf(text, attr->count > LIST_SHOWN ? ",...]" : "]");
}

static void put_tensor(Text *text, const Tensor *tensor)
{
    text_printf(text, "%s[", dtype_name(tensor->type));
    for (int i = 0; i < tensor->rank; i++)
        text_printf(text, "%s%lld", i > 0 ? "," : "",
                    (long long)tensor->dims[i]);
    text_printf(text, "]");
}

void text_attr_value(Text *text, const Attr *attr)
{
    if (attr->reference)
        text_escaped(text, attr->reference);
    else if (attr->type == ATTR_INT)
        text_printf(text, "%lld", (long long)attr->i);
    else if (attr->type == ATTR_FLOAT)
        text_printf(text, "%g", (double)attr->f);
    else if (attr->type == ATTR_STRING)
        put_span(text, attr->s);
    else if (attr->type == ATTR_INTS || attr->type == ATTR_FLOATS ||
             attr->type == ATTR_STRINGS)
        put_list(text, attr);
    else if (attr_tensor(attr))
        put_tensor(text, attr->tensor);
    else
        text_printf(text, "...");
}

static void put_attr(Text *text, const Attr *attr)
{
    text_printf(text, " ");
    text_escaped(text, attr->name);
    text_printf(text, "=");
    text_attr_value(text, attr);
}

static void put_graph(Text *text, const Graph *graph, int depth);

static void put_subgraphs(Text *text, const Attr *attr, int depth)
{
    size_t count;
    Graph *const *graphs = attr_graphs(attr, &count);
    for (size_t i = 0; i < count; i++)
        put_graph(text, graphs[i], depth);
}

/* "y float32[1,8] = Relu(x) axis=1 # name" */
static void put_node(Text *text, const Node *node, int depth)
{
    put_indent(text, depth);
    for (int i = 0; i < node->output_count; i++) {
        text_printf(text, "%s", i > 0 ? ", " : "");
        put_value(text, node->graph, node->outputs[i]);
    }
    text_printf(text, " = ");
    if (node->domain[0]) {
        text_escaped(text, node->domain);
        text_printf(text, ".");
    }
    text_escaped(text, node->op_type);
    text_printf(text, "(");
    for (int i = 0; i < node->input_count; i++) {
        text_printf(text, "%s", i > 0 ? ", " : "");
        text_escaped(text, node->inputs[i] ? node->inputs[i]->name : "-");
    }
    text_printf(text, ")");
    for (int i = 0; i < node->attr_count; i++)
        put_attr(text, &node->attrs[i]);
    if (node->name[0]) {
        text_printf(text, " # ");
        text_escaped(text, node->name);
    }
    text_printf(text, "\n");
    for (int i = 0; i < node->attr_count; i++)
        put_subgraphs(text, &node->attrs[i], depth + 1);
}

static void put_values(Text *text, const Graph *graph, const char *what,
                       Value *const *values, size_t count, int depth)
{
    for (size_t i = 0; i < count; i++) {
        put_indent(text, depth);
        text_printf(text, "%s ", what);
        put_value(text, graph, values[i]);
        text_printf(text, "\n");
    }
}

/* Recursion is as deep as subgraphs nest, which the reader bounds. */
static void put_graph(Text *text, const Graph *graph, int depth)
{
    put_indent(text, depth);
    text_printf(text, "graph ");
    text_escaped(text, graph->name);
    text_printf(text, "\n");
    put_values(text, graph, "input", graph->inputs, graph->input_count,
               depth + 1);
    put_values(text, graph, "initializer", graph->initializers,
               graph->initializer_count, depth + 1);
    for (size_t i = 0; i < graph->node_count; i++)
        if (!graph->nodes[i]->removed)
            put_node(text, graph->nodes[i], depth + 1);
    put_values(text, graph, "output", graph->outputs, graph->output_count,
               depth + 1);
}

void graph_dump_text(const Graph *graph, Text *text)
{
    put_graph(text, graph, 0);
}

/* ---- Graphviz ---- */

/* A name inside double quotes. */
static void put_dot_name(Text *text, const char *name)
{
    Text plain = {.arena = text->arena};
    text_escaped(&plain, name);
    for (const char *c = plain.bytes; *c; c++)
        text_printf(text, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
}

/* Edges come from the producing node, or from the value's own box. */
static void put_dot_edge(Text *text, const Graph *graph, const Value *value,
                         const char *to, size_t index)
{
    if (value->producer)
        text_printf(text, "  n%zu -> %s%zu [label=\"", value->producer->index,
                    to, index);
    else {
        text_printf(text, "  \"");
        put_dot_name(text, value->name);
        text_printf(text, "\" -> %s%zu [label=\"", to, index);
    }
    Text fact = {.arena = text->arena};
    text_fact(&fact, graph->model->symbols, &value->fact);
    put_dot_name(text, fact.bytes);
    text_printf(text, "\"];\n");
}

/* Parameters would drown the rest: constants are left out. */
static void put_dot_node(Text *text, const Graph *graph, const Node *node)
{
    text_printf(text, "  n%zu [shape=box,label=\"", node->index);
    put_dot_name(text, node->op_type);
    text_printf(text, "\\n");
    put_dot_name(text, node->name);
    text_printf(text, "\"];\n");
    for (int i = 0; i < node->input_count; i++)
        if (node->inputs[i] && !value_constant(graph, node->inputs[i]))
            put_dot_edge(text, graph, node->inputs[i], "n", node->index);
}

void graph_dump_dot(const Graph *graph, Text *text)
{
    text_printf(text, "digraph \"");
    put_dot_name(text, graph->name);
    text_printf(text, "\" {\n");
    for (size_t i = 0; i < graph->node_count; i++)
        if (!graph->nodes[i]->removed)
            put_dot_node(text, graph, graph->nodes[i]);
    for (size_t i = 0; i < graph->output_count; i++) {
        text_printf(text, "  out%zu [label=\"", i);
        put_dot_name(text, graph->outputs[i]->name);
        text_printf(text, "\"];\n");
        put_dot_edge(text, graph, graph->outputs[i], "out", i);
    }
    text_printf(text, "}\n");
}
