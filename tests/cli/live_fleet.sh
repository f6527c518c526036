#!/usr/bin/env bash
# Workers that compute come and go for real: a planner starts, drains and moves them, they die, and
# requests go on elsewhere.  Nothing here depends on how fast that is.
#
# usage: tests/cli/live_fleet.sh DYNO
set -euo pipefail
everything=$(readlink -f "$(dirname "$0")/../../sim/scenarios/everything-cpu.yaml")
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"

works model random --like llama-3.1-8b --layers 2 --hidden 64 --heads 4 --kv-heads 2 --head-dim 16 \
    --intermediate 128 --vocab 512 --context 512 --dtype f32 -o tiny.gguf
load=(--model tiny.gguf --input-tokens 40 --output-tokens 400 --db none)
live=(--device cpu --threads 1)

# completes JSON COUNT: so many requests did, and none was lost.
completes() {
    [[ $(number "$1" requests.completed) == "$2" ]] || fail "requests were lost: $(cat out)"
}

# ---- a planner -------------------------------------------------------------------------------

# Answers keep places in use, and prompts none for long: the pool of prompts gives a place to the
# other, and the blocks of later prompts go to the worker that came over.
roles=(--arrival concurrency:8 --requests 64 --workers 3 --disagg always --prefill 2 --decode 1
       --planner load --budget 3 --set planner.every=50ms --set planner.cooldown=0s
       --set planner.use_up=0.0001 --set planner.use_down=0.00005)
works replay "${load[@]}" "${live[@]}" "${roles[@]}" --json roles.json --journal roles.journal
completes roles.json 64
[[ $(number roles.json planner.changes) -gt 0 ]] || fail "no role changed: $(cat out)"
[[ $(number roles.json transfers.count) == 64 ]] || fail "not moved: $(cat out)"
works rerun roles.journal
grep -q '^The same ' out || fail "fed back it is something else: $(cat out)"

# All of it at once: host memory and a file below the workers, whichever role they have.
works replay "${load[@]}" "${live[@]}" "${roles[@]}" --tier g2=4MiB --tier g3=16MiB:node \
    --set generate.prefix_groups=4 --set generate.prefix_tokens=64 --fault worker:1@50ms=dead \
    --set faults.migration_limit=1000 --json everything.json
completes everything.json 64
[[ $(number everything.json planner.changes) -gt 0 ]] || fail "no role changed: $(cat out)"
[[ $(number everything.json faults.deaths) == 1 ]] || fail "nobody died: $(cat out)"
grep -Eq '"stored_bytes": [1-9]' everything.json || fail "nothing was stored: $(cat out)"

# A bundled scenario of it, or the first half of one.
works replay "$everything" --duration 5s --json scenario.json
completes scenario.json "$(number scenario.json trace.requests)"
[[ $(number scenario.json transfers.count) -gt 0 ]] || fail "not moved: $(cat out)"
grep -Eq '"stored_bytes": [1-9]' scenario.json || fail "nothing was stored: $(cat out)"

# Whole workers, with memory of the host below theirs.
works replay "${load[@]}" "${live[@]}" --arrival concurrency:8 --requests 64 --workers 3 \
    --planner load --set planner.start=1 --set planner.every=50ms --set planner.cooldown=0s \
    --set planner.use_up=0.0001 --set planner.use_down=0.00005 --tier g2=16MiB --json whole.json
completes whole.json 64
[[ $(number whole.json planner.starts) -gt 0 ]] || fail "nobody was started: $(cat out)"

# The same, simulated: what is decided hangs on how fast that is, and how far both agree is told.
printf '{"dyno_machine": 1, "device": "cpu", "model": "tiny.gguf", "threads": 1, "rows_ns": [[1, '\
'20000], [512, 5000000]], "yields_ns": [[1, 1000]], "pair_ns": 1, "context_ns": 1, "pass_ns": '\
'10000, "copy_byte_ns": 0.1, "copy_ns": 10000, "start_byte_ns": 0, "start_ns": 1000000}' \
    >machine.json
works validate --machine machine.json --repeats 2 "${load[@]}" --arrival concurrency:8 \
    --requests 64 --workers 3 --planner load --set planner.start=1 --set planner.every=5ms \
    --set planner.cooldown=0s --set planner.use_up=0.0001 --set planner.use_down=0.00005 \
    --json planned.json
for line in 'looks +[1-9][0-9]* +[0-9]+ to [0-9]+ +[1-9][0-9]* +[+-][0-9]+' 'decisions +[1-9].*' \
    '  simulation: +as many workers wanted at [0-9.]+ % of [1-9][0-9]* looks; .* the same' \
    '  two live runs: +as many .*' ' +where both saw .* looks'; do
    grep -Eq "^$line$" out || fail "validate says nothing of $line: $(cat out)"
done
[[ $(number planned.json planner.simulation.looks) -gt 0 ]] || fail "no looks: $(cat planned.json)"

# ---- deaths ----------------------------------------------------------------------------------

deaths=(--arrival concurrency:8 --requests 64 --set faults.migration_limit=1000)
works replay "${load[@]}" "${live[@]}" "${deaths[@]}" --workers 2 \
    --fault worker:1@50ms=dead,worker:0@100ms..150ms=dead --tier g2=16MiB --json deaths.json
completes deaths.json 64
[[ $(number deaths.json faults.deaths) == 2 ]] || fail "nobody died: $(cat out)"
[[ $(number deaths.json faults.requests_lost) == 0 ]] || fail "requests were lost: $(cat out)"
# What a journal says of deaths and starts makes the same decisions when it is fed back.
works replay "${load[@]}" "${live[@]}" "${deaths[@]}" --workers 2 --journal diary \
    --fault worker:1@50ms=dead,worker:0@100ms..150ms=dead --json deaths.json
completes deaths.json 64
grep '^Faults' out >faults
grep -q '^Faults *2 workers died' faults || fail "nobody died: $(cat out)"
works rerun diary
grep '^Faults' out | cmp - faults || fail "not the same again: $(cat out)"
works replay "${load[@]}" "${live[@]}" "${deaths[@]}" --disagg always --prefill 2 --decode 2 \
    --fault worker:2@50ms=dead,worker:0@100ms=dead --set faults.notice=20ms --tier g2=16MiB \
    --json halves.json --journal halves.journal
completes halves.json 64
works rerun halves.journal
grep -q '^The same ' out || fail "fed back it is something else: $(cat out)"
[[ $(number halves.json faults.deaths) == 2 ]] || fail "nobody died: $(cat out)"
# Nor where prompts were being computed when who decodes died: they are waited for.
works replay "${load[@]}" "${live[@]}" --arrival concurrency:32 --requests 128 \
    --input-tokens uniform:300,450 --output-tokens uniform:2,12 --disagg always \
    --prefill 2 --decode 2 --set faults.migration_limit=1000 --tier g2=16MiB \
    --journal computed.journal \
    --fault "$(seq -s , -f 'worker:0@%gms=dead' 20 20 400)"
works rerun computed.journal
grep -q '^The same ' out || fail "fed back it is something else: $(cat out)"

# Who finds nobody, and never will, has failed.
works replay "${load[@]}" "${live[@]}" --arrival concurrency:2 --requests 8 --workers 1 \
    --fault worker:0@1ms..never=dead --json gone.json
[[ $(number gone.json requests.failed) -gt 0 ]] || fail "served by nobody: $(cat out)"

# ---- what makes no sense ---------------------------------------------------------------------

live_load=(replay "${load[@]}" --arrival poisson:5 --requests 1 "${live[@]}")
refuses 2 "faults.list: 'worker:0@1s..2s=frozen' is for simulations: of what computes (run.device \
cpu) workers can be made to die (=dead), and nothing to be slow" \
    "${live_load[@]}" --fault worker:0@1s..2s=frozen
refuses 2 'faults.stall_every is for simulations: of what computes (run.device cpu) workers can '\
'be made to die, and nothing to be slow' \
    "${live_load[@]}" --set faults.stall_every=10s
refuses 2 '--set planner.startup and --device contradict each other: a worker that computes '\
'starts in the time that it takes' \
    "${live_load[@]}" --planner load --set planner.startup=3
refuses 2 '--set faults.restart and --device contradict each other: a worker that computes '\
'starts in the time that it takes' \
    "${live_load[@]}" --fault worker:0@1s=dead --set faults.restart=3
refuses 2 'planner.start_failure is for simulations: a start of a device that computes fails when '\
'it fails' \
    "${live_load[@]}" --planner load --set planner.start_failure=0.5
