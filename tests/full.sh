#!/bin/bash
# full.sh BUILD: converts and verifies the full-size exports that
# `make fixtures-full` wrote, and prints what is left of each. Fails when a
# conversion does, or leaves a BatchNormalization or a Sub.
set -euo pipefail
build=$1 status=0

shopt -s nullglob
models=("$build"/exports/*.onnx)
if [ ${#models[@]} -eq 0 ]; then
    echo "no exports in $build/exports: run make fixtures-full first" >&2
    exit 1
fi

echo '| export | nodes | Conv | BatchNormalization | Sub | Mul | algebra | weights / floor |'
echo '|---|---|---|---|---|---|---|---|'
for model in "${models[@]}"; do
    log=$("$build/repfold" convert "$model" -o "$build/full.onnx") || status=1
    awk -v name="$(basename "$model" .onnx)" '
        NF == 3 && $1 ~ /^[A-Za-z]+$/ { before[$1] = $2; after[$1] = $3 }
        $1 == "algebra" && !algebra { algebra = $2 }
        $1 == "weights" && !ratio { ratio = $NF }
        END {
            printf "| %s | %s -> %s | %s | %s | %s | %s | %s | %s |\n", name,
                before["nodes"], after["nodes"], after["Conv"],
                after["BatchNormalization"], after["Sub"], after["Mul"],
                algebra, ratio
            exit after["BatchNormalization"] + after["Sub"] != 0
        }' <<<"$log" || status=1
done
rm -f "$build/full.onnx"
exit $status
