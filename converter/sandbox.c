#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A sanitizer's run-time starts processes and opens what it likes. */
#if defined(__SANITIZE_ADDRESS__) || defined(REPFOLD_NO_SANDBOX)
enum { AVAILABLE = false };
#else
enum { AVAILABLE = true };
#endif

/* ---- Files: Landlock ---- */

/* The rights that the first version had, and two that came later. */
enum {
    READ = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
    WRITE = READ | LANDLOCK_ACCESS_FS_WRITE_FILE |
            LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |
            LANDLOCK_ACCESS_FS_MAKE_DIR,
    HANDLED = 0x1fff,
    REFER = 1 << 13,   /* version 2 */
    TRUNCATE = 1 << 14 /* version 3 */
};

static int landlock_version(void)
{
    return (int)syscall(SYS_landlock_create_ruleset, NULL, 0,
                        LANDLOCK_CREATE_RULESET_VERSION);
}

static uint64_t handled(int version)
{
    uint64_t later = (version >= 2 ? REFER : 0) | (version >= 3 ? TRUNCATE : 0);
    return HANDLED | later;
}

/* False where the process has no descriptor or memory left for that: without
 * its rule the path would be refused, as if it were somebody else's. What is
 * not there needs none. */
static bool allow(int ruleset, const char *path, uint64_t rights)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = rights};
    rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
    if (rule.parent_fd < 0)
        return errno != EMFILE && errno != ENFILE && errno != ENOMEM;
    syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule,
            0);
    close(rule.parent_fd);
    return true;
}

/* The folder that a path is in, or the folder that it is; links are followed,
 * as they will be when it is opened. */
static bool allow_around(int ruleset, const char *path, uint64_t rights)
{
    char real[PATH_MAX], copy[PATH_MAX];
    struct stat info;
    if (strcmp(path, "-") == 0 || strlen(path) >= sizeof copy)
        return true;
    strcpy(copy, path);
    if (!allow(ruleset, dirname(copy), rights))
        return false;
    if (!realpath(path, real))
        return true;
    bool is_folder = stat(real, &info) == 0 && S_ISDIR(info.st_mode);
    return allow(ruleset, is_folder ? real : dirname(real), rights);
}

/* Where memory and processors are counted, by the C library and by machine.c.
 * A file that is written gets its name through /proc, but nothing is opened
 * there. */
static const char *const counted[] = {
    "/proc/meminfo",  "/proc/sys/vm/overcommit_memory", "/proc/self/cgroup",
    "/sys/fs/cgroup", "/sys/devices/system/cpu/online",
};

/* NULL, or the path that could not be allowed. */
static const char *fill_ruleset(int ruleset, const Sandbox *sandbox,
                                uint64_t all)
{
    for (size_t i = 0; i < sandbox->read_count; i++)
        if (!allow_around(ruleset, sandbox->reads[i], READ))
            return sandbox->reads[i];
    for (size_t i = 0; i < sandbox->write_count; i++)
        if (!allow_around(ruleset, sandbox->writes[i],
                          (WRITE | REFER | TRUNCATE) & all))
            return sandbox->writes[i];
    for (size_t i = 0; i < sizeof counted / sizeof *counted; i++)
        if (!allow(ruleset, counted[i], LANDLOCK_ACCESS_FS_READ_FILE))
            return counted[i];
    return NULL;
}

static const char *restrict_files(const Sandbox *sandbox)
{
    int version = landlock_version();
    if (version < 1)
        return NULL;
    uint64_t all = handled(version);
    struct landlock_ruleset_attr attributes = {.handled_access_fs = all};
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes,
                               sizeof attributes.handled_access_fs, 0);
    if (ruleset < 0)
        return NULL;
    const char *fault = fill_ruleset(ruleset, sandbox, all);
    int problem = errno;
    if (!fault)
        syscall(SYS_landlock_restrict_self, ruleset, 0);
    close(ruleset);
    errno = problem;
    return fault;
}

/* ---- Everything else: seccomp ---- */

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#define ARCHITECTURE 0
#endif

/* What computing, reading and writing files and ending take. */
static const int allowed[] = {
    SYS_read,
    SYS_write,
    SYS_readv,
    SYS_writev,
    SYS_pread64,
    SYS_pwrite64,
    SYS_lseek,
    SYS_close,
    SYS_fstat,
    SYS_newfstatat,
    SYS_statx,
    SYS_fcntl,
    SYS_dup,
    SYS_ioctl,
    SYS_ppoll,
    SYS_openat,
    SYS_openat2,
    SYS_faccessat,
    SYS_faccessat2,
    SYS_readlinkat,
    SYS_getdents64,
    SYS_getcwd,
    SYS_fsync,
    SYS_fdatasync,
    SYS_sync_file_range,
    SYS_fallocate,
    SYS_ftruncate,
    SYS_fadvise64,
    SYS_copy_file_range,
    SYS_fchmod,
    SYS_fchown,
    SYS_umask,
    SYS_linkat,
    SYS_renameat2,
    SYS_unlinkat,
    SYS_mkdirat,
    SYS_flock,
    SYS_munmap,
    SYS_mremap,
    SYS_madvise,
    SYS_brk,
    SYS_futex,
    SYS_set_robust_list,
    SYS_rseq,
    SYS_sched_yield,
    SYS_sched_getaffinity,
    SYS_membarrier,
    SYS_gettid,
    SYS_getpid,
    SYS_tgkill,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_sigaltstack,
    SYS_restart_syscall,
    SYS_clock_gettime,
    SYS_clock_nanosleep,
    SYS_nanosleep,
    SYS_gettimeofday,
    SYS_getrandom,
    SYS_getrusage,
    SYS_sysinfo,
    SYS_uname,
    SYS_prlimit64,
    SYS_geteuid,
    SYS_getuid,
    SYS_exit,
    SYS_exit_group,
#ifdef __x86_64__
    SYS_open,
    SYS_stat,
    SYS_lstat,
    SYS_access,
    SYS_readlink,
    SYS_poll,
    SYS_rename,
    SYS_unlink,
    SYS_time,
#endif
#ifdef SYS_renameat
    SYS_renameat,
#endif
};

enum {
    ALLOWED = sizeof allowed / sizeof *allowed,
    /* Of the filter, besides two instructions for each of those. */
    FRAME = 24
};

typedef struct Filter {
    struct sock_filter code[2 * ALLOWED + FRAME];
    unsigned short length;
} Filter;

static void emit(Filter *filter, uint16_t code, uint32_t operand, uint8_t yes,
                 uint8_t no)
{
    filter->code[filter->length++] =
        (struct sock_filter){code, yes, no, operand};
}

static void load(Filter *filter, size_t offset)
{
    emit(filter, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void answer(Filter *filter, uint32_t with)
{
    emit(filter, BPF_RET | BPF_K, with, 0, 0);
}

/* The answer for one system call, where a bit of an argument decides: `with`
 * it, and `without`. The low half of an argument comes first on both
 * architectures. */
static void answer_by_bit(Filter *filter, int call, int argument, uint32_t bit,
                          uint32_t with, uint32_t without)
{
    emit(filter, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 4);
    load(filter, offsetof(struct seccomp_data, args) +
                     (size_t)argument * sizeof(uint64_t));
    emit(filter, BPF_JMP | BPF_JSET | BPF_K, bit, 0, 1);
    answer(filter, with);
    answer(filter, without);
}

static void restrict_calls(void)
{
    const uint32_t refuse = SECCOMP_RET_ERRNO | EPERM;
    Filter filter = {.length = 0};
    load(&filter, offsetof(struct seccomp_data, arch));
    emit(&filter, BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
    answer(&filter, refuse);
    load(&filter, offsetof(struct seccomp_data, nr));
    /* Threads, but no processes. clone3 keeps its flags in memory, where a
     * filter cannot look; without it the C library takes clone. */
    emit(&filter, BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1);
    answer(&filter, SECCOMP_RET_ERRNO | ENOSYS);
    answer_by_bit(&filter, SYS_clone, 0, CLONE_THREAD, SECCOMP_RET_ALLOW,
                  refuse);
    /* Memory, but no code. */
    answer_by_bit(&filter, SYS_mmap, 2, PROT_EXEC, refuse, SECCOMP_RET_ALLOW);
    answer_by_bit(&filter, SYS_mprotect, 2, PROT_EXEC, refuse,
                  SECCOMP_RET_ALLOW);
    for (size_t i = 0; i < ALLOWED; i++) {
        emit(&filter, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)allowed[i], 0, 1);
        answer(&filter, SECCOMP_RET_ALLOW);
    }
    answer(&filter, refuse);
    struct sock_fprog program = {filter.length, filter.code};
    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

const char *sandbox_enter(const Sandbox *sandbox)
{
    if (!AVAILABLE || ARCHITECTURE == 0)
        return NULL;
    /* Without it neither may be entered by an ordinary user. */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return NULL;
    const char *fault = restrict_files(sandbox);
    if (!fault)
        restrict_calls();
    return fault;
}

const char *sandbox_state(void)
{
    bool files = landlock_version() >= 1;
    bool calls = prctl(PR_GET_SECCOMP) >= 0;
    if (!AVAILABLE || ARCHITECTURE == 0)
        return "not in this build";
    return files && calls ? "files (Landlock) and system calls (seccomp)"
           : files        ? "files (Landlock)"
           : calls        ? "system calls (seccomp)"
                          : "none: the kernel has neither Landlock nor seccomp";
}
