#!/usr/bin/env python3
"""What frameworks export, made here with random weights, through repfold.

    exporters.py REPFOLD FOLDER [NAME ...]

Of ultralytics, transformers, Paddle and Keras those that this Python has; as a
rule each wants an environment of its own. Every model is run, converted and
verified as real.py does it, and no BatchNormalization and no more Conv may be
left than the framework's own fusion leaves, where it has one. Exit status 1
when one fails.
"""
import importlib.util
import os
import pathlib
import shutil
import sys

import numpy as np
import onnx

import real

RANDOM = np.random.default_rng(1)
# Statistics and affine parameters as they are initialized would make of every
# normalization the identity.
RANGES = {"mean": (-0.3, 0.3), "variance": (0.3, 2), "scale": (0.4, 1.2),
          "shift": (-0.2, 0.3)}


def draw(kind, shape):
    return RANDOM.uniform(*RANGES[kind], shape).astype(np.float32)


def randomize_torch(model):
    import torch
    for module in model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            for kind, data in (("mean", module.running_mean),
                               ("variance", module.running_var),
                               ("scale", module.weight.data),
                               ("shift", module.bias.data)):
                data.copy_(torch.from_numpy(draw(kind, tuple(data.shape))))
    return model.eval()


def export_torch(model, size, path):
    import torch
    torch.onnx.export(model, (torch.rand(1, 3, size, size),), str(path),
                      dynamo=False, opset_version=17, input_names=["images"],
                      training=torch.onnx.TrainingMode.PRESERVE,
                      do_constant_folding=False)


def kernels(model):
    import torch
    return sum(isinstance(module, torch.nn.Conv2d)
               for module in model.modules())


def ultralytics(folder):
    """Unfused, against fuse(); and its own export, which fuses."""
    import torch
    os.environ["YOLO_OFFLINE"] = "true"
    os.environ["YOLO_AUTOINSTALL"] = "false"
    from ultralytics import YOLO
    # Not RT-DETR: with random weights the scores that its TopK ranks lie a few
    # units in the last place apart, and another rounding chooses other boxes.
    for name in ("yolov8n", "yolov9t", "yolov10n", "yolo11n", "yolo12n"):
        torch.manual_seed(0)
        whole = YOLO(name + ".yaml")
        model = randomize_torch(whole.model)
        for module in model.modules():
            module.export, module.format = True, "onnx"
        path = folder / f"{name}.onnx"
        export_torch(model, 64, path)
        yield path, {"Conv": kernels(whole.fuse().model)}
        for half in (False, True) if name == "yolov8n" else (False,):
            made = whole.export(format="onnx", imgsz=64, opset=17, half=half,
                                simplify=False, verbose=False)
            path = folder / f"{name}-own{'-half' * half}.onnx"
            shutil.move(made, path)
            # onnxruntime rounds to float16 after each node.
            yield path, {"rtol": 2e-3} if half else {}


def transformers(folder):
    import transformers as hub
    small = {"depths": [1, 1, 1, 1], "hidden_sizes": [16, 32, 48, 64]}
    for name, config in (
            ("ResNet", hub.ResNetConfig(**small, embedding_size=16)),
            ("RegNet", hub.RegNetConfig(**small, embedding_size=16,
                                        groups_width=8)),
            ("MobileNetV2", hub.MobileNetV2Config(depth_multiplier=0.35)),
            ("Segformer", hub.SegformerConfig(
                depths=[1, 1, 1, 1], hidden_sizes=[16, 32, 40, 64]))):
        task = ("ForSemanticSegmentation" if name == "Segformer"
                else "ForImageClassification")
        config.return_dict = False
        path = folder / f"{name}.onnx"
        export_torch(randomize_torch(getattr(hub, name + task)(config)), 64,
                     path)
        yield path, {}


def paddle(folder):
    os.environ["POLYGRAPHY_AUTOINSTALL_DEPS"] = "0"
    import paddle as pd
    from paddle.vision import models
    for name in ("resnet18", "mobilenet_v2", "mobilenet_v3_small",
                 "shufflenet_v2_x0_25"):
        model = getattr(models, name)()
        for layer in model.sublayers():
            if type(layer).__name__.startswith("BatchNorm"):
                for kind, value in (("mean", layer._mean),
                                    ("variance", layer._variance),
                                    ("scale", layer.weight),
                                    ("shift", layer.bias)):
                    value.set_value(pd.to_tensor(draw(kind, value.shape)))
        model.eval()
        for suffix, shape in (("", [1, 3, 64, 64]), ("-open", [-1, 3, -1, -1])):
            path = folder / f"{name}{suffix}"
            spec = pd.static.InputSpec(shape, "float32", "x")
            pd.onnx.export(model, str(path), input_spec=[spec],
                           opset_version=13)
            yield path.with_suffix(".onnx"), {"sizes": {"x": (1, 3, 64, 64)}}


def keras_branches(keras):
    """3x3, 1x1 and identity, dense and depthwise, and a transposed one."""
    layers = keras.layers

    def add(x, branches):
        return layers.ReLU()(layers.Add()(
            [layers.BatchNormalization()(branch(x)) for branch in branches]))

    def conv(channels, size, stride=1):
        return layers.Conv2D(channels, size, stride, "same", use_bias=False)

    def depthwise(size):
        return layers.DepthwiseConv2D(size, 1, "same", use_bias=False)

    image = keras.Input((64, 64, 3))
    x = add(image, (conv(16, 3, 2), conv(16, 1, 2)))
    x = add(x, (conv(16, 3), conv(16, 1), lambda same: same))
    x = add(x, (depthwise(3), depthwise(1), lambda same: same))
    x = layers.BatchNormalization()(layers.Conv2DTranspose(8, 2, 2)(x))
    x = layers.Dense(8)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(image, layers.BatchNormalization()(x))


def keras(folder):
    import keras as hub
    import tensorflow
    import tf2onnx
    kinds = {"moving_mean": "mean", "moving_variance": "variance",
             "gamma": "scale", "beta": "shift"}
    for name in ("branches", "MobileNetV2", "MobileNetV3Small", "ResNet50"):
        model = (keras_branches(hub) if name == "branches" else
                 getattr(hub.applications, name)(
                     input_shape=(64, 64, 3), weights=None, classes=10))
        for weight in model.weights:
            kind = kinds.get(weight.path.rpartition("/")[2])
            if kind:
                weight.assign(draw(kind, weight.shape))
        path = folder / f"{name}.onnx"
        spec = [tensorflow.TensorSpec([1, 64, 64, 3], tensorflow.float32, "x")]
        # A closure, since a model of Keras 3 itself is no tf.function.
        call = tensorflow.function(lambda x: model(x, training=False),
                                   input_signature=spec)
        tf2onnx.convert.from_function(call, input_signature=spec, opset=17,
                                      output_path=str(path))
        # The kernels after merging: three, beside a transposed one.
        yield path, {"Conv": 3} if name == "branches" else {}


def left(path, operator):
    return sum(node.op_type == operator for node in onnx.load(path).graph.node)


def check(bench, path, most):
    try:
        text = bench.check(path, most.get("sizes", {}),
                           most.get("rtol", real.RTOL))
        for operator in ("Conv", "BatchNormalization"):
            found = left(bench.folder / "deploy.onnx", operator)
            limit = most.get(operator, 0 if operator != "Conv" else found)
            if found > limit:
                raise RuntimeError(f"{found} {operator} are left, not {limit}")
            text += f", {found} {operator}"
        print(f"{path.stem}: {text}", flush=True)
        return True
    except RuntimeError as trouble:
        print(f"{path.stem}: FAILED: {trouble}", flush=True)
        return False


EXPORTERS = {"ultralytics": ultralytics, "transformers": transformers,
             "paddle2onnx": paddle, "tf2onnx": keras}


def main():
    program, folder = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    bench = real.Bench(pathlib.Path(program).resolve(), folder)
    os.chdir(folder)  # ultralytics writes where it is
    done = []
    for package, exporter in EXPORTERS.items():
        if sys.argv[3:] and package not in sys.argv[3:]:
            continue
        if not importlib.util.find_spec(package):
            print(f"{package}: left out, {sys.executable} does not have it")
            continue
        done += [check(bench, path, most) for path, most in exporter(folder)]
    print(f"{sum(done)} of {len(done)} models")
    return 0 if done and all(done) else 1


if __name__ == "__main__":
    sys.exit(main())
