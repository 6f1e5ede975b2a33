/*
 * A file is whole or absent.  It is written under no name at all (O_TMPFILE)
 * or a temporary one in the folder of the target, synced, renamed over the
 * target, and the folder is synced: whatever happens, and whenever, the target
 * is the old file or the new one.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "graph/dump.h"
#include "onnx/onnx.h"

enum {
    BUFFER_SIZE = 1 << 20,
    WRITE_SIZE = 8 << 20,
    NAME_LIMIT = 255,
    TRIES = 100
};

typedef struct Output {
    Sink sink; /* first: the sink is the output */
    Arena *arena;
    const char *path; /* as the user named it, escaped */
    char *folder, *name;
    struct stat old; /* of the target, when `exists` */
    bool exists, is_stream;
    int folder_fd, fd;         /* -1 when not open */
    char temp[NAME_LIMIT + 1]; /* "" while the file has no name */
    off_t written;
    uint8_t *buffer;
    size_t buffered;
} Output;

static int fail(const Output *output, Err *err, const char *what)
{
    return err_set(err, ERR_IO, "%s: %s: %s", output->path, what,
                   strerror(errno));
}

/* Undoes what is not finished; also when a failed allocation unwinds. */
static void output_abandon(void *object)
{
    Output *output = object;
    if (output->temp[0])
        unlinkat(output->folder_fd, output->temp, 0);
    if (output->fd > STDERR_FILENO)
        close(output->fd);
    if (output->folder_fd >= 0)
        close(output->folder_fd);
}

/* A standard descriptor that happens to be free must stay free: whoever prints
 * to it would print into the file. */
static int out_of_the_way(int fd)
{
    if (fd < 0 || fd > STDERR_FILENO)
        return fd;
    int higher = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int problem = errno;
    close(fd);
    errno = problem;
    return higher;
}

/* The disk may begin while the rest is still computed. It only helps: errors
 * are fsync's to tell. */
static void start_writeback(Output *output, ssize_t size)
{
    if (output->is_stream)
        return;
    sync_file_range(output->fd, output->written, size, SYNC_FILE_RANGE_WRITE);
    output->written += size;
}

static int write_all(Output *output, const uint8_t *bytes, size_t size,
                     Err *err)
{
    while (size > 0) {
        size_t most = size < WRITE_SIZE ? size : WRITE_SIZE;
        ssize_t done = write(output->fd, bytes, most);
        if (done > 0) {
            start_writeback(output, done);
            bytes += done;
            size -= (size_t)done;
        } else if (done == 0) {
            return err_set(err, ERR_IO, "%s: takes no more bytes",
                           output->path);
        } else if (errno == EAGAIN) {
            poll(&(struct pollfd){output->fd, POLLOUT, 0}, 1, -1);
        } else if (errno != EINTR) {
            return fail(output, err, "cannot write");
        }
    }
    return 0;
}

static int output_flush(Output *output, Err *err)
{
    size_t size = output->buffered;
    output->buffered = 0;
    return write_all(output, output->buffer, size, err);
}

/* Small pieces are gathered, big ones go out from where they are. */
static int output_write(Sink *sink, const void *bytes, size_t size, Err *err)
{
    Output *output = (Output *)sink;
    if (size > BUFFER_SIZE - output->buffered)
        TRY(output_flush(output, err));
    if (size >= BUFFER_SIZE)
        return write_all(output, bytes, size, err);
    memcpy(output->buffer + output->buffered, bytes, size);
    output->buffered += size;
    return 0;
}

/* Splits the path into folder and name, links followed to their end. */
static int resolve(Output *output, const char *path, Err *err)
{
    struct stat link;
    char real[PATH_MAX];
    bool exists = realpath(path, real) != NULL;
    const char *target = exists ? real : path;
    if (!exists && errno != ENOENT)
        return fail(output, err, "cannot be written");
    if (!exists && lstat(path, &link) == 0)
        return err_set(err, ERR_IO, "%s: is a link to nowhere", output->path);
    const char *slash = strrchr(target, '/');
    size_t length = slash ? (size_t)(slash - target) : 0;
    output->name = arena_strdup(output->arena, slash ? slash + 1 : target);
    output->folder = slash ? arena_strndup(output->arena, target, length + 1)
                           : arena_strdup(output->arena, ".");
    if (!output->name[0] || strlen(output->name) > NAME_LIMIT)
        return err_set(err, ERR_IO, "%s: is not the name of a file",
                       output->path);
    return 0;
}

/* What the output must not be. */
static int check_input(const Output *output, const SaveOptions *options,
                       Err *err)
{
    struct stat input;
    if (!options->input_path || options->in_place)
        return 0;
    int found = strcmp(options->input_path, "-") == 0
                    ? fstat(STDIN_FILENO, &input)
                    : stat(options->input_path, &input);
    if (found == 0 && input.st_dev == output->old.st_dev &&
        input.st_ino == output->old.st_ino)
        return err_set(err, ERR_SAME_FILE,
                       "%s: is the input itself: name another output, or ask "
                       "for it to be replaced in place",
                       output->path);
    return 0;
}

/* Looks at what is there already. */
static int check_target(Output *output, const SaveOptions *options, Err *err)
{
    output->exists =
        fstatat(output->folder_fd, output->name, &output->old, 0) == 0;
    if (!output->exists)
        return errno == ENOENT ? 0 : fail(output, err, "cannot be written");
    mode_t mode = output->old.st_mode;
    if (S_ISDIR(mode))
        return err_set(err, ERR_IO, "%s: is a directory", output->path);
    output->is_stream = S_ISFIFO(mode) || S_ISCHR(mode);
    if (output->is_stream)
        return 0;
    if (!S_ISREG(mode))
        return err_set(err, ERR_IO, "%s: is not a regular file", output->path);
    /* A rename would replace a file that is protected against writing. */
    if (faccessat(output->folder_fd, output->name, W_OK, AT_EACCESS) < 0)
        return fail(output, err, "cannot be written");
    return check_input(output, options, err);
}

/* A device or a FIFO is written to as it is, and never replaced. */
static int open_stream(Output *output, Err *err)
{
    int fd = openat(output->folder_fd, output->name,
                    O_WRONLY | O_CLOEXEC | O_NOCTTY);
    output->fd = out_of_the_way(fd);
    return output->fd < 0 ? fail(output, err, "cannot open it") : 0;
}

/* A name nobody else has, as long as the file system allows. */
static void temp_name(Output *output)
{
    unsigned char random[8];
    /* Uniqueness is O_EXCL's affair; this only has to differ. */
    if (getrandom(random, sizeof random, GRND_NONBLOCK) < 0)
        memcpy(random, &output, sizeof random);
    char suffix[2 * sizeof random + 1];
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(suffix + 2 * i, 3, "%02x", random[i]);
    int shown = NAME_LIMIT - 2 - (int)strlen(suffix);
    snprintf(output->temp, sizeof output->temp, ".%.*s.%s", shown, output->name,
             suffix);
}

/* The modes of creat(2), so that the umask applies; an old file's own mode is
 * set before it gets its name. */
enum { MODE_NEW = 0666, MODE_PRIVATE = 0600 };

static int open_named_temp(Output *output, mode_t mode, Err *err)
{
    int fd = -1;
    for (int i = 0; fd < 0 && i < TRIES; i++) {
        temp_name(output);
        fd = openat(output->folder_fd, output->temp,
                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
        if (fd < 0 && errno != EEXIST)
            break;
    }
    if (fd < 0) {
        output->temp[0] = '\0';
        return fail(output, err, "cannot be made");
    }
    output->fd = out_of_the_way(fd);
    return output->fd < 0 ? fail(output, err, "cannot be made") : 0;
}

static int open_temp(Output *output, Err *err)
{
    mode_t mode = output->exists ? MODE_PRIVATE : MODE_NEW;
    int fd = -1;
    /* Without /proc it could not be given a name later. */
    if (access("/proc/self/fd", X_OK) == 0)
        fd = openat(output->folder_fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC,
                    mode);
    output->fd = out_of_the_way(fd);
    return output->fd < 0 ? open_named_temp(output, mode, err) : 0;
}

/* A full disk is better found before the work than after it. */
static int reserve(const Output *output, size_t size, Err *err)
{
    if (output->is_stream || size == 0)
        return 0;
    bool full = fallocate(output->fd, 0, 0, (off_t)size) < 0 &&
                (errno == ENOSPC || errno == EDQUOT || errno == EFBIG);
    return full ? fail(output, err, "cannot write") : 0;
}

/* Owner and mode of the file that is replaced. The owner is kept where that is
 * allowed; a copy that belongs to its maker is right as well. */
static int keep_mode(const Output *output, Err *err)
{
    if (!output->exists)
        return 0;
    if (fchown(output->fd, output->old.st_uid, output->old.st_gid) < 0 &&
        errno != EPERM && errno != EINVAL)
        return fail(output, err, "cannot set its owner");
    if (fchmod(output->fd, output->old.st_mode & 0777) < 0)
        return fail(output, err, "cannot set its mode");
    return 0;
}

static int give_temp_a_name(Output *output, Err *err)
{
    char self[32];
    snprintf(self, sizeof self, "/proc/self/fd/%d", output->fd);
    for (int i = 0; i < TRIES; i++) {
        temp_name(output);
        if (linkat(AT_FDCWD, self, output->folder_fd, output->temp,
                   AT_SYMLINK_FOLLOW) == 0)
            return 0;
        if (errno != EEXIST)
            break;
    }
    output->temp[0] = '\0';
    return fail(output, err, "cannot be named");
}

static int output_rename(Output *output, Err *err)
{
    if (!output->temp[0])
        TRY(give_temp_a_name(output, err));
    int fd = output->fd;
    output->fd = -1;
    if (close(fd) < 0)
        return fail(output, err, "cannot close");
    if (renameat(output->folder_fd, output->temp, output->folder_fd,
                 output->name) < 0)
        return fail(output, err, "cannot be replaced");
    output->temp[0] = '\0';
    return 0;
}

/* Signals wait while a file has its temporary name, so that none stays. */
static int output_publish(Output *output, Err *err)
{
    sigset_t blocked, before;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGINT);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGHUP);
    sigaddset(&blocked, SIGQUIT);
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    int status = output_rename(output, err);
    if (status < 0 && output->temp[0] &&
        unlinkat(output->folder_fd, output->temp, 0) == 0)
        output->temp[0] = '\0';
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}

static int output_finish(Output *output, Err *err)
{
    TRY(output_flush(output, err));
    if (output->is_stream)
        return 0;
    TRY(keep_mode(output, err));
    /* Never tried again: the kernel may have dropped what it could not write,
     * and would then report success. */
    if (fsync(output->fd) < 0)
        return fail(output, err, "cannot write");
    TRY(output_publish(output, err));
    /* EINVAL: a file system that does not sync folders. */
    if (fsync(output->folder_fd) < 0 && errno != EINVAL)
        return fail(output, err,
                    "is in place, but may not survive a power cut");
    return 0;
}

static int open_standard_output(Output *output, Err *err)
{
    output->fd = STDOUT_FILENO;
    output->is_stream = true;
    if (isatty(STDOUT_FILENO))
        return err_set(err, ERR_IO,
                       "%s: is a terminal, which nothing is written to",
                       output->path);
    return 0;
}

static int open_target(Output *output, const char *path,
                       const SaveOptions *options, Err *err)
{
    TRY(resolve(output, path, err));
    output->folder_fd = out_of_the_way(
        open(output->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (output->folder_fd < 0)
        return fail(output, err, "cannot open its folder");
    TRY(check_target(output, options, err));
    return output->is_stream ? open_stream(output, err)
                             : open_temp(output, err);
}

static const char *path_text(Arena *arena, const char *path)
{
    if (strcmp(path, "-") == 0)
        return "standard output";
    Text text = {.arena = arena};
    text_escaped(&text, path);
    return text.bytes;
}

static int output_open(Arena *arena, const char *path,
                       const SaveOptions *options, Output **out, Err *err)
{
    Output *output = arena_alloc(arena, sizeof *output);
    *output = (Output){
        .sink = {output_write},
        .arena = arena,
        .path = path_text(arena, path),
        .folder_fd = -1,
        .fd = -1,
        .buffer = arena_block(arena, BUFFER_SIZE, 1),
    };
    arena_defer(arena, output_abandon, output);
    *out = output;
    return strcmp(path, "-") == 0 ? open_standard_output(output, err)
                                  : open_target(output, path, options, err);
}

/* A model, or ready bytes. */
typedef struct Content {
    const Model *model;
    const void *bytes;
    size_t size;
} Content;

static int save(Arena *arena, const char *path, const SaveOptions *options,
                const Content *content, Err *err)
{
    Output *output;
    TRY(output_open(arena, path, options, &output, err));
    TRY(reserve(output, content->size, err));
    if (content->model)
        TRY(model_write(content->model, &output->sink, err));
    else
        TRY(output_write(&output->sink, content->bytes, content->size, err));
    return output_finish(output, err);
}

int model_save(const Model *model, const char *path, const SaveOptions *options,
               Err *err)
{
    static const SaveOptions defaults = {0};
    Content content = {.model = model};
    TRY(model_written_size(model, &content.size, err));
    Arena *arena = arena_child(model->arena);
    int status =
        save(arena, path, options ? options : &defaults, &content, err);
    arena_free(arena);
    return status;
}

int file_save(Arena *arena, const char *path, const void *bytes, size_t size,
              Err *err)
{
    SaveOptions options = {0};
    Content content = {.bytes = bytes, .size = size};
    Arena *scratch = arena_child(arena);
    int status = save(scratch, path, &options, &content, err);
    arena_free(scratch);
    return status;
}
