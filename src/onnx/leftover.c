#include "onnx/leftover.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

enum { RANDOM = 8, SUFFIX = 2 * RANDOM };

/* Of the name itself as much as leaves room for the rest. */
static int stem_length(const char *name)
{
    size_t most = OUTPUT_NAME_LIMIT - 2 - SUFFIX, length = strlen(name);
    return (int)(length < most ? length : most);
}

void leftover_name(const char *name, char temp[OUTPUT_NAME_LIMIT + 1])
{
    unsigned char random[RANDOM];
    /* Uniqueness is O_EXCL's affair; this only has to differ. */
    if (getrandom(random, sizeof random, GRND_NONBLOCK) < 0)
        memcpy(random, &temp, sizeof random);
    char suffix[SUFFIX + 1];
    for (size_t i = 0; i < RANDOM; i++)
        snprintf(suffix + 2 * i, 3, "%02x", random[i]);
    snprintf(temp, OUTPUT_NAME_LIMIT + 1, ".%.*s.%s", stem_length(name), name,
             suffix);
}

/* ---- Those of others ---- */

static bool is_temp_of(const char *entry, const char *name)
{
    size_t stem = (size_t)stem_length(name);
    return strlen(entry) == stem + 2 + SUFFIX && entry[0] == '.' &&
           strncmp(entry + 1, name, stem) == 0 && entry[stem + 1] == '.' &&
           strspn(entry + stem + 2, "0123456789abcdef") == SUFFIX;
}

static void remove_unless_locked(int folder_fd, const char *temp)
{
    int fd =
        openat(folder_fd, temp, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        unlinkat(folder_fd, temp, 0);
    close(fd);
}

void leftover_remove(int folder_fd, const char *name)
{
    int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (!folder && fd >= 0)
        close(fd);
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        if (is_temp_of(entry->d_name, name))
            remove_unless_locked(folder_fd, entry->d_name);
    if (folder)
        closedir(folder);
}

/* ---- Our own ---- */

enum { FREE, TAKEN, FILLED };

/* A handler may come at any moment, and threads save at once. */
static struct Slot {
    int state;
    int folder_fd;
    char temp[OUTPUT_NAME_LIMIT + 1];
} slots[16];

void leftover_note(int *slot, int folder_fd, const char *temp)
{
    leftover_forget(slot);
    for (int i = 0; i < (int)(sizeof slots / sizeof *slots); i++) {
        int expected = FREE;
        if (!__atomic_compare_exchange_n(&slots[i].state, &expected, TAKEN,
                                         false, __ATOMIC_SEQ_CST,
                                         __ATOMIC_SEQ_CST))
            continue;
        slots[i].folder_fd = folder_fd;
        memcpy(slots[i].temp, temp, strlen(temp) + 1);
        __atomic_store_n(&slots[i].state, FILLED, __ATOMIC_SEQ_CST);
        *slot = i;
        return;
    }
}

void leftover_forget(int *slot)
{
    if (*slot >= 0)
        __atomic_store_n(&slots[*slot].state, FREE, __ATOMIC_SEQ_CST);
    *slot = -1;
}

void save_cleanup(void)
{
    for (size_t i = 0; i < sizeof slots / sizeof *slots; i++)
        if (__atomic_load_n(&slots[i].state, __ATOMIC_SEQ_CST) == FILLED)
            unlinkat(slots[i].folder_fd, slots[i].temp, 0);
}

void leftover_block(sigset_t *before)
{
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGINT);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGHUP);
    sigaddset(&blocked, SIGQUIT);
    pthread_sigmask(SIG_BLOCK, &blocked, before);
}

void leftover_unblock(const sigset_t *before)
{
    pthread_sigmask(SIG_SETMASK, before, NULL);
}
