#!/usr/bin/env bash
# The same command gives the same bytes: table, summary and database (but for the table host), from
# whatever folder and in whatever language; and one step at a time gives the same summary as leaps.
#
# usage: tests/cli/replay_determinism.sh DYNO
set -euo pipefail
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"

# A language that writes 1,5 for 1.5, where one is installed.
comma=$(locale -a 2>/dev/null | grep -Em 1 '^(de|es|fr|it)_' || echo C)

# What a database holds, but for what belongs to this machine.
contents() {
    if has_sqlite; then
        sqlite3 "$1" .dump | grep -v '^INSERT INTO host '
    else
        "$dyno" runs --json "$1" | grep -Ev \
            '"(started_at|ended_at|machine|process|wall_s|requests_per_wall_s|peak_rss_bytes)"'
    fi
}

# run FOLDER ARGUMENT...: replay in a folder of its own.
run() {
    local folder=$1

    shift
    mkdir "$folder"
    (cd "$folder" && works replay "$@" --json summary.json)
}

# same FOLDER FOLDER: they hold the same table, summary and database.
same() {
    cmp "$1/out" "$2/out"
    cmp "$1/summary.json" "$2/summary.json"
    contents "$1/runs.db" >first
    contents "$2/runs.db" >second
    cmp first second
}

# check NAME ARGUMENT...: twice in different surroundings, then one step at a time.
check() {
    local name=$1

    shift
    run "$name.1" "$@"
    sleep 1.1 # so that a clock in whole seconds shows
    LC_ALL=$comma TZ=Asia/Tokyo run "$name.2" "$@"
    same "$name.1" "$name.2"
    run "$name.steps" "$@" --set batch.steps_max=1
    cmp "$name.1/summary.json" "$name.steps/summary.json"
    cmp "$name.1/out" "$name.steps/out"
    if has_sqlite; then
        for table in request sample decision decision_candidate run_metric; do
            sqlite3 "$name.1/runs.db" "SELECT * FROM $table" >first
            sqlite3 "$name.steps/runs.db" "SELECT * FROM $table" >second
            cmp first second
        done
    fi
}

# Memory is short: prompts wait, blocks are evicted, sequences preempted.
check pressure --arrival poisson:40 --requests 150 --input-tokens lognormal:300,1 \
    --output-tokens uniform:1,200 --set generate.prefix_groups=5 --workers 3 \
    --num-gpu-blocks-override 120 --router kv --router-temperature 0.5 --decisions \
    --sample-every 100ms --set router.event_delay=20ms --set router.event_loss=0.1 --slo ttft=1s
[[ $(number pressure.1/summary.json kv.evicted_blocks) -gt 0 ]]
[[ $(number pressure.1/summary.json kv.preemptions) -gt 0 ]]

# A closed loop, where each end makes the next request; another engine.
check closed --arrival concurrency:8 --requests 60 --input-tokens uniform:10,2000 \
    --output-tokens exponential:60 --engine sglang --workers 2 --router power_of_two

# A trace, with a client that holds few in flight.
seq 0 59 | awk '{
    printf "{\"timestamp\": %d, \"input_length\": %d, \"output_length\": %d, ", \
        $1 * 37, 1100 + $1 * 7 % 400, 1 + $1 * 11 % 90
    printf "\"hash_ids\": [%d, %d, %d]}\n", $1 % 3, 100 + $1 % 6, 1000 + $1
}' >trace.jsonl
check trace --trace "$PWD/trace.jsonl" --max-concurrency 5 --router session --engine trtllm

# The seed matters, where there is chance.
run other --arrival poisson:40 --requests 150 --seed 2
run seed --arrival poisson:40 --requests 150 --seed 1
if cmp -s other/summary.json seed/summary.json; then
    fail "two seeds gave the same summary"
fi
