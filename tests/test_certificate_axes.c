/*
 * Certificates: numbers lie along an axis, and shifts meet what lies around an
 * image. Pairs that are wrong in that alone have none.
 */
#include "folding.h"
#include "suites.h"

enum { CHANNELS = 4 };

static const double primes[CHANNELS] = {2, 3, 5, 7};

static void end(Bench *b, Value *x)
{
    bench_end(b, OP_Sigmoid, x);
}

static Value *along(Bench *b, Op op, Value *x, int axis)
{
    int64_t dims[4] = {1, 1, 1, 1};
    dims[axis] = CHANNELS;
    return bench_binary(b, op, x, bench_numbers(b, 4, dims, primes));
}

/* As many images, rows and columns as channels. */
static Value *cube(Bench *b)
{
    const int64_t dims[4] = {CHANNELS, CHANNELS, CHANNELS, CHANNELS};
    return bench_input(b, 4, dims);
}

/* A convolution whose weights are scaled by input, and shifted as much as what
 * it reads is. */
static Value *taking(Bench *b, Value *x, int64_t size, int64_t pad, bool scales,
                     bool shifts)
{
    enum { MOST = CHANNELS * CHANNELS * 9 };
    const int64_t dims[4] = {CHANNELS, CHANNELS, size, size};
    const int64_t pads[4] = {pad, pad, pad, pad}, four[1] = {CHANNELS};
    double numbers[MOST], bias[CHANNELS] = {0};
    int64_t taps = size * size;
    for (int64_t i = 0; i < CHANNELS * CHANNELS * taps; i++) {
        double own = primes[i / taps % CHANNELS];
        numbers[i] = (double)(i * 7 % 11) - 5;
        bias[i / taps / CHANNELS] += shifts ? own * numbers[i] : 0;
        numbers[i] *= scales ? own : 1;
    }
    Value *inputs[3] = {x, bench_numbers(b, 4, dims, numbers),
                        bench_numbers(b, 1, four, bias)};
    Value *y = graph_fresh_value(b->graph, "conv");
    Node *node =
        node_new(b->graph, OP_Conv, y->name, inputs, shifts ? 3 : 2, &y, 1);
    node_set_ints(node, "pads", pads, 4);
    bench_add(b, node);
    return y;
}

static void shifted_then_padded(Bench *b)
{
    Value *x = along(b, OP_Add, cube(b), 1);
    end(b, taking(b, x, 3, 1, false, false));
}

static void padded_and_shifted(Bench *b)
{
    end(b, taking(b, cube(b), 3, 1, false, true));
}

static void shifted_then_unpadded(Bench *b)
{
    Value *x = along(b, OP_Add, cube(b), 1);
    end(b, taking(b, x, 3, 0, false, false));
}

static void unpadded_and_shifted(Bench *b)
{
    end(b, taking(b, cube(b), 3, 0, false, true));
}

static void channels_scaled(Bench *b)
{
    Value *x = along(b, OP_Mul, cube(b), 1);
    end(b, taking(b, x, 1, 0, false, false));
}

static void images_scaled(Bench *b)
{
    Value *x = along(b, OP_Mul, cube(b), 0);
    end(b, taking(b, x, 1, 0, false, false));
}

static void rows_scaled(Bench *b)
{
    Value *x = along(b, OP_Mul, cube(b), 2);
    end(b, taking(b, x, 1, 0, false, false));
}

static void inputs_scaled(Bench *b)
{
    end(b, taking(b, cube(b), 1, 0, true, false));
}

static void channels_and_rows_scaled(Bench *b)
{
    end(b, along(b, OP_Mul, along(b, OP_Mul, cube(b), 1), 2));
}

static void channels_scaled_twice(Bench *b)
{
    end(b, along(b, OP_Mul, along(b, OP_Mul, cube(b), 1), 1));
}

/* A row and a column less on each side, where there are zeros then. */
static void cropped_then_padded(Bench *b)
{
    const int64_t ones[2] = {1, 1}, ends[2] = {-1, -1}, axes[2] = {2, 3};
    Value *inputs[4] = {cube(b), bench_ints(b, 2, ones), bench_ints(b, 2, ends),
                        bench_ints(b, 2, axes)};
    Value *x = bench_node(b, OP_Slice, inputs, 4);
    end(b, taking(b, x, 3, 1, false, false));
}

static void uncropped(Bench *b)
{
    end(b, taking(b, cube(b), 3, 0, false, false));
}

/* The outermost rows and columns become zeros. */
static void cropped_and_surrounded(Bench *b)
{
    const int64_t ones[2] = {1, 1}, ends[2] = {-1, -1}, axes[2] = {2, 3};
    const int64_t pads[8] = {0, 0, 1, 1, 0, 0, 1, 1};
    Value *inputs[4] = {cube(b), bench_ints(b, 2, ones), bench_ints(b, 2, ends),
                        bench_ints(b, 2, axes)};
    Value *x = bench_node(b, OP_Slice, inputs, 4);
    x = bench_binary(b, OP_Pad, x, bench_ints(b, 8, pads));
    end(b, taking(b, x, 1, 0, false, false));
}

static void not_surrounded(Bench *b)
{
    end(b, taking(b, cube(b), 1, 0, false, false));
}

/* Up to opset 6 an attribute says along which axis. */
static void named_axis(Bench *b, int64_t axis)
{
    const int64_t four[1] = {CHANNELS};
    b->model->opset = 6;
    Value *inputs[2] = {cube(b), bench_numbers(b, 1, four, primes)};
    Value *y = graph_fresh_value(b->graph, "scaled");
    Node *node = node_new(b->graph, OP_Mul, y->name, inputs, 2, &y, 1);
    node_set_int(node, "broadcast", 1);
    node_set_int(node, "axis", axis);
    bench_add(b, node);
    end(b, y);
}

static void named_channels(Bench *b)
{
    named_axis(b, 1);
}

static void named_columns(Bench *b)
{
    named_axis(b, 3);
}

/* ---- What a map commutes with ---- */

typedef Value *Step(Bench *b, Value *x);

static Value *numbered(Bench *b, Op op, Value *x, const double *numbers)
{
    const int64_t dims[3] = {CHANNELS, 1, 1};
    return bench_binary(b, op, x, bench_numbers(b, 3, dims, numbers));
}

static Value *times(Bench *b, Value *x)
{
    return numbered(b, OP_Mul, x, primes);
}

static Value *times_signed(Bench *b, Value *x)
{
    return numbered(b, OP_Mul, x, (double[]){2, -3, 5, 7});
}

static Value *plus(Bench *b, Value *x)
{
    return numbered(b, OP_Add, x, primes);
}

static Value *relu(Bench *b, Value *x)
{
    return bench_unary(b, OP_Relu, x);
}

static Value *leaky_relu(Bench *b, Value *x)
{
    return bench_unary(b, OP_LeakyRelu, x);
}

static Value *sigmoid(Bench *b, Value *x)
{
    return bench_unary(b, OP_Sigmoid, x);
}

static Value *softmax(Bench *b, Value *x)
{
    return bench_unary(b, OP_Softmax, x);
}

static Value *global_average(Bench *b, Value *x)
{
    return bench_unary(b, OP_GlobalAveragePool, x);
}

static Value *pooled(Bench *b, Op op, Value *x, int64_t pad, bool counts)
{
    const int64_t taps[2] = {2, 2}, pads[4] = {pad, 0, 0, 0};
    Value *y = graph_fresh_value(b->graph, "pool");
    Node *node = node_new(b->graph, op, y->name, &x, 1, &y, 1);
    node_set_ints(node, "kernel_shape", taps, 2);
    node_set_ints(node, "pads", pads, 4);
    if (counts)
        node_set_int(node, "count_include_pad", 1);
    bench_add(b, node);
    return y;
}

static Value *maximum(Bench *b, Value *x)
{
    return pooled(b, OP_MaxPool, x, 1, false);
}

static Value *average(Bench *b, Value *x)
{
    return pooled(b, OP_AveragePool, x, 0, true);
}

static Value *average_of_image(Bench *b, Value *x)
{
    return pooled(b, OP_AveragePool, x, 1, false);
}

static Value *average_with_zeros(Bench *b, Value *x)
{
    return pooled(b, OP_AveragePool, x, 1, true);
}

static Value *zeros_around(Bench *b, Value *x)
{
    const int64_t pads[8] = {0, 0, 1, 0, 0, 0, 0, 0};
    return bench_binary(b, OP_Pad, x, bench_ints(b, 8, pads));
}

static Value *mean(Bench *b, Value *x, int64_t axis)
{
    Value *y = graph_fresh_value(b->graph, "mean");
    Node *node = node_new(b->graph, OP_ReduceMean, y->name, &x, 1, &y, 1);
    node_set_ints(node, "axes", &axis, 1);
    bench_add(b, node);
    return y;
}

static Value *mean_of_rows(Bench *b, Value *x)
{
    return mean(b, x, 2);
}

static Value *mean_of_channels(Bench *b, Value *x)
{
    return mean(b, x, 1);
}

/* Rows for channels, of which there are as many. */
static Value *turned(Bench *b, Value *x)
{
    const int64_t order[4] = {0, 2, 1, 3};
    Value *y = graph_fresh_value(b->graph, "turned");
    Node *node = node_new(b->graph, OP_Transpose, y->name, &x, 1, &y, 1);
    node_set_ints(node, "perm", order, 4);
    bench_add(b, node);
    return y;
}

static const struct Commuting {
    Step *step;
    bool times, times_signed, plus;
} commuting[] = {
    {relu, true, false, false},
    {leaky_relu, true, false, false},
    {maximum, true, false, true},
    {average, true, true, true},
    {average_of_image, true, true, true},
    {average_with_zeros, true, true, false},
    {zeros_around, true, true, false},
    {global_average, true, true, true},
    {mean_of_rows, true, true, true},
    {mean_of_channels, false, false, false},
    {turned, false, false, false},
    {sigmoid, false, false, false},
    {softmax, false, false, false},
};
static Step *step, *map;

static void build_map_behind(Bench *b)
{
    end(b, map(b, step(b, cube(b))));
}

static void build_map_before(Bench *b)
{
    end(b, step(b, map(b, cube(b))));
}

START_TEST(a_map_passes_what_it_commutes_with)
{
    const struct Commuting *row = &commuting[_i];
    step = row->step;
    map = times;
    check_certified("a scale", build_map_behind, build_map_before, row->times);
    map = times_signed;
    check_certified("signs", build_map_behind, build_map_before,
                    row->times_signed);
    map = plus;
    check_certified("a shift", build_map_behind, build_map_before, row->plus);
}
END_TEST

/* ---- The pairs ---- */

static const struct {
    const char *name;
    Build *original, *converted;
    bool holds;
} pairs[] = {
    {"a shift before no padding", shifted_then_unpadded, unpadded_and_shifted,
     true},
    {"a shift before padding", shifted_then_padded, padded_and_shifted, false},
    {"channels scaled before an operator", channels_scaled, inputs_scaled,
     true},
    {"images scaled before an operator", images_scaled, inputs_scaled, false},
    {"rows scaled before an operator", rows_scaled, inputs_scaled, false},
    {"rows scaled as if they were channels", channels_and_rows_scaled,
     channels_scaled_twice, false},
    {"a padded crop", cropped_then_padded, uncropped, false},
    {"a crop with zeros around", cropped_and_surrounded, not_surrounded, false},
    {"an axis that is named", named_channels, named_columns, false},
};

START_TEST(numbers_lie_where_they_lay)
{
    check_certified(pairs[_i].name, pairs[_i].original, pairs[_i].converted,
                    pairs[_i].holds);
}
END_TEST

Suite *suite_certificate_axes(void)
{
    Suite *suite = suite_create("certificate_axes");
    TCase *tcase = tcase_create("certificate_axes");
    tcase_add_loop_test(tcase, numbers_lie_where_they_lay, 0,
                        sizeof pairs / sizeof *pairs);
    tcase_add_loop_test(tcase, a_map_passes_what_it_commutes_with, 0,
                        sizeof commuting / sizeof *commuting);
    suite_add_tcase(suite, tcase);
    return suite;
}
