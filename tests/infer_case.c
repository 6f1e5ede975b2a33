#include "infer_case.h"

#include <check.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "graph/dump.h"

enum { ITEMS_MAX = 512 };

typedef struct Parser {
    Arena *arena;
    const char *next;
    Graph *graph;
    Value *inputs[CASE_INPUTS];
    const Fact *facts[CASE_INPUTS];
    const Tensor *tensors[CASE_INPUTS];
    int input_count;
} Parser;

static bool take(Parser *parser, const char *text)
{
    while (*parser->next == ' ')
        parser->next++;
    if (strncmp(parser->next, text, strlen(text)) != 0)
        return false;
    parser->next += strlen(text);
    return true;
}

static void expect(Parser *parser, const char *text)
{
    ck_assert_msg(take(parser, text), "expected %s at: %s", text, parser->next);
}

static char *word(Parser *parser)
{
    size_t length = 0;
    while (*parser->next == ' ')
        parser->next++;
    while (isalnum((unsigned char)parser->next[length]) ||
           parser->next[length] == '_')
        length++;
    char *text = arena_strndup(parser->arena, parser->next, length);
    parser->next += length;
    return text;
}

static DType type_of(Parser *parser)
{
    static const struct {
        const char *name;
        DType type;
    } types[] = {{"f32", DT_FLOAT},  {"f64", DT_DOUBLE},    {"f16", DT_FLOAT16},
                 {"i64", DT_INT64},  {"i32", DT_INT32},     {"bool", DT_BOOL},
                 {"str", DT_STRING}, {"u8", DT_UINT8},      {"i8", DT_INT8},
                 {"u64", DT_UINT64}, {"bf16", DT_BFLOAT16}, {"i16", DT_INT16},
                 {"u16", DT_UINT16}, {"u32", DT_UINT32}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (take(parser, types[i].name))
            return types[i].type;
    ck_abort_msg("no type at: %s", parser->next);
    return DT_UNDEFINED;
}

static Dim dim(Parser *parser)
{
    Symbols *symbols = parser->graph->model->symbols;
    char *end;
    if (take(parser, "?"))
        return dim_size_unknown(symbols);
    long long number = strtoll(parser->next, &end, 0);
    if (end == parser->next)
        return dim_named(symbols, word(parser));
    parser->next = end;
    return dim_number(symbols, number);
}

static int dims(Parser *parser, const char *close, Dim *out)
{
    int count = 0;
    while (!take(parser, close)) {
        ck_assert_int_lt(count, ITEMS_MAX);
        out[count++] = dim(parser);
        take(parser, ",");
    }
    return count;
}

static int reals(Parser *parser, const char *close, double *out)
{
    int count = 0;
    while (!take(parser, close)) {
        char *end;
        out[count] = strtod(parser->next, &end);
        ck_assert_msg(end > parser->next, "no number at: %s", parser->next);
        parser->next = end;
        count++;
        take(parser, ",");
    }
    return count;
}

/* Elements: followed by the fact if integers, else a known tensor. */
static void elements(Parser *parser, Fact *fact)
{
    int slot = parser->input_count;
    int64_t count;
    if (dtype_is_integer(fact->type)) {
        Dim *items = arena_array(parser->arena, ITEMS_MAX, sizeof *items);
        fact->int_count = dims(parser, "}", items);
        fact->ints = items;
        count = fact->int_count;
    } else {
        double values[ITEMS_MAX];
        void *data;
        count = reals(parser, "}", values);
        Tensor *tensor =
            tensor_alloc(parser->arena, fact->type, 1, &count, &data);
        tensor_store_f64(fact->type, values, count, data);
        parser->tensors[slot] = tensor;
    }
    if (fact->rank < 0) {
        fact_set(parser->arena, fact, fact->type, 1, &count);
    }
}

static void input(Parser *parser)
{
    int slot = parser->input_count;
    ck_assert_int_lt(slot, CASE_INPUTS);
    if (take(parser, "-")) {
        parser->input_count++;
        return;
    }
    Fact *fact = arena_alloc(parser->arena, sizeof *fact);
    *fact = FACT_UNKNOWN;
    parser->facts[slot] = fact;
    parser->inputs[slot] = graph_fresh_value(parser->graph, "in");
    if (!take(parser, "?")) {
        fact->type = type_of(parser);
        if (take(parser, "[")) {
            Dim *sizes = arena_array(parser->arena, RANK_MAX, sizeof *sizes);
            fact->rank = dims(parser, "]", sizes);
            fact->dims = sizes;
        }
        if (take(parser, "{"))
            elements(parser, fact);
    }
    parser->input_count++;
}

static void list_attr(Parser *parser, Node *node, const char *name)
{
    double values[ITEMS_MAX];
    int64_t ints[ITEMS_MAX];
    bool real = memchr(parser->next, '.', strcspn(parser->next, "]")) != NULL;
    Symbols *symbols = parser->graph->model->symbols;
    if (!real) {
        Dim items[ITEMS_MAX];
        int count = dims(parser, "]", items);
        for (int i = 0; i < count; i++)
            ck_assert(dim_is_known(symbols, items[i], &ints[i]));
        node_set_ints(node, name, ints, (size_t)count);
        return;
    }
    int count = reals(parser, "]", values);
    float *floats = arena_array(parser->arena, (size_t)count, sizeof *floats);
    for (int i = 0; i < count; i++)
        floats[i] = (float)values[i];
    node_set_float(node, name, 0);
    Attr *attr = &node->attrs[node->attr_count - 1];
    attr->type = ATTR_FLOATS;
    attr->floats = floats;
    attr->count = (size_t)count;
}

static void strings_attr(Parser *parser, Node *node, const char *name)
{
    Span *items = arena_array(parser->arena, ITEMS_MAX, sizeof *items);
    size_t count = 0;
    while (!take(parser, "]")) {
        expect(parser, "\"");
        size_t length = strcspn(parser->next, "\"");
        ck_assert_uint_lt(count, ITEMS_MAX);
        items[count++] = (Span){(const uint8_t *)parser->next, length};
        parser->next += length + 1;
        take(parser, ",");
    }
    node_set_string(node, name, "");
    Attr *attr = &node->attrs[node->attr_count - 1];
    attr->type = ATTR_STRINGS;
    attr->strings = items;
    attr->count = count;
}

static void string_attr(Parser *parser, Node *node, const char *name)
{
    size_t length = strcspn(parser->next, "\"");
    node_set_string(node, name,
                    arena_strndup(parser->arena, parser->next, length));
    parser->next += length + 1;
}

static void tensor_attr(Parser *parser, Node *node, const char *name)
{
    Dim items[ITEMS_MAX];
    int64_t count = dims(parser, "}", items);
    void *data;
    Tensor *tensor = tensor_alloc(parser->arena, DT_INT64, 1, &count, &data);
    for (int64_t i = 0; i < count; i++)
        ck_assert(dim_is_known(parser->graph->model->symbols, items[i],
                               (int64_t *)data + i));
    node_set_tensor(node, name, tensor);
}

static void attribute(Parser *parser, Node *node)
{
    const char *name = word(parser);
    expect(parser, "=");
    if (take(parser, "[") && *parser->next == '"')
        strings_attr(parser, node, name);
    else if (parser->next[-1] == '[')
        list_attr(parser, node, name);
    else if (take(parser, "\""))
        string_attr(parser, node, name);
    else if (take(parser, "{"))
        tensor_attr(parser, node, name);
    else {
        char *end;
        long long number = strtoll(parser->next, &end, 0);
        if (*end == '.')
            node_set_float(node, name, strtof(parser->next, &end));
        else
            node_set_int(node, name, number);
        parser->next = end;
    }
}

/* Opaque where its opset does not have it, as the reader has it. */
static Node *node_of(Parser *parser, int64_t *opset)
{
    Value *outputs[CASE_OUTPUTS];
    char *name = word(parser);
    Op op = op_find(name);
    ck_assert_msg(op != OP_OTHER, "no operator %s", name);
    expect(parser, "(");
    while (!take(parser, ")")) {
        input(parser);
        take(parser, ",");
    }
    for (int i = 0; i < CASE_OUTPUTS; i++)
        outputs[i] = graph_fresh_value(parser->graph, "out");
    Node *node = node_new(parser->graph, op, "n", parser->inputs,
                          parser->input_count, outputs, 1);
    int count = 1;
    while (*parser->next) {
        if (take(parser, "->"))
            count = (int)dim(parser);
        else if (take(parser, "@"))
            *opset = dim(parser);
        else
            attribute(parser, node);
    }
    ck_assert_int_le(count, CASE_OUTPUTS);
    if (!op_exists(op, *opset))
        op = OP_OTHER;
    Node *whole = node_new(parser->graph, op, "n", parser->inputs,
                           parser->input_count, outputs, count);
    whole->op_type = name;
    whole->attrs = node->attrs;
    whole->attr_count = node->attr_count;
    return whole;
}

/* Unknown dims are "?": their numbers only tell them apart. */
static void put_output(Text *text, const Symbols *symbols, const Fact *fact)
{
    Text plain = {.arena = text->arena};
    text_fact(&plain, symbols, fact);
    for (int i = 0; i < fact->int_count; i++)
        text_printf(&plain, "%s%s", i ? "," : "{",
                    dim_text(text->arena, symbols, fact->ints[i]));
    if (fact->int_count >= 0)
        text_printf(&plain, fact->int_count ? "}" : "{}");
    for (const char *c = plain.bytes; *c; c++) {
        text_printf(text, "%c", *c);
        while (*c == '?' && isdigit((unsigned char)c[1]))
            memmove((char *)c + 1, c + 2, strlen(c + 1));
    }
}

void case_node(Arena *arena, const char *line, CaseNode *out)
{
    Parser parser = {.arena = arena, .next = line};
    parser.graph = graph_new(model_new(arena), NULL);
    *out = (CaseNode){.opset = CASE_OPSET};
    out->node = node_of(&parser, &out->opset);
    parser.graph->model->opset = out->opset;
    memcpy(out->facts, parser.facts, sizeof out->facts);
    memcpy(out->tensors, parser.tensors, sizeof out->tensors);
}

const char *infer_case(Arena *arena, const char *line)
{
    CaseNode line_node;
    Fact outputs[CASE_OUTPUTS];
    Err err = {0};
    case_node(arena, line, &line_node);
    Node *node = line_node.node;
    Symbols *symbols = node->graph->model->symbols;
    InferCall call = {.node = node,
                      .opset = line_node.opset,
                      .arena = arena,
                      .symbols = symbols,
                      .inputs = line_node.facts,
                      .tensors = line_node.tensors,
                      .outputs = outputs};
    if (infer_node(&call, &err) < 0) {
        ck_assert_msg(strstr(err.message, "node \"n\"") != NULL, "%s",
                      err.message);
        return err_name(err.code);
    }
    Text text = {.arena = arena};
    for (int i = 0; i < node->output_count; i++) {
        text_printf(&text, "%s", i ? "; " : "");
        put_output(&text, symbols, &outputs[i]);
    }
    return text.bytes;
}

void check_infer_case(const InferCase *row)
{
    Arena *arena = arena_new(0);
    const char *found = infer_case(arena, row->line);
    ck_assert_msg(strcmp(found, row->expect) == 0,
                  "%s\n  gives    %s\n"
                  "  expected %s",
                  row->line, found, row->expect);
    arena_free(arena);
}
