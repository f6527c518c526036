#!/usr/bin/env bash
# What `dyno gate` finds of regressions that were put in on purpose, and how often it cries wolf.
# What it prints stands in docs/gate.md.
#
# usage: tests/bench/gate_rates.sh DYNO [ROUNDS of base against itself, default 10]
set -euo pipefail

dyno=$1 rounds=${2:-10}
suite=(--suite sim/gate --budgets sim/gate/budgets.yml)
out=$(mktemp)
trap 'rm -f "$out"' EXIT

# count VERDICT: scenarios with it in the last outcome.
count() {
    jq --arg verdict "$1" '[.scenarios[] | select(.verdict == $verdict)] | length' "$out"
}

# gate ARGUMENT...: the exit status; the outcome is in $out.
gate() {
    local status=0

    "$dyno" gate --base "$dyno" "${suite[@]}" --json - "$@" >"$out" 2>/dev/null || status=$?
    return "$status"
}

printf '%-34s %10s %8s %8s %6s %8s  %s\n' "in head only" regression improved changed same invalid \
    verdict
for change in \
    timing.host_us_per_sequence=20 timing.gemm_flops_efficiency=0.5 timing.ingest_us_per_token=2 \
    kv.prefix_cache=false kv.memory_utilization=0.5 kv.block_tokens=64 kv.hit_when=completed \
    batch.seqs_max=64 batch.tokens_max=1024 batch.async_scheduling=false batch.watermark=0.05 \
    batch.prefill_interval=4 router.policy=random router.kv.overlap_credit=0 run.seed=99; do
    gate --head-set "$change" || true
    printf '%-34s %10s %8s %8s %6s %8s  %s\n' "$change" "$(count REGRESSION)" \
        "$(count IMPROVEMENT)" "$(count BEHAVIOR_CHANGED)" "$(count PASS)" "$(count INVALID)" \
        "$(jq -r .verdict "$out")"
done

# Leaps of one step give the same results for more host time: only the clock can tell.
gate --host-time --head-set batch.steps_max=1 || true
printf '\nhost time, steps one by one: %s of 12 scenarios slower\n' "$(count REGRESSION)"
jq -r '.scenarios[] | "\(.scenario) \(.host_time.base_ms) \(.host_time.head_ms) \(.host_time.rounds)
\(.host_time.verdict)"' "$out" | paste - - |
    awk '{ printf "  %-26s %6.0f -> %6.0f ms of CPU, %2d rounds: %s\n", $1, $2, $3, $4, $5 }'

alarms=0
for ((i = 0; i < rounds; i++)); do
    gate --host-time || alarms=$((alarms + 1))
done
printf '\nhost time, base against itself: %d alarms in %d suites of 12 scenarios\n' "$alarms" \
    "$rounds"
