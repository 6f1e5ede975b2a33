/* PNG and JPEG files in memory, as the libraries write them. */
#ifndef REPFOLD_TESTS_IMAGING_H
#define REPFOLD_TESTS_IMAGING_H

#include <stddef.h>
#include <stdint.h>

typedef struct Bytes {
    uint8_t data[1 << 16];
    size_t size;
} Bytes;

/* `depth` and `type` are PNG's: 8 and PNG_COLOR_TYPE_RGB. Rows are packed; a
 * palette maps k to (k, 2 k, 255 - k). */
void png_make(Bytes *out, int depth, int type, uint32_t width, uint32_t height,
              const uint8_t *pixels);
/* `channels` is 1 for grey, 3 for RGB, in a scan for each, and 4 for CMYK.
 * Quality 100. */
void jpeg_make(Bytes *out, int channels, uint32_t width, uint32_t height,
               const uint8_t *pixels);

#endif
