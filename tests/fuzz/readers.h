/* Fuzz targets, each of which takes any bytes. A refusal says why; whatever
 * else is wrong aborts. */
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

/* models.c */

/* The bytes as a model: read and described. */
int fuzz_model(const uint8_t *bytes, size_t size);
/* Read, folded, written, read and folded again. */
int fuzz_fold(const uint8_t *bytes, size_t size);
/* Run in float64 on one random input. */
int fuzz_run(const uint8_t *bytes, size_t size);
/* The bytes as a .npy file. */
int fuzz_npy(const uint8_t *bytes, size_t size);

/* files.c */

/* The bytes as a PNG or JPEG: decoded and made an input. */
int fuzz_image(const uint8_t *bytes, size_t size);
/* The bytes as an archive of arrays. */
int fuzz_npz(const uint8_t *bytes, size_t size);
/* The bytes as a compressed file, and as a compressed model. */
int fuzz_gzip(const uint8_t *bytes, size_t size);
/* The bytes as a model with its weights in files of the corpus: folded, and
 * written with all inside. */
int fuzz_external(const uint8_t *bytes, size_t size);
/* The bytes as a model, compared with itself and with another. */
int fuzz_diff(const uint8_t *bytes, size_t size);

#endif
