/* Element by element. */
#include <math.h>

#include "oracle.h"

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static double clip(double x, double low, double high)
{
    return fmin(fmax(x, low), high);
}

/* A line of a switch over operators. */
#define FORMULA(op, y)                                                         \
    case OP_##op:                                                              \
        return y

/* The formulas of the ONNX operator pages, alpha and beta as given. */
static double map(Op op, double x, double alpha, double beta)
{
    switch (op) {
        FORMULA(Abs, fabs(x));
        FORMULA(Celu, fmax(0, x) + fmin(0, alpha * (exp(x / alpha) - 1)));
        FORMULA(Ceil, ceil(x));
        FORMULA(Cos, cos(x));
        FORMULA(Elu, x < 0 ? alpha * (exp(x) - 1) : x);
        FORMULA(Erf, erf(x));
        FORMULA(Exp, exp(x));
        FORMULA(Floor, floor(x));
        FORMULA(Gelu, 0.5 * x * (1 + erf(x / sqrt(2))));
        FORMULA(HardSigmoid, clip(alpha * x + beta, 0, 1));
        FORMULA(HardSwish, x * clip(x / 6 + 0.5, 0, 1));
        FORMULA(IsInf, isinf(x) != 0);
        FORMULA(IsNaN, isnan(x) != 0);
        FORMULA(Log, log(x));
        FORMULA(Not, x == 0);
        FORMULA(Round, rint(x));
        FORMULA(Sign, (x > 0) - (x < 0));
        FORMULA(Sqrt, sqrt(x));
        FORMULA(LeakyRelu, x < 0 ? alpha * x : x);
        FORMULA(Mish, x * tanh(log(1 + exp(x))));
        FORMULA(Neg, -x);
        FORMULA(Reciprocal, 1 / x);
        FORMULA(Relu, fmax(0, x));
        FORMULA(Selu, beta * (x > 0 ? x : alpha * (exp(x) - 1)));
        FORMULA(Sigmoid, sigmoid(x));
        FORMULA(Sin, sin(x));
        FORMULA(Softplus, log(1 + exp(x)));
        FORMULA(Softsign, x / (1 + fabs(x)));
        FORMULA(Swish, x * sigmoid(alpha * x));
        FORMULA(Tanh, tanh(x));
        FORMULA(ThresholdedRelu, x > alpha ? x : 0);
    default:
        return (double)NAN;
    }
}

static double default_alpha(Op op)
{
    return op == OP_LeakyRelu     ? 0.01
           : op == OP_HardSigmoid ? 0.2
           : op == OP_Selu        ? 1.67326319217681884765625
                                  : 1;
}

void oracle_map(const OracleCall *call)
{
    Op op = call->node->op;
    double alpha =
        (double)node_float(call->node, "alpha", (float)default_alpha(op));
    double beta =
        (double)node_float(call->node, op == OP_Selu ? "gamma" : "beta",
                           op == OP_Selu ? 1.05070102214813232421875f : 0.5f);
    for (int64_t i = 0; i < call->output->count; i++)
        call->output->data[i] = map(op, call->inputs[0]->data[i], alpha, beta);
}

/* Mod is as with fmod=1. */
static double zip(Op op, double a, double b)
{
    switch (op) {
        FORMULA(Add, a + b);
        FORMULA(Sub, a - b);
        FORMULA(Mul, a * b);
        FORMULA(Div, a / b);
        FORMULA(Max, fmax(a, b));
        FORMULA(Min, fmin(a, b));
        FORMULA(PRelu, a < 0 ? a * b : a);
        FORMULA(Less, a < b);
        FORMULA(LessOrEqual, a <= b);
        FORMULA(Greater, a > b);
        FORMULA(GreaterOrEqual, a >= b);
        FORMULA(Equal, a == b);
        FORMULA(And, a != 0 && b != 0);
        FORMULA(Or, a != 0 || b != 0);
        FORMULA(Xor, (a != 0) != (b != 0));
        FORMULA(Pow, pow(a, b));
        FORMULA(Mod, fmod(a, b));
        FORMULA(Sum, a + b);
        FORMULA(Mean, a + b);
    default:
        return (double)NAN;
    }
}

void oracle_zip(const OracleCall *call)
{
    Grid *y = call->output;
    for (int64_t o = 0; o < y->count; o++) {
        int64_t at[RANK_MAX];
        grid_index(y, o, at);
        y->data[o] = grid_spread(call->inputs[0], y->rank, at);
        for (int k = 1; k < call->input_count; k++)
            y->data[o] = zip(call->node->op, y->data[o],
                             grid_spread(call->inputs[k], y->rank, at));
        if (call->node->op == OP_Mean)
            y->data[o] /= call->input_count;
    }
}

/* y = min(max(x, low), high), with bounds that may be absent */
void oracle_clip(const OracleCall *call)
{
    const Grid *low = call->inputs[1], *high = call->inputs[2];
    for (int64_t i = 0; i < call->output->count; i++)
        call->output->data[i] =
            clip(call->inputs[0]->data[i], low ? low->data[0] : -HUGE_VAL,
                 high ? high->data[0] : HUGE_VAL);
}

void oracle_where(const OracleCall *call)
{
    Grid *y = call->output;
    for (int64_t o = 0; o < y->count; o++) {
        int64_t at[RANK_MAX];
        grid_index(y, o, at);
        int pick = grid_spread(call->inputs[0], y->rank, at) != 0 ? 1 : 2;
        y->data[o] = grid_spread(call->inputs[pick], y->rank, at);
    }
}
