/* .npy files: what NumPy writes is read, what we write NumPy reads. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arrays.h"
#include "exec/npy.h"
#include "suites.h"

static Arena *arena;
static Err err;
static char path[64];

static void setup(void)
{
    arena = arena_new(0);
    err = (Err){0};
    strcpy(path, "/tmp/repfold-npy-XXXXXX");
    int file = mkstemp(path);
    ck_assert_int_ge(file, 0);
    close(file);
}

static void teardown(void)
{
    unlink(path);
    arena_free(arena);
}

static void put_file(const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

/* A file by hand: version, header text, elements. */
static void put_npy(int version, const char *header, const void *elements,
                    size_t size)
{
    char bytes[1024];
    size_t length = strlen(header), prefix = version == 1 ? 10 : 12;
    memset(bytes, 0, sizeof bytes);
    memcpy(bytes, "\x93NUMPY", 6);
    bytes[6] = (char)version;
    bytes[8] = (char)length;
    memcpy(bytes + prefix, header, length);
    memcpy(bytes + prefix + length, elements, size);
    put_file(bytes, prefix + length + size);
}

static Tensor *read_ok(void)
{
    Tensor *tensor;
    ck_assert_msg(npy_read(arena, path, &tensor, &err) == 0, "%s", err.message);
    return tensor;
}

static void check_refused(ErrCode code, const char *text)
{
    Tensor *tensor;
    err = (Err){0};
    ck_assert_int_eq(npy_read(arena, path, &tensor, &err), -1);
    ck_assert_int_eq(err.code, code);
    ck_assert_str_eq(err.file, path);
    ck_assert_msg(strstr(err.message, text) != NULL, "%s", err.message);
}

static const DType types[] = {DT_FLOAT,  DT_DOUBLE, DT_FLOAT16, DT_INT8,
                              DT_INT16,  DT_INT32,  DT_INT64,   DT_UINT8,
                              DT_UINT16, DT_UINT32, DT_UINT64,  DT_BOOL};

START_TEST(what_is_written_is_read)
{
    for (int rank = 0; rank < 4; rank++) {
        void *data;
        const void *bytes;
        size_t size;
        const int64_t dims[] = {2, 3, 1};
        Tensor *tensor = tensor_alloc(arena, types[_i], rank, dims, &data);
        for (size_t i = 0; i < tensor->data_size; i++)
            ((char *)data)[i] = (char)(types[_i] == DT_BOOL ? i & 1 : 7 * i);
        ck_assert_int_eq(npy_bytes(arena, tensor, &bytes, &size, &err), 0);
        /* NumPy aligns the elements so. */
        ck_assert_uint_eq((size - tensor->data_size) % 64, 0);
        put_file(bytes, size);
        Tensor *back = read_ok();
        ck_assert_int_eq(back->type, types[_i]);
        ck_assert_int_eq(back->rank, rank);
        ck_assert_int_eq(memcmp(back->dims, dims, (size_t)rank * 8), 0);
        ck_assert_int_eq(memcmp(back->data, data, back->data_size), 0);
    }
}
END_TEST

START_TEST(the_header_is_numpys)
{
    void *data;
    const void *bytes;
    size_t size;
    Tensor *tensor =
        tensor_alloc(arena, DT_FLOAT, 1, (const int64_t[]){3}, &data);
    ck_assert_int_eq(npy_bytes(arena, tensor, &bytes, &size, &err), 0);
    static const char expect[] =
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }";
    ck_assert_int_eq(memcmp((const char *)bytes + 10, expect, strlen(expect)),
                     0);
    ck_assert_int_eq(((const char *)bytes)[127], '\n');
}
END_TEST

START_TEST(versions_two_and_three_have_long_lengths)
{
    const float elements[] = {1, 2};
    for (int version = 2; version <= 3; version++) {
        put_npy(version,
                "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}",
                elements, sizeof elements);
        ck_assert_int_eq(memcmp(read_ok()->data, elements, sizeof elements), 0);
    }
}
END_TEST

START_TEST(big_endian_is_turned_round)
{
    const unsigned char elements[] = {0x3f, 0x80, 0, 0, 0xc0, 0, 0, 0};
    put_npy(1, "{'descr': '>f4', 'fortran_order': False, 'shape': (2,)}",
            elements, sizeof elements);
    double values[2];
    tensor_read_f64(read_ok(), 0, 2, values);
    ck_assert_double_eq(values[0], 1);
    ck_assert_double_eq(values[1], -2);
}
END_TEST

START_TEST(fortran_order_is_turned_into_rows)
{
    const uint8_t columns[] = {1, 4, 2, 5, 3, 6}, rows[] = {1, 2, 3, 4, 5, 6};
    put_npy(1, "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3)}",
            columns, sizeof columns);
    ck_assert_int_eq(memcmp(read_ok()->data, rows, sizeof rows), 0);
    const uint8_t cube[] = {0, 4, 2, 6, 1, 5, 3, 7};
    const uint8_t straight[] = {0, 1, 2, 3, 4, 5, 6, 7};
    put_npy(1, "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 2, 2)}",
            cube, sizeof cube);
    ck_assert_int_eq(memcmp(read_ok()->data, straight, sizeof straight), 0);
    put_npy(1, "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 0, 2)}",
            cube, 0);
    ck_assert_int_eq(read_ok()->count, 0);
}
END_TEST

/* In time that does not grow with the rank. */
START_TEST(any_rank_is_turned_into_rows)
{
    enum { COUNT = 1 << RANK_MAX };
    static uint8_t columns[COUNT + 256];
    char *header = (char *)columns + 10;
    strcpy(header, "{'descr': '|u1', 'fortran_order': True, 'shape': (");
    for (int i = 0; i < RANK_MAX; i++)
        strcat(header, "2,");
    strcat(header, ")}");
    size_t start = 10 + strlen(header);
    memcpy(columns, "\x93NUMPY\1\0", 8);
    columns[8] = (uint8_t)strlen(header);
    for (int i = 0; i < COUNT; i++)
        columns[start + (size_t)i] = (uint8_t)(i ^ i >> 8);
    put_file(columns, start + COUNT);
    const uint8_t *rows = read_ok()->data;
    for (int i = 0; i < COUNT; i++) {
        int place = 0; /* the axes the other way round */
        for (int bit = 0; bit < RANK_MAX; bit++)
            place |= (i >> bit & 1) << (RANK_MAX - 1 - bit);
        ck_assert_uint_eq(rows[i], columns[start + (size_t)place]);
    }
}
END_TEST

/* Elements stay in the file, which no budget need hold, and which is closed. */
START_TEST(a_file_is_not_copied)
{
    enum { SIZE = 1 << 20 };
    static char bytes[SIZE + 128];
    int next = dup(STDIN_FILENO);
    close(next);
    size_t length = (size_t)sprintf(bytes + 10,
                                    "{'descr': '|u1', 'fortran_order': False, "
                                    "'shape': (%d,)}",
                                    SIZE);
    memcpy(bytes, "\x93NUMPY\1\0", 8);
    bytes[8] = (char)length;
    put_file(bytes, 10 + length + SIZE);
    Arena *small = arena_new(SIZE / 4);
    Tensor *tensor;
    ck_assert(ARENA_GUARD(small));
    ck_assert_int_eq(npy_read(small, path, &tensor, &err), 0);
    ck_assert_int_eq(tensor->count, SIZE);
    arena_unguard(small);
    arena_free(small);
    int again = dup(STDIN_FILENO);
    ck_assert_int_eq(again, next);
    close(again);
}
END_TEST

static void *write_pipe(void *bytes)
{
    FILE *file = fopen(path, "wb");
    fwrite(bytes, 1, 75, file);
    fclose(file);
    return NULL;
}

START_TEST(a_pipe_is_read_to_its_end)
{
    pthread_t writer;
    char bytes[128] = "\x93NUMPY\1\0\x3d\0"
                      "{'descr': '|u1', 'fortran_order': False, "
                      "'shape': (4,)}      abcd";
    unlink(path);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(pthread_create(&writer, NULL, write_pipe, bytes), 0);
    const Tensor *tensor = read_ok();
    pthread_join(writer, NULL);
    ck_assert_mem_eq(tensor->data, "abcd", 4);
}
END_TEST

static const struct {
    const char *header, *why;
} bad_headers[] = {
    {"{'fortran_order': False, 'shape': (1,)}", "descr"},
    {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}",
     "descr"},
    {"{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}", "type"},
    {"{'descr': '<f4', 'shape': (1,)}", "fortran_order"},
    {"{'descr': '<f4', 'fortran_order': False}", "shape"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", "shape"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (1", "shape"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': "
     "(99999999999999999999,)}",
     "too large"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': "
     "(1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1)}",
     "too many"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': "
     "(4294967296, 4294967296)}",
     "overflow"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", "bytes"},
};

START_TEST(bad_headers_are_refused)
{
    const char elements[4] = {0};
    put_npy(1, bad_headers[_i].header, elements, sizeof elements);
    /* What a tensor cannot be is a fault of the tensor. */
    bool of_tensor = strcmp(bad_headers[_i].why, "overflow") == 0 ||
                     strcmp(bad_headers[_i].why, "bytes") == 0;
    check_refused(of_tensor ? ERR_BAD_TENSOR : ERR_BAD_NPY,
                  bad_headers[_i].why);
}
END_TEST

START_TEST(what_is_not_npy_is_refused)
{
    put_file("", 0);
    check_refused(ERR_BAD_NPY, "not a .npy file");
    put_file("PK\3\4aaaaaaaa", 12);
    check_refused(ERR_BAD_NPY, "not a .npy file");
    put_file("\x93NUMPY\4\0aaaaaa", 14);
    check_refused(ERR_BAD_NPY, "version");
    put_file("\x93NUMPY\1\0\xff\xff{}", 12);
    check_refused(ERR_BAD_NPY, "cut off");
}
END_TEST

START_TEST(a_missing_file_is_io)
{
    unlink(path);
    check_refused(ERR_IO, "No such file");
}
END_TEST

START_TEST(npy_has_no_bfloat16)
{
    void *data;
    const void *bytes;
    size_t size;
    Tensor *tensor =
        tensor_alloc(arena, DT_BFLOAT16, 0, (const int64_t[]){0}, &data);
    ck_assert_int_eq(npy_bytes(arena, tensor, &bytes, &size, &err), -1);
    ck_assert_int_eq(err.code, ERR_BAD_NPY);
}
END_TEST

Suite *suite_npy(void)
{
    Suite *suite = suite_create("npy");
    TCase *tcase = tcase_create("npy");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, what_is_written_is_read, 0,
                        sizeof types / sizeof *types);
    tcase_add_test(tcase, the_header_is_numpys);
    tcase_add_test(tcase, versions_two_and_three_have_long_lengths);
    tcase_add_test(tcase, big_endian_is_turned_round);
    tcase_add_test(tcase, fortran_order_is_turned_into_rows);
    tcase_add_test(tcase, any_rank_is_turned_into_rows);
    tcase_add_test(tcase, a_file_is_not_copied);
    tcase_add_test(tcase, a_pipe_is_read_to_its_end);
    tcase_add_loop_test(tcase, bad_headers_are_refused, 0,
                        sizeof bad_headers / sizeof *bad_headers);
    tcase_add_test(tcase, what_is_not_npy_is_refused);
    tcase_add_test(tcase, a_missing_file_is_io);
    tcase_add_test(tcase, npy_has_no_bfloat16);
    suite_add_tcase(suite, tcase);
    return suite;
}
