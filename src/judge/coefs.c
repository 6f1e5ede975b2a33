/* Numbers over channels, in double and modulo 2^61 - 1. */
#include <math.h>

#include "judge/sum.h"

Coefs coefs_new(Arena *arena, int64_t size)
{
    return (Coefs){size, arena_array(arena, (size_t)size, sizeof(double)),
                   arena_array(arena, (size_t)size, sizeof(Residue))};
}

Coefs coefs_uniform(Arena *arena, double value)
{
    Coefs coefs = coefs_new(arena, 1);
    coefs.real[0] = value;
    coefs.exact[0] = residue_of(value);
    return coefs;
}

Coefs coefs_of_constant(Arena *arena, const Constant *constant)
{
    Coefs coefs = coefs_new(arena, constant->count);
    constant_read(constant, 0, constant->count, coefs.real);
    for (int64_t i = 0; i < coefs.size; i++)
        coefs.exact[i] = residue_of(coefs.real[i]);
    return coefs;
}

double coefs_real(Coefs coefs, int64_t channel, double none)
{
    return coefs.size ? coefs.real[coefs.size == 1 ? 0 : channel] : none;
}

Residue coefs_exact(Coefs coefs, int64_t channel, Residue none)
{
    return coefs.size ? coefs.exact[coefs.size == 1 ? 0 : channel] : none;
}

Coefs coefs_multiply(Arena *arena, Coefs a, Coefs b)
{
    if (!a.size || !b.size)
        return a.size ? a : b;
    Coefs product = coefs_new(arena, a.size > b.size ? a.size : b.size);
    for (int64_t i = 0; i < product.size; i++) {
        product.real[i] = coefs_real(a, i, 1) * coefs_real(b, i, 1);
        product.exact[i] =
            residue_multiply(coefs_exact(a, i, 1), coefs_exact(b, i, 1));
    }
    return product;
}

Coefs coefs_add(Arena *arena, Coefs a, Coefs b)
{
    int64_t size = a.size > b.size ? a.size : b.size;
    Coefs sum = coefs_new(arena, size ? size : 1);
    for (int64_t i = 0; i < sum.size; i++) {
        sum.real[i] = coefs_real(a, i, 1) + coefs_real(b, i, 1);
        sum.exact[i] = residue_add(coefs_exact(a, i, 1), coefs_exact(b, i, 1));
    }
    return sum;
}

Coefs coefs_slice(Coefs coefs, int64_t start, int64_t length)
{
    return coefs.size <= 1
               ? coefs
               : (Coefs){length, coefs.real + start, coefs.exact + start};
}

Coefs coefs_spread(Arena *arena, Coefs coefs, int64_t start, int64_t size)
{
    if (coefs.size <= 1)
        return coefs;
    Coefs out = coefs_new(arena, size);
    for (int64_t i = 0; i < size; i++) {
        bool inside = i >= start && i < start + coefs.size;
        out.real[i] = inside ? coefs.real[i - start] : 1;
        out.exact[i] = inside ? coefs.exact[i - start] : 1;
    }
    return out;
}

bool coefs_are_uniform(Coefs coefs)
{
    for (int64_t i = 0; i < coefs.size; i++)
        if (coefs.real[i] != coefs.real[0] || coefs.real[i] == 0)
            return false;
    return true;
}

bool coefs_are_ones(Coefs coefs)
{
    for (int64_t i = 0; i < coefs.size; i++)
        if (coefs.exact[i] != 1)
            return false;
    return true;
}

bool coefs_are_zero(Coefs coefs)
{
    for (int64_t i = 0; i < coefs.size; i++)
        if (coefs.exact[i])
            return false;
    return true;
}

bool coefs_are_positive(Coefs coefs)
{
    for (int64_t i = 0; i < coefs.size; i++)
        if (!(coefs.real[i] > 0))
            return false;
    return true;
}

double half_ulp(DType type, double value)
{
    /* Digits of the significand, exponent of the least subnormal. */
    int digits = 24, least = -149, exponent;
    if (type == DT_DOUBLE)
        digits = 53, least = -1074;
    else if (type == DT_FLOAT16)
        digits = 11, least = -24;
    else if (type == DT_BFLOAT16)
        digits = 8, least = -133;
    frexp(value, &exponent);
    exponent -= digits;
    return value == 0 || exponent < least ? ldexp(1, least - 1)
                                          : ldexp(1, exponent - 1);
}
