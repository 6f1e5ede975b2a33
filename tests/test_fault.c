/*
 * What the system refuses, at every place where it can: the answer is trouble
 * or the right result, the output is the old file or the new one, and nothing
 * else is left. `make faults` tries every place; `make test` some of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "archive.h"
#include "cli.h"
#include "suites.h"

#define INPUT "micro.ts-preserve.onnx"

/* How many kills `make test` tries; how many places is the road's affair. */
enum { KILLS = 40, ALL_KILLS = 1000 };

static bool tries_all(void)
{
    return getenv("REPFOLD_FAULTS") != NULL;
}

/* ---- Roads through the program ---- */

typedef struct Road {
    const char *name;
    void (*prepare)(void); /* the inputs, in the folder */
    const char *arguments[16];
    const char *output; /* that it writes; NULL for none */
    int data_files;     /* that belong to the output */
    int places;         /* of each kind that `make test` tries */
} Road;

static void prepare_plain(void)
{
    size_t size;
    char *bytes = cli_read(cli_fixture(INPUT), &size);
    ck_assert_ptr_nonnull(bytes);
    cli_write("in.onnx", bytes, size);
    free(bytes);
}

/* Its weights are in another file. */
static void prepare_external(void)
{
    ck_assert_int_eq(REPFOLD("convert", "-q", cli_fixture(INPUT), "-o",
                             "in.onnx", "--only", "C12", "--external-data",
                             "always"),
                     0);
}

static void prepare_gzip(void)
{
    size_t size;
    static uint8_t packed[1 << 20];
    char *bytes = cli_read(cli_fixture(INPUT), &size);
    ck_assert_ptr_nonnull(bytes);
    size = gzip_pack(bytes, size, packed, sizeof packed);
    cli_write("in.onnx.gz", packed, size);
    free(bytes);
}

static void prepare_converted(void)
{
    prepare_plain();
    ck_assert_int_eq(
        REPFOLD("convert", "-q", "in.onnx", "-o", "b.onnx", "--no-verify"), 0);
}

/* Floats between 0 and 1 for the network's image, in an archive. */
static void prepare_arrays(void)
{
    enum { HEADER = 128, COUNT = 3 * 64 * 64 };
    static uint8_t bytes[ARCHIVE_BYTES], npy[HEADER + 4 * COUNT];
    memset(npy, ' ', HEADER);
    memcpy(npy, "\x93NUMPY\1\0\x76\0", 10);
    memcpy(npy + 10,
           "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 64, 64), "
           "}",
           67);
    npy[HEADER - 1] = '\n';
    for (int i = 0; i < COUNT; i++)
        memcpy(npy + HEADER + 4 * i, &(float){(float)(i % 97) / 97}, 4);
    Archive archive;
    archive_start(&archive, bytes);
    archive_add(&archive, "image.npy", npy, sizeof npy, true);
    archive_end(&archive);
    cli_write("in.npz", archive.bytes, archive.size);
    prepare_plain();
}

static void prepare_checkpoint(void)
{
    size_t size;
    char *bytes = cli_read(cli_fixture("checkpoints/micro-ema.pth"), &size);
    ck_assert_ptr_nonnull(bytes);
    cli_write("in.pth", bytes, size);
    free(bytes);
}

static const Road roads[] = {
    {"convert",
     prepare_plain,
     {"convert", "in.onnx", "-o", "out.onnx", "--threads", "1", "--json",
      "/dev/null"},
     "out.onnx",
     0,
     24},
    {"external data",
     prepare_external,
     {"convert", "in.onnx", "-o", "out.onnx", "--threads", "1", "--no-verify"},
     "out.onnx",
     1,
     4},
    {"gzip",
     prepare_gzip,
     {"convert", "in.onnx.gz", "-o", "out.onnx.gz", "--threads", "1",
      "--no-verify"},
     "out.onnx.gz",
     0,
     4},
    {"verify",
     prepare_converted,
     {"verify", "in.onnx", "b.onnx", "--threads", "1", "--samples", "1"},
     NULL,
     0,
     3},
    {"run",
     prepare_arrays,
     {"run", "in.onnx", "--threads", "1", "--input", "in.npz", "--output",
      "logits=out.npy"},
     "out.npy",
     0,
     3},
    {"import",
     prepare_checkpoint,
     {"import", "in.pth", "--size", "64", "-o", "out.onnx"},
     "out.onnx",
     0,
     4},
};

enum { ROADS = sizeof roads / sizeof *roads };

/* ---- Calls that fail ---- */

static void write_old_output(const Road *road)
{
    if (road->output)
        cli_write(road->output, "old", 3);
}

/* Goes the road with the n-th call of a function failing; 0 fails none. Returns
 * how many calls there were. */
static long go_failing(const Road *road, const char *function, long n,
                       int problem)
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
    cli_run(road->arguments);
    unsetenv("LD_PRELOAD");
    memset(count, 0, sizeof count);
    ck_assert_int_ge(pread(fd, count, sizeof count - 1, 0), 0);
    close(fd);
    return strtol(count, NULL, 10);
}

/* Removes the data files that belong to the output; how many there were. */
static int remove_data_files(void)
{
    glob_t found;
    int count = 0;
    if (glob(cli_path("out.*.data"), 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++)
            count += unlink(found.gl_pathv[i]) == 0;
    globfree(&found);
    return count;
}

/* Makes the inputs and, without faults, the right output, as "new"; returns how
 * many files there are then, with an output. */
static int make_expected(const Road *road)
{
    road->prepare();
    ck_assert_msg(cli_run(road->arguments) == 0, "%s: %s", road->name, cli.err);
    ck_assert_int_eq(remove_data_files(), road->data_files);
    if (road->output)
        ck_assert_int_eq(rename(cli_path(road->output), cli_path("new")), 0);
    return cli_count() + (road->output != NULL);
}

/* What a report says of it, when it is one of the tries that went wrong. */
static const char *try_text(const Road *road, const char *function, long n)
{
    static char text[128];
    snprintf(text, sizeof text, "%s, %s %ld", road->name, function, n);
    return text;
}

static void check_output(const Road *road, const char *what)
{
    bool is_new = cli_same(road->output, "new");
    size_t size;
    char *bytes = cli_read(road->output, &size);
    ck_assert_msg(cli.status != 0 || is_new, "%s: another result", what);
    ck_assert_msg(is_new || (bytes && strcmp(bytes, "old") == 0),
                  "%s: neither the old file nor the new one", what);
    free(bytes);
    int data_files = remove_data_files();
    ck_assert_msg(data_files == (is_new ? road->data_files : 0),
                  "%s: %d data files", what, data_files);
}

static void check_outcome(const Road *road, const char *what, int files)
{
    ck_assert_msg(cli.status == 0 || cli.status == 2, "%s: status %d: %s", what,
                  cli.status, cli.err);
    if (cli.status != 0)
        ck_assert_msg(strncmp(cli.err, "repfold: ", 9) == 0 &&
                          strchr(cli.err, '\n') == strrchr(cli.err, '\n'),
                      "%s: %s", what, cli.err);
    if (road->output)
        check_output(road, what);
    ck_assert_msg(cli_count() == files, "%s: something is left", what);
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
    const Road *road = &roads[_i / FAULTS];
    const char *function = faults[_i % FAULTS].function;
    int problem = faults[_i % FAULTS].problem;
    int files = make_expected(road);
    write_old_output(road);
    long count = go_failing(road, function, 0, 0);
    ck_assert_int_eq(cli.status, 0);
    remove_data_files();
    long step = tries_all() ? 1 : count / road->places + 1, tried = 0;
    for (long n = 1; n <= count; n += step, tried++) {
        write_old_output(road);
        go_failing(road, function, n, problem);
        check_outcome(road, try_text(road, function, n), files);
    }
    if (tries_all())
        printf("fault: %s: %ld of %ld calls of %s failed, error %d\n",
               road->name, tried, count, function, problem);
}
END_TEST

/* Of all that is synced only the last, the folder in which the model has its
 * name, comes when the model is in place: it never names data that a power cut
 * can take away. */
START_TEST(data_are_there_to_stay_before_the_model)
{
    const Road *road = &roads[1];
    int files = make_expected(road);
    ck_assert_int_eq(road->data_files, 1);
    write_old_output(road);
    long count = go_failing(road, "fsync", 0, 0);
    ck_assert_int_eq(count, 4);
    remove_data_files();
    for (long n = 1; n <= count; n++) {
        write_old_output(road);
        go_failing(road, "fsync", n, EIO);
        ck_assert_int_eq(cli.status, 2);
        ck_assert_int_eq(cli_same(road->output, "new"), n == count);
        check_outcome(road, try_text(road, "fsync", n), files);
    }
}
END_TEST

/* ---- Kills ---- */

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
        write_old_output(&roads[0]);
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

/* Only when lines are counted. */
void __gcov_dump(void) __attribute__((weak));

Suite *suite_fault(void)
{
    Suite *suite = suite_create("fault");
    if (CLI_IS_SANITIZED || __gcov_dump) {
        puts("fault: skipped: the sanitizer, or what counts lines, has calls "
             "of its own that would fail");
        return suite;
    }
    TCase *tc = tcase_create("fault");
    tcase_add_checked_fixture(tc, cli_setup, cli_teardown);
    tcase_set_timeout(tc, tries_all() ? 3600 : 300);
    tcase_add_loop_test(tc, a_call_that_fails_is_trouble, 0, ROADS * FAULTS);
    tcase_add_test(tc, data_are_there_to_stay_before_the_model);
    tcase_add_test(tc, a_killed_conversion_leaves_the_old_file_or_the_new);
    suite_add_tcase(suite, tc);
    return suite;
}
