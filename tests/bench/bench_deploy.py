#!/usr/bin/env python3
"""bench_deploy.py REPFOLD DIR: the latency of what is deployed, in onnxruntime.

The training form, what timm's reparameterize_model makes, what onnxsim makes
of the training form, and what repfold makes of it, on THREADS threads.  In each
of ROUNDS rounds all four are loaded afresh, in another order, and run in turns
RUNS times: a round gives each form the median of its runs in wall time and in
processor time.  A ratio is that of one round, so what disturbs both is not in
it; of the rounds' ratios the median is given, and its 95 % confidence interval
by order statistics, which supposes nothing of how they are distributed.

repfold's form is "slower" than the best of the others where the interval of
either time lies above 1.01, "no slower" where those of both end below 1.03, and
"undecided" else: then more ROUNDS tell.  Models are exported into DIR where they
are not there yet; deploy.svg there is the figure.  MODELS (shell patterns)
chooses.

Exit status 1 when a model is slower.
Needs torch, timm, onnx, onnxscript, onnxruntime and onnxsim.
"""
import fnmatch
import math
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
THREADS = int(os.environ.get('THREADS', '1'))
MODELS = os.environ.get('MODELS', '*').split()
NAMES = ('fastvit_t8', 'fastvit_sa12', 'fastvit_ma36', 'fastvit_mci0',
         'mobileone_s0', 'repvgg_a0', 'repvit_m0_9', 'levit_conv_128s',
         'ghostnetv3_100', 'repghostnet_100', 'nextvit_small',
         'efficientvit_m0', 'shvit_s1', 'tiny_vit_5m_224', 'swiftformer_xs',
         'hgnetv2_b0', 'starnet_s1', 'efficientformer_l1',
         'efficientformerv2_s0', 'regnety_002', 'efficientnet_b0')
FORMS = ('training', 'timm', 'onnxsim', 'repfold')
OURS = FORMS.index('repfold')
CLOCKS = (time.perf_counter, time.process_time)
SLOWER, NO_SLOWER = 1.01, 1.03


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
    bench_exec.run(repfold, 'convert', '-q', '--no-verify', train, '-o', ours)
    return train, timm, onnxsim, ours


def run_once(peer):
    """(wall, processor) milliseconds of a run."""
    start = [clock() for clock in CLOCKS]
    peer.session.run(None, peer.feed)
    return [1e3 * (clock() - begin) for clock, begin in zip(CLOCKS, start)]


def measure_round(files, number):
    """Median milliseconds of each form, by clock: [[wall ...], [processor ...]]"""
    order = [(i + number) % len(files) for i in range(len(files))]
    peers = {i: bench_exec.Peer(files[i], THREADS) for i in order}
    times = [[] for _ in files]
    for run in range(RUNS):
        for i in order if run % 2 else reversed(order):
            times[i].append(run_once(peers[i]))
    return [[statistics.median(t[clock] for t in form) for form in times]
            for clock in range(len(CLOCKS))]


def interval(ratios):
    """(median, low, high), the last two with a confidence of at least 95 % where
    there are six ratios or more; else they are the extremes."""
    ratios, n, rank, below = sorted(ratios), len(ratios), 0, 0.
    while rank < n // 2 and below + math.comb(n, rank) / 2 ** n <= .025:
        below += math.comb(n, rank) / 2 ** n
        rank += 1
    rank = max(rank - 1, 0)
    return statistics.median(ratios), ratios[rank], ratios[n - 1 - rank]


def compare(rounds, clock, other):
    return interval([r[clock][OURS] / r[clock][other] for r in rounds])


def judge(rounds):
    """(wall and processor time over the best other's, verdict)"""
    against = []
    for clock in range(len(CLOCKS)):
        middle = [statistics.median(r[clock][i] for r in rounds)
                  for i in range(OURS)]
        against.append(compare(rounds, clock, middle.index(min(middle))))
    if any(low > SLOWER for _, low, _ in against):
        return against, 'slower'
    settled = all(high < NO_SLOWER for _, _, high in against)
    return against, 'no slower' if settled else 'undecided'


def main(repfold, directory):
    os.makedirs(directory, exist_ok=True)
    figure = {form: [] for form in FORMS}
    names = [name for name in NAMES
             if any(fnmatch.fnmatch(name, pattern) for pattern in MODELS)]
    print('| onnxruntime, ms | training | timm | onnxsim | repfold |'
          ' of training | of the best other | processor time of it | |\n'
          + '|---' * 9 + '|', flush=True)
    verdicts = {}
    for name in names:
        files = make_forms(repfold, directory, name)
        rounds = [measure_round(files, number) for number in range(ROUNDS)]
        against, verdicts[name] = judge(rounds)
        middle = [statistics.median(r[0][i] for r in rounds)
                  for i in range(len(FORMS))]
        for form, ms in zip(FORMS, middle):
            figure[form].append(ms / middle[0])
        print(f'| {name} | ' + ' | '.join(f'{ms:.1f}' for ms in middle)
              + f' | {compare(rounds, 0, 0)[0]:.2f} | '
              + ' | '.join(f'{ratio:.2f} ({low:.2f} to {high:.2f})'
                           for ratio, low, high in against)
              + f' | {verdicts[name]} |', flush=True)
    path = os.path.join(directory, 'deploy.svg')
    plot.bars(path, 'Latency in onnxruntime', 'of the training form', names, figure)
    print(f'the figure is {path}')
    slower = [name for name in names if verdicts[name] == 'slower']
    if slower:
        raise SystemExit(f'bench_deploy: slower than another: {" ".join(slower)}')


if __name__ == '__main__':
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
