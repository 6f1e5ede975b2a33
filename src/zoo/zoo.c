#include "zoo/zoo.h"

#include <string.h>

#include "zoo/fastvit.h"
#include "zoo/net.h"

/* ONNX opset 17 is of IR version 8. */
enum { OPSET = 17, IR_VERSION = 8, SIZE_MAX_PIXELS = 1 << 14 };

typedef struct Variant {
    const char *name;
    int (*build)(Net *net, const void *description);
    const void *description;
} Variant;

static const Variant variants[] = {
#define FASTVIT(name, ...)                                                     \
    {#name, fastvit_build, &(const FastVit){__VA_ARGS__}},
#include "zoo/variants.def"
#undef FASTVIT
};

const char *const zoo_variants[] = {
#define FASTVIT(name, ...) #name,
#include "zoo/variants.def"
#undef FASTVIT
    NULL};

static const Variant *find_variant(Arena *arena, const char *name, Err *err)
{
    const char *known = "";
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        if (name && strcmp(name, variants[i].name) == 0)
            return &variants[i];
        known = arena_printf(arena, "%s%s%s", known, *known ? ", " : "",
                             variants[i].name);
    }
    err_set(err, ERR_USAGE, "unknown variant \"%.64s\"; there are %s",
            name ? name : "", known);
    return NULL;
}

static int find_type(const char *name, DType *type, Err *err)
{
    static const DType types[] = {DT_FLOAT, DT_FLOAT16, DT_DOUBLE};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (!name || strcmp(name, dtype_name(types[i])) == 0) {
            *type = types[i];
            return 0;
        }
    return err_set(err, ERR_USAGE,
                   "dtype \"%s\" is not float16, float32 or float64", name);
}

static int fill_options(NetOptions *net, const rp_sample_options *given,
                        Err *err)
{
    *net = (NetOptions){.width_mult = given->width_mult,
                        .size = given->size,
                        .classes = given->classes,
                        .dense = given->dense != 0,
                        .dynamic = given->dynamic != 0};
    if (given->width_mult == 0)
        net->width_mult = 1;
    if (given->size == 0)
        net->size = 256;
    if (given->classes == 0)
        net->classes = 1000;
    if (!(net->width_mult > 0 && net->width_mult <= 16))
        return err_set(err, ERR_USAGE, "width multiplier %g is not in (0, 16]",
                       net->width_mult);
    if (net->size < 1 || net->size > SIZE_MAX_PIXELS)
        return err_set(err, ERR_USAGE, "size %lld is not in 1 .. %d",
                       (long long)net->size, SIZE_MAX_PIXELS);
    if (net->classes < 1)
        return err_set(err, ERR_USAGE, "%lld classes: at least 1 is needed",
                       (long long)net->classes);
    return find_type(given->dtype, &net->type, err);
}

static Model *new_model(Arena *arena, const char *name)
{
    Model *model = model_new(arena);
    model->path = name;
    model->ir_version = IR_VERSION;
    model->opset = OPSET;
    model->imports = arena_alloc(arena, sizeof *model->imports);
    model->imports[0] = (OpsetImport){"", OPSET};
    model->import_count = 1;
    model->producer_name = "repfold";
    model->producer_version = RP_VERSION;
    model->graph = graph_new(model, NULL);
    model->graph->name = "main_graph";
    return model;
}

int zoo_build(Arena *arena, const rp_sample_options *options,
              WeightSource *weights, Model **out, Err *err)
{
    const Variant *variant = find_variant(arena, options->variant, err);
    if (!variant)
        return -1;
    Net net = {.arena = arena,
               .weights = weights,
               .counts = map_new(arena),
               .err = err};
    TRY(fill_options(&net.options, options, err));
    Model *model = new_model(arena, variant->name);
    net.graph = model->graph;
    TRY(variant->build(&net, variant->description));
    if (net.failed)
        return -1;
    *out = model;
    return 0;
}
