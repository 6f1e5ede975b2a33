#include "imaging.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <png.h>

static void append(png_structp png, png_bytep bytes, size_t size)
{
    Bytes *out = png_get_io_ptr(png);
    ck_assert_uint_le(out->size + size, sizeof out->data);
    memcpy(out->data + out->size, bytes, size);
    out->size += size;
}

static void nothing(png_structp png)
{
    (void)png;
}

void png_make(Bytes *out, int depth, int type, uint32_t width, uint32_t height,
              const uint8_t *pixels)
{
    png_structp png =
        png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_color palette[16];
    for (uint8_t i = 0; i < 16; i++)
        palette[i] = (png_color){i, (uint8_t)(2 * i), (uint8_t)(255 - i)};
    out->size = 0;
    png_set_write_fn(png, out, append, nothing);
    png_set_IHDR(png, info, width, height, depth, type, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (type == PNG_COLOR_TYPE_PALETTE)
        png_set_PLTE(png, info, palette, 16);
    png_write_info(png, info);
    size_t row = png_get_rowbytes(png, info);
    for (uint32_t y = 0; y < height; y++)
        png_write_row(png, pixels + y * row);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
}

void jpeg_make(Bytes *out, int channels, uint32_t width, uint32_t height,
               const uint8_t *pixels)
{
    static const jpeg_scan_info scans[3] = {
        {1, {0}, 0, 63, 0, 0}, {1, {1}, 0, 63, 0, 0}, {1, {2}, 0, 63, 0, 0}};
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    uint8_t *bytes = NULL;
    unsigned long size = 0;
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &bytes, &size);
    jpeg.image_width = width;
    jpeg.image_height = height;
    jpeg.input_components = channels;
    jpeg.in_color_space = channels == 1   ? JCS_GRAYSCALE
                          : channels == 3 ? JCS_RGB
                                          : JCS_CMYK;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, 100, TRUE);
    if (channels == 3) {
        jpeg.scan_info = scans;
        jpeg.num_scans = 3;
    }
    jpeg_start_compress(&jpeg, TRUE);
    for (uint32_t y = 0; y < height; y++) {
        JSAMPROW row =
            (JSAMPROW)(pixels + (size_t)y * width * (unsigned)channels);
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    ck_assert_uint_le(size, sizeof out->data);
    memcpy(out->data, bytes, size);
    out->size = size;
    jpeg_destroy_compress(&jpeg);
    free(bytes);
}
