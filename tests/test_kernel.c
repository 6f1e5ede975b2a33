/* Folded weights in normal form, against loops over the definition. */
#include <stdlib.h>
#include <string.h>

#include "fold/kernel.h"
#include "suites.h"

static Arena *arena;

static void setup(void)
{
    arena = arena_new(0);
    srand(11);
}

static void teardown(void)
{
    arena_free(arena);
}

static double number(void)
{
    return (rand() % 2001 - 1000) / 64.0;
}

static Tensor *random_tensor(int rank, const int64_t *dims)
{
    void *data;
    Tensor *tensor = tensor_alloc(arena, DT_DOUBLE, rank, dims, &data);
    for (int64_t i = 0; i < tensor->count; i++)
        ((double *)data)[i] = number();
    return tensor;
}

static Vec random_vec(int64_t size)
{
    double *values = arena_array(arena, (size_t)size, sizeof *values);
    for (int64_t i = 0; i < size; i++)
        values[i] = number();
    return (Vec){size, values};
}

static double element(const Kernel *kernel, int64_t index)
{
    double value;
    kernel->formula.read(&kernel->formula, index, 1, &value);
    return value;
}

START_TEST(scales_by_output_and_input_channel)
{
    int64_t dims[4] = {4, 3, 2, 2}, taps[AXES_MAX] = {2, 2, 1};
    Tensor *weight = random_tensor(4, dims);
    const double *w = weight->data;
    Kernel *kernel =
        kernel_from_tensor(arena, weight, LAYOUT_OUT_IN, 4, 6, 2, taps);
    Vec out = random_vec(4), in = random_vec(6);
    Kernel *scaled = kernel_scale(arena, kernel, out, in);
    for (int64_t o = 0; o < 4; o++)
        for (int64_t c = 0; c < 3; c++)
            for (int64_t t = 0; t < 4; t++) {
                int64_t i = (o * 3 + c) * 4 + t;
                double want = w[i] * (out.at[o] * in.at[o / 2 * 3 + c]);
                ck_assert_double_eq(element(scaled, i), want);
            }
}
END_TEST

START_TEST(transposed_layout_scales_the_other_way)
{
    int64_t dims[2] = {3, 5}, taps[AXES_MAX] = {1, 1, 1};
    Tensor *weight = random_tensor(2, dims);
    const double *w = weight->data;
    Kernel *kernel =
        kernel_from_tensor(arena, weight, LAYOUT_IN_OUT, 5, 3, 1, taps);
    Vec out = random_vec(5), in = random_vec(3);
    Kernel *scaled = kernel_scale(arena, kernel, out, in);
    for (int64_t c = 0; c < 3; c++)
        for (int64_t o = 0; o < 5; o++)
            ck_assert_double_eq(element(scaled, c * 5 + o),
                                w[c * 5 + o] * (out.at[o] * in.at[c]));
}
END_TEST

/* (Cin, Cout/g): an axis-1 scaling would be wrong here. */
START_TEST(grouped_transposed_convolution)
{
    int64_t dims[3] = {4, 3, 2}, taps[AXES_MAX] = {2, 1, 1};
    Tensor *weight = random_tensor(3, dims);
    const double *w = weight->data;
    Kernel *kernel =
        kernel_from_tensor(arena, weight, LAYOUT_IN_OUT, 6, 4, 2, taps);
    Vec out = random_vec(6);
    Kernel *scaled = kernel_scale(arena, kernel, out, VEC_NONE);
    for (int64_t c = 0; c < 4; c++)
        for (int64_t o = 0; o < 3; o++)
            for (int64_t t = 0; t < 2; t++) {
                int64_t i = (c * 3 + o) * 2 + t;
                ck_assert_double_eq(element(scaled, i),
                                    w[i] * out.at[c / 2 * 3 + o]);
            }
}
END_TEST

/* 3x3 in two groups, plus 1x1 depthwise, plus identity, in one group of 4. */
START_TEST(sum_places_and_regroups)
{
    int64_t large_dims[4] = {4, 2, 3, 3}, small_dims[4] = {4, 1, 1, 1};
    int64_t taps3[AXES_MAX] = {3, 3, 1}, taps1[AXES_MAX] = {1, 1, 1};
    Tensor *large = random_tensor(4, large_dims);
    Tensor *small = random_tensor(4, small_dims);
    const double *wl = large->data, *ws = small->data;
    const Kernel *parts[3] = {
        kernel_from_tensor(arena, large, LAYOUT_OUT_IN, 4, 4, 2, taps3),
        kernel_from_tensor(arena, small, LAYOUT_OUT_IN, 4, 4, 4, taps1),
        kernel_uniform(arena, 4, 1, taps1),
    };
    Placement places[3] = {
        {{0, 0, 0}, {1, 1, 1}}, {{1, 1, 0}, {1, 1, 1}}, {{0, 2, 0}, {1, 1, 1}}};
    Kernel *sum = kernel_sum(arena, parts, places, 3, 1, taps3);
    ck_assert_int_eq(kernel_elements(sum), 4 * 4 * 9);
    for (int64_t o = 0; o < 4; o++)
        for (int64_t c = 0; c < 4; c++)
            for (int64_t t = 0; t < 9; t++) {
                double want = 0;
                if (o / 2 == c / 2)
                    want += wl[(o * 2 + c % 2) * 9 + t];
                if (o == c && t == 4)
                    want += ws[o];
                if (o == c && t == 2)
                    want += 1;
                ck_assert_double_eq(element(sum, (o * 4 + c) * 9 + t), want);
            }
}
END_TEST

START_TEST(folding_a_folded_kernel_flattens)
{
    int64_t dims[3] = {2, 2, 3}, taps[AXES_MAX] = {3, 1, 1};
    int64_t wide[AXES_MAX] = {5, 1, 1};
    Tensor *weight = random_tensor(3, dims);
    const double *w = weight->data;
    const Kernel *first =
        kernel_from_tensor(arena, weight, LAYOUT_OUT_IN, 2, 2, 1, taps);
    Placement place = {{1, 0, 0}, {1, 1, 1}};
    Kernel *placed = kernel_sum(arena, &first, &place, 1, 1, wide);
    int64_t wide_dims[3] = {2, 2, 5};
    Tensor *tensor = kernel_tensor(arena, placed, DT_FLOAT, 3, wide_dims);
    Kernel *again =
        kernel_from_tensor(arena, tensor, LAYOUT_OUT_IN, 2, 2, 1, wide);
    ck_assert_ptr_eq(kernel_of(tensor), placed);
    Vec out = random_vec(2);
    again = kernel_scale(arena, again, out, VEC_NONE);
    ck_assert_ptr_eq(again->terms[0].source, weight);
    for (int64_t i = 0; i < 4; i++)
        for (int64_t t = 0; t < 5; t++) {
            double want =
                t >= 1 && t < 4 ? w[i * 3 + t - 1] * out.at[i / 2] : 0;
            ck_assert_double_eq(element(again, i * 5 + t), want);
        }
}
END_TEST

START_TEST(any_piece_reads_like_the_whole)
{
    int64_t dims[4] = {6, 3, 3, 5}, taps[AXES_MAX] = {3, 5, 1};
    int64_t taps_small[AXES_MAX] = {2, 3, 1}, dims_small[4] = {6, 1, 2, 3};
    const Kernel *parts[2] = {
        kernel_from_tensor(arena, random_tensor(4, dims), LAYOUT_OUT_IN, 6, 6,
                           2, taps),
        kernel_from_tensor(arena, random_tensor(4, dims_small), LAYOUT_OUT_IN,
                           6, 6, 6, taps_small),
    };
    Placement places[2] = {{{0, 0, 0}, {1, 1, 1}}, {{0, 0, 0}, {2, 2, 1}}};
    Kernel *sum = kernel_sum(arena, parts, places, 2, 2, taps);
    double whole[6 * 3 * 15], piece[6 * 3 * 15];
    int64_t count = kernel_elements(sum);
    ck_assert_int_eq(count, 6 * 3 * 15);
    sum->formula.read(&sum->formula, 0, count, whole);
    for (int round = 0; round < 500; round++) {
        int64_t first = rand() % count;
        int64_t length = 1 + rand() % (count - first);
        sum->formula.read(&sum->formula, first, length, piece);
        ck_assert_mem_eq(piece, whole + first, (size_t)length * sizeof *piece);
    }
}
END_TEST

START_TEST(shift_before_an_unpadded_operator)
{
    int64_t dims[4] = {4, 3, 2, 2}, taps[AXES_MAX] = {2, 2, 1};
    Tensor *weight = random_tensor(4, dims);
    const double *w = weight->data;
    Kernel *kernel =
        kernel_from_tensor(arena, weight, LAYOUT_OUT_IN, 4, 6, 2, taps);
    Vec shift = random_vec(6), got = kernel_apply_shift(arena, kernel, shift);
    for (int64_t o = 0; o < 4; o++) {
        double want = 0;
        for (int64_t c = 0; c < 3; c++)
            for (int64_t t = 0; t < 4; t++)
                want += w[(o * 3 + c) * 4 + t] * shift.at[o / 2 * 3 + c];
        ck_assert_double_eq(got.at[o], want);
    }
}
END_TEST

Suite *suite_kernel(void)
{
    Suite *suite = suite_create("kernel");
    TCase *tcase = tcase_create("kernel");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, scales_by_output_and_input_channel);
    tcase_add_test(tcase, transposed_layout_scales_the_other_way);
    tcase_add_test(tcase, grouped_transposed_convolution);
    tcase_add_test(tcase, sum_places_and_regroups);
    tcase_add_test(tcase, folding_a_folded_kernel_flattens);
    tcase_add_test(tcase, any_piece_reads_like_the_whole);
    tcase_add_test(tcase, shift_before_an_unpadded_operator);
    suite_add_tcase(suite, tcase);
    return suite;
}
