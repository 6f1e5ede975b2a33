#!/usr/bin/env python3
"""bench_exec.py REPFOLD DIR: the executor beside onnxruntime.

Both run the same files with the same number of threads, in turns and each time
in a process of its own: a ratio is that of two neighbours, since the machine's
speed drifts, and the median of the ratios counts.  Half of them lie where the
next column says: where that is wide, the machine was not quiet.  Then comes the
ratio of processor times, which other programs disturb least, but which count
what onnxruntime's threads spend on looking for work.  Models are generated or exported into DIR where they are not
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


def bench(repfold, file, threads, precision, runs):
    """What `bench` tells, and the processor time of the process in ms."""
    process = subprocess.Popen(
        (repfold, 'bench', '-q', file, '--runs', str(runs), '--threads',
         str(threads), '--precision', precision, '--json', '-'),
        stdout=subprocess.PIPE)
    told = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f'bench_exec: {repfold} failed')
    return json.loads(told), 1e3 * (usage.ru_utime + usage.ru_stime)


def ours(repfold, file, threads, precision, runs=RUNS):
    return bench(repfold, file, threads, precision, runs)[0]


def our_times(repfold, file, threads, precision):
    """Milliseconds of a run, by the clock and of the processor: what more runs
    take than one does, so that loading is not counted."""
    runs = max(RUNS, 2)
    _, once = bench(repfold, file, threads, precision, 1)
    told, used = bench(repfold, file, threads, precision, runs)
    return told['median_ms'], (used - once) / (runs - 1)


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

    def times(self):
        """Milliseconds of a run, by the clock and of the processor."""
        used = time.process_time()
        wall = self.median()
        return wall, 1e3 * (time.process_time() - used) / RUNS


def peer_times(file, threads):
    return json.loads(subprocess.run(
        (sys.executable, os.path.abspath(__file__), '--times', file,
         str(threads)), check=True, stdout=subprocess.PIPE).stdout)


def peak(*command):
    """The most memory that a process held, in MB. It begins as large as this
    one, which therefore must not have loaded onnxruntime yet."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f'bench_exec: {command[0]} failed')
    return usage.ru_maxrss * 1024 / 1e6


def measure_memory(repfold, name, file):
    held = ours(repfold, file, 1, 'f32')
    mine = peak(repfold, 'bench', '-q', file, '--runs', '1', '--threads', '1')
    theirs = peak(sys.executable, os.path.abspath(__file__), '--peer', file)
    print(f'{name:22} {mine:8.0f} {theirs:8.0f} {mine / theirs:6.2f}'
          f' {held["peak_bytes"] / 1e6:10.1f} {held["live_bytes"] / 1e6:6.1f}'
          f' {held["peak_bytes"] / held["live_bytes"]:6.2f}', flush=True)


def measure_time(repfold, name, file, threads):
    mine, wide, theirs = [], [], []
    for _ in range(ROUNDS):
        mine.append(our_times(repfold, file, threads, 'f32'))
        theirs.append(peer_times(file, threads))
        wide.append(our_times(repfold, file, threads, 'f64'))
    ratios = sorted(a[0] / b[0] for a, b in zip(mine, theirs))
    used = statistics.median(a[1] / b[1] for a, b in zip(mine, theirs))
    double = statistics.median(a[0] / b[0] for a, b in zip(wide, mine))
    own, peer, own64 = (statistics.median(wall for wall, _ in times)
                        for times in (mine, theirs, wide))
    low, high = (ratios[len(ratios) * k // 4] for k in (1, 3))
    print(f'{name:22} {threads:7} {own:9.2f} {peer:9.2f}'
          f' {statistics.median(ratios):6.2f} {f"{low:.2f}-{high:.2f}":>10}'
          f' {used:6.2f} {own64:9.2f} {double:6.2f}', flush=True)


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
          f' {"half":>10} {"cpu":>6}'
          f' {"f64 ms":>9} {"f64/32":>6}')
    for threads in THREADS:
        for name, file in models:
            measure_time(repfold, name, file, threads)


if __name__ == '__main__':
    if len(sys.argv) == 3 and sys.argv[1] == '--peer':
        Peer(sys.argv[2], 1)
    elif len(sys.argv) == 4 and sys.argv[1] == '--times':
        print(json.dumps(Peer(sys.argv[2], int(sys.argv[3])).times()))
    elif len(sys.argv) == 3:
        main(*sys.argv[1:])
    else:
        raise SystemExit('usage: bench_exec.py REPFOLD DIR')
