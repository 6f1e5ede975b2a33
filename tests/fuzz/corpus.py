#!/usr/bin/env python3
"""Make the seeds of the readers' fuzz targets: what torch.save and safetensors
write of a few small tensors, into corpus/.  Needs torch and safetensors."""
import argparse
import collections
import io
import os
import zipfile

import safetensors.torch
import torch

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'corpus')


def states():
    x = torch.arange(12.).reshape(3, 4)
    plain = collections.OrderedDict(a=x, b=x.t(), c=x[1], d=torch.tensor(3))
    yield 'plain', plain, 2
    yield 'parameter', {'state_dict': {'module.w': torch.nn.Parameter(x.half())}}, 4
    yield 'types', {'model': {'h': x.bfloat16(), 'd': x.double(), 'i': x.int()}}, 5
    yield 'script', {'epoch': 3, 'args': argparse.Namespace(lr=.1, s=[1, 'x']),
                     'none': None, 'model': {'w': x}, 'model_ema': {'w': x + 1}}, 3


def network():
    """A RepVGG of one channel, reparameterized."""
    shapes = {'stem': (1, 3, 3, 3)}
    shapes |= {f'stages.{i}.0': (1, 1, 3, 3) for i in range(4)}
    state = {'head.fc.weight': torch.ones(2, 1), 'head.fc.bias': torch.ones(2)}
    for name, shape in shapes.items():
        state[name + '.reparam_conv.weight'] = torch.ones(shape)
        state[name + '.reparam_conv.bias'] = torch.ones(1)
    return state


def main():
    os.makedirs(HERE, exist_ok=True)
    for name, state, protocol in states():
        f = io.BytesIO()
        torch.save(state, f, pickle_protocol=protocol)
        with zipfile.ZipFile(f) as z:
            pickle = next(n for n in z.namelist() if n.endswith('data.pkl'))
            with open(os.path.join(HERE, name + '.pickle'), 'wb') as out:
                out.write(z.read(pickle))
    _, state, _ = next(states())
    torch.save(state, os.path.join(HERE, 'zip.checkpoint'))
    torch.save(state, os.path.join(HERE, 'legacy.checkpoint'),
               _use_new_zipfile_serialization=False)
    safetensors.torch.save_file({k: v.clone().contiguous() for k, v in state.items()},
                                os.path.join(HERE, 'safetensors.checkpoint'),
                                metadata={'format': 'pt'})
    safetensors.torch.save_file(network(),
                                os.path.join(HERE, 'network.checkpoint'))


main()
