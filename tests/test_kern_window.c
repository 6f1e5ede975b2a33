/* Convolution and pooling, in one to three dimensions, against the oracle. */
#include <stdio.h>

#include "base/random.h"
#include "exec_case.h"
#include "suites.h"

static const char *const lines[] = {
    /* 1x1: a matrix product as it stands, in one tile and in several */
    "Conv(f32[1,3,5,5], f32[4,3,1,1])",
    "Conv(f32[2,3,5,5], f32[4,3,1,1], f32[4])",
    "Conv(f32[1,8,40,40], f32[6,8,1,1], f32[6])",
    "Conv(f32[1,4,2,2], f32[100,4,1,1], f32[100])",
    "Conv(f32[1,3,7,7], f32[4,3,1,1]) strides=[2,2]",
    "Conv(f32[1,3,5,5], f32[4,3,1,1]) pads=[1,1,1,1]",
    /* dense */
    "Conv(f32[1,3,9,7], f32[4,3,3,3], f32[4])",
    "Conv(f32[2,3,9,7], f32[4,3,3,3]) pads=[1,1,1,1]",
    "Conv(f32[1,3,9,7], f32[4,3,3,3]) pads=[0,1,2,3]",
    "Conv(f32[1,3,9,8], f32[4,3,3,3]) strides=[2,3] pads=[1,1,1,1]",
    "Conv(f32[1,2,11,9], f32[4,2,3,2]) dilations=[2,3]",
    "Conv(f32[1,3,9,8], f32[4,3,3,3]) auto_pad=\"SAME_UPPER\" strides=[2,2]",
    "Conv(f32[1,3,9,8], f32[4,3,4,4]) auto_pad=\"SAME_LOWER\"",
    "Conv(f32[1,3,9,8], f32[4,3,4,4]) auto_pad=\"VALID\"",
    "Conv(f32[1,64,20,20], f32[3,64,5,5]) pads=[2,2,2,2]",
    "Conv(f32[1,2,3,3], f32[4,2,5,5]) pads=[2,2,2,2]",
    "Conv(f32[1,0,3,3], f32[2,0,1,1], f32[2])",
    "Conv(f32[0,3,5,5], f32[4,3,3,3])",
    /* output channels that fill vectors, nearly or wholly */
    "Conv(f32[1,5,9,9], f32[16,5,3,3], f32[16]) pads=[1,1,1,1]",
    "Conv(f32[1,3,23,21], f32[48,3,3,3], f32[48]) pads=[1,1,1,1] "
    "strides=[2,2]",
    "Conv(f32[2,7,13,10], f32[62,7,3,2]) pads=[2,0,1,3] dilations=[2,3]",
    "Conv(f32[1,40,7,7], f32[80,40,1,1], f32[80])",
    "Conv(f32[2,70,31,33], f32[112,70,1,1], f32[112])",
    "Conv(f32[1,30,9,7], f32[64,30,1,1]) strides=[2,2]",
    "Conv(f32[1,6,5,6], f32[96,3,3,3], f32[96]) group=2 pads=[1,1,1,1]",
    "Conv(f32[1,70,40,40], f32[32,70,3,3], f32[32]) pads=[1,1,1,1]",
    "Conv(f32[2,9,30], f32[47,9,5], f32[47]) pads=[2,2] strides=[3]",
    "Conv(f32[1,2,2,3], f32[32,2,5,5], f32[32]) pads=[7,7,7,7]",
    "Conv(f32[1,0,3,3], f32[32,0,3,3], f32[32]) pads=[1,1,1,1]",
    "Conv(f32[0,3,5,5], f32[32,3,3,3])",
    /* groups */
    "Conv(f32[2,4,6,6], f32[6,2,3,3], f32[6]) group=2 pads=[1,1,1,1]",
    "Conv(f32[2,4,6,6], f32[6,2,1,1]) group=2",
    /* depthwise, with one or more outputs for each input */
    "Conv(f32[2,5,9,9], f32[5,1,3,3], f32[5]) group=5 pads=[1,1,1,1]",
    "Conv(f32[1,3,12,17], f32[3,1,7,7]) group=3 pads=[3,3,3,3]",
    "Conv(f32[1,3,12,17], f32[6,1,7,7]) group=3 pads=[3,3,3,3] strides=[2,2]",
    "Conv(f32[1,3,12,17], f32[3,1,3,3]) group=3 strides=[3,2]",
    "Conv(f32[1,3,12,17], f32[3,1,3,3]) group=3 dilations=[2,3]",
    "Conv(f32[1,3,12,17], f32[3,1,2,5]) group=3 strides=[1,3] "
    "dilations=[1,2] pads=[1,2,0,3]",
    "Conv(f32[1,1,280,270], f32[1,1,3,5]) pads=[1,2,1,2]",
    "Conv(f32[1,1,4,4], f32[3,1,3,3]) pads=[1,1,1,1]",
    /* narrower than any vector, and one wider than two */
    "Conv(f32[1,2,9,1], f32[2,1,3,1]) group=2 pads=[1,0,1,0]",
    "Conv(f32[1,2,9,3], f32[2,1,3,3]) group=2 pads=[1,1,1,1]",
    "Conv(f32[1,3,7,7], f32[3,1,7,7]) group=3 pads=[3,3,3,3]",
    "Conv(f32[1,3,8,8], f32[6,1,5,5]) group=3 pads=[2,2,2,2] strides=[2,2]",
    "Conv(f32[1,2,33,33], f32[2,1,5,5], f32[2]) group=2 pads=[2,2,2,2]",
    "Conv(f32[1,2,20,20], f32[2,1,9,4]) group=2 strides=[2,1]",
    "Conv(f32[1,2,20,20], f32[2,1,3,3]) group=2 strides=[4,4]",
    "Conv(f32[1,3,40,70], f32[3,1,3,3]) group=3 strides=[2,2] "
    "pads=[0,1,1,0]",
    /* more padding than input */
    "Conv(f32[1,2,2,2], f32[2,1,3,3]) group=2 pads=[9,9,9,9]",
    "Conv(f32[1,2,2,2], f32[3,2,3,3]) pads=[9,9,9,9] strides=[3,2]",
    /* depths and rows that are no multiple of anything */
    "Conv(f32[1,401,5,5], f32[13,401,1,1], f32[13])",
    "Conv(f32[2,45,7,9], f32[21,45,3,3], f32[21]) pads=[1,1,1,1]",
    "Conv(f32[1,3,50,61], f32[17,3,7,7], f32[17]) strides=[2,2]",
    "Conv(f32[3,4,17,300], f32[9,4,2,2])",
    /* more weights than are packed before a run */
    "Conv(f32[1,640,2,1], f32[420,640,1,1], f32[420])",
    "Conv(f32[1,320,3,2], f32[840,160,2,2]) group=2",
    "Conv(f32[1,320,3,2], f32[832,160,2,2], f32[832]) group=2",
    /* one and three dimensions */
    "Conv(f32[2,3,11], f32[4,3,3], f32[4]) strides=[2] pads=[1,0]",
    "Conv(f32[2,3,11], f32[3,1,5]) group=3 pads=[2,2]",
    "Conv(f32[1,2,5,6,7], f32[3,2,3,2,3], f32[3]) pads=[1,0,1,1,1,0]",
    "Conv(f32[1,2,5,6,7], f32[2,1,3,3,3]) group=2 strides=[2,1,2]",
    "Conv(f32[1,2,1,6,7], f32[2,1,1,3,3]) group=2",
    /* transposed */
    "ConvTranspose(f32[1,3,4,5], f32[3,2,3,3], f32[2])",
    "ConvTranspose(f32[2,3,4,5], f32[3,2,3,3]) strides=[2,3] pads=[1,0,1,2]",
    "ConvTranspose(f32[1,3,4,5], f32[3,2,3,3]) strides=[2,2] "
    "output_padding=[1,1]",
    "ConvTranspose(f32[1,4,4,5], f32[4,3,2,2]) group=2 dilations=[2,2]",
    "ConvTranspose(f32[1,4,4,5], f32[4,1,3,3]) group=4 strides=[2,2]",
    "ConvTranspose(f32[1,3,6], f32[3,2,3]) strides=[2]",
    "ConvTranspose(f32[1,2,3,3,3], f32[2,2,2,2,2]) strides=[2,1,2]",
    /* deformed, in groups of both kinds */
    "DeformConv(f32[2,4,6,7], f32[3,4,3,3], f32[2,18,6,7], f32[3]) "
    "pads=[1,1,1,1]",
    "DeformConv(f32[1,4,6,7], f32[6,2,2,3], f32[1,24,3,5], -, f32[1,12,3,5]) "
    "group=2 offset_group=2 strides=[2,1]",
    "DeformConv(f32[1,2,9,7], f32[5,2,3,3], f32[1,36,5,3], f32[5], "
    "f32[1,18,5,3]) offset_group=2 dilations=[2,2]",
    /* blocks that overlap, leave gaps, or begin outside */
    "Col2Im(f32[2,12,12], i64{4,5}, i64{2,2})",
    "Col2Im(f32[1,12,4], i64{5,5}, i64{2,3}) strides=[3,2]",
    "Col2Im(f32[1,9,16], i64{4,4}, i64{3,3}) pads=[1,1,1,1]",
    "Col2Im(f32[1,8,6], i64{4,5}, i64{2,2}) dilations=[2,2]",
    "Col2Im(f32[1,6,4], i64{6}, i64{3})",
    "Col2Im(f32[1,8,8], i64{3,3,3}, i64{2,2,2})",
    /* pools */
    "MaxPool(f32[2,3,9,8]) kernel_shape=[3,2]",
    "MaxPool(f32[2,3,9,8]) kernel_shape=[3,3] strides=[2,2] pads=[1,1,1,1]",
    "MaxPool(f32[1,3,9,8]) kernel_shape=[2,2] strides=[2,2] ceil_mode=1",
    "MaxPool(f32[1,3,9,8]) kernel_shape=[2,3] dilations=[3,2]",
    "AveragePool(f32[1,1,4,3]) kernel_shape=[4,1] dilations=[3,2] "
    "pads=[4,0,5,0]",
    "MaxPool(f32[1,2,9,5]) kernel_shape=[3,3] strides=[4,1] pads=[1,1,1,1]",
    "MaxPool(f32[1,3,9,8]) kernel_shape=[3,3] auto_pad=\"SAME_LOWER\"",
    "MaxPool(f32[1,3,9]) kernel_shape=[3] strides=[2]",
    "MaxPool(f32[1,2,5,5,5]) kernel_shape=[2,2,2]",
    "AveragePool(f32[2,3,9,8]) kernel_shape=[3,2]",
    "AveragePool(f32[2,3,9,8]) kernel_shape=[3,3] pads=[1,1,1,1]",
    "AveragePool(f32[2,3,9,8]) kernel_shape=[3,3] pads=[1,1,1,1] "
    "count_include_pad=1",
    "AveragePool(f32[1,3,9,8]) kernel_shape=[2,2] strides=[2,2] ceil_mode=1",
    "AveragePool(f32[1,3,9,8]) kernel_shape=[3,3] strides=[2,2] ceil_mode=1 "
    "pads=[1,1,1,1] count_include_pad=1",
    "AveragePool(f32[1,3,9]) kernel_shape=[4] strides=[3]",
    "AveragePool(f32[1,2,5,5,5]) kernel_shape=[2,3,2]",
};

START_TEST(shapes_against_the_oracle)
{
    check_oracle(lines[_i]);
}
END_TEST

static int pick(uint64_t *seed, int low, int high)
{
    *seed = random_bits(*seed, 1);
    return low + (int)(*seed % (uint64_t)(high - low + 1));
}

/* Any combination of sizes, strides, dilations, pads and groups. */
static void check_random_convolution(uint64_t s, int most_in, int least_out,
                                     int most_out)
{
    char line[300];
    int groups = pick(&s, 1, 3), in = pick(&s, 1, most_in);
    int out = pick(&s, least_out, most_out);
    int kh = pick(&s, 1, 4), kw = pick(&s, 1, 4);
    snprintf(line, sizeof line,
             "Conv(f32[%d,%d,%d,%d], f32[%d,%d,%d,%d]) group=%d "
             "strides=[%d,%d] dilations=[%d,%d] pads=[%d,%d,%d,%d]",
             pick(&s, 1, 2), groups * in, pick(&s, 7, 20), pick(&s, 7, 20),
             groups * out, in, kh, kw, groups, pick(&s, 1, 3), pick(&s, 1, 3),
             pick(&s, 1, 2), pick(&s, 1, 2), pick(&s, 0, 3), pick(&s, 0, 3),
             pick(&s, 0, 3), pick(&s, 0, 3));
    check_oracle(line);
}

START_TEST(random_convolutions_against_the_oracle)
{
    check_random_convolution((uint64_t)_i + 1, 3, 1, 3);
}
END_TEST

START_TEST(random_wide_convolutions_against_the_oracle)
{
    check_random_convolution((uint64_t)_i + 3000, 9, 10, 70);
}
END_TEST

/* The same in one or in three. */
START_TEST(random_dimensions_against_the_oracle)
{
    char line[300];
    uint64_t s = (uint64_t)_i + 1000;
    int groups = pick(&s, 1, 2), in = pick(&s, 1, 2), out = pick(&s, 1, 3);
    if (_i % 2)
        snprintf(line, sizeof line,
                 "Conv(f32[2,%d,%d], f32[%d,%d,%d]) group=%d strides=[%d] "
                 "dilations=[%d] pads=[%d,%d]",
                 groups * in, pick(&s, 9, 90), groups * out, in, pick(&s, 1, 5),
                 groups, pick(&s, 1, 3), pick(&s, 1, 2), pick(&s, 0, 3),
                 pick(&s, 0, 3));
    else
        snprintf(line, sizeof line,
                 "Conv(f32[1,%d,%d,%d,%d], f32[%d,%d,%d,%d,%d]) group=%d "
                 "strides=[%d,%d,%d] pads=[%d,%d,%d,%d,%d,%d]",
                 groups * in, pick(&s, 4, 7), pick(&s, 4, 7), pick(&s, 4, 9),
                 groups * out, in, pick(&s, 1, 3), pick(&s, 1, 3),
                 pick(&s, 1, 3), groups, pick(&s, 1, 2), pick(&s, 1, 2),
                 pick(&s, 1, 2), pick(&s, 0, 1), pick(&s, 0, 1), pick(&s, 0, 1),
                 pick(&s, 0, 1), pick(&s, 0, 1), pick(&s, 0, 1));
    check_oracle(line);
}
END_TEST

START_TEST(random_transposed_against_the_oracle)
{
    char line[300];
    uint64_t s = (uint64_t)_i + 2000;
    int groups = pick(&s, 1, 2), in = pick(&s, 1, 5), out = pick(&s, 1, 30);
    snprintf(line, sizeof line,
             "ConvTranspose(f32[%d,%d,%d,%d], f32[%d,%d,%d,%d], f32[%d]) "
             "group=%d strides=[%d,%d] dilations=[%d,%d] pads=[0,%d,%d,0]",
             pick(&s, 1, 2), groups * in, pick(&s, 3, 7), pick(&s, 3, 20),
             groups * in, out, pick(&s, 1, 4), pick(&s, 2, 4), groups * out,
             groups, pick(&s, 1, 3), pick(&s, 1, 3), pick(&s, 1, 2),
             pick(&s, 1, 2), pick(&s, 0, 1), pick(&s, 0, 1));
    check_oracle(line);
}
END_TEST

/* Rows of outputs in whole blocks, in parts of one, and in too few for any. */
START_TEST(random_pools_against_the_oracle)
{
    uint64_t seed = random_stream(4, (uint64_t)_i);
    char line[300];
    int kernel[2], dilation[2], pads[4];
    for (int i = 0; i < 2; i++) {
        kernel[i] = pick(&seed, 1, 5);
        dilation[i] = pick(&seed, 1, 2);
    }
    for (int i = 0; i < 4; i++)
        pads[i] = pick(&seed, 0, kernel[i % 2] - 1);
    snprintf(line, sizeof line,
             "%sPool(f32[1,2,%d,%d]) kernel_shape=[%d,%d] strides=[%d,%d] "
             "dilations=[%d,%d] pads=[%d,%d,%d,%d]%s",
             _i % 2 ? "Max" : "Average", pick(&seed, 9, 12), pick(&seed, 9, 80),
             kernel[0], kernel[1], pick(&seed, 1, 3), pick(&seed, 1, 3),
             dilation[0], dilation[1], pads[0], pads[1], pads[2], pads[3],
             _i % 4 == 2 ? " count_include_pad=1" : "");
    check_oracle(line);
}
END_TEST

static const ExecRow rows[] = {
    {"GlobalAveragePool(f32[1,2,2,2]{1,2,3,4,5,6,7,8})",
     "float32[1,2,1,1]{2.5,6.5}"},
    {"GlobalMaxPool(f32[1,2,3]{1,3,2,-1,-3,-2})", "float32[1,2,1]{3,-1}"},
    {"MaxPool(f32[1,1,2,3]{1,2,3,9,5,4}) kernel_shape=[2,2] -> 2",
     "float32[1,1,1,2]{9,5}; int64[1,1,1,2]{3,4}"},
    {"MaxPool(f32[1,1,2,3]{1,2,3,9,5,4}) kernel_shape=[2,2] storage_order=1 "
     "-> 2",
     "float32[1,1,1,2]{9,5}; int64[1,1,1,2]{1,3}"},
    {"MaxPool(u8[1,1,4]{1,9,3,200}) kernel_shape=[2] strides=[2]",
     "uint8[1,1,2]{9,200}"},
    /* every window that sees a NaN is one, wherever it is in it */
    {"MaxPool(f32[1,1,6]{1,nan,2,3,inf,-inf}) kernel_shape=[2]",
     "float32[1,1,5]{nan,nan,3,inf,inf}"},
    {"MaxPool(f32[1,1,12]{1,nan,2,3,inf,-inf,-inf,0,0,0,0,5}) kernel_shape=[2] "
     "pads=[1,0]",
     "float32[1,1,12]{1,nan,nan,3,inf,inf,-inf,0,0,0,0,5}"},
    {"MaxPool(i8[1,1,9]{-1,-2,-3,-4,-5,-6,-7,-8,-9}) kernel_shape=[2] "
     "pads=[1,1]",
     "int8[1,1,10]{-1,-1,-2,-3,-4,-5,-6,-7,-8,-9}"},
    {"MaxPool(f64[1,1,2,3]{1,2,3,4,nan,nan}) kernel_shape=[2,2] -> 2",
     "float64[1,1,1,2]{nan,nan}; int64[1,1,1,2]{4,4}"},
    {"GlobalMaxPool(f32[1,2,3]{1,3,nan,nan,-3,-2})", "float32[1,2,1]{nan,nan}"},
    /* a window that is mostly on the padding, and one that is there alone */
    {"AveragePool(f32[1,1,3]{4,8,3}) kernel_shape=[200000] "
     "pads=[199998,0]",
     "float32[1,1,2]{6,5}"},
    {"MaxPool(f32[1,1,2]{4,8}) kernel_shape=[2] strides=[3] pads=[2,0]",
     "float32[1,1,1]{-inf}"},
    /* the mean counts what is there, unless it is told otherwise */
    {"AveragePool(f32[1,1,2]{4,8}) kernel_shape=[2] pads=[1,1]",
     "float32[1,1,3]{4,6,8}"},
    {"AveragePool(f32[1,1,2]{4,8}) kernel_shape=[2] pads=[1,1] "
     "count_include_pad=1",
     "float32[1,1,3]{2,6,4}"},
    {"ConvTranspose(f32[1,1,2]{1,2}, f32[1,1,2]{10,1}) strides=[2] "
     "output_shape=[4]",
     "float32[1,1,4]{10,1,20,2}"},
    /* half a pixel to the right, half of which is outside, and a mask */
    {"DeformConv(f32[1,1,2,2]{1,2,3,4}, f32[1,1,1,1]{10}, "
     "f32[1,2,2,2]{0,0,0,0,0.5,0.5,0,9}, f32{1}, f32[1,1,2,2]{1,1,0.5,1})",
     "float32[1,1,2,2]{16,11,16,1}"},
    {"DeformConv(f32[1,1,2,2], f32[1,1,1,1], f32[1,1,2,2])", "bad-shape"},
    {"DeformConv(f32[1,1,2,2], f32[1,1,1,1], f32[1,2,2,2], -, f32[1,2,2,2])",
     "bad-shape"},
    {"DeformConv(f32[1,1,2,2], f32[1,1,1,1], f32[1,4,2,2]) offset_group=2",
     "bad-shape"},
    {"DeformConv(f32[1,1,2], f32[1,1,1], f32[1,1,2])", "unsupported-operator"},
    /* every element lies in so many blocks */
    {"Col2Im(f32[1,4,4]{1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1}, i64{3,3}, i64{2,2})",
     "float32[1,1,3,3]{1,2,1,2,4,2,1,2,1}"},
    {"Col2Im(f32[1,4,3], i64{3,3}, i64{2,2})", "bad-shape"},
    {"Col2Im(f32[1,4,4], i64{3,3}, i64{2,2}) strides=[1]", "bad-attribute"},
    {"Col2Im(f32[1,4,4], i64{3,3}, i64{2,2}) dilations=[1,0]", "bad-attribute"},
    {"Conv(f32[1,2,4,4], f32[4,2,3,3]) group=3", "bad-shape"},
    {"Conv(f32[1,2,4,4], f32[4,3,3,3])", "bad-shape"},
    {"Conv(f32[1,2,4,4], f32[4,2,3,3], f32[3])", "bad-shape"},
    {"Conv(f32[1,2,4,4,4,4], f32[4,2,1,1,1,1])", "unsupported-operator"},
    {"Conv(i64[1,2,4,4], i64[4,2,3,3])", "unsupported-type"},
};

START_TEST(values_by_hand)
{
    check_exec_row(&rows[_i]);
}
END_TEST

Suite *suite_kern_window(void)
{
    Suite *suite = suite_create("kern_window");
    TCase *tcase = tcase_create("kern_window");
    tcase_add_loop_test(tcase, shapes_against_the_oracle, 0,
                        sizeof lines / sizeof *lines);
    tcase_add_loop_test(tcase, random_pools_against_the_oracle, 0, 24);
    tcase_add_loop_test(tcase, random_convolutions_against_the_oracle, 0, 60);
    tcase_add_loop_test(tcase, random_wide_convolutions_against_the_oracle, 0,
                        40);
    tcase_add_loop_test(tcase, random_dimensions_against_the_oracle, 0, 30);
    tcase_add_loop_test(tcase, random_transposed_against_the_oracle, 0, 20);
    tcase_add_loop_test(tcase, values_by_hand, 0, sizeof rows / sizeof *rows);
    suite_add_tcase(suite, tcase);
    return suite;
}
