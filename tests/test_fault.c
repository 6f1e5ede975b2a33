/*
 * What the system refuses, at every place where it can: the answer is trouble
 * or the right result, the output is the old file or the new one, and nothing
 * else is left. `make faults` tries every place; `make test` some of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "suites.h"

#define INPUT "micro.ts-preserve.onnx"

/* How many places of each kind `make test` tries. */
enum { PLACES = 24, KILLS = 40, ALL_KILLS = 1000 };

static bool tries_all(void)
{
    return getenv("REPFOLD_FAULTS") != NULL;
}

static void write_old_output(void)
{
    cli_write("out.onnx", "old", 3);
}

/* Converts with the n-th call of a function failing; 0 fails none. Returns how
 * many calls there were. */
static long convert_failing(const char *function, long n, int problem)
{
    char fault[64], count[64] = "";
    snprintf(fault, sizeof fault, "%s:%ld:%d", function, n, problem);
    int fd = open(cli_path("count"), O_RDWR | O_CREAT | O_TRUNC, 0666);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(unlink(cli_path("count")), 0);
    snprintf(count, sizeof count, "%d", fd);
    setenv("FAULT", fault, 1);
    setenv("FAULT_FD", count, 1);
    setenv("LD_PRELOAD", cli_built("shim.so"), 1);
    REPFOLD("convert", cli_fixture(INPUT), "-o", "out.onnx", "--threads", "1",
            "--json", "/dev/null");
    unsetenv("LD_PRELOAD");
    memset(count, 0, sizeof count);
    ck_assert_int_ge(pread(fd, count, sizeof count - 1, 0), 0);
    close(fd);
    return strtol(count, NULL, 10);
}

/* The right result, made without faults. */
static void make_expected(void)
{
    ck_assert_int_eq(REPFOLD("convert", cli_fixture(INPUT), "-o", "new.onnx",
                             "--threads", "1"),
                     0);
}

static void check_outcome(const char *function, long n)
{
    ck_assert_msg(cli.status == 0 || cli.status == 2, "%s %ld: status %d: %s",
                  function, n, cli.status, cli.err);
    if (cli.status == 0)
        ck_assert_msg(cli_same("out.onnx", "new.onnx"), "%s %ld: %s", function,
                      n, "another result");
    else
        ck_assert_msg(strncmp(cli.err, "repfold: ", 9) == 0 &&
                          strchr(cli.err, '\n') == strrchr(cli.err, '\n'),
                      "%s %ld: %s", function, n, cli.err);
    size_t size;
    char *bytes = cli_read("out.onnx", &size);
    ck_assert_msg(cli_same("out.onnx", "new.onnx") ||
                      (bytes && strcmp(bytes, "old") == 0),
                  "%s %ld: neither the old file nor the new one", function, n);
    free(bytes);
    ck_assert_msg(cli_count() == 2, "%s %ld: something is left", function, n);
}

static const struct {
    const char *function;
    int problem;
} faults[] = {
    {"malloc", ENOMEM}, {"read", EIO},    {"read", EINTR}, {"write", ENOSPC},
    {"write", EIO},     {"write", EINTR}, {"write", 0},    {"fsync", EIO},
    {"close", EIO},     {"rename", EIO},  {"link", EIO},   {"chmod", EPERM},
    {"mmap", ENOMEM},   {"open", EMFILE},
};

enum { FAULTS = sizeof faults / sizeof *faults };

START_TEST(a_call_that_fails_is_trouble)
{
    const char *function = faults[_i].function;
    make_expected();
    write_old_output();
    long count = convert_failing(function, 0, 0);
    ck_assert_int_eq(cli.status, 0);
    long step = tries_all() ? 1 : count / PLACES + 1;
    for (long n = 1; n <= count; n += step) {
        write_old_output();
        convert_failing(function, n, faults[_i].problem);
        check_outcome(function, n);
    }
}
END_TEST

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Starts a conversion and kills it after that many seconds. */
static void convert_killed(double after)
{
    const char *program = cli_built("repfold");
    const char *input = cli_fixture(INPUT), *output = cli_path("out.onnx");
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        execl(program, program, "convert", "-q", input, "-o", output,
              "--no-verify", (char *)NULL);
        _exit(126);
    }
    struct timespec time = {0, (long)(after * 1e9)};
    nanosleep(&time, NULL);
    kill(child, SIGKILL);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
}

/* A kill has no say in when it comes: moments are spread over the whole run by
 * a fixed sequence. */
START_TEST(a_killed_conversion_leaves_the_old_file_or_the_new)
{
    uint32_t random = 1;
    int kills = tries_all() ? ALL_KILLS : KILLS;
    REPFOLD("convert", "-q", cli_fixture(INPUT), "-o", "new.onnx",
            "--no-verify");
    double start = now();
    REPFOLD("convert", "-q", cli_fixture(INPUT), "-o", "out.onnx",
            "--no-verify");
    double whole = now() - start;
    for (int i = 0; i < kills; i++) {
        random = random * 1664525u + 1013904223u;
        write_old_output();
        convert_killed(1.2 * whole * (random >> 8) / (1 << 24));
        size_t size;
        char *bytes = cli_read("out.onnx", &size);
        ck_assert(cli_same("out.onnx", "new.onnx") ||
                  (bytes && strcmp(bytes, "old") == 0));
        free(bytes);
    }
    REPFOLD("convert", "-q", cli_fixture(INPUT), "-o", "out.onnx",
            "--no-verify");
    ck_assert(cli_same("out.onnx", "new.onnx"));
    ck_assert_int_eq(cli_count(), 2);
}
END_TEST

Suite *suite_fault(void)
{
    Suite *suite = suite_create("fault");
    TCase *tc = tcase_create("fault");
    tcase_add_checked_fixture(tc, cli_setup, cli_teardown);
    tcase_set_timeout(tc, tries_all() ? 3600 : 300);
    tcase_add_loop_test(tc, a_call_that_fails_is_trouble, 0, FAULTS);
    tcase_add_test(tc, a_killed_conversion_leaves_the_old_file_or_the_new);
    suite_add_tcase(suite, tc);
    return suite;
}
