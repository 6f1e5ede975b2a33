#!/bin/sh
# Spreads a verification over processes, and puts the reports together:
#
#     shards.sh A.onnx B.onnx SHARDS REPORTS
#
# With GNU parallel, which can also spread it over machines (--sshlogin), or
# else with xargs.  Each shard has two samples for a start.
set -eu

a=$1 b=$2 shards=$3 reports=$4

# With a fifth argument it is one of the processes.
if [ $# -eq 5 ]; then
    rm -f "$reports/$5.json"
    exec repfold verify "$a" "$b" --samples $((2 * shards)) \
        --shard "$5/$shards" --threads 1 -q --json "$reports/$5.json"
fi

spread() {
    if parallel --version 2>/dev/null | grep -q GNU; then
        seq "$shards" | parallel -q "$0" "$a" "$b" "$shards" "$reports" '{}'
    else
        seq "$shards" | xargs -P "$(nproc)" -I '{}' \
            "$0" "$a" "$b" "$shards" "$reports" '{}'
    fi
}

# A shard that differs exits with 1 and has written its report; one that is in
# trouble has written that, and then merging tells it.
mkdir -p "$reports"
spread || echo 'not every shard is equivalent' >&2
set --
for shard in $(seq "$shards"); do
    set -- "$@" "$reports/$shard.json"
done
repfold report merge "$@" --json "$reports/all.json" \
    --junit "$reports/junit.xml"
