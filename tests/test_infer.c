/*
 * Shape inference, operator by operator: what goes in, what must come out.
 * Rows of one table are one loop test; infer_case.h has the notation.
 */
#include "infer_case.h"
#include "suites.h"

static const InferCase elementwise[] = {
    {"Relu(f16[N,3])", "float16[N,3]"},
    {"Relu(?)", "?"},
    {"Relu(-)", "?"},
    {"IsNaN(f32[2,H])", "bool[2,H]"},
    {"Identity(i64{3,N})", "int64[2]{3,N}"},
    {"Dropout(f32[2,3]) -> 2", "float32[2,3]; bool[2,3]"},
    {"Dropout(f32[2,3]) -> 2 @7", "float32[2,3]; float32[2,3]"},
    {"Neg(i64{3,N,-2})", "int64[3]{-3,-N,2}"},
    {"Abs(i64{-3,N})", "int64[2]{3,N}"},
    {"Not(bool{0,1})", "bool[2]{1,0}"},
    /* numpy's broadcasting */
    {"Add(f32[N,3,H,W], f32[3,1,1])", "float32[N,3,H,W]"},
    {"Add(f32[N,1], f32[1,C])", "float32[N,C]"},
    {"Add(f32[], f32[4])", "float32[4]"},
    {"Add(f32[N,3], f32[N,3])", "float32[N,3]"},
    {"Add(f32[N], f32[M])", "float32[?]"},
    {"Add(f32[N], f32[5])", "float32[5]"},
    {"Add(f32[0,3], f32[1,3])", "float32[0,3]"},
    {"Add(f32[2], ?)", "float32"},
    {"Add(f32[2,3], f32[2])", "bad-shape"},
    {"Add(f32[2], f64[2])", "invalid-model"},
    {"Sum(f32[2,1], f32[3], f32[])", "float32[2,3]"},
    {"Pow(f32[2], i64[2])", "float32[2]"},
    /* before opset 7 an attribute says where the second input goes */
    {"Mul(f32[2,3,4,5], f32[3,4]) broadcast=1 axis=1 @6", "float32[2,3,4,5]"},
    {"Mul(f32[2,3,4,5], f32[4,5]) broadcast=1 @6", "float32[2,3,4,5]"},
    {"Mul(f32[2,3,4,5], f32[3,4]) broadcast=1 axis=2 @6", "bad-shape"},
    {"Mul(f32[2,3,4,5], f32[3,4]) broadcast=1 axis=3 @6", "bad-attribute"},
    {"Mul(f32[2,3], f32[3]) broadcast=1 axis=-1 @6", "float32[2,3]"},
    /* casts */
    {"Cast(f32[N,2]) to=11", "float64[N,2]"},
    {"Cast(f32[2]) to=\"FLOAT16\" @1", "float16[2]"},
    {"Cast(f32[2])", "bad-attribute"},
    {"Cast(f32[2]) to=99", "bad-attribute"},
    {"Cast(i64{3,N}) to=6", "int32[2]{3,N}"},
    {"Cast(i64{4294967297}) to=6", "int32[1]{?}"},
    {"Cast(i64{0,7}) to=9", "bool[2]{0,1}"},
    {"Cast(i64{3}) to=1", "float32[1]"},
    {"CastLike(f32[N], f16[])", "float16[N]"},
};

static const InferCase followed[] = {
    {"Shape(f32[N,3,H,W])", "int64[4]{N,3,H,W}"},
    {"Shape(f32[N,3,H,W]) start=1 end=-1", "int64[2]{3,H}"},
    {"Shape(f32[N,3]) start=-9 end=9", "int64[2]{N,3}"},
    {"Shape(f32[N,3]) start=2 end=1", "int64[0]{}"},
    {"Shape(f32[])", "int64[0]{}"},
    {"Shape(?)", "int64[?]"},
    {"Size(f32[N,3,4])", "int64[]{12*N}"},
    {"Gather(i64{N,3,H}, i64[]{-1})", "int64[]{H}"},
    {"Gather(i64{N,3,H}, i64{2,0})", "int64[2]{H,N}"},
    {"Gather(i64{N,3}, i64{2})", "bad-index"},
    {"Slice(i64{N,3,H,W}, i64{2}, i64{9223372036854775807})", "int64[2]{H,W}"},
    {"Slice(i64{N,3,H,W}, i64{-1}, i64{-9}, i64{0}, i64{-1})",
     "int64[4]{W,H,3,N}"},
    {"Slice(i64{N,3,H,W}, i64{0}, i64{4}, i64{0}, i64{2})", "int64[2]{N,H}"},
    {"Concat(i64{N}, i64{-1,3}) axis=0", "int64[3]{N,-1,3}"},
    {"Split(i64{N,3,H,W}, i64{1,3}) axis=0 -> 2",
     "int64[1]{N}; int64[3]{3,H,W}"},
    {"Unsqueeze(i64[]{N}, i64{0})", "int64[1]{N}"},
    {"Squeeze(i64{N}, i64{0})", "int64[]{N}"},
    {"Reshape(i64[]{N}, i64{1})", "int64[1]{N}"},
    {"Expand(i64{7}, i64{3})", "int64[3]{7,7,7}"},
    {"ConstantOfShape(i64{3}) value={-1}", "int64[3]{-1,-1,-1}"},
    {"Range(i64[]{0}, i64[]{6}, i64[]{2})", "int64[3]{0,2,4}"},
    {"Add(i64{N,2}, i64{1})", "int64[2]{N+1,3}"},
    {"Sub(i64{N,2}, i64{N,5})", "int64[2]{0,-3}"},
    {"Mul(i64{H,2}, i64{W,3})", "int64[2]{H*W,6}"},
    {"Mul(i64{9223372036854775807}, i64{2})", "int64[1]{?}"},
    {"Mul(i32{65536}, i32{65536})", "int32[1]{?}"},
    {"Div(i64{-7,7,N}, i64{2})", "int64[3]{-3,3,N/2}"},
    {"Div(i64{4}, i64{0})", "int64[1]{?}"},
    {"Mod(i64{-7,7}, i64{4})", "int64[2]{1,3}"},
    {"Mod(i64{-7,7}, i64{4}) fmod=1", "int64[2]{-3,3}"},
    {"Min(i64{N,5}, i64{3,3})", "int64[2]{min(N,3),3}"},
    {"Max(i64{N,5}, i64{0,3}, i64{1,9})", "int64[2]{max(N,1),9}"},
    {"Equal(i64{N,-1,3}, i64{-1,-1,N})", "bool[3]{0,1,?}"},
    {"Less(i64{N}, i64{N})", "bool[1]{0}"},
    {"GreaterOrEqual(i64{N,2}, i64{0,3})", "bool[2]{1,0}"},
    {"And(bool{1,1}, bool{0,1})", "bool[2]{0,1}"},
    {"Xor(bool{1,1}, bool{0,1})", "bool[2]{1,0}"},
    {"Where(bool{1,0}, i64{N,H}, i64{3})", "int64[2]{N,3}"},
    {"Where(bool[2], i64{N,H}, i64{3})", "int64[2]"},
    {"ReduceProd(i64{N,3,2})", "int64[1]{6*N}"},
    {"ReduceMax(i64{4,9}) keepdims=0", "int64[]{9}"},
    {"Constant() value={5,6}", "int64[2]{5,6}"},
    {"Constant() value_int=3", "int64[]{3}"},
    {"Constant() value_ints=[3,4]", "int64[2]{3,4}"},
    {"Constant() value_float=1.5", "float32[]"},
    {"Constant() value_floats=[1.,2.]", "float32[2]"},
};

static const InferCase moved[] = {
    {"Reshape(f32[N,C,H,W], i64{N,C,-1})", "float32[N,C,H*W]"},
    {"Reshape(f32[N,8,6], i64{0,-1,2,3})", "float32[N,8,2,3]"},
    {"Reshape(f32[N,48,4], i64{-1,8})", "float32[24*N,8]"},
    {"Reshape(f32[6], i64{2,3})", "float32[2,3]"},
    {"Reshape(f32[6], i64{4,-1})", "bad-shape"},
    {"Reshape(f32[6], i64{2,2})", "bad-shape"},
    {"Reshape(f32[6], i64{-1,-1})", "bad-shape"},
    {"Reshape(f32[6], i64{-2,3})", "bad-shape"},
    {"Reshape(f32[6], i64{6,0})", "bad-shape"},
    {"Reshape(f32[0,3], i64{0,0}) allowzero=1", "float32[0,0]"},
    {"Reshape(f32[0,3], i64{3,0}) allowzero=1", "float32[3,0]"},
    {"Reshape(f32[0,3], i64{0,-1}) allowzero=1", "bad-shape"},
    {"Reshape(f32[2,3], i64[3])", "float32[?,?,?]"},
    {"Reshape(f32[2,3], ?)", "float32"},
    {"Reshape(f32[2,3]) shape=[3,2] @1", "float32[3,2]"},
    {"Flatten(f32[2,N,4])", "float32[2,4*N]"},
    {"Flatten(f32[2,N,4]) axis=0", "float32[1,8*N]"},
    {"Flatten(f32[2,N,4]) axis=3", "float32[8*N,1]"},
    {"Flatten(f32[2,N,4]) axis=-1", "float32[2*N,4]"},
    {"Flatten(f32[2,N,4]) axis=4", "bad-attribute"},
    {"Transpose(f32[2,N,4])", "float32[4,N,2]"},
    {"Transpose(f32[2,N,4]) perm=[1,2,0]", "float32[N,4,2]"},
    {"Transpose(f32[2,N,4]) perm=[1,1,0]", "bad-attribute"},
    {"Transpose(f32[2,N,4]) perm=[0,1]", "bad-attribute"},
    {"Transpose(f32[2,N]) perm=[0,-1]", "bad-attribute"},
    {"Squeeze(f32[1,N,1])", "float32"},
    {"Squeeze(f32[1,3,1])", "float32[3]"},
    {"Squeeze(f32[1,N,1], i64{0,-1})", "float32[N]"},
    {"Squeeze(f32[1,N,1]) axes=[2] @11", "float32[1,N]"},
    {"Squeeze(f32[1,3,1], i64{1})", "bad-shape"},
    {"Squeeze(f32[1,3,1], i64{3})", "bad-attribute"},
    {"Squeeze(f32[1,3,1], i64[1])", "float32"},
    {"Unsqueeze(f32[N,3], i64{0,-1})", "float32[1,N,3,1]"},
    {"Unsqueeze(f32[N,3]) axes=[1] @11", "float32[N,1,3]"},
    {"Unsqueeze(f32[N,3], i64{0,0})", "bad-attribute"},
    {"Unsqueeze(f32[N,3], i64{-4})", "bad-attribute"},
    {"Concat(f32[N,3,H], f32[N,5,H]) axis=1", "float32[N,8,H]"},
    {"Concat(f32[N,3], f32[N,M]) axis=-1", "float32[N,M+3]"},
    {"Concat(f32[N,3], f32[2,5]) @3", "float32[2,8]"},
    {"Concat(f32[2,3], f32[3,3]) axis=1", "bad-shape"},
    {"Concat(f32[2,3], f32[2]) axis=0", "bad-shape"},
    {"Concat(f32[2,3]) axis=2", "bad-attribute"},
    {"Split(f32[6,N]) -> 3", "float32[2,N]; float32[2,N]; float32[2,N]"},
    {"Split(f32[7,N]) num_outputs=3 -> 3",
     "float32[3,N]; float32[3,N]; float32[1,N]"},
    {"Split(f32[7]) -> 2 @13", "bad-shape"},
    {"Split(f32[N,6]) split=[2,4] axis=1 -> 2 @11",
     "float32[N,2]; float32[N,4]"},
    {"Split(f32[6], i64{2,3}) -> 2", "bad-shape"},
    {"Split(f32[6], i64{7,-1}) -> 2", "bad-shape"},
    {"Split(f32[6], i64{2,2,2}) -> 2", "bad-shape"},
    {"Split(f32[6], i64[2]) -> 2", "float32[?]; float32[?]"},
    {"Split(f32[6]) num_outputs=3 -> 2", "bad-attribute"},
    {"Tile(f32[N,3], i64{2,M})", "float32[2*N,3*M]"},
    {"Tile(f32[N,3], i64{2})", "bad-shape"},
    {"Expand(f32[3,1], i64{N,1,4})", "float32[N,3,4]"},
    {"Expand(f32[3], i64{4})", "bad-shape"},
    {"Expand(f32[], i64[2])", "float32[?,?]"},
    {"ConstantOfShape(i64{2,N})", "float32[2,N]"},
    {"ConstantOfShape(i64{-1})", "bad-shape"},
    {"EyeLike(f32[3,4]) dtype=7", "int64[3,4]"},
    {"EyeLike(f32[3])", "bad-shape"},
    {"DepthToSpace(f32[N,12,H,W]) blocksize=2", "float32[N,3,2*H,2*W]"},
    {"DepthToSpace(f32[N,10,H,W]) blocksize=2", "bad-shape"},
    {"SpaceToDepth(f32[N,3,4,W]) blocksize=2", "float32[N,12,2,W/2]"},
    {"SpaceToDepth(f32[N,3,5,W]) blocksize=2", "bad-shape"},
    {"SpaceToDepth(f32[N,3,4,W])", "bad-attribute"},
};

static const InferCase picked[] = {
    {"Slice(f32[N,8], i64{1}, i64{-1}, i64{1})", "float32[N,6]"},
    {"Slice(f32[N,8], i64{0}, i64{9223372036854775807}, i64{0})",
     "float32[N,8]"},
    {"Slice(f32[H], i64{0}, i64{-1})", "float32[max(H-1,0)]"},
    {"Slice(f32[H], i64{0}, i64{9223372036854775807}, i64{0}, i64{2})",
     "float32[(H+1)/2]"},
    {"Slice(f32[H], i64{-1}, i64{-9223372036854775807}, i64{0}, i64{-1})",
     "float32[H]"},
    {"Slice(f32[5], i64{4}, i64{0}, i64{0}, i64{-2})", "float32[2]"},
    {"Slice(f32[5], i64{3}, i64{1})", "float32[0]"},
    {"Slice(f32[0], i64{-1}, i64{-9}, i64{0}, i64{-1})", "float32[0]"},
    {"Slice(f32[5], i64{0}, i64{3}, i64{0}, i64{0})", "bad-attribute"},
    {"Slice(f32[5], i64{0}, i64{3}, i64{1})", "bad-attribute"},
    {"Slice(f32[5,6], i64{0}, i64{3,4}, i64{0,1})", "bad-shape"},
    {"Slice(f32[5,6], ?, i64{3}, i64{1})", "float32[5,?]"},
    {"Slice(f32[5,6], i64{0}, i64{3}, ?)", "float32[?,?]"},
    {"Slice(f32[5,6]) starts=[1] ends=[3] axes=[1] @9", "float32[5,2]"},
    {"Slice(f32[5,6]) starts=[1,1] ends=[3,4] @9", "float32[2,3]"},
    {"Slice(f32[5], i64{-9223372036854775808}, i64{9223372036854775807})",
     "float32[5]"},
    {"Gather(f32[N,8,3], i64[2,M]) axis=1", "float32[N,2,M,3]"},
    {"Gather(f32[N,8], i64[]) axis=-1", "float32[N]"},
    {"Gather(f32[N,8], i64[]) axis=2", "bad-attribute"},
    {"GatherElements(f32[4,5], i64[2,5])", "float32[2,5]"},
    {"GatherElements(f32[4,5], i64[2])", "bad-shape"},
    {"GatherND(f32[4,5,6], i64[N,2])", "float32[N,6]"},
    {"GatherND(f32[B,5,6], i64[B,1]) batch_dims=1", "float32[B,6]"},
    {"GatherND(f32[4], i64[N,2])", "bad-shape"},
    {"ScatterElements(f32[4,5], i64[2,5], f32[2,5])", "float32[4,5]"},
    {"ScatterElements(f32[4], i64[2], f32[2]) axis=1", "bad-attribute"},
    {"ScatterND(f32[N,5], i64[1,1], f32[1,5])", "float32[N,5]"},
    {"NonMaxSuppression(f32[1,6,4], f32[1,2,6])", "int64[?,3]"},
    {"NonZero(f32[4,5])", "int64[2,?]"},
    {"NonZero(f32[])", "int64[1,?]"},
    {"OneHot(i64[N,3], i64[]{10}, f32[2])", "float32[N,3,10]"},
    {"OneHot(i64[N,3], f32{10}, f32[2]) axis=0", "float32[10,N,3]"},
    {"OneHot(i64[N], i64{4}, f32[2]) axis=2", "bad-attribute"},
    {"TopK(f32[N,9], i64{4}) -> 2", "float32[N,4]; int64[N,4]"},
    {"TopK(f32[N,9]) k=3 axis=0 -> 2 @1", "float32[3,9]; int64[3,9]"},
    {"TopK(f32[N,9], i64{10}) -> 2", "bad-attribute"},
    {"Pad(f32[N,3,H], i64{0,0,1,0,0,2})", "float32[N,3,H+3]"},
    {"Pad(f32[N,3,H], i64{-1,1}, -, i64{1})", "float32[N,3,H]"},
    {"Pad(f32[3]) pads=[1,2] @2", "float32[6]"},
    {"Pad(f32[3]) paddings=[1,2] @1", "float32[6]"},
    {"Pad(f32[3], i64{-2,-2})", "bad-shape"},
    {"Pad(f32[3], i64{1})", "bad-shape"},
    {"Pad(f32[3,4], i64[4])", "float32[?,?]"},
    {"Range(f32{0}, f32{1}, f32{0.3})", "float32[4]"},
    {"Range(i64[]{5}, i64[]{0}, i64[]{-2})", "int64[3]{5,3,1}"},
    {"Range(i64[]{0}, i64[]{N}, i64[]{2})", "int64[(N+1)/2]"},
    {"Range(i64[]{0}, i64[]{5}, i64[]{-1})", "int64[0]{}"},
    {"Range(i64[]{0}, i64[]{5}, i64[]{0})", "bad-attribute"},
    {"Where(bool[N,1], f32[3], f32[])", "float32[N,3]"},
};

static const InferCase windows[] = {
    /* "Same" convolutions give back the very size. */
    {"Conv(f32[N,3,H,W], f32[8,3,3,3]) pads=[1,1,1,1]", "float32[N,8,H,W]"},
    {"Conv(f32[N,8,H,W], f32[8,1,7,7]) group=8 pads=[3,3,3,3]",
     "float32[N,8,H,W]"},
    {"Conv(f32[N,8,H,W], f32[4,8,1,1])", "float32[N,4,H,W]"},
    {"Conv(f32[N,8,H,W], f32[4,8,3,3]) pads=[2,2,2,2] dilations=[2,2]",
     "float32[N,4,H,W]"},
    /* Equal slack gives the equal size. */
    {"Conv(f32[N,3,H,W], f32[8,3,3,3]) pads=[1,1,1,1] strides=[2,2]",
     "float32[N,8,(H+1)/2,(W+1)/2]"},
    {"Conv(f32[N,3,H,W], f32[8,3,1,1]) strides=[2,2]",
     "float32[N,8,(H+1)/2,(W+1)/2]"},
    {"Conv(f32[N,3,H,W], f32[8,3,2,2]) strides=[2,2]", "float32[N,8,H/2,W/2]"},
    {"Conv(f32[1,3,7,8], f32[8,3,3,3]) strides=[2,2] auto_pad=\"SAME_UPPER\"",
     "float32[1,8,4,4]"},
    {"Conv(f32[1,3,7,8], f32[8,3,3,3]) auto_pad=\"VALID\" pads=[9,9,9,9]",
     "float32[1,8,5,6]"},
    {"Conv(f32[1,3,7,8], f32[8,3,3,3]) auto_pad=\"same\"", "bad-attribute"},
    {"Conv(f32[N,3,9], f32[8,3,3], f32[8])", "float32[N,8,7]"},
    {"Conv(?, f32[8,3,3,3])", "float32[?,8,?-2,?-2]"},
    {"Conv(f32[N,3,9], ?) kernel_shape=[3]", "float32[N,?,7]"},
    {"Conv(f32[1,4,9], f32[8,3,3])", "bad-shape"},
    {"Conv(f32[1,3,9], f32[8,3,3], f32[7])", "bad-shape"},
    {"Conv(f32[1,3,9], f32[8,3,3], f32[8,1])", "bad-shape"},
    {"Conv(f32[1,3,9,9], f32[8,3,3])", "bad-shape"},
    {"Conv(f32[1,3], f32[8,3])", "bad-shape"},
    {"Conv(f32[1,3,9], f32[8,3,3]) kernel_shape=[5]", "bad-shape"},
    {"Conv(f32[1,3,9], f32[8,3,3]) kernel_shape=[3,3]", "bad-attribute"},
    {"Conv(f32[1,3,9], f32[8,3,0])", "bad-shape"},
    {"Conv(f32[1,6,9], f32[8,2,3]) group=3", "bad-shape"},
    {"Conv(f32[1,6,9], f32[8,2,3]) group=0", "bad-attribute"},
    {"Conv(f32[1,6,9], f32[8,2,3]) group=-1", "bad-attribute"},
    {"Conv(f32[1,3,9], f32[8,3,3]) strides=[0]", "bad-attribute"},
    {"Conv(f32[1,3,9], f32[8,3,3]) dilations=[4611686018427387904]",
     "bad-attribute"},
    {"Conv(f32[1,3,9], f32[8,3,3]) pads=[1]", "bad-attribute"},
    {"Conv(f32[1,3,9], f32[8,3,3]) pads=[-1,0]", "bad-attribute"},
    {"Conv(f32[1,3,9], f32[8,3,11])", "bad-shape"},
    {"ConvTranspose(f32[N,4,H,W], f32[4,3,2,2]) strides=[2,2]",
     "float32[N,3,2*H,2*W]"},
    {"ConvTranspose(f32[N,4,5], f32[4,3,3]) strides=[2] pads=[1,1] "
     "output_padding=[1] group=2",
     "float32[N,6,10]"},
    {"ConvTranspose(f32[N,4,5], f32[4,3,3]) dilations=[2]", "float32[N,3,9]"},
    {"ConvTranspose(f32[N,4,5], f32[4,3,3]) output_shape=[12] strides=[2]",
     "float32[N,3,12]"},
    {"ConvTranspose(f32[N,4,5], f32[4,3,3]) auto_pad=\"SAME_LOWER\" "
     "strides=[3]",
     "float32[N,3,15]"},
    {"ConvTranspose(f32[N,5,5], f32[4,3,3])", "bad-shape"},
    {"ConvTranspose(f32[1,4,1], f32[4,3,1]) pads=[2,2]", "bad-shape"},
    {"MaxPool(f32[N,3,H,W]) kernel_shape=[3,3] strides=[2,2] "
     "pads=[1,1,1,1] -> 2",
     "float32[N,3,(H+1)/2,(W+1)/2]; int64[N,3,(H+1)/2,(W+1)/2]"},
    {"AveragePool(f32[1,3,5]) kernel_shape=[2] strides=[2] ceil_mode=1",
     "float32[1,3,3]"},
    /* The last window would start in the padding. */
    {"AveragePool(f32[1,3,4]) kernel_shape=[2] strides=[3] pads=[1,1] "
     "ceil_mode=1",
     "float32[1,3,2]"},
    {"MaxPool(f32[1,3,9]) kernel_shape=[3] dilations=[3]", "float32[1,3,3]"},
    {"MaxPool(f32[1,3,9])", "bad-attribute"},
    {"MaxPool(f32[1,3,9]) kernel_shape=[0]", "bad-attribute"},
    {"MaxPool(f32[1,3,2]) kernel_shape=[3]", "bad-shape"},
    {"MaxPool(f32[1,3]) kernel_shape=[]", "bad-shape"},
    {"GlobalAveragePool(f32[N,8,H,W])", "float32[N,8,1,1]"},
    {"GlobalMaxPool(f32[N])", "bad-shape"},
    {"Resize(f32[N,3,8,H], -, f32{1,1,2,2})", "float32[N,3,16,2*H]"},
    {"Resize(f32[1,1,5,H], -, f32{1,1,0.5,0.5})", "float32[1,1,2,H/2]"},
    {"Resize(f32[1,1,5], f32{1,1,2.5}) @10", "float32[1,1,12]"},
    {"Resize(f32[1,1,5], -, -, i64{1,1,N})", "float32[1,1,N]"},
    {"Resize(f32[1,1,5,6], -, -, i64{10,20}) axes=[2,3]", "float32[1,1,10,20]"},
    {"Resize(f32[1,1,5,6], -, -, i64{10,20}) axes=[2,3] "
     "keep_aspect_ratio_policy=\"not_larger\"",
     "float32[1,1,10,12]"},
    {"Resize(f32[1,4], f32{0,0.25,1,0.75}, f32{1,4}) "
     "coordinate_transformation_mode=\"tf_crop_and_resize\"",
     "float32[1,8]"},
    {"Resize(f32[1,1,5], -, f32{1,1,-2})", "bad-attribute"},
    {"Resize(f32[1,1,5], -, f32{1,2})", "bad-shape"},
    {"Resize(f32[1,1,5], -, -, i64{3,3}) axes=[2,2]", "bad-attribute"},
    {"Upsample(f32[1,1,5], f32{1,1,2}) @9", "float32[1,1,10]"},
    {"Upsample(f32[1,1,5]) scales=[1.,1.,3.] @7", "float32[1,1,15]"},
};

static const InferCase normalized[] = {
    {"BatchNormalization(f32[N,8,H,W], f32[8], f32[8], f32[8], f32[8])",
     "float32[N,8,H,W]"},
    {"BatchNormalization(f32[N,8,H], f32[8], f32[8], f32[8], f32[8]) "
     "training_mode=1 -> 3",
     "float32[N,8,H]; float32[8]; float32[8]"},
    {"BatchNormalization(f16[N,8], f16[8], f16[8], f32[8], f32[8]) "
     "training_mode=1 -> 3",
     "float16[N,8]; float32[8]; float32[8]"},
    {"BatchNormalization(f32[N,8], f32[8], f32[7], f32[8], f32[8])",
     "bad-shape"},
    {"BatchNormalization(f32[N,8], f32[8], f32[8], f32[8,1], f32[8])",
     "bad-shape"},
    {"InstanceNormalization(f32[N,8,H], f32[8], f32[9])", "bad-shape"},
    {"GroupNormalization(f32[N,8,H], f32[4], f32[4]) num_groups=4 @18",
     "float32[N,8,H]"},
    {"GroupNormalization(f32[N,8,H], f32[8], f32[8]) num_groups=4 @21",
     "float32[N,8,H]"},
    {"GroupNormalization(f32[N,8,H], f32[8], f32[8]) num_groups=3 @21",
     "bad-shape"},
    {"LayerNormalization(f16[N,4,8], f16[8]) -> 3",
     "float16[N,4,8]; float32[N,4,1]; float32[N,4,1]"},
    {"LayerNormalization(f32[N,4,8], f32[8]) axis=3", "bad-attribute"},
    {"Softmax(f32[N,4]) axis=2", "bad-attribute"},
    {"Softmax(f32[N,4]) axis=2 @11", "float32[N,4]"},
    {"GridSample(f32[N,C,H,W], f32[N,7,8,2])", "float32[N,C,7,8]"},
    {"CumSum(f32[N,4], i64[]{-2})", "float32[N,4]"},
    {"CumSum(f32[N,4], i64[]{2})", "bad-attribute"},
    {"PRelu(f32[N,4,H], f32[4,1])", "float32[N,4,H]"},
    {"PRelu(f32[1,4,5], f32[3,1])", "bad-shape"},
};

static const InferCase products[] = {
    {"Attention(f32[N,4,T,8], f32[N,2,S,8], f32[N,2,S,6]) @23",
     "float32[N,4,T,6]"},
    {"Attention(f32[N,T,32], f32[N,S,16], f32[N,S,12]) q_num_heads=4 "
     "kv_num_heads=2 @23",
     "float32[N,T,24]"},
    {"MatMul(f32[N,2,T,8], f32[N,2,8,T])", "float32[N,2,T,T]"},
    {"MatMul(f32[N,T,8], f32[8,3])", "float32[N,T,3]"},
    {"MatMul(f32[8], f32[8,3])", "float32[3]"},
    {"MatMul(f32[N,8], f32[8])", "float32[N]"},
    {"MatMul(f32[8], f32[8])", "float32[]"},
    {"MatMul(f32[2,3], f32[4,5])", "bad-shape"},
    {"MatMul(f32[2,1,3], f32[3,3,5])", "bad-shape"},
    {"MatMul(f32[], f32[3])", "bad-shape"},
    {"Gemm(f32[N,8], f32[8,3], f32[3])", "float32[N,3]"},
    {"Gemm(f32[8,N], f32[3,8]) transA=1 transB=1", "float32[N,3]"},
    {"Gemm(f32[N,8], f32[7,3])", "bad-shape"},
    {"Gemm(f32[N,8,1], f32[8,3])", "bad-shape"},
    {"Gemm(f32[1,8], f32[8,3], f32[2,3])", "bad-shape"},
    {"Gemm(f32[2,8], f32[8,3], f32[5])", "bad-shape"},
    {"Einsum(f32[N,3], f32[3,K]) equation=\"ij,jk->ik\"", "float32[N,K]"},
    {"Einsum(f32[B,2,3], f32[3,K]) equation=\"...ij, jk -> ...ik\"",
     "float32[B,2,K]"},
    {"Einsum(f32[2,3]) equation=\"ba\"", "float32[3,2]"},
    {"Einsum(f32[3,3]) equation=\"ii->\"", "float32[]"},
    {"Einsum(f32[3,4]) equation=\"ii->i\"", "bad-shape"},
    {"Einsum(f32[3,4]) equation=\"ij->k\"", "bad-attribute"},
    {"Einsum(f32[3,4]) equation=\"ijk\"", "bad-shape"},
    {"Einsum(f32[3,4]) equation=\"i......\"", "bad-attribute"},
    {"Einsum(f32[3], f32[3]) equation=\"i->i\"", "bad-attribute"},
    {"Einsum(f32[3])", "bad-attribute"},
    {"ReduceMean(f32[N,C,H,W], i64{2,3})", "float32[N,C,1,1]"},
    {"ReduceMean(f32[N,C,H,W]) axes=[-1,-2] keepdims=0 @13", "float32[N,C]"},
    {"ReduceSum(f32[N,C])", "float32[1,1]"},
    {"ReduceSum(f32[N,C]) keepdims=0", "float32[]"},
    {"ReduceSum(f32[N,C]) noop_with_empty_axes=1", "float32[N,C]"},
    {"ReduceSum(f32[N,C], i64[1])", "float32[?,?]"},
    {"ReduceSum(f32[N,C], i64[1]) keepdims=0", "float32"},
    {"ReduceSum(f32[N,C], i64{2})", "bad-attribute"},
    {"ReduceSum(f32[N,C], i64{1,-1})", "bad-attribute"},
    {"ArgMax(f32[N,C]) axis=1", "int64[N,1]"},
    {"ArgMin(f32[N,C]) axis=-1 keepdims=0", "int64[N]"},
    {"ArgMin(f32[N,C]) axis=-3", "bad-attribute"},
};

#define TABLE_TEST(table)                                                      \
    START_TEST(table##_rows)                                                   \
    {                                                                          \
        check_infer_case(&table[_i]);                                          \
    }                                                                          \
    END_TEST

TABLE_TEST(elementwise)
TABLE_TEST(followed)
TABLE_TEST(moved)
TABLE_TEST(picked)
TABLE_TEST(windows)
TABLE_TEST(normalized)
TABLE_TEST(products)

/* ---- The whole graph ---- */

static Arena *arena;
static Graph *graph;

static void setup(void)
{
    arena = arena_new(0);
    graph = graph_new(model_new(arena), NULL);
    graph->model->ir_version = 8;
    graph->model->opset = CASE_OPSET;
}

static void teardown(void)
{
    arena_free(arena);
}

static Value *input(const char *name, int rank, const Dim *dims)
{
    Value *value = graph_value(graph, name);
    value->fact.type = DT_FLOAT;
    value->fact.rank = rank;
    for (int i = 0; i < rank; i++)
        value->fact.dims[i] = dims[i];
    graph_add_input(graph, value);
    return value;
}

static Value *apply(Op op, const char *name, Value *a, Value *b)
{
    Value *out = graph_value(graph, name);
    graph_add_node(graph, node_new(graph, op, name, (Value *[]){a, b},
                                   b ? 2 : 1, &out, 1));
    return out;
}

static Value *ints(const char *name, int64_t count, const int64_t *items)
{
    void *data;
    Tensor *tensor = tensor_alloc(arena, DT_INT64, 1, &count, &data);
    for (int64_t i = 0; i < count; i++)
        ((int64_t *)data)[i] = items[i];
    return graph_add_initializer(graph, name, tensor);
}

/* Attention flattens the image and builds it up again from Shape. */
START_TEST(shapes_flow_from_shape_to_reshape)
{
    Symbols *symbols = graph->model->symbols;
    Dim n = dim_named(symbols, "N"), h = dim_named(symbols, "H"),
        w = dim_named(symbols, "W");
    Value *x = input("x", 4, (Dim[]){n, 8, h, w});
    Value *shape = apply(OP_Shape, "shape", x, NULL);
    Value *flat =
        apply(OP_Reshape, "flat", x, ints("to", 3, (int64_t[]){0, 0, -1}));
    Value *back = apply(OP_Reshape, "back", flat, shape);
    Err err = {0};
    ck_assert_int_eq(graph_infer(graph, &err), 0);
    ck_assert_int_eq(flat->fact.dims[2], dim_combine(symbols, DIM_MUL, w, h));
    ck_assert_int_eq(back->fact.rank, 4);
    ck_assert_int_eq(back->fact.dims[0], n);
    ck_assert_int_eq(back->fact.dims[2], h);
    ck_assert_int_eq(back->fact.dims[3], w);
}
END_TEST

START_TEST(value_info_fills_only_what_inference_cannot_know)
{
    Value *x = input("x", 2, (Dim[]){2, 3});
    Value *opaque = apply(OP_OTHER, "opaque", x, NULL);
    Value *known = apply(OP_Relu, "known", x, NULL);
    opaque->fact.type = DT_FLOAT;
    opaque->fact.rank = 1;
    opaque->fact.dims[0] = 7;
    known->fact = opaque->fact;
    Err err = {0};
    ck_assert_int_eq(graph_infer(graph, &err), 0);
    ck_assert_int_eq(opaque->fact.dims[0], 7);
    ck_assert_int_eq(known->fact.rank, 2);
    ck_assert_int_eq(known->fact.dims[1], 3);
}
END_TEST

/* What one value's size is may say more, once nodes are gone, than the unknown
 * that stood there: it is the size of another value. */
START_TEST(an_unknown_that_is_another_values_size_is_kept)
{
    Symbols *symbols = graph->model->symbols;
    Value *x = input("x", 1, (Dim[]){dim_size_unknown(symbols)});
    Value *y = apply(OP_Relu, "y", x, NULL);
    y->fact.type = DT_FLOAT;
    y->fact.rank = 1;
    y->fact.dims[0] = dim_size_unknown(symbols);
    Err err = {0};
    ck_assert_int_eq(graph_infer(graph, &err), 0);
    ck_assert_int_eq(y->fact.dims[0], x->fact.dims[0]);
}
END_TEST

START_TEST(a_pad_of_nothing_leaves_an_unknown_size_as_it_is)
{
    Dim size = dim_size_unknown(graph->model->symbols);
    Value *x = input("x", 2, (Dim[]){size, size});
    Value *y = apply(OP_Pad, "y", x, ints("pads", 4, (int64_t[]){-1, 0, 1, 1}));
    Err err = {0};
    ck_assert_int_eq(graph_infer(graph, &err), 0);
    ck_assert_int_eq(y->fact.dims[0], size);
    ck_assert_int_eq(y->fact.dims[1],
                     dim_combine(graph->model->symbols, DIM_ADD, size, 1));
}
END_TEST

START_TEST(inferring_again_changes_nothing)
{
    Value *x = input("x", 1, (Dim[]){4});
    Value *places = apply(OP_NonZero, "places", x, NULL);
    Err err = {0};
    ck_assert_int_eq(graph_infer(graph, &err), 0);
    Dim first = places->fact.dims[1];
    ck_assert(dim_is_unknown(graph->model->symbols, first));
    ck_assert_int_eq(graph_infer(graph, &err), 0);
    ck_assert_int_eq(places->fact.dims[1], first);
}
END_TEST

START_TEST(an_overridable_shape_is_not_taken_for_known)
{
    Value *x = input("x", 1, (Dim[]){6});
    Value *to = ints("to", 2, (int64_t[]){2, 3});
    graph_add_input(graph, to);
    Value *y = apply(OP_Reshape, "y", x, to);
    Err err = {0};
    ck_assert_int_eq(graph_infer(graph, &err), 0);
    ck_assert_int_eq(y->fact.rank, 2);
    ck_assert_int_lt(y->fact.dims[0], 0);
    graph->model->freeze_initializers = true;
    ck_assert_int_eq(graph_infer(graph, &err), 0);
    ck_assert_int_eq(y->fact.dims[0], 2);
}
END_TEST

START_TEST(an_error_names_the_node)
{
    Value *x = input("x", 2, (Dim[]){2, 3});
    Value *y = input("y", 1, (Dim[]){2});
    apply(OP_Add, "stem/add", x, y);
    Err err = {0};
    ck_assert_int_eq(graph_infer(graph, &err), -1);
    ck_assert_str_eq(err.message,
                     "Add node \"stem/add\": shapes float32[2,3] and "
                     "float32[2] do not broadcast");
}
END_TEST

START_TEST(a_hundred_thousand_nodes_are_no_trouble)
{
    Value *x = input("x", 1, (Dim[]){dim_named(graph->model->symbols, "N")});
    for (int i = 0; i < 100000; i++) {
        Value *out = graph_fresh_value(graph, "v");
        graph_add_node(
            graph, node_new(graph, OP_Add, "", (Value *[]){x, x}, 2, &out, 1));
        x = out;
    }
    Err err = {0};
    ck_assert_int_eq(graph_infer(graph, &err), 0);
    ck_assert_int_eq(x->fact.rank, 1);
}
END_TEST

#define ADD_TABLE(table)                                                       \
    tcase_add_loop_test(rows, table##_rows, 0,                                 \
                        (int)(sizeof table / sizeof *table))

Suite *suite_infer(void)
{
    Suite *suite = suite_create("infer");
    TCase *rows = tcase_create("operators");
    ADD_TABLE(elementwise);
    ADD_TABLE(followed);
    ADD_TABLE(moved);
    ADD_TABLE(picked);
    ADD_TABLE(windows);
    ADD_TABLE(normalized);
    ADD_TABLE(products);
    suite_add_tcase(suite, rows);
    TCase *whole = tcase_create("graph");
    tcase_add_checked_fixture(whole, setup, teardown);
    tcase_add_test(whole, shapes_flow_from_shape_to_reshape);
    tcase_add_test(whole, value_info_fills_only_what_inference_cannot_know);
    tcase_add_test(whole, an_unknown_that_is_another_values_size_is_kept);
    tcase_add_test(whole, a_pad_of_nothing_leaves_an_unknown_size_as_it_is);
    tcase_add_test(whole, inferring_again_changes_nothing);
    tcase_add_test(whole, an_overridable_shape_is_not_taken_for_known);
    tcase_add_test(whole, an_error_names_the_node);
    tcase_add_test(whole, a_hundred_thousand_nodes_are_no_trouble);
    suite_add_tcase(suite, whole);
    return suite;
}
