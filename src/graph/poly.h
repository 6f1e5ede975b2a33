/*
 * Polynomials with integer coefficients over numbered atoms, in normal form:
 * what symbolic dimensions are made of.  Every function that can meet a limit
 * or an overflow returns false then, and leaves `out` undefined.
 */
#ifndef REPFOLD_GRAPH_POLY_H
#define REPFOLD_GRAPH_POLY_H

#include <stdbool.h>
#include <stdint.h>

/* Shapes of real models stay far below. */
enum { TERMS_MAX = 16, DEGREE_MAX = 16 };

/* coefficient * product of the atoms, which are sorted. */
typedef struct Term {
    int64_t coefficient;
    int degree;
    int atoms[DEGREE_MAX];
} Term;

/* Terms in descending order: by degree, then by atoms. 0 has no terms. */
typedef struct Poly {
    int count;
    Term terms[TERMS_MAX];
} Poly;

Poly poly_constant(int64_t value);
Poly poly_atom(int atom);
bool poly_is_constant(const Poly *poly, int64_t *value);

bool poly_add_term(Poly *poly, const Term *term);
/* out += scale * a */
bool poly_add_scaled(Poly *out, const Term *scale, const Poly *a);
bool poly_multiply(const Poly *a, const Poly *b, Poly *out);
/* a / b, when it leaves nothing over; b is not 0. */
bool poly_divide(const Poly *a, const Poly *b, Poly *out);
/* floor(a/d) = quotient + floor(rest/d) for d > 0, with coefficients of the
 * rest in [0, d). */
bool poly_split(const Poly *a, int64_t d, Poly *quotient, Poly *rest);
/* Makes floor(poly/d) simpler, for coefficients in [0, d); returns the d that
 * is left. */
int64_t poly_reduce(Poly *poly, int64_t d);

#endif
