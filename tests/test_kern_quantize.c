/* Quantization, and products of quantized numbers, by hand: exec_case.h has
 * the notation. */
#include "exec_case.h"
#include "suites.h"

static const ExecRow quantizers[] = {
    /* a tie goes to the even neighbour, and then the zero point is added */
    {"QuantizeLinear(f32[6]{0.5,1.5,2.5,-0.5,-1.5,-2.5}, f32[]{1}, i8[]{0})",
     "int8[6]{0,2,2,0,-2,-2}"},
    {"QuantizeLinear(f32[2]{0.5,1.5}, f32[]{1}, i8[]{1})", "int8[2]{1,3}"},
    /* every type ends where it ends */
    {"QuantizeLinear(f32[3]{-999,999,nan}, f32[]{1}, u8[]{7})",
     "uint8[3]{0,255,7}"},
    {"QuantizeLinear(f32[2]{-999,999}, f32[]{1}, i8[]{7})",
     "int8[2]{-128,127}"},
    {"QuantizeLinear(f32[2]{-99999,99999}, f32[]{1}, u16[]{7})",
     "uint16[2]{0,65535}"},
    {"QuantizeLinear(f32[2]{-99999,99999}, f32[]{1}, i16[]{7})",
     "int16[2]{-32768,32767}"},
    {"QuantizeLinear(f32[3]{-inf,inf,1}, f32[]{1e-30}, i8[]{-7})",
     "int8[3]{-128,127,127}"},
    {"QuantizeLinear(i32[2]{7,-7}, f32[]{2}, i8[]{0})", "int8[2]{4,-4}"},
    {"QuantizeLinear(f16[1]{3}, f16[]{2})", "uint8[1]{2}"},
    {"QuantizeLinear(f32[1]{3}, f32[]{2}) output_dtype=4 @21", "uint16[1]{2}"},
    /* one scale for all, in a list of one, too */
    {"QuantizeLinear(f32[2,2]{1,2,3,4}, f32[1]{2}, i8[]{1})",
     "int8[2,2]{1,2,3,3}"},
    {"QuantizeLinear(f32[]{6}, f32[]{2}, i8[]{1})", "int8[]{4}"},
    /* one for each position on an axis: the last, the first, between */
    {"QuantizeLinear(f32[2,2]{1,2,3,4}, f32[2]{1,0.5}, i8[2]{0,1})",
     "int8[2,2]{1,5,3,9}"},
    {"QuantizeLinear(f32[2,2]{1,2,3,4}, f32[2]{1,0.5}, i8[2]{0,1}) axis=-2",
     "int8[2,2]{1,2,7,9}"},
    {"QuantizeLinear(f32[2,2,2]{1,2,3,4,5,6,7,8}, f32[2]{1,0.5}) axis=1",
     "uint8[2,2,2]{1,2,6,8,5,6,14,16}"},
    /* one for each block, the last of which may be short */
    {"QuantizeLinear(f32[2,3]{1,2,3,4,5,6}, f32[2,2]{1,0.5,0.25,2}, "
     "u8[2,2]{0,1,2,3}) axis=1 block_size=2 @21",
     "uint8[2,3]{1,2,7,18,22,6}"},
    {"QuantizeLinear(f32[3,2]{1,2,3,4,5,6}, f32[2,2]{1,0.5,0.25,2}) axis=0 "
     "block_size=2 @21",
     "uint8[3,2]{1,4,3,8,20,3}"},
    {"QuantizeLinear(f32[0,2], f32[2]) @21", "uint8[0,2]{}"},
    /* what does not fit */
    {"QuantizeLinear(f32[2,3], f32[2]) axis=1", "bad-shape"},
    {"QuantizeLinear(f32[2,3], f32[2,1]) axis=1", "bad-shape"},
    {"QuantizeLinear(f32[2,3], f32[2,1]) axis=1 block_size=2 @21", "bad-shape"},
    {"QuantizeLinear(f32[2,3], f32[2,1]) axis=1 "
     "block_size=9223372036854775807 @21",
     "bad-shape"},
    {"QuantizeLinear(f32[2,3], f32[3], i8[2]) axis=1", "bad-shape"},
    {"QuantizeLinear(f32[2,3], f32[3]) axis=2", "bad-attribute"},
    {"QuantizeLinear(f32[2], f32[], i64[])", "unsupported-type"},
    {"QuantizeLinear(f32[2], i8[])", "unsupported-type"},
    {"QuantizeLinear(f32[2], f32[]) output_dtype=17 @21", "unsupported-type"},
};

static const ExecRow dequantizers[] = {
    {"DequantizeLinear(u8[3]{0,128,255}, f32[]{2}, u8[]{128})",
     "float32[3]{-256,0,254}"},
    {"DequantizeLinear(i8[2]{-128,127}, f16[]{0.5})", "float16[2]{-64,63.5}"},
    {"DequantizeLinear(i32[2]{-100000,3}, f32[]{0.5})",
     "float32[2]{-50000,1.5}"},
    {"DequantizeLinear(u16[2]{40000,3}, f32[]{0.5}, u16[]{3})",
     "float32[2]{19998.5,0}"},
    {"DequantizeLinear(i8[2,2]{1,2,3,4}, f32[2]{1,10}, i8[2]{0,1}) axis=0",
     "float32[2,2]{1,2,20,30}"},
    {"DequantizeLinear(i8[2,2]{1,2,3,4}, f32[2]{1,10}, i8[2]{0,1})",
     "float32[2,2]{1,10,3,30}"},
    {"DequantizeLinear(i8[2,3]{1,2,3,4,5,6}, f32[2,2]{1,10,2,20}) axis=1 "
     "block_size=2 @21",
     "float32[2,3]{1,2,30,8,10,120}"},
    {"DequantizeLinear(i8[2], f32[], u8[])", "bad-shape"},
    {"DequantizeLinear(f32[2], f32[])", "unsupported-type"},
    {"DequantizeLinear(i64[2], f32[])", "unsupported-type"},
    /* the range is widened to hold 0 */
    {"DynamicQuantizeLinear(f32[2]{51,255}) -> 3",
     "uint8[2]{51,255}; float32[]{1}; uint8[]{0}"},
    {"DynamicQuantizeLinear(f32[2]{-255,-51}) -> 3",
     "uint8[2]{0,204}; float32[]{1}; uint8[]{255}"},
    {"DynamicQuantizeLinear(f32[2]{0,0}) -> 3",
     "uint8[2]{0,0}; float32[]{0.00392157}; uint8[]{0}"},
    {"DynamicQuantizeLinear(f32[3]{-1,nan,509}) -> 3",
     "uint8[3]{0,0,254}; float32[]{2}; uint8[]{0}"},
};

static const ExecRow products[] = {
    /* what is padded is the zero point */
    {"ConvInteger(u8[1,1,2]{5,7}, i8[1,1,3]{1,10,100}, u8[]{4}) pads=[1,1]",
     "int32[1,1,2]{310,31}"},
    {"ConvInteger(u8[1,1,1]{5}, i8[2,1,1]{3,4}, u8[]{4}, i8[2]{1,-2})",
     "int32[1,2,1]{2,6}"},
    {"ConvInteger(u8[1,2,1]{5,6}, u8[2,1,1]{3,4}) group=2",
     "int32[1,2,1]{15,24}"},
    {"MatMulInteger(u8[2,2]{1,2,3,4}, i8[2,2]{1,-1,2,-2})",
     "int32[2,2]{5,-5,11,-11}"},
    {"MatMulInteger(u8[2,2]{1,2,3,4}, i8[2,2]{1,-1,2,-2}, u8[2]{1,3})",
     "int32[2,2]{2,-2,2,-2}"},
    {"MatMulInteger(u8[2,2]{1,2,3,4}, i8[2,2]{1,-1,2,-2}, u8[], i8[2]{1,-2})",
     "int32[2,2]{2,1,4,3}"},
    {"MatMulInteger(u8[2,1,2]{1,2,3,4}, i8[2,2,1]{1,2,3,4}, u8[2,1,1]{1,3}, "
     "i8[2,1,1]{1,3})",
     "int32[2,1,1]{1,1}"},
    {"MatMulInteger(u8[2]{1,2}, i8[2]{3,4})", "int32[]{11}"},
    {"MatMulInteger(u8[1,0], i8[0,2])", "int32[1,2]{0,0}"},
    {"MatMulInteger(u8[2,2], i8[2,2], u8[3])", "bad-shape"},
    {"MatMulInteger(u8[2,2], i8[2,2], i8[])", "unsupported-type"},
    {"MatMulInteger(i16[2,2], i8[2,2])", "unsupported-type"},
    /* (9 * 2 + 2) * 0.5 * 0.25 / 2 is 1.25, and 2.5 for the other channel */
    {"QLinearConv(u8[1,1,1]{10}, f32[]{0.5}, u8[]{1}, i8[2,1,1]{2,2}, "
     "f32[2]{0.25,0.5}, i8[2]{0,0}, f32[]{2}, i8[]{-3}, i32[2]{2,2})",
     "int8[1,2,1]{-2,-1}"},
    {"QLinearConv(u8[1,1,2]{10,250}, f32[]{1}, u8[]{9}, u8[1,1,1]{250}, "
     "f32[]{1}, u8[]{249}, f32[]{0.5}, u8[]{0})",
     "uint8[1,1,2]{2,255}"},
    {"QLinearConv(u8[1,1,1], f32[], u8[], i8[1,1,1], f32[], i8[], f32[], "
     "i64[])",
     "unsupported-type"},
    {"QLinearConv(u8[1,1,1], f32[], u8[], i8[2,1,1], f32[3], i8[], f32[], "
     "u8[])",
     "bad-shape"},
    /* rows of the left one, columns of the right one */
    {"QLinearMatMul(u8[2,1]{3,5}, f32[2]{1,10}, u8[2]{1,2}, i8[1,2]{2,3}, "
     "f32[2]{1,2}, i8[2]{0,1}, f32[]{4}, i8[]{1})",
     "int8[2,2]{2,3,16,31}"},
};

START_TEST(quantizers_by_hand)
{
    check_exec_row(&quantizers[_i]);
}
END_TEST

START_TEST(dequantizers_by_hand)
{
    check_exec_row(&dequantizers[_i]);
}
END_TEST

START_TEST(products_by_hand)
{
    check_exec_row(&products[_i]);
}
END_TEST

Suite *suite_kern_quantize(void)
{
    Suite *suite = suite_create("kern_quantize");
    TCase *tcase = tcase_create("rows");
    tcase_add_loop_test(tcase, quantizers_by_hand, 0,
                        (int)(sizeof quantizers / sizeof *quantizers));
    tcase_add_loop_test(tcase, dequantizers_by_hand, 0,
                        (int)(sizeof dequantizers / sizeof *dequantizers));
    tcase_add_loop_test(tcase, products_by_hand, 0,
                        (int)(sizeof products / sizeof *products));
    suite_add_tcase(suite, tcase);
    return suite;
}
