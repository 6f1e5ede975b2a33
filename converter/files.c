/* Files besides models: where a report goes, and what must not be written. */
#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "converter.h"
#include "sandbox.h"

bool is_stdout(const char *path)
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
        status = trouble_say(options, "io", path, "folder %.200s: %s", parent,
                             strerror(errno));
    else if (!S_ISDIR(info.st_mode))
        status =
            trouble_say(options, "io", path, "%.200s is not a folder", parent);
    free(copy);
    return status;
}

int output_check(const Options *options, const char *path)
{
    struct stat info;
    size_t length = strlen(path);
    if (is_stdout(path))
        return 0;
    if (stat(path, &info) < 0 && errno == ENOENT && length > 0 &&
        path[length - 1] == '/')
        return trouble_say(options, "io", path, "is not the name of a file");
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

/* Where a file would be made: in which folder, under which name. */
typedef struct Place {
    dev_t device;
    ino_t folder;
    char name[NAME_MAX + 1];
} Place;

/* Links that lead to nothing yet are followed. False where nothing can be made.
 */
static bool place_find(const char *path, Place *place)
{
    enum { LINKS_MAX = 8 };
    char at[PATH_MAX], parent[PATH_MAX], name[PATH_MAX], target[PATH_MAX];
    if (snprintf(at, sizeof at, "%s", path) >= (int)sizeof at)
        return false;
    for (int links = 0; links < LINKS_MAX; links++) {
        struct stat info;
        strcpy(parent, at);
        strcpy(name, at);
        const char *folder = dirname(parent), *last = basename(name);
        ssize_t length = readlink(at, target, sizeof target - 1);
        if (length < 0) {
            if (stat(folder, &info) < 0 || strlen(last) > NAME_MAX)
                return false;
            *place = (Place){.device = info.st_dev, .folder = info.st_ino};
            strcpy(place->name, last);
            return true;
        }
        target[length] = '\0';
        if (snprintf(at, sizeof at, "%s%s%s", target[0] == '/' ? "" : folder,
                     target[0] == '/' ? "" : "/", target) >= (int)sizeof at)
            return false;
    }
    return false;
}

static bool same_place(const char *a, const char *b)
{
    Place x, y;
    return place_find(a, &x) && place_find(b, &y) && x.device == y.device &&
           x.folder == y.folder && strcmp(x.name, y.name) == 0;
}

/* By whatever names; devices may be written twice. */
static bool same_file(const char *a, const char *b)
{
    struct stat x, y;
    if (is_stdout(a) || is_stdout(b))
        return is_stdout(a) && is_stdout(b);
    bool exists_a = stat(a, &x) == 0, exists_b = stat(b, &y) == 0;
    if (exists_a && exists_b)
        return S_ISREG(x.st_mode) && x.st_dev == y.st_dev &&
               x.st_ino == y.st_ino;
    return !exists_a && !exists_b && same_place(a, b);
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

/* The file that FILE.npz:ARRAY is read from; false for any other. */
static bool npz_part(const char *path, char file[PATH_MAX])
{
    const char *array = strstr(path, ".npz:");
    size_t length = array ? (size_t)(array - path) + strlen(".npz") : PATH_MAX;
    if (length >= PATH_MAX)
        return false;
    memcpy(file, path, length);
    file[length] = '\0';
    return true;
}

static bool exists(const char *path)
{
    char file[PATH_MAX];
    return is_stdout(path) || access(path, F_OK) == 0 ||
           (npz_part(path, file) && access(file, F_OK) == 0);
}

static bool has_folder(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    if (!slash)
        return true;
    int length =
        snprintf(folder, sizeof folder, "%.*s/.", (int)(slash - path), path);
    return length < (int)sizeof folder && access(folder, F_OK) == 0;
}

/* Both may hold '=', and only the model knows its names: it is what is there,
 * or else what could be made. */
const char *file_part(const char *pair)
{
    const char *first = strchr(pair, '='), *made = NULL;
    for (const char *at = first; at; at = strchr(at + 1, '=')) {
        if (exists(at + 1))
            return at + 1;
        if (!made && has_folder(at + 1))
            made = at + 1;
    }
    return made ? made : first ? first + 1 : pair;
}

FILE *report_stream(const Options *options)
{
    const char *paths[REPORT_MAX];
    size_t count = reports_list(options, paths);
    bool taken = options->stdout_taken ||
                 (options->output && is_stdout(options->output));
    for (size_t i = 0; i < count; i++)
        taken |= is_stdout(paths[i]);
    for (size_t i = 0; i < options->outputs.count; i++)
        taken |= is_stdout(file_part(options->outputs.items[i]));
    return taken ? stderr : stdout;
}

typedef struct Paths {
    const char **reads, **writes;
    size_t read_count, write_count;
    char **archives; /* some of the reads */
    size_t archive_count;
} Paths;

/* Where a model is written to; NULL for none. */
static const char *model_target(const Options *options)
{
    bool replaces = options->in_place && options->files.count == 1;
    return options->output ? options->output
           : replaces      ? options->files.items[0]
                           : NULL;
}

/* As it is called, and the archive that an array may be in. */
static void list_input(const char *file, Paths *paths)
{
    char archive[PATH_MAX];
    paths->reads[paths->read_count++] = file;
    if (!npz_part(file, archive))
        return;
    char *copy = paths->archives[paths->archive_count++] = strdup(archive);
    if (copy)
        paths->reads[paths->read_count++] = copy;
}

static void list_paths(const Options *options, Paths *paths)
{
    if (options->certificate)
        paths->reads[paths->read_count++] = options->certificate;
    if (options->data_dir)
        paths->reads[paths->read_count++] = options->data_dir;
    if (options->images)
        paths->reads[paths->read_count++] = options->images;
    if (options->external_dir)
        paths->reads[paths->read_count++] = options->external_dir;
    for (size_t i = 0; i < options->data_dirs.count; i++)
        paths->reads[paths->read_count++] = options->data_dirs.items[i];
    for (size_t i = 0; i < options->files.count; i++)
        paths->reads[paths->read_count++] = options->files.items[i];
    for (size_t i = 0; i < options->inputs.count; i++)
        list_input(file_part(options->inputs.items[i]), paths);
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

/* Whether the path is one of the files that are read from a folder. */
static bool folder_holds(const char *folder, const char *path)
{
    DIR *entries = opendir(folder);
    char file[PATH_MAX];
    bool found = false;
    for (const struct dirent *entry;
         entries && !found && (entry = readdir(entries));) {
        const char *dot = strrchr(entry->d_name, '.');
        bool is_data = dot && strcmp(dot, ".pb") == 0;
        int length =
            snprintf(file, sizeof file, "%s/%s", folder, entry->d_name);
        found = (is_data || image_is_named(entry->d_name)) &&
                length < (int)sizeof file && same_file(path, file);
    }
    if (entries)
        closedir(entries);
    return found;
}

int weights_spared(const Options *options, const rp_model *model,
                   rp_error *error)
{
    const char *paths[REPORT_MAX];
    size_t count = reports_list(options, paths);
    for (size_t i = 0; i < count + options->outputs.count; i++) {
        const char *path =
            i < count ? paths[i] : file_part(options->outputs.items[i - count]);
        if (!rp_uses_file(model, path))
            continue;
        *error = (rp_error){
            .code = "same-file",
            .message = "holds weights of the model and would be overwritten"};
        snprintf(error->where, sizeof error->where, "%s", path);
        return -1;
    }
    return 0;
}

/* No report may go where the clash is. */
static int clash(const Options *options, const char *code, const char *path,
                 const char *what)
{
    Options safe = *options;
    reports_only_printed(&safe);
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
            if (!is_stdout(path) && (same_file(path, paths->reads[k]) ||
                                     folder_holds(paths->reads[k], path)))
                return clash(options, "same-file", path,
                             "is an input and would be overwritten");
    }
    return 0;
}

/* All that the command line names, for `use`. */
static int with_paths(const Options *options,
                      int (*use)(const Options *, const Paths *))
{
    enum { SINGLE = 5 }; /* the certificate, the data folders, the output */
    size_t count = options->files.count + 2 * options->inputs.count +
                   options->outputs.count + options->data_dirs.count +
                   REPORT_MAX + SINGLE;
    Paths paths = {.reads = calloc(count, sizeof(char *)),
                   .writes = calloc(count, sizeof(char *)),
                   .archives = calloc(count, sizeof(char *))};
    bool whole = paths.reads && paths.writes && paths.archives;
    if (whole)
        list_paths(options, &paths);
    for (size_t i = 0; i < paths.archive_count; i++)
        whole = whole && paths.archives[i];
    int status = whole ? use(options, &paths)
                       : clash(options, "memory", "", "out of memory");
    for (size_t i = 0; i < paths.archive_count; i++)
        free(paths.archives[i]);
    free(paths.archives);
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
    Sandbox sandbox = {paths->reads, paths->writes, paths->read_count,
                       paths->write_count};
    const char *path = options->no_sandbox ? NULL : sandbox_enter(&sandbox);
    return path ? trouble_say(options, "io", path, "cannot open its folder: %s",
                              strerror(errno))
                : 0;
}

int files_only(const Options *options)
{
    return with_paths(options, enter);
}

/* ---- Reports ---- */

int bytes_save(const char *path, const char *bytes, size_t size,
               rp_error *error)
{
    if (!is_stdout(path))
        return rp_write_file(path, bytes, size, error);
    /* What is printed there comes in the right order. */
    if (fwrite(bytes, 1, size, stdout) == size)
        return 0;
    error->code = "io";
    snprintf(error->message, sizeof error->message, "%s", strerror(errno));
    return -1;
}
