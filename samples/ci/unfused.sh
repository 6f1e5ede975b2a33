#!/bin/sh
# Fails when a model is not in its deploy form:
#
#     unfused.sh MODEL.onnx ...
#
# Exit status: 0 none is unfused; 1 some are; 2 trouble with one of them.
set -eu

worst=0
for model in "$@"; do
    status=0
    repfold lint -q --strict "$model" || status=$?
    if [ "$status" -eq 1 ]; then
        echo "$model is unfused: run 'repfold convert'," \
            "or see 'repfold lint --strict $model'" >&2
    fi
    [ "$status" -le "$worst" ] || worst=$status
done
exit "$worst"
