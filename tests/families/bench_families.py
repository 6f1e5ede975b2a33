#!/usr/bin/env python3
"""What is left of each family of networks, by repfold and by other tools.

    bench_families.py REPFOLD DIR

DIR as export.py fills it. Prints a Markdown table. Exit status 1 when repfold
leaves more convolutions or BatchNormalizations of a model than timm's own
reparameterize_model does, fails, or writes a model that does not load or
computes something else; 2 when there is nothing to measure.

Needs torch, onnx, onnxruntime, onnxsim and onnxslim from PyPI.
"""
import glob
import json
import math
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime

OPS = ('Conv', 'BatchNormalization', 'Add', 'Mul')
# Larger models are verified on one sample only, to be done in half an hour.
LARGE = 40e6
SIMPLIFIERS = {
    'onnxsim': 'import onnx, onnxsim; '
               'onnx.save(onnxsim.simplify(onnx.load({0!r}))[0], {1!r})',
    'onnxslim': 'import onnx, onnxslim; '
                'onnx.save(onnxslim.slim(onnx.load({0!r})), {1!r})',
}


def counts(path):
    """Operators on real numbers: shape arithmetic adds and multiplies too."""
    graph = onnx.shape_inference.infer_shapes(onnx.load(path)).graph
    whole = {v.name for v in (*graph.value_info, *graph.output)
             if v.type.tensor_type.elem_type in (onnx.TensorProto.INT64,
                                                 onnx.TensorProto.INT32)}
    ops = [n.op_type for n in graph.node if n.output[0] not in whole]
    return [ops.count(op) for op in OPS]


def simplified(tool, source, target):
    """Counts after another tool, or None where it fails."""
    try:
        subprocess.run([sys.executable, '-W', 'ignore', '-c',
                        SIMPLIFIERS[tool].format(source, target)],
                       check=True, capture_output=True, timeout=1200)
        return counts(target)
    except (subprocess.SubprocessError, OSError):
        return None


def run(path, optimize):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = (
        levels.ORT_ENABLE_ALL if optimize else levels.ORT_DISABLE_ALL)
    session = onnxruntime.InferenceSession(path, options,
                                           providers=['CPUExecutionProvider'])
    rng = np.random.default_rng(1)
    feed = {i.name: rng.uniform(-1, 1, i.shape).astype(np.float32)
            for i in session.get_inputs()}
    return session.run(None, feed)


def difference(a, b):
    return max(float(np.abs(x.astype(np.float64) - y).max() / np.abs(x).max())
               for x, y in zip(a, b))


def convert(repfold, source, target):
    """Its verdict as (ratio to the noise floor, complaint or '')."""
    report = target + '.json'
    samples = '1' if os.path.getsize(source) > LARGE else '4'
    done = subprocess.run([repfold, 'convert', source, '-o', target, '-q',
                           '--samples', samples, '--json', report],
                          capture_output=True, text=True)
    if done.returncode:
        return None, f'exit {done.returncode}: {done.stderr.strip()}'
    with open(report) as f:
        outputs = json.load(f)['verification']['outputs']
    return max(o['ratio'] for o in outputs), ''


def measure(repfold, directory, name, scratch):
    """One row of the table: (cells, complaints)"""
    source = os.path.join(directory, name + '.onnx')
    timm = os.path.join(directory, name + '.reparam.onnx')
    target = os.path.join(scratch, 'out.onnx')
    wrong = []
    ratio, complaint = convert(repfold, source, target)
    if complaint:
        return [name] + ['-'] * 7, [complaint]
    own = counts(target)
    deploy = counts(timm) if os.path.exists(timm) else None
    for op, left, most in zip(OPS[:2], own, deploy or own):
        if left > most:
            wrong.append(f'{left} {op} left, {most} by timm')
    try:
        before = run(source, False)
        noise = difference(before, run(source, True))
        off = difference(before, run(target, False))
        # The runtime's own rounding, with room: a wrong fold is far off.
        if not off <= max(1e-5, 10 * noise):
            wrong.append(f'off by {off:.1e}, and the runtime itself by {noise:.1e}')
    except Exception as e:  # onnxruntime raises types of its own
        off = math.nan
        wrong.append(f'onnxruntime: {e}')
    others = [simplified(tool, source, os.path.join(scratch, tool + '.onnx'))
              for tool in SIMPLIFIERS]
    cells = [name] + [' / '.join(map(str, c)) if c else '-'
                      for c in (counts(source), own, deploy, *others)]
    return cells + [f'{off:.0e}', f'{ratio:.2f}'], wrong


def main():
    if len(sys.argv) != 3:
        print('usage: bench_families.py REPFOLD DIR', file=sys.stderr)
        return 2
    repfold, directory = sys.argv[1:]
    names = sorted(os.path.basename(f)[:-len('.onnx')]
                   for f in glob.glob(os.path.join(directory, '*.onnx'))
                   if not f.endswith('.reparam.onnx'))
    if not names:
        print(f'{directory}: no models; export.py makes them', file=sys.stderr)
        return 2
    heads = ['model', 'training form', 'repfold', 'timm', *SIMPLIFIERS,
             'max diff, f32', 'diff / floor, f64']
    print('Each cell: Conv / BatchNormalization / Add / Mul.\n')
    print('| ' + ' | '.join(heads) + ' |')
    print('|---' * len(heads) + '|', flush=True)
    failures = 0
    for name in names:
        with tempfile.TemporaryDirectory() as scratch:
            cells, wrong = measure(repfold, directory, name, scratch)
        print('| ' + ' | '.join(cells) + ' |', flush=True)
        for complaint in wrong:
            print(f'{name}: {complaint}', file=sys.stderr, flush=True)
        failures += bool(wrong)
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
