/* Numbers over channels, in double and modulo 2^61 - 1. */
#include <float.h>
#include <math.h>

#include "judge/grid.h"
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

Coefs coefs_absolute(Arena *arena, Coefs coefs)
{
    Coefs out = coefs_new(arena, coefs.size);
    for (int64_t i = 0; i < out.size; i++) {
        out.real[i] = fabs(coefs.real[i]);
        out.exact[i] = residue_of(out.real[i]);
    }
    return out;
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

/* Equal residues are those of equal numbers, or of such that differ by far more
 * than double rounds: 2^61 is 1. */
static bool are_near(double a, double b, double size)
{
    return size <= DBL_MAX && fabs(a - b) <= 0x1p-40 * size;
}

bool coefs_agree(Coefs a, int64_t i, Coefs b, int64_t k)
{
    double one = coefs_real(a, i, 1), other = coefs_real(b, k, 1);
    return coefs_exact(a, i, 1) == coefs_exact(b, k, 1) &&
           are_near(one, other, fmax(fabs(one), fabs(other)));
}

bool coefs_are_uniform(Coefs coefs)
{
    for (int64_t i = 0; i < coefs.size; i++)
        if (!coefs_agree(coefs, i, coefs, 0) || coefs.real[i] == 0)
            return false;
    return true;
}

bool coefs_are_ones(Coefs coefs)
{
    for (int64_t i = 0; i < coefs.size; i++)
        if (!coefs_agree(coefs, i, (Coefs){0}, 0))
            return false;
    return true;
}

bool coefs_cancel(Coefs coefs, Coefs sizes)
{
    for (int64_t i = 0; i < coefs.size; i++)
        if (coefs.exact[i] || !are_near(coefs.real[i], 0, sizes.real[i]))
            return false;
    return true;
}

static double bias_size(const Sum *sum, int64_t channel)
{
    return sum->bias.size ? sum->bias_size[sum->bias.size == 1 ? 0 : channel]
                          : 0;
}

bool bias_agrees(const Sum *a, int64_t i, const Sum *b, int64_t k)
{
    double size = bias_size(a, i) + bias_size(b, k);
    return coefs_exact(a->bias, i, 0) == coefs_exact(b->bias, k, 0) &&
           are_near(coefs_real(a->bias, i, 0), coefs_real(b->bias, k, 0), size);
}

bool bias_is_zero(const Sum *sum)
{
    static const Sum none;
    for (int64_t i = 0; i < sum->bias.size; i++)
        if (!bias_agrees(sum, i, &none, 0))
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
    return 0.5 * grid_ulp(grid_of(type), value);
}
