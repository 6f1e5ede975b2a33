#include "base/half.h"

#include <math.h>
#include <string.h>

/* A 16-bit binary format: `fraction` stored bits, exponent bias `bias`, and the
 * smallest positive number, 2^(1 - bias - fraction). */
typedef struct Format {
    int fraction, bias;
    double least;
} Format;

static const Format half_format = {10, 15, 0x1p-24};
static const Format bfloat_format = {7, 127, 0x1p-133};

static double double_of_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Both have fewer bits than a double in every part, so that shifting does it,
 * but for the subnormals. */
static double widen(Format format, uint16_t bits)
{
    enum { DOUBLE_FRACTION = 52, DOUBLE_BIAS = 1023 };
    int exponent_mask = (1 << (15 - format.fraction)) - 1;
    int exponent = bits >> format.fraction & exponent_mask;
    int fraction = bits & ((1 << format.fraction) - 1);
    uint64_t sign = (uint64_t)(bits & 0x8000) << 48;
    uint64_t wide = sign | (uint64_t)fraction
                               << (DOUBLE_FRACTION - format.fraction);
    if (exponent == exponent_mask) /* infinity; a NaN is quiet */
        return double_of_bits(wide | (uint64_t)(fraction ? 0x7ff8 : 0x7ff0)
                                         << 48);
    if (exponent == 0)
        return (sign ? -1.0 : 1.0) * (fraction * format.least);
    return double_of_bits(wide |
                          (uint64_t)(exponent - format.bias + DOUBLE_BIAS)
                              << DOUBLE_FRACTION);
}

static uint16_t narrow(Format format, double value)
{
    uint64_t wide;
    memcpy(&wide, &value, sizeof wide);
    int sign = (int)(wide >> 48) & 0x8000;
    int infinity = ((1 << (15 - format.fraction)) - 1) << format.fraction;
    if (isnan(value)) {
        int payload = (int)(wide >> (52 - format.fraction));
        int quiet = 1 << (format.fraction - 1);
        return (uint16_t)(sign | infinity | quiet |
                          (payload & ((1 << format.fraction) - 1)));
    }
    if (isinf(value))
        return (uint16_t)(sign | infinity);
    int exponent;
    frexp(value, &exponent);
    int least = 2 - format.bias; /* of the smallest normal, as frexp has it */
    if (value == 0 || exponent < least)
        exponent = least;
    /* In units of the last place the result is an integer; nearbyint rounds
     * ties to even.  A carry moves into the exponent by itself. */
    int unit = exponent - 1 - format.fraction;
    double units = nearbyint(ldexp(fabs(value), -unit));
    double scaled = units + ldexp(exponent - least, format.fraction);
    return (uint16_t)(sign | (scaled < infinity ? (int)scaled : infinity));
}

double half_to_double(uint16_t bits)
{
    return widen(half_format, bits);
}

uint16_t half_from_double(double value)
{
    return narrow(half_format, value);
}

double bfloat_to_double(uint16_t bits)
{
    return widen(bfloat_format, bits);
}

uint16_t bfloat_from_double(double value)
{
    return narrow(bfloat_format, value);
}
