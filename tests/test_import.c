/*
 * Import: from every checkpoint the network that torch exports from it, and
 * torch's outputs in float64; what does not fit is listed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "fixture.h"
#include "import.h"
#include "suites.h"

#define FOLDER "tests/fixtures/checkpoints/"
enum { IMAGE = 64 };

/* A line of index.txt, which says what the fields are. */
typedef struct Line {
    char file[64], format[32], key[32], network[16], form[16], ops[400];
    int outputs;
} Line;

static Line lines[64];
static int line_count;

static void lines_load(void)
{
    FILE *file = fopen(FOLDER "index.txt", "r");
    char text[640];
    if (!file)
        return;
    while (line_count < 64 && fgets(text, sizeof text, file)) {
        Line *line = &lines[line_count];
        if (text[0] != '#' &&
            sscanf(text, "%63s %d %31s %31s %15s %15s %399s", line->file,
                   &line->outputs, line->format, line->key, line->network,
                   line->form, line->ops) == 7)
            line_count++;
    }
    fclose(file);
}

static const char *line_path(const Line *line)
{
    static char path[128];
    snprintf(path, sizeof path, FOLDER "%s", line->file);
    return path;
}

static rp_model *import_line(const Line *line, rp_import_options options)
{
    rp_error error = {0};
    rp_open_options open = {.import = &options};
    options.size = IMAGE;
    options.dense = line->outputs > 1;
    rp_model *model = rp_import(line_path(line), &open, &error);
    ck_assert_msg(model != NULL, "%s: %s", line->file, error.message);
    return model;
}

START_TEST(the_index_is_there)
{
    ck_assert_int_ge(line_count, 20);
}
END_TEST

START_TEST(the_network_is_recognised)
{
    const Line *line = &lines[_i];
    rp_model *model = import_line(line, (rp_import_options){0});
    const rp_import_info *info = rp_imported(model);
    ck_assert_int_eq(strncmp(info->format, line->format, 7), 0);
    ck_assert_str_eq(info->key, strcmp(line->key, "-") == 0 ? "" : line->key);
    ck_assert_str_eq(info->variant, line->network);
    ck_assert_int_eq(info->deploy, strcmp(line->form, "deploy") == 0);
    ck_assert_uint_eq(info->tensors, model->model->graph->initializer_count);
    rp_close(model);
}
END_TEST

START_TEST(operators_are_those_of_the_export)
{
    const Line *line = &lines[_i];
    rp_model *model =
        import_line(line, (rp_import_options){.dtype = "float32"});
    const rp_summary *summary;
    char *ops = strdup(line->ops), *rest = ops;
    size_t nodes = 0;
    ck_assert_int_eq(rp_summarize(model, &summary, NULL), 0);
    for (char *op; (op = strsep(&rest, ","));) {
        char *count = strchr(op, ':');
        *count++ = '\0';
        ck_assert_msg(rp_summary_op(summary, op) == strtoul(count, NULL, 10),
                      "%s: %zu %s, not %s", line->file,
                      rp_summary_op(summary, op), op, count);
        nodes += strtoul(count, NULL, 10);
    }
    ck_assert_uint_eq(summary->nodes, nodes);
    free(ops);
    rp_close(model);
}
END_TEST

static void check_outputs(Arena *arena, const Line *line, const Model *model)
{
    Array *input = fixture_array(arena, "tests/fixtures/in64.npy", DT_DOUBLE);
    Array **outputs = fixture_run(arena, model, input);
    for (int k = 0; k < line->outputs; k++) {
        const char *file = arena_printf(arena, "%s.%d.npy", line_path(line), k);
        double off = fixture_difference(fixture_array(arena, file, DT_DOUBLE),
                                        outputs[k]);
        ck_assert_msg(off < 1e-12, "%s: output %d off torch by %g", line->file,
                      k, off);
    }
}

/* In float64 also the constants are, sqrt(2) among them, which an export in
 * float32 rounds. */
START_TEST(outputs_are_those_of_torch)
{
    const Line *line = &lines[_i];
    Arena *local = arena_new(0);
    rp_model *model =
        import_line(line, (rp_import_options){.dtype = "float64"});
    check_outputs(local, line, model->model);
    fixture_fold(model->model);
    ck_assert_int_eq(fixture_count(model->model, OP_BatchNormalization, true),
                     0);
    ck_assert_int_eq(fixture_count(model->model, OP_Sub, true), 0);
    check_outputs(local, line, model->model);
    rp_close(model);
    arena_free(local);
}
END_TEST

/* ---- Types ---- */

static const Line *find_line(const char *file)
{
    for (int i = 0; i < line_count; i++)
        if (strcmp(lines[i].file, file) == 0)
            return &lines[i];
    ck_abort_msg("no line %s", file);
}

static const struct {
    const char *file, *type;
} types[] = {{"micro-f16-legacy.pth", "float16"},
             {"micro-ema.pth", "float32"},
             {"micro-bf16-strided.pth", "float32"},
             {"micro-f64.safetensors", "float64"}};

START_TEST(the_type_is_the_checkpoints)
{
    const rp_summary *summary;
    rp_model *model =
        import_line(find_line(types[_i].file), (rp_import_options){0});
    ck_assert_int_eq(rp_summarize(model, &summary, NULL), 0);
    ck_assert_str_eq(summary->inputs[0].type, types[_i].type);
    rp_close(model);
}
END_TEST

/* Whatever the way there: straight from the file, or converted. */
START_TEST(weights_lie_in_the_file_where_they_can)
{
    rp_model *model =
        import_line(find_line("micro-ema.pth"), (rp_import_options){0});
    const Graph *graph = model->model->graph;
    for (size_t i = 0; i < graph->initializer_count; i++) {
        const uint8_t *data = graph->initializers[i]->tensor->data;
        ck_assert_ptr_nonnull(data);
        ck_assert(data >= model->checkpoint.bytes &&
                  data < model->checkpoint.bytes + model->checkpoint.size);
    }
    rp_close(model);
}
END_TEST

/* ---- Saving, folding, verifying ---- */

START_TEST(a_checkpoint_is_opened_like_a_model)
{
    rp_error error = {0};
    rp_import_options small = {.size = IMAGE};
    rp_open_options options = {.import = &small};
    rp_model *model = rp_open(FOLDER "micro-ema.pth", &options, &error);
    ck_assert_msg(model != NULL, "%s", error.message);
    rp_model *original = rp_reopen(model, &error);
    ck_assert_msg(original != NULL, "%s", error.message);
    ck_assert_int_eq(rp_fold(model, NULL, &error), 0);
    size_t folds;
    rp_folds(model, &folds);
    ck_assert_uint_gt(folds, 0);
    rp_verify_options how = {.samples = 1, .skip_f32 = 1, .threads = 1};
    rp_verdict *verdict = rp_verify(original, model, &how, &error);
    ck_assert_msg(verdict != NULL, "%s", error.message);
    ck_assert_str_eq(rp_verdict_get(verdict)->verdict, "equivalent");
    rp_verdict_free(verdict);
    rp_close(original);
    rp_close(model);
}
END_TEST

START_TEST(what_is_saved_is_a_model)
{
    rp_error error = {0};
    const void *bytes, *again;
    size_t size, size_again;
    rp_model *model = import_line(find_line("mini-reparam-bf16.safetensors"),
                                  (rp_import_options){0});
    ck_assert_int_eq(rp_save_memory(model, &bytes, &size, &error), 0);
    rp_model *read = rp_open_memory(bytes, size, "saved", NULL, &error);
    ck_assert_msg(read != NULL, "%s", error.message);
    ck_assert_ptr_null(rp_imported(read));
    ck_assert_int_eq(rp_save_memory(read, &again, &size_again, &error), 0);
    ck_assert_uint_eq(size, size_again);
    ck_assert_mem_eq(bytes, again, size);
    rp_close(read);
    rp_close(model);
}
END_TEST

START_TEST(a_model_is_no_checkpoint)
{
    rp_error error = {0};
    ck_assert_ptr_null(
        rp_import("tests/fixtures/micro.ts-preserve.onnx", NULL, &error));
    ck_assert_str_eq(error.code, "bad-checkpoint");
}
END_TEST

/* ---- What does not fit ---- */

static Arena *arena;
static ZooList list;
static char told[4096];

static void setup(void)
{
    arena = arena_new(0);
    told[0] = '\0';
}

static void teardown(void)
{
    arena_free(arena);
}

static void note_line(void *context, const char *line)
{
    (void)context;
    ck_assert_uint_lt(strlen(told) + strlen(line) + 2, sizeof told);
    strcat(strcat(told, line), "\n");
}

static char changed[1 << 17];

/* micro-f64.safetensors, to be changed. */
static size_t read_file(void)
{
    FILE *file = fopen(FOLDER "micro-f64.safetensors", "rb");
    ck_assert_ptr_nonnull(file);
    size_t size = fread(changed, 1, sizeof changed, file);
    fclose(file);
    return size;
}

static int open_changed(size_t size, rp_import_options options, rp_error *error)
{
    rp_open_options open = {.import = &options};
    options.size = IMAGE;
    options.mismatch = note_line;
    rp_model *model = rp_open_memory(changed, size, "changed", &open, error);
    rp_close(model);
    return model ? 0 : -1;
}

/* One text in the header is another, as long. */
static int import_changed(const char *from, const char *to, rp_error *error)
{
    size_t size = read_file();
    char *place = memmem(changed, size, from, strlen(from));
    ck_assert_ptr_nonnull(place);
    memcpy(place, to, strlen(to));
    return open_changed(size, (rp_import_options){0}, error);
}

static const struct {
    const char *from, *to, *code, *message, *told;
} misfits[] = {
    {"\"head.fc.bias\"", "\"head.fc.wias\"", "bad-weights",
     "1 missing (head.fc.bias); 1 extra (head.fc.wias); all",
     "missing: head.fc.bias, 10\nextra: head.fc.wias\n"},
    {"\"stages.0.blocks.0.layer_scale.gamma\":{\"dtype\":\"F64\",\"shape\":[2,"
     "1,1]",
     "\"stages.0.blocks.0.layer_scale.gamma\":{\"dtype\":\"F64\",\"shape\":[1,"
     "2,1]",
     "bad-weights",
     "1 of another shape (stages.0.blocks.0.layer_scale.gamma is 1x2x1, not "
     "2x1x1)",
     "of another shape: stages.0.blocks.0.layer_scale.gamma, 1x2x1, not "
     "2x1x1\n"},
    {"\"stages.0.blocks.0.layer_scale.gamma\":{\"dtype\":\"F64\"",
     "\"stages.0.blocks.0.layer_scale.gamma\":{\"dtype\":\"I64\"",
     "bad-weights", "is int64)", ", int64\n"},
    {"\"head.fc.weight\"", "\"head.fc.height\"", "bad-weights",
     "no classifier, head.fc.weight", ""},
    {"\"stem.0.conv_kxk.0.conv.weight\"", "\"team.0.conv_kxk.0.conv.weight\"",
     "unknown-network", "no FastViT, MobileOne or RepVGG", ""},
};

START_TEST(what_does_not_fit_is_listed)
{
    rp_error error = {0};
    ck_assert_int_eq(import_changed(misfits[_i].from, misfits[_i].to, &error),
                     -1);
    ck_assert_str_eq(error.code, misfits[_i].code);
    ck_assert_msg(strstr(error.message, misfits[_i].message) != NULL, "%s",
                  error.message);
    ck_assert_msg(strstr(told, misfits[_i].told) != NULL, "%s", told);
}
END_TEST

START_TEST(a_number_beyond_the_type_is_refused)
{
    rp_error error = {0};
    const double large = 1e6;
    size_t size = read_file(), header, place;
    static const char field[] =
        "\"head.fc.bias\":{\"dtype\":\"F64\",\"shape\":[10],"
        "\"data_offsets\":[";
    const char *found = memmem(changed, size, field, sizeof field - 1);
    ck_assert_ptr_nonnull(found);
    place = strtoul(found + sizeof field - 1, NULL, 10);
    memcpy(&header, changed, sizeof header);
    memcpy(changed + sizeof header + header + place, &large, sizeof large);
    ck_assert_int_eq(open_changed(size, (rp_import_options){0}, &error), 0);
    ck_assert_int_eq(
        open_changed(size, (rp_import_options){.dtype = "float16"}, &error),
        -1);
    ck_assert_str_eq(error.code, "bad-weights");
    ck_assert_ptr_nonnull(strstr(
        error.message, "head.fc.bias: 1e+06 is beyond the range of float16"));
}
END_TEST

START_TEST(a_variant_is_insisted_on)
{
    rp_error error = {0};
    rp_import_options options = {.variant = "repvgg_a0"};
    rp_open_options open = {.import = &options};
    ck_assert_ptr_null(rp_import(FOLDER "repvgg.safetensors", &open, &error));
    ck_assert_str_eq(error.code, "bad-weights");
    ck_assert_ptr_nonnull(strstr(error.message, "not those of repvgg_a0"));
    options.variant = "repvgg_z9";
    ck_assert_ptr_null(rp_import(FOLDER "repvgg.safetensors", &open, &error));
    ck_assert_str_eq(error.code, "usage");
}
END_TEST

START_TEST(dense_leaves_the_classifier_out)
{
    rp_error error = {0};
    rp_import_options options = {.size = IMAGE, .dense = 1};
    rp_open_options open = {.import = &options};
    rp_model *model = rp_import(FOLDER "micro-ema.pth", &open, &error);
    ck_assert_msg(model != NULL, "%s", error.message);
    ck_assert_uint_eq(model->model->graph->output_count, 4);
    rp_close(model);
    ck_assert_ptr_null(rp_import(FOLDER "repvgg.safetensors", &open, &error));
    ck_assert_ptr_nonnull(strstr(error.message, "only FastViT"));
}
END_TEST

/* ---- Every variant at its real size, by shapes alone ---- */

typedef struct Recorder {
    WeightSource source;
    ZooTensor *tensors;
    size_t count, capacity;
    const char *prefix;
} Recorder;

static const TensorFormula nothing;

static int record(WeightSource *self, Arena *owner, const char *name,
                  DType type, int rank, const int64_t *dims, Tensor **out,
                  Err *err)
{
    Recorder *recorder = (Recorder *)self;
    (void)err;
    *out = tensor_from_formula(owner, type, rank, dims, &nothing);
    recorder->tensors =
        arena_grow(owner, recorder->tensors, &recorder->capacity,
                   recorder->count + 1, sizeof *recorder->tensors);
    recorder->tensors[recorder->count++] =
        (ZooTensor){arena_printf(owner, "%s%s", recorder->prefix, name), rank,
                    (*out)->dims};
    return 0;
}

/* The tensors of a variant; names begin with the prefix. */
static ZooMatch match_variant(const char *variant, const char *prefix)
{
    rp_sample_options options = {.variant = variant, .classes = 77};
    Recorder recorder = {.source = {record}, .prefix = prefix};
    Model *model;
    ZooMatch match = {0};
    Err err = {0};
    ck_assert_msg(zoo_build(arena, &options, &recorder.source, &model, &err) ==
                      0,
                  "%s", err.message);
    list = (ZooList){recorder.tensors, recorder.count};
    ck_assert_msg(zoo_match(arena, &list, NULL, &match, &err) == 0, "%s: %s",
                  variant, err.message);
    return match;
}

START_TEST(every_variant_is_told_from_its_shapes)
{
    ZooMatch match = match_variant(zoo_variants[_i], "");
    ck_assert_str_eq(match.variant, zoo_variants[_i]);
    ck_assert_int_eq(match.classes, 77);
    ck_assert(!match.deploy);
    for (size_t i = 0; i < list.count; i++)
        ck_assert_str_eq(match.names[i], list.tensors[i].name);
}
END_TEST

START_TEST(a_network_may_be_part_of_another)
{
    ZooMatch match = match_variant("fastvit_t8", "image_encoder.model.");
    ck_assert_str_eq(match.variant, "fastvit_t8");
    ck_assert_str_eq(match.names[0],
                     list.tensors[0].name + strlen("image_encoder.model."));
}
END_TEST

/* The list as reparameterization leaves it: the first kernel alone. */
static void merge_branches(void)
{
    static const char tail[] = ".conv_kxk.0.conv.weight";
    ZooTensor *tensors = arena_array(arena, list.count, sizeof *tensors);
    size_t count = 0;
    for (size_t i = 0; i < list.count; i++) {
        const char *name = list.tensors[i].name;
        const char *kernel = strstr(name, tail);
        if (!kernel && (strstr(name, ".conv_") || strstr(name, ".identity.")))
            continue;
        tensors[count] = list.tensors[i];
        if (kernel)
            tensors[count].name = arena_printf(
                arena, "%.*s.reparam_conv.weight", (int)(kernel - name), name);
        count++;
    }
    list = (ZooList){tensors, count};
}

/* How many branches there were, no deploy form tells. */
START_TEST(a_deploy_form_is_told_from_its_shapes)
{
    const char *variant = arena_printf(arena, "mobileone_s%d", _i);
    ZooMatch match = match_variant(variant, "");
    Err err = {0};
    merge_branches();
    ck_assert_int_eq(zoo_match(arena, &list, NULL, &match, &err), 0);
    ck_assert_str_eq(match.variant, variant);
    ck_assert(match.deploy);
}
END_TEST

static int count_variants(void)
{
    int count = 0;
    while (zoo_variants[count])
        count++;
    return count;
}

Suite *suite_import(void)
{
    lines_load();
    Suite *suite = suite_create("import");
    TCase *files = tcase_create("checkpoints");
    tcase_add_test(files, the_index_is_there);
    tcase_add_loop_test(files, the_network_is_recognised, 0, line_count);
    tcase_add_loop_test(files, operators_are_those_of_the_export, 0,
                        line_count);
    tcase_add_loop_test(files, outputs_are_those_of_torch, 0, line_count);
    tcase_add_loop_test(files, the_type_is_the_checkpoints, 0, 4);
    tcase_add_test(files, weights_lie_in_the_file_where_they_can);
    tcase_add_test(files, a_checkpoint_is_opened_like_a_model);
    tcase_add_test(files, what_is_saved_is_a_model);
    tcase_add_test(files, a_model_is_no_checkpoint);
    suite_add_tcase(suite, files);
    TCase *misfit = tcase_create("misfits");
    tcase_add_checked_fixture(misfit, setup, teardown);
    tcase_add_loop_test(misfit, what_does_not_fit_is_listed, 0,
                        sizeof misfits / sizeof *misfits);
    tcase_add_test(misfit, a_number_beyond_the_type_is_refused);
    tcase_add_test(misfit, a_variant_is_insisted_on);
    tcase_add_test(misfit, dense_leaves_the_classifier_out);
    tcase_add_loop_test(misfit, every_variant_is_told_from_its_shapes, 0,
                        count_variants());
    tcase_add_loop_test(misfit, a_deploy_form_is_told_from_its_shapes, 0, 5);
    tcase_add_test(misfit, a_network_may_be_part_of_another);
    suite_add_tcase(suite, misfit);
    return suite;
}
