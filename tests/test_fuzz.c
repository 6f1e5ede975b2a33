/*
 * A thousand random networks, folded: the outputs stay, bit for bit where the
 * numbers are small integers, and all else that must hold does (fuzz/fuzz.h).
 * `make soak` goes on from there.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "suites.h"

enum { SEEDS = 1000, CHUNK = 50 };

START_TEST(random_networks_fold_right)
{
    char *report = NULL;
    size_t size;
    FILE *file = open_memstream(&report, &size);
    ck_assert_ptr_nonnull(file);
    int failed = 0;
    for (int i = 0; i < CHUNK; i++)
        failed += fuzz_seed((uint64_t)(_i * CHUNK + i + 1), NULL, file) < 0;
    fclose(file);
    ck_assert_msg(failed == 0, "%d of %d seeds fail:\n%s", failed, CHUNK,
                  report);
    free(report);
}
END_TEST

/* Integers that need more than 53 bits; a shape that is known in one model. */
START_TEST(seeds_that_once_failed_hold)
{
    static const uint64_t seeds[] = {222283, 226251};
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++)
        ck_assert_int_eq(fuzz_seed(seeds[i], NULL, stderr), 0);
}
END_TEST

/* Most nodes that can go do, and with integers nearly nothing rounds. */
START_TEST(networks_are_worth_folding)
{
    FuzzCount count = {0};
    for (uint64_t seed = 1; seed <= CHUNK; seed++)
        ck_assert_int_eq(fuzz_seed(seed, &count, stderr), 0);
    ck_assert_uint_eq(count.models, 2 * CHUNK);
    ck_assert_uint_gt(count.exact, CHUNK * 9 / 10);
    ck_assert_uint_gt(count.folds, 2 * CHUNK);
    ck_assert_uint_gt(2 * count.removed, count.upper);
}
END_TEST

/* One bias is off by a 1024th. */
static void tamper(Model *folded)
{
    for (size_t i = 0; i < folded->graph->node_count; i++) {
        const Node *node = folded->graph->nodes[i];
        Value *bias = node->op == OP_Conv ? node_input(node, 2) : NULL;
        if (!bias || !bias->tensor)
            continue;
        Tensor *old = bias->tensor;
        int64_t count = old->count;
        double *values =
            arena_array(folded->arena, (size_t)count, sizeof *values);
        tensor_read_f64(old, 0, count, values);
        values[count - 1] += 0x1p-10;
        void *data;
        bias->tensor = tensor_alloc(folded->arena, old->type, 1, &count, &data);
        tensor_store_f64(old->type, values, count, data);
        return;
    }
}

/* What the outputs are too coarse for, a certificate sees. */
START_TEST(a_planted_fault_is_seen_and_shrunk)
{
    int seen[2] = {0};
    for (uint64_t seed = 1; seed <= 40; seed++) {
        Arena *arena = arena_new(0);
        FuzzModel model = fuzz_generate(arena, seed, true);
        const char *detail;
        model.tamper = tamper;
        const char *fault = fuzz_check(arena, &model, NULL, &detail);
        if (fault) {
            bool certified = strcmp(fault, "a certificate fails") == 0;
            ck_assert(certified || strcmp(fault, "the outputs differ") == 0);
            FuzzModel small = fuzz_shrink(arena, &model);
            ck_assert_uint_lt(small.file.size, model.file.size);
            ck_assert_str_eq(fuzz_check(arena, &small, NULL, &detail), fault);
            seen[certified]++;
        }
        arena_free(arena);
    }
    ck_assert_int_gt(seen[false], 4);
    ck_assert_int_gt(seen[true], 0);
}
END_TEST

Suite *suite_fuzz(void)
{
    Suite *suite = suite_create("fuzz");
    TCase *tcase = tcase_create("fuzz");
    tcase_add_loop_test(tcase, random_networks_fold_right, 0, SEEDS / CHUNK);
    tcase_add_test(tcase, a_planted_fault_is_seen_and_shrunk);
    tcase_add_test(tcase, seeds_that_once_failed_hold);
    tcase_add_test(tcase, networks_are_worth_folding);
    suite_add_tcase(suite, tcase);
    return suite;
}
