#!/bin/sh
# Verifies a conversion that somebody else has made:
#
#     vendor.sh TRAIN.onnx VENDOR.onnx REPORTS [NAME=INPUT.npy ...]
#
# on sixteen random samples and on the inputs that are given.  A converter that
# computes in float32 rounds each weight about four times.
set -eu

train=$1 vendor=$2 reports=$3
shift 3
mkdir -p "$reports"
for input in "$@"; do
    shift
    set -- "$@" --input "$input"
done
repfold verify "$train" "$vendor" --samples 16 --roundings 4 "$@" \
    --html "$reports/report.html" --json "$reports/report.json" \
    --junit "$reports/junit.xml"
