"""Narrow networks of many families: every kind of block, few channels.

FastViT has its own, in ../fixtures. What a full fold leaves is beside each:
no BatchNormalization but one in xcit, which stands between an activation and a
padded convolution; as many Conv as timm's own deploy form has; and the Add and
Mul of residuals, activations, gates and attention.
"""
import functools

from torch import nn
from timm.models import (_efficientnet_builder, byobnet, coat, convnext,
                         efficientformer, efficientformer_v2, efficientnet,
                         efficientvit_msra, fastvit, ghostnet, hgnet, levit,
                         metaformer, mlp_mixer, nextvit, regnet, repghost,
                         repvit, shvit, starnet, swiftformer, tiny_vit, xcit)

from blocks import Block

CLASSES = dict(num_classes=5)


def byob(stem, blocks, **kw):
    cfg = byobnet.ByoModelCfg(
        blocks=tuple(byobnet.ByoBlockCfg(**b) for b in blocks), stem_type=stem,
        stem_chs=8, **kw)
    return byobnet.ByobNet(cfg, **CLASSES)


def repvgg(**kw):
    return byob('rep', [dict(type='rep', d=2, c=8, s=2, **kw),
                        dict(type='rep', d=2, c=16, s=2, **kw)])


def repvgg_se():
    return byob('rep', [dict(type='rep', d=2, c=8, s=2)] * 2, attn_layer='se',
                attn_kwargs=dict(rd_ratio=.5, rd_divisor=1))


def levit_like(**kw):
    return levit.LevitDistilled(
        img_size=64, embed_dim=(8, 16), key_dim=4, num_heads=(1, 2),
        depth=(1, 1), mlp_ratio=1, attn_ratio=1, **kw, **CLASSES)


def small_head(model, channels):
    """GhostNets have heads of 1280 channels, whatever their width."""
    model.conv_head = nn.Conv2d(channels, 16, 1)
    model.classifier = nn.Linear(16, 5)
    return model


def efficient_former():
    whole = efficientformer.Attention
    efficientformer.Attention = functools.partial(
        whole, resolution=8, key_dim=4, num_heads=2)
    try:
        return efficientformer.EfficientFormer(
            depths=(1, 1), embed_dims=(8, 8), mlp_ratios=2, num_vit=1,
            **CLASSES)
    finally:
        efficientformer.Attention = whole


def next_vit():
    """Widths of NextViT's stages are fixed: its blocks, without it."""
    whole = nextvit._make_divisible
    nextvit._make_divisible = lambda v, divisor: whole(v, 8)
    try:
        return nn.Sequential(
            nextvit.ConvNormAct(3, 8, 3, stride=4, norm_layer=nn.BatchNorm2d,
                                act_layer=nn.ReLU),
            nextvit.NextConvBlock(8, 8, head_dim=8, norm_layer=nn.BatchNorm2d,
                                  act_layer=nn.ReLU),
            nextvit.NextTransformerBlock(
                8, 16, drop_path=0., stride=2, sr_ratio=2, mlp_ratio=2,
                head_dim=8, mix_block_ratio=.5, norm_layer=nn.BatchNorm2d,
                act_layer=nn.ReLU),
            nn.AdaptiveAvgPool2d(1), nn.Flatten())
    finally:
        nextvit._make_divisible = whole


def mobileone(branches, **kw):
    return byob('one', [
        dict(type='one', d=2, c=8, s=2, gs=1, **kw,
             block_kwargs=dict(num_conv_branches=branches)),
        dict(type='one', d=2, c=12, s=2, gs=1,
             block_kwargs=dict(num_conv_branches=branches))])


def mci():
    """MobileCLIP's: FastViT with squeeze-and-excitation between stages and an
    activation in the large kernels."""
    return fastvit.FastVit(
        layers=(1, 1, 1, 1), embed_dims=(4, 4, 8, 32), mlp_ratios=(1,) * 4,
        se_downsamples=(False, False, True, True), lkc_use_act=True,
        token_mixers=('repmixer',) * 3 + ('attention',), cls_ratio=1,
        pos_embs=(None,) * 3 + (functools.partial(
            fastvit.RepConditionalPosEnc, spatial_shape=(7, 7)),),
        **CLASSES)


def efficient_net():
    blocks = [['ds_r1_k3_s1_e1_c8_se0.25'], ['ir_r2_k5_s2_e2_c8_se0.25']]
    return efficientnet.EfficientNet(
        _efficientnet_builder.decode_arch_def(blocks), num_features=16,
        stem_size=8, act_layer=nn.SiLU, **CLASSES)


GHOST = [[[3, 8, 8, 0, 1]], [[3, 12, 12, 0, 2]], [[5, 16, 12, .25, 1]]]


def narrow(make, left):
    return Block(make, left, (1, 3, 64, 64))


MODELS = {
    'repvgg': narrow(repvgg, (5, 0, 0, 0)),
    'repvgg_groups': narrow(lambda: repvgg(gs=4), (5, 0, 0, 0)),
    'repvgg_se': narrow(repvgg_se, (15, 0, 0, 5)),
    'mobileone': narrow(lambda: mobileone(3), (5, 0, 0, 0)),
    'mobileone_se': narrow(lambda: mobileone(
        1, attn_layer='se', attn_kwargs=dict(rd_ratio=.25, rd_divisor=1)),
        (9, 0, 0, 2)),
    'repvit': narrow(lambda: repvit.RepVit(
        embed_dim=(8, 12), depth=(1, 1), **CLASSES),
        (19, 0, 9, 12)),
    'levit': narrow(levit_like, (4, 0, 21, 3)),
    'levit_conv': narrow(lambda: levit_like(use_conv=True), (17, 0, 8, 3)),
    'ghostnetv3': narrow(lambda: small_head(
        ghostnet.GhostNet(GHOST[::2], version='v3', **CLASSES), 16),
        (17, 0, 2, 1)),
    'repghost': narrow(lambda: small_head(
        repghost.RepGhostNet(GHOST, **CLASSES), 32),
        (22, 0, 3, 1)),
    'nextvit': narrow(next_vit, (10, 0, 9, 2)),
    'efficientvit': narrow(lambda: efficientvit_msra.EfficientVitMsra(
        img_size=64, embed_dim=(8, 8), key_dim=(4, 4), depth=(1, 1),
        num_heads=(1, 1), window_size=(2, 2), kernels=(3, 3),
        down_ops=(('', 1), ('subsample', 2)), **CLASSES),
        (33, 0, 10, 3)),
    'shvit': narrow(lambda: shvit.SHViT(
        embed_dim=(8, 8, 8), partial_dim=(4, 4, 4), qk_dim=(4, 4, 4),
        depth=(1, 1, 1), types=('i', 's', 's'), **CLASSES),
        (17, 0, 5, 2)),
    'tiny_vit': narrow(lambda: tiny_vit.TinyVit(
        embed_dims=(8, 8), depths=(1, 1), num_heads=(1, 1),
        window_sizes=(4, 4), mlp_ratio=2, mbconv_expand_ratio=2, **CLASSES),
        (9, 0, 15, 16)),
    'swiftformer': narrow(lambda: swiftformer.SwiftFormer(
        layers=[2, 1], embed_dims=[8, 12], mlp_ratios=2,
        downsamples=[False, True], **CLASSES),
        (16, 0, 22, 14)),
    'hgnetv2': narrow(lambda: hgnet.HighPerfGpuNet(
        dict(stem_type='v2', stem_chs=[8, 8],
             stage1=[8, 4, 16, 1, False, False, 3, 2],
             stage2=[16, 4, 16, 1, True, True, 5, 2],
             stage3=[16, 4, 8, 1, True, False, 3, 1],
             stage4=[8, 4, 8, 1, True, False, 3, 1]),
        head_hidden_size=16, use_lab=True, **CLASSES),
        (25, 0, 8, 0)),
    'starnet': narrow(lambda: starnet.StarNet(
        base_dim=8, depths=[1, 1], mlp_ratio=2, **CLASSES),
        (13, 0, 2, 2)),
    'efficientformer': narrow(efficient_former, (5, 0, 11, 6)),
    'efficientformerv2': narrow(lambda: efficientformer_v2.EfficientFormerV2(
        depths=(1, 1), embed_dims=(8, 16), mlp_ratios=2, img_size=64, **CLASSES),
        (9, 0, 8, 12)),
    'poolformer': narrow(lambda: metaformer.MetaFormer(
        depths=(1, 1), dims=(8, 12), downsample_norm=None,
        norm_layers=metaformer.GroupNorm1, layer_scale_init_values=1e-5,
        res_scale_init_values=None, use_mlp_head=False, **CLASSES),
        (6, 0, 6, 4)),
    'mci': narrow(mci, (32, 0, 21, 33)),
    'regnet': narrow(lambda: regnet.RegNet(
        regnet.RegNetCfg(depth=4, w0=8, wa=8, wm=1.4, group_size=4, se_ratio=.25,
                         stem_width=8), **CLASSES), (25, 0, 4, 4)),
    'convnext': narrow(lambda: convnext.ConvNeXt(
        depths=(1,) * 4, dims=(4, 8, 8, 8), conv_mlp=True, **CLASSES),
        (16, 0, 8, 8)),
    'efficientnet': narrow(efficient_net, (16, 0, 2, 13)),
    'resmlp': narrow(lambda: mlp_mixer.MlpMixer(
        img_size=64, patch_size=16, num_blocks=2, embed_dim=16, mlp_ratio=2,
        block_layer=mlp_mixer.ResBlock, norm_layer=mlp_mixer.Affine,
        **CLASSES), (1, 0, 14, 10)),
    'coat': narrow(lambda: coat.CoaT(
        img_size=64, patch_size=4, embed_dims=(8,) * 4, serial_depths=(1,) * 4,
        parallel_depth=1, num_heads=8, mlp_ratios=(1,) * 4, **CLASSES),
        (33, 0, 62, 28)),
    'xcit': narrow(lambda: xcit.Xcit(
        img_size=64, embed_dim=16, depth=1, num_heads=2, mlp_ratio=1,
        cls_attn_layers=1, **CLASSES),
        (7, 1, 23, 18)),
}
