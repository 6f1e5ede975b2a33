/* rp_rounding: what storing folded weights costs, number by number. */
#include <math.h>

#include "api.h"

enum { PIECE = 512 };

typedef struct RoundingWork {
    rp_model *model;
    rp_rounding_info info;
} RoundingWork;

/* Half a unit in the last place of the type at `value`, subnormals included:
 * u 2^e where 2^e <= |value| < 2^(e + 1). */
static double half_unit(DType type, double value)
{
    int least = type == DT_FLOAT16 ? -14 : type == DT_DOUBLE ? -1022 : -126;
    int exponent = value == 0 ? least : ilogb(value);
    return ldexp(dtype_roundoff(type), exponent < least ? least : exponent);
}

static void take_number(rp_rounding_info *info, DType type, double exact,
                        double stored)
{
    double units = fabs(stored - exact) / (2 * half_unit(type, exact));
    double bin = units * 2 * RP_ROUNDING_BINS;
    if (!isfinite(units))
        return;
    info->bins[bin < RP_ROUNDING_BINS ? (int)bin : RP_ROUNDING_BINS - 1]++;
    info->largest = fmax(info->largest, units);
    info->count++;
}

static void take_tensor(rp_rounding_info *info, const Tensor *tensor)
{
    double exact[PIECE], rounded[PIECE];
    uint8_t stored[PIECE * sizeof(double)];
    for (int64_t done = 0; done < tensor->count; done += PIECE) {
        int64_t now =
            tensor->count - done < PIECE ? tensor->count - done : PIECE;
        tensor_read_f64(tensor, done, now, exact);
        tensor_read_stored(tensor, done, now, stored);
        Tensor piece = {.type = tensor->type,
                        .rank = 1,
                        .dims = {now},
                        .count = now,
                        .data = stored,
                        .data_size = (size_t)now * dtype_size(tensor->type)};
        tensor_read_f64(&piece, 0, now, rounded);
        for (int64_t i = 0; i < now; i++)
            take_number(info, tensor->type, exact[i], rounded[i]);
    }
}

static int rounding_work(void *context, Err *err)
{
    (void)err;
    RoundingWork *work = context;
    const Graph *graph = work->model->model->graph;
    for (size_t i = 0; i < graph->initializer_count; i++) {
        const Tensor *tensor = graph->initializers[i]->tensor;
        if (tensor && tensor->formula && dtype_is_real(tensor->type))
            take_tensor(&work->info, tensor);
    }
    return 0;
}

int rp_rounding(rp_model *model, rp_rounding_info *info, rp_error *error)
{
    RoundingWork work = {.model = model};
    int status = api_on_model(model, rounding_work, &work, model->path, error);
    *info = work.info;
    return status;
}
