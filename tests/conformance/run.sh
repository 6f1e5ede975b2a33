#!/bin/sh
# Runs ONNX's backend tests: those of Debian's package, and those of the wheel
# where pip can fetch it.
set -eu
build=$1
here=$(dirname "$0")

set -- /usr/share/libonnx-testdata/data
if fetched=$("$here/wheel.sh" "$build"); then
    data=$fetched/onnx/backend/test/data
    python3 "$here/light.py" "$data/light" "$fetched/light"
    set -- "$@" "$data" "$fetched/light"
fi
exec "$build/conformance" "$build/repfold" "$@"
