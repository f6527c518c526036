#!/usr/bin/env bash
# `dyno bench-sim`: four cases, each with a speed; what it says of the machine is not judged.
#
# usage: tests/cli/bench_sim.sh DYNO
set -euo pipefail
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"

# check_cases WORKERS: out is the table of 50 requests.
check_cases() {
    grep -q "^Simulator speed: 50 requests, $1 workers, one core, reading left out, " out
    grep -Eq '^  router +block +requests/s +slowest +fastest +per CPU s +us each +x real time' out
    awk 'NF == 9 && $1 != "router" { print $1, $2 }' out >cases
    diff -u - cases <<'END'
round_robin 512
kv 512
round_robin 16
kv 16
END
    # Speeds are positive and the median lies between the slowest and the fastest.
    awk 'NF == 9 && $1 != "router" && !($3 > 0 && $4 <= $3 && $3 <= $5 && $6 > 0) { exit 1 }' out ||
        fail "$(cat out)"
}

works bench-sim --rounds 3 --arrival poisson:100 --requests 50 --workers 2
check_cases 2
[[ $(ls) == $'err\nout\ncases' || $(ls) == $'cases\nerr\nout' ]] || fail "it left $(ls)"
[[ ! -s err ]]

# It takes traces and all options of a replay; the router and the block are its own.
seq 0 49 | awk '{
    printf "{\"timestamp\": %d, \"input_length\": 900, \"output_length\": 9, ", $1 * 10
    printf "\"hash_ids\": [%d, %d]}\n", $1 % 3, $1 }' >trace.jsonl
works bench-sim --trace trace.jsonl --rounds 1 --workers 3 --router random --block-size 64 \
    --engine sglang --set kv.prefix_cache=false
check_cases 3

# As it is: that scenario alone.
works bench-sim --as-is --trace trace.jsonl --rounds 1 --workers 3 --router random --block-size 64
awk 'NF == 9 && $1 != "router" { print $1, $2 }' out >cases
[[ $(cat cases) == 'random 64' ]] || fail "$(cat out)"

refuses 2 '--rounds takes a number from 1 to 101' bench-sim --rounds 0 --arrival poisson:9
refuses 2 '--rounds takes a number from 1 to 101' bench-sim --rounds 102 --arrival poisson:9
refuses 2 '--rounds takes a number from 1 to 101' bench-sim --rounds 2x --arrival poisson:9
refuses 1 'none.jsonl: no such file; expected a trace' bench-sim --rounds 1 --trace none.jsonl
refuses 2 "unknown option '--wrokers'; did you mean '--workers'?" bench-sim --wrokers 2
works bench-sim --help
grep -q '^dyno bench-sim ' out
