/*
 * What the program gives up before it reads bytes that it does not trust:
 * files other than those that it was asked to read and write (Landlock), and
 * everything that a conversion has no use for: other programs, processes, the
 * network, new code (seccomp).
 */
#ifndef REPFOLD_SANDBOX_H
#define REPFOLD_SANDBOX_H

#include <stddef.h>

typedef struct Sandbox {
    /* Files and folders. What a file to read stands beside may be read, since
     * a model may keep its weights there; where a file is to be written, files
     * may be made. "-" is none. */
    const char *const *reads, *const *writes;
    size_t read_count, write_count;
} Sandbox;

/* For this process and all its threads to come. What the kernel does not know
 * is left out: a sandbox is no promise, and its absence no error. NULL, or the
 * path for which the process has no descriptor or memory left, as errno says;
 * it is not inside then. */
const char *sandbox_enter(const Sandbox *sandbox);

/* What of it is in force now, or would be, in words. */
const char *sandbox_state(void);

#endif
