/* A model of more than the 2 GiB that one file can be: it is converted without
 * all of it ever being in memory. Most of it is a hole in a file. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cli.h"
#include "models.h"
#include "onnx/extdata.h"
#include "suites.h"

enum { COUNT = 540000000 }; /* elements of the big weight, 2.16 GB */
static const uint64_t big_size = (uint64_t)COUNT * sizeof(float);
static const float first = 21, last = 42;

static void setup(void)
{
    models_setup();
    cli_setup();
}

static void teardown(void)
{
    cli_teardown();
    models_teardown();
}

static void put_at(int fd, uint64_t place, const void *bytes, size_t size)
{
    ck_assert_int_eq(pwrite(fd, bytes, size, (off_t)place), (ssize_t)size);
}

/* A tensor of the data file. */
static void put_tensor(Proto *graph, const char *name, const int64_t *dims,
                       int rank, uint64_t offset, uint64_t size)
{
    const char *entries[][2] = {
        {"location", "in.data"},
        {"offset", arena_printf(arena, "%llu", (unsigned long long)offset)},
        {"length", arena_printf(arena, "%llu", (unsigned long long)size)},
    };
    Proto tensor = {.size = 0};
    for (int i = 0; i < rank; i++)
        proto_int(&tensor, 1, (uint64_t)dims[i]);
    proto_int(&tensor, 2, DT_FLOAT);
    proto_text(&tensor, 8, name);
    for (int i = 0; i < 3; i++) {
        Proto entry = {.size = 0};
        proto_text(&entry, 1, entries[i][0]);
        proto_text(&entry, 2, entries[i][1]);
        proto_message(&tensor, 13, &entry);
    }
    proto_int(&tensor, 14, 1);
    proto_message(graph, 5, &tensor);
}

enum { CHANNELS = 32, KERNEL = CHANNELS * CHANNELS };

/* A convolution and its BatchNormalization, behind the big weight in the file,
 * and an operator on that which nobody knows. */
static void write_model(int fd)
{
    static const int64_t kernel_dims[] = {CHANNELS, CHANNELS, 1, 1};
    static const int64_t image[] = {1, CHANNELS, 4, 4}, big_dims[] = {COUNT};
    static const int64_t channels[] = {CHANNELS};
    float kernel[KERNEL], ones[CHANNELS];
    Proto graph = {.size = 0}, file;
    for (int i = 0; i < KERNEL; i++)
        kernel[i] = (float)(i % 7);
    for (int i = 0; i < CHANNELS; i++)
        ones[i] = 1;
    put_at(fd, 0, &first, sizeof first);
    put_at(fd, big_size - sizeof last, &last, sizeof last);
    put_at(fd, big_size, kernel, sizeof kernel);
    proto_node(&graph, "Conv", "x k", "c");
    proto_node(&graph, "BatchNormalization", "c s s s s", "y");
    proto_node(&graph, "Huge", "w", "z");
    put_tensor(&graph, "w", big_dims, 1, 0, big_size);
    put_tensor(&graph, "k", kernel_dims, 4, big_size, sizeof kernel);
    proto_weight(&graph, "s", 1, channels, ones);
    proto_input(&graph, "x", 4, image);
    proto_output(&graph, "y", 4, image);
    proto_output(&graph, "z", 1, big_dims);
    proto_model(&file, &graph);
    cli_write("in.onnx", file.bytes, file.size);
}

/* The big weight is what it was; its data file is returned. */
static const DataFile *check_output(const char *path)
{
    Model *model;
    Err err = {0};
    float values[2];
    ck_assert_msg(model_read_file(arena, path, NULL, &model, &err) == 0, "%s",
                  err.message);
    const Tensor *w = find_initializer(model->graph, "w")->tensor;
    ck_assert_int_eq(w->count, COUNT);
    ck_assert(w->is_external);
    memcpy(&values[0], w->data, sizeof first);
    memcpy(&values[1], (const char *)w->data + big_size - sizeof last,
           sizeof last);
    ck_assert(values[0] == first && values[1] == last);
    ck_assert_uint_eq(model->graph->node_count, 2);
    return model->external->files;
}

START_TEST(a_model_beyond_two_gigabytes_is_converted)
{
    enum { MEMORY_MOST = 256 << 20 };
    struct statvfs disk;
    ck_assert_int_eq(statvfs(cli_path(""), &disk), 0);
    if ((uint64_t)disk.f_bavail * disk.f_frsize < 2 * big_size) {
        printf("big_data: left out, the disk of /tmp has too little room\n");
        return;
    }
    int fd = open(cli_path("in.data"), O_RDWR | O_CREAT, 0600);
    ck_assert_int_ge(fd, 0);
    write_model(fd);
    close(fd);
    ck_assert_int_eq(
        REPFOLD("convert", "-q", "in.onnx", "-o", "out.onnx", "--no-verify"),
        0);
    ck_assert_uint_lt(cli.peak, MEMORY_MOST);
    ck_assert_uint_ge(check_output(cli_path("out.onnx"))->bytes.size, big_size);
    ck_assert_int_eq(cli_count(), 4);
    /* It does not fit into one file. */
    REPFOLD("convert", "-q", "in.onnx", "-o", "one.onnx", "--no-verify",
            "--external-data", "never");
    cli_assert_trouble("budget", "--external-data auto");
    ck_assert_int_eq(cli_count(), 4);
}
END_TEST

Suite *suite_big_data(void)
{
    Suite *suite = suite_create("big_data");
    TCase *tcase = tcase_create("big_data");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_model_beyond_two_gigabytes_is_converted);
    suite_add_tcase(suite, tcase);
    return suite;
}
