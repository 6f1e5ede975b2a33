/*
 * A Dim is a polynomial with integer coefficients over atoms: names, unknowns,
 * and the quotients, minima and maxima that did not simplify.  Polynomials are
 * kept in normal form and interned, which makes + - * and exact division
 * canonical.  A remainder is a - b*floor(a/b), so needs no atom of its own.
 */
#include "graph/shape.h"

#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "graph/poly.h"

/* Bounds every recursion here; beyond it an expression is unknown. */
enum { NESTING_MAX = 32 };

typedef enum SymbolKind {
    SYMBOL_NAME,
    SYMBOL_UNKNOWN,
    SYMBOL_DIV,
    SYMBOL_MIN,
    SYMBOL_MAX,
    SYMBOL_POLY /* the only kind that is not an atom; negative numbers too */
} SymbolKind;

typedef struct Symbol {
    SymbolKind kind;
    bool nonnegative;
    int nesting;
    const char *name;  /* of SYMBOL_NAME */
    Dim left, right;   /* of SYMBOL_DIV, MIN, MAX */
    const Term *terms; /* of SYMBOL_POLY */
    int term_count;
} Symbol;

struct Symbols {
    Arena *arena;
    Symbol *table;
    size_t count, capacity;
    Map *names; /* of SYMBOL_NAME, to their places */
    Map *index; /* from a key that spells the symbol out to its place */
};

Symbols *symbols_new(Arena *arena)
{
    Symbols *symbols = arena_alloc(arena, sizeof *symbols);
    symbols->arena = arena;
    symbols->names = map_new(arena);
    symbols->index = map_new(arena);
    return symbols;
}

static const Symbol *symbol_of(const Symbols *symbols, Dim dim)
{
    return &symbols->table[-(dim + 1)];
}

static Dim symbol_add(Symbols *symbols, Symbol symbol)
{
    symbols->table =
        arena_grow(symbols->arena, symbols->table, &symbols->capacity,
                   symbols->count + 1, sizeof *symbols->table);
    symbols->table[symbols->count++] = symbol;
    return -(Dim)symbols->count;
}

/* The symbol with that key, added when it is new. */
static Dim symbol_intern(Symbols *symbols, const char *key, Symbol symbol)
{
    Dim *known = map_get(symbols->index, key);
    if (known)
        return *known;
    known = arena_alloc(symbols->arena, sizeof *known);
    *known = symbol_add(symbols, symbol);
    map_put(symbols->index, arena_strdup(symbols->arena, key), known);
    return *known;
}

Dim dim_named(Symbols *symbols, const char *name)
{
    Dim *known = map_get(symbols->names, name);
    if (known)
        return *known;
    const char *copy = arena_strdup(symbols->arena, name);
    known = arena_alloc(symbols->arena, sizeof *known);
    *known = symbol_add(
        symbols,
        (Symbol){.kind = SYMBOL_NAME, .nonnegative = true, .name = copy});
    map_put(symbols->names, copy, known);
    return *known;
}

Dim dim_unknown(Symbols *symbols)
{
    return symbol_add(symbols, (Symbol){.kind = SYMBOL_UNKNOWN});
}

Dim dim_size_unknown(Symbols *symbols)
{
    return symbol_add(symbols,
                      (Symbol){.kind = SYMBOL_UNKNOWN, .nonnegative = true});
}

bool dim_is_unknown(const Symbols *symbols, Dim dim)
{
    return dim < 0 && symbol_of(symbols, dim)->kind == SYMBOL_UNKNOWN;
}

size_t symbols_count(const Symbols *symbols)
{
    return symbols->count;
}

bool dim_is_later(Dim dim, size_t count)
{
    return dim < -(Dim)count;
}

bool dim_is_nonnegative(const Symbols *symbols, Dim dim)
{
    return dim >= 0 || symbol_of(symbols, dim)->nonnegative;
}

static int dim_nesting(const Symbols *symbols, Dim dim)
{
    return dim >= 0 ? 0 : symbol_of(symbols, dim)->nesting;
}

bool dim_is_known(const Symbols *symbols, Dim dim, int64_t *value)
{
    *value = dim;
    if (dim >= 0)
        return true;
    const Symbol *symbol = symbol_of(symbols, dim);
    if (symbol->kind != SYMBOL_POLY || symbol->terms[0].degree > 0)
        return false;
    *value = symbol->terms[0].coefficient;
    return true;
}

/* ---- Between Dims and polynomials ---- */

static Poly poly_of(const Symbols *symbols, Dim dim)
{
    if (dim >= 0)
        return poly_constant(dim);
    const Symbol *symbol = symbol_of(symbols, dim);
    if (symbol->kind != SYMBOL_POLY)
        return poly_atom((int)-(dim + 1));
    Poly poly = {.count = symbol->term_count};
    memcpy(poly.terms, symbol->terms, (size_t)poly.count * sizeof(Term));
    return poly;
}

/* What the symbol of a polynomial knows about its atoms. */
static Symbol poly_symbol(const Symbols *symbols, const Poly *poly)
{
    Symbol symbol = {.kind = SYMBOL_POLY, .nonnegative = true};
    for (int i = 0; i < poly->count; i++) {
        const Term *term = &poly->terms[i];
        symbol.nonnegative &= term->coefficient > 0;
        for (int j = 0; j < term->degree; j++) {
            const Symbol *atom = &symbols->table[term->atoms[j]];
            symbol.nonnegative &= atom->nonnegative;
            if (atom->nesting > symbol.nesting)
                symbol.nesting = atom->nesting;
        }
    }
    return symbol;
}

enum { KEY_MAX = TERMS_MAX * (24 + DEGREE_MAX * 12) };

static void poly_key(const Poly *poly, char key[KEY_MAX])
{
    size_t length = 0;
    for (int i = 0; i < poly->count; i++) {
        const Term *term = &poly->terms[i];
        length += (size_t)snprintf(key + length, KEY_MAX - length, "%+lld",
                                   (long long)term->coefficient);
        for (int j = 0; j < term->degree; j++)
            length += (size_t)snprintf(key + length, KEY_MAX - length, "*%d",
                                       term->atoms[j]);
    }
}

static Dim dim_of(Symbols *symbols, const Poly *poly)
{
    int64_t value;
    if (poly_is_constant(poly, &value) && value >= 0)
        return value;
    const Term *first = &poly->terms[0];
    if (poly->count == 1 && first->degree == 1 && first->coefficient == 1)
        return -(Dim)first->atoms[0] - 1;
    char key[KEY_MAX];
    poly_key(poly, key);
    Dim *known = map_get(symbols->index, key);
    if (known)
        return *known;
    size_t size = (size_t)poly->count * sizeof(Term);
    Term *terms = arena_alloc(symbols->arena, size);
    memcpy(terms, poly->terms, size);
    Symbol symbol = poly_symbol(symbols, poly);
    symbol.terms = terms;
    symbol.term_count = poly->count;
    return symbol_intern(symbols, key, symbol);
}

Dim dim_number(Symbols *symbols, int64_t value)
{
    Poly poly = poly_constant(value);
    return dim_of(symbols, &poly);
}

/* An operation that did not simplify. */
static Dim dim_atom(Symbols *symbols, SymbolKind kind, Dim left, Dim right)
{
    int nesting = dim_nesting(symbols, left);
    if (dim_nesting(symbols, right) > nesting)
        nesting = dim_nesting(symbols, right);
    bool left_is = dim_is_nonnegative(symbols, left);
    bool right_is = dim_is_nonnegative(symbols, right);
    bool nonnegative =
        kind == SYMBOL_MAX ? left_is || right_is : left_is && right_is;
    if (nesting == NESTING_MAX)
        return nonnegative ? dim_size_unknown(symbols) : dim_unknown(symbols);
    char key[80];
    snprintf(key, sizeof key, "%d %lld %lld", (int)kind, (long long)left,
             (long long)right);
    return symbol_intern(symbols, key,
                         (Symbol){.kind = kind,
                                  .nonnegative = nonnegative,
                                  .nesting = nesting + 1,
                                  .left = left,
                                  .right = right});
}

/* ---- Division by a positive number ---- */

/* The only term that is a quotient by a number, NULL for none or several. */
static const Symbol *lone_quotient(const Symbols *symbols, const Poly *poly,
                                   int *place)
{
    const Symbol *found = NULL;
    for (int i = 0; i < poly->count; i++) {
        const Term *term = &poly->terms[i];
        if (term->degree != 1 || term->coefficient != 1)
            continue;
        const Symbol *atom = &symbols->table[term->atoms[0]];
        if (atom->kind != SYMBOL_DIV || atom->right <= 0)
            continue;
        if (found)
            return NULL;
        found = atom;
        *place = i;
    }
    return found;
}

/* floor((y + floor(x/e)) / d) = floor((e*y + x) / (e*d)): two strides in a
 * row are one. False where there is nothing to join. */
static bool join_quotients(const Symbols *symbols, Poly *poly, int64_t *d)
{
    int place;
    const Symbol *inner = lone_quotient(symbols, poly, &place);
    int64_t product;
    if (!inner || __builtin_mul_overflow(inner->right, *d, &product))
        return false;
    Term gone = poly->terms[place];
    gone.coefficient = -1;
    Poly others = *poly, joined = poly_of(symbols, inner->left);
    if (!poly_add_term(&others, &gone) ||
        !poly_add_scaled(&joined, &(Term){.coefficient = inner->right},
                         &others))
        return false;
    *poly = joined;
    *d = product;
    return true;
}

/* Joining shrinks nothing but the nesting, so the loop is short. */
static bool divide_by_number(Symbols *symbols, const Poly *a, int64_t d,
                             Poly *out)
{
    const Term one = {.coefficient = 1};
    Poly part = *a, quotient, rest;
    out->count = 0;
    do {
        if (!poly_split(&part, d, &quotient, &rest) ||
            !poly_add_scaled(out, &one, &quotient))
            return false;
        d = poly_reduce(&rest, d);
        part = rest;
    } while (join_quotients(symbols, &part, &d));
    int64_t value;
    if (poly_is_constant(&rest, &value)) /* in [0, d): its floor is 0 */
        return true;
    Dim atom = dim_atom(symbols, SYMBOL_DIV, dim_of(symbols, &rest), d);
    Poly last = poly_of(symbols, atom);
    return poly_add_scaled(out, &one, &last);
}

/* ---- dim_combine ---- */

static bool combine_div(Symbols *symbols, const Poly *a, const Poly *b,
                        Poly *out)
{
    int64_t d;
    if (b->count == 0)
        return false;
    if (poly_divide(a, b, out))
        return true;
    if (poly_is_constant(b, &d)) {
        if (d > 0)
            return divide_by_number(symbols, a, d, out);
        Poly negated = {0};
        if (d == INT64_MIN ||
            !poly_add_scaled(&negated, &(Term){.coefficient = -1}, a))
            return false;
        return divide_by_number(symbols, &negated, -d, out);
    }
    Dim left = dim_of(symbols, a), right = dim_of(symbols, b);
    *out = poly_of(symbols, dim_atom(symbols, SYMBOL_DIV, left, right));
    return true;
}

/* ceil(a/b) is floor((a + b-1)/b) for a number, else -floor(-a/b). */
static bool combine_ceil(Symbols *symbols, const Poly *a, const Poly *b,
                         Poly *out)
{
    const Term minus = {.coefficient = -1};
    Poly numerator = *a, quotient;
    int64_t d;
    if (poly_is_constant(b, &d) && d > 0)
        return poly_add_term(&numerator, &(Term){.coefficient = d - 1}) &&
               combine_div(symbols, &numerator, b, out);
    numerator.count = out->count = 0;
    return poly_add_scaled(&numerator, &minus, a) &&
           combine_div(symbols, &numerator, b, &quotient) &&
           poly_add_scaled(out, &minus, &quotient);
}

static bool combine_mod(Symbols *symbols, const Poly *a, const Poly *b,
                        Poly *out)
{
    Poly quotient, multiple;
    *out = *a;
    return combine_div(symbols, a, b, &quotient) &&
           poly_multiply(&quotient, b, &multiple) &&
           poly_add_scaled(out, &(Term){.coefficient = -1}, &multiple);
}

/* Decided when the difference is a number or has a sign; else an atom. */
static bool combine_extremum(Symbols *symbols, DimOp op, Dim a, Dim b,
                             Poly *out)
{
    Dim less = a, more = b;
    if (a == INT64_MAX ||
        dim_is_nonnegative(symbols, dim_combine(symbols, DIM_SUB, a, b))) {
        less = b;
        more = a;
    } else if (b != INT64_MAX &&
               !dim_is_nonnegative(symbols,
                                   dim_combine(symbols, DIM_SUB, b, a))) {
        SymbolKind kind = op == DIM_MIN ? SYMBOL_MIN : SYMBOL_MAX;
        *out = poly_of(symbols,
                       dim_atom(symbols, kind, a < b ? a : b, a < b ? b : a));
        return true;
    }
    *out = poly_of(symbols, op == DIM_MIN ? less : more);
    return true;
}

static bool combine(Symbols *symbols, DimOp op, Dim left, Dim right, Poly *out)
{
    Poly a = poly_of(symbols, left), b = poly_of(symbols, right);
    switch (op) {
    case DIM_ADD:
        *out = a;
        return poly_add_scaled(out, &(Term){.coefficient = 1}, &b);
    case DIM_SUB:
        *out = a;
        return poly_add_scaled(out, &(Term){.coefficient = -1}, &b);
    case DIM_MUL:
        return poly_multiply(&a, &b, out);
    case DIM_DIV:
        return combine_div(symbols, &a, &b, out);
    case DIM_CEIL:
        return combine_ceil(symbols, &a, &b, out);
    case DIM_MOD:
        return combine_mod(symbols, &a, &b, out);
    default:
        return combine_extremum(symbols, op, left, right, out);
    }
}

Dim dim_combine(Symbols *symbols, DimOp op, Dim a, Dim b)
{
    Poly result;
    if (combine(symbols, op, a, b, &result))
        return dim_of(symbols, &result);
    return dim_unknown(symbols);
}

/* ---- Text ---- */

enum { TEXT_MAX = 240 };

typedef struct DimText {
    const Symbols *symbols;
    char bytes[TEXT_MAX + 4];
    size_t length;
} DimText;

static void put(DimText *text, const char *piece)
{
    size_t room = TEXT_MAX - text->length, length = strlen(piece);
    if (text->length >= TEXT_MAX)
        return;
    if (length > room) {
        memcpy(text->bytes + text->length, piece, room);
        strcpy(text->bytes + TEXT_MAX - 3, "...");
        text->length = TEXT_MAX;
        return;
    }
    memcpy(text->bytes + text->length, piece, length + 1);
    text->length += length;
}

static void put_number(DimText *text, int64_t value)
{
    char number[24];
    snprintf(number, sizeof number, "%lld", (long long)value);
    put(text, number);
}

static void put_dim(DimText *text, Dim dim);

/* An operand of a product or quotient. */
static void put_operand(DimText *text, Dim dim)
{
    bool sum = dim < 0 && symbol_of(text->symbols, dim)->kind == SYMBOL_POLY;
    put(text, sum ? "(" : "");
    put_dim(text, dim);
    put(text, sum ? ")" : "");
}

static void put_atom(DimText *text, const Symbol *atom, int place)
{
    switch (atom->kind) {
    case SYMBOL_NAME:
        put(text, atom->name);
        break;
    case SYMBOL_DIV:
        put_operand(text, atom->left);
        put(text, "/");
        put_operand(text, atom->right);
        break;
    case SYMBOL_MIN:
    case SYMBOL_MAX:
        put(text, atom->kind == SYMBOL_MIN ? "min(" : "max(");
        put_dim(text, atom->left);
        put(text, ",");
        put_dim(text, atom->right);
        put(text, ")");
        break;
    default:
        put(text, "?");
        put_number(text, place);
    }
}

static void put_term(DimText *text, const Term *term, bool first)
{
    int64_t coefficient = term->coefficient;
    if (!first && coefficient > 0)
        put(text, "+");
    bool unit = term->degree > 0 && (coefficient == 1 || coefficient == -1);
    if (unit)
        put(text, coefficient < 0 ? "-" : "");
    else
        put_number(text, coefficient);
    for (int i = 0; i < term->degree; i++) {
        const Symbol *atom = &text->symbols->table[term->atoms[i]];
        bool quotient = atom->kind == SYMBOL_DIV && (term->degree > 1 || !unit);
        put(text, i > 0 || !unit ? "*" : "");
        put(text, quotient ? "(" : "");
        put_atom(text, atom, term->atoms[i]);
        put(text, quotient ? ")" : "");
    }
}

/* Recursion ends at NESTING_MAX, and early once the text is full. */
static void put_dim(DimText *text, Dim dim)
{
    if (text->length >= TEXT_MAX)
        return;
    if (dim >= 0) {
        put_number(text, dim);
        return;
    }
    const Symbol *symbol = symbol_of(text->symbols, dim);
    if (symbol->kind != SYMBOL_POLY)
        put_atom(text, symbol, (int)-(dim + 1));
    for (int i = 0; i < symbol->term_count; i++)
        put_term(text, &symbol->terms[i], i == 0);
}

const char *dim_text(Arena *arena, const Symbols *symbols, Dim dim)
{
    DimText text = {.symbols = symbols};
    put_dim(&text, dim);
    return arena_strndup(arena, text.bytes, text.length);
}

Fact fact_of(DType type, int rank, const Dim *dims)
{
    return (Fact){.type = type, .rank = rank, .dims = dims, .int_count = -1};
}

Dim *fact_set(Arena *arena, Fact *fact, DType type, int rank, const Dim *dims)
{
    Dim *own = rank < 0 ? NULL : arena_array(arena, (size_t)rank, sizeof *own);
    if (own && dims)
        memcpy(own, dims, (size_t)rank * sizeof *own);
    fact->type = type;
    fact->rank = rank;
    fact->dims = own;
    return own;
}

bool fact_is_static(const Symbols *symbols, const Fact *fact, int64_t *count)
{
    (void)symbols;
    *count = 1;
    if (fact->rank < 0)
        return false;
    bool empty = false, fits = true;
    for (int i = 0; i < fact->rank; i++) {
        if (fact->dims[i] < 0)
            return false;
        empty |= fact->dims[i] == 0;
        fits &= !__builtin_mul_overflow(*count, fact->dims[i], count);
    }
    if (empty)
        *count = 0;
    return fits || empty;
}
