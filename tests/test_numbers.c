/* Which inputs two models are compared on, and what of them counts. */
#include "suites.h"

#include <string.h>

#include "judging.h"
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

static rp_verdict_info judge(const Model *a, const Model *b,
                             rp_verify_options options)
{
    return judge_pair(arena, a, b, false, options);
}

/* ---- Sizes ---- */

/* x w, and where that is not 0 as an array of so many images. A depthwise
 * transposed convolution counts as dense: this network is a large one. */
static const Model *large(int64_t batch, int64_t images)
{
    enum { CHANNELS = 16384 };
    int64_t image[4] = {batch, CHANNELS, 2, 2}, four = 4;
    int64_t weight[4] = {CHANNELS, 1, 1, 1};
    double w[CHANNELS], shape[4] = {(double)images, CHANNELS, 2, 2};
    for (int i = 0; i < CHANNELS; i++)
        w[i] = 1 + i / 16384.0;
    Net net = toy_new(arena);
    toy_input(&net, "x", DT_FLOAT, 4, image);
    toy_weight(&net, "w", DT_FLOAT, 4, weight, w);
    Node *node =
        toy_node(&net, OP_ConvTranspose, "x w", images ? "inner" : "y");
    node_set_int(node, "group", CHANNELS);
    if (images) {
        toy_weight(&net, "shape", DT_INT64, 1, &four, shape);
        toy_node(&net, OP_Reshape, "inner shape", "y");
    }
    toy_output(&net, "y", DT_FLOAT);
    return toy_finish(&net);
}

START_TEST(large_network_of_one_size_gets_one_sample)
{
    rp_verdict_info info =
        judge(large(1, 0), large(1, 1), (rp_verify_options){0});
    check_verdict(&info, "equivalent");
    ck_assert_int_eq(info.samples, 1);
}
END_TEST

START_TEST(large_network_of_any_size_gets_another_size)
{
    rp_verdict_info info =
        judge(large(-1, 0), large(-1, 1), (rp_verify_options){0});
    check_verdict(&info, "different");
    ck_assert_int_eq(info.samples, 2);
    check_words(&info, "the second model, on sample 1");
    check_words(&info, "do not fit its shape");
}
END_TEST

/* Both take images of 64 x 64 alone, whatever their inputs claim; `images` of
 * them, 0 for any number. */
static const Model *choosy(double images)
{
    int64_t image[4] = {-1, 1, -1, -1}, two = 2;
    double shape[2] = {images > 0 ? images : -1, 64 * 64}, first[2] = {0, 1};
    Net net = toy_new(arena);
    toy_input(&net, "x", DT_FLOAT, 4, image);
    toy_weight(&net, "shape", DT_INT64, 1, &two, shape);
    if (images > 0) {
        toy_weight(&net, "begin", DT_INT64, 1, &(int64_t){1}, &first[0]);
        toy_weight(&net, "end", DT_INT64, 1, &(int64_t){1}, &first[1]);
        toy_node(&net, OP_Slice, "x begin end", "some");
    }
    toy_node(&net, OP_Reshape, images > 0 ? "some shape" : "x shape", "y");
    toy_output(&net, "y", DT_FLOAT);
    return toy_finish(&net);
}

START_TEST(batch_is_another_where_the_size_cannot_be)
{
    rp_verdict_info info = judge(choosy(0), choosy(0), (rp_verify_options){0});
    check_verdict(&info, "equivalent");
    info = judge(choosy(0), choosy(1), (rp_verify_options){0});
    check_verdict(&info, "different");
    check_words(&info, "shape [1,4096] where [2,4096] is expected");
}
END_TEST

/* ---- The user's data ---- */

static const Model *logarithm(void)
{
    int64_t dims[2] = {1, 4};
    Net net = toy_new(arena);
    toy_input(&net, "x", DT_FLOAT, 2, dims);
    toy_node(&net, OP_Log, "x", "y");
    toy_output(&net, "y", DT_FLOAT);
    return toy_finish(&net);
}

/* Progress only grows, also where all begins anew. */
static int watch(void *context, const char *phase, double done)
{
    double *last = context;
    (void)phase;
    ck_assert(done >= *last && done <= 1);
    *last = done;
    return 0;
}

/* Verifies on so many floats of that shape as well. */
static rp_verdict_info judge_on(const Model *model, const float *numbers,
                                int rank, const int64_t *dims)
{
    double done = 0;
    rp_array array = {
        .input = "x", .rank = rank, .dims = dims, .data = numbers};
    return judge(model, model,
                 (rp_verify_options){.arrays = &array,
                                     .array_count = 1,
                                     .progress = watch,
                                     .progress_context = &done});
}

START_TEST(data_alone_count_where_random_inputs_say_nothing)
{
    float good[4] = {1, 2, 3, 4}, bad[4] = {1, -2, 3, 4};
    int64_t dims[2] = {1, 4};
    rp_verdict_info info = judge_on(logarithm(), good, 2, dims);
    check_verdict(&info, "equivalent");
    ck_assert_int_eq(info.samples, 1);
    ck_assert_uint_eq(info.outputs[0].agreement.rows, 1);
    info = judge_on(logarithm(), bad, 2, dims);
    check_verdict(&info, "inconclusive");
    check_words(&info, "data sample 0");
}
END_TEST

/* Takes no image of the sizes that are tried. */
START_TEST(data_alone_count_where_random_inputs_do_not_run)
{
    static const float numbers[77 * 13];
    int64_t image[4] = {1, 1, -1, -1}, two = 2, dims[4] = {1, 1, 77, 13};
    double shape[2] = {1, 77 * 13};
    Net net = toy_new(arena);
    toy_input(&net, "x", DT_FLOAT, 4, image);
    toy_weight(&net, "shape", DT_INT64, 1, &two, shape);
    toy_node(&net, OP_Reshape, "x shape", "y");
    toy_output(&net, "y", DT_FLOAT);
    rp_verdict_info info = judge_on(toy_finish(&net), numbers, 4, dims);
    check_verdict(&info, "equivalent");
    ck_assert_int_eq(info.samples, 1);
}
END_TEST

/* ---- Tables ---- */

enum { ROWS = 100, WIDTH = 4 };

/* A table whose rows from the third on are off by `error`; its indices go
 * through a Cast and an Unsqueeze. With `beyond` 2, half of them are none. */
static const Model *lookup(double error, double beyond)
{
    int64_t table[2] = {ROWS, WIDTH}, tokens[2] = {1, 32}, one = 1, none = 0;
    double rows[ROWS * WIDTH], axis = 2;
    for (int i = 0; i < ROWS * WIDTH; i++)
        rows[i] = 1 + i * (i < 2 * WIDTH ? 1 : 1 + error);
    Net net = toy_new(arena);
    toy_input(&net, "x", DT_INT32, 2, tokens);
    toy_weight(&net, "table", DT_FLOAT, 2, table, rows);
    toy_weight(&net, "axis", DT_INT64, 1, &one, &axis);
    toy_weight(&net, "beyond", DT_INT64, 0, &none, &beyond);
    node_set_int(toy_node(&net, OP_Cast, "x", "long"), "to", DT_INT64);
    toy_node(&net, OP_Unsqueeze, "long axis", "index");
    toy_node(&net, OP_Gather, "table index", "found");
    toy_node(&net, OP_Mul, "index beyond", "far");
    toy_node(&net, OP_Gather, "table far", "other");
    toy_node(&net, OP_Add, "found other", "y");
    toy_output(&net, "y", DT_FLOAT);
    return toy_finish(&net);
}

START_TEST(all_rows_of_a_table_are_looked_up)
{
    rp_verdict_info info =
        judge(lookup(0, 1), lookup(0, 1), (rp_verify_options){0});
    check_verdict(&info, "equivalent");
    info = judge(lookup(0, 1), lookup(1e-3, 1), (rp_verify_options){0});
    check_verdict(&info, "different");
}
END_TEST

START_TEST(indices_are_low_where_others_do_not_run)
{
    rp_verdict_info info =
        judge(lookup(0, 2), lookup(0, 2), (rp_verify_options){0});
    check_verdict(&info, "equivalent");
}
END_TEST

/* ---- Outputs ---- */

/* z has no row, and the file may say so; y = factor relu(x). */
static const Model *partly_empty(bool is_said, double factor)
{
    int64_t dims[2] = {1, 8}, one = 1;
    double zero = 0;
    Net net = toy_new(arena);
    toy_input(&net, "x", DT_FLOAT, 2, dims);
    toy_weight(&net, "begin", DT_INT64, 1, &one, &zero);
    toy_weight(&net, "end", DT_INT64, 1, &one, &zero);
    toy_weight(&net, "factor", DT_FLOAT, 1, &one, &factor);
    toy_node(&net, OP_Slice, "x begin end", "z");
    toy_node(&net, OP_Relu, "x", "relu");
    toy_node(&net, OP_Mul, "relu factor", "y");
    Value *z = toy_output(&net, "z", DT_FLOAT);
    toy_output(&net, "y", DT_FLOAT);
    Model *model = toy_finish(&net);
    ck_assert_int_eq(z->fact.dims[0], 0);
    if (!is_said)
        fact_set(arena, &z->fact, DT_FLOAT, 2,
                 (Dim[]){dim_named(model->symbols, "rows"), 8});
    return model;
}

START_TEST(output_that_never_has_an_element_is_inconclusive)
{
    rp_verdict_info info = judge(partly_empty(false, 1), partly_empty(false, 1),
                                 (rp_verify_options){0});
    check_verdict(&info, "inconclusive");
    check_words(&info, "output \"z\" has no elements to compare");
    ck_assert(info.outputs[0].inconclusive && !info.outputs[0].equivalent);
    ck_assert(!info.outputs[1].inconclusive && info.outputs[1].equivalent);
    info = judge(partly_empty(true, 1), partly_empty(true, 1),
                 (rp_verify_options){0});
    check_verdict(&info, "equivalent");
    info = judge_pair(arena, partly_empty(false, 1), partly_empty(false, 1),
                      true, (rp_verify_options){0});
    check_verdict(&info, "equivalent");
}
END_TEST

START_TEST(difference_is_told_before_what_is_inconclusive)
{
    rp_verdict_info info =
        judge(partly_empty(false, 1), partly_empty(false, 1.1),
              (rp_verify_options){0});
    check_verdict(&info, "different");
    check_words(&info, "output \"y\" differs");
    ck_assert(!info.outputs[1].inconclusive && !info.outputs[1].equivalent);
}
END_TEST

/* relu(x w), and beside it a constant that is larger by far. */
static const Model *masked(double error)
{
    int64_t dims[2] = {1, 8}, none = 0;
    double w[8], low = -1e30;
    for (int i = 0; i < 8; i++)
        w[i] = (1 + i) * (1 + error);
    Net net = toy_new(arena);
    toy_input(&net, "x", DT_FLOAT, 2, dims);
    toy_weight(&net, "w", DT_FLOAT, 2, dims, w);
    toy_weight(&net, "low", DT_FLOAT, 0, &none, &low);
    toy_weight(&net, "shape", DT_INT64, 1, (const int64_t[]){2},
               (const double[]){1, 1});
    toy_node(&net, OP_Mul, "x w", "product");
    toy_node(&net, OP_Relu, "product", "relu");
    toy_node(&net, OP_Expand, "low shape", "mask");
    node_set_int(toy_node(&net, OP_Concat, "relu mask", "y"), "axis", 1);
    toy_output(&net, "y", DT_FLOAT);
    return toy_finish(&net);
}

START_TEST(large_constant_hides_nothing_beside_it)
{
    rp_verify_options options = {.skip_segments = 1};
    rp_verdict_info info = judge(masked(0), masked(3e-8), options);
    check_verdict(&info, "equivalent");
    info = judge(masked(0), masked(1e-3), options);
    check_verdict(&info, "different");
}
END_TEST

/* The sine of h x, whose h moves by a 2^24th of itself. */
static const Model *steep(double h)
{
    int64_t dims[2] = {1, 8};
    double factors[8];
    for (int i = 0; i < 8; i++)
        factors[i] = h * (1 + i / 8.0);
    Net net = toy_new(arena);
    toy_input(&net, "x", DT_FLOAT, 2, dims);
    toy_weight(&net, "h", DT_FLOAT, 2, dims, factors);
    toy_node(&net, OP_Mul, "x h", "hx");
    toy_node(&net, OP_Sin, "hx", "y");
    toy_output(&net, "y", DT_FLOAT);
    return toy_finish(&net);
}

/* A floor of a quarter would allow a difference of half of what there is. */
START_TEST(floor_above_a_sixteenth_does_not_count)
{
    rp_verdict_info info =
        judge(steep(0x1p22), steep(0x1p22), (rp_verify_options){0});
    check_verdict(&info, "inconclusive");
    ck_assert(info.outputs[0].inconclusive);
    ck_assert(info.outputs[0].noise_floor > 1.0 / 16);
    info = judge(steep(0x1p16), steep(0x1p16), (rp_verify_options){0});
    check_verdict(&info, "equivalent");
}
END_TEST

Suite *suite_numbers(void)
{
    Suite *suite = suite_create("numbers");
    TCase *tc = tcase_create("numbers");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, large_network_of_one_size_gets_one_sample);
    tcase_add_test(tc, large_network_of_any_size_gets_another_size);
    tcase_add_test(tc, batch_is_another_where_the_size_cannot_be);
    tcase_add_test(tc, data_alone_count_where_random_inputs_say_nothing);
    tcase_add_test(tc, data_alone_count_where_random_inputs_do_not_run);
    tcase_add_test(tc, all_rows_of_a_table_are_looked_up);
    tcase_add_test(tc, indices_are_low_where_others_do_not_run);
    tcase_add_test(tc, output_that_never_has_an_element_is_inconclusive);
    tcase_add_test(tc, difference_is_told_before_what_is_inconclusive);
    tcase_add_test(tc, large_constant_hides_nothing_beside_it);
    tcase_add_test(tc, floor_above_a_sixteenth_does_not_count);
    suite_add_tcase(suite, tc);
    return suite;
}
