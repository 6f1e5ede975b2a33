/* The geometry of convolution and pooling. */
#ifndef REPFOLD_EXEC_WINDOW_H
#define REPFOLD_EXEC_WINDOW_H

#include "exec/kernel.h"

enum { WINDOW_AXES = 3 };

/* Spatial axes, always three: what is missing in front has size 1. Position o
 * of the output sees positions o * stride + k * dilation - pad of the input,
 * for k in [0, kernel). A transposed window has input and output swapped. */
typedef struct Window {
    int64_t in[WINDOW_AXES], out[WINDOW_AXES], kernel[WINDOW_AXES];
    int64_t stride[WINDOW_AXES], dilation[WINDOW_AXES];
    int64_t pad[WINDOW_AXES], pad_end[WINDOW_AXES]; /* before and after */
    int64_t in_size, out_size, kernel_size;         /* products */
} Window;

/* `kernel` are the spatial dims of the weight; NULL takes kernel_shape. The
 * arrays are (N, C, spatial ...). */
int window_make(const KernelCall *call, const Array *in, const Array *out,
                const int64_t *kernel, bool transposed, Window *window,
                Err *err);

/* True where each output position sees the input's, and nothing else. */
bool window_is_pointwise(const Window *window);

/* The kernel positions [*first, *last) of one axis that see an element of the
 * input from output position `at`. */
void window_range(const Window *window, int axis, int64_t at, int64_t *first,
                  int64_t *last);

#endif
