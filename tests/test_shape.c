/* Symbolic dimensions: equal expressions are the same Dim. */
#include <string.h>

#include "graph/shape.h"
#include "suites.h"

static Arena *arena;
static Symbols *symbols;
static Dim n, h, w;

static void setup(void)
{
    arena = arena_new(0);
    symbols = symbols_new(arena);
    n = dim_named(symbols, "n");
    h = dim_named(symbols, "h");
    w = dim_named(symbols, "w");
}

static void teardown(void)
{
    arena_free(arena);
}

static Dim number(int64_t value)
{
    return dim_number(symbols, value);
}

static Dim add(Dim a, Dim b)
{
    return dim_combine(symbols, DIM_ADD, a, b);
}

static Dim sub(Dim a, Dim b)
{
    return dim_combine(symbols, DIM_SUB, a, b);
}

static Dim mul(Dim a, Dim b)
{
    return dim_combine(symbols, DIM_MUL, a, b);
}

static Dim quo(Dim a, Dim b)
{
    return dim_combine(symbols, DIM_DIV, a, b);
}

static Dim ceil_quo(Dim a, Dim b)
{
    return dim_combine(symbols, DIM_CEIL, a, b);
}

static Dim mod(Dim a, Dim b)
{
    return dim_combine(symbols, DIM_MOD, a, b);
}

static Dim least(Dim a, Dim b)
{
    return dim_combine(symbols, DIM_MIN, a, b);
}

static Dim most(Dim a, Dim b)
{
    return dim_combine(symbols, DIM_MAX, a, b);
}

static void check_text(Dim dim, const char *text)
{
    ck_assert_str_eq(dim_text(arena, symbols, dim), text);
}

START_TEST(names_are_interned)
{
    ck_assert_int_eq(dim_named(symbols, "h"), h);
    ck_assert_int_ne(h, w);
    ck_assert_int_lt(h, 0);
    check_text(h, "h");
}
END_TEST

START_TEST(numbers_are_exact_and_may_be_negative)
{
    static const int64_t values[] = {0, 1, -1, 42, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        int64_t value;
        ck_assert(dim_is_known(symbols, number(values[i]), &value));
        ck_assert_int_eq(value, values[i]);
        ck_assert_int_eq(dim_is_nonnegative(symbols, number(values[i])),
                         values[i] >= 0);
    }
    int64_t unused;
    ck_assert(!dim_is_known(symbols, h, &unused));
    ck_assert_int_eq(number(-7), number(-7));
    check_text(number(-7), "-7");
}
END_TEST

/* Every operation on small numbers, against the definition. */
START_TEST(numbers_combine_by_the_rules_of_arithmetic)
{
    for (int64_t a = -9; a <= 9; a++)
        for (int64_t b = -9; b <= 9; b++) {
            Dim x = number(a), y = number(b);
            ck_assert_int_eq(add(x, y), number(a + b));
            ck_assert_int_eq(sub(x, y), number(a - b));
            ck_assert_int_eq(mul(x, y), number(a * b));
            ck_assert_int_eq(least(x, y), number(a < b ? a : b));
            ck_assert_int_eq(most(x, y), number(a > b ? a : b));
            if (b == 0)
                continue;
            int64_t down = a / b - (a % b != 0 && (a < 0) != (b < 0));
            int64_t up = a / b + (a % b != 0 && (a < 0) == (b < 0));
            ck_assert_int_eq(quo(x, y), number(down));
            ck_assert_int_eq(ceil_quo(x, y), number(up));
            ck_assert_int_eq(mod(x, y), number(a - b * down));
        }
}
END_TEST

START_TEST(sums_and_products_have_one_form)
{
    ck_assert_int_eq(add(h, w), add(w, h));
    ck_assert_int_eq(mul(mul(n, h), w), mul(w, mul(h, n)));
    ck_assert_int_eq(sub(add(h, w), w), h);
    ck_assert_int_eq(mul(add(h, 1), w), add(mul(w, h), w));
    ck_assert_int_eq(mul(h, 0), 0);
    ck_assert_int_eq(mul(h, 1), h);
    ck_assert_int_eq(sub(h, h), 0);
    check_text(mul(add(h, 1), add(w, 2)), "h*w+2*h+w+2");
    check_text(sub(3, h), "-h+3");
}
END_TEST

START_TEST(division_cancels)
{
    ck_assert_int_eq(quo(mul(mul(n, h), w), mul(n, w)), h);
    ck_assert_int_eq(quo(mul(n, 48), 6), mul(8, n));
    ck_assert_int_eq(quo(mul(add(h, 1), sub(w, 2)), sub(w, 2)), add(h, 1));
    ck_assert_int_eq(mod(mul(h, 6), 3), 0);
    check_text(quo(h, w), "h/w");
}
END_TEST

START_TEST(quotients_by_numbers_have_one_form)
{
    ck_assert_int_eq(add(quo(sub(h, 1), 2), 1), quo(add(h, 1), 2));
    ck_assert_int_eq(ceil_quo(h, 2), quo(add(h, 1), 2));
    ck_assert_int_eq(quo(add(mul(h, 2), 3), 2), add(h, 1));
    ck_assert_int_eq(quo(add(mul(h, 2), 1), 4), quo(h, 2));
    ck_assert_int_eq(quo(h, number(-2)), quo(sub(0, h), 2));
    check_text(quo(add(h, 1), 2), "(h+1)/2");
    check_text(mul(quo(h, 2), quo(w, 2)), "(h/2)*(w/2)");
    check_text(mod(h, 2), "h-2*(h/2)");
}
END_TEST

START_TEST(strides_in_a_row_are_one_stride)
{
    Dim size = h;
    for (int i = 0; i < 5; i++) /* 3x3, stride 2, pads 1 */
        size = add(quo(sub(size, 1), 2), 1);
    check_text(size, "(h+31)/32");
    ck_assert_int_eq(quo(add(quo(h, 3), 1), 4), quo(add(h, 3), 12));
}
END_TEST

START_TEST(extrema_are_decided_where_they_can_be)
{
    ck_assert_int_eq(least(h, add(h, 1)), h);
    ck_assert_int_eq(most(h, 0), h);
    ck_assert_int_eq(least(h, INT64_MAX), h);
    ck_assert_int_eq(most(sub(h, 1), sub(h, 2)), sub(h, 1));
    ck_assert_int_eq(least(h, w), least(w, h));
    check_text(most(sub(h, 1), 0), "max(h-1,0)");
}
END_TEST

START_TEST(sizes_are_not_negative_and_unknowns_may_be)
{
    ck_assert(dim_is_nonnegative(symbols, quo(add(h, 1), 2)));
    ck_assert(dim_is_nonnegative(symbols, most(sub(h, 1), 0)));
    ck_assert(!dim_is_nonnegative(symbols, sub(h, 1)));
    ck_assert(!dim_is_nonnegative(symbols, dim_unknown(symbols)));
    ck_assert(dim_is_nonnegative(symbols, dim_size_unknown(symbols)));
}
END_TEST

START_TEST(unknowns_equal_only_themselves)
{
    Dim a = dim_unknown(symbols), b = dim_unknown(symbols);
    ck_assert_int_ne(a, b);
    ck_assert(dim_is_unknown(symbols, a));
    ck_assert(!dim_is_unknown(symbols, h));
    ck_assert(!dim_is_unknown(symbols, 3));
    ck_assert_int_eq(sub(add(a, b), b), a);
}
END_TEST

START_TEST(overflow_and_division_by_zero_are_unknown)
{
    ck_assert(dim_is_unknown(symbols, add(INT64_MAX, 1)));
    ck_assert(dim_is_unknown(symbols, mul(INT64_MAX, 2)));
    ck_assert(dim_is_unknown(symbols, sub(number(INT64_MIN), 1)));
    ck_assert(dim_is_unknown(symbols, quo(number(INT64_MIN), number(-1))));
    ck_assert(dim_is_unknown(symbols, quo(h, 0)));
    ck_assert(dim_is_unknown(symbols, mod(5, 0)));
    ck_assert(
        dim_is_unknown(symbols, mul(mul(h, INT64_MAX), mul(w, INT64_MAX))));
}
END_TEST

/* Neither text nor time grows out of hand, whatever a file nests. */
START_TEST(expressions_beyond_reason_are_unknown)
{
    Dim product = h, sum = h, nested = h;
    for (int i = 0; i < 1000; i++) {
        product = mul(product, h);
        sum = add(sum, dim_unknown(symbols));
        nested = most(sub(quo(nested, w), 1), least(nested, add(w, i)));
    }
    ck_assert_uint_lt(strlen(dim_text(arena, symbols, product)), 256);
    ck_assert_uint_lt(strlen(dim_text(arena, symbols, sum)), 256);
    ck_assert_uint_lt(strlen(dim_text(arena, symbols, nested)), 256);
    Dim deep = h;
    for (int i = 0; i < 20; i++)
        deep = quo(add(mul(deep, deep), 1), add(deep, w));
    const char *text = dim_text(arena, symbols, deep);
    ck_assert_uint_lt(strlen(text), 256);
}
END_TEST

/* Random expressions, evaluated at random sizes in two ways. */
typedef struct Pair {
    Dim dim; /* over symbols */
    Dim at;  /* the same with numbers for them */
} Pair;

START_TEST(normal_forms_keep_the_value)
{
    uint32_t seed = (uint32_t)_i * 2654435761u + 1;
    int64_t sizes[2] = {1 + (_i * 7) % 23, 1 + (_i * 5) % 31};
    Pair pool[40] = {{h, sizes[0]}, {w, sizes[1]}, {2, 2}, {3, 3}, {5, 5}};
    int count = 5;
    while (count < 40) {
        seed = seed * 1664525u + 1013904223u;
        DimOp op = (DimOp)((seed >> 8) % (DIM_MAX + 1));
        Pair a = pool[(seed >> 12) % (uint32_t)count];
        Pair b = pool[op == DIM_DIV || op == DIM_CEIL || op == DIM_MOD
                          ? 2 + (seed >> 20) % 3
                          : (seed >> 20) % (uint32_t)count];
        pool[count].dim = dim_combine(symbols, op, a.dim, b.dim);
        pool[count].at = dim_combine(symbols, op, a.at, b.at);
        count++;
    }
    /* Equal expressions have equal values; the sign must be right too. */
    for (int i = 0; i < count; i++) {
        int64_t value;
        bool fits = dim_is_known(symbols, pool[i].at, &value);
        ck_assert(!fits || value >= 0 ||
                  !dim_is_nonnegative(symbols, pool[i].dim));
        for (int j = 0; j < i; j++)
            ck_assert(pool[i].dim != pool[j].dim || pool[i].at == pool[j].at);
    }
}
END_TEST

START_TEST(a_fact_is_static_when_every_size_is_a_number)
{
    Fact fact = fact_of(DT_FLOAT, 2, (Dim[]){3, 4});
    int64_t count;
    ck_assert(fact_is_static(symbols, &fact, &count));
    ck_assert_int_eq(count, 12);
    fact = fact_of(DT_FLOAT, 2, (Dim[]){3, h});
    ck_assert(!fact_is_static(symbols, &fact, &count));
    fact = fact_of(DT_FLOAT, 2, (Dim[]){INT64_MAX, INT64_MAX});
    ck_assert(!fact_is_static(symbols, &fact, &count));
    fact = fact_of(DT_FLOAT, 3, (Dim[]){INT64_MAX, INT64_MAX, 0});
    ck_assert(fact_is_static(symbols, &fact, &count));
    ck_assert_int_eq(count, 0);
    fact = FACT_UNKNOWN;
    ck_assert(!fact_is_static(symbols, &fact, &count));
}
END_TEST

Suite *suite_shape(void)
{
    Suite *suite = suite_create("shape");
    TCase *tcase = tcase_create("shape");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, names_are_interned);
    tcase_add_test(tcase, numbers_are_exact_and_may_be_negative);
    tcase_add_test(tcase, numbers_combine_by_the_rules_of_arithmetic);
    tcase_add_test(tcase, sums_and_products_have_one_form);
    tcase_add_test(tcase, division_cancels);
    tcase_add_test(tcase, quotients_by_numbers_have_one_form);
    tcase_add_test(tcase, strides_in_a_row_are_one_stride);
    tcase_add_test(tcase, extrema_are_decided_where_they_can_be);
    tcase_add_test(tcase, sizes_are_not_negative_and_unknowns_may_be);
    tcase_add_test(tcase, unknowns_equal_only_themselves);
    tcase_add_test(tcase, overflow_and_division_by_zero_are_unknown);
    tcase_add_test(tcase, expressions_beyond_reason_are_unknown);
    tcase_add_loop_test(tcase, normal_forms_keep_the_value, 0, 50);
    tcase_add_test(tcase, a_fact_is_static_when_every_size_is_a_number);
    suite_add_tcase(suite, tcase);
    return suite;
}
