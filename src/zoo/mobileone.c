/* MobileOne: Vasu et al. 2022, arXiv 2206.04040. Names are timm's. */
#include "zoo/byob.h"

/* A sixteenth of the channels, to the nearest multiple of 8. */
static int64_t squeeze_channels(int64_t channels)
{
    int64_t reduced = (channels / 16 + 4) / 8 * 8;
    return reduced > 8 ? reduced : 8;
}

/* identity + scale + kxk.0 + ..., of which identity is there where the shape
 * does not change and scale where the kernel is larger than 1. The source
 * starts the sum, and takes a missing identity, as the number 0. */
static Feature branches(Net *net, Scope scope, Feature x, ConvShape shape,
                        int count)
{
    ConvShape point = shape;
    Value *sum = NULL, *same = NULL;
    Feature term = x;
    point.kernel = 1;
    if (shape.out_channels == x.channels && shape.stride == 1)
        same =
            block_batch_norm(net, scope_child(net, scope, "identity"), x).value;
    if (shape.kernel > 1)
        sum =
            block_conv_bn(net, scope_child(net, scope, "conv_scale"), x, point)
                .value;
    for (int i = 0; i < count; i++) {
        const char *name = arena_printf(net->arena, "conv_kxk.%d", i);
        term = block_conv_bn(net, scope_child(net, scope, name), x, shape);
        Value *zero =
            sum ? NULL : net_real(net, scope, net->options.type, 0, 0);
        sum = zero ? net_binary(net, scope, OP_Add, term.value, zero)
                   : net_binary(net, scope, OP_Add, sum, term.value);
    }
    if (!same)
        same = net_real(net, scope, net->options.type, 0, 0);
    term.value = net_binary(net, scope, OP_Add, sum, same);
    return term;
}

static Feature block(Net *net, Scope scope, Feature x, ConvShape shape,
                     const MobileOneNet *one, bool squeezed)
{
    int64_t reduced = squeezed ? squeeze_channels(shape.out_channels) : 0;
    x = net->options.deploy ? block_reparam_conv(net, scope, x, shape)
                            : branches(net, scope, x, shape, one->branches);
    return byob_activate(net, scope, x, reduced);
}

static Feature stage(Net *net, Feature x, const MobileOneNet *one, int number,
                     int64_t width)
{
    int pairs = one->pairs[number];
    for (int i = 0; i < pairs; i++) {
        bool squeezed = i >= pairs - one->squeezed[number];
        ConvShape depthwise = {x.channels, x.channels, 3, i == 0 ? 2 : 1};
        ConvShape pointwise = {width, 1, 1, 1};
        x = block(net, byob_block_scope(net, number, 2 * i), x, depthwise, one,
                  squeezed);
        x = block(net, byob_block_scope(net, number, 2 * i + 1), x, pointwise,
                  one, squeezed);
    }
    return x;
}

static int build(Net *net, const void *description)
{
    const MobileOneNet *one = description;
    MobileOneNet stem = {.branches = 1};
    int64_t widths[1 + BYOB_STAGES];
    TRY(byob_widths(net, one->stem, one->widths, widths));
    Feature x = block(net, scope_child(net, scope_root(), "stem"),
                      net_input(net, "image", 3),
                      (ConvShape){widths[0], 1, 3, 2}, &stem, false);
    for (int i = 0; i < BYOB_STAGES; i++)
        x = stage(net, x, one, i, widths[i + 1]);
    byob_head(net, x);
    return 0;
}

static bool measure(const Keys *keys, void *description)
{
    MobileOneNet *one = description;
    int blocks[BYOB_STAGES];
    const int64_t *second = keys_kernel(keys, "stages.0.1", "conv_kxk.0.conv");
    if (!second || second[2] != 1 ||
        !byob_measure(keys, "conv_kxk.0.conv", &one->stem, one->widths, blocks))
        return false;
    for (int i = 0; i < BYOB_STAGES; i++) {
        one->pairs[i] = (blocks[i] + 1) / 2;
        for (int k = 0; k < blocks[i]; k += 2)
            one->squeezed[i] +=
                keys_dims(keys, 1, "stages.%d.%d.attn.fc1.bias", i, k) != NULL;
    }
    one->branches = keys_depth(keys, "stages.0.0.conv_kxk.");
    if (one->branches == 0) /* they are merged */
        one->branches = UNTOLD;
    return true;
}

const Architecture mobileone = {
    .name = "MobileOne",
    .size = 224,
    .spellings = byob_spellings,
    .measure = measure,
    .description_size = sizeof(MobileOneNet),
    .build = build,
    .classifier = byob_classifier,
};
