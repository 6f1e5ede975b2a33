#include "judge/rows.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "judge/grid.h"

/* What one worker needs and finds. */
typedef struct Bench {
    double *real, *size, *stored, *source;
    rp_rounding_info rounding;
    int64_t row, at; /* the first wrong number; row -1 where none is */
} Bench;

/* A row of the whole as it is built. */
typedef struct Row {
    const Merge *merge;
    const Summand *summand;
    Bench *bench;
    int64_t row;
    int64_t first; /* channel across that the row begins with */
} Row;

/* ---- Building a row ---- */

static void add_real(const double *restrict source, int64_t count, double real,
                     double *restrict sum, double *restrict size)
{
    for (int64_t i = 0; i < count; i++) {
        double term = real * source[i];
        sum[i] += term;
        size[i] += fabs(term);
    }
}

static Residue dot(const double *source, const Residue *x, int64_t count)
{
    Wide sum = 0;
    for (int64_t i = 0; i < count; i++) {
        sum += (Wide)residue_of(source[i]) * x[i];
        if (i % 32 == 31)
            sum = residue_reduce(sum);
    }
    return residue_reduce(sum);
}

/* The factors of a cell: by its row, and by the channel across. */
static double factor_real(const Row *row, int64_t across)
{
    const Summand *summand = row->summand;
    bool rows = summand->linear->rows_are_outputs;
    return coefs_real(summand->out, rows ? row->row : across, 1) *
           coefs_real(summand->in, rows ? across : row->row, 1);
}

static Residue factor_exact(const Row *row, int64_t across)
{
    const Summand *summand = row->summand;
    bool rows = summand->linear->rows_are_outputs;
    Residue out = coefs_exact(summand->out, rows ? row->row : across, 1);
    Residue in = coefs_exact(summand->in, rows ? across : row->row, 1);
    return out == 1 ? in : in == 1 ? out : residue_multiply(out, in);
}

static void add_value(const Row *row, int64_t across, Residue value)
{
    Residue *y =
        &row->merge
             ->y[row->summand->linear->rows_are_outputs ? row->row : across];
    *y = residue_add(*y, residue_multiply(value, factor_exact(row, across)));
}

/* What the random input is at the taps of the whole between these channels. */
static const Residue *input_at(const Row *row, int64_t across)
{
    const Merge *merge = row->merge;
    bool rows = merge->whole->rows_are_outputs;
    return merge->x + (rows ? across : row->row) * operator_taps(merge->whole);
}

/* The taps of one pair of channels; `at` is where they begin in the row. */
static void add_cell(const Row *row, const double *source, int64_t across,
                     int64_t at)
{
    const Summand *summand = row->summand;
    const Residue *x = input_at(row, across);
    Bench *bench = row->bench;
    double real = factor_real(row, across);
    Residue value = 0;
    for (int64_t t = 0; t < summand->tap_count; t++) {
        int64_t tap = summand->taps[t];
        double term = real * source[t];
        bench->real[at + tap] += term;
        bench->size[at + tap] += fabs(term);
        value =
            residue_add(value, residue_multiply(residue_of(source[t]), x[tap]));
    }
    add_value(row, across, value);
}

/* The same for one of operators composed, and for an identity or a pool. */
static void add_dense(const Row *row, int64_t across, int64_t at)
{
    const Summand *summand = row->summand;
    const Operator *linear = summand->linear;
    const Dense *dense = linear->dense;
    const Residue *x = input_at(row, across);
    double real = factor_real(row, across);
    Residue value = 0;
    int64_t from = 0;
    if (dense)
        from = linear->rows_are_outputs ? dense_index(linear, row->row, across)
                                        : dense_index(linear, across, row->row);
    for (int64_t t = 0; t < summand->tap_count; t++) {
        int64_t tap = summand->taps[t];
        double weight = dense ? dense->real[from + t] : linear->uniform;
        double size = dense ? dense->size[from + t] : fabs(linear->uniform);
        Residue exact = dense ? dense->exact[from + t] : linear->uniform_exact;
        row->bench->real[at + tap] += real * weight;
        row->bench->size[at + tap] += fabs(real) * size;
        value = residue_add(value, residue_multiply(exact, x[tap]));
    }
    add_value(row, across, value);
}

/* All of a row that lies in memory as the whole does: the common case, and the
 * one that decides the speed. */
static void add_run(const Row *row, int64_t across, int64_t at)
{
    const Merge *merge = row->merge;
    Bench *bench = row->bench;
    int64_t taps = row->summand->tap_count;
    int64_t columns = operator_columns(row->summand->linear);
    add_real(bench->source, columns * taps, factor_real(row, across),
             bench->real + at, bench->size + at);
    if (merge->whole->rows_are_outputs) {
        add_value(row, across,
                  dot(bench->source, input_at(row, across), columns * taps));
        return;
    }
    const Residue *x = input_at(row, across);
    Residue exact = factor_exact(row, across);
    for (int64_t c = 0; c < columns; c++) {
        Residue value = dot(bench->source + c * taps, x, taps);
        Residue *y = &merge->y[across + c];
        *y = residue_add(*y,
                         exact == 1 ? value : residue_multiply(value, exact));
    }
}

static void add_summand(Row *row)
{
    const Merge *merge = row->merge;
    const Summand *summand = row->summand;
    const Operator *linear = summand->linear, *whole = merge->whole;
    int64_t rows = operator_rows(whole), taps = operator_taps(whole);
    int64_t columns = operator_columns(linear);
    int64_t first = row->row / (rows / linear->group) * columns;
    int64_t at = (first - row->first) * taps;
    Coefs along = linear->rows_are_outputs ? summand->in : summand->out;
    if (!linear->weight) {
        for (int64_t c = 0; c < columns; c++)
            add_dense(row, first + c, at + c * taps);
        return;
    }
    int64_t width = columns * summand->tap_count;
    constant_read(linear->weight, row->row * width, width, row->bench->source);
    if (summand->fills && along.size <= 1) {
        add_run(row, first, at);
        return;
    }
    for (int64_t c = 0; c < columns; c++)
        add_cell(row, row->bench->source + c * summand->tap_count, first + c,
                 at + c * taps);
}

/* ---- Comparing it ---- */

/* Holds the stored row against what it should be. What both are apart, noise
 * and all, is left in bench->source. */
static void compare_row(const Merge *merge, int64_t row, Bench *bench)
{
    Grid grid = grid_of(merge->type);
    double worst = bench->rounding.largest;
    int64_t wrong = -1;
    for (int64_t i = merge->width; i-- > 0;) {
        double ulp = grid_ulp(grid, bench->real[i]);
        double away = fabs(bench->stored[i] - bench->real[i]);
        double noise = merge->noise * bench->size[i];
        wrong = away <= 0.5 * ulp + noise && noise <= DBL_MAX ? wrong : i;
        if (away > worst * ulp)
            worst = away / ulp;
        bench->source[i] =
            away + noise + merge->inside * fabs(bench->stored[i]);
    }
    bench->rounding.largest = worst;
    for (int64_t i = 0; merge->counts && i < merge->width; i++) {
        double away = fabs(bench->stored[i] - bench->real[i]);
        rounding_take(&bench->rounding, away / grid_ulp(grid, bench->real[i]),
                      true);
    }
    if (wrong >= 0 && (bench->row < 0 || row < bench->row)) {
        bench->row = row;
        bench->at = wrong;
    }
}

static void bound_row(const Merge *merge, const Row *row)
{
    int64_t taps = operator_taps(merge->whole);
    const double *away = row->bench->source;
    double sum = 0;
    if (merge->whole->rows_are_outputs) {
        for (int64_t i = 0; i < merge->width; i++)
            sum += away[i];
        merge->bound[row->row] += sum;
        return;
    }
    for (int64_t i = 0; i < merge->width; i++)
        merge->bound[row->first + i / taps] += away[i];
}

static void drift_row(const Merge *merge, const Row *row)
{
    int64_t taps = operator_taps(merge->whole);
    bool rows = merge->whole->rows_are_outputs;
    const Bench *bench = row->bench;
    for (int64_t i = 0; i < merge->width; i++) {
        int64_t across = row->first + i / taps;
        double shift =
            coefs_real(merge->part->shift, rows ? across : row->row, 0);
        Drift *drift = &merge->drifts[rows ? row->row : across];
        drift->away += (bench->stored[i] - bench->real[i]) * shift;
        drift->noise += merge->noise * bench->size[i] * fabs(shift);
    }
}

/* What nobody reads may be anything. */
static void row_mask(const Merge *merge, const Row *row)
{
    int64_t taps = operator_taps(merge->whole);
    bool rows = merge->whole->rows_are_outputs;
    Bench *bench = row->bench;
    for (int64_t i = 0; i < merge->width; i++) {
        if (merge->is_read[rows ? row->row : row->first + i / taps])
            continue;
        bench->real[i] = bench->stored[i];
        bench->size[i] = 0;
    }
}

static Row row_build(const Merge *merge, int64_t index, Bench *bench)
{
    int64_t height = operator_rows(merge->whole) / merge->whole->group;
    size_t bytes = (size_t)merge->width * sizeof(double);
    Row row = {.merge = merge,
               .bench = bench,
               .row = index,
               .first = index / height * operator_columns(merge->whole)};
    memset(bench->real, 0, bytes);
    memset(bench->size, 0, bytes);
    for (int k = 0; k < merge->count; k++) {
        row.summand = &merge->summands[k];
        add_summand(&row);
    }
    constant_read(merge->whole->weight, index * merge->width, merge->width,
                  bench->stored);
    if (merge->is_read)
        row_mask(merge, &row);
    return row;
}

static void merge_rows(void *context, int worker, int64_t begin, int64_t end)
{
    const Merge *merge = context;
    Bench *bench = &merge->benches[worker];
    for (int64_t i = begin; i < end; i++) {
        Row row = row_build(merge, i, bench);
        if (merge->part->shift.size)
            drift_row(merge, &row);
        compare_row(merge, i, bench);
        bound_row(merge, &row);
    }
}

/* ---- One operator ---- */

/* The place that the whole reads. */
static int whole_place(const Region *region, const Merge *merge)
{
    int place = merge->part->place;
    while (region->places[place].kind != PLACE_LINEAR)
        place = region->places[place].inner;
    return region->places[place].inner;
}

static const Residue *whole_input(Region *region, const Merge *merge)
{
    int inner = whole_place(region, merge);
    const Operator *whole = merge->whole;
    int64_t taps = operator_taps(whole), offsets[SPACE_MAX];
    Residue *x =
        arena_array(region->arena, (size_t)(whole->inputs * taps), sizeof *x);
    for (int64_t i = 0; i < whole->inputs * taps; i++) {
        operator_offsets(whole, i % taps, offsets);
        x[i] = place_value(region, inner, i / taps, offsets);
    }
    return x;
}

static Bench benches_one(Region *region, int64_t length)
{
    size_t width = (size_t)length;
    double *room = arena_block(region->arena, 4 * width, sizeof *room);
    return (Bench){.real = room,
                   .size = room + width,
                   .stored = room + 2 * width,
                   .source = room + 3 * width,
                   .row = -1};
}

static void benches_make(Region *region, Merge *merge)
{
    int workers = pool_threads(region->pool);
    merge->benches =
        arena_array(region->arena, (size_t)workers, sizeof *merge->benches);
    for (int i = 0; i < workers; i++)
        merge->benches[i] = benches_one(region, merge->width);
}

static bool benches_judge(Region *region, Merge *merge)
{
    const Bench *wrong = NULL;
    Proof *proof = region->proof;
    for (int i = 0; i < pool_threads(region->pool); i++) {
        const Bench *bench = &merge->benches[i];
        rounding_add(&proof->rounding, &bench->rounding);
        if (bench->row >= 0 && (!wrong || bench->row < wrong->row))
            wrong = bench;
    }
    proof->weights += (uint64_t)merge->whole->weight->count;
    if (wrong)
        proof->why = arena_printf(
            proof->arena,
            "element %lld of the weight of \"%s\" is not what the fold gives",
            (long long)(wrong->row * merge->width + wrong->at),
            merge->whole->node->outputs[0]->name);
    for (int i = 0; i < pool_threads(region->pool); i++)
        arena_release(merge->benches[i].real);
    return !wrong;
}

static void merge_start(Region *region, Merge *merge)
{
    const Operator *whole = merge->whole;
    merge->width = operator_columns(whole) * operator_taps(whole);
    merge->type = whole->weight->array ? DT_DOUBLE : whole->weight->type;
    /* Each summand costs a product of two factors, one more, and a sum; once
     * here, and once where it was folded. */
    merge->noise = 2 * (merge->steps + 3 * merge->count + 2) * 0x1p-53;
    if (!merge->x)
        merge->x = whole_input(region, merge);
    merge->inside = place_bound(region, whole_place(region, merge));
    merge->counts = region->counts;
}

bool merge_fits(Region *region, Merge *merge, int rows)
{
    merge_start(region, merge);
    Merge part = *merge;
    size_t outputs = (size_t)merge->whole->outputs;
    part.y = arena_block(region->arena, outputs, sizeof *part.y);
    memset(part.y, 0, outputs * sizeof *part.y);
    Bench bench = benches_one(region, part.width);
    int64_t all = operator_rows(part.whole);
    for (int i = 0; i < rows && i < all; i++) {
        int64_t row = all < rows ? i : i * (all - 1) / (rows - 1);
        row_build(&part, row, &bench);
        compare_row(&part, row, &bench);
    }
    arena_release(bench.real);
    arena_release(part.y);
    return bench.row < 0;
}

bool merge_run(Region *region, Merge *merge)
{
    const Operator *whole = merge->whole;
    int64_t rows = operator_rows(whole);
    merge_start(region, merge);
    benches_make(region, merge);
    /* Rows of inputs all add to the same channels. */
    int64_t grain = whole->rows_are_outputs ? 4096 / merge->width + 1 : rows;
    pool_run(region->pool, rows, grain, merge_rows, merge);
    return benches_judge(region, merge);
}
