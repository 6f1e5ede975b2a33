#include "judge/compare.h"

#include <math.h>
#include <string.h>

#include "graph/dump.h"
#include "judge/grid.h"

enum { PIECE = 512 };

static void note(Comparison *out, int64_t index, double difference,
                 double ratio)
{
    if (difference > out->max_abs)
        out->max_abs = difference;
    bool wrong = !(ratio <= 1);
    if (wrong && out->wrong++ == 0)
        out->first = index;
    if (ratio > out->max_ratio) {
        out->max_ratio = ratio;
        out->worst = index;
    }
}

/* How much of the tolerance a difference takes. A tolerance that is no number
 * allows nothing. */
static double tolerance_ratio(double difference, double tolerance)
{
    if (difference == 0)
        return 0;
    if (!(tolerance > 0))
        return HUGE_VAL;
    /* Two numbers near the end of the range may be infinitely far apart. */
    return isinf(tolerance) ? 0 : difference / tolerance;
}

static void compare_real(DType type, double a, double b, double tolerance,
                         int64_t index, Comparison *out)
{
    if (!isfinite(b))
        out->not_finite++;
    else if (fabs(b) > out->magnitude)
        out->magnitude = fabs(b);
    if (isnan(a) && isnan(b))
        return;
    if (!isfinite(a) || !isfinite(b)) {
        if (a != b) {
            note(out, index, HUGE_VAL, HUGE_VAL);
            out->max_ulp = HUGE_VAL;
        }
        return;
    }
    double difference = fabs(a - b);
    if (difference > 0 && fabs(b) > out->moved)
        out->moved = fabs(b);
    double ulp = difference / grid_ulp(grid_of(type), b);
    if (ulp > out->max_ulp)
        out->max_ulp = ulp;
    note(out, index, difference, tolerance_ratio(difference, tolerance));
}

static void compare_reals(Operand a, Operand b, const Tolerance *tolerance,
                          Comparison *out)
{
    double left[PIECE], right[PIECE];
    for (int64_t done = 0, now; done < out->count; done += now) {
        now = out->count - done < PIECE ? out->count - done : PIECE;
        array_to_f64(a.array, a.precision, done, now, left);
        array_to_f64(b.array, b.precision, done, now, right);
        for (int64_t i = 0; i < now; i++) {
            double allowed =
                tolerance->bounds
                    ? tolerance->bounds[done + i]
                    : tolerance->atol + tolerance->rtol * fabs(right[i]);
            compare_real(b.array->type, left[i], right[i], allowed, done + i,
                         out);
        }
    }
}

static void compare_integers(const Array *a, const Array *b, Comparison *out)
{
    const int64_t *left = a->data, *right = b->data;
    for (int64_t i = 0; i < out->count; i++) {
        double magnitude = fabs((double)right[i]);
        if (magnitude > out->magnitude)
            out->magnitude = magnitude;
        if (left[i] == right[i])
            continue;
        /* Beyond 2^53 neighbours are the same double, yet they differ. */
        double difference = fabs((double)left[i] - (double)right[i]);
        note(out, i, difference > 0 ? difference : 1, HUGE_VAL);
        if (out->max_abs > out->max_ulp)
            out->max_ulp = out->max_abs;
    }
}

static CompareResult compare_kinds(const Array *a, const Array *b)
{
    if (!a || !b)
        return COMPARE_ABSENT;
    if (a->type != b->type)
        return COMPARE_TYPE;
    if (a->rank != b->rank ||
        memcmp(a->dims, b->dims, (size_t)a->rank * sizeof *a->dims) != 0)
        return COMPARE_SHAPE;
    return COMPARE_EQUAL;
}

void compare_arrays(Operand a, Operand b, const Tolerance *tolerance,
                    Comparison *out)
{
    *out = (Comparison){.first = -1, .worst = -1};
    out->result = compare_kinds(a.array, b.array);
    if (out->result != COMPARE_EQUAL)
        return;
    out->count = b.array->count;
    if (dtype_is_real(b.array->type))
        compare_reals(a, b, tolerance, out);
    else
        compare_integers(a.array, b.array, out);
    if (out->wrong > 0)
        out->result = COMPARE_VALUES;
}

static void print_shape(Text *text, const Array *array)
{
    text_printf(text, "[");
    for (int i = 0; i < array->rank; i++)
        text_printf(text, "%s%lld", i ? "," : "", (long long)array->dims[i]);
    text_printf(text, "]");
}

static void print_index(Text *text, const Array *array, int64_t index)
{
    int64_t at[RANK_MAX];
    for (int i = array->rank - 1; i >= 0; i--) {
        at[i] = index % array->dims[i];
        index /= array->dims[i];
    }
    text_printf(text, "[");
    for (int i = 0; i < array->rank; i++)
        text_printf(text, "%s%lld", i ? "," : "", (long long)at[i]);
    text_printf(text, "]");
}

static void print_element(Text *text, Operand operand, int64_t index)
{
    double value;
    array_to_f64(operand.array, operand.precision, index, 1, &value);
    if (dtype_is_real(operand.array->type))
        text_printf(text, "%.9g", value);
    else
        text_printf(text, "%lld",
                    (long long)((const int64_t *)operand.array->data)[index]);
}

static void print_values(Text *text, const Comparison *comparison, Operand a,
                         Operand b)
{
    text_printf(text, "%lld of %lld elements differ, first at ",
                (long long)comparison->wrong, (long long)comparison->count);
    print_index(text, b.array, comparison->first);
    text_printf(text, ", worst at ");
    print_index(text, b.array, comparison->worst);
    text_printf(text, ": ");
    print_element(text, a, comparison->worst);
    text_printf(text, " where ");
    print_element(text, b, comparison->worst);
    text_printf(text, " is expected (%.3g ulp)", comparison->max_ulp);
}

const char *compare_text(Arena *arena, const Comparison *comparison, Operand a,
                         Operand b)
{
    Text text = {.arena = arena};
    switch (comparison->result) {
    case COMPARE_EQUAL:
        return "equal";
    case COMPARE_ABSENT:
        return "there is nothing to compare";
    case COMPARE_TYPE:
        text_printf(&text, "type %s where %s is expected",
                    dtype_name(a.array->type), dtype_name(b.array->type));
        break;
    case COMPARE_SHAPE:
        text_printf(&text, "shape ");
        print_shape(&text, a.array);
        text_printf(&text, " where ");
        print_shape(&text, b.array);
        text_printf(&text, " is expected");
        break;
    case COMPARE_VALUES:
        print_values(&text, comparison, a, b);
        break;
    }
    return text.bytes;
}
