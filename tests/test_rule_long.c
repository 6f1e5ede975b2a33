/*
 * Chains that are longer than what one certificate covers: as much of them
 * folds as can be certified.
 */
#include <string.h>

#include "blocks.h"
#include "fold/emit.h"
#include "judge/certify.h"
#include "suites.h"

enum { SCALES = NODES_MAX + 1000 };

/* Shapes are found once, for to find them after each node takes too long. */
static void build_scales(Bench *b)
{
    Value *x = bench_conv(b, bench_image(b, 1, 2), SAME(1));
    Value *scales[2] = {bench_numbers(b, 0, NULL, (double[]){2}),
                        bench_numbers(b, 0, NULL, (double[]){0.5})};
    for (int i = 0; i < SCALES; i++) {
        Value *inputs[2] = {x, scales[i % 2]};
        x = graph_fresh_value(b->graph, "y");
        graph_add_node(b->graph,
                       node_new(b->graph, OP_Mul, "scale", inputs, 2, &x, 1));
    }
    Err err = {0};
    ck_assert_int_eq(graph_infer(b->graph, &err), 0);
    bench_output(b, x);
}

static bool is_given(const FoldReport *report, const char *reason)
{
    for (size_t i = 0; i < report->refusal_count; i++)
        if (strcmp(report->refusals[i].reason, reason) == 0)
            return true;
    return false;
}

START_TEST(a_chain_folds_as_far_as_it_can_be_certified)
{
    Folded folded = fold_exactly(build_scales);
    rp_certificates_info info;
    rp_certify_options options = {.threads = 1};
    Err err = {0};
    ck_assert_uint_eq(folded.report.fold_count, 1);
    ck_assert_uint_eq(folded.report.folds[0].consumed_count, NODES_MAX);
    ck_assert_uint_eq(count_ops(folded.after, OP_Mul), SCALES + 1 - NODES_MAX);
    ck_assert(is_given(&folded.report, "too-long"));
    ck_assert_int_eq(certify_models(folded.arena, folded.before, folded.after,
                                    &options, &info, &err),
                     0);
    ck_assert_msg(info.hold, "%s", info.why);
    folded_free(&folded);
}
END_TEST

Suite *suite_rule_long(void)
{
    Suite *suite = suite_create("rule_long");
    TCase *tcase = tcase_create("rule_long");
    tcase_add_test(tcase, a_chain_folds_as_far_as_it_can_be_certified);
    suite_add_tcase(suite, tcase);
    return suite;
}
