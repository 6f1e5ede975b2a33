/* Arrays: how types are held, to and from tensors, buffers. */
#include <math.h>
#include <string.h>

#include "exec/array.h"
#include "exec/buffers.h"
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

static Tensor *tensor_of(DType type, int64_t count, const void *data)
{
    Tensor *tensor;
    ck_assert_int_eq(tensor_new(arena, type, 1, &count, data,
                                (size_t)count * dtype_size(type), &tensor,
                                &err),
                     0);
    return tensor;
}

static Array *array_of(const Tensor *tensor, Precision precision)
{
    Array *array;
    ck_assert_int_eq(
        array_from_tensor(arena, tensor, precision, false, &array, &err), 0);
    return array;
}

START_TEST(real_types_take_the_precision_and_integers_are_int64)
{
    ck_assert_int_eq(array_storage(DT_FLOAT16, PRECISION_F32), STORAGE_F32);
    ck_assert_int_eq(array_storage(DT_DOUBLE, PRECISION_F32), STORAGE_F32);
    ck_assert_int_eq(array_storage(DT_FLOAT, PRECISION_F64), STORAGE_F64);
    ck_assert_int_eq(array_storage(DT_BOOL, PRECISION_F32), STORAGE_I64);
    ck_assert_int_eq(array_storage(DT_UINT64, PRECISION_F64), STORAGE_I64);
}
END_TEST

/* A weight of the run's own precision is not copied. */
START_TEST(memory_that_fits_is_used_as_it_is)
{
    static const float floats[] = {1, 2};
    static const double doubles[] = {3, 4};
    static const int64_t integers[] = {5, 6};
    Tensor *f32 = tensor_of(DT_FLOAT, 2, floats);
    Tensor *f64 = tensor_of(DT_DOUBLE, 2, doubles);
    ck_assert_ptr_eq(array_of(f32, PRECISION_F32)->data, floats);
    ck_assert_ptr_ne(array_of(f32, PRECISION_F64)->data, floats);
    ck_assert_ptr_eq(array_of(f64, PRECISION_F64)->data, doubles);
    ck_assert_ptr_ne(array_of(f64, PRECISION_F32)->data, doubles);
    ck_assert_ptr_eq(
        array_of(tensor_of(DT_INT64, 2, integers), PRECISION_F32)->data,
        integers);
}
END_TEST

START_TEST(unaligned_memory_is_copied)
{
    _Alignas(8) char bytes[17] = {0};
    float value = 2.5f;
    memcpy(bytes + 1, &value, sizeof value);
    Array *array = array_of(tensor_of(DT_FLOAT, 1, bytes + 1), PRECISION_F32);
    ck_assert_ptr_ne(array->data, bytes + 1);
    ck_assert_int_eq(memcmp(array->data, &value, sizeof value), 0);
}
END_TEST

/* Every integer type comes back bit for bit, the extremes included. */
static const DType integer_types[] = {DT_INT8,   DT_UINT8,  DT_INT16,
                                      DT_UINT16, DT_INT32,  DT_UINT32,
                                      DT_INT64,  DT_UINT64, DT_BOOL};

START_TEST(integers_come_back)
{
    DType type = integer_types[_i];
    _Alignas(8) char bytes[32] = {0};
    size_t size = dtype_size(type);
    memset(bytes + size, type == DT_BOOL ? 1 : 0xff, size);
    bytes[3 * size - 1] = (char)(type == DT_BOOL ? 1 : 0x80);
    if (type == DT_BOOL)
        bytes[1] = bytes[2] = 1;
    for (int p = PRECISION_F32; p <= PRECISION_F64; p++) {
        Array *array = array_of(tensor_of(type, 3, bytes), (Precision)p);
        Tensor *back = array_to_tensor(arena, array, (Precision)p);
        ck_assert_int_eq(back->type, type);
        ck_assert_uint_eq(back->data_size, 3 * size);
        ck_assert_int_eq(memcmp(back->data, bytes, 3 * size), 0);
    }
}
END_TEST

START_TEST(any_bool_that_is_not_zero_is_one)
{
    static const uint8_t bytes[] = {0, 1, 2, 255};
    Array *array = array_of(tensor_of(DT_BOOL, 4, bytes), PRECISION_F32);
    const int64_t *held = array->data;
    ck_assert_int_eq(held[0], 0);
    for (int i = 1; i < 4; i++)
        ck_assert_int_eq(held[i], 1);
}
END_TEST

START_TEST(reals_are_rounded_once_on_the_way_out)
{
    Array *array =
        array_new(arena, DT_FLOAT16, 1, (int64_t[]){2}, PRECISION_F64);
    /* Through float32 the first would become a tie, and round to even. */
    ((double *)array->data)[0] = 1 + 0x1p-11 + 0x1p-40;
    ((double *)array->data)[1] = 1e6;
    Tensor *tensor = array_to_tensor(arena, array, PRECISION_F64);
    double out[2];
    tensor_read_f64(tensor, 0, 2, out);
    ck_assert_double_eq(out[0], 1 + 0x1p-10);
    ck_assert(isinf(out[1]));
}
END_TEST

static void read_third(const TensorFormula *self, int64_t first, int64_t count,
                       double *out)
{
    (void)self;
    for (int64_t i = 0; i < count; i++)
        out[i] = (double)(first + i) + 1.0 / 3;
}

START_TEST(a_formula_is_exact_or_as_stored)
{
    enum { COUNT = 3000 }; /* more than are loaded at once */
    static const TensorFormula formula = {read_third};
    Tensor *tensor =
        tensor_from_formula(arena, DT_FLOAT, 1, (int64_t[]){COUNT}, &formula);
    Array *exact, *stored;
    ck_assert_int_eq(
        array_from_tensor(arena, tensor, PRECISION_F64, true, &exact, &err), 0);
    ck_assert_int_eq(
        array_from_tensor(arena, tensor, PRECISION_F64, false, &stored, &err),
        0);
    for (int i = 0; i < COUNT; i++) {
        double value = i + 1.0 / 3;
        ck_assert_double_eq(((double *)exact->data)[i], value);
        ck_assert_double_eq(((double *)stored->data)[i], (double)(float)value);
    }
}
END_TEST

START_TEST(strings_cannot_be_computed_with)
{
    const int64_t one = 1;
    Tensor tensor = {.type = DT_STRING, .rank = 1, .dims = &one, .count = 1};
    Array *array;
    ck_assert_int_eq(
        array_from_tensor(arena, &tensor, PRECISION_F32, false, &array, &err),
        -1);
    ck_assert_int_eq(err.code, ERR_UNSUPPORTED_TYPE);
}
END_TEST

START_TEST(integers_wrap_as_twos_complement_does)
{
    ck_assert_int_eq(integer_wrap(DT_INT8, 128), -128);
    ck_assert_int_eq(integer_wrap(DT_UINT8, -1), 255);
    ck_assert_int_eq(integer_wrap(DT_INT32, INT64_C(1) << 31), INT32_MIN);
    ck_assert_int_eq(integer_wrap(DT_UINT32, -1), UINT32_MAX);
    ck_assert_int_eq(integer_wrap(DT_BOOL, -5), 1);
    ck_assert_int_eq(integer_wrap(DT_INT64, INT64_MIN), INT64_MIN);
}
END_TEST

START_TEST(reals_become_integers_without_undefined_behaviour)
{
    ck_assert_int_eq(integer_from_real(DT_INT64, -2.9), -2);
    ck_assert_int_eq(integer_from_real(DT_INT64, (double)NAN), 0);
    ck_assert_int_eq(integer_from_real(DT_INT64, 1e300), INT64_MAX);
    ck_assert_int_eq(integer_from_real(DT_INT64, -HUGE_VAL), INT64_MIN);
    ck_assert_int_eq(integer_from_real(DT_BOOL, 0.25), 1);
    ck_assert_int_eq(integer_from_real(DT_BOOL, (double)NAN), 1);
    ck_assert_uint_eq((uint64_t)integer_from_real(DT_UINT64, 0x1p63),
                      UINT64_C(1) << 63);
    ck_assert_uint_eq((uint64_t)integer_from_real(DT_UINT64, 1e300),
                      UINT64_MAX);
}
END_TEST

/* ---- Buffers ---- */

START_TEST(a_buffer_that_nobody_holds_is_used_again)
{
    Buffers *buffers = buffers_new(arena);
    void *first = buffers_take(buffers, 1000, 8);
    buffers_share(first);
    ck_assert(!buffers_alone(first));
    buffers_drop(buffers, first);
    ck_assert(buffers_alone(first));
    ck_assert_ptr_ne(buffers_take(buffers, 1000, 8), first);
    buffers_drop(buffers, first);
    ck_assert_ptr_eq(buffers_take(buffers, 990, 8), first);
}
END_TEST

START_TEST(free_buffers_do_not_add_to_the_peak)
{
    Buffers *buffers = buffers_new(arena);
    size_t before = arena_bytes(arena);
    for (size_t i = 1; i <= 100; i++) {
        void *a = buffers_take(buffers, 10000 * i, 1);
        void *b = buffers_take(buffers, 30000 * (101 - i), 1);
        buffers_drop(buffers, a);
        buffers_drop(buffers, b);
    }
    ck_assert_uint_lt(arena_peak(arena) - before, 10000 + 3000000 + 10000);
}
END_TEST

START_TEST(an_impossible_size_is_out_of_memory)
{
    volatile bool unwound = false;
    if (ARENA_GUARD(arena))
        buffers_take(buffers_new(arena), SIZE_MAX / 4, 8);
    else
        unwound = true;
    arena_unguard(arena);
    ck_assert(unwound);
}
END_TEST

Suite *suite_array(void)
{
    Suite *suite = suite_create("array");
    TCase *tcase = tcase_create("array");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, real_types_take_the_precision_and_integers_are_int64);
    tcase_add_test(tcase, memory_that_fits_is_used_as_it_is);
    tcase_add_test(tcase, unaligned_memory_is_copied);
    tcase_add_loop_test(tcase, integers_come_back, 0,
                        sizeof integer_types / sizeof *integer_types);
    tcase_add_test(tcase, any_bool_that_is_not_zero_is_one);
    tcase_add_test(tcase, reals_are_rounded_once_on_the_way_out);
    tcase_add_test(tcase, a_formula_is_exact_or_as_stored);
    tcase_add_test(tcase, strings_cannot_be_computed_with);
    tcase_add_test(tcase, integers_wrap_as_twos_complement_does);
    tcase_add_test(tcase, reals_become_integers_without_undefined_behaviour);
    tcase_add_test(tcase, a_buffer_that_nobody_holds_is_used_again);
    tcase_add_test(tcase, free_buffers_do_not_add_to_the_peak);
    tcase_add_test(tcase, an_impossible_size_is_out_of_memory);
    suite_add_tcase(suite, tcase);
    return suite;
}
