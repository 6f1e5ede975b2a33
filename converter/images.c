/* --images: a folder of them as inputs to verify on. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "converter.h"
#include "image.h"

/* What timm takes where a network's data config does not say. */
static const ImageConfig defaults = {.crop_pct = 0.875,
                                     .interpolation = INTERPOLATION_BICUBIC,
                                     .mean = {0.485f, 0.456f, 0.406f},
                                     .std = {0.229f, 0.224f, 0.225f}};
static const double CROP_MIN = 0.01;
enum { IMAGES = 64, IMAGES_MAX = 1000000, SIDE_MAX = 16384 };

static int fail(rp_error *error, const char *code, const char *where,
                const char *what)
{
    error->code = code;
    snprintf(error->where, sizeof error->where, "%s", where);
    snprintf(error->message, sizeof error->message, "%s", what);
    return -1;
}

/* ---- The options ---- */

/* Three numbers between commas. */
static bool parse_three(const char *text, double out[3])
{
    int end = 0;
    return strspn(text, "0123456789.,eE+-") == strlen(text) &&
           sscanf(text, "%lf,%lf,%lf%n", &out[0], &out[1], &out[2], &end) ==
               3 &&
           !text[end];
}

static int take_colors(const char *text, const char *option, double least,
                       float out[3], rp_error *error)
{
    char what[128];
    double values[3];
    if (!text)
        return 0;
    bool good = parse_three(text, values);
    for (int c = 0; c < 3 && good; c++) {
        good = values[c] >= least && values[c] <= 1e6;
        out[c] = (float)values[c];
    }
    if (good)
        return 0;
    snprintf(what, sizeof what,
             "%s must be three numbers from %g up: R,G,B of values in 0 to 1",
             option, least);
    return fail(error, "usage", "", what);
}

static int take_size(const char *text, ImageConfig *config, rp_error *error)
{
    int height, width, end = 0;
    if (strspn(text, "0123456789,") == strlen(text) &&
        sscanf(text, "3,%5d,%5d%n", &height, &width, &end) == 2 && !text[end] &&
        height >= 1 && width >= 1 && height <= SIDE_MAX && width <= SIDE_MAX) {
        config->height = height;
        config->width = width;
        return 0;
    }
    return fail(error, "usage", "",
                "--input-size must be 3,H,W, with sides of at most 16384");
}

static int take_options(const Options *options, ImageConfig *config,
                        rp_error *error)
{
    static const char *const names[] = {"nearest", "bilinear", "bicubic"};
    *config = defaults;
    if (options->crop_pct > 0)
        config->crop_pct = options->crop_pct;
    if (config->crop_pct > 1 || config->crop_pct < CROP_MIN)
        return fail(error, "usage", "", "--crop-pct must be from 0.01 to 1");
    for (int i = 0; options->interpolation && i < 3; i++)
        if (strcmp(options->interpolation, names[i]) == 0)
            config->interpolation = (Interpolation)i;
    if (take_colors(options->mean, "--mean", 0, config->mean, error) < 0 ||
        take_colors(options->std, "--std", 1e-6, config->std, error) < 0)
        return -1;
    return options->input_size ? take_size(options->input_size, config, error)
                               : 0;
}

int images_check(const Options *options)
{
    ImageConfig config;
    rp_error error = {0};
    if (!options->images &&
        (options->max_images || options->input_size || options->crop_pct > 0 ||
         options->interpolation || options->mean || options->std))
        return trouble_say(options, "usage", "",
                           "--max-images, --input-size, --crop-pct, "
                           "--interpolation, --mean and --std need --images "
                           "DIR");
    return options->images && take_options(options, &config, &error) < 0
               ? trouble(options, &error)
               : 0;
}

/* ---- The input ---- */

static int64_t known_size(const char *text, int64_t most)
{
    char *end;
    long long size = strtoll(text, &end, 10);
    return *end || size < 1 || size > most ? 0 : size;
}

/* The one input that can hold images. */
static int find_input(rp_model *model, const rp_tensor_info **input,
                      rp_error *error)
{
    const rp_summary *summary;
    size_t count = 0;
    if (rp_summarize(model, &summary, error) < 0)
        return -1;
    for (size_t i = 0; i < summary->input_count; i++)
        if (summary->inputs[i].rank == 4) {
            *input = &summary->inputs[i];
            count++;
        }
    if (count == 1)
        return 0;
    return fail(error, "bad-input", summary->path,
                count ? "several inputs have rank 4, so none is the one "
                        "for --images"
                      : "no input has rank 4, as images need");
}

/* Bytes, as a network takes them that normalises by itself, or numbers. */
static int take_type(const Options *options, const rp_tensor_info *input,
                     ImageConfig *config, rp_error *error)
{
    config->bytes = strcmp(input->type, "uint8") == 0;
    if (config->bytes && (options->mean || options->std))
        return fail(error, "usage", input->name,
                    "takes bytes, which --mean and --std do not change");
    if (config->bytes || strstr(input->type, "float"))
        return 0;
    return fail(error, "bad-input", input->name,
                "takes neither real numbers nor bytes, as images are");
}

/* Where the channels are, and the size where that is fixed. */
static int take_shape(const rp_tensor_info *input, ImageConfig *config,
                      rp_error *error)
{
    config->channels_last = known_size(input->dims[1], SIDE_MAX) != 3 &&
                            known_size(input->dims[3], SIDE_MAX) == 3;
    int side = config->channels_last ? 1 : 2;
    if (!config->height) {
        config->height = known_size(input->dims[side], SIDE_MAX);
        config->width = known_size(input->dims[side + 1], SIDE_MAX);
    }
    if (config->height && config->width)
        return 0;
    return fail(error, "usage", input->name,
                "the model leaves the size of images open; give one with "
                "--input-size 3,H,W");
}

/* ---- The files ---- */

bool image_is_named(const char *name)
{
    static const char *const suffixes[] = {".png", ".jpg", ".jpeg"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof suffixes / sizeof *suffixes; i++)
        if (strcasecmp(dot, suffixes[i]) == 0)
            return true;
    return false;
}

static int is_image(const struct dirent *entry)
{
    return image_is_named(entry->d_name);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* All bytes of a regular file that could be one image. */
static uint8_t *read_file(const char *path, size_t *size, rp_error *error)
{
    struct stat info;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0 || fstat(file, &info) < 0) {
        fail(error, "io", path, strerror(errno));
        if (file >= 0)
            close(file);
        return NULL;
    }
    uint8_t *bytes = NULL;
    ssize_t got = 0;
    size_t known = (size_t)info.st_size;
    *size = 0;
    if (!S_ISREG(info.st_mode) || info.st_size > IMAGE_BYTES_MAX)
        fail(error, "bad-input", path,
             S_ISREG(info.st_mode) ? "too large for an image"
                                   : "is not a file");
    else if (!(bytes = malloc(known + 1)))
        fail(error, "memory", path, "out of memory");
    while (bytes && (got = read(file, bytes + *size, known - *size)) > 0)
        *size += (size_t)got;
    if (got < 0) {
        fail(error, "io", path, strerror(errno));
        free(bytes);
        bytes = NULL;
    }
    close(file);
    return bytes;
}

static int load_image(const char *path, const ImageConfig *config, float *out,
                      rp_error *error)
{
    Image image;
    char why[IMAGE_WHY];
    size_t size;
    uint8_t *bytes = read_file(path, &size, error);
    if (!bytes)
        return -1;
    int status = image_decode(bytes, size, &image, why);
    free(bytes);
    if (status < 0)
        return fail(error, "bad-input", path, why);
    status = image_prepare(&image, config, out);
    free(image.rgb);
    return status < 0 ? fail(error, "memory", path, "out of memory") : 0;
}

/* ---- All of them ---- */

/* A batch that the model fixes is filled; images that fill none are left out.
 */
static int take_batches(const Options *options, const rp_tensor_info *input,
                        Images *images, rp_error *error)
{
    size_t most = options->max_images ? options->max_images : IMAGES;
    size_t batch = (size_t)known_size(input->dims[0], IMAGES_MAX);
    char what[128];
    images->batch = batch ? batch : 1;
    images->array_count =
        (images->found < most ? images->found : most) / images->batch;
    images->count = images->array_count * images->batch;
    if (images->count > 0)
        return 0;
    snprintf(what, sizeof what,
             "the model takes %zu images at once, and there are %zu; "
             "--max-images is %zu",
             batch, images->found, most);
    return fail(error, "bad-input", options->images, what);
}

static int make_room(Images *images, const rp_tensor_info *input,
                     const ImageConfig *config, rp_error *error)
{
    size_t each = 3 * (size_t)(config->height * config->width);
    bool last = config->channels_last;
    images->dims[0] = (int64_t)images->batch;
    images->dims[last ? 3 : 1] = 3;
    images->dims[last ? 1 : 2] = config->height;
    images->dims[last ? 2 : 3] = config->width;
    images->data = calloc(images->count, each * sizeof *images->data);
    images->arrays = calloc(images->array_count, sizeof *images->arrays);
    images->input = strdup(input->name);
    if (!images->data || !images->arrays || !images->input)
        return fail(error, "memory", "", "out of memory");
    for (size_t i = 0; i < images->array_count; i++)
        images->arrays[i] =
            (rp_array){.input = images->input,
                       .rank = 4,
                       .dims = images->dims,
                       .data = images->data + i * images->batch * each};
    return 0;
}

static int load_files(const Options *options, const ImageConfig *config,
                      Progress *progress, Images *images, rp_error *error)
{
    size_t each = 3 * (size_t)(config->height * config->width);
    for (size_t i = 0; i < images->count; i++) {
        char *path;
        progress_show(progress, "images", (double)i / (double)images->count);
        if (asprintf(&path, "%s/%s", options->images,
                     images->names[i]->d_name) < 0)
            return fail(error, "memory", "", "out of memory");
        int status = load_image(path, config, images->data + i * each, error);
        free(path);
        if (status < 0)
            return -1;
    }
    return 0;
}

int images_load(const Options *options, rp_model *model, Progress *progress,
                Images *images, rp_error *error)
{
    ImageConfig config;
    const rp_tensor_info *input = NULL;
    *images = (Images){0};
    if (!options->images)
        return 0;
    if (take_options(options, &config, error) < 0 ||
        find_input(model, &input, error) < 0 ||
        take_type(options, input, &config, error) < 0 ||
        take_shape(input, &config, error) < 0)
        return -1;
    int found = scandir(options->images, &images->names, is_image, by_name);
    if (found < 0)
        return fail(error, "io", options->images, strerror(errno));
    images->found = (size_t)found;
    if (!images->found)
        return fail(error, "bad-input", options->images,
                    "no .png, .jpg or .jpeg file is in this folder");
    if (take_batches(options, input, images, error) < 0 ||
        make_room(images, input, &config, error) < 0)
        return -1;
    return load_files(options, &config, progress, images, error);
}

void images_free(Images *images)
{
    for (size_t i = 0; i < images->found; i++)
        free(images->names[i]);
    free(images->names);
    free(images->arrays);
    free(images->data);
    free(images->input);
}
