/* Operators that move, find or make elements. */
#include "exec_case.h"
#include "suites.h"

static const char *const lines[] = {
    "Transpose(f32[2,3])",
    "Transpose(f32[2,3,4,5]) perm=[0,2,3,1]",
    "Transpose(f32[2,3,4,5]) perm=[3,1,0,2]",
    "Transpose(f32[40,1,50]) perm=[2,1,0]",
    "Transpose(f32[200,300])",
    "Transpose(f32[3,19,37]) perm=[0,2,1]",
    "Transpose(f32[2,18,3,21]) perm=[3,0,2,1]",
    "Transpose(i64[2,21,18]) perm=[0,2,1]",
    "Transpose(f32[2,9,11,3]) perm=[0,3,1,2]",
    "Transpose(f32[2,3,9,11]) perm=[0,2,3,1]",
    "Transpose(f32[])",
    "Transpose(f32[2,0,3])",
    "Transpose(i64[2,3,4]) perm=[1,0,2]",
    "Transpose(f32[2,1,2,3,1,2,2]) perm=[6,5,4,3,2,1,0]",
    "Expand(f32[3,1], i64{2,3,4})",
    "Expand(f32[2,3], i64{1})",
    "Expand(i64[1], i64{2,2})",
    "Concat(f32[2,3], f32[2,1], f32[2,0]) axis=1",
    "Concat(f32[2,3], f32[1,3]) axis=0",
    "Concat(f32[2,3,4], f32[2,3,5]) axis=-1",
    "Concat(i64[2]) axis=0",
    "Pad(f32[2,3], i64{1,0,2,1})",
    "Pad(f32[2,3], i64{-1,1,0,-1}, f32[]{7})",
    "Pad(f32[3,4], i64{2,3,2,3}) mode=\"reflect\"",
    "Pad(f32[3,4], i64{5,0,0,6}) mode=\"edge\"",
    "Pad(f32[3,4], i64{4,1,2,9}) mode=\"wrap\" @19",
    "Pad(f32[3,4], i64{-1,2,1,-1}) mode=\"wrap\" @19",
    "Pad(f32[3,4], i64{2,-2,0,3}) mode=\"reflect\"",
    "Pad(f32[3,4], i64{-4,1,5,0}, f32[]{7})",
    "ArgMax(f32[3,200]) axis=1",
    "ArgMin(f32[2,131]) axis=1 select_last_index=1",
    "ArgMax(i64[300]) select_last_index=1",
    "Resize(f32[2,3,7], -, f32[3]{1,2,2})",
    "Resize(f32[2,33], -, f32[2]{1,3})",
    "Resize(f32[2,33], -, f32[2]{1,1.3})",
    "Gather(f32[4,3], i64[2,2]{0,3,-1,1})",
    "Gather(f32[2,4,3], i64[3]{3,0,-2}) axis=1",
    "Gather(f32[2,4], i64[]{1}) axis=-1",
    "Gather(i64[5], i64[0]{})",
};

START_TEST(shapes_against_the_oracle)
{
    check_oracle(lines[_i]);
}
END_TEST

static const ExecRow moves[] = {
    {"Transpose(f32[2,3]) perm=[0,0]", "bad-attribute"},
    {"Reshape(f32[2,2]{1,2,3,4}, i64{4})", "float32[4]{1,2,3,4}"},
    {"Reshape(f32[2,2]{1,2,3,4}, i64{0,-1,1})", "float32[2,2,1]{1,2,3,4}"},
    {"Reshape(f32[2,2], i64{3})", "bad-shape"},
    {"Flatten(f32[1,2,1]{1,2}) axis=2", "float32[2,1]{1,2}"},
    {"Squeeze(f32[1,2,1]{1,2}, i64{0})", "float32[2,1]{1,2}"},
    {"Squeeze(f32[1,2,1]{1,2})", "float32[2]{1,2}"},
    {"Unsqueeze(f32[2]{1,2}, i64{0,-1})", "float32[1,2,1]{1,2}"},
    {"Unsqueeze(f32[2]{1,2}) axes=[1] @11", "float32[2,1]{1,2}"},
    {"Identity(i8[2]{1,-1})", "int8[2]{1,-1}"},
    /* Slice clamps, counts from the end, and runs backwards */
    {"Slice(f32[4]{1,2,3,4}, i64{1}, i64{3})", "float32[2]{2,3}"},
    {"Slice(f32[4]{1,2,3,4}, i64{-3}, i64{99})", "float32[3]{2,3,4}"},
    {"Slice(f32[4]{1,2,3,4}, i64{-1}, i64{-99}, i64{0}, i64{-1})",
     "float32[4]{4,3,2,1}"},
    {"Slice(f32[4]{1,2,3,4}, i64{0}, i64{4}, -, i64{3})", "float32[2]{1,4}"},
    {"Slice(f32[2,3]{1,2,3,4,5,6}, i64{0,1}, i64{1,3}, i64{0,1})",
     "float32[1,2]{2,3}"},
    {"Slice(f32[4]{1,2,3,4}, i64{3}, i64{1})", "float32[0]{}"},
    {"Slice(f32[2,3]{1,2,3,4,5,6}) starts=[1] ends=[2] axes=[1] @9",
     "float32[2,1]{2,5}"},
    {"Split(f32[5]{1,2,3,4,5}, i64{2,3}) -> 2",
     "float32[2]{1,2}; float32[3]{3,4,5}"},
    {"Split(f32[2,2]{1,2,3,4}) axis=1 @13 -> 2",
     "float32[2,1]{1,3}; float32[2,1]{2,4}"},
    {"Split(f32[5]{1,2,3,4,5}) num_outputs=3 -> 3",
     "float32[2]{1,2}; float32[2]{3,4}; float32[1]{5}"},
    {"Split(f32[3]{1,2,3}) split=[1,2] @11 -> 2",
     "float32[1]{1}; float32[2]{2,3}"},
    {"Split(f32[3], i64{1,1}) -> 2", "bad-shape"},
    {"Concat(f32[2,3], f32[3,2]) axis=0", "bad-shape"},
    {"Tile(f32[1,2]{1,2}, i64{2,2})", "float32[2,4]{1,2,1,2,1,2,1,2}"},
    {"Tile(i64[2]{1,2}, i64{0})", "int64[0]{}"},
    {"Pad(i64[2]{1,2}, i64{1,1}, i64[]{9})", "int64[4]{9,1,2,9}"},
    {"Pad(f32[2]{1,2}) pads=[1,0] value=5. @2", "float32[3]{5,1,2}"},
    {"Pad(f32[2,2]{1,2,3,4}, i64{1,0}, -, i64{1})",
     "float32[2,3]{0,1,2,0,3,4}"},
    {"Pad(f32[2], i64{1,0,1})", "bad-shape"},
    {"DepthToSpace(f32[1,4,1,1]{1,2,3,4}) blocksize=2",
     "float32[1,1,2,2]{1,2,3,4}"},
    {"DepthToSpace(f32[1,8,1,1]{1,2,3,4,5,6,7,8}) blocksize=2",
     "float32[1,2,2,2]{1,3,5,7,2,4,6,8}"},
    {"DepthToSpace(f32[1,8,1,1]{1,2,3,4,5,6,7,8}) blocksize=2 mode=\"CRD\"",
     "float32[1,2,2,2]{1,2,3,4,5,6,7,8}"},
    {"SpaceToDepth(f32[1,2,2,2]{1,3,5,7,2,4,6,8}) blocksize=2",
     "float32[1,8,1,1]{1,2,3,4,5,6,7,8}"},
    {"Trilu(f32[2,3]{1,2,3,4,5,6})", "float32[2,3]{1,2,3,0,5,6}"},
    {"Trilu(f32[2,2]{1,2,3,4}, i64[]{9223372036854775807}) upper=0",
     "float32[2,2]{1,2,3,4}"},
    {"Trilu(f32[2,2]{1,2,3,4}, i64[]{-9223372036854775808}) upper=0",
     "float32[2,2]{0,0,0,0}"},
    {"Trilu(f32[2,3]{1,2,3,4,5,6}, i64[]{1}) upper=0",
     "float32[2,3]{1,2,0,4,5,6}"},
};

static const ExecRow places[] = {
    {"Gather(f32[2]{1,2}, i64[1]{2})", "bad-index"},
    {"Gather(f32[2]{1,2}, i64[1]{-3})", "bad-index"},
    {"GatherElements(f32[2,2]{1,2,3,4}, i64[2,2]{0,0,1,0}) axis=1",
     "float32[2,2]{1,1,4,3}"},
    {"GatherElements(f32[2,2]{1,2,3,4}, i64[1,2]{-1,0})", "float32[1,2]{3,2}"},
    {"GatherElements(f32[2,2], i64[1,2]{2,0})", "bad-index"},
    {"GatherND(f32[2,2]{1,2,3,4}, i64[2,2]{0,0,1,1})", "float32[2]{1,4}"},
    {"GatherND(f32[2,2]{1,2,3,4}, i64[1,1]{-1})", "float32[1,2]{3,4}"},
    {"GatherND(f32[2,2,1]{1,2,3,4}, i64[2,1]{1,0}) batch_dims=1",
     "float32[2,1]{2,3}"},
    {"GatherND(f32[2,2], i64[1,2]{0,2})", "bad-index"},
    {"ScatterElements(f32[3]{1,2,3}, i64[2]{0,-1}, f32[2]{8,9})",
     "float32[3]{8,2,9}"},
    {"ScatterElements(f32[3]{1,2,3}, i64[2]{1,1}, f32[2]{8,9}) "
     "reduction=\"add\"",
     "float32[3]{1,19,3}"},
    {"ScatterElements(i64[2]{1,5}, i64[2]{0,1}, i64[2]{3,3}) "
     "reduction=\"max\"",
     "int64[2]{3,5}"},
    {"ScatterElements(i64[2]{1,5}, i64[2]{0,1}, i64[2]{3,3}) "
     "reduction=\"add\"",
     "int64[2]{4,8}"},
    {"ScatterElements(i64[2]{1,5}, i64[2]{0,1}, i64[2]{3,3}) "
     "reduction=\"mul\"",
     "int64[2]{3,15}"},
    {"ScatterElements(i64[2]{1,5}, i64[2]{0,1}, i64[2]{3,3}) "
     "reduction=\"min\"",
     "int64[2]{1,3}"},
    {"ScatterElements(u64[2]{1,-1}, i64[2]{0,1}, u64[2]{-2,5}) "
     "reduction=\"max\"",
     "uint64[2]{-2,-1}"}, /* -1 is 2^64 - 1 */
    {"ScatterElements(u64[2]{1,-1}, i64[2]{0,1}, u64[2]{-2,5}) "
     "reduction=\"min\"",
     "uint64[2]{1,5}"},
    {"ScatterElements(f32[2], i64[1]{2}, f32[1])", "bad-index"},
    {"ScatterND(f32[2,2]{1,2,3,4}, i64[1,1]{1}, f32[1,2]{8,9})",
     "float32[2,2]{1,2,8,9}"},
    {"ScatterND(f32[3]{1,2,3}, i64[2,1]{0,0}, f32[2]{2,5}) "
     "reduction=\"mul\"",
     "float32[3]{10,2,3}"},
    {"ScatterND(f32[3], i64[1,1]{3}, f32[1])", "bad-index"},
    {"OneHot(i64[3]{0,-1,5}, i64[]{3}, f32[2]{0,1})",
     "float32[3,3]{1,0,0,0,0,1,0,0,0}"},
    {"OneHot(i64[2]{1,0}, i64[1]{2}, i64[2]{5,7}) axis=0",
     "int64[2,2]{5,7,7,5}"},
    {"ArgMax(f32[2,3]{1,5,5,7,0,nan}) axis=1", "int64[2,1]{1,2}"},
    {"ArgMax(f32[3]{5,1,5}) select_last_index=1 keepdims=0", "int64[]{2}"},
    /* the first NaN, or the last, as NumPy finds it */
    {"ArgMin(f32[2,4]{1,nan,3,nan,-inf,2,nan,5}) axis=1", "int64[2,1]{1,2}"},
    {"ArgMin(f32[4]{1,nan,3,nan}) select_last_index=1", "int64[1]{3}"},
    {"ArgMin(f32[2,2]{1,nan,3,-inf})", "int64[1,2]{0,0}"},
    {"ArgMin(i64[2,2]{3,1,2,1})", "int64[1,2]{1,0}"},
    {"ArgMin(u64[2]{-1,1})", "int64[1]{1}"},
    {"TopK(f32[4]{3,1,4,1}, i64{3}) -> 2",
     "float32[3]{4,3,1}; int64[3]{2,0,1}"},
    {"TopK(i64[4]{3,1,4,1}, i64{2}) largest=0 -> 2",
     "int64[2]{1,1}; int64[2]{1,3}"},
    {"TopK(f32[3,2]{1,6,5,2,3,4}, i64{2}) axis=0 -> 2",
     "float32[2,2]{5,6,3,4}; int64[2,2]{1,0,2,2}"},
    {"NonZero(f32[2,2]{1,0,0,2})", "int64[2,2]{0,1,0,1}"},
    {"NonZero(bool[2]{0,0})", "int64[1,0]{}"},
    /* the second overlaps the first by 9/11, the third is as good as it */
    {"NonMaxSuppression(f32[1,3,4]{0,0,1,1,0,0.1,1,1.1,5,5,4,4}, "
     "f32[1,1,3]{0.9,0.8,0.9}, i64[]{3}, f32[]{0.5}, f32[]{0.1})",
     "int64[2,3]{0,0,0,0,0,2}"},
    {"NonMaxSuppression(f32[1,3,4]{0,0,1,1,0,0.1,1,1.1,5,5,4,4}, "
     "f32[1,1,3]{0.9,0.8,0.9}, i64[]{3}, f32[]{0.9}, f32[]{0.8})",
     "int64[2,3]{0,0,0,0,0,2}"},
    {"NonMaxSuppression(f32[1,3,4]{0,0,1,1,0,0.1,1,1.1,5,5,4,4}, "
     "f32[1,2,3]{0.7,0.8,0.9,3,2,1}, i64[]{1})",
     "int64[2,3]{0,0,2,0,1,0}"},
    {"NonMaxSuppression(f32[1,2,4]{1,1,2,2,1,1.5,2,2}, f32[1,1,2]{0.7,0.8}, "
     "i64[]{9}, f32[]{0.5}) center_point_box=1",
     "int64[1,3]{0,0,1}"},
    {"NonMaxSuppression(f32[1,1,4]{0,0,1,1}, f32[1,1,1]{0.5})", "int64[0,3]{}"},
    {"NonMaxSuppression(f32[1,2,4], f32[1,1,1]{0.5}, i64[]{1})", "bad-shape"},
    {"NonMaxSuppression(f32[1,1,4], f32[1,1,1]{0.5}, i64[2]{1,2})",
     "bad-shape"},
    {"CumSum(f32[3]{1,2,3}, i64[]{0})", "float32[3]{1,3,6}"},
    {"CumSum(f32[3]{1,2,3}, i64[]{0}) exclusive=1 reverse=1",
     "float32[3]{5,3,0}"},
    {"CumSum(i64[2,2]{1,2,3,4}, i64[]{-2})", "int64[2,2]{1,2,4,6}"},
    {"CumSum(i32[3]{2147483647,1,1}, i32[]{0})",
     "int32[3]{2147483647,-2147483648,-2147483647}"},
};

static const ExecRow makers[] = {
    {"Constant() value_ints=[1,2]", "int64[2]{1,2}"},
    {"Constant() value_float=1.5", "float32[]{1.5}"},
    {"Constant() value={3,4}", "int64[2]{3,4}"},
    {"Constant() value_string=\"a\"", "unsupported-type"},
    {"ConstantOfShape(i64{2,1})", "float32[2,1]{0,0}"},
    {"ConstantOfShape(i64{2}) value={7}", "int64[2]{7,7}"},
    {"ConstantOfShape(i64[0]{}) value={7}", "int64[]{7}"},
    {"Shape(f32[2,0,3])", "int64[3]{2,0,3}"},
    {"Shape(f32[2,4,3]) start=-2 end=-1", "int64[1]{4}"},
    {"Size(f32[2,3])", "int64[]{6}"},
    {"Range(i64[]{1152921504606846976}, i64[]{1152921504606846979}, i64[]{2})",
     "int64[2]{1152921504606846976,1152921504606846978}"},
    {"Range(i64[]{-9223372036854775808}, i64[]{9223372036854775807}, "
     "i64[]{9223372036854775807})",
     "int64[3]{-9223372036854775808,-1,9223372036854775806}"},
    {"Range(i64[]{3}, i64[]{-2}, i64[]{-3})", "int64[2]{3,0}"},
    {"Range(i64[]{1}, i64[]{8}, i64[]{3})", "int64[3]{1,4,7}"},
    {"Range(f32[]{1}, f32[]{0}, f32[]{-0.5})", "float32[2]{1,0.5}"},
    {"Range(i64[]{1}, i64[]{0}, i64[]{1})", "int64[0]{}"},
    {"Range(f32[]{0}, f32[]{1}, f32[]{0})", "bad-input"},
    {"EyeLike(f32[2,3]) k=1", "float32[2,3]{0,1,0,0,0,1}"},
    {"EyeLike(f32[2,2]) dtype=7", "int64[2,2]{1,0,0,1}"},
    /* Resize */
    {"Resize(f32[1,1,1,2]{1,3}, -, f32{1,1,1,2})", "float32[1,1,1,4]{1,1,3,3}"},
    /* parts of a row with each element twice, three times, in turns */
    {"Resize(f32[3]{1,3,5}, -, -, i64{9})", "float32[9]{1,1,1,3,3,3,5,5,5}"},
    {"Resize(f32[3]{1,3,5}, -, -, i64{7})", "float32[7]{1,1,3,3,3,5,5}"},
    {"Resize(i64[4]{1,3,5,7}, -, f32{2}) nearest_mode=\"ceil\" "
     "coordinate_transformation_mode=\"asymmetric\"",
     "int64[8]{1,3,3,5,5,7,7,7}"},
    {"Resize(f32[1,1,1,2]{1,3}, -, f32{1,1,1,2}) mode=\"linear\"",
     "float32[1,1,1,4]{1,1.5,2.5,3}"},
    {"Resize(f32[1,1,1,3]{1,2,3}, -, -, i64{1,1,1,5}) mode=\"linear\" "
     "coordinate_transformation_mode=\"align_corners\"",
     "float32[1,1,1,5]{1,1.5,2,2.5,3}"},
    {"Resize(f32[1,1,1,4]{1,2,3,4}, -, f32{1,1,1,2}) mode=\"cubic\"",
     "float32[1,1,1,8]{0.894531,1.19141,1.66797,2.29688,2.70312,3.33203,"
     "3.80859,4.10547}"},
    {"Resize(i64[1,1,2]{1,2}, -, f32{1,1,2}) "
     "coordinate_transformation_mode=\"asymmetric\" nearest_mode=\"floor\"",
     "int64[1,1,4]{1,1,2,2}"},
    /* integers are rounded, and a cubic overshoot stays in the type */
    {"Resize(i64[1,1,2]{1,3}, -, f32{1,1,2}) mode=\"linear\"",
     "int64[1,1,4]{1,2,2,3}"},
    {"Resize(u8[4]{0,0,255,255}, -, f32[1]{2}) mode=\"cubic\"",
     "uint8[8]{0,0,0,58,197,255,255,255}"},
    {"Resize(f32[4]{1,2,3,4}, -, f32{0.5}) mode=\"linear\" antialias=1",
     "float32[2]{1.625,3.375}"},
    {"Resize(f32[4]{1,2,3,4}, f32[2]{0.5,1.5}, f32{1}) mode=\"linear\" "
     "coordinate_transformation_mode=\"tf_crop_and_resize\" "
     "extrapolation_value=9.",
     "float32[4]{2.5,3.5,9,9}"},
    /* (1 - 2 / (0.6 * 4)) * 2 + (i + 0.5) / 0.6 - 0.5 is 2/3 and 7/3. */
    {"Resize(f32[4]{1,2,3,4}, -, f32{0.6}) mode=\"linear\" "
     "coordinate_transformation_mode=\"half_pixel_symmetric\"",
     "float32[2]{1.66667,3.33333}"},
    {"Resize(f32[2,2]{1,2,3,4}, -, -, i64{4,2}) "
     "keep_aspect_ratio_policy=\"not_larger\"",
     "float32[2,2]{1,2,3,4}"},
    {"Resize(f32[1,2]{1,2}, -, -, i64{2,2}) "
     "keep_aspect_ratio_policy=\"not_smaller\"",
     "float32[2,4]{1,1,2,2,1,1,2,2}"},
    {"Resize(f32[1,2]{1,2}, f32{1,2}) @10", "float32[1,4]{1,1,2,2}"},
    {"Upsample(f32[1,2]{1,2}, f32{1,2}) @9", "float32[1,4]{1,1,2,2}"},
    {"Upsample(f32[1,2]{1,2}) scales=[1.,2.] mode=\"linear\" @7",
     "float32[1,4]{1,1.5,2,2}"},
    /* GridSample: a place is (x, y), from -1 to 1 */
    {"GridSample(f32[1,1,2,2]{1,2,3,4}, f32[1,1,3,2]{-1,-1,1,-1,0,0}) "
     "align_corners=1",
     "float32[1,1,1,3]{1,2,2.5}"},
    {"GridSample(f32[1,1,2,2]{1,2,3,4}, f32[1,1,3,2]{-1,-1,1,-1,0,0})",
     "float32[1,1,1,3]{0.25,0.5,2.5}"},
    {"GridSample(f32[1,1,2,2]{1,2,3,4}, f32[1,1,2,2]{-9,-1,9,1}) "
     "padding_mode=\"border\"",
     "float32[1,1,1,2]{1,4}"},
    {"GridSample(f32[1,1,4]{1,2,3,4}, f32[1,3,1]{1,1.5,-2}) "
     "padding_mode=\"reflection\"",
     "float32[1,1,3]{4,3.5,2.5}"},
    {"GridSample(f32[1,1,4]{1,2,3,4}, f32[1,3,1]{0.1,-0.6,1.5}) "
     "mode=\"nearest\"",
     "float32[1,1,3]{3,1,0}"},
    {"GridSample(f32[1,1,4]{1,2,3,4}, f32[1,1,1]{0}) mode=\"bicubic\" "
     "align_corners=1 @16",
     "float32[1,1,1]{2.5}"},
    {"GridSample(f32[1,1,2]{1,2}, f32[1,2,1]{nan,1e30})",
     "float32[1,1,2]{0,0}"},
    {"GridSample(f32[1,1,2]{1,2}, f32[1,1,1]{0}) mode=\"area\"",
     "bad-attribute"},
    {"GridSample(f32[1,1,0], f32[1,1,1]{0})", "bad-shape"},
    {"GridSample(f32[1,1,2,2], f32[1,1,2,3])", "bad-shape"},
    {"GridSample(f32[1,1,2,2], f32[1,1,2])", "bad-shape"},
    /* Compress: elements, or slices of an axis */
    {"Compress(f32[2,2]{1,2,3,4}, bool[3]{0,1,1})", "float32[2]{2,3}"},
    {"Compress(i64[2,2]{1,2,3,4}, bool[2]{0,1}) axis=-1", "int64[2,1]{2,4}"},
    {"Compress(f32[2,2]{1,2,3,4}, bool[9]{0,0,1,1,1,1,1,1,1}) axis=0",
     "float32[0,2]{}"},
    {"Compress(f32[2,2], f32[2])", "unsupported-type"},
    {"ReverseSequence(f32[3,2]{1,2,3,4,5,6}, i64[2]{2,0})",
     "float32[3,2]{3,2,1,4,5,6}"},
    {"ReverseSequence(i64[2,2,2]{1,2,3,4,5,6,7,8}, i64[2]{1,2}) batch_axis=0 "
     "time_axis=1",
     "int64[2,2,2]{1,2,3,4,7,8,5,6}"},
    {"ReverseSequence(f32[3,2], i64[2]{4,0})", "bad-shape"},
    {"ReverseSequence(f32[3,2], i64[3]{1,1,1})", "bad-shape"},
    {"ReverseSequence(f32[3,2], i64[2]{1,1}) time_axis=1", "bad-attribute"},
    /* RoiAlign: of the four neighbours that count most, each by its weight */
    {"RoiAlign(f32[1,1,2,2]{1,2,3,4}, f32[1,4]{0,0,2,2}, i64{0}) mode=\"max\" "
     "sampling_ratio=1",
     "float32[1,1,1,1]{1}"},
    {"RoiAlign(f32[1,1,2,2]{1,2,3,4}, f32[1,4]{0,0,2,2}, i64{0}) mode=\"max\"",
     "float32[1,1,1,1]{4}"},
    {"RoiAlign(f32[1,1,2,2]{1,2,3,4}, f32[1,4]{0,0,2,2}, i64{0}) "
     "output_height=2 output_width=2",
     "float32[1,1,2,2]{1,2,3,4}"},
    /* a region without size, and one far away */
    {"RoiAlign(f32[1,1,2,2]{1,2,3,4}, f32[2,4]{1,1,1,1,9,9,9,9}, i64{0,0})",
     "float32[2,1,1,1]{0,0}"},
    {"RoiAlign(f32[1,1,2,2]{1,2,3,4}, f32[1,4]{0,0,nan,2}, i64{0})",
     "bad-shape"},
    {"RoiAlign(f32[1,1,2,2], f32[1,4]{0,0,1e9,2}, i64{0})", "bad-shape"},
    {"RoiAlign(f32[1,1,2,2], f32[1,4], i64{1})", "bad-index"},
    {"RoiAlign(f32[1,1,2,2], f32[1,5], i64{0})", "bad-shape"},
    {"RoiAlign(f32[1,1,0,2], f32[1,4], i64{0})", "bad-shape"},
    {"RoiAlign(f32[1,1,2,2], f32[1,4], i64{0}) mode=\"min\"", "bad-attribute"},
};

START_TEST(moves_by_hand)
{
    check_exec_row(&moves[_i]);
}
END_TEST

START_TEST(places_by_hand)
{
    check_exec_row(&places[_i]);
}
END_TEST

START_TEST(makers_by_hand)
{
    check_exec_row(&makers[_i]);
}
END_TEST

Suite *suite_kern_move(void)
{
    Suite *suite = suite_create("kern_move");
    TCase *tcase = tcase_create("kern_move");
    tcase_add_loop_test(tcase, shapes_against_the_oracle, 0,
                        sizeof lines / sizeof *lines);
    tcase_add_loop_test(tcase, moves_by_hand, 0, sizeof moves / sizeof *moves);
    tcase_add_loop_test(tcase, places_by_hand, 0,
                        sizeof places / sizeof *places);
    tcase_add_loop_test(tcase, makers_by_hand, 0,
                        sizeof makers / sizeof *makers);
    suite_add_tcase(suite, tcase);
    return suite;
}
