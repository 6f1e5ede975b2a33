#include "zoo/zoo.h"

#include <string.h>

#include "zoo/architecture.h"
#include "zoo/byob.h"
#include "zoo/fastvit.h"

/* ONNX opset 17 is of IR version 8. */
enum { OPSET = 17, IR_VERSION = 8, SIZE_MAX_PIXELS = 1 << 14 };

/* One line of variants.def. */
typedef struct Variant {
    const char *name;
    const Architecture *architecture;
    const void *description;
} Variant;

#define FASTVIT(name, ...) {#name, &fastvit, &(const FastVit){__VA_ARGS__}},
#define MOBILEONE(name, ...)                                                   \
    {#name, &mobileone, &(const MobileOneNet){__VA_ARGS__}},
#define REPVGG(name, ...) {#name, &repvgg, &(const RepVgg){__VA_ARGS__}},
static const Variant variants[] = {
#include "zoo/variants.def"
};
#undef FASTVIT
#undef MOBILEONE
#undef REPVGG

#define FASTVIT(name, ...) #name,
#define MOBILEONE(name, ...) #name,
#define REPVGG(name, ...) #name,
const char *const zoo_variants[] = {
#include "zoo/variants.def"
    NULL};

static const Architecture *const architectures[] = {&fastvit, &mobileone,
                                                    &repvgg};
enum {
    VARIANTS = sizeof variants / sizeof *variants,
    ARCHITECTURES = sizeof architectures / sizeof *architectures
};

static const Variant *find_variant(Arena *arena, const char *name, Err *err)
{
    const char *known = "";
    for (size_t i = 0; i < VARIANTS; i++) {
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

static int fill_options(NetOptions *net, const Architecture *architecture,
                        const rp_sample_options *given, Err *err)
{
    *net = (NetOptions){.width_mult = given->width_mult,
                        .size = given->size,
                        .classes = given->classes,
                        .dense = given->dense != 0,
                        .dynamic = given->dynamic != 0};
    if (given->width_mult == 0)
        net->width_mult = 1;
    if (given->size == 0)
        net->size = architecture->size;
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

/* The net is set up but for its graph. */
static int build_net(Net *net, const Architecture *architecture,
                     const void *description, const char *name, Model **out)
{
    Model *model = new_model(net->arena, name);
    net->graph = model->graph;
    net->counts = map_new(net->arena);
    TRY(architecture->build(net, description));
    if (net->failed)
        return -1;
    *out = model;
    return 0;
}

int zoo_build(Arena *arena, const rp_sample_options *options,
              WeightSource *weights, Model **out, Err *err)
{
    const Variant *variant = find_variant(arena, options->variant, err);
    if (!variant)
        return -1;
    Net net = {.arena = arena, .weights = weights, .err = err};
    TRY(fill_options(&net.options, variant->architecture, options, err));
    return build_net(&net, variant->architecture, variant->description,
                     variant->name, out);
}

/* ---- Checkpoints ---- */

static Keys *spell(Arena *arena, const ZooList *list,
                   const Architecture *architecture)
{
    Keys *keys = keys_spell(arena, list, architecture->spellings);
    if (architecture->respell)
        architecture->respell(keys);
    keys_index(keys);
    return keys;
}

static void fill_match(ZooMatch *match, const Architecture *architecture,
                       const Keys *keys)
{
    const int64_t *head = keys_dims(keys, 2, "head.fc.weight");
    match->architecture = architecture;
    match->names = keys->names;
    match->deploy = keys_mention(keys, "reparam_conv.");
    match->classes = head ? head[0] : 0;
}

/* Whether a variant's description can be the measured one; both are of int
 * alone. */
static bool agrees(const void *variant, const void *measured, size_t size)
{
    const int *a = variant, *b = measured;
    for (size_t i = 0; i < size / sizeof *a; i++)
        if (a[i] != b[i] && b[i] != UNTOLD)
            return false;
    return true;
}

/* The variant of that description, or the architecture's own name. */
static const char *name_of(const Architecture *architecture,
                           const void *description)
{
    for (size_t i = 0; i < VARIANTS; i++)
        if (variants[i].architecture == architecture &&
            agrees(variants[i].description, description,
                   architecture->description_size))
            return variants[i].name;
    return architecture->name;
}

int zoo_match(Arena *arena, const ZooList *list, const char *variant,
              ZooMatch *out, Err *err)
{
    if (variant) {
        const Variant *found = find_variant(arena, variant, err);
        if (!found)
            return -1;
        fill_match(out, found->architecture,
                   spell(arena, list, found->architecture));
        out->variant = found->name;
        out->description = found->description;
        return 0;
    }
    for (size_t i = 0; i < ARCHITECTURES; i++) {
        const Architecture *architecture = architectures[i];
        const Keys *keys = spell(arena, list, architecture);
        void *description = arena_alloc(arena, architecture->description_size);
        if (!architecture->measure(keys, description))
            continue;
        fill_match(out, architecture, keys);
        out->description = description;
        out->variant = name_of(architecture, description);
        return 0;
    }
    return err_set(err, ERR_UNKNOWN_NETWORK,
                   "its tensors are those of no FastViT, MobileOne or RepVGG; "
                   "with --variant what is missing is listed");
}

int zoo_build_match(Arena *arena, const ZooMatch *match,
                    const rp_sample_options *options, WeightSource *weights,
                    Model **out, Err *err)
{
    Net net = {.arena = arena, .weights = weights, .err = err};
    TRY(fill_options(&net.options, match->architecture, options, err));
    if (match->classes > 0)
        net.options.classes = match->classes;
    else if (!net.options.dense)
        return err_set(err, ERR_BAD_WEIGHTS,
                       "it has no classifier, head.fc.weight; --dense imports "
                       "the feature maps alone");
    net.options.deploy = match->deploy;
    return build_net(&net, match->architecture, match->description,
                     match->variant, out);
}

bool zoo_only_classifies(const ZooMatch *match, const char *name)
{
    const char *const *module = match->architecture->classifier;
    for (; *module; module++)
        if (strncmp(name, *module, strlen(*module)) == 0)
            return true;
    return false;
}
