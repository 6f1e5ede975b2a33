#include "exec/kernel.h"

#include <string.h>

#define VIEW KERNEL_VIEW
#define INPLACE KERNEL_INPLACE
#define SIZES KERNEL_SIZES
#define EPILOGUE KERNEL_EPILOGUE
#define MAP(types)                                                             \
    {                                                                          \
        kernel_map, types, INPLACE, .chain = chain_add_map                     \
    }
#define ZIP(types)                                                             \
    {                                                                          \
        kernel_zip, types, INPLACE, .chain = chain_add_zip                     \
    }

static const Kernel kernels[OP_COUNT] = {
    [OP_Abs] = MAP("N"),
    [OP_Acos] = MAP("R"),
    [OP_Acosh] = MAP("R"),
    [OP_Add] = ZIP("NN"),
    [OP_And] = ZIP("BB"),
    [OP_ArgMax] = {kernel_arg, "N", 0},
    [OP_ArgMin] = {kernel_arg, "N", 0},
    [OP_Asin] = MAP("R"),
    [OP_Asinh] = MAP("R"),
    [OP_Atan] = MAP("R"),
    [OP_Atanh] = MAP("R"),
    [OP_Attention] = {kernel_attention, "RRr.RrI", 0},
    [OP_AveragePool] = {kernel_average_pool, "R", 0},
    [OP_BatchNormalization] = {kernel_batch_norm, "Rrrrr", INPLACE,
                               prepare_batch_norm,
                               .chain = chain_add_batch_norm},
    [OP_Cast] = {kernel_cast, ".", INPLACE},
    [OP_CastLike] = {kernel_cast, "..", INPLACE},
    [OP_Ceil] = MAP("R"),
    [OP_Celu] = MAP("R"),
    [OP_Clip] = MAP("NNN"),
    [OP_Col2Im] = {kernel_col2im, "RII", 0},
    [OP_Compress] = {kernel_compress, "TB", SIZES},
    [OP_Concat] = {kernel_concat, "T", 0},
    [OP_Constant] = {kernel_constant, "", SIZES},
    [OP_ConstantOfShape] = {kernel_constant_of_shape, "I", 0},
    [OP_Conv] = {kernel_conv, "RRR", EPILOGUE, prepare_conv,
                 .beside = conv_goes_beside},
    [OP_ConvInteger] = {kernel_conv_integer, "I", 0},
    [OP_ConvTranspose] = {kernel_conv_transpose, "RRR", EPILOGUE},
    [OP_Cos] = MAP("R"),
    [OP_Cosh] = MAP("R"),
    [OP_CumSum] = {kernel_cum_sum, "NI", 0},
    [OP_DeformConv] = {kernel_deform_conv, "R", 0},
    [OP_DepthToSpace] = {kernel_depth_to_space, "T", 0},
    [OP_DequantizeLinear] = {kernel_dequantize, "IrI", 0},
    [OP_Div] = ZIP("NN"),
    [OP_Dropout] = {kernel_dropout, "RrB", INPLACE},
    [OP_DynamicQuantizeLinear] = {kernel_dynamic_quantize, "R", 0},
    [OP_Einsum] = {kernel_einsum, "N", 0},
    [OP_Elu] = MAP("R"),
    [OP_Equal] = ZIP("TT"),
    [OP_Erf] = MAP("N"),
    [OP_Exp] = MAP("R"),
    [OP_Expand] = {kernel_expand, "TI", 0},
    [OP_EyeLike] = {kernel_eye_like, ".", 0},
    [OP_Flatten] = {NULL, "T", VIEW},
    [OP_Floor] = MAP("R"),
    [OP_GRU] = {kernel_gru, "RRRRIR", 0},
    [OP_Gather] = {kernel_gather, "TI", 0},
    [OP_GatherElements] = {kernel_gather_elements, "TI", 0},
    [OP_GatherND] = {kernel_gather_nd, "TI", 0},
    [OP_Gelu] = MAP("R"),
    [OP_Gemm] = {kernel_gemm, "NNN", EPILOGUE, prepare_matmul},
    [OP_GlobalAveragePool] = {kernel_global_pool, "R", 0},
    [OP_GlobalMaxPool] = {kernel_global_pool, "R", 0},
    [OP_Greater] = ZIP("NN"),
    [OP_GreaterOrEqual] = ZIP("NN"),
    [OP_GridSample] = {kernel_grid_sample, "RR", 0},
    [OP_GroupNormalization] = {kernel_group_norm, "RRR", 0},
    [OP_HardSigmoid] = MAP("R"),
    [OP_HardSwish] = MAP("R"),
    [OP_Hardmax] = {kernel_lines, "R", 0},
    [OP_Identity] = {NULL, "T", VIEW},
    [OP_InstanceNormalization] = {kernel_instance_norm, "RRR", 0},
    [OP_IsInf] = {kernel_map, "R", 0},
    [OP_IsNaN] = {kernel_map, "R", 0},
    [OP_LRN] = {kernel_lrn, "R", 0},
    [OP_LSTM] = {kernel_lstm, "RRRRIRRR", 0},
    [OP_LayerNormalization] = {kernel_layer_norm, "RRR", 0},
    [OP_LeakyRelu] = MAP("R"),
    [OP_Less] = ZIP("NN"),
    [OP_LessOrEqual] = ZIP("NN"),
    [OP_Log] = MAP("R"),
    [OP_LogSoftmax] = {kernel_lines, "R", 0},
    [OP_LpNormalization] = {kernel_lines, "R", 0},
    [OP_MatMul] = {kernel_matmul, "NN", EPILOGUE, prepare_matmul},
    [OP_MatMulInteger] = {kernel_matmul_integer, "I", 0},
    [OP_Max] = {kernel_zip_all, "N", 0, .chain = chain_add_zip_all},
    [OP_MaxPool] = {kernel_max_pool, "N", 0},
    [OP_Mean] = {kernel_zip_all, "R", 0},
    [OP_Min] = {kernel_zip_all, "N", 0, .chain = chain_add_zip_all},
    [OP_Mish] = MAP("R"),
    [OP_Mod] = ZIP("NN"),
    [OP_Mul] = ZIP("NN"),
    [OP_Neg] = MAP("N"),
    [OP_NonMaxSuppression] = {kernel_non_max_suppression, "RRIRR", SIZES},
    [OP_NonZero] = {kernel_non_zero, ".", SIZES},
    [OP_Not] = MAP("B"),
    [OP_OneHot] = {kernel_one_hot, "nnT", 0},
    [OP_Or] = ZIP("BB"),
    [OP_PRelu] = ZIP("NN"),
    [OP_Pad] = {kernel_pad, "TITI", 0},
    [OP_Pow] = {kernel_pow, "Nn", INPLACE, .chain = chain_add_zip},
    [OP_QLinearConv] = {kernel_qlinear_conv, "IrIIrIrII", 0},
    [OP_QLinearMatMul] = {kernel_qlinear_matmul, "IrIIrIrI", 0},
    [OP_QuantizeLinear] = {kernel_quantize, "nrI", 0},
    [OP_RMSNormalization] = {kernel_layer_norm, "RR", 0},
    [OP_RNN] = {kernel_rnn, "RRRRIR", 0},
    [OP_Range] = {kernel_range, "NNN", SIZES},
    [OP_Reciprocal] = MAP("R"),
    [OP_ReduceL1] = {kernel_reduce, "NI", 0},
    [OP_ReduceL2] = {kernel_reduce, "NI", 0},
    [OP_ReduceLogSum] = {kernel_reduce, "NI", 0},
    [OP_ReduceLogSumExp] = {kernel_reduce, "NI", 0},
    [OP_ReduceMax] = {kernel_reduce, "TI", 0},
    [OP_ReduceMean] = {kernel_reduce, "NI", 0},
    [OP_ReduceMin] = {kernel_reduce, "TI", 0},
    [OP_ReduceProd] = {kernel_reduce, "NI", 0},
    [OP_ReduceSum] = {kernel_reduce, "NI", 0},
    [OP_ReduceSumSquare] = {kernel_reduce, "NI", 0},
    [OP_Relu] = MAP("N"),
    [OP_Reshape] = {NULL, "TI", VIEW},
    [OP_Resize] = {kernel_resize, ".rrI", 0},
    [OP_ReverseSequence] = {kernel_reverse_sequence, "TI", 0},
    [OP_RoiAlign] = {kernel_roi_align, "RRI", 0},
    [OP_Round] = MAP("R"),
    [OP_Scatter] = {kernel_scatter_elements, "TIT", 0},
    [OP_ScatterElements] = {kernel_scatter_elements, "TIT", 0},
    [OP_ScatterND] = {kernel_scatter_nd, "TIT", 0},
    [OP_Selu] = MAP("R"),
    [OP_Shape] = {kernel_shape, ".", 0},
    [OP_Shrink] = MAP("R"),
    [OP_Sigmoid] = MAP("R"),
    [OP_Sign] = MAP("N"),
    [OP_Sin] = MAP("R"),
    [OP_Sinh] = MAP("R"),
    [OP_Size] = {kernel_size, ".", 0},
    [OP_Slice] = {kernel_slice, "TIIII", 0},
    [OP_Softmax] = {kernel_lines, "R", 0},
    [OP_Softplus] = MAP("R"),
    [OP_Softsign] = MAP("R"),
    [OP_SpaceToDepth] = {kernel_space_to_depth, "T", 0},
    [OP_Split] = {kernel_split, "TI", 0},
    [OP_Sqrt] = MAP("R"),
    [OP_Squeeze] = {NULL, "TI", VIEW},
    [OP_Sub] = ZIP("NN"),
    [OP_Sum] = {kernel_zip_all, "N", 0, .chain = chain_add_zip_all},
    [OP_Swish] = MAP("R"),
    [OP_Tan] = MAP("R"),
    [OP_Tanh] = MAP("R"),
    [OP_ThresholdedRelu] = MAP("R"),
    [OP_Tile] = {kernel_tile, ".nn", 0},
    [OP_TopK] = {kernel_top_k, "NI", 0},
    [OP_Transpose] = {kernel_transpose, "T", 0},
    [OP_Trilu] = {kernel_trilu, "TI", 0},
    [OP_Unsqueeze] = {NULL, "TI", VIEW},
    [OP_Upsample] = {kernel_upsample, ".r", 0},
    [OP_Where] = {kernel_where, "BTT", 0},
    [OP_Xor] = ZIP("BB"),
};

const Kernel *kernel_find(Op op)
{
    return kernels[op].types ? &kernels[op] : NULL;
}

const Array *kernel_input(const KernelCall *call, int slot)
{
    return slot < call->input_count ? call->inputs[slot] : NULL;
}

Array *kernel_output(const KernelCall *call, int slot)
{
    return slot < call->output_count ? call->outputs[slot] : NULL;
}

static bool letter_allows(char letter, DType type)
{
    switch (letter) {
    case 'R':
    case 'r':
        return dtype_is_real(type);
    case 'N':
    case 'n':
        return type != DT_BOOL;
    case 'I':
        return dtype_is_integer(type) && type != DT_BOOL;
    case 'B':
        return type == DT_BOOL;
    default:
        return true;
    }
}

static bool letter_agrees(char letter)
{
    return letter == 'T' || letter == 'R' || letter == 'N';
}

int kernel_check(const KernelCall *call, const Kernel *kernel, Err *err)
{
    OpArity arity = op_arity(call->node->op);
    const char *letter = kernel->types;
    DType common = DT_UNDEFINED;
    for (int i = 0; i < call->input_count || i < arity.min_inputs; i++) {
        const Array *input = kernel_input(call, i);
        if (!input && (i < arity.min_inputs || arity.max_inputs < 0))
            return err_set(err, ERR_INVALID_MODEL, "input %d is missing", i);
        if (input && !letter_allows(*letter, input->type))
            return err_set(err, ERR_UNSUPPORTED_TYPE,
                           "input %d is %s, which it does not take", i,
                           dtype_name(input->type));
        if (input && letter_agrees(*letter)) {
            if (common != DT_UNDEFINED && input->type != common)
                return err_set(err, ERR_UNSUPPORTED_TYPE,
                               "input %d is %s beside %s", i,
                               dtype_name(input->type), dtype_name(common));
            common = input->type;
        }
        if (letter[0] && letter[1])
            letter++;
    }
    return 0;
}

Storage kernel_storage(const KernelCall *call, const Array *array)
{
    return array_storage(array->type, call->precision);
}

int kernel_make_output(KernelCall *call, int slot, DType type, int rank,
                       const int64_t *dims, Err *err)
{
    Array *array = kernel_output(call, slot);
    if (!array)
        return 0;
    if (rank > RANK_MAX)
        return err_set(err, ERR_BAD_SHAPE, "its output has rank %d", rank);
    array_set_shape(array, type, rank, dims);
    array->data = buffers_take(call->buffers, (size_t)array->count,
                               storage_size(kernel_storage(call, array)));
    return 0;
}

void *spare_take(Spare *spare, size_t count, size_t size)
{
    size_t bytes;
    if (!spare || __builtin_mul_overflow(count, size, &bytes) ||
        bytes > SIZE_MAX - 63 || (bytes = (bytes + 63) / 64 * 64) > spare->size)
        return NULL;
    char *memory = spare->memory;
    spare->memory += bytes;
    spare->size -= bytes;
    return memory;
}

void *kernel_scratch(const KernelCall *call, size_t count, size_t size)
{
    void *memory = spare_take(call->spare, count, size);
    return memory ? memory : arena_block(call->arena, count, size);
}

const char *kernel_text(const Node *node, const char *name,
                        const char *const *texts, size_t count)
{
    if (!node_attr(node, name))
        return texts[0];
    for (size_t i = 0; i < count; i++)
        if (node_string_is(node, name, texts[i]))
            return texts[i];
    return NULL;
}

double kernel_real(const KernelCall *call, const Array *array, int64_t index)
{
    double value;
    array_to_f64(array, call->precision, index, 1, &value);
    return value;
}

int64_t kernel_int(const KernelCall *call, const Array *array, int64_t index)
{
    if (kernel_storage(call, array) == STORAGE_I64)
        return ((const int64_t *)array->data)[index];
    return integer_from_real(DT_INT64, kernel_real(call, array, index));
}

int kernel_axis(int64_t axis, int rank, int *out, Err *err)
{
    if (axis < -rank || axis >= rank)
        return err_set(err, ERR_BAD_ATTRIBUTE,
                       "axis %lld is out of range for rank %d", (long long)axis,
                       rank);
    *out = (int)(axis < 0 ? axis + rank : axis);
    return 0;
}

void kernel_ints(const KernelCall *call, const char *attribute, int slot,
                 const int64_t **values, int64_t *count)
{
    const Array *input = kernel_input(call, slot);
    *values = NULL;
    *count = node_ints(call->node, attribute, values);
    if (*count < 0 && input && kernel_storage(call, input) == STORAGE_I64) {
        *values = input->data;
        *count = input->count;
    }
}

int kernel_axes(const KernelCall *call, int slot, int rank, bool *chosen,
                int64_t *count, Err *err)
{
    const int64_t *axes;
    kernel_ints(call, "axes", slot, &axes, count);
    memset(chosen, 0, RANK_MAX * sizeof *chosen);
    for (int64_t i = 0; i < *count; i++) {
        int axis = 0;
        TRY(kernel_axis(axes[i], rank, &axis, err));
        chosen[axis] = true;
    }
    return 0;
}
