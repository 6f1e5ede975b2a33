/*
 * Threads.  One pool runs index ranges side by side; the calling thread works
 * too.  How a range is cut depends only on count and grain, never on the
 * number of threads, so results do not depend on it either.
 */
#ifndef REPFOLD_BASE_POOL_H
#define REPFOLD_BASE_POOL_H

#include "base/mem.h"

typedef struct Pool Pool;

/* Works on [begin, end); `worker` is 0 .. pool_threads-1 and tells which
 * scratch to use.  Must not allocate and cannot fail. */
typedef void PoolTask(void *context, int worker, int64_t begin, int64_t end);

/* `threads` workers in all, 0 for the number of processors this process may
 * use.  Ended by arena_free.  Fewer threads than asked are not an error. */
Pool *pool_new(Arena *arena, int threads);
int pool_threads(const Pool *pool);

/* Runs the task over [0, count) in pieces of `grain` and returns when all is
 * done.  A NULL pool works alone. */
void pool_run(Pool *pool, int64_t count, int64_t grain, PoolTask *task,
              void *context);

#endif
