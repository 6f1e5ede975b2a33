#!/bin/bash
# bench_import.sh BUILD: from a checkpoint of MA36 to its deploy form, paired
# with a copy of the checkpoint, run by run; the run of the median ratio counts.
# Where PYTHON has torch and timm also from a file of torch.save, and the same
# by way of timm, its reparameterize_model and an export.
set -euo pipefail
build=$1 runs=${RUNS:-5}
repfold=$build/repfold
python=${PYTHON:-python3}
checkpoint=$build/bench.safetensors deploy=$build/bench.deploy.onnx

# used COMMAND ...: wall time, CPU time, peak memory in kB ("-": not measured).
used() {
    local measured
    if [ -x /usr/bin/time ]; then
        measured=$(/usr/bin/time -f '%e %U %S %M' "$@" 2>&1 >/dev/null |
            tail -n 1)
        # shellcheck disable=SC2086 # four words
        set -- $measured
        echo "$1 $(awk -v u="$2" -v s="$3" 'BEGIN { print u + s }') $4"
    else
        local TIMEFORMAT='%R %U %S'
        { time "$@" >/dev/null 2>&1; } 2>&1 | awk '{ print $1, $2 + $3, "-" }'
    fi
}

# conversion FILE OPTION ...
conversion() {
    local file=$1 size
    shift
    size=$(stat -c %s "$file")
    for _ in $(seq "$runs"); do
        echo "$(used cp "$file" "$build/bench.copy")" \
            "$(used "$repfold" convert -q "$@" "$file" -o "$deploy")"
    done | awk '{ print $4 / ($1 > 0 ? $1 : 0.01), $0 }' | sort -g |
        awk -v n="$runs" -v size="$size" -v what="${file##*.} $*" '
        NR == int((n + 1) / 2) {
            printf "%s: %.2f s wall, %.2f s CPU; cp: %.2f s, %.2f s; " \
                "%.1f and %.1f times as long", what, $5, $6, $2, $3, $1,
                $6 / ($3 > 0 ? $3 : 0.01)
            if ($7 != "-")
                printf "; peak %.0f MB, %.2f times the file", $7 * 1024 / 1e6,
                    $7 * 1024 / size
            print ""
        }'
}

"$build/save_checkpoint" fastvit_ma36 "$checkpoint"
conversion "$checkpoint" --no-verify
conversion "$checkpoint"
if "$python" -c 'import torch, timm, onnx' 2>/dev/null; then
    "$python" tests/fixtures/checkpoints/bench_python.py save "$build/bench.pth"
    conversion "$build/bench.pth" --no-verify
    conversion "$build/bench.pth"
    used "$python" tests/fixtures/checkpoints/bench_python.py convert \
        "$build/bench.pth" "$deploy" | awk '{ printf \
        "timm, reparameterize_model, export: %.2f s wall, %.2f s CPU; peak " \
        "%.0f MB\n", $1, $2, $3 * 1024 / 1e6 }'
else
    echo "$python has no torch, timm and onnx: no file of torch.save"
fi
rm -f "$checkpoint" "$deploy" "$build/bench.copy" "$build/bench.pth"
