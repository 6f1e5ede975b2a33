/* Progress of long work, on a terminal only. */
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "converter.h"

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

void progress_start(Progress *progress, const Options *options)
{
    *progress = (Progress){
        .on = !options->quiet && isatty(STDERR_FILENO),
        .start = now(),
        .phase = "",
    };
}

static void print_left(double seconds)
{
    if (seconds >= 60)
        fprintf(stderr, ", %.0f min left", seconds / 60);
    else if (seconds >= 1)
        fprintf(stderr, ", %.0f s left", seconds);
}

int progress_show(void *context, const char *phase, double done)
{
    Progress *progress = context;
    double time = now();
    if (!progress->on)
        return 0;
    if (strcmp(phase, progress->phase) != 0) {
        progress->phase = phase;
        progress->phase_start = time;
    }
    if (time - progress->start < 1 || time - progress->last < 0.1)
        return 0;
    progress->last = time;
    progress->shown = true;
    fprintf(stderr, "\r\033[K%s %.0f %%", phase, 100 * done);
    if (done > 0.02)
        print_left((time - progress->phase_start) * (1 - done) / done);
    fflush(stderr);
    return 0;
}

void progress_clear(Progress *progress)
{
    if (progress->shown)
        fputs("\r\033[K", stderr);
    progress->shown = false;
}

void progress_end(Progress *progress)
{
    progress_clear(progress);
    progress->on = false;
}
