/* Dumps: one line a node, the same every time, nothing unescaped. */
#include <string.h>

#include "graph/dump.h"
#include "suites.h"

static Arena *arena;
static Graph *graph;
static Text text;

static void setup(void)
{
    arena = arena_new(0);
    Model *model = model_new(arena);
    graph = model->graph = graph_new(model, NULL);
    graph->name = "main";
    text = (Text){.arena = arena};
}

static void teardown(void)
{
    arena_free(arena);
}

static void set_fact(Value *value, DType type, int rank, const Dim *dims)
{
    fact_set(arena, &value->fact, type, rank, dims);
}

/* y = Conv(x, w, no bias), with some attributes. */
static void build(void)
{
    Dim n = dim_named(graph->model->symbols, "N");
    void *data;
    Value *x = graph_value(graph, "x"), *y = graph_value(graph, "y");
    graph_add_input(graph, x);
    Value *w = graph_add_initializer(
        graph, "w",
        tensor_alloc(arena, DT_FLOAT, 3, (int64_t[]){4, 2, 1}, &data));
    set_fact(x, DT_FLOAT, 3, (Dim[]){n, 2, 8});
    set_fact(y, DT_FLOAT, 3, (Dim[]){n, 4, 8});
    Node *node =
        node_new(graph, OP_Conv, "stem", (Value *[]){x, w, NULL}, 3, &y, 1);
    node_set_int(node, "group", 1);
    node_set_ints(node, "pads", (int64_t[]){0, 0}, 2);
    node_set_string(node, "auto_pad", "NOTSET");
    graph_add_node(graph, node);
    graph_add_output(graph, y);
    graph_fill_uses(graph);
}

START_TEST(text_has_one_line_a_node)
{
    build();
    graph_dump_text(graph, &text);
    ck_assert_str_eq(text.bytes,
                     "graph main\n"
                     "  input x float32[N,2,8]\n"
                     "  initializer w float32[4,2,1]\n"
                     "  y float32[N,4,8] = Conv(x, w, -) group=1 pads=[0,0] "
                     "auto_pad=\"NOTSET\" # stem\n"
                     "  output y float32[N,4,8]\n");
}
END_TEST

START_TEST(graphviz_has_nodes_and_edges)
{
    build();
    graph_dump_dot(graph, &text);
    ck_assert_str_eq(text.bytes, "digraph \"main\" {\n"
                                 "  n0 [shape=box,label=\"Conv\\nstem\"];\n"
                                 "  \"x\" -> n0 [label=\"float32[N,2,8]\"];\n"
                                 "  out0 [label=\"y\"];\n"
                                 "  n0 -> out0 [label=\"float32[N,4,8]\"];\n"
                                 "}\n");
}
END_TEST

START_TEST(dumping_changes_nothing)
{
    build();
    Text again = {.arena = arena};
    graph_dump_text(graph, &text);
    graph_dump_dot(graph, &(Text){.arena = arena});
    graph_dump_text(graph, &again);
    ck_assert_str_eq(text.bytes, again.bytes);
    ck_assert(!graph->nodes[0]->edited);
}
END_TEST

START_TEST(a_subgraph_is_indented_below_its_node)
{
    Graph *branch = graph_new(graph->model, graph);
    branch->name = "then";
    Value *inside = graph_value(branch, "inside");
    graph_add_node(branch,
                   node_new(branch, OP_Constant, "", NULL, 0, &inside, 1));
    graph_add_output(branch, inside);
    Value *x = graph_value(graph, "x"), *y = graph_value(graph, "y");
    graph_add_input(graph, x);
    Node *node = node_new(graph, OP_If, "", &x, 1, &y, 1);
    node->attrs = arena_alloc(arena, sizeof(Attr));
    node->attrs[0] = (Attr){"then_branch", .type = ATTR_GRAPH, .graph = branch};
    node->attr_count = 1;
    graph_add_node(graph, node);
    graph_dump_text(graph, &text);
    ck_assert_str_eq(text.bytes, "graph main\n"
                                 "  input x ?\n"
                                 "  y ? = If(x) then_branch=...\n"
                                 "    graph then\n"
                                 "      inside ? = Constant()\n"
                                 "      output inside ?\n");
}
END_TEST

START_TEST(long_lists_are_cut)
{
    int64_t many[20] = {0};
    Value *y = graph_value(graph, "y");
    Node *node = node_new(graph, OP_Constant, "", NULL, 0, &y, 1);
    node_set_ints(node, "value_ints", many, 20);
    graph_add_node(graph, node);
    graph_dump_text(graph, &text);
    ck_assert_ptr_nonnull(
        strstr(text.bytes, "value_ints=[0,0,0,0,0,0,0,0,...]"));
}
END_TEST

START_TEST(names_for_a_terminal_are_escaped)
{
    static const struct {
        const char *raw, *escaped;
    } rows[] = {
        {"plain/name_1", "plain/name_1"},
        {"", ""},
        {"a\tb\nc\x7f", "a\\x09b\\x0ac\\x7f"},
        {"\x1b[2J", "\\x1b[2J"},
        {"gr\xc3\xbc\xc3\x9f"
         "e \xe2\x82\xac \xf0\x9f\x98\x80",
         "gr\xc3\xbc\xc3\x9f"
         "e \xe2\x82\xac \xf0\x9f\x98\x80"},
        {"\xc2\x9b"
         "31m",
         "\\xc2\\x9b31m"},                            /* C1 control */
        {"\xc0\xaf", "\\xc0\\xaf"},                   /* overlong */
        {"\xe0\x80\xaf", "\\xe0\\x80\\xaf"},          /* overlong */
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},          /* surrogate */
        {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* beyond U+10FFFF */
        {"\xe2\x82", "\\xe2\\x82"},                   /* cut short */
        {"\xff", "\\xff"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Text out = {.arena = arena};
        text_escaped(&out, rows[i].raw);
        ck_assert_str_eq(out.bytes, rows[i].escaped);
    }
}
END_TEST

START_TEST(graphviz_names_are_quoted)
{
    Value *x = graph_value(graph, "a\"b\\c");
    graph_add_input(graph, x);
    graph_add_output(graph, x);
    graph_dump_dot(graph, &text);
    ck_assert_ptr_nonnull(strstr(text.bytes, "\"a\\\"b\\\\c\" -> out0"));
}
END_TEST

START_TEST(a_node_is_named_by_what_it_has)
{
    Value *y = graph_value(graph, "y");
    Node *named = node_new(graph, OP_Conv, "stem", NULL, 0, &y, 1);
    Node *nameless = node_new(graph, OP_Conv, "", NULL, 0, &y, 1);
    Node *neither = node_new(graph, OP_Conv, "", NULL, 0, NULL, 0);
    ck_assert_str_eq(node_text(arena, named), "Conv node \"stem\"");
    ck_assert_str_eq(node_text(arena, nameless), "Conv node producing \"y\"");
    ck_assert_str_eq(node_text(arena, neither), "Conv node without a name");
}
END_TEST

Suite *suite_dump(void)
{
    Suite *suite = suite_create("dump");
    TCase *tcase = tcase_create("dump");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, text_has_one_line_a_node);
    tcase_add_test(tcase, graphviz_has_nodes_and_edges);
    tcase_add_test(tcase, dumping_changes_nothing);
    tcase_add_test(tcase, a_subgraph_is_indented_below_its_node);
    tcase_add_test(tcase, long_lists_are_cut);
    tcase_add_test(tcase, names_for_a_terminal_are_escaped);
    tcase_add_test(tcase, graphviz_names_are_quoted);
    tcase_add_test(tcase, a_node_is_named_by_what_it_has);
    suite_add_tcase(suite, tcase);
    return suite;
}
