#!/usr/bin/env python3
"""Small networks with the habits of real exporters.

    habits.py FOLDER

Writes NAME.onnx, NAME.in.npy, and NAME.out.npy, which is onnxruntime's output
in float32. Weights are random, with a fixed seed.

detector    as Paddle's text detectors: opset 11, sizes of -1, hard swish in
            five nodes, squeeze and excite, nearest Resize with an empty roi,
            ConstantOfShape by the batch, ConvTranspose
recogniser  as Paddle's text recognisers: opset 12, height fixed, LayerNorm in
            nodes, attention with shapes from Shape, Slice and Concat
heads       as ultralytics': opset 13, everything dynamic, Split and Concat,
            anchors from Range and Expand, distances by Softmax and Conv, the
            best boxes by TopK and GatherND
neck        as torch exports a detector that is not fused: opset 16, a RepConv,
            scales of Upsample joined from two constants, a deformable read by
            GridSample; the first nodes come last, as float16 converters append
            their Casts
"""
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper


class Net:
    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.nodes = []
        self.weights = []
        self.count = 0

    def name(self, text):
        self.count += 1
        return f"{text}_{self.count}.tmp"

    def add(self, op, inputs, outputs=1, **attributes):
        names = [self.name(op.lower()) for _ in range(outputs)]
        self.nodes.append(helper.make_node(
            op, inputs, names, self.name("p2o." + op), **attributes))
        return names if outputs > 1 else names[0]

    def weight(self, array, as_node=False):
        name = self.name("w")
        tensor = numpy_helper.from_array(np.asarray(array), name)
        if as_node:
            self.nodes.append(helper.make_node(
                "Constant", [], [name], value=tensor))
        else:
            self.weights.append(tensor)
        return name

    def floats(self, values):
        return self.weight(np.array(values, np.float32), True)

    def ints(self, *values):
        return self.weight(np.array(values, np.int64), True)

    def normal(self, *shape):
        scale = 1 / np.sqrt(np.prod(shape[1:]) or 1)
        return self.weight(
            (scale * self.random.standard_normal(shape)).astype(np.float32))

    def conv(self, x, cin, cout, k=1, stride=1, group=1):
        return self.add(
            "Conv", [x, self.normal(cout, cin // group, k, k)],
            dilations=[1, 1], group=group, kernel_shape=[k, k],
            pads=[k // 2] * 4, strides=[stride, stride])

    def norm(self, x, channels):
        r = self.random
        parts = [r.uniform(0.5, 1.5, channels), r.standard_normal(channels),
                 r.standard_normal(channels), r.uniform(0.5, 1.5, channels)]
        return self.add("BatchNormalization",
                        [x] + [self.weight(p.astype(np.float32))
                               for p in parts], epsilon=1e-5)

    def hard_swish(self, x):
        y = self.add("Add", [x, self.floats([3])])
        y = self.add("Clip", [y, self.floats(0), self.floats(6)])
        y = self.add("Mul", [x, y])
        return self.add("Div", [y, self.floats([6])])

    def silu(self, x):
        return self.add("Mul", [x, self.add("Sigmoid", [x])])

    def excite(self, x, channels):
        y = self.add("GlobalAveragePool", [x])
        y = self.add("Relu", [self.conv(y, channels, 4)])
        y = self.conv(y, 4, channels)
        y = self.add("HardSigmoid", [y], alpha=0.2, beta=0.5)
        return self.add("Mul", [x, y])

    def size(self, x, axis):
        """One entry of the shape, as Paddle takes it."""
        y = self.add("Shape", [x])
        y = self.add("Slice", [y, self.ints(axis), self.ints(axis + 1),
                               self.ints(0)])
        y = self.add("Cast", [y], to=TensorProto.INT32)
        return self.add("Cast", [y], to=TensorProto.INT64)

    def model(self, shape, outputs, opset):
        inputs = [helper.make_tensor_value_info(
            "x", TensorProto.FLOAT, shape)]
        graph = helper.make_graph(
            self.nodes, "network", inputs,
            [helper.make_tensor_value_info(name, kind, dims)
             for name, kind, dims in outputs], self.weights)
        return helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", opset)],
            producer_name="habits", ir_version=7)


def detector():
    net = Net(1)
    stem = net.hard_swish(net.norm(net.conv("x", 3, 8, 3, 2), 8))
    low = net.norm(net.conv(stem, 8, 8, 3, 2, 8), 8)
    low = net.hard_swish(net.norm(net.conv(low, 8, 16), 16))
    low = net.excite(low, 16)
    up = net.add("Resize", [low, net.floats([]), net.floats([1, 1, 2, 2])],
                 coordinate_transformation_mode="asymmetric", mode="nearest",
                 nearest_mode="floor")
    y = net.add("Concat", [up, stem], axis=1)
    y = net.add("Relu", [net.norm(net.conv(y, 24, 8, 3), 8)])
    shape = net.add("Concat", [net.size(y, 0), net.ints(8), net.ints(1),
                               net.ints(1)], axis=0)
    filled = net.add("ConstantOfShape", [shape],
                     value=helper.make_tensor("v", TensorProto.FLOAT, [1],
                                              [0.25]))
    y = net.add("Add", [y, filled])
    y = net.add("ConvTranspose", [y, net.normal(8, 4, 2, 2)],
                kernel_shape=[2, 2], strides=[2, 2])
    y = net.add("Sigmoid", [net.conv(y, 4, 1)])
    return (net.model([-1, 3, -1, -1], [(y, TensorProto.FLOAT,
                                         [-1, 1, -1, -1])], 11),
            (2, 3, 32, 48))


def layer_norm(net, x, width):
    mean = net.add("ReduceMean", [x], axes=[-1], keepdims=1)
    apart = net.add("Sub", [x, mean])
    square = net.add("Pow", [apart, net.floats([2])])
    square = net.add("ReduceMean", [square], axes=[-1], keepdims=1)
    root = net.add("Sqrt", [net.add("Add", [square, net.floats([1e-5])])])
    y = net.add("Div", [apart, root])
    y = net.add("Mul", [y, net.weight(np.float32(
        net.random.uniform(0.5, 1.5, width)))])
    return net.add("Add", [y, net.weight(np.float32(
        net.random.standard_normal(width)))])


def recogniser():
    net = Net(2)
    y = net.hard_swish(net.norm(net.conv("x", 3, 16, 3, 2), 16))
    y = net.norm(net.conv(y, 16, 16, 3, 2, 16), 16)
    y = net.add("AveragePool", [y], kernel_shape=[12, 2], strides=[12, 2])
    y = net.add("Squeeze", [y], axes=[2])
    y = net.add("Transpose", [y], perm=[0, 2, 1])
    z = layer_norm(net, y, 16)
    z = net.add("Add", [net.add("MatMul", [z, net.normal(16, 48)]),
                        net.weight(np.zeros(48, np.float32))])
    shape = net.add("Concat", [net.size(z, 0), net.size(z, 1), net.ints(3),
                               net.ints(2), net.ints(8)], axis=0)
    z = net.add("Transpose", [net.add("Reshape", [z, shape])],
                perm=[2, 0, 3, 1, 4])
    parts = []
    for i in range(3):
        part = net.add("Slice", [z, net.ints(i), net.ints(i + 1), net.ints(0)])
        parts.append(net.add("Squeeze", [part], axes=[0]))
    scores = net.add("MatMul", [
        net.add("Mul", [parts[0], net.floats([8 ** -0.5])]),
        net.add("Transpose", [parts[1]], perm=[0, 1, 3, 2])])
    scores = net.add("Softmax", [scores], axis=-1)
    z = net.add("Transpose", [net.add("MatMul", [scores, parts[2]])],
                perm=[0, 2, 1, 3])
    z = net.add("Reshape", [z, net.ints(0, -1, 16)])
    y = net.add("Add", [y, z])
    y = net.add("Add", [net.add("MatMul", [y, net.normal(16, 11)]),
                        net.normal(11)])
    y = net.add("Softmax", [y], axis=2)
    return (net.model([-1, 3, 48, -1], [(y, TensorProto.FLOAT, [-1, -1, 11])],
                      12), (2, 3, 48, 64))


def anchors(net, x):
    """[1, 2, H W]: the centres of the cells of a map."""
    sizes = []
    for axis in (2, 3):
        size = net.add("Gather", [net.add("Shape", [x]),
                                  net.weight(np.int64(axis), True)], axis=0)
        sizes.append(size)
    lines = [net.add("Cast", [net.add("Range", [
        net.weight(np.int64(0), True), size, net.weight(np.int64(1), True)])],
        to=TensorProto.FLOAT) for size in sizes]
    lines = [net.add("Add", [line, net.floats(0.5)]) for line in lines]
    one = [net.add("Unsqueeze", [size, net.ints(0)]) for size in sizes]
    both = net.add("Concat", one, axis=0)
    grids = [
        net.add("Expand", [net.add("Reshape", [lines[1], net.ints(1, -1)]),
                           both]),
        net.add("Expand", [net.add("Reshape", [lines[0], net.ints(-1, 1)]),
                           both])]
    flat = [net.add("Reshape", [grid, net.ints(1, 1, -1)]) for grid in grids]
    return net.add("Concat", flat, axis=1)


def heads():
    net = Net(3)
    y = net.silu(net.norm(net.conv("x", 3, 16, 3, 2), 16))
    first, second = net.add("Split", [y, net.ints(8, 8)], 2, axis=1)
    inner = net.silu(net.norm(net.conv(second, 8, 8, 3), 8))
    inner = net.add("Add", [second, inner])
    y = net.add("Concat", [first, second, inner], axis=1)
    y = net.silu(net.norm(net.conv(y, 24, 16), 16))
    pool = [y]
    for _ in range(3):
        pool.append(net.add("MaxPool", [pool[-1]], kernel_shape=[5, 5],
                            pads=[2, 2, 2, 2], strides=[1, 1]))
    deep = net.silu(net.norm(net.conv(
        net.add("Concat", pool, axis=1), 64, 16, 1, 2), 16))
    maps = [y, net.add("Resize", [deep, "", net.floats([1, 1, 2, 2])],
                       coordinate_transformation_mode="asymmetric",
                       mode="nearest", nearest_mode="floor")]
    y = net.add("Concat", maps, axis=1)
    raw = net.conv(y, 32, 4 * 4 + 3)
    flat = net.add("Reshape", [raw, net.ints(0, 19, -1)])
    boxes, scores = net.add("Split", [flat, net.ints(16, 3)], 2, axis=1)
    spread = net.add("Reshape", [boxes, net.ints(0, 4, 4, -1)])
    spread = net.add("Transpose", [spread], perm=[0, 2, 1, 3])
    spread = net.add("Softmax", [spread], axis=1)
    bins = net.weight(np.arange(4, dtype=np.float32).reshape(1, 4, 1, 1))
    apart = net.add("Reshape", [net.add("Conv", [spread, bins]),
                                net.ints(0, 4, -1)])
    left, right = net.add("Split", [apart, net.ints(2, 2)], 2, axis=1)
    centres = anchors(net, raw)
    low = net.add("Sub", [centres, left])
    high = net.add("Add", [centres, right])
    middle = net.add("Div", [net.add("Add", [low, high]), net.floats(2)])
    box = net.add("Concat", [middle, net.add("Sub", [high, low])], axis=1)
    box = net.add("Mul", [box, net.floats(2)])
    box = net.add("Transpose", [box], perm=[0, 2, 1])
    best = net.add("ReduceMax", [net.add("Sigmoid", [scores])], axes=[1],
                   keepdims=0)
    values, places = net.add("TopK", [best, net.ints(5)], 2, axis=-1)
    chosen = net.add("GatherND", [
        box, net.add("Unsqueeze", [places, net.ints(-1)])], batch_dims=1)
    y = net.add("Concat", [chosen, net.add("Unsqueeze", [values,
                                                        net.ints(-1)])],
                axis=-1)
    return (net.model(["batch", 3, "height", "width"],
                      [(y, TensorProto.FLOAT, ["batch", 5, 5])], 13),
            (2, 3, 32, 48))


def neck():
    net = Net(4)
    stem = net.silu(net.norm(net.conv("x", 3, 8, 3, 2), 8))
    first = len(net.nodes)
    y = net.silu(net.norm(net.conv(stem, 8, 8, 3, 2), 8))
    low = net.silu(net.add("Add", [net.norm(net.conv(y, 8, 8, 3), 8),
                                   net.norm(net.conv(y, 8, 8), 8)]))
    scales = net.add("Concat", [net.floats([1, 1]), net.floats([2, 2])], axis=0)
    up = net.add("Resize", [low, "", scales], mode="nearest",
                 coordinate_transformation_mode="asymmetric",
                 nearest_mode="floor")
    y = net.add("Concat", [up, stem], axis=1)
    y = net.silu(net.norm(net.conv(y, 16, 8, 3), 8))
    grid = net.add("Tanh", [net.conv(y, 8, 2, 3, 2)])
    grid = net.add("Transpose", [grid], perm=[0, 2, 3, 1])
    y = net.add("GridSample", [low, grid], mode="bilinear",
                padding_mode="zeros", align_corners=0)
    net.nodes = net.nodes[first:] + net.nodes[:first]
    return (net.model(["batch", 3, "height", "width"],
                      [(y, TensorProto.FLOAT, ["batch", 8, "h", "w"])], 16),
            (2, 3, 32, 48))


def main():
    folder = pathlib.Path(sys.argv[1])
    for make in (detector, recogniser, heads, neck):
        model, shape = make()
        path = folder / f"{make.__name__}.onnx"
        onnx.save(model, path)
        x = np.random.default_rng(9).uniform(-1, 1, shape).astype(np.float16)
        session = onnxruntime.InferenceSession(
            str(path), providers=["CPUExecutionProvider"])
        y = session.run(None, {"x": x.astype(np.float32)})[0]
        np.save(folder / f"{make.__name__}.in.npy", x)
        np.save(folder / f"{make.__name__}.out.npy", y)


main()
