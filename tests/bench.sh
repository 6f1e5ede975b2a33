#!/bin/bash
# bench.sh BUILD: what conversion and execution cost, on generated models.
# Conversion is paired with a copy of the same file, run by run, since the
# machine's speed drifts; the median counts.
set -euo pipefail
build=$1 runs=${RUNS:-5}
repfold=$build/repfold
train=$build/bench.train.onnx deploy=$build/bench.deploy.onnx

# seconds COMMAND ...: its wall time.
seconds() {
    local start=$EPOCHREALTIME
    "$@" >/dev/null
    local end=$EPOCHREALTIME
    echo "$((${end/./} - ${start/./}))"
}

median() {
    sort -g | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

copy() {
    cp "$train" "$build/bench.copy.onnx" && sync "$build/bench.copy.onnx"
}

convert() {
    "$repfold" convert -q --no-verify "$train" -o "$deploy"
}

peak() {
    if [ -x /usr/bin/time ]; then
        /usr/bin/time -f %M "$@" 2>&1 >/dev/null | tail -n 1
    fi
}

# The memory that converting what is in $train takes at most.
peak_of() {
    local kilobytes size
    size=$(stat -c %s "$train")
    kilobytes=$(peak "$repfold" convert -q --no-verify "$train" -o "$deploy")
    if [ -n "$kilobytes" ]; then
        awk -v k="$kilobytes" -v s="$size" -v name="$1" 'BEGIN { printf \
            "%s: peak %.0f MB, %.2f times the file\n", name, k * 1024 / 1e6,
            k * 1024 / s }'
    else
        echo "$1: peak memory is not measured: /usr/bin/time is not there"
    fi
}

conversion() {
    "$repfold" sample "$1" -o "$train"
    local a b
    convert
    for _ in $(seq "$runs"); do
        a=$(seconds copy)
        b=$(seconds convert)
        awk -v a="$a" -v b="$b" 'BEGIN { print b / a, b / 1e6, a / 1e6 }'
    done | sort -g | awk -v n="$runs" -v name="$1" \
        'NR == int((n + 1) / 2) { printf "%s: convert %.2f s, cp and sync " \
         "%.2f s, ratio %.2f\n", name, $2, $3, $1 }'
    peak_of "$1"
}

chain() {
    "$build/bench_chain" "$1" "$train"
    for _ in $(seq "$runs"); do
        seconds convert
    done | median | awk -v n="$1" '{ printf \
        "chain of %d blocks, %d nodes: convert %.2f s\n", n, 3 * n, $1 / 1e6 }'
    peak_of "chain of $1 blocks"
}

execution() {
    "$repfold" sample "$1" -o "$train"
    convert
    local precision
    for precision in f32 f64; do
        printf '%s training form %s: %s\n' "$1" "$precision" \
            "$("$repfold" bench "$train" --precision "$precision" | head -n 1)"
        printf '%s deploy form %s:   %s\n' "$1" "$precision" \
            "$("$repfold" bench "$deploy" --precision "$precision" | head -n 1)"
    done
}

# used COMMAND ...: wall time, CPU time and peak memory ("-" if not measured).
used() {
    local TIMEFORMAT='%R %U %S' memory=-
    { time "$@" >/dev/null 2>&1; } 2>&1 |
        awk '{ printf "%s %s ", $1, $2 + $3 }'
    memory=$(peak "$@")
    echo "${memory:--}"
}

# The whole process, paired with a script that loads both models in onnxruntime
# and runs each once in float32.
verification() {
    "$repfold" sample "$1" -o "$train"
    convert
    echo "$1: $("$build/bench_certify" "$train" "$deploy")"
    local ours theirs=
    for _ in $(seq "$runs"); do
        ours=$(used "$repfold" verify -q "$train" "$deploy")
        if "${PYTHON:-python3}" -c 'import onnxruntime' 2>/dev/null; then
            theirs=$(used "${PYTHON:-python3}" tests/interop/run_once.py \
                "$train" "$deploy")
        fi
        echo "$ours $theirs"
    done | sort -g | awk -v name="$1" '
        {
            for (i = 1; i <= NF; i++)
                v[NR, i] = $i
            ratio[NR] = NF > 3 ? $1 / $4 : 0
        }
        END {
            m = int((NR + 1) / 2)
            for (i = 2; i <= NR; i++)
                for (k = i; k > 1 && ratio[k - 1] > ratio[k]; k--) {
                    t = ratio[k]
                    ratio[k] = ratio[k - 1]
                    ratio[k - 1] = t
                }
            printf "verify of %s: %.2f s wall, %.2f s CPU, %.0f MB\n", name,
                v[m, 1], v[m, 2], v[m, 3] * 1024 / 1e6
            if (NF > 3)
                printf "  onnxruntime, both loaded and run once: %.2f s wall, " \
                    "%.2f s CPU, %.0f MB; ratio of wall times %.2f\n",
                    v[m, 4], v[m, 5], v[m, 6] * 1024 / 1e6, ratio[m]
        }'
    for _ in $(seq "$runs"); do
        used "$repfold" convert -q "$train" -o "$deploy"
    done | sort -g | awk -v name="$1" '{ v[NR] = $0 } END {
        split(v[int((NR + 1) / 2)], m)
        printf "convert of %s, certified and verified: %.2f s wall, %.2f s " \
            "CPU, %.0f MB\n", name, m[1], m[2], m[3] * 1024 / 1e6 }'
}

# A model of 4.2 GB, its weights beside it: what it takes to convert it.
outside() {
    local needed=10 free folder=$build/bench.outside kilobytes
    free=$(df --output=avail -BG "$build" | tail -n 1 | tr -dc 0-9)
    if [ "$free" -lt "$needed" ]; then
        echo "4.2 GB of external data: left out, it needs $needed GB of disk"
        return
    fi
    rm -rf "$folder"
    mkdir "$folder"
    "$repfold" sample fastvit_ma36 --width-mult 5 --external-data always \
        -o "$folder/in.onnx"
    local size time
    size=$(cat "$folder"/in.onnx* | wc -c)
    time=$(seconds "$repfold" convert -q --no-verify "$folder/in.onnx" \
        -o "$folder/out.onnx")
    kilobytes=$(peak "$repfold" convert -q --no-verify "$folder/in.onnx" \
        -o "$folder/out.onnx")
    awk -v s="$size" -v t="$time" -v k="${kilobytes:-0}" 'BEGIN { printf \
        "%.2f GB with external data: convert %.1f s, peak %.0f MB\n",
        s / 1e9, t / 1e6, k * 1024 / 1e6 }'
    rm -rf "$folder"
}

conversion fastvit_ma36
outside
chain 20000
chain 33334
for variant in fastvit_t8 fastvit_sa12 fastvit_ma36; do
    execution "$variant"
    verification "$variant"
done
rm -f "$train" "$deploy" "$build/bench.copy.onnx"
