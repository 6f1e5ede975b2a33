#include "cli.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

Cli cli;

static char folder[PATH_MAX], outside[PATH_MAX];

/* ---- Paths ---- */

static const char *join(const char *a, const char *b)
{
    static char ring[8][2 * PATH_MAX];
    static unsigned next;
    char *path = ring[next++ % 8];
    snprintf(path, sizeof ring[0], "%s/%s", a, b);
    return path;
}

const char *cli_source(const char *path)
{
    char here[PATH_MAX];
    ck_assert_ptr_nonnull(getcwd(here, sizeof here));
    return join(here, path);
}

const char *cli_fixture(const char *name)
{
    return cli_source(join("tests/fixtures", name));
}

const char *cli_path(const char *name)
{
    return name[0] == '/' ? name : join(folder, name);
}

/* The program lies beside the one that runs the tests. */
const char *cli_built(const char *program)
{
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    ck_assert_int_gt(length, 0);
    self[length] = '\0';
    *strrchr(self, '/') = '\0';
    return join(self, program);
}

/* ---- The folder ---- */

void cli_setup(void)
{
    strcpy(folder, "/tmp/repfold-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    /* What the program prints is kept where it cannot be counted. */
    strcpy(outside, "/tmp/repfold-out-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(outside));
}

static void remove_folder(const char *path)
{
    char entry_path[2 * PATH_MAX];
    DIR *dir = opendir(path);
    ck_assert_ptr_nonnull(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(entry_path, sizeof entry_path, "%s/%s", path, entry->d_name);
        if (unlink(entry_path) < 0)
            remove_folder(entry_path);
    }
    closedir(dir);
    rmdir(path);
}

void cli_teardown(void)
{
    remove_folder(folder);
    remove_folder(outside);
}

int cli_count(void)
{
    int count = 0;
    DIR *dir = opendir(folder);
    ck_assert_ptr_nonnull(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count - 2;
}

/* ---- Running ---- */

static void redirect(const char *path, int flags, int fd)
{
    int file = open(path, flags, 0666);
    if (file < 0 || dup2(file, fd) < 0)
        _exit(125);
    close(file);
}

static void slurp(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "rb");
    size_t length = file ? fread(text, 1, size - 1, file) : 0;
    text[length] = '\0';
    if (file)
        fclose(file);
}

static void exec_program(const char *program, const char *const *arguments)
{
    const char *argv[64] = {program};
    for (int i = 0; arguments[i] && i < 62; i++)
        argv[i + 1] = arguments[i];
    if (chdir(folder) == 0)
        execv(program, (char *const *)argv);
    _exit(126);
}

static void run_child(const char *program, const char *input,
                      const char *output, const char *const *arguments)
{
    redirect(input ? input : "/dev/null", O_RDONLY, STDIN_FILENO);
    redirect(output, O_WRONLY | O_CREAT | O_TRUNC, STDOUT_FILENO);
    redirect(join(outside, "stderr"), O_WRONLY | O_CREAT | O_TRUNC,
             STDERR_FILENO);
    exec_program(program, arguments);
}

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + 1e-6 * (double)time.tv_usec;
}

static int wait_child(pid_t child)
{
    int status;
    struct rusage usage;
    ck_assert_int_gt(child, 0);
    ck_assert_int_eq(wait4(child, &status, 0, &usage), child);
    cli.seconds = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
    cli.peak = (size_t)usage.ru_maxrss * 1024;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run_program(const char *program, const char *input,
                       const char *output, const char *const *arguments)
{
    const char *captured = join(outside, "stdout");
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        run_child(program, input, output ? output : captured, arguments);
    cli.status = wait_child(child);
    cli.out[0] = '\0';
    if (!output)
        slurp(captured, cli.out, sizeof cli.out);
    slurp(join(outside, "stderr"), cli.err, sizeof cli.err);
    return cli.status;
}

int cli_run(const char *const *arguments)
{
    return run_program(cli_built("repfold"), NULL, NULL, arguments);
}

int cli_run_with(const char *input, const char *output,
                 const char *const *arguments)
{
    return run_program(cli_built("repfold"), input ? cli_path(input) : NULL,
                       output ? cli_path(output) : NULL, arguments);
}

int cli_run_terminal(const char *const *arguments)
{
    int terminal;
    size_t used = 0;
    const char *program = cli_built("repfold");
    fflush(NULL);
    pid_t child = forkpty(&terminal, NULL, NULL, NULL);
    if (child == 0)
        exec_program(program, arguments);
    /* When the other side closes, a terminal's read fails instead of ending. */
    for (ssize_t got = 1; got > 0 && used < sizeof cli.out - 1;) {
        got = read(terminal, cli.out + used, sizeof cli.out - 1 - used);
        used += got > 0 ? (size_t)got : 0;
    }
    cli.out[used] = cli.err[0] = '\0';
    close(terminal);
    return cli.status = wait_child(child);
}

int cli_program(const char *program, const char *const *arguments)
{
    return run_program(cli_built(program), NULL, NULL, arguments);
}

int cli_command(const char *path, const char *const *arguments)
{
    return run_program(path, NULL, NULL, arguments);
}

/* ---- Files ---- */

void cli_write(const char *name, const void *bytes, size_t size)
{
    FILE *file = fopen(cli_path(name), "wb");
    ck_assert_ptr_nonnull(file);
    if (size > 0)
        ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

char *cli_read(const char *name, size_t *size)
{
    struct stat info;
    FILE *file = fopen(cli_path(name), "rb");
    if (!file)
        return NULL;
    ck_assert_int_eq(fstat(fileno(file), &info), 0);
    *size = (size_t)info.st_size;
    char *bytes = malloc(*size + 1);
    ck_assert_ptr_nonnull(bytes);
    ck_assert_uint_eq(fread(bytes, 1, *size, file), *size);
    bytes[*size] = '\0';
    fclose(file);
    return bytes;
}

char *cli_text(const char *name)
{
    size_t size;
    char *text = cli_read(name, &size);
    ck_assert_msg(text, "%s is not there", name);
    ck_assert_uint_eq(strlen(text), size);
    return text;
}

int cli_occurrences(const char *text, const char *what)
{
    int count = 0;
    for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
        count++;
    return count;
}

bool cli_exists(const char *name)
{
    return access(cli_path(name), F_OK) == 0;
}

bool cli_same(const char *a, const char *b)
{
    size_t size_a = 0, size_b = 0;
    char *x = cli_read(a, &size_a), *y = cli_read(b, &size_b);
    bool same = x && y && size_a == size_b && memcmp(x, y, size_a) == 0;
    free(x);
    free(y);
    return same;
}

/* ---- Assertions ---- */

void cli_assert_trouble(const char *code, const char *text)
{
    char ending[64];
    snprintf(ending, sizeof ending, " [%s]\n", code);
    size_t length = strlen(cli.err), tail = strlen(ending);
    ck_assert_msg(cli.status == 2, "status %d, not 2: %s", cli.status, cli.err);
    ck_assert_str_eq(cli.out, "");
    ck_assert_msg(strncmp(cli.err, "repfold: ", 9) == 0 && length > tail &&
                      strcmp(cli.err + length - tail, ending) == 0,
                  "not an error line with%s: %s", ending, cli.err);
    ck_assert_msg(strchr(cli.err, '\n') == cli.err + length - 1,
                  "more than one line: %s", cli.err);
    ck_assert_msg(strstr(cli.err, text), "\"%s\" is not in: %s", text, cli.err);
}

void cli_assert_json_code(const char *report, const char *code)
{
    char want[64];
    char *text = cli_text(report);
    snprintf(want, sizeof want, "\"code\": \"%s\"", code);
    ck_assert_msg(strstr(text, "\"error\"") && strstr(text, want),
                  "no %s in: %s", want, text);
    free(text);
}
