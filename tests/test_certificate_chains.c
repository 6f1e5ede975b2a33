/*
 * Certificates of random chains, see chains.h. Most pairs are the same nearly
 * everywhere, and many everywhere: what has a certificate must give the same
 * numbers.
 */
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "chains.h"
#include "exec/exec.h"
#include "graph/dump.h"
#include "judge/certify.h"
#include "suites.h"

enum { SEEDS = 100, SIZES = 3 };

/* ---- Running both ---- */

static Array *plan_run(Arena *arena, const Model *model, const Plan *plan,
                       int size)
{
    int64_t dims[4] = {1, plan->channels, 4, 4};
    if (plan->channels == 1) {
        dims[2] = plan->is_sized ? 9 : 14 + 3 * size;
        dims[3] = plan->is_sized ? 9 : 15 + size % 2;
    }
    Array *output, *input = array_new(arena, DT_FLOAT, 4, dims, PRECISION_F64);
    for (int64_t i = 0; i < input->count; i++)
        ((double *)input->data)[i] =
            6 * random_unit((uint64_t)size + 1, (uint64_t)i) - 3;
    ExecOptions options = {.precision = PRECISION_F64};
    Exec *exec;
    Err err = {0};
    return exec_new(arena, model->graph, &options, &exec, &err) == 0 &&
                   exec_run(exec, arena, &input, &output, &err) == 0
               ? output
               : NULL;
}

static bool arrays_agree(const Array *a, const Array *b)
{
    if (a->rank != b->rank || a->count != b->count ||
        memcmp(a->dims, b->dims, (size_t)a->rank * sizeof *a->dims) != 0)
        return false;
    for (int64_t i = 0; i < a->count; i++)
        if (!(fabs(((const double *)a->data)[i] -
                   ((const double *)b->data)[i]) < 1e-5))
            return false;
    return true;
}

/* Where the first model runs, the second one does, to the same numbers. */
static bool models_agree(Arena *arena, Model *const *models, const Plan *plan)
{
    for (int size = 0; size < SIZES; size++) {
        const Array *a = plan_run(arena, models[0], plan, size);
        const Array *b = a ? plan_run(arena, models[1], plan, size) : NULL;
        if (a && (!b || !arrays_agree(a, b)))
            return false;
    }
    return true;
}

static const char *models_text(Arena *arena, Model *const *models)
{
    Text text = {.arena = arena};
    graph_dump_text(models[0]->graph, &text);
    graph_dump_text(models[1]->graph, &text);
    return text.bytes;
}

/* Whether the pair has a certificate; -1 where one of them is no model. */
static int seed_check(uint64_t seed, int64_t channels)
{
    Arena *arena = arena_new(0);
    Model *models[2];
    rp_certificates_info info = {0};
    rp_certify_options options = {.threads = 1};
    Err err = {0};
    plan_draw(seed);
    Plan first = plan_random(channels), second = first;
    for (int times = 1 + plan_pick(2); times > 0; times--)
        plan_merge(&second);
    if (plan_pick(4) == 0)
        plan_change(&second);
    models[0] = plan_model(arena, &first, "y");
    models[1] = plan_model(arena, &second, "z");
    int held = -1;
    if (models[0] && models[1]) {
        ck_assert_msg(certify_models(arena, models[0], models[1], &options,
                                     &info, &err) == 0,
                      "seed %d: %s", (int)seed, err.message);
        ck_assert_msg(!info.hold || models_agree(arena, models, &first),
                      "seed %d: what is certified differs:\n%s", (int)seed,
                      models_text(arena, models));
        held = info.hold;
    }
    arena_free(arena);
    return held;
}

/* There must be enough of both kinds for this to say anything. */
static void seeds_check(int first, int64_t channels)
{
    int held = 0, refused = 0;
    for (int i = 0; i < SEEDS; i++) {
        int result = seed_check((uint64_t)(first * SEEDS + i), channels);
        held += result == 1;
        refused += result == 0;
    }
    ck_assert_int_gt(held, SEEDS / 10);
    ck_assert_int_gt(refused, SEEDS / 10);
}

START_TEST(images_that_are_certified_are_the_same)
{
    seeds_check(_i, 1);
}
END_TEST

START_TEST(channels_that_are_certified_are_the_same)
{
    seeds_check(_i, CHANNELS);
}
END_TEST

Suite *suite_certificate_chains(void)
{
    enum { IMAGES = 12, OTHERS = 6 };
    Suite *suite = suite_create("certificate_chains");
    TCase *tcase = tcase_create("certificate_chains");
    tcase_add_loop_test(tcase, images_that_are_certified_are_the_same, 0,
                        IMAGES);
    tcase_add_loop_test(tcase, channels_that_are_certified_are_the_same, 0,
                        OTHERS);
    suite_add_tcase(suite, tcase);
    return suite;
}
