/*
 * Shape functions of recurrent layers.
 */
#include "graph/infer.h"

/* The number of units: an attribute, which opset 1 allows to be absent, or the
 * last size of R. */
static int unit_count(const InferCall *call, Dim *out, Err *err)
{
    const Fact *r = infer_in(call, 2);
    *out = infer_axis_size(call, r, r->rank - 1);
    if (!node_attr(call->node, "hidden_size"))
        return 0;
    int64_t given;
    TRY(infer_int_attr(call, "hidden_size", 0, 1, &given, err));
    return infer_same(call, given, *out, "hidden_size and R differ", out, err);
}

/* LSTM, GRU and RNN of opset 14: X is (time, batch, features), Y (time,
 * directions, batch, units), the last states (directions, batch, units); with
 * layout 1 the batch comes first everywhere. */
int infer_recurrent(InferCall *call, Err *err)
{
    const Fact *x = infer_in(call, 0), *w = infer_in(call, 1);
    const Fact *r = infer_in(call, 2);
    int batch_axis = node_int(call->node, "layout", 0) != 0 ? 0 : 1;
    Dim directions =
        node_string_is(call->node, "direction", "bidirectional") ? 2 : 1;
    Dim units, depth;
    if ((x->rank >= 0 && x->rank != 3) || (w->rank >= 0 && w->rank != 3) ||
        (r->rank >= 0 && r->rank != 3))
        return infer_fail(
            call, err, ERR_BAD_SHAPE, "%s, %s and %s are not all of rank 3",
            infer_text(call, x), infer_text(call, w), infer_text(call, r));
    TRY(unit_count(call, &units, err));
    if (x->rank == 3 && w->rank == 3)
        TRY(infer_same(call, x->dims[2], w->dims[2], "X and W differ", &depth,
                       err));
    Dim batch = infer_axis_size(call, x, batch_axis);
    Dim time = infer_axis_size(call, x, 1 - batch_axis);
    const Dim by_time[4] = {time, directions, batch, units};
    const Dim by_batch[4] = {batch, time, directions, units};
    const Dim last[3] = {batch_axis ? directions : batch,
                         batch_axis ? batch : directions, units};
    infer_set(call, infer_out(call, 0), x->type, 4,
              batch_axis ? by_time : by_batch);
    infer_set(call, infer_out(call, 1), x->type, 3, last);
    infer_set(call, infer_out(call, 2), x->type, 3, last);
    return 0;
}
