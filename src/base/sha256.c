#include "base/sha256.h"

#include <string.h>

/* FIPS 180-4, 4.2.2: the first 32 bits of the fractional parts of the cube
 * roots of the first 64 primes. */
static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
    0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
    0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
    0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
    0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
    0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t x, int bits)
{
    return x >> bits | x << (32 - bits);
}

static uint32_t load_big(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
           (uint32_t)bytes[2] << 8 | bytes[3];
}

/* FIPS 180-4, 6.2.2, step 1. */
static void schedule(const uint8_t *block, uint32_t words[64])
{
    for (int i = 0; i < 16; i++)
        words[i] = load_big(block + 4 * i);
    for (int i = 16; i < 64; i++) {
        uint32_t a = words[i - 15], b = words[i - 2];
        words[i] = words[i - 16] + words[i - 7] +
                   (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) +
                   (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
    }
}

/* FIPS 180-4, 6.2.2, step 3. In round i the letter that was k letters after a
 * is at k - i, so nothing moves. */
static inline void add_round(uint32_t v[8], int i, uint32_t input)
{
    uint32_t a = v[-i & 7], b = v[(1 - i) & 7], c = v[(2 - i) & 7];
    uint32_t e = v[(4 - i) & 7], f = v[(5 - i) & 7], g = v[(6 - i) & 7];
    uint32_t t1 = v[(7 - i) & 7] + input + (g ^ (e & (f ^ g))) +
                  (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25));
    uint32_t t2 = ((a & b) | (c & (a | b))) +
                  (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22));
    v[(3 - i) & 7] += t1;
    v[(7 - i) & 7] = t1 + t2;
}

/* Steps 2 to 4; v is a to h. */
static void add_block(Sha256 *sha, const uint8_t *block)
{
    uint32_t words[64], v[8];
    schedule(block, words);
    memcpy(v, sha->state, sizeof v);
    for (int i = 0; i < 64; i += 8) {
        add_round(v, 0, round_constants[i] + words[i]);
        add_round(v, 1, round_constants[i + 1] + words[i + 1]);
        add_round(v, 2, round_constants[i + 2] + words[i + 2]);
        add_round(v, 3, round_constants[i + 3] + words[i + 3]);
        add_round(v, 4, round_constants[i + 4] + words[i + 4]);
        add_round(v, 5, round_constants[i + 5] + words[i + 5]);
        add_round(v, 6, round_constants[i + 6] + words[i + 6]);
        add_round(v, 7, round_constants[i + 7] + words[i + 7]);
    }
    for (int i = 0; i < 8; i++)
        sha->state[i] += v[i];
}

void sha256_start(Sha256 *sha)
{
    /* 5.3.3: of the square roots of the first 8 primes. */
    *sha = (Sha256){.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                              0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void sha256_add(Sha256 *sha, const void *bytes, size_t size)
{
    const uint8_t *from = bytes;
    size_t held = sha->size % sizeof sha->block;
    sha->size += size;
    while (size > 0) {
        size_t room = sizeof sha->block - held;
        size_t take = size < room ? size : room;
        if (take == sizeof sha->block) {
            add_block(sha, from);
        } else {
            memcpy(sha->block + held, from, take);
            if (take == room)
                add_block(sha, sha->block);
        }
        from += take;
        size -= take;
        held = 0;
    }
}

/* 5.1.1: a one bit, zeros, and the length in bits, which ends a block. */
static void finish(Sha256 *sha)
{
    uint8_t padding[72] = {0x80};
    uint64_t bits = sha->size * 8;
    size_t zeros = (119 - sha->size % 64) % 64;
    for (int i = 0; i < 8; i++)
        padding[1 + zeros + (size_t)i] = (uint8_t)(bits >> (56 - 8 * i));
    sha256_add(sha, padding, 1 + zeros + 8);
}

void sha256_text(Sha256 *sha, char text[SHA256_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    finish(sha);
    for (int i = 0; i < 2 * SHA256_BYTES; i++)
        text[i] = digits[sha->state[i / 8] >> (28 - 4 * (i % 8)) & 15];
    text[2 * SHA256_BYTES] = '\0';
}
