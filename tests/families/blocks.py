"""Reparameterizable blocks that timm does not have, from their papers.

Each is a small network around one kind of block: MODELS maps a name to a
function that returns (module, input shape). What a full fold leaves of each is
beside it: convolutions, BatchNormalizations, additions, multiplications.
"""
import dataclasses
import typing

import torch
import torch.nn.functional as F
from torch import nn


def conv_bn(cin, cout, k=1, stride=1, padding=None, dilation=1, groups=1):
    if padding is None:
        padding = dilation * (k // 2)
    return nn.Sequential(
        nn.Conv2d(cin, cout, k, stride, padding, dilation, groups, bias=False),
        nn.BatchNorm2d(cout))


# ------------------------------------------- Diverse Branch Block, CVPR 2021

class BNAndPad(nn.Module):
    """BatchNorm, then a border of what BatchNorm makes of zero."""

    def __init__(self, channels, pad):
        super().__init__()
        self.bn = nn.BatchNorm2d(channels)
        self.pad = pad

    def forward(self, x):
        y = self.bn(x)
        scale = self.bn.weight / torch.sqrt(self.bn.running_var + self.bn.eps)
        border = (self.bn.bias - self.bn.running_mean * scale).view(1, -1, 1, 1)
        p = self.pad
        y = F.pad(y, [p] * 4)
        y[:, :, 0:p, :] = border
        y[:, :, -p:, :] = border
        y[:, :, :, 0:p] = border
        y[:, :, :, -p:] = border
        return y


class IdentityPlus1x1(nn.Module):
    """A 1x1 convolution whose kernel is added to that of the identity."""

    def __init__(self, channels, groups=1):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 1, groups=groups, bias=False)
        rows = channels // groups
        eye = torch.zeros(channels, rows, 1, 1)
        for i in range(channels):
            eye[i, i % rows] = 1
        self.register_buffer('eye', eye)
        self.groups = groups

    def forward(self, x):
        return F.conv2d(x, self.conv.weight + self.eye, groups=self.groups)


class DiverseBranch(nn.Module):
    """k x k, 1x1, 1x1 - k x k and 1x1 - average, added up."""

    def __init__(self, cin, cout, k=3, stride=1, groups=1):
        super().__init__()
        p = k // 2
        self.origin = conv_bn(cin, cout, k, stride, p, groups=groups)
        self.point = conv_bn(cin, cout, 1, stride, 0, groups=groups)
        self.average = nn.Sequential(
            nn.Conv2d(cin, cout, 1, groups=groups, bias=False),
            BNAndPad(cout, p), nn.AvgPool2d(k, stride, 0), nn.BatchNorm2d(cout))
        first = (IdentityPlus1x1(cin, groups) if cin == cout else
                 nn.Conv2d(cin, cin, 1, groups=groups, bias=False))
        self.two = nn.Sequential(
            first, BNAndPad(cin, p),
            nn.Conv2d(cin, cout, k, stride, 0, groups=groups, bias=False),
            nn.BatchNorm2d(cout))

    def forward(self, x):
        return F.relu(self.origin(x) + self.point(x) + self.average(x) +
                      self.two(x))


# ------------------------------------- Asymmetric Convolution Block, ICCV 2019

class Asymmetric(nn.Module):
    """3x3, 3x1 and 1x3; the bars reach beyond a smaller padding by a crop."""

    def __init__(self, cin, cout, padding=1, stride=1):
        super().__init__()
        d = padding - 1
        self.square = conv_bn(cin, cout, 3, stride, padding)
        self.crops = d < 0
        over = max(d, 0)
        self.tall = nn.Sequential(
            nn.Conv2d(cin, cout, (3, 1), stride, (padding, over), bias=False),
            nn.BatchNorm2d(cout))
        self.wide = nn.Sequential(
            nn.Conv2d(cin, cout, (1, 3), stride, (over, padding), bias=False),
            nn.BatchNorm2d(cout))

    def forward(self, x):
        tall, wide = x, x
        if self.crops:
            tall, wide = x[:, :, :, 1:-1], x[:, :, 1:-1]
        return F.relu(self.square(x) + self.tall(tall) + self.wide(wide))


# ------------------------- dilated re-parameterization of UniRepLKNet, CVPR 2024

class DilatedReparam(nn.Module):
    """A large depthwise kernel and dilated small ones that fit inside it."""

    BRANCHES = {13: ((5, 1), (7, 2), (3, 3), (3, 4), (3, 5)),
                9: ((5, 1), (5, 2), (3, 3), (3, 4)),
                7: ((5, 1), (3, 2), (3, 3))}

    def __init__(self, channels, k=13):
        super().__init__()
        self.large = conv_bn(channels, channels, k, groups=channels)
        self.small = nn.ModuleList(
            conv_bn(channels, channels, n, dilation=d, groups=channels)
            for n, d in self.BRANCHES[k])

    def forward(self, x):
        y = self.large(x)
        for branch in self.small:
            y = y + branch(x)
        return F.relu(y)


# ----------------------------------------------------- QARepVGG, AAAI 2024

class QARepVGG(nn.Module):
    """RepVGG with BatchNorm on the 3x3 and after the sum only."""

    def __init__(self, cin, cout, stride=1, groups=1):
        super().__init__()
        self.dense = conv_bn(cin, cout, 3, stride, groups=groups)
        self.point = nn.Conv2d(cin, cout, 1, stride, groups=groups, bias=False)
        self.identity = cin == cout and stride == 1
        self.bn = nn.BatchNorm2d(cout)

    def forward(self, x):
        y = self.dense(x) + self.point(x)
        if self.identity:
            y = y + x
        return F.relu(self.bn(y))


# ------------------------------------------------------------ YOLOv6, v7, v9

class RepConv(nn.Module):
    """YOLOv7's: 3x3 and 1x1, grouped, identity as a BatchNorm, SiLU."""

    def __init__(self, cin, cout, stride=1, groups=1):
        super().__init__()
        self.dense = conv_bn(cin, cout, 3, stride, groups=groups)
        self.point = conv_bn(cin, cout, 1, stride, 0, groups=groups)
        self.identity = (nn.BatchNorm2d(cin)
                         if cin == cout and stride == 1 else None)

    def forward(self, x):
        extra = self.identity(x) if self.identity is not None else 0
        return F.silu(self.dense(x) + self.point(x) + extra)


class Implicit(nn.Module):
    """YOLOR's implicit knowledge at a detection head: add, 1x1, multiply."""

    def __init__(self, cin, cout):
        super().__init__()
        self.add = nn.Parameter(torch.zeros(1, cin, 1, 1))
        self.conv = nn.Conv2d(cin, cout, 1)
        self.mul = nn.Parameter(torch.ones(1, cout, 1, 1))

    def forward(self, x):
        return self.mul * self.conv(self.add + x)


# --------------------------------------------------------------- PP-LCNetV3

class LearnableAffine(nn.Module):
    """One scale and one shift for the whole tensor."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.shift = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return self.scale * x + self.shift


class LearnableRep(nn.Module):
    """n k x k branches, a 1x1, an identity; affine, HardSwish, affine."""

    def __init__(self, cin, cout, k=3, stride=1, groups=1, n=4):
        super().__init__()
        self.identity = (nn.BatchNorm2d(cin)
                         if cin == cout and stride == 1 else None)
        self.point = conv_bn(cin, cout, 1, stride, 0, groups=groups) if k > 1 else None
        self.kxk = nn.ModuleList(
            conv_bn(cin, cout, k, stride, groups=groups) for _ in range(n))
        self.lab = LearnableAffine()
        self.after = LearnableAffine() if stride == 1 else None

    def forward(self, x):
        y = 0
        if self.identity is not None:
            y = y + self.identity(x)
        if self.point is not None:
            y = y + self.point(x)
        for branch in self.kxk:
            y = y + branch(x)
        y = self.lab(y)
        return self.after(F.hardswish(y)) if self.after else y


# -------------------------------------------------------------- small patterns

class Decomposed(nn.Module):
    """Conv, and BatchNorm written out."""

    def __init__(self, cin, cout):
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, 3, padding=1)
        self.bn = nn.BatchNorm2d(cout)

    def forward(self, x):
        def c(t):
            return t.view(1, -1, 1, 1)
        b = self.bn
        y = (self.conv(x) - c(b.running_mean)) / torch.sqrt(c(b.running_var) + b.eps)
        return F.relu(y * c(b.weight) + c(b.bias))


class Average(nn.Module):
    """The mean of a classifier and of one taught by distillation."""

    def __init__(self, channels, classes, norm=True):
        super().__init__()
        def head():
            linear = nn.Linear(channels, classes)
            return (nn.Sequential(nn.BatchNorm1d(channels), linear)
                    if norm else linear)
        self.one, self.two = head(), head()

    def forward(self, x):
        x = x.mean((2, 3))
        return (self.one(x) + self.two(x)) / 2


class LinearNorm(nn.Module):
    """LeViT's: BatchNorm after Linear, over all tokens."""

    def __init__(self, cin, cout):
        super().__init__()
        self.linear = nn.Linear(cin, cout, bias=False)
        self.bn = nn.BatchNorm1d(cout)

    def forward(self, x):
        x = self.linear(x)
        return self.bn(x.flatten(0, 1)).reshape_as(x)


class Tokens(nn.Module):
    """Channels last, a residual feed-forward part, and back."""

    def __init__(self, channels):
        super().__init__()
        self.one = LinearNorm(channels, 2 * channels)
        self.two = LinearNorm(2 * channels, channels)

    def forward(self, x):
        b, c, h, w = x.shape
        t = x.flatten(2).transpose(1, 2)
        t = t + self.two(F.hardswish(self.one(t)))
        return t.transpose(1, 2).reshape(b, c, h, w)


class StandardizedConv(nn.Conv2d):
    """Weight standardization with a gain: all of it constant in inference."""

    def __init__(self, *args, **kw):
        super().__init__(*args, **kw)
        self.gain = nn.Parameter(torch.ones(self.out_channels, 1, 1, 1))

    def forward(self, x):
        w = self.weight
        mean = w.mean((1, 2, 3), keepdim=True)
        var = w.var((1, 2, 3), keepdim=True, unbiased=False)
        w = (w - mean) / torch.sqrt(var + 1e-6) * self.gain
        return F.conv2d(x, w, self.bias, self.stride, self.padding)


class OnlineReparam(nn.Module):
    """OREPA's: branches joined in the space of weights, not of activations."""

    def __init__(self, cin, cout):
        super().__init__()
        self.origin = nn.Parameter(torch.zeros(cout, cin, 3, 3))
        self.point = nn.Parameter(torch.zeros(cout, cin, 1, 1))
        self.inner = nn.Parameter(torch.zeros(2 * cin, cin, 1, 1))
        self.outer = nn.Parameter(torch.zeros(cout, 2 * cin, 3, 3))
        self.prior = nn.Parameter(torch.zeros(3, cout))
        self.register_buffer('frequency', torch.cos(
            torch.arange(3.).view(3, 1) * (torch.arange(3.) + .5) * torch.pi / 3))
        self.bn = nn.BatchNorm2d(cout)

    def weight(self):
        average = torch.einsum('oi,hw->oihw', self.point[:, :, 0, 0],
                               self.frequency @ self.frequency.T)
        two = torch.einsum('ti,othw->oihw', self.inner[:, :, 0, 0], self.outer)
        terms = (self.origin, average, two)
        return sum(torch.einsum('oihw,o->oihw', t, self.prior[i])
                   for i, t in enumerate(terms))

    def forward(self, x):
        return F.relu(self.bn(F.conv2d(x, self.weight(), padding=1)))


class NormBefore(nn.Module):
    """BatchNorm before convolutions without padding, and before two at once."""

    def __init__(self, channels):
        super().__init__()
        self.bn = nn.BatchNorm2d(channels)
        self.one = nn.Conv2d(channels, channels, 3)
        self.two = nn.Conv2d(channels, 2 * channels, 3)
        self.scale = nn.Parameter(torch.ones(2 * channels, 1, 1))
        self.last = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, x):
        x = F.relu(x)
        y = self.bn(x)
        a, b = self.one(y), self.two(y)
        return F.relu(a) * self.last(self.scale * F.relu(b))


@dataclasses.dataclass(frozen=True)
class Block:
    make: typing.Callable
    left: tuple  # Conv, BatchNormalization, Add, Mul after a full fold
    shape: tuple = (1, 4, 9, 8)


S, B = nn.Sequential, nn.BatchNorm2d
MODELS = {
    'dbb': Block(lambda: DiverseBranch(4, 4), (1, 0, 0, 0)),
    'dbb_stride': Block(lambda: DiverseBranch(4, 8, 5, 2, 2), (1, 0, 0, 0)),
    'acb': Block(
        lambda: S(Asymmetric(4, 8), Asymmetric(8, 8, 1, 2),
                  Asymmetric(8, 4, 2)),
        (3, 0, 0, 0)),
    'acb_crop': Block(lambda: S(Asymmetric(4, 8, 0)), (1, 0, 0, 0)),
    'unireplk': Block(
        lambda: S(DilatedReparam(4, 13), DilatedReparam(4, 9),
                  DilatedReparam(4, 7)),
        (3, 0, 0, 0)),
    'qarepvgg': Block(
        lambda: S(QARepVGG(4, 8, 2), QARepVGG(8, 8), QARepVGG(8, 8, groups=2)),
        (3, 0, 0, 0)),
    'repconv': Block(
        lambda: S(RepConv(4, 8, 2), RepConv(8, 8, 1, 4), RepConv(8, 8, 1, 2)),
        (3, 0, 0, 3)),
    'implicit': Block(
        lambda: S(nn.Conv2d(4, 8, 3, padding=1), nn.SiLU(), Implicit(8, 6)),
        (2, 0, 0, 1)),
    'lcnetv3': Block(
        lambda: S(LearnableRep(4, 4, 3, 1, 4), LearnableRep(4, 8, 1),
                  LearnableRep(8, 8, 5, 2, 8), LearnableRep(8, 8, 1)),
        (4, 0, 2, 2)),
    'decomposed': Block(
        lambda: S(Decomposed(4, 8), nn.Conv2d(8, 4, 1)),
        (2, 0, 0, 0)),
    'bn_bn': Block(
        lambda: S(nn.Conv2d(4, 8, 3, bias=False), B(8), B(8), nn.ReLU(),
                  B(8), B(8), nn.Conv2d(8, 4, 1)),
        (2, 0, 0, 0)),
    'norm_before': Block(
        lambda: S(nn.Conv2d(4, 4, 1), NormBefore(4)),
        (4, 0, 0, 1)),
    'two_heads': Block(
        lambda: S(nn.Conv2d(4, 8, 3), nn.ReLU(), Average(8, 5)),
        (1, 0, 0, 0)),
    'linear_norm': Block(
        lambda: S(nn.Conv2d(4, 8, 3), Tokens(8)),
        (1, 0, 3, 0)),
    'standardized': Block(
        lambda: S(StandardizedConv(4, 8, 3, padding=1), B(8), nn.ReLU(),
                  StandardizedConv(8, 4, 1)),
        (2, 0, 0, 0)),
    'orepa': Block(
        lambda: S(OnlineReparam(4, 8), OnlineReparam(8, 4)),
        (2, 0, 0, 0)),
    'transposed': Block(
        lambda: S(nn.ConvTranspose2d(4, 8, 4, 2, 1, groups=2), B(8),
                  nn.ReLU(), B(8), nn.ConvTranspose2d(8, 4, 2, 2), B(4)),
        (0, 1, 0, 0)),
}
