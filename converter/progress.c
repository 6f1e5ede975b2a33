/*
 * Progress of long work, on a terminal only.  Work tells how far it is when it
 * can; what is shown is drawn by a thread of its own, so that a phase that
 * cannot tell is seen to go on all the same.
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "converter.h"

/* Nothing is shown before this long, and then this often. */
static const double PATIENCE = 1, INTERVAL = 0.2;

/* What an error must take away first. */
static Progress *current;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void print_time(double seconds, const char *after)
{
    if (seconds >= 60)
        fprintf(stderr, ", %.0f min%s", seconds / 60, after);
    else if (seconds >= 1)
        fprintf(stderr, ", %.0f s%s", seconds, after);
}

/* Under the lock. */
static void draw(Progress *progress)
{
    double spent = now() - progress->phase_start, done = progress->done;
    fprintf(stderr, "\r\033[K%s", progress->phase);
    if (done >= 0)
        fprintf(stderr, " %.0f %%", 100 * done);
    if (done > 0.02)
        print_time(spent * (1 - done) / done, " left");
    else
        print_time(spent, "");
    fflush(stderr);
    progress->shown = true;
}

/* Sleeps until there is something to draw, or the end. */
static void wait_for(Progress *progress, double seconds)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    double whole =
        (double)until.tv_sec + 1e-9 * (double)until.tv_nsec + seconds;
    until.tv_sec = (time_t)whole;
    until.tv_nsec = (long)(1e9 * (whole - (double)until.tv_sec));
    while (progress->on &&
           pthread_cond_timedwait(&progress->ended, &progress->lock, &until) !=
               ETIMEDOUT)
        ;
}

static void *draw_on(void *context)
{
    Progress *progress = context;
    pthread_mutex_lock(&progress->lock);
    wait_for(progress, PATIENCE);
    while (progress->on) {
        draw(progress);
        wait_for(progress, INTERVAL);
    }
    pthread_mutex_unlock(&progress->lock);
    return NULL;
}

void progress_start(Progress *progress, const Options *options)
{
    *progress = (Progress){.phase = "read",
                           .done = -1,
                           .phase_start = now(),
                           .lock = PTHREAD_MUTEX_INITIALIZER,
                           .ended = PTHREAD_COND_INITIALIZER};
    if (options->quiet || !isatty(STDERR_FILENO))
        return;
    progress->on = true;
    if (pthread_create(&progress->thread, NULL, draw_on, progress) != 0)
        progress->on = false;
    else
        current = progress;
}

int progress_show(void *context, const char *phase, double done)
{
    Progress *progress = context;
    pthread_mutex_lock(&progress->lock);
    if (strcmp(phase, progress->phase) != 0)
        progress->phase_start = now();
    progress->phase = phase;
    progress->done = done;
    pthread_mutex_unlock(&progress->lock);
    return 0;
}

void progress_clear(Progress *progress)
{
    pthread_mutex_lock(&progress->lock);
    if (progress->shown)
        fputs("\r\033[K", stderr);
    progress->shown = false;
    pthread_mutex_unlock(&progress->lock);
}

void progress_end(Progress *progress)
{
    pthread_mutex_lock(&progress->lock);
    bool running = progress->on;
    progress->on = false;
    pthread_cond_signal(&progress->ended);
    pthread_mutex_unlock(&progress->lock);
    if (running)
        pthread_join(progress->thread, NULL);
    if (current == progress)
        current = NULL;
    progress_clear(progress);
}

void progress_end_any(void)
{
    if (current)
        progress_end(current);
}

void progress_forget(void)
{
    current = NULL;
}
