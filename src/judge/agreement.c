#include "judge/agreement.h"

#include <math.h>

enum { TOP = 5 };

/* The columns of the largest numbers, largest first; of equal ones the first.
 * Returns how many there are. */
static int find_top(const double *row, int64_t columns, int64_t top[TOP])
{
    int count = 0;
    for (int64_t i = 0; i < columns; i++) {
        int at = count;
        while (at > 0 && row[i] > row[top[at - 1]])
            at--;
        if (at == TOP)
            continue;
        count += count < TOP;
        for (int k = count - 1; k > at; k--)
            top[k] = top[k - 1];
        top[at] = i;
    }
    return count;
}

static bool is_among(int64_t column, const int64_t top[TOP], int count)
{
    for (int i = 0; i < count; i++)
        if (top[i] == column)
            return true;
    return false;
}

static void measure_row(rp_agreement *agreement, const double *x,
                        const double *y, int64_t columns)
{
    int64_t top_x[TOP], top_y[TOP];
    int count = find_top(x, columns, top_x);
    find_top(y, columns, top_y);
    bool same = true;
    for (int i = 0; i < count; i++)
        same &= is_among(top_x[i], top_y, count);
    agreement->rows++;
    agreement->top1 += top_x[0] == top_y[0];
    agreement->top5 += same;
    for (int64_t i = 0; i < columns; i++)
        agreement->change = fmax(agreement->change, fabs(x[i] - y[i]));
}

void agreement_measure(rp_agreement *agreement, const Array *array,
                       const Array *truth)
{
    if (truth->rank != 2 || truth->dims[1] < 2 || !dtype_is_real(truth->type))
        return;
    const double *x = array->data, *y = truth->data;
    int64_t columns = truth->dims[1];
    for (int64_t row = 0; row < truth->dims[0]; row++)
        measure_row(agreement, x + row * columns, y + row * columns, columns);
}
