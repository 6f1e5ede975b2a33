/*
 * soak [-n COUNT | -t SECONDS] [START]: fuzzes seed after seed, prints what
 * fails and a summary. Exit 1 when something failed.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fuzz.h"

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static int usage(void)
{
    fprintf(stderr, "usage: soak [-n COUNT | -t SECONDS] [START]\n");
    return 2;
}

int main(int argc, char **argv)
{
    unsigned long long start = 1, count = ~0ull, done = 0, failed = 0;
    double seconds = 60, began = now();
    for (int i = 1; i < argc; i++) {
        bool has_value = i + 1 < argc;
        if (strcmp(argv[i], "-n") == 0 && has_value) {
            count = strtoull(argv[++i], NULL, 10);
            seconds = 1e18;
        } else if (strcmp(argv[i], "-t") == 0 && has_value) {
            seconds = strtod(argv[++i], NULL);
        } else if (argv[i][0] != '-') {
            start = strtoull(argv[i], NULL, 10);
        } else {
            return usage();
        }
    }
    FuzzCount seen = {0};
    for (; done < count && now() - began < seconds; done++)
        failed += fuzz_seed(start + done, &seen, stdout) < 0;
    printf(
        "%llu seeds from %llu, %llu failed, in %.1f s: %zu models with %zu "
        "nodes, %zu exact to the bit; %zu folds with %zu certificates removed "
        "%zu nodes, %.1f %% of what could go at best\n",
        done, start, failed, now() - began, seen.models, seen.nodes, seen.exact,
        seen.folds, seen.certificates, seen.removed,
        seen.upper ? 100.0 * (double)seen.removed / (double)seen.upper : 0);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
