#!/usr/bin/env bash
# Four tiers, shared links, requests in halves, GPUs that change their role, and places that break,
# all in one run (sim/scenarios/everything.yaml): it comes out as docs/planner.md says.
#
# usage: tests/cli/everything.sh DYNO
set -euo pipefail
everything=$(readlink -f "$(dirname "$0")/../../sim/scenarios/everything.yaml")
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"

plays() {
    works replay "$everything" --intervals none --json run.json "$@"
}

# whole KEY: of run.json, to the next whole number.
whole() {
    printf '%.0f' "$(number run.json "$1")"
}

plays
[[ $(number run.json requests.completed) == "$(number run.json trace.requests)" ]]
[[ $(number run.json planner.changes) == 2 && $(number run.json planner.workers_max) == 4 ]]
[[ $(number run.json faults.deaths) == 2 && $(number run.json faults.requests_lost) == 0 ]]
[[ $(number run.json transfers.count) -gt 10000 ]]
[[ $(whole ttft_ms.mean) == 322 ]] || fail "docs say otherwise: $(whole ttft_ms.mean)"

# Leaping and stepping have one history, from the first change of a role to after the deaths.
history() {
    plays --duration 7min --sample-every 30s --db "$1.db" "${@:2}"
    sqlite3 "$1.db" 'SELECT * FROM request; SELECT * FROM plan; SELECT * FROM fault;
        SELECT * FROM tier_sample' >"$1"
}

# hits TIER: blocks of prompts that were found there, in the last run.
hits() {
    sqlite3 leapt.db "SELECT CAST(value AS INTEGER) FROM run_metric
        WHERE metric = 'kv.tiers.$1.hit_blocks'"
}

if has_sqlite; then
    history leapt
    history stepped --set batch.steps_max=1
    cmp leapt stepped
    [[ $(sqlite3 leapt.db 'SELECT count(*) FROM fault') == 2 ]]
    for tier in g1 g2 g3 g4; do
        [[ $(hits $tier) -gt 1000 ]] || fail "nothing came from $tier"
    done
fi
