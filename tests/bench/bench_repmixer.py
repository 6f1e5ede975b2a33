#!/usr/bin/env python3
"""bench_repmixer.py REPFOLD DIR: RepMixer beside pooling, by image size.

The FastViT paper (Vasu and others, 2023, section 3.2.1 and figure 2) claims that
a MetaFormer-S12 with RepMixer in place of PoolFormer's pooling takes 25.1 % less
latency at 384 pixels and 43.9 % less at 1024, on a phone.  Here is that network,
stem to classifier, with each mixer, random weights, and BatchNormalization as
its normalization:

  pooling   x + scale * (AveragePool(x) - x), without the normalization that
            PoolFormer has there; the rest is folded by repfold
  training  x + scale * (RepMixer's branches - BatchNormalization(x)), nothing
            folded
  folded    what repfold makes of `training`

and then the twelve mixers alone, at the sizes and widths of its stages, with
nothing between them.  Both by `repfold bench` and, where it is there, in
onnxruntime, all in turns; and the bytes that the operators of each read and
write, one by one.  Six figures go into DIR.  ROUNDS, RUNS (in a round, at 256
pixels; fewer at more), THREADS and SIZES change what is run.  Needs numpy and
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
RUNS = int(os.environ.get('RUNS', '5'))
# Blocks, channels and what the image is divided by.
STAGES = ((2, 64, 4), (2, 128, 8), (6, 320, 16), (2, 512, 32))
CLASSES = 1000
KINDS = ('pooling', 'training', 'folded')


class Network:
    def __init__(self):
        self.nodes, self.weights, self.random = [], [], np.random.default_rng(1)

    def weight(self, *shape, low=.5):
        name = f'w{len(self.weights)}'
        data = self.random.uniform(low, 1, shape).astype(np.float32)
        self.weights.append(numpy_helper.from_array(data, name))
        return name

    def filters(self, *shape):
        """Such as keep the size of what they are given."""
        bound = np.sqrt(3 / np.prod(shape[1:]))
        name = f'w{len(self.weights)}'
        data = self.random.uniform(-bound, bound, shape).astype(np.float32)
        self.weights.append(numpy_helper.from_array(data, name))
        return name

    def constant(self, value):
        name = f'w{len(self.weights)}'
        self.weights.append(numpy_helper.from_array(np.float32(value), name))
        return name

    def node(self, op, *inputs, **attributes):
        output = f'v{len(self.nodes)}'
        self.nodes.append(helper.make_node(op, inputs, [output], output,
                                           **attributes))
        return output

    def normalized(self, x, channels):
        return self.node('BatchNormalization', x,
                         *(self.weight(channels) for _ in range(4)))

    def convolved(self, x, shape, stride=1, group=1):
        """A convolution that keeps the size but for its stride, with a bias
        where no BatchNormalization follows."""
        pad = shape[2] // 2
        bias = [self.weight(shape[0], low=-1)] if group == 1 else []
        return self.node('Conv', x, self.filters(*shape), *bias, group=group,
                         strides=[stride] * 2, kernel_shape=shape[2:],
                         pads=[pad] * 4)

    def depthwise(self, x, channels, kernel):
        return self.normalized(
            self.convolved(x, (channels, 1, kernel, kernel), group=channels),
            channels)

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

    def scaled_sum(self, x, y, channels):
        return self.node('Add', x, self.node('Mul', y,
                                             self.weight(channels, 1, 1)))

    def gelu(self, x):
        """As exporters write it."""
        erf = self.node('Erf', self.node('Div', x, self.constant(2 ** .5)))
        return self.node('Mul', self.node(
            'Mul', x, self.node('Add', erf, self.constant(1))),
            self.constant(.5))

    def feed_forward(self, x, channels):
        wide = 4 * channels
        y = self.convolved(self.normalized(x, channels),
                           (wide, channels, 1, 1))
        return self.convolved(self.gelu(y), (channels, wide, 1, 1))

    def mixed(self, x, kind, channels):
        mixer = self.pooling if kind == 'pooling' else self.repmixer
        return self.scaled_sum(x, mixer(x, channels), channels)


def tensor(name, *shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def save_model(path, net, inputs, outputs):
    graph = helper.make_graph(net.nodes, 'mixers', inputs, outputs, net.weights)
    onnx.save(helper.make_model(
        graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8), path)


def make_network(path, kind, size):
    net, x, before = Network(), 'image', 3
    for blocks, channels, divisor in STAGES:
        kernel, stride = (7, 4) if before == 3 else (3, 2)
        x = net.convolved(x, (channels, before, kernel, kernel), stride)
        before = channels
        for _ in range(blocks):
            x = net.mixed(x, kind, channels)
            x = net.scaled_sum(x, net.feed_forward(x, channels), channels)
    x = net.node('GlobalAveragePool', net.normalized(x, before))
    x = net.node('Gemm', net.node('Flatten', x), net.filters(before, CLASSES))
    save_model(path, net, [tensor('image', 1, 3, size, size)],
               [tensor(x, 1, CLASSES)])


def make_mixers(path, kind, size):
    net, inputs, outputs = Network(), [], []
    for blocks, channels, divisor in STAGES:
        shape = [1, channels, size // divisor, size // divisor]
        x = f'x{divisor}'
        inputs.append(tensor(x, *shape))
        for _ in range(blocks):
            x = net.mixed(x, kind, channels)
        outputs.append(tensor(x, *shape))
    save_model(path, net, inputs, outputs)


def traffic(path):
    """Bytes that the operators read and write, one by one."""
    graph = onnx.shape_inference.infer_shapes(onnx.load(path)).graph
    size = {t.name: 4 * int(np.prod(t.dims)) for t in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        size[value.name] = 4 * int(np.prod(
            [d.dim_value for d in value.type.tensor_type.shape.dim]))
    return sum(size[name] for node in graph.node
               for name in (*node.input, *node.output))


def make_kinds(repfold, stem, make, size):
    """The files of the kinds, of which pooling too is as it is deployed."""
    files = [f'{stem}.{kind}.{size}.onnx' for kind in KINDS]
    for kind, file in zip(KINDS[:2], files):
        make(file, kind, size)
    bench_exec.run(repfold, 'convert', '-q', files[1], '-o', files[2],
                   '--no-verify')
    bench_exec.run(repfold, 'convert', '-q', files[0], '--in-place',
                   '--no-verify')
    return files


def measure(repfold, files, size):
    """{engine: [milliseconds of each kind] of each round}"""
    runs = max(1, RUNS * 256 ** 2 // size ** 2)
    engines = {'repfold': lambda file: bench_exec.ours(
        repfold, file, THREADS, 'f32', runs)['median_ms']}
    if importlib.util.find_spec('onnxruntime'):
        peers = {file: bench_exec.Peer(file, THREADS) for file in files}
        engines['onnxruntime'] = lambda file: peers[file].median(runs)
    rounds = {engine: [] for engine in engines}
    for _ in range(ROUNDS):
        for engine, run in engines.items():
            rounds[engine].append([run(file) for file in files])
    return rounds


def saves(rounds):
    """Of pooling, by the median of the rounds' ratios."""
    return 100 * (1 - statistics.median(r[2] / r[0] for r in rounds))


def draw(path, title, unit, rows):
    plot.lines(path, title, unit, SIZES,
               {kind: [row[i] for row in rows] for i, kind in enumerate(KINDS)})
    print(f'the figure is {path}')


def compare(repfold, directory, what, make):
    """Prints a table and draws its figures."""
    stem = os.path.join(directory, what.replace(' ', '-'))
    print(f'\n{what}:\n\n| pixels | by | pooling | RepMixer, training |'
          ' RepMixer, folded | folded saves of pooling |\n' + '|---' * 6 + '|')
    figures = {}
    for size in SIZES:
        files = make_kinds(repfold, stem, make, size)
        by = {f'{engine}, ms': rounds
              for engine, rounds in measure(repfold, files, size).items()}
        by['traffic, MB'] = [[traffic(file) / 1e6 for file in files]]
        for label, rounds in by.items():
            row = [statistics.median(kind) for kind in zip(*rounds)]
            figures.setdefault(label, []).append(row)
            print(f'| {size} | {label} | '
                  + ' | '.join(f'{number:.2f}' for number in row)
                  + f' | {saves(rounds):.1f} % |', flush=True)
    for label, rows in figures.items():
        name, _, unit = label.partition(', ')
        draw(f'{stem}.{name}.svg', f'{what}: {name}', unit, rows)


def main(repfold, directory):
    os.makedirs(directory, exist_ok=True)
    compare(repfold, directory, 'Whole networks', make_network)
    compare(repfold, directory, 'Twelve token mixers', make_mixers)


if __name__ == '__main__':
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
