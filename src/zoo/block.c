#include "zoo/block.h"

static Feature with_value(Feature x, Value *value)
{
    x.value = value;
    return x;
}

static void set_window(Node *node, ConvShape shape)
{
    int64_t kernel = shape.kernel, pad = kernel / 2, stride = shape.stride;
    node_set_ints(node, "dilations", (int64_t[]){1, 1}, 2);
    node_set_int(node, "group", shape.groups);
    node_set_ints(node, "kernel_shape", (int64_t[]){kernel, kernel}, 2);
    node_set_ints(node, "pads", (int64_t[]){pad, pad, pad, pad}, 4);
    node_set_ints(node, "strides", (int64_t[]){stride, stride}, 2);
}

Feature block_conv(Net *net, Scope scope, Feature x, ConvShape shape, bool bias)
{
    int64_t out = shape.out_channels, kernel = shape.kernel;
    int64_t dims[] = {out, x.channels / shape.groups, kernel, kernel};
    Value *inputs[3] = {x.value};
    inputs[1] = net_param(net, scope, "weight", 4, dims);
    if (bias)
        inputs[2] = net_param(net, scope, "bias", 1, dims);
    Node *node = net_node(net, scope, OP_Conv, inputs, bias ? 3 : 2, 1);
    set_window(node, shape);
    int64_t size = (x.size + shape.stride - 1) / shape.stride;
    return (Feature){node->outputs[0], out, size};
}

Feature block_batch_norm(Net *net, Scope scope, Feature x)
{
    static const char *const leaves[] = {"weight", "bias", "running_mean",
                                         "running_var"};
    Value *inputs[5] = {x.value};
    for (int i = 0; i < 4; i++)
        inputs[i + 1] = net_param(net, scope, leaves[i], 1, &x.channels);
    Node *node = net_node(net, scope, OP_BatchNormalization, inputs, 5, 1);
    node_set_float(node, "epsilon", 1e-5f);
    node_set_float(node, "momentum", 0.9f);
    node_set_int(node, "training_mode", 0);
    return with_value(x, node->outputs[0]);
}

Feature block_conv_bn(Net *net, Scope scope, Feature x, ConvShape shape)
{
    x = block_conv(net, scope_child(net, scope, "conv"), x, shape, false);
    return block_batch_norm(net, scope_child(net, scope, "bn"), x);
}

Feature block_reparam_conv(Net *net, Scope scope, Feature x, ConvShape shape)
{
    return block_conv(net, scope_child(net, scope, "reparam_conv"), x, shape,
                      true);
}

Feature block_relu(Net *net, Scope scope, Feature x)
{
    return with_value(x, net_unary(net, scope, OP_Relu, x.value));
}

/* 0.5 * x * (1 + erf(x / sqrt(2))), as the exporter orders it. */
Feature block_gelu(Net *net, Scope scope, Feature x)
{
    DType type = net->options.type;
    Value *root = net_real(net, scope, type, 0, 1.4142135623730951);
    Value *y = net_binary(net, scope, OP_Div, x.value, root);
    y = net_unary(net, scope, OP_Erf, y);
    Value *one = net_real(net, scope, type, 0, 1);
    y = net_binary(net, scope, OP_Add, y, one);
    y = net_binary(net, scope, OP_Mul, x.value, y);
    Value *half = net_real(net, scope, type, 0, 0.5);
    return with_value(x, net_binary(net, scope, OP_Mul, y, half));
}

Feature block_squeeze_excite(Net *net, Scope scope, Feature x, int64_t reduced)
{
    Node *mean = net_node(net, scope, OP_ReduceMean, &x.value, 1, 1);
    node_set_ints(mean, "axes", (int64_t[]){2, 3}, 2);
    node_set_int(mean, "keepdims", 1);
    Feature y = {mean->outputs[0], x.channels, 1};
    y = block_conv(net, scope_child(net, scope, "fc1"), y,
                   (ConvShape){reduced, 1, 1, 1}, true);
    y = block_relu(net, scope_child(net, scope, "act"), y);
    y = block_conv(net, scope_child(net, scope, "fc2"), y,
                   (ConvShape){x.channels, 1, 1, 1}, true);
    y.value =
        net_unary(net, scope_child(net, scope, "gate"), OP_Sigmoid, y.value);
    return with_value(x, net_binary(net, scope, OP_Mul, x.value, y.value));
}

Feature block_layer_scale(Net *net, Scope scope, Feature x)
{
    int64_t dims[] = {x.channels, 1, 1};
    Value *gamma = net_param(net, scope, "gamma", 3, dims);
    return with_value(x, net_binary(net, scope, OP_Mul, x.value, gamma));
}

Feature block_residual(Net *net, Scope scope, Feature a, Feature b,
                       const char *output)
{
    Value *terms[] = {a.value, b.value};
    Node *sum = net_node_called(net, scope, OP_Add, terms, 2, output);
    return with_value(a, sum->outputs[0]);
}

/* The sum of the branches that have one parameter a channel, or NULL where
 * there is none. The source starts that sum from the number 0; the exporter
 * drops the addition of 0 unless another branch is then added in place. */
static Value *scaled_input(Net *net, Scope scope, Feature x,
                           const MobileOne *block)
{
    ConvShape point = block->conv;
    point.kernel = 1;
    Value *sum = NULL, *scaled = NULL;
    if (block->conv.out_channels == x.channels && block->conv.stride == 1)
        sum =
            block_batch_norm(net, scope_child(net, scope, "identity"), x).value;
    if (block->conv.kernel > 1 && !block->no_scale_branch)
        scaled =
            block_conv_bn(net, scope_child(net, scope, "conv_scale"), x, point)
                .value;
    if (sum && scaled)
        return net_binary(net, scope, OP_Add, scaled, sum);
    sum = sum ? sum : scaled;
    if (!sum || block->branches == 0)
        return sum;
    Value *zero = net_real(net, scope, net->options.type, 0, 0);
    return net_binary(net, scope, OP_Add, sum, zero);
}

static Feature mobileone_branches(Net *net, Scope scope, Feature x,
                                  const MobileOne *block)
{
    Feature sum = with_value(x, scaled_input(net, scope, x, block));
    for (int i = 0; i < block->branches; i++) {
        const char *name = arena_printf(net->arena, "conv_kxk.%d", i);
        Feature term =
            block_conv_bn(net, scope_child(net, scope, name), x, block->conv);
        if (sum.value)
            term.value = net_binary(net, scope, OP_Add, sum.value, term.value);
        sum = term;
    }
    return sum;
}

Feature block_mobileone(Net *net, Scope scope, Feature x,
                        const MobileOne *block)
{
    x = net->options.deploy ? block_reparam_conv(net, scope, x, block->conv)
                            : mobileone_branches(net, scope, x, block);
    if (block->se_channels > 0)
        x = block_squeeze_excite(net, scope_child(net, scope, "se"), x,
                                 block->se_channels);
    if (block->gelu)
        x = block_gelu(net, scope_child(net, scope, "act"), x);
    return x;
}

static Feature large_kernel(Net *net, Scope scope, Feature x, ConvShape large)
{
    ConvShape small = large;
    if (net->options.deploy)
        return block_reparam_conv(net, scope, x, large);
    small.kernel = 3;
    Feature a =
        block_conv_bn(net, scope_child(net, scope, "large_conv"), x, large);
    Feature b =
        block_conv_bn(net, scope_child(net, scope, "small_conv"), x, small);
    return block_residual(net, scope, a, b, NULL);
}

Feature block_patch_embedding(Net *net, Scope scope, Feature x,
                              int64_t channels)
{
    x = large_kernel(net, scope_item(net, scope, "proj", 0), x,
                     (ConvShape){channels, x.channels, 7, 2});
    MobileOne point = {
        .conv = {channels, 1, 1, 1}, .branches = 1, .gelu = true};
    return block_mobileone(net, scope_item(net, scope, "proj", 1), x, &point);
}

Feature block_rep_mixer(Net *net, Scope scope, Feature x)
{
    MobileOne mixer = {.conv = {x.channels, x.channels, 3, 1}, .branches = 1};
    MobileOne norm = {.conv = mixer.conv, .no_scale_branch = true};
    if (net->options.deploy)
        return block_reparam_conv(net, scope, x, mixer.conv);
    Feature a =
        block_mobileone(net, scope_child(net, scope, "mixer"), x, &mixer);
    Feature b = block_mobileone(net, scope_child(net, scope, "norm"), x, &norm);
    a.value = net_binary(net, scope, OP_Sub, a.value, b.value);
    a = block_layer_scale(net, scope_child(net, scope, "layer_scale"), a);
    return block_residual(net, scope, x, a, NULL);
}

Feature block_conv_ffn(Net *net, Scope scope, Feature x, int64_t hidden)
{
    int64_t channels = x.channels;
    x = block_conv_bn(net, scope_child(net, scope, "conv"), x,
                      (ConvShape){channels, channels, 7, 1});
    x = block_conv(net, scope_child(net, scope, "fc1"), x,
                   (ConvShape){hidden, 1, 1, 1}, true);
    x = block_gelu(net, scope_child(net, scope, "act"), x);
    return block_conv(net, scope_child(net, scope, "fc2"), x,
                      (ConvShape){channels, 1, 1, 1}, true);
}

Feature block_positional_encoding(Net *net, Scope scope, Feature x, int kernel)
{
    ConvShape shape = {x.channels, x.channels, kernel, 1};
    if (net->options.deploy)
        return block_reparam_conv(net, scope, x, shape);
    Feature y =
        block_conv(net, scope_child(net, scope, "pos_enc"), x, shape, true);
    return block_residual(net, scope, y, x, NULL);
}

Value *block_classifier(Net *net, Scope scope, Feature x, int64_t classes,
                        const char *output)
{
    Scope pool = scope_child(net, scope, "global_pool");
    Value *y = net_unary(net, scope_child(net, pool, "pool"),
                         OP_GlobalAveragePool, x.value);
    Node *flatten =
        net_node(net, scope_child(net, pool, "flatten"), OP_Flatten, &y, 1, 1);
    node_set_int(flatten, "axis", 1);
    Scope fc = scope_child(net, scope, "fc");
    int64_t dims[] = {classes, x.channels};
    Value *inputs[3] = {flatten->outputs[0]};
    inputs[1] = net_param(net, fc, "weight", 2, dims);
    inputs[2] = net_param(net, fc, "bias", 1, dims);
    Node *gemm = net_node_called(net, fc, OP_Gemm, inputs, 3, output);
    node_set_float(gemm, "alpha", 1);
    node_set_float(gemm, "beta", 1);
    node_set_int(gemm, "transB", 1);
    return gemm->outputs[0];
}
