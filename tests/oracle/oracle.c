#include "oracle.h"

static Oracle *const oracles[OP_COUNT] = {
    [OP_Conv] = oracle_conv,
    [OP_ConvTranspose] = oracle_conv_transpose,
    [OP_MaxPool] = oracle_pool,
    [OP_AveragePool] = oracle_pool,
    [OP_MatMul] = oracle_matmul,
    [OP_Gemm] = oracle_gemm,
    [OP_Einsum] = oracle_einsum,
    [OP_Add] = oracle_zip,
    [OP_Sub] = oracle_zip,
    [OP_Mul] = oracle_zip,
    [OP_Div] = oracle_zip,
    [OP_Max] = oracle_zip,
    [OP_Min] = oracle_zip,
    [OP_PRelu] = oracle_zip,
    [OP_Less] = oracle_zip,
    [OP_Where] = oracle_where,
    [OP_Softmax] = oracle_softmax,
    [OP_LogSoftmax] = oracle_softmax,
    [OP_BatchNormalization] = oracle_batch_norm,
    [OP_InstanceNormalization] = oracle_block_norm,
    [OP_GroupNormalization] = oracle_block_norm,
    [OP_LayerNormalization] = oracle_block_norm,
    [OP_RMSNormalization] = oracle_block_norm,
    [OP_ReduceL1] = oracle_reduce,
    [OP_ReduceL2] = oracle_reduce,
    [OP_ReduceLogSum] = oracle_reduce,
    [OP_ReduceLogSumExp] = oracle_reduce,
    [OP_ReduceMax] = oracle_reduce,
    [OP_ReduceMean] = oracle_reduce,
    [OP_ReduceMin] = oracle_reduce,
    [OP_ReduceProd] = oracle_reduce,
    [OP_ReduceSum] = oracle_reduce,
    [OP_ReduceSumSquare] = oracle_reduce,
    [OP_Transpose] = oracle_transpose,
    [OP_Expand] = oracle_expand,
    [OP_Concat] = oracle_concat,
    [OP_Pad] = oracle_pad,
    [OP_Gather] = oracle_gather,
    [OP_Equal] = oracle_zip,
    [OP_Greater] = oracle_zip,
    [OP_GreaterOrEqual] = oracle_zip,
    [OP_LessOrEqual] = oracle_zip,
    [OP_And] = oracle_zip,
    [OP_Or] = oracle_zip,
    [OP_Xor] = oracle_zip,
    [OP_Pow] = oracle_zip,
    [OP_Mod] = oracle_zip,
    [OP_Sum] = oracle_zip,
    [OP_Mean] = oracle_zip,
    [OP_Clip] = oracle_clip,
    [OP_LRN] = oracle_lrn,
    [OP_LpNormalization] = oracle_lp_norm,
    [OP_GlobalAveragePool] = oracle_global_pool,
    [OP_GlobalMaxPool] = oracle_global_pool,
    [OP_Identity] = oracle_same_order,
    [OP_Reshape] = oracle_same_order,
    [OP_Flatten] = oracle_same_order,
    [OP_Squeeze] = oracle_same_order,
    [OP_Unsqueeze] = oracle_same_order,
    [OP_Split] = oracle_same_order,
    [OP_Slice] = oracle_slice,
    [OP_Tile] = oracle_tile,
    [OP_DepthToSpace] = oracle_blocks,
    [OP_SpaceToDepth] = oracle_blocks,
    [OP_GatherElements] = oracle_gather_elements,
    [OP_GatherND] = oracle_gather_nd,
    [OP_ScatterElements] = oracle_scatter_elements,
    [OP_ScatterND] = oracle_scatter_nd,
    [OP_OneHot] = oracle_one_hot,
    [OP_CumSum] = oracle_cum_sum,
    [OP_ArgMax] = oracle_sorted,
    [OP_ArgMin] = oracle_sorted,
    [OP_TopK] = oracle_sorted,
    [OP_Trilu] = oracle_trilu,
    [OP_GridSample] = oracle_grid_sample,
    [OP_Resize] = oracle_resize,
    [OP_RoiAlign] = oracle_roi_align,
    [OP_DeformConv] = oracle_deform_conv,
    [OP_Col2Im] = oracle_col2im,
    [OP_LSTM] = oracle_recurrent,
    [OP_GRU] = oracle_recurrent,
    [OP_RNN] = oracle_recurrent,
    [OP_Ceil] = oracle_map,
    [OP_Floor] = oracle_map,
    [OP_Round] = oracle_map,
    [OP_Sign] = oracle_map,
    [OP_Sqrt] = oracle_map,
    [OP_Log] = oracle_map,
    [OP_Not] = oracle_map,
    [OP_IsNaN] = oracle_map,
    [OP_IsInf] = oracle_map,
    [OP_Abs] = oracle_map,
    [OP_Celu] = oracle_map,
    [OP_Cos] = oracle_map,
    [OP_Elu] = oracle_map,
    [OP_Erf] = oracle_map,
    [OP_Exp] = oracle_map,
    [OP_Gelu] = oracle_map,
    [OP_HardSigmoid] = oracle_map,
    [OP_HardSwish] = oracle_map,
    [OP_LeakyRelu] = oracle_map,
    [OP_Mish] = oracle_map,
    [OP_Neg] = oracle_map,
    [OP_Reciprocal] = oracle_map,
    [OP_Relu] = oracle_map,
    [OP_Selu] = oracle_map,
    [OP_Sigmoid] = oracle_map,
    [OP_Sin] = oracle_map,
    [OP_Softplus] = oracle_map,
    [OP_Softsign] = oracle_map,
    [OP_Swish] = oracle_map,
    [OP_Tanh] = oracle_map,
    [OP_ThresholdedRelu] = oracle_map,
};

Oracle *oracle_find(Op op)
{
    return oracles[op];
}

void grid_index(const Grid *grid, int64_t position, int64_t *index)
{
    for (int i = grid->rank - 1; i >= 0; i--) {
        index[i] = position % grid->dims[i];
        position /= grid->dims[i];
    }
}

int64_t grid_position(const Grid *grid, const int64_t *index)
{
    int64_t position = 0;
    for (int i = 0; i < grid->rank; i++)
        position = position * grid->dims[i] + index[i];
    return position;
}

double grid_at(const Grid *grid, const int64_t *index)
{
    for (int i = 0; i < grid->rank; i++)
        if (index[i] < 0 || index[i] >= grid->dims[i])
            return 0;
    return grid->data[grid_position(grid, index)];
}

double grid_spread(const Grid *grid, int rank, const int64_t *index)
{
    int64_t own[RANK_MAX];
    for (int i = 0; i < grid->rank; i++)
        own[i] = grid->dims[i] == 1 ? 0 : index[rank - grid->rank + i];
    return grid->data[grid_position(grid, own)];
}

int64_t oracle_int(const OracleCall *call, const char *name, int i,
                   int64_t fallback)
{
    const int64_t *values;
    return i < node_ints(call->node, name, &values) ? values[i] : fallback;
}

int oracle_axis(const OracleCall *call, int64_t fallback, int rank)
{
    int64_t axis = node_int(call->node, "axis", fallback);
    return (int)(axis < 0 ? axis + rank : axis);
}
