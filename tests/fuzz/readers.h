/* Fuzz targets: the readers of checkpoints. Each takes any bytes. */
#ifndef REPFOLD_TESTS_FUZZ_READERS_H
#define REPFOLD_TESTS_FUZZ_READERS_H

#include <stddef.h>
#include <stdint.h>

/* The bytes as data.pkl of a checkpoint with four storages. */
int fuzz_pickle(const uint8_t *bytes, size_t size);
/* The bytes as a whole file: any format of a checkpoint. */
int fuzz_checkpoint(const uint8_t *bytes, size_t size);
/* The same, all the way to a graph. */
int fuzz_import(const uint8_t *bytes, size_t size);

#endif
