/*
 * What is left inside of the sandbox, tried from a process of its own. The
 * tests say so where the kernel has none.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../converter/sandbox.h"
#include "cli.h"
#include "suites.h"

/* True where the tests mean anything. */
static bool has(const char *part)
{
    if (strstr(sandbox_state(), part))
        return true;
    printf("sandbox: skipped: %s is needed, and there is %s\n", part,
           sandbox_state());
    return false;
}

/* Enters the sandbox for in/in.onnx and out/out.onnx in a child, and runs
 * `attempt` there, which gives 0 or an errno. */
static int try_inside(int (*attempt)(void))
{
    const char *reads[] = {cli_path("in/in.onnx"), "-"};
    const char *writes[] = {cli_path("out/out.onnx")};
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        if (sandbox_enter(&(Sandbox){reads, writes, 2, 1}))
            _exit(EXIT_FAILURE);
        _exit(attempt());
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status), "ended by signal %d", WTERMSIG(status));
    return WEXITSTATUS(status);
}

static int open_file(const char *path, int flags)
{
    int fd = open(path, flags, 0666);
    int problem = fd < 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
    return problem;
}

static void setup(void)
{
    cli_setup();
    ck_assert_int_eq(mkdir(cli_path("in"), 0777), 0);
    ck_assert_int_eq(mkdir(cli_path("out"), 0777), 0);
    cli_write("in/in.onnx", "model", 5);
    cli_write("in/weights", "bytes", 5);
    cli_write("other", "other", 5);
}

static int read_input(void)
{
    return open_file(cli_path("in/in.onnx"), O_RDONLY);
}

static int read_beside_the_input(void)
{
    return open_file(cli_path("in/weights"), O_RDONLY);
}

static int write_output(void)
{
    return open_file(cli_path("out/out.onnx"), O_WRONLY | O_CREAT);
}

/* As a file gets its name at last. */
static int name_output(void)
{
    char self[32];
    int fd = open(cli_path("out"), O_TMPFILE | O_WRONLY, 0666);
    if (fd < 0)
        return errno;
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    if (linkat(AT_FDCWD, self, AT_FDCWD, cli_path("out/temp"),
               AT_SYMLINK_FOLLOW) < 0)
        return errno;
    return rename(cli_path("out/temp"), cli_path("out/out.onnx")) < 0 ? errno
                                                                      : 0;
}

START_TEST(what_was_asked_for_can_be_done)
{
    ck_assert_int_eq(try_inside(read_input), 0);
    ck_assert_int_eq(try_inside(read_beside_the_input), 0);
    ck_assert_int_eq(try_inside(write_output), 0);
    ck_assert_int_eq(try_inside(name_output), 0);
}
END_TEST

static int read_another(void)
{
    return open_file(cli_path("other"), O_RDONLY);
}

static int read_passwords(void)
{
    return open_file("/etc/passwd", O_RDONLY);
}

static int write_the_input(void)
{
    return open_file(cli_path("in/in.onnx"), O_WRONLY);
}

static int make_beside_the_input(void)
{
    return open_file(cli_path("in/new"), O_WRONLY | O_CREAT);
}

static int read_environment(void)
{
    return open_file("/proc/self/environ", O_RDONLY);
}

static int list_processes(void)
{
    return open_file("/proc", O_RDONLY | O_DIRECTORY);
}

static int read_devices(void)
{
    return open_file("/sys/devices/system/cpu/cpu0/uevent", O_RDONLY);
}

static int count(void)
{
    bool counted =
        sysconf(_SC_PHYS_PAGES) > 0 && sysconf(_SC_NPROCESSORS_ONLN) > 0;
    return counted ? open_file("/proc/meminfo", O_RDONLY) : errno;
}

START_TEST(memory_and_processors_can_be_counted)
{
    ck_assert_int_eq(try_inside(count), 0);
}
END_TEST

START_TEST(other_files_are_out_of_reach)
{
    if (!has("Landlock"))
        return;
    ck_assert_int_eq(try_inside(read_environment), EACCES);
    ck_assert_int_eq(try_inside(list_processes), EACCES);
    ck_assert_int_eq(try_inside(read_devices), EACCES);
    ck_assert_int_eq(try_inside(read_another), EACCES);
    ck_assert_int_eq(try_inside(read_passwords), EACCES);
    ck_assert_int_eq(try_inside(write_the_input), EACCES);
    ck_assert_int_eq(try_inside(make_beside_the_input), EACCES);
}
END_TEST

static int open_socket(void)
{
    return socket(AF_INET, SOCK_STREAM, 0) < 0 ? errno : 0;
}

static int start_process(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    return child < 0 ? errno : 0;
}

static int run_program(void)
{
    execl("/bin/true", "true", (char *)NULL);
    return errno;
}

static int map_code(void)
{
    void *code = mmap(NULL, 4096, PROT_READ | PROT_EXEC,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return code == MAP_FAILED ? errno : 0;
}

static int make_code(void)
{
    void *data = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return mprotect(data, 4096, PROT_READ | PROT_EXEC) < 0 ? errno : 0;
}

START_TEST(programs_processes_the_network_and_code_are_refused)
{
    if (!has("seccomp"))
        return;
    ck_assert_int_eq(try_inside(open_socket), EPERM);
    ck_assert_int_eq(try_inside(start_process), EPERM);
    ck_assert_int_eq(try_inside(run_program), EPERM);
    ck_assert_int_eq(try_inside(map_code), EPERM);
    ck_assert_int_eq(try_inside(make_code), EPERM);
}
END_TEST

static void *do_nothing(void *argument)
{
    return argument;
}

static int start_thread(void)
{
    pthread_t thread;
    int problem = pthread_create(&thread, NULL, do_nothing, NULL);
    return problem ? problem : pthread_join(thread, NULL);
}

static int map_memory(void)
{
    void *data = mmap(NULL, 1 << 24, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return data == MAP_FAILED ? errno : 0;
}

START_TEST(threads_and_memory_are_left)
{
    ck_assert_int_eq(try_inside(start_thread), 0);
    ck_assert_int_eq(try_inside(map_memory), 0);
}
END_TEST

Suite *suite_sandbox(void)
{
    Suite *suite = suite_create("sandbox");
    TCase *tc = tcase_create("sandbox");
    tcase_add_checked_fixture(tc, setup, cli_teardown);
    tcase_add_test(tc, what_was_asked_for_can_be_done);
    tcase_add_test(tc, other_files_are_out_of_reach);
    tcase_add_test(tc, programs_processes_the_network_and_code_are_refused);
    tcase_add_test(tc, memory_and_processors_can_be_counted);
    tcase_add_test(tc, threads_and_memory_are_left);
    suite_add_tcase(suite, tc);
    return suite;
}
