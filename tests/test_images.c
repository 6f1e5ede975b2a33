/* Images as inputs: decoding what may be hostile, resizing as PIL does. */
#include "suites.h"

#include <math.h>
#include <png.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "../converter/image.h"
#include "base/random.h"
#include "images_pil.h"
#include "imaging.h"
#include "judge/agreement.h"

static Bytes file;
static char why[IMAGE_WHY];

/* ---- Decoding ---- */

/* It decodes to these colours, within `slack`. */
static void check_pixels(int64_t width, int64_t height, const uint8_t *rgb,
                         int slack)
{
    Image image;
    ck_assert_msg(image_decode(file.data, file.size, &image, why) == 0, "%s",
                  why);
    ck_assert_int_eq(image.width, width);
    ck_assert_int_eq(image.height, height);
    for (int64_t i = 0; i < 3 * width * height; i++)
        ck_assert_msg(abs(image.rgb[i] - rgb[i]) <= slack, "%d: %d, not %d",
                      (int)i, image.rgb[i], rgb[i]);
    free(image.rgb);
}

static void check_refused(const uint8_t *bytes, size_t size, const char *words)
{
    Image image;
    why[0] = '\0';
    ck_assert_int_eq(image_decode(bytes, size, &image, why), -1);
    ck_assert_msg(strstr(why, words) != NULL, "%s", why);
}

static const uint8_t colors[] = {1, 2, 3, 250, 100, 0, 9, 99, 199, 7, 7, 7};

START_TEST(png_of_every_kind_is_rgb)
{
    static const uint8_t alpha[] = {1, 2,  3,   0,   250, 100, 0, 128,
                                    9, 99, 199, 255, 7,   7,   7, 1},
                         grey[] = {0, 50, 200, 255}, two[] = {0x30, 0xf1},
                         wide[] = {0, 0, 0x40, 0x40, 0xff, 0xff, 0x80, 0x80},
                         bits[] = {0x40, 0x80};
    png_make(&file, 8, PNG_COLOR_TYPE_RGB, 2, 2, colors);
    check_pixels(2, 2, colors, 0);
    png_make(&file, 8, PNG_COLOR_TYPE_RGBA, 2, 2, alpha);
    check_pixels(2, 2, colors, 0);
    png_make(&file, 8, PNG_COLOR_TYPE_GRAY, 2, 2, grey);
    check_pixels(2, 2,
                 (uint8_t[]){0, 0, 0, 50, 50, 50, 200, 200, 200, 255, 255, 255},
                 0);
    png_make(&file, 8, PNG_COLOR_TYPE_GRAY_ALPHA, 2, 1, grey);
    check_pixels(2, 1, (uint8_t[]){0, 0, 0, 200, 200, 200}, 0);
    png_make(&file, 16, PNG_COLOR_TYPE_GRAY, 4, 1, wide);
    check_pixels(4, 1,
                 (uint8_t[]){0, 0, 0, 64, 64, 64, 255, 255, 255, 128, 128, 128},
                 0);
    png_make(&file, 1, PNG_COLOR_TYPE_GRAY, 2, 2, bits);
    check_pixels(
        2, 2, (uint8_t[]){0, 0, 0, 255, 255, 255, 255, 255, 255, 0, 0, 0}, 0);
    png_make(&file, 4, PNG_COLOR_TYPE_PALETTE, 2, 2, two);
    check_pixels(2, 2,
                 (uint8_t[]){3, 6, 252, 0, 0, 255, 15, 30, 240, 1, 2, 254}, 0);
}
END_TEST

START_TEST(jpeg_is_rgb_or_refused)
{
    uint8_t pixels[4 * 256], rgb[3 * 256];
    for (size_t i = 0; i < 256; i++) {
        memcpy(pixels + 3 * i, "\xc8\x32\x0a", 3);
        memcpy(rgb + 3 * i, "\xc8\x32\x0a", 3);
    }
    jpeg_make(&file, 3, 16, 16, pixels);
    check_pixels(16, 16, rgb, 2);
    memset(pixels, 77, sizeof pixels);
    memset(rgb, 77, sizeof rgb);
    jpeg_make(&file, 1, 16, 16, pixels);
    check_pixels(16, 16, rgb, 1);
    jpeg_make(&file, 4, 16, 16, pixels);
    check_refused(file.data, file.size, "CMYK");
}
END_TEST

static void fill(uint8_t *pixels, size_t size)
{
    for (size_t i = 0; i < size; i++)
        pixels[i] = (uint8_t)(i * i * 37 >> 3);
}

/* A copy of exactly that size, so that a read beyond it is seen. */
static void check_cut(size_t size)
{
    uint8_t *copy = malloc(size + (size == 0));
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, file.data, size);
    check_refused(copy, size, size < 3 ? "neither" : "");
    ck_assert_str_ne(why, "");
    free(copy);
}

START_TEST(cut_files_are_refused)
{
    static uint8_t pixels[3 * 40 * 40];
    fill(pixels, sizeof pixels);
    png_make(&file, 8, PNG_COLOR_TYPE_RGB, 40, 40, pixels);
    /* The checksum of the last row's chunk and the end can be missing. */
    for (size_t size = 0; size + 20 < file.size; size += 97)
        check_cut(size);
    jpeg_make(&file, 3, 40, 40, pixels);
    for (size_t size = 0; size < file.size - 2; size += 97)
        check_cut(size);
}
END_TEST

/* Either an image of at least a pixel or a reason; ASan sees the rest. */
START_TEST(changed_bytes_do_no_harm)
{
    static uint8_t pixels[3 * 24 * 24];
    int refused = 0;
    fill(pixels, sizeof pixels);
    for (int i = 0; i < 600; i++) {
        uint64_t seed = random_stream(1, (uint64_t)i);
        Image image;
        if (i % 2)
            jpeg_make(&file, 3, 24, 24, pixels);
        else
            png_make(&file, 8, PNG_COLOR_TYPE_RGB, 24, 24, pixels);
        for (uint64_t k = 0; k < 3; k++) {
            uint64_t bits = random_bits(seed, k);
            file.data[(bits >> 8) % file.size] ^= (uint8_t)(1 + bits % 255);
        }
        why[0] = '\0';
        if (image_decode(file.data, file.size, &image, why) < 0) {
            ck_assert_str_ne(why, "");
            refused++;
        } else {
            ck_assert(image.width > 0 && image.height > 0);
            free(image.rgb);
        }
    }
    ck_assert_int_gt(refused, 300);
}
END_TEST

/* Big-endian numbers in place. */
static void put_number(uint8_t *at, uint32_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
}

/* Bombs: a few bytes whose header asks for gigabytes. */
START_TEST(a_lying_header_takes_no_memory)
{
    png_make(&file, 8, PNG_COLOR_TYPE_RGB, 2, 2, colors);
    put_number(file.data + 16, 900000, 4);
    put_number(file.data + 20, 900000, 4);
    put_number(file.data + 29, (uint32_t)crc32(0, file.data + 12, 17), 4);
    check_refused(file.data, file.size, "900000 x 900000 pixels");
    put_number(file.data + 16, 40, 4);
    put_number(file.data + 20, 40, 4);
    put_number(file.data + 29, (uint32_t)crc32(0, file.data + 12, 17), 4);
    check_refused(file.data, file.size, "broken PNG");
    jpeg_make(&file, 3, 2, 2, colors);
    uint8_t *frame = file.data;
    while (frame[0] != 0xff || frame[1] != 0xc0)
        frame++;
    put_number(frame + 5, 65500, 2);
    put_number(frame + 7, 65500, 2);
    check_refused(file.data, file.size, "65500 x 65500 pixels");
    put_number(frame + 5, 9000, 2);
    put_number(frame + 7, 9000, 2);
    frame[11] = 0x11; /* no component has fewer samples than others */
    check_refused(file.data, file.size, "needs more than 256 MiB");
    put_number(frame + 5, 0, 2);
    check_refused(file.data, file.size, "broken JPEG");
    check_refused((const uint8_t *)"GIF89a..", 8, "neither PNG nor JPEG");
    check_refused((const uint8_t *)"", 0, "neither PNG nor JPEG");
}
END_TEST

/* Puts bytes of the file, which ends with EOI, before that so many times. */
static void repeat_scan(size_t start, size_t length, int times)
{
    for (int i = 0; i < times; i++) {
        memmove(file.data + file.size - 2, file.data + start, length);
        file.size += length;
        memcpy(file.data + file.size - 2, "\xff\xd9", 2);
    }
}

/* Each scan is as valid as the first. */
START_TEST(a_jpeg_has_not_any_number_of_scans)
{
    jpeg_make(&file, 3, 2, 2, colors);
    size_t start = file.size - 2;
    while (file.data[start] != 0xff || file.data[start + 1] != 0xda)
        start--;
    size_t length = file.size - 2 - start;
    repeat_scan(start, length, 90);
    Image image;
    ck_assert_msg(image_decode(file.data, file.size, &image, why) == 0, "%s",
                  why);
    free(image.rgb);
    repeat_scan(start, length, 10);
    check_refused(file.data, file.size, "more than 100 scans");
}
END_TEST

/* ---- Resizing ---- */

static ImageConfig config_of(int64_t height, int64_t width, double crop_pct,
                             Interpolation interpolation)
{
    return (ImageConfig){.width = width,
                         .height = height,
                         .crop_pct = crop_pct,
                         .interpolation = interpolation,
                         .std = {1, 1, 1}};
}

/* Every row of a grey image is `row`; the first one of the result, in bytes,
 * is `expected`. */
static void check_row(int64_t size, const uint8_t *row, ImageConfig config,
                      const uint8_t *expected)
{
    uint8_t rgb[8 * 8 * 3];
    float out[3 * 8 * 8];
    for (int64_t i = 0; i < size * size * 3; i++)
        rgb[i] = row[i / 3 % size];
    Image image = {size, size, rgb};
    ck_assert_int_eq(image_prepare(&image, &config, out), 0);
    for (int64_t i = 0; i < config.width; i++)
        ck_assert_int_eq(lroundf(out[i] * 255), expected[i]);
}

/*
 * From 4 to 2 the bilinear kernel has weights 3, 3, 1 of 7: (210 + 140) / 7.
 * From 2 to 4 the bicubic one has 0.8671875 and -0.0703125, then 0.8671875 and
 * 0.2265625, each divided by their sum.
 */
START_TEST(rows_are_as_computed_by_hand)
{
    static const uint8_t four[] = {0, 70, 140, 210}, two[] = {100, 180};
    check_row(4, four, config_of(2, 2, 1, INTERPOLATION_BILINEAR),
              (uint8_t[]){50, 160});
    check_row(4, four, config_of(2, 2, 1, INTERPOLATION_NEAREST),
              (uint8_t[]){70, 210});
    check_row(2, two, config_of(4, 4, 1, INTERPOLATION_BICUBIC),
              (uint8_t[]){93, 117, 163, 187});
    /* Beyond the ends a byte stays a byte. */
    check_row(2, (uint8_t[]){0, 255}, config_of(4, 4, 1, INTERPOLATION_BICUBIC),
              (uint8_t[]){0, 53, 202, 255});
    check_row(4, four, config_of(2, 2, 0.5, INTERPOLATION_BICUBIC),
              (uint8_t[]){70, 140});
    check_row(4, four, config_of(4, 4, 1, INTERPOLATION_BICUBIC), four);
}
END_TEST

START_TEST(numbers_are_normalised_by_channel)
{
    uint8_t rgb[] = {0, 51, 255};
    float out[3];
    Image image = {1, 1, rgb};
    ImageConfig config = {.width = 1,
                          .height = 1,
                          .crop_pct = 1,
                          .mean = {0.5f, 0.2f, 0},
                          .std = {0.25f, 1, 0.5f}};
    ck_assert_int_eq(image_prepare(&image, &config, out), 0);
    ck_assert(out[0] == -2 && fabsf(out[1]) < 1e-7f && out[2] == 2);
}
END_TEST

/* That of fixtures/images/make.py. */
static Image pattern(void)
{
    static uint8_t rgb[37 * 29 * 3];
    uint8_t *out = rgb;
    for (int y = 0; y < 29; y++)
        for (int x = 0; x < 37; x++)
            for (int c = 0; c < 3; c++)
                *out++ = (uint8_t)(x * x * 7 + y * 31 + x * y * c + 60 * c);
    return (Image){37, 29, rgb};
}

START_TEST(layouts_and_bytes)
{
    enum { WIDTH = 6, PIXELS = WIDTH * 4 };
    float planes[3 * PIXELS], pixels[3 * PIXELS];
    Image image = pattern();
    ImageConfig config = config_of(WIDTH, 4, 1, INTERPOLATION_BICUBIC);
    ck_assert_int_eq(image_prepare(&image, &config, planes), 0);
    config.channels_last = true;
    config.bytes = true;
    config.mean[1] = 7;
    ck_assert_int_eq(image_prepare(&image, &config, pixels), 0);
    for (int i = 0; i < 3 * PIXELS; i++)
        ck_assert(pixels[i] == roundf(255 * planes[i % 3 * PIXELS + i / 3]));
}
END_TEST

/* `rows` of each channel are there. */
static void check_pil(ImageConfig config, const unsigned char *expected,
                      int64_t rows)
{
    static float out[3 * 48 * 48];
    Image image = pattern();
    ck_assert_int_eq(image_prepare(&image, &config, out), 0);
    for (int64_t c = 0; c < 3; c++)
        for (int64_t i = 0; i < rows * config.width; i++)
            ck_assert_int_eq(
                lroundf(out[c * config.height * config.width + i] * 255),
                *expected++);
}

START_TEST(resized_as_timm_and_pil_do)
{
    check_pil(config_of(8, 8, 0.875, INTERPOLATION_BICUBIC), pil_bicubic_square,
              8);
    check_pil(config_of(8, 8, 0.9, INTERPOLATION_BILINEAR), pil_bilinear_square,
              8);
    check_pil(config_of(6, 10, 0.95, INTERPOLATION_BICUBIC), pil_bicubic_wide,
              6);
    check_pil(config_of(48, 48, 1, INTERPOLATION_BICUBIC), pil_bicubic_larger,
              1);
}
END_TEST

/* As wide as it would become whole, it would take gigabytes. */
START_TEST(a_thread_is_only_cut_out)
{
    enum { LENGTH = 3000000 };
    static float out[3 * 64 * 64];
    uint8_t *rgb = malloc(3 * LENGTH);
    ck_assert_ptr_nonnull(rgb);
    memset(rgb, 51, 3 * LENGTH);
    for (int upright = 0; upright < 2; upright++) {
        Image image = {upright ? 1 : LENGTH, upright ? LENGTH : 1, rgb};
        ImageConfig config = config_of(64, 64, 0.875, INTERPOLATION_BICUBIC);
        memset(out, 0, sizeof out);
        ck_assert_int_eq(image_prepare(&image, &config, out), 0);
        for (int i = 0; i < 3 * 64 * 64; i++)
            ck_assert(fabsf(out[i] - 0.2f) < 1e-6f);
    }
    free(rgb);
}
END_TEST

/* ---- Agreement ---- */

static rp_agreement agreement_of(int64_t rows, int64_t columns, double *x,
                                 double *y)
{
    rp_agreement agreement = {0};
    Array a = {DT_FLOAT, 2, {rows, columns}, rows * columns, x}, b = a;
    b.data = y;
    agreement_measure(&agreement, &a, &b);
    return agreement;
}

START_TEST(agreement_counts_rows)
{
    double x[] = {1, 2, 3, 4, 5, 6, 7, /* the same five, the first another */
                  7, 6, 5, 4, 3, 2, 1, /* the fifth another */
                  0, 0, 0, 0, 0, 0, 0};
    double y[] = {1, 2, 3, 4, 5, 7, 6.5, 7, 6, 5, 4,
                  2, 3, 1, 0, 0, 0, 0,   0, 0, 0};
    rp_agreement agreement = agreement_of(3, 7, x, y);
    ck_assert_uint_eq(agreement.rows, 3);
    ck_assert_uint_eq(agreement.top1, 2);
    ck_assert_uint_eq(agreement.top5, 2);
    ck_assert(agreement.change == 1);
    agreement = agreement_of(7, 3, x, y);
    ck_assert_uint_eq(agreement.rows, 7);
    ck_assert_uint_eq(agreement.top5, 7);
    ck_assert_uint_eq(agreement_of(21, 1, x, y).rows, 0);
}
END_TEST

Suite *suite_images(void)
{
    Suite *suite = suite_create("images");
    TCase *tc = tcase_create("images");
    tcase_add_test(tc, png_of_every_kind_is_rgb);
    tcase_add_test(tc, jpeg_is_rgb_or_refused);
    tcase_add_test(tc, cut_files_are_refused);
    tcase_add_test(tc, changed_bytes_do_no_harm);
    tcase_add_test(tc, a_lying_header_takes_no_memory);
    tcase_add_test(tc, a_jpeg_has_not_any_number_of_scans);
    tcase_add_test(tc, rows_are_as_computed_by_hand);
    tcase_add_test(tc, numbers_are_normalised_by_channel);
    tcase_add_test(tc, layouts_and_bytes);
    tcase_add_test(tc, resized_as_timm_and_pil_do);
    tcase_add_test(tc, a_thread_is_only_cut_out);
    tcase_add_test(tc, agreement_counts_rows);
    suite_add_tcase(suite, tc);
    return suite;
}
