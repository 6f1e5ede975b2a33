#!/usr/bin/env python3
"""bench_exec.py REPFOLD DIR: the executor beside onnxruntime.

Both run the same files with the same number of threads, in turns: a ratio is
that of two neighbours, since the machine's speed drifts, and the median of the
ratios counts.  Models are generated or exported into DIR where they are not
there yet.  ROUNDS, RUNS (in a round), THREADS ("1 2") and MODELS (shell
patterns) change what is run.

Needs onnxruntime; mobileone_s0 and repvgg_a0 also need torch, timm, onnx and
onnxscript.
"""
import fnmatch
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
EXPORT = os.path.join(os.path.dirname(HERE), 'families', 'export.py')

ROUNDS = int(os.environ.get('ROUNDS', '7'))
RUNS = int(os.environ.get('RUNS', '5'))
THREADS = [int(t) for t in os.environ.get('THREADS', '1 2').split()]
MODELS = os.environ.get('MODELS', '*').split()

GENERATED = ('t8', 'sa12', 'ma36')
EXPORTED = ('mobileone_s0', 'repvgg_a0')


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def wanted(name):
    return any(fnmatch.fnmatch(name, pattern) for pattern in MODELS)


def make_models(repfold, directory):
    """[(name, file)] of the training and the deploy form of each model."""
    models = []
    for name in filter(wanted, GENERATED + EXPORTED):
        train = os.path.join(directory, name + '.onnx')
        deploy = os.path.join(directory, name + '.deploy.onnx')
        if not os.path.exists(train):
            if name in GENERATED:
                run(repfold, 'sample', '-q', 'fastvit_' + name, '-o', train)
            else:
                missing = [module for module in ('torch', 'timm', 'onnxscript')
                           if not importlib.util.find_spec(module)]
                if missing:
                    print(f'{name} is skipped: there is no', *missing)
                    continue
                run(sys.executable, EXPORT, directory, '--only', name)
        if not os.path.exists(deploy):
            run(repfold, 'convert', '-q', train, '-o', deploy)
        models += [(name + ' training', train), (name + ' deploy', deploy)]
    return models


def ours(repfold, file, threads, precision, runs=RUNS):
    out = subprocess.run(
        (repfold, 'bench', '-q', file, '--runs', str(runs), '--threads',
         str(threads), '--precision', precision, '--json', '-'),
        check=True, stdout=subprocess.PIPE).stdout
    return json.loads(out)


class Peer:
    """A file in onnxruntime, with all optimizations."""

    def __init__(self, file, threads):
        import numpy
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.graph_optimization_level = \
            onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session = onnxruntime.InferenceSession(
            file, options, providers=['CPUExecutionProvider'])
        random = numpy.random.default_rng(1)
        self.feed = {
            value.name: random.standard_normal(
                [d if isinstance(d, int) else 1 for d in value.shape],
                dtype=numpy.float32)
            for value in self.session.get_inputs()}
        self.session.run(None, self.feed)

    def median(self, runs=RUNS):
        times = []
        for _ in range(runs):
            start = time.perf_counter()
            self.session.run(None, self.feed)
            times.append(time.perf_counter() - start)
        time.sleep(.1)  # its threads look for work a while longer
        return 1e3 * statistics.median(times)


def peak(*command):
    """The most memory that a process held, in MB. It begins as large as this
    one, which therefore must not have loaded onnxruntime yet."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f'bench_exec: {command[0]} failed')
    return usage.ru_maxrss / 1e3


def measure_memory(repfold, name, file):
    held = ours(repfold, file, 1, 'f32')
    mine = peak(repfold, 'bench', '-q', file, '--runs', '1', '--threads', '1')
    theirs = peak(sys.executable, os.path.abspath(__file__), '--peer', file)
    print(f'{name:22} {mine:8.0f} {theirs:8.0f} {mine / theirs:6.2f}'
          f' {held["peak_bytes"] / 1e6:10.1f} {held["live_bytes"] / 1e6:6.1f}'
          f' {held["peak_bytes"] / held["live_bytes"]:6.2f}', flush=True)


def measure_time(repfold, name, file, threads):
    peer = Peer(file, threads)
    mine, wide, theirs = [], [], []
    for _ in range(ROUNDS):
        mine.append(ours(repfold, file, threads, 'f32')['median_ms'])
        theirs.append(peer.median())
        wide.append(ours(repfold, file, threads, 'f64')['median_ms'])
    ratio = statistics.median(a / b for a, b in zip(mine, theirs))
    double = statistics.median(a / b for a, b in zip(wide, mine))
    print(f'{name:22} {threads:7} {statistics.median(mine):9.2f}'
          f' {statistics.median(theirs):9.2f} {ratio:6.2f}'
          f' {statistics.median(wide):9.2f} {double:6.2f}', flush=True)


def main(repfold, directory):
    if not importlib.util.find_spec('onnxruntime'):
        raise SystemExit('bench_exec: there is no onnxruntime')
    os.makedirs(directory, exist_ok=True)
    models = make_models(repfold, directory)
    print('peak memory in MB: of a process that loads the model and runs it;'
          ' then of\na run beside the weights, and of the tensors that are alive'
          ' together\n'
          f'{"":22} {"repfold":>8} {"ort":>8} {"ratio":>6} {"beside":>10}'
          f' {"alive":>6} {"ratio":>6}')
    for name, file in models:
        measure_memory(repfold, name, file)
    print(f'\nmedian of {ROUNDS} rounds of {RUNS} runs\n'
          f'{"":22} {"threads":>7} {"f32 ms":>9} {"ort ms":>9} {"ratio":>6}'
          f' {"f64 ms":>9} {"f64/32":>6}')
    for threads in THREADS:
        for name, file in models:
            measure_time(repfold, name, file, threads)


if __name__ == '__main__':
    if len(sys.argv) == 3 and sys.argv[1] == '--peer':
        Peer(sys.argv[2], 1)
    elif len(sys.argv) == 3:
        main(*sys.argv[1:])
    else:
        raise SystemExit('usage: bench_exec.py REPFOLD DIR')
