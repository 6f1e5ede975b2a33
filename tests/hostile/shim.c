/*
 * Preloaded into the program: the n-th call of one function fails.
 *
 *     FAULT=malloc:17:12     the 17th allocation, with errno 12
 *     FAULT_FD=9             where the number of calls goes at the end
 *
 * 0 fails none, and so only counts.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

/* The C library's own, which work before dlsym does. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static char function[32];
static long fails_at;
static int fault;
static atomic_long calls;

__attribute__((constructor)) static void read_environment(void)
{
    const char *text = getenv("FAULT");
    if (text &&
        sscanf(text, "%31[^:]:%ld:%d", function, &fails_at, &fault) != 3)
        function[0] = '\0';
}

__attribute__((destructor)) static void tell_count(void)
{
    char text[32];
    const char *fd = getenv("FAULT_FD");
    int length = snprintf(text, sizeof text, "%ld\n", atomic_load(&calls));
    if (fd && pwrite(atoi(fd), text, (size_t)length, 0) < 0)
        _exit(99);
}

static bool fails(const char *name)
{
    if (strcmp(function, name) != 0 ||
        atomic_fetch_add(&calls, 1) + 1 != fails_at)
        return false;
    errno = fault;
    return true;
}

void *malloc(size_t size)
{
    return fails("malloc") ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails("malloc") ? NULL : __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    return fails("malloc") ? NULL : __libc_realloc(memory, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return fails("malloc") ? NULL : __libc_memalign(alignment, size);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t read(int fd, void *bytes, size_t size)
{
    return fails("read") ? -1 : NEXT(read)(fd, bytes, size);
}

/* Half of what was asked for is no fault, but must be noticed. */
ssize_t write(int fd, const void *bytes, size_t size)
{
    if (!fails("write"))
        return NEXT(write)(fd, bytes, size);
    return fault == 0 ? NEXT(write)(fd, bytes, size / 2 + 1) : -1;
}

int fsync(int fd)
{
    return fails("fsync") ? -1 : NEXT(fsync)(fd);
}

/* The descriptor is closed all the same, as the kernel does it. */
int close(int fd)
{
    int status = NEXT(close)(fd);
    return fails("close") ? -1 : status;
}

int renameat(int from, const char *a, int to, const char *b)
{
    return fails("rename") ? -1 : NEXT(renameat)(from, a, to, b);
}

int linkat(int from, const char *a, int to, const char *b, int flags)
{
    return fails("link") ? -1 : NEXT(linkat)(from, a, to, b, flags);
}

int fchmod(int fd, mode_t mode)
{
    return fails("chmod") ? -1 : NEXT(fchmod)(fd, mode);
}

void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t from)
{
    return fails("mmap") ? MAP_FAILED
                         : NEXT(mmap)(at, size, protection, flags, fd, from);
}

int open(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    mode_t mode = va_arg(more, mode_t);
    va_end(more);
    return fails("open") ? -1 : NEXT(open)(path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    mode_t mode = va_arg(more, mode_t);
    va_end(more);
    return fails("open") ? -1 : NEXT(openat)(folder, path, flags, mode);
}
