/*
 * Einsum.  Every label is an axis; a label that the output does not have is
 * summed over.  An ellipsis stands for labels of its own, aligned to the right.
 */
#include <ctype.h>
#include <string.h>

#include "exec/gemm.h"
#include "exec/move.h"

/* Letters have numbers 0 to 51; the axes of an ellipsis follow, last first. */
enum { LETTERS = 52, LABELS = LETTERS + RANK_MAX };

typedef struct Term {
    int rank;
    int labels[LABELS];
} Term;

typedef struct Einsum {
    Term *inputs;
    Term output;
    int ellipsis_rank;
    int64_t dims[LABELS];       /* -1 for a label that does not occur */
    int64_t (*strides)[LABELS]; /* of each input */
    Term summed;
} Einsum;

static int label_of(char letter)
{
    return islower((unsigned char)letter) ? letter - 'a' : letter - 'A' + 26;
}

static int bad_equation(Err *err)
{
    return err_set(err, ERR_BAD_ATTRIBUTE,
                   "its equation does not fit its inputs");
}

/* Reads one term up to a comma, an arrow or the end. `ellipsis` is the number
 * of axes that "..." stands for; -1 where it takes what `rank` leaves. */
static int read_term(const char **text, const char *end, int rank, int ellipsis,
                     Term *term, Err *err)
{
    int letters = 0;
    for (const char *p = *text; p < end && *p != ',' && *p != '-'; p++)
        letters += isalpha((unsigned char)*p) != 0;
    if (ellipsis < 0)
        ellipsis = rank - letters;
    *term = (Term){0};
    for (; *text < end && **text != ',' && **text != '-'; (*text)++) {
        if (**text == ' ')
            continue;
        if (term->rank + 1 > RANK_MAX)
            return bad_equation(err);
        if (isalpha((unsigned char)**text)) {
            term->labels[term->rank++] = label_of(**text);
            continue;
        }
        if (end - *text < 3 || memcmp(*text, "...", 3) != 0 || ellipsis < 0 ||
            term->rank + ellipsis > RANK_MAX)
            return bad_equation(err);
        for (int i = ellipsis - 1; i >= 0; i--)
            term->labels[term->rank++] = LETTERS + i;
        *text += 2;
    }
    return rank >= 0 && term->rank != rank ? bad_equation(err) : 0;
}

/* Takes an input's dims into those of the labels. */
static int join_dims(Einsum *e, int input, const Array *array, Err *err)
{
    int64_t strides[RANK_MAX];
    const Term *term = &e->inputs[input];
    dims_strides(array->rank, array->dims, strides);
    for (int i = 0; i < term->rank; i++) {
        int label = term->labels[i];
        int64_t *dim = &e->dims[label];
        if (*dim < 0 || *dim == 1)
            *dim = array->dims[i];
        if (array->dims[i] != *dim && array->dims[i] != 1)
            return bad_equation(err);
        if (array->dims[i] != 1)
            e->strides[input][label] += strides[i];
        if (label >= LETTERS && label - LETTERS >= e->ellipsis_rank)
            e->ellipsis_rank = label - LETTERS + 1;
    }
    return 0;
}

/* Without an arrow the output has the ellipsis, then every letter that occurs
 * once, in alphabetical order. */
static void imply_output(Einsum *e, int inputs)
{
    int uses[LABELS] = {0};
    for (int k = 0; k < inputs; k++)
        for (int i = 0; i < e->inputs[k].rank; i++)
            uses[e->inputs[k].labels[i]]++;
    for (int i = e->ellipsis_rank - 1; i >= 0; i--)
        e->output.labels[e->output.rank++] = LETTERS + i;
    for (int capital = 1; capital >= 0; capital--)
        for (int i = 0; i < 26; i++)
            if (uses[26 * capital + i] == 1)
                e->output.labels[e->output.rank++] = 26 * capital + i;
}

static int read_equation(KernelCall *call, Einsum *e, Err *err)
{
    const Attr *attr = node_attr(call->node, "equation");
    if (!attr || attr->type != ATTR_STRING)
        return bad_equation(err);
    const char *text = (const char *)attr->s.bytes;
    const char *end = text + attr->s.size;
    for (int i = 0; i < call->input_count; i++) {
        const Array *input = call->inputs[i];
        TRY(read_term(&text, end, input->rank, -1, &e->inputs[i], err));
        TRY(join_dims(e, i, input, err));
        bool more = text < end && *text == ',';
        if (more != (i + 1 < call->input_count))
            return bad_equation(err);
        text += more;
    }
    if (text == end) {
        imply_output(e, call->input_count);
        return 0;
    }
    if (end - text < 2 || text[1] != '>')
        return bad_equation(err);
    text += 2;
    TRY(read_term(&text, end, -1, e->ellipsis_rank, &e->output, err));
    return text == end ? 0 : bad_equation(err);
}

/* The labels that occur but are not in the output; an output label must occur,
 * and only once. */
static int find_summed(Einsum *e, Err *err)
{
    bool kept[LABELS] = {false};
    for (int i = 0; i < e->output.rank; i++) {
        int label = e->output.labels[i];
        if (kept[label] || e->dims[label] < 0)
            return bad_equation(err);
        kept[label] = true;
    }
    for (int label = 0; label < LABELS; label++)
        if (!kept[label] && e->dims[label] >= 0)
            e->summed.labels[e->summed.rank++] = label;
    return 0;
}

/* Adds to each input's offset where `position` among the term's labels lies.
 */
static void move_to(const Einsum *e, int inputs, const Term *term,
                    int64_t position, int64_t *offsets)
{
    for (int i = term->rank - 1; i >= 0; i--) {
        int label = term->labels[i];
        int64_t index = position % e->dims[label];
        position /= e->dims[label];
        for (int k = 0; k < inputs; k++)
            offsets[k] += index * e->strides[k][label];
    }
}

static int64_t term_count(const Einsum *e, const Term *term)
{
    int64_t count = 1;
    for (int i = 0; i < term->rank; i++)
        if (__builtin_mul_overflow(count, e->dims[term->labels[i]], &count))
            return INT64_MAX;
    return count;
}

typedef struct EinsumTask {
    KernelCall *call;
    const Einsum *e;
    int64_t *scratch; /* offsets: two rows for each worker */
} EinsumTask;

static void sum_element(const EinsumTask *task, const int64_t *origin,
                        int64_t *offsets, int64_t position)
{
    KernelCall *call = task->call;
    const Array *out = call->outputs[0];
    int inputs = call->input_count;
    int64_t count = term_count(task->e, &task->e->summed);
    double sum = 0;
    uint64_t integer = 0;
    for (int64_t s = 0; s < count; s++) {
        double product = 1;
        uint64_t integers = 1;
        memcpy(offsets, origin, (size_t)inputs * sizeof *offsets);
        move_to(task->e, inputs, &task->e->summed, s, offsets);
        for (int k = 0; k < inputs; k++) {
            product *= kernel_real(call, call->inputs[k], offsets[k]);
            integers *= (uint64_t)kernel_int(call, call->inputs[k], offsets[k]);
        }
        sum += product;
        integer += integers;
    }
    if (kernel_storage(call, out) == STORAGE_I64)
        ((int64_t *)out->data)[position] =
            integer_wrap(out->type, (int64_t)integer);
    else
        array_put(out, call->precision, position, sum);
}

static void einsum_piece(void *context, int worker, int64_t begin, int64_t end)
{
    const EinsumTask *task = context;
    size_t inputs = (size_t)task->call->input_count;
    int64_t *origin = task->scratch + 2 * inputs * (size_t)worker;
    for (int64_t position = begin; position < end; position++) {
        memset(origin, 0, inputs * sizeof *origin);
        move_to(task->e, (int)inputs, &task->e->output, position, origin);
        sum_element(task, origin, origin + inputs, position);
    }
}

/* ---- Of two inputs: a matrix product ---- */

/* Labels by what they are in a product of matrices: of both inputs and the
 * output, of the first and the output, of the second and the output, of both
 * and summed. */
typedef enum Role { BATCH, ROWS, COLUMNS, DEPTH, ROLES } Role;

typedef struct EinsumProduct {
    KernelCall *call;
    const Einsum *e;
    Term terms[ROLES];
    int64_t counts[ROLES];
    Gemm gemm;
    char *a, *b, *c; /* of the first matrix of the batch */
    size_t size;
    char *scratch;
} EinsumProduct;

static bool term_has(const Term *term, int label)
{
    for (int i = 0; i < term->rank; i++)
        if (term->labels[i] == label)
            return true;
    return false;
}

static void term_add(Term *term, int label)
{
    term->labels[term->rank++] = label;
}

/* False where a label is of one input alone and summed. */
static bool find_roles(const Einsum *e, Term *terms)
{
    for (int i = 0; i < e->output.rank; i++) {
        int label = e->output.labels[i];
        bool in_a = term_has(&e->inputs[0], label);
        bool in_b = term_has(&e->inputs[1], label);
        term_add(&terms[in_a && in_b ? BATCH : in_a ? ROWS : COLUMNS], label);
    }
    for (int i = 0; i < e->summed.rank; i++) {
        int label = e->summed.labels[i];
        if (!term_has(&e->inputs[0], label) || !term_has(&e->inputs[1], label))
            return false;
        term_add(&terms[DEPTH], label);
    }
    for (int role = 0; role < ROLES; role++)
        if (terms[role].rank > RANK_MAX)
            return false;
    return true;
}

/* The dims of some roles' labels one after another, and the strides that each
 * has in an array. */
static int lay_out(const EinsumProduct *p, const Role *roles,
                   const int64_t *of_label, int64_t *dims, int64_t *strides)
{
    int rank = 0;
    for (int r = 0; r < 3; r++)
        for (int i = 0; i < p->terms[roles[r]].rank; i++) {
            int label = p->terms[roles[r]].labels[i];
            dims[rank] = p->e->dims[label];
            strides[rank++] = of_label[label];
        }
    return rank;
}

/* Moves an array that has these strides into a dense one in the order of the
 * roles, or back from one that is given. */
static void *rearrange(const EinsumProduct *p, const Role *roles,
                       const int64_t *of_label, void *data, void *dense)
{
    int64_t dims[2 * RANK_MAX];
    Strided theirs = {.data = data}, ours = {.data = dense};
    int rank = lay_out(p, roles, of_label, dims, theirs.strides);
    dims_strides(rank, dims, ours.strides);
    if (dense) {
        move_block(p->call, p->size, rank, dims, &ours, &theirs);
        return dense;
    }
    size_t count = (size_t)dims_product(dims, 0, rank);
    ours.data = arena_block(p->call->arena, count, p->size);
    move_block(p->call, p->size, rank, dims, &theirs, &ours);
    return ours.data;
}

static void product_piece(void *context, int worker, int64_t begin, int64_t end)
{
    const EinsumProduct *p = context;
    int64_t tiles = p->gemm.row_count * p->gemm.column_count;
    for (int64_t unit = begin; unit < end; unit++) {
        Gemm gemm = p->gemm;
        size_t batch = (size_t)(unit / tiles) * p->size;
        gemm.a.data = p->a + batch * (size_t)(gemm.rows * gemm.depth);
        gemm.b.data = p->b + batch * (size_t)(gemm.depth * gemm.columns);
        gemm.c = p->c + batch * (size_t)(gemm.rows * gemm.columns);
        gemm_tile(&gemm, unit % tiles, worker,
                  p->scratch + (size_t)worker * gemm.scratch_size);
    }
}

static void run_product(EinsumProduct *p)
{
    static const Role a[] = {BATCH, ROWS, DEPTH};
    static const Role b[] = {BATCH, DEPTH, COLUMNS};
    static const Role c[] = {BATCH, ROWS, COLUMNS};
    KernelCall *call = p->call;
    const Einsum *e = p->e;
    const Array *out = call->outputs[0];
    int64_t of_label[LABELS], strides[RANK_MAX];
    dims_strides(out->rank, out->dims, strides);
    for (int i = 0; i < out->rank; i++)
        of_label[e->output.labels[i]] = strides[i];
    p->a = rearrange(p, a, e->strides[0], call->inputs[0]->data, NULL);
    p->b = rearrange(p, b, e->strides[1], call->inputs[1]->data, NULL);
    p->c = arena_block(call->arena, (size_t)out->count, p->size);
    p->gemm = (Gemm){.set = gemm_set(call->precision, call->level),
                     .rows = p->counts[ROWS],
                     .columns = p->counts[COLUMNS],
                     .depth = p->counts[DEPTH],
                     .a = {NULL, p->counts[DEPTH], 1},
                     .b = {NULL, p->counts[COLUMNS], 1},
                     .alpha = 1,
                     .c_step = p->counts[COLUMNS]};
    int threads = pool_threads(call->pool);
    gemm_plan(&p->gemm, p->counts[BATCH], threads);
    p->scratch =
        arena_block(call->arena, (size_t)threads, p->gemm.scratch_size);
    pool_run(call->pool,
             p->counts[BATCH] * p->gemm.row_count * p->gemm.column_count, 1,
             product_piece, p);
    rearrange(p, c, of_label, out->data, p->c);
}

/* False where it is no product of two matrices of reals. */
static bool try_product(KernelCall *call, const Einsum *e)
{
    EinsumProduct p = {.call = call, .e = e};
    Storage storage = kernel_storage(call, call->outputs[0]);
    if (call->input_count != 2 || storage == STORAGE_I64 ||
        !find_roles(e, p.terms))
        return false;
    p.size = storage_size(storage);
    for (int role = 0; role < ROLES; role++)
        p.counts[role] = term_count(e, &p.terms[role]);
    run_product(&p);
    return true;
}

int kernel_einsum(KernelCall *call, Err *err)
{
    size_t inputs = (size_t)call->input_count;
    Einsum e = {.inputs = arena_array(call->arena, inputs, sizeof(Term)),
                .strides =
                    arena_array(call->arena, inputs, sizeof(int64_t[LABELS]))};
    for (int i = 0; i < LABELS; i++)
        e.dims[i] = -1;
    TRY(read_equation(call, &e, err));
    TRY(find_summed(&e, err));
    int64_t count = term_count(&e, &e.output);
    if (count != call->outputs[0]->count)
        return bad_equation(err);
    if (try_product(call, &e))
        return 0;
    EinsumTask task = {.call = call, .e = &e};
    task.scratch =
        arena_array(call->arena, 2 * inputs * (size_t)pool_threads(call->pool),
                    sizeof *task.scratch);
    int64_t work = term_count(&e, &e.summed);
    pool_run(call->pool, count, 1 + GRAIN / (work > 0 ? work : 1), einsum_piece,
             &task);
    return 0;
}
