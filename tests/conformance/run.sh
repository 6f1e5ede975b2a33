#!/bin/sh
# Runs ONNX's backend tests: those of Debian's package, and those of the wheel
# where pip can fetch it.
set -eu
build=$1
wheel=onnx==1.22.0 # later ones no longer hold the tests of single nodes
fetched=$build/onnx-wheel

fetch() {
    [ ! -d "$fetched/onnx/backend/test/data" ] || return 0
    command -v python3 >/dev/null && command -v unzip >/dev/null || {
        echo "conformance: without the wheel, python3 or unzip is missing"
        return 1
    }
    mkdir -p "$fetched"
    python3 -m pip download --quiet --disable-pip-version-check --no-deps \
        --only-binary=:all: --dest "$fetched" "$wheel" || {
        echo "conformance: without the wheel, pip cannot fetch $wheel"
        return 1
    }
    unzip -q -o "$fetched"/onnx-*.whl 'onnx/backend/test/data/*' -d "$fetched"
}

set -- /usr/share/libonnx-testdata/data
if fetch; then
    data=$fetched/onnx/backend/test/data
    python3 "$(dirname "$0")/light.py" "$data/light" "$fetched/light"
    set -- "$@" "$data" "$fetched/light"
fi
exec "$build/conformance" "$build/repfold" "$@"
