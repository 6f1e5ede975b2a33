/*
 * Numbers at random that depend on nothing but a seed and an index, so that
 * threads may draw them in any order: the finalizer of SplitMix64 (Steele,
 * Lea, Flood 2014) over a counter.
 */
#ifndef REPFOLD_BASE_RANDOM_H
#define REPFOLD_BASE_RANDOM_H

#include <math.h>
#include <stdint.h>

static inline uint64_t random_bits(uint64_t seed, uint64_t index)
{
    uint64_t z = seed + (index + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* A seed for one of several independent streams. */
static inline uint64_t random_stream(uint64_t seed, uint64_t stream)
{
    return random_bits(random_bits(seed, stream), seed);
}

/* Uniform in [0, 1). */
static inline double random_unit(uint64_t seed, uint64_t index)
{
    return (double)(random_bits(seed, index) >> 11) * 0x1p-53;
}

/* Standard normal, by Box and Muller. */
static inline double random_normal(uint64_t seed, uint64_t index)
{
    double radius = sqrt(-2 * log(1 - random_unit(seed, 2 * index)));
    return radius * cos(6.283185307179586 * random_unit(seed, 2 * index + 1));
}

#endif
