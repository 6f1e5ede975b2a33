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

/* The formulas of the ONNX operator pages, alpha and beta as given. */
static double map(Op op, double x, double alpha, double beta)
{
    switch (op) {
    case OP_Abs:
        return fabs(x);
    case OP_Celu:
        return fmax(0, x) + fmin(0, alpha * (exp(x / alpha) - 1));
    case OP_Ceil:
        return ceil(x);
    case OP_Cos:
        return cos(x);
    case OP_Elu:
        return x < 0 ? alpha * (exp(x) - 1) : x;
    case OP_Erf:
        return erf(x);
    case OP_Exp:
        return exp(x);
    case OP_Floor:
        return floor(x);
    case OP_Gelu:
        return 0.5 * x * (1 + erf(x / sqrt(2)));
    case OP_HardSigmoid:
        return clip(alpha * x + beta, 0, 1);
    case OP_HardSwish:
        return x * clip(x / 6 + 0.5, 0, 1);
    case OP_IsInf:
        return isinf(x) != 0;
    case OP_IsNaN:
        return isnan(x) != 0;
    case OP_Log:
        return log(x);
    case OP_Not:
        return x == 0;
    case OP_Round:
        return rint(x);
    case OP_Sign:
        return (x > 0) - (x < 0);
    case OP_Sqrt:
        return sqrt(x);
    case OP_LeakyRelu:
        return x < 0 ? alpha * x : x;
    case OP_Mish:
        return x * tanh(log(1 + exp(x)));
    case OP_Neg:
        return -x;
    case OP_Reciprocal:
        return 1 / x;
    case OP_Relu:
        return fmax(0, x);
    case OP_Selu:
        return beta * (x > 0 ? x : alpha * (exp(x) - 1));
    case OP_Sigmoid:
        return sigmoid(x);
    case OP_Sin:
        return sin(x);
    case OP_Softplus:
        return log(1 + exp(x));
    case OP_Softsign:
        return x / (1 + fabs(x));
    case OP_Swish:
        return x * sigmoid(alpha * x);
    case OP_Tanh:
        return tanh(x);
    case OP_ThresholdedRelu:
        return x > alpha ? x : 0;
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

static double zip(Op op, double a, double b)
{
    switch (op) {
    case OP_Add:
        return a + b;
    case OP_Sub:
        return a - b;
    case OP_Mul:
        return a * b;
    case OP_Div:
        return a / b;
    case OP_Max:
        return fmax(a, b);
    case OP_Min:
        return fmin(a, b);
    case OP_PRelu:
        return a < 0 ? a * b : a;
    case OP_Less:
        return a < b;
    case OP_LessOrEqual:
        return a <= b;
    case OP_Greater:
        return a > b;
    case OP_GreaterOrEqual:
        return a >= b;
    case OP_Equal:
        return a == b;
    case OP_And:
        return a != 0 && b != 0;
    case OP_Or:
        return a != 0 || b != 0;
    case OP_Xor:
        return (a != 0) != (b != 0);
    case OP_Pow:
        return pow(a, b);
    case OP_Mod: /* with fmod=1 */
        return fmod(a, b);
    case OP_Sum:
    case OP_Mean:
        return a + b;
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
