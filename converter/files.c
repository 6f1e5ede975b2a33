/* Files besides models: where a report goes, and what must not be written. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "converter.h"
#include "sandbox.h"

static bool is_stdout(const char *path)
{
    return strcmp(path, "-") == 0;
}

/* ---- Checks before the work ---- */

static int parent_check(const Options *options, const char *path)
{
    struct stat info;
    char *copy = strdup(path);
    if (!copy)
        return trouble_say(options, "memory", path, "out of memory");
    const char *parent = dirname(copy);
    int status = 0;
    if (stat(parent, &info) < 0)
        status = trouble_say(options, "io", path, "folder %s: %s", parent,
                             strerror(errno));
    else if (!S_ISDIR(info.st_mode))
        status = trouble_say(options, "io", path, "%s is not a folder", parent);
    free(copy);
    return status;
}

int output_check(const Options *options, const char *path)
{
    struct stat info;
    if (is_stdout(path))
        return 0;
    if (stat(path, &info) < 0)
        return parent_check(options, path);
    if (S_ISDIR(info.st_mode))
        return trouble_say(options, "io", path, "is a folder, not a file");
    return 0;
}

int output_needed(const Options *options)
{
    if (!options->output)
        return trouble_say(options, "usage", "",
                           "where to? give --output FILE");
    return output_check(options, options->output);
}

/* Two paths that do not exist yet are the same when they are spelled alike;
 * devices may be written twice. */
static bool same_file(const char *a, const char *b)
{
    struct stat x, y;
    if (is_stdout(a) || is_stdout(b))
        return is_stdout(a) && is_stdout(b);
    bool exists_a = stat(a, &x) == 0, exists_b = stat(b, &y) == 0;
    if (exists_a && exists_b)
        return S_ISREG(x.st_mode) && x.st_dev == y.st_dev &&
               x.st_ino == y.st_ino;
    return !exists_a && !exists_b && strcmp(a, b) == 0;
}

enum { REPORT_MAX = 4 };

static size_t reports_list(const Options *options, const char **paths)
{
    const char *all[REPORT_MAX] = {options->json, options->junit,
                                   options->sarif, options->html};
    size_t count = 0;
    for (size_t i = 0; i < REPORT_MAX; i++)
        if (all[i])
            paths[count++] = all[i];
    return count;
}

int reports_check(const Options *options)
{
    const char *paths[REPORT_MAX];
    size_t count = reports_list(options, paths);
    int status = 0;
    for (size_t i = 0; i < count && status == 0; i++)
        status = output_check(options, paths[i]);
    return status;
}

/* FILE of NAME=FILE. */
static const char *file_part(const char *pair)
{
    const char *equals = strrchr(pair, '=');
    return equals ? equals + 1 : pair;
}

typedef struct Paths {
    const char **reads, **writes;
    size_t read_count, write_count;
} Paths;

/* Where a model is written to; NULL for none. */
static const char *model_target(const Options *options)
{
    bool replaces = options->in_place && options->files.count == 1;
    return options->output ? options->output
           : replaces      ? options->files.items[0]
                           : NULL;
}

static void list_paths(const Options *options, Paths *paths)
{
    if (options->certificate)
        paths->reads[paths->read_count++] = options->certificate;
    if (options->data_dir)
        paths->reads[paths->read_count++] = options->data_dir;
    if (options->external_dir)
        paths->reads[paths->read_count++] = options->external_dir;
    for (size_t i = 0; i < options->files.count; i++)
        paths->reads[paths->read_count++] = options->files.items[i];
    for (size_t i = 0; i < options->inputs.count; i++)
        paths->reads[paths->read_count++] = file_part(options->inputs.items[i]);
    const char *reports[REPORT_MAX];
    size_t count = reports_list(options, reports);
    for (size_t i = 0; i < count; i++)
        paths->writes[paths->write_count++] = reports[i];
    for (size_t i = 0; i < options->outputs.count; i++)
        paths->writes[paths->write_count++] =
            file_part(options->outputs.items[i]);
    /* Whether the model may replace its input is the library's to say. */
    if (model_target(options))
        paths->writes[paths->write_count++] = model_target(options);
}

/* The error object must not go where the clash is. */
static int clash(const Options *options, const char *code, const char *path,
                 const char *what)
{
    Options safe = *options;
    if (safe.json && !is_stdout(safe.json))
        safe.json = NULL;
    return trouble_say(&safe, code, path, "%s", what);
}

static int find_clash(const Options *options, const Paths *paths)
{
    size_t reports = paths->write_count - (model_target(options) != NULL);
    for (size_t i = 0; i < paths->write_count; i++) {
        const char *path = paths->writes[i];
        for (size_t k = 0; k < i; k++)
            if (same_file(path, paths->writes[k]))
                return clash(options, "usage", path,
                             "two outputs would go to the same file");
        for (size_t k = 0; i < reports && k < paths->read_count; k++)
            if (!is_stdout(path) && same_file(path, paths->reads[k]))
                return clash(options, "same-file", path,
                             "is an input and would be overwritten");
    }
    return 0;
}

/* All that the command line names, for `use`. */
static int with_paths(const Options *options,
                      int (*use)(const Options *, const Paths *))
{
    enum { SINGLE = 4 }; /* the certificate, the data folders, the output */
    size_t count = options->files.count + options->inputs.count +
                   options->outputs.count + REPORT_MAX + SINGLE;
    Paths paths = {.reads = calloc(count, sizeof(char *)),
                   .writes = calloc(count, sizeof(char *))};
    int status;
    if (paths.reads && paths.writes) {
        list_paths(options, &paths);
        status = use(options, &paths);
    } else {
        status = clash(options, "memory", "", "out of memory");
    }
    free(paths.reads);
    free(paths.writes);
    return status;
}

int outputs_differ(const Options *options)
{
    return with_paths(options, find_clash);
}

static int enter(const Options *options, const Paths *paths)
{
    if (!options->no_sandbox)
        sandbox_enter(&(Sandbox){paths->reads, paths->writes, paths->read_count,
                                 paths->write_count});
    return 0;
}

int files_only(const Options *options)
{
    return with_paths(options, enter);
}

/* ---- Reports ---- */

static int write_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, bytes, size);
        if (written < 0 && errno != EINTR)
            return -1;
        if (written > 0) {
            bytes += written;
            size -= (size_t)written;
        }
    }
    return 0;
}

/* A file that is there is replaced when the new one is complete. */
static int replace_file(const char *path, const char *bytes, size_t size)
{
    char temporary[4096];
    int length = snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
    if (length < 0 || (size_t)length >= sizeof temporary) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int fd = mkstemp(temporary);
    if (fd < 0)
        return -1;
    mode_t mask = umask(0);
    umask(mask);
    int failed = write_all(fd, bytes, size) < 0 || fchmod(fd, 0666 & ~mask) < 0;
    failed |= close(fd) < 0;
    if (!failed && rename(temporary, path) == 0)
        return 0;
    int why = errno;
    unlink(temporary);
    errno = why;
    return -1;
}

static int stream_file(const char *path, const char *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int failed = write_all(fd, bytes, size) < 0;
    return close(fd) < 0 || failed ? -1 : 0;
}

int bytes_save(const char *path, const char *bytes, size_t size)
{
    struct stat info;
    if (is_stdout(path))
        return fwrite(bytes, 1, size, stdout) == size ? 0 : -1;
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode))
        return stream_file(path, bytes, size);
    return replace_file(path, bytes, size);
}
