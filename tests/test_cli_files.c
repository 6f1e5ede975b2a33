/* Files around a conversion: compressed, archived and external data, what an
 * output may be, and what ends the process meanwhile. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "archive.h"
#include "child.h"
#include "cli.h"
#include "suites.h"

#define SMALL "micro.ts-preserve.onnx"

static void convert_small(const char *output)
{
    ck_assert_int_eq(REPFOLD("convert", "-q", cli_fixture(SMALL), "-o", output,
                             "--no-verify"),
                     0);
}

static mode_t mode_of(const char *name)
{
    struct stat status;
    ck_assert_int_eq(stat(cli_path(name), &status), 0);
    return status.st_mode & 07777;
}

/* ---- Compressed and archived ---- */

START_TEST(test_gzip_in_and_out)
{
    convert_small("out.onnx");
    convert_small("out.onnx.gz");
    ck_assert_int_eq(REPFOLD("convert", "-q", "out.onnx.gz", "-o", "back.onnx",
                             "--no-verify"),
                     0);
    ck_assert(cli_same("out.onnx", "back.onnx"));
    ck_assert_int_eq(REPFOLD("verify", "out.onnx.gz", cli_fixture(SMALL)), 0);
    ck_assert_int_eq(
        cli_run_with("out.onnx.gz", "twice.onnx",
                     (const char *const[]){"convert", "-q", "-", "-o", "-",
                                           "--no-verify", NULL}),
        0);
    ck_assert(cli_same("out.onnx", "twice.onnx"));
}
END_TEST

/* The fixtures' input, which they call "image". */
static void write_npz(const char *name, bool with_other)
{
    static uint8_t bytes[ARCHIVE_BYTES];
    Archive archive;
    size_t size;
    char *npy = cli_read(cli_fixture("in64.npy"), &size);
    ck_assert_ptr_nonnull(npy);
    archive_start(&archive, bytes);
    archive_add(&archive, "image.npy", npy, size, true);
    if (with_other)
        archive_add(&archive, "other.npy", npy, size, false);
    archive_end(&archive);
    cli_write(name, archive.bytes, archive.size);
    free(npy);
}

#define DOUBLE "mini.ts-preserve-f64.onnx"

START_TEST(test_npz_inputs)
{
    static const char *const inputs[] = {"one.npz", "image=one.npz",
                                         "image=two.npz:image",
                                         "image=two.npz:other.npy"};
    write_npz("one.npz", false);
    write_npz("two.npz", true);
    char *plain;
    ck_assert_int_gt(asprintf(&plain, "image=%s", cli_fixture("in64.npy")), 0);
    ck_assert_int_eq(REPFOLD("run", cli_fixture(DOUBLE), "--input", plain,
                             "--output", "logits=a.npy"),
                     0);
    free(plain);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(REPFOLD("run", cli_fixture(DOUBLE), "--input",
                                 inputs[i], "--output", "logits=b.npy"),
                         0);
        ck_assert(cli_same("a.npy", "b.npy"));
    }
    ck_assert_int_eq(REPFOLD("verify", cli_fixture(DOUBLE), cli_fixture(DOUBLE),
                             "--input", "one.npz", "--samples", "1"),
                     0);
    ck_assert_ptr_nonnull(strstr(cli.out, "2 samples"));
}
END_TEST

START_TEST(test_npz_that_does_not_fit)
{
    write_npz("two.npz", true);
    REPFOLD("run", cli_fixture(DOUBLE), "--input", "two.npz");
    cli_assert_trouble("bad-input", "two.npz:other: the model has no such");
    REPFOLD("verify", cli_fixture(DOUBLE), cli_fixture(DOUBLE), "--input",
            "two.npz");
    cli_assert_trouble("bad-input", "two.npz:other: the model has no such");
    REPFOLD("run", cli_fixture(DOUBLE), "--input", "image=two.npz");
    cli_assert_trouble("bad-npy", "has 2 arrays");
    REPFOLD("run", cli_fixture(DOUBLE), "--input", "image=two.npz:image",
            "--json", "two.npz");
    cli_assert_trouble("same-file", "two.npz");
}
END_TEST

/* A folder's files are inputs too; what else is there is not. */
START_TEST(test_report_over_a_file_of_a_folder)
{
    static const char *const kept[] = {"in/1.png", "in/input_0.pb"};
    ck_assert_int_eq(mkdir(cli_path("in"), 0777), 0);
    for (size_t i = 0; i < 2; i++)
        cli_write(kept[i], "kept", 4);
    ck_assert_int_eq(symlink("in/1.png", cli_path("r.json")), 0);
    REPFOLD("verify", cli_fixture(DOUBLE), cli_fixture(DOUBLE), "--images",
            "in", "--json", "in/1.png");
    cli_assert_trouble("same-file", "in/1.png");
    REPFOLD("verify", cli_fixture(DOUBLE), cli_fixture(DOUBLE), "--images",
            "in", "--html", "r.json");
    cli_assert_trouble("same-file", "r.json");
    REPFOLD("run", cli_fixture(DOUBLE), "--data", "in", "--output",
            "logits=in/input_0.pb");
    cli_assert_trouble("same-file", "in/input_0.pb");
    REPFOLD("run", cli_fixture(DOUBLE), "--data", "in", "--json", "in/r.json");
    ck_assert_ptr_null(strstr(cli.err, "same-file"));
    for (size_t i = 0; i < 2; i++) {
        struct stat info;
        ck_assert_int_eq(stat(cli_path(kept[i]), &info), 0);
        ck_assert_int_eq(info.st_size, 4);
    }
}
END_TEST

/* ---- External data ---- */

/* A model with its weights in another file: "in.onnx" and 126 kB. */
static void write_external(void)
{
    ck_assert_int_eq(REPFOLD("sample", "fastvit_t8", "--width-mult", "0.125",
                             "--size", "32", "--classes", "10", "-o", "in.onnx",
                             "--external-data", "always"),
                     0);
    ck_assert_int_eq(cli_count(), 2);
}

/* The data file of in.onnx gets empty. */
static void empty_data_file(void)
{
    char command[512];
    snprintf(command, sizeof command, "truncate -s 0 %s.*.data",
             cli_path("in.onnx"));
    ck_assert_int_eq(system(command), 0);
}

START_TEST(test_report_over_the_weights)
{
    static const char *const options[] = {"--json", "--html", "--junit"};
    write_external();
    for (size_t i = 0; i < 3; i++) {
        /* The name of the data has a checksum in it. */
        char command[512];
        snprintf(command, sizeof command, "ln -sf %s.*.data %s",
                 cli_path("in.onnx"), cli_path("report"));
        ck_assert_int_eq(system(command), 0);
        REPFOLD("lint", "in.onnx", options[i], "report");
        cli_assert_trouble("same-file", "report: holds weights of the model");
    }
    ck_assert_int_eq(REPFOLD("convert", "in.onnx", "-o", "out.onnx"), 0);
}
END_TEST

/* Behind those words there is the name of a file of the folder. */
static void check_data_are_named(const char *words, const char *folder)
{
    char path[256];
    const char *name = strstr(cli.out, words);
    ck_assert_msg(name, "no \"%s\" in: %s", words, cli.out);
    name += strlen(words);
    snprintf(path, sizeof path, "%s%.*s", folder, (int)strcspn(name, "\n"),
             name);
    ck_assert_ptr_nonnull(strstr(path, ".data"));
    ck_assert_msg(cli_exists(path), "no %s", path);
}

START_TEST(test_external_data)
{
    write_external();
    ck_assert_int_eq(mkdir(cli_path("sub"), 0777), 0);
    ck_assert_int_eq(REPFOLD("convert", "in.onnx", "-o", "sub/out.onnx"), 0);
    ck_assert_ptr_nonnull(strstr(cli.out, "verdict  equivalent"));
    ck_assert_int_eq(cli_count(), 3);
    check_data_are_named("wrote    sub/out.onnx, its weights in ", "sub/");
    ck_assert_int_eq(REPFOLD("verify", "in.onnx", "sub/out.onnx"), 0);
    ck_assert_int_eq(REPFOLD("convert", "-q", "in.onnx", "-o", "one.onnx",
                             "--external-data", "never"),
                     0);
    ck_assert_int_eq(cli_count(), 4);
    ck_assert_int_eq(REPFOLD("verify", "one.onnx", "sub/out.onnx"), 0);
    /* Nothing is left to fold: the same bytes, and nothing new. */
    ck_assert_int_eq(REPFOLD("convert", "sub/out.onnx", "-o", "sub/again.onnx",
                             "--no-verify"),
                     0);
    check_data_are_named("wrote    sub/again.onnx, its weights in ", "sub/");
    ck_assert(cli_same("sub/out.onnx", "sub/again.onnx"));
}
END_TEST

START_TEST(test_external_data_of_a_stream)
{
    static const char *const with[] = {"convert",    "-q", "-",
                                       "-o",         "-",  "--no-verify",
                                       "--data-dir", ".",  NULL};
    static const char *const without[] = {"convert", "-q",          "-", "-o",
                                          "-",       "--no-verify", NULL};
    write_external();
    ck_assert_int_eq(cli_run_with("in.onnx", "out.onnx", with), 0);
    ck_assert_int_eq(REPFOLD("verify", "in.onnx", "out.onnx"), 0);
    cli_run_with("in.onnx", NULL, without);
    cli_assert_trouble("external-data", "--data-dir");
}
END_TEST

/* ---- What an output may be ---- */

START_TEST(test_path_is_too_long)
{
    enum { LENGTH = 5000 };
    char path[LENGTH + 1];
    for (int i = 0; i < LENGTH; i++)
        path[i] = i % 100 == 99 ? '/' : 'x';
    path[LENGTH] = '\0';
    REPFOLD("convert", "-q", cli_fixture(SMALL), "-o", path);
    cli_assert_trouble("io", "File name too long");
    ck_assert_int_eq(cli_count(), 0);
}
END_TEST

START_TEST(test_owner_and_mode_are_kept)
{
    struct stat status;
    cli_write("out.onnx", "old", 3);
    ck_assert_int_eq(chmod(cli_path("out.onnx"), 0640), 0);
    if (geteuid() == 0)
        ck_assert_int_eq(chown(cli_path("out.onnx"), 1234, 2345), 0);
    convert_small("out.onnx");
    ck_assert_int_eq(mode_of("out.onnx"), 0640);
    ck_assert_int_eq(stat(cli_path("out.onnx"), &status), 0);
    if (geteuid() == 0)
        ck_assert(status.st_uid == 1234 && status.st_gid == 2345);
    mode_t before = umask(0027);
    convert_small("new.onnx");
    ck_assert_int_eq(REPFOLD("lint", "-q", "new.onnx", "--json", "r.json"), 0);
    umask(before);
    ck_assert_int_eq(mode_of("new.onnx"), 0640);
    ck_assert_int_eq(mode_of("r.json"), 0640);
}
END_TEST

START_TEST(test_in_place_through_links)
{
    size_t size;
    char *bytes = cli_read(cli_fixture(SMALL), &size);
    struct stat status;
    convert_small("want.onnx");
    cli_write("in.onnx", bytes, size);
    ck_assert_int_eq(symlink("in.onnx", cli_path("soft")), 0);
    ck_assert_int_eq(link(cli_path("in.onnx"), cli_path("hard")), 0);
    ck_assert_int_eq(
        REPFOLD("convert", "-q", "soft", "--in-place", "--no-verify"), 0);
    ck_assert(cli_same("in.onnx", "want.onnx"));
    ck_assert(cli_same("hard", cli_fixture(SMALL)));
    ck_assert_int_eq(lstat(cli_path("soft"), &status), 0);
    ck_assert(S_ISLNK(status.st_mode));
    free(bytes);
}
END_TEST

enum { CANNOT = 99 };

/* The same file under another name, by a mount that only the child sees. */
static int convert_onto_mounted_input(void)
{
    if (unshare(CLONE_NEWNS) < 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount(cli_path("in.onnx"), cli_path("other"), NULL, MS_BIND, NULL) < 0)
        return CANNOT;
    return REPFOLD("convert", "-q", "in.onnx", "-o", "other", "--no-verify") ==
                       2 &&
                   strstr(cli.err, "same-file")
               ? 0
               : 1;
}

START_TEST(test_output_is_the_input_by_a_mount)
{
    size_t size;
    char *bytes = cli_read(cli_fixture(SMALL), &size);
    cli_write("in.onnx", bytes, size);
    cli_write("other", "", 0);
    int status = in_child(convert_onto_mounted_input);
    if (status == CANNOT)
        printf("cli_files: left out, nothing can be mounted here\n");
    else
        ck_assert_int_eq(status, 0);
    ck_assert(cli_same("in.onnx", cli_fixture(SMALL)));
    free(bytes);
}
END_TEST

/* ---- Standard streams ---- */

/* Which of the three are closed, as bits. */
static int closed;

static int convert_with_closed_streams(void)
{
    const char *program = cli_built("repfold"), *input = cli_fixture(SMALL);
    if (chdir(cli_path("")) < 0)
        return CANNOT;
    int nowhere = open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3; fd++)
        dup2(nowhere, fd);
    close(nowhere);
    for (int fd = 0; fd < 3; fd++)
        if (closed & 1 << fd)
            close(fd);
    execl(program, program, "convert", input, "-o", "out.onnx", "--json",
          "r.json", "--no-verify", (char *)NULL);
    return CANNOT;
}

START_TEST(test_closed_standard_streams)
{
    size_t size;
    closed = _i;
    convert_small("want.onnx");
    int status = in_child(convert_with_closed_streams);
    /* Whoever closed standard output does not get the report. */
    ck_assert_int_eq(status, closed & 2 ? 2 : 0);
    ck_assert(cli_same("want.onnx", "out.onnx"));
    char *json = cli_read("r.json", &size);
    ck_assert(json && json[0] == '{' && json[size - 2] == '}');
    free(json);
    ck_assert_int_eq(cli_count(), 3);
}
END_TEST

/* ---- Ends from outside ---- */

/* Starts a conversion that waits in the middle of its output, a FIFO, which
 * holds 64 kB. */
static pid_t start_conversion(int *fifo)
{
    const char *program = cli_built("repfold"), *path = cli_path("fifo");
    const char *input = cli_fixture(DOUBLE);
    char first[16];
    if (mkfifo(path, 0600) < 0 && !cli_exists("fifo"))
        return -1;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        dup2(open("/dev/null", O_WRONLY), 2);
        execl(program, program, "convert", "-q", input, "-o", path,
              "--no-verify", (char *)NULL);
        _exit(CANNOT);
    }
    *fifo = open(path, O_RDONLY);
    ck_assert_int_eq(read(*fifo, first, sizeof first), sizeof first);
    return child;
}

static const int endings[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

/* The parent sees the signal, as a shell's 128 + N. */
START_TEST(test_signals_end_it_as_such)
{
    int fifo, status;
    /* Whoever runs the tests may ignore it. */
    signal(endings[_i], SIG_DFL);
    pid_t child = start_conversion(&fifo);
    ck_assert_int_eq(kill(child, endings[_i]), 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == endings[_i]);
    close(fifo);
    ck_assert_int_eq(cli_count(), 1);
}
END_TEST

/* As nohup does. */
START_TEST(test_an_ignored_signal_stays_ignored)
{
    int fifo, status;
    char rest[4096];
    signal(SIGHUP, SIG_IGN);
    pid_t child = start_conversion(&fifo);
    signal(SIGHUP, SIG_DFL);
    ck_assert_int_eq(kill(child, SIGHUP), 0);
    while (read(fifo, rest, sizeof rest) > 0)
        ;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    close(fifo);
}
END_TEST

/* Nobody reads to the end. */
START_TEST(test_a_broken_pipe_is_trouble)
{
    int fifo, status;
    pid_t child = start_conversion(&fifo);
    close(fifo);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 2);
}
END_TEST

/* Verifies a model whose data file is emptied once it is mapped: the second
 * model comes from a pipe, so that there is time. */
START_TEST(test_a_file_that_shrinks_is_trouble)
{
    int ends[2], status;
    size_t size;
    char line[256] = "";
    write_external();
    ck_assert_int_eq(REPFOLD("convert", "-q", "in.onnx", "-o", "one.onnx",
                             "--external-data", "never", "--no-verify"),
                     0);
    char *second = cli_read("one.onnx", &size);
    const char *program = cli_built("repfold");
    ck_assert_int_eq(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[0], 0);
        close(ends[1]);
        int errors = open(cli_path("stderr"), O_WRONLY | O_CREAT, 0666);
        dup2(errors, 2);
        if (chdir(cli_path("")) == 0)
            execl(program, program, "verify", "-q", "in.onnx", "-",
                  (char *)NULL);
        _exit(CANNOT);
    }
    close(ends[0]);
    /* When most of it is read, the first model has been opened. */
    for (size_t done = 0; done < size - 1;) {
        ssize_t wrote = write(ends[1], second + done, size - 1 - done);
        ck_assert_int_gt(wrote, 0);
        done += (size_t)wrote;
    }
    empty_data_file();
    ck_assert_int_eq(write(ends[1], second + size - 1, 1), 1);
    close(ends[1]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 2);
    FILE *file = fopen(cli_path("stderr"), "r");
    ck_assert_ptr_nonnull(fgets(line, sizeof line, file));
    fclose(file);
    ck_assert_str_eq(line,
                     "repfold: a file became shorter while it was read [io]\n");
    free(second);
}
END_TEST

/* ---- The same bytes ---- */

/* One thing that must not matter. */
static const struct {
    const char *variable, *value;
    const char *threads;
    bool fixed_addresses;
} conditions[] = {
    {"LC_ALL", "tr_TR.UTF-8", "1", false},
    {"LC_ALL", "de_DE.UTF-8", "2", false},
    {"LC_ALL", "C", "3", true},
    {"TZ", "Pacific/Kiritimati", "1", true},
    {"HOME", "/nowhere", "2", false},
    {"MALLOC_PERTURB_", "165", "3", false},
    {"OMP_NUM_THREADS", "1", "1", false},
};
enum { CONDITIONS = sizeof conditions / sizeof *conditions };

static int condition;

static int convert_under_condition(void)
{
    if (conditions[condition].fixed_addresses &&
        personality(ADDR_NO_RANDOMIZE) < 0)
        return CANNOT;
    setenv(conditions[condition].variable, conditions[condition].value, 1);
    return REPFOLD("convert", cli_fixture(SMALL), "-o", "out.onnx", "--json",
                   "r.json", "--threads", conditions[condition].threads);
}

/* The locales themselves, where they can be made. */
static void make_locales(void)
{
    char command[512];
    snprintf(command, sizeof command,
             "cd %s && mkdir locales && for l in tr_TR de_DE; do "
             "localedef -i $l -f UTF-8 --no-archive "
             "locales/$l.UTF-8 2>/dev/null || exit 1; done",
             cli_path(""));
    if (system(command) != 0)
        printf("cli_files: without locales, which the package locales has\n");
    setenv("LOCPATH", cli_path("locales"), 1);
}

START_TEST(test_nothing_outside_changes_the_bytes)
{
    make_locales();
    ck_assert_int_eq(REPFOLD("convert", cli_fixture(SMALL), "-o", "out.onnx",
                             "--json", "r.json"),
                     0);
    ck_assert_int_eq(rename(cli_path("out.onnx"), cli_path("want.onnx")), 0);
    ck_assert_int_eq(rename(cli_path("r.json"), cli_path("want.json")), 0);
    for (condition = 0; condition < CONDITIONS; condition++) {
        ck_assert_int_eq(in_child(convert_under_condition), 0);
        ck_assert_msg(cli_same("out.onnx", "want.onnx"), "%s, the model",
                      conditions[condition].variable);
        ck_assert_msg(cli_same("r.json", "want.json"), "%s, the report",
                      conditions[condition].variable);
    }
}
END_TEST

Suite *suite_cli_files(void)
{
    Suite *suite = suite_create("cli_files");
    TCase *tcase = tcase_create("files");
    tcase_add_checked_fixture(tcase, cli_setup, cli_teardown);
    tcase_add_test(tcase, test_gzip_in_and_out);
    tcase_add_test(tcase, test_npz_inputs);
    tcase_add_test(tcase, test_npz_that_does_not_fit);
    tcase_add_test(tcase, test_report_over_a_file_of_a_folder);
    tcase_add_test(tcase, test_report_over_the_weights);
    tcase_add_test(tcase, test_external_data);
    tcase_add_test(tcase, test_external_data_of_a_stream);
    tcase_add_test(tcase, test_path_is_too_long);
    tcase_add_test(tcase, test_owner_and_mode_are_kept);
    tcase_add_test(tcase, test_in_place_through_links);
    tcase_add_test(tcase, test_output_is_the_input_by_a_mount);
    tcase_add_loop_test(tcase, test_closed_standard_streams, 0, 8);
    tcase_add_loop_test(tcase, test_signals_end_it_as_such, 0, 4);
    tcase_add_test(tcase, test_an_ignored_signal_stays_ignored);
    tcase_add_test(tcase, test_a_broken_pipe_is_trouble);
    tcase_add_test(tcase, test_a_file_that_shrinks_is_trouble);
    tcase_add_test(tcase, test_nothing_outside_changes_the_bytes);
    suite_add_tcase(suite, tcase);
    return suite;
}
