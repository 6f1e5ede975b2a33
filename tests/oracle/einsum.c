/* Einstein sums. */
#include <string.h>

#include "oracle.h"

enum { LETTERS = 26 };

/* The labels of one term, up to a comma, an arrow or the end. */
static int read_term(const char **text, const char *end, char *labels)
{
    int count = 0;
    for (; *text < end && **text != ',' && **text != '-'; (*text)++)
        labels[count++] = **text;
    return count;
}

/* The element of a grid where each label has its value. */
static int64_t place(const Grid *grid, const char *labels,
                     const int64_t *values)
{
    int64_t at[RANK_MAX];
    for (int i = 0; i < grid->rank; i++)
        at[i] = values[labels[i] - 'a'];
    return grid_position(grid, at);
}

/* Sets the next combination of values; false after the last. */
static bool advance(int64_t *values, const int64_t *sizes)
{
    for (int i = LETTERS - 1; i >= 0; i--) {
        if (++values[i] < sizes[i])
            return true;
        values[i] = 0;
    }
    return false;
}

/* "ij,jk->ik": y[i, k] = sum over j of a[i, j] b[j, k]; small letters, with an
 * arrow. */
void oracle_einsum(const OracleCall *call)
{
    Span equation = node_attr(call->node, "equation")->s;
    const char *text = (const char *)equation.bytes;
    const char *end = text + equation.size;
    char labels[8][RANK_MAX], out[RANK_MAX];
    int64_t values[LETTERS] = {0}, sizes[LETTERS];
    bool any = true;
    for (int i = 0; i < LETTERS; i++)
        sizes[i] = 1;
    for (int k = 0; k < call->input_count; k++, text++) {
        int count = read_term(&text, end, labels[k]);
        for (int i = 0; i < count; i++)
            sizes[labels[k][i] - 'a'] = call->inputs[k]->dims[i];
    }
    text++; /* ">" */
    read_term(&text, end, out);
    for (int i = 0; i < LETTERS; i++)
        any = any && sizes[i] > 0;
    memset(call->output->data, 0, (size_t)call->output->count * sizeof(double));
    while (any) {
        double product = 1;
        for (int k = 0; k < call->input_count; k++) {
            const Grid *x = call->inputs[k];
            product *= x->data[place(x, labels[k], values)];
        }
        call->output->data[place(call->output, out, values)] += product;
        any = advance(values, sizes);
    }
}
