#include "child.h"

#include <check.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* Writes down which lines ran; only there where that is measured. */
void __gcov_dump(void) __attribute__((weak));

int in_child(int (*run)(void))
{
    int status;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        status = run();
        if (__gcov_dump)
            __gcov_dump();
        _exit(status);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void become_nobody(void)
{
    enum { NOBODY = 65534 };
    if (geteuid() != 0)
        return;
    ck_assert_int_eq(setgid(NOBODY), 0);
    ck_assert_int_eq(setuid(NOBODY), 0);
}
