/*
 * LSTM, GRU and RNN, as opset 14 has them: for each step of a sequence, with
 * x its input, h and c the states before,
 *
 *     RNN    h' = f(W x + R h)
 *     GRU    z = f(Wz x + Rz h), r = f(Wr x + Rr h)
 *            n = g(Wn x + Rn (r h)), or g(Wn x + r (Rn h)) with
 *            linear_before_reset
 *            h' = (1 - z) n + z h
 *     LSTM   i = f(Wi x + Ri h + Pi c), o = f(Wo x + Ro h + Po c')
 *            f = f(Wf x + Rf h + Pf c), or 1 - i with input_forget
 *            c' = f c + i g(Wc x + Rc h), h' = o h(c')
 *
 * and a bias with each matrix.  W is applied to all steps at once; then each
 * sequence of each direction goes its own way.
 */
#include <string.h>
#include <strings.h>

#include "exec/chain.h"
#include "exec/elementary.h"
#include "exec/gemm.h"
#include "exec/integer.h"

enum { FUNCTIONS = 3, DIRECTIONS = 2 };

typedef struct Activation {
    MapRow *row;
    MapNumbers numbers;
} Activation;

typedef struct Direction {
    bool is_reverse;
    Activation functions[FUNCTIONS];
    const void *bias, *recurrent_bias, *peephole; /* NULL for 0 */
    void *shares; /* what W gives to the gates, for all steps */
    /* R of all gates, or of all but the last, which is then by itself. */
    Gemm recurrent, recurrent_last;
} Direction;

typedef struct Layer {
    Op op;
    int64_t gates, time, batch, units, count; /* count of directions */
    bool batch_first, resets_after, couples;
    double clip; /* 0 for none */
    const Array *initial_h, *initial_c, *y, *last_h, *last_c;
    const int64_t *lengths; /* of the sequences; NULL where all are full */
    Direction directions[DIRECTIONS];
    Precision precision;
    struct Workspace *workspaces; /* of each worker */
} Layer;

typedef struct Workspace {
    void *gates, *recurrent, *h, *c, *scratch;
    int worker;
} Workspace;

static int64_t input_row(const Layer *l, int64_t sequence, int64_t time)
{
    return l->batch_first ? sequence * l->time + time
                          : time * l->batch + sequence;
}

static int64_t output_index(const Layer *l, int64_t direction, int64_t sequence,
                            int64_t time)
{
    int64_t row = l->batch_first
                      ? (sequence * l->time + time) * l->count + direction
                      : (time * l->count + direction) * l->batch + sequence;
    return row * l->units;
}

static int64_t state_index(const Layer *l, int64_t direction, int64_t sequence)
{
    int64_t row = l->batch_first ? sequence * l->count + direction
                                 : direction * l->batch + sequence;
    return row * l->units;
}

#include "exec/real_f32.h"

#include "exec/kern_recurrent.inc.c"

#include "exec/real_f64.h"

#include "exec/kern_recurrent.inc.c"

static void layer_piece(void *context, int worker, int64_t begin, int64_t end)
{
    const Layer *l = context;
    for (int64_t i = begin; i < end; i++)
        if (l->precision == PRECISION_F32)
            run_sequence_f32(l, i / l->batch, i % l->batch,
                             &l->workspaces[worker]);
        else
            run_sequence_f64(l, i / l->batch, i % l->batch,
                             &l->workspaces[worker]);
}

/* ---- Activations ---- */

/* What their names say, and how many numbers each takes from activation_alpha
 * and activation_beta. The last two are no operators of their own. */
static const struct {
    const char *name;
    Op op;
    bool alpha, beta;
} known[] = {
    {"Relu", OP_Relu, false, false},
    {"Tanh", OP_Tanh, false, false},
    {"Sigmoid", OP_Sigmoid, false, false},
    {"Softsign", OP_Softsign, false, false},
    {"Softplus", OP_Softplus, false, false},
    {"LeakyRelu", OP_LeakyRelu, true, false},
    {"ThresholdedRelu", OP_ThresholdedRelu, true, false},
    {"Elu", OP_Elu, true, false},
    {"HardSigmoid", OP_HardSigmoid, true, true},
    {"Affine", OP_OTHER, true, true},
    {"ScaledTanh", OP_OTHER, true, true},
};

static size_t activation_find(Span name)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (name.size == strlen(known[i].name) &&
            strncasecmp((const char *)name.bytes, known[i].name, name.size) ==
                0)
            return i;
    return SIZE_MAX;
}

static void activation_set(const Layer *l, size_t which, Activation *to)
{
    bool is_f32 = l->precision == PRECISION_F32;
    bool is_affine = strcmp(known[which].name, "Affine") == 0;
    *to = (Activation){.numbers = {.alpha = 1, .beta = is_affine ? 0 : 1}};
    if (known[which].op != OP_OTHER)
        to->row = map_row(known[which].op, l->precision, &to->numbers);
    else if (is_affine)
        to->row = is_f32 ? affine_f32 : affine_f64;
    else
        to->row = is_f32 ? scaled_tanh_f32 : scaled_tanh_f64;
}

/* The next number of a list for those activations that take one. */
static void take_number(const Attr *list, size_t *next, double *to)
{
    if (list && list->type == ATTR_FLOATS && *next < list->count)
        *to = (double)list->floats[(*next)++];
}

/* `count` functions for each direction, by the attribute or those names. */
static int read_activations(const Node *node, Layer *l, size_t count,
                            const char *const *defaults, Err *err)
{
    const Attr *names = node_attr(node, "activations");
    const Attr *alphas = node_attr(node, "activation_alpha");
    const Attr *betas = node_attr(node, "activation_beta");
    size_t all = count * (size_t)l->count, alpha = 0, beta = 0;
    if (names && (names->type != ATTR_STRINGS || names->count != all))
        return err_set(err, ERR_BAD_ATTRIBUTE,
                       "it does not name %zu activations", all);
    for (size_t i = 0; i < all; i++) {
        const char *usual = defaults[i % count];
        Span name = names ? names->strings[i]
                          : (Span){(const uint8_t *)usual, strlen(usual)};
        Activation *to = &l->directions[i / count].functions[i % count];
        size_t which = activation_find(name);
        if (which == SIZE_MAX)
            return err_set(err, ERR_BAD_ATTRIBUTE,
                           "one of its activations is unknown");
        activation_set(l, which, to);
        if (known[which].alpha)
            take_number(alphas, &alpha, &to->numbers.alpha);
        if (known[which].beta)
            take_number(betas, &beta, &to->numbers.beta);
    }
    return 0;
}

/* ---- Weights ---- */

/* Input `slot`, which must have that shape where it is there. */
static int take(const KernelCall *call, int slot, int rank, const int64_t *dims,
                const Array **out, Err *err)
{
    *out = kernel_input(call, slot);
    if (!*out || array_has_shape(*out, rank, dims))
        return 0;
    return err_set(err, ERR_BAD_SHAPE, "input %d does not fit the others",
                   slot);
}

static const void *element_at(const KernelCall *call, const Array *array,
                              int64_t index)
{
    size_t size = storage_size(kernel_storage(call, call->inputs[0]));
    return array ? (const char *)array->data + (size_t)index * size : NULL;
}

/* A matrix of these rows, transposed, and packed for products with one row. */
static Gemm packed_product(const KernelCall *call, const void *rows,
                           int64_t count, int64_t depth)
{
    const GemmSet *set = gemm_set(call->precision, call->level);
    size_t size = storage_size(kernel_storage(call, call->inputs[0]));
    Matrix b = {rows, 1, depth};
    void *packed =
        kernel_scratch(call, (size_t)gemm_packed_b(set, depth, count), size);
    gemm_pack_b(call->pool, set, &b, depth, count, packed);
    Gemm product = {.set = set,
                    .rows = 1,
                    .columns = count,
                    .depth = depth,
                    .b_packed = packed,
                    .a = {NULL, depth, 1},
                    .alpha = 1,
                    .c_step = count};
    gemm_plan(&product, 1, 1);
    return product;
}

typedef struct Multiplication {
    Gemm gemm;
    char *scratch;
} Multiplication;

static void multiply_piece(void *context, int worker, int64_t begin,
                           int64_t end)
{
    const Multiplication *job = context;
    for (int64_t i = begin; i < end; i++)
        gemm_tile(&job->gemm, i, worker,
                  job->scratch + (size_t)worker * job->gemm.scratch_size);
}

/* The shares of all steps: X W^T, a row for each. */
static void *multiply(const KernelCall *call, const void *w, int64_t width)
{
    const Array *x = call->inputs[0];
    int64_t rows = x->dims[0] * x->dims[1], depth = x->dims[2];
    size_t size = storage_size(kernel_storage(call, x));
    void *shares = kernel_scratch(call, (size_t)rows * size, (size_t)width);
    Multiplication job = {{.set = gemm_set(call->precision, call->level),
                           .rows = rows,
                           .columns = width,
                           .depth = depth,
                           .a = {x->data, depth, 1},
                           .b = {w, 1, depth},
                           .alpha = 1,
                           .c = shares,
                           .c_step = width},
                          NULL};
    if (rows == 0)
        return shares;
    gemm_plan(&job.gemm, 1, pool_threads(call->pool));
    job.scratch = kernel_scratch(call, (size_t)pool_threads(call->pool),
                                 job.gemm.scratch_size);
    pool_run(call->pool, job.gemm.row_count * job.gemm.column_count, 1,
             multiply_piece, &job);
    return shares;
}

static int read_directions(const KernelCall *call, Layer *l, Err *err)
{
    int64_t width = l->gates * l->units, features = call->inputs[0]->dims[2];
    const Array *w, *r, *b, *p = NULL;
    TRY(take(call, 1, 3, (int64_t[]){l->count, width, features}, &w, err));
    TRY(take(call, 2, 3, (int64_t[]){l->count, width, l->units}, &r, err));
    TRY(take(call, 3, 2, (int64_t[]){l->count, 2 * width}, &b, err));
    if (l->op == OP_LSTM)
        TRY(take(call, 7, 2, (int64_t[]){l->count, 3 * l->units}, &p, err));
    bool is_split = l->op == OP_GRU && !l->resets_after;
    int64_t first = is_split ? 2 * l->units : width;
    for (int64_t i = 0; i < l->count; i++) {
        Direction *d = &l->directions[i];
        int64_t matrix = i * width * l->units;
        d->is_reverse =
            i == 1 || node_string_is(call->node, "direction", "reverse");
        d->bias = element_at(call, b, 2 * i * width);
        d->recurrent_bias = element_at(call, b, (2 * i + 1) * width);
        d->peephole = element_at(call, p, 3 * i * l->units);
        d->shares =
            multiply(call, element_at(call, w, i * width * features), width);
        d->recurrent =
            packed_product(call, element_at(call, r, matrix), first, l->units);
        if (is_split)
            d->recurrent_last = packed_product(
                call, element_at(call, r, matrix + first * l->units), l->units,
                l->units);
    }
    return 0;
}

/* ---- The layer ---- */

static void make_workspaces(const KernelCall *call, Layer *l)
{
    int threads = pool_threads(call->pool);
    size_t size = storage_size(kernel_storage(call, call->inputs[0]));
    size_t width = (size_t)(l->gates * l->units), units = (size_t)l->units;
    const Direction *d = &l->directions[0];
    size_t scratch = d->recurrent.scratch_size;
    if (scratch < d->recurrent_last.scratch_size)
        scratch = d->recurrent_last.scratch_size;
    l->workspaces =
        arena_array(call->arena, (size_t)threads, sizeof *l->workspaces);
    for (int i = 0; i < threads; i++)
        l->workspaces[i] =
            (Workspace){.gates = kernel_scratch(call, width, size),
                        .recurrent = kernel_scratch(call, width, size),
                        .h = kernel_scratch(call, units, size),
                        .c = kernel_scratch(call, units, size),
                        .scratch = kernel_scratch(call, scratch, 1),
                        .worker = i};
}

static int read_states(const KernelCall *call, Layer *l, Err *err)
{
    const int64_t dims[3] = {l->batch_first ? l->batch : l->count,
                             l->batch_first ? l->count : l->batch, l->units};
    const Array *lengths;
    TRY(take(call, 5, 3, dims, &l->initial_h, err));
    if (l->op == OP_LSTM) {
        TRY(take(call, 6, 3, dims, &l->initial_c, err));
        l->last_c = kernel_output(call, 2);
    }
    l->y = call->outputs[0];
    l->last_h = kernel_output(call, 1);
    TRY(take(call, 4, 1, &l->batch, &lengths, err));
    l->lengths = lengths ? lengths->data : NULL;
    for (int64_t i = 0; lengths && i < l->batch; i++)
        if (l->lengths[i] < 0 || l->lengths[i] > l->time)
            return err_set(err, ERR_BAD_SHAPE,
                           "a sequence has %lld of %lld steps",
                           (long long)l->lengths[i], (long long)l->time);
    return 0;
}

static int run_layer(KernelCall *call, int64_t gates, size_t functions,
                     const char *const *defaults, Err *err)
{
    static const char *const directions[] = {"forward", "reverse",
                                             "bidirectional"};
    const Node *node = call->node;
    const Array *x = call->inputs[0];
    const char *direction = kernel_text(node, "direction", directions, 3);
    Layer l = {.op = node->op,
               .gates = gates,
               .units = call->inputs[2]->dims[2],
               .count = direction == directions[2] ? 2 : 1,
               .batch_first = node_int(node, "layout", 0) != 0,
               .resets_after = node_int(node, "linear_before_reset", 0) != 0,
               .couples = node_int(node, "input_forget", 0) != 0,
               .clip = (double)node_float(node, "clip", 0),
               .precision = call->precision};
    l.time = x->dims[l.batch_first ? 1 : 0];
    l.batch = x->dims[l.batch_first ? 0 : 1];
    if (!direction)
        return err_set(err, ERR_BAD_ATTRIBUTE, "its direction is unknown");
    TRY(read_activations(node, &l, functions, defaults, err));
    TRY(read_states(call, &l, err));
    TRY(read_directions(call, &l, err));
    make_workspaces(call, &l);
    pool_run(call->pool, l.count * l.batch, 1, layer_piece, &l);
    return 0;
}

int kernel_lstm(KernelCall *call, Err *err)
{
    static const char *const defaults[] = {"Sigmoid", "Tanh", "Tanh"};
    return run_layer(call, 4, 3, defaults, err);
}

int kernel_gru(KernelCall *call, Err *err)
{
    static const char *const defaults[] = {"Sigmoid", "Tanh"};
    return run_layer(call, 3, 2, defaults, err);
}

int kernel_rnn(KernelCall *call, Err *err)
{
    static const char *const defaults[] = {"Tanh"};
    return run_layer(call, 1, 1, defaults, err);
}
