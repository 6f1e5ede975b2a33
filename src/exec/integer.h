/* What cutting work into pieces needs. */
#ifndef REPFOLD_EXEC_INTEGER_H
#define REPFOLD_EXEC_INTEGER_H

#include <stdint.h>

static inline int64_t at_most(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t at_least(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static inline int64_t clamp(int64_t x, int64_t low, int64_t high)
{
    return at_least(at_most(x, high), low);
}

static inline int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static inline int64_t round_up(int64_t a, int64_t b)
{
    return divide_up(a, b) * b;
}

#endif
