#include "base/input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FIRST_READ = 1 << 20 };

/* Undone with the arena, however its owner ends. */
typedef struct Input {
    int fd; /* -1 when it is not ours to close */
    void *map;
    size_t size, most;
} Input;

static void input_close(void *object)
{
    Input *input = object;
    if (input->map)
        munmap(input->map, input->size);
    if (input->fd >= 0)
        close(input->fd);
}

static int input_map(Input *input, int fd, size_t size, Span *out, Err *err)
{
    *out = (Span){0};
    if (size > input->most)
        return err_set(err, ERR_BUDGET,
                       "%zu bytes are more than a file of this format can "
                       "have",
                       size);
    if (size == 0)
        return 0;
    void *map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return err_set(err, ERR_IO, "cannot map it: %s", strerror(errno));
    input->map = map;
    input->size = size;
    *out = (Span){map, size};
    return 0;
}

/* Reads up to `room` bytes; 0 is the end. */
static ssize_t read_some(int fd, uint8_t *bytes, size_t room)
{
    ssize_t got;
    do
        got = read(fd, bytes, room);
    while (got < 0 && errno == EINTR);
    return got;
}

/* What cannot be mapped: a pipe, a device. */
static int input_read(Arena *arena, int fd, size_t most, Span *out, Err *err)
{
    size_t size = 0, capacity = FIRST_READ;
    uint8_t *bytes = arena_block(arena, capacity, 1);
    ssize_t got;
    while ((got = read_some(fd, bytes + size, capacity - size)) > 0) {
        size += (size_t)got;
        if (size > most)
            return err_set(err, ERR_BUDGET,
                           "there are more bytes than a file of this format "
                           "can have");
        if (size < capacity)
            continue;
        uint8_t *larger = arena_block(arena, capacity * 2, 1);
        memcpy(larger, bytes, size);
        arena_release(bytes);
        bytes = larger;
        capacity *= 2;
    }
    if (got < 0)
        return err_set(err, ERR_IO, "cannot read it: %s", strerror(errno));
    *out = (Span){bytes, size};
    return 0;
}

static int input_bytes(Arena *arena, Input *input, int fd, InputFile *out,
                       Err *err)
{
    if (fstat(fd, &out->status) < 0)
        return err_set(err, ERR_IO, "cannot look at it: %s", strerror(errno));
    mode_t mode = out->status.st_mode;
    if (S_ISDIR(mode))
        return err_set(err, ERR_IO, "is a directory");
    /* Standard input may be a file that somebody has read a part of. */
    out->is_mapped = S_ISREG(mode) && lseek(fd, 0, SEEK_CUR) == 0;
    if (out->is_mapped)
        return input_map(input, fd, (size_t)out->status.st_size, &out->bytes,
                         err);
    return input_read(arena, fd, input->most, &out->bytes, err);
}

int input_open(Arena *arena, const char *path, size_t most, InputFile *out,
               Err *err)
{
    Input *input = arena_alloc(arena, sizeof *input);
    *input = (Input){.fd = -1, .most = most};
    arena_defer(arena, input_close, input);
    *out = (InputFile){0};
    if (strcmp(path, "-") == 0)
        return input_bytes(arena, input, STDIN_FILENO, out, err);
    input->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (input->fd < 0)
        return err_set(err, ERR_IO, "cannot open it: %s", strerror(errno));
    int status = input_bytes(arena, input, input->fd, out, err);
    close(input->fd);
    input->fd = -1;
    return status;
}
