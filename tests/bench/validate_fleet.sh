#!/usr/bin/env bash
# How well a simulation of this machine agrees with it where there is more than workers: KV in host
# memory and a file, requests in halves in four ways, both, workers that pull from each other, and a
# planner that starts and drains.  Each validated by five live runs of 100 requests.
#
# usage: tests/bench/validate_fleet.sh DYNO FOLDER
#
# Wants two cores that have nothing else to do, and a quarter of an hour of them.  Machine files and
# the comparisons as JSON go to FOLDER, tables to standard output.  REPEATS and REQUESTS say
# otherwise.
set -euo pipefail
dyno=$(readlink -f "$1")
mkdir -p "$2"
cd "$2"

load=(--threads 1 --arrival poisson:8 --input-tokens 60 --output-tokens 'uniform:10,60'
      --requests "${REQUESTS:-100}" --set generate.prefix_groups=12
      --set generate.prefix_tokens=256 --num-gpu-blocks-override 64 --db none)
uptime
# validate NAME OPTION...
validate() {
    local name=$1

    shift
    printf '\n==== %s: %s ====\n' "$name" "$*"
    "$dyno" validate --calibrate "$name-machine.json" "${load[@]}" --repeats "${REPEATS:-5}" "$@" \
        --json "$name.json" >"$name.txt" || return
    cat "$name.txt"
}
validate tiers --tier g2=4MiB --tier g3=64MiB
validate halves --disagg always --prefill 1 --decode 1
validate pulled --disagg always --prefill 1 --decode 1 --set disagg.style=pull
validate both --disagg always --prefill 1 --decode 1 --set disagg.style=both \
    --set disagg.deadline=1min
validate layers --disagg always --prefill 1 --decode 1 --set disagg.transfer=layers
validate halves-tiers --disagg threshold:100 --prefill 1 --decode 1 --tier g2=16MiB
validate peers --workers 2 --peers
validate planner --workers 2 --planner load --set planner.start=1 --set planner.every=500ms \
    --set planner.cooldown=2s --set planner.use_up=0.05 --set planner.use_down=0.02
uptime
