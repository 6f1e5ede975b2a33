#include "exec/window.h"

/* An attribute with one positive number for each spatial axis. */
static int read_axes(const KernelCall *call, const char *name, int rank,
                     int64_t *out, Err *err)
{
    const int64_t *values;
    int64_t count = node_ints(call->node, name, &values);
    if (count >= 0 && count != rank)
        return err_set(err, ERR_BAD_ATTRIBUTE,
                       "%s does not have one entry for each of %d axes", name,
                       rank);
    for (int64_t i = 0; i < count; i++) {
        if (values[i] < 1 || values[i] > INT32_MAX)
            return err_set(err, ERR_BAD_ATTRIBUTE, "%s has the entry %lld",
                           name, (long long)values[i]);
        out[WINDOW_AXES - rank + i] = values[i];
    }
    return 0;
}

/* Padding that is not given follows from the sizes; the odd element goes to
 * the end with SAME_UPPER, else to the front. The output_padding of a
 * transposed window makes its output longer than what is seen of it. */
static void derive_pads(const KernelCall *call, int rank, bool transposed,
                        Window *window)
{
    bool upper = node_string_is(call->node, "auto_pad", "SAME_UPPER");
    const int64_t *extra;
    int64_t extras =
        transposed ? node_ints(call->node, "output_padding", &extra) : -1;
    for (int i = 0; i < WINDOW_AXES; i++) {
        int64_t small = transposed ? window->in[i] : window->out[i];
        int64_t large = transposed ? window->out[i] : window->in[i];
        int64_t reach = (small - 1) * window->stride[i] +
                        (window->kernel[i] - 1) * window->dilation[i] + 1;
        if (extras == rank && i >= WINDOW_AXES - rank)
            reach += extra[i - (WINDOW_AXES - rank)];
        int64_t total = reach > large ? reach - large : 0;
        window->pad[i] = upper ? total / 2 : total - total / 2;
        window->pad_end[i] = total - window->pad[i];
    }
}

static bool pads_are_derived(const Node *node, bool transposed)
{
    const int64_t *values;
    if (transposed && node_ints(node, "output_shape", &values) >= 0)
        return true;
    return node_string_is(node, "auto_pad", "SAME_UPPER") ||
           node_string_is(node, "auto_pad", "SAME_LOWER");
}

static int set_pads(const KernelCall *call, int rank, bool transposed,
                    Window *window, Err *err)
{
    const int64_t *pads;
    int64_t count = node_ints(call->node, "pads", &pads);
    if (pads_are_derived(call->node, transposed)) {
        derive_pads(call, rank, transposed, window);
        return 0;
    }
    if (node_string_is(call->node, "auto_pad", "VALID"))
        return 0;
    if (count >= 0 && count != 2 * rank)
        return err_set(err, ERR_BAD_ATTRIBUTE,
                       "pads does not have two entries for each of %d axes",
                       rank);
    for (int64_t i = 0; i < count; i++) {
        if (pads[i] < -INT32_MAX || pads[i] > INT32_MAX)
            return err_set(err, ERR_BAD_ATTRIBUTE, "pads has the entry %lld",
                           (long long)pads[i]);
        int64_t *side = i < rank ? window->pad : window->pad_end;
        side[WINDOW_AXES - rank + i % rank] = pads[i];
    }
    return 0;
}

int window_make(const KernelCall *call, const Array *in, const Array *out,
                const int64_t *kernel, bool transposed, Window *window,
                Err *err)
{
    int rank = in->rank - 2;
    if (rank < 1 || rank > WINDOW_AXES)
        return err_set(err, ERR_UNSUPPORTED_OPERATOR,
                       "it has %d spatial axes; 1 to 3 are supported", rank);
    *window = (Window){.in = {1, 1, 1},
                       .out = {1, 1, 1},
                       .kernel = {1, 1, 1},
                       .stride = {1, 1, 1},
                       .dilation = {1, 1, 1}};
    for (int i = 0; i < rank; i++) {
        int axis = WINDOW_AXES - rank + i;
        window->in[axis] = in->dims[2 + i];
        window->out[axis] = out->dims[2 + i];
        if (kernel)
            window->kernel[axis] = kernel[i];
    }
    if (!kernel)
        TRY(read_axes(call, "kernel_shape", rank, window->kernel, err));
    TRY(read_axes(call, "strides", rank, window->stride, err));
    TRY(read_axes(call, "dilations", rank, window->dilation, err));
    TRY(set_pads(call, rank, transposed, window, err));
    window->in_size = dims_product(window->in, 0, WINDOW_AXES);
    window->out_size = dims_product(window->out, 0, WINDOW_AXES);
    window->kernel_size = dims_product(window->kernel, 0, WINDOW_AXES);
    return 0;
}

void window_range(const Window *window, int axis, int64_t at, int64_t *first,
                  int64_t *last)
{
    int64_t start = at * window->stride[axis] - window->pad[axis];
    int64_t dilation = window->dilation[axis];
    int64_t left = window->in[axis] - start;
    *first = start < 0 ? (-start + dilation - 1) / dilation : 0;
    *last = left > 0 ? (left + dilation - 1) / dilation : 0;
    if (*last > window->kernel[axis])
        *last = window->kernel[axis];
}

bool window_is_pointwise(const Window *w)
{
    for (int i = 0; i < WINDOW_AXES; i++)
        if (w->kernel[i] != 1 || w->stride[i] != 1 || w->pad[i] != 0 ||
            w->in[i] != w->out[i])
            return false;
    return true;
}
