/*
 * The shape function of Einsum-12.  A letter names one size wherever it
 * stands; an ellipsis stands for axes that broadcast.
 */
#include <ctype.h>
#include <string.h>

#include "graph/infer.h"

enum { LETTERS = 128 };

/* Terms are separated by commas; spaces mean nothing. */
typedef struct Einsum {
    InferCall *call;
    const char *next, *end;
    Dim sizes[LETTERS];
    int times[LETTERS]; /* how often the inputs have the letter */
    Fact ellipsis;      /* the shape that it stands for */
} Einsum;

/* One side's term: its letters in order, '.' for the ellipsis. */
typedef struct Term {
    char letters[RANK_MAX + 1];
    int count;
    bool has_ellipsis;
} Term;

static int bad_equation(const Einsum *einsum, Err *err)
{
    return infer_fail(einsum->call, err, ERR_BAD_ATTRIBUTE,
                      "its equation is malformed");
}

static void skip_spaces(Einsum *einsum)
{
    while (einsum->next < einsum->end && *einsum->next == ' ')
        einsum->next++;
}

static bool take(Einsum *einsum, const char *text)
{
    size_t length = strlen(text);
    skip_spaces(einsum);
    if ((size_t)(einsum->end - einsum->next) < length ||
        memcmp(einsum->next, text, length) != 0)
        return false;
    einsum->next += length;
    return true;
}

static int read_term(Einsum *einsum, Term *term, Err *err)
{
    *term = (Term){.count = 0};
    for (;;) {
        char letter = '.';
        skip_spaces(einsum);
        if (take(einsum, "...")) {
            if (term->has_ellipsis)
                return bad_equation(einsum, err);
            term->has_ellipsis = true;
        } else if (einsum->next < einsum->end && isascii(*einsum->next) &&
                   isalpha(*einsum->next)) {
            letter = *einsum->next++;
        } else {
            return 0;
        }
        if (term->count == RANK_MAX + 1)
            return bad_equation(einsum, err);
        term->letters[term->count++] = letter;
    }
}

static int match_letter(Einsum *einsum, char letter, Dim size, Err *err)
{
    Dim *known = &einsum->sizes[(int)letter];
    if (einsum->times[(int)letter]++ == 0 || *known == 1) {
        *known = size;
        return 0;
    }
    if (size == 1)
        return 0;
    return infer_same(einsum->call, *known, size, "sizes of one letter differ",
                      known, err);
}

static int match_ellipsis(Einsum *einsum, const Dim *dims, int rank, Err *err)
{
    Fact part = {.rank = rank, .int_count = -1, .dims = dims};
    Fact before = einsum->ellipsis;
    return infer_broadcast(einsum->call, &before, &part, &einsum->ellipsis,
                           err);
}

/* Reads the sizes of one input off its term. */
static int match_input(Einsum *einsum, const Term *term, const Fact *in,
                       Err *err)
{
    int extra = in->rank - (term->count - term->has_ellipsis);
    if (extra < 0 || (extra > 0 && !term->has_ellipsis))
        return infer_fail(einsum->call, err, ERR_BAD_SHAPE,
                          "its equation does not fit an input of rank %d",
                          in->rank);
    int axis = 0;
    for (int i = 0; i < term->count; i++)
        if (term->letters[i] == '.') {
            TRY(match_ellipsis(einsum, in->dims + axis, extra, err));
            axis += extra;
        } else {
            TRY(match_letter(einsum, term->letters[i], in->dims[axis++], err));
        }
    return 0;
}

/* Without an arrow the result has the ellipsis, then the letters that occur
 * once, sorted. */
static int implicit_result(Einsum *einsum, Term *term, Err *err)
{
    *term = (Term){.has_ellipsis = true, .count = 1, .letters = "."};
    for (int letter = 'A'; letter <= 'z'; letter++) {
        if (einsum->times[letter] != 1)
            continue;
        if (term->count == RANK_MAX + 1)
            return bad_equation(einsum, err);
        term->letters[term->count++] = (char)letter;
    }
    return 0;
}

static int result_dims(Einsum *einsum, const Term *term, Fact *out, Err *err)
{
    const Fact *ellipsis = &einsum->ellipsis;
    Dim dims[2 * RANK_MAX + 1];
    int rank = 0;
    for (int i = 0; i < term->count; i++) {
        char letter = term->letters[i];
        if (letter != '.' && einsum->times[(int)letter] == 0)
            return bad_equation(einsum, err);
        if (letter != '.')
            dims[rank++] = einsum->sizes[(int)letter];
        for (int j = 0; letter == '.' && j < ellipsis->rank; j++)
            dims[rank++] = ellipsis->dims[j];
    }
    infer_set(einsum->call, out, out->type, rank, dims);
    return 0;
}

/* Matches all inputs; 0 when one of them has no known rank. */
static int match_inputs(Einsum *einsum, Err *err)
{
    InferCall *call = einsum->call;
    int known = 1;
    for (int i = 0; i < call->node->input_count; i++) {
        const Fact *in = infer_in(call, i);
        Term term;
        if (i > 0 && !take(einsum, ","))
            return bad_equation(einsum, err);
        TRY(read_term(einsum, &term, err));
        if (in->rank < 0)
            known = 0;
        else
            TRY(match_input(einsum, &term, in, err));
    }
    return known;
}

int infer_einsum(InferCall *call, Err *err)
{
    const Attr *equation = node_attr(call->node, "equation");
    Einsum einsum = {.call = call, .ellipsis = {.int_count = -1}};
    Fact *out = infer_out(call, 0);
    Term term;
    out->type = infer_in(call, 0)->type;
    if (!equation || equation->type != ATTR_STRING)
        return bad_equation(&einsum, err);
    einsum.next = (const char *)equation->s.bytes;
    einsum.end = einsum.next + equation->s.size;
    int known = match_inputs(&einsum, err);
    TRY(known);
    if (!known)
        return 0;
    if (take(&einsum, "->"))
        TRY(read_term(&einsum, &term, err));
    else
        TRY(implicit_result(&einsum, &term, err));
    skip_spaces(&einsum);
    if (einsum.next != einsum.end)
        return bad_equation(&einsum, err);
    return result_dims(&einsum, &term, out, err);
}
