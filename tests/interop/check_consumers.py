#!/usr/bin/env python3
"""check_consumers.py REPFOLD FIXTURES: who else takes converted files.

Each converted fixture is loaded and run, on the fixture's input and in float32,
by OpenVINO, and by ncnn after pnnx has converted it, where PyPI's packages are
there; the outputs are held against those of repfold's own executor. What is
not there, or is of no use to a consumer, is said with its reason, and so is
what a consumer does not take before conversion either. Exit status 1 when
anything fails. Needs numpy and onnx.
"""
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from check_interop import distance, read_index

# Of max |y|: float32 in another order of summation, on networks of 50 and more
# layers. pnnx is told to leave float16 alone.
LIMIT = 2e-5
# Seconds for pnnx, which needs two for most.
PATIENCE = 60


def openvino_run(path, x, _):
    import openvino
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(path), 'CPU', {
        'INFERENCE_PRECISION_HINT': 'f32', 'INFERENCE_NUM_THREADS': 1})
    return [compiled({0: x})[port] for port in compiled.outputs]


def ncnn_run(path, x, scratch):
    import ncnn
    import pnnx
    stem = os.path.join(scratch, 'net')
    shutil.copy(path, stem + '.onnx')
    shape = ','.join(map(str, x.shape))
    made = subprocess.run([pnnx.EXEC_PATH, stem + '.onnx', f'inputshape=[{shape}]f32',
                           'fp16=0'], cwd=scratch, capture_output=True,
                          text=True, timeout=PATIENCE)
    if made.returncode or not os.path.exists(stem + '.ncnn.param'):
        raise RuntimeError(f'pnnx: exit {made.returncode} '
                           + made.stderr.strip().rpartition('\n')[2])
    net = ncnn.Net()
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = False
    net.opt.use_fp16_arithmetic = net.opt.use_bf16_storage = False
    if net.load_param(stem + '.ncnn.param') or net.load_model(stem + '.ncnn.bin'):
        raise RuntimeError('ncnn does not load what pnnx writes')
    extractor = net.create_extractor()
    extractor.input('in0', ncnn.Mat(x[0]).clone())
    # ncnn has no axis for the batch.
    return [np.array(extractor.extract(name)[1])[None]
            for name in sorted(net.output_names())]


CONSUMERS = (('OpenVINO', 'openvino', openvino_run), ('ncnn', 'ncnn', ncnn_run))


def reason_to_leave(name, model, x):
    kind = model.graph.input[0].type.tensor_type.elem_type
    if kind != onnx.TensorProto.FLOAT:
        return 'it is not in float32'
    if name == 'ncnn' and x.shape[0] != 1:
        return 'ncnn has no batch'
    return None


def ours(repfold, path, x, scratch, outputs):
    given = os.path.join(scratch, 'x.npy')
    np.save(given, x)
    words = [repfold, 'run', '-q', path, '--precision', 'f32', '--input',
             f'{onnx.load(path).graph.input[0].name}={given}']
    files = [os.path.join(scratch, f'y{i}.npy') for i in range(len(outputs))]
    for output, file in zip(outputs, files):
        words += ['--output', f'{output}={file}']
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    return [np.load(file) for file in files]


def attempt(run, path, x):
    """(outputs or None, why not)"""
    with tempfile.TemporaryDirectory() as scratch:
        try:
            return run(path, x, scratch), None
        except Exception as e:
            return None, str(e).strip().partition('\n')[0] or type(e).__name__


def check(run, source, path, x, expected):
    """How it went, in words; they begin with "FAILED" where it is our fault."""
    got, why = attempt(run, path, x)
    if got is None:
        if attempt(run, source, x)[0] is None:
            return f'left: it does not take the original either ({why})'
        return f'FAILED: {why}, and it takes the original'
    got = [y.reshape(z.shape) if y.size == z.size else y
           for y, z in zip(got, expected)]
    worst = distance(got, expected)
    return f'{worst:.1e}  ok' if worst <= LIMIT else f'FAILED: {worst:.1e}'


def there(consumers):
    """Those that can be asked; the others are said."""
    found = []
    for name, module, run in consumers:
        needs = [m for m in (module, *(('pnnx',) if name == 'ncnn' else ()))
                 if not importlib.util.find_spec(m)]
        if needs:
            print(f'{name} is left out, for want of PyPI\'s {" and ".join(needs)}')
        else:
            found.append((name, run))
    print('TFLite is left out: its converter, onnx2tf, needs TensorFlow')
    return found


def check_fixture(repfold, source, path, x, consumers):
    """(consumer, how it went) of each."""
    model = onnx.load(path)
    with tempfile.TemporaryDirectory() as scratch:
        expected = None
        for name, run in consumers:
            why = reason_to_leave(name, model, x)
            if why:
                yield name, f'left: {why}'
                continue
            if expected is None:
                expected = ours(repfold, path, x, scratch,
                                [y.name for y in model.graph.output])
            yield name, check(run, source, path, x, expected)


def main(repfold, fixtures):
    consumers = there(CONSUMERS)
    told = []
    with tempfile.TemporaryDirectory() as scratch:
        for fixture, (flag, _, cases) in read_index(fixtures).items():
            source = os.path.join(fixtures, fixture)
            path = os.path.join(scratch, fixture)
            subprocess.run([repfold, 'convert', '-q', source, '-o', path]
                           + ['--assume-inference'] * (flag == 'training'),
                           check=True)
            for x_name, *_ in cases:
                x = np.load(os.path.join(fixtures, x_name)).astype(np.float32)
                for name, words in check_fixture(repfold, source, path, x,
                                                 consumers):
                    told.append((name, words))
                    print(f'{fixture:47} {x_name:10} {name:9} {words}', flush=True)
    for name, _ in consumers:
        mine = [words for consumer, words in told if consumer == name]
        print(f'{name}: {sum(w.endswith("ok") for w in mine)} agree, '
              f'{sum(w.startswith("left") for w in mine)} left, '
              f'{sum(w.startswith("FAILED") for w in mine)} failed')
    sys.exit(any(words.startswith('FAILED') for _, words in told))


if __name__ == '__main__':
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
