#!/bin/sh
# wheel.sh BUILD: fetches the models in ONNX's wheel by pip, once, and prints
# the folder they are in; says why and fails where that cannot be done.
set -eu
wheel=onnx==1.22.0 # later ones no longer hold the tests of single nodes
fetched=$1/onnx-wheel

if [ ! -d "$fetched/onnx/backend/test/data" ]; then
    if ! command -v python3 >/dev/null || ! command -v unzip >/dev/null; then
        echo "without the wheel: python3 or unzip is missing" >&2
        exit 1
    fi
    mkdir -p "$fetched"
    python3 -m pip download --quiet --disable-pip-version-check --no-deps \
        --only-binary=:all: --dest "$fetched" "$wheel" >&2 || {
        echo "without the wheel: pip cannot fetch $wheel" >&2
        exit 1
    }
    unzip -q -o "$fetched"/onnx-*.whl 'onnx/backend/test/data/*' \
        -d "$fetched"
fi
echo "$fetched"
