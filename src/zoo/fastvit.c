#include "zoo/fastvit.h"

#include <stdlib.h>
#include <string.h>

#include "zoo/architecture.h"
#include "zoo/block.h"

enum { NETWORK_MAX = 16 };

/* The stages' widths, which every block of theirs can take. */
static int find_widths(Net *net, const FastVit *vit, int64_t *widths)
{
    TRY(net_scale_widths(net, vit->widths, FASTVIT_STAGES, widths));
    for (int i = 0; i < FASTVIT_STAGES; i++) {
        if (i > 0 && widths[i] % widths[i - 1] != 0)
            return net_bad_width(
                net, i + 1, widths[i],
                arena_printf(net->arena,
                             "which is not a multiple of the %lld of stage %d",
                             (long long)widths[i - 1], i));
        if (vit->mixers[i] == ATTENTION && widths[i] % HEAD_CHANNELS != 0)
            return net_bad_width(net, i + 1, widths[i],
                                 arena_printf(net->arena,
                                              "and attention needs a multiple "
                                              "of %d",
                                              HEAD_CHANNELS));
    }
    return 0;
}

/* The number-th module of "stem" or "stages". timm's features_only model makes
 * each an attribute of its own, "stem_0"; the key stays the classifier's. */
static Scope part_scope(Net *net, const char *list, int number)
{
    Scope scope = scope_child(net, scope_root(),
                              arena_printf(net->arena, "%s.%d", list, number));
    if (net->options.dense)
        scope.path = arena_printf(net->arena, "/%s_%d", list, number);
    return scope;
}

static Feature stem(Net *net, Feature x, int64_t width)
{
    const MobileOne blocks[] = {
        {.conv = {width, 1, 3, 2}, .branches = 1, .gelu = true},
        {.conv = {width, width, 3, 2}, .branches = 1, .gelu = true},
        {.conv = {width, 1, 1, 1}, .branches = 1, .gelu = true},
    };
    for (int i = 0; i < 3; i++) {
        Scope scope = net->options.dense
                          ? part_scope(net, "stem", i)
                          : scope_item(net, scope_root(), "stem", i);
        x = block_mobileone(net, scope, x, &blocks[i]);
    }
    return x;
}

static Feature repmixer_block(Net *net, Scope scope, Feature x, int64_t hidden,
                              const char *output)
{
    x = block_rep_mixer(net, scope_child(net, scope, "token_mixer"), x);
    Feature y = block_conv_ffn(net, scope_child(net, scope, "mlp"), x, hidden);
    y = block_layer_scale(net, scope_child(net, scope, "layer_scale"), y);
    return block_residual(net, scope, x, y, output);
}

static Feature attention_block(Net *net, Scope scope, Feature x, int64_t hidden,
                               const char *output)
{
    Feature y = block_batch_norm(net, scope_child(net, scope, "norm"), x);
    y = block_attention(net, scope_child(net, scope, "token_mixer"), y);
    y = block_layer_scale(net, scope_child(net, scope, "layer_scale_1"), y);
    x = block_residual(net, scope, x, y, NULL);
    y = block_conv_ffn(net, scope_child(net, scope, "mlp"), x, hidden);
    y = block_layer_scale(net, scope_child(net, scope, "layer_scale_2"), y);
    return block_residual(net, scope, x, y, output);
}

static Feature stage(Net *net, Feature x, const FastVit *vit, int number,
                     int64_t width)
{
    Scope scope = part_scope(net, "stages", number);
    if (number > 0)
        x = block_patch_embedding(net, scope_child(net, scope, "downsample"), x,
                                  width);
    if (vit->encodings[number] > 0)
        x = block_positional_encoding(net, scope_child(net, scope, "pos_emb"),
                                      x, vit->encodings[number]);
    int depth = vit->depths[number];
    for (int i = 0; i < depth; i++) {
        Scope inner = scope_item(net, scope, "blocks", i);
        int64_t hidden = width * vit->mlp_ratios[number];
        const char *output = NULL;
        if (net->options.dense && i == depth - 1)
            output = arena_printf(net->arena, "feature%d", number);
        x = vit->mixers[number] == ATTENTION
                ? attention_block(net, inner, x, hidden, output)
                : repmixer_block(net, inner, x, hidden, output);
    }
    return x;
}

static void head(Net *net, Feature x)
{
    int64_t width = 2 * x.channels, classes = net->options.classes;
    int64_t reduced = (width + 8) / 16; /* a sixteenth, to nearest */
    MobileOne block = {.conv = {width, x.channels, 3, 1},
                       .branches = 1,
                       .se_channels = reduced > 0 ? reduced : 1,
                       .gelu = true};
    x = block_mobileone(net, scope_child(net, scope_root(), "final_conv"), x,
                        &block);
    Scope scope = scope_child(net, scope_root(), "head");
    Value *logits = block_classifier(net, scope, x, classes, "logits");
    net_output(net, logits, 2, (int64_t[]){1, classes});
}

static int build(Net *net, const void *description)
{
    const FastVit *vit = description;
    int64_t widths[FASTVIT_STAGES];
    TRY(find_widths(net, vit, widths));
    Feature x = stem(net, net_input(net, "image", 3), widths[0]);
    for (int i = 0; i < FASTVIT_STAGES; i++) {
        x = stage(net, x, vit, i, widths[i]);
        if (net->options.dense)
            net_output(net, x.value, 4,
                       (int64_t[]){1, x.channels, x.size, x.size});
    }
    if (!net->options.dense)
        head(net, x);
    return 0;
}

/* ---- Checkpoints ---- */

/* The names of the original code, and of timm's features_only. */
static const Spelling spellings[] = {{"patch_embed", "stem"},
                                     {"stem_0", "stem.0"},
                                     {"stem_1", "stem.1"},
                                     {"stem_2", "stem.2"},
                                     {"stages_0", "stages.0"},
                                     {"stages_1", "stages.1"},
                                     {"stages_2", "stages.2"},
                                     {"stages_3", "stages.3"},
                                     {"rbr_conv", "conv_kxk"},
                                     {"rbr_scale", "conv_scale"},
                                     {"rbr_skip", "identity"},
                                     {"lkb_origin", "large_conv"},
                                     {"lkb_reparam", "reparam_conv"},
                                     {"convffn", "mlp"},
                                     {"conv_exp", "final_conv"},
                                     {"se.reduce", "se.fc1"},
                                     {"se.expand", "se.fc2"},
                                     {"layer_scale$", "layer_scale.gamma"},
                                     {"layer_scale_1$", "layer_scale_1.gamma"},
                                     {"layer_scale_2$", "layer_scale_2.gamma"},
                                     {"head.weight$", "head.fc.weight"},
                                     {"head.bias$", "head.fc.bias"},
                                     {NULL, NULL}};

/* N of "network.N.": one list of patch embeddings, positional encodings and
 * stages in the original code. `rest` is what follows. -1 of another name. */
static int network_number(const char *name, const char **rest)
{
    static const char list[] = "network.";
    char *end;
    if (!name || strncmp(name, list, sizeof list - 1) != 0)
        return -1;
    long number = strtol(name + sizeof list - 1, &end, 10);
    if (*end != '.' || number < 0 || number >= NETWORK_MAX)
        return -1;
    *rest = end + 1;
    return (int)number;
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* A patch embedding opens the next stage. */
static void respell_network(Keys *keys)
{
    int stage_of[NETWORK_MAX] = {0};
    const char *rest;
    for (size_t i = 0; i < keys->count; i++) {
        int number = network_number(keys->names[i], &rest);
        if (number >= 0 && begins(rest, "proj."))
            stage_of[number] = 1;
    }
    for (int i = 1; i < NETWORK_MAX; i++)
        stage_of[i] += stage_of[i - 1];
    for (size_t i = 0; i < keys->count; i++) {
        int number = network_number(keys->names[i], &rest);
        if (number < 0)
            continue;
        const char *module = "blocks.";
        if (begins(rest, "proj."))
            module = "downsample.";
        else if (begins(rest, "pe."))
            module = "pos_emb.pos_enc.", rest += strlen("pe.");
        else if (begins(rest, "reparam_conv."))
            module = "pos_emb.";
        keys->names[i] = arena_printf(keys->arena, "stages.%d.%s%s",
                                      stage_of[number], module, rest);
    }
}

static bool measure_stage(const Keys *keys, FastVit *vit, int number)
{
    const char *stage = arena_printf(keys->arena, "stages.%d", number);
    const int64_t *norm =
        keys_dims(keys, 1, "%s.blocks.0.mlp.conv.bn.weight", stage);
    const int64_t *hidden =
        keys_dims(keys, 4, "%s.blocks.0.mlp.fc1.weight", stage);
    const int64_t *encoding = keys_kernel(
        keys, arena_printf(keys->arena, "%s.pos_emb", stage), "pos_enc");
    if (!norm || !hidden)
        return false;
    vit->widths[number] = (int)norm[0];
    vit->mlp_ratios[number] = (int)(hidden[0] / norm[0]);
    vit->depths[number] =
        keys_depth(keys, arena_printf(keys->arena, "%s.blocks.", stage));
    vit->encodings[number] = encoding ? (int)encoding[2] : 0;
    if (keys_dims(keys, 2, "%s.blocks.0.token_mixer.qkv.weight", stage))
        vit->mixers[number] = ATTENTION;
    return true;
}

static bool measure(const Keys *keys, void *description)
{
    if (!keys_kernel(keys, "stem.0", "conv_kxk.0.conv"))
        return false;
    for (int i = 0; i < FASTVIT_STAGES; i++)
        if (!measure_stage(keys, description, i))
            return false;
    return true;
}

static const char *const classifier[] = {"final_conv.", "head.", NULL};

const Architecture fastvit = {
    .name = "FastViT",
    .size = 256,
    .spellings = spellings,
    .respell = respell_network,
    .measure = measure,
    .description_size = sizeof(FastVit),
    .build = build,
    .classifier = classifier,
};
