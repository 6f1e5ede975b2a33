/* Operators that look for elements: ArgMax, ArgMin, TopK, NonZero; and the
 * running sum. */
#include <string.h>

#include "exec/integer.h"
#include "exec/kernel.h"
#include "exec/simd.h"

/* A line along one axis of an array of any storage. */
typedef struct Line {
    const KernelCall *call;
    const Array *array;
    int64_t first, step, count;
    Storage storage;
} Line;

static void line_of(Line *line, int axis, int64_t number)
{
    const Array *array = line->array;
    int64_t inner = dims_product(array->dims, axis + 1, array->rank);
    line->count = array->dims[axis];
    line->step = inner;
    line->first = number / inner * line->count * inner + number % inner;
}

static Line line_new(const KernelCall *call)
{
    return (Line){.call = call,
                  .array = call->inputs[0],
                  .storage = kernel_storage(call, call->inputs[0])};
}

/* ---- ArgMax and ArgMin ---- */

typedef struct Arg {
    const void *in;
    int64_t *out;
    int64_t count, inner; /* along the axis, and beside each other behind it */
    bool most, last;
    Storage storage;
    bool is_unsigned;
} Arg;

enum { LINES = 64 }; /* at once */

/* ---- CumSum ---- */

typedef struct Cumulation {
    const void *in;
    void *out;
    int64_t count, inner; /* as those of Arg */
    bool exclusive, reverse;
    Storage storage;
    DType type;
} Cumulation;

/* ---- Both, by type ---- */

/* Integers wrap. */
#define LESS(a, b) ((a) < (b))
#define IS_NAN(a) ((a) != (a))
#define SUM double
#define TAKEN(sum) ((REAL)(sum))
#include "exec/real_f32.h"

#include "exec/kern_select.inc.c"

#include "exec/real_f64.h"

#include "exec/kern_select.inc.c"

#undef LESS
#undef IS_NAN
#undef SUM
#undef TAKEN
#define LESS(a, b)                                                             \
    (arg->is_unsigned ? (uint64_t)(a) < (uint64_t)(b) : (a) < (b))
#define IS_NAN(a) false
#define SUM uint64_t
#define TAKEN(sum) integer_wrap(c->type, (int64_t)(sum))
#include "exec/real_i64.h"

#include "exec/kern_select.inc.c"

/* How many of the lines [line, end) go side by side. */
static int64_t lines_beside(int64_t line, int64_t end, int64_t inner)
{
    return at_most(at_most(inner - line % inner, end - line), LINES);
}

static void arg_piece(void *context, int worker, int64_t begin, int64_t end)
{
    const Arg *arg = context;
    (void)worker;
    for (int64_t n = begin, width; n < end; n += width) {
        width = lines_beside(n, end, arg->inner);
        if (arg->storage == STORAGE_F32)
            arg_lines_f32(arg, n, width);
        else if (arg->storage == STORAGE_F64)
            arg_lines_f64(arg, n, width);
        else
            arg_lines_i64(arg, n, width);
    }
}

/* The first of equals, or the last on demand; a NaN is beyond any number. */
int kernel_arg(KernelCall *call, Err *err)
{
    const Array *in = call->inputs[0], *out = call->outputs[0];
    Arg arg = {.in = in->data,
               .out = out->data,
               .most = call->node->op == OP_ArgMax,
               .last = node_int(call->node, "select_last_index", 0) != 0,
               .storage = kernel_storage(call, in),
               .is_unsigned = in->type == DT_UINT64};
    int axis;
    TRY(kernel_axis(node_int(call->node, "axis", 0), in->rank, &axis, err));
    if (in->dims[axis] == 0)
        return err_set(err, ERR_BAD_SHAPE, "its axis is empty");
    arg.count = in->dims[axis];
    arg.inner = dims_product(in->dims, axis + 1, in->rank);
    pool_run(call->pool, out->count, 1 + GRAIN / arg.count, arg_piece, &arg);
    return 0;
}

/* ---- TopK ---- */

/* An element of a line: one with a smaller key ranks first, and of equal keys
 * the earlier. */
typedef struct Ranked {
    uint64_t key;
    int64_t index;
} Ranked;

static bool ranks_before(Ranked a, Ranked b)
{
    return a.key < b.key || (a.key == b.key && a.index < b.index);
}

/* Numbers in the order of their values; NaN comes after everything, and both
 * zeros are one. IEEE 754 bits are in order but for the sign. */
static uint64_t key_of(const Line *line, int64_t index)
{
    const uint64_t sign = (uint64_t)1 << 63;
    int64_t at = line->first + index * line->step;
    if (line->storage == STORAGE_I64) {
        uint64_t bits = ((const uint64_t *)line->array->data)[at];
        return line->array->type == DT_UINT64 ? bits : bits ^ sign;
    }
    uint64_t bits;
    double value = kernel_real(line->call, line->array, at) + 0.0;
    memcpy(&bits, &value, sizeof bits);
    if (value != value)
        return UINT64_MAX;
    return bits & sign ? ~bits : bits | sign;
}

static Ranked ranked(const Line *line, int64_t index, bool largest)
{
    uint64_t key = key_of(line, index);
    return (Ranked){largest ? ~key : key, index};
}

/* Puts an entry in the place `at`, where it sinks, of a heap whose top ranks
 * last. */
static void sink(Ranked *heap, int64_t count, int64_t at, Ranked entry)
{
    for (int64_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && ranks_before(heap[child], heap[child + 1]))
            child++;
        if (!ranks_before(entry, heap[child]))
            break;
        heap[at] = heap[child];
    }
    heap[at] = entry;
}

/* The k that rank first, in order: a heap of the best so far, then heapsort.
 */
static void rank_line(const Line *line, bool largest, Ranked *heap, int64_t k)
{
    for (int64_t i = 0; i < k; i++)
        heap[i] = ranked(line, i, largest);
    for (int64_t i = k / 2; i-- > 0;)
        sink(heap, k, i, heap[i]);
    for (int64_t i = k; i < line->count; i++) {
        Ranked entry = ranked(line, i, largest);
        if (ranks_before(entry, heap[0]))
            sink(heap, k, 0, entry);
    }
    for (int64_t left = k - 1; left > 0; left--) {
        Ranked entry = heap[left];
        heap[left] = heap[0];
        sink(heap, left, 0, entry);
    }
}

/* TopK: k is an attribute up to opset 9, an input from 10 on. */
int kernel_top_k(KernelCall *call, Err *err)
{
    const Array *in = call->inputs[0], *values = call->outputs[0];
    const Array *indices = kernel_output(call, 1);
    size_t size = storage_size(kernel_storage(call, in));
    int axis;
    TRY(kernel_axis(node_int(call->node, "axis", -1), in->rank, &axis, err));
    int64_t k = values->dims[axis];
    if (k > in->dims[axis])
        return err_set(err, ERR_BAD_INPUT, "k is larger than the axis");
    if (k == 0)
        return 0;
    Line line = line_new(call);
    bool largest = node_int(call->node, "largest", 1) != 0;
    Ranked *heap = arena_block(call->arena, (size_t)k, sizeof *heap);
    int64_t inner = dims_product(in->dims, axis + 1, in->rank);
    for (int64_t n = 0; n < in->count / in->dims[axis]; n++) {
        line_of(&line, axis, n);
        rank_line(&line, largest, heap, k);
        for (int64_t i = 0; i < k; i++) {
            int64_t at = (n / inner * k + i) * inner + n % inner;
            int64_t from = line.first + heap[i].index * inner;
            memcpy((char *)values->data + (size_t)at * size,
                   (const char *)in->data + (size_t)from * size, size);
            if (indices)
                ((int64_t *)indices->data)[at] = heap[i].index;
        }
    }
    return 0;
}

static bool is_nonzero(const KernelCall *call, const Array *array, int64_t i)
{
    if (kernel_storage(call, array) == STORAGE_I64)
        return ((const int64_t *)array->data)[i] != 0;
    return kernel_real(call, array, i) != 0;
}

/* NonZero: the indices of what is not zero, a row for each axis. */
int kernel_non_zero(KernelCall *call, Err *err)
{
    const Array *in = call->inputs[0];
    int64_t found = 0;
    for (int64_t i = 0; i < in->count; i++)
        found += is_nonzero(call, in, i);
    int64_t dims[] = {in->rank, found};
    TRY(kernel_make_output(call, 0, DT_INT64, 2, dims, err));
    int64_t *out = call->outputs[0]->data;
    for (int64_t i = 0, column = 0; i < in->count; i++) {
        if (!is_nonzero(call, in, i))
            continue;
        for (int64_t k = in->rank - 1, rest = i; k >= 0; k--) {
            out[k * found + column] = rest % in->dims[k];
            rest /= in->dims[k];
        }
        column++;
    }
    return 0;
}

/* ---- CumSum ---- */

static void cumulate_piece(void *context, int worker, int64_t begin,
                           int64_t end)
{
    const Cumulation *c = context;
    (void)worker;
    for (int64_t n = begin, width; n < end; n += width) {
        width = lines_beside(n, end, c->inner);
        if (c->storage == STORAGE_F32)
            cumulate_lines_f32(c, n, width);
        else if (c->storage == STORAGE_F64)
            cumulate_lines_f64(c, n, width);
        else
            cumulate_lines_i64(c, n, width);
    }
}

/* CumSum: running sums along an axis; exclusive leaves the element itself out,
 * reverse starts at the end. */
int kernel_cum_sum(KernelCall *call, Err *err)
{
    const Array *in = call->inputs[0];
    Cumulation c = {.in = in->data,
                    .out = call->outputs[0]->data,
                    .exclusive = node_int(call->node, "exclusive", 0) != 0,
                    .reverse = node_int(call->node, "reverse", 0) != 0,
                    .storage = kernel_storage(call, in),
                    .type = in->type};
    int axis;
    if (call->inputs[1]->count != 1)
        return err_set(err, ERR_BAD_SHAPE, "its axis is not a scalar");
    TRY(kernel_axis(kernel_int(call, call->inputs[1], 0), in->rank, &axis,
                    err));
    c.count = in->dims[axis];
    c.inner = dims_product(in->dims, axis + 1, in->rank);
    pool_run(call->pool, in->count / c.count, 1 + GRAIN / c.count,
             cumulate_piece, &c);
    return 0;
}
