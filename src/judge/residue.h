/*
 * Arithmetic modulo p = 2^61 - 1.  Every float of any type is m * 2^e, and 2 is
 * invertible modulo p (2^61 = 1), so sums and products of floats have residues
 * without any rounding.  Two polynomials of low degree that differ agree at a
 * point chosen at random with probability degree / p (Schwartz 1980, Zippel
 * 1979; for products of matrices Freivalds 1977).
 */
#ifndef REPFOLD_JUDGE_RESIDUE_H
#define REPFOLD_JUDGE_RESIDUE_H

#include <stdint.h>
#include <string.h>

#include "base/random.h"

typedef uint64_t Residue;
__extension__ typedef unsigned __int128 Wide;

#define RESIDUE_P ((UINT64_C(1) << 61) - 1)

static inline Residue residue_add(Residue a, Residue b)
{
    Residue sum = a + b;
    return sum >= RESIDUE_P ? sum - RESIDUE_P : sum;
}

static inline Residue residue_negate(Residue a)
{
    return a ? RESIDUE_P - a : 0;
}

static inline Residue residue_subtract(Residue a, Residue b)
{
    return residue_add(a, residue_negate(b));
}

/* Of a sum of up to 64 products. */
static inline Residue residue_reduce(Wide x)
{
    uint64_t low = (uint64_t)x & RESIDUE_P;
    uint64_t middle = (uint64_t)(x >> 61) & RESIDUE_P;
    uint64_t sum = low + middle + (uint64_t)(x >> 122);
    sum = (sum & RESIDUE_P) + (sum >> 61);
    return sum >= RESIDUE_P ? sum - RESIDUE_P : sum;
}

static inline Residue residue_multiply(Residue a, Residue b)
{
    Wide product = (Wide)a * b;
    uint64_t sum = ((uint64_t)product & RESIDUE_P) + (uint64_t)(product >> 61);
    return sum >= RESIDUE_P ? sum - RESIDUE_P : sum;
}

/* Of a finite number: its significand, turned by its exponent modulo 61. */
static inline Residue residue_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    unsigned exponent = (unsigned)(bits >> 52) & 0x7ff;
    uint64_t significand = bits & ((UINT64_C(1) << 52) - 1);
    if (exponent)
        significand |= UINT64_C(1) << 52;
    else
        exponent = 1;
    /* value = significand * 2^(exponent - 1075), and 1075 = 18 * 61 - 23. */
    unsigned turn = (exponent + 23) % 61;
    uint64_t turned =
        ((significand << turn) | (significand >> (61 - turn))) & RESIDUE_P;
    turned ^= RESIDUE_P & -(bits >> 63); /* p - x is x with its bits flipped */
    return turned == RESIDUE_P ? 0 : turned;
}

/* By Fermat: a^(p-2). The inverse of 0 is 0. */
static inline Residue residue_inverse(Residue a)
{
    Residue power = 1;
    for (uint64_t left = RESIDUE_P - 2; left; left >>= 1) {
        if (left & 1)
            power = residue_multiply(power, a);
        a = residue_multiply(a, a);
    }
    return power;
}

/* A point chosen at random. */
static inline Residue residue_random(uint64_t seed, uint64_t index)
{
    Residue bits = random_bits(seed, index) & RESIDUE_P;
    return bits == RESIDUE_P ? 0 : bits;
}

#endif
