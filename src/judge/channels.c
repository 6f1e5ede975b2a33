#include "judge/channels.h"

#include <math.h>

enum { CHANNELS_MAX = 1 << 16, PIECE = 512 };

/* Elements [first, first + count) of one channel. */
static void measure_run(double *error, const Array *array, const Array *truth,
                        int64_t first, int64_t count)
{
    double x[PIECE], y[PIECE];
    for (int64_t done = 0; done < count; done += PIECE) {
        int64_t now = count - done < PIECE ? count - done : PIECE;
        array_to_f64(array, PRECISION_F64, first + done, now, x);
        array_to_f64(truth, PRECISION_F64, first + done, now, y);
        for (int64_t i = 0; i < now; i++)
            *error = fmax(*error, fabs(x[i] - y[i]));
    }
}

void channels_measure(Arena *arena, Channels *channels, const Array *array,
                      const Array *truth, double scale)
{
    int axis = truth->rank > 1 ? 1 : 0;
    int64_t size = truth->rank > 0 ? truth->dims[axis] : 0;
    if (size == 0 || size > CHANNELS_MAX || truth->count == 0 || scale == 0 ||
        array->count != truth->count)
        return;
    if (!channels->errors) {
        channels->count = (size_t)size;
        channels->errors =
            arena_array(arena, channels->count, sizeof *channels->errors);
    }
    if (channels->count != (size_t)size)
        return;
    int64_t inner = 1;
    for (int i = axis + 1; i < truth->rank; i++)
        inner *= truth->dims[i];
    for (int64_t run = 0; run < truth->count / inner; run++) {
        double error = 0;
        measure_run(&error, array, truth, run * inner, inner);
        double *known = &channels->errors[run % size];
        *known = fmax(*known, error / scale);
    }
}
