/* The functions of elementary.h for one real type. */

/* 2^n for a normal result; n is biased by BIAS. */
INLINE REAL F(power_of_two)(R(Bits) n)
{
    REAL power;
    n <<= R(FRACTION);
    memcpy(&power, &n, sizeof power);
    return power;
}

/* x = n log 2 + r: returns e^r - 1, and n biased twice over. */
INLINE REAL F(exp_parts)(REAL x, R(Bits) * n)
{
    const REAL rounder = R(ROUNDER);
    REAL rounded = MULTIPLY_ADD(x, R(LOG2_E), rounder);
    REAL whole = rounded - rounder;
    REAL r = MULTIPLY_ADD(whole, -R(LN2_HIGH), x);
    r = MULTIPLY_ADD(whole, -R(LN2_LOW), r);
    R(Bits) bits, origin;
    memcpy(&bits, &rounded, sizeof bits);
    memcpy(&origin, &rounder, sizeof origin);
    *n = bits - origin + 2 * R(BIAS);
    return MULTIPLY_ADD(r * r, R(EXP_TAIL)(r), r);
}

/* e^x. The power of two comes in halves, since alone it may be out of range
 * where the result is not. */
INLINE REAL F(fast_exp)(REAL x)
{
    R(Bits) n;
    x = x < R(EXP_LOW) ? R(EXP_LOW) : x;
    x = x > R(EXP_HIGH) ? R(EXP_HIGH) : x;
    REAL part = F(exp_parts)(x, &n);
    R(Bits) half = n >> 1;
    return (1 + part) * F(power_of_two)(half) * F(power_of_two)(n - half);
}

/* e^x - 1 for x not above EXP_HIGH / 2. */
INLINE REAL F(fast_expm1)(REAL x)
{
    R(Bits) n;
    x = x < -R(FADED) ? -R(FADED) : x;
    REAL part = F(exp_parts)(x, &n);
    REAL power = F(power_of_two)(n - R(BIAS));
    return power * part + (power - 1);
}

/* x = m 2^k with m from sqrt(1/2) on: returns m - 1 and k, which comes as the
 * last bits of a number without a fraction. */
INLINE REAL F(log_parts)(REAL x, REAL *k)
{
    const REAL rounder = R(ROUNDER), root = R(ROOT_HALF), one = 1;
    R(Bits) bits, lowest, unit, number, fraction = 1;
    REAL m;
    memcpy(&bits, &x, sizeof bits);
    memcpy(&lowest, &root, sizeof lowest);
    memcpy(&unit, &one, sizeof unit);
    memcpy(&number, &rounder, sizeof number);
    fraction = (fraction << R(FRACTION)) - 1;
    bits += unit - lowest;
    number += (bits >> R(FRACTION)) - R(BIAS);
    bits = (bits & fraction) + lowest;
    memcpy(&m, &bits, sizeof m);
    memcpy(k, &number, sizeof *k);
    *k -= rounder;
    return m - 1;
}

/* log(x) = k log 2 + log(1 + f), the latter by s = f / (2 + f), as fdlibm's. */
INLINE REAL F(fast_log)(REAL x)
{
    bool tiny = x < R(LEAST);
    REAL k, f = F(log_parts)(tiny ? x * R(RAISED) : x, &k);
    k -= tiny ? R(RAISE) : 0;
    REAL s = f / (2 + f), z = s * s, half = (REAL)0.5 * f * f;
    REAL rest = s * (half + z * R(LOG_TAIL)(z)) + k * R(LN2_LOW);
    REAL result = k * R(LN2_HIGH) + (f - (half - rest));
    result = x > R(MOST) ? x : result;
    result = x == 0 ? -(REAL)INFINITY : result;
    return x >= 0 ? result : (REAL)NAN;
}

/* log(1 + x) for x of 0 or more, with what the sum lost. */
INLINE REAL F(fast_log1p)(REAL x)
{
    REAL sum = 1 + x, lost = x - (sum - 1);
    return F(fast_log)(sum) + lost / sum;
}

/* 1 / (1 + e^-x) */
INLINE REAL F(fast_logistic)(REAL x)
{
    return 1 / (1 + F(fast_exp)(-x));
}

/* m / (m + 2) with m = e^2x - 1 */
INLINE REAL F(fast_tanh)(REAL x)
{
    REAL size = x < 0 ? -x : x;
    size = size > R(FADED) / 2 ? R(FADED) / 2 : size;
    REAL m = F(fast_expm1)(2 * size);
    return M(__builtin_copysign)(m / (m + 2), x);
}

/* x times a polynomial near 0, else 1 - erfc. */
INLINE REAL F(fast_erf)(REAL x)
{
    REAL size = x < 0 ? -x : x, square = x * x;
    REAL near = x * R(ERF_NEAR)(square);
    REAL end = size > R(ERF_END) ? R(ERF_END) : size;
    REAL t = (end - R(ERF_CENTER)) / (end + R(ERF_CENTER));
    R(Bits) n;
    REAL power = 1 + F(exp_parts)(-end * end, &n);
    power *= F(power_of_two)(n - R(BIAS));
    REAL far = MULTIPLY_ADD(power, -R(ERF_FAR)(t), 1);
    far = x < 0 ? -far : far;
    return size < (REAL)0.75 ? near : far;
}
