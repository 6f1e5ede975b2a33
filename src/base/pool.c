#include "base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

/* A worker that has nothing to do looks for work so often before it sleeps:
 * some 20 us, about what it takes to wake one. */
enum { THREADS_MAX = 256, LOOKS = 1000 };

/* The gate counts rounds above its low bits, which count the workers inside.
 * It is open while the round is odd: a worker that comes later than that takes
 * no part, and nobody waits for it. */
enum { INSIDE = 0xffff, NEXT = INSIDE + 1 };

/* Each worker has a share of the pieces, those beside each other, so that what
 * one has left in its cache by one round is often what it needs in the next.
 * Who is done with his own helps with the others'. */
typedef struct Worker {
    struct Pool *pool;
    int index;
    long long end; /* of its share */
    atomic_llong next;
    char apart[64]; /* from the next worker's counter */
} Worker;

struct Pool {
    int threads; /* the caller counts as one */
    pthread_t ids[THREADS_MAX];
    Worker workers[THREADS_MAX];
    int looks; /* 0 where threads are more than processors */
    atomic_llong gate;
    pthread_mutex_t lock; /* for those who sleep */
    pthread_cond_t start, finish;
    int sleepers;
    bool ending;
    /* The work of this round. */
    PoolTask *task;
    void *context;
    int64_t count, grain;
};

static void work_off_share(Pool *pool, int worker, Worker *owner)
{
    for (;;) {
        int64_t piece = atomic_fetch_add(&owner->next, 1);
        if (piece >= owner->end)
            return;
        int64_t begin = piece * pool->grain;
        int64_t end = pool->count - begin < pool->grain ? pool->count
                                                        : begin + pool->grain;
        pool->task(pool->context, worker, begin, end);
    }
}

static void work_off(Pool *pool, int worker)
{
    for (int i = 0; i < pool->threads; i++)
        work_off_share(pool, worker,
                       &pool->workers[(worker + i) % pool->threads]);
}

static void share_out(Pool *pool)
{
    int64_t pieces = (pool->count - 1) / pool->grain + 1;
    int64_t each = pieces / pool->threads, more = pieces % pool->threads;
    for (int i = 0; i < pool->threads; i++) {
        int64_t begin = i * each + (i < more ? i : more);
        atomic_store(&pool->workers[i].next, begin);
        pool->workers[i].end = begin + each + (i < more);
    }
}

/* A hint that this is a loop that waits. */
static void pause_briefly(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static long long round_of(long long gate)
{
    return gate / NEXT;
}

static bool is_new_round(const Pool *pool, long long seen)
{
    long long round = round_of(atomic_load(&pool->gate));
    return round % 2 == 1 && round != seen;
}

/* Goes in while the gate is open; returns the round, or -1. */
static long long go_in(Pool *pool, long long seen)
{
    long long gate = atomic_load(&pool->gate);
    while (round_of(gate) % 2 == 1 && round_of(gate) != seen)
        if (atomic_compare_exchange_weak(&pool->gate, &gate, gate + 1))
            return round_of(gate);
    return -1;
}

static void go_out(Pool *pool)
{
    long long gate = atomic_fetch_sub(&pool->gate, 1) - 1;
    if (round_of(gate) % 2 == 1 || (gate & INSIDE) > 0)
        return;
    pthread_mutex_lock(&pool->lock);
    pthread_cond_signal(&pool->finish);
    pthread_mutex_unlock(&pool->lock);
}

/* Waits for a round after that one; false when the pool ends. */
static bool wait_for_round(Pool *pool, long long seen)
{
    for (int i = 0; i < pool->looks; i++, pause_briefly())
        if (is_new_round(pool, seen))
            return true;
    pthread_mutex_lock(&pool->lock);
    pool->sleepers++;
    while (!is_new_round(pool, seen) && !pool->ending)
        pthread_cond_wait(&pool->start, &pool->lock);
    pool->sleepers--;
    bool ending = pool->ending;
    pthread_mutex_unlock(&pool->lock);
    return !ending;
}

static void *worker_main(void *argument)
{
    Worker *worker = argument;
    Pool *pool = worker->pool;
    long long seen = -1;
    while (wait_for_round(pool, seen)) {
        long long round = go_in(pool, seen);
        if (round < 0)
            continue;
        seen = round;
        work_off(pool, worker->index);
        go_out(pool);
    }
    return NULL;
}

static void pool_end(void *object)
{
    Pool *pool = object;
    pthread_mutex_lock(&pool->lock);
    pool->ending = true;
    pthread_cond_broadcast(&pool->start);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 1; i < pool->threads; i++)
        pthread_join(pool->ids[i], NULL);
    pthread_cond_destroy(&pool->start);
    pthread_cond_destroy(&pool->finish);
    pthread_mutex_destroy(&pool->lock);
}

static int usable_processors(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    return CPU_COUNT(&set);
}

/* Signals are the calling program's business: workers take none but those of
 * their own doing, such as reading a file that has become shorter. */
static void start_workers(Pool *pool, int threads)
{
    sigset_t all, before;
    sigfillset(&all);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (; pool->threads < threads; pool->threads++) {
        Worker *worker = &pool->workers[pool->threads];
        *worker = (Worker){.pool = pool, .index = pool->threads};
        if (pthread_create(&pool->ids[pool->threads], NULL, worker_main,
                           worker) != 0)
            break;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

Pool *pool_new(Arena *arena, int threads)
{
    int processors = usable_processors();
    if (threads <= 0)
        threads = processors;
    if (threads > THREADS_MAX)
        threads = THREADS_MAX;
    Pool *pool = arena_alloc(arena, sizeof *pool);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->start, NULL);
    pthread_cond_init(&pool->finish, NULL);
    pool->threads = 1;
    pool->looks = threads <= processors ? LOOKS : 0;
    arena_defer(arena, pool_end, pool);
    start_workers(pool, threads);
    return pool;
}

int pool_threads(const Pool *pool)
{
    return pool ? pool->threads : 1;
}

static void run_alone(int64_t count, int64_t grain, PoolTask *task,
                      void *context)
{
    for (int64_t begin = 0; begin < count; begin += grain)
        task(context, 0, begin, count - begin < grain ? count : begin + grain);
}

static void wake_workers(Pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    if (pool->sleepers > 0)
        pthread_cond_broadcast(&pool->start);
    pthread_mutex_unlock(&pool->lock);
}

static bool is_empty(const Pool *pool)
{
    return (atomic_load(&pool->gate) & INSIDE) == 0;
}

static void wait_for_workers(Pool *pool)
{
    for (int i = 0; i < pool->looks; i++, pause_briefly())
        if (is_empty(pool))
            return;
    pthread_mutex_lock(&pool->lock);
    while (!is_empty(pool))
        pthread_cond_wait(&pool->finish, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}

void pool_run(Pool *pool, int64_t count, int64_t grain, PoolTask *task,
              void *context)
{
    if (grain < 1)
        grain = 1;
    if (pool_threads(pool) == 1 || count <= grain) {
        run_alone(count, grain, task, context);
        return;
    }
    pool->task = task;
    pool->context = context;
    pool->count = count;
    pool->grain = grain;
    share_out(pool);
    atomic_fetch_add(&pool->gate, NEXT);
    wake_workers(pool);
    work_off(pool, 0);
    atomic_fetch_add(&pool->gate, NEXT);
    wait_for_workers(pool);
}
