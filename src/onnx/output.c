#include "onnx/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "onnx/leftover.h"

enum { BUFFER_SIZE = 1 << 20, WRITE_SIZE = 8 << 20, TRIES = 100 };
enum { HOLE_LEAST = 1 << 20 };

static int fail(Err *err, const char *what)
{
    return err_set(err, ERR_IO, "%s: %s", what,
                   errno == EFAULT ? "the input became shorter meanwhile"
                                   : strerror(errno));
}

static void drop_temp(Output *output)
{
    if (output->temp[0])
        unlinkat(output->folder_fd, output->temp, 0);
    output->temp[0] = '\0';
    leftover_forget(&output->slot);
}

/* Those that were made, from the last one up; one that others use stays. */
static void drop_folders(Output *output)
{
    char *path = output->made;
    size_t length = path ? strlen(path) : 0;
    while (path &&
           unlinkat(output->first->folder_fd, path, AT_REMOVEDIR) == 0 &&
           length > output->made_from) {
        while (path[length] != '/')
            length--;
        path[length] = '\0';
    }
    output->made = NULL;
}

/* Undoes what is not finished; also when a failed allocation unwinds. */
static void output_abandon(void *object)
{
    Output *output = object;
    drop_temp(output);
    if (output->is_named)
        unlinkat(output->folder_fd, output->name, 0);
    drop_folders(output);
    if (output->fd > STDERR_FILENO)
        close(output->fd);
    if (output->lock_fd >= 0)
        close(output->lock_fd);
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

/* ---- Writing ---- */

/* The disk may begin while the rest is still computed. It only helps: errors
 * are fsync's to tell. */
static void start_writeback(Output *output, ssize_t size)
{
    if (output->is_stream)
        return;
    sync_file_range(output->fd, output->written, size, SYNC_FILE_RANGE_WRITE);
    output->written += size;
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
}

/* A long run of zeros is left out: the file has a hole there, or what was
 * reserved for it. */
static ssize_t write_some(Output *output, const uint8_t *bytes, size_t size)
{
    output->ends_in_hole = !output->is_stream && size >= HOLE_LEAST &&
                           is_zero(bytes, size) &&
                           lseek(output->fd, (off_t)size, SEEK_CUR) >= 0;
    return output->ends_in_hole ? (ssize_t)size
                                : write(output->fd, bytes, size);
}

static int write_all(Output *output, const uint8_t *bytes, size_t size,
                     Err *err)
{
    while (size > 0) {
        size_t most = size < WRITE_SIZE ? size : WRITE_SIZE;
        ssize_t done = write_some(output, bytes, most);
        if (done > 0) {
            start_writeback(output, done);
            bytes += done;
            size -= (size_t)done;
        } else if (done == 0) {
            return err_set(err, ERR_IO, "takes no more bytes");
        } else if (errno == EAGAIN) {
            poll(&(struct pollfd){output->fd, POLLOUT, 0}, 1, -1);
        } else if (errno != EINTR) {
            return fail(err, "cannot write");
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

int output_reserve(Output *output, uint64_t size, Err *err)
{
    if (output->is_stream || size == 0)
        return 0;
    bool full = fallocate(output->fd, 0, 0, (off_t)size) < 0 &&
                (errno == ENOSPC || errno == EDQUOT || errno == EFBIG);
    return full ? fail(err, "cannot write") : 0;
}

/* ---- The target ---- */

/* Splits the path into folder and name, links followed to their end. */
static int resolve(Output *output, const char *path, Err *err)
{
    struct stat link;
    char real[PATH_MAX];
    bool exists = realpath(path, real) != NULL;
    const char *target = exists ? real : path;
    if (!exists && errno != ENOENT)
        return fail(err, "cannot be written");
    /* A pipe that a shell calls /dev/fd/N is in no folder. */
    if (!exists && lstat(path, &link) == 0 && stat(path, &link) < 0)
        return err_set(err, ERR_IO, "is a link to nowhere");
    const char *slash = strrchr(target, '/');
    size_t length = slash ? (size_t)(slash - target) : 0;
    output->name = arena_strdup(output->arena, slash ? slash + 1 : target);
    output->folder = slash ? arena_strndup(output->arena, target, length + 1)
                           : arena_strdup(output->arena, ".");
    if (!output->name[0] || strlen(output->name) > OUTPUT_NAME_LIMIT)
        return err_set(err, ERR_IO, "is not the name of a file");
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
                       "is the input itself: name another output, or ask for "
                       "it to be replaced in place");
    return 0;
}

/* Looks at what is there already. */
static int check_target(Output *output, const SaveOptions *options, Err *err)
{
    output->exists =
        fstatat(output->folder_fd, output->name, &output->old, 0) == 0;
    if (!output->exists)
        return errno == ENOENT ? 0 : fail(err, "cannot be written");
    mode_t mode = output->old.st_mode;
    if (S_ISDIR(mode))
        return err_set(err, ERR_IO, "is a directory");
    output->is_stream = S_ISFIFO(mode) || S_ISCHR(mode);
    if (output->is_stream)
        return 0;
    if (!S_ISREG(mode))
        return err_set(err, ERR_IO, "is not a regular file");
    /* A rename would replace a file that is protected against writing. */
    if (faccessat(output->folder_fd, output->name, W_OK, AT_EACCESS) < 0)
        return fail(err, "cannot be written");
    return check_input(output, options, err);
}

/* A device or a FIFO is written to as it is, and never replaced. */
static int open_stream(Output *output, Err *err)
{
    int fd = openat(output->folder_fd, output->name,
                    O_WRONLY | O_CLOEXEC | O_NOCTTY);
    output->fd = out_of_the_way(fd);
    return output->fd < 0 ? fail(err, "cannot open it") : 0;
}

/* ---- Temporary files ---- */

/* The modes of creat(2), so that the umask applies; an old file's own mode is
 * set before it gets its name. */
enum { MODE_NEW = 0666, MODE_PRIVATE = 0600 };

/* A name that nobody else has, noted before the file has it: a signal handler
 * must find it. */
static void new_temp_name(Output *output)
{
    leftover_name(output->name, output->temp);
    leftover_note(&output->slot, output->folder_fd, output->temp);
}

/* The lock says that somebody still works on the file. Where there are no
 * locks, nobody takes a file for a left-over either. */
static void lock_temp(Output *output)
{
    output->lock_fd = fcntl(output->fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (output->lock_fd >= 0)
        flock(output->lock_fd, LOCK_EX);
}

static int try_named_temp(Output *output, mode_t mode)
{
    struct stat status;
    new_temp_name(output);
    int fd = openat(output->folder_fd, output->temp,
                    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    output->fd = out_of_the_way(fd);
    if (output->fd < 0) {
        leftover_forget(&output->slot);
        output->temp[0] = '\0';
        return -1;
    }
    lock_temp(output);
    /* Before it was locked, somebody may have taken it for a left-over. */
    if (fstat(output->fd, &status) < 0 || status.st_nlink > 0)
        return 0;
    close(output->fd);
    close(output->lock_fd);
    output->fd = output->lock_fd = -1;
    errno = EEXIST;
    return -1;
}

static int open_named_temp(Output *output, mode_t mode, Err *err)
{
    for (int i = 0; i < TRIES; i++) {
        if (try_named_temp(output, mode) == 0)
            return 0;
        if (errno != EEXIST)
            break;
    }
    return fail(err, "cannot be made");
}

static int open_temp(Output *output, Err *err)
{
    mode_t mode = output->exists ? MODE_PRIVATE : MODE_NEW;
    int fd = -1;
    leftover_remove(output->folder_fd, output->name);
    /* Without /proc it could not be given a name later. */
    if (access("/proc/self/fd", X_OK) == 0)
        fd = openat(output->folder_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC,
                    mode);
    output->fd = out_of_the_way(fd);
    if (output->fd < 0)
        return open_named_temp(output, mode, err);
    lock_temp(output);
    return 0;
}

/* ---- Finishing ---- */

/* Where that is not allowed, it is as well when it belongs to its maker. */
static int give(const Output *output, uid_t owner, gid_t group)
{
    return fchown(output->fd, owner, group) < 0 && errno != EPERM &&
                   errno != EINVAL
               ? -1
               : 0;
}

/* Owner, group and mode of the file that is replaced. Who is in another group
 * may do no more than everybody. */
static int keep_mode(const Output *output, Err *err)
{
    struct stat now;
    const struct stat *old = &output->old;
    mode_t mode = old->st_mode & 0777;
    if (!output->exists)
        return 0;
    if (give(output, old->st_uid, (gid_t)-1) < 0 ||
        give(output, (uid_t)-1, old->st_gid) < 0 || fstat(output->fd, &now) < 0)
        return fail(err, "cannot set its owner");
    if (now.st_gid != old->st_gid)
        mode &= S_IRWXU | S_IRWXO | (mode & S_IRWXO) << 3;
    if (fchmod(output->fd, mode) < 0)
        return fail(err, "cannot set its mode");
    return 0;
}

int output_complete(Output *output, Err *err)
{
    TRY(output_flush(output, err));
    if (output->is_stream)
        return 0;
    if (output->ends_in_hole &&
        ftruncate(output->fd, lseek(output->fd, 0, SEEK_CUR)) < 0)
        return fail(err, "cannot write");
    TRY(keep_mode(output, err));
    /* Never tried again: the kernel may have dropped what it could not write,
     * and would then report success. */
    return fsync(output->fd) < 0 ? fail(err, "cannot write") : 0;
}

/* Gives a file without a name that one. */
static int link_to(const Output *output, const char *name)
{
    char self[32];
    snprintf(self, sizeof self, "/proc/self/fd/%d", output->fd);
    return linkat(AT_FDCWD, self, output->folder_fd, name, AT_SYMLINK_FOLLOW);
}

static int give_temp_a_name(Output *output, Err *err)
{
    for (int i = 0; i < TRIES; i++) {
        new_temp_name(output);
        if (link_to(output, output->temp) == 0)
            return 0;
        leftover_forget(&output->slot);
        if (errno != EEXIST)
            break;
    }
    output->temp[0] = '\0';
    return fail(err, "cannot be named");
}

/* A link, unlike a rename, replaces nothing. */
static int name_fresh(Output *output, Err *err)
{
    int status = output->temp[0] ? linkat(output->folder_fd, output->temp,
                                          output->folder_fd, output->name, 0)
                                 : link_to(output, output->name);
    if (status < 0)
        return fail(err, "cannot be named");
    output->is_named = true;
    drop_temp(output);
    return 0;
}

static int name_replacing(Output *output, Err *err)
{
    if (!output->temp[0])
        TRY(give_temp_a_name(output, err));
    int fd = output->fd;
    output->fd = -1;
    if (close(fd) < 0)
        return fail(err, "cannot close");
    if (renameat(output->folder_fd, output->temp, output->folder_fd,
                 output->name) < 0)
        return fail(err, "cannot be replaced");
    output->temp[0] = '\0';
    leftover_forget(&output->slot);
    return 0;
}

static int name_one(Output *output, Err *err)
{
    if (output->is_stream)
        return 0;
    return output->is_fresh ? name_fresh(output, err)
                            : name_replacing(output, err);
}

/* EINVAL: a file system that does not sync folders. */
static bool sync_folder(const Output *output)
{
    return output->is_stream || fsync(output->folder_fd) == 0 ||
           errno == EINVAL;
}

/* The last one may replace a file: by then the others are there to stay. */
static int name_all(Output *const *outputs, size_t count, Err *err)
{
    for (size_t i = 0; i + 1 < count; i++)
        TRY(name_one(outputs[i], err));
    for (size_t i = 0; i + 1 < count; i++)
        if (!sync_folder(outputs[i]))
            return fail(err, "cannot write the folder of its data");
    TRY(name_one(outputs[count - 1], err));
    for (size_t i = 0; i < count; i++) {
        outputs[i]->is_named = false;
        outputs[i]->made = NULL;
    }
    return 0;
}

static void undo_names(Output *const *outputs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        drop_temp(outputs[i]);
        if (outputs[i]->is_named)
            unlinkat(outputs[i]->folder_fd, outputs[i]->name, 0);
        outputs[i]->is_named = false;
    }
}

/* Signals wait while files have temporary names, or some have theirs and
 * others not, so that nothing stays. */
int output_publish(Output *const *outputs, size_t count, Err *err)
{
    sigset_t before;
    leftover_block(&before);
    int status = name_all(outputs, count, err);
    if (status < 0)
        undo_names(outputs, count);
    leftover_unblock(&before);
    if (status == 0 && !sync_folder(outputs[count - 1]))
        return fail(err, "is in place, but may not survive a power cut");
    return status;
}

/* ---- Opening ---- */

static int open_standard_output(Output *output, Err *err)
{
    output->fd = STDOUT_FILENO;
    output->is_stream = true;
    if (isatty(STDOUT_FILENO))
        return err_set(err, ERR_IO,
                       "is a terminal, which nothing is written to");
    return 0;
}

static int open_folder(Output *output, const char *folder, Err *err)
{
    output->folder_fd =
        out_of_the_way(open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return output->folder_fd < 0 ? fail(err, "cannot open its folder") : 0;
}

static int open_target(Output *output, const char *path,
                       const SaveOptions *options, Err *err)
{
    TRY(resolve(output, path, err));
    TRY(open_folder(output, output->folder, err));
    TRY(check_target(output, options, err));
    return output->is_stream ? open_stream(output, err)
                             : open_temp(output, err);
}

static Output *output_new(Arena *arena)
{
    Output *output = arena_alloc(arena, sizeof *output);
    *output = (Output){
        .sink = {output_write},
        .arena = arena,
        .folder_fd = -1,
        .fd = -1,
        .lock_fd = -1,
        .slot = -1,
        .buffer = arena_block(arena, BUFFER_SIZE, 1),
    };
    arena_defer(arena, output_abandon, output);
    return output;
}

int output_open(Arena *arena, const char *path, const SaveOptions *options,
                Output **out, Err *err)
{
    *out = output_new(arena);
    return strcmp(path, "-") == 0 ? open_standard_output(*out, err)
                                  : open_target(*out, path, options, err);
}

/* The folder is there, or is noted as made. `end` is where its path ends. */
static int make_folder(Output *output, const char *path, const char *part,
                       size_t end)
{
    char *made = output->made ? output->made
                              : arena_alloc(output->arena, strlen(path) + 1);
    if (mkdirat(output->folder_fd, part, 0777) < 0)
        return errno == EEXIST ? 0 : -1;
    if (!output->made)
        output->made_from = end;
    memcpy(made, path, end);
    made[end] = '\0';
    output->made = made;
    return sync_folder(output) ? 0 : -1;
}

/* Goes down along the path, making the folders that are not there. The path
 * comes from the model, so it follows no links. */
static int enter_folder(Output *output, const char *path, Err *err)
{
    for (const char *at = path; *at;) {
        size_t length = strcspn(at, "/");
        const char *part = arena_strndup(output->arena, at, length);
        int parent = output->folder_fd;
        if (make_folder(output, path, part, (size_t)(at - path) + length) < 0)
            return fail(err, "cannot make a folder for its data");
        output->folder_fd = openat(
            parent, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int problem = errno;
        close(parent);
        errno = problem;
        if (output->folder_fd < 0)
            return fail(err, "cannot open the folder of its data");
        at += length + (at[length] == '/');
    }
    return 0;
}

int output_open_beside(const Output *first, const char *folder, Output **out,
                       Err *err)
{
    Output *output = *out = output_new(first->arena);
    output->first = first;
    output->folder = first->folder;
    output->name = first->name;
    output->is_fresh = true;
    output->folder_fd =
        openat(first->folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (output->folder_fd < 0)
        return fail(err, "cannot open its folder");
    TRY(enter_folder(output, folder, err));
    return open_temp(output, err);
}
