/* SHA-256 (FIPS 180-4), for the digests in reports. */
#ifndef REPFOLD_BASE_SHA256_H
#define REPFOLD_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { SHA256_BYTES = 32, SHA256_TEXT = 2 * SHA256_BYTES + 1 };

typedef struct Sha256 {
    uint32_t state[8];
    uint64_t size;     /* bytes so far */
    uint8_t block[64]; /* the last size % 64 of them */
} Sha256;

void sha256_start(Sha256 *sha);
void sha256_add(Sha256 *sha, const void *bytes, size_t size);
/* The digest as lower-case hexadecimal. */
void sha256_text(Sha256 *sha, char text[SHA256_TEXT]);

#endif
