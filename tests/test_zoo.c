/* The generator: the graphs of real exports, the names of the state dict. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "suites.h"
#include "zoo/zoo.h"

/* What real exports hold. The counts and the two digests were taken once, with
 * torch 2.13 and timm 1.0, from
 *     torch.onnx.export(model, image, file, dynamo=False, opset_version=17,
 *                       training=TrainingMode.PRESERVE)
 * of each variant. `nodes` is FNV-1a over "op name\n" of the nodes
 * in order; `keys` is the sum, modulo 2^64, of FNV-1a over "key AxBxC" of each
 * tensor in the state dict but num_batches_tracked. */
typedef struct Expected {
    const char *variant, *ops;
    size_t node_count, initializer_count;
    int64_t parameters;
    uint64_t nodes, keys;
} Expected;

#define POOLED "GlobalAveragePool 1 Flatten 1 Gemm 1"
#define MOBILEONE "BatchNormalization 99 Add 86 Conv 65 Relu 43 Constant 30 "
#define REPVGG_A "BatchNormalization 61 Conv 44 Add 39 Relu 22 "
#define REPVGG_B "BatchNormalization 79 Conv 56 Add 51 Relu 28 "
#define CLASSIFIER "ReduceMean 1 Relu 1 Sigmoid 1 " POOLED
#define REPMIXER_12                                                            \
    "Conv 78 BatchNormalization 80 Constant 64 Add 84 Div 19 Erf 19 Mul 63 "   \
    "Sub 12 " CLASSIFIER
#define ATTENTION_36                                                           \
    "Conv 187 BatchNormalization 182 Constant 220 Add 199 Div 49 Erf 43 "      \
    "Mul 171 Sub 30 Shape 12 Slice 12 Concat 6 Reshape 24 Transpose 30 "       \
    "MatMul 24 Split 6 Squeeze 18 Cast 12 Sqrt 18 Softmax 6 " CLASSIFIER

static const Expected expected[] = {
    {"fastvit_t8",
     "Conv 68 BatchNormalization 70 Constant 58 Add 74 Div 17 Erf 17 Mul 55 "
     "Sub 10 " CLASSIFIER,
     375, 392, 4053496, 0x818b183a62ce6779, 0xd1ce6ce777ba8a58},
    {"fastvit_t12", REPMIXER_12, 425, 450, 7595176, 0x2b640b9bbead30e6,
     0x76b64edc07b2deff},
    {"fastvit_s12", REPMIXER_12, 425, 450, 9515048, 0x2b640b9bbead30e6,
     0xadaa245037a96f65},
    {"fastvit_sa12",
     "Conv 75 BatchNormalization 74 Constant 92 Add 83 Div 21 Erf 19 Mul 67 "
     "Sub 10 Shape 4 Slice 4 Concat 2 Reshape 8 Transpose 10 MatMul 8 Split 2 "
     "Squeeze 6 Cast 4 Sqrt 6 Softmax 2 " CLASSIFIER,
     503, 430, 11616296, 0x6127c032d2081fa8, 0x70dd41c2728fb4a4},
    {"fastvit_sa24",
     "Conv 131 BatchNormalization 128 Constant 156 Add 141 Div 35 Erf 31 "
     "Mul 119 Sub 20 Shape 8 Slice 8 Concat 4 Reshape 16 Transpose 20 "
     "MatMul 16 Split 4 Squeeze 12 Cast 8 Sqrt 12 Softmax 4 " CLASSIFIER,
     879, 756, 21612840, 0x53a0f047f92589ac, 0x2e12a7102e65731f},
    {"fastvit_sa36", ATTENTION_36, 1255, 1082, 31609384, 0x9bbb6e49dcc39658,
     0x1e6e8b4b3854b23e},
    {"fastvit_ma36", ATTENTION_36, 1255, 1082, 44165284, 0x9bbb6e49dcc39658,
     0x2d765ecfe8ea2ec1},
    {"mobileone_s0",
     "BatchNormalization 226 Add 212 Conv 191 Relu 43 Constant 29 " POOLED, 704,
     1097, 5381464, 0x957fe48f489098bc, 0xdfe657f312e884d3},
    {"mobileone_s1", MOBILEONE POOLED, 326, 463, 4893544, 0x30e24bc24e443138,
     0x8f8c5609a88ae9f3},
    {"mobileone_s2", MOBILEONE POOLED, 326, 463, 7971688, 0x30e24bc24e443138,
     0xba15e9c632991d77},
    {"mobileone_s3", MOBILEONE POOLED, 326, 463, 10275304, 0x30e24bc24e443138,
     0x79e49b762a16618b},
    {"mobileone_s4",
     "BatchNormalization 99 Conv 89 Add 86 Relu 55 Constant 30 ReduceMean 12 "
     "Sigmoid 12 Mul 12 " POOLED,
     398, 511, 15078992, 0x4dd27b8b8009abc6, 0x457cec5e26746882},
    {"repvgg_a0", REPVGG_A POOLED, 169, 290, 9132616, 0x0723e1d8f000ac3c,
     0x970733715758e075},
    {"repvgg_a1", REPVGG_A POOLED, 169, 290, 14122088, 0x0723e1d8f000ac3c,
     0x8d88d43f7ecbc90d},
    {"repvgg_a2", REPVGG_A POOLED, 169, 290, 28253160, 0x0723e1d8f000ac3c,
     0x96e14dda7ca9dc5f},
    {"repvgg_b0", REPVGG_B POOLED, 217, 374, 15853160, 0x67f9943e43377f6e,
     0x2012f45134839855},
    {"repvgg_b1", REPVGG_B POOLED, 217, 374, 57483112, 0x67f9943e43377f6e,
     0xf3916863f410950a},
    {"repvgg_b1g4", REPVGG_B POOLED, 217, 374, 40034152, 0x67f9943e43377f6e,
     0x5d829eb349bc5dec},
    {"repvgg_b2", REPVGG_B POOLED, 217, 374, 89107432, 0x67f9943e43377f6e,
     0x67e0e2f5d82f1ec7},
    {"repvgg_b2g4", REPVGG_B POOLED, 217, 374, 61843432, 0x67f9943e43377f6e,
     0xf8295ae02b52dc2d},
    {"repvgg_b3", REPVGG_B POOLED, 217, 374, 123185256, 0x67f9943e43377f6e,
     0xb3bc4e87a68040ef},
    {"repvgg_b3g4", REPVGG_B POOLED, 217, 374, 83925096, 0x67f9943e43377f6e,
     0x898a194dfbc400ef},
    {"repvgg_d2se",
     "Conv 192 BatchNormalization 139 Relu 96 Add 91 ReduceMean 48 Sigmoid 48 "
     "Mul 48 " POOLED,
     665, 846, 133469812, 0x922cca600064e67e, 0xe0bd6f0c2a18dd4d},
};
enum {
    EXPECTED_COUNT = sizeof expected / sizeof *expected,
    FASTVIT_COUNT = 7 /* the others have no dense form */
};

static Arena *arena;

static void setup(void)
{
    arena = arena_new(0);
}

static void teardown(void)
{
    arena_free(arena);
}

static uint64_t fnv(uint64_t hash, const char *text)
{
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    return hash;
}
static const uint64_t FNV_START = 0xcbf29ce484222325u;

static Model *build(rp_sample_options options, WeightSource *weights)
{
    Model *model = NULL;
    Err err = {0};
    if (!weights)
        weights = weights_from_seed(arena, 1);
    ck_assert_msg(zoo_build(arena, &options, weights, &model, &err) == 0, "%s",
                  err.message);
    ck_assert_msg(graph_check(model->graph, &err) == 0, "%s", err.message);
    return model;
}

static size_t count_op(const Model *model, const char *op)
{
    size_t count = 0;
    for (size_t i = 0; i < model->graph->node_count; i++)
        count += strcmp(model->graph->nodes[i]->op_type, op) == 0;
    return count;
}

static const Node *find_node(const Model *model, const char *name)
{
    for (size_t i = 0; i < model->graph->node_count; i++)
        if (strcmp(model->graph->nodes[i]->name, name) == 0)
            return model->graph->nodes[i];
    ck_abort_msg("no node %s", name);
}

static const Tensor *find_tensor(const Model *model, const char *name)
{
    const Value *value = graph_find_value(model->graph, name);
    ck_assert_msg(value && value->tensor, "no initializer %s", name);
    return value->tensor;
}

static double *read_all(const Tensor *tensor)
{
    double *values = arena_array(arena, (size_t)tensor->count, sizeof *values);
    tensor_read_f64(tensor, 0, tensor->count, values);
    return values;
}

/* ---- The graph ---- */

START_TEST(variants_are_listed)
{
    for (size_t i = 0; i < EXPECTED_COUNT; i++)
        ck_assert_str_eq(zoo_variants[i], expected[i].variant);
    ck_assert_ptr_null(zoo_variants[EXPECTED_COUNT]);
}
END_TEST

START_TEST(operators_are_those_of_a_real_export)
{
    const Expected *e = &expected[_i];
    Model *model = build((rp_sample_options){.variant = e->variant}, NULL);
    size_t sum = 0;
    const char *rest = e->ops;
    while (*rest) {
        char op[32];
        int length;
        unsigned count;
        ck_assert_int_eq(sscanf(rest, "%31s %u %n", op, &count, &length), 2);
        ck_assert_msg(count_op(model, op) == count, "%s: %zu %s, not %u",
                      e->variant, count_op(model, op), op, count);
        sum += count;
        rest += length;
    }
    ck_assert_uint_eq(sum, e->node_count);
    ck_assert_uint_eq(model->graph->node_count, e->node_count);
}
END_TEST

static uint64_t digest_nodes(const Model *model)
{
    uint64_t hash = FNV_START;
    for (size_t i = 0; i < model->graph->node_count; i++) {
        const Node *node = model->graph->nodes[i];
        hash = fnv(hash,
                   arena_printf(arena, "%s %s\n", node->op_type, node->name));
    }
    return hash;
}

START_TEST(nodes_have_the_order_and_names_of_a_real_export)
{
    const Expected *e = &expected[_i];
    Model *model = build((rp_sample_options){.variant = e->variant}, NULL);
    ck_assert_uint_eq(digest_nodes(model), e->nodes);
}
END_TEST

START_TEST(initializers_are_as_many_and_as_large_as_a_real_export)
{
    const Expected *e = &expected[_i];
    Model *model = build((rp_sample_options){.variant = e->variant}, NULL);
    ck_assert_uint_eq(model->graph->initializer_count, e->initializer_count);
    int64_t parameters = 0;
    for (size_t i = 0; i < model->graph->initializer_count; i++)
        parameters += model->graph->initializers[i]->tensor->count;
    ck_assert_int_eq(parameters, e->parameters);
}
END_TEST

/* A source that notes what it is asked for. */
typedef struct Recorder {
    WeightSource source;
    WeightSource *inner;
    uint64_t keys;
    const char *missing; /* the name it does not have */
} Recorder;

static int record(WeightSource *self, Arena *owner, const char *name,
                  DType type, int rank, const int64_t *dims, Tensor **out,
                  Err *err)
{
    Recorder *recorder = (Recorder *)self;
    if (recorder->missing && strcmp(name, recorder->missing) == 0)
        return err_set(err, ERR_UNDEFINED_VALUE, "no tensor %s", name);
    uint64_t hash = fnv(fnv(FNV_START, name), " ");
    for (int i = 0; i < rank; i++)
        hash = fnv(hash, arena_printf(arena, i > 0 ? "x%lld" : "%lld",
                                      (long long)dims[i]));
    recorder->keys += hash;
    return recorder->inner->tensor(recorder->inner, owner, name, type, rank,
                                   dims, out, err);
}

START_TEST(weights_are_asked_for_by_the_state_dict_names)
{
    const Expected *e = &expected[_i];
    Recorder recorder = {{record}, weights_from_seed(arena, 1), 0, NULL};
    build((rp_sample_options){.variant = e->variant}, &recorder.source);
    ck_assert_uint_eq(recorder.keys, e->keys);
}
END_TEST

START_TEST(the_model_says_what_it_is)
{
    Model *model = build((rp_sample_options){.variant = "fastvit_t8"}, NULL);
    ck_assert_int_eq(model->ir_version, 8);
    ck_assert_int_eq(model->opset, 17);
    ck_assert_uint_eq(model->import_count, 1);
    ck_assert_str_eq(model->imports[0].domain, "");
    ck_assert_int_eq(model->imports[0].version, 17);
    ck_assert_str_eq(model->producer_name, "repfold");
    ck_assert_str_eq(model->producer_version, RP_VERSION);
}
END_TEST

static void check_fact(const Model *model, const Value *value, const char *name,
                       const char *text)
{
    ck_assert_str_eq(value->name, name);
    const char *shape = dtype_name(value->fact.type);
    for (int i = 0; i < value->fact.rank; i++)
        shape =
            arena_printf(arena, "%s %s", shape,
                         dim_text(arena, model->symbols, value->fact.dims[i]));
    ck_assert_str_eq(shape, text);
}

START_TEST(a_classifier_takes_an_image_and_makes_logits)
{
    rp_sample_options o = {.variant = "fastvit_t8", .classes = 10, .size = 64};
    Graph *graph = build(o, NULL)->graph;
    ck_assert_uint_eq(graph->input_count, 1);
    check_fact(graph->model, graph->inputs[0], "image", "float32 1 3 64 64");
    ck_assert_uint_eq(graph->output_count, 1);
    check_fact(graph->model, graph->outputs[0], "logits", "float32 1 10");
}
END_TEST

START_TEST(a_dense_model_makes_the_four_stages_outputs)
{
    rp_sample_options o = {.variant = "fastvit_sa12", .dense = 1, .size = 250};
    Model *model = build(o, NULL);
    Graph *graph = model->graph;
    ck_assert_uint_eq(graph->output_count, 4);
    check_fact(model, graph->outputs[0], "feature0", "float32 1 64 63 63");
    check_fact(model, graph->outputs[1], "feature1", "float32 1 128 32 32");
    check_fact(model, graph->outputs[2], "feature2", "float32 1 256 16 16");
    check_fact(model, graph->outputs[3], "feature3", "float32 1 512 8 8");
    /* As in an export of timm's features_only model. */
    ck_assert_uint_eq(graph->node_count, 479);
    ck_assert_uint_eq(digest_nodes(model), 0x4cda0de95dd2bf0d);
    ck_assert_uint_eq(graph->initializer_count, 414);
    find_tensor(model, "stem.2.identity.running_var");
}
END_TEST

START_TEST(a_dynamic_batch_is_a_symbol_and_found_at_run_time)
{
    rp_sample_options o = {.variant = "fastvit_sa12", .dynamic = 1};
    Model *model = build(o, NULL);
    check_fact(model, model->graph->inputs[0], "image",
               "float32 batch 3 256 256");
    check_fact(model, model->graph->outputs[0], "logits", "float32 batch 1000");
    /* As in an export with dynamic_axes={"image": {0: "batch"}}: per block of
     * attention, each size is read, and three shapes are joined. */
    ck_assert_uint_eq(count_op(model, "Gather"), 8);
    ck_assert_uint_eq(count_op(model, "Unsqueeze"), 18);
    ck_assert_uint_eq(count_op(model, "Concat"), 8);
    ck_assert_uint_eq(count_op(model, "Shape"), 12);
    ck_assert_uint_eq(model->graph->node_count, 571);
}
END_TEST

START_TEST(where_nothing_needs_the_batch_a_dynamic_graph_is_the_static_one)
{
    rp_sample_options o = {.variant = "fastvit_t8", .dynamic = 1};
    ck_assert_uint_eq(build(o, NULL)->graph->node_count, 375);
}
END_TEST

/* Bit 0 of the case: dense; bit 1: dynamic; the rest: the variant. */
START_TEST(inference_finds_every_shape_and_the_outputs_as_declared)
{
    rp_sample_options o = {.variant = expected[_i / 4].variant,
                           .size = 250,
                           .dense = _i % 2 && _i / 4 < FASTVIT_COUNT,
                           .dynamic = _i / 2 % 2};
    Graph *graph = build(o, NULL)->graph;
    Fact declared[4];
    Err err = {0};
    for (size_t i = 0; i < graph->output_count; i++) {
        declared[i] = graph->outputs[i]->fact;
        graph->outputs[i]->fact = FACT_UNKNOWN;
    }
    ck_assert_msg(graph_infer(graph, &err) == 0, "%s", err.message);
    for (size_t i = 0; i < graph->output_count; i++) {
        const Fact *found = &graph->outputs[i]->fact;
        ck_assert_int_eq(found->type, declared[i].type);
        ck_assert_int_eq(found->rank, declared[i].rank);
        ck_assert_mem_eq(found->dims, declared[i].dims,
                         (size_t)found->rank * sizeof *found->dims);
    }
    for (size_t i = 0; i < graph->node_count; i++)
        ck_assert_msg(graph->nodes[i]->outputs[0]->fact.rank >= 0, "%s",
                      graph->nodes[i]->name);
}
END_TEST

START_TEST(half_precision_takes_the_reciprocal_in_single)
{
    rp_sample_options o = {.variant = "fastvit_sa12", .dtype = "float16"};
    Model *model = build(o, NULL);
    ck_assert_uint_eq(count_op(model, "Cast"), 6);
    check_fact(model, model->graph->outputs[0], "logits", "float16 1 1000");
    const Node *one = find_node(model, "/stages.3/blocks/blocks.0/token_mixer/"
                                       "Constant_11");
    ck_assert_int_eq(node_attr(one, "value")->tensor->type, DT_FLOAT);
}
END_TEST

static void check_ints(const Node *node, const char *attr, const char *text)
{
    const int64_t *values = NULL;
    int64_t count = node_ints(node, attr, &values);
    const char *found = "";
    for (int64_t i = 0; i < count; i++)
        found = arena_printf(arena, "%s%lld ", found, (long long)values[i]);
    ck_assert_str_eq(found, text);
}

START_TEST(a_convolution_has_the_attributes_of_its_module)
{
    Model *model = build((rp_sample_options){.variant = "fastvit_ma36"}, NULL);
    const Node *node = find_node(
        model, "/stages.2/downsample/proj/proj.0/large_conv/conv/Conv");
    check_ints(node, "kernel_shape", "7 7 ");
    check_ints(node, "pads", "3 3 3 3 ");
    check_ints(node, "strides", "2 2 ");
    check_ints(node, "dilations", "1 1 ");
    ck_assert_int_eq(node_int(node, "group", 0), 152);
    ck_assert_int_eq(node->inputs[1]->tensor->dims[0], 304);
}
END_TEST

START_TEST(widths_are_scaled_and_the_squeeze_with_them)
{
    rp_sample_options o = {.variant = "fastvit_ma36", .width_mult = 2};
    Model *model = build(o, NULL);
    ck_assert_int_eq(
        find_tensor(model, "stem.0.conv_kxk.0.conv.weight")->dims[0], 152);
    ck_assert_int_eq(
        find_tensor(model, "stages.3.blocks.5.mlp.fc1.weight")->dims[0], 4864);
    ck_assert_int_eq(find_tensor(model, "final_conv.se.fc1.weight")->dims[0],
                     152);
    o = (rp_sample_options){.variant = "fastvit_t8", .width_mult = 1. / 48};
    model = build(o, NULL);
    ck_assert_int_eq(find_tensor(model, "final_conv.se.fc1.weight")->dims[0],
                     1);
}
END_TEST

START_TEST(a_linear_layer_is_the_source_transposed)
{
    rp_sample_options o = {.variant = "fastvit_sa12", .width_mult = 0.125};
    WeightSource *weights = weights_from_seed(arena, 1);
    const Tensor *t =
        find_tensor(build(o, weights), "/stages.3/blocks/blocks.1/token_mixer"
                                       "/qkv/Transpose_output_0");
    Tensor *source = NULL;
    Err err = {0};
    ck_assert_int_eq(weights->tensor(weights, arena,
                                     "stages.3.blocks.1.token_mixer.qkv.weight",
                                     DT_FLOAT, 2, (int64_t[]){192, 64}, &source,
                                     &err),
                     0);
    double *given = read_all(source), *found = read_all(t), part[5];
    ck_assert_int_eq(t->dims[0], 64);
    ck_assert_int_eq(t->dims[1], 192);
    for (int i = 0; i < 64; i++)
        for (int j = 0; j < 192; j++)
            ck_assert_double_eq(found[i * 192 + j], given[j * 64 + i]);
    tensor_read_f64(t, 190, 5, part);
    ck_assert_mem_eq(part, found + 190, sizeof part);
}
END_TEST

/* ---- Refusals ---- */

static const struct {
    rp_sample_options options;
    const char *message;
} refusals[] = {
    {{.variant = "fastvit_t9"},
     "unknown variant \"fastvit_t9\"; there are "
     "fastvit_t8, fastvit_t12, fastvit_s12, "
     "fastvit_sa12, fastvit_sa24, fastvit_sa36, "
     "fastvit_ma36"},
    {{.variant = NULL}, "unknown variant \"\""},
    {{.variant = "fastvit_t8", .dtype = "int8"},
     "dtype \"int8\" is not float16, float32 or float64"},
    {{.variant = "fastvit_t8", .size = -1}, "size -1 is not in 1 .. 16384"},
    {{.variant = "fastvit_t8", .size = 20000}, "size 20000 is not in"},
    {{.variant = "fastvit_t8", .classes = -1},
     "-1 classes: at least 1 is needed"},
    {{.variant = "fastvit_t8", .width_mult = -1},
     "width multiplier -1 is not in (0, 16]"},
    {{.variant = "fastvit_t8", .width_mult = (double)NAN},
     "width multiplier nan is not in (0, 16]"},
    {{.variant = "fastvit_t8", .width_mult = 0.001},
     "width multiplier 0.001 leaves stage 1 no channels"},
    {{.variant = "fastvit_t8", .width_mult = 0.3},
     "width multiplier 0.3 gives stage 2 29 channels, which is not a multiple "
     "of the 14 of stage 1"},
    {{.variant = "fastvit_ma36", .width_mult = 0.25},
     "width multiplier 0.25 gives stage 4 152 channels, and attention needs a "
     "multiple of 32"},
};

START_TEST(what_cannot_be_built_is_refused)
{
    Model *model = NULL;
    Err err = {0};
    ck_assert_int_eq(zoo_build(arena, &refusals[_i].options,
                               weights_from_seed(arena, 1), &model, &err),
                     -1);
    ck_assert_int_eq(err.code, ERR_USAGE);
    ck_assert_msg(strstr(err.message, refusals[_i].message) == err.message,
                  "%s", err.message);
    ck_assert_ptr_null(model);
}
END_TEST

START_TEST(a_weight_the_source_lacks_is_the_fault_reported)
{
    const char *const missing[] = {"stages.0.blocks.0.mlp.fc1.bias",
                                   "stages.3.blocks.0.token_mixer.qkv.weight"};
    Recorder recorder = {{record}, weights_from_seed(arena, 1), 0, missing[_i]};
    rp_sample_options options = {.variant = "fastvit_sa12"};
    Model *model = NULL;
    Err err = {0};
    ck_assert_int_eq(zoo_build(arena, &options, &recorder.source, &model, &err),
                     -1);
    ck_assert_str_eq(err.message,
                     arena_printf(arena, "no tensor %s", missing[_i]));
}
END_TEST

Suite *suite_zoo(void)
{
    Suite *suite = suite_create("zoo");
    TCase *graph = tcase_create("graph");
    tcase_add_checked_fixture(graph, setup, teardown);
    tcase_add_test(graph, variants_are_listed);
    tcase_add_loop_test(graph, operators_are_those_of_a_real_export, 0,
                        EXPECTED_COUNT);
    tcase_add_loop_test(graph, nodes_have_the_order_and_names_of_a_real_export,
                        0, EXPECTED_COUNT);
    tcase_add_loop_test(graph,
                        initializers_are_as_many_and_as_large_as_a_real_export,
                        0, EXPECTED_COUNT);
    tcase_add_loop_test(graph, weights_are_asked_for_by_the_state_dict_names, 0,
                        EXPECTED_COUNT);
    tcase_add_test(graph, the_model_says_what_it_is);
    tcase_add_test(graph, a_classifier_takes_an_image_and_makes_logits);
    tcase_add_test(graph, a_dense_model_makes_the_four_stages_outputs);
    tcase_add_test(graph, a_dynamic_batch_is_a_symbol_and_found_at_run_time);
    tcase_add_test(
        graph, where_nothing_needs_the_batch_a_dynamic_graph_is_the_static_one);
    tcase_add_loop_test(graph,
                        inference_finds_every_shape_and_the_outputs_as_declared,
                        0, 4 * EXPECTED_COUNT);
    tcase_add_test(graph, half_precision_takes_the_reciprocal_in_single);
    tcase_add_test(graph, a_convolution_has_the_attributes_of_its_module);
    tcase_add_test(graph, widths_are_scaled_and_the_squeeze_with_them);
    tcase_add_test(graph, a_linear_layer_is_the_source_transposed);
    suite_add_tcase(suite, graph);

    TCase *refused = tcase_create("refusals");
    tcase_add_checked_fixture(refused, setup, teardown);
    tcase_add_loop_test(refused, what_cannot_be_built_is_refused, 0,
                        sizeof refusals / sizeof *refusals);
    tcase_add_loop_test(refused,
                        a_weight_the_source_lacks_is_the_fault_reported, 0, 2);
    suite_add_tcase(suite, refused);
    return suite;
}
