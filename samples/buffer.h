/* A file's bytes in memory, for the samples here. */
#ifndef REPFOLD_SAMPLES_BUFFER_H
#define REPFOLD_SAMPLES_BUFFER_H

#include <stdio.h>
#include <stdlib.h>

/* The bytes, which the caller frees; NULL when they cannot be read. */
static void *buffer_read(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    void *bytes = NULL;
    long end = -1;
    if (file && fseek(file, 0, SEEK_END) == 0)
        end = ftell(file);
    if (end > 0 && (bytes = malloc((size_t)end)) != NULL) {
        rewind(file);
        *size = fread(bytes, 1, (size_t)end, file);
    }
    if (file)
        fclose(file);
    return bytes;
}

#endif
