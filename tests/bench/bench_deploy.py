#!/usr/bin/env python3
"""bench_deploy.py REPFOLD DIR: the latency of what is deployed, in onnxruntime.

The training form, what timm's reparameterize_model makes, what onnxsim makes
of the training form, and what repfold makes of it.  All four are run in turns
on one thread, so that a ratio is that of neighbours: the best of each round is
taken, in processor time, which other programs disturb least, and the median of
the ratios counts.  Models are exported into DIR where they are not there yet;
deploy.svg there is the figure.  MODELS (shell patterns), ROUNDS and RUNS (in a
round) change what is run.

Exit status 1 when repfold's is slower than the best of the others, by more than
5 % in the median and in three quarters of the rounds.
Needs torch, timm, onnx, onnxscript, onnxruntime and onnxsim.
"""
import fnmatch
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
FAMILIES = os.path.join(os.path.dirname(HERE), 'families')
sys.path[:0] = [HERE, FAMILIES]

import bench_exec  # noqa: E402
import plot  # noqa: E402
from bench_families import SIMPLIFIERS  # noqa: E402

ROUNDS = int(os.environ.get('ROUNDS', '15'))
RUNS = int(os.environ.get('RUNS', '5'))
MODELS = os.environ.get('MODELS', '*').split()
NAMES = ('fastvit_t8', 'fastvit_sa12', 'fastvit_mci0', 'mobileone_s0',
         'repvgg_a0', 'repvit_m0_9', 'ghostnetv3_100', 'hgnetv2_b0',
         'starnet_s1', 'efficientnet_b0')
FORMS = ('training', 'timm', 'onnxsim', 'repfold')
SLOWER = 1.05


def make_forms(repfold, directory, name):
    """The four files of a model."""
    train, timm, onnxsim, ours = (
        os.path.join(directory, name + suffix)
        for suffix in ('.onnx', '.reparam.onnx', '.onnxsim.onnx', '.deploy.onnx'))
    if not os.path.exists(timm):
        bench_exec.run(sys.executable, os.path.join(FAMILIES, 'export.py'),
                       directory, '--only', name)
    if not os.path.exists(onnxsim):
        subprocess.run([sys.executable, '-W', 'ignore', '-c',
                        SIMPLIFIERS['onnxsim'].format(train, onnxsim)],
                       check=True, capture_output=True)
    bench_exec.run(repfold, 'convert', '-q', train, '-o', ours)
    return train, timm, onnxsim, ours


def best(peer):
    """Milliseconds of the quickest run."""
    quickest = float('inf')
    for _ in range(RUNS):
        start = time.process_time()
        peer.session.run(None, peer.feed)
        quickest = min(quickest, time.process_time() - start)
    return 1e3 * quickest


def measure(files):
    """[milliseconds of each form] for each round."""
    peers = [bench_exec.Peer(file, 1) for file in files]
    rounds = []
    for k in range(ROUNDS):
        times = [0.] * len(peers)
        for i in range(len(peers)):
            turn = (i + k) % len(peers)
            times[turn] = best(peers[turn])
        rounds.append(times)
    return rounds


def main(repfold, directory):
    os.makedirs(directory, exist_ok=True)
    figure = {form: [] for form in FORMS}
    names = [name for name in NAMES
             if any(fnmatch.fnmatch(name, pattern) for pattern in MODELS)]
    print('| onnxruntime, 1 thread, ms | training | timm | onnxsim |'
          ' repfold | of training | of the best other |\n|---|---|---|---|---|---|---|')
    slower = []
    for name in names:
        rounds = measure(make_forms(repfold, directory, name))
        middle = [statistics.median(column) for column in zip(*rounds)]
        other = min(range(3), key=middle.__getitem__)
        to_training = statistics.median(r[3] / r[0] for r in rounds)
        to_best = sorted(r[3] / r[other] for r in rounds)
        if (statistics.median(to_best) > SLOWER
                and to_best[len(to_best) // 4] > 1):
            slower.append(name)
        for form, ms in zip(FORMS, middle):
            figure[form].append(ms / middle[0])
        print(f'| {name} | ' + ' | '.join(f'{ms:.1f}' for ms in middle)
              + f' | {to_training:.2f} | {statistics.median(to_best):.2f} |',
              flush=True)
    path = os.path.join(directory, 'deploy.svg')
    plot.bars(path, 'Latency in onnxruntime', 'of the training form', names, figure)
    print(f'the figure is {path}')
    if slower:
        raise SystemExit(f'bench_deploy: slower than another: {" ".join(slower)}')


if __name__ == '__main__':
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
