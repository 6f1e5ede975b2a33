/*
 * From any image to an input of a network, as timm does it by PIL: the kernel
 * grows with the step, so that nothing is left out where an image shrinks;
 * each pass, along rows first, takes weights of 22 bits and gives bytes. Only
 * what the crop shows is computed, so a long thin image costs no more.
 */
#include "image.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BITS = 22 };

/* ---- Where the crop is ---- */

/* One axis: a source of `size` becomes `resized`, of which `count` are taken
 * from `first` on. */
typedef struct Axis {
    int64_t size, resized, first, count;
} Axis;

static Axis axis_of(int64_t size, int64_t resized, int64_t count)
{
    if (resized < count)
        resized = count;
    double first = nearbyint((double)(resized - count) / 2);
    return (Axis){size, resized, (int64_t)first, count};
}

/* timm: a square target gives the shorter side its size and the longer one
 * what is in proportion, rounded down; another one is covered, rounded. */
static void place_crop(const Image *image, const ImageConfig *config, Axis *x,
                       Axis *y)
{
    double width = (double)image->width, height = (double)image->height;
    double wide = floor((double)config->width / config->crop_pct);
    double high = floor((double)config->height / config->crop_pct);
    double resized_x, resized_y;
    if (config->width == config->height) {
        double shorter = fmin(width, height);
        resized_x = floor(wide * width / shorter);
        resized_y = floor(high * height / shorter);
    } else {
        double ratio = fmin(height / high, width / wide);
        resized_x = nearbyint(width / ratio);
        resized_y = nearbyint(height / ratio);
    }
    *x = axis_of(image->width, (int64_t)resized_x, config->width);
    *y = axis_of(image->height, (int64_t)resized_y, config->height);
}

/* ---- Weights ---- */

/* What one taken pixel is made of. */
typedef struct Tap {
    int64_t first, count;
    int32_t *weights; /* in 2^-BITS */
} Tap;

/* Bicubic by Keys (1981), equation 15, with a = -1/2. */
static double kernel(Interpolation interpolation, double x)
{
    x = fabs(x);
    if (interpolation == INTERPOLATION_BILINEAR)
        return x < 1 ? 1 - x : 0;
    if (x < 1)
        return (1.5 * x - 2.5) * x * x + 1;
    return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

static void set_nearest(Tap *tap, double center)
{
    tap->first = (int64_t)floor(center);
    tap->count = 1;
    tap->weights[0] = 1 << BITS;
}

static void set_weighted(Tap *tap, Interpolation interpolation, double center,
                         double step, int64_t size)
{
    double radius = interpolation == INTERPOLATION_BILINEAR ? 1 : 2, sum = 0;
    double first = floor(fmax(center - radius * step + 0.5, 0));
    double end = floor(fmin(center + radius * step + 0.5, (double)size));
    tap->first = (int64_t)first;
    tap->count = (int64_t)end - tap->first;
    for (int64_t i = 0; i < tap->count; i++)
        sum += kernel(interpolation,
                      ((double)(tap->first + i) - center + 0.5) / step);
    for (int64_t i = 0; i < tap->count; i++) {
        double at = ((double)(tap->first + i) - center + 0.5) / step;
        tap->weights[i] =
            (int32_t)lround(kernel(interpolation, at) / sum * (1 << BITS));
    }
}

/* The taps of an axis, with their weights behind them; NULL: no memory. */
static Tap *taps_new(const Axis *axis, Interpolation interpolation)
{
    double ratio = (double)axis->size / (double)axis->resized;
    double step = fmax(ratio, 1);
    size_t longest = 2 * (size_t)ceil(2 * step) + 1;
    size_t count = (size_t)axis->count;
    Tap *taps = calloc(count, sizeof *taps + longest * sizeof *taps->weights);
    if (!taps)
        return NULL;
    int32_t *weights = (int32_t *)(taps + count);
    for (size_t i = 0; i < count; i++) {
        double center = ((double)(axis->first + (int64_t)i) + 0.5) * ratio;
        taps[i].weights = weights + i * longest;
        if (interpolation == INTERPOLATION_NEAREST)
            set_nearest(&taps[i], center);
        else
            set_weighted(&taps[i], interpolation, center, step, axis->size);
    }
    return taps;
}

/* ---- The passes ---- */

/* Bytes `stride` apart, weighted. */
static uint8_t weigh(const Tap *tap, const uint8_t *from, int64_t stride)
{
    int64_t sum = 1 << (BITS - 1);
    for (int64_t i = 0; i < tap->count; i++)
        sum += (int64_t)tap->weights[i] * from[i * stride];
    sum = sum < 0 ? 0 : sum >> BITS;
    return (uint8_t)(sum > UINT8_MAX ? UINT8_MAX : sum);
}

static void pass_rows(const Image *image, const Tap *taps, int64_t width,
                      int64_t first, int64_t rows, uint8_t *out)
{
    for (int64_t y = first; y < first + rows; y++)
        for (int64_t x = 0; x < width; x++)
            for (int c = 0; c < 3; c++)
                *out++ = weigh(
                    &taps[x],
                    image->rgb + (y * image->width + taps[x].first) * 3 + c, 3);
}

static float normalise(uint8_t value, const ImageConfig *config, int c)
{
    return config->bytes
               ? value
               : ((float)value / UINT8_MAX - config->mean[c]) / config->std[c];
}

/* Down the columns; every byte becomes a number of its channel. */
static void pass_columns(const uint8_t *rows, int64_t first, const Tap *taps,
                         const ImageConfig *config, float *out)
{
    int64_t width = config->width, pixels = config->height * width;
    int64_t pixel_step = config->channels_last ? 3 : 1;
    int64_t channel_step = config->channels_last ? 1 : pixels;
    for (int64_t i = 0; i < pixels; i++) {
        const Tap *tap = &taps[i / width];
        int64_t from = (tap->first - first) * width + i % width;
        for (int c = 0; c < 3; c++)
            out[i * pixel_step + c * channel_step] = normalise(
                weigh(tap, rows + from * 3 + c, 3 * width), config, c);
    }
}

int image_prepare(const Image *image, const ImageConfig *config, float *out)
{
    Axis x, y;
    place_crop(image, config, &x, &y);
    Tap *across = taps_new(&x, config->interpolation);
    Tap *down = taps_new(&y, config->interpolation);
    uint8_t *rows = NULL;
    if (across && down) {
        const Tap *last = &down[y.count - 1];
        int64_t first = down[0].first;
        int64_t count = last->first + last->count - first;
        rows = malloc((size_t)(count * x.count) * 3);
        if (rows) {
            pass_rows(image, across, x.count, first, count, rows);
            pass_columns(rows, first, down, config, out);
        }
    }
    int status = rows ? 0 : -1;
    free(rows);
    free(down);
    free(across);
    return status;
}
