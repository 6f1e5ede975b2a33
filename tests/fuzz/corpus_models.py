#!/usr/bin/env python3
"""Make the seeds of the fuzz targets of models, arrays and reports, into
corpus/.  Needs onnx, numpy and Pillow, and the built program as its argument."""
import gzip
import os
import subprocess
import sys

import numpy as np
import onnx
from PIL import Image
from onnx import helper, numpy_helper

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'corpus')
RANDOM = np.random.default_rng(1)


def weight(name, *shape, dtype=np.float32):
    values = RANDOM.uniform(.5, 1.5, shape).astype(dtype)
    return numpy_helper.from_array(values, name)


def value(name, *shape, kind=onnx.TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def norm(x, y, prefix):
    return helper.make_node('BatchNormalization',
                            [x] + [prefix + part for part in 'gbmv'], [y])


def norm_weights(prefix, channels, dtype=np.float32):
    return [weight(prefix + part, channels, dtype=dtype) for part in 'gbmv']


def save(name, nodes, inputs, outputs, weights, functions=(), domains=()):
    graph = helper.make_graph(nodes, name, inputs, outputs, weights)
    imports = [helper.make_opsetid('', 17)]
    imports += [helper.make_opsetid(domain, 1) for domain in domains]
    model = helper.make_model(graph, opset_imports=imports, ir_version=8,
                              functions=functions)
    onnx.save(model, os.path.join(HERE, name + '.onnx'))


def block():
    """A 3x3, a 1x1 and an identity branch, each normalized, and a scale."""
    nodes = [helper.make_node('Conv', ['x', 'w3'], ['c3'], pads=[1, 1, 1, 1]),
             norm('c3', 'n3', 'p'),
             helper.make_node('Conv', ['x', 'w1'], ['c1']), norm('c1', 'n1', 'q'),
             norm('x', 'n0', 'r'), helper.make_node('Add', ['n3', 'n1'], ['a']),
             helper.make_node('Add', ['a', 'n0'], ['s']),
             helper.make_node('Mul', ['s', 'g'], ['y'])]
    save('block', nodes, [value('x', 1, 2, 4, 4)], [value('y', 1, 2, 4, 4)],
         [weight('w3', 2, 2, 3, 3), weight('w1', 2, 2, 1, 1),
          weight('g', 2, 1, 1)] + norm_weights('p', 2) + norm_weights('q', 2)
         + norm_weights('r', 2))


def linear():
    nodes = [helper.make_node('Flatten', ['x'], ['f']),
             helper.make_node('Gemm', ['f', 'w', 'c'], ['l'], alpha=.5, transB=1),
             norm('l', 'n', 'p'), helper.make_node('Softmax', ['n'], ['y'])]
    save('linear', nodes, [value('x', 'batch', 2, 2)], [value('y', 'batch', 3)],
         [weight('w', 3, 4), weight('c', 3)] + norm_weights('p', 3))


def half():
    f16 = onnx.TensorProto.FLOAT16
    nodes = [helper.make_node('ConvTranspose', ['x', 'w'], ['c'],
                              strides=[2, 2], group=2), norm('c', 'y', 'p')]
    save('half', nodes, [value('x', 1, 2, 3, 3, kind=f16)],
         [value('y', 1, 2, 6, 6, kind=f16)],
         [weight('w', 2, 1, 2, 2, dtype=np.float16)]
         + norm_weights('p', 2, np.float16))


def control():
    """If inside Loop."""
    one = helper.make_graph([helper.make_node('Neg', ['a'], ['t'])], 'then', [],
                            [value('t', 2)])
    two = helper.make_graph([helper.make_node('Abs', ['a'], ['e'])], 'else', [],
                            [value('e', 2)])
    boolean = onnx.TensorProto.BOOL
    body = helper.make_graph(
        [helper.make_node('If', ['k'], ['b'], then_branch=one, else_branch=two),
         helper.make_node('Identity', ['k'], ['k2'])], 'body',
        [value('i', kind=onnx.TensorProto.INT64), value('k', kind=boolean),
         value('a', 2)], [value('k2', kind=boolean), value('b', 2)])
    save('control', [helper.make_node('Loop', ['n', '', 'x'], ['y'], body=body)],
         [value('x', 2)], [value('y', 2)],
         [numpy_helper.from_array(np.array(3), 'n')])


def function():
    body = [helper.make_node('Mul', ['a', 'a'], ['s']),
            helper.make_node('Sqrt', ['s'], ['b'])]
    made = helper.make_function('own', 'F', ['a'], ['b'], body,
                                [helper.make_opsetid('', 17)])
    save('function', [helper.make_node('F', ['x'], ['y'], domain='own')],
         [value('x', 2)], [value('y', 2)], [], [made], ['own'])


def moving():
    """Shapes that are computed."""
    int64 = lambda name, *values: numpy_helper.from_array(
        np.array(values, np.int64), name)
    nodes = [helper.make_node('Shape', ['x'], ['s']),
             helper.make_node('Gather', ['s', 'zero'], ['n']),
             helper.make_node('Concat', ['n', 'rest'], ['t'], axis=0),
             helper.make_node('Reshape', ['x', 't'], ['r']),
             helper.make_node('Pad', ['r', 'pads'], ['p']),
             helper.make_node('Slice', ['p', 'zero', 'two', 'one'], ['c']),
             helper.make_node('Resize', ['c', '', 'scales'], ['z']),
             helper.make_node('TopK', ['z', 'two'], ['y', 'k'])]
    save('moving', nodes, [value('x', 1, 2, 2, 2)], [value('y', 1, 2, 4)],
         [int64('zero', 0), int64('one', 1), int64('two', 2),
          int64('rest', 2, 4), int64('pads', 0, 0, 1, 0, 0, 1),
          weight('scales', 3)])


def arrays():
    for name, array in (('plain', np.arange(6, dtype=np.float32).reshape(2, 3)),
                        ('fortran', np.asfortranarray(np.eye(3))),
                        ('big', np.arange(4, dtype='>i8')),
                        ('scalar', np.float16(2)), ('none', np.zeros((0, 2)))):
        np.save(os.path.join(HERE, name + '.npy'), array)


def external():
    """A weight that is in another file, at an offset."""
    outside = weight('w', 2, 2, 1, 1)
    np.arange(16, dtype=np.float32).tofile(os.path.join(HERE, 'weights.data'))
    outside.ClearField('raw_data')
    outside.data_location = onnx.TensorProto.EXTERNAL
    for key, text in (('location', 'weights.data'), ('offset', '16'),
                      ('length', '16')):
        outside.external_data.add(key=key, value=text)
    nodes = [helper.make_node('Conv', ['x', 'w'], ['c']), norm('c', 'y', 'p')]
    save('external', nodes, [value('x', 1, 2, 2, 2)], [value('y', 1, 2, 2, 2)],
         [outside] + norm_weights('p', 2))


def archives():
    rows = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.savez(os.path.join(HERE, 'stored.npz'), a=rows, b=np.eye(2))
    np.savez_compressed(os.path.join(HERE, 'deflated.npz'), a=rows)
    with open(os.path.join(HERE, 'linear.onnx'), 'rb') as plain:
        packed = gzip.compress(plain.read(), mtime=0)
    with open(os.path.join(HERE, 'linear.onnx.gz'), 'wb') as file:
        file.write(packed)


def images():
    pixels = RANDOM.integers(0, 256, (5, 7, 4), np.uint8)
    for name, picture, options in (
            ('alpha.png', Image.fromarray(pixels, 'RGBA'), {}),
            ('palette.png', Image.fromarray(pixels[..., :3], 'RGB')
             .quantize(4), {}),
            ('colour.jpg', Image.fromarray(pixels[..., :3], 'RGB'),
             {'quality': 60, 'progressive': True})):
        picture.save(os.path.join(HERE, name), **options)


def report(program):
    path = os.path.join(HERE, 'block.json')
    subprocess.run([program, 'convert', '-q', 'tests/fuzz/corpus/block.onnx',
                    '-o', '/dev/null', '--json', path], check=True)


def main():
    os.makedirs(HERE, exist_ok=True)
    for make in (block, linear, half, control, function, moving, external, arrays,
                 archives, images):
        make()
    report(sys.argv[1])


main()
