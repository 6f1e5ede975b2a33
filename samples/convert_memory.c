/*
 * Converts a model that is in memory: reads TRAIN.onnx into a buffer, folds
 * it, verifies the result against the original, and writes the deploy form
 * that comes back as another buffer.
 *
 *     cc convert_memory.c $(pkg-config --cflags --libs repfold)
 *     ./a.out train.onnx deploy.onnx
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "repfold.h"

static int write_file(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    if (!file)
        return -1;
    size_t written = fwrite(bytes, 1, size, file);
    return fclose(file) == 0 && written == size ? 0 : -1;
}

/* 1 when `model` is the function that `original` is, 0 when not, -1 on
 * trouble. */
static int is_equivalent(rp_model *original, rp_model *model, rp_error *error)
{
    rp_verdict *verdict = rp_verify(original, model, NULL, error);
    if (!verdict)
        return -1;
    const rp_verdict_info *info = rp_verdict_get(verdict);
    int same = strcmp(info->verdict, "equivalent") == 0;
    printf("%s: %s\n", info->verdict,
           same ? "the largest change is in the noise" : info->why);
    rp_verdict_free(verdict);
    return same;
}

static int convert(rp_model *model, const char *output, rp_error *error)
{
    const void *bytes;
    size_t size, folds;
    rp_model *original = rp_reopen(model, error);
    int same = -1;
    if (original && rp_fold(model, NULL, error) == 0)
        same = is_equivalent(original, model, error);
    rp_close(original);
    if (same < 1)
        return same;
    rp_folds(model, &folds);
    if (rp_save_memory(model, &bytes, &size, error) < 0)
        return -1;
    printf("%lu merged nodes, %lu bytes\n", (unsigned long)folds,
           (unsigned long)size);
    return write_file(output, bytes, size) == 0 ? 1 : -1;
}

int main(int argc, char **argv)
{
    rp_error error = {0};
    size_t size = 0;
    if (argc != 3) {
        fprintf(stderr, "usage: convert_memory TRAIN.onnx DEPLOY.onnx\n");
        return 2;
    }
    void *bytes = buffer_read(argv[1], &size);
    rp_model *model = rp_open_memory(bytes, size, argv[1], NULL, &error);
    int status = model ? convert(model, argv[2], &error) : -1;
    if (status < 0)
        fprintf(stderr, "%s: %s\n", error.where[0] ? error.where : argv[2],
                error.code ? error.message : "cannot be written");
    rp_close(model);
    free(bytes);
    return status == 1 ? 0 : status == 0 ? 1 : 2;
}
