/*
 * Einsum.  Every label is an axis; a label that the output does not have is
 * summed over.  An ellipsis stands for labels of its own, aligned to the right.
 */
#include <ctype.h>
#include <string.h>

#include "exec/kernel.h"

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
    EinsumTask task = {.call = call, .e = &e};
    task.scratch =
        arena_array(call->arena, 2 * inputs * (size_t)pool_threads(call->pool),
                    sizeof *task.scratch);
    int64_t work = term_count(&e, &e.summed);
    pool_run(call->pool, count, 1 + GRAIN / (work > 0 ? work : 1), einsum_piece,
             &task);
    return 0;
}
