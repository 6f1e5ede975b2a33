/*
 * float16 (IEEE 754 binary16) and bfloat16 to and from double.  Narrowing
 * rounds once, to nearest, ties to even; going through float would round
 * twice.  NaN stays NaN (quiet, top payload bits kept), infinities stay.
 */
#ifndef REPFOLD_BASE_HALF_H
#define REPFOLD_BASE_HALF_H

#include <stdint.h>

double half_to_double(uint16_t bits);
uint16_t half_from_double(double value);
double bfloat_to_double(uint16_t bits);
uint16_t bfloat_from_double(double value);

#endif
