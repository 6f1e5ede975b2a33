#include "zoo/fastvit.h"

#include "zoo/block.h"

/* The stages' widths, which every block of theirs can take. */
static int scale_widths(Net *net, const FastVit *fastvit, int64_t *widths)
{
    double factor = net->options.width_mult;
    for (int i = 0; i < FASTVIT_STAGES; i++) {
        widths[i] = (int64_t)(fastvit->widths[i] * factor + 0.5);
        long long width = widths[i], before = i > 0 ? widths[i - 1] : 1;
        if (width == 0)
            return err_set(net->err, ERR_USAGE,
                           "width multiplier %g leaves stage %d no channels",
                           factor, i + 1);
        if (width % before != 0)
            return err_set(net->err, ERR_USAGE,
                           "width multiplier %g gives stage %d %lld channels, "
                           "which is not a multiple of the %lld of stage %d",
                           factor, i + 1, width, before, i);
        if (fastvit->mixers[i] == ATTENTION && width % HEAD_CHANNELS != 0)
            return err_set(net->err, ERR_USAGE,
                           "width multiplier %g gives stage %d %lld channels, "
                           "and attention needs a multiple of %d",
                           factor, i + 1, width, HEAD_CHANNELS);
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

static Feature stage(Net *net, Feature x, const FastVit *fastvit, int number,
                     int64_t width)
{
    Scope scope = part_scope(net, "stages", number);
    if (number > 0)
        x = block_patch_embedding(net, scope_child(net, scope, "downsample"), x,
                                  width);
    if (fastvit->encodings[number] > 0)
        x = block_positional_encoding(net, scope_child(net, scope, "pos_emb"),
                                      x, fastvit->encodings[number]);
    int depth = fastvit->depths[number];
    for (int i = 0; i < depth; i++) {
        Scope inner = scope_item(net, scope, "blocks", i);
        int64_t hidden = width * fastvit->mlp_ratio;
        const char *output = NULL;
        if (net->options.dense && i == depth - 1)
            output = arena_printf(net->arena, "feature%d", number);
        x = fastvit->mixers[number] == ATTENTION
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

int fastvit_build(Net *net, const void *description)
{
    const FastVit *fastvit = description;
    int64_t widths[FASTVIT_STAGES];
    TRY(scale_widths(net, fastvit, widths));
    Feature x = stem(net, net_input(net, "image", 3), widths[0]);
    for (int i = 0; i < FASTVIT_STAGES; i++) {
        x = stage(net, x, fastvit, i, widths[i]);
        if (net->options.dense)
            net_output(net, x.value, 4,
                       (int64_t[]){1, x.channels, x.size, x.size});
    }
    if (!net->options.dense)
        head(net, x);
    return 0;
}
