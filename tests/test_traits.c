/* How coarse a model's parameters are, and how long its sums. */
#include "suites.h"

#include "judge/traits.h"
#include "net.h"

static Arena *arena;

static void setup(void)
{
    arena = arena_new(0);
}

static void teardown(void)
{
    arena_free(arena);
}

/* x w by an If: all that is stored lies in its branches. */
START_TEST(what_branches_hold_counts)
{
    int64_t dims[2] = {1, 4}, weight[2] = {4, 3};
    double w[12] = {1, 2, 3};
    Net net = toy_new(arena);
    toy_input(&net, "x", DT_FLOAT, 2, dims);
    toy_input(&net, "c", DT_BOOL, 0, NULL);
    Node *node = toy_node(&net, OP_If, "c", "y");
    toy_output(&net, "y", DT_FLOAT);
    Net inner = net;
    inner.graph = graph_new(net.model, net.graph);
    toy_weight(&inner, "w", DT_FLOAT, 2, weight, w);
    toy_node(&inner, OP_MatMul, "x w", "z");
    toy_output(&inner, "z", DT_FLOAT);
    node_set_int(node, "then_branch", 0);
    node_set_int(node, "else_branch", 0);
    for (int i = 0; i < 2; i++) {
        node->attrs[i].type = ATTR_GRAPH;
        node->attrs[i].graph = inner.graph;
    }
    Traits traits = {0x1p-53, 0};
    traits_take(&traits, net.model);
    ck_assert_double_eq(traits.roundoff, 0x1p-24);
    ck_assert_double_eq(traits.longest, 4);
}
END_TEST

START_TEST(empty_weight_makes_no_sum)
{
    int64_t dims[2] = {1, 4}, weight[2] = {4, 0};
    Net net = toy_new(arena);
    toy_input(&net, "x", DT_FLOAT, 2, dims);
    toy_weight(&net, "w", DT_FLOAT, 2, weight, NULL);
    const Node *node = toy_node(&net, OP_MatMul, "x w", "y");
    ck_assert_double_eq(node_sum_length(node), 1);
}
END_TEST

Suite *suite_traits(void)
{
    Suite *suite = suite_create("traits");
    TCase *tc = tcase_create("traits");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, what_branches_hold_counts);
    tcase_add_test(tc, empty_weight_makes_no_sum);
    suite_add_tcase(suite, tc);
    return suite;
}
