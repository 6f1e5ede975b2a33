/* Models that are no valid ones: names, versions, graphs, functions. */
#include "rows.h"

#define GOOD "x: f32[2]; y = Relu(x); -> y"

static const HostileRow rows[] = {
    {18, "no graph output", "x: f32[2]; y = Relu(x)", NULL, NULL},
    {18, "opset without a version of the format", "ir 2; " GOOD,
     "invalid-model", NULL},
    {19, "format 0", "ir 0; " GOOD, "invalid-model", NULL},
    {19, "negative format", "ir -1; " GOOD, "invalid-model", NULL},
    {19, "format of the future", "ir 15; " GOOD, "too-new", "15"},
    {19, "format far away", "ir 4611686018427387904; " GOOD, "too-new", NULL},
    {19, "opset 0", "opset 0; " GOOD, "invalid-model", NULL},
    {19, "negative opset", "opset -1; " GOOD, "invalid-model", NULL},
    {19, "opset of the future", "opset 29; " GOOD, "too-new", "29"},
    {19, "opset beyond int", "opset 2147483648; " GOOD, "invalid-model", NULL},
    {19, "one domain twice", "opset 17; opset 18; " GOOD, "invalid-model",
     NULL},
    /* Both are names of one domain, and agree. */
    {19, "both names of the standard domain",
     "opset 17; opset ai.onnx 17; " GOOD, NULL, NULL},
    {19, "both names in two versions", "opset 17; opset ai.onnx 16; " GOOD,
     "invalid-model", NULL},
    {38, "two inputs of one name", "x: f32[2]; x: f32[2]; y = Relu(x); -> y",
     "duplicate-name", "x"},
    {38, "two initializers of one name",
     "x: f32[2]; w = f32[2]; w = f32[2]; y = Add(x, w); -> y", "duplicate-name",
     "w"},
    {38, "a node makes an input", "x: f32[2]; x = Relu(x); -> x",
     "duplicate-name", "x"},
    {38, "a node makes an initializer",
     "x: f32[2]; w = f32[2]; w = Relu(x); -> w", "duplicate-name", "w"},
    {38, "two nodes make one value", "x: f32[2]; y = Relu(x); y = Abs(x); -> y",
     "duplicate-name", "y"},
    {38, "a branch makes an outer value",
     "c: bool[]; x: f32[2]; y = If<then_branch={x = Neg(x); -> x},"
     "else_branch={e = Neg(x); -> e}>(c); -> y",
     "duplicate-name", "x"},
    {39, "a cycle of two", "x: f32[2]; a = Add(x, b); b = Relu(a); -> b",
     "cycle", NULL},
    {39, "a node that reads itself", "x: f32[2]; a = Add(x, a); -> a", "cycle",
     NULL},
    {40, "an output that nothing makes", "x: f32[2]; y = Relu(x); -> z",
     "undefined-value", "z"},
    {41, "a node of nothing", "x: f32[2]; = Relu(); y = Relu(x); -> y",
     "invalid-model", NULL},
    {41, "Conv without inputs", "y = Conv(); -> y", "invalid-model", "Conv"},
    {41, "Conv with one input", "x: f32[1,1,4,4]; y = Conv(x); -> y",
     "invalid-model", "Conv"},
    {41, "Conv with four inputs",
     "x: f32[1,1,4,4]; w = f32[1,1,1,1]; y = Conv(x, w, w, w); -> y",
     "invalid-model", "Conv"},
    {41, "a needed input left out",
     "x: f32[1,1,4,4]; w = f32[1,1,1,1]; y = Conv(, w); -> y", "invalid-model",
     "Conv"},
    {41, "too many outputs", "x: f32[2]; y, z = Relu(x); -> y", "invalid-model",
     "Relu"},
    {41, "a sum that gives nothing",
     "x: f32[2]; = Add(x, x); y = Relu(x); -> y", "invalid-model", "Add"},
    {41, "a first output without a name",
     "x: f32[4]; k = i64[1](2); , i = TopK(x, k); -> i", "invalid-model",
     "output 0"},
    {42, "an attribute twice",
     "x: f32[2]; y = Elu<alpha=1.0, alpha=2.0>(x); -> y", "bad-attribute",
     "alpha"},
    {42, "an attribute of another type", "x: f32[2]; y = Elu<alpha=1>(x); -> y",
     "bad-attribute", "alpha"},
    {42, "an attribute without a name", "x: f32[2]; y = Elu<=1.0>(x); -> y",
     "bad-attribute", NULL},
    {51, "If without a branch",
     "c: bool[]; x: f32[2]; y = If<then_branch={a = Neg(x); -> a}>(c); -> y",
     "bad-attribute", "else_branch"},
    {51, "branches that give different counts",
     "c: bool[]; x: f32[2]; y = If<then_branch={a = Neg(x); -> a},"
     "else_branch={b = Neg(x); d = Abs(x); -> b; -> d}>(c); -> y",
     "invalid-model", NULL},
    {52, "a function that calls itself",
     "opset 17; opset d 1; fn d.F(a) -> (b) { b = d.F(a) }"
     "x: f32[2]; y = d.F(x); -> y",
     "cycle", "F"},
    {52, "functions that call each other",
     "opset 17; opset d 1; fn d.F(a) -> (b) { b = d.G(a) }"
     "fn d.G(a) -> (b) { b = d.F(a) } x: f32[2]; y = d.F(x); -> y",
     "cycle", NULL},
    {52, "a function of opset 0",
     "opset 17; opset d 1; fn d.F(a) -> (b) { opset 0; b = Relu(a) }"
     "x: f32[2]; y = d.F(x); -> y",
     "invalid-model", "F"},
    {52, "a function of an opset beyond int",
     "opset 17; opset d 1; fn d.F(a) -> (b) { opset 4294967297; b = Relu(a) }"
     "x: f32[2]; y = d.F(x); -> y",
     "invalid-model", "4294967297"},
    {52, "a function of an opset of the future",
     "opset 17; opset d 1; fn d.F(a) -> (b) { opset 29; b = Relu(a) }"
     "x: f32[2]; y = d.F(x); -> y",
     "too-new", "29"},
    {52, "a function of version 0 of another domain",
     "opset 17; opset d 1; fn d.F(a) -> (b) { opset e 0; b = Relu(a) }"
     "x: f32[2]; y = d.F(x); -> y",
     "invalid-model", "e"},
    {52, "one function twice",
     "opset 17; opset d 1; fn d.F(a) -> (b) { b = Relu(a) }"
     "fn d.F(a) -> (b) { b = Abs(a) } x: f32[2]; y = d.F(x); -> y",
     "duplicate-name", "F"},
};

HostileRows hostile_models(void)
{
    return (HostileRows){rows, sizeof rows / sizeof *rows};
}
