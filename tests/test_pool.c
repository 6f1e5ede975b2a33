/* The pool: every index once, in pieces that depend on count and grain alone.
 */
#include <signal.h>
#include <stdatomic.h>

#include "base/pool.h"
#include "suites.h"

enum { COUNT = 1000 };

static Arena *arena;

static void setup(void)
{
    arena = arena_new(0);
}

static void teardown(void)
{
    arena_free(arena);
}

typedef struct Tally {
    atomic_int visits[COUNT];
    atomic_int begins[COUNT]; /* pieces that begin there */
    atomic_int pieces, worst_worker;
} Tally;

static void count_visits(void *context, int worker, int64_t begin, int64_t end)
{
    Tally *tally = context;
    for (int64_t i = begin; i < end; i++)
        tally->visits[i]++;
    tally->begins[begin]++;
    tally->pieces++;
    int worst = tally->worst_worker;
    while (worker > worst &&
           !atomic_compare_exchange_weak(&tally->worst_worker, &worst, worker))
        continue;
}

/* threads, count, grain */
static const int runs[][3] = {{1, 1000, 10},   {1, 1000, 7}, {2, 1000, 10},
                              {2, 1000, 7},    {3, 1000, 1}, {5, 1000, 1000},
                              {4, 1000, 5000}, {3, 1, 1},    {3, 2, 1},
                              {3, 1000, 0}};

START_TEST(every_index_once_in_pieces_of_grain)
{
    int threads = runs[_i][0], count = runs[_i][1];
    int grain = runs[_i][2] > 0 ? runs[_i][2] : 1;
    Tally *tally = arena_alloc(arena, sizeof *tally);
    Pool *pool = pool_new(arena, threads);
    pool_run(pool, count, runs[_i][2], count_visits, tally);
    for (int i = 0; i < COUNT; i++) {
        ck_assert_int_eq(tally->visits[i], i < count);
        ck_assert_int_eq(tally->begins[i], i < count && i % grain == 0);
    }
    ck_assert_int_lt(tally->worst_worker, pool_threads(pool));
}
END_TEST

START_TEST(nothing_to_do_calls_nobody)
{
    Tally *tally = arena_alloc(arena, sizeof *tally);
    pool_run(pool_new(arena, 3), 0, 4, count_visits, tally);
    ck_assert_int_eq(tally->pieces, 0);
}
END_TEST

START_TEST(no_pool_works_alone)
{
    Tally *tally = arena_alloc(arena, sizeof *tally);
    pool_run(NULL, 25, 10, count_visits, tally);
    ck_assert_int_eq(pool_threads(NULL), 1);
    ck_assert_int_eq(tally->pieces, 3);
    ck_assert_int_eq(tally->worst_worker, 0);
}
END_TEST

/* Each run has ended when the next one begins, however late its threads are,
 * and in whichever memory it works. */
START_TEST(a_pool_runs_again_and_again)
{
    Tally *tally[2] = {arena_alloc(arena, sizeof **tally),
                       arena_alloc(arena, sizeof **tally)};
    Pool *pool = pool_new(arena, 3);
    int pieces[2] = {0};
    for (int i = 0; i < 20000; i++) {
        int count = 1 + i % 11;
        pool_run(pool, count, 1, count_visits, tally[i % 2]);
        pieces[i % 2] += count;
        ck_assert_int_eq(tally[i % 2]->pieces, pieces[i % 2]);
    }
    ck_assert_int_eq(tally[0]->visits[0], 10000);
    ck_assert_int_eq(tally[1]->visits[0], 10000);
}
END_TEST

START_TEST(threads_default_to_the_processors)
{
    ck_assert_int_ge(pool_threads(pool_new(arena, 0)), 1);
    ck_assert_int_eq(pool_threads(pool_new(arena, 1)), 1);
    ck_assert_int_eq(pool_threads(pool_new(arena, 4)), 4);
}
END_TEST

static void note_mask(void *context, int worker, int64_t begin, int64_t end)
{
    sigset_t mask;
    (void)begin, (void)end;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    if (worker > 0 && !sigismember(&mask, SIGINT))
        *(atomic_int *)context = 1;
}

/* The caller's mask stays as it was, and no worker takes a signal. */
START_TEST(signals_stay_with_the_caller)
{
    atomic_int taken = 0;
    sigset_t mask;
    pool_run(pool_new(arena, 3), 1000, 1, note_mask, &taken);
    ck_assert_int_eq(taken, 0);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    ck_assert_int_eq(sigismember(&mask, SIGINT), 0);
}
END_TEST

Suite *suite_pool(void)
{
    Suite *suite = suite_create("pool");
    TCase *tcase = tcase_create("pool");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, every_index_once_in_pieces_of_grain, 0,
                        sizeof runs / sizeof *runs);
    tcase_add_test(tcase, nothing_to_do_calls_nobody);
    tcase_add_test(tcase, no_pool_works_alone);
    tcase_add_test(tcase, a_pool_runs_again_and_again);
    tcase_add_test(tcase, threads_default_to_the_processors);
    tcase_add_test(tcase, signals_stay_with_the_caller);
    suite_add_tcase(suite, tcase);
    return suite;
}
