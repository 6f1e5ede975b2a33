/*
 * Every operator at every opset at which it exists; test_types.c has types. A
 * row holds from its first opset to its last; where a later one says the same
 * in another way, another row follows. exec_case.h has the notation.
 */
#include <stdio.h>
#include <string.h>

#include "conformance/scope.h"
#include "exec_case.h"
#include "suites.h"

/* The reader takes one that is newer, in which no row has changed. */
enum { NEWEST = 27, NEWEST_READ = 28 };

typedef struct OpsetRow {
    int first, last;
    const char *line, *expect;
} OpsetRow;

/* clang-format off */
static const OpsetRow rows[] = {
    {1, 27, "Abs(f32[2]{-1,2})", "float32[2]{1,2}"},
    {7, 27, "Acos(f32[1]{0.5})", "float32[1]{1.0472}"},
    {9, 27, "Acosh(f32[1]{2})", "float32[1]{1.31696}"},
    {1, 6, "Add(f32[2,2,1]{1,2,3,4}, f32[2]{10,20}) broadcast=1 axis=1",
     "float32[2,2,1]{11,22,13,24}"},
    {1, 6, "Add(f32[2,2]{1,2,3,4}, f32[1]{10}) broadcast=1",
     "float32[2,2]{11,12,13,14}"},
    {1, 6, "Add(f32[2]{1,2}, f32[2]{10,20})", "float32[2]{11,22}"},
    {7, 27, "Add(f32[2,1]{1,2}, f32[2]{10,20})", "float32[2,2]{11,21,12,22}"},
    {1, 6, "And(bool[2,2]{0,1,1,1}, bool[2]{0,1}) broadcast=1 axis=0",
     "bool[2,2]{0,0,1,1}"},
    {7, 27, "And(bool[2,1]{0,1}, bool[2]{0,1})", "bool[2,2]{0,0,0,1}"},
    {1, 27, "ArgMax(f32[2,2]{1,3,4,2}) axis=1", "int64[2,1]{1,0}"},
    {1, 27, "ArgMax(f32[2,2]{1,3,4,2}) keepdims=0", "int64[2]{1,0}"},
    {12, 27, "ArgMax(f32[3]{1,2,2}) select_last_index=1", "int64[1]{2}"},
    {1, 27, "ArgMin(f32[2,2]{1,3,4,2}) axis=1", "int64[2,1]{0,1}"},
    {7, 27, "Asin(f32[1]{0.5})", "float32[1]{0.523599}"},
    {9, 27, "Asinh(f32[1]{2})", "float32[1]{1.44364}"},
    {7, 27, "Atan(f32[1]{2})", "float32[1]{1.10715}"},
    {9, 27, "Atanh(f32[1]{0.5})", "float32[1]{0.549306}"},
    {1, 27, "AveragePool(f32[1,1,4]{1,3,5,9}) kernel_shape=[2] strides=[2]",
     "float32[1,1,2]{2,7}"},
    {7, 27, "AveragePool(f32[1,1,2]{1,3}) kernel_shape=[2] pads=[1,1] count_include_pad=1",
     "float32[1,1,3]{0.5,2,1.5}"},
    {10, 27, "AveragePool(f32[1,1,3]{1,3,5}) kernel_shape=[2] strides=[2] ceil_mode=1",
     "float32[1,1,2]{2,5}"},
    {19, 27, "AveragePool(f32[1,1,3]{1,3,5}) kernel_shape=[2] dilations=[2]",
     "float32[1,1,1]{3}"},
    {1, 6, "BatchNormalization(f32[1,2,1]{1,2}, f32{2,3}, f32{1,1}, f32{0,1}, f32{4,1}) is_test=1 epsilon=0.",
     "float32[1,2,1]{2,4}"},
    {7, 27, "BatchNormalization(f32[1,2,1]{1,2}, f32{2,3}, f32{1,1}, f32{0,1}, f32{4,1}) epsilon=0.",
     "float32[1,2,1]{2,4}"},
    {7, 8, "BatchNormalization(f32[2,1,2]{1,2,3,4}, f32[1,2]{2,3}, f32[1,2]{1,1}, f32[1,2]{0,1}, f32[1,2]{4,1}) epsilon=0. spatial=0",
     "float32[2,1,2]{2,4,4,10}"},
    {1, 5, "Cast(f32[3]{-1.5,0,2.5}) to=\"INT32\"", "int32[3]{-1,0,2}"},
    {6, 27, "Cast(f32[3]{-1.5,0,2.5}) to=7", "int64[3]{-1,0,2}"},
    {6, 27, "Cast(f32[3]{-1.5,0,2.5}) to=9", "bool[3]{1,0,1}"},
    {13, 27, "Cast(f32[2]{1.00390625,3}) to=16", "bfloat16[2]{1.00391,3}"},
    {15, 27, "CastLike(f32[2]{-1.5,2.5}, i32[1]{0})", "int32[2]{-1,2}"},
    {1, 27, "Ceil(f32[2]{-1.5,1.5})", "float32[2]{-1,2}"},
    {12, 27, "Celu(f32[2]{-1,2})", "float32[2]{-0.632121,2}"},
    {1, 10, "Clip(f32[3]{-2,0.5,2}) min=-1. max=1.", "float32[3]{-1,0.5,1}"},
    {11, 27, "Clip(f32[3]{-2,0.5,2}, f32[]{-1}, f32[]{1})",
     "float32[3]{-1,0.5,1}"},
    {12, 27, "Clip(i32[3]{-2,0,2}, i32[]{-1}, i32[]{1})", "int32[3]{-1,0,1}"},
    {18, 27, "Col2Im(f32[1,4,1]{1,2,3,4}, i64{2,2}, i64{2,2})",
     "float32[1,1,2,2]{1,2,3,4}"},
    {9, 27, "Compress(f32[2,2]{1,2,3,4}, bool[2]{0,1}) axis=0", "float32[1,2]{3,4}"},
    {11, 27, "Compress(f32[2,2]{1,2,3,4}, bool[2]{0,1}) axis=-1", "float32[2,1]{2,4}"},
    {1, 3, "Concat(f32[1,2]{1,2}, f32[1,1]{3})", "float32[1,3]{1,2,3}"},
    {4, 27, "Concat(f32[1,2]{1,2}, f32[1,1]{3}) axis=1", "float32[1,3]{1,2,3}"},
    {11, 27, "Concat(f32[1,2]{1,2}, f32[1,1]{3}) axis=-1",
     "float32[1,3]{1,2,3}"},
    {1, 27, "Constant() value={3,4}", "int64[2]{3,4}"},
    {12, 27, "Constant() value_float=1.5", "float32[]{1.5}"},
    {12, 27, "Constant() value_ints=[1,2]", "int64[2]{1,2}"},
    {9, 27, "ConstantOfShape(i64{2,1})", "float32[2,1]{0,0}"},
    {1, 27, "Conv(f32[1,1,3]{1,2,3}, f32[1,1,2]{1,10}, f32{5})",
     "float32[1,1,2]{26,37}"},
    {1, 27, "Conv(f32[1,2,2]{1,2,3,4}, f32[2,1,1]{1,10}) group=2",
     "float32[1,2,2]{1,2,30,40}"},
    {1, 27, "Conv(f32[1,1,2]{1,2}, f32[1,1,3]{1,10,100}) auto_pad=\"SAME_UPPER\"",
     "float32[1,1,2]{210,21}"},
    {10, 27, "ConvInteger(u8[1,1,3]{1,2,3}, u8[1,1,2]{4,5}, u8[]{1})",
     "int32[1,1,2]{5,14}"},
    {1, 27, "ConvTranspose(f32[1,1,2]{1,2}, f32[1,1,2]{1,10}) strides=[2]",
     "float32[1,1,4]{1,10,2,20}"},
    {7, 27, "Cos(f32[1]{0})", "float32[1]{1}"},
    {9, 27, "Cosh(f32[1]{1})", "float32[1]{1.54308}"},
    {11, 27, "CumSum(f32[3]{1,2,3}, i32[]{0})", "float32[3]{1,3,6}"},
    {11, 27, "CumSum(f32[3]{1,2,3}, i64[]{0}) exclusive=1 reverse=1",
     "float32[3]{5,3,0}"},
    {19, 27, "DeformConv(f32[1,1,1,2]{1,2}, f32[1,1,1,1]{10}, f32[1,2,1,2]{0,0,0.5,0})",
     "float32[1,1,1,2]{15,20}"},
    {1, 27, "DepthToSpace(f32[1,4,1,1]{1,2,3,4}) blocksize=2",
     "float32[1,1,2,2]{1,2,3,4}"},
    {11, 27, "DepthToSpace(f32[1,8,1,1]{1,2,3,4,5,6,7,8}) blocksize=2 mode=\"CRD\"",
     "float32[1,2,2,2]{1,2,3,4,5,6,7,8}"},
    {10, 27, "DequantizeLinear(u8[2]{3,9}, f32[]{0.5}, u8[]{5})", "float32[2]{-1,2}"},
    {13, 27, "DequantizeLinear(i8[2,1]{3,9}, f32{0.5,2}, i8{5,5}) axis=0",
     "float32[2,1]{-1,8}"},
    {21, 27, "DequantizeLinear(i16[3]{3,9,9}, f32[2]{0.5,2}, i16[2]{5,5}) axis=0 block_size=2",
     "float32[3]{-1,2,8}"},
    {23, 27, "DequantizeLinear(u8[2]{3,9}, f16[]{0.5}) output_dtype=1", "float32[2]{1.5,4.5}"},
    {1, 6, "Div(f32[2,2]{1,2,3,4}, f32[2]{1,2}) broadcast=1 axis=0",
     "float32[2,2]{1,2,1.5,2}"},
    {7, 27, "Div(f32[2,1]{1,2}, f32[2]{1,2})", "float32[2,2]{1,0.5,2,1}"},
    {1, 6, "Dropout(f32[2]{1,2}) is_test=1", "float32[2]{1,2}"},
    {7, 27, "Dropout(f32[2]{1,2})", "float32[2]{1,2}"},
    {12, 27, "Dropout(f32[2]{1,2}, f32[]{0.5}, bool[]{0})", "float32[2]{1,2}"},
    {11, 27, "DynamicQuantizeLinear(f32[3]{0,51,-204}) -> 3",
     "uint8[3]{204,255,0}; float32[]{1}; uint8[]{204}"},
    {12, 27, "Einsum(f32[2]{1,2}, f32[2]{3,4}) equation=\"i,i->\"",
     "float32[]{11}"},
    {1, 27, "Elu(f32[2]{-1,2})", "float32[2]{-0.632121,2}"},
    {1, 6, "Equal(i32[2,2]{1,2,3,4}, i32[2]{1,4}) broadcast=1 axis=0",
     "bool[2,2]{1,0,0,1}"},
    {7, 27, "Equal(i32[2,1]{1,2}, i32[2]{1,2})", "bool[2,2]{1,0,0,1}"},
    {9, 27, "Erf(f32[1]{0.5})", "float32[1]{0.5205}"},
    {1, 27, "Exp(f32[1]{1})", "float32[1]{2.71828}"},
    {8, 27, "Expand(f32[2,1]{1,2}, i64{2,2})", "float32[2,2]{1,1,2,2}"},
    {9, 27, "EyeLike(f32[2,2]) k=1", "float32[2,2]{0,1,0,0}"},
    {1, 27, "Flatten(f32[2,1,2]{1,2,3,4})", "float32[2,2]{1,2,3,4}"},
    {11, 27, "Flatten(f32[2,1,2]{1,2,3,4}) axis=-1", "float32[2,2]{1,2,3,4}"},
    {1, 27, "Floor(f32[2]{-1.5,1.5})", "float32[2]{-2,1}"},
    {1, 27, "Gather(f32[3]{1,2,3}, i64[2]{2,0})", "float32[2]{3,1}"},
    {11, 27, "Gather(f32[3]{1,2,3}, i32[1]{-1})", "float32[1]{3}"},
    {11, 27, "GatherElements(f32[2,2]{1,2,3,4}, i64[2,1]{1,-2}) axis=1",
     "float32[2,1]{2,3}"},
    {11, 27, "GatherND(f32[2,2]{1,2,3,4}, i64[1,2]{1,0})", "float32[1]{3}"},
    {12, 27, "GatherND(f32[2,2]{1,2,3,4}, i64[2,1]{1,0}) batch_dims=1",
     "float32[2]{2,3}"},
    {20, 27, "Gelu(f32[1]{1})", "float32[1]{0.841345}"},
    {1, 6, "Gemm(f32[1,2]{1,2}, f32[2,2]{1,2,3,4}, f32{10,20}) broadcast=1",
     "float32[1,2]{17,30}"},
    {7, 27, "Gemm(f32[1,2]{1,2}, f32[2,2]{1,2,3,4}, f32{10,20})",
     "float32[1,2]{17,30}"},
    {11, 27, "Gemm(f32[2,1]{1,2}, f32[2,2]{1,2,3,4}) transA=1 transB=1 alpha=0.5",
     "float32[1,2]{2.5,5.5}"},
    {1, 27, "GlobalAveragePool(f32[1,1,3]{1,2,6})", "float32[1,1,1]{3}"},
    {1, 27, "GlobalMaxPool(f32[1,1,3]{1,2,6})", "float32[1,1,1]{6}"},
    {1, 6, "Greater(f32[2,2]{1,2,3,4}, f32[2]{1,3}) broadcast=1 axis=0",
     "bool[2,2]{0,1,0,1}"},
    {7, 27, "Greater(f32[2,1]{1,2}, f32[2]{1,2})", "bool[2,2]{0,0,1,0}"},
    {12, 27, "GreaterOrEqual(f32[2,1]{1,2}, f32[2]{1,2})",
     "bool[2,2]{1,0,1,1}"},
    {16, 27, "GridSample(f32[1,1,2]{1,2}, f32[1,1,1]{0})", "float32[1,1,1]{1.5}"},
    {16, 19, "GridSample(f32[1,1,2]{1,2}, f32[1,1,1]{0}) mode=\"bilinear\"",
     "float32[1,1,1]{1.5}"},
    {20, 27, "GridSample(f32[1,1,2]{1,2}, f32[1,1,1]{0}) mode=\"linear\"",
     "float32[1,1,1]{1.5}"},
    {18, 20, "GroupNormalization(f32[1,2,2]{1,3,5,9}, f32{2}, f32{1}) num_groups=1 epsilon=0.",
     "float32[1,2,2]{-1.36643,-0.0141851,1.33806,4.04256}"},
    {21, 27, "GroupNormalization(f32[1,2,2]{1,3,5,9}, f32{2,3}, f32{1,0}) num_groups=1 epsilon=0.",
     "float32[1,2,2]{-1.36643,-0.0141851,0.507093,4.56383}"},
    {1, 27, "GRU(f32[1,1,1]{1}, f32[1,3,1]{0,0,1}, f32[1,3,1]{0,0,0})",
     "float32[1,1,1,1]{0.380797}"},
    {3, 27, "GRU(f32[1,1,1]{1}, f32[1,3,1]{0,0,1}, f32[1,3,1]{0,0,1}, -, -, f32[1,1,1]{2}) linear_before_reset=1",
     "float32[1,1,1,1]{1.48201}"},
    {14, 27, "GRU(f32[2,1,1]{1,-1}, f32[1,3,1]{0,0,1}, f32[1,3,1]{0,0,0}) layout=1",
     "float32[2,1,1,1]{0.380797,-0.380797}"},
    {1, 12, "Hardmax(f32[1,2,2]{1,4,3,4})", "float32[1,2,2]{0,1,0,0}"},
    {11, 12, "Hardmax(f32[1,2,2]{1,4,3,4}) axis=-1", "float32[1,2,2]{0,1,0,1}"},
    {13, 27, "Hardmax(f32[1,2,2]{1,4,5,4}) axis=1", "float32[1,2,2]{0,1,1,0}"},
    {1, 27, "HardSigmoid(f32[3]{-9,0,9})", "float32[3]{0,0.5,1}"},
    {14, 27, "HardSwish(f32[3]{-9,1,9})", "float32[3]{0,0.666667,9}"},
    {1, 27, "Identity(f32[2]{1,2})", "float32[2]{1,2}"},
    {1, 27, "InstanceNormalization(f32[1,1,2]{1,3}, f32{2}, f32{1}) epsilon=0.",
     "float32[1,1,2]{-1,3}"},
    {10, 27, "IsInf(f32[2]{inf,1})", "bool[2]{1,0}"},
    {9, 27, "IsNaN(f32[2]{nan,1})", "bool[2]{1,0}"},
    {1, 27, "LRN(f32[1,2,1]{1,2}) size=3 alpha=3. beta=1.",
     "float32[1,2,1]{0.166667,0.333333}"},
    {17, 27, "LayerNormalization(f32[1,2]{1,3}, f32{2,2}, f32{1,1}) epsilon=0.",
     "float32[1,2]{-1,3}"},
    {1, 27, "LeakyRelu(f32[2]{-1,2}) alpha=0.1", "float32[2]{-0.1,2}"},
    {1, 6, "Less(f32[2,2]{1,2,3,4}, f32[2]{2,5}) broadcast=1 axis=0",
     "bool[2,2]{1,0,1,1}"},
    {7, 27, "Less(f32[2,1]{1,2}, f32[2]{1,2})", "bool[2,2]{0,1,0,0}"},
    {12, 27, "LessOrEqual(f32[2,1]{1,2}, f32[2]{1,2})", "bool[2,2]{1,1,0,1}"},
    {1, 27, "Log(f32[2]{1,2})", "float32[2]{0,0.693147}"},
    {1, 12, "LogSoftmax(f32[1,2,2]{0,0,0,0})",
     "float32[1,2,2]{-1.38629,-1.38629,-1.38629,-1.38629}"},
    {13, 27, "LogSoftmax(f32[1,2,2]{0,0,0,0})",
     "float32[1,2,2]{-0.693147,-0.693147,-0.693147,-0.693147}"},
    {1, 27, "LpNormalization(f32[2]{3,-4})", "float32[2]{0.6,-0.8}"},
    {1, 27, "LpNormalization(f32[2]{3,-4}) p=1",
     "float32[2]{0.428571,-0.571429}"},
    {1, 27, "LSTM(f32[1,1,1]{1}, f32[1,4,1]{0,0,0,1}, f32[1,4,1]{0,0,0,0}) -> 3",
     "float32[1,1,1,1]{0.1817}; float32[1,1,1]{0.1817}; float32[1,1,1]{0.380797}"},
    {14, 27, "LSTM(f32[2,1,1]{1,-1}, f32[1,4,1]{0,0,0,1}, f32[1,4,1]{0,0,0,0}) layout=1",
     "float32[2,1,1,1]{0.1817,-0.1817}"},
    {1, 27, "MatMul(f32[2,2]{1,2,3,4}, f32[2]{1,10})", "float32[2]{21,43}"},
    {10, 27, "MatMulInteger(u8[1,2]{11,7}, u8[2,1]{1,4}, u8[]{12})", "int32[1,1]{-21}"},
    {1, 7, "Max(f32[2]{1,5}, f32[2]{3,2})", "float32[2]{3,5}"},
    {8, 27, "Max(f32[2,1]{1,5}, f32[2]{3,2})", "float32[2,2]{3,2,5,5}"},
    {12, 27, "Max(i8[2]{1,5}, i8[1]{3})", "int8[2]{3,5}"},
    {1, 27, "MaxPool(f32[1,1,4]{1,3,9,5}) kernel_shape=[2] strides=[2]",
     "float32[1,1,2]{3,9}"},
    {8, 27, "MaxPool(f32[1,1,4]{1,3,9,5}) kernel_shape=[2] strides=[2] -> 2",
     "float32[1,1,2]{3,9}; int64[1,1,2]{1,2}"},
    {10, 27, "MaxPool(f32[1,1,3]{1,3,9}) kernel_shape=[2] dilations=[2] ceil_mode=1",
     "float32[1,1,1]{9}"},
    {1, 7, "Mean(f32[2]{1,5}, f32[2]{3,1})", "float32[2]{2,3}"},
    {8, 27, "Mean(f32[2,1]{1,5}, f32[2]{3,1})", "float32[2,2]{2,1,4,3}"},
    {1, 7, "Min(f32[2]{1,5}, f32[2]{3,2})", "float32[2]{1,2}"},
    {8, 27, "Min(f32[2,1]{1,5}, f32[2]{3,2})", "float32[2,2]{1,1,3,2}"},
    {18, 27, "Mish(f32[1]{1})", "float32[1]{0.865098}"},
    {10, 27, "Mod(i64[2]{7,-7}, i64[2]{3,3})", "int64[2]{1,2}"},
    {1, 6, "Mul(f32[2,2]{1,2,3,4}, f32[2]{10,20}) broadcast=1 axis=0",
     "float32[2,2]{10,20,60,80}"},
    {7, 27, "Mul(f32[2,1]{1,2}, f32[2]{10,20})", "float32[2,2]{10,20,20,40}"},
    {1, 27, "Neg(f32[2]{1,-2})", "float32[2]{-1,2}"},
    {10, 27, "NonMaxSuppression(f32[1,1,4]{0,0,1,1}, f32[1,1,1]{0.5}, i64[1]{1})",
     "int64[1,3]{0,0,0}"},
    {9, 27, "NonZero(f32[2,2]{0,1,2,0})", "int64[2,2]{0,1,1,0}"},
    {1, 27, "Not(bool[2]{0,1})", "bool[2]{1,0}"},
    {9, 27, "OneHot(i64[2]{1,0}, i64[]{2}, f32[2]{5,7})",
     "float32[2,2]{5,7,7,5}"},
    {1, 6, "Or(bool[2,2]{0,1,0,0}, bool[2]{0,1}) broadcast=1 axis=0",
     "bool[2,2]{0,1,1,1}"},
    {7, 27, "Or(bool[2,1]{0,1}, bool[2]{0,1})", "bool[2,2]{0,1,1,1}"},
    {1, 6, "PRelu(f32[1,2,2]{-1,2,-3,-4}, f32{2,10})",
     "float32[1,2,2]{-2,2,-30,-40}"},
    {7, 27, "PRelu(f32[1,2,2]{-1,2,-3,-4}, f32[2,1]{2,10})",
     "float32[1,2,2]{-2,2,-30,-40}"},
    {1, 1, "Pad(f32[2]{1,2}) paddings=[1,2] value=9.", "float32[5]{9,1,2,9,9}"},
    {2, 10, "Pad(f32[2]{1,2}) pads=[1,2] value=9.", "float32[5]{9,1,2,9,9}"},
    {2, 10, "Pad(f32[3]{1,2,3}) pads=[1,2] mode=\"reflect\"",
     "float32[6]{2,1,2,3,2,1}"},
    {11, 27, "Pad(f32[2]{1,2}, i64{1,2}, f32[]{9})", "float32[5]{9,1,2,9,9}"},
    {18, 27, "Pad(f32[1,2]{1,2}, i64{1,0}, -, i64[1]{1})",
     "float32[1,3]{0,1,2}"},
    {19, 27, "Pad(f32[2]{1,2}, i64{1,2}) mode=\"wrap\"",
     "float32[5]{2,1,2,1,2}"},
    {1, 6, "Pow(f32[2,2]{1,2,3,4}, f32[2]{1,2}) broadcast=1 axis=0",
     "float32[2,2]{1,2,9,16}"},
    {7, 27, "Pow(f32[2,1]{2,3}, f32[2]{1,2})", "float32[2,2]{2,4,3,9}"},
    {12, 27, "Pow(f32[2]{2,3}, i64[2]{3,2})", "float32[2]{8,9}"},
    {10, 27, "QLinearConv(u8[1,1,2]{3,5}, f32[]{0.5}, u8[]{1}, i8[1,1,1]{4}, f32[]{0.25}, i8[]{0}, f32[]{1}, u8[]{10}, i32{2})",
     "uint8[1,1,2]{11,12}"},
    {10, 27, "QLinearMatMul(u8[1,2]{3,5}, f32[]{0.5}, u8[]{1}, i8[2,1]{4,1}, f32[]{0.25}, i8[]{0}, f32[]{1}, i8[]{-3})",
     "int8[1,1]{-1}"},
    {21, 27, "QLinearMatMul(u8[1,2]{3,5}, f16[]{0.5}, u8[]{1}, i8[2,1]{4,1}, f16[]{0.25}, i8[]{0}, f16[]{1}, i8[]{-3})",
     "int8[1,1]{-1}"},
    {10, 27, "QuantizeLinear(f32[3]{-1,0.25,999}, f32[]{0.5}, u8[]{5})", "uint8[3]{3,5,255}"},
    {10, 27, "QuantizeLinear(i32[2]{7,-9}, f32[]{2})", "uint8[2]{4,0}"},
    {13, 27, "QuantizeLinear(f32[1,2]{3,3}, f32{0.5,2}, i8{1,1})", "int8[1,2]{7,3}"},
    {21, 27, "QuantizeLinear(f32[3]{3,3,3}, f32[2]{0.5,2}, u16[2]{1,1}) axis=0 block_size=2",
     "uint16[3]{7,7,3}"},
    {21, 27, "QuantizeLinear(f32[2]{-3,3}, f32[]{0.5}) output_dtype=5", "int16[2]{-6,6}"},
    {11, 27, "Range(i64[]{1}, i64[]{7}, i64[]{3})", "int64[2]{1,4}"},
    {1, 27, "Reciprocal(f32[2]{2,4})", "float32[2]{0.5,0.25}"},
    {1, 17, "ReduceL1(f32[2,2]{1,-2,3,-4}) axes=[1]", "float32[2,1]{3,7}"},
    {18, 27, "ReduceL1(f32[2,2]{1,-2,3,-4}, i64[1]{1})", "float32[2,1]{3,7}"},
    {1, 17, "ReduceL2(f32[2]{3,-4}) axes=[0]", "float32[1]{5}"},
    {18, 27, "ReduceL2(f32[2]{3,-4}, i64[1]{0})", "float32[1]{5}"},
    {1, 17, "ReduceLogSum(f32[2]{3,4}) axes=[0]", "float32[1]{1.94591}"},
    {18, 27, "ReduceLogSum(f32[2]{3,4}, i64[1]{0})", "float32[1]{1.94591}"},
    {1, 17, "ReduceLogSumExp(f32[2]{3,4}) axes=[0]", "float32[1]{4.31326}"},
    {18, 27, "ReduceLogSumExp(f32[2]{3,4}, i64[1]{0})", "float32[1]{4.31326}"},
    {1, 17, "ReduceMax(f32[2,2]{1,-2,3,-4}) axes=[0] keepdims=0",
     "float32[2]{3,-2}"},
    {18, 27, "ReduceMax(f32[2,2]{1,-2,3,-4}, i64[1]{0}) keepdims=0",
     "float32[2]{3,-2}"},
    {1, 17, "ReduceMean(f32[2,2]{1,-2,3,-4}) axes=[0] keepdims=0",
     "float32[2]{2,-3}"},
    {18, 27, "ReduceMean(f32[2,2]{1,-2,3,-4}, i64[1]{0}) keepdims=0",
     "float32[2]{2,-3}"},
    {1, 17, "ReduceMin(f32[2,2]{1,-2,3,-4}) axes=[0] keepdims=0",
     "float32[2]{1,-4}"},
    {18, 27, "ReduceMin(f32[2,2]{1,-2,3,-4}, i64[1]{0}) keepdims=0",
     "float32[2]{1,-4}"},
    {1, 17, "ReduceProd(f32[2,2]{1,-2,3,-4}) axes=[0] keepdims=0",
     "float32[2]{3,8}"},
    {18, 27, "ReduceProd(f32[2,2]{1,-2,3,-4}, i64[1]{0}) keepdims=0",
     "float32[2]{3,8}"},
    {1, 12, "ReduceSum(f32[2,2]{1,-2,3,-4}) axes=[0] keepdims=0",
     "float32[2]{4,-6}"},
    {11, 12, "ReduceSum(f32[2,2]{1,-2,3,-4}) axes=[-1]", "float32[2,1]{-1,-1}"},
    {13, 27, "ReduceSum(f32[2,2]{1,-2,3,-4}, i64[1]{0}) keepdims=0",
     "float32[2]{4,-6}"},
    {13, 27, "ReduceSum(f32[2]{1,-2}) noop_with_empty_axes=1",
     "float32[2]{1,-2}"},
    {1, 17, "ReduceSumSquare(f32[2,2]{1,-2,3,-4}) axes=[0] keepdims=0",
     "float32[2]{10,20}"},
    {18, 27, "ReduceSumSquare(f32[2,2]{1,-2,3,-4}, i64[1]{0}) keepdims=0",
     "float32[2]{10,20}"},
    {1, 27, "Relu(f32[2]{-1,2})", "float32[2]{0,2}"},
    {1, 4, "Reshape(f32[2,2]{1,2,3,4}) shape=[0,-1,1]",
     "float32[2,2,1]{1,2,3,4}"},
    {5, 27, "Reshape(f32[2,2]{1,2,3,4}, i64{0,-1,1})",
     "float32[2,2,1]{1,2,3,4}"},
    {14, 27, "Reshape(f32[0,2], i64{2,0}) allowzero=1", "float32[2,0]{}"},
    {10, 10, "Resize(f32[1,1,2]{1,2}, f32{1,1,2})", "float32[1,1,4]{1,1,2,2}"},
    {11, 27, "Resize(f32[1,1,2]{1,2}, f32[0], f32{1,1,2}) coordinate_transformation_mode=\"asymmetric\" nearest_mode=\"floor\"",
     "float32[1,1,4]{1,1,2,2}"},
    {13, 27, "Resize(f32[1,1,2]{1,3}, -, -, i64{1,1,4}) mode=\"linear\"",
     "float32[1,1,4]{1,1.5,2.5,3}"},
    {18, 27, "Resize(f32[1,1,2]{1,3}, -, f32{2}) mode=\"linear\" axes=[2]",
     "float32[1,1,4]{1,1.5,2.5,3}"},
    {11, 27, "Resize(u8[1,1,2]{1,4}, -, f32{1,1,2}) mode=\"linear\"",
     "uint8[1,1,4]{1,2,3,4}"},
    {10, 27, "ReverseSequence(f32[3,2]{1,2,3,4,5,6}, i64{3,2})",
     "float32[3,2]{5,4,3,2,1,6}"},
    {23, 27, "RMSNormalization(f32[1,2]{3,4}, f32{2,1}) epsilon=0.",
     "float32[1,2]{1.69706,1.13137}"},
    {1, 27, "RNN(f32[2,1,1]{1,0}, f32[1,1,1]{1}, f32[1,1,1]{1})",
     "float32[2,1,1,1]{0.761594,0.642015}"},
    {14, 27, "RNN(f32[2,1,1]{1,0}, f32[1,1,1]{1}, f32[1,1,1]{1}) layout=1",
     "float32[2,1,1,1]{0.761594,0}"},
    {10, 15, "RoiAlign(f32[1,1,2,2]{1,2,3,4}, f32[1,4]{0,0,1,1}, i64{0}) sampling_ratio=1",
     "float32[1,1,1,1]{2.5}"},
    {16, 27, "RoiAlign(f32[1,1,2,2]{1,2,3,4}, f32[1,4]{0,0,2,2}, i64{0}) sampling_ratio=1",
     "float32[1,1,1,1]{2.5}"},
    {16, 27, "RoiAlign(f32[1,1,2,2]{1,2,3,4}, f32[1,4]{0,0,1,1}, i64{0}) sampling_ratio=1 coordinate_transformation_mode=\"output_half_pixel\"",
     "float32[1,1,1,1]{2.5}"},
    {11, 27, "Round(f32[3]{0.5,1.5,-1.7})", "float32[3]{0,2,-2}"},
    {9, 10, "Scatter(f32[2,2]{1,2,3,4}, i64[1,2]{1,0}, f32[1,2]{7,8})",
     "float32[2,2]{1,8,7,4}"},
    {11, 27, "ScatterElements(f32[3]{1,2,3}, i64[2]{2,0}, f32[2]{7,8})",
     "float32[3]{8,2,7}"},
    {16, 27, "ScatterElements(f32[3]{1,2,3}, i64[2]{2,2}, f32[2]{7,8}) reduction=\"add\"",
     "float32[3]{1,2,18}"},
    {18, 27, "ScatterElements(f32[3]{1,2,3}, i64[2]{2,2}, f32[2]{7,8}) reduction=\"max\"",
     "float32[3]{1,2,8}"},
    {11, 27, "ScatterND(f32[3]{1,2,3}, i64[2,1]{2,0}, f32[2]{7,8})",
     "float32[3]{8,2,7}"},
    {16, 27, "ScatterND(f32[3]{1,2,3}, i64[2,1]{2,2}, f32[2]{7,8}) reduction=\"mul\"",
     "float32[3]{1,2,168}"},
    {18, 27, "ScatterND(f32[3]{1,2,3}, i64[2,1]{2,2}, f32[2]{7,8}) reduction=\"min\"",
     "float32[3]{1,2,3}"},
    {1, 27, "Selu(f32[2]{-1,2})", "float32[2]{-1.11133,2.1014}"},
    {1, 27, "Shape(f32[2,3])", "int64[2]{2,3}"},
    {15, 27, "Shape(f32[2,3,4]) start=1 end=-1", "int64[1]{3}"},
    {9, 27, "Shrink(f32[3]{-2,0.5,2})", "float32[3]{-2,0,2}"},
    {9, 27, "Shrink(f32[3]{-2,1,2}) lambd=1.5 bias=1.5", "float32[3]{-0.5,0,0.5}"},
    {1, 27, "Sigmoid(f32[2]{0,1})", "float32[2]{0.5,0.731059}"},
    {9, 27, "Sign(f32[3]{-3,0,5})", "float32[3]{-1,0,1}"},
    {7, 27, "Sin(f32[2]{0,1})", "float32[2]{0,0.841471}"},
    {9, 27, "Sinh(f32[1]{1})", "float32[1]{1.1752}"},
    {1, 27, "Size(f32[2,3])", "int64[]{6}"},
    {1, 9, "Slice(f32[4]{1,2,3,4}) starts=[1] ends=[-1]", "float32[2]{2,3}"},
    {1, 9, "Slice(f32[1,4]{1,2,3,4}) starts=[1] ends=[9] axes=[1]",
     "float32[1,3]{2,3,4}"},
    {10, 27, "Slice(f32[4]{1,2,3,4}, i64[1]{3}, i64[1]{-9}, i64[1]{0}, i64[1]{-2})",
     "float32[2]{4,2}"},
    {1, 12, "Softmax(f32[1,2,2]{0,0,0,0})",
     "float32[1,2,2]{0.25,0.25,0.25,0.25}"},
    {11, 12, "Softmax(f32[1,2,2]{0,0,0,0}) axis=-1",
     "float32[1,2,2]{0.5,0.5,0.5,0.5}"},
    {13, 27, "Softmax(f32[1,2,2]{0,0,0,0})", "float32[1,2,2]{0.5,0.5,0.5,0.5}"},
    {1, 27, "Softplus(f32[1]{0})", "float32[1]{0.693147}"},
    {1, 27, "Softsign(f32[2]{-1,3})", "float32[2]{-0.5,0.75}"},
    {1, 27, "SpaceToDepth(f32[1,1,2,2]{1,2,3,4}) blocksize=2",
     "float32[1,4,1,1]{1,2,3,4}"},
    {1, 1, "Split(f32[3]{1,2,3}, i64[2]{1,2}) axis=0 -> 2",
     "float32[1]{1}; float32[2]{2,3}"},
    {2, 12, "Split(f32[3]{1,2,3}) axis=0 split=[1,2] -> 2",
     "float32[1]{1}; float32[2]{2,3}"},
    {2, 17, "Split(f32[4]{1,2,3,4}) axis=0 -> 2",
     "float32[2]{1,2}; float32[2]{3,4}"},
    {13, 27, "Split(f32[3]{1,2,3}, i64[2]{1,2}) axis=0 -> 2",
     "float32[1]{1}; float32[2]{2,3}"},
    {18, 27, "Split(f32[3]{1,2,3}) axis=0 num_outputs=2 -> 2",
     "float32[2]{1,2}; float32[1]{3}"},
    {1, 27, "Sqrt(f32[2]{4,9})", "float32[2]{2,3}"},
    {1, 12, "Squeeze(f32[1,2,1]{1,2}) axes=[0]", "float32[2,1]{1,2}"},
    {1, 27, "Squeeze(f32[1,2,1]{1,2})", "float32[2]{1,2}"},
    {13, 27, "Squeeze(f32[1,2,1]{1,2}, i64[1]{-1})", "float32[1,2]{1,2}"},
    {1, 6, "Sub(f32[2,2]{1,2,3,4}, f32[2]{10,20}) broadcast=1 axis=0",
     "float32[2,2]{-9,-8,-17,-16}"},
    {7, 27, "Sub(f32[2,1]{1,2}, f32[2]{10,20})", "float32[2,2]{-9,-19,-8,-18}"},
    {1, 7, "Sum(f32[2]{1,5}, f32[2]{3,2})", "float32[2]{4,7}"},
    {8, 27, "Sum(f32[2,1]{1,5}, f32[2]{3,2})", "float32[2,2]{4,3,8,7}"},
    {24, 27, "Swish(f32[1]{1})", "float32[1]{0.731059}"},
    {24, 27, "Swish(f32[1]{1}) alpha=2.", "float32[1]{0.880797}"},
    {7, 27, "Tan(f32[1]{1})", "float32[1]{1.55741}"},
    {1, 27, "Tanh(f32[1]{1})", "float32[1]{0.761594}"},
    {10, 27, "ThresholdedRelu(f32[2]{0.5,2})", "float32[2]{0,2}"},
    {1, 5, "Tile(f32[1,2]{1,2}, f32[1]{2}, f32[1]{1})",
     "float32[1,4]{1,2,1,2}"},
    {6, 27, "Tile(f32[1,2]{1,2}, i64{1,2})", "float32[1,4]{1,2,1,2}"},
    {1, 9, "TopK(f32[3]{1,3,2}) k=2 -> 2", "float32[2]{3,2}; int64[2]{1,2}"},
    {10, 27, "TopK(f32[3]{1,3,2}, i64[1]{2}) -> 2",
     "float32[2]{3,2}; int64[2]{1,2}"},
    {11, 27, "TopK(f32[3]{1,3,2}, i64[1]{2}) largest=0 -> 2",
     "float32[2]{1,2}; int64[2]{0,2}"},
    {1, 27, "Transpose(f32[2,2]{1,2,3,4})", "float32[2,2]{1,3,2,4}"},
    {1, 27, "Transpose(f32[1,2,2]{1,2,3,4}) perm=[2,0,1]",
     "float32[2,1,2]{1,3,2,4}"},
    {14, 27, "Trilu(f32[2,2]{1,2,3,4}) upper=0", "float32[2,2]{1,0,3,4}"},
    {1, 12, "Unsqueeze(f32[2]{1,2}) axes=[0]", "float32[1,2]{1,2}"},
    {13, 27, "Unsqueeze(f32[2]{1,2}, i64[1]{-1})", "float32[2,1]{1,2}"},
    {1, 1, "Upsample(f32[1,1,1,2]{1,2}) height_scale=1. width_scale=2.",
     "float32[1,1,1,4]{1,1,2,2}"},
    {7, 8, "Upsample(f32[1,1,1,2]{1,2}) scales=[1.,1.,1.,2.]",
     "float32[1,1,1,4]{1,1,2,2}"},
    {9, 9, "Upsample(f32[1,1,1,2]{1,2}, f32{1,1,1,2})",
     "float32[1,1,1,4]{1,1,2,2}"},
    {9, 27, "Where(bool[2,1]{1,0}, f32[2]{1,2}, f32[]{9})",
     "float32[2,2]{1,2,9,9}"},
    {1, 6, "Xor(bool[2,2]{0,1,1,1}, bool[2]{0,1}) broadcast=1 axis=0",
     "bool[2,2]{0,1,0,0}"},
    {7, 27, "Xor(bool[2,1]{0,1}, bool[2]{0,1})", "bool[2,2]{0,1,1,0}"},
    {23, 27, "Attention(f32[1,1,1,2]{1,0}, f32[1,1,2,2]{0,0,0,0}, f32[1,1,2,1]{1,3})",
     "float32[1,1,1,1]{2}"},
};
/* clang-format on */

enum { ROWS = sizeof rows / sizeof *rows };

static void check_at(const char *line, int opset, const char *expect)
{
    char text[256];
    int length = snprintf(text, sizeof text, "%s @%d", line, opset);
    ck_assert_int_lt(length, (int)sizeof text);
    ExecRow at = {text, expect};
    check_exec_row(&at);
}

START_TEST(row_holds_at_all_its_opsets)
{
    const OpsetRow *row = &rows[_i];
    int last = row->last == NEWEST ? NEWEST_READ : row->last;
    for (int opset = row->first; opset <= last; opset++)
        check_at(row->line, opset, row->expect);
}
END_TEST

static bool row_is_of(const OpsetRow *row, const char *operator)
{
    size_t length = strlen(operator);
    return strncmp(row->line, operator, length) == 0 &&
           row->line[length] == '(';
}

/* Those that hold graphs have a suite of their own, `nested`. */
static bool holds_graphs(const char *operator)
{
    return strcmp(operator, "If") == 0 || strcmp(operator, "Loop") == 0 ||
           strcmp(operator, "Scan") == 0;
}

/* From its first opset on there is none without a row, up to the newest one or
 * where the operator ends. */
START_TEST(every_operator_has_rows_without_a_gap)
{
    size_t count;
    const char *const *operators = scope_operators(&count);
    for (size_t i = 0; i < count; i++) {
        int first = NEWEST + 1, last = 0, opsets = 0;
        bool seen[NEWEST + 1] = {false};
        for (int r = 0; r < ROWS; r++)
            for (int n = rows[r].first;
                 row_is_of(&rows[r], operators[i]) && n <= rows[r].last; n++) {
                first = n < first ? n : first;
                last = n > last ? n : last;
                opsets += !seen[n];
                seen[n] = true;
            }
        if (holds_graphs(operators[i]))
            continue;
        OpRange range = op_range(op_find(operators[i]));
        bool ended = range.until > 0;
        ck_assert_msg(first == range.since, "%s starts at opset %d",
                      operators[i], first);
        ck_assert_msg(last == (ended ? range.until : NEWEST),
                      "%s ends at opset %d", operators[i], last);
        ck_assert_msg(opsets == last - first + 1 || ended,
                      "%s has %d opsets from %d to %d", operators[i], opsets,
                      first, last);
    }
}
END_TEST

/* Nothing runs before its operator's first opset, nor after its last. */
START_TEST(row_is_refused_where_its_operator_is_not)
{
    const OpsetRow *row = &rows[_i];
    char name[64];
    ck_assert_int_eq(sscanf(row->line, "%63[^(]", name), 1);
    OpRange range = op_range(op_find(name));
    for (int opset = 1; opset < range.since; opset++)
        check_at(row->line, opset, "unsupported-operator");
    for (int n = range.until + 1; range.until > 0 && n <= NEWEST_READ; n++)
        check_at(row->line, n, "unsupported-operator");
}
END_TEST

Suite *suite_opsets(void)
{
    Suite *suite = suite_create("opsets");
    TCase *tc = tcase_create("opsets");
    tcase_add_loop_test(tc, row_holds_at_all_its_opsets, 0, ROWS);
    tcase_add_test(tc, every_operator_has_rows_without_a_gap);
    tcase_add_loop_test(tc, row_is_refused_where_its_operator_is_not, 0, ROWS);
    suite_add_tcase(suite, tc);
    return suite;
}
