/* Constant tensors: what is accepted, and how elements are read. */
#include <math.h>
#include <string.h>

#include "graph/tensor.h"
#include "suites.h"

static Arena *arena;
static Err err;

static void setup(void)
{
    arena = arena_new(0);
    err = (Err){0};
}

static void teardown(void)
{
    arena_free(arena);
}

static Tensor *tensor_over(DType type, int64_t count, const void *data,
                           size_t size)
{
    Tensor *tensor = NULL;
    ck_assert_int_eq(
        tensor_new(arena, type, 1, &count, data, size, &tensor, &err), 0);
    return tensor;
}

static void check_refused(DType type, int rank, const int64_t *dims,
                          size_t size)
{
    Tensor *tensor;
    err = (Err){0};
    ck_assert_int_eq(
        tensor_new(arena, type, rank, dims, "", size, &tensor, &err), -1);
    ck_assert_int_eq(err.code, ERR_BAD_TENSOR);
}

static void count_up(const TensorFormula *formula, int64_t first, int64_t count,
                     double *out)
{
    (void)formula;
    for (int64_t i = 0; i < count; i++)
        out[i] = (double)(first + i);
}

START_TEST(columns_are_read_by_steps)
{
    static const TensorFormula formula = {count_up};
    const int64_t dims[] = {3, 4};
    const double column[] = {1, 5, 9};
    void *data;
    double out[3];
    Tensor *computed = tensor_from_formula(arena, DT_FLOAT, 2, dims, &formula);
    Tensor *stored = tensor_alloc(arena, DT_FLOAT, 2, dims, &data);
    tensor_read_stored(computed, 0, 12, data);
    tensor_read_f64_step(stored, 1, 4, 3, out);
    ck_assert_mem_eq(out, column, sizeof column);
    tensor_read_f64_step(computed, 1, 4, 3, out);
    ck_assert_mem_eq(out, column, sizeof column);
    tensor_read_f64_step(stored, 12, 4, 0, out);
    tensor_read_f64_step(computed, 12, 4, 0, out);
    ck_assert_mem_eq(out, column, sizeof column);
}
END_TEST

START_TEST(data_must_be_exactly_as_long_as_dims_say)
{
    check_refused(DT_FLOAT, 1, (int64_t[]){2}, 7);
    check_refused(DT_FLOAT, 1, (int64_t[]){2}, 9);
    check_refused(DT_FLOAT, 2, (int64_t[]){2, 0}, 4);
    check_refused(DT_FLOAT, 0, NULL, 0);
}
END_TEST

START_TEST(hostile_dims_are_refused)
{
    int64_t many[RANK_MAX + 1] = {0};
    check_refused(DT_FLOAT, 1, (int64_t[]){-1}, 0);
    check_refused(DT_FLOAT, 2, (int64_t[]){0, -1}, 0);
    check_refused(DT_FLOAT, 2, (int64_t[]){1LL << 32, 1LL << 32}, 0);
    check_refused(DT_DOUBLE, 1, (int64_t[]){1LL << 61}, 0);
    check_refused(DT_FLOAT, RANK_MAX + 1, many, 0);
}
END_TEST

START_TEST(an_empty_tensor_and_a_scalar)
{
    Tensor *tensor;
    int64_t huge[] = {INT64_MAX, 0, INT64_MAX};
    ck_assert_int_eq(
        tensor_new(arena, DT_FLOAT, 3, huge, NULL, 0, &tensor, &err), 0);
    ck_assert_int_eq(tensor->count, 0);
    ck_assert(tensor_is_readable(tensor));
    tensor_read_f64(tensor, 0, 0, NULL);
    tensor_read_i64(tensor, 0, 0, NULL);
    tensor_read_stored(tensor, 0, 0, NULL);
    float one = 1;
    ck_assert_int_eq(
        tensor_new(arena, DT_FLOAT, 0, NULL, &one, sizeof one, &tensor, &err),
        0);
    ck_assert_int_eq(tensor->count, 1);
}
END_TEST

/* Bytes from a file are at any alignment. */
START_TEST(elements_are_read_at_any_alignment)
{
    char bytes[1 + 3 * sizeof(double)];
    const double values[3] = {1.5, -2, HUGE_VAL};
    double out[3];
    memcpy(bytes + 1, values, sizeof values);
    Tensor *tensor = tensor_over(DT_DOUBLE, 3, bytes + 1, sizeof values);
    tensor_read_f64(tensor, 0, 3, out);
    ck_assert_int_eq(memcmp(out, values, sizeof values), 0);
    tensor_read_f64(tensor, 1, 1, out);
    ck_assert_double_eq(out[0], -2);
}
END_TEST

/* The same bytes under every type: little-endian, as in the file. */
START_TEST(every_type_reads_its_own_way)
{
    static const unsigned char bytes[8] = {0xfe, 0xff, 0xff, 0xff,
                                           0xff, 0xff, 0xff, 0xff};
    static const struct {
        DType type;
        int64_t integer;
        double real;
    } rows[] = {
        {DT_INT8, -2, -2},
        {DT_UINT8, 254, 254},
        {DT_BOOL, 1, 1},
        {DT_INT16, -2, -2},
        {DT_UINT16, 65534, 65534},
        {DT_INT32, -2, -2},
        {DT_UINT32, 4294967294, 4294967294.0},
        {DT_INT64, -2, -2},
        {DT_UINT64, -2, 18446744073709551614.0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Tensor *tensor =
            tensor_over(rows[i].type, 1, bytes, dtype_size(rows[i].type));
        int64_t integer;
        double real;
        tensor_read_i64(tensor, 0, 1, &integer);
        tensor_read_f64(tensor, 0, 1, &real);
        ck_assert_int_eq(integer, rows[i].integer);
        ck_assert_double_eq(real, rows[i].real);
    }
}
END_TEST

START_TEST(reals_come_back_rounded_once)
{
    static const DType types[] = {DT_FLOAT, DT_DOUBLE, DT_FLOAT16, DT_BFLOAT16};
    const double values[3] = {1, -0.5, 1 + 0x1p-40};
    for (size_t i = 0; i < 4; i++) {
        int64_t count = 3;
        void *data;
        double out[3];
        Tensor *tensor = tensor_alloc(arena, types[i], 1, &count, &data);
        tensor_store_f64(types[i], values, 3, data);
        tensor_read_f64(tensor, 0, 3, out);
        ck_assert_double_eq(out[0], 1);
        ck_assert_double_eq(out[1], -0.5);
        ck_assert_double_eq(out[2], types[i] == DT_DOUBLE ? values[2] : 1);
        ck_assert_double_eq_tol(out[2], values[2],
                                dtype_roundoff(types[i]) * 2);
    }
}
END_TEST

static void thirds(const TensorFormula *self, int64_t first, int64_t count,
                   double *out)
{
    (void)self;
    for (int64_t i = 0; i < count; i++)
        out[i] = (double)(first + i) / 3;
}

START_TEST(a_formula_is_exact_when_read_and_rounded_when_stored)
{
    enum { COUNT = 1500 };
    static const TensorFormula formula = {thirds};
    int64_t dims[2] = {3, COUNT / 3};
    double out[2];
    static float stored[COUNT];
    Tensor *tensor = tensor_from_formula(arena, DT_FLOAT, 2, dims, &formula);
    ck_assert(tensor_is_readable(tensor));
    tensor_read_f64(tensor, 1000, 2, out);
    ck_assert_double_eq(out[1], 1001 / 3.0);
    tensor_read_stored(tensor, 0, COUNT, stored);
    for (int i = 0; i < COUNT; i++)
        ck_assert(stored[i] == (float)(i / 3.0));
}
END_TEST

START_TEST(what_is_stored_is_copied_bit_for_bit)
{
    static const unsigned char signalling[4] = {0x01, 0x00, 0xa0, 0x7f};
    unsigned char out[4];
    tensor_read_stored(tensor_over(DT_FLOAT, 1, signalling, 4), 0, 1, out);
    ck_assert_int_eq(memcmp(out, signalling, 4), 0);
}
END_TEST

START_TEST(types_have_names_and_sizes)
{
    ck_assert_str_eq(dtype_name(DT_FLOAT16), "float16");
    ck_assert_str_eq(dtype_name((DType)99), "undefined");
    ck_assert_str_eq(dtype_name((DType)-1), "undefined");
    ck_assert_uint_eq(dtype_size(DT_INT4), 0);
    ck_assert_uint_eq(dtype_size(DT_COMPLEX128), 16);
    ck_assert_uint_eq(dtype_size((DType)DT_COUNT), 0);
    for (int i = 1; i < DT_COUNT; i++)
        ck_assert_str_ne(dtype_name((DType)i), "undefined");
    ck_assert(dtype_is_integer(DT_BOOL));
    ck_assert(!dtype_is_integer(DT_STRING));
    ck_assert(!dtype_is_integer(DT_INT4));
    ck_assert_int_eq(dtype_range(DT_INT8).least, -128);
    ck_assert_int_eq(dtype_range(DT_UINT16).most, 65535);
    ck_assert_int_eq(dtype_range(DT_UINT64).most, INT64_MAX);
    ck_assert_int_eq(dtype_range(DT_BOOL).most, 1);
    ck_assert_int_eq(dtype_range(DT_FLOAT).most, 0);
    ck_assert(dtype_is_real(DT_BFLOAT16));
    ck_assert(!dtype_is_real(DT_COMPLEX64));
    ck_assert(!dtype_is_real(DT_FLOAT8E5M2));
}
END_TEST

START_TEST(what_is_not_understood_is_not_readable)
{
    ck_assert(!tensor_is_readable(tensor_over(DT_COMPLEX64, 1, "12345678", 8)));
    ck_assert(tensor_is_readable(tensor_over(DT_UINT8, 1, "1", 1)));
}
END_TEST

Suite *suite_tensor(void)
{
    Suite *suite = suite_create("tensor");
    TCase *tcase = tcase_create("tensor");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, columns_are_read_by_steps);
    tcase_add_test(tcase, data_must_be_exactly_as_long_as_dims_say);
    tcase_add_test(tcase, hostile_dims_are_refused);
    tcase_add_test(tcase, an_empty_tensor_and_a_scalar);
    tcase_add_test(tcase, elements_are_read_at_any_alignment);
    tcase_add_test(tcase, every_type_reads_its_own_way);
    tcase_add_test(tcase, reals_come_back_rounded_once);
    tcase_add_test(tcase, a_formula_is_exact_when_read_and_rounded_when_stored);
    tcase_add_test(tcase, what_is_stored_is_copied_bit_for_bit);
    tcase_add_test(tcase, types_have_names_and_sizes);
    tcase_add_test(tcase, what_is_not_understood_is_not_readable);
    suite_add_tcase(suite, tcase);
    return suite;
}
