#include "graph/poly.h"

#include <string.h>

/* A graded lexicographic order: products keep it, so division ends. */
static int term_order(const Term *a, const Term *b)
{
    if (a->degree != b->degree)
        return a->degree - b->degree;
    for (int i = 0; i < a->degree; i++)
        if (a->atoms[i] != b->atoms[i])
            return b->atoms[i] - a->atoms[i];
    return 0;
}

bool poly_add_term(Poly *poly, const Term *term)
{
    int at = 0;
    while (at < poly->count && term_order(&poly->terms[at], term) > 0)
        at++;
    Term *place = &poly->terms[at];
    bool merges = at < poly->count && term_order(place, term) == 0;
    if (!merges) {
        if (term->coefficient == 0)
            return true;
        if (poly->count == TERMS_MAX)
            return false;
        memmove(place + 1, place, (size_t)(poly->count - at) * sizeof *place);
        *place = *term;
        poly->count++;
        return true;
    }
    if (__builtin_add_overflow(place->coefficient, term->coefficient,
                               &place->coefficient))
        return false;
    if (place->coefficient == 0) {
        poly->count--;
        memmove(place, place + 1, (size_t)(poly->count - at) * sizeof *place);
    }
    return true;
}

static bool term_multiply(const Term *a, const Term *b, Term *out)
{
    if (a->degree + b->degree > DEGREE_MAX ||
        __builtin_mul_overflow(a->coefficient, b->coefficient,
                               &out->coefficient))
        return false;
    out->degree = a->degree + b->degree;
    for (int i = 0, j = 0; i + j < out->degree;)
        if (j == b->degree || (i < a->degree && a->atoms[i] <= b->atoms[j])) {
            out->atoms[i + j] = a->atoms[i];
            i++;
        } else {
            out->atoms[i + j] = b->atoms[j];
            j++;
        }
    return true;
}

/* a / b where b divides a. */
static bool term_divide(const Term *a, const Term *b, Term *out)
{
    if (b->coefficient == -1 && a->coefficient == INT64_MIN)
        return false;
    if (a->coefficient % b->coefficient != 0)
        return false;
    out->coefficient = a->coefficient / b->coefficient;
    out->degree = 0;
    int j = 0;
    for (int i = 0; i < a->degree; i++)
        if (j < b->degree && a->atoms[i] == b->atoms[j])
            j++;
        else
            out->atoms[out->degree++] = a->atoms[i];
    return j == b->degree;
}

bool poly_add_scaled(Poly *out, const Term *scale, const Poly *a)
{
    for (int i = 0; i < a->count; i++) {
        Term term;
        if (!term_multiply(scale, &a->terms[i], &term) ||
            !poly_add_term(out, &term))
            return false;
    }
    return true;
}

bool poly_multiply(const Poly *a, const Poly *b, Poly *out)
{
    out->count = 0;
    for (int i = 0; i < a->count; i++)
        if (!poly_add_scaled(out, &a->terms[i], b))
            return false;
    return true;
}

/* Long division. */
bool poly_divide(const Poly *a, const Poly *b, Poly *out)
{
    Poly rest = *a;
    out->count = 0;
    while (rest.count > 0) {
        Term quotient, negated;
        if (!term_divide(&rest.terms[0], &b->terms[0], &quotient) ||
            quotient.coefficient == INT64_MIN || !poly_add_term(out, &quotient))
            return false;
        negated = quotient;
        negated.coefficient = -quotient.coefficient;
        if (!poly_add_scaled(&rest, &negated, b))
            return false;
    }
    return true;
}

Poly poly_constant(int64_t value)
{
    Poly poly = {.count = value != 0};
    poly.terms[0] = (Term){.coefficient = value};
    return poly;
}

Poly poly_atom(int atom)
{
    return (Poly){1, {{1, 1, {atom}}}};
}

bool poly_is_constant(const Poly *poly, int64_t *value)
{
    *value = poly->count ? poly->terms[0].coefficient : 0;
    return poly->count == 0 || (poly->count == 1 && poly->terms[0].degree == 0);
}

static int64_t gcd(int64_t a, int64_t b)
{
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

bool poly_split(const Poly *a, int64_t d, Poly *quotient, Poly *rest)
{
    quotient->count = rest->count = 0;
    for (int i = 0; i < a->count; i++) {
        Term whole = a->terms[i], part = a->terms[i];
        bool borrows = part.coefficient % d < 0;
        part.coefficient = part.coefficient % d + (borrows ? d : 0);
        whole.coefficient = whole.coefficient / d - borrows;
        if (!poly_add_term(quotient, &whole) || !poly_add_term(rest, &part))
            return false;
    }
    return true;
}

/* floor((g*p + c) / (g*e)) = floor((p + floor(c/g)) / e): divides numerator
 * and denominator by what all but the constant term share. */
int64_t poly_reduce(Poly *poly, int64_t d)
{
    int64_t common = d;
    for (int i = 0; i < poly->count; i++)
        if (poly->terms[i].degree > 0)
            common = gcd(common, poly->terms[i].coefficient);
    Poly reduced = {0};
    for (int i = 0; i < poly->count; i++) {
        Term term = poly->terms[i];
        term.coefficient /= common; /* both are positive */
        poly_add_term(&reduced, &term);
    }
    *poly = reduced;
    return d / common;
}
