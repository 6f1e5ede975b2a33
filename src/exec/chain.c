#include "exec/chain.h"

#include <string.h>

void chain_init(Chain *chain, const Array *shape, Precision precision)
{
    chain->storage = array_storage(shape->type, precision);
    chain->shape = *shape;
    chain->count = 0;
    chain->misfit = !dtype_is_real(shape->type);
}

Array chain_register(Chain *chain, int index, DType type)
{
    Array array = chain->shape;
    array.type = type;
    array.data = &chain->marks[index];
    return array;
}

/* ---- Rows ---- */

/* How an array is broadcast to the shape; false when its elements are not
 * repeated as an Operand can say, or it does not broadcast. */
static bool operand_spread(const Array *shape, const Array *array,
                           Operand *operand)
{
    int shift = shape->rank - array->rank;
    int first = RANK_MAX, end = 0;
    for (int i = 0; i < array->rank; i++) {
        if (array->dims[i] == 1)
            continue;
        if (shift + i < 0 || array->dims[i] != shape->dims[shift + i])
            return false;
        first = first < i ? first : i;
        end = i + 1;
    }
    for (int i = first; i < end; i++)
        if (array->dims[i] != shape->dims[shift + i])
            return false;
    operand->period = array->count;
    operand->inner = array->count == 1
                         ? 1
                         : dims_product(shape->dims, shift + end, shape->rank);
    return true;
}

bool chain_takes(const Array *shape, const Array *array)
{
    Operand operand;
    return dtype_is_real(array->type) && operand_spread(shape, array, &operand);
}

static void set_operand(Chain *chain, const Array *array, Operand *operand)
{
    *operand = (Operand){.in_register = array ? -1 : chain->to};
    if (!array)
        return;
    operand->data = array->data;
    for (int r = 0; r < CHAIN_VALUES; r++)
        if (array->data == &chain->marks[r])
            operand->in_register = r;
    if (!dtype_is_real(array->type) ||
        !operand_spread(&chain->shape, array, operand))
        chain->misfit = true;
}

static ChainRow *add_row(Chain *chain)
{
    if (chain->count == CHAIN_ROWS)
        chain->misfit = true;
    else
        chain->count++;
    ChainRow *row = &chain->rows[chain->count - 1];
    *row = (ChainRow){.to = chain->to};
    return row;
}

void chain_map(Chain *chain, MapRow *map, const MapNumbers *numbers,
               const Array *in)
{
    ChainRow *row = add_row(chain);
    row->map = map;
    row->numbers = *numbers;
    set_operand(chain, in, &row->left);
}

void chain_zip(Chain *chain, ZipRow *zip, const Array *left, const Array *right)
{
    ChainRow *row = add_row(chain);
    row->zip = zip;
    set_operand(chain, left, &row->left);
    set_operand(chain, right, &row->right);
}

void chain_sum(Chain *chain, ZipRow *zip, const Array *left, const Array *right)
{
    chain_zip(chain, zip, left, right);
    chain->rows[chain->count - 1].sums = true;
}

void chain_affine(Chain *chain, AffineRow *affine, const Channels *channels,
                  const Array *in)
{
    ChainRow *row = add_row(chain);
    row->affine = affine;
    row->channels = *channels;
    set_operand(chain, in, &row->left);
}

/* ---- An affine row and a sum as one ---- */

/* How often a row reads a register. */
static int reads_of(const ChainRow *row, int r)
{
    bool has_right = row->zip || (row->affine && row->sums);
    return (row->left.in_register == r) +
           (has_right && row->right.in_register == r);
}

/* The row that alone reads what row `at` leaves in its register; else -1. */
static int sole_reader(const Chain *chain, int at)
{
    int found = -1, reads = 0, r = chain->rows[at].to;
    for (int i = at + 1; i < chain->count; i++) {
        if (reads_of(&chain->rows[i], r) > 0)
            found = i;
        reads += reads_of(&chain->rows[i], r);
        if (chain->rows[i].to == r)
            break;
    }
    return reads == 1 ? found : -1;
}

/* True when rows (first, end) leave alone what an operand reads. */
static bool lasts(const Chain *chain, const Operand *operand, int first,
                  int end)
{
    for (int i = first + 1; i < end; i++)
        if (chain->rows[i].to == operand->in_register)
            return false;
    return true;
}

/* True when an operand's elements come one after the other. */
static bool is_plain(const Chain *chain, const Operand *operand)
{
    return operand->in_register >= 0 ||
           (operand->inner == 1 && operand->period == chain->shape.count);
}

/* Lets the row that adds what row `at`, an affine one, computes do both. */
static bool merge(Chain *chain, int at)
{
    int reader = sole_reader(chain, at);
    if (reader < 0 || !chain->rows[reader].zip || !chain->rows[reader].sums)
        return false;
    ChainRow *sum = &chain->rows[reader], *row = &chain->rows[at];
    bool is_left = sum->left.in_register == row->to;
    Operand other = is_left ? sum->right : sum->left;
    if (!is_plain(chain, &other) || !is_plain(chain, &row->left) ||
        !lasts(chain, &row->left, at, reader))
        return false;
    sum->zip = NULL;
    sum->affine = row->affine;
    sum->channels = row->channels;
    sum->left = row->left;
    sum->right = other;
    chain->count--;
    memmove(row, row + 1, (size_t)(chain->count - at) * sizeof *row);
    return true;
}

void chain_finish(Chain *chain)
{
    for (int at = 0; !chain->misfit && at < chain->count;)
        if (!chain->rows[at].affine || chain->rows[at].sums ||
            !merge(chain, at))
            at++;
}

/* ---- Running ---- */

/* Each element `inner` times, from `index` on, of whose `inner` `done` are
 * gone. */
#define REPEAT(type)                                                           \
    do {                                                                       \
        const type *from = (const void *)operand->data;                        \
        type *to = (void *)room;                                               \
        for (int64_t i = 0, end; i < count; done = 0) {                        \
            end = i + operand->inner - done;                                   \
            end = end < count ? end : count;                                   \
            for (; i < end; i++)                                               \
                to[i] = from[index];                                           \
            index = index + 1 == operand->period ? 0 : index + 1;              \
        }                                                                      \
    } while (0)

/* Elements [first, first + count) of an operand, written out. */
static void spread(const Operand *operand, size_t size, int64_t first,
                   int64_t count, char *room)
{
    int64_t index = first / operand->inner % operand->period;
    int64_t done = first % operand->inner;
    if (operand->inner == 1) {
        for (int64_t i = 0, now; i < count; i += now, index = 0) {
            now = operand->period - index;
            now = now < count - i ? now : count - i;
            memcpy(room + (size_t)i * size,
                   operand->data + (size_t)index * size, (size_t)now * size);
        }
        return;
    }
    if (size == sizeof(uint32_t))
        REPEAT(uint32_t);
    else
        REPEAT(uint64_t);
}

/* A piece of work of one thread. */
typedef struct Piece {
    size_t size;   /* of an element */
    int64_t whole; /* elements of the chain's shape */
    int64_t first, count;
    char *out;
    const void *const *beside; /* what they hold, from `start` on */
    int64_t start;
    int64_t inner, channels; /* for which `at` is the first element's */
    ChannelAt at;
    /* Registers, and an operand of either side that had to be written out. */
    _Alignas(64) char room[CHAIN_REGISTERS + 2][CHAIN_BLOCK * sizeof(double)];
} Piece;

/* Where the piece's elements of an operand are, and whether they are one after
 * the other or all the same. */
static const void *operand_at(const Operand *operand, Piece *piece, int side,
                              int64_t *step)
{
    *step = 1;
    if (operand->in_register == CHAIN_OUTPUT)
        return piece->out;
    if (operand->in_register >= CHAIN_BESIDE)
        return (const char *)
                   piece->beside[operand->in_register - CHAIN_BESIDE] +
               (size_t)(piece->first - piece->start) * piece->size;
    if (operand->in_register >= 0)
        return piece->room[operand->in_register];
    int64_t first = piece->first, count = piece->count;
    if (operand->period == piece->whole)
        return operand->data + (size_t)first * piece->size;
    int64_t index = first / operand->inner % operand->period;
    const char *at = operand->data + (size_t)index * piece->size;
    if (operand->inner == 1 && index + count <= operand->period)
        return at;
    *step = 0;
    if (operand->period == 1 ||
        first % operand->inner + count <= operand->inner)
        return at;
    *step = 1;
    spread(operand, piece->size, first, count,
           piece->room[CHAIN_REGISTERS + side]);
    return piece->room[CHAIN_REGISTERS + side];
}

ChannelAt channels_find(const Channels *channels, int64_t index)
{
    return (ChannelAt){index / channels->inner % channels->count,
                       channels->inner - index % channels->inner};
}

/* The same channels for all rows, mostly: they are looked for once. */
static void run_affine(const ChainRow *row, Piece *piece, const void *left,
                       const void *right, void *out)
{
    const Channels *channels = &row->channels;
    if (piece->inner != channels->inner || piece->channels != channels->count)
        piece->at = channels_find(channels, piece->first);
    piece->inner = channels->inner;
    piece->channels = channels->count;
    row->affine(left, right, out, piece->count, channels, piece->at);
}

static void run_rows(const Chain *chain, Piece *piece)
{
    piece->inner = 0;
    for (int i = 0; i < chain->count; i++) {
        const ChainRow *row = &chain->rows[i];
        int64_t left_step, right_step = 0;
        const void *right = NULL;
        const void *left = operand_at(&row->left, piece, 0, &left_step);
        char *out = i + 1 < chain->count ? piece->room[row->to] : piece->out;
        if (row->zip || row->sums)
            right = operand_at(&row->right, piece, 1, &right_step);
        if (row->map)
            row->map(left, out, piece->count, &row->numbers);
        else if (row->affine)
            run_affine(row, piece, left, right, out);
        else
            row->zip(left, left_step, right, right_step, out, piece->count);
    }
}

void chain_run(const Chain *chain, void *out, int64_t first, int64_t count,
               const void *const *beside)
{
    Piece piece;
    piece.size = storage_size(chain->storage);
    piece.whole = chain->shape.count;
    piece.beside = beside;
    piece.start = first;
    for (int64_t end = first + count; first < end; first += piece.count) {
        piece.first = first;
        piece.count = end - first < CHAIN_BLOCK ? end - first : CHAIN_BLOCK;
        piece.out = (char *)out + (size_t)first * piece.size;
        run_rows(chain, &piece);
    }
}
