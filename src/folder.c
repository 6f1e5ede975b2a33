/* Folders of the ONNX backend test format: input_N.pb is the model's N-th
 * input. */
#include "api.h"

#include "judge/input.h"
#include "onnx/onnx.h"

int folder_tensor(Arena *arena, const char *path, DType wanted, Tensor **out,
                  Err *err)
{
    const char *name;
    TRY(tensor_read_file(arena, path, out, &name, err));
    /* numpy has no bfloat16, and up to ONNX 1.18 its bits were written as
     * uint16. */
    if (wanted == DT_BFLOAT16 && (*out)->type == DT_UINT16)
        (*out)->type = DT_BFLOAT16;
    return 0;
}

int folders_to_arrays(Arena *arena, const Model *model,
                      const rp_verify_options *given, rp_verify_options *out,
                      Err *err)
{
    const Value **inputs;
    int count = graph_free_inputs(arena, model->graph, &inputs);
    size_t all = given->array_count + given->data_dir_count * (size_t)count,
           at = 0;
    rp_array *arrays = arena_array(arena, all + 1, sizeof *arrays);
    for (; at < given->array_count; at++)
        arrays[at] = given->arrays[at];
    for (size_t i = 0; i < given->data_dir_count; i++)
        for (int k = 0; k < count; k++) {
            Tensor *tensor;
            const char *path =
                arena_printf(arena, "%s/input_%d.pb", given->data_dirs[i], k);
            TRY(folder_tensor(arena, path, inputs[k]->fact.type, &tensor, err));
            arrays[at++] = (rp_array){.input = inputs[k]->name,
                                      .rank = tensor->rank,
                                      .dims = tensor->dims,
                                      .data = tensor->data,
                                      .type = dtype_name(tensor->type),
                                      .name = path};
        }
    *out = *given;
    out->arrays = arrays;
    out->array_count = all;
    return 0;
}
