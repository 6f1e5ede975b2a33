#include "base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

enum { THREADS_MAX = 256 };

typedef struct Worker {
    struct Pool *pool;
    int index;
} Worker;

struct Pool {
    int threads; /* the caller counts as one */
    pthread_t ids[THREADS_MAX];
    Worker workers[THREADS_MAX];
    pthread_mutex_t lock;
    pthread_cond_t start, finish;
    uint64_t round; /* raised when there is work */
    int busy;       /* threads that have not finished this round */
    bool ending;
    /* The work of this round; pieces are handed out in order by `next`. */
    PoolTask *task;
    void *context;
    int64_t count, grain;
    atomic_llong next;
};

static void work_off(Pool *pool, int worker)
{
    for (;;) {
        int64_t piece = atomic_fetch_add(&pool->next, 1);
        if (piece > (pool->count - 1) / pool->grain)
            return;
        int64_t begin = piece * pool->grain;
        int64_t end = pool->count - begin < pool->grain ? pool->count
                                                        : begin + pool->grain;
        pool->task(pool->context, worker, begin, end);
    }
}

static void *worker_main(void *argument)
{
    Worker *worker = argument;
    Pool *pool = worker->pool;
    uint64_t seen = 0;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (pool->round == seen && !pool->ending)
            pthread_cond_wait(&pool->start, &pool->lock);
        if (pool->ending)
            break;
        seen = pool->round;
        pthread_mutex_unlock(&pool->lock);
        work_off(pool, worker->index);
        pthread_mutex_lock(&pool->lock);
        if (--pool->busy == 0)
            pthread_cond_signal(&pool->finish);
    }
    pthread_mutex_unlock(&pool->lock);
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

/* Signals are the calling program's business: workers take none. */
static void start_workers(Pool *pool, int threads)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (; pool->threads < threads; pool->threads++) {
        Worker *worker = &pool->workers[pool->threads];
        *worker = (Worker){pool, pool->threads};
        if (pthread_create(&pool->ids[pool->threads], NULL, worker_main,
                           worker) != 0)
            break;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

Pool *pool_new(Arena *arena, int threads)
{
    if (threads <= 0)
        threads = usable_processors();
    if (threads > THREADS_MAX)
        threads = THREADS_MAX;
    Pool *pool = arena_alloc(arena, sizeof *pool);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->start, NULL);
    pthread_cond_init(&pool->finish, NULL);
    pool->threads = 1;
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

void pool_run(Pool *pool, int64_t count, int64_t grain, PoolTask *task,
              void *context)
{
    if (grain < 1)
        grain = 1;
    if (pool_threads(pool) == 1 || count <= grain) {
        run_alone(count, grain, task, context);
        return;
    }
    pthread_mutex_lock(&pool->lock);
    pool->task = task;
    pool->context = context;
    pool->count = count;
    pool->grain = grain;
    atomic_store(&pool->next, 0);
    pool->busy = pool->threads - 1;
    pool->round++;
    pthread_cond_broadcast(&pool->start);
    pthread_mutex_unlock(&pool->lock);
    work_off(pool, 0);
    pthread_mutex_lock(&pool->lock);
    while (pool->busy > 0)
        pthread_cond_wait(&pool->finish, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}
