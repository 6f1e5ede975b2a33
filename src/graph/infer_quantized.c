/*
 * Shape functions of quantization, and of products of quantized numbers.
 */
#include "graph/infer.h"

/* QuantizeLinear-10: the type is that of the zero point; since 21 an attribute
 * may give it. */
int infer_quantizelinear(InferCall *call, Err *err)
{
    Fact *out = infer_out(call, 0);
    DType given;
    infer_copy(call, out, infer_in(call, 0));
    TRY(infer_type_attr(call, "output_dtype", DT_UNDEFINED, &given, err));
    out->type = infer_in(call, 2)->type;
    if (!infer_has(call, 2))
        out->type = given != DT_UNDEFINED ? given : DT_UINT8;
    else if (given != DT_UNDEFINED && out->type != DT_UNDEFINED &&
             given != out->type)
        return infer_fail(call, err, ERR_BAD_ATTRIBUTE,
                          "output_dtype is %s and its zero point %s",
                          dtype_name(given), dtype_name(out->type));
    return 0;
}

/* DequantizeLinear-10: the type is that of the scale; since 23 an attribute
 * may give it. */
int infer_dequantizelinear(InferCall *call, Err *err)
{
    Fact *out = infer_out(call, 0);
    infer_copy(call, out, infer_in(call, 0));
    TRY(infer_type_attr(call, "output_dtype", DT_UNDEFINED, &out->type, err));
    if (out->type == DT_UNDEFINED)
        out->type = infer_in(call, 1)->type;
    return 0;
}

/* DynamicQuantizeLinear-11: with the scale and the zero point that it found. */
int infer_dynamicquantizelinear(InferCall *call, Err *err)
{
    const Fact *in = infer_in(call, 0);
    (void)err;
    infer_set(call, infer_out(call, 0), DT_UINT8, in->rank, in->dims);
    infer_set(call, infer_out(call, 1), in->type, 0, NULL);
    infer_set(call, infer_out(call, 2), DT_UINT8, 0, NULL);
    return 0;
}

int infer_convinteger(InferCall *call, Err *err)
{
    infer_out(call, 0)->type = DT_INT32;
    return infer_convolution(call, 0, 1, -1, err);
}

int infer_matmulinteger(InferCall *call, Err *err)
{
    infer_out(call, 0)->type = DT_INT32;
    return infer_matrix_product(call, 0, 1, err);
}

int infer_qlinearconv(InferCall *call, Err *err)
{
    infer_out(call, 0)->type = infer_in(call, 7)->type;
    return infer_convolution(call, 0, 3, 8, err);
}

int infer_qlinearmatmul(InferCall *call, Err *err)
{
    infer_out(call, 0)->type = infer_in(call, 7)->type;
    return infer_matrix_product(call, 0, 3, err);
}
