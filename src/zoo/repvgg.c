/* RepVGG: Ding et al. 2021, arXiv 2101.03697. Names are timm's. */
#include "zoo/byob.h"

/* A sixteenth of the channels, to nearest. */
static int64_t squeeze_channels(const RepVgg *vgg, int64_t channels)
{
    int64_t reduced = (channels + 8) / 16;
    return !vgg->squeeze ? 0 : reduced > 0 ? reduced : 1;
}

/* relu(se(identity + 1x1 + 3x3)), of which identity is there where the shape
 * does not change. */
static Feature block(Net *net, Scope scope, Feature x, const RepVgg *vgg,
                     ConvShape shape)
{
    ConvShape point = shape;
    int64_t reduced = squeeze_channels(vgg, shape.out_channels);
    point.kernel = 1;
    if (net->options.deploy)
        return byob_activate(net, scope,
                             block_reparam_conv(net, scope, x, shape), reduced);
    Feature same = {0};
    if (shape.out_channels == x.channels && shape.stride == 1)
        same = block_batch_norm(net, scope_child(net, scope, "identity"), x);
    Feature small =
        block_conv_bn(net, scope_child(net, scope, "conv_1x1"), x, point);
    Feature sum =
        block_conv_bn(net, scope_child(net, scope, "conv_kxk"), x, shape);
    sum = block_residual(net, scope, small, sum, NULL);
    if (same.value)
        sum = block_residual(net, scope, sum, same, NULL);
    return byob_activate(net, scope, sum, reduced);
}

static int build(Net *net, const void *description)
{
    const RepVgg *vgg = description;
    int64_t widths[1 + BYOB_STAGES];
    TRY(byob_widths(net, vgg->stem, vgg->widths, widths));
    Scope stem = scope_child(net, scope_root(), "stem");
    Feature x = block(net, stem, net_input(net, "image", 3), vgg,
                      (ConvShape){widths[0], 1, 3, 2});
    for (int i = 0; i < BYOB_STAGES; i++)
        for (int k = 0; k < vgg->depths[i]; k++) {
            int groups = k % 2 == 1 && vgg->groups > 0 ? vgg->groups : 1;
            if (widths[i + 1] % groups != 0)
                return net_bad_width(net, i + 1, widths[i + 1],
                                     arena_printf(net->arena,
                                                  "which is no multiple of %d",
                                                  groups));
            x = block(net, byob_block_scope(net, i, k), x, vgg,
                      (ConvShape){widths[i + 1], groups, 3, k == 0 ? 2 : 1});
        }
    byob_head(net, x);
    return 0;
}

static bool measure(const Keys *keys, void *description)
{
    RepVgg *vgg = description;
    if (!byob_measure(keys, "conv_kxk.conv", &vgg->stem, vgg->widths,
                      vgg->depths))
        return false;
    for (int i = 0; i < BYOB_STAGES; i++) {
        const int64_t *second = keys_kernel(
            keys, arena_printf(keys->arena, "stages.%d.1", i), "conv_kxk.conv");
        if (second && second[1] < vgg->widths[i])
            vgg->groups = vgg->widths[i] / (int)second[1];
    }
    vgg->squeeze = keys_dims(keys, 1, "stem.attn.fc1.bias") != NULL;
    return true;
}

const Architecture repvgg = {
    .name = "RepVGG",
    .size = 224,
    .spellings = byob_spellings,
    .measure = measure,
    .description_size = sizeof(RepVgg),
    .build = build,
    .classifier = byob_classifier,
};
