#!/usr/bin/env python3
"""bench_repmixer.py REPFOLD DIR: RepMixer beside pooling, by image size.

The FastViT paper (Vasu and others, 2023, section 3.2.1) claims that RepMixer
in place of PoolFormer's pooling takes 25.1 % less latency at 384 pixels and
43.9 % less at 1024, on a phone.  Here are the twelve token mixers of a
PoolFormer-S12, at the sizes and widths of its four stages, with nothing between
them:

  pooling   x + scale * (AveragePool(x) - x), without its normalization
  training  x + scale * (RepMixer's branches - BatchNormalization(x))
  folded    what repfold makes of `training`

by `repfold bench` and, where it is there, in onnxruntime, all in turns; and the
bytes that the operators of each read and write, one by one.  Three figures go
into DIR.  ROUNDS, RUNS, THREADS and SIZES change what is run.  Needs numpy and
onnx.
"""
import importlib.util
import os
import statistics
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import bench_exec  # noqa: E402
import numpy as np  # noqa: E402
import onnx  # noqa: E402
import plot  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

ROUNDS = int(os.environ.get('ROUNDS', '5'))
THREADS = int(os.environ.get('THREADS', '1'))
SIZES = [int(s) for s in
         os.environ.get('SIZES', '224 256 384 512 768 1024').split()]
# Blocks, channels and what the image is divided by.
STAGES = ((2, 64, 4), (2, 128, 8), (6, 256, 16), (2, 512, 32))
KINDS = ('pooling', 'training', 'folded')


class Network:
    def __init__(self):
        self.nodes, self.weights, self.random = [], [], np.random.default_rng(1)

    def weight(self, *shape, low=.5):
        name = f'w{len(self.weights)}'
        data = self.random.uniform(low, 1, shape).astype(np.float32)
        self.weights.append(numpy_helper.from_array(data, name))
        return name

    def node(self, op, *inputs, **attributes):
        output = f'v{len(self.nodes)}'
        self.nodes.append(helper.make_node(op, inputs, [output], output,
                                           **attributes))
        return output

    def normalized(self, x, channels):
        return self.node('BatchNormalization', x,
                         *(self.weight(channels) for _ in range(4)))

    def depthwise(self, x, channels, kernel):
        pad = kernel // 2
        weight = self.weight(channels, 1, kernel, kernel, low=-1)
        return self.normalized(
            self.node('Conv', x, weight, group=channels,
                      kernel_shape=[kernel] * 2, pads=[pad] * 4), channels)

    def repmixer(self, x, channels):
        branches = self.node(
            'Add', self.depthwise(x, channels, 3), self.node(
                'Add', self.depthwise(x, channels, 1),
                self.normalized(x, channels)))
        return self.node('Sub', branches, self.normalized(x, channels))

    def pooling(self, x, _):
        pooled = self.node('AveragePool', x, kernel_shape=[3, 3],
                           pads=[1] * 4, count_include_pad=0)
        return self.node('Sub', pooled, x)


def make_model(path, kind, size):
    net, inputs, outputs = Network(), [], []
    mixer = net.pooling if kind == 'pooling' else net.repmixer
    for blocks, channels, divisor in STAGES:
        shape = [1, channels, size // divisor, size // divisor]
        x = f'x{divisor}'
        inputs.append(helper.make_tensor_value_info(x, TensorProto.FLOAT, shape))
        for _ in range(blocks):
            scaled = net.node('Mul', mixer(x, channels),
                              net.weight(channels, 1, 1))
            x = net.node('Add', x, scaled)
        outputs.append(helper.make_tensor_value_info(x, TensorProto.FLOAT, shape))
    graph = helper.make_graph(net.nodes, kind, inputs, outputs, net.weights)
    onnx.save(helper.make_model(
        graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8), path)


def traffic(path):
    """Bytes that the operators read and write, one by one."""
    graph = onnx.shape_inference.infer_shapes(onnx.load(path)).graph
    size = {t.name: 4 * int(np.prod(t.dims)) for t in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        size[value.name] = 4 * int(np.prod(
            [d.dim_value for d in value.type.tensor_type.shape.dim]))
    return sum(size[name] for node in graph.node
               for name in (*node.input, *node.output))


def make_kinds(repfold, directory, size):
    files = [os.path.join(directory, f'{kind}.{size}.onnx') for kind in KINDS]
    make_model(files[0], 'pooling', size)
    make_model(files[1], 'training', size)
    bench_exec.run(repfold, 'convert', '-q', files[1], '-o', files[2])
    return files


def measure(repfold, files):
    """{engine: [median milliseconds of each kind]}"""
    engines = {'repfold': lambda file: bench_exec.ours(
        repfold, file, THREADS, 'f32')['median_ms']}
    if importlib.util.find_spec('onnxruntime'):
        peers = {file: bench_exec.Peer(file, THREADS) for file in files}
        engines['onnxruntime'] = lambda file: peers[file].median()
    times = {engine: [[] for _ in files] for engine in engines}
    for _ in range(ROUNDS):
        for engine, run in engines.items():
            for kind, file in enumerate(files):
                times[engine][kind].append(run(file))
    return {engine: [statistics.median(t) for t in kinds]
            for engine, kinds in times.items()}


def draw(directory, name, title, unit, rows):
    path = os.path.join(directory, name + '.svg')
    plot.lines(path, title, unit, SIZES,
               {kind: [row[i] for row in rows] for i, kind in enumerate(KINDS)})
    print(f'the figure is {path}')


def main(repfold, directory):
    os.makedirs(directory, exist_ok=True)
    print('| pixels | by | pooling | training | folded | folded saves of pooling |'
          '\n|---|---|---|---|---|---|')
    figures = {}
    for size in SIZES:
        files = make_kinds(repfold, directory, size)
        rows = {f'{engine}, ms': row
                for engine, row in measure(repfold, files).items()}
        rows['traffic, MB'] = [traffic(file) / 1e6 for file in files]
        for label, row in rows.items():
            figures.setdefault(label, []).append(row)
            print(f'| {size} | {label} | '
                  + ' | '.join(f'{number:.2f}' for number in row)
                  + f' | {100 * (1 - row[2] / row[0]):.1f} % |', flush=True)
    for label, rows in figures.items():
        name, _, unit = label.partition(', ')
        draw(directory, 'repmixer.' + name, f'Twelve token mixers: {name}', unit,
             rows)


if __name__ == '__main__':
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
