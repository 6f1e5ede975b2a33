#include "fold/affine.h"

#include <math.h>

Vec vec_new(Arena *arena, int64_t size, const double *values)
{
    double *copy = arena_array(arena, (size_t)size, sizeof *copy);
    for (int64_t i = 0; i < size; i++)
        copy[i] = values[i];
    return (Vec){size, copy};
}

Vec vec_copy(Arena *arena, Vec vec)
{
    return vec.size ? vec_new(arena, vec.size, vec.at) : VEC_NONE;
}

Vec vec_uniform(Arena *arena, double value)
{
    return vec_new(arena, 1, &value);
}

double vec_get(Vec vec, int64_t c, double nothing)
{
    return vec.size == 0 ? nothing : vec.at[vec.size == 1 ? 0 : c];
}

typedef double Combine(double a, double b);

static double product(double a, double b)
{
    return a * b;
}

static double sum(double a, double b)
{
    return a + b;
}

static Vec vec_combine(Arena *arena, Vec a, Vec b, Combine *combine)
{
    if (a.size == 0 || b.size == 0)
        return a.size ? a : b;
    int64_t size = a.size > b.size ? a.size : b.size;
    double *out = arena_array(arena, (size_t)size, sizeof *out);
    for (int64_t i = 0; i < size; i++)
        out[i] = combine(vec_get(a, i, 0), vec_get(b, i, 0));
    return (Vec){size, out};
}

Vec vec_multiply(Arena *arena, Vec a, Vec b)
{
    return vec_combine(arena, a, b, product);
}

Vec vec_add(Arena *arena, Vec a, Vec b)
{
    return vec_combine(arena, a, b, sum);
}

Vec vec_scale(Arena *arena, Vec factor, Vec x)
{
    return x.size ? vec_multiply(arena, factor, x) : VEC_NONE;
}

Vec vec_slice(Vec vec, int64_t start, int64_t length)
{
    return vec.size <= 1 ? vec : (Vec){length, vec.at + start};
}

bool vec_all_equal(Vec vec, double value, double nothing)
{
    if (vec.size == 0)
        return nothing == value;
    for (int64_t i = 0; i < vec.size; i++)
        if (vec.at[i] != value)
            return false;
    return true;
}

bool vec_is_finite(Vec vec)
{
    for (int64_t i = 0; i < vec.size; i++)
        if (!isfinite(vec.at[i]))
            return false;
    return true;
}

Vec vec_repeat(Arena *arena, Vec vec, int64_t times)
{
    if (vec.size <= 1 || times == 1)
        return vec;
    int64_t size;
    if (__builtin_mul_overflow(vec.size, times, &size))
        size = INT64_MAX; /* The allocation below reports it. */
    double *out = arena_array(arena, (size_t)size, sizeof *out);
    for (int64_t i = 0; i < size; i++)
        out[i] = vec.at[i / times];
    return (Vec){size, out};
}

int64_t gcd(int64_t a, int64_t b)
{
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a < 0 ? -a : a;
}

static int64_t first_offset(const Axis *axis)
{
    return -axis->begin;
}

static int64_t last_offset(const Axis *axis)
{
    return axis->dilation * (axis->taps - 1) - axis->begin;
}

int64_t axis_slack(const Axis *axis)
{
    return axis->end - last_offset(axis);
}

int64_t axis_output(const Axis *axis, int64_t input)
{
    int64_t reach = input + axis_slack(axis) - 1;
    return reach < 0 ? 0 : reach / axis->stride + 1;
}

/* With m and M the ends of the union of all offsets, and g the greatest step
 * that reaches every offset from m, the union is g, (M - m) / g + 1 taps, -m
 * and r + M. Negative pads do not exist in ONNX, so m is at most 0 and M at
 * least -r: taps of weight zero fill the gap. */
bool axis_union(const Axis *const *axes, int count, bool has_output_padding,
                Axis *out)
{
    int64_t slack = axis_slack(axes[0]);
    int64_t low = 0, high = has_output_padding ? INT64_MIN : -slack;
    for (int i = 0; i < count; i++) {
        int64_t first = first_offset(axes[i]), last = last_offset(axes[i]);
        low = first < low ? first : low;
        high = last > high ? last : high;
    }
    int64_t step = gcd(high - low, 0);
    for (int i = 0; i < count; i++) {
        step = gcd(step, first_offset(axes[i]) - low);
        if (axes[i]->taps > 1)
            step = gcd(step, axes[i]->dilation);
    }
    *out = (Axis){.stride = axes[0]->stride,
                  .dilation = step ? step : 1,
                  .begin = -low,
                  .end = slack + high};
    out->taps = (high - low) / out->dilation + 1;
    return out->taps > 0 && out->taps < INT32_MAX;
}

void axis_place(const Axis *part, const Axis *whole, int64_t *offset,
                int64_t *step)
{
    *offset = (first_offset(part) - first_offset(whole)) / whole->dilation;
    *step = part->taps > 1 ? part->dilation / whole->dilation : 1;
}
