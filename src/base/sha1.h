/* SHA-1 (FIPS 180-4), which ONNX names for the checksum of a data file: it
 * tells damage, not malice. */
#ifndef REPFOLD_BASE_SHA1_H
#define REPFOLD_BASE_SHA1_H

#include <stddef.h>
#include <stdint.h>

enum { SHA1_SIZE = 20, SHA1_BLOCK = 64 };

typedef struct Sha1 {
    uint32_t state[5];
    uint64_t size;
    uint8_t block[SHA1_BLOCK]; /* what does not fill one yet */
} Sha1;

void sha1_start(Sha1 *sha);
void sha1_add(Sha1 *sha, const void *bytes, size_t size);
void sha1_end(Sha1 *sha, uint8_t digest[SHA1_SIZE]);

#endif
