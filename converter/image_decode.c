/* PNG by libpng's simplified interface, JPEG by libjpeg. */
#include "image.h"

#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
/* Behind that, which it builds on. */
#include <jerror.h>
#include <png.h>

/* Memory for an image of that size; NULL with `why`. */
static uint8_t *pixels_new(uint64_t width, uint64_t height, size_t channels,
                           char *why)
{
    size_t most = IMAGE_BYTES_MAX / channels;
    if (width == 0 || height == 0 || width > most / height) {
        snprintf(why, IMAGE_WHY,
                 "%llu x %llu pixels, where at most %zu are decoded",
                 (unsigned long long)width, (unsigned long long)height, most);
        return NULL;
    }
    uint8_t *pixels = malloc((size_t)(width * height) * channels);
    if (!pixels)
        snprintf(why, IMAGE_WHY, "out of memory");
    return pixels;
}

/* ---- PNG ---- */

/* As PIL does: what is behind an image is not the file's to say. */
static void drop_alpha(uint8_t *pixels, size_t count)
{
    for (size_t i = 0; i < count; i++)
        memmove(pixels + 3 * i, pixels + 4 * i, 3);
}

static int decode_png(const uint8_t *bytes, size_t size, Image *out, char *why)
{
    png_image png = {.version = PNG_IMAGE_VERSION};
    if (!png_image_begin_read_from_memory(&png, bytes, size)) {
        snprintf(why, IMAGE_WHY, "broken PNG: %s", png.message);
        return -1;
    }
    bool has_alpha = png.format & PNG_FORMAT_FLAG_ALPHA;
    png.format = has_alpha ? PNG_FORMAT_RGBA : PNG_FORMAT_RGB;
    /* 16 bits without a gamma are as 8 bits are, not linear. */
    png.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;
    uint8_t *pixels = pixels_new(png.width, png.height, has_alpha ? 4 : 3, why);
    if (!pixels) {
        png_image_free(&png);
        return -1;
    }
    if (!png_image_finish_read(&png, NULL, pixels, 0, NULL)) {
        snprintf(why, IMAGE_WHY, "broken PNG: %s", png.message);
        free(pixels);
        return -1;
    }
    if (has_alpha)
        drop_alpha(pixels, (size_t)png.width * png.height);
    *out = (Image){png.width, png.height, pixels};
    return 0;
}

/* ---- JPEG ---- */

/* A file of a few bytes can ask for any number of passes over all pixels. */
enum { SCANS_MAX = 100 };

typedef struct Decoder {
    struct jpeg_decompress_struct jpeg; /* first: it is the Decoder */
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf failed;
    uint8_t *pixels;
    char *why;
} Decoder;

static void fail(j_common_ptr jpeg)
{
    Decoder *decoder = (Decoder *)jpeg;
    char message[JMSG_LENGTH_MAX];
    /* Beyond max_memory_to_use libjpeg would go on in a file. */
    if (jpeg->err->msg_code == JERR_NO_BACKING_STORE) {
        snprintf(decoder->why, IMAGE_WHY,
                 "JPEG of several scans that needs more than %d MiB",
                 IMAGE_BYTES_MAX >> 20);
        longjmp(decoder->failed, 1);
    }
    decoder->errors.format_message(jpeg, message);
    snprintf(decoder->why, IMAGE_WHY, "broken JPEG: %s", message);
    longjmp(decoder->failed, 1);
}

/* libjpeg warns of what it has to make up, as behind the end of a file. */
static void fail_where_warned(j_common_ptr jpeg, int level)
{
    if (level < 0)
        fail(jpeg);
}

static void say_nothing(j_common_ptr jpeg)
{
    (void)jpeg;
}

static void count_scans(j_common_ptr jpeg)
{
    Decoder *decoder = (Decoder *)jpeg;
    if (decoder->jpeg.input_scan_number <= SCANS_MAX)
        return;
    snprintf(decoder->why, IMAGE_WHY, "JPEG of more than %d scans", SCANS_MAX);
    longjmp(decoder->failed, 1);
}

static int read_pixels(Decoder *decoder)
{
    struct jpeg_decompress_struct *jpeg = &decoder->jpeg;
    jpeg_read_header(jpeg, TRUE);
    if (jpeg->jpeg_color_space == JCS_CMYK ||
        jpeg->jpeg_color_space == JCS_YCCK) {
        snprintf(decoder->why, IMAGE_WHY,
                 "JPEG in CMYK, which says nothing of RGB without a profile; "
                 "convert it");
        return -1;
    }
    jpeg->out_color_space = JCS_RGB;
    decoder->pixels =
        pixels_new(jpeg->image_width, jpeg->image_height, 3, decoder->why);
    if (!decoder->pixels)
        return -1;
    jpeg_start_decompress(jpeg);
    while (jpeg->output_scanline < jpeg->output_height) {
        JSAMPROW row = decoder->pixels +
                       (size_t)jpeg->output_scanline * jpeg->output_width * 3;
        jpeg_read_scanlines(jpeg, &row, 1);
    }
    jpeg_finish_decompress(jpeg);
    return 0;
}

/* What changes behind setjmp is the decoder, in the caller's frame. */
static int run_decoder(Decoder *decoder, const uint8_t *bytes, size_t size)
{
    if (setjmp(decoder->failed))
        return -1;
    jpeg_create_decompress(&decoder->jpeg);
    decoder->jpeg.progress = &decoder->progress;
    decoder->jpeg.mem->max_memory_to_use = IMAGE_BYTES_MAX;
    jpeg_mem_src(&decoder->jpeg, bytes, (unsigned long)size);
    return read_pixels(decoder);
}

static int decode_jpeg(const uint8_t *bytes, size_t size, Image *out, char *why)
{
    Decoder decoder = {.why = why};
    decoder.jpeg.err = jpeg_std_error(&decoder.errors);
    decoder.errors.error_exit = fail;
    decoder.errors.emit_message = fail_where_warned;
    decoder.errors.output_message = say_nothing;
    decoder.progress.progress_monitor = count_scans;
    int status = run_decoder(&decoder, bytes, size);
    *out = (Image){decoder.jpeg.image_width, decoder.jpeg.image_height,
                   decoder.pixels};
    jpeg_destroy_decompress(&decoder.jpeg);
    if (status < 0)
        free(decoder.pixels);
    return status;
}

int image_decode(const uint8_t *bytes, size_t size, Image *out,
                 char why[IMAGE_WHY])
{
    static const uint8_t png[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    static const uint8_t jpeg[3] = {0xff, 0xd8, 0xff};
    if (size >= sizeof png && memcmp(bytes, png, sizeof png) == 0)
        return decode_png(bytes, size, out, why);
    if (size >= sizeof jpeg && memcmp(bytes, jpeg, sizeof jpeg) == 0)
        return decode_jpeg(bytes, size, out, why);
    snprintf(why, IMAGE_WHY, "neither PNG nor JPEG");
    return -1;
}
