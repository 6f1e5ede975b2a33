/* Weights from a seed: they depend on the seed and the name alone. */
#include <math.h>
#include <string.h>

#include "suites.h"
#include "zoo/zoo.h"

static Arena *arena;

static void setup(void)
{
    arena = arena_new(0);
}

static void teardown(void)
{
    arena_free(arena);
}

static double *read_all(const Tensor *tensor)
{
    double *values = arena_array(arena, (size_t)tensor->count, sizeof *values);
    tensor_read_f64(tensor, 0, tensor->count, values);
    return values;
}

static const Tensor *seeded(uint64_t seed, const char *name, DType type,
                            int rank, const int64_t *dims)
{
    WeightSource *weights = weights_from_seed(arena, seed);
    Tensor *tensor = NULL;
    Err err = {0};
    ck_assert_int_eq(
        weights->tensor(weights, arena, name, type, rank, dims, &tensor, &err),
        0);
    return tensor;
}

static const int64_t VECTOR[] = {1000};

static bool same(const Tensor *a, const Tensor *b)
{
    return memcmp(read_all(a), read_all(b), (size_t)a->count * 8) == 0;
}

START_TEST(seed_and_name_decide_the_numbers)
{
    const Tensor *a = seeded(1, "a.bias", DT_FLOAT, 1, VECTOR);
    ck_assert(same(a, seeded(1, "a.bias", DT_FLOAT, 1, VECTOR)));
    ck_assert(!same(a, seeded(2, "a.bias", DT_FLOAT, 1, VECTOR)));
    ck_assert(!same(a, seeded(1, "b.bias", DT_FLOAT, 1, VECTOR)));
}
END_TEST

START_TEST(the_numbers_never_change)
{
    /* Worked out apart from this program, with SplitMix64 in Python: a file
     * made from a seed can be made again by any later version. */
    const double first[] = {-0x1.254ep-5, -0x1.40044ep-10, -0x1.23fd36p-4};
    double *values = read_all(seeded(1, "a.bias", DT_FLOAT, 1, VECTOR));
    for (int i = 0; i < 3; i++)
        ck_assert_double_eq(values[i], first[i]);
}
END_TEST

START_TEST(a_part_reads_as_in_the_whole)
{
    const Tensor *tensor = seeded(1, "a.bias", DT_FLOAT, 1, VECTOR);
    double *whole = read_all(tensor), part[7];
    tensor_read_f64(tensor, 600, 7, part);
    ck_assert_mem_eq(part, whole + 600, sizeof part);
}
END_TEST

START_TEST(numbers_are_what_the_type_can_hold)
{
    const DType types[] = {DT_FLOAT16, DT_FLOAT, DT_DOUBLE};
    DType type = types[_i];
    const Tensor *tensor = seeded(3, "a.bias", type, 1, VECTOR);
    double *values = read_all(tensor), back[1000];
    void *stored = arena_alloc(arena, 1000 * dtype_size(type));
    tensor_read_stored(tensor, 0, 1000, stored);
    Tensor *file;
    Err err = {0};
    ck_assert_int_eq(tensor_new(arena, type, 1, VECTOR, stored,
                                1000 * dtype_size(type), &file, &err),
                     0);
    tensor_read_f64(file, 0, 1000, back);
    ck_assert_mem_eq(values, back, sizeof back);
}
END_TEST

START_TEST(a_narrower_type_holds_the_same_number_rounded)
{
    double *wide = read_all(seeded(3, "a.bias", DT_DOUBLE, 1, VECTOR));
    double *narrow = read_all(seeded(3, "a.bias", DT_FLOAT, 1, VECTOR));
    for (int i = 0; i < 1000; i++)
        ck_assert_double_eq(narrow[i], (double)(float)wide[i]);
}
END_TEST

static const struct {
    const char *name;
    double low, high;
} kinds[] = {
    {"x.running_mean", -0.3, 0.3}, {"x.running_var", 0.3, 2.0},
    {"x.weight", 0.4, 1.4},        {"x.bias", -0.2, 0.2},
    {"x.gamma", -0.5, 0.9},
};

START_TEST(a_parameter_fills_the_range_of_its_kind)
{
    double *values = read_all(seeded(5, kinds[_i].name, DT_FLOAT, 1, VECTOR));
    double low = values[0], high = values[0];
    for (int i = 0; i < 1000; i++) {
        low = fmin(low, values[i]);
        high = fmax(high, values[i]);
    }
    double slack = (kinds[_i].high - kinds[_i].low) / 50;
    ck_assert_double_ge(low, kinds[_i].low - 1e-7);
    ck_assert_double_le(low, kinds[_i].low + slack);
    ck_assert_double_le(high, kinds[_i].high + 1e-7);
    ck_assert_double_ge(high, kinds[_i].high - slack);
}
END_TEST

/* Variance times fan-in. */
static const struct {
    int rank;
    int64_t dims[4];
    double gain;
} kernels[] = {
    {4, {100, 10, 3, 3}, 2}, {4, {900, 1, 3, 3}, 0.125}, {2, {90, 100}, 1}};

START_TEST(a_kernel_keeps_values_near_unit_variance)
{
    const Tensor *tensor =
        seeded(5, "x.weight", DT_DOUBLE, kernels[_i].rank, kernels[_i].dims);
    double *values = read_all(tensor), sum = 0, squares = 0;
    for (int64_t i = 0; i < tensor->count; i++) {
        sum += values[i];
        squares += values[i] * values[i];
    }
    double fan_in = (double)(tensor->count / tensor->dims[0]);
    ck_assert_double_eq_tol(squares / (double)tensor->dims[0], kernels[_i].gain,
                            kernels[_i].gain / 20);
    ck_assert_double_eq_tol(sum / (double)tensor->count, 0,
                            sqrt(kernels[_i].gain / fan_in) / 30);
}
END_TEST

START_TEST(a_seed_makes_no_integers)
{
    WeightSource *weights = weights_from_seed(arena, 1);
    Tensor *tensor;
    Err err = {0};
    ck_assert_int_eq(weights->tensor(weights, arena, "a.bias", DT_INT64, 1,
                                     VECTOR, &tensor, &err),
                     -1);
    ck_assert_int_eq(err.code, ERR_UNSUPPORTED_TYPE);
}
END_TEST

Suite *suite_weights(void)
{
    Suite *suite = suite_create("weights");
    TCase *weights = tcase_create("seed");
    tcase_add_checked_fixture(weights, setup, teardown);
    tcase_add_test(weights, seed_and_name_decide_the_numbers);
    tcase_add_test(weights, the_numbers_never_change);
    tcase_add_test(weights, a_part_reads_as_in_the_whole);
    tcase_add_loop_test(weights, numbers_are_what_the_type_can_hold, 0, 3);
    tcase_add_test(weights, a_narrower_type_holds_the_same_number_rounded);
    tcase_add_loop_test(weights, a_parameter_fills_the_range_of_its_kind, 0,
                        sizeof kinds / sizeof *kinds);
    tcase_add_loop_test(weights, a_kernel_keeps_values_near_unit_variance, 0,
                        sizeof kernels / sizeof *kernels);
    tcase_add_test(weights, a_seed_makes_no_integers);
    suite_add_tcase(suite, weights);
    return suite;
}
