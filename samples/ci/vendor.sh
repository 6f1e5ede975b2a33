#!/bin/sh
# Verifies a conversion that somebody else has made:
#
#     vendor.sh TRAIN.onnx VENDOR.onnx REPORTS [NAME=INPUT.npy ...]
#
# on sixteen random samples and on the inputs that are given.
set -eu

train=$1 vendor=$2 reports=$3
shift 3
mkdir -p "$reports"
for input in "$@"; do
    shift
    set -- "$@" --input "$input"
done
repfold verify "$train" "$vendor" --samples 16 "$@" \
    --html "$reports/report.html" --json "$reports/report.json" \
    --junit "$reports/junit.xml"
