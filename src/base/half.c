#include "base/half.h"

#include <math.h>
#include <string.h>

/* A 16-bit binary format: `fraction` stored bits, exponent bias `bias`. */
typedef struct Format {
    int fraction, bias;
} Format;

static const Format half_format = {10, 15};
static const Format bfloat_format = {7, 127};

static double widen(Format format, uint16_t bits)
{
    int exponent_mask = (1 << (15 - format.fraction)) - 1;
    int exponent = bits >> format.fraction & exponent_mask;
    int fraction = bits & ((1 << format.fraction) - 1);
    double sign = bits & 0x8000 ? -1.0 : 1.0;
    if (exponent == exponent_mask && fraction == 0)
        return sign * (double)INFINITY;
    if (exponent == exponent_mask) {
        uint64_t wide = (uint64_t)(bits & 0x8000) << 48 |
                        (uint64_t)0x7ff8 << 48 |
                        (uint64_t)fraction << (52 - format.fraction);
        double nan;
        memcpy(&nan, &wide, sizeof nan);
        return nan;
    }
    if (exponent == 0)
        return sign * ldexp(fraction, 1 - format.bias - format.fraction);
    return sign * ldexp(fraction + (1 << format.fraction),
                        exponent - format.bias - format.fraction);
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
