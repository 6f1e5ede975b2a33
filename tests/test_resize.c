/*
 * Which Resize a map of channels passes (C14), ONNX Resize-19: one that leaves
 * each channel what it was. Folding must know them, and so must certificates.
 */
#include "composing.h"
#include "suites.h"

/* The image is of 4 x 6 x 20. */
enum { CHANNELS = 4, ROWS = 6, COLUMNS = 20 };

typedef struct Resizing {
    const char *name, *mode, *nearest, *policy;
    bool by_half;     /* coordinates are half a pixel further on */
    int64_t axis;     /* the only one, where it is not 0 */
    double scale;     /* along it, or of rows and columns */
    int64_t sizes[4]; /* instead of scales */
    bool passes;
} Resizing;

static const Resizing rows[] = {
    {.name = "sizes", .mode = "linear", .sizes = {1, 4, 9, 30}, .passes = true},
    {.name = "sizes by a scale for each axis",
     .mode = "linear",
     .policy = "stretch",
     .sizes = {1, 4, 9, 30},
     .passes = true},
    /* Four channels by 1.05 are four, and yet each is made of two. */
    {.name = "sizes by the smallest scale",
     .mode = "linear",
     .policy = "not_larger",
     .sizes = {2, 5, 7, 21}},
    {.name = "sizes by the largest scale",
     .mode = "linear",
     .policy = "not_smaller",
     .sizes = {1, 4, 6, 21}},
    {.name = "rows", .mode = "linear", .axis = -2, .scale = 2, .passes = true},
    {.name = "channels by 1",
     .mode = "linear",
     .axis = 1,
     .scale = 1,
     .passes = true},
    {.name = "channels", .mode = "linear", .axis = 1, .scale = 1.1},
    {.name = "channels, from the end",
     .mode = "linear",
     .axis = -3,
     .scale = 1.1},
    {.name = "the pixel below",
     .mode = "nearest",
     .nearest = "floor",
     .by_half = true,
     .scale = 2,
     .passes = true},
    {.name = "the nearest pixel, of two the lower",
     .mode = "nearest",
     .nearest = "round_prefer_floor",
     .by_half = true,
     .scale = 2,
     .passes = true},
    {.name = "the nearest pixel by default",
     .by_half = true,
     .scale = 2,
     .passes = true},
    {.name = "the pixel above",
     .mode = "nearest",
     .nearest = "ceil",
     .by_half = true,
     .scale = 2},
    {.name = "the nearest pixel, of two the upper",
     .mode = "nearest",
     .nearest = "round_prefer_ceil",
     .by_half = true,
     .scale = 2},
    {.name = "between pixels",
     .mode = "linear",
     .nearest = "floor",
     .by_half = true,
     .scale = 2},
};
static const Resizing *row;

static void set_text(Node *node, const char *name, const char *text)
{
    if (text)
        node_set_string(node, name, text);
}

static Value *resized(Bench *b, Value *x)
{
    const double scales[4] = {1, 1, row->scale, row->scale};
    const int64_t four[1] = {4}, one[1] = {1};
    Value *inputs[4] = {x}, *y = graph_fresh_value(b->graph, "resized");
    if (row->sizes[0])
        inputs[3] = bench_ints(b, 4, row->sizes);
    else if (row->axis)
        inputs[2] = bench_numbers(b, 1, one, &row->scale);
    else
        inputs[2] = bench_numbers(b, 1, four, scales);
    Node *node = node_new(b->graph, OP_Resize, "resize", inputs, 4, &y, 1);
    set_text(node, "mode", row->mode);
    set_text(node, "nearest_mode", row->nearest);
    set_text(node, "keep_aspect_ratio_policy", row->policy);
    set_text(node, "coordinate_transformation_mode",
             row->by_half ? "tf_half_pixel_for_nn" : NULL);
    if (row->axis)
        node_set_ints(node, "axes", &row->axis, 1);
    bench_add(b, node);
    ck_assert_int_eq(y->fact.dims[1], CHANNELS);
    return y;
}

static Value *image(Bench *b)
{
    const int64_t dims[4] = {1, CHANNELS, ROWS, COLUMNS};
    b->model->opset = 19;
    return bench_input(b, 4, dims);
}

static Value *scaled(Bench *b, Value *x)
{
    const double primes[CHANNELS] = {2, 3, 5, 7};
    const int64_t dims[3] = {CHANNELS, 1, 1};
    return bench_binary(b, OP_Mul, x, bench_numbers(b, 3, dims, primes));
}

/* ---- Folding ---- */

static void build_forward(Bench *b)
{
    Value *x = scaled(b, bench_unary(b, OP_Relu, image(b)));
    bench_output(b, bench_conv(b, resized(b, x), (ConvShape){.out = 3}));
}

static void build_backward(Bench *b)
{
    Value *x = bench_conv(b, image(b), SAME(3));
    bench_output(b, bench_unary(b, OP_Relu, scaled(b, resized(b, x))));
}

static void check_scale(Build *build)
{
    Folded folded = fold_model(build, NULL);
    ck_assert_double_lt(folded.difference, 1e-13);
    ck_assert_msg(folded.report.fold_count == row->passes, "%s", row->name);
    ck_assert_uint_eq(count_ops(folded.after, OP_Mul), !row->passes);
    ck_assert_uint_eq(folded.report.refusal_count, !row->passes);
    folded_free(&folded);
}

START_TEST(a_scale_passes_where_channels_stay)
{
    row = &rows[_i];
    check_scale(build_forward);
    check_scale(build_backward);
}
END_TEST

/* ---- Certificates ---- */

static void build_scale_behind(Bench *b)
{
    bench_end(b, OP_Sigmoid, scaled(b, resized(b, image(b))));
}

static void build_scale_before(Bench *b)
{
    bench_end(b, OP_Sigmoid, resized(b, scaled(b, image(b))));
}

/* As if folding had moved the scale. */
START_TEST(only_such_a_scale_is_certified)
{
    row = &rows[_i];
    check_certified(row->name, build_scale_behind, build_scale_before,
                    row->passes);
}
END_TEST

Suite *suite_resize(void)
{
    Suite *suite = suite_create("resize");
    TCase *tcase = tcase_create("resize");
    const int count = sizeof rows / sizeof *rows;
    tcase_add_loop_test(tcase, a_scale_passes_where_channels_stay, 0, count);
    tcase_add_loop_test(tcase, only_such_a_scale_is_certified, 0, count);
    suite_add_tcase(suite, tcase);
    return suite;
}
