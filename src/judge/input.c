#include "judge/input.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "exec/npz.h"
#include "judge/indices.h"
#include "judge/sample.h"

/* Small enough to be quick, large enough for networks that halve it six
 * times. */
enum { EVEN_SIZE = 64, ODD_SIZE = 67, ODDER_SIZE = 75 };
/* Height and width: of classifiers, detectors, text recognisers, in the order
 * of their cost within each kind. Any other size is the width. */
static const int64_t attempts[][2] = {
    {EVEN_SIZE, EVEN_SIZE},
    {32, 32},
    {224, 224},
    {48, 320},
    {32, 100},
    {128, 128},
    {256, 256},
    {320, 320},
    {416, 416},
    {640, 640},
    {512, 512},
    {384, 384},
    {16, 16},
    {1, 1},
};
enum { ATTEMPTS = sizeof attempts / sizeof *attempts };
enum { SAMPLES = 4, SEED = 1 };

int graph_free_inputs(Arena *arena, const Graph *graph, const Value ***out)
{
    int count = 0;
    *out = arena_array(arena, graph->input_count, sizeof **out);
    for (size_t i = 0; i < graph->input_count; i++)
        if (!graph->inputs[i]->is_initializer)
            (*out)[count++] = graph->inputs[i];
    return count;
}

/* The number of channels a convolution wants from this input; 0 when none
 * says. */
static int64_t wanted_channels(const Value *input)
{
    for (int i = 0; i < input->use_count; i++) {
        const Node *node = input->uses[i].node;
        if (!node || node->op != OP_Conv || input->uses[i].slot != 0)
            continue;
        const Value *weight = node_input(node, 1);
        const Tensor *tensor = weight ? value_constant(node->graph, weight) : 0;
        if (tensor && tensor->rank > 1)
            return tensor->dims[1] * node_int(node, "group", 1);
    }
    return 0;
}

/* The number a dimension has in both models, or -1. */
static int64_t fixed_size(const InputSlot *slot, int axis)
{
    if (slot->shape)
        return slot->shape[axis];
    const Fact *a = &slot->a->fact, *b = &slot->b->fact;
    if (a->rank == slot->rank && a->dims[axis] >= 0)
        return a->dims[axis];
    if (b->rank == slot->rank && b->dims[axis] >= 0)
        return b->dims[axis];
    int64_t channels = axis == 1 ? wanted_channels(slot->a) : 0;
    return channels > 0 ? channels : -1;
}

/* The size of a dimension in a sample. Equal symbols must get equal sizes, so
 * the symbol itself picks one. */
static int64_t sample_size(const InputSlot *slot, int axis, OddSizes odd,
                           int attempt)
{
    int64_t size = fixed_size(slot, axis);
    if (size >= 0)
        return size;
    if (axis == 0)
        return odd == ODD_NONE ? 1 : 2;
    const Fact *fact = &slot->a->fact;
    if (odd != ODD_ALL) {
        /* Equal symbols are equal sizes. */
        bool is_height = slot->rank == 4 && axis == 2 && fact->rank == 4 &&
                         fact->dims[2] != fact->dims[3];
        return attempts[attempt][is_height ? 0 : 1];
    }
    bool even_symbol = fact->rank == slot->rank && fact->dims[axis] % 2 == 0;
    return even_symbol ? ODD_SIZE : ODDER_SIZE;
}

static InputSlot *find_slot(InputPlan *plan, const char *name, size_t length)
{
    for (int i = 0; i < plan->slot_count; i++)
        if (strlen(plan->slots[i].a->name) == length &&
            memcmp(plan->slots[i].a->name, name, length) == 0)
            return &plan->slots[i];
    return NULL;
}

static int bind_name(InputPlan *plan, const char *text, const char *end,
                     const char *form, InputSlot **out, Err *err)
{
    if (!end)
        return err_set(err, ERR_USAGE, "\"%s\" is not %s", text, form);
    *out = find_slot(plan, text, (size_t)(end - text));
    if (*out)
        return 0;
    return err_set(err, ERR_BAD_INPUT, "the model has no input \"%.*s\"",
                   (int)(end - text), text);
}

/* Numbers between commas, all of the text. */
static int parse_dims(const char *text, int64_t *dims, int *rank, Err *err)
{
    const char *from = text;
    for (*rank = 0; *rank < RANK_MAX; from++) {
        char *end;
        long long value = strtoll(from, &end, 10);
        if (end == from || value <= 0)
            break;
        dims[(*rank)++] = value;
        if (!*end)
            return 0;
        from = end;
        if (*end != ',')
            break;
    }
    return err_set(err, ERR_USAGE,
                   "\"%s\" is not a shape: positive numbers and commas", text);
}

/* Whether the model takes that size there. */
static bool fact_takes(const Fact *fact, int axis, int64_t size)
{
    return fact->rank < 0 || fact->dims[axis] < 0 || fact->dims[axis] == size;
}

static int check_shape(const InputSlot *slot, int rank, const int64_t *dims,
                       Err *err)
{
    const Fact *facts[2] = {&slot->a->fact, &slot->b->fact};
    for (int k = 0; k < 2; k++) {
        if (facts[k]->rank >= 0 && facts[k]->rank != rank)
            return err_set(err, ERR_BAD_INPUT,
                           "input \"%s\" has rank %d, not %d", slot->a->name,
                           facts[k]->rank, rank);
        for (int i = 0; i < rank; i++)
            if (!fact_takes(facts[k], i, dims[i]))
                return err_set(err, ERR_BAD_INPUT,
                               "axis %d of input \"%s\" is %lld, not %lld", i,
                               slot->a->name, (long long)facts[k]->dims[i],
                               (long long)dims[i]);
    }
    return 0;
}

/* "NAME:1,3,256,256"; a name may have colons itself. */
static int bind_shape(Arena *arena, InputPlan *plan, const char *text, Err *err)
{
    InputSlot *slot;
    const char *colon = strrchr(text, ':');
    TRY(bind_name(plan, text, colon, "NAME:1,3,256,256", &slot, err));
    int64_t dims[RANK_MAX];
    TRY(parse_dims(colon + 1, dims, &slot->rank, err));
    TRY(check_shape(slot, slot->rank, dims, err));
    slot->shape = arena_array(arena, RANK_MAX, sizeof *slot->shape);
    memcpy(slot->shape, dims, sizeof dims);
    return 0;
}

/* The n-th tensor of an input belongs to data sample n. */
static int add_data(Arena *arena, InputSlot *slot, Tensor *tensor, size_t most,
                    Err *err)
{
    if (tensor->type != slot->type)
        return err_set(
            err, ERR_BAD_INPUT, "the array is %s, input \"%s\" is %s",
            dtype_name(tensor->type), slot->a->name, dtype_name(slot->type));
    TRY(check_shape(slot, tensor->rank, tensor->dims, err));
    if (!slot->data)
        slot->data = arena_array(arena, most, sizeof *slot->data);
    slot->data[slot->data_count++] = tensor;
    return 0;
}

/* The arrays of an .npz file are called like the inputs. */
typedef struct BindArrays {
    NpzVisit visit; /* first: the visit is the BindArrays */
    Arena *arena;
    InputPlan *plan;
    size_t most;
} BindArrays;

static int bind_array(NpzVisit *visit, const char *name, Tensor *tensor,
                      Err *err)
{
    BindArrays *bind = (BindArrays *)visit;
    InputSlot *slot = find_slot(bind->plan, name, strlen(name));
    if (!slot)
        return err_set(err, ERR_BAD_INPUT, "the model has no such input");
    return add_data(bind->arena, slot, tensor, bind->most, err);
}

/* "NAME=FILE.npy", or FILE.npz. */
static int bind_file(Arena *arena, InputPlan *plan, const char *text,
                     size_t most, Err *err)
{
    InputSlot *slot;
    Tensor *tensor;
    const char *equals = strchr(text, '=');
    BindArrays bind = {{bind_array}, arena, plan, most};
    if (!equals && npz_is(text))
        return npz_visit(arena, text, &bind.visit, err);
    TRY(bind_name(plan, text, equals, "NAME=FILE.npy or FILE.npz", &slot, err));
    TRY(array_read(arena, equals + 1, &tensor, err));
    return add_data(arena, slot, tensor, most, err) < 0
               ? err_about(err, equals + 1)
               : 0;
}

/* The same numbers as what the input is of: rounded to another real type; or
 * bytes, if they all are. */
static int convert_array(Arena *arena, const InputSlot *slot, Tensor **array,
                         Err *err)
{
    const Tensor *given = *array;
    void *data;
    bool real = dtype_is_real(slot->type);
    if (slot->type == DT_FLOAT || (!real && slot->type != DT_UINT8))
        return 0;
    double *values =
        arena_array(arena, (size_t)given->count + 1, sizeof *values);
    *array = tensor_alloc(arena, slot->type, given->rank, given->dims, &data);
    tensor_read_f64(given, 0, given->count, values);
    if (real)
        tensor_store_f64(slot->type, values, given->count, data);
    for (int64_t i = 0; !real && i < given->count; i++) {
        if (!(values[i] >= 0 && values[i] <= UINT8_MAX &&
              values[i] == trunc(values[i])))
            return err_set(err, ERR_BAD_INPUT,
                           "an array holds %g, and input \"%s\" takes bytes",
                           values[i], slot->a->name);
        ((uint8_t *)data)[i] = (uint8_t)values[i];
    }
    return 0;
}

static int bind_memory(Arena *arena, InputPlan *plan, const rp_array *array,
                       size_t most, Err *err)
{
    Tensor *tensor;
    DType type = array->type ? dtype_named(array->type) : DT_FLOAT;
    size_t bytes = dtype_size(type);
    InputSlot *slot = find_slot(plan, array->input, strlen(array->input));
    if (!slot)
        return err_set(err, ERR_BAD_INPUT, "the model has no input \"%s\"",
                       array->input);
    for (int i = 0; i < array->rank; i++)
        if (__builtin_mul_overflow(bytes, (size_t)array->dims[i], &bytes))
            return err_set(err, ERR_BAD_INPUT,
                           "an array for \"%s\" is too large", array->input);
    TRY(tensor_new(arena, type, array->rank, array->dims, array->data, bytes,
                   &tensor, err));
    if (!array->type)
        TRY(convert_array(arena, slot, &tensor, err));
    int status = add_data(arena, slot, tensor, most, err);
    return status < 0 && array->name ? err_about(err, array->name) : status;
}

static int bind_data(Arena *arena, InputPlan *plan,
                     const rp_verify_options *options, Err *err)
{
    size_t most = options->input_file_count + options->array_count;
    for (size_t i = 0; i < options->input_file_count; i++)
        TRY(bind_file(arena, plan, options->input_files[i], most, err));
    for (size_t i = 0; i < options->array_count; i++)
        TRY(bind_memory(arena, plan, &options->arrays[i], most, err));
    for (int i = 0; i < plan->slot_count; i++)
        if (plan->slots[i].data_count > plan->data)
            plan->data = plan->slots[i].data_count;
    for (int i = 0; i < plan->slot_count; i++)
        if (plan->slots[i].data_count < plan->data)
            return err_set(
                err, ERR_BAD_INPUT, "input \"%s\" has %d of %d data files",
                plan->slots[i].a->name, plan->slots[i].data_count, plan->data);
    return 0;
}

/* Leaves the shard's part of the data. */
static int take_shard(InputPlan *plan, Err *err)
{
    int kept = 0;
    for (int sample = plan->shard; sample < plan->data;
         sample += plan->shards) {
        for (int i = 0; i < plan->slot_count; i++)
            plan->slots[i].data[kept] = plan->slots[i].data[sample];
        kept++;
    }
    plan->data = kept;
    if (plan->generated + plan->data > 0)
        return 0;
    return err_set(err, ERR_USAGE,
                   "shard %d of %d has no sample; ask for more of them, two "
                   "for each shard",
                   plan->shard + 1, plan->shards);
}

static int slot_init(InputSlot *slot, const Value *a, const Value *b, Err *err)
{
    int rank = a->fact.rank >= 0 ? a->fact.rank : b->fact.rank;
    *slot = (InputSlot){.a = a, .b = b, .type = a->fact.type, .rank = rank};
    slot->indices = index_count(a, b);
    if (dtype_is_real(slot->type) || dtype_is_integer(slot->type))
        return 0;
    return err_set(err, ERR_UNSUPPORTED_TYPE,
                   "input \"%s\" is of type %s, which cannot be computed with",
                   a->name, dtype_name(slot->type));
}

/* Pairs the inputs by name; the order may differ. */
static int pair_inputs(Arena *arena, const Model *a, const Model *b,
                       InputPlan *plan, Err *err)
{
    const Value **inputs;
    plan->slot_count = graph_free_inputs(arena, a->graph, &inputs);
    plan->slots =
        arena_array(arena, (size_t)plan->slot_count, sizeof *plan->slots);
    for (int i = 0; i < plan->slot_count; i++) {
        const Value *other = graph_find_value(b->graph, inputs[i]->name);
        if (!other || !other->is_input)
            return err_set(err, ERR_BAD_INPUT,
                           "the second model has no input \"%s\"",
                           inputs[i]->name);
        TRY(slot_init(&plan->slots[i], inputs[i], other, err));
    }
    return 0;
}

/* Without the user's data every input needs a shape. */
static int check_ranks(InputPlan *plan, Err *err)
{
    for (int i = 0; i < plan->slot_count; i++) {
        InputSlot *slot = &plan->slots[i];
        if (slot->rank < 0)
            return err_set(err, ERR_BAD_INPUT,
                           "the shape of input \"%s\" is unknown; give one "
                           "with --input-shape %s:...",
                           slot->a->name, slot->a->name);
        for (int axis = 0; axis < slot->rank; axis++)
            if (fixed_size(slot, axis) < 0) {
                plan->varies = true;
                plan->resizes |= axis > 0;
            }
    }
    return 0;
}

int inputs_generated(const InputPlan *plan, int total)
{
    int count = 0;
    for (int i = 0; i < total; i++)
        count += i / 2 % plan->shards == plan->shard;
    return count;
}

/* The number of a generated sample among those of all shards. */
static int generated_number(const InputPlan *plan, int index)
{
    return 2 * (plan->shard + index / 2 * plan->shards) + index % 2;
}

int inputs_plan(Arena *arena, const Model *a, const Model *b,
                const rp_verify_options *options, InputPlan *out, Err *err)
{
    *out = (InputPlan){
        .seed = options->seed ? options->seed : SEED,
        .shard = options->shards > 0 ? options->shard : 0,
        .shards = options->shards > 0 ? options->shards : 1,
    };
    if (out->shard < 0 || out->shard >= out->shards)
        return err_set(err, ERR_USAGE, "there is no shard %d of %d",
                       out->shard + 1, out->shards);
    out->generated = inputs_generated(
        out, options->samples > 0 ? options->samples : SAMPLES);
    TRY(pair_inputs(arena, a, b, out, err));
    for (size_t i = 0; i < options->input_shape_count; i++)
        TRY(bind_shape(arena, out, options->input_shapes[i], err));
    TRY(bind_data(arena, out, options, err));
    TRY(take_shard(out, err));
    return check_ranks(out, err);
}

bool inputs_try_again(InputPlan *plan)
{
    if (plan->resizes && plan->attempt + 1 < ATTEMPTS) {
        plan->attempt++;
        return true;
    }
    bool any = false;
    plan->attempt = 0;
    for (int i = 0; i < plan->slot_count; i++) {
        any |= plan->slots[i].indices > 0;
        plan->slots[i].indices = 0;
    }
    return any;
}

const char *inputs_hint(Arena *arena, const InputPlan *plan)
{
    static const char *const letters[] = {"N", "C", "H", "W"};
    for (int i = 0; i < plan->slot_count; i++) {
        const InputSlot *slot = &plan->slots[i];
        bool varies = false;
        const char *shape = "";
        for (int axis = 0; axis < slot->rank; axis++) {
            int64_t size = fixed_size(slot, axis);
            varies |= size < 0;
            shape = size < 0 ? arena_printf(arena, "%s,%s", shape,
                                            axis < 4 ? letters[axis] : "N")
                             : arena_printf(arena, "%s,%lld", shape,
                                            (long long)size);
        }
        if (varies)
            return arena_printf(arena, "--input-shape %s:%s", slot->a->name,
                                shape + 1);
    }
    return NULL;
}

void input_sample(Arena *arena, const InputPlan *plan, int index, OddSizes odd,
                  Tensor **out)
{
    if (index % 2 == 0)
        odd = ODD_NONE;
    for (int i = 0; i < plan->slot_count; i++) {
        const InputSlot *slot = &plan->slots[i];
        if (index >= plan->generated) {
            out[i] = slot->data[index - plan->generated];
            continue;
        }
        int64_t dims[RANK_MAX];
        for (int axis = 0; axis < slot->rank; axis++)
            dims[axis] = sample_size(slot, axis, odd, plan->attempt);
        int number = generated_number(plan, index);
        uint64_t stream = (uint64_t)number << 32 | (uint64_t)i;
        SampleShape shape = {slot->type, slot->rank, dims, slot->indices};
        out[i] = sample_tensor(arena, (SampleKind)(number % SAMPLE_KINDS),
                               &shape, random_stream(plan->seed, stream));
    }
}

const char *input_sample_text(Arena *arena, const InputPlan *plan, int index)
{
    if (index >= plan->generated)
        return arena_printf(arena, "data sample %d",
                            plan->shard +
                                (index - plan->generated) * plan->shards);
    int number = generated_number(plan, index);
    return arena_printf(arena, "sample %d (%s)", number,
                        sample_name((SampleKind)(number % SAMPLE_KINDS)));
}
