/*
 * Images as a network's input: decoded to RGB, resized, cropped, normalised.
 * Bytes come from strangers, so nothing here exits or prints, and no header
 * makes it take more memory than an image and what libjpeg keeps of one that
 * comes in several scans: IMAGE_BYTES_MAX each.
 */
#ifndef REPFOLD_CONVERTER_IMAGE_H
#define REPFOLD_CONVERTER_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { IMAGE_BYTES_MAX = 1 << 28, IMAGE_WHY = 256 };

typedef struct Image {
    int64_t width, height;
    uint8_t *rgb; /* row by row; free() takes it back */
} Image;

/* Decodes a PNG or JPEG, told by its first bytes. Alpha is dropped, grey and
 * palette become RGB, 16 bits become 8; an EXIF orientation is ignored. On
 * failure, -1, `why` says what is wrong. */
int image_decode(const uint8_t *bytes, size_t size, Image *out,
                 char why[IMAGE_WHY]);

typedef enum Interpolation {
    INTERPOLATION_NEAREST,
    INTERPOLATION_BILINEAR,
    INTERPOLATION_BICUBIC
} Interpolation;

/* What timm's data config says, and what the input is like. */
typedef struct ImageConfig {
    int64_t width, height; /* of the input */
    double crop_pct;       /* up to 1: the part of the resized image */
    Interpolation interpolation;
    float mean[3], std[3]; /* of values in 0 to 1 */
    bool channels_last;    /* pixel by pixel, else channel by channel */
    bool bytes;            /* 0 to 255, not normalised */
} ImageConfig;

/* Resizes the shorter side to size / crop_pct, crops the centre and normalises
 * it into 3 * height * width numbers. -1: no memory. */
int image_prepare(const Image *image, const ImageConfig *config, float *out);

#endif
