/* What is read as a linear operator, and in what place: weights, biases, pools
 * and crops that only look as if they could be merged. */
#include <string.h>

#include "composing.h"
#include "suites.h"

static void check_unfolded(Build *build)
{
    Folded folded = fold_model(build, NULL);
    ck_assert_uint_eq(folded.report.fold_count, 0);
    folded_free(&folded);
}

/* ---- Matrices ---- */

/* C is added to x W, of 6 rows and 6 columns, and then columns are scaled. */
static void add_to_product(Bench *b, int rank, const int64_t *dims)
{
    const int64_t x[2] = {6, 4}, w[2] = {4, 6}, six[1] = {6};
    Value *inputs[3] = {bench_input(b, 2, x), bench_constant(b, 2, w),
                        bench_constant(b, rank, dims)};
    Value *y = bench_node(b, OP_Gemm, inputs, 3);
    bench_output(b, bench_binary(b, OP_Mul, y, bench_constant(b, 1, six)));
}

static void build_one_number(Bench *b)
{
    add_to_product(b, 0, NULL);
}

static void build_one_in_a_list(Bench *b)
{
    add_to_product(b, 1, (int64_t[]){1});
}

static void build_columns(Bench *b)
{
    add_to_product(b, 1, (int64_t[]){6});
}

static void build_row_of_columns(Bench *b)
{
    add_to_product(b, 2, (int64_t[]){1, 6});
}

/* As many as there are columns. */
static void build_rows(Bench *b)
{
    add_to_product(b, 2, (int64_t[]){6, 1});
}

static void build_all(Bench *b)
{
    add_to_product(b, 2, (int64_t[]){6, 6});
}

START_TEST(a_bias_lies_along_the_columns)
{
    check_folds(build_one_number, 0, 1);
    check_folds(build_one_in_a_list, 0, 1);
    check_folds(build_columns, 0, 1);
    check_folds(build_row_of_columns, 0, 1);
    check_refuses(build_rows, "broadcast");
    check_refuses(build_all, "broadcast");
}
END_TEST

static void scale_product(Bench *b, int rank, const int64_t *x, int weight_rank,
                          const int64_t *weight)
{
    Value *y = bench_binary(b, OP_MatMul, bench_input(b, rank, x),
                            bench_constant(b, weight_rank, weight));
    int64_t last[1] = {y->fact.dims[y->fact.rank - 1]};
    bench_output(b, bench_binary(b, OP_Mul, y, bench_constant(b, 1, last)));
}

static void build_matrix(Bench *b)
{
    scale_product(b, 3, (int64_t[]){2, 3, 4}, 2, (int64_t[]){4, 5});
}

static void build_one_matrix_of_a_list(Bench *b)
{
    scale_product(b, 3, (int64_t[]){2, 3, 4}, 3, (int64_t[]){1, 4, 5});
}

static void build_matrices(Bench *b)
{
    scale_product(b, 3, (int64_t[]){2, 3, 4}, 3, (int64_t[]){2, 4, 5});
}

/* What it gives has one axis more than what it reads. */
static void build_raised_rank(Bench *b)
{
    scale_product(b, 2, (int64_t[]){5, 4}, 3, (int64_t[]){1, 4, 5});
}

/* And one less. */
static void build_vector(Bench *b)
{
    scale_product(b, 2, (int64_t[]){4, 4}, 1, (int64_t[]){4});
}

START_TEST(one_matrix_is_a_weight)
{
    check_folds(build_matrix, 0, 1);
    check_folds(build_one_matrix_of_a_list, 0, 1);
    check_unfolded(build_matrices);
    check_unfolded(build_raised_rank);
    check_unfolded(build_vector);
}
END_TEST

/* ---- Convolutions ---- */

/* VALID is without padding, whatever else is said. */
static void build_valid(Bench *b)
{
    Value *y = bench_conv(b, bench_image(b, 3, 6), SAME(3));
    node_set_string(y->producer, "auto_pad", "VALID");
    y->fact = FACT_UNKNOWN;
    Err err = {0};
    ck_assert_int_eq(graph_infer(b->graph, &err), 0);
    ck_assert_int_eq(y->fact.dims[2], 4);
    bench_output(b, bench_batchnorm(b, y, 3));
}

START_TEST(valid_means_no_padding)
{
    check_folds(build_valid, 1, 0);
}
END_TEST

/* ---- Pools ---- */

static Value *pooled(Bench *b, Op op, Value *x, int64_t size,
                     const int64_t *pads)
{
    const int64_t taps[3] = {size, size, size};
    Value *y = graph_fresh_value(b->graph, "pool");
    Node *node = node_new(b->graph, op, "pool", &x, 1, &y, 1);
    node_set_ints(node, "kernel_shape", taps, (size_t)x->fact.rank - 2);
    if (pads)
        node_set_ints(node, "pads", pads, 2 * ((size_t)x->fact.rank - 2));
    bench_add(b, node);
    return y;
}

/* A pool beside a convolution without padding, of as many axes. */
static void pool_beside(Bench *b, Op op, int rank, int64_t size)
{
    const int64_t dims[5] = {1, 3, 5, 5, 5};
    Value *x = bench_input(b, rank, dims);
    Value *y = bench_conv(b, x, (ConvShape){.kernel = size});
    bench_output(b, bench_binary(b, OP_Add, y, pooled(b, op, x, size, NULL)));
}

static void build_average_of_lines(Bench *b)
{
    pool_beside(b, OP_AveragePool, 3, 2);
}

static void build_average_of_volumes(Bench *b)
{
    pool_beside(b, OP_AveragePool, 5, 2);
}

static void build_maximum_of_one(Bench *b)
{
    pool_beside(b, OP_MaxPool, 4, 1);
}

static void build_maximum_of_four(Bench *b)
{
    pool_beside(b, OP_MaxPool, 4, 2);
}

START_TEST(an_average_is_linear_a_maximum_of_one_is_too)
{
    check_folds(build_average_of_lines, 1, 0);
    check_folds(build_average_of_volumes, 1, 0);
    check_folds(build_maximum_of_one, 1, 0);
    check_unfolded(build_maximum_of_four);
}
END_TEST

/* Two rows and columns by two, as many zeros on one side as on the other. */
static void pads_excluded(Bench *b, const int64_t *pads)
{
    Value *x = bench_image(b, 3, 5);
    Value *y = bench_conv(b, x, (ConvShape){.kernel = 2});
    node_set_ints(y->producer, "pads", pads, 4);
    y->fact = FACT_UNKNOWN;
    Value *pool = pooled(b, OP_AveragePool, x, 2, pads);
    bench_output(b, bench_binary(b, OP_Add, y, pool));
}

static void build_excluded_before(Bench *b)
{
    pads_excluded(b, (int64_t[]){1, 1, 0, 0});
}

static void build_excluded_behind(Bench *b)
{
    pads_excluded(b, (int64_t[]){0, 0, 1, 1});
}

START_TEST(an_average_that_leaves_padding_out_is_not)
{
    check_refuses(build_excluded_before, "exclude-pad");
    check_refuses(build_excluded_behind, "exclude-pad");
}
END_TEST

/* ---- Crops ---- */

typedef struct Crop {
    int64_t start, end, step, pad; /* the last of what reads it */
    bool merges;
} Crop;

/* Of 8 rows and columns six, which a kernel of three gives too. */
static const Crop crops[] = {
    {1, 7, 1, 0, true},
    {1, -1, 1, 0, true},
    {-7, 7, 1, 0, true},
    {-7, -1, 1, 0, true},
    {2, 100, 1, 0, true},
    {0, 6, 1, 0, true},
    {2, INT64_MAX, 1, 0, true},
    {-8, -2, 1, 0, true},
    /* Four, with a zero around, where the image has other numbers. */
    {2, 6, 1, 1, false},
    /* Backwards. */
    {6, 0, -1, 0, false},
};
static const Crop *crop;

static void build_crop(Bench *b)
{
    const int64_t starts[2] = {crop->start, crop->start};
    const int64_t ends[2] = {crop->end, crop->end};
    const int64_t axes[2] = {2, 3}, steps[2] = {crop->step, crop->step};
    Value *x = bench_image(b, 3, 8);
    Value *inputs[5] = {x, bench_ints(b, 2, starts), bench_ints(b, 2, ends),
                        bench_ints(b, 2, axes), bench_ints(b, 2, steps)};
    Value *small = bench_node(b, OP_Slice, inputs, 5);
    small = bench_conv(b, small, (ConvShape){.pad = crop->pad});
    ck_assert_int_eq(small->fact.dims[2], 6);
    Value *large = bench_conv(b, x, (ConvShape){.kernel = 3});
    bench_output(b, bench_binary(b, OP_Add, large, small));
}

START_TEST(a_crop_is_less_padding)
{
    crop = &crops[_i];
    if (crop->merges)
        check_folds(build_crop, 1, 0);
    else
        check_unfolded(build_crop);
}
END_TEST

Suite *suite_site_linear(void)
{
    Suite *suite = suite_create("site_linear");
    TCase *tcase = tcase_create("site_linear");
    tcase_add_test(tcase, a_bias_lies_along_the_columns);
    tcase_add_test(tcase, one_matrix_is_a_weight);
    tcase_add_test(tcase, valid_means_no_padding);
    tcase_add_test(tcase, an_average_is_linear_a_maximum_of_one_is_too);
    tcase_add_test(tcase, an_average_that_leaves_padding_out_is_not);
    tcase_add_loop_test(tcase, a_crop_is_less_padding, 0,
                        sizeof crops / sizeof *crops);
    suite_add_tcase(suite, tcase);
    return suite;
}
