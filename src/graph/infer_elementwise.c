/*
 * Shape functions of elementwise operators.  They also follow the elements of
 * small integer tensors, which is how a shape gets from Shape to Reshape.
 */
#include "graph/infer.h"

/* ---- One input ---- */

/* `unused` makes it fit infer_map. */
static Dim unary_element(const InferCall *call, Dim x, Dim unused)
{
    (void)unused;
    Symbols *symbols = call->symbols;
    Dim negative = dim_combine(symbols, DIM_SUB, 0, x);
    int64_t value;
    switch (call->node->op) {
    case OP_Neg:
        return negative;
    case OP_Abs:
        return dim_combine(symbols, DIM_MAX, x, negative);
    case OP_Not:
        if (dim_is_known(symbols, x, &value))
            return value == 0;
        return dim_unknown(symbols);
    default: /* Ceil, Floor, Round */
        return x;
    }
}

static bool op_maps_ints(Op op)
{
    return op == OP_Neg || op == OP_Abs || op == OP_Not || op == OP_Ceil ||
           op == OP_Floor || op == OP_Round;
}

int infer_unary(InferCall *call, Err *err)
{
    (void)err;
    Fact *out = infer_out(call, 0);
    infer_copy(call, out, infer_in(call, 0));
    if (op_maps_ints(call->node->op)) {
        IntList list = infer_ints(call, 0);
        infer_follow(call, out,
                     infer_map(call, out->type, list, list, unary_element));
    }
    return 0;
}

int infer_predicate(InferCall *call, Err *err)
{
    (void)err;
    const Fact *in = infer_in(call, 0);
    infer_set(call, infer_out(call, 0), DT_BOOL, in->rank, in->dims);
    return 0;
}

int infer_identity(InferCall *call, Err *err)
{
    (void)err;
    Fact *out = infer_out(call, 0);
    infer_copy(call, out, infer_in(call, 0));
    infer_follow(call, out, infer_ints(call, 0));
    return 0;
}

/* The mask is bool since Dropout-10; before, it was of X's type. */
int infer_dropout(InferCall *call, Err *err)
{
    (void)err;
    const Fact *in = infer_in(call, 0);
    infer_copy(call, infer_out(call, 0), in);
    infer_set(call, infer_out(call, 1), call->opset >= 10 ? DT_BOOL : in->type,
              in->rank, in->dims);
    return 0;
}

static Dim truth(const InferCall *call, Dim x, Dim unused)
{
    (void)unused;
    int64_t value;
    if (dim_is_known(call->symbols, x, &value))
        return value != 0;
    return dim_unknown(call->symbols);
}

static Dim same_element(const InferCall *call, Dim x, Dim unused)
{
    (void)call;
    (void)unused;
    return x;
}

static void cast_to(InferCall *call, DType type)
{
    Fact *out = infer_out(call, 0);
    const Fact *in = infer_in(call, 0);
    IntList list = infer_ints(call, 0);
    infer_set(call, out, type, in->rank, in->dims);
    infer_follow(call, out,
                 infer_map(call, type, list, list,
                           type == DT_BOOL ? truth : same_element));
}

/* In opset 1 `to` was a string. */
static DType cast_type(const Node *node)
{
    static const char *const names[DT_COUNT] = {
        [DT_FLOAT] = "FLOAT",   [DT_UINT8] = "UINT8",
        [DT_INT8] = "INT8",     [DT_UINT16] = "UINT16",
        [DT_INT16] = "INT16",   [DT_INT32] = "INT32",
        [DT_INT64] = "INT64",   [DT_STRING] = "STRING",
        [DT_BOOL] = "BOOL",     [DT_FLOAT16] = "FLOAT16",
        [DT_DOUBLE] = "DOUBLE", [DT_UINT32] = "UINT32",
        [DT_UINT64] = "UINT64",
    };
    int64_t number = node_int(node, "to", 0);
    if (number > 0 && number < DT_COUNT)
        return (DType)number;
    for (int i = 0; i < DT_COUNT; i++)
        if (names[i] && node_string_is(node, "to", names[i]))
            return (DType)i;
    return DT_UNDEFINED;
}

int infer_cast(InferCall *call, Err *err)
{
    DType type = cast_type(call->node);
    if (type == DT_UNDEFINED)
        return infer_fail(call, err, ERR_BAD_ATTRIBUTE,
                          "it has no element type to cast to");
    cast_to(call, type);
    return 0;
}

int infer_castlike(InferCall *call, Err *err)
{
    (void)err;
    cast_to(call, infer_in(call, 1)->type);
    return 0;
}

/* ---- Arithmetic ---- */

/* ONNX's Div truncates, as C's does; a Dim's rounds down. */
static Dim quotient(const InferCall *call, Dim a, Dim b)
{
    Symbols *symbols = call->symbols;
    int64_t dividend, divisor;
    if (dim_is_known(symbols, a, &dividend) &&
        dim_is_known(symbols, b, &divisor)) {
        if (divisor == 0 || (divisor == -1 && dividend == INT64_MIN))
            return dim_unknown(symbols);
        return dim_number(symbols, dividend / divisor);
    }
    if (dim_is_nonnegative(symbols, a) && dim_is_nonnegative(symbols, b))
        return dim_combine(symbols, DIM_DIV, a, b);
    return dim_unknown(symbols);
}

/* ONNX's Mod has the sign of the divisor; with fmod=1 of the dividend. */
static Dim remainder_of(const InferCall *call, Dim a, Dim b)
{
    Symbols *symbols = call->symbols;
    if (node_int(call->node, "fmod", 0) == 0)
        return dim_combine(symbols, DIM_MOD, a, b);
    Dim whole = dim_combine(symbols, DIM_MUL, quotient(call, a, b), b);
    return dim_combine(symbols, DIM_SUB, a, whole);
}

static Dim sum_element(const InferCall *call, Dim a, Dim b)
{
    Symbols *symbols = call->symbols;
    switch (call->node->op) {
    case OP_Add:
    case OP_Sum:
        return dim_combine(symbols, DIM_ADD, a, b);
    case OP_Sub:
        return dim_combine(symbols, DIM_SUB, a, b);
    case OP_Mul:
        return dim_combine(symbols, DIM_MUL, a, b);
    case OP_Div:
        return quotient(call, a, b);
    case OP_Mod:
        return remainder_of(call, a, b);
    case OP_Min:
        return dim_combine(symbols, DIM_MIN, a, b);
    case OP_Max:
        return dim_combine(symbols, DIM_MAX, a, b);
    default:
        return dim_unknown(symbols);
    }
}

/* Add-1 and -6 and their like: the attributes `broadcast` and `axis` fit the
 * second input into the first, from that axis on. */
static int broadcast_by_axis(InferCall *call, Fact *out, Err *err)
{
    const Fact *a = infer_in(call, 0), *b = infer_in(call, 1);
    Dim *dims = infer_set(call, out, out->type, a->rank, a->dims);
    if (a->rank < 0 || b->rank < 0)
        return 0;
    int64_t axis = node_int(call->node, "axis", a->rank - b->rank);
    if (axis < 0 && axis >= -a->rank)
        axis += a->rank;
    if (axis < 0 || axis > a->rank - b->rank)
        return infer_fail(call, err, ERR_BAD_ATTRIBUTE,
                          "axis %lld does not fit %s into %s", (long long)axis,
                          infer_text(call, b), infer_text(call, a));
    for (int i = 0; i < b->rank; i++)
        if (b->dims[i] != 1)
            TRY(infer_same(call, a->dims[axis + i], b->dims[i],
                           "sizes of its inputs differ", &dims[axis + i], err));
    return 0;
}

/* The common shape of the inputs from `first` on. */
static int broadcast_inputs(InferCall *call, int first, Fact *out, Err *err)
{
    if (call->opset > 0 && call->opset < 7 && call->node->input_count == 2 &&
        node_int(call->node, "broadcast", 0) == 1)
        return broadcast_by_axis(call, out, err);
    Fact all = FACT_UNKNOWN;
    infer_set(call, &all, out->type, 0, NULL);
    for (int i = first; i < call->node->input_count; i++) {
        Fact before = all;
        TRY(infer_broadcast(call, &before, infer_in(call, i), &all, err));
    }
    *out = all;
    return 0;
}

/* The inputs from `first` on must be of one type. */
static int common_type(const InferCall *call, int first, DType *type, Err *err)
{
    *type = DT_UNDEFINED;
    for (int i = first; i < call->node->input_count; i++) {
        DType next = infer_in(call, i)->type;
        if (*type != DT_UNDEFINED && next != DT_UNDEFINED && next != *type)
            return infer_fail(call, err, ERR_INVALID_MODEL,
                              "its inputs are %s and %s", dtype_name(*type),
                              dtype_name(next));
        if (next != DT_UNDEFINED)
            *type = next;
    }
    return 0;
}

int infer_arithmetic(InferCall *call, Err *err)
{
    Fact *out = infer_out(call, 0);
    DType type;
    TRY(common_type(call, 0, &type, err));
    out->type = type;
    TRY(broadcast_inputs(call, 0, out, err));
    IntList sum = infer_ints(call, 0);
    for (int i = 1; i < call->node->input_count; i++)
        sum = infer_map(call, type, sum, infer_ints(call, i), sum_element);
    infer_follow(call, out, sum);
    return 0;
}

/* Since Pow-12 the exponent may be of another type. */
int infer_pow(InferCall *call, Err *err)
{
    Fact *out = infer_out(call, 0);
    out->type = infer_in(call, 0)->type;
    return broadcast_inputs(call, 0, out, err);
}

/* ---- Comparison and logic ---- */

typedef enum Answer { NO, YES, DEPENDS } Answer;

/* Is a >= b, whatever the symbols are? */
static Answer not_less(const InferCall *call, Dim a, Dim b)
{
    Symbols *symbols = call->symbols;
    Dim more = dim_combine(symbols, DIM_SUB, a, b);
    Dim less = dim_combine(symbols, DIM_SUB, b, a);
    if (dim_is_nonnegative(symbols, more))
        return YES;
    if (dim_is_nonnegative(symbols, dim_combine(symbols, DIM_SUB, less, 1)))
        return NO;
    return DEPENDS;
}

static Answer equal(const InferCall *call, Dim a, Dim b)
{
    Answer above = not_less(call, a, b), below = not_less(call, b, a);
    if (above == NO || below == NO)
        return NO;
    return above == YES && below == YES ? YES : DEPENDS;
}

static Answer negate(Answer answer)
{
    return answer == DEPENDS ? DEPENDS : answer == NO ? YES : NO;
}

static Answer compare(const InferCall *call, Dim a, Dim b)
{
    switch (call->node->op) {
    case OP_Equal:
        return equal(call, a, b);
    case OP_Greater:
        return negate(not_less(call, b, a));
    case OP_GreaterOrEqual:
        return not_less(call, a, b);
    case OP_Less:
        return negate(not_less(call, a, b));
    default: /* LessOrEqual */
        return not_less(call, b, a);
    }
}

static Dim comparison(const InferCall *call, Dim a, Dim b)
{
    Answer answer = compare(call, a, b);
    return answer == DEPENDS ? dim_unknown(call->symbols) : answer == YES;
}

static Dim junction(const InferCall *call, Dim a, Dim b)
{
    int64_t x, y;
    if (!dim_is_known(call->symbols, a, &x) ||
        !dim_is_known(call->symbols, b, &y))
        return dim_unknown(call->symbols);
    switch (call->node->op) {
    case OP_And:
        return x && y;
    case OP_Or:
        return x || y;
    default: /* Xor */
        return !x != !y;
    }
}

int infer_logical(InferCall *call, Err *err)
{
    Op op = call->node->op;
    bool joins = op == OP_And || op == OP_Or || op == OP_Xor;
    Fact *out = infer_out(call, 0);
    DType type;
    TRY(common_type(call, 0, &type, err));
    out->type = DT_BOOL;
    TRY(broadcast_inputs(call, 0, out, err));
    infer_follow(call, out,
                 infer_map(call, DT_BOOL, infer_ints(call, 0),
                           infer_ints(call, 1), joins ? junction : comparison));
    return 0;
}

/* `list` broadcast against what else takes part. */
static IntList widen(InferCall *call, DType type, IntList list, IntList a,
                     IntList b)
{
    return infer_map(call, type, infer_map(call, type, list, a, same_element),
                     b, same_element);
}

/* Picks from the inputs 1 and 2 what the known conditions say. */
static IntList select_ints(InferCall *call, DType type)
{
    IntList condition = infer_ints(call, 0);
    IntList yes = infer_ints(call, 1), no = infer_ints(call, 2);
    IntList wide_yes = widen(call, type, yes, no, condition);
    IntList wide_no = widen(call, type, no, yes, condition);
    if (wide_yes.count < 0)
        return wide_yes;
    Dim *items =
        arena_array(call->arena, (size_t)wide_yes.count, sizeof *items);
    for (int i = 0; i < wide_yes.count; i++) {
        int64_t choice;
        Dim which = condition.items[condition.count == 1 ? 0 : i];
        if (dim_is_known(call->symbols, which, &choice))
            items[i] = (choice ? wide_yes : wide_no).items[i];
        else if (wide_yes.items[i] == wide_no.items[i])
            items[i] = wide_yes.items[i];
        else
            items[i] = dim_unknown(call->symbols);
    }
    return (IntList){items, wide_yes.count};
}

int infer_where(InferCall *call, Err *err)
{
    Fact *out = infer_out(call, 0);
    DType type;
    TRY(common_type(call, 1, &type, err));
    out->type = type;
    TRY(broadcast_inputs(call, 0, out, err));
    infer_follow(call, out, select_ints(call, type));
    return 0;
}
