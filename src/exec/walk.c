#include "exec/walk.h"

#include "exec/array.h"

void walk_init(Walk *walk, int rank, const int64_t *dims)
{
    *walk = (Walk){.rank = rank};
    for (int i = 0; i < rank; i++)
        walk->dims[i] = dims[i];
}

void walk_add(Walk *walk, const int64_t *strides)
{
    for (int i = 0; i < walk->rank; i++)
        walk->strides[walk->operands][i] = strides[i];
    walk->operands++;
}

int walk_broadcast(Walk *walk, const Array *array)
{
    int64_t strides[WALK_RANK] = {0}, own[RANK_MAX];
    int shift = walk->rank - array->rank;
    dims_strides(array->rank, array->dims, own);
    for (int i = array->rank - 1; i >= 0; i--) {
        if (array->dims[i] != 1) {
            if (shift + i < 0 || array->dims[i] != walk->dims[shift + i])
                return -1;
            strides[shift + i] = own[i];
        }
    }
    walk_add(walk, strides);
    return 0;
}

/* Can axis `outer` and the one after it be walked as one? */
static bool runs_on(const Walk *walk, int outer, int inner)
{
    for (int k = 0; k < walk->operands; k++)
        if (walk->strides[k][outer] !=
            walk->strides[k][inner] * walk->dims[inner])
            return false;
    return true;
}

static void move_axis(Walk *walk, int to, int from, int64_t length)
{
    walk->dims[to] = length;
    for (int k = 0; k < walk->operands; k++)
        walk->strides[k][to] = walk->strides[k][from];
}

static void set_rows(Walk *walk)
{
    int last = walk->rank - 1;
    walk->length = walk->dims[last];
    walk->rows = dims_product(walk->dims, 0, last);
}

void walk_ready(Walk *walk)
{
    int kept = 0;
    for (int i = 0; i < walk->rank; i++) {
        if (walk->dims[i] == 1)
            continue;
        if (kept > 0 && runs_on(walk, kept - 1, i)) {
            move_axis(walk, kept - 1, i, walk->dims[kept - 1] * walk->dims[i]);
            continue;
        }
        move_axis(walk, kept, i, walk->dims[i]);
        kept++;
    }
    if (kept == 0) {
        walk->dims[0] = 1;
        for (int k = 0; k < walk->operands; k++)
            walk->strides[k][0] = 0;
        kept = 1;
    }
    walk->rank = kept;
    set_rows(walk);
}

void walk_swap(Walk *walk, int a, int b)
{
    Walk before = *walk;
    move_axis(walk, a, b, before.dims[b]);
    walk->dims[b] = before.dims[a];
    for (int k = 0; k < walk->operands; k++)
        walk->strides[k][b] = before.strides[k][a];
    set_rows(walk);
}

int64_t walk_step(const Walk *walk, int operand)
{
    return walk->strides[operand][walk->rank - 1];
}

/* The index of a row, and where each operand is there. */
static void seek(const Walk *walk, int64_t row, int64_t *index,
                 int64_t *offsets)
{
    for (int k = 0; k < walk->operands; k++)
        offsets[k] = 0;
    for (int i = walk->rank - 2; i >= 0; i--) {
        index[i] = row % walk->dims[i];
        row /= walk->dims[i];
        for (int k = 0; k < walk->operands; k++)
            offsets[k] += index[i] * walk->strides[k][i];
    }
}

static void next_row(const Walk *walk, int64_t *index, int64_t *offsets)
{
    for (int i = walk->rank - 2; i >= 0; i--) {
        bool carry = ++index[i] == walk->dims[i];
        int64_t back = carry ? walk->dims[i] - 1 : 0;
        for (int k = 0; k < walk->operands; k++)
            offsets[k] += walk->strides[k][i] * (carry ? -back : 1);
        if (!carry)
            return;
        index[i] = 0;
    }
}

void walk_run(const Walk *walk, int64_t begin, int64_t end, WalkRow *row,
              void *context)
{
    if (begin >= end)
        return;
    int64_t index[WALK_RANK], starts[WALK_MAX], offsets[WALK_MAX];
    int64_t column = begin % walk->length;
    seek(walk, begin / walk->length, index, starts);
    while (begin < end) {
        int64_t count = walk->length - column;
        if (count > end - begin)
            count = end - begin;
        for (int k = 0; k < walk->operands; k++)
            offsets[k] = starts[k] + column * walk_step(walk, k);
        row(context, begin, offsets, count);
        begin += count;
        column = 0;
        next_row(walk, index, starts);
    }
}
