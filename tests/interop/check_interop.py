#!/usr/bin/env python3
"""Does the rest of the world agree with what repfold writes?

    check_interop.py REPFOLD FIXTURE_DIR [--only PATTERN] [--keep DIR] [--fast]

Converts every fixture of FIXTURE_DIR/index.txt by `REPFOLD convert IN -o OUT`
and holds original and result against each other:

  form    onnx.checker accepts the result; inputs and outputs kept their names,
          order, types and dimensions, symbolic ones by name
  counts  Conv, BatchNormalization, Sub and Mul are those of index.txt
  again   a second conversion gives the same bytes
  ort     onnxruntime runs both on the fixture's input: bounds in LIMITS
          (float64 convolutions are not in onnxruntime)
  noise   the same on seeded noise, where a deep narrow network can be badly
          conditioned: the bound is then what onnxruntime differs from itself,
          on the original, with and without its own optimizations, if larger
  gelu    onnxruntime fuses as many activations (Gelu and its kin) in the
          result as in the original: no island was broken up
  outside one fixture with its weights in another file, written by repfold and by
          onnx: onnxruntime gives the same outputs as with the weights inside
  f64     both evaluated in float64 by onnx.reference: against each other, and
          against torch's outputs that lie beside the fixture

Differences are relative to the largest |y| of the output. One line for each
fixture and input; exit status 1 when anything failed, 2 when nothing ran.
REPFOLD may be several words; {in} and {out} in it stand for the files, so that
`'cp {in} {out}'` shows what a tool that does nothing would get.
Needs numpy, onnx and onnxruntime. --fast leaves the float64 part out.
"""
import argparse
import copy
import fnmatch
import math
import os
import shlex
import subprocess
import sys
import tempfile
from collections import Counter

import numpy as np
import onnx
import onnx.reference
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from onnx.reference.op_run import OpRun

NP = {TensorProto.FLOAT16: np.float16, TensorProto.FLOAT: np.float32,
      TensorProto.DOUBLE: np.float64}
SHORT = {TensorProto.FLOAT16: 'f16', TensorProto.FLOAT: 'f32',
         TensorProto.DOUBLE: 'f64'}

# What is also written with its weights in another file.
OUTSIDE = 'mini.ts-preserve.onnx'

# Largest relative difference allowed: between original and result in
# onnxruntime, and between the two in float64 (the cost of rounding merged
# weights once to the model's type).
LIMITS = {'f16': dict(ort=1e-2, f64=5e-3),
          'f32': dict(ort=2e-6, f64=1e-6),
          'f64': dict(ort=None, f64=1e-12)}


# ------------------------------------------------------------------ evaluation

def as_inference(model):
    """BatchNormalization and Dropout of a training export, as in inference."""
    model = copy.deepcopy(model)
    for n in model.graph.node:
        if n.op_type == 'BatchNormalization':
            for a in n.attribute:
                if a.name == 'training_mode':
                    a.i = 0
            del n.output[1:]
        elif n.op_type == 'Dropout':
            n.op_type = 'Identity'
            del n.input[1:], n.output[1:], n.attribute[:]
    return model


def promoted(model):
    """The same graph with every float16 and float32 a float64."""
    model = copy.deepcopy(model)
    floats = (TensorProto.FLOAT16, TensorProto.FLOAT)

    def tensor(t):
        if t.data_type in floats:
            t.CopyFrom(numpy_helper.from_array(
                numpy_helper.to_array(t).astype(np.float64), t.name))

    g = model.graph
    for t in g.initializer:
        tensor(t)
    for v in (*g.input, *g.output):
        if v.type.tensor_type.elem_type in floats:
            v.type.tensor_type.elem_type = TensorProto.DOUBLE
    del g.value_info[:]
    for n in g.node:
        for a in list(n.attribute):
            if a.type == onnx.AttributeProto.TENSOR:
                tensor(a.t)
            elif n.op_type == 'Cast' and a.name == 'to' and a.i in floats:
                a.i = TensorProto.DOUBLE
            elif n.op_type == 'Constant' and a.name in ('value_float', 'value_floats'):
                value = np.array(helper.get_attribute_value(a), np.float64)
                n.attribute.remove(a)
                n.attribute.append(
                    helper.make_attribute('value', numpy_helper.from_array(value)))
    return model


def session(model, optimize=True):
    options = ort.SessionOptions()
    if not optimize:
        options.graph_optimization_level = \
            ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    s = ort.InferenceSession(model.SerializeToString(), options,
                             providers=['CPUExecutionProvider'])
    return lambda x: s.run(None, {s.get_inputs()[0].name: x})


def fused_activations(model, workdir):
    """How many Gelu and its kin onnxruntime makes of the model."""
    path = os.path.join(workdir, 'fused.onnx')
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = \
        ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = path
    ort.InferenceSession(model.SerializeToString(), options,
                         providers=['CPUExecutionProvider'])
    fused = onnx.load(path)
    os.remove(path)
    return sum(n.op_type.endswith('Gelu') for n in fused.graph.node)


class Erf(OpRun):
    """onnx.reference rounds its results to float32."""
    op_domain = ''

    def _run(self, x):
        return (np.vectorize(math.erf, otypes=[np.float64])(x),)


class Gelu(OpRun):
    """The same, by way of Erf."""
    op_domain = ''

    def _run(self, x, approximate=None):
        assert approximate in (None, 'none')
        return (x * (1 + np.vectorize(math.erf, otypes=[np.float64])(x / math.sqrt(2))) / 2,)


class BatchNormalization(OpRun):
    """onnx.reference takes that of opset 9 with a momentum for training."""
    op_domain = ''

    def _run(self, x, scale, bias, mean, var, epsilon=None, momentum=None,
             spatial=None, training_mode=None):
        assert not training_mode
        shape = [1, -1] + [1] * (x.ndim - 2)
        slope = scale / np.sqrt(var + np.float64(1e-5 if epsilon is None else epsilon))
        return ((x - mean.reshape(shape)) * slope.reshape(shape) + bias.reshape(shape),)


def reference(model):
    r = onnx.reference.ReferenceEvaluator(
        promoted(model), new_ops=[Erf, Gelu, BatchNormalization])
    name = r.input_names[0]
    return lambda x: r.run(None, {name: x.astype(np.float64)})


def distance(a, b):
    """Largest relative difference over all outputs; inf unless comparable."""
    if len(a) != len(b):
        return np.inf
    worst = 0.0
    for x, y in zip(a, b):
        if x.shape != y.shape or not np.isfinite(x).all() or not np.isfinite(y).all():
            return np.inf
        x, y = x.astype(np.float64), y.astype(np.float64)
        worst = max(worst, np.abs(x - y).max() / max(np.abs(y).max(), 1e-300))
    return worst


# ----------------------------------------------------------------------- checks

def signature(values):
    return [(v.name, v.type.SerializeToString(deterministic=True)) for v in values]


def counts(model):
    c = Counter(n.op_type for n in model.graph.node)
    return [c[op] for op in ('Conv', 'BatchNormalization', 'Sub', 'Mul')]


def read_index(directory):
    """{file: (flag, counts, [(input, outputs, n, tolerance)])} in order."""
    fixtures = {}
    with open(os.path.join(directory, 'index.txt'), encoding='ascii') as f:
        for line in f:
            if line.startswith('#') or not line.strip():
                continue
            name, x, ys, n, *numbers, tolerance, flag = line.split()
            entry = fixtures.setdefault(name, (flag, [int(k) for k in numbers], []))
            entry[2].append((x, ys, int(n), float(tolerance)))
    return fixtures


class Converter:
    def __init__(self, command):
        self.words = shlex.split(command)

    def __call__(self, source, target, training):
        """Run it; what it said, if it failed."""
        if any('{in}' in w for w in self.words):
            words = [w.replace('{in}', source).replace('{out}', target)
                     for w in self.words]
        else:
            words = [*self.words, 'convert', source, '-o', target, '-q']
            if training:
                words.append('--assume-inference')
        r = subprocess.run(words, capture_output=True, text=True)
        if r.returncode != 0 or not os.path.exists(target):
            said = (r.stderr or r.stdout).strip().splitlines()
            return f'exit {r.returncode}: {said[-1] if said else "silent"}'
        return None


def check(name, entry, directory, convert, workdir, fast, report):
    """All checks of one fixture. report(input, numbers, problems) for each line."""
    flag, (conv, bn, sub, mul, imul), cases = entry
    source = os.path.join(directory, name)
    target = os.path.join(workdir, name)
    before = onnx.load(source)
    dtype = before.graph.input[0].type.tensor_type.elem_type
    short, limits = SHORT[dtype], LIMITS[SHORT[dtype]]
    training = flag == 'training'

    said = convert(source, target, training)
    if said:
        report('', {}, [said])
        return
    after = onnx.load(target)
    problems = []
    try:
        onnx.checker.check_model(after, full_check=True)
    except Exception as e:
        problems.append(f'checker: {str(e).splitlines()[0]}')
    for side in ('input', 'output'):
        a, b = (signature(getattr(m.graph, side)) for m in (before, after))
        if a != b:
            problems.append(f'{side}s changed')
    got = counts(after)
    want = f'{conv} {bn} {sub} {mul}' + (f'..{mul + imul}' if imul else '')
    if got[:3] != [conv, bn, sub] or not mul <= got[3] <= mul + imul:
        problems.append(f'counts {" ".join(map(str, got))}, not {want}')
    second = target + '.again'
    said = convert(target, second, training)
    if said:
        problems.append('second conversion: ' + said)
    else:
        with open(target, 'rb') as f, open(second, 'rb') as g:
            if f.read() != g.read():
                problems.append('second conversion differs')
        os.remove(second)

    original = as_inference(before) if training else before
    result = after
    if training and any(n.op_type == 'BatchNormalization' for n in after.graph.node):
        result = as_inference(after)
    try:
        runs = {}
        if limits['ort'] is not None:
            runs['ort'] = session(original), session(result)
            plain = session(original, optimize=False)
            was, now = (fused_activations(m, workdir) for m in (original, result))
            if now != was:
                problems.append(f'gelu: {now} fused, {was} in the original')
        if not fast or short == 'f64':
            runs['f64'] = reference(original), reference(result)
    except Exception as e:
        report('', {}, [*problems, f'load: {str(e).splitlines()[0]}'])
        return

    for x_name, ys, n, tolerance in cases:
        numbers = {'counts': got}
        given = np.load(os.path.join(directory, x_name))
        torch_says = [np.load(os.path.join(directory, f'{ys}{k}.npy')) for k in range(n)]
        noise = np.random.default_rng(1).standard_normal(given.shape)
        try:
            if 'ort' in runs:
                a, b = runs['ort']
                given_x, noise_x = (x.astype(NP[dtype]) for x in (given, noise))
                numbers['ort'] = distance(b(given_x), a(given_x))
                if not numbers['ort'] <= limits['ort']:
                    problems.append(f"ort {numbers['ort']:.1e} > {limits['ort']:.0e}")
                numbers['noise'] = distance(b(noise_x), a(noise_x))
                own = max(limits['ort'], distance(plain(noise_x), a(noise_x)))
                if not numbers['noise'] <= own:
                    problems.append(f"noise {numbers['noise']:.1e} > {own:.0e}")
            if 'f64' in runs:
                a, b = (f(given) for f in runs['f64'])
                numbers['f64'] = distance(b, a)
                numbers['torch'] = distance(a, torch_says)
                if not numbers['f64'] <= limits['f64']:
                    problems.append(f"f64 {numbers['f64']:.1e} > {limits['f64']:.0e}")
                if not numbers['torch'] <= tolerance:
                    problems.append(f"torch {numbers['torch']:.1e} > {tolerance:.0e}")
        except Exception as e:
            problems.append(f'run: {str(e).splitlines()[0]}')
        report(x_name, numbers, problems)
        problems = []


def check_outside(directory, command, workdir, report):
    """Weights in another file: onnxruntime finds them where repfold put them,
    and repfold where onnx's own writer has."""
    inside = os.path.join(directory, OUTSIDE)
    convert = Converter(command)
    outwards = Converter(command + ' convert {in} -o {out} -q --external-data always')
    plain, outside, again, saved = (
        os.path.join(workdir, f) for f in ('plain.onnx', 'out/outside.onnx',
                                           'out/again.onnx', 'saved.onnx'))
    os.makedirs(os.path.dirname(outside), exist_ok=True)
    onnx.save(onnx.load(inside), saved, save_as_external_data=True,
              location='saved.data', size_threshold=0)
    problems = [p for p in (convert(inside, plain, False),
                            outwards(inside, outside, False),
                            convert(saved, again, False)) if p]
    if problems:
        report('outside', {}, problems)
        return
    x = np.load(os.path.join(directory, 'in64.npy')).astype(np.float32)
    runs = []
    for path in (plain, outside, again):
        s = ort.InferenceSession(path, providers=['CPUExecutionProvider'])
        runs.append(s.run(None, {s.get_inputs()[0].name: x}))
        onnx.checker.check_model(path, full_check=True)
    numbers = {'ort': max(distance(runs[0], r) for r in runs[1:])}
    if numbers['ort'] != 0:
        problems.append('the same weights elsewhere give other results')
    files = [f for f in os.listdir(os.path.dirname(outside)) if f.endswith('.data')]
    if len(files) != 2:
        problems.append(f'data files: {files}')
    report('outside', numbers, problems)


def main():
    a = argparse.ArgumentParser(description='Check repfold against onnx and onnxruntime.')
    a.add_argument('repfold')
    a.add_argument('fixtures')
    a.add_argument('--only', metavar='PATTERN', default='*')
    a.add_argument('--keep', metavar='DIR', help='keep the converted files there')
    a.add_argument('--fast', action='store_true', help='no float64 evaluation')
    a = a.parse_args()

    lines = failed = 0

    def report(x_name, numbers, problems):
        nonlocal lines, failed
        lines += 1
        failed += bool(problems)
        number = lambda k: f'{numbers[k]:8.1e}' if k in numbers else '       -'
        print(f'{name:47} {x_name.removesuffix(".npy"):5} '
              f'{"/".join(map(str, numbers.get("counts", ["-"]))):13} '
              f'{number("ort")} {number("noise")} {number("f64")} {number("torch")}  '
              f'{"FAILED: " + "; ".join(problems) if problems else "ok"}', flush=True)

    print(f'{"fixture":47} {"input":5} {"C/BN/Sub/Mul":13} {"ort":>8} {"noise":>8} {"f64":>8} {"torch":>8}')
    with tempfile.TemporaryDirectory() as scratch:
        if a.keep:
            os.makedirs(a.keep, exist_ok=True)
        for name, entry in read_index(a.fixtures).items():
            if fnmatch.fnmatch(name, a.only):
                check(name, entry, a.fixtures, Converter(a.repfold), a.keep or scratch,
                      a.fast, report)
        name = OUTSIDE
        if fnmatch.fnmatch(name, a.only) and '{in}' not in a.repfold:
            check_outside(a.fixtures, a.repfold, scratch, report)
    print(f'{lines} lines, {failed} failed')
    sys.exit(2 if lines == 0 else failed > 0)


if __name__ == '__main__':
    main()
