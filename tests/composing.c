#include "composing.h"

#include <string.h>

void check_composes(Build *build, const rp_fold_options *options,
                    const char *rules, size_t convs, size_t nodes)
{
    Folded folded = fold_model(build, options);
    ck_assert_uint_eq(folded.report.fold_count, 1);
    ck_assert_str_eq(folded.report.folds[0].rules, rules);
    ck_assert_double_lt(folded.difference, 1e-13);
    ck_assert_uint_eq(count_ops(folded.after, OP_Conv) +
                          count_ops(folded.after, OP_ConvTranspose),
                      convs);
    ck_assert_uint_eq(folded.after->graph->node_count, nodes);
    folded_free(&folded);
    folded = fold_exactly_with(build, options);
    ck_assert_uint_eq(folded.report.fold_count, 1);
    folded_free(&folded);
}

void check_stays(Build *build, const rp_fold_options *options,
                 const char *reason, const char *fact)
{
    Folded folded = fold_model(build, options);
    ck_assert_uint_eq(folded.report.fold_count, 0);
    ck_assert(!folded.after->graph->changed);
    ck_assert_uint_gt(folded.report.refusal_count, 0);
    ck_assert_str_eq(folded.report.refusals[0].reason, reason);
    ck_assert_msg(strstr(folded.report.refusals[0].fact, fact) != NULL, "%s",
                  folded.report.refusals[0].fact);
    folded_free(&folded);
}

const int64_t *ints_of(const Node *node, const char *name)
{
    const int64_t *values = NULL;
    ck_assert_int_gt(node_ints(node, name, &values), 0);
    return values;
}

Value *bench_concat(Bench *b, Value *const *parts, int count, int axis)
{
    Value *y = graph_fresh_value(b->graph, "joined");
    Node *node = node_new(b->graph, OP_Concat, y->name, parts, count, &y, 1);
    node_set_int(node, "axis", axis);
    graph_add_node(b->graph, node);
    Err err = {0};
    ck_assert_int_eq(graph_infer(b->graph, &err), 0);
    return y;
}

void build_joined_average(Bench *b)
{
    Value *x = bench_image(b, 4, 6);
    Value *parts[2] = {bench_conv(b, x, SAME(3)), bench_conv(b, x, SAME(3))};
    Value *joined = bench_concat(b, parts, 2, 1);
    Value *flat = bench_unary(b, OP_Flatten,
                              bench_unary(b, OP_GlobalAveragePool, joined));
    bench_output(b, bench_binary(b, OP_Sub, flat,
                                 bench_constant(b, 2, (int64_t[]){1, 8})));
}
