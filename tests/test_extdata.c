/* Data in other files: read where they are meant to be, and nowhere else. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "archive.h"
#include "child.h"
#include "external.h"
#include "onnx/extdata.h"
#include "suites.h"

START_TEST(data_are_where_the_model_says)
{
    check_w(external_read(external_model(NULL)), 7, 8);
    put_numbers("n.bin");
    check_w(external_read(model_with(&(Entries){"n.bin", "4", "8", NULL})), 2,
            3);
    /* To the end, when there is no length. */
    check_w(external_read(model_with(&(Entries){"n.bin", "8", NULL, NULL})), 3,
            4);
    ck_assert_int_eq(mkdir(in_folder("sub"), 0777), 0);
    put_numbers("sub/dir ectory.data");
    check_w(external_read(model_with(
                &(Entries){"sub/dir ectory.data", "000", "8", NULL})),
            1, 2);
}
END_TEST

START_TEST(a_folder_may_be_named)
{
    Model *model;
    Err err = {0};
    ReadOptions options = {.data_dir = in_folder("sub")};
    Span file = get_file(external_model(NULL));
    ck_assert_int_eq(mkdir(in_folder("sub"), 0777), 0);
    put_numbers("sub/w.bin");
    ck_assert_int_eq(truncate(in_folder("sub/w.bin"), 8), 0);
    int status = model_read_memory(arena, file.bytes, file.size, "m", &options,
                                   &model, &err);
    ck_assert_msg(status == 0, "%s", err.message);
    check_w(model, 1, 2);
    options.data_dir = in_folder("nowhere");
    ck_assert_int_eq(model_read_memory(arena, file.bytes, file.size, "m",
                                       &options, &model, &err),
                     -1);
    ck_assert_ptr_nonnull(strstr(err.message, "cannot open the folder"));
}
END_TEST

/* Read again from memory, a model shares the files that are open already. */
START_TEST(files_are_mapped_once)
{
    Model *first = external_read(external_model(NULL)), *again;
    Err err = {0};
    ck_assert_int_eq(unlink(in_folder("w.bin")), 0);
    ReadOptions options = {.external = first->external};
    ck_assert_int_eq(model_read_memory(arena, first->file.bytes,
                                       first->file.size, "m", &options, &again,
                                       &err),
                     0);
    check_w(again, 7, 8);
    ck_assert_ptr_eq(find_initializer(again->graph, "w")->tensor->data,
                     find_initializer(first->graph, "w")->tensor->data);
}
END_TEST

/* ---- Locations ---- */

static const char *const locations[] = {
    "",
    ".",
    "..",
    "./w.bin",
    "../w.bin",
    "sub/../w.bin",
    "sub/./w.bin",
    "sub//w.bin",
    "w.bin/",
    "/etc/passwd",
    "C:\\x",
    "\\\\host\\x",
    "a\\..\\b",
    "#x",
    "*/_ORT_MEM_ADDR_/*",
    "%2e%2e/x",
    "file:///x",
    "w.bin\x1b[31m",
    "w\nbin",
    "w\x7f",
};

/* No such file is opened even where there is one. */
START_TEST(a_location_is_a_plain_path)
{
    const char *location = locations[_i];
    if (location[0] && location[0] != '/' && !strchr(location, '/'))
        close(open(in_folder(location), O_CREAT | O_WRONLY, 0666));
    external_refused(model_with(&(Entries){.location = location}),
                     "of its external data");
}
END_TEST

START_TEST(dots_may_be_in_a_name)
{
    static const char *const names[] = {".n",  "..n", "n.",
                                        "n..", "...", ".n./n"};
    ck_assert_int_eq(mkdir(in_folder(".n."), 0777), 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        put_numbers(names[i]);
        check_w(external_read(model_with(&(Entries){names[i], "4", "8", NULL})),
                2, 3);
    }
}
END_TEST

START_TEST(a_location_has_a_length)
{
    char location[5001];
    memset(location, 'x', 5000);
    location[5000] = '\0';
    external_refused(model_with(&(Entries){.location = location}), "too long");
    location[300] = '\0';
    external_refused(model_with(&(Entries){.location = location}),
                     "File name too long");
    external_refused(model_with(&(Entries){.offset = "0"}), "have no location");
}
END_TEST

static void make_socket(const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    close(fd);
}

/* What must not be followed, or is no file. */
static void check_kinds(void)
{
    const char *path = external_model(NULL), *w = in_folder("w.bin");
    const char *other = in_folder("other");
    ck_assert_int_eq(rename(w, other), 0);
    external_refused(path, "No such file");
    ck_assert_int_eq(symlink("other", w), 0);
    external_refused(path, "a link");
    ck_assert_int_eq(unlink(w), 0);
    ck_assert_int_eq(symlink("nowhere", w), 0);
    external_refused(path, "a link");
    ck_assert_int_eq(unlink(w), 0);
    ck_assert_int_eq(link(other, w), 0);
    external_refused(path, "other names");
    ck_assert_int_eq(unlink(w), 0);
    ck_assert_int_eq(mkdir(w, 0777), 0);
    external_refused(path, "not a regular file");
    ck_assert_int_eq(rmdir(w), 0);
    ck_assert_int_eq(mkfifo(w, 0666), 0);
    external_refused(path, "not a regular file");
    ck_assert_int_eq(unlink(w), 0);
    make_socket(w);
    external_refused(path, "not a regular file");
    ck_assert_int_eq(unlink(w), 0);
    ck_assert_int_eq(symlink("/dev/zero", w), 0);
    external_refused(path, "a link");
    ck_assert_int_eq(unlink(w), 0);
    ck_assert_int_eq(rename(other, w), 0);
    external_read(path);
}

START_TEST(only_regular_files_are_opened)
{
    check_kinds();
}
END_TEST

static const char *unreadable;

static int read_the_unreadable(void)
{
    become_nobody();
    external_refused(unreadable, "Permission denied");
    return 0;
}

START_TEST(what_may_not_be_read_is_refused)
{
    unreadable = external_model(NULL);
    ck_assert_int_eq(chmod(in_folder("."), 0755), 0);
    ck_assert_int_eq(chmod(in_folder("w.bin"), 0), 0);
    ck_assert_int_eq(in_child(read_the_unreadable), 0);
    ck_assert_int_eq(chmod(in_folder("w.bin"), 0644), 0);
    external_read(unreadable);
}
END_TEST

START_TEST(no_link_leads_out_of_the_folder)
{
    const char *path = model_with(&(Entries){.location = "sub/w.bin"});
    ck_assert_int_eq(mkdir(in_folder("real"), 0777), 0);
    put_numbers("real/w.bin");
    ck_assert_int_eq(symlink("real", in_folder("sub")), 0);
    external_refused(path, "a link");
    put_numbers("plain");
    external_refused(model_with(&(Entries){.location = "plain/w.bin"}),
                     "a link, or its path has one");
}
END_TEST

/* Makes openat2 an unknown call, as on kernels before 5.6. */
static void without_openat2(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {4, filter};
    ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
    ck_assert_int_eq(syscall(SYS_openat2, 0, 0, 0, 0), -1);
    ck_assert_int_eq(errno, ENOSYS);
}

static int old_kernel(void)
{
    without_openat2();
    check_kinds();
    const char *path = model_with(&(Entries){.location = "sub/deep/w.bin"});
    mkdir(in_folder("real"), 0777);
    mkdir(in_folder("real/deep"), 0777);
    put_numbers("real/deep/w.bin");
    ck_assert_int_eq(truncate(in_folder("real/deep/w.bin"), 8), 0);
    ck_assert_int_eq(symlink("real", in_folder("sub")), 0);
    external_refused(path, "a link");
    unlink(in_folder("sub"));
    rename(in_folder("real"), in_folder("sub"));
    check_w(external_read(path), 1, 2);
    return 0;
}

START_TEST(old_kernels_follow_no_link_either)
{
    if (prctl(PR_GET_SECCOMP) < 0) {
        printf("extdata: skipped: no seccomp to play an old kernel with\n");
        return;
    }
    ck_assert_int_eq(in_child(old_kernel), 0);
}
END_TEST

/* Makes the file a link to a secret and a file again until told to stop. */
static void *swap_links(void *context)
{
    const char *const *names = context;
    static const float values[] = {7, 8};
    while (!__atomic_load_n(&names[3], __ATOMIC_RELAXED)) {
        if (symlink("secret", names[1]) < 0)
            return NULL;
        rename(names[1], names[0]);
        put_bytes(names[2], values, sizeof values);
        rename(names[2], names[0]);
    }
    return NULL;
}

START_TEST(a_race_does_not_open_a_link)
{
    enum { ROUNDS = 100000, ENOUGH = 100 };
    const char *names[] = {in_folder("w.bin"), in_folder("link"),
                           in_folder("file"), NULL};
    const char *path = external_model(NULL);
    static const float secret[] = {666, 666};
    int read = 0, refused = 0;
    pthread_t thread;
    put_bytes(in_folder("secret"), secret, sizeof secret);
    ck_assert_int_eq(pthread_create(&thread, NULL, swap_links, names), 0);
    for (int i = 0; i < ROUNDS && (read < ENOUGH || refused < ENOUGH); i++) {
        Arena *own = arena_new(0);
        Model *model;
        Err err = {0};
        if (model_read_file(own, path, NULL, &model, &err) == 0) {
            check_w(model, 7, 8);
            read++;
        } else {
            refused += strstr(err.message, "a link") != NULL;
        }
        arena_free(own);
    }
    __atomic_store_n(&names[3], path, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    ck_assert_int_ge(read, ENOUGH);
    ck_assert_int_ge(refused, ENOUGH);
}
END_TEST

START_TEST(the_model_itself_holds_no_data)
{
    external_refused(model_with(&(Entries){.location = "in.onnx"}),
                     "the model itself");
}
END_TEST

/* ---- Numbers ---- */

static const struct {
    const char *offset, *length, *why;
} bad_numbers[] = {
    {"-1", "8", "not a decimal number"},
    {"abc", "8", "not a decimal number"},
    {"1e1", "8", "not a decimal number"},
    {"0x4", "8", "not a decimal number"},
    {" 4", "8", "not a decimal number"},
    {"4 ", "8", "not a decimal number"},
    {"+4", "8", "not a decimal number"},
    {"", "8", "not a decimal number"},
    {"9223372036854775808", "8", "not a decimal number"},
    {"18446744073709551617", "8", "not a decimal number"},
    {"4", "-8", "not a decimal number"},
    {"4", "", "not a decimal number"},
    {"17", "0", "begins at byte 17 of a file of 16"},
    {"9223372036854775807", "8", "begins at byte"},
    {"12", "8", "do not fit"},
    {"4", "9223372036854775807", "do not fit"},
};

START_TEST(numbers_are_decimal_and_inside_the_file)
{
    put_numbers("n.bin");
    external_refused(model_with(&(Entries){"n.bin", bad_numbers[_i].offset,
                                           bad_numbers[_i].length, NULL}),
                     bad_numbers[_i].why);
}
END_TEST

START_TEST(the_length_is_what_the_shape_needs)
{
    static const char *const lengths[] = {"7", "9", "4", "0", NULL};
    put_numbers("n.bin");
    for (int i = 0; i < 5; i++) {
        Model *model;
        Err err = {0};
        const char *path =
            model_with(&(Entries){"n.bin", NULL, lengths[i], NULL});
        ck_assert_int_eq(model_read_file(arena, path, NULL, &model, &err), -1);
        ck_assert_int_eq(err.code, ERR_BAD_TENSOR);
        ck_assert_ptr_nonnull(strstr(err.message, "need 8"));
    }
}
END_TEST

static void put_entry(Proto *tensor, const char *key, const char *value)
{
    Proto entry = {.size = 0};
    proto_text(&entry, 1, key);
    proto_text(&entry, 2, value);
    proto_message(tensor, 13, &entry);
}

START_TEST(entries_are_known_and_come_once)
{
    static const char *const keys[] = {"location", "offset",    "length",
                                       "checksum", "__class__", ""};
    put_numbers("n.bin");
    for (int i = 0; i < 6; i++) {
        Proto w;
        external_tensor(&w, "w", 2, &(Entries){"n.bin", "0", "8", "0"});
        put_entry(&w, keys[i], "0");
        external_refused(external_model(&w),
                         i < 4 ? "two entries" : "none of ONNX's");
    }
    Proto w;
    external_tensor(&w, "w", 2, &(Entries){"n.bin", "0", "8", NULL});
    put_entry(&w, "basepath", "/etc");
    check_w(external_read(external_model(&w)), 1, 2);
}
END_TEST

START_TEST(data_are_in_one_place)
{
    Proto w;
    external_tensor(&w, "w", 2, &(Entries){"n.bin", "0", "8", NULL});
    put_numbers("n.bin");
    proto_bytes(&w, 9, "\0\0\x80\x3f\0\0\0\x40", 8);
    external_refused(external_model(&w), "has both raw_data and data in");
}
END_TEST

/* ---- Memory ---- */

/* In a file of 16 bytes, and in one of none; both from one folder. */
START_TEST(nothing_may_be_at_the_end)
{
    static const Entries entries[] = {
        {"n.bin", "16", "0", NULL},
        {"n.bin", "16", NULL, NULL},
        {"empty.bin", NULL, NULL, NULL},
        {"empty.bin", "0", "0", NULL},
    };
    Arena *own = arena_new(0);
    External *external = external_new(own, in_folder(""));
    int open = count_open();
    put_numbers("n.bin");
    put_bytes(in_folder("empty.bin"), "", 0);
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        Proto tensor;
        Span out = {.size = 1};
        Err err = {0};
        external_tensor(&tensor, "w", 0, &entries[i]);
        ck_assert_int_eq(external_find(external, own,
                                       (Span){tensor.bytes, tensor.size}, &out,
                                       &err),
                         0);
        ck_assert_uint_eq(out.size, 0);
    }
    ck_assert_int_eq(count_open(), open + 1);
    arena_free(own);
    ck_assert_int_eq(count_open(), open);
}
END_TEST

/* Looks for the elements of w.bin in an arena whose chunk in use has only so
 * many bytes left; the next one cannot be had. */
static void find_with_room(const Proto *tensor, size_t room)
{
    enum { CHUNK = 64 * 1024, GRAIN = 16 };
    Arena *own = arena_new(0);
    External *external = external_new(own, in_folder(""));
    Span source = {tensor->bytes, tensor->size}, out;
    Err err = {0};
    if (ARENA_GUARD(own)) {
        for (size_t bytes = arena_bytes(own); arena_bytes(own) == bytes;)
            arena_alloc(own, GRAIN);
        arena_alloc(own, CHUNK - GRAIN - room);
        mem_fail_at(1);
        external_find(external, own, source, &out, &err);
    }
    mem_fail_at(0);
    arena_unguard(own);
    arena_free(own);
}

static bool is_mapped(const char *name)
{
    char line[1024];
    bool found = false;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof line, maps))
        found |= strstr(line, name) != NULL;
    fclose(maps);
    return found;
}

START_TEST(running_out_of_memory_leaves_nothing_open)
{
    Proto tensor;
    external_model(NULL);
    external_tensor(&tensor, "w", 2, &(Entries){.location = "w.bin"});
    int open = count_open();
    for (size_t room = 0; room <= 1024; room += 16) {
        find_with_room(&tensor, room);
        ck_assert_int_eq(count_open(), open);
        ck_assert(!is_mapped("/w.bin"));
    }
}
END_TEST

START_TEST(external_data_in_other_places_are_refused)
{
    Proto values, sparse = {.size = 0}, graph = sparse, file, training = sparse,
                  trained = sparse, indices = sparse;
    Model *model;
    external_model(NULL);
    external_tensor(&values, "w", 2, &(Entries){.location = "w.bin"});
    proto_message(&sparse, 1, &values);
    proto_int(&indices, 1, 2);
    proto_int(&indices, 2, DT_INT64);
    proto_bytes(&indices, 9, "\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0", 16);
    proto_message(&sparse, 2, &indices);
    proto_int(&sparse, 3, 4);
    proto_message(&graph, 15, &sparse);
    for (int i = 0; i < 2; i++) {
        proto_model(&file, &graph);
        if (i == 1)
            proto_message(&file, 20, &training);
        put_bytes(in_folder("in.onnx"), file.bytes, file.size);
        Err err = {0};
        ck_assert_int_eq(
            model_read_file(arena, in_folder("in.onnx"), NULL, &model, &err),
            -1);
        ck_assert_int_eq(err.code, ERR_EXTERNAL_DATA);
        ck_assert_msg(strstr(err.message, "1 tensors have external data"), "%s",
                      err.message);
        proto_message(&trained, 5, &values);
        proto_message(&training, 1, &trained);
        small_graph(&graph);
    }
}
END_TEST

START_TEST(a_compressed_model_has_data_too)
{
    uint8_t packed[1024];
    Span file = get_file(external_model(NULL));
    size_t size = gzip_pack(file.bytes, file.size, packed, sizeof packed);
    put_bytes(in_folder("in.onnx"), packed, size);
    check_w(external_read(in_folder("in.onnx")), 7, 8);
}
END_TEST

Suite *suite_extdata(void)
{
    Suite *suite = suite_create("extdata");
    TCase *tcase = tcase_create("extdata");
    tcase_add_checked_fixture(tcase, folder_setup, folder_teardown);
    tcase_add_test(tcase, data_are_where_the_model_says);
    tcase_add_test(tcase, a_folder_may_be_named);
    tcase_add_test(tcase, files_are_mapped_once);
    tcase_add_loop_test(tcase, a_location_is_a_plain_path, 0,
                        sizeof locations / sizeof *locations);
    tcase_add_test(tcase, dots_may_be_in_a_name);
    tcase_add_test(tcase, nothing_may_be_at_the_end);
    tcase_add_test(tcase, a_location_has_a_length);
    tcase_add_test(tcase, only_regular_files_are_opened);
    tcase_add_test(tcase, what_may_not_be_read_is_refused);
    tcase_add_test(tcase, no_link_leads_out_of_the_folder);
    tcase_add_test(tcase, old_kernels_follow_no_link_either);
    tcase_add_test(tcase, a_race_does_not_open_a_link);
    tcase_add_test(tcase, the_model_itself_holds_no_data);
    tcase_add_loop_test(tcase, numbers_are_decimal_and_inside_the_file, 0,
                        sizeof bad_numbers / sizeof *bad_numbers);
    tcase_add_test(tcase, the_length_is_what_the_shape_needs);
    tcase_add_test(tcase, entries_are_known_and_come_once);
    tcase_add_test(tcase, data_are_in_one_place);
    tcase_add_test(tcase, running_out_of_memory_leaves_nothing_open);
    tcase_add_test(tcase, external_data_in_other_places_are_refused);
    tcase_add_test(tcase, a_compressed_model_has_data_too);
    suite_add_tcase(suite, tcase);
    return suite;
}
