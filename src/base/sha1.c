#include "base/sha1.h"

#include <string.h>

static uint32_t rotate(uint32_t x, int bits)
{
    return x << bits | x >> (32 - bits);
}

/* The function and the constant of a round (FIPS 180-4, 4.1.1 and 4.2.1). */
static uint32_t mix(int round, uint32_t b, uint32_t c, uint32_t d)
{
    switch (round / 20) {
    case 0:
        return ((b & c) ^ (~b & d)) + 0x5a827999;
    case 1:
        return (b ^ c ^ d) + 0x6ed9eba1;
    case 2:
        return ((b & c) ^ (b & d) ^ (c & d)) + 0x8f1bbcdc;
    default:
        return (b ^ c ^ d) + 0xca62c1d6;
    }
}

/* FIPS 180-4, 6.1.2. */
static void add_block(Sha1 *sha, const uint8_t *block)
{
    uint32_t w[80], *h = sha->state;
    for (int i = 0; i < 16; i++, block += 4)
        w[i] = (uint32_t)block[0] << 24 | (uint32_t)block[1] << 16 |
               (uint32_t)block[2] << 8 | block[3];
    for (int i = 16; i < 80; i++)
        w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (int i = 0; i < 80; i++) {
        uint32_t next = rotate(a, 5) + mix(i, b, c, d) + e + w[i];
        e = d, d = c, c = rotate(b, 30), b = a, a = next;
    }
    h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
}

void sha1_start(Sha1 *sha)
{
    *sha = (Sha1){
        .state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0}};
}

void sha1_add(Sha1 *sha, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    while (size > 0) {
        size_t used = sha->size % SHA1_BLOCK, now = SHA1_BLOCK - used;
        if (now > size)
            now = size;
        if (now == SHA1_BLOCK) {
            add_block(sha, at);
        } else {
            memcpy(sha->block + used, at, now);
            if (used + now == SHA1_BLOCK)
                add_block(sha, sha->block);
        }
        sha->size += now;
        at += now;
        size -= now;
    }
}

void sha1_end(Sha1 *sha, uint8_t digest[SHA1_SIZE])
{
    static const uint8_t padding[SHA1_BLOCK] = {0x80};
    uint8_t length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (uint8_t)(sha->size * 8 >> (56 - 8 * i));
    size_t used = (sha->size + 8) % SHA1_BLOCK;
    sha1_add(sha, padding, SHA1_BLOCK - used);
    sha1_add(sha, length, sizeof length);
    for (int i = 0; i < SHA1_SIZE; i++)
        digest[i] = (uint8_t)(sha->state[i / 4] >> (24 - i % 4 * 8));
}
