#include "suites.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arrays.h"
#include "exec/npy.h"
#include "judge/input.h"
#include "judge/sample.h"
#include "net.h"

static Arena *arena;

static void setup(void)
{
    arena = arena_new(0);
}

static void teardown(void)
{
    arena_free(arena);
}

/* A model that only hands on what it is given. */
static const Model *pass_on(DType type, int rank, const int64_t *dims)
{
    Net net = toy_new(arena);
    toy_input(&net, "x", type, rank, dims);
    toy_node(&net, OP_Identity, "x", "y");
    toy_output(&net, "y", type);
    return toy_finish(&net);
}

static InputPlan plan_for(const Model *model, rp_verify_options options)
{
    InputPlan plan;
    Err err = {0};
    ck_assert_msg(inputs_plan(arena, model, model, &options, &plan, &err) == 0,
                  "%s", err.message);
    return plan;
}

/* What is wrong is about that file, or about none. */
static void check_file_refused(const char *file, const Model *model,
                               rp_verify_options options, ErrCode code,
                               const char *words)
{
    InputPlan plan;
    Err err = {0};
    ck_assert_int_eq(inputs_plan(arena, model, model, &options, &plan, &err),
                     -1);
    ck_assert_int_eq(err.code, code);
    ck_assert_msg(strstr(err.message, words) != NULL, "%s", err.message);
    ck_assert_str_eq(err.file, file);
}

static void check_refused(const Model *model, rp_verify_options options,
                          ErrCode code, const char *words)
{
    check_file_refused("", model, options, code, words);
}

static const Tensor *only_input(const InputPlan *plan, int sample)
{
    Tensor *tensor;
    input_sample(arena, plan, sample, ODD_ALL, &tensor);
    return tensor;
}

static double *values_of(const Tensor *tensor)
{
    double *values = arena_array(arena, (size_t)tensor->count, sizeof *values);
    tensor_read_f64(tensor, 0, tensor->count, values);
    return values;
}

static const int64_t IMAGE[4] = {1, 3, 8, 8}, FREE[4] = {-1, 3, -1, -1};

START_TEST(defaults_are_four_samples_of_seed_one)
{
    InputPlan plan =
        plan_for(pass_on(DT_FLOAT, 4, IMAGE), (rp_verify_options){0});
    ck_assert_int_eq(plan.generated, 4);
    ck_assert_int_eq(plan.data, 0);
    ck_assert_uint_eq(plan.seed, 1);
    ck_assert(!plan.varies);
    ck_assert_str_eq(input_sample_text(arena, &plan, 1), "sample 1 (one-hot)");
}
END_TEST

START_TEST(same_seed_gives_the_same_input)
{
    const Model *model = pass_on(DT_FLOAT, 4, IMAGE);
    InputPlan plan =
        plan_for(model, (rp_verify_options){.seed = 5, .samples = 9});
    InputPlan again = plan_for(model, (rp_verify_options){.seed = 5});
    InputPlan other = plan_for(model, (rp_verify_options){.seed = 6});
    const Tensor *a = only_input(&plan, 0), *b = only_input(&again, 0);
    ck_assert_mem_eq(a->data, b->data, a->data_size);
    b = only_input(&other, 0);
    ck_assert(memcmp(a->data, b->data, a->data_size) != 0);
    b = only_input(&plan, SAMPLE_KINDS);
    ck_assert(memcmp(a->data, b->data, a->data_size) != 0);
}
END_TEST

START_TEST(kinds_are_what_they_are_called)
{
    InputPlan plan = plan_for(pass_on(DT_FLOAT, 4, IMAGE),
                              (rp_verify_options){.samples = 8});
    static const double least[SAMPLE_KINDS] = {2, 1, 1, 200, 1, 2e-6, 0.9, 1},
                        most[SAMPLE_KINDS] = {5, 1, 1.2, 500, 1, 5e-6, 1, 5};
    for (int i = 0; i < SAMPLE_KINDS; i++) {
        const Tensor *tensor = only_input(&plan, i);
        double *values = values_of(tensor), largest = 0;
        for (int64_t k = 0; k < tensor->count; k++)
            largest = fmax(largest, fabs(values[k]));
        ck_assert_msg(largest >= least[i] * 0.999 && largest <= most[i],
                      "%s: %g", sample_name((SampleKind)i), largest);
    }
}
END_TEST

/* Tiles of 32 x 16: see sample.c. */
START_TEST(mixed_image_has_the_kinds_side_by_side)
{
    int64_t dims[4] = {1, 3, 64, 66};
    InputPlan plan =
        plan_for(pass_on(DT_FLOAT, 4, dims), (rp_verify_options){0});
    ck_assert_str_eq(input_sample_text(arena, &plan, 0), "sample 0 (mixed)");
    double *values = values_of(only_input(&plan, 0));
    int hot = 0, zeros = 0;
    double tiny = 0, normal = 0;
    for (int64_t y = 0; y < 64; y++)
        for (int64_t x = 0; x < 66; x++) {
            double value = values[y * 66 + x];
            if (y < 32 && x < 16)
                hot += value != 0;
            else if (y < 32 && (x < 32 || x >= 48))
                normal = fmax(normal, fabs(value));
            else if (y < 32)
                ck_assert(fabs(fabs(value) - 1) <= 0.125);
            else if (x < 16)
                ck_assert(value >= 0 && value < 1);
            else if (x < 32)
                ck_assert(value == 1);
            else if (x < 48)
                tiny = fmax(tiny, fabs(value));
            else
                zeros += value == 0;
        }
    /* Of nine marks in three channels, as the 18 columns of the last tile. */
    ck_assert_int_eq(hot, 3);
    ck_assert(normal > 2 && normal < 6);
    ck_assert(tiny > 1e-6 && tiny < 6e-6);
    ck_assert(zeros > 32 * 18 / 2 && zeros < 32 * 18);
}
END_TEST

START_TEST(one_hot_marks_corners_borders_and_the_centre)
{
    InputPlan plan =
        plan_for(pass_on(DT_FLOAT, 4, IMAGE), (rp_verify_options){0});
    double *values = values_of(only_input(&plan, 1));
    int hot = 0;
    for (int c = 0; c < 3; c++)
        for (int y = 0; y < 8; y++)
            for (int x = 0; x < 8; x++) {
                double value = values[(c * 8 + y) * 8 + x];
                bool marked = (y == 0 || y == 3 || y == 7) &&
                              (x == 0 || x == 3 || x == 7);
                ck_assert(value == 0 || (value == 1 && marked));
                hot += value == 1;
            }
    ck_assert_int_eq(hot, 9);
    /* Each channel has some. */
    ck_assert_double_eq(values[0], 1);
}
END_TEST

/* So that what mixes them shows. */
START_TEST(images_of_a_batch_differ)
{
    InputPlan plan =
        plan_for(pass_on(DT_FLOAT, 4, FREE), (rp_verify_options){.samples = 8});
    for (int i = 1; i < 8; i += 2) {
        const Tensor *tensor = only_input(&plan, i);
        double *values = values_of(tensor);
        size_t size = (size_t)tensor->count / 2 * sizeof *values;
        ck_assert_int_eq(tensor->dims[0], 2);
        ck_assert(memcmp(values, values + tensor->count / 2, size) != 0);
    }
}
END_TEST

START_TEST(alternating_changes_sign_along_every_axis)
{
    InputPlan plan =
        plan_for(pass_on(DT_FLOAT, 4, IMAGE), (rp_verify_options){0});
    double *values = values_of(only_input(&plan, 2));
    ck_assert(values[0] * values[1] < 0);
    ck_assert(values[0] * values[8] < 0);
    ck_assert(values[0] * values[64] < 0);
}
END_TEST

START_TEST(symbolic_sizes_vary_over_samples)
{
    InputPlan plan =
        plan_for(pass_on(DT_FLOAT, 4, FREE), (rp_verify_options){0});
    ck_assert(plan.varies);
    const Tensor *even = only_input(&plan, 0), *odd = only_input(&plan, 1);
    ck_assert_int_eq(even->dims[0], 1);
    ck_assert_int_eq(odd->dims[0], 2);
    ck_assert_int_eq(even->dims[1], 3);
    ck_assert_int_eq(even->dims[2], even->dims[3]);
    ck_assert_int_eq(odd->dims[2] % 2, 1);
    ck_assert_int_eq(odd->dims[3] % 2, 1);
    ck_assert_int_ne(odd->dims[2], odd->dims[3]);
    Tensor *plain;
    input_sample(arena, &plan, 1, ODD_NONE, &plain);
    ck_assert_int_eq(plain->dims[0], 1);
    ck_assert_int_eq(plain->dims[2], even->dims[2]);
    input_sample(arena, &plan, 1, ODD_BATCH, &plain);
    ck_assert_int_eq(plain->dims[0], 2);
    ck_assert_int_eq(plain->dims[2], even->dims[2]);
}
END_TEST

START_TEST(size_that_one_model_fixes_counts_for_both)
{
    InputPlan plan;
    Err err = {0};
    rp_verify_options options = {0};
    const Model *a = pass_on(DT_FLOAT, 4, FREE);
    const Model *b = pass_on(DT_FLOAT, 4, IMAGE);
    ck_assert_int_eq(inputs_plan(arena, a, b, &options, &plan, &err), 0);
    ck_assert(!plan.varies);
    ck_assert_int_eq(only_input(&plan, 1)->dims[2], 8);
}
END_TEST

START_TEST(channels_come_from_the_convolution_that_reads_them)
{
    int64_t dims[4] = {-1, -1, -1, -1}, weight[4] = {2, 5, 1, 1};
    double zeros[10] = {0};
    Net net = toy_new(arena);
    toy_input(&net, "x", DT_FLOAT, 4, dims);
    toy_weight(&net, "w", DT_FLOAT, 4, weight, zeros);
    toy_node(&net, OP_Conv, "x w", "y");
    toy_output(&net, "y", DT_FLOAT);
    InputPlan plan = plan_for(toy_finish(&net), (rp_verify_options){0});
    ck_assert_int_eq(only_input(&plan, 0)->dims[1], 5);
}
END_TEST

START_TEST(shape_option_overrides_symbols)
{
    const char *shapes[] = {"x:4,3,17,19"};
    rp_verify_options options = {.input_shapes = shapes,
                                 .input_shape_count = 1};
    InputPlan plan = plan_for(pass_on(DT_FLOAT, 4, FREE), options);
    for (int i = 0; i < 2; i++) {
        const Tensor *tensor = only_input(&plan, i);
        ck_assert_int_eq(tensor->dims[0], 4);
        ck_assert_int_eq(tensor->dims[2], 17);
        ck_assert_int_eq(tensor->dims[3], 19);
    }
}
END_TEST

START_TEST(bad_shape_options_are_refused)
{
    static const struct {
        const char *text;
        ErrCode code;
        const char *words;
    } cases[] = {
        {"x", ERR_USAGE, "is not NAME:1,3,256,256"},
        {"z:1,3,8,8", ERR_BAD_INPUT, "no input \"z\""},
        {"x:", ERR_USAGE, "is not a shape"},
        {"x:1,,3", ERR_USAGE, "is not a shape"},
        {"x:1,3,8,-8", ERR_USAGE, "is not a shape"},
        {"x:1,3,8,8 ", ERR_USAGE, "is not a shape"},
        {"x:1,3,8,0", ERR_USAGE, "is not a shape"},
        {"x:1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1", ERR_USAGE, "not a shape"},
        {"x:1,3,8", ERR_BAD_INPUT, "rank 4, not 3"},
        {"x:1,4,8,8", ERR_BAD_INPUT, "axis 1 of input \"x\" is 3, not 4"},
    };
    const Model *model = pass_on(DT_FLOAT, 4, FREE);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rp_verify_options options = {.input_shapes = &cases[i].text,
                                     .input_shape_count = 1};
        check_refused(model, options, cases[i].code, cases[i].words);
    }
}
END_TEST

START_TEST(unknown_rank_asks_for_a_shape)
{
    Net net = toy_new(arena);
    int64_t none = 0;
    toy_input(&net, "x", DT_FLOAT, 0, &none)->fact.rank = -1;
    toy_node(&net, OP_Identity, "x", "y");
    toy_output(&net, "y", DT_FLOAT);
    const Model *model = toy_finish(&net);
    check_refused(model, (rp_verify_options){0}, ERR_BAD_INPUT,
                  "--input-shape x:");
    const char *shapes[] = {"x:2,2"};
    rp_verify_options options = {.input_shapes = shapes,
                                 .input_shape_count = 1};
    InputPlan plan = plan_for(model, options);
    ck_assert_int_eq(only_input(&plan, 0)->count, 4);
}
END_TEST

START_TEST(integers_stay_in_a_sensible_range)
{
    static const DType types[] = {DT_INT64, DT_INT32, DT_BOOL, DT_UINT8,
                                  DT_INT8};
    int64_t tokens[2] = {1, 64};
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        InputPlan plan = plan_for(pass_on(types[t], 2, tokens),
                                  (rp_verify_options){.samples = 8});
        for (int i = 0; i < 8; i++) {
            double *values = values_of(only_input(&plan, i));
            for (int k = 0; k < 64; k++)
                ck_assert(values[k] == 0 || values[k] == 1);
        }
    }
    InputPlan plan =
        plan_for(pass_on(DT_UINT8, 4, IMAGE), (rp_verify_options){0});
    double *values = values_of(only_input(&plan, 0)), largest = 0;
    for (int k = 0; k < 3 * 64; k++)
        largest = fmax(largest, values[k]);
    ck_assert(largest > 200 && largest < 256);
    plan = plan_for(pass_on(DT_INT8, 4, IMAGE), (rp_verify_options){0});
    values = values_of(only_input(&plan, 0));
    double least = largest = 0;
    for (int k = 0; k < 3 * 64; k++) {
        largest = fmax(largest, values[k]);
        least = fmin(least, values[k]);
    }
    ck_assert(least < -100 && largest > 100);
}
END_TEST

START_TEST(input_with_a_default_is_not_asked_for)
{
    Net net = toy_new(arena);
    toy_input(&net, "x", DT_FLOAT, 4, IMAGE);
    int64_t one = 1;
    double value = 2;
    toy_input(&net, "factor", DT_FLOAT, 1, &one);
    toy_weight(&net, "factor", DT_FLOAT, 1, &one, &value);
    toy_node(&net, OP_Mul, "x factor", "y");
    toy_output(&net, "y", DT_FLOAT);
    InputPlan plan = plan_for(toy_finish(&net), (rp_verify_options){0});
    ck_assert_int_eq(plan.slot_count, 1);
}
END_TEST

/* ---- The user's data ---- */

static const char *write_npy(DType type, int rank, const int64_t *dims)
{
    char *path = arena_strdup(arena, "/tmp/repfold-input-XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    void *data;
    const void *bytes;
    size_t size;
    Err err = {0};
    Tensor *tensor = tensor_alloc(arena, type, rank, dims, &data);
    memset(data, 1, tensor->data_size);
    ck_assert_int_eq(npy_bytes(arena, tensor, &bytes, &size, &err), 0);
    ck_assert_int_eq(write(fd, bytes, size), (ssize_t)size);
    close(fd);
    return path;
}

static const char *bind_text(const char *name, const char *path)
{
    return arena_printf(arena, "%s=%s", name, path);
}

START_TEST(data_are_further_samples)
{
    int64_t dims[4] = {2, 3, 5, 6};
    const char *path = write_npy(DT_FLOAT, 4, dims);
    const char *files[] = {bind_text("x", path), bind_text("x", path)};
    rp_verify_options options = {.input_files = files, .input_file_count = 2};
    InputPlan plan = plan_for(pass_on(DT_FLOAT, 4, FREE), options);
    unlink(path);
    ck_assert_int_eq(plan.generated, 4);
    ck_assert_int_eq(plan.data, 2);
    const Tensor *tensor = only_input(&plan, 5);
    ck_assert_int_eq(tensor->dims[3], 6);
    ck_assert_str_eq(input_sample_text(arena, &plan, 5), "data sample 1");
}
END_TEST

START_TEST(data_of_another_shape_or_type_are_refused)
{
    int64_t dims[4] = {1, 4, 5, 6};
    const Model *model = pass_on(DT_FLOAT, 4, FREE);
    const char *path = write_npy(DT_FLOAT, 4, dims);
    const char *text = bind_text("x", path);
    rp_verify_options options = {.input_files = &text, .input_file_count = 1};
    check_file_refused(path, model, options, ERR_BAD_INPUT, "is 3, not 4");
    unlink(path);
    dims[1] = 3;
    path = write_npy(DT_DOUBLE, 4, dims);
    text = bind_text("x", path);
    check_file_refused(path, model, options, ERR_BAD_INPUT, "is float64");
    unlink(path);
    text = bind_text("x", "/nonexistent.npy");
    check_file_refused("/nonexistent.npy", model, options, ERR_IO,
                       "cannot open it");
    text = "x";
    check_refused(model, options, ERR_USAGE, "NAME=FILE.npy");
    text = bind_text("z", "/nonexistent.npy");
    check_refused(model, options, ERR_BAD_INPUT, "no input \"z\"");
}
END_TEST

START_TEST(shard_must_be_one_of_them)
{
    const float numbers[3 * 64] = {0};
    rp_array array = {.input = "x", .rank = 4, .dims = IMAGE, .data = numbers};
    static const int shards[] = {-1, 2};
    for (int i = 0; i < 2; i++)
        check_refused(pass_on(DT_FLOAT, 4, IMAGE),
                      (rp_verify_options){.arrays = &array,
                                          .array_count = 1,
                                          .shard = shards[i],
                                          .shards = 2},
                      ERR_USAGE, i ? "no shard 3 of 2" : "no shard 0 of 2");
}
END_TEST

START_TEST(every_input_needs_its_data)
{
    int64_t dims[1] = {3};
    Net net = toy_new(arena);
    toy_input(&net, "p", DT_FLOAT, 1, dims);
    toy_input(&net, "q", DT_FLOAT, 1, dims);
    toy_node(&net, OP_Add, "p q", "y");
    toy_output(&net, "y", DT_FLOAT);
    const char *path = write_npy(DT_FLOAT, 1, dims);
    const char *text = bind_text("q", path);
    rp_verify_options options = {.input_files = &text, .input_file_count = 1};
    check_refused(toy_finish(&net), options, ERR_BAD_INPUT,
                  "\"p\" has 0 of 1 data files");
    unlink(path);
}
END_TEST

static rp_verify_options with_array(const rp_array *array)
{
    return (rp_verify_options){.samples = 1, .arrays = array, .array_count = 1};
}

START_TEST(arrays_in_memory_are_samples)
{
    const float numbers[] = {0.1f, -2};
    const int64_t dims[] = {1, 2}, turned[] = {2, 1}, huge[] = {1, INT64_MAX};
    const Model *single = pass_on(DT_FLOAT, 2, dims);
    const Model *half = pass_on(DT_FLOAT16, 2, dims);
    rp_array array = {.input = "x", .rank = 2, .dims = dims, .data = numbers};
    InputPlan plan = plan_for(single, with_array(&array));
    ck_assert_int_eq(plan.data, 1);
    ck_assert_ptr_eq(only_input(&plan, 1)->data, numbers);
    plan = plan_for(half, with_array(&array));
    ck_assert(values_of(only_input(&plan, 1))[0] == 0x1.998p-4);
    check_refused(pass_on(DT_UINT8, 2, dims), with_array(&array), ERR_BAD_INPUT,
                  "holds 0.1, and input \"x\" takes bytes");
    check_refused(pass_on(DT_INT8, 2, dims), with_array(&array), ERR_BAD_INPUT,
                  "float32, input \"x\" is int8");
    array.data = (const float[]){0, 255};
    plan = plan_for(pass_on(DT_UINT8, 2, dims), with_array(&array));
    const uint8_t *bytes = only_input(&plan, 1)->data;
    ck_assert(bytes[0] == 0 && bytes[1] == 255);
    const int64_t whole[] = {-3, 1};
    array = (rp_array){.input = "x",
                       .rank = 2,
                       .dims = dims,
                       .data = whole,
                       .type = "int64",
                       .name = "these"};
    plan = plan_for(pass_on(DT_INT64, 2, dims), with_array(&array));
    ck_assert_ptr_eq(only_input(&plan, 1)->data, whole);
    check_file_refused("these", single, with_array(&array), ERR_BAD_INPUT,
                       "the array is int64, input \"x\" is float32");
    array = (rp_array){.input = "x", .rank = 2, .data = numbers};
    array.dims = turned;
    check_refused(single, with_array(&array), ERR_BAD_INPUT, "axis 0");
    array.dims = huge;
    check_refused(single, with_array(&array), ERR_BAD_INPUT, "too large");
    array.input = "z";
    check_refused(single, with_array(&array), ERR_BAD_INPUT, "no input \"z\"");
}
END_TEST

Suite *suite_input(void)
{
    Suite *suite = suite_create("input");
    TCase *tc = tcase_create("input");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, arrays_in_memory_are_samples);
    tcase_add_test(tc, defaults_are_four_samples_of_seed_one);
    tcase_add_test(tc, same_seed_gives_the_same_input);
    tcase_add_test(tc, kinds_are_what_they_are_called);
    tcase_add_test(tc, mixed_image_has_the_kinds_side_by_side);
    tcase_add_test(tc, one_hot_marks_corners_borders_and_the_centre);
    tcase_add_test(tc, images_of_a_batch_differ);
    tcase_add_test(tc, alternating_changes_sign_along_every_axis);
    tcase_add_test(tc, symbolic_sizes_vary_over_samples);
    tcase_add_test(tc, size_that_one_model_fixes_counts_for_both);
    tcase_add_test(tc, channels_come_from_the_convolution_that_reads_them);
    tcase_add_test(tc, shape_option_overrides_symbols);
    tcase_add_test(tc, bad_shape_options_are_refused);
    tcase_add_test(tc, unknown_rank_asks_for_a_shape);
    tcase_add_test(tc, integers_stay_in_a_sensible_range);
    tcase_add_test(tc, input_with_a_default_is_not_asked_for);
    tcase_add_test(tc, data_are_further_samples);
    tcase_add_test(tc, data_of_another_shape_or_type_are_refused);
    tcase_add_test(tc, shard_must_be_one_of_them);
    tcase_add_test(tc, every_input_needs_its_data);
    suite_add_tcase(suite, tc);
    return suite;
}
