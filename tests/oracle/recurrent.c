/* Recurrent layers. */
#include <math.h>
#include <string.h>

#include "oracle.h"

enum { UNITS_MOST = 64 };

/* Where in a gate, a direction or a batch. */
typedef struct Place {
    int64_t direction, sequence, unit;
} Place;

typedef struct State {
    double h[UNITS_MOST], c[UNITS_MOST];
} State;

static double at2(const Grid *grid, int64_t i, int64_t j)
{
    return grid ? grid->data[i * grid->dims[1] + j] : 0;
}

static double at3(const Grid *grid, int64_t i, int64_t j, int64_t k)
{
    return grid ? grid->data[(i * grid->dims[1] + j) * grid->dims[2] + k] : 0;
}

/* With layout 1 the batch comes first. */
static double swapped(const OracleCall *call, const Grid *grid, int64_t i,
                      int64_t j, int64_t k)
{
    return node_int(call->node, "layout", 0) ? at3(grid, j, i, k)
                                             : at3(grid, i, j, k);
}

static double clipped(const OracleCall *call, double x)
{
    double clip = (double)node_float(call->node, "clip", INFINITY);
    return fmin(fmax(x, -clip), clip);
}

static double sigmoid(const OracleCall *call, double x)
{
    return 1 / (1 + exp(-clipped(call, x)));
}

static double hyperbolic(const OracleCall *call, double x)
{
    return tanh(clipped(call, x));
}

/* sum_k W[d, row, k] x[k] + Wb[row] */
static double from_input(const OracleCall *call, Place at, int64_t row,
                         int64_t time)
{
    const Grid *x = call->inputs[0], *w = call->inputs[1];
    double sum = at2(call->inputs[3], at.direction, row);
    for (int64_t k = 0; k < w->dims[2]; k++)
        sum += at3(w, at.direction, row, k) *
               swapped(call, x, time, at.sequence, k);
    return sum;
}

/* sum_k R[d, row, k] h[k] + Rb[row] */
static double from_state(const OracleCall *call, Place at, int64_t row,
                         const double *h)
{
    const Grid *r = call->inputs[2];
    double sum = at2(call->inputs[3], at.direction, r->dims[1] + row);
    for (int64_t k = 0; k < r->dims[2]; k++)
        sum += at3(r, at.direction, row, k) * h[k];
    return sum;
}

/* The argument of gate g: W x + R h. */
static double gate(const OracleCall *call, Place at, int64_t g, int64_t time,
                   const double *h)
{
    int64_t row = g * call->inputs[2]->dims[2] + at.unit;
    return from_input(call, at, row, time) + from_state(call, at, row, h);
}

static double peep(const OracleCall *call, Place at, int64_t g, double c)
{
    int64_t units = call->inputs[2]->dims[2];
    return at2(call->inputs[7], at.direction, g * units + at.unit) * c;
}

static void lstm_unit(const OracleCall *call, Place at, int64_t time,
                      const State *from, State *to)
{
    double c = from->c[at.unit];
    double i =
        sigmoid(call, gate(call, at, 0, time, from->h) + peep(call, at, 0, c));
    double f =
        sigmoid(call, gate(call, at, 2, time, from->h) + peep(call, at, 2, c));
    if (node_int(call->node, "input_forget", 0))
        f = 1 - i;
    c = f * c + i * hyperbolic(call, gate(call, at, 3, time, from->h));
    double o =
        sigmoid(call, gate(call, at, 1, time, from->h) + peep(call, at, 1, c));
    to->c[at.unit] = c;
    to->h[at.unit] = o * hyperbolic(call, c);
}

static void gru_unit(const OracleCall *call, Place at, int64_t time,
                     const State *from, State *to)
{
    int64_t units = call->inputs[2]->dims[2], row = 2 * units + at.unit;
    double z = sigmoid(call, gate(call, at, 0, time, from->h));
    double n = from_input(call, at, row, time), kept[UNITS_MOST];
    for (int64_t k = 0; k < units; k++) {
        Place other = {at.direction, at.sequence, k};
        kept[k] =
            from->h[k] * sigmoid(call, gate(call, other, 1, time, from->h));
    }
    double r = sigmoid(call, gate(call, at, 1, time, from->h));
    n += node_int(call->node, "linear_before_reset", 0)
             ? r * from_state(call, at, row, from->h)
             : from_state(call, at, row, kept);
    to->h[at.unit] = (1 - z) * hyperbolic(call, n) + z * from->h[at.unit];
}

static void step(const OracleCall *call, Place at, int64_t time, State *state)
{
    State from = *state;
    for (at.unit = 0; at.unit < call->inputs[2]->dims[2]; at.unit++)
        if (call->node->op == OP_LSTM)
            lstm_unit(call, at, time, &from, state);
        else if (call->node->op == OP_GRU)
            gru_unit(call, at, time, &from, state);
        else
            state->h[at.unit] =
                hyperbolic(call, gate(call, at, 0, time, from.h));
}

/* One sequence in one direction; what lies behind its end is 0. */
static void run(const OracleCall *call, Place at)
{
    const Grid *x = call->inputs[0], *lengths = call->inputs[4];
    bool batch_first = node_int(call->node, "layout", 0) != 0;
    bool back =
        at.direction == 1 || node_string_is(call->node, "direction", "reverse");
    int64_t times = x->dims[batch_first ? 1 : 0],
            units = call->inputs[2]->dims[2];
    int64_t length = lengths ? (int64_t)lengths->data[at.sequence] : times;
    State state = {{0}, {0}};
    for (int64_t k = 0; k < units; k++) {
        state.h[k] =
            swapped(call, call->inputs[5], at.direction, at.sequence, k);
        state.c[k] =
            swapped(call, call->inputs[6], at.direction, at.sequence, k);
    }
    for (int64_t i = 0; i < times; i++) {
        int64_t time = back && i < length ? length - 1 - i : i;
        int64_t by_time[4] = {time, at.direction, at.sequence, 0};
        int64_t by_batch[4] = {at.sequence, time, at.direction, 0};
        int64_t *to = batch_first ? by_batch : by_time;
        if (i < length)
            step(call, at, time, &state);
        for (to[3] = 0; to[3] < units; to[3]++)
            call->output->data[grid_position(call->output, to)] =
                i < length ? state.h[to[3]] : 0;
    }
}

/* The equations of ONNX's LSTM-14, GRU-14 and RNN-14 with their usual
 * functions, unit by unit. */
void oracle_recurrent(const OracleCall *call)
{
    const Grid *x = call->inputs[0];
    bool batch_first = node_int(call->node, "layout", 0) != 0;
    Place at = {0};
    for (at.direction = 0; at.direction < call->inputs[1]->dims[0];
         at.direction++)
        for (at.sequence = 0; at.sequence < x->dims[batch_first ? 0 : 1];
             at.sequence++)
            run(call, at);
}
