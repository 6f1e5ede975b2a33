#!/bin/sh
# demo.sh BUILD: from a training-form network to its deploy form.
set -eu
build=$1
train=$build/fastvit_t8.train.onnx
deploy=$build/fastvit_t8.deploy.onnx

step() {
    printf '\n$ %s\n' "$*"
    "$@"
}
step "$build/repfold" sample fastvit_t8 -o "$train"
step "$build/repfold" convert "$train" -o "$deploy"
step "$build/repfold" verify "$train" "$deploy"
printf '\nthe deploy form is in %s\n' "$deploy"
