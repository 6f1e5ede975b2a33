/*
 * bench_certify TRAIN DEPLOY: how long it takes to check all certificates of
 * two open models, the best of several times.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "repfold.h"

enum { RUNS = 5 };

static double now(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static int fail(const rp_error *error)
{
    fprintf(stderr, "bench_certify: %s: %s\n", error->where, error->message);
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    rp_error error = {0};
    rp_model *models[2] = {NULL};
    double wall = 1e9, cpu = 1e9;
    size_t count = 0, numbers = 0;
    int holds = 1;
    for (int i = 0; i < 2; i++)
        if (i + 1 >= argc || !(models[i] = rp_open(argv[i + 1], NULL, &error)))
            return fail(&error);
    for (int i = 0; i < RUNS; i++) {
        double begin = now(CLOCK_MONOTONIC);
        double used = now(CLOCK_PROCESS_CPUTIME_ID);
        rp_certificates *all = rp_certify(models[0], models[1], NULL, &error);
        if (!all)
            return fail(&error);
        begin = now(CLOCK_MONOTONIC) - begin;
        used = now(CLOCK_PROCESS_CPUTIME_ID) - used;
        wall = begin < wall ? begin : wall;
        cpu = used < cpu ? used : cpu;
        const rp_certificates_info *info = rp_certificates_get(all);
        holds &= info->hold;
        count = info->count;
        numbers = 0;
        for (size_t k = 0; k < count; k++)
            numbers += info->certificates[k].weights;
        rp_certificates_free(all);
    }
    printf("%zu certificates of %zu numbers, checked in %.2f s wall, %.2f s "
           "CPU%s\n",
           count, numbers, wall, cpu, holds ? "" : ": some do not hold");
    rp_close(models[1]);
    rp_close(models[0]);
    return holds ? EXIT_SUCCESS : EXIT_FAILURE;
}
