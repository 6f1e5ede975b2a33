#!/usr/bin/env python3
"""Export the training forms of many families of networks.

    export.py DIR               full-size exports into DIR, and beside each
                                NAME.onnx its NAME.reparam.onnx as timm's own
                                reparameterize_model makes it; what is there
                                already stays
    export.py --narrow          the narrow ones and the blocks, their float64
                                outputs and index.txt, beside this script
    ... --only PATTERN          only names that match (shell pattern); index.txt
                                is then left alone
    export.py --list            names only

Needs torch, timm, onnx and onnxscript from PyPI. Statistics and scales are
random, as in the other fixtures; README.md tells what the families are.
"""
import argparse
import copy
import fnmatch
import io
import math
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), 'fixtures')]

import make  # noqa: E402
import blocks  # noqa: E402
import narrow  # noqa: E402
import numpy as np  # noqa: E402
import onnx  # noqa: E402
import timm  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402

# Smallest of each family where the family has no reason for another.
FULL = (
    'fastvit_t8', 'fastvit_sa12', 'fastvit_ma36',
    'mobileone_s0', 'mobileone_s4', 'repvgg_a0', 'repvgg_b1g4', 'repvgg_d2se',
    'fastvit_mci0', 'repvit_m0_9', 'levit_128s', 'levit_conv_128s',
    'ghostnetv3_100', 'repghostnet_100', 'nextvit_small', 'efficientvit_m0',
    'shvit_s1', 'tiny_vit_5m_224', 'swiftformer_xs', 'hgnetv2_b0',
    'starnet_s1', 'efficientformer_l1', 'efficientformerv2_s0',
    'poolformer_s12', 'regnety_002', 'convnext_atto', 'efficientnet_b0',
    'resmlp_12_224', 'coat_tiny', 'xcit_nano_12_p16_224',
)

SMALL = {**narrow.MODELS, **blocks.MODELS}

# Products of activations and gates turn chaotic at gains that others bear: then
# rounding alone changes everything, and nothing can be compared.
GAINS = {'starnet_s1': .2, 'starnet': .2, 'ghostnetv3_100': .5}


@torch.no_grad()
def randomize(model):
    """What make.py does, and the parameters that only other families have."""
    make.randomize(model)
    for path, m in model.named_modules():
        if isinstance(m, (nn.Conv1d, nn.Conv3d, nn.modules.conv._ConvTransposeNd)):
            bound = math.sqrt(3 / m.weight[0].numel())
            m.weight.copy_(make.draw(m.weight.shape, -bound, bound, path + '.weight'))
    for name, p in model.named_parameters():
        # Left as they were initialized, scales and shifts would hide mistakes.
        if p.numel() and p.min() == p.max():
            low, high = (.5, 1.5) if p.max() == 1 else (-.5, .9)
            if p.dim() > 1 and p.numel() > p.shape[0] and p.shape[0] > 1:
                bound = math.sqrt(3 / p[0].numel())
                low, high = -bound, bound
            p.copy_(make.draw(p.shape, low, high, name))


@torch.no_grad()
def tame(model, gain):
    for m in model.modules():
        if isinstance(m, nn.modules.batchnorm._BatchNorm):
            m.weight.mul_(gain)


def build(name):
    """(model, input shape)"""
    torch.manual_seed(make.SEED)
    if name in SMALL:
        model, shape = SMALL[name].make(), SMALL[name].shape
    else:
        model = timm.create_model(name, exportable=True)
        shape = (1, *model.default_cfg['input_size'])
    randomize(model)
    tame(model, GAINS.get(name, 1))
    return model.eval(), shape


def export(model, shape, fold=True):
    """As TorchScript exports it in training form; as dynamo does where it
    cannot."""
    x = torch.zeros(shape)
    x.uniform_(-1, 1, generator=torch.Generator().manual_seed(make.SEED))
    try:
        f = io.BytesIO()
        torch.onnx.export(copy.deepcopy(model), (x,), f, dynamo=False,
                          opset_version=17, input_names=['image'],
                          output_names=['logits'], do_constant_folding=fold,
                          training=torch.onnx.TrainingMode.PRESERVE)
        return onnx.load_from_string(f.getvalue())
    except torch.onnx.errors.OnnxExporterError:
        return torch.onnx.export(
            copy.deepcopy(model), (x,), dynamo=True, opset_version=18,
            verbose=False, optimize=False, external_data=False,
            input_names=['image'], output_names=['logits']).model_proto


def shorten(proto):
    """Names as short as they can be: TorchScript's outweigh the weights."""
    graph = proto.graph
    fixed = {v.name for v in (*graph.input, *graph.output, *graph.initializer)}
    short = {}
    for i, node in enumerate(graph.node):
        node.name = f'n{i}'
        for name in node.output:
            if name and name not in fixed:
                short[name] = f'v{len(short)}'
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [short.get(name, name) for name in names]
    del graph.value_info[:]
    return proto


def full(directory, only):
    os.makedirs(directory, exist_ok=True)
    for name in (*FULL, *blocks.MODELS):
        path = os.path.join(directory, name + '.onnx')
        if not fnmatch.fnmatch(name, only) or os.path.exists(path):
            continue
        start = time.time()
        model, shape = build(name)
        # Folded constants would be rounded, and a border must be exact.
        proto = export(model, shape, fold=name in FULL)
        if name in FULL:
            deploy = timm.utils.reparameterize_model(model)
            make.save(export(deploy, shape),
                      os.path.join(directory, name + '.reparam.onnx'))
        n = make.save(proto, path)
        print(f'{name:24} {n / 1e6:8.1f} MB {time.time() - start:6.1f} s', flush=True)


HEADER = """\
# Written by export.py. One line for each model; fields are separated by blanks:
#   model       MODEL.onnx is the training form, MODEL.npy torch's output for it
#               in float64
#   input       its input, float64 (cast it to float32: the cast is exact)
#   conv bn add mul   operators on floating-point data that a full fold leaves
#   tolerance   bound on max |y - torch| / max |torch| in float64
"""


@torch.no_grad()
def small(only):
    lines = [HEADER]
    rng = np.random.default_rng(make.SEED)
    x = rng.integers(-256, 257, (1, 4, 9, 8)) / 256
    np.save(os.path.join(HERE, 'block.npy'), x)
    for name, block in SMALL.items():
        if not fnmatch.fnmatch(name, only):
            continue
        model, shape = build(name)
        proto = shorten(export(model, shape, fold=name in narrow.MODELS))
        n = make.save(proto, os.path.join(HERE, name + '.onnx'), lean=True)
        image = x if name in blocks.MODELS else make.image('in64')
        y = model.double()(torch.from_numpy(image))
        np.save(os.path.join(HERE, name + '.npy'), y.numpy())
        where = 'families/block' if image is x else 'fixtures/in64'
        lines.append(f"{name} {where}.npy {' '.join(map(str, block.left))} 1e-6\n")
        print(f'{name:24} {n / 1e3:8.1f} KB', flush=True)
    if only == '*':
        with open(os.path.join(HERE, 'index.txt'), 'w') as f:
            f.writelines(lines)


def main():
    p = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    p.add_argument('directory', nargs='?')
    p.add_argument('--only', default='*', metavar='PATTERN')
    p.add_argument('--narrow', action='store_true')
    p.add_argument('--list', action='store_true')
    a = p.parse_args()
    if a.list:
        print(*FULL, *blocks.MODELS, sep='\n')
    elif a.narrow:
        small(a.only)
    elif a.directory:
        full(a.directory, a.only)
    else:
        p.error('no directory')


if __name__ == '__main__':
    main()
