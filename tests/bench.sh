#!/bin/sh
# bench.sh BUILD: how long conversion and execution of a generated model take.
set -eu
build=$1 variant=${VARIANT:-fastvit_sa12}
train=$build/bench.train.onnx
deploy=$build/bench.deploy.onnx

step() {
    printf '\n$ %s\n' "$*"
    "$@"
}
step "$build/repfold" sample "$variant" -o "$train"
step time -p "$build/repfold" convert -q --no-verify "$train" -o "$deploy"
step time -p cp "$train" "$build/bench.copy.onnx"
step "$build/repfold" bench "$train"
step "$build/repfold" bench "$deploy"
