/* Saving: the file is whole or absent, and nothing else is touched. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "folder.h"
#include "onnx/output.h"
#include "suites.h"

static int save_text(const char *path, const char *text, Err *err)
{
    *err = (Err){0};
    return file_save(arena, path, text, strlen(text), err);
}

static void check_saves(const char *path, const char *text)
{
    Err err;
    ck_assert_msg(save_text(path, text, &err) == 0, "%s", err.message);
}

/* Saving fails, with the path and that reason. */
static void check_fails(const char *path, const char *why)
{
    Err err;
    ck_assert_int_eq(save_text(path, "new", &err), -1);
    ck_assert_int_eq(err.code, ERR_IO);
    ck_assert_str_eq(err.file, path);
    ck_assert_msg(strstr(err.message, why) != NULL, "%s", err.message);
}

static mode_t mode_of(const char *path)
{
    struct stat status;
    ck_assert_int_eq(stat(path, &status), 0);
    return status.st_mode & 07777;
}

START_TEST(a_file_is_made)
{
    const char *path = in_folder("out");
    mode_t before = umask(027);
    check_saves(path, "new");
    umask(before);
    check_file(path, "new");
    ck_assert_int_eq(mode_of(path), 0640);
    ck_assert_int_eq(count_files(), 1);
}
END_TEST

START_TEST(a_file_is_replaced_and_keeps_its_mode)
{
    const char *path = in_folder("out");
    put_file(path, "a longer old text");
    ck_assert_int_eq(chmod(path, 0604), 0);
    check_saves(path, "new");
    check_file(path, "new");
    ck_assert_int_eq(mode_of(path), 0604);
    ck_assert_int_eq(count_files(), 1);
}
END_TEST

/* Whoever has the old file open goes on reading the old file. */
START_TEST(the_old_file_is_never_written_to)
{
    char old[4] = "";
    const char *path = in_folder("out");
    put_file(path, "old");
    int fd = open(path, O_RDONLY);
    check_saves(path, "new");
    ck_assert_int_eq(read(fd, old, 3), 3);
    ck_assert_str_eq(old, "old");
    close(fd);
}
END_TEST

START_TEST(big_and_small_pieces_come_in_order)
{
    enum { SIZE = 9000000 };
    const char *path = in_folder("out");
    char *text = arena_alloc(arena, SIZE + 1);
    for (int i = 0; i < SIZE; i++)
        text[i] = (char)('a' + i % 23);
    check_saves(path, text);
    check_file(path, text);
}
END_TEST

/* Long runs of zeros are left out, and are zeros all the same. */
START_TEST(zeros_are_zeros)
{
    enum { SIZE = 24 << 20, PART = 8 << 20 };
    uint8_t *bytes = arena_alloc(arena, SIZE);
    Err err = {0};
    for (int filled = 0; filled < 3; filled++) {
        const char *path = in_folder(arena_printf(arena, "%d", filled));
        memset(bytes, 0, SIZE);
        memset(bytes + filled * PART, 'x', PART);
        ck_assert_int_eq(file_save(arena, path, bytes, SIZE, &err), 0);
        check_same_bytes(get_file(path), (Span){bytes, SIZE});
    }
}
END_TEST

START_TEST(a_link_is_followed_not_replaced)
{
    struct stat status;
    const char *path = in_folder("link"), *other = in_folder("sub");
    ck_assert_int_eq(mkdir(other, 0777), 0);
    put_file(in_folder("sub/target"), "old");
    ck_assert_int_eq(symlink("sub/target", path), 0);
    check_saves(path, "new");
    ck_assert_int_eq(lstat(path, &status), 0);
    ck_assert(S_ISLNK(status.st_mode));
    check_file(in_folder("sub/target"), "new");
}
END_TEST

START_TEST(what_cannot_be_written_is_told)
{
    ck_assert_int_eq(symlink("nowhere", in_folder("dangling")), 0);
    put_file(in_folder("file"), "old");
    check_fails(in_folder("no/such/folder"), "No such file or directory");
    check_fails(in_folder("file/out"), "Not a directory");
    check_fails(in_folder(""), "is a directory");
    check_fails(in_folder("new/"), "is not the name of a file");
    check_fails(in_folder("dangling"), "is a link to nowhere");
    check_fails("", "is not the name of a file");
    char name[300];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    check_fails(in_folder(name), "File name too long");
    ck_assert_int_eq(count_files(), 2);
    check_file(in_folder("file"), "old");
}
END_TEST

static int save_into_a_closed_folder(void)
{
    become_nobody();
    check_fails(in_folder("new"), "Permission denied");
    check_fails(in_folder("out"), "Permission denied");
    return 0;
}

START_TEST(a_closed_folder_is_not_written_to)
{
    check_saves(in_folder("out"), "old");
    ck_assert_int_eq(chmod(in_folder("."), 0555), 0);
    ck_assert_int_eq(in_child(save_into_a_closed_folder), 0);
    ck_assert_int_eq(chmod(in_folder("."), 0755), 0);
    check_file(in_folder("out"), "old");
    ck_assert_int_eq(count_files(), 1);
}
END_TEST

START_TEST(a_name_may_be_as_long_as_can_be)
{
    char name[256];
    memset(name, 'n', 255);
    name[255] = '\0';
    check_saves(in_folder(name), "new");
    check_saves(in_folder(name), "newer");
    check_file(in_folder(name), "newer");
}
END_TEST

START_TEST(devices_are_written_to_and_stay)
{
    struct stat status;
    check_saves("/dev/null", "new");
    ck_assert_int_eq(stat("/dev/null", &status), 0);
    ck_assert(S_ISCHR(status.st_mode));
    check_fails("/dev/full", "No space left on device");
}
END_TEST

static void *read_fifo(void *path)
{
    static char text[16];
    int fd = open(path, O_RDONLY);
    ssize_t got, size = 0;
    while ((got = read(fd, text + size, sizeof text - (size_t)size)) > 0)
        size += got;
    close(fd);
    return text;
}

START_TEST(a_fifo_is_a_stream)
{
    const char *path = in_folder("fifo");
    pthread_t reader;
    void *text;
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(
        pthread_create(&reader, NULL, read_fifo, (void *)(uintptr_t)path), 0);
    check_saves(path, "through the");
    pthread_join(reader, &text);
    ck_assert_str_eq(text, "through the");
    ck_assert_int_eq(count_files(), 1);
}
END_TEST

/* ---- In a process of its own ---- */

/* The file-size limit is as good as a full disk. */
static int save_beyond_the_limit(void)
{
    Err err;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){4, 4});
    int status = save_text(in_folder("out"), "a text too long", &err);
    return status == -1 && strstr(err.message, "File too large") ? 0 : 1;
}

START_TEST(a_failed_write_leaves_the_old_file)
{
    put_file(in_folder("out"), "old");
    ck_assert_int_eq(in_child(save_beyond_the_limit), 0);
    check_file(in_folder("out"), "old");
    ck_assert_int_eq(count_files(), 1);
}
END_TEST

static int save_without_permission(void)
{
    Err err;
    become_nobody();
    int status = save_text(in_folder("out"), "new", &err);
    return status == -1 && strstr(err.message, "Permission denied") ? 0 : 1;
}

START_TEST(a_protected_file_is_not_replaced)
{
    ck_assert_int_eq(chmod(in_folder(""), 0777), 0);
    put_file(in_folder("out"), "old");
    ck_assert_int_eq(chmod(in_folder("out"), 0444), 0);
    ck_assert_int_eq(in_child(save_without_permission), 0);
    check_file(in_folder("out"), "old");
    ck_assert_int_eq(count_files(), 1);
}
END_TEST

/* A member of the file's group, who has another one of his own. */
static int save_as_a_member(void)
{
    Err err;
    const gid_t groups[] = {1234};
    if (setgroups(1, groups) < 0)
        return 2;
    become_nobody();
    return save_text(in_folder("out"), "new", &err) == 0 ? 0 : 1;
}

/* Who may write it, but is in no group that it could go to. */
static int save_as_a_stranger(void)
{
    Err err;
    if (setgroups(0, NULL) < 0)
        return 2;
    become_nobody();
    return save_text(in_folder("out"), "new", &err) == 0 ? 0 : 1;
}

/* A secret of one group does not become one of another. */
START_TEST(a_group_keeps_its_rights_and_no_other_gets_them)
{
    static const struct {
        int (*save)(void);
        mode_t before, after;
        gid_t group;
    } cases[] = {{save_as_a_member, 0660, 0660, 1234},
                 {save_as_a_stranger, 0676, 0666, 65534}};
    if (geteuid() != 0) {
        puts("save: groups: skipped: only root may give files away");
        return;
    }
    ck_assert_int_eq(chmod(in_folder(""), 0777), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stat info;
        put_file(in_folder("out"), "old");
        ck_assert_int_eq(chown(in_folder("out"), 0, 1234), 0);
        ck_assert_int_eq(chmod(in_folder("out"), cases[i].before), 0);
        ck_assert_int_eq(in_child(cases[i].save), 0);
        check_file(in_folder("out"), "new");
        ck_assert_int_eq(stat(in_folder("out"), &info), 0);
        ck_assert_uint_eq(info.st_mode & 0777, cases[i].after);
        ck_assert_uint_eq(info.st_gid, cases[i].group);
    }
}
END_TEST

/* With the standard descriptors closed, the file must not become one. */
static int save_without_standard_streams(void)
{
    Err err;
    for (int fd = 0; fd < 3; fd++)
        close(fd);
    if (save_text(in_folder("out"), "new", &err) < 0)
        return 1;
    return fcntl(0, F_GETFD) == -1 && fcntl(2, F_GETFD) == -1 ? 0 : 2;
}

START_TEST(standard_descriptors_stay_free)
{
    ck_assert_int_eq(in_child(save_without_standard_streams), 0);
    check_file(in_folder("out"), "new");
}
END_TEST

static int save_to_standard_output(void)
{
    Err err;
    int fd = open(in_folder("out"), O_WRONLY | O_CREAT, 0666);
    dup2(fd, 1);
    return save_text("-", "new", &err) == 0 ? 0 : 1;
}

START_TEST(a_dash_is_standard_output)
{
    ck_assert_int_eq(in_child(save_to_standard_output), 0);
    check_file(in_folder("out"), "new");
}
END_TEST

/* ---- Without files that have no name ---- */

/* Makes O_TMPFILE unknown, as some file systems have it. */
static void without_nameless_files(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                 offsetof(struct seccomp_data, args[2])),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_TMPFILE & ~O_DIRECTORY, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EOPNOTSUPP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
    ck_assert_int_eq(open(in_folder(""), O_TMPFILE | O_RDWR, 0600), -1);
    ck_assert_int_eq(errno, EOPNOTSUPP);
}

static Output *open_output(const char *path)
{
    static const SaveOptions options;
    Output *output;
    Err err = {0};
    ck_assert_msg(output_open(arena, path, &options, &output, &err) == 0, "%s",
                  err.message);
    return output;
}

static int save_under_names(void)
{
    char name[256];
    without_nameless_files();
    umask(027);
    memset(name, 'n', 255);
    name[255] = '\0';
    check_saves(in_folder(name), "new");
    check_saves(in_folder("out"), "new");
    check_saves(in_folder("out"), "newer");
    check_file(in_folder("out"), "newer");
    ck_assert_int_eq(mode_of(in_folder("out")), 0640);
    ck_assert_int_eq(count_files(), 2);
    /* It is there while it is written, and gone when that is given up. */
    open_output(in_folder("other"));
    ck_assert_int_eq(count_files(), 3);
    arena_free(arena);
    arena = arena_new(0);
    return count_files() == 2 ? 0 : 1;
}

START_TEST(temporary_names_serve_as_well)
{
    if (prctl(PR_GET_SECCOMP) < 0)
        return;
    ck_assert_int_eq(in_child(save_under_names), 0);
    check_file(in_folder("out"), "newer");
}
END_TEST

static void end_by_signal(int number)
{
    save_cleanup();
    signal(number, SIG_DFL);
    raise(number);
}

START_TEST(a_signal_handler_can_clean_up)
{
    int status;
    if (prctl(PR_GET_SECCOMP) < 0)
        return;
    put_file(in_folder("out"), "old");
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        without_nameless_files();
        signal(SIGTERM, end_by_signal);
        open_output(in_folder("out"));
        open_output(in_folder("other"));
        if (count_files() == 3)
            raise(SIGTERM);
        _exit(1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    check_file(in_folder("out"), "old");
    ck_assert_int_eq(count_files(), 1);
}
END_TEST

/* ---- Models ---- */

static Model *saved_model(const char *path)
{
    Proto graph, file;
    Model *model;
    Err err = {0};
    small_graph(&graph);
    proto_model(&file, &graph);
    ck_assert_int_eq(file_save(arena, path, file.bytes, file.size, &err), 0);
    ck_assert_int_eq(model_read_file(arena, path, NULL, &model, &err), 0);
    return model;
}

START_TEST(a_model_is_saved)
{
    Model *model = saved_model(in_folder("in"));
    Err err = {0};
    SaveOptions options = {.input_path = in_folder("in")};
    ck_assert_int_eq(model_save(model, in_folder("out"), &options, &err), 0);
    check_same_bytes(get_file(in_folder("out")), model->file);
}
END_TEST

START_TEST(the_input_is_not_replaced_unless_asked)
{
    const char *input = in_folder("in");
    Model *model = saved_model(input);
    SaveOptions options = {.input_path = input};
    ck_assert_int_eq(symlink("in", in_folder("symbolic")), 0);
    ck_assert_int_eq(link(input, in_folder("hard")), 0);
    static const char *const names[] = {"in", "./in", "symbolic", "hard"};
    for (int i = 0; i < 4; i++) {
        Err err = {0};
        ck_assert_int_eq(model_save(model, in_folder(names[i]), &options, &err),
                         -1);
        ck_assert_int_eq(err.code, ERR_SAME_FILE);
        ck_assert_ptr_nonnull(strstr(err.file, names[i]));
    }
    Err err = {0};
    options.in_place = true;
    model->graph->changed = true;
    ck_assert_int_eq(model_save(model, input, &options, &err), 0);
    check_same_bytes(get_file(input), model->file);
    ck_assert_int_eq(count_files(), 3);
}
END_TEST

/* Saves with the n-th allocation failing; true when none did. */
static bool save_failing_at(size_t n, const Proto *file)
{
    Arena *own = arena_new(0);
    const char *path = in_folder("out");
    Err err = {0};
    volatile bool saved = false;
    if (ARENA_GUARD(own)) {
        Model *model;
        ck_assert_int_eq(model_read_memory(own, file->bytes, file->size, "m",
                                           NULL, &model, &err),
                         0);
        model->graph->changed = true;
        mem_fail_at(n);
        saved = model_save(model, path, NULL, &err) == 0;
    }
    mem_fail_at(0);
    arena_free(own);
    return saved;
}

START_TEST(running_out_of_memory_leaves_nothing)
{
    Proto graph, file;
    small_graph(&graph);
    proto_model(&file, &graph);
    size_t n = 1;
    for (; n < 1000 && !save_failing_at(n, &file); n++)
        ck_assert_int_eq(count_files(), 0);
    ck_assert_uint_gt(n, 1);
    ck_assert_uint_lt(n, 1000);
    ck_assert_int_eq(count_files(), 1);
}
END_TEST

Suite *suite_save(void)
{
    Suite *suite = suite_create("save");
    TCase *tcase = tcase_create("save");
    tcase_add_checked_fixture(tcase, folder_setup, folder_teardown);
    tcase_add_test(tcase, a_file_is_made);
    tcase_add_test(tcase, a_file_is_replaced_and_keeps_its_mode);
    tcase_add_test(tcase, the_old_file_is_never_written_to);
    tcase_add_test(tcase, big_and_small_pieces_come_in_order);
    tcase_add_test(tcase, zeros_are_zeros);
    tcase_add_test(tcase, a_link_is_followed_not_replaced);
    tcase_add_test(tcase, what_cannot_be_written_is_told);
    tcase_add_test(tcase, a_closed_folder_is_not_written_to);
    tcase_add_test(tcase, a_name_may_be_as_long_as_can_be);
    tcase_add_test(tcase, devices_are_written_to_and_stay);
    tcase_add_test(tcase, a_fifo_is_a_stream);
    tcase_add_test(tcase, a_failed_write_leaves_the_old_file);
    tcase_add_test(tcase, a_protected_file_is_not_replaced);
    tcase_add_test(tcase, a_group_keeps_its_rights_and_no_other_gets_them);
    tcase_add_test(tcase, standard_descriptors_stay_free);
    tcase_add_test(tcase, a_dash_is_standard_output);
    tcase_add_test(tcase, temporary_names_serve_as_well);
    tcase_add_test(tcase, a_signal_handler_can_clean_up);
    tcase_add_test(tcase, a_model_is_saved);
    tcase_add_test(tcase, the_input_is_not_replaced_unless_asked);
    tcase_add_test(tcase, running_out_of_memory_leaves_nothing);
    suite_add_tcase(suite, tcase);
    return suite;
}
