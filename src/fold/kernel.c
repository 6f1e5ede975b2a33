#include "fold/kernel.h"

#include <string.h>

enum { PIECE = 256 };

static int64_t taps_product(const int64_t *taps)
{
    int64_t count = 1;
    for (int i = 0; i < AXES_MAX; i++)
        count *= taps[i];
    return count;
}

/* A weight is a matrix of cells, each holding all taps of one pair of
 * channels. `rows` and `columns` count them in storage order. */
static int64_t kernel_columns(const Kernel *kernel)
{
    return (kernel->layout == LAYOUT_OUT_IN ? kernel->in_channels
                                            : kernel->out_channels) /
           kernel->group;
}

static int64_t kernel_rows(const Kernel *kernel)
{
    return kernel->layout == LAYOUT_OUT_IN ? kernel->out_channels
                                           : kernel->in_channels;
}

int64_t kernel_elements(const Kernel *kernel)
{
    return kernel_rows(kernel) * kernel_columns(kernel) *
           taps_product(kernel->taps);
}

/* The channels of a cell: `row` counts along the first dimension, `across` is
 * the other channel, absolute, not within its group. */
typedef struct Cell {
    int64_t row, across;
} Cell;

static Cell cell_at(const Kernel *kernel, int64_t index)
{
    int64_t columns = kernel_columns(kernel), rows = kernel_rows(kernel);
    int64_t row = index / columns;
    int64_t group = row / (rows / kernel->group);
    return (Cell){row, group * columns + index % columns};
}

int64_t kernel_channel(const Kernel *kernel, int64_t index)
{
    Cell cell = cell_at(kernel, index / taps_product(kernel->taps));
    return kernel->layout == LAYOUT_OUT_IN ? cell.row : cell.across;
}

static double cell_factor(const Kernel *kernel, const Term *term, Cell cell)
{
    bool row_is_out = kernel->layout == LAYOUT_OUT_IN;
    return vec_get(term->out, row_is_out ? cell.row : cell.across, 1) *
           vec_get(term->in, row_is_out ? cell.across : cell.row, 1);
}

/* The index of the term's own cell for these channels, or -1 where the term's
 * finer groups leave zero. */
static int64_t term_cell(const Kernel *kernel, const Term *term, Cell cell)
{
    bool row_is_out = kernel->layout == LAYOUT_OUT_IN;
    int64_t rows = kernel_rows(kernel);
    int64_t width =
        (row_is_out ? kernel->in_channels : kernel->out_channels) / term->group;
    int64_t column = cell.across - cell.row / (rows / term->group) * width;
    return column < 0 || column >= width ? -1 : cell.row * width + column;
}

/* Adds a term's taps for one cell to the part [from, to) of the cell that is
 * at out[0 .. to - from). */
static void term_add_cell(const Kernel *kernel, const Term *term, Cell cell,
                          int64_t from, int64_t to, double *out)
{
    int64_t own = term_cell(kernel, term, cell);
    if (own < 0)
        return;
    double factor = cell_factor(kernel, term, cell);
    int64_t count = taps_product(term->taps);
    double taps[PIECE];
    for (int64_t done = 0; done < count; done += PIECE) {
        int64_t now = count - done < PIECE ? count - done : PIECE;
        if (term->source)
            tensor_read_f64(term->source, own * count + done, now, taps);
        for (int64_t i = 0; i < now; i++) {
            int64_t t = done + i, t2 = t % term->taps[2];
            int64_t t1 = t / term->taps[2] % term->taps[1];
            int64_t t0 = t / term->taps[2] / term->taps[1];
            int64_t at = term->offset[0] + term->step[0] * t0;
            at = at * kernel->taps[1] + term->offset[1] + term->step[1] * t1;
            at = at * kernel->taps[2] + term->offset[2] + term->step[2] * t2;
            if (at >= from && at < to)
                out[at - from] +=
                    factor * (term->source ? taps[i] : term->value);
        }
    }
}

/* True when the term lies in memory exactly as the kernel does. */
static bool term_is_congruent(const Kernel *kernel, const Term *term)
{
    if (!term->source || term->group != kernel->group)
        return false;
    for (int i = 0; i < AXES_MAX; i++)
        if (term->taps[i] != kernel->taps[i] || term->offset[i] != 0 ||
            (term->taps[i] > 1 && term->step[i] != 1))
            return false;
    return true;
}

/* out[i] += factor * in[i]: what most of the time goes into. */
static void add_scaled(double *restrict out, const double *restrict in,
                       int64_t count, double factor)
{
    for (int64_t i = 0; i < count; i++)
        out[i] += factor * in[i];
}

/* Elements [first, first + count) of a congruent term, all in one row: the
 * common case, and the one that decides the speed. */
static void term_add_row(const Kernel *kernel, const Term *term, int64_t first,
                         int64_t count, double *out)
{
    int64_t taps = taps_product(kernel->taps);
    /* One factor serves the whole row when nothing varies along it. */
    Vec along = kernel->layout == LAYOUT_OUT_IN ? term->in : term->out;
    double piece[PIECE];
    for (int64_t done = 0; done < count; done += PIECE) {
        int64_t now = count - done < PIECE ? count - done : PIECE;
        Cell cell = cell_at(kernel, (first + done) / taps);
        int64_t run = along.size <= 1 ? now : taps - (first + done) % taps;
        tensor_read_f64(term->source, first + done, now, piece);
        for (int64_t i = 0; i < now; i += run, run = taps, cell.across++) {
            run = run < now - i ? run : now - i;
            add_scaled(out + done + i, piece + i, run,
                       cell_factor(kernel, term, cell));
        }
    }
}

static void term_add(const Kernel *kernel, const Term *term, int64_t first,
                     int64_t count, double *out)
{
    int64_t taps = taps_product(kernel->taps);
    int64_t row = kernel_columns(kernel) * taps;
    bool congruent = term_is_congruent(kernel, term);
    int64_t unit = congruent ? row : taps;
    for (int64_t done = 0; done < count;) {
        int64_t from = (first + done) % unit;
        int64_t to = from + count - done < unit ? from + count - done : unit;
        if (congruent)
            term_add_row(kernel, term, first + done, to - from, out + done);
        else
            term_add_cell(kernel, term, cell_at(kernel, (first + done) / taps),
                          from, to, out + done);
        done += to - from;
    }
}

static void kernel_read(const TensorFormula *formula, int64_t first,
                        int64_t count, double *out)
{
    const Kernel *kernel = (const Kernel *)formula;
    memset(out, 0, (size_t)count * sizeof *out);
    for (int i = 0; i < kernel->term_count; i++)
        term_add(kernel, &kernel->terms[i], first, count, out);
}

static Kernel *kernel_new(Arena *arena, int term_count)
{
    Kernel *kernel = arena_alloc(arena, sizeof *kernel);
    kernel->formula.read = kernel_read;
    kernel->term_count = term_count;
    kernel->terms =
        arena_array(arena, (size_t)term_count, sizeof *kernel->terms);
    return kernel;
}

const Kernel *kernel_of(const Tensor *tensor)
{
    return tensor->formula && tensor->formula->read == kernel_read
               ? (const Kernel *)tensor->formula
               : NULL;
}

static void term_shape(Term *term, int64_t group, const int64_t *taps)
{
    term->group = group;
    for (int i = 0; i < AXES_MAX; i++) {
        term->taps[i] = taps[i];
        term->step[i] = 1;
    }
}

Kernel *kernel_from_tensor(Arena *arena, const Tensor *tensor, Layout layout,
                           int64_t out_channels, int64_t in_channels,
                           int64_t group, const int64_t *taps)
{
    const Kernel *known = kernel_of(tensor);
    if (known)
        return kernel_scale(arena, known, VEC_NONE, VEC_NONE);
    Kernel *kernel = kernel_new(arena, 1);
    kernel->layout = layout;
    kernel->out_channels = out_channels;
    kernel->in_channels = in_channels;
    kernel->group = group;
    memcpy(kernel->taps, taps, sizeof kernel->taps);
    kernel->terms[0].source = tensor;
    term_shape(&kernel->terms[0], group, taps);
    return kernel;
}

Kernel *kernel_uniform(Arena *arena, int64_t channels, double value,
                       const int64_t *taps)
{
    Kernel *kernel = kernel_new(arena, 1);
    kernel->layout = LAYOUT_OUT_IN;
    kernel->out_channels = kernel->in_channels = kernel->group = channels;
    memcpy(kernel->taps, taps, sizeof kernel->taps);
    kernel->terms[0].value = value;
    term_shape(&kernel->terms[0], channels, taps);
    return kernel;
}

Kernel *kernel_copy(Arena *arena, const Kernel *kernel)
{
    Kernel *copy = kernel_scale(arena, kernel, VEC_NONE, VEC_NONE);
    for (int i = 0; i < copy->term_count; i++) {
        Term *term = &copy->terms[i];
        term->out = vec_copy(arena, term->out);
        term->in = vec_copy(arena, term->in);
    }
    return copy;
}

Kernel *kernel_scale(Arena *arena, const Kernel *kernel, Vec out, Vec in)
{
    Kernel *scaled = kernel_new(arena, kernel->term_count);
    Term *terms = scaled->terms;
    *scaled = *kernel;
    scaled->terms = terms;
    for (int i = 0; i < kernel->term_count; i++) {
        terms[i] = kernel->terms[i];
        terms[i].out = vec_multiply(arena, terms[i].out, out);
        terms[i].in = vec_multiply(arena, terms[i].in, in);
    }
    return scaled;
}

Kernel *kernel_sum(Arena *arena, const Kernel *const *parts,
                   const Placement *placements, int count, int64_t group,
                   const int64_t *taps)
{
    int terms = 0;
    for (int i = 0; i < count; i++)
        terms += parts[i]->term_count;
    Kernel *whole = kernel_new(arena, terms);
    whole->layout = parts[0]->layout;
    whole->out_channels = parts[0]->out_channels;
    whole->in_channels = parts[0]->in_channels;
    whole->group = group;
    memcpy(whole->taps, taps, sizeof whole->taps);
    Term *term = whole->terms;
    for (int i = 0; i < count; i++) {
        for (int j = 0; j < parts[i]->term_count; j++, term++) {
            *term = parts[i]->terms[j];
            for (int a = 0; a < AXES_MAX; a++) {
                term->offset[a] = placements[i].offset[a] +
                                  placements[i].step[a] * term->offset[a];
                term->step[a] *= placements[i].step[a];
            }
        }
    }
    return whole;
}

Tensor *kernel_tensor(Arena *arena, const Kernel *kernel, DType type, int rank,
                      const int64_t *dims)
{
    return tensor_from_formula(arena, type, rank, dims, &kernel->formula);
}

Vec kernel_apply_shift(Arena *arena, const Kernel *kernel, Vec shift)
{
    double *sums =
        arena_array(arena, (size_t)kernel->out_channels, sizeof *sums);
    bool row_is_out = kernel->layout == LAYOUT_OUT_IN;
    int64_t taps = taps_product(kernel->taps);
    int64_t width = kernel_columns(kernel) * taps;
    double piece[PIECE];
    for (int64_t row = 0; row < kernel_rows(kernel); row++) {
        Cell cell = cell_at(kernel, row * kernel_columns(kernel));
        int64_t base = cell.across;
        for (int64_t done = 0; done < width; done += PIECE) {
            int64_t now = width - done < PIECE ? width - done : PIECE;
            kernel_read(&kernel->formula, row * width + done, now, piece);
            for (int64_t i = 0; i < now; i++) {
                cell.across = base + (taps == 1 ? done + i : (done + i) / taps);
                sums[row_is_out ? row : cell.across] +=
                    piece[i] *
                    vec_get(shift, row_is_out ? cell.across : row, 0);
            }
        }
    }
    return (Vec){kernel->out_channels, sums};
}
