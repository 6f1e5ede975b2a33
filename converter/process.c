/* The process: its standard streams and the signals it gets. */
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "converter.h"

/* A file that is opened later must not become a standard stream. Reading from
 * these, or writing to them, is an error. */
static void fill_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

/* The caller sees which signal it was. */
static void end(int number)
{
    rp_cleanup();
    signal(number, SIG_DFL);
    raise(number);
}

/* A mapped file is shorter than it was. Reading all of each file first would
 * need all of its memory. */
static void end_of_file(int number)
{
    static const char line[] =
        "repfold: a file became shorter while it was read [io]\n";
    (void)number;
    rp_cleanup();
    if (write(STDERR_FILENO, line, sizeof line - 1) < 0)
        _exit(TROUBLE); /* all the same: there is nobody to tell */
    _exit(TROUBLE);
}

/* A signal that is ignored, as nohup has it, stays so. */
static void handle(int number, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler}, before;
    if (sigaction(number, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
        sigaction(number, &action, NULL);
}

void process_prepare(void)
{
    fill_standard_streams();
    /* A file that may not grow, or a pipe that nobody reads, is an error like
     * any other: it gets a line and status 2. */
    signal(SIGXFSZ, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    handle(SIGINT, end);
    handle(SIGTERM, end);
    handle(SIGHUP, end);
    handle(SIGQUIT, end);
    handle(SIGBUS, end_of_file);
}

void process_follow(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    /* It may have ended before that. */
    if (getppid() != parent)
        raise(SIGTERM);
}
