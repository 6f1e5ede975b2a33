#include "exec_case.h"

#include <check.h>
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "exec/plan.h"
#include "graph/dump.h"
#include "oracle/oracle.h"

static uint64_t seed_of(const char *line)
{
    uint64_t seed = 1;
    for (; *line; line++)
        seed = random_bits(seed, (uint64_t)*line);
    return seed;
}

static double random_element(DType type, uint64_t seed, int64_t i)
{
    if (!dtype_is_real(type))
        return (double)(random_bits(seed, (uint64_t)i) & 1);
    return random_normal(seed, (uint64_t)i);
}

/* Elements as the line gives them, or at random. */
static Tensor *case_tensor(Arena *arena, const CaseNode *line, int slot,
                           uint64_t seed)
{
    const Fact *fact = line->facts[slot];
    const Tensor *given = line->tensors[slot];
    const Symbols *symbols = line->node->graph->model->symbols;
    void *data;
    Tensor *tensor =
        tensor_alloc(arena, fact->type, fact->rank, fact->dims, &data);
    for (int64_t i = 0; i < tensor->count; i++) {
        double value;
        int64_t integer = 0;
        if (given)
            tensor_read_f64(given, i, 1, &value);
        else
            value = random_element(fact->type, seed, i);
        if (dtype_is_real(fact->type)) {
            tensor_store_f64(fact->type, &value, 1,
                             (char *)data + (size_t)i * dtype_size(fact->type));
            continue;
        }
        if (fact->int_count < 0)
            integer = (int64_t)value;
        else
            dim_is_known(symbols, fact->ints[i], &integer);
        memcpy((char *)data + (size_t)i * dtype_size(fact->type), &integer,
               dtype_size(fact->type));
    }
    return tensor;
}

void exec_case(Arena *arena, const char *line, const ExecOptions *options,
               ExecCase *out)
{
    Precision precision = options->precision;
    *out = (ExecCase){.result = 0};
    case_node(arena, line, &out->line);
    const Node *node = out->line.node;
    uint64_t seed = seed_of(line);
    for (int i = 0; i < node->input_count; i++) {
        if (!node->inputs[i])
            continue;
        Tensor *tensor =
            case_tensor(arena, &out->line, i, random_stream(seed, (uint64_t)i));
        ck_assert_int_eq(array_from_tensor(arena, tensor, precision, false,
                                           &out->inputs[i], &out->err),
                         0);
    }
    out->result =
        exec_node(arena, node, options, out->inputs, out->outputs, &out->err);
}

/* ---- Rows ---- */

static void put_array(Text *text, const Array *array, Precision precision)
{
    text_printf(text, "%s[", dtype_name(array->type));
    for (int i = 0; i < array->rank; i++)
        text_printf(text, "%s%lld", i ? "," : "", (long long)array->dims[i]);
    text_printf(text, "]{");
    for (int64_t i = 0; i < array->count; i++) {
        double value;
        text_printf(text, "%s", i ? "," : "");
        array_to_f64(array, precision, i, 1, &value);
        if (dtype_is_real(array->type))
            text_printf(text, isnan(value) ? "nan" : "%.6g", value + 0);
        else
            text_printf(text, "%lld",
                        (long long)((const int64_t *)array->data)[i]);
    }
    text_printf(text, "}");
}

static const char *row_text(Arena *arena, const char *line, Precision precision)
{
    ExecCase run;
    ExecOptions options = {.precision = precision};
    exec_case(arena, line, &options, &run);
    if (run.result < 0) {
        ck_assert_msg(strstr(run.err.message, "node \"n\"") != NULL, "%s",
                      run.err.message);
        return err_name(run.err.code);
    }
    Text text = {.arena = arena};
    for (int i = 0; i < run.line.node->output_count; i++) {
        text_printf(&text, "%s", i ? "; " : "");
        put_array(&text, run.outputs[i], precision);
    }
    return text.bytes;
}

void check_exec_row(const ExecRow *row)
{
    for (int precision = PRECISION_F32; precision <= PRECISION_F64;
         precision++) {
        Arena *arena = arena_new(0);
        const char *found = row_text(arena, row->line, (Precision)precision);
        ck_assert_msg(strcmp(found, row->expect) == 0,
                      "%s\n  gives    %s\n  expected %s", row->line, found,
                      row->expect);
        arena_free(arena);
    }
}

/* ---- Against the oracle ---- */

static Grid *grid_of(Arena *arena, const Array *array, Precision precision)
{
    Grid *grid = arena_alloc(arena, sizeof *grid);
    grid->rank = array->rank;
    grid->count = array->count;
    memcpy(grid->dims, array->dims, sizeof grid->dims);
    grid->data = arena_array(arena, (size_t)array->count + 1, sizeof(double));
    array_to_f64(array, precision, 0, array->count, grid->data);
    return grid;
}

static void ask_oracle(Arena *arena, const ExecCase *run, Precision precision,
                       Grid *output)
{
    const Node *node = run->line.node;
    OracleCall call = {.node = node,
                       .opset = run->line.opset,
                       .input_count = node->input_count,
                       .output = output};
    for (int i = 0; i < node->input_count; i++)
        if (run->inputs[i])
            call.inputs[i] = grid_of(arena, run->inputs[i], precision);
    Oracle *oracle = oracle_find(node->op);
    ck_assert_msg(oracle != NULL, "no oracle for %s", node->op_type);
    oracle(&call);
}

static bool is_close(double a, double b, double tolerance)
{
    return a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= tolerance;
}

/* Within a few hundred roundings of the largest element. */
static void compare(const char *line, const Grid *found, const Grid *expected,
                    Precision precision)
{
    double tolerance = precision == PRECISION_F32 ? 2e-5 : 2e-14, most = 1;
    int64_t i = 0;
    for (int64_t k = 0; k < expected->count; k++)
        if (isfinite(expected->data[k]))
            most = fmax(most, fabs(expected->data[k]));
    while (i < expected->count &&
           is_close(found->data[i], expected->data[i], tolerance * most))
        i++;
    ck_assert_msg(i == expected->count,
                  "%s\n  element %lld is %.17g\n  expected %.17g", line,
                  (long long)i, found->data[i], expected->data[i]);
}

static void check_same_bits(const char *line, Precision precision,
                            const Array *a, const Array *b, const char *fault)
{
    size_t size = storage_size(array_storage(a->type, precision));
    ck_assert_msg(memcmp(a->data, b->data, (size_t)a->count * size) == 0,
                  "%s\n  %s", line, fault);
}

static void check_threads(Arena *arena, const char *line,
                          const ExecOptions *options, const ExecCase *alone)
{
    ExecCase together;
    ExecOptions threaded = *options;
    threaded.pool = pool_new(arena, 3);
    exec_case(arena, line, &threaded, &together);
    ck_assert_int_eq(together.result, 0);
    check_same_bits(line, options->precision, alone->outputs[0],
                    together.outputs[0], "depends on the number of threads");
}

/* ---- What a plan adds to a kernel ---- */

typedef struct Weighing {
    const Array *array;
    Precision precision;
} Weighing;

/* Writes what the formula makes of each element and its place. */
static void rewrite(const Weighing *weighing, int64_t first, int64_t count,
                    double (*formula)(double x, int64_t i))
{
    for (int64_t i = first; i < first + count; i++) {
        double x;
        array_to_f64(weighing->array, weighing->precision, i, 1, &x);
        array_put(weighing->array, weighing->precision, i, formula(x, i));
    }
}

/* Depends on the place, and shows whether it ran once for each element. */
static double weighed(double x, int64_t i)
{
    return 2 * x + (double)(i % 7);
}

static void weigh(void *context, int worker, int64_t first, int64_t count,
                  const void *const *beside)
{
    (void)worker, (void)beside;
    rewrite(context, first, count, weighed);
}

/* What Relu does. */
static double raised(double x, int64_t i)
{
    (void)i;
    return x < 0 ? 0 : x;
}

static void raise(void *context, int worker, int64_t first, int64_t count,
                  const void *const *beside)
{
    (void)worker, (void)beside;
    rewrite(context, first, count, raised);
}

/* Prepares all inputs but the first one; what was replaced loses its data. */
static void prepare_case(Arena *arena, const ExecCase *run,
                         const ExecOptions *options, Step *step, Array **inputs)
{
    const Node *node = run->line.node;
    Err err = {0};
    memcpy(inputs, run->inputs, sizeof run->inputs);
    if (!step->kernel->prepare)
        return;
    inputs[0] = NULL;
    KernelCall call = {.node = node,
                       .opset = run->line.opset,
                       .precision = options->precision,
                       .level = simd_level(options->level),
                       .input_count = node->input_count,
                       .inputs = inputs,
                       .pool = options->pool,
                       .arena = arena};
    ck_assert_int_eq(step->kernel->prepare(&call, &step->prepared, &err), 0);
    inputs[0] = run->inputs[0];
    for (int i = 0; step->prepared && i < node->input_count; i++)
        if (step->prepared->replaced >> i & 1) {
            inputs[i] = arena_alloc(arena, sizeof *inputs[i]);
            *inputs[i] = *run->inputs[i];
            inputs[i]->data = NULL;
        }
}

/* The kernel with prepared constants and with an epilogue gives what it gives
 * without, and the epilogue then; whose context it sets. */
static void check_planned(Arena *arena, const char *line,
                          const ExecOptions *alone_options,
                          const ExecCase *alone, Epilogue epilogue)
{
    Precision precision = alone_options->precision;
    ExecOptions options = *alone_options;
    Step step = {.node = alone->line.node};
    step.kernel = kernel_find(step.node->op);
    if (!(step.kernel->flags & KERNEL_EPILOGUE))
        return;
    options.pool = pool_new(arena, 2);
    Array *inputs[CASE_INPUTS], output = {0}, *outputs[] = {&output};
    bool spare[CASE_INPUTS] = {false};
    Err err = {0};
    prepare_case(arena, alone, &options, &step, inputs);
    Weighing within = {&output, precision};
    Array *expected = array_copy(arena, alone->outputs[0], precision);
    Weighing after = {expected, precision};
    epilogue.context = &within;
    StepCall call = {.step = &step,
                     .options = &options,
                     .arena = arena,
                     .buffers = buffers_new(arena),
                     .inputs = inputs,
                     .spare = spare,
                     .epilogue = &epilogue,
                     .outputs = outputs};
    ck_assert_int_eq(step_run(&call, &err), 0);
    epilogue.run(&after, 0, 0, expected->count, NULL);
    check_same_bits(line, precision, &output, expected,
                    "differs when it is planned");
}

static void check_level(const char *line, const ExecOptions *options)
{
    Arena *arena = arena_new(0);
    ExecCase run;
    exec_case(arena, line, options, &run);
    ck_assert_msg(run.result == 0, "%s\n  %s", line, run.err.message);
    Grid *found = grid_of(arena, run.outputs[0], options->precision);
    Grid expected = *found;
    expected.data =
        arena_array(arena, (size_t)found->count + 1, sizeof(double));
    ask_oracle(arena, &run, options->precision, &expected);
    compare(line, found, &expected, options->precision);
    check_threads(arena, line, options, &run);
    check_planned(arena, line, options, &run, (Epilogue){.run = weigh});
    check_planned(arena, line, options, &run,
                  (Epilogue){.run = raise, .is_relu = true});
    arena_free(arena);
}

void check_oracle(const char *line)
{
    for (SimdLevel level = SIMD_PLAIN; level <= simd_level(SIMD_BEST); level++)
        for (int i = PRECISION_F32; i <= PRECISION_F64; i++) {
            ExecOptions options = {.precision = (Precision)i, .level = level};
            if (simd_level(level) == level)
                check_level(line, &options);
        }
}
