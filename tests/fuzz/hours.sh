#!/bin/bash
# hours.sh DIR SECONDS TARGET ...: gives each fuzz target of DIR that much
# processor time in all, over as many calls as it takes: what one has had stands
# in DIR/corpus/TARGET.seconds, so a stopped run goes on where it was. One line
# for each target; the first finding ends it, with the bytes that show it. A
# minute for one input is for machines that have other work.
set -euo pipefail
round=${ROUND:-120} # seconds by the clock between two notes of the time used
dir=$1 limit=$2
shift 2
TIMEFORMAT='%U %S'

spent() { # SECONDS TARGET has had
    if [ -e "$1" ]; then cat "$1"; else echo 0; fi
}

fuzz() { # TARGET: one round
    local corpus=$dir/corpus/$1 log=$dir/$1.log found=0
    mkdir -p "$corpus"
    { time "$dir/$1" -max_total_time="$round" -max_len=8192 -rss_limit_mb=2048 \
        -timeout=60 -artifact_prefix="$dir/$1-" -print_final_stats=1 \
        "$corpus" tests/fuzz/corpus >"$log" 2>&1; } 2>"$log.time" || found=1
    if [ $found = 1 ]; then
        tail -40 "$log" >&2
        echo "$1: a finding; the log is $log" >&2
        exit 1
    fi
    # Runs of a program in this shell: user and system seconds, summed.
    awk -v had="$(spent "$corpus.seconds")" '{ print int(had + $1 + $2 + 0.5) }' \
        "$log.time" >"$corpus.seconds.new"
    mv "$corpus.seconds.new" "$corpus.seconds"
    awk -v had="$(spent "$corpus.runs")" '/number_of_executed_units/ { had += $2 }
        END { print had + 0 }' "$log" >"$corpus.runs.new"
    mv "$corpus.runs.new" "$corpus.runs"
}

for target; do
    corpus=$dir/corpus/$target
    while [ "$(spent "$corpus.seconds")" -lt "$limit" ]; do
        fuzz "$target"
    done
    echo "$target: $(spent "$corpus.seconds") s of processor time," \
        "$(spent "$corpus.runs") runs, no finding"
done
