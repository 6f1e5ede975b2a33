#include "base/machine.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_MAX = 8192, PATH_LENGTH_MAX = 4096 };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static size_t memory;

/* As much of a small file as fits; empty where it cannot be read. */
static void read_text(const char *path, char text[static TEXT_MAX])
{
    size_t size = 0;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    for (ssize_t got = 1; file >= 0 && got > 0 && size < TEXT_MAX - 1;) {
        got = read(file, text + size, TEXT_MAX - 1 - size);
        size += got > 0 ? (size_t)got : 0;
    }
    text[size] = '\0';
    if (file >= 0)
        close(file);
}

/* The number of bytes in a file; SIZE_MAX for "max", and for none. */
static size_t read_limit(const char *folder, const char *name)
{
    char path[PATH_LENGTH_MAX], text[TEXT_MAX], *end;
    int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    if (length < 0 || (size_t)length >= sizeof path)
        return SIZE_MAX;
    read_text(path, text);
    unsigned long long limit = strtoull(text, &end, 10);
    return end == text || limit > SIZE_MAX ? SIZE_MAX : (size_t)limit;
}

/* A limit holds for all groups below. In a container the path of its group may
 * be one of the host's, and its own group is the mount itself. */
static size_t least_limit(const char *mount, const char *group,
                          const char *name)
{
    char folder[PATH_LENGTH_MAX];
    size_t least = SIZE_MAX, start = strlen(mount);
    int length = snprintf(folder, sizeof folder, "%s%s", mount, group);
    if (length < 0 || (size_t)length >= sizeof folder)
        return SIZE_MAX;
    for (;;) {
        size_t limit = read_limit(folder, name);
        least = limit < least ? limit : least;
        char *last = strrchr(folder + start, '/');
        if (!last)
            return least;
        *last = '\0';
    }
}

static bool has_word(const char *list, const char *word)
{
    size_t size = strlen(word);
    for (; list; list = strchr(list, ',')) {
        list += *list == ',';
        if (strncmp(list, word, size) == 0 &&
            (list[size] == ',' || list[size] == '\0'))
            return true;
    }
    return false;
}

/* A line of cgroups(7): ID:CONTROLLERS:PATH, without controllers in version
 * 2. */
static size_t line_limit(char *line, const char *mounts)
{
    char mount[PATH_LENGTH_MAX];
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group)
        return SIZE_MAX;
    *group++ = '\0';
    controllers++;
    if (!controllers[0])
        return least_limit(mounts, group, "memory.max");
    if (!has_word(controllers, "memory"))
        return SIZE_MAX;
    int length = snprintf(mount, sizeof mount, "%s/memory", mounts);
    return length < 0 || (size_t)length >= sizeof mount
               ? SIZE_MAX
               : least_limit(mount, group, "memory.limit_in_bytes");
}

size_t cgroup_memory(const char *membership, const char *mounts)
{
    char text[TEXT_MAX], *rest = text, *line;
    size_t least = SIZE_MAX;
    read_text(membership, text);
    while ((line = strsep(&rest, "\n")) != NULL) {
        size_t limit = line_limit(line, mounts);
        least = limit < least ? limit : least;
    }
    return least;
}

static void look(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    size_t group = cgroup_memory("/proc/self/cgroup", "/sys/fs/cgroup");
    memory = SIZE_MAX;
    if (pages > 0 && size > 0)
        memory = (size_t)pages * (size_t)size;
    if (group < memory)
        memory = group;
}

size_t machine_memory(void)
{
    pthread_once(&once, look);
    return memory;
}
